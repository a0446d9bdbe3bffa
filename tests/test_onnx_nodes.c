/* ONNX's own cases, of Debian's libonnx-testdata: every case that is made of the operators that networks have here runs
 * and agrees, or is refused and listed with its reason in tests/onnx_nodes.txt. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "resnet/file.h"
#include "resnet/model.h"

#if SK_HAVE_ONNX
#include "onnx/onnx.pb-c.h"
#include "resnet/onnx_tensor.h"

#define LIST "tests/onnx_nodes.txt"
#define ABSOLUTE_TOLERANCE 1e-5
#define RELATIVE_TOLERANCE 1e-4

enum { PATH_ROOM = 512, MAX_CASES = 1024, MAX_INPUTS = 8, MAX_NODES = 64 };

/* The operators whose cases have to pass. */
static const char *const named[] = {"Add",
                                    "AveragePool",
                                    "BatchNormalization",
                                    "Clip",
                                    "Concat",
                                    "Constant",
                                    "Conv",
                                    "Dropout",
                                    "Flatten",
                                    "Gemm",
                                    "Identity",
                                    "MatMul",
                                    "MaxPool",
                                    "Mul",
                                    "Pad",
                                    "ReduceMean",
                                    "GlobalAveragePool",
                                    "Relu",
                                    "Reshape",
                                    "Sigmoid",
                                    "Softmax"};

/* ---- Files --------------------------------------------------------------------------------------------------- */

static Onnx__ModelProto *read_model(const char *path) {
  struct sk_file_map map;
  cr_assert_eq(sk_file_map_open(&map, path), SK_OK, "%s", sk_error_message());
  Onnx__ModelProto *model = sk_onnx__model_proto__unpack(NULL, map.length, map.data);
  sk_file_map_close(&map);
  cr_assert(model && model->graph, "%s", path);
  return model;
}

/* Read an array of a case; NULL if it is no tensor, but a list of such. */
static Onnx__TensorProto *read_tensor(const char *folder, const char *kind, size_t index) {
  char path[PATH_ROOM + 64];
  struct sk_file_map map;
  snprintf(path, sizeof path, "%s/test_data_set_0/%s_%zu.pb", folder, kind, index);
  if (sk_file_map_open(&map, path)) return NULL;
  Onnx__TensorProto *tensor = sk_onnx__tensor_proto__unpack(NULL, map.length, map.data);
  sk_file_map_close(&map);
  return tensor;
}

/* ---- Which cases there are ----------------------------------------------------------------------------------- */

static bool is_named(const char *operator) {
  for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
    if (strcmp(named[i], operator) == 0) return true;
  }
  return false;
}

static bool is_of_named_operators(const char *folder) {
  char path[PATH_ROOM + 16];
  snprintf(path, sizeof path, "%s/model.onnx", folder);
  Onnx__ModelProto *model = read_model(path);
  bool fits = model->graph->n_node > 0;
  for (size_t i = 0; i < model->graph->n_node; i++) fits = fits && is_named(model->graph->node[i]->op_type);
  sk_onnx__model_proto__free_unpacked(model, NULL);
  return fits;
}

struct cases {
  char names[MAX_CASES][128]; /* "node/test_relu" */
  size_t count;
};

static int compare_cases(const void *left, const void *right) { return strcmp(left, right); }

/* Add the cases of one suite, such as "node". */
static void add_suite(struct cases *cases, const char *suite) {
  char folder[PATH_ROOM];
  snprintf(folder, sizeof folder, "%s/%s", SK_ONNX_TEST_DATA, suite);
  DIR *listing = opendir(folder);
  cr_assert_not_null(listing, "%s", folder);
  for (const struct dirent *entry = readdir(listing); entry; entry = readdir(listing)) {
    if (strncmp(entry->d_name, "test_", 5) != 0) continue;
    char *name = cases->names[cases->count];
    snprintf(name, sizeof cases->names[0], "%s/%.100s", suite, entry->d_name);
    snprintf(folder, sizeof folder, "%s/%s", SK_ONNX_TEST_DATA, name);
    if (!is_of_named_operators(folder)) continue;
    cr_assert_lt(++cases->count, MAX_CASES);
  }
  closedir(listing);
}

/* ---- One input where a case has several ---------------------------------------------------------------------- */

/* A case's model, and what it is changed with: a network has one input, so that the others of a case become constants;
 * or, if sums, products and concatenations need them to vary, parts of that one, each picked out of it by a layer of
 * zeros and ones, which is exact. */
struct adapted {
  Onnx__ModelProto *model;
  Onnx__TensorProto *inputs[MAX_INPUTS];
  size_t input_count;
  float *x;
  size_t elements;
};

static bool is_constant(const Onnx__GraphProto *graph, const char *name) {
  for (size_t i = 0; i < graph->n_initializer; i++) {
    if (strcmp(graph->initializer[i]->name, name) == 0) return true;
  }
  return false;
}

/* Let go of the inputs that are constants by another name. */
static void drop_constant_inputs(Onnx__GraphProto *graph) {
  size_t kept = 0;
  for (size_t i = 0; i < graph->n_input; i++) {
    if (is_constant(graph, graph->input[i]->name)) {
      sk_onnx__value_info_proto__free_unpacked(graph->input[i], NULL);
    } else {
      graph->input[kept++] = graph->input[i];
    }
  }
  graph->n_input = kept;
}

static void add_constant(Onnx__GraphProto *graph, Onnx__TensorProto *tensor, const char *name) {
  free(tensor->name);
  tensor->name = strdup(name);
  graph->initializer = realloc(graph->initializer, (graph->n_initializer + 1) * sizeof *graph->initializer);
  graph->initializer[graph->n_initializer++] = tensor;
}

static const float *values_of(const Onnx__TensorProto *tensor) {
  return tensor->has_raw_data ? (const float *)(const void *)tensor->raw_data.data : tensor->float_data;
}

static size_t elements_of(const Onnx__TensorProto *tensor) {
  size_t elements = 1;
  for (size_t i = 0; i < tensor->n_dims; i++) elements *= (size_t)tensor->dims[i];
  return elements;
}

/* Whether the inputs differ in their channels at most, and are combined by what needs them both to vary. */
static bool can_be_joined(const struct adapted *a) {
  const char *operator= a->model->graph->node[0]->op_type;
  const bool combines = strcmp(operator, "Add") == 0 || strcmp(operator, "Mul") == 0 || strcmp(operator, "Concat") == 0;
  bool fits = combines && a->input_count > 1 && a->model->graph->n_node == 1;
  for (size_t k = 0; fits && k < a->input_count; k++) {
    const Onnx__TensorProto *t = a->inputs[k];
    const Onnx__TensorProto *first = a->inputs[0];
    fits = t->n_dims == first->n_dims && t->n_dims >= 2 && t->n_dims <= 4 &&
           t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    for (size_t i = 0; fits && i < t->n_dims; i++) fits = i == 1 || t->dims[i] == first->dims[i];
  }
  return fits;
}

/* Weights [channels][joined][1]... that pick `channels` of all, from number `first` on. */
static Onnx__TensorProto *make_picker(size_t rank, size_t channels, size_t joined, size_t first) {
  Onnx__TensorProto *tensor = malloc(sizeof *tensor);
  sk_onnx__tensor_proto__init(tensor);
  tensor->has_data_type = true;
  tensor->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
  tensor->n_dims = rank;
  tensor->dims = malloc(rank * sizeof *tensor->dims);
  for (size_t i = 0; i < rank; i++) tensor->dims[i] = i == 0 ? (int64_t)channels : i == 1 ? (int64_t)joined : 1;
  tensor->n_float_data = channels * joined;
  tensor->float_data = calloc(tensor->n_float_data, sizeof *tensor->float_data);
  for (size_t c = 0; c < channels; c++) tensor->float_data[c * joined + first + c] = 1;
  return tensor;
}

static char **make_names(size_t count, const char *const *names) {
  char **copies = malloc(count * sizeof *copies);
  for (size_t i = 0; i < count; i++) copies[i] = strdup(names[i]);
  return copies;
}

/* A node that makes an input of the case out of the joined one. */
static Onnx__NodeProto *make_picking_node(size_t rank, const char *weights, const char *output) {
  Onnx__NodeProto *node = malloc(sizeof *node);
  sk_onnx__node_proto__init(node);
  node->op_type = strdup(rank == 2 ? "Gemm" : "Conv");
  node->input = make_names(2, (const char *const[]){"joined", weights});
  node->n_input = 2;
  node->output = make_names(1, &output);
  node->n_output = 1;
  if (rank != 2) return node;
  Onnx__AttributeProto *transposed = malloc(sizeof *transposed);
  sk_onnx__attribute_proto__init(transposed);
  transposed->name = strdup("transB");
  transposed->has_i = true;
  transposed->i = 1;
  node->attribute = malloc(sizeof *node->attribute);
  node->attribute[0] = transposed;
  node->n_attribute = 1;
  return node;
}

/* Put a node in front of the graph's own. */
static void put_first(Onnx__GraphProto *graph, Onnx__NodeProto *node) {
  graph->node = realloc(graph->node, (graph->n_node + 1) * sizeof *graph->node);
  memmove(graph->node + 1, graph->node, graph->n_node * sizeof *graph->node);
  graph->node[0] = node;
  graph->n_node++;
}

/* The values of all inputs, image by image. */
static void join_values(struct adapted *a, size_t images) {
  size_t at = 0;
  for (size_t k = 0; k < a->input_count; k++) a->elements += elements_of(a->inputs[k]);
  a->x = calloc(a->elements, sizeof *a->x);
  for (size_t n = 0; n < images; n++) {
    for (size_t k = 0; k < a->input_count; k++) {
      const size_t per_image = elements_of(a->inputs[k]) / images;
      memcpy(a->x + at, values_of(a->inputs[k]) + n * per_image, per_image * sizeof *a->x);
      at += per_image;
    }
  }
}

static void join_inputs(struct adapted *a) {
  Onnx__GraphProto *graph = a->model->graph;
  const size_t rank = a->inputs[0]->n_dims;
  size_t joined = 0;
  size_t first = 0;
  join_values(a, (size_t)a->inputs[0]->dims[0]);
  for (size_t k = 0; k < a->input_count; k++) joined += (size_t)a->inputs[k]->dims[1];
  for (size_t k = 0; k < a->input_count; k++) {
    char weights[32];
    const size_t channels = (size_t)a->inputs[k]->dims[1];
    snprintf(weights, sizeof weights, "picker%zu", k);
    add_constant(graph, make_picker(rank, channels, joined, first), weights);
    put_first(graph, make_picking_node(rank, weights, graph->input[k]->name));
    first += channels;
  }
  for (size_t k = 1; k < a->input_count; k++) sk_onnx__value_info_proto__free_unpacked(graph->input[k], NULL);
  graph->n_input = 1;
  free(graph->input[0]->name);
  graph->input[0]->name = strdup("joined");
  graph->input[0]->type->tensor_type->shape->dim[1]->dim_value = (int64_t)joined;
}

static void keep_first_input(struct adapted *a) {
  Onnx__GraphProto *graph = a->model->graph;
  for (size_t k = 1; k < a->input_count; k++) {
    add_constant(graph, a->inputs[k], graph->input[k]->name);
    sk_onnx__value_info_proto__free_unpacked(graph->input[k], NULL);
    a->inputs[k] = NULL;
  }
  if (graph->n_input > 1) graph->n_input = 1;
  if (a->input_count == 0 || a->inputs[0]->data_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT) return;
  a->elements = elements_of(a->inputs[0]);
  a->x = calloc(a->elements + 1, sizeof *a->x);
  if (a->elements == 0) return; /* of none there may be no address */
  memcpy(a->x, values_of(a->inputs[0]), a->elements * sizeof *a->x);
}

/* Take out attributes that were no longer needed from operator set 7 on: what they asked for is what there is now. */
static void drop_old_attributes(Onnx__NodeProto *node) {
  size_t kept = 0;
  for (size_t i = 0; i < node->n_attribute; i++) {
    const char *name = node->attribute[i]->name;
    const bool is_old = strcmp(name, "is_test") == 0 || (strcmp(name, "broadcast") == 0 && node->attribute[i]->i == 1);
    if (is_old) {
      sk_onnx__attribute_proto__free_unpacked(node->attribute[i], NULL);
    } else {
      node->attribute[kept++] = node->attribute[i];
    }
  }
  node->n_attribute = kept;
}

/* Models of older operator sets stand for that of 7 here, whose operators mean the same. */
static void raise_operator_set(Onnx__ModelProto *model) {
  bool is_old = false;
  for (size_t i = 0; i < model->n_opset_import; i++) {
    is_old = is_old || model->opset_import[i]->version < 7;
    if (is_old) model->opset_import[i]->version = 7;
  }
  for (size_t i = 0; is_old && i < model->graph->n_node; i++) drop_old_attributes(model->graph->node[i]);
}

static void free_adapted(struct adapted *a) {
  for (size_t k = 0; k < a->input_count; k++) {
    if (a->inputs[k]) sk_onnx__tensor_proto__free_unpacked(a->inputs[k], NULL);
  }
  sk_onnx__model_proto__free_unpacked(a->model, NULL);
  free(a->x);
}

/* False if an input is no tensor. */
static bool adapt(struct adapted *a, const char *folder) {
  char path[PATH_ROOM + 16];
  snprintf(path, sizeof path, "%s/model.onnx", folder);
  *a = (struct adapted){.model = read_model(path)};
  Onnx__GraphProto *graph = a->model->graph;
  drop_constant_inputs(graph);
  raise_operator_set(a->model);
  cr_assert_leq(graph->n_input, MAX_INPUTS);
  for (size_t k = 0; k < graph->n_input; k++) {
    if (graph->input[k]->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE) return false;
    a->inputs[k] = read_tensor(folder, "input", k);
    cr_assert_not_null(a->inputs[k], "%s: input %zu", folder, k);
    a->input_count++;
  }
  if (can_be_joined(a)) {
    join_inputs(a);
  } else {
    keep_first_input(a);
  }
  return true;
}

/* ---- Running a case ------------------------------------------------------------------------------------------ */

static sk_status open_adapted(const struct adapted *a, const char *folder, sk_model **model) {
  const size_t length = sk_onnx__model_proto__get_packed_size(a->model);
  uint8_t *bytes = malloc(length);
  char path[PATH_ROOM + 16];
  snprintf(path, sizeof path, "%s/model.onnx", folder);
  cr_assert_not_null(bytes);
  sk_onnx__model_proto__pack(a->model, bytes);
  const sk_status status = sk_model_parse_onnx(model, path, bytes, length, NULL);
  free(bytes);
  return status;
}

static void expect_output(const char *name, const float *y, size_t count, const Onnx__TensorProto *expected) {
  cr_assert_eq(expected->data_type, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
  cr_assert_eq(count, elements_of(expected), "%s: %zu outputs, expected %zu", name, count, elements_of(expected));
  for (size_t i = 0; i < count; i++) {
    const double value = (double)values_of(expected)[i];
    const double error = fabs((double)y[i] - value);
    cr_assert(error <= ABSOLUTE_TOLERANCE + RELATIVE_TOLERANCE * fabs(value), "%s: output %zu is %.9g, expected %.9g",
              name, i, (double)y[i], value);
  }
}

/* False if it cannot be planned. */
static bool run_model(const char *name, const char *folder, const struct adapted *a, const sk_model *model) {
  sk_model_info model_info;
  sk_net_info info;
  sk_net *net = NULL;
  sk_model_describe(model, &model_info);
  const size_t per_image = model_info.in_channels * model_info.in_height * model_info.in_width;
  const size_t batch = a->elements / per_image;
  const sk_net_options options = {.batch = batch, .threads = 1};
  cr_assert_eq(a->elements % per_image, 0, "%s", name);
  if (sk_net_create_from_model(&net, model, &options)) return false;
  sk_net_describe(net, &info);
  float *y = calloc(batch * info.classes + 1, sizeof *y);
  void *workspace = sk_alloc(info.workspace_bytes);
  cr_assert(y && workspace);
  cr_assert_eq(sk_net_run(net, batch, a->x, y, workspace), SK_OK, "%s: %s", name, sk_error_message());
  Onnx__TensorProto *expected = read_tensor(folder, "output", 0);
  cr_assert_not_null(expected, "%s", name);
  expect_output(name, y, batch * info.classes, expected);
  sk_onnx__tensor_proto__free_unpacked(expected, NULL);
  sk_free(workspace);
  free(y);
  sk_net_destroy(net);
  return true;
}

/* Run a case. True if it agrees; false if it is refused, *reason telling why. A wrong result ends the test. */
static bool run_case(const char *name, const char **reason) {
  char folder[PATH_ROOM];
  struct adapted a;
  sk_model *model = NULL;
  snprintf(folder, sizeof folder, "%s/%s", SK_ONNX_TEST_DATA, name);
  *reason = "an input that is no tensor";
  bool agrees = adapt(&a, folder);
  if (agrees) {
    agrees = !open_adapted(&a, folder, &model) && run_model(name, folder, &a, model);
    *reason = sk_error_message();
  }
  sk_model_close(model);
  free_adapted(&a);
  return agrees;
}

/* ---- The list ------------------------------------------------------------------------------------------------ */

/* Lines are "<case>: <reason>"; those that begin with # and empty ones are for the reader. */
static bool is_listed(const char *name) {
  char line[512];
  bool found = false;
  FILE *file = fopen(LIST, "r");
  cr_assert_not_null(file, LIST);
  while (!found && fgets(line, sizeof line, file)) {
    const size_t length = strcspn(line, ":");
    found = line[0] != '#' && length == strlen(name) && strncmp(line, name, length) == 0 && line[length] == ':';
  }
  fclose(file);
  return found;
}

static size_t count_listed(void) {
  char line[512];
  size_t count = 0;
  FILE *file = fopen(LIST, "r");
  cr_assert_not_null(file, LIST);
  while (fgets(line, sizeof line, file)) count += line[0] != '#' && line[0] != '\n';
  fclose(file);
  return count;
}

Test(onnx_nodes, cases_agree_or_are_listed) {
  static struct cases cases;
  size_t refused = 0;
  if (!*SK_ONNX_TEST_DATA) cr_skip_test("SKIPPED: no libonnx-testdata");
  add_suite(&cases, "node");
  add_suite(&cases, "pytorch-converted");
  add_suite(&cases, "pytorch-operator");
  add_suite(&cases, "simple");
  qsort(cases.names, cases.count, sizeof cases.names[0], compare_cases);
  for (size_t i = 0; i < cases.count; i++) {
    const char *name = cases.names[i];
    const char *reason = NULL;
    const bool agrees = run_case(name, &reason);
    const bool listed = is_listed(name);
    refused += !agrees;
    cr_expect(agrees || listed, "%s: refused: %s", name, reason);
    cr_expect(!(agrees && listed), "%s: passes, but " LIST " lists it", name);
  }
  cr_expect_eq(refused, count_listed(), "%zu cases are refused, but " LIST " has %zu", refused, count_listed());
  cr_expect_geq(cases.count, 200, "only %zu cases were found", cases.count);
}

#endif
