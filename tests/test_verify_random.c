/* Adversarial data is what it is called: sums cancel, scales differ, sums nearly overflow, operands are denormal. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>

#include "bench/verify_internal.h"

enum { TERMS = 300 };

struct chain {
  float x[TERMS], weights[TERMS], addends[2];
  double sum, magnitude; /* of the products, without the addends */
};

static struct chain make_chain(enum sk_data data) {
  struct chain c = {.sum = 0};
  struct sk_random random = sk_random_start(1, sk_data_name(data));
  sk_random_fill_part(&random, data, SK_PART_X, TERMS + 2, c.x, TERMS);
  sk_random_fill_part(&random, data, SK_PART_WEIGHTS, TERMS + 2, c.weights, TERMS);
  sk_random_fill_part(&random, data, SK_PART_ADDEND, TERMS + 2, c.addends, 2);
  if (data == SK_DATA_CANCELLATION) sk_random_cancel(c.weights, TERMS, 1);
  for (size_t t = 0; t < TERMS; t++) {
    const double product = (double)c.x[t] * (double)c.weights[t];
    c.sum += product;
    c.magnitude += fabs(product);
  }
  return c;
}

Test(verify_random, cancellation_leaves_little) {
  const struct chain c = make_chain(SK_DATA_CANCELLATION);
  cr_expect_gt(c.magnitude, 1000 * fabs(c.sum));
  cr_expect_lt(fabs((double)c.addends[0]), 0x1p-9, "the addend is more than what is left");
}

Test(verify_random, cancel_sees_its_own_chain_only) {
  float weights[] = {1, 10, 2, 20, 4, 40};
  sk_random_cancel(weights + 1, 3, 2);
  cr_expect_eq(weights[5], -30);
  cr_expect_eq(weights[4], 4);
  sk_random_cancel(weights, 1, 2);
  cr_expect_eq(weights[0], 1, "a single term has nothing to cancel with");
}

Test(verify_random, scales_are_far_apart) {
  const struct chain c = make_chain(SK_DATA_SCALES);
  double least = INFINITY, most = 0;
  for (size_t t = 0; t < TERMS; t++) {
    const double product = fabs((double)c.x[t] * (double)c.weights[t]);
    if (product > 0) least = fmin(least, product);
    most = fmax(most, product);
  }
  cr_expect_gt(most / least, 0x1p60);
}

Test(verify_random, sums_end_just_below_overflow) {
  const struct chain c = make_chain(SK_DATA_OVERFLOW);
  const double all = c.sum + (double)c.addends[0] + (double)c.addends[1];
  cr_expect_eq(c.sum, c.magnitude, "a term is negative");
  cr_expect_lt(all, (double)FLT_MAX / 2);
  cr_expect_gt(all, (double)FLT_MAX / 32);
}

Test(verify_random, exponents_bring_sums_to_the_top) {
  for (double largest = 1; largest < 1e30; largest *= 3.7) {
    const double scaled = ldexp(largest, sk_overflow_exponent(largest));
    cr_expect(scaled >= 0x1p126 && scaled < 0x1p127, "%g becomes %a", largest, scaled);
  }
}

Test(verify_random, denormals_go_in_and_come_out) {
  const struct chain c = make_chain(SK_DATA_DENORMALS);
  size_t inputs = 0, weights = 0;
  for (size_t t = 0; t < TERMS; t++) {
    inputs += fpclassify(c.x[t]) == FP_SUBNORMAL;
    weights += fpclassify(c.weights[t]) == FP_SUBNORMAL;
  }
  cr_expect_gt(inputs, TERMS / 2);
  cr_expect_lt(inputs, TERMS, "all of them are: normal ones come next to them");
  cr_expect(weights > 0 && weights < TERMS / 4, "%zu denormal weights", weights);
  cr_expect_lt(fabs(c.sum), 0x1p-115);
}
