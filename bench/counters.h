/*
 * What the processor and the system count while runs go on, all threads of the process together.
 *
 * The processor's counters come through perf_event_open, which each thread has to ask for itself; a system may refuse.
 * The system's own come from getrusage, which never does: they tell whether the runs were disturbed.
 */
#ifndef SK_BENCH_COUNTERS_H
#define SK_BENCH_COUNTERS_H

#include <sys/resource.h>

#include "skiplane.h"

enum sk_counter {
  SK_COUNTER_CYCLES,
  SK_COUNTER_INSTRUCTIONS,
  SK_COUNTER_CACHE_MISSES, /* of the last level */
  SK_COUNTER_HARDWARE,     /* how many of the above: the processor's */
  SK_COUNTER_PAGE_FAULTS = SK_COUNTER_HARDWARE,
  SK_COUNTER_WAITS,         /* context switches because a thread had nothing to do */
  SK_COUNTER_PREEMPTIONS,   /* context switches because the system wanted the CPU for something else */
  SK_COUNTER_TASK_CLOCK_MS, /* CPU time */
  SK_COUNTER_COUNT
};

/* Name a counter as documents do: "cache_misses". */
const char *sk_counter_name(enum sk_counter counter);

struct sk_counter_reason {
  char text[192]; /* one line; empty: none */
};

struct sk_counts {
  double values[SK_COUNTER_COUNT];      /* NaN: not counted */
  struct sk_counter_reason unavailable; /* why the processor's are missing, and what would help */
};

struct sk_counters {
  int threads;
  int *descriptors; /* [threads][SK_COUNTER_HARDWARE]; -1: none */
  struct sk_counter_reason unavailable;
  struct rusage before;
};

/* Say why a system refuses, by the errno of perf_event_open, and what would help. */
struct sk_counter_reason sk_counters_explain(int error);

/* Open counters for OpenMP's threads. A refusal is no error: it is told with the counts. Close whatever the outcome.
 * Errors: SK_OUT_OF_MEMORY. */
sk_status sk_counters_open(struct sk_counters *counters, int threads);
void sk_counters_close(struct sk_counters *counters);

/* Count from here, to there: the sums over all threads, divided by `runs`. */
void sk_counters_start(struct sk_counters *counters);
void sk_counters_stop(struct sk_counters *counters, size_t runs, struct sk_counts *counts);

#endif
