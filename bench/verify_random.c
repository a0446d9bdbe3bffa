/* Random data that depends on the seed and the name of what it is for, and on nothing else. */
#include <math.h>

#include "bench/verify_internal.h"

const char *sk_data_name(enum sk_data data) {
  static const char *const names[SK_DATA_KINDS] = {"special values", "integers",      "reals",    "cancellation",
                                                   "mixed scales",   "near overflow", "denormals"};
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

/* ---- Adversarial data ---- */

/* Inputs of 1, give or take 2^-10, whose weights sum to zero (sk_random_cancel): what is left of a sum is 2^-10 of its
 * terms, and addends must not be more. */
static float cancelling(uint64_t bits, enum sk_part part) {
  if (part == SK_PART_WEIGHTS) return real(bits);
  return (part == SK_PART_X ? 1 : 0) + 0x1p-10F * real(bits);
}

static float scaled(uint64_t bits) { return ldexpf(real(bits), (int)(bits >> 2 & 0xffff) % 41 - 20); }

/* All positive, so that a sum comes as near to overflow as its bound does. */
static float near_overflow(uint64_t bits, enum sk_part part, double largest) {
  const int exponent = sk_overflow_exponent(largest), of_x = sk_overflow_exponent_of_x(exponent);
  const float value = (float)((bits >> 41) + 0x800000U) * 0x1p-24F;
  return ldexpf(value, part == SK_PART_X ? of_x : part == SK_PART_WEIGHTS ? exponent - of_x : exponent);
}

/* From the smallest denormal to a few powers of two above the largest, times ordinary weights, some of them denormal.
 */
static float denormal(uint64_t bits, enum sk_part part) {
  if (part == SK_PART_WEIGHTS && (bits >> 2 & 15) != 0) return real(bits);
  return ldexpf(real(bits), -120 - (int)(bits >> 6 & 0xffff) % 30);
}

int sk_overflow_exponent(double largest) {
  int exponent;
  frexp(largest, &exponent); /* largest is in [2^(exponent - 1), 2^exponent) */
  return 127 - exponent;
}

int sk_overflow_exponent_of_x(int exponent) { return exponent / 2; }

void sk_random_cancel(float *weights, size_t terms, size_t step) {
  double sum = 0;
  for (size_t t = 0; t + 1 < terms; t++) sum += (double)weights[t * step];
  if (terms > 1) weights[(terms - 1) * step] = (float)-sum;
}

void sk_random_fill_part(struct sk_random *random, enum sk_data data, enum sk_part part, double largest, float *values,
                         size_t count) {
  if (data < SK_DATA_CANCELLATION) {
    sk_random_fill(random, data, values, count);
    return;
  }
  for (size_t i = 0; i < count; i++) {
    const uint64_t bits = sk_random_next(random);
    values[i] = data == SK_DATA_CANCELLATION ? cancelling(bits, part)
                : data == SK_DATA_SCALES     ? scaled(bits)
                : data == SK_DATA_OVERFLOW   ? near_overflow(bits, part, largest)
                                             : denormal(bits, part);
  }
}

/* ---- Plain data ---- */

void sk_random_fill(struct sk_random *random, enum sk_data data, float *values, size_t count) {
  float (*const draw)(uint64_t) = data == SK_DATA_INTEGERS ? integer : data == SK_DATA_REALS ? real : special;
  for (size_t i = 0; i < count; i++) values[i] = draw(sk_random_next(random));
}
