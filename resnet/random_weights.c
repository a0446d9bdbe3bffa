/*
 * Seeded weights that keep activations finite at any depth.
 *
 * Each tensor is drawn from a stream of its own, seeded by the seed and its name, so that it does not depend on the
 * order of tensors. Only + - * / and sqrt in double precision are used, which IEEE 754 defines to the bit: a seed gives
 * the same weights on every platform.
 *
 * The statistics of each batch norm are made to fit: the mean and variance of every channel are carried through the
 * graph along with the weights, for inputs of mean 0 and variance 1, as if channels were independent and ReLU's inputs
 * normal. (Not those of a ReLU behind an identity shortcut: what comes in there is positive but for the branch's part,
 * and a normal approximation would be wrong by a little 600 times over in the deepest network.) So a batch norm's
 * outputs have about the variance gamma^2, whatever the depth. The last one of each block has its gamma divided by
 * sqrt(number of blocks), so that the residual stream grows by a constant factor in all.
 */
#include <math.h>
#include <stdio.h>

#include "dispatch/memory.h"
#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/network.h"

/* ---- Random numbers ----------------------------------------------------------------------------------------- */

/* splitmix64. Source: Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators". */
static uint64_t next_random(uint64_t *state) {
  *state += UINT64_C(0x9E3779B97F4A7C15);
  uint64_t z = *state;
  z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
  return z ^ (z >> 31);
}

/* Draw from -1 <= u < 1, a multiple of 2^-23: exact in float32. */
static double next_uniform(uint64_t *state) { return (double)(next_random(state) >> 40) * 0x1p-23 - 1.0; }

/* Seed a tensor's stream: FNV-1a of its name, mixed with the seed. */
static uint64_t stream(uint64_t seed, const char *name) {
  uint64_t hash = UINT64_C(0xCBF29CE484222325);
  for (; *name; name++) hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001B3);
  return hash ^ next_random(&seed);
}

/* ---- Moments ------------------------------------------------------------------------------------------------ */

/* What is expected of a channel, over images and pixels. */
struct moment {
  double mean, variance;
};

/* Moments of max(x, 0) for a normal x. Phi and the mean are approximated without exp and erf: within 3%, and exact at
 * mean 0 and far from it. */
static struct moment rectify(struct moment x) {
  const double pi = 3.14159265358979323846;
  const double spread = x.variance > 1e-12 ? x.variance : 1e-12;
  const double mean = (x.mean + sqrt(x.mean * x.mean + spread * (2 / pi))) / 2;
  const double phi = (1 + x.mean / sqrt(x.mean * x.mean + spread * (pi / 2))) / 2;
  const double square = spread * phi + x.mean * mean;
  const double variance = square - mean * mean;
  return (struct moment){.mean = mean, .variance = variance > 0 ? variance : 0};
}

/* The largest of a window of pixels, which are alike: about one standard deviation up, and with less spread. */
static struct moment pool_maximum(struct moment x) {
  return (struct moment){.mean = x.mean + sqrt(x.variance), .variance = 0.6 * x.variance};
}

static struct moment sum(struct moment a, struct moment b) {
  return (struct moment){.mean = a.mean + b.mean, .variance = a.variance + b.variance};
}

/* Shortcut A: the channels added on either side are zero. */
static void subsample_moments(const struct sk_node *node, size_t inputs, const struct moment *x, struct moment *y) {
  const size_t pad = (node->channels - inputs) / 2;
  for (size_t c = 0; c < node->channels; c++) {
    y[c] = c >= pad && c - pad < inputs ? x[c - pad] : (struct moment){0, 0};
  }
}

/* ---- Drawing ------------------------------------------------------------------------------------------------ */

struct generator {
  const struct sk_graph *graph;
  sk_weights *weights;
  uint64_t seed;
  size_t *first;          /* [nodes] where a node's moments start */
  struct moment *moments; /* of every channel of every node */
  bool *ends_branch;      /* [nodes] the last batch norm of a block */
  bool *positive;         /* [nodes] whether outputs are so, but for what a residual branch adds */
  double branch_scale;    /* 1 / sqrt(number of blocks) */
};

static struct moment *moments_of(const struct generator *g, size_t node) { return g->moments + g->first[node]; }

/* Add a parameter of a node, zeroed, and seed its stream. */
static sk_status add_parameter(const struct generator *g, size_t node, enum sk_parameter parameter, float **data,
                               uint64_t *state) {
  size_t shape[4];
  char name[96];
  const size_t rank = sk_node_parameter_shape(g->graph, node, parameter, shape);
  snprintf(name, sizeof name, "%s.%s", g->graph->nodes[node].name, sk_parameter_name(parameter));
  *state = stream(g->seed, name);
  return sk_weights_add(g->weights, name, rank, shape, data);
}

/* Add a vector of center + spread * u, with -1 <= u < 1. */
static sk_status draw_vector(const struct generator *g, size_t node, enum sk_parameter parameter, double center,
                             double spread, float **data) {
  uint64_t state = 0;
  const sk_status status = add_parameter(g, node, parameter, data, &state);
  if (status) return status;
  for (size_t c = 0; c < g->graph->nodes[node].channels; c++) {
    (*data)[c] = (float)(center + spread * next_uniform(&state));
  }
  return SK_OK;
}

/* Draw count weights of uniform size up to `bound`, about zero. Inputs behind a ReLU are positive in all channels: with
 * weights that sum to zero an error in the estimate of their common mean cannot pile up from layer to layer, and images
 * stay apart. The network's input has few channels and no such mean. */
static void draw_row(uint64_t *state, double bound, bool sums_to_zero, size_t count, float *row) {
  double total = 0;
  for (size_t i = 0; i < count; i++) {
    row[i] = (float)(bound * next_uniform(state));
    total += (double)row[i];
  }
  for (size_t i = 0; sums_to_zero && i < count; i++) row[i] = (float)((double)row[i] - total / (double)count);
}

/* The moments that one output's weights [inputs][taps] lead to. */
static struct moment weighted_sum(const float *row, size_t inputs, size_t taps, const struct moment *x) {
  struct moment y = {0, 0};
  for (size_t i = 0; i < inputs * taps; i++) {
    const double w = (double)row[i];
    y.mean += w * x[i / taps].mean;
    y.variance += w * w * x[i / taps].variance;
  }
  return y;
}

/* He et al. (2015b): variance 2 / fan in, and so uniform up to sqrt(6 / fan in). */
static sk_status draw_conv(const struct generator *g, size_t node) {
  const sk_conv_shape *const conv = &g->graph->nodes[node].conv;
  const struct moment *const x = moments_of(g, g->graph->nodes[node].inputs[0]);
  const size_t inputs = conv->in_channels / conv->groups;
  const size_t outputs = conv->out_channels / conv->groups;
  const size_t taps = conv->kernel_height * conv->kernel_width;
  float *weights = NULL;
  uint64_t state = 0;
  const sk_status status = add_parameter(g, node, SK_PARAMETER_WEIGHT, &weights, &state);
  if (status) return status;
  const double bound = sqrt(6.0 / (double)(inputs * taps));
  for (size_t k = 0; k < conv->out_channels; k++) {
    float *const row = weights + k * inputs * taps;
    draw_row(&state, bound, inputs > 3, inputs * taps, row);
    moments_of(g, node)[k] = weighted_sum(row, inputs, taps, x + k / outputs * inputs);
  }
  return SK_OK;
}

/* Make the running statistics those expected, give or take a tenth, so that they are no round numbers. */
static sk_status draw_statistics(const struct generator *g, size_t node, const struct moment *x, float **mean,
                                 float **variance) {
  sk_status status = draw_vector(g, node, SK_PARAMETER_MEAN, 0, 0.1, mean);
  if (!status) status = draw_vector(g, node, SK_PARAMETER_VARIANCE, 1, 0.1, variance);
  if (status) return status;
  for (size_t c = 0; c < g->graph->nodes[node].channels; c++) {
    (*mean)[c] = (float)(x[c].mean + sqrt(x[c].variance) * (double)(*mean)[c]);
    (*variance)[c] = (float)(x[c].variance * (double)(*variance)[c]);
  }
  return SK_OK;
}

static struct moment normalise(struct moment x, double gamma, double beta, double mean, double variance,
                               double epsilon) {
  const double scale = gamma / sqrt(variance + epsilon);
  return (struct moment){.mean = beta + (x.mean - mean) * scale, .variance = x.variance * scale * scale};
}

static sk_status draw_batch_norm(const struct generator *g, size_t node) {
  const double scale = g->ends_branch[node] ? g->branch_scale : 1;
  const struct moment *const x = moments_of(g, g->graph->nodes[node].inputs[0]);
  struct moment *const y = moments_of(g, node);
  float *gamma = NULL, *beta = NULL, *mean = NULL, *variance = NULL;
  sk_status status = draw_vector(g, node, SK_PARAMETER_WEIGHT, scale, 0.1 * scale, &gamma);
  if (!status) status = draw_vector(g, node, SK_PARAMETER_BIAS, 0, 0.1 * scale, &beta);
  if (!status) status = draw_statistics(g, node, x, &mean, &variance);
  for (size_t c = 0; !status && c < g->graph->nodes[node].channels; c++) {
    y[c] = normalise(x[c], (double)gamma[c], (double)beta[c], (double)mean[c], (double)variance[c],
                     sk_node_epsilon(&g->graph->nodes[node]));
  }
  return status;
}

/* Logits of a size that softmax tells apart: variance about 4 over the classes. */
static sk_status draw_dense(const struct generator *g, size_t node) {
  const size_t input = g->graph->nodes[node].inputs[0];
  const size_t inputs = g->graph->nodes[input].channels;
  const struct moment *const x = moments_of(g, input);
  double square = 0;
  for (size_t c = 0; c < inputs; c++) square += x[c].mean * x[c].mean + x[c].variance;
  float *weights = NULL, *bias = NULL;
  uint64_t state = 0;
  sk_status status = add_parameter(g, node, SK_PARAMETER_WEIGHT, &weights, &state);
  if (!status) status = draw_vector(g, node, SK_PARAMETER_BIAS, 0, 0.1, &bias);
  const double bound = sqrt(12.0 / (square > 1e-12 ? square : 1e-12));
  for (size_t k = 0; !status && k < g->graph->nodes[node].channels; k++) {
    draw_row(&state, bound, true, inputs, weights + k * inputs);
    moments_of(g, node)[k] = weighted_sum(weights + k * inputs, inputs, 1, x);
  }
  return status;
}

/* ---- Through the graph -------------------------------------------------------------------------------------- */

static bool is_positive(const struct generator *g, size_t node) {
  const struct sk_node *const n = &g->graph->nodes[node];
  switch (n->op) {
    case SK_NODE_RELU: return true;
    case SK_NODE_ADD: return g->positive[n->inputs[1]];
    case SK_NODE_MAX_POOL:
    case SK_NODE_SUBSAMPLE: return g->positive[n->inputs[0]];
    default: return false;
  }
}

static void carry_moments(const struct generator *g, size_t node) {
  const struct sk_node *const n = &g->graph->nodes[node];
  struct moment *const y = moments_of(g, node);
  const struct moment *const x = n->op == SK_NODE_INPUT ? NULL : moments_of(g, n->inputs[0]);
  if (n->op == SK_NODE_SUBSAMPLE) {
    subsample_moments(n, g->graph->nodes[n->inputs[0]].channels, x, y);
    return;
  }
  for (size_t c = 0; c < n->channels; c++) {
    switch (n->op) {
      case SK_NODE_INPUT: y[c] = (struct moment){.mean = 0, .variance = 1}; break;
      case SK_NODE_RELU: y[c] = g->positive[n->inputs[0]] ? x[c] : rectify(x[c]); break;
      case SK_NODE_ADD: y[c] = sum(x[c], moments_of(g, n->inputs[1])[c]); break;
      case SK_NODE_MAX_POOL: y[c] = pool_maximum(x[c]); break;
      default: y[c] = x[c]; break;
    }
  }
}

static sk_status draw_node(const struct generator *g, size_t node) {
  g->positive[node] = is_positive(g, node);
  switch (g->graph->nodes[node].op) {
    case SK_NODE_CONV: return draw_conv(g, node);
    case SK_NODE_BATCH_NORM: return draw_batch_norm(g, node);
    case SK_NODE_DENSE: return draw_dense(g, node);
    default: carry_moments(g, node); return SK_OK;
  }
}

static sk_status draw_nodes(struct generator *g) {
  size_t blocks = 0;
  for (size_t i = 0; i < g->graph->count; i++) {
    if (g->graph->nodes[i].op != SK_NODE_ADD) continue;
    g->ends_branch[g->graph->nodes[i].inputs[0]] = true;
    blocks++;
  }
  g->branch_scale = 1 / sqrt((double)sk_size_max(blocks, 1));
  for (size_t i = 0; i < g->graph->count; i++) {
    const sk_status status = draw_node(g, i);
    if (status) return status;
  }
  return SK_OK;
}

static sk_status draw(const struct sk_graph *graph, sk_weights *weights, uint64_t seed) {
  struct generator g = {.graph = graph, .weights = weights, .seed = seed};
  size_t channels = 0;
  for (size_t i = 0; i < graph->count; i++) channels += graph->nodes[i].channels;
  g.first = sk_calloc(graph->count + 1, sizeof *g.first);
  g.moments = sk_calloc(channels + 1, sizeof *g.moments);
  g.ends_branch = sk_calloc(graph->count + 1, sizeof *g.ends_branch);
  g.positive = sk_calloc(graph->count + 1, sizeof *g.positive);
  sk_status status = SK_OK;
  if (g.first && g.moments && g.ends_branch && g.positive) {
    for (size_t i = 1; i < graph->count; i++) g.first[i] = g.first[i - 1] + graph->nodes[i - 1].channels;
    status = draw_nodes(&g);
  } else {
    status = sk_fail(SK_OUT_OF_MEMORY, "out of memory for seeded weights");
  }
  sk_free(g.first);
  sk_free(g.moments);
  sk_free(g.ends_branch);
  sk_free(g.positive);
  return status;
}

static sk_status draw_weights(sk_weights **weights, const struct sk_graph *graph, uint64_t seed) {
  sk_status status = sk_weights_new(weights);
  if (status) return status;
  status = draw(graph, *weights, seed);
  if (status) {
    sk_weights_close(*weights);
    *weights = NULL;
  }
  return status;
}

sk_status sk_weights_random(sk_weights **weights, const char *model, size_t classes, uint64_t seed) {
  if (!weights) return sk_fail(SK_INVALID_ARGUMENT, "weights: NULL");
  *weights = NULL;
  const sk_net_options options = {.classes = classes};
  struct sk_graph graph = {0};
  sk_status status = sk_network_build(&graph, model, &options);
  if (!status) status = draw_weights(weights, &graph, seed);
  sk_graph_destroy(&graph);
  return status;
}
