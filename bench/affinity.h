/* Which CPU each thread runs on: a thread that the system moves takes its time with it, not its caches. */
#ifndef SK_BENCH_AFFINITY_H
#define SK_BENCH_AFFINITY_H

#include "skiplane.h"

enum { SK_CPU_LIST_ROOM = 256 };

/* CPU numbers in the order of threads; empty: threads are not pinned. */
struct sk_cpu_list {
  size_t count;
  int cpus[SK_CPU_LIST_ROOM];
};

/* A list as text, "0-3,8" or "none". */
struct sk_cpu_text {
  char text[128];
};

/* Parse "0-3,8", or "none" for an empty list. Errors: SK_INVALID_ARGUMENT says what was expected. */
sk_status sk_cpu_list_parse(const char *text, struct sk_cpu_list *list);
struct sk_cpu_text sk_cpu_list_print(const struct sk_cpu_list *list);

/* Choose a CPU for each of `threads` threads: the first of the list that the user wrote (NULL: of those that this
 * process may use, one of each core before any second). Errors: SK_INVALID_ARGUMENT (a list that is too short, or names
 * a CPU that this process may not use). Too few CPUs for the threads, where the user did not choose, leave them
 * unpinned. */
sk_status sk_cpu_list_choose(const char *wanted, int threads, struct sk_cpu_list *list);

/* Pin OpenMP's threads, the caller being the first, to a list of as many CPUs. Threads made later inherit the caller's
 * CPU: those of other libraries want sk_affinity_widen around their creation. */
void sk_affinity_pin(const struct sk_cpu_list *list);

/* Let the calling thread run on any CPU of the list. */
void sk_affinity_widen(const struct sk_cpu_list *list);

#endif
