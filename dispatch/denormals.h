/*
 * Denormals counted as zero, as inputs and as results, by one thread at a time: a bit or two of the register that
 * controls its floating-point unit. Compiled code never changes them, and a new thread has its maker's.
 */
#ifndef SK_DISPATCH_DENORMALS_H
#define SK_DISPATCH_DENORMALS_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <xmmintrin.h>

#define SK_DENORMALS_BITS UINT64_C(0x8040) /* MXCSR: flush to zero (results), denormals are zeros (inputs) */
static inline uint64_t sk_float_control(void) { return _mm_getcsr(); }
static inline void sk_float_control_set(uint64_t control) { _mm_setcsr((unsigned)control); }

#elif defined(__aarch64__)

#define SK_DENORMALS_BITS (UINT64_C(1) << 24) /* FPCR.FZ: both */
static inline uint64_t sk_float_control(void) {
  uint64_t control;
  __asm__ volatile("mrs %0, fpcr" : "=r"(control));
  return control;
}
static inline void sk_float_control_set(uint64_t control) { __asm__ volatile("msr fpcr, %0" : : "r"(control)); }

#else

#define SK_DENORMALS_BITS UINT64_C(0)
static inline uint64_t sk_float_control(void) { return 0; }
static inline void sk_float_control_set(uint64_t control) { (void)control; }

#endif

/* Whether this kind of CPU can: x86-64 and AArch64. */
static inline bool sk_denormals_can_flush(void) { return SK_DENORMALS_BITS != 0; }

/* Whether the calling thread does. */
static inline bool sk_denormals_are_flushed(void) {
  return sk_denormals_can_flush() && (sk_float_control() & SK_DENORMALS_BITS) == SK_DENORMALS_BITS;
}

/* Let the calling thread flush from here on, if that is wanted; keep what is returned for sk_denormals_leave. Nothing
 * but these two bits changes: rounding, and what has been raised, stay as they are. */
static inline uint64_t sk_denormals_enter(bool wanted) {
  if (!wanted) return 0;
  const uint64_t control = sk_float_control();
  sk_float_control_set(control | SK_DENORMALS_BITS);
  return control & SK_DENORMALS_BITS;
}

/* Let it do again what it did before. */
static inline void sk_denormals_leave(bool wanted, uint64_t before) {
  if (wanted) sk_float_control_set((sk_float_control() & ~SK_DENORMALS_BITS) | before);
}

#endif
