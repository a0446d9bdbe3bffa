/* Errors as histograms: ULP distances over signs, infinities, NaN and denormals, the ends of every bin, and the
 * figures. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>

#include "bench/verify_statistics.h"

static const float smallest = 0x1p-149F, largest_denormal = 0x1p-126F - 0x1p-149F;

/* ---- ULP distance ---- */

static void expect_distance(float a, float b, uint32_t wanted) {
  cr_expect_eq(sk_ulp_distance(a, b), wanted, "%a to %a is %u, expected %u", (double)a, (double)b,
               sk_ulp_distance(a, b), wanted);
  cr_expect_eq(sk_ulp_distance(b, a), wanted, "%a to %a is not as far as back", (double)b, (double)a);
}

Test(verify_statistics, neighbours_are_one_ulp_apart) {
  expect_distance(1, 1, 0);
  expect_distance(1, nextafterf(1, 2), 1);
  expect_distance(1, nextafterf(1, 0), 1); /* over a power of two, where the steps change */
  expect_distance(-1, nextafterf(-1, -2), 1);
  expect_distance(1, 2, 1U << 23);
}

Test(verify_statistics, distance_counts_over_zero) {
  expect_distance(0, -0.0F, 0);
  expect_distance(smallest, 0, 1);
  expect_distance(smallest, -0.0F, 1);
  expect_distance(smallest, -smallest, 2);
  expect_distance(-3 * smallest, 4 * smallest, 7);
  expect_distance(1, -1, 2 * 0x3f800000U);
}

Test(verify_statistics, denormals_are_floats_like_others) {
  expect_distance(largest_denormal, FLT_MIN, 1);
  expect_distance(largest_denormal, 0, 0x7fffff);
  expect_distance(5 * smallest, 8 * smallest, 3);
}

Test(verify_statistics, infinity_is_next_to_the_largest) {
  expect_distance(FLT_MAX, INFINITY, 1);
  expect_distance(-FLT_MAX, -INFINITY, 1);
  expect_distance(INFINITY, INFINITY, 0);
  expect_distance(-INFINITY, INFINITY, 0xff000000U);
}

Test(verify_statistics, nan_is_far_from_all_but_nan) {
  expect_distance(NAN, NAN, 0);
  expect_distance(NAN, -NAN, 0);
  expect_distance(NAN, 1, UINT32_MAX);
  expect_distance(NAN, -INFINITY, UINT32_MAX);
}

/* ---- Bins ---- */

Test(verify_statistics, ulp_bins_end_at_powers_of_two) {
  static const struct {
    uint32_t distance;
    size_t bin;
  } wanted[] = {
      {0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 3}, {5, 4}, {8, 4}, {9, 5}, {16, 5}, {17, 6}, {UINT32_MAX, SK_ULP_BINS - 1}};
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
    cr_expect_eq(sk_ulp_bin(wanted[i].distance), wanted[i].bin, "%u in bin %zu", wanted[i].distance,
                 sk_ulp_bin(wanted[i].distance));
  }
  for (size_t bin = 0; bin + 1 < SK_ULP_BINS; bin++) {
    cr_expect_eq(sk_ulp_bin(sk_ulp_bin_end(bin)), bin);
    cr_expect_eq(sk_ulp_bin(sk_ulp_bin_end(bin) + 1), bin + 1);
  }
}

Test(verify_statistics, relative_bins_are_decades) {
  cr_expect_eq(sk_relative_bin(0), 0);
  cr_expect_eq(sk_relative_bin(1e-300), 1);
  cr_expect_eq(sk_relative_bin(INFINITY), SK_RELATIVE_BINS - 1);
  for (size_t bin = 1; bin + 1 < SK_RELATIVE_BINS; bin++) {
    const double end = sk_relative_bin_end(bin);
    cr_expect_eq(sk_relative_bin(nextafter(end, 0)), bin, "just below %g", end);
    cr_expect_eq(sk_relative_bin(end), bin + 1, "at %g", end);
  }
}

/* ---- Figures ---- */

Test(verify_statistics, figures_of_known_errors) {
  struct sk_error_statistics s = {0};
  sk_error_statistics_add(&s, 3, 3, 1);               /* exact */
  sk_error_statistics_add(&s, 4, 4.5, 1);             /* half of the bound, from below */
  sk_error_statistics_add(&s, -2, -2 + 0x1p-22, 0.5); /* one place off */
  cr_expect_eq(s.values, 3);
  cr_expect_eq(s.worst_fraction, 0.5);
  cr_expect_eq(s.worst_absolute, 0.5);
  cr_expect_float_eq(s.worst_relative, 0.5 / 4.5, 1e-15);
  cr_expect_float_eq(sk_root_mean_square(s.sum_fraction, s.values), sqrt(0.25 / 3), 1e-12);
  cr_expect_float_eq(sk_error_l2(&s), sqrt(0.25 / (9 + 4.5 * 4.5 + 4)), 1e-7);
  cr_expect_eq(sk_error_margin(&s), 2);
  cr_expect_eq(s.worst_ulp, 1U << 20);
  cr_expect_eq(s.ulp[0], 1);
  cr_expect_eq(s.ulp[sk_ulp_bin(2)], 1);
  cr_expect_eq(s.ulp[sk_ulp_bin(1U << 20)], 1);
  cr_expect_eq(s.relative[0], 1);
  cr_expect_eq(s.relative[sk_relative_bin(1.5e-7)], 1);
  cr_expect_eq(s.relative[sk_relative_bin(0.11)], 1);
}

Test(verify_statistics, a_value_off_from_zero_counts_and_has_no_relative_error) {
  struct sk_error_statistics s = {0};
  sk_error_statistics_add(&s, -smallest, 0, 1);
  cr_expect_eq(s.values, 1);
  cr_expect_eq(s.worst_relative, 0);
  cr_expect_eq(s.relative[SK_RELATIVE_BINS - 1], 1);
  cr_expect_eq(s.ulp[1], 1);
}

Test(verify_statistics, exact_results_and_zeros_are_counted_apart) {
  struct sk_error_statistics s = {0};
  sk_error_statistics_add(&s, 7, 7, 0);
  sk_error_statistics_add(&s, 0, 0, 1);
  sk_error_statistics_add(&s, -0.0F, 0, 1);
  cr_expect_eq(s.must_be_exact, 1);
  cr_expect_eq(s.zeros, 2);
  cr_expect_eq(s.values, 0);
  cr_expect_eq(sk_error_l2(&s), 0);
  cr_expect_eq(sk_root_mean_square(s.sum_fraction, s.values), 0);
  cr_expect(isinf(sk_error_margin(&s)));
}

Test(verify_statistics, merged_is_as_added_to_one) {
  struct sk_error_statistics one = {0}, parts[2] = {{0}, {0}};
  for (int i = 0; i < 100; i++) {
    const double exact = (i - 50) * 0.37;
    const float value = (float)exact + (float)(i % 7) * 0x1p-20F;
    const double bound = i % 10 == 0 ? 0 : 0x1p-16;
    sk_error_statistics_add(&one, value, exact, bound);
    sk_error_statistics_add(&parts[i % 2], value, exact, bound);
  }
  sk_error_statistics_merge(&parts[0], &parts[1]);
  cr_expect_eq(parts[0].values, one.values);
  cr_expect_eq(parts[0].must_be_exact, one.must_be_exact);
  cr_expect_eq(parts[0].zeros, one.zeros);
  cr_expect_eq(parts[0].worst_fraction, one.worst_fraction);
  cr_expect_eq(parts[0].worst_absolute, one.worst_absolute);
  cr_expect_eq(parts[0].worst_relative, one.worst_relative);
  cr_expect_eq(parts[0].worst_ulp, one.worst_ulp);
  cr_expect_float_eq(parts[0].sum_fraction / one.sum_fraction, 1, 1e-12);
  cr_expect_float_eq(parts[0].sum_absolute / one.sum_absolute, 1, 1e-12);
  cr_expect_float_eq(parts[0].sum_relative / one.sum_relative, 1, 1e-12);
  cr_expect_float_eq(parts[0].sum_exact / one.sum_exact, 1, 1e-12);
  cr_expect_arr_eq(parts[0].ulp, one.ulp, sizeof one.ulp);
  cr_expect_arr_eq(parts[0].relative, one.relative, sizeof one.relative);
}
