/*
 * Golden baselines: what the cases of `skiplane verify` gave, in a small text file made to be committed and diffed.
 *
 *   skiplane-baseline 1
 *   seed 1
 *   sweep default
 *   cases all
 *   dense/i16 288 1.284e-01 3.418e-08 6d0a...64 hexadecimal digits 36:-0x1.5p+3 ...
 *
 * A line for each record, sorted by name: the name, the number of values, the worst error as a part of its bound, the
 * relative L2 error, a hash of the bits of each eighth of the values, and some of the values themselves. It holds for
 * every ISA, for any machine and number of threads. Lines that begin with # are for people.
 */
#ifndef SK_BENCH_BASELINE_H
#define SK_BENCH_BASELINE_H

#include "resnet/file.h"

enum { SK_BASELINE_PARTS = 8, SK_BASELINE_WITNESSES = 3 };

/* One of the values, so that a change can be named without the others. */
struct sk_baseline_witness {
  size_t index;
  float value;
};

struct sk_baseline_record {
  char *name; /* owned */
  size_t values;
  double worst; /* largest error / bound */
  double l2;    /* error, relative to the exact values */
  uint32_t parts[SK_BASELINE_PARTS];
  size_t witness_count;
  struct sk_baseline_witness witnesses[SK_BASELINE_WITNESSES];
  size_t line;              /* of the file; 0 for none */
  bool ran, changed, grown; /* what a run has found of it */
};

struct sk_baseline {
  struct sk_baseline_record *records;
  size_t count, capacity;
};

/* What the values depend on: files of another are not to be compared with. */
struct sk_baseline_header {
  uint64_t seed;
  bool exhaustive;
  const char *filter; /* NULL: all cases. Only written, for people. */
};

/* Hash the values of a record and choose its witnesses. NaNs are all the same. */
void sk_baseline_digest(struct sk_baseline_record *record, const float *values, size_t count);

/* The first value of an eighth; part 8 gives the end. */
size_t sk_baseline_part_start(size_t values, size_t part);

/* Whether two records have the same bits. */
bool sk_baseline_same_bits(const struct sk_baseline_record *a, const struct sk_baseline_record *b);

/* Whether an error figure is larger than a recorded one by more than the last digit of those in a file. */
bool sk_baseline_is_grown(double figure, double recorded);

/* Add a record, whose name becomes the baseline's. Errors: SK_OUT_OF_MEMORY; then the name is freed. */
sk_status sk_baseline_add(struct sk_baseline *baseline, const struct sk_baseline_record *record);
void sk_baseline_free(struct sk_baseline *baseline);

/* Sort by name, as files are, and as sk_baseline_find needs it. */
void sk_baseline_sort(struct sk_baseline *baseline);
struct sk_baseline_record *sk_baseline_find(const struct sk_baseline *baseline, const char *name);

/* Read a file. Free the baseline whatever the outcome. Errors: SK_IO_ERROR; SK_INVALID_ARGUMENT (names the line, the
 * field, what came and what was expected) for a damaged file or another header than `expected`; SK_OUT_OF_MEMORY. */
sk_status sk_baseline_read(struct sk_baseline *baseline, const char *path, const struct sk_baseline_header *expected);

/* The same from a file's text; source: its name for messages. */
sk_status sk_baseline_parse(struct sk_baseline *baseline, const char *source, const char *text, size_t length,
                            const struct sk_baseline_header *expected);

/* Write a sorted baseline; its writer is committed by the caller. */
void sk_baseline_write(const struct sk_baseline *baseline, const struct sk_baseline_header *header,
                       struct sk_file_writer *writer);

#endif
