/* Running one convolution as the checker does, for the targets that draw them. */
#ifndef SK_TESTS_FUZZ_RUN_CASE_H
#define SK_TESTS_FUZZ_RUN_CASE_H

#include <stdlib.h>

#include "bench/conv_case.h"
#include "dispatch/conv.h"
#include "dispatch/size.h"

enum { MOST_THREADS = 4, MOST_MACS = 1 << 16, MOST_FLOATS = 1 << 14 };

/* Whether a convolution takes a moment at most: inputs, outputs and products. Requires: a shape that was checked. */
static inline bool is_small(const sk_conv_shape *s) {
  size_t height, width, in, out, macs;
  if (sk_conv_output_size(s, &height, &width)) return false;
  return sk_size_multiply(s->batch * s->in_channels, s->in_height * s->in_width, &in) && in <= MOST_FLOATS &&
         sk_size_multiply(s->batch * s->out_channels, height * width, &out) && out <= MOST_FLOATS &&
         sk_size_multiply(out, s->in_channels / s->groups, &macs) && macs <= MOST_MACS &&
         sk_size_multiply(macs, s->kernel_height * s->kernel_width, &macs) && macs <= MOST_MACS;
}

/* Run a case against the reference: within the proven bound, and with the bits of the contract. What fails is told as
 * `skiplane verify --case` tells it, its reduced case left among the temporary files, and ends the process. */
static inline void expect_passes(const struct sk_conv_case *c) {
  const struct sk_verify_options options = {
      .isa = c->isa, .seed = c->seed, .only = c, .output = stdout, .case_folder = P_tmpdir};
  static struct sk_verify v; /* its guarded places are used again */
  v.options = &options;
  if (!sk_isa_available(c->isa) || !sk_verify_conv_fails(&v, c)) return;
  sk_verify_main(&options);
  abort();
}

#endif
