/* skiplane-bench: every convolution of every network, for every ISA and algorithm, and the FMA peak beside them. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/benchmark_conv.h"
#include "bench/harness.h"
#include "config.h"
#include "dispatch/isa.h"

/* Measure the peak as any other benchmark, so that it stands in the same table and the same JSON. */
static void measure_peak(struct sk_benchmark *benchmark, void *subject) {
  const struct sk_kernel_table *kernels = subject;
  const size_t iterations = 100000;
  volatile float sink = 0;
  while (sk_benchmark_continue(benchmark)) sink = kernels->fma_peak(iterations);
  (void)sink;
  sk_benchmark_rate(benchmark, "FLOPS", (double)(iterations * kernels->fma_peak_flops));
}

static void register_peak(sk_isa isa) {
  const struct sk_kernel_table *kernels;
  if (sk_kernels_choose(isa, &kernels)) return;
  char name[64];
  snprintf(name, sizeof name, "fma_peak/%s/t1", sk_isa_name(isa));
  /* The table is constant; the harness hands subjects on as void * and the function above takes it back as const. */
  sk_benchmark_register(name, measure_peak, (void *)(uintptr_t)kernels);
}

int main(int argc, char **argv) {
  if (!sk_benchmark_initialize(&argc, argv)) return 2;
  sk_benchmark_context("skiplane", sk_version());
  sk_benchmark_context("compiler", SK_BUILD_COMPILER);
  sk_benchmark_context("flags", SK_BUILD_FLAGS);
  for (int isa = SK_ISA_GENERIC; isa < SK_ISA_COUNT; isa++) {
    if (sk_isa_available((sk_isa)isa)) register_peak((sk_isa)isa);
  }
  struct sk_conv_benchmarks *benchmarks = sk_conv_benchmarks_register();
  if (!benchmarks) {
    fprintf(stderr, "skiplane-bench: %s\n", sk_error_message());
    return 1;
  }
  const unsigned long ran = sk_benchmark_run_all();
  sk_conv_benchmarks_destroy(benchmarks);
  return ran > 0 ? 0 : 1;
}
