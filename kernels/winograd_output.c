/* Winograd output transforms y = act(A^T t A + bias + residual), one tile of one output block at a time. */
#include "kernels/winograd_transform.h"

enum { MAX_ALPHA = 9, MAX_M = 6 };

/* Apply the transform along one dimension: alpha, m + 2 with stride 1 and 2m + 1 with stride 2, tells which. */
SK_INLINE void transform(const vf *t, vf *out, const size_t alpha) {
  switch (alpha) {
    case 4: f2k3_output(t, out); break;
    case 5: f2k3s2_output(t, out); break;
    case 6: f4k3_output(t, out); break;
    case 8: f6k3_output(t, out); break;
    default: f4k3s2_output(t, out); break;
  }
}

/* Finish one row of outputs: bias, residual, ReLU, clip, and only the columns that exist. */
SK_INLINE void store_row(const struct sk_winograd_output_args *args, size_t i, size_t lane, vf *out,
                         const size_t columns, const size_t m) {
  const vf bias = vload(args->bias + lane);
  SK_UNROLL for (size_t j = 0; j < m; j++) out[j] = vadd(out[j], bias);
  if (args->residual) {
    const float *const residual = args->residual + i * args->residual_row + lane;
    SK_UNROLL for (size_t j = 0; j < m; j++) {
      if (j < columns) out[j] = vadd(out[j], vload(residual + j * SK_BLOCK));
    }
  }
  if (args->relu) {
    SK_UNROLL for (size_t j = 0; j < m; j++) out[j] = vrelu(out[j]);
  }
  if (args->clip) {
    SK_UNROLL for (size_t j = 0; j < m; j++) out[j] = vclip(out[j], args->bounds);
  }
  float *const y = args->y + i * args->y_row + lane;
  SK_UNROLL for (size_t j = 0; j < m; j++) {
    if (j < columns) vstore(y + j * SK_BLOCK, out[j]);
  }
}

/* Transform a tile of which rows x columns outputs exist: down its columns first, then along its rows. */
SK_INLINE void transform_tile(const struct sk_winograd_output_args *args, const size_t rows, const size_t columns,
                              const size_t m, const size_t alpha) {
  vf half[MAX_M][MAX_ALPHA];
  for (size_t lane = 0; lane < SK_BLOCK; lane += SK_LANES) {
    for (size_t j = 0; j < alpha; j++) {
      vf t[MAX_ALPHA], out[MAX_M];
      SK_UNROLL for (size_t i = 0; i < alpha; i++) t[i] = vload(args->t + (i * alpha + j) * args->t_point + lane);
      transform(t, out, alpha);
      SK_UNROLL for (size_t i = 0; i < m; i++) half[i][j] = out[i];
    }
    for (size_t i = 0; i < rows; i++) {
      vf out[MAX_M];
      transform(half[i], out, alpha);
      store_row(args, i, lane, out, columns, m);
    }
  }
}

/* Most tiles are whole: theirs are loops of constant length. */
SK_INLINE void output(const struct sk_winograd_output_args *args, const size_t m, const size_t alpha) {
  if (args->rows == m && args->columns == m) {
    transform_tile(args, m, m, m, alpha);
  } else {
    transform_tile(args, args->rows, args->columns, m, alpha);
  }
}

void SK_NAME(winograd_output_f32_f2k3)(const struct sk_winograd_output_args *args) { output(args, 2, 4); }
void SK_NAME(winograd_output_f32_f4k3)(const struct sk_winograd_output_args *args) { output(args, 4, 6); }
void SK_NAME(winograd_output_f32_f6k3)(const struct sk_winograd_output_args *args) { output(args, 6, 8); }
void SK_NAME(winograd_output_f32_f2k3s2)(const struct sk_winograd_output_args *args) { output(args, 2, 5); }
void SK_NAME(winograd_output_f32_f4k3s2)(const struct sk_winograd_output_args *args) { output(args, 4, 9); }
