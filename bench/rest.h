/* Rest between two measurements. */
#ifndef SK_BENCH_REST_H
#define SK_BENCH_REST_H

#include <stdbool.h>

#define SK_REST_SECONDS 0.5

/*
 * Wait until every other thread of this process sleeps, for at most SK_REST_SECONDS. Libraries keep their threads
 * looking for more work after a run, OpenMP's for some 6 ms and OpenBLAS's for 100, which would take the CPUs from what
 * another process runs next. Linux alone tells (/proc/self/task); elsewhere the wait is 20 ms. Returns false if some
 * thread still ran.
 */
bool sk_rest(void);

#endif
