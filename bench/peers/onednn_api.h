/*
 * The part of oneDNN's C interface that changed with version 3, in one form for versions 2.6 and later.
 *
 * A layout is oneDNN's memory descriptor: dimensions and the order in which they lie in memory. Version 2 hands out
 * descriptions of operations and makes primitives of them, version 3 makes primitives in one call.
 */
#ifndef SK_BENCH_PEERS_ONEDNN_API_H
#define SK_BENCH_PEERS_ONEDNN_API_H

#include <oneapi/dnnl/dnnl.h>
#include <oneapi/dnnl/dnnl_debug.h>
#include <stdlib.h>

/* A window over an image, for convolutions and pools. Dilations count the pixels left out, as oneDNN does. */
struct sk_dnnl_window {
  dnnl_dims_t kernel, strides, dilations, pads_before, pads_after;
};

#if DNNL_VERSION_MAJOR >= 3

typedef const_dnnl_memory_desc_t sk_dnnl_layout;

static inline dnnl_status_t sk_dnnl_layout_make(sk_dnnl_layout *layout, int rank, const dnnl_dims_t sizes,
                                                dnnl_format_tag_t tag) {
  dnnl_memory_desc_t made = NULL;
  const dnnl_status_t status = dnnl_memory_desc_create_with_tag(&made, rank, sizes, dnnl_f32, tag);
  *layout = made;
  return status;
}

static inline void sk_dnnl_layout_free(sk_dnnl_layout layout) {
  if (layout) dnnl_memory_desc_destroy((dnnl_memory_desc_t)(uintptr_t)layout);
}

static inline dnnl_status_t sk_dnnl_append_sum(dnnl_post_ops_t post_ops) {
  return dnnl_post_ops_append_sum(post_ops, 1, 0, dnnl_data_type_undef);
}

static inline dnnl_status_t sk_dnnl_append_relu(dnnl_post_ops_t post_ops) {
  return dnnl_post_ops_append_eltwise(post_ops, dnnl_eltwise_relu, 0, 0);
}

static inline dnnl_status_t sk_dnnl_convolution(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                                const_dnnl_primitive_attr_t attributes,
                                                const struct sk_dnnl_window *window, sk_dnnl_layout x,
                                                sk_dnnl_layout weights, sk_dnnl_layout bias, sk_dnnl_layout y) {
  return dnnl_convolution_forward_primitive_desc_create(made, engine, dnnl_forward_inference, dnnl_convolution_auto, x,
                                                        weights, bias, y, window->strides, window->dilations,
                                                        window->pads_before, window->pads_after, attributes);
}

static inline dnnl_status_t sk_dnnl_pooling(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                            const_dnnl_primitive_attr_t attributes, dnnl_alg_kind_t algorithm,
                                            const struct sk_dnnl_window *window, sk_dnnl_layout x, sk_dnnl_layout y) {
  return dnnl_pooling_forward_primitive_desc_create(made, engine, dnnl_forward_inference, algorithm, x, y,
                                                    window->strides, window->kernel, window->dilations,
                                                    window->pads_before, window->pads_after, attributes);
}

static inline dnnl_status_t sk_dnnl_inner_product(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                                  const_dnnl_primitive_attr_t attributes, sk_dnnl_layout x,
                                                  sk_dnnl_layout weights, sk_dnnl_layout bias, sk_dnnl_layout y) {
  return dnnl_inner_product_forward_primitive_desc_create(made, engine, dnnl_forward_inference, x, weights, bias, y,
                                                          attributes);
}

/* Over the channels, x and y in the same layout. */
static inline dnnl_status_t sk_dnnl_softmax(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                            const_dnnl_primitive_attr_t attributes, sk_dnnl_layout layout) {
  return dnnl_softmax_forward_primitive_desc_create(made, engine, dnnl_forward_inference, dnnl_softmax_accurate, layout,
                                                    layout, 1, attributes);
}

static inline dnnl_status_t sk_dnnl_relu(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                         const_dnnl_primitive_attr_t attributes, sk_dnnl_layout layout) {
  return dnnl_eltwise_forward_primitive_desc_create(made, engine, dnnl_forward_inference, dnnl_eltwise_relu, layout,
                                                    layout, 0, 0, attributes);
}

static inline dnnl_status_t sk_dnnl_add(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                        const_dnnl_primitive_attr_t attributes, sk_dnnl_layout layout) {
  return dnnl_binary_primitive_desc_create(made, engine, dnnl_binary_add, layout, layout, layout, attributes);
}

#else

typedef const dnnl_memory_desc_t *sk_dnnl_layout;

static inline dnnl_status_t sk_dnnl_layout_make(sk_dnnl_layout *layout, int rank, const dnnl_dims_t sizes,
                                                dnnl_format_tag_t tag) {
  dnnl_memory_desc_t *const made = malloc(sizeof *made);
  *layout = made;
  return made ? dnnl_memory_desc_init_by_tag(made, rank, sizes, dnnl_f32, tag) : dnnl_out_of_memory;
}

static inline void sk_dnnl_layout_free(sk_dnnl_layout layout) { free((void *)(uintptr_t)layout); }

static inline dnnl_status_t sk_dnnl_append_sum(dnnl_post_ops_t post_ops) {
  return dnnl_post_ops_append_sum(post_ops, 1);
}

static inline dnnl_status_t sk_dnnl_append_relu(dnnl_post_ops_t post_ops) {
  return dnnl_post_ops_append_eltwise(post_ops, 1, dnnl_eltwise_relu, 0, 0);
}

static inline dnnl_status_t sk_dnnl_convolution(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                                const_dnnl_primitive_attr_t attributes,
                                                const struct sk_dnnl_window *window, sk_dnnl_layout x,
                                                sk_dnnl_layout weights, sk_dnnl_layout bias, sk_dnnl_layout y) {
  dnnl_convolution_desc_t operation;
  const dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
      &operation, dnnl_forward_inference, dnnl_convolution_auto, x, weights, bias, y, window->strides,
      window->dilations, window->pads_before, window->pads_after);
  return status ? status : dnnl_primitive_desc_create(made, &operation, attributes, engine, NULL);
}

static inline dnnl_status_t sk_dnnl_pooling(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                            const_dnnl_primitive_attr_t attributes, dnnl_alg_kind_t algorithm,
                                            const struct sk_dnnl_window *window, sk_dnnl_layout x, sk_dnnl_layout y) {
  dnnl_pooling_v2_desc_t operation;
  const dnnl_status_t status =
      dnnl_pooling_v2_forward_desc_init(&operation, dnnl_forward_inference, algorithm, x, y, window->strides,
                                        window->kernel, window->dilations, window->pads_before, window->pads_after);
  return status ? status : dnnl_primitive_desc_create(made, &operation, attributes, engine, NULL);
}

static inline dnnl_status_t sk_dnnl_inner_product(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                                  const_dnnl_primitive_attr_t attributes, sk_dnnl_layout x,
                                                  sk_dnnl_layout weights, sk_dnnl_layout bias, sk_dnnl_layout y) {
  dnnl_inner_product_desc_t operation;
  const dnnl_status_t status =
      dnnl_inner_product_forward_desc_init(&operation, dnnl_forward_inference, x, weights, bias, y);
  return status ? status : dnnl_primitive_desc_create(made, &operation, attributes, engine, NULL);
}

/* Over the channels, x and y in the same layout. */
static inline dnnl_status_t sk_dnnl_softmax(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                            const_dnnl_primitive_attr_t attributes, sk_dnnl_layout layout) {
  dnnl_softmax_desc_t operation;
  const dnnl_status_t status = dnnl_softmax_forward_desc_init(&operation, dnnl_forward_inference, layout, 1);
  return status ? status : dnnl_primitive_desc_create(made, &operation, attributes, engine, NULL);
}

static inline dnnl_status_t sk_dnnl_relu(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                         const_dnnl_primitive_attr_t attributes, sk_dnnl_layout layout) {
  dnnl_eltwise_desc_t operation;
  const dnnl_status_t status =
      dnnl_eltwise_forward_desc_init(&operation, dnnl_forward_inference, dnnl_eltwise_relu, layout, 0, 0);
  return status ? status : dnnl_primitive_desc_create(made, &operation, attributes, engine, NULL);
}

static inline dnnl_status_t sk_dnnl_add(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                        const_dnnl_primitive_attr_t attributes, sk_dnnl_layout layout) {
  dnnl_binary_desc_t operation;
  const dnnl_status_t status = dnnl_binary_desc_init(&operation, dnnl_binary_add, layout, layout, layout);
  return status ? status : dnnl_primitive_desc_create(made, &operation, attributes, engine, NULL);
}

#endif
#endif
