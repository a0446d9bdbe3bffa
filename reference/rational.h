/* Exact rational numbers on 64-bit integers, for deriving matrices.
 * Errors: these are tools of a specification: a division by zero or a result that does not fit aborts with a message.
 */
#ifndef SK_REFERENCE_RATIONAL_H
#define SK_REFERENCE_RATIONAL_H

#include <stdint.h>

typedef struct sk_reference_rational {
  int64_t numerator;
  int64_t denominator; /* positive, and with no factor in common with the numerator; zero is 0/1 */
} sk_reference_rational;

/* Make numerator / denominator, reduced. Requires: denominator != 0. */
sk_reference_rational sk_reference_rational_make(int64_t numerator, int64_t denominator);

/* Calculate a + b, a - b, a * b, a / b. */
sk_reference_rational sk_reference_rational_add(sk_reference_rational a, sk_reference_rational b);
sk_reference_rational sk_reference_rational_subtract(sk_reference_rational a, sk_reference_rational b);
sk_reference_rational sk_reference_rational_multiply(sk_reference_rational a, sk_reference_rational b);
sk_reference_rational sk_reference_rational_divide(sk_reference_rational a, sk_reference_rational b);

/* Compare: negative, zero or positive as a < b, a == b or a > b. */
int sk_reference_rational_compare(sk_reference_rational a, sk_reference_rational b);

/* Round to double: to nearest as long as numerator and denominator are below 2^53. */
double sk_reference_rational_to_double(sk_reference_rational a);

#endif
