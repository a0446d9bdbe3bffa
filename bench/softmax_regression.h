/*
 * Softmax regression: the linear layer under which the classes of examples are the likeliest.
 *
 *   f(W, b) = 1/n sum_i -log softmax(W z_i + b)[class_i] + l2/2 |W|^2,  z = (x - mean) / deviation
 *
 * with the mean and deviation of each feature over the examples, so that l2 weighs all features alike; one that does
 * not vary, but for rounding, has weight 0. The bias is not held back. Everything is computed in double, exponentials
 * and logarithms by SLEEF's functions whose bits are the same on every CPU, and each sum has a fixed order: the result
 * has the same bits for any number of threads and on every machine.
 */
#ifndef SK_BENCH_SOFTMAX_REGRESSION_H
#define SK_BENCH_SOFTMAX_REGRESSION_H

#include "bench/lbfgs.h"

struct sk_regression {
  size_t examples, features, classes;
  const float *x;             /* [examples][features], finite */
  const size_t *class_number; /* [examples], below classes */
  double l2;
  int threads;
};

/* f as a function of unknowns[features + 1][classes], W transposed and then b, for L-BFGS and for tests. */
struct sk_regression_objective {
  const struct sk_regression *regression;
  double *mean, *scale; /* [features]; scale 1 / deviation, or 0 */
  double *residual;     /* [examples][classes] softmax - 1 at the class, over n */
  double *loss;         /* [examples] */
};

/* Prepare f. Destroy it whatever the outcome. Errors: SK_INVALID_ARGUMENT (sizes that overflow), SK_OUT_OF_MEMORY. */
sk_status sk_regression_objective_make(struct sk_regression_objective *objective,
                                       const struct sk_regression *regression);
void sk_regression_objective_destroy(struct sk_regression_objective *objective);

/* Evaluate f and its gradient, an sk_objective. */
double sk_regression_evaluate(void *objective, const double *unknowns, double *gradient);

/* Fit a layer for plain features: weight[classes][features], bias[classes]; both rounded to float32 once, in the end.
 * Requires: l2 > 0, which makes the minimum one. Errors: those of making f and of sk_lbfgs_minimise. */
sk_status sk_regression_fit(const struct sk_regression *regression, float *weight, float *bias,
                            struct sk_minimum *minimum);

#endif
