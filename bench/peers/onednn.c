/*
 * oneDNN: a primitive for each fused step, in the layouts that it asks for. Weights are reordered when a task is
 * loaded; activations share one arena, as lifetimes allow, and primitives one scratchpad.
 */
#include "bench/peers/peers.h"
#include "config.h"
#include "dispatch/status.h"

#define SUMMARY "oneDNN: layouts of its choice, fused epilogues"

#if !SK_HAVE_ONEDNN

static sk_status refuse(void **instance, const struct sk_backend *backend, const struct sk_conditions *conditions,
                        char version[SK_BACKEND_VERSION]) {
  (void)conditions;
  *instance = NULL;
  version[0] = '\0';
  return sk_fail(SK_UNSUPPORTED, "%s: not in this build (Debian: libdnnl-dev, then ./configure)", backend->name);
}

const struct sk_backend sk_peer_onednn = {.name = "onednn", .summary = SUMMARY, .start = refuse};

#else

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "bench/peers/onednn_api.h"
#include "bench/peers/steps.h"
#include "dispatch/size.h"
#include "resnet/memory_plan.h"

#define NONE SIZE_MAX

/* What a step can need at most: reorders of two operands and of its result, and itself; and memory for each. */
enum { ARGUMENTS = 5, ACTIONS_PER_STEP = 4, MEMORIES_PER_STEP = 6, EXTRA = 4 };

/* When an action takes place. A network's are all timed; a layer's reorders of input and output are not. */
enum phase { AT_LOAD, BEFORE_RUN, TIMED, AT_OUTPUT };

struct action {
  enum phase phase;
  dnnl_primitive_t primitive;
  int count;
  dnnl_exec_arg_t arguments[ARGUMENTS];
  dnnl_memory_t scratchpad;
};

/* A task made ready to run. Memories are called by their number. */
struct program {
  struct sk_task task;
  struct sk_schedule schedule;
  struct action *actions;
  dnnl_memory_t *memories;
  struct sk_buffer *buffers; /* [memories] in the arena, from one action to another; no bytes for the others */
  size_t action_count, memory_count;
  size_t *values;       /* [nodes] the memory that holds a node's output */
  size_t *last_readers; /* [nodes] the last step that reads a node's output */
  size_t output;
  size_t scratchpad_bytes;
  void *arena, *scratchpad;
};

struct onednn {
  int threads;
  struct sk_cpu_list cpus;
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  struct program program;
};

static sk_status outcome(dnnl_status_t status, const char *layer) {
  if (status == dnnl_success) return SK_OK;
  const sk_status kind = status == dnnl_out_of_memory ? SK_OUT_OF_MEMORY : SK_UNSUPPORTED;
  return sk_fail(kind, "onednn: layer \"%s\": %s", layer, dnnl_status2str(status));
}

/* ---- Memories ----------------------------------------------------------------------------------------------- */

static sk_dnnl_layout layout_of(const struct program *program, size_t memory) {
  sk_dnnl_layout layout = NULL;
  dnnl_memory_get_memory_desc(program->memories[memory], &layout);
  return layout;
}

static dnnl_status_t add_memory(struct onednn *o, sk_dnnl_layout layout, void *data, size_t *memory) {
  struct program *const program = &o->program;
  *memory = program->memory_count;
  const dnnl_status_t status = dnnl_memory_create(&program->memories[*memory], layout, o->engine, data);
  if (!status) program->memory_count++;
  return status;
}

/* Add memory in the arena, which is laid out when all is known. */
static dnnl_status_t add_activation(struct onednn *o, sk_dnnl_layout layout, size_t *memory) {
  const dnnl_status_t status = add_memory(o, layout, DNNL_MEMORY_NONE, memory);
  if (status) return status;
  o->program.buffers[*memory] = (struct sk_buffer){
      .bytes = sk_size_round_up(dnnl_memory_desc_get_size(layout), SK_ALIGNMENT),
      .first = o->program.action_count,
      .last = o->program.action_count,
  };
  return dnnl_success;
}

/* Add memory of a node's output, in planes, at `data`; NULL: in the arena. */
static sk_status add_planes(struct onednn *o, size_t node, int rank, float *data, size_t *memory) {
  const struct sk_node *const n = &o->program.task.graph->nodes[node];
  const dnnl_dims_t sizes = {(dnnl_dim_t)o->program.task.batch, (dnnl_dim_t)n->channels, (dnnl_dim_t)n->height,
                             (dnnl_dim_t)n->width};
  sk_dnnl_layout layout = NULL;
  dnnl_status_t status = sk_dnnl_layout_make(&layout, rank, sizes, rank == 2 ? dnnl_ab : dnnl_abcd);
  if (!status) status = data ? add_memory(o, layout, data, memory) : add_activation(o, layout, memory);
  sk_dnnl_layout_free(layout);
  return outcome(status, n->name);
}

/* Dense layers give matrices, and what follows them keeps that. */
static int node_rank(const struct sk_graph *graph, size_t node) {
  while (graph->nodes[node].op != SK_NODE_DENSE) {
    switch (graph->nodes[node].op) {
      case SK_NODE_BATCH_NORM:
      case SK_NODE_RELU:
      case SK_NODE_ADD:
      case SK_NODE_FLATTEN:
      case SK_NODE_SOFTMAX: node = graph->nodes[node].inputs[0]; break;
      default: return 4;
    }
  }
  return 2;
}

/* ---- Actions ------------------------------------------------------------------------------------------------ */

struct use {
  int argument;
  size_t memory;
};

static void use_memory(struct program *program, struct action *action, struct use use) {
  action->arguments[action->count++] = (dnnl_exec_arg_t){.arg = use.argument, .memory = program->memories[use.memory]};
  program->buffers[use.memory].last = program->action_count;
}

static dnnl_status_t use_scratchpad(struct onednn *o, struct action *action, const_dnnl_primitive_desc_t description) {
  const sk_dnnl_layout layout = dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0);
  const size_t bytes = layout ? dnnl_memory_desc_get_size(layout) : 0;
  if (bytes == 0) return dnnl_success;
  o->program.scratchpad_bytes = sk_size_max(o->program.scratchpad_bytes, bytes);
  const dnnl_status_t status = dnnl_memory_create(&action->scratchpad, layout, o->engine, DNNL_MEMORY_NONE);
  if (!status) {
    action->arguments[action->count++] = (dnnl_exec_arg_t){.arg = DNNL_ARG_SCRATCHPAD, .memory = action->scratchpad};
  }
  return status;
}

/* Append a primitive to the program; `count` uses of memory. */
static dnnl_status_t append(struct onednn *o, enum phase phase, const_dnnl_primitive_desc_t description, size_t count,
                            const struct use *uses) {
  struct action *const action = &o->program.actions[o->program.action_count];
  dnnl_status_t status = dnnl_primitive_create(&action->primitive, description);
  if (status) return status;
  action->phase = phase;
  for (size_t i = 0; i < count; i++) use_memory(&o->program, action, uses[i]);
  o->program.action_count++;
  return use_scratchpad(o, action, description);
}

/* What a step does in its end. */
struct epilogue {
  bool sum, relu;
};

/* Free the attributes, whatever the outcome. */
static dnnl_status_t make_attributes(dnnl_primitive_attr_t *attributes, struct epilogue epilogue) {
  dnnl_post_ops_t post_ops = NULL;
  *attributes = NULL;
  dnnl_status_t status = dnnl_primitive_attr_create(attributes);
  if (!status) status = dnnl_primitive_attr_set_scratchpad_mode(*attributes, dnnl_scratchpad_mode_user);
  if (!status) status = dnnl_post_ops_create(&post_ops);
  if (!status && epilogue.sum) status = sk_dnnl_append_sum(post_ops);
  if (!status && epilogue.relu) status = sk_dnnl_append_relu(post_ops);
  if (!status) status = dnnl_primitive_attr_set_post_ops(*attributes, post_ops);
  if (post_ops) dnnl_post_ops_destroy(post_ops);
  return status;
}

static dnnl_status_t append_reorder(struct onednn *o, enum phase phase, size_t from, size_t to) {
  dnnl_primitive_attr_t attributes = NULL;
  dnnl_primitive_desc_t description = NULL;
  dnnl_status_t status = make_attributes(&attributes, (struct epilogue){0});
  if (!status) {
    status = dnnl_reorder_primitive_desc_create(&description, layout_of(&o->program, from), o->engine,
                                                layout_of(&o->program, to), o->engine, attributes);
  }
  if (!status) {
    status = append(o, phase, description, 2, (const struct use[]){{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
  }
  if (description) dnnl_primitive_desc_destroy(description);
  if (attributes) dnnl_primitive_attr_destroy(attributes);
  return status;
}

/* ---- Operands ----------------------------------------------------------------------------------------------- */

static bool is_input(const struct onednn *o, size_t node) {
  return o->program.task.graph->nodes[node].op == SK_NODE_INPUT;
}

/* Give a node's output in a layout. Later readers take it from there, for they mostly want the same. */
static dnnl_status_t bring(struct onednn *o, size_t node, sk_dnnl_layout layout, size_t *memory) {
  size_t *const value = &o->program.values[node];
  *memory = *value;
  if (dnnl_memory_desc_equal(layout_of(&o->program, *value), layout)) return dnnl_success;
  const bool is_timed = !o->program.task.is_layer || !is_input(o, node);
  dnnl_status_t status = add_activation(o, layout, memory);
  if (!status) status = append_reorder(o, is_timed ? TIMED : AT_LOAD, *value, *memory);
  *value = *memory;
  return status;
}

/* Give memory for the result of a step, in a layout. A step that adds does so to its residual, where that lies if
 * nobody else wants it, and else to a copy. x: what the step reads. */
static dnnl_status_t place_result(struct onednn *o, size_t step, size_t x, sk_dnnl_layout layout, size_t *memory) {
  struct program *const program = &o->program;
  const size_t residual = program->schedule.steps[step].residual;
  if (residual == SK_NO_NODE) return add_activation(o, layout, memory);
  *memory = program->values[residual];
  const bool is_free = !is_input(o, residual) && program->last_readers[residual] == step && *memory != x;
  if (is_free && dnnl_memory_desc_equal(layout_of(program, *memory), layout)) return dnnl_success;
  const bool is_timed = !program->task.is_layer || !is_input(o, residual);
  const dnnl_status_t status = add_activation(o, layout, memory);
  return status ? status : append_reorder(o, is_timed ? TIMED : BEFORE_RUN, program->values[residual], *memory);
}

static dnnl_status_t reorder_now(struct onednn *o, dnnl_memory_t from, dnnl_memory_t to) {
  dnnl_primitive_desc_t description = NULL;
  dnnl_primitive_t reorder = NULL;
  sk_dnnl_layout from_layout = NULL;
  sk_dnnl_layout to_layout = NULL;
  dnnl_memory_get_memory_desc(from, &from_layout);
  dnnl_memory_get_memory_desc(to, &to_layout);
  dnnl_status_t status =
      dnnl_reorder_primitive_desc_create(&description, from_layout, o->engine, to_layout, o->engine, NULL);
  if (!status) status = dnnl_primitive_create(&reorder, description);
  const dnnl_exec_arg_t arguments[] = {{.arg = DNNL_ARG_FROM, .memory = from}, {.arg = DNNL_ARG_TO, .memory = to}};
  if (!status) status = dnnl_primitive_execute(reorder, o->stream, 2, arguments);
  if (!status) status = dnnl_stream_wait(o->stream);
  if (reorder) dnnl_primitive_destroy(reorder);
  if (description) dnnl_primitive_desc_destroy(description);
  return status;
}

/* Add a constant: `data` is copied to memory in the layout that the primitive wants. */
static dnnl_status_t add_constant(struct onednn *o, sk_dnnl_layout plain, float *data, sk_dnnl_layout wanted,
                                  size_t *memory) {
  dnnl_memory_t from = NULL;
  dnnl_status_t status = dnnl_memory_create(&from, plain, o->engine, data);
  if (!status) status = add_memory(o, wanted, DNNL_MEMORY_ALLOCATE, memory);
  if (!status) status = reorder_now(o, from, o->program.memories[*memory]);
  if (from) dnnl_memory_destroy(from);
  return status;
}

/* ---- Convolutions and dense layers -------------------------------------------------------------------------- */

/* A layer with weights while it is prepared: the layouts that it may choose, and those of the weights as they come. */
struct weighted {
  struct sk_step_weights weights;
  int rank, weight_rank;
  sk_dnnl_layout any_x, any_y, any_weights, plain_weights, plain_bias;
  dnnl_primitive_attr_t attributes;
  dnnl_primitive_desc_t description;
};

static void free_weighted(struct weighted *layer) {
  sk_step_weights_free(&layer->weights);
  sk_dnnl_layout_free(layer->any_x);
  sk_dnnl_layout_free(layer->any_y);
  sk_dnnl_layout_free(layer->any_weights);
  sk_dnnl_layout_free(layer->plain_weights);
  sk_dnnl_layout_free(layer->plain_bias);
  if (layer->attributes) dnnl_primitive_attr_destroy(layer->attributes);
  if (layer->description) dnnl_primitive_desc_destroy(layer->description);
}

static dnnl_status_t lay_out_weights(struct weighted *layer) {
  const sk_conv_shape *const conv = &layer->weights.conv;
  const dnnl_dim_t groups = (dnnl_dim_t)conv->groups;
  const dnnl_dims_t sizes = {groups, (dnnl_dim_t)conv->out_channels / groups, (dnnl_dim_t)conv->in_channels / groups,
                             (dnnl_dim_t)conv->kernel_height, (dnnl_dim_t)conv->kernel_width};
  const dnnl_dim_t *const ungrouped = sizes + (groups > 1 ? 0 : 1);
  const dnnl_dims_t outputs = {(dnnl_dim_t)conv->out_channels};
  const dnnl_format_tag_t plain = layer->rank == 2 ? dnnl_ab : groups > 1 ? dnnl_abcde : dnnl_abcd;
  layer->weight_rank = layer->rank + (groups > 1);
  dnnl_status_t status = sk_dnnl_layout_make(&layer->plain_weights, layer->weight_rank, ungrouped, plain);
  if (!status) status = sk_dnnl_layout_make(&layer->any_weights, layer->weight_rank, ungrouped, dnnl_format_tag_any);
  return status ? status : sk_dnnl_layout_make(&layer->plain_bias, 1, outputs, dnnl_a);
}

static dnnl_status_t lay_out_activations(const struct onednn *o, const struct sk_step *step, struct weighted *layer) {
  const struct sk_node *const nodes = o->program.task.graph->nodes;
  const struct sk_node *const from = &nodes[step->input];
  const struct sk_node *const to = &nodes[step->output];
  const dnnl_dim_t batch = (dnnl_dim_t)o->program.task.batch;
  const dnnl_dims_t x = {batch, (dnnl_dim_t)from->channels, (dnnl_dim_t)from->height, (dnnl_dim_t)from->width};
  const dnnl_dims_t y = {batch, (dnnl_dim_t)to->channels, (dnnl_dim_t)to->height, (dnnl_dim_t)to->width};
  const dnnl_status_t status = sk_dnnl_layout_make(&layer->any_x, layer->rank, x, dnnl_format_tag_any);
  const int y_rank = step->op == SK_NODE_DENSE ? 2 : layer->rank;
  return status ? status : sk_dnnl_layout_make(&layer->any_y, y_rank, y, dnnl_format_tag_any);
}

static struct sk_dnnl_window conv_window(const sk_conv_shape *conv) {
  return (struct sk_dnnl_window){
      .strides = {(dnnl_dim_t)conv->stride_height, (dnnl_dim_t)conv->stride_width},
      .dilations = {(dnnl_dim_t)conv->dilation_height - 1, (dnnl_dim_t)conv->dilation_width - 1},
      .pads_before = {(dnnl_dim_t)conv->pad_top, (dnnl_dim_t)conv->pad_left},
      .pads_after = {(dnnl_dim_t)conv->pad_bottom, (dnnl_dim_t)conv->pad_right}};
}

static dnnl_status_t describe_weighted(const struct onednn *o, const struct sk_step *step, struct weighted *layer) {
  dnnl_status_t status = lay_out_weights(layer);
  if (!status) status = lay_out_activations(o, step, layer);
  if (!status) {
    const struct epilogue epilogue = {.sum = step->residual != SK_NO_NODE, .relu = step->relu};
    status = make_attributes(&layer->attributes, epilogue);
  }
  if (status) return status;
  if (step->op == SK_NODE_DENSE) {
    return sk_dnnl_inner_product(&layer->description, o->engine, layer->attributes, layer->any_x, layer->any_weights,
                                 layer->plain_bias, layer->any_y);
  }
  const struct sk_dnnl_window window = conv_window(&layer->weights.conv);
  return sk_dnnl_convolution(&layer->description, o->engine, layer->attributes, &window, layer->any_x,
                             layer->any_weights, layer->plain_bias, layer->any_y);
}

static dnnl_status_t append_weighted(struct onednn *o, size_t i, struct weighted *layer) {
  const struct sk_step *const step = &o->program.schedule.steps[i];
  const const_dnnl_primitive_desc_t chosen = layer->description;
  size_t x = NONE, y = NONE, weights = NONE, bias = NONE;
  dnnl_status_t status = add_constant(o, layer->plain_weights, layer->weights.weights,
                                      dnnl_primitive_desc_query_md(chosen, dnnl_query_weights_md, 0), &weights);
  if (!status) status = add_constant(o, layer->plain_bias, layer->weights.bias, layer->plain_bias, &bias);
  if (!status) status = bring(o, step->input, dnnl_primitive_desc_query_md(chosen, dnnl_query_src_md, 0), &x);
  if (!status) status = place_result(o, i, x, dnnl_primitive_desc_query_md(chosen, dnnl_query_dst_md, 0), &y);
  if (status) return status;
  o->program.values[step->output] = y;
  return append(
      o, TIMED, chosen, 4,
      (const struct use[]){{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, y}});
}

static sk_status prepare_weighted(struct onednn *o, size_t i) {
  const struct sk_step *const step = &o->program.schedule.steps[i];
  const struct sk_graph *const graph = o->program.task.graph;
  struct weighted layer = {.rank = node_rank(graph, step->input)};
  sk_status status = sk_step_weights_read(&layer.weights, graph, step);
  if (!status) {
    dnnl_status_t made = describe_weighted(o, step, &layer);
    if (!made) made = append_weighted(o, i, &layer);
    status = outcome(made, graph->nodes[step->node].name);
  }
  free_weighted(&layer);
  return status;
}

/* ---- Other operators: in the layout that their input has ---------------------------------------------------- */

static struct sk_dnnl_window pool_window(const struct sk_node *from, const struct sk_node *to) {
  if (to->op == SK_NODE_GLOBAL_AVERAGE_POOL) {
    return (struct sk_dnnl_window){.kernel = {(dnnl_dim_t)from->height, (dnnl_dim_t)from->width}, .strides = {1, 1}};
  }
  const struct sk_pool_shape *const pool = &to->pool;
  const size_t bottom = sk_pad_after(from->height, to->height, pool->kernel_height, pool->stride_height,
                                     pool->dilation_height, pool->pad_top);
  const size_t right = sk_pad_after(from->width, to->width, pool->kernel_width, pool->stride_width,
                                    pool->dilation_width, pool->pad_left);
  return (struct sk_dnnl_window){
      .kernel = {(dnnl_dim_t)pool->kernel_height, (dnnl_dim_t)pool->kernel_width},
      .strides = {(dnnl_dim_t)pool->stride_height, (dnnl_dim_t)pool->stride_width},
      .dilations = {(dnnl_dim_t)pool->dilation_height - 1, (dnnl_dim_t)pool->dilation_width - 1},
      .pads_before = {(dnnl_dim_t)pool->pad_top, (dnnl_dim_t)pool->pad_left},
      .pads_after = {(dnnl_dim_t)bottom, (dnnl_dim_t)right}};
}

static dnnl_status_t describe_pool(const struct onednn *o, const struct sk_step *step, dnnl_primitive_attr_t attributes,
                                   sk_dnnl_layout x, dnnl_primitive_desc_t *description) {
  const struct sk_node *const from = &o->program.task.graph->nodes[step->input];
  const struct sk_node *const to = &o->program.task.graph->nodes[step->node];
  if (to->op == SK_NODE_AVERAGE_POOL && !sk_pool_is_common(&to->pool)) return dnnl_unimplemented;
  const dnnl_dims_t sizes = {(dnnl_dim_t)o->program.task.batch, (dnnl_dim_t)to->channels, (dnnl_dim_t)to->height,
                             (dnnl_dim_t)to->width};
  const struct sk_dnnl_window window = pool_window(from, to);
  const dnnl_alg_kind_t algorithm = to->op == SK_NODE_MAX_POOL ? dnnl_pooling_max : dnnl_pooling_avg_exclude_padding;
  sk_dnnl_layout any = NULL;
  dnnl_status_t status = sk_dnnl_layout_make(&any, 4, sizes, dnnl_format_tag_any);
  if (!status) status = sk_dnnl_pooling(description, o->engine, attributes, algorithm, &window, x, any);
  sk_dnnl_layout_free(any);
  return status;
}

static dnnl_status_t describe(const struct onednn *o, const struct sk_step *step, dnnl_primitive_attr_t attributes,
                              sk_dnnl_layout x, dnnl_primitive_desc_t *description) {
  switch (step->op) {
    case SK_NODE_RELU: return sk_dnnl_relu(description, o->engine, attributes, x);
    case SK_NODE_ADD: return sk_dnnl_add(description, o->engine, attributes, x);
    case SK_NODE_SOFTMAX: return sk_dnnl_softmax(description, o->engine, attributes, x);
    case SK_NODE_MAX_POOL:
    case SK_NODE_AVERAGE_POOL:
    case SK_NODE_GLOBAL_AVERAGE_POOL: return describe_pool(o, step, attributes, x, description);
    default: return dnnl_unimplemented;
  }
}

static dnnl_status_t append_plain(struct onednn *o, const struct sk_step *step, const_dnnl_primitive_desc_t chosen) {
  const size_t x = o->program.values[step->input];
  size_t y = NONE, residual = NONE;
  dnnl_status_t status = dnnl_success;
  if (step->op == SK_NODE_ADD) status = bring(o, step->residual, layout_of(&o->program, x), &residual);
  if (!status) status = add_activation(o, dnnl_primitive_desc_query_md(chosen, dnnl_query_dst_md, 0), &y);
  if (status) return status;
  o->program.values[step->output] = y;
  return append(o, TIMED, chosen, step->op == SK_NODE_ADD ? 3 : 2,
                (const struct use[]){{DNNL_ARG_SRC_0, x}, {DNNL_ARG_DST, y}, {DNNL_ARG_SRC_1, residual}});
}

static sk_status prepare_plain(struct onednn *o, size_t i) {
  const struct sk_step *const step = &o->program.schedule.steps[i];
  dnnl_primitive_attr_t attributes = NULL;
  dnnl_primitive_desc_t description = NULL;
  dnnl_status_t status = make_attributes(&attributes, (struct epilogue){.relu = step->relu});
  if (!status) {
    status = describe(o, step, attributes, layout_of(&o->program, o->program.values[step->input]), &description);
  }
  if (!status) status = append_plain(o, step, description);
  if (description) dnnl_primitive_desc_destroy(description);
  if (attributes) dnnl_primitive_attr_destroy(attributes);
  return outcome(status, o->program.task.graph->nodes[step->node].name);
}

/* ---- Loading ------------------------------------------------------------------------------------------------ */

static void unload(struct program *program) {
  for (size_t i = 0; i < program->action_count; i++) {
    dnnl_primitive_destroy(program->actions[i].primitive);
    if (program->actions[i].scratchpad) dnnl_memory_destroy(program->actions[i].scratchpad);
  }
  for (size_t i = 0; i < program->memory_count; i++) dnnl_memory_destroy(program->memories[i]);
  sk_schedule_destroy(&program->schedule);
  free(program->actions);
  free(program->memories);
  free(program->buffers);
  free(program->values);
  free(program->last_readers);
  sk_free(program->arena);
  sk_free(program->scratchpad);
  *program = (struct program){0};
}

static sk_status allocate(struct program *program) {
  const size_t steps = program->schedule.count, nodes = program->schedule.nodes;
  program->actions = calloc(steps * ACTIONS_PER_STEP + EXTRA, sizeof *program->actions);
  /* NOLINTNEXTLINE(bugprone-sizeof-expression): each is a pointer to what the library keeps to itself */
  program->memories = calloc(steps * MEMORIES_PER_STEP + EXTRA, sizeof *program->memories);
  program->buffers = calloc(steps * MEMORIES_PER_STEP + EXTRA, sizeof *program->buffers);
  program->values = calloc(nodes, sizeof *program->values);
  program->last_readers = calloc(nodes, sizeof *program->last_readers);
  const bool is_ready =
      program->actions && program->memories && program->buffers && program->values && program->last_readers;
  return is_ready ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "onednn: out of memory for %zu layers", steps);
}

static void find_last_readers(struct program *program) {
  for (size_t i = 0; i < program->schedule.count; i++) {
    const struct sk_step *const step = &program->schedule.steps[i];
    program->last_readers[step->input] = i;
    if (step->residual != SK_NO_NODE) program->last_readers[step->residual] = i;
  }
  const size_t output = program->task.graph->count - 1;
  program->last_readers[program->schedule.value[output]] = program->schedule.count; /* whoever loaded the task */
}

static sk_status prepare_input(struct onednn *o) {
  const struct sk_graph *const graph = o->program.task.graph;
  for (size_t i = 0; i < graph->count; i++) {
    if (graph->nodes[i].op != SK_NODE_INPUT) continue;
    return add_planes(o, i, 4, (float *)(uintptr_t)o->program.task.x, &o->program.values[i]); /* only read */
  }
  return sk_fail(SK_UNSUPPORTED, "onednn: %s has no input", o->program.task.name);
}

/* Give the output in planes, and keep it to the end. */
static sk_status prepare_output(struct onednn *o) {
  struct program *const program = &o->program;
  const size_t node = program->task.graph->count - 1;
  const size_t made = program->values[program->schedule.value[node]];
  const sk_status status = add_planes(o, node, node_rank(program->task.graph, node), NULL, &program->output);
  if (status) return status;
  if (dnnl_memory_desc_equal(layout_of(program, made), layout_of(program, program->output))) {
    program->output = made;
  } else {
    const enum phase phase = program->task.is_layer ? AT_OUTPUT : TIMED;
    const dnnl_status_t appended = append_reorder(o, phase, made, program->output);
    if (appended) return outcome(appended, program->task.graph->nodes[node].name);
  }
  program->buffers[program->output].last = program->action_count;
  return SK_OK;
}

/* What a layer's untimed actions make has to outlast its runs. */
static void keep_everything(struct program *program) {
  for (size_t i = 0; i < program->memory_count; i++) {
    program->buffers[i].first = 0;
    program->buffers[i].last = program->action_count;
  }
}

static dnnl_status_t set_addresses(struct program *program) {
  dnnl_status_t status = dnnl_success;
  for (size_t i = 0; !status && i < program->memory_count; i++) {
    const struct sk_buffer *const buffer = &program->buffers[i];
    if (buffer->bytes == 0) continue;
    status = dnnl_memory_set_data_handle(program->memories[i], (char *)program->arena + buffer->offset);
  }
  for (size_t i = 0; !status && i < program->action_count; i++) {
    dnnl_memory_t const scratchpad = program->actions[i].scratchpad;
    if (scratchpad) status = dnnl_memory_set_data_handle(scratchpad, program->scratchpad);
  }
  return status;
}

static sk_status place_memories(struct program *program) {
  size_t bytes = 0;
  if (program->task.is_layer) keep_everything(program);
  const sk_status status = sk_buffers_place(program->buffers, program->memory_count, &bytes);
  if (status) return status;
  program->arena = sk_alloc(sk_size_max(bytes, SK_ALIGNMENT));
  program->scratchpad = sk_alloc(sk_size_max(program->scratchpad_bytes, SK_ALIGNMENT));
  if (program->arena && program->scratchpad) return outcome(set_addresses(program), program->task.name);
  return sk_fail(SK_OUT_OF_MEMORY, "onednn: out of memory for %s", program->task.name);
}

static dnnl_status_t execute(const struct onednn *o, enum phase phase) {
  const struct program *const program = &o->program;
  dnnl_status_t status = dnnl_success;
  for (size_t i = 0; !status && i < program->action_count; i++) {
    const struct action *const action = &program->actions[i];
    if (action->phase != phase) continue;
    status = dnnl_primitive_execute(action->primitive, o->stream, action->count, action->arguments);
  }
  return status ? status : dnnl_stream_wait(o->stream);
}

static sk_status prepare(struct onednn *o) {
  struct program *const program = &o->program;
  sk_status status = sk_steps_make(&program->schedule, program->task.graph);
  if (!status) status = allocate(program);
  if (!status) status = prepare_input(o);
  if (!status) find_last_readers(program);
  for (size_t i = 0; !status && i < program->schedule.count; i++) {
    status = sk_step_has_weights(&program->schedule.steps[i]) ? prepare_weighted(o, i) : prepare_plain(o, i);
  }
  if (!status) status = prepare_output(o);
  if (!status) status = place_memories(program);
  return status ? status : outcome(execute(o, AT_LOAD), program->task.name);
}

/* ---- The backend -------------------------------------------------------------------------------------------- */

/* oneDNN takes as many threads as OpenMP says, when a primitive is made and when it runs; pinned like ours, which they
 * are. Returns what to restore. */
static int take_threads(const struct onednn *o) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(o->threads);
  sk_affinity_pin(&o->cpus);
  return before;
}

/* The ISA can only be chosen before the library's first use in a process. */
static sk_status hold_to(sk_isa isa) {
  dnnl_cpu_isa_t most = dnnl_cpu_isa_avx2;
  switch (isa) {
    case SK_ISA_AUTO: return SK_OK;
    case SK_ISA_AVX2: break;
    case SK_ISA_AVX512: most = dnnl_cpu_isa_avx512_core; break;
    default: return sk_fail(SK_UNSUPPORTED, "onednn: cannot be held to %s", sk_isa_name(isa));
  }
  dnnl_set_max_cpu_isa(most);
  if (dnnl_get_effective_cpu_isa() == most) return SK_OK;
  return sk_fail(SK_UNSUPPORTED, "onednn: cannot be held to %s any more: in use already", sk_isa_name(isa));
}

static void write_version(sk_isa isa, char version[SK_BACKEND_VERSION]) {
  static const char prefix[] = "cpu_isa_";
  const dnnl_version_t *const v = dnnl_version();
  const char *name = dnnl_cpu_isa2str(dnnl_get_effective_cpu_isa());
  if (strncmp(name, prefix, strlen(prefix)) == 0) name += strlen(prefix);
  snprintf(version, SK_BACKEND_VERSION, "oneDNN %d.%d.%d (OpenMP, %s%s)", v->major, v->minor, v->patch,
           isa == SK_ISA_AUTO ? "" : "max isa ", name);
}

static void stop(void *instance) {
  struct onednn *const o = instance;
  unload(&o->program);
  if (o->stream) dnnl_stream_destroy(o->stream);
  if (o->engine) dnnl_engine_destroy(o->engine);
  free(o);
}

static sk_status start(void **instance, const struct sk_backend *backend, const struct sk_conditions *conditions,
                       char version[SK_BACKEND_VERSION]) {
  *instance = NULL;
  if (dnnl_version()->cpu_runtime != DNNL_RUNTIME_OMP) {
    return sk_fail(SK_UNSUPPORTED, "%s: a library whose threads are not OpenMP's, expected one built for OpenMP",
                   backend->name);
  }
  const sk_status status = hold_to(conditions->isa);
  if (status) return status;
  struct onednn *const o = calloc(1, sizeof *o);
  if (!o) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory", backend->name);
  o->threads = conditions->threads;
  o->cpus = conditions->cpus;
  dnnl_status_t made = dnnl_engine_create(&o->engine, dnnl_cpu, 0);
  if (!made) made = dnnl_stream_create(&o->stream, o->engine, dnnl_stream_default_flags);
  if (made) {
    stop(o);
    return sk_fail(SK_UNSUPPORTED, "%s: does not start: %s", backend->name, dnnl_status2str(made));
  }
  write_version(conditions->isa, version);
  *instance = o;
  return SK_OK;
}

static sk_status load(void *instance, const struct sk_task *task) {
  struct onednn *const o = instance;
  const int before = take_threads(o);
  unload(&o->program);
  o->program.task = *task;
  const sk_status status = prepare(o);
  if (status) unload(&o->program);
  omp_set_num_threads(before);
  return status;
}

static dnnl_status_t run_once(const struct onednn *o, double *seconds) {
  dnnl_status_t status = execute(o, BEFORE_RUN);
  const double began = sk_clock_seconds();
  if (!status) status = execute(o, TIMED);
  *seconds = sk_clock_seconds() - began;
  return status;
}

static sk_status run(void *instance, size_t runs, double *seconds) {
  struct onednn *const o = instance;
  dnnl_status_t status = dnnl_success;
  const int before = take_threads(o);
  for (size_t i = 0; !status && i < runs; i++) status = run_once(o, &seconds[i]);
  omp_set_num_threads(before);
  return outcome(status, o->program.task.name);
}

static sk_status output(void *instance, float *y) {
  struct onednn *const o = instance;
  const struct program *const program = &o->program;
  const struct sk_node *const node = &program->task.graph->nodes[program->task.graph->count - 1];
  const int before = take_threads(o);
  void *from = NULL;
  dnnl_status_t status = execute(o, AT_OUTPUT);
  if (!status) status = dnnl_memory_get_data_handle(program->memories[program->output], &from);
  if (!status) memcpy(y, from, program->task.batch * sk_node_elements(node) * sizeof *y);
  omp_set_num_threads(before);
  return outcome(status, program->task.name);
}

const struct sk_backend sk_peer_onednn = {
    .name = "onednn", .summary = SUMMARY, .start = start, .load = load, .run = run, .output = output, .stop = stop};

#endif
