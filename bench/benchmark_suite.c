#include "bench/benchmark_suite.h"

#include <sched.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "bench/context.h"
#include "bench/flush.h"
#include "bench/peak.h"
#include "dispatch/isa.h"
#include "dispatch/status.h"

enum { THREAD_COUNTS = 2, NAME_ROOM = 240 };
#define PEAK_SECONDS 5.0 /* after which a peak is measured anew, for clocks and neighbours change */

/* A block of memory that lasts as long as the suite. */
struct kept {
  struct kept *next;
  max_align_t data[];
};

struct peak {
  double gflops;
  double measured; /* when; 0: never */
};

struct sk_suite {
  size_t batch;
  size_t thread_counts;
  int threads[THREAD_COUNTS];
  struct sk_cpu_list cpus[THREAD_COUNTS]; /* of each number of threads */
  struct sk_shapes shapes;
  struct kept *kept;
  struct peak peaks[SK_ISA_COUNT][THREAD_COUNTS];
  bool has_failed;

  /* What the running benchmark has prepared. It is kept between calls, for Google Benchmark calls a function again and
   * again until it lasts long enough. */
  const struct sk_case *current;
  void *prepared;
  struct sk_work work;
};

/* ---- Making --------------------------------------------------------------------------------------------------- */

/* How many CPUs this process may use. */
static int count_cpus(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

static void choose_threads(struct sk_suite *suite, int wanted) {
  suite->threads[suite->thread_counts++] = sk_threads_choose(wanted > 0 ? wanted : 1);
  const int all = sk_threads_choose(count_cpus());
  if (wanted == 0 && all > 1) suite->threads[suite->thread_counts++] = all;
}

static sk_status fill_suite(struct sk_suite *suite, const struct sk_suite_settings *settings) {
  suite->batch = settings->batch;
  choose_threads(suite, settings->threads);
  sk_status status = sk_shapes_of_networks(&suite->shapes);
  for (size_t i = 0; !status && i < suite->thread_counts; i++) {
    status = sk_cpu_list_choose(settings->cpus, suite->threads[i], &suite->cpus[i]);
  }
  return status;
}

sk_status sk_suite_create(struct sk_suite **suite, const struct sk_suite_settings *settings) {
  *suite = calloc(1, sizeof **suite);
  if (!*suite) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the benchmarks");
  const sk_status status = fill_suite(*suite, settings);
  if (!status) return SK_OK;
  sk_suite_destroy(*suite);
  *suite = NULL;
  return status;
}

static void release_current(struct sk_suite *suite) {
  if (suite->current) suite->current->family->release(suite->prepared);
  suite->current = NULL;
  suite->prepared = NULL;
}

void sk_suite_destroy(struct sk_suite *suite) {
  if (!suite) return;
  release_current(suite);
  for (struct kept *kept = suite->kept; kept;) {
    struct kept *next = kept->next;
    free(kept);
    kept = next;
  }
  sk_shapes_free(&suite->shapes);
  free(suite);
}

size_t sk_suite_batch(const struct sk_suite *suite) { return suite->batch; }
const struct sk_shapes *sk_suite_shapes(const struct sk_suite *suite) { return &suite->shapes; }
bool sk_suite_has_failed(const struct sk_suite *suite) { return suite->has_failed; }

const void *sk_suite_keep(struct sk_suite *suite, const void *subject, size_t bytes) {
  struct kept *kept = malloc(sizeof *kept + bytes);
  if (!kept) return NULL;
  memcpy(kept->data, subject, bytes);
  kept->next = suite->kept;
  suite->kept = kept;
  return kept->data;
}

void sk_suite_tell_context(const struct sk_suite *suite) {
  const size_t last = suite->thread_counts - 1; /* the most threads: names say how many each benchmark has */
  struct sk_context context;
  sk_context_read(&context, suite->threads[last], &suite->cpus[last]);
  for (size_t i = 0; i < context.count; i++) {
    const struct sk_context_item *item = &context.items[i];
    /* Google Benchmark has a list of that name itself. */
    const bool is_taken = strcmp(item->key, "caches") == 0;
    sk_benchmark_context(is_taken ? "cache_sizes" : item->key, item->value);
  }
}

/* ---- Data ----------------------------------------------------------------------------------------------------- */

void sk_fill(float *to, size_t count) {
  uint32_t state = 1;
  for (size_t i = 0; i < count; i++) {
    state = state * 1664525U + 1013904223U;
    to[i] = (float)(state >> 8) / (float)(1U << 23) - 1;
  }
}

sk_status sk_make_floats(float **floats, size_t count) {
  *floats = sk_alloc(count * sizeof **floats);
  if (!*floats) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu numbers", count);
  sk_fill(*floats, count);
  return SK_OK;
}

/* ---- Measuring ------------------------------------------------------------------------------------------------ */

/* Prepare a case in place of the one before, and run it once, so that its pages are there. */
static sk_status prepare(struct sk_suite *suite, const struct sk_case *c) {
  if (suite->current == c) return SK_OK;
  release_current(suite);
  suite->current = c;
  const sk_status status = c->family->prepare(c, &suite->prepared, &suite->work);
  if (status) {
    release_current(suite);
    return status;
  }
  c->family->run(c, suite->prepared);
  return SK_OK;
}

static size_t threads_index(const struct sk_suite *suite, int threads) { return suite->threads[0] == threads ? 0 : 1; }

/* The peak of a case's ISA and threads, measured not long ago. */
static double recent_peak(struct sk_suite *suite, const struct sk_case *c) {
  struct peak *peak = &suite->peaks[c->isa][threads_index(suite, c->threads)];
  const struct sk_kernel_table *kernels;
  if (peak->measured > 0 && sk_clock_seconds() - peak->measured < PEAK_SECONDS) return peak->gflops;
  if (sk_kernels_choose(c->isa, &kernels)) return 0;
  *peak = (struct peak){sk_peak_measure(kernels, c->threads), sk_clock_seconds()};
  return peak->gflops;
}

static double time_warm(struct sk_benchmark *benchmark, const struct sk_case *c, void *prepared) {
  double runs = 0;
  const double start = sk_clock_seconds();
  for (; sk_benchmark_continue(benchmark); runs++) c->family->run(c, prepared);
  return (sk_clock_seconds() - start) / runs;
}

static double time_cold(struct sk_benchmark *benchmark, const struct sk_case *c, void *prepared) {
  double runs = 0;
  double seconds = 0;
  for (; sk_benchmark_continue(benchmark); runs++) {
    sk_benchmark_pause(benchmark);
    c->family->evict(prepared);
    sk_benchmark_resume(benchmark);
    const double start = sk_clock_seconds();
    c->family->run(c, prepared);
    seconds += sk_clock_seconds() - start;
  }
  return seconds / runs;
}

static void report(struct sk_benchmark *benchmark, const struct sk_work *work, double seconds, double peak_gflops) {
  if (work->flops > 0) {
    sk_benchmark_rate(benchmark, "FLOPS", work->flops);
    sk_benchmark_value(benchmark, "percent_of_peak", 1e-7 * work->flops / seconds / peak_gflops);
  }
  if (work->bytes > 0) {
    sk_benchmark_value(benchmark, "bytes", work->bytes);
    sk_benchmark_rate(benchmark, "bytes_per_second", work->bytes);
  }
  if (work->flops > 0 && work->bytes > 0) sk_benchmark_value(benchmark, "intensity", work->flops / work->bytes);
}

static void measure(struct sk_benchmark *benchmark, void *argument) {
  const struct sk_case *c = argument;
  struct sk_suite *suite = c->suite;
  sk_affinity_pin(&suite->cpus[threads_index(suite, c->threads)]);
  if (prepare(suite, c)) {
    suite->has_failed = true;
    sk_benchmark_fail(benchmark, sk_error_message());
    return;
  }
  const double peak_gflops = suite->work.flops > 0 ? recent_peak(suite, c) : 0;
  const double seconds = (c->is_cold ? time_cold : time_warm)(benchmark, c, suite->prepared);
  report(benchmark, &suite->work, seconds, peak_gflops);
  if (c->family->label) sk_benchmark_label(benchmark, c->family->label(c).text);
}

/* ---- Registering ---------------------------------------------------------------------------------------------- */

static sk_status register_case(struct sk_suite *suite, const struct sk_case *c, const char *name) {
  char full[NAME_ROOM + 80];
  char batch[32] = "";
  /* The harness hands subjects on as void *, and measure() takes this one back as const. */
  void *kept = (void *)(uintptr_t)sk_suite_keep(suite, c, sizeof *c);
  if (!kept) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the benchmark %s", name);
  if (c->batch > 0) snprintf(batch, sizeof batch, "/n%zu", c->batch);
  snprintf(full, sizeof full, "%s/%s%s/t%d%s", name, sk_isa_name(c->isa), batch, c->threads, c->is_cold ? "/cold" : "");
  sk_benchmark_register(full, measure, kept);
  return SK_OK;
}

static sk_status register_isa(struct sk_suite *suite, struct sk_case c, const char *name) {
  const bool can_evict = c.family->evict && sk_flush_is_available();
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < suite->thread_counts; i++) {
    c.threads = suite->threads[i];
    c.is_cold = false;
    status = register_case(suite, &c, name);
    c.is_cold = true;
    if (!status && can_evict) status = register_case(suite, &c, name);
  }
  return status;
}

sk_status sk_suite_add(struct sk_suite *suite, const struct sk_case *c, const char *name, ...) {
  char text[NAME_ROOM];
  va_list arguments;
  va_start(arguments, name);
  vsnprintf(text, sizeof text, name, arguments);
  va_end(arguments);
  struct sk_case copy = *c;
  copy.suite = suite;
  sk_status status = SK_OK;
  for (int isa = SK_ISA_GENERIC; !status && isa < SK_ISA_COUNT; isa++) {
    copy.isa = (sk_isa)isa;
    if (sk_isa_available(copy.isa)) status = register_isa(suite, copy, text);
  }
  return status;
}
