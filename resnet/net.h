/* Planning a network from a graph, however that came about. */
#ifndef SK_RESNET_NET_H
#define SK_RESNET_NET_H

#include "resnet/fuse.h"

/* Plan a graph whose weights are bound, as sk_net_create plans a named one; the graph moves into the net, or is
 * destroyed on failure: *graph is empty afterwards. The weights are copied. model: its name, for messages. Of the
 * options, those that shape a named network (in_height, in_width, classes, version, softmax) are not looked at. */
sk_status sk_net_create_from_graph(sk_net **net, const char *model, struct sk_graph *graph,
                                   const sk_net_options *options);

/* The steps that a net runs, one for each layer. Their nodes are those of the graph that it was made from. */
const struct sk_schedule *sk_net_schedule(const sk_net *net);

/* Copy what a layer has just made of the only image of a run: from the callback for that layer, for the memory goes to
 * later layers. out: [channels][height][width] of the step's output. */
void sk_net_copy_layer(const sk_net *net, size_t layer, const void *workspace, float *out);

#endif
