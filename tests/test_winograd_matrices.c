/* Rational arithmetic, Winograd's matrices, and the bounds that follow from them. */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <string.h>

#include "reference/rational.h"
#include "reference/reference.h"
#include "reference/winograd.h"

enum { MAX = SK_REFERENCE_WINOGRAD_MAX_ALPHA };

static sk_reference_rational fraction(int64_t numerator, int64_t denominator) {
  return sk_reference_rational_make(numerator, denominator);
}

static void expect_fraction(sk_reference_rational actual, int64_t numerator, int64_t denominator) {
  cr_expect(actual.numerator == numerator && actual.denominator == denominator, "%lld/%lld, expected %lld/%lld",
            (long long)actual.numerator, (long long)actual.denominator, (long long)numerator, (long long)denominator);
}

/* ---- Rational arithmetic ----------------------------------------------------------------------------------- */

Test(rational, is_reduced_with_a_positive_denominator) {
  expect_fraction(fraction(6, 4), 3, 2);
  expect_fraction(fraction(6, -4), -3, 2);
  expect_fraction(fraction(-6, -4), 3, 2);
  expect_fraction(fraction(0, -7), 0, 1);
  expect_fraction(fraction(INT64_MIN, 2), INT64_MIN / 2, 1);
}

Test(rational, calculates) {
  expect_fraction(sk_reference_rational_add(fraction(1, 6), fraction(1, 10)), 4, 15);
  expect_fraction(sk_reference_rational_subtract(fraction(1, 6), fraction(1, 10)), 1, 15);
  expect_fraction(sk_reference_rational_multiply(fraction(-2, 3), fraction(9, 4)), -3, 2);
  expect_fraction(sk_reference_rational_divide(fraction(2, 3), fraction(-4, 9)), -3, 2);
}

Test(rational, compares) {
  cr_expect(sk_reference_rational_compare(fraction(1, 3), fraction(1, 2)) < 0);
  cr_expect(sk_reference_rational_compare(fraction(-1, 3), fraction(-1, 2)) > 0);
  cr_expect(sk_reference_rational_compare(fraction(2, 4), fraction(1, 2)) == 0);
}

Test(rational, rounds_to_double) {
  cr_expect(sk_reference_rational_to_double(fraction(-21, 4)) == -5.25);
  cr_expect(sk_reference_rational_to_double(fraction(1, 3)) == 1.0 / 3);
}

Test(rational, aborts_on_a_zero_denominator, .signal = SIGABRT) { fraction(1, 0); }

Test(rational, aborts_on_division_by_zero, .signal = SIGABRT) {
  sk_reference_rational_divide(fraction(1, 2), fraction(0, 1));
}

Test(rational, aborts_on_overflow_of_a_product, .signal = SIGABRT) {
  sk_reference_rational_multiply(fraction(INT64_MAX, 1), fraction(2, 1));
}

Test(rational, aborts_on_overflow_of_a_sum, .signal = SIGABRT) {
  sk_reference_rational_add(fraction(INT64_MAX, 1), fraction(1, 1));
}

Test(rational, aborts_on_overflow_of_a_negation, .signal = SIGABRT) { fraction(INT64_MIN, -1); }

/* ---- Matrices ---------------------------------------------------------------------------------------------- */

static sk_reference_winograd derive(const sk_reference_winograd_points *set) {
  return sk_reference_winograd_derive_set(set);
}

static const sk_reference_winograd_points *find_set(const char *name) {
  for (size_t s = 0; s < sk_reference_winograd_point_set_count; s++) {
    if (strcmp(sk_reference_winograd_point_sets[s].name, name) == 0) return &sk_reference_winograd_point_sets[s];
  }
  cr_assert_fail("no set %s", name);
  return NULL;
}

static void expect_matrix(const sk_reference_winograd_matrix actual, size_t rows, size_t columns,
                          const double *expected) {
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < columns; j++) {
      double value = sk_reference_rational_to_double(actual[i][j]);
      cr_expect(value == expected[i * columns + j], "[%zu][%zu]: %g, expected %g", i, j, value,
                expected[i * columns + j]);
    }
  }
}

/* Lavin and Gray's, but that theirs have the other sign in the first rows of G and B^T, and in the last row of B^T
 * and last column of A^T. */
Test(matrices, of_f2k3_follow_the_convention) {
  sk_reference_winograd winograd = derive(&sk_reference_winograd_point_sets[0]);
  cr_expect(winograd.outputs == 2 && winograd.taps == 3 && winograd.alpha == 4);
  expect_matrix(winograd.output, 2, 4, (double[]){1, 1, 1, 0, 0, 1, -1, 1});
  expect_matrix(winograd.filter, 4, 3, (double[]){-1, 0, 0, 0.5, 0.5, 0.5, 0.5, -0.5, 0.5, 0, 0, 1});
  expect_matrix(winograd.input, 4, 4, (double[]){-1, 0, 1, 0, 0, 1, 1, 0, 0, -1, 1, 0, 0, -1, 0, 1});
}

/* Lavin and Gray's to the letter. */
Test(matrices, of_f4k3_follow_the_convention) {
  sk_reference_winograd winograd = derive(&sk_reference_winograd_point_sets[1]);
  const double output[4 * 6] = {1, 1, 1,  1, 1,  0,             //
                                0, 1, -1, 2, -2, 0,             //
                                0, 1, 1,  4, 4,  0,             //
                                0, 1, -1, 8, -8, 1};            //
  const double filter[6 * 3] = {1 / 4.0,  0,         0,         //
                                -1 / 6.0, -1 / 6.0,  -1 / 6.0,  //
                                -1 / 6.0, 1 / 6.0,   -1 / 6.0,  //
                                1 / 24.0, 1 / 12.0,  1 / 6.0,   //
                                1 / 24.0, -1 / 12.0, 1 / 6.0,   //
                                0,        0,         1};        //
  const double input[6 * 6] = {4, 0,  -5, 0,  1, 0,             //
                               0, -4, -4, 1,  1, 0,             //
                               0, 4,  -4, -1, 1, 0,             //
                               0, -2, -1, 2,  1, 0,             //
                               0, 2,  -1, -2, 1, 0,             //
                               0, 4,  0,  -5, 0, 1};            //
  expect_matrix(winograd.output, 4, 6, output);
  expect_matrix(winograd.filter, 6, 3, filter);
  expect_matrix(winograd.input, 6, 6, input);
}

/* F(2,2) with 1 -1 over columns 0, 2 and 4, and the odd elements. */
Test(matrices, with_stride_2_follow_the_convention) {
  sk_reference_winograd winograd = sk_reference_winograd_derive_strided(2, (sk_reference_rational[]){{1, 1}, {-1, 1}});
  cr_expect(winograd.outputs == 2 && winograd.taps == 3 && winograd.stride == 2 && winograd.alpha == 5);
  const double output[2 * 5] = {1, 1,  0, 1, 0,   //
                                1, -1, 1, 0, 1};  //
  const double filter[5 * 3] = {0.5,  0, 0.5,     //
                                -0.5, 0, 0.5,     //
                                0,    0, 1,       //
                                0,    1, 0,       //
                                0,    1, 0};      //
  const double input[5 * 5] = {1,  0, 1, 0, 0,    //
                               -1, 0, 1, 0, 0,    //
                               -1, 0, 0, 0, 1,    //
                               0,  1, 0, 0, 0,    //
                               0,  0, 0, 1, 0};   //
  expect_matrix(winograd.output, 2, 5, output);
  expect_matrix(winograd.filter, 5, 3, filter);
  expect_matrix(winograd.input, 5, 5, input);
}

Test(matrices, of_every_point_set_are_exact) {
  cr_assert(sk_reference_winograd_point_set_count >= 5);
  for (size_t s = 0; s < sk_reference_winograd_point_set_count; s++) {
    sk_reference_winograd winograd = derive(&sk_reference_winograd_point_sets[s]);
    cr_expect(sk_reference_winograd_is_exact(&winograd), "%s", sk_reference_winograd_point_sets[s].name);
  }
}

Test(matrices, of_other_sizes_are_exact) {
  const sk_reference_rational points[4] = {{0, 1}, {1, 1}, {-1, 1}, {1, 2}};
  for (size_t outputs = 1; outputs <= 4; outputs++) {
    for (size_t taps = 1; taps <= 4; taps++) {
      if (outputs + taps < 3 || outputs + taps > 6) continue;
      sk_reference_winograd winograd = sk_reference_winograd_derive(outputs, taps, points);
      cr_expect(sk_reference_winograd_is_exact(&winograd), "F(%zu,%zu)", outputs, taps);
    }
  }
}

Test(matrices, of_other_sizes_with_stride_2_are_exact) {
  const sk_reference_rational points[4] = {{0, 1}, {1, 1}, {-1, 3}, {1, 2}};
  for (size_t outputs = 1; outputs <= 4; outputs++) {
    sk_reference_winograd winograd = sk_reference_winograd_derive_strided(outputs, points);
    cr_expect(winograd.alpha == 2 * outputs + 1 && sk_reference_winograd_is_exact(&winograd), "F(%zu,3)", outputs);
  }
}

/* Exactness is that of the stride, not of any. */
Test(matrices, of_one_stride_are_not_exact_for_another) {
  sk_reference_winograd winograd = derive(find_set("F(2,3) stride 2 1/2 -1/2"));
  winograd.stride = 1;
  cr_expect(!sk_reference_winograd_is_exact(&winograd));
}

/* Where row j of a trimmed G stands in the whole one: finite points, infinity, odd elements. */
static size_t whole_row(const sk_reference_winograd *whole, const sk_reference_winograd *trimmed, size_t j) {
  const size_t left_out = whole->outputs - trimmed->outputs;
  const size_t finite = whole->stride == 2 ? trimmed->outputs : trimmed->alpha - 1;
  return j < finite ? j : j + left_out;
}

/* All of them, at each size: the kernels' are among the sets. */
Test(matrices, trimmed_are_exact_with_the_same_filters) {
  for (size_t s = 0; s < sk_reference_winograd_point_set_count; s++) {
    const sk_reference_winograd whole = derive(&sk_reference_winograd_point_sets[s]);
    for (size_t outputs = 1; outputs <= whole.outputs; outputs++) {
      const sk_reference_winograd w = sk_reference_winograd_trim(&whole, outputs);
      cr_expect(w.outputs == outputs && w.alpha == whole.stride * (outputs - 1) + 3, "%zu outputs", outputs);
      cr_expect(sk_reference_winograd_is_exact(&w), "%s to %zu", sk_reference_winograd_point_sets[s].name, outputs);
      for (size_t j = 0; j < w.alpha; j++) {
        const size_t row = whole_row(&whole, &w, j);
        cr_expect(memcmp(w.filter[j], whole.filter[row], sizeof w.filter[j]) == 0, "row %zu", j);
      }
    }
  }
}

/* F(4,3) with 0 1 -1 2 -2 to two outputs: F(2,3)'s B^T of 0 1 -1, times (0 - 2)(0 + 2), (1 - 2)(1 + 2) twice, and 1. */
Test(matrices, trimmed_to_two_outputs_are_those_of_f2k3_but_for_factors) {
  const sk_reference_winograd whole = derive(&sk_reference_winograd_point_sets[1]);
  const sk_reference_winograd w = sk_reference_winograd_trim(&whole, 2);
  expect_matrix(w.output, 2, 4, (double[]){1, 1, 1, 0, 0, 1, -1, 1});
  expect_matrix(w.input, 4, 4, (double[]){4, 0, -4, 0, 0, -3, -3, 0, 0, 3, -3, 0, 0, -1, 0, 1});
}

Test(matrices, trimmed_have_no_more_outputs, .signal = SIGABRT) {
  const sk_reference_winograd whole = derive(&sk_reference_winograd_point_sets[0]);
  sk_reference_winograd_trim(&whole, 3);
}

/* Negate each element in turn: the check must notice every one that is not zero. */
static void expect_each_sign_noticed(sk_reference_winograd *winograd, sk_reference_winograd_matrix matrix, size_t rows,
                                     size_t columns, const char *name) {
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < columns; j++) {
      if (matrix[i][j].numerator == 0) continue;
      matrix[i][j].numerator = -matrix[i][j].numerator;
      cr_expect(!sk_reference_winograd_is_exact(winograd), "%s[%zu][%zu]", name, i, j);
      matrix[i][j].numerator = -matrix[i][j].numerator;
    }
  }
}

Test(matrices, with_one_wrong_sign_are_not_exact) {
  for (size_t s = 0; s < sk_reference_winograd_point_set_count; s++) {
    sk_reference_winograd winograd = derive(&sk_reference_winograd_point_sets[s]);
    expect_each_sign_noticed(&winograd, winograd.output, winograd.outputs, winograd.alpha, "A^T");
    expect_each_sign_noticed(&winograd, winograd.filter, winograd.alpha, winograd.taps, "G");
    expect_each_sign_noticed(&winograd, winograd.input, winograd.alpha, winograd.alpha, "B^T");
    cr_expect(sk_reference_winograd_is_exact(&winograd), "restored");
  }
}

Test(matrices, need_distinct_points, .signal = SIGABRT) {
  sk_reference_winograd_derive(2, 3, (sk_reference_rational[]){{0, 1}, {1, 1}, {1, 1}});
}

Test(matrices, have_a_largest_size, .signal = SIGABRT) {
  sk_reference_winograd_derive(8, 3, (sk_reference_rational[9]){{0, 1}});
}

Test(matrices, with_stride_2_have_a_largest_size, .signal = SIGABRT) {
  sk_reference_winograd_derive_strided(5, (sk_reference_rational[5]){{0, 1}});
}

Test(matrices, need_outputs, .signal = SIGABRT) { sk_reference_winograd_derive_strided(0, NULL); }

/* ---- Transforms -------------------------------------------------------------------------------------------- */

/* Small integers without a pattern that a transform could hide. */
static double sample(size_t i) { return (double)((i * 37 + 11) % 23) - 11; }

static void fill(double *x, size_t count, size_t offset) {
  for (size_t i = 0; i < count; i++) x[i] = sample(i + offset);
}

Test(transforms, correlate_in_one_dimension) {
  for (size_t s = 0; s < sk_reference_winograd_point_set_count; s++) {
    sk_reference_winograd w = derive(&sk_reference_winograd_point_sets[s]);
    double d[MAX], g[MAX], v[MAX], u[MAX], p[MAX], y[MAX];
    fill(d, w.alpha, 0);
    fill(g, w.taps, 5);
    sk_reference_winograd_input_1d(&w, d, v);
    sk_reference_winograd_filter_1d(&w, g, u);
    for (size_t j = 0; j < w.alpha; j++) p[j] = u[j] * v[j];
    sk_reference_winograd_output_1d(&w, p, y);
    for (size_t i = 0; i < w.outputs; i++) {
      const double *x = d + w.stride * i;
      double expected = g[0] * x[0] + g[1] * x[1] + g[2] * x[2];
      cr_expect(fabs(y[i] - expected) < 1e-10, "%s [%zu]: %g, expected %g", sk_reference_winograd_point_sets[s].name, i,
                y[i], expected);
    }
  }
}

static sk_conv_shape tile_shape(const sk_reference_winograd *w, size_t channels) {
  return (sk_conv_shape){.batch = 1,
                         .in_channels = channels,
                         .in_height = w->alpha,
                         .in_width = w->alpha,
                         .out_channels = 1,
                         .kernel_height = w->taps,
                         .kernel_width = w->taps,
                         .stride_height = w->stride,
                         .stride_width = w->stride,
                         .dilation_height = 1,
                         .dilation_width = 1,
                         .groups = 1};
}

Test(transforms, correlate_in_two_dimensions) {
  for (size_t s = 0; s < sk_reference_winograd_point_set_count; s++) {
    sk_reference_winograd w = derive(&sk_reference_winograd_point_sets[s]);
    double d[MAX * MAX], g[MAX * MAX], v[MAX * MAX], u[MAX * MAX], p[MAX * MAX], y[MAX * MAX], expected[MAX * MAX];
    fill(d, w.alpha * w.alpha, 0);
    fill(g, w.taps * w.taps, 5);
    sk_reference_winograd_input_2d(&w, &w, d, v);
    sk_reference_winograd_filter_2d(&w, &w, g, u);
    for (size_t j = 0; j < w.alpha * w.alpha; j++) p[j] = u[j] * v[j];
    sk_reference_winograd_output_2d(&w, &w, p, y);
    sk_conv_shape shape = tile_shape(&w, 1);
    sk_reference_conv(&shape, d, g, NULL, expected, NULL);
    for (size_t i = 0; i < w.outputs * w.outputs; i++) {
      cr_expect(fabs(y[i] - expected[i]) < 1e-9, "%s [%zu]: %g, expected %g", sk_reference_winograd_point_sets[s].name,
                i, y[i], expected[i]);
    }
  }
}

/* Down the columns whole, along the rows trimmed, and the other way: a tile in the last column, and in the last row. */
static void expect_trimmed_dimensions_correlate(const char *set) {
  const sk_reference_winograd whole = derive(find_set(set));
  for (size_t outputs = 1; outputs < whole.outputs; outputs++) {
    const sk_reference_winograd trimmed = sk_reference_winograd_trim(&whole, outputs);
    for (int turned = 0; turned < 2; turned++) {
      const sk_reference_winograd *down = turned ? &trimmed : &whole, *along = turned ? &whole : &trimmed;
      double d[MAX * MAX], g[9], v[MAX * MAX], u[MAX * MAX], p[MAX * MAX], y[MAX * MAX], expected[MAX * MAX];
      fill(d, down->alpha * along->alpha, 0);
      fill(g, 9, 5);
      sk_reference_winograd_input_2d(down, along, d, v);
      sk_reference_winograd_filter_2d(down, along, g, u);
      for (size_t j = 0; j < down->alpha * along->alpha; j++) p[j] = u[j] * v[j];
      sk_reference_winograd_output_2d(down, along, p, y);
      sk_conv_shape shape = tile_shape(&whole, 1);
      shape.in_height = down->alpha;
      shape.in_width = along->alpha;
      sk_reference_conv(&shape, d, g, NULL, expected, NULL);
      for (size_t i = 0; i < down->outputs * along->outputs; i++) {
        cr_expect(fabs(y[i] - expected[i]) < 1e-9, "%zu outputs, [%zu]: %g, expected %g", outputs, i, y[i],
                  expected[i]);
      }
    }
  }
}

Test(transforms, of_a_trimmed_dimension_correlate) {
  expect_trimmed_dimensions_correlate("F(4,3) 0 2/3 -2/3 3/2 -3/2");
  expect_trimmed_dimensions_correlate("F(4,3) stride 2 3/8 -3/8 5/4 -5/4");
}

/* ---- Bounds ------------------------------------------------------------------------------------------------ */

/* F(2,3): row 0 of A^T has three columns of 1; rows of |G| sum to 1, 3/2, 3/2, 1; rows of |B^T| to 2 each.
 * Hence 2*(1 + 3/2 + 3/2) = 8 for output 0 and 2*(3/2 + 3/2 + 1) = 8 for output 1. */
Test(bounds, amplification_of_f2k3_is_8) {
  sk_reference_winograd winograd = derive(&sk_reference_winograd_point_sets[0]);
  cr_expect(sk_reference_winograd_amplification(&winograd) == 8);
}

/* F(4,3) with 0 1 -1 2 -2: products of row sums are 10/4, 10/2, 10/2, 6*7/24, 6*7/24, 10; the last output gives
 * 5 + 5 + 8*(7/4) + 8*(7/4) + 10 = 48. */
Test(bounds, amplification_of_f4k3_is_48) {
  sk_reference_winograd winograd = derive(&sk_reference_winograd_point_sets[1]);
  double amplification = sk_reference_winograd_amplification(&winograd);
  cr_expect(fabs(amplification - 48) < 1e-12, "%.17g", amplification);
}

/* F(2,3) with stride 2 and points 1 -1: products of row sums are 2, 2, 2, 1, 1. Output 1 has the signs' absolute
 * values, infinity and an odd element: 2 + 2 + 2 + 1 = 7. */
Test(bounds, amplification_of_f2k3_with_stride_2_is_7) {
  sk_reference_winograd winograd = derive(find_set("F(2,3) stride 2 1 -1"));
  cr_expect(sk_reference_winograd_amplification(&winograd) == 7);
}

/* All ones meet the amplification, squared, at some output of each tile; a bias comes on top. */
Test(bounds, magnitude_of_ones_is_the_amplification) {
  for (size_t s = 0; s < sk_reference_winograd_point_set_count; s++) {
    sk_reference_winograd w = derive(&sk_reference_winograd_point_sets[s]);
    double d[2 * MAX * MAX], g[2 * MAX * MAX], magnitude[MAX * MAX];
    for (size_t i = 0; i < 2 * MAX * MAX; i++) d[i] = g[i] = i % 2 ? 1 : -1;
    sk_conv_shape shape = tile_shape(&w, 2);
    sk_reference_winograd_magnitude(&w, &shape, d, g, (double[]){-3}, magnitude);
    double max = 0;
    for (size_t i = 0; i < w.outputs * w.outputs; i++) max = fmax(max, magnitude[i]);
    double amplification = sk_reference_winograd_amplification(&w);
    double expected = 2 * amplification * amplification + 3;
    cr_expect(fabs(max / expected - 1) < 1e-14, "%s: %g, expected %g", sk_reference_winograd_point_sets[s].name, max,
              expected);
  }
}

/* An impulse in the second tile of two, in the second image, outside the windows of some of that tile's outputs:
 * those have no magnitude in direct convolution, but have one here; the first tile and the first image have none.
 * F(2,3) on 1 x 3 outputs, padded by one: input column 2 lies in the windows of outputs 1 and 2, and in both tiles'
 * inputs; column 2 is padded column 3. */
Test(bounds, magnitude_is_that_of_the_tile) {
  sk_reference_winograd w = derive(&sk_reference_winograd_point_sets[0]);
  sk_conv_shape shape = tile_shape(&w, 1);
  shape.batch = 2;
  shape.in_height = 1;
  shape.in_width = 3;
  shape.pad_top = shape.pad_bottom = shape.pad_left = shape.pad_right = 1;
  const double x[6] = {0, 0, 0, 0, 0, -1};
  const double weights[9] = {0, 0, 0, 0, 0, 1, 0, 0, 0}; /* row 1, column 2 */
  double magnitude[6];
  sk_reference_winograd_magnitude(&w, &shape, x, weights, NULL, magnitude);

  /* By columns: |G| of tap 2 is (0, 1/2, 1/2, 1). Padded column 3 is place 3 of tile 0 and place 1 of tile 1, where
   * |B^T| is (0, 0, 0, 1) and (0, 1, 1, 1). |A^T| of their products: (0, 1) and (1, ...).
   * By rows: |G| of tap 1 is (0, 1/2, 1/2, 0), padded row 1 is place 1: (0, 1, 1, 1); |A^T| gives 1 in row 0. */
  const double expected[6] = {0, 0, 0, 0, 1, 1};
  for (size_t i = 0; i < 6; i++) {
    cr_expect(magnitude[i] == expected[i], "[%zu]: %g, expected %g", i, magnitude[i], expected[i]);
  }
}

/* With stride 2: an impulse in the last row and column of 1 x 3 outputs' input, which the second tile sees alone.
 * F(2,3) with points 1 -1 on 3 x 7 inputs: column 6 is place 2 of the tile that starts at column 4, and beyond the
 * first one, which ends at column 4. |B^T| of place 2 is (1, 1, 0, 0, 0) by columns, |G| of tap 2 (1/2, 1/2, 1, 0, 0):
 * their products (1/2, 1/2, 0, 0, 0), and |A^T| of those 1 in either output, of which one exists. Likewise by rows for
 * row 2 and tap 2. */
Test(bounds, magnitude_with_stride_2_is_that_of_the_tile) {
  sk_reference_winograd w = derive(find_set("F(2,3) stride 2 1 -1"));
  sk_conv_shape shape = tile_shape(&w, 1);
  shape.in_height = 3;
  shape.in_width = 7;
  double x[21] = {0};
  x[20] = -1;
  const double weights[9] = {0, 0, 0, 0, 0, 0, 0, 0, -1}; /* row 2, column 2 */
  double magnitude[3];
  sk_reference_winograd_magnitude(&w, &shape, x, weights, NULL, magnitude);
  cr_expect(magnitude[0] == 0 && magnitude[1] == 0 && magnitude[2] == 1, "%g %g %g", magnitude[0], magnitude[1],
            magnitude[2]);
}

/* Two channels and two outputs against one of each at a time. */
Test(bounds, magnitude_sums_over_channels) {
  sk_reference_winograd w = derive(&sk_reference_winograd_point_sets[0]);
  double x[2 * 16], weights[2 * 2 * 9], both[2 * 4];
  fill(x, 2 * 16, 0);
  fill(weights, 2 * 2 * 9, 7);
  sk_conv_shape shape = tile_shape(&w, 2);
  shape.out_channels = 2;
  sk_reference_winograd_magnitude(&w, &shape, x, weights, NULL, both);

  sk_conv_shape one = tile_shape(&w, 1);
  for (size_t k = 0; k < 2; k++) {
    double first[4], second[4];
    sk_reference_winograd_magnitude(&w, &one, x, weights + (2 * k) * 9, NULL, first);
    sk_reference_winograd_magnitude(&w, &one, x + 16, weights + (2 * k + 1) * 9, NULL, second);
    for (size_t i = 0; i < 4; i++) {
      double expected = first[i] + second[i];
      cr_expect(fabs(both[k * 4 + i] - expected) < 1e-10, "[%zu][%zu]: %g, expected %g", k, i, both[k * 4 + i],
                expected);
    }
  }
}

/* No set's magnitude is below that of direct convolution: it has the same terms, and more. */
Test(bounds, magnitude_is_no_less_than_that_of_direct_convolution) {
  for (size_t s = 0; s < sk_reference_winograd_point_set_count; s++) {
    sk_reference_winograd w = derive(&sk_reference_winograd_point_sets[s]);
    sk_conv_shape shape = tile_shape(&w, 2);
    shape.in_height = shape.in_width = 2 * w.alpha; /* some tiles, the last ones not full */
    shape.pad_left = shape.pad_bottom = 1;
    double x[2 * 4 * MAX * MAX], weights[18], y[4 * MAX * MAX], direct[4 * MAX * MAX], magnitude[4 * MAX * MAX];
    fill(x, 2 * shape.in_height * shape.in_width, 0);
    fill(weights, 18, 7);
    size_t height, width;
    sk_reference_conv_output_size(&shape, &height, &width);
    cr_assert(height * width <= 4 * MAX * MAX);
    sk_reference_conv(&shape, x, weights, NULL, y, direct);
    sk_reference_winograd_magnitude(&w, &shape, x, weights, NULL, magnitude);
    for (size_t i = 0; i < height * width; i++) {
      cr_expect(magnitude[i] >= direct[i] * (1 - 1e-14), "%s [%zu]: %g, direct %g",
                sk_reference_winograd_point_sets[s].name, i, magnitude[i], direct[i]);
    }
  }
}

/* The point of the tile's magnitude: the sum of |w| |x| is zero where the error is not. */
Test(bounds, magnitude_covers_inputs_that_cancel) {
  sk_reference_winograd w = derive(&sk_reference_winograd_point_sets[1]);
  sk_conv_shape shape = tile_shape(&w, 1);
  double d[36] = {0}, g[9], direct[16], y[16], winograd[16];
  d[35] = 1; /* seen by the last output alone */
  fill(g, 9, 3);
  sk_reference_conv(&shape, d, g, NULL, y, direct);
  sk_reference_winograd_magnitude(&w, &shape, d, g, NULL, winograd);
  cr_expect(direct[15] > 0 && winograd[15] >= direct[15]);

  d[35] = 0;
  d[7] = 1; /* row 1, column 1: outputs 0 and 1 of either dimension */
  sk_reference_conv(&shape, d, g, NULL, y, direct);
  sk_reference_winograd_magnitude(&w, &shape, d, g, NULL, winograd);
  for (size_t i = 0; i < 16; i++) cr_expect(winograd[i] >= direct[i], "[%zu]", i);
  cr_expect(direct[15] == 0 && winograd[15] > 0);
}
