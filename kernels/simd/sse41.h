/* SSE4.1: 16 registers of 4 lanes, and no fused multiply-add. */
#include <sleef.h>
#include <smmintrin.h>

typedef __m128 vf;

#define SK_LANES 4
#define SK_TILE_PIXELS 2
#define SK_TILE_BLOCKS 1

SK_INLINE vf vload(const float *from) { return _mm_loadu_ps(from); }
SK_INLINE void vstore(float *to, vf a) { _mm_storeu_ps(to, a); }
SK_INLINE vf vset1(float a) { return _mm_set1_ps(a); }
SK_INLINE vf vzero(void) { return _mm_setzero_ps(); }
SK_INLINE vf vadd(vf a, vf b) { return _mm_add_ps(a, b); }
SK_INLINE vf vsub(vf a, vf b) { return _mm_sub_ps(a, b); }
SK_INLINE vf vmul(vf a, vf b) { return _mm_mul_ps(a, b); }
SK_INLINE vf vdiv(vf a, vf b) { return _mm_div_ps(a, b); }

/*
 * Exact fused multiply-adds of two lanes, as in generic.h: an exact product, and a sum rounded to odd. The error of the
 * sum tells whether it is exact and on which side of the true value it lies. If it lies beyond, one less is the
 * neighbour towards zero; setting the last bit then makes the odd one of the two. Comparisons are false for the NaN
 * error of an infinite sum, which so stays as it is.
 */
SK_INLINE __m128 fma_of_two(__m128d a, __m128d b, __m128d c) {
  const __m128d product = _mm_mul_pd(a, b), sum = _mm_add_pd(product, c);
  const __m128d virtual_addend = _mm_sub_pd(sum, product);
  const __m128d error = _mm_add_pd(_mm_sub_pd(product, _mm_sub_pd(sum, virtual_addend)), _mm_sub_pd(c, virtual_addend));
  const __m128d magnitude = _mm_andnot_pd(_mm_set1_pd(-0.0), error);
  const __m128i inexact = _mm_castpd_si128(_mm_cmplt_pd(_mm_setzero_pd(), magnitude));
  const __m128i signs_differ = _mm_castpd_si128(_mm_xor_pd(sum, error));
  const __m128i beyond = _mm_srli_epi64(_mm_and_si128(signs_differ, inexact), 63);
  const __m128i towards_zero = _mm_sub_epi64(_mm_castpd_si128(sum), beyond);
  const __m128i odd = _mm_or_si128(towards_zero, _mm_srli_epi64(inexact, 63));
  return _mm_cvtpd_ps(_mm_castsi128_pd(odd));
}

SK_INLINE __m128d widen_low(vf a) { return _mm_cvtps_pd(a); }
SK_INLINE __m128d widen_high(vf a) { return _mm_cvtps_pd(_mm_movehl_ps(a, a)); }

SK_INLINE vf vfma(vf a, vf b, vf c) {
  return _mm_movelh_ps(fma_of_two(widen_low(a), widen_low(b), widen_low(c)),
                       fma_of_two(widen_high(a), widen_high(b), widen_high(c)));
}

SK_INLINE vf vmaximum(vf m, vf v) { return _mm_blendv_ps(m, v, _mm_or_ps(_mm_cmpgt_ps(v, m), _mm_cmpunord_ps(v, v))); }

/* max_ps and min_ps return their second operand when the two are equal or unordered, so NaN and -0 pass. */
SK_INLINE vf vrelu(vf v) { return _mm_max_ps(_mm_setzero_ps(), v); }
SK_INLINE vf vraise(vf low, vf v) { return _mm_max_ps(low, v); }
SK_INLINE vf vlower(vf high, vf v) { return _mm_min_ps(high, v); }

SK_INLINE vf vgather(const float *base, const int32_t *offset) {
  return _mm_setr_ps(base[offset[0]], base[offset[1]], base[offset[2]], base[offset[3]]);
}

SK_INLINE vf vpermute(const float *base, size_t first, const int32_t *offset) {
  (void)first;
  return vgather(base, offset);
}

SK_INLINE vf vspread4(const float *from, size_t j) { return vset1(from[j]); }

/* sleef.h declares it only where the compiler may use FMA; the library has it always. */
float Sleef_finz_expf1_u10purecfma(float);

SK_INLINE float exp1(float a, bool hardware_fma) {
  return hardware_fma ? Sleef_finz_expf1_u10purecfma(a) : Sleef_cinz_expf1_u10purec(a);
}

SK_INLINE vf vexp(vf v, bool hardware_fma) {
  float lane[SK_LANES];
  vstore(lane, v);
  for (size_t l = 0; l < SK_LANES; l++) lane[l] = exp1(lane[l], hardware_fma);
  return vload(lane);
}
