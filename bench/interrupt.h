/* Ctrl-C while measuring: the run ends early, and what has been measured is printed and written. */
#ifndef SK_BENCH_INTERRUPT_H
#define SK_BENCH_INTERRUPT_H

#include <stdbool.h>

/* From now on take SIGINT and SIGTERM as a wish to end; a second one kills. */
void sk_interrupt_watch(void);

/* Whether one came. Loops that measure ask before each run. */
bool sk_interrupted(void);

#endif
