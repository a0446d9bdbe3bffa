/* The products of F(m,3) for grouped convolutions: at each point a block of 16 channels by the matrices of its groups.
 */
#include "kernels/simd/simd.h"

/* Sums in flight: a latency of some 4 cycles times 2 pipes. One register of weights serves all tiles that have them. */
enum { CHAINS = 8 };

/* Registers of one group: one too where several groups share it. */
SK_INLINE size_t group_vectors(const size_t channels) { return channels > SK_LANES ? channels / SK_LANES : 1; }

/* Channel `j` of each group, in the lanes of the group; `from`: the first lane of the group, or of the register. */
SK_INLINE vf spread(const float *from, const size_t j, const size_t channels) {
  return channels < SK_LANES ? vspread4(from, j) : vset1(from[j]);
}

/* Multiply `tiles` tiles of what one or several registers hold, whole groups, in place: no sum is stored before all
 * inputs are read. */
SK_INLINE void multiply_groups(float *v, const float *weights, const size_t channels, const size_t tiles) {
  const size_t vectors = group_vectors(channels);
  vf sum[CHAINS];
  SK_UNROLL for (size_t i = 0; i < tiles * vectors; i++) sum[i] = vzero();
  SK_UNROLL for (size_t j = 0; j < channels; j++) {
    vf weight[SK_VECTORS];
    SK_UNROLL for (size_t i = 0; i < vectors; i++) weight[i] = vload(weights + j * SK_BLOCK + i * SK_LANES);
    SK_UNROLL for (size_t t = 0; t < tiles; t++) {
      const vf input = spread(v + t * SK_BLOCK, j, channels);
      SK_UNROLL for (size_t i = 0; i < vectors; i++) vaccumulate(&sum[t * vectors + i], input, weight[i]);
    }
  }
  SK_UNROLL for (size_t t = 0; t < tiles; t++) {
    SK_UNROLL for (size_t i = 0; i < vectors; i++) vstore(v + t * SK_BLOCK + i * SK_LANES, sum[t * vectors + i]);
  }
}

#if SK_LANES == 16
/* The same of one group of 8, in half a register: a broadcast is but a load, while to permute a whole register takes
 * the place of a multiply-add. */
SK_INLINE void multiply_half(float *v, const float *weights, const size_t tiles) {
  vhalf sum[CHAINS];
  SK_UNROLL for (size_t t = 0; t < tiles; t++) sum[t] = vhalf_zero();
  SK_UNROLL for (size_t j = 0; j < SK_LANES / 2; j++) {
    const vhalf weight = vhalf_load(weights + j * SK_BLOCK);
    SK_UNROLL for (size_t t = 0; t < tiles; t++) sum[t] = vhalf_fma(vhalf_set1(v[t * SK_BLOCK + j]), weight, sum[t]);
  }
  SK_UNROLL for (size_t t = 0; t < tiles; t++) vhalf_store(v + t * SK_BLOCK, sum[t]);
}
#endif

/* Multiply `tiles` tiles of a block at one point. */
SK_INLINE void multiply_tiles(float *v, const float *weights, const size_t channels, const size_t tiles) {
#if SK_LANES == 16
  if (channels == 8) {
    multiply_half(v, weights, tiles);
    multiply_half(v + SK_LANES / 2, weights + SK_LANES / 2, tiles);
    return;
  }
#endif
  const size_t lanes = group_vectors(channels) * SK_LANES;
  for (size_t l = 0; l < SK_BLOCK; l += lanes) multiply_groups(v + l, weights + l, channels, tiles);
}

/* Multiply all tiles at all points, as many at a time as there are sums in flight for. */
SK_INLINE void multiply(const struct sk_winograd_groups_args *args, const size_t channels) {
  const size_t most = CHAINS / group_vectors(channels);
  const float *weights = args->weights;
  for (size_t p = 0; p < args->points; p++, weights += channels * SK_BLOCK) {
    float *v = args->v + p * args->v_point;
    size_t left = args->tiles;
    for (; most == 8 && left >= 8; left -= 8, v += 8 * SK_BLOCK) multiply_tiles(v, weights, channels, 8);
    for (; most >= 4 && left >= 4; left -= 4, v += 4 * SK_BLOCK) multiply_tiles(v, weights, channels, 4);
    for (; left >= 2; left -= 2, v += 2 * SK_BLOCK) multiply_tiles(v, weights, channels, 2);
    if (left > 0) multiply_tiles(v, weights, channels, 1);
  }
}

static __attribute__((noinline)) void groups_of_4(const struct sk_winograd_groups_args *args) { multiply(args, 4); }
static __attribute__((noinline)) void groups_of_8(const struct sk_winograd_groups_args *args) { multiply(args, 8); }
static __attribute__((noinline)) void groups_of_16(const struct sk_winograd_groups_args *args) { multiply(args, 16); }

void SK_NAME(winograd_multiply_groups_f32)(const struct sk_winograd_groups_args *args) {
  switch (args->channels) {
    case 4: groups_of_4(args); break;
    case 8: groups_of_8(args); break;
    default: groups_of_16(args); break;
  }
}
