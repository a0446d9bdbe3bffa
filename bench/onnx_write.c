/* The model is made of a few flat arrays, allocated at once for the most that a graph can need and sent to the file as
 * they stand; weights stay where they are. What fails in between is kept in builder.status and reported in the end.
 * Source: the operators' pages at https://onnx.ai/onnx/operators/ */
#include "bench/onnx_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/file.h"
#include "resnet/text.h"

#if SK_HAVE_ONNX
#include "onnx/onnx.pb-c.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "raw tensors are little-endian");

enum {
  IR_VERSION = 7, /* that of ONNX 1.8, which brought the operator set */
  OPERATOR_SET = 13,
  MAX_RANK = 4,
  MAX_INPUTS = 5,     /* batch norm */
  MAX_ATTRIBUTES = 5, /* convolution */
  MAX_INTEGERS = 8,   /* pads of four dimensions */
  OPERATIONS_PER_NODE = 3,
  TENSORS_PER_NODE = 6 /* a subsampling's: begins, ends, axes, steps, pads, and the axes of a reshaped input */
};

/* An operator of the model, with room for all that it points to. */
struct operation {
  Onnx__NodeProto node;
  char *inputs[MAX_INPUTS];
  char *output;
  Onnx__AttributeProto attributes[MAX_ATTRIBUTES];
  Onnx__AttributeProto *attribute_list[MAX_ATTRIBUTES];
  int64_t integers[MAX_ATTRIBUTES][MAX_INTEGERS];
};

/* A constant: weights, or the integers that some operators take as a tensor. */
struct constant {
  Onnx__TensorProto tensor;
  int64_t dimensions[MAX_RANK];
  int64_t integers[MAX_INTEGERS];
  float number;
  float *converted; /* weights that are no float32 where they lie */
};

/* An input or the output of the model. */
struct port {
  Onnx__ValueInfoProto info;
  Onnx__TypeProto type;
  Onnx__TypeProto__Tensor tensor;
  Onnx__TensorShapeProto shape;
  Onnx__TensorShapeProto__Dimension dimensions[MAX_RANK];
  Onnx__TensorShapeProto__Dimension *dimension_list[MAX_RANK];
};

struct builder {
  const struct sk_graph *graph;
  size_t batch;
  sk_status status;

  struct operation *operations;
  Onnx__NodeProto **operation_list;
  size_t operation_count;

  struct constant *constants;
  Onnx__TensorProto **constant_list;
  size_t constant_count;

  struct port *ports; /* inputs, then the output */
  Onnx__ValueInfoProto **port_list;
  size_t port_count;

  size_t *ranks; /* [nodes] of their outputs */
  char **names;  /* names that no node has, to be freed */
  size_t name_count;
};

/* ---- Small things ------------------------------------------------------------------------------------------- */

/* protobuf-c's strings are not const; it only reads them here. */
static char *text(const char *name) { return (char *)(uintptr_t)name; }

/* Strides and dilations may be as large as one likes where they do not matter; everything else fits. */
static int64_t integer(size_t value) { return value > INT64_MAX ? INT64_MAX : (int64_t)value; }

static void out_of_memory(struct builder *b) {
  b->status = sk_fail(SK_OUT_OF_MEMORY, "out of memory for an ONNX model of %zu layers", b->graph->count);
}

/* Form "node.part"; after a failure NULL, which is never written. */
static char *join(struct builder *b, const char *node, const char *part) {
  const size_t room = strlen(node) + strlen(part) + 2;
  char *name = malloc(room);
  if (!name) {
    out_of_memory(b);
    return NULL;
  }
  snprintf(name, room, "%s.%s", node, part);
  return b->names[b->name_count++] = name;
}

/* ---- Operations and their attributes ------------------------------------------------------------------------ */

static struct operation *add_operation(struct builder *b, const char *type, char *output, char *input) {
  struct operation *o = &b->operations[b->operation_count];
  sk_onnx__node_proto__init(&o->node);
  o->inputs[0] = input;
  o->output = output;
  o->node.input = o->inputs;
  o->node.n_input = 1;
  o->node.output = &o->output;
  o->node.n_output = 1;
  o->node.name = output;
  o->node.op_type = text(type);
  o->node.attribute = o->attribute_list;
  b->operation_list[b->operation_count++] = &o->node;
  return o;
}

static void add_input(struct operation *o, char *name) { o->inputs[o->node.n_input++] = name; }

static Onnx__AttributeProto *add_attribute(struct operation *o, const char *name,
                                           Onnx__AttributeProto__AttributeType type) {
  Onnx__AttributeProto *attribute = &o->attributes[o->node.n_attribute];
  sk_onnx__attribute_proto__init(attribute);
  attribute->name = text(name);
  attribute->has_type = true;
  attribute->type = type;
  o->attribute_list[o->node.n_attribute++] = attribute;
  return attribute;
}

static void add_integer(struct operation *o, const char *name, size_t value) {
  Onnx__AttributeProto *attribute = add_attribute(o, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
  attribute->has_i = true;
  attribute->i = integer(value);
}

static void add_float(struct operation *o, const char *name, double value) {
  Onnx__AttributeProto *attribute = add_attribute(o, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
  attribute->has_f = true;
  attribute->f = (float)value;
}

static void add_integers(struct operation *o, const char *name, size_t count, const size_t *values) {
  int64_t *integers = o->integers[o->node.n_attribute];
  Onnx__AttributeProto *attribute = add_attribute(o, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
  for (size_t i = 0; i < count; i++) integers[i] = integer(values[i]);
  attribute->ints = integers;
  attribute->n_ints = count;
}

static void add_pair(struct operation *o, const char *name, size_t height, size_t width) {
  add_integers(o, name, 2, (size_t[]){height, width});
}

/* ---- Constants ---------------------------------------------------------------------------------------------- */

static struct constant *add_constant(struct builder *b, char *name, Onnx__TensorProto__DataType type, size_t rank,
                                     const size_t *shape) {
  struct constant *c = &b->constants[b->constant_count];
  sk_onnx__tensor_proto__init(&c->tensor);
  for (size_t i = 0; i < rank; i++) c->dimensions[i] = integer(shape[i]);
  c->tensor.name = name;
  c->tensor.has_data_type = true;
  c->tensor.data_type = (int32_t)type;
  c->tensor.dims = c->dimensions;
  c->tensor.n_dims = rank;
  c->tensor.has_raw_data = true;
  b->constant_list[b->constant_count++] = &c->tensor;
  return c;
}

/* Give an operation a list of integers as its next input. */
static void add_integers_input(struct builder *b, struct operation *o, const char *node, const char *part, size_t count,
                               const size_t *values) {
  struct constant *c = add_constant(b, join(b, node, part), ONNX__TENSOR_PROTO__DATA_TYPE__INT64, 1, &count);
  for (size_t i = 0; i < count; i++) c->integers[i] = integer(values[i]);
  c->tensor.raw_data = (ProtobufCBinaryData){count * sizeof *c->integers, (uint8_t *)c->integers};
  add_input(o, c->tensor.name);
}

/* Give an operation a number as its next input. */
static void add_float_input(struct builder *b, struct operation *o, const char *node, const char *part, float value) {
  struct constant *c = add_constant(b, join(b, node, part), ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 0, NULL);
  c->number = value;
  c->tensor.raw_data = (ProtobufCBinaryData){sizeof c->number, (uint8_t *)&c->number};
  add_input(o, c->tensor.name);
}

/* Point a constant to a tensor's elements, converted unless they are float32 already. */
static void set_weights(struct builder *b, struct constant *c, const struct sk_weight_tensor *tensor) {
  c->tensor.raw_data = (ProtobufCBinaryData){tensor->bytes, (uint8_t *)(uintptr_t)tensor->data};
  if (tensor->dtype == SK_DTYPE_F32) return;
  size_t bytes = 0;
  c->converted = sk_size_multiply(tensor->elements, sizeof(float), &bytes) ? malloc(sk_size_max(bytes, 1)) : NULL;
  c->tensor.raw_data = (ProtobufCBinaryData){bytes, (uint8_t *)c->converted};
  if (c->converted) {
    sk_weight_tensor_read(tensor, c->converted);
  } else {
    out_of_memory(b);
  }
}

/* Give an operation a parameter of a node as its next input, if the node has that parameter. */
static void add_parameter(struct builder *b, struct operation *o, size_t node, enum sk_parameter parameter) {
  const struct sk_node *n = &b->graph->nodes[node];
  const struct sk_weight_tensor *tensor = n->parameters[parameter];
  size_t shape[4];
  const size_t rank = sk_node_parameter_shape(b->graph, node, parameter, shape);
  if (rank == 0) return;
  if (!tensor) {
    b->status = sk_fail(SK_INVALID_ARGUMENT, "layer \"%s\": has no %s bound, which an ONNX file needs", n->name,
                        sk_parameter_name(parameter));
    return;
  }
  char *name = join(b, n->name, sk_parameter_name(parameter));
  set_weights(b, add_constant(b, name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, rank, shape), tensor);
  add_input(o, name);
}

/* ---- Nodes -------------------------------------------------------------------------------------------------- */

/* Name input number `which` of a node with the rank that the operator wants, reshaped if it has the other one. */
static char *input_of_rank(struct builder *b, const struct sk_node *node, size_t which, size_t rank) {
  const size_t input = node->inputs[which];
  char *name = text(b->graph->nodes[input].name);
  if (b->ranks[input] == rank) return name;
  char *reshaped = join(b, node->name, which == 0 ? "reshaped" : "reshaped_1");
  if (rank == 2) {
    add_operation(b, "Flatten", reshaped, name);
  } else {
    struct operation *o = add_operation(b, "Unsqueeze", reshaped, name);
    add_integers_input(b, o, reshaped, "axes", 2, (size_t[]){2, 3});
  }
  return reshaped;
}

/* Begin the operation that a node is, with its first input. */
static struct operation *begin(struct builder *b, size_t node, const char *type, size_t rank) {
  const struct sk_node *n = &b->graph->nodes[node];
  char *input = input_of_rank(b, n, 0, rank);
  b->ranks[node] = rank;
  return add_operation(b, type, text(n->name), input);
}

static void write_conv(struct builder *b, size_t node) {
  const sk_conv_shape *s = &b->graph->nodes[node].conv;
  struct operation *o = begin(b, node, "Conv", 4);
  add_parameter(b, o, node, SK_PARAMETER_WEIGHT);
  add_parameter(b, o, node, SK_PARAMETER_BIAS);
  add_pair(o, "kernel_shape", s->kernel_height, s->kernel_width);
  add_pair(o, "strides", s->stride_height, s->stride_width);
  add_pair(o, "dilations", s->dilation_height, s->dilation_width);
  add_integers(o, "pads", 4, (size_t[]){s->pad_top, s->pad_left, s->pad_bottom, s->pad_right});
  add_integer(o, "group", s->groups);
}

static void write_batch_norm(struct builder *b, size_t node) {
  struct operation *o = begin(b, node, "BatchNormalization", b->ranks[b->graph->nodes[node].inputs[0]]);
  for (int i = 0; i < SK_PARAMETER_COUNT; i++) add_parameter(b, o, node, (enum sk_parameter)i);
  add_float(o, "epsilon", sk_node_epsilon(&b->graph->nodes[node]));
}

/* Pads after the last pixel with which a window fits `outputs` times without rounding up. */
static size_t pad_after(size_t pad, size_t before, size_t inputs, size_t outputs, size_t kernel, size_t stride,
                        size_t dilation) {
  const size_t reach = (outputs - 1) * stride + dilation * (kernel - 1) + 1;
  return reach > before + inputs + pad ? reach - before - inputs : pad;
}

/* ceil_mode is written as the pads that it stands for, since runtimes disagree about it; only where an average counts
 * its pads, but not those that rounding up adds, the two are not the same. */
static void add_window(struct operation *o, const struct sk_node *node, const struct sk_node *from, bool ceil_mode) {
  const struct sk_pool_shape *p = &node->pool;
  size_t bottom = p->pad_bottom;
  size_t right = p->pad_right;
  if (!ceil_mode) {
    bottom = pad_after(bottom, p->pad_top, from->height, node->height, p->kernel_height, p->stride_height,
                       p->dilation_height);
    right =
        pad_after(right, p->pad_left, from->width, node->width, p->kernel_width, p->stride_width, p->dilation_width);
  }
  add_pair(o, "kernel_shape", p->kernel_height, p->kernel_width);
  add_pair(o, "strides", p->stride_height, p->stride_width);
  add_integers(o, "pads", 4, (size_t[]){p->pad_top, p->pad_left, bottom, right});
  if (ceil_mode) add_integer(o, "ceil_mode", 1);
}

static void write_max_pool(struct builder *b, size_t node) {
  const struct sk_node *n = &b->graph->nodes[node];
  struct operation *o = begin(b, node, "MaxPool", 4);
  add_window(o, n, &b->graph->nodes[n->inputs[0]], false);
  if (n->pool.dilation_height == 1 && n->pool.dilation_width == 1) return;
  add_pair(o, "dilations", n->pool.dilation_height, n->pool.dilation_width);
}

static void write_average_pool(struct builder *b, size_t node) {
  const struct sk_node *n = &b->graph->nodes[node];
  struct operation *o = begin(b, node, "AveragePool", 4);
  add_window(o, n, &b->graph->nodes[n->inputs[0]], n->pool.ceil_mode && n->pool.count_include_pad);
  if (n->pool.count_include_pad) add_integer(o, "count_include_pad", 1);
  if (n->pool.dilation_height == 1 && n->pool.dilation_width == 1) return;
  b->status = sk_fail(SK_UNSUPPORTED, "layer \"%s\": a dilated average pool, which operator set %d does not have",
                      n->name, OPERATOR_SET);
}

/* An operator of two inputs. */
static struct operation *write_on_two(struct builder *b, size_t node, const char *type) {
  const struct sk_node *n = &b->graph->nodes[node];
  const size_t rank = b->ranks[n->inputs[0]];
  char *second = input_of_rank(b, n, 1, rank);
  struct operation *o = begin(b, node, type, rank);
  add_input(o, second);
  return o;
}

/* Bounds are inputs; an infinite one does nothing. */
static void write_clip(struct builder *b, size_t node) {
  const struct sk_node *n = &b->graph->nodes[node];
  struct operation *o = begin(b, node, "Clip", b->ranks[n->inputs[0]]);
  add_float_input(b, o, n->name, "min", n->clip.minimum);
  add_float_input(b, o, n->name, "max", n->clip.maximum);
}

static void write_pad(struct builder *b, size_t node) {
  const struct sk_node *n = &b->graph->nodes[node];
  const struct sk_padding *p = &n->pad;
  struct operation *o = begin(b, node, "Pad", 4);
  add_integers_input(b, o, n->name, "pads", 8, (size_t[]){0, 0, p->top, p->left, 0, 0, p->bottom, p->right});
  add_float_input(b, o, n->name, "value", p->value);
}

static void write_dense(struct builder *b, size_t node) {
  struct operation *o = begin(b, node, "Gemm", 2);
  add_parameter(b, o, node, SK_PARAMETER_WEIGHT);
  add_parameter(b, o, node, SK_PARAMETER_BIAS);
  add_integer(o, "transB", 1);
}

static void write_flatten(struct builder *b, size_t node) {
  const size_t rank = b->ranks[b->graph->nodes[node].inputs[0]];
  begin(b, node, rank == 2 ? "Identity" : "Flatten", rank);
  b->ranks[node] = 2;
}

static void write_softmax(struct builder *b, size_t node) {
  const size_t rank = b->ranks[b->graph->nodes[node].inputs[0]];
  add_integer(begin(b, node, "Softmax", rank), "axis", 1);
}

/* Shortcut A as every stride-th pixel, then zeros for the channels added on either side. */
static void write_subsample(struct builder *b, size_t node) {
  const struct sk_node *n = &b->graph->nodes[node];
  const struct sk_node *from = &b->graph->nodes[n->inputs[0]];
  const size_t pad = (n->channels - from->channels) / 2;
  struct operation *slice = begin(b, node, "Slice", 4);
  add_integers_input(b, slice, n->name, "starts", 2, (size_t[]){0, 0});
  add_integers_input(b, slice, n->name, "ends", 2, (size_t[]){from->height, from->width});
  add_integers_input(b, slice, n->name, "axes", 2, (size_t[]){2, 3});
  add_integers_input(b, slice, n->name, "steps", 2, (size_t[]){n->stride, n->stride});
  if (pad == 0) return;
  slice->output = slice->node.name = join(b, n->name, "sliced");
  struct operation *o = add_operation(b, "Pad", text(n->name), slice->output);
  add_integers_input(b, o, n->name, "pads", 8, (size_t[]){0, pad, 0, 0, 0, pad, 0, 0});
}

static void write_elementwise(struct builder *b, size_t node, const char *type) {
  begin(b, node, type, b->ranks[b->graph->nodes[node].inputs[0]]);
}

/* ---- The model ---------------------------------------------------------------------------------------------- */

static void add_port(struct builder *b, size_t node) {
  const struct sk_node *n = &b->graph->nodes[node];
  const size_t sizes[MAX_RANK] = {b->batch, n->channels, n->height, n->width};
  struct port *p = &b->ports[b->port_count];
  sk_onnx__value_info_proto__init(&p->info);
  sk_onnx__type_proto__init(&p->type);
  sk_onnx__type_proto__tensor__init(&p->tensor);
  sk_onnx__tensor_shape_proto__init(&p->shape);
  for (size_t i = 0; i < b->ranks[node]; i++) {
    Onnx__TensorShapeProto__Dimension *d = p->dimension_list[i] = &p->dimensions[i];
    sk_onnx__tensor_shape_proto__dimension__init(d);
    d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    d->dim_value = integer(sizes[i]);
  }
  if (b->batch == 0) {
    p->dimensions[0].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
    p->dimensions[0].dim_param = text("N");
  }
  p->shape.dim = p->dimension_list;
  p->shape.n_dim = b->ranks[node];
  p->tensor.has_elem_type = true;
  p->tensor.elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
  p->tensor.shape = &p->shape;
  p->type.value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
  p->type.tensor_type = &p->tensor;
  p->info.name = text(n->name);
  p->info.type = &p->type;
  b->port_list[b->port_count++] = &p->info;
}

static void write_node(struct builder *b, size_t node) {
  b->ranks[node] = 4;
  switch (b->graph->nodes[node].op) {
    case SK_NODE_INPUT: add_port(b, node); break;
    case SK_NODE_CONV: write_conv(b, node); break;
    case SK_NODE_BATCH_NORM: write_batch_norm(b, node); break;
    case SK_NODE_RELU: write_elementwise(b, node, "Relu"); break;
    case SK_NODE_ADD: write_on_two(b, node, "Add"); break;
    case SK_NODE_MAX_POOL: write_max_pool(b, node); break;
    case SK_NODE_AVERAGE_POOL: write_average_pool(b, node); break;
    case SK_NODE_GLOBAL_AVERAGE_POOL: begin(b, node, "GlobalAveragePool", 4); break;
    case SK_NODE_FLATTEN: write_flatten(b, node); break;
    case SK_NODE_DENSE: write_dense(b, node); break;
    case SK_NODE_SOFTMAX: write_softmax(b, node); break;
    case SK_NODE_SUBSAMPLE: write_subsample(b, node); break;
    case SK_NODE_SIGMOID: write_elementwise(b, node, "Sigmoid"); break;
    case SK_NODE_CLIP: write_clip(b, node); break;
    case SK_NODE_MULTIPLY: write_on_two(b, node, "Mul"); break;
    case SK_NODE_CONCAT: add_integer(write_on_two(b, node, "Concat"), "axis", 1); break;
    case SK_NODE_PAD: write_pad(b, node); break;
    case SK_NODE_OP_COUNT: break;
  }
}

static sk_status allocate(struct builder *b) {
  const size_t nodes = b->graph->count;
  const size_t operations = OPERATIONS_PER_NODE * nodes;
  const size_t constants = TENSORS_PER_NODE * nodes;
  b->operations = calloc(operations, sizeof *b->operations);
  b->operation_list = calloc(operations, sizeof(Onnx__NodeProto *));
  b->constants = calloc(constants, sizeof *b->constants);
  b->constant_list = calloc(constants, sizeof(Onnx__TensorProto *));
  b->ports = calloc(nodes + 1, sizeof *b->ports);
  b->port_list = calloc(nodes + 1, sizeof(Onnx__ValueInfoProto *));
  b->ranks = calloc(nodes, sizeof *b->ranks);
  b->names = calloc(operations + constants, sizeof(char *));
  const bool is_ready = b->operations && b->operation_list && b->constants && b->constant_list && b->ports &&
                        b->port_list && b->ranks && b->names;
  if (!is_ready) out_of_memory(b);
  return b->status;
}

static void release(struct builder *b) {
  for (size_t i = 0; i < b->constant_count; i++) free(b->constants[i].converted);
  for (size_t i = 0; i < b->name_count; i++) free(b->names[i]);
  free(b->operations);
  free(b->operation_list);
  free(b->constants);
  free(b->constant_list);
  free(b->ports);
  free(b->port_list);
  free(b->ranks);
  free(b->names);
}

/* ---- The file ----------------------------------------------------------------------------------------------- */

/* Where protobuf-c sends the bytes. */
struct file_buffer {
  ProtobufCBuffer base;
  struct sk_file_writer writer;
};

static void append(ProtobufCBuffer *buffer, size_t length, const uint8_t *data) {
  sk_file_write(&((struct file_buffer *)buffer)->writer, data, length);
}

static sk_status write_file(const Onnx__ModelProto *model, const char *path) {
  struct file_buffer buffer = {.base = {append}};
  const size_t bytes = sk_onnx__model_proto__get_packed_size(model);
  if (bytes > SK_ONNX_BYTES_MAX) {
    return sk_fail(SK_UNSUPPORTED, "%s: a model of %zu bytes, expected at most %d in an ONNX file", sk_quote(path).text,
                   bytes, SK_ONNX_BYTES_MAX);
  }
  const sk_status status = sk_file_writer_open(&buffer.writer, path);
  if (status) return status;
  sk_onnx__model_proto__pack_to_buffer(model, &buffer.base);
  return sk_file_writer_commit(&buffer.writer);
}

static sk_status write_model(const struct builder *b, const char *path) {
  Onnx__OperatorSetIdProto operators = ONNX__OPERATOR_SET_ID_PROTO__INIT;
  Onnx__OperatorSetIdProto *operator_list[] = {&operators};
  Onnx__GraphProto graph = ONNX__GRAPH_PROTO__INIT;
  Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
  operators.domain = text(""); /* ONNX's own */
  operators.has_version = true;
  operators.version = OPERATOR_SET;
  graph.name = text("skiplane");
  graph.node = b->operation_list;
  graph.n_node = b->operation_count;
  graph.initializer = b->constant_list;
  graph.n_initializer = b->constant_count;
  graph.input = b->port_list;
  graph.n_input = b->port_count - 1;
  graph.output = b->port_list + graph.n_input;
  graph.n_output = 1;
  model.has_ir_version = true;
  model.ir_version = IR_VERSION;
  model.opset_import = operator_list;
  model.n_opset_import = 1;
  model.producer_name = text("skiplane");
  model.producer_version = text(sk_version());
  model.graph = &graph;
  return write_file(&model, path);
}

sk_status sk_onnx_write(const struct sk_graph *graph, size_t batch, const char *path) {
  struct builder b = {.graph = graph, .batch = batch};
  if (graph->count == 0) return sk_fail(SK_INVALID_ARGUMENT, "%s: a graph without layers", sk_quote(path).text);
  allocate(&b);
  for (size_t i = 0; !b.status && i < graph->count; i++) write_node(&b, i);
  if (!b.status) {
    add_port(&b, graph->count - 1);
    b.status = write_model(&b, path);
  }
  release(&b);
  return b.status;
}

#else

sk_status sk_onnx_write(const struct sk_graph *graph, size_t batch, const char *path) {
  (void)graph;
  (void)batch;
  return sk_fail(SK_UNSUPPORTED, "%s: this build writes no ONNX files (./configure --with-onnx names what is missing)",
                 sk_quote(path).text);
}

#endif
