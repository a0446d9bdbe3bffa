/* What tune chose, for people: a line for each shape, then the plan as a whole. */
#include "bench/tune.h"
#include "dispatch/status.h"
#include "resnet/graph.h"
#include "resnet/text.h"

/* ---- Conditions ----------------------------------------------------------------------------------------------- */

static void print_conditions(const struct sk_tune *t) {
  const char *cpu = sk_context_find(&t->context, "cpu");
  sk_terminal_put(stdout, t->model);
  printf("  input %zux%zux%zu  batch %zu  isa %s  threads %d on CPUs %s  weights ", t->info.in_channels,
         t->info.in_height, t->info.in_width, t->info.batch, sk_isa_name(t->info.isa), t->info.threads,
         sk_cpu_list_print(&t->cpus).text);
  const char *const file = sk_weights_file(t->options);
  if (file) {
    sk_terminal_put(stdout, file);
  } else {
    printf("seed %llu", (unsigned long long)t->options->seed);
  }
  printf("  %zu round%s in random order\n", t->rounds, t->rounds == 1 ? "" : "s");
  sk_terminal_put(stdout, cpu ? cpu : "unknown");
  printf("\n\n");
}

/* ---- The table ------------------------------------------------------------------------------------------------ */

enum { LEFT_COLUMNS = 5, RIGHT_COLUMNS = 4 };

static void add_algorithm(struct sk_table *table, sk_algorithm algorithm) {
  sk_table_cell(table, "%s", sk_algorithm_name(algorithm));
  sk_table_style(table, sk_style_of_algorithm(algorithm));
}

/* The candidate's time; of auto's own algorithm, the base's. */
static void add_time(struct sk_table *table, const struct sk_tune *t, const struct sk_tune_row *row, size_t c) {
  const bool is_automatic = t->candidates[c].algorithm == row->automatic;
  const struct sk_tune_cell *cell = &row->cells[is_automatic ? 0 : c];
  if (cell->is_there) {
    sk_table_cell(table, "%.4f", 1e3 * cell->time.median);
  } else {
    sk_table_cell(table, "-");
  }
}

/* How much less time the chosen one takes. */
static void add_gain(struct sk_table *table, const struct sk_tune_row *row) {
  const struct sk_comparison *comparison = &row->cells[row->chosen].comparison;
  if (row->chosen == 0) {
    sk_table_cell(table, "-");
    sk_table_cell(table, "-");
    sk_table_cell(table, "-");
    return;
  }
  sk_table_cell(table, "%.1f", 100 * (1 - comparison->ratio));
  sk_table_style(table, SK_STYLE_GOOD);
  sk_table_cell(table, "%.1f", 100 * (1 - comparison->high));
  sk_table_cell(table, "%.1f", 100 * (1 - comparison->low));
}

static void add_row(struct sk_table *table, const struct sk_tune *t, const struct sk_tune_row *row) {
  sk_layer_info layer = {.name = ""};
  (void)sk_net_layer(t->candidates[0].net, row->first, &layer);
  sk_table_cell(table, "%s", layer.name);
  sk_table_cell(table, "%zu", row->count);
  sk_table_cell(table, "%s", sk_conv_layer_shape(&layer).text);
  add_algorithm(table, row->automatic);
  sk_table_cell(table, "%.4f", 1e3 * row->cells[0].time.median);
  for (size_t c = 1; c < t->candidate_count; c++) add_time(table, t, row, c);
  add_algorithm(table, sk_tune_algorithm(t, row));
  add_gain(table, row);
}

static sk_status print_rows(const struct sk_tune *t) {
  struct sk_column columns[LEFT_COLUMNS + SK_TUNE_MOST + RIGHT_COLUMNS] = {
      {"layer", false, 0}, {"layers", true, 2}, {"shape", false, 4}, {"auto", false, 0}, {"ms", true, 0}};
  static const struct sk_column last[RIGHT_COLUMNS] = {
      {"chosen", false, 0}, {"gain %", true, 0}, {"low", true, 3}, {"high", true, 3}};
  struct sk_table table;
  size_t count = LEFT_COLUMNS;
  for (size_t c = 1; c < t->candidate_count; c++) {
    columns[count++] = (struct sk_column){sk_algorithm_name(t->candidates[c].algorithm), true, 1};
  }
  for (size_t i = 0; i < RIGHT_COLUMNS; i++) columns[count++] = last[i];
  sk_table_begin(&table, columns, count);
  for (size_t i = 0; i < t->row_count; i++) add_row(&table, t, &t->rows[i]);
  if (!sk_table_end(&table, stdout)) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the table");
  printf(
      "\na line for each shape; ms of a layer, by what auto runs and by each candidate, in its network; - does not "
      "apply\n");
  return SK_OK;
}

/* ---- The plan as a whole -------------------------------------------------------------------------------------- */

static const char *describe_verdict(const struct sk_tune *t) {
  switch (sk_tune_verdict(t)) {
    case SK_VERDICT_FASTER: return "the plan is faster";
    case SK_VERDICT_SLOWER: return "the plan is SLOWER: auto's algorithms stay";
    default: break;
  }
  return t->check.rounds < SK_TUNE_LEAST_ROUNDS ? "too few rounds to tell" : "the plan is NOT faster beyond doubt";
}

static void print_check(const struct sk_tune *t) {
  const struct sk_tune_check *check = &t->check;
  if (check->rounds == 0) return;
  printf("network    auto %.3f ms, plan %.3f ms; ratio %.4f, 95%% interval %.4f to %.4f, %zu rounds: %s\n",
         1e3 * check->base.median, 1e3 * check->plan.median, check->comparison.ratio, check->comparison.low,
         check->comparison.high, check->rounds, describe_verdict(t));
}

/* How many convolutions the rows hold. */
static size_t count_layers(const struct sk_tune *t) {
  size_t count = 0;
  for (size_t i = 0; i < t->row_count; i++) count += t->rows[i].count;
  return count;
}

static bool uses_winograd6(const struct sk_tune *t) {
  for (size_t i = 0; i < t->row_count; i++) {
    const struct sk_tune_row *row = &t->rows[i];
    if (row->chosen > 0 && sk_tune_algorithm(t, row) == SK_ALGORITHM_WINOGRAD6) return true;
  }
  return false;
}

static void print_remarks(const struct sk_tune *t) {
  if (t->rounds < SK_TUNE_LEAST_ROUNDS) {
    printf("NOTE       %zu round%s, but it takes %d to choose by: --duration SECONDS or --runs N, longer\n", t->rounds,
           t->rounds == 1 ? "" : "s", SK_TUNE_LEAST_ROUNDS);
  }
  if (uses_winograd6(t)) printf("NOTE       winograd6 has more than four times the error of winograd4\n");
  if (t->interrupted) printf("NOTE       interrupted: the plan is of what had been measured by then\n");
}

sk_status sk_tune_print(const struct sk_tune *t) {
  const size_t changes = sk_tune_changes(t);
  print_conditions(t);
  const sk_status status = print_rows(t);
  if (status) return status;
  putchar('\n');
  print_check(t);
  printf("plan       %s: %zu of %zu convolutions run by another algorithm than auto's\n",
         sk_quote(t->options->output).text, changes, count_layers(t));
  print_remarks(t);
  return SK_OK;
}
