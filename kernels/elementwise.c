/* Elementwise operations on one plane, for what a convolution's epilogue does not fuse. */
#include "kernels/simd/simd.h"

void SK_NAME(add_f32)(const struct sk_elementwise_args *args) {
  for (size_t i = 0; i < args->height; i++) {
    for (size_t j = 0; j < args->width * SK_BLOCK; j += SK_BLOCK) {
      const struct pixel a = pixel_load(args->a + i * args->a_row + j);
      const float *b = args->b + i * args->b_row + j / SK_BLOCK * args->b_pixel;
      pixel_store(args->y + i * args->y_row + j, pixel_epilogue(a, b, args->relu));
    }
  }
}

void SK_NAME(multiply_f32)(const struct sk_elementwise_args *args) {
  for (size_t i = 0; i < args->height; i++) {
    for (size_t j = 0; j < args->width * SK_BLOCK; j += SK_BLOCK) {
      struct pixel a = pixel_load(args->a + i * args->a_row + j);
      const struct pixel b = pixel_load(args->b + i * args->b_row + j / SK_BLOCK * args->b_pixel);
      SK_UNROLL for (size_t v = 0; v < SK_VECTORS; v++) a.lane[v] = vmul(a.lane[v], b.lane[v]);
      pixel_store(args->y + i * args->y_row + j, a);
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

void SK_NAME(clip_f32)(const struct sk_elementwise_args *args) {
  const struct pixel minimum = pixel_load(args->minimum), maximum = pixel_load(args->maximum);
  for (size_t i = 0; i < args->height; i++) {
    for (size_t j = 0; j < args->width * SK_BLOCK; j += SK_BLOCK) {
      const struct pixel a = pixel_load(args->a + i * args->a_row + j);
      pixel_store(args->y + i * args->y_row + j, pixel_clip(a, minimum, maximum));
    }
  }
}

/* Where the exponential overflows the quotient is 0, as it would be after rounding, and NaN passes. */
static vf sigmoid(vf a, bool hardware_fma) {
  const vf one = vset1(1);
  return vdiv(one, vadd(one, vexp(vsub(vzero(), a), hardware_fma)));
}

void SK_NAME(sigmoid_f32)(const struct sk_elementwise_args *args) {
  const struct pixel maximum = pixel_load(args->maximum);
  for (size_t i = 0; i < args->height; i++) {
    for (size_t j = 0; j < args->width * SK_BLOCK; j += SK_BLOCK) {
      struct pixel a = pixel_load(args->a + i * args->a_row + j);
      SK_UNROLL for (size_t v = 0; v < SK_VECTORS; v++) {
        a.lane[v] = vlower(maximum.lane[v], sigmoid(a.lane[v], args->hardware_fma));
      }
      pixel_store(args->y + i * args->y_row + j, a);
    }
  }
}
