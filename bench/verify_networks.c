/* Whole networks of seeded weights, layer by layer, for baselines: small inputs, for nothing but the area shrinks. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/verify_internal.h"
#include "reference/network.h"
#include "resnet/net.h"
#include "resnet/network.h"

enum { SIDE = 32 }; /* of the input: the least that the networks take */

/* A network, an image, and what each node must come to; shared by all algorithms and ISAs. */
struct network {
  const char *model;
  sk_weights *weights;
  struct sk_graph graph;
  float *x;
  double **exact; /* [nodes] */
  sk_net *net;    /* of the run; left behind if a fault ends it */
};

struct network_case {
  struct network *network;
  sk_algorithm algorithm;
};

/* ---- The network ------------------------------------------------------------------------------------------------ */

static void require(sk_status status) {
  if (!status) return;
  fprintf(stderr, "verify: %s\n", sk_error_message());
  exit(1);
}

static void *allocate(size_t count, size_t size) {
  void *memory = calloc(count, size);
  if (memory) return memory;
  fprintf(stderr, "verify: out of memory for a network\n");
  exit(1);
}

static void keep_output(void *user, size_t node, const double *output) {
  struct network *n = user;
  const size_t elements = sk_node_elements(&n->graph.nodes[node]);
  n->exact[node] = allocate(elements, sizeof *output);
  memcpy(n->exact[node], output, elements * sizeof *output);
}

static void prepare(const struct sk_verify *v, struct network *n) {
  const sk_net_options options = {.in_height = SIDE, .in_width = SIDE};
  if (n->exact) return;
  require(sk_weights_random(&n->weights, n->model, 0, v->options->seed));
  require(sk_network_load(&n->graph, n->model, n->weights, &options));
  const size_t inputs = sk_node_elements(&n->graph.nodes[0]);
  n->x = allocate(inputs, sizeof *n->x);
  n->exact = allocate(n->graph.count, sizeof *n->exact);
  struct sk_random random = sk_random_start(v->options->seed, n->model);
  sk_random_fill(&random, SK_DATA_REALS, n->x, inputs);
  double *y = allocate(sk_node_elements(&n->graph.nodes[n->graph.count - 1]), sizeof *y);
  require(sk_reference_network_run(&n->graph, 1, n->x, y, keep_output, n));
  free(y);
}

static void release(struct network *n) {
  for (size_t i = 0; n->exact && i < n->graph.count; i++) free(n->exact[i]);
  free(n->exact);
  free(n->x);
  sk_graph_destroy(&n->graph);
  sk_weights_close(n->weights);
  sk_net_destroy(n->net);
}

/* ---- A run ------------------------------------------------------------------------------------------------------ */

struct observer {
  struct sk_verify *v;
  const struct network *network;
  const void *workspace;
  float *output; /* room for that of any layer */
};

/* No bound is proven for what comes of rounding in all the layers before: their outputs have to be finite. */
static void check_layer(void *user, size_t layer) {
  const struct observer *o = user;
  struct sk_verify *v = o->v;
  sk_layer_info info;
  require(sk_net_layer(o->network->net, layer, &info));
  sk_verify_at(v, "layer %zu, %s (%s, %s)", layer + 1, info.name, info.op, sk_algorithm_name(info.algorithm));
  sk_net_copy_layer(o->network->net, layer, o->workspace, o->output);
  const double *exact = o->network->exact[sk_net_schedule(o->network->net)->steps[layer].output];
  const size_t area = info.out_height * info.out_width;
  for (size_t at = 0; at < info.out_channels * area && !sk_verify_failed(v); at++) {
    const struct sk_expected expected = {.exact = exact[at], .bound = INFINITY};
    if (!isfinite(o->output[at])) sk_verify_fail(v, "y[%zu] is not finite", at);
    sk_verify_value(v, o->output[at], &expected, "y", at / area, at % area / info.out_width, at % info.out_width);
  }
  sk_verify_baseline_section(v, "%03zu-%s", layer + 1, info.name);
}

static size_t largest_output(const struct sk_graph *graph) {
  size_t largest = 0;
  for (size_t i = 0; i < graph->count; i++) {
    if (sk_node_elements(&graph->nodes[i]) > largest) largest = sk_node_elements(&graph->nodes[i]);
  }
  return largest;
}

static void run_network(struct sk_verify *v, struct network *n) {
  sk_net_info info;
  sk_net_describe(n->net, &info);
  struct observer observer = {.v = v, .network = n, .output = sk_verify_floats(v, largest_output(&n->graph))};
  void *workspace = sk_verify_scratch(v, info.workspace_bytes);
  float *y = sk_verify_floats(v, info.classes);
  observer.workspace = workspace;
  if (sk_net_run_observed(n->net, 1, n->x, y, workspace, check_layer, &observer)) {
    sk_verify_fail(v, "sk_net_run_observed: %s", sk_error_message());
  }
}

static void network_case(struct sk_verify *v, const void *parameters) {
  const struct network_case *c = parameters;
  struct network *n = c->network;
  const sk_net_options options = {
      .isa = v->kernels->isa, .algorithm = c->algorithm, .threads = 1, .in_height = SIDE, .in_width = SIDE};
  prepare(v, n);
  sk_net_destroy(n->net);
  n->net = NULL;
  if (sk_net_create(&n->net, n->model, n->weights, &options)) {
    sk_verify_fail(v, "sk_net_create: %s", sk_error_message());
  } else {
    run_network(v, n);
  }
}

static void run_algorithm(struct sk_verify *v, struct network *network, sk_algorithm algorithm) {
  const struct network_case parameters = {network, algorithm};
  const struct sk_verify_case c = {"network", sk_algorithm_name(algorithm), network_case, &parameters};
  sk_verify_run(v, &c, "net/%s-%dx%d/%s", network->model, SIDE, SIDE, c.algorithm);
}

/* Without a baseline there is nothing to hold them against. Emulated CPUs take seconds for each, so the larger one runs
 * once, by what `auto` makes of its many channels. */
void sk_verify_network_layers(struct sk_verify *v) {
  struct network small = {.model = "resnet20-cifar"};
  struct network large = {.model = "resnet18"};
  if (!v->baseline) return;
  run_algorithm(v, &small, SK_ALGORITHM_AUTO);
  run_algorithm(v, &small, SK_ALGORITHM_DIRECT);
  run_algorithm(v, &large, SK_ALGORITHM_AUTO);
  release(&small);
  release(&large);
}
