/* The names of an ONNX graph: found by bisection, for a hostile file may have a million of them. */
#include <stdlib.h>
#include <string.h>

#include "dispatch/memory.h"
#include "dispatch/status.h"
#include "resnet/onnx_import.h"

/* ---- Names -------------------------------------------------------------------------------------------------- */

/* Control characters, those of Latin-1 (U+0080 to U+009F) included, could do things to a terminal. */
static bool is_control(const char *text) {
  const unsigned char byte = (unsigned char)text[0];
  const unsigned char next = (unsigned char)text[1];
  return byte < 0x20 || byte == 0x7F || (byte == 0xC2 && next < 0xA0);
}

static sk_status check_name(const struct sk_onnx_import *import, const char *name) {
  const char *fault = NULL;
  size_t left = strlen(name);
  if (left > SK_ONNX_NAME_BYTES) {
    return sk_fail(SK_UNSUPPORTED, "%s: name \"%s\": of %zu bytes, expected at most %d", import->source,
                   sk_quote_short(name).text, left, SK_ONNX_NAME_BYTES);
  }
  for (const char *at = name; !fault && left > 0;) {
    const size_t sequence = sk_utf8_sequence(at, left);
    if (sequence == 0) fault = "is no UTF-8";
    if (sequence > 0 && is_control(at)) fault = "has a control character";
    at += sequence;
    left -= sequence;
  }
  if (!fault) return SK_OK;
  return sk_fail(SK_BAD_FORMAT, "%s: name \"%s\": %s", import->source, sk_quote_short(name).text, fault);
}

static int compare_values(const void *left, const void *right) {
  const struct sk_onnx_value *const a = left;
  const struct sk_onnx_value *const b = right;
  return strcmp(a->name, b->name);
}

static int compare_names(const void *left, const void *right) {
  return strcmp(*(const char *const *)left, *(const char *const *)right);
}

struct sk_onnx_value *sk_onnx_value_find(const struct sk_onnx_import *import, const char *name) {
  const struct sk_onnx_value key = {.name = name};
  if (import->value_count == 0) return NULL;
  return bsearch(&key, import->values, import->value_count, sizeof key, compare_values);
}

bool sk_onnx_name_is_free(const struct sk_onnx_import *import, const char *name, const Onnx__NodeProto *node) {
  const struct sk_onnx_value *const value = sk_onnx_value_find(import, name);
  if (value && value->maker != node) return false;
  const char *const *const names = import->node_names;
  const char *const *const found =
      import->node_name_count > 0 ? bsearch(&name, names, import->node_name_count, sizeof *names, compare_names) : NULL;
  if (!found) return true;
  const size_t at = (size_t)(found - names);
  const bool is_again = (at > 0 && strcmp(names[at - 1], name) == 0) ||
                        (at + 1 < import->node_name_count && strcmp(names[at + 1], name) == 0);
  return !is_again && node && node->name && strcmp(node->name, name) == 0;
}

/* ---- Collecting --------------------------------------------------------------------------------------------- */

static bool is_initialiser(const struct sk_onnx_import *import, const char *name) {
  const struct sk_onnx_value *const value = sk_onnx_value_find(import, name);
  return value && !value->maker;
}

static sk_status add_value(struct sk_onnx_import *import, const char *name, const Onnx__NodeProto *maker) {
  import->values[import->value_count++] = (struct sk_onnx_value){.name = name ? name : "", .maker = maker};
  return check_name(import, name ? name : "");
}

static size_t count_values(const Onnx__GraphProto *model) {
  size_t count = model->n_initializer + model->n_input + 1;
  for (size_t i = 0; i < model->n_node; i++) count += model->node[i]->n_output;
  return count;
}

static sk_status add_initialisers(struct sk_onnx_import *import) {
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < import->model->n_initializer; i++) {
    status = add_value(import, import->model->initializer[i]->name, NULL);
  }
  return status;
}

/* Files from before IR version 4 list their initialisers among the inputs, too. Those are sorted by then. */
static sk_status add_inputs(struct sk_onnx_import *import) {
  const size_t initialisers = import->value_count;
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < import->model->n_input; i++) {
    const char *const name = import->model->input[i]->name;
    const size_t count = import->value_count;
    import->value_count = initialisers;
    const bool is_known = is_initialiser(import, name ? name : "");
    import->value_count = count;
    if (!is_known) status = add_value(import, name, NULL);
  }
  return status;
}

/* An output without a name is one that is left out. */
static sk_status add_outputs(struct sk_onnx_import *import) {
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < import->model->n_node; i++) {
    const Onnx__NodeProto *const node = import->model->node[i];
    if (node->name && *node->name) {
      import->node_names[import->node_name_count++] = node->name;
      status = check_name(import, node->name);
    }
    for (size_t j = 0; !status && j < node->n_output; j++) {
      if (*node->output[j]) status = add_value(import, node->output[j], node);
    }
  }
  return status;
}

static sk_status check_distinct(const struct sk_onnx_import *import) {
  for (size_t i = 1; i < import->value_count; i++) {
    if (strcmp(import->values[i - 1].name, import->values[i].name) != 0) continue;
    return sk_fail(SK_BAD_FORMAT, "%s: value \"%s\": defined twice", import->source,
                   sk_quote_short(import->values[i].name).text);
  }
  return SK_OK;
}

/* ---- What the output needs ---------------------------------------------------------------------------------- */

static void want(struct sk_onnx_import *import, const char *name, const Onnx__NodeProto *reader) {
  struct sk_onnx_value *const value = *name ? sk_onnx_value_find(import, name) : NULL;
  if (!value) return; /* its reader will complain */
  value->is_wanted = true;
  value->readers++;
  value->reader = reader;
}

bool sk_onnx_makes_wanted(const struct sk_onnx_import *import, const Onnx__NodeProto *node) {
  for (size_t i = 0; i < node->n_output; i++) {
    const struct sk_onnx_value *const value = *node->output[i] ? sk_onnx_value_find(import, node->output[i]) : NULL;
    if (value && value->is_wanted) return true;
  }
  return false;
}

/* Backwards, so that a node's readers have been looked at before it. */
static void mark_wanted(struct sk_onnx_import *import) {
  for (size_t i = 0; i < import->model->n_output; i++) {
    const char *const name = import->model->output[i]->name;
    want(import, name ? name : "", NULL);
  }
  for (size_t i = import->model->n_node; i-- > 0;) {
    const Onnx__NodeProto *const node = import->model->node[i];
    if (!sk_onnx_makes_wanted(import, node)) continue;
    for (size_t j = 0; j < node->n_input; j++) want(import, node->input[j], node);
  }
}

sk_status sk_onnx_values_collect(struct sk_onnx_import *import) {
  import->values = sk_calloc(count_values(import->model), sizeof *import->values);
  import->node_names = sk_calloc(import->model->n_node + 1, sizeof *import->node_names);
  if (!import->values || !import->node_names) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory", import->source);
  sk_status status = add_initialisers(import);
  if (!status) qsort(import->values, import->value_count, sizeof *import->values, compare_values);
  if (!status) status = add_inputs(import);
  if (!status) status = add_outputs(import);
  if (status) return status;
  qsort(import->values, import->value_count, sizeof *import->values, compare_values);
  qsort(import->node_names, import->node_name_count, sizeof *import->node_names, compare_names);
  status = check_distinct(import);
  if (!status) mark_wanted(import);
  return status;
}
