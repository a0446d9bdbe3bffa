/* How far apart threads are: what a cache line takes that one has written to reach another. Threads wait so long for
 * each other at every barrier, and for what another has computed. In virtual machines it changes while a program runs.
 */
#ifndef SK_BENCH_HANDOFF_H
#define SK_BENCH_HANDOFF_H

#include <stddef.h>

/* Measure the time from the first of `threads` threads to that which is farthest from it: a cache line goes back and
 * forth between the two, and half of a round trip counts. Takes some 2 ms for each other thread. Returns nanoseconds; 0
 * where there is no other thread. */
double sk_handoff_measure(int threads);

/* Print those measured one after another, behind a label of `width` columns, and a note if they differ much; nothing if
 * there are none. */
void sk_handoff_print(int width, const double *nanoseconds, size_t count);

#endif
