/* Constants of an ONNX model, wherever and however the file has them, as tensors of one kind. */
#ifndef SK_RESNET_ONNX_TENSOR_H
#define SK_RESNET_ONNX_TENSOR_H

#include "onnx/onnx.pb-c.h"
#include "resnet/onnx_external.h"
#include "resnet/weights.h"

/* A constant, whose elements lie little-endian one behind the other. */
struct sk_onnx_constant {
  struct sk_weight_tensor tensor; /* of integers: SK_DTYPE_OTHER */
  int32_t type;                   /* ONNX's */
};

/* Everything that a model's tensors point into: what the file was unpacked to, the files beside it, and memory for what
 * is in none of them. Zeroed but for the folder and the limit, it is empty. */
struct sk_onnx_storage {
  Onnx__ModelProto *model;
  struct sk_onnx_files files;
  void **blocks;
  size_t count, capacity;
  size_t bytes, bytes_max; /* in the blocks */
};

void sk_onnx_storage_free(struct sk_onnx_storage *storage);

/* Allocate zeroed memory that lives as long as the storage. what: whose it is, for messages.
 * Errors: SK_UNSUPPORTED (over bytes_max in all), SK_OUT_OF_MEMORY. */
sk_status sk_onnx_storage_take(struct sk_onnx_storage *storage, const char *what, size_t bytes, void **memory);

/* Take a tensor of an ONNX file. what: whose it is, for messages. The constant lives as long as the storage.
 * Errors: SK_BAD_FORMAT (sizes that overflow or do not fit the data), SK_UNSUPPORTED (an element type other than FLOAT,
 * FLOAT16, BFLOAT16, INT32 and INT64, a rank over SK_TENSOR_MAX_RANK), those of external data. */
sk_status sk_onnx_constant_make(struct sk_onnx_storage *storage, const char *what, const Onnx__TensorProto *proto,
                                const struct sk_onnx_constant **constant);

/* Make a float32 tensor of one's own, which lives as long as the storage; *data receives its elements to fill. */
sk_status sk_onnx_tensor_new(struct sk_onnx_storage *storage, const char *name, size_t rank, const size_t *shape,
                             const struct sk_weight_tensor **tensor, float **data);

/* The other view of a constant's elements: as many, in another shape. */
sk_status sk_onnx_constant_reshape(struct sk_onnx_storage *storage, const struct sk_onnx_constant *constant,
                                   size_t rank, const size_t *shape, const struct sk_onnx_constant **reshaped);

/* Integer number `index` of a constant of INT32 or INT64. */
int64_t sk_onnx_constant_integer(const struct sk_onnx_constant *constant, size_t index);
bool sk_onnx_constant_is_integer(const struct sk_onnx_constant *constant);

/* Name an element type: "FLOAT16"; a number that the schema lacks is "an unknown type". */
const char *sk_onnx_type_name(int32_t type);

#endif
