#include "bench/source.h"

#include "bench/runner.h"
#include "dispatch/status.h"
#include "resnet/model.h"
#include "resnet/network.h"
#include "resnet/text.h"

/* ---- Files ------------------------------------------------------------------------------------------------------ */

/* Options that make a named network what a file has settled. --size gives the sizes that the file leaves open. */
static sk_status check_file_options(const struct sk_options *options, const char *path) {
  static const sk_option_set named = SK_ACCEPT(WEIGHTS) | SK_ACCEPT(HEAD) | SK_ACCEPT(RESNET_V1);
  const char *const option = sk_options_first(options, named);
  if (!option) return SK_OK;
  return sk_fail(SK_INVALID_ARGUMENT, "--%s: does not go with %s, an ONNX file, which has its own weights and strides",
                 option, sk_quote(path).text);
}

static sk_status open_file(struct sk_source *source, const struct sk_options *options, const char *path) {
  sk_onnx_options wanted = {0};
  for (size_t i = 0; i < 4; i++) wanted.input_shape[i] = options->input_shape[i];
  if (options->height) {
    wanted.input_shape[2] = options->height;
    wanted.input_shape[3] = options->width;
  }
  sk_status status = check_file_options(options, path);
  if (!status) status = sk_model_open_onnx(&source->model, path, &wanted);
  if (!status) sk_model_describe(source->model, &source->info);
  return status;
}

/* ---- Named networks --------------------------------------------------------------------------------------------- */

static sk_status open_named(struct sk_source *source, const struct sk_options *options, const char *name) {
  if (sk_options_has(options, SK_ACCEPT(INPUT_SHAPE))) {
    return sk_fail(SK_INVALID_ARGUMENT, "--input-shape: is for ONNX files; %s takes --size and --batch",
                   sk_quote_short(name).text);
  }
  source->version = options->resnet_v1 ? SK_RESNET_V1 : SK_RESNET_V1_5;
  const sk_status status = sk_model_find(name, &source->info);
  return status ? status : sk_open_weights(&source->weights, options, name);
}

/* ---- Either ----------------------------------------------------------------------------------------------------- */

sk_status sk_source_open(struct sk_source *source, const struct sk_options *options, const char *word) {
  *source = (struct sk_source){0};
  return sk_is_onnx_file(word) ? open_file(source, options, word) : open_named(source, options, word);
}

void sk_source_close(struct sk_source *source) {
  sk_weights_close(source->weights);
  sk_model_close(source->model);
  *source = (struct sk_source){0};
}

/* A file's sizes were settled as it was opened. */
static sk_net_options complete(const struct sk_source *source, const sk_net_options *wanted) {
  sk_net_options completed = *wanted;
  completed.version = source->version;
  if (source->model) completed.in_height = completed.in_width = completed.classes = 0;
  return completed;
}

sk_status sk_source_plan(sk_net **net, const struct sk_source *source, const sk_net_options *wanted) {
  const sk_net_options completed = complete(source, wanted);
  if (source->model) return sk_net_create_from_model(net, source->model, &completed);
  return sk_net_create(net, source->info.name, source->weights, &completed);
}

sk_status sk_source_load(struct sk_graph *graph, const struct sk_source *source, const sk_net_options *wanted) {
  const sk_net_options completed = complete(source, wanted);
  if (source->model) return sk_model_copy_graph(source->model, graph);
  return sk_network_load(graph, source->info.name, source->weights, &completed);
}

sk_status sk_source_check_pictures(const struct sk_source *source, const struct sk_options *options) {
  static const sk_option_set both = SK_ACCEPT(MEAN) | SK_ACCEPT(STD);
  if (source->info.in_channels != 3) {
    return sk_fail(SK_UNSUPPORTED, "%s: takes %zu channels, and pictures have 3", sk_quote(source->info.name).text,
                   source->info.in_channels);
  }
  if (source->model && (options->given & both) != both) {
    sk_tell(options,
            "%s: does not tell the mean and deviation of its images; taking ImageNet's for what --mean and "
            "--std leave out",
            sk_quote(source->info.name).text);
  }
  return SK_OK;
}
