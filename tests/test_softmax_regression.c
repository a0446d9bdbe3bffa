/* L-BFGS on functions whose minimum is known; the regression's gradient against differences, its fits, and its bits. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/softmax_regression.h"
#include "bench/verify_internal.h"

/* ---- L-BFGS -------------------------------------------------------------------------------------------------- */

/* Sum of scales[i] (x[i] - i)^2 / 2, of scales that differ by 100. */
static double quadratic(void *user, const double *x, double *gradient) {
  const size_t count = *(const size_t *)user;
  double value = 0;
  for (size_t i = 0; i < count; i++) {
    const double scale = pow(10, 2 * (double)i / (double)(count - 1));
    gradient[i] = scale * (x[i] - (double)i);
    value += gradient[i] * (x[i] - (double)i) / 2;
  }
  return value;
}

Test(lbfgs, finds_the_minimum_of_a_quadratic) {
  double x[20] = {0};
  size_t count = 20;
  struct sk_minimum minimum;
  cr_assert_eq(sk_lbfgs_minimise(quadratic, &count, count, 1e-8, 1000, x, &minimum), SK_OK);
  cr_expect(minimum.converged);
  cr_expect_leq(minimum.gradient, 1e-8);
  cr_expect_leq(minimum.iterations, 120, "%zu iterations: other programs take some 80", minimum.iterations);
  for (size_t i = 0; i < count; i++) cr_expect_float_eq(x[i], (double)i, 1e-7, "x[%zu] is %g", i, x[i]);
}

/* Rosenbrock's curved valley: each pair of coordinates has its minimum at (1, 1). */
static double valley(void *user, const double *x, double *gradient) {
  const double a = x[1] - x[0] * x[0];
  const double b = 1 - x[0];
  (*(size_t *)user)++;
  gradient[0] = -400 * a * x[0] - 2 * b;
  gradient[1] = 200 * a;
  return 100 * a * a + b * b;
}

Test(lbfgs, follows_a_curved_valley) {
  double x[2] = {-1.2, 1};
  size_t calls = 0;
  struct sk_minimum minimum;
  cr_assert_eq(sk_lbfgs_minimise(valley, &calls, 2, 1e-10, 1000, x, &minimum), SK_OK);
  cr_expect(minimum.converged);
  cr_expect_float_eq(x[0], 1, 1e-9);
  cr_expect_float_eq(x[1], 1, 1e-9);
  cr_expect_leq(calls, 100, "%zu evaluations: steepest descent takes thousands", calls);
}

Test(lbfgs, ends_where_it_is_told_to) {
  double x[2] = {-1.2, 1};
  size_t calls = 0;
  struct sk_minimum minimum;
  cr_assert_eq(sk_lbfgs_minimise(valley, &calls, 2, 1e-10, 3, x, &minimum), SK_OK);
  cr_expect_eq(minimum.iterations, 3);
  cr_expect_not(minimum.converged);
}

/* Falls for ever: there is no step that satisfies the conditions. */
static double slope(void *user, const double *x, double *gradient) {
  (void)user;
  gradient[0] = 1;
  return x[0];
}

Test(lbfgs, gives_up_without_a_minimum) {
  double x[1] = {0};
  struct sk_minimum minimum;
  cr_assert_eq(sk_lbfgs_minimise(slope, NULL, 1, 1e-8, 1000, x, &minimum), SK_OK);
  cr_expect_not(minimum.converged);
}

Test(lbfgs, is_there_already) {
  double x[2] = {1, 1};
  size_t calls = 0;
  struct sk_minimum minimum;
  cr_assert_eq(sk_lbfgs_minimise(valley, &calls, 2, 1e-8, 1000, x, &minimum), SK_OK);
  cr_expect(minimum.converged);
  cr_expect_eq(minimum.iterations, 0);
}

/* ---- The function -------------------------------------------------------------------------------------------- */

enum { EXAMPLES = 60, FEATURES = 37, CLASSES = 3 }; /* features of more than two of the gradient's blocks */

static float x[EXAMPLES][FEATURES];
static size_t class_number[EXAMPLES];

/* Clouds around a point of each class; `apart` says how far those are from each other. Features are of all scales. */
static struct sk_regression make_clouds(double apart) {
  struct sk_random random = sk_random_start(1, "clouds");
  for (size_t i = 0; i < EXAMPLES; i++) {
    class_number[i] = i % CLASSES;
    sk_random_fill(&random, SK_DATA_REALS, x[i], FEATURES);
    x[i][class_number[i]] += (float)apart;
    for (size_t j = 0; j < FEATURES; j++) x[i][j] = x[i][j] * (float)(j + 1) + 5;
  }
  return (struct sk_regression){.examples = EXAMPLES,
                                .features = FEATURES,
                                .classes = CLASSES,
                                .x = x[0],
                                .class_number = class_number,
                                .l2 = 0.1,
                                .threads = 1};
}

enum { UNKNOWNS = (FEATURES + 1) * CLASSES };

static void draw_unknowns(double *unknowns) {
  struct sk_random random = sk_random_start(1, "unknowns");
  for (size_t i = 0; i < UNKNOWNS; i++) unknowns[i] = (double)(sk_random_next(&random) >> 40) * 0x1p-24 - 0.5;
}

/* The error of a central difference is h^2/6 f''' and rounding/h: together some 1e-10 for h = 1e-5. */
Test(softmax_regression, gradient_is_that_of_the_function) {
  const struct sk_regression regression = make_clouds(1);
  struct sk_regression_objective objective;
  double unknowns[UNKNOWNS], gradient[UNKNOWNS], unused[UNKNOWNS];
  const double h = 1e-5;
  cr_assert_eq(sk_regression_objective_make(&objective, &regression), SK_OK);
  draw_unknowns(unknowns);
  sk_regression_evaluate(&objective, unknowns, gradient);
  for (size_t i = 0; i < UNKNOWNS; i++) {
    const double before = unknowns[i];
    unknowns[i] = before + h;
    const double above = sk_regression_evaluate(&objective, unknowns, unused);
    unknowns[i] = before - h;
    const double below = sk_regression_evaluate(&objective, unknowns, unused);
    unknowns[i] = before;
    cr_expect_float_eq(gradient[i], (above - below) / (2 * h), 1e-9, "unknown %zu: %.12g, expected %.12g", i,
                       gradient[i], (above - below) / (2 * h));
  }
  sk_regression_objective_destroy(&objective);
}

/* Without weights all classes are as likely: log(classes). */
Test(softmax_regression, loss_of_no_weights_is_the_logarithm_of_the_classes) {
  const struct sk_regression regression = make_clouds(1);
  struct sk_regression_objective objective;
  double unknowns[UNKNOWNS] = {0}, gradient[UNKNOWNS];
  cr_assert_eq(sk_regression_objective_make(&objective, &regression), SK_OK);
  cr_expect_float_eq(sk_regression_evaluate(&objective, unknowns, gradient), log(CLASSES), 1e-14);
  sk_regression_objective_destroy(&objective);
}

Test(softmax_regression, scores_that_overflow_an_exponential_do_not) {
  const struct sk_regression regression = make_clouds(1);
  struct sk_regression_objective objective;
  double unknowns[UNKNOWNS] = {0}, gradient[UNKNOWNS];
  unknowns[FEATURES * CLASSES] = 5000; /* the bias of the first class */
  cr_assert_eq(sk_regression_objective_make(&objective, &regression), SK_OK);
  cr_expect_float_eq(sk_regression_evaluate(&objective, unknowns, gradient), 5000.0 * 2 / 3, 1e-9);
  sk_regression_objective_destroy(&objective);
}

/* ---- Fits ---------------------------------------------------------------------------------------------------- */

struct layer {
  float weight[CLASSES][FEATURES], bias[CLASSES];
  struct sk_minimum minimum;
};

static struct layer fit(const struct sk_regression *regression) {
  struct layer layer;
  memset(&layer, 0, sizeof layer); /* padding, too: layers are compared as bytes */
  cr_assert_eq(sk_regression_fit(regression, layer.weight[0], layer.bias, &layer.minimum), SK_OK, "%s",
               sk_error_message());
  cr_expect(layer.minimum.converged, "gradient %g after %zu iterations", layer.minimum.gradient,
            layer.minimum.iterations);
  return layer;
}

static double score_of(const struct layer *layer, size_t example, size_t class) {
  double sum = (double)layer->bias[class];
  for (size_t j = 0; j < FEATURES; j++) sum += (double)layer->weight[class][j] * (double)x[example][j];
  return sum;
}

static size_t count_right(const struct layer *layer) {
  size_t right = 0;
  for (size_t i = 0; i < EXAMPLES; i++) {
    size_t best = 0;
    for (size_t k = 1; k < CLASSES; k++) best = score_of(layer, i, k) > score_of(layer, i, best) ? k : best;
    right += best == class_number[i];
  }
  return right;
}

Test(softmax_regression, separates_what_can_be_separated) {
  const struct sk_regression regression = make_clouds(3);
  const struct layer layer = fit(&regression);
  cr_expect_eq(count_right(&layer), EXAMPLES);
  cr_expect_lt(layer.minimum.value, log(CLASSES) / 2);
}

/* The bias is free, so that at the minimum the probabilities of a class sum up to its examples: here on plain features,
 * which undoing the standardisation must not have changed. */
Test(softmax_regression, probabilities_sum_up_to_the_examples) {
  struct sk_regression regression = make_clouds(0.3);
  regression.l2 = 0.01;
  for (size_t i = 0; i < EXAMPLES / 2; i++) class_number[i] = 0; /* classes of unequal size */
  double expected[CLASSES] = {0}, sums[CLASSES] = {0};
  const struct layer layer = fit(&regression);
  for (size_t i = 0; i < EXAMPLES; i++) {
    double total = 0;
    for (size_t k = 0; k < CLASSES; k++) total += exp(score_of(&layer, i, k));
    for (size_t k = 0; k < CLASSES; k++) sums[k] += exp(score_of(&layer, i, k)) / total;
    expected[class_number[i]]++;
  }
  for (size_t k = 0; k < CLASSES; k++) cr_expect_float_eq(sums[k], expected[k], 1e-3, "class %zu: %g", k, sums[k]);
}

/* Along the path of growing l2 the weights shrink, the loss without its norm grows, and in the end nothing is left. */
Test(softmax_regression, weights_shrink_along_the_path) {
  struct sk_regression regression = make_clouds(1);
  double last_norm = INFINITY, last_loss = 0;
  for (regression.l2 = 1e-3; regression.l2 < 2e4; regression.l2 *= 10) {
    const struct layer layer = fit(&regression);
    double norm = 0, loss = 0;
    for (size_t k = 0; k < CLASSES; k++) {
      for (size_t j = 0; j < FEATURES; j++) norm += pow((double)layer.weight[k][j] * (double)(j + 1), 2);
    }
    for (size_t i = 0; i < EXAMPLES; i++) {
      double total = 0;
      for (size_t k = 0; k < CLASSES; k++) total += exp(score_of(&layer, i, k));
      loss += log(total) - score_of(&layer, i, class_number[i]);
    }
    cr_expect_lt(norm, last_norm, "l2 %g: norm %g after %g", regression.l2, norm, last_norm);
    cr_expect_gt(loss, last_loss, "l2 %g: loss %g after %g", regression.l2, loss, last_loss);
    last_norm = norm;
    last_loss = loss;
  }
  cr_expect_lt(last_norm, 1e-6);
  cr_expect_float_eq(last_loss, EXAMPLES * log(CLASSES), 1e-2);
}

/* What a feature is measured in is nothing to the fit: powers of two are exact, so that it is the same to the bit. */
Test(softmax_regression, scales_of_features_do_not_matter) {
  const struct sk_regression regression = make_clouds(1);
  const struct layer plain = fit(&regression);
  for (size_t i = 0; i < EXAMPLES; i++) x[i][4] *= 1024;
  const struct layer scaled = fit(&regression);
  cr_expect_eq(scaled.minimum.value, plain.minimum.value);
  cr_expect_eq(scaled.weight[1][4] * 1024, plain.weight[1][4]);
  cr_expect_eq(scaled.weight[1][5], plain.weight[1][5]);
}

/* Rounding in the mean of a feature that never changes must not become a feature of its own. */
Test(softmax_regression, features_that_do_not_vary_have_no_weight) {
  const struct sk_regression regression = make_clouds(1);
  for (size_t i = 0; i < EXAMPLES; i++) {
    x[i][7] = 0.1F;
    x[i][8] = 0;
    x[i][9] = i % 2 ? 0.1F : nextafterf(0.1F, 1);
  }
  const struct layer layer = fit(&regression);
  for (size_t k = 0; k < CLASSES; k++) {
    for (size_t j = 7; j < 10; j++)
      cr_expect_eq(layer.weight[k][j], 0, "feature %zu: %g", j, (double)layer.weight[k][j]);
  }
}

Test(softmax_regression, bits_do_not_depend_on_threads) {
  struct sk_regression regression = make_clouds(0.5);
  const struct layer alone = fit(&regression);
  for (regression.threads = 2; regression.threads <= 7; regression.threads++) {
    const struct layer shared = fit(&regression);
    cr_expect_eq(memcmp(&shared, &alone, sizeof alone), 0, "%d threads", regression.threads);
  }
}

/* FNV-1a. */
static uint64_t digest(const void *data, size_t bytes) {
  uint64_t hash = UINT64_C(0xCBF29CE484222325);
  for (size_t i = 0; i < bytes; i++) hash = (hash ^ ((const unsigned char *)data)[i]) * UINT64_C(0x100000001B3);
  return hash;
}

/* Bits that these have on every machine: whoever changes the order of a sum, or an exponential, changes them. */
Test(softmax_regression, bits_are_those_of_every_machine) {
  const struct sk_regression regression = make_clouds(0.5);
  struct sk_regression_objective objective;
  double unknowns[UNKNOWNS], values[UNKNOWNS + 1];
  cr_assert_eq(sk_regression_objective_make(&objective, &regression), SK_OK);
  draw_unknowns(unknowns);
  values[UNKNOWNS] = sk_regression_evaluate(&objective, unknowns, values);
  cr_expect_eq(digest(values, sizeof values), UINT64_C(0xe54727e4473ac1ba), "%#llx",
               (unsigned long long)digest(values, sizeof values));
  sk_regression_objective_destroy(&objective);

  const struct layer layer = fit(&regression);
  cr_expect_eq(digest(layer.weight, sizeof layer.weight), UINT64_C(0xbd294d70c9073f52), "%#llx",
               (unsigned long long)digest(layer.weight, sizeof layer.weight));
  cr_expect_eq(layer.minimum.iterations, 20, "%zu iterations", layer.minimum.iterations);
}
