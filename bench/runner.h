/* A network ready to run for a command: by the kernels, or by the reference in double precision. */
#ifndef SK_BENCH_RUNNER_H
#define SK_BENCH_RUNNER_H

#include "bench/options.h"
#include "resnet/graph.h"

struct sk_runner {
  size_t in_channels, in_height, in_width, classes;
  sk_net_info info; /* kernels only */

  sk_net *net;
  void *workspace;

  bool reference;
  struct sk_graph graph;
  double *outputs; /* [batch][classes] */
};

/* Open the network that options ask for (model, size, batch, threads, isa, algorithm, classes, layers as taps).
 * weights: must outlive the runner. The runner must be closed whatever the outcome.
 * Errors: as sk_net_create and sk_network_load. */
sk_status sk_runner_open(struct sk_runner *runner, const struct sk_options *options, const char *model,
                         const sk_weights *weights);
void sk_runner_close(struct sk_runner *runner);

/* Run: x[batch][in_channels][in_height][in_width], y[batch][classes]. */
sk_status sk_runner_run(struct sk_runner *runner, size_t batch, const float *x, float *y);

/* Name what runs: "avx512", or "reference". */
const char *sk_runner_isa(const struct sk_runner *runner);

/* Name the algorithm asked for: "auto", "winograd4", "reference". */
const char *sk_algorithm_wanted(const struct sk_options *options);

/* Open the weights that options name, or draw seeded ones; says on stderr how many values are not finite. */
sk_status sk_open_weights(sk_weights **weights, const struct sk_options *options, const char *model);

/* Allocate count * size floats, zeroed on demand by the system; free with free(). Errors: SK_INVALID_ARGUMENT
 * (overflow), SK_OUT_OF_MEMORY. */
sk_status sk_allocate_floats(float **floats, size_t count, size_t size);

#endif
