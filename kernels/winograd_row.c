/*
 * A row of tiles of F(3,4), multiplied and transformed back. Of so few channels the 36 products would take longer to
 * store and to load again than to form: six points of a column are transformed down as soon as they are there.
 */
#include "kernels/tiles.h"
#include "kernels/winograd_store.h"
#include "kernels/winograd_transform.h"

enum { OUTPUTS = 3, ALPHA = 6, TILE = ALPHA * ALPHA * SK_BLOCK, HALF = OUTPUTS * ALPHA * SK_BLOCK };

/* The register tile: points of a column x tiles x registers of outputs. Where multiply-adds read what they broadcast,
 * these are all points and one block. Elsewhere that would take three loads for two multiply-adds, and it is one point
 * of as many tiles as direct convolution has pixels. */
#ifdef SK_READS_BROADCAST
enum { TOGETHER = ALPHA, WIDEST = SK_TILE_PIXELS * SK_TILE_BLOCKS / ALPHA, STEPS = 1 };
#else
enum { TOGETHER = 1, WIDEST = SK_TILE_PIXELS, STEPS = SK_STEPS };
#endif

/* Lines of outputs, which are asked for while the products are formed: of all at once the processor would wait. They
 * may be more than there are or, of few channels, fewer. */
struct lines {
  const float *first;
  size_t next, step; /* floats from there; 0: the same again, there are no more */
};

SK_INLINE void ask(struct lines *lines) {
  prefetch_for_writing(lines->first, lines->next);
  lines->next += lines->step;
}

/* Go one link further along the chains: one channel. */
SK_INLINE void multiply_add(const float *v, const float *w, vf *sum, const size_t width) {
  vf weight[TOGETHER * SK_VECTORS];
  SK_UNROLL for (size_t i = 0; i < TOGETHER * SK_VECTORS; i++) {
    weight[i] = vload(w + i / SK_VECTORS * SK_BLOCK + i % SK_VECTORS * SK_LANES);
  }
  vf pixel = vzero(); /* the input that a broadcast has in a register */
  SK_UNROLL for (size_t i = 0; i < TOGETHER * width * SK_VECTORS; i++) {
    const size_t point = i / SK_VECTORS / width, tile = i / SK_VECTORS % width;
    const float *const from = v + tile * TILE + point * ALPHA * SK_BLOCK;
    if (SK_VECTORS == 1) {
      vaccumulate_at(&sum[i], from, weight[point]);
    } else {
      if (i % SK_VECTORS == 0) pixel = vset1(*from);
      vaccumulate(&sum[i], pixel, weight[point * SK_VECTORS + i % SK_VECTORS]);
    }
  }
}

/* Multiply some points of a column; v, w: of the first tile's first channel. */
SK_INLINE void multiply(const float *v, const float *w, size_t channels, struct lines *lines,
                        vf t[][WIDEST * SK_VECTORS], const size_t width) {
  vf sum[TOGETHER * WIDEST * SK_VECTORS];
  const size_t vectors = width * SK_VECTORS;
  SK_UNROLL for (size_t i = 0; i < TOGETHER * vectors; i++) sum[i] = vzero();
  if (!SK_AHEAD_BY_CHANNEL) {
    SK_UNROLL for (size_t i = 0; i < OUTPUTS * width; i += ALPHA / TOGETHER) ask(lines);
  }
  const float *const end = v + channels;
  SK_CHAIN_LOOP for (bool more = true; more; more = v != end) { /* there is a channel at least */
    if (SK_AHEAD_BY_CHANNEL) ask(lines);
    SK_UNROLL for (size_t c = 0; c < STEPS; c++) multiply_add(v + c, w + c * ALPHA * SK_BLOCK, sum, width);
    v += STEPS;
    w += STEPS * ALPHA * SK_BLOCK;
  }
  SK_UNROLL for (size_t i = 0; i < TOGETHER * vectors; i++) t[i / vectors][i % vectors] = sum[i];
}

/* Multiply the points of column j of some tiles, and transform them down. */
SK_INLINE void column(const struct sk_winograd_row_args *args, size_t j, size_t tile, const size_t width) {
  const struct sk_winograd_output_args *const outputs = &args->outputs;
  const float *const v = args->v + tile * TILE + j * SK_BLOCK;
  const float *const w = args->weights + j * args->channels * ALPHA * SK_BLOCK;
  float *const half = args->half + tile * HALF + j * SK_BLOCK;
  const size_t row = j < outputs->rows ? j : 0; /* of outputs, whose lines are asked for */
  struct lines lines = {outputs->y, row * outputs->y_row + tile * OUTPUTS * SK_BLOCK, row == j ? SK_BLOCK : 0};
  vf t[ALPHA][WIDEST * SK_VECTORS];
  for (size_t p = 0; p < ALPHA; p += TOGETHER) {
    multiply(v + p * ALPHA * SK_BLOCK, w + p * SK_BLOCK, args->channels, &lines, t + p, width);
  }
  SK_UNROLL for (size_t i = 0; i < width * SK_VECTORS; i++) {
    float *const to = half + i / SK_VECTORS * HALF + i % SK_VECTORS * SK_LANES;
    vf in[ALPHA], out[OUTPUTS];
    SK_UNROLL for (size_t p = 0; p < ALPHA; p++) in[p] = t[p][i];
    f3k4_output(in, out);
    SK_UNROLL for (size_t p = 0; p < OUTPUTS; p++) vstore(to + p * ALPHA * SK_BLOCK, out[p]);
  }
}

SK_INLINE void columns_of(const struct sk_winograd_row_args *args, size_t j, size_t tile, size_t count,
                          const size_t width) {
  for (; count > 0; count--, tile += width) column(args, j, tile, width);
}

/* Walk along register tiles of column j whose width is known only now: a copy of the loops for each. */
static void walk(const struct sk_winograd_row_args *args, size_t j, size_t tile, size_t count, size_t width) {
  switch (width) {
    case 1: columns_of(args, j, tile, count, 1); break;
    case 2: columns_of(args, j, tile, count, 2); break;
#if SK_TILE_PIXELS >= 6
    case 3: columns_of(args, j, tile, count, 3); break;
    case 4: columns_of(args, j, tile, count, 4); break;
#ifndef SK_READS_BROADCAST
    case 5: columns_of(args, j, tile, count, 5); break;
    case 6: columns_of(args, j, tile, count, 6); break;
#endif
#endif
    default: break;
  }
}

/* Transform a tile's columns along the rows. */
SK_INLINE void along(const struct sk_winograd_output_args *outputs, const float *half, size_t lane, const size_t rows,
                     const size_t columns) {
  for (size_t i = 0; i < rows; i++) {
    vf in[ALPHA], out[OUTPUTS];
    SK_UNROLL for (size_t j = 0; j < ALPHA; j++) in[j] = vload(half + (i * ALPHA + j) * SK_BLOCK + lane);
    f3k4_output(in, out);
    store_row(outputs, i, lane, out, columns, OUTPUTS);
  }
}

static void finish_tile(const struct sk_winograd_output_args *outputs, const float *half) {
  for (size_t lane = 0; lane < SK_BLOCK; lane += SK_LANES) {
    if (outputs->rows == OUTPUTS && outputs->columns >= OUTPUTS) {
      along(outputs, half, lane, OUTPUTS, OUTPUTS);
    } else {
      along(outputs, half, lane, outputs->rows, outputs->columns);
    }
  }
}

void SK_NAME(winograd_row_f32_f3k4)(const struct sk_winograd_row_args *args) {
  const struct tiling tiling = divide_run(args->tiles, WIDEST);
  const size_t wide = tiling.wide * (tiling.narrow + 1); /* tiles in these */
  for (size_t j = 0; j < ALPHA; j++) {
    walk(args, j, 0, tiling.wide, tiling.narrow + 1);
    walk(args, j, wide, tiling.tiles - tiling.wide, tiling.narrow);
  }
  struct sk_winograd_output_args outputs = args->outputs;
  for (size_t tile = 0; tile < args->tiles; tile++) {
    outputs.columns = args->outputs.columns - tile * OUTPUTS;
    finish_tile(&outputs, args->half + tile * HALF);
    outputs.y += OUTPUTS * SK_BLOCK;
    if (outputs.residual) outputs.residual += OUTPUTS * SK_BLOCK;
  }
}
