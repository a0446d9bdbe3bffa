/* The bits of Winograd's transforms: the expressions that the contract fixes, written out a second time. */
#ifndef SK_BENCH_VERIFY_TRANSFORMS_H
#define SK_BENCH_VERIFY_TRANSFORMS_H

#include <stddef.h>

/* v = B^T d B of F(m,3), every operation rounded as the kernels must, of a tile with so many points down its columns
 * and along its rows, fewer than alpha where it is trimmed: d, v: [down][along]. */
void sk_winograd_input_bits(size_t m, size_t stride, size_t down, size_t along, const float *d, float *v);

/* y = A^T t A likewise, without bias: t: [down][along], y: [outputs down][outputs along], m of each where it is whole.
 */
void sk_winograd_output_bits(size_t m, size_t stride, size_t down, size_t along, const float *t, float *y);

/* The same of F(3,4): t[6][6], y[3][3]. */
void sk_winograd_output_bits_f3k4(const float *t, float *y);

#endif
