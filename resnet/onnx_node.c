/* What goes into the current node of an ONNX graph, and what comes out of it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch/status.h"
#include "resnet/onnx_import.h"

/* ---- Messages ----------------------------------------------------------------------------------------------- */

#undef sk_onnx_refuse

sk_status sk_onnx_refuse(const struct sk_onnx_import *import, sk_status status, const char *format, ...) {
  char message[400];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  return sk_fail(status, "%s: %s", import->what, message);
}

struct sk_onnx_shape_text sk_onnx_shape_text(size_t rank, const size_t *shape) {
  struct sk_onnx_shape_text out = {"["};
  size_t used = 1;
  for (size_t i = 0; i < rank && used < sizeof out.text; i++) {
    const int length = snprintf(out.text + used, sizeof out.text - used, "%s%zu", i ? ", " : "", shape[i]);
    used += length > 0 ? (size_t)length : 0;
  }
  if (used < sizeof out.text) snprintf(out.text + used, sizeof out.text - used, "]");
  return out;
}

/* ---- Inputs ------------------------------------------------------------------------------------------------- */

const struct sk_onnx_value *sk_onnx_input(const struct sk_onnx_import *import, size_t index) {
  if (index >= import->node->n_input || !*import->node->input[index]) return NULL;
  return sk_onnx_value_find(import, import->node->input[index]);
}

sk_status sk_onnx_activation(const struct sk_onnx_import *import, size_t index, const struct sk_onnx_value **value) {
  *value = sk_onnx_input(import, index);
  if (*value && (*value)->kind == SK_ONNX_ACTIVATION) return SK_OK;
  return sk_onnx_refuse(import, SK_UNSUPPORTED, "input %zu: %s, expected a value that depends on the model's input",
                        index, *value ? "a constant" : "left out");
}

sk_status sk_onnx_constant(const struct sk_onnx_import *import, size_t index, const char *name,
                           const struct sk_onnx_constant **constant) {
  const struct sk_onnx_value *const value = sk_onnx_input(import, index);
  *constant = value ? value->constant : NULL;
  if (!value || value->kind == SK_ONNX_CONSTANT) return SK_OK;
  return sk_onnx_refuse(import, SK_UNSUPPORTED, "%s: computed in the model (\"%s\"), expected a constant", name,
                        sk_quote_short(value->name).text);
}

sk_status sk_onnx_weights(const struct sk_onnx_import *import, size_t index, const char *name,
                          const struct sk_weight_tensor **tensor) {
  const struct sk_onnx_constant *constant = NULL;
  const sk_status status = sk_onnx_constant(import, index, name, &constant);
  *tensor = constant ? &constant->tensor : NULL;
  if (status || !constant || (*tensor)->dtype != SK_DTYPE_OTHER) return status;
  return sk_onnx_refuse(import, SK_BAD_FORMAT, "%s: elements of %s, expected FLOAT, FLOAT16 or BFLOAT16", name,
                        sk_onnx_type_name(constant->type));
}

sk_status sk_onnx_scalar(const struct sk_onnx_import *import, size_t index, const char *name, float *value) {
  const struct sk_weight_tensor *tensor = NULL;
  const sk_status status = sk_onnx_weights(import, index, name, &tensor);
  if (status || !tensor) return status;
  if (tensor->elements != 1) {
    return sk_onnx_refuse(import, SK_BAD_FORMAT, "%s: %zu elements, expected 1", name, tensor->elements);
  }
  sk_weight_tensor_read(tensor, value);
  return SK_OK;
}

sk_status sk_onnx_integers(const struct sk_onnx_import *import, size_t index, const char *name, size_t most,
                           int64_t *values, size_t *count) {
  const struct sk_onnx_constant *constant = NULL;
  const sk_status status = sk_onnx_constant(import, index, name, &constant);
  *count = SIZE_MAX;
  if (status || !constant) return status;
  if (!sk_onnx_constant_is_integer(constant) || constant->tensor.rank > 1) {
    return sk_onnx_refuse(import, SK_BAD_FORMAT, "%s: elements of %s in %zu dimensions, expected INT64 in one", name,
                          sk_onnx_type_name(constant->type), constant->tensor.rank);
  }
  if (constant->tensor.elements > most) {
    return sk_onnx_refuse(import, SK_UNSUPPORTED, "%s: %zu elements, expected at most %zu", name,
                          constant->tensor.elements, most);
  }
  *count = constant->tensor.elements;
  for (size_t i = 0; i < *count; i++) values[i] = sk_onnx_constant_integer(constant, i);
  return SK_OK;
}

sk_status sk_onnx_axis(const struct sk_onnx_import *import, int64_t axis, size_t rank, size_t *index) {
  const int64_t axes = (int64_t)rank;
  *index = (size_t)(axis < 0 ? axis + axes : axis);
  if (axis >= -axes && axis < axes) return SK_OK;
  return sk_onnx_refuse(import, SK_BAD_FORMAT, "axis %lld, expected one of %zu", (long long)axis, rank);
}

struct sk_onnx_image sk_onnx_image_of(size_t rank, const size_t *shape) {
  return (struct sk_onnx_image){
      .channels = rank > 1 ? shape[1] : 1, .height = rank == 4 ? shape[2] : 1, .width = rank > 2 ? shape[rank - 1] : 1};
}

/* ---- Outputs ------------------------------------------------------------------------------------------------ */

/* A node's name unless there is none, or another has it, too; then its first output's, which nobody else has. */
const char *sk_onnx_node_name(const struct sk_onnx_import *import) {
  const char *const name = import->node->name;
  return name && *name && sk_onnx_name_is_free(import, name, import->node) ? name : import->node->output[0];
}

static struct sk_onnx_value *first_output(const struct sk_onnx_import *import) {
  return sk_onnx_value_find(import, import->node->output[0]);
}

/* Let a node of our graph be found by all the names that ONNX has for it. */
static void add_aliases(struct sk_onnx_import *import, size_t node) {
  const char *const known = import->graph->nodes[node].name;
  const char *const names[] = {sk_onnx_node_name(import), import->node->output[0]};
  for (size_t i = 0; i < 2; i++) {
    const bool is_again = i == 1 && strcmp(names[0], names[1]) == 0;
    if (strcmp(names[i], known) != 0 && !is_again) sk_graph_alias(import->graph, names[i], node);
  }
}

static sk_status define(struct sk_onnx_import *import, size_t node, size_t rank, const size_t *shape) {
  struct sk_onnx_value *const output = first_output(import);
  output->kind = SK_ONNX_ACTIVATION;
  output->node = node;
  output->rank = rank;
  memcpy(output->shape, shape, rank * sizeof *shape);
  if (!output->is_padded && output->stride == 0) add_aliases(import, node); /* else the node is not the value yet */
  return import->graph->status;
}

/* What the graph says of a layer lacks the file; that the sizes come from there makes them its fault. */
static sk_status name_file(const struct sk_onnx_import *import, sk_status status) {
  char message[400];
  snprintf(message, sizeof message, "%s", sk_error_message());
  return sk_fail(status == SK_INVALID_ARGUMENT ? SK_BAD_FORMAT : status, "%s: %s", import->what, message);
}

sk_status sk_onnx_emit(struct sk_onnx_import *import, struct sk_node *node, size_t rank, const size_t *shape) {
  node->name = sk_onnx_node_name(import);
  const size_t added = sk_graph_add(import->graph, node);
  if (added == SK_NO_NODE) return name_file(import, import->graph->status);
  size_t sizes[SK_ONNX_MAX_RANK] = {0};
  memcpy(sizes, shape, rank * sizeof *shape);
  const struct sk_node *const made = &import->graph->nodes[added];
  if (rank > 1) sizes[1] = made->channels;
  if (rank == 4) sizes[2] = made->height;
  if (rank > 2) sizes[rank - 1] = made->width;
  return define(import, added, rank, sizes);
}

sk_status sk_onnx_pass(struct sk_onnx_import *import, const struct sk_onnx_value *value, size_t rank,
                       const size_t *shape) {
  return define(import, value->node, rank, shape);
}

sk_status sk_onnx_pass_constant(struct sk_onnx_import *import, const struct sk_onnx_constant *constant) {
  struct sk_onnx_value *const output = first_output(import);
  output->kind = SK_ONNX_CONSTANT;
  output->constant = constant;
  return SK_OK;
}

sk_status sk_onnx_derive(struct sk_onnx_import *import, enum sk_parameter parameter, size_t rank, const size_t *shape,
                         const struct sk_weight_tensor **tensor, float **data) {
  const char *const node = sk_onnx_node_name(import);
  const size_t room = strlen(node) + strlen(sk_parameter_name(parameter)) + 2;
  void *name = NULL;
  const sk_status status = sk_onnx_storage_take(import->storage, import->what, room, &name);
  if (status) return status;
  snprintf(name, room, "%s.%s", node, sk_parameter_name(parameter));
  return sk_onnx_tensor_new(import->storage, name, rank, shape, tensor, data);
}
