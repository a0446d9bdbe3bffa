/*
 * Fusion: a graph as the steps that run it. A step is one call of an operator; a convolution's takes in the batch norm,
 * the residual addition and the ReLU or clip behind it.
 *
 * A node disappears into the step before it only if nobody else wants that step's output: one reader, and no tap. So a
 * tap gets exactly what torch's forward hook gets, and what fused execution does not make is made unfused around it.
 */
#ifndef SK_RESNET_FUSE_H
#define SK_RESNET_FUSE_H

#include "resnet/graph.h"

/* Inputs and outputs are called by the node whose output they are. */
struct sk_step {
  enum sk_node_op op;
  size_t node;       /* the operator's own: a fused step is named after its convolution */
  size_t input;      /* what it reads */
  size_t residual;   /* what it adds, or the second of its node's two inputs; SK_NO_NODE if nothing */
  size_t batch_norm; /* folded into the convolution; SK_NO_NODE if none */
  bool relu;         /* whether a ReLU is fused */
  size_t clip;       /* fused in place of a ReLU; SK_NO_NODE if none */
  size_t output;     /* the last node taken in */
};

struct sk_schedule {
  struct sk_step *steps;
  size_t count;
  size_t *value; /* [nodes] node whose output holds this node's: itself, or the input of a flatten that moves nothing;
                    SK_NO_NODE: not made */
  size_t nodes;
};

/* Fuse a graph. tapped[nodes]: whose outputs must be made. Destroy whatever the outcome. Errors: SK_OUT_OF_MEMORY. */
sk_status sk_schedule_make(struct sk_schedule *schedule, const struct sk_graph *graph, const bool *tapped);
void sk_schedule_destroy(struct sk_schedule *schedule);

/* Name a step: "conv+add+relu". */
const char *sk_step_op_name(const struct sk_step *step);

/* Fold a batch norm into the convolution before it: weights[outputs][per_output] *= scale[o], bias = shift[o],
 * with scale = gamma / sqrt(variance + epsilon), shift = beta + (bias - mean) * scale, formed in double precision and
 * rounded once. bias: [outputs], zeros for a convolution without. */
void sk_fold_batch_norm(const struct sk_node *batch_norm, size_t per_output, float *weights, float *bias);

/* Compute the scale and shift of a batch norm of its own: [16 * ceil(channels / 16)], zeros after the last channel. */
void sk_batch_norm_scale_shift(const struct sk_node *batch_norm, float *scale, float *shift);

#endif
