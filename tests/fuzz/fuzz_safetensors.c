/* libFuzzer target: the safetensors reader, and every function that trusts what it let through.
 * Build: clang -g -fsanitize=fuzzer,address,undefined; run with tests/fuzz/corpus/safetensors. */
#include "resnet/weights.h"
#include "tests/fuzz/expect.h"

static void read_all(const struct sk_weight_tensor *tensor) {
  if (tensor->dtype == SK_DTYPE_OTHER || tensor->elements == 0) return;
  float *values = malloc(tensor->elements * sizeof *values);
  if (!values) return;
  sk_weight_tensor_read(tensor, values);
  free(values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sk_weights *weights = NULL;
  const sk_status status = sk_weights_parse(&weights, "fuzz", data, size);
  expect_reason(status);
  if (status) {
    if (weights) abort();
    return 0;
  }
  for (size_t i = 0; i < sk_weights_count(weights); i++) {
    const struct sk_weight_tensor *tensor = sk_weights_at(weights, i);
    if (sk_weights_find(weights, tensor->name) != tensor) abort();
    read_all(tensor);
  }
  (void)sk_weights_nonfinite(weights);
  sk_weights_close(weights);
  return 0;
}
