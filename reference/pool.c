/* Pooling with the rules of PyTorch and ONNX. */
#include <math.h>

#include "reference/reference.h"

/* One dimension of a pooling. */
struct line {
  size_t in, before, after, kernel, stride, dilation;
};

static struct line rows_of(const sk_reference_pool_shape *shape) {
  return (struct line){shape->height,        shape->pad_top,       shape->pad_bottom,
                       shape->kernel_height, shape->stride_height, shape->dilation_height};
}

static struct line columns_of(const sk_reference_pool_shape *shape) {
  return (struct line){shape->width,        shape->pad_left,     shape->pad_right,
                       shape->kernel_width, shape->stride_width, shape->dilation_width};
}

static size_t output_length(struct line line, bool ceil_mode, bool ceil_past_input) {
  size_t free_length = line.in + line.before + line.after - line.dilation * (line.kernel - 1) - 1;
  if (!ceil_mode) return free_length / line.stride + 1;

  size_t length = (free_length + line.stride - 1) / line.stride + 1;
  size_t last_start = (length - 1) * line.stride;
  size_t limit = line.before + line.in + (ceil_past_input ? line.after : 0);
  return last_start >= limit ? length - 1 : length;
}

void sk_reference_pool_output_size(const sk_reference_pool_shape *shape, size_t *out_height, size_t *out_width) {
  *out_height = output_length(rows_of(shape), shape->ceil_mode, shape->ceil_past_input);
  *out_width = output_length(columns_of(shape), shape->ceil_mode, shape->ceil_past_input);
}

/* Tell whether a row and column of the padded input lie on the input, and if so where in its plane. */
static bool on_input(const sk_reference_pool_shape *shape, size_t row, size_t column, size_t *at) {
  if (row < shape->pad_top || row >= shape->pad_top + shape->height) return false;
  if (column < shape->pad_left || column >= shape->pad_left + shape->width) return false;
  *at = (row - shape->pad_top) * shape->width + (column - shape->pad_left);
  return true;
}

static double window_max(const sk_reference_pool_shape *shape, const double *plane, size_t i, size_t j) {
  double max = -INFINITY;
  for (size_t r = 0; r < shape->kernel_height; r++) {
    for (size_t s = 0; s < shape->kernel_width; s++) {
      size_t row = i * shape->stride_height + r * shape->dilation_height;
      size_t column = j * shape->stride_width + s * shape->dilation_width;
      size_t at;
      if (!on_input(shape, row, column, &at)) continue;
      if (plane[at] > max || isnan(plane[at])) max = plane[at];
    }
  }
  return max;
}

static double window_average(const sk_reference_pool_shape *shape, const double *plane, size_t i, size_t j) {
  double sum = 0;
  size_t taps_on_input = 0;
  size_t taps_on_padded_input = 0;
  for (size_t r = 0; r < shape->kernel_height; r++) {
    for (size_t s = 0; s < shape->kernel_width; s++) {
      size_t row = i * shape->stride_height + r * shape->dilation_height;
      size_t column = j * shape->stride_width + s * shape->dilation_width;
      size_t at;
      if (row >= shape->pad_top + shape->height + shape->pad_bottom) continue;
      if (column >= shape->pad_left + shape->width + shape->pad_right) continue;
      taps_on_padded_input++;
      if (!on_input(shape, row, column, &at)) continue;
      taps_on_input++;
      sum += plane[at];
    }
  }
  return sum / (double)(shape->count_include_pad ? taps_on_padded_input : taps_on_input);
}

typedef double window_function(const sk_reference_pool_shape *shape, const double *plane, size_t i, size_t j);

static void pool(const sk_reference_pool_shape *shape, window_function *window, const double *x, double *y) {
  size_t out_height, out_width;
  sk_reference_pool_output_size(shape, &out_height, &out_width);

  for (size_t p = 0; p < shape->batch * shape->channels; p++) {
    const double *plane = x + p * shape->height * shape->width;
    for (size_t i = 0; i < out_height; i++) {
      for (size_t j = 0; j < out_width; j++) {
        y[(p * out_height + i) * out_width + j] = window(shape, plane, i, j);
      }
    }
  }
}

void sk_reference_max_pool(const sk_reference_pool_shape *shape, const double *x, double *y) {
  pool(shape, window_max, x, y);
}

void sk_reference_average_pool(const sk_reference_pool_shape *shape, const double *x, double *y) {
  pool(shape, window_average, x, y);
}

void sk_reference_global_average_pool(size_t batch, size_t channels, size_t pixels, const double *x, double *y) {
  for (size_t p = 0; p < batch * channels; p++) {
    double sum = 0;
    for (size_t i = 0; i < pixels; i++) sum += x[p * pixels + i];
    y[p] = sum / (double)pixels;
  }
}
