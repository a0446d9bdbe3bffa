/* A network evaluated as its graph says: no fusion, no folding, double precision throughout. */
#ifndef SK_REFERENCE_NETWORK_H
#define SK_REFERENCE_NETWORK_H

#include "resnet/graph.h"

/* Called after each node. output: [batch][channels][height][width] of the node, valid during the call. */
typedef void sk_reference_network_callback(void *user, size_t node, const double *output);

/* Evaluate a graph whose weights are bound (sk_network_load). Memory is freed as soon as an output has had its last
 * use.
 * x: [batch] images of the graph's input; y: [batch] outputs of its last node; callback: NULL for none.
 * Errors: SK_INVALID_ARGUMENT (sizes that overflow), SK_OUT_OF_MEMORY. */
sk_status sk_reference_network_run(const struct sk_graph *graph, size_t batch, const float *x, double *y,
                                   sk_reference_network_callback *callback, void *user);

/* Evaluate one node, not an input, on arrays of its own.
 * inputs: [batch] outputs of the node's inputs, the second NULL unless there are two; y: [batch] outputs.
 * Errors: SK_INVALID_ARGUMENT, SK_OUT_OF_MEMORY (both of its parameters). */
sk_status sk_reference_node_run(const struct sk_graph *graph, size_t node, size_t batch, const double *const inputs[2],
                                double *y);

#endif
