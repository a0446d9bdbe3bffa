/* How Winograd's outputs end: bias, residual, activation. */
#ifndef SK_WINOGRAD_STORE_H
#define SK_WINOGRAD_STORE_H

#include "kernels/simd/simd.h"

/* Finish row i of a tile's outputs, one register of channels of each: only the columns that exist are written. */
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

#endif
