/* Graphs of a single layer: input -> conv [-> batch norm] [-> relu], cut out of a network or made from a shape. */
#ifndef SK_BENCH_LAYER_GRAPH_H
#define SK_BENCH_LAYER_GRAPH_H

#include "bench/shapes.h"
#include "resnet/fuse.h"

/* Cut a fused convolution out of a network, with the network's own weights, which must outlive the layer's. A residual
 * addition is left out: what it would add is not there. The layer must be empty, and be destroyed whatever the outcome.
 * Errors: SK_OUT_OF_MEMORY. */
sk_status sk_layer_graph_cut(struct sk_graph *layer, const struct sk_graph *network, const struct sk_step *step);

/* Make a layer from a shape, with a bias and seeded random weights, which the caller closes. Likewise.
 * Errors: those of sk_graph_add, SK_OUT_OF_MEMORY. */
sk_status sk_layer_graph_make(struct sk_graph *layer, sk_weights **weights, const struct sk_named_shape *shape,
                              uint64_t seed);

#endif
