/* Named tensors: what a safetensors file holds, or what a seeded generator drew. */
#ifndef SK_RESNET_WEIGHTS_H
#define SK_RESNET_WEIGHTS_H

#include "resnet/file.h"
#include "skiplane.h"

#define SK_TENSOR_MAX_RANK 8
#define SK_WEIGHTS_MAX_BYTES ((size_t)16 << 30) /* of a mapped file: thirty times those of the largest network */

enum sk_dtype { SK_DTYPE_F32, SK_DTYPE_F16, SK_DTYPE_BF16, SK_DTYPE_OTHER };

/* One tensor. `data` points into the mapped file (unaligned, little-endian) or into memory that the sk_weights owns. */
struct sk_weight_tensor {
  const char *name;
  enum sk_dtype dtype;
  const char *dtype_name; /* as safetensors spells it: "F32", "I64" */
  size_t rank;
  size_t shape[SK_TENSOR_MAX_RANK];
  size_t elements; /* product of shape */
  size_t bytes;    /* of data */
  const void *data;
  bool is_droppable; /* in a mapped file, from where its pages come back, or read but once */
};

/* Make an empty set of tensors to add to. Errors: SK_OUT_OF_MEMORY. */
sk_status sk_weights_new(sk_weights **weights);

/* Add a zeroed F32 tensor; *data receives its elements to fill. Moves the tensors: pointers from sk_weights_at and
 * sk_weights_find end here, *data stays valid until sk_weights_close.
 * Errors: SK_INVALID_ARGUMENT (a name twice or unfit for a file, a rank over SK_TENSOR_MAX_RANK, sizes whose product
 * overflows), SK_OUT_OF_MEMORY. */
sk_status sk_weights_add(sk_weights *weights, const char *name, size_t rank, const size_t *shape, float **data);

/* Read a safetensors file from memory, which must outlive the weights. source: its name, for messages.
 * Errors: as sk_weights_open. */
sk_status sk_weights_parse(sk_weights **weights, const char *source, const void *data, size_t length);

/* The path the weights came from, or "seeded weights"; for messages. */
const char *sk_weights_source(const sk_weights *weights);

/* A text that stands beside the tensors in a file's __metadata__; NULL if there is none of that key. */
const char *sk_weights_metadata(const sk_weights *weights, const char *key);

/* Add such a text, which sk_weights_save writes. Errors: SK_INVALID_ARGUMENT (no UTF-8, a key twice),
 * SK_OUT_OF_MEMORY. */
sk_status sk_weights_add_metadata(sk_weights *weights, const char *key, const char *text);

/* Number of tensors, and tensor number `index` < count in the order of their names. */
size_t sk_weights_count(const sk_weights *weights);
const struct sk_weight_tensor *sk_weights_at(const sk_weights *weights, size_t index);

/* Find a tensor by name, in O(log n); NULL if there is none. */
const struct sk_weight_tensor *sk_weights_find(const sk_weights *weights, const char *name);

/* Convert a tensor to float32, exactly: out[elements]. Requires: dtype is not SK_DTYPE_OTHER. */
void sk_weight_tensor_read(const struct sk_weight_tensor *tensor, float *out);

/* Convert elements first..first+count-1 only: out[count]. Requires: likewise, and first + count <= elements. */
void sk_weight_tensor_read_range(const struct sk_weight_tensor *tensor, size_t first, size_t count, float *out);

/* Tell that a tensor has been read: where it is droppable its pages leave the memory, so that a network is never there
 * twice, plain and packed. */
void sk_weight_tensor_drop(const struct sk_weight_tensor *tensor);

/* Make all tensors droppable. After a tensor was dropped those in memory must not be read again; a file's may be. */
void sk_weights_read_once(sk_weights *weights);

/* ---- Between weights.c, safetensors.c and head.c ------------------------------------------------------------- */

struct sk_weights {
  char *source;
  struct sk_weight_tensor *tensors; /* sorted by name; the names are owned */
  size_t count, capacity;
  struct sk_file_map map; /* what mapped tensors point into; empty for tensors in memory */
  bool owns_data;         /* each tensor's data is freed on close */
  struct cJSON *metadata; /* an object of strings; NULL: none */
  sk_weights *head;       /* what some tensors' data belongs to instead; closed with these */
};

/* Make an empty set with room for `capacity` tensors. Errors: SK_OUT_OF_MEMORY. */
sk_status sk_weights_allocate(sk_weights **weights, const char *source, size_t capacity);

#endif
