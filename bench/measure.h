/* Measuring a network: whole runs and runs observed layer by layer, interleaved, between measurements of the machine:
 * of the peak, and of how far apart threads are. */
#ifndef SK_BENCH_MEASURE_H
#define SK_BENCH_MEASURE_H

#include "bench/statistics.h"
#include "bench/trial.h"

enum { SK_PEAKS = 3 }; /* before, between and after */

/* Times of one row: a run that nobody watches, one that reports its layers, and its layers. */
enum { SK_TIME_WHOLE, SK_TIME_OBSERVED, SK_TIME_LAYERS };

struct sk_measurement {
  sk_net_info info;
  size_t runs;   /* of either kind; 0: interrupted before the first was over */
  double *times; /* [runs][SK_TIME_LAYERS + info.layers], seconds, in the order measured */
  struct sk_summary whole, observed;
  struct sk_summary *layers;         /* [info.layers] */
  struct sk_percentiles percentiles; /* of the whole */
  double peaks[SK_PEAKS];            /* GFLOP/s, in the order measured; the last by sk_measure_last_peak */
  double handoffs[SK_PEAKS];         /* ns, beside each; 0 with one thread */
};

/* How long to measure. */
struct sk_measure_limits {
  size_t runs;    /* of either kind; 0: as many as fit in the time, at most 500 unless a time is given */
  double seconds; /* 0: some five if no number of runs is given either; at least three runs of either kind are made,
                     within some eight seconds */
};

/* Measure runs of a trial, the peak and the hand-off before and between. A wish to end (bench/interrupt.h) is heard
 * before each run. Free the measurement whatever the outcome. Errors: those of sk_net_run, SK_OUT_OF_MEMORY. */
sk_status sk_measure_net(struct sk_measurement *measurement, const struct sk_trial *trial,
                         const struct sk_measure_limits *limits);

/* Measure the peak and the hand-off after everything. */
sk_status sk_measure_last_peak(struct sk_measurement *measurement);

/* Make the summaries from times, runs and info. Requires: runs > 0. Errors: SK_OUT_OF_MEMORY. */
sk_status sk_measurement_summarise(struct sk_measurement *measurement);
void sk_measurement_free(struct sk_measurement *measurement);

/* The times of one run: [SK_TIME_LAYERS + layers]. */
const double *sk_measurement_run(const struct sk_measurement *measurement, size_t run);

/* The run whose observed time is nearest to `seconds`: the median's is the one to look at. */
size_t sk_measurement_nearest(const struct sk_measurement *measurement, double seconds);

/* The highest peak, and by how much the lowest falls short of it (0.05: 5%). */
double sk_measurement_peak(const struct sk_measurement *measurement);
double sk_measurement_drift(const struct sk_measurement *measurement);

/* The sum of the layers' medians, in seconds: beside the whole's median it tells how much of that they explain. */
double sk_measurement_layer_sum(const struct sk_measurement *measurement);

#endif
