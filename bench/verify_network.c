#include "bench/verify_network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/memory.h"
#include "bench/verify_statistics.h"
#include "dispatch/status.h"
#include "reference/network.h"
#include "resnet/net.h"

/* ---- Deviations --------------------------------------------------------------------------------------------- */

double sk_deviation_of(float y, double exact) {
  if (isnan(y) && isnan(exact)) return 0;
  if (isinf(y) && y == (float)exact) return 0;
  const double error = fabs((double)y - exact);
  return isnan(error) ? INFINITY : error;
}

void sk_deviation_add(struct sk_deviation *deviation, const float *y, const double *exact, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const double error = sk_deviation_of(y[i], exact[i]);
    const uint32_t ulp = sk_ulp_distance(y[i], (float)exact[i]);
    deviation->max_error = fmax(deviation->max_error, error);
    deviation->error_square += error * error;
    if (isfinite(exact[i])) deviation->exact_square += exact[i] * exact[i];
    if (ulp > deviation->max_ulp) deviation->max_ulp = ulp;
  }
}

double sk_deviation_relative(const struct sk_deviation *deviation) {
  return deviation->error_square > 0 ? sqrt(deviation->error_square / deviation->exact_square) : 0;
}

double sk_layer_check_estimate(const struct sk_layer_check *check) {
  return check->variance > 0 ? sqrt(check->variance / check->total.exact_square) : 0;
}

/* ---- Opening ------------------------------------------------------------------------------------------------ */

static sk_status open_networks(struct sk_network_check *c, const struct sk_options *options,
                               const struct sk_source *source) {
  sk_plan *plan = NULL;
  sk_status status = sk_open_plan(&plan, options);
  const sk_net_options wanted = {.isa = options->isa,
                                 .algorithm = options->algorithm,
                                 .threads = options->threads,
                                 .in_height = options->height,
                                 .in_width = options->width,
                                 .plan = plan,
                                 .flush_denormals = options->flush_denormals,
                                 .max_bytes = sk_memory_most(options)};
  if (!status) status = sk_source_plan(&c->net, source, &wanted);
  if (!status) status = sk_source_load(&c->graph, source, &wanted);
  sk_plan_close(plan);
  return status;
}

/* What each step makes, and how long its error's variance is needed. */
static void index_steps(struct sk_network_check *c) {
  for (size_t node = 0; node < c->graph.count; node++) c->step_of[node] = SK_NO_NODE;
  for (size_t i = 0; i < c->schedule->count; i++) {
    const struct sk_step *const step = &c->schedule->steps[i];
    c->step_of[step->output] = i;
    if (c->last[step->input] < step->output) c->last[step->input] = step->output;
    if (step->residual == SK_NO_NODE || c->last[step->residual] >= step->output) continue;
    c->last[step->residual] = step->output;
  }
}

static sk_status allocate_values(struct sk_network_check *c) {
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < c->schedule->count; i++) {
    const size_t output = c->schedule->steps[i].output;
    status = sk_allocate_floats(&c->values[output], 1, sk_node_elements(&c->graph.nodes[output]));
    if (!status) status = sk_net_layer(c->net, i, &c->layers[i].info);
  }
  return status;
}

static sk_status allocate(struct sk_network_check *c) {
  const size_t nodes = c->graph.count;
  c->layers = calloc(c->info.layers, sizeof *c->layers);
  c->y = calloc(c->info.classes, sizeof *c->y);
  c->logits = calloc(c->info.classes, sizeof *c->logits);
  c->exact_logits = calloc(c->info.classes, sizeof *c->exact_logits);
  c->values = calloc(nodes, sizeof *c->values);
  c->variances = calloc(nodes, sizeof *c->variances);
  c->step_of = calloc(nodes, sizeof *c->step_of);
  c->last = calloc(nodes, sizeof *c->last);
  c->workspace = sk_alloc(c->info.workspace_bytes);
  const bool is_complete = c->layers && c->y && c->logits && c->exact_logits && c->values && c->variances &&
                           c->step_of && c->last && c->workspace;
  if (!is_complete) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the outputs of %zu layers", c->info.layers);
  index_steps(c);
  return allocate_values(c);
}

sk_status sk_network_check_open(struct sk_network_check *check, const struct sk_options *options,
                                const struct sk_source *source) {
  *check = (struct sk_network_check){0};
  const sk_status status = open_networks(check, options, source);
  if (status) return status;
  sk_net_describe(check->net, &check->info);
  check->schedule = sk_net_schedule(check->net);
  return allocate(check);
}

static void free_variances(struct sk_network_check *c) {
  for (size_t i = 0; c->variances && i < c->graph.count; i++) {
    free(c->variances[i]);
    c->variances[i] = NULL;
  }
}

void sk_network_check_close(struct sk_network_check *check) {
  free_variances(check);
  for (size_t i = 0; check->values && i < check->graph.count; i++) free(check->values[i]);
  free(check->values);
  free(check->variances);
  free(check->step_of);
  free(check->last);
  free(check->layers);
  free(check->y);
  free(check->logits);
  free(check->exact_logits);
  sk_free(check->workspace);
  sk_net_destroy(check->net);
  sk_graph_destroy(&check->graph);
  *check = (struct sk_network_check){0};
}

/* ---- Our path ----------------------------------------------------------------------------------------------- */

static void keep_output(void *user, size_t layer) {
  struct sk_network_check *const c = user;
  sk_net_copy_layer(c->net, layer, c->workspace, c->values[c->schedule->steps[layer].output]);
}

/* ---- The layer by itself ------------------------------------------------------------------------------------ */

static struct sk_layer_fault describe_fault(const struct sk_network_check *c, const struct sk_layer_check *layer,
                                            const struct sk_layer_oracle *oracle, size_t at, float value) {
  const size_t plane = layer->info.out_height * layer->info.out_width;
  return (struct sk_layer_fault){.image = c->images,
                                 .channel = at / plane,
                                 .row = at % plane / layer->info.out_width,
                                 .column = at % layer->info.out_width,
                                 .value = value,
                                 .exact = oracle->exact[at],
                                 .bound = oracle->bound[at]};
}

/* A bound of 0 is that of an operation without rounding. */
static double fraction_of(double error, double bound) {
  if (error == 0) return 0;
  return bound > 0 ? error / bound : INFINITY;
}

static void hold_against_bound(const struct sk_network_check *c, struct sk_layer_check *layer,
                               const struct sk_layer_oracle *oracle, const float *y) {
  for (size_t i = 0; i < oracle->count; i++) {
    const double error = sk_deviation_of(y[i], oracle->exact[i]);
    layer->bound_fraction = fmax(layer->bound_fraction, fraction_of(error, oracle->bound[i]));
    if (error <= oracle->bound[i] && error < INFINITY) continue;
    if (layer->faults++ == 0) layer->first = describe_fault(c, layer, oracle, i, y[i]);
  }
}

/* Only the inputs that nothing later reads go. */
static void free_used(struct sk_network_check *c, const struct sk_step *step) {
  const size_t inputs[2] = {step->input, step->residual};
  for (size_t i = 0; i < 2; i++) {
    if (inputs[i] == SK_NO_NODE || c->last[inputs[i]] != step->output) continue;
    free(c->variances[inputs[i]]);
    c->variances[inputs[i]] = NULL;
  }
}

static const float *value_of(const struct sk_network_check *c, size_t node) { return node ? c->values[node] : c->x; }

static sk_status check_step(struct sk_network_check *c, size_t index) {
  const struct sk_step *const step = &c->schedule->steps[index];
  struct sk_layer_check *const layer = &c->layers[index];
  const bool adds = step->residual != SK_NO_NODE;
  const struct sk_layer_inputs inputs = {.x = value_of(c, step->input),
                                         .residual = adds ? value_of(c, step->residual) : NULL,
                                         .x_variance = c->variances[step->input],
                                         .residual_variance = adds ? c->variances[step->residual] : NULL};
  const struct sk_layer_mode mode = {layer->info.algorithm, c->info.flush_denormals};
  struct sk_layer_oracle oracle = {0};
  const sk_status status = sk_layer_oracle_compute(&oracle, &c->graph, step, mode, &inputs);
  if (!status) {
    const float *const y = c->values[step->output];
    sk_deviation_add(&layer->alone, y, oracle.exact, oracle.count);
    hold_against_bound(c, layer, &oracle, y);
    for (size_t i = 0; i < oracle.count; i++) layer->variance += oracle.variance[i];
    c->variances[step->output] = oracle.variance;
    oracle.variance = NULL;
  }
  free_used(c, step);
  sk_layer_oracle_free(&oracle);
  return status;
}

/* ---- The reference path ------------------------------------------------------------------------------------- */

/* The reference has made a node's output: if a step of ours ends there, it is that step's turn. Steps that it reads
 * end at earlier nodes, and have had theirs. */
static void check_node(void *user, size_t node, const double *output) {
  struct sk_network_check *const c = user;
  const size_t step = c->step_of[node];
  if (c->status || step == SK_NO_NODE) return;
  sk_deviation_add(&c->layers[step].total, c->values[node], output, sk_node_elements(&c->graph.nodes[node]));
  c->status = check_step(c, step);
  sk_progress_update(&c->progress, "layers", c->images * c->info.layers + step + 1, c->planned * c->info.layers);
}

/* An image is given, not computed: it has no error. */
static sk_status start_variances(struct sk_network_check *c) {
  c->variances[0] = calloc(sk_node_elements(&c->graph.nodes[0]), sizeof *c->variances[0]);
  return c->variances[0] ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "out of memory for an image");
}

static void widen_logits(struct sk_network_check *c) {
  for (size_t i = 0; i < c->info.classes; i++) c->logits[i] = (double)c->y[i];
}

sk_status sk_network_check_layers(struct sk_network_check *check, const float *x) {
  check->x = x;
  check->status = SK_OK;
  sk_status status = sk_net_run_observed(check->net, 1, x, check->y, check->workspace, keep_output, check);
  if (!status) status = start_variances(check);
  if (!status) status = sk_reference_network_run(&check->graph, 1, x, check->exact_logits, check_node, check);
  free_variances(check);
  widen_logits(check);
  check->images++;
  return status ? status : check->status;
}

sk_status sk_network_check_logits(struct sk_network_check *check, const float *x) {
  const sk_status status = sk_net_run(check->net, 1, x, check->y, check->workspace);
  widen_logits(check);
  sk_progress_update(&check->progress, "images", check->images++, check->planned);
  return status ? status : sk_reference_network_run(&check->graph, 1, x, check->exact_logits, NULL, NULL);
}

/* ---- Results ------------------------------------------------------------------------------------------------ */

const struct sk_layer_check *sk_network_check_first_fault(const struct sk_network_check *check) {
  for (size_t i = 0; i < check->info.layers; i++) {
    if (check->layers[i].faults > 0) return &check->layers[i];
  }
  return NULL;
}

const struct sk_layer_check *sk_network_check_nearest(const struct sk_network_check *check) {
  const struct sk_layer_check *nearest = NULL;
  for (size_t i = 0; i < check->info.layers; i++) {
    if (!nearest || check->layers[i].bound_fraction > nearest->bound_fraction) nearest = &check->layers[i];
  }
  return nearest;
}

size_t sk_network_check_faults(const struct sk_network_check *check) {
  size_t faults = 0;
  for (size_t i = 0; i < check->info.layers; i++) faults += check->layers[i].faults > 0;
  return faults;
}
