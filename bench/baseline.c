#include "bench/baseline.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/text.h"

#define FORMAT "skiplane-baseline 1"

enum { MOST_BYTES = 64 << 20, LONGEST_LINE = 1024, PART_DIGITS = 8 };

/* ---- Digests ---------------------------------------------------------------------------------------------------- */

/* The payload and sign of a NaN are not part of the contract. */
static float canonical(float value) { return isnan(value) ? NAN : value; }

static uint32_t bits_of(float value) {
  const float known = canonical(value);
  uint32_t bits;
  memcpy(&bits, &known, sizeof bits);
  return bits;
}

/* Every value moves every bit of the state, so that no two changes cancel but by chance. */
static uint32_t hash(const float *values, size_t count) {
  uint64_t state = 0xcbf29ce484222325U;
  for (size_t i = 0; i < count; i++) {
    state = (state ^ bits_of(values[i])) * 0x9e3779b97f4a7c15U;
    state ^= state >> 32;
  }
  return (uint32_t)(state ^ state >> 29);
}

size_t sk_baseline_part_start(size_t values, size_t part) {
  return values / SK_BASELINE_PARTS * part + values % SK_BASELINE_PARTS * part / SK_BASELINE_PARTS;
}

/* A change of rounding shows in a value that is no integer, unlike in 0 or an exact sum. */
static bool shows_rounding(float value) { return isfinite(value) && value != truncf(value); }

/* Spread them over the values that show rounding; over all, where those are too few. */
static void choose_witnesses(struct sk_baseline_record *record, const float *values) {
  size_t showing = 0, rank = 0;
  for (size_t i = 0; i < record->values; i++) showing += shows_rounding(values[i]);
  const bool is_any = showing < SK_BASELINE_WITNESSES;
  const size_t candidates = is_any ? record->values : showing;
  const size_t wanted = sk_size_min(candidates, SK_BASELINE_WITNESSES);
  record->witness_count = 0;
  for (size_t i = 0; i < record->values && record->witness_count < wanted; i++) {
    if (!is_any && !shows_rounding(values[i])) continue;
    if (rank++ < (2 * record->witness_count + 1) * candidates / (2 * wanted)) continue;
    record->witnesses[record->witness_count++] = (struct sk_baseline_witness){i, canonical(values[i])};
  }
}

void sk_baseline_digest(struct sk_baseline_record *record, const float *values, size_t count) {
  record->values = count;
  for (size_t part = 0; part < SK_BASELINE_PARTS; part++) {
    const size_t first = sk_baseline_part_start(count, part);
    record->parts[part] = hash(values + first, sk_baseline_part_start(count, part + 1) - first);
  }
  choose_witnesses(record, values);
}

bool sk_baseline_same_bits(const struct sk_baseline_record *a, const struct sk_baseline_record *b) {
  return a->values == b->values && memcmp(a->parts, b->parts, sizeof a->parts) == 0;
}

/* Four digits are written: the last one is a thousandth of the figure, or less. */
bool sk_baseline_is_grown(double figure, double recorded) { return figure > recorded * 1.001; }

/* ---- The collection --------------------------------------------------------------------------------------------- */

sk_status sk_baseline_add(struct sk_baseline *baseline, const struct sk_baseline_record *record) {
  if (baseline->count == baseline->capacity) {
    const size_t capacity = baseline->capacity ? 2 * baseline->capacity : 1024;
    struct sk_baseline_record *records = reallocarray(baseline->records, capacity, sizeof *records);
    if (!records) {
      free(record->name);
      return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu records of a baseline", capacity);
    }
    baseline->records = records;
    baseline->capacity = capacity;
  }
  baseline->records[baseline->count++] = *record;
  return SK_OK;
}

void sk_baseline_free(struct sk_baseline *baseline) {
  for (size_t i = 0; i < baseline->count; i++) free(baseline->records[i].name);
  free(baseline->records);
  *baseline = (struct sk_baseline){0};
}

static int compare_names(const void *a, const void *b) {
  const struct sk_baseline_record *first = a;
  const struct sk_baseline_record *second = b;
  return strcmp(first->name, second->name);
}

void sk_baseline_sort(struct sk_baseline *baseline) {
  if (baseline->count) qsort(baseline->records, baseline->count, sizeof *baseline->records, compare_names);
}

struct sk_baseline_record *sk_baseline_find(const struct sk_baseline *baseline, const char *name) {
  const struct sk_baseline_record key = {.name = (char *)(uintptr_t)name}; /* only read */
  if (baseline->count == 0) return NULL;
  return bsearch(&key, baseline->records, baseline->count, sizeof *baseline->records, compare_names);
}

/* ---- Reading: fields -------------------------------------------------------------------------------------------- */

/* The line that is read now. */
struct line {
  const char *source;
  size_t number;
  char text[LONGEST_LINE + 1];
  char *rest; /* what has not been taken; NULL at the end */
};

static sk_status reject(const struct line *line, const char *field, const char *came, const char *expected) {
  return sk_fail(SK_INVALID_ARGUMENT, "%s:%zu: %s: \"%s\" is not %s", sk_quote(line->source).text, line->number, field,
                 sk_quote_short(came).text, expected);
}

/* Take the text up to the next blank; empty at the end of the line. */
static const char *take_field(struct line *line) {
  const char *field = strsep(&line->rest, " ");
  return field ? field : "";
}

/* Read digits alone: strtoull would take signs and blanks, too. */
static bool read_digits(const char *text, uint64_t *value) {
  char *end = NULL;
  if (*text < '0' || *text > '9' || strlen(text) > 20) return false;
  errno = 0;
  *value = strtoull(text, &end, 10);
  return *end == '\0' && errno == 0;
}

static sk_status take_name(struct line *line, const struct sk_baseline *baseline, struct sk_baseline_record *record) {
  const char *name = take_field(line);
  const char *before = baseline->count ? baseline->records[baseline->count - 1].name : "";
  if (strcmp(name, before) <= 0) return reject(line, "name", name, "one that comes after the line before, in order");
  record->name = strdup(name);
  return record->name ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "out of memory for a baseline");
}

static sk_status take_count(struct line *line, size_t *count) {
  const char *text = take_field(line);
  uint64_t number = 0;
  if (!read_digits(text, &number) || number == 0) return reject(line, "values", text, "a number over 0");
  *count = (size_t)number;
  return SK_OK;
}

static sk_status take_figure(struct line *line, const char *field, double *figure) {
  const char *text = take_field(line);
  char *end = NULL;
  *figure = strtod(text, &end);
  const bool fits = strspn(text, "0123456789.e+-") == strlen(text) && end != text && *end == '\0' && *figure >= 0;
  return fits && isfinite(*figure) ? SK_OK : reject(line, field, text, "a number such as 1.234e-07");
}

static sk_status take_parts(struct line *line, uint32_t parts[SK_BASELINE_PARTS]) {
  const char *text = take_field(line);
  const size_t digits = (size_t)SK_BASELINE_PARTS * PART_DIGITS;
  if (strlen(text) != digits || strspn(text, "0123456789abcdef") != digits) {
    return reject(line, "hashes", text, "64 hexadecimal digits");
  }
  for (size_t i = 0; i < SK_BASELINE_PARTS; i++) {
    char part[PART_DIGITS + 1] = {0};
    memcpy(part, text + i * PART_DIGITS, PART_DIGITS);
    parts[i] = (uint32_t)strtoul(part, NULL, 16);
  }
  return SK_OK;
}

/* Read a float as %a writes it. */
static bool read_float(const char *text, float *value) {
  char *end = NULL;
  const double number = strtod(text, &end);
  *value = (float)number;
  return end != text && *end == '\0' && (isnan(number) || (double)*value == number);
}

static sk_status take_witness(struct line *line, struct sk_baseline_record *record) {
  static const char expected[] = "INDEX:VALUE, such as 17:-0x1.8p-3, of one of the values";
  struct sk_baseline_witness *witness = &record->witnesses[record->witness_count];
  const char *text = take_field(line);
  char index[24] = {0};
  uint64_t number = 0;
  const size_t digits = strcspn(text, ":");
  if (digits >= sizeof index || text[digits] != ':') return reject(line, "witness", text, expected);
  memcpy(index, text, digits);
  const bool fits = read_digits(index, &number) && number < record->values;
  if (!fits || !read_float(text + digits + 1, &witness->value)) return reject(line, "witness", text, expected);
  witness->index = (size_t)number;
  record->witness_count++;
  return SK_OK;
}

/* ---- Reading: lines --------------------------------------------------------------------------------------------- */

static sk_status take_record(struct line *line, const struct sk_baseline *baseline, struct sk_baseline_record *record) {
  sk_status status = take_name(line, baseline, record);
  if (!status) status = take_count(line, &record->values);
  if (!status) status = take_figure(line, "error/bound", &record->worst);
  if (!status) status = take_figure(line, "L2 error", &record->l2);
  if (!status) status = take_parts(line, record->parts);
  const size_t witnesses = sk_size_min(record->values, SK_BASELINE_WITNESSES);
  while (!status && record->witness_count < witnesses) status = take_witness(line, record);
  if (!status && line->rest) status = reject(line, "end", line->rest, "the end of the line");
  return status;
}

static sk_status read_record(struct line *line, struct sk_baseline *baseline) {
  struct sk_baseline_record record = {.line = line->number};
  if (line->text[0] == '#') return SK_OK;
  const sk_status status = take_record(line, baseline, &record);
  if (!status) return sk_baseline_add(baseline, &record);
  free(record.name);
  return status;
}

/* A line of the header: its key, and the value that it must have; NULL for any. */
static sk_status read_header_line(struct line *line, const char *key, const char *value) {
  char expected[96];
  const char *came = take_field(line);
  if (strcmp(came, key) != 0) {
    snprintf(expected, sizeof expected, "\"%s\"", key);
    return reject(line, "header", came, expected);
  }
  came = line->rest ? line->rest : "";
  if (value ? strcmp(came, value) == 0 : *came != '\0') return SK_OK;
  snprintf(expected, sizeof expected, "%s, as it is in this run", value ? value : "a filter");
  return reject(line, key, came, expected);
}

static const char *sweep_name(const struct sk_baseline_header *header) {
  return header->exhaustive ? "exhaustive" : "default";
}

enum { HEADER_LINES = 4 };

static sk_status read_header(struct line *line, const struct sk_baseline_header *expected) {
  char seed[24];
  switch (line->number) {
    case 1: return strcmp(line->text, FORMAT) == 0 ? SK_OK : reject(line, "format", line->text, "\"" FORMAT "\"");
    case 2: snprintf(seed, sizeof seed, "%" PRIu64, expected->seed); return read_header_line(line, "seed", seed);
    case 3: return read_header_line(line, "sweep", sweep_name(expected));
    default: return read_header_line(line, "cases", NULL);
  }
}

static sk_status read_line(struct line *line, const struct sk_baseline_header *expected, struct sk_baseline *baseline) {
  return line->number <= HEADER_LINES ? read_header(line, expected) : read_record(line, baseline);
}

/* Put the next line into its buffer, with a NUL behind; what is too long has no place in a baseline. Returns its bytes,
 * the newline included. */
static size_t next_line(struct line *line, const char *data, size_t length) {
  const char *newline = memchr(data, '\n', length);
  const size_t bytes = newline ? (size_t)(newline - data) : length;
  const size_t kept = sk_size_min(bytes, LONGEST_LINE);
  memcpy(line->text, data, kept);
  line->text[kept] = '\0';
  line->rest = line->text;
  line->number++;
  return bytes + (newline != NULL);
}

sk_status sk_baseline_parse(struct sk_baseline *baseline, const char *source, const char *text, size_t length,
                            const struct sk_baseline_header *expected) {
  struct line line = {.source = source};
  sk_status status = SK_OK;
  *baseline = (struct sk_baseline){0};
  if (length > MOST_BYTES) {
    return sk_fail(SK_INVALID_ARGUMENT, "%s: %zu bytes, expected a baseline of at most %d", sk_quote(source).text,
                   length, MOST_BYTES);
  }
  for (size_t at = 0; !status && (at < length || line.number < HEADER_LINES);) {
    at += next_line(&line, text + at, length - at);
    status = read_line(&line, expected, baseline);
  }
  return status;
}

sk_status sk_baseline_read(struct sk_baseline *baseline, const char *path, const struct sk_baseline_header *expected) {
  struct sk_file_map map = {0};
  *baseline = (struct sk_baseline){0};
  sk_status status = sk_file_map_open(&map, path);
  if (status) return status;
  status = sk_baseline_parse(baseline, path, map.data, map.length, expected);
  sk_file_map_close(&map);
  return status;
}

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

static void write_text(struct sk_file_writer *writer, const char *text) { sk_file_write(writer, text, strlen(text)); }

static void write_header(const struct sk_baseline_header *header, struct sk_file_writer *writer) {
  char text[512];
  snprintf(
      text, sizeof text,
      FORMAT
      "\nseed %" PRIu64
      "\nsweep %s\ncases %s\n"
      "# Made by `skiplane verify --write-baseline`; the same for every ISA. Columns: case, number of values,\n"
      "# worst error/bound, relative L2 error, a hash of each eighth of the values, some of them as index:value.\n",
      header->seed, sweep_name(header), header->filter && *header->filter ? sk_quote(header->filter).text : "all");
  write_text(writer, text);
}

static void write_figure(double figure, struct sk_file_writer *writer) {
  char text[40];
  snprintf(text, sizeof text, "%.3e ", figure);
  write_text(writer, figure > 0 ? text : "0 ");
}

static void write_record(const struct sk_baseline_record *record, struct sk_file_writer *writer) {
  char text[96];
  write_text(writer, record->name);
  snprintf(text, sizeof text, " %zu ", record->values);
  write_text(writer, text);
  write_figure(record->worst, writer);
  write_figure(record->l2, writer);
  for (size_t i = 0; i < SK_BASELINE_PARTS; i++) {
    snprintf(text, sizeof text, "%0*" PRIx32, PART_DIGITS, record->parts[i]);
    write_text(writer, text);
  }
  for (size_t i = 0; i < record->witness_count; i++) {
    snprintf(text, sizeof text, " %zu:%a", record->witnesses[i].index, (double)record->witnesses[i].value);
    write_text(writer, text);
  }
  write_text(writer, "\n");
}

void sk_baseline_write(const struct sk_baseline *baseline, const struct sk_baseline_header *header,
                       struct sk_file_writer *writer) {
  write_header(header, writer);
  for (size_t i = 0; i < baseline->count; i++) write_record(&baseline->records[i], writer);
}
