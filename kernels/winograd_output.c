/* Winograd output transforms y = act(A^T t A + bias + residual), one tile of one output block at a time. */
#include "kernels/winograd_store.h"
#include "kernels/winograd_transform.h"

enum { MAX_ALPHA = 9, MAX_M = 6 };

/* Apply the transform along one dimension: alpha, m + 2 with stride 1 and 2m + 1 with stride 2, tells which, and the
 * number of points whether it is trimmed. */
SK_INLINE void transform(const vf *t, vf *out, const size_t alpha, const size_t points) {
  switch (10 * alpha + points) {
    case 43:
    case 63: output_1(t, out); break;
    case 44: f2k3_output(t, out); break;
    case 53:
    case 93: output_1s2(t, out); break;
    case 55: f2k3s2_output(t, out); break;
    case 64: output_2(SK_F4K3_A, t, out); break;
    case 65: f4k3_output_3(t, out); break;
    case 66: f4k3_output(t, out); break;
    case 88: f6k3_output(t, out); break;
    case 95: output_2s2(SK_F4K3S2_A, t, out); break;
    case 97: f4k3s2_output_3(t, out); break;
    default: f4k3s2_output(t, out); break;
  }
}

/* Transform down the columns, to `rows` rows. */
SK_INLINE void down(const float *t, size_t t_point, vf half[][MAX_ALPHA], const size_t rows, const size_t alpha,
                    const size_t row_points, const size_t column_points) {
  for (size_t j = 0; j < column_points; j++) {
    const float *const column = t + sk_winograd_point(alpha, column_points, j) * t_point;
    vf in[MAX_ALPHA], out[MAX_M];
    SK_UNROLL for (size_t i = 0; i < row_points; i++) {
      in[i] = vload(column + sk_winograd_point(alpha, row_points, i) * alpha * t_point);
    }
    transform(in, out, alpha, row_points);
    SK_UNROLL for (size_t i = 0; i < rows; i++) half[i][j] = out[i];
  }
}

/* Transform `rows` rows along them, to m columns of which some may not exist. */
SK_INLINE void along(const struct sk_winograd_output_args *args, size_t lane, vf half[][MAX_ALPHA], size_t rows,
                     const size_t columns, const size_t m, const size_t alpha, const size_t column_points) {
  for (size_t i = 0; i < rows; i++) {
    vf out[MAX_M];
    transform(half[i], out, alpha, column_points);
    store_row(args, i, lane, out, columns, m);
  }
}

/* Tiles that have all their points; of the last ones of a dimension not all outputs may exist. */
SK_INLINE void tile_of_all_points(const struct sk_winograd_output_args *args, size_t lane, const size_t rows,
                                  const size_t columns, const size_t m, const size_t alpha) {
  vf half[MAX_M][MAX_ALPHA];
  down(args->t + lane, args->t_point, half, m, alpha, alpha, alpha);
  along(args, lane, half, rows, columns, m, alpha, alpha);
}

/* A copy of the loops for each number of outputs; those of one dimension are constant at a time. */
SK_INLINE void trimmed_tile(const struct sk_winograd_output_args *args, size_t lane, const size_t m,
                            const size_t alpha) {
  const size_t one = sk_winograd_points_without(alpha, 1), two = sk_winograd_points_without(alpha, 2);
  const size_t rows = args->rows, columns = args->columns;
  const size_t column_points = sk_winograd_inputs(alpha, columns);
  const float *const t = args->t + lane;
  vf half[MAX_M][MAX_ALPHA];
  if (rows == m) {
    down(t, args->t_point, half, m, alpha, alpha, column_points);
  } else if (m > 3 && rows == 3) {
    down(t, args->t_point, half, 3, alpha, one, column_points);
  } else if (m > 2 && rows == 2) {
    down(t, args->t_point, half, 2, alpha, two, column_points);
  } else {
    down(t, args->t_point, half, 1, alpha, 3, column_points);
  }
  if (columns == m) {
    along(args, lane, half, rows, m, m, alpha, alpha);
  } else if (m > 3 && columns == 3) {
    along(args, lane, half, rows, 3, 3, alpha, one);
  } else if (m > 2 && columns == 2) {
    along(args, lane, half, rows, 2, 2, alpha, two);
  } else {
    along(args, lane, half, rows, 1, 1, alpha, 3);
  }
}

/* Most tiles are whole: theirs are loops of constant length. */
SK_INLINE void output(const struct sk_winograd_output_args *args, const size_t m, const size_t alpha) {
  const bool trims = sk_winograd_points(alpha, 3) < alpha;
  for (size_t lane = 0; lane < SK_BLOCK; lane += SK_LANES) {
    if (args->rows == m && args->columns == m) {
      tile_of_all_points(args, lane, m, m, m, alpha);
    } else if (trims) {
      trimmed_tile(args, lane, m, alpha);
    } else {
      tile_of_all_points(args, lane, args->rows, args->columns, m, alpha);
    }
  }
}

void SK_NAME(winograd_output_f32_f2k3)(const struct sk_winograd_output_args *args) { output(args, 2, 4); }
void SK_NAME(winograd_output_f32_f4k3)(const struct sk_winograd_output_args *args) { output(args, 4, 6); }
void SK_NAME(winograd_output_f32_f6k3)(const struct sk_winograd_output_args *args) { output(args, 6, 8); }
void SK_NAME(winograd_output_f32_f2k3s2)(const struct sk_winograd_output_args *args) { output(args, 2, 5); }
void SK_NAME(winograd_output_f32_f4k3s2)(const struct sk_winograd_output_args *args) { output(args, 4, 9); }
