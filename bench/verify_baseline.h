/*
 * Baselines in the checker: the values of each case go into a record, which is compared with the one in a file, and
 * among the ISAs.
 *
 * A change is named as exactly as can be: where the generic kernels still give the recorded bits, by the first element
 * that differs; else by the first witness that does; else by the eighth of the values.
 */
#ifndef SK_BENCH_VERIFY_BASELINE_H
#define SK_BENCH_VERIFY_BASELINE_H

#include "bench/json_output.h"
#include "bench/verify.h"

struct sk_verify;
struct sk_verify_case;
struct sk_expected;

/* What becomes of a baseline in one run. */
struct sk_verify_baseline_options {
  const char *path;       /* to compare with, or NULL */
  const char *write_path; /* to write, or NULL */
  bool allow_bits;        /* compare the error figures alone */
};

/* Read the file to compare with and begin the one to write; *baseline is NULL if there is neither. Close it whatever
 * the outcome. Errors: those of sk_baseline_read and sk_file_writer_open. */
sk_status sk_verify_baseline_open(struct sk_verify_baseline **baseline, const struct sk_verify_options *options,
                                  const struct sk_verify_baseline_options *wanted);

/* Finish the file, if every case passed and all ISAs agreed, or leave its place as it was. */
sk_status sk_verify_baseline_close(struct sk_verify_baseline *baseline);

/* ---- For the runner; each does nothing without a baseline ---- */

/* Around each run of a case on an ISA. */
void sk_verify_baseline_begin(struct sk_verify *v, const struct sk_verify_case *c);
void sk_verify_baseline_end(struct sk_verify *v, const struct sk_verify_case *c);

/* Take down a value that a case checks: what, its name and indices as for sk_verify_value. */
void sk_verify_baseline_value(struct sk_verify *v, float got, const struct sk_expected *expected, const char *name,
                              const size_t indices[3]);

/* The values since the last call, or the start of the case, are a record of their own, "<case>/<name>". */
void sk_verify_baseline_section(struct sk_verify *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Tell how the run compares, after its cases. */
void sk_verify_baseline_report(struct sk_verify *v);
void sk_verify_baseline_json(const struct sk_verify *v, struct sk_json *json);

/* Whether anything that was compared has changed, and whether the ISAs gave the same. */
bool sk_verify_baseline_differs(const struct sk_verify *v);
bool sk_verify_baseline_agrees(const struct sk_verify *v);

#endif
