/* The checker's report: a table for people, JSON for programs, and one line for each failure. */
#include <inttypes.h>

#include "bench/page.h"
#include "bench/verify_internal.h"
#include "dispatch/status.h"

void sk_report_start(const struct sk_verify *v) {
  if (v->options->json) return;
  FILE *out = v->options->output;
  fprintf(out, "skiplane verify %s, seed %" PRIu64 "%s%s%s, ISAs:", sk_version(), v->options->seed,
          v->filtered ? ", filter " : "", v->filtered ? v->options->filter : "",
          v->options->exhaustive ? ", exhaustive" : "");
  for (size_t i = 0; i < v->table_count; i++) fprintf(out, " %s", sk_isa_name(v->tables[i]->isa));
  fprintf(out, "\n%-22s %-8s %6s %6s %11s %9s %8s %9s %6s %8s  %s\n", "kernel", "isa", "cases", "failed", "worst/bound",
          "rms/bound", "margin", "L2", "exact", "max ULP", "worst on");
  fflush(out);
}

void sk_report_failure(const struct sk_verify *v, const struct sk_verify_result *result) {
  FILE *out = v->options->json ? stderr : v->options->output;
  fprintf(out, "FAILED %s: %s | skiplane verify ", result->name, result->message);
  if (v->options->only) {
    fprintf(out, "--case %s\n", v->options->only_path);
  } else {
    fprintf(out, "--isa %s --seed %" PRIu64 "%s --filter '^%s$'%s%s\n", sk_isa_name(result->isa), v->options->seed,
            v->options->exhaustive ? " --exhaustive" : "", result->name,
            result->case_path ? " | reduced: skiplane verify --case " : "", result->case_path ? result->case_path : "");
  }
  fflush(out);
}

/* A figure, or what stands for none. */
static void print_figure(FILE *out, int width, bool known, double value) {
  if (known) {
    fprintf(out, " %*.3g", width, value);
  } else {
    fprintf(out, " %*s", width, "-");
  }
}

/* The kind of data whose errors came nearest to the bound. */
static enum sk_data worst_data(const struct sk_verify_group *group) {
  enum sk_data worst = SK_DATA_REALS;
  for (enum sk_data data = 0; data < SK_DATA_KINDS; data++) {
    if (group->errors[data].worst_fraction > group->errors[worst].worst_fraction) worst = data;
  }
  return worst;
}

/* One line of the table. Sums of squares of unlike scales would tell of the largest alone, and where terms cancel any
 * float is many places off: the L2 error, the share of correctly
 * rounded values and the ULPs are those of plain reals. */
static void report_group(FILE *out, const struct sk_verify_group *group) {
  const struct sk_error_statistics *reals = &group->errors[SK_DATA_REALS], all = sk_verify_group_errors(group);
  const bool off = all.worst_fraction > 0;
  fprintf(out, "%-22s %-8s %6zu %6zu", group->name, sk_isa_name(group->isa), group->cases, group->failed);
  print_figure(out, 11, all.values > 0, all.worst_fraction);
  print_figure(out, 9, all.values > 0, sk_root_mean_square(all.sum_fraction, all.values));
  print_figure(out, 8, off, sk_error_margin(&all));
  print_figure(out, 9, reals->values > 0, sk_error_l2(reals));
  if (reals->values > 0) {
    fprintf(out, " %5.1f%%", 100 * (double)reals->ulp[0] / (double)reals->values);
  } else {
    fprintf(out, " %6s", "-");
  }
  print_figure(out, 8, reals->values > 0, (double)reals->worst_ulp);
  fprintf(out, "  %s\n", off ? sk_data_name(worst_data(group)) : "-");
}

void sk_report_groups(struct sk_verify *v) {
  for (; v->reported < v->group_count; v->reported++) {
    if (!v->options->json) report_group(v->options->output, &v->groups[v->reported]);
  }
  fflush(v->options->output);
}

struct sk_error_statistics sk_verify_group_errors(const struct sk_verify_group *group) {
  struct sk_error_statistics all = {0};
  for (enum sk_data data = 0; data < SK_DATA_KINDS; data++) sk_error_statistics_merge(&all, &group->errors[data]);
  return all;
}

static void report_json(const struct sk_verify *v) {
  struct sk_json json;
  sk_verify_document(v, true, &json);
  char *text = json.failed ? NULL : cJSON_Print(json.root);
  sk_json_discard(&json);
  fprintf(v->options->output, "%s\n", text ? text : "");
  cJSON_free(text);
}

sk_status sk_report_page(const struct sk_verify *v) {
  struct sk_json json;
  sk_verify_document(v, false, &json);
  const sk_status status = json.failed ? sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory", v->options->html)
                                       : sk_page_write(v->options->html, SK_PAGE_VERIFY, json.root);
  sk_json_discard(&json);
  return status;
}

void sk_report_end(struct sk_verify *v) {
  if (v->options->json) {
    report_json(v);
  } else {
    fprintf(v->options->output, "%zu passed, %zu failed, %zu skipped\n", v->passed, v->failed, v->skipped);
  }
  fflush(v->options->output);
}
