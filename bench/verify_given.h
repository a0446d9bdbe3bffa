/* skiplane verify --x X.npy --w W.npy --y Y.npy: a convolution that somebody else computed, and Skiplane's own of the
 * same arrays, each against the reference in double precision. */
#ifndef SK_BENCH_VERIFY_GIVEN_H
#define SK_BENCH_VERIFY_GIVEN_H

#include "bench/conv_case.h"
#include "bench/npy.h"
#include "bench/options.h"

/* How far a result is from the reference. */
struct sk_closeness {
  double bound_fraction; /* largest error / bound; infinite for a wrong NaN or infinity */
  double max_error, rms_error, l2_error;
  uint32_t max_ulp;  /* from the value to the reference rounded to float */
  size_t wrong_kind; /* values that are not finite where the reference is, or the other way round */
  size_t worst;      /* the element with the largest error / bound */
  float value;       /* of it */
  double exact, bound;
};

/* One result and its verdict. */
struct sk_given_result {
  bool ours; /* then of an ISA and an algorithm */
  sk_isa isa;
  sk_algorithm algorithm;
  struct sk_closeness closeness;
  bool passed;
  char *case_path; /* owned; the file of its reduced case, or NULL */
};

enum { SK_GIVEN_RESULTS = 1 + SK_ISA_COUNT * SK_ALGORITHM_COUNT };

struct sk_given {
  const struct sk_options *options;
  struct sk_npy x, weights, bias, residual, y;
  struct sk_conv_given conv;
  size_t floats;                                    /* of y */
  double *exact, *magnitude;                        /* of the result, and what a direct sum's bound is relative to */
  struct sk_given_result results[SK_GIVEN_RESULTS]; /* the first is theirs */
  size_t count;
};

/* The command for options with --x. */
enum sk_exit sk_verify_given(const struct sk_options *options);

/* Print all results as a table with a line for each failure, or as JSON (verify_given_report.c). */
sk_status sk_given_report(const struct sk_given *given);

#endif
