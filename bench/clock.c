#include "bench/clock.h"

#include <time.h>

double sk_clock_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
