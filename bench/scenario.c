#include "bench/scenario.h"

#include "bench/clock.h"
#include "bench/interrupt.h"
#include "bench/terminal.h"
#include "dispatch/status.h"

const char *sk_scenario_name(enum sk_scenario scenario) {
  return scenario == SK_SCENARIO_OFFLINE ? "offline" : "single-stream";
}

/* One query after another until the time is over; sets how long they took. */
static sk_status run_queries(struct sk_samples *latencies, enum sk_scenario scenario, const struct sk_trial *trial,
                             double limit, double *elapsed) {
  struct sk_progress progress;
  sk_status status = SK_OK;
  const double start = sk_clock_seconds();
  sk_progress_begin(&progress);
  while (!status && *elapsed < limit && !sk_interrupted()) {
    double seconds = 0;
    status = sk_trial_run(trial, &seconds);
    if (!status && !sk_samples_add(latencies, seconds)) {
      status = sk_fail(SK_OUT_OF_MEMORY, "out of memory for the latencies of %zu queries", latencies->count + 1);
    }
    *elapsed = sk_clock_seconds() - start;
    sk_progress_time(&progress, sk_scenario_name(scenario), *elapsed, limit);
  }
  sk_progress_end(&progress);
  return status;
}

static void summarise(struct sk_scenario_result *result, struct sk_samples *latencies, size_t batch) {
  double sum = 0;
  for (size_t i = 0; i < latencies->count; i++) sum += latencies->values[i];
  sk_statistics_sort(latencies->values, latencies->count);
  result->queries = latencies->count;
  result->images_per_second = (double)latencies->count * (double)batch / result->seconds;
  result->minimum = latencies->values[0];
  result->mean = sum / (double)latencies->count;
  result->maximum = latencies->values[latencies->count - 1];
  result->latencies = sk_statistics_percentiles(latencies->values, latencies->count);
}

sk_status sk_scenario_run(struct sk_scenario_result *result, enum sk_scenario scenario, const struct sk_trial *trial,
                          double seconds) {
  struct sk_samples latencies = {0};
  *result = (struct sk_scenario_result){.scenario = scenario};
  if (scenario == SK_SCENARIO_NONE) return SK_OK;
  const sk_status status = run_queries(&latencies, scenario, trial, seconds, &result->seconds);
  if (!status && latencies.count > 0) summarise(result, &latencies, trial->info.batch);
  sk_samples_free(&latencies);
  return status;
}
