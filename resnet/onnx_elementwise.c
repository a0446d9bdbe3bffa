/* What works on each value by itself, or on each channel: batch norm, ReLU and its kin, sums and products. */
#include <math.h>
#include <string.h>

#include "dispatch/status.h"
#include "resnet/onnx_import.h"

#define NO_EPSILON 1e-300

/* ---- One input ---------------------------------------------------------------------------------------------- */

static sk_status emit_simple(struct sk_onnx_import *import, enum sk_node_op op) {
  const struct sk_onnx_value *x = NULL;
  const sk_status status = sk_onnx_activation(import, 0, &x);
  if (status) return status;
  struct sk_node node = {.op = op, .inputs = {x->node}};
  return sk_onnx_emit(import, &node, x->rank, x->shape);
}

sk_status sk_onnx_import_relu(struct sk_onnx_import *import) { return emit_simple(import, SK_NODE_RELU); }

sk_status sk_onnx_import_sigmoid(struct sk_onnx_import *import) { return emit_simple(import, SK_NODE_SIGMOID); }

/* From operator set 11 on the limits are inputs; before that, attributes. */
static sk_status read_limits(const struct sk_onnx_import *import, float *low, float *high) {
  if (import->opset < 11) {
    const sk_status status = sk_onnx_attribute_float(import, "min", -INFINITY, low);
    return status ? status : sk_onnx_attribute_float(import, "max", INFINITY, high);
  }
  *low = -INFINITY;
  *high = INFINITY;
  const sk_status status = sk_onnx_scalar(import, 1, "min", low);
  return status ? status : sk_onnx_scalar(import, 2, "max", high);
}

sk_status sk_onnx_import_clip(struct sk_onnx_import *import) {
  const struct sk_onnx_value *x = NULL;
  float low = 0;
  float high = 0;
  sk_status status = sk_onnx_activation(import, 0, &x);
  if (!status) status = read_limits(import, &low, &high);
  if (!status && !(low <= high)) {
    status = sk_onnx_refuse(import, SK_UNSUPPORTED, "min %g and max %g, expected the larger last", (double)low,
                            (double)high);
  }
  if (status) return status;
  struct sk_node node = {.op = SK_NODE_CLIP, .inputs = {x->node}, .clip = {low, high}};
  return sk_onnx_emit(import, &node, x->rank, x->shape);
}

/* ---- Batch norm --------------------------------------------------------------------------------------------- */

static sk_status take_statistic(const struct sk_onnx_import *import, size_t index, const char *name, size_t channels,
                                const struct sk_weight_tensor **tensor) {
  const sk_status status = sk_onnx_weights(import, index, name, tensor);
  if (status) return status;
  if (!*tensor) return sk_onnx_refuse(import, SK_BAD_FORMAT, "%s: left out", name);
  if ((*tensor)->rank == 1 && (*tensor)->shape[0] == channels) return SK_OK;
  return sk_onnx_refuse(import, SK_BAD_FORMAT, "%s of shape %s, expected [%zu]", name,
                        sk_onnx_shape_text((*tensor)->rank, (*tensor)->shape).text, channels);
}

/* Modes that are not those of inference, or not by channel. */
static sk_status check_mode(const struct sk_onnx_import *import) {
  int64_t training = 0;
  int64_t spatial = 1;
  sk_status status = sk_onnx_attribute_int(import, "training_mode", 0, &training);
  if (!status) status = sk_onnx_attribute_int(import, "spatial", 1, &spatial);
  if (!status && training) {
    status = sk_onnx_refuse(import, SK_UNSUPPORTED, "attribute \"training_mode\": %lld, expected 0, for inference",
                            (long long)training);
  }
  if (!status && !spatial) {
    status = sk_onnx_refuse(import, SK_UNSUPPORTED, "attribute \"spatial\": 0, expected 1, a norm for each channel");
  }
  return status;
}

/* The file has a float. That of 1e-5 stands for 1e-5, of which the built-in networks are made; and of a graph's
 * epsilons zero stands for that one, so that zero is a number too small to matter. */
static double widen_epsilon(float epsilon) {
  if (epsilon == (float)SK_BATCH_NORM_EPSILON) return SK_BATCH_NORM_EPSILON;
  return epsilon == 0.0F ? NO_EPSILON : (double)epsilon;
}

sk_status sk_onnx_import_batch_norm(struct sk_onnx_import *import) {
  static const struct {
    const char *name;
    enum sk_parameter parameter;
  } inputs[] = {{"scale", SK_PARAMETER_WEIGHT},
                {"B", SK_PARAMETER_BIAS},
                {"mean", SK_PARAMETER_MEAN},
                {"var", SK_PARAMETER_VARIANCE}};
  const struct sk_onnx_value *x = NULL;
  float epsilon = 0;
  sk_status status = sk_onnx_activation(import, 0, &x);
  if (!status) status = check_mode(import);
  if (!status) status = sk_onnx_attribute_float(import, "epsilon", 1e-5F, &epsilon);
  if (status) return status;
  struct sk_node node = {.op = SK_NODE_BATCH_NORM, .inputs = {x->node}, .epsilon = widen_epsilon(epsilon)};
  const size_t channels = sk_onnx_image_of(x->rank, x->shape).channels;
  for (size_t i = 0; !status && i < 4; i++) {
    status = take_statistic(import, i + 1, inputs[i].name, channels, &node.parameters[inputs[i].parameter]);
  }
  return status ? status : sk_onnx_emit(import, &node, x->rank, x->shape);
}

/* ---- A constant for each channel ---------------------------------------------------------------------------- */

/* Whether a constant, set against an activation from the last axis backwards, has one value for each channel or one
 * for all, and leaves the shape as it is. */
static bool is_by_channel(const struct sk_onnx_value *x, const struct sk_weight_tensor *constant) {
  if (constant->rank > x->rank || constant->elements == 0) return false;
  const size_t first = x->rank - constant->rank;
  for (size_t i = 0; i < constant->rank; i++) {
    const bool is_channel = first + i == 1;
    if (constant->shape[i] != 1 && !(is_channel && constant->shape[i] == x->shape[1])) return false;
  }
  return true;
}

/* Fill a parameter of a batch norm: with a constant's values, or one number. */
static sk_status fill(struct sk_onnx_import *import, enum sk_parameter parameter, size_t channels,
                      const struct sk_weight_tensor *constant, float number, const struct sk_weight_tensor **tensor) {
  float *data = NULL;
  const sk_status status = sk_onnx_derive(import, parameter, 1, &channels, tensor, &data);
  for (size_t c = 0; !status && c < channels; c++) {
    data[c] = number;
    if (constant) sk_weight_tensor_read_range(constant, constant->elements == 1 ? 0 : c, 1, &data[c]);
  }
  return status;
}

/* x * constant or x + constant as a batch norm of mean 0 and variance 1, which a convolution before it takes in. */
static sk_status emit_affine(struct sk_onnx_import *import, const struct sk_onnx_value *x,
                             const struct sk_weight_tensor *constant, bool multiplies) {
  const size_t channels = sk_onnx_image_of(x->rank, x->shape).channels;
  struct sk_node node = {.op = SK_NODE_BATCH_NORM, .inputs = {x->node}, .epsilon = NO_EPSILON};
  const struct sk_weight_tensor **const parameters = node.parameters;
  sk_status status =
      fill(import, SK_PARAMETER_WEIGHT, channels, multiplies ? constant : NULL, 1, &parameters[SK_PARAMETER_WEIGHT]);
  if (!status) {
    status = fill(import, SK_PARAMETER_BIAS, channels, multiplies ? NULL : constant, 0, &parameters[SK_PARAMETER_BIAS]);
  }
  if (!status) status = fill(import, SK_PARAMETER_MEAN, channels, NULL, 0, &parameters[SK_PARAMETER_MEAN]);
  if (!status) status = fill(import, SK_PARAMETER_VARIANCE, channels, NULL, 1, &parameters[SK_PARAMETER_VARIANCE]);
  return status ? status : sk_onnx_emit(import, &node, x->rank, x->shape);
}

/* A dense layer without a bias takes in the addition behind it, if nothing else reads it. */
static struct sk_node *dense_without_bias(const struct sk_onnx_import *import, const struct sk_onnx_value *x) {
  struct sk_node *const node = &import->graph->nodes[x->node];
  return node->op == SK_NODE_DENSE && !node->bias && x->readers == 1 ? node : NULL;
}

static sk_status add_bias(struct sk_onnx_import *import, const struct sk_onnx_value *x, struct sk_node *dense,
                          const struct sk_weight_tensor *constant) {
  const sk_status status =
      fill(import, SK_PARAMETER_BIAS, dense->channels, constant, 0, &dense->parameters[SK_PARAMETER_BIAS]);
  dense->bias = !status;
  return status ? status : sk_onnx_pass(import, x, x->rank, x->shape);
}

static sk_status combine_with_constant(struct sk_onnx_import *import, size_t which, bool multiplies) {
  const struct sk_onnx_value *x = NULL;
  const struct sk_weight_tensor *constant = NULL;
  sk_status status = sk_onnx_activation(import, 1 - which, &x);
  if (!status) status = sk_onnx_weights(import, which, which == 0 ? "A" : "B", &constant);
  if (status) return status;
  if (!is_by_channel(x, constant)) {
    return sk_onnx_refuse(
        import, SK_UNSUPPORTED, "a constant of shape %s beside %s, expected one value, or one for each channel",
        sk_onnx_shape_text(constant->rank, constant->shape).text, sk_onnx_shape_text(x->rank, x->shape).text);
  }
  struct sk_node *const dense = multiplies ? NULL : dense_without_bias(import, x);
  return dense ? add_bias(import, x, dense, constant) : emit_affine(import, x, constant, multiplies);
}

/* ---- Two activations ---------------------------------------------------------------------------------------- */

/* Whether `small` has one value for each channel of `large`, or its shape. */
static bool broadcasts(const struct sk_onnx_value *large, const struct sk_onnx_value *small) {
  const struct sk_onnx_image a = sk_onnx_image_of(large->rank, large->shape);
  const struct sk_onnx_image b = sk_onnx_image_of(small->rank, small->shape);
  if (large->rank != small->rank || a.channels != b.channels) return false;
  return (a.height == b.height && a.width == b.width) || (b.height == 1 && b.width == 1);
}

static sk_status combine(struct sk_onnx_import *import, enum sk_node_op op) {
  const struct sk_onnx_value *a = NULL;
  const struct sk_onnx_value *b = NULL;
  sk_status status = sk_onnx_activation(import, 0, &a);
  if (!status) status = sk_onnx_activation(import, 1, &b);
  if (status) return status;
  const bool is_swapped = !broadcasts(a, b);
  if (is_swapped && !broadcasts(b, a)) {
    return sk_onnx_refuse(import, SK_UNSUPPORTED, "inputs of shapes %s and %s, expected equal ones, or 1 x 1 in space",
                          sk_onnx_shape_text(a->rank, a->shape).text, sk_onnx_shape_text(b->rank, b->shape).text);
  }
  const struct sk_onnx_value *const large = is_swapped ? b : a;
  struct sk_node node = {.op = op, .inputs = {large->node, is_swapped ? a->node : b->node}};
  return sk_onnx_emit(import, &node, large->rank, large->shape);
}

static sk_status combine_any(struct sk_onnx_import *import, enum sk_node_op op) {
  for (size_t i = 0; i < 2; i++) {
    const struct sk_onnx_value *const value = sk_onnx_input(import, i);
    if (value && value->kind == SK_ONNX_CONSTANT) return combine_with_constant(import, i, op == SK_NODE_MULTIPLY);
  }
  return combine(import, op);
}

sk_status sk_onnx_import_add(struct sk_onnx_import *import) { return combine_any(import, SK_NODE_ADD); }

sk_status sk_onnx_import_mul(struct sk_onnx_import *import) { return combine_any(import, SK_NODE_MULTIPLY); }
