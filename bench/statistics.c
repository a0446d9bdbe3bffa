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

struct sk_interval sk_statistics_proportion_interval(size_t hits, size_t count) {
  const double z = 1.959963984540054; /* the normal distribution's 97.5% quantile */
  const double n = (double)count;
  const double p = (double)hits / n;
  const double centre = p + z * z / (2 * n);
  const double reach = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  const double total = 1 + z * z / n;
  if (count == 0) return (struct sk_interval){NAN, NAN, 0};
  return (struct sk_interval){fmax(0, (centre - reach) / total), fmin(1, (centre + reach) / total), 0.95};
}

size_t sk_statistics_percentile_least(double q) { return (size_t)ceil(log(0.05) / log(q)); }

struct sk_percentiles sk_statistics_percentiles(const double *sorted, size_t count) {
  static const double quantiles[SK_PERCENTILES] = {0.5, 0.9, 0.99, 0.999};
  struct sk_percentiles percentiles = {{{"p50", NAN}, {"p90", NAN}, {"p99", NAN}, {"p99.9", NAN}}};
  for (size_t i = 0; i < SK_PERCENTILES; i++) {
    if (count < sk_statistics_percentile_least(quantiles[i])) continue;
    percentiles.list[i].value = sk_statistics_quantile(sorted, count, quantiles[i]);
  }
  return percentiles;
}

bool sk_samples_add(struct sk_samples *samples, double value) {
  if (samples->count == samples->capacity) {
    const size_t capacity = samples->capacity ? 2 * samples->capacity : 256;
    double *values = realloc(samples->values, capacity * sizeof *values);
    if (!values) return false;
    samples->values = values;
    samples->capacity = capacity;
  }
  samples->values[samples->count++] = value;
  return true;
}

void sk_samples_free(struct sk_samples *samples) {
  free(samples->values);
  *samples = (struct sk_samples){0};
}

struct sk_summary sk_statistics_summarise(double *values, size_t count) {
  sk_statistics_sort(values, count);
  return (struct sk_summary){.count = count,
                             .minimum = values[0],
                             .median = sk_statistics_quantile(values, count, 0.5),
                             .maximum = values[count - 1],
                             .interval = sk_statistics_median_interval(values, count)};
}
