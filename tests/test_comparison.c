/* The statistics of comparisons, on seeded samples whose truth is known: false verdicts, power, coverage; and the U
 * test against values worked out elsewhere. */
#include <criterion/criterion.h>
#include <math.h>

#include "bench/comparison.h"
#include "bench/verify_internal.h"

enum { ROUNDS = 40, TRIALS = 300 };

static double uniform(struct sk_random *random) { return (double)(sk_random_next(random) >> 11) * 0x1p-53; }

/* A time as machines give them: skewed noise of some 2%, one in 20 an outlier of up to three times as much. */
static double draw_time(struct sk_random *random) {
  const double time = 1 + 0.02 * -log(1 - uniform(random));
  return uniform(random) < 0.05 ? time * (1 + 2 * uniform(random)) : time;
}

/* Rounds of a machine that slows down by a tenth from the first to the last, on which `other` takes `ratio` as long. */
static void draw_rounds(struct sk_random *random, double ratio, double *base, double *other) {
  for (size_t i = 0; i < ROUNDS; i++) {
    const double drift = 1 + 0.1 * (double)i / ROUNDS;
    base[i] = drift * draw_time(random);
    other[i] = ratio * drift * draw_time(random);
  }
}

/* How often some verdict falls in TRIALS comparisons. */
static size_t count_verdicts(double ratio, enum sk_verdict verdict) {
  struct sk_random random = sk_random_start(1, "rounds");
  double base[ROUNDS], other[ROUNDS];
  size_t count = 0;
  for (size_t i = 0; i < TRIALS; i++) {
    draw_rounds(&random, ratio, base, other);
    const struct sk_comparison comparison = sk_comparison_paired(base, other, ROUNDS, i);
    count += sk_comparison_verdict(&comparison, 0) == verdict;
  }
  return count;
}

/* Even without a threshold no more than the 5% that either method allows. */
Test(comparison, equal_times_are_called_equal) {
  const size_t equal = count_verdicts(1, SK_VERDICT_EQUAL);
  cr_expect_geq(equal, TRIALS * 95 / 100, "%zu of %d", equal, TRIALS);
}

Test(comparison, a_tenth_is_found_through_drift_and_outliers) {
  const size_t slower = count_verdicts(1.1, SK_VERDICT_SLOWER);
  const size_t faster = count_verdicts(0.9, SK_VERDICT_FASTER);
  cr_expect_geq(slower, TRIALS * 95 / 100, "%zu of %d", slower, TRIALS);
  cr_expect_geq(faster, TRIALS * 95 / 100, "%zu of %d", faster, TRIALS);
}

/* The true median of the ratio is `ratio`, for numerator and denominator are alike. */
Test(comparison, intervals_hold_the_truth_as_often_as_they_say) {
  struct sk_random random = sk_random_start(2, "rounds");
  double base[ROUNDS], other[ROUNDS];
  size_t held = 0;
  for (size_t i = 0; i < TRIALS; i++) {
    draw_rounds(&random, 1.25, base, other);
    const struct sk_comparison comparison = sk_comparison_paired(base, other, ROUNDS, i);
    held += comparison.low <= 1.25 && comparison.high >= 1.25;
  }
  cr_expect(held >= TRIALS * 91 / 100 && held <= TRIALS * 99 / 100, "%zu of %d", held, TRIALS);
}

Test(comparison, unpaired_intervals_hold_the_truth_as_often_as_they_say) {
  struct sk_random random = sk_random_start(3, "runs");
  double base[ROUNDS], other[ROUNDS + 10];
  size_t held = 0;
  for (size_t i = 0; i < TRIALS; i++) {
    for (size_t j = 0; j < ROUNDS; j++) base[j] = draw_time(&random);
    for (size_t j = 0; j < ROUNDS + 10; j++) other[j] = 0.8 * draw_time(&random);
    const struct sk_comparison comparison = sk_comparison_unpaired(base, ROUNDS, other, ROUNDS + 10, i);
    held += comparison.low <= 0.8 && comparison.high >= 0.8;
  }
  cr_expect(held >= TRIALS * 91 / 100 && held <= TRIALS * 99 / 100, "%zu of %d", held, TRIALS);
}

Test(comparison, same_seed_same_interval) {
  struct sk_random random = sk_random_start(4, "rounds");
  double base[ROUNDS], other[ROUNDS];
  draw_rounds(&random, 1.1, base, other);
  const struct sk_comparison a = sk_comparison_paired(base, other, ROUNDS, 7);
  const struct sk_comparison b = sk_comparison_paired(base, other, ROUNDS, 7);
  cr_expect_eq(a.low, b.low);
  cr_expect_eq(a.high, b.high);
  cr_expect(a.low < a.ratio && a.ratio < a.high);
}

Test(comparison, times_against_themselves_are_equal) {
  const double times[] = {1, 2, 3, 4, 5, 6};
  const struct sk_comparison comparison = sk_comparison_paired(times, times, 6, 1);
  cr_expect_eq(comparison.ratio, 1);
  cr_expect_eq(comparison.low, 1);
  cr_expect_eq(comparison.high, 1);
  cr_expect_eq(comparison.p_value, 1);
}

/* ---- The U test ------------------------------------------------------------------------------------------------- */

static void expect_near(double value, double expected, const char *what) {
  cr_expect(fabs(value - expected) < 1e-6 * expected, "%s: %.9g, expected %.9g", what, value, expected);
}

/* U is 0, 17 and 3 here; the numbers of arrangements are small enough to count by hand, or in the tables. */
Test(mann_whitney, small_samples_are_exact) {
  const double low[] = {1, 2, 3}, high[] = {4, 5, 6};
  const double males[] = {19, 22, 16, 29, 24}, females[] = {20, 11, 17, 12};
  const double a[] = {1, 2, 3, 6}, b[] = {4, 5, 7, 8, 9};
  expect_near(sk_mann_whitney(low, 3, high, 3), 2.0 / 20, "all below: 2 of C(6,3)");
  expect_near(sk_mann_whitney(males, 5, females, 4), 2.0 * 7 / 126, "U = 3: 2 * (1+1+2+3) of C(9,4)");
  expect_near(sk_mann_whitney(a, 4, b, 5), 2.0 * 4 / 126, "U = 2: 2 * (1+1+2) of C(9,4)");
}

/* Ties: U = 2, mean 8, variance 16/12 * (9 - (3*6)/(8*7)) with three pairs of equal values; z = 5.5 / 3.4017. */
Test(mann_whitney, ties_are_corrected_for) {
  const double a[] = {1, 2, 2, 3}, b[] = {3, 4, 4, 5};
  const double variance = 16.0 / 12 * (9 - 18.0 / 56);
  const double u = 0.5;
  expect_near(sk_mann_whitney(a, 4, b, 4), erfc((8 - u - 0.5) / sqrt(2 * variance)), "three ties");
}

Test(mann_whitney, the_approximation_meets_the_exact_values) {
  double a[21], b[21];
  for (size_t i = 0; i < 21; i++) {
    a[i] = (double)i;
    b[i] = (double)i + 5.5;
  }
  const double exact = sk_mann_whitney(a, 20, b, 20), approximate = sk_mann_whitney(a, 21, b, 20);
  cr_expect(fabs(exact - approximate) < 0.02, "%g and %g", exact, approximate);
  cr_expect_eq(sk_mann_whitney(a, 20, b, 20), sk_mann_whitney(b, 20, a, 20));
}

Test(mann_whitney, equal_or_no_values_tell_nothing) {
  const double ones[] = {1, 1, 1};
  cr_expect_eq(sk_mann_whitney(ones, 3, ones, 3), 1);
  cr_expect_eq(sk_mann_whitney(ones, 0, ones, 3), 1);
}

/* ---- Verdicts --------------------------------------------------------------------------------------------------- */

static enum sk_verdict judge(double ratio, double low, double high, double p_value) {
  const struct sk_comparison comparison = {ratio, low, high, p_value};
  return sk_comparison_verdict(&comparison, 0.03);
}

Test(verdict, needs_interval_test_and_threshold) {
  cr_expect_eq(judge(1.10, 1.05, 1.15, 0.01), SK_VERDICT_SLOWER);
  cr_expect_eq(judge(0.90, 0.85, 0.95, 0.01), SK_VERDICT_FASTER);
  cr_expect_eq(judge(1.10, 0.99, 1.15, 0.01), SK_VERDICT_EQUAL, "the interval holds 1");
  cr_expect_eq(judge(1.10, 1.05, 1.15, 0.06), SK_VERDICT_EQUAL, "the test is not sure");
  cr_expect_eq(judge(1.02, 1.01, 1.03, 0.01), SK_VERDICT_EQUAL, "below the threshold");
  cr_expect_eq(judge(NAN, NAN, NAN, NAN), SK_VERDICT_EQUAL, "nothing known");
}
