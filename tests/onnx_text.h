/*
 * ONNX models from a line of text, for tests:
 *
 *   opset 13; input x Nx3x8x8; const w 4x3x3x3; node Conv conv x,w y pads=is:1,1,1,1; output y
 *
 *   opset N                       13 unless it is there
 *   input NAME SIZES [TYPE]       a size that is a letter is symbolic; "-" for no shape; TYPE: ONNX's number, 1 (FLOAT)
 *   const NAME SIZES [TYPE]       elements 0.25, 0.5, 0.75, 1, 0.25 ...; "-" for one number without dimensions
 *   ints NAME N,N... [TYPE]       7 (INT64) or 6 (INT32)
 *   node OPERATOR NAME IN,IN... OUT,OUT... [ATTRIBUTE=KIND:VALUE]...
 *                                 "-" for no name, no inputs, or one that is left out; KIND: i, f, s, is (integers), g
 *   output NAME
 */
#ifndef SK_TESTS_ONNX_TEXT_H
#define SK_TESTS_ONNX_TEXT_H

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "onnx/onnx.pb-c.h"

enum { ONNX_TEXT_WORDS = 16, ONNX_TEXT_FLOAT = 1, ONNX_TEXT_FLOAT16 = 10, ONNX_TEXT_INT32 = 6, ONNX_TEXT_INT64 = 7 };

/* Append a pointer to a list of protobuf-c. */
static inline void *onnx_text_append(void *list, size_t *count, void *item) {
  void **grown = realloc(list, (*count + 1) * sizeof *grown);
  cr_assert_not_null(grown);
  grown[(*count)++] = item;
  return grown;
}

static inline size_t onnx_text_split(char *text, const char *separators, char **words) {
  char *rest = NULL;
  size_t count = 0;
  for (char *word = strtok_r(text, separators, &rest); word; word = strtok_r(NULL, separators, &rest)) {
    cr_assert_lt(count, ONNX_TEXT_WORDS);
    words[count++] = word;
  }
  return count;
}

static inline Onnx__ValueInfoProto *onnx_text_port(const char *name, char *sizes, int type) {
  char *words[ONNX_TEXT_WORDS];
  Onnx__ValueInfoProto *port = malloc(sizeof *port);
  Onnx__TypeProto *kind = malloc(sizeof *kind);
  Onnx__TypeProto__Tensor *tensor = malloc(sizeof *tensor);
  sk_onnx__value_info_proto__init(port);
  sk_onnx__type_proto__init(kind);
  sk_onnx__type_proto__tensor__init(tensor);
  port->name = strdup(name);
  port->type = kind;
  kind->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
  kind->tensor_type = tensor;
  tensor->has_elem_type = true;
  tensor->elem_type = type;
  if (!sizes || strcmp(sizes, "-") == 0) return port;
  tensor->shape = malloc(sizeof *tensor->shape);
  sk_onnx__tensor_shape_proto__init(tensor->shape);
  const size_t rank = onnx_text_split(sizes, "x", words);
  for (size_t i = 0; i < rank; i++) {
    Onnx__TensorShapeProto__Dimension *dimension = malloc(sizeof *dimension);
    sk_onnx__tensor_shape_proto__dimension__init(dimension);
    if (isalpha((unsigned char)*words[i])) {
      dimension->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
      dimension->dim_param = strdup(words[i]);
    } else {
      dimension->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
      dimension->dim_value = atoll(words[i]);
    }
    tensor->shape->dim = onnx_text_append(tensor->shape->dim, &tensor->shape->n_dim, dimension);
  }
  return port;
}

/* A tensor whose elements lie in raw_data, of FLOAT or FLOAT16. */
static inline Onnx__TensorProto *onnx_text_constant(const char *name, char *sizes, int type) {
  static const float floats[] = {0.25F, 0.5F, 0.75F, 1};
  static const uint16_t halves[] = {0x3400, 0x3800, 0x3A00, 0x3C00}; /* the same */
  char *words[ONNX_TEXT_WORDS];
  size_t elements = 1;
  Onnx__TensorProto *tensor = malloc(sizeof *tensor);
  sk_onnx__tensor_proto__init(tensor);
  tensor->name = strdup(name);
  tensor->has_data_type = true;
  tensor->data_type = type;
  tensor->n_dims = strcmp(sizes, "-") == 0 ? 0 : onnx_text_split(sizes, "x", words);
  tensor->dims = malloc((tensor->n_dims + 1) * sizeof *tensor->dims);
  for (size_t i = 0; i < tensor->n_dims; i++) {
    tensor->dims[i] = atoll(words[i]);
    elements *= (size_t)tensor->dims[i];
  }
  const size_t bytes = type == ONNX_TEXT_FLOAT16 ? sizeof(uint16_t) : sizeof(float);
  tensor->has_raw_data = true;
  tensor->raw_data.len = elements * bytes;
  tensor->raw_data.data = malloc(elements * bytes + 1);
  for (size_t i = 0; i < elements; i++) {
    const void *element = type == ONNX_TEXT_FLOAT16 ? (const void *)&halves[i % 4] : (const void *)&floats[i % 4];
    memcpy(tensor->raw_data.data + i * bytes, element, bytes);
  }
  return tensor;
}

static inline Onnx__TensorProto *onnx_text_integers(const char *name, char *numbers, int type) {
  char *words[ONNX_TEXT_WORDS];
  Onnx__TensorProto *tensor = malloc(sizeof *tensor);
  sk_onnx__tensor_proto__init(tensor);
  const size_t count = onnx_text_split(numbers, ",", words);
  tensor->name = strdup(name);
  tensor->has_data_type = true;
  tensor->data_type = type;
  tensor->n_dims = 1;
  tensor->dims = malloc(sizeof *tensor->dims);
  tensor->dims[0] = (int64_t)count;
  if (type == ONNX_TEXT_INT32) {
    tensor->n_int32_data = count;
    tensor->int32_data = malloc(count * sizeof *tensor->int32_data);
    for (size_t i = 0; i < count; i++) tensor->int32_data[i] = atoi(words[i]);
    return tensor;
  }
  tensor->n_int64_data = count;
  tensor->int64_data = malloc(count * sizeof *tensor->int64_data);
  for (size_t i = 0; i < count; i++) tensor->int64_data[i] = atoll(words[i]);
  return tensor;
}

/* "name=kind:value" */
static inline Onnx__AttributeProto *onnx_text_attribute(char *text) {
  char *words[ONNX_TEXT_WORDS];
  Onnx__AttributeProto *attribute = malloc(sizeof *attribute);
  char *kind = strchr(text, '=');
  cr_assert(kind && strchr(kind, ':'), "%s", text);
  *kind++ = '\0';
  char *value = strchr(kind, ':');
  *value++ = '\0';
  sk_onnx__attribute_proto__init(attribute);
  attribute->name = strdup(text);
  if (strcmp(kind, "i") == 0) {
    attribute->has_i = true;
    attribute->i = atoll(value);
  } else if (strcmp(kind, "f") == 0) {
    attribute->has_f = true;
    attribute->f = strtof(value, NULL);
  } else if (strcmp(kind, "s") == 0) {
    attribute->has_s = true;
    attribute->s.len = strlen(value);
    attribute->s.data = (uint8_t *)strdup(value);
  } else if (strcmp(kind, "g") == 0) {
    attribute->g = malloc(sizeof *attribute->g);
    sk_onnx__graph_proto__init(attribute->g);
  } else {
    attribute->n_ints = onnx_text_split(value, ",", words);
    attribute->ints = malloc((attribute->n_ints + 1) * sizeof *attribute->ints);
    for (size_t i = 0; i < attribute->n_ints; i++) attribute->ints[i] = atoll(words[i]);
  }
  return attribute;
}

static inline char **onnx_text_names(char *text, size_t *count) {
  char *words[ONNX_TEXT_WORDS];
  char **names = NULL;
  *count = 0;
  if (strcmp(text, "-") == 0) return NULL;
  const size_t length = onnx_text_split(text, ",", words);
  for (size_t i = 0; i < length; i++) {
    names = onnx_text_append(names, count, strdup(strcmp(words[i], "-") == 0 ? "" : words[i]));
  }
  return names;
}

static inline Onnx__NodeProto *onnx_text_node(size_t count, char **words) {
  Onnx__NodeProto *node = malloc(sizeof *node);
  sk_onnx__node_proto__init(node);
  cr_assert_geq(count, 5, "node %s", words[1]);
  node->op_type = strdup(words[1]);
  if (strcmp(words[2], "-") != 0) node->name = strdup(words[2]);
  node->input = onnx_text_names(words[3], &node->n_input);
  node->output = onnx_text_names(words[4], &node->n_output);
  for (size_t i = 5; i < count; i++) {
    node->attribute = onnx_text_append(node->attribute, &node->n_attribute, onnx_text_attribute(words[i]));
  }
  return node;
}

static inline void onnx_text_statement(Onnx__ModelProto *model, char *text) {
  char *words[ONNX_TEXT_WORDS];
  Onnx__GraphProto *graph = model->graph;
  const size_t count = onnx_text_split(text, " \n", words);
  if (count == 0) return;
  const int type = count > 3 ? atoi(words[3]) : ONNX_TEXT_FLOAT;
  if (strcmp(words[0], "opset") == 0) {
    model->opset_import[0]->version = atoll(words[1]);
  } else if (strcmp(words[0], "input") == 0) {
    graph->input = onnx_text_append(graph->input, &graph->n_input, onnx_text_port(words[1], words[2], type));
  } else if (strcmp(words[0], "output") == 0) {
    graph->output = onnx_text_append(graph->output, &graph->n_output, onnx_text_port(words[1], NULL, type));
  } else if (strcmp(words[0], "const") == 0) {
    Onnx__TensorProto *tensor = onnx_text_constant(words[1], words[2], type);
    graph->initializer = onnx_text_append(graph->initializer, &graph->n_initializer, tensor);
  } else if (strcmp(words[0], "ints") == 0) {
    Onnx__TensorProto *tensor = onnx_text_integers(words[1], words[2], count > 3 ? type : ONNX_TEXT_INT64);
    graph->initializer = onnx_text_append(graph->initializer, &graph->n_initializer, tensor);
  } else {
    cr_assert_str_eq(words[0], "node");
    graph->node = onnx_text_append(graph->node, &graph->n_node, onnx_text_node(count, words));
  }
}

/* Make a model; free it with sk_onnx__model_proto__free_unpacked. */
static inline Onnx__ModelProto *onnx_text_model(const char *text) {
  char *copy = strdup(text);
  char *rest = NULL;
  Onnx__ModelProto *model = malloc(sizeof *model);
  Onnx__OperatorSetIdProto *operators = malloc(sizeof *operators);
  cr_assert(copy && model && operators);
  sk_onnx__model_proto__init(model);
  sk_onnx__operator_set_id_proto__init(operators);
  operators->has_version = true;
  operators->version = 13;
  model->opset_import = onnx_text_append(NULL, &model->n_opset_import, operators);
  model->graph = malloc(sizeof *model->graph);
  sk_onnx__graph_proto__init(model->graph);
  for (char *statement = strtok_r(copy, ";", &rest); statement; statement = strtok_r(NULL, ";", &rest)) {
    onnx_text_statement(model, statement);
  }
  free(copy);
  return model;
}

/* A model's bytes; free them. */
static inline uint8_t *onnx_text_pack(const Onnx__ModelProto *model, size_t *length) {
  *length = sk_onnx__model_proto__get_packed_size(model);
  uint8_t *bytes = malloc(*length + 1);
  cr_assert_not_null(bytes);
  sk_onnx__model_proto__pack(model, bytes);
  return bytes;
}

#endif
