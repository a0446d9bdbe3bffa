/* What the CPU and the operating system support together. */
#ifndef SK_DISPATCH_CPU_H
#define SK_DISPATCH_CPU_H

#include <stdbool.h>
#include <stddef.h>

bool sk_cpu_runs_sse41(void);  /* SSE4.1 */
bool sk_cpu_runs_avx2(void);   /* AVX2, FMA, and the system saves the 256-bit registers */
bool sk_cpu_runs_avx512(void); /* F, VL, BW, DQ besides, and the 512-bit and mask registers are saved */
bool sk_cpu_runs_neon(void);   /* Advanced SIMD */
bool sk_cpu_has_fma(void);     /* a fused multiply-add that scalar code may use */

/* The caches from which blocking follows; results never depend on them. */
struct sk_cpu_caches {
  size_t l1_bytes, l2_bytes, l3_bytes; /* of one core, the last of all that share it */
};

/* Ask the system for the caches' sizes: 32 KiB, 512 KiB and 8 MiB where it does not tell. */
struct sk_cpu_caches sk_cpu_caches(void);

#endif
