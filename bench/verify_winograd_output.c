#include "bench/verify_winograd_output.h"

#include <string.h>

static void copy_rows(const struct sk_winograd_ends *ends, size_t rows, size_t width, float *to, size_t row) {
  for (size_t i = 0; i < rows; i++) {
    memcpy(to + i * row, ends->residual + i * ends->residual_row, width * sizeof(float));
  }
}

struct sk_winograd_output_args sk_winograd_place_output(struct sk_verify *v, const struct sk_winograd_ends *ends,
                                                        size_t rows, size_t columns, enum sk_guard_side side) {
  const size_t width = columns * SK_BLOCK, y_row = width + 3 * SK_BLOCK, residual_row = width + 2 * SK_BLOCK;
  struct sk_winograd_output_args args = {
      .bias = sk_verify_input(v, SK_SLOT_BIAS, ends->bias, SK_BLOCK, side),
      .y = sk_verify_output(v, SK_SLOT_Y, (rows - 1) * y_row + width, side),
      .y_row = y_row,
      .rows = rows,
      .columns = columns,
      .relu = ends->activation == SK_ACTIVATION_RELU,
      .clip = ends->activation == SK_ACTIVATION_CLIP,
      .bounds = sk_activation_bounds,
  };
  if (ends->residual_kind == SK_RESIDUAL_IN_PLACE) {
    copy_rows(ends, rows, width, args.y, y_row);
    args.residual = args.y;
    args.residual_row = y_row;
  } else if (ends->residual_kind == SK_RESIDUAL_SEPARATE) {
    const size_t floats = (rows - 1) * residual_row + width;
    float *const residual = sk_verify_floats(v, floats);
    sk_fill_canaries(residual, floats);
    copy_rows(ends, rows, width, residual, residual_row);
    args.residual = sk_verify_input(v, SK_SLOT_RESIDUAL, residual, floats, side);
    args.residual_row = residual_row;
  }
  return args;
}
