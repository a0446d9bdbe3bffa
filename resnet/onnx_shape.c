/* Operators that move values, or name them anew: constants, reshapes, concatenation, padding; and softmax, whose
 * meaning hangs on the shape. */
#include <stdio.h>
#include <string.h>

#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/onnx_import.h"

/* ---- Constants ---------------------------------------------------------------------------------------------- */

/* Make a constant of an attribute's numbers. */
static sk_status pass_numbers(struct sk_onnx_import *import, struct sk_onnx_constant numbers) {
  void *memory = NULL;
  void *data = NULL;
  struct sk_weight_tensor *const tensor = &numbers.tensor;
  tensor->name = sk_onnx_node_name(import);
  tensor->bytes = tensor->elements * (numbers.type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64 ? 8 : 4);
  tensor->shape[0] = tensor->elements;
  sk_status status = sk_onnx_storage_take(import->storage, import->what, sizeof numbers, &memory);
  if (!status) status = sk_onnx_storage_take(import->storage, import->what, tensor->bytes, &data);
  if (status) return status;
  memcpy(data, tensor->data, tensor->bytes);
  tensor->data = data;
  memcpy(memory, &numbers, sizeof numbers);
  return sk_onnx_pass_constant(import, memory);
}

static sk_status pass_float(struct sk_onnx_import *import) {
  float number = 0;
  const sk_status status = sk_onnx_attribute_float(import, "value_float", 0, &number);
  const struct sk_onnx_constant constant = {
      .tensor = {.dtype = SK_DTYPE_F32, .dtype_name = "F32", .elements = 1, .data = &number},
      .type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT};
  return status ? status : pass_numbers(import, constant);
}

static sk_status pass_integers(struct sk_onnx_import *import, bool is_list) {
  const int64_t *list = NULL;
  int64_t number = 0;
  size_t count = 1;
  const sk_status status = is_list ? sk_onnx_attribute_ints(import, "value_ints", &list, &count)
                                   : sk_onnx_attribute_int(import, "value_int", 0, &number);
  const struct sk_onnx_constant constant = {.tensor = {.dtype = SK_DTYPE_OTHER,
                                                       .dtype_name = "I64",
                                                       .rank = is_list,
                                                       .elements = count,
                                                       .data = is_list ? list : &number},
                                            .type = ONNX__TENSOR_PROTO__DATA_TYPE__INT64};
  return status ? status : pass_numbers(import, constant);
}

sk_status sk_onnx_import_constant(struct sk_onnx_import *import) {
  const Onnx__TensorProto *proto = NULL;
  const struct sk_onnx_constant *constant = NULL;
  if (sk_onnx_has_attribute(import, "value_float")) return pass_float(import);
  if (sk_onnx_has_attribute(import, "value_ints")) return pass_integers(import, true);
  if (sk_onnx_has_attribute(import, "value_int")) return pass_integers(import, false);
  sk_status status = sk_onnx_attribute_tensor(import, "value", &proto);
  if (!status && !proto) {
    status = sk_onnx_refuse(import, SK_BAD_FORMAT,
                            "no value, expected one of the attributes value, value_float, value_int and value_ints");
  }
  if (!status) status = sk_onnx_constant_make(import->storage, import->what, proto, &constant);
  return status ? status : sk_onnx_pass_constant(import, constant);
}

/* ---- What changes nothing ----------------------------------------------------------------------------------- */

sk_status sk_onnx_import_identity(struct sk_onnx_import *import) {
  const struct sk_onnx_value *const value = sk_onnx_input(import, 0);
  if (value && value->kind == SK_ONNX_CONSTANT) return sk_onnx_pass_constant(import, value->constant);
  const struct sk_onnx_value *x = NULL;
  const sk_status status = sk_onnx_activation(import, 0, &x);
  return status ? status : sk_onnx_pass(import, x, x->rank, x->shape);
}

/* Training is told by an input of type BOOL, whatever it says: no other use of that input is known. */
sk_status sk_onnx_import_dropout(struct sk_onnx_import *import) {
  if (!sk_onnx_input(import, 2)) return sk_onnx_import_identity(import);
  return sk_onnx_refuse(import, SK_UNSUPPORTED, "training_mode is given, expected none, for inference");
}

/* ---- Shapes ------------------------------------------------------------------------------------------------- */

static bool is_same_image(struct sk_onnx_image a, struct sk_onnx_image b) {
  return a.channels == b.channels && a.height == b.height && a.width == b.width;
}

/* Elements of one image; they fit, since the graph's do. */
static size_t image_elements(size_t rank, const size_t *shape) {
  const struct sk_onnx_image image = sk_onnx_image_of(rank, shape);
  return image.channels * image.height * image.width;
}

/* Make one row of channels of each image. */
static sk_status emit_flatten(struct sk_onnx_import *import, const struct sk_onnx_value *x) {
  const size_t shape[2] = {x->shape[0], image_elements(x->rank, x->shape)};
  struct sk_node node = {.op = SK_NODE_FLATTEN, .inputs = {x->node}};
  return sk_onnx_emit(import, &node, 2, shape);
}

/* Whether the current node's result is the model's, and nothing reads it: then its elements in their order are all that
 * matters, and a row has them in any shape. */
static bool makes_output(const struct sk_onnx_import *import) {
  const struct sk_onnx_value *const output = sk_onnx_value_find(import, import->node->output[0]);
  return output->readers == 1 && !output->reader;
}

/* Give an activation another shape of as many elements per image. That is a name where it is the same image to us;
 * otherwise it has to make one row of channels of it. */
static sk_status reshape(struct sk_onnx_import *import, const struct sk_onnx_value *x, size_t rank,
                         const size_t *shape) {
  const struct sk_onnx_image to = sk_onnx_image_of(rank, shape);
  if (is_same_image(sk_onnx_image_of(x->rank, x->shape), to)) return sk_onnx_pass(import, x, rank, shape);
  if (to.height == 1 && to.width == 1) {
    struct sk_node node = {.op = SK_NODE_FLATTEN, .inputs = {x->node}};
    return sk_onnx_emit(import, &node, rank, shape);
  }
  if (makes_output(import)) return emit_flatten(import, x);
  return sk_onnx_refuse(import, SK_UNSUPPORTED, "from shape %s to %s, expected the same image or one row of it",
                        sk_onnx_shape_text(x->rank, x->shape).text, sk_onnx_shape_text(rank, shape).text);
}

sk_status sk_onnx_import_flatten(struct sk_onnx_import *import) {
  const struct sk_onnx_value *x = NULL;
  int64_t given = 1;
  size_t axis = 0;
  size_t before = 1;
  sk_status status = sk_onnx_activation(import, 0, &x);
  if (!status) status = sk_onnx_attribute_int(import, "axis", 1, &given);
  if (!status && given == (int64_t)x->rank)
    axis = x->rank; /* the one axis behind the last that is allowed */
  else if (!status)
    status = sk_onnx_axis(import, given, x->rank, &axis);
  if (status) return status;
  if (makes_output(import)) return emit_flatten(import, x);
  for (size_t i = 1; i < axis; i++) before *= x->shape[i];
  if (axis == 0 || before != 1) {
    return sk_onnx_refuse(import, SK_UNSUPPORTED, "attribute \"axis\": %lld of shape %s, expected 1: a row per image",
                          (long long)given, sk_onnx_shape_text(x->rank, x->shape).text);
  }
  return reshape(import, x, 2, (size_t[]){x->shape[0], image_elements(x->rank, x->shape)});
}

/* ---- Reshape ------------------------------------------------------------------------------------------------ */

enum { MAXIMUM_RESHAPE = SK_TENSOR_MAX_RANK };

/* Fill in what a wanted shape leaves open: 0 stands for the size that was there, one -1 for what is left. `given`: the
 * shape that was there. */
static sk_status resolve(const struct sk_onnx_import *import, size_t rank, const int64_t *wanted, size_t given_rank,
                         const size_t *given, bool allowzero, size_t *shape) {
  size_t open = rank;
  size_t known = 1;
  size_t elements = 1;
  bool fits = true;
  for (size_t i = 0; i < given_rank; i++) fits = fits && sk_size_multiply(elements, given[i], &elements);
  for (size_t i = 0; fits && i < rank; i++) {
    const bool is_open = wanted[i] == -1 && open == rank;
    if (is_open) open = i;
    fits = is_open || wanted[i] > 0 || (wanted[i] == 0 && !allowzero && i < given_rank);
    if (!fits) break;
    shape[i] = is_open ? 1 : wanted[i] == 0 ? given[i] : (size_t)wanted[i];
    fits = sk_size_multiply(known, shape[i], &known);
  }
  fits = fits && known > 0 && (open < rank ? elements % known == 0 : elements == known);
  if (fits && open < rank) shape[open] = elements / known;
  if (fits) return SK_OK;
  return sk_onnx_refuse(import, SK_BAD_FORMAT, "its shape does not fit an input of %s",
                        sk_onnx_shape_text(given_rank, given).text);
}

static sk_status reshape_constant(struct sk_onnx_import *import, const struct sk_onnx_constant *constant, size_t rank,
                                  const int64_t *wanted, bool allowzero) {
  const struct sk_onnx_constant *reshaped = NULL;
  size_t shape[MAXIMUM_RESHAPE] = {0};
  sk_status status = resolve(import, rank, wanted, constant->tensor.rank, constant->tensor.shape, allowzero, shape);
  if (!status) status = sk_onnx_constant_reshape(import->storage, constant, rank, shape, &reshaped);
  return status ? status : sk_onnx_pass_constant(import, reshaped);
}

/* The batch stays the first size, whatever else changes. */
static sk_status reshape_activation(struct sk_onnx_import *import, const struct sk_onnx_value *x, size_t rank,
                                    const int64_t *wanted, bool allowzero) {
  size_t shape[MAXIMUM_RESHAPE] = {0};
  const sk_status status = resolve(import, rank, wanted, x->rank, x->shape, allowzero, shape);
  if (status) return status;
  if (rank == 0 || rank > SK_ONNX_MAX_RANK || shape[0] != x->shape[0]) {
    if (makes_output(import)) return emit_flatten(import, x);
    return sk_onnx_refuse(
        import, SK_UNSUPPORTED, "from shape %s to %s, expected 1 to %d sizes and the batch as the first",
        sk_onnx_shape_text(x->rank, x->shape).text, sk_onnx_shape_text(rank, shape).text, SK_ONNX_MAX_RANK);
  }
  return reshape(import, x, rank, shape);
}

sk_status sk_onnx_import_reshape(struct sk_onnx_import *import) {
  const struct sk_onnx_value *const value = sk_onnx_input(import, 0);
  const struct sk_onnx_value *x = NULL;
  int64_t wanted[MAXIMUM_RESHAPE] = {0};
  int64_t allowzero = 0;
  size_t rank = 0;
  sk_status status = sk_onnx_integers(import, 1, "shape", MAXIMUM_RESHAPE, wanted, &rank);
  if (!status) status = sk_onnx_attribute_int(import, "allowzero", 0, &allowzero);
  if (!status && rank == SIZE_MAX) status = sk_onnx_refuse(import, SK_BAD_FORMAT, "shape: left out");
  if (status) return status;
  if (value && value->kind == SK_ONNX_CONSTANT) {
    return reshape_constant(import, value->constant, rank, wanted, allowzero != 0);
  }
  status = sk_onnx_activation(import, 0, &x);
  return status ? status : reshape_activation(import, x, rank, wanted, allowzero != 0);
}

/* ---- Concatenation ------------------------------------------------------------------------------------------ */

static sk_status check_parts(const struct sk_onnx_import *import, const struct sk_onnx_value *first,
                             const struct sk_onnx_value *part) {
  struct sk_onnx_image a = sk_onnx_image_of(first->rank, first->shape);
  const struct sk_onnx_image b = sk_onnx_image_of(part->rank, part->shape);
  a.channels = b.channels;
  if (first->rank == part->rank && is_same_image(a, b)) return SK_OK;
  return sk_onnx_refuse(import, SK_BAD_FORMAT, "inputs of shapes %s and %s, expected equal ones but for the channels",
                        sk_onnx_shape_text(first->rank, first->shape).text,
                        sk_onnx_shape_text(part->rank, part->shape).text);
}

/* Ours takes two: of more, all but the last are put together first, under the output's name and a number. */
static sk_status concat_step(struct sk_onnx_import *import, size_t joined, size_t part, size_t index, size_t *node) {
  char name[SK_ONNX_NAME_BYTES + 32];
  snprintf(name, sizeof name, "%s.%zu", sk_onnx_node_name(import), index);
  *node = sk_graph_add(import->graph, &(struct sk_node){.op = SK_NODE_CONCAT, .name = name, .inputs = {joined, part}});
  return import->graph->status;
}

static sk_status emit_concat(struct sk_onnx_import *import, const struct sk_onnx_value *first) {
  size_t joined = first->node;
  sk_status status = SK_OK;
  for (size_t i = 1; !status && i < import->node->n_input; i++) {
    const struct sk_onnx_value *part = NULL;
    status = sk_onnx_activation(import, i, &part);
    if (!status) status = check_parts(import, first, part);
    if (status) return status;
    if (i + 1 < import->node->n_input) {
      status = concat_step(import, joined, part->node, i, &joined);
      continue;
    }
    struct sk_node node = {.op = SK_NODE_CONCAT, .inputs = {joined, part->node}};
    status = sk_onnx_emit(import, &node, first->rank, first->shape);
  }
  return status;
}

sk_status sk_onnx_import_concat(struct sk_onnx_import *import) {
  const struct sk_onnx_value *first = NULL;
  int64_t given = 0;
  size_t axis = 0;
  sk_status status = sk_onnx_activation(import, 0, &first);
  if (!status && !sk_onnx_has_attribute(import, "axis")) {
    status = sk_onnx_refuse(import, SK_BAD_FORMAT, "attribute \"axis\": left out");
  }
  if (!status) status = sk_onnx_attribute_int(import, "axis", 1, &given);
  if (!status) status = sk_onnx_axis(import, given, first->rank, &axis);
  if (!status && axis != 1) {
    status = sk_onnx_refuse(import, SK_UNSUPPORTED, "attribute \"axis\": %lld of %zu, expected 1, that of channels",
                            (long long)given, first->rank);
  }
  if (status) return status;
  if (import->node->n_input == 1) return sk_onnx_pass(import, first, first->rank, first->shape);
  return emit_concat(import, first);
}

/* ---- Softmax ------------------------------------------------------------------------------------------------ */

/* Over one axis from operator set 13 on; before that, over all from the axis on. */
sk_status sk_onnx_import_softmax(struct sk_onnx_import *import) {
  const struct sk_onnx_value *x = NULL;
  int64_t given = 0;
  size_t axis = 0;
  sk_status status = sk_onnx_activation(import, 0, &x);
  if (!status) status = sk_onnx_attribute_int(import, "axis", import->opset >= 13 ? -1 : 1, &given);
  if (!status) status = sk_onnx_axis(import, given, x->rank, &axis);
  if (status) return status;
  const struct sk_onnx_image image = sk_onnx_image_of(x->rank, x->shape);
  if (axis != 1 || image.height != 1 || image.width != 1) {
    return sk_onnx_refuse(import, SK_UNSUPPORTED,
                          "attribute \"axis\": %lld of shape %s, expected the channels of a row", (long long)given,
                          sk_onnx_shape_text(x->rank, x->shape).text);
  }
  struct sk_node node = {.op = SK_NODE_SOFTMAX, .inputs = {x->node}};
  return sk_onnx_emit(import, &node, x->rank, x->shape);
}
