/* Rest between two measurements. */
#ifndef SK_BENCH_REST_H
#define SK_BENCH_REST_H

#include <stdbool.h>

/*
 * Wait until every other thread of this process sleeps, for at most SK_REST_SECONDS. Libraries keep their threads
 * looking for more work after a run, OpenMP's for some 6 ms and OpenBLAS's for 100, which would take the CPUs from what
 * another process runs next. Linux alone tells (/proc/self/task); elsewhere the wait is SK_REST_BLIND_SECONDS.
 * Returns false if some thread still ran.
 */
#define SK_REST_SECONDS 0.5
#define SK_REST_BLIND_SECONDS 0.02
bool sk_rest(void);

#endif
