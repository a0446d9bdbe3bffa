/*
 * From an ONNX model to a graph: what all the operators' importers share. They are in onnx_window.c (convolution and
 * pools), onnx_dense.c, onnx_elementwise.c, onnx_shape.c and onnx_pad.c, one function for each operator, in one table
 * (onnx_import.c).
 *
 * A value of ONNX's graph is a constant, or an activation: [batch], [batch][channels], [batch][channels][width] or
 * [batch][channels][height][width], whose sizes behind the batch are those of a node of our graph.
 */
#ifndef SK_RESNET_ONNX_IMPORT_H
#define SK_RESNET_ONNX_IMPORT_H

#include "resnet/graph.h"
#include "resnet/onnx_tensor.h"
#include "resnet/text.h"

enum {
  SK_ONNX_MAX_RANK = 4, /* of an activation */
  SK_ONNX_MIN_OPSET = 7,
  SK_ONNX_MAX_OPSET = 21,
  SK_ONNX_NAME_BYTES = 512 /* of a name, at most */
};

enum sk_onnx_kind {
  SK_ONNX_UNDEFINED, /* until the node that makes it has had its turn */
  SK_ONNX_CONSTANT,
  SK_ONNX_ACTIVATION,
  SK_ONNX_UNAVAILABLE /* an output that is not made, such as the indices of a pool */
};

struct sk_onnx_value {
  const char *name;
  enum sk_onnx_kind kind;
  const Onnx__NodeProto *maker;  /* NULL: an input or an initialiser */
  size_t readers;                /* among the nodes that the output needs, the output itself included */
  const Onnx__NodeProto *reader; /* one of them; NULL: the output */
  const struct sk_onnx_constant *constant;
  size_t rank, shape[SK_ONNX_MAX_RANK]; /* of an activation; shape[0] is the batch */
  size_t node;                          /* of our graph */
  size_t pads[4]; /* zeros that the convolution which reads it has to put around it: top, left, bottom, right */
  bool is_padded; /* whether there are such */
  size_t stride;  /* of the pixels that the padding of channels which reads it has to take; 0: none */
  bool is_wanted; /* whether the output needs it */
};

struct sk_onnx_import {
  const char *source; /* the file's name, safe for messages */
  struct sk_onnx_storage *storage;
  const Onnx__GraphProto *model;
  int64_t opset;
  struct sk_graph *graph;       /* what becomes of it */
  struct sk_onnx_value *values; /* sorted by name */
  size_t value_count;
  const char **node_names; /* sorted; those that are not empty */
  size_t node_name_count;

  /* The node whose turn it is. */
  const Onnx__NodeProto *node;
  char what[2 * SK_QUOTED_LIMIT + 96]; /* "model.onnx: node "conv1" (Conv)", for messages */
};

/* Import the model that the storage holds into an empty graph, whose weights are bound to the storage's tensors.
 * Destroy the graph whatever the outcome. source: the file's name, safe for messages. input: [4], zeros where the
 * file's own. Errors: SK_BAD_FORMAT, SK_UNSUPPORTED, SK_INVALID_ARGUMENT (an input's size that is open, or not the
 * file's), SK_OUT_OF_MEMORY; the message names the file and the node. */
sk_status sk_onnx_import_graph(struct sk_graph *graph, struct sk_onnx_storage *storage, const char *source,
                               const size_t input[SK_ONNX_MAX_RANK]);

/* ---- Messages ----------------------------------------------------------------------------------------------- */

/* Fail because of the current node: `model.onnx: node "conv1" (Conv): <message>`. */
sk_status sk_onnx_refuse(const struct sk_onnx_import *import, sk_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __clang_analyzer__
/* As for sk_fail: never SK_OK. */
#define sk_onnx_refuse(import, status, ...) ((sk_onnx_refuse)(import, status, __VA_ARGS__), (status))
#endif

/* A shape for messages: "[1, 64, 56, 56]". */
struct sk_onnx_shape_text {
  char text[128];
};
struct sk_onnx_shape_text sk_onnx_shape_text(size_t rank, const size_t *shape);

/* ---- Values ------------------------------------------------------------------------------------------------- */

/* Collect the names of all values, each defined once, and mark those that the output needs.
 * Errors: SK_BAD_FORMAT (a name twice, or unfit for messages), SK_OUT_OF_MEMORY. */
sk_status sk_onnx_values_collect(struct sk_onnx_import *import);

/* Find a value by name; NULL if there is none. */
struct sk_onnx_value *sk_onnx_value_find(const struct sk_onnx_import *import, const char *name);

/* Whether the output needs an output of a node. */
bool sk_onnx_makes_wanted(const struct sk_onnx_import *import, const Onnx__NodeProto *node);

/* Whether a name is no node's but `node`'s, and no value's but one of its outputs. */
bool sk_onnx_name_is_free(const struct sk_onnx_import *import, const char *name, const Onnx__NodeProto *node);

/* ---- Inputs and outputs of the current node ----------------------------------------------------------------- */

/* Input number `index`; NULL if it is left out. */
const struct sk_onnx_value *sk_onnx_input(const struct sk_onnx_import *import, size_t index);

/* Take input number `index`, which must be an activation. */
sk_status sk_onnx_activation(const struct sk_onnx_import *import, size_t index, const struct sk_onnx_value **value);

/* Take input number `index`, which must be a constant or left out (NULL). name: ONNX's of the input, for messages. */
sk_status sk_onnx_constant(const struct sk_onnx_import *import, size_t index, const char *name,
                           const struct sk_onnx_constant **constant);

/* The same of floating point values, as a tensor. */
sk_status sk_onnx_weights(const struct sk_onnx_import *import, size_t index, const char *name,
                          const struct sk_weight_tensor **tensor);

/* The same of one floating point value; *value stays what it was if it is left out. */
sk_status sk_onnx_scalar(const struct sk_onnx_import *import, size_t index, const char *name, float *value);

/* The same of at most `most` integers in one dimension; *count is SIZE_MAX if it is left out. */
sk_status sk_onnx_integers(const struct sk_onnx_import *import, size_t index, const char *name, size_t most,
                           int64_t *values, size_t *count);

/* Add a node to our graph, called as the current one, whose output is the current node's first. */
sk_status sk_onnx_emit(struct sk_onnx_import *import, struct sk_node *node, size_t rank, const size_t *shape);

/* Let the current node's first output be a value that is there already, which has another shape perhaps. */
sk_status sk_onnx_pass(struct sk_onnx_import *import, const struct sk_onnx_value *value, size_t rank,
                       const size_t *shape);
sk_status sk_onnx_pass_constant(struct sk_onnx_import *import, const struct sk_onnx_constant *constant);

/* Make a float32 tensor called "<node>.<parameter>". */
sk_status sk_onnx_derive(struct sk_onnx_import *import, enum sk_parameter parameter, size_t rank, const size_t *shape,
                         const struct sk_weight_tensor **tensor, float **data);

/* The name that the current node has in our graph. */
const char *sk_onnx_node_name(const struct sk_onnx_import *import);

/* Channels, height and width of an activation's shape. */
struct sk_onnx_image {
  size_t channels, height, width;
};
struct sk_onnx_image sk_onnx_image_of(size_t rank, const size_t *shape);

/* Count an axis from the front, of `rank` axes. Errors: SK_BAD_FORMAT. */
sk_status sk_onnx_axis(const struct sk_onnx_import *import, int64_t axis, size_t rank, size_t *index);

/* ---- Attributes of the current node ------------------------------------------------------------------------- */

/* Check that each attribute is one of `names` (separated by blanks), there once, and not a subgraph. */
sk_status sk_onnx_check_attributes(const struct sk_onnx_import *import, const char *names);

/* Take an attribute; what it is unless it is there is given. Errors: SK_BAD_FORMAT for another type. */
sk_status sk_onnx_attribute_int(const struct sk_onnx_import *import, const char *name, int64_t otherwise,
                                int64_t *value);
sk_status sk_onnx_attribute_float(const struct sk_onnx_import *import, const char *name, float otherwise, float *value);

/* *values is NULL if the attribute is not there. */
sk_status sk_onnx_attribute_ints(const struct sk_onnx_import *import, const char *name, const int64_t **values,
                                 size_t *count);

/* *text is an empty text if the attribute is not there; it is no more than 32 bytes, and cut off if longer. */
struct sk_onnx_word {
  char text[33];
};
sk_status sk_onnx_attribute_text(const struct sk_onnx_import *import, const char *name, struct sk_onnx_word *word);

/* *tensor is NULL if the attribute is not there. */
sk_status sk_onnx_attribute_tensor(const struct sk_onnx_import *import, const char *name,
                                   const Onnx__TensorProto **tensor);

bool sk_onnx_has_attribute(const struct sk_onnx_import *import, const char *name);

/* ---- The operators: each imports the current node ------------------------------------------------------------ */

sk_status sk_onnx_import_conv(struct sk_onnx_import *import);
sk_status sk_onnx_import_max_pool(struct sk_onnx_import *import);
sk_status sk_onnx_import_average_pool(struct sk_onnx_import *import);
sk_status sk_onnx_import_global_average_pool(struct sk_onnx_import *import);
sk_status sk_onnx_import_reduce_mean(struct sk_onnx_import *import);
sk_status sk_onnx_import_gemm(struct sk_onnx_import *import);
sk_status sk_onnx_import_matmul(struct sk_onnx_import *import);
sk_status sk_onnx_import_batch_norm(struct sk_onnx_import *import);
sk_status sk_onnx_import_relu(struct sk_onnx_import *import);
sk_status sk_onnx_import_sigmoid(struct sk_onnx_import *import);
sk_status sk_onnx_import_clip(struct sk_onnx_import *import);
sk_status sk_onnx_import_add(struct sk_onnx_import *import);
sk_status sk_onnx_import_mul(struct sk_onnx_import *import);
sk_status sk_onnx_import_softmax(struct sk_onnx_import *import);
sk_status sk_onnx_import_constant(struct sk_onnx_import *import);
sk_status sk_onnx_import_identity(struct sk_onnx_import *import);
sk_status sk_onnx_import_dropout(struct sk_onnx_import *import);
sk_status sk_onnx_import_flatten(struct sk_onnx_import *import);
sk_status sk_onnx_import_reshape(struct sk_onnx_import *import);
sk_status sk_onnx_import_concat(struct sk_onnx_import *import);
sk_status sk_onnx_import_pad(struct sk_onnx_import *import);
sk_status sk_onnx_import_slice(struct sk_onnx_import *import);

#endif
