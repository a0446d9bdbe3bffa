/* Winograd's transforms by themselves: all tiles of a layer, each into or out of a buffer that stays in L1. */
#include <stdlib.h>

#include "bench/benchmark_suite.h"
#include "dispatch/conv_internal.h"
#include "dispatch/isa.h"
#include "dispatch/status.h"
#include "kernels/winograd_points.h"

enum { MOST_POINTS = 81 };

/* The layer's input or output, and how it is cut into tiles. */
struct subject {
  const struct sk_kernel_table *kernels;
  struct sk_tensor t;
  size_t m, stride;
  size_t alpha; /* inputs, and points, per side of a tile */
  size_t out_height, out_width;
  size_t down, across;
};

static size_t outputs_per_side(sk_algorithm algorithm) {
  return algorithm == SK_ALGORITHM_WINOGRAD2 ? 2 : algorithm == SK_ALGORITHM_WINOGRAD4 ? 4 : 6;
}

static double count_bytes(const struct subject *subject, size_t batch) {
  const size_t planes = batch * sk_tensor_planes(&subject->t);
  const size_t points = subject->alpha * subject->alpha;
  const size_t floats_of_tiles = subject->down * subject->across * points * SK_BLOCK;
  const size_t floats_of_plane = subject->t.height * subject->t.width * SK_BLOCK;
  return (double)(planes * (floats_of_tiles + floats_of_plane) * sizeof(float));
}

static sk_status make_subject(const struct sk_case *c, struct subject *subject, bool is_input) {
  const sk_conv_shape *s = &((const struct sk_named_shape *)c->subject)->shape;
  size_t bytes;
  sk_status status = sk_conv_output_size(s, &subject->out_height, &subject->out_width);
  if (!status) status = sk_kernels_choose(c->isa, &subject->kernels);
  if (status) return status;
  subject->m = outputs_per_side(c->algorithm);
  subject->stride = s->stride_height;
  subject->alpha = subject->stride == 2 ? 2 * subject->m + 1 : subject->m + 2;
  subject->down = sk_size_divide_up(subject->out_height, subject->m);
  subject->across = sk_size_divide_up(subject->out_width, subject->m);
  subject->t = is_input ? (struct sk_tensor){.channels = s->in_channels,
                                             .height = s->in_height,
                                             .width = s->in_width,
                                             .halo = sk_conv_halo(s)}
                        : (struct sk_tensor){
                              .channels = s->out_channels, .height = subject->out_height, .width = subject->out_width};
  status = sk_tensor_bytes(&subject->t, c->batch, &bytes);
  if (!status) status = sk_make_floats(&subject->t.data, bytes / sizeof(float));
  if (!status) sk_tensor_clear_halo(&subject->t, c->batch, 1);
  return status;
}

static sk_status prepare(const struct sk_case *c, void **prepared, struct sk_work *work, bool is_input) {
  struct subject *subject = calloc(1, sizeof *subject);
  *prepared = subject;
  if (!subject) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for a layer's tiles");
  const sk_status status = make_subject(c, subject, is_input);
  if (!status) *work = (struct sk_work){0, count_bytes(subject, c->batch)};
  return status;
}

static void release(void *prepared) {
  struct subject *subject = prepared;
  if (subject) sk_free(subject->t.data);
  free(subject);
}

/* ---- Input ---------------------------------------------------------------------------------------------------- */

static sk_status prepare_input(const struct sk_case *c, void **prepared, struct sk_work *work) {
  return prepare(c, prepared, work, true);
}

static sk_winograd_input_fn *input_kernel(const struct subject *subject) {
  const struct sk_kernel_table *k = subject->kernels;
  switch (subject->alpha) {
    case 4: return k->winograd_input_f2k3;
    case 5: return k->winograd_input_f2k3s2;
    case 6: return k->winograd_input_f4k3;
    case 8: return k->winograd_input_f6k3;
    default: return k->winograd_input_f4k3s2;
  }
}

/* Transform the tiles of one plane, whose first tap is at `x`. */
static void transform_input(const struct subject *subject, const float *x) {
  _Alignas(SK_ALIGNMENT) float v[MOST_POINTS * SK_BLOCK];
  const size_t row = sk_tensor_row(&subject->t);
  for (size_t i = 0; i < subject->down * subject->across; i++) {
    const size_t top = i / subject->across * subject->m; /* of the outputs */
    const size_t left = i % subject->across * subject->m;
    const struct sk_winograd_input_args args = {
        .x = x + top * subject->stride * row + left * subject->stride * SK_BLOCK,
        .x_row = row,
        .rows = sk_winograd_inputs(subject->alpha, sk_size_min(subject->m, subject->out_height - top)),
        .columns = sk_winograd_inputs(subject->alpha, sk_size_min(subject->m, subject->out_width - left)),
        .v = v,
        .v_point = SK_BLOCK,
    };
    input_kernel(subject)(&args);
  }
}

static void run_input(const struct sk_case *c, void *prepared) {
  const struct subject *subject = prepared;
  const sk_conv_shape *s = &((const struct sk_named_shape *)c->subject)->shape;
  const size_t planes = sk_tensor_planes(&subject->t);
#pragma omp parallel for schedule(static) num_threads(c->threads)
  for (size_t i = 0; i < c->batch * planes; i++) {
    transform_input(subject, sk_conv_first_tap(s, &subject->t, i / planes, i % planes));
  }
}

/* ---- Output --------------------------------------------------------------------------------------------------- */

static sk_status prepare_output(const struct sk_case *c, void **prepared, struct sk_work *work) {
  return prepare(c, prepared, work, false);
}

static sk_winograd_output_fn *output_kernel(const struct subject *subject) {
  const struct sk_kernel_table *k = subject->kernels;
  switch (subject->alpha) {
    case 4: return k->winograd_output_f2k3;
    case 5: return k->winograd_output_f2k3s2;
    case 6: return k->winograd_output_f4k3;
    case 8: return k->winograd_output_f6k3;
    default: return k->winograd_output_f4k3s2;
  }
}

static void transform_output(const struct subject *subject, float *y) {
  _Alignas(SK_ALIGNMENT) float t[MOST_POINTS * SK_BLOCK] = {0};
  _Alignas(SK_ALIGNMENT) static const float bias[SK_BLOCK];
  const size_t row = sk_tensor_row(&subject->t);
  for (size_t i = 0; i < subject->down * subject->across; i++) {
    const size_t top = i / subject->across * subject->m;
    const size_t left = i % subject->across * subject->m;
    const struct sk_winograd_output_args args = {
        .t = t,
        .t_point = SK_BLOCK,
        .bias = bias,
        .y = y + top * row + left * SK_BLOCK,
        .y_row = row,
        .rows = sk_size_min(subject->m, subject->t.height - top),
        .columns = sk_size_min(subject->m, subject->t.width - left),
        .relu = true,
    };
    output_kernel(subject)(&args);
  }
}

static void run_output(const struct sk_case *c, void *prepared) {
  const struct subject *subject = prepared;
  const size_t planes = sk_tensor_planes(&subject->t);
#pragma omp parallel for schedule(static) num_threads(c->threads)
  for (size_t i = 0; i < c->batch * planes; i++) {
    transform_output(subject, sk_tensor_at(&subject->t, i / planes, i % planes));
  }
}

/* ---- Registering ---------------------------------------------------------------------------------------------- */

static const struct sk_family input_family = {.prepare = prepare_input, .run = run_input, .release = release};
static const struct sk_family output_family = {.prepare = prepare_output, .run = run_output, .release = release};

/* Whether a shape stands before this one that differs in the epilogue alone. */
static bool is_repeated(const struct sk_shapes *shapes, size_t index) {
  for (size_t i = 0; i < index; i++) {
    struct sk_named_shape plain = shapes->items[index];
    plain.relu = shapes->items[i].relu;
    plain.add = shapes->items[i].add;
    if (sk_shapes_find_equal(&(struct sk_shapes){.items = &shapes->items[i], .count = 1}, &plain)) return true;
  }
  return false;
}

static sk_status add_shape(struct sk_suite *suite, const struct sk_named_shape *shape) {
  struct sk_case c = {.subject = shape, .batch = sk_suite_batch(suite)};
  sk_status status = SK_OK;
  for (int a = SK_ALGORITHM_WINOGRAD2; !status && a <= SK_ALGORITHM_WINOGRAD6; a++) {
    if (sk_conv_choose(&shape->shape, (sk_algorithm)a, &c.algorithm)) continue;
    const size_t m = outputs_per_side(c.algorithm);
    const char *const stride = shape->shape.stride_height == 2 ? "s2" : "";
    c.family = &input_family;
    status = sk_suite_add(suite, &c, "winograd_input_f%zuk3%s/%s", m, stride, shape->name);
    c.family = &output_family;
    if (!status) status = sk_suite_add(suite, &c, "winograd_output_f%zuk3%s/%s", m, stride, shape->name);
  }
  return status;
}

sk_status sk_suite_add_winograd(struct sk_suite *suite) {
  const struct sk_shapes *shapes = sk_suite_shapes(suite);
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < shapes->count; i++) {
    if (!is_repeated(shapes, i)) status = add_shape(suite, &shapes->items[i]);
  }
  return status;
}
