/* Pushing data out of the caches, to measure what starts in memory. */
#ifndef SK_BENCH_FLUSH_H
#define SK_BENCH_FLUSH_H

#include <stdbool.h>
#include <stddef.h>

/* Whether this CPU's kind lets a program flush cache lines: x86-64 and AArch64 do. */
bool sk_flush_is_available(void);

/* Write `bytes` bytes back to memory and drop them from every cache of every core. Their content stays. */
void sk_flush(const void *data, size_t bytes);

#endif
