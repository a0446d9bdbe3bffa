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

struct sk_verify_baseline;

#define SK_VERIFY_SEED ((uint64_t)1) /* when the user gives none */

struct sk_verify_options {
  sk_isa isa;         /* SK_ISA_AUTO: every ISA that is built and available, or the one SKIPLANE_ISA names */
  const char *filter; /* POSIX extended regular expression that case names must match, or NULL */
  uint64_t seed;
  bool json;
  bool exhaustive; /* full products of parameters: minutes instead of seconds */
  FILE *output;
  struct sk_verify_baseline *baseline; /* to compare with or to fill (bench/verify_baseline.h), or NULL */
};

/*
 * Run the checker and print its report: a table, or JSON; with JSON, failures are also told on stderr.
 * The environment's SKIPLANE_REQUIRE_ISA=<isa> makes it a failure when this machine cannot run that ISA.
 * Returns 0 when everything passed, 1 on a failure, an ISA this machine lacks, or a filter that matches nothing; 3 when
 * something differs from the baseline, whatever else failed.
 */
int sk_verify_main(const struct sk_verify_options *options);

#endif
