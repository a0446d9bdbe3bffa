/* What ends the outputs of Winograd's kernels in a case: bias, residual, activation. */
#ifndef SK_BENCH_VERIFY_WINOGRAD_OUTPUT_H
#define SK_BENCH_VERIFY_WINOGRAD_OUTPUT_H

#include "bench/verify_bounds.h"
#include "bench/verify_internal.h"

struct sk_winograd_ends {
  enum sk_activation activation;
  enum sk_residual residual_kind;
  const float *bias;     /* [16] */
  const float *residual; /* residual + i*residual_row + j*16 */
  size_t residual_row;
};

/* Place the outputs, of which rows x columns exist, with all that ends them: y and the residual have row strides of
 * their own, unless the residual lies in y. */
struct sk_winograd_output_args sk_winograd_place_output(struct sk_verify *v, const struct sk_winograd_ends *ends,
                                                        size_t rows, size_t columns, enum sk_guard_side side);

#endif
