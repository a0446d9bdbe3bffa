/* skiplane-bench: every kernel, every distinct layer of every network, and whole networks, by Google Benchmark. */
#include <stdio.h>

#include "bench/benchmark_flags.h"
#include "bench/options.h"

static sk_status add_everything(struct sk_suite *suite) {
  sk_status status = sk_suite_add_peak(suite);
  if (!status) status = sk_suite_add_convs(suite);
  if (!status) status = sk_suite_add_winograd(suite);
  if (!status) status = sk_suite_add_operators(suite);
  if (!status) status = sk_suite_add_nets(suite);
  return status;
}

static enum sk_exit fail(sk_status status) {
  fprintf(stderr, "skiplane-bench: %s\n", sk_error_message());
  return status == SK_INVALID_ARGUMENT ? SK_EXIT_USAGE : SK_EXIT_FAILURE;
}

static enum sk_exit run(struct sk_suite *suite) {
  const sk_status status = add_everything(suite);
  if (status) return fail(status);
  sk_suite_tell_context(suite);
  const bool has_run = sk_benchmark_run_all() > 0;
  return has_run && !sk_suite_has_failed(suite) ? SK_EXIT_SUCCESS : SK_EXIT_FAILURE;
}

int main(int argc, char **argv) {
  struct sk_suite_settings settings;
  if (!sk_flags_take(&settings, &argc, argv)) return SK_EXIT_USAGE;
  sk_benchmark_initialize(&argc, argv);
  if (!sk_flags_all_taken(argc, argv)) return SK_EXIT_USAGE;
  struct sk_suite *suite;
  const sk_status status = sk_suite_create(&suite, &settings);
  if (status) return (int)fail(status);
  const enum sk_exit code = run(suite);
  sk_suite_destroy(suite);
  return (int)code;
}
