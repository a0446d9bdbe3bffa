/*
 * Google Benchmark behind a C interface: the one C++ file, harness.cc, hides behind this header.
 *
 * A benchmark is a function that times its loop itself:
 *
 *   static void measure(struct sk_benchmark *benchmark, void *subject) {
 *     while (sk_benchmark_continue(benchmark)) run(subject);
 *     sk_benchmark_rate(benchmark, "FLOPS", flops_of_one_run);
 *   }
 */
#ifndef SK_BENCH_HARNESS_H
#define SK_BENCH_HARNESS_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sk_benchmark;
typedef void sk_benchmark_function(struct sk_benchmark *benchmark, void *subject);

/* Register a benchmark under `name`, which is copied; `subject` must live until sk_benchmark_run_all returns. */
void sk_benchmark_register(const char *name, sk_benchmark_function *function, void *subject);

/* Whether to run once more; times what lies between its calls. */
bool sk_benchmark_continue(struct sk_benchmark *benchmark);

/* Stop and resume the clock around what is not to be timed. */
void sk_benchmark_pause(struct sk_benchmark *benchmark);
void sk_benchmark_resume(struct sk_benchmark *benchmark);

/* Report a counter: a plain value, or an amount per run as a rate a second. */
void sk_benchmark_value(struct sk_benchmark *benchmark, const char *counter, double value);
void sk_benchmark_rate(struct sk_benchmark *benchmark, const char *counter, double amount_per_run);

void sk_benchmark_label(struct sk_benchmark *benchmark, const char *label);

/* End a benchmark that cannot run, with the reason. */
void sk_benchmark_fail(struct sk_benchmark *benchmark, const char *reason);

/* Add a line to the context that is printed, and written to JSON, with every run. */
void sk_benchmark_context(const char *key, const char *value);

/* Take Google Benchmark's flags from the command line; what it does not know stays there. Given --help, it prints its
 * own and exits. */
void sk_benchmark_initialize(int *argc, char **argv);

/* Run what --benchmark_filter selects. Returns the number of benchmarks that ran. */
unsigned long sk_benchmark_run_all(void);

#ifdef __cplusplus
}
#endif
#endif
