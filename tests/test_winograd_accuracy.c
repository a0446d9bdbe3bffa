/* The float32 error of the Winograd kernels with the points they use, and of its simulation. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/verify_bounds.h"
#include "bench/winograd_accuracy.h"
#include "skiplane.h"

enum { CHANNELS = 256, KERNELS = 16, SIZE = 24 };

/* What the points were chosen for: relative L2 errors at 256 channels, all numbers uniform in [-1, 1). */
static const struct {
  sk_algorithm algorithm;
  size_t outputs, stride;
  double limit;
} used[] = {{SK_ALGORITHM_WINOGRAD2, 2, 1, 5.5e-7},
            {SK_ALGORITHM_WINOGRAD4, 4, 1, 1.5e-6},
            {SK_ALGORITHM_WINOGRAD6, 6, 1, 6.5e-6},
            {SK_ALGORITHM_WINOGRAD2, 2, 2, 3.4e-7},
            {SK_ALGORITHM_WINOGRAD4, 4, 2, 6.8e-7}};

enum { USED = sizeof used / sizeof used[0] };

/* SIZE x SIZE outputs of 256 channels: 16 tiles or more for each of the kernels. */
static sk_conv_shape shape_of(size_t stride) {
  return (sk_conv_shape){.batch = 1,
                         .in_channels = CHANNELS,
                         .in_height = stride * (SIZE - 1) + 3,
                         .in_width = stride * (SIZE - 1) + 3,
                         .out_channels = KERNELS,
                         .kernel_height = 3,
                         .kernel_width = 3,
                         .stride_height = stride,
                         .stride_width = stride,
                         .dilation_height = 1,
                         .dilation_width = 1,
                         .groups = 1};
}

static float *draw(size_t count, const char *name) {
  float *values = malloc(count * sizeof *values);
  cr_assert_not_null(values);
  struct sk_random random = sk_random_start(1, name);
  for (size_t i = 0; i < count; i++) {
    values[i] = (float)((int64_t)(sk_random_next(&random) >> 40) - 0x800000) * 0x1p-23F;
  }
  return values;
}

static void run(const sk_conv_shape *shape, sk_algorithm algorithm, const float *x, const float *weights, float *y) {
  sk_conv *plan;
  const sk_conv_options options = {.algorithm = algorithm, .threads = 1};
  cr_assert_eq(sk_conv_create(&plan, shape, weights, NULL, &options), SK_OK, "%s", sk_error_message());
  void *workspace = sk_alloc(sk_conv_workspace_bytes(plan) + SK_ALIGNMENT);
  cr_assert_not_null(workspace);
  cr_assert_eq(sk_conv_run(plan, x, NULL, y, workspace), SK_OK, "%s", sk_error_message());
  sk_free(workspace);
  sk_conv_destroy(plan);
}

static double exact_output(const sk_conv_shape *shape, const float *x, const float *weights, size_t k, size_t i,
                           size_t j) {
  double sum = 0;
  for (size_t c = 0; c < CHANNELS; c++) {
    for (size_t t = 0; t < 9; t++) {
      const size_t row = shape->stride_height * i + t / 3, column = shape->stride_width * j + t % 3;
      sum += (double)weights[(k * CHANNELS + c) * 9 + t] *
             (double)x[(c * shape->in_height + row) * shape->in_width + column];
    }
  }
  return sum;
}

/* The relative L2 error of a convolution by the kernels of the best ISA: the others have the same bits. */
static double kernel_error(sk_algorithm algorithm, size_t stride) {
  const sk_conv_shape shape = shape_of(stride);
  float *x = draw(CHANNELS * shape.in_height * shape.in_width, "inputs"), *weights = draw(KERNELS * CHANNELS * 9, "w");
  float *y = malloc((size_t)KERNELS * SIZE * SIZE * sizeof *y);
  cr_assert_not_null(y);
  run(&shape, algorithm, x, weights, y);
  double squares = 0, error_squares = 0;
  for (size_t o = 0; o < (size_t)KERNELS * SIZE * SIZE; o++) {
    const double exact = exact_output(&shape, x, weights, o / (SIZE * SIZE), o / SIZE % SIZE, o % SIZE);
    squares += exact * exact;
    error_squares += ((double)y[o] - exact) * ((double)y[o] - exact);
  }
  free(x);
  free(weights);
  free(y);
  return sqrt(error_squares / squares);
}

static const sk_reference_winograd_points *find_used(size_t outputs, size_t stride) {
  sk_reference_winograd kernels;
  cr_assert(sk_winograd_exact(outputs, stride, &kernels));
  for (size_t s = 0; s < sk_reference_winograd_point_set_count; s++) {
    const sk_reference_winograd_points *set = &sk_reference_winograd_point_sets[s];
    if (set->outputs != outputs || set->stride != stride) continue;
    const sk_reference_winograd matrices = sk_reference_winograd_derive_set(set);
    if (memcmp(matrices.output, kernels.output, sizeof matrices.output) == 0) return set;
  }
  cr_assert_fail("no set");
  return NULL;
}

static struct sk_accuracy simulate(const sk_reference_winograd_points *set, enum sk_accuracy_scaling scaling) {
  struct sk_accuracy_transforms *transforms = sk_accuracy_prepare(set, scaling);
  struct sk_accuracy_uniform uniform = {sk_random_start(1, "simulation"), -1};
  const struct sk_accuracy accuracy = sk_accuracy_measure(transforms, CHANNELS, 16, sk_accuracy_draw_uniform, &uniform);
  sk_accuracy_free(transforms);
  return accuracy;
}

Test(winograd_accuracy, of_the_used_points_is_as_chosen) {
  for (size_t i = 0; i < USED; i++) {
    const double error = kernel_error(used[i].algorithm, used[i].stride);
    cr_expect(error <= used[i].limit, "F(%zu,3) stride %zu: %.3g, expected %.3g at most", used[i].outputs,
              used[i].stride, error, used[i].limit);
  }
}

/* Within a tenth: other numbers, and a few sums in another order. */
Test(winograd_accuracy, is_simulated_well) {
  for (size_t i = 0; i < USED; i++) {
    const double error = kernel_error(used[i].algorithm, used[i].stride);
    const struct sk_accuracy simulated = simulate(find_used(used[i].outputs, used[i].stride), SK_ACCURACY_UNSCALED);
    cr_expect(fabs(simulated.l2 / error - 1) < 0.1, "F(%zu,3) stride %zu: simulated %.3g, kernels %.3g",
              used[i].outputs, used[i].stride, simulated.l2, error);
    cr_expect(simulated.max > simulated.l2 / 2 && simulated.max < 10 * simulated.l2, "max %.3g", simulated.max);
  }
}

/* A set that is symmetric or is not, with any factors, computes a convolution: a wrong row would be off by far more. */
Test(winograd_accuracy, of_every_set_is_that_of_rounding) {
  for (size_t s = 0; s < sk_reference_winograd_point_set_count; s++) {
    for (int scaling = 0; scaling < SK_ACCURACY_SCALINGS; scaling++) {
      const sk_reference_winograd_points *set = &sk_reference_winograd_point_sets[s];
      const struct sk_accuracy accuracy = simulate(set, (enum sk_accuracy_scaling)scaling);
      cr_expect(accuracy.l2 > 1e-8 && accuracy.l2 < 2e-5, "%s, %s: %.3g", set->name,
                sk_accuracy_scaling_name((enum sk_accuracy_scaling)scaling), accuracy.l2);
    }
  }
}

/* Integer coefficients are floats, all of them; they cost instructions. */
Test(winograd_accuracy, integer_coefficients_are_exact) {
  const sk_reference_winograd_points *set = find_used(4, 1);
  struct sk_accuracy_transforms *plain = sk_accuracy_prepare(set, SK_ACCURACY_UNSCALED);
  struct sk_accuracy_transforms *scaled = sk_accuracy_prepare(set, SK_ACCURACY_INTEGER_BOTH);
  cr_expect_gt(sk_accuracy_inexact(plain), 0);
  cr_expect_eq(sk_accuracy_inexact(scaled), 0);
  cr_expect_gt(sk_accuracy_operations(scaled), sk_accuracy_operations(plain));
  sk_accuracy_free(plain);
  sk_accuracy_free(scaled);
}
