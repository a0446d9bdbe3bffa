/* Cases for convolution plans by algebra: what holds for every convolution, whatever its reference says. */
#include <math.h>
#include <string.h>

#include "bench/verify_bounds.h"
#include "bench/verify_internal.h"
#include "bench/verify_strassen.h"
#include "dispatch/conv.h"
#include "reference/reference.h"

enum law { LAW_IMPULSE, LAW_SCALE, LAW_SHIFT, LAW_SPREAD, LAWS };
static const char *const law_names[LAWS] = {"impulse", "scale", "shift", "spread"};

struct algebra_case {
  sk_conv_shape shape;
  sk_algorithm algorithm;
  enum law law;
};

struct sizes {
  size_t in_floats, weight_floats, out_floats, out_height, out_width, group_inputs;
};

static struct sizes sizes_of(const sk_conv_shape *s) {
  struct sizes z = {.group_inputs = s->in_channels / s->groups};
  sk_reference_conv_output_size(s, &z.out_height, &z.out_width);
  z.in_floats = s->batch * s->in_channels * s->in_height * s->in_width;
  z.weight_floats = s->out_channels * z.group_inputs * s->kernel_height * s->kernel_width;
  z.out_floats = s->batch * s->out_channels * z.out_height * z.out_width;
  return z;
}

/* Outputs per tile side: results depend on where an output lies in its tile. */
static size_t tile_side(sk_algorithm algorithm) {
  switch (algorithm) {
    case SK_ALGORITHM_WINOGRAD2: return 2;
    case SK_ALGORITHM_WINOGRAD4: return 4;
    case SK_ALGORITHM_WINOGRAD6: return 6;
    case SK_ALGORITHM_WINOGRAD3: return 3;
    default: return 1;
  }
}

static float *convolve(struct sk_verify *v, const struct algebra_case *c, const float *x, const float *weights) {
  const sk_conv_options options = {.isa = v->kernels->isa, .algorithm = c->algorithm, .threads = 1};
  float *y = sk_verify_floats(v, sizes_of(&c->shape).out_floats);
  if (sk_conv_create(&v->plan, &c->shape, weights, NULL, &options)) {
    sk_verify_fail(v, "sk_conv_create: %s", sk_error_message());
    return y;
  }
  void *workspace = sk_verify_scratch(v, sk_conv_workspace_bytes(v->plan));
  if (sk_conv_run(v->plan, x, NULL, y, workspace)) sk_verify_fail(v, "sk_conv_run: %s", sk_error_message());
  sk_conv_destroy(v->plan);
  v->plan = NULL;
  return y;
}

/* ---- Impulse: the answer to a single 1 is the kernel, mirrored ---- */

/* The kernel tap through which output `out` sees input `in` along one dimension; `taps` if none. */
static size_t tap_between(size_t in, size_t out, size_t stride, size_t dilation, size_t pad, size_t taps) {
  const size_t start = out * stride, at = in + pad;
  if (at < start || (at - start) % dilation != 0 || (at - start) / dilation >= taps) return taps;
  return (at - start) / dilation;
}

struct place {
  size_t image, channel, row, column;
};

static double impulse_response(const struct algebra_case *c, const struct sizes *z, const float *weights,
                               struct place in, struct place out) {
  const sk_conv_shape *s = &c->shape;
  const size_t first = out.channel / (s->out_channels / s->groups) * z->group_inputs;
  const size_t r = tap_between(in.row, out.row, s->stride_height, s->dilation_height, s->pad_top, s->kernel_height);
  const size_t t = tap_between(in.column, out.column, s->stride_width, s->dilation_width, s->pad_left, s->kernel_width);
  if (in.image != out.image || in.channel < first || in.channel >= first + z->group_inputs) return 0;
  if (r == s->kernel_height || t == s->kernel_width) return 0;
  const size_t kernel = out.channel * z->group_inputs + in.channel - first;
  return (double)weights[(kernel * s->kernel_height + r) * s->kernel_width + t];
}

/* Algorithms that mix inputs round even here: the bound for an input of one 1. */
static double *impulse_magnitude(struct sk_verify *v, const struct algebra_case *c, const struct sizes *z,
                                 const float *x, const float *weights) {
  if (!sk_conv_mixes_inputs(c->algorithm)) return NULL;
  double *magnitude = sk_verify_scratch(v, z->out_floats * sizeof *magnitude);
  double *real_x = sk_verify_scratch(v, z->in_floats * sizeof *real_x);
  double *real_weights = sk_verify_scratch(v, z->weight_floats * sizeof *real_weights);
  for (size_t i = 0; i < z->in_floats; i++) real_x[i] = (double)x[i];
  for (size_t i = 0; i < z->weight_floats; i++) real_weights[i] = (double)weights[i];
  if (!sk_conv_magnitude(&c->shape, c->algorithm, real_x, real_weights, magnitude)) {
    sk_verify_fail(v, "no magnitudes: no exact matrices, or no memory");
  }
  return magnitude;
}

static void check_impulse(struct sk_verify *v, const struct algebra_case *c, const float *weights, size_t position) {
  const sk_conv_shape *s = &c->shape;
  const struct sizes z = sizes_of(s);
  const size_t mark = v->scratch_count, plane = position / s->in_width / s->in_height;
  const struct place in = {plane / s->in_channels, plane % s->in_channels, position / s->in_width % s->in_height,
                           position % s->in_width};
  float *x = sk_verify_floats(v, z.in_floats);
  memset(x, 0, z.in_floats * sizeof *x);
  x[position] = 1;
  sk_verify_at(v, "impulse at x[%zu][%zu][%zu][%zu]", in.image, in.channel, in.row, in.column);
  const double *magnitude = impulse_magnitude(v, c, &z, x, weights);
  const size_t roundings = sk_conv_roundings(s, c->algorithm);
  const float *y = convolve(v, c, x, weights);
  for (size_t at = 0; at < z.out_floats && !sk_verify_failed(v); at++) {
    const size_t out_plane = at / z.out_width / z.out_height;
    const struct place out = {out_plane / s->out_channels, out_plane % s->out_channels, at / z.out_width % z.out_height,
                              at % z.out_width};
    const struct sk_expected expected = {.exact = impulse_response(c, &z, weights, in, out),
                                         .bound = magnitude ? sk_rounding_bound(roundings, magnitude[at]) : 0};
    sk_verify_value(v, y[at], &expected, "y", out_plane, out.row, out.column);
  }
  sk_verify_release(v, mark);
}

static void impulse_case(struct sk_verify *v, const struct algebra_case *c) {
  const struct sizes z = sizes_of(&c->shape);
  const float *weights = sk_verify_random_floats(v, SK_DATA_REALS, z.weight_floats);
  check_impulse(v, c, weights, 0);
  check_impulse(v, c, weights, z.in_floats - 1);
  for (size_t i = 0; i < 6; i++) check_impulse(v, c, weights, sk_random_below(&v->random, z.in_floats));
}

/* ---- Scale: multiplying by a power of two changes no bit of a significand ---- */

static float *scaled(struct sk_verify *v, const float *values, size_t count, float factor) {
  float *copy = sk_verify_floats(v, count);
  for (size_t i = 0; i < count; i++) copy[i] = values[i] * factor;
  return copy;
}

static void check_scaled(struct sk_verify *v, const float *y, const float *got, size_t count, float factor) {
  for (size_t i = 0; i < count; i++) {
    const struct sk_expected expected = {y[i] * factor, true, 0, INFINITY};
    if (!sk_verify_value(v, got[i], &expected, "y", 0, 0, i)) return;
  }
}

static void scale_case(struct sk_verify *v, const struct algebra_case *c) {
  const struct sizes z = sizes_of(&c->shape);
  const float *x = sk_verify_random_floats(v, SK_DATA_REALS, z.in_floats);
  const float *weights = sk_verify_random_floats(v, SK_DATA_REALS, z.weight_floats);
  const float *y = convolve(v, c, x, weights);
  sk_verify_at(v, "input times 8");
  check_scaled(v, y, convolve(v, c, scaled(v, x, z.in_floats, 8), weights), z.out_floats, 8);
  sk_verify_at(v, "weights times -1/4");
  check_scaled(v, y, convolve(v, c, x, scaled(v, weights, z.weight_floats, -0.25F)), z.out_floats, -0.25F);
}

/* ---- Shift: moving the input by whole tiles moves the output ---- */

/* One dimension of a convolution, and by how many outputs its input is moved. */
struct axis {
  size_t in, out, kernel, stride, dilation, pad, tile, shift;
};

/* Whether output `at` and the one `shift` further see the same inputs: nothing moved out of the picture is among them.
 * A tile is computed as a whole, so all of its inputs count. */
static bool survives_shift(const struct axis *a, size_t at) {
  const size_t tile_end = at / a->tile * a->tile + a->tile - 1;
  const size_t last =
      tile_end * a->stride + (a->kernel - 1) * a->dilation + (a->tile == 3); /* an eighth row of phases */
  return at + a->shift < a->out && last + a->shift * a->stride < a->in + a->pad;
}

static float *shifted(struct sk_verify *v, const sk_conv_shape *s, const float *x, size_t rows, size_t columns) {
  const size_t floats = sizes_of(s).in_floats;
  float *moved = sk_verify_floats(v, floats);
  for (size_t at = 0; at < floats; at++) {
    const size_t row = at / s->in_width % s->in_height, column = at % s->in_width;
    moved[at] = row >= rows && column >= columns ? x[at - rows * s->in_width - columns] : 0;
  }
  return moved;
}

static void check_shifted(struct sk_verify *v, const struct algebra_case *c, const float *y, const float *got,
                          const struct axis axes[2]) {
  const struct sizes z = sizes_of(&c->shape);
  size_t checked = 0;
  for (size_t at = 0; at < z.out_floats; at++) {
    const size_t i = at / z.out_width % z.out_height, j = at % z.out_width;
    if (!survives_shift(&axes[0], i) || !survives_shift(&axes[1], j)) continue;
    const struct sk_expected expected = {y[at], true, 0, INFINITY};
    const float value = got[at + axes[0].shift * z.out_width + axes[1].shift];
    if (!sk_verify_value(v, value, &expected, "y", at / z.out_width / z.out_height, i, j)) return;
    checked++;
  }
  if (checked == 0) sk_verify_fail(v, "no output survives the shift: the shape is too small for this case");
}

/* GEMM may sum in another order elsewhere in its matrix: it is held to this with exact sums only. */
static void shift_case(struct sk_verify *v, const struct algebra_case *c) {
  const sk_conv_shape *s = &c->shape;
  const struct sizes z = sizes_of(s);
  const size_t tile = tile_side(c->algorithm);
  const enum sk_data data = c->algorithm == SK_ALGORITHM_GEMM ? SK_DATA_INTEGERS : SK_DATA_REALS;
  const float *x = sk_verify_random_floats(v, data, z.in_floats);
  const float *weights = sk_verify_random_floats(v, data, z.weight_floats);
  const float *y = convolve(v, c, x, weights);
  for (size_t way = 1; way < 4 && !sk_verify_failed(v); way++) {
    const struct axis axes[2] = {{s->in_height, z.out_height, s->kernel_height, s->stride_height, s->dilation_height,
                                  s->pad_top, tile, way & 1 ? tile : 0},
                                 {s->in_width, z.out_width, s->kernel_width, s->stride_width, s->dilation_width,
                                  s->pad_left, tile, way & 2 ? tile : 0}};
    const size_t rows = axes[0].shift * s->stride_height, columns = axes[1].shift * s->stride_width;
    sk_verify_at(v, "input moved by %zu rows and %zu columns", rows, columns);
    check_shifted(v, c, y, convolve(v, c, shifted(v, s, x, rows, columns), weights), axes);
  }
}

/* ---- Spread: what is not finite reaches the outputs that read it, with Winograd those of its tiles, with Strassen
 * those of its partner, and no other ---- */

/* Whether an output's kernel takes this input. */
static bool is_read(const sk_conv_shape *s, const struct sizes *z, struct place in, struct place out) {
  const size_t first = out.channel / (s->out_channels / s->groups) * z->group_inputs;
  if (in.image != out.image || in.channel < first || in.channel >= first + z->group_inputs) return false;
  return tap_between(in.row, out.row, s->stride_height, s->dilation_height, s->pad_top, s->kernel_height) <
             s->kernel_height &&
         tap_between(in.column, out.column, s->stride_width, s->dilation_width, s->pad_left, s->kernel_width) <
             s->kernel_width;
}

/* Whether the tile of m outputs, of which `out` is one, takes this input along one dimension: F(3,4) takes six pixels
 * of both phases. */
static bool tile_takes(size_t in, size_t out, size_t m, size_t stride, size_t pad) {
  const size_t first = out / m * m * stride, alpha = m == 3 ? 12 : stride == 2 ? 2 * m + 1 : m + 2;
  return in + pad >= first && in + pad < first + alpha;
}

/* Whether an output mixes in this input: of its tile, or of its own place or its partner's. */
static bool is_mixed_in(const struct algebra_case *c, const struct sizes *z, struct place in, struct place out) {
  const sk_conv_shape *s = &c->shape;
  const size_t m = tile_side(c->algorithm);
  if (in.image != out.image) return false;
  if (c->algorithm != SK_ALGORITHM_STRASSEN) {
    return m > 1 && tile_takes(in.row, out.row, m, s->stride_height, s->pad_top) &&
           tile_takes(in.column, out.column, m, s->stride_width, s->pad_left);
  }
  const size_t row = in.row / s->stride_height, column = in.column / s->stride_width;
  if (row * s->stride_height != in.row || column * s->stride_width != in.column) return false;
  return sk_strassen_pair(z->out_height, z->out_width, row * z->out_width + column) ==
         sk_strassen_pair(z->out_height, z->out_width, out.row * z->out_width + out.column);
}

static void check_spread(struct sk_verify *v, const struct algebra_case *c, struct place in, const float *clean,
                         const float *y) {
  const sk_conv_shape *s = &c->shape;
  const struct sizes z = sizes_of(s);
  for (size_t at = 0; at < z.out_floats && !sk_verify_failed(v); at++) {
    const size_t plane = at / z.out_width / z.out_height;
    const struct place out = {plane / s->out_channels, plane % s->out_channels, at / z.out_width % z.out_height,
                              at % z.out_width};
    const struct sk_expected expected = {clean[at], true, 0, INFINITY};
    if (is_read(s, &z, in, out)) {
      if (isfinite(y[at])) {
        sk_verify_fail(v, "y[%zu][%zu][%zu] = %a is finite, but reads what is not", plane, out.row, out.column,
                       (double)y[at]);
      }
    } else if (!is_mixed_in(c, &z, in, out)) {
      sk_verify_value(v, y[at], &expected, "y", plane, out.row, out.column);
    }
  }
}

static void spread_case(struct sk_verify *v, const struct algebra_case *c) {
  static const float specials[] = {NAN, INFINITY, -INFINITY};
  const sk_conv_shape *s = &c->shape;
  const struct sizes z = sizes_of(s);
  float *x = sk_verify_random_floats(v, SK_DATA_REALS, z.in_floats);
  const float *weights = sk_verify_random_floats(v, SK_DATA_REALS, z.weight_floats);
  const float *clean = convolve(v, c, x, weights);
  for (size_t n = 0; n < 12 && !sk_verify_failed(v); n++) {
    const size_t at = sk_random_below(&v->random, z.in_floats), plane = at / s->in_width / s->in_height;
    const struct place in = {plane / s->in_channels, plane % s->in_channels, at / s->in_width % s->in_height,
                             at % s->in_width};
    const float before = x[at];
    x[at] = specials[n % 3];
    sk_verify_at(v, "%g at x[%zu][%zu][%zu][%zu]", (double)x[at], in.image, in.channel, in.row, in.column);
    const float *y = convolve(v, c, x, weights);
    if (!sk_verify_failed(v)) check_spread(v, c, in, clean, y);
    x[at] = before;
  }
}

/* ---- Cases ---- */

static void algebra_case(struct sk_verify *v, const void *parameters) {
  const struct algebra_case *c = parameters;
  switch (c->law) {
    case LAW_IMPULSE: impulse_case(v, c); break;
    case LAW_SCALE: scale_case(v, c); break;
    case LAW_SHIFT: shift_case(v, c); break;
    default: spread_case(v, c); break;
  }
}

void sk_verify_conv_algebra(struct sk_verify *v) {
  static const struct {
    const char *name;
    sk_conv_shape shape;
  } shapes[] = {
      {"k3x3", {1, 20, 21, 23, 18, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
      {"k3x3-asymmetric", {2, 5, 19, 20, 33, 3, 3, 1, 1, 1, 1, 0, 2, 2, 1, 1}},
      {"k7x7-stride2", {1, 3, 29, 31, 20, 7, 7, 2, 2, 1, 1, 3, 3, 3, 3, 1}},
      {"k1x1", {2, 64, 9, 7, 32, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1}},
      {"k1x1-stride2-halved", {1, 32, 11, 12, 64, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1}},
      {"k7x7-stride2-4", {2, 4, 24, 20, 17, 7, 7, 2, 2, 1, 1, 2, 1, 3, 0, 1}},
      {"k1x1-stride2", {2, 33, 9, 8, 17, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1}},
      {"k3x3-stride2", {2, 20, 29, 31, 18, 3, 3, 2, 2, 1, 1, 1, 0, 0, 1, 1}},
      {"k3x3-dilation2", {1, 17, 16, 15, 16, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2, 1}},
      {"k3x3-groups8", {1, 32, 9, 10, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 8}},
      {"k3x3-groups3", {1, 9, 12, 13, 12, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 3}},
      {"k3x3-depthwise", {1, 19, 12, 13, 19, 3, 3, 2, 1, 1, 1, 1, 1, 1, 1, 19}},
  };
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    for (unsigned a = SK_ALGORITHM_DIRECT; a < SK_ALGORITHM_COUNT; a++) {
      sk_algorithm chosen;
      struct algebra_case parameters = {.shape = shapes[i].shape, .algorithm = (sk_algorithm)a};
      if (sk_conv_choose(&parameters.shape, parameters.algorithm, &chosen)) continue;
      for (parameters.law = 0; parameters.law < LAWS; parameters.law++) {
        if (parameters.law == LAW_SPREAD && chosen == SK_ALGORITHM_GEMM) continue;    /* the BLAS's affair */
        if (parameters.law == LAW_SHIFT && chosen == SK_ALGORITHM_STRASSEN) continue; /* a pixel's half matters */
        const char *algorithm = sk_algorithm_name(chosen);
        const struct sk_verify_case c = {"conv algebra", algorithm, algebra_case, &parameters};
        sk_verify_run(v, &c, "conv_algebra/%s/%s/%s", law_names[parameters.law], algorithm, shapes[i].name);
      }
    }
  }
}
