/*
 * The scenarios of MLPerf Inference (Reddi et al., 2020) for a whole network.
 *
 *   single-stream  one image after another; the 90th percentile of the latencies is the result
 *   offline        all images are there from the start, in batches as large as planned; images a second are the result
 *
 * The rules for official results ask for more: real data, an accuracy run, 600 seconds.
 */
#ifndef SK_BENCH_SCENARIO_H
#define SK_BENCH_SCENARIO_H

#include "bench/options.h"
#include "bench/statistics.h"
#include "bench/trial.h"

struct sk_scenario_result {
  enum sk_scenario scenario;
  size_t queries;                  /* runs; 0: none, or interrupted before the first */
  double seconds;                  /* that they took, from the first's start to the last's end */
  double images_per_second;        /* over all of them */
  double minimum, mean, maximum;   /* seconds of a query */
  struct sk_percentiles latencies; /* likewise */
};

/* Name a scenario: "single-stream", "offline". */
const char *sk_scenario_name(enum sk_scenario scenario);

/* Run a scenario for some seconds, at least one query, or until interrupted. SK_SCENARIO_NONE: nothing.
 * Errors: those of sk_net_run, SK_OUT_OF_MEMORY. */
sk_status sk_scenario_run(struct sk_scenario_result *result, enum sk_scenario scenario, const struct sk_trial *trial,
                          double seconds);

#endif
