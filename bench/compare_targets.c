#include "bench/compare_targets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/layer_graph.h"
#include "bench/runner.h"
#include "dispatch/status.h"
#include "resnet/suggest.h"
#include "resnet/text.h"

/* ---- Describing ------------------------------------------------------------------------------------------------- */

static void print_network_shape(const struct sk_graph *graph, char *text, size_t room) {
  const struct sk_node *input = &graph->nodes[0];
  const struct sk_node *output = &graph->nodes[graph->count - 1];
  snprintf(text, room, "%zux%zux%zu -> %zu", input->channels, input->height, input->width, output->channels);
}

static void describe(struct sk_compare_subject *subject) {
  subject->macs = sk_graph_macs(&subject->graph);
  if (subject->is_layer) {
    snprintf(subject->shape, sizeof subject->shape, "%s", sk_conv_node_shape(&subject->graph.nodes[1]).text);
  } else {
    print_network_shape(&subject->graph, subject->shape, sizeof subject->shape);
  }
}

/* ---- Layers of a network ---------------------------------------------------------------------------------------- */

static sk_status add_layer(struct sk_compare_subjects *subjects, const struct sk_options *options,
                           const struct sk_step *step) {
  struct sk_compare_subject *subject = &subjects->items[subjects->count++];
  *subject = (struct sk_compare_subject){.batch = options->batch, .is_layer = true};
  snprintf(subject->name, sizeof subject->name, "%s/%s", subjects->name, subjects->network.nodes[step->node].name);
  const sk_status status = sk_layer_graph_cut(&subject->graph, &subjects->network, step);
  if (!status) describe(subject);
  return status;
}

/* Whether a layer of the same shape and epilogue, additions aside, is there already. */
static bool is_known(const struct sk_compare_subjects *subjects, const struct sk_step *step) {
  const sk_conv_shape *shape = &subjects->network.nodes[step->node].conv;
  for (size_t i = 0; i < subjects->count; i++) {
    const struct sk_graph *graph = &subjects->items[i].graph;
    if (!graph->nodes) continue;
    const bool has_relu = graph->nodes[graph->count - 1].op == SK_NODE_RELU;
    if (has_relu == step->relu && memcmp(&graph->nodes[1].conv, shape, sizeof *shape) == 0) return true;
  }
  return false;
}

static sk_status add_distinct(struct sk_compare_subjects *subjects, const struct sk_options *options,
                              const struct sk_schedule *schedule) {
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < schedule->count; i++) {
    const struct sk_step *step = &schedule->steps[i];
    if (step->op == SK_NODE_CONV && !is_known(subjects, step)) status = add_layer(subjects, options, step);
  }
  return status;
}

static sk_status fail_layer(const struct sk_compare_subjects *subjects, const struct sk_schedule *schedule,
                            const char *name) {
  struct sk_suggestion suggestion = {.word = name};
  for (size_t i = 0; i < schedule->count; i++) {
    const struct sk_step *step = &schedule->steps[i];
    if (step->op == SK_NODE_CONV) sk_suggestion_consider(&suggestion, subjects->network.nodes[step->node].name);
  }
  if (suggestion.nearest) {
    return sk_fail(SK_INVALID_ARGUMENT, "--layer: \"%s\": no convolution of %s, did you mean %s?",
                   sk_quote_short(name).text, subjects->name, suggestion.nearest);
  }
  return sk_fail(SK_INVALID_ARGUMENT, "--layer: \"%s\": no convolution of %s, expected a name such as layer1.0.conv1",
                 sk_quote_short(name).text, subjects->name);
}

static sk_status add_named(struct sk_compare_subjects *subjects, const struct sk_options *options,
                           const struct sk_schedule *schedule, const char *name) {
  for (size_t i = 0; i < schedule->count; i++) {
    const struct sk_step *step = &schedule->steps[i];
    const bool is_it = strcmp(subjects->network.nodes[step->node].name, name) == 0;
    if (step->op == SK_NODE_CONV && is_it) return add_layer(subjects, options, step);
  }
  return fail_layer(subjects, schedule, name);
}

static sk_status add_layers(struct sk_compare_subjects *subjects, const struct sk_options *options) {
  struct sk_schedule schedule = {0};
  bool *tapped = calloc(subjects->network.count + 1, sizeof *tapped);
  sk_status status = tapped ? sk_schedule_make(&schedule, &subjects->network, tapped)
                            : sk_fail(SK_OUT_OF_MEMORY, "out of memory for the layers");
  free(tapped);
  if (!status) {
    subjects->items = calloc(schedule.count + options->layer_count + 1, sizeof *subjects->items);
    if (!subjects->items) status = sk_fail(SK_OUT_OF_MEMORY, "out of memory for the layers");
  }
  if (!status && options->per_layer) status = add_distinct(subjects, options, &schedule);
  for (size_t i = 0; !status && i < options->layer_count; i++) {
    status = add_named(subjects, options, &schedule, options->layers[i]);
  }
  sk_schedule_destroy(&schedule);
  return status;
}

/* ---- Networks --------------------------------------------------------------------------------------------------- */

/* The subject of a whole network takes over its graph. */
static sk_status add_network(struct sk_compare_subjects *subjects, const struct sk_options *options) {
  subjects->items = calloc(1, sizeof *subjects->items);
  if (!subjects->items) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for a network");
  struct sk_compare_subject *subject = &subjects->items[subjects->count++];
  *subject = (struct sk_compare_subject){.batch = options->batch, .graph = subjects->network};
  subjects->network = (struct sk_graph){0};
  snprintf(subject->name, sizeof subject->name, "%s", subjects->name);
  describe(subject);
  return SK_OK;
}

static sk_status open_network(struct sk_compare_subjects *subjects, const struct sk_options *options) {
  const sk_net_options wanted = {.in_height = options->height, .in_width = options->width};
  sk_status status = sk_source_open(&subjects->source, options, options->operands[0]);
  if (!status) status = sk_source_load(&subjects->network, &subjects->source, &wanted);
  if (status) return status;
  const bool is_whole = !options->per_layer && options->layer_count == 0;
  return is_whole ? add_network(subjects, options) : add_layers(subjects, options);
}

/* ---- Shapes ----------------------------------------------------------------------------------------------------- */

static sk_status add_shape(struct sk_compare_subjects *subjects, const struct sk_options *options,
                           const struct sk_named_shape *shape) {
  struct sk_compare_subject *subject = &subjects->items[subjects->count++];
  const bool has_batch = !sk_options_has(options, SK_ACCEPT(BATCH));
  *subject = (struct sk_compare_subject){.batch = has_batch ? shape->shape.batch : options->batch, .is_layer = true};
  snprintf(subject->name, sizeof subject->name, "%s", shape->name);
  const sk_status status = sk_layer_graph_make(&subject->graph, &subject->weights, shape, options->seed);
  if (!status) describe(subject);
  return status;
}

static sk_status open_shapes(struct sk_compare_subjects *subjects, const struct sk_options *options, const char *path) {
  struct sk_shapes shapes = {0};
  sk_status status = sk_shapes_read(&shapes, path);
  if (!status) {
    subjects->items = calloc(shapes.count + 1, sizeof *subjects->items);
    if (!subjects->items) status = sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory", sk_quote(path).text);
  }
  for (size_t i = 0; !status && i < shapes.count; i++) status = add_shape(subjects, options, &shapes.items[i]);
  sk_shapes_free(&shapes);
  return status;
}

/* ---- Choosing --------------------------------------------------------------------------------------------------- */

/* A word that names a network is one, even beside a file of that name: write ./resnet50 for the file. */
static bool is_shape_file(const char *word) {
  sk_model_info info;
  struct stat found;
  if (sk_is_onnx_file(word)) return false;
  return sk_model_find(word, &info) != SK_OK && (stat(word, &found) == 0 || strchr(word, '/') || strchr(word, '.'));
}

sk_status sk_compare_subjects_open(struct sk_compare_subjects *subjects, const struct sk_options *options) {
  const char *word = options->operands[0];
  *subjects = (struct sk_compare_subjects){0};
  snprintf(subjects->name, sizeof subjects->name, "%s", sk_network_name(word));
  if (!is_shape_file(word)) return open_network(subjects, options);
  if (options->per_layer || options->layer_count > 0 || options->weights) {
    return sk_fail(SK_INVALID_ARGUMENT, "%s: a file of shapes takes no --layer, --per-layer or --weights",
                   sk_quote_short(word).text);
  }
  return open_shapes(subjects, options, word);
}

void sk_compare_subjects_free(struct sk_compare_subjects *subjects) {
  for (size_t i = 0; i < subjects->count; i++) {
    sk_graph_destroy(&subjects->items[i].graph);
    sk_weights_close(subjects->items[i].weights);
  }
  free(subjects->items);
  sk_graph_destroy(&subjects->network);
  sk_source_close(&subjects->source);
  *subjects = (struct sk_compare_subjects){0};
}
