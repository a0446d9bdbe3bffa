/* libFuzzer target: the reader of ONNX files, and what a graph that it let through looks like.
 * Build: clang -g -fsanitize=fuzzer,address,undefined; run with tests/fuzz/corpus/onnx. */
#include "resnet/model.h"
#include "tests/fuzz/expect.h"

static const sk_onnx_options options = {.input_shape = {1, 3, 32, 32}, .max_bytes = 1 << 24};

/* Inputs have smaller numbers, parameters as many elements as their node wants, and the last node is the output. */
static void check_node(const struct sk_graph *graph, size_t node) {
  const struct sk_node *const n = &graph->nodes[node];
  if (!n->name || strlen(n->name) > 600 || sk_node_elements(n) == 0) abort();
  for (size_t i = 0; i < sk_node_input_count(n->op); i++) {
    if (n->inputs[i] >= node) abort();
  }
  for (int p = 0; p < SK_PARAMETER_COUNT; p++) {
    const struct sk_weight_tensor *const tensor = n->parameters[p];
    const size_t elements = sk_node_parameter_elements(graph, node, (enum sk_parameter)p);
    if (elements == 0) continue;
    if (!tensor || tensor->elements != elements) abort();
    float last;
    sk_weight_tensor_read_range(tensor, elements - 1, 1, &last); /* the end is within what the tensor points into */
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sk_model *model = NULL;
  sk_model_info info;
  struct sk_graph copy = {0};
  /* A folder that is not there: no fuzzer should read files that happen to be named. */
  const sk_status status = sk_model_parse_onnx(&model, "/nonexistent/fuzz.onnx", data, size, &options);
  expect_reason(status);
  if (status) {
    if (model) abort();
    return 0;
  }
  const struct sk_graph *const graph = sk_model_graph(model);
  sk_model_describe(model, &info);
  if (graph->count == 0 || graph->nodes[0].op != SK_NODE_INPUT || info.classes == 0) abort();
  for (size_t i = 0; i < graph->count; i++) check_node(graph, i);
  if (sk_model_copy_graph(model, &copy) || copy.count != graph->count) abort();
  sk_graph_destroy(&copy);
  sk_model_close(model);
  return 0;
}
