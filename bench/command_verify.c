/* skiplane verify: the kernel checker. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/commands.h"
#include "bench/verify.h"
#include "bench/verify_baseline.h"
#include "dispatch/status.h"
#include "resnet/file.h"

static enum sk_exit exit_of(int result) {
  if (result == 3) return SK_EXIT_CHANGED;
  return result ? SK_EXIT_FAILURE : SK_EXIT_SUCCESS;
}

/* Check with the report going to memory, and write it to a file, all or nothing. */
static enum sk_exit verify_to_file(const struct sk_options *options, struct sk_verify_options wanted) {
  char *report = NULL;
  size_t length = 0;
  struct sk_file_writer writer;
  wanted.output = open_memstream(&report, &length);
  if (!wanted.output) return sk_fail_status(options, sk_fail(SK_OUT_OF_MEMORY, "out of memory for the report"));
  sk_status status = sk_file_writer_open(&writer, options->json_path); /* before the time is spent */
  const int result = status ? 0 : sk_verify_main(&wanted);
  fclose(wanted.output);
  if (!status) {
    sk_file_write(&writer, report, length);
    status = sk_file_writer_commit(&writer);
  }
  free(report);
  if (status) return sk_fail_status(options, status);
  return exit_of(result);
}

/* Check between the opening of a baseline and its end. */
static enum sk_exit verify_with_baseline(const struct sk_options *options, struct sk_verify_options wanted) {
  const struct sk_verify_baseline_options baseline = {options->baseline, options->write_baseline, options->allow_bits};
  enum sk_exit code = SK_EXIT_SUCCESS;
  sk_status status = sk_verify_baseline_open(&wanted.baseline, &wanted, &baseline);
  if (status) {
    code = sk_fail_status(options, status);
  } else {
    code = options->json_path ? verify_to_file(options, wanted) : exit_of(sk_verify_main(&wanted));
  }
  status = sk_verify_baseline_close(wanted.baseline);
  return status ? sk_fail_status(options, status) : code;
}

enum sk_exit sk_command_verify(const struct sk_options *options) {
  const struct sk_verify_options wanted = {
      .isa = options->isa,
      .filter = options->filter,
      .seed = sk_options_has(options, SK_ACCEPT(SEED)) ? options->seed : SK_VERIFY_SEED,
      .json = options->json,
      .exhaustive = options->exhaustive,
      .output = stdout};
  sk_isa chosen;
  if (options->allow_bits && !options->baseline) {
    return sk_usage_error(options, "--allow-bits: needs --baseline FILE");
  }
  const sk_status status = sk_isa_choose(options->isa, &chosen);
  if (status) return sk_fail_status(options, status);
  return verify_with_baseline(options, wanted);
}
