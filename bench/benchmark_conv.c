/* The distinct convolutions of all networks, by every algorithm that can run them. */
#include <stdlib.h>
#include <string.h>

#include "bench/benchmark_suite.h"
#include "bench/flush.h"
#include "dispatch/conv_internal.h"
#include "dispatch/status.h"

/* Everything that a run touches. */
struct subject {
  sk_conv *plan;
  struct sk_tensor x, residual, y; /* residual.data: NULL without one */
  void *workspace;
};

static double flops(const sk_conv_shape *s, const struct sk_tensor *y) {
  const size_t terms = sk_conv_group_inputs(s) * s->kernel_height * s->kernel_width;
  return 2.0 * (double)s->batch * (double)(s->out_channels * y->height * y->width) * (double)terms;
}

static size_t tensor_bytes(const struct sk_tensor *t, size_t batch) {
  return batch * sk_tensor_image(t) * sizeof *t->data;
}

static sk_status make_tensor(struct sk_tensor *t, size_t batch) {
  size_t bytes;
  sk_status status = sk_tensor_bytes(t, batch, &bytes);
  if (!status) status = sk_make_floats(&t->data, bytes / sizeof *t->data);
  if (!status) sk_tensor_clear_halo(t, batch, 1);
  return status;
}

static sk_status make_plan(const struct sk_case *c, const sk_conv_shape *s, enum sk_layout layout, sk_conv **plan) {
  const struct sk_named_shape *shape = c->subject;
  const sk_conv_options options = {
      .isa = c->isa, .algorithm = c->algorithm, .threads = c->threads, .relu = shape->relu, .residual = shape->add};
  float *weights;
  float *bias = NULL;
  sk_status status =
      sk_make_floats(&weights, s->out_channels * sk_conv_group_inputs(s) * s->kernel_height * s->kernel_width);
  if (!status) status = sk_make_floats(&bias, s->out_channels);
  if (!status) status = sk_conv_plan(plan, s, weights, bias, &options, layout, NULL);
  sk_free(weights);
  sk_free(bias);
  return status;
}

static sk_status fill_subject(const struct sk_case *c, const sk_conv_shape *s, struct subject *subject) {
  const struct sk_named_shape *shape = c->subject;
  const bool is_planar = sk_conv_reads_planar(c->algorithm) && sk_conv_takes_planar(s);
  const enum sk_layout layout = is_planar ? SK_LAYOUT_NCHW : SK_LAYOUT_NCHW16C;
  subject->x = (struct sk_tensor){.layout = layout,
                                  .channels = s->in_channels,
                                  .height = s->in_height,
                                  .width = s->in_width,
                                  .halo = sk_conv_halo(s)};
  subject->y.channels = s->out_channels;
  sk_status status = sk_conv_output_size(s, &subject->y.height, &subject->y.width);
  subject->residual = subject->y;
  if (!status) status = make_plan(c, s, layout, &subject->plan);
  if (!status) status = make_tensor(&subject->x, s->batch);
  if (!status) status = make_tensor(&subject->y, s->batch);
  if (!status && shape->add) status = make_tensor(&subject->residual, s->batch);
  if (status) return status;
  subject->workspace = sk_alloc(sk_conv_tensor_workspace_bytes(subject->plan));
  return subject->workspace ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "out of memory for a workspace");
}

/* As sk_layer_info counts them: tensors without their halos, packed weights and the bias. */
static double count_bytes(const struct subject *subject, size_t batch) {
  struct sk_tensor x = subject->x;
  x.halo = 0;
  const size_t outputs = subject->residual.data ? 2 : 1;
  return (double)(tensor_bytes(&x, batch) + outputs * tensor_bytes(&subject->y, batch) +
                  sk_conv_weight_bytes(subject->plan));
}

static sk_status prepare(const struct sk_case *c, void **prepared, struct sk_work *work) {
  const struct sk_named_shape *shape = c->subject;
  struct subject *subject = calloc(1, sizeof *subject);
  *prepared = subject;
  if (!subject) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %s", shape->name);
  sk_conv_shape s = shape->shape;
  s.batch = c->batch;
  const sk_status status = fill_subject(c, &s, subject);
  if (!status) *work = (struct sk_work){flops(&s, &subject->y), count_bytes(subject, s.batch)};
  return status;
}

static void run(const struct sk_case *c, void *prepared) {
  const struct subject *subject = prepared;
  const struct sk_tensor *residual = subject->residual.data ? &subject->residual : NULL;
  sk_conv_run_tensor(subject->plan, c->batch, &subject->x, residual, &subject->y, subject->workspace);
}

static void evict(void *prepared) {
  const struct subject *subject = prepared;
  const sk_conv *plan = subject->plan;
  const size_t batch = plan->shape.batch;
  sk_flush(plan->weights, plan->weight_floats * sizeof *plan->weights);
  sk_flush(plan->bias, sk_blocks(plan->shape.out_channels) * SK_BLOCK * sizeof *plan->bias);
  sk_flush(subject->x.data, tensor_bytes(&subject->x, batch));
  sk_flush(subject->y.data, tensor_bytes(&subject->y, batch));
  if (subject->residual.data) sk_flush(subject->residual.data, tensor_bytes(&subject->residual, batch));
  sk_flush(subject->workspace, sk_conv_tensor_workspace_bytes(plan));
}

static void release(void *prepared) {
  struct subject *subject = prepared;
  if (!subject) return;
  sk_conv_destroy(subject->plan);
  sk_free(subject->x.data);
  sk_free(subject->residual.data);
  sk_free(subject->y.data);
  sk_free(subject->workspace);
  free(subject);
}

/* The shape as the files of shapes have it. */
static struct sk_shape_text label(const struct sk_case *c) {
  const struct sk_named_shape *shape = c->subject;
  const size_t name = strlen(shape->name) + 1;
  struct sk_shape_text text = sk_shape_print(shape);
  memmove(text.text, text.text + name, sizeof text.text - name);
  return text;
}

static const struct sk_family family = {prepare, run, evict, release, label};

static sk_status add_shape(struct sk_suite *suite, const struct sk_named_shape *shape) {
  struct sk_case c = {.family = &family, .subject = shape, .batch = sk_suite_batch(suite)};
  sk_status status = SK_OK;
  for (int a = SK_ALGORITHM_DIRECT; !status && a < SK_ALGORITHM_COUNT; a++) {
    if (sk_conv_choose(&shape->shape, (sk_algorithm)a, &c.algorithm)) continue;
    status = sk_suite_add(suite, &c, "conv/%s/%s", shape->name, sk_algorithm_name(c.algorithm));
  }
  return status;
}

sk_status sk_suite_add_convs(struct sk_suite *suite) {
  const struct sk_shapes *shapes = sk_suite_shapes(suite);
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < shapes->count; i++) status = add_shape(suite, &shapes->items[i]);
  return status;
}
