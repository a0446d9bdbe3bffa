/*
 * The vocabulary that kernels are written in: one file per ISA, the same names in each.
 *
 *   vf                     a register of SK_LANES floats
 *   SK_LANES               a divisor of 16; SK_VECTORS registers hold one block of 16 channels
 *   SK_TILE_PIXELS, _BLOCKS  register tile of the direct convolution: as many accumulators as the ISA has room for
 *   vload vstore vset1 vzero vadd vsub vmul vdiv
 *   vfma(a, b, c)          a*b + c, rounded once
 *   vaccumulate(c, a, b)   *c = a*b + *c, rounded once
 *   vaccumulate_at(c, from, b)  the same of a = vset1(*from), which the multiply-add itself reads where it can
 *   vmaximum(m, v)         v > m or v is NaN ? v : m
 *   vrelu(v)               v < 0 ? 0 : v
 *   vraise(low, v)         low > v ? low : v
 *   vlower(high, v)        high < v ? high : v
 *   vgather(base, offset)  base[offset[lane]]
 *   vpermute(base, first, offset)  the same, where each half of the lanes reads from its own half of the register at
 *                          base + first, a multiple of SK_LANES, so that the offsets' low bits tell which
 *   vspread4(from, j)      from[lane / 4 * 4 + j], 0 <= j < 4, a constant
 *   vkeep(a)               *a in a register, which gcc would load again for each of its uses; 16 lanes
 *   vhalf                  8 lanes, with vhalf_load vhalf_store vhalf_set1 vhalf_zero vhalf_fma; where SK_LANES is 16
 *   vexp(v, hardware_fma)  SLEEF's finz exponential, the same bits on every ISA
 *
 * All are static inline: an inline function shared between objects could be taken by the linker from the AVX-512
 * object and crash an older CPU.
 */
#ifndef SK_SIMD_H
#define SK_SIMD_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

#define SK_PASTE3_(a, b, c) a##b##c
#define SK_PASTE3(a, b, c) SK_PASTE3_(a, b, c)
#define SK_PASTE4_(a, b, c, d) a##b##c##d
#define SK_PASTE4(a, b, c, d) SK_PASTE4_(a, b, c, d)

/* sk_<kernel>__<isa> */
#define SK_NAME(kernel) SK_PASTE4(sk_, kernel, __, SK_ISA)

/* The compilers unroll register tiles only when told, and each has its own way to be told. Emulated registers are
 * memory: there gcc would take minutes for nothing. */
#if SK_EMULATE_AVX512
#define SK_UNROLL
#elif defined(__clang__)
#define SK_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SK_UNROLL _Pragma("GCC unroll 64")
#endif

#define SK_INLINE static inline __attribute__((always_inline))

/* SK_ISA is given on the command line: one of these five words. */
#define SK_ISA_IS_generic 1
#define SK_ISA_IS_avx2 2
#define SK_ISA_IS_avx512 3
#define SK_ISA_IS_neon 4
#define SK_ISA_IS_sse41 5
#define SK_ISA_NUMBER SK_PASTE3(SK_ISA_IS_, SK_ISA, )

#if SK_ISA_NUMBER == SK_ISA_IS_avx512
#include "kernels/simd/avx512.h"
#elif SK_ISA_NUMBER == SK_ISA_IS_avx2
#include "kernels/simd/avx2.h"
#elif SK_ISA_NUMBER == SK_ISA_IS_sse41
#include "kernels/simd/sse41.h"
#elif SK_ISA_NUMBER == SK_ISA_IS_neon
#include "kernels/simd/neon.h"
#else
#include "kernels/simd/generic.h"
#endif

/* Steps of a chain that are written out as one body of its loop, where the header keeps their sums in place. The fewer
 * instructions there are beside the multiply-adds, the less it costs when another thread shares the core's front end:
 * measured with AVX2. Elsewhere there are more multiply-adds to a step, and compilers would mix the steps, for which
 * there are not registers enough. SK_FEW_STEPS is for a loop of so few that it is written out as a whole. */
#ifdef SK_STEPS
#define SK_FEW_STEPS SK_UNROLL
#else
#define SK_STEPS 1
#define SK_FEW_STEPS
SK_INLINE void vaccumulate(vf *c, vf a, vf b) { *c = vfma(a, b, *c); }
#endif

#ifndef SK_READS_BROADCAST
SK_INLINE void vaccumulate_at(vf *c, const float *from, vf b) { vaccumulate(c, vset1(*from), b); }
#endif

/* Whether the next weights and inputs are asked for a line or two at each channel, rather than some at each tap of 16
 * channels, and what a tile's ends need after its first tap, rather than before: no more of them wait at a time than
 * the core has places for. Measured with AVX-512; with AVX2, whose channel has 12 multiply-adds, it is the instructions
 * that count. */
#ifndef SK_AHEAD_BY_CHANNEL
#define SK_AHEAD_BY_CHANNEL 0
#endif

/* The loop itself is not unrolled further. */
#if defined(__clang__)
#define SK_CHAIN_LOOP _Pragma("clang loop unroll(disable)")
#else
#define SK_CHAIN_LOOP _Pragma("GCC unroll 1")
#endif

#define SK_VECTORS (16 / SK_LANES)
#define SK_FMA_PEAK_CHAINS 12 /* latency 4 x 2 pipes and a reserve; fits the 16 registers of AVX2 */
#define SK_STREAM_CHAINS 8    /* additions of latency 4, two a cycle */
#define SK_CONV_DIRECT SK_PASTE4(conv_direct_f32_, SK_TILE_PIXELS, x, SK_TILE_BLOCKS)

#define SK_KERNEL(field, type, name) type SK_NAME(name);
#include "kernels/kernels.def"
#undef SK_KERNEL

/* Bring what lies `distance` floats from here nearer. The address may be of nothing, which a prefetch may ask for: the
 * sum is formed in integers. */
SK_INLINE void prefetch(const float *x, size_t distance) {
  __builtin_prefetch((const void *)((uintptr_t)x + distance * sizeof *x)); /* NOLINT(performance-no-int-to-ptr) */
}

/* The same of a place that is written. That it is an integer here and a pointer where it is written keeps gcc from
 * forming each address once, which leaves them on the stack in between. */
SK_INLINE void prefetch_for_writing(const float *y, size_t distance) {
  __builtin_prefetch((const void *)((uintptr_t)y + distance * sizeof *y), 1); /* NOLINT(performance-no-int-to-ptr) */
}

/* One pixel: a block of 16 channels in registers. */
struct pixel {
  vf lane[SK_VECTORS];
};

SK_INLINE struct pixel pixel_load(const float *from) {
  struct pixel pixel;
  SK_UNROLL for (size_t v = 0; v < SK_VECTORS; v++) pixel.lane[v] = vload(from + v * SK_LANES);
  return pixel;
}

SK_INLINE void pixel_store(float *to, struct pixel pixel) {
  SK_UNROLL for (size_t v = 0; v < SK_VECTORS; v++) vstore(to + v * SK_LANES, pixel.lane[v]);
}

SK_INLINE struct pixel pixel_set1(float value) {
  struct pixel pixel;
  SK_UNROLL for (size_t v = 0; v < SK_VECTORS; v++) pixel.lane[v] = vset1(value);
  return pixel;
}

SK_INLINE struct pixel pixel_add(struct pixel a, struct pixel b) {
  SK_UNROLL for (size_t v = 0; v < SK_VECTORS; v++) a.lane[v] = vadd(a.lane[v], b.lane[v]);
  return a;
}

SK_INLINE struct pixel pixel_maximum(struct pixel a, struct pixel b) {
  SK_UNROLL for (size_t v = 0; v < SK_VECTORS; v++) a.lane[v] = vmaximum(a.lane[v], b.lane[v]);
  return a;
}

SK_INLINE struct pixel pixel_relu(struct pixel a) {
  SK_UNROLL for (size_t v = 0; v < SK_VECTORS; v++) a.lane[v] = vrelu(a.lane[v]);
  return a;
}

/* NaN passes. */
SK_INLINE struct pixel pixel_clip(struct pixel a, struct pixel minimum, struct pixel maximum) {
  SK_UNROLL for (size_t v = 0; v < SK_VECTORS; v++) {
    a.lane[v] = vlower(maximum.lane[v], vraise(minimum.lane[v], a.lane[v]));
  }
  return a;
}

SK_INLINE vf vclip(vf v, struct sk_clip_bounds bounds) {
  return vlower(vset1(bounds.maximum), vraise(vset1(bounds.minimum), v));
}

/* The end of an addition: + residual, then ReLU. */
SK_INLINE struct pixel pixel_epilogue(struct pixel sum, const float *residual, bool relu) {
  if (residual) sum = pixel_add(sum, pixel_load(residual));
  return relu ? pixel_relu(sum) : sum;
}

#endif
