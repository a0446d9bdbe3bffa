/* Convolution by its definition. */
#include <math.h>

#include "reference/reference.h"

static size_t output_length(size_t padded, size_t kernel, size_t stride, size_t dilation) {
  return (padded - dilation * (kernel - 1) - 1) / stride + 1;
}

void sk_reference_conv_output_size(const sk_conv_shape *shape, size_t *out_height, size_t *out_width) {
  *out_height = output_length(shape->in_height + shape->pad_top + shape->pad_bottom, shape->kernel_height,
                              shape->stride_height, shape->dilation_height);
  *out_width = output_length(shape->in_width + shape->pad_left + shape->pad_right, shape->kernel_width,
                             shape->stride_width, shape->dilation_width);
}

/* Read a plane x[in_height][in_width] at a row and column of the padded input. */
static double padded_input(const sk_conv_shape *shape, const double *plane, size_t row, size_t column) {
  bool in_rows = row >= shape->pad_top && row < shape->pad_top + shape->in_height;
  bool in_columns = column >= shape->pad_left && column < shape->pad_left + shape->in_width;
  if (!in_rows || !in_columns) return 0;
  return plane[(row - shape->pad_top) * shape->in_width + (column - shape->pad_left)];
}

typedef struct weighted_sum {
  double value;     /* sum of w * x */
  double magnitude; /* sum of |w| * |x| */
} weighted_sum;

/* Add one channel's window to a sum. plane: [in_height][in_width]; kernel: [kernel_height][kernel_width]. */
static void add_window(const sk_conv_shape *shape, const double *plane, const double *kernel, size_t i, size_t j,
                       weighted_sum *sum) {
  for (size_t r = 0; r < shape->kernel_height; r++) {
    for (size_t s = 0; s < shape->kernel_width; s++) {
      size_t row = i * shape->stride_height + r * shape->dilation_height;
      size_t column = j * shape->stride_width + s * shape->dilation_width;
      double x = padded_input(shape, plane, row, column);
      double w = kernel[r * shape->kernel_width + s];
      sum->value += w * x;
      sum->magnitude += fabs(w) * fabs(x);
    }
  }
}

/* Compute one output. image: [in_channels][in_height][in_width]; weights: all of them. */
static weighted_sum output_at(const sk_conv_shape *shape, const double *image, const double *weights, double bias,
                              size_t k, size_t i, size_t j) {
  size_t group_inputs = shape->in_channels / shape->groups;
  size_t group_outputs = shape->out_channels / shape->groups;
  size_t first_channel = k / group_outputs * group_inputs;
  size_t plane_size = shape->in_height * shape->in_width;
  size_t kernel_size = shape->kernel_height * shape->kernel_width;

  weighted_sum sum = {bias, fabs(bias)};
  for (size_t c = 0; c < group_inputs; c++) {
    const double *plane = image + (first_channel + c) * plane_size;
    const double *kernel = weights + (k * group_inputs + c) * kernel_size;
    add_window(shape, plane, kernel, i, j, &sum);
  }
  return sum;
}

void sk_reference_conv(const sk_conv_shape *shape, const double *x, const double *weights, const double *bias,
                       double *y, double *magnitude) {
  size_t out_height, out_width;
  sk_reference_conv_output_size(shape, &out_height, &out_width);
  size_t image_size = shape->in_channels * shape->in_height * shape->in_width;

  for (size_t n = 0; n < shape->batch; n++) {
    for (size_t k = 0; k < shape->out_channels; k++) {
      for (size_t i = 0; i < out_height; i++) {
        for (size_t j = 0; j < out_width; j++) {
          size_t at = ((n * shape->out_channels + k) * out_height + i) * out_width + j;
          weighted_sum sum = output_at(shape, x + n * image_size, weights, bias ? bias[k] : 0, k, i, j);
          y[at] = sum.value;
          if (magnitude) magnitude[at] = sum.magnitude;
        }
      }
    }
  }
}
