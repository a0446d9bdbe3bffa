/* Saved runs: files of `skiplane profile --save`, which anybody may have edited. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/compare.h"
#include "bench/runner.h"
#include "dispatch/status.h"
#include "resnet/file.h"
#include "resnet/text.h"

#define FORMAT "skiplane-profile 1"

enum { MOST_BYTES = 64 << 20, LONGEST_TEXT = 1024, MOST_IMAGES = 65536, MOST_THREADS = 65536 };

#define MOST_MACS 1e14 /* of an image: those of MOST_IMAGES are a uint64_t still */
#define MOST_GFLOPS 1e18

/* ---- Files ------------------------------------------------------------------------------------------------------ */

static bool is_file(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* WORD, or WORD.json where that is the file. NULL without memory. */
static char *find_path(const char *word) {
  const size_t bytes = strlen(word) + sizeof ".json";
  char *path = malloc(bytes);
  if (!path) return NULL;
  snprintf(path, bytes, "%s.json", word);
  if (is_file(word) || !is_file(path)) snprintf(path, bytes, "%s", word);
  return path;
}

static sk_status fail_key(const char *path, const char *key, const char *expected) {
  return sk_fail(SK_BAD_FORMAT, "%s: \"%s\": expected %s", sk_quote(path).text, key, expected);
}

/* cJSON can look one byte past its buffer, so it gets a copy that ends in NUL. */
static sk_status parse(const char *path, const char *text, size_t length, cJSON **document) {
  if (length > MOST_BYTES) {
    return sk_fail(SK_BAD_FORMAT, "%s: %zu bytes, expected a saved run of at most %d", sk_quote(path).text, length,
                   MOST_BYTES);
  }
  char *copy = malloc(length + 1);
  if (!copy) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for %zu bytes", sk_quote(path).text, length);
  if (length > 0) memcpy(copy, text, length);
  copy[length] = '\0';
  *document = cJSON_ParseWithLength(copy, length + 1);
  free(copy);
  if (cJSON_IsObject(*document)) return SK_OK;
  return sk_fail(SK_BAD_FORMAT, "%s: not JSON, expected a run saved by skiplane profile --save", sk_quote(path).text);
}

static sk_status check_format(const char *path, const cJSON *document) {
  const char *format = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(document, "format"));
  if (format && strcmp(format, FORMAT) == 0) return SK_OK;
  return sk_fail(SK_BAD_FORMAT, "%s: \"format\": %s, expected \"" FORMAT "\"", sk_quote(path).text,
                 format ? sk_quote_short(format).text : "missing");
}

/* ---- What must be there ----------------------------------------------------------------------------------------- */

static sk_status check_number(const char *path, const cJSON *object, const char *key, double least, double most) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
  char expected[64];
  if (cJSON_IsNumber(item) && item->valuedouble >= least && item->valuedouble <= most) return SK_OK;
  snprintf(expected, sizeof expected, "a number from %g to %g", least, most);
  return fail_key(path, key, expected);
}

static sk_status check_text(const char *path, const cJSON *object, const char *key) {
  const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
  return text && strlen(text) < LONGEST_TEXT ? SK_OK : fail_key(path, key, "a text of less than 1024 bytes");
}

/* Times of runs: one at least, all above 0. */
static sk_status check_samples(const char *path, const cJSON *object) {
  const cJSON *samples = cJSON_GetObjectItemCaseSensitive(object, "samples_ms");
  const cJSON *item = NULL;
  bool fits = cJSON_IsArray(samples) && samples->child;
  cJSON_ArrayForEach(item, samples) {
    fits = fits && cJSON_IsNumber(item) && item->valuedouble > 0 && item->valuedouble < 1e12;
  }
  return fits ? SK_OK : fail_key(path, "samples_ms", "a list of times above 0");
}

static sk_status check_layer(const char *path, const cJSON *layer) {
  sk_status status = check_text(path, layer, "name");
  if (!status) status = check_text(path, layer, "shape");
  if (!status) status = check_number(path, layer, "macs", 0, MOST_MACS);
  return status ? status : check_samples(path, layer);
}

static sk_status check_layers(const char *path, const cJSON *document) {
  const cJSON *layers = cJSON_GetObjectItemCaseSensitive(document, "layers");
  const cJSON *layer = NULL;
  sk_status status = cJSON_IsArray(layers) ? SK_OK : fail_key(path, "layers", "a list");
  if (status) return status;
  cJSON_ArrayForEach(layer, layers) {
    if (!status) status = cJSON_IsObject(layer) ? check_layer(path, layer) : fail_key(path, "layers", "objects in it");
  }
  return status;
}

/* Which algorithms ran: by name, or by a plan. Runs saved before there were plans do not tell of one. */
static sk_status check_algorithm(const char *path, const cJSON *document) {
  static const char *const keys[] = {"algorithm", "plan", "plan_digest"};
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < sizeof keys / sizeof *keys; i++) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(document, keys[i]);
    if (item && !cJSON_IsNull(item)) status = check_text(path, document, keys[i]);
  }
  return status;
}

static sk_status check_document(const char *path, const cJSON *document) {
  static const char *const texts[] = {"model", "isa", "version", "date"};
  sk_status status = SK_OK;
  if (!cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(document, "context"))) {
    return fail_key(path, "context", "an object");
  }
  for (size_t i = 0; !status && i < sizeof texts / sizeof *texts; i++) status = check_text(path, document, texts[i]);
  if (!status) status = check_number(path, document, "threads", 1, MOST_THREADS);
  if (!status) status = check_number(path, document, "batch", 1, MOST_IMAGES);
  if (!status) status = check_algorithm(path, document);
  if (!status) status = check_number(path, document, "macs", 0, MOST_MACS);
  if (!status) status = check_number(path, document, "peak_gflops", 0, MOST_GFLOPS);
  if (!status) status = check_samples(path, document);
  return status ? status : check_layers(path, document);
}

sk_status sk_saved_run_parse(cJSON **document, const char *path, const char *text, size_t length) {
  *document = NULL;
  sk_status status = parse(path, text, length, document);
  if (!status) status = check_format(path, *document);
  return status ? status : check_document(path, *document);
}

static sk_status read_document(const char *path, cJSON **document) {
  struct sk_file_map map = {0};
  sk_status status = sk_file_map_open(&map, path);
  if (status) return status;
  status = sk_saved_run_parse(document, path, map.data, map.length);
  sk_file_map_close(&map);
  return status;
}

sk_status sk_saved_pair_read(struct sk_saved_pair *pair, const char *const words[2]) {
  sk_status status = SK_OK;
  *pair = (struct sk_saved_pair){0};
  for (size_t i = 0; !status && i < 2; i++) {
    pair->paths[i] = find_path(words[i]);
    if (!pair->paths[i]) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the name of a file");
    status = read_document(pair->paths[i], &pair->documents[i]);
  }
  return status;
}

void sk_saved_pair_free(struct sk_saved_pair *pair) {
  for (size_t i = 0; i < 2; i++) {
    cJSON_Delete(pair->documents[i]);
    free(pair->paths[i]);
  }
  *pair = (struct sk_saved_pair){0};
}

/* ---- Whether they are a pair ------------------------------------------------------------------------------------ */

struct value_text {
  char text[SK_QUOTED_LIMIT + 4];
};

static struct value_text print_value(const cJSON *value) {
  struct value_text out = {"missing"};
  if (!value) return out;
  if (cJSON_IsString(value)) snprintf(out.text, sizeof out.text, "%s", sk_quote(value->valuestring).text);
  if (cJSON_IsNumber(value)) snprintf(out.text, sizeof out.text, "%.17g", value->valuedouble);
  if (cJSON_IsNull(value)) snprintf(out.text, sizeof out.text, "none");
  return out;
}

static bool tell_difference(const cJSON *a, const cJSON *b, const char *key, const struct sk_options *options) {
  const cJSON *first = cJSON_GetObjectItemCaseSensitive(a, key);
  const cJSON *second = cJSON_GetObjectItemCaseSensitive(b, key);
  if (!first && !second) return false;
  if (cJSON_Compare(first, second, true)) return false;
  sk_tell(options, "%s: %s and %s", key, print_value(first).text, print_value(second).text);
  return true;
}

/* Which keys have to be equal is known by a context of this machine: its values do not matter. */
static size_t tell_contexts(const cJSON *a, const cJSON *b, const struct sk_options *options) {
  struct sk_context context;
  size_t count = 0;
  sk_context_read(&context, 1, NULL);
  for (size_t i = 0; i < context.count; i++) {
    if (context.items[i].must_match) count += tell_difference(a, b, context.items[i].key, options);
  }
  return count;
}

/* Runs saved before there was a choice do not tell: their denormals were exact. */
static bool tell_denormals(const cJSON *a, const cJSON *b, const struct sk_options *options) {
  const bool first = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(a, "flush_denormals"));
  const bool second = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(b, "flush_denormals"));
  if (first == second) return false;
  sk_tell(options, "denormals: %s and %s", sk_denormals_word(first), sk_denormals_word(second));
  return true;
}

size_t sk_saved_pair_tell_differences(const struct sk_saved_pair *pair, const struct sk_options *options) {
  static const char *const keys[] = {"model", "batch", "in_height", "in_width", "weights"};
  const cJSON *a = pair->documents[0], *b = pair->documents[1];
  size_t count = tell_contexts(cJSON_GetObjectItemCaseSensitive(a, "context"),
                               cJSON_GetObjectItemCaseSensitive(b, "context"), options);
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) count += tell_difference(a, b, keys[i], options);
  if (cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(a, "weights"))) count += tell_difference(a, b, "seed", options);
  return count + tell_denormals(a, b, options);
}

/* ---- Comparing -------------------------------------------------------------------------------------------------- */

static double number_of(const cJSON *object, const char *key) {
  return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

/* Two sets of times of one thing, a layer or the whole; NULL where a run does not have it. */
struct two_sides {
  const cJSON *objects[2];
  double *seconds[2]; /* owned */
  size_t counts[2];
};

static sk_status read_samples(struct two_sides *sides, size_t side) {
  const cJSON *samples = cJSON_GetObjectItemCaseSensitive(sides->objects[side], "samples_ms");
  const cJSON *item = NULL;
  double *seconds = calloc((size_t)cJSON_GetArraySize(samples) + 1, sizeof *seconds);
  if (!seconds) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the times of a saved run");
  sides->seconds[side] = seconds;
  cJSON_ArrayForEach(item, samples) seconds[sides->counts[side]++] = item->valuedouble / 1e3;
  return SK_OK;
}

static void rate(struct sk_compare_result *result, const cJSON *document, const cJSON *object) {
  result->gflops = 2e-9 * number_of(object, "macs") * number_of(document, "batch") / result->time.median;
  result->percent_of_peak = 100 * result->gflops / number_of(document, "peak_gflops");
}

static void set_results(const struct sk_saved_pair *pair, const struct sk_compare *compare, struct two_sides *sides,
                        struct sk_compare_result *results) {
  const struct sk_comparison self = {1, 1, 1, 1};
  results[0].verdict = SK_VERDICT_BASE;
  results[0].comparison = self;
  results[1].comparison = sk_comparison_unpaired(sides->seconds[0], sides->counts[0], sides->seconds[1],
                                                 sides->counts[1], compare->options->seed);
  results[1].verdict = sk_comparison_verdict(&results[1].comparison, compare->options->threshold);
  for (size_t i = 0; i < 2; i++) {
    results[i].time = sk_statistics_summarise(sides->seconds[i], sides->counts[i]);
    rate(&results[i], pair->documents[i], sides->objects[i]);
  }
}

static void fail_side(struct sk_compare_result *result) {
  result->verdict = SK_VERDICT_FAILED;
  result->reason = sk_quote("this run has no such layer");
}

static sk_status compare_sides(const struct sk_saved_pair *pair, const struct sk_compare *compare, const cJSON *a,
                               const cJSON *b, struct sk_compare_result *results, size_t *rounds) {
  struct two_sides sides = {.objects = {a, b}};
  sk_status status = SK_OK;
  for (size_t i = 0; i < 2; i++) {
    if (!sides.objects[i]) fail_side(&results[i]);
    if (sides.objects[i] && !status) status = read_samples(&sides, i);
  }
  if (!status && a && b) set_results(pair, compare, &sides, results);
  *rounds = sides.counts[0] < sides.counts[1] ? sides.counts[0] : sides.counts[1];
  free(sides.seconds[0]);
  free(sides.seconds[1]);
  return status;
}

static const char *text_of(const cJSON *object, const char *key) {
  return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static const cJSON *find_layer(const cJSON *document, const char *name) {
  const cJSON *layer = NULL;
  cJSON_ArrayForEach(layer, cJSON_GetObjectItemCaseSensitive(document, "layers")) {
    if (strcmp(text_of(layer, "name"), name) == 0) return layer;
  }
  return NULL;
}

static sk_status compare_layer(const struct sk_saved_pair *pair, struct sk_compare *compare, const cJSON *a,
                               const cJSON *b) {
  const cJSON *layer = a ? a : b;
  const double macs = number_of(layer, "macs") * (double)compare->batch;
  struct sk_compare_target *target =
      sk_compare_add(compare, text_of(layer, "name"), text_of(layer, "shape"), (uint64_t)macs);
  return compare_sides(pair, compare, a, b, target->results, &target->rounds);
}

/* The base's layers in their order, then those that only the other run has. */
static sk_status compare_layers(const struct sk_saved_pair *pair, struct sk_compare *compare) {
  const cJSON *layer = NULL;
  sk_status status = SK_OK;
  cJSON_ArrayForEach(layer, cJSON_GetObjectItemCaseSensitive(pair->documents[0], "layers")) {
    const cJSON *other = find_layer(pair->documents[1], text_of(layer, "name"));
    if (!status) status = compare_layer(pair, compare, layer, other);
  }
  cJSON_ArrayForEach(layer, cJSON_GetObjectItemCaseSensitive(pair->documents[1], "layers")) {
    const bool is_known = find_layer(pair->documents[0], text_of(layer, "name")) != NULL;
    if (!status && !is_known) status = compare_layer(pair, compare, NULL, layer);
  }
  return status;
}

static size_t count_layers(const cJSON *document) {
  return (size_t)cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(document, "layers"));
}

/* What tells the sides of a pair apart: version, date, and which algorithms ran; of a plan, the digest before the name,
 * which may not fit. */
static void describe_side(const cJSON *document, char version[SK_BACKEND_VERSION]) {
  const char *algorithm = text_of(document, "algorithm");
  const char *plan = text_of(document, "plan");
  const char *digest = text_of(document, "plan_digest");
  snprintf(version, SK_BACKEND_VERSION, "skiplane %.40s, %.30s, %.9s%s%.8s%s%s", text_of(document, "version"),
           text_of(document, "date"), algorithm ? algorithm : "unknown", digest ? " " : "", digest ? digest : "",
           plan ? " " : "", plan ? plan : "");
}

static void describe(const struct sk_saved_pair *pair, struct sk_compare *compare) {
  const cJSON *base = pair->documents[0];
  compare->kind = "runs";
  compare->target = text_of(base, "model");
  compare->isa = text_of(base, "isa");
  compare->threads = (int)number_of(base, "threads");
  compare->batch = (size_t)number_of(base, "batch");
  compare->command = sk_command_line();
  compare->date = sk_date_now();
  compare->has_whole = true;
  compare->column_count = 2;
  for (size_t i = 0; i < 2; i++) {
    struct sk_compare_column *column = &compare->columns[i];
    snprintf(column->name, sizeof column->name, "%s", compare->options->operands[i]);
    describe_side(pair->documents[i], column->version);
    compare->peaks[compare->peak_count++] = number_of(pair->documents[i], "peak_gflops");
  }
}

/* The context of the runs, not that of the machine which compares them. */
static void copy_context(const cJSON *document, struct sk_context *context) {
  const cJSON *item = NULL;
  cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(document, "context")) {
    if (!cJSON_IsString(item) || context->count == SK_CONTEXT_ROOM) continue;
    struct sk_context_item *to = &context->items[context->count++];
    to->key = item->string;
    snprintf(to->value, sizeof to->value, "%s", item->valuestring);
  }
}

sk_status sk_saved_pair_compare(const struct sk_saved_pair *pair, struct sk_compare *compare) {
  size_t rounds = 0;
  describe(pair, compare);
  copy_context(pair->documents[0], &compare->context);
  sk_status status = sk_compare_allocate(compare, count_layers(pair->documents[0]) + count_layers(pair->documents[1]));
  if (status) return status;
  sk_compare_clear(compare);
  status = compare_sides(pair, compare, pair->documents[0], pair->documents[1], compare->totals, &rounds);
  return status ? status : compare_layers(pair, compare);
}
