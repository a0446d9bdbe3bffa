/* Operators that only move elements. */
#include <string.h>

#include "reference/reference.h"

void sk_reference_concat(size_t batch, size_t a_count, size_t b_count, const double *a, const double *b, double *y) {
  for (size_t n = 0; n < batch; n++) {
    double *image = y + n * (a_count + b_count);
    memcpy(image, a + n * a_count, a_count * sizeof *a);
    memcpy(image + a_count, b + n * b_count, b_count * sizeof *b);
  }
}

void sk_reference_pad(const sk_reference_padding *padding, const double *x, double *y) {
  size_t out_height = padding->top + padding->height + padding->bottom;
  size_t out_width = padding->left + padding->width + padding->right;
  for (size_t i = 0; i < padding->planes * out_height * out_width; i++) y[i] = padding->value;
  for (size_t p = 0; p < padding->planes; p++) {
    for (size_t i = 0; i < padding->height; i++) {
      double *row = y + (p * out_height + padding->top + i) * out_width + padding->left;
      memcpy(row, x + (p * padding->height + i) * padding->width, padding->width * sizeof *x);
    }
  }
}
