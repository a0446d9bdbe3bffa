#include "bench/verify_plane.h"

#include <math.h>
#include <string.h>

#include "bench/verify_bounds.h"

float *sk_plane_lay_out(struct sk_verify *v, const float *plain, size_t rows, size_t columns, size_t gap,
                        size_t *floats) {
  const size_t width = columns * SK_BLOCK, row = width + gap * SK_BLOCK;
  *floats = (rows - 1) * row + width;
  float *plane = sk_verify_floats(v, *floats);
  sk_fill_canaries(plane, *floats);
  for (size_t i = 0; i < rows; i++) memcpy(plane + i * row, plain + i * width, width * sizeof(float));
  return plane;
}

void sk_plane_check(struct sk_verify *v, const struct sk_plane_check *c) {
  const struct sk_region region = {1, 0, c->rows, c->y_row, c->columns * SK_BLOCK};
  for (size_t at = 0; at < c->rows * c->columns * SK_BLOCK; at++) {
    const size_t i = at / (c->columns * SK_BLOCK), j = at / SK_BLOCK % c->columns, l = at % SK_BLOCK;
    struct sk_expected expected = {c->bits[at], !c->any_bits, 0, INFINITY};
    if (c->exact) expected.exact = c->exact[at];
    if (c->exact) expected.bound = sk_rounding_bound(c->roundings, c->magnitude[at]);
    if (!sk_verify_value(v, c->y[i * c->y_row + j * SK_BLOCK + l], &expected, "y", i, j, l)) return;
  }
  sk_verify_only_wrote(v, SK_SLOT_Y, &region);
  sk_verify_inputs_unchanged(v);
}
