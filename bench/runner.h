/* A network ready to run for a command: by the kernels, or by the reference in double precision. */
#ifndef SK_BENCH_RUNNER_H
#define SK_BENCH_RUNNER_H

#include "bench/source.h"
#include "resnet/text.h"

struct sk_runner {
  size_t in_channels, in_height, in_width, classes;
  sk_net_info info; /* kernels only */

  sk_net *net;
  void *workspace;

  bool reference;
  struct sk_graph graph;
  double *outputs; /* [batch][classes] */
};

/* Open the network that options ask for (size, batch, threads, isa, algorithm, classes, layers as taps).
 * source: must outlive the runner. The runner must be closed whatever the outcome.
 * Errors: as sk_source_plan and sk_source_load. */
sk_status sk_runner_open(struct sk_runner *runner, const struct sk_options *options, const struct sk_source *source);
void sk_runner_close(struct sk_runner *runner);

/* Run: x[batch][in_channels][in_height][in_width], y[batch][classes]. */
sk_status sk_runner_run(struct sk_runner *runner, size_t batch, const float *x, float *y);

/* Name what runs: "avx512", or "reference". */
const char *sk_runner_isa(const struct sk_runner *runner);

/* Name the algorithm asked for: "auto", "winograd4", "reference"; "plan" where each layer has its own. */
const char *sk_algorithm_wanted(const struct sk_options *options);

/* Name how denormals are treated: "exact", "flushed". */
const char *sk_denormals_word(bool flushed);

/* Open the plan that options name; NULL if they name none. Close it whatever the outcome. Errors: as sk_plan_open. */
sk_status sk_open_plan(sk_plan **plan, const struct sk_options *options);

/* A plan's digest as text, "3f9a12bc"; without a plan, "". */
struct sk_digest_text {
  char text[12];
};
struct sk_digest_text sk_plan_digest(const sk_plan *plan);

/* What a run goes by: "plan r50.plan (3f9a12bc)"; without a plan, the algorithm wanted. */
struct sk_plan_text {
  char text[SK_QUOTED_LIMIT + 32];
};
struct sk_plan_text sk_plan_name(const struct sk_options *options, const sk_plan *plan);

/* What a run that is measured takes place in, beside its batch. */
struct sk_plan_conditions {
  sk_isa isa;
  int threads;
  const char *cpu;
};

/* Say on stderr in what a run differs from the one that its plan was measured in, if it does. The results are the same
 * then, but something else may be the fastest. */
void sk_plan_tell_differences(const struct sk_options *options, const sk_plan *plan,
                              const struct sk_plan_conditions *here);

/* Open the weights that options name, or draw seeded ones, with the head that they name; says on stderr how many values
 * are not finite. Close them whatever the outcome. */
sk_status sk_open_weights(sk_weights **weights, const struct sk_options *options, const char *model);

/* Allocate count * size floats, zeroed on demand by the system; free with free(). Errors: SK_INVALID_ARGUMENT
 * (overflow), SK_OUT_OF_MEMORY. */
sk_status sk_allocate_floats(float **floats, size_t count, size_t size);

#endif
