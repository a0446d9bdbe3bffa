/* Cases for the Winograd transforms: each against its exact matrices, and against the bits of its expressions. */
#include <math.h>
#include <string.h>

#include "bench/verify_bounds.h"
#include "bench/verify_internal.h"
#include "bench/verify_transforms.h"
#include "bench/verify_winograd_output.h"
#include "dispatch/winograd_filter.h"

enum {
  MAX_ALPHA = SK_REFERENCE_WINOGRAD_MAX_ALPHA,
  MAX_POINTS = MAX_ALPHA * MAX_ALPHA,
  MAX_TAPS = SK_WINOGRAD_TAPS * SK_WINOGRAD_TAPS
};

struct winograd_case {
  size_t m, stride, taps;
  size_t rows, columns; /* of the tile that exist: inputs or outputs */
  sk_reference_winograd exact, absolute;
  struct dimension {
    sk_reference_winograd exact, absolute;
  } down, along; /* of the tile: trimmed, or as `exact` and `absolute` are */
};

/* Of a dimension's points the finite ones are the first of all; infinity follows those that are left out, and the odd
 * elements follow it. */
static size_t place_in(const struct winograd_case *c, const struct dimension *dimension, size_t j) {
  const size_t outputs = dimension->exact.outputs, finite = c->stride == 2 ? outputs : dimension->exact.alpha - 1;
  return j < finite ? j : j + c->m - outputs;
}

/* The points of the tile, fewer than alpha^2 where it is trimmed, and the number of one among all. */
static size_t tile_points(const struct winograd_case *c) { return c->down.exact.alpha * c->along.exact.alpha; }
static size_t place_point(const struct winograd_case *c, size_t p) {
  const size_t columns = c->along.exact.alpha;
  return place_in(c, &c->down, p / columns) * c->exact.alpha + place_in(c, &c->along, p % columns);
}

/* ---- Input transform ---- */

static sk_winograd_input_fn *input_kernel(const struct sk_kernel_table *k, const struct winograd_case *c) {
  if (c->stride == 2) return c->m == 2 ? k->winograd_input_f2k3s2 : k->winograd_input_f4k3s2;
  return c->m == 2 ? k->winograd_input_f2k3 : c->m == 4 ? k->winograd_input_f4k3 : k->winograd_input_f6k3;
}

struct input_model {
  const struct winograd_case *c;
  enum sk_data data;
  float x[MAX_POINTS][SK_BLOCK];    /* of the tile's points; rows x columns of it exist, the rest is zero */
  float bits[MAX_POINTS][SK_BLOCK]; /* what must come of it */
  double exact[SK_BLOCK][MAX_POINTS], magnitude[SK_BLOCK][MAX_POINTS];
};

/* One lane of an array of pixels as real numbers, and their absolute values. */
static void take_reals(const float pixels[][SK_BLOCK], size_t count, size_t lane, double *real, double *absolute) {
  for (size_t p = 0; p < count; p++) {
    real[p] = (double)pixels[p][lane];
    absolute[p] = fabs(real[p]);
  }
}

static void input_exact(const struct input_model *model, size_t lane, double *v, double *magnitude) {
  const struct dimension *const down = &model->c->down, *const along = &model->c->along;
  double d[MAX_POINTS], absolute[MAX_POINTS];
  take_reals(model->x, tile_points(model->c), lane, d, absolute);
  sk_reference_winograd_input_2d(&down->exact, &along->exact, d, v);
  sk_reference_winograd_input_2d(&down->absolute, &along->absolute, absolute, magnitude);
}

/* One lane of an array of pixels, and back. */
static void take_lane(const float pixels[][SK_BLOCK], size_t count, size_t lane, float *to) {
  for (size_t p = 0; p < count; p++) to[p] = pixels[p][lane];
}
static void put_lane(const float *from, size_t count, size_t lane, float pixels[][SK_BLOCK]) {
  for (size_t p = 0; p < count; p++) pixels[p][lane] = from[p];
}

static void input_bits(struct input_model *model, size_t lane) {
  const struct winograd_case *c = model->c;
  float d[MAX_POINTS], v[MAX_POINTS];
  take_lane((const float(*)[SK_BLOCK])model->x, tile_points(c), lane, d);
  sk_winograd_input_bits(c->m, c->stride, c->down.exact.alpha, c->along.exact.alpha, d, v);
  put_lane(v, tile_points(c), lane, model->bits);
}

static void make_input_model(struct sk_verify *v, const struct winograd_case *c, enum sk_data data,
                             struct input_model *model) {
  const size_t across = c->along.exact.alpha;
  const double largest = sk_winograd_norms(&c->down.exact).input * sk_winograd_norms(&c->along.exact).input;
  const enum sk_part part = data == SK_DATA_OVERFLOW ? SK_PART_ADDEND : SK_PART_X; /* of a sum without weights */
  *model = (struct input_model){.c = c, .data = data};
  for (size_t p = 0; p < tile_points(c); p++) {
    if (p / across >= c->rows || p % across >= c->columns) continue;
    sk_random_fill_part(&v->random, data, part, largest, model->x[p], SK_BLOCK);
  }
  for (size_t l = 0; l < SK_BLOCK; l++) {
    input_bits(model, l);
    input_exact(model, l, model->exact[l], model->magnitude[l]);
  }
}

static void check_input(struct sk_verify *v, const struct input_model *model,
                        const struct sk_winograd_input_args *args) {
  const struct winograd_case *c = model->c;
  const size_t alpha = c->exact.alpha, points = alpha * alpha;
  const size_t roundings = sk_winograd_transform_roundings(c->m, c->stride);
  const bool few_bits = sk_winograd_has_few_bits(c->down.exact.input) && sk_winograd_has_few_bits(c->along.exact.input);
  const double underflow = sk_winograd_input_underflow(&c->exact);
  const struct sk_region region = {1, 0, points, args->v_point, SK_BLOCK};
  for (size_t p = 0; p < tile_points(c); p++) {
    const size_t place = place_point(c, p);
    for (size_t l = 0; l < SK_BLOCK; l++) {
      const bool exact = model->data == SK_DATA_INTEGERS && few_bits;
      const double bound = exact ? 0 : sk_rounding_bound(roundings, model->magnitude[l][p]) + underflow;
      const struct sk_expected expected = {model->bits[p][l], true, model->exact[l][p], bound};
      float *const value = &args->v[place * args->v_point + l];
      if (!sk_verify_value(v, *value, &expected, "v", place / alpha, place % alpha, l)) return;
      *value = sk_canary(); /* so that no other point is written */
    }
  }
  for (size_t i = 0; i < points * SK_BLOCK; i++) {
    if (sk_is_canary(args->v[i / SK_BLOCK * args->v_point + i % SK_BLOCK])) continue;
    sk_verify_fail(v, "v[%zu][%zu] is written, a point that the tile does not have", i / SK_BLOCK / alpha,
                   i / SK_BLOCK % alpha);
    return;
  }
  sk_verify_only_wrote(v, SK_SLOT_Y, &region);
  sk_verify_inputs_unchanged(v);
}

static void run_input(struct sk_verify *v, const struct input_model *model, size_t v_point, enum sk_guard_side side) {
  const struct winograd_case *c = model->c;
  const size_t mark = v->scratch_count, alpha = c->exact.alpha, x_row = (c->columns + 3) * SK_BLOCK;
  const size_t across = c->along.exact.alpha;
  const size_t floats = (c->rows - 1) * x_row + c->columns * SK_BLOCK;
  float *x = sk_verify_floats(v, floats);
  sk_fill_canaries(x, floats);
  for (size_t i = 0; i < c->rows; i++) {
    memcpy(x + i * x_row, model->x[i * across], c->columns * SK_BLOCK * sizeof(float));
  }
  sk_verify_at(v, "%s, point stride %zu, %s", sk_data_name(model->data), v_point, sk_guard_side_name(side));
  const struct sk_winograd_input_args args = {
      .x = sk_verify_input(v, SK_SLOT_X, x, floats, side),
      .x_row = x_row,
      .rows = c->rows,
      .columns = c->columns,
      .v = sk_verify_output(v, SK_SLOT_Y, (alpha * alpha - 1) * v_point + SK_BLOCK, side),
      .v_point = v_point,
  };
  input_kernel(v->kernels, c)(&args);
  check_input(v, model, &args);
  sk_verify_release(v, mark);
}

static void input_case(struct sk_verify *v, const void *parameters) {
  const struct winograd_case *c = parameters;
  for (enum sk_data data = SK_DATA_INTEGERS; data < SK_DATA_KINDS; data++) {
    struct input_model model;
    if (!sk_verify_takes(v, data, c->rows + c->columns)) continue;
    make_input_model(v, c, data, &model);
    v->data = data;
    for (enum sk_guard_side side = 0; side < SK_GUARD_SIDES && !sk_verify_failed(v); side++) {
      run_input(v, &model, SK_BLOCK, side);
      run_input(v, &model, 5 * SK_BLOCK, side);
    }
  }
}

/* ---- Output transform ---- */

static sk_winograd_output_fn *output_kernel(const struct sk_kernel_table *k, const struct winograd_case *c) {
  if (c->stride == 2) return c->m == 2 ? k->winograd_output_f2k3s2 : k->winograd_output_f4k3s2;
  return c->m == 2 ? k->winograd_output_f2k3 : c->m == 4 ? k->winograd_output_f4k3 : k->winograd_output_f6k3;
}

struct output_model {
  const struct winograd_case *c;
  enum sk_data data;
  enum sk_residual residual_kind;
  enum sk_activation activation;
  float t[MAX_POINTS][SK_BLOCK]; /* of the tile's points */
  float bias[SK_BLOCK];
  float residual[MAX_POINTS][SK_BLOCK]; /* of the tile's outputs, m of a dimension that is not trimmed */
  float bits[MAX_POINTS][SK_BLOCK];     /* likewise */
  double exact[SK_BLOCK][MAX_POINTS], magnitude[SK_BLOCK][MAX_POINTS];
};

static size_t tile_outputs(const struct winograd_case *c) { return c->down.exact.outputs * c->along.exact.outputs; }

/* The exact outputs of a lane with bias and residual, and the sums of their terms' absolute values. */
static void output_exact(const struct output_model *model, size_t lane, double *y, double *magnitude) {
  const struct dimension *const down = &model->c->down, *const along = &model->c->along;
  double t[MAX_POINTS], absolute[MAX_POINTS];
  take_reals(model->t, tile_points(model->c), lane, t, absolute);
  sk_reference_winograd_output_2d(&down->exact, &along->exact, t, y);
  sk_reference_winograd_output_2d(&down->absolute, &along->absolute, absolute, magnitude);
  for (size_t p = 0; p < tile_outputs(model->c); p++) {
    const double bias = (double)model->bias[lane];
    const double residual = model->residual_kind == SK_RESIDUAL_NONE ? 0 : (double)model->residual[p][lane];
    y[p] = sk_activate_exact(model->activation, y[p] + (bias + residual));
    magnitude[p] += fabs(bias) + fabs(residual);
  }
}

/* Bias, residual and activation come after the transform, in this order. */
static void output_bits(struct output_model *model, size_t lane) {
  const struct winograd_case *c = model->c;
  float t[MAX_POINTS], y[MAX_POINTS];
  take_lane((const float(*)[SK_BLOCK])model->t, tile_points(c), lane, t);
  sk_winograd_output_bits(c->m, c->stride, c->down.exact.alpha, c->along.exact.alpha, t, y);
  for (size_t p = 0; p < tile_outputs(c); p++) {
    y[p] += model->bias[lane];
    if (model->residual_kind != SK_RESIDUAL_NONE) y[p] += model->residual[p][lane];
    y[p] = sk_activate(model->activation, y[p]);
  }
  put_lane(y, tile_outputs(c), lane, model->bits);
}

static void make_output_model(struct sk_verify *v, const struct winograd_case *c, enum sk_data data, size_t epilogue,
                              struct output_model *model) {
  *model = (struct output_model){.c = c, .data = data};
  model->residual_kind = (enum sk_residual)(epilogue % SK_RESIDUALS);
  model->activation = (enum sk_activation)(epilogue / SK_RESIDUALS);
  const double norms = sk_winograd_norms(&c->down.exact).output * sk_winograd_norms(&c->along.exact).output;
  const double largest = norms + 2;
  const enum sk_part part = data == SK_DATA_OVERFLOW ? SK_PART_ADDEND : SK_PART_X; /* of a sum without weights */
  sk_random_fill_part(&v->random, data, part, largest, model->t[0], tile_points(c) * SK_BLOCK);
  sk_random_fill_part(&v->random, data, SK_PART_ADDEND, largest, model->bias, SK_BLOCK);
  sk_random_fill_part(&v->random, data, SK_PART_ADDEND, largest, model->residual[0], tile_outputs(c) * SK_BLOCK);
  for (size_t l = 0; l < SK_BLOCK; l++) {
    output_bits(model, l);
    output_exact(model, l, model->exact[l], model->magnitude[l]);
  }
}

static void check_output(struct sk_verify *v, const struct output_model *model,
                         const struct sk_winograd_output_args *args) {
  const struct winograd_case *const c = model->c;
  const size_t roundings = sk_winograd_transform_roundings(c->m, c->stride) + 2; /* bias, residual */
  const bool exact = model->data == SK_DATA_INTEGERS && sk_winograd_has_few_bits(c->exact.output);
  const double underflow = sk_winograd_output_underflow(&c->exact);
  const struct sk_region region = {1, 0, args->rows, args->y_row, args->columns * SK_BLOCK};
  for (size_t i = 0; i < args->rows; i++) {
    for (size_t j = 0; j < args->columns; j++) {
      for (size_t l = 0; l < SK_BLOCK; l++) {
        const size_t p = i * c->along.exact.outputs + j;
        const double bound = exact ? 0 : sk_rounding_bound(roundings, model->magnitude[l][p]) + underflow;
        const struct sk_expected expected = {model->bits[p][l], true, model->exact[l][p], bound};
        if (!sk_verify_value(v, args->y[i * args->y_row + j * SK_BLOCK + l], &expected, "y", i, j, l)) return;
      }
    }
  }
  sk_verify_only_wrote(v, SK_SLOT_Y, &region);
  sk_verify_inputs_unchanged(v);
}

static void run_output(struct sk_verify *v, const struct output_model *model, size_t t_point, enum sk_guard_side side) {
  const struct winograd_case *c = model->c;
  const size_t points = c->exact.alpha * c->exact.alpha, floats = (points - 1) * t_point + SK_BLOCK;
  const size_t mark = v->scratch_count;
  float *t = sk_verify_floats(v, floats);
  sk_fill_canaries(t, floats);
  for (size_t p = 0; p < tile_points(c); p++) {
    memcpy(t + place_point(c, p) * t_point, model->t[p], sizeof model->t[p]);
  }
  sk_verify_at(v, "%s, point stride %zu, %s, %s, %s", sk_data_name(model->data), t_point,
               sk_residual_name(model->residual_kind), sk_activation_name(model->activation), sk_guard_side_name(side));
  const struct sk_winograd_ends ends = {model->activation, model->residual_kind, model->bias, model->residual[0],
                                        c->along.exact.outputs * SK_BLOCK};
  struct sk_winograd_output_args args = sk_winograd_place_output(v, &ends, c->rows, c->columns, side);
  args.t = sk_verify_input(v, SK_SLOT_X, t, floats, side);
  args.t_point = t_point;
  output_kernel(v->kernels, c)(&args);
  check_output(v, model, &args);
  sk_verify_release(v, mark);
}

static void output_case(struct sk_verify *v, const void *parameters) {
  const struct winograd_case *c = parameters;
  for (enum sk_data data = SK_DATA_INTEGERS; data < SK_DATA_KINDS; data++) {
    if (!sk_verify_takes(v, data, c->rows + c->columns)) continue;
    v->data = data;
    for (size_t epilogue = 0; epilogue < SK_ACTIVATIONS * SK_RESIDUALS; epilogue++) {
      struct output_model model;
      make_output_model(v, c, data, epilogue, &model);
      for (enum sk_guard_side side = 0; side < SK_GUARD_SIDES && !sk_verify_failed(v); side++) {
        run_output(v, &model, SK_BLOCK, side);
        run_output(v, &model, 3 * SK_BLOCK, side);
      }
    }
  }
}

/* ---- Filter transform ---- */

/* The rows of G that differ, and where the exact matrices have them: with stride 2 the rows of the odd elements, which
 * come last, are the same one. */
static size_t class_count(const struct winograd_case *c) { return c->m + c->taps - 1; }

/* Where value `i` of [classes][classes] stands among the exact ones, [alpha][alpha]. */
static size_t exact_place(const struct winograd_case *c, size_t i) {
  return i / class_count(c) * c->exact.alpha + i % class_count(c);
}

static struct sk_winograd_filter filter_of(const struct winograd_case *c) {
  return c->taps == 4 ? sk_winograd_filter_f3k4() : sk_winograd_filter_of(c->m, c->stride);
}

/* The matrix itself: done in double. The odd elements' rows of the exact one must be what the last row here stands for.
 */
static void matrix_case(struct sk_verify *v, const void *parameters) {
  const struct winograd_case *c = parameters;
  const struct sk_winograd_filter filter = filter_of(c);
  for (size_t j = 0; j < c->exact.alpha; j++) {
    const size_t class = j < class_count(c) ? j : class_count(c) - 1;
    for (size_t k = 0; k < c->taps; k++) {
      const double g = filter.matrix[class][k], exact = sk_reference_rational_to_double(c->exact.filter[j][k]);
      if (fabs(g - exact) <= 0x1p-48 * fabs(exact)) continue;
      sk_verify_fail(v, "g[%zu][%zu] is %.17g, expected %.17g for point %zu", class, k, g, exact, j);
      return;
    }
  }
}

/* Done once per plan, in double: all but the last rounding is lost in 2^-48 of the terms' magnitude. */
static void filter_case(struct sk_verify *v, const void *parameters) {
  const struct winograd_case *c = parameters;
  const struct sk_winograd_filter filter = filter_of(c);
  const size_t classes = class_count(c), taps = c->taps * c->taps;
  for (size_t n = 0; n < 500 && !sk_verify_failed(v); n++) {
    float w[MAX_TAPS][SK_BLOCK], u[MAX_POINTS][SK_BLOCK];
    const size_t lane = n % SK_BLOCK;
    double real[MAX_TAPS], absolute[MAX_TAPS], exact[MAX_POINTS], magnitude[MAX_POINTS];
    sk_random_fill(&v->random, SK_DATA_REALS, w[0], taps * SK_BLOCK);
    take_reals((const float(*)[SK_BLOCK])w, taps, lane, real, absolute);
    sk_fill_canaries(u[0], MAX_POINTS * SK_BLOCK);
    sk_winograd_filter_transform(&filter, (const float(*)[SK_BLOCK])w, u);
    sk_reference_winograd_filter_2d(&c->exact, &c->exact, real, exact);
    sk_reference_winograd_filter_2d(&c->absolute, &c->absolute, absolute, magnitude);
    for (size_t i = 0; i < classes * classes; i++) {
      const size_t p = exact_place(c, i);
      const double bound = sk_rounding_bound(1, fabs(exact[p])) + 0x1p-48 * magnitude[p];
      const struct sk_expected expected = {.exact = exact[p], .bound = bound};
      if (!sk_verify_value(v, u[i][lane], &expected, "u", n, i / classes, i % classes)) break;
    }
  }
}

/* ---- Cases ---- */

/* The points of the kernels must be a set that reference/ can derive exact matrices from. */
static void points_case(struct sk_verify *v, const void *parameters) {
  const struct winograd_case *c = parameters;
  if (c->exact.alpha > 0) return;
  sk_verify_fail(v, "the points of F(%zu,3) with stride %zu are no set of reference/winograd.c", c->m, c->stride);
}

static struct dimension dimension_of(const struct winograd_case *c, size_t outputs) {
  const sk_reference_winograd exact = sk_winograd_of_tile(&c->exact, outputs);
  return (struct dimension){exact, sk_winograd_absolute(&exact)};
}

static void output_cases_of(struct sk_verify *v, struct winograd_case *c, const char *output_group) {
  for (c->rows = 1; c->rows <= c->m; c->rows++) {
    for (c->columns = 1; c->columns <= c->m; c->columns++) {
      const struct sk_verify_case output = {output_group, NULL, output_case, c};
      c->down = dimension_of(c, c->rows);
      c->along = dimension_of(c, c->columns);
      sk_verify_run(v, &output, "%s/%zux%zu", output_group, c->rows, c->columns);
    }
  }
}

static void transform_cases_of(struct sk_verify *v, struct winograd_case *c, const char *input_group,
                               const char *output_group) {
  const bool trims = dimension_of(c, 1).exact.alpha < c->exact.alpha;
  const size_t fewest = trims ? 3 : 1, step = trims ? c->stride : 1; /* as many inputs as some outputs read, or any */
  for (c->rows = fewest; c->rows <= c->exact.alpha; c->rows += step) {
    for (c->columns = fewest; c->columns <= c->exact.alpha; c->columns += step) {
      const struct sk_verify_case input = {input_group, NULL, input_case, c};
      c->down = dimension_of(c, trims ? (c->rows - 3) / step + 1 : c->m);
      c->along = dimension_of(c, trims ? (c->columns - 3) / step + 1 : c->m);
      sk_verify_run(v, &input, "%s/%zux%zu", input_group, c->rows, c->columns);
    }
  }
  output_cases_of(v, c, output_group);
}

static void cases_of(struct sk_verify *v, size_t m, size_t stride, const char *filter_group, const char *input_group,
                     const char *output_group) {
  struct winograd_case parameters = {.m = m, .stride = stride, .taps = 3};
  const bool found = sk_winograd_exact(m, stride, &parameters.exact);
  if (!found) parameters.exact.alpha = 0;
  const struct sk_verify_case points = {filter_group, NULL, points_case, &parameters};
  const struct sk_verify_case matrix = {filter_group, NULL, matrix_case, &parameters};
  const struct sk_verify_case filters = {filter_group, NULL, filter_case, &parameters};
  sk_verify_run(v, &points, "%s/points", filter_group);
  if (!found) return;
  parameters.absolute = sk_winograd_absolute(&parameters.exact);
  sk_verify_run(v, &matrix, "%s/matrix", filter_group);
  sk_verify_run(v, &filters, "%s/random", filter_group);
  transform_cases_of(v, &parameters, input_group, output_group);
}

/* F(3,4) has the points, and the input transform, of F(4,3); rows of its tiles have cases of their own. */
static void cases_of_f3k4(struct sk_verify *v) {
  struct winograd_case parameters = {.m = 3, .stride = 1, .taps = 4};
  const sk_conv_shape any = {.stride_height = 2};
  if (!sk_conv_matrices(&any, SK_ALGORITHM_WINOGRAD3, &parameters.exact)) return; /* F(4,3)'s case has failed */
  const struct sk_verify_case matrix = {"winograd_filter_f3k4", NULL, matrix_case, &parameters};
  const struct sk_verify_case filters = {"winograd_filter_f3k4", NULL, filter_case, &parameters};
  parameters.absolute = sk_winograd_absolute(&parameters.exact);
  sk_verify_run(v, &matrix, "winograd_filter_f3k4/matrix");
  sk_verify_run(v, &filters, "winograd_filter_f3k4/random");
}

void sk_verify_winograd_kernels(struct sk_verify *v) {
  cases_of(v, 2, 1, "winograd_filter_f2k3", "winograd_input_f2k3", "winograd_output_f2k3");
  cases_of(v, 4, 1, "winograd_filter_f4k3", "winograd_input_f4k3", "winograd_output_f4k3");
  cases_of(v, 6, 1, "winograd_filter_f6k3", "winograd_input_f6k3", "winograd_output_f6k3");
  cases_of_f3k4(v);
  cases_of(v, 2, 2, "winograd_filter_f2k3s2", "winograd_input_f2k3s2", "winograd_output_f2k3s2");
  cases_of(v, 4, 2, "winograd_filter_f4k3s2", "winograd_input_f4k3s2", "winograd_output_f4k3s2");
}
