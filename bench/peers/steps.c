#include "bench/peers/steps.h"

#include <stdlib.h>

#include "dispatch/status.h"

sk_status sk_steps_make(struct sk_schedule *schedule, const struct sk_graph *graph) {
  *schedule = (struct sk_schedule){0};
  bool *const untapped = calloc(graph->count + 1, sizeof *untapped);
  if (!untapped) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu layers", graph->count);
  const sk_status status = sk_schedule_make(schedule, graph, untapped);
  free(untapped);
  return status;
}

bool sk_step_has_weights(const struct sk_step *step) {
  return step->op == SK_NODE_CONV || step->op == SK_NODE_DENSE || step->op == SK_NODE_SUBSAMPLE ||
         step->op == SK_NODE_BATCH_NORM;
}

static sk_conv_shape pointwise_shape(const struct sk_node *from, const struct sk_node *to) {
  const size_t stride = to->op == SK_NODE_SUBSAMPLE ? to->stride : 1;
  return (sk_conv_shape){.batch = 1,
                         .in_channels = from->channels,
                         .in_height = from->height,
                         .in_width = from->width,
                         .out_channels = to->channels,
                         .kernel_height = 1,
                         .kernel_width = 1,
                         .stride_height = stride,
                         .stride_width = stride,
                         .dilation_height = 1,
                         .dilation_width = 1,
                         .groups = to->op == SK_NODE_BATCH_NORM ? to->channels : 1};
}

static sk_status allocate(struct sk_step_weights *weights, const struct sk_node *node) {
  const sk_conv_shape *const conv = &weights->conv;
  weights->count = conv->out_channels * (conv->in_channels / conv->groups) * conv->kernel_height * conv->kernel_width;
  weights->weights = calloc(weights->count, sizeof *weights->weights);
  weights->bias = calloc(conv->out_channels, sizeof *weights->bias);
  if (weights->weights && weights->bias) return SK_OK;
  return sk_fail(SK_OUT_OF_MEMORY, "layer \"%s\": out of memory for its weights", node->name);
}

static void read_trained(struct sk_step_weights *weights, const struct sk_graph *graph, const struct sk_step *step) {
  const struct sk_node *const node = &graph->nodes[step->node];
  sk_weight_tensor_read(node->parameters[SK_PARAMETER_WEIGHT], weights->weights);
  if (node->bias) sk_weight_tensor_read(node->parameters[SK_PARAMETER_BIAS], weights->bias);
  if (step->batch_norm == SK_NO_NODE) return;
  sk_fold_batch_norm(&graph->nodes[step->batch_norm], weights->count / weights->conv.out_channels, weights->weights,
                     weights->bias);
}

static void write_shifted_identity(struct sk_step_weights *weights) {
  const size_t inputs = weights->conv.in_channels;
  const size_t shift = (weights->conv.out_channels - inputs) / 2;
  for (size_t c = 0; c < inputs; c++) weights->weights[(c + shift) * inputs + c] = 1;
}

/* A batch norm is a convolution by ones with that batch norm folded in. */
static void write_batch_norm(struct sk_step_weights *weights, const struct sk_node *node) {
  for (size_t c = 0; c < node->channels; c++) weights->weights[c] = 1;
  sk_fold_batch_norm(node, 1, weights->weights, weights->bias);
}

sk_status sk_step_weights_read(struct sk_step_weights *weights, const struct sk_graph *graph,
                               const struct sk_step *step) {
  const struct sk_node *const node = &graph->nodes[step->node];
  const bool is_conv = step->op == SK_NODE_CONV;
  *weights = (struct sk_step_weights){
      .conv = is_conv ? node->conv : pointwise_shape(&graph->nodes[step->input], node),
  };
  const sk_status status = allocate(weights, node);
  if (status) return status;
  switch (step->op) {
    case SK_NODE_SUBSAMPLE: write_shifted_identity(weights); break;
    case SK_NODE_BATCH_NORM: write_batch_norm(weights, node); break;
    default: read_trained(weights, graph, step);
  }
  return SK_OK;
}

void sk_step_weights_free(struct sk_step_weights *weights) {
  free(weights->weights);
  free(weights->bias);
  *weights = (struct sk_step_weights){0};
}

bool sk_step_is_common(const struct sk_graph *graph, const struct sk_step *step) {
  return step->clip == SK_NO_NODE && !sk_node_broadcasts(graph, step->node);
}

size_t sk_pad_after(size_t inputs, size_t outputs, size_t kernel, size_t stride, size_t dilation, size_t pad_before) {
  const size_t needed = (outputs - 1) * stride + (kernel - 1) * dilation + 1;
  return needed > inputs + pad_before ? needed - inputs - pad_before : 0;
}

bool sk_pool_is_common(const struct sk_pool_shape *pool) {
  const bool has_pads = pool->pad_top || pool->pad_bottom || pool->pad_left || pool->pad_right || pool->ceil_mode;
  const bool is_dilated = pool->dilation_height > 1 || pool->dilation_width > 1;
  return !is_dilated && (!has_pads || !pool->count_include_pad);
}
