/* skiplane profile: where the time of a network goes, against what the machine can do. */
#include <stdio.h>
#include <string.h>

#include "bench/commands.h"
#include "bench/json_output.h"
#include "bench/machine.h"
#include "bench/measure.h"
#include "bench/runner.h"
#include "bench/terminal.h"
#include "dispatch/status.h"
#include "resnet/text.h"

#define DRIFT_LIMIT 0.05

struct profile {
  const struct sk_options *options;
  const char *model;
  const sk_net *net;
  struct sk_measurement m;
  double peak;      /* GFLOP/s */
  double layer_sum; /* seconds */
};

/* GFLOP/s of a number of multiply-accumulates per image, in some time per batch. */
static double rate(const struct profile *p, uint64_t macs, double seconds) {
  return seconds > 0 ? 2e-9 * (double)macs * (double)p->m.info.batch / seconds : 0;
}

static double percent(const struct profile *p, double gflops) { return 100 * gflops / p->peak; }

/* ---- A layer's shape: "64x56x56 -> 64x56x56 3x3 s1" --------------------------------------------------------- */

struct shape_text {
  char text[128];
};

static size_t append_size(struct shape_text *shape, size_t used, size_t channels, size_t height, size_t width) {
  const size_t room = sizeof shape->text - used;
  const int length = height == 1 && width == 1
                         ? snprintf(shape->text + used, room, "%zu", channels)
                         : snprintf(shape->text + used, room, "%zux%zux%zu", channels, height, width);
  return used + (size_t)length;
}

/* Three sizes of at most 20 digits twice, and the window, fit in the text. */
static struct shape_text print_shape(const sk_layer_info *layer) {
  struct shape_text shape;
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

/* ---- Text --------------------------------------------------------------------------------------------------- */

static const struct sk_column columns[] = {
    {"layer", false, 0}, {"op", false, 4},     {"shape", false, 3},  {"algorithm", false, 1},
    {"ms", true, 0},     {"share %", true, 2}, {"GFLOP/s", true, 1}, {"% of peak", true, 0},
};

static void add_row(struct sk_table *table, const struct profile *p, const sk_layer_info *layer, double seconds) {
  const double gflops = rate(p, layer->macs, seconds);
  sk_table_cell(table, "%s", layer->name);
  sk_table_cell(table, "%s", layer->op);
  sk_table_cell(table, "%s", print_shape(layer).text);
  sk_table_cell(table, "%s", layer->macs ? sk_algorithm_name(layer->algorithm) : "-");
  if (layer->macs) sk_table_style(table, sk_style_of_algorithm(layer->algorithm));
  sk_table_cell(table, "%.4f", 1e3 * seconds);
  sk_table_cell(table, "%.1f", 100 * seconds / p->layer_sum);
  if (layer->macs) {
    sk_table_cell(table, "%.1f", gflops);
    sk_table_cell(table, "%.1f", percent(p, gflops));
  } else { /* a pool or an add has no multiply-accumulates to count */
    sk_table_cell(table, "-");
    sk_table_cell(table, "-");
  }
}

static sk_status print_layers(const struct profile *p) {
  struct sk_table table;
  sk_status status = SK_OK;
  sk_table_begin(&table, columns, sizeof columns / sizeof columns[0]);
  for (size_t i = 0; !status && i < p->m.info.layers; i++) {
    sk_layer_info layer;
    status = sk_net_layer(p->net, i, &layer);
    if (!status) add_row(&table, p, &layer, p->m.layers[i].median);
  }
  table.failed |= status != SK_OK;
  if (sk_table_end(&table, stdout) || status) return status;
  return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the table");
}

static void print_conditions(const struct profile *p) {
  struct sk_machine machine;
  const sk_net_info *info = &p->m.info;
  sk_machine_read(&machine);
  printf("%s  input %zux%zux%zu  batch %zu  isa %s  threads %d  algo %s  weights ", p->model, info->in_channels,
         info->in_height, info->in_width, info->batch, sk_isa_name(info->isa), info->threads,
         sk_algorithm_wanted(p->options));
  if (p->options->weights) {
    sk_terminal_put(stdout, p->options->weights);
  } else {
    printf("seed %llu", (unsigned long long)p->options->seed);
  }
  printf("\n%s, skiplane %s, %zu runs\n\n", machine.cpu, sk_version(), p->m.runs);
}

static void print_network(const struct profile *p) {
  const struct sk_summary *whole = &p->m.whole;
  const double gflops = rate(p, p->m.info.macs, whole->median);
  printf("\nnetwork    median %.3f ms, ", 1e3 * whole->median);
  if (whole->interval.coverage >= 0.95) {
    printf("95%% interval %.3f to %.3f", 1e3 * whole->interval.low, 1e3 * whole->interval.high);
  } else {
    printf("range %.3f to %.3f (too few runs for an interval)", 1e3 * whole->interval.low, 1e3 * whole->interval.high);
  }
  printf(", min %.3f; %.1f images/s\n", 1e3 * whole->minimum, (double)p->m.info.batch / whole->median);
  printf("           %.1f GFLOP/s counted as direct convolution, %.1f%% of the peak\n", gflops, percent(p, gflops));
  printf("layers     their medians sum up to %.1f%% of the network's; watching them costs %+.1f%%\n",
         100 * p->layer_sum / p->m.whole.median, 100 * (p->m.observed.median / whole->median - 1));
}

static void print_peak(const struct profile *p) {
  printf("peak       %.1f GFLOP/s of FMA, %s, %d thread%s; before %.1f, between %.1f, after %.1f: spread %.1f%%\n",
         p->peak, sk_isa_name(p->m.info.isa), p->m.info.threads, p->m.info.threads == 1 ? "" : "s", p->m.peaks[0],
         p->m.peaks[1], p->m.peaks[2], 100 * sk_measurement_drift(&p->m));
  if (sk_measurement_drift(&p->m) > DRIFT_LIMIT) {
    printf("           NOTE: the peak moved by more than 5%%: the machine was not quiet, distrust these numbers\n");
  }
}

static sk_status print_text(const struct profile *p) {
  const double mebibyte = 1U << 20;
  print_conditions(p);
  const sk_status status = print_layers(p);
  if (status) return status;
  print_network(p);
  print_peak(p);
  printf("memory     workspace %.1f MiB, weights %.1f MiB, activations without reuse %.1f MiB\n",
         (double)p->m.info.workspace_bytes / mebibyte, (double)p->m.info.weight_bytes / mebibyte,
         (double)p->m.info.activation_bytes / mebibyte);
  return SK_OK;
}

/* ---- JSON --------------------------------------------------------------------------------------------------- */

static void add_times(struct sk_json *json, cJSON *object, const struct sk_summary *summary) {
  sk_json_number(json, object, "median_ms", 1e3 * summary->median);
  sk_json_number(json, object, "min_ms", 1e3 * summary->minimum);
  sk_json_number(json, object, "low_ms", 1e3 * summary->interval.low);
  sk_json_number(json, object, "high_ms", 1e3 * summary->interval.high);
}

static void add_conditions(struct sk_json *json, const struct profile *p) {
  struct sk_machine machine;
  const sk_net_info *info = &p->m.info;
  sk_machine_read(&machine);
  sk_json_text(json, json->root, "model", p->model);
  sk_json_text(json, json->root, "isa", sk_isa_name(info->isa));
  sk_json_number(json, json->root, "threads", info->threads);
  sk_json_size(json, json->root, "batch", info->batch);
  sk_json_text(json, json->root, "algorithm", sk_algorithm_wanted(p->options));
  sk_json_size(json, json->root, "in_height", info->in_height);
  sk_json_size(json, json->root, "in_width", info->in_width);
  sk_json_text(json, json->root, "weights", p->options->weights);
  sk_json_text(json, json->root, "cpu", machine.cpu);
  sk_json_text(json, json->root, "version", sk_version());
  sk_json_size(json, json->root, "runs", p->m.runs);
}

static void add_network(struct sk_json *json, const struct profile *p) {
  const double gflops = rate(p, p->m.info.macs, p->m.whole.median);
  add_times(json, json->root, &p->m.whole);
  sk_json_number(json, json->root, "interval_coverage", p->m.whole.interval.coverage);
  sk_json_number(json, json->root, "images_per_second", (double)p->m.info.batch / p->m.whole.median);
  sk_json_number(json, json->root, "gflops", gflops);
  sk_json_number(json, json->root, "peak_gflops", p->peak);
  sk_json_number(json, json->root, "percent_of_peak", percent(p, gflops));
  cJSON *peaks = sk_json_list(json, json->root, "peaks_gflops");
  for (size_t i = 0; i < SK_PEAKS; i++) sk_json_number(json, peaks, NULL, p->m.peaks[i]);
  sk_json_number(json, json->root, "peak_spread_percent", 100 * sk_measurement_drift(&p->m));
  sk_json_number(json, json->root, "layers_explain_percent", 100 * p->layer_sum / p->m.whole.median);
  sk_json_number(json, json->root, "observed_median_ms", 1e3 * p->m.observed.median);
  sk_json_number(json, json->root, "macs", (double)p->m.info.macs);
  sk_json_size(json, json->root, "workspace_bytes", p->m.info.workspace_bytes);
  sk_json_size(json, json->root, "weight_bytes", p->m.info.weight_bytes);
  sk_json_size(json, json->root, "activation_bytes", p->m.info.activation_bytes);
}

static void add_layer(struct sk_json *json, cJSON *layers, const struct profile *p, const sk_layer_info *layer,
                      const struct sk_summary *times) {
  const double gflops = rate(p, layer->macs, times->median);
  cJSON *object = sk_json_object(json, layers, NULL);
  sk_json_text(json, object, "name", layer->name);
  sk_json_text(json, object, "op", layer->op);
  sk_json_text(json, object, "shape", print_shape(layer).text);
  sk_json_text(json, object, "algorithm", sk_algorithm_name(layer->algorithm));
  add_times(json, object, times);
  sk_json_number(json, object, "gflops", gflops);
  sk_json_number(json, object, "percent_of_peak", percent(p, gflops));
  sk_json_number(json, object, "macs", (double)layer->macs);
}

static sk_status print_json(const struct profile *p) {
  struct sk_json json;
  sk_status status = SK_OK;
  sk_json_begin(&json);
  add_conditions(&json, p);
  add_network(&json, p);
  cJSON *layers = sk_json_list(&json, json.root, "layers");
  for (size_t i = 0; !status && i < p->m.info.layers; i++) {
    sk_layer_info layer;
    status = sk_net_layer(p->net, i, &layer);
    if (!status) add_layer(&json, layers, p, &layer, &p->m.layers[i]);
  }
  if (!status) return sk_json_finish(&json, NULL);
  sk_json_discard(&json);
  return status;
}

/* ---- The command -------------------------------------------------------------------------------------------- */

static sk_status measure_and_print(struct profile *p) {
  sk_status status = sk_measure_net(&p->m, p->net, p->options->runs);
  if (!status) {
    p->peak = sk_measurement_peak(&p->m);
    p->layer_sum = sk_measurement_layer_sum(&p->m);
    status = p->options->json ? print_json(p) : print_text(p);
  }
  sk_measurement_free(&p->m);
  return status;
}

static sk_status open_net(sk_net **net, const struct sk_options *options, const char *model) {
  sk_weights *weights = NULL;
  const sk_net_options wanted = {.isa = options->isa,
                                 .algorithm = options->algorithm,
                                 .threads = options->threads,
                                 .batch = options->batch,
                                 .in_height = options->height,
                                 .version = options->resnet_v1 ? SK_RESNET_V1 : SK_RESNET_V1_5,
                                 .in_width = options->width};
  sk_status status = sk_open_weights(&weights, options, model);
  if (!status) status = sk_net_create(net, model, weights, &wanted);
  sk_weights_close(weights);
  return status;
}

enum sk_exit sk_command_profile(const struct sk_options *options) {
  sk_net *net = NULL;
  const char *model = options->operands[0];
  if (options->reference) {
    return sk_usage_error(options, "--algo: the reference is no kernel to measure; take direct, winograd2 ... or gemm");
  }
  sk_status status = open_net(&net, options, model);
  if (!status) {
    struct profile p = {.options = options, .model = model, .net = net};
    status = measure_and_print(&p);
  }
  sk_net_destroy(net);
  return status ? sk_fail_status(options, status) : SK_EXIT_SUCCESS;
}
