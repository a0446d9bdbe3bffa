/* One convolution ready to be timed on tensors: from a graph of input -> conv [-> batch norm] [-> relu]. */
#ifndef SK_BENCH_CONV_SUBJECT_H
#define SK_BENCH_CONV_SUBJECT_H

#include "dispatch/conv.h"
#include "resnet/graph.h"

struct sk_conv_request {
  const struct sk_kernel_table *kernels;
  sk_algorithm algorithm;
  int threads;
  bool flush_denormals;
  size_t max_bytes;             /* as in sk_conv_options */
  const struct sk_graph *graph; /* weights bound */
};

/* Zeroed, it is empty. */
struct sk_conv_subject {
  sk_conv *plan;
  const struct sk_kernel_table *kernels;
  size_t batch;
  int threads;
  struct sk_tensor x, y;
  void *workspace;
  struct sk_arena arena; /* of weights, tensors and workspace: two subjects alike lie alike, or one is 3% slower */
};

/* Plan the convolution with its batch norm folded, and copy x[batch][channels][height][width] into a tensor. Free
 * whatever the outcome. Errors: SK_UNSUPPORTED (an algorithm that does not apply), SK_INVALID_ARGUMENT,
 * SK_OUT_OF_MEMORY.
 */
sk_status sk_conv_subject_make(struct sk_conv_subject *subject, const struct sk_conv_request *request, size_t batch,
                               const float *x);
void sk_conv_subject_free(struct sk_conv_subject *subject);

void sk_conv_subject_run(const struct sk_conv_subject *subject);

/* Copy the output: y[batch][channels][height][width]. */
void sk_conv_subject_output(const struct sk_conv_subject *subject, float *y);

#endif
