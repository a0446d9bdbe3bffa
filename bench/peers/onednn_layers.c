/* The primitive of each step, as oneDNN likes it best. */
#include "config.h"

#if SK_HAVE_ONEDNN

#include "bench/peers/onednn_program.h"
#include "bench/peers/steps.h"

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

static dnnl_status_t lay_out_activations(const struct sk_dnnl *o, const struct sk_step *step, struct weighted *layer) {
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

static dnnl_status_t describe_weighted(const struct sk_dnnl *o, const struct sk_step *step, struct weighted *layer) {
  dnnl_status_t status = lay_out_weights(layer);
  if (!status) status = lay_out_activations(o, step, layer);
  if (!status) {
    const struct sk_dnnl_epilogue epilogue = {.sum = step->residual != SK_NO_NODE, .relu = step->relu};
    status = sk_dnnl_make_attributes(&layer->attributes, epilogue);
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

static dnnl_status_t append_weighted(struct sk_dnnl *o, size_t i, struct weighted *layer) {
  const struct sk_step *const step = &o->program.schedule.steps[i];
  const const_dnnl_primitive_desc_t chosen = layer->description;
  size_t x = SIZE_MAX, y = SIZE_MAX, weights = SIZE_MAX, bias = SIZE_MAX;
  dnnl_status_t status = sk_dnnl_add_constant(o, layer->plain_weights, layer->weights.weights,
                                              dnnl_primitive_desc_query_md(chosen, dnnl_query_weights_md, 0), &weights);
  if (!status) status = sk_dnnl_add_constant(o, layer->plain_bias, layer->weights.bias, layer->plain_bias, &bias);
  if (!status) status = sk_dnnl_bring(o, step->input, dnnl_primitive_desc_query_md(chosen, dnnl_query_src_md, 0), &x);
  if (!status) status = sk_dnnl_place_result(o, i, x, dnnl_primitive_desc_query_md(chosen, dnnl_query_dst_md, 0), &y);
  if (status) return status;
  o->program.values[step->output] = y;
  return sk_dnnl_append(o, SK_DNNL_TIMED, chosen, 4,
                        (const struct sk_dnnl_use[]){
                            {DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, y}});
}

static sk_status append_weighted_step(struct sk_dnnl *o, size_t i) {
  const struct sk_step *const step = &o->program.schedule.steps[i];
  const struct sk_graph *const graph = o->program.task.graph;
  struct weighted layer = {.rank = sk_dnnl_rank(graph, step->input)};
  sk_status status = sk_step_weights_read(&layer.weights, graph, step);
  if (!status) {
    dnnl_status_t made = describe_weighted(o, step, &layer);
    if (!made) made = append_weighted(o, i, &layer);
    status = sk_dnnl_outcome(made, graph->nodes[step->node].name);
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

static dnnl_status_t describe_pool(const struct sk_dnnl *o, const struct sk_step *step,
                                   dnnl_primitive_attr_t attributes, sk_dnnl_layout x,
                                   dnnl_primitive_desc_t *description) {
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

static dnnl_status_t describe(const struct sk_dnnl *o, const struct sk_step *step, dnnl_primitive_attr_t attributes,
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

static dnnl_status_t append_plain(struct sk_dnnl *o, const struct sk_step *step, const_dnnl_primitive_desc_t chosen) {
  const size_t x = o->program.values[step->input];
  size_t y = SIZE_MAX, residual = SIZE_MAX;
  dnnl_status_t status = dnnl_success;
  if (step->op == SK_NODE_ADD) status = sk_dnnl_bring(o, step->residual, sk_dnnl_layout_of(&o->program, x), &residual);
  if (!status) status = sk_dnnl_add_activation(o, dnnl_primitive_desc_query_md(chosen, dnnl_query_dst_md, 0), &y);
  if (status) return status;
  o->program.values[step->output] = y;
  return sk_dnnl_append(
      o, SK_DNNL_TIMED, chosen, step->op == SK_NODE_ADD ? 3 : 2,
      (const struct sk_dnnl_use[]){{DNNL_ARG_SRC_0, x}, {DNNL_ARG_DST, y}, {DNNL_ARG_SRC_1, residual}});
}

static sk_status append_plain_step(struct sk_dnnl *o, size_t i) {
  const struct sk_step *const step = &o->program.schedule.steps[i];
  dnnl_primitive_attr_t attributes = NULL;
  dnnl_primitive_desc_t description = NULL;
  dnnl_status_t status = sk_dnnl_make_attributes(&attributes, (struct sk_dnnl_epilogue){.relu = step->relu});
  if (!status) {
    status =
        describe(o, step, attributes, sk_dnnl_layout_of(&o->program, o->program.values[step->input]), &description);
  }
  if (!status) status = append_plain(o, step, description);
  if (description) dnnl_primitive_desc_destroy(description);
  if (attributes) dnnl_primitive_attr_destroy(attributes);
  return sk_dnnl_outcome(status, o->program.task.graph->nodes[step->node].name);
}

sk_status sk_dnnl_append_step(struct sk_dnnl *o, size_t step) {
  const struct sk_graph *const graph = o->program.task.graph;
  const struct sk_step *const s = &o->program.schedule.steps[step];
  if (!sk_step_is_common(graph, s)) return sk_dnnl_outcome(dnnl_unimplemented, graph->nodes[s->node].name);
  return sk_step_has_weights(&o->program.schedule.steps[step]) ? append_weighted_step(o, step)
                                                               : append_plain_step(o, step);
}

#endif
