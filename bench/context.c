#include "bench/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bench/machine.h"
#include "config.h"
#include "revision.h"

static void add(struct sk_context *context, const char *key, bool must_match, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void add(struct sk_context *context, const char *key, bool must_match, const char *format, ...) {
  struct sk_context_item *item = &context->items[context->count++];
  va_list arguments;
  va_start(arguments, format);
  *item = (struct sk_context_item){.key = key, .must_match = must_match};
  vsnprintf(item->value, sizeof item->value, format, arguments);
  va_end(arguments);
}

/* ---- Lists in one line ---------------------------------------------------------------------------------------- */

struct line {
  char text[SK_CONTEXT_TEXT];
  size_t used;
};

static void append(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(struct line *line, const char *format, ...) {
  if (line->used >= sizeof line->text) return;
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(line->text + line->used, sizeof line->text - line->used, format, arguments);
  va_end(arguments);
  line->used += length > 0 ? (size_t)length : 0;
}

/* "L1 Data 32 KiB, L2 1024 KiB, L3 32768 KiB / 2 CPUs" */
static struct line list_caches(const struct sk_machine *machine) {
  struct line line = {SK_UNKNOWN, 0};
  for (size_t i = 0; i < machine->cache_count; i++) {
    const struct sk_cache *cache = &machine->caches[i];
    const bool is_unified = strcmp(cache->kind, "Unified") == 0;
    append(&line, "%sL%s%s%s %zu KiB", i > 0 ? ", " : "", cache->level, is_unified ? "" : " ",
           is_unified ? "" : cache->kind, cache->bytes >> 10);
    if (cache->cpus > 1) append(&line, " / %zu CPUs", cache->cpus);
  }
  return line;
}

static struct line list_isas(void) {
  struct line line = {"", 0};
  for (int isa = SK_ISA_GENERIC; isa < SK_ISA_COUNT; isa++) {
    if (sk_isa_available((sk_isa)isa)) append(&line, "%s%s", line.used > 0 ? " " : "", sk_isa_name((sk_isa)isa));
  }
  return line;
}

static const char *openmp(void) {
#if defined(_OPENMP) && defined(__clang__)
  return "libomp";
#elif defined(_OPENMP)
  return "libgomp";
#else
  return "none";
#endif
}

/* ---- The context ---------------------------------------------------------------------------------------------- */

void sk_context_read(struct sk_context *context, int threads, const struct sk_cpu_list *pinned) {
  struct sk_machine machine;
  sk_machine_read(&machine);
  *context = (struct sk_context){0};
  add(context, "cpu", true, "%s", machine.cpu);
  add(context, "system", false, "%s", machine.system);
  add(context, "cpus", true, "%zu", machine.cpus);
  add(context, "caches", true, "%s", list_caches(&machine).text);
  add(context, "governor", true, "%s", machine.governor);
  add(context, "smt", true, "%s", machine.smt);
  add(context, "virtualisation", true, "%s", machine.virtualisation);
  add(context, "isas", true, "%s", list_isas().text);
  add(context, "skiplane", false, "%s", sk_version());
  add(context, "revision", false, "%s", SK_BUILD_REVISION);
  add(context, "compiler", true, "%s", SK_BUILD_COMPILER);
  add(context, "flags", true, "%s", SK_KERNEL_FLAGS);
  add(context, "openmp", true, "%s", openmp());
  if (threads == 0) return;
  add(context, "threads", true, "%d", threads);
  add(context, "pinned", true, "%s", pinned ? sk_cpu_list_print(pinned).text : "none");
}

const char *sk_context_find(const struct sk_context *context, const char *key) {
  for (size_t i = 0; i < context->count; i++) {
    if (strcmp(context->items[i].key, key) == 0) return context->items[i].value;
  }
  return NULL;
}

void sk_context_json(const struct sk_context *context, struct sk_json *json, cJSON *parent) {
  cJSON *object = sk_json_object(json, parent, "context");
  for (size_t i = 0; i < context->count; i++) {
    sk_json_text(json, object, context->items[i].key, context->items[i].value);
  }
}
