/* The peers in the process against the reference: whole networks, single layers, and graphs unlike ResNets. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <malloc.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peers/peers.h"
#include "config.h"
#include "reference/network.h"
#include "resnet/bind.h"
#include "resnet/network.h"

enum { BATCH = 2, RUNS = 2 };

static const double tolerance = 1e-4; /* relative L2: Winograd takes most of it */

static const struct sk_backend *const peers[] = {&sk_peer_onednn, &sk_peer_xnnpack};
enum { PEERS = sizeof peers / sizeof *peers };

/* ---- Tasks -------------------------------------------------------------------------------------------------- */

/* A graph with its weights, input and output by the reference. */
struct subject {
  const char *name;
  struct sk_graph graph;
  sk_weights *weights;
  float *x;
  double *expected;
  size_t count; /* of outputs, of the batch */
  bool is_layer;
};

/* Noise of mean 0 and variance 1/2 or so, the same on every call. */
static void fill(float *values, size_t count) {
  uint64_t state = 42;
  for (size_t i = 0; i < count; i++) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    values[i] = (float)((double)(state >> 40) * 0x1p-23 - 1);
  }
}

static void evaluate(struct subject *subject) {
  const struct sk_graph *const graph = &subject->graph;
  const size_t inputs = BATCH * sk_node_elements(&graph->nodes[0]);
  subject->count = BATCH * sk_node_elements(&graph->nodes[graph->count - 1]);
  subject->x = malloc(inputs * sizeof *subject->x);
  subject->expected = malloc(subject->count * sizeof *subject->expected);
  cr_assert(subject->x && subject->expected);
  fill(subject->x, inputs);
  cr_assert_eq(sk_reference_network_run(graph, BATCH, subject->x, subject->expected, NULL, NULL), SK_OK, "%s",
               sk_error_message());
}

static struct subject make_network(const char *model, size_t size) {
  struct subject subject = {.name = model};
  const sk_net_options options = {.in_height = size, .in_width = size + 8, .softmax = strstr(model, "cifar-b") != NULL};
  cr_assert_eq(sk_weights_random(&subject.weights, model, 0, 7), SK_OK, "%s", sk_error_message());
  cr_assert_eq(sk_network_load(&subject.graph, model, subject.weights, &options), SK_OK, "%s", sk_error_message());
  evaluate(&subject);
  return subject;
}

static void add_parameters(sk_weights *weights, const struct sk_graph *graph, size_t node) {
  for (int i = 0; i < SK_PARAMETER_COUNT; i++) {
    size_t shape[4];
    float *data = NULL;
    char name[64];
    const size_t rank = sk_node_parameter_shape(graph, node, (enum sk_parameter)i, shape);
    if (rank == 0) continue;
    snprintf(name, sizeof name, "%s.%s", graph->nodes[node].name, sk_parameter_name((enum sk_parameter)i));
    cr_assert_eq(sk_weights_add(weights, name, rank, shape, &data), SK_OK, "%s", sk_error_message());
    const size_t count = sk_node_parameter_elements(graph, node, (enum sk_parameter)i);
    fill(data, count);
    for (size_t j = 0; i == SK_PARAMETER_VARIANCE && j < count; j++) data[j] = fabsf(data[j]) + 0.5F;
  }
}

/* Draw weights for a graph made by hand. */
static void finish(struct subject *subject) {
  cr_assert_eq(subject->graph.status, SK_OK, "%s", sk_error_message());
  cr_assert_eq(sk_weights_new(&subject->weights), SK_OK);
  for (size_t i = 0; i < subject->graph.count; i++) add_parameters(subject->weights, &subject->graph, i);
  cr_assert_eq(sk_graph_bind(&subject->graph, subject->name, subject->weights), SK_OK, "%s", sk_error_message());
  evaluate(subject);
}

static void free_subject(struct subject *subject) {
  sk_graph_destroy(&subject->graph);
  sk_weights_close(subject->weights);
  free(subject->x);
  free(subject->expected);
}

/* ---- Running ------------------------------------------------------------------------------------------------ */

static double l2_error(const float *y, const double *expected, size_t count) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < count; i++) {
    error += ((double)y[i] - expected[i]) * ((double)y[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  return sqrt(error / norm);
}

/* Run what was loaded, more than once. */
static void expect_output(const struct sk_backend *peer, void *instance, const struct subject *subject) {
  double seconds[RUNS] = {-1, -1};
  float *const y = malloc(subject->count * sizeof *y);
  cr_assert_not_null(y);
  cr_assert_eq(peer->run(instance, RUNS, seconds), SK_OK, "%s", sk_error_message());
  for (size_t i = 0; i < RUNS; i++) cr_expect_geq(seconds[i], 0, "%s: run %zu has no time", peer->name, i);
  cr_assert_eq(peer->output(instance, y), SK_OK, "%s", sk_error_message());
  const double error = l2_error(y, subject->expected, subject->count);
  cr_expect(error < tolerance, "%s, %s: error %g", peer->name, subject->name, error);
  free(y);
}

static void expect_subject(const struct sk_backend *peer, void *instance, const struct subject *subject) {
  const struct sk_task task = {
      .name = subject->name, .graph = &subject->graph, .batch = BATCH, .x = subject->x, .is_layer = subject->is_layer};
  cr_assert_eq(peer->load(instance, &task), SK_OK, "%s", sk_error_message());
  expect_output(peer, instance, subject);
  expect_output(peer, instance, subject); /* nothing may have spoilt what a run reads */
}

/* Choose threads and their CPUs; before any is pinned, for then the others are not to be had. */
static struct sk_conditions choose_conditions(int threads) {
  struct sk_conditions conditions = {.threads = threads};
  cr_assert_eq(sk_cpu_list_choose(NULL, threads, &conditions.cpus), SK_OK, "%s", sk_error_message());
  return conditions;
}

/* Start a peer; NULL, aloud, if it is missing. */
static void *start(const struct sk_backend *peer, const struct sk_conditions *conditions) {
  char version[SK_BACKEND_VERSION] = "";
  void *instance = NULL;
  mallopt(M_PERTURB, 1); /* fresh memory holds -1.7e38, so that nothing may be read before it is written */
  const sk_status status = peer->start(&instance, peer, conditions, version);
  if (status == SK_UNSUPPORTED) {
    fprintf(stderr, "skipped: %s\n", sk_error_message());
    return NULL;
  }
  cr_assert_eq(status, SK_OK, "%s", sk_error_message());
  cr_expect(version[0] != '\0', "%s tells no version", peer->name);
  return instance;
}

/* Give every peer all subjects, one after the other, with one thread and with two. */
static void expect_subjects(struct subject *subjects, size_t count) {
  const struct sk_conditions conditions[2] = {choose_conditions(1), choose_conditions(2)};
  for (size_t i = 0; i < (size_t)2 * PEERS; i++) {
    const struct sk_backend *const peer = peers[i % PEERS];
    void *const instance = start(peer, &conditions[i / PEERS]);
    for (size_t j = 0; instance && j < count; j++) expect_subject(peer, instance, &subjects[j]);
    if (instance) peer->stop(instance);
  }
  for (size_t i = 0; i < count; i++) free_subject(&subjects[i]);
}

/* ---- Networks ----------------------------------------------------------------------------------------------- */

Test(peers, networks_agree_with_the_reference) {
  struct subject subjects[] = {make_network("resnet18", 64), make_network("resnet20-cifar", 32),
                               make_network("resnext50_32x4d", 32), make_network("resnet20-cifar-b", 32)};
  expect_subjects(subjects, sizeof subjects / sizeof *subjects);
}

/* ---- Layers ------------------------------------------------------------------------------------------------- */

struct layer {
  const char *name;
  size_t inputs, outputs, groups, kernel, stride, pad, dilation;
  bool batch_norm, adds, relu;
};

/* Channels that fill no vector, more pad after than before, every epilogue; adding the input, which has to survive. */
static const struct layer layers[] = {
    {"pointwise", 64, 32, 1, 1, 1, 0, 1, false, false, false}, {"square", 16, 16, 1, 3, 1, 1, 1, true, true, true},
    {"add", 24, 24, 1, 1, 1, 0, 1, false, true, false},        {"strided", 20, 36, 1, 3, 2, 1, 1, true, false, true},
    {"first", 3, 64, 1, 7, 2, 3, 1, true, false, true},        {"grouped", 32, 64, 8, 3, 1, 1, 1, false, false, true},
    {"depthwise", 16, 16, 16, 3, 2, 1, 1, true, false, false}, {"dilated", 16, 24, 1, 3, 1, 2, 2, false, false, true},
};
enum { LAYERS = sizeof layers / sizeof *layers };

static sk_conv_shape conv_shape(const struct layer *layer) {
  return (sk_conv_shape){.out_channels = layer->outputs,
                         .kernel_height = layer->kernel,
                         .kernel_width = layer->kernel,
                         .stride_height = layer->stride,
                         .stride_width = layer->stride,
                         .dilation_height = layer->dilation,
                         .dilation_width = layer->dilation,
                         .pad_top = layer->pad,
                         .pad_bottom = layer->pad,
                         .pad_left = layer->pad,
                         .pad_right = layer->pad,
                         .groups = layer->groups};
}

static struct subject make_layer(const struct layer *layer) {
  struct subject subject = {.name = layer->name, .is_layer = true};
  struct sk_graph *const graph = &subject.graph;
  sk_graph_add(graph, &(struct sk_node){
                          .op = SK_NODE_INPUT, .name = "input", .channels = layer->inputs, .height = 13, .width = 18});
  size_t x = sk_graph_add(
      graph, &(struct sk_node){.op = SK_NODE_CONV, .name = "conv", .conv = conv_shape(layer), .bias = !layer->adds});
  if (layer->batch_norm) {
    x = sk_graph_add(graph, &(struct sk_node){.op = SK_NODE_BATCH_NORM, .name = "bn", .inputs = {x}});
  }
  if (layer->adds) x = sk_graph_add(graph, &(struct sk_node){.op = SK_NODE_ADD, .name = "add", .inputs = {x, 0}});
  if (layer->relu) sk_graph_add(graph, &(struct sk_node){.op = SK_NODE_RELU, .name = "relu", .inputs = {x}});
  finish(&subject);
  return subject;
}

Test(peers, layers_agree_with_the_reference) {
  struct subject subjects[LAYERS];
  for (size_t i = 0; i < LAYERS; i++) subjects[i] = make_layer(&layers[i]);
  expect_subjects(subjects, LAYERS);
}

/* ---- Graphs that no fusion fits ----------------------------------------------------------------------------- */

static struct subject make_graph(const char *name, const struct sk_node *nodes, size_t count) {
  struct subject subject = {.name = name};
  for (size_t i = 0; i < count; i++) sk_graph_add(&subject.graph, &nodes[i]);
  finish(&subject);
  return subject;
}

/* A batch norm before its convolution, outputs with two readers, pools that round their size up. */
static struct subject make_unusual(void) {
  const sk_conv_shape square = conv_shape(&layers[1]);
  const struct sk_pool_shape pool = {.kernel_height = 3,
                                     .kernel_width = 2,
                                     .stride_height = 2,
                                     .stride_width = 2,
                                     .dilation_height = 1,
                                     .dilation_width = 1,
                                     .ceil_mode = true};
  const struct sk_node nodes[] = {
      {.op = SK_NODE_INPUT, .name = "input", .channels = 16, .height = 12, .width = 15},
      {.op = SK_NODE_BATCH_NORM, .name = "bn", .inputs = {0}},
      {.op = SK_NODE_RELU, .name = "relu", .inputs = {1}},
      {.op = SK_NODE_CONV, .name = "a", .inputs = {2}, .conv = square, .bias = true},
      {.op = SK_NODE_RELU, .name = "relu_1", .inputs = {3}},
      {.op = SK_NODE_CONV, .name = "b", .inputs = {4}, .conv = square, .bias = true},
      {.op = SK_NODE_ADD, .name = "add", .inputs = {5, 3}}, /* fused, and `a` is read again */
      {.op = SK_NODE_ADD, .name = "add_1", .inputs = {3, 4}},
      {.op = SK_NODE_ADD, .name = "add_2", .inputs = {6, 7}},
      {.op = SK_NODE_MAX_POOL, .name = "maxpool", .inputs = {8}, .pool = pool},
      {.op = SK_NODE_AVERAGE_POOL, .name = "pool", .inputs = {9}, .pool = pool},
      {.op = SK_NODE_GLOBAL_AVERAGE_POOL, .name = "avgpool", .inputs = {10}},
      {.op = SK_NODE_DENSE, .name = "fc", .inputs = {11}, .channels = 10, .bias = true},
      {.op = SK_NODE_SOFTMAX, .name = "softmax", .inputs = {12}},
  };
  return make_graph("unusual", nodes, sizeof nodes / sizeof *nodes);
}

/* A block that adds its input: a sum in place would leave a second run of the layer with another input. */
static struct subject make_block(bool is_layer) {
  const sk_conv_shape square = conv_shape(&layers[1]);
  const struct sk_node nodes[] = {
      {.op = SK_NODE_INPUT, .name = "input", .channels = 16, .height = 12, .width = 15},
      {.op = SK_NODE_CONV, .name = "a", .inputs = {0}, .conv = square},
      {.op = SK_NODE_CONV, .name = "b", .inputs = {1}, .conv = square},
      {.op = SK_NODE_ADD, .name = "add", .inputs = {2, 0}},
      {.op = SK_NODE_RELU, .name = "relu", .inputs = {3}},
  };
  struct subject subject = make_graph(is_layer ? "block as a layer" : "block", nodes, sizeof nodes / sizeof *nodes);
  subject.is_layer = is_layer;
  return subject;
}

/* A convolution that adds what it reads, which a sum in place would change under it. */
static struct subject make_own_shortcut(void) {
  const struct sk_node nodes[] = {
      {.op = SK_NODE_INPUT, .name = "input", .channels = 16, .height = 12, .width = 15},
      {.op = SK_NODE_RELU, .name = "relu", .inputs = {0}},
      {.op = SK_NODE_CONV, .name = "conv", .inputs = {1}, .conv = conv_shape(&layers[1])},
      {.op = SK_NODE_ADD, .name = "add", .inputs = {2, 1}},
  };
  return make_graph("own shortcut", nodes, sizeof nodes / sizeof *nodes);
}

Test(peers, unusual_graphs_agree_with_the_reference) {
  struct subject subjects[] = {make_unusual(), make_block(false), make_block(true), make_own_shortcut()};
  expect_subjects(subjects, sizeof subjects / sizeof *subjects);
}

/* ---- Threads ------------------------------------------------------------------------------------------------ */

/* Whether a thread of this process may run on one CPU only, and that is `cpu`. */
static bool is_pinned_to(const char *thread, int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  const pid_t id = (pid_t)strtol(thread, NULL, 10);
  return id > 0 && sched_getaffinity(id, sizeof set, &set) == 0 && CPU_COUNT(&set) == 1 && CPU_ISSET((size_t)cpu, &set);
}

static size_t count_pinned_to(int cpu) {
  size_t count = 0;
  DIR *const folder = opendir("/proc/self/task");
  cr_assert_not_null(folder);
  for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
    count += is_pinned_to(entry->d_name, cpu);
  }
  closedir(folder);
  return count;
}

/* In a process of its own for each peer: OpenMP's threads, which one of them uses, must not stand in for the other's.
 */
static void expect_pinned_threads(const struct sk_backend *peer) {
  const struct sk_conditions conditions = choose_conditions(2);
  const int *const cpus = conditions.cpus.cpus;
  struct subject subject = make_layer(&layers[0]);
  void *const instance = conditions.cpus.count == 2 ? start(peer, &conditions) : NULL;
  if (instance) {
    expect_subject(peer, instance, &subject);
    for (size_t i = 0; i < 2; i++) {
      const size_t count = count_pinned_to(cpus[i]);
      cr_expect_eq(count, 1, "%s: %zu threads on CPU %d", peer->name, count, cpus[i]);
    }
    peer->stop(instance);
  }
  free_subject(&subject);
}

Test(peers, onednn_pins_its_threads) { expect_pinned_threads(&sk_peer_onednn); }
Test(peers, xnnpack_pins_its_threads) { expect_pinned_threads(&sk_peer_xnnpack); }

/* ---- Refusals ----------------------------------------------------------------------------------------------- */

static sk_status start_held(const struct sk_backend *peer, sk_isa isa, char version[SK_BACKEND_VERSION]) {
  const struct sk_conditions conditions = {.threads = 1, .isa = isa};
  void *instance = NULL;
  version[0] = '\0';
  const sk_status status = peer->start(&instance, peer, &conditions, version);
  if (!status) peer->stop(instance);
  return status;
}

static void expect_refused(const struct sk_backend *peer, sk_isa isa, const char *part) {
  char version[SK_BACKEND_VERSION];
  cr_expect_eq(start_held(peer, isa, version), SK_UNSUPPORTED, "%s started as %s", peer->name, version);
  cr_expect(strstr(sk_error_message(), part), "\"%s\" does not say \"%s\"", sk_error_message(), part);
}

Test(peers, onednn_is_held_to_an_isa) {
  if (!SK_HAVE_ONEDNN || !sk_isa_available(SK_ISA_AVX2)) return;
  char version[SK_BACKEND_VERSION];
  cr_expect_eq(start_held(&sk_peer_onednn, SK_ISA_AVX2, version), SK_OK, "%s", sk_error_message());
  cr_expect(strstr(version, "(OpenMP, max isa avx2)"), "%s", version);
  expect_refused(&sk_peer_onednn, SK_ISA_GENERIC, "cannot be held to generic");
  if (sk_isa_available(SK_ISA_AVX512)) expect_refused(&sk_peer_onednn, SK_ISA_AVX512, "in use already");
}

Test(peers, xnnpack_is_not_held_to_an_isa) {
  if (!SK_HAVE_XNNPACK) return;
  expect_refused(&sk_peer_xnnpack, SK_ISA_GENERIC, "cannot be held to generic");
  if (sk_isa_available(SK_ISA_AVX512)) expect_refused(&sk_peer_xnnpack, SK_ISA_AVX2, "cannot be held to avx2");
}

Test(peers, what_is_missing_is_said_with_its_remedy) {
  if (!SK_HAVE_ONEDNN) expect_refused(&sk_peer_onednn, SK_ISA_AUTO, "onednn: not in this build (Debian: libdnnl-dev");
  if (!SK_HAVE_XNNPACK) expect_refused(&sk_peer_xnnpack, SK_ISA_AUTO, "xnnpack: not in this build (Debian: libxnn");
}
