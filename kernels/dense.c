/* Dense layer: one row times a matrix packed in panels of 64 outputs, one chain of fused multiply-adds per output. */
#include "kernels/simd/simd.h"

enum { PANEL_BLOCKS = 4 };

static void panel(const float *x, size_t inputs, const float *weights, const float *bias, float *y) {
  struct pixel sum[PANEL_BLOCKS];
  SK_UNROLL for (size_t b = 0; b < PANEL_BLOCKS; b++) sum[b] = pixel_load(bias + b * SK_BLOCK);
  for (size_t i = 0; i < inputs; i++, weights += SK_DENSE_PANEL) {
    const vf value = vset1(x[i]);
    SK_UNROLL for (size_t b = 0; b < PANEL_BLOCKS; b++) {
      SK_UNROLL for (size_t v = 0; v < SK_VECTORS; v++) {
        sum[b].lane[v] = vfma(value, vload(weights + b * SK_BLOCK + v * SK_LANES), sum[b].lane[v]);
      }
    }
  }
  SK_UNROLL for (size_t b = 0; b < PANEL_BLOCKS; b++) pixel_store(y + b * SK_BLOCK, sum[b]);
}

void SK_NAME(dense_f32)(const struct sk_dense_args *args) {
  for (size_t n = 0; n < args->panels; n++) {
    panel(args->x, args->inputs, args->weights + n * args->inputs * SK_DENSE_PANEL, args->bias + n * SK_DENSE_PANEL,
          args->y + n * SK_DENSE_PANEL);
  }
}
