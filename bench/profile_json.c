/* A profile as JSON: the document that --json prints, --save keeps and --html draws. */
#include "bench/profile.h"
#include "bench/runner.h"

static void add_milliseconds(struct sk_json *json, cJSON *object, const char *name, double seconds) {
  sk_json_number(json, object, name, 1e3 * seconds);
}

static void add_times(struct sk_json *json, cJSON *object, const struct sk_summary *summary) {
  add_milliseconds(json, object, "median_ms", summary->median);
  add_milliseconds(json, object, "min_ms", summary->minimum);
  add_milliseconds(json, object, "low_ms", summary->interval.low);
  add_milliseconds(json, object, "high_ms", summary->interval.high);
}

/* The times of one column, in the order measured. */
static void add_samples(struct sk_json *json, cJSON *object, const struct sk_measurement *m, size_t column) {
  cJSON *samples = sk_json_list(json, object, "samples_ms");
  for (size_t run = 0; run < m->runs; run++) add_milliseconds(json, samples, NULL, sk_measurement_run(m, run)[column]);
}

static void add_percentiles(struct sk_json *json, cJSON *parent, const char *name,
                            const struct sk_percentiles *percentiles) {
  cJSON *object = sk_json_object(json, parent, name);
  for (size_t i = 0; i < SK_PERCENTILES; i++) {
    add_milliseconds(json, object, percentiles->list[i].name, percentiles->list[i].value);
  }
}

/* ---- What was asked ----------------------------------------------------------------------------------------- */

static void add_conditions(struct sk_json *json, const struct sk_profile *p) {
  const sk_net_info *info = &p->m.info;
  sk_json_text(json, json->root, "model", p->model);
  sk_json_text(json, json->root, "isa", sk_isa_name(info->isa));
  sk_json_number(json, json->root, "threads", info->threads);
  sk_json_size(json, json->root, "batch", info->batch);
  sk_json_text(json, json->root, "algorithm", sk_algorithm_wanted(p->options));
  sk_json_text(json, json->root, "plan", p->options->plan);
  sk_json_bool(json, json->root, "flush_denormals", info->flush_denormals);
  sk_json_text(json, json->root, "plan_digest", p->plan ? sk_plan_digest(p->plan).text : NULL);
  sk_json_size(json, json->root, "in_height", info->in_height);
  sk_json_size(json, json->root, "in_width", info->in_width);
  sk_json_text(json, json->root, "weights", sk_weights_file(p->options));
  sk_json_number(json, json->root, "seed", (double)p->options->seed);
  sk_json_text(json, json->root, "cpu", sk_context_find(&p->context, "cpu"));
  sk_json_text(json, json->root, "version", sk_version());
}

/* ---- The machine ---------------------------------------------------------------------------------------------- */

static void add_peaks(struct sk_json *json, const struct sk_profile *p) {
  sk_json_number(json, json->root, "peak_gflops", p->peak);
  sk_json_numbers(json, json->root, "peaks_gflops", p->m.peaks, SK_PEAKS);
  sk_json_number(json, json->root, "peak_spread_percent", 100 * p->drift);
  sk_json_bool(json, json->root, "drifted", p->drift > SK_DRIFT_LIMIT);
  sk_json_numbers(json, json->root, "handoffs_ns", p->m.handoffs, p->m.handoffs[0] > 0 ? SK_PEAKS : 0);
}

static void add_clock(struct sk_json *json, const struct sk_clock *clock) {
  cJSON *object = sk_json_object(json, json->root, "clock");
  sk_json_text(json, object, "name", clock->name);
  sk_json_number(json, object, "resolution_ns", 1e9 * clock->resolution);
  sk_json_number(json, object, "overhead_ns", 1e9 * clock->overhead);
}

static void add_bandwidths(struct sk_json *json, const struct sk_bandwidths *bandwidths) {
  cJSON *list = sk_json_list(json, json->root, "bandwidths");
  for (size_t i = 0; i < bandwidths->count; i++) {
    cJSON *object = sk_json_object(json, list, NULL);
    sk_json_text(json, object, "level", bandwidths->levels[i].level);
    sk_json_size(json, object, "bytes", bandwidths->levels[i].bytes);
    sk_json_number(json, object, "gbps", bandwidths->levels[i].gbps);
  }
}

static void add_counters(struct sk_json *json, const struct sk_profile *p) {
  cJSON *object = sk_json_object(json, json->root, "counters");
  if (*p->counts.unavailable.text) sk_json_text(json, object, "unavailable", p->counts.unavailable.text);
  sk_json_size(json, object, "runs", p->counted_runs);
  for (enum sk_counter counter = 0; p->counted_runs > 0 && counter < SK_COUNTER_COUNT; counter++) {
    sk_json_number(json, object, sk_counter_name(counter), p->counts.values[counter]);
  }
}

/* ---- The network ---------------------------------------------------------------------------------------------- */

static void add_network(struct sk_json *json, const struct sk_profile *p) {
  const struct sk_summary *whole = &p->m.whole;
  sk_json_size(json, json->root, "runs", p->m.runs);
  add_times(json, json->root, whole);
  sk_json_number(json, json->root, "interval_coverage", whole->interval.coverage);
  add_samples(json, json->root, &p->m, SK_TIME_WHOLE);
  add_percentiles(json, json->root, "percentiles_ms", &p->m.percentiles);
  sk_json_number(json, json->root, "images_per_second", (double)p->m.info.batch / whole->median);
  sk_json_number(json, json->root, "gflops", sk_profile_gflops(p));
  sk_json_number(json, json->root, "percent_of_peak", sk_profile_percent(p, sk_profile_gflops(p)));
  sk_json_number(json, json->root, "layers_explain_percent", 100 * p->layer_sum / whole->median);
  add_milliseconds(json, json->root, "observed_median_ms", p->m.observed.median);
  sk_json_number(json, json->root, "macs", (double)p->m.info.macs);
  sk_json_size(json, json->root, "workspace_bytes", p->m.info.workspace_bytes);
  sk_json_size(json, json->root, "weight_bytes", p->m.info.weight_bytes);
  sk_json_size(json, json->root, "activation_bytes", p->m.info.activation_bytes);
  sk_json_size(json, json->root, "winograd_weight_bytes", p->memory.winograd_bytes);
  sk_json_size(json, json->root, "strassen_weight_bytes", p->memory.strassen_bytes);
  sk_json_size(json, json->root, "peak_resident_bytes", p->memory.resident_bytes);
  sk_json_number(json, json->root, "plan_s", p->plan_seconds);
}

static void add_scenario(struct sk_json *json, const struct sk_scenario_result *result) {
  if (result->queries == 0) {
    sk_json_text(json, json->root, "scenario", NULL);
    return;
  }
  cJSON *object = sk_json_object(json, json->root, "scenario");
  sk_json_text(json, object, "name", sk_scenario_name(result->scenario));
  sk_json_number(json, object, "duration_s", result->seconds);
  sk_json_size(json, object, "queries", result->queries);
  add_milliseconds(json, object, "min_ms", result->minimum);
  add_milliseconds(json, object, "mean_ms", result->mean);
  add_milliseconds(json, object, "max_ms", result->maximum);
  add_percentiles(json, object, "latency_ms", &result->latencies);
  sk_json_number(json, object, "images_per_second", result->images_per_second);
}

/* ---- Layers --------------------------------------------------------------------------------------------------- */

static void add_memory(struct sk_json *json, cJSON *object, const struct sk_profile_layer *layer) {
  sk_json_size(json, object, "bytes", layer->bytes);
  sk_json_size(json, object, "weight_bytes", layer->info.weight_bytes);
  sk_json_size(json, object, "activation_bytes", layer->activation_bytes);
  sk_json_number(json, object, "gbps", layer->gbps);
  sk_json_number(json, object, "intensity", layer->intensity);
  sk_json_size(json, object, "extra_bytes", layer->info.workspace_bytes);
}

static void add_layer(struct sk_json *json, cJSON *layers, const struct sk_profile *p, size_t index) {
  const struct sk_profile_layer *layer = &p->layers[index];
  cJSON *object = sk_json_object(json, layers, NULL);
  sk_json_text(json, object, "name", layer->info.name);
  sk_json_text(json, object, "op", layer->info.op);
  sk_json_text(json, object, "shape", sk_layer_shape(&layer->info).text);
  sk_json_text(json, object, "algorithm", sk_layer_algorithm(&layer->info));
  sk_json_text(json, object, "isa", sk_isa_name(p->m.info.isa));
  add_times(json, object, layer->time);
  add_samples(json, object, &p->m, SK_TIME_LAYERS + index);
  sk_json_number(json, object, "share_percent", 100 * layer->share);
  sk_json_number(json, object, "macs", (double)layer->info.macs);
  sk_json_number(json, object, "gflops", layer->gflops);
  sk_json_number(json, object, "percent_of_peak", sk_profile_percent(p, layer->gflops));
  sk_json_number(json, object, "executed_gflops", layer->executed_gflops);
  add_memory(json, object, layer);
  sk_json_text(json, object, "roof", layer->roof.name);
  add_milliseconds(json, object, "roof_ms", layer->roof.seconds);
}

/* The watched run nearest to the median of all: each layer begins where the one before ended. */
static void add_timeline(struct sk_json *json, const struct sk_profile *p) {
  const double *times = sk_measurement_run(&p->m, sk_measurement_nearest(&p->m, p->m.observed.median));
  double start = 0;
  cJSON *timeline = sk_json_list(json, json->root, "timeline");
  for (size_t i = 0; i < p->m.info.layers; i++) {
    const double seconds = times[SK_TIME_LAYERS + i];
    cJSON *object = sk_json_object(json, timeline, NULL);
    sk_json_size(json, object, "layer", i);
    add_milliseconds(json, object, "start_ms", start);
    add_milliseconds(json, object, "ms", seconds);
    start += seconds;
  }
}

void sk_profile_json(const struct sk_profile *profile, struct sk_json *json) {
  sk_json_begin(json);
  sk_json_text(json, json->root, "format", SK_PROFILE_FORMAT);
  sk_json_bool(json, json->root, "interrupted", profile->interrupted);
  sk_json_text(json, json->root, "command", profile->command.text);
  sk_json_text(json, json->root, "date", profile->date.text);
  sk_context_json(&profile->context, json, json->root);
  add_conditions(json, profile);
  add_network(json, profile);
  add_peaks(json, profile);
  add_clock(json, &profile->clock);
  add_bandwidths(json, &profile->bandwidths);
  add_counters(json, profile);
  add_scenario(json, &profile->scenario);
  cJSON *layers = sk_json_list(json, json->root, "layers");
  for (size_t i = 0; i < profile->m.info.layers; i++) add_layer(json, layers, profile, i);
  add_timeline(json, profile);
}
