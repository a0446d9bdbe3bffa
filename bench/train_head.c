#include "bench/train_head.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/terminal.h"
#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/net.h"
#include "resnet/text.h"

static size_t example_count(const struct sk_head_training *t) {
  return t->folders.train_count + t->folders.held_out_count;
}

/* ---- Features ----------------------------------------------------------------------------------------------- */

/* What pictures go through. */
struct extraction {
  struct sk_runner runner;
  struct sk_preparation preparation;
  float *pixels; /* [batch][3][height][width] */
  float *logits; /* [batch][classes of the network], not looked at */
};

static sk_status check_finite(const char *file, const float *features, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (isfinite(features[i])) continue;
    return sk_fail(SK_BAD_FORMAT, "%s: its feature %zu is %g, expected a finite number: are the weights sound?",
                   sk_quote(file).text, i, (double)features[i]);
  }
  return SK_OK;
}

static sk_status extract_batch(struct sk_head_training *t, struct extraction *e, size_t first, size_t batch) {
  const size_t elements = 3 * e->preparation.height * e->preparation.width;
  float *const x = t->x + first * t->features;
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < batch; i++) {
    status = sk_picture_read(t->folders.examples[first + i].file, &e->preparation, e->pixels + i * elements);
  }
  if (!status) status = sk_runner_run(&e->runner, batch, e->pixels, e->logits);
  if (!status) status = sk_net_tap(e->runner.net, 0, batch, e->runner.workspace, x);
  for (size_t i = 0; !status && i < batch; i++) {
    status = check_finite(t->folders.examples[first + i].file, x + i * t->features, t->features);
  }
  return status;
}

static sk_status extract_all(struct sk_head_training *t, struct extraction *e) {
  const size_t count = example_count(t);
  struct sk_progress progress;
  sk_status status = SK_OK;
  sk_progress_begin(&progress);
  for (size_t done = 0; !status && done < count; done += t->options->batch) {
    sk_progress_update(&progress, "features of pictures", done, count);
    status = extract_batch(t, e, done, sk_size_min(t->options->batch, count - done));
  }
  sk_progress_end(&progress);
  return status;
}

static sk_status allocate(struct sk_head_training *t, struct extraction *e) {
  const size_t batch = t->options->batch;
  size_t shape[3] = {0};
  sk_status status = sk_net_tap_shape(e->runner.net, 0, shape);
  t->features = shape[0] * shape[1] * shape[2];
  if (!status) status = sk_allocate_floats(&t->x, example_count(t), t->features);
  if (!status) status = sk_allocate_floats(&e->pixels, batch, 3 * e->preparation.height * e->preparation.width);
  if (!status) status = sk_allocate_floats(&e->logits, batch, e->runner.classes);
  return status;
}

/* Take each picture through the network once, up to its last layer: what that reads is tapped. */
static sk_status extract(struct sk_head_training *t) {
  const char *tap = t->layer.name;
  struct sk_options tapped = *t->options;
  struct extraction e = {0};
  tapped.layers = &tap;
  tapped.layer_count = 1;
  sk_status status = sk_runner_open(&e.runner, &tapped, &t->source);
  t->info = e.runner.info;
  if (!status) {
    e.preparation = sk_preparation_choose(&t->source.info, t->options, e.runner.in_height, e.runner.in_width);
    status = allocate(t, &e);
  }
  if (!status) status = extract_all(t, &e);
  sk_runner_close(&e.runner);
  free(e.pixels);
  free(e.logits);
  return status;
}

/* ---- The fit ------------------------------------------------------------------------------------------------ */

static sk_status fit(struct sk_head_training *t, const size_t *class_number) {
  const struct sk_regression regression = {.examples = t->folders.train_count,
                                           .features = t->features,
                                           .classes = t->folders.class_count,
                                           .x = t->x,
                                           .class_number = class_number,
                                           .l2 = t->options->l2,
                                           .threads = t->info.threads};
  return sk_regression_fit(&regression, t->values.weight, t->values.bias, &t->minimum);
}

static sk_status number_and_fit(struct sk_head_training *t) {
  size_t *const class_number = calloc(t->folders.train_count, sizeof *class_number);
  if (!class_number) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu pictures", t->folders.train_count);
  for (size_t i = 0; i < t->folders.train_count; i++) class_number[i] = t->folders.examples[i].class_number;
  const sk_status status = fit(t, class_number);
  free(class_number);
  return status;
}

/* Put the labels into the head, one per line. */
static sk_status add_labels(struct sk_head_training *t) {
  size_t room = 1;
  for (size_t i = 0; i < t->folders.class_count; i++) room += strlen(t->folders.classes[i].label) + 1;
  char *const text = malloc(room);
  if (!text) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu labels", t->folders.class_count);
  char *end = text;
  for (size_t i = 0; i < t->folders.class_count; i++) end = stpcpy(stpcpy(end, t->folders.classes[i].label), "\n");
  const sk_status status = sk_weights_add_metadata(t->head, SK_HEAD_LABELS, text);
  free(text);
  return status;
}

/* ---- What the head says ------------------------------------------------------------------------------------- */

/* The head as a network, so that it says here what it will say at the end of the whole one, to the bit. */
static sk_status open_head(sk_net **net, const struct sk_head_training *t) {
  const sk_net_options options = {.isa = t->info.isa,
                                  .threads = t->info.threads,
                                  .batch = example_count(t),
                                  .flush_denormals = t->options->flush_denormals};
  struct sk_graph graph = {0};
  const size_t input = sk_graph_add(
      &graph,
      &(struct sk_node){.op = SK_NODE_INPUT, .name = "features", .channels = t->features, .height = 1, .width = 1});
  const size_t dense = sk_graph_add(
      &graph,
      &(struct sk_node){
          .op = SK_NODE_DENSE, .name = "fc", .inputs = {input}, .channels = t->folders.class_count, .bias = true});
  if (graph.status) {
    const sk_status status = graph.status;
    sk_graph_destroy(&graph);
    return status;
  }
  graph.nodes[dense].parameters[SK_PARAMETER_WEIGHT] = sk_weights_find(t->head, "fc.weight");
  graph.nodes[dense].parameters[SK_PARAMETER_BIAS] = sk_weights_find(t->head, "fc.bias");
  return sk_net_create_from_graph(net, "head", &graph, &options);
}

/* Of equals the lower number, as classify has it. */
static size_t likeliest(const float *logits, size_t classes) {
  size_t best = 0;
  for (size_t i = 1; i < classes; i++) best = logits[i] > logits[best] ? i : best;
  return best;
}

static sk_status run_head(struct sk_head_training *t, const sk_net *net) {
  const size_t count = example_count(t);
  const size_t classes = t->folders.class_count;
  sk_net_info info;
  float *logits = NULL;
  sk_net_describe(net, &info);
  sk_status status = sk_allocate_floats(&logits, count, classes);
  void *const workspace = sk_alloc(info.workspace_bytes);
  t->taken_for = calloc(count, sizeof *t->taken_for);
  if (!status && (!workspace || !t->taken_for)) {
    status = sk_fail(SK_OUT_OF_MEMORY, "out of memory for the logits of %zu pictures", count);
  }
  if (!status) status = sk_net_run(net, count, t->x, logits, workspace);
  for (size_t i = 0; !status && i < count; i++) t->taken_for[i] = likeliest(logits + i * classes, classes);
  sk_free(workspace);
  free(logits);
  return status;
}

static sk_status classify(struct sk_head_training *t) {
  sk_net *net = NULL;
  sk_status status = open_head(&net, t);
  if (!status) status = run_head(t, net);
  sk_net_destroy(net);
  return status;
}

/* ---- All of it ---------------------------------------------------------------------------------------------- */

sk_status sk_head_train(struct sk_head_training *training, const struct sk_options *options) {
  struct sk_head_training *const t = training;
  *t = (struct sk_head_training){.options = options};
  sk_status status = sk_head_find_features(options->model, &t->layer);
  if (!status) status = sk_class_folders_read(&t->folders, options->data);
  if (!status) status = sk_class_folders_split(&t->folders, options->holdout, options->seed);
  if (!status) status = sk_source_open(&t->source, options, options->model);
  if (!status) status = extract(t);
  if (!status) {
    status = sk_head_new(&t->head, options->model, t->source.weights, t->folders.class_count, t->features, &t->values);
  }
  if (!status) status = add_labels(t);
  if (!status) status = number_and_fit(t);
  return status ? status : classify(t);
}

void sk_head_training_free(struct sk_head_training *training) {
  sk_class_folders_free(&training->folders);
  sk_source_close(&training->source);
  sk_weights_close(training->head);
  free(training->x);
  free(training->taken_for);
  *training = (struct sk_head_training){0};
}

struct sk_score sk_head_score(const struct sk_head_training *training, bool held_out, size_t class_number) {
  const struct sk_class_folders *const folders = &training->folders;
  const size_t first = held_out ? folders->train_count : 0;
  const size_t end = held_out ? example_count(training) : folders->train_count;
  struct sk_score score = {0};
  for (size_t i = first; i < end; i++) {
    const size_t truth = folders->examples[i].class_number;
    if (class_number != SIZE_MAX && truth != class_number) continue;
    score.count++;
    score.right += training->taken_for[i] == truth;
  }
  return score;
}

size_t sk_head_confusion(const struct sk_head_training *training, size_t class_number, size_t other) {
  const struct sk_class_folders *const folders = &training->folders;
  size_t count = 0;
  for (size_t i = folders->train_count; i < example_count(training); i++) {
    count += folders->examples[i].class_number == class_number && training->taken_for[i] == other;
  }
  return count;
}

size_t sk_head_majority(const struct sk_head_training *training) {
  const struct sk_class *const classes = training->folders.classes;
  size_t best = 0;
  for (size_t i = 1; i < training->folders.class_count; i++) {
    const bool more =
        classes[i].pictures.count - classes[i].held_out > classes[best].pictures.count - classes[best].held_out;
    best = more ? i : best;
  }
  return best;
}
