/* skiplane tune: the fastest algorithm of each layer, measured, as a plan file. */
#include <string.h>

#include "bench/commands.h"
#include "bench/interrupt.h"
#include "bench/runner.h"
#include "bench/tune.h"
#include "dispatch/isa.h"
#include "resnet/file.h"

/* The file is written before anything is printed: what is printed says that it is there. */
static sk_status write_outputs(const struct sk_tune *tune) {
  const struct sk_options *options = tune->options;
  struct sk_json json;
  sk_tune_json(tune, &json);
  sk_status status = sk_json_write(&json, options->output);
  if (!status && options->json) status = sk_json_write(&json, options->json_path);
  sk_json_discard(&json);
  const bool takes_stdout = options->json && !options->json_path;
  return status || takes_stdout ? status : sk_tune_print(tune);
}

static enum sk_exit report(const struct sk_tune *tune) {
  if (tune->rounds == 0) {
    sk_tell(tune->options, "interrupted before anything was measured");
    return SK_EXIT_INTERRUPTED;
  }
  const sk_status status = write_outputs(tune);
  if (status) return sk_fail_status(tune->options, status);
  return tune->interrupted ? SK_EXIT_INTERRUPTED : SK_EXIT_SUCCESS;
}

/* Threads are pinned before any network is made, so that its memory lies near them, but after the context is read, as
 * profile does. */
static sk_status measure(struct sk_tune *tune) {
  const sk_status status = sk_cpu_list_choose(tune->options->cpus, tune->threads, &tune->cpus);
  if (status) return status;
  sk_context_read(&tune->context, tune->threads, &tune->cpus);
  sk_affinity_pin(&tune->cpus);
  return sk_tune_measure(tune);
}

static enum sk_exit run(const struct sk_options *options) {
  struct sk_source source;
  struct sk_tune tune = {.options = options,
                         .model = sk_network_name(options->operands[0]),
                         .threads = sk_threads_choose(options->threads)};
  sk_interrupt_watch();
  sk_status status = sk_source_open(&source, options, options->operands[0]);
  tune.source = &source;
  if (!status) status = measure(&tune);
  const enum sk_exit code = status ? sk_fail_status(options, status) : report(&tune);
  sk_tune_free(&tune);
  sk_source_close(&source);
  return code;
}

enum sk_exit sk_command_tune(const struct sk_options *options) {
  if (options->json_path && strcmp(options->json_path, options->output) == 0) {
    return sk_usage_error(options, "--json: the plan is that document already; two outputs cannot go to one file");
  }
  sk_status status = sk_file_check_writable(options->output);
  if (!status) status = sk_file_check_writable(options->json_path);
  return status ? sk_fail_status(options, status) : run(options);
}
