// Google Benchmark behind harness.h. An sk_benchmark is a benchmark::State by another name.
#include "bench/harness.h"

#include <benchmark/benchmark.h>

struct sk_benchmark {
  benchmark::State &state;
};

void sk_benchmark_register(const char *name, sk_benchmark_function *function, void *subject) {
  benchmark::RegisterBenchmark(name,
                               [function, subject](benchmark::State &state) {
                                 sk_benchmark benchmark{state};
                                 function(&benchmark, subject);
                               })
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
}

bool sk_benchmark_continue(sk_benchmark *benchmark) { return benchmark->state.KeepRunning(); }
void sk_benchmark_pause(sk_benchmark *benchmark) { benchmark->state.PauseTiming(); }
void sk_benchmark_resume(sk_benchmark *benchmark) { benchmark->state.ResumeTiming(); }

void sk_benchmark_value(sk_benchmark *benchmark, const char *counter, double value) {
  benchmark->state.counters[counter] = benchmark::Counter(value);
}

void sk_benchmark_rate(sk_benchmark *benchmark, const char *counter, double amount_per_run) {
  benchmark->state.counters[counter] =
      benchmark::Counter(amount_per_run, benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1000);
}

void sk_benchmark_label(sk_benchmark *benchmark, const char *label) { benchmark->state.SetLabel(label); }
void sk_benchmark_fail(sk_benchmark *benchmark, const char *reason) { benchmark->state.SkipWithError(reason); }
void sk_benchmark_context(const char *key, const char *value) { benchmark::AddCustomContext(key, value); }

void sk_benchmark_initialize(int *argc, char **argv) { benchmark::Initialize(argc, argv); }

unsigned long sk_benchmark_run_all() { return benchmark::RunSpecifiedBenchmarks(); }
