/* libFuzzer target: the reader of baselines; what it lets through is in order, and found again by its names.
 * Build: clang -g -fsanitize=fuzzer,address,undefined; run with tests/fuzz/corpus/baseline. */
#include "bench/baseline.h"
#include "tests/fuzz/expect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const struct sk_baseline_header header = {.seed = 1};
  struct sk_baseline baseline;
  const sk_status status = sk_baseline_parse(&baseline, "fuzz", (const char *)data, size, &header);
  expect_reason(status);
  for (size_t i = 0; !status && i < baseline.count; i++) {
    const struct sk_baseline_record *record = &baseline.records[i];
    if (sk_baseline_find(&baseline, record->name) != record || !sk_baseline_same_bits(record, record)) abort();
    if (record->values == 0 || record->witness_count > SK_BASELINE_WITNESSES || !(record->worst >= 0)) abort();
    for (size_t j = 0; j < record->witness_count; j++) {
      if (record->witnesses[j].index >= record->values) abort();
    }
  }
  sk_baseline_free(&baseline);
  return 0;
}
