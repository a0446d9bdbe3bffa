#include "bench/measure.h"

#include <stdlib.h>

#include "bench/clock.h"
#include "bench/peak.h"
#include "bench/runner.h"
#include "bench/terminal.h"
#include "dispatch/isa.h"
#include "dispatch/status.h"

enum { LEAST_RUNS = 3, MOST_RUNS = 500 };
#define WARM_UP_SECONDS 0.3
#define TIMED_SECONDS 5.0
#define PATIENCE_SECONDS 20.0 /* no more runs after these, even if they are few */

/* Memory for one measurement. */
struct bench {
  const sk_net *net;
  const struct sk_kernel_table *kernels;
  const sk_net_info *info;
  size_t room; /* for runs */
  float *x, *y;
  void *workspace;
  double *stamps;  /* [layers + 1]: the start, then the end of each layer */
  double *whole;   /* [room] */
  double *watched; /* [room] */
  double *layers;  /* [layers][room] */
};

/* ---- Input -------------------------------------------------------------------------------------------------- */

/* Fill with values of (-1, 1) by splitmix64 (Steele, Lea and Flood, 2014): no zeros or denormals that would be special.
 */
static void fill(float *values, size_t count) {
  uint64_t state = 1;
  for (size_t i = 0; i < count; i++) {
    uint64_t z = state += 0x9E3779B97F4A7C15U;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
    z = (z ^ z >> 27) * 0x94D049BB133111EBU;
    z ^= z >> 31;
    values[i] = ((float)(z >> 40) + 0.5F) * 0x1p-23F - 1.0F;
  }
}

/* ---- Runs --------------------------------------------------------------------------------------------------- */

struct watch {
  double *next;
};

static void stamp(void *user, size_t layer) {
  struct watch *watch = user;
  (void)layer;
  *watch->next++ = sk_clock_seconds();
}

static sk_status run_alone(const struct bench *b, double *seconds) {
  const double start = sk_clock_seconds();
  const sk_status status = sk_net_run(b->net, b->info->batch, b->x, b->y, b->workspace);
  *seconds = sk_clock_seconds() - start;
  return status;
}

static sk_status run_watched(const struct bench *b, size_t run) {
  struct watch watch = {b->stamps + 1};
  b->stamps[0] = sk_clock_seconds();
  const sk_status status = sk_net_run_observed(b->net, b->info->batch, b->x, b->y, b->workspace, stamp, &watch);
  b->watched[run] = sk_clock_seconds() - b->stamps[0];
  for (size_t i = 0; i < b->info->layers; i++) b->layers[i * b->room + run] = b->stamps[i + 1] - b->stamps[i];
  return status;
}

/* Run until caches, clocks and page tables have settled. */
static sk_status warm_up(const struct bench *b) {
  double seconds = 0;
  const double end = sk_clock_seconds() + WARM_UP_SECONDS;
  sk_status status = run_alone(b, &seconds);
  while (!status && sk_clock_seconds() < end) status = run_alone(b, &seconds);
  return status;
}

/* One run of either kind; which goes first alternates, so that neither always has the other's caches. */
static sk_status run_pair(const struct bench *b, size_t run) {
  const bool watched_first = run % 2 == 1;
  sk_status status = watched_first ? run_watched(b, run) : SK_OK;
  if (!status) status = run_alone(b, &b->whole[run]);
  if (!status && !watched_first) status = run_watched(b, run);
  return status;
}

static double allowed_seconds(size_t runs) { return runs < LEAST_RUNS ? PATIENCE_SECONDS : TIMED_SECONDS; }

/* Run pairs: as many as there is room for, or (wanted 0) until the time is over. The peak is measured in their middle.
 */
static sk_status run_pairs(const struct bench *b, size_t wanted, struct sk_measurement *m) {
  const double start = sk_clock_seconds();
  struct sk_progress progress;
  sk_status status = SK_OK;
  double elapsed = 0;
  sk_progress_begin(&progress);
  while (!status && m->runs < b->room && (wanted > 0 || elapsed < allowed_seconds(m->runs))) {
    if (m->peaks[1] == 0 && (m->runs >= b->room / 2 || (wanted == 0 && elapsed >= TIMED_SECONDS / 2))) {
      m->peaks[1] = sk_peak_measure(b->kernels, b->info->threads);
    }
    status = run_pair(b, m->runs++);
    elapsed = sk_clock_seconds() - start;
    if (wanted > 0) sk_progress_update(&progress, "timed runs", m->runs, wanted);
    if (wanted == 0) sk_progress_update(&progress, "seconds measured", (size_t)elapsed, (size_t)TIMED_SECONDS);
  }
  sk_progress_end(&progress);
  return status;
}

/* Measure the peak before, between and after the runs. */
static sk_status run_all(const struct bench *b, size_t wanted, struct sk_measurement *m) {
  m->peaks[0] = sk_peak_measure(b->kernels, b->info->threads);
  const sk_status status = run_pairs(b, wanted, m);
  if (m->peaks[1] == 0) m->peaks[1] = sk_peak_measure(b->kernels, b->info->threads); /* the last run was a long one */
  m->peaks[2] = sk_peak_measure(b->kernels, b->info->threads);
  return status;
}

/* ---- Memory ------------------------------------------------------------------------------------------------- */

static sk_status allocate_data(struct bench *b) {
  const size_t elements = b->info->in_channels * b->info->in_height * b->info->in_width;
  sk_status status = sk_allocate_floats(&b->x, b->info->batch, elements);
  if (!status) status = sk_allocate_floats(&b->y, b->info->batch, b->info->classes);
  if (status) return status;
  b->workspace = sk_alloc(b->info->workspace_bytes);
  if (!b->workspace) {
    return sk_fail(SK_OUT_OF_MEMORY, "out of memory for a workspace of %zu bytes", b->info->workspace_bytes);
  }
  fill(b->x, b->info->batch * elements);
  return SK_OK;
}

static sk_status allocate_times(struct bench *b) {
  b->stamps = calloc(b->info->layers + 1, sizeof(double));
  b->whole = calloc(b->room, sizeof(double));
  b->watched = calloc(b->room, sizeof(double));
  b->layers = calloc(b->info->layers, b->room * sizeof(double));
  if (b->stamps && b->whole && b->watched && b->layers) return SK_OK;
  return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the times of %zu runs", b->room);
}

static void free_bench(struct bench *b) {
  free(b->x);
  free(b->y);
  sk_free(b->workspace);
  free(b->stamps);
  free(b->whole);
  free(b->watched);
  free(b->layers);
}

/* ---- Results ------------------------------------------------------------------------------------------------ */

static sk_status summarise(struct sk_measurement *m, const struct bench *b) {
  m->layers = calloc(m->info.layers, sizeof *m->layers);
  if (!m->layers) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu layers", m->info.layers);
  m->whole = sk_statistics_summarise(b->whole, m->runs);
  m->observed = sk_statistics_summarise(b->watched, m->runs);
  for (size_t i = 0; i < m->info.layers; i++) {
    m->layers[i] = sk_statistics_summarise(b->layers + i * b->room, m->runs);
  }
  return SK_OK;
}

static sk_status measure(struct sk_measurement *m, struct bench *b, size_t wanted) {
  sk_status status = sk_kernels_choose(m->info.isa, &b->kernels);
  if (!status) status = allocate_data(b);
  if (!status) status = allocate_times(b);
  if (!status) status = warm_up(b);
  if (!status) status = run_all(b, wanted, m);
  return status ? status : summarise(m, b);
}

sk_status sk_measure_net(struct sk_measurement *measurement, const sk_net *net, size_t runs) {
  *measurement = (struct sk_measurement){0};
  sk_net_describe(net, &measurement->info);
  struct bench b = {.net = net, .info = &measurement->info, .room = runs > 0 ? runs : MOST_RUNS};
  const sk_status status = measure(measurement, &b, runs);
  free_bench(&b);
  return status;
}

void sk_measurement_free(struct sk_measurement *measurement) {
  free(measurement->layers);
  measurement->layers = NULL;
}

double sk_measurement_peak(const struct sk_measurement *measurement) {
  double highest = measurement->peaks[0];
  for (size_t i = 1; i < SK_PEAKS; i++) {
    if (measurement->peaks[i] > highest) highest = measurement->peaks[i];
  }
  return highest;
}

double sk_measurement_drift(const struct sk_measurement *measurement) {
  double lowest = measurement->peaks[0];
  for (size_t i = 1; i < SK_PEAKS; i++) {
    if (measurement->peaks[i] < lowest) lowest = measurement->peaks[i];
  }
  return 1 - lowest / sk_measurement_peak(measurement);
}

double sk_measurement_layer_sum(const struct sk_measurement *measurement) {
  double sum = 0;
  for (size_t i = 0; i < measurement->info.layers; i++) sum += measurement->layers[i].median;
  return sum;
}
