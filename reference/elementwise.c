/* Operators that treat each element alone. */
#include <math.h>

#include "reference/reference.h"

void sk_reference_batch_norm(size_t batch, size_t channels, size_t pixels, const double *x, const double *gamma,
                             const double *beta, const double *mean, const double *variance, double epsilon,
                             double *y) {
  for (size_t n = 0; n < batch; n++) {
    for (size_t c = 0; c < channels; c++) {
      for (size_t p = 0; p < pixels; p++) {
        size_t at = (n * channels + c) * pixels + p;
        y[at] = gamma[c] * (x[at] - mean[c]) / sqrt(variance[c] + epsilon) + beta[c];
      }
    }
  }
}

void sk_reference_relu(size_t count, const double *x, double *y) {
  for (size_t i = 0; i < count; i++) y[i] = x[i] < 0 ? 0 : x[i];
}

void sk_reference_add(size_t count, const double *a, const double *b, double *y) {
  for (size_t i = 0; i < count; i++) y[i] = a[i] + b[i];
}

void sk_reference_multiply(size_t count, const double *a, const double *b, double *y) {
  for (size_t i = 0; i < count; i++) y[i] = a[i] * b[i];
}

void sk_reference_broadcast(size_t count, size_t pixels, const double *x, double *y) {
  for (size_t i = 0; i < count * pixels; i++) y[i] = x[i / pixels];
}

void sk_reference_clip(size_t count, const double *x, double minimum, double maximum, double *y) {
  for (size_t i = 0; i < count; i++) {
    double raised = x[i] < minimum ? minimum : x[i];
    y[i] = raised > maximum ? maximum : raised;
  }
}

void sk_reference_sigmoid(size_t count, const double *x, double *y) {
  for (size_t i = 0; i < count; i++) y[i] = 1 / (1 + exp(-x[i]));
}
