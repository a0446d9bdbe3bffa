/*
 * Direct convolution: a register tile of pixels x output channels, one chain of fused multiply-adds per output.
 *
 * A tile takes its pixels from one row, or from two rows where a row is short: the more pixels share a load of weights,
 * and the more chains are in flight, the nearer to the peak.
 */
#include "kernels/simd/simd.h"

enum { MAX_VECTORS = SK_TILE_BLOCKS * SK_VECTORS };

/* Where one tile begins, and its share of the next call's weights, `ahead_step` bytes of them per channel. */
struct corner {
  const float *x, *residual;
  float *y;
  uintptr_t ahead;
  size_t ahead_step;
};

/* Ask for what lies `distance` floats on, the same tap of the next channel block: another page, where no hardware
 * prefetcher looks. After the last block the address is of nothing, which a prefetch may be: the sum is formed in
 * integers. */
SK_INLINE void prefetch(const float *x, size_t distance) {
  __builtin_prefetch((const void *)((uintptr_t)x + distance * sizeof *x)); /* NOLINT(performance-no-int-to-ptr) */
}

/* Ask for the weights that come after these, into the L2 cache: the register tiles of this call share the work, so that
 * memory is read all the time and not only while the first of them runs. */
SK_INLINE void prefetch_weights(uintptr_t ahead, const size_t blocks) {
  SK_UNROLL for (size_t b = 0; b < blocks; b++) {
    __builtin_prefetch((const void *)(ahead + b * SK_BLOCK * sizeof(float)), 0,
                       2); /* NOLINT(performance-no-int-to-ptr) */
  }
}

/*
 * Compute rows x width pixels x blocks outputs. The numbers after `at` are constants where it matters, so that
 * accumulators become registers and pixels become displacements. Loops over the tile are flat: clang unrolls nested
 * ones too late.
 */
SK_INLINE void tile(const struct sk_conv_direct_args *args, struct corner at, const size_t rows, const size_t width,
                    const size_t blocks, const size_t x_pixel, const size_t x_channel) {
  const size_t vectors = blocks * SK_VECTORS, pixels = rows * width;
  vf sum[SK_TILE_PIXELS * MAX_VECTORS];
  SK_UNROLL for (size_t i = 0; i < pixels * vectors; i++) {
    sum[i] = args->bias ? vload(args->bias + i % vectors * SK_LANES) : vzero();
  }
  const float *w = args->weights, *x = at.x;
  for (size_t left = args->channels; left > 0; x += args->x_block) {
    const size_t channels = left < SK_BLOCK ? left : SK_BLOCK;
    left -= channels;
    for (size_t r = 0; r < args->kernel_height; r++) {
      for (size_t s = 0; s < args->kernel_width; s++) {
        const float *tap[2] = {x + r * args->x_row + s * args->x_column, NULL};
        tap[1] = tap[0] + args->x_line;
        if (left > 0) {
          SK_UNROLL for (size_t p = 0; p < pixels; p++) prefetch(tap[p / width] + p % width * x_pixel, args->x_block);
        }
        for (const float *const end = w + channels * vectors * SK_LANES; w != end; w += vectors * SK_LANES) {
          if (blocks == SK_TILE_BLOCKS) { /* a narrower panel is the last: nothing comes after it */
            prefetch_weights(at.ahead, blocks);
            at.ahead += at.ahead_step;
          }
          vf weight[MAX_VECTORS];
          SK_UNROLL for (size_t v = 0; v < vectors; v++) weight[v] = vload(w + v * SK_LANES);
          SK_UNROLL for (size_t i = 0; i < pixels * vectors; i++) {
            const size_t p = i / vectors;
            sum[i] = vfma(vset1(tap[p / width][p % width * x_pixel]), weight[i % vectors], sum[i]);
          }
          tap[0] += x_channel;
          tap[1] += x_channel;
        }
      }
    }
  }
  SK_UNROLL for (size_t i = 0; i < pixels * blocks; i++) {
    const size_t row = i / blocks / width, p = i / blocks % width, b = i % blocks;
    struct pixel out;
    SK_UNROLL for (size_t v = 0; v < SK_VECTORS; v++) out.lane[v] = sum[i * SK_VECTORS + v];
    const size_t added = b * args->residual_block + row * args->residual_line + p * SK_BLOCK;
    pixel_store(at.y + b * args->y_block + row * args->y_line + p * SK_BLOCK,
                pixel_epilogue(out, at.residual ? at.residual + added : NULL, args->relu));
  }
}

/* Compute one tile of one row whose width is known only now: a copy of the loops for each width. */
SK_INLINE void tile_of_one_row(const struct sk_conv_direct_args *args, struct corner at, size_t width,
                               const size_t blocks, const size_t x_pixel, const size_t x_channel) {
  switch (width) {
    case 1: tile(args, at, 1, 1, blocks, x_pixel, x_channel); break;
    case 2: tile(args, at, 1, 2, blocks, x_pixel, x_channel); break;
#if SK_TILE_PIXELS >= 6
    case 3: tile(args, at, 1, 3, blocks, x_pixel, x_channel); break;
    case 4: tile(args, at, 1, 4, blocks, x_pixel, x_channel); break;
    case 5: tile(args, at, 1, 5, blocks, x_pixel, x_channel); break;
    case 6: tile(args, at, 1, 6, blocks, x_pixel, x_channel); break;
#endif
#if SK_TILE_PIXELS >= 14
    case 7: tile(args, at, 1, 7, blocks, x_pixel, x_channel); break;
    case 8: tile(args, at, 1, 8, blocks, x_pixel, x_channel); break;
    case 9: tile(args, at, 1, 9, blocks, x_pixel, x_channel); break;
    case 10: tile(args, at, 1, 10, blocks, x_pixel, x_channel); break;
    case 11: tile(args, at, 1, 11, blocks, x_pixel, x_channel); break;
    case 12: tile(args, at, 1, 12, blocks, x_pixel, x_channel); break;
    case 13: tile(args, at, 1, 13, blocks, x_pixel, x_channel); break;
    case 14: tile(args, at, 1, 14, blocks, x_pixel, x_channel); break;
#endif
    default: break;
  }
}

/* Likewise of two rows, which are half as wide at most. */
SK_INLINE void tile_of_two_rows(const struct sk_conv_direct_args *args, struct corner at, size_t width,
                                const size_t blocks, const size_t x_pixel, const size_t x_channel) {
  switch (width) {
    case 1: tile(args, at, 2, 1, blocks, x_pixel, x_channel); break;
#if SK_TILE_PIXELS >= 6
    case 2: tile(args, at, 2, 2, blocks, x_pixel, x_channel); break;
    case 3: tile(args, at, 2, 3, blocks, x_pixel, x_channel); break;
#endif
#if SK_TILE_PIXELS >= 14
    case 4: tile(args, at, 2, 4, blocks, x_pixel, x_channel); break;
    case 5: tile(args, at, 2, 5, blocks, x_pixel, x_channel); break;
    case 6: tile(args, at, 2, 6, blocks, x_pixel, x_channel); break;
    case 7: tile(args, at, 2, 7, blocks, x_pixel, x_channel); break;
#endif
    default: break;
  }
}

/*
 * One function for each case in which displacements are constants, compiled apart so that the loops around a tile do
 * not compete with it for registers: pixels one or two blocks apart (stride 1 and 2), or one or two floats (planar
 * input).
 */
typedef void tile_fn(const struct sk_conv_direct_args *args, struct corner at, size_t rows, size_t width);

#define SK_TILE_FUNCTION(name, blocks, x_pixel, x_channel)                                                          \
  static __attribute__((noinline)) void name(const struct sk_conv_direct_args *args, struct corner at, size_t rows, \
                                             size_t width) {                                                        \
    if (rows == 1) {                                                                                                \
      tile_of_one_row(args, at, width, blocks, x_pixel, x_channel);                                                 \
    } else {                                                                                                        \
      tile_of_two_rows(args, at, width, blocks, x_pixel, x_channel);                                                \
    }                                                                                                               \
  }

SK_TILE_FUNCTION(blocked_stride1_1, 1, SK_BLOCK, 1)
SK_TILE_FUNCTION(blocked_stride2_1, 1, 2 * SK_BLOCK, 1)
SK_TILE_FUNCTION(planar_stride1_1, 1, 1, args->x_channel)
SK_TILE_FUNCTION(planar_stride2_1, 1, 2, args->x_channel)
#if SK_TILE_BLOCKS > 1
SK_TILE_FUNCTION(blocked_stride1_2, 2, SK_BLOCK, 1)
SK_TILE_FUNCTION(blocked_stride2_2, 2, 2 * SK_BLOCK, 1)
SK_TILE_FUNCTION(planar_stride1_2, 2, 1, args->x_channel)
SK_TILE_FUNCTION(planar_stride2_2, 2, 2, args->x_channel)
#endif

/* What the strides of a call allow: pixels at a constant distance, or one at a time. */
struct strides {
  bool blocked, one, two;
};

static struct strides find_strides(const struct sk_conv_direct_args *args) {
  const bool blocked = args->x_channel == 1;
  const size_t stride1 = blocked ? SK_BLOCK : 1;
  return (struct strides){blocked, args->x_pixel == stride1, args->x_pixel == 2 * stride1};
}

/* For any other stride the caller computes a pixel at a time, to which the distance between pixels is nothing. */
static tile_fn *choose_tile(struct strides strides, size_t blocks) {
#if SK_TILE_BLOCKS > 1
  if (blocks > 1) {
    if (strides.one && strides.blocked) return blocked_stride1_2;
    if (strides.two) return strides.blocked ? blocked_stride2_2 : planar_stride2_2;
    return planar_stride1_2;
  }
#endif
  (void)blocks;
  if (strides.one && strides.blocked) return blocked_stride1_1;
  if (strides.two) return strides.blocked ? blocked_stride2_1 : planar_stride2_1;
  return planar_stride1_1;
}

/* Walk along one or two rows in tiles of nearly equal width: two tiles of 7 run faster than one of 13 and one of 1. */
static void walk(const struct sk_conv_direct_args *args, tile_fn *compute, size_t widest, size_t row, size_t rows) {
  const size_t bytes_per_channel = args->blocks * SK_BLOCK * sizeof(float);
  const size_t tiles = (args->pixels + widest - 1) / widest;
  const size_t narrow = args->pixels / tiles, wide_tiles = args->pixels % tiles;
  size_t first = 0;
  for (size_t t = 0; t < tiles; t++) {
    const size_t width = narrow + (t < wide_tiles);
    const struct corner at = {
        .x = args->x + row * args->x_line + first * args->x_pixel,
        .residual = args->residual ? args->residual + row * args->residual_line + first * SK_BLOCK : NULL,
        .y = args->y + row * args->y_line + first * SK_BLOCK,
        .ahead = (uintptr_t)(args->weights + args->weights_after) + t * args->weights_after * sizeof(float) / tiles,
        .ahead_step = bytes_per_channel / tiles,
    };
    compute(args, at, rows, width);
    first += width;
  }
}

/* Whether tiles of two rows hold more pixels than tiles of one. */
static bool two_rows_are_fuller(size_t pixels) {
  const size_t one = (pixels + SK_TILE_PIXELS - 1) / SK_TILE_PIXELS;
  const size_t two = (pixels + SK_TILE_PIXELS / 2 - 1) / (SK_TILE_PIXELS / 2);
  return 2 * one > two;
}

void SK_NAME(SK_CONV_DIRECT)(const struct sk_conv_direct_args *args) {
  const struct strides strides = find_strides(args);
  tile_fn *const compute = choose_tile(strides, args->blocks);
  const bool tiled = strides.one || strides.two;
  size_t row = 0;
  if (tiled && two_rows_are_fuller(args->pixels)) {
    for (; row + 2 <= args->rows; row += 2) walk(args, compute, SK_TILE_PIXELS / 2, row, 2);
  }
  for (; row < args->rows; row++) walk(args, compute, tiled ? SK_TILE_PIXELS : 1, row, 1);
}
