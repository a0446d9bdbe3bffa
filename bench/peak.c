#include "bench/peak.h"

#include "bench/clock.h"

enum { REPEATS = 24 };
#define REPEAT_SECONDS 0.002 /* long beside the fork and join of threads, short beside a time slice of the system */

/* Time all threads together: what they share (power, clock, hyper-threads) counts for the layers too. */
static double time_iterations(const struct sk_kernel_table *kernels, int threads, size_t iterations) {
  float sink = 0.0F;
  (void)threads; /* for builds without OpenMP, where it is 1 */
  const double start = sk_clock_seconds();
#pragma omp parallel num_threads(threads) reduction(+ : sink)
  sink += kernels->fma_peak(iterations);
  const double seconds = sk_clock_seconds() - start;
  volatile float kept = sink; /* keeps the work from being optimised away */
  (void)kept;
  return seconds;
}

/* Double the iterations until they take a measurable while. This warms the clocks up, too. */
static size_t calibrate(const struct sk_kernel_table *kernels, int threads) {
  size_t iterations = 1000;
  while (iterations < (size_t)1 << 40) {
    const double seconds = time_iterations(kernels, threads, iterations);
    if (seconds >= REPEAT_SECONDS) break;
    iterations *= 2;
  }
  return iterations;
}

double sk_peak_measure(const struct sk_kernel_table *kernels, int threads) {
  const size_t iterations = calibrate(kernels, threads);
  double best = time_iterations(kernels, threads, iterations);
  for (int i = 1; i < REPEATS; i++) {
    const double seconds = time_iterations(kernels, threads, iterations);
    if (seconds < best) best = seconds;
  }
  return 1e-9 * (double)kernels->fma_peak_flops * (double)iterations * (double)threads / best;
}
