/* ONNX files parsed back: nodes, attributes, shapes and weights. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/onnx_write.h"
#include "config.h"
#include "resnet/bind.h"
#include "resnet/network.h"
#include "tests/temporary_folder.h"

TestSuite(onnx_write, .init = make_folder, .fini = remove_folder);

static void expect_refused(sk_status status, sk_status expected, const char *part) {
  cr_expect_eq(status, expected, "%s, expected %s", sk_status_name(status), sk_status_name(expected));
  cr_expect(strstr(sk_error_message(), part), "\"%s\" does not say \"%s\"", sk_error_message(), part);
  cr_expect_eq(count_files(), 0);
}

#if SK_HAVE_ONNX
#include "onnx/onnx.pb-c.h"

/* ---- Reading ------------------------------------------------------------------------------------------------- */

static Onnx__ModelProto *write_and_read(const struct sk_graph *graph, size_t batch) {
  struct sk_file_map map;
  char *path = path_of("model.onnx");
  cr_assert_eq(sk_onnx_write(graph, batch, path), SK_OK, "%s", sk_error_message());
  cr_assert_eq(sk_file_map_open(&map, path), SK_OK);
  Onnx__ModelProto *model = sk_onnx__model_proto__unpack(NULL, map.length, map.data);
  cr_assert_not_null(model);
  sk_file_map_close(&map);
  free(path);
  return model;
}

static const Onnx__NodeProto *node_of(const Onnx__ModelProto *model, const char *output) {
  for (size_t i = 0; i < model->graph->n_node; i++) {
    if (strcmp(model->graph->node[i]->output[0], output) == 0) return model->graph->node[i];
  }
  cr_assert_fail("no node makes %s", output);
  return NULL;
}

static const Onnx__TensorProto *constant_of(const Onnx__ModelProto *model, const char *name) {
  for (size_t i = 0; i < model->graph->n_initializer; i++) {
    if (strcmp(model->graph->initializer[i]->name, name) == 0) return model->graph->initializer[i];
  }
  cr_assert_fail("no constant %s", name);
  return NULL;
}

static const Onnx__AttributeProto *attribute_of(const Onnx__NodeProto *node, const char *name) {
  for (size_t i = 0; i < node->n_attribute; i++) {
    if (strcmp(node->attribute[i]->name, name) == 0) return node->attribute[i];
  }
  return NULL;
}

/* Expect a node's operator and inputs, the list ended by NULL. */
static void expect_node(const Onnx__ModelProto *model, const char *output, const char *type,
                        const char *const *inputs) {
  const Onnx__NodeProto *node = node_of(model, output);
  size_t count = 0;
  cr_expect_str_eq(node->op_type, type);
  while (inputs[count]) count++;
  cr_assert_eq(node->n_input, count, "%s: %zu inputs", output, node->n_input);
  for (size_t i = 0; i < count; i++) cr_expect_str_eq(node->input[i], inputs[i]);
}

static void expect_integers(const Onnx__ModelProto *model, const char *output, const char *name, size_t count,
                            const int64_t *values) {
  const Onnx__AttributeProto *attribute = attribute_of(node_of(model, output), name);
  cr_assert_not_null(attribute, "%s has no %s", output, name);
  cr_assert_eq(attribute->n_ints, count);
  cr_expect_eq(attribute->type, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
  for (size_t i = 0; i < count; i++) cr_expect_eq(attribute->ints[i], values[i], "%s of %s, %zu", name, output, i);
}

static void expect_integer(const Onnx__ModelProto *model, const char *output, const char *name, int64_t value) {
  const Onnx__AttributeProto *attribute = attribute_of(node_of(model, output), name);
  cr_assert(attribute && attribute->has_i, "%s has no %s", output, name);
  cr_expect_eq(attribute->i, value);
}

static void expect_integers_constant(const Onnx__ModelProto *model, const char *name, size_t count,
                                     const int64_t *values) {
  const Onnx__TensorProto *tensor = constant_of(model, name);
  cr_expect_eq(tensor->data_type, ONNX__TENSOR_PROTO__DATA_TYPE__INT64);
  cr_expect_eq(tensor->n_dims, 1);
  cr_assert_eq(tensor->raw_data.len, count * sizeof *values);
  cr_expect_arr_eq(tensor->raw_data.data, values, count * sizeof *values, "%s", name);
}

static void expect_shape(const Onnx__ValueInfoProto *port, const char *name, size_t rank, const int64_t *sizes) {
  const Onnx__TensorShapeProto *shape = port->type->tensor_type->shape;
  cr_expect_str_eq(port->name, name);
  cr_assert_eq(shape->n_dim, rank);
  for (size_t i = 0; i < rank; i++) cr_expect_eq(shape->dim[i]->dim_value, sizes[i], "%s: size %zu", name, i);
}

/* ---- A whole network ----------------------------------------------------------------------------------------- */

/* Expect a parameter's constant to be the graph's, in shape and bits, as float32. */
static void expect_parameter(const Onnx__ModelProto *model, const struct sk_graph *graph, size_t node,
                             enum sk_parameter parameter) {
  char name[128];
  size_t shape[4];
  const size_t rank = sk_node_parameter_shape(graph, node, parameter, shape);
  if (rank == 0) return;
  snprintf(name, sizeof name, "%s.%s", graph->nodes[node].name, sk_parameter_name(parameter));
  const Onnx__TensorProto *tensor = constant_of(model, name);
  const struct sk_weight_tensor *expected = graph->nodes[node].parameters[parameter];
  cr_assert_eq(tensor->n_dims, rank);
  for (size_t i = 0; i < rank; i++) cr_expect_eq(tensor->dims[i], (int64_t)shape[i], "%s: size %zu", name, i);
  cr_expect_eq(tensor->data_type, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
  const size_t bytes = expected->elements * sizeof(float); /* the file holds halves */
  float *values = malloc(bytes);
  cr_assert_not_null(values);
  sk_weight_tensor_read(expected, values);
  cr_assert_eq(tensor->raw_data.len, bytes, "%s", name);
  cr_expect_arr_eq(tensor->raw_data.data, values, bytes, "%s", name);
  free(values);
}

Test(onnx_write, a_network_with_its_weights) {
  sk_weights *weights;
  struct sk_graph graph = {0};
  cr_assert_eq(sk_weights_open(&weights, "resnet/shapes/shapes-resnet20.safetensors"), SK_OK);
  cr_assert_eq(sk_network_load(&graph, "resnet20-cifar", weights, NULL), SK_OK);
  Onnx__ModelProto *model = write_and_read(&graph, 3);
  cr_expect_eq(model->ir_version, 7);
  cr_expect_eq(model->opset_import[0]->version, 13);
  cr_assert_eq(model->graph->n_input, 1);
  cr_assert_eq(model->graph->n_output, 1);
  expect_shape(model->graph->input[0], "input", 4, (int64_t[]){3, 3, 32, 32});
  expect_shape(model->graph->output[0], graph.nodes[graph.count - 1].name, 2, (int64_t[]){3, 10});
  cr_expect_eq(model->graph->n_node, graph.count - 1 + 2, "an operator a node, two for each of two shortcuts");
  for (size_t i = 0; i < graph.count; i++) {
    for (int p = 0; p < SK_PARAMETER_COUNT; p++) expect_parameter(model, &graph, i, (enum sk_parameter)p);
  }
  expect_node(model, "conv1", "Conv", (const char *[]){"input", "conv1.weight", NULL});
  expect_node(model, "bn1", "BatchNormalization",
              (const char *[]){"conv1", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var", NULL});
  expect_node(model, "layer2.0.add", "Add", (const char *[]){"layer2.0.bn2", "layer2.0.shortcut", NULL});
  sk_onnx__model_proto__free_unpacked(model, NULL);
  sk_graph_destroy(&graph);
  sk_weights_close(weights);
}

Test(onnx_write, a_batch_left_open) {
  struct sk_graph graph = {0};
  sk_graph_add(&graph, &(struct sk_node){.name = "x", .channels = 3, .height = 2, .width = 2});
  sk_graph_add(&graph, &(struct sk_node){.op = SK_NODE_RELU, .name = "y"});
  Onnx__ModelProto *model = write_and_read(&graph, 0);
  const Onnx__TensorShapeProto *shape = model->graph->output[0]->type->tensor_type->shape;
  cr_assert_eq(shape->dim[0]->value_case, ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM);
  cr_expect_str_eq(shape->dim[0]->dim_param, "N");
  cr_expect_eq(shape->dim[1]->dim_value, 3);
  sk_onnx__model_proto__free_unpacked(model, NULL);
  sk_graph_destroy(&graph);
}

/* ---- Operators ----------------------------------------------------------------------------------------------- */

/* Graphs of the input x, 4 x 9 x 10, and one node, y. Their weights are all 0.5. */
static struct sk_graph one_node(const struct sk_node *node, sk_weights **weights) {
  struct sk_graph graph = {0};
  struct sk_node y = *node;
  y.name = "y";
  sk_graph_add(&graph, &(struct sk_node){.name = "x", .channels = 4, .height = 9, .width = 10});
  sk_graph_add(&graph, &y);
  cr_assert_eq(graph.status, SK_OK, "%s", sk_error_message());
  cr_assert_eq(sk_weights_new(weights), SK_OK);
  for (int p = 0; p < SK_PARAMETER_COUNT; p++) {
    char name[32];
    float *data;
    size_t shape[4];
    const size_t rank = sk_node_parameter_shape(&graph, 1, (enum sk_parameter)p, shape);
    if (rank == 0) continue;
    snprintf(name, sizeof name, "y.%s", sk_parameter_name((enum sk_parameter)p));
    cr_assert_eq(sk_weights_add(*weights, name, rank, shape, &data), SK_OK);
    for (size_t i = 0; i < sk_node_parameter_elements(&graph, 1, (enum sk_parameter)p); i++) data[i] = 0.5F;
  }
  cr_assert_eq(sk_graph_bind(&graph, "one node", *weights), SK_OK, "%s", sk_error_message());
  return graph;
}

static Onnx__ModelProto *write_one(const struct sk_node *node) {
  sk_weights *weights;
  struct sk_graph graph = one_node(node, &weights);
  Onnx__ModelProto *model = write_and_read(&graph, 1);
  sk_graph_destroy(&graph);
  sk_weights_close(weights);
  return model;
}

Test(onnx_write, convolution) {
  const struct sk_node node = {.op = SK_NODE_CONV,
                               .bias = true,
                               .conv = {.out_channels = 6,
                                        .kernel_height = 3,
                                        .kernel_width = 2,
                                        .stride_height = 2,
                                        .stride_width = 3,
                                        .dilation_height = 2,
                                        .dilation_width = 4,
                                        .pad_top = 1,
                                        .pad_bottom = 2,
                                        .pad_left = 3,
                                        .pad_right = 4,
                                        .groups = 2}};
  Onnx__ModelProto *model = write_one(&node);
  expect_node(model, "y", "Conv", (const char *[]){"x", "y.weight", "y.bias", NULL});
  expect_integers(model, "y", "kernel_shape", 2, (int64_t[]){3, 2});
  expect_integers(model, "y", "strides", 2, (int64_t[]){2, 3});
  expect_integers(model, "y", "dilations", 2, (int64_t[]){2, 4});
  expect_integers(model, "y", "pads", 4, (int64_t[]){1, 3, 2, 4});
  expect_integer(model, "y", "group", 2);
  sk_onnx__model_proto__free_unpacked(model, NULL);
}

Test(onnx_write, batch_norm) {
  Onnx__ModelProto *model = write_one(&(struct sk_node){.op = SK_NODE_BATCH_NORM});
  const Onnx__AttributeProto *epsilon = attribute_of(node_of(model, "y"), "epsilon");
  cr_assert(epsilon && epsilon->has_f);
  cr_expect_float_eq(epsilon->f, 1e-5F, 1e-12F);
  sk_onnx__model_proto__free_unpacked(model, NULL);
}

static struct sk_node pool_node(enum sk_node_op op, bool ceil_mode, bool count_include_pad) {
  return (struct sk_node){.op = op,
                          .pool = {.kernel_height = 3,
                                   .kernel_width = 2,
                                   .stride_height = 2,
                                   .stride_width = 2,
                                   .dilation_height = 1,
                                   .dilation_width = 1,
                                   .pad_top = 0,
                                   .pad_bottom = 0,
                                   .pad_left = 1,
                                   .pad_right = 0,
                                   .ceil_mode = ceil_mode,
                                   .count_include_pad = count_include_pad}};
}

/* 9 rows take windows of 3 at 0, 2, 4, 6 without rounding; 11 columns, one of them padding, take a sixth window of 2
 * only when rounding up, which reaches one column too far. */
Test(onnx_write, rounding_up_is_written_as_pads) {
  const struct sk_node rounded_down = pool_node(SK_NODE_MAX_POOL, false, false);
  const struct sk_node rounded_up = pool_node(SK_NODE_AVERAGE_POOL, true, false);
  Onnx__ModelProto *model = write_one(&rounded_down);
  expect_node(model, "y", "MaxPool", (const char *[]){"x", NULL});
  expect_integers(model, "y", "kernel_shape", 2, (int64_t[]){3, 2});
  expect_integers(model, "y", "pads", 4, (int64_t[]){0, 1, 0, 0});
  sk_onnx__model_proto__free_unpacked(model, NULL);
  model = write_one(&rounded_up);
  expect_node(model, "y", "AveragePool", (const char *[]){"x", NULL});
  expect_integers(model, "y", "pads", 4, (int64_t[]){0, 1, 0, 1});
  cr_expect_null(attribute_of(node_of(model, "y"), "ceil_mode"));
  cr_expect_null(attribute_of(node_of(model, "y"), "count_include_pad"));
  sk_onnx__model_proto__free_unpacked(model, NULL);
}

Test(onnx_write, an_average_that_counts_pads_keeps_the_rounding) {
  const struct sk_node node = pool_node(SK_NODE_AVERAGE_POOL, true, true);
  Onnx__ModelProto *model = write_one(&node);
  expect_integers(model, "y", "pads", 4, (int64_t[]){0, 1, 0, 0});
  expect_integer(model, "y", "ceil_mode", 1);
  expect_integer(model, "y", "count_include_pad", 1);
  sk_onnx__model_proto__free_unpacked(model, NULL);
}

Test(onnx_write, subsampling) {
  Onnx__ModelProto *model = write_one(&(struct sk_node){.op = SK_NODE_SUBSAMPLE, .stride = 3, .channels = 10});
  expect_node(model, "y.sliced", "Slice", (const char *[]){"x", "y.starts", "y.ends", "y.axes", "y.steps", NULL});
  expect_node(model, "y", "Pad", (const char *[]){"y.sliced", "y.pads", NULL});
  expect_integers_constant(model, "y.starts", 2, (int64_t[]){0, 0});
  expect_integers_constant(model, "y.ends", 2, (int64_t[]){9, 10});
  expect_integers_constant(model, "y.axes", 2, (int64_t[]){2, 3});
  expect_integers_constant(model, "y.steps", 2, (int64_t[]){3, 3});
  expect_integers_constant(model, "y.pads", 8, (int64_t[]){0, 3, 0, 0, 0, 3, 0, 0});
  sk_onnx__model_proto__free_unpacked(model, NULL);
}

Test(onnx_write, elementwise_operators) {
  Onnx__ModelProto *model = write_one(&(struct sk_node){.op = SK_NODE_SIGMOID});
  expect_node(model, "y", "Sigmoid", (const char *[]){"x", NULL});
  sk_onnx__model_proto__free_unpacked(model, NULL);
  model = write_one(&(struct sk_node){.op = SK_NODE_MULTIPLY});
  expect_node(model, "y", "Mul", (const char *[]){"x", "x", NULL});
  sk_onnx__model_proto__free_unpacked(model, NULL);
  model = write_one(&(struct sk_node){.op = SK_NODE_CONCAT});
  expect_node(model, "y", "Concat", (const char *[]){"x", "x", NULL});
  expect_integer(model, "y", "axis", 1);
  sk_onnx__model_proto__free_unpacked(model, NULL);
}

static void expect_number(const Onnx__ModelProto *model, const char *name, float expected) {
  const Onnx__TensorProto *tensor = constant_of(model, name);
  cr_assert_eq(tensor->raw_data.len, sizeof expected);
  cr_expect_eq(tensor->n_dims, 0);
  cr_expect_arr_eq(tensor->raw_data.data, &expected, sizeof expected, "%s", name);
}

Test(onnx_write, clip_and_pad) {
  Onnx__ModelProto *model = write_one(&(struct sk_node){.op = SK_NODE_CLIP, .clip = {-INFINITY, 6}});
  expect_node(model, "y", "Clip", (const char *[]){"x", "y.min", "y.max", NULL});
  expect_number(model, "y.min", -INFINITY);
  expect_number(model, "y.max", 6);
  sk_onnx__model_proto__free_unpacked(model, NULL);
  model = write_one(&(struct sk_node){.op = SK_NODE_PAD, .pad = {1, 2, 3, 4, 0.5F}});
  expect_node(model, "y", "Pad", (const char *[]){"x", "y.pads", "y.value", NULL});
  expect_integers_constant(model, "y.pads", 8, (int64_t[]){0, 0, 1, 3, 0, 0, 2, 4});
  expect_number(model, "y.value", 0.5F);
  sk_onnx__model_proto__free_unpacked(model, NULL);
}

/* An operator that wants another rank than a flatten left, or did not leave, gets a reshaping before it. */
Test(onnx_write, ranks_are_made_to_fit) {
  struct sk_graph graph = {0};
  sk_graph_add(&graph, &(struct sk_node){.name = "x", .channels = 4, .height = 2, .width = 2});
  sk_graph_add(&graph, &(struct sk_node){.op = SK_NODE_GLOBAL_AVERAGE_POOL, .name = "mean", .inputs = {0}});
  sk_graph_add(&graph, &(struct sk_node){.op = SK_NODE_FLATTEN, .name = "flat", .inputs = {1}});
  sk_graph_add(&graph, &(struct sk_node){.op = SK_NODE_ADD, .name = "sum", .inputs = {2, 1}});
  sk_graph_add(&graph,
               &(struct sk_node){.op = SK_NODE_SUBSAMPLE, .name = "wide", .inputs = {3}, .stride = 1, .channels = 8});
  sk_graph_add(&graph, &(struct sk_node){.op = SK_NODE_SOFTMAX, .name = "y", .inputs = {4}});
  cr_assert_eq(graph.status, SK_OK, "%s", sk_error_message());
  Onnx__ModelProto *model = write_and_read(&graph, 2);
  expect_node(model, "sum.reshaped_1", "Flatten", (const char *[]){"mean", NULL});
  expect_node(model, "sum", "Add", (const char *[]){"flat", "sum.reshaped_1", NULL});
  expect_node(model, "wide.reshaped", "Unsqueeze", (const char *[]){"sum", "wide.reshaped.axes", NULL});
  expect_integer(model, "y", "axis", 1);
  expect_shape(model->graph->output[0], "y", 4, (int64_t[]){2, 8, 1, 1});
  sk_onnx__model_proto__free_unpacked(model, NULL);
  sk_graph_destroy(&graph);
}

Test(onnx_write, weights_in_float16_are_converted) {
  static const uint16_t halves[4] = {0x3C00, 0xC000, 0x3800, 0x0000};
  static const float expected[4] = {1, -2, 0.5F, 0};
  const struct sk_weight_tensor gamma = {
      .name = "y.weight", .dtype = SK_DTYPE_F16, .rank = 1, .shape = {4}, .elements = 4, .bytes = 8, .data = halves};
  sk_weights *weights;
  struct sk_graph graph = one_node(&(struct sk_node){.op = SK_NODE_BATCH_NORM}, &weights);
  graph.nodes[1].parameters[SK_PARAMETER_WEIGHT] = &gamma;
  Onnx__ModelProto *model = write_and_read(&graph, 1);
  const Onnx__TensorProto *tensor = constant_of(model, "y.weight");
  cr_assert_eq(tensor->raw_data.len, sizeof expected);
  cr_expect_arr_eq(tensor->raw_data.data, expected, sizeof expected);
  sk_onnx__model_proto__free_unpacked(model, NULL);
  sk_graph_destroy(&graph);
  sk_weights_close(weights);
}

/* ---- Refusals ------------------------------------------------------------------------------------------------ */

Test(onnx_write, refuses_a_dilated_average) {
  struct sk_graph graph = {0};
  char *path = path_of("model.onnx");
  sk_graph_add(&graph, &(struct sk_node){.name = "x", .channels = 4, .height = 5, .width = 5});
  struct sk_node node = pool_node(SK_NODE_AVERAGE_POOL, false, false);
  node.name = "y";
  node.pool.dilation_height = 2;
  sk_graph_add(&graph, &node);
  cr_assert_eq(graph.status, SK_OK, "%s", sk_error_message());
  expect_refused(sk_onnx_write(&graph, 1, path), SK_UNSUPPORTED, "dilated average pool");
  sk_graph_destroy(&graph);
  free(path);
}

Test(onnx_write, refuses_a_graph_without_weights) {
  struct sk_graph graph = {0};
  char *path = path_of("model.onnx");
  cr_assert_eq(sk_network_build(&graph, "resnet20-cifar", NULL), SK_OK);
  expect_refused(sk_onnx_write(&graph, 1, path), SK_INVALID_ARGUMENT, "\"conv1\": has no weight bound");
  sk_graph_destroy(&graph);
  expect_refused(sk_onnx_write(&graph, 1, path), SK_INVALID_ARGUMENT, "without layers");
  free(path);
}

/* The weights' size is enough to tell: they are never read. */
Test(onnx_write, refuses_more_than_two_gigabytes) {
  struct sk_graph graph = {0};
  struct sk_weight_tensor weight = {.dtype = SK_DTYPE_F32, .rank = 2, .elements = 30000 * 20000U, .data = ""};
  weight.bytes = weight.elements * sizeof(float);
  char *path = path_of("model.onnx");
  sk_graph_add(&graph, &(struct sk_node){.name = "x", .channels = 30000, .height = 1, .width = 1});
  sk_graph_add(&graph, &(struct sk_node){.op = SK_NODE_DENSE, .name = "y", .channels = 20000});
  graph.nodes[1].parameters[SK_PARAMETER_WEIGHT] = &weight;
  expect_refused(sk_onnx_write(&graph, 1, path), SK_UNSUPPORTED, "expected at most 2147483647");
  sk_graph_destroy(&graph);
  free(path);
}

#else

Test(onnx_write, is_refused_by_this_build) {
  const struct sk_graph graph = {0};
  char *path = path_of("model.onnx");
  expect_refused(sk_onnx_write(&graph, 1, path), SK_UNSUPPORTED, "writes no ONNX files");
  free(path);
}

#endif
