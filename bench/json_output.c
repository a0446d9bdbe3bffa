#include "bench/json_output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch/status.h"
#include "resnet/file.h"
#include "resnet/text.h"

void sk_json_begin(struct sk_json *json) {
  json->root = cJSON_CreateObject();
  json->failed = !json->root;
}

/* Put an item into its parent; frees it if there is none. */
static cJSON *attach(struct sk_json *json, cJSON *parent, const char *name, cJSON *item) {
  const bool attached =
      parent && item && (name ? cJSON_AddItemToObject(parent, name, item) : cJSON_AddItemToArray(parent, item));
  if (attached) return item;
  cJSON_Delete(item);
  json->failed = true;
  return NULL;
}

void sk_json_number(struct sk_json *json, cJSON *parent, const char *name, double value) {
  attach(json, parent, name, cJSON_CreateNumber(value)); /* cJSON prints NaN and infinities as null */
}

void sk_json_size(struct sk_json *json, cJSON *parent, const char *name, size_t value) {
  sk_json_number(json, parent, name, (double)value);
}

void sk_json_bool(struct sk_json *json, cJSON *parent, const char *name, bool value) {
  attach(json, parent, name, cJSON_CreateBool(value));
}

/* Copy text with U+FFFD, three bytes, for each byte that is not UTF-8: file names may hold any. */
static char *valid_utf8(const char *text) {
  size_t left = strlen(text);
  char *copy = malloc(3 * left + 1);
  char *end = copy;
  while (copy && left > 0) {
    const size_t whole = sk_utf8_sequence(text, left);
    const size_t taken = whole ? whole : 1;
    memcpy(end, whole ? text : "\xEF\xBF\xBD", whole ? whole : 3);
    end += whole ? whole : 3;
    text += taken;
    left -= taken;
  }
  if (copy) *end = '\0';
  return copy;
}

void sk_json_text(struct sk_json *json, cJSON *parent, const char *name, const char *value) {
  if (!value) {
    attach(json, parent, name, cJSON_CreateNull());
    return;
  }
  char *copy = valid_utf8(value);
  attach(json, parent, name, copy ? cJSON_CreateString(copy) : NULL);
  free(copy);
}

cJSON *sk_json_object(struct sk_json *json, cJSON *parent, const char *name) {
  return attach(json, parent, name, cJSON_CreateObject());
}

cJSON *sk_json_list(struct sk_json *json, cJSON *parent, const char *name) {
  return attach(json, parent, name, cJSON_CreateArray());
}

void sk_json_numbers(struct sk_json *json, cJSON *parent, const char *name, const double *values, size_t count) {
  cJSON *const list = sk_json_list(json, parent, name);
  for (size_t i = 0; i < count; i++) sk_json_number(json, list, NULL, values[i]);
}

static sk_status write_file(const char *path, const char *text) {
  struct sk_file_writer writer;
  const sk_status status = sk_file_writer_open(&writer, path);
  if (status) return status;
  sk_file_write(&writer, text, strlen(text));
  sk_file_write(&writer, "\n", 1);
  return sk_file_writer_commit(&writer);
}

sk_status sk_json_write(const struct sk_json *json, const char *path) {
  char *text = json->failed ? NULL : cJSON_Print(json->root);
  if (!text) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the JSON output");
  sk_status status = SK_OK;
  if (path) {
    status = write_file(path, text);
  } else {
    puts(text);
  }
  cJSON_free(text);
  return status;
}

sk_status sk_json_finish(struct sk_json *json, const char *path) {
  const sk_status status = sk_json_write(json, path);
  sk_json_discard(json);
  return status;
}

void sk_json_discard(struct sk_json *json) {
  cJSON_Delete(json->root);
  *json = (struct sk_json){.failed = true};
}
