/* The FMA peak as a benchmark like any other, so that it stands in the same table and the same JSON. */
#include "bench/benchmark_suite.h"
#include "dispatch/isa.h"

enum { ITERATIONS = 100000 };

static sk_status prepare(const struct sk_case *c, void **prepared, struct sk_work *work) {
  const struct sk_kernel_table *kernels;
  const sk_status status = sk_kernels_choose(c->isa, &kernels);
  if (status) return status;
  *prepared = (void *)(uintptr_t)kernels; /* constant: run takes it back as such */
  work->flops = (double)kernels->fma_peak_flops * ITERATIONS * c->threads;
  work->bytes = 0;
  return SK_OK;
}

static void run(const struct sk_case *c, void *prepared) {
  const struct sk_kernel_table *kernels = prepared;
  float sum = 0;
  (void)c; /* for builds without OpenMP */
#pragma omp parallel num_threads(c->threads) reduction(+ : sum)
  sum += kernels->fma_peak(ITERATIONS);
  volatile float kept = sum; /* keeps the work from being optimised away */
  (void)kept;
}

static void release(void *prepared) { (void)prepared; }

static const struct sk_family family = {.prepare = prepare, .run = run, .release = release};

sk_status sk_suite_add_peak(struct sk_suite *suite) {
  return sk_suite_add(suite, &(struct sk_case){.family = &family}, "fma_peak");
}
