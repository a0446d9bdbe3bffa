/* What Strassen's algorithm adds beside its products: the sums of inputs. */
#include "kernels/simd/simd.h"

/* How far ahead pixels are asked for, most of which lie beyond the L1 cache. */
enum { AHEAD_PIXELS = 8 };

SK_INLINE void prefetch_pixels(const struct sk_strassen_input_args *args, size_t pixel) {
  const size_t at = (pixel + AHEAD_PIXELS) * SK_BLOCK;
  SK_UNROLL for (size_t i = 0; i < 4; i++) {
    prefetch(args->x, i / 2 * args->x_half + i % 2 * args->x_channels + at);
    prefetch_for_writing(args->sums, i * args->sum + at);
  }
}

/* Form the four sums of some lanes of one pixel of each half. */
SK_INLINE void store_sums(float *to, size_t sum, vf x11, vf x12, vf x21, vf x22) {
  const vf s1 = vadd(x21, x22), s2 = vsub(s1, x11);
  vstore(to, s1);
  vstore(to + sum, s2);
  vstore(to + 2 * sum, vsub(x11, x21));
  vstore(to + 3 * sum, vsub(x12, s2));
}

void SK_NAME(strassen_input_f32)(const struct sk_strassen_input_args *args) {
  for (size_t p = 0; p < args->pixels; p++) {
    prefetch_pixels(args, p);
    const bool has_partner = p < args->partners;
    for (size_t l = p * SK_BLOCK; l < (p + 1) * SK_BLOCK; l += SK_LANES) {
      const float *const first = args->x + l, *const second = first + args->x_half;
      store_sums(args->sums + l, args->sum, vload(first), vload(first + args->x_channels),
                 has_partner ? vload(second) : vzero(), has_partner ? vload(second + args->x_channels) : vzero());
    }
  }
}
