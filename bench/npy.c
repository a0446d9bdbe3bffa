/* Layout: "\x93NUMPY", version (2 bytes), header length (2 bytes, little-endian), a Python dictionary padded with
 * spaces and a newline so that the data begins at a multiple of 64, the data.
 * Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#include "bench/npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/file.h"
#include "resnet/text.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "data is read and written as '<f4'");

enum { PREFIX_BYTES = 10, HEADER_LIMIT = 512 };

#define FILE_LIMIT ((size_t)16 << 30) /* bytes: it is copied to memory */

static const char magic[] = "\x93NUMPY\x01"; /* the NUL is the minor version */

/* Form the product of a shape and its bytes; false if it overflows. */
static bool count_elements(size_t rank, const size_t *shape, size_t *elements, size_t *bytes) {
  *elements = 1;
  for (size_t i = 0; i < rank; i++) {
    if (!sk_size_multiply(*elements, shape[i], elements)) return false;
  }
  return sk_size_multiply(*elements, sizeof(float), bytes);
}

/* ---- Writing ------------------------------------------------------------------------------------------------ */

/* Print "(2, 3)" as Python does: "(2,)" for rank 1. */
static void print_shape(char text[HEADER_LIMIT], size_t rank, const size_t *shape) {
  size_t used = 0;
  text[0] = '\0';
  for (size_t i = 0; i < rank; i++) {
    const char *separator = i + 1 < rank ? ", " : rank == 1 ? "," : "";
    used += (size_t)snprintf(text + used, HEADER_LIMIT - used, "%zu%s", shape[i], separator);
  }
}

static void write_header(struct sk_file_writer *writer, size_t rank, const size_t *shape) {
  char sizes[HEADER_LIMIT];
  char header[2 * HEADER_LIMIT];
  print_shape(sizes, rank, shape);
  const size_t length =
      (size_t)snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", sizes);
  const size_t padded = sk_size_round_up(PREFIX_BYTES + length + 1, 64) - PREFIX_BYTES;
  memset(header + length, ' ', padded - length);
  header[padded - 1] = '\n';
  const unsigned char bytes[2] = {(unsigned char)(padded & 0xFF), (unsigned char)(padded >> 8)};
  sk_file_write(writer, magic, sizeof magic);
  sk_file_write(writer, bytes, sizeof bytes);
  sk_file_write(writer, header, padded);
}

sk_status sk_npy_write(const char *path, size_t rank, const size_t *shape, const float *data) {
  size_t elements;
  size_t bytes;
  if (rank > SK_NPY_MAX_RANK) {
    return sk_fail(SK_INVALID_ARGUMENT, "%s: rank %zu, expected at most %d", sk_quote(path).text, rank,
                   (int)SK_NPY_MAX_RANK);
  }
  if (!count_elements(rank, shape, &elements, &bytes)) {
    return sk_fail(SK_INVALID_ARGUMENT, "%s: the product of the shape overflows", sk_quote(path).text);
  }
  struct sk_file_writer writer;
  const sk_status status = sk_file_writer_open(&writer, path);
  if (status) return status;
  write_header(&writer, rank, shape);
  sk_file_write(&writer, data, bytes);
  return sk_file_writer_commit(&writer);
}

/* ---- Reading ------------------------------------------------------------------------------------------------ */

/* What is left of the header's text. */
struct cursor {
  const char *at, *end;
};

static void skip_spaces(struct cursor *cursor) {
  while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\n')) cursor->at++;
}

/* Pass `token` and the spaces around it, if it is what comes next. */
static bool accept(struct cursor *cursor, const char *token) {
  const size_t length = strlen(token);
  skip_spaces(cursor);
  if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, token, length) != 0) return false;
  cursor->at += length;
  skip_spaces(cursor);
  return true;
}

static bool read_size(struct cursor *cursor, size_t *size) {
  const char *start = cursor->at;
  *size = 0;
  while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9') {
    const size_t digit = (size_t)(*cursor->at++ - '0');
    if (!sk_size_multiply(*size, 10, size) || !sk_size_add(*size, digit, size)) return false;
  }
  return cursor->at > start;
}

/* Read "(2, 3)", "(2,)" or "()". */
static bool read_shape(struct cursor *cursor, struct sk_npy *array) {
  array->rank = 0;
  if (!accept(cursor, "(")) return false;
  while (!accept(cursor, ")")) {
    if (array->rank == SK_NPY_MAX_RANK || !read_size(cursor, &array->shape[array->rank++])) return false;
    if (accept(cursor, ",")) continue;
    return array->rank > 1 && accept(cursor, ")"); /* "(2)" is a number in Python, no tuple */
  }
  return true;
}

enum { SAW_DESCR = 1, SAW_ORDER = 2, SAW_SHAPE = 4, SAW_ALL = 7 };

/* Read one `'key': value`; returns which, 0 if it is none that is known. */
static int read_field(struct cursor *cursor, struct sk_npy *array) {
  if (accept(cursor, "'descr'")) return accept(cursor, ":") && accept(cursor, "'<f4'") ? SAW_DESCR : 0;
  if (accept(cursor, "'fortran_order'")) return accept(cursor, ":") && accept(cursor, "False") ? SAW_ORDER : 0;
  if (accept(cursor, "'shape'")) return accept(cursor, ":") && read_shape(cursor, array) ? SAW_SHAPE : 0;
  return 0;
}

static bool read_dictionary(struct cursor *cursor, struct sk_npy *array) {
  int seen = 0;
  if (!accept(cursor, "{")) return false;
  while (!accept(cursor, "}")) {
    const int field = read_field(cursor, array);
    if (field == 0 || (seen & field)) return false;
    seen |= field;
    if (accept(cursor, ",")) continue;
    if (!accept(cursor, "}")) return false;
    break;
  }
  return seen == SAW_ALL && cursor->at == cursor->end;
}

/* Tell a well-formed file of another kind from a broken one: its header names another type or order. */
static bool is_other_kind(const char *header, size_t length) {
  char text[HEADER_LIMIT + 1];
  const size_t kept = sk_size_min(length, HEADER_LIMIT);
  memcpy(text, header, kept);
  text[kept] = '\0';
  return strstr(text, "'descr': '<f4'") == NULL || strstr(text, "'fortran_order': True") != NULL;
}

/* The bytes of a file, and its name for messages. */
struct source {
  const char *name;
  const unsigned char *bytes;
  size_t length;
};

static sk_status read_header(struct sk_npy *array, const struct source *source, size_t *data_at) {
  const unsigned char *bytes = source->bytes;
  if (source->length < PREFIX_BYTES || memcmp(bytes, magic, 6) != 0) {
    return sk_fail(SK_BAD_FORMAT, "%s: is no .npy file", sk_quote(source->name).text);
  }
  if (bytes[6] != 1 || bytes[7] != 0) {
    return sk_fail(SK_UNSUPPORTED, "%s: .npy version %d.%d, expected 1.0", sk_quote(source->name).text, bytes[6],
                   bytes[7]);
  }
  const size_t length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
  if (length > source->length - PREFIX_BYTES) {
    return sk_fail(SK_BAD_FORMAT, "%s: header of %zu bytes in a file of %zu", sk_quote(source->name).text, length,
                   source->length);
  }
  const char *header = (const char *)bytes + PREFIX_BYTES;
  struct cursor cursor = {header, header + length};
  *data_at = PREFIX_BYTES + length;
  if (read_dictionary(&cursor, array)) return SK_OK;
  return sk_fail(is_other_kind(header, length) ? SK_UNSUPPORTED : SK_BAD_FORMAT,
                 "%s: header \"%s\", expected descr '<f4', fortran_order False and a shape of rank <= 8",
                 sk_quote(source->name).text, sk_quote_bytes(header, length).text);
}

static sk_status read_data(struct sk_npy *array, const struct source *source, size_t data_at) {
  size_t bytes;
  const char *name = source->name;
  if (!count_elements(array->rank, array->shape, &array->elements, &bytes)) {
    return sk_fail(SK_BAD_FORMAT, "%s: the product of the shape overflows", sk_quote(name).text);
  }
  if (bytes != source->length - data_at) {
    return sk_fail(SK_BAD_FORMAT, "%s: %zu bytes of data, its shape takes %zu", sk_quote(name).text,
                   source->length - data_at, bytes);
  }
  array->data = malloc(sk_size_max(bytes, 1));
  if (!array->data) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for %zu bytes", sk_quote(name).text, bytes);
  memcpy(array->data, source->bytes + data_at, bytes);
  return SK_OK;
}

sk_status sk_npy_parse(struct sk_npy *array, const char *source, const void *data, size_t length) {
  const struct source from = {source, data, length};
  size_t data_at = 0;
  *array = (struct sk_npy){0};
  sk_status status = read_header(array, &from, &data_at);
  if (!status) status = read_data(array, &from, data_at);
  if (status) *array = (struct sk_npy){0};
  return status;
}

sk_status sk_npy_read(struct sk_npy *array, const char *path) {
  *array = (struct sk_npy){0};
  struct sk_file_map map;
  sk_status status = sk_file_map_open_within(&map, path, FILE_LIMIT);
  if (status) return status;
  status = sk_npy_parse(array, path, map.data, map.length);
  sk_file_map_close(&map);
  return status;
}

void sk_npy_free(struct sk_npy *array) {
  free(array->data);
  *array = (struct sk_npy){0};
}
