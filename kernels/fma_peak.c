/* As many fused multiply-adds a second as the core can do: the roof that kernels are measured against. */
#include "kernels/simd/simd.h"

float SK_NAME(fma_peak_f32)(size_t iterations) {
  vf sum[SK_FMA_PEAK_CHAINS];
  const vf factor = vset1(0.999999F), term = vset1(1e-6F);
  SK_UNROLL for (size_t i = 0; i < SK_FMA_PEAK_CHAINS; i++) sum[i] = vset1((float)i);
  for (size_t n = 0; n < iterations; n++) {
    SK_UNROLL for (size_t i = 0; i < SK_FMA_PEAK_CHAINS; i++) sum[i] = vfma(factor, term, sum[i]);
  }
  SK_UNROLL for (size_t i = 1; i < SK_FMA_PEAK_CHAINS; i++) sum[0] = vadd(sum[0], sum[i]);
  float lane[16];
  vstore(lane, sum[0]);
  return lane[0];
}
