/* Winograd input transforms v = B^T x B, one tile of one channel block at a time. */
#include "kernels/winograd_transform.h"

enum { MAX_ALPHA = 9 };

/* Apply the transform along one dimension: alpha, m + 2 with stride 1 and 2m + 1 with stride 2, tells which, and the
 * number of points whether it is trimmed. */
SK_INLINE void transform(const vf *d, vf *out, const size_t alpha, const size_t points) {
  switch (10 * alpha + points) {
    case 43: f2k3_input_1(d, out); break;
    case 44: f2k3_input(d, out); break;
    case 53: f2k3s2_input_1(d, out); break;
    case 55: f2k3s2_input(d, out); break;
    case 63: f4k3_input_1(d, out); break;
    case 64: f4k3_input_2(d, out); break;
    case 65: f4k3_input_3(d, out); break;
    case 66: f4k3_input(d, out); break;
    case 88: f6k3_input(d, out); break;
    case 93: f4k3s2_input_1(d, out); break;
    case 95: f4k3s2_input_2(d, out); break;
    case 97: f4k3s2_input_3(d, out); break;
    default: f4k3s2_input(d, out); break;
  }
}

/* A tile of one register of channels: its first input, its place among the results, and its points. */
struct tile {
  const float *x;
  size_t x_row;
  float *v;
  size_t v_point;
  size_t rows, columns;
};

/* Transform down the columns. */
SK_INLINE void down(const struct tile *tile, vf half[][MAX_ALPHA], const size_t alpha, const size_t rows,
                    const size_t columns) {
  for (size_t j = 0; j < columns; j++) {
    vf d[MAX_ALPHA], out[MAX_ALPHA];
    SK_UNROLL for (size_t i = 0; i < rows; i++) d[i] = vload(tile->x + i * tile->x_row + j * SK_BLOCK);
    transform(d, out, alpha, rows);
    SK_UNROLL for (size_t i = 0; i < rows; i++) half[i][j] = out[i];
  }
}

/* Transform along the rows. */
SK_INLINE void along(const struct tile *tile, vf half[][MAX_ALPHA], const size_t alpha, const size_t rows,
                     const size_t columns) {
  for (size_t i = 0; i < rows; i++) {
    float *const v = tile->v + sk_winograd_point(alpha, rows, i) * alpha * tile->v_point;
    vf out[MAX_ALPHA];
    transform(half[i], out, alpha, columns);
    SK_UNROLL for (size_t j = 0; j < columns; j++) {
      vstore(v + sk_winograd_point(alpha, columns, j) * tile->v_point, out[j]);
    }
  }
}

SK_INLINE void whole_tile(const struct tile *tile, const size_t alpha) {
  vf half[MAX_ALPHA][MAX_ALPHA];
  down(tile, half, alpha, alpha, alpha);
  along(tile, half, alpha, alpha, alpha);
}

/* A copy of the loops for each number of points; those of one dimension are constant at a time. */
SK_INLINE void trimmed_tile(const struct tile *tile, const size_t alpha) {
  const size_t one = sk_winograd_points_without(alpha, 1), two = sk_winograd_points_without(alpha, 2);
  vf half[MAX_ALPHA][MAX_ALPHA];
  if (tile->rows == alpha) {
    down(tile, half, alpha, alpha, tile->columns);
  } else if (one > 3 && tile->rows == one) {
    down(tile, half, alpha, one, tile->columns);
  } else if (two > 3 && tile->rows == two) {
    down(tile, half, alpha, two, tile->columns);
  } else {
    down(tile, half, alpha, 3, tile->columns);
  }
  if (tile->columns == alpha) {
    along(tile, half, alpha, tile->rows, alpha);
  } else if (one > 3 && tile->columns == one) {
    along(tile, half, alpha, tile->rows, one);
  } else if (two > 3 && tile->columns == two) {
    along(tile, half, alpha, tile->rows, two);
  } else {
    along(tile, half, alpha, tile->rows, 3);
  }
}

/* Copy the part of the tile that exists and fill the rest with zeros, so that nothing outside is read. */
static void copy_padded(const struct sk_winograd_input_args *args, float *copy, size_t alpha) {
  for (size_t i = 0; i < alpha; i++) {
    for (size_t j = 0; j < alpha; j++) {
      const bool exists = i < args->rows && j < args->columns;
      const float *from = args->x + i * args->x_row + j * SK_BLOCK;
      pixel_store(copy + (i * alpha + j) * SK_BLOCK, exists ? pixel_load(from) : pixel_set1(0));
    }
  }
}

SK_INLINE void input(const struct sk_winograd_input_args *args, const size_t alpha) {
  const bool whole = args->rows == alpha && args->columns == alpha, trims = sk_winograd_points(alpha, 3) < alpha;
  struct tile tile = {args->x, args->x_row, args->v, args->v_point, args->rows, args->columns};
  float copy[MAX_ALPHA * MAX_ALPHA * 16];
  if (!whole && !trims) {
    copy_padded(args, copy, alpha);
    tile.x = copy;
    tile.x_row = alpha * SK_BLOCK;
  }
  for (size_t lane = 0; lane < SK_BLOCK; lane += SK_LANES, tile.x += SK_LANES, tile.v += SK_LANES) {
    if (whole || !trims) {
      whole_tile(&tile, alpha);
    } else {
      trimmed_tile(&tile, alpha);
    }
  }
}

void SK_NAME(winograd_input_f32_f2k3)(const struct sk_winograd_input_args *args) { input(args, 4); }
void SK_NAME(winograd_input_f32_f4k3)(const struct sk_winograd_input_args *args) { input(args, 6); }
void SK_NAME(winograd_input_f32_f6k3)(const struct sk_winograd_input_args *args) { input(args, 8); }
void SK_NAME(winograd_input_f32_f2k3s2)(const struct sk_winograd_input_args *args) { input(args, 5); }
void SK_NAME(winograd_input_f32_f4k3s2)(const struct sk_winograd_input_args *args) { input(args, 9); }
