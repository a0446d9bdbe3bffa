/* AVX-512 F, VL, BW, DQ: 32 registers of 16 lanes. */
#if SK_EMULATE_AVX512
#include "tests/emulation/avx512.h"
#else
#include <immintrin.h>
#include <sleef.h>
#endif

typedef __m512 vf;

#define SK_LANES 16
#define SK_TILE_PIXELS 14 /* 28 accumulators, 2 weights, 1 broadcast: 31 of 32 registers */
#define SK_TILE_BLOCKS 2
#define SK_AHEAD_BY_CHANNEL 1

SK_INLINE vf vload(const float *from) { return _mm512_loadu_ps(from); }
SK_INLINE void vstore(float *to, vf a) { _mm512_storeu_ps(to, a); }
SK_INLINE vf vset1(float a) { return _mm512_set1_ps(a); }
SK_INLINE vf vzero(void) { return _mm512_setzero_ps(); }
SK_INLINE vf vadd(vf a, vf b) { return _mm512_add_ps(a, b); }
SK_INLINE vf vsub(vf a, vf b) { return _mm512_sub_ps(a, b); }
SK_INLINE vf vmul(vf a, vf b) { return _mm512_mul_ps(a, b); }
SK_INLINE vf vdiv(vf a, vf b) { return _mm512_div_ps(a, b); }
SK_INLINE vf vfma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }

/* gcc would load what is read twice. A broadcast takes one of the registers that the CPU renames to, of which Zen 4 has
 * 160 to spare, so without it more multiply-adds wait at a time. */
#if !SK_EMULATE_AVX512
#define SK_READS_BROADCAST 1
SK_INLINE void vaccumulate_at(vf *c, const float *from, vf b) {
  __asm__("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(*c) : "v"(b), "m"(*from));
}
#endif

SK_INLINE vf vmaximum(vf m, vf v) {
  const __mmask16 take = _mm512_cmp_ps_mask(v, m, _CMP_GT_OQ) | _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
  return _mm512_mask_mov_ps(m, take, v);
}

/* max_ps and min_ps return their second operand when the two are equal or unordered, so NaN and -0 pass. */
SK_INLINE vf vrelu(vf v) { return _mm512_max_ps(_mm512_setzero_ps(), v); }
SK_INLINE vf vraise(vf low, vf v) { return _mm512_max_ps(low, v); }
SK_INLINE vf vlower(vf high, vf v) { return _mm512_min_ps(high, v); }

SK_INLINE vf vgather(const float *base, const int32_t *offset) {
  return _mm512_i32gather_ps(_mm512_loadu_si512(offset), base, sizeof(float));
}

SK_INLINE vf vpermute(const float *base, size_t first, const int32_t *offset) {
  return _mm512_permutexvar_ps(_mm512_loadu_si512(offset), _mm512_loadu_ps(base + first));
}

SK_INLINE vf vspread4(const float *from, size_t j) {
  const vf four = _mm512_loadu_ps(from);
  switch (j) {
    case 0: return _mm512_permute_ps(four, 0x00);
    case 1: return _mm512_permute_ps(four, 0x55);
    case 2: return _mm512_permute_ps(four, 0xaa);
    default: return _mm512_permute_ps(four, 0xff);
  }
}

/* Half a register: two of its multiply-adds begin in a cycle, of a whole register's one on some CPUs (Zen 4). */
typedef __m256 vhalf;

SK_INLINE vhalf vhalf_load(const float *from) { return _mm256_loadu_ps(from); }
SK_INLINE void vhalf_store(float *to, vhalf a) { _mm256_storeu_ps(to, a); }
SK_INLINE vhalf vhalf_set1(float a) { return _mm256_set1_ps(a); }
SK_INLINE vhalf vhalf_zero(void) { return _mm256_setzero_ps(); }
SK_INLINE vhalf vhalf_fma(vhalf a, vhalf b, vhalf c) { return _mm256_fmadd_ps(a, b, c); }

/* Emulated registers are memory anyway. */
SK_INLINE void vkeep(vf *a) {
#if SK_EMULATE_AVX512
  (void)a;
#else
  __asm__("" : "+v"(*a));
#endif
}

SK_INLINE vf vexp(vf v, bool hardware_fma) {
  (void)hardware_fma;
  return Sleef_finz_expf16_u10avx512f(v);
}
