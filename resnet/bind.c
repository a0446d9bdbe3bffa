#include "resnet/bind.h"

#include <stdio.h>
#include <string.h>

#include "dispatch/memory.h"
#include "dispatch/status.h"
#include "resnet/text.h"

enum { NAME_LIMIT = 128 };

/* ---- Names -------------------------------------------------------------------------------------------------- */

/* Two words for one layer. */
struct synonym {
  const char *word, *other;
};

static const struct synonym synonyms[] = {
    {"fc.", "linear."},
    {"linear.", "fc."},
    {"downsample.", "shortcut."},
    {"shortcut.", "downsample."},
};

/* Write `name` with the first occurrence of a word replaced; false if the word is not in it. */
static bool replace_word(const char *name, const struct synonym *synonym, char out[NAME_LIMIT]) {
  const char *const at = strstr(name, synonym->word);
  if (!at) return false;
  snprintf(out, NAME_LIMIT, "%.*s%s%s", (int)(at - name), name, synonym->other, at + strlen(synonym->word));
  return true;
}

static const struct sk_weight_tensor *find_prefixed(const sk_weights *weights, const char *name) {
  const struct sk_weight_tensor *const tensor = sk_weights_find(weights, name);
  if (tensor) return tensor;
  char prefixed[NAME_LIMIT + 8];
  snprintf(prefixed, sizeof prefixed, "module.%s", name);
  return sk_weights_find(weights, prefixed);
}

const struct sk_weight_tensor *sk_bind_find(const sk_weights *weights, const char *name) {
  const struct sk_weight_tensor *tensor = find_prefixed(weights, name);
  for (size_t i = 0; !tensor && i < sizeof synonyms / sizeof synonyms[0]; i++) {
    char other[NAME_LIMIT];
    if (replace_word(name, &synonyms[i], other)) tensor = find_prefixed(weights, other);
  }
  return tensor;
}

/* ---- Checks ------------------------------------------------------------------------------------------------- */

struct shape_text {
  char text[NAME_LIMIT];
};

/* Write a shape as "[64, 3, 7, 7]". */
static struct shape_text shape_text(size_t rank, const size_t *shape) {
  struct shape_text out = {"["};
  size_t used = 1;
  for (size_t i = 0; i < rank && used < sizeof out.text; i++) {
    const int length = snprintf(out.text + used, sizeof out.text - used, "%s%zu", i ? ", " : "", shape[i]);
    used += length > 0 ? (size_t)length : 0;
  }
  if (used < sizeof out.text) snprintf(out.text + used, sizeof out.text - used, "]");
  return out;
}

static bool same_shape(const struct sk_weight_tensor *tensor, size_t rank, const size_t *shape) {
  if (tensor->rank != rank) return false;
  for (size_t i = 0; i < rank; i++) {
    if (tensor->shape[i] != shape[i]) return false;
  }
  return true;
}

static sk_status check_tensor(const char *model, const char *source, const struct sk_weight_tensor *tensor, size_t rank,
                              const size_t *shape) {
  const struct sk_quoted name = sk_quote(tensor->name);
  if (!same_shape(tensor, rank, shape)) {
    return sk_fail(SK_BAD_FORMAT, "%s: tensor \"%s\": shape %s, expected %s for %s", source, name.text,
                   shape_text(tensor->rank, tensor->shape).text, shape_text(rank, shape).text, model);
  }
  if (tensor->dtype == SK_DTYPE_OTHER) {
    return sk_fail(SK_BAD_FORMAT, "%s: tensor \"%s\": element type %s, expected F32, F16 or BF16", source, name.text,
                   sk_quote_short(tensor->dtype_name).text);
  }
  return SK_OK;
}

/* ---- Binding ------------------------------------------------------------------------------------------------ */

struct binding {
  struct sk_graph *graph;
  const char *model;
  const sk_weights *weights;
  struct sk_quoted source;
  bool *used; /* [tensors] */
};

static sk_status bind_parameter(struct binding *b, size_t node, enum sk_parameter parameter) {
  size_t shape[4];
  const size_t rank = sk_node_parameter_shape(b->graph, node, parameter, shape);
  if (rank == 0) return SK_OK;
  char name[NAME_LIMIT];
  snprintf(name, sizeof name, "%s.%s", b->graph->nodes[node].name, sk_parameter_name(parameter));
  const struct sk_weight_tensor *const tensor = sk_bind_find(b->weights, name);
  if (!tensor) {
    return sk_fail(SK_BAD_FORMAT, "%s: tensor \"%s\": missing, expected shape %s for %s", b->source.text, name,
                   shape_text(rank, shape).text, b->model);
  }
  b->used[tensor - sk_weights_at(b->weights, 0)] = true;
  b->graph->nodes[node].parameters[parameter] = tensor;
  return check_tensor(b->model, b->source.text, tensor, rank, shape);
}

static sk_status bind_nodes(struct binding *b) {
  for (size_t node = 0; node < b->graph->count; node++) {
    for (int parameter = 0; parameter < SK_PARAMETER_COUNT; parameter++) {
      const sk_status status = bind_parameter(b, node, (enum sk_parameter)parameter);
      if (status) return status;
    }
  }
  return SK_OK;
}

static bool ends_with(const char *text, const char *end) {
  const size_t length = strlen(text);
  return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

/* A projection in a file for a network with shortcut A most likely belongs to its sibling with shortcut B. */
static const char *hint(const struct binding *b, const char *name) {
  const bool is_projection = strstr(name, "shortcut.") || strstr(name, "downsample.");
  return is_projection && ends_with(b->model, "-cifar") ? "; with projections it is the model's sibling ending in -b"
                                                        : "";
}

static sk_status check_all_used(const struct binding *b) {
  for (size_t i = 0; i < sk_weights_count(b->weights); i++) {
    const char *const name = sk_weights_at(b->weights, i)->name;
    if (b->used[i] || ends_with(name, ".num_batches_tracked")) continue;
    return sk_fail(SK_BAD_FORMAT, "%s: tensor \"%s\": unknown to %s%s", b->source.text, sk_quote(name).text, b->model,
                   hint(b, name));
  }
  return SK_OK;
}

sk_status sk_graph_bind(struct sk_graph *graph, const char *model, const sk_weights *weights) {
  struct binding b = {
      .graph = graph, .model = model, .weights = weights, .source = sk_quote(sk_weights_source(weights))};
  b.used = sk_calloc(sk_weights_count(weights) + 1, sizeof *b.used);
  if (!b.used) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for its tensors", b.source.text);
  sk_status status = bind_nodes(&b);
  if (!status) status = check_all_used(&b);
  sk_free(b.used);
  return status;
}
