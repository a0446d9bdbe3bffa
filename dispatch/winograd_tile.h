/* The tiles of Winograd's algorithms: where one lies in its tensors, for whoever transforms it or asks for it. */
#ifndef SK_DISPATCH_WINOGRAD_TILE_H
#define SK_DISPATCH_WINOGRAD_TILE_H

#include "dispatch/conv_internal.h"
#include "kernels/winograd_points.h"

/* The image, the output coordinates of the tile's corner, and the outputs that exist. */
struct sk_winograd_tile {
  size_t image, row, column, rows, columns;
};

/* The tile of m x m outputs that begins at some row and column of y. */
static inline struct sk_winograd_tile sk_winograd_tile_at(const struct sk_tensor *y, size_t m, size_t image, size_t row,
                                                          size_t column) {
  return (struct sk_winograd_tile){image, row, column, sk_size_min(m, y->height - row),
                                   sk_size_min(m, y->width - column)};
}

/* What transforms the inputs of a tile in one plane of x, alpha x alpha where it is whole, but for where to. */
static inline struct sk_winograd_input_args sk_winograd_tile_inputs(const sk_conv *plan, const struct sk_tensor *x,
                                                                    size_t plane, struct sk_winograd_tile at,
                                                                    size_t alpha) {
  const sk_conv_shape *s = &plan->shape;
  const size_t row = at.row * s->stride_height, column = at.column * s->stride_width;
  return (struct sk_winograd_input_args){
      .x = sk_conv_first_tap(s, x, at.image, plane) + row * sk_tensor_row(x) + column * SK_BLOCK,
      .x_row = sk_tensor_row(x),
      .rows = sk_winograd_inputs(alpha, at.rows),
      .columns = sk_winograd_inputs(alpha, at.columns),
  };
}

/* The outputs of a tile in one plane, or what is added to them. */
static inline float *sk_winograd_tile_pixels(const struct sk_tensor *t, size_t plane, struct sk_winograd_tile at) {
  return sk_tensor_at(t, at.image, plane) + at.row * sk_tensor_row(t) + at.column * SK_BLOCK;
}

/* What transforms a tile back to one plane of y, but for where from. residual: or NULL. */
static inline struct sk_winograd_output_args sk_winograd_tile_outputs(const sk_conv *plan,
                                                                      const struct sk_tensor *residual,
                                                                      const struct sk_tensor *y, size_t plane,
                                                                      struct sk_winograd_tile at) {
  return (struct sk_winograd_output_args){
      .bias = plan->bias + plane * SK_BLOCK,
      .residual = residual ? sk_winograd_tile_pixels(residual, plane, at) : NULL,
      .residual_row = residual ? sk_tensor_row(residual) : 0,
      .y = sk_winograd_tile_pixels(y, plane, at),
      .y_row = sk_tensor_row(y),
      .rows = at.rows,
      .columns = at.columns,
      .relu = plan->relu,
      .clip = plan->clip,
      .bounds = plan->bounds,
  };
}

/* Bring pixels of a tile nearer, which lie beyond L2 often and in no order that hardware would foresee. Those that will
 * be written are asked for as such. */
static inline void sk_prefetch_pixels(const float *first, size_t row, size_t rows, size_t columns, bool written) {
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < columns; j++) {
      const float *const pixel = first + i * row + j * SK_BLOCK;
      __asm__ volatile(""); /* gcc 12 removes loops that do nothing but prefetch */
      if (written) {
        __builtin_prefetch(pixel, 1);
      } else {
        __builtin_prefetch(pixel, 0);
      }
    }
  }
}

/* Ask for what will transform a tile, and be transformed to one. */
static inline void sk_winograd_prefetch_inputs(const struct sk_winograd_input_args *args) {
  sk_prefetch_pixels(args->x, args->x_row, args->rows, args->columns, false);
}
static inline void sk_winograd_prefetch_outputs(const struct sk_winograd_output_args *args) {
  sk_prefetch_pixels(args->y, args->y_row, args->rows, args->columns, true);
  if (args->residual) sk_prefetch_pixels(args->residual, args->residual_row, args->rows, args->columns, false);
}

#endif
