/* The checker's report: a table for people, JSON for programs, and one line for each failure. */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bench/verify_internal.h"

void sk_report_start(const struct sk_verify *v) {
  if (v->options->json) return;
  FILE *out = v->options->output;
  fprintf(out, "skiplane verify %s, seed %" PRIu64 "%s%s%s, ISAs:", sk_version(), v->options->seed,
          v->filtered ? ", filter " : "", v->filtered ? v->options->filter : "",
          v->options->exhaustive ? ", exhaustive" : "");
  for (size_t i = 0; i < v->table_count; i++) fprintf(out, " %s", sk_isa_name(v->tables[i]->isa));
  fprintf(out, "\n%-24s %-8s %7s %7s %12s %12s\n", "kernel", "isa", "cases", "failed", "error/bound", "max error");
  fflush(out);
}

void sk_report_failure(const struct sk_verify *v, const struct sk_verify_result *result) {
  FILE *out = v->options->json ? stderr : v->options->output;
  fprintf(out, "FAILED %s: %s | skiplane verify --isa %s --seed %" PRIu64 "%s --filter '^%s$'\n", result->name,
          result->message, sk_isa_name(result->isa), v->options->seed, v->options->exhaustive ? " --exhaustive" : "",
          result->name);
  fflush(out);
}

/* One line of the table: the cases of a group on one ISA, from results[first] on. */
static void report_group(const struct sk_verify *v, size_t first, sk_isa isa) {
  const char *group = v->results[first].group;
  size_t cases = 0, failed = 0;
  double fraction = 0, error = 0;
  for (size_t i = first; i < v->result_count; i++) {
    const struct sk_verify_result *r = &v->results[i];
    if (r->isa != isa || strcmp(r->group, group) != 0) continue;
    cases++;
    failed += r->status == SK_VERIFY_FAILED;
    if (r->bound_fraction > fraction) fraction = r->bound_fraction;
    if (r->max_error > error) error = r->max_error;
  }
  if (cases == 0) return;
  fprintf(v->options->output, "%-24s %-8s %7zu %7zu %12.3g %12.3g\n", group, sk_isa_name(isa), cases, failed, fraction,
          error);
}

/* Whether results[index] is the first of its group since the last report. */
static bool starts_group(const struct sk_verify *v, size_t index) {
  for (size_t i = v->reported; i < index; i++) {
    if (strcmp(v->results[i].group, v->results[index].group) == 0) return false;
  }
  return true;
}

void sk_report_groups(struct sk_verify *v) {
  for (size_t i = v->reported; i < v->result_count && !v->options->json; i++) {
    if (v->results[i].status == SK_VERIFY_SKIPPED || strcmp(v->results[i].group, "isa") == 0) continue;
    if (i > v->reported && strcmp(v->results[i].group, v->results[i - 1].group) == 0) continue;
    if (!starts_group(v, i)) continue;
    for (size_t t = 0; t < v->table_count; t++) report_group(v, i, v->tables[t]->isa);
  }
  fflush(v->options->output);
  v->reported = v->result_count;
}

static cJSON *isas_json(void) {
  cJSON *list = cJSON_CreateArray();
  for (unsigned i = SK_ISA_AUTO + 1; i < SK_ISA_COUNT; i++) {
    cJSON *item = cJSON_CreateObject();
    cJSON_AddStringToObject(item, "name", sk_isa_name((sk_isa)i));
    cJSON_AddBoolToObject(item, "built", sk_isa_built((sk_isa)i));
    cJSON_AddBoolToObject(item, "available", sk_isa_available((sk_isa)i));
    cJSON_AddItemToArray(list, item);
  }
  return list;
}

static cJSON *case_json(const struct sk_verify_result *r) {
  static const char *const statuses[] = {"passed", "failed", "skipped"};
  cJSON *item = cJSON_CreateObject();
  cJSON_AddStringToObject(item, "name", r->name);
  cJSON_AddStringToObject(item, "isa", sk_isa_name(r->isa));
  if (r->algorithm) cJSON_AddStringToObject(item, "algorithm", r->algorithm);
  cJSON_AddStringToObject(item, "status", statuses[r->status]);
  cJSON_AddNumberToObject(item, "max_error", r->max_error);
  cJSON_AddNumberToObject(item, "bound_fraction", r->bound_fraction);
  if (r->message) cJSON_AddStringToObject(item, "message", r->message);
  return item;
}

static void report_json(const struct sk_verify *v) {
  cJSON *report = cJSON_CreateObject(), *cases = cJSON_CreateArray();
  char seed[24];
  snprintf(seed, sizeof seed, "%" PRIu64, v->options->seed);
  cJSON_AddRawToObject(report, "seed", seed); /* cJSON's numbers are doubles, which lack 11 bits of it */
  cJSON_AddItemToObject(report, "isas", isas_json());
  cJSON_AddNumberToObject(report, "passed", (double)v->passed);
  cJSON_AddNumberToObject(report, "failed", (double)v->failed);
  cJSON_AddNumberToObject(report, "skipped", (double)v->skipped);
  for (size_t i = 0; i < v->result_count; i++) cJSON_AddItemToArray(cases, case_json(&v->results[i]));
  cJSON_AddItemToObject(report, "cases", cases);
  sk_verify_baseline_json(v, report);
  char *text = cJSON_Print(report);
  cJSON_Delete(report);
  fprintf(v->options->output, "%s\n", text ? text : "");
  cJSON_free(text);
}

void sk_report_end(struct sk_verify *v) {
  if (v->options->json) {
    report_json(v);
  } else {
    fprintf(v->options->output, "%zu passed, %zu failed, %zu skipped\n", v->passed, v->failed, v->skipped);
  }
  fflush(v->options->output);
}
