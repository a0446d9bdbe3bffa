/* What the benchmarks of skiplane-bench share: names, conditions, the timed loop and its counters. */
#ifndef SK_BENCH_BENCHMARK_SUITE_H
#define SK_BENCH_BENCHMARK_SUITE_H

#include "bench/affinity.h"
#include "bench/harness.h"
#include "bench/shapes.h"
#include "kernels/kernels.h"

/* What one run does. */
struct sk_work {
  double flops; /* a fused multiply-add counted as two; 0: none to speak of */
  double bytes; /* what has to move at least: inputs, weights and outputs, each once */
};

struct sk_case;

/* A family of benchmarks: how its subjects are made, run, and thrown out of the caches. */
struct sk_family {
  /* Make what a run needs, and say what a run does. Leaves *prepared fit for `release` whatever the outcome. */
  sk_status (*prepare)(const struct sk_case *c, void **prepared, struct sk_work *work);
  void (*run)(const struct sk_case *c, void *prepared);
  void (*evict)(void *prepared); /* NULL: warm only */
  void (*release)(void *prepared);
  struct sk_shape_text (*label)(const struct sk_case *c); /* what is told beside the name; NULL: nothing */
};

/* One benchmark. */
struct sk_case {
  const struct sk_family *family;
  const void *subject; /* the family's: a shape, the name of a network; lives as long as the suite */
  sk_algorithm algorithm;
  size_t batch; /* 0: has none */
  sk_isa isa;
  int threads;
  bool is_cold;
  struct sk_suite *suite;
};

/* What the user asks for. */
struct sk_suite_settings {
  size_t batch;
  int threads;      /* 0: one, and all CPUs */
  const char *cpus; /* as for sk_cpu_list_choose */
};

struct sk_suite;

/* Make a suite: the shapes of the networks, threads and CPUs. Errors: SK_INVALID_ARGUMENT (cpus), SK_OUT_OF_MEMORY. */
sk_status sk_suite_create(struct sk_suite **suite, const struct sk_suite_settings *settings);
void sk_suite_destroy(struct sk_suite *suite);

size_t sk_suite_batch(const struct sk_suite *suite);
const struct sk_shapes *sk_suite_shapes(const struct sk_suite *suite);

/* Copy a family's subject into the suite; NULL if there is no memory. */
const void *sk_suite_keep(struct sk_suite *suite, const void *subject, size_t bytes);

/* Register <name>/<isa>[/n<batch>]/t<threads>[/cold] for each ISA that this machine has, each number of threads, and
 * both states of the caches where the family can evict. Of `c` the suite fills in the rest. Errors: SK_OUT_OF_MEMORY.
 */
sk_status sk_suite_add(struct sk_suite *suite, const struct sk_case *c, const char *name, ...)
    __attribute__((format(printf, 3, 4)));

/* Put machine, build and conditions into the benchmarks' context. */
void sk_suite_tell_context(const struct sk_suite *suite);

/* Whether a benchmark could not run. */
bool sk_suite_has_failed(const struct sk_suite *suite);

/* ---- Data ----------------------------------------------------------------------------------------------------- */

/* Fill an array with numbers of either sign in [-1, 1); which ones does not matter to the time. */
void sk_fill(float *to, size_t count);

/* Allocate `count` floats, filled; free with sk_free. Errors: SK_OUT_OF_MEMORY. */
sk_status sk_make_floats(float **floats, size_t count);

/* ---- The families --------------------------------------------------------------------------------------------- */

sk_status sk_suite_add_peak(struct sk_suite *suite);      /* fma_peak */
sk_status sk_suite_add_convs(struct sk_suite *suite);     /* conv/<network>/<layer>/<algorithm> */
sk_status sk_suite_add_winograd(struct sk_suite *suite);  /* winograd_input_f4k3/<network>/<layer> */
sk_status sk_suite_add_operators(struct sk_suite *suite); /* max_pool/<network>/<layer>, dense, add ... */
sk_status sk_suite_add_nets(struct sk_suite *suite);      /* net/<network>/<algorithm> */

#endif
