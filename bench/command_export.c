/* skiplane export: a network with its weights as an ONNX file. */
#include "bench/commands.h"
#include "bench/onnx_write.h"
#include "bench/runner.h"
#include "dispatch/status.h"
#include "resnet/network.h"

static sk_status write_model(const struct sk_options *options, const char *model, const sk_weights *weights) {
  const sk_net_options wanted = {.in_height = options->height,
                                 .in_width = options->width,
                                 .classes = options->classes,
                                 .version = options->resnet_v1 ? SK_RESNET_V1 : SK_RESNET_V1_5};
  const size_t batch = sk_options_has(options, SK_ACCEPT(BATCH)) ? options->batch : 0;
  struct sk_graph graph = {0};
  sk_status status = sk_network_load(&graph, model, weights, &wanted);
  if (!status) status = sk_onnx_write(&graph, batch, options->output);
  sk_graph_destroy(&graph);
  return status;
}

enum sk_exit sk_command_export(const struct sk_options *options) {
  const char *const model = options->operands[0];
  if (options->head && !options->weights) return sk_usage_error(options, "--head: does not go without --weights");
  if (options->head && options->classes) return sk_usage_error(options, "--classes: does not go with --head");
  sk_weights *weights = NULL;
  sk_status status = sk_file_check_writable(options->output);
  if (!status) status = sk_open_weights(&weights, options, model);
  if (!status) status = write_model(options, model, weights);
  const enum sk_exit code = status ? sk_fail_status(options, status) : SK_EXIT_SUCCESS;
  sk_weights_close(weights);
  return code;
}
