#include "bench/measure.h"

#include <math.h>
#include <stdlib.h>

#include "bench/clock.h"
#include "bench/handoff.h"
#include "bench/interrupt.h"
#include "bench/peak.h"
#include "bench/terminal.h"
#include "dispatch/isa.h"
#include "dispatch/size.h"
#include "dispatch/status.h"

enum { LEAST_RUNS = 3, MOST_RUNS = 500, MOST_RUNS_IN_TIME = 100000 };
#define TIMED_SECONDS 5.0
#define PATIENCE_SECONDS 8.0 /* no more runs after these, even if they are few */

/* One measurement going on. */
struct bench {
  const struct sk_trial *trial;
  const struct sk_kernel_table *kernels;
  struct sk_measurement *m;
  size_t most;    /* runs */
  double seconds; /* to measure for; infinite: until there are as many */
  size_t room;    /* runs that m->times has memory for */
  double *stamps; /* [layers + 1]: the start, then the end of each layer */
};

static size_t row_length(const struct sk_measurement *m) { return SK_TIME_LAYERS + m->info.layers; }

/* ---- Runs --------------------------------------------------------------------------------------------------- */

static sk_status make_room(struct bench *b) {
  if (b->m->runs < b->room) return SK_OK;
  size_t elements = 0;
  size_t bytes = 0;
  const size_t room = b->room > 0 ? 2 * b->room : 64;
  double *times = NULL;
  if (sk_size_multiply(room, row_length(b->m), &elements) && sk_size_multiply(elements, sizeof *times, &bytes)) {
    times = realloc(b->m->times, bytes);
  }
  if (!times) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the times of %zu runs", room);
  b->m->times = times;
  b->room = room;
  return SK_OK;
}

static sk_status run_watched(const struct bench *b, double *row) {
  const sk_status status = sk_trial_run_watched(b->trial, b->stamps, &row[SK_TIME_OBSERVED]);
  for (size_t i = 0; i < b->m->info.layers; i++) row[SK_TIME_LAYERS + i] = b->stamps[i + 1] - b->stamps[i];
  return status;
}

/* One run of either kind; which goes first alternates, so that neither always has the other's caches. */
static sk_status run_pair(struct bench *b) {
  const sk_status no_memory = make_room(b);
  if (no_memory) return no_memory;
  double *row = b->m->times + b->m->runs * row_length(b->m);
  const bool watched_first = b->m->runs % 2 == 1;
  sk_status status = watched_first ? run_watched(b, row) : SK_OK;
  if (!status) status = sk_trial_run(b->trial, &row[SK_TIME_WHOLE]);
  if (!status && !watched_first) status = run_watched(b, row);
  if (!status) b->m->runs++;
  return status;
}

/* Whether there is time for one more. */
static bool has_time(const struct bench *b, double elapsed) {
  return elapsed < (b->m->runs < LEAST_RUNS ? fmax(b->seconds, PATIENCE_SECONDS) : b->seconds);
}

static void measure_machine(struct sk_measurement *m, const struct sk_kernel_table *kernels, size_t when) {
  m->peaks[when] = sk_peak_measure(kernels, m->info.threads);
  m->handoffs[when] = sk_handoff_measure(m->info.threads);
}

static void show_progress(const struct bench *b, struct sk_progress *progress, double elapsed) {
  if (isinf(b->seconds)) {
    sk_progress_update(progress, "timed runs", b->m->runs, b->most);
  } else {
    sk_progress_time(progress, "measuring", elapsed, b->seconds);
  }
}

/* Run pairs until there are enough, the time is over, or the user has had enough. The peak is measured in their middle.
 */
static sk_status run_pairs(struct bench *b) {
  const double start = sk_clock_seconds();
  struct sk_progress progress;
  sk_status status = SK_OK;
  double elapsed = 0;
  sk_progress_begin(&progress);
  while (!status && b->m->runs < b->most && has_time(b, elapsed) && !sk_interrupted()) {
    const bool half_done = b->m->runs >= b->most / 2 || elapsed >= b->seconds / 2;
    if (half_done && b->m->peaks[1] == 0) measure_machine(b->m, b->kernels, 1);
    status = run_pair(b);
    elapsed = sk_clock_seconds() - start;
    show_progress(b, &progress, elapsed);
  }
  sk_progress_end(&progress);
  if (b->m->peaks[1] == 0) measure_machine(b->m, b->kernels, 1); /* the last run was a long one */
  return status;
}

static sk_status measure(struct bench *b) {
  sk_status status = sk_kernels_choose(b->m->info.isa, &b->kernels);
  if (status) return status;
  b->stamps = calloc(b->m->info.layers + 1, sizeof *b->stamps);
  if (!b->stamps) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the times of %zu layers", b->m->info.layers);
  measure_machine(b->m, b->kernels, 0);
  status = sk_trial_warm_up(b->trial);
  if (!status) status = run_pairs(b);
  free(b->stamps);
  return status || b->m->runs == 0 ? status : sk_measurement_summarise(b->m);
}

static double time_limit(const struct sk_measure_limits *limits) {
  if (limits->seconds > 0) return limits->seconds;
  return limits->runs > 0 ? INFINITY : TIMED_SECONDS;
}

sk_status sk_measure_net(struct sk_measurement *measurement, const struct sk_trial *trial,
                         const struct sk_measure_limits *limits) {
  *measurement = (struct sk_measurement){.info = trial->info};
  const size_t most = limits->seconds > 0 ? MOST_RUNS_IN_TIME : MOST_RUNS;
  struct bench b = {
      .trial = trial, .m = measurement, .most = limits->runs > 0 ? limits->runs : most, .seconds = time_limit(limits)};
  return measure(&b);
}

sk_status sk_measure_last_peak(struct sk_measurement *measurement) {
  const struct sk_kernel_table *kernels = NULL;
  const sk_status status = sk_kernels_choose(measurement->info.isa, &kernels);
  if (!status) measure_machine(measurement, kernels, SK_PEAKS - 1);
  return status;
}

/* ---- Results ------------------------------------------------------------------------------------------------ */

const double *sk_measurement_run(const struct sk_measurement *measurement, size_t run) {
  return measurement->times + run * row_length(measurement);
}

/* Summarise one column of the times; they are left sorted in `values`. */
static struct sk_summary summarise_column(const struct sk_measurement *m, size_t column, double *values) {
  for (size_t run = 0; run < m->runs; run++) values[run] = sk_measurement_run(m, run)[column];
  return sk_statistics_summarise(values, m->runs);
}

sk_status sk_measurement_summarise(struct sk_measurement *measurement) {
  struct sk_measurement *m = measurement;
  m->layers = calloc(m->info.layers, sizeof *m->layers);
  double *values = calloc(m->runs, sizeof *values);
  if (!m->layers || !values) {
    free(values);
    return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the summaries of %zu layers", m->info.layers);
  }
  m->whole = summarise_column(m, SK_TIME_WHOLE, values);
  m->percentiles = sk_statistics_percentiles(values, m->runs);
  m->observed = summarise_column(m, SK_TIME_OBSERVED, values);
  for (size_t i = 0; i < m->info.layers; i++) m->layers[i] = summarise_column(m, SK_TIME_LAYERS + i, values);
  free(values);
  return SK_OK;
}

void sk_measurement_free(struct sk_measurement *measurement) {
  free(measurement->times);
  free(measurement->layers);
  measurement->times = NULL;
  measurement->layers = NULL;
}

size_t sk_measurement_nearest(const struct sk_measurement *measurement, double seconds) {
  size_t nearest = 0;
  double least = INFINITY;
  for (size_t run = 0; run < measurement->runs; run++) {
    const double distance = fabs(sk_measurement_run(measurement, run)[SK_TIME_OBSERVED] - seconds);
    if (distance < least) {
      least = distance;
      nearest = run;
    }
  }
  return nearest;
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
