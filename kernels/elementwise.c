/* Elementwise operations on one plane, for what a convolution's epilogue does not fuse. */
#include "kernels/simd/simd.h"

void SK_NAME(add_f32)(const struct sk_elementwise_args *args) {
  for (size_t i = 0; i < args->height; i++) {
    for (size_t j = 0; j < args->width * SK_BLOCK; j += SK_BLOCK) {
      const struct pixel a = pixel_load(args->a + i * args->a_row + j);
      pixel_store(args->y + i * args->y_row + j, pixel_epilogue(a, args->b + i * args->b_row + j, args->relu));
    }
  }
}

void SK_NAME(batch_norm_f32)(const struct sk_elementwise_args *args) {
  const struct pixel scale = pixel_load(args->scale), shift = pixel_load(args->shift);
  for (size_t i = 0; i < args->height; i++) {
    for (size_t j = 0; j < args->width * SK_BLOCK; j += SK_BLOCK) {
      struct pixel a = pixel_load(args->a + i * args->a_row + j);
      SK_UNROLL for (size_t v = 0; v < SK_VECTORS; v++) a.lane[v] = vfma(a.lane[v], scale.lane[v], shift.lane[v]);
      pixel_store(args->y + i * args->y_row + j, args->relu ? pixel_relu(a) : a);
    }
  }
}

void SK_NAME(relu_f32)(const struct sk_elementwise_args *args) {
  for (size_t i = 0; i < args->height; i++) {
    for (size_t j = 0; j < args->width * SK_BLOCK; j += SK_BLOCK) {
      pixel_store(args->y + i * args->y_row + j, pixel_relu(pixel_load(args->a + i * args->a_row + j)));
    }
  }
}
