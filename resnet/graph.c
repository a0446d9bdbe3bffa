#include "resnet/graph.h"

#include <math.h>
#include <string.h>

#include "dispatch/memory.h"
#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/suggest.h"
#include "resnet/text.h"

/* ---- Names of things ---------------------------------------------------------------------------------------- */

const char *sk_node_op_name(enum sk_node_op op) {
  static const char *const names[SK_NODE_OP_COUNT] = {
      [SK_NODE_INPUT] = "input",
      [SK_NODE_CONV] = "conv",
      [SK_NODE_BATCH_NORM] = "batch_norm",
      [SK_NODE_RELU] = "relu",
      [SK_NODE_ADD] = "add",
      [SK_NODE_MAX_POOL] = "max_pool",
      [SK_NODE_AVERAGE_POOL] = "average_pool",
      [SK_NODE_GLOBAL_AVERAGE_POOL] = "global_average_pool",
      [SK_NODE_FLATTEN] = "flatten",
      [SK_NODE_DENSE] = "dense",
      [SK_NODE_SOFTMAX] = "softmax",
      [SK_NODE_SUBSAMPLE] = "subsample",
      [SK_NODE_SIGMOID] = "sigmoid",
      [SK_NODE_CLIP] = "clip",
      [SK_NODE_MULTIPLY] = "multiply",
      [SK_NODE_CONCAT] = "concat",
      [SK_NODE_PAD] = "pad",
  };
  return names[op];
}

const char *sk_parameter_name(enum sk_parameter parameter) {
  static const char *const names[SK_PARAMETER_COUNT] = {
      [SK_PARAMETER_WEIGHT] = "weight",
      [SK_PARAMETER_BIAS] = "bias",
      [SK_PARAMETER_MEAN] = "running_mean",
      [SK_PARAMETER_VARIANCE] = "running_var",
  };
  return names[parameter];
}

size_t sk_node_input_count(enum sk_node_op op) {
  switch (op) {
    case SK_NODE_INPUT: return 0;
    case SK_NODE_ADD:
    case SK_NODE_MULTIPLY:
    case SK_NODE_CONCAT: return 2;
    default: return 1;
  }
}

/* ---- Shapes ------------------------------------------------------------------------------------------------- */

size_t sk_node_elements(const struct sk_node *node) { return node->channels * node->height * node->width; }

static sk_status mismatch(const struct sk_node *node, const struct sk_node *x, const char *expected) {
  return sk_fail(SK_INVALID_ARGUMENT, "layer \"%s\": input of %zu x %zu x %zu, expected %s", node->name, x->channels,
                 x->height, x->width, expected);
}

static sk_status infer_conv(struct sk_node *node, const struct sk_node *x) {
  node->conv.batch = 1;
  node->conv.in_channels = x->channels;
  node->conv.in_height = x->height;
  node->conv.in_width = x->width;
  node->channels = node->conv.out_channels;
  return sk_conv_output_size(&node->conv, &node->height, &node->width);
}

static sk_status infer_pool(struct sk_node *node, const struct sk_node *x) {
  node->channels = x->channels;
  return sk_pool_output_size(&node->pool, x->height, x->width, &node->height, &node->width);
}

static sk_status infer_subsample(struct sk_node *node, const struct sk_node *x) {
  if (node->stride == 0 || node->channels < x->channels || (node->channels - x->channels) % 2 != 0) {
    return mismatch(node, x, "a stride above 0 and as many channels to add on either side");
  }
  node->height = sk_size_divide_up(x->height, node->stride);
  node->width = sk_size_divide_up(x->width, node->stride);
  return SK_OK;
}

static sk_status infer_dense(struct sk_node *node, const struct sk_node *x) {
  if (x->height != 1 || x->width != 1) return mismatch(node, x, "height and width 1");
  node->height = node->width = 1;
  return SK_OK;
}

static sk_status infer_same(struct sk_node *node, const struct sk_node *x) {
  node->channels = x->channels;
  node->height = x->height;
  node->width = x->width;
  return SK_OK;
}

static bool same_pixels(const struct sk_node *a, const struct sk_node *b) {
  return a->height == b->height && a->width == b->width;
}

static sk_status mismatch_of_two(const struct sk_node *node, const struct sk_node *a, const struct sk_node *b,
                                 const char *expected) {
  return sk_fail(SK_INVALID_ARGUMENT, "layer \"%s\": inputs of %zu x %zu x %zu and %zu x %zu x %zu, expected %s",
                 node->name, a->channels, a->height, a->width, b->channels, b->height, b->width, expected);
}

/* An addition or a multiplication. */
static sk_status infer_arithmetic(struct sk_node *node, const struct sk_node *a, const struct sk_node *b) {
  const bool is_broadcast = b->height == 1 && b->width == 1;
  if (a->channels != b->channels || (!is_broadcast && !same_pixels(a, b))) {
    return mismatch_of_two(node, a, b, "equal shapes, or as many channels and height and width 1 in the second");
  }
  return infer_same(node, a);
}

static sk_status infer_concat(struct sk_node *node, const struct sk_node *a, const struct sk_node *b) {
  if (!same_pixels(a, b)) return mismatch_of_two(node, a, b, "equal heights and widths");
  const sk_status status = infer_same(node, a);
  if (sk_size_add(a->channels, b->channels, &node->channels)) return status;
  return mismatch_of_two(node, a, b, "channels whose sum is in range");
}

static sk_status infer_pad(struct sk_node *node, const struct sk_node *x) {
  const struct sk_padding *const pad = &node->pad;
  node->channels = x->channels;
  const bool fits =
      sk_size_add(x->height, pad->top, &node->height) && sk_size_add(node->height, pad->bottom, &node->height) &&
      sk_size_add(x->width, pad->left, &node->width) && sk_size_add(node->width, pad->right, &node->width);
  return fits ? SK_OK : mismatch(node, x, "padding to a size in range");
}

static sk_status infer_clip(struct sk_node *node, const struct sk_node *x) {
  const struct sk_clip_bounds bounds = node->clip;
  if (isnan(bounds.minimum) || isnan(bounds.maximum)) {
    return sk_fail(SK_INVALID_ARGUMENT, "layer \"%s\": clips to %g and %g, expected numbers", node->name,
                   (double)bounds.minimum, (double)bounds.maximum);
  }
  return infer_same(node, x);
}

static sk_status infer_batch_norm(struct sk_node *node, const struct sk_node *x) {
  if (!isfinite(node->epsilon) || node->epsilon < 0) {
    return sk_fail(SK_INVALID_ARGUMENT, "layer \"%s\": epsilon %g, expected a finite number of at least 0", node->name,
                   node->epsilon);
  }
  return infer_same(node, x);
}

static sk_status infer_flatten(struct sk_node *node, const struct sk_node *x) {
  node->channels = sk_node_elements(x); /* which were checked when x was added */
  node->height = node->width = 1;
  return SK_OK;
}

static sk_status infer_global_average_pool(struct sk_node *node, const struct sk_node *x) {
  node->channels = x->channels;
  node->height = node->width = 1;
  return SK_OK;
}

static sk_status infer_by_op(const struct sk_graph *graph, struct sk_node *node) {
  const struct sk_node *const x = node->op == SK_NODE_INPUT ? NULL : &graph->nodes[node->inputs[0]];
  switch (node->op) {
    case SK_NODE_CONV: return infer_conv(node, x);
    case SK_NODE_MAX_POOL:
    case SK_NODE_AVERAGE_POOL: return infer_pool(node, x);
    case SK_NODE_SUBSAMPLE: return infer_subsample(node, x);
    case SK_NODE_DENSE: return infer_dense(node, x);
    case SK_NODE_ADD:
    case SK_NODE_MULTIPLY: return infer_arithmetic(node, x, &graph->nodes[node->inputs[1]]);
    case SK_NODE_CONCAT: return infer_concat(node, x, &graph->nodes[node->inputs[1]]);
    case SK_NODE_GLOBAL_AVERAGE_POOL: return infer_global_average_pool(node, x);
    case SK_NODE_BATCH_NORM: return infer_batch_norm(node, x);
    case SK_NODE_RELU:
    case SK_NODE_SIGMOID:
    case SK_NODE_SOFTMAX: return infer_same(node, x);
    case SK_NODE_CLIP: return infer_clip(node, x);
    case SK_NODE_PAD: return infer_pad(node, x);
    case SK_NODE_FLATTEN: return infer_flatten(node, x);
    case SK_NODE_INPUT:
    case SK_NODE_OP_COUNT: break;
  }
  return SK_OK;
}

static sk_status check_elements(const struct sk_node *node) {
  size_t elements = 0;
  if (!sk_size_multiply(node->channels, node->height, &elements) ||
      !sk_size_multiply(elements, node->width, &elements)) {
    return sk_fail(SK_INVALID_ARGUMENT, "layer \"%s\": %zu x %zu x %zu elements overflow", node->name, node->channels,
                   node->height, node->width);
  }
  if (elements == 0) {
    return sk_fail(SK_INVALID_ARGUMENT, "layer \"%s\": output of %zu x %zu x %zu, expected at least 1 of each",
                   node->name, node->channels, node->height, node->width);
  }
  return SK_OK;
}

/* Weights are the one parameter whose size no shape has checked yet: that of a convolution's input and output says
 * nothing of their product. */
static sk_status check_parameters(const struct sk_graph *graph, const struct sk_node *node) {
  size_t elements = 0;
  bool fits = true;
  if (node->op == SK_NODE_DENSE) {
    fits = sk_size_multiply(graph->nodes[node->inputs[0]].channels, node->channels, &elements);
  } else if (node->op == SK_NODE_CONV) {
    const sk_conv_shape *const s = &node->conv;
    fits = sk_size_multiply(s->in_channels / s->groups, s->out_channels, &elements) &&
           sk_size_multiply(elements, s->kernel_height, &elements) &&
           sk_size_multiply(elements, s->kernel_width, &elements);
  }
  if (fits && elements <= PTRDIFF_MAX / sizeof(float)) return SK_OK;
  return sk_fail(SK_INVALID_ARGUMENT, "layer \"%s\": weights for %zu outputs overflow", node->name, node->channels);
}

static sk_status infer(const struct sk_graph *graph, struct sk_node *node) {
  for (size_t i = 0; i < sk_node_input_count(node->op); i++) {
    if (node->inputs[i] >= graph->count) {
      return sk_fail(SK_INVALID_ARGUMENT, "layer \"%s\": input %zu is no earlier layer", node->name, node->inputs[i]);
    }
  }
  sk_status status = infer_by_op(graph, node);
  if (!status) status = check_elements(node);
  return status ? status : check_parameters(graph, node);
}

bool sk_node_broadcasts(const struct sk_graph *graph, size_t node) {
  const struct sk_node *const n = &graph->nodes[node];
  if (n->op != SK_NODE_ADD && n->op != SK_NODE_MULTIPLY) return false;
  return !same_pixels(n, &graph->nodes[n->inputs[1]]);
}

double sk_node_epsilon(const struct sk_node *batch_norm) {
  return batch_norm->epsilon > 0 ? batch_norm->epsilon : SK_BATCH_NORM_EPSILON;
}

/* ---- Building ----------------------------------------------------------------------------------------------- */

/* Return an array with room for one more item, NULL if there is no memory (the array is then as it was). */
static void *reserve_one(void *items, size_t count, size_t *capacity, size_t item_bytes) {
  if (count < *capacity) return items;
  const size_t larger = *capacity ? 2 * *capacity : 64;
  void *grown = sk_realloc(items, count * item_bytes, larger * item_bytes);
  if (grown) *capacity = larger;
  return grown;
}

static sk_status out_of_memory(const char *name) {
  return sk_fail(SK_OUT_OF_MEMORY, "layer \"%s\": out of memory", name);
}

static sk_status append_node(struct sk_graph *graph, const struct sk_node *node) {
  struct sk_node *nodes = reserve_one(graph->nodes, graph->count, &graph->capacity, sizeof *nodes);
  if (nodes) graph->nodes = nodes;
  char *const name = nodes ? sk_strdup(node->name) : NULL;
  if (!name) return out_of_memory(node->name);
  nodes[graph->count] = *node;
  nodes[graph->count].name = name;
  graph->count++;
  return SK_OK;
}

size_t sk_graph_add(struct sk_graph *graph, const struct sk_node *node) {
  if (graph->status) return SK_NO_NODE;
  struct sk_node inferred = *node;
  graph->status = infer(graph, &inferred);
  if (!graph->status) graph->status = append_node(graph, &inferred);
  return graph->status ? SK_NO_NODE : graph->count - 1;
}

static sk_status append_alias(struct sk_graph *graph, const char *name, size_t node) {
  struct sk_alias *aliases = reserve_one(graph->aliases, graph->alias_count, &graph->alias_capacity, sizeof *aliases);
  if (aliases) graph->aliases = aliases;
  char *const copy = aliases ? sk_strdup(name) : NULL;
  if (!copy) return out_of_memory(name);
  aliases[graph->alias_count++] = (struct sk_alias){.name = copy, .node = node};
  return SK_OK;
}

void sk_graph_alias(struct sk_graph *graph, const char *name, size_t node) {
  if (!graph->status) graph->status = append_alias(graph, name, node);
}

void sk_graph_destroy(struct sk_graph *graph) {
  for (size_t i = 0; i < graph->count; i++) sk_free((void *)(uintptr_t)graph->nodes[i].name);
  for (size_t i = 0; i < graph->alias_count; i++) sk_free((void *)(uintptr_t)graph->aliases[i].name);
  sk_free(graph->nodes);
  sk_free(graph->aliases);
  *graph = (struct sk_graph){0};
}

/* ---- Asking ------------------------------------------------------------------------------------------------- */

size_t sk_graph_find(const struct sk_graph *graph, const char *name) {
  for (size_t i = 0; i < graph->count; i++) {
    if (strcmp(graph->nodes[i].name, name) == 0) return i;
  }
  for (size_t i = 0; i < graph->alias_count; i++) {
    if (strcmp(graph->aliases[i].name, name) == 0) return graph->aliases[i].node;
  }
  return SK_NO_NODE;
}

sk_status sk_graph_fail_unknown(const struct sk_graph *graph, const char *model, const char *name) {
  struct sk_suggestion suggestion = {.word = name};
  for (size_t i = 0; i < graph->count; i++) sk_suggestion_consider(&suggestion, graph->nodes[i].name);
  for (size_t i = 0; i < graph->alias_count; i++) sk_suggestion_consider(&suggestion, graph->aliases[i].name);
  if (suggestion.nearest) {
    return sk_fail(SK_INVALID_ARGUMENT, "layer \"%s\": not in %s, did you mean %s?", sk_quote_short(name).text,
                   sk_quote_short(model).text, suggestion.nearest);
  }
  return sk_fail(SK_INVALID_ARGUMENT,
                 "layer \"%s\": not in %s, expected a name such as conv1, layer1.0.conv1, layer3 or avgpool",
                 sk_quote_short(name).text, sk_quote_short(model).text);
}

struct sk_node_text sk_conv_layer_shape(const sk_layer_info *layer) {
  struct sk_node_text shape;
  char groups[32] = "";
  if (layer->groups > 1) snprintf(groups, sizeof groups, " g%zu", layer->groups);
  snprintf(shape.text, sizeof shape.text, "%zux%zux%zu -> %zux%zux%zu %zux%zu s%zu%s", layer->in_channels,
           layer->in_height, layer->in_width, layer->out_channels, layer->out_height, layer->out_width,
           layer->kernel_height, layer->kernel_width, layer->stride, groups);
  return shape;
}

struct sk_node_text sk_conv_node_shape(const struct sk_node *node) {
  const sk_conv_shape *const conv = &node->conv;
  return sk_conv_layer_shape(&(sk_layer_info){.in_channels = conv->in_channels,
                                              .in_height = conv->in_height,
                                              .in_width = conv->in_width,
                                              .out_channels = node->channels,
                                              .out_height = node->height,
                                              .out_width = node->width,
                                              .kernel_height = conv->kernel_height,
                                              .kernel_width = conv->kernel_width,
                                              .stride = conv->stride_height,
                                              .groups = conv->groups});
}

static size_t conv_parameter_shape(const struct sk_node *node, enum sk_parameter parameter, size_t shape[4]) {
  const sk_conv_shape *const conv = &node->conv;
  shape[0] = conv->out_channels;
  if (parameter == SK_PARAMETER_BIAS) return node->bias ? 1 : 0;
  if (parameter != SK_PARAMETER_WEIGHT) return 0;
  shape[1] = conv->in_channels / conv->groups;
  shape[2] = conv->kernel_height;
  shape[3] = conv->kernel_width;
  return 4;
}

static size_t dense_parameter_shape(const struct sk_node *node, size_t inputs, enum sk_parameter parameter,
                                    size_t shape[4]) {
  shape[0] = node->channels;
  shape[1] = inputs;
  if (parameter == SK_PARAMETER_BIAS) return node->bias ? 1 : 0;
  return parameter == SK_PARAMETER_WEIGHT ? 2 : 0;
}

size_t sk_node_parameter_shape(const struct sk_graph *graph, size_t node, enum sk_parameter parameter,
                               size_t shape[4]) {
  const struct sk_node *const n = &graph->nodes[node];
  if (n->op == SK_NODE_CONV) return conv_parameter_shape(n, parameter, shape);
  if (n->op == SK_NODE_DENSE) return dense_parameter_shape(n, graph->nodes[n->inputs[0]].channels, parameter, shape);
  shape[0] = n->channels;
  return n->op == SK_NODE_BATCH_NORM ? 1 : 0;
}

size_t sk_node_parameter_elements(const struct sk_graph *graph, size_t node, enum sk_parameter parameter) {
  size_t shape[4];
  const size_t rank = sk_node_parameter_shape(graph, node, parameter, shape);
  size_t elements = rank > 0;
  for (size_t i = 0; i < rank; i++) elements *= shape[i];
  return elements;
}

uint64_t sk_node_macs(const struct sk_graph *graph, size_t node) {
  const struct sk_node *const n = &graph->nodes[node];
  if (n->op != SK_NODE_CONV && n->op != SK_NODE_DENSE) return 0;
  const uint64_t pixels = (uint64_t)n->height * n->width;
  return pixels * sk_node_parameter_elements(graph, node, SK_PARAMETER_WEIGHT);
}

uint64_t sk_graph_macs(const struct sk_graph *graph) {
  uint64_t macs = 0;
  for (size_t i = 0; i < graph->count; i++) macs += sk_node_macs(graph, i);
  return macs;
}

uint64_t sk_graph_parameters(const struct sk_graph *graph) {
  uint64_t parameters = 0;
  for (size_t i = 0; i < graph->count; i++) {
    parameters += sk_node_parameter_elements(graph, i, SK_PARAMETER_WEIGHT);
    parameters += sk_node_parameter_elements(graph, i, SK_PARAMETER_BIAS);
  }
  return parameters;
}

void sk_graph_last_uses(const struct sk_graph *graph, size_t *last) {
  for (size_t i = 0; i < graph->count; i++) {
    last[i] = i;
    for (size_t j = 0; j < sk_node_input_count(graph->nodes[i].op); j++) last[graph->nodes[i].inputs[j]] = i;
  }
  if (graph->count > 0) last[graph->count - 1] = graph->count;
}
