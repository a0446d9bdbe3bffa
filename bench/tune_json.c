/* A plan file: what runs, and the measurements that it was chosen by. resnet/plan.c reads it. */
#include <stdlib.h>

#include "bench/tune.h"
#include "resnet/plan.h"

static void add_times(struct sk_json *json, cJSON *object, const struct sk_summary *summary) {
  sk_json_number(json, object, "median_ms", 1e3 * summary->median);
  sk_json_number(json, object, "low_ms", 1e3 * summary->interval.low);
  sk_json_number(json, object, "high_ms", 1e3 * summary->interval.high);
}

static void add_comparison(struct sk_json *json, cJSON *object, const struct sk_comparison *comparison) {
  sk_json_number(json, object, "ratio", comparison->ratio);
  sk_json_number(json, object, "ratio_low", comparison->low);
  sk_json_number(json, object, "ratio_high", comparison->high);
}

/* ---- Conditions ----------------------------------------------------------------------------------------------- */

static void add_network(struct sk_json *json, const struct sk_tune *t) {
  sk_json_text(json, json->root, "model", t->model);
  sk_json_text(json, json->root, "element_type", SK_PLAN_ELEMENT_TYPE);
  sk_json_text(json, json->root, "direction", SK_PLAN_DIRECTION);
  sk_json_size(json, json->root, "in_height", t->info.in_height);
  sk_json_size(json, json->root, "in_width", t->info.in_width);
}

static void add_conditions(struct sk_json *json, const struct sk_tune *t) {
  sk_json_size(json, json->root, "batch", t->info.batch);
  sk_json_number(json, json->root, "threads", t->info.threads);
  sk_json_text(json, json->root, "isa", sk_isa_name(t->info.isa));
  sk_json_text(json, json->root, "cpu", sk_context_find(&t->context, "cpu"));
  sk_json_text(json, json->root, "version", sk_version());
  sk_json_text(json, json->root, "weights", sk_weights_file(t->options));
  sk_json_number(json, json->root, "seed", (double)t->options->seed);
  sk_json_size(json, json->root, "rounds", t->rounds);
}

/* The whole plan against auto; null if that was not measured. */
static void add_check(struct sk_json *json, const struct sk_tune *t) {
  if (t->check.rounds == 0) {
    sk_json_text(json, json->root, "verification", NULL);
    return;
  }
  cJSON *object = sk_json_object(json, json->root, "verification");
  sk_json_size(json, object, "rounds", t->check.rounds);
  add_times(json, sk_json_object(json, object, "auto"), &t->check.base);
  add_times(json, sk_json_object(json, object, "plan"), &t->check.plan);
  add_comparison(json, object, &t->check.comparison);
  sk_json_text(json, object, "verdict", sk_verdict_name(sk_tune_verdict(t)));
  sk_json_bool(json, object, "reverted", t->reverted);
}

/* ---- Layers --------------------------------------------------------------------------------------------------- */

static void add_candidate(struct sk_json *json, cJSON *list, const struct sk_tune *t, size_t candidate, size_t layer,
                          double *values) {
  const struct sk_tune_row *row = &t->rows[t->row_of[layer]];
  const struct sk_summary time = sk_tune_summarise_layer(t, candidate, layer, values);
  cJSON *object = sk_json_object(json, list, NULL);
  sk_json_text(json, object, "algorithm",
               sk_algorithm_name(candidate == 0 ? row->automatic : t->candidates[candidate].algorithm));
  add_times(json, object, &time);
  if (candidate != 0) add_comparison(json, object, &row->cells[candidate].comparison);
}

/* Times are the layer's own; the ratio is that of all layers of its shape, by which one algorithm is chosen for them.
 */
static void add_layer(struct sk_json *json, cJSON *layers, const struct sk_tune *t, size_t index, double *values) {
  sk_layer_info layer;
  const struct sk_tune_row *row = &t->rows[t->row_of[index]];
  const struct sk_summary time = sk_tune_summarise_layer(t, row->chosen, index, values);
  cJSON *object = sk_json_object(json, layers, NULL);
  if (sk_net_layer(t->candidates[0].net, index, &layer)) return;
  sk_json_text(json, object, "name", layer.name);
  sk_json_text(json, object, "shape", sk_conv_layer_shape(&layer).text);
  sk_json_text(json, object, "algorithm", sk_algorithm_name(sk_tune_algorithm(t, row)));
  sk_json_text(json, object, "auto", sk_algorithm_name(row->automatic));
  add_times(json, object, &time);
  cJSON *candidates = sk_json_list(json, object, "candidates");
  for (size_t c = 0; c < t->candidate_count; c++) {
    if (row->cells[c].is_there) add_candidate(json, candidates, t, c, index, values);
  }
}

static void add_layers(struct sk_json *json, const struct sk_tune *t) {
  double *values = calloc(t->rounds, sizeof *values);
  cJSON *layers = sk_json_list(json, json->root, "layers");
  json->failed = json->failed || !values;
  for (size_t i = 0; values && i < t->info.layers; i++) {
    if (t->row_of[i] != SK_NO_ROW) add_layer(json, layers, t, i, values);
  }
  free(values);
}

void sk_tune_json(const struct sk_tune *tune, struct sk_json *json) {
  sk_json_begin(json);
  sk_json_text(json, json->root, "format", SK_PLAN_FORMAT);
  add_network(json, tune);
  add_conditions(json, tune);
  sk_json_bool(json, json->root, "interrupted", tune->interrupted);
  sk_json_text(json, json->root, "command", tune->command.text);
  sk_json_text(json, json->root, "date", tune->date.text);
  sk_context_json(&tune->context, json, json->root);
  add_check(json, tune);
  add_layers(json, tune);
}
