/* libFuzzer target: the reader of shapes; what it lets through is printed and read again, to the same.
 * Build: clang -g -fsanitize=fuzzer,address,undefined; run with tests/fuzz/corpus/shapes. */
#include "bench/shapes.h"
#include "tests/fuzz/expect.h"

/* Print one shape and read it back. */
static void read_back(const struct sk_named_shape *shape) {
  const struct sk_shape_text line = sk_shape_print(shape);
  struct sk_shapes again = {0};
  if (sk_shapes_parse(&again, "printed", line.text, strlen(line.text)) || !sk_shapes_find_equal(&again, shape)) abort();
  sk_shapes_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct sk_shapes shapes = {0};
  expect_reason(sk_shapes_parse(&shapes, "fuzz", (const char *)data, size));
  for (size_t i = 0; i < shapes.count; i++) read_back(&shapes.items[i]);
  sk_shapes_free(&shapes);
  return 0;
}
