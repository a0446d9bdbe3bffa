/* The backends that a comparison names: found by what the user wrote, started, and passed over aloud when missing. */
#ifndef SK_BENCH_BACKENDS_H
#define SK_BENCH_BACKENDS_H

#include "bench/backend.h"
#include "bench/options.h"
#include "resnet/text.h"

enum { SK_BACKEND_NAME = 48, SK_BACKENDS_MOST = 12 /* columns of a matrix that can be read */ };

/* One column of a comparison. The instance points into it, so it stays where it is. */
struct sk_contender {
  char name[SK_BACKEND_NAME]; /* as it was asked for; "auto#2" the second time */
  char version[SK_BACKEND_VERSION];
  struct sk_backend own;            /* what `backend` is of our own ones */
  const struct sk_backend *backend; /* a peer, or &own */
  void *instance;
};

struct sk_skipped {
  char name[SK_BACKEND_NAME];
  struct sk_quoted reason;
};

struct sk_contenders {
  struct sk_contender items[SK_BACKENDS_MOST]; /* started */
  size_t count;
  struct sk_skipped skipped[SK_BACKENDS_MOST];
  size_t skipped_count;
};

/* Find a backend by name: auto, plan, an ISA, an algorithm, ISA/ALGORITHM, ISA/plan, openblas, or a peer. Sets the
 * contender's name and backend. Errors: SK_INVALID_ARGUMENT names the nearest right one. */
sk_status sk_contender_find(struct sk_contender *contender, const char *name);

/* Start the backends of a list separated by commas; NULL: auto, plan if there is one, and every peer that is installed.
 * One that is missing is told on stderr and noted as skipped. Stop them whatever the outcome; do not move them in
 * between. Errors: SK_INVALID_ARGUMENT (a name, too many of them, or a plan that none of them runs by), SK_UNSUPPORTED
 * if none is left. */
sk_status sk_contenders_start(struct sk_contenders *contenders, const struct sk_options *options,
                              const struct sk_conditions *conditions);
void sk_contenders_stop(struct sk_contenders *contenders);

/* Print every backend that can be named, with its version or what it lacks. Errors: SK_OUT_OF_MEMORY. */
sk_status sk_backends_print(const struct sk_conditions *conditions);

/* Print the names of all backends, a blank behind each. */
void sk_backends_complete(void);

#endif
