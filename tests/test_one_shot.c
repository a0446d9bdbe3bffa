/* One-shot calls: the values of the reference, the bits of the plans, and what they refuse. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reference/reference.h"
#include "skiplane.h"

enum { BATCH = 2, CHANNELS = 19, HEIGHT = 7, WIDTH = 9, ELEMENTS = BATCH * CHANNELS * HEIGHT * WIDTH };

/* Small integers over 8, whose sums are exact; from a seed. */
static void fill(float *x, size_t count, unsigned seed) {
  for (size_t i = 0; i < count; i++) {
    seed = seed * 1664525U + 1013904223U;
    x[i] = (float)(seed >> 27) / 8 - 2;
  }
}

static void widen(const float *x, size_t count, double *wide) {
  for (size_t i = 0; i < count; i++) wide[i] = (double)x[i];
}

static void expect_close(const float *y, const double *expected, size_t count, double tolerance, const char *what) {
  for (size_t i = 0; i < count; i++) {
    cr_assert(fabs((double)y[i] - expected[i]) <= tolerance, "%s: element %zu is %.9g, expected %.9g", what, i,
              (double)y[i], expected[i]);
  }
}

static float x[ELEMENTS], other[ELEMENTS], y[ELEMENTS];
static double wide_x[ELEMENTS], wide_other[ELEMENTS], expected[ELEMENTS];

static void fill_inputs(void) {
  fill(x, ELEMENTS, 1);
  fill(other, ELEMENTS, 2);
  widen(x, ELEMENTS, wide_x);
  widen(other, ELEMENTS, wide_other);
  memset(y, 0xFF, sizeof y);
}

/* ---- Elementwise -------------------------------------------------------------------------------------------- */

Test(one_shot, relu_and_add_take_arrays_of_any_length, .init = fill_inputs) {
  const size_t counts[] = {1, 15, 16, 17, ELEMENTS};
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
    cr_assert_eq(sk_relu_f32(counts[i], x, y, NULL), SK_OK, "%s", sk_error_message());
    sk_reference_relu(counts[i], wide_x, expected);
    expect_close(y, expected, counts[i], 0, "relu");
    for (int relu = 0; relu < 2; relu++) {
      cr_assert_eq(sk_add_f32(counts[i], x, other, relu, y, NULL), SK_OK, "%s", sk_error_message());
      for (size_t k = 0; k < counts[i]; k++) expected[k] = wide_x[k] + wide_other[k];
      if (relu) sk_reference_relu(counts[i], expected, expected);
      expect_close(y, expected, counts[i], 0, "add");
    }
  }
}

/* More elements than one piece has. */
Test(one_shot, relu_of_a_long_array) {
  const size_t count = 3 * 4096 + 5;
  float *const long_x = calloc(count + 1, sizeof *long_x), *const long_y = calloc(count + 1, sizeof *long_y);
  fill(long_x, count, 3);
  long_y[count] = 7;
  const sk_call_options options = {.threads = 2};
  cr_assert_eq(sk_relu_f32(count, long_x, long_y, &options), SK_OK);
  for (size_t i = 0; i < count; i++) cr_assert_eq(long_y[i], long_x[i] < 0 ? 0 : long_x[i]);
  cr_expect_eq(long_y[count], 7, "wrote behind the array");
  free(long_x);
  free(long_y);
}

Test(one_shot, batch_norm, .init = fill_inputs) {
  float gamma[CHANNELS], beta[CHANNELS], mean[CHANNELS], variance[CHANNELS];
  double wide[4][CHANNELS];
  fill(gamma, CHANNELS, 4);
  fill(beta, CHANNELS, 5);
  fill(mean, CHANNELS, 6);
  for (size_t c = 0; c < CHANNELS; c++) variance[c] = 0.5F + (float)c;
  const float *const narrow[] = {gamma, beta, mean, variance};
  for (size_t i = 0; i < 4; i++) widen(narrow[i], CHANNELS, wide[i]);
  sk_reference_batch_norm(BATCH, CHANNELS, HEIGHT * WIDTH, wide_x, wide[0], wide[1], wide[2], wide[3], 1e-3, expected);
  cr_assert_eq(sk_batch_norm_f32(BATCH, CHANNELS, HEIGHT, WIDTH, x, gamma, beta, mean, variance, 1e-3, y, NULL), SK_OK);
  expect_close(y, expected, ELEMENTS, 1e-5, "batch norm");

  for (size_t c = 0; c < CHANNELS; c++) {
    wide[0][c] = 1;
    wide[1][c] = 0;
  }
  sk_reference_batch_norm(BATCH, CHANNELS, HEIGHT * WIDTH, wide_x, wide[0], wide[1], wide[2], wide[3], 1e-5, expected);
  cr_assert_eq(sk_batch_norm_f32(BATCH, CHANNELS, HEIGHT, WIDTH, x, NULL, NULL, mean, variance, 1e-5, y, NULL), SK_OK);
  expect_close(y, expected, ELEMENTS, 1e-5, "batch norm without gamma and beta");
}

/* ---- Pools -------------------------------------------------------------------------------------------------- */

static const sk_pool2d_shape pool = {.batch = BATCH,
                                     .channels = CHANNELS,
                                     .in_height = HEIGHT,
                                     .in_width = WIDTH,
                                     .kernel_height = 3,
                                     .kernel_width = 2,
                                     .stride_height = 2,
                                     .stride_width = 1,
                                     .dilation_height = 1,
                                     .dilation_width = 1,
                                     .pad_top = 1,
                                     .pad_bottom = 1,
                                     .pad_left = 1,
                                     .pad_right = 1,
                                     .count_include_pad = true};

Test(one_shot, pools, .init = fill_inputs) {
  const sk_reference_pool_shape reference = {.batch = BATCH,
                                             .channels = CHANNELS,
                                             .height = HEIGHT,
                                             .width = WIDTH,
                                             .kernel_height = 3,
                                             .kernel_width = 2,
                                             .stride_height = 2,
                                             .stride_width = 1,
                                             .pad_top = 1,
                                             .pad_bottom = 1,
                                             .pad_left = 1,
                                             .pad_right = 1,
                                             .dilation_height = 1,
                                             .dilation_width = 1,
                                             .count_include_pad = true};
  size_t height, width;
  cr_assert_eq(sk_pool2d_output_size(&pool, &height, &width), SK_OK);
  cr_expect_eq(height, 4);
  cr_expect_eq(width, 10);
  sk_reference_max_pool(&reference, wide_x, expected);
  cr_assert_eq(sk_max_pool2d_f32(&pool, x, y, NULL), SK_OK, "%s", sk_error_message());
  expect_close(y, expected, BATCH * CHANNELS * height * width, 0, "max pool");
  sk_reference_average_pool(&reference, wide_x, expected);
  cr_assert_eq(sk_average_pool2d_f32(&pool, x, y, NULL), SK_OK, "%s", sk_error_message());
  expect_close(y, expected, BATCH * CHANNELS * height * width, 1e-6, "average pool");
  sk_reference_global_average_pool(BATCH, CHANNELS, HEIGHT * WIDTH, wide_x, expected);
  cr_assert_eq(sk_global_average_pool_f32(BATCH, CHANNELS, HEIGHT, WIDTH, x, y, NULL), SK_OK);
  expect_close(y, expected, BATCH * CHANNELS, 1e-6, "global average pool");
}

/* ---- Rows --------------------------------------------------------------------------------------------------- */

Test(one_shot, dense_and_softmax, .init = fill_inputs) {
  enum { ROWS = 3, INPUTS = 37, OUTPUTS = 21 };
  sk_reference_dense(ROWS, INPUTS, OUTPUTS, wide_x, wide_other, wide_x, expected, NULL);
  cr_assert_eq(sk_dense_f32(ROWS, INPUTS, OUTPUTS, x, other, x, y, NULL), SK_OK, "%s", sk_error_message());
  expect_close(y, expected, ROWS * OUTPUTS, 0, "dense"); /* the sums are exact */
  sk_reference_dense(ROWS, INPUTS, OUTPUTS, wide_x, wide_other, NULL, expected, NULL);
  cr_assert_eq(sk_dense_f32(ROWS, INPUTS, OUTPUTS, x, other, NULL, y, NULL), SK_OK, "%s", sk_error_message());
  expect_close(y, expected, ROWS * OUTPUTS, 0, "dense without bias");
  sk_reference_softmax(ROWS, INPUTS, 1, wide_x, expected);
  cr_assert_eq(sk_softmax_f32(ROWS, INPUTS, x, y, NULL), SK_OK, "%s", sk_error_message());
  expect_close(y, expected, ROWS * INPUTS, 1e-6, "softmax");
}

/* ---- Convolution -------------------------------------------------------------------------------------------- */

static const sk_conv_shape conv = {.batch = 1,
                                   .in_channels = 16,
                                   .in_height = HEIGHT,
                                   .in_width = WIDTH,
                                   .out_channels = 16,
                                   .kernel_height = 3,
                                   .kernel_width = 3,
                                   .stride_height = 1,
                                   .stride_width = 1,
                                   .dilation_height = 1,
                                   .dilation_width = 1,
                                   .pad_top = 1,
                                   .pad_bottom = 1,
                                   .pad_left = 1,
                                   .pad_right = 1,
                                   .groups = 1};
enum { CONV_ELEMENTS = 16 * HEIGHT * WIDTH };

/* Of a plan with the same options. */
static void run_plan(const float *residual, sk_conv_options options, float *out) {
  sk_conv *plan;
  options.residual = residual != NULL;
  cr_assert_eq(sk_conv_create(&plan, &conv, other, x, &options), SK_OK, "%s", sk_error_message());
  void *const workspace = sk_alloc(sk_conv_workspace_bytes(plan));
  cr_assert_eq(sk_conv_run(plan, x, residual, out, workspace), SK_OK);
  sk_free(workspace);
  sk_conv_destroy(plan);
}

Test(one_shot, convolution_has_the_bits_of_a_plan, .init = fill_inputs) {
  static float weights_needed[16 * 16 * 9], planned[CONV_ELEMENTS];
  cr_assert_leq(sizeof weights_needed, sizeof other);
  const sk_algorithm algorithms[] = {SK_ALGORITHM_AUTO, SK_ALGORITHM_DIRECT, SK_ALGORITHM_WINOGRAD2,
                                     SK_ALGORITHM_WINOGRAD4, SK_ALGORITHM_WINOGRAD6};
  for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
    for (int adds = 0; adds < 2; adds++) {
      const sk_conv_options options = {.algorithm = algorithms[i], .relu = true, .residual = true, .threads = 2};
      const float *const residual = adds ? other : NULL;
      run_plan(residual, options, planned);
      cr_assert_eq(sk_conv2d_f32(&conv, x, other, x, residual, y, &options), SK_OK, "%s", sk_error_message());
      cr_expect_arr_eq(y, planned, sizeof planned, "%s", sk_algorithm_name(algorithms[i]));
    }
  }
}

/* ---- What all have in common -------------------------------------------------------------------------------- */

Test(one_shot, the_result_may_replace_an_input, .init = fill_inputs) {
  static float apart[ELEMENTS], inputs[ELEMENTS];
  memcpy(inputs, x, sizeof x);
  cr_assert_eq(sk_softmax_f32(BATCH, CHANNELS, x, apart, NULL), SK_OK);
  cr_assert_eq(sk_softmax_f32(BATCH, CHANNELS, x, x, NULL), SK_OK);
  cr_expect_arr_eq(x, apart, BATCH * CHANNELS * sizeof *x);
  memcpy(x, inputs, sizeof x);
  cr_assert_eq(sk_max_pool2d_f32(&pool, x, apart, NULL), SK_OK);
  cr_assert_eq(sk_max_pool2d_f32(&pool, x, x, NULL), SK_OK);
  cr_expect_arr_eq(x, apart, BATCH * CHANNELS * 4 * 10 * sizeof *x);
  memcpy(x, inputs, sizeof x);
  cr_assert_eq(sk_conv2d_f32(&conv, x, other, NULL, x, apart, NULL), SK_OK);
  cr_assert_eq(sk_conv2d_f32(&conv, x, other, NULL, x, x, NULL), SK_OK);
  cr_expect_arr_eq(x, apart, CONV_ELEMENTS * sizeof *x);
}

Test(one_shot, every_isa_gives_the_same_bits, .init = fill_inputs) {
  static float generic[ELEMENTS];
  for (int isa = SK_ISA_GENERIC; isa < SK_ISA_COUNT; isa++) {
    if (!sk_isa_available((sk_isa)isa)) continue;
    const sk_call_options options = {.isa = (sk_isa)isa, .threads = 3};
    cr_assert_eq(sk_batch_norm_f32(BATCH, CHANNELS, HEIGHT, WIDTH, x, NULL, NULL, x, other + 7, 9, y, &options), SK_OK);
    if (isa == SK_ISA_GENERIC) memcpy(generic, y, sizeof y);
    cr_expect_arr_eq(y, generic, sizeof y, "%s", sk_isa_name((sk_isa)isa));
  }
}

static void expect_refused(sk_status status, const char *reason) {
  cr_expect_eq(status, SK_INVALID_ARGUMENT, "%s: %s", reason, sk_status_name(status));
  cr_expect_neq(strstr(sk_error_message(), reason), NULL, "\"%s\", expected \"%s\"", sk_error_message(), reason);
}

Test(one_shot, refuses_what_makes_no_sense, .init = fill_inputs) {
  const sk_call_options negative = {.threads = -1}, later = {.reserved = {0, 1}};
  const sk_conv_options later_conv = {.reserved = {1}};
  sk_pool2d_shape dilated = pool;
  dilated.dilation_height = 2;
  expect_refused(sk_relu_f32(0, x, y, NULL), "sk_relu_f32: count: 0");
  expect_refused(sk_relu_f32(1, NULL, y, NULL), "sk_relu_f32: x: NULL");
  expect_refused(sk_relu_f32(1, x, NULL, NULL), "sk_relu_f32: y: NULL");
  expect_refused(sk_relu_f32(1, x, y, &negative), "sk_relu_f32: threads: -1");
  expect_refused(sk_relu_f32(1, x, y, &later), "sk_relu_f32: reserved[1] is set");
  expect_refused(sk_relu_f32(SIZE_MAX, x, y, NULL), "too large");
  expect_refused(sk_add_f32(1, x, NULL, false, y, NULL), "sk_add_f32: b: NULL");
  expect_refused(sk_batch_norm_f32(1, 0, 1, 1, x, x, x, x, x, 0, y, NULL), "sk_batch_norm_f32: channels: 0");
  expect_refused(sk_batch_norm_f32(1, 1, 1, 1, x, x, x, x, NULL, 0, y, NULL), "sk_batch_norm_f32: variance: NULL");
  expect_refused(sk_batch_norm_f32(1, SIZE_MAX, 1, 1, x, x, x, x, x, 0, y, NULL), "too");
  expect_refused(sk_max_pool2d_f32(NULL, x, y, NULL), "NULL");
  expect_refused(sk_average_pool2d_f32(&dilated, x, y, NULL), "sk_average_pool2d_f32: dilation 2x1");
  expect_refused(sk_global_average_pool_f32(1, 1, 1, 0, x, y, NULL), "sk_global_average_pool_f32: width: 0");
  expect_refused(sk_dense_f32(1, 1, 1, x, NULL, NULL, y, NULL), "sk_dense_f32: weights: NULL");
  expect_refused(sk_dense_f32(1, SIZE_MAX, 1, x, x, NULL, y, NULL), "dense");
  expect_refused(sk_softmax_f32(1, 0, x, y, NULL), "sk_softmax_f32: classes: 0");
  expect_refused(sk_conv2d_f32(NULL, x, x, NULL, NULL, y, NULL), "NULL");
  expect_refused(sk_conv2d_f32(&conv, x, other, NULL, NULL, y, &later_conv), "convolution: reserved[0] is set");
}
