#include "bench/clock.h"

#include <math.h>
#include <time.h>

enum { CALLS = 256, REPEATS = 16 };

double sk_clock_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The best of several repeats: whatever disturbs a repeat makes it longer. */
static double measure_overhead(void) {
  double best = INFINITY;
  for (int repeat = 0; repeat < REPEATS; repeat++) {
    const double start = sk_clock_seconds();
    double end = start;
    for (int call = 0; call < CALLS; call++) end = sk_clock_seconds();
    best = fmin(best, (end - start) / CALLS);
  }
  return best;
}

struct sk_clock sk_clock_describe(void) {
  struct timespec resolution = {0, 0};
  clock_getres(CLOCK_MONOTONIC_RAW, &resolution);
  return (struct sk_clock){.name = "CLOCK_MONOTONIC_RAW",
                           .resolution = (double)resolution.tv_sec + 1e-9 * (double)resolution.tv_nsec,
                           .overhead = measure_overhead()};
}
