/* The context of a measurement: machine, build and conditions, as lines of key and value. Every output carries the same
 * ones, and saved runs are compared by them. */
#ifndef SK_BENCH_CONTEXT_H
#define SK_BENCH_CONTEXT_H

#include "bench/affinity.h"
#include "bench/json_output.h"

enum { SK_CONTEXT_ROOM = 16, SK_CONTEXT_TEXT = 192 };

struct sk_context_item {
  const char *key; /* "governor" */
  bool must_match; /* runs that differ here cannot be told apart by their code */
  char value[SK_CONTEXT_TEXT];
};

struct sk_context {
  size_t count;
  struct sk_context_item items[SK_CONTEXT_ROOM];
};

/* Read the context: cpu, system, cpus, caches, governor, smt, virtualisation, isas (available), skiplane, revision,
 * compiler, flags, openmp; and, with threads > 0, threads and pinned. What the system does not tell is "unknown". */
void sk_context_read(struct sk_context *context, int threads, const struct sk_cpu_list *pinned);

/* The value of a key; NULL if there is no such key. */
const char *sk_context_find(const struct sk_context *context, const char *key);

/* Add the object "context" to a document. */
void sk_context_json(const struct sk_context *context, struct sk_json *json, cJSON *parent);

#endif
