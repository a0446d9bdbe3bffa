/* Max, average and global average pooling over one plane of NCHW16c. */
#include "kernels/simd/simd.h"

/* The part of one window that lies inside the plane: `count` elements from `first`, `step` apart. */
struct span {
  size_t first, count;
};

/* Clip the window of output `index` along one dimension. */
static struct span clip(size_t index, size_t stride, size_t dilation, size_t kernel, size_t pad, size_t size) {
  const size_t start = index * stride; /* counted from the padding's edge */
  /* Most windows are whole, which takes no division to see. */
  if (start >= pad && start - pad + (kernel - 1) * dilation < size) return (struct span){start - pad, kernel};
  size_t skipped = 0;
  if (start < pad) skipped = (pad - start + dilation - 1) / dilation;
  struct span span = {.first = start + skipped * dilation - pad, .count = 0};
  if (skipped < kernel && span.first < size) {
    const size_t fit = (size - span.first + dilation - 1) / dilation;
    span.count = fit < kernel - skipped ? fit : kernel - skipped;
  }
  return span;
}

/* Taps of the window of output `index` within the padded plane, of length `padded`: the divisor when padding counts. */
static size_t padded_count(size_t index, size_t stride, size_t dilation, size_t kernel, size_t padded) {
  const size_t start = index * stride;
  const size_t fit = start < padded ? (padded - start + dilation - 1) / dilation : 0;
  return fit < kernel ? fit : kernel;
}

/* Ask for the rows below a window, as far as the next windows add them: an image's planes lie beyond L2. */
static void prefetch_below(const struct sk_pool_args *args, struct span rows, struct span columns) {
  const float *const x = args->x + (rows.first + rows.count) * args->x_row + columns.first * SK_BLOCK;
  for (size_t r = 0; r < args->stride_height; r++) {
    for (size_t s = 0; s < args->stride_width; s++) {
      __asm__ volatile(""); /* gcc 12 removes loops that do nothing but prefetch */
      prefetch(x, r * args->x_row + s * SK_BLOCK);
    }
  }
}

static struct pixel window_maximum(const struct sk_pool_args *args, struct span rows, struct span columns) {
  struct pixel maximum = pixel_set1(-__builtin_inff());
  for (size_t r = 0; r < rows.count; r++) {
    const float *x = args->x + (rows.first + r * args->dilation_height) * args->x_row + columns.first * SK_BLOCK;
    for (size_t s = 0; s < columns.count; s++) {
      maximum = pixel_maximum(maximum, pixel_load(x + s * args->dilation_width * SK_BLOCK));
    }
  }
  return maximum;
}

void SK_NAME(max_pool_f32)(const struct sk_pool_args *args) {
  for (size_t i = args->first; i < args->end; i++) {
    const struct span rows =
        clip(i, args->stride_height, args->dilation_height, args->kernel_height, args->pad_top, args->in_height);
    for (size_t j = 0; j < args->out_width; j++) {
      const struct span columns =
          clip(j, args->stride_width, args->dilation_width, args->kernel_width, args->pad_left, args->in_width);
      prefetch_below(args, rows, columns);
      pixel_store(args->y + i * args->y_row + j * SK_BLOCK, window_maximum(args, rows, columns));
    }
  }
}

static struct pixel sum_pixels(const float *x, size_t x_row, size_t rows, size_t x_pixel, size_t columns) {
  struct pixel sum = pixel_set1(0);
  for (size_t r = 0; r < rows; r++) {
    for (size_t s = 0; s < columns; s++) sum = pixel_add(sum, pixel_load(x + r * x_row + s * x_pixel));
  }
  return sum;
}

static struct pixel pixel_divide(struct pixel a, float divisor) {
  SK_UNROLL for (size_t v = 0; v < SK_VECTORS; v++) a.lane[v] = vdiv(a.lane[v], vset1(divisor));
  return a;
}

/* Average one window whose taps on the plane are `rows` and `columns`; as many within the padding are `padded`. */
static struct pixel window_average(const struct sk_pool_args *args, struct span rows, struct span columns,
                                   size_t padded) {
  const size_t count = args->count_include_pad ? padded : rows.count * columns.count;
  const float *x = args->x + rows.first * args->x_row + columns.first * SK_BLOCK;
  const struct pixel sum =
      sum_pixels(x, args->dilation_height * args->x_row, rows.count, args->dilation_width * SK_BLOCK, columns.count);
  return pixel_divide(sum, (float)count);
}

void SK_NAME(average_pool_f32)(const struct sk_pool_args *args) {
  const size_t padded_height = args->in_height + args->pad_top + args->pad_bottom;
  const size_t padded_width = args->in_width + args->pad_left + args->pad_right;
  for (size_t i = args->first; i < args->end; i++) {
    const struct span rows =
        clip(i, args->stride_height, args->dilation_height, args->kernel_height, args->pad_top, args->in_height);
    const size_t padded_rows =
        padded_count(i, args->stride_height, args->dilation_height, args->kernel_height, padded_height);
    for (size_t j = 0; j < args->out_width; j++) {
      const struct span columns =
          clip(j, args->stride_width, args->dilation_width, args->kernel_width, args->pad_left, args->in_width);
      const size_t padded_columns =
          padded_count(j, args->stride_width, args->dilation_width, args->kernel_width, padded_width);
      pixel_store(args->y + i * args->y_row + j * SK_BLOCK,
                  window_average(args, rows, columns, padded_rows * padded_columns));
    }
  }
}

void SK_NAME(global_average_pool_f32)(const float *x, size_t x_row, size_t height, size_t width, float *y) {
  pixel_store(y, pixel_divide(sum_pixels(x, x_row, height, SK_BLOCK, width), (float)height * (float)width));
}
