/* Convolution, pools and means over space. ONNX's lists have one number for each dimension of space: two, or one where
 * an activation has a width alone. */
#include <string.h>

#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/onnx_import.h"

/* How a window goes over one dimension. */
struct span {
  size_t kernel, stride, dilation, before, after;
};

struct window {
  struct span height, width;
};

/* ---- Lists -------------------------------------------------------------------------------------------------- */

/* Read an attribute with `count` sizes, each at least `least`; without it they stay what they are. */
static sk_status read_sizes(const struct sk_onnx_import *import, const char *name, size_t count, int64_t least,
                            size_t *sizes) {
  const int64_t *values = NULL;
  size_t length = 0;
  const sk_status status = sk_onnx_attribute_ints(import, name, &values, &length);
  if (status || !values) return status;
  if (length != count) {
    return sk_onnx_refuse(import, SK_BAD_FORMAT, "attribute \"%s\": %zu numbers, expected %zu", name, length, count);
  }
  for (size_t i = 0; i < count; i++) {
    if (values[i] < least) {
      return sk_onnx_refuse(import, SK_UNSUPPORTED, "attribute \"%s\": %lld, expected %lld or more", name,
                            (long long)values[i], (long long)least);
    }
    sizes[i] = (size_t)values[i];
  }
  return SK_OK;
}

/* Dimensions of space of an activation of that rank. */
static size_t space_of(size_t rank) { return rank - 2; }

static sk_status read_lists(const struct sk_onnx_import *import, size_t space, struct window *window) {
  size_t strides[2] = {1, 1};
  size_t dilations[2] = {1, 1};
  size_t pads[4] = {0};
  sk_status status = read_sizes(import, "strides", space, 1, strides);
  if (!status) status = read_sizes(import, "dilations", space, 1, dilations);
  if (!status) status = read_sizes(import, "pads", 2 * space, 0, pads);
  const size_t last = space - 1;
  window->width = (struct span){window->width.kernel, strides[last], dilations[last], pads[last], pads[space + last]};
  window->height = (struct span){window->height.kernel, 1, 1, 0, 0};
  if (space == 2) {
    window->height = (struct span){window->height.kernel, strides[0], dilations[0], pads[0], pads[space]};
  }
  return status;
}

/* ---- Padding ------------------------------------------------------------------------------------------------ */

/* Pad so that there are as many outputs as strides, an odd zero at the end or (lower) at the beginning. */
static bool pad_same(struct span *span, size_t input, bool is_lower) {
  size_t reach = 0;
  size_t taps = 0;
  const size_t outputs = sk_size_divide_up(input, span->stride);
  if (!sk_size_multiply(span->dilation, span->kernel - 1, &taps)) return false;
  if (!sk_size_multiply(outputs - 1, span->stride, &reach) || !sk_size_add(reach, taps, &reach)) return false;
  if (!sk_size_add(reach, 1, &reach)) return false;
  const size_t pads = reach > input ? reach - input : 0;
  span->before = is_lower ? pads - pads / 2 : pads / 2;
  span->after = pads - span->before;
  return true;
}

/* What the attribute auto_pad makes of the pads. */
static sk_status pad_automatically(const struct sk_onnx_import *import, const struct sk_onnx_image *input,
                                   struct window *window) {
  struct sk_onnx_word word;
  const sk_status status = sk_onnx_attribute_text(import, "auto_pad", &word);
  if (status || !*word.text || strcmp(word.text, "NOTSET") == 0) return status;
  const bool is_lower = strcmp(word.text, "SAME_LOWER") == 0;
  if (strcmp(word.text, "VALID") == 0) {
    window->height.before = window->height.after = window->width.before = window->width.after = 0;
    return SK_OK;
  }
  if (!is_lower && strcmp(word.text, "SAME_UPPER") != 0) {
    return sk_onnx_refuse(import, SK_BAD_FORMAT,
                          "attribute \"auto_pad\": \"%s\", expected NOTSET, SAME_UPPER, SAME_LOWER or VALID",
                          sk_quote_short(word.text).text);
  }
  if (pad_same(&window->height, input->height, is_lower) && pad_same(&window->width, input->width, is_lower)) {
    return SK_OK;
  }
  return sk_onnx_refuse(import, SK_BAD_FORMAT, "its window overflows");
}

static sk_status read_window(const struct sk_onnx_import *import, size_t rank, const struct sk_onnx_image *input,
                             struct window *window) {
  const sk_status status = read_lists(import, space_of(rank), window);
  return status ? status : pad_automatically(import, input, window);
}

static sk_status check_space(const struct sk_onnx_import *import, const struct sk_onnx_value *x) {
  if (x->rank > 2) return SK_OK;
  return sk_onnx_refuse(import, SK_BAD_FORMAT, "input of shape %s, expected dimensions behind the channels",
                        sk_onnx_shape_text(x->rank, x->shape).text);
}

/* ---- Convolution -------------------------------------------------------------------------------------------- */

/* The weights are [outputs][inputs/group][height][width], or without the height. */
static sk_status check_weights(const struct sk_onnx_import *import, const struct sk_onnx_value *x,
                               const struct sk_weight_tensor *weights, size_t groups) {
  size_t inputs = 0;
  if (!weights) return sk_onnx_refuse(import, SK_BAD_FORMAT, "weights: left out");
  const bool fits = weights->rank == x->rank && weights->elements > 0;
  if (fits && sk_size_multiply(weights->shape[1], groups, &inputs) && inputs == x->shape[1]) return SK_OK;
  return sk_onnx_refuse(import, SK_BAD_FORMAT, "weights of shape %s for an input of %s in %zu groups",
                        sk_onnx_shape_text(weights->rank, weights->shape).text,
                        sk_onnx_shape_text(x->rank, x->shape).text, groups);
}

static sk_status check_bias(const struct sk_onnx_import *import, const struct sk_weight_tensor *bias, size_t outputs) {
  if (!bias || (bias->rank == 1 && bias->shape[0] == outputs)) return SK_OK;
  return sk_onnx_refuse(import, SK_BAD_FORMAT, "bias of shape %s, expected [%zu]",
                        sk_onnx_shape_text(bias->rank, bias->shape).text, outputs);
}

/* A kernel_shape is there to be compared with the weights'. */
static sk_status check_kernel(const struct sk_onnx_import *import, const struct sk_weight_tensor *weights) {
  const size_t space = space_of(weights->rank);
  size_t kernel[2] = {weights->shape[2], weights->shape[weights->rank - 1]};
  const sk_status status = read_sizes(import, "kernel_shape", space, 1, kernel);
  if (status || memcmp(kernel, weights->shape + 2, space * sizeof *kernel) == 0) return status;
  return sk_onnx_refuse(import, SK_BAD_FORMAT, "attribute \"kernel_shape\": %s, but its weights are %s",
                        sk_onnx_shape_text(space, kernel).text, sk_onnx_shape_text(weights->rank, weights->shape).text);
}

/* Put the zeros of a Pad before the convolution to its own. */
static bool add_pads(struct window *window, const size_t pads[4]) {
  return sk_size_add(window->height.before, pads[0], &window->height.before) &&
         sk_size_add(window->width.before, pads[1], &window->width.before) &&
         sk_size_add(window->height.after, pads[2], &window->height.after) &&
         sk_size_add(window->width.after, pads[3], &window->width.after);
}

static sk_status emit_conv(struct sk_onnx_import *import, const struct sk_onnx_value *x, const struct window *window,
                           const struct sk_weight_tensor *weights, const struct sk_weight_tensor *bias, size_t groups) {
  const struct span *const h = &window->height;
  const struct span *const w = &window->width;
  struct sk_node node = {.op = SK_NODE_CONV, .inputs = {x->node}, .bias = bias != NULL};
  node.conv = (sk_conv_shape){.out_channels = weights->shape[0],
                              .kernel_height = h->kernel,
                              .kernel_width = w->kernel,
                              .stride_height = h->stride,
                              .stride_width = w->stride,
                              .dilation_height = h->dilation,
                              .dilation_width = w->dilation,
                              .pad_top = h->before,
                              .pad_bottom = h->after,
                              .pad_left = w->before,
                              .pad_right = w->after,
                              .groups = groups};
  node.parameters[SK_PARAMETER_WEIGHT] = weights;
  node.parameters[SK_PARAMETER_BIAS] = bias;
  return sk_onnx_emit(import, &node, x->rank, x->shape);
}

sk_status sk_onnx_import_conv(struct sk_onnx_import *import) {
  const struct sk_onnx_value *x = NULL;
  const struct sk_weight_tensor *weights = NULL;
  const struct sk_weight_tensor *bias = NULL;
  int64_t group = 1;
  sk_status status = sk_onnx_activation(import, 0, &x);
  if (!status) status = check_space(import, x);
  if (!status) status = sk_onnx_weights(import, 1, "weights", &weights);
  if (!status) status = sk_onnx_weights(import, 2, "bias", &bias);
  if (!status) status = sk_onnx_attribute_int(import, "group", 1, &group);
  if (!status && group < 1)
    status = sk_onnx_refuse(import, SK_BAD_FORMAT, "attribute \"group\": %lld", (long long)group);
  if (!status) status = check_weights(import, x, weights, (size_t)group);
  if (!status) status = check_bias(import, bias, weights->shape[0]);
  if (!status) status = check_kernel(import, weights);
  if (status) return status;
  const struct sk_onnx_image image = sk_onnx_image_of(x->rank, x->shape);
  struct window window = {.height = {.kernel = x->rank == 4 ? weights->shape[2] : 1},
                          .width = {.kernel = weights->shape[weights->rank - 1]}};
  status = read_window(import, x->rank, &image, &window);
  if (!status && x->is_padded && !add_pads(&window, x->pads)) {
    status = sk_onnx_refuse(import, SK_BAD_FORMAT, "its pads overflow");
  }
  return status ? status : emit_conv(import, x, &window, weights, bias, (size_t)group);
}

/* ---- Pools -------------------------------------------------------------------------------------------------- */

static sk_status emit_pool(struct sk_onnx_import *import, enum sk_node_op op, const struct sk_onnx_value *x,
                           const struct window *window, bool ceil_mode, bool count_include_pad) {
  const struct span *const h = &window->height;
  const struct span *const w = &window->width;
  struct sk_node node = {.op = op, .inputs = {x->node}};
  node.pool = (struct sk_pool_shape){.kernel_height = h->kernel,
                                     .kernel_width = w->kernel,
                                     .stride_height = h->stride,
                                     .stride_width = w->stride,
                                     .dilation_height = h->dilation,
                                     .dilation_width = w->dilation,
                                     .pad_top = h->before,
                                     .pad_bottom = h->after,
                                     .pad_left = w->before,
                                     .pad_right = w->after,
                                     .ceil_mode = ceil_mode,
                                     .count_include_pad = count_include_pad};
  return sk_onnx_emit(import, &node, x->rank, x->shape);
}

static sk_status import_pool(struct sk_onnx_import *import, enum sk_node_op op) {
  const struct sk_onnx_value *x = NULL;
  size_t kernel[2] = {0, 0};
  int64_t ceil_mode = 0;
  int64_t count_include_pad = 0;
  sk_status status = sk_onnx_activation(import, 0, &x);
  if (!status) status = check_space(import, x);
  if (!status) status = read_sizes(import, "kernel_shape", space_of(x->rank), 1, kernel);
  if (!status) status = sk_onnx_attribute_int(import, "ceil_mode", 0, &ceil_mode);
  if (!status) status = sk_onnx_attribute_int(import, "count_include_pad", 0, &count_include_pad);
  if (!status && kernel[0] == 0) status = sk_onnx_refuse(import, SK_BAD_FORMAT, "attribute \"kernel_shape\": left out");
  if (status) return status;
  const struct sk_onnx_image image = sk_onnx_image_of(x->rank, x->shape);
  struct window window = {.height = {.kernel = x->rank == 4 ? kernel[0] : 1}, .width = {.kernel = kernel[x->rank - 3]}};
  status = read_window(import, x->rank, &image, &window);
  return status ? status : emit_pool(import, op, x, &window, ceil_mode != 0, count_include_pad != 0);
}

sk_status sk_onnx_import_max_pool(struct sk_onnx_import *import) { return import_pool(import, SK_NODE_MAX_POOL); }

sk_status sk_onnx_import_average_pool(struct sk_onnx_import *import) {
  return import_pool(import, SK_NODE_AVERAGE_POOL);
}

/* ---- Means over space --------------------------------------------------------------------------------------- */

static sk_status emit_mean(struct sk_onnx_import *import, const struct sk_onnx_value *x, bool keeps_dimensions) {
  struct sk_node node = {.op = SK_NODE_GLOBAL_AVERAGE_POOL, .inputs = {x->node}};
  return sk_onnx_emit(import, &node, keeps_dimensions ? x->rank : 2, x->shape);
}

sk_status sk_onnx_import_global_average_pool(struct sk_onnx_import *import) {
  const struct sk_onnx_value *x = NULL;
  sk_status status = sk_onnx_activation(import, 0, &x);
  if (!status) status = check_space(import, x);
  return status ? status : emit_mean(import, x, true);
}

/* From operator set 18 on axes are an input; before that, an attribute. */
static sk_status read_axes(const struct sk_onnx_import *import, int64_t axes[SK_ONNX_MAX_RANK], size_t *count) {
  const int64_t *values = NULL;
  if (import->opset >= 18) return sk_onnx_integers(import, 1, "axes", SK_ONNX_MAX_RANK, axes, count);
  const sk_status status = sk_onnx_attribute_ints(import, "axes", &values, count);
  if (status) return status;
  if (*count > SK_ONNX_MAX_RANK) {
    return sk_onnx_refuse(import, SK_BAD_FORMAT, "attribute \"axes\": %zu numbers, expected at most %d", *count,
                          SK_ONNX_MAX_RANK);
  }
  for (size_t i = 0; i < *count; i++) axes[i] = values[i];
  return SK_OK;
}

/* Whether the axes are those of space, all of them and no other. */
static sk_status check_axes(const struct sk_onnx_import *import, const struct sk_onnx_value *x, const int64_t *axes,
                            size_t count) {
  bool is_reduced[SK_ONNX_MAX_RANK] = {false};
  sk_status status = SK_OK;
  bool fits = count != SIZE_MAX && count > 0;
  for (size_t i = 0; fits && !status && i < count; i++) {
    size_t axis = 0;
    status = sk_onnx_axis(import, axes[i], x->rank, &axis);
    if (!status) is_reduced[axis] = true;
  }
  for (size_t i = 0; i < x->rank; i++) fits = fits && is_reduced[i] == (i >= 2);
  if (status || (fits && x->rank > 2)) return status;
  return sk_onnx_refuse(import, SK_UNSUPPORTED, "input of rank %zu: axes other than all those behind the channels",
                        x->rank);
}

sk_status sk_onnx_import_reduce_mean(struct sk_onnx_import *import) {
  const struct sk_onnx_value *x = NULL;
  int64_t keepdims = 1;
  int64_t axes[SK_ONNX_MAX_RANK] = {0};
  size_t count = 0;
  sk_status status = sk_onnx_activation(import, 0, &x);
  if (!status) status = sk_onnx_attribute_int(import, "keepdims", 1, &keepdims);
  if (!status) status = read_axes(import, axes, &count);
  if (!status) status = check_axes(import, x, axes, count);
  return status ? status : emit_mean(import, x, keepdims != 0);
}
