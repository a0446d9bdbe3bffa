/*
 * A named network as a graph, with or without its weights: what sk_net is planned from, and what the reference
 * evaluates as it is.
 *
 *   struct sk_graph graph = {0};
 *   sk_status status = sk_network_load(&graph, "resnet50", weights, &options);
 *   if (!status) status = sk_reference_network_run(&graph, batch, x, y, NULL, NULL);
 *   sk_graph_destroy(&graph);
 */
#ifndef SK_RESNET_NETWORK_H
#define SK_RESNET_NETWORK_H

#include "resnet/graph.h"

/* Build a model's graph. Of the options (NULL: all zero) it takes in_height, in_width, classes, version and softmax;
 * 0 stands for the model's own. The graph must be empty, and be destroyed whatever the outcome.
 * Errors: SK_INVALID_ARGUMENT (unknown model, an input below 32 x 32, sizes that overflow), SK_OUT_OF_MEMORY. */
sk_status sk_network_build(struct sk_graph *graph, const char *model, const sk_net_options *options);

/* Build a model's graph and bind weights to it, which must outlive its use. options->classes 0: as the weights have
 * it. The graph must be empty, and be destroyed whatever the outcome.
 * Errors: those of sk_network_build; SK_BAD_FORMAT (missing, unknown or misshapen tensors). */
sk_status sk_network_load(struct sk_graph *graph, const char *model, const sk_weights *weights,
                          const sk_net_options *options);

#endif
