/* Files beside an ONNX model that hold its larger tensors. */
#ifndef SK_RESNET_ONNX_EXTERNAL_H
#define SK_RESNET_ONNX_EXTERNAL_H

#include "resnet/file.h"

/* Zeroed but for the folder, none is open. */
struct sk_onnx_files {
  const char *folder; /* the model's, "" for none: then there are no such files */
  struct sk_onnx_mapped *items;
  size_t count, capacity;
};

struct sk_onnx_mapped {
  char *location; /* owned */
  struct sk_file_map map;
};

/* Map a file of the model's folder, once however often it is asked for. It lies in the folder or in one below it: a
 * location that is absolute or has "..", or a symbolic link anywhere in it, is refused. The map belongs to the files.
 * what: whose it is, for messages, such as "model.onnx: tensor \"w\"".
 * Errors: SK_BAD_FORMAT (a location that is refused, a file of more than SK_WEIGHTS_MAX_BYTES), SK_IO_ERROR,
 * SK_OUT_OF_MEMORY. */
sk_status sk_onnx_files_map(struct sk_onnx_files *files, const char *what, const char *location,
                            struct sk_file_map *map);

void sk_onnx_files_close(struct sk_onnx_files *files);

#endif
