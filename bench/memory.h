/* What a network takes of the memory, beside what it would have to. */
#ifndef SK_BENCH_MEMORY_H
#define SK_BENCH_MEMORY_H

#include "bench/options.h"

struct sk_memory {
  size_t resident_bytes; /* the most that this process had in memory so far; 0: unknown */
  size_t winograd_bytes; /* of the packed weights, what Winograd's take beyond the plain ones of their layers */
  size_t strassen_bytes; /* likewise Strassen's */
};

/* Read the process's peak, and add up the layers' weights. Call it after a run, so that all that the network touches is
 * there, and before anything else that takes memory: a peak does not go down. */
struct sk_memory sk_memory_read(const sk_net *net);

/* The most that a network or a convolution may take: what --max-memory says, or all of the machine's memory, for more
 * of it could only be had by swapping; 0, no limit, where the system does not tell. */
size_t sk_memory_most(const struct sk_options *options);

#endif
