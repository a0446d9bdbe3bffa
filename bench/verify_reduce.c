/* Failures made small: the smallest run that still fails, as a file that `skiplane verify --case` replays. */
#include <stdlib.h>

#include "bench/shrink.h"

enum { MOST_TRIES = 200 };

static bool still_fails(void *v, const struct sk_conv_case *candidate) { return sk_verify_conv_fails(v, candidate); }

char *sk_verify_reduce(struct sk_verify *v, const struct sk_conv_case *failed) {
  struct sk_conv_case reduced = *failed;
  if (!still_fails(v, &reduced)) return NULL;
  sk_shrink(&reduced, still_fails, v, MOST_TRIES);
  char *path = sk_conv_case_write(&reduced, v->options->case_folder);
  if (!path) fprintf(stderr, "verify: %s\n", sk_error_message());
  return path;
}
