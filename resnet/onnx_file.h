/* The protobuf behind an ONNX file: looked through for what would cost memory or stack out of proportion, then
 * unpacked.
 */
#ifndef SK_RESNET_ONNX_FILE_H
#define SK_RESNET_ONNX_FILE_H

#include "onnx/onnx.pb-c.h"
#include "skiplane.h"

enum {
  SK_ONNX_MAX_DEPTH = 32, /* of messages within messages: a model without subgraphs has 7 */
  SK_ONNX_MAX_FIELDS =
      1 << 20, /* of all messages together: a field takes two bytes of the file and may take 200 here */
};

/* Unpack a model. source: the file's name, safe for messages. Free with sk_onnx_free.
 * Errors: SK_BAD_FORMAT (no protobuf, or no model of ONNX's schema; a message given twice where one belongs),
 * SK_UNSUPPORTED (over SK_ONNX_MAX_DEPTH or SK_ONNX_MAX_FIELDS), SK_OUT_OF_MEMORY. */
sk_status sk_onnx_unpack(Onnx__ModelProto **model, const char *source, const void *data, size_t length);
void sk_onnx_free(Onnx__ModelProto *model);

#endif
