/* Checked size arithmetic: sizes come from files and users, so every product is checked where it is formed. */
#ifndef SK_DISPATCH_SIZE_H
#define SK_DISPATCH_SIZE_H

#include <stdbool.h>
#include <stddef.h>

/* Form *product = a * b; false if it overflows. */
static inline bool sk_size_multiply(size_t a, size_t b, size_t *product) {
  return !__builtin_mul_overflow(a, b, product);
}

/* Form *sum = a + b; false if it overflows. */
static inline bool sk_size_add(size_t a, size_t b, size_t *sum) { return !__builtin_add_overflow(a, b, sum); }

static inline size_t sk_size_min(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t sk_size_max(size_t a, size_t b) { return a > b ? a : b; }

/* Divide, rounding up. Requires: b > 0. */
static inline size_t sk_size_divide_up(size_t a, size_t b) { return a / b + (a % b != 0); }

static inline size_t sk_size_round_up(size_t a, size_t multiple) { return sk_size_divide_up(a, multiple) * multiple; }

#endif
