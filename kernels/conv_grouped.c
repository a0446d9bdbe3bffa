/* Grouped convolution whose groups are no multiple of 16 channels: each lane has an input channel of its own. */
#include "kernels/simd/simd.h"

/* As many pixels as keep the multiply-adds busy, a chain of some four cycles for each register of a pixel, and as leave
 * room for their inputs, which compilers keep in registers as well: with AVX2, four would spill. */
enum { TILE_PIXELS = SK_VECTORS == 1 ? 8 : SK_VECTORS == 2 ? 3 : 4, HALF_TILE = TILE_PIXELS / 2 };

/* How a register's lanes are read: as enum sk_grouped_lanes says, or, in groups that are no smaller than the register,
 * from one channel. */
enum reading { CONTIGUOUS, GROUPS_OF_4, GROUPS_OF_8, PERMUTED, SCATTERED };

/* Where the pixels' inputs begin: at the first lane's, where the others follow from it. */
SK_INLINE const float *first_input(const float *tap, const int32_t *offset, const enum reading reading) {
  if (reading == PERMUTED || reading == SCATTERED) return tap;
  tap += *offset;
  /* Hide the sum: gcc would regroup what is added to it for each pixel, and add for each multiply-add. */
  __asm__("" : "+r"(tap));
  return tap;
}

/* Read the inputs of vector `v` of one pixel's outputs, which begin at `from`. */
SK_INLINE vf read_lanes(const float *from, const int32_t *offset, size_t first, size_t v, const enum reading reading) {
  const size_t lane = v * SK_LANES;
  switch (reading) {
    case CONTIGUOUS: return vload(from + lane);
    case GROUPS_OF_4: return vset1(from[lane / 4 * 4]);
    case GROUPS_OF_8: return vset1(from[lane / 8 * 8]);
    case PERMUTED: return vpermute(from, first + lane, offset + lane);
    default: return vgather(from, offset + lane);
  }
}

/* Whether vector `v` is of the same group as the one before it. */
SK_INLINE bool shares_input(size_t v, const enum reading reading) {
  return reading == GROUPS_OF_8 && v * SK_LANES % 8 != 0;
}

/* Add one tap's products to the sums of `pixels` pixels. first: where the lanes' block begins, if they are of one. */
SK_INLINE void accumulate(struct pixel *sum, const float *tap, size_t x_pixel, const int32_t *offset, size_t first,
                          const float *weights, const enum reading reading, const size_t pixels) {
  const float *const from = first_input(tap, offset, reading);
  vf input[TILE_PIXELS];
  SK_UNROLL for (size_t v = 0; v < SK_VECTORS; v++) {
    const vf weight = vload(weights + v * SK_LANES);
    SK_UNROLL for (size_t p = 0; p < pixels; p++) {
      if (!shares_input(v, reading)) input[p] = read_lanes(from + p * x_pixel, offset, first, v, reading);
      sum[p].lane[v] = vfma(input[p], weight, sum[p].lane[v]);
    }
  }
}

SK_INLINE void tile(const struct sk_conv_grouped_args *args, size_t at, const enum reading reading,
                    const size_t x_pixel, const size_t pixels) {
  const float *x = args->x + at * x_pixel;
  const float *w = args->weights;
  const size_t first = (size_t)args->lane_offset[0];
  struct pixel sum[TILE_PIXELS];
  SK_UNROLL for (size_t p = 0; p < pixels; p++) sum[p] = args->bias ? pixel_load(args->bias) : pixel_set1(0);
  for (size_t r = 0; r < args->kernel_height; r++) {
    for (size_t s = 0; s < args->kernel_width; s++) {
      const float *tap = x + r * args->x_row + s * args->x_column;
      for (size_t j = 0; j < args->channels; j++, w += SK_BLOCK) {
        accumulate(sum, tap, x_pixel, args->lane_offset + j * SK_BLOCK, first, w, reading, pixels);
      }
    }
  }
  SK_UNROLL for (size_t p = 0; p < pixels; p++) {
    const size_t to = (at + p) * SK_BLOCK;
    sum[p] = pixel_epilogue(sum[p], args->residual ? args->residual + to : NULL, args->relu);
    if (args->clip) {
      SK_UNROLL for (size_t v = 0; v < SK_VECTORS; v++) sum[p].lane[v] = vclip(sum[p].lane[v], args->bounds);
    }
    pixel_store(args->y + to, sum[p]);
  }
}

SK_INLINE void row(const struct sk_conv_grouped_args *args, const enum reading reading, const size_t x_pixel) {
  size_t p = 0;
  for (; p + TILE_PIXELS <= args->pixels; p += TILE_PIXELS) tile(args, p, reading, x_pixel, TILE_PIXELS);
  for (; p + HALF_TILE <= args->pixels; p += HALF_TILE) tile(args, p, reading, x_pixel, HALF_TILE);
  for (; p < args->pixels; p++) tile(args, p, reading, x_pixel, 1);
}

/* One function for each way to read; at stride 1, where there is most to compute, the distance between pixels is a
 * constant, so that they are displacements. */
#define SK_ROW_FUNCTION(name, reading, x_pixel) \
  static __attribute__((noinline)) void name(const struct sk_conv_grouped_args *args) { row(args, reading, x_pixel); }

SK_ROW_FUNCTION(contiguous_stride1, CONTIGUOUS, SK_BLOCK)
SK_ROW_FUNCTION(contiguous, CONTIGUOUS, args->x_pixel)
#if SK_LANES <= 4
SK_ROW_FUNCTION(groups_of_4_stride1, GROUPS_OF_4, SK_BLOCK)
SK_ROW_FUNCTION(groups_of_4, GROUPS_OF_4, args->x_pixel)
#endif
#if SK_LANES <= 8
SK_ROW_FUNCTION(groups_of_8_stride1, GROUPS_OF_8, SK_BLOCK)
SK_ROW_FUNCTION(groups_of_8, GROUPS_OF_8, args->x_pixel)
#endif
SK_ROW_FUNCTION(permuted, PERMUTED, args->x_pixel)
SK_ROW_FUNCTION(scattered, SCATTERED, args->x_pixel)

static sk_conv_grouped_fn *choose_row(const struct sk_conv_grouped_args *args) {
  const bool stride1 = args->x_pixel == SK_BLOCK;
  if (args->lanes == SK_LANES_CONTIGUOUS) return stride1 ? contiguous_stride1 : contiguous;
  if (args->lanes == SK_LANES_SCATTERED) return scattered;
#if SK_LANES <= 4
  if (args->channels == 4) return stride1 ? groups_of_4_stride1 : groups_of_4;
#endif
#if SK_LANES <= 8
  if (args->channels == 8) return stride1 ? groups_of_8_stride1 : groups_of_8;
#endif
  return permuted;
}

void SK_NAME(conv_grouped_f32)(const struct sk_conv_grouped_args *args) { choose_row(args)(args); }
