#include "bench/bandwidth.h"

#include <math.h>
#include <string.h>

#include "bench/clock.h"
#include "dispatch/size.h"
#include "dispatch/status.h"

enum { REPEATS = 8 };
#define REPEAT_SECONDS 0.002 /* long beside the fork and join of threads */
#define MOST_BYTES ((size_t)256 << 20)
#define LEAST_BYTES ((size_t)64 << 20) /* of memory, where no cache is known */
#define PART ((size_t)4096)            /* each thread's part is a multiple of it: no line belongs to two */

/* ---- What to measure ---------------------------------------------------------------------------------------- */

static const char *const names[] = {"L1", "L2", "L3"};

/* Find the cache that holds the data of a level: 1 to 3. */
static const struct sk_cache *find_cache(const struct sk_machine *machine, size_t level) {
  for (size_t i = 0; i < machine->cache_count; i++) {
    const struct sk_cache *cache = &machine->caches[i];
    const bool holds_data = strcmp(cache->kind, "Instruction") != 0;
    if (holds_data && cache->bytes > 0 && strcmp(cache->level, names[level - 1] + 1) == 0) return cache;
  }
  return NULL;
}

/* The bytes of all the caches of a level that so many threads use: they fill one before they take the next. */
static size_t capacity_in_use(const struct sk_cache *cache, size_t threads) {
  size_t bytes = 0;
  const size_t sharers = sk_size_max(cache->cpus, 1);
  return sk_size_multiply(cache->bytes, sk_size_divide_up(threads, sharers), &bytes) ? bytes : cache->bytes;
}

/* Cut to what gives each thread a part of its own. */
static size_t whole_parts(size_t bytes, size_t threads) {
  const size_t part = bytes / threads;
  return threads * sk_size_max(part - part % PART, PART);
}

struct sk_bandwidths sk_bandwidth_plan(const struct sk_machine *machine, int threads) {
  struct sk_bandwidths plan = {0};
  const size_t readers = (size_t)threads;
  size_t last = 0;
  for (size_t level = 1; level < SK_BANDWIDTH_LEVELS; level++) {
    const struct sk_cache *cache = find_cache(machine, level);
    if (!cache) continue;
    const size_t capacity = capacity_in_use(cache, readers);
    const size_t bytes = whole_parts(sk_size_min(capacity / 2, MOST_BYTES), readers);
    plan.levels[plan.count++] = (struct sk_bandwidth){names[level - 1], bytes, capacity, 0};
    last = sk_size_max(last, capacity);
  }
  const size_t wanted = last < MOST_BYTES / 4 ? sk_size_max(4 * last, LEAST_BYTES) : MOST_BYTES;
  plan.levels[plan.count++] = (struct sk_bandwidth){"memory", whole_parts(wanted, readers), SIZE_MAX, 0};
  return plan;
}

/* ---- Measuring ---------------------------------------------------------------------------------------------- */

struct stream {
  const struct sk_kernel_table *kernels;
  int threads;
  const float *data;
  size_t part; /* floats of each thread */
};

/* Each thread writes its part before anybody reads it: so it lies in that thread's memory. */
static void touch(float *data, int threads, size_t part) {
  (void)threads; /* for builds without OpenMP, where it is 1 */
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int thread = 0; thread < threads; thread++) {
    for (size_t i = 0; i < part; i++) data[(size_t)thread * part + i] = 1.0F;
  }
}

static double time_passes(const struct stream *s, size_t passes) {
  float sink = 0.0F;
  const int threads = s->threads;
  const double start = sk_clock_seconds();
#pragma omp parallel for num_threads(threads) schedule(static, 1) reduction(+ : sink)
  for (int thread = 0; thread < threads; thread++) {
    sink += s->kernels->stream(s->data + (size_t)thread * s->part, s->part, passes);
  }
  const double seconds = sk_clock_seconds() - start;
  volatile float kept = sink; /* keeps the work from being optimised away */
  (void)kept;
  return seconds;
}

/* Whatever disturbs a repeat makes it longer. */
static double best_of_repeats(const struct stream *s, size_t passes) {
  double best = time_passes(s, passes);
  for (int i = 1; i < REPEATS; i++) best = fmin(best, time_passes(s, passes));
  return best;
}

/* Double the passes until even the best repeat takes a measurable while: on a busy machine one repeat tells nothing. */
static void measure_level(struct stream s, struct sk_bandwidth *level) {
  size_t passes = 1;
  s.part = level->bytes / (size_t)s.threads / sizeof(float);
  double best = best_of_repeats(&s, passes);
  while (best < REPEAT_SECONDS && passes < (size_t)1 << 40) {
    passes *= 2;
    best = best_of_repeats(&s, passes);
  }
  level->gbps = 1e-9 * (double)level->bytes * (double)passes / best;
}

sk_status sk_bandwidth_measure(const struct sk_kernel_table *kernels, int threads, struct sk_bandwidths *bandwidths) {
  struct sk_machine machine;
  sk_machine_read(&machine);
  *bandwidths = sk_bandwidth_plan(&machine, threads);
  size_t most = 0;
  for (size_t i = 0; i < bandwidths->count; i++) most = sk_size_max(most, bandwidths->levels[i].bytes);
  float *data = sk_alloc(most);
  if (!data) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu bytes to measure the bandwidth with", most);
  touch(data, threads, most / (size_t)threads / sizeof(float));
  const struct stream stream = {kernels, threads, data, 0};
  for (size_t i = 0; i < bandwidths->count; i++) measure_level(stream, &bandwidths->levels[i]);
  sk_free(data);
  return SK_OK;
}
