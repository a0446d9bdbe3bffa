#include "bench/layer_graph.h"

#include <math.h>
#include <stdio.h>

#include "bench/verify_internal.h"
#include "resnet/bind.h"

/* Add the input and, behind it, a convolution whose number in its own graph does not count. Returns its number. */
static size_t add_conv(struct sk_graph *layer, const struct sk_node *conv) {
  struct sk_node copy = *conv;
  copy.inputs[0] = sk_graph_add(layer, &(struct sk_node){.op = SK_NODE_INPUT,
                                                         .name = "input",
                                                         .channels = conv->conv.in_channels,
                                                         .height = conv->conv.in_height,
                                                         .width = conv->conv.in_width});
  copy.conv.batch = 1;
  return sk_graph_add(layer, &copy);
}

sk_status sk_layer_graph_cut(struct sk_graph *layer, const struct sk_graph *network, const struct sk_step *step) {
  size_t last = add_conv(layer, &network->nodes[step->node]);
  if (step->batch_norm != SK_NO_NODE) {
    struct sk_node batch_norm = network->nodes[step->batch_norm];
    batch_norm.inputs[0] = last;
    last = sk_graph_add(layer, &batch_norm);
  }
  /* A fused clip is left out: no comparison of single layers knows one. */
  if (step->relu) {
    sk_graph_add(layer, &(struct sk_node){.op = SK_NODE_RELU, .name = "relu", .inputs = {last}});
  }
  return layer->status;
}

/* Uniform numbers of the variance that keeps activations as large as they are: 2 / inputs, after He et al. (2015). */
static void draw(float *values, size_t count, size_t inputs, struct sk_random *random) {
  const double limit = sqrt(6.0 / (double)inputs);
  for (size_t i = 0; i < count; i++) {
    values[i] = (float)(limit * ((double)(sk_random_next(random) >> 11) * 0x1p-52 - 1));
  }
}

static sk_status add_parameter(sk_weights *weights, const struct sk_graph *layer, enum sk_parameter parameter,
                               struct sk_random *random) {
  char name[32];
  size_t shape[4];
  float *data = NULL;
  const sk_conv_shape *conv = &layer->nodes[1].conv;
  const size_t inputs = conv->in_channels / conv->groups * conv->kernel_height * conv->kernel_width;
  const size_t rank = sk_node_parameter_shape(layer, 1, parameter, shape);
  snprintf(name, sizeof name, "conv.%s", sk_parameter_name(parameter));
  const sk_status status = sk_weights_add(weights, name, rank, shape, &data);
  if (!status) draw(data, sk_node_parameter_elements(layer, 1, parameter), inputs, random);
  return status;
}

sk_status sk_layer_graph_make(struct sk_graph *layer, sk_weights **weights, const struct sk_named_shape *shape,
                              uint64_t seed) {
  struct sk_random random = sk_random_start(seed, shape->name);
  const struct sk_node conv = {
      .op = SK_NODE_CONV, .name = "conv", .channels = shape->shape.out_channels, .conv = shape->shape, .bias = true};
  const size_t last = add_conv(layer, &conv);
  if (shape->relu) sk_graph_add(layer, &(struct sk_node){.op = SK_NODE_RELU, .name = "relu", .inputs = {last}});
  sk_status status = layer->status;
  if (!status) status = sk_weights_new(weights);
  if (!status) status = add_parameter(*weights, layer, SK_PARAMETER_WEIGHT, &random);
  if (!status) status = add_parameter(*weights, layer, SK_PARAMETER_BIAS, &random);
  return status ? status : sk_graph_bind(layer, shape->name, *weights);
}
