#include "resnet/head.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/bind.h"
#include "resnet/network.h"
#include "resnet/text.h"

static const char weight_name[] = "fc.weight", bias_name[] = "fc.bias";
static const char model_key[] = "model", body_key[] = "body";

sk_status sk_head_find_features(const char *model, struct sk_feature_layer *layer) {
  struct sk_graph graph = {0};
  sk_status status = sk_network_build(&graph, model, NULL);
  if (!status) {
    const struct sk_node *last = &graph.nodes[graph.count - 1];
    if (last->op == SK_NODE_DENSE) {
      snprintf(layer->name, sizeof layer->name, "%s", graph.nodes[last->inputs[0]].name);
    } else {
      status = sk_fail(SK_UNSUPPORTED, "model \"%s\": ends in %s, expected a dense layer", sk_quote_short(model).text,
                       sk_node_op_name(last->op));
    }
  }
  sk_graph_destroy(&graph);
  return status;
}

/* ---- The body's digest -------------------------------------------------------------------------------------- */

struct digest_text {
  char text[20];
};

/* FNV-1a, taking 32 bits at a time. */
static uint64_t digest_tensor(uint64_t digest, const struct sk_weight_tensor *tensor) {
  uint32_t values[1024];
  _Static_assert(sizeof(float) == sizeof values[0], "the bits of a float");
  for (size_t first = 0; first < tensor->elements; first += 1024) {
    const size_t count = sk_size_min(1024, tensor->elements - first);
    float floats[1024];
    sk_weight_tensor_read_range(tensor, first, count, floats);
    memcpy(values, floats, count * sizeof *values);
    for (size_t i = 0; i < count; i++) digest = (digest ^ values[i]) * UINT64_C(0x100000001B3);
  }
  return digest;
}

/* Digest the values of all tensors but the last layer's, in the order of their names and as float32: the same for files
 * that hold the same values in another type. */
static struct digest_text digest_body(const sk_weights *weights) {
  const struct sk_weight_tensor *const weight = sk_bind_find(weights, weight_name);
  const struct sk_weight_tensor *const bias = sk_bind_find(weights, bias_name);
  struct digest_text out;
  uint64_t digest = UINT64_C(0xCBF29CE484222325);
  for (size_t i = 0; i < sk_weights_count(weights); i++) {
    const struct sk_weight_tensor *const tensor = sk_weights_at(weights, i);
    if (tensor == weight || tensor == bias || tensor->dtype == SK_DTYPE_OTHER) continue;
    digest = digest_tensor(digest, tensor);
  }
  snprintf(out.text, sizeof out.text, "%016" PRIx64, digest);
  return out;
}

/* ---- Making a head ------------------------------------------------------------------------------------------ */

sk_status sk_head_new(sk_weights **head, const char *model, const sk_weights *body, size_t classes, size_t features,
                      struct sk_head_values *values) {
  sk_status status = sk_weights_new(head);
  if (!status) status = sk_weights_add(*head, weight_name, 2, (size_t[]){classes, features}, &values->weight);
  if (!status) status = sk_weights_add(*head, bias_name, 1, &classes, &values->bias);
  if (!status) status = sk_weights_add_metadata(*head, "format", "pt"); /* what other readers of the format ask for */
  if (!status) status = sk_weights_add_metadata(*head, model_key, model);
  if (!status) status = sk_weights_add_metadata(*head, body_key, digest_body(body).text);
  return status;
}

/* ---- Taking a head ------------------------------------------------------------------------------------------ */

static sk_status check_head(const sk_weights *head, size_t features) {
  const struct sk_quoted source = sk_quote(sk_weights_source(head));
  const struct sk_weight_tensor *const weight = sk_weights_find(head, weight_name);
  const struct sk_weight_tensor *const bias = sk_weights_find(head, bias_name);
  if (!weight || !bias || sk_weights_count(head) != 2) {
    return sk_fail(SK_BAD_FORMAT, "%s: %zu tensors, expected two for a head, fc.weight and fc.bias", source.text,
                   sk_weights_count(head));
  }
  if (weight->dtype == SK_DTYPE_OTHER || bias->dtype == SK_DTYPE_OTHER) {
    return sk_fail(SK_BAD_FORMAT, "%s: element types %s and %s, expected F32, F16 or BF16", source.text,
                   weight->dtype_name, bias->dtype_name);
  }
  if (weight->rank != 2 || bias->rank != 1 || weight->shape[0] == 0 || weight->shape[0] != bias->shape[0]) {
    return sk_fail(SK_BAD_FORMAT, "%s: shapes of fc.weight and fc.bias: expected [classes, features] and [classes]",
                   source.text);
  }
  if (weight->shape[1] == features) return SK_OK;
  return sk_fail(SK_BAD_FORMAT, "%s: tensor \"fc.weight\": of %zu features, expected the network's %zu", source.text,
                 weight->shape[1], features);
}

/* Heads of the same width fit each other's networks, and would guess: what they were trained on must be the same. */
static sk_status check_origin(const sk_weights *weights, const char *model, const sk_weights *head) {
  const struct sk_quoted source = sk_quote(sk_weights_source(head));
  const char *const trained = sk_weights_metadata(head, model_key);
  const char *const body = sk_weights_metadata(head, body_key);
  if (trained && strcmp(trained, model) != 0) {
    return sk_fail(SK_BAD_FORMAT, "%s: a head for %s, expected one for %s", source.text, sk_quote_short(trained).text,
                   sk_quote_short(model).text);
  }
  if (!body || strcmp(body, digest_body(weights).text) == 0) return SK_OK;
  return sk_fail(SK_BAD_FORMAT, "%s: a head for other weights than %s: their digest is %s, expected %s", source.text,
                 sk_quote(sk_weights_source(weights)).text, digest_body(weights).text, sk_quote_short(body).text);
}

/* Let a tensor have the other one's values; its name stays. */
static void replace(sk_weights *weights, const struct sk_weight_tensor *old, const struct sk_weight_tensor *other) {
  struct sk_weight_tensor *const tensor = &weights->tensors[old - sk_weights_at(weights, 0)];
  const char *const name = tensor->name;
  *tensor = *other;
  tensor->name = name;
}

sk_status sk_head_take(sk_weights *weights, const char *model, sk_weights *head) {
  const struct sk_weight_tensor *const weight = sk_bind_find(weights, weight_name);
  const struct sk_weight_tensor *const bias = sk_bind_find(weights, bias_name);
  if (weights->owns_data || weights->head) {
    return sk_fail(SK_INVALID_ARGUMENT, "%s: a head goes with weights of a file, and once",
                   sk_quote(sk_weights_source(weights)).text);
  }
  if (!weight || weight->rank != 2 || !bias) {
    return sk_fail(SK_BAD_FORMAT, "%s: has no fc.weight and fc.bias for a head to take the place of",
                   sk_quote(sk_weights_source(weights)).text);
  }
  sk_status status = check_head(head, weight->shape[1]);
  if (!status) status = check_origin(weights, model, head);
  if (status) return status;
  replace(weights, weight, sk_weights_find(head, weight_name));
  replace(weights, bias, sk_weights_find(head, bias_name));
  cJSON_Delete(weights->metadata);
  weights->metadata = head->metadata;
  head->metadata = NULL;
  weights->head = head;
  return SK_OK;
}
