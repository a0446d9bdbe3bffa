/* The bits of Winograd's transforms: the expressions that the contract fixes, written out a second time. */
#ifndef SK_BENCH_VERIFY_TRANSFORMS_H
#define SK_BENCH_VERIFY_TRANSFORMS_H

#include <stddef.h>

/* v = B^T d B of F(m,3), every operation rounded as the kernels must: d, v: [alpha][alpha]. */
void sk_winograd_input_bits(size_t m, size_t stride, const float *d, float *v);

/* y = A^T t A likewise, without bias: t: [alpha][alpha], y: [m][m]. */
void sk_winograd_output_bits(size_t m, size_t stride, const float *t, float *y);

#endif
