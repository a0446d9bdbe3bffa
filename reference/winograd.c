/* Winograd's matrices from their points, and what follows from the matrices. */
#include "reference/winograd.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "reference/reference.h"

enum { MAX = SK_REFERENCE_WINOGRAD_MAX_ALPHA };

typedef sk_reference_rational rational;

static rational integer(int64_t value) { return sk_reference_rational_make(value, 1); }

static rational power(rational base, size_t exponent) {
  rational product = integer(1);
  for (size_t i = 0; i < exponent; i++) product = sk_reference_rational_multiply(product, base);
  return product;
}

/* ---- Derivation -------------------------------------------------------------------------------------------- */

/* Form N_j = prod_{l != j} (p_j - p_l). */
static rational node_product(size_t count, const rational *points, size_t j) {
  rational product = integer(1);
  for (size_t l = 0; l < count; l++) {
    if (l == j) continue;
    product = sk_reference_rational_multiply(product, sk_reference_rational_subtract(points[j], points[l]));
  }
  return product;
}

/* Multiply a polynomial of `degree`, constant term first, by (x - point). */
static void multiply_by_root(rational *polynomial, size_t degree, rational point) {
  polynomial[degree + 1] = polynomial[degree];
  for (size_t t = degree; t > 0; t--) {
    rational shifted = polynomial[t - 1];
    polynomial[t] = sk_reference_rational_subtract(shifted, sk_reference_rational_multiply(point, polynomial[t]));
  }
  polynomial[0] = sk_reference_rational_subtract(integer(0), sk_reference_rational_multiply(point, polynomial[0]));
}

/* Form the coefficients of prod_{l != omitted} (x - p_l); omitted = count omits none. */
static void polynomial_of_roots(size_t count, const rational *points, size_t omitted, rational *polynomial) {
  size_t degree = 0;
  polynomial[0] = integer(1);
  for (size_t l = 0; l < count; l++) {
    if (l != omitted) multiply_by_root(polynomial, degree++, points[l]);
  }
}

static void clear(sk_reference_winograd_matrix matrix) {
  for (size_t i = 0; i < MAX; i++) {
    for (size_t j = 0; j < MAX; j++) matrix[i][j] = integer(0);
  }
}

/* Start F(m,r) with matrices of zeros. */
static sk_reference_winograd start(size_t outputs, size_t taps, size_t stride) {
  size_t alpha = stride * (outputs - 1) + taps;
  if (outputs < 1 || taps < 1 || alpha < 2 || alpha > MAX) {
    fprintf(stderr, "sk_reference_winograd: no F(%zu,%zu) with stride %zu, which needs 2 <= alpha <= %d\n", outputs,
            taps, stride, (int)MAX);
    abort();
  }
  sk_reference_winograd winograd = {.outputs = outputs, .taps = taps, .stride = stride, .alpha = alpha};
  clear(winograd.output);
  clear(winograd.filter);
  clear(winograd.input);
  for (size_t j = 0; j < MAX - 1; j++) winograd.points[j] = integer(0);
  return winograd;
}

sk_reference_winograd sk_reference_winograd_derive(size_t outputs, size_t taps, const rational *points) {
  sk_reference_winograd winograd = start(outputs, taps, 1);
  size_t finite = winograd.alpha - 1;

  for (size_t j = 0; j < finite; j++) {
    rational scale = node_product(finite, points, j);
    winograd.points[j] = points[j];
    for (size_t i = 0; i < outputs; i++) winograd.output[i][j] = power(points[j], i);
    for (size_t k = 0; k < taps; k++) {
      winograd.filter[j][k] = sk_reference_rational_divide(power(points[j], k), scale);
    }
    polynomial_of_roots(finite, points, j, winograd.input[j]);
  }
  winograd.output[outputs - 1][finite] = integer(1);
  winograd.filter[finite][taps - 1] = integer(1);
  polynomial_of_roots(finite, points, finite, winograd.input[finite]);
  return winograd;
}

/* Copy F(m,2): its taps are the first and the last of three, its elements the even ones. */
static void place_even_part(const sk_reference_winograd *even, sk_reference_winograd *winograd) {
  for (size_t j = 0; j < even->alpha; j++) {
    for (size_t i = 0; i < even->outputs; i++) winograd->output[i][j] = even->output[i][j];
    for (size_t k = 0; k < 2; k++) winograd->filter[j][2 * k] = even->filter[j][k];
    for (size_t t = 0; t < even->alpha; t++) winograd->input[j][2 * t] = even->input[j][t];
  }
}

sk_reference_winograd sk_reference_winograd_derive_strided(size_t outputs, const rational *points) {
  sk_reference_winograd winograd = start(outputs, 3, 2);
  sk_reference_winograd even = sk_reference_winograd_derive(outputs, 2, points);
  place_even_part(&even, &winograd);
  for (size_t j = 0; j < outputs; j++) winograd.points[j] = points[j];
  for (size_t i = 0; i < outputs; i++) {
    size_t odd = even.alpha + i;
    winograd.output[i][odd] = winograd.filter[odd][1] = winograd.input[odd][2 * i + 1] = integer(1);
  }
  return winograd;
}

sk_reference_winograd sk_reference_winograd_derive_set(const sk_reference_winograd_points *set) {
  return set->stride == 2 ? sk_reference_winograd_derive_strided(set->outputs, set->points)
                          : sk_reference_winograd_derive(set->outputs, set->taps, set->points);
}

/* Give rows p of G the factors 1 / (p - q), for points[from..end) that were left out, and those of B^T the inverse. */
static void divide_filters(sk_reference_winograd *winograd, const rational *points, size_t from, size_t end) {
  for (size_t j = 0; j < from; j++) {
    for (size_t l = from; l < end; l++) {
      const rational factor = sk_reference_rational_subtract(points[j], points[l]);
      for (size_t k = 0; k < winograd->taps; k++) {
        winograd->filter[j][k] = sk_reference_rational_divide(winograd->filter[j][k], factor);
      }
      for (size_t t = 0; t < winograd->alpha; t++) {
        winograd->input[j][t] = sk_reference_rational_multiply(winograd->input[j][t], factor);
      }
    }
  }
}

sk_reference_winograd sk_reference_winograd_trim(const sk_reference_winograd *winograd, size_t outputs) {
  if (outputs > winograd->outputs) {
    fprintf(stderr, "sk_reference_winograd: F(%zu,%zu) has no %zu outputs to be trimmed to\n", winograd->outputs,
            winograd->taps, outputs);
    abort();
  }
  const size_t left_out = winograd->outputs - outputs;
  const bool strided = winograd->stride == 2;
  const size_t finite = strided ? winograd->outputs : winograd->alpha - 1;
  sk_reference_winograd trimmed = strided ? sk_reference_winograd_derive_strided(outputs, winograd->points)
                                          : sk_reference_winograd_derive(outputs, winograd->taps, winograd->points);
  divide_filters(&trimmed, winograd->points, finite - left_out, finite);
  return trimmed;
}

/* Form sum_j A^T[i][j] G[j][k] B^T[j][t], the factor of g_k d_t in y_i. */
static rational bilinear_coefficient(const sk_reference_winograd *winograd, size_t i, size_t k, size_t t) {
  rational sum = integer(0);
  for (size_t j = 0; j < winograd->alpha; j++) {
    rational product = sk_reference_rational_multiply(winograd->output[i][j], winograd->filter[j][k]);
    product = sk_reference_rational_multiply(product, winograd->input[j][t]);
    sum = sk_reference_rational_add(sum, product);
  }
  return sum;
}

bool sk_reference_winograd_is_exact(const sk_reference_winograd *winograd) {
  for (size_t i = 0; i < winograd->outputs; i++) {
    for (size_t k = 0; k < winograd->taps; k++) {
      for (size_t t = 0; t < winograd->alpha; t++) {
        rational expected = integer(t == winograd->stride * i + k ? 1 : 0);
        if (sk_reference_rational_compare(bilinear_coefficient(winograd, i, k, t), expected) != 0) return false;
      }
    }
  }
  return true;
}

/* ---- Transforms -------------------------------------------------------------------------------------------- */

typedef struct real_matrix {
  size_t rows, columns;
  double at[MAX][MAX];
} real_matrix;

static real_matrix to_real(size_t rows, size_t columns, const rational matrix[MAX][MAX]) {
  real_matrix real = {.rows = rows, .columns = columns};
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < columns; j++) real.at[i][j] = sk_reference_rational_to_double(matrix[i][j]);
  }
  return real;
}

static real_matrix input_matrix(const sk_reference_winograd *winograd) {
  return to_real(winograd->alpha, winograd->alpha, winograd->input);
}

static real_matrix filter_matrix(const sk_reference_winograd *winograd) {
  return to_real(winograd->alpha, winograd->taps, winograd->filter);
}

static real_matrix output_matrix(const sk_reference_winograd *winograd) {
  return to_real(winograd->outputs, winograd->alpha, winograd->output);
}

/* Form M x. x: [columns]; y: [rows]. */
static void multiply_vector(real_matrix m, const double *x, double *y) {
  for (size_t i = 0; i < m.rows; i++) {
    y[i] = 0;
    for (size_t j = 0; j < m.columns; j++) y[i] += m.at[i][j] * x[j];
  }
}

/* Form M x N^T. x: [columns of M][columns of N]; y: [rows of M][rows of N]. */
static void multiply_both_sides(real_matrix m, real_matrix n, const double *x, double *y) {
  double half[MAX][MAX] = {{0}}; /* M x */
  for (size_t i = 0; i < m.rows; i++) {
    for (size_t j = 0; j < n.columns; j++) {
      for (size_t l = 0; l < m.columns; l++) half[i][j] += m.at[i][l] * x[l * n.columns + j];
    }
  }
  for (size_t i = 0; i < m.rows; i++) multiply_vector(n, half[i], y + i * n.rows);
}

void sk_reference_winograd_input_1d(const sk_reference_winograd *winograd, const double *d, double *v) {
  multiply_vector(input_matrix(winograd), d, v);
}

void sk_reference_winograd_filter_1d(const sk_reference_winograd *winograd, const double *g, double *u) {
  multiply_vector(filter_matrix(winograd), g, u);
}

void sk_reference_winograd_output_1d(const sk_reference_winograd *winograd, const double *p, double *y) {
  multiply_vector(output_matrix(winograd), p, y);
}

void sk_reference_winograd_input_2d(const sk_reference_winograd *down, const sk_reference_winograd *along,
                                    const double *d, double *v) {
  multiply_both_sides(input_matrix(down), input_matrix(along), d, v);
}

void sk_reference_winograd_filter_2d(const sk_reference_winograd *down, const sk_reference_winograd *along,
                                     const double *g, double *u) {
  multiply_both_sides(filter_matrix(down), filter_matrix(along), g, u);
}

void sk_reference_winograd_output_2d(const sk_reference_winograd *down, const sk_reference_winograd *along,
                                     const double *p, double *y) {
  multiply_both_sides(output_matrix(down), output_matrix(along), p, y);
}

/* ---- Error bounds ------------------------------------------------------------------------------------------ */

static real_matrix absolute(real_matrix m) {
  for (size_t i = 0; i < m.rows; i++) {
    for (size_t j = 0; j < m.columns; j++) m.at[i][j] = fabs(m.at[i][j]);
  }
  return m;
}

double sk_reference_winograd_amplification(const sk_reference_winograd *winograd) {
  double ones[MAX];
  double filter_sums[MAX], input_sums[MAX], products[MAX], amplifications[MAX];
  for (size_t j = 0; j < MAX; j++) ones[j] = 1;

  multiply_vector(absolute(filter_matrix(winograd)), ones, filter_sums);
  multiply_vector(absolute(input_matrix(winograd)), ones, input_sums);
  for (size_t j = 0; j < winograd->alpha; j++) products[j] = filter_sums[j] * input_sums[j];
  multiply_vector(absolute(output_matrix(winograd)), products, amplifications);

  double max = 0;
  for (size_t i = 0; i < winograd->outputs; i++) max = fmax(max, amplifications[i]);
  return max;
}

/* Read the absolute value of x[in_height][in_width] at a row and column of the padded input. Tiles at the lower and
 * right edges reach beyond the padding too; all of that is zero. */
static double absolute_input(const sk_conv_shape *shape, const double *plane, size_t row, size_t column) {
  bool in_rows = row >= shape->pad_top && row < shape->pad_top + shape->in_height;
  bool in_columns = column >= shape->pad_left && column < shape->pad_left + shape->in_width;
  if (!in_rows || !in_columns) return 0;
  return fabs(plane[(row - shape->pad_top) * shape->in_width + (column - shape->pad_left)]);
}

/* Compute the output magnitudes of the tile whose first input is (row, column), without bias.
 * image: [in_channels][in_height][in_width]; kernels: [in_channels][taps][taps]; tile: [outputs][outputs]. */
static void tile_magnitude(const sk_reference_winograd *winograd, const sk_conv_shape *shape, const double *image,
                           const double *kernels, size_t row, size_t column, double *tile) {
  size_t alpha = winograd->alpha;
  size_t kernel_size = winograd->taps * winograd->taps;
  real_matrix input = absolute(input_matrix(winograd));
  real_matrix filter = absolute(filter_matrix(winograd));
  real_matrix output = absolute(output_matrix(winograd));
  double sums[MAX * MAX] = {0};

  for (size_t c = 0; c < shape->in_channels; c++) {
    const double *plane = image + c * shape->in_height * shape->in_width;
    double d[MAX * MAX] = {0}, g[MAX * MAX] = {0}, v[MAX * MAX], u[MAX * MAX];
    for (size_t i = 0; i < alpha; i++) {
      for (size_t j = 0; j < alpha; j++) d[i * alpha + j] = absolute_input(shape, plane, row + i, column + j);
    }
    for (size_t k = 0; k < kernel_size; k++) g[k] = fabs(kernels[c * kernel_size + k]);
    multiply_both_sides(input, input, d, v);
    multiply_both_sides(filter, filter, g, u);
    for (size_t p = 0; p < alpha * alpha; p++) sums[p] += u[p] * v[p];
  }
  multiply_both_sides(output, output, sums, tile);
}

/* Copy a tile[outputs][outputs] plus bias to plane[height][width] at (row, column), as far as it fits. */
static void store_tile(size_t outputs, const double *tile, double bias, size_t height, size_t width, size_t row,
                       size_t column, double *plane) {
  for (size_t i = 0; i < outputs && row + i < height; i++) {
    for (size_t j = 0; j < outputs && column + j < width; j++) {
      /* tile_magnitude has filled the tile. NOLINTNEXTLINE(clang-analyzer-core.*) */
      plane[(row + i) * width + column + j] = tile[i * outputs + j] + fabs(bias);
    }
  }
}

void sk_reference_winograd_magnitude(const sk_reference_winograd *winograd, const sk_conv_shape *shape, const double *x,
                                     const double *weights, const double *bias, double *magnitude) {
  size_t m = winograd->outputs;
  size_t height, width;
  sk_reference_conv_output_size(shape, &height, &width);
  size_t image_size = shape->in_channels * shape->in_height * shape->in_width;
  size_t kernels_size = shape->in_channels * winograd->taps * winograd->taps;

  for (size_t n = 0; n < shape->batch; n++) {
    for (size_t k = 0; k < shape->out_channels; k++) {
      double *plane = magnitude + (n * shape->out_channels + k) * height * width;
      for (size_t row = 0; row < height; row += m) {
        for (size_t column = 0; column < width; column += m) {
          double tile[MAX * MAX];
          tile_magnitude(winograd, shape, x + n * image_size, weights + k * kernels_size, row * winograd->stride,
                         column * winograd->stride, tile);
          store_tile(m, tile, bias ? bias[k] : 0, height, width, row, column, plane);
        }
      }
    }
  }
}

/* ---- Point sets -------------------------------------------------------------------------------------------- */

const sk_reference_winograd_points sk_reference_winograd_point_sets[] = {
    {"F(2,3) 0 1 -1", 2, 3, 1, {{0, 1}, {1, 1}, {-1, 1}}},

    /* Lavin and Gray */
    {"F(4,3) 0 1 -1 2 -2", 4, 3, 1, {{0, 1}, {1, 1}, {-1, 1}, {2, 1}, {-2, 1}}},
    {"F(4,3) 0 2/3 -2/3 3/2 -3/2", 4, 3, 1, {{0, 1}, {2, 3}, {-2, 3}, {3, 2}, {-3, 2}}},
    /* Near the former, and every coefficient of A^T and B^T is a float */
    {"F(4,3) 0 5/8 -5/8 3/2 -3/2", 4, 3, 1, {{0, 1}, {5, 8}, {-5, 8}, {3, 2}, {-3, 2}}},
    {"F(4,3) 0 1/2 -1/2 3/2 -3/2", 4, 3, 1, {{0, 1}, {1, 2}, {-1, 2}, {3, 2}, {-3, 2}}},
    /* Barabasz et al. */
    {"F(4,3) 0 -1 1 1/2 -2", 4, 3, 1, {{0, 1}, {-1, 1}, {1, 1}, {1, 2}, {-2, 1}}},

    /* The usual points, and those of Barabasz et al. */
    {"F(6,3) 0 1 -1 2 -2 1/2 -1/2", 6, 3, 1, {{0, 1}, {1, 1}, {-1, 1}, {2, 1}, {-2, 1}, {1, 2}, {-1, 2}}},
    {"F(6,3) 0 1 -1 3/2 -3/2 2/3 -2/3", 6, 3, 1, {{0, 1}, {1, 1}, {-1, 1}, {3, 2}, {-3, 2}, {2, 3}, {-2, 3}}},
    {"F(6,3) 0 1 -1 7/4 -7/4 1/2 -1/2", 6, 3, 1, {{0, 1}, {1, 1}, {-1, 1}, {7, 4}, {-7, 4}, {1, 2}, {-1, 2}}},

    {"F(2,3) stride 2 1 -1", 2, 3, 2, {{1, 1}, {-1, 1}}},
    {"F(2,3) stride 2 1/2 -1/2", 2, 3, 2, {{1, 2}, {-1, 2}}},
    {"F(2,3) stride 2 3/4 -3/4", 2, 3, 2, {{3, 4}, {-3, 4}}},
    {"F(4,3) stride 2 1 -1 2 -2", 4, 3, 2, {{1, 1}, {-1, 1}, {2, 1}, {-2, 1}}},
    {"F(4,3) stride 2 1/2 -1/2 1 -1", 4, 3, 2, {{1, 2}, {-1, 2}, {1, 1}, {-1, 1}}},
    {"F(4,3) stride 2 2/3 -2/3 3/2 -3/2", 4, 3, 2, {{2, 3}, {-2, 3}, {3, 2}, {-3, 2}}},
    {"F(4,3) stride 2 1/2 -1/2 3/2 -3/2", 4, 3, 2, {{1, 2}, {-1, 2}, {3, 2}, {-3, 2}}},
    {"F(4,3) stride 2 1/2 -1/2 5/4 -5/4", 4, 3, 2, {{1, 2}, {-1, 2}, {5, 4}, {-5, 4}}},
    {"F(4,3) stride 2 3/8 -3/8 5/4 -5/4", 4, 3, 2, {{3, 8}, {-3, 8}, {5, 4}, {-5, 4}}},
};

const size_t sk_reference_winograd_point_set_count =
    sizeof sk_reference_winograd_point_sets / sizeof sk_reference_winograd_point_sets[0];
