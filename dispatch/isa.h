/* Which kernels this build has and this machine can run. */
#ifndef SK_DISPATCH_ISA_H
#define SK_DISPATCH_ISA_H

#include "kernels/kernels.h"

/* Resolve `wanted` as sk_isa_choose does and return its kernels. */
sk_status sk_kernels_choose(sk_isa wanted, const struct sk_kernel_table **kernels);

/* Resolve a number of threads: 0 becomes what OpenMP gives; 1 without OpenMP. */
int sk_threads_choose(int wanted);

#endif
