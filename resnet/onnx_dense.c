/* Matrix products with constant weights: dense layers. */
#include <string.h>

#include "dispatch/status.h"
#include "resnet/onnx_import.h"

/* Check that an activation is [batch][channels], of which each image makes a row. */
static sk_status check_rows(const struct sk_onnx_import *import, const struct sk_onnx_value *x) {
  if (x->rank == 2) return SK_OK;
  return sk_onnx_refuse(import, SK_UNSUPPORTED, "input of shape %s, expected [batch, channels]",
                        sk_onnx_shape_text(x->rank, x->shape).text);
}

/* ---- Weights ------------------------------------------------------------------------------------------------ */

/* The weights as a dense layer has them, [outputs][inputs], times alpha. What lies so already is taken as it is. */
static sk_status arrange_weights(struct sk_onnx_import *import, const struct sk_weight_tensor *given, bool transposed,
                                 float alpha, const struct sk_weight_tensor **weights) {
  const size_t outputs = given->shape[transposed ? 0 : 1];
  const size_t inputs = given->shape[transposed ? 1 : 0];
  float *data = NULL;
  *weights = given;
  if (transposed && alpha == 1.0F) return SK_OK;
  const sk_status status = sk_onnx_derive(import, SK_PARAMETER_WEIGHT, 2, (size_t[]){outputs, inputs}, weights, &data);
  for (size_t i = 0; !status && i < inputs; i++) {
    for (size_t o = 0; o < outputs; o++) {
      float value = 0;
      sk_weight_tensor_read_range(given, transposed ? o * inputs + i : i * outputs + o, 1, &value);
      data[o * inputs + i] = alpha * value;
    }
  }
  return status;
}

static sk_status check_weights(const struct sk_onnx_import *import, const struct sk_onnx_value *x,
                               const struct sk_weight_tensor *weights, bool transposed) {
  if (!weights) return sk_onnx_refuse(import, SK_BAD_FORMAT, "weights: left out");
  const bool fits = weights->rank == 2 && weights->elements > 0 && weights->shape[transposed ? 1 : 0] == x->shape[1];
  if (fits) return SK_OK;
  return sk_onnx_refuse(import, SK_BAD_FORMAT, "weights of shape %s for an input of %s",
                        sk_onnx_shape_text(weights->rank, weights->shape).text,
                        sk_onnx_shape_text(x->rank, x->shape).text);
}

/* ---- Bias --------------------------------------------------------------------------------------------------- */

/* Whether a constant is the same for each image of a batch: one row, or one value. */
static bool is_row(const struct sk_weight_tensor *bias, size_t outputs) {
  if (bias->rank > 2 || (bias->rank == 2 && bias->shape[0] != 1)) return false;
  return bias->elements == 1 || bias->elements == outputs;
}

/* Spread a bias, times beta, over the outputs. */
static sk_status arrange_bias(struct sk_onnx_import *import, const struct sk_weight_tensor *given, size_t outputs,
                              float beta, const struct sk_weight_tensor **bias) {
  float *data = NULL;
  *bias = NULL;
  if (!given || beta == 0.0F) return SK_OK;
  if (!is_row(given, outputs)) {
    return sk_onnx_refuse(import, SK_UNSUPPORTED, "C of shape %s, expected one value, or one for each of %zu outputs",
                          sk_onnx_shape_text(given->rank, given->shape).text, outputs);
  }
  *bias = given;
  if (given->elements == outputs && beta == 1.0F) return SK_OK;
  const sk_status status = sk_onnx_derive(import, SK_PARAMETER_BIAS, 1, &outputs, bias, &data);
  for (size_t o = 0; !status && o < outputs; o++) {
    sk_weight_tensor_read_range(given, given->elements == 1 ? 0 : o, 1, &data[o]);
    data[o] *= beta;
  }
  return status;
}

/* ---- Operators ---------------------------------------------------------------------------------------------- */

/* y = alpha * x * weights + beta * bias. */
struct product {
  const struct sk_onnx_value *x;
  const struct sk_weight_tensor *weights, *bias;
  bool transposed; /* the weights are [outputs][inputs] */
  float alpha, beta;
};

static sk_status emit_dense(struct sk_onnx_import *import, const struct product *product) {
  struct sk_node node = {.op = SK_NODE_DENSE, .inputs = {product->x->node}};
  sk_status status = check_rows(import, product->x);
  if (!status) status = check_weights(import, product->x, product->weights, product->transposed);
  if (status) return status;
  node.channels = product->weights->shape[product->transposed ? 0 : 1];
  status = arrange_weights(import, product->weights, product->transposed, product->alpha,
                           &node.parameters[SK_PARAMETER_WEIGHT]);
  if (!status) {
    status = arrange_bias(import, product->bias, node.channels, product->beta, &node.parameters[SK_PARAMETER_BIAS]);
  }
  node.bias = node.parameters[SK_PARAMETER_BIAS] != NULL;
  return status ? status : sk_onnx_emit(import, &node, 2, product->x->shape);
}

sk_status sk_onnx_import_gemm(struct sk_onnx_import *import) {
  struct product product = {.alpha = 1, .beta = 1};
  int64_t transposes_x = 0;
  int64_t transposes_weights = 0;
  sk_status status = sk_onnx_activation(import, 0, &product.x);
  if (!status) status = sk_onnx_weights(import, 1, "B", &product.weights);
  if (!status) status = sk_onnx_weights(import, 2, "C", &product.bias);
  if (!status) status = sk_onnx_attribute_float(import, "alpha", 1, &product.alpha);
  if (!status) status = sk_onnx_attribute_float(import, "beta", 1, &product.beta);
  if (!status) status = sk_onnx_attribute_int(import, "transA", 0, &transposes_x);
  if (!status) status = sk_onnx_attribute_int(import, "transB", 0, &transposes_weights);
  if (!status && transposes_x) {
    status =
        sk_onnx_refuse(import, SK_UNSUPPORTED, "attribute \"transA\": would make channels of the images, expected 0");
  }
  product.transposed = transposes_weights != 0;
  return status ? status : emit_dense(import, &product);
}

sk_status sk_onnx_import_matmul(struct sk_onnx_import *import) {
  struct product product = {.alpha = 1, .beta = 1};
  sk_status status = sk_onnx_activation(import, 0, &product.x);
  if (!status) status = sk_onnx_weights(import, 1, "B", &product.weights);
  return status ? status : emit_dense(import, &product);
}
