/* Padding, and the shortcut that takes every n-th pixel and pads the channels. */
#include <string.h>

#include "dispatch/status.h"
#include "resnet/onnx_import.h"

/* ---- Padding ------------------------------------------------------------------------------------------------ */

/* The pads of each axis: before, then after. */
struct pads {
  int64_t before[SK_ONNX_MAX_RANK], after[SK_ONNX_MAX_RANK];
};

/* From operator set 18 on an input may tell the axes that are meant; without it, all are. */
static sk_status read_axes(const struct sk_onnx_import *import, size_t rank, size_t axes[SK_ONNX_MAX_RANK],
                           size_t *count) {
  int64_t given[SK_ONNX_MAX_RANK] = {0};
  sk_status status = sk_onnx_integers(import, 3, "axes", SK_ONNX_MAX_RANK, given, count);
  const bool is_given = *count != SIZE_MAX;
  if (!is_given) *count = rank;
  for (size_t i = 0; !status && i < *count; i++) {
    axes[i] = i;
    if (is_given) status = sk_onnx_axis(import, given[i], rank, &axes[i]);
  }
  return status;
}

/* From operator set 11 on pads are an input; before that, an attribute. */
static sk_status read_pad_numbers(const struct sk_onnx_import *import, int64_t numbers[2 * SK_ONNX_MAX_RANK],
                                  size_t *count) {
  const int64_t *values = NULL;
  if (import->opset >= 11) return sk_onnx_integers(import, 1, "pads", 2 * (size_t)SK_ONNX_MAX_RANK, numbers, count);
  const sk_status status = sk_onnx_attribute_ints(import, "pads", &values, count);
  if (status || *count > 2 * SK_ONNX_MAX_RANK) return status;
  for (size_t i = 0; i < *count; i++) numbers[i] = values[i];
  return SK_OK;
}

static sk_status read_pads(const struct sk_onnx_import *import, size_t rank, struct pads *pads) {
  int64_t numbers[2 * SK_ONNX_MAX_RANK] = {0};
  size_t axes[SK_ONNX_MAX_RANK] = {0};
  size_t count = 0;
  size_t axis_count = 0;
  sk_status status = read_pad_numbers(import, numbers, &count);
  if (!status) status = read_axes(import, rank, axes, &axis_count);
  if (!status && count != 2 * axis_count) {
    status = sk_onnx_refuse(import, SK_BAD_FORMAT, "pads: not two for each of %zu axes", axis_count);
  }
  *pads = (struct pads){0};
  for (size_t i = 0; !status && i < axis_count; i++) {
    pads->before[axes[i]] = numbers[i];
    pads->after[axes[i]] = numbers[axis_count + i];
  }
  return status;
}

/* Whether something is put around the channels. */
static bool pads_channels(size_t rank, const struct pads *pads) {
  return rank > 1 && (pads->before[1] > 0 || pads->after[1] > 0);
}

static sk_status check_pads(const struct sk_onnx_import *import, size_t rank, const struct pads *pads) {
  for (size_t i = 0; i < rank; i++) {
    if (pads->before[i] < 0 || pads->after[i] < 0 || pads->before[i] > INT32_MAX || pads->after[i] > INT32_MAX) {
      return sk_onnx_refuse(import, SK_UNSUPPORTED, "pads: %lld and %lld on axis %zu, expected 0 to %d",
                            (long long)pads->before[i], (long long)pads->after[i], i, INT32_MAX);
    }
  }
  if (pads->before[0] == 0 && pads->after[0] == 0) return SK_OK;
  return sk_onnx_refuse(import, SK_UNSUPPORTED, "pads: on the batch, expected none there");
}

static sk_status read_pad_value(const struct sk_onnx_import *import, float *value) {
  struct sk_onnx_word mode;
  sk_status status = sk_onnx_attribute_text(import, "mode", &mode);
  if (!status && *mode.text && strcmp(mode.text, "constant") != 0) {
    status = sk_onnx_refuse(import, SK_UNSUPPORTED, "attribute \"mode\": \"%s\", expected constant",
                            sk_quote_short(mode.text).text);
  }
  *value = 0;
  if (status) return status;
  return import->opset >= 11 ? sk_onnx_scalar(import, 2, "constant_value", value)
                             : sk_onnx_attribute_float(import, "value", 0, value);
}

/* Whether only one node reads a value, as its first input, and what operator that is. */
static bool feeds_only(const struct sk_onnx_value *output, const char *operator) {
  const Onnx__NodeProto *const reader = output->readers == 1 ? output->reader : NULL;
  if (!reader || !reader->op_type || strcmp(reader->op_type, operator) != 0) return false;
  return reader->n_input > 0 && strcmp(reader->input[0], output->name) == 0;
}

static sk_status emit_pad(struct sk_onnx_import *import, const struct sk_onnx_value *x, const size_t sides[4],
                          float value) {
  struct sk_node node = {.op = SK_NODE_PAD, .inputs = {x->node}};
  node.pad =
      (struct sk_padding){.top = sides[0], .left = sides[1], .bottom = sides[2], .right = sides[3], .value = value};
  return sk_onnx_emit(import, &node, x->rank, x->shape);
}

static sk_status pad_with(struct sk_onnx_import *import, const struct sk_onnx_value *x, const struct pads *pads,
                          float value) {
  const size_t last = x->rank - 1;
  const bool has_height = x->rank == 4;
  const size_t sides[4] = {has_height ? (size_t)pads->before[2] : 0, (size_t)pads->before[last],
                           has_height ? (size_t)pads->after[2] : 0, (size_t)pads->after[last]};
  if (!(sides[0] | sides[1] | sides[2] | sides[3])) return sk_onnx_pass(import, x, x->rank, x->shape);
  struct sk_onnx_value *const output = sk_onnx_value_find(import, import->node->output[0]);
  /* Zeros around what only a convolution reads become the convolution's own. */
  if (value != 0.0F || !feeds_only(output, "Conv")) return emit_pad(import, x, sides, value);
  size_t shape[SK_ONNX_MAX_RANK];
  memcpy(shape, x->shape, sizeof shape);
  if (has_height) shape[2] += sides[0] + sides[2];
  shape[last] += sides[1] + sides[3];
  output->is_padded = true;
  memcpy(output->pads, sides, sizeof sides);
  return sk_onnx_pass(import, x, x->rank, shape);
}

/* Zeros for as many channels before as after, of every stride-th pixel: shortcut A of He et al. (2015). */
static sk_status pad_channels(struct sk_onnx_import *import, const struct sk_onnx_value *x, const struct pads *pads,
                              float value) {
  bool fits = pads->before[1] == pads->after[1] && value == 0.0F;
  for (size_t i = 2; i < x->rank; i++) fits = fits && pads->before[i] == 0 && pads->after[i] == 0;
  if (!fits) {
    return sk_onnx_refuse(import, SK_UNSUPPORTED,
                          "pads: %lld and %lld channels, expected as many zeros on both sides and none in space",
                          (long long)pads->before[1], (long long)pads->after[1]);
  }
  struct sk_node node = {.op = SK_NODE_SUBSAMPLE, .inputs = {x->node}, .stride = x->stride ? x->stride : 1};
  node.channels = x->shape[1] + 2 * (size_t)pads->before[1];
  return sk_onnx_emit(import, &node, x->rank, x->shape);
}

sk_status sk_onnx_import_pad(struct sk_onnx_import *import) {
  const struct sk_onnx_value *x = NULL;
  struct pads pads;
  float value = 0;
  sk_status status = sk_onnx_activation(import, 0, &x);
  if (!status) status = read_pad_value(import, &value);
  if (!status) status = read_pads(import, x->rank, &pads);
  if (!status) status = check_pads(import, x->rank, &pads);
  if (status) return status;
  if (x->stride || pads_channels(x->rank, &pads)) return pad_channels(import, x, &pads, value);
  return x->rank > 2 ? pad_with(import, x, &pads, value) : sk_onnx_pass(import, x, x->rank, x->shape);
}

/* ---- Every n-th pixel --------------------------------------------------------------------------------------- */

/* The steps of a slice that takes the whole of every axis: 1 on the batch and the channels, one number in space. */
static sk_status read_step(const struct sk_onnx_import *import, const struct sk_onnx_value *x, size_t *step) {
  int64_t starts[SK_ONNX_MAX_RANK] = {0};
  int64_t ends[SK_ONNX_MAX_RANK] = {0};
  int64_t axes[SK_ONNX_MAX_RANK] = {0, 1, 2, 3};
  int64_t steps[SK_ONNX_MAX_RANK] = {1, 1, 1, 1};
  size_t by_axis[SK_ONNX_MAX_RANK] = {1, 1, 1, 1};
  size_t counts[4] = {0};
  sk_status status = sk_onnx_integers(import, 1, "starts", SK_ONNX_MAX_RANK, starts, &counts[0]);
  if (!status) status = sk_onnx_integers(import, 2, "ends", SK_ONNX_MAX_RANK, ends, &counts[1]);
  if (!status) status = sk_onnx_integers(import, 3, "axes", SK_ONNX_MAX_RANK, axes, &counts[2]);
  if (!status) status = sk_onnx_integers(import, 4, "steps", SK_ONNX_MAX_RANK, steps, &counts[3]);
  bool fits = counts[0] <= x->rank && counts[1] == counts[0];
  for (size_t i = 2; i < 4; i++) fits = fits && (counts[i] == counts[0] || counts[i] == SIZE_MAX);
  for (size_t i = 0; !status && fits && i < counts[0]; i++) {
    size_t axis = 0;
    status = sk_onnx_axis(import, axes[i], x->rank, &axis);
    if (status) break;
    fits = starts[i] == 0 && ends[i] >= (int64_t)x->shape[axis] && steps[i] >= 1 && steps[i] <= INT32_MAX;
    by_axis[axis] = (size_t)steps[i];
  }
  *step = by_axis[x->rank - 1];
  fits = fits && by_axis[0] == 1 && (x->rank == 1 || by_axis[1] == 1) && (x->rank < 4 || by_axis[2] == *step);
  if (status || fits) return status;
  return sk_onnx_refuse(import, SK_UNSUPPORTED, "part of %s, expected every n-th row and column",
                        sk_onnx_shape_text(x->rank, x->shape).text);
}

/* Padding of the channels behind it, which makes a shortcut of both, is waited for. */
sk_status sk_onnx_import_slice(struct sk_onnx_import *import) {
  const struct sk_onnx_value *x = NULL;
  size_t step = 1;
  sk_status status = sk_onnx_activation(import, 0, &x);
  if (!status && import->opset < 10) {
    status = sk_onnx_refuse(import, SK_UNSUPPORTED, "operator set %lld, expected 10 or more, which has steps",
                            (long long)import->opset);
  }
  if (!status) status = read_step(import, x, &step);
  if (status) return status;
  if (step == 1) return sk_onnx_pass(import, x, x->rank, x->shape);
  struct sk_onnx_value *const output = sk_onnx_value_find(import, import->node->output[0]);
  struct sk_node node = {.op = SK_NODE_SUBSAMPLE, .inputs = {x->node}, .channels = x->shape[1], .stride = step};
  if (!feeds_only(output, "Pad")) return sk_onnx_emit(import, &node, x->rank, x->shape);
  output->stride = step;
  return sk_onnx_pass(import, x, x->rank, x->shape);
}
