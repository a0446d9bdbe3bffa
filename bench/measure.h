/* Measuring a network: whole runs and runs observed layer by layer, interleaved, between measurements of the peak. */
#ifndef SK_BENCH_MEASURE_H
#define SK_BENCH_MEASURE_H

#include "bench/options.h"
#include "bench/statistics.h"

enum { SK_PEAKS = 3 }; /* before, between and after */

struct sk_measurement {
  sk_net_info info;
  size_t runs;                /* of either kind */
  struct sk_summary whole;    /* seconds of a run that nobody watches */
  struct sk_summary observed; /* of one that reports its layers, which shows what watching costs */
  struct sk_summary *layers;  /* [info.layers], seconds */
  double peaks[SK_PEAKS];     /* GFLOP/s, in the order measured */
};

/* Measure runs of `net` on random input: `runs` of either kind, 0: as many as fit in some five seconds. What the
 * caller must free with sk_measurement_free, whatever the outcome. Errors: those of sk_net_run, SK_OUT_OF_MEMORY. */
sk_status sk_measure_net(struct sk_measurement *measurement, const sk_net *net, size_t runs);
void sk_measurement_free(struct sk_measurement *measurement);

/* The highest peak, and by how much the lowest falls short of it (0.05: 5%). */
double sk_measurement_peak(const struct sk_measurement *measurement);
double sk_measurement_drift(const struct sk_measurement *measurement);

/* The sum of the layers' medians, in seconds: beside the whole's median it tells how much of that they explain. */
double sk_measurement_layer_sum(const struct sk_measurement *measurement);

#endif
