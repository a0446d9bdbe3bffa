/* A network with its input, its output and its workspace: ready to be timed. */
#ifndef SK_BENCH_TRIAL_H
#define SK_BENCH_TRIAL_H

#include "skiplane.h"

struct sk_trial {
  const sk_net *net;
  sk_net_info info;
  float *x, *y;
  void *workspace;
};

/* Prepare whole batches of random input for a network, which must outlive the trial. Close whatever the outcome.
 * Errors: SK_OUT_OF_MEMORY, SK_INVALID_ARGUMENT (sizes that overflow). */
sk_status sk_trial_open(struct sk_trial *trial, const sk_net *net);
void sk_trial_close(struct sk_trial *trial);

/* Run once, and tell how long it took. */
sk_status sk_trial_run(const struct sk_trial *trial, double *seconds);

/* The same, and the end of each layer: stamps[layers + 1] receives the start, then the end of each layer,
 * as if all groups of images had gone through one layer before the next. */
sk_status sk_trial_run_watched(const struct sk_trial *trial, double *stamps, double *seconds);

/* Run until caches, clocks and page tables have settled: at least once. */
sk_status sk_trial_warm_up(const struct sk_trial *trial);

#endif
