/* Convolution by its definition. */
#include <math.h>
#include <stdlib.h>

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

/* An image with its zeros around it: [in_channels][height][width]. */
struct padded_image {
  size_t height, width;
  double *data;
};

static void pad_image(const sk_conv_shape *shape, const double *image, const struct padded_image *to) {
  for (size_t c = 0; c < shape->in_channels; c++) {
    for (size_t row = 0; row < to->height; row++) {
      for (size_t column = 0; column < to->width; column++) {
        const bool in_rows = row >= shape->pad_top && row < shape->pad_top + shape->in_height;
        const bool in_columns = column >= shape->pad_left && column < shape->pad_left + shape->in_width;
        const double *plane = image + c * shape->in_height * shape->in_width;
        to->data[(c * to->height + row) * to->width + column] =
            in_rows && in_columns ? plane[(row - shape->pad_top) * shape->in_width + (column - shape->pad_left)] : 0;
      }
    }
  }
}

/* The sums of one output channel: [out_height][out_width]. */
struct output_plane {
  size_t height, width;
  double *value;     /* sum of w * x */
  double *magnitude; /* sum of |w| * |x|, or NULL */
};

/* value += w * x, and magnitude (or NULL) += |w| * |x|, of which every stride-th is there. */
static void add_row(double w, const double *restrict x, size_t stride, size_t count, double *restrict value,
                    double *restrict magnitude) {
  if (stride == 1) { /* apart, for the compiler to vectorize */
    for (size_t j = 0; j < count; j++) value[j] += w * x[j];
  } else {
    for (size_t j = 0; j < count; j++) value[j] += w * x[j * stride];
  }
  for (size_t j = 0; magnitude && j < count; j++) magnitude[j] += fabs(w) * fabs(x[j * stride]);
}

/* Add w * x for one tap, which sees the input from `x` on. */
static void add_tap(const sk_conv_shape *shape, const double *x, size_t x_width, double w,
                    const struct output_plane *y) {
  const bool is_one_row = shape->stride_height == 1 && shape->stride_width == 1 && x_width == y->width;
  const size_t rows = is_one_row ? 1 : y->height, columns = is_one_row ? y->height * y->width : y->width;
  for (size_t i = 0; i < rows; i++) {
    add_row(w, x + i * shape->stride_height * x_width, shape->stride_width, columns, y->value + i * columns,
            y->magnitude ? y->magnitude + i * columns : NULL);
  }
}

/* Compute output channel k: each output adds up channels, kernel rows and kernel columns, in this order. */
static void compute_plane(const sk_conv_shape *shape, const struct padded_image *x, const double *weights, double bias,
                          size_t k, const struct output_plane *y) {
  const size_t group_inputs = shape->in_channels / shape->groups;
  const size_t group_outputs = shape->out_channels / shape->groups;
  const double *w = weights + k * group_inputs * shape->kernel_height * shape->kernel_width;
  for (size_t i = 0; i < y->height * y->width; i++) y->value[i] = bias;
  for (size_t i = 0; y->magnitude && i < y->height * y->width; i++) y->magnitude[i] = fabs(bias);
  for (size_t c = 0; c < group_inputs; c++) {
    const double *plane = x->data + (k / group_outputs * group_inputs + c) * x->height * x->width;
    for (size_t r = 0; r < shape->kernel_height; r++) {
      for (size_t s = 0; s < shape->kernel_width; s++, w++) {
        const size_t offset = r * shape->dilation_height * x->width + s * shape->dilation_width;
        add_tap(shape, plane + offset, x->width, *w, y);
      }
    }
  }
}

void sk_reference_conv(const sk_conv_shape *shape, const double *x, const double *weights, const double *bias,
                       double *y, double *magnitude) {
  size_t out_height, out_width;
  sk_reference_conv_output_size(shape, &out_height, &out_width);
  const size_t in_size = shape->in_channels * shape->in_height * shape->in_width;
  const size_t out_size = out_height * out_width;
  struct padded_image padded = {.height = shape->pad_top + shape->in_height + shape->pad_bottom,
                                .width = shape->pad_left + shape->in_width + shape->pad_right};
  padded.data = calloc(shape->in_channels * padded.height, padded.width * sizeof(double));
  if (!padded.data) abort(); /* the reference is for tests and measuring; it has no errors to return */

  for (size_t n = 0; n < shape->batch; n++) {
    pad_image(shape, x + n * in_size, &padded);
#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < shape->out_channels; k++) {
      const size_t at = (n * shape->out_channels + k) * out_size;
      const struct output_plane plane = {out_height, out_width, y + at, magnitude ? magnitude + at : NULL};
      compute_plane(shape, &padded, weights, bias ? bias[k] : 0, k, &plane);
    }
  }
  free(padded.data);
}
