/*
 * Reference operators: what every kernel must compute, in double precision and in the plainest loops.
 *
 * Nothing here is fast, and nothing here is shared with the kernels: a reference that borrowed their code would
 * borrow their faults. It depends on skiplane.h for sk_conv_shape and on nothing else.
 *
 * Conventions of this header
 *   Arrays      row-major, written as name[dim][dim]; plain NCHW activations and OIHW weights.
 *   Requires    valid sizes, products of sizes that fit in size_t, pointers that are not NULL unless said so.
 *               Nothing is checked: the callers are tests.
 *   Aliasing    element-wise operators may work in place; no other overlap.
 */
#ifndef SK_REFERENCE_REFERENCE_H
#define SK_REFERENCE_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "skiplane.h"

/* ---- Convolution and dense --------------------------------------------------------------------------------- */

/* Compute the output's height and width: floor((in + pads - dilation*(kernel-1) - 1) / stride) + 1.
 * Requires: a kernel no larger than the padded input. */
void sk_reference_conv_output_size(const sk_conv_shape *shape, size_t *out_height, size_t *out_width);

/* Convolve (as deep learning has it: correlate).
 *
 *   y[n][k][i][j] = bias[k] + sum_{c,r,s} weights[k][c][r][s] * x[n][first(k) + c][row(i,r)][column(j,s)]
 *   row(i,r) = i*stride_height + r*dilation_height - pad_top;  column(j,s) likewise
 *   first(k) = the first input channel of k's group
 *
 * Padding is data equal to zero, not an absent tap: an infinite weight on it gives NaN, as it would if the array
 * were padded first.
 *
 * x: [batch][in_channels][in_height][in_width]; weights: [out_channels][in_channels/groups][kernel_height]
 * [kernel_width]; bias: [out_channels] or NULL; y: [batch][out_channels][out_height][out_width];
 * magnitude: like y, or NULL: receives |bias| + sum |weights| * |x|, to which an error bound is relative. */
void sk_reference_conv(const sk_conv_shape *shape, const double *x, const double *weights, const double *bias,
                       double *y, double *magnitude);

/* Apply a dense layer: y[n][o] = bias[o] + sum_i weights[o][i] * x[n][i].
 * x: [batch][inputs]; weights: [outputs][inputs]; bias: [outputs] or NULL; y: [batch][outputs];
 * magnitude: like y, or NULL: receives |bias| + sum |weights| * |x|. */
void sk_reference_dense(size_t batch, size_t inputs, size_t outputs, const double *x, const double *weights,
                        const double *bias, double *y, double *magnitude);

/* ---- Element-wise ------------------------------------------------------------------------------------------ */

/* Normalise by statistics of the training set.
 *
 *   y[n][c][p] = gamma[c] * (x[n][c][p] - mean[c]) / sqrt(variance[c] + epsilon) + beta[c]
 *
 * x, y: [batch][channels][pixels]; gamma, beta, mean, variance: [channels]. */
void sk_reference_batch_norm(size_t batch, size_t channels, size_t pixels, const double *x, const double *gamma,
                             const double *beta, const double *mean, const double *variance, double epsilon, double *y);

/* Rectify: y[i] = x[i] < 0 ? 0 : x[i], which keeps NaN and -0.
 * x, y: [count]. */
void sk_reference_relu(size_t count, const double *x, double *y);

/* Add: y[i] = a[i] + b[i].
 * a, b, y: [count]. */
void sk_reference_add(size_t count, const double *a, const double *b, double *y);

/* Multiply: y[i] = a[i] * b[i].
 * a, b, y: [count]. */
void sk_reference_multiply(size_t count, const double *a, const double *b, double *y);

/* Repeat each value: y[i][p] = x[i].
 * x: [count]; y: [count][pixels]. */
void sk_reference_broadcast(size_t count, size_t pixels, const double *x, double *y);

/* Clip: y[i] = min(max(x[i], minimum), maximum); NaN stays NaN.
 * x, y: [count]. */
void sk_reference_clip(size_t count, const double *x, double minimum, double maximum, double *y);

/* Apply the logistic function: y[i] = 1 / (1 + exp(-x[i])).
 * x, y: [count]. */
void sk_reference_sigmoid(size_t count, const double *x, double *y);

/* ---- Moving ------------------------------------------------------------------------------------------------ */

/* Concatenate along the channels.
 * a: [batch][a_count]; b: [batch][b_count], channels times pixels each; y: [batch][a_count + b_count]. */
void sk_reference_concat(size_t batch, size_t a_count, size_t b_count, const double *a, const double *b, double *y);

typedef struct sk_reference_padding {
  size_t planes, height, width; /* of the input; planes are images times channels */
  size_t top, bottom, left, right;
  double value;
} sk_reference_padding;

/* Pad each plane: y[p][i + top][j + left] = x[p][i][j], and value elsewhere.
 * x: [planes][height][width]; y: [planes][top + height + bottom][left + width + right]. */
void sk_reference_pad(const sk_reference_padding *padding, const double *x, double *y);

/* ---- Pooling ----------------------------------------------------------------------------------------------- */

typedef struct sk_reference_pool_shape {
  size_t batch, channels, height, width; /* of the input */
  size_t kernel_height, kernel_width;
  size_t stride_height, stride_width;
  size_t pad_top, pad_bottom, pad_left, pad_right; /* each less than the kernel */
  size_t dilation_height, dilation_width;
  bool ceil_mode;         /* a last window may hang over the edge */
  bool ceil_past_input;   /* and then start in the bottom or right padding */
  bool count_include_pad; /* average pooling: padding counts in the divisor */
} sk_reference_pool_shape;

/* Compute the pooled height and width: round((in + pads - dilation*(kernel-1) - 1) / stride) + 1, where round is floor,
 * or ceiling in ceil_mode; but there a window that would start in the right or bottom padding is dropped, or with
 * ceil_past_input only one that would start behind that.
 * Requires: a kernel no larger than the padded input.
 * Source: pooling_output_shape in PyTorch's ATen/native/Pool.h. */
void sk_reference_pool_output_size(const sk_reference_pool_shape *shape, size_t *out_height, size_t *out_width);

/* Take the maximum over each window; padding is absent.
 *
 *   y[n][c][i][j] = max_{r,s} x[n][c][i*stride - pad + r*dilation][j*stride - pad + s*dilation]
 *
 * A NaN in the window gives NaN. A window without a tap on the input gives -infinity.
 * x: [batch][channels][height][width]; y: [batch][channels][out_height][out_width]. */
void sk_reference_max_pool(const sk_reference_pool_shape *shape, const double *x, double *y);

/* Average each window: the sum of its taps on the input, over a count.
 * The count is of the window's taps within the padded input when count_include_pad, and within the input when not:
 * a tap beyond the padding, which ceil_mode can reach, never counts. A count of 0 gives NaN.
 * x: [batch][channels][height][width]; y: [batch][channels][out_height][out_width].
 * Source: avg_pool2d of PyTorch. */
void sk_reference_average_pool(const sk_reference_pool_shape *shape, const double *x, double *y);

/* Average each channel: y[n][c] = sum_p x[n][c][p] / pixels.
 * x: [batch][channels][pixels]; y: [batch][channels]. */
void sk_reference_global_average_pool(size_t batch, size_t channels, size_t pixels, const double *x, double *y);

/* ---- Softmax ----------------------------------------------------------------------------------------------- */

/* Turn logits into probabilities, of each pixel by itself.
 *
 *   y[n][i][p] = exp(x[n][i][p] - m) / sum_j exp(x[n][j][p] - m), m = max_j x[n][j][p]
 *
 * Classes with a NaN or +infinity, or of nothing but -infinity, give NaN in all.
 * x, y: [batch][classes][pixels]. */
void sk_reference_softmax(size_t batch, size_t classes, size_t pixels, const double *x, double *y);

/* ---- Layout ------------------------------------------------------------------------------------------------ */

/* NCHW16c is [batch][ceil(channels/16)][height + 2*halo][width + 2*halo][16]: blocks of 16 channels innermost, with
 * the halo and the lanes past the last channel zero. These functions move float32 and change no bit of it. */
#define SK_REFERENCE_CHANNEL_BLOCK 16

/* Number of elements of an NCHW16c array. */
size_t sk_reference_nchw16c_size(size_t batch, size_t channels, size_t height, size_t width, size_t halo);

/* Block NCHW: x[batch][channels][height][width] to y in NCHW16c, every element of it written. */
void sk_reference_nchw_to_nchw16c(size_t batch, size_t channels, size_t height, size_t width, size_t halo,
                                  const float *x, float *y);

/* Unblock to NCHW: x in NCHW16c to y[batch][channels][height][width]. */
void sk_reference_nchw16c_to_nchw(size_t batch, size_t channels, size_t height, size_t width, size_t halo,
                                  const float *x, float *y);

/* Block NHWC: x[batch][height][width][channels] to y in NCHW16c, every element of it written. */
void sk_reference_nhwc_to_nchw16c(size_t batch, size_t channels, size_t height, size_t width, size_t halo,
                                  const float *x, float *y);

/* Unblock to NHWC: x in NCHW16c to y[batch][height][width][channels]. */
void sk_reference_nchw16c_to_nhwc(size_t batch, size_t channels, size_t height, size_t width, size_t halo,
                                  const float *x, float *y);

#endif
