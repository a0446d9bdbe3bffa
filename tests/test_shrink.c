/* The shrinker, with faults that are predicates of the shape: what it ends with, and in how many tries. */
#include <criterion/criterion.h>
#include <string.h>

#include "bench/shrink.h"

static const struct sk_conv_case large = {
    .name = "large",
    .isa = SK_ISA_GENERIC,
    .algorithm = SK_ALGORITHM_DIRECT,
    .threads = 2,
    .call = SK_CONV_CALL_TENSORS,
    .side = SK_GUARD_BEFORE,
    .shape = {3, 96, 31, 29, 64, 7, 5, 2, 2, 1, 2, 3, 3, 2, 1, 4},
    .bias = true,
    .residual = true,
    .relu = true,
    .data = SK_DATA_REALS,
    .seed = 1,
};

static bool fails_always(void *asked, const struct sk_conv_case *c) {
  (void)c;
  ++*(size_t *)asked;
  return true;
}

Test(shrink, what_always_fails_becomes_one_product) {
  struct sk_conv_case c = large;
  size_t asked = 0;
  const size_t tries = sk_shrink(&c, fails_always, &asked, 200);
  cr_expect_eq(tries, asked);
  cr_expect_leq(tries, 30);
  const sk_conv_shape one = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1};
  cr_expect_eq(memcmp(&c.shape, &one, sizeof one), 0);
  cr_expect(c.threads == 1 && c.call == SK_CONV_CALL_ARRAYS && c.data == SK_DATA_INTEGERS);
  cr_expect(!c.bias && !c.residual && !c.relu);
  cr_expect(strcmp(c.name, "large") == 0 && c.seed == 1 && c.side == SK_GUARD_BEFORE, "what is no size stays");
}

static bool fails_never(void *asked, const struct sk_conv_case *c) { return !fails_always(asked, c); }

Test(shrink, what_does_not_fail_smaller_stays) {
  struct sk_conv_case c = large;
  size_t asked = 0;
  sk_shrink(&c, fails_never, &asked, 200);
  cr_expect_eq(memcmp(&c, &large, sizeof c), 0);
  cr_expect_lt(asked, 200, "one round of all that could be smaller");
}

Test(shrink, the_tries_are_counted_out) {
  struct sk_conv_case c = large;
  size_t asked = 0;
  cr_expect_eq(sk_shrink(&c, fails_never, &asked, 7), 7);
  cr_expect_eq(asked, 7);
}

/* A fault of a kernel: rows of five outputs, where a group has a channel beyond two blocks, and ReLU. */
static bool fails_at_width_5(void *wrong, const struct sk_conv_case *c) {
  size_t height, width;
  if (sk_conv_output_size(&c->shape, &height, &width) || c->shape.out_channels % c->shape.groups != 0) {
    *(bool *)wrong = true;
    return false;
  }
  return width == 5 && c->shape.in_channels / c->shape.groups > 16 && c->relu;
}

Test(shrink, a_fault_of_one_width_is_found_exactly) {
  struct sk_conv_case c = large;
  bool wrong = false;
  c.shape = (sk_conv_shape){2, 40, 9, 9, 20, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1};
  cr_assert(fails_at_width_5(&wrong, &c));
  const size_t tries = sk_shrink(&c, fails_at_width_5, &wrong, 200);
  cr_expect_lt(tries, 120, "%zu", tries);
  cr_expect_not(wrong, "it asked for what cannot be run");
  const sk_conv_shape least = {1, 17, 1, 5, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1};
  cr_expect_eq(memcmp(&c.shape, &least, sizeof least), 0);
  cr_expect(c.relu && !c.bias && !c.residual);
}

/* Of Winograd, three columns of outputs. */
static bool fails_at_3_columns(void *user, const struct sk_conv_case *c) {
  (void)user;
  size_t height, width;
  return sk_conv_output_size(&c->shape, &height, &width) == SK_OK && width % 4 == 3;
}

Test(shrink, an_algorithm_keeps_what_it_applies_to) {
  struct sk_conv_case c = large;
  c.algorithm = SK_ALGORITHM_WINOGRAD4;
  c.shape = (sk_conv_shape){2, 24, 12, 11, 20, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  sk_shrink(&c, fails_at_3_columns, NULL, 200);
  const sk_conv_shape least = {1, 1, 3, 5, 1, 3, 3, 1, 1, 1, 1, 0, 0, 0, 0, 1};
  cr_expect_eq(memcmp(&c.shape, &least, sizeof least), 0);
}

/* Given numbers, one of which is bad: the case must keep it. */
static bool holds_bad_number(void *user, const struct sk_conv_case *c) {
  (void)user;
  if (!c->given) return false;
  struct sk_conv_arrays arrays = sk_conv_case_cut(c);
  bool found = false;
  for (size_t i = 0; i < c->shape.batch * c->shape.in_channels * c->shape.in_height * c->shape.in_width; i++) {
    found = found || arrays.x[i] == 1e30F;
  }
  sk_free(arrays.x);
  sk_free(arrays.weights);
  sk_free(arrays.bias);
  sk_free(arrays.residual);
  return found;
}

enum { GIVEN_X = 2 * 6 * 7 * 8, GIVEN_W = 4 * 3 * 3 * 3, GIVEN_Y = 2 * 4 * 7 * 8 };

struct given_arrays {
  float x[GIVEN_X], w[GIVEN_W], b[4], residual[GIVEN_Y];
  struct sk_conv_given given;
};

/* Numbers that tell where they are from: 6 channels in 2 groups, 4 outputs. */
static void make_given(struct given_arrays *a) {
  for (size_t i = 0; i < GIVEN_X; i++) a->x[i] = (float)i;
  for (size_t i = 0; i < GIVEN_W; i++) a->w[i] = (float)i;
  for (size_t i = 0; i < 4; i++) a->b[i] = (float)i;
  for (size_t i = 0; i < GIVEN_Y; i++) a->residual[i] = (float)i;
  a->given =
      (struct sk_conv_given){{2, 6, 7, 8, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 2}, 7, 8, a->x, a->w, a->b, a->residual};
}

Test(shrink, given_numbers_are_cut_from_either_end) {
  struct given_arrays a;
  make_given(&a);
  a.x[((1 * 6 + 4) * 7 + 5) * 8 + 2] = 1e30F;
  struct sk_conv_case c = large;
  c.shape = a.given.shape;
  c.given = &a.given;
  cr_assert(holds_bad_number(NULL, &c));
  sk_shrink(&c, holds_bad_number, NULL, 200);
  const sk_conv_shape one = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1};
  cr_expect_eq(memcmp(&c.shape, &one, sizeof one), 0);
  cr_expect(c.window.image == 1 && c.window.group == 1 && c.window.in_channel == 1 && c.window.row == 5 &&
            c.window.column == 2);
}

Test(shrink, a_cut_has_the_numbers_of_its_window) {
  struct given_arrays a;
  make_given(&a);
  struct sk_conv_case c = large;
  c.given = &a.given;
  c.shape = (sk_conv_shape){1, 2, 2, 1, 1, 1, 2, 1, 1, 1, 1, 0, 0, 1, 0, 1};
  c.window = (struct sk_conv_window){1, 1, 1, 1, 4, 6, 2, 1};
  struct sk_conv_arrays cut = sk_conv_case_cut(&c);
  for (size_t channel = 0; channel < 2; channel++) {
    for (size_t row = 0; row < 2; row++) {
      const size_t expected = ((1 * 6 + 3 + 1 + channel) * 7 + 4 + row) * 8 + 6;
      cr_expect_eq(cut.x[channel * 2 + row], (float)expected);
    }
    for (size_t column = 0; column < 2; column++) {
      const size_t expected = ((3 * 3 + 1 + channel) * 3 + 2) * 3 + 1 + column;
      cr_expect_eq(cut.weights[channel * 2 + column], (float)expected);
    }
  }
  cr_expect_eq(cut.bias[0], 3);
  cr_expect_eq(cut.residual[0], (float)((1 * 4 + 3) * 7 * 8));
  sk_free(cut.x);
  sk_free(cut.weights);
  sk_free(cut.bias);
  sk_free(cut.residual);
}
