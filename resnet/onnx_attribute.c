#include <string.h>

#include "dispatch/status.h"
#include "resnet/onnx_import.h"

typedef Onnx__AttributeProto__AttributeType attribute_type;

#define TYPE(name) ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__##name

/* ---- All of them -------------------------------------------------------------------------------------------- */

/* Whether a word is in a list of words separated by blanks. */
static bool is_in_list(const char *word, const char *list) {
  const size_t length = strlen(word);
  for (const char *at = list; *at;) {
    const size_t span = strcspn(at, " ");
    if (span == length && strncmp(at, word, length) == 0) return true;
    at += span + (at[span] == ' ');
  }
  return false;
}

static sk_status check_attribute(const struct sk_onnx_import *import, size_t index, const char *names) {
  const Onnx__AttributeProto *const attribute = import->node->attribute[index];
  const char *const name = attribute->name ? attribute->name : "";
  const bool is_subgraph = attribute->g || attribute->n_graphs > 0;
  if (!is_in_list(name, names)) {
    return sk_onnx_refuse(import, SK_UNSUPPORTED, "attribute \"%s\": unknown%s", sk_quote_short(name).text,
                          is_subgraph ? ", a subgraph" : "");
  }
  for (size_t i = 0; i < index; i++) {
    const char *const other = import->node->attribute[i]->name;
    if (strcmp(name, other ? other : "") == 0) {
      return sk_onnx_refuse(import, SK_BAD_FORMAT, "attribute \"%s\": there twice", name);
    }
  }
  if (attribute->ref_attr_name) {
    return sk_onnx_refuse(import, SK_UNSUPPORTED, "attribute \"%s\": refers to a function's, expected a value", name);
  }
  return SK_OK;
}

sk_status sk_onnx_check_attributes(const struct sk_onnx_import *import, const char *names) {
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < import->node->n_attribute; i++) status = check_attribute(import, i, names);
  return status;
}

/* ---- One of them -------------------------------------------------------------------------------------------- */

static const Onnx__AttributeProto *find(const struct sk_onnx_import *import, const char *name) {
  for (size_t i = 0; i < import->node->n_attribute; i++) {
    const Onnx__AttributeProto *const attribute = import->node->attribute[i];
    if (attribute->name && strcmp(attribute->name, name) == 0) return attribute;
  }
  return NULL;
}

bool sk_onnx_has_attribute(const struct sk_onnx_import *import, const char *name) { return find(import, name) != NULL; }

/* Find an attribute (NULL if it is not there) and check its type. Models from before the type was told have none: what
 * the value is looked for in tells then. */
static sk_status take(const struct sk_onnx_import *import, const char *name, attribute_type type,
                      const Onnx__AttributeProto **attribute) {
  *attribute = find(import, name);
  if (!*attribute || !(*attribute)->has_type || (*attribute)->type == type) return SK_OK;
  const ProtobufCEnumDescriptor *const types = &sk_onnx__attribute_proto__attribute_type__descriptor;
  const ProtobufCEnumValue *const came = protobuf_c_enum_descriptor_get_value(types, (int)(*attribute)->type);
  return sk_onnx_refuse(import, SK_BAD_FORMAT, "attribute \"%s\": of type %s, expected %s", name,
                        came ? came->name : "unknown", protobuf_c_enum_descriptor_get_value(types, (int)type)->name);
}

static sk_status has_no_value(const struct sk_onnx_import *import, const char *name) {
  return sk_onnx_refuse(import, SK_BAD_FORMAT, "attribute \"%s\": has no value of its type", name);
}

sk_status sk_onnx_attribute_int(const struct sk_onnx_import *import, const char *name, int64_t otherwise,
                                int64_t *value) {
  const Onnx__AttributeProto *attribute = NULL;
  const sk_status status = take(import, name, TYPE(INT), &attribute);
  *value = otherwise;
  if (status || !attribute) return status;
  *value = attribute->i;
  return attribute->has_i ? SK_OK : has_no_value(import, name);
}

sk_status sk_onnx_attribute_float(const struct sk_onnx_import *import, const char *name, float otherwise,
                                  float *value) {
  const Onnx__AttributeProto *attribute = NULL;
  const sk_status status = take(import, name, TYPE(FLOAT), &attribute);
  *value = otherwise;
  if (status || !attribute) return status;
  *value = attribute->f;
  return attribute->has_f ? SK_OK : has_no_value(import, name);
}

sk_status sk_onnx_attribute_ints(const struct sk_onnx_import *import, const char *name, const int64_t **values,
                                 size_t *count) {
  static const int64_t none = 0;
  const Onnx__AttributeProto *attribute = NULL;
  const sk_status status = take(import, name, TYPE(INTS), &attribute);
  *values = NULL;
  *count = 0;
  if (status || !attribute) return status;
  *values = attribute->n_ints > 0 ? attribute->ints : &none; /* an empty list is there */
  *count = attribute->n_ints;
  return SK_OK;
}

sk_status sk_onnx_attribute_text(const struct sk_onnx_import *import, const char *name, struct sk_onnx_word *word) {
  const Onnx__AttributeProto *attribute = NULL;
  const sk_status status = take(import, name, TYPE(STRING), &attribute);
  *word = (struct sk_onnx_word){""};
  if (status || !attribute) return status;
  if (!attribute->has_s) return has_no_value(import, name);
  const size_t most = sizeof word->text - 1;
  const size_t length = attribute->s.len < most ? attribute->s.len : most;
  if (length > 0) memcpy(word->text, attribute->s.data, length);
  return SK_OK;
}

sk_status sk_onnx_attribute_tensor(const struct sk_onnx_import *import, const char *name,
                                   const Onnx__TensorProto **tensor) {
  const Onnx__AttributeProto *attribute = NULL;
  const sk_status status = take(import, name, TYPE(TENSOR), &attribute);
  *tensor = NULL;
  if (status || !attribute) return status;
  *tensor = attribute->t;
  return attribute->t ? SK_OK : has_no_value(import, name);
}
