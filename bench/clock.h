/* The clock of all measurements. */
#ifndef SK_BENCH_CLOCK_H
#define SK_BENCH_CLOCK_H

/* Seconds since some fixed moment: CLOCK_MONOTONIC_RAW, which no time server speeds up or slows down. */
double sk_clock_seconds(void);

struct sk_clock {
  const char *name;
  double resolution; /* seconds: what the system says */
  double overhead;   /* seconds that one call takes, measured */
};

/* Describe the clock. Takes less than a millisecond. */
struct sk_clock sk_clock_describe(void);

#endif
