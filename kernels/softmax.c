/* Softmax of one row of channels. */
#include <math.h>

#include "kernels/simd/simd.h"

/* Number of the row's elements that are in the block which begins with element i. */
static size_t lanes_at(size_t i, size_t count) { return count - i < SK_BLOCK ? count - i : SK_BLOCK; }

/* torch.max propagates NaN; so do the sum and the quotients that follow. */
static float maximum(const struct sk_softmax_args *args) {
  float m = -INFINITY;
  for (size_t i = 0; i < args->count && !isnan(m); i++) {
    const float value = args->x[i / SK_BLOCK * args->x_block + i % SK_BLOCK];
    if (value > m || isnan(value)) m = value;
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

void SK_NAME(softmax_f32)(const struct sk_softmax_args *args) {
  const float m = maximum(args);
  const float *x = args->x;
  float *y = args->y;
  struct pixel sum = pixel_set1(0);
  for (size_t i = 0; i < args->count; i += SK_BLOCK, x += args->x_block, y += args->y_block) {
    const struct pixel e = exponentials(x, lanes_at(i, args->count), m, args->hardware_fma);
    sum = pixel_add(sum, e);
    pixel_store(y, e);
  }
  const float total = lane_sum(sum);
  y = args->y;
  for (size_t i = 0; i < args->count; i += SK_BLOCK, y += args->y_block) {
    const size_t lanes = lanes_at(i, args->count);
    for (size_t l = 0; l < lanes; l++) y[l] /= total;
  }
}
