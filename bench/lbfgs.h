/* Minimising a smooth function by L-BFGS. Every sum has a fixed order, so that the result has the same bits wherever
 * double is IEEE 754's and the function's own bits are the same; liblbfgs sums in another order on each architecture.
 */
#ifndef SK_BENCH_LBFGS_H
#define SK_BENCH_LBFGS_H

#include <stdbool.h>

#include "skiplane.h"

/* Return f(x) and write its gradient[count]. */
typedef double sk_objective(void *user, const double *x, double *gradient);

struct sk_minimum {
  double value, gradient; /* f(x), and the largest component of its gradient there */
  size_t iterations;
  bool converged; /* whether that component is small enough */
};

/* Minimise f from x[count] on, which becomes the best point found, until no component of the gradient is larger than
 * `tolerance`, `iterations` are done, or no step along the direction makes f smaller, as happens where rounding has the
 * last word. Steps satisfy the weak Wolfe conditions, found by bisection.
 * Source: Nocedal and Wright (2006), algorithms 7.4 and 7.5; the step: Lewis and Overton (2013), algorithm 2.6.
 * Errors: SK_INVALID_ARGUMENT (sizes that overflow), SK_OUT_OF_MEMORY. */
sk_status sk_lbfgs_minimise(sk_objective *f, void *user, size_t count, double tolerance, size_t iterations, double *x,
                            struct sk_minimum *minimum);

#endif
