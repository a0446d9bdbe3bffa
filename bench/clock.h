/* The clock of all measurements. */
#ifndef SK_BENCH_CLOCK_H
#define SK_BENCH_CLOCK_H

/* Seconds since some fixed moment: CLOCK_MONOTONIC_RAW, which no time server speeds up or slows down. */
double sk_clock_seconds(void);

#endif
