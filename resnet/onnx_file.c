/* protobuf-c calls itself for every message within a message, allocates for every field, and merges messages that are
 * there twice: what a hostile file could make of that is refused before it is called. */
#include "resnet/onnx_file.h"

#include "dispatch/memory.h"
#include "dispatch/status.h"

/* How protobuf encodes a field's value. */
enum wire { WIRE_VARINT, WIRE_64_BITS, WIRE_BYTES, WIRE_GROUP, WIRE_GROUP_END, WIRE_32_BITS };

struct scan {
  const char *source;
  const uint8_t *start; /* of the file */
  size_t fields;        /* so far */
};

/* What is left of the message being looked at. */
struct window {
  const uint8_t *at, *end;
};

static sk_status broken(const struct scan *scan, const uint8_t *at, const char *what) {
  return sk_fail(SK_BAD_FORMAT, "%s: byte %zu: %s, expected an ONNX model", scan->source, (size_t)(at - scan->start),
                 what);
}

static bool read_varint(struct window *window, uint64_t *value) {
  *value = 0;
  for (unsigned shift = 0; shift < 64 && window->at < window->end; shift += 7) {
    const uint8_t byte = *window->at++;
    *value |= (uint64_t)(byte & 0x7FU) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

/* Take a field's value: for bytes, where they are. */
static bool read_value(struct window *window, enum wire wire, struct window *bytes) {
  uint64_t value = 0;
  const size_t left = (size_t)(window->end - window->at);
  switch (wire) {
    case WIRE_VARINT: return read_varint(window, &value);
    case WIRE_64_BITS: value = 8; break;
    case WIRE_32_BITS: value = 4; break;
    case WIRE_BYTES:
      if (!read_varint(window, &value)) return false;
      break;
    default: return false; /* groups, which ONNX has none of */
  }
  if (value > left || value > (size_t)(window->end - window->at)) return false;
  *bytes = (struct window){window->at, window->at + value};
  window->at += value;
  return true;
}

/* Note a message that must not be there twice; `seen` has a bit for each field of the schema. */
static bool is_repeated_wrongly(const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *field,
                                uint64_t *seen) {
  const uint64_t bit = (uint64_t)1 << ((field - type->fields) % 64);
  const bool is_again = (*seen & bit) != 0;
  *seen |= bit;
  return is_again && field->label != PROTOBUF_C_LABEL_REPEATED;
}

static sk_status scan_message(struct scan *scan, const ProtobufCMessageDescriptor *type, struct window window,
                              unsigned depth);

static sk_status scan_field(struct scan *scan, const ProtobufCMessageDescriptor *type, struct window *window,
                            unsigned depth, uint64_t *seen) {
  const uint8_t *const start = window->at;
  uint64_t tag = 0;
  struct window bytes = {NULL, NULL};
  if (!read_varint(window, &tag) || tag >> 3 == 0 || tag > UINT32_MAX) return broken(scan, start, "no protobuf field");
  if (!read_value(window, (enum wire)(tag & 7), &bytes)) return broken(scan, start, "a protobuf field that is cut off");
  if (++scan->fields > SK_ONNX_MAX_FIELDS) {
    return sk_fail(SK_UNSUPPORTED, "%s: more than %d protobuf fields, expected at most that", scan->source,
                   SK_ONNX_MAX_FIELDS);
  }
  const ProtobufCFieldDescriptor *const field = protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
  if (!field || field->type != PROTOBUF_C_TYPE_MESSAGE) return SK_OK;
  if ((tag & 7) != WIRE_BYTES) return broken(scan, start, "a number where a protobuf message belongs");
  if (is_repeated_wrongly(type, field, seen)) return broken(scan, start, "a protobuf message twice");
  return scan_message(scan, field->descriptor, bytes, depth + 1);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as SK_ONNX_MAX_DEPTH */
static sk_status scan_message(struct scan *scan, const ProtobufCMessageDescriptor *type, struct window window,
                              unsigned depth) {
  uint64_t seen = 0;
  sk_status status = SK_OK;
  if (depth > SK_ONNX_MAX_DEPTH) {
    return sk_fail(SK_UNSUPPORTED, "%s: protobuf messages within more than %d others, expected at most that",
                   scan->source, SK_ONNX_MAX_DEPTH);
  }
  while (!status && window.at < window.end) status = scan_field(scan, type, &window, depth, &seen);
  return status;
}

static void *allocate(void *is_refused, size_t bytes) {
  void *const memory = sk_malloc(bytes);
  if (!memory && is_refused) *(bool *)is_refused = true;
  return memory;
}

static void release(void *is_refused, void *memory) {
  (void)is_refused;
  sk_free(memory);
}

sk_status sk_onnx_unpack(Onnx__ModelProto **model, const char *source, const void *data, size_t length) {
  struct scan scan = {.source = source, .start = data};
  *model = NULL;
  const struct window window = {scan.start, scan.start + length};
  const sk_status status = scan_message(&scan, &sk_onnx__model_proto__descriptor, window, 0);
  if (status) return status;
  bool is_refused = false; /* protobuf-c does not tell want of memory from bad bytes */
  ProtobufCAllocator allocator = {.alloc = allocate, .free = release, .allocator_data = &is_refused};
  *model = sk_onnx__model_proto__unpack(&allocator, length, data);
  if (*model) return SK_OK;
  if (is_refused) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for its %zu bytes, unpacked", source, length);
  return sk_fail(SK_BAD_FORMAT, "%s: does not unpack as protobuf of ONNX's schema", source);
}

void sk_onnx_free(Onnx__ModelProto *model) {
  ProtobufCAllocator allocator = {.alloc = allocate, .free = release};
  sk_onnx__model_proto__free_unpacked(model, &allocator);
}
