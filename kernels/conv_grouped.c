/* Grouped convolution whose groups are no multiple of 16 channels: each lane gathers its own input channel. */
#include "kernels/simd/simd.h"

/* Add one tap's products to the sums of `pixels` pixels. */
SK_INLINE void accumulate(struct pixel *sum, const float *tap, size_t x_pixel, const int32_t *lane_offset,
                          bool contiguous, const float *weights, const size_t pixels) {
  SK_UNROLL for (size_t v = 0; v < SK_VECTORS; v++) {
    const vf weight = vload(weights + v * SK_LANES);
    SK_UNROLL for (size_t p = 0; p < pixels; p++) {
      const float *from = tap + p * x_pixel;
      const vf value =
          contiguous ? vload(from + lane_offset[0] + v * SK_LANES) : vgather(from, lane_offset + v * SK_LANES);
      sum[p].lane[v] = vfma(value, weight, sum[p].lane[v]);
    }
  }
}

SK_INLINE void tile(const struct sk_conv_grouped_args *args, size_t first, bool contiguous, const size_t pixels) {
  const float *x = args->x + first * args->x_pixel;
  const float *w = args->weights;
  struct pixel sum[4];
  SK_UNROLL for (size_t p = 0; p < pixels; p++) sum[p] = args->bias ? pixel_load(args->bias) : pixel_set1(0);
  for (size_t r = 0; r < args->kernel_height; r++) {
    for (size_t s = 0; s < args->kernel_width; s++) {
      const float *tap = x + r * args->x_row + s * args->x_column;
      for (size_t j = 0; j < args->channels; j++, w += SK_BLOCK) {
        accumulate(sum, tap, args->x_pixel, args->lane_offset + j * SK_BLOCK, contiguous, w, pixels);
      }
    }
  }
  SK_UNROLL for (size_t p = 0; p < pixels; p++) {
    const size_t at = (first + p) * SK_BLOCK;
    pixel_store(args->y + at, pixel_epilogue(sum[p], args->residual ? args->residual + at : NULL, args->relu));
  }
}

SK_INLINE void row(const struct sk_conv_grouped_args *args, const bool contiguous) {
  size_t p = 0;
  for (; p + 4 <= args->pixels; p += 4) tile(args, p, contiguous, 4);
  for (; p < args->pixels; p++) tile(args, p, contiguous, 1);
}

void SK_NAME(conv_grouped_f32)(const struct sk_conv_grouped_args *args) {
  if (args->contiguous) {
    row(args, true);
  } else {
    row(args, false);
  }
}
