#include "bench/statistics.h"

#include <math.h>
#include <stdlib.h>

static int compare(const void *left, const void *right) {
  const double a = *(const double *)left;
  const double b = *(const double *)right;
  return (a > b) - (a < b);
}

void sk_statistics_sort(double *values, size_t count) {
  if (count > 0) qsort(values, count, sizeof *values, compare);
}

double sk_statistics_quantile(const double *sorted, size_t count, double q) {
  if (count == 0) return NAN;
  const double position = q * (double)(count - 1);
  const size_t below = (size_t)position;
  if (below + 1 >= count) return sorted[count - 1];
  const double fraction = position - (double)below;
  return sorted[below] + fraction * (sorted[below + 1] - sorted[below]);
}

/* P(Binomial(n, 1/2) = k), through logarithms because 2^-n underflows from n = 1075 on. */
static double binomial_half(size_t n, size_t k) {
  const double x = (double)k;
  const double m = (double)n;
  return exp(lgamma(m + 1) - lgamma(x + 1) - lgamma(m - x + 1) - m * log(2));
}

struct sk_interval sk_statistics_median_interval(const double *sorted, size_t count) {
  const double tail_limit = 0.025;
  if (count == 0) return (struct sk_interval){NAN, NAN, 0};
  size_t rank = 0; /* values cut off at either end */
  double tail = binomial_half(count, 0);
  while (2 * (rank + 1) < count) {
    const double wider = tail + binomial_half(count, rank + 1);
    if (wider > tail_limit) break;
    tail = wider;
    rank++;
  }
  return (struct sk_interval){sorted[rank], sorted[count - 1 - rank], 1 - 2 * tail};
}

struct sk_summary sk_statistics_summarise(double *values, size_t count) {
  sk_statistics_sort(values, count);
  return (struct sk_summary){.count = count,
                             .minimum = values[0],
                             .median = sk_statistics_quantile(values, count, 0.5),
                             .interval = sk_statistics_median_interval(values, count)};
}
