#include "bench/verify_baseline.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "bench/baseline.h"
#include "bench/verify_internal.h"
#include "dispatch/size.h"
#include "dispatch/status.h"

/* A part of a case's values that makes a record of its own. */
struct section {
  char name[200];
  size_t first, count; /* of the values */
  double worst;        /* largest error / bound */
  double squared_error, squared_exact;
};

/* What one run of a case gave. */
struct recording {
  float *values;
  size_t count, capacity;
  struct section *sections; /* closed ones; one more is open behind them */
  size_t section_count, section_capacity;
};

struct sk_verify_baseline {
  struct sk_verify_baseline_options wanted;
  struct sk_baseline_header header;
  struct sk_baseline recorded; /* the file's */
  struct sk_baseline taken;    /* this run's: of the first ISA of each case */
  struct sk_file_writer writer;
  size_t case_first;  /* in `taken`: of the case that runs now */
  size_t disagreeing; /* records in which ISAs differ */
  size_t fresh;       /* cases that the file does not have */
  bool told_bits, told_error, told_failure;
  bool may_write;
  bool is_covered; /* the case that runs now */
  struct recording now;
  size_t watched;  /* the value whose place is wanted; SIZE_MAX: none */
  char place[320]; /* of it */
};

/* ---- Recording -------------------------------------------------------------------------------------------------- */

_Noreturn static void out_of_memory(void) {
  fprintf(stderr, "verify: out of memory for a baseline\n");
  exit(1);
}

/* Room for one more element of an array that grows. */
static void *grow(void *array, size_t count, size_t *capacity, size_t element) {
  if (count < *capacity) return array;
  *capacity = *capacity ? 2 * *capacity : 16;
  void *grown = reallocarray(array, *capacity, element);
  if (!grown) out_of_memory();
  return grown;
}

static struct section *open_section(struct recording *r) {
  r->sections = grow(r->sections, r->section_count, &r->section_capacity, sizeof *r->sections);
  return &r->sections[r->section_count];
}

static void start_section(struct recording *r) { *open_section(r) = (struct section){.first = r->count}; }

static void restart(struct recording *r) {
  r->count = r->section_count = 0;
  start_section(r);
}

static void free_recording(struct recording *r) {
  free(r->values);
  free(r->sections);
  *r = (struct recording){0};
}

/* Bits whose exact value nobody has worked out come with an infinite bound. Sums of squares of unlike scales would tell
 * of the largest alone: the L2 error is that of plain data. */
static void measure_error(struct section *section, enum sk_data data, float got, const struct sk_expected *expected) {
  const bool is_known = !expected->exactly || isfinite(expected->bound);
  if (!is_known || !isfinite(expected->exact)) return;
  const double error = fabs((double)got - expected->exact);
  if (data <= SK_DATA_REALS) {
    section->squared_error += error * error;
    section->squared_exact += expected->exact * expected->exact;
  }
  if (isfinite(expected->bound) && error > section->worst * expected->bound) section->worst = error / expected->bound;
}

static void name_place(struct sk_verify *v, const char *name, const size_t indices[3]) {
  struct sk_verify_baseline *b = v->baseline;
  snprintf(b->place, sizeof b->place, "%s%s%s[%zu][%zu][%zu]", v->where, v->where[0] ? ": " : "", name, indices[0],
           indices[1], indices[2]);
}

void sk_verify_baseline_value(struct sk_verify *v, float got, const struct sk_expected *expected, const char *name,
                              const size_t indices[3]) {
  struct sk_verify_baseline *b = v->baseline;
  if (!b || !b->is_covered) return;
  struct recording *r = &b->now;
  if (r->count == b->watched) name_place(v, name, indices);
  r->values = grow(r->values, r->count, &r->capacity, sizeof *r->values);
  r->values[r->count++] = got;
  measure_error(&r->sections[r->section_count], v->data, got, expected);
}

static void close_section(struct recording *r, const char *name) {
  struct section *section = &r->sections[r->section_count];
  section->count = r->count - section->first;
  if (section->count == 0) return;
  snprintf(section->name, sizeof section->name, "%s", name);
  r->section_count++;
  start_section(r);
}

void sk_verify_baseline_section(struct sk_verify *v, const char *format, ...) {
  if (!v->baseline || !v->baseline->is_covered) return;
  char section[80], name[200];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(section, sizeof section, format, arguments);
  va_end(arguments);
  snprintf(name, sizeof name, "%.110s/%s", v->result->name, section);
  close_section(&v->baseline->now, name);
}

/* Run a case once more, for what it gives rather than for whether it passes. */
static void record_again(struct sk_verify *v, const struct sk_verify_case *c, const struct sk_kernel_table *kernels) {
  restart(&v->baseline->now);
  sk_verify_again(v, c, kernels);
  close_section(&v->baseline->now, v->result->name);
}

static struct sk_baseline_record make_record(const struct recording *r, const struct section *section) {
  struct sk_baseline_record record = {.name = strdup(section->name), .worst = section->worst};
  if (!record.name) out_of_memory();
  if (section->squared_exact > 0) record.l2 = sqrt(section->squared_error / section->squared_exact);
  sk_baseline_digest(&record, r->values + section->first, section->count);
  return record;
}

/* ---- Naming what differs ---------------------------------------------------------------------------------------- */

/* The first value that differs from a record's. */
struct difference {
  size_t index;
  float came, expected;
  size_t others; /* that differ, too, as far as is known */
};

/* Look for it among the values that the generic kernels give, if those have the record's bits. Leaves them behind as
 * the recording. */
static bool compare_with_generic(struct sk_verify *v, const struct sk_verify_case *c,
                                 const struct sk_baseline_record *expected, const float *came, size_t count,
                                 struct difference *difference) {
  const struct recording *r = &v->baseline->now;
  record_again(v, c, v->generic);
  const struct section *section = r->sections;
  while (section < r->sections + r->section_count && strcmp(section->name, expected->name) != 0) section++;
  if (section == r->sections + r->section_count) return false;
  struct sk_baseline_record record = make_record(r, section);
  const bool is_recorded = sk_baseline_same_bits(&record, expected);
  free(record.name);
  if (!is_recorded) return false;
  const float *recorded = r->values + section->first;
  size_t found = 0;
  for (size_t i = sk_size_min(count, section->count); i-- > 0;) {
    if (sk_same_bits(came[i], recorded[i])) continue;
    *difference = (struct difference){i, came[i], recorded[i], found++};
  }
  return found > 0;
}

static bool compare_with_witnesses(const struct sk_baseline_record *expected, const float *came, size_t count,
                                   struct difference *difference) {
  for (size_t i = 0; i < expected->witness_count && expected->values == count; i++) {
    const struct sk_baseline_witness *witness = &expected->witnesses[i];
    if (sk_same_bits(came[witness->index], witness->value)) continue;
    *difference = (struct difference){witness->index, came[witness->index], witness->value, 0};
    return true;
  }
  return false;
}

static void describe_distance(const struct difference *d, char *text, size_t size) {
  if (isnan(d->came) || isnan(d->expected)) {
    snprintf(text, size, "one of them NaN");
  } else {
    snprintf(text, size, "%" PRIu32 " ULP apart", sk_ulp_distance(d->came, d->expected));
  }
}

static FILE *output_of(const struct sk_verify *v) { return v->options->json ? stderr : v->options->output; }

/* Where the record that was expected comes from: "tests/verify.baseline:12", or an ISA. */
static const char *describe_source(const struct sk_verify *v, const struct sk_baseline_record *expected, char *text,
                                   size_t size) {
  if (expected->line == 0) return sk_isa_name(v->tables[0]->isa);
  snprintf(text, size, "%s:%zu", v->baseline->wanted.path, expected->line);
  return text;
}

static void tell_value(struct sk_verify *v, const struct sk_verify_case *c, const struct section *section,
                       const struct sk_baseline_record *expected, const struct difference *d) {
  struct sk_verify_baseline *b = v->baseline;
  char distance[40], text[300];
  b->watched = section->first + d->index;
  record_again(v, c, v->kernels);
  b->watched = SIZE_MAX;
  describe_distance(d, distance, sizeof distance);
  fprintf(output_of(v), "%s, value %zu of %zu, is %.9g (%a), expected %.9g (%a) by %s: %s", b->place, d->index,
          section->count, (double)d->came, (double)d->came, (double)d->expected, (double)d->expected,
          describe_source(v, expected, text, sizeof text), distance);
  if (d->others) fprintf(output_of(v), "; so do %zu more values of it", d->others);
}

/* All that is left if the recorded values are gone and none of the witnesses has changed. */
static void tell_part(const struct sk_verify *v, const struct sk_baseline_record *came,
                      const struct sk_baseline_record *expected) {
  char text[300];
  const char *source = describe_source(v, expected, text, sizeof text);
  size_t part = 0;
  if (came->values != expected->values) {
    fprintf(output_of(v), "%zu values, expected %zu by %s", came->values, expected->values, source);
    return;
  }
  while (part + 1 < SK_BASELINE_PARTS && came->parts[part] == expected->parts[part]) part++;
  fprintf(output_of(v), "a value from %zu to %zu of %zu has other bits than by %s",
          sk_baseline_part_start(came->values, part), sk_baseline_part_start(came->values, part + 1) - 1, came->values,
          source);
}

/* Name the first value of a section that is not as expected. Cases that are run again leave this run's recording as it
 * was. */
static void tell_bits(struct sk_verify *v, const struct sk_verify_case *c, const struct section *section,
                      const struct sk_baseline_record *came, const struct sk_baseline_record *expected) {
  struct sk_verify_baseline *b = v->baseline;
  const struct recording mine = b->now;
  const float *values = mine.values + section->first;
  struct difference difference;
  b->now = (struct recording){0};
  sk_progress_clear(&v->progress);
  fprintf(output_of(v), "CHANGED %s on %s: ", section->name, sk_isa_name(v->kernels->isa));
  const bool is_other_isa = v->kernels != v->generic;
  if ((is_other_isa && compare_with_generic(v, c, expected, values, section->count, &difference)) ||
      compare_with_witnesses(expected, values, section->count, &difference)) {
    tell_value(v, c, section, expected, &difference);
  } else {
    tell_part(v, came, expected);
  }
  fprintf(output_of(v), "\n");
  fflush(output_of(v));
  free_recording(&b->now);
  b->now = mine;
}

/* ---- Comparing -------------------------------------------------------------------------------------------------- */

static void compare_bits(struct sk_verify *v, const struct sk_verify_case *c, const struct section *section,
                         const struct sk_baseline_record *came, struct sk_baseline_record *recorded) {
  struct sk_verify_baseline *b = v->baseline;
  if (b->wanted.allow_bits || sk_baseline_same_bits(came, recorded)) return;
  recorded->changed = true;
  if (!b->told_bits) tell_bits(v, c, section, came, recorded);
  b->told_bits = true;
}

static void compare_errors(struct sk_verify *v, const struct sk_baseline_record *came,
                           struct sk_baseline_record *recorded) {
  struct sk_verify_baseline *b = v->baseline;
  const bool is_worse = sk_baseline_is_grown(came->worst, recorded->worst);
  if (!is_worse && !sk_baseline_is_grown(came->l2, recorded->l2)) return;
  recorded->grown = true;
  if (b->told_error) return;
  b->told_error = true;
  sk_progress_clear(&v->progress);
  fprintf(output_of(v), "GROWN %s on %s: %s %.3e, expected at most %.3e by %s:%zu\n", came->name,
          sk_isa_name(v->kernels->isa), is_worse ? "error/bound" : "relative L2 error",
          is_worse ? came->worst : came->l2, is_worse ? recorded->worst : recorded->l2, b->wanted.path, recorded->line);
  fflush(output_of(v));
}

static void compare_with_file(struct sk_verify *v, const struct sk_verify_case *c, const struct section *section,
                              const struct sk_baseline_record *came) {
  struct sk_baseline_record *recorded = sk_baseline_find(&v->baseline->recorded, came->name);
  if (!recorded) return; /* counted at the end */
  recorded->ran = true;
  compare_bits(v, c, section, came, recorded);
  compare_errors(v, came, recorded);
}

/* The bits of one ISA are those of the first. */
static void compare_with_first(struct sk_verify *v, const struct sk_verify_case *c, const struct section *section,
                               const struct sk_baseline_record *came) {
  struct sk_verify_baseline *b = v->baseline;
  const size_t index = b->case_first + (size_t)(section - b->now.sections);
  const struct sk_baseline_record *first = index < b->taken.count ? &b->taken.records[index] : NULL;
  if (first && strcmp(first->name, came->name) == 0 && sk_baseline_same_bits(first, came)) return;
  b->disagreeing++;
  if (b->told_failure) return;
  b->told_failure = true;
  if (first) {
    tell_bits(v, c, section, came, first);
  } else {
    fprintf(output_of(v), "CHANGED %s on %s: %s has no such values\n", came->name, sk_isa_name(v->kernels->isa),
            sk_isa_name(v->tables[0]->isa));
  }
}

/* ---- Around a case ---------------------------------------------------------------------------------------------- */

/* Not what may lawfully differ: the bits of gemm are the BLAS's, and the exponential needs a CPU with FMA; nor what
 * differs by design: the sizes that the direct kernel is tried with follow the ISA's register tile; nor kernels that
 * only move values or measure the machine; nor the groups that are about bits themselves. */
static bool is_covered(const struct sk_verify *v, const struct sk_verify_case *c) {
  static const char *const others[] = {"conv_direct", "fma_peak", "stream",   "to_blocked", "from_blocked",
                                       "conv bits",   "net bits", "dispatch", "fma"};
  if (c->algorithm && strcmp(c->algorithm, sk_algorithm_name(SK_ALGORITHM_GEMM)) == 0) return false;
  if (strcmp(c->group, "softmax") == 0 || strcmp(c->group, "sigmoid") == 0) return v->hardware_fma;
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    if (strcmp(c->group, others[i]) == 0) return false;
  }
  return true;
}

void sk_verify_baseline_begin(struct sk_verify *v, const struct sk_verify_case *c) {
  struct sk_verify_baseline *b = v->baseline;
  if (!b) return;
  b->is_covered = is_covered(v, c);
  if (b->is_covered) restart(&b->now);
}

static void take(struct sk_verify *v, const struct sk_verify_case *c, const struct section *section) {
  struct sk_verify_baseline *b = v->baseline;
  const struct sk_baseline_record record = make_record(&b->now, section);
  compare_with_file(v, c, section, &record);
  if (v->kernels == v->tables[0]) {
    if (sk_baseline_add(&b->taken, &record)) out_of_memory();
  } else {
    compare_with_first(v, c, section, &record);
    free(record.name);
  }
}

void sk_verify_baseline_end(struct sk_verify *v, const struct sk_verify_case *c) {
  struct sk_verify_baseline *b = v->baseline;
  if (!b || !b->is_covered) return;
  close_section(&b->now, v->result->name);
  if (v->kernels == v->tables[0]) b->case_first = b->taken.count;
  for (size_t i = 0; i < b->now.section_count; i++) take(v, c, &b->now.sections[i]);
}

/* ---- The whole run ---------------------------------------------------------------------------------------------- */

struct tally {
  size_t same, changed, grown, skipped;
};

static struct tally count_records(const struct sk_verify_baseline *b) {
  struct tally tally = {0};
  for (size_t i = 0; i < b->recorded.count; i++) {
    const struct sk_baseline_record *record = &b->recorded.records[i];
    tally.same += record->ran && !record->changed && !record->grown;
    tally.changed += record->changed;
    tally.grown += record->grown;
    tally.skipped += !record->ran;
  }
  return tally;
}

static void count_fresh(struct sk_verify_baseline *b) {
  for (size_t i = 0; i < b->taken.count; i++) b->fresh += !sk_baseline_find(&b->recorded, b->taken.records[i].name);
}

void sk_verify_baseline_report(struct sk_verify *v) {
  struct sk_verify_baseline *b = v->baseline;
  if (!b) return;
  if (b->wanted.path) {
    count_fresh(b);
    const struct tally tally = count_records(b);
    fprintf(output_of(v),
            "baseline %s: %zu the same, %zu with other bits%s, %zu with a grown error, %zu did not run, %zu new\n",
            b->wanted.path, tally.same, tally.changed, b->wanted.allow_bits ? " (allowed)" : "", tally.grown,
            tally.skipped, b->fresh);
  }
  if (b->disagreeing) fprintf(output_of(v), "%zu records differ between ISAs\n", b->disagreeing);
  b->may_write = v->failed == 0 && b->taken.count > 0 && b->disagreeing == 0;
  if (b->wanted.write_path && !b->may_write) {
    fprintf(stderr, "verify: %s: not written: %zu cases failed, %zu records differ between ISAs\n",
            b->wanted.write_path, v->failed, b->disagreeing);
  }
}

void sk_verify_baseline_json(const struct sk_verify *v, struct sk_json *json) {
  const struct sk_verify_baseline *b = v->baseline;
  if (!b || !b->wanted.path) return;
  const struct tally tally = count_records(b);
  cJSON *item = sk_json_object(json, json->root, "baseline");
  sk_json_text(json, item, "file", b->wanted.path);
  sk_json_size(json, item, "same", tally.same);
  sk_json_size(json, item, "changed", tally.changed);
  sk_json_size(json, item, "grown", tally.grown);
  sk_json_size(json, item, "skipped", tally.skipped);
  sk_json_size(json, item, "new", b->fresh);
}

bool sk_verify_baseline_differs(const struct sk_verify *v) {
  if (!v->baseline) return false;
  const struct tally tally = count_records(v->baseline);
  return tally.changed + tally.grown > 0;
}

bool sk_verify_baseline_agrees(const struct sk_verify *v) { return !v->baseline || v->baseline->disagreeing == 0; }

/* ---- Files ------------------------------------------------------------------------------------------------------ */

sk_status sk_verify_baseline_open(struct sk_verify_baseline **baseline, const struct sk_verify_options *options,
                                  const struct sk_verify_baseline_options *wanted) {
  *baseline = NULL;
  if (!wanted->path && !wanted->write_path) return SK_OK;
  struct sk_verify_baseline *b = calloc(1, sizeof *b);
  if (!b) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for a baseline");
  *baseline = b;
  b->wanted = *wanted;
  b->watched = SIZE_MAX;
  b->header = (struct sk_baseline_header){options->seed, options->exhaustive, options->filter};
  sk_status status = wanted->path ? sk_baseline_read(&b->recorded, wanted->path, &b->header) : SK_OK;
  if (!status && wanted->write_path) status = sk_file_writer_open(&b->writer, wanted->write_path);
  return status;
}

static sk_status write_file(struct sk_verify_baseline *b) {
  sk_baseline_sort(&b->taken);
  sk_baseline_write(&b->taken, &b->header, &b->writer);
  return sk_file_writer_commit(&b->writer);
}

sk_status sk_verify_baseline_close(struct sk_verify_baseline *baseline) {
  sk_status status = SK_OK;
  if (!baseline) return status;
  if (baseline->may_write && baseline->writer.stream) {
    status = write_file(baseline);
  } else {
    sk_file_writer_discard(&baseline->writer);
  }
  sk_baseline_free(&baseline->recorded);
  sk_baseline_free(&baseline->taken);
  free_recording(&baseline->now);
  free(baseline);
  return status;
}
