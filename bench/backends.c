#include "bench/backends.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peers/peers.h"
#include "bench/terminal.h"
#include "dispatch/status.h"
#include "resnet/suggest.h"

const struct sk_backend *const sk_peers[] = {&sk_peer_onednn,   &sk_peer_xnnpack, &sk_peer_onnxruntime,
                                             &sk_peer_openvino, &sk_peer_pytorch, &sk_peer_mnn,
                                             &sk_peer_ncnn};
const size_t sk_peer_count = sizeof sk_peers / sizeof sk_peers[0];

/* ---- Names ------------------------------------------------------------------------------------------------------ */

#define PLAN "plan"

/* Every name there is: auto, plan, each ISA built, each algorithm, each pair of them, openblas, the peers. */
struct names {
  char texts[(SK_ISA_COUNT + 1) * (SK_ALGORITHM_COUNT + 2) + 16][SK_BACKEND_NAME];
  size_t count;
};

static void add_name(struct names *names, const char *first, const char *second) {
  snprintf(names->texts[names->count++], SK_BACKEND_NAME, "%s%s%s", first, second ? "/" : "", second ? second : "");
}

static void add_isa(struct names *names, sk_isa isa) {
  add_name(names, sk_isa_name(isa), NULL);
  for (int a = SK_ALGORITHM_DIRECT; a < SK_ALGORITHM_COUNT; a++) {
    add_name(names, sk_isa_name(isa), sk_algorithm_name((sk_algorithm)a));
  }
  add_name(names, sk_isa_name(isa), PLAN);
}

static void list_names(struct names *names) {
  names->count = 0;
  add_name(names, "auto", NULL);
  add_name(names, PLAN, NULL);
  for (int a = SK_ALGORITHM_DIRECT; a < SK_ALGORITHM_COUNT; a++) {
    add_name(names, sk_algorithm_name((sk_algorithm)a), NULL);
  }
  for (int isa = SK_ISA_GENERIC; isa < SK_ISA_COUNT; isa++) {
    if (sk_isa_built((sk_isa)isa)) add_isa(names, (sk_isa)isa);
  }
  add_name(names, "openblas", NULL);
  for (size_t i = 0; i < sk_peer_count; i++) add_name(names, sk_peers[i]->name, NULL);
}

static sk_status fail_unknown(const char *name) {
  struct names names;
  const char *pointers[sizeof names.texts / sizeof names.texts[0]];
  list_names(&names);
  for (size_t i = 0; i < names.count; i++) pointers[i] = names.texts[i];
  const char *nearest = sk_suggest(name, pointers, names.count);
  if (nearest) {
    sk_fail(SK_INVALID_ARGUMENT, "--backends: \"%s\": unknown backend, did you mean %s?", sk_quote_short(name).text,
            nearest);
  } else {
    sk_fail(SK_INVALID_ARGUMENT,
            "--backends: \"%s\": unknown backend, expected auto, an ISA, an algorithm, ISA/ALGORITHM, plan or a peer "
            "(skiplane compare --list)",
            sk_quote_short(name).text);
  }
  return SK_INVALID_ARGUMENT; /* rather than what sk_fail returns: so that static analysis sees a failure */
}

/* ---- Finding ---------------------------------------------------------------------------------------------------- */

static const struct sk_backend *find_peer(const char *name) {
  for (size_t i = 0; i < sk_peer_count; i++) {
    if (strcmp(sk_peers[i]->name, name) == 0) return sk_peers[i];
  }
  return NULL;
}

/* Read an algorithm or "plan". */
static bool parse_algorithm(const char *name, struct sk_backend *own) {
  own->is_planned = strcmp(name, PLAN) == 0;
  return own->is_planned || sk_algorithm_parse(name, &own->algorithm) == SK_OK;
}

/* Read "auto", "ISA", "ALGORITHM" or "ISA/ALGORITHM"; false if it is none of these. */
static bool parse_own(const char *name, struct sk_backend *own) {
  char first[SK_BACKEND_NAME];
  const char *slash = strchr(name, '/');
  own->isa = SK_ISA_AUTO;
  own->algorithm = SK_ALGORITHM_AUTO;
  if (!slash) return sk_isa_parse(name, &own->isa) == SK_OK || parse_algorithm(name, own);
  snprintf(first, sizeof first, "%.*s", (int)(slash - name), name);
  return sk_isa_parse(first, &own->isa) == SK_OK && parse_algorithm(slash + 1, own);
}

sk_status sk_contender_find(struct sk_contender *contender, const char *name) {
  *contender = (struct sk_contender){.own = sk_own_backend};
  contender->backend = &contender->own;
  if (strlen(name) >= SK_BACKEND_NAME - 4) return fail_unknown(name); /* leaves room for "#12" */
  snprintf(contender->name, sizeof contender->name, "%s", name);
  const struct sk_backend *peer = find_peer(name);
  contender->backend = peer ? peer : &contender->own;
  if (peer) return SK_OK;
  if (strcmp(name, "openblas") == 0) {
    contender->own.algorithm = SK_ALGORITHM_GEMM;
    contender->own.summary = "our network with every convolution by im2col and OpenBLAS";
  } else if (!parse_own(name, &contender->own)) {
    return fail_unknown(name);
  }
  if (contender->own.is_planned) contender->own.summary = "our kernels, algorithms by --plan FILE";
  contender->own.name = contender->name;
  return SK_OK;
}

/* ---- Starting --------------------------------------------------------------------------------------------------- */

static size_t count_same(const struct sk_contenders *contenders, const char *name) {
  size_t same = 0;
  for (size_t i = 0; i < contenders->count; i++) {
    const char *other = contenders->items[i].name;
    same += strncmp(other, name, strcspn(other, "#")) == 0 && strlen(name) == strcspn(other, "#");
  }
  return same;
}

static sk_status skip(struct sk_contenders *contenders, const struct sk_options *options, const char *name) {
  struct sk_skipped *skipped = &contenders->skipped[contenders->skipped_count++];
  const char *message = sk_error_message();
  const size_t length = strlen(name);
  const bool says_name = strncmp(message, name, length) == 0 && strncmp(message + length, ": ", 2) == 0;
  skipped->reason = sk_quote(says_name ? message + length + 2 : message);
  snprintf(skipped->name, sizeof skipped->name, "%s", name);
  sk_tell(options, "%s skipped: %s", name, skipped->reason.text);
  return SK_OK;
}

static sk_status start_one(struct sk_contenders *contenders, const struct sk_options *options,
                           const struct sk_conditions *conditions, const char *name) {
  if (contenders->count + contenders->skipped_count == SK_BACKENDS_MOST) {
    return sk_fail(SK_INVALID_ARGUMENT, "--backends: more than %d, expected at most that", SK_BACKENDS_MOST);
  }
  struct sk_contender *contender = &contenders->items[contenders->count];
  const size_t same = count_same(contenders, name);
  const sk_status status = sk_contender_find(contender, name);
  if (status) return status;
  if (contender->backend->start(&contender->instance, contender->backend, conditions, contender->version)) {
    return skip(contenders, options, name);
  }
  if (same > 0) snprintf(contender->name + strlen(name), SK_BACKEND_NAME - strlen(name), "#%zu", same + 1);
  contenders->count++;
  return SK_OK;
}

static sk_status start_default(struct sk_contenders *contenders, const struct sk_options *options,
                               const struct sk_conditions *conditions) {
  sk_status status = start_one(contenders, options, conditions, "auto");
  if (!status && conditions->plan) status = start_one(contenders, options, conditions, PLAN);
  for (size_t i = 0; !status && i < sk_peer_count; i++) {
    status = start_one(contenders, options, conditions, sk_peers[i]->name);
  }
  return status;
}

/* A plan that no backend runs by, or a backend without its plan, is a slip. */
static sk_status check_plan(const struct sk_options *options, bool is_named) {
  if (is_named == (options->plan != NULL)) return SK_OK;
  if (is_named)
    return sk_fail(SK_INVALID_ARGUMENT, "--backends: " PLAN " needs --plan FILE, which skiplane tune writes");
  return sk_fail(SK_INVALID_ARGUMENT, "--plan: --backends does not name " PLAN ", which is to run by it");
}

/* Names are looked at before any is started: a wrong one ends it at once. */
static sk_status check_names(const struct sk_options *options, char *list) {
  struct sk_contender contender;
  sk_status status = SK_OK;
  bool is_planned = false;
  char *rest = NULL;
  for (char *name = strtok_r(list, ",", &rest); name && !status; name = strtok_r(NULL, ",", &rest)) {
    status = sk_contender_find(&contender, name);
    is_planned = is_planned || (!status && contender.backend->is_planned);
  }
  return status ? status : check_plan(options, is_planned);
}

static sk_status start_list(struct sk_contenders *contenders, const struct sk_options *options,
                            const struct sk_conditions *conditions, char *list) {
  sk_status status = SK_OK;
  char *rest = NULL;
  for (char *name = strtok_r(list, ",", &rest); name && !status; name = strtok_r(NULL, ",", &rest)) {
    status = start_one(contenders, options, conditions, name);
  }
  return status;
}

static sk_status start_named(struct sk_contenders *contenders, const struct sk_options *options,
                             const struct sk_conditions *conditions) {
  char *const checked = strdup(options->backends);
  char *const started = strdup(options->backends);
  sk_status status =
      checked && started ? check_names(options, checked) : sk_fail(SK_OUT_OF_MEMORY, "out of memory for the backends");
  if (!status) status = start_list(contenders, options, conditions, started);
  free(checked);
  free(started);
  return status;
}

sk_status sk_contenders_start(struct sk_contenders *contenders, const struct sk_options *options,
                              const struct sk_conditions *conditions) {
  contenders->count = contenders->skipped_count = 0;
  const sk_status status =
      options->backends ? start_named(contenders, options, conditions) : start_default(contenders, options, conditions);
  if (status || contenders->count > 0) return status;
  return sk_fail(SK_UNSUPPORTED, "--backends: none is left (skiplane compare --list tells what each lacks)");
}

void sk_contenders_stop(struct sk_contenders *contenders) {
  for (size_t i = 0; i < contenders->count; i++) {
    struct sk_contender *contender = &contenders->items[i];
    if (contender->backend->stop) contender->backend->stop(contender->instance);
  }
  contenders->count = 0;
}

/* ---- Listing ---------------------------------------------------------------------------------------------------- */

static void print_backend(struct sk_table *table, const struct sk_conditions *conditions, const char *name) {
  struct sk_contender contender;
  if (sk_contender_find(&contender, name)) return;
  const struct sk_backend *backend = contender.backend;
  const bool is_missing = backend->start(&contender.instance, backend, conditions, contender.version) != SK_OK;
  sk_table_cell(table, "%s", name);
  sk_table_cell(table, "%s", is_missing ? "missing" : contender.version);
  sk_table_cell(table, "%s", is_missing ? sk_quote(sk_error_message()).text : backend->summary);
  if (!is_missing && backend->stop) backend->stop(contender.instance);
}

void sk_backends_complete(void) {
  struct names names;
  list_names(&names);
  for (size_t i = 0; i < names.count; i++) printf("%s ", names.texts[i]);
}

sk_status sk_backends_print(const struct sk_conditions *conditions) {
  static const struct sk_column columns[] = {{"backend", false, 0}, {"version", false, 1}, {"what it is", false, 0}};
  struct sk_table table;
  struct names names;
  list_names(&names);
  sk_table_begin(&table, columns, sizeof columns / sizeof columns[0]);
  for (size_t i = 0; i < names.count; i++) print_backend(&table, conditions, names.texts[i]);
  return sk_table_end(&table, stdout) ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "out of memory for the table");
}
