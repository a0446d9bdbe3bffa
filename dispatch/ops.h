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
  size_t dilation_height, dilation_width;
  size_t pad_top, pad_bottom, pad_left, pad_right;
  bool ceil_mode;
  bool ceil_past_input;   /* in ceil_mode: whether the last window may start behind the input */
  bool count_include_pad; /* average pool only */
};

/* Compute a pool's output size: in ceil_mode the last window must start inside the input or its padding in front, which
 * is torch's rule, unless ceil_past_input lets it start in the padding behind, as ONNX has it before opset 22. A window
 * without a tap on the input gives -infinity as a maximum and 0 / 0 as an average of what counts no padding.
 * Errors: SK_INVALID_ARGUMENT for a zero size, padding as large as the kernel, or a window larger than the padded
 * input. */
sk_status sk_pool_output_size(const struct sk_pool_shape *pool, size_t in_height, size_t in_width, size_t *out_height,
                              size_t *out_width);

void sk_op_max_pool(struct sk_engine engine, const struct sk_pool_shape *pool, size_t batch, const struct sk_tensor *x,
                    const struct sk_tensor *y);
void sk_op_average_pool(struct sk_engine engine, const struct sk_pool_shape *pool, size_t batch,
                        const struct sk_tensor *x, const struct sk_tensor *y);

/* y[n][c][0][0] = mean of x[n][c]. */
void sk_op_global_average_pool(struct sk_engine engine, size_t batch, const struct sk_tensor *x,
                               const struct sk_tensor *y);

/* y = act(a + b). b may have height and width 1: one value for all pixels of its channel. y may be a, or a b of its
 * shape.
 */
void sk_op_add(struct sk_engine engine, bool relu, size_t batch, const struct sk_tensor *a, const struct sk_tensor *b,
               const struct sk_tensor *y);

/* y = act(x * scale[c] + shift[c]); scale, shift: [16 * ceil(channels/16)]. y may be x. */
void sk_op_batch_norm(struct sk_engine engine, bool relu, size_t batch, const struct sk_tensor *x, const float *scale,
                      const float *shift, const struct sk_tensor *y);

void sk_op_relu(struct sk_engine engine, size_t batch, const struct sk_tensor *x, const struct sk_tensor *y);

/* y = a * b, otherwise as sk_op_add. */
void sk_op_multiply(struct sk_engine engine, size_t batch, const struct sk_tensor *a, const struct sk_tensor *b,
                    const struct sk_tensor *y);

/* y = min(max(x, minimum), maximum), of NaN NaN. y may be x. */
void sk_op_clip(struct sk_engine engine, struct sk_clip_bounds bounds, size_t batch, const struct sk_tensor *x,
                const struct sk_tensor *y);

/* y = 1 / (1 + exp(-x)). y may be x. */
void sk_op_sigmoid(struct sk_engine engine, size_t batch, const struct sk_tensor *x, const struct sk_tensor *y);

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

/* y[n] = dense(x[n]). x, y: height and width 1. */
void sk_op_dense(struct sk_engine engine, const struct sk_dense *dense, size_t batch, const struct sk_tensor *x,
                 const struct sk_tensor *y);

/* y[n][:][i][j] = softmax(x[n][:][i][j]), over the channels. y may be x. */
void sk_op_softmax(struct sk_engine engine, size_t batch, const struct sk_tensor *x, const struct sk_tensor *y);

#endif
