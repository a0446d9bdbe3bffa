/* Shrink a failing convolution to a small one that still fails, by trying smaller ones and keeping those that do. */
#ifndef SK_BENCH_SHRINK_H
#define SK_BENCH_SHRINK_H

#include "bench/conv_case.h"

/* Whether a case fails; `user` is the caller's. */
typedef bool sk_shrink_oracle(void *user, const struct sk_conv_case *candidate);

/*
 * Shrink a case that fails until nothing smaller does, or the oracle was asked `most_tries` times: fewer threads, plain
 * arrays, no epilogue, drawn integers, then sizes towards one and padding towards none. What is asked is always a case
 * that can be run: a shape whose output has a pixel, and to which the algorithm applies. A dimension of the input never
 * exceeds the first case's.
 * Returns how many times the oracle was asked.
 */
size_t sk_shrink(struct sk_conv_case *c, sk_shrink_oracle *fails, void *user, size_t most_tries);

#endif
