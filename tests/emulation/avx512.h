/*
 * What kernels/simd/avx512.h uses of AVX-512, run by AVX2 and FMA: for tests on CPUs without AVX-512, and for nothing
 * else. The intrinsics are SIMDe's (Debian: libsimde-dev); what it lacks is here.
 */
#ifndef SK_EMULATION_AVX512_H
#define SK_EMULATION_AVX512_H

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <sleef.h>

#undef _mm512_i32gather_ps
#define _mm512_i32gather_ps sk_emulated_gather
#define Sleef_finz_expf16_u10avx512f sk_emulated_exp

static inline __attribute__((always_inline)) __m512 sk_emulated_gather(__m512i index, const float *base, int scale) {
  int32_t offset[16];
  float lane[16];
  _mm512_storeu_si512(offset, index);
  for (int i = 0; i < 16; i++)
    lane[i] = *(const float *)(const void *)((const char *)base + (ptrdiff_t)offset[i] * scale);
  return _mm512_loadu_ps(lane);
}

/* SLEEF's finz functions give the same bits for any number of lanes. */
static inline __attribute__((always_inline)) __m512 sk_emulated_exp(__m512 v) {
  float lane[16];
  _mm512_storeu_ps(lane, v);
  for (int i = 0; i < 16; i += 8) _mm256_storeu_ps(lane + i, Sleef_finz_expf8_u10avx2(_mm256_loadu_ps(lane + i)));
  return _mm512_loadu_ps(lane);
}

#endif
