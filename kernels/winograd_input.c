/* Winograd input transforms v = B^T x B, one tile of one channel block at a time. */
#include "kernels/winograd_transform.h"

enum { MAX_ALPHA = 9 };

/* Apply the transform along one dimension: alpha, m + 2 with stride 1 and 2m + 1 with stride 2, tells which. */
SK_INLINE void transform(const vf *d, vf *out, const size_t alpha) {
  switch (alpha) {
    case 4: f2k3_input(d, out); break;
    case 5: f2k3s2_input(d, out); break;
    case 6: f4k3_input(d, out); break;
    case 8: f6k3_input(d, out); break;
    default: f4k3s2_input(d, out); break;
  }
}

/* Transform a whole tile: down its columns first, then along its rows. */
SK_INLINE void whole_tile(const float *x, size_t x_row, float *v, size_t v_point, const size_t alpha) {
  vf columns[MAX_ALPHA][MAX_ALPHA];
  for (size_t lane = 0; lane < SK_BLOCK; lane += SK_LANES) {
    for (size_t j = 0; j < alpha; j++) {
      vf d[MAX_ALPHA], out[MAX_ALPHA];
      SK_UNROLL for (size_t i = 0; i < alpha; i++) d[i] = vload(x + i * x_row + j * SK_BLOCK + lane);
      transform(d, out, alpha);
      SK_UNROLL for (size_t i = 0; i < alpha; i++) columns[i][j] = out[i];
    }
    for (size_t i = 0; i < alpha; i++) {
      vf out[MAX_ALPHA];
      transform(columns[i], out, alpha);
      SK_UNROLL for (size_t j = 0; j < alpha; j++) vstore(v + (i * alpha + j) * v_point + lane, out[j]);
    }
  }
}

/* Copy the part of the tile that exists and fill the rest with zeros, so that nothing outside is read. */
static void copy_padded(const struct sk_winograd_input_args *args, float *copy, size_t alpha) {
  for (size_t i = 0; i < alpha; i++) {
    for (size_t j = 0; j < alpha; j++) {
      const bool exists = i < args->rows && j < args->columns;
      const float *from = args->x + i * args->x_row + j * SK_BLOCK;
      pixel_store(copy + (i * alpha + j) * SK_BLOCK, exists ? pixel_load(from) : pixel_set1(0));
    }
  }
}

SK_INLINE void input(const struct sk_winograd_input_args *args, const size_t alpha) {
  if (args->rows == alpha && args->columns == alpha) {
    whole_tile(args->x, args->x_row, args->v, args->v_point, alpha);
  } else {
    float copy[MAX_ALPHA * MAX_ALPHA * 16];
    copy_padded(args, copy, alpha);
    whole_tile(copy, alpha * SK_BLOCK, args->v, args->v_point, alpha);
  }
}

void SK_NAME(winograd_input_f32_f2k3)(const struct sk_winograd_input_args *args) { input(args, 4); }
void SK_NAME(winograd_input_f32_f4k3)(const struct sk_winograd_input_args *args) { input(args, 6); }
void SK_NAME(winograd_input_f32_f6k3)(const struct sk_winograd_input_args *args) { input(args, 8); }
void SK_NAME(winograd_input_f32_f2k3s2)(const struct sk_winograd_input_args *args) { input(args, 5); }
void SK_NAME(winograd_input_f32_f4k3s2)(const struct sk_winograd_input_args *args) { input(args, 9); }
