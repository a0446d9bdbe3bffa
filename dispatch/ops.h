/*
 * Every other operator of a network, on NCHW16c tensors. They spread their planes over `threads`, each of which flushes
 * denormals meanwhile if that is wanted, and leave the output's halo zero. Shapes are the caller's duty; none of these
 * can fail.
 */
#ifndef SK_DISPATCH_OPS_H
#define SK_DISPATCH_OPS_H

#include "dispatch/memory.h"
#include "dispatch/tensor.h"

/* Where and how an operator runs: kernels, number of threads, denormals. */
struct sk_engine {
  const struct sk_kernel_table *kernels;
  int threads;
  bool flush_denormals;
};

struct sk_pool_shape {
  size_t kernel_height, kernel_width;
  size_t stride_height, stride_width;
  size_t dilation_height, dilation_width; /* max pool only; 1 otherwise */
  size_t pad_top, pad_bottom, pad_left, pad_right;
  bool ceil_mode;
  bool count_include_pad; /* average pool only */
};

/* Compute a pool's output size by torch's rule: in ceil_mode the last window must start inside the input or its left
 * padding. Errors: SK_INVALID_ARGUMENT for a zero size, padding over half the kernel, or a window larger than the
 * padded input. */
sk_status sk_pool_output_size(const struct sk_pool_shape *pool, size_t in_height, size_t in_width, size_t *out_height,
                              size_t *out_width);

void sk_op_max_pool(struct sk_engine engine, const struct sk_pool_shape *pool, size_t batch, const struct sk_tensor *x,
                    const struct sk_tensor *y);
void sk_op_average_pool(struct sk_engine engine, const struct sk_pool_shape *pool, size_t batch,
                        const struct sk_tensor *x, const struct sk_tensor *y);

/* y[n][c][0][0] = mean of x[n][c]. */
void sk_op_global_average_pool(struct sk_engine engine, size_t batch, const struct sk_tensor *x,
                               const struct sk_tensor *y);

/* y = act(a + b). y may be a or b. */
void sk_op_add(struct sk_engine engine, bool relu, size_t batch, const struct sk_tensor *a, const struct sk_tensor *b,
               const struct sk_tensor *y);

/* y = act(x * scale[c] + shift[c]); scale, shift: [16 * ceil(channels/16)]. y may be x. */
void sk_op_batch_norm(struct sk_engine engine, bool relu, size_t batch, const struct sk_tensor *x, const float *scale,
                      const float *shift, const struct sk_tensor *y);

void sk_op_relu(struct sk_engine engine, size_t batch, const struct sk_tensor *x, const struct sk_tensor *y);

/* Shortcut A of He et al. (2015), section 3.3: y[n][c + pad][i][j] = x[n][c][i*stride][j*stride], other channels zero;
 * pad = (y->channels - x->channels) / 2. */
void sk_op_subsample(struct sk_engine engine, size_t stride, size_t batch, const struct sk_tensor *x,
                     const struct sk_tensor *y);

/* A dense layer's packed weights. */
struct sk_dense {
  size_t inputs, outputs;
  struct sk_arena *arena; /* that the weights are in; NULL: their own memory */
  float *weights;         /* [panels][inputs][SK_DENSE_PANEL] */
  float *bias;            /* [panels][SK_DENSE_PANEL] */
};

/* Pack weights[outputs][inputs] and bias[outputs] (or NULL) into an arena, or (NULL) memory of their own. Errors:
 * SK_INVALID_ARGUMENT, SK_OUT_OF_MEMORY. */
sk_status sk_dense_create(struct sk_dense *dense, size_t inputs, size_t outputs, const float *weights,
                          const float *bias, struct sk_arena *arena);
void sk_dense_destroy(struct sk_dense *dense);
size_t sk_dense_weight_bytes(const struct sk_dense *dense);

/* Whether there can be a dense layer of these sizes. Errors: SK_INVALID_ARGUMENT (none, or its weights overflow). */
sk_status sk_dense_check(size_t inputs, size_t outputs);

/* y[n] = dense(x[n]). x, y: NCHW16c of height and width 1, halo 0 (so that the channels are consecutive). */
void sk_op_dense(struct sk_engine engine, const struct sk_dense *dense, size_t batch, const struct sk_tensor *x,
                 const struct sk_tensor *y);

/* y[n] = softmax(x[n]), likewise. */
void sk_op_softmax(struct sk_engine engine, size_t batch, const struct sk_tensor *x, const struct sk_tensor *y);

#endif
