/* The checker's errors as JSON: figures and histograms of each group, which --json prints and --html draws. */
#include <inttypes.h>
#include <math.h>

#include "bench/command_line.h"
#include "bench/context.h"
#include "bench/verify_internal.h"

/* Figures that say nothing where no value was counted are null then. */
static void add_figure(struct sk_json *json, cJSON *parent, const char *name, const struct sk_error_statistics *errors,
                       double value) {
  sk_json_number(json, parent, name, errors->values > 0 ? value : NAN);
}

static void add_counts(struct sk_json *json, cJSON *parent, const char *name, const size_t *counts, size_t bins) {
  cJSON *list = sk_json_list(json, parent, name);
  for (size_t i = 0; i < bins; i++) sk_json_size(json, list, NULL, counts[i]);
}

static void add_errors(struct sk_json *json, cJSON *parent, const struct sk_error_statistics *e) {
  const double exact = (double)e->ulp[0] / (double)(e->values > 0 ? e->values : 1);
  sk_json_size(json, parent, "values", e->values);
  sk_json_size(json, parent, "must_be_exact", e->must_be_exact);
  sk_json_size(json, parent, "zeros", e->zeros);
  add_figure(json, parent, "worst_fraction", e, e->worst_fraction);
  add_figure(json, parent, "rms_fraction", e, sk_root_mean_square(e->sum_fraction, e->values));
  add_figure(json, parent, "margin", e, sk_error_margin(e));
  add_figure(json, parent, "worst_absolute", e, e->worst_absolute);
  add_figure(json, parent, "rms_absolute", e, sk_root_mean_square(e->sum_absolute, e->values));
  add_figure(json, parent, "worst_relative", e, e->worst_relative);
  add_figure(json, parent, "rms_relative", e, sk_root_mean_square(e->sum_relative, e->values));
  add_figure(json, parent, "l2_relative", e, sk_error_l2(e));
  add_figure(json, parent, "worst_ulp", e, (double)e->worst_ulp);
  add_figure(json, parent, "exact_share", e, exact);
  add_counts(json, parent, "ulp", e->ulp, SK_ULP_BINS);
  add_counts(json, parent, "relative", e->relative, SK_RELATIVE_BINS);
}

static bool was_seen(const struct sk_error_statistics *e) {
  return e->values > 0 || e->must_be_exact > 0 || e->zeros > 0;
}

static void add_group(struct sk_json *json, cJSON *groups, const struct sk_verify_group *group) {
  cJSON *item = sk_json_object(json, groups, NULL);
  const struct sk_error_statistics all = sk_verify_group_errors(group);
  sk_json_text(json, item, "name", group->name);
  sk_json_text(json, item, "isa", sk_isa_name(group->isa));
  sk_json_text(json, item, "algorithm", group->algorithm);
  sk_json_size(json, item, "cases", group->cases);
  sk_json_size(json, item, "failed", group->failed);
  add_errors(json, item, &all);
  cJSON *kinds = sk_json_list(json, item, "data");
  for (enum sk_data data = 0; data < SK_DATA_KINDS; data++) {
    if (!was_seen(&group->errors[data])) continue;
    cJSON *kind = sk_json_object(json, kinds, NULL);
    sk_json_text(json, kind, "kind", sk_data_name(data));
    add_errors(json, kind, &group->errors[data]);
  }
}

static void add_bins(struct sk_json *json) {
  cJSON *ulp = sk_json_list(json, json->root, "ulp_bins"), *relative = sk_json_list(json, json->root, "relative_bins");
  for (size_t i = 0; i < SK_ULP_BINS; i++) sk_json_number(json, ulp, NULL, sk_ulp_bin_end(i));
  for (size_t i = 0; i < SK_RELATIVE_BINS; i++) sk_json_number(json, relative, NULL, sk_relative_bin_end(i));
}

static void add_isas(struct sk_json *json) {
  cJSON *list = sk_json_list(json, json->root, "isas");
  for (unsigned i = SK_ISA_AUTO + 1; i < SK_ISA_COUNT; i++) {
    cJSON *item = sk_json_object(json, list, NULL);
    sk_json_text(json, item, "name", sk_isa_name((sk_isa)i));
    sk_json_bool(json, item, "built", sk_isa_built((sk_isa)i));
    sk_json_bool(json, item, "available", sk_isa_available((sk_isa)i));
  }
}

static void add_conditions(struct sk_json *json, const struct sk_verify *v) {
  struct sk_context context;
  char seed[24];
  const struct sk_command_line command = sk_command_line();
  const struct sk_date date = sk_date_now();
  sk_context_read(&context, 0, NULL);
  snprintf(seed, sizeof seed, "%" PRIu64, v->options->seed);
  sk_json_text(json, json->root, "format", "skiplane-verify 1");
  sk_json_text(json, json->root, "command", command.text);
  sk_json_text(json, json->root, "date", date.text);
  if (!json->failed && !cJSON_AddRawToObject(json->root, "seed", seed)) { /* a double lacks 11 bits of it */
    json->failed = true;
  }
  sk_json_text(json, json->root, "filter", v->options->filter);
  sk_json_bool(json, json->root, "exhaustive", v->options->exhaustive);
  sk_context_json(&context, json, json->root);
}

static void add_case(struct sk_json *json, cJSON *cases, const struct sk_verify_result *r) {
  static const char *const statuses[] = {"passed", "failed", "skipped"};
  cJSON *item = sk_json_object(json, cases, NULL);
  sk_json_text(json, item, "name", r->name);
  sk_json_text(json, item, "isa", sk_isa_name(r->isa));
  if (r->algorithm) sk_json_text(json, item, "algorithm", r->algorithm);
  sk_json_text(json, item, "status", statuses[r->status]);
  sk_json_number(json, item, "max_error", r->max_error);
  sk_json_number(json, item, "bound_fraction", r->bound_fraction);
  if (r->message) sk_json_text(json, item, "message", r->message);
  if (r->case_path) sk_json_text(json, item, "case_file", r->case_path);
}

void sk_verify_document(const struct sk_verify *v, bool all_cases, struct sk_json *json) {
  sk_json_begin(json);
  add_conditions(json, v);
  add_isas(json);
  sk_json_size(json, json->root, "passed", v->passed);
  sk_json_size(json, json->root, "failed", v->failed);
  sk_json_size(json, json->root, "skipped", v->skipped);
  add_bins(json);
  cJSON *groups = sk_json_list(json, json->root, "groups");
  for (size_t i = 0; i < v->group_count; i++) add_group(json, groups, &v->groups[i]);
  cJSON *cases = sk_json_list(json, json->root, "cases");
  for (size_t i = 0; i < v->result_count; i++) {
    if (all_cases || v->results[i].status != SK_VERIFY_PASSED) add_case(json, cases, &v->results[i]);
  }
  sk_verify_baseline_json(v, json);
}
