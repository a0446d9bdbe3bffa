/* Baselines as files and as digests: what is read is what was written, and no change of a value passes unseen. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/baseline.h"
#include "tests/temporary_folder.h"

enum { VALUES = 1003 }; /* no multiple of the parts */

static const struct sk_baseline_header header = {.seed = 7};

static void fill(float *values) {
  for (size_t i = 0; i < VALUES; i++) values[i] = (float)i / 7;
}

static struct sk_baseline_record digest(const float *values, size_t count) {
  struct sk_baseline_record record = {0};
  sk_baseline_digest(&record, values, count);
  return record;
}

static float with_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

Test(baseline, parts_cover_all_values) {
  for (size_t count = 1; count < 40; count++) {
    cr_assert_eq(sk_baseline_part_start(count, 0), 0);
    cr_assert_eq(sk_baseline_part_start(count, SK_BASELINE_PARTS), count);
    for (size_t part = 0; part < SK_BASELINE_PARTS; part++) {
      cr_assert_leq(sk_baseline_part_start(count, part), sk_baseline_part_start(count, part + 1));
    }
  }
}

/* Every bit of every value, and in its own part alone. */
Test(baseline, sees_each_bit) {
  float values[VALUES];
  fill(values);
  const struct sk_baseline_record before = digest(values, VALUES);
  for (size_t i = 0; i < VALUES; i++) {
    uint32_t bits;
    memcpy(&bits, &values[i], sizeof bits);
    values[i] = with_bits(bits ^ UINT32_C(1) << i % 32);
    const struct sk_baseline_record after = digest(values, VALUES);
    values[i] = with_bits(bits);
    cr_assert_not(sk_baseline_same_bits(&before, &after), "value %zu", i);
    for (size_t part = 0; part < SK_BASELINE_PARTS; part++) {
      const bool is_within = i >= sk_baseline_part_start(VALUES, part) && i < sk_baseline_part_start(VALUES, part + 1);
      cr_assert_eq(before.parts[part] != after.parts[part], is_within, "value %zu, part %zu", i, part);
    }
  }
}

/* What a sum of the values would not see. */
Test(baseline, sees_order_signs_and_length) {
  float values[VALUES];
  fill(values);
  const struct sk_baseline_record before = digest(values, VALUES), shorter = digest(values, VALUES - 1);
  cr_assert_not(sk_baseline_same_bits(&before, &shorter));
  values[40] = 41.0F / 7;
  values[41] = 40.0F / 7;
  const struct sk_baseline_record swapped = digest(values, VALUES);
  cr_assert_not(sk_baseline_same_bits(&before, &swapped));
  fill(values);
  values[40] = -values[40];
  values[41] = -values[41];
  const struct sk_baseline_record negated = digest(values, VALUES);
  cr_assert_not(sk_baseline_same_bits(&before, &negated));
  fill(values);
  values[0] = -0.0F;
  const struct sk_baseline_record zero = digest(values, VALUES);
  cr_assert_not(sk_baseline_same_bits(&before, &zero));
}

Test(baseline, all_nans_are_one) {
  float values[VALUES];
  fill(values);
  values[5] = with_bits(0x7fc00000);
  const struct sk_baseline_record quiet = digest(values, VALUES);
  values[5] = with_bits(0xffc12345);
  const struct sk_baseline_record other = digest(values, VALUES);
  cr_assert(sk_baseline_same_bits(&quiet, &other));
}

Test(baseline, witnesses_show_rounding) {
  float values[VALUES];
  for (size_t i = 0; i < VALUES; i++) values[i] = i > 900 ? 0.3F : (float)i;
  const struct sk_baseline_record record = digest(values, VALUES);
  cr_assert_eq(record.witness_count, SK_BASELINE_WITNESSES);
  for (size_t i = 0; i < record.witness_count; i++) {
    cr_assert_gt(record.witnesses[i].index, 900);
    cr_assert(i == 0 || record.witnesses[i].index > record.witnesses[i - 1].index);
  }
  for (size_t count = 1; count < 5; count++) {
    const struct sk_baseline_record few = digest(values, count);
    cr_assert_eq(few.witness_count, count < SK_BASELINE_WITNESSES ? count : SK_BASELINE_WITNESSES);
  }
}

Test(baseline, grows_by_more_than_rounding) {
  cr_assert_not(sk_baseline_is_grown(1.234e-3, 1.234e-3));
  cr_assert_not(sk_baseline_is_grown(1.2344e-3, 1.234e-3)); /* written as the same */
  cr_assert(sk_baseline_is_grown(1.236e-3, 1.234e-3));
  cr_assert(sk_baseline_is_grown(1e-30, 0));
  cr_assert(sk_baseline_is_grown(INFINITY, 1));
}

static void add(struct sk_baseline *baseline, const char *name, const float *values, size_t count) {
  struct sk_baseline_record record = digest(values, count);
  record.name = strdup(name);
  record.worst = 0.1234567;
  cr_assert_eq(sk_baseline_add(baseline, &record), SK_OK);
}

Test(baseline, reads_what_it_wrote) {
  float values[VALUES];
  struct sk_baseline written = {0}, read = {0};
  struct sk_file_writer writer;
  make_folder();
  char *path = path_of("baseline");
  fill(values);
  values[0] = INFINITY;
  values[1] = NAN;
  values[2] = with_bits(1); /* the smallest subnormal */
  add(&written, "second", values, VALUES);
  add(&written, "first", values, 3);
  sk_baseline_sort(&written);
  cr_assert_eq(sk_file_writer_open(&writer, path), SK_OK);
  sk_baseline_write(&written, &header, &writer);
  cr_assert_eq(sk_file_writer_commit(&writer), SK_OK);
  cr_assert_eq(sk_baseline_read(&read, path, &header), SK_OK, "%s", sk_error_message());
  cr_assert_eq(read.count, 2);
  const struct sk_baseline_record *first = sk_baseline_find(&read, "first");
  const struct sk_baseline_record *second = sk_baseline_find(&read, "second");
  cr_assert(first && second && !sk_baseline_find(&read, "third"));
  cr_assert(sk_baseline_same_bits(first, &written.records[0]));
  cr_assert(sk_baseline_same_bits(second, &written.records[1]));
  cr_assert_eq(first->witness_count, 3);
  cr_assert(isinf(first->witnesses[0].value) && isnan(first->witnesses[1].value));
  cr_assert_eq(first->witnesses[2].value, values[2]);
  cr_assert_float_eq(second->worst, 0.1235, 1e-9);
  const struct sk_baseline_header other = {.seed = 8};
  sk_baseline_free(&read);
  cr_assert_eq(sk_baseline_read(&read, path, &other), SK_INVALID_ARGUMENT);
  cr_assert(strstr(sk_error_message(), ":2: seed: \"7\" is not 8"));
  sk_baseline_free(&read);
  sk_baseline_free(&written);
  free(path);
  remove_folder();
}
