#include "reference/network.h"

#include <stdlib.h>
#include <string.h>

#include "dispatch/size.h"
#include "dispatch/status.h"
#include "reference/reference.h"

struct evaluation {
  const struct sk_graph *graph;
  size_t batch;
  double **outputs; /* [nodes] NULL before a node has run and after its last use */
  size_t *last;     /* [nodes] see sk_graph_last_uses */
};

/* ---- Memory ------------------------------------------------------------------------------------------------- */

static sk_status allocate(const struct sk_node *node, size_t count, double **data) {
  size_t bytes = 0;
  if (!sk_size_multiply(count, sizeof **data, &bytes)) {
    return sk_fail(SK_INVALID_ARGUMENT, "layer \"%s\": %zu values overflow", node->name, count);
  }
  *data = malloc(sk_size_max(bytes, 1));
  if (*data) return SK_OK;
  sk_fail(SK_OUT_OF_MEMORY, "layer \"%s\": out of memory for %zu bytes", node->name, bytes);
  return SK_OUT_OF_MEMORY; /* rather than what sk_fail returns: so that static analysis sees a failure */
}

/* Read a bound parameter as double precision; NULL for one that the node does not have. Free it. */
static sk_status read_parameter(const struct sk_node *node, enum sk_parameter parameter, double **data) {
  *data = NULL;
  const struct sk_weight_tensor *const tensor = node->parameters[parameter];
  if (!tensor) return SK_OK;
  const sk_status status = allocate(node, tensor->elements, data);
  if (status) return status;
  for (size_t i = 0; i < tensor->elements; i++) {
    float value = 0;
    sk_weight_tensor_read_range(tensor, i, 1, &value);
    (*data)[i] = (double)value;
  }
  return SK_OK;
}

struct parameters {
  double *values[SK_PARAMETER_COUNT];
};

static void free_parameters(struct parameters *parameters) {
  for (size_t i = 0; i < SK_PARAMETER_COUNT; i++) free(parameters->values[i]);
}

static sk_status read_parameters(const struct sk_node *node, struct parameters *parameters) {
  sk_status status = SK_OK;
  for (int i = 0; !status && i < SK_PARAMETER_COUNT; i++) {
    status = read_parameter(node, (enum sk_parameter)i, &parameters->values[i]);
  }
  return status;
}

/* ---- Operators ---------------------------------------------------------------------------------------------- */

/* Convolve by one output plane at a time, so that threads can share the work: each call is a convolution to a single
 * channel from the channels of its group. */
static void run_conv(const struct sk_node *node, size_t batch, const double *x, const struct parameters *parameters,
                     double *y) {
  const sk_conv_shape *const conv = &node->conv;
  const size_t inputs = conv->in_channels / conv->groups, outputs = conv->out_channels / conv->groups;
  const size_t in_plane = conv->in_height * conv->in_width, out_plane = node->height * node->width;
  const size_t kernel = inputs * conv->kernel_height * conv->kernel_width;
  const double *const weights = parameters->values[SK_PARAMETER_WEIGHT];
  const double *const bias = parameters->values[SK_PARAMETER_BIAS];
  sk_conv_shape slice = *conv;
  slice.batch = slice.groups = slice.out_channels = 1;
  slice.in_channels = inputs;
#pragma omp parallel for schedule(dynamic)
  for (size_t i = 0; i < batch * conv->out_channels; i++) {
    const size_t image = i / conv->out_channels, k = i % conv->out_channels;
    const double *const from = x + (image * conv->in_channels + k / outputs * inputs) * in_plane;
    sk_reference_conv(&slice, from, weights + k * kernel, bias ? bias + k : NULL, y + i * out_plane, NULL);
  }
}

static sk_reference_pool_shape pool_shape(const struct sk_node *node, size_t batch, const struct sk_node *x) {
  const struct sk_pool_shape *const pool = &node->pool;
  return (sk_reference_pool_shape){.batch = batch,
                                   .channels = x->channels,
                                   .height = x->height,
                                   .width = x->width,
                                   .kernel_height = pool->kernel_height,
                                   .kernel_width = pool->kernel_width,
                                   .stride_height = pool->stride_height,
                                   .stride_width = pool->stride_width,
                                   .pad_top = pool->pad_top,
                                   .pad_bottom = pool->pad_bottom,
                                   .pad_left = pool->pad_left,
                                   .pad_right = pool->pad_right,
                                   .dilation_height = pool->dilation_height,
                                   .dilation_width = pool->dilation_width,
                                   .ceil_mode = pool->ceil_mode,
                                   .ceil_past_input = pool->ceil_past_input,
                                   .count_include_pad = pool->count_include_pad};
}

/* Shortcut A: y[n][c + pad][i][j] = x[n][c][i*stride][j*stride], zeros in the channels on either side. */
static void run_subsample(const struct sk_node *node, size_t batch, const struct sk_node *from, const double *x,
                          double *y) {
  const size_t pad = (node->channels - from->channels) / 2;
  for (size_t n = 0; n < batch; n++) {
    for (size_t c = 0; c < node->channels; c++) {
      const bool is_copied = c >= pad && c - pad < from->channels;
      for (size_t i = 0; i < node->height; i++) {
        for (size_t j = 0; j < node->width; j++) {
          const size_t row = i * node->stride, column = j * node->stride;
          *y++ = is_copied ? x[((n * from->channels + c - pad) * from->height + row) * from->width + column] : 0;
        }
      }
    }
  }
}

static void run_batch_norm(const struct sk_node *node, size_t batch, const double *x,
                           const struct parameters *parameters, double *y) {
  double *const *const p = parameters->values;
  sk_reference_batch_norm(batch, node->channels, node->height * node->width, x, p[SK_PARAMETER_WEIGHT],
                          p[SK_PARAMETER_BIAS], p[SK_PARAMETER_MEAN], p[SK_PARAMETER_VARIANCE], sk_node_epsilon(node),
                          y);
}

static void run_pad(const struct sk_node *node, size_t batch, const struct sk_node *from, const double *x, double *y) {
  const struct sk_padding *const pad = &node->pad;
  const sk_reference_padding padding = {.planes = batch * from->channels,
                                        .height = from->height,
                                        .width = from->width,
                                        .top = pad->top,
                                        .bottom = pad->bottom,
                                        .left = pad->left,
                                        .right = pad->right,
                                        .value = (double)pad->value};
  sk_reference_pad(&padding, x, y);
}

/* Add or multiply; a second input of one value per channel is first repeated in y, where the result then takes its
 * place. */
static void run_on_two(const struct sk_node *node, const struct sk_node *second, size_t batch,
                       const double *const inputs[2], double *y) {
  const size_t count = batch * sk_node_elements(node), second_count = batch * sk_node_elements(second);
  const double *b = inputs[1];
  if (second_count != count) {
    sk_reference_broadcast(second_count, node->height * node->width, b, y);
    b = y;
  }
  (node->op == SK_NODE_ADD ? sk_reference_add : sk_reference_multiply)(count, inputs[0], b, y);
}

/* from: the nodes whose outputs the inputs are; the second one of no meaning to a node with one. */
static void run_op(const struct sk_node *n, const struct sk_node *const from[2], size_t batch,
                   const double *const inputs[2], const struct parameters *parameters, double *y) {
  const double *const x = inputs[0];
  const struct sk_node *const first = from[0];
  double *const *const p = parameters->values;
  const size_t count = batch * sk_node_elements(n);
  const sk_reference_pool_shape pool = pool_shape(n, batch, first);
  switch (n->op) {
    case SK_NODE_CONV: run_conv(n, batch, x, parameters, y); break;
    case SK_NODE_BATCH_NORM: run_batch_norm(n, batch, x, parameters, y); break;
    case SK_NODE_RELU: sk_reference_relu(count, x, y); break;
    case SK_NODE_ADD:
    case SK_NODE_MULTIPLY: run_on_two(n, from[1], batch, inputs, y); break;
    case SK_NODE_CONCAT:
      sk_reference_concat(batch, sk_node_elements(first), sk_node_elements(from[1]), x, inputs[1], y);
      break;
    case SK_NODE_CLIP: sk_reference_clip(count, x, (double)n->clip.minimum, (double)n->clip.maximum, y); break;
    case SK_NODE_SIGMOID: sk_reference_sigmoid(count, x, y); break;
    case SK_NODE_PAD: run_pad(n, batch, first, x, y); break;
    case SK_NODE_MAX_POOL: sk_reference_max_pool(&pool, x, y); break;
    case SK_NODE_AVERAGE_POOL: sk_reference_average_pool(&pool, x, y); break;
    case SK_NODE_GLOBAL_AVERAGE_POOL:
      sk_reference_global_average_pool(batch, n->channels, first->height * first->width, x, y);
      break;
    case SK_NODE_FLATTEN: memcpy(y, x, count * sizeof *y); break;
    case SK_NODE_DENSE:
      sk_reference_dense(batch, first->channels, n->channels, x, p[SK_PARAMETER_WEIGHT], p[SK_PARAMETER_BIAS], y, NULL);
      break;
    case SK_NODE_SOFTMAX: sk_reference_softmax(batch, n->channels, n->height * n->width, x, y); break;
    case SK_NODE_SUBSAMPLE: run_subsample(n, batch, first, x, y); break;
    case SK_NODE_INPUT:
    case SK_NODE_OP_COUNT: break; /* filled by the caller */
  }
}

sk_status sk_reference_node_run(const struct sk_graph *graph, size_t node, size_t batch, const double *const inputs[2],
                                double *y) {
  const struct sk_node *const n = &graph->nodes[node];
  struct parameters parameters = {{NULL}};
  const sk_status status = read_parameters(n, &parameters);
  const struct sk_node *const from[2] = {&graph->nodes[n->inputs[0]],
                                         sk_node_input_count(n->op) > 1 ? &graph->nodes[n->inputs[1]] : NULL};
  if (!status) run_op(n, from, batch, inputs, &parameters, y);
  free_parameters(&parameters);
  return status;
}

/* ---- The graph ---------------------------------------------------------------------------------------------- */

static sk_status allocate_output(const struct evaluation *e, size_t node) {
  const struct sk_node *const n = &e->graph->nodes[node];
  size_t count = 0;
  if (!sk_size_multiply(e->batch, sk_node_elements(n), &count)) {
    return sk_fail(SK_INVALID_ARGUMENT, "batch: %zu images overflow in layer \"%s\"", e->batch, n->name);
  }
  return allocate(n, count, &e->outputs[node]);
}

static sk_status run_node(const struct evaluation *e, size_t node, const float *x) {
  const struct sk_node *const n = &e->graph->nodes[node];
  const sk_status status = allocate_output(e, node);
  if (status) return status;
  if (n->op == SK_NODE_INPUT) {
    for (size_t i = 0; i < e->batch * sk_node_elements(n); i++) e->outputs[node][i] = (double)x[i];
    return SK_OK;
  }
  const double *const inputs[2] = {e->outputs[n->inputs[0]],
                                   sk_node_input_count(n->op) > 1 ? e->outputs[n->inputs[1]] : NULL};
  return sk_reference_node_run(e->graph, node, e->batch, inputs, e->outputs[node]);
}

/* Free the inputs that nothing after `node` reads. */
static void free_used(const struct evaluation *e, size_t node) {
  const struct sk_node *const n = &e->graph->nodes[node];
  for (size_t i = 0; i < sk_node_input_count(n->op); i++) {
    const size_t input = n->inputs[i];
    if (e->last[input] != node) continue;
    free(e->outputs[input]);
    e->outputs[input] = NULL;
  }
}

static sk_status run_nodes(const struct evaluation *e, const float *x, double *y,
                           sk_reference_network_callback *callback, void *user) {
  sk_graph_last_uses(e->graph, e->last);
  for (size_t node = 0; node < e->graph->count; node++) {
    const sk_status status = run_node(e, node, x);
    if (status) return status;
    if (callback) callback(user, node, e->outputs[node]);
    free_used(e, node);
  }
  const size_t output = e->graph->count - 1;
  memcpy(y, e->outputs[output], e->batch * sk_node_elements(&e->graph->nodes[output]) * sizeof *y);
  return SK_OK;
}

sk_status sk_reference_network_run(const struct sk_graph *graph, size_t batch, const float *x, double *y,
                                   sk_reference_network_callback *callback, void *user) {
  if (graph->count == 0 || batch == 0) return sk_fail(SK_INVALID_ARGUMENT, "reference: empty graph or batch");
  struct evaluation e = {.graph = graph, .batch = batch};
  e.outputs = calloc(graph->count, sizeof *e.outputs);
  e.last = calloc(graph->count, sizeof *e.last);
  const bool is_ready = e.outputs && e.last;
  const sk_status status = is_ready ? run_nodes(&e, x, y, callback, user)
                                    : sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu layers", graph->count);
  for (size_t i = 0; e.outputs && i < graph->count; i++) free(e.outputs[i]);
  free(e.outputs);
  free(e.last);
  return status;
}
