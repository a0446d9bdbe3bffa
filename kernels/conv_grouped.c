/* Grouped convolution whose groups are no multiple of 16 channels: each lane has an input channel of its own. */
#include "kernels/simd/simd.h"
#include "kernels/tiles.h"

/* As many pixels as keep the multiply-adds busy, a chain of some four cycles for each register of a pixel, and as leave
 * room for a weight and an input. */
enum { TILE_PIXELS = SK_VECTORS == 1 ? 8 : SK_VECTORS == 2 ? 6 : 4 };

/* How a register's lanes are read: as enum sk_grouped_lanes says, or, up to 8 of them, in groups of 4 or 8 channels,
 * whose number makes every input's place a constant. */
enum reading { CONTIGUOUS, GROUPS_OF_4, GROUPS_OF_8, PERMUTED, SCATTERED };

/* Read the inputs of vector `v` of one pixel's outputs, which begin at `from`. */
SK_INLINE vf read_lanes(const float *from, const int32_t *offset, size_t first, size_t v, const enum reading reading) {
  const size_t lane = v * SK_LANES;
  switch (reading) {
    case CONTIGUOUS: return vload(from + lane);
    case PERMUTED: return vpermute(from, first + lane, offset + lane);
    default: return vgather(from, offset + lane);
  }
}

/* Add the products of one channel of a tap, read as `offset` says, to the sums of `pixels` pixels. first: where the
 * lanes' block begins, if they are of one. */
SK_INLINE void accumulate_lanes(struct pixel *sum, const float *from, size_t x_pixel, const int32_t *offset,
                                size_t first, const float *weights, const enum reading reading, const size_t pixels) {
  SK_UNROLL for (size_t v = 0; v < SK_VECTORS; v++) {
    const vf weight = vload(weights + v * SK_LANES);
    SK_UNROLL for (size_t p = 0; p < pixels; p++) {
      vaccumulate(&sum[p].lane[v], read_lanes(from + p * x_pixel, offset, first, v, reading), weight);
    }
  }
}

/* Hide how an address came about: compilers would keep all pixels that several channels read, and run out of registers,
 * or regroup the sum and add for each pixel. */
SK_INLINE void hide(const float **x) { __asm__("" : "+r"(*x)); }

#if SK_LANES <= 8
/* Read channel `j` of the groups of vector `v` of one pixel's outputs. */
SK_INLINE vf read_group(const float *from, size_t v, const size_t j, const size_t group) {
  const size_t lane = v * SK_LANES;
  return group == 4 ? vspread4(from + lane / 4 * 4, j) : vset1(from[lane / group * group + j]);
}

/* Add the products of channel `j` of a tap's groups */
SK_INLINE void accumulate_group(struct pixel *sum, const float *from, size_t x_pixel, const float *weights,
                                const size_t j, const size_t group, const size_t pixels) {
  vf input[TILE_PIXELS];
  SK_UNROLL for (size_t v = 0; v < SK_VECTORS; v++) {
    const vf weight = vload(weights + v * SK_LANES);
    SK_UNROLL for (size_t p = 0; p < pixels; p++) {
      if (v * SK_LANES % group == 0 || SK_LANES > group) input[p] = read_group(from + p * x_pixel, v, j, group);
      vaccumulate(&sum[p].lane[v], input[p], weight);
    }
  }
}

/* Add all products of one tap of groups of 4 or 8. */
SK_INLINE void accumulate_groups(const struct sk_conv_grouped_args *args, struct pixel *sum, const float *tap,
                                 const float *weights, size_t x_pixel, const size_t group, const size_t pixels) {
  const size_t steps = SK_STEPS > 1 ? group : args->channels; /* the same; compilers unroll what is constant */
  const float *from = tap + *args->lane_offset;
  SK_FEW_STEPS for (size_t j = 0; j < steps; j++) {
    if (SK_LANES > group) hide(&from);
    accumulate_group(sum, from, x_pixel, weights + j * SK_BLOCK, j, group, pixels);
  }
}
#endif

/* Add all products of one tap. */
SK_INLINE void accumulate(const struct sk_conv_grouped_args *args, struct pixel *sum, const float *tap,
                          const float *weights, size_t x_pixel, const enum reading reading, const size_t pixels) {
#if SK_LANES <= 8
  if (reading == GROUPS_OF_4 || reading == GROUPS_OF_8) {
    accumulate_groups(args, sum, tap, weights, x_pixel, reading == GROUPS_OF_4 ? 4 : 8, pixels);
    return;
  }
#endif
  const int32_t *offset = args->lane_offset;
  const size_t first = (size_t)*offset;
  const int32_t *const end = offset + args->channels * SK_BLOCK;
  for (; offset != end; offset += SK_BLOCK, weights += SK_BLOCK) {
    const float *from = reading == CONTIGUOUS ? tap + *offset : tap;
    if (reading != SCATTERED) hide(&from);
    accumulate_lanes(sum, from, x_pixel, offset, first, weights, reading, pixels);
  }
}

/* Begin the chains of `pixels` pixels from pixel `at` on, and ask for the lines that they are written to. */
SK_INLINE void begin(const struct sk_conv_grouped_args *args, size_t at, struct pixel *sum, const size_t pixels) {
  SK_UNROLL for (size_t p = 0; p < pixels; p++) sum[p] = args->bias ? pixel_load(args->bias) : pixel_set1(0);
  SK_UNROLL for (size_t p = 0; p < pixels; p++) __builtin_prefetch(args->y + (at + p) * SK_BLOCK, 1);
}

/* End them: + residual, ReLU, clip. */
SK_INLINE void finish(const struct sk_conv_grouped_args *args, size_t at, struct pixel *sum, const size_t pixels) {
  SK_UNROLL for (size_t p = 0; p < pixels; p++) {
    const size_t to = (at + p) * SK_BLOCK;
    sum[p] = pixel_epilogue(sum[p], args->residual ? args->residual + to : NULL, args->relu);
    if (args->clip) {
      SK_UNROLL for (size_t v = 0; v < SK_VECTORS; v++) sum[p].lane[v] = vclip(sum[p].lane[v], args->bounds);
    }
    pixel_store(args->y + to, sum[p]);
  }
}

SK_INLINE void tile(const struct sk_conv_grouped_args *args, size_t at, const enum reading reading,
                    const size_t x_pixel, const size_t pixels) {
  const float *x = args->x + at * x_pixel;
  const float *w = args->weights;
  struct pixel sum[TILE_PIXELS];
  begin(args, at, sum, pixels);
  for (size_t r = 0; r < args->kernel_height; r++) {
    for (size_t s = 0; s < args->kernel_width; s++) {
      accumulate(args, sum, x + r * args->x_row + s * args->x_column, w, x_pixel, reading, pixels);
      w += args->channels * SK_BLOCK;
    }
  }
  finish(args, at, sum, pixels);
}

/* Compute `count` tiles side by side from pixel `at` on. */
SK_INLINE void tiles(const struct sk_conv_grouped_args *args, size_t at, size_t count, const enum reading reading,
                     const size_t x_pixel, const size_t pixels) {
  for (; count > 0; count--, at += pixels) tile(args, at, reading, x_pixel, pixels);
}

/* Compute tiles whose width is known only now: a copy of the loops for each width. */
SK_INLINE void tiles_of(const struct sk_conv_grouped_args *args, size_t at, size_t count, size_t width,
                        const enum reading reading, const size_t x_pixel) {
  switch (width) {
    case 1: tiles(args, at, count, reading, x_pixel, 1); break;
    case 2: tiles(args, at, count, reading, x_pixel, 2); break;
    case 3: tiles(args, at, count, reading, x_pixel, 3); break;
    case 4: tiles(args, at, count, reading, x_pixel, 4); break;
#if SK_VECTORS <= 2
    case 5: tiles(args, at, count, reading, x_pixel, 5); break;
    case 6: tiles(args, at, count, reading, x_pixel, 6); break;
#endif
#if SK_VECTORS == 1
    case 7: tiles(args, at, count, reading, x_pixel, 7); break;
    case 8: tiles(args, at, count, reading, x_pixel, 8); break;
#endif
    default: break;
  }
}

/* One function for each way to read; at stride 1, where there is most to compute, the distance between pixels is a
 * constant, so that they are displacements. */
typedef void tiles_fn(const struct sk_conv_grouped_args *args, size_t at, size_t count, size_t width);

#define SK_TILES_FUNCTION(name, reading, x_pixel)                                                              \
  static __attribute__((noinline)) void name(const struct sk_conv_grouped_args *args, size_t at, size_t count, \
                                             size_t width) {                                                   \
    tiles_of(args, at, count, width, reading, x_pixel);                                                        \
  }

SK_TILES_FUNCTION(contiguous_stride1, CONTIGUOUS, SK_BLOCK)
SK_TILES_FUNCTION(contiguous, CONTIGUOUS, args->x_pixel)
#if SK_LANES <= 8
SK_TILES_FUNCTION(groups_of_4_stride1, GROUPS_OF_4, SK_BLOCK)
SK_TILES_FUNCTION(groups_of_4, GROUPS_OF_4, args->x_pixel)
SK_TILES_FUNCTION(groups_of_8_stride1, GROUPS_OF_8, SK_BLOCK)
SK_TILES_FUNCTION(groups_of_8, GROUPS_OF_8, args->x_pixel)
#endif
SK_TILES_FUNCTION(permuted, PERMUTED, args->x_pixel)
SK_TILES_FUNCTION(scattered, SCATTERED, args->x_pixel)

static tiles_fn *choose_tiles(const struct sk_conv_grouped_args *args) {
  const bool stride1 = args->x_pixel == SK_BLOCK;
  if (args->lanes == SK_LANES_CONTIGUOUS) return stride1 ? contiguous_stride1 : contiguous;
  if (args->lanes == SK_LANES_SCATTERED) return scattered;
#if SK_LANES <= 8
  if (args->channels == 4) return stride1 ? groups_of_4_stride1 : groups_of_4;
  if (args->channels == 8) return stride1 ? groups_of_8_stride1 : groups_of_8;
#endif
  return permuted;
}

/* Walk from pixel `at` on along `units` times `unit` pixels, in tiles of `widest` of those units at most. */
static void walk(const struct sk_conv_grouped_args *args, tiles_fn *compute, size_t at, size_t units, size_t widest,
                 size_t unit) {
  if (units == 0) return;
  const struct tiling tiling = divide_run(units, widest);
  if (tiling.wide > 0) compute(args, at, tiling.wide, tiling.narrow + 1);
  compute(args, at + tiling.wide * (tiling.narrow + 1) * unit, tiling.tiles - tiling.wide, tiling.narrow);
}

#if SK_LANES == 16
/*
 * Groups by a kernel of three columns. A permutation takes as long as a multiply-add, so an input is permuted once for
 * all columns that multiply it; its products go to three neighbours, or two at stride 2, whose chains would wait for
 * each other. So several runs of pixels go abreast.
 */
enum { COLUMNS = 3, MOST_RUNS = 4, MOST_SUMS = 16 };

SK_INLINE size_t runs_abreast(const size_t stride) { return 2 * stride; }

/* Longer ones would save few permutations, and gcc would keep sums on the stack. */
SK_INLINE size_t longest_run(const size_t stride) { return stride == 1 ? 7 : 4; }

/* Add the products of input `i` of each run of `pixels` pixels, the first of which begins at `from`, with one row of
 * the kernel. */
SK_INLINE void accumulate_input(const struct sk_conv_grouped_args *args, struct pixel *sum, const float *from,
                                const float *weights, const size_t i, const size_t stride, const size_t pixels) {
  const size_t runs = runs_abreast(stride), step = pixels * stride * SK_BLOCK, column = args->channels * SK_BLOCK;
  const size_t first = (size_t)*args->lane_offset;
  const int32_t *offset = args->lane_offset;
  SK_CHAIN_LOOP for (const float *const end = weights + column; weights != end; weights += SK_BLOCK) {
    vf input[MOST_RUNS];
    SK_UNROLL for (size_t k = 0; k < runs; k++) input[k] = vpermute(from + k * step, first, offset);
    SK_UNROLL for (size_t s = 0; s < COLUMNS; s++) {
      const size_t p = (i - s) / stride;
      if (i < s || (i - s) % stride != 0 || p >= pixels) continue;
      vf weight = vload(weights + s * column);
      vkeep(&weight);
      SK_UNROLL for (size_t k = 0; k < runs; k++) vaccumulate(&sum[k * pixels + p].lane[0], input[k], weight);
    }
    offset += SK_BLOCK;
  }
}

/* Compute one tile: runs of `pixels` pixels side by side. */
SK_INLINE void tile_of_runs(const struct sk_conv_grouped_args *args, size_t at, const size_t stride,
                            const size_t pixels) {
  const float *row = args->x + at * stride * SK_BLOCK, *weights = args->weights;
  struct pixel sum[MOST_SUMS];
  begin(args, at, sum, runs_abreast(stride) * pixels);
  for (size_t r = 0; r < args->kernel_height; r++) {
    SK_UNROLL for (size_t i = 0; i < (pixels - 1) * stride + COLUMNS; i++) {
      accumulate_input(args, sum, row + i * SK_BLOCK, weights, i, stride, pixels);
    }
    row += args->x_row;
    weights += COLUMNS * args->channels * SK_BLOCK;
  }
  finish(args, at, sum, runs_abreast(stride) * pixels);
}

/* Compute a tile whose runs are of a length that is known only now. */
SK_INLINE void tile_of_some_runs(const struct sk_conv_grouped_args *args, size_t at, size_t pixels,
                                 const size_t stride) {
  switch (pixels) {
    case 1: tile_of_runs(args, at, stride, 1); return;
    case 2: tile_of_runs(args, at, stride, 2); return;
    case 3: tile_of_runs(args, at, stride, 3); return;
    case 4: tile_of_runs(args, at, stride, 4); return;
    default: break;
  }
  if (pixels > longest_run(stride)) return; /* never, which spares the copies */
  switch (pixels) {
    case 5: tile_of_runs(args, at, stride, 5); return;
    case 6: tile_of_runs(args, at, stride, 6); return;
    case 7: tile_of_runs(args, at, stride, 7); return;
    default: break;
  }
}

#define SK_RUNS_FUNCTION(name, stride)                                                                           \
  static __attribute__((noinline)) void name(const struct sk_conv_grouped_args *args, size_t at, size_t count,   \
                                             size_t pixels) {                                                    \
    for (; count > 0; count--, at += runs_abreast(stride) * pixels) tile_of_some_runs(args, at, pixels, stride); \
  }

SK_RUNS_FUNCTION(runs_stride1, 1)
SK_RUNS_FUNCTION(runs_stride2, 2)

/* Walk along as much of the row as runs can, and return how many pixels that are. */
static size_t walk_runs(const struct sk_conv_grouped_args *args) {
  const size_t stride = args->x_pixel / SK_BLOCK, abreast = runs_abreast(stride);
  if (args->lanes != SK_LANES_PERMUTED || args->kernel_width != COLUMNS || args->x_column != SK_BLOCK || stride > 2) {
    return 0;
  }
  walk(args, stride == 1 ? runs_stride1 : runs_stride2, 0, args->pixels / abreast, longest_run(stride), abreast);
  return args->pixels / abreast * abreast;
}
#endif

void SK_NAME(conv_grouped_f32)(const struct sk_conv_grouped_args *args) {
  size_t done = 0;
#if SK_LANES == 16
  done = walk_runs(args);
#endif
  walk(args, choose_tiles(args), done, args->pixels - done, TILE_PIXELS, 1);
}
