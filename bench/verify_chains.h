/* The bits of the direct convolution: whole convolutions of plain arrays, chain by chain as the contract has them. */
#ifndef SK_BENCH_VERIFY_CHAINS_H
#define SK_BENCH_VERIFY_CHAINS_H

#include "skiplane.h"

/*
 * Compute the chains of a convolution, without residual or ReLU: channel block, kernel row, kernel column, channel of
 * the block. Padding is data equal to zero. Arrays as in sk_conv_create and sk_conv_run; bias may be NULL.
 * Returns false if there is no memory.
 */
bool sk_conv_chains(const sk_conv_shape *shape, const float *x, const float *weights, const float *bias, float *y);

#endif
