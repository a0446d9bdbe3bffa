/* AVX2 and FMA: 16 registers of 8 lanes. */
#include <immintrin.h>
#include <sleef.h>

typedef __m256 vf;

#define SK_LANES 8
#define SK_TILE_PIXELS 6 /* 12 accumulators, 2 weights, 1 broadcast: 15 of 16 registers */
#define SK_TILE_BLOCKS 1

SK_INLINE vf vload(const float *from) { return _mm256_loadu_ps(from); }
SK_INLINE void vstore(float *to, vf a) { _mm256_storeu_ps(to, a); }
SK_INLINE vf vset1(float a) { return _mm256_set1_ps(a); }
SK_INLINE vf vzero(void) { return _mm256_setzero_ps(); }
SK_INLINE vf vadd(vf a, vf b) { return _mm256_add_ps(a, b); }
SK_INLINE vf vsub(vf a, vf b) { return _mm256_sub_ps(a, b); }
SK_INLINE vf vmul(vf a, vf b) { return _mm256_mul_ps(a, b); }
SK_INLINE vf vdiv(vf a, vf b) { return _mm256_div_ps(a, b); }
SK_INLINE vf vfma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }

/* Written in assembly, since gcc moves sums from register to register, and to the stack, where several steps of a chain
 * are one body. */
#define SK_STEPS 4
SK_INLINE void vaccumulate(vf *c, vf a, vf b) { __asm__("vfmadd231ps %2, %1, %0" : "+x"(*c) : "x"(a), "x"(b)); }

SK_INLINE vf vmaximum(vf m, vf v) {
  const vf take = _mm256_or_ps(_mm256_cmp_ps(v, m, _CMP_GT_OQ), _mm256_cmp_ps(v, v, _CMP_UNORD_Q));
  return _mm256_blendv_ps(m, v, take);
}

/* max_ps and min_ps return their second operand when the two are equal or unordered, so NaN and -0 pass. */
SK_INLINE vf vrelu(vf v) { return _mm256_max_ps(_mm256_setzero_ps(), v); }
SK_INLINE vf vraise(vf low, vf v) { return _mm256_max_ps(low, v); }
SK_INLINE vf vlower(vf high, vf v) { return _mm256_min_ps(high, v); }

SK_INLINE vf vgather(const float *base, const int32_t *offset) {
  return _mm256_i32gather_ps(base, _mm256_loadu_si256((const __m256i *)(const void *)offset), sizeof(float));
}

SK_INLINE vf vpermute(const float *base, size_t first, const int32_t *offset) {
  return _mm256_permutevar_ps(_mm256_loadu_ps(base + first), _mm256_loadu_si256((const __m256i *)(const void *)offset));
}

SK_INLINE vf vspread4(const float *from, size_t j) {
  const vf four = _mm256_loadu_ps(from);
  switch (j) {
    case 0: return _mm256_permute_ps(four, 0x00);
    case 1: return _mm256_permute_ps(four, 0x55);
    case 2: return _mm256_permute_ps(four, 0xaa);
    default: return _mm256_permute_ps(four, 0xff);
  }
}

SK_INLINE vf vexp(vf v, bool hardware_fma) {
  (void)hardware_fma;
  return Sleef_finz_expf8_u10avx2(v);
}
