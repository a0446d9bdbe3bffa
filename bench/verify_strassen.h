/* Strassen's algorithm written a second time: the bits of whole convolutions, and what their bound is relative to. */
#ifndef SK_BENCH_VERIFY_STRASSEN_H
#define SK_BENCH_VERIFY_STRASSEN_H

#include "skiplane.h"

/* The number of the pair that an output pixel is of: with its partner it is mixed. */
size_t sk_strassen_pair(size_t height, size_t width, size_t pixel);

/*
 * Compute what SK_ALGORITHM_STRASSEN makes of a convolution, without residual or ReLU. Arrays as in sk_conv_create and
 * sk_conv_run; bias may be NULL. Requires: the algorithm applies.
 * Returns false if there is no memory.
 */
bool sk_strassen_bits(const sk_conv_shape *shape, const float *x, const float *weights, const float *bias, float *y);

/* Sum the absolute values of the terms of each output, without bias: those of its products, every sum of inputs and of
 * weights replaced by that of absolute values. Returns false if there is no memory. */
bool sk_strassen_magnitude(const sk_conv_shape *shape, const double *x, const double *weights, double *magnitude);

/* The same for the bias of output channel k. */
double sk_strassen_bias_magnitude(const sk_conv_shape *shape, const float *bias, size_t k);

#endif
