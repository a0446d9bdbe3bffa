/* Winograd output transforms y = act(A^T t A + bias + residual), one tile of one output block at a time. */
#include "kernels/winograd_transform.h"

enum { MAX_ALPHA = 8, MAX_M = 6 };

/* Apply the transform of F(m, 3) along one dimension. */
SK_INLINE void transform(const vf *t, vf *out, const size_t m) {
  if (m == 2) {
    f2k3_output(t, out);
  } else if (m == 4) {
    f4k3_output(t, out);
  } else {
    f6k3_output(t, out);
  }
}

/* Finish one row of outputs: bias, residual, ReLU, and only the columns that exist. */
SK_INLINE void store_row(const struct sk_winograd_output_args *args, size_t i, size_t lane, const vf *out,
                         const size_t m) {
  const vf bias = vload(args->bias + lane);
  SK_UNROLL for (size_t j = 0; j < m; j++) {
    if (j >= args->columns) break;
    vf sum = vadd(out[j], bias);
    if (args->residual) sum = vadd(sum, vload(args->residual + i * args->residual_row + j * SK_BLOCK + lane));
    vstore(args->y + i * args->y_row + j * SK_BLOCK + lane, args->relu ? vrelu(sum) : sum);
  }
}

SK_INLINE void output(const struct sk_winograd_output_args *args, const size_t m) {
  const size_t alpha = m + 2;
  vf columns[MAX_M][MAX_ALPHA];
  for (size_t lane = 0; lane < SK_BLOCK; lane += SK_LANES) {
    for (size_t j = 0; j < alpha; j++) {
      vf t[MAX_ALPHA], out[MAX_M];
      SK_UNROLL for (size_t i = 0; i < alpha; i++) t[i] = vload(args->t + (i * alpha + j) * args->t_point + lane);
      transform(t, out, m);
      SK_UNROLL for (size_t i = 0; i < m; i++) columns[i][j] = out[i];
    }
    for (size_t i = 0; i < args->rows; i++) {
      vf out[MAX_M];
      transform(columns[i], out, m);
      store_row(args, i, lane, out, m);
    }
  }
}

void SK_NAME(winograd_output_f32_f2k3)(const struct sk_winograd_output_args *args) { output(args, 2); }
void SK_NAME(winograd_output_f32_f4k3)(const struct sk_winograd_output_args *args) { output(args, 4); }
void SK_NAME(winograd_output_f32_f6k3)(const struct sk_winograd_output_args *args) { output(args, 6); }
