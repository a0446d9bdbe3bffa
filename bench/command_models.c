/* skiplane models: the networks. */
#include <stdlib.h>

#include "bench/commands.h"
#include "bench/json_output.h"
#include "bench/shapes.h"
#include "bench/terminal.h"
#include "dispatch/status.h"

static const struct sk_column columns[] = {
    {"name", false, 0}, {"parameters", true, 1}, {"GMACs", true, 0},
    {"input", true, 2}, {"classes", true, 3},    {"description", false, 4},
};

static void add_row(struct sk_table *table, const sk_model_info *model) {
  sk_table_cell(table, "%s", model->name);
  sk_table_cell(table, "%llu", (unsigned long long)model->parameters);
  sk_table_cell(table, "%.3f", 1e-9 * (double)model->macs);
  sk_table_cell(table, "%zux%zux%zu", model->in_channels, model->in_height, model->in_width);
  sk_table_cell(table, "%zu", model->classes);
  sk_table_cell(table, "%s", model->description);
}

static void add_triple(struct sk_json *json, cJSON *parent, const char *name, const float values[3]) {
  char digits[32];
  cJSON *list = sk_json_list(json, parent, name);
  for (size_t i = 0; i < 3; i++) { /* 0.485, not its nearest float's 0.48500001430511475 */
    snprintf(digits, sizeof digits, "%.7g", (double)values[i]);
    sk_json_number(json, list, NULL, strtod(digits, NULL));
  }
}

static void add_object(struct sk_json *json, cJSON *models, const sk_model_info *model) {
  cJSON *object = sk_json_object(json, models, NULL);
  sk_json_text(json, object, "name", model->name);
  sk_json_text(json, object, "description", model->description);
  sk_json_number(json, object, "parameters", (double)model->parameters);
  sk_json_number(json, object, "macs", (double)model->macs);
  sk_json_size(json, object, "in_channels", model->in_channels);
  sk_json_size(json, object, "in_height", model->in_height);
  sk_json_size(json, object, "in_width", model->in_width);
  sk_json_size(json, object, "classes", model->classes);
  sk_json_size(json, object, "resize", model->resize);
  add_triple(json, object, "mean", model->mean);
  add_triple(json, object, "standard_deviation", model->standard_deviation);
}

static sk_status write_json(const char *path) {
  struct sk_json json;
  sk_json_begin(&json);
  cJSON *models = sk_json_list(&json, json.root, "models");
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < sk_model_count(); i++) {
    sk_model_info model;
    status = sk_model_at(i, &model);
    if (!status) add_object(&json, models, &model);
  }
  if (!status) return sk_json_finish(&json, path);
  sk_json_discard(&json);
  return status;
}

static sk_status print_table(void) {
  struct sk_table table;
  sk_table_begin(&table, columns, sizeof columns / sizeof columns[0]);
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < sk_model_count(); i++) {
    sk_model_info model;
    status = sk_model_at(i, &model);
    if (!status) add_row(&table, &model);
  }
  table.failed |= status != SK_OK;
  if (sk_table_end(&table, stdout) || status) return status;
  return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the table");
}

static sk_status print_shapes(void) {
  struct sk_shapes shapes = {0};
  const sk_status status = sk_shapes_collect(&shapes);
  if (!status) sk_shapes_print_file(&shapes);
  sk_shapes_free(&shapes);
  return status;
}

enum sk_exit sk_command_models(const struct sk_options *options) {
  if (options->json && options->shapes) return sk_usage_error(options, "--shapes: does not go with --json");
  const sk_status status = options->shapes ? print_shapes()
                           : options->json ? write_json(options->json_path)
                                           : print_table();
  return status ? sk_fail_status(options, status) : SK_EXIT_SUCCESS;
}
