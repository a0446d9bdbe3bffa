/* The roofs of memory: bytes a second that the cores in use can read, by the level where the bytes lie. */
#ifndef SK_BENCH_BANDWIDTH_H
#define SK_BENCH_BANDWIDTH_H

#include "bench/machine.h"
#include "kernels/kernels.h"

enum { SK_BANDWIDTH_LEVELS = 4 };

struct sk_bandwidth {
  const char *level; /* "L1", "L2", "L3", "memory" */
  size_t bytes;      /* that were read to measure it, all threads together */
  size_t capacity;   /* of the level's caches that the threads use, together; SIZE_MAX: memory */
  double gbps;       /* 1e9 bytes a second, all threads together */
};

/* From the innermost level to memory; levels that the system tells no size of are left out. */
struct sk_bandwidths {
  size_t count;
  struct sk_bandwidth levels[SK_BANDWIDTH_LEVELS];
};

/* Lay out what to measure on `threads` threads, gbps 0: half of each level's caches, and memory by at least four times
 * the last level, though never over 256 MiB. */
struct sk_bandwidths sk_bandwidth_plan(const struct sk_machine *machine, int threads);

/* Measure all levels with the kernels of one ISA: for each the best of several short repeats, all threads reading at
 * once, each its own part. Takes some 0.3 s. Errors: SK_OUT_OF_MEMORY. */
sk_status sk_bandwidth_measure(const struct sk_kernel_table *kernels, int threads, struct sk_bandwidths *bandwidths);

#endif
