/* A comparison as JSON, which the page draws, too, and as comma-separated values. */
#include <math.h>

#include "bench/compare.h"
#include "bench/csv.h"
#include "bench/runner.h"
#include "dispatch/status.h"
#include "resnet/file.h"

static void add_result(struct sk_json *json, cJSON *list, const struct sk_compare *c, size_t column,
                       const struct sk_compare_result *r) {
  cJSON *object = sk_json_object(json, list, NULL);
  sk_json_text(json, object, "backend", c->columns[column].name);
  sk_json_number(json, object, "median_ms", 1e3 * r->time.median);
  sk_json_number(json, object, "low_ms", 1e3 * r->time.interval.low);
  sk_json_number(json, object, "high_ms", 1e3 * r->time.interval.high);
  sk_json_number(json, object, "ratio", r->comparison.ratio);
  sk_json_number(json, object, "ratio_low", r->comparison.low);
  sk_json_number(json, object, "ratio_high", r->comparison.high);
  sk_json_number(json, object, "p_value", r->comparison.p_value);
  sk_json_text(json, object, "verdict", sk_verdict_name(r->verdict));
  if (*r->reason.text) sk_json_text(json, object, "reason", r->reason.text);
  sk_json_number(json, object, "gflops", r->gflops);
  sk_json_number(json, object, "percent_of_peak", r->percent_of_peak);
  sk_json_number(json, object, "max_error", r->max_error);
  sk_json_number(json, object, "l2_error", r->l2_error);
}

static void add_results(struct sk_json *json, cJSON *parent, const struct sk_compare *c,
                        const struct sk_compare_result *results) {
  cJSON *list = sk_json_list(json, parent, "results");
  for (size_t i = 0; i < c->column_count; i++) add_result(json, list, c, i, &results[i]);
}

static void add_target(struct sk_json *json, cJSON *list, const struct sk_compare *c,
                       const struct sk_compare_target *target) {
  cJSON *object = sk_json_object(json, list, NULL);
  sk_json_text(json, object, "name", target->name);
  sk_json_text(json, object, "shape", target->shape);
  sk_json_number(json, object, "macs", (double)target->macs);
  sk_json_size(json, object, "rounds", target->rounds);
  sk_json_text(json, object, "winner", target->winner == SK_NO_WINNER ? NULL : c->columns[target->winner].name);
  add_results(json, object, c, target->results);
}

static void add_conditions(struct sk_json *json, const struct sk_compare *c) {
  sk_json_text(json, json->root, "kind", c->kind);
  sk_json_text(json, json->root, "target", c->target);
  sk_json_number(json, json->root, "threads", c->threads);
  sk_json_size(json, json->root, "batch", c->batch);
  sk_json_text(json, json->root, "plan", c->options->plan);
  sk_json_text(json, json->root, "plan_digest", c->plan ? sk_plan_digest(c->plan).text : NULL);
  sk_json_text(json, json->root, "isa", c->isa);
  sk_json_bool(json, json->root, "flush_denormals", c->options->flush_denormals);
  sk_json_size(json, json->root, "rounds", c->rounds);
  sk_json_number(json, json->root, "seed", (double)c->options->seed);
  sk_json_number(json, json->root, "threshold_percent", 100 * c->options->threshold);
  sk_json_number(json, json->root, "confidence", SK_CONFIDENCE);
}

static void add_peaks(struct sk_json *json, const struct sk_compare *c) {
  sk_json_number(json, json->root, "peak_gflops", sk_compare_peak(c));
  sk_json_numbers(json, json->root, "peaks_gflops", c->peaks, c->peak_count);
  sk_json_number(json, json->root, "peak_spread_percent", 100 * sk_compare_drift(c));
  sk_json_numbers(json, json->root, "handoffs_ns", c->handoffs, c->handoffs[0] > 0 ? c->peak_count : 0);
  sk_json_number(json, json->root, "preemptions", (double)c->preemptions);
  sk_json_bool(json, json->root, "drifted", sk_compare_drift(c) > SK_COMPARE_DRIFT);
}

static void add_columns(struct sk_json *json, const struct sk_compare *c) {
  cJSON *backends = sk_json_list(json, json->root, "backends");
  for (size_t i = 0; i < c->column_count; i++) {
    cJSON *object = sk_json_object(json, backends, NULL);
    sk_json_text(json, object, "name", c->columns[i].name);
    sk_json_text(json, object, "version", c->columns[i].version);
  }
  cJSON *skipped = sk_json_list(json, json->root, "skipped");
  for (size_t i = 0; i < c->skipped_count; i++) {
    cJSON *object = sk_json_object(json, skipped, NULL);
    sk_json_text(json, object, "name", c->skipped[i].name);
    sk_json_text(json, object, "reason", c->skipped[i].reason.text);
  }
}

void sk_compare_json(const struct sk_compare *compare, struct sk_json *json) {
  sk_json_begin(json);
  sk_json_text(json, json->root, "format", SK_COMPARE_FORMAT);
  sk_json_bool(json, json->root, "interrupted", compare->interrupted);
  sk_json_text(json, json->root, "command", compare->command.text);
  sk_json_text(json, json->root, "date", compare->date.text);
  sk_context_json(&compare->context, json, json->root);
  add_conditions(json, compare);
  add_peaks(json, compare);
  add_columns(json, compare);
  add_results(json, json->root, compare, compare->totals);
  cJSON *targets = sk_json_list(json, json->root, "targets");
  for (size_t i = 0; i < compare->target_count; i++) add_target(json, targets, compare, &compare->targets[i]);
}

/* ---- Comma-separated values ------------------------------------------------------------------------------------- */

static void write_titles(struct sk_csv *csv) {
  static const char *const titles[] = {"target",  "shape",           "macs",      "backend",    "median_ms", "low_ms",
                                       "high_ms", "ratio",           "ratio_low", "ratio_high", "p_value",   "verdict",
                                       "gflops",  "percent_of_peak", "max_error", "l2_error",   "version"};
  for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) sk_csv_text(csv, titles[i]);
  sk_csv_end_row(csv);
}

static void write_row(struct sk_csv *csv, const struct sk_compare *c, const struct sk_compare_target *target,
                      size_t column) {
  const struct sk_compare_result *r = &target->results[column];
  const double times[] = {1e3 * r->time.median, 1e3 * r->time.interval.low, 1e3 * r->time.interval.high,
                          r->comparison.ratio,  r->comparison.low,          r->comparison.high,
                          r->comparison.p_value};
  const double rates[] = {r->gflops, r->percent_of_peak, r->max_error, r->l2_error};
  sk_csv_text(csv, target->name);
  sk_csv_text(csv, target->shape);
  sk_csv_number(csv, (double)target->macs);
  sk_csv_text(csv, c->columns[column].name);
  for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) sk_csv_number(csv, times[i]);
  sk_csv_text(csv, sk_verdict_name(r->verdict));
  for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) sk_csv_number(csv, rates[i]);
  sk_csv_text(csv, c->columns[column].version);
  sk_csv_end_row(csv);
}

static void write_rows(const struct sk_compare *c, FILE *stream) {
  struct sk_csv csv = {.stream = stream};
  struct sk_compare_target whole = {.name = c->target, .shape = "whole", .results = c->totals};
  for (size_t i = 0; i < c->target_count; i++) whole.macs += c->targets[i].macs;
  write_titles(&csv);
  for (size_t i = 0; c->has_whole && i < c->column_count; i++) write_row(&csv, c, &whole, i);
  for (size_t row = 0; row < c->target_count; row++) {
    for (size_t i = 0; i < c->column_count; i++) write_row(&csv, c, &c->targets[row], i);
  }
}

sk_status sk_compare_csv(const struct sk_compare *compare, const char *path) {
  struct sk_file_writer writer;
  if (!path) {
    write_rows(compare, stdout);
    return SK_OK;
  }
  const sk_status status = sk_file_writer_open(&writer, path);
  if (status) return status;
  write_rows(compare, writer.stream);
  return sk_file_writer_commit(&writer);
}
