/* skiplane verify: the kernel checker. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/commands.h"
#include "bench/conv_case.h"
#include "bench/memory.h"
#include "bench/verify.h"
#include "bench/verify_baseline.h"
#include "bench/verify_given.h"
#include "dispatch/conv.h"
#include "dispatch/status.h"
#include "resnet/file.h"
#include "resnet/text.h"

/* ---- What goes together --------------------------------------------------------------------------------------- */

#define ARRAYS (SK_ACCEPT(X) | SK_ACCEPT(W) | SK_ACCEPT(B) | SK_ACCEPT(RESIDUAL) | SK_ACCEPT(Y))
#define SETTINGS (SK_ACCEPT(STRIDE) | SK_ACCEPT(PAD) | SK_ACCEPT(DILATION) | SK_ACCEPT(GROUPS) | SK_ACCEPT(RELU))
#define ENGINE (SK_ACCEPT(ALGO) | SK_ACCEPT(THREADS) | SK_ACCEPT(MAX_MEMORY))
#define PICTURES (SK_ACCEPT(IMAGES) | SK_ACCEPT(MEAN) | SK_ACCEPT(STD))
#define ALWAYS (SK_ACCEPT(ISA) | SK_ACCEPT(JSON))

/* The ways to verify, and the options that each one takes. */
enum way { WAY_CASE, WAY_NETWORK, WAY_GIVEN, WAY_SWEEP, WAYS };
static const struct {
  const char *name;
  sk_option_set accepts;
} ways[WAYS] = {
    [WAY_CASE] = {"--case, which has it all", ALWAYS | SK_ACCEPT(CASE) | SK_ACCEPT(MAX_MEMORY)},
    [WAY_NETWORK] = {"a network (--model)", ALWAYS | ENGINE | PICTURES | SK_ACCEPT(MODEL) | SK_ACCEPT(WEIGHTS) |
                                                SK_ACCEPT(PLAN) | SK_ACCEPT(SIZE) | SK_ACCEPT(INPUT_SHAPE) |
                                                SK_ACCEPT(RESNET_V1) | SK_ACCEPT(PER_LAYER) |
                                                SK_ACCEPT(FLUSH_DENORMALS) | SK_ACCEPT(SEED)},
    [WAY_GIVEN] = {"a given convolution (--x, --w, --y)",
                   ALWAYS | ENGINE | ARRAYS | SETTINGS | SK_ACCEPT(TOLERANCE) | SK_ACCEPT(CASE_DIR)},
    [WAY_SWEEP] = {"the sweep over all kernels", ALWAYS | SK_ACCEPT(FILTER) | SK_ACCEPT(SEED) | SK_ACCEPT(EXHAUSTIVE) |
                                                     SK_ACCEPT(HTML) | SK_ACCEPT(CASE_DIR) | SK_ACCEPT(BASELINE) |
                                                     SK_ACCEPT(WRITE_BASELINE) | SK_ACCEPT(ALLOW_BITS)},
};

static enum way choose_way(const struct sk_options *options) {
  if (options->case_path) return WAY_CASE;
  if (options->model) return WAY_NETWORK;
  return sk_options_has(options, ARRAYS) ? WAY_GIVEN : WAY_SWEEP;
}

/* Refuse the first option of another way, and name the ways that it is for. */
static enum sk_exit refuse(const struct sk_options *options, enum way way, sk_option_set strangers) {
  const sk_option_set first = strangers & -strangers;
  char others[160] = "";
  size_t length = 0;
  for (size_t i = 0; i < WAYS && length < sizeof others; i++) {
    if (!(ways[i].accepts & first)) continue;
    length += (size_t)snprintf(others + length, sizeof others - length, "%s%s", length ? " or " : "", ways[i].name);
  }
  return sk_usage_error(options, "--%s: does not go with %s, but with %s", sk_options_first(options, first),
                        ways[way].name, others);
}

/* ---- The sweep ------------------------------------------------------------------------------------------------- */

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

static enum sk_exit verify(const struct sk_options *options, const struct sk_verify_options *wanted) {
  sk_isa chosen;
  if (options->allow_bits && !options->baseline) {
    return sk_usage_error(options, "--allow-bits: needs --baseline FILE");
  }
  sk_status status = sk_isa_choose(wanted->isa, &chosen);
  if (!status) status = sk_file_check_writable(wanted->html);
  return status ? sk_fail_status(options, status) : verify_with_baseline(options, *wanted);
}

/* ---- Other ways ------------------------------------------------------------------------------------------------ */

/* A few lines can ask for far more than any file holds. */
static sk_status check_case_memory(const struct sk_options *options, const struct sk_conv_case *c) {
  struct sk_conv_sizes sizes;
  const sk_conv_options wanted = {
      .algorithm = c->algorithm, .threads = c->threads, .max_bytes = sk_memory_most(options)};
  return sk_conv_measure(&c->shape, &wanted, SK_LAYOUT_NCHW16C, &sizes);
}

/* Replay a reduced case, on its own ISA or another. */
static enum sk_exit verify_case(const struct sk_options *options, struct sk_verify_options wanted) {
  struct sk_conv_case_file file;
  sk_status status = sk_conv_case_read(&file, options->case_path);
  if (!status) status = check_case_memory(options, &file.content);
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

/* Where cases go is known to be a folder before there is one to write. */
static bool is_folder(const char *path) {
  struct stat entry;
  return stat(path, &entry) == 0 && S_ISDIR(entry.st_mode) && access(path, W_OK) == 0;
}

/* ---- The command ----------------------------------------------------------------------------------------------- */

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
  const enum way way = choose_way(options);
  const sk_option_set strangers = options->given & ~ways[way].accepts;
  if (strangers) return refuse(options, way, strangers);
  if (options->case_folder && !is_folder(options->case_folder)) {
    return sk_usage_error(options, "--case-dir: \"%s\" is not a folder that can be written to",
                          sk_quote_short(options->case_folder).text);
  }
  switch (way) {
    case WAY_CASE: return verify_case(options, wanted);
    case WAY_NETWORK: return sk_command_verify_network(options);
    case WAY_GIVEN: return verify_given(options);
    default: return verify(options, &wanted);
  }
}
