/* Planned networks: binding of weights, results against the reference, taps, bits, and what is refused. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include "reference/network.h"
#include "resnet/bind.h"
#include "resnet/network.h"

static void expect_message(sk_status status, sk_status expected, const char *part) {
  cr_expect_eq(status, expected, "%s, expected %s", sk_status_name(status), sk_status_name(expected));
  cr_expect(strstr(sk_error_message(), part), "\"%s\" does not say \"%s\"", sk_error_message(), part);
}

static sk_weights *draw(const char *model, uint64_t seed) {
  sk_weights *weights = NULL;
  cr_assert_eq(sk_weights_random(&weights, model, 0, seed), SK_OK, "%s", sk_error_message());
  return weights;
}

static sk_net *create(const char *model, const sk_weights *weights, const sk_net_options *options) {
  sk_net *net = NULL;
  cr_assert_eq(sk_net_create(&net, model, weights, options), SK_OK, "%s", sk_error_message());
  return net;
}

static sk_net_info describe(const sk_net *net) {
  sk_net_info info;
  sk_net_describe(net, &info);
  return info;
}

/* Images of noise, of mean 0 and variance 1, the same on every call. */
static float *draw_images(size_t count) {
  float *const x = malloc(count * sizeof *x);
  cr_assert_not_null(x);
  uint64_t state = 42;
  for (size_t i = 0; i < count; i++) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    x[i] = (float)(((double)(state >> 40) * 0x1p-23 - 1) * 1.7320508);
  }
  return x;
}

/* A workspace full of NaN, so that nothing may be read before it is written. */
static void *nan_workspace(const sk_net *net) {
  const size_t bytes = describe(net).workspace_bytes;
  void *const workspace = sk_alloc(bytes);
  cr_assert_not_null(workspace);
  memset(workspace, 0xFF, bytes);
  return workspace;
}

/* Run a net's planned batch. Free the logits. */
static float *run(const sk_net *net, const float *x, void *workspace) {
  const sk_net_info info = describe(net);
  float *const y = malloc(info.batch * info.classes * sizeof *y);
  cr_assert_not_null(y);
  cr_assert_eq(sk_net_run(net, info.batch, x, y, workspace), SK_OK, "%s", sk_error_message());
  return y;
}

/* ---- Binding ------------------------------------------------------------------------------------------------ */

/* How a copy of weights differs from the original: each tensor whose name contains `match` is renamed, reshaped or
 * left out, by what is set. */
enum reshaping { KEEP, FLATTEN /* [elements] */, APPEND_ONE /* [..., 1] */ };
struct change {
  const char *match;
  const char *with; /* in place of `match`, NULL to leave the tensor out */
  enum reshaping reshaping;
};

/* The tensor's name with one change made; false if it is to be left out. */
static bool changed_name(const char *name, const struct change *change, char *out, size_t size) {
  const char *const at = strstr(name, change->match);
  snprintf(out, size, "%s", name);
  if (!at || change->reshaping != KEEP) return true;
  if (change->with) snprintf(out, size, "%.*s%s%s", (int)(at - name), name, change->with, at + strlen(change->match));
  return change->with != NULL;
}

/* Write the tensor's changed shape and return its rank. */
static size_t changed_shape(const struct sk_weight_tensor *tensor, const struct change *change, size_t *shape) {
  memcpy(shape, tensor->shape, tensor->rank * sizeof *shape);
  if (change->reshaping == KEEP || !strstr(tensor->name, change->match)) return tensor->rank;
  if (change->reshaping == FLATTEN) {
    shape[0] = tensor->elements;
    return 1;
  }
  shape[tensor->rank] = 1;
  return tensor->rank + 1;
}

static void copy_tensor(sk_weights *copy, const struct sk_weight_tensor *tensor, const struct change *change) {
  char name[160];
  size_t shape[SK_TENSOR_MAX_RANK];
  float *data = NULL;
  if (!changed_name(tensor->name, change, name, sizeof name)) return;
  const size_t rank = changed_shape(tensor, change, shape);
  cr_assert_eq(sk_weights_add(copy, name, rank, shape, &data), SK_OK, "%s", sk_error_message());
  sk_weight_tensor_read(tensor, data);
}

static sk_weights *copy_changed(const sk_weights *weights, struct change change) {
  sk_weights *copy = NULL;
  cr_assert_eq(sk_weights_new(&copy), SK_OK);
  for (size_t i = 0; i < sk_weights_count(weights); i++) copy_tensor(copy, sk_weights_at(weights, i), &change);
  return copy;
}

static void expect_bind(const char *model, const sk_weights *weights, const sk_net_options *options, const char *part) {
  struct sk_graph graph = {0};
  const sk_status status = sk_network_load(&graph, model, weights, options);
  if (part) {
    expect_message(status, SK_BAD_FORMAT, part);
  } else {
    cr_expect_eq(status, SK_OK, "%s", sk_error_message());
  }
  sk_graph_destroy(&graph);
}

static void expect_bind_changed(const char *model, struct change change, const char *part) {
  sk_weights *const weights = draw(model, 1);
  sk_weights *const changed = copy_changed(weights, change);
  expect_bind(model, changed, NULL, part);
  sk_weights_close(changed);
  sk_weights_close(weights);
}

Test(bind, names_are_told_apart) {
  expect_bind_changed("resnet20-cifar", (struct change){"linear.", "fc.", KEEP}, NULL);
  expect_bind_changed("resnet20-cifar", (struct change){"layer", "module.layer", KEEP}, NULL);
  expect_bind_changed("resnet20-cifar", (struct change){"linear.", "module.fc.", KEEP}, NULL);
  expect_bind_changed("resnet20-cifar-b", (struct change){"shortcut.", "downsample.", KEEP}, NULL);
  expect_bind_changed("resnet18", (struct change){"downsample.", "shortcut.", KEEP}, NULL);
  expect_bind_changed("resnet18", (struct change){"fc.", "linear.", KEEP}, NULL);
}

Test(bind, missing_tensors_are_named) {
  expect_bind_changed("resnet20-cifar", (struct change){"layer2.1.bn1.running_var", NULL, KEEP},
                      "\"layer2.1.bn1.running_var\": missing, expected shape [32]");
  expect_bind_changed("resnet20-cifar", (struct change){"conv1.weight", NULL, KEEP}, "\"conv1.weight\": missing");
  expect_bind_changed("resnet20-cifar", (struct change){"linear.bias", NULL, KEEP}, "\"linear.bias\": missing");
  expect_bind_changed("resnet20-cifar", (struct change){"linear.weight", NULL, KEEP}, "\"linear.weight\": missing");
}

Test(bind, misshapen_tensors_are_named_with_both_shapes) {
  expect_bind_changed("resnet20-cifar", (struct change){"layer1.0.conv1.weight", NULL, FLATTEN},
                      "\"layer1.0.conv1.weight\": shape [2304], expected [16, 16, 3, 3]");
  expect_bind_changed("resnet20-cifar", (struct change){"linear.weight", NULL, FLATTEN},
                      "\"linear.weight\": shape [640], expected [10, 64]");
  expect_bind_changed("resnet20-cifar", (struct change){"linear.bias", NULL, APPEND_ONE},
                      "\"linear.bias\": shape [10, 1], expected [10]");
}

static void expect_bind_with_extra(const char *model, const char *name, const char *part) {
  sk_weights *const weights = draw(model, 1);
  float *data = NULL;
  cr_assert_eq(sk_weights_add(weights, name, 1, (const size_t[]){1}, &data), SK_OK);
  expect_bind(model, weights, NULL, part);
  sk_weights_close(weights);
}

Test(bind, unknown_tensors_are_named) {
  expect_bind_with_extra("resnet20-cifar", "layer3.3.conv1.weight", "\"layer3.3.conv1.weight\": unknown");
  expect_bind_with_extra("resnet20-cifar", "conv1.bias", "\"conv1.bias\": unknown");
  expect_bind_with_extra("resnet20-cifar", "fc.weight", ": unknown");
  expect_bind_with_extra("resnet20-cifar", "module.conv1.weight", "\"module.conv1.weight\": unknown");
  expect_bind_with_extra("resnet20-cifar", "layer2.0.shortcut.0.weight", "sibling ending in -b");
  expect_bind_with_extra("resnet20-cifar", "bn1.num_batches_tracked", NULL);
  expect_bind_with_extra("resnet20-cifar", "module.bn1.num_batches_tracked", NULL);
}

Test(bind, messages_name_the_source) {
  expect_bind_with_extra("resnet20-cifar", "stray", "seeded weights: tensor \"stray\"");
}

Test(bind, other_element_types_are_refused) {
  sk_weights *const weights = draw("resnet20-cifar", 1);
  for (size_t i = 0; i < weights->count; i++) {
    if (strcmp(weights->tensors[i].name, "bn1.weight") != 0) continue;
    weights->tensors[i].dtype = SK_DTYPE_OTHER;
    weights->tensors[i].dtype_name = "I64";
  }
  expect_bind("resnet20-cifar", weights, NULL, "\"bn1.weight\": element type I64, expected F32, F16 or BF16");
  sk_weights_close(weights);
}

Test(bind, classes_are_those_of_the_weights) {
  sk_weights *weights = NULL;
  cr_assert_eq(sk_weights_random(&weights, "resnet20-cifar", 23, 1), SK_OK);
  sk_net *const net = create("resnet20-cifar", weights, NULL);
  cr_expect_eq(describe(net).classes, 23);
  sk_net_destroy(net);
  expect_bind("resnet20-cifar", weights, &(sk_net_options){.classes = 23}, NULL);
  expect_bind("resnet20-cifar", weights, &(sk_net_options){.classes = 10}, "shape [23, 64], expected [10, 64]");
  sk_weights_close(weights);
}

Test(bind, weights_of_another_network_are_refused) {
  sk_weights *const weights = draw("resnet20-cifar-b", 1);
  expect_bind("resnet20-cifar", weights, NULL, "layer2.0.shortcut.0.weight");
  expect_bind("resnet32-cifar-b", weights, NULL, "missing");
  expect_bind("resnet18", weights, NULL, "expected [64, 3, 7, 7] for resnet18");
  sk_weights_close(weights);
}

/* ---- Seeded weights ----------------------------------------------------------------------------------------- */

static bool same_tensor(const struct sk_weight_tensor *a, const struct sk_weight_tensor *b) {
  return strcmp(a->name, b->name) == 0 && a->bytes == b->bytes && memcmp(a->data, b->data, a->bytes) == 0;
}

Test(random_weights, depend_on_the_seed_alone) {
  sk_weights *const a = draw("resnet20-cifar", 1);
  sk_weights *const b = draw("resnet20-cifar", 1);
  sk_weights *const c = draw("resnet20-cifar", 2);
  cr_assert_eq(sk_weights_count(a), sk_weights_count(b));
  for (size_t i = 0; i < sk_weights_count(a); i++) {
    cr_expect(same_tensor(sk_weights_at(a, i), sk_weights_at(b, i)));
    cr_expect_not(same_tensor(sk_weights_at(a, i), sk_weights_at(c, i)), "%s", sk_weights_at(a, i)->name);
  }
  sk_weights_close(a);
  sk_weights_close(b);
  sk_weights_close(c);
}

/* The values themselves are part of the promise: a seed means the same on every platform and in every version. */
Test(random_weights, keep_their_values) {
  sk_weights *const weights = draw("resnet20-cifar", 1);
  uint64_t hash = UINT64_C(0xCBF29CE484222325);
  for (size_t i = 0; i < sk_weights_count(weights); i++) {
    const struct sk_weight_tensor *const tensor = sk_weights_at(weights, i);
    const unsigned char *const bytes = tensor->data;
    for (size_t j = 0; j < tensor->bytes; j++) hash = (hash ^ bytes[j]) * UINT64_C(0x100000001B3);
  }
  cr_expect_eq(hash, UINT64_C(0x39A08F8B3C621D7D), "0x%llX", (unsigned long long)hash);
  sk_weights_close(weights);
}

struct spread {
  double rms, difference; /* of the logits, and between the logits of two images */
};

static struct spread spread_of(const float *logits, size_t classes) {
  double square = 0, difference = 0;
  for (size_t i = 0; i < classes; i++) {
    const double a = (double)logits[i], b = (double)logits[classes + i];
    square += a * a + b * b;
    difference += (a - b) * (a - b);
  }
  return (struct spread){.rms = sqrt(square / (double)(2 * classes)), .difference = sqrt(difference / (double)classes)};
}

static void expect_sane_logits(const char *model, size_t size) {
  sk_weights *const weights = draw(model, 3);
  sk_net *const net = create(model, weights, &(sk_net_options){.batch = 2, .in_height = size, .in_width = size});
  float *const x = draw_images(2 * 3 * size * size);
  void *const workspace = nan_workspace(net);
  float *const y = run(net, x, workspace);
  const struct spread spread = spread_of(y, describe(net).classes);
  cr_expect(spread.rms > 0.1 && spread.rms < 20, "%s: logits of RMS %g", model, spread.rms);
  cr_expect(spread.difference > 0.02, "%s: two images differ by %g", model, spread.difference);
  cr_expect_eq(sk_weights_nonfinite(weights), 0);
  sk_free(workspace);
  free(x);
  free(y);
  sk_net_destroy(net);
  sk_weights_close(weights);
}

Test(random_weights, keep_activations_finite_at_any_depth) {
  expect_sane_logits("resnet18", 64);
  expect_sane_logits("resnet152", 64);
  expect_sane_logits("resnext50_32x4d", 64);
  expect_sane_logits("resnet20-cifar", 32);
  expect_sane_logits("resnet110-cifar", 32);
  expect_sane_logits("resnet1202-cifar", 32);
  expect_sane_logits("resnet1202-cifar-b", 32);
}

Test(random_weights, refuse_unknown_models) {
  sk_weights *weights = NULL;
  cr_expect_eq(sk_weights_random(&weights, "alexnet", 0, 1), SK_INVALID_ARGUMENT);
  cr_expect_null(weights);
}

/* ---- Against the reference ---------------------------------------------------------------------------------- */

/* A net with taps, and how far each is from the reference. */
struct comparison {
  const sk_net *net;
  const struct sk_graph *graph;
  const void *workspace;
  const char *const *taps;
  size_t tap_count, batch, compared;
};

static double largest(const double *values, size_t count) {
  double most = 0;
  for (size_t i = 0; i < count; i++) most = fmax(most, fabs(values[i]));
  return most;
}

static void compare_values(const char *name, const float *actual, const double *expected, size_t count) {
  const double limit = 1e-3 * largest(expected, count);
  cr_expect_gt(limit, 0, "%s: all zeros", name);
  for (size_t i = 0; i < count; i++) {
    const double error = fabs((double)actual[i] - expected[i]);
    if (error <= limit) continue;
    cr_expect_fail("%s[%zu]: %g, expected %g within %g", name, i, (double)actual[i], expected[i], limit);
    return;
  }
}

static void compare_node(void *user, size_t node, const double *output) {
  struct comparison *const c = user;
  for (size_t tap = 0; tap < c->tap_count; tap++) {
    if (sk_graph_find(c->graph, c->taps[tap]) != node) continue;
    const size_t count = c->batch * sk_node_elements(&c->graph->nodes[node]);
    float *const actual = malloc(count * sizeof *actual);
    cr_assert_not_null(actual);
    cr_assert_eq(sk_net_tap(c->net, tap, c->batch, c->workspace, actual), SK_OK, "%s", sk_error_message());
    compare_values(c->taps[tap], actual, output, count);
    c->compared++;
    free(actual);
  }
}

/* Compare the logits and the taps of a net with the reference. */
static void compare_network(const char *model, const sk_net_options *options) {
  sk_weights *const weights = draw(model, 5);
  struct sk_graph graph = {0};
  cr_assert_eq(sk_network_load(&graph, model, weights, options), SK_OK, "%s", sk_error_message());
  sk_net *const net = create(model, weights, options);
  const sk_net_info info = describe(net);
  float *const x = draw_images(info.batch * info.in_channels * info.in_height * info.in_width);
  void *const workspace = nan_workspace(net);
  float *const y = run(net, x, workspace);
  double *const expected = malloc(info.batch * info.classes * sizeof *expected);
  struct comparison comparison = {.net = net,
                                  .graph = &graph,
                                  .workspace = workspace,
                                  .taps = options->taps,
                                  .tap_count = options->tap_count,
                                  .batch = info.batch};
  cr_assert_eq(sk_reference_network_run(&graph, info.batch, x, expected, compare_node, &comparison), SK_OK);
  compare_values(model, y, expected, info.batch * info.classes);
  cr_expect_eq(comparison.compared, options->tap_count);
  free(x);
  free(y);
  free(expected);
  sk_free(workspace);
  sk_graph_destroy(&graph);
  sk_net_destroy(net);
  sk_weights_close(weights);
}

/* Compare with every layer tapped: nothing is fused then. */
static void compare_every_layer(const char *model, sk_net_options options) {
  struct sk_graph graph = {0};
  cr_assert_eq(sk_network_build(&graph, model, NULL), SK_OK);
  const char **const taps = calloc(graph.count, sizeof *taps);
  cr_assert_not_null(taps);
  for (size_t i = 0; i < graph.count; i++) taps[i] = graph.nodes[i].name;
  options.taps = taps;
  options.tap_count = graph.count;
  compare_network(model, &options);
  free(taps);
  sk_graph_destroy(&graph);
}

Test(net, every_layer_of_resnet18_is_the_reference) {
  compare_every_layer("resnet18", (sk_net_options){.batch = 2, .in_height = 64, .in_width = 64});
}

Test(net, every_layer_of_cifar_networks_is_the_reference) {
  compare_every_layer("resnet20-cifar", (sk_net_options){.batch = 1});
  compare_every_layer("resnet20-cifar-b", (sk_net_options){.batch = 1, .in_height = 33, .in_width = 47});
}

Test(net, layers_tapped_amid_fused_ones_are_the_reference) {
  const char *const taps[] = {"layer1.0.conv1", "layer1.1.bn2", "layer2.0.downsample.0",
                              "layer2.1.add",   "layer3",       "layer4.0",
                              "avgpool",        "flatten",      "fc",
                              "input"};
  compare_network(
      "resnet18",
      &(sk_net_options){
          .batch = 1, .in_height = 64, .in_width = 64, .taps = taps, .tap_count = sizeof taps / sizeof *taps});
}

/* Each tap alone, so that no other one hides a buffer that is reused too early. */
Test(net, single_taps_are_the_reference) {
  const char *const names[] = {"conv1",  "layer1.0.conv1", "layer2.0.shortcut", "layer2.0.add", "layer3.1.bn1",
                               "layer2", "input"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    compare_network("resnet20-cifar", &(sk_net_options){.batch = 1, .taps = &names[i], .tap_count = 1});
  }
}

Test(net, unusual_sizes_are_the_reference) {
  compare_network("resnet18", &(sk_net_options){.batch = 1, .in_height = 97, .in_width = 161});
  compare_network("resnet34", &(sk_net_options){.batch = 2, .in_height = 32, .in_width = 32});
  compare_network("resnet20-cifar", &(sk_net_options){.batch = 3, .in_height = 35, .in_width = 41, .softmax = true});
}

Test(net, bottlenecks_and_groups_are_the_reference) {
  compare_network("resnet50", &(sk_net_options){.in_height = 40, .in_width = 64});
  compare_network("resnet50", &(sk_net_options){.in_height = 64, .in_width = 40, .version = SK_RESNET_V1});
  compare_network("resnext50_32x4d", &(sk_net_options){.in_height = 40, .in_width = 64});
}

Test(net, every_algorithm_is_the_reference) {
  for (int a = SK_ALGORITHM_AUTO; a < SK_ALGORITHM_COUNT; a++) {
    const bool begins = a == SK_ALGORITHM_WINOGRAD3; /* of use to the first layer of larger pictures alone */
    const char *const model = begins ? "resnet18" : "resnet20-cifar-b";
    sk_weights *const weights = draw(model, 5);
    sk_net *net = NULL;
    const sk_net_options options = {.algorithm = (sk_algorithm)a, .batch = 2, .in_height = 32, .in_width = 32};
    const sk_status status = sk_net_create(&net, model, weights, &options);
    sk_net_destroy(net);
    sk_weights_close(weights);
    if (a == SK_ALGORITHM_GEMM && status == SK_UNSUPPORTED) {
      fprintf(stderr, "SKIPPED: gemm: %s\n", sk_error_message());
      continue;
    }
    cr_expect_eq(status, SK_OK, "%s", sk_error_message());
    compare_network(model, &options);
  }
}

/* ---- Bits --------------------------------------------------------------------------------------------------- */

/* Run images as options have it, `at_a_time` <= the planned batch in each run, and return the logits. */
static float *run_in_batches(const char *model, const sk_weights *weights, const sk_net_options *options, size_t images,
                             size_t at_a_time, const float *x) {
  sk_net *const net = create(model, weights, options);
  const sk_net_info info = describe(net);
  const size_t image = info.in_channels * info.in_height * info.in_width;
  float *const y = malloc(images * info.classes * sizeof *y);
  void *const workspace = nan_workspace(net);
  cr_assert_not_null(y);
  for (size_t first = 0; first < images; first += at_a_time) {
    const size_t count = images - first < at_a_time ? images - first : at_a_time;
    cr_assert_eq(sk_net_run(net, count, x + first * image, y + first * info.classes, workspace), SK_OK);
  }
  sk_free(workspace);
  sk_net_destroy(net);
  return y;
}

/* What a run must not depend on; `batch` is that of a run, and of the plan too unless the algorithm is auto. */
struct circumstances {
  sk_isa isa;
  size_t batch, images;
  int threads;
};

static void expect_logits(const char *model, const sk_weights *weights, sk_net_options options,
                          struct circumstances circumstances, const float *x, const float *expected) {
  options.isa = circumstances.isa;
  if (options.algorithm != SK_ALGORITHM_AUTO) options.batch = circumstances.batch;
  options.threads = circumstances.threads;
  float *const actual = run_in_batches(model, weights, &options, circumstances.images, circumstances.batch, x);
  const size_t classes = sk_bind_find(weights, "fc.bias")->elements;
  cr_expect(memcmp(actual, expected, circumstances.images * classes * sizeof *actual) == 0,
            "%s, %s, %s, batch %zu of %zu, %d threads: other bits", model, sk_algorithm_name(options.algorithm),
            sk_isa_name(options.isa), circumstances.batch, options.batch, options.threads);
  free(actual);
}

/* The bits belong to the algorithm of each layer, which auto chooses by the planned batch, too: its plans are all made
 * for the largest batch, with fewer images in some runs. The others are planned for the batch that they run. Generic
 * kernels may be some hundred times slower: a single image has to do. */
static void expect_same_bits(const char *model, sk_algorithm algorithm, size_t size) {
  enum { IMAGES = 5, LARGEST = 3 };
  sk_weights *const weights = draw(model, 7);
  float *const x = draw_images(IMAGES * 3 * size * size);
  const size_t planned = algorithm == SK_ALGORITHM_AUTO ? LARGEST : 1;
  const sk_net_options options = {
      .algorithm = algorithm, .threads = 1, .batch = planned, .in_height = size, .in_width = size};
  float *const expected = run_in_batches(model, weights, &options, IMAGES, 1, x);
  expect_logits(model, weights, options, (struct circumstances){SK_ISA_GENERIC, LARGEST, 1, 2}, x, expected);
  for (int isa = SK_ISA_GENERIC + 1; isa < SK_ISA_COUNT; isa++) {
    if (!sk_isa_available((sk_isa)isa)) continue;
    expect_logits(model, weights, options, (struct circumstances){(sk_isa)isa, 1, IMAGES, 1}, x, expected);
    expect_logits(model, weights, options, (struct circumstances){(sk_isa)isa, LARGEST, IMAGES, 1}, x, expected);
    expect_logits(model, weights, options, (struct circumstances){(sk_isa)isa, LARGEST, IMAGES, 2}, x, expected);
  }
  free(expected);
  free(x);
  sk_weights_close(weights);
}

Test(net, bits_do_not_depend_on_isa_batch_or_threads) {
  expect_same_bits("resnet20-cifar", SK_ALGORITHM_AUTO, 32);
  expect_same_bits("resnet20-cifar-b", SK_ALGORITHM_DIRECT, 32);
  expect_same_bits("resnet20-cifar", SK_ALGORITHM_WINOGRAD2, 32);
  expect_same_bits("resnet20-cifar", SK_ALGORITHM_WINOGRAD4, 32);
  expect_same_bits("resnet20-cifar", SK_ALGORITHM_WINOGRAD6, 32);
  expect_same_bits("resnet18", SK_ALGORITHM_AUTO, 48);
  expect_same_bits("resnet18", SK_ALGORITHM_WINOGRAD4, 48); /* stride 2, too */
  expect_same_bits("resnet20-cifar-b", SK_ALGORITHM_STRASSEN, 32);
}

/* F(3,4) reads images where the caller has them, aligned as floats are; a tap of them has them copied. */
Test(net, images_are_read_where_they_lie_and_left_alone) {
  enum { BATCH = 3, SIDE = 64, FLOATS = BATCH * 3 * SIDE * SIDE };
  const char *const taps[] = {"input"};
  sk_net_options options = {.batch = BATCH, .in_height = SIDE, .in_width = SIDE, .threads = 2};
  sk_weights *const weights = draw("resnet18", 4);
  float *const x = draw_images(FLOATS), *const shifted = malloc((FLOATS + 1) * sizeof *shifted);
  cr_assert_not_null(shifted);
  memcpy(shifted + 1, x, FLOATS * sizeof *x);

  sk_net *net = create("resnet18", weights, &options);
  sk_layer_info stem;
  cr_assert_eq(sk_net_layer(net, 0, &stem), SK_OK);
  cr_assert_eq(stem.algorithm, SK_ALGORITHM_WINOGRAD3);
  const size_t plain_bytes = describe(net).workspace_bytes;
  void *workspace = nan_workspace(net);
  float *const y = run(net, shifted + 1, workspace);
  cr_expect_eq(memcmp(shifted + 1, x, FLOATS * sizeof *x), 0);
  sk_free(workspace);
  sk_net_destroy(net);

  options.taps = taps;
  options.tap_count = 1;
  net = create("resnet18", weights, &options);
  cr_expect_gt(describe(net).workspace_bytes, plain_bytes);
  workspace = nan_workspace(net);
  float *const tapped_y = run(net, x, workspace);
  cr_expect_eq(memcmp(y, tapped_y, BATCH * describe(net).classes * sizeof *y), 0);
  cr_expect_eq(sk_net_tap(net, 0, BATCH, workspace, shifted), SK_OK, "%s", sk_error_message());
  cr_expect_eq(memcmp(shifted, x, FLOATS * sizeof *x), 0);
  sk_free(workspace);
  sk_net_destroy(net);
  sk_weights_close(weights);
  free(x);
  free(shifted);
  free(y);
  free(tapped_y);
}

Test(net, runs_do_not_depend_on_what_the_workspace_held) {
  sk_weights *const weights = draw("resnet20-cifar", 7);
  sk_net *const net = create("resnet20-cifar", weights, &(sk_net_options){.batch = 2});
  float *const x = draw_images(2 * 3 * 32 * 32);
  void *const workspace = nan_workspace(net);
  float *const first = run(net, x, workspace);
  float *const second = run(net, x, workspace);
  cr_expect(memcmp(first, second, 2 * 10 * sizeof *first) == 0);
  free(x);
  free(first);
  free(second);
  sk_free(workspace);
  sk_net_destroy(net);
  sk_weights_close(weights);
}

/* One of several threads that run a net at the same time. */
struct runner {
  const sk_net *net;
  const float *x;
  float y[10];
};

static int run_many_times(void *user) {
  struct runner *const runner = user;
  void *const workspace = nan_workspace(runner->net);
  bool ok = true;
  for (size_t i = 0; i < 20; i++) ok = ok && sk_net_run(runner->net, 1, runner->x, runner->y, workspace) == SK_OK;
  sk_free(workspace);
  return ok;
}

Test(net, threads_share_a_plan) {
  enum { RUNNERS = 4 };
  sk_weights *const weights = draw("resnet20-cifar", 1);
  sk_net *const net = create("resnet20-cifar", weights, &(sk_net_options){.threads = 1});
  float *const x = draw_images(RUNNERS * 3 * 32 * 32);
  void *const workspace = nan_workspace(net);
  struct runner runners[RUNNERS];
  thrd_t threads[RUNNERS];
  for (size_t i = 0; i < RUNNERS; i++) {
    runners[i] = (struct runner){.net = net, .x = x + i * 3 * 32 * 32};
    cr_assert_eq(thrd_create(&threads[i], run_many_times, &runners[i]), thrd_success);
  }
  for (size_t i = 0; i < RUNNERS; i++) {
    int ok = 0;
    cr_assert_eq(thrd_join(threads[i], &ok), thrd_success);
    float *const alone = run(net, runners[i].x, workspace);
    cr_expect(ok && memcmp(alone, runners[i].y, sizeof runners[i].y) == 0, "thread %zu", i);
    free(alone);
  }
  free(x);
  sk_free(workspace);
  sk_net_destroy(net);
  sk_weights_close(weights);
}

/* ---- Describing --------------------------------------------------------------------------------------------- */

Test(net, layers_are_described_in_order) {
  sk_weights *const weights = draw("resnet18", 1);
  sk_net *const net = create("resnet18", weights, &(sk_net_options){.algorithm = SK_ALGORITHM_WINOGRAD4, .threads = 1});
  const sk_net_info info = describe(net);
  uint64_t macs = 0;
  sk_layer_info layer;
  for (size_t i = 0; i < info.layers; i++) {
    cr_assert_eq(sk_net_layer(net, i, &layer), SK_OK);
    macs += layer.macs;
    const bool is_winograd = strncmp(layer.op, "conv", 4) == 0 && layer.kernel_height == 3; /* of either stride */
    cr_expect_eq(layer.algorithm, is_winograd ? SK_ALGORITHM_WINOGRAD4 : SK_ALGORITHM_DIRECT, "%s", layer.name);
  }
  cr_expect_eq(macs, info.macs);
  cr_expect_str_eq(layer.name, "fc");
  cr_expect_str_eq(layer.op, "dense");
  cr_assert_eq(sk_net_layer(net, 3, &layer), SK_OK);
  cr_expect_str_eq(layer.name, "layer1.0.conv2");
  cr_expect_str_eq(layer.op, "conv+add+relu");
  cr_expect(layer.in_channels == 64 && layer.out_height == 56 && layer.kernel_width == 3 && layer.groups == 1);
  cr_expect_eq(sk_net_layer(net, info.layers, &layer), SK_INVALID_ARGUMENT);
  sk_net_destroy(net);
  sk_weights_close(weights);
}

static void count_layer(void *user, size_t layer) {
  size_t *const next = user;
  cr_expect_eq(layer, *next);
  ++*next;
}

Test(net, observers_see_each_layer_once_and_in_order) {
  sk_weights *const weights = draw("resnet20-cifar", 1);
  sk_net *const net = create("resnet20-cifar", weights, NULL);
  float *const x = draw_images(3 * 32 * 32);
  void *const workspace = nan_workspace(net);
  float y[10];
  size_t next = 0;
  cr_assert_eq(sk_net_run_observed(net, 1, x, y, workspace, count_layer, &next), SK_OK);
  cr_expect_eq(next, describe(net).layers);
  free(x);
  sk_free(workspace);
  sk_net_destroy(net);
  sk_weights_close(weights);
}

/* A net keeps nothing of the weights it was made from. */
Test(net, outlives_its_weights) {
  sk_weights *const weights = draw("resnet20-cifar", 1);
  const char *const taps[] = {"layer1.0.bn1"};
  sk_net *const net = create("resnet20-cifar", weights, &(sk_net_options){.taps = taps, .tap_count = 1});
  float *const x = draw_images(3 * 32 * 32);
  void *const workspace = nan_workspace(net);
  float *const before = run(net, x, workspace);
  sk_weights_close(weights);
  float *const after = run(net, x, workspace);
  cr_expect(memcmp(before, after, 10 * sizeof *before) == 0);
  free(x);
  free(before);
  free(after);
  sk_free(workspace);
  sk_net_destroy(net);
}

/* ---- Refusals ----------------------------------------------------------------------------------------------- */

static void expect_create_refused(const sk_net_options *options, sk_status expected, const char *part) {
  sk_weights *const weights = draw("resnet20-cifar-b", 1);
  sk_net *net = (sk_net *)weights; /* anything but NULL */
  expect_message(sk_net_create(&net, "resnet20-cifar-b", weights, options), expected, part);
  cr_expect_null(net);
  sk_weights_close(weights);
}

Test(net, bad_options_are_refused) {
  const char *const unknown[] = {"layer9"};
  const char *const null_name[] = {NULL};
  expect_create_refused(&(sk_net_options){.threads = -1}, SK_INVALID_ARGUMENT, "threads");
  expect_create_refused(&(sk_net_options){.threads = 1 << 30}, SK_INVALID_ARGUMENT, "threads");
  expect_create_refused(&(sk_net_options){.batch = SIZE_MAX / 64}, SK_INVALID_ARGUMENT, "");
  expect_create_refused(&(sk_net_options){.in_height = 16}, SK_INVALID_ARGUMENT, "at least 32");
  expect_create_refused(&(sk_net_options){.isa = SK_ISA_COUNT}, SK_INVALID_ARGUMENT, "isa");
  expect_create_refused(&(sk_net_options){.algorithm = SK_ALGORITHM_COUNT}, SK_INVALID_ARGUMENT, "algorithm");
  expect_create_refused(&(sk_net_options){.taps = unknown, .tap_count = 1}, SK_INVALID_ARGUMENT, "layer9");
  expect_create_refused(&(sk_net_options){.taps = null_name, .tap_count = 1}, SK_INVALID_ARGUMENT, "tap");
  expect_create_refused(&(sk_net_options){.tap_count = 1}, SK_INVALID_ARGUMENT, "taps");
  expect_create_refused(&(sk_net_options){.classes = 11}, SK_BAD_FORMAT, "[11, 64]");
}

Test(net, an_algorithm_that_no_layer_can_use_is_refused) {
  sk_weights *const weights = draw("resnext50_32x4d", 1); /* its 3x3 convolutions are grouped */
  sk_net *net = NULL;
  const sk_net_options options = {.algorithm = SK_ALGORITHM_WINOGRAD6};
  expect_message(sk_net_create(&net, "resnext50_32x4d", weights, &options), SK_UNSUPPORTED, "winograd6: of use to no");
  sk_weights_close(weights);
}

Test(net, null_arguments_are_refused) {
  sk_weights *const weights = draw("resnet20-cifar", 1);
  sk_net *net = NULL;
  expect_message(sk_net_create(&net, NULL, weights, NULL), SK_INVALID_ARGUMENT, "model");
  expect_message(sk_net_create(&net, "resnet20-cifar", NULL, NULL), SK_INVALID_ARGUMENT, "weights");
  expect_message(sk_net_create(NULL, "resnet20-cifar", weights, NULL), SK_INVALID_ARGUMENT, "net");
  sk_weights_close(weights);
  sk_net_destroy(NULL);
}

Test(net, bad_runs_are_refused) {
  sk_weights *const weights = draw("resnet20-cifar", 1);
  sk_net *const net = create("resnet20-cifar", weights, &(sk_net_options){.batch = 2});
  float *const x = draw_images(2 * 3 * 32 * 32);
  char *const workspace = nan_workspace(net);
  float y[20];
  size_t shape[3];
  expect_message(sk_net_run(net, 0, x, y, workspace), SK_INVALID_ARGUMENT, "batch: 0");
  expect_message(sk_net_run(net, 3, x, y, workspace), SK_INVALID_ARGUMENT, "batch: 3, expected 1 to 2");
  expect_message(sk_net_run(net, 1, x, y, NULL), SK_INVALID_ARGUMENT, "workspace: NULL");
  expect_message(sk_net_run(net, 1, x, y, workspace + 32), SK_INVALID_ARGUMENT, "multiple of 64");
  expect_message(sk_net_run(net, 1, NULL, y, workspace), SK_INVALID_ARGUMENT, "NULL");
  expect_message(sk_net_run(net, 1, x, NULL, workspace), SK_INVALID_ARGUMENT, "NULL");
  expect_message(sk_net_run(NULL, 1, x, y, workspace), SK_INVALID_ARGUMENT, "NULL");
  expect_message(sk_net_tap(net, 0, 1, workspace, y), SK_INVALID_ARGUMENT, "tap: number 0");
  expect_message(sk_net_tap_shape(net, 0, shape), SK_INVALID_ARGUMENT, "tap: number 0");
  free(x);
  sk_free(workspace);
  sk_net_destroy(net);
  sk_weights_close(weights);
}

Test(net, tap_shapes) {
  sk_weights *const weights = draw("resnet18", 1);
  const char *const taps[] = {"layer2", "avgpool"};
  sk_net *const net =
      create("resnet18", weights, &(sk_net_options){.in_height = 64, .in_width = 96, .taps = taps, .tap_count = 2});
  size_t shape[3];
  cr_assert_eq(sk_net_tap_shape(net, 0, shape), SK_OK);
  cr_expect(shape[0] == 128 && shape[1] == 8 && shape[2] == 12);
  cr_assert_eq(sk_net_tap_shape(net, 1, shape), SK_OK);
  cr_expect(shape[0] == 512 && shape[1] == 1 && shape[2] == 1);
  sk_net_destroy(net);
  sk_weights_close(weights);
}

/* NaN weights run and give NaN: they are the caller's to report. */
Test(net, nan_weights_are_allowed) {
  sk_weights *const weights = draw("resnet20-cifar", 1);
  float *data = (float *)(uintptr_t)sk_bind_find(weights, "fc.weight")->data;
  data[0] = NAN;
  cr_expect_eq(sk_weights_nonfinite(weights), 1);
  sk_net *const net = create("resnet20-cifar", weights, NULL);
  float *const x = draw_images(3 * 32 * 32);
  void *const workspace = nan_workspace(net);
  float *const y = run(net, x, workspace);
  cr_expect(isnan(y[0]) && isfinite(y[1]));
  free(x);
  free(y);
  sk_free(workspace);
  sk_net_destroy(net);
  sk_weights_close(weights);
}
