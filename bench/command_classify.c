/* skiplane classify: pictures in, labels out. Everything is computed before anything is written, so a bad picture among
 * many leaves no half of a result behind. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/commands.h"
#include "bench/json_output.h"
#include "bench/labels.h"
#include "bench/npy.h"
#include "bench/pictures.h"
#include "bench/runner.h"
#include "bench/terminal.h"
#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/head.h"
#include "resnet/text.h"

enum { DEFAULT_TOP = 3 };

struct classification {
  const struct sk_options *options;
  struct sk_source source;
  struct sk_pictures pictures;
  struct sk_runner runner;
  struct sk_labels labels; /* empty: classes are numbered */
  size_t top;
  float *logits; /* [pictures][classes] */
};

/* ---- Computing ---------------------------------------------------------------------------------------------- */

/* Run the pictures in batches; the last may be smaller. */
static sk_status run_batches(struct classification *c, const struct sk_preparation *preparation, float *x) {
  const size_t elements = 3 * preparation->height * preparation->width;
  struct sk_progress progress;
  sk_status status = SK_OK;
  sk_progress_begin(&progress);
  for (size_t done = 0; !status && done < c->pictures.count;) {
    const size_t batch = sk_size_min(c->options->batch, c->pictures.count - done);
    for (size_t i = 0; !status && i < batch; i++) {
      sk_progress_update(&progress, "pictures", done + i, c->pictures.count);
      status = sk_picture_read(c->pictures.files[done + i], preparation, x + i * elements);
    }
    if (!status) status = sk_runner_run(&c->runner, batch, x, c->logits + done * c->runner.classes);
    done += batch;
  }
  sk_progress_end(&progress);
  return status;
}

static sk_status compute(struct classification *c) {
  const struct sk_preparation preparation =
      sk_preparation_choose(&c->source.info, c->options, c->runner.in_height, c->runner.in_width);
  const size_t batch = sk_size_min(c->options->batch, c->pictures.count);
  float *x = NULL;
  sk_status status = sk_allocate_floats(&x, batch, 3 * preparation.height * preparation.width);
  if (!status) status = sk_allocate_floats(&c->logits, c->pictures.count, c->runner.classes);
  if (!status) status = run_batches(c, &preparation, x);
  free(x);
  return status;
}

/* ---- The best classes --------------------------------------------------------------------------------------- */

struct candidate {
  size_t class_number;
  float logit;
  double probability;
};

/* Descending; of equals the lower number first, NaN last. */
static int compare_candidates(const void *left, const void *right) {
  const struct candidate *a = left;
  const struct candidate *b = right;
  const bool a_nan = isnan(a->logit);
  const bool b_nan = isnan(b->logit);
  if (a_nan != b_nan) return a_nan ? 1 : -1;
  if (!a_nan && a->logit != b->logit) return a->logit < b->logit ? 1 : -1;
  return a->class_number < b->class_number ? -1 : 1;
}

/* Rank all classes of one picture, with softmax in double. One NaN makes every probability NaN, as it should. */
static void rank_classes(const float *logits, size_t classes, struct candidate *ranked) {
  double largest = -INFINITY;
  double sum = 0;
  for (size_t i = 0; i < classes; i++) largest = fmax(largest, (double)logits[i]);
  for (size_t i = 0; i < classes; i++) {
    ranked[i] = (struct candidate){i, logits[i], exp((double)logits[i] - largest)};
    sum += ranked[i].probability;
  }
  for (size_t i = 0; i < classes; i++) ranked[i].probability /= sum;
  qsort(ranked, classes, sizeof *ranked, compare_candidates);
}

/* The label of a class: from the file, or its number, printed into `number`. */
static const char *label_of(const struct classification *c, size_t class_number, char number[24]) {
  if (c->labels.count > 0) return c->labels.names[class_number];
  snprintf(number, 24, "%zu", class_number);
  return number;
}

/* ---- Output ------------------------------------------------------------------------------------------------- */

static void print_picture(const struct classification *c, const char *file, const struct candidate *ranked) {
  char number[24];
  sk_terminal_put(stdout, file);
  for (size_t i = 0; i < c->top; i++) {
    fputs(i == 0 ? "  " : ", ", stdout);
    sk_terminal_put(stdout, label_of(c, ranked[i].class_number, number));
    printf(" %.1f%%", 100 * ranked[i].probability);
  }
  putchar('\n');
}

static void describe_picture(const struct classification *c, const char *file, const struct candidate *ranked,
                             struct sk_json *json, cJSON *images) {
  char number[24];
  cJSON *image = sk_json_object(json, images, NULL);
  sk_json_text(json, image, "file", file);
  cJSON *top = sk_json_list(json, image, "top");
  for (size_t i = 0; i < c->top; i++) {
    cJSON *entry = sk_json_object(json, top, NULL);
    sk_json_size(json, entry, "class", ranked[i].class_number);
    sk_json_text(json, entry, "label", label_of(c, ranked[i].class_number, number));
    sk_json_number(json, entry, "probability", ranked[i].probability);
  }
}

static cJSON *describe_run(const struct classification *c, struct sk_json *json) {
  sk_json_begin(json);
  sk_json_text(json, json->root, "model", c->source.info.name);
  sk_json_text(json, json->root, "weights", sk_weights_file(c->options));
  sk_json_text(json, json->root, "head", c->options->head);
  sk_json_text(json, json->root, "isa", sk_runner_isa(&c->runner));
  sk_json_text(json, json->root, "algorithm", sk_algorithm_wanted(c->options));
  sk_json_text(json, json->root, "plan", c->options->plan);
  sk_json_bool(json, json->root, "flush_denormals", c->options->flush_denormals);
  sk_json_number(json, json->root, "threads", c->runner.reference ? 1 : c->runner.info.threads);
  sk_json_size(json, json->root, "batch", c->options->batch);
  return sk_json_list(json, json->root, "images");
}

static sk_status print_result(const struct classification *c) {
  struct sk_json json = {0};
  struct candidate *ranked = calloc(c->runner.classes, sizeof *ranked);
  if (!ranked) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu classes", c->runner.classes);
  cJSON *images = c->options->json ? describe_run(c, &json) : NULL;
  if (c->options->flush_denormals && !c->options->json) puts("denormals flushed to zero");
  for (size_t i = 0; i < c->pictures.count; i++) {
    rank_classes(c->logits + i * c->runner.classes, c->runner.classes, ranked);
    if (c->options->json) {
      describe_picture(c, c->pictures.files[i], ranked, &json, images);
    } else {
      print_picture(c, c->pictures.files[i], ranked);
    }
  }
  free(ranked);
  return c->options->json ? sk_json_finish(&json, c->options->json_path) : SK_OK;
}

/* ---- The command -------------------------------------------------------------------------------------------- */

static sk_status choose_top(struct classification *c) {
  const size_t classes = c->runner.classes;
  c->top = c->options->top ? c->options->top : sk_size_min(DEFAULT_TOP, classes);
  if (c->top <= classes) return SK_OK;
  return sk_fail(SK_INVALID_ARGUMENT, "--top: \"%zu\" is not a number from 1 to %zu, the network's classes", c->top,
                 classes);
}

/* Labels from a file, else those of a head that has some. */
static sk_status read_labels(struct classification *c) {
  const struct sk_options *options = c->options;
  if (options->labels) return sk_labels_read(&c->labels, options->labels, c->runner.classes);
  const char *text = options->head ? sk_weights_metadata(c->source.weights, SK_HEAD_LABELS) : NULL;
  return text ? sk_labels_parse(&c->labels, options->head, text, strlen(text), c->runner.classes) : SK_OK;
}

static sk_status open_all(struct classification *c) {
  const struct sk_options *options = c->options;
  sk_status status = sk_source_open(&c->source, options, options->model);
  if (!status) status = sk_source_check_pictures(&c->source, options);
  if (!status) status = sk_pictures_find(&c->pictures, options->operands, options->operand_count);
  if (!status) status = sk_runner_open(&c->runner, options, &c->source);
  if (!status) status = choose_top(c);
  if (!status) status = read_labels(c);
  return status;
}

static sk_status write_logits(const struct classification *c) {
  const size_t shape[2] = {c->pictures.count, c->runner.classes};
  return sk_npy_write(c->options->logits, 2, shape, c->logits);
}

static void close_all(struct classification *c) {
  sk_runner_close(&c->runner);
  sk_source_close(&c->source);
  sk_labels_free(&c->labels);
  sk_pictures_free(&c->pictures);
  free(c->logits);
}

enum sk_exit sk_command_classify(const struct sk_options *options) {
  if (options->reference && options->flush_denormals) {
    return sk_usage_error(options, "--flush-denormals: does not go with --algo reference, which is exact");
  }
  struct classification c = {.options = options};
  sk_status status = open_all(&c);
  if (!status) status = compute(&c);
  if (!status && options->logits) status = write_logits(&c);
  if (!status) status = print_result(&c);
  close_all(&c);
  return status ? sk_fail_status(options, status) : SK_EXIT_SUCCESS;
}
