/* F(3,4) of the phases of a 7x7 convolution with stride 2: what its bound is relative to. */
#ifndef SK_BENCH_VERIFY_PHASES_H
#define SK_BENCH_VERIFY_PHASES_H

#include <stdbool.h>

#include "reference/winograd.h"
#include "skiplane.h"

/* As sk_reference_winograd_magnitude, without bias, of the 4x4 convolution over four phases that the shape stands for.
 * Returns false if there is no memory. */
bool sk_phases_magnitude(const sk_reference_winograd *winograd, const sk_conv_shape *shape, const double *x,
                         const double *weights, double *magnitude);

#endif
