/*
 * Whether one set of times differs from another: how large the difference is, how sure that is, and a verdict.
 *
 * Times have outliers and no bell curve, so all of it goes by ranks and medians. Two methods that err in different ways
 * have to agree: the interval comes from resampling, the test from the ranks.
 */
#ifndef SK_BENCH_COMPARISON_H
#define SK_BENCH_COMPARISON_H

#include <stddef.h>
#include <stdint.h>

#define SK_CONFIDENCE 0.95

struct sk_comparison {
  double ratio;     /* time over the base's */
  double low, high; /* its 95% interval, by the percentile bootstrap */
  double p_value;   /* of the Mann-Whitney U test, two-sided */
};

/* Compare times that were measured in turns: base[i] and other[i] belong to one round, so what disturbs a whole round
 * cancels. ratio: the median of other[i] / base[i]; the bootstrap resamples rounds.
 * Requires: no NaN, base[i] > 0. With no rounds everything is NaN. Errors: none; without memory the interval is NaN. */
struct sk_comparison sk_comparison_paired(const double *base, const double *other, size_t count, uint64_t seed);

/* Compare times of separate runs. ratio: of the medians; the bootstrap resamples each side. Likewise. */
struct sk_comparison sk_comparison_unpaired(const double *base, size_t base_count, const double *other,
                                            size_t other_count, uint64_t seed);

/* The Mann-Whitney U test's two-sided p-value: exact for up to 20 values on either side without ties, else the normal
 * approximation with corrections for ties and continuity. 1 when a side is empty; NaN without memory.
 * Source: Mann and Whitney (1947); Lehmann, Nonparametrics (2006), chapter 1. */
double sk_mann_whitney(const double *a, size_t a_count, const double *b, size_t b_count);

enum sk_verdict {
  SK_VERDICT_BASE,
  SK_VERDICT_EQUAL,
  SK_VERDICT_FASTER,
  SK_VERDICT_SLOWER,
  SK_VERDICT_WRONG,
  SK_VERDICT_FAILED
};

/* Name a verdict: "base", "equal", "faster", "slower", "wrong", "failed". */
const char *sk_verdict_name(enum sk_verdict verdict);

/* Faster or slower if the ratio is farther from 1 than the threshold, the interval does not hold 1, and the test says
 * so, too; else equal. With fewer rounds than 4 the test cannot, and it is equal whatever the ratio. */
enum sk_verdict sk_comparison_verdict(const struct sk_comparison *comparison, double threshold);

#endif
