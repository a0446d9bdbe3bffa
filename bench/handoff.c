#include "bench/handoff.h"

#include <math.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>

#include "bench/clock.h"

#ifdef _OPENMP
#include <omp.h>
#endif

enum { REPEATS = 4 };
#define REPEAT_SECONDS 0.0002 /* a thousand trips or so */
#define MOVED 1.5             /* times as far is more than noise: another core, another cache */

/* A cache line, which some processors fetch in pairs. Two threads write to it in turn. */
struct line {
  alignas(128) atomic_size_t turn; /* odd: the other thread's */
};

#ifdef _OPENMP
static void wait_for(const struct line *line, size_t turn) {
  while (atomic_load_explicit(&line->turn, memory_order_acquire) != turn) {
  }
}

static void pass(struct line *line, size_t turn) { atomic_store_explicit(&line->turn, turn, memory_order_release); }

/* The first trip is to meet the other thread. */
static double send(struct line *line, size_t trips) {
  double start = 0;
  for (size_t i = 0; i <= trips; i++) {
    pass(line, 2 * i + 1);
    wait_for(line, 2 * i + 2);
    if (i == 0) start = sk_clock_seconds();
  }
  return sk_clock_seconds() - start;
}

static void send_back(struct line *line, size_t trips) {
  for (size_t i = 0; i <= trips; i++) {
    wait_for(line, 2 * i + 1);
    pass(line, 2 * i + 2);
  }
}

/* Time round trips between the first thread and another; 0 if the team has not as many threads as were asked for. */
static double time_trips(int threads, int other, size_t trips) {
  struct line line = {0};
  double seconds = 0;
#pragma omp parallel num_threads(threads)
  if (omp_get_num_threads() == threads) {
    if (omp_get_thread_num() == 0) seconds = send(&line, trips);
    if (omp_get_thread_num() == other) send_back(&line, trips);
  }
  return seconds;
}

/* Double the trips until they take a measurable while: a single one does if the two threads have to share a CPU. */
static double measure_pair(int threads, int other) {
  size_t trips = 1;
  double best = time_trips(threads, other, trips);
  while (best > 0 && best < REPEAT_SECONDS) best = time_trips(threads, other, trips *= 2);
  for (int i = 1; i < REPEATS; i++) best = fmin(best, time_trips(threads, other, trips));
  return 1e9 * best / (2 * (double)trips);
}

double sk_handoff_measure(int threads) {
  double farthest = 0;
  for (int other = 1; other < threads; other++) farthest = fmax(farthest, measure_pair(threads, other));
  return farthest;
}
#else
double sk_handoff_measure(int threads) {
  (void)threads;
  return 0;
}
#endif

void sk_handoff_print(int width, const double *nanoseconds, size_t count) {
  double least = INFINITY, most = 0;
  for (size_t i = 0; i < count; i++) {
    least = fmin(least, nanoseconds[i]);
    most = fmax(most, nanoseconds[i]);
  }
  if (most == 0) return;
  printf("%-*s", width, "hand-off");
  for (size_t i = 0; i < count; i++) printf("%s%.0f", i > 0 ? ", " : "", nanoseconds[i]);
  puts(" ns from one thread to another in the course of it");
  if (most > MOVED * least) {
    printf("%-*sNOTE: threads moved nearer or farther apart, to other cores or caches: distrust these numbers\n", width,
           "");
  }
}
