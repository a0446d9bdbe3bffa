/* Errors: a status to return and a line to read, kept per thread. */
#ifndef SK_DISPATCH_STATUS_H
#define SK_DISPATCH_STATUS_H

#include "skiplane.h"

/* Record the calling thread's error message and return `status`, so that one writes
 * `return sk_fail(SK_BAD_FORMAT, "%s: header of %zu bytes, expected at most %zu", path, length, limit);`. */
sk_status sk_fail(sk_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#ifdef __clang_analyzer__
/* The analyzer cannot see into status.c that a failure is never SK_OK, and would follow paths that do not exist. */
#define sk_fail(status, ...) ((sk_fail)(status, __VA_ARGS__), (status))
#endif

#endif
