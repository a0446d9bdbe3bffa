/* The roof of compute: fused multiply-adds a second that the cores in use can do, measured. */
#ifndef SK_BENCH_PEAK_H
#define SK_BENCH_PEAK_H

#include "kernels/kernels.h"

/* Measure the peak of one ISA on `threads` threads at once: the best of several short repeats, since everything that
 * disturbs a repeat slows it down. Takes some 60 ms. Returns GFLOP/s, an FMA counted as two operations. */
double sk_peak_measure(const struct sk_kernel_table *kernels, int threads);

#endif
