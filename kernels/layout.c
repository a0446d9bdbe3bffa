/* Conversion between plain arrays (NCHW, NHWC) and NCHW16c. */
#include "kernels/simd/simd.h"

void SK_NAME(to_blocked_f32)(const struct sk_layout_args *args) {
  for (size_t i = 0; i < args->height; i++) {
    for (size_t j = 0; j < args->width; j++) {
      const float *plain = args->plain + i * args->plain_row + j * args->plain_pixel;
      float *blocked = args->blocked + i * args->blocked_row + j * SK_BLOCK;
      for (size_t c = 0; c < args->channels; c++) blocked[c] = plain[c * args->plain_channel];
      for (size_t c = args->channels; c < SK_BLOCK; c++) blocked[c] = 0;
    }
  }
}

void SK_NAME(from_blocked_f32)(const struct sk_layout_args *args) {
  for (size_t i = 0; i < args->height; i++) {
    for (size_t j = 0; j < args->width; j++) {
      float *plain = args->plain + i * args->plain_row + j * args->plain_pixel;
      const float *blocked = args->blocked + i * args->blocked_row + j * SK_BLOCK;
      for (size_t c = 0; c < args->channels; c++) plain[c * args->plain_channel] = blocked[c];
    }
  }
}
