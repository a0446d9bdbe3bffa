/* Portable C with the vector extension that gcc and clang share: 4 lanes, whatever the target makes of them. */
#include <sleef.h>

typedef float vf __attribute__((vector_size(16)));
typedef int32_t vmask __attribute__((vector_size(16)));

#define SK_LANES 4
#define SK_TILE_PIXELS 2
#define SK_TILE_BLOCKS 1

SK_INLINE vf vload(const float *from) {
  vf a;
  __builtin_memcpy(&a, from, sizeof a);
  return a;
}

SK_INLINE void vstore(float *to, vf a) { __builtin_memcpy(to, &a, sizeof a); }
SK_INLINE vf vset1(float a) { return (vf){a, a, a, a}; }
SK_INLINE vf vzero(void) { return (vf){0, 0, 0, 0}; }
SK_INLINE vf vadd(vf a, vf b) { return a + b; }
SK_INLINE vf vsub(vf a, vf b) { return a - b; }
SK_INLINE vf vmul(vf a, vf b) { return a * b; }
SK_INLINE vf vdiv(vf a, vf b) { return a / b; }

#if defined(__FP_FAST_FMAF) || defined(__aarch64__)

SK_INLINE vf vfma(vf a, vf b, vf c) {
  return (vf){__builtin_fmaf(a[0], b[0], c[0]), __builtin_fmaf(a[1], b[1], c[1]), __builtin_fmaf(a[2], b[2], c[2]),
              __builtin_fmaf(a[3], b[3], c[3])};
}

#else

typedef float vf2 __attribute__((vector_size(8)));
typedef double vd2 __attribute__((vector_size(16)));
typedef int64_t vl2 __attribute__((vector_size(16)));
typedef uint64_t vu2 __attribute__((vector_size(16)));

/* The first two lanes in double. */
SK_INLINE vd2 widen(vf a) { return __builtin_convertvector(__builtin_shufflevector(a, a, 0, 1), vd2); }

/*
 * Exact fused multiply-adds of the first two lanes, without the instruction. The product of two floats is exact in
 * double; its sum with c is rounded to odd, after which rounding to float is as if there had been one rounding only.
 * Source: Boldo and Melquiond (2008), "Emulation of a FMA and correctly rounded sums: proved algorithms using
 * rounding to odd", with Knuth's TwoSum for the error of the sum.
 */
SK_INLINE vf2 fma_of_two(vf a, vf b, vf c) {
  const vd2 product = widen(a) * widen(b), addend = widen(c);
  const vd2 sum = product + addend;
  const vd2 virtual_addend = sum - product;
  const vd2 error = (product - (sum - virtual_addend)) + (addend - virtual_addend);
  /* To the odd neighbour: away from zero if the error has the sum's sign, else towards it. Comparisons are false for no
   * error, and for the NaN error of an infinite sum, which so stays as it is. */
  const vl2 bits = (vl2)sum, signs_differ = (vl2)((vu2)(bits ^ (vl2)error) >> 63);
  const vl2 inexact = (error < 0) | (error > 0), even = (bits & 1) - 1;
  return __builtin_convertvector((vd2)(bits + ((1 - 2 * signs_differ) & inexact & even)), vf2);
}

SK_INLINE vf last_two(vf a) { return __builtin_shufflevector(a, a, 2, 3, 2, 3); }

SK_INLINE vf vfma(vf a, vf b, vf c) {
  const vf2 low = fma_of_two(a, b, c), high = fma_of_two(last_two(a), last_two(b), last_two(c));
  return __builtin_shufflevector(low, high, 0, 1, 2, 3);
}

#endif

SK_INLINE vf vselect(vmask take, vf a, vf b) { return (vf)((take & (vmask)a) | (~take & (vmask)b)); }
SK_INLINE vf vmaximum(vf m, vf v) { return vselect((v > m) | (v != v), v, m); }
SK_INLINE vf vraise(vf low, vf v) { return vselect(low > v, low, v); }
SK_INLINE vf vlower(vf high, vf v) { return vselect(high < v, high, v); }
SK_INLINE vf vrelu(vf v) { return (vf)(~(v < 0) & (vmask)v); }

SK_INLINE vf vgather(const float *base, const int32_t *offset) {
  return (vf){base[offset[0]], base[offset[1]], base[offset[2]], base[offset[3]]};
}

SK_INLINE vf vpermute(const float *base, size_t first, const int32_t *offset) {
  (void)first;
  return vgather(base, offset);
}

SK_INLINE vf vspread4(const float *from, size_t j) { return vset1(from[j]); }

/* sleef.h declares it only where the compiler may use FMA; the library has it always. */
float Sleef_finz_expf1_u10purecfma(float);

SK_INLINE float exp1(float a, bool hardware_fma) {
#if defined(__aarch64__)
  (void)hardware_fma;
  return Sleef_finz_expf1_u10purecfma(a);
#else
  return hardware_fma ? Sleef_finz_expf1_u10purecfma(a) : Sleef_cinz_expf1_u10purec(a);
#endif
}

SK_INLINE vf vexp(vf v, bool hardware_fma) {
  return (vf){exp1(v[0], hardware_fma), exp1(v[1], hardware_fma), exp1(v[2], hardware_fma), exp1(v[3], hardware_fma)};
}
