/* A profile for people: layers as they run, those that take the most time, and what it all comes to. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/handoff.h"
#include "bench/profile.h"
#include "bench/runner.h"
#include "bench/terminal.h"
#include "dispatch/size.h"
#include "dispatch/status.h"

enum { LONGEST = 10 };
#define MEBIBYTE 0x1p20
#define TIGHT_ENOUGH 0.01 /* an interval's half width, beside its median */

/* ---- Conditions ----------------------------------------------------------------------------------------------- */

static void print_item(const struct sk_profile *p, const char *title, const char *key) {
  const char *value = sk_context_find(&p->context, key);
  printf("%s%s ", *title ? "  " : "", title);
  sk_terminal_put(stdout, value ? value : "unknown");
}

static void print_machine(const struct sk_profile *p) {
  fputs("machine   ", stdout);
  print_item(p, "", "cpu");
  print_item(p, "governor", "governor");
  print_item(p, "smt", "smt");
  print_item(p, "virtualisation", "virtualisation");
  fputs("\n          ", stdout);
  print_item(p, "", "caches");
  fputs("\nbuild     ", stdout);
  print_item(p, "", "compiler");
  fputs("; skiplane", stdout);
  print_item(p, "", "skiplane");
  print_item(p, "revision", "revision");
  print_item(p, "openmp", "openmp");
  putchar('\n');
}

static void print_weights(const struct sk_options *options) {
  fputs("  weights ", stdout);
  const char *const file = sk_weights_file(options);
  if (file) {
    sk_terminal_put(stdout, file);
  } else {
    printf("seed %llu", (unsigned long long)options->seed);
  }
}

static void print_conditions(const struct sk_profile *p) {
  const sk_net_info *info = &p->m.info;
  sk_terminal_put(stdout, p->model);
  printf("  input %zux%zux%zu  batch %zu  isa %s  threads %d on CPUs %s  algo %s  denormals %s", info->in_channels,
         info->in_height, info->in_width, info->batch, sk_isa_name(info->isa), info->threads,
         sk_cpu_list_print(&p->cpus).text, sk_plan_name(p->options, p->plan).text,
         sk_denormals_word(info->flush_denormals));
  print_weights(p->options);
  printf("  %zu run%s\n", p->m.runs, p->m.runs == 1 ? "" : "s");
  print_machine(p);
  putchar('\n');
}

/* ---- Tables --------------------------------------------------------------------------------------------------- */

/* The farther end of an interval from its median, beside that. */
static double half_width(const struct sk_summary *time) {
  return fmax(time->interval.high - time->median, time->median - time->interval.low) / time->median;
}

/* A pool or an add has no multiply-accumulates to count. */
static void add_rate(struct sk_table *table, const struct sk_profile_layer *layer, double value) {
  if (layer->info.macs > 0) {
    sk_table_cell(table, "%.1f", value);
  } else {
    sk_table_cell(table, "-");
  }
}

static void add_algorithm(struct sk_table *table, const struct sk_profile_layer *layer) {
  sk_table_cell(table, "%s", sk_layer_algorithm(&layer->info));
  if (layer->info.macs > 0) sk_table_style(table, sk_style_of_algorithm(layer->info.algorithm));
}

static void add_roof(struct sk_table *table, const struct sk_profile_layer *layer) {
  sk_table_cell(table, "%s", layer->roof.name);
  sk_table_cell(table, "%.0f", 100 * layer->roof.seconds / layer->time->median);
}

static void add_layer(struct sk_table *table, const struct sk_profile *p, const struct sk_profile_layer *layer) {
  sk_table_cell(table, "%s", layer->info.name);
  sk_table_cell(table, "%s", layer->info.op);
  sk_table_cell(table, "%s", sk_layer_shape(&layer->info).text);
  add_algorithm(table, layer);
  sk_table_cell(table, "%s", sk_isa_name(p->m.info.isa));
  sk_table_cell(table, "%.4f", 1e3 * layer->time->median);
  sk_table_cell(table, "%.1f", 100 * half_width(layer->time));
  sk_table_cell(table, "%.1f", 100 * layer->share);
  add_rate(table, layer, layer->gflops);
  add_rate(table, layer, sk_profile_percent(p, layer->gflops));
  add_roof(table, layer);
  sk_table_cell(table, "%.2f", (double)layer->bytes / MEBIBYTE);
  sk_table_cell(table, "%.1f", layer->gbps);
  sk_table_cell(table, "%.2f", (double)layer->info.workspace_bytes / MEBIBYTE);
}

static sk_status end_table(struct sk_table *table) {
  return sk_table_end(table, stdout) ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "out of memory for the table");
}

static sk_status print_layers(const struct sk_profile *p) {
  static const struct sk_column columns[] = {
      {"layer", false, 0},  {"op", false, 9},       {"shape", false, 3},    {"algorithm", false, 1},
      {"isa", false, 10},   {"ms", true, 0},        {"+- %", true, 4},      {"share %", true, 2},
      {"GFLOP/s", true, 2}, {"% of peak", true, 0}, {"roof", false, 2},     {"% of roof", true, 2},
      {"MiB", true, 7},     {"GB/s", true, 6},      {"extra MiB", true, 8},
  };
  struct sk_table table;
  sk_table_begin(&table, columns, sizeof columns / sizeof columns[0]);
  for (size_t i = 0; i < p->m.info.layers; i++) add_layer(&table, p, &p->layers[i]);
  return end_table(&table);
}

static int compare_times(const void *left, const void *right) {
  const double a = ((const struct sk_profile_layer *)left)->time->median;
  const double b = ((const struct sk_profile_layer *)right)->time->median;
  return (a < b) - (a > b);
}

/* Copy the layers, the longest first; NULL if there is no memory. */
static struct sk_profile_layer *sort_layers(const struct sk_profile *p) {
  struct sk_profile_layer *sorted = calloc(p->m.info.layers, sizeof *sorted);
  if (!sorted) return NULL;
  memcpy(sorted, p->layers, p->m.info.layers * sizeof *sorted);
  qsort(sorted, p->m.info.layers, sizeof *sorted, compare_times);
  return sorted;
}

/* sum: of the shares down to this layer. */
static void add_longest(struct sk_table *table, const struct sk_profile_layer *layer, double sum) {
  sk_table_cell(table, "%s", layer->info.name);
  sk_table_cell(table, "%s", sk_layer_shape(&layer->info).text);
  add_algorithm(table, layer);
  sk_table_cell(table, "%.4f", 1e3 * layer->time->median);
  sk_table_cell(table, "%.1f", 100 * layer->share);
  sk_table_cell(table, "%.1f", 100 * sum);
  add_rate(table, layer, layer->gflops);
  add_roof(table, layer);
}

static sk_status print_longest(const struct sk_profile *p) {
  static const struct sk_column columns[] = {
      {"layer", false, 0}, {"shape", false, 3},  {"algorithm", false, 1}, {"ms", true, 0},        {"share %", true, 2},
      {"sum %", true, 0},  {"GFLOP/s", true, 4}, {"roof", false, 2},      {"% of roof", true, 2},
  };
  struct sk_table table;
  double sum = 0;
  struct sk_profile_layer *sorted = sort_layers(p);
  if (!sorted) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the table");
  const size_t count = sk_size_min(LONGEST, p->m.info.layers);
  printf("\nThe %zu layers that take the most time:\n", count);
  sk_table_begin(&table, columns, sizeof columns / sizeof columns[0]);
  for (size_t i = 0; i < count; i++) {
    sum += sorted[i].share;
    add_longest(&table, &sorted[i], sum);
  }
  free(sorted);
  return end_table(&table);
}

/* ---- Totals --------------------------------------------------------------------------------------------------- */

/* "p50 1.234, p90 1.300 ms", those that there are enough values for; "-" if there are not for any. */
static void print_percentiles(const struct sk_percentiles *percentiles) {
  bool is_first = true;
  for (size_t i = 0; i < SK_PERCENTILES; i++) {
    if (isnan(percentiles->list[i].value)) continue;
    printf("%s%s %.3f", is_first ? "" : ", ", percentiles->list[i].name, 1e3 * percentiles->list[i].value);
    is_first = false;
  }
  puts(is_first ? "- (too few runs)" : " ms");
}

static void print_network(const struct sk_profile *p) {
  const struct sk_summary *whole = &p->m.whole;
  const double gflops = sk_profile_gflops(p);
  printf("\nnetwork    median %.3f ms, ", 1e3 * whole->median);
  if (whole->interval.coverage >= 0.95) {
    printf("95%% interval %.3f to %.3f", 1e3 * whole->interval.low, 1e3 * whole->interval.high);
  } else {
    printf("range %.3f to %.3f (too few runs for an interval)", 1e3 * whole->interval.low, 1e3 * whole->interval.high);
  }
  printf(", min %.3f; %.1f images/s\n", 1e3 * whole->minimum, (double)p->m.info.batch / whole->median);
  printf("           %.1f GFLOP/s counted as direct convolution, %.1f%% of the peak\n", gflops,
         sk_profile_percent(p, gflops));
  fputs("latency    ", stdout);
  print_percentiles(&p->m.percentiles);
  printf("layers     their medians sum up to %.1f%% of the network's; watching them costs %+.1f%%\n",
         100 * p->layer_sum / whole->median, 100 * (p->m.observed.median / whole->median - 1));
}

static void print_scenario(const struct sk_scenario_result *result) {
  if (result->queries == 0) return;
  printf("scenario   %s, %zu queries in %.1f s: ", sk_scenario_name(result->scenario), result->queries,
         result->seconds);
  if (result->scenario == SK_SCENARIO_OFFLINE) {
    printf("%.1f images/s\n", result->images_per_second);
  } else if (isnan(result->latencies.list[1].value)) {
    printf("too few for the 90th percentile (%zu needed)\n", sk_statistics_percentile_least(0.9));
  } else {
    printf("90th percentile %.3f ms\n", 1e3 * result->latencies.list[1].value);
  }
  fputs("           latency ", stdout);
  print_percentiles(&result->latencies);
}

static void print_peak(const struct sk_profile *p) {
  printf("peak       %.1f GFLOP/s of FMA, %s, %d thread%s; before %.1f, between %.1f, after %.1f: spread %.1f%%\n",
         p->peak, sk_isa_name(p->m.info.isa), p->m.info.threads, p->m.info.threads == 1 ? "" : "s", p->m.peaks[0],
         p->m.peaks[1], p->m.peaks[2], 100 * p->drift);
  if (p->drift > SK_DRIFT_LIMIT) {
    printf("           NOTE: the peak moved by more than 5%%: the machine was not quiet, distrust these numbers\n");
  }
}

static void print_bandwidths(const struct sk_bandwidths *bandwidths) {
  fputs("bandwidth ", stdout);
  for (size_t i = 0; i < bandwidths->count; i++) {
    const struct sk_bandwidth *level = &bandwidths->levels[i];
    const bool is_large = level->bytes >= (size_t)1 << 20;
    printf("%s %s %.1f GB/s (%zu %s)", i > 0 ? "," : "", level->level, level->gbps,
           level->bytes >> (is_large ? 20 : 10), is_large ? "MiB" : "KiB");
  }
  puts(" read");
}

static void print_memory(const struct sk_profile *p) {
  const sk_net_info *info = &p->m.info;
  const double resident = (double)p->memory.resident_bytes,
               needed = (double)(info->weight_bytes + info->workspace_bytes);
  printf(
      "memory     weights %.1f MiB, of which %.1f for Winograd and %.1f for Strassen; workspace %.1f MiB,\n"
      "           activations without reuse %.1f MiB\n",
      (double)info->weight_bytes / MEBIBYTE, (double)p->memory.winograd_bytes / MEBIBYTE,
      (double)p->memory.strassen_bytes / MEBIBYTE, (double)info->workspace_bytes / MEBIBYTE,
      (double)info->activation_bytes / MEBIBYTE);
  if (resident > 0) {
    printf("           peak resident %.1f MiB, %.2f times weights and workspace", resident / MEBIBYTE,
           resident / needed);
  } else {
    fputs("           peak resident unknown", stdout);
  }
  printf("; planned in %.3f s\n", p->plan_seconds);
}

static void print_hardware(const struct sk_counts *counts) {
  const double *values = counts->values;
  const double cycles = values[SK_COUNTER_CYCLES];
  if (!isnan(cycles)) {
    printf("%.2f instructions per cycle; a run takes %.4g cycles, %.4g instructions, %.4g cache misses\n           ",
           values[SK_COUNTER_INSTRUCTIONS] / cycles, cycles, values[SK_COUNTER_INSTRUCTIONS],
           values[SK_COUNTER_CACHE_MISSES]);
  }
  if (*counts->unavailable.text) {
    printf("%s: %s\n           ", isnan(cycles) ? "no cycles, instructions or cache misses" : "some are missing",
           counts->unavailable.text);
  }
}

static void print_counters(const struct sk_profile *p) {
  const double *values = p->counts.values;
  if (p->counted_runs == 0) return;
  fputs("counters   ", stdout);
  print_hardware(&p->counts);
  printf("a run takes %.3f ms of CPU time, %.1f page faults, %.1f waits, %.1f preemptions\n",
         values[SK_COUNTER_TASK_CLOCK_MS], values[SK_COUNTER_PAGE_FAULTS], values[SK_COUNTER_WAITS],
         values[SK_COUNTER_PREEMPTIONS]);
}

static void print_clock(const struct sk_clock *clock) {
  printf("clock      %s, resolution %.3g ns, %.3g ns a call\n", clock->name, 1e9 * clock->resolution,
         1e9 * clock->overhead);
}

/* Say how to get narrower intervals, which shrink as 1/sqrt(runs); or that the user ended the run. */
static void print_advice(const struct sk_profile *p) {
  const double width = half_width(&p->m.whole);
  const double spent = (p->m.whole.median + p->m.observed.median) * (double)p->m.runs;
  const double seconds = p->options->duration > 0 && !p->options->scenario ? p->options->duration : spent;
  if (p->interrupted) printf("NOTE       interrupted after %zu runs\n", p->m.runs);
  if (p->interrupted || (width < TIGHT_ENOUGH && p->m.whole.interval.coverage >= 0.95)) return;
  if (p->options->runs > 0) {
    printf("tighter    the interval is +-%.1f%%: --runs %zu would halve it\n", 100 * width, 4 * p->m.runs);
  } else {
    printf("tighter    the interval is +-%.1f%%: --duration %.0f would halve it\n", 100 * width, ceil(4 * seconds));
  }
}

sk_status sk_profile_print(const struct sk_profile *profile) {
  print_conditions(profile);
  sk_status status = print_layers(profile);
  if (!status) status = print_longest(profile);
  if (status) return status;
  print_network(profile);
  print_scenario(&profile->scenario);
  print_peak(profile);
  sk_handoff_print(11, profile->m.handoffs, SK_PEAKS);
  print_bandwidths(&profile->bandwidths);
  print_memory(profile);
  print_counters(profile);
  print_clock(&profile->clock);
  print_advice(profile);
  return SK_OK;
}
