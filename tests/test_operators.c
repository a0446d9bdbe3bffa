/* Networks of every operator, small and many of them drawn at random: results against the reference, and bits. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/verify_layer.h"
#include "dispatch/conv.h"
#include "dispatch/isa.h"
#include "dispatch/memory.h"
#include "reference/network.h"
#include "resnet/bind.h"
#include "resnet/net.h"

enum { IMAGES = 3 };

/* ---- Random numbers ----------------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state) {
  *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return *state >> 33;
}

static size_t below(uint64_t *state, size_t limit) { return (size_t)(next_random(state) % limit); }

static float uniform(uint64_t *state) { return (float)((double)next_random(state) * 0x1p-30 - 1); }

static float *draw(size_t count, uint64_t seed) {
  float *const x = malloc(count * sizeof *x);
  cr_assert_not_null(x);
  for (size_t i = 0; i < count; i++) x[i] = 2 * uniform(&seed);
  return x;
}

/* ---- Networks ----------------------------------------------------------------------------------------------- */

/* Fill a graph. */
typedef void build_fn(struct sk_graph *graph, uint64_t seed);

struct subject {
  build_fn *build;
  uint64_t seed;
  sk_weights *weights;
  struct sk_graph graph;
  float *x; /* [IMAGES] */
};

static size_t add_input(struct sk_graph *graph, size_t channels, size_t height, size_t width) {
  return sk_graph_add(
      graph,
      &(struct sk_node){.op = SK_NODE_INPUT, .name = "x", .channels = channels, .height = height, .width = width});
}

/* Add a node under a name of its own. */
static size_t add(struct sk_graph *graph, struct sk_node node) {
  char name[32];
  snprintf(name, sizeof name, "%s%zu", sk_node_op_name(node.op), graph->count);
  node.name = name;
  return sk_graph_add(graph, &node);
}

static size_t add_conv(struct sk_graph *graph, size_t x, size_t outputs, size_t kernel, size_t groups) {
  const sk_conv_shape shape = {.out_channels = outputs,
                               .kernel_height = kernel,
                               .kernel_width = kernel,
                               .stride_height = 1,
                               .stride_width = 1,
                               .dilation_height = 1,
                               .dilation_width = 1,
                               .pad_top = kernel / 2,
                               .pad_bottom = kernel / 2,
                               .pad_left = kernel / 2,
                               .pad_right = kernel / 2,
                               .groups = groups};
  return add(graph, (struct sk_node){.op = SK_NODE_CONV, .inputs = {x}, .conv = shape, .bias = true});
}

static size_t add_simple(struct sk_graph *graph, enum sk_node_op op, size_t x) {
  return add(graph, (struct sk_node){.op = op, .inputs = {x}});
}

static size_t add_two(struct sk_graph *graph, enum sk_node_op op, size_t a, size_t b) {
  return add(graph, (struct sk_node){.op = op, .inputs = {a, b}});
}

static size_t add_clip(struct sk_graph *graph, size_t x, float minimum, float maximum) {
  return add(graph, (struct sk_node){.op = SK_NODE_CLIP, .inputs = {x}, .clip = {minimum, maximum}});
}

static size_t add_pad(struct sk_graph *graph, size_t x, struct sk_padding pad) {
  return add(graph, (struct sk_node){.op = SK_NODE_PAD, .inputs = {x}, .pad = pad});
}

static size_t add_dense(struct sk_graph *graph, size_t x, size_t outputs) {
  return add(graph, (struct sk_node){.op = SK_NODE_DENSE, .inputs = {x}, .channels = outputs, .bias = true});
}

/* Weights that keep activations about as large as they are; variances are at least a half. */
static void draw_parameter(const struct subject *s, size_t node, enum sk_parameter parameter, uint64_t *state) {
  const struct sk_node *const n = &s->graph.nodes[node];
  char name[64];
  size_t shape[4];
  float *data = NULL;
  const size_t rank = sk_node_parameter_shape(&s->graph, node, parameter, shape);
  if (rank == 0) return;
  snprintf(name, sizeof name, "%s.%s", n->name, sk_parameter_name(parameter));
  cr_assert_eq(sk_weights_add(s->weights, name, rank, shape, &data), SK_OK, "%s", sk_error_message());
  const size_t count = sk_node_parameter_elements(&s->graph, node, parameter);
  const float limit = rank > 1 ? sqrtf(3 / (float)(count / shape[0])) : 1;
  for (size_t i = 0; i < count; i++) {
    data[i] = limit * uniform(state);
    if (parameter == SK_PARAMETER_VARIANCE) data[i] = 0.5F + fabsf(data[i]);
  }
}

static struct subject make(build_fn *build, uint64_t seed) {
  struct subject s = {.build = build, .seed = seed};
  uint64_t state = seed;
  build(&s.graph, seed);
  cr_assert_eq(s.graph.status, SK_OK, "%s", sk_error_message());
  cr_assert_eq(sk_weights_new(&s.weights), SK_OK);
  for (size_t i = 0; i < s.graph.count; i++) {
    for (int p = 0; p < SK_PARAMETER_COUNT; p++) draw_parameter(&s, i, (enum sk_parameter)p, &state);
  }
  cr_assert_eq(sk_graph_bind(&s.graph, "test", s.weights), SK_OK, "%s", sk_error_message());
  s.x = draw(IMAGES * sk_node_elements(&s.graph.nodes[0]), seed + 1);
  return s;
}

static void destroy(struct subject *s) {
  sk_graph_destroy(&s->graph);
  sk_weights_close(s->weights);
  free(s->x);
}

static size_t output_elements(const struct subject *s) { return sk_node_elements(&s->graph.nodes[s->graph.count - 1]); }

static sk_net *plan(const struct subject *s, const sk_net_options *options) {
  struct sk_graph graph = {0};
  sk_net *net = NULL;
  s->build(&graph, s->seed);
  cr_assert_eq(sk_graph_bind(&graph, "test", s->weights), SK_OK);
  cr_assert_eq(sk_net_create_from_graph(&net, "test", &graph, options), SK_OK, "%s", sk_error_message());
  return net;
}

/* A workspace full of NaN, so that nothing may be read before it is written. */
static void *nan_workspace(const sk_net *net) {
  sk_net_info info;
  sk_net_describe(net, &info);
  void *const workspace = sk_alloc(info.workspace_bytes);
  cr_assert_not_null(workspace);
  memset(workspace, 0xFF, info.workspace_bytes);
  return workspace;
}

/* Run all images, `at_a_time` in each run. Free the outputs. */
static float *run(const struct subject *s, const sk_net_options *options, size_t at_a_time) {
  sk_net *const net = plan(s, options);
  void *const workspace = nan_workspace(net);
  const size_t inputs = sk_node_elements(&s->graph.nodes[0]), outputs = output_elements(s);
  float *const y = malloc(IMAGES * outputs * sizeof *y);
  cr_assert_not_null(y);
  for (size_t first = 0; first < IMAGES; first += at_a_time) {
    cr_assert_eq(sk_net_run(net, at_a_time, s->x + first * inputs, y + first * outputs, workspace), SK_OK);
  }
  sk_free(workspace);
  sk_net_destroy(net);
  return y;
}

/* ---- Comparing ---------------------------------------------------------------------------------------------- */

static bool is_close(double actual, double expected, double limit) {
  if (isnan(expected) || isinf(expected)) return isnan(expected) ? isnan(actual) : actual == expected;
  return fabs(actual - expected) <= limit;
}

static void compare(const struct sk_node *node, const float *actual, const double *expected, size_t count) {
  double most = 1;
  for (size_t i = 0; i < count; i++) {
    if (isfinite(expected[i])) most = fmax(most, fabs(expected[i]));
  }
  for (size_t i = 0; i < count; i++) {
    if (is_close((double)actual[i], expected[i], 2e-5 * most)) continue;
    cr_expect_fail("%s[%zu]: %g, expected %g", node->name, i, (double)actual[i], expected[i]);
    return;
  }
}

struct taps {
  const struct sk_graph *graph;
  const sk_net *net;
  const void *workspace;
};

static void compare_tap(void *user, size_t node, const double *expected) {
  const struct taps *const taps = user;
  const size_t count = IMAGES * sk_node_elements(&taps->graph->nodes[node]);
  float *const actual = malloc(count * sizeof *actual);
  cr_assert_not_null(actual);
  cr_assert_eq(sk_net_tap(taps->net, node, IMAGES, taps->workspace, actual), SK_OK, "%s", sk_error_message());
  compare(&taps->graph->nodes[node], actual, expected, count);
  free(actual);
}

/* Compare every node's output, none of them fused. */
static void compare_every_node(const struct subject *s) {
  const char **const names = calloc(s->graph.count, sizeof *names);
  double *const y = malloc(IMAGES * output_elements(s) * sizeof *y);
  cr_assert(names && y);
  for (size_t i = 0; i < s->graph.count; i++) names[i] = s->graph.nodes[i].name;
  const sk_net_options options = {.taps = names, .tap_count = s->graph.count, .batch = IMAGES, .threads = 1};
  sk_net *const net = plan(s, &options);
  void *const workspace = nan_workspace(net);
  float *const out = malloc(IMAGES * output_elements(s) * sizeof *out);
  cr_assert_not_null(out);
  cr_assert_eq(sk_net_run(net, IMAGES, s->x, out, workspace), SK_OK);
  struct taps taps = {&s->graph, net, workspace};
  cr_assert_eq(sk_reference_network_run(&s->graph, IMAGES, s->x, y, compare_tap, &taps), SK_OK);
  free(out);
  sk_free(workspace);
  sk_net_destroy(net);
  free(y);
  free((void *)names);
}

/* NaNs are all the same. */
static bool same_bits(const float *a, const float *b, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (isnan(a[i]) ? !isnan(b[i]) : memcmp(&a[i], &b[i], sizeof *a) != 0) return false;
  }
  return true;
}

static void expect_same_bits(const struct subject *s, sk_net_options options, const float *expected) {
  for (int isa = SK_ISA_GENERIC; isa < SK_ISA_COUNT; isa++) {
    if (!sk_isa_available((sk_isa)isa)) continue;
    for (size_t i = 0; i < 3; i++) {
      const size_t at_a_time = i == 0 ? 1 : IMAGES;
      options.isa = (sk_isa)isa;
      options.threads = i == 2 ? 2 : 1;
      float *const actual = run(s, &options, at_a_time);
      cr_expect(same_bits(actual, expected, IMAGES * output_elements(s)),
                "seed %llu, %s, %zu images at a time, %d threads: other bits", (unsigned long long)s->seed,
                sk_isa_name(options.isa), at_a_time, options.threads);
      free(actual);
    }
  }
}

/* Compare the fused network with the reference, and its bits on every ISA, in batches and on threads. */
static void compare_fused(const struct subject *s, sk_algorithm algorithm) {
  const sk_net_options options = {.algorithm = algorithm, .batch = IMAGES, .threads = 1};
  double *const expected = malloc(IMAGES * output_elements(s) * sizeof *expected);
  float *const actual = run(s, &options, IMAGES);
  cr_assert_not_null(expected);
  cr_assert_eq(sk_reference_network_run(&s->graph, IMAGES, s->x, expected, NULL, NULL), SK_OK);
  compare(&s->graph.nodes[s->graph.count - 1], actual, expected, IMAGES * output_elements(s));
  if (algorithm != SK_ALGORITHM_GEMM) expect_same_bits(s, options, actual); /* its bits are the BLAS's */
  free(expected);
  free(actual);
}

/* What the steps of a run have made. */
struct steps {
  const struct subject *s;
  const sk_net *net;
  void *workspace;
  float **values;    /* [nodes] */
  double *variances; /* zeros, of the largest of them */
};

static void check_step(void *user, size_t layer) {
  const struct steps *const steps = user;
  const struct sk_step *const step = &sk_net_schedule(steps->net)->steps[layer];
  sk_layer_info info;
  cr_assert_eq(sk_net_layer(steps->net, layer, &info), SK_OK);
  sk_net_copy_layer(steps->net, layer, steps->workspace, steps->values[step->output]);
  const struct sk_layer_inputs inputs = {
      .x = steps->values[step->input],
      .residual = step->residual == SK_NO_NODE ? NULL : steps->values[step->residual],
      .x_variance = steps->variances,
      .residual_variance = steps->variances,
  };
  struct sk_layer_oracle oracle = {0};
  const struct sk_layer_mode mode = {.algorithm = info.algorithm};
  cr_assert_eq(sk_layer_oracle_compute(&oracle, &steps->s->graph, step, mode, &inputs), SK_OK);
  for (size_t i = 0; i < oracle.count; i++) {
    const double y = (double)steps->values[step->output][i];
    if (fabs(y - oracle.exact[i]) <= oracle.bound[i]) continue;
    cr_expect_fail("seed %llu, %s, %s[%zu]: %.9g, expected %.9g within %g", (unsigned long long)steps->s->seed, info.op,
                   info.name, i, y, oracle.exact[i], oracle.bound[i]);
    break;
  }
  sk_layer_oracle_free(&oracle);
}

/* Run one image, and check each step. */
static void run_steps(struct steps *steps) {
  const struct sk_graph *const graph = &steps->s->graph;
  size_t largest = 0;
  for (size_t i = 0; i < graph->count; i++) {
    const size_t count = sk_node_elements(&graph->nodes[i]);
    steps->values[i] = malloc(count * sizeof **steps->values);
    cr_assert_not_null(steps->values[i]);
    if (count > largest) largest = count;
  }
  memcpy(steps->values[0], steps->s->x, sk_node_elements(&graph->nodes[0]) * sizeof(float));
  steps->variances = calloc(largest, sizeof *steps->variances);
  float *const y = malloc(largest * sizeof *y);
  cr_assert(steps->variances && y);
  cr_assert_eq(sk_net_run_observed(steps->net, 1, steps->s->x, y, steps->workspace, check_step, steps), SK_OK);
  free(y);
}

/* Check each step of the fused network against the proven bound for the inputs that it had. */
static void check_steps(const struct subject *s) {
  sk_net *const net = plan(s, &(sk_net_options){.threads = 1});
  struct steps steps = {.s = s, .net = net, .workspace = nan_workspace(net)};
  steps.values = calloc(s->graph.count, sizeof *steps.values);
  cr_assert_not_null(steps.values);
  run_steps(&steps);
  for (size_t i = 0; i < s->graph.count; i++) free(steps.values[i]);
  free(steps.values);
  free(steps.variances);
  sk_free(steps.workspace);
  sk_net_destroy(net);
}

static void expect_reference(build_fn *build, uint64_t seed) {
  struct subject s = make(build, seed);
  compare_every_node(&s);
  check_steps(&s);
  compare_fused(&s, SK_ALGORITHM_AUTO);
  destroy(&s);
}

/* ---- One structure each ------------------------------------------------------------------------------------- */

/* Squeeze-and-excitation, of channels that fill no block. */
static void build_squeeze(struct sk_graph *graph, uint64_t seed) {
  (void)seed;
  const size_t x = add_conv(graph, add_input(graph, 3, 6, 7), 21, 3, 1);
  size_t gate = add_simple(graph, SK_NODE_GLOBAL_AVERAGE_POOL, x);
  gate = add_simple(graph, SK_NODE_RELU, add_conv(graph, gate, 5, 1, 1));
  gate = add_simple(graph, SK_NODE_SIGMOID, add_conv(graph, gate, 21, 1, 1));
  const size_t scaled = add_two(graph, SK_NODE_MULTIPLY, x, gate);
  add_simple(graph, SK_NODE_RELU, add_two(graph, SK_NODE_ADD, scaled, gate));
}

Test(operators, squeeze_and_excitation) { expect_reference(build_squeeze, 1); }

/* Pre-activation: batch norm and ReLU before each convolution, with an epsilon of its own. */
static void build_preactivation(struct sk_graph *graph, uint64_t seed) {
  (void)seed;
  const size_t x = add_input(graph, 5, 6, 6);
  size_t y = x;
  for (size_t i = 0; i < 2; i++) {
    y = add(graph, (struct sk_node){.op = SK_NODE_BATCH_NORM, .inputs = {y}, .epsilon = i == 0 ? 0.25 : 0});
    y = add_conv(graph, add_simple(graph, SK_NODE_RELU, y), i == 0 ? 18 : 5, 3, 1);
  }
  y = add_two(graph, SK_NODE_ADD, y, x);
  add_simple(graph, SK_NODE_RELU, add(graph, (struct sk_node){.op = SK_NODE_BATCH_NORM, .inputs = {y}}));
}

Test(operators, preactivation_and_epsilons) { expect_reference(build_preactivation, 2); }

/* Concatenations whose parts begin within a block of channels, at its edge, and the same part twice. */
static void build_concat(struct sk_graph *graph, uint64_t seed) {
  (void)seed;
  const size_t x = add_input(graph, 3, 4, 5);
  const size_t whole = add_conv(graph, x, 32, 3, 1), part = add_conv(graph, x, 19, 3, 1);
  const size_t aligned = add_two(graph, SK_NODE_CONCAT, whole, part);
  const size_t shifted = add_two(graph, SK_NODE_CONCAT, part, aligned);
  add_conv(graph, add_two(graph, SK_NODE_CONCAT, shifted, shifted), 7, 3, 1);
}

Test(operators, concatenation) { expect_reference(build_concat, 3); }

/* A flattened image, whose values a convolution with padding reads too, so that there is a halo around each. */
static void build_flatten(struct sk_graph *graph, uint64_t seed) {
  (void)seed;
  const size_t x = add_simple(graph, SK_NODE_FLATTEN, add_conv(graph, add_input(graph, 3, 3, 2), 19, 3, 1));
  const size_t dense = add_dense(graph, x, 70);
  const size_t conv = add_conv(graph, x, 70, 3, 1);
  const size_t sum = add_two(graph, SK_NODE_ADD, dense, conv);
  const size_t wide = add_conv(graph, add_simple(graph, SK_NODE_SOFTMAX, sum), 33, 3, 1);
  add_dense(graph, add_two(graph, SK_NODE_ADD, add_dense(graph, sum, 33), wide), 4);
}

Test(operators, flatten_and_dense_among_halos) { expect_reference(build_flatten, 4); }

/* Padding in front of a convolution that pads again, and softmax over the channels of pixels. */
static void build_pad(struct sk_graph *graph, uint64_t seed) {
  (void)seed;
  const size_t x = add_pad(graph, add_input(graph, 3, 4, 5), (struct sk_padding){.top = 1, .right = 2, .value = -0.5F});
  const size_t y = add_conv(graph, x, 18, 3, 1);
  const size_t padded = add_pad(graph, y, (struct sk_padding){2, 1, 0, 1, 3});
  add_simple(graph, SK_NODE_SOFTMAX, add_conv(graph, padded, 20, 3, 1));
}

Test(operators, padding_and_softmax_of_pixels) { expect_reference(build_pad, 5); }

/* Clips that a convolution takes in and those that it must not: zero is not between their bounds. */
static void build_clips(struct sk_graph *graph, uint64_t seed) {
  (void)seed;
  const size_t x = add_input(graph, 20, 9, 8);
  size_t y = add_clip(graph, add_conv(graph, x, 20, 3, 1), 0, 1);
  y = add_clip(graph, add_conv(graph, y, 20, 3, 20), -0.25F, INFINITY);
  y = add_clip(graph, add_two(graph, SK_NODE_ADD, add_conv(graph, y, 20, 3, 1), x), -1, 2);
  y = add_clip(graph, add_conv(graph, y, 20, 3, 1), 0.125F, 0.5F);
  add_conv(graph, y, 17, 3, 1);
}

Test(operators, clips_of_every_algorithm) {
  struct subject s = make(build_clips, 6);
  compare_every_node(&s);
  for (int a = SK_ALGORITHM_AUTO; a < SK_ALGORITHM_COUNT; a++) {
    sk_algorithm chosen;
    const sk_conv_shape shape = s.graph.nodes[1].conv;
    if (sk_conv_choose(&shape, (sk_algorithm)a, &chosen) == SK_OK) compare_fused(&s, (sk_algorithm)a);
  }
  destroy(&s);
}

/* ---- What a convolution must not take in --------------------------------------------------------------------- */

/* The layers that a network is planned as: "conv+relu max_pool". */
static void expect_layers(build_fn *build, const char *expected) {
  char ops[256] = "";
  sk_net_info info;
  struct subject s = make(build, 0);
  sk_net *const net = plan(&s, &(sk_net_options){.threads = 1});
  sk_net_describe(net, &info);
  for (size_t i = 0; i < info.layers; i++) {
    sk_layer_info layer;
    const size_t used = strlen(ops);
    cr_assert_eq(sk_net_layer(net, i, &layer), SK_OK);
    snprintf(ops + used, sizeof ops - used, "%s%s", i ? " " : "", layer.op);
  }
  cr_expect_str_eq(ops, expected);
  sk_net_destroy(net);
  destroy(&s);
}

/* One value for each channel is no residual, be it made before the convolution whose output it is added to, or after.
 */
static void build_broadcast_sums(struct sk_graph *graph, uint64_t seed) {
  (void)seed;
  const size_t x = add_input(graph, 5, 6, 7);
  const size_t before = add_conv(graph, add_simple(graph, SK_NODE_GLOBAL_AVERAGE_POOL, x), 20, 1, 1);
  const size_t y = add_two(graph, SK_NODE_ADD, add_conv(graph, x, 20, 3, 1), before);
  const size_t after = add_conv(graph, add_simple(graph, SK_NODE_GLOBAL_AVERAGE_POOL, y), 20, 1, 1);
  add_two(graph, SK_NODE_ADD, y, after);
}

Test(operators, sums_by_channel_are_no_residual) {
  expect_layers(build_broadcast_sums, "global_average_pool conv conv add global_average_pool conv add");
  expect_reference(build_broadcast_sums, 8);
}

/* A convolution ends in batch norm, addition and clip, in that order: what else follows is a layer of its own. */
static void build_behind_clip(struct sk_graph *graph, uint64_t seed) {
  (void)seed;
  const size_t x = add_input(graph, 18, 5, 6);
  size_t y = add_clip(graph, add_conv(graph, x, 18, 3, 1), -0.25F, 1);
  y = add_two(graph, SK_NODE_ADD, y, x);
  y = add_clip(graph, add_clip(graph, add_conv(graph, y, 18, 3, 1), -0.25F, 1), -1, 0.5F);
  y = add_simple(graph, SK_NODE_RELU, add_clip(graph, add_conv(graph, y, 18, 3, 1), -0.25F, 1));
  add_simple(graph, SK_NODE_BATCH_NORM, add_clip(graph, add_conv(graph, y, 18, 3, 1), -0.25F, 1));
}

Test(operators, nothing_is_fused_behind_a_clip) {
  expect_layers(build_behind_clip, "conv+clip add conv+clip clip conv+clip relu conv+clip batch_norm");
  expect_reference(build_behind_clip, 9);
}

static void build_behind_relu(struct sk_graph *graph, uint64_t seed) {
  (void)seed;
  const size_t x = add_input(graph, 18, 5, 6);
  size_t y = add_two(graph, SK_NODE_ADD, add_simple(graph, SK_NODE_RELU, add_conv(graph, x, 18, 3, 1)), x);
  y = add_clip(graph, add_simple(graph, SK_NODE_RELU, add_conv(graph, y, 18, 3, 1)), 0, 0.5F);
  add_simple(graph, SK_NODE_BATCH_NORM, add_simple(graph, SK_NODE_RELU, add_conv(graph, y, 18, 3, 1)));
}

Test(operators, nothing_is_fused_behind_a_relu) {
  expect_layers(build_behind_relu, "conv+relu add conv+relu clip conv+relu batch_norm");
  expect_reference(build_behind_relu, 10);
}

/* A second addition, and batch norms where there is one already or an addition came first. */
static void build_taken_twice(struct sk_graph *graph, uint64_t seed) {
  (void)seed;
  const size_t x = add_input(graph, 18, 5, 6);
  size_t y = add_two(graph, SK_NODE_ADD, add_two(graph, SK_NODE_ADD, add_conv(graph, x, 18, 3, 1), x), x);
  y = add_simple(graph, SK_NODE_BATCH_NORM, add_two(graph, SK_NODE_ADD, add_conv(graph, y, 18, 3, 1), x));
  y = add_simple(graph, SK_NODE_BATCH_NORM, add_conv(graph, y, 18, 3, 1));
  add_simple(graph, SK_NODE_BATCH_NORM, y);
}

Test(operators, each_is_taken_in_once_and_in_its_order) {
  expect_layers(build_taken_twice, "conv+add add conv+add batch_norm conv batch_norm");
  expect_reference(build_taken_twice, 11);
}

/* ---- Special values ----------------------------------------------------------------------------------------- */

/* No sums, whose special values would depend on what else is in them. */
static void build_special(struct sk_graph *graph, uint64_t seed) {
  (void)seed;
  const size_t x = add_input(graph, 18, 2, 3);
  const size_t clipped = add_clip(graph, x, -1, INFINITY);
  const size_t all = add_two(graph, SK_NODE_CONCAT, add_simple(graph, SK_NODE_SIGMOID, x), clipped);
  const size_t both = add_two(graph, SK_NODE_CONCAT, all, add_two(graph, SK_NODE_MULTIPLY, x, clipped));
  const size_t pool = add(
      graph, (struct sk_node){
                 .op = SK_NODE_MAX_POOL, .inputs = {x}, .pool = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0, false, false, false}});
  const size_t padded =
      add_pad(graph, add_two(graph, SK_NODE_CONCAT, both, pool), (struct sk_padding){1, 1, 1, 1, -INFINITY});
  add_simple(graph, SK_NODE_FLATTEN, add_clip(graph, padded, -INFINITY, 2));
}

Test(operators, special_values_pass) {
  static const float special[] = {NAN, INFINITY, -INFINITY, -0.0F, 0, 100, -100, 0x1p-140F};
  struct subject s = make(build_special, 7);
  for (size_t i = 0; i < IMAGES * sk_node_elements(&s.graph.nodes[0]); i += 2) {
    s.x[i] = special[i / 2 % (sizeof special / sizeof special[0])];
  }
  compare_every_node(&s);
  compare_fused(&s, SK_ALGORITHM_AUTO);
  destroy(&s);
}

/* ---- Halos and lanes ---------------------------------------------------------------------------------------- */

static struct sk_tensor allocate_tensor(size_t channels, size_t height, size_t width, size_t halo) {
  struct sk_tensor t = {.channels = channels, .height = height, .width = width, .halo = halo};
  t.data = sk_alloc(IMAGES * sk_tensor_image(&t) * sizeof *t.data);
  cr_assert_not_null(t.data);
  memset(t.data, 0xFF, IMAGES * sk_tensor_image(&t) * sizeof *t.data);
  return t;
}

/* Expect zeros around each channel, and in the lanes past the last one. */
static void expect_zeros_around(const char *op, const struct sk_tensor *t) {
  const size_t columns = t->width + 2 * t->halo, rows = t->height + 2 * t->halo;
  for (size_t i = 0; i < IMAGES * sk_tensor_image(t); i++) {
    const size_t pixel = i / SK_BLOCK, column = pixel % columns, row = pixel / columns % rows;
    const size_t channel = pixel / columns / rows % sk_tensor_planes(t) * SK_BLOCK + i % SK_BLOCK;
    const bool in_rows = row >= t->halo && row - t->halo < t->height;
    const bool in_columns = column >= t->halo && column - t->halo < t->width;
    if (in_rows && in_columns && channel < t->channels) continue;
    if (t->data[i] == 0) continue;
    cr_expect_fail("%s: %g in channel %zu, row %zu, column %zu, of %zu with a halo of %zu", op, (double)t->data[i],
                   channel, row, column, t->channels, t->halo);
    return;
  }
}

/* Run an operator from x to y, which it leaves with nothing but zeros around it. */
static void expect_tidy(enum sk_node_op op, struct sk_engine engine, const struct sk_tensor *x, struct sk_tensor y) {
  const struct sk_padding padding = {1, 0, 0, 1, 4};
  switch (op) {
    case SK_NODE_SIGMOID: sk_op_sigmoid(engine, IMAGES, x, &y); break;
    case SK_NODE_CLIP: sk_op_clip(engine, (struct sk_clip_bounds){1, INFINITY}, IMAGES, x, &y); break;
    case SK_NODE_MULTIPLY: sk_op_multiply(engine, IMAGES, x, x, &y); break;
    case SK_NODE_SOFTMAX: sk_op_softmax(engine, IMAGES, x, &y); break;
    case SK_NODE_CONCAT: sk_op_concat(IMAGES, x, x, &y, 1); break;
    case SK_NODE_PAD: sk_op_pad(&padding, IMAGES, x, &y, 1); break;
    default: sk_op_flatten(IMAGES, x, &y, 1); break;
  }
  expect_zeros_around(sk_node_op_name(op), &y);
  sk_free(y.data);
}

Test(operators, halos_and_lanes_without_a_channel_stay_zero) {
  struct sk_engine engine = {.threads = 1};
  cr_assert_eq(sk_kernels_choose(SK_ISA_AUTO, &engine.kernels), SK_OK);
  struct sk_tensor x = allocate_tensor(5, 3, 4, 2);
  float *const plain = draw(IMAGES * 5 * 3 * 4, 1);
  sk_tensor_import(engine.kernels, &x, IMAGES, plain, 1);
  for (size_t halo = 0; halo < 3; halo++) {
    expect_tidy(SK_NODE_SIGMOID, engine, &x, allocate_tensor(5, 3, 4, halo));
    expect_tidy(SK_NODE_CLIP, engine, &x, allocate_tensor(5, 3, 4, halo));
    expect_tidy(SK_NODE_MULTIPLY, engine, &x, allocate_tensor(5, 3, 4, halo));
    expect_tidy(SK_NODE_SOFTMAX, engine, &x, allocate_tensor(5, 3, 4, halo));
    expect_tidy(SK_NODE_CONCAT, engine, &x, allocate_tensor(10, 3, 4, halo));
    expect_tidy(SK_NODE_PAD, engine, &x, allocate_tensor(5, 4, 5, halo));
    expect_tidy(SK_NODE_FLATTEN, engine, &x, allocate_tensor(60, 1, 1, halo));
  }
  sk_free(x.data);
  free(plain);
}

/* ---- Random networks ---------------------------------------------------------------------------------------- */

/* Choose an earlier node, rather a late one. */
static size_t choose(const struct sk_graph *graph, uint64_t *state) {
  const size_t back = below(state, graph->count < 4 ? graph->count : 4);
  return graph->count - 1 - back;
}

/* Choose a second input that goes with `x`; x itself if there is no other. */
static size_t choose_second(const struct sk_graph *graph, size_t x, bool of_any_channels, uint64_t *state) {
  const struct sk_node *const a = &graph->nodes[x];
  const size_t first = below(state, graph->count);
  for (size_t i = 0; i < graph->count; i++) {
    const size_t other = (first + i) % graph->count;
    const struct sk_node *const b = &graph->nodes[other];
    const bool same_pixels = a->height == b->height && a->width == b->width;
    const bool is_value = b->height == 1 && b->width == 1 && !of_any_channels;
    if (other != x && (same_pixels || is_value) && (of_any_channels || a->channels == b->channels)) return other;
  }
  return x;
}

static void add_random_conv(struct sk_graph *graph, size_t x, uint64_t *state) {
  static const size_t outputs[] = {1, 7, 16, 20, 33};
  const size_t inputs = graph->nodes[x].channels, kernel = below(state, 2) ? 3 : 1;
  const bool is_depthwise = below(state, 4) == 0;
  add_conv(graph, x, is_depthwise ? inputs : outputs[below(state, 5)], kernel, is_depthwise ? inputs : 1);
}

static void add_random_pool(struct sk_graph *graph, size_t x, uint64_t *state) {
  const enum sk_node_op op = below(state, 2) ? SK_NODE_MAX_POOL : SK_NODE_AVERAGE_POOL;
  const struct sk_pool_shape pool = {.kernel_height = 2,
                                     .kernel_width = 3,
                                     .stride_height = 1 + below(state, 2),
                                     .stride_width = 1 + below(state, 2),
                                     .dilation_height = 1 + below(state, 2),
                                     .dilation_width = 1,
                                     .pad_top = below(state, 2),
                                     .pad_bottom = 1,
                                     .pad_left = below(state, 3),
                                     .pad_right = 2,
                                     .ceil_mode = below(state, 2),
                                     .ceil_past_input = below(state, 2),
                                     .count_include_pad = true};
  if (graph->nodes[x].height < 3) return; /* every window of rows has a tap */
  add(graph, (struct sk_node){.op = op, .inputs = {x}, .pool = pool});
}

static void add_random_node(struct sk_graph *graph, uint64_t *state) {
  const size_t x = choose(graph, state);
  const struct sk_padding pad = {below(state, 2), below(state, 3), below(state, 3), below(state, 2), uniform(state)};
  switch (below(state, 14)) {
    case 0:
    case 1: add_random_conv(graph, x, state); break;
    case 2: add(graph, (struct sk_node){.op = SK_NODE_BATCH_NORM, .inputs = {x}, .epsilon = 0.01}); break;
    case 3: add_simple(graph, SK_NODE_RELU, x); break;
    case 4: add_simple(graph, SK_NODE_SIGMOID, x); break;
    case 5: add_clip(graph, x, below(state, 2) ? -0.25F : 0.125F, 0.5F); break;
    case 6: add_two(graph, SK_NODE_ADD, x, choose_second(graph, x, false, state)); break;
    case 7: add_two(graph, SK_NODE_MULTIPLY, x, choose_second(graph, x, false, state)); break;
    case 8: add_two(graph, SK_NODE_CONCAT, x, choose_second(graph, x, true, state)); break;
    case 9: add_pad(graph, x, pad); break;
    case 10: add_random_pool(graph, x, state); break;
    case 11: add_simple(graph, SK_NODE_GLOBAL_AVERAGE_POOL, x); break;
    case 12: add_simple(graph, SK_NODE_SOFTMAX, x); break;
    default:
      if (below(state, 2)) add_dense(graph, add_simple(graph, SK_NODE_FLATTEN, x), 5 + below(state, 60));
      break;
  }
}

static void build_random(struct sk_graph *graph, uint64_t seed) {
  static const size_t channels[] = {1, 3, 16, 18};
  uint64_t state = seed * 977 + 5;
  add_input(graph, channels[below(&state, 4)], 3 + below(&state, 5), 3 + below(&state, 5));
  while (graph->count < 10 && !graph->status) add_random_node(graph, &state);
}

Test(operators, random_networks) {
  for (uint64_t seed = 0; seed < 30; seed++) expect_reference(build_random, seed);
}

/* ---- Schedules ---------------------------------------------------------------------------------------------- */

static void expect_steps(build_fn *build, const char *expected) {
  struct sk_graph graph = {0};
  build(&graph, 0);
  struct sk_schedule schedule;
  bool tapped[64] = {false};
  char text[256] = "";
  cr_assert_eq(sk_schedule_make(&schedule, &graph, tapped), SK_OK);
  for (size_t i = 0, used = 0; i < schedule.count; i++) {
    used +=
        (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "", sk_step_op_name(&schedule.steps[i]));
    cr_assert_lt(used, sizeof text);
  }
  cr_expect_str_eq(text, expected);
  sk_schedule_destroy(&schedule);
  sk_graph_destroy(&graph);
}

Test(operators, convolutions_take_in_clips_that_zero_passes) {
  expect_steps(build_clips, "conv+clip conv+clip conv+add+clip conv clip conv");
}

Test(operators, additions_of_one_value_per_channel_are_not_fused) {
  expect_steps(build_squeeze, "conv global_average_pool conv+relu conv sigmoid multiply add+relu");
}
