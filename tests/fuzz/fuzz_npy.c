/* libFuzzer target: the reader of .npy files.
 * Build: clang -g -fsanitize=fuzzer,address,undefined; run with tests/fuzz/corpus/npy. */
#include "bench/npy.h"
#include "tests/fuzz/expect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct sk_npy array;
  const sk_status status = sk_npy_parse(&array, "fuzz", data, size);
  expect_reason(status);
  if (status) {
    if (array.data) abort();
    return 0;
  }
  size_t elements = 1;
  for (size_t i = 0; i < array.rank; i++) elements *= array.shape[i];
  if (elements != array.elements || elements > size / sizeof *array.data) abort();
  /* The last bytes of the file are the last elements. */
  const size_t bytes = elements * sizeof *array.data;
  if (memcmp(array.data, data + size - bytes, bytes) != 0) abort();
  sk_npy_free(&array);
  return 0;
}
