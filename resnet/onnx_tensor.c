#include "resnet/onnx_tensor.h"

#include <string.h>

#include "dispatch/memory.h"
#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/onnx_file.h"
#include "resnet/text.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "raw tensors are little-endian");

/* ---- Storage ------------------------------------------------------------------------------------------------ */

void sk_onnx_storage_free(struct sk_onnx_storage *storage) {
  for (size_t i = 0; i < storage->count; i++) sk_free(storage->blocks[i]);
  sk_free(storage->blocks);
  sk_onnx_files_close(&storage->files);
  if (storage->model) sk_onnx_free(storage->model);
  *storage = (struct sk_onnx_storage){0};
}

static bool reserve_one(struct sk_onnx_storage *storage) {
  if (storage->count < storage->capacity) return true;
  const size_t capacity = 2 * storage->capacity + 64;
  void **const blocks = sk_realloc(storage->blocks, storage->count * sizeof *blocks, capacity * sizeof *blocks);
  if (!blocks) return false;
  storage->blocks = blocks;
  storage->capacity = capacity;
  return true;
}

sk_status sk_onnx_storage_take(struct sk_onnx_storage *storage, const char *what, size_t bytes, void **memory) {
  *memory = NULL;
  if (bytes > storage->bytes_max - storage->bytes) {
    return sk_fail(SK_UNSUPPORTED, "%s: %zu bytes more of constants, expected at most %zu in memory", what, bytes,
                   storage->bytes_max);
  }
  *memory = reserve_one(storage) ? sk_calloc(1, sk_size_max(bytes, 1)) : NULL;
  if (!*memory) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for %zu bytes", what, bytes);
  storage->blocks[storage->count++] = *memory;
  storage->bytes += bytes;
  return SK_OK;
}

/* ---- Element types ------------------------------------------------------------------------------------------ */

/* The types that a constant may have; of others only the name is known. */
struct element {
  size_t bytes;
  const char *dtype_name; /* safetensors' */
  int32_t type;
  enum sk_dtype dtype;
};

static const struct element elements[] = {
    {4, "F32", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, SK_DTYPE_F32},
    {2, "F16", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, SK_DTYPE_F16},
    {2, "BF16", ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16, SK_DTYPE_BF16},
    {4, "I32", ONNX__TENSOR_PROTO__DATA_TYPE__INT32, SK_DTYPE_OTHER},
    {8, "I64", ONNX__TENSOR_PROTO__DATA_TYPE__INT64, SK_DTYPE_OTHER},
};

static const struct element *find_element(int32_t type) {
  for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++) {
    if (elements[i].type == type) return &elements[i];
  }
  return NULL;
}

const char *sk_onnx_type_name(int32_t type) {
  const ProtobufCEnumValue *const value =
      protobuf_c_enum_descriptor_get_value(&sk_onnx__tensor_proto__data_type__descriptor, type);
  return value ? value->name : "an unknown type";
}

/* ---- Shapes ------------------------------------------------------------------------------------------------- */

static sk_status set_shape(struct sk_weight_tensor *tensor, const char *what, size_t rank, const int64_t *sizes,
                           size_t element_bytes) {
  if (rank > SK_TENSOR_MAX_RANK) {
    return sk_fail(SK_UNSUPPORTED, "%s: rank %zu, expected at most %d", what, rank, SK_TENSOR_MAX_RANK);
  }
  tensor->rank = rank;
  tensor->elements = 1;
  for (size_t i = 0; i < rank; i++) {
    if (sizes[i] < 0) return sk_fail(SK_BAD_FORMAT, "%s: size %lld, expected 0 or more", what, (long long)sizes[i]);
    tensor->shape[i] = (size_t)sizes[i];
    if (!sk_size_multiply(tensor->elements, tensor->shape[i], &tensor->elements)) {
      return sk_fail(SK_BAD_FORMAT, "%s: the product of its sizes overflows", what);
    }
  }
  if (sk_size_multiply(tensor->elements, element_bytes, &tensor->bytes)) return SK_OK;
  return sk_fail(SK_BAD_FORMAT, "%s: the product of its sizes overflows", what);
}

/* ---- Data in the file --------------------------------------------------------------------------------------- */

static sk_status check_count(const char *what, size_t count, size_t expected, const char *unit) {
  if (count == expected) return SK_OK;
  return sk_fail(SK_BAD_FORMAT, "%s: %zu %s of data, expected %zu for its shape", what, count, unit, expected);
}

/* Halves of float16 and bfloat16 come as the low bits of 32-bit numbers. */
static sk_status take_halves(struct sk_onnx_storage *storage, const char *what, const Onnx__TensorProto *proto,
                             struct sk_weight_tensor *tensor) {
  void *memory = NULL;
  sk_status status = check_count(what, proto->n_int32_data, tensor->elements, "elements");
  if (!status) status = sk_onnx_storage_take(storage, what, tensor->bytes, &memory);
  if (status) return status;
  uint16_t *const halves = memory;
  for (size_t i = 0; i < tensor->elements; i++) halves[i] = (uint16_t)proto->int32_data[i];
  tensor->data = halves;
  return SK_OK;
}

/* The fields that each have the data of some types. */
static sk_status take_typed(struct sk_onnx_storage *storage, const char *what, const Onnx__TensorProto *proto,
                            struct sk_weight_tensor *tensor) {
  switch (proto->data_type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
      tensor->data = proto->float_data;
      return check_count(what, proto->n_float_data, tensor->elements, "elements");
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
      tensor->data = proto->int64_data;
      return check_count(what, proto->n_int64_data, tensor->elements, "elements");
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
      tensor->data = proto->int32_data;
      return check_count(what, proto->n_int32_data, tensor->elements, "elements");
    default: return take_halves(storage, what, proto, tensor);
  }
}

/* ---- Data beside the file ----------------------------------------------------------------------------------- */

/* Read a number of bytes: digits alone. */
static bool read_bytes(const char *text, size_t *bytes) {
  *bytes = 0;
  if (!text || !*text) return false;
  for (; *text; text++) {
    if (*text < '0' || *text > '9' || !sk_size_multiply(*bytes, 10, bytes)) return false;
    if (!sk_size_add(*bytes, (size_t)(*text - '0'), bytes)) return false;
  }
  return true;
}

/* Where a tensor's data is: ONNX's keys, of which a checksum and others are passed over. */
struct place {
  const char *location;
  size_t offset, length;
  bool has_length;
};

static sk_status read_place(const char *what, const Onnx__TensorProto *proto, struct place *place) {
  *place = (struct place){0};
  for (size_t i = 0; i < proto->n_external_data; i++) {
    const char *const key = proto->external_data[i]->key;
    const char *const value = proto->external_data[i]->value;
    const bool is_offset = key && strcmp(key, "offset") == 0;
    const bool is_length = key && strcmp(key, "length") == 0;
    if (key && strcmp(key, "location") == 0) place->location = value;
    if (!is_offset && !is_length) continue;
    if (!read_bytes(value, is_offset ? &place->offset : &place->length)) {
      return sk_fail(SK_BAD_FORMAT, "%s: external data's %s \"%s\", expected a number of bytes", what, key,
                     value ? sk_quote_short(value).text : "");
    }
    place->has_length = place->has_length || is_length;
  }
  return SK_OK;
}

static sk_status take_external(struct sk_onnx_storage *storage, const char *what, const Onnx__TensorProto *proto,
                               struct sk_weight_tensor *tensor) {
  struct place place;
  struct sk_file_map map = {NULL, 0};
  sk_status status = read_place(what, proto, &place);
  if (!status && place.has_length) status = check_count(what, place.length, tensor->bytes, "bytes");
  if (!status) status = sk_onnx_files_map(&storage->files, what, place.location, &map);
  if (status) return status;
  if (place.offset > map.length || tensor->bytes > map.length - place.offset) {
    return sk_fail(SK_BAD_FORMAT, "%s: external data \"%s\": %zu bytes from %zu on, but the file has %zu", what,
                   sk_quote_short(place.location).text, tensor->bytes, place.offset, map.length);
  }
  tensor->data = (const char *)map.data + place.offset;
  return SK_OK;
}

/* ---- Constants ---------------------------------------------------------------------------------------------- */

static sk_status take_data(struct sk_onnx_storage *storage, const char *what, const Onnx__TensorProto *proto,
                           struct sk_weight_tensor *tensor) {
  const bool is_external =
      proto->has_data_location && proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
  if (proto->segment) return sk_fail(SK_UNSUPPORTED, "%s: is a segment, expected a whole tensor", what);
  if (is_external) return take_external(storage, what, proto, tensor);
  if (!proto->has_raw_data) return take_typed(storage, what, proto, tensor);
  tensor->data = proto->raw_data.data;
  return check_count(what, proto->raw_data.len, tensor->bytes, "bytes");
}

sk_status sk_onnx_constant_make(struct sk_onnx_storage *storage, const char *what, const Onnx__TensorProto *proto,
                                const struct sk_onnx_constant **constant) {
  void *memory = NULL;
  const int32_t type = proto->has_data_type ? proto->data_type : ONNX__TENSOR_PROTO__DATA_TYPE__UNDEFINED;
  const struct element *const element = find_element(type);
  if (!element) {
    return sk_fail(SK_UNSUPPORTED, "%s: elements of %s, expected FLOAT, FLOAT16, BFLOAT16, INT32 or INT64", what,
                   sk_onnx_type_name(type));
  }
  sk_status status = sk_onnx_storage_take(storage, what, sizeof **constant, &memory);
  if (status) return status;
  struct sk_onnx_constant *const made = memory;
  made->type = type;
  made->tensor = (struct sk_weight_tensor){
      .name = proto->name ? proto->name : "", .dtype = element->dtype, .dtype_name = element->dtype_name};
  status = set_shape(&made->tensor, what, proto->n_dims, proto->dims, element->bytes);
  if (!status) status = take_data(storage, what, proto, &made->tensor);
  *constant = made;
  return status;
}

sk_status sk_onnx_tensor_new(struct sk_onnx_storage *storage, const char *name, size_t rank, const size_t *shape,
                             const struct sk_weight_tensor **tensor, float **data) {
  void *memory = NULL;
  void *values = NULL;
  int64_t sizes[SK_TENSOR_MAX_RANK] = {0};
  for (size_t i = 0; i < rank; i++) sizes[i] = shape[i] > INT64_MAX ? -1 : (int64_t)shape[i];
  sk_status status = sk_onnx_storage_take(storage, name, sizeof **tensor, &memory);
  if (status) return status;
  struct sk_weight_tensor *const made = memory;
  *made = (struct sk_weight_tensor){.name = name, .dtype = SK_DTYPE_F32, .dtype_name = "F32"};
  status = set_shape(made, name, rank, sizes, sizeof(float));
  if (!status) status = sk_onnx_storage_take(storage, name, made->bytes, &values);
  made->data = *data = values;
  *tensor = made;
  return status;
}

sk_status sk_onnx_constant_reshape(struct sk_onnx_storage *storage, const struct sk_onnx_constant *constant,
                                   size_t rank, const size_t *shape, const struct sk_onnx_constant **reshaped) {
  void *memory = NULL;
  const sk_status status = sk_onnx_storage_take(storage, constant->tensor.name, sizeof **reshaped, &memory);
  if (status) return status;
  struct sk_onnx_constant *const made = memory;
  *made = *constant;
  made->tensor.rank = rank;
  for (size_t i = 0; i < rank; i++) made->tensor.shape[i] = shape[i];
  *reshaped = made;
  return SK_OK;
}

bool sk_onnx_constant_is_integer(const struct sk_onnx_constant *constant) {
  return constant->type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64 ||
         constant->type == ONNX__TENSOR_PROTO__DATA_TYPE__INT32;
}

int64_t sk_onnx_constant_integer(const struct sk_onnx_constant *constant, size_t index) {
  const char *const data = constant->tensor.data;
  int64_t wide = 0;
  int32_t narrow = 0;
  if (constant->type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64) {
    memcpy(&wide, data + index * sizeof wide, sizeof wide);
    return wide;
  }
  memcpy(&narrow, data + index * sizeof narrow, sizeof narrow);
  return narrow;
}
