/* What every fuzz target expects of a refusal. */
#ifndef SK_TESTS_FUZZ_EXPECT_H
#define SK_TESTS_FUZZ_EXPECT_H

#include <stdlib.h>
#include <string.h>

#include "skiplane.h"

/* End the process unless a text is one line that is safe to print, and says something. */
static inline void expect_one_line(const char *text) {
  if (*text == '\0') abort();
  for (; *text; text++) {
    if ((unsigned char)*text < ' ' || *text == 0x7F) abort();
  }
}

/* Every refusal says why. */
static inline void expect_reason(sk_status status) {
  if (status) expect_one_line(sk_error_message());
}

#endif
