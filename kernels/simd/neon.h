/* NEON of AArch64: 32 registers of 4 lanes. */
#include <arm_neon.h>
#include <sleef.h>

typedef float32x4_t vf;

#define SK_LANES 4
#define SK_TILE_PIXELS 6 /* 24 accumulators, 4 weights, 1 broadcast: 29 of 32 registers */
#define SK_TILE_BLOCKS 1

SK_INLINE vf vload(const float *from) { return vld1q_f32(from); }
SK_INLINE void vstore(float *to, vf a) { vst1q_f32(to, a); }

/* Compilers load and broadcast in one instruction (ld1r) where they can, which takes a place in the pipes of the
 * multiply-adds, on Neoverse N2 for example. From a scalar register an fmla takes one element for all lanes. */
SK_INLINE vf vset1(float a) {
  if (!__builtin_constant_p(a)) __asm__("" : "+w"(a));
  return vdupq_n_f32(a);
}

SK_INLINE vf vzero(void) { return vdupq_n_f32(0); }
SK_INLINE vf vadd(vf a, vf b) { return vaddq_f32(a, b); }
SK_INLINE vf vsub(vf a, vf b) { return vsubq_f32(a, b); }
SK_INLINE vf vmul(vf a, vf b) { return vmulq_f32(a, b); }
SK_INLINE vf vdiv(vf a, vf b) { return vdivq_f32(a, b); }
SK_INLINE vf vfma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }

SK_INLINE vf vmaximum(vf m, vf v) {
  const uint32x4_t take = vornq_u32(vcgtq_f32(v, m), vceqq_f32(v, v));
  return vbslq_f32(take, v, m);
}

/* Not fmax, which would turn -0 into +0. */
SK_INLINE vf vrelu(vf v) { return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(v), vcltzq_f32(v))); }

/* Neither fmax nor fmin, which would take a NaN from either side. */
SK_INLINE vf vraise(vf low, vf v) { return vbslq_f32(vcgtq_f32(low, v), low, v); }
SK_INLINE vf vlower(vf high, vf v) { return vbslq_f32(vcltq_f32(high, v), high, v); }

SK_INLINE vf vgather(const float *base, const int32_t *offset) {
  vf v = vld1q_dup_f32(base + offset[0]);
  v = vld1q_lane_f32(base + offset[1], v, 1);
  v = vld1q_lane_f32(base + offset[2], v, 2);
  return vld1q_lane_f32(base + offset[3], v, 3);
}

SK_INLINE vf vpermute(const float *base, size_t first, const int32_t *offset) {
  (void)first;
  return vgather(base, offset);
}

SK_INLINE vf vspread4(const float *from, size_t j) { return vset1(from[j]); }

SK_INLINE vf vexp(vf v, bool hardware_fma) {
  (void)hardware_fma;
  return Sleef_finz_expf4_u10advsimd(v);
}
