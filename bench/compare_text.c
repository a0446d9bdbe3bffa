/* A comparison for people: one target as a table of all there is, several as a matrix. */
#include <math.h>

#include "bench/compare.h"
#include "bench/handoff.h"
#include "bench/runner.h"
#include "bench/terminal.h"
#include "dispatch/status.h"

#define TIGHT_ENOUGH 0.01 /* half an interval of a ratio */

/* ---- Conditions ------------------------------------------------------------------------------------------------- */

static void print_conditions(const struct sk_compare *c) {
  const char *cpu = sk_context_find(&c->context, "cpu");
  sk_terminal_put(stdout, c->target);
  printf("  batch %zu  isa %s  threads %d  pinned to ", c->batch, c->isa, c->threads);
  sk_terminal_put(stdout, sk_context_find(&c->context, "pinned"));
  printf("  seed %llu  %zu round%s in random order\n", (unsigned long long)c->options->seed, c->rounds,
         c->rounds == 1 ? "" : "s");
  sk_terminal_put(stdout, cpu ? cpu : "unknown");
  if (c->plan) printf("\n%s", sk_plan_name(c->options, c->plan).text);
  if (c->options->flush_denormals) printf("\nskiplane flushes denormals to zero");
  printf("\n\n");
}

static void print_runs(const struct sk_compare *c) {
  sk_terminal_put(stdout, c->target);
  printf("  batch %zu  isa %s  threads %d\n", c->batch, c->isa, c->threads);
  for (size_t i = 0; i < c->column_count; i++) {
    printf("%-6s ", i == 0 ? "base" : "other");
    sk_terminal_put(stdout, c->columns[i].name);
    printf("  ");
    sk_terminal_put(stdout, c->columns[i].version);
    putchar('\n');
  }
  putchar('\n');
}

static sk_status end_table(struct sk_table *table) {
  return sk_table_end(table, stdout) ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "out of memory for the table");
}

/* ---- One target ------------------------------------------------------------------------------------------------- */

/* A number, or "-" for none. */
static void add_number(struct sk_table *table, const char *format, double value) {
  char text[32] = "-";
  if (isfinite(value)) snprintf(text, sizeof text, format, value); /* NOLINT(clang-diagnostic-format-nonliteral) */
  sk_table_cell(table, "%s", text);
}

static void add_row(struct sk_table *table, const struct sk_compare *c, size_t column,
                    const struct sk_compare_result *r) {
  const bool is_winner = c->target_count == 1 && c->targets[0].winner == column;
  sk_table_cell(table, "%s%s", c->columns[column].name, is_winner ? " *" : "");
  add_number(table, "%.4f", 1e3 * r->time.median);
  add_number(table, "%.4f", 1e3 * r->time.interval.low);
  add_number(table, "%.4f", 1e3 * r->time.interval.high);
  add_number(table, "%.3f", r->comparison.ratio);
  add_number(table, "%.3f", r->comparison.low);
  add_number(table, "%.3f", r->comparison.high);
  add_number(table, "%.2g", r->comparison.p_value);
  sk_table_cell(table, "%s", sk_verdict_name(r->verdict));
  add_number(table, "%.1f", r->gflops);
  add_number(table, "%.1f", r->percent_of_peak);
  add_number(table, "%.1e", r->max_error);
  add_number(table, "%.1e", r->l2_error);
  sk_table_cell(table, "%s", c->columns[column].version);
}

static sk_status print_results(const struct sk_compare *c, const struct sk_compare_result *results) {
  static const struct sk_column columns[] = {
      {"backend", false, 0}, {"ms", true, 0},       {"low", true, 2},       {"high", true, 2},
      {"ratio", true, 0},    {"low", true, 1},      {"high", true, 1},      {"p", true, 3},
      {"verdict", false, 0}, {"GFLOP/s", true, 4},  {"% of peak", true, 3}, {"max error", true, 2},
      {"L2 error", true, 5}, {"version", false, 6},
  };
  struct sk_table table;
  sk_table_begin(&table, columns, sizeof columns / sizeof columns[0]);
  for (size_t i = 0; i < c->column_count; i++) add_row(&table, c, i, &results[i]);
  return end_table(&table);
}

/* ---- Several ---------------------------------------------------------------------------------------------------- */

/* What stands behind a cell: whether it is the least, and what the statistics make of it. */
static const char *mark(const struct sk_compare_target *target, size_t column) {
  const struct sk_compare_result *result = &target->results[column];
  if (result->verdict == SK_VERDICT_WRONG) return " WRONG";
  if (result->verdict == SK_VERDICT_EQUAL) return target->winner == column ? " *=" : " =";
  return target->winner == column ? " *" : "";
}

static void add_cell(struct sk_table *table, const struct sk_compare_target *target, size_t column) {
  const struct sk_compare_result *result = &target->results[column];
  if (result->time.count == 0) {
    sk_table_cell(table, "-");
  } else if (result->verdict == SK_VERDICT_BASE) {
    sk_table_cell(table, "%.4f%s", 1e3 * result->time.median, mark(target, column));
  } else {
    sk_table_cell(table, "%.4f x%.2f%s", 1e3 * result->time.median, result->comparison.ratio, mark(target, column));
  }
}

static void add_total(struct sk_table *table, const struct sk_compare *c) {
  sk_table_cell(table, "sum of ms");
  sk_table_cell(table, "%s", "");
  for (size_t i = 0; i < c->column_count; i++) add_number(table, "%.4f", 1e3 * c->totals[i].time.median);
  sk_table_cell(table, "geometric mean");
  sk_table_cell(table, "%s", "");
  for (size_t i = 0; i < c->column_count; i++) add_number(table, "x%.3f", c->totals[i].comparison.ratio);
}

static sk_status print_matrix(const struct sk_compare *c) {
  struct sk_column columns[2 + SK_BACKENDS_MOST] = {{"target", false, 0}, {"shape", false, 1}};
  struct sk_table table;
  for (size_t i = 0; i < c->column_count; i++) columns[2 + i] = (struct sk_column){c->columns[i].name, false, 0};
  sk_table_begin(&table, columns, 2 + c->column_count);
  for (size_t row = 0; row < c->target_count; row++) {
    const struct sk_compare_target *target = &c->targets[row];
    sk_table_cell(&table, "%s", target->name);
    sk_table_cell(&table, "%s", target->shape);
    for (size_t i = 0; i < c->column_count; i++) add_cell(&table, target, i);
  }
  if (!c->has_whole) add_total(&table, c);
  const sk_status status = end_table(&table);
  printf(
      "\nms, and x time over the first column's; * the least median, = equal to the first as far as can be told, - not "
      "run\n");
  return status;
}

/* ---- Remarks ---------------------------------------------------------------------------------------------------- */

static void print_reasons(const struct sk_compare *c) {
  for (size_t row = 0; row < c->target_count; row++) {
    for (size_t i = 0; i < c->column_count; i++) {
      const struct sk_compare_result *result = &c->targets[row].results[i];
      if (!*result->reason.text) continue;
      printf("%s   %s on %s: %s\n", sk_verdict_name(result->verdict), c->columns[i].name, c->targets[row].name,
             result->reason.text);
    }
  }
}

/* A run longer than the system's time slice meets another process more often than a short one: that bends ratios. */
static void print_preemptions(const struct sk_compare *c) {
  if (c->preemptions == 0) return;
  printf("noise    the system took the CPU away %ld times; %s\n", c->preemptions,
         "long runs suffer from that more than short ones");
}

static void print_peak(const struct sk_compare *c) {
  printf("peak     %.1f GFLOP/s of FMA, %s, %d thread%s;", sk_compare_peak(c), c->isa, c->threads,
         c->threads == 1 ? "" : "s");
  for (size_t i = 0; i < c->peak_count; i++) printf("%s %.1f", i > 0 ? "," : "", c->peaks[i]);
  printf(" in the course of it: spread %.1f%%\n", 100 * sk_compare_drift(c));
  if (sk_compare_drift(c) > SK_COMPARE_DRIFT) {
    printf("         NOTE: the peak moved by more than 5%%: the machine was not quiet, distrust these numbers\n");
  }
}

/* The widest interval of a ratio, half of it. */
static double widest(const struct sk_compare *c) {
  double most = 0;
  for (size_t row = 0; row < c->target_count; row++) {
    for (size_t i = 0; i < c->column_count; i++) {
      const struct sk_comparison *comparison = &c->targets[row].results[i].comparison;
      most = fmax(most, (comparison->high - comparison->low) / 2);
    }
  }
  return most;
}

static void print_method(const struct sk_compare *c) {
  printf("verdict  a difference over %.3g%% whose 95%% bootstrap interval and Mann-Whitney test (p < 0.05) agree\n",
         100 * c->options->threshold);
  if (c->has_whole) return;
  printf("errors   against the reference in double precision; wrong: relative L2 over %g\n", SK_COMPARE_WRONG);
  if (widest(c) > TIGHT_ENOUGH) {
    printf("         intervals of ratios reach +-%.1f%%: --duration SECONDS or --runs N, longer, narrows them\n",
           100 * widest(c));
  }
}

static sk_status print_whole(const struct sk_compare *c) {
  const sk_status status = print_results(c, c->totals);
  if (status) return status;
  putchar('\n');
  return print_matrix(c);
}

sk_status sk_compare_print(const struct sk_compare *c) {
  sk_status status = SK_OK;
  if (c->has_whole) {
    print_runs(c);
    status = print_whole(c);
  } else {
    print_conditions(c);
    status = c->target_count == 1 ? print_results(c, c->totals) : print_matrix(c);
  }
  if (status) return status;
  putchar('\n');
  print_reasons(c);
  if (c->peak_count > 0) print_peak(c);
  sk_handoff_print(9, c->handoffs, c->peak_count);
  print_preemptions(c);
  print_method(c);
  if (c->interrupted) printf("         interrupted: this is what had been measured by then\n");
  return SK_OK;
}
