/* What the tools print and write to a CSV file of the accuracy of Winograd's points: one row for each measurement. */
#ifndef SK_TESTS_WINOGRAD_ROWS_H
#define SK_TESTS_WINOGRAD_ROWS_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/csv.h"
#include "bench/verify_bounds.h"
#include "bench/winograd_accuracy.h"
#include "resnet/file.h"

struct accuracy_row {
  const char *what; /* of the numbers: "uniform [-1,1)", "resnet20-cifar, activations" */
  const sk_reference_winograd_points *set;
  enum sk_accuracy_scaling scaling;
  size_t channels, tiles;
  struct sk_accuracy accuracy;
};

/* Tell whether kernels use these points, in any order: row 1 of A^T holds them. */
static inline bool is_used(const sk_reference_winograd_points *set) {
  sk_reference_winograd used;
  if (!sk_winograd_exact(set->outputs, set->stride, &used)) return false;
  const size_t count = set->stride == 2 ? set->outputs : set->outputs + set->taps - 2;
  for (size_t i = 0; i < count; i++) {
    bool found = false;
    for (size_t j = 0; j < count; j++) {
      found = found || sk_reference_rational_compare(set->points[i], used.output[1][j]) == 0;
    }
    if (!found) return false;
  }
  return true;
}

/* Measure a row on numbers that are the same for every set. */
static inline void measure_row(struct accuracy_row *row, sk_accuracy_source *source, void *user) {
  struct sk_accuracy_transforms *transforms = sk_accuracy_prepare(row->set, row->scaling);
  const size_t groups = (row->tiles + SK_ACCURACY_LANES - 1) / SK_ACCURACY_LANES;
  row->accuracy = sk_accuracy_measure(transforms, row->channels, groups, source, user);
  sk_accuracy_free(transforms);
}

static inline void measure_uniform_row(struct accuracy_row *row, uint64_t seed, float low) {
  struct sk_accuracy_uniform uniform = {sk_random_start(seed, "winograd points"), low};
  measure_row(row, sk_accuracy_draw_uniform, &uniform);
}

static inline void print_heading(void) {
  printf("%-38s %-16s %-27s %8s %6s %5s %5s %8s %8s %8s %8s\n", "points", "scaled", "numbers", "channels", "tiles",
         "ops", "inex.", "L2", "max", "dir. L2", "dir. max");
}

static inline void print_row(const struct accuracy_row *row) {
  struct sk_accuracy_transforms *transforms = sk_accuracy_prepare(row->set, row->scaling);
  printf("%-38s %-16s %-27s %8zu %6zu %5zu %5zu %8.2e %8.2e %8.2e %8.2e%s\n", row->set->name,
         sk_accuracy_scaling_name(row->scaling), row->what, row->channels, row->tiles,
         sk_accuracy_operations(transforms), sk_accuracy_inexact(transforms), row->accuracy.l2, row->accuracy.max,
         row->accuracy.direct_l2, row->accuracy.direct_max, is_used(row->set) ? " used" : "");
  sk_accuracy_free(transforms);
}

static inline void write_heading(struct sk_csv *csv) {
  static const char *const names[] = {"points",   "outputs", "stride",    "scaling",    "numbers",
                                      "channels", "tiles",   "used",      "operations", "inexact",
                                      "l2",       "max",     "direct_l2", "direct_max", "amplification"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) sk_csv_text(csv, names[i]);
  sk_csv_end_row(csv);
}

static inline void write_row(struct sk_csv *csv, const struct accuracy_row *row) {
  struct sk_accuracy_transforms *transforms = sk_accuracy_prepare(row->set, row->scaling);
  const sk_reference_winograd matrices = sk_reference_winograd_derive_set(row->set);
  sk_csv_text(csv, row->set->name);
  sk_csv_size(csv, row->set->outputs);
  sk_csv_size(csv, row->set->stride);
  sk_csv_text(csv, sk_accuracy_scaling_name(row->scaling));
  sk_csv_text(csv, row->what);
  sk_csv_size(csv, row->channels);
  sk_csv_size(csv, row->tiles);
  sk_csv_size(csv, is_used(row->set));
  sk_csv_size(csv, sk_accuracy_operations(transforms));
  sk_csv_size(csv, sk_accuracy_inexact(transforms));
  sk_csv_number(csv, row->accuracy.l2);
  sk_csv_number(csv, row->accuracy.max);
  sk_csv_number(csv, row->accuracy.direct_l2);
  sk_csv_number(csv, row->accuracy.direct_max);
  sk_csv_number(csv, sk_reference_winograd_amplification(&matrices));
  sk_csv_end_row(csv);
  sk_accuracy_free(transforms);
}

/* Read a number of at least 1 from the command line; what is none ends the program. */
static inline uint64_t parse_count(const char *program, const char *name, const char *text) {
  char *end;
  const uint64_t value = strtoull(text, &end, 10);
  if (*text >= '0' && *text <= '9' && *end == '\0' && value >= 1 && value <= 1000000000) return value;
  fprintf(stderr, "%s: %s: \"%s\", expected a number from 1 to 1000000000\n", program, name, text);
  exit(2);
}

#endif
