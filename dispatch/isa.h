/* Which kernels this build has and this machine can run. */
#ifndef SK_DISPATCH_ISA_H
#define SK_DISPATCH_ISA_H

#include "kernels/kernels.h"

/* The names that a user may give an ISA, for messages; sk_isa_parse takes "auto", too. */
#define SK_ISA_CHOICES "generic, avx2, avx512, neon or sse41"

/* Resolve `wanted` as sk_isa_choose does and return its kernels. */
sk_status sk_kernels_choose(sk_isa wanted, const struct sk_kernel_table **kernels);

/* Whether this build runs an ISA's kernels by instructions of another (configure --emulate-avx512): results are as
 * good, times mean nothing. */
bool sk_isa_emulated(sk_isa isa);

/* Resolve a number of threads: 0 becomes what OpenMP gives; 1 without OpenMP. */
int sk_threads_choose(int wanted);

#endif
