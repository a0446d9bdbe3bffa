/* skiplane verify --model: a whole network against the reference. */
#include <stdlib.h>

#include "bench/commands.h"
#include "bench/verify_internal.h"
#include "bench/verify_network_report.h"
#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/file.h"

enum { DEFAULT_SIDE = 64 }; /* the reference takes seconds for a large network at its own size */

struct verification {
  struct sk_options options; /* with the size chosen */
  struct sk_source source;
  struct sk_pictures pictures;
  struct sk_network_check check;
  struct sk_network_report report;
};

/* ---- Images ------------------------------------------------------------------------------------------------- */

static sk_status read_image(const struct verification *v, size_t index, float *x) {
  const sk_net_info *const info = &v->check.info;
  const size_t count = info->in_channels * info->in_height * info->in_width;
  if (!v->options.images) {
    struct sk_random random = sk_random_start(v->options.seed, "image");
    sk_random_fill(&random, SK_DATA_REALS, x, count);
    return SK_OK;
  }
  const struct sk_preparation preparation =
      sk_preparation_choose(&v->source.info, &v->options, info->in_height, info->in_width);
  return sk_picture_read(v->pictures.files[index], &preparation, x);
}

static sk_status check_image(struct verification *v, size_t index, float *x) {
  struct sk_network_check *const check = &v->check;
  sk_status status = read_image(v, index, x);
  if (!status) status = v->report.layers ? sk_network_check_layers(check, x) : sk_network_check_logits(check, x);
  if (!status) {
    v->report.agreements[index] = sk_agreement_of(check->logits, check->exact_logits, check->info.classes);
  }
  return status;
}

static sk_status check_images(struct verification *v) {
  const sk_net_info *const info = &v->check.info;
  float *x = NULL;
  v->check.planned = v->options.images ? v->pictures.count : 1;
  v->report.agreements = calloc(v->check.planned, sizeof *v->report.agreements);
  if (!v->report.agreements) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu images", v->check.planned);
  sk_status status = sk_allocate_floats(&x, info->in_channels, info->in_height * info->in_width);
  sk_progress_begin(&v->check.progress);
  for (size_t i = 0; !status && i < v->check.planned; i++) status = check_image(v, i, x);
  sk_progress_end(&v->check.progress);
  free(x);
  return status;
}

/* ---- The command -------------------------------------------------------------------------------------------- */

/* Of a file, sizes are settled. */
static void choose_size(struct verification *v) {
  struct sk_options *const options = &v->options;
  if (options->height || options->images || v->source.model) return;
  options->height = sk_size_min(v->source.info.in_height, DEFAULT_SIDE);
  options->width = sk_size_min(v->source.info.in_width, DEFAULT_SIDE);
}

static sk_status open_all(struct verification *v) {
  const struct sk_options *const options = &v->options;
  sk_status status = sk_source_open(&v->source, options, options->model);
  if (!status) choose_size(v);
  if (!status && options->images) status = sk_source_check_pictures(&v->source, options);
  if (!status && options->images) status = sk_pictures_find(&v->pictures, &options->images, 1);
  if (!status) status = sk_file_check_writable(options->json_path); /* before the time is spent */
  if (!status) status = sk_network_check_open(&v->check, options, &v->source);
  v->report = (struct sk_network_report){.options = options,
                                         .check = &v->check,
                                         .layers = !options->images || options->per_layer,
                                         .images = options->images ? &v->pictures : NULL};
  return status;
}

static void close_all(struct verification *v) {
  sk_network_check_close(&v->check);
  sk_source_close(&v->source);
  sk_pictures_free(&v->pictures);
  free(v->report.agreements);
}

/* With JSON on stdout, what failed is told on stderr. */
static enum sk_exit conclude(const struct verification *v) {
  const struct sk_layer_check *const fault = sk_network_check_first_fault(&v->check);
  if (!fault) return SK_EXIT_SUCCESS;
  if (v->options.json) sk_tell(&v->options, "layer %s is outside of its bound", fault->info.name);
  return SK_EXIT_FAILURE;
}

enum sk_exit sk_command_verify_network(const struct sk_options *options) {
  if (options->reference) {
    return sk_usage_error(options, "--algo: the reference is what networks are held against; take another");
  }
  struct verification v = {.options = *options};
  sk_status status = open_all(&v);
  if (!status) status = check_images(&v);
  if (!status) status = options->json ? sk_network_report_json(&v.report) : sk_network_report_print(&v.report);
  const enum sk_exit code = status ? sk_fail_status(options, status) : conclude(&v);
  close_all(&v);
  return code;
}
