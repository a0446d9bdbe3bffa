/* Benchmarks of the convolutions of every network. */
#ifndef SK_BENCH_BENCHMARK_CONV_H
#define SK_BENCH_BENCHMARK_CONV_H

#include "skiplane.h"

struct sk_conv_benchmarks;

/* Register conv/<model>/<layer>/<algorithm>/<isa>/n1/t1 for each distinct convolution of each model, each available ISA
 * and each algorithm that applies; a shape is listed under the first model and layer that has it. NULL on failure. */
struct sk_conv_benchmarks *sk_conv_benchmarks_register(void);
void sk_conv_benchmarks_destroy(struct sk_conv_benchmarks *benchmarks);

#endif
