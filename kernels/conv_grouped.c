/* Grouped convolution whose groups are no multiple of 16 channels: each lane has an input channel of its own. */
#include "kernels/simd/simd.h"

/* As many pixels as keep the multiply-adds busy, a chain of some four cycles for each register of a pixel, and as leave
 * room for their inputs, which compilers keep in registers as well: with AVX2, four would spill. */
enum { TILE_PIXELS = SK_VECTORS == 1 ? 8 : SK_VECTORS == 2 ? 3 : 4, HALF_TILE = TILE_PIXELS / 2 };

/* Read the inputs of vector `v` of one pixel's outputs. */
SK_INLINE vf read_lanes(const float *from, const int32_t *offset, size_t first, size_t v,
                        const enum sk_grouped_lanes lanes) {
  switch (lanes) {
    case SK_LANES_CONTIGUOUS: return vload(from + offset[0] + v * SK_LANES);
    case SK_LANES_PERMUTED: return vpermute(from, first + v * SK_LANES, offset + v * SK_LANES);
    default: return vgather(from, offset + v * SK_LANES);
  }
}

/* Add one tap's products to the sums of `pixels` pixels. first: where the lanes' block begins, if they are of one. */
SK_INLINE void accumulate(struct pixel *sum, const float *tap, size_t x_pixel, const int32_t *offset, size_t first,
                          const float *weights, const enum sk_grouped_lanes lanes, const size_t pixels) {
  SK_UNROLL for (size_t v = 0; v < SK_VECTORS; v++) {
    const vf weight = vload(weights + v * SK_LANES);
    SK_UNROLL for (size_t p = 0; p < pixels; p++) {
      sum[p].lane[v] = vfma(read_lanes(tap + p * x_pixel, offset, first, v, lanes), weight, sum[p].lane[v]);
    }
  }
}

SK_INLINE void tile(const struct sk_conv_grouped_args *args, size_t at, const enum sk_grouped_lanes lanes,
                    const size_t pixels) {
  const float *x = args->x + at * args->x_pixel;
  const float *w = args->weights;
  const size_t first = (size_t)args->lane_offset[0];
  struct pixel sum[TILE_PIXELS];
  SK_UNROLL for (size_t p = 0; p < pixels; p++) sum[p] = args->bias ? pixel_load(args->bias) : pixel_set1(0);
  for (size_t r = 0; r < args->kernel_height; r++) {
    for (size_t s = 0; s < args->kernel_width; s++) {
      const float *tap = x + r * args->x_row + s * args->x_column;
      for (size_t j = 0; j < args->channels; j++, w += SK_BLOCK) {
        accumulate(sum, tap, args->x_pixel, args->lane_offset + j * SK_BLOCK, first, w, lanes, pixels);
      }
    }
  }
  SK_UNROLL for (size_t p = 0; p < pixels; p++) {
    const size_t to = (at + p) * SK_BLOCK;
    pixel_store(args->y + to, pixel_epilogue(sum[p], args->residual ? args->residual + to : NULL, args->relu));
  }
}

SK_INLINE void row(const struct sk_conv_grouped_args *args, const enum sk_grouped_lanes lanes) {
  size_t p = 0;
  for (; p + TILE_PIXELS <= args->pixels; p += TILE_PIXELS) tile(args, p, lanes, TILE_PIXELS);
  for (; p + HALF_TILE <= args->pixels; p += HALF_TILE) tile(args, p, lanes, HALF_TILE);
  for (; p < args->pixels; p++) tile(args, p, lanes, 1);
}

void SK_NAME(conv_grouped_f32)(const struct sk_conv_grouped_args *args) {
  switch (args->lanes) {
    case SK_LANES_CONTIGUOUS: row(args, SK_LANES_CONTIGUOUS); break;
    case SK_LANES_PERMUTED: row(args, SK_LANES_PERMUTED); break;
    default: row(args, SK_LANES_SCATTERED); break;
  }
}
