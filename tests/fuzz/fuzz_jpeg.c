/* libFuzzer target: the JPEG decoder.
 * Build: clang -g -fsanitize=fuzzer,address,undefined; run with tests/fuzz/corpus/jpeg. */
#include "resnet/image.h"
#include "tests/fuzz/expect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A small pixel limit keeps inputs fast; large sizes meet the same code. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const struct sk_image_file file = {"fuzz", data, size, 1 << 16};
  sk_image image = {0};
  const sk_status status = sk_image_decode_jpeg(&image, &file);
  expect_reason(status);
  if (status) {
    if (image.pixels) abort();
    return 0;
  }
  unsigned sum = 0;
  for (size_t i = 0; i < 3 * image.height * image.width; i++) sum += image.pixels[i];
  if (sum > 255 * 3 * image.height * image.width) abort();
  sk_image_close(&image);
  return 0;
}
