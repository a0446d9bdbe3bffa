/* The command line of skiplane-bench: a few flags of our own, written as Google Benchmark writes its own. */
#ifndef SK_BENCH_BENCHMARK_FLAGS_H
#define SK_BENCH_BENCHMARK_FLAGS_H

#include "bench/benchmark_suite.h"

/* Take our flags out of the command line; --help prints ours and is left for Google Benchmark to print its own. False
 * after an error, which has been told. */
bool sk_flags_take(struct sk_suite_settings *settings, int *argc, char **argv);

/* Name the first argument that nobody took, if there is one; false then. */
bool sk_flags_all_taken(int argc, char **argv);

#endif
