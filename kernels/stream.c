/* As many bytes a second as the core can take in: the roofs of bandwidth, by where the bytes lie. */
#include "kernels/simd/simd.h"

/* The sum of one value of each lane and each chain. */
static float add_up(vf sum[SK_STREAM_CHAINS]) {
  SK_UNROLL for (size_t i = 1; i < SK_STREAM_CHAINS; i++) sum[0] = vadd(sum[0], sum[i]);
  float lane[SK_LANES];
  vstore(lane, sum[0]);
  float total = 0;
  for (size_t l = 0; l < SK_LANES; l++) total += lane[l];
  return total;
}

float SK_NAME(stream_f32)(const float *x, size_t count, size_t passes) {
  const size_t step = SK_STREAM_CHAINS * SK_LANES;
  const size_t whole = count - count % step;
  vf sum[SK_STREAM_CHAINS];
  float rest = 0;
  SK_UNROLL for (size_t i = 0; i < SK_STREAM_CHAINS; i++) sum[i] = vzero();
  for (size_t pass = 0; pass < passes; pass++) {
    for (size_t at = 0; at < whole; at += step) {
      SK_UNROLL for (size_t i = 0; i < SK_STREAM_CHAINS; i++) sum[i] = vadd(sum[i], vload(x + at + i * SK_LANES));
    }
    for (size_t at = whole; at < count; at++) rest += x[at];
  }
  return add_up(sum) + rest;
}
