/* Planning a network from a graph, however that came about. */
#ifndef SK_RESNET_NET_H
#define SK_RESNET_NET_H

#include "resnet/graph.h"

/* Plan a graph whose weights are bound, as sk_net_create plans a named one; the graph moves into the net, or is
 * destroyed on failure: *graph is empty afterwards. The weights are copied. model: its name, for messages. Of the
 * options, those that shape a named network (in_height, in_width, classes, version, softmax) are not looked at. */
sk_status sk_net_create_from_graph(sk_net **net, const char *model, struct sk_graph *graph,
                                   const sk_net_options *options);

/* The node of the graph whose output layer number `layer` (sk_net_layer) makes: the last one fused into it. */
size_t sk_net_layer_node(const sk_net *net, size_t layer);

/* Copy the output of a layer of one image, out[out_channels][out_height][out_width]. Others may take its memory: to be
 * called when the layer has just finished, by the callback of sk_net_run_observed. */
void sk_net_layer_output(const sk_net *net, size_t layer, const void *workspace, float *out);

#endif
