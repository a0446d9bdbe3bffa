/*
 * The kernel checker: every kernel and every plan against the reference, for every ISA this machine can run.
 *
 * In the manner of dav1d's checkasm: random data from a printed seed, guard pages and canaries around every array,
 * faults that become named failures, and for each failure the line that reproduces it.
 */
#ifndef SK_BENCH_VERIFY_H
#define SK_BENCH_VERIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "skiplane.h"

#define SK_VERIFY_SEED ((uint64_t)1) /* when the user gives none */

struct sk_conv_case;       /* bench/conv_case.h */
struct sk_verify_baseline; /* bench/verify_baseline.h */

struct sk_verify_options {
  sk_isa isa;         /* SK_ISA_AUTO: every ISA that is built and available, or the one SKIPLANE_ISA names */
  const char *filter; /* POSIX extended regular expression that case names must match, or NULL */
  uint64_t seed;
  bool json;
  bool exhaustive; /* full products of parameters: minutes instead of seconds */
  FILE *output;
  const char *html;                    /* the page to write, or NULL */
  const char *case_folder;             /* where reduced cases of failures go; NULL: the current folder */
  const struct sk_conv_case *only;     /* run nothing but this case, or NULL */
  const char *only_path;               /* the file it is from */
  struct sk_verify_baseline *baseline; /* to compare with or to fill, or NULL */
};

/*
 * Run the checker and print its report: a table, or JSON; with JSON, failures are also told on stderr.
 * The environment's SKIPLANE_REQUIRE_ISA=<isa> makes it a failure when this machine cannot run that ISA.
 * Returns 0 when everything passed, 1 on a failure, an ISA this machine lacks, a filter that matches nothing, or a page
 * that cannot be written; 3 when something differs from the baseline, whatever else failed.
 */
int sk_verify_main(const struct sk_verify_options *options);

/* As sk_verify_reduce, outside of a run: reduce a case that failed, and write it. */
char *sk_verify_reduce_alone(const struct sk_verify_options *options, const struct sk_conv_case *failed);

#endif
