#include "resnet/onnx_import.h"

#include <stdio.h>
#include <string.h>

#include "dispatch/memory.h"
#include "dispatch/status.h"

/* ---- The operators ------------------------------------------------------------------------------------------ */

struct operator_entry {
  const char *name;
  size_t least_inputs, most_inputs;
  const char *attributes; /* all that it has had since operator set 7, and what is passed over */
  sk_status (*import)(struct sk_onnx_import *import);
};

/* clang-format off */
static const struct operator_entry operators[] = {
    {"Add", 2, 2, "", sk_onnx_import_add},
    {"AveragePool", 1, 1, "auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides",
     sk_onnx_import_average_pool},
    {"BatchNormalization", 5, 5, "epsilon momentum spatial training_mode", sk_onnx_import_batch_norm},
    {"Clip", 1, 3, "max min", sk_onnx_import_clip},
    {"Concat", 1, SIZE_MAX, "axis", sk_onnx_import_concat},
    {"Constant", 0, 0, "value value_float value_int value_ints", sk_onnx_import_constant},
    {"Conv", 2, 3, "auto_pad dilations group kernel_shape pads strides", sk_onnx_import_conv},
    {"Dropout", 1, 3, "ratio seed", sk_onnx_import_dropout},
    {"Flatten", 1, 1, "axis", sk_onnx_import_flatten},
    {"Gemm", 2, 3, "alpha beta transA transB", sk_onnx_import_gemm},
    {"GlobalAveragePool", 1, 1, "", sk_onnx_import_global_average_pool},
    {"Identity", 1, 1, "", sk_onnx_import_identity},
    {"MatMul", 2, 2, "", sk_onnx_import_matmul},
    {"MaxPool", 1, 1, "auto_pad ceil_mode dilations kernel_shape pads storage_order strides", sk_onnx_import_max_pool},
    {"Mul", 2, 2, "", sk_onnx_import_mul},
    {"Pad", 1, 4, "mode pads value", sk_onnx_import_pad},
    {"ReduceMean", 1, 2, "axes keepdims noop_with_empty_axes", sk_onnx_import_reduce_mean},
    {"Relu", 1, 1, "", sk_onnx_import_relu},
    {"Reshape", 2, 2, "allowzero", sk_onnx_import_reshape},
    {"Sigmoid", 1, 1, "", sk_onnx_import_sigmoid},
    {"Slice", 3, 5, "", sk_onnx_import_slice},
    {"Softmax", 1, 1, "axis", sk_onnx_import_softmax},
};
/* clang-format on */

enum { OPERATORS = sizeof operators / sizeof operators[0] };

static bool is_standard(const char *domain) { return !domain || !*domain || strcmp(domain, "ai.onnx") == 0; }

static const struct operator_entry *find_operator(const Onnx__NodeProto *node) {
  for (size_t i = 0; is_standard(node->domain) && i < OPERATORS; i++) {
    if (strcmp(operators[i].name, node->op_type) == 0) return &operators[i];
  }
  return NULL;
}

static sk_status fail_operator(const struct sk_onnx_import *import) {
  char names[320] = "";
  for (size_t i = 0, used = 0; i < OPERATORS && used < sizeof names; i++) {
    const int length = snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", operators[i].name);
    used += length > 0 ? (size_t)length : 0;
  }
  const char *const domain = import->node->domain;
  return sk_onnx_refuse(import, SK_UNSUPPORTED, "an operator%s%s that is not supported; those that are: %s",
                        is_standard(domain) ? "" : " of ", is_standard(domain) ? "" : sk_quote_short(domain).text,
                        names);
}

/* ---- One node ----------------------------------------------------------------------------------------------- */

/* Say for messages which node's turn it is: by its name, or that of its output. */
static void name_node(struct sk_onnx_import *import, const Onnx__NodeProto *node) {
  const char *name = node->name && *node->name ? node->name : "";
  if (!*name && node->n_output > 0) name = node->output[0];
  import->node = node;
  snprintf(import->what, sizeof import->what, "%s: node \"%s\" (%s)", import->source, sk_quote(name).text,
           sk_quote_short(node->op_type ? node->op_type : "").text);
}

static sk_status fail_undefined(const struct sk_onnx_import *import, const struct sk_onnx_value *value,
                                const char *name) {
  if (!value) {
    return sk_onnx_refuse(import, SK_BAD_FORMAT, "input \"%s\": made by no node, and neither an input nor a constant",
                          sk_quote_short(name).text);
  }
  if (value->kind == SK_ONNX_UNAVAILABLE) {
    return sk_onnx_refuse(import, SK_UNSUPPORTED, "input \"%s\": an output of %s that is not supported",
                          sk_quote_short(name).text,
                          value->maker ? sk_quote_short(value->maker->op_type).text : "the model");
  }
  return sk_onnx_refuse(import, SK_BAD_FORMAT, "input \"%s\": used before it is made, expected nodes in order",
                        sk_quote_short(name).text);
}

static sk_status check_inputs(const struct sk_onnx_import *import) {
  for (size_t i = 0; i < import->node->n_input; i++) {
    const char *const name = import->node->input[i];
    const struct sk_onnx_value *const value = sk_onnx_input(import, i);
    if (!*name || (value && (value->kind == SK_ONNX_CONSTANT || value->kind == SK_ONNX_ACTIVATION))) continue;
    return fail_undefined(import, value, name);
  }
  return SK_OK;
}

static sk_status check_counts(const struct sk_onnx_import *import, const struct operator_entry *operator) {
  const size_t count = import->node->n_input;
  if (import->node->n_output == 0 || !*import->node->output[0]) {
    return sk_onnx_refuse(import, SK_UNSUPPORTED, "its first output is left out");
  }
  if (count >= operator->least_inputs && count <= operator->most_inputs) return SK_OK;
  return sk_onnx_refuse(import, SK_BAD_FORMAT, "%zu inputs, expected %zu%s",
                        count, operator->least_inputs, operator->least_inputs<operator->most_inputs ? " or more" : "");
}

/* Outputs but the first are statistics, masks and indices, of which none is made. */
static void mark_unavailable(const struct sk_onnx_import *import) {
  for (size_t i = 1; i < import->node->n_output; i++) {
    struct sk_onnx_value *const value = sk_onnx_value_find(import, import->node->output[i]);
    if (value) value->kind = SK_ONNX_UNAVAILABLE;
  }
}

static sk_status import_node(struct sk_onnx_import *import, const Onnx__NodeProto *node) {
  name_node(import, node);
  const struct operator_entry *const operator= node->op_type ? find_operator(node) : NULL;
  if (!operator) return fail_operator(import);
  sk_status status = check_counts(import, operator);
  if (!status) status = check_inputs(import);
  if (!status) status = sk_onnx_check_attributes(import, operator->attributes);
  if (!status) status = operator->import(import);
  mark_unavailable(import);
  return status;
}

static sk_status import_nodes(struct sk_onnx_import *import) {
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < import->model->n_node; i++) {
    const Onnx__NodeProto *const node = import->model->node[i];
    if (sk_onnx_makes_wanted(import, node)) status = import_node(import, node);
  }
  return status;
}

/* ---- Constants of the file ---------------------------------------------------------------------------------- */

/* Only those that the output needs: others may be of any kind. */
static sk_status import_initialisers(struct sk_onnx_import *import) {
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < import->model->n_initializer; i++) {
    const Onnx__TensorProto *const tensor = import->model->initializer[i];
    struct sk_onnx_value *const value = sk_onnx_value_find(import, tensor->name ? tensor->name : "");
    if (!value || !value->is_wanted) continue;
    snprintf(import->what, sizeof import->what, "%s: tensor \"%s\"", import->source, sk_quote_short(value->name).text);
    status = sk_onnx_constant_make(import->storage, import->what, tensor, &value->constant);
    value->kind = SK_ONNX_CONSTANT;
  }
  return status;
}

/* ---- The input ---------------------------------------------------------------------------------------------- */

/* Find the one input that the output needs and that is no constant. */
static sk_status find_input(const struct sk_onnx_import *import, const Onnx__ValueInfoProto **found) {
  *found = NULL;
  for (size_t i = 0; i < import->model->n_input; i++) {
    const Onnx__ValueInfoProto *const input = import->model->input[i];
    const struct sk_onnx_value *const value = sk_onnx_value_find(import, input->name ? input->name : "");
    if (!value || !value->is_wanted || value->kind == SK_ONNX_CONSTANT) continue;
    if (*found) {
      return sk_fail(SK_UNSUPPORTED, "%s: inputs \"%s\" and \"%s\", expected one", import->source,
                     sk_quote_short((*found)->name).text, sk_quote_short(input->name).text);
    }
    *found = input;
  }
  if (*found) return SK_OK;
  return sk_fail(SK_UNSUPPORTED, "%s: its output depends on no input, expected one", import->source);
}

static sk_status check_input_type(const struct sk_onnx_import *import, const Onnx__ValueInfoProto *input,
                                  const Onnx__TypeProto__Tensor **tensor) {
  const Onnx__TypeProto *const type = input->type;
  *tensor = type && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? type->tensor_type : NULL;
  const int32_t element = *tensor && (*tensor)->has_elem_type ? (*tensor)->elem_type : 0;
  if (element == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT || element == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16) {
    return SK_OK;
  }
  return sk_fail(SK_UNSUPPORTED, "%s: input \"%s\": %s, expected a tensor of FLOAT or FLOAT16", import->source,
                 sk_quote_short(input->name).text, *tensor ? sk_onnx_type_name(element) : "no tensor");
}

/* What to call the dimensions of an input in messages. */
static const char *dimension_name(size_t rank, size_t index) {
  static const char *const names[SK_ONNX_MAX_RANK] = {"batch", "channels", "height", "width"};
  return rank == 3 && index == 2 ? names[3] : names[index];
}

/* Take one size: the file's, or the one given where the file leaves it open (0 here). The batch may stay open: it is
 * chosen when the network runs, and 1 meanwhile. */
static sk_status take_size(const struct sk_onnx_import *import, const Onnx__ValueInfoProto *input, size_t index,
                           size_t rank, size_t given, size_t *size) {
  const Onnx__TensorShapeProto *const shape = input->type->tensor_type->shape;
  const Onnx__TensorShapeProto__Dimension *const dimension = shape ? shape->dim[index] : NULL;
  const bool is_fixed = dimension && dimension->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
  const struct sk_quoted name = sk_quote_short(input->name);
  const char *const what = dimension_name(rank, index);
  if (is_fixed && (dimension->dim_value < 1 || dimension->dim_value > INT32_MAX)) {
    return sk_fail(SK_BAD_FORMAT, "%s: input \"%s\": %s of %lld, expected 1 to %d", import->source, name.text, what,
                   (long long)dimension->dim_value, INT32_MAX);
  }
  if (is_fixed && given > 0 && (int64_t)given != dimension->dim_value) {
    return sk_fail(SK_INVALID_ARGUMENT, "%s: input \"%s\": %s of %zu is asked for, but the file's is %lld",
                   import->source, name.text, what, given, (long long)dimension->dim_value);
  }
  *size = is_fixed ? (size_t)dimension->dim_value : given;
  if (*size == 0 && index == 0) *size = 1;
  if (*size > 0) return SK_OK;
  return sk_fail(SK_INVALID_ARGUMENT,
                 "%s: input \"%s\": the file leaves its %s open, expected an input shape such as 1x3x224x224",
                 import->source, name.text, what);
}

static sk_status choose_shape(const struct sk_onnx_import *import, const Onnx__ValueInfoProto *input,
                              const size_t given[SK_ONNX_MAX_RANK], struct sk_onnx_value *value) {
  const Onnx__TensorShapeProto *const shape = input->type->tensor_type->shape;
  const size_t rank = shape ? shape->n_dim : SK_ONNX_MAX_RANK;
  sk_status status = SK_OK;
  if (rank < 1 || rank > SK_ONNX_MAX_RANK) {
    return sk_fail(SK_UNSUPPORTED, "%s: input \"%s\": %zu dimensions, expected 1 to %d", import->source,
                   sk_quote_short(input->name).text, rank, SK_ONNX_MAX_RANK);
  }
  value->rank = rank;
  for (size_t i = 0; !status && i < rank; i++) {
    const size_t place = rank == 3 && i == 2 ? 3 : i; /* the width's */
    status = take_size(import, input, i, rank, given[place], &value->shape[i]);
  }
  return status;
}

static sk_status import_input(struct sk_onnx_import *import, const size_t given[SK_ONNX_MAX_RANK]) {
  const Onnx__ValueInfoProto *input = NULL;
  const Onnx__TypeProto__Tensor *tensor = NULL;
  sk_status status = find_input(import, &input);
  if (!status) status = check_input_type(import, input, &tensor);
  if (status) return status;
  struct sk_onnx_value *const value = sk_onnx_value_find(import, input->name);
  status = choose_shape(import, input, given, value);
  if (status) return status;
  const struct sk_onnx_image image = sk_onnx_image_of(value->rank, value->shape);
  value->kind = SK_ONNX_ACTIVATION;
  value->node = sk_graph_add(import->graph, &(struct sk_node){.op = SK_NODE_INPUT,
                                                              .name = value->name,
                                                              .channels = image.channels,
                                                              .height = image.height,
                                                              .width = image.width});
  return import->graph->status;
}

/* ---- The model ---------------------------------------------------------------------------------------------- */

static sk_status choose_opset(struct sk_onnx_import *import) {
  const Onnx__ModelProto *const model = import->storage->model;
  int64_t version = 0;
  for (size_t i = 0; i < model->n_opset_import; i++) {
    const Onnx__OperatorSetIdProto *const set = model->opset_import[i];
    if (!is_standard(set->domain)) continue;
    if (version != 0) return sk_fail(SK_BAD_FORMAT, "%s: ONNX's operator set is told twice", import->source);
    version = set->version;
  }
  import->opset = version;
  if (version >= SK_ONNX_MIN_OPSET && version <= SK_ONNX_MAX_OPSET) return SK_OK;
  return sk_fail(SK_UNSUPPORTED, "%s: operator set %lld, expected %d to %d", import->source, (long long)version,
                 SK_ONNX_MIN_OPSET, SK_ONNX_MAX_OPSET);
}

static sk_status check_output(const struct sk_onnx_import *import) {
  const char *const name = import->model->output[0]->name;
  const struct sk_onnx_value *const value = sk_onnx_value_find(import, name ? name : "");
  if (value && value->kind == SK_ONNX_ACTIVATION && !value->is_padded) return SK_OK;
  const bool is_unsupported = value && value->kind == SK_ONNX_UNAVAILABLE;
  const char *fault = "made by no node";
  if (value && value->kind == SK_ONNX_CONSTANT) fault = "a constant";
  if (is_unsupported) fault = "a further output of its node, none of which is supported";
  return sk_fail(SK_UNSUPPORTED, "%s: output \"%s\": %s", import->source, name ? sk_quote_short(name).text : "", fault);
}

static sk_status check_outputs(const struct sk_onnx_import *import) {
  const Onnx__GraphProto *const model = import->model;
  if (model->n_output == 1) return SK_OK;
  return sk_fail(SK_UNSUPPORTED, "%s: %zu outputs, expected one", import->source, model->n_output);
}

static sk_status import_all(struct sk_onnx_import *import, const size_t input[SK_ONNX_MAX_RANK]) {
  sk_status status = choose_opset(import);
  if (!status) status = check_outputs(import);
  if (!status) status = sk_onnx_values_collect(import);
  if (!status) status = import_initialisers(import);
  if (!status) status = import_input(import, input);
  if (!status) status = import_nodes(import);
  return status ? status : check_output(import);
}

sk_status sk_onnx_import_graph(struct sk_graph *graph, struct sk_onnx_storage *storage, const char *source,
                               const size_t input[SK_ONNX_MAX_RANK]) {
  struct sk_onnx_import import = {.source = source, .storage = storage, .graph = graph, .model = storage->model->graph};
  if (!import.model) return sk_fail(SK_BAD_FORMAT, "%s: has no graph, expected an ONNX model", source);
  const sk_status status = import_all(&import, input);
  sk_free(import.values);
  sk_free(import.node_names);
  return status;
}
