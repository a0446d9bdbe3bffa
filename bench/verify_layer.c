#include "bench/verify_layer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/verify_bounds.h"
#include "dispatch/conv.h"
#include "dispatch/size.h"
#include "dispatch/status.h"
#include "reference/network.h"
#include "reference/reference.h"

/* The mean square of a rounding, beside the square of what is rounded: an error uniform in half a unit in the last
 * place, u^2 / 3 at a significand of 1, and E[1 / significand^2] = 3 / (8 ln 2). u = 2^-24. */
#define ROUNDING_VARIANCE (0x1p-48 / (8 * M_LN2))

/* Roundings beyond those of the kernel: of the folded weight or bias, and one for the oracle's own, for it adds up in
 * double precision: n 2^-53 < 2^-24 for any sum that fits in memory. */
enum { ORACLE_ROUNDINGS = 2 };

/* ---- Memory ------------------------------------------------------------------------------------------------- */

static sk_status allocate(double **data, size_t count) {
  size_t bytes = 0;
  if (!sk_size_multiply(count, sizeof **data, &bytes)) {
    return sk_fail(SK_INVALID_ARGUMENT, "%zu values overflow the memory", count);
  }
  *data = calloc(1, sk_size_max(bytes, 1));
  return *data ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu bytes", bytes);
}

static sk_status allocate_oracle(struct sk_layer_oracle *oracle, size_t count) {
  *oracle = (struct sk_layer_oracle){.count = count};
  sk_status status = allocate(&oracle->exact, count);
  if (!status) status = allocate(&oracle->bound, count);
  return status ? status : allocate(&oracle->variance, count);
}

void sk_layer_oracle_free(struct sk_layer_oracle *oracle) {
  free(oracle->exact);
  free(oracle->bound);
  free(oracle->variance);
  *oracle = (struct sk_layer_oracle){0};
}

static sk_status widen(const float *from, size_t count, double **to) {
  const sk_status status = allocate(to, count);
  for (size_t i = 0; !status && i < count; i++) (*to)[i] = (double)from[i];
  return status;
}

/* ---- What rounding does ------------------------------------------------------------------------------------- */

/* How far rounding carries results, beyond what sk_rounding_bound tells of values in the normal range. */
struct limits {
  size_t roundings;
  double floor; /* least magnitude to count an operand with, so that u times it covers what underflow takes from it */
  double lost;  /* by underflow at each rounding */
};

/* The smallest of the transforms' row sums, squared, is over 2^-6, and the largest below 2^20: an operand that loses
 * 2^-150 (a rounding among denormals) or 2^-126 (flushed) counts as one of 2^-120 or 2^-96 that is rounded. */
static struct limits limits_of(size_t roundings, struct sk_layer_mode mode) {
  const double lost = mode.flush_denormals ? 0x1p-126 : 0x1p-150;
  const bool mixes = sk_conv_mixes_inputs(mode.algorithm);
  return (struct limits){.roundings = roundings, .floor = lost * 0x1p30, .lost = mixes ? lost * 0x1p20 : lost};
}

static double bound_of(const struct limits *limits, double magnitude) {
  return sk_rounding_bound(limits->roundings, magnitude) + (double)limits->roundings * limits->lost;
}

double sk_winograd_noise(const sk_reference_winograd *winograd) {
  double sum = 0;
  for (size_t j = 0; j < winograd->alpha; j++) {
    double output = 0, filter = 0, input = 0;
    for (size_t i = 0; i < winograd->outputs; i++) {
      output += pow(sk_reference_rational_to_double(winograd->output[i][j]), 2);
    }
    for (size_t k = 0; k < winograd->taps; k++) {
      filter += pow(sk_reference_rational_to_double(winograd->filter[j][k]), 2);
    }
    for (size_t t = 0; t < winograd->alpha; t++) {
      input += pow(sk_reference_rational_to_double(winograd->input[j][t]), 2);
    }
    sum += output * filter * input;
  }
  return pow(sum / (double)(winograd->outputs * winograd->taps), 2);
}

/* ---- Convolutions: parameters ------------------------------------------------------------------------------- */

/* A convolution's weights with the batch norm behind it applied, in double precision. */
struct folded {
  size_t outputs, per_output;
  double *weights;        /* [outputs][per_output] */
  double *bias;           /* [outputs] */
  double *bias_magnitude; /* [outputs] the absolute values that the bias is made of */
};

static void free_folded(struct folded *folded) {
  free(folded->weights);
  free(folded->bias);
  free(folded->bias_magnitude);
}

static double parameter(const struct sk_node *node, enum sk_parameter parameter, size_t index) {
  float value = 0;
  sk_weight_tensor_read_range(node->parameters[parameter], index, 1, &value);
  return (double)value;
}

static void fold_channel(const struct folded *folded, const struct sk_node *batch_norm, size_t o) {
  const double scale = parameter(batch_norm, SK_PARAMETER_WEIGHT, o) /
                       sqrt(parameter(batch_norm, SK_PARAMETER_VARIANCE, o) + sk_node_epsilon(batch_norm));
  const double beta = parameter(batch_norm, SK_PARAMETER_BIAS, o);
  const double moved = (folded->bias[o] - parameter(batch_norm, SK_PARAMETER_MEAN, o)) * scale;
  for (size_t i = 0; i < folded->per_output; i++) folded->weights[o * folded->per_output + i] *= scale;
  folded->bias[o] = moved + beta;
  folded->bias_magnitude[o] = fabs(moved) + fabs(beta);
}

static sk_status read_tensor(const struct sk_weight_tensor *tensor, double **data) {
  const sk_status status = allocate(data, tensor->elements);
  for (size_t i = 0; !status && i < tensor->elements; i++) {
    float value = 0;
    sk_weight_tensor_read_range(tensor, i, 1, &value);
    (*data)[i] = (double)value;
  }
  return status;
}

static sk_status fold(const struct sk_graph *graph, const struct sk_step *step, struct folded *folded) {
  const struct sk_node *const node = &graph->nodes[step->node];
  const struct sk_weight_tensor *const weights = node->parameters[SK_PARAMETER_WEIGHT];
  *folded = (struct folded){.outputs = node->channels, .per_output = weights->elements / node->channels};
  sk_status status = read_tensor(weights, &folded->weights);
  if (!status) status = allocate(&folded->bias, folded->outputs);
  if (!status) status = allocate(&folded->bias_magnitude, folded->outputs);
  for (size_t o = 0; !status && o < folded->outputs; o++) {
    folded->bias[o] = node->bias ? parameter(node, SK_PARAMETER_BIAS, o) : 0;
    folded->bias_magnitude[o] = fabs(folded->bias[o]);
    if (step->batch_norm != SK_NO_NODE) fold_channel(folded, &graph->nodes[step->batch_norm], o);
  }
  return status;
}

/* ---- Convolutions ------------------------------------------------------------------------------------------- */

/* A convolution being looked at. */
struct conv {
  const sk_conv_shape *shape;
  struct sk_layer_mode mode;
  bool mixes;           /* as sk_conv_mixes_inputs tells */
  size_t terms;         /* of a direct sum */
  size_t in, out_plane; /* elements of the input, and of one channel of the output */
  struct folded folded;
  double *x, *weights; /* room for what is made of them */
};

static sk_status open_conv(struct conv *c, const struct sk_graph *graph, const struct sk_step *step,
                           struct sk_layer_mode mode) {
  const struct sk_node *const node = &graph->nodes[step->node];
  *c = (struct conv){.shape = &node->conv, .mode = mode, .mixes = sk_conv_mixes_inputs(mode.algorithm)};
  c->in = sk_node_elements(&graph->nodes[step->input]);
  c->out_plane = node->height * node->width;
  sk_status status = fold(graph, step, &c->folded);
  c->terms = c->folded.per_output;
  if (!status) status = allocate(&c->x, c->in);
  return status ? status : allocate(&c->weights, c->folded.outputs * c->folded.per_output);
}

static void close_conv(struct conv *c) {
  free_folded(&c->folded);
  free(c->x);
  free(c->weights);
}

static void conv_exact(const struct conv *c, const float *x, double *exact) {
  for (size_t i = 0; i < c->in; i++) c->x[i] = (double)x[i];
  sk_reference_conv(c->shape, c->x, c->folded.weights, c->folded.bias, exact, NULL);
}

/* What the bias adds to them. With Strassen's algorithm the bias of the second half of the outputs begins as that of
 * the first, and is its difference from that. */
static double bias_magnitude(const struct conv *c, size_t channel) {
  const double *const bias = c->folded.bias_magnitude;
  const size_t half = c->folded.outputs / 2;
  const bool is_difference = c->mode.algorithm == SK_ALGORITHM_STRASSEN && channel >= half;
  return is_difference ? bias[channel] + 2 * bias[channel - half] : bias[channel];
}

/* Write the magnitudes that the bound is relative to. */
static sk_status conv_magnitude(const struct conv *c, const float *x, double floor, double *magnitude) {
  const size_t weights = c->folded.outputs * c->folded.per_output;
  for (size_t i = 0; i < c->in; i++) c->x[i] = fmax(fabs((double)x[i]), floor);
  for (size_t i = 0; i < weights; i++) c->weights[i] = fmax(fabs(c->folded.weights[i]), floor);
  if (!c->mixes) {
    sk_reference_conv(c->shape, c->x, c->weights, NULL, magnitude, NULL);
  } else if (!sk_conv_magnitude(c->shape, c->mode.algorithm, c->x, c->weights, magnitude)) {
    return sk_fail(SK_UNSUPPORTED, "%s: the reference lacks its matrices, or there is no memory",
                   sk_algorithm_name(c->mode.algorithm));
  }
  for (size_t i = 0; i < c->folded.outputs * c->out_plane; i++) magnitude[i] += bias_magnitude(c, i / c->out_plane);
  return SK_OK;
}

/*
 * By how much more the squares of terms are rounded than those of a sum, and how often on average.
 *
 * Strassen: its products multiply sums of up to 4 inputs by sums of up to 4 weights. Of the squares of inputs times
 * those of weights that a product has, x11 w11 and x12 w21 have one, s2 t2 nine, the others four: an output of the
 * first quarter has 2 for the 2 of a sum, the others 18, on average seven times as many. Half of the up to 2 C links of
 * a chain follow.
 */
static double rounded_squares(const struct conv *c) {
  const double channels = (double)c->folded.per_output / (double)(c->shape->kernel_height * c->shape->kernel_width);
  sk_reference_winograd winograd;
  if (!c->mixes) return (double)c->terms / 2;
  if (c->mode.algorithm == SK_ALGORITHM_STRASSEN) return 7 * (channels + 3);
  if (!sk_conv_matrices(c->shape, c->mode.algorithm, &winograd)) return 0; /* conv_magnitude has told */
  const bool phases = c->mode.algorithm == SK_ALGORITHM_WINOGRAD3;
  const size_t m = phases ? 4 : sk_winograd_outputs(c->mode.algorithm), stride = phases ? 1 : c->shape->stride_height;
  const double transforms = 2 * (double)sk_winograd_transform_roundings(m, stride);
  return sk_winograd_noise(&winograd) * ((phases ? 4 * channels : channels) / 2 + transforms);
}

/* n terms as a random walk: the sum after i of them has the variance of i, and each is rounded, so that a term's square
 * meets n / 2 roundings on average; and that of the folded weight. A bias, where the walk starts, meets all n. */
static void conv_variance(const struct conv *c, const struct sk_layer_inputs *in, double *variance) {
  const size_t weights = c->folded.outputs * c->folded.per_output;
  const double walk = rounded_squares(c);
  for (size_t i = 0; i < c->in; i++) {
    c->x[i] = in->x_variance[i] + (walk + 1) * ROUNDING_VARIANCE * (double)in->x[i] * (double)in->x[i];
  }
  for (size_t i = 0; i < weights; i++) c->weights[i] = c->folded.weights[i] * c->folded.weights[i];
  sk_reference_conv(c->shape, c->x, c->weights, NULL, variance, NULL);
  const double bias_roundings = sk_is_winograd(c->mode.algorithm) ? 1 : (double)c->terms;
  for (size_t i = 0; i < c->folded.outputs * c->out_plane; i++) {
    variance[i] += bias_roundings * ROUNDING_VARIANCE * pow(c->folded.bias[i / c->out_plane], 2);
  }
}

static sk_status run_conv(struct conv *c, const struct sk_layer_inputs *in, const struct sk_layer_oracle *oracle) {
  const struct limits limits = limits_of(sk_conv_roundings(c->shape, c->mode.algorithm) + ORACLE_ROUNDINGS, c->mode);
  conv_exact(c, in->x, oracle->exact);
  const sk_status status = conv_magnitude(c, in->x, limits.floor, oracle->bound);
  if (status) return status;
  conv_variance(c, in, oracle->variance);
  for (size_t i = 0; i < oracle->count; i++) {
    const double residual = in->residual ? (double)in->residual[i] : 0;
    oracle->bound[i] = bound_of(&limits, oracle->bound[i] + fmax(fabs(residual), limits.floor));
    oracle->exact[i] += residual;
    if (in->residual) oracle->variance[i] += in->residual_variance[i] + ROUNDING_VARIANCE * pow(oracle->exact[i], 2);
  }
  return SK_OK;
}

static sk_status compute_conv(const struct sk_graph *graph, const struct sk_step *step, struct sk_layer_mode mode,
                              const struct sk_layer_inputs *inputs, const struct sk_layer_oracle *oracle) {
  struct conv c;
  sk_status status = open_conv(&c, graph, step, mode);
  if (!status) status = run_conv(&c, inputs, oracle);
  close_conv(&c);
  return status;
}

/* ---- Other steps -------------------------------------------------------------------------------------------- */

static sk_status compute_dense(const struct sk_graph *graph, const struct sk_step *step, struct sk_layer_mode mode,
                               const struct sk_layer_inputs *inputs, const struct sk_layer_oracle *oracle) {
  const size_t terms = graph->nodes[step->input].channels;
  const struct limits limits = limits_of(terms + ORACLE_ROUNDINGS, mode);
  struct sk_step plain = *step;
  plain.batch_norm = SK_NO_NODE;
  struct folded folded;
  sk_status status = fold(graph, &plain, &folded);
  for (size_t o = 0; !status && o < oracle->count; o++) {
    double sum = folded.bias[o], magnitude = fabs(sum), variance = (double)terms * ROUNDING_VARIANCE * sum * sum;
    for (size_t i = 0; i < terms; i++) {
      const double w = folded.weights[o * terms + i], x = (double)inputs->x[i];
      sum += w * x;
      magnitude += fmax(fabs(w), limits.floor) * fmax(fabs(x), limits.floor);
      variance += w * w * (inputs->x_variance[i] + (double)terms / 2 * ROUNDING_VARIANCE * x * x);
    }
    oracle->exact[o] = sum;
    oracle->bound[o] = bound_of(&limits, magnitude);
    oracle->variance[o] = variance;
  }
  free_folded(&folded);
  return status;
}

/* The second operand's element for element i of the first, of which it may be one value per channel. */
static size_t second_at(const struct sk_graph *graph, const struct sk_step *step, size_t i) {
  const struct sk_node *const n = &graph->nodes[step->node];
  return sk_node_broadcasts(graph, step->node) ? i / (n->height * n->width) : i;
}

static void compute_add(const struct sk_graph *graph, const struct sk_step *step, struct sk_layer_mode mode,
                        const struct sk_layer_inputs *in, const struct sk_layer_oracle *oracle) {
  const struct limits limits = limits_of(1, mode);
  for (size_t i = 0; i < oracle->count; i++) {
    const size_t j = second_at(graph, step, i);
    const double a = (double)in->x[i], b = (double)in->residual[j];
    oracle->exact[i] = a + b;
    oracle->bound[i] = bound_of(&limits, fmax(fabs(a), limits.floor) + fmax(fabs(b), limits.floor));
    oracle->variance[i] = in->x_variance[i] + in->residual_variance[j] + ROUNDING_VARIANCE * pow(a + b, 2);
  }
}

static void compute_multiply(const struct sk_graph *graph, const struct sk_step *step, struct sk_layer_mode mode,
                             const struct sk_layer_inputs *in, const struct sk_layer_oracle *oracle) {
  const struct limits limits = limits_of(1, mode);
  for (size_t i = 0; i < oracle->count; i++) {
    const size_t j = second_at(graph, step, i);
    const double a = (double)in->x[i], b = (double)in->residual[j];
    oracle->exact[i] = a * b;
    oracle->bound[i] = bound_of(&limits, fmax(fabs(a), limits.floor) * fmax(fabs(b), limits.floor));
    oracle->variance[i] =
        b * b * in->x_variance[i] + a * a * in->residual_variance[j] + ROUNDING_VARIANCE * pow(a * b, 2);
  }
}

/* One multiply-add with a scale that was rounded before, and a shift. */
static void compute_batch_norm(const struct sk_node *n, struct sk_layer_mode mode, const struct sk_layer_inputs *in,
                               const struct sk_layer_oracle *oracle) {
  const struct limits limits = limits_of(2 + ORACLE_ROUNDINGS, mode);
  for (size_t i = 0; i < oracle->count; i++) {
    const size_t c = i / (n->height * n->width);
    const double scale =
        parameter(n, SK_PARAMETER_WEIGHT, c) / sqrt(parameter(n, SK_PARAMETER_VARIANCE, c) + sk_node_epsilon(n));
    const double beta = parameter(n, SK_PARAMETER_BIAS, c), moved = parameter(n, SK_PARAMETER_MEAN, c) * scale;
    const double x = (double)in->x[i];
    oracle->exact[i] = x * scale - moved + beta;
    oracle->bound[i] = bound_of(&limits, fmax(fabs(x), limits.floor) * fmax(fabs(scale), limits.floor) + fabs(moved) +
                                             fmax(fabs(beta), limits.floor));
    oracle->variance[i] =
        scale * scale * (in->x_variance[i] + ROUNDING_VARIANCE * x * x) + ROUNDING_VARIANCE * pow(oracle->exact[i], 2);
  }
}

/* 2 roundings for the exponential's 1.0 ULP, one for the sum and one for the quotient; beyond the largest exponential
 * what is lost is below 2^-126. */
static void compute_sigmoid(const struct sk_layer_inputs *in, const struct sk_layer_oracle *oracle) {
  for (size_t i = 0; i < oracle->count; i++) {
    const double y = 1 / (1 + exp(-(double)in->x[i]));
    oracle->exact[i] = y;
    oracle->bound[i] = sk_rounding_bound(4 + ORACLE_ROUNDINGS, y) + 0x1p-126;
    oracle->variance[i] = pow(y * (1 - y), 2) * in->x_variance[i] + 3 * ROUNDING_VARIANCE * y * y;
  }
}

/* What carries an error of the logits on: d y_i = y_i ((1 - y_i) d x_i - sum of the others' y_j d x_j). */
static void softmax_variance(const double *y, const double *x_variance, size_t classes, size_t step, double *variance) {
  double all = 0;
  for (size_t j = 0; j < classes; j++) all += y[j * step] * y[j * step] * x_variance[j * step];
  for (size_t i = 0; i < classes; i++) {
    const double own = y[i * step];
    const double moved = (1 - 2 * own) * x_variance[i * step] + all; /* (1 - y)^2 = 1 - 2 y + y^2, which all has */
    variance[i * step] = own * own * (fmax(moved, 0) + 3 * ROUNDING_VARIANCE);
  }
}

static sk_status compute_softmax(const struct sk_node *n, const struct sk_layer_inputs *in,
                                 const struct sk_layer_oracle *oracle) {
  const size_t pixels = n->height * n->width;
  double *x = NULL;
  const sk_status status = widen(in->x, oracle->count, &x);
  if (!status) sk_reference_softmax(1, n->channels, pixels, x, oracle->exact);
  for (size_t p = 0; !status && p < pixels; p++) {
    sk_softmax_bounds(x + p, n->channels, pixels, oracle->bound + p);
    softmax_variance(oracle->exact + p, in->x_variance + p, n->channels, pixels, oracle->variance + p);
  }
  free(x);
  return status;
}

/* ReLU and clip by themselves: what activate does to the input. */
static void compute_activation(struct sk_layer_mode mode, const struct sk_layer_inputs *in,
                               const struct sk_layer_oracle *oracle) {
  for (size_t i = 0; i < oracle->count; i++) {
    oracle->exact[i] = (double)in->x[i];
    oracle->bound[i] = mode.flush_denormals ? 0x1p-126 : 0;
    oracle->variance[i] = in->x_variance[i];
  }
}

static void compute_concat(const struct sk_graph *graph, const struct sk_step *step, const struct sk_layer_inputs *in,
                           const struct sk_layer_oracle *oracle) {
  const size_t first = sk_node_elements(&graph->nodes[step->input]);
  for (size_t i = 0; i < oracle->count; i++) {
    oracle->exact[i] = (double)(i < first ? in->x[i] : in->residual[i - first]);
    oracle->variance[i] = i < first ? in->x_variance[i] : in->residual_variance[i - first];
  }
}

static void compute_pad(const struct sk_node *n, const struct sk_node *from, const struct sk_layer_inputs *in,
                        const struct sk_layer_oracle *oracle) {
  for (size_t i = 0; i < oracle->count; i++) {
    const size_t row = i / n->width % n->height, column = i % n->width, channel = i / n->width / n->height;
    const bool in_rows = row >= n->pad.top && row - n->pad.top < from->height;
    const bool is_inside = in_rows && column >= n->pad.left && column - n->pad.left < from->width;
    const size_t at = (channel * from->height + row - n->pad.top) * from->width + column - n->pad.left;
    oracle->exact[i] = (double)(is_inside ? in->x[at] : n->pad.value);
    oracle->variance[i] = is_inside ? in->x_variance[at] : 0;
  }
}

/* Max pools, subsampling and flattening only choose: they are exact, unless denormals count as zero. The error of what
 * is chosen is taken as the largest in its window. */
static sk_status compute_choice(const struct sk_graph *graph, size_t node, double *x, size_t in,
                                const struct sk_layer_inputs *inputs, struct sk_layer_mode mode,
                                const struct sk_layer_oracle *oracle) {
  const double *const operands[2] = {x, NULL};
  sk_status status = sk_reference_node_run(graph, node, 1, operands, oracle->exact);
  memcpy(x, inputs->x_variance, in * sizeof *x);
  if (!status) status = sk_reference_node_run(graph, node, 1, operands, oracle->variance);
  for (size_t i = 0; i < oracle->count; i++) oracle->bound[i] = mode.flush_denormals ? 0x1p-126 : 0;
  return status;
}

/* What is averaged has mostly one sign: the sum grows steadily, and a third of its square is the mean of the partial
 * sums'. The errors of the inputs average out. */
static sk_status compute_average(const struct sk_graph *graph, size_t node, double *x, size_t in,
                                 const struct sk_layer_inputs *inputs, struct sk_layer_mode mode,
                                 const struct sk_layer_oracle *oracle) {
  const struct sk_node *const n = &graph->nodes[node], *const from = &graph->nodes[n->inputs[0]];
  const bool is_global = n->op == SK_NODE_GLOBAL_AVERAGE_POOL;
  const size_t window = is_global ? from->height * from->width : n->pool.kernel_height * n->pool.kernel_width;
  const struct limits limits = limits_of(window + 1 + ORACLE_ROUNDINGS, mode);
  const double *const operands[2] = {x, NULL};
  sk_status status = sk_reference_node_run(graph, node, 1, operands, oracle->exact);
  for (size_t i = 0; i < in; i++) x[i] = fmax(fabs(x[i]), limits.floor);
  if (!status) status = sk_reference_node_run(graph, node, 1, operands, oracle->bound);
  memcpy(x, inputs->x_variance, in * sizeof *x);
  if (!status) status = sk_reference_node_run(graph, node, 1, operands, oracle->variance);
  for (size_t i = 0; !status && i < oracle->count; i++) {
    oracle->bound[i] = bound_of(&limits, oracle->bound[i]);
    oracle->variance[i] =
        oracle->variance[i] / (double)window + (double)window / 3 * ROUNDING_VARIANCE * pow(oracle->exact[i], 2);
  }
  return status;
}

static sk_status compute_window(const struct sk_graph *graph, const struct sk_step *step, struct sk_layer_mode mode,
                                const struct sk_layer_inputs *inputs, const struct sk_layer_oracle *oracle) {
  const enum sk_node_op op = step->op;
  const size_t in = sk_node_elements(&graph->nodes[step->input]);
  double *x = NULL;
  sk_status status = widen(inputs->x, in, &x);
  if (!status) {
    const bool averages = op == SK_NODE_AVERAGE_POOL || op == SK_NODE_GLOBAL_AVERAGE_POOL;
    status = (averages ? compute_average : compute_choice)(graph, step->node, x, in, inputs, mode, oracle);
  }
  free(x);
  return status;
}

/* ---- The step ----------------------------------------------------------------------------------------------- */

static sk_status compute(const struct sk_graph *graph, const struct sk_step *step, struct sk_layer_mode mode,
                         const struct sk_layer_inputs *inputs, const struct sk_layer_oracle *oracle) {
  const struct sk_node *const node = &graph->nodes[step->node];
  switch (step->op) {
    case SK_NODE_CONV: return compute_conv(graph, step, mode, inputs, oracle);
    case SK_NODE_DENSE: return compute_dense(graph, step, mode, inputs, oracle);
    case SK_NODE_ADD: compute_add(graph, step, mode, inputs, oracle); return SK_OK;
    case SK_NODE_MULTIPLY: compute_multiply(graph, step, mode, inputs, oracle); return SK_OK;
    case SK_NODE_BATCH_NORM: compute_batch_norm(node, mode, inputs, oracle); return SK_OK;
    case SK_NODE_SIGMOID: compute_sigmoid(inputs, oracle); return SK_OK;
    case SK_NODE_SOFTMAX: return compute_softmax(node, inputs, oracle);
    case SK_NODE_RELU:
    case SK_NODE_CLIP: compute_activation(mode, inputs, oracle); return SK_OK;
    case SK_NODE_CONCAT: compute_concat(graph, step, inputs, oracle); return SK_OK;
    case SK_NODE_PAD: compute_pad(node, &graph->nodes[step->input], inputs, oracle); return SK_OK;
    case SK_NODE_MAX_POOL:
    case SK_NODE_AVERAGE_POOL:
    case SK_NODE_GLOBAL_AVERAGE_POOL:
    case SK_NODE_FLATTEN:
    case SK_NODE_SUBSAMPLE: return compute_window(graph, step, mode, inputs, oracle);
    case SK_NODE_INPUT:
    case SK_NODE_OP_COUNT: break; /* no steps */
  }
  return SK_OK;
}

/* ReLU moves no two numbers further apart, and lets no error through where it gives 0. */
static void rectify(const struct sk_layer_oracle *oracle) {
  for (size_t i = 0; i < oracle->count; i++) {
    if (oracle->exact[i] <= 0) oracle->variance[i] = 0;
    if (oracle->exact[i] < 0) oracle->exact[i] = 0;
  }
}

/* So does a clip, outside of its bounds. */
static void clip(const struct sk_layer_oracle *oracle, struct sk_clip_bounds bounds) {
  for (size_t i = 0; i < oracle->count; i++) {
    const double x = oracle->exact[i], minimum = (double)bounds.minimum, maximum = (double)bounds.maximum;
    if (x < minimum || x > maximum) oracle->variance[i] = 0;
    const double raised = x < minimum ? minimum : x;
    oracle->exact[i] = raised > maximum ? maximum : raised;
  }
}

static void activate(const struct sk_layer_oracle *oracle, const struct sk_graph *graph, const struct sk_step *step) {
  if (step->relu || step->op == SK_NODE_RELU) rectify(oracle);
  if (step->op == SK_NODE_CLIP) clip(oracle, graph->nodes[step->node].clip);
  if (step->clip != SK_NO_NODE) clip(oracle, graph->nodes[step->clip].clip);
}

sk_status sk_layer_oracle_compute(struct sk_layer_oracle *oracle, const struct sk_graph *graph,
                                  const struct sk_step *step, struct sk_layer_mode mode,
                                  const struct sk_layer_inputs *inputs) {
  sk_status status = allocate_oracle(oracle, sk_node_elements(&graph->nodes[step->output]));
  if (!status) status = compute(graph, step, mode, inputs, oracle);
  if (!status) activate(oracle, graph, step);
  return status;
}
