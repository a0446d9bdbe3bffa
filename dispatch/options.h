/* Checks that the options of every kind of call share. */
#ifndef SK_DISPATCH_OPTIONS_H
#define SK_DISPATCH_OPTIONS_H

#include "dispatch/status.h"

enum { SK_MAXIMUM_THREADS = 4096 }; /* OpenMP runtimes abort the process when the system has no more to give */

static inline sk_status sk_check_threads(const char *whose, int threads) {
  if (threads >= 0 && threads <= SK_MAXIMUM_THREADS) return SK_OK;
  return sk_fail(SK_INVALID_ARGUMENT, "%s: threads: %d, expected 1 to %d, or 0 for all", whose, threads,
                 SK_MAXIMUM_THREADS);
}

/* What this version does not know must be zero: a later one may have a field there, which is not to be ignored. */
static inline sk_status sk_check_reserved(const char *whose, const uint64_t *reserved, size_t bytes) {
  for (size_t i = 0; i < bytes / sizeof *reserved; i++) {
    if (reserved[i] != 0) {
      return sk_fail(SK_INVALID_ARGUMENT, "%s: reserved[%zu] is set, expected zeros: an option of a later version?",
                     whose, i);
    }
  }
  return SK_OK;
}

#endif
