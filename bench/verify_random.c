/* Random data that depends on the seed and the name of what it is for, and on nothing else. */
#include <math.h>

#include "bench/verify_internal.h"

const char *sk_data_name(enum sk_data data) {
  static const char *const names[SK_DATA_KINDS] = {"integers", "reals", "special values"};
  return names[data];
}

/* FNV-1a. */
struct sk_random sk_random_start(uint64_t seed, const char *name) {
  uint64_t hash = 0xcbf29ce484222325U;
  for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 0x100000001b3U;
  struct sk_random random = {hash ^ (seed * 0x9e3779b97f4a7c15U)};
  sk_random_next(&random);
  return random;
}

/* SplitMix64. Source: Steele, Lea and Flood (2014). */
uint64_t sk_random_next(struct sk_random *random) {
  uint64_t z = random->state += 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

size_t sk_random_below(struct sk_random *random, size_t limit) {
  return (size_t)((sk_random_next(random) >> 32) * limit >> 32);
}

/* 24 random bits with a sign, scaled by one of four powers of two: every bit of the significand matters. */
static float real(uint64_t bits) {
  static const float scales[] = {0x1p-23F, 0x1p-24F, 0x1p-25F, 0x1p-26F};
  const int64_t significand = (int64_t)(bits >> 40) - 0x800000;
  return (float)significand * scales[bits & 3];
}

static float integer(uint64_t bits) { return (float)((int64_t)((bits >> 32) * 9 >> 32) - 4); }

static float special(uint64_t bits) {
  switch (bits >> 8 & 31) {
    case 0: return NAN;
    case 1: return INFINITY;
    case 2: return -INFINITY;
    case 3:
    case 4: return -0.0F;
    case 5: return 0.0F;
    case 6: return 0x1.8p-140F; /* subnormal */
    default: return real(bits);
  }
}

/* Shuffle as Fisher and Yates do. */
void sk_random_shuffle(struct sk_random *random, size_t *order, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const size_t j = sk_random_below(random, i + 1);
    order[i] = order[j];
    order[j] = i;
  }
}

void sk_random_fill(struct sk_random *random, enum sk_data data, float *values, size_t count) {
  float (*const draw)(uint64_t) = data == SK_DATA_INTEGERS ? integer : data == SK_DATA_REALS ? real : special;
  for (size_t i = 0; i < count; i++) values[i] = draw(sk_random_next(random));
}
