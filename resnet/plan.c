#include "resnet/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch/conv.h"
#include "dispatch/isa.h"
#include "dispatch/memory.h"
#include "dispatch/status.h"
#include "resnet/file.h"
#include "resnet/json.h"
#include "resnet/suggest.h"
#include "resnet/text.h"

enum { LONGEST_TEXT = 256, MOST_BATCH = 65536, MOST_THREADS = 4096, MOST_SIDE = 65536 };

struct planned_layer {
  const char *name, *shape;
  sk_algorithm algorithm;
};

struct sk_plan {
  char *source;
  cJSON *document; /* which the texts below belong to */
  sk_plan_info info;
  struct planned_layer *layers; /* [info.layers], sorted by name */
};

/* ---- Fields ------------------------------------------------------------------------------------------------- */

/* Where a field stands: in the document, or in a layer of it. */
struct place {
  const char *source;
  char layer[SK_QUOTED_LIMIT + 16]; /* "layer "conv1": ", "layer number 3: ", or nothing */
  const cJSON *object;
};

struct value_text {
  char text[SK_QUOTED_LIMIT + 8];
};

/* What came, in one word. */
static struct value_text describe_value(const cJSON *item) {
  struct value_text out = {"missing"};
  const char *kind = NULL;
  if (cJSON_IsString(item)) {
    snprintf(out.text, sizeof out.text, "\"%s\"", sk_quote_short(item->valuestring).text);
  } else if (cJSON_IsNumber(item)) {
    snprintf(out.text, sizeof out.text, "%.15g", item->valuedouble);
  } else if (item) {
    kind = cJSON_IsArray(item) ? "a list" : cJSON_IsObject(item) ? "an object" : cJSON_IsNull(item) ? "null" : NULL;
    snprintf(out.text, sizeof out.text, "%s", kind ? kind : cJSON_IsTrue(item) ? "true" : "false");
  }
  return out;
}

static sk_status fail_field(const struct place *place, const char *key, const char *expected) {
  const cJSON *const item = cJSON_GetObjectItemCaseSensitive(place->object, key);
  return sk_fail(SK_BAD_FORMAT, "%s: %s\"%s\": %s, expected %s", place->source, place->layer, key,
                 describe_value(item).text, expected);
}

static sk_status read_text(const struct place *place, const char *key, const char **text) {
  *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(place->object, key));
  if (*text && **text && strlen(*text) < LONGEST_TEXT) return SK_OK;
  return fail_field(place, key, "a text of 1 to 255 bytes");
}

static sk_status read_size(const struct place *place, const char *key, size_t most, size_t *size) {
  char expected[64];
  const cJSON *const item = cJSON_GetObjectItemCaseSensitive(place->object, key);
  const double value = cJSON_IsNumber(item) ? item->valuedouble : 0;
  const bool fits = value >= 1 && value <= (double)most && value == floor(value);
  *size = fits ? (size_t)value : 0;
  if (fits) return SK_OK;
  snprintf(expected, sizeof expected, "a whole number from 1 to %zu", most);
  return fail_field(place, key, expected);
}

static sk_status read_fixed(const struct place *place, const char *key, const char *expected) {
  char quoted[64];
  const char *const text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(place->object, key));
  if (text && strcmp(text, expected) == 0) return SK_OK;
  snprintf(quoted, sizeof quoted, "\"%s\"", expected);
  return fail_field(place, key, quoted);
}

static sk_status read_isa(const struct place *place, sk_isa *isa) {
  const char *const name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(place->object, "isa"));
  if (name && !sk_isa_parse(name, isa) && *isa != SK_ISA_AUTO) return SK_OK;
  return fail_field(place, "isa", SK_ISA_CHOICES);
}

/* ---- Layers ------------------------------------------------------------------------------------------------- */

/* Fail because a layer's algorithm is none, or is `auto`, which names none. */
static sk_status fail_algorithm(const struct place *place) {
  const char *names[SK_ALGORITHM_COUNT];
  char expected[128];
  const char *const name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(place->object, "algorithm"));
  for (int i = SK_ALGORITHM_DIRECT; i < SK_ALGORITHM_COUNT; i++) names[i - 1] = sk_algorithm_name((sk_algorithm)i);
  const char *const nearest = name ? sk_suggest(name, names, SK_ALGORITHM_COUNT - 1) : NULL;
  snprintf(expected, sizeof expected, "direct, winograd2, winograd4, winograd6, gemm, strassen or winograd3%s%s%s",
           nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
  return fail_field(place, "algorithm", expected);
}

static sk_status read_algorithm(const struct place *place, sk_algorithm *algorithm) {
  const char *const name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(place->object, "algorithm"));
  if (name && !sk_algorithm_parse(name, algorithm) && *algorithm != SK_ALGORITHM_AUTO) return SK_OK;
  return fail_algorithm(place);
}

static sk_status read_layer(struct place *place, size_t number, struct planned_layer *layer) {
  snprintf(place->layer, sizeof place->layer, "layer number %zu: ", number);
  if (!cJSON_IsObject(place->object)) {
    return sk_fail(SK_BAD_FORMAT, "%s: %s%s, expected an object", place->source, place->layer,
                   describe_value(place->object).text);
  }
  sk_status status = read_text(place, "name", &layer->name);
  if (status) return status;
  snprintf(place->layer, sizeof place->layer, "layer \"%s\": ", sk_quote_short(layer->name).text);
  status = read_text(place, "shape", &layer->shape);
  return status ? status : read_algorithm(place, &layer->algorithm);
}

static int compare_layers(const void *left, const void *right) {
  return strcmp(((const struct planned_layer *)left)->name, ((const struct planned_layer *)right)->name);
}

/* Sort the layers, among which none may stand twice. */
static sk_status sort_layers(const struct place *place, const struct sk_plan *plan) {
  qsort(plan->layers, plan->info.layers, sizeof *plan->layers, compare_layers);
  for (size_t i = 1; i < plan->info.layers; i++) {
    if (compare_layers(&plan->layers[i - 1], &plan->layers[i]) != 0) continue;
    return sk_fail(SK_BAD_FORMAT, "%s: layer \"%s\": stands twice, expected once", place->source,
                   sk_quote_short(plan->layers[i].name).text);
  }
  return SK_OK;
}

static sk_status read_layers(const struct place *place, struct sk_plan *plan) {
  const cJSON *const list = cJSON_GetObjectItemCaseSensitive(place->object, "layers");
  const cJSON *item = NULL;
  size_t count = 0;
  if (!cJSON_IsArray(list)) return fail_field(place, "layers", "a list");
  cJSON_ArrayForEach(item, list) count++;
  plan->layers = sk_calloc(count + 1, sizeof *plan->layers);
  if (!plan->layers) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for %zu layers", place->source, count);
  cJSON_ArrayForEach(item, list) {
    struct place inside = {.source = place->source, .object = item};
    const sk_status status = read_layer(&inside, plan->info.layers + 1, &plan->layers[plan->info.layers]);
    if (status) return status;
    plan->info.layers++;
  }
  return sort_layers(place, plan);
}

/* ---- The document ------------------------------------------------------------------------------------------- */

/* FNV-1a, a NUL behind each text. Source: Fowler, Noll and Vo, http://www.isthe.com/chongo/tech/comp/fnv/. */
static void digest_text(uint32_t *digest, const char *text) {
  const size_t bytes = strlen(text) + 1;
  for (size_t i = 0; i < bytes; i++) *digest = (*digest ^ (unsigned char)text[i]) * UINT32_C(16777619);
}

static uint32_t digest_plan(const struct sk_plan *plan) {
  uint32_t digest = UINT32_C(2166136261);
  digest_text(&digest, plan->info.model);
  for (size_t i = 0; i < plan->info.layers; i++) {
    digest_text(&digest, plan->layers[i].name);
    digest_text(&digest, plan->layers[i].shape);
    digest_text(&digest, sk_algorithm_name(plan->layers[i].algorithm));
  }
  return digest;
}

static sk_status read_conditions(const struct place *place, sk_plan_info *info) {
  size_t threads = 0;
  sk_status status = read_size(place, "batch", MOST_BATCH, &info->batch);
  if (!status) status = read_size(place, "threads", MOST_THREADS, &threads);
  if (!status) status = read_isa(place, &info->isa);
  if (!status) status = read_text(place, "cpu", &info->cpu);
  if (!status) status = read_text(place, "version", &info->version);
  info->threads = (int)threads;
  return status;
}

static sk_status read_document(struct sk_plan *plan) {
  const struct sk_quoted source = sk_quote(plan->source);
  const struct place place = {.source = source.text, .object = plan->document};
  sk_plan_info *const info = &plan->info;
  if (!cJSON_IsObject(plan->document)) {
    return sk_fail(SK_BAD_FORMAT, "%s: %s, expected an object", source.text, describe_value(plan->document).text);
  }
  sk_status status = read_fixed(&place, "format", SK_PLAN_FORMAT); /* first: of another format nothing else is known */
  if (!status) status = read_fixed(&place, "element_type", SK_PLAN_ELEMENT_TYPE);
  if (!status) status = read_fixed(&place, "direction", SK_PLAN_DIRECTION);
  if (!status) status = read_text(&place, "model", &info->model);
  if (!status) status = read_size(&place, "in_height", MOST_SIDE, &info->in_height);
  if (!status) status = read_size(&place, "in_width", MOST_SIDE, &info->in_width);
  if (!status) status = read_conditions(&place, info);
  if (!status) status = read_layers(&place, plan);
  if (!status) info->digest = digest_plan(plan);
  return status;
}

static sk_status parse(struct sk_plan *plan, const char *text, size_t length) {
  size_t end = 0;
  const struct sk_quoted source = sk_quote(plan->source);
  if (length > SK_PLAN_MAX_BYTES) {
    return sk_fail(SK_BAD_FORMAT, "%s: %zu bytes, expected a plan of at most %d", source.text, length,
                   SK_PLAN_MAX_BYTES);
  }
  const sk_status status = sk_json_parse(&plan->document, &end, plan->source, text, length, SK_JSON_DECIMALS);
  if (status) return status;
  while (end < length && strchr(" \t\r\n", text[end]) && text[end]) end++;
  if (end < length) return sk_fail(SK_BAD_FORMAT, "%s: JSON byte %zu: something behind the plan", source.text, end);
  return read_document(plan);
}

sk_status sk_plan_parse(sk_plan **plan, const char *source, const char *text, size_t length) {
  struct sk_plan *const made = sk_calloc(1, sizeof *made);
  *plan = NULL;
  if (made) made->source = sk_strdup(source);
  const sk_status status =
      made && made->source ? parse(made, text, length) : sk_fail(SK_OUT_OF_MEMORY, "out of memory for a plan");
  if (status) {
    sk_plan_close(made);
  } else {
    *plan = made;
  }
  return status;
}

sk_status sk_plan_open(sk_plan **plan, const char *path) {
  struct sk_file_map map;
  if (!plan || !path) return sk_fail(SK_INVALID_ARGUMENT, "sk_plan_open: NULL argument");
  *plan = NULL;
  sk_status status = sk_file_map_open(&map, path);
  if (!status) status = sk_plan_parse(plan, path, map.data, map.length);
  sk_file_map_close(&map);
  return status;
}

void sk_plan_close(sk_plan *plan) {
  if (!plan) return;
  cJSON_Delete(plan->document);
  sk_free(plan->layers);
  sk_free(plan->source);
  sk_free(plan);
}

void sk_plan_describe(const sk_plan *plan, sk_plan_info *info) { *info = plan->info; }

const char *sk_plan_source(const sk_plan *plan) { return plan->source; }

/* ---- Against a network -------------------------------------------------------------------------------------- */

static const struct planned_layer *find_layer(const sk_plan *plan, const char *name) {
  const struct planned_layer wanted = {.name = name};
  return bsearch(&wanted, plan->layers, plan->info.layers, sizeof *plan->layers, compare_layers);
}

static sk_status check_applies(const sk_plan *plan, const struct sk_node *conv, sk_algorithm algorithm) {
  sk_algorithm chosen = SK_ALGORITHM_DIRECT;
  if (sk_conv_choose(&conv->conv, algorithm, &chosen) == SK_OK) return SK_OK;
  const struct sk_quoted reason = sk_quote(sk_error_message());
  return sk_fail(SK_BAD_FORMAT, "%s: layer \"%s\": %s", sk_quote(plan->source).text, conv->name, reason.text);
}

sk_status sk_plan_find(const sk_plan *plan, const struct sk_node *conv, sk_algorithm *algorithm) {
  const struct planned_layer *const layer = find_layer(plan, conv->name);
  const struct sk_node_text shape = sk_conv_node_shape(conv);
  if (!layer) {
    return sk_fail(SK_BAD_FORMAT, "%s: layer \"%s\": missing, expected %s", sk_quote(plan->source).text, conv->name,
                   shape.text);
  }
  if (strcmp(layer->shape, shape.text) != 0) {
    return sk_fail(SK_BAD_FORMAT, "%s: layer \"%s\": shape %s, expected %s", sk_quote(plan->source).text, conv->name,
                   sk_quote_short(layer->shape).text, shape.text);
  }
  *algorithm = layer->algorithm;
  return check_applies(plan, conv, layer->algorithm);
}

/* Fail because the network has no convolution of that name. */
static sk_status fail_unknown(const sk_plan *plan, const char *model, const struct sk_graph *graph, const char *name) {
  struct sk_suggestion suggestion = {.word = name};
  for (size_t i = 0; i < graph->count; i++) {
    if (graph->nodes[i].op == SK_NODE_CONV) sk_suggestion_consider(&suggestion, graph->nodes[i].name);
  }
  return sk_fail(SK_BAD_FORMAT, "%s: layer \"%s\": no convolution of %s%s%s%s", sk_quote(plan->source).text,
                 sk_quote_short(name).text, sk_quote_short(model).text, suggestion.nearest ? ", did you mean " : "",
                 suggestion.nearest ? suggestion.nearest : "", suggestion.nearest ? "?" : "");
}

static sk_status check_known(const sk_plan *plan, const char *model, const struct sk_graph *graph) {
  for (size_t i = 0; i < plan->info.layers; i++) {
    const size_t node = sk_graph_find(graph, plan->layers[i].name);
    const bool is_known = node != SK_NO_NODE && graph->nodes[node].op == SK_NODE_CONV;
    if (!is_known) return fail_unknown(plan, model, graph, plan->layers[i].name);
  }
  return SK_OK;
}

static sk_status check_input(const sk_plan *plan, const struct sk_node *input) {
  const sk_plan_info *const info = &plan->info;
  if (info->in_height == input->height && info->in_width == input->width) return SK_OK;
  return sk_fail(SK_BAD_FORMAT, "%s: input %zux%zu, expected %zux%zu", sk_quote(plan->source).text, info->in_height,
                 info->in_width, input->height, input->width);
}

sk_status sk_plan_check(const sk_plan *plan, const char *model, const struct sk_graph *graph) {
  sk_algorithm algorithm;
  if (strcmp(plan->info.model, model) != 0) {
    return sk_fail(SK_BAD_FORMAT, "%s: \"model\": \"%s\", expected \"%s\"", sk_quote(plan->source).text,
                   sk_quote_short(plan->info.model).text, sk_quote_short(model).text);
  }
  sk_status status = check_input(plan, &graph->nodes[0]);
  if (!status) status = check_known(plan, model, graph);
  for (size_t i = 0; !status && i < graph->count; i++) {
    if (graph->nodes[i].op == SK_NODE_CONV) status = sk_plan_find(plan, &graph->nodes[i], &algorithm);
  }
  return status;
}
