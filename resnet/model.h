/* A network read from a file: a graph bound to weights that it keeps. */
#ifndef SK_RESNET_MODEL_H
#define SK_RESNET_MODEL_H

#include "resnet/graph.h"

#define SK_ONNX_DEFAULT_BYTES ((size_t)2 << 30) /* protobuf has no larger messages */

/* Read an ONNX model from memory, which may end with the call. path: the file's, for messages and for what lies beside
 * it. Errors: as sk_model_open_onnx. */
sk_status sk_model_parse_onnx(sk_model **model, const char *path, const void *data, size_t length,
                              const sk_onnx_options *options);

/* The model's graph, bound: it lasts as long as the model. */
const struct sk_graph *sk_model_graph(const sk_model *model);

/* Copy the graph, still bound to the model's weights. The copy must be empty, and be destroyed whatever the outcome.
 * Errors: SK_OUT_OF_MEMORY. */
sk_status sk_model_copy_graph(const sk_model *model, struct sk_graph *copy);

#endif
