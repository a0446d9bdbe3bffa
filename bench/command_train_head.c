/* skiplane train-head: a new last layer for classes of pictures. The file is written before anything is printed: what
 * is printed says that it is there. */
#include <string.h>

#include "bench/commands.h"
#include "bench/json_output.h"
#include "bench/train_head.h"
#include "resnet/file.h"

static sk_status report(const struct sk_head_training *training) {
  const struct sk_options *const options = training->options;
  if (!options->json) return sk_head_print(training);
  struct sk_json json;
  sk_head_describe(training, &json);
  const sk_status status = sk_json_finish(&json, options->json_path);
  return status || !options->json_path ? status : sk_head_print(training);
}

static sk_status train(const struct sk_options *options) {
  struct sk_head_training training;
  sk_status status = sk_head_train(&training, options);
  if (!status && !training.minimum.converged) {
    sk_tell(options, "the fit has not converged after %zu iterations: its gradient is %.1e; a larger --l2 helps",
            training.minimum.iterations, training.minimum.gradient);
  }
  if (!status) status = sk_weights_save(training.head, options->output);
  if (!status) status = report(&training);
  sk_head_training_free(&training);
  return status;
}

enum sk_exit sk_command_train_head(const struct sk_options *options) {
  if (options->reference) return sk_usage_error(options, "--algo: the reference keeps no features; name an algorithm");
  if (options->json_path && strcmp(options->json_path, options->output) == 0) {
    return sk_usage_error(options, "--json: two outputs cannot go to one file");
  }
  sk_status status = sk_file_check_writable(options->output);
  if (!status) status = sk_file_check_writable(options->json_path);
  if (!status) status = train(options);
  return status ? sk_fail_status(options, status) : SK_EXIT_SUCCESS;
}
