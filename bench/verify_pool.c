/* Cases for pooling kernels, against their contracts written out plainly. */
#include <math.h>

#include "bench/verify_plane.h"

/* ---- Max and average pool ---- */

struct pool_case {
  struct sk_pool_args args; /* sizes only; `end` is the height of the outputs */
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
static size_t padded_cells(size_t index, size_t stride, size_t dilation, size_t kernel, size_t padded) {
  size_t cells = 0;
  for (size_t r = 0; r < kernel; r++) cells += index * stride + r * dilation < padded;
  return cells;
}

static struct pooled pool_output(const struct pool_case *c, const float *x, size_t i, size_t j, size_t lane) {
  const struct sk_pool_args *a = &c->args;
  struct pooled p = pool_window(c, x, i, j, lane);
  if (!c->average) {
    p.exact = (double)p.bits;
    return p;
  }
  const size_t rows = padded_cells(i, a->stride_height, a->dilation_height, a->kernel_height,
                                   a->in_height + a->pad_top + a->pad_bottom);
  const size_t columns =
      padded_cells(j, a->stride_width, a->dilation_width, a->kernel_width, a->in_width + a->pad_left + a->pad_right);
  const size_t count = a->count_include_pad ? rows * columns : p.count;
  p.bits /= (float)count;
  p.exact /= (double)count;
  p.magnitude /= (double)count;
  return p;
}

/* Compute the lower rows, then the upper ones, as two threads would. */
static void pool_in_two(struct sk_verify *v, const struct pool_case *c, struct sk_pool_args args) {
  sk_pool_fn *const kernel = c->average ? v->kernels->average_pool : v->kernels->max_pool;
  args.first = args.end / 2;
  kernel(&args);
  args.end = args.first;
  args.first = 0;
  kernel(&args);
}

static void run_pool(struct sk_verify *v, const struct pool_case *c, enum sk_data data) {
  struct sk_pool_args a = c->args;
  v->data = data;
  const size_t height = c->args.end, outputs = height * a.out_width * SK_BLOCK, mark = v->scratch_count;
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
  const float *x = sk_plane_lay_out(v, plain, a.in_height, a.in_width, 2, &floats);
  a.x_row = (a.in_width + 2) * SK_BLOCK;
  a.y_row = (a.out_width + 3) * SK_BLOCK;
  for (enum sk_guard_side side = 0; side < SK_GUARD_SIDES && !sk_verify_failed(v); side++) {
    sk_verify_at(v, "%s, %s", sk_data_name(data), sk_guard_side_name(side));
    a.x = sk_verify_input(v, SK_SLOT_X, x, floats, side);
    a.y = sk_verify_output(v, SK_SLOT_Y, (height - 1) * a.y_row + a.out_width * SK_BLOCK, side);
    pool_in_two(v, c, a);
    const struct sk_plane_check check = {a.y,         height,
                                         a.out_width, a.y_row,
                                         bits,        data == SK_DATA_SPECIAL ? NULL : exact,
                                         magnitude,   c->average ? a.kernel_height * a.kernel_width + 1 : 0,
                                         false};
    sk_plane_check(v, &check);
  }
  sk_verify_release(v, mark);
}

static void pool_case(struct sk_verify *v, const void *parameters) {
  for (enum sk_data data = 0; data <= SK_DATA_REALS; data++) run_pool(v, parameters, data);
}

/* How the size of the output is rounded. */
enum rounding { ROUND_DOWN, ROUND_UP, ROUND_UP_PAST_INPUT, ROUNDINGS };
static const char *const rounding_names[ROUNDINGS] = {"", "/ceil", "/ceil-past-input"};

/* Outputs along one dimension by torch's rule, or ONNX's; 0 if the window does not fit. */
static size_t pooled_size(size_t in, size_t kernel, size_t stride, size_t dilation, size_t before, size_t after,
                          enum rounding rounding) {
  const size_t window = dilation * (kernel - 1) + 1;
  if (in + before + after < window) return 0;
  const size_t span = in + before + after - window;
  if (rounding == ROUND_DOWN) return span / stride + 1;
  const size_t out = (span + stride - 1) / stride + 1;
  const size_t end = in + before + (rounding == ROUND_UP_PAST_INPUT ? after : 0);
  return (out - 1) * stride >= end ? out - 1 : out;
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

/* What ONNX has and torch has not: pads over half of the kernel, dilated averages, windows that begin behind the input.
 */
static const struct window onnx_windows[] = {
    {{3, 3}, {2, 2}, {1, 1}, {2, 2}, {2, 2}}, {{4, 3}, {3, 2}, {1, 1}, {0, 1}, {3, 2}},
    {{2, 2}, {3, 3}, {1, 1}, {1, 1}, {1, 1}}, {{3, 2}, {4, 2}, {2, 3}, {2, 1}, {2, 1}},
    {{3, 3}, {1, 1}, {2, 2}, {2, 2}, {1, 1}},
};

static void pool_cases_of(struct sk_verify *v, const struct window *w, size_t height, size_t width,
                          enum rounding rounding, size_t kinds) {
  struct pool_case parameters = {
      .args = {
          .in_height = height,
          .in_width = width,
          .end = pooled_size(height, w->kernel[0], w->stride[0], w->dilation[0], w->before[0], w->after[0], rounding),
          .out_width =
              pooled_size(width, w->kernel[1], w->stride[1], w->dilation[1], w->before[1], w->after[1], rounding),
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
  if (parameters.args.end == 0 || parameters.args.out_width == 0) return;
  for (size_t kind = 0; kind < kinds; kind++) {
    static const char *const names[] = {"max_pool", "average_pool", "average_pool"};
    parameters.average = kind > 0;
    parameters.args.count_include_pad = kind == 2;
    const struct sk_verify_case c = {names[kind], NULL, pool_case, &parameters};
    sk_verify_run(v, &c, "%s/k%zux%zu-s%zux%zu-d%zux%zu-p%zu-%zu-%zu-%zu/%zux%zu%s%s", names[kind], w->kernel[0],
                  w->kernel[1], w->stride[0], w->stride[1], w->dilation[0], w->dilation[1], w->before[0], w->after[0],
                  w->before[1], w->after[1], height, width, rounding_names[rounding], kind == 2 ? "/include-pad" : "");
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
  const float *x = sk_plane_lay_out(v, plain, size->height, size->width, 2, &floats);
  for (enum sk_guard_side side = 0; side < SK_GUARD_SIDES && !sk_verify_failed(v); side++) {
    sk_verify_at(v, "%s, %s", sk_data_name(data), sk_guard_side_name(side));
    const float *placed = sk_verify_input(v, SK_SLOT_X, x, floats, side);
    float *y = sk_verify_output(v, SK_SLOT_Y, SK_BLOCK, side);
    v->kernels->global_average_pool(placed, (size->width + 2) * SK_BLOCK, size->height, size->width, y);
    const struct sk_plane_check check = {
        y, 1, 1, SK_BLOCK, bits, data == SK_DATA_SPECIAL ? NULL : exact, magnitude, pixels + 1, false};
    sk_plane_check(v, &check);
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
    const bool dilated = windows[w].dilation[0] > 1 || windows[w].dilation[1] > 1;
    for (size_t i = 0; i < 2 * count; i++) {
      pool_cases_of(v, &windows[w], sizes[i / 2].height, sizes[i / 2].width, i % 2 == 1 ? ROUND_UP : ROUND_DOWN,
                    dilated ? 1 : 3);
    }
  }
  for (size_t w = 0; w < sizeof onnx_windows / sizeof onnx_windows[0]; w++) {
    for (enum rounding rounding = ROUND_UP; rounding < ROUNDINGS; rounding++) {
      pool_cases_of(v, &onnx_windows[w], 5, 9, rounding, 3);
      pool_cases_of(v, &onnx_windows[w], 8, 3, rounding, 3);
    }
  }
  for (size_t i = 0; i < count; i++) {
    const struct sk_verify_case c = {"global_average_pool", NULL, global_pool_case, &sizes[i]};
    sk_verify_run(v, &c, "global_average_pool/%zux%zu", sizes[i].height, sizes[i].width);
  }
}
