/*
 * Files of the source tree inside the programs, so that these run from anywhere.
 *
 *   const struct sk_embedded file = sk_embedded_networks_shapes();
 *
 * A file is added by one line of embedded.def; make follows its changes.
 */
#ifndef SK_BENCH_EMBEDDED_H
#define SK_BENCH_EMBEDDED_H

#include <stddef.h>

struct sk_embedded {
  const char *path; /* in the source tree, for messages */
  const char *text; /* the file's bytes, a NUL behind them */
  size_t length;    /* without that NUL */
};

#define SK_EMBEDDED(name, file) struct sk_embedded sk_embedded_##name(void);
#include "bench/embedded.def"
#undef SK_EMBEDDED

#endif
