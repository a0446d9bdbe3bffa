/* skiplane verify: the kernel checker. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/commands.h"
#include "bench/conv_case.h"
#include "bench/verify.h"
#include "bench/verify_given.h"
#include "dispatch/status.h"
#include "resnet/file.h"
#include "resnet/text.h"

/* Options of a given convolution, and of the sweep over all cases. */
#define ARRAYS (SK_ACCEPT(X) | SK_ACCEPT(W) | SK_ACCEPT(B) | SK_ACCEPT(RESIDUAL) | SK_ACCEPT(Y))
#define SETTINGS (SK_ACCEPT(STRIDE) | SK_ACCEPT(PAD) | SK_ACCEPT(DILATION) | SK_ACCEPT(GROUPS) | SK_ACCEPT(RELU))
#define GIVEN (ARRAYS | SETTINGS | SK_ACCEPT(TOLERANCE) | SK_ACCEPT(ALGO) | SK_ACCEPT(THREADS))
#define SWEEP (SK_ACCEPT(FILTER) | SK_ACCEPT(SEED) | SK_ACCEPT(EXHAUSTIVE) | SK_ACCEPT(HTML))

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

static enum sk_exit verify(const struct sk_options *options, const struct sk_verify_options *wanted) {
  sk_isa chosen;
  sk_status status = sk_isa_choose(wanted->isa, &chosen);
  if (!status) status = sk_file_check_writable(wanted->html);
  if (status) return sk_fail_status(options, status);
  if (options->json_path) return verify_to_file(options, *wanted);
  return sk_verify_main(wanted) == 0 ? SK_EXIT_SUCCESS : SK_EXIT_FAILURE;
}

/* Replay a reduced case, on its own ISA or another. */
static enum sk_exit verify_case(const struct sk_options *options, struct sk_verify_options wanted) {
  struct sk_conv_case_file file;
  const sk_status status = sk_conv_case_read(&file, options->case_path);
  if (!status) {
    wanted.only = &file.content;
    wanted.only_path = options->case_path;
    wanted.seed = file.content.seed;
    if (wanted.isa == SK_ISA_AUTO) wanted.isa = file.content.isa;
  }
  const enum sk_exit code = status ? sk_fail_status(options, status) : verify(options, &wanted);
  sk_conv_case_free(&file);
  return code;
}

static enum sk_exit verify_given(const struct sk_options *options) {
  if (!options->x || !options->w || !options->y) {
    return sk_usage_error(options, "--%s FILE is needed: a given convolution is --x, --w and --y",
                          !options->x   ? "x"
                          : !options->w ? "w"
                                        : "y");
  }
  if (options->reference) return sk_usage_error(options, "--algo: everything is held against the reference anyway");
  return sk_verify_given(options);
}

/* Options of one way to verify that come with another: NULL if there are none. */
static const char *find_stranger(const struct sk_options *options) {
  if (options->case_path) return sk_options_first(options, GIVEN | SWEEP | SK_ACCEPT(CASE_DIR));
  if (sk_options_has(options, ARRAYS)) return sk_options_first(options, SWEEP);
  return sk_options_first(options, GIVEN);
}

/* Where cases go is known to be a folder before there is one to write. */
static bool is_folder(const char *path) {
  struct stat entry;
  return stat(path, &entry) == 0 && S_ISDIR(entry.st_mode) && access(path, W_OK) == 0;
}

enum sk_exit sk_command_verify(const struct sk_options *options) {
  const struct sk_verify_options wanted = {
      .isa = options->isa,
      .filter = options->filter,
      .seed = sk_options_has(options, SK_ACCEPT(SEED)) ? options->seed : SK_VERIFY_SEED,
      .json = options->json,
      .exhaustive = options->exhaustive,
      .output = stdout,
      .html = options->html,
      .case_folder = options->case_folder};
  const char *stranger = find_stranger(options);
  if (stranger) {
    return sk_usage_error(options, "--%s: does not go with %s", stranger,
                          options->case_path ? "--case, which has it all"
                          : sk_options_has(options, ARRAYS)
                              ? "a given convolution (--x, --w, --y)"
                              : "the sweep, but with a given convolution (--x, --w, --y)");
  }
  if (options->case_folder && !is_folder(options->case_folder)) {
    return sk_usage_error(options, "--case-dir: \"%s\" is not a folder that can be written to",
                          sk_quote_short(options->case_folder).text);
  }
  if (options->case_path) return verify_case(options, wanted);
  return sk_options_has(options, ARRAYS) ? verify_given(options) : verify(options, &wanted);
}
