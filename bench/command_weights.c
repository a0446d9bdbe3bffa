/* skiplane weights: seeded random weights as a safetensors file. */
#include "bench/commands.h"

enum sk_exit sk_command_weights(const struct sk_options *options) {
  sk_weights *weights = NULL;
  sk_status status = sk_weights_random(&weights, options->operands[0], options->classes, options->seed);
  if (!status) status = sk_weights_save(weights, options->output);
  const enum sk_exit code = status ? sk_fail_status(options, status) : SK_EXIT_SUCCESS;
  sk_weights_close(weights);
  return code;
}
