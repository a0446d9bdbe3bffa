#include "bench/verify_bounds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/verify_phases.h"
#include "bench/verify_strassen.h"
#include "dispatch/conv.h"
#include "dispatch/cpu.h"
#include "kernels/winograd_points.h"
#include "reference/reference.h"

#define UNDERFLOW 0x1p-150 /* half of the smallest denormal: the most that a rounding to a denormal is off by */

/*
 * Each rounding multiplies a term by (1 + d), |d| <= u = 2^-24, so that n of them change it by gamma_n = n*u / (1 -
 * n*u) at most (Higham (2002), "Accuracy and Stability of Numerical Algorithms", lemma 3.1). Below the normal range a
 * rounding is off by eta = 2^-150 at most instead, whatever the size of the result; the roundings that follow in the
 * sum make n*eta / (1 - n*u) of n such errors. ReLU and clip move no two numbers further apart.
 */
double sk_rounding_bound(size_t roundings, double magnitude) {
  const double nu = (double)roundings * 0x1p-24;
  return (nu * magnitude + (double)roundings * UNDERFLOW) / (1 - nu);
}

/* ---- Softmax ---- */

/*
 * How far a probability may be off, relative to itself: u = 2^-24 each for
 *   |x_i - m| times the rounding of x_i - m, which the exponential multiplies by its argument; 2 for SLEEF's 1.0 ULP;
 *   the same of the sum, weighted by its terms; ceil(count/16) - 1 + 4 additions; and the division.
 * Terms below the normal range may be lost altogether: each is below 2^-125, as is the loss in the quotient.
 */
struct softmax_row {
  double largest, sum;
  double roundings; /* of the sum */
};

static double softmax_bound(const struct softmax_row *row, double x) {
  const double e = exp(x - row->largest), own = e > 0 ? fabs(x - row->largest) : 0;
  const double nu =
      1.01 * (own + 2 + row->roundings + 1) * 0x1p-24; /* 1% for products of roundings: own is below 750 */
  return nu * e / row->sum;
}

static struct softmax_row describe_row(const double *x, size_t count, size_t step) {
  struct softmax_row row = {.largest = -INFINITY};
  double weighted = 0;
  for (size_t i = 0; i < count; i++) row.largest = fmax(row.largest, x[i * step]);
  for (size_t i = 0; i < count; i++) {
    const double e = exp(x[i * step] - row.largest);
    row.sum += e;
    if (e > 0) weighted += e * fabs(x[i * step] - row.largest);
  }
  const size_t additions = (count + 15) / 16 - 1 + 4;
  row.roundings = weighted / row.sum + 2 + (double)additions;
  return row;
}

void sk_softmax_bounds(const double *x, size_t classes, size_t step, double *bound) {
  const struct softmax_row row = describe_row(x, classes, step);
  const double lost = (double)(classes + 2) * 0x1p-125;
  for (size_t i = 0; i < classes; i++) bound[i * step] = softmax_bound(&row, x[i * step]) + lost;
}

/* ---- Chains ---- */

/* Compiled twice, with the instruction and without: a call of fmaf for each term would be 20 times slower. */
static inline __attribute__((always_inline)) void chain(size_t terms, const float *x, bool per_lane, const float *w,
                                                        size_t w_step, struct sk_chain *c) {
  for (size_t t = 0; t < terms; t++, w += w_step) {
    float lanes[16];
    for (size_t l = 0; l < 16; l++) lanes[l] = per_lane ? x[t * 16 + l] : x[t];
    for (size_t l = 0; l < 16; l++) {
      const double product = (double)lanes[l] * (double)w[l];
      c->bits[l] = __builtin_fmaf(lanes[l], w[l], c->bits[l]);
      c->sum[l] += product;
      c->magnitude[l] += fabs(product);
    }
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void chain_with_fma(size_t terms, const float *x, bool per_lane,
                                                               const float *w, size_t w_step, struct sk_chain *c) {
  if (per_lane) {
    chain(terms, x, true, w, w_step, c);
  } else {
    chain(terms, x, false, w, w_step, c);
  }
}
#endif

void sk_chain_compute(size_t terms, const float *x, bool per_lane, const float *w, size_t w_step, const float *bias,
                      struct sk_chain *c) {
  for (size_t l = 0; l < 16; l++) {
    c->bits[l] = bias ? bias[l] : 0;
    c->sum[l] = (double)c->bits[l];
    c->magnitude[l] = fabs(c->sum[l]);
  }
#if defined(__x86_64__)
  static int has_fma = -1; /* remembered: CPUID takes microseconds on a virtual machine */
  if (has_fma < 0) has_fma = sk_cpu_runs_avx2();
  if (has_fma) {
    chain_with_fma(terms, x, per_lane, w, w_step, c);
    return;
  }
#endif
  chain(terms, x, per_lane, w, w_step, c);
}

float sk_exact_fma(float a, float b, float c) { return fmaf(a, b, c); }

/* ---- Activations ---- */

const char *sk_activation_name(enum sk_activation activation) {
  static const char *const names[SK_ACTIVATIONS] = {"no relu", "relu", "clip"};
  return names[activation];
}

const char *sk_residual_name(enum sk_residual residual) {
  static const char *const names[SK_RESIDUALS] = {"no residual", "residual", "residual in place"};
  return names[residual];
}

/* Small, so that most data has values on either side, and not about zero, so that neither bound can pass for the other.
 */
const struct sk_clip_bounds sk_activation_bounds = {-0.25F, 0.375F};

float sk_activate(enum sk_activation activation, float value) {
  if (activation == SK_ACTIVATION_RELU) return value < 0 ? 0 : value;
  if (activation != SK_ACTIVATION_CLIP) return value;
  if (value < sk_activation_bounds.minimum) return sk_activation_bounds.minimum;
  return value > sk_activation_bounds.maximum ? sk_activation_bounds.maximum : value;
}

double sk_activate_exact(enum sk_activation activation, double value) {
  if (activation == SK_ACTIVATION_RELU) return value < 0 ? 0 : value;
  if (activation != SK_ACTIVATION_CLIP) return value;
  if (value < (double)sk_activation_bounds.minimum) return (double)sk_activation_bounds.minimum;
  return value > (double)sk_activation_bounds.maximum ? (double)sk_activation_bounds.maximum : value;
}

/* ---- Winograd ---- */

/* F(m,3) takes m + 1 finite points; with stride 2 it takes F(m,2)'s m. */
static size_t point_count(size_t m, size_t stride) { return stride == 2 ? m : m + 1; }

static const double *kernel_points(size_t m, size_t stride) {
  static const double f2k3[] = {0, SK_F2K3_A, -SK_F2K3_A};
  static const double f4k3[] = {0, SK_F4K3_A, -SK_F4K3_A, SK_F4K3_B, -SK_F4K3_B};
  static const double f6k3[] = {0, SK_F6K3_A, -SK_F6K3_A, SK_F6K3_B, -SK_F6K3_B, SK_F6K3_C, -SK_F6K3_C};
  static const double f2k3s2[] = {SK_F2K3S2_A, -SK_F2K3S2_A};
  static const double f4k3s2[] = {SK_F4K3S2_A, -SK_F4K3S2_A, SK_F4K3S2_B, -SK_F4K3S2_B};
  if (stride == 2) return m == 2 ? f2k3s2 : f4k3s2;
  return m == 2 ? f2k3 : m == 4 ? f4k3 : f6k3;
}

static bool same_points(const sk_reference_winograd_points *set, size_t m, size_t stride) {
  const double *points = kernel_points(m, stride);
  if (set->outputs != m || set->taps != 3 || set->stride != stride) return false;
  for (size_t i = 0; i < point_count(m, stride); i++) {
    if (fabs(sk_reference_rational_to_double(set->points[i]) - points[i]) > 1e-15) return false;
  }
  return true;
}

bool sk_winograd_exact(size_t m, size_t stride, sk_reference_winograd *winograd) {
  for (size_t i = 0; i < sk_reference_winograd_point_set_count; i++) {
    const sk_reference_winograd_points *set = &sk_reference_winograd_point_sets[i];
    if (!same_points(set, m, stride)) continue;
    *winograd = sk_reference_winograd_derive_set(set);
    return sk_reference_winograd_is_exact(winograd);
  }
  return false;
}

sk_reference_winograd sk_winograd_of_tile(const sk_reference_winograd *winograd, size_t outputs) {
  return winograd->outputs <= 4 ? sk_reference_winograd_trim(winograd, outputs) : *winograd;
}

static void make_absolute(sk_reference_winograd_matrix matrix) {
  for (size_t i = 0; i < SK_REFERENCE_WINOGRAD_MAX_ALPHA; i++) {
    for (size_t j = 0; j < SK_REFERENCE_WINOGRAD_MAX_ALPHA; j++) {
      if (matrix[i][j].numerator < 0) matrix[i][j].numerator = -matrix[i][j].numerator;
    }
  }
}

sk_reference_winograd sk_winograd_absolute(const sk_reference_winograd *winograd) {
  sk_reference_winograd absolute = *winograd;
  make_absolute(absolute.output);
  make_absolute(absolute.filter);
  make_absolute(absolute.input);
  return absolute;
}

bool sk_winograd_has_few_bits(const sk_reference_winograd_matrix matrix) {
  const size_t side = SK_REFERENCE_WINOGRAD_MAX_ALPHA;
  for (size_t i = 0; i < side * side; i++) {
    const int64_t denominator = matrix[i / side][i % side].denominator;
    if (denominator > 64 || (denominator & (denominator - 1)) != 0) return false;
  }
  return true;
}

/*
 * Read in winograd_transform.h: in one dimension each element of the tile enters each result once, by one path. On the
 * longest paths it meets, with alpha = m + 2,
 *
 *   F(2,3), alpha 4   input: constant, product, sum                             output: sum, constant, product and sum
 *   F(4,3), alpha 6   input: constant, sum, constant, product, sum              output: sum, constant, product, sum
 *   F(6,3), alpha 8   input: constant, sum, sum, constant, product, sum         output: sum, constant, product, 3 sums
 *
 * where "constant" is the rounding of a coefficient to float. None exceeds alpha; two dimensions are two passes. With
 * stride 2, where a multiply-add is one rounding and odd elements are copied by the input transform,
 *
 *   F(2,3), alpha 5   input: constant, multiply-add                         output: sum, constant, multiply-add, sum
 *   F(4,3), alpha 9   input: constant, multiply-add, twice over             output: sum, constant, 2 multiply-adds
 *
 * so that 4 will do for both; F(4,3)'s last even value is 3 (constant and 2 multiply-adds) and its first output 3 sums.
 * Of trimmed tiles, F(4,3)'s to three outputs have the longest: in the input constant, product and 3 multiply-adds,
 * with stride 2 one of these less; in the output sum, constant and multiply-add, or product for the sum, or 3 sums.
 */
size_t sk_winograd_transform_roundings(size_t m, size_t stride) { return 2 * (stride == 2 ? 4 : m + 2); }

static double row_norm(const sk_reference_winograd_matrix matrix) {
  double largest = 0;
  for (size_t i = 0; i < SK_REFERENCE_WINOGRAD_MAX_ALPHA; i++) {
    double sum = 0;
    for (size_t j = 0; j < SK_REFERENCE_WINOGRAD_MAX_ALPHA; j++) {
      if (matrix[i][j].numerator != 0) sum += fabs(sk_reference_rational_to_double(matrix[i][j]));
    }
    if (sum > largest) largest = sum;
  }
  return largest;
}

struct sk_winograd_norms sk_winograd_norms(const sk_reference_winograd *winograd) {
  return (struct sk_winograd_norms){row_norm(winograd->input), row_norm(winograd->filter), row_norm(winograd->output)};
}

/*
 * Underflow in Winograd. A rounding to a denormal is off by eta = 2^-150 at most, and what follows multiplies that.
 * Sums and differences that are denormal are exact, so products and multiply-adds count alone. Read in
 * winograd_transform.h, with the constants that follow them:
 *
 *   input   F(2,3) 1; F(4,3) even part 1, odd part 3/2 * 1 + 1; F(6,3) even part 2, odd part 2 * 2 + 1; stride 2:
 *           F(2,3) 1, F(4,3) even part 1, odd part 5/4 * 1, multiply-add 1; trimmed: F(4,3) to three outputs, point 0
 *           product and 3 multiply-adds, point b 3 * 1 + 1, others fewer: 7 at most;
 *   output  F(2,3) 1; F(4,3) 2; F(6,3) 3; stride 2: F(2,3) 1, F(4,3) 2; trimmed: 2: 3 at most.
 *
 * The second dimension multiplies the errors of the first by the norm of the matrix, and makes as many of its own.
 *
 * In Y = A^T [sum_c U_c .* V_c] A, with the largest norms a, g, b of any tile's A^T, G, B^T, |U| <= g^2 |w| and |V| <=
 * b^2 |x|: each channel adds |U| times the input transform's error, eta |V| for the rounding of U, and eta for that of
 * the product and sum. A^T and A multiply this by a^2 at most; then come the output transform's own errors. Bias and
 * residual are added exactly where the sum is denormal. 1% covers products of these with the relative errors of the
 * roundings that follow.
 */
enum { INPUT_UNDERFLOWS = 7, OUTPUT_UNDERFLOWS = 3 };

/* The largest of whole and trimmed tiles. */
static struct sk_winograd_norms largest_norms(const sk_reference_winograd *winograd) {
  struct sk_winograd_norms largest = {0};
  for (size_t outputs = 1; outputs <= winograd->outputs; outputs++) {
    const sk_reference_winograd tile = sk_winograd_of_tile(winograd, outputs);
    const struct sk_winograd_norms norm = sk_winograd_norms(&tile);
    largest.input = fmax(largest.input, norm.input);
    largest.filter = fmax(largest.filter, norm.filter);
    largest.output = fmax(largest.output, norm.output);
  }
  return largest;
}

double sk_winograd_input_underflow(const sk_reference_winograd *winograd) {
  return 1.01 * UNDERFLOW * (largest_norms(winograd).input + 1) * INPUT_UNDERFLOWS;
}

double sk_winograd_output_underflow(const sk_reference_winograd *winograd) {
  return 1.01 * UNDERFLOW * (largest_norms(winograd).output + 1) * OUTPUT_UNDERFLOWS;
}

static double winograd_underflow(const sk_reference_winograd *winograd, size_t channels, double largest_x,
                                 double largest_weight) {
  const struct sk_winograd_norms norm = largest_norms(winograd);
  const double u = norm.filter * norm.filter * largest_weight, v = norm.input * norm.input * largest_x;
  const double channel = u * sk_winograd_input_underflow(winograd) + 1.01 * UNDERFLOW * (v + 1);
  return norm.output * norm.output * (double)channels * channel + sk_winograd_output_underflow(winograd);
}

enum { MAX_POINTS = SK_REFERENCE_WINOGRAD_MAX_ALPHA * SK_REFERENCE_WINOGRAD_MAX_ALPHA };

/* The padded input's absolute value, zero beyond the padding too. */
static double absolute_at(const sk_conv_shape *s, const double *plane, size_t row, size_t column) {
  if (row < s->pad_top || row >= s->pad_top + s->in_height) return 0;
  if (column < s->pad_left || column >= s->pad_left + s->in_width) return 0;
  return fabs(plane[(row - s->pad_top) * s->in_width + (column - s->pad_left)]);
}

/* The matrices of a kind of tile, down the columns and along the rows, by their absolute values. */
struct tile_kind {
  sk_reference_winograd down, along;
};

static struct tile_kind kind_of(const sk_reference_winograd *winograd, size_t rows, size_t columns) {
  const sk_reference_winograd down = sk_winograd_of_tile(winograd, rows),
                              along = sk_winograd_of_tile(winograd, columns);
  return (struct tile_kind){sk_winograd_absolute(&down), sk_winograd_absolute(&along)};
}

static size_t kind_points(const struct tile_kind *kind) { return kind->down.alpha * kind->along.alpha; }

static size_t group_inputs(const sk_conv_shape *s) { return s->in_channels / s->groups; }

/* |G| |g| |G^T| of every kernel: u[out_channels][channels of a group][MAX_POINTS]. */
static void transform_kernels(const struct tile_kind *kind, const sk_conv_shape *s, const double *weights, double *u) {
  for (size_t i = 0; i < s->out_channels * group_inputs(s); i++) {
    double g[9];
    for (size_t t = 0; t < 9; t++) g[t] = fabs(weights[i * 9 + t]);
    sk_reference_winograd_filter_2d(&kind->down, &kind->along, g, u + i * MAX_POINTS);
  }
}

/* |B^T| |d| |B| of every channel of the tile whose first input is (row, column): v[in_channels][MAX_POINTS]. */
static void transform_tile(const struct tile_kind *kind, const sk_conv_shape *s, const double *image, size_t row,
                           size_t column, double *v) {
  const size_t across = kind->along.alpha;
  for (size_t c = 0; c < s->in_channels; c++) {
    double d[MAX_POINTS];
    for (size_t p = 0; p < kind_points(kind); p++) {
      d[p] = absolute_at(s, image + c * s->in_height * s->in_width, row + p / across, column + p % across);
    }
    sk_reference_winograd_input_2d(&kind->down, &kind->along, d, v + c * MAX_POINTS);
  }
}

/* |A^T| (sum over channels of u .* v) |A|: tile[down's outputs][along's outputs]. */
static void tile_magnitude(const struct tile_kind *kind, size_t channels, const double *u, const double *v,
                           double *tile) {
  double sums[MAX_POINTS] = {0};
  for (size_t c = 0; c < channels; c++) {
    for (size_t p = 0; p < kind_points(kind); p++) sums[p] += u[c * MAX_POINTS + p] * v[c * MAX_POINTS + p];
  }
  sk_reference_winograd_output_2d(&kind->down, &kind->along, sums, tile);
}

/* Of one tile, at output (row, column) of every channel of an image. */
static void tile_magnitudes(const struct tile_kind *kind, const sk_conv_shape *s, const double *u, const double *v,
                            size_t row, size_t column, double *magnitude) {
  size_t height, width;
  sk_reference_conv_output_size(s, &height, &width);
  for (size_t k = 0; k < s->out_channels; k++) {
    double tile[MAX_POINTS];
    const size_t inputs = group_inputs(s), first = k / (s->out_channels / s->groups) * inputs;
    tile_magnitude(kind, inputs, u + k * inputs * MAX_POINTS, v + first * MAX_POINTS, tile);
    for (size_t i = 0; i < kind->down.outputs && row + i < height; i++) {
      for (size_t j = 0; j < kind->along.outputs && column + j < width; j++) {
        magnitude[(k * height + row + i) * width + column + j] = tile[i * kind->along.outputs + j];
      }
    }
  }
}

/* The outputs from `first` on, of a dimension of `size`, that a tile of m has. */
static size_t tile_outputs(size_t first, size_t size, size_t m) { return size - first < m ? size - first : m; }

/* Tiles of one kind lie in rows [top, bottom) and columns [left, right) of the outputs. */
struct kind_area {
  size_t top, bottom, left, right;
};

static void area_of_image(const struct tile_kind *kind, const sk_conv_shape *s, const double *image, const double *u,
                          double *v, struct kind_area area, double *magnitude) {
  const size_t stride = kind->down.stride;
  for (size_t row = area.top; row < area.bottom; row += kind->down.outputs) {
    for (size_t column = area.left; column < area.right; column += kind->along.outputs) {
      transform_tile(kind, s, image, row * stride, column * stride, v);
      tile_magnitudes(kind, s, u, v, row, column, magnitude);
    }
  }
}

static void area_magnitudes(const sk_reference_winograd *winograd, const sk_conv_shape *s, const double *x,
                            const double *weights, struct kind_area area, double *magnitude) {
  if (area.top == area.bottom || area.left == area.right) return;
  const size_t m = winograd->outputs;
  const struct tile_kind kind =
      kind_of(winograd, tile_outputs(area.top, area.bottom, m), tile_outputs(area.left, area.right, m));
  double *u = malloc(s->out_channels * group_inputs(s) * MAX_POINTS * sizeof *u);
  double *v = malloc(s->in_channels * MAX_POINTS * sizeof *v);
  if (!u || !v) abort();
  size_t height, width;
  sk_reference_conv_output_size(s, &height, &width);
  transform_kernels(&kind, s, weights, u);
  for (size_t n = 0; n < s->batch; n++) {
    const double *image = x + n * s->in_channels * s->in_height * s->in_width;
    area_of_image(&kind, s, image, u, v, area, magnitude + n * s->out_channels * height * width);
  }
  free(v);
  free(u);
}

void sk_winograd_magnitude(const sk_reference_winograd *winograd, const sk_conv_shape *s, const double *x,
                           const double *weights, double *magnitude) {
  const size_t m = winograd->outputs;
  size_t height, width;
  sk_reference_conv_output_size(s, &height, &width);
  const size_t whole_rows = height / m * m, whole_columns = width / m * m; /* what is left may be of a trimmed tile */
  const struct kind_area areas[] = {{0, whole_rows, 0, whole_columns},
                                    {0, whole_rows, whole_columns, width},
                                    {whole_rows, height, 0, whole_columns},
                                    {whole_rows, height, whole_columns, width}};
  for (size_t i = 0; i < sizeof areas / sizeof areas[0]; i++) {
    area_magnitudes(winograd, s, x, weights, areas[i], magnitude);
  }
}

/* ---- Convolutions by any algorithm ---- */

bool sk_conv_mixes_inputs(sk_algorithm algorithm) {
  return sk_is_winograd(algorithm) || algorithm == SK_ALGORITHM_STRASSEN;
}

bool sk_conv_matrices(const sk_conv_shape *s, sk_algorithm algorithm, sk_reference_winograd *winograd) {
  if (algorithm != SK_ALGORITHM_WINOGRAD3) {
    return sk_winograd_exact(sk_winograd_outputs(algorithm), s->stride_height, winograd);
  }
  if (!sk_winograd_exact(4, 1, winograd)) return false;
  *winograd = sk_reference_winograd_derive(3, 4, winograd->points);
  return true;
}

size_t sk_conv_roundings(const sk_conv_shape *s, sk_algorithm algorithm) {
  const size_t m = sk_winograd_outputs(algorithm);
  if (m) return 2 * sk_winograd_transform_roundings(m, s->stride_height) + 2 + group_inputs(s) + 2;
  if (algorithm == SK_ALGORITHM_WINOGRAD3)
    return 2 * sk_winograd_transform_roundings(4, 1) + 2 + 4 * s->in_channels + 2;
  if (algorithm == SK_ALGORITHM_STRASSEN) return 3 + 2 + 2 * s->in_channels + 2;
  return group_inputs(s) * s->kernel_height * s->kernel_width + 2;
}

bool sk_conv_magnitude(const sk_conv_shape *s, sk_algorithm algorithm, const double *x, const double *weights,
                       double *magnitude) {
  sk_reference_winograd winograd;
  if (algorithm == SK_ALGORITHM_STRASSEN) return sk_strassen_magnitude(s, x, weights, magnitude);
  if (!sk_conv_matrices(s, algorithm, &winograd)) return false;
  if (algorithm == SK_ALGORITHM_WINOGRAD3) return sk_phases_magnitude(&winograd, s, x, weights, magnitude);
  sk_winograd_magnitude(&winograd, s, x, weights, magnitude);
  return true;
}

double sk_conv_bias_magnitude(const sk_conv_shape *s, sk_algorithm algorithm, const float *bias, size_t k) {
  if (!bias) return 0;
  return algorithm == SK_ALGORITHM_STRASSEN ? sk_strassen_bias_magnitude(s, bias, k) : fabs((double)bias[k]);
}

/*
 * Strassen: a multiply-add may lose UNDERFLOW, and there are less than 5/2 of them for each channel; a sum of weights
 * likewise, which a sum of up to four inputs multiplies, in up to five products of half the channels. Sums of floats
 * lose nothing there.
 */
double sk_conv_underflow(const sk_conv_shape *s, sk_algorithm algorithm, double largest_x, double largest_weight) {
  sk_reference_winograd winograd;
  if (algorithm == SK_ALGORITHM_STRASSEN) return UNDERFLOW * (double)s->in_channels * (2.6 + 10.1 * largest_x);
  if (!sk_conv_matrices(s, algorithm, &winograd)) return 0;
  const size_t channels = algorithm == SK_ALGORITHM_WINOGRAD3 ? 4 * s->in_channels : group_inputs(s);
  return winograd_underflow(&winograd, channels, largest_x, largest_weight);
}
