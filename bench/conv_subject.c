#include "bench/conv_subject.h"

#include <stdlib.h>

#include "dispatch/status.h"
#include "resnet/fuse.h"

enum { CONV = 1 }; /* the convolution's node; 0 is the input */

/* The node of an operator behind the convolution; NULL if there is none. */
static const struct sk_node *find_op(const struct sk_graph *graph, enum sk_node_op op) {
  for (size_t i = CONV + 1; i < graph->count; i++) {
    if (graph->nodes[i].op == op) return &graph->nodes[i];
  }
  return NULL;
}

static sk_status plan_with(struct sk_conv_subject *subject, const struct sk_conv_request *request,
                           const sk_conv_shape *shape, float *weights, float *bias) {
  const struct sk_node *conv = &request->graph->nodes[CONV];
  const struct sk_node *batch_norm = find_op(request->graph, SK_NODE_BATCH_NORM);
  const sk_conv_options options = {.isa = request->kernels->isa,
                                   .algorithm = request->algorithm,
                                   .threads = request->threads,
                                   .relu = find_op(request->graph, SK_NODE_RELU) != NULL,
                                   .flush_denormals = request->flush_denormals,
                                   .max_bytes = request->max_bytes};
  sk_weight_tensor_read(conv->parameters[SK_PARAMETER_WEIGHT], weights);
  if (conv->bias) sk_weight_tensor_read(conv->parameters[SK_PARAMETER_BIAS], bias);
  if (batch_norm) {
    const size_t elements = sk_node_parameter_elements(request->graph, CONV, SK_PARAMETER_WEIGHT);
    sk_fold_batch_norm(batch_norm, elements / shape->out_channels, weights, bias);
  }
  return sk_conv_plan(&subject->plan, shape, weights, bias, &options, subject->x.layout, &subject->arena);
}

static sk_status make_plan(struct sk_conv_subject *subject, const struct sk_conv_request *request,
                           const sk_conv_shape *shape) {
  float *weights = calloc(sk_node_parameter_elements(request->graph, CONV, SK_PARAMETER_WEIGHT), sizeof *weights);
  float *bias = calloc(shape->out_channels, sizeof *bias);
  const sk_status status = weights && bias ? plan_with(subject, request, shape, weights, bias)
                                           : sk_fail(SK_OUT_OF_MEMORY, "out of memory for a convolution's weights");
  free(weights);
  free(bias);
  return status;
}

static sk_status allocate_tensor(struct sk_conv_subject *subject, struct sk_tensor *tensor) {
  size_t bytes;
  const sk_status status = sk_tensor_bytes(tensor, subject->batch, &bytes);
  if (status) return status;
  tensor->data = sk_arena_take(&subject->arena, bytes);
  if (!tensor->data) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for a tensor of %zu bytes", bytes);
  return SK_OK;
}

/* As a network would: a direct convolution of few channels reads them in planes. */
static sk_status choose_layout(struct sk_conv_subject *subject, const struct sk_conv_request *request,
                               const sk_conv_shape *shape) {
  sk_algorithm chosen;
  const sk_status status = sk_conv_choose(shape, request->algorithm, &chosen);
  if (status) return status;
  const bool is_planar = sk_conv_reads_planar(chosen) && sk_conv_takes_planar(shape);
  subject->x = (struct sk_tensor){.layout = is_planar ? SK_LAYOUT_NCHW : SK_LAYOUT_NCHW16C,
                                  .channels = shape->in_channels,
                                  .height = shape->in_height,
                                  .width = shape->in_width,
                                  .halo = sk_conv_halo(shape)};
  subject->y = (struct sk_tensor){.layout = SK_LAYOUT_NCHW16C, .channels = shape->out_channels};
  return sk_conv_output_size(shape, &subject->y.height, &subject->y.width);
}

static sk_status allocate(struct sk_conv_subject *subject) {
  sk_status status = allocate_tensor(subject, &subject->x);
  if (!status) status = allocate_tensor(subject, &subject->y);
  if (status) return status;
  subject->workspace = sk_arena_take(&subject->arena, sk_conv_tensor_workspace_bytes(subject->plan));
  return subject->workspace ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "out of memory for a convolution's workspace");
}

sk_status sk_conv_subject_make(struct sk_conv_subject *subject, const struct sk_conv_request *request, size_t batch,
                               const float *x) {
  sk_conv_shape shape = request->graph->nodes[CONV].conv;
  shape.batch = batch;
  *subject = (struct sk_conv_subject){.kernels = request->kernels, .batch = batch, .threads = request->threads};
  sk_status status = choose_layout(subject, request, &shape);
  if (!status) status = make_plan(subject, request, &shape);
  if (!status) status = allocate(subject);
  if (!status) sk_tensor_import(subject->kernels, &subject->x, batch, x, subject->threads);
  return status;
}

void sk_conv_subject_free(struct sk_conv_subject *subject) {
  sk_conv_destroy(subject->plan);
  sk_arena_destroy(&subject->arena);
  *subject = (struct sk_conv_subject){0};
}

void sk_conv_subject_run(const struct sk_conv_subject *subject) {
  sk_conv_run_tensor(subject->plan, subject->batch, &subject->x, NULL, &subject->y, subject->workspace);
}

void sk_conv_subject_output(const struct sk_conv_subject *subject, float *y) {
  sk_tensor_export(subject->kernels, &subject->y, subject->batch, y, subject->threads);
}
