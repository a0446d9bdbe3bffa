/* Safetensors: an 8-byte little-endian length, a JSON header of that length, then the tensors' bytes.
 *
 *   {"__metadata__": {"format": "pt"},
 *    "fc.bias": {"dtype": "F32", "shape": [1000], "data_offsets": [0, 4000]}}
 *
 * Offsets count from the end of the header. Source: https://github.com/huggingface/safetensors, "Format". */
#include <stdlib.h>
#include <string.h>

#include "dispatch/memory.h"
#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/json.h"
#include "resnet/text.h"
#include "resnet/weights.h"

enum { LENGTH_BYTES = 8, HEADER_LIMIT = 100000000 };

static const struct dtype {
  const char *name;
  size_t bytes;
  enum sk_dtype dtype;
} dtypes[] = {
    {"BOOL", 1, SK_DTYPE_OTHER},    {"U8", 1, SK_DTYPE_OTHER},      {"I8", 1, SK_DTYPE_OTHER},
    {"F8_E4M3", 1, SK_DTYPE_OTHER}, {"F8_E5M2", 1, SK_DTYPE_OTHER}, {"I16", 2, SK_DTYPE_OTHER},
    {"U16", 2, SK_DTYPE_OTHER},     {"F16", 2, SK_DTYPE_F16},       {"BF16", 2, SK_DTYPE_BF16},
    {"I32", 4, SK_DTYPE_OTHER},     {"U32", 4, SK_DTYPE_OTHER},     {"F32", 4, SK_DTYPE_F32},
    {"F64", 8, SK_DTYPE_OTHER},     {"I64", 8, SK_DTYPE_OTHER},     {"U64", 8, SK_DTYPE_OTHER},
};

/* A file being read. */
struct reader {
  struct sk_quoted file; /* its name, fit for messages */
  const char *header;
  size_t header_length;
  const unsigned char *data;
  size_t data_length;
};

/* ---- One tensor's entry ------------------------------------------------------------------------------------- */

static sk_status fail_tensor(const struct reader *reader, const char *name, const char *what) {
  return sk_fail(SK_BAD_FORMAT, "%s: tensor \"%s\": %s", reader->file.text, sk_quote(name).text, what);
}

/* The number of a JSON item that sk_json_parse let through: an integer below 2^53. */
static bool item_size(const cJSON *item, size_t *size) {
  if (!cJSON_IsNumber(item) || item->valuedouble > (double)(SIZE_MAX >> 1)) return false;
  *size = (size_t)item->valuedouble;
  return true;
}

static sk_status read_dtype(const struct reader *reader, const cJSON *entry, const struct dtype **dtype) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(entry, "dtype");
  if (!cJSON_IsString(item)) return fail_tensor(reader, entry->string, "dtype is missing or no string");
  for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
    *dtype = &dtypes[i];
    if (strcmp(item->valuestring, dtypes[i].name) == 0) return SK_OK;
  }
  return sk_fail(SK_BAD_FORMAT,
                 "%s: tensor \"%s\": dtype \"%s\" is unknown, expected F32, F16, BF16, F64, F8_E4M3, F8_E5M2, "
                 "BOOL, I8..I64 or U8..U64",
                 reader->file.text, sk_quote(entry->string).text, sk_quote_short(item->valuestring).text);
}

static sk_status read_shape(const struct reader *reader, const cJSON *entry, struct sk_weight_tensor *tensor) {
  const cJSON *shape = cJSON_GetObjectItemCaseSensitive(entry, "shape");
  if (!cJSON_IsArray(shape)) return fail_tensor(reader, entry->string, "shape is missing or no array");
  tensor->elements = 1;
  for (const cJSON *item = shape->child; item; item = item->next) {
    if (tensor->rank == SK_TENSOR_MAX_RANK) {
      return fail_tensor(reader, entry->string, "shape has more than 8 dimensions");
    }
    size_t *size = &tensor->shape[tensor->rank++];
    if (!item_size(item, size)) {
      return fail_tensor(reader, entry->string, "shape holds something else than non-negative integers");
    }
    if (!sk_size_multiply(tensor->elements, *size, &tensor->elements)) {
      return fail_tensor(reader, entry->string, "the product of its shape overflows");
    }
  }
  return SK_OK;
}

static sk_status read_offsets(const struct reader *reader, const cJSON *entry, size_t *begin, size_t *end) {
  const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(entry, "data_offsets");
  if (!cJSON_IsArray(offsets)) return fail_tensor(reader, entry->string, "data_offsets is missing or no array");
  const cJSON *first = offsets->child;
  const cJSON *second = first ? first->next : NULL;
  if (!second || second->next || !item_size(first, begin) || !item_size(second, end)) {
    return fail_tensor(reader, entry->string, "data_offsets is not two non-negative integers");
  }
  if (*begin > *end) {
    return sk_fail(SK_BAD_FORMAT, "%s: tensor \"%s\": data_offsets begin at %zu, behind their end %zu",
                   reader->file.text, sk_quote(entry->string).text, *begin, *end);
  }
  if (*end > reader->data_length) {
    return sk_fail(SK_BAD_FORMAT, "%s: tensor \"%s\": data_offsets end at %zu, beyond the %zu bytes of data",
                   reader->file.text, sk_quote(entry->string).text, *end, reader->data_length);
  }
  return SK_OK;
}

static sk_status check_fields(const struct reader *reader, const cJSON *entry) {
  if (!cJSON_IsObject(entry)) return fail_tensor(reader, entry->string, "is no object");
  for (const cJSON *item = entry->child; item; item = item->next) {
    const char *key = item->string;
    if (strcmp(key, "dtype") != 0 && strcmp(key, "shape") != 0 && strcmp(key, "data_offsets") != 0) {
      return sk_fail(SK_BAD_FORMAT,
                     "%s: tensor \"%s\": field \"%s\" is unknown, expected dtype, shape and data_offsets",
                     reader->file.text, sk_quote(entry->string).text, sk_quote_short(key).text);
    }
  }
  return SK_OK;
}

static sk_status check_bytes(const struct reader *reader, const struct sk_weight_tensor *tensor, const char *name,
                             size_t element_bytes) {
  size_t bytes;
  if (!sk_size_multiply(tensor->elements, element_bytes, &bytes)) {
    return fail_tensor(reader, name, "the product of its shape overflows");
  }
  if (bytes == tensor->bytes) return SK_OK;
  return sk_fail(SK_BAD_FORMAT, "%s: tensor \"%s\": data_offsets span %zu bytes, its shape and %s take %zu",
                 reader->file.text, sk_quote(name).text, tensor->bytes, tensor->dtype_name, bytes);
}

/* Read an entry; tensor->name becomes a copy that the caller owns. */
static sk_status read_tensor(const struct reader *reader, const cJSON *entry, struct sk_weight_tensor *tensor) {
  const struct dtype *dtype = NULL;
  size_t begin = 0;
  size_t end = 0;
  *tensor = (struct sk_weight_tensor){0};
  sk_status status = check_fields(reader, entry);
  if (!status) status = read_dtype(reader, entry, &dtype);
  if (!status) status = read_shape(reader, entry, tensor);
  if (!status) status = read_offsets(reader, entry, &begin, &end);
  if (status) return status;
  tensor->dtype = dtype->dtype;
  tensor->dtype_name = dtype->name;
  tensor->data = reader->data + begin;
  tensor->bytes = end - begin;
  status = check_bytes(reader, tensor, entry->string, dtype->bytes);
  if (status) return status;
  tensor->name = sk_strdup(entry->string);
  return tensor->name ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for a name", reader->file.text);
}

/* ---- The whole header --------------------------------------------------------------------------------------- */

static sk_status check_metadata(const struct reader *reader, const cJSON *metadata) {
  if (!cJSON_IsObject(metadata)) return sk_fail(SK_BAD_FORMAT, "%s: __metadata__ is no object", reader->file.text);
  for (const cJSON *item = metadata->child; item; item = item->next) {
    if (cJSON_IsString(item)) continue;
    return sk_fail(SK_BAD_FORMAT, "%s: __metadata__: \"%s\" is no string", reader->file.text,
                   sk_quote(item->string).text);
  }
  return SK_OK;
}

static int compare_places(const void *a, const void *b) {
  const struct sk_weight_tensor *first = a;
  const struct sk_weight_tensor *second = b;
  const uintptr_t x = (uintptr_t)first->data;
  const uintptr_t y = (uintptr_t)second->data;
  if (x != y) return x < y ? -1 : 1;
  if (first->bytes != second->bytes) return first->bytes < second->bytes ? -1 : 1;
  return strcmp(first->name, second->name);
}

static int compare_names(const void *a, const void *b) {
  return strcmp(((const struct sk_weight_tensor *)a)->name, ((const struct sk_weight_tensor *)b)->name);
}

static sk_status check_place(const struct reader *reader, const struct sk_weight_tensor *tensor, size_t expected) {
  const size_t begin = (size_t)((const unsigned char *)tensor->data - reader->data);
  if (begin == expected) return SK_OK;
  return sk_fail(SK_BAD_FORMAT, "%s: tensor \"%s\": data_offsets begin at %zu, %s: expected %zu", reader->file.text,
                 sk_quote(tensor->name).text, begin,
                 begin < expected ? "overlapping the tensor before" : "behind a hole", expected);
}

/* Every byte of data belongs to exactly one tensor. */
static sk_status check_coverage(const struct reader *reader, sk_weights *weights) {
  qsort(weights->tensors, weights->count, sizeof *weights->tensors, compare_places);
  size_t expected = 0;
  for (size_t i = 0; i < weights->count; i++) {
    const sk_status status = check_place(reader, &weights->tensors[i], expected);
    if (status) return status;
    expected += weights->tensors[i].bytes;
  }
  if (expected == reader->data_length) return SK_OK;
  return sk_fail(SK_BAD_FORMAT, "%s: the tensors end at %zu, the file has %zu bytes of data", reader->file.text,
                 expected, reader->data_length);
}

static sk_status read_tensors(const struct reader *reader, cJSON *tree, sk_weights *weights) {
  for (const cJSON *entry = tree->child; entry; entry = entry->next) {
    const bool is_metadata = strcmp(entry->string, "__metadata__") == 0;
    const sk_status status =
        is_metadata ? check_metadata(reader, entry) : read_tensor(reader, entry, &weights->tensors[weights->count]);
    if (status) return status;
    weights->count += !is_metadata;
  }
  weights->metadata = cJSON_DetachItemFromObjectCaseSensitive(tree, "__metadata__");
  const sk_status status = check_coverage(reader, weights);
  qsort(weights->tensors, weights->count, sizeof *weights->tensors, compare_names);
  return status;
}

/* Only spaces may follow the header's object, to align the data. */
static sk_status check_padding(const struct reader *reader, size_t end) {
  for (size_t i = end; i < reader->header_length; i++) {
    if (reader->header[i] == ' ') continue;
    return sk_fail(SK_BAD_FORMAT, "%s: JSON byte %zu: something else than spaces behind the header's object",
                   reader->file.text, i);
  }
  return SK_OK;
}

static sk_status locate_header(struct reader *reader, const unsigned char *bytes, size_t length) {
  if (length < LENGTH_BYTES) {
    return sk_fail(SK_BAD_FORMAT, "%s: %zu bytes, too short for the header's length of 8 bytes", reader->file.text,
                   length);
  }
  uint64_t header_length = 0;
  for (size_t i = 0; i < LENGTH_BYTES; i++) header_length |= (uint64_t)bytes[i] << 8 * i;
  if (header_length == 0 || header_length > HEADER_LIMIT || header_length > length - LENGTH_BYTES) {
    return sk_fail(SK_BAD_FORMAT, "%s: header of %llu bytes, expected 1 to 100000000 within a file of %zu",
                   reader->file.text, (unsigned long long)header_length, length);
  }
  reader->header = (const char *)bytes + LENGTH_BYTES;
  reader->header_length = (size_t)header_length;
  reader->data = bytes + LENGTH_BYTES + reader->header_length;
  reader->data_length = length - LENGTH_BYTES - reader->header_length;
  if (reader->header[0] == '{') return SK_OK;
  return sk_fail(SK_BAD_FORMAT, "%s: header begins with byte 0x%02x, expected '{'", reader->file.text,
                 (unsigned)(unsigned char)reader->header[0]);
}

sk_status sk_weights_parse(sk_weights **weights, const char *source, const void *data, size_t length) {
  *weights = NULL;
  struct reader reader = {.file = sk_quote(source)};
  cJSON *tree = NULL;
  size_t end = 0;
  sk_status status = locate_header(&reader, data, length);
  if (!status) status = sk_json_parse(&tree, &end, source, reader.header, reader.header_length, SK_JSON_SIZES);
  if (!status) status = check_padding(&reader, end);
  if (!status) status = sk_weights_allocate(weights, source, (size_t)cJSON_GetArraySize(tree));
  if (!status) status = read_tensors(&reader, tree, *weights);
  cJSON_Delete(tree);
  if (status) {
    sk_weights_close(*weights);
    *weights = NULL;
  }
  return status;
}

sk_status sk_weights_open(sk_weights **weights, const char *path) {
  if (!weights || !path) return sk_fail(SK_INVALID_ARGUMENT, "sk_weights_open: NULL argument");
  *weights = NULL;
  struct sk_file_map map;
  sk_status status = sk_file_map_open_within(&map, path, SK_WEIGHTS_MAX_BYTES);
  if (status) return status;
  status = sk_weights_parse(weights, path, map.data, map.length);
  if (status) {
    sk_file_map_close(&map);
  } else {
    (*weights)->map = map;
    sk_weights_read_once(*weights);
  }
  return status;
}

/* ---- Writing ------------------------------------------------------------------------------------------------ */

/* F16 and BF16 are written as F32, which loses nothing; other types as they came. */
static size_t saved_bytes(const struct sk_weight_tensor *tensor) {
  return tensor->dtype == SK_DTYPE_OTHER ? tensor->bytes : tensor->elements * sizeof(float);
}

static bool add_number(cJSON *array, size_t number) {
  return cJSON_AddItemToArray(array, cJSON_CreateNumber((double)number));
}

static bool add_entry(cJSON *header, const struct sk_weight_tensor *tensor, size_t begin) {
  cJSON *entry = cJSON_AddObjectToObject(header, tensor->name);
  const char *dtype = tensor->dtype == SK_DTYPE_OTHER ? tensor->dtype_name : "F32";
  if (!cJSON_AddStringToObject(entry, "dtype", dtype)) return false;
  cJSON *shape = cJSON_AddArrayToObject(entry, "shape");
  bool added = shape != NULL;
  for (size_t i = 0; i < tensor->rank; i++) added = added && add_number(shape, tensor->shape[i]);
  cJSON *offsets = cJSON_AddArrayToObject(entry, "data_offsets");
  return added && offsets && add_number(offsets, begin) && add_number(offsets, begin + saved_bytes(tensor));
}

/* Form the header's text, NULL if memory runs out. Free with cJSON_free. */
static char *print_header(const sk_weights *weights) {
  cJSON *header = cJSON_CreateObject();
  bool added = header != NULL;
  size_t offset = 0;
  if (weights->metadata) added = added && cJSON_AddItemReferenceToObject(header, "__metadata__", weights->metadata);
  for (size_t i = 0; i < weights->count && added; i++) {
    added = add_entry(header, &weights->tensors[i], offset);
    offset += saved_bytes(&weights->tensors[i]);
  }
  char *text = added ? cJSON_PrintUnformatted(header) : NULL;
  cJSON_Delete(header);
  return text;
}

/* Padded, so that the data begins at a multiple of 8. */
static void write_header(struct sk_file_writer *writer, const char *text) {
  const size_t length = strlen(text);
  const size_t padded = sk_size_round_up(length, 8);
  unsigned char bytes[LENGTH_BYTES];
  for (size_t i = 0; i < LENGTH_BYTES; i++) bytes[i] = (unsigned char)((uint64_t)padded >> 8 * i);
  sk_file_write(writer, bytes, sizeof bytes);
  sk_file_write(writer, text, length);
  sk_file_write(writer, "       ", padded - length);
}

static void write_tensor(struct sk_file_writer *writer, const struct sk_weight_tensor *tensor) {
  if (tensor->dtype == SK_DTYPE_OTHER || tensor->dtype == SK_DTYPE_F32) {
    sk_file_write(writer, tensor->data, tensor->bytes);
    return;
  }
  float values[1024];
  for (size_t first = 0; first < tensor->elements; first += 1024) {
    const size_t count = sk_size_min(1024, tensor->elements - first);
    sk_weight_tensor_read_range(tensor, first, count, values);
    sk_file_write(writer, values, count * sizeof *values);
  }
}

sk_status sk_weights_save(const sk_weights *weights, const char *path) {
  if (!weights || !path) return sk_fail(SK_INVALID_ARGUMENT, "sk_weights_save: NULL argument");
  char *header = print_header(weights);
  if (!header) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for the header", sk_quote(path).text);
  struct sk_file_writer writer;
  sk_status status = sk_file_writer_open(&writer, path);
  if (!status) {
    write_header(&writer, header);
    for (size_t i = 0; i < weights->count; i++) write_tensor(&writer, &weights->tensors[i]);
    status = sk_file_writer_commit(&writer);
  }
  cJSON_free(header);
  return status;
}
