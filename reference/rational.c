/* Exact rational numbers. */
#include "reference/rational.h"

#include <stdio.h>
#include <stdlib.h>

static _Noreturn void fail(const char *what) {
  fprintf(stderr, "sk_reference_rational: %s\n", what);
  abort();
}

static int64_t checked_add(int64_t a, int64_t b) {
  int64_t sum;
  if (__builtin_add_overflow(a, b, &sum)) fail("overflow in a sum");
  return sum;
}

static int64_t checked_multiply(int64_t a, int64_t b) {
  int64_t product;
  if (__builtin_mul_overflow(a, b, &product)) fail("overflow in a product");
  return product;
}

static int64_t checked_negate(int64_t a) { return checked_multiply(a, -1); }

/* Requires: b > 0, which also keeps INT64_MIN % -1 away. */
static int64_t greatest_common_divisor(int64_t a, int64_t b) {
  while (b != 0) {
    int64_t remainder = a % b;
    a = b;
    b = remainder < 0 ? -remainder : remainder;
  }
  return a;
}

sk_reference_rational sk_reference_rational_make(int64_t numerator, int64_t denominator) {
  if (denominator == 0) fail("division by zero");
  if (denominator < 0) {
    numerator = checked_negate(numerator);
    denominator = checked_negate(denominator);
  }
  int64_t divisor = greatest_common_divisor(numerator, denominator);
  return (sk_reference_rational){numerator / divisor, denominator / divisor};
}

sk_reference_rational sk_reference_rational_add(sk_reference_rational a, sk_reference_rational b) {
  int64_t left = checked_multiply(a.numerator, b.denominator);
  int64_t right = checked_multiply(b.numerator, a.denominator);
  return sk_reference_rational_make(checked_add(left, right), checked_multiply(a.denominator, b.denominator));
}

sk_reference_rational sk_reference_rational_subtract(sk_reference_rational a, sk_reference_rational b) {
  b.numerator = checked_negate(b.numerator);
  return sk_reference_rational_add(a, b);
}

sk_reference_rational sk_reference_rational_multiply(sk_reference_rational a, sk_reference_rational b) {
  return sk_reference_rational_make(checked_multiply(a.numerator, b.numerator),
                                    checked_multiply(a.denominator, b.denominator));
}

sk_reference_rational sk_reference_rational_divide(sk_reference_rational a, sk_reference_rational b) {
  return sk_reference_rational_make(checked_multiply(a.numerator, b.denominator),
                                    checked_multiply(a.denominator, b.numerator));
}

int sk_reference_rational_compare(sk_reference_rational a, sk_reference_rational b) {
  int64_t left = checked_multiply(a.numerator, b.denominator);
  int64_t right = checked_multiply(b.numerator, a.denominator);
  return (left > right) - (left < right);
}

double sk_reference_rational_to_double(sk_reference_rational a) { return (double)a.numerator / (double)a.denominator; }
