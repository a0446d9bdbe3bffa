/* Errors of many values as figures and histograms: against the bound, absolute, relative, and in units of the last
 * place. */
#ifndef SK_BENCH_VERIFY_STATISTICS_H
#define SK_BENCH_VERIFY_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

/* Bins of ULP distance: 0, 1, 2, 3 to 4, 5 to 8, ... up to that from a number to NaN. Bins of relative error: none at
 * all, below 1e-10, one for each decade, 1 and above. */
enum { SK_ULP_BINS = 34, SK_RELATIVE_BINS = 13 };

/* How many floats lie from one to the other: 0 for equal ones (-0 is +0), 1 for neighbours, whatever their exponents
 * and signs. Infinity is the neighbour of the largest float. NaN is as far as can be, UINT32_MAX, from all but NaN. */
uint32_t sk_ulp_distance(float a, float b);

/* The bin of a distance, and the largest distance in a bin. */
size_t sk_ulp_bin(uint32_t distance);
uint32_t sk_ulp_bin_end(size_t bin);

/* The bin of an error |y - exact| / |exact|, and what the errors in a bin lie below (0 for the first: they are 0;
 * infinity for the last). */
size_t sk_relative_bin(double error);
double sk_relative_bin_end(size_t bin);

struct sk_error_statistics {
  size_t values;        /* that are counted below */
  size_t must_be_exact; /* beside them: values whose bound is 0, */
  size_t zeros;         /* and results 0 that are 0, as ReLU leaves many: they say nothing of rounding */
  double worst_fraction, worst_absolute, worst_relative; /* errors over the bound, in themselves, over |exact| */
  double sum_fraction, sum_absolute, sum_relative;       /* of their squares */
  double sum_exact;                                      /* of exact^2 */
  uint32_t worst_ulp;                                    /* from the value to the exact one rounded to float */
  size_t ulp[SK_ULP_BINS], relative[SK_RELATIVE_BINS];
};

/* Count a value. Requires: all three are finite. */
void sk_error_statistics_add(struct sk_error_statistics *statistics, float value, double exact, double bound);

/* Add those of some values to those of others. */
void sk_error_statistics_merge(struct sk_error_statistics *statistics, const struct sk_error_statistics *others);

/* The root of the mean of squares that were summed over so many values; 0 for none. */
double sk_root_mean_square(double sum, size_t values);

/* |y - exact| / |exact| of all values as one vector, in the 2-norm; 0 for none. */
double sk_error_l2(const struct sk_error_statistics *statistics);

/* The bound over the worst error; infinity where no value was off. */
double sk_error_margin(const struct sk_error_statistics *statistics);

#endif
