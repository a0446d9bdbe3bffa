/* Planned networks: a schedule with its packed weights and its memory, run without allocating. */
#include <string.h>

#include "dispatch/conv.h"
#include "dispatch/cpu.h"
#include "dispatch/isa.h"
#include "dispatch/memory.h"
#include "dispatch/options.h"
#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/memory_plan.h"
#include "resnet/net.h"
#include "resnet/network.h"
#include "resnet/plan.h"
#include "resnet/text.h"

/* What a step holds beyond the schedule: its packed parameters. */
struct layer {
  sk_algorithm algorithm;
  sk_conv *conv;
  struct sk_dense dense;
  float *scale, *shift; /* batch norm: [16 * ceil(channels / 16)] each, one allocation */
};

struct sk_net {
  struct sk_graph graph; /* names and shapes; its weights are unbound once packed */
  struct sk_schedule schedule;
  struct sk_segments segments;
  struct sk_memory_plan memory;
  struct sk_engine engine;
  struct layer *layers;  /* [schedule.count] */
  struct sk_arena arena; /* the packed weights, in the order of their use */
  size_t batch;
  size_t *taps; /* [tap_count] nodes */
  size_t tap_count;
  bool *tapped;          /* [nodes] */
  size_t conv_workspace; /* bytes, shared by the convolutions, after the activations */
  size_t workspace_bytes, weight_bytes;
};

/* ---- Planning: options and taps ----------------------------------------------------------------------------- */

static sk_status choose_engine(sk_net *net, const sk_net_options *options) {
  sk_status status = sk_check_threads("net", options->threads);
  if (!status) status = sk_check_reserved("net", options->reserved, sizeof options->reserved);
  if (status) return status;
  net->engine.threads = sk_threads_choose(options->threads);
  net->engine.flush_denormals = options->flush_denormals;
  net->batch = options->batch ? options->batch : 1;
  return sk_kernels_choose(options->isa, &net->engine.kernels);
}

static sk_status find_tap(sk_net *net, const char *model, const char *name, size_t *node) {
  if (!name) return sk_fail(SK_INVALID_ARGUMENT, "taps: NULL name");
  *node = sk_graph_find(&net->graph, name);
  return *node != SK_NO_NODE ? SK_OK : sk_graph_fail_unknown(&net->graph, model, name);
}

static sk_status find_taps(sk_net *net, const char *model, const sk_net_options *options) {
  if (options->tap_count > 0 && !options->taps) return sk_fail(SK_INVALID_ARGUMENT, "taps: NULL");
  net->tapped = sk_calloc(net->graph.count, sizeof *net->tapped);
  net->taps = sk_calloc(sk_size_max(options->tap_count, 1), sizeof *net->taps);
  if (!net->tapped || !net->taps) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu taps", options->tap_count);
  for (size_t i = 0; i < options->tap_count; i++) {
    const sk_status status = find_tap(net, model, options->taps[i], &net->taps[i]);
    if (status) return status;
    net->tapped[net->taps[i]] = true;
  }
  net->tap_count = options->tap_count;
  return SK_OK;
}

/* ---- Planning: algorithms ----------------------------------------------------------------------------------- */

static sk_conv_shape batched(const sk_net *net, const struct sk_step *step, size_t batch) {
  sk_conv_shape shape = net->graph.nodes[step->node].conv;
  shape.batch = batch;
  return shape;
}

/* Choose each convolution's algorithm: the wanted one where it applies, direct elsewhere. Wanting one that applies
 * nowhere is an error rather than a net that silently runs another. */
static sk_status choose_algorithms(sk_net *net, sk_algorithm wanted) {
  bool is_refused = false;
  bool applies = false;
  for (size_t i = 0; i < net->schedule.count; i++) {
    net->layers[i].algorithm = SK_ALGORITHM_DIRECT;
    if (net->schedule.steps[i].op != SK_NODE_CONV) continue;
    const sk_conv_shape shape = batched(net, &net->schedule.steps[i], net->batch);
    const sk_status status = sk_conv_choose(&shape, wanted, &net->layers[i].algorithm);
    if (status && status != SK_UNSUPPORTED) return status;
    is_refused = is_refused || status;
    applies = applies || !status;
  }
  if (applies || !is_refused) return SK_OK;
  const struct sk_quoted reason = sk_quote(sk_error_message());
  return sk_fail(SK_UNSUPPORTED, "algorithm %s: of use to no layer of this network: %s", sk_algorithm_name(wanted),
                 reason.text);
}

/* Take each convolution's algorithm from a plan. */
static sk_status take_planned(sk_net *net, const char *model, const sk_net_options *options) {
  if (options->algorithm != SK_ALGORITHM_AUTO) {
    return sk_fail(SK_INVALID_ARGUMENT, "algorithm: %s beside a plan, which has one for each layer; expected auto",
                   sk_algorithm_name(options->algorithm));
  }
  sk_status status = sk_plan_check(options->plan, model, &net->graph);
  for (size_t i = 0; !status && i < net->schedule.count; i++) {
    const struct sk_step *const step = &net->schedule.steps[i];
    net->layers[i].algorithm = SK_ALGORITHM_DIRECT;
    if (step->op != SK_NODE_CONV) continue;
    status = sk_plan_find(options->plan, &net->graph.nodes[step->node], &net->layers[i].algorithm);
  }
  return status;
}

/* Whether the input itself is asked for, as a tap or as what a network without operators gives. */
static bool input_is_output(const sk_net *net) {
  const size_t *const value = net->schedule.value;
  for (size_t node = 0; node < net->graph.count; node++) {
    const bool is_output = net->tapped[node] || node == net->graph.count - 1;
    if (is_output && net->graph.nodes[value[node]].op == SK_NODE_INPUT) return true;
  }
  return false;
}

/* Choose where the input is: in planes if every reader is a convolution that can read them, in the caller's if all can
 * read those. */
static enum sk_input choose_input(const sk_net *net) {
  bool is_plain = !input_is_output(net);
  for (size_t i = 0; i < net->schedule.count; i++) {
    const struct sk_step *const step = &net->schedule.steps[i];
    const bool reads = net->graph.nodes[step->input].op == SK_NODE_INPUT;
    const bool adds = step->residual != SK_NO_NODE && net->graph.nodes[step->residual].op == SK_NODE_INPUT;
    const sk_algorithm algorithm = net->layers[i].algorithm;
    if (!reads && !adds) continue;
    if (adds || step->op != SK_NODE_CONV || !sk_conv_reads_planar(algorithm)) return SK_INPUT_NCHW16C;
    if (!sk_conv_takes_planar(&net->graph.nodes[step->node].conv)) return SK_INPUT_NCHW16C;
    is_plain = is_plain && sk_conv_reads_plain(algorithm);
  }
  return is_plain ? SK_INPUT_PLAIN : SK_INPUT_NCHW;
}

/* ---- Planning: parameters ----------------------------------------------------------------------------------- */

/* Read a node's weights and bias (zeros if it has none), in plain order. Free both, whatever the outcome. */
static sk_status read_weights(const sk_net *net, size_t node, float **weights, float **bias) {
  const struct sk_node *const n = &net->graph.nodes[node];
  *weights = sk_calloc(n->parameters[SK_PARAMETER_WEIGHT]->elements, sizeof **weights);
  *bias = sk_calloc(n->channels, sizeof **bias);
  if (!*weights || !*bias) return sk_fail(SK_OUT_OF_MEMORY, "layer \"%s\": out of memory for its weights", n->name);
  sk_weight_tensor_read(n->parameters[SK_PARAMETER_WEIGHT], *weights);
  if (n->bias) sk_weight_tensor_read(n->parameters[SK_PARAMETER_BIAS], *bias);
  sk_weight_tensor_drop(n->parameters[SK_PARAMETER_WEIGHT]);
  return SK_OK;
}

static sk_conv_options conv_options(const sk_net *net, size_t i) {
  const struct sk_step *const step = &net->schedule.steps[i];
  return (sk_conv_options){.isa = net->engine.kernels->isa,
                           .algorithm = net->layers[i].algorithm,
                           .threads = net->engine.threads,
                           .residual = step->residual != SK_NO_NODE,
                           .relu = step->relu,
                           .flush_denormals = net->engine.flush_denormals};
}

static sk_status plan_conv(sk_net *net, size_t i, float *weights, float *bias) {
  const struct sk_step *const step = &net->schedule.steps[i];
  struct layer *const layer = &net->layers[i];
  const sk_conv_shape shape = batched(net, step, sk_segments_of(&net->segments, i)->images);
  if (step->batch_norm != SK_NO_NODE) {
    const size_t per_output =
        sk_node_parameter_elements(&net->graph, step->node, SK_PARAMETER_WEIGHT) / shape.out_channels;
    sk_fold_batch_norm(&net->graph.nodes[step->batch_norm], per_output, weights, bias);
  }
  const sk_conv_options options = conv_options(net, i);
  const sk_status status = sk_conv_plan(&layer->conv, &shape, weights, bias, &options,
                                        net->memory.values[step->input].tensor.layout, &net->arena);
  if (status) return status;
  if (step->clip != SK_NO_NODE) sk_conv_set_clip(layer->conv, net->graph.nodes[step->clip].clip);
  net->weight_bytes += sk_conv_weight_bytes(layer->conv);
  net->conv_workspace = sk_size_max(net->conv_workspace, sk_conv_tensor_workspace_bytes(layer->conv));
  return SK_OK;
}

static sk_status plan_dense(sk_net *net, size_t i, const float *weights, const float *bias) {
  const struct sk_step *const step = &net->schedule.steps[i];
  struct sk_dense *const dense = &net->layers[i].dense;
  const sk_status status = sk_dense_create(dense, net->graph.nodes[step->input].channels,
                                           net->graph.nodes[step->node].channels, weights, bias, &net->arena);
  if (!status) net->weight_bytes += sk_dense_weight_bytes(dense);
  return status;
}

static sk_status plan_weights(sk_net *net, size_t i) {
  float *weights = NULL;
  float *bias = NULL;
  sk_status status = read_weights(net, net->schedule.steps[i].node, &weights, &bias);
  if (!status) {
    const bool is_conv = net->schedule.steps[i].op == SK_NODE_CONV;
    status = is_conv ? plan_conv(net, i, weights, bias) : plan_dense(net, i, weights, bias);
  }
  sk_free(weights);
  sk_free(bias);
  return status;
}

/* Bytes of a batch norm's scale and shift. */
static size_t batch_norm_bytes(const struct sk_node *node) {
  return 2 * sk_size_round_up(node->channels, SK_BLOCK) * sizeof(float);
}

static sk_status plan_batch_norm(sk_net *net, size_t i) {
  const struct sk_node *const node = &net->graph.nodes[net->schedule.steps[i].node];
  struct layer *const layer = &net->layers[i];
  const size_t lanes = sk_size_round_up(node->channels, SK_BLOCK);
  const size_t bytes = batch_norm_bytes(node);
  layer->scale = sk_alloc(bytes);
  if (!layer->scale) return sk_fail(SK_OUT_OF_MEMORY, "layer \"%s\": out of memory for %zu bytes", node->name, bytes);
  layer->shift = layer->scale + lanes;
  sk_batch_norm_scale_shift(node, layer->scale, layer->shift);
  net->weight_bytes += bytes;
  return SK_OK;
}

static sk_status plan_layer(sk_net *net, size_t i) {
  switch (net->schedule.steps[i].op) {
    case SK_NODE_CONV:
    case SK_NODE_DENSE: return plan_weights(net, i);
    case SK_NODE_BATCH_NORM: return plan_batch_norm(net, i);
    default: return SK_OK;
  }
}

/* The weights may be closed once the net is made: forget them. */
static void unbind(struct sk_graph *graph) {
  for (size_t i = 0; i < graph->count; i++) memset(graph->nodes[i].parameters, 0, sizeof graph->nodes[i].parameters);
}

/* Tell each dense layer's weights to the convolution before it. */
static void announce_dense(const sk_net *net) {
  sk_conv *before = NULL;
  for (size_t i = 0; i < net->schedule.count; i++) {
    const struct layer *const layer = &net->layers[i];
    if (net->schedule.steps[i].op == SK_NODE_DENSE && before) {
      sk_conv_set_after(before, layer->dense.weights, sk_dense_weight_bytes(&layer->dense));
    }
    if (layer->conv) before = layer->conv;
  }
}

static sk_status plan_layers(sk_net *net) {
  for (size_t i = 0; i < net->schedule.count; i++) {
    const sk_status status = plan_layer(net, i);
    if (status) return status;
  }
  unbind(&net->graph);
  for (size_t i = 0; i < net->schedule.count; i++) {
    if (net->layers[i].conv) sk_conv_set_workspace(net->layers[i].conv, net->conv_workspace);
  }
  announce_dense(net);
  if (sk_size_add(net->memory.bytes, net->conv_workspace, &net->workspace_bytes)) return SK_OK;
  return sk_fail(SK_INVALID_ARGUMENT, "batch: %zu, the size of the workspace overflows", net->batch);
}

/* ---- Planning: a limit on memory ------------------------------------------------------------------------------ */

/* What layer `i` will take: packed weights, and workspace while it runs. */
static sk_status measure_layer(const sk_net *net, size_t i, struct sk_conv_sizes *sizes) {
  const struct sk_step *const step = &net->schedule.steps[i];
  const struct sk_node *const node = &net->graph.nodes[step->node];
  *sizes = (struct sk_conv_sizes){0};
  if (step->op == SK_NODE_CONV) {
    const sk_conv_shape shape = batched(net, step, sk_segments_of(&net->segments, i)->images);
    const sk_conv_options options = conv_options(net, i);
    return sk_conv_measure(&shape, &options, net->memory.values[step->input].tensor.layout, sizes);
  }
  if (step->op == SK_NODE_BATCH_NORM) sizes->weight_bytes = batch_norm_bytes(node);
  if (step->op == SK_NODE_DENSE) {
    const struct sk_dense dense = {.inputs = net->graph.nodes[step->input].channels, .outputs = node->channels};
    const sk_status status = sk_dense_check(dense.inputs, dense.outputs);
    if (status) return status;
    sizes->weight_bytes = sk_dense_weight_bytes(&dense);
  }
  return SK_OK;
}

/* Refuse what would take more than `most` bytes before any weights are packed. */
static sk_status check_memory(const sk_net *net, size_t most) {
  size_t weights = 0, workspace = 0, bytes = 0;
  bool fits = true;
  for (size_t i = 0; i < net->schedule.count; i++) {
    struct sk_conv_sizes sizes;
    const sk_status status = measure_layer(net, i, &sizes);
    if (status) return status;
    fits = fits && sk_size_add(weights, sizes.weight_bytes, &weights);
    workspace = sk_size_max(workspace, sizes.tensor_workspace_bytes);
  }
  fits = fits && sk_size_add(workspace, net->memory.bytes, &workspace) && sk_size_add(weights, workspace, &bytes);
  if (fits && bytes <= most) return SK_OK;
  if (!fits) return sk_fail(SK_INVALID_ARGUMENT, "batch: %zu, the size of the network overflows", net->batch);
  return sk_fail(SK_OUT_OF_MEMORY,
                 "memory: the network takes %zu bytes, %zu of weights and %zu of workspace; expected at most %zu",
                 bytes, weights, workspace, most);
}

/* ---- Planning: the whole ------------------------------------------------------------------------------------ */

static sk_status make_schedule(sk_net *net, const char *model, const sk_net_options *options) {
  const sk_status status = sk_schedule_make(&net->schedule, &net->graph, net->tapped);
  if (status) return status;
  net->layers = sk_calloc(net->schedule.count + 1, sizeof *net->layers);
  if (!net->layers) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu layers", net->schedule.count);
  return options->plan ? take_planned(net, model, options) : choose_algorithms(net, options->algorithm);
}

static sk_status plan_net(sk_net *net, const char *model, const sk_net_options *options) {
  sk_status status = choose_engine(net, options);
  if (!status) status = find_taps(net, model, options);
  if (!status) status = make_schedule(net, model, options);
  if (!status) {
    status = sk_segments_make(&net->segments, &net->graph, &net->schedule, net->batch, sk_cpu_caches().l3_bytes);
  }
  if (!status) {
    status = sk_memory_plan_make(&net->memory, &net->graph, &net->schedule, &net->segments, net->tapped, net->batch,
                                 choose_input(net));
  }
  if (!status && options->max_bytes > 0) status = check_memory(net, options->max_bytes);
  return status ? status : plan_layers(net);
}

sk_status sk_net_create_from_graph(sk_net **net, const char *model, struct sk_graph *graph,
                                   const sk_net_options *options) {
  sk_status status = SK_OK;
  *net = sk_calloc(1, sizeof **net);
  if (*net) {
    (*net)->graph = *graph;
    *graph = (struct sk_graph){0};
    status = plan_net(*net, model, options);
  } else {
    sk_graph_destroy(graph);
    status = sk_fail(SK_OUT_OF_MEMORY, "out of memory for a net");
  }
  if (status) {
    sk_net_destroy(*net);
    *net = NULL;
  }
  return status;
}

sk_status sk_net_create(sk_net **net, const char *model, const sk_weights *weights, const sk_net_options *options) {
  static const sk_net_options defaults = {0};
  struct sk_graph graph = {0};
  if (!net) return sk_fail(SK_INVALID_ARGUMENT, "net: NULL");
  *net = NULL;
  const sk_status status = sk_network_load(&graph, model, weights, options ? options : &defaults);
  if (!status) return sk_net_create_from_graph(net, model, &graph, options ? options : &defaults);
  sk_graph_destroy(&graph);
  return status;
}

void sk_net_destroy(sk_net *net) {
  if (!net) return;
  for (size_t i = 0; net->layers && i < net->schedule.count; i++) {
    sk_conv_destroy(net->layers[i].conv);
    sk_dense_destroy(&net->layers[i].dense);
    sk_free(net->layers[i].scale);
  }
  sk_arena_destroy(&net->arena);
  sk_free(net->layers);
  sk_free(net->taps);
  sk_free(net->tapped);
  sk_memory_plan_destroy(&net->memory);
  sk_segments_destroy(&net->segments);
  sk_schedule_destroy(&net->schedule);
  sk_graph_destroy(&net->graph);
  sk_free(net);
}

/* ---- Describing --------------------------------------------------------------------------------------------- */

void sk_net_describe(const sk_net *net, sk_net_info *info) {
  const struct sk_node *const input = &net->graph.nodes[0];
  *info = (sk_net_info){.isa = net->engine.kernels->isa,
                        .threads = net->engine.threads,
                        .batch = net->batch,
                        .in_channels = input->channels,
                        .in_height = input->height,
                        .in_width = input->width,
                        .classes = sk_node_elements(&net->graph.nodes[net->graph.count - 1]),
                        .layers = net->schedule.count,
                        .macs = sk_graph_macs(&net->graph),
                        .workspace_bytes = net->workspace_bytes,
                        .weight_bytes = net->weight_bytes,
                        .activation_bytes = net->memory.bytes_without_reuse,
                        .flush_denormals = net->engine.flush_denormals};
}

/* Fill in what only convolutions and pools have. */
static void describe_window(const struct sk_node *node, sk_layer_info *info) {
  const bool is_pool = node->op == SK_NODE_MAX_POOL || node->op == SK_NODE_AVERAGE_POOL;
  info->kernel_height = info->kernel_width = info->stride = info->groups = 1;
  if (node->op == SK_NODE_SUBSAMPLE) info->stride = node->stride;
  if (node->op == SK_NODE_CONV) {
    info->kernel_height = node->conv.kernel_height;
    info->kernel_width = node->conv.kernel_width;
    info->stride = node->conv.stride_height;
    info->groups = node->conv.groups;
  }
  if (is_pool) {
    info->kernel_height = node->pool.kernel_height;
    info->kernel_width = node->pool.kernel_width;
    info->stride = node->pool.stride_height;
  }
}

/* Bytes of one image in NCHW16c, without the halo. */
static size_t blocked_bytes(const struct sk_node *node) {
  return sk_size_round_up(node->channels, SK_BLOCK) * node->height * node->width * sizeof(float);
}

static void describe_memory(const sk_net *net, size_t index, sk_layer_info *info) {
  const struct sk_step *const step = &net->schedule.steps[index];
  const struct layer *const layer = &net->layers[index];
  const struct sk_node *const nodes = net->graph.nodes;
  info->activation_bytes = blocked_bytes(&nodes[step->input]) + blocked_bytes(&nodes[step->output]);
  if (step->residual != SK_NO_NODE) info->activation_bytes += blocked_bytes(&nodes[step->residual]);
  if (step->op == SK_NODE_CONV) {
    info->weight_bytes = sk_conv_weight_bytes(layer->conv);
    info->workspace_bytes = sk_conv_tensor_workspace_bytes(layer->conv);
  }
  if (step->op == SK_NODE_DENSE) info->weight_bytes = sk_dense_weight_bytes(&layer->dense);
  if (step->op == SK_NODE_BATCH_NORM)
    info->weight_bytes = 2 * sk_size_round_up(info->out_channels, SK_BLOCK) * sizeof(float);
}

sk_status sk_net_layer(const sk_net *net, size_t index, sk_layer_info *info) {
  if (!net || !info) return sk_fail(SK_INVALID_ARGUMENT, "sk_net_layer: NULL argument");
  if (index >= net->schedule.count) {
    return sk_fail(SK_INVALID_ARGUMENT, "layer: number %zu, expected below %zu", index, net->schedule.count);
  }
  const struct sk_step *const step = &net->schedule.steps[index];
  const struct sk_node *const node = &net->graph.nodes[step->node];
  const struct sk_node *const x = &net->graph.nodes[step->input];
  *info = (sk_layer_info){.name = node->name,
                          .op = sk_step_op_name(step),
                          .algorithm = net->layers[index].algorithm,
                          .in_channels = x->channels,
                          .in_height = x->height,
                          .in_width = x->width,
                          .out_channels = node->channels,
                          .out_height = node->height,
                          .out_width = node->width,
                          .macs = sk_node_macs(&net->graph, step->node)};
  describe_window(node, info);
  describe_memory(net, index, info);
  return SK_OK;
}

/* ---- Running ------------------------------------------------------------------------------------------------ */

/* One run of one group of images: which, and where. */
struct run {
  const sk_net *net;
  size_t first, batch;
  const float *x; /* [batch][channels][height][width], of all groups */
  void *workspace;
};

static bool is_plain(const struct run *run, size_t value) {
  return run->net->memory.values[value].buffer == SK_NO_NODE;
}

static struct sk_tensor tensor_of(const struct run *run, size_t value) {
  const void *const memory = is_plain(run, value) ? (const void *)run->x : run->workspace;
  return sk_memory_plan_tensor(&run->net->memory, value, run->first, memory);
}

static void run_conv(const struct run *run, const struct sk_step *step, const sk_conv *conv) {
  const struct sk_tensor x = tensor_of(run, step->input);
  const struct sk_tensor y = tensor_of(run, step->output);
  void *const workspace = (char *)run->workspace + run->net->memory.bytes;
  if (step->residual == SK_NO_NODE) {
    sk_conv_run_tensor(conv, run->batch, &x, NULL, &y, workspace);
    return;
  }
  const struct sk_tensor residual = tensor_of(run, step->residual);
  sk_conv_run_tensor(conv, run->batch, &x, &residual, &y, workspace);
}

/* Run an operator of two inputs. */
static void run_on_two(const struct run *run, const struct sk_step *step) {
  const struct sk_engine engine = run->net->engine;
  const struct sk_tensor a = tensor_of(run, step->input);
  const struct sk_tensor b = tensor_of(run, step->residual);
  const struct sk_tensor y = tensor_of(run, step->output);
  switch (step->op) {
    case SK_NODE_MULTIPLY: sk_op_multiply(engine, run->batch, &a, &b, &y); break;
    case SK_NODE_CONCAT: sk_op_concat(run->batch, &a, &b, &y, engine.threads); break;
    default: sk_op_add(engine, step->relu, run->batch, &a, &b, &y); break;
  }
}

static void run_step(const struct run *run, const struct sk_step *step, const struct layer *layer) {
  const struct sk_engine engine = run->net->engine;
  const struct sk_node *const node = &run->net->graph.nodes[step->node];
  const struct sk_tensor x = tensor_of(run, step->input);
  const struct sk_tensor y = tensor_of(run, step->output);
  switch (step->op) {
    case SK_NODE_CONV: run_conv(run, step, layer->conv); break;
    case SK_NODE_ADD:
    case SK_NODE_MULTIPLY:
    case SK_NODE_CONCAT: run_on_two(run, step); break;
    case SK_NODE_BATCH_NORM:
      sk_op_batch_norm(engine, step->relu, run->batch, &x, layer->scale, layer->shift, &y);
      break;
    case SK_NODE_RELU: sk_op_relu(engine, run->batch, &x, &y); break;
    case SK_NODE_MAX_POOL: sk_op_max_pool(engine, &node->pool, run->batch, &x, &y); break;
    case SK_NODE_AVERAGE_POOL: sk_op_average_pool(engine, &node->pool, run->batch, &x, &y); break;
    case SK_NODE_GLOBAL_AVERAGE_POOL: sk_op_global_average_pool(engine, run->batch, &x, &y); break;
    case SK_NODE_DENSE: sk_op_dense(engine, &layer->dense, run->batch, &x, &y); break;
    case SK_NODE_SOFTMAX: sk_op_softmax(engine, run->batch, &x, &y); break;
    case SK_NODE_SUBSAMPLE: sk_op_subsample(node->stride, run->batch, &x, &y, engine.threads); break;
    case SK_NODE_SIGMOID: sk_op_sigmoid(engine, run->batch, &x, &y); break;
    case SK_NODE_CLIP: sk_op_clip(engine, node->clip, run->batch, &x, &y); break;
    case SK_NODE_PAD: sk_op_pad(&node->pad, run->batch, &x, &y, engine.threads); break;
    case SK_NODE_FLATTEN: sk_op_flatten(run->batch, &x, &y, engine.threads); break;
    case SK_NODE_INPUT:
    case SK_NODE_OP_COUNT: break; /* never scheduled */
  }
}

static sk_status check_workspace(const void *workspace) {
  if (!workspace) return sk_fail(SK_INVALID_ARGUMENT, "workspace: NULL");
  if ((uintptr_t)workspace % SK_ALIGNMENT == 0) return SK_OK;
  return sk_fail(SK_INVALID_ARGUMENT, "workspace: %p, expected a multiple of %d", workspace, SK_ALIGNMENT);
}

static sk_status check_batch(const sk_net *net, size_t batch) {
  if (batch >= 1 && batch <= net->batch) return SK_OK;
  return sk_fail(SK_INVALID_ARGUMENT, "batch: %zu, expected 1 to %zu as planned", batch, net->batch);
}

/* Take one group of images through a segment. */
static void run_segment(const struct run *run, const struct sk_segment *segment, sk_layer_callback *callback,
                        void *user) {
  for (size_t i = segment->first; i <= segment->last; i++) {
    run_step(run, &run->net->schedule.steps[i], &run->net->layers[i]);
    if (callback) callback(user, i);
  }
}

sk_status sk_net_run_observed(const sk_net *net, size_t batch, const float *x, float *y, void *workspace,
                              sk_layer_callback *callback, void *user) {
  if (!net || !x || !y) return sk_fail(SK_INVALID_ARGUMENT, "run: NULL net, x or y");
  sk_status status = check_batch(net, batch);
  if (!status) status = check_workspace(workspace);
  if (status) return status;

  struct run run = {.net = net, .batch = batch, .x = x, .workspace = workspace};
  const struct sk_tensor input = tensor_of(&run, 0);
  if (!is_plain(&run, 0)) sk_tensor_import(net->engine.kernels, &input, batch, x, net->engine.threads);
  for (size_t s = 0; s < net->segments.count; s++) {
    const struct sk_segment *const segment = &net->segments.segments[s];
    for (run.first = 0; run.first < batch; run.first += segment->images) {
      run.batch = sk_size_min(segment->images, batch - run.first);
      run_segment(&run, segment, callback, user);
    }
  }
  run.first = 0;
  const struct sk_tensor output = tensor_of(&run, net->schedule.value[net->graph.count - 1]);
  sk_tensor_export(net->engine.kernels, &output, batch, y, net->engine.threads);
  return SK_OK;
}

sk_status sk_net_run(const sk_net *net, size_t batch, const float *x, float *y, void *workspace) {
  return sk_net_run_observed(net, batch, x, y, workspace, NULL, NULL);
}

/* ---- Layers ------------------------------------------------------------------------------------------------- */

const struct sk_schedule *sk_net_schedule(const sk_net *net) { return &net->schedule; }

void sk_net_copy_layer(const sk_net *net, size_t layer, const void *workspace, float *out) {
  const struct sk_tensor tensor = sk_memory_plan_tensor(&net->memory, net->schedule.steps[layer].output, 0, workspace);
  sk_tensor_export(net->engine.kernels, &tensor, 1, out, net->engine.threads);
}

/* ---- Taps --------------------------------------------------------------------------------------------------- */

static sk_status check_tap(const sk_net *net, size_t tap) {
  if (!net) return sk_fail(SK_INVALID_ARGUMENT, "net: NULL");
  if (tap < net->tap_count) return SK_OK;
  return sk_fail(SK_INVALID_ARGUMENT, "tap: number %zu, expected below %zu", tap, net->tap_count);
}

sk_status sk_net_tap_shape(const sk_net *net, size_t tap, size_t shape[3]) {
  sk_status status = check_tap(net, tap);
  if (!status && !shape) status = sk_fail(SK_INVALID_ARGUMENT, "tap: NULL shape");
  if (status) return status;
  const struct sk_node *const node = &net->graph.nodes[net->taps[tap]];
  shape[0] = node->channels;
  shape[1] = node->height;
  shape[2] = node->width;
  return SK_OK;
}

sk_status sk_net_tap(const sk_net *net, size_t tap, size_t batch, const void *workspace, float *out) {
  sk_status status = check_tap(net, tap);
  if (!status) status = check_batch(net, batch);
  if (!status) status = check_workspace(workspace);
  if (!status && !out) status = sk_fail(SK_INVALID_ARGUMENT, "tap: NULL out");
  if (status) return status;
  const size_t value = net->schedule.value[net->taps[tap]];
  const struct sk_tensor tensor = sk_memory_plan_tensor(&net->memory, value, 0, workspace);
  sk_tensor_export(net->engine.kernels, &tensor, batch, out, net->engine.threads);
  return SK_OK;
}
