/* What training a head came to: as text, and as JSON with every held-out picture. */
#include "bench/json_output.h"
#include "bench/terminal.h"
#include "bench/train_head.h"
#include "dispatch/status.h"

static double fraction(struct sk_score score) { return (double)score.right / (double)score.count; }

/* How a guess without looking does: it always names the majority. */
static double baseline(const struct sk_head_training *t) {
  const struct sk_class *const majority = &t->folders.classes[sk_head_majority(t)];
  return (double)majority->held_out / (double)t->folders.held_out_count;
}

/* ---- Text --------------------------------------------------------------------------------------------------- */

static const struct sk_column columns[] = {
    {"class", false, 0},  {"trained on", true, 4}, {"held out", true, 0}, {"right", true, 0},
    {"right %", true, 0}, {"low", true, 2},        {"high", true, 3},     {"taken for", false, 1},
};

/* The class that pictures of a class are taken for the most often, wrongly; of equals the first, itself if none is. */
static size_t strongest_rival(const struct sk_head_training *t, size_t class_number) {
  size_t rival = class_number;
  size_t most = 0;
  for (size_t i = 0; i < t->folders.class_count; i++) {
    const size_t count = i == class_number ? 0 : sk_head_confusion(t, class_number, i);
    if (count <= most) continue;
    most = count;
    rival = i;
  }
  return rival;
}

static void add_row(struct sk_table *table, const struct sk_head_training *t, size_t class_number) {
  const struct sk_class *const class = &t->folders.classes[class_number];
  const struct sk_score score = sk_head_score(t, true, class_number);
  const struct sk_interval interval = sk_statistics_proportion_interval(score.right, score.count);
  const size_t rival = strongest_rival(t, class_number);
  sk_table_cell(table, "%s", class->label);
  sk_table_cell(table, "%zu", class->pictures.count - class->held_out);
  sk_table_cell(table, "%zu", score.count);
  sk_table_cell(table, "%zu", score.right);
  sk_table_cell(table, "%.1f", 100 * fraction(score));
  sk_table_cell(table, "%.1f", 100 * interval.low);
  sk_table_cell(table, "%.1f", 100 * interval.high);
  if (rival == class_number) {
    sk_table_cell(table, "-");
  } else {
    sk_table_cell(table, "%s %zu", t->folders.classes[rival].label, sk_head_confusion(t, class_number, rival));
  }
}

static bool print_classes(const struct sk_head_training *t) {
  struct sk_table table;
  sk_table_begin(&table, columns, sizeof columns / sizeof columns[0]);
  for (size_t i = 0; i < t->folders.class_count; i++) add_row(&table, t, i);
  return sk_table_end(&table, stdout);
}

static void print_run(const struct sk_head_training *t) {
  printf("%s  features %zu of %s  isa %s  threads %d  batch %zu  algo %s  denormals %s\n", t->source.info.name,
         t->features, t->layer.name, sk_isa_name(t->info.isa), t->info.threads, t->options->batch,
         sk_algorithm_wanted(t->options), sk_denormals_word(t->options->flush_denormals));
}

static void print_result(const struct sk_head_training *t) {
  const struct sk_score trained = sk_head_score(t, false, SIZE_MAX);
  const struct sk_score held_out = sk_head_score(t, true, SIZE_MAX);
  const struct sk_interval interval = sk_statistics_proportion_interval(held_out.right, held_out.count);
  printf("training   l2 %g, %zu iterations, loss %.6f, gradient %.1e%s; %zu of %zu right (%.1f%%)\n", t->options->l2,
         t->minimum.iterations, t->minimum.value, t->minimum.gradient, t->minimum.converged ? "" : ", NOT converged",
         trained.right, trained.count, 100 * fraction(trained));
  printf("held out   %zu of %zu right (%.1f%%), 95%% interval %.1f%% to %.1f%%, seed %llu\n", held_out.right,
         held_out.count, 100 * fraction(held_out), 100 * interval.low, 100 * interval.high,
         (unsigned long long)t->options->seed);
  printf("baseline   %.1f%%: always the class with the most pictures, ", 100 * baseline(t));
  sk_terminal_put(stdout, t->folders.classes[sk_head_majority(t)].label);
  printf("\nwritten    ");
  sk_terminal_put(stdout, t->options->output);
  putchar('\n');
}

sk_status sk_head_print(const struct sk_head_training *training) {
  print_run(training);
  putchar('\n');
  if (!print_classes(training)) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the table");
  putchar('\n');
  print_result(training);
  return SK_OK;
}

/* ---- JSON --------------------------------------------------------------------------------------------------- */

static void describe_score(struct sk_json *json, cJSON *parent, const char *name, struct sk_score score) {
  const struct sk_interval interval = sk_statistics_proportion_interval(score.right, score.count);
  cJSON *object = sk_json_object(json, parent, name);
  sk_json_size(json, object, "pictures", score.count);
  sk_json_size(json, object, "right", score.right);
  sk_json_number(json, object, "accuracy", fraction(score));
  sk_json_number(json, object, "low", interval.low);
  sk_json_number(json, object, "high", interval.high);
}

static void describe_run(const struct sk_head_training *t, struct sk_json *json) {
  sk_json_text(json, json->root, "model", t->source.info.name);
  sk_json_text(json, json->root, "weights", t->options->weights);
  sk_json_text(json, json->root, "data", t->options->data);
  sk_json_text(json, json->root, "head", t->options->output);
  sk_json_text(json, json->root, "isa", sk_isa_name(t->info.isa));
  sk_json_number(json, json->root, "threads", t->info.threads);
  sk_json_size(json, json->root, "batch", t->options->batch);
  sk_json_text(json, json->root, "algorithm", sk_algorithm_wanted(t->options));
  sk_json_text(json, json->root, "plan", t->options->plan);
  sk_json_bool(json, json->root, "flush_denormals", t->options->flush_denormals);
  sk_json_number(json, json->root, "seed", (double)t->options->seed);
  sk_json_number(json, json->root, "holdout", t->options->holdout);
  sk_json_number(json, json->root, "l2", t->options->l2);
  sk_json_text(json, json->root, "layer", t->layer.name);
  sk_json_size(json, json->root, "features", t->features);
}

static void describe_fit(const struct sk_head_training *t, struct sk_json *json) {
  cJSON *fit = sk_json_object(json, json->root, "fit");
  sk_json_size(json, fit, "iterations", t->minimum.iterations);
  sk_json_number(json, fit, "loss", t->minimum.value);
  sk_json_number(json, fit, "gradient", t->minimum.gradient);
  sk_json_bool(json, fit, "converged", t->minimum.converged);
}

static void describe_classes(const struct sk_head_training *t, struct sk_json *json) {
  cJSON *classes = sk_json_list(json, json->root, "classes");
  for (size_t i = 0; i < t->folders.class_count; i++) {
    cJSON *class = sk_json_object(json, classes, NULL);
    sk_json_text(json, class, "label", t->folders.classes[i].label);
    describe_score(json, class, "trained_on", sk_head_score(t, false, i));
    describe_score(json, class, "held_out", sk_head_score(t, true, i));
    cJSON *taken = sk_json_list(json, class, "taken_for"); /* [classes] held-out pictures */
    for (size_t k = 0; k < t->folders.class_count; k++) sk_json_size(json, taken, NULL, sk_head_confusion(t, i, k));
  }
}

static void describe_pictures(const struct sk_head_training *t, struct sk_json *json) {
  cJSON *pictures = sk_json_list(json, json->root, "pictures");
  for (size_t i = 0; i < t->folders.held_out_count; i++) {
    const size_t example = t->folders.train_count + i;
    const struct sk_labelled_picture *const e = &t->folders.examples[example];
    cJSON *picture = sk_json_object(json, pictures, NULL);
    sk_json_text(json, picture, "file", e->file);
    sk_json_text(json, picture, "label", t->folders.classes[e->class_number].label);
    sk_json_text(json, picture, "taken_for", t->folders.classes[t->taken_for[example]].label);
  }
}

void sk_head_describe(const struct sk_head_training *training, struct sk_json *json) {
  sk_json_begin(json);
  describe_run(training, json);
  describe_fit(training, json);
  describe_score(json, json->root, "trained_on", sk_head_score(training, false, SIZE_MAX));
  describe_score(json, json->root, "held_out", sk_head_score(training, true, SIZE_MAX));
  cJSON *guess = sk_json_object(json, json->root, "baseline");
  sk_json_text(json, guess, "label", training->folders.classes[sk_head_majority(training)].label);
  sk_json_number(json, guess, "accuracy", baseline(training));
  describe_classes(training, json);
  describe_pictures(training, json);
}
