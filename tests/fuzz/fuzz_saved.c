/* libFuzzer target: runs saved by `skiplane profile --save`, read and compared as `skiplane compare A B` does.
 * An input is two documents with a NUL between them, or one, which is compared with itself.
 * Build: clang -g -fsanitize=fuzzer,address,undefined; run with tests/fuzz/corpus/saved. */
#include <cjson/cJSON.h>

#include "bench/compare.h"
#include "tests/fuzz/expect.h"

static void compare(const struct sk_saved_pair *pair) {
  const char *names[] = {"before", "after"};
  const struct sk_options options = {.command = "compare", .operands = names, .operand_count = 2, .threshold = 0.03};
  struct sk_compare comparison = {.options = &options};
  const sk_status status = sk_saved_pair_compare(pair, &comparison);
  expect_reason(status);
  if (!status) {
    sk_compare_finish(&comparison);
    struct sk_json json;
    sk_compare_json(&comparison, &json);
    sk_json_discard(&json);
  }
  sk_compare_free(&comparison);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const uint8_t *const end = data + size, *const gap = size ? memchr(data, 0, size) : NULL;
  const uint8_t *const starts[] = {data, gap ? gap + 1 : data}, *const ends[] = {gap ? gap : end, end};
  struct sk_saved_pair pair = {{NULL, NULL}, {NULL, NULL}};
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < 2; i++) {
    status = sk_saved_run_parse(&pair.documents[i], "fuzz", (const char *)starts[i], (size_t)(ends[i] - starts[i]));
  }
  expect_reason(status);
  if (!status) compare(&pair);
  sk_saved_pair_free(&pair);
  return 0;
}
