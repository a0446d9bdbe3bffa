/* The reference operators against cases small enough to work out by hand. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "reference/reference.h"

/* The hand-computed cases are exact in double, so equality is equality of bits, which tells -0 from 0. */
static void expect_bits(const double *actual, const double *expected, size_t count) {
  for (size_t i = 0; i < count; i++) {
    bool same = isnan(expected[i]) ? isnan(actual[i]) : memcmp(&actual[i], &expected[i], sizeof(double)) == 0;
    cr_expect(same, "[%zu]: %g, expected %g", i, actual[i], expected[i]);
  }
}

static void expect_near(const double *actual, const double *expected, size_t count) {
  for (size_t i = 0; i < count; i++) {
    cr_expect(fabs(actual[i] - expected[i]) < 1e-14, "[%zu]: %.17g, expected %.17g", i, actual[i], expected[i]);
  }
}

/* ---- Convolution ------------------------------------------------------------------------------------------- */

static sk_conv_shape conv_shape(size_t channels, size_t height, size_t width, size_t outputs, size_t kernel) {
  return (sk_conv_shape){.batch = 1,
                         .in_channels = channels,
                         .in_height = height,
                         .in_width = width,
                         .out_channels = outputs,
                         .kernel_height = kernel,
                         .kernel_width = kernel,
                         .stride_height = 1,
                         .stride_width = 1,
                         .dilation_height = 1,
                         .dilation_width = 1,
                         .groups = 1};
}

static void expect_conv_size(const sk_conv_shape *shape, size_t height, size_t width) {
  size_t out_height, out_width;
  sk_reference_conv_output_size(shape, &out_height, &out_width);
  cr_expect(out_height == height && out_width == width, "%zu x %zu, expected %zu x %zu", out_height, out_width, height,
            width);
}

static const double one_to_nine[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

Test(conv, correlates_and_does_not_flip_the_kernel) {
  sk_conv_shape shape = conv_shape(1, 3, 3, 1, 2);
  double y[4];
  expect_conv_size(&shape, 2, 2);
  sk_reference_conv(&shape, one_to_nine, (double[]){1, 10, 100, 1000}, NULL, y, NULL);
  expect_bits(y, (double[]){5421, 6532, 8754, 9865}, 4);
}

Test(conv, adds_bias_and_sums_magnitudes) {
  sk_conv_shape shape = conv_shape(1, 1, 1, 2, 1);
  double y[2], magnitude[2];
  sk_reference_conv(&shape, (double[]){-3}, (double[]){2, -4}, (double[]){-10, 1}, y, magnitude);
  expect_bits(y, (double[]){-16, 13}, 2);
  expect_bits(magnitude, (double[]){16, 13}, 2);
  sk_reference_conv(&shape, (double[]){-3}, (double[]){2, -4}, (double[]){10, -1}, y, magnitude);
  expect_bits(y, (double[]){4, 11}, 2);
  expect_bits(magnitude, (double[]){16, 13}, 2);
}

Test(conv, strides_rows_and_columns_apart) {
  sk_conv_shape shape = conv_shape(1, 3, 3, 1, 1);
  shape.stride_height = 2;
  double y[6];
  expect_conv_size(&shape, 2, 3);
  sk_reference_conv(&shape, one_to_nine, (double[]){1}, NULL, y, NULL);
  expect_bits(y, (double[]){1, 2, 3, 7, 8, 9}, 6);
  shape.stride_height = 1;
  shape.stride_width = 2;
  expect_conv_size(&shape, 3, 2);
  sk_reference_conv(&shape, one_to_nine, (double[]){1}, NULL, y, NULL);
  expect_bits(y, (double[]){1, 3, 4, 6, 7, 9}, 6);
}

Test(conv, dilates_rows_and_columns_apart) {
  sk_conv_shape shape = conv_shape(1, 3, 3, 1, 2);
  double weights[4] = {1, 10, 100, 1000};
  double y[2];
  shape.dilation_height = 2;
  expect_conv_size(&shape, 1, 2);
  sk_reference_conv(&shape, one_to_nine, weights, NULL, y, NULL);
  expect_bits(y, (double[]){8721, 9832}, 2);
  shape.dilation_height = 1;
  shape.dilation_width = 2;
  expect_conv_size(&shape, 2, 1);
  sk_reference_conv(&shape, one_to_nine, weights, NULL, y, NULL);
  expect_bits(y, (double[]){6431, 9764}, 2);
}

Test(conv, pads_each_side_by_its_own_amount) {
  sk_conv_shape shape = conv_shape(1, 1, 2, 1, 1);
  shape.pad_top = 1;
  shape.pad_left = 2;
  shape.pad_right = 1;
  double y[10];
  expect_conv_size(&shape, 2, 5);
  sk_reference_conv(&shape, (double[]){3, 4}, (double[]){1}, NULL, y, NULL);
  expect_bits(y, (double[]){0, 0, 0, 0, 0, 0, 0, 3, 4, 0}, 10);

  shape.pad_top = 0;
  shape.pad_bottom = 1;
  expect_conv_size(&shape, 2, 5);
  sk_reference_conv(&shape, (double[]){3, 4}, (double[]){1}, NULL, y, NULL);
  expect_bits(y, (double[]){0, 0, 3, 4, 0, 0, 0, 0, 0, 0}, 10);
}

Test(conv, handles_a_rectangular_kernel) {
  sk_conv_shape shape = conv_shape(1, 3, 3, 1, 1);
  shape.kernel_width = 3;
  double y[3];
  expect_conv_size(&shape, 3, 1);
  sk_reference_conv(&shape, one_to_nine, (double[]){1, 10, 100}, NULL, y, NULL);
  expect_bits(y, (double[]){321, 654, 987}, 3);
}

Test(conv, handles_a_rectangular_input) {
  sk_conv_shape shape = conv_shape(1, 2, 3, 1, 1);
  double y[6];
  expect_conv_size(&shape, 2, 3);
  sk_reference_conv(&shape, one_to_nine, (double[]){1}, NULL, y, NULL);
  expect_bits(y, one_to_nine, 6);
}

Test(conv, sums_over_channels_and_repeats_over_the_batch) {
  sk_conv_shape shape = conv_shape(2, 1, 1, 2, 1);
  shape.batch = 2;
  double y[4];
  sk_reference_conv(&shape, (double[]){1, 2, 3, 4}, (double[]){1, 10, 100, 1000}, NULL, y, NULL);
  expect_bits(y, (double[]){21, 2100, 43, 4300}, 4);
}

Test(conv, keeps_groups_apart) {
  sk_conv_shape shape = conv_shape(4, 1, 1, 6, 1);
  shape.groups = 2;
  double y[6];
  sk_reference_conv(&shape, (double[]){1, 2, 3, 4}, (double[]){1, 10, 2, 20, 3, 30, 1, 10, 2, 20, 3, 30}, NULL, y,
                    NULL);
  expect_bits(y, (double[]){21, 42, 63, 43, 86, 129}, 6);
}

Test(conv, treats_padding_as_zeros_that_are_multiplied) {
  sk_conv_shape shape = conv_shape(1, 1, 1, 1, 1);
  shape.pad_left = 1;
  double y[2], magnitude[2];
  sk_reference_conv(&shape, (double[]){2}, (double[]){INFINITY}, NULL, y, magnitude);
  expect_bits(y, (double[]){NAN, INFINITY}, 2);
  expect_bits(magnitude, (double[]){NAN, INFINITY}, 2);
}

Test(conv, propagates_nan_to_the_windows_that_hold_it) {
  sk_conv_shape shape = conv_shape(1, 1, 3, 1, 1);
  shape.kernel_width = 2;
  double y[2];
  sk_reference_conv(&shape, (double[]){1, 2, NAN}, (double[]){1, 1}, NULL, y, NULL);
  expect_bits(y, (double[]){3, NAN}, 2);
}

/* ---- Dense and softmax ------------------------------------------------------------------------------------- */

Test(dense, multiplies_and_sums_magnitudes) {
  double y[4], magnitude[4];
  const double x[4] = {1, -2, 3, 4};
  const double weights[4] = {1, 10, -100, 1000};
  sk_reference_dense(2, 2, 2, x, weights, (double[]){-5, 7}, y, magnitude);
  expect_bits(y, (double[]){-24, -2093, 38, 3707}, 4);
  expect_bits(magnitude, (double[]){26, 2107, 48, 4307}, 4);
  sk_reference_dense(2, 2, 2, x, weights, NULL, y, NULL);
  expect_bits(y, (double[]){-19, -2100, 43, 3700}, 4);
}

Test(dense, has_as_many_outputs_as_it_is_told) {
  double y[3];
  sk_reference_dense(1, 2, 3, (double[]){1, 2}, (double[]){1, 10, 2, 20, 3, 30}, NULL, y, NULL);
  expect_bits(y, (double[]){21, 42, 63}, 3);
}

Test(softmax, normalises_each_row) {
  double y[4];
  sk_reference_softmax(2, 2, 1, (double[]){0, log(3), 5, 5}, y);
  expect_near(y, (double[]){0.25, 0.75, 0.5, 0.5}, 4);
}

Test(softmax, does_not_overflow) {
  double y[2];
  sk_reference_softmax(1, 2, 1, (double[]){10000, 10000 + log(3)}, y);
  cr_expect(fabs(y[0] - 0.25) < 1e-11 && fabs(y[1] - 0.75) < 1e-11, "%g %g", y[0], y[1]);
  sk_reference_softmax(1, 2, 1, (double[]){-10000, -10000}, y);
  expect_bits(y, (double[]){0.5, 0.5}, 2);
}

Test(softmax, gives_zero_for_minus_infinity_and_nan_for_what_has_no_answer) {
  double y[3];
  sk_reference_softmax(1, 3, 1, (double[]){-INFINITY, 1, 1}, y);
  expect_bits(y, (double[]){0, 0.5, 0.5}, 3);
  sk_reference_softmax(1, 3, 1, (double[]){1, NAN, 2}, y);
  expect_bits(y, (double[]){NAN, NAN, NAN}, 3);
  sk_reference_softmax(1, 3, 1, (double[]){1, INFINITY, 2}, y);
  cr_expect(isnan(y[1]));
  sk_reference_softmax(1, 2, 1, (double[]){-INFINITY, -INFINITY}, y);
  expect_bits(y, (double[]){NAN, NAN}, 2);
}

/* ---- Element-wise ------------------------------------------------------------------------------------------ */

Test(batch_norm, normalises_each_channel_by_its_own_statistics) {
  const double x[8] = {1, 3, 5, 7, 9, 11, 13, 15};
  double y[8];
  sk_reference_batch_norm(2, 2, 2, x, (double[]){4, 1}, (double[]){1, 0}, (double[]){1, 5}, (double[]){3, 0.75}, 0.25,
                          y);
  double s = 4 / sqrt(3.25);
  expect_near(y, (double[]){1, 1 + 2 * s, 0, 2, 1 + 8 * s, 1 + 10 * s, 8, 10}, 8);
}

Test(relu, keeps_nan_and_minus_zero) {
  double y[6];
  sk_reference_relu(6, (double[]){-1, 2, -0.0, 0.0, NAN, -INFINITY}, y);
  expect_bits(y, (double[]){0, 2, -0.0, 0.0, NAN, 0}, 6);
}

Test(add, adds) {
  double y[3];
  sk_reference_add(3, (double[]){1, -0.0, INFINITY}, (double[]){2, -0.0, -INFINITY}, y);
  expect_bits(y, (double[]){3, -0.0, NAN}, 3);
}

/* ---- Pooling ----------------------------------------------------------------------------------------------- */

static sk_reference_pool_shape pool_shape(size_t height, size_t width, size_t kernel, size_t stride, size_t pad) {
  return (sk_reference_pool_shape){.batch = 1,
                                   .channels = 1,
                                   .height = height,
                                   .width = width,
                                   .kernel_height = kernel,
                                   .kernel_width = kernel,
                                   .stride_height = stride,
                                   .stride_width = stride,
                                   .pad_top = pad,
                                   .pad_bottom = pad,
                                   .pad_left = pad,
                                   .pad_right = pad,
                                   .dilation_height = 1,
                                   .dilation_width = 1};
}

/* Shape for rows of numbers: a window of 1 x kernel. */
static sk_reference_pool_shape row_shape(size_t width, size_t kernel, size_t stride, size_t pad) {
  sk_reference_pool_shape shape = pool_shape(1, width, kernel, stride, pad);
  shape.kernel_height = 1;
  shape.stride_height = 1;
  shape.pad_top = shape.pad_bottom = 0;
  return shape;
}

static void expect_pool_size(const sk_reference_pool_shape *shape, size_t height, size_t width) {
  size_t out_height, out_width;
  sk_reference_pool_output_size(shape, &out_height, &out_width);
  cr_expect(out_height == height && out_width == width, "%zu x %zu, expected %zu x %zu", out_height, out_width, height,
            width);
}

Test(pool_size, is_that_of_resnet) {
  sk_reference_pool_shape shape = pool_shape(112, 112, 3, 2, 1);
  expect_pool_size(&shape, 56, 56);
  shape.ceil_mode = true;
  expect_pool_size(&shape, 57, 57);
}

Test(pool_size, rounds_as_told) {
  sk_reference_pool_shape shape = pool_shape(5, 6, 2, 2, 0);
  expect_pool_size(&shape, 2, 3);
  shape.ceil_mode = true;
  expect_pool_size(&shape, 3, 3);
}

/* 2 wide, stride 2, padding 1 on 3 columns: ceiling gives 3 windows, starting at -1, 1 and 3; the last would start in
 * the padding, and is dropped. On 4 columns the last starts on the input at 3, and stays. */
Test(pool_size, drops_a_window_that_starts_in_the_padding) {
  sk_reference_pool_shape shape = row_shape(3, 2, 2, 1);
  shape.ceil_mode = true;
  expect_pool_size(&shape, 1, 2);
  shape.width = 4;
  expect_pool_size(&shape, 1, 3);
  shape = row_shape(1, 1, 3, 0);
  shape.ceil_mode = true;
  expect_pool_size(&shape, 1, 1);
}

Test(pool_size, counts_dilation) {
  sk_reference_pool_shape shape = row_shape(7, 3, 1, 0);
  shape.dilation_width = 2;
  expect_pool_size(&shape, 1, 3);
}

Test(max_pool, takes_the_largest_with_padding_absent) {
  sk_reference_pool_shape shape = pool_shape(3, 3, 2, 2, 1);
  double y[4];
  expect_pool_size(&shape, 2, 2);
  sk_reference_max_pool(&shape, (double[]){-1, -2, -3, -4, -5, -6, -7, -8, -9}, y);
  expect_bits(y, (double[]){-1, -2, -4, -5}, 4);
}

Test(max_pool, treats_planes_alone) {
  sk_reference_pool_shape shape = row_shape(2, 2, 1, 0);
  shape.batch = 2;
  shape.channels = 2;
  double y[4];
  sk_reference_max_pool(&shape, (double[]){1, 2, 4, 3, 5, 6, 8, 7}, y);
  expect_bits(y, (double[]){2, 4, 6, 8}, 4);
}

Test(max_pool, dilates) {
  sk_reference_pool_shape shape = row_shape(5, 2, 1, 0);
  shape.dilation_width = 3;
  double y[2];
  expect_pool_size(&shape, 1, 2);
  sk_reference_max_pool(&shape, (double[]){1, 2, 9, 3, 0}, y);
  expect_bits(y, (double[]){3, 2}, 2);
}

Test(max_pool, lets_the_last_window_hang_over_in_ceil_mode) {
  sk_reference_pool_shape shape = row_shape(5, 2, 2, 0);
  shape.ceil_mode = true;
  double y[3];
  expect_pool_size(&shape, 1, 3);
  sk_reference_max_pool(&shape, (double[]){1, 2, 3, 4, -5}, y);
  expect_bits(y, (double[]){2, 4, -5}, 3);
}

Test(max_pool, propagates_nan_from_any_place) {
  sk_reference_pool_shape shape = row_shape(5, 3, 1, 0);
  double y[3];
  sk_reference_max_pool(&shape, (double[]){NAN, 1, 2, INFINITY, 3}, y);
  expect_bits(y, (double[]){NAN, INFINITY, INFINITY}, 3);
  sk_reference_max_pool(&shape, (double[]){0, 1, NAN, 1, 0}, y);
  expect_bits(y, (double[]){NAN, NAN, NAN}, 3);
}

Test(max_pool, starts_from_minus_infinity) {
  sk_reference_pool_shape shape = row_shape(2, 2, 1, 0);
  double y[1];
  sk_reference_max_pool(&shape, (double[]){-INFINITY, -INFINITY}, y);
  expect_bits(y, (double[]){-INFINITY}, 1);
}

Test(average_pool, counts_padding_or_not) {
  sk_reference_pool_shape shape = row_shape(4, 2, 2, 1);
  const double x[4] = {2, 4, 6, 8};
  double y[3];
  expect_pool_size(&shape, 1, 3);
  sk_reference_average_pool(&shape, x, y);
  expect_bits(y, (double[]){2, 5, 8}, 3);
  shape.count_include_pad = true;
  sk_reference_average_pool(&shape, x, y);
  expect_bits(y, (double[]){1, 5, 4}, 3);
}

/* 3 wide, stride 3, padding 1 on 6 columns: the last of 3 windows covers column 5, the padding, and one cell beyond
 * it, which never counts. */
Test(average_pool, never_counts_what_lies_beyond_the_padding) {
  sk_reference_pool_shape shape = row_shape(6, 3, 3, 1);
  shape.ceil_mode = true;
  const double x[6] = {6, 12, 3, 6, 9, 8};
  double y[3];
  expect_pool_size(&shape, 1, 3);
  sk_reference_average_pool(&shape, x, y);
  expect_bits(y, (double[]){9, 6, 8}, 3);
  shape.count_include_pad = true;
  sk_reference_average_pool(&shape, x, y);
  expect_bits(y, (double[]){6, 6, 4}, 3);
}

/* The same beyond the bottom: rows are not columns. */
Test(average_pool, counts_rows_likewise) {
  sk_reference_pool_shape shape = pool_shape(6, 1, 3, 3, 1);
  shape.kernel_width = 1;
  shape.stride_width = 1;
  shape.pad_left = shape.pad_right = 0;
  shape.ceil_mode = true;
  shape.count_include_pad = true;
  double y[3];
  expect_pool_size(&shape, 3, 1);
  sk_reference_average_pool(&shape, (double[]){6, 12, 3, 6, 9, 8}, y);
  expect_bits(y, (double[]){6, 6, 4}, 3);
}

Test(global_average_pool, averages_each_plane) {
  double y[4];
  sk_reference_global_average_pool(2, 2, 3, (double[]){1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, NAN}, y);
  expect_bits(y, (double[]){2, 5, 8, NAN}, 4);
}

/* ---- Layout ------------------------------------------------------------------------------------------------ */

enum { BATCH = 2, CHANNELS = 18, HEIGHT = 2, WIDTH = 3, HALO = 1, COUNT = BATCH * CHANNELS * HEIGHT * WIDTH };
enum { BLOCKED_HEIGHT = HEIGHT + 2 * HALO, BLOCKED_WIDTH = WIDTH + 2 * HALO };
typedef float blocked_array[BATCH][2][BLOCKED_HEIGHT][BLOCKED_WIDTH][16];

static float element(size_t n, size_t c, size_t i, size_t j) { return (float)(1000 * n + 10 * c + 3 * i + j + 1); }

static void fill(float nchw[BATCH][CHANNELS][HEIGHT][WIDTH], float nhwc[BATCH][HEIGHT][WIDTH][CHANNELS]) {
  for (size_t at = 0; at < COUNT; at++) {
    size_t n = at / (CHANNELS * HEIGHT * WIDTH), c = at / (HEIGHT * WIDTH) % CHANNELS;
    size_t i = at / WIDTH % HEIGHT, j = at % WIDTH;
    nchw[n][c][i][j] = element(n, c, i, j);
    nhwc[n][i][j][c] = element(n, c, i, j);
  }
}

/* What NCHW16c holds at a place, by its definition. */
static float expected_at(size_t n, size_t block, size_t row, size_t column, size_t lane) {
  bool halo = row < HALO || row >= HALO + HEIGHT || column < HALO || column >= HALO + WIDTH;
  size_t c = 16 * block + lane;
  return halo || c >= CHANNELS ? 0 : element(n, c, row - HALO, column - HALO);
}

static void expect_blocked(blocked_array y) {
  for (size_t n = 0; n < BATCH; n++) {
    for (size_t b = 0; b < 2; b++) {
      for (size_t row = 0; row < BLOCKED_HEIGHT; row++) {
        for (size_t column = 0; column < BLOCKED_WIDTH; column++) {
          for (size_t lane = 0; lane < 16; lane++) {
            float expected = expected_at(n, b, row, column, lane);
            cr_expect(y[n][b][row][column][lane] == expected, "[%zu][%zu][%zu][%zu][%zu]: %g, expected %g", n, b, row,
                      column, lane, (double)y[n][b][row][column][lane], (double)expected);
          }
        }
      }
    }
  }
}

Test(layout, counts_blocks_and_halo) {
  cr_expect_eq(sk_reference_nchw16c_size(BATCH, CHANNELS, HEIGHT, WIDTH, HALO), sizeof(blocked_array) / sizeof(float));
  cr_expect_eq(sk_reference_nchw16c_size(1, 16, 5, 7, 0), 5 * 7 * 16);
  cr_expect_eq(sk_reference_nchw16c_size(1, 17, 1, 1, 0), 32);
}

Test(layout, blocks_and_unblocks) {
  static float nchw[BATCH][CHANNELS][HEIGHT][WIDTH], nhwc[BATCH][HEIGHT][WIDTH][CHANNELS];
  static blocked_array blocked;
  static float back[COUNT];
  fill(nchw, nhwc);

  memset(blocked, 0xff, sizeof blocked);
  sk_reference_nchw_to_nchw16c(BATCH, CHANNELS, HEIGHT, WIDTH, HALO, &nchw[0][0][0][0], &blocked[0][0][0][0][0]);
  expect_blocked(blocked);
  sk_reference_nchw16c_to_nchw(BATCH, CHANNELS, HEIGHT, WIDTH, HALO, &blocked[0][0][0][0][0], back);
  cr_expect(memcmp(back, nchw, sizeof back) == 0);

  memset(blocked, 0xff, sizeof blocked);
  sk_reference_nhwc_to_nchw16c(BATCH, CHANNELS, HEIGHT, WIDTH, HALO, &nhwc[0][0][0][0], &blocked[0][0][0][0][0]);
  expect_blocked(blocked);
  sk_reference_nchw16c_to_nhwc(BATCH, CHANNELS, HEIGHT, WIDTH, HALO, &blocked[0][0][0][0][0], back);
  cr_expect(memcmp(back, nhwc, sizeof back) == 0);
}
