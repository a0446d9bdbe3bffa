/*
 * One layer of a network by itself: what it must make of the inputs that it had, how far rounding can carry a kernel
 * from that, and how far it may be expected to.
 *
 * The bound is proven (docs/numerics.md). The variance is an estimate: roundings as independent errors of the mean
 * square that significands spread by Benford's law have, and sums as random walks. It carries the errors of the inputs
 * on, so that the last layer's is the end-to-end estimate of the network.
 */
#ifndef SK_BENCH_VERIFY_LAYER_H
#define SK_BENCH_VERIFY_LAYER_H

#include "reference/winograd.h"
#include "resnet/fuse.h"

/* Of one image: [channels][height][width] of what the step reads. */
struct sk_layer_inputs {
  const float *x, *residual;                    /* residual: NULL unless the step has a second input */
  const double *x_variance, *residual_variance; /* mean squares of their errors */
};

/* How a layer was run. */
struct sk_layer_mode {
  sk_algorithm algorithm; /* of a convolution */
  bool flush_denormals;
};

struct sk_layer_oracle {
  size_t count; /* elements of the step's output */
  double *exact, *bound, *variance;
};

/* Compute what a step makes of its inputs: the graph's operators in double precision, a batch norm applied to the
 * weights. graph: with its weights bound. Free the oracle whatever the outcome.
 * Errors: SK_UNSUPPORTED (Winograd whose matrices the reference lacks), SK_INVALID_ARGUMENT, SK_OUT_OF_MEMORY. */
sk_status sk_layer_oracle_compute(struct sk_layer_oracle *oracle, const struct sk_graph *graph,
                                  const struct sk_step *step, struct sk_layer_mode mode,
                                  const struct sk_layer_inputs *inputs);
void sk_layer_oracle_free(struct sk_layer_oracle *oracle);

/* How many times the mean square error of a direct sum Winograd's has, per term and rounding:
 * (mean_i sum_j A^T[i][j]^2 (sum_k G[j][k]^2) (sum_t B^T[j][t]^2))^2 / r^2, which is 1 for direct convolution. */
double sk_winograd_noise(const sk_reference_winograd *winograd);

#endif
