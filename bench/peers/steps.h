/* What the peers in the process need of fused steps: their weights in plain order, and their pads. */
#ifndef SK_BENCH_PEERS_STEPS_H
#define SK_BENCH_PEERS_STEPS_H

#include "resnet/fuse.h"

/* Fuse a graph, without taps. Destroy the schedule whatever the outcome. Errors: SK_OUT_OF_MEMORY. */
sk_status sk_steps_make(struct sk_schedule *schedule, const struct sk_graph *graph);

/* The weights of a convolution or dense layer, batch norm folded in. A peer has no subsampling by shortcut A: that is a
 * 1x1 convolution whose weights are an identity, shifted by the zero channels; and a batch norm by itself a 1x1
 * convolution of a group per channel. */
struct sk_step_weights {
  sk_conv_shape conv; /* batch 1; a dense layer's is a 1x1 convolution of one pixel */
  size_t count;       /* of weights */
  float *weights;     /* [out_channels][in_channels / groups][kernel_height][kernel_width] */
  float *bias;        /* [out_channels], zeros if there is none */
};

/* Whether a step has weights as above. */
bool sk_step_has_weights(const struct sk_step *step);

/* Read a step's weights. Free them whatever the outcome. Errors: SK_OUT_OF_MEMORY. */
sk_status sk_step_weights_read(struct sk_step_weights *weights, const struct sk_graph *graph,
                               const struct sk_step *step);
void sk_step_weights_free(struct sk_step_weights *weights);

/* Whether peers have what a step does beyond what its operator says: no clip behind it, equal shapes added. */
bool sk_step_is_common(const struct sk_graph *graph, const struct sk_step *step);

/* Pads after the last pixel that make a window fit `outputs` times: a pool that rounds its size up takes more than it
 * was given. */
size_t sk_pad_after(size_t inputs, size_t outputs, size_t kernel, size_t stride, size_t dilation, size_t pad_before);

/* Whether an average pool is one of every library: it is not dilated, and it has no pads or does not count them. */
bool sk_pool_is_common(const struct sk_pool_shape *pool);

#endif
