/*
 * The roofline of a layer (Williams, Waterman and Patterson, 2009): the least time that the machine allows, and what
 * sets it.
 *
 * The model. All that a layer does overlaps, so its time is at least that of its slowest part:
 *   compute   the multiplications that the algorithm really executes, at the measured peak;
 *   a level   the bytes that come from it, each once, at its measured read bandwidth (writes are counted as reads).
 * Weights come from the smallest level that holds the weights and activations in use of the whole network, for the
 * other layers run in between; activations from the smallest that holds the layer's own input, residual and output,
 * which the layer before has just written. L1 is no candidate: what comes from another layer has left it.
 */
#ifndef SK_BENCH_ROOF_H
#define SK_BENCH_ROOF_H

#include "bench/bandwidth.h"

struct sk_roof_work {
  double multiply_adds; /* executed; all counts are of one run, batch included */
  size_t weight_bytes, activation_bytes;
  size_t network_bytes; /* weights and activations in use of the whole network */
};

struct sk_roof {
  const char *name; /* "compute", "L2", "L3", "memory" */
  double seconds;   /* that it allows */
};

/* Find the roof that binds. peak: GFLOP/s of fused multiply-adds, each counted as two. */
struct sk_roof sk_roof_find(double peak, const struct sk_bandwidths *bandwidths, const struct sk_roof_work *work);

/* Multiply-adds that an algorithm executes for one image of a layer: those of direct convolution, but for Winograd's
 * F(m,3), which takes (m+2)^2 products for each tile of m x m outputs, (2m+1)^2 with stride 2, fewer for trimmed tiles
 * (kernels/winograd_points.h). */
double sk_executed_macs(const sk_layer_info *layer);

#endif
