/* Cases for pooling, dense, softmax, elementwise and layout kernels, against their contracts written out plainly. */
#include <math.h>
#include <string.h>

#include "bench/verify_bounds.h"
#include "bench/verify_internal.h"
#include "reference/reference.h"

static const char *side_name(enum sk_guard_side side) {
  return side == SK_GUARD_AFTER ? "guard after" : "guard before";
}

/* A plane of NCHW16c with `gap` pixels of poison between rows, copied from plain[rows][columns][16]. */
static float *lay_out(struct sk_verify *v, const float *plain, size_t rows, size_t columns, size_t gap,
                      size_t *floats) {
  const size_t width = columns * SK_BLOCK, row = width + gap * SK_BLOCK;
  *floats = (rows - 1) * row + width;
  float *plane = sk_verify_floats(v, *floats);
  sk_fill_canaries(plane, *floats);
  for (size_t i = 0; i < rows; i++) memcpy(plane + i * row, plain + i * width, width * sizeof(float));
  return plane;
}

/* Check y[rows][columns][16], `y_row` apart, all bits known and, with `magnitude`, bounded too. */
struct plane_check {
  const float *y;
  size_t rows, columns, y_row;
  const float *bits;       /* [rows][columns][16] */
  const double *exact;     /* likewise, or NULL */
  const double *magnitude; /* likewise */
  size_t roundings;
};

static void check_plane(struct sk_verify *v, const struct plane_check *c) {
  const struct sk_region region = {1, 0, c->rows, c->y_row, c->columns * SK_BLOCK};
  for (size_t at = 0; at < c->rows * c->columns * SK_BLOCK; at++) {
    const size_t i = at / (c->columns * SK_BLOCK), j = at / SK_BLOCK % c->columns, l = at % SK_BLOCK;
    struct sk_expected expected = {c->bits[at], true, 0, INFINITY};
    if (c->exact) expected.exact = c->exact[at];
    if (c->exact) expected.bound = sk_rounding_bound(c->roundings, c->magnitude[at]);
    if (!sk_verify_value(v, c->y[i * c->y_row + j * SK_BLOCK + l], &expected, "y", i, j, l)) return;
  }
  sk_verify_only_wrote(v, SK_SLOT_Y, &region);
  sk_verify_inputs_unchanged(v);
}

/* ---- Max and average pool ---- */

struct pool_case {
  struct sk_pool_args args; /* sizes only */
  bool average;
};

/* One output by the contract, and its real value with the sum of its terms' absolute values. */
struct pooled {
  float bits;
  double exact, magnitude;
  size_t count; /* taps on the plane */
};

static struct pooled pool_window(const struct pool_case *c, const float *x, size_t i, size_t j, size_t lane) {
  const struct sk_pool_args *a = &c->args;
  struct pooled p = {c->average ? 0 : -INFINITY, 0, 0, 0};
  for (size_t tap = 0; tap < a->kernel_height * a->kernel_width; tap++) {
    const size_t r = tap / a->kernel_width, s = tap % a->kernel_width;
    const size_t row = i * a->stride_height + r * a->dilation_height;
    const size_t column = j * a->stride_width + s * a->dilation_width;
    if (row < a->pad_top || row >= a->pad_top + a->in_height) continue;
    if (column < a->pad_left || column >= a->pad_left + a->in_width) continue;
    const float value = x[((row - a->pad_top) * a->in_width + column - a->pad_left) * SK_BLOCK + lane];
    if (c->average) {
      p.bits += value;
      p.exact += (double)value;
      p.magnitude += fabs((double)value);
    } else if (value > p.bits || isnan(value)) {
      p.bits = value;
    }
    p.count++;
  }
  return p;
}

/* Cells of a window within the padded plane, along one dimension. */
static size_t padded_cells(size_t index, size_t stride, size_t kernel, size_t padded) {
  size_t cells = 0;
  for (size_t r = 0; r < kernel; r++) cells += index * stride + r < padded;
  return cells;
}

static struct pooled pool_output(const struct pool_case *c, const float *x, size_t i, size_t j, size_t lane) {
  const struct sk_pool_args *a = &c->args;
  struct pooled p = pool_window(c, x, i, j, lane);
  if (!c->average) {
    p.exact = (double)p.bits;
    return p;
  }
  const size_t rows = padded_cells(i, a->stride_height, a->kernel_height, a->in_height + a->pad_top + a->pad_bottom);
  const size_t columns = padded_cells(j, a->stride_width, a->kernel_width, a->in_width + a->pad_left + a->pad_right);
  const size_t count = a->count_include_pad ? rows * columns : p.count;
  p.bits /= (float)count;
  p.exact /= (double)count;
  p.magnitude /= (double)count;
  return p;
}

static void run_pool(struct sk_verify *v, const struct pool_case *c, enum sk_data data) {
  struct sk_pool_args a = c->args;
  const size_t outputs = a.out_height * a.out_width * SK_BLOCK, mark = v->scratch_count;
  float *plain = sk_verify_random_floats(v, data, a.in_height * a.in_width * SK_BLOCK);
  float *bits = sk_verify_floats(v, outputs);
  double *exact = sk_verify_scratch(v, outputs * sizeof *exact),
         *magnitude = sk_verify_scratch(v, outputs * sizeof *exact);
  for (size_t at = 0; at < outputs; at++) {
    const size_t pixel = at / SK_BLOCK;
    const struct pooled p = pool_output(c, plain, pixel / a.out_width, pixel % a.out_width, at % SK_BLOCK);
    bits[at] = p.bits;
    exact[at] = p.exact;
    magnitude[at] = p.magnitude;
  }
  size_t floats;
  const float *x = lay_out(v, plain, a.in_height, a.in_width, 2, &floats);
  a.x_row = (a.in_width + 2) * SK_BLOCK;
  a.y_row = (a.out_width + 3) * SK_BLOCK;
  for (enum sk_guard_side side = 0; side < SK_GUARD_SIDES && !sk_verify_failed(v); side++) {
    sk_verify_at(v, "%s, %s", sk_data_name(data), side_name(side));
    a.x = sk_verify_input(v, SK_SLOT_X, x, floats, side);
    a.y = sk_verify_output(v, SK_SLOT_Y, (a.out_height - 1) * a.y_row + a.out_width * SK_BLOCK, side);
    (c->average ? v->kernels->average_pool : v->kernels->max_pool)(&a);
    const struct plane_check check = {a.y,         a.out_height,
                                      a.out_width, a.y_row,
                                      bits,        data == SK_DATA_SPECIAL ? NULL : exact,
                                      magnitude,   a.kernel_height * a.kernel_width + 1};
    check_plane(v, &check);
  }
  sk_verify_release(v, mark);
}

static void pool_case(struct sk_verify *v, const void *parameters) {
  for (enum sk_data data = 0; data < SK_DATA_KINDS; data++) run_pool(v, parameters, data);
}

/* Outputs along one dimension by torch's rule; 0 if the window does not fit. */
static size_t pooled_size(size_t in, size_t kernel, size_t stride, size_t dilation, size_t before, size_t after,
                          bool ceil_mode) {
  const size_t window = dilation * (kernel - 1) + 1;
  if (in + before + after < window) return 0;
  const size_t span = in + before + after - window;
  const size_t out = (ceil_mode ? (span + stride - 1) / stride : span / stride) + 1;
  return ceil_mode && (out - 1) * stride >= in + before ? out - 1 : out;
}

/* A window: kernel, stride, dilation, padding before and after, along the height and the width. */
struct window {
  size_t kernel[2], stride[2], dilation[2], before[2], after[2];
};

static const struct window windows[] = {
    {{1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}}, {{1, 1}, {2, 2}, {1, 1}, {0, 0}, {0, 0}},
    {{2, 2}, {2, 2}, {1, 1}, {0, 0}, {0, 0}}, {{2, 2}, {1, 1}, {1, 1}, {1, 1}, {0, 0}},
    {{3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}}, {{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
    {{3, 3}, {3, 3}, {1, 1}, {0, 1}, {1, 0}}, {{3, 2}, {2, 1}, {1, 1}, {1, 0}, {1, 1}},
    {{2, 5}, {1, 3}, {1, 1}, {1, 2}, {0, 2}}, {{4, 4}, {3, 3}, {1, 1}, {2, 2}, {2, 2}},
    {{3, 3}, {1, 1}, {2, 2}, {1, 1}, {1, 1}}, {{3, 3}, {2, 2}, {2, 3}, {1, 1}, {0, 1}},
    {{2, 3}, {2, 1}, {3, 2}, {1, 1}, {1, 1}}, {{7, 7}, {1, 1}, {1, 1}, {3, 3}, {3, 3}},
    {{5, 5}, {2, 2}, {1, 1}, {2, 2}, {2, 2}}, {{7, 7}, {7, 7}, {1, 1}, {0, 0}, {0, 0}},
};

static void pool_cases_of(struct sk_verify *v, const struct window *w, size_t height, size_t width, bool ceil_mode) {
  struct pool_case parameters = {.args = {
                                     .in_height = height,
                                     .in_width = width,
                                     .out_height = pooled_size(height, w->kernel[0], w->stride[0], w->dilation[0],
                                                               w->before[0], w->after[0], ceil_mode),
                                     .out_width = pooled_size(width, w->kernel[1], w->stride[1], w->dilation[1],
                                                              w->before[1], w->after[1], ceil_mode),
                                     .kernel_height = w->kernel[0],
                                     .kernel_width = w->kernel[1],
                                     .stride_height = w->stride[0],
                                     .stride_width = w->stride[1],
                                     .dilation_height = w->dilation[0],
                                     .dilation_width = w->dilation[1],
                                     .pad_top = w->before[0],
                                     .pad_bottom = w->after[0],
                                     .pad_left = w->before[1],
                                     .pad_right = w->after[1],
                                 }};
  if (parameters.args.out_height == 0 || parameters.args.out_width == 0) return;
  const bool dilated = w->dilation[0] > 1 || w->dilation[1] > 1;
  for (size_t kind = 0; kind < (dilated ? 1 : 3); kind++) {
    static const char *const names[] = {"max_pool", "average_pool", "average_pool"};
    parameters.average = kind > 0;
    parameters.args.count_include_pad = kind == 2;
    const struct sk_verify_case c = {names[kind], NULL, pool_case, &parameters};
    sk_verify_run(v, &c, "%s/k%zux%zu-s%zux%zu-d%zux%zu-p%zu-%zu-%zu-%zu/%zux%zu%s%s", names[kind], w->kernel[0],
                  w->kernel[1], w->stride[0], w->stride[1], w->dilation[0], w->dilation[1], w->before[0], w->after[0],
                  w->before[1], w->after[1], height, width, ceil_mode ? "/ceil" : "", kind == 2 ? "/include-pad" : "");
  }
}

/* ---- Global average pool ---- */

struct area {
  size_t height, width;
};

static void run_global_pool(struct sk_verify *v, const struct area *size, enum sk_data data) {
  const size_t pixels = size->height * size->width, mark = v->scratch_count;
  const float *plain = sk_verify_random_floats(v, data, pixels * SK_BLOCK);
  float bits[SK_BLOCK] = {0};
  double exact[SK_BLOCK] = {0}, magnitude[SK_BLOCK] = {0};
  for (size_t at = 0; at < pixels * SK_BLOCK; at++) {
    bits[at % SK_BLOCK] += plain[at];
    exact[at % SK_BLOCK] += (double)plain[at] / (double)pixels;
    magnitude[at % SK_BLOCK] += fabs((double)plain[at]) / (double)pixels;
  }
  for (size_t l = 0; l < SK_BLOCK; l++) bits[l] /= (float)pixels;
  size_t floats;
  const float *x = lay_out(v, plain, size->height, size->width, 2, &floats);
  for (enum sk_guard_side side = 0; side < SK_GUARD_SIDES && !sk_verify_failed(v); side++) {
    sk_verify_at(v, "%s, %s", sk_data_name(data), side_name(side));
    const float *placed = sk_verify_input(v, SK_SLOT_X, x, floats, side);
    float *y = sk_verify_output(v, SK_SLOT_Y, SK_BLOCK, side);
    v->kernels->global_average_pool(placed, (size->width + 2) * SK_BLOCK, size->height, size->width, y);
    const struct plane_check check = {y,         1,         1, SK_BLOCK, bits, data == SK_DATA_SPECIAL ? NULL : exact,
                                      magnitude, pixels + 1};
    check_plane(v, &check);
  }
  sk_verify_release(v, mark);
}

static void global_pool_case(struct sk_verify *v, const void *parameters) {
  for (enum sk_data data = 0; data < SK_DATA_KINDS; data++) run_global_pool(v, parameters, data);
}

void sk_verify_pool_kernels(struct sk_verify *v) {
  static const struct area sizes[] = {{1, 1}, {1, 7}, {2, 3}, {4, 4}, {5, 9}, {7, 7}, {8, 3}, {12, 13}};
  const size_t count = sizeof sizes / sizeof sizes[0];
  for (size_t w = 0; w < sizeof windows / sizeof windows[0]; w++) {
    for (size_t i = 0; i < 2 * count; i++) {
      pool_cases_of(v, &windows[w], sizes[i / 2].height, sizes[i / 2].width, i % 2 == 1);
    }
  }
  for (size_t i = 0; i < count; i++) {
    const struct sk_verify_case c = {"global_average_pool", NULL, global_pool_case, &sizes[i]};
    sk_verify_run(v, &c, "global_average_pool/%zux%zu", sizes[i].height, sizes[i].width);
  }
}

/* ---- Dense ---- */

static void run_dense(struct sk_verify *v, size_t inputs, size_t panels, enum sk_data data) {
  const size_t outputs = panels * SK_DENSE_PANEL, mark = v->scratch_count;
  const float *x = sk_verify_random_floats(v, data, inputs), *bias = sk_verify_random_floats(v, data, outputs);
  const float *weights = sk_verify_random_floats(v, data, inputs * outputs);
  float *bits = sk_verify_floats(v, outputs);
  double *exact = sk_verify_scratch(v, outputs * sizeof *exact),
         *magnitude = sk_verify_scratch(v, outputs * sizeof *exact);
  for (size_t o = 0; o < outputs; o += SK_BLOCK) {
    struct sk_chain chain;
    const float *panel = weights + o / SK_DENSE_PANEL * inputs * SK_DENSE_PANEL + o % SK_DENSE_PANEL;
    sk_chain_compute(inputs, x, false, panel, SK_DENSE_PANEL, bias + o, &chain);
    memcpy(bits + o, chain.bits, sizeof chain.bits);
    memcpy(exact + o, chain.sum, sizeof chain.sum);
    memcpy(magnitude + o, chain.magnitude, sizeof chain.magnitude);
  }
  for (enum sk_guard_side side = 0; side < SK_GUARD_SIDES && !sk_verify_failed(v); side++) {
    sk_verify_at(v, "%s, %zu panels, %s", sk_data_name(data), panels, side_name(side));
    const struct sk_dense_args args = {
        .x = sk_verify_input(v, SK_SLOT_X, x, inputs, side),
        .inputs = inputs,
        .weights = sk_verify_input(v, SK_SLOT_WEIGHTS, weights, inputs * outputs, side),
        .bias = sk_verify_input(v, SK_SLOT_BIAS, bias, outputs, side),
        .y = sk_verify_output(v, SK_SLOT_Y, outputs, side),
        .panels = panels,
    };
    v->kernels->dense(&args);
    const struct plane_check check = {args.y, 1, outputs / SK_BLOCK, outputs, bits, exact, magnitude, inputs};
    check_plane(v, &check);
  }
  sk_verify_release(v, mark);
}

static void dense_case(struct sk_verify *v, const void *parameters) {
  for (size_t panels = 1; panels <= 3; panels++) {
    for (enum sk_data data = SK_DATA_INTEGERS; data <= SK_DATA_REALS; data++) {
      run_dense(v, *(const size_t *)parameters, panels, data);
    }
  }
}

/* ---- Softmax ---- */

enum logits {
  LOGITS_SMALL,
  LOGITS_WIDE,
  LOGITS_HUGE,
  LOGITS_EQUAL,
  LOGITS_NAN,
  LOGITS_INFINITE,
  LOGITS_LOWEST,
  LOGITS
};
static const char *const logits_names[LOGITS] = {"small", "wide", "huge", "equal", "NaN", "infinite", "all -infinity"};

static void fill_logits(struct sk_verify *v, enum logits kind, float *x, size_t count) {
  sk_random_fill(&v->random, SK_DATA_REALS, x, count);
  const size_t chosen = sk_random_below(&v->random, count);
  for (size_t i = 0; i < count; i++) {
    if (kind == LOGITS_WIDE) x[i] *= 120;
    if (kind == LOGITS_HUGE) x[i] *= 3e38F;
    if (kind == LOGITS_EQUAL) x[i] = -3.25F;
    if (kind == LOGITS_LOWEST) x[i] = -INFINITY;
  }
  if (kind == LOGITS_NAN) x[chosen] = NAN;
  if (kind == LOGITS_INFINITE) x[chosen] = sk_random_below(&v->random, 2) ? INFINITY : -INFINITY;
}

/*
 * How far a probability may be off, relative to itself: u = 2^-24 each for
 *   |x_i - m| times the rounding of x_i - m, which the exponential multiplies by its argument; 2 for SLEEF's 1.0 ULP;
 *   the same of the sum, weighted by its terms; ceil(count/16) - 1 + 4 additions; and the division.
 * Terms below the normal range may be lost altogether: each is below 2^-125, as is the loss in the quotient.
 */
static double softmax_bound(const double *x, size_t count, size_t i, double m) {
  double sum = 0, weighted = 0;
  for (size_t j = 0; j < count; j++) {
    const double e = exp(x[j] - m);
    sum += e;
    if (e > 0) weighted += e * fabs(x[j] - m);
  }
  const double e = exp(x[i] - m), own = e > 0 ? fabs(x[i] - m) : 0;
  const double roundings = own + weighted / sum + 2 + 2 + (double)((count + 15) / 16) + 3 + 1;
  const double nu = 1.01 * roundings * 0x1p-24; /* 1% for products of roundings: own is below 104 */
  return nu * e / sum + (double)(count + 2) * 0x1p-125;
}

static double largest(const double *x, size_t count) {
  double m = -INFINITY;
  for (size_t i = 0; i < count; i++) m = fmax(m, x[i]);
  return m;
}

/* What the row must become; only a few bounds are computed exactly in long rows, for each costs a pass. */
static struct sk_expected *softmax_expected(struct sk_verify *v, const float *x, size_t count) {
  struct sk_expected *expected = sk_verify_scratch(v, count * sizeof *expected);
  double *real = sk_verify_scratch(v, count * sizeof *real), *y = sk_verify_scratch(v, count * sizeof *y);
  float *bits = sk_verify_floats(v, count);
  for (size_t i = 0; i < count; i++) real[i] = (double)x[i];
  sk_reference_softmax(1, count, real, y);
  v->generic->softmax(x, count, bits, v->hardware_fma);
  const double m = largest(real, count);
  for (size_t i = 0; i < count; i++) {
    const bool finite = !isnan(y[i]);
    expected[i] = (struct sk_expected){bits[i], v->hardware_fma, y[i], finite ? softmax_bound(real, count, i, m) : 0};
  }
  return expected;
}

static void run_softmax(struct sk_verify *v, const float *x, size_t count, const struct sk_expected *expected,
                        bool in_place, enum sk_guard_side side) {
  const struct sk_region region = {1, 0, 1, 0, count};
  float *y = sk_verify_output(v, SK_SLOT_Y, count, side);
  const float *from = in_place ? memcpy(y, x, count * sizeof *x) : sk_verify_input(v, SK_SLOT_X, x, count, side);
  v->kernels->softmax(from, count, y, v->hardware_fma);
  for (size_t i = 0; i < count; i++) {
    if (!sk_verify_value(v, y[i], &expected[i], "y", 0, 0, i)) return;
  }
  sk_verify_only_wrote(v, SK_SLOT_Y, &region);
  sk_verify_inputs_unchanged(v);
}

static void softmax_case(struct sk_verify *v, const void *parameters) {
  const size_t count = *(const size_t *)parameters;
  for (enum logits kind = 0; kind < LOGITS; kind++) {
    const size_t mark = v->scratch_count;
    float *x = sk_verify_floats(v, count);
    fill_logits(v, kind, x, count);
    const struct sk_expected *expected = softmax_expected(v, x, count);
    for (size_t way = 0; way < 4 && !sk_verify_failed(v); way++) {
      const enum sk_guard_side side = way % 2 == 0 ? SK_GUARD_AFTER : SK_GUARD_BEFORE;
      sk_verify_at(v, "%s logits, %s, %s", logits_names[kind], way / 2 ? "in place" : "apart", side_name(side));
      run_softmax(v, x, count, expected, way / 2 == 1, side);
    }
    sk_verify_release(v, mark);
  }
}

void sk_verify_dense_kernels(struct sk_verify *v) {
  for (size_t inputs = 1; inputs <= 130; inputs++) {
    const struct sk_verify_case c = {"dense", NULL, dense_case, &inputs};
    sk_verify_run(v, &c, "dense/%zu", inputs);
  }
  for (size_t count = 1; count <= 1001; count++) {
    const bool chosen = count <= 66 || count == 100 || count == 257 || count >= 999;
    if (!chosen && !sk_verify_exhaustive(v)) continue;
    const struct sk_verify_case c = {"softmax", NULL, softmax_case, &count};
    sk_verify_run(v, &c, "softmax/%zu", count);
  }
}

/* ---- Elementwise ---- */

enum operation { OPERATION_ADD, OPERATION_BATCH_NORM, OPERATION_RELU, OPERATIONS };
static const char *const operation_names[OPERATIONS] = {"add", "batch_norm", "relu"};

struct elementwise_case {
  enum operation operation;
  size_t height, width;
};

struct elementwise_model {
  float *a, *b; /* [height][width][16] */
  float scale[SK_BLOCK], shift[SK_BLOCK];
};

static float elementwise_output(const struct elementwise_case *c, const struct elementwise_model *m, size_t at,
                                bool relu) {
  float value = m->a[at];
  if (c->operation == OPERATION_ADD) value += m->b[at];
  if (c->operation == OPERATION_BATCH_NORM)
    value = sk_exact_fma(value, m->scale[at % SK_BLOCK], m->shift[at % SK_BLOCK]);
  return (relu || c->operation == OPERATION_RELU) && value < 0 ? 0 : value;
}

static void call_elementwise(struct sk_verify *v, enum operation operation, const struct sk_elementwise_args *args) {
  const struct sk_kernel_table *k = v->kernels;
  (operation == OPERATION_ADD ? k->add : operation == OPERATION_BATCH_NORM ? k->batch_norm : k->relu)(args);
}

/* y apart from its inputs, y in a, y in b. */
enum place { PLACE_APART, PLACE_IN_A, PLACE_IN_B, PLACES };
static const char *const place_names[PLACES] = {"apart", "in a", "in b"};

/* Place one operand: an input with a gap of its own, or the output's own memory. */
static const float *place_operand(struct sk_verify *v, const struct elementwise_case *c, const float *plain,
                                  enum sk_slot slot, bool in_place, float *y, size_t gap, enum sk_guard_side side,
                                  size_t *row) {
  size_t floats;
  const size_t used_gap = in_place ? 1 : gap;
  const float *plane = lay_out(v, plain, c->height, c->width, used_gap, &floats);
  *row = (c->width + used_gap) * SK_BLOCK;
  return in_place ? memcpy(y, plane, floats * sizeof *y) : sk_verify_input(v, slot, plane, floats, side);
}

static void run_elementwise(struct sk_verify *v, const struct elementwise_case *c, const struct elementwise_model *m,
                            const float *bits, enum place place, bool relu, enum sk_guard_side side) {
  const size_t mark = v->scratch_count;
  struct sk_elementwise_args args = {.height = c->height, .width = c->width, .relu = relu};
  args.y_row = (c->width + 1) * SK_BLOCK;
  args.y = sk_verify_output(v, SK_SLOT_Y, (c->height - 1) * args.y_row + c->width * SK_BLOCK, side);
  args.a = place_operand(v, c, m->a, SK_SLOT_X, place == PLACE_IN_A, args.y, 2, side, &args.a_row);
  if (c->operation == OPERATION_ADD) {
    args.b = place_operand(v, c, m->b, SK_SLOT_RESIDUAL, place == PLACE_IN_B, args.y, 3, side, &args.b_row);
  } else if (c->operation == OPERATION_BATCH_NORM) {
    args.scale = sk_verify_input(v, SK_SLOT_WEIGHTS, m->scale, SK_BLOCK, side);
    args.shift = sk_verify_input(v, SK_SLOT_BIAS, m->shift, SK_BLOCK, side);
  }
  call_elementwise(v, c->operation, &args);
  const struct plane_check check = {args.y, c->height, c->width, args.y_row, bits, NULL, NULL, 0};
  check_plane(v, &check);
  sk_verify_release(v, mark);
}

static void elementwise_case(struct sk_verify *v, const void *parameters) {
  const struct elementwise_case *c = parameters;
  const size_t floats = c->height * c->width * SK_BLOCK;
  float *bits = sk_verify_floats(v, floats);
  for (size_t run = 0; run < SK_DATA_KINDS * 2 * PLACES * SK_GUARD_SIDES && !sk_verify_failed(v); run++) {
    const enum sk_data data = (enum sk_data)(run % SK_DATA_KINDS);
    const bool relu = run / SK_DATA_KINDS % 2 == 1;
    const enum place place = (enum place)(run / SK_DATA_KINDS / 2 % PLACES);
    const enum sk_guard_side side = (enum sk_guard_side)(run / SK_DATA_KINDS / 2 / PLACES);
    if (place == PLACE_IN_B && c->operation != OPERATION_ADD) continue;
    const size_t mark = v->scratch_count;
    struct elementwise_model m = {.a = sk_verify_random_floats(v, data, floats),
                                  .b = sk_verify_random_floats(v, data, floats)};
    sk_random_fill(&v->random, data, m.scale, SK_BLOCK);
    sk_random_fill(&v->random, data, m.shift, SK_BLOCK);
    for (size_t at = 0; at < floats; at++) bits[at] = elementwise_output(c, &m, at, relu);
    sk_verify_at(v, "%s, %s, %s, %s", sk_data_name(data), relu ? "relu" : "no relu", place_names[place],
                 side_name(side));
    run_elementwise(v, c, &m, bits, place, relu, side);
    sk_verify_release(v, mark);
  }
}

void sk_verify_elementwise_kernels(struct sk_verify *v) {
  for (enum operation operation = 0; operation < OPERATIONS; operation++) {
    for (size_t height = 1; height <= 3; height++) {
      for (size_t width = 1; width <= 9; width++) {
        const struct elementwise_case parameters = {operation, height, width};
        const struct sk_verify_case c = {operation_names[operation], NULL, elementwise_case, &parameters};
        sk_verify_run(v, &c, "%s/%zux%zu", operation_names[operation], height, width);
      }
    }
  }
}

/* ---- Layout ---- */

struct layout_case {
  bool to_blocked, nhwc;
  size_t channels, height, width;
};

/* Strides of the plain array, with poison between its channels and rows. Returns its number of floats. */
static size_t plain_strides(const struct layout_case *c, bool spaced, struct sk_layout_args *args) {
  const size_t gap = spaced ? 3 : 0;
  args->plain_pixel = c->nhwc ? c->channels + gap : 1;
  args->plain_row = c->width * args->plain_pixel + gap;
  args->plain_channel = c->nhwc ? 1 : c->height * args->plain_row + gap;
  return (c->channels - 1) * args->plain_channel + (c->height - 1) * args->plain_row +
         (c->width - 1) * args->plain_pixel + 1;
}

static size_t plain_at(const struct sk_layout_args *a, size_t i, size_t j, size_t channel) {
  return channel * a->plain_channel + i * a->plain_row + j * a->plain_pixel;
}

static void check_from_blocked(struct sk_verify *v, const struct layout_case *c, const struct sk_layout_args *a,
                               const float *plain) {
  const struct sk_region pixels = {c->height, a->plain_row, c->width, a->plain_pixel, c->channels};
  const struct sk_region rows = {c->channels, a->plain_channel, c->height, a->plain_row, c->width};
  for (size_t at = 0; at < c->height * c->width * c->channels; at++) {
    const size_t pixel = at / c->channels, i = pixel / c->width, j = pixel % c->width, k = at % c->channels;
    const struct sk_expected expected = {plain[plain_at(a, i, j, k)], true, 0, INFINITY};
    if (!sk_verify_value(v, a->plain[plain_at(a, i, j, k)], &expected, "plain", k, i, j)) return;
  }
  sk_verify_only_wrote(v, SK_SLOT_Y, c->nhwc ? &pixels : &rows);
  sk_verify_inputs_unchanged(v);
}

/* What to_blocked must write: [height][width][16], zeros past the channels; from_blocked reads poison there. */
static float *blocked_pixels(struct sk_verify *v, const struct layout_case *c, const struct sk_layout_args *a,
                             const float *plain) {
  float *blocked = sk_verify_floats(v, c->height * c->width * SK_BLOCK);
  for (size_t at = 0; at < c->height * c->width * SK_BLOCK; at++) {
    const size_t pixel = at / SK_BLOCK, k = at % SK_BLOCK;
    const float past = c->to_blocked ? 0 : sk_canary();
    blocked[at] = k < c->channels ? plain[plain_at(a, pixel / c->width, pixel % c->width, k)] : past;
  }
  return blocked;
}

static void run_layout(struct sk_verify *v, const struct layout_case *c, bool spaced, enum sk_guard_side side) {
  const size_t mark = v->scratch_count;
  struct sk_layout_args a = {.height = c->height, .width = c->width, .channels = c->channels};
  const size_t floats = plain_strides(c, spaced, &a);
  const float *plain = sk_verify_random_floats(v, SK_DATA_SPECIAL, floats);
  const float *pixels = blocked_pixels(v, c, &a, plain);
  a.blocked_row = (c->width + 2) * SK_BLOCK;
  size_t blocked_floats;
  const float *blocked = lay_out(v, pixels, c->height, c->width, 2, &blocked_floats);
  /* One struct serves both directions, so its pointers are not const; what is an input is checked to stay one. */
  if (c->to_blocked) {
    a.plain = (float *)(uintptr_t)sk_verify_input(v, SK_SLOT_X, plain, floats, side);
    a.blocked = sk_verify_output(v, SK_SLOT_Y, blocked_floats, side);
    v->kernels->to_blocked(&a);
    const struct plane_check check = {a.blocked, c->height, c->width, a.blocked_row, pixels, NULL, NULL, 0};
    check_plane(v, &check);
  } else {
    a.blocked = (float *)(uintptr_t)sk_verify_input(v, SK_SLOT_X, blocked, blocked_floats, side);
    a.plain = sk_verify_output(v, SK_SLOT_Y, floats, side);
    v->kernels->from_blocked(&a);
    check_from_blocked(v, c, &a, plain);
  }
  sk_verify_release(v, mark);
}

static void layout_case(struct sk_verify *v, const void *parameters) {
  static const struct area sizes[] = {{1, 1}, {1, 5}, {3, 4}, {7, 7}, {4, 17}};
  struct layout_case c = *(const struct layout_case *)parameters;
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    c.height = sizes[i].height;
    c.width = sizes[i].width;
    for (size_t way = 0; way < 4 && !sk_verify_failed(v); way++) {
      const enum sk_guard_side side = way % 2 == 0 ? SK_GUARD_AFTER : SK_GUARD_BEFORE;
      sk_verify_at(v, "%zux%zu, %s, %s", c.height, c.width, way / 2 ? "spaced" : "dense", side_name(side));
      run_layout(v, &c, way / 2 == 1, side);
    }
  }
}

void sk_verify_layout_kernels(struct sk_verify *v) {
  for (size_t i = 0; i < 4; i++) {
    struct layout_case parameters = {.to_blocked = i / 2 == 0, .nhwc = i % 2 == 1};
    for (parameters.channels = 1; parameters.channels <= SK_BLOCK; parameters.channels++) {
      const char *group = parameters.to_blocked ? "to_blocked" : "from_blocked";
      const struct sk_verify_case c = {group, NULL, layout_case, &parameters};
      sk_verify_run(v, &c, "%s/%s/c%zu", group, parameters.nhwc ? "nhwc" : "nchw", parameters.channels);
    }
  }
}
