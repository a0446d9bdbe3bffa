/*
 * Operators that only move elements, on NCHW16c tensors: no kernels, for there is nothing to compute. They spread their
 * planes over the threads and leave the output's halo, and its lanes without a channel, zero. Shapes are the caller's
 * duty; none of these can fail.
 */
#ifndef SK_DISPATCH_OPS_MOVE_H
#define SK_DISPATCH_OPS_MOVE_H

#include "dispatch/tensor.h"

/* Rows and columns of `value` around every channel. */
struct sk_padding {
  size_t top, bottom, left, right;
  float value;
};

/* Shortcut A of He et al. (2015), section 3.3: y[n][c + pad][i][j] = x[n][c][i*stride][j*stride], other channels zero;
 * pad = (y->channels - x->channels) / 2. */
void sk_op_subsample(size_t stride, size_t batch, const struct sk_tensor *x, const struct sk_tensor *y, int threads);

/* y[n] = the channels of a[n], then those of b[n]. */
void sk_op_concat(size_t batch, const struct sk_tensor *a, const struct sk_tensor *b, const struct sk_tensor *y,
                  int threads);

/* y[n][c][i + top][j + left] = x[n][c][i][j], `value` elsewhere. */
void sk_op_pad(const struct sk_padding *padding, size_t batch, const struct sk_tensor *x, const struct sk_tensor *y,
               int threads);

/* y[n][(c * height + i) * width + j][0][0] = x[n][c][i][j]. */
void sk_op_flatten(size_t batch, const struct sk_tensor *x, const struct sk_tensor *y, int threads);

#endif
