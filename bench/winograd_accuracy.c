#include "bench/winograd_accuracy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch/cpu.h"

enum { LANES = SK_ACCURACY_LANES, SIDE = SK_ACCURACY_SIDE };

/* ---- Preparing ---- */

/* Coefficients over some elements of a vector; those that are zero are left out. */
struct chain {
  float coefficients[SIDE];
};

/* Rows j and j + 1, of points p and -p, are lead + factor * other and lead - factor * other; a row alone is its lead.
 */
struct input_row {
  struct chain lead, other;
  float factor;
  bool is_pair;
};

/* An output row is a chain over sums (or differences, for odd powers) of the values of a pair, and over other values:
 * pairs have their coefficient in the place of the first. */
struct sk_accuracy_transforms {
  sk_reference_winograd matrices; /* scaled */
  bool starts_pair[SIDE];         /* values j and j + 1 belong to points p and -p */
  struct input_row input[SIDE];
  struct chain output[SIDE];
  double filter[SIDE][3];
};

const char *sk_accuracy_scaling_name(enum sk_accuracy_scaling scaling) {
  static const char *const names[SK_ACCURACY_SCALINGS] = {"none", "integer B", "integer A", "integer A and B"};
  return names[scaling];
}

/* a over the divisor that a and b have in common, times b. */
static int64_t least_common_multiple(int64_t a, int64_t b) { return sk_reference_rational_make(a, b).numerator * b; }

static void scale_by(sk_reference_rational *value, int64_t numerator, int64_t denominator) {
  *value = sk_reference_rational_multiply(*value, sk_reference_rational_make(numerator, denominator));
}

static void divide_filter_row(sk_reference_winograd *w, size_t j, int64_t factor) {
  for (size_t k = 0; k < 3; k++) scale_by(&w->filter[j][k], 1, factor);
}

static void make_input_integer(sk_reference_winograd *w) {
  for (size_t j = 0; j < w->alpha; j++) {
    int64_t factor = 1;
    for (size_t t = 0; t < w->alpha; t++) factor = least_common_multiple(factor, w->input[j][t].denominator);
    for (size_t t = 0; t < w->alpha; t++) scale_by(&w->input[j][t], factor, 1);
    divide_filter_row(w, j, factor);
  }
}

static void make_output_integer(sk_reference_winograd *w) {
  for (size_t j = 0; j < w->alpha; j++) {
    int64_t factor = 1;
    for (size_t i = 0; i < w->outputs; i++) factor = least_common_multiple(factor, w->output[i][j].denominator);
    for (size_t i = 0; i < w->outputs; i++) scale_by(&w->output[i][j], factor, 1);
    divide_filter_row(w, j, factor);
  }
}

static float rounded(sk_reference_rational value) { return (float)sk_reference_rational_to_double(value); }

/* The first row of a pair, its odd part with the point taken out unless factors have made the coefficients integers. */
static void prepare_pair(struct sk_accuracy_transforms *t, size_t j, sk_reference_rational point, bool is_integer) {
  const sk_reference_winograd *w = &t->matrices;
  struct input_row *row = &t->input[j];
  row->is_pair = true;
  row->factor = is_integer ? 1 : rounded(point);
  for (size_t e = 0; e < w->alpha; e++) {
    const sk_reference_rational value = w->input[j][e];
    /* What the rows of p and -p have alike is the even part. */
    const bool is_lead = sk_reference_rational_compare(value, w->input[j + 1][e]) == 0;
    if (is_lead) {
      row->lead.coefficients[e] = rounded(value);
    } else {
      row->other.coefficients[e] = rounded(is_integer ? value : sk_reference_rational_divide(value, point));
    }
  }
}

static void prepare_input(struct sk_accuracy_transforms *t, const sk_reference_rational *points, bool is_integer) {
  for (size_t j = 0; j < t->matrices.alpha; j++) {
    if (t->starts_pair[j]) {
      prepare_pair(t, j, points[j], is_integer);
    } else {
      for (size_t e = 0; e < t->matrices.alpha; e++) {
        t->input[j].lead.coefficients[e] = rounded(t->matrices.input[j][e]);
      }
    }
  }
}

static void prepare_output(struct sk_accuracy_transforms *t) {
  for (size_t i = 0; i < t->matrices.outputs; i++) {
    for (size_t j = 0; j < t->matrices.alpha; j++) {
      const bool is_second = j > 0 && t->starts_pair[j - 1];
      t->output[i].coefficients[j] = is_second ? 0 : rounded(t->matrices.output[i][j]);
    }
  }
}

/* Points p and -p of a set that is symmetric: their rows of B^T differ in signs alone. */
static bool is_pair(const sk_reference_winograd *w, const sk_reference_rational *points, size_t j) {
  if (points[j].numerator == 0 || sk_reference_rational_add(points[j], points[j + 1]).numerator != 0) return false;
  for (size_t e = 0; e < w->alpha; e++) {
    const sk_reference_rational first = w->input[j][e], second = w->input[j + 1][e];
    if (first.denominator != second.denominator || llabs(first.numerator) != llabs(second.numerator)) return false;
  }
  return true;
}

static void find_pairs(struct sk_accuracy_transforms *t, const sk_reference_rational *points, size_t count) {
  for (size_t j = 0; j + 1 < count; j++) t->starts_pair[j] = is_pair(&t->matrices, points, j);
}

struct sk_accuracy_transforms *sk_accuracy_prepare(const sk_reference_winograd_points *set,
                                                   enum sk_accuracy_scaling scaling) {
  struct sk_accuracy_transforms *t = calloc(1, sizeof *t);
  if (!t) abort();
  const bool input = scaling == SK_ACCURACY_INTEGER_INPUT || scaling == SK_ACCURACY_INTEGER_BOTH;
  const bool output = scaling == SK_ACCURACY_INTEGER_OUTPUT || scaling == SK_ACCURACY_INTEGER_BOTH;
  t->matrices = sk_reference_winograd_derive_set(set);
  if (input) make_input_integer(&t->matrices);
  if (output) make_output_integer(&t->matrices);
  find_pairs(t, set->points, set->stride == 2 ? set->outputs : set->outputs + set->taps - 2);
  prepare_input(t, set->points, input);
  prepare_output(t);
  for (size_t j = 0; j < t->matrices.alpha; j++) {
    for (size_t k = 0; k < 3; k++) t->filter[j][k] = sk_reference_rational_to_double(t->matrices.filter[j][k]);
  }
  return t;
}

void sk_accuracy_free(struct sk_accuracy_transforms *transforms) { free(transforms); }

/* ---- Counting ---- */

/* A chain begins with a product, and each further term is a multiply-add; a product with 1 is none. */
static size_t chain_operations(const struct chain *chain, size_t length) {
  size_t terms = 0, last = 0;
  for (size_t e = 0; e < length; e++) {
    if (chain->coefficients[e] == 0) continue;
    terms++;
    last = e;
  }
  return terms == 0 ? 0 : terms - (fabsf(chain->coefficients[last]) == 1);
}

size_t sk_accuracy_operations(const struct sk_accuracy_transforms *t) {
  const size_t alpha = t->matrices.alpha;
  size_t operations = 0;
  for (size_t j = 0; j < alpha; j++) {
    const struct input_row *row = &t->input[j];
    operations += chain_operations(&row->lead, alpha) + chain_operations(&row->other, alpha);
    /* With stride 2 the factor goes into the sum. */
    if (t->matrices.stride == 1 && row->is_pair && row->factor != 1) operations++;
    if (row->is_pair) operations += 4; /* the rows of the pair, its sum and difference in the output transform */
  }
  for (size_t i = 0; i < t->matrices.outputs; i++) operations += chain_operations(&t->output[i], alpha);
  return operations;
}

static size_t inexact(const sk_reference_winograd_matrix matrix) {
  size_t count = 0;
  for (size_t i = 0; i < SIDE; i++) {
    for (size_t j = 0; j < SIDE; j++) {
      const double value = sk_reference_rational_to_double(matrix[i][j]);
      const int64_t denominator = matrix[i][j].denominator;
      count += (double)(float)value != value || (denominator & (denominator - 1)) != 0;
    }
  }
  return count;
}

size_t sk_accuracy_inexact(const struct sk_accuracy_transforms *t) {
  return inexact(t->matrices.input) + inexact(t->matrices.output);
}

/* ---- Simulating ---- */

struct tile_sums {
  double exact[SIDE * SIDE][LANES];  /* direct, double */
  float direct[SIDE * SIDE][LANES];  /* direct, float */
  float product[SIDE * SIDE][LANES]; /* Winograd, float, before the output transform */
};

typedef const float (*input_vector)[LANES];
typedef float (*output_vector)[LANES];

/* Add up a chain, last term first, as kernels do. x: elements, `step` vectors apart. */
static inline __attribute__((always_inline)) void run_chain(const struct chain *chain, size_t length, input_vector x,
                                                            size_t step, float *restrict sum) {
  bool has_begun = false;
  for (size_t l = 0; l < LANES; l++) sum[l] = 0;
  for (size_t e = length; e-- > 0;) {
    const float c = chain->coefficients[e];
    const float *restrict const term = x[e * step];
    if (c == 0) continue;
    for (size_t l = 0; l < LANES; l++) sum[l] = has_begun ? __builtin_fmaf(c, term[l], sum[l]) : c * term[l];
    has_begun = true;
  }
}

static inline __attribute__((always_inline)) void transform_input(const struct sk_accuracy_transforms *t,
                                                                  input_vector x, size_t x_step, output_vector y,
                                                                  size_t y_step) {
  const size_t alpha = t->matrices.alpha;
  for (size_t j = 0; j < alpha; j++) {
    const struct input_row *row = &t->input[j];
    float lead[LANES], other[LANES];
    run_chain(&row->lead, alpha, x, x_step, lead);
    if (!row->is_pair) {
      memcpy(y[j * y_step], lead, sizeof lead);
      continue;
    }
    run_chain(&row->other, alpha, x, x_step, other);
    float *restrict const plus = y[j * y_step];
    float *restrict const minus = y[++j * y_step];
    for (size_t l = 0; l < LANES; l++) {
      const float product = row->factor * other[l];
      const bool fused = t->matrices.stride == 2;
      plus[l] = fused ? __builtin_fmaf(row->factor, other[l], lead[l]) : lead[l] + product;
      minus[l] = fused ? __builtin_fmaf(-row->factor, other[l], lead[l]) : lead[l] - product;
    }
  }
}

static inline __attribute__((always_inline)) void transform_output(const struct sk_accuracy_transforms *t,
                                                                   input_vector x, size_t x_step, output_vector y,
                                                                   size_t y_step) {
  float even[SIDE][LANES], odd[SIDE][LANES];
  for (size_t j = 0; j < t->matrices.alpha; j++) {
    for (size_t l = 0; l < LANES; l++) {
      const float partner = t->starts_pair[j] ? x[(j + 1) * x_step][l] : 0;
      even[j][l] = x[j * x_step][l] + partner;
      odd[j][l] = x[j * x_step][l] - partner;
    }
  }
  for (size_t i = 0; i < t->matrices.outputs; i++) {
    run_chain(&t->output[i], t->matrices.alpha, (input_vector)(i % 2 ? odd : even), 1, y[i * y_step]);
  }
}

/* Each lane's kernel in double, rounded once. */
static inline __attribute__((always_inline)) void transform_filter(const struct sk_accuracy_transforms *t,
                                                                   input_vector g, output_vector u) {
  const size_t alpha = t->matrices.alpha;
  double half[SIDE][3][LANES];
  for (size_t i = 0; i < alpha; i++) {
    const double *const row = t->filter[i];
    for (size_t k = 0; k < 3; k++) {
      for (size_t l = 0; l < LANES; l++) {
        half[i][k][l] = row[0] * (double)g[k][l] + row[1] * (double)g[3 + k][l] + row[2] * (double)g[6 + k][l];
      }
    }
  }
  for (size_t i = 0; i < alpha; i++) {
    for (size_t j = 0; j < alpha; j++) {
      const double *const row = t->filter[j];
      for (size_t l = 0; l < LANES; l++) {
        u[i * alpha + j][l] = (float)(half[i][0][l] * row[0] + half[i][1][l] * row[1] + half[i][2][l] * row[2]);
      }
    }
  }
}

static inline __attribute__((always_inline)) void add_direct(const struct sk_accuracy_transforms *t,
                                                             const struct sk_accuracy_channel *data,
                                                             struct tile_sums *restrict sums) {
  const size_t m = t->matrices.outputs, stride = t->matrices.stride;
  for (size_t o = 0; o < m * m; o++) {
    for (size_t k = 0; k < 9; k++) {
      const float *restrict const x = data->d[(stride * (o / m) + k / 3) * SIDE + stride * (o % m) + k % 3];
      for (size_t l = 0; l < LANES; l++) {
        sums->exact[o][l] += (double)data->g[k][l] * (double)x[l];
        sums->direct[o][l] = __builtin_fmaf(data->g[k][l], x[l], sums->direct[o][l]);
      }
    }
  }
}

static inline __attribute__((always_inline)) void add_winograd(const struct sk_accuracy_transforms *t,
                                                               const struct sk_accuracy_channel *data,
                                                               struct tile_sums *restrict sums) {
  const size_t alpha = t->matrices.alpha;
  float columns[SIDE * SIDE][LANES], v[SIDE * SIDE][LANES], u[SIDE * SIDE][LANES];
  for (size_t j = 0; j < alpha; j++) transform_input(t, data->d + j, SIDE, columns + j, SIDE);
  for (size_t i = 0; i < alpha; i++) transform_input(t, (input_vector)(columns + i * SIDE), 1, v + i * alpha, 1);
  transform_filter(t, data->g, u);
  for (size_t p = 0; p < alpha * alpha; p++) {
    for (size_t l = 0; l < LANES; l++) sums->product[p][l] = __builtin_fmaf(u[p][l], v[p][l], sums->product[p][l]);
  }
}

static inline __attribute__((always_inline)) void add_channel(const struct sk_accuracy_transforms *t,
                                                              const struct sk_accuracy_channel *data,
                                                              struct tile_sums *sums) {
  add_direct(t, data, sums);
  add_winograd(t, data, sums);
}

/* Compiled twice, with the instruction and without: calls of fmaf take minutes where these take seconds. */
#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void add_channel_with_fma(const struct sk_accuracy_transforms *t,
                                                                     const struct sk_accuracy_channel *data,
                                                                     struct tile_sums *sums) {
  add_channel(t, data, sums);
}
#endif

static void add_channel_plainly(const struct sk_accuracy_transforms *t, const struct sk_accuracy_channel *data,
                                struct tile_sums *sums) {
  add_channel(t, data, sums);
}

/* ---- Measuring ---- */

void sk_accuracy_draw_uniform(void *user, size_t channel, struct sk_accuracy_channel *data) {
  struct sk_accuracy_uniform *uniform = user;
  (void)channel;
  float *const d = data->d[0];
  float *const g = data->g[0];
  for (size_t i = 0; i < sizeof data->d / sizeof *d; i++) {
    const float unit = (float)(sk_random_next(&uniform->random) >> 40) * 0x1p-24F;
    d[i] = uniform->low + (1 - uniform->low) * unit;
  }
  for (size_t i = 0; i < sizeof data->g / sizeof *g; i++) {
    g[i] = (float)((int64_t)(sk_random_next(&uniform->random) >> 40) - 0x800000) * 0x1p-23F;
  }
}

struct totals {
  double squares, max;
};

static void add_to(struct totals *totals, double value) {
  totals->squares += value * value;
  totals->max = fmax(totals->max, fabs(value));
}

/* Transform the products back and add the errors of all outputs. */
static void finish_tiles(const struct sk_accuracy_transforms *t, const struct tile_sums *sums, struct totals *reference,
                         struct totals *winograd, struct totals *direct) {
  const size_t alpha = t->matrices.alpha, m = t->matrices.outputs;
  float half[SIDE * SIDE][LANES], y[SIDE * SIDE][LANES];
  for (size_t j = 0; j < alpha; j++) transform_output(t, sums->product + j, alpha, half + j, alpha);
  for (size_t i = 0; i < m; i++) transform_output(t, (input_vector)(half + i * alpha), 1, y + i * m, 1);
  for (size_t o = 0; o < m * m; o++) {
    for (size_t l = 0; l < LANES; l++) {
      add_to(reference, sums->exact[o][l]);
      add_to(winograd, (double)y[o][l] - sums->exact[o][l]);
      add_to(direct, (double)sums->direct[o][l] - sums->exact[o][l]);
    }
  }
}

struct sk_accuracy sk_accuracy_measure(const struct sk_accuracy_transforms *transforms, size_t channels, size_t groups,
                                       sk_accuracy_source *source, void *user) {
  void (*add)(const struct sk_accuracy_transforms *, const struct sk_accuracy_channel *, struct tile_sums *) =
      add_channel_plainly;
#if defined(__x86_64__)
  if (sk_cpu_runs_avx2()) add = add_channel_with_fma;
#endif
  struct totals reference = {0}, winograd = {0}, direct = {0};
  for (size_t n = 0; n < groups; n++) {
    struct tile_sums sums = {0};
    for (size_t c = 0; c < channels; c++) {
      struct sk_accuracy_channel data;
      source(user, c, &data);
      add(transforms, &data, &sums);
    }
    finish_tiles(transforms, &sums, &reference, &winograd, &direct);
  }
  const double norm = sqrt(reference.squares);
  return (struct sk_accuracy){.l2 = sqrt(winograd.squares) / norm,
                              .max = winograd.max / reference.max,
                              .direct_l2 = sqrt(direct.squares) / norm,
                              .direct_max = direct.max / reference.max};
}
