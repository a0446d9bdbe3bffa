/* Networks as ONNX files, which every other runtime reads. */
#ifndef SK_BENCH_ONNX_WRITE_H
#define SK_BENCH_ONNX_WRITE_H

#include "resnet/graph.h"

#define SK_ONNX_BYTES_MAX INT32_MAX /* of a file: protobuf counts bytes in 31 bits */

/* Write a graph as an ONNX model, operator set 13, all or nothing: each node as it is (batch norms are not folded), its
 * output called by the node's name, its parameters by torch's ("conv1.weight") and in float32.
 *
 * Outputs have the graph's shapes, [batch][channels][height][width], but those of a flatten, a dense layer and what
 * follows are [batch][channels]. batch: 0 leaves it open, as "N".
 * Requires: the names of nodes are distinct.
 * Errors: SK_INVALID_ARGUMENT (an empty graph, or one whose weights are not bound), SK_UNSUPPORTED (a model over
 * SK_ONNX_BYTES_MAX; a build without protobuf-c), SK_OUT_OF_MEMORY, SK_IO_ERROR. */
sk_status sk_onnx_write(const struct sk_graph *graph, size_t batch, const char *path);

#endif
