/* skiplane verify: the kernel checker. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/commands.h"
#include "bench/verify.h"
#include "dispatch/status.h"
#include "resnet/file.h"

/* Check with the report going to memory, and write it to a file, all or nothing. */
static enum sk_exit verify_to_file(const struct sk_options *options, struct sk_verify_options wanted) {
  char *report = NULL;
  size_t length = 0;
  struct sk_file_writer writer;
  wanted.output = open_memstream(&report, &length);
  if (!wanted.output) return sk_fail_status(options, sk_fail(SK_OUT_OF_MEMORY, "out of memory for the report"));
  sk_status status = sk_file_writer_open(&writer, options->json_path); /* before the time is spent */
  const int failed = status ? 0 : sk_verify_main(&wanted);
  fclose(wanted.output);
  if (!status) {
    sk_file_write(&writer, report, length);
    status = sk_file_writer_commit(&writer);
  }
  free(report);
  if (status) return sk_fail_status(options, status);
  return failed ? SK_EXIT_FAILURE : SK_EXIT_SUCCESS;
}

/* What only a network has a use for. */
#define OF_NETWORK                                                                                      \
  (SK_ACCEPT(WEIGHTS) | SK_ACCEPT(THREADS) | SK_ACCEPT(ALGO) | SK_ACCEPT(PLAN) | SK_ACCEPT(SIZE) |      \
   SK_ACCEPT(RESNET_V1) | SK_ACCEPT(PER_LAYER) | SK_ACCEPT(IMAGES) | SK_ACCEPT(MEAN) | SK_ACCEPT(STD) | \
   SK_ACCEPT(FLUSH_DENORMALS))

enum sk_exit sk_command_verify(const struct sk_options *options) {
  if (options->model) return sk_command_verify_network(options);
  const char *surplus = sk_options_first(options, OF_NETWORK);
  if (surplus) return sk_usage_error(options, "--%s: needs --model, a network to verify", surplus);
  const struct sk_verify_options wanted = {
      .isa = options->isa,
      .filter = options->filter,
      .seed = sk_options_has(options, SK_ACCEPT(SEED)) ? options->seed : SK_VERIFY_SEED,
      .json = options->json,
      .exhaustive = options->exhaustive,
      .output = stdout};
  sk_isa chosen;
  const sk_status status = sk_isa_choose(options->isa, &chosen);
  if (status) return sk_fail_status(options, status);
  if (options->json_path) return verify_to_file(options, wanted);
  return sk_verify_main(&wanted) == 0 ? SK_EXIT_SUCCESS : SK_EXIT_FAILURE;
}
