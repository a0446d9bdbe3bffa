#include "config.h"

#if SK_HAVE_ONEDNN

#include "bench/peers/onednn_program.h"

#include "dispatch/size.h"
#include "dispatch/status.h"

sk_status sk_dnnl_outcome(dnnl_status_t status, const char *layer) {
  if (status == dnnl_success) return SK_OK;
  const sk_status kind = status == dnnl_out_of_memory ? SK_OUT_OF_MEMORY : SK_UNSUPPORTED;
  return sk_fail(kind, "onednn: layer \"%s\": %s", layer, dnnl_status2str(status));
}

/* ---- Memories ----------------------------------------------------------------------------------------------- */

sk_dnnl_layout sk_dnnl_layout_of(const struct sk_dnnl_program *program, size_t memory) {
  sk_dnnl_layout layout = NULL;
  dnnl_memory_get_memory_desc(program->memories[memory], &layout);
  return layout;
}

static dnnl_status_t add_memory(struct sk_dnnl *o, sk_dnnl_layout layout, void *data, size_t *memory) {
  struct sk_dnnl_program *const program = &o->program;
  *memory = program->memory_count;
  const dnnl_status_t status = dnnl_memory_create(&program->memories[*memory], layout, o->engine, data);
  if (!status) program->memory_count++;
  return status;
}

dnnl_status_t sk_dnnl_add_activation(struct sk_dnnl *o, sk_dnnl_layout layout, size_t *memory) {
  const dnnl_status_t status = add_memory(o, layout, DNNL_MEMORY_NONE, memory);
  if (status) return status;
  o->program.buffers[*memory] = (struct sk_buffer){
      .bytes = sk_size_round_up(dnnl_memory_desc_get_size(layout), SK_ALIGNMENT),
      .first = o->program.action_count,
      .last = o->program.action_count,
  };
  return dnnl_success;
}

int sk_dnnl_rank(const struct sk_graph *graph, size_t node) {
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

sk_status sk_dnnl_add_planes(struct sk_dnnl *o, size_t node, float *data, size_t *memory) {
  const int rank = sk_dnnl_rank(o->program.task.graph, node);
  const struct sk_node *const n = &o->program.task.graph->nodes[node];
  const dnnl_dims_t sizes = {(dnnl_dim_t)o->program.task.batch, (dnnl_dim_t)n->channels, (dnnl_dim_t)n->height,
                             (dnnl_dim_t)n->width};
  sk_dnnl_layout layout = NULL;
  dnnl_status_t status = sk_dnnl_layout_make(&layout, rank, sizes, rank == 2 ? dnnl_ab : dnnl_abcd);
  if (!status) status = data ? add_memory(o, layout, data, memory) : sk_dnnl_add_activation(o, layout, memory);
  sk_dnnl_layout_free(layout);
  return sk_dnnl_outcome(status, n->name);
}

static dnnl_status_t reorder_now(struct sk_dnnl *o, dnnl_memory_t from, dnnl_memory_t to) {
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

dnnl_status_t sk_dnnl_add_constant(struct sk_dnnl *o, sk_dnnl_layout plain, float *data, sk_dnnl_layout wanted,
                                   size_t *memory) {
  dnnl_memory_t from = NULL;
  dnnl_status_t status = dnnl_memory_create(&from, plain, o->engine, data);
  if (!status) status = add_memory(o, wanted, DNNL_MEMORY_ALLOCATE, memory);
  if (!status) status = reorder_now(o, from, o->program.memories[*memory]);
  if (from) dnnl_memory_destroy(from);
  return status;
}

/* ---- Actions ------------------------------------------------------------------------------------------------ */

static void use_memory(struct sk_dnnl_program *program, struct sk_dnnl_action *action, struct sk_dnnl_use use) {
  action->arguments[action->count++] = (dnnl_exec_arg_t){.arg = use.argument, .memory = program->memories[use.memory]};
  program->buffers[use.memory].last = program->action_count;
}

static dnnl_status_t use_scratchpad(struct sk_dnnl *o, struct sk_dnnl_action *action,
                                    const_dnnl_primitive_desc_t description) {
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

dnnl_status_t sk_dnnl_append(struct sk_dnnl *o, enum sk_dnnl_phase phase, const_dnnl_primitive_desc_t description,
                             size_t count, const struct sk_dnnl_use *uses) {
  struct sk_dnnl_action *const action = &o->program.actions[o->program.action_count];
  dnnl_status_t status = dnnl_primitive_create(&action->primitive, description);
  if (status) return status;
  action->phase = phase;
  for (size_t i = 0; i < count; i++) use_memory(&o->program, action, uses[i]);
  o->program.action_count++;
  return use_scratchpad(o, action, description);
}

dnnl_status_t sk_dnnl_make_attributes(dnnl_primitive_attr_t *attributes, struct sk_dnnl_epilogue epilogue) {
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

dnnl_status_t sk_dnnl_append_reorder(struct sk_dnnl *o, enum sk_dnnl_phase phase, size_t from, size_t to) {
  dnnl_primitive_attr_t attributes = NULL;
  dnnl_primitive_desc_t description = NULL;
  dnnl_status_t status = sk_dnnl_make_attributes(&attributes, (struct sk_dnnl_epilogue){0});
  if (!status) {
    status = dnnl_reorder_primitive_desc_create(&description, sk_dnnl_layout_of(&o->program, from), o->engine,
                                                sk_dnnl_layout_of(&o->program, to), o->engine, attributes);
  }
  if (!status) {
    status = sk_dnnl_append(o, phase, description, 2,
                            (const struct sk_dnnl_use[]){{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
  }
  if (description) dnnl_primitive_desc_destroy(description);
  if (attributes) dnnl_primitive_attr_destroy(attributes);
  return status;
}

dnnl_status_t sk_dnnl_execute(const struct sk_dnnl *o, enum sk_dnnl_phase phase) {
  const struct sk_dnnl_program *const program = &o->program;
  dnnl_status_t status = dnnl_success;
  for (size_t i = 0; !status && i < program->action_count; i++) {
    const struct sk_dnnl_action *const action = &program->actions[i];
    if (action->phase != phase) continue;
    status = dnnl_primitive_execute(action->primitive, o->stream, action->count, action->arguments);
  }
  return status ? status : dnnl_stream_wait(o->stream);
}

/* ---- Steps ----------------------------------------------------------------------------------------------- */

static bool is_input(const struct sk_dnnl *o, size_t node) {
  return o->program.task.graph->nodes[node].op == SK_NODE_INPUT;
}

dnnl_status_t sk_dnnl_bring(struct sk_dnnl *o, size_t node, sk_dnnl_layout layout, size_t *memory) {
  size_t *const value = &o->program.values[node];
  *memory = *value;
  if (dnnl_memory_desc_equal(sk_dnnl_layout_of(&o->program, *value), layout)) return dnnl_success;
  const bool is_timed = !o->program.task.is_layer || !is_input(o, node);
  dnnl_status_t status = sk_dnnl_add_activation(o, layout, memory);
  if (!status) status = sk_dnnl_append_reorder(o, is_timed ? SK_DNNL_TIMED : SK_DNNL_AT_LOAD, *value, *memory);
  *value = *memory;
  return status;
}

dnnl_status_t sk_dnnl_place_result(struct sk_dnnl *o, size_t step, size_t x, sk_dnnl_layout layout, size_t *memory) {
  struct sk_dnnl_program *const program = &o->program;
  const size_t residual = program->schedule.steps[step].residual;
  if (residual == SK_NO_NODE) return sk_dnnl_add_activation(o, layout, memory);
  *memory = program->values[residual];
  const bool is_free = !is_input(o, residual) && program->last_readers[residual] == step && *memory != x;
  if (is_free && dnnl_memory_desc_equal(sk_dnnl_layout_of(program, *memory), layout)) return dnnl_success;
  const bool is_timed = !program->task.is_layer || !is_input(o, residual);
  const dnnl_status_t status = sk_dnnl_add_activation(o, layout, memory);
  return status ? status
                : sk_dnnl_append_reorder(o, is_timed ? SK_DNNL_TIMED : SK_DNNL_BEFORE_RUN, program->values[residual],
                                         *memory);
}

#endif
