/*
 * Cases for the fused multiply-add itself, the one operation that an ISA without the instruction must form from others:
 * sums that fall a hair beside the middle of two floats, which any rounding in between would put there. At random they
 * are too rare to be seen.
 */
#include <math.h>

#include "bench/verify_bounds.h"
#include "bench/verify_internal.h"

enum { RUNS = 200 };

enum sums { SUMS_HALFWAY, SUMS_SUBNORMAL, SUMS_OF_ANY_SIZE, SUMS_KINDS };
static const char *const sums_names[SUMS_KINDS] = {"halfway", "subnormal", "any-size"};

static float any_sign(struct sk_random *random) { return sk_random_below(random, 2) ? 1 : -1; }

/* A number of any significand and the given exponent. */
static float any_of(struct sk_random *random, int exponent) {
  return any_sign(random) * ldexpf((float)(0x800000 + sk_random_below(random, 0x800000)), exponent - 23);
}

/* 2^exponent(1 + e), of which 2^-exponent(1 - e) makes 1 - e^2. */
static float draw_factor(struct sk_random *random, enum sums sums, int exponent) {
  return sums == SUMS_HALFWAY ? any_sign(random) * ldexpf(1 + 0x1p-23F, exponent) : any_of(random, exponent);
}

/* Draw what a factor of that exponent is multiplied with, and what is added. */
static void draw_others(struct sk_random *random, enum sums sums, int exponent, float *b, float *c) {
  const int place = (int)sk_random_below(random, 60) - 40;
  switch (sums) {
    case SUMS_HALFWAY: /* nearly half of the last place of an odd number: the tie that it is not would go to an even one
                        */
      *b = any_sign(random) * ldexpf(1 - 0x1p-23F, place - exponent);
      *c = any_sign(random) * ldexpf((float)(0x800001 + 2 * sk_random_below(random, 0x3fffff)), place + 1);
      break;
    case SUMS_SUBNORMAL: /* whose last bits lie below the smallest float */
      *b = any_of(random, -130 - exponent - (int)sk_random_below(random, 18));
      *c = ldexpf(any_of(random, 0), -128 - (int)sk_random_below(random, 20));
      break;
    default:
      *b = any_of(random, (int)sk_random_below(random, 120) - 60);
      *c = any_of(random, (int)sk_random_below(random, 120) - 60);
  }
}

/* The dense kernel with one input is one multiply-add for each output. */
static void fma_case(struct sk_verify *v, const void *parameters) {
  const enum sums sums = *(const enum sums *)parameters;
  float weights[SK_DENSE_PANEL], bias[SK_DENSE_PANEL], y[SK_DENSE_PANEL];
  sk_fill_canaries(y, SK_DENSE_PANEL);
  for (size_t n = 0; n < RUNS && !sk_verify_failed(v); n++) {
    const int exponent = (int)sk_random_below(&v->random, 40) - 20;
    const float a = draw_factor(&v->random, sums, exponent);
    const struct sk_dense_args args = {&a, 1, weights, bias, y, 1};
    for (size_t i = 0; i < SK_DENSE_PANEL; i++) draw_others(&v->random, sums, exponent, &weights[i], &bias[i]);
    v->kernels->dense(&args);
    for (size_t i = 0; i < SK_DENSE_PANEL && !sk_verify_failed(v); i++) {
      const struct sk_expected expected = {sk_exact_fma(a, weights[i], bias[i]), true, 0, INFINITY};
      sk_verify_at(v, "%a * %a + %a", (double)a, (double)weights[i], (double)bias[i]);
      sk_verify_value(v, y[i], &expected, "y", n, i, 0);
    }
  }
}

void sk_verify_fma(struct sk_verify *v) {
  for (enum sums sums = 0; sums < SUMS_KINDS; sums++) {
    const struct sk_verify_case c = {"fma", NULL, fma_case, &sums};
    sk_verify_run(v, &c, "fma/%s", sums_names[sums]);
  }
}
