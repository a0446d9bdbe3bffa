/* Tensors by name for the nodes of a graph. */
#ifndef SK_RESNET_BIND_H
#define SK_RESNET_BIND_H

#include "resnet/graph.h"

/* Bind every parameter of a graph to its tensor. torchvision's, timm's and the CIFAR networks' names are told apart by
 * themselves: fc or linear, downsample or shortcut, with or without the prefix "module." of DataParallel.
 * model: the graph's name, for messages.
 * Errors: SK_BAD_FORMAT for a missing, misshapen or unknown tensor, or one that does not hold floating point values;
 * *.num_batches_tracked is passed over. */
sk_status sk_graph_bind(struct sk_graph *graph, const char *model, const sk_weights *weights);

/* Find the tensor called `name` (such as "fc.weight") under any of the names it may have; NULL if there is none. */
const struct sk_weight_tensor *sk_bind_find(const sk_weights *weights, const char *name);

#endif
