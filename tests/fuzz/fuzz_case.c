/* libFuzzer target: the reduced cases of `skiplane verify --case`. A small one that is let through runs as --case runs
 * it, and passes, for the kernels are right.
 * Build: clang -g -fsanitize=fuzzer,address,undefined; run with tests/fuzz/corpus/case. */
#include "tests/fuzz/expect.h"
#include "tests/fuzz/run_case.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct sk_conv_case c;
  bool given = false;
  const sk_status status = sk_conv_case_parse(&c, "fuzz", (const char *)data, size, &given);
  expect_reason(status);
  if (status || given || !is_small(&c.shape)) return 0;
  if (c.threads > MOST_THREADS) c.threads = MOST_THREADS;
  expect_passes(&c);
  return 0;
}
