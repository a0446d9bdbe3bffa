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

/* Wilson's 95% interval of a proportion of which `hits` of `count` trials were seen; NaN for no trials. Unlike the
 * normal approximation's it stays within 0..1 and has about its coverage for few trials and proportions near 0 or 1.
 * Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference". */
struct sk_interval sk_statistics_proportion_interval(size_t hits, size_t count);

/* The percentiles of latencies that are reported. */
enum { SK_PERCENTILES = 4 };

struct sk_percentile {
  const char *name; /* "p99.9" */
  double value;     /* NaN: too few values to tell */
};

struct sk_percentiles {
  struct sk_percentile list[SK_PERCENTILES]; /* p50, p90, p99, p99.9 */
};

/* The percentiles of sorted values. One is told only from n values of which the largest lies above the true percentile
 * q with a probability of 95%, whatever the distribution: 1 - q^n >= 0.95, so 5, 29, 299 and 2995 values; with fewer,
 * what the percentile is about was most likely not even seen. */
struct sk_percentiles sk_statistics_percentiles(const double *sorted, size_t count);

/* The least number of values that tell percentile q, 0 < q < 1, by that rule. */
size_t sk_statistics_percentile_least(double q);

struct sk_summary {
  size_t count;
  double minimum, median, maximum;
  struct sk_interval interval; /* of the median */
};

/* Values as they come. Zero-initialise; free with sk_samples_free. */
struct sk_samples {
  double *values;
  size_t count, capacity;
};

/* Add a value. Returns false if there is no memory for it. */
bool sk_samples_add(struct sk_samples *samples, double value);
void sk_samples_free(struct sk_samples *samples);

/* Sort the values and summarise them. Requires: count > 0, no NaN. */
struct sk_summary sk_statistics_summarise(double *values, size_t count);

#endif
