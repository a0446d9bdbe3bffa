/* Softmax of one row. */
#include <math.h>

#include "kernels/simd/simd.h"

/* torch.max propagates NaN; so do the sum and the quotients that follow. */
static float maximum(const float *x, size_t count) {
  float m = -INFINITY;
  for (size_t i = 0; i < count; i++) {
    if (x[i] > m || isnan(x[i])) m = x[i];
    if (isnan(m)) break;
  }
  return m;
}

/* exp(x - m) of one block of 16; lanes from `count` on are exp(-inf) = 0, which the sum does not notice. */
static struct pixel exponentials(const float *x, size_t count, float m, bool hardware_fma) {
  float block[16];
  for (size_t l = 0; l < SK_BLOCK; l++) block[l] = l < count ? x[l] - m : -INFINITY;
  struct pixel e = pixel_load(block);
  SK_UNROLL for (size_t v = 0; v < SK_VECTORS; v++) e.lane[v] = vexp(e.lane[v], hardware_fma);
  return e;
}

/* Add 16 lanes pairwise, the same tree on every ISA. */
static float lane_sum(struct pixel pixel) {
  float lane[16];
  pixel_store(lane, pixel);
  for (size_t half = 8; half > 0; half /= 2) {
    for (size_t l = 0; l < half; l++) lane[l] += lane[l + half];
  }
  return lane[0];
}

void SK_NAME(softmax_f32)(const float *x, size_t count, float *y, bool hardware_fma) {
  const float m = maximum(x, count);
  struct pixel sum = pixel_set1(0);
  for (size_t i = 0; i < count; i += SK_BLOCK) {
    const size_t lanes = count - i < SK_BLOCK ? count - i : SK_BLOCK;
    float block[16];
    const struct pixel e = exponentials(x + i, lanes, m, hardware_fma);
    sum = pixel_add(sum, e);
    pixel_store(block, e);
    for (size_t l = 0; l < lanes; l++) y[i + l] = block[l];
  }
  const float total = lane_sum(sum);
  for (size_t i = 0; i < count; i++) y[i] /= total;
}
