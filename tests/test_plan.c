/* Plan files: what is read, each rule by a file that breaks it alone, and networks that run as a plan says. */
#define _XOPEN_SOURCE 700

#include <math.h>

#include "dispatch/conv.h"
#include "resnet/json.h"
#include "resnet/network.h"
#include "resnet/plan.h"
#include "tests/temporary_folder.h"

TestSuite(plan, .init = make_folder, .fini = remove_folder);

#define MODEL "resnet20-cifar"

enum { ROOM = 1 << 15 };

/* ---- Files -------------------------------------------------------------------------------------------------- */

static const char head[] =
    "{\"format\": \"skiplane-plan 1\", \"model\": \"" MODEL
    "\", \"element_type\": \"float32\", \"direction\": \"forward\", \"in_height\": 32, \"in_width\": 32, \"batch\": 1, "
    "\"isa\": \"generic\", \"threads\": 2, \"cpu\": \"a CPU\", \"version\": \"0.1.0\"";

static struct sk_graph build(void) {
  struct sk_graph graph = {0};
  cr_assert_eq(sk_network_build(&graph, MODEL, NULL), SK_OK, "%s", sk_error_message());
  return graph;
}

/* What a layer runs in the plans below, where it may: one and the same, or by its number, so that all mix (auto). */
static sk_algorithm algorithm_of(const struct sk_node *conv, size_t number, sk_algorithm all) {
  static const sk_algorithm algorithms[] = {SK_ALGORITHM_WINOGRAD2, SK_ALGORITHM_DIRECT, SK_ALGORITHM_WINOGRAD6,
                                            SK_ALGORITHM_WINOGRAD4};
  const sk_algorithm wanted = all == SK_ALGORITHM_AUTO ? algorithms[number % 4] : all;
  sk_algorithm chosen = SK_ALGORITHM_DIRECT;
  return sk_conv_choose(&conv->conv, wanted, &chosen) ? SK_ALGORITHM_DIRECT : chosen;
}

/* Write a plan of the whole network, with times that nobody reads; free it. */
static char *form_plan_of(sk_algorithm all) {
  struct sk_graph graph = build();
  char *const text = malloc(ROOM);
  cr_assert_not_null(text);
  size_t number = 0;
  int used = snprintf(text, ROOM, "%s, \"seed\": -1.5e3, \"layers\": [", head);
  for (size_t i = 0; i < graph.count; i++) {
    const struct sk_node *const node = &graph.nodes[i];
    if (node->op != SK_NODE_CONV) continue;
    used += snprintf(text + used, (size_t)(ROOM - used),
                     "%s\n{\"name\": \"%s\", \"shape\": \"%s\", \"algorithm\": \"%s\", \"median_ms\": 0.125}",
                     number > 0 ? "," : "", node->name, sk_conv_node_shape(node).text,
                     sk_algorithm_name(algorithm_of(node, number, all)));
    number++;
  }
  snprintf(text + used, (size_t)(ROOM - used), "]}\n");
  sk_graph_destroy(&graph);
  return text;
}

static char *form_plan(void) { return form_plan_of(SK_ALGORITHM_AUTO); }

/* The plan with the first occurrence of a text replaced; free it. */
static char *change_plan(const char *from, const char *to) {
  char *const plan = form_plan();
  char *const changed = malloc(ROOM + strlen(to));
  const char *const at = strstr(plan, from);
  cr_assert(changed && at, "no %s to replace", from);
  sprintf(changed, "%.*s%s%s", (int)(at - plan), plan, to, at + strlen(from));
  free(plan);
  return changed;
}

/* Parse from memory of exactly the text's size, so that sanitizers see any byte read beyond it. */
static sk_status parse(sk_plan **plan, const char *text, size_t length) {
  char *const exact = malloc(length ? length : 1);
  cr_assert_not_null(exact);
  memcpy(exact, text, length);
  const sk_status status = sk_plan_parse(plan, "case.plan", exact, length);
  free(exact);
  return status;
}

static sk_plan *parse_whole(const char *text) {
  sk_plan *plan = NULL;
  cr_assert_eq(parse(&plan, text, strlen(text)), SK_OK, "%s", sk_error_message());
  return plan;
}

/* ---- What is read ------------------------------------------------------------------------------------------- */

Test(plan, tells_what_it_was_measured_with) {
  char *const text = form_plan();
  sk_plan *const plan = parse_whole(text);
  sk_plan_info info;
  sk_plan_describe(plan, &info);
  cr_expect_str_eq(info.model, MODEL);
  cr_expect_eq(info.in_height, 32);
  cr_expect_eq(info.in_width, 32);
  cr_expect_eq(info.batch, 1);
  cr_expect_eq(info.threads, 2);
  cr_expect_eq(info.isa, SK_ISA_GENERIC);
  cr_expect_eq(info.layers, 19);
  cr_expect_str_eq(info.cpu, "a CPU");
  cr_expect_str_eq(info.version, "0.1.0");
  sk_plan_close(plan);
  free(text);
}

static uint32_t digest_of(const char *from, const char *to) {
  char *const text = change_plan(from, to);
  sk_plan *const plan = parse_whole(text);
  sk_plan_info info;
  sk_plan_describe(plan, &info);
  sk_plan_close(plan);
  free(text);
  return info.digest;
}

Test(plan, digests_what_runs_and_nothing_else) {
  const uint32_t digest = digest_of("", "");
  cr_expect_eq(digest, digest_of("\"batch\": 1", "\"batch\": 8"));
  cr_expect_eq(digest, digest_of("0.125", "0.25"));
  cr_expect_eq(digest, digest_of("\"layers\"", "\"of_another_day\": [null, {\"a\": true}], \"layers\""));
  cr_expect_neq(digest, digest_of("winograd6", "winograd4"));
  cr_expect_neq(digest, digest_of(MODEL, "resnet32-cifar"));
}

Test(plan, opens_a_file) {
  char *const text = form_plan();
  char *const path = put_file("a.plan", text, strlen(text));
  sk_plan *plan = NULL;
  cr_expect_eq(sk_plan_open(&plan, path), SK_OK, "%s", sk_error_message());
  cr_expect_str_eq(sk_plan_source(plan), path);
  sk_plan_close(plan);
  sk_plan_close(NULL);
  cr_expect_eq(sk_plan_open(&plan, temporary_folder), SK_IO_ERROR);
  cr_expect_null(plan);
  cr_expect_eq(sk_plan_open(&plan, NULL), SK_INVALID_ARGUMENT);
  cr_expect_eq(sk_plan_open(NULL, path), SK_INVALID_ARGUMENT);
  free(path);
  free(text);
}

/* ---- What is refused ---------------------------------------------------------------------------------------- */

static void expect_said(sk_status status, const char *part) {
  cr_expect_eq(status, SK_BAD_FORMAT, "\"%s\": %s", part, sk_status_name(status));
  cr_expect_not_null(strstr(sk_error_message(), "case.plan: "), "%s", sk_error_message());
  cr_expect_not_null(strstr(sk_error_message(), part), "\"%s\" lacks \"%s\"", sk_error_message(), part);
  cr_expect_null(strchr(sk_error_message(), '\n'), "%s", sk_error_message());
}

static void expect_bytes_refused(const char *text, size_t length, const char *part) {
  sk_plan *plan;
  const sk_status status = parse(&plan, text, length);
  cr_expect_null(plan, "\"%s\"", part);
  expect_said(status, part);
}

static void expect_text_refused(const char *text, const char *part) { expect_bytes_refused(text, strlen(text), part); }

static void expect_refused(const char *from, const char *to, const char *part) {
  char *const text = change_plan(from, to);
  expect_text_refused(text, part);
  free(text);
}

Test(plan, refuses_what_is_no_plan) {
  expect_text_refused("", "JSON byte 0");
  expect_text_refused("algorithm: direct", "JSON byte 0: not valid JSON");
  expect_text_refused("[]", "a list, expected an object");
  expect_text_refused("7", "7, expected an object");
  expect_text_refused("true", "true, expected an object");
  expect_text_refused("{}", "\"format\": missing, expected \"skiplane-plan 1\"");
  expect_refused("skiplane-plan 1", "skiplane-plan 2", "\"format\": \"skiplane-plan 2\", expected \"skiplane-plan 1\"");
  expect_refused("skiplane-plan 1", "skiplane-profile 1", "\"format\": \"skiplane-profile 1\"");
  expect_refused("]}\n", "]} {}", "something behind the plan");
  expect_refused("]}\n", "]", "not valid JSON");
  expect_refused("\"batch\": 1", "\"batch\": 1, \"batch\": 1", "key \"batch\" appears twice");
  expect_refused("a CPU", "a \xFF CPU", "invalid UTF-8");
  char *const text = form_plan();
  const size_t length = strlen(text);
  for (size_t i = 1; i + 2 < length; i += 97) expect_bytes_refused(text, i, "JSON byte");
  text[length - 1] = '\0'; /* where the line ends */
  expect_bytes_refused(text, length, "JSON byte");
  free(text);
}

Test(plan, refuses_numbers_that_json_does_not_have) {
  static const char *const numbers[] = {"01",  "1.",   ".5",    "-",   "+1",    "1e",
                                        "1e+", "0x10", "1.5.5", "--1", "1e5e5", "-01"};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    char *const text = change_plan("0.125", numbers[i]);
    sk_plan *plan;
    cr_expect_eq(parse(&plan, text, strlen(text)), SK_BAD_FORMAT, "%s", numbers[i]);
    free(text);
  }
  expect_refused("0.125", "1e999", "not finite");
  expect_refused("-1.5e3", "-1e999", "\"seed\": a number that is not finite");
  cr_expect_eq(digest_of("0.125", "-0.5E-3"), digest_of("0.125", "10"));
}

Test(plan, refuses_fields_of_another_kind) {
  expect_refused("\"model\": \"" MODEL "\"", "\"model\": 20", "\"model\": 20, expected a text of 1 to 255 bytes");
  expect_refused("\"model\"", "\"modle\"", "\"model\": missing, expected a text");
  expect_refused("a CPU", "", "\"cpu\": \"\", expected a text");
  expect_refused("float32", "bfloat16", "\"element_type\": \"bfloat16\", expected \"float32\"");
  expect_refused("forward", "backward", "\"direction\": \"backward\", expected \"forward\"");
  expect_refused("\"in_height\": 32", "\"in_height\": 32.5", "\"in_height\": 32.5, expected a whole number");
  expect_refused("\"in_width\": 32", "\"in_width\": \"32\"", "\"in_width\": \"32\", expected a whole number");
  expect_refused("\"batch\": 1", "\"batch\": 0", "\"batch\": 0, expected a whole number from 1 to 65536");
  expect_refused("\"batch\": 1", "\"batch\": -1", "\"batch\": -1, expected");
  expect_refused("\"batch\": 1", "\"batch\": 1e300", "\"batch\": 1e+300, expected");
  expect_refused("\"batch\": 1", "\"batch\": null", "\"batch\": null, expected");
  expect_refused("\"batch\": 1", "\"batch\": {}", "\"batch\": an object, expected");
  expect_refused("\"threads\": 2", "\"threads\": false", "\"threads\": false, expected a whole number from 1 to 4096");
  expect_refused("\"isa\": \"generic\"", "\"isa\": \"auto\"",
                 "\"isa\": \"auto\", expected generic, avx2, avx512, neon or sse41");
  expect_refused("\"isa\": \"generic\"", "\"isa\": []", "\"isa\": a list, expected");
  expect_refused("\"version\": \"0.1.0\"", "\"version\": true", "\"version\": true, expected");
  expect_refused("\"layers\"", "\"layer\"", "\"layers\": missing, expected a list");
  expect_refused("\"layers\": [", "\"layers\": {}, \"rest\": [", "\"layers\": an object, expected a list");
}

Test(plan, refuses_layers_that_are_none) {
  expect_refused("[", "[5,", "layer number 1: 5, expected an object");
  expect_refused("\"name\": \"conv1\"", "\"title\": \"conv1\"", "layer number 1: \"name\": missing, expected a text");
  expect_refused("\"shape\"", "\"form\"", "layer \"conv1\": \"shape\": missing, expected a text");
  expect_refused(
      "winograd6", "winogard6",
      "expected direct, winograd2, winograd4, winograd6, gemm, strassen or winograd3; did you mean winograd6?");
  expect_refused("winograd6", "auto", "\"algorithm\": \"auto\", expected direct");
  expect_refused("winograd6", "reference", "\"algorithm\": \"reference\", expected direct");
  expect_refused("\"winograd6\"", "6", "\"algorithm\": 6, expected direct");
  expect_refused("\"name\": \"layer1.0.conv1\"", "\"name\": \"conv1\"", "layer \"conv1\": stands twice, expected once");
}

Test(plan, refuses_what_is_too_long) {
  static char text[SK_PLAN_MAX_BYTES + 2];
  memset(text, ' ', sizeof text);
  text[0] = '{';
  expect_bytes_refused(text, SK_PLAN_MAX_BYTES + 1, "16777217 bytes, expected a plan of at most 16777216");
  char name[400];
  memset(name, 'm', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  expect_refused(MODEL, name, "expected a text of 1 to 255 bytes");
  expect_refused("\"layers\"", "\"deep\": [[[[[[[[[[]]]]]]]]]], \"layers\"", "nested too deeply");
}

/* ---- Against a network -------------------------------------------------------------------------------------- */

static void expect_misfit(const char *from, const char *to, const char *part) {
  char *const text = change_plan(from, to);
  sk_plan *const plan = parse_whole(text);
  struct sk_graph graph = build();
  expect_said(sk_plan_check(plan, MODEL, &graph), part);
  sk_graph_destroy(&graph);
  sk_plan_close(plan);
  free(text);
}

Test(plan, refuses_another_network) {
  expect_misfit(MODEL, "resnet20-cifar-b", "\"model\": \"resnet20-cifar-b\", expected \"resnet20-cifar\"");
  expect_misfit("\"in_height\": 32", "\"in_height\": 33", "input 33x32, expected 32x32");
  expect_misfit("\"in_width\": 32", "\"in_width\": 64", "input 32x64, expected 32x32");
  expect_misfit("layer1.0.conv1", "layer1.0.conv3",
                "layer \"layer1.0.conv3\": no convolution of resnet20-cifar, did you mean layer1.0.conv1?");
  expect_misfit("layer1.0.conv1", "fc", "layer \"fc\": no convolution of resnet20-cifar");
  expect_misfit("3x32x32 -> 16x32x32", "3x32x32 -> 16x16x16",
                "layer \"conv1\": shape 3x32x32 -> 16x16x16 3x3 s1, expected 3x32x32 -> 16x32x32 3x3 s1");
  expect_misfit("3x3 s2\", \"algorithm\": \"", "3x3 s2\", \"algorithm\": \"winograd6\", \"before\": \"",
                "layer \"layer2.0.conv1\": algorithm winograd6 does not apply");
}

/* The name of a network that came from a file is that file's, which may be anything. */
Test(plan, refuses_a_layer_in_one_line_whatever_the_network_is_called) {
  static const char name[] = "a\nb.onnx";
  struct sk_graph graph = build();
  char *const text = change_plan("\"model\": \"" MODEL, "\"model\": \"a\\nb.onnx");
  strstr(text, "layer1.0.conv1")[strlen("layer1.0.conv")] = '3';
  sk_plan *const plan = parse_whole(text);
  expect_said(sk_plan_check(plan, name, &graph),
              "layer \"layer1.0.conv3\": no convolution of a\\x0ab.onnx, did you mean");
  sk_graph_destroy(&graph);
  sk_plan_close(plan);
  free(text);
}

Test(plan, refuses_a_layer_less) {
  char *const text = form_plan();
  char *const first = strstr(text, "\n{");
  char *const second = strstr(first + 1, "\n{");
  memmove(first, second, strlen(second) + 1);
  sk_plan *const plan = parse_whole(text);
  struct sk_graph graph = build();
  expect_said(sk_plan_check(plan, MODEL, &graph), "layer \"conv1\": missing, expected 3x32x32 -> 16x32x32 3x3 s1");
  sk_graph_destroy(&graph);
  sk_plan_close(plan);
  free(text);
}

static sk_net *create(const sk_weights *weights, const sk_net_options *options) {
  sk_net *net = NULL;
  cr_assert_eq(sk_net_create(&net, MODEL, weights, options), SK_OK, "%s", sk_error_message());
  return net;
}

Test(plan, runs_as_it_says) {
  char *const text = form_plan();
  sk_plan *const plan = parse_whole(text);
  sk_weights *weights = NULL;
  cr_assert_eq(sk_weights_random(&weights, MODEL, 0, 1), SK_OK);
  sk_net *const net = create(weights, &(sk_net_options){.plan = plan, .batch = 3, .threads = 1});
  sk_plan_close(plan); /* only read while the net is made */
  sk_weights_close(weights);
  struct sk_graph graph = build();
  sk_net_info info;
  size_t number = 0;
  sk_net_describe(net, &info);
  for (size_t i = 0; i < info.layers; i++) {
    sk_layer_info layer;
    cr_assert_eq(sk_net_layer(net, i, &layer), SK_OK);
    const struct sk_node *const node = &graph.nodes[sk_graph_find(&graph, layer.name)];
    if (node->op != SK_NODE_CONV) continue;
    cr_expect_eq(layer.algorithm, algorithm_of(node, number, SK_ALGORITHM_AUTO), "%s", layer.name);
    number++;
  }
  cr_expect_eq(number, 19);
  sk_graph_destroy(&graph);
  sk_net_destroy(net);
  free(text);
}

/* A net's logits of one image; free them. */
static float *logits_of(const sk_weights *weights, const sk_net_options *options) {
  sk_net *const net = create(weights, options);
  sk_net_info info;
  sk_net_describe(net, &info);
  float *const x = malloc(info.in_channels * info.in_height * info.in_width * sizeof *x);
  float *const y = calloc(info.classes, sizeof *y);
  void *const workspace = sk_alloc(info.workspace_bytes);
  cr_assert(x && y && workspace);
  for (size_t i = 0; i < info.in_channels * info.in_height * info.in_width; i++) x[i] = sinf((float)i);
  cr_assert_eq(sk_net_run(net, 1, x, y, workspace), SK_OK, "%s", sk_error_message());
  sk_free(workspace);
  free(x);
  sk_net_destroy(net);
  return y;
}

static float *logits_of_plan(const sk_weights *weights, sk_algorithm all) {
  char *const text = form_plan_of(all);
  sk_plan *const plan = parse_whole(text);
  float *const logits = logits_of(weights, &(sk_net_options){.plan = plan});
  sk_plan_close(plan);
  free(text);
  return logits;
}

/* A plan with one algorithm wherever it applies gives the bits of that algorithm; one that mixes them, others. */
Test(plan, gives_the_bits_of_its_algorithms) {
  sk_weights *weights = NULL;
  cr_assert_eq(sk_weights_random(&weights, MODEL, 0, 1), SK_OK);
  float *const expected = logits_of(weights, &(sk_net_options){.algorithm = SK_ALGORITHM_WINOGRAD4});
  float *const uniform = logits_of_plan(weights, SK_ALGORITHM_WINOGRAD4);
  float *const mixed = logits_of_plan(weights, SK_ALGORITHM_AUTO);
  cr_expect_arr_eq(uniform, expected, 10 * sizeof *uniform);
  cr_expect_arr_neq(mixed, expected, 10 * sizeof *mixed);
  free(expected);
  free(uniform);
  free(mixed);
  sk_weights_close(weights);
}

Test(plan, is_refused_beside_an_algorithm_and_by_another_network) {
  char *const text = form_plan();
  sk_plan *const plan = parse_whole(text);
  sk_weights *weights = NULL;
  sk_net *net = NULL;
  cr_assert_eq(sk_weights_random(&weights, MODEL, 0, 1), SK_OK);
  sk_net_options options = {.plan = plan, .algorithm = SK_ALGORITHM_DIRECT};
  cr_expect_eq(sk_net_create(&net, MODEL, weights, &options), SK_INVALID_ARGUMENT);
  cr_expect_not_null(strstr(sk_error_message(), "direct beside a plan"), "%s", sk_error_message());
  options = (sk_net_options){.plan = plan, .in_height = 40, .in_width = 48};
  expect_said(sk_net_create(&net, MODEL, weights, &options), "input 32x32, expected 40x48");
  cr_expect_null(net);
  sk_weights_close(weights);
  sk_plan_close(plan);
  free(text);
}
