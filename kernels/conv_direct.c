/*
 * Direct convolution: a register tile of pixels x output channels, one chain of fused multiply-adds per output.
 *
 * A tile takes its pixels from one row, or from two rows where a row is short: the more pixels share a load of weights,
 * and the more chains are in flight, the nearer to the peak.
 */
#include <math.h>

#include "kernels/simd/simd.h"
#include "kernels/tiles.h"

enum { MAX_VECTORS = SK_TILE_BLOCKS * SK_VECTORS, CACHE_LINE = 64, AHEAD_LINES = 4 };

/* Where one tile begins. */
struct corner {
  const float *x, *resume, *residual;
  float *y;
  uintptr_t ahead; /* weights to ask for meanwhile */
};

/* How the tiles of a patch share the work of asking for the next weights. */
struct ahead {
  size_t tile, tap; /* bytes of a tile, and of one tap of one channel block */
  size_t rounds;    /* of AHEAD_LINES cache lines and block of outputs, a tap: one if there are enough tiles */
};

/* What all chains of a call have in common: how the taps of whole channel blocks follow each other, loops over columns,
 * rows and blocks, the innermost first. Where a kernel has one tap, the innermost goes from block to block. */
struct chain {
  size_t columns, rows, blocks;
  size_t x_column;       /* floats from one of the innermost loop to the next */
  size_t rest, to_rest;  /* channels of a last block that is not whole, and floats from the first block to it */
  size_t pixel, to_next; /* bytes from pixel to pixel, and from inputs to those that are asked for meanwhile */
  size_t far, far_step;  /* bytes from these to lines of a later call, and what a tap adds to that; or 0 */
  const float *bias;
};

static const float zeros[SK_TILE_BLOCKS * 16];

/* Bring a line of what comes later into the L2 cache. */
SK_INLINE void prefetch_line(uintptr_t at) {
  __builtin_prefetch((const void *)at, 0, 2); /* NOLINT(performance-no-int-to-ptr) */
}

/* Bring some of the next weights into the L2 cache: the taps of all tiles of a patch share the work, so that memory is
 * read all the time and not only while the first tile runs. Where there are many tiles the lines overlap. */
SK_INLINE void prefetch_weights(uintptr_t from, size_t rounds, const size_t blocks) {
  for (; rounds > 0; rounds--, from += AHEAD_LINES * blocks * CACHE_LINE) {
    SK_UNROLL for (size_t line = 0; line < AHEAD_LINES * blocks; line++) prefetch_line(from + line * CACHE_LINE);
  }
}

/* The same address, in a register from here on, to be read or written: gcc would form all addresses of a tile's outputs
 * before the loops and keep them on the stack, and between two tiles there is time for a hundred instructions or so. */
SK_INLINE float *settle(const float *address) {
  float *settled;
  __asm__ volatile("" : "=r"(settled) : "0"(address));
  return settled;
}

/* Where the rows of a tile begin in an array of outputs, by block and row. */
struct tile_rows {
  float *row[SK_TILE_BLOCKS][2];
};

SK_INLINE struct tile_rows find_rows(const float *first, size_t block, size_t line, const size_t rows,
                                     const size_t blocks) {
  struct tile_rows found; /* rows that the tile has not stay unset: clang 14 would write them to the stack */
  found.row[0][0] = settle(first);
  SK_UNROLL for (size_t i = 1; i < rows * blocks; i++) {
    found.row[i % blocks][i / blocks] = settle(first + i % blocks * block + i / blocks * line);
  }
  return found;
}

/* Where the lanes of a tile's register i are: pixels are 16 floats apart, which become displacements. */
SK_INLINE float *lanes(struct tile_rows rows, size_t i, const size_t width, const size_t blocks) {
  const size_t pixel = i / SK_VECTORS / blocks;
  return rows.row[i / SK_VECTORS % blocks][pixel / width] + pixel % width * SK_BLOCK + i % SK_VECTORS * SK_LANES;
}

/* Begin the chains with the bias, or go on with those in memory, unless these are added at a fork. */
SK_INLINE void load_sums(const struct sk_conv_direct_args *args, const struct chain *chain, struct corner at, vf *sum,
                         const size_t rows, const size_t width, const size_t blocks) {
  if (at.resume && !args->fork) {
    const struct tile_rows from = find_rows(at.resume, args->resume_block, args->resume_line, rows, blocks);
    SK_UNROLL for (size_t i = 0; i < rows * width * blocks * SK_VECTORS; i++) {
      sum[i] = vload(lanes(from, i, width, blocks));
    }
    return;
  }
  const size_t vectors = blocks * SK_VECTORS;
  SK_UNROLL for (size_t i = 0; i < rows * width * vectors; i++) sum[i] = vload(chain->bias + i % vectors * SK_LANES);
}

/* Store a tile's sums, + residual, no less than `low`, within the bounds. Each is written as soon as it is there: the
 * processor goes on to the next tile's multiplications while this one's last are done, as far as its window holds all
 * that is between. */
SK_INLINE void store_sums(const struct sk_conv_direct_args *args, struct corner at, vf low, const vf *sum,
                          const size_t rows, const size_t width, const size_t blocks, const bool add_residual,
                          const bool clip) {
  const struct tile_rows to = find_rows(at.y, args->y_block, args->y_line, rows, blocks);
  const struct tile_rows residual =
      add_residual ? find_rows(at.residual, args->residual_block, args->residual_line, rows, blocks)
                   : (struct tile_rows){{{NULL}}};
  SK_UNROLL for (size_t i = 0; i < rows * width * blocks * SK_VECTORS; i++) {
    vf value = sum[i];
    if (add_residual) value = vadd(value, vload(lanes(residual, i, width, blocks)));
    value = vraise(low, value);
    if (clip) value = vclip(value, args->bounds);
    vstore(lanes(to, i, width, blocks), value);
  }
}

/* Add a tile's sums to those that they fork to, and what is to be added to them before they end. */
SK_INLINE void fork_sums(const struct sk_conv_direct_args *args, struct corner at, vf *sum, const size_t rows,
                         const size_t width, const size_t blocks) {
  const struct tile_rows resume = find_rows(at.resume, args->resume_block, args->resume_line, rows, blocks);
  const struct tile_rows fork =
      find_rows(args->fork + (at.resume - args->resume), args->resume_block, args->resume_line, rows, blocks);
  SK_UNROLL for (size_t i = 0; i < rows * width * blocks * SK_VECTORS; i++) {
    float *const to = lanes(fork, i, width, blocks);
    vstore(to, vadd(vload(to), sum[i]));
    sum[i] = vadd(vload(lanes(resume, i, width, blocks)), sum[i]);
  }
}

/* End the chains: + residual, ReLU, clip. */
SK_INLINE void store_tile(const struct sk_conv_direct_args *args, struct corner at, const vf *sum, const size_t rows,
                          const size_t width, const size_t blocks) {
  const vf low = args->relu ? vzero() : vset1(-INFINITY);
  if (args->clip) {
    store_sums(args, at, low, sum, rows, width, blocks, at.residual != NULL, true);
  } else if (at.residual) {
    store_sums(args, at, low, sum, rows, width, blocks, true, false);
  } else {
    store_sums(args, at, low, sum, rows, width, blocks, false, false);
  }
}

/* Ask for the residual of a tile, before it is added. */
SK_INLINE void prefetch_residual(const struct sk_conv_direct_args *args, struct corner at, const size_t rows,
                                 const size_t width, const size_t blocks) {
  if (!at.residual) return;
  const struct tile_rows from = find_rows(at.residual, args->residual_block, args->residual_line, rows, blocks);
  SK_UNROLL for (size_t i = 0; i < rows * width * blocks; i++) {
    prefetch(lanes(from, i * SK_VECTORS, width, blocks), 0);
  }
}

/* Ask for the lines of a tile's outputs, before they are written: those of a batch lie beyond L2. Chains that go on
 * where they are have just read them. */
SK_INLINE void prefetch_outputs(const struct sk_conv_direct_args *args, struct corner at, const size_t rows,
                                const size_t width, const size_t blocks) {
  if (at.resume == at.y) return;
  const struct tile_rows to = find_rows(at.y, args->y_block, args->y_line, rows, blocks);
  SK_UNROLL for (size_t i = 0; i < rows * width * blocks; i++) {
    prefetch_for_writing(lanes(to, i * SK_VECTORS, width, blocks), 0);
  }
}

/* Ask for what the chains' ends need. */
SK_INLINE void prefetch_ends(const struct sk_conv_direct_args *args, struct corner at, const size_t rows,
                             const size_t width, const size_t blocks) {
  prefetch_residual(args, at, rows, width, blocks);
  prefetch_outputs(args, at, rows, width, blocks);
}

/* Go one link further along the chains of a tile: one channel at one tap. x: of the first pixel of each row. */
SK_INLINE void multiply_add(const float *const x[2], const float *w, vf *sum, const size_t rows, const size_t width,
                            const size_t blocks, const size_t x_pixel) {
  const size_t vectors = blocks * SK_VECTORS;
  if (rows * width * vectors == 1) { /* clang 14 would keep the array of one on the stack */
    vaccumulate(&sum[0], vset1(x[0][0]), vload(w));
    return;
  }
  vf weight[MAX_VECTORS];
  SK_UNROLL for (size_t v = 0; v < vectors; v++) weight[v] = vload(w + v * SK_LANES);
  SK_UNROLL for (size_t i = 0; i < rows * width * vectors; i++) {
    const size_t p = i / vectors;
    const float *const pixel = x[p / width] + p % width * x_pixel;
    if (2 * p < rows * width) { /* two loads, where a multiply-add reads it: half of them leave a port for the rest */
      vaccumulate_at(&sum[i], pixel, weight[i % vectors]);
    } else {
      vaccumulate(&sum[i], vset1(*pixel), weight[i % vectors]);
    }
  }
}

/* Whether a tile has about a pixel for each channel of a block, whose inputs can be asked for one at a channel. */
SK_INLINE bool asks_by_channel(const size_t rows, const size_t width) {
  return SK_AHEAD_BY_CHANNEL && rows == 1 && 2 * width >= SK_BLOCK;
}

/* What to ask for while a tap is multiplied: weights, and the inputs of the tile's pixels, which are `pixel` bytes
 * apart. That is no constant, lest gcc form one of the loop's addresses from the other, with its end on the stack.
 * `far` bytes from them lie those of a later call. */
struct next {
  uintptr_t weights, x;
  size_t pixel, far;
};

/* Go on by one tap of a whole channel block. */
SK_INLINE void accumulate_block(const float *const x[2], const float *w, struct next next, struct ahead ahead, vf *sum,
                                const size_t rows, const size_t width, const size_t blocks, const size_t x_pixel) {
  const size_t step = blocks * SK_BLOCK;
  const float *tap[2] = {x[0], x[1]};
  SK_CHAIN_LOOP for (const float *const end = w + SK_BLOCK * step; w != end; w += SK_STEPS * step) {
    if (SK_AHEAD_BY_CHANNEL) {
      SK_UNROLL for (size_t b = 0; b < blocks; b++, next.weights += ahead.tap / step) prefetch_line(next.weights);
    }
    if (asks_by_channel(rows, width)) {
      __builtin_prefetch((const void *)next.x); /* NOLINT(performance-no-int-to-ptr) */
      prefetch_line(next.x + next.far);
      next.x += next.pixel;
    }
    SK_UNROLL for (size_t c = 0; c < SK_STEPS; c++) {
      const float *const channel[2] = {tap[0] + c, tap[1] + c};
      multiply_add(channel, w + c * step, sum, rows, width, blocks, x_pixel);
    }
    tap[0] += SK_STEPS;
    tap[1] += SK_STEPS;
  }
}

/* Go along the taps of the last channel block, which is not whole. */
SK_INLINE void accumulate_rest(const struct sk_conv_direct_args *args, const struct chain *chain, const float *first,
                               const float *w, vf *sum, const size_t rows, const size_t width, const size_t blocks,
                               const size_t x_pixel) {
  const size_t step = blocks * SK_BLOCK;
  for (size_t r = 0; r < args->kernel_height; r++) {
    for (size_t s = 0; s < args->kernel_width; s++) {
      const float *const x = first + r * args->x_row + s * args->x_column;
      const float *tap[2] = {x, x + args->x_line};
      for (const float *const end = w + chain->rest * step; w != end; w += step) {
        multiply_add(tap, w, sum, rows, width, blocks, x_pixel);
        tap[0]++;
        tap[1]++;
      }
    }
  }
}

/* Go along whole chains, from blocks of 16 channels. */
SK_INLINE void accumulate(const struct sk_conv_direct_args *args, const struct chain *chain, struct ahead ahead,
                          struct corner at, vf *sum, const size_t rows, const size_t width, const size_t blocks,
                          const size_t x_pixel) {
  const float *w = args->weights, *block = at.x, *row = at.x, *column = at.x;
  size_t left = chain->blocks, r = chain->rows, s = chain->columns, far = chain->far;
  while (left > 0) { /* one tap of one channel block: flat, for a nest of loops takes longer between two taps */
    const float *const tap[2] = {column, column + args->x_line};
    const struct next next = {at.ahead, (uintptr_t)column + chain->to_next, chain->pixel, far};
    if (!SK_AHEAD_BY_CHANNEL) prefetch_weights(next.weights, ahead.rounds, blocks);
    at.ahead += ahead.tap;
    far += chain->far_step;
    if (!asks_by_channel(rows, width)) {
      SK_UNROLL for (size_t p = 0; p < rows * width; p++) prefetch(tap[p / width] + p % width * x_pixel, args->x_ahead);
    }
    accumulate_block(tap, w, next, ahead, sum, rows, width, blocks, x_pixel);
    /* After the first tap: between two tiles there is enough to do. */
    if (SK_AHEAD_BY_CHANNEL && w == args->weights) prefetch_ends(args, at, rows, width, blocks);
    w += SK_BLOCK * blocks * SK_BLOCK;
    column += chain->x_column;
    if (--s > 0) continue;
    s = chain->columns;
    column = row += args->x_row;
    if (--r > 0) continue;
    r = chain->rows;
    column = row = block += args->x_block;
    left--;
  }
  if (chain->rest > 0) {
    accumulate_rest(args, chain, at.x + chain->to_rest, w, sum, rows, width, blocks, x_pixel);
  }
}

/* The same from planes, of which there are few: the columns and channels of a kernel's row are one loop. */
SK_INLINE void accumulate_planes(const struct sk_conv_direct_args *args, struct corner at, vf *sum, const size_t rows,
                                 const size_t width, const size_t blocks, const size_t x_pixel) {
  const float *w = args->weights, *block = at.x;
  const size_t step = blocks * SK_BLOCK;
  for (size_t left = args->channels, channels; left > 0; left -= channels, block += args->x_block) {
    channels = left < SK_BLOCK ? left : SK_BLOCK;
    const ptrdiff_t to_next_column = (ptrdiff_t)args->x_column - (ptrdiff_t)((channels - 1) * args->x_channel);
    for (size_t r = 0; r < args->kernel_height; r++) {
      const float *tap[2] = {block + r * args->x_row, block + r * args->x_row + args->x_line};
      size_t c = channels;
      for (const float *const end = w + args->kernel_width * channels * step; w != end; w += step) {
        multiply_add(tap, w, sum, rows, width, blocks, x_pixel);
        const ptrdiff_t ahead = --c > 0 ? (ptrdiff_t)args->x_channel : to_next_column;
        c = c > 0 ? c : channels;
        tap[0] += ahead;
        tap[1] += ahead;
      }
    }
  }
}

/* The same from the three planes of an image, one column of which is one body of the loop. */
SK_INLINE void accumulate_three_planes(const struct sk_conv_direct_args *args, struct corner at, vf *sum,
                                       const size_t rows, const size_t width, const size_t blocks,
                                       const size_t x_pixel) {
  const size_t step = blocks * SK_BLOCK, plane = args->x_channel;
  const float *w = args->weights, *row = at.x;
  for (size_t r = args->kernel_height; r > 0; r--, row += args->x_row) {
    const float *tap[2] = {row, row + args->x_line};
    SK_CHAIN_LOOP for (const float *const end = w + args->kernel_width * 3 * step; w != end; w += 3 * step) {
      SK_UNROLL for (size_t c = 0; c < 3; c++) {
        const float *const channel[2] = {tap[0] + c * plane, tap[1] + c * plane};
        multiply_add(channel, w + c * step, sum, rows, width, blocks, x_pixel);
      }
      tap[0] += args->x_column;
      tap[1] += args->x_column;
    }
  }
}

/* What a tile reads. */
enum input { BLOCKED, PLANAR };

/*
 * Compute rows x width pixels x blocks outputs. The numbers after `at` are constants, so that accumulators become
 * registers and pixels become displacements. Loops over the tile are flat: clang unrolls nested ones too late.
 */
SK_INLINE void tile(const struct sk_conv_direct_args *args, const struct chain *chain, struct ahead ahead,
                    struct corner at, const size_t rows, const size_t width, const size_t blocks, const size_t x_pixel,
                    const enum input input) {
  vf sum[SK_TILE_PIXELS * MAX_VECTORS];
  load_sums(args, chain, at, sum, rows, width, blocks);
  if (input == PLANAR || !SK_AHEAD_BY_CHANNEL) prefetch_ends(args, at, rows, width, blocks);
  if (input == PLANAR && SK_STEPS > 1 && args->channels == 3) {
    accumulate_three_planes(args, at, sum, rows, width, blocks, x_pixel);
  } else if (input == PLANAR) {
    accumulate_planes(args, at, sum, rows, width, blocks, x_pixel);
  } else {
    accumulate(args, chain, ahead, at, sum, rows, width, blocks, x_pixel);
  }
  if (input == BLOCKED && x_pixel == SK_BLOCK && args->fork) fork_sums(args, at, sum, rows, width, blocks);
  store_tile(args, at, sum, rows, width, blocks);
}

/* Compute `count` tiles side by side. */
SK_INLINE void tiles(const struct sk_conv_direct_args *args, const struct chain *chain, struct ahead ahead,
                     struct corner at, size_t count, const size_t rows, const size_t width, const size_t blocks,
                     const size_t x_pixel, const enum input input) {
  for (; count > 0; count--) {
    tile(args, chain, ahead, at, rows, width, blocks, x_pixel, input);
    at.x += width * (width > 1 ? x_pixel : args->x_pixel); /* a constant, unless pixels are any distance apart */
    if (at.resume) at.resume += width * SK_BLOCK;
    if (at.residual) at.residual += width * SK_BLOCK;
    at.y += width * SK_BLOCK;
    at.ahead += ahead.tile;
  }
}

/* Compute tiles of one row whose width is known only now: a copy of the loops for each width. */
SK_INLINE void tiles_of_one_row(const struct sk_conv_direct_args *args, const struct chain *chain, struct ahead ahead,
                                struct corner at, size_t count, size_t width, const size_t blocks, const size_t x_pixel,
                                const enum input input) {
  switch (width) {
    case 1: tiles(args, chain, ahead, at, count, 1, 1, blocks, x_pixel, input); break;
    case 2: tiles(args, chain, ahead, at, count, 1, 2, blocks, x_pixel, input); break;
#if SK_TILE_PIXELS >= 6
    case 3: tiles(args, chain, ahead, at, count, 1, 3, blocks, x_pixel, input); break;
    case 4: tiles(args, chain, ahead, at, count, 1, 4, blocks, x_pixel, input); break;
    case 5: tiles(args, chain, ahead, at, count, 1, 5, blocks, x_pixel, input); break;
    case 6: tiles(args, chain, ahead, at, count, 1, 6, blocks, x_pixel, input); break;
#endif
#if SK_TILE_PIXELS >= 14
    case 7: tiles(args, chain, ahead, at, count, 1, 7, blocks, x_pixel, input); break;
    case 8: tiles(args, chain, ahead, at, count, 1, 8, blocks, x_pixel, input); break;
    case 9: tiles(args, chain, ahead, at, count, 1, 9, blocks, x_pixel, input); break;
    case 10: tiles(args, chain, ahead, at, count, 1, 10, blocks, x_pixel, input); break;
    case 11: tiles(args, chain, ahead, at, count, 1, 11, blocks, x_pixel, input); break;
    case 12: tiles(args, chain, ahead, at, count, 1, 12, blocks, x_pixel, input); break;
    case 13: tiles(args, chain, ahead, at, count, 1, 13, blocks, x_pixel, input); break;
    case 14: tiles(args, chain, ahead, at, count, 1, 14, blocks, x_pixel, input); break;
#endif
    default: break;
  }
}

/* Likewise of two rows, which are half as wide at most. */
SK_INLINE void tiles_of_two_rows(const struct sk_conv_direct_args *args, const struct chain *chain, struct ahead ahead,
                                 struct corner at, size_t count, size_t width, const size_t blocks,
                                 const size_t x_pixel, const enum input input) {
  switch (width) {
    case 1: tiles(args, chain, ahead, at, count, 2, 1, blocks, x_pixel, input); break;
#if SK_TILE_PIXELS >= 6
    case 2: tiles(args, chain, ahead, at, count, 2, 2, blocks, x_pixel, input); break;
    case 3: tiles(args, chain, ahead, at, count, 2, 3, blocks, x_pixel, input); break;
#endif
#if SK_TILE_PIXELS >= 14
    case 4: tiles(args, chain, ahead, at, count, 2, 4, blocks, x_pixel, input); break;
    case 5: tiles(args, chain, ahead, at, count, 2, 5, blocks, x_pixel, input); break;
    case 6: tiles(args, chain, ahead, at, count, 2, 6, blocks, x_pixel, input); break;
    case 7: tiles(args, chain, ahead, at, count, 2, 7, blocks, x_pixel, input); break;
#endif
    default: break;
  }
}

/*
 * One function for each case in which displacements are constants, compiled apart so that the loops around a tile do
 * not compete with it for registers: pixels one or two blocks apart (stride 1 and 2), or one or two floats (planar
 * input).
 */
typedef void tiles_fn(const struct sk_conv_direct_args *args, const struct chain *chain, struct ahead ahead,
                      struct corner at, size_t count, size_t rows, size_t width);

#define SK_TILES_FUNCTION(name, blocks, x_pixel, input)                                                         \
  static __attribute__((noinline)) void name(const struct sk_conv_direct_args *args, const struct chain *chain, \
                                             struct ahead ahead, struct corner at, size_t count, size_t rows,   \
                                             size_t width) {                                                    \
    if (rows == 1) {                                                                                            \
      tiles_of_one_row(args, chain, ahead, at, count, width, blocks, x_pixel, input);                           \
    } else {                                                                                                    \
      tiles_of_two_rows(args, chain, ahead, at, count, width, blocks, x_pixel, input);                          \
    }                                                                                                           \
  }

SK_TILES_FUNCTION(blocked_stride1_1, 1, SK_BLOCK, BLOCKED)
SK_TILES_FUNCTION(blocked_stride2_1, 1, 2 * SK_BLOCK, BLOCKED)
SK_TILES_FUNCTION(planar_stride1_1, 1, 1, PLANAR)
SK_TILES_FUNCTION(planar_stride2_1, 1, 2, PLANAR)
#if SK_TILE_BLOCKS > 1
SK_TILES_FUNCTION(blocked_stride1_2, 2, SK_BLOCK, BLOCKED)
SK_TILES_FUNCTION(blocked_stride2_2, 2, 2 * SK_BLOCK, BLOCKED)
SK_TILES_FUNCTION(planar_stride1_2, 2, 1, PLANAR)
SK_TILES_FUNCTION(planar_stride2_2, 2, 2, PLANAR)
#endif

/* By input, stride less one, and blocks less one. */
static tiles_fn *const tiles_functions[][2][SK_TILE_BLOCKS] = {
#if SK_TILE_BLOCKS > 1
    [BLOCKED] = {{blocked_stride1_1, blocked_stride1_2}, {blocked_stride2_1, blocked_stride2_2}},
    [PLANAR] = {{planar_stride1_1, planar_stride1_2}, {planar_stride2_1, planar_stride2_2}},
#else
    [BLOCKED] = {{blocked_stride1_1}, {blocked_stride2_1}},
    [PLANAR] = {{planar_stride1_1}, {planar_stride2_1}},
#endif
};

/* Choose the functions for a call. Pixels that are neither one nor two apart are computed one at a time, to which the
 * distance between pixels is nothing. */
static tiles_fn *choose_tiles(const struct sk_conv_direct_args *args, bool *tiled) {
  const enum input input = args->x_channel == 1 ? BLOCKED : PLANAR;
  const size_t pixel = input == BLOCKED ? SK_BLOCK : 1;
  const bool two = args->x_pixel == 2 * pixel;
  *tiled = two || args->x_pixel == pixel;
  return tiles_functions[input][two][args->blocks - 1];
}

/* Move on by some pixels and tiles. */
static void advance(const struct sk_conv_direct_args *args, struct ahead ahead, struct corner *at, size_t pixels,
                    size_t tiles) {
  at->x += pixels * args->x_pixel;
  if (at->resume) at->resume += pixels * SK_BLOCK;
  if (at->residual) at->residual += pixels * SK_BLOCK;
  at->y += pixels * SK_BLOCK;
  at->ahead += tiles * ahead.tile;
}

/* Walk along one or two rows: the wider tiles, then those of a pixel less. */
static void walk(const struct sk_conv_direct_args *args, const struct chain *chain, struct ahead ahead,
                 struct corner at, tiles_fn *compute, size_t widest, size_t rows) {
  const struct tiling tiling = divide_run(args->pixels, widest);
  const size_t width = tiling.narrow + 1;
  if (tiling.wide > 0) compute(args, chain, ahead, at, tiling.wide, rows, width);
  advance(args, ahead, &at, tiling.wide * width, tiling.wide);
  compute(args, chain, ahead, at, tiling.tiles - tiling.wide, rows, tiling.narrow);
}

/* Whether tiles of two rows hold more pixels than tiles of one. */
static bool two_rows_are_fuller(size_t pixels) {
  return 2 * tile_count(pixels, SK_TILE_PIXELS) > tile_count(pixels, SK_TILE_PIXELS / 2);
}

/* How a patch is divided into tiles: pairs of rows first, then single ones. */
struct division {
  size_t pairs, singles;           /* rows */
  size_t widest;                   /* tile of a single row */
  size_t pair_tiles, single_tiles; /* of a pair, of a single row */
};

static struct division divide(const struct sk_conv_direct_args *args, bool tiled) {
  struct division d = {.widest = tiled ? SK_TILE_PIXELS : 1};
  if (tiled && two_rows_are_fuller(args->pixels)) d.pairs = args->rows / 2;
  d.singles = args->rows - 2 * d.pairs;
  d.pair_tiles = tile_count(args->pixels, SK_TILE_PIXELS / 2);
  d.single_tiles = tile_count(args->pixels, d.widest);
  return d;
}

/* As many weights as these are asked for. */
static struct ahead share_ahead(const struct sk_conv_direct_args *args, size_t tiles) {
  const size_t channel_bytes = args->blocks * SK_BLOCK * sizeof(float);
  const size_t blocks = (args->channels + SK_BLOCK - 1) / SK_BLOCK;
  const size_t tap = SK_BLOCK * channel_bytes / tiles;
  const size_t rounds = tiles >= SK_BLOCK / AHEAD_LINES ? 1 : tiles > 1 ? 2 : 4;
  return (struct ahead){blocks * args->kernel_height * args->kernel_width * tap, tap, rounds};
}

static struct chain order_taps(const struct sk_conv_direct_args *args) {
  const bool one = args->kernel_height * args->kernel_width == 1;
  const size_t blocks = args->channels / SK_BLOCK;
  const uintptr_t next = (uintptr_t)args->x + args->x_ahead * sizeof *args->x;
  return (struct chain){.columns = one ? blocks : args->kernel_width,
                        .rows = args->kernel_height,
                        .blocks = one ? blocks > 0 : blocks,
                        .x_column = one ? args->x_block : args->x_column,
                        .rest = args->channels % SK_BLOCK,
                        .to_rest = blocks * args->x_block,
                        .pixel = args->x_pixel * sizeof *args->x,
                        .to_next = args->x_ahead * sizeof *args->x,
                        .far = args->far ? (uintptr_t)args->far - next : 0,
                        .far_step = args->far ? (args->far_block - args->x_block) * sizeof *args->x : 0,
                        .bias = args->bias ? args->bias : zeros};
}

/* The corner of the tiles of a row. */
static struct corner row_corner(const struct sk_conv_direct_args *args, size_t row, uintptr_t ahead) {
  return (struct corner){.x = args->x + row * args->x_line,
                         .resume = args->resume ? args->resume + row * args->resume_line : NULL,
                         .residual = args->residual ? args->residual + row * args->residual_line : NULL,
                         .y = args->y + row * args->y_line,
                         .ahead = ahead};
}

void SK_NAME(SK_CONV_DIRECT)(const struct sk_conv_direct_args *args) {
  bool tiled;
  tiles_fn *const compute = choose_tiles(args, &tiled);
  const struct division d = divide(args, tiled);
  const struct chain chain = order_taps(args);
  const struct ahead ahead = share_ahead(args, d.pairs * d.pair_tiles + d.singles * d.single_tiles);
  const size_t weights = args->channels * args->kernel_height * args->kernel_width * args->blocks * SK_BLOCK;
  uintptr_t next = (uintptr_t)(args->weights + weights);
  for (size_t i = 0; i < d.pairs; i++, next += d.pair_tiles * ahead.tile) {
    walk(args, &chain, ahead, row_corner(args, 2 * i, next), compute, SK_TILE_PIXELS / 2, 2);
  }
  for (size_t i = 2 * d.pairs; i < args->rows; i++, next += d.single_tiles * ahead.tile) {
    walk(args, &chain, ahead, row_corner(args, i, next), compute, d.widest, 1);
  }
}
