/* What `skiplane profile` found, and its outputs: all of them show the same data. */
#ifndef SK_BENCH_PROFILE_H
#define SK_BENCH_PROFILE_H

#include "bench/affinity.h"
#include "bench/clock.h"
#include "bench/command_line.h"
#include "bench/context.h"
#include "bench/counters.h"
#include "bench/measure.h"
#include "bench/memory.h"
#include "bench/options.h"
#include "bench/roof.h"
#include "bench/scenario.h"

#define SK_PROFILE_FORMAT "skiplane-profile 1"
#define SK_DRIFT_LIMIT 0.05 /* of the peak: beyond it the machine was not quiet */

/* A layer's numbers are of one run, batch included. */
struct sk_profile_layer {
  sk_layer_info info;            /* of one image; its names are the net's */
  const struct sk_summary *time; /* seconds */
  double share;                  /* of the sum of all layers' medians */
  size_t activation_bytes, bytes;
  double gflops, executed_gflops; /* counted as direct convolution; as the algorithm multiplies */
  double gbps, intensity;         /* intensity: operations of direct convolution per byte */
  struct sk_roof roof;
};

struct sk_profile {
  const struct sk_options *options;
  const char *model;
  const sk_plan *plan; /* NULL: none */
  const sk_net *net;
  int threads;
  struct sk_cpu_list cpus; /* that threads are pinned to */
  double plan_seconds;     /* from opening the weights to a network that is ready to run */

  struct sk_context context;
  struct sk_command_line command;
  struct sk_date date;
  struct sk_clock clock;
  struct sk_bandwidths bandwidths;
  struct sk_memory memory;
  struct sk_measurement m;
  struct sk_counts counts;
  size_t counted_runs; /* 0: nothing was counted */
  struct sk_scenario_result scenario;
  bool interrupted;

  /* Derived. */
  double peak;                     /* GFLOP/s */
  double drift;                    /* by how much the least peak falls short of it */
  double layer_sum;                /* seconds */
  struct sk_profile_layer *layers; /* [m.info.layers] */
};

/* Measure the network of a profile whose options, model, net, threads, cpus, plan_seconds and context are set. With
 * m.runs 0 it was interrupted before there was anything to show. Free whatever the outcome. Errors: those of
 * sk_net_run, SK_OUT_OF_MEMORY. */
sk_status sk_profile_measure(struct sk_profile *profile);

/* Derive what follows from the measurement and the bandwidths. Requires: m.runs > 0. Errors: SK_OUT_OF_MEMORY. */
sk_status sk_profile_derive(struct sk_profile *profile);
void sk_profile_free(struct sk_profile *profile);

/* GFLOP/s of the whole network, counted as direct convolution; and a rate as percent of the peak. */
double sk_profile_gflops(const struct sk_profile *profile);
double sk_profile_percent(const struct sk_profile *profile, double gflops);

/* A layer's shape: "64x56x56 -> 64x56x56 3x3 s1". */
struct sk_layer_text {
  char text[128];
};
struct sk_layer_text sk_layer_shape(const sk_layer_info *layer);

/* The algorithm of a layer; "-" where there is none to choose. */
const char *sk_layer_algorithm(const sk_layer_info *layer);

/* ---- Outputs -------------------------------------------------------------------------------------------------- */

/* Print it for people, to stdout. Errors: SK_OUT_OF_MEMORY. */
sk_status sk_profile_print(const struct sk_profile *profile);

/* Build the document (docs/benchmarking.md), which --json, --save and --html write. End it with sk_json_discard. */
void sk_profile_json(const struct sk_profile *profile, struct sk_json *json);

/* Write one line for each layer, in execution order, below a line of titles; to stdout if path is NULL.
 * Errors: SK_IO_ERROR. */
sk_status sk_profile_csv(const struct sk_profile *profile, const char *path);

/* Write runs as a Chrome trace: the least, the median and the longest, each a track. Errors: SK_IO_ERROR,
 * SK_OUT_OF_MEMORY. */
sk_status sk_profile_trace(const struct sk_profile *profile, const char *path);

#endif
