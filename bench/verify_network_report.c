#include "bench/verify_network_report.h"

#include <math.h>

#include "bench/profile.h"
#include "dispatch/status.h"
#include "resnet/text.h"

/* ---- Totals ------------------------------------------------------------------------------------------------- */

struct totals {
  size_t images, top1, top5;
  double max_difference; /* of a logit */
  size_t worst;          /* the image that has it */
};

static struct totals add_up(const struct sk_network_report *r) {
  struct totals totals = {.images = r->check->images};
  for (size_t i = 0; i < totals.images; i++) {
    const struct sk_agreement *const a = &r->agreements[i];
    totals.top1 += a->top1;
    totals.top5 += a->top5;
    if (a->max_difference <= totals.max_difference) continue;
    totals.max_difference = a->max_difference;
    totals.worst = i;
  }
  return totals;
}

static const char *image_name(const struct sk_network_report *r, size_t image) {
  return r->images ? r->images->files[image] : "the random image";
}

/* ---- For people --------------------------------------------------------------------------------------------- */

static void print_conditions(const struct sk_network_report *r) {
  const struct sk_options *const options = r->options;
  const sk_net_info *const info = &r->check->info;
  sk_terminal_put(stdout, sk_network_name(options->model));
  printf("  input %zux%zux%zu  isa %s  threads %d  algo %s  denormals %s  weights ", info->in_channels, info->in_height,
         info->in_width, sk_isa_name(info->isa), info->threads, sk_algorithm_wanted(options),
         sk_denormals_word(info->flush_denormals));
  const char *const file = sk_weights_file(options);
  if (file) {
    sk_terminal_put(stdout, file);
  } else {
    printf("seed %llu", (unsigned long long)options->seed);
  }
  if (r->images) {
    printf("  %zu image%s of ", r->check->images, r->check->images == 1 ? "" : "s");
    sk_terminal_put(stdout, options->images);
  } else {
    printf("  a random image, seed %llu", (unsigned long long)options->seed);
  }
  puts("\n");
}

static void add_deviation(struct sk_table *table, const struct sk_deviation *deviation) {
  sk_table_cell(table, "%.2e", deviation->max_error);
  sk_table_cell(table, "%.2e", sk_deviation_relative(deviation));
  sk_table_cell(table, "%lu", (unsigned long)deviation->max_ulp);
}

static void add_layer(struct sk_table *table, const struct sk_layer_check *layer) {
  sk_table_cell(table, "%s", layer->info.name);
  sk_table_cell(table, "%s", layer->info.op);
  sk_table_cell(table, "%s", sk_layer_shape(&layer->info).text);
  sk_table_cell(table, "%s", sk_layer_algorithm(&layer->info));
  if (layer->info.macs > 0) sk_table_style(table, sk_style_of_algorithm(layer->info.algorithm));
  add_deviation(table, &layer->alone);
  sk_table_cell(table, "%.2g", 100 * layer->bound_fraction);
  if (layer->faults > 0) sk_table_style(table, SK_STYLE_BAD);
  add_deviation(table, &layer->total);
  sk_table_cell(table, "%.2e", sk_layer_check_estimate(layer));
}

static sk_status print_layers(const struct sk_network_report *r) {
  static const struct sk_column columns[] = {
      {"layer", false, 0},      {"op", false, 6},        {"shape", false, 5},      {"algorithm", false, 1},
      {"alone: max", true, 2},  {"alone: L2", true, 0},  {"alone: ULP", true, 3},  {"% of bound", true, 0},
      {"so far: max", true, 2}, {"so far: L2", true, 0}, {"so far: ULP", true, 4}, {"estimated L2", true, 0},
  };
  struct sk_table table;
  sk_table_begin(&table, columns, sizeof columns / sizeof columns[0]);
  for (size_t i = 0; i < r->check->info.layers; i++) add_layer(&table, &r->check->layers[i]);
  if (!sk_table_end(&table, stdout)) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the table");
  putchar('\n');
  return SK_OK;
}

/* Images, and elements of one, are numbered from 0. */
static void print_fault(const struct sk_network_report *r, const struct sk_layer_check *layer) {
  const struct sk_layer_fault *const fault = &layer->first;
  printf("FAILED %s (%s, %s): ", layer->info.name, layer->info.op, sk_layer_algorithm(&layer->info));
  sk_terminal_put(stdout, image_name(r, fault->image));
  printf(", element [%zu][%zu][%zu] is %.9g, expected %.9g: off by %.3g, bound %.3g; %zu elements of this layer are\n",
         fault->channel, fault->row, fault->column, (double)fault->value, fault->exact,
         sk_deviation_of(fault->value, fault->exact), fault->bound, layer->faults);
}

static void print_layer_summary(const struct sk_network_report *r) {
  const struct sk_network_check *const c = r->check;
  const struct sk_layer_check *const first = sk_network_check_first_fault(c);
  const struct sk_layer_check *const nearest = sk_network_check_nearest(c);
  const struct sk_layer_check *const last = &c->layers[c->info.layers - 1];
  if (first) print_fault(r, first);
  printf("layers     %zu within their bounds, %zu not; most used by %s: %.2g%%\n",
         c->info.layers - sk_network_check_faults(c), sk_network_check_faults(c), nearest->info.name,
         100 * nearest->bound_fraction);
  printf("output     relative L2 error %.2e, estimated %.2e\n", sk_deviation_relative(&last->total),
         sk_layer_check_estimate(last));
}

static void print_disagreements(const struct sk_network_report *r) {
  for (size_t i = 0; i < r->check->images; i++) {
    const struct sk_agreement *const a = &r->agreements[i];
    if (a->top1) continue;
    fputs("           ", stdout);
    sk_terminal_put(stdout, image_name(r, i));
    printf(": class %zu, by the reference %zu, which leads by %.3g\n", a->ours.classes[0], a->exact.classes[0],
           a->margin);
  }
}

static void print_agreement(const struct sk_network_report *r) {
  const struct totals totals = add_up(r);
  printf("agreement  top-1 %zu of %zu, top-5 %zu; logits differ by at most %.2e (", totals.top1, totals.images,
         totals.top5, totals.max_difference);
  sk_terminal_put(stdout, image_name(r, totals.worst));
  puts(")");
  print_disagreements(r);
}

sk_status sk_network_report_print(const struct sk_network_report *report) {
  sk_status status = SK_OK;
  print_conditions(report);
  if (report->layers && report->options->per_layer) status = print_layers(report);
  if (status) return status;
  if (report->layers) print_layer_summary(report);
  print_agreement(report);
  return SK_OK;
}

/* ---- For programs ------------------------------------------------------------------------------------------- */

static void json_deviation(struct sk_json *json, cJSON *parent, const char *name,
                           const struct sk_deviation *deviation) {
  cJSON *object = sk_json_object(json, parent, name);
  sk_json_number(json, object, "max_error", deviation->max_error);
  sk_json_number(json, object, "relative_l2", sk_deviation_relative(deviation));
  sk_json_number(json, object, "max_ulp", (double)deviation->max_ulp);
}

static void json_fault(struct sk_json *json, cJSON *parent, const struct sk_network_report *r,
                       const struct sk_layer_fault *fault) {
  cJSON *object = sk_json_object(json, parent, "first_fault");
  sk_json_text(json, object, "image", image_name(r, fault->image));
  cJSON *element = sk_json_list(json, object, "element");
  sk_json_size(json, element, NULL, fault->channel);
  sk_json_size(json, element, NULL, fault->row);
  sk_json_size(json, element, NULL, fault->column);
  sk_json_number(json, object, "value", (double)fault->value);
  sk_json_number(json, object, "expected", fault->exact);
  sk_json_number(json, object, "bound", fault->bound);
}

static void json_layer(struct sk_json *json, cJSON *layers, const struct sk_network_report *r,
                       const struct sk_layer_check *layer) {
  cJSON *object = sk_json_object(json, layers, NULL);
  sk_json_text(json, object, "name", layer->info.name);
  sk_json_text(json, object, "op", layer->info.op);
  sk_json_text(json, object, "shape", sk_layer_shape(&layer->info).text);
  sk_json_text(json, object, "algorithm", sk_layer_algorithm(&layer->info));
  json_deviation(json, object, "alone", &layer->alone);
  sk_json_number(json, object, "bound_fraction", layer->bound_fraction);
  json_deviation(json, object, "so_far", &layer->total);
  sk_json_number(json, object, "estimated_l2", sk_layer_check_estimate(layer));
  sk_json_size(json, object, "faults", layer->faults);
  if (layer->faults > 0) json_fault(json, object, r, &layer->first);
}

static void json_conditions(struct sk_json *json, const struct sk_network_report *r) {
  const struct sk_options *const options = r->options;
  const sk_net_info *const info = &r->check->info;
  sk_json_text(json, json->root, "format", "skiplane-verify-network 1");
  sk_json_text(json, json->root, "version", sk_version());
  sk_json_text(json, json->root, "model", sk_network_name(options->model));
  sk_json_text(json, json->root, "weights", sk_weights_file(options));
  sk_json_number(json, json->root, "seed", (double)options->seed);
  sk_json_text(json, json->root, "isa", sk_isa_name(info->isa));
  sk_json_text(json, json->root, "algorithm", sk_algorithm_wanted(options));
  sk_json_text(json, json->root, "plan", options->plan);
  sk_json_number(json, json->root, "threads", info->threads);
  sk_json_size(json, json->root, "in_height", info->in_height);
  sk_json_size(json, json->root, "in_width", info->in_width);
  sk_json_bool(json, json->root, "flush_denormals", info->flush_denormals);
}

static void json_agreement(struct sk_json *json, const struct sk_network_report *r) {
  const struct totals totals = add_up(r);
  cJSON *object = sk_json_object(json, json->root, "agreement");
  sk_json_size(json, object, "images", totals.images);
  sk_json_size(json, object, "top1", totals.top1);
  sk_json_size(json, object, "top5", totals.top5);
  sk_json_number(json, object, "max_logit_difference", totals.max_difference);
  cJSON *list = sk_json_list(json, json->root, "images");
  for (size_t i = 0; i < totals.images; i++) {
    const struct sk_agreement *const a = &r->agreements[i];
    cJSON *image = sk_json_object(json, list, NULL);
    sk_json_text(json, image, "file", r->images ? r->images->files[i] : NULL);
    sk_json_size(json, image, "class", a->ours.classes[0]);
    sk_json_size(json, image, "reference_class", a->exact.classes[0]);
    sk_json_bool(json, image, "top5", a->top5);
    sk_json_number(json, image, "max_logit_difference", a->max_difference);
    sk_json_number(json, image, "reference_margin", a->margin);
  }
}

sk_status sk_network_report_json(const struct sk_network_report *report) {
  struct sk_json json;
  sk_json_begin(&json);
  json_conditions(&json, report);
  json_agreement(&json, report);
  cJSON *layers = report->layers ? sk_json_list(&json, json.root, "layers") : NULL;
  for (size_t i = 0; report->layers && i < report->check->info.layers; i++) {
    json_layer(&json, layers, report, &report->check->layers[i]);
  }
  if (report->layers) sk_json_size(&json, json.root, "failed", sk_network_check_faults(report->check));
  return sk_json_finish(&json, report->options->json_path);
}
