/* The head of a network: dense layer and softmax. */
#include <math.h>

#include "reference/reference.h"

void sk_reference_dense(size_t batch, size_t inputs, size_t outputs, const double *x, const double *weights,
                        const double *bias, double *y, double *magnitude) {
  for (size_t n = 0; n < batch; n++) {
    for (size_t o = 0; o < outputs; o++) {
      double sum = bias ? bias[o] : 0;
      double absolute_sum = fabs(sum);
      for (size_t i = 0; i < inputs; i++) {
        sum += weights[o * inputs + i] * x[n * inputs + i];
        absolute_sum += fabs(weights[o * inputs + i]) * fabs(x[n * inputs + i]);
      }
      y[n * outputs + o] = sum;
      if (magnitude) magnitude[n * outputs + o] = absolute_sum;
    }
  }
}

/* A NaN is never the largest here; it reaches every probability through the sum of exponentials. */
static double largest(size_t classes, size_t step, const double *x) {
  double max = -INFINITY;
  for (size_t i = 0; i < classes; i++) {
    if (x[i * step] > max) max = x[i * step];
  }
  return max;
}

/* The classes of one pixel are `step` apart. */
static void softmax_pixel(size_t classes, size_t step, const double *x, double *y) {
  double max = largest(classes, step, x);
  double sum = 0;
  for (size_t i = 0; i < classes; i++) sum += exp(x[i * step] - max);
  for (size_t i = 0; i < classes; i++) y[i * step] = exp(x[i * step] - max) / sum;
}

void sk_reference_softmax(size_t batch, size_t classes, size_t pixels, const double *x, double *y) {
  for (size_t n = 0; n < batch; n++) {
    for (size_t p = 0; p < pixels; p++) {
      size_t first = n * classes * pixels + p;
      softmax_pixel(classes, pixels, x + first, y + first);
    }
  }
}
