/* The output pixels of an image as one long row, as 1x1 convolutions see them, and the tensors whose rows they lie in.
 */
#ifndef SK_DISPATCH_LONG_ROW_H
#define SK_DISPATCH_LONG_ROW_H

#include "dispatch/tensor.h"

/* Where its pixels lie in a plane of NCHW16c: the pixels of a row, and floats from one row and pixel to the next. */
struct sk_long_row {
  size_t width, row, pixel;
};

/* Floats from the first pixel to pixel p. */
static inline size_t sk_long_row_pixel(const struct sk_long_row *row, size_t p) {
  return p / row->width * row->row + p % row->width * row->pixel;
}

/* Of the inputs that a 1x1 convolution reads for outputs `out_width` wide, counted from its first tap. */
static inline struct sk_long_row sk_long_row_of_inputs(const sk_conv_shape *shape, const struct sk_tensor *x,
                                                       size_t out_width) {
  return (struct sk_long_row){out_width, shape->stride_height * sk_tensor_row(x), shape->stride_width * SK_BLOCK};
}

static inline struct sk_long_row sk_long_row_of_outputs(const struct sk_tensor *y) {
  return (struct sk_long_row){y->width, sk_tensor_row(y), SK_BLOCK};
}

/* Copy pixels [first, first + count) of the plane that begins at `from` side by side. */
void sk_long_row_gather(const struct sk_long_row *row, const float *from, size_t first, size_t count, float *to);

/* Copy such pixels to where they lie in the plane that begins at `to`. Requires: pixels of a row side by side. */
void sk_long_row_cut(const struct sk_long_row *row, const float *from, float *to, size_t first, size_t count);

#endif
