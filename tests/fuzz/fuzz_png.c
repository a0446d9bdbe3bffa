/* libFuzzer target: the PNG decoder.
 * Build: clang -g -fsanitize=fuzzer,address,undefined; run with tests/fuzz/corpus/png. */
#include "resnet/image.h"
#include "tests/fuzz/expect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t checksum(const uint8_t *data, size_t size) {
  uint32_t crc = UINT32_MAX;
  for (size_t i = 0; i < size; i++) {
    crc ^= data[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320U : 0);
  }
  return ~crc;
}

/* Correct the checksum of every chunk, or no mutation would get past it. */
static void correct_checksums(uint8_t *png, size_t size) {
  for (size_t at = 8; size >= 12 && at <= size - 12;) {
    const size_t length =
        (size_t)png[at] << 24 | (size_t)png[at + 1] << 16 | (size_t)png[at + 2] << 8 | (size_t)png[at + 3];
    if (length > size - at - 12) return;
    const uint32_t crc = checksum(png + at + 4, length + 4);
    for (size_t i = 0; i < 4; i++) png[at + 8 + length + i] = (uint8_t)(crc >> (24 - 8 * i));
    at += 12 + length;
  }
}

static void decode(const uint8_t *png, size_t size) {
  /* A small pixel limit keeps inputs fast; large sizes meet the same code. */
  const struct sk_image_file file = {"fuzz", png, size, 1 << 16};
  sk_image image = {0};
  const sk_status status = sk_image_decode_png(&image, &file);
  expect_reason(status);
  if (status) {
    if (image.pixels) abort();
    return;
  }
  unsigned sum = 0;
  for (size_t i = 0; i < 3 * image.height * image.width; i++) sum += image.pixels[i];
  if (sum > 255 * 3 * image.height * image.width) abort();
  sk_image_close(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint8_t *png = malloc(size ? size : 1);
  if (!png) return 0;
  if (size) memcpy(png, data, size);
  decode(png, size);
  correct_checksums(png, size);
  decode(png, size);
  free(png);
  return 0;
}
