#include "bench/softmax_regression.h"

#include <math.h>
#include <sleef.h>
#include <stdlib.h>

#include "dispatch/size.h"
#include "dispatch/status.h"

/* Gradients below the tolerance move no logit by what float32 resolves; the iterations are far more than any fit took.
 */
enum { ITERATIONS = 2000, FEATURE_BLOCK = 16 };
static const double tolerance = 1e-7;

/* Deviations below this part of the mean are rounding in features that do not vary. */
static const double least_deviation = 1e-6;

/* ---- Preparing ---------------------------------------------------------------------------------------------- */

static void standardise(struct sk_regression_objective *o, size_t feature) {
  const struct sk_regression *r = o->regression;
  const double n = (double)r->examples;
  double sum = 0;
  double squares = 0;
  for (size_t i = 0; i < r->examples; i++) sum += (double)r->x[i * r->features + feature];
  const double mean = sum / n;
  for (size_t i = 0; i < r->examples; i++) {
    const double difference = (double)r->x[i * r->features + feature] - mean;
    squares += difference * difference;
  }
  const double deviation = sqrt(squares / n);
  o->mean[feature] = mean;
  o->scale[feature] = deviation > least_deviation * fabs(mean) ? 1 / deviation : 0;
}

/* Allocate rows * columns doubles; NULL if there are none, or if they overflow. */
static double *allocate(size_t rows, size_t columns) {
  size_t values = 0;
  return sk_size_multiply(rows, columns, &values) ? calloc(sk_size_max(values, 1), sizeof(double)) : NULL;
}

sk_status sk_regression_objective_make(struct sk_regression_objective *objective,
                                       const struct sk_regression *regression) {
  *objective = (struct sk_regression_objective){.regression = regression,
                                                .mean = allocate(regression->features, 1),
                                                .scale = allocate(regression->features, 1),
                                                .residual = allocate(regression->examples, regression->classes),
                                                .loss = allocate(regression->examples, 1)};
  if (!objective->mean || !objective->scale || !objective->residual || !objective->loss) {
    return sk_fail(SK_OUT_OF_MEMORY, "out of memory for a regression of %zu examples, %zu features and %zu classes",
                   regression->examples, regression->features, regression->classes);
  }
  for (size_t j = 0; j < regression->features; j++) standardise(objective, j);
  return SK_OK;
}

void sk_regression_objective_destroy(struct sk_regression_objective *objective) {
  free(objective->mean);
  free(objective->scale);
  free(objective->residual);
  free(objective->loss);
  *objective = (struct sk_regression_objective){0};
}

/* ---- The function ------------------------------------------------------------------------------------------- */

static double standard_feature(const struct sk_regression_objective *o, size_t example, size_t feature) {
  const struct sk_regression *r = o->regression;
  return ((double)r->x[example * r->features + feature] - o->mean[feature]) * o->scale[feature];
}

/* scores = W z + b of one example */
static void score(const struct sk_regression_objective *o, const double *unknowns, size_t example, double *scores) {
  const struct sk_regression *r = o->regression;
  const double *const bias = unknowns + r->features * r->classes;
  for (size_t k = 0; k < r->classes; k++) scores[k] = bias[k];
  for (size_t j = 0; j < r->features; j++) {
    const double z = standard_feature(o, example, j);
    const double *const row = unknowns + j * r->classes;
    for (size_t k = 0; k < r->classes; k++) scores[k] += z * row[k];
  }
}

/* Make residuals of one example's scores, and its loss. */
static void compare(const struct sk_regression_objective *o, size_t example) {
  const struct sk_regression *r = o->regression;
  double *const residual = o->residual + example * r->classes;
  double largest = residual[0];
  double sum = 0;
  for (size_t k = 1; k < r->classes; k++) largest = fmax(largest, residual[k]);
  const double truth = residual[r->class_number[example]] - largest;
  for (size_t k = 0; k < r->classes; k++) {
    residual[k] = Sleef_cinz_expd1_u10purec(residual[k] - largest);
    sum += residual[k];
  }
  o->loss[example] = Sleef_cinz_logd1_u10purec(sum) - truth;
  for (size_t k = 0; k < r->classes; k++) residual[k] /= sum;
  residual[r->class_number[example]] -= 1;
  for (size_t k = 0; k < r->classes; k++) residual[k] /= (double)r->examples;
}

/* gradient[j] = sum of residual * z over the examples, of the rows `first` to `end` - 1; of the last, the bias, z is 1.
 */
static void sum_rows(const struct sk_regression_objective *o, size_t first, size_t end, double *gradient) {
  const struct sk_regression *r = o->regression;
  for (size_t i = first * r->classes; i < end * r->classes; i++) gradient[i] = 0;
  for (size_t i = 0; i < r->examples; i++) {
    const double *const residual = o->residual + i * r->classes;
    for (size_t j = first; j < end; j++) {
      const double z = j < r->features ? standard_feature(o, i, j) : 1;
      double *const row = gradient + j * r->classes;
      for (size_t k = 0; k < r->classes; k++) row[k] += z * residual[k];
    }
  }
}

double sk_regression_evaluate(void *objective, const double *unknowns, double *gradient) {
  const struct sk_regression_objective *o = objective;
  const struct sk_regression *r = o->regression;
  const size_t rows = r->features + 1;
  const size_t blocks = sk_size_divide_up(rows, FEATURE_BLOCK);
  double loss = 0;
  double norm = 0;
  /* Threads share out examples, then rows, and never a sum. */
#pragma omp parallel for schedule(static) num_threads(r->threads)
  for (size_t i = 0; i < r->examples; i++) {
    score(o, unknowns, i, o->residual + i * r->classes);
    compare(o, i);
  }
#pragma omp parallel for schedule(static) num_threads(r->threads)
  for (size_t b = 0; b < blocks; b++) {
    sum_rows(o, b * FEATURE_BLOCK, sk_size_min((b + 1) * FEATURE_BLOCK, rows), gradient);
  }
  for (size_t i = 0; i < r->examples; i++) loss += o->loss[i];
  for (size_t i = 0; i < r->features * r->classes; i++) {
    norm += unknowns[i] * unknowns[i];
    gradient[i] += r->l2 * unknowns[i];
  }
  return loss / (double)r->examples + r->l2 / 2 * norm;
}

/* ---- The fit ------------------------------------------------------------------------------------------------ */

/* Undo the standardisation: W z + b = (W / deviation) x + (b - sum of W mean / deviation). */
static void unfold(const struct sk_regression_objective *o, const double *unknowns, float *weight, float *bias) {
  const struct sk_regression *r = o->regression;
  for (size_t k = 0; k < r->classes; k++) {
    double shift = unknowns[r->features * r->classes + k];
    for (size_t j = 0; j < r->features; j++) {
      const double w = unknowns[j * r->classes + k] * o->scale[j];
      weight[k * r->features + j] = (float)w;
      shift -= w * o->mean[j];
    }
    bias[k] = (float)shift;
  }
}

sk_status sk_regression_fit(const struct sk_regression *regression, float *weight, float *bias,
                            struct sk_minimum *minimum) {
  struct sk_regression_objective objective;
  const size_t rows = regression->features + 1;
  double *const unknowns = allocate(rows, regression->classes);
  sk_status status = sk_regression_objective_make(&objective, regression);
  if (!status && !unknowns) status = sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu rows of weights", rows);
  if (!status) {
    status = sk_lbfgs_minimise(sk_regression_evaluate, &objective, rows * regression->classes, tolerance, ITERATIONS,
                               unknowns, minimum);
  }
  if (!status) unfold(&objective, unknowns, weight, bias);
  sk_regression_objective_destroy(&objective);
  free(unknowns);
  return status;
}
