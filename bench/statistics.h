/* What to say about repeated measurements: order statistics, because times have outliers and no bell curve. */
#ifndef SK_BENCH_STATISTICS_H
#define SK_BENCH_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>

/* Sort in place, ascending. Requires: no NaN. */
void sk_statistics_sort(double *values, size_t count);

/* The q-quantile of sorted values, 0 <= q <= 1: linear between neighbours (Hyndman and Fan's type 7, NumPy's default).
 * NaN for no values. */
double sk_statistics_quantile(const double *sorted, size_t count, double q);

struct sk_interval {
  double low, high;
  double coverage; /* the probability that such an interval holds the true median */
};

/* The narrowest pair of order statistics, symmetric in rank, that holds the median with 95% probability:
 * P(x(r) <= median <= x(n+1-r)) = 1 - 2 P(Binomial(n, 1/2) < r), whatever the distribution. Fewer than 6 values cannot
 * reach 95%: then it is the range, and `coverage` says what that is worth. */
struct sk_interval sk_statistics_median_interval(const double *sorted, size_t count);

struct sk_summary {
  size_t count;
  double minimum, median;
  struct sk_interval interval; /* of the median */
};

/* Sort the values and summarise them. Requires: count > 0, no NaN. */
struct sk_summary sk_statistics_summarise(double *values, size_t count);

#endif
