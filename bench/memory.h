/* What a network takes of the memory, beside what it would have to. */
#ifndef SK_BENCH_MEMORY_H
#define SK_BENCH_MEMORY_H

#include "skiplane.h"

struct sk_memory {
  size_t resident_bytes; /* the most that this process had in memory so far; 0: unknown */
  size_t winograd_bytes; /* of the packed weights, what Winograd's take beyond the plain ones of their layers */
};

/* Read the process's peak, and add up the layers' weights. Call it after a run, so that all that the network touches is
 * there, and before anything else that takes memory: a peak does not go down. */
struct sk_memory sk_memory_read(const sk_net *net);

#endif
