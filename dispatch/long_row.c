#include "dispatch/long_row.h"

#include <string.h>

#include "dispatch/size.h"

/* Pixels from `p` on that lie in one row, of those before `end`. */
static size_t pixels_of_row(const struct sk_long_row *row, size_t p, size_t end) {
  return sk_size_min(row->width - p % row->width, end - p);
}

/* Copy pixels that lie `step` floats apart side by side. */
static void copy_pixels(float *to, const float *from, size_t pixels, size_t step) {
  for (size_t i = 0; i < pixels; i++) memcpy(to + i * SK_BLOCK, from + i * step, SK_BLOCK * sizeof *to);
}

void sk_long_row_gather(const struct sk_long_row *row, const float *from, size_t first, size_t count, float *to) {
  for (size_t p = first, pixels; p < first + count; p += pixels, to += pixels * SK_BLOCK) {
    pixels = pixels_of_row(row, p, first + count);
    copy_pixels(to, from + sk_long_row_pixel(row, p), pixels, row->pixel);
  }
}

void sk_long_row_cut(const struct sk_long_row *row, const float *from, float *to, size_t first, size_t count) {
  for (size_t p = first, pixels; p < first + count; p += pixels, from += pixels * SK_BLOCK) {
    pixels = pixels_of_row(row, p, first + count);
    memcpy(to + sk_long_row_pixel(row, p), from, pixels * SK_BLOCK * sizeof *to);
  }
}
