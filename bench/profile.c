#include "bench/profile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/interrupt.h"
#include "dispatch/isa.h"
#include "dispatch/status.h"

#define SCENARIO_SECONDS 10.0
#define COUNTED_SECONDS 1.0
enum { MOST_COUNTED_RUNS = 20 };

/* ---- Measuring ---------------------------------------------------------------------------------------------- */

/* Count over some runs of their own: so counting does not disturb the times. */
static sk_status count_runs(struct sk_profile *p, const struct sk_trial *trial) {
  struct sk_counters counters;
  double elapsed = 0;
  sk_status status = sk_counters_open(&counters, p->m.info.threads);
  if (!status) sk_counters_start(&counters);
  while (!status && p->counted_runs < MOST_COUNTED_RUNS && elapsed < COUNTED_SECONDS && !sk_interrupted()) {
    double seconds = 0;
    status = sk_trial_run(trial, &seconds);
    elapsed += seconds;
    p->counted_runs++;
  }
  if (p->counted_runs > 0) {
    sk_counters_stop(&counters, p->counted_runs, &p->counts);
  } else {
    snprintf(p->counts.unavailable.text, sizeof p->counts.unavailable.text, "interrupted before anything was counted");
  }
  sk_counters_close(&counters);
  return status;
}

static struct sk_measure_limits limits_of(const struct sk_options *options) {
  struct sk_measure_limits limits = {.runs = options->runs, .seconds = options->duration};
  if (options->scenario) limits.seconds = 0; /* it is the scenario's */
  return limits;
}

static sk_status measure_runs(struct sk_profile *p, const struct sk_trial *trial) {
  const struct sk_measure_limits limits = limits_of(p->options);
  const double seconds = p->options->duration > 0 ? p->options->duration : SCENARIO_SECONDS;
  sk_status status = sk_measure_net(&p->m, trial, &limits);
  if (!status) status = count_runs(p, trial);
  if (!status) status = sk_scenario_run(&p->scenario, p->options->scenario, trial, seconds);
  if (!status) status = sk_measure_last_peak(&p->m);
  p->interrupted = sk_interrupted();
  return status;
}

static sk_status measure_bandwidths(struct sk_profile *p) {
  const struct sk_kernel_table *kernels = NULL;
  sk_net_info info;
  sk_net_describe(p->net, &info);
  const sk_status status = sk_kernels_choose(info.isa, &kernels);
  return status ? status : sk_bandwidth_measure(kernels, info.threads, &p->bandwidths);
}

/* One run: what it touches is the network's, and what is measured later takes memory of its own. */
static sk_status measure_memory(struct sk_profile *p, const struct sk_trial *trial) {
  double seconds = 0;
  const sk_status status = sk_trial_run(trial, &seconds);
  if (!status) p->memory = sk_memory_read(p->net);
  return status;
}

sk_status sk_profile_measure(struct sk_profile *profile) {
  struct sk_trial trial;
  profile->command = sk_command_line();
  profile->date = sk_date_now();
  profile->clock = sk_clock_describe();
  sk_status status = sk_trial_open(&trial, profile->net);
  if (!status) status = measure_memory(profile, &trial);
  if (!status) status = measure_bandwidths(profile);
  if (!status) status = measure_runs(profile, &trial);
  sk_trial_close(&trial);
  return status || profile->m.runs == 0 ? status : sk_profile_derive(profile);
}

/* ---- Deriving ----------------------------------------------------------------------------------------------- */

static struct sk_roof roof_of(const struct sk_profile *p, const struct sk_profile_layer *layer) {
  const struct sk_roof_work work = {
      .multiply_adds = sk_executed_macs(&layer->info) * (double)p->m.info.batch,
      .weight_bytes = layer->info.weight_bytes,
      .activation_bytes = layer->activation_bytes,
      .network_bytes = p->m.info.weight_bytes + p->m.info.workspace_bytes,
  };
  return sk_roof_find(p->peak, &p->bandwidths, &work);
}

/* Rates are per median. */
static void derive_layer(const struct sk_profile *p, struct sk_profile_layer *layer) {
  const double seconds = layer->time->median;
  const double images = (double)p->m.info.batch;
  const double operations = 2 * (double)layer->info.macs * images;
  layer->share = seconds / p->layer_sum;
  layer->activation_bytes = layer->info.activation_bytes * p->m.info.batch;
  layer->bytes = layer->activation_bytes + layer->info.weight_bytes;
  layer->gflops = 1e-9 * operations / seconds;
  layer->executed_gflops = 2e-9 * sk_executed_macs(&layer->info) * images / seconds;
  layer->gbps = 1e-9 * (double)layer->bytes / seconds;
  layer->intensity = operations / (double)layer->bytes;
  layer->roof = roof_of(p, layer);
}

sk_status sk_profile_derive(struct sk_profile *profile) {
  struct sk_profile *p = profile;
  sk_status status = SK_OK;
  p->peak = sk_measurement_peak(&p->m);
  p->drift = sk_measurement_drift(&p->m);
  p->layer_sum = sk_measurement_layer_sum(&p->m);
  p->layers = calloc(p->m.info.layers, sizeof *p->layers);
  if (!p->layers) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu layers", p->m.info.layers);
  for (size_t i = 0; !status && i < p->m.info.layers; i++) {
    p->layers[i].time = &p->m.layers[i];
    status = sk_net_layer(p->net, i, &p->layers[i].info);
    if (!status) derive_layer(p, &p->layers[i]);
  }
  return status;
}

void sk_profile_free(struct sk_profile *profile) {
  sk_measurement_free(&profile->m);
  free(profile->layers);
  profile->layers = NULL;
}

double sk_profile_gflops(const struct sk_profile *profile) {
  return 2e-9 * (double)profile->m.info.macs * (double)profile->m.info.batch / profile->m.whole.median;
}

double sk_profile_percent(const struct sk_profile *profile, double gflops) { return 100 * gflops / profile->peak; }

/* ---- Words for a layer -------------------------------------------------------------------------------------- */

static size_t append_size(struct sk_layer_text *shape, size_t used, size_t channels, size_t height, size_t width) {
  const size_t room = sizeof shape->text - used;
  const int length = height == 1 && width == 1
                         ? snprintf(shape->text + used, room, "%zu", channels)
                         : snprintf(shape->text + used, room, "%zux%zux%zu", channels, height, width);
  return used + (size_t)length;
}

/* Three sizes of at most 20 digits twice, and the window, fit in the text. */
struct sk_layer_text sk_layer_shape(const sk_layer_info *layer) {
  struct sk_layer_text shape;
  size_t used = append_size(&shape, 0, layer->in_channels, layer->in_height, layer->in_width);
  used += (size_t)snprintf(shape.text + used, sizeof shape.text - used, " -> ");
  used = append_size(&shape, used, layer->out_channels, layer->out_height, layer->out_width);
  const size_t room = sizeof shape.text - used;
  /* A dense layer and a global pool have no window to tell of. */
  const size_t window = layer->kernel_height * layer->kernel_width;
  if (window == 0 || (window == 1 && layer->out_height * layer->out_width == 1)) return shape;
  const int length =
      snprintf(shape.text + used, room, " %zux%zu s%zu", layer->kernel_height, layer->kernel_width, layer->stride);
  used += (size_t)length;
  if (layer->groups > 1) snprintf(shape.text + used, sizeof shape.text - used, " g%zu", layer->groups);
  return shape;
}

const char *sk_layer_algorithm(const sk_layer_info *layer) {
  return layer->macs > 0 ? sk_algorithm_name(layer->algorithm) : "-";
}
