/*
 * Search the small rationals for the interpolation points of least error. Not a test: with winograd_error it gives the
 * figures from which the points of the kernels were chosen. `make winograd-points` runs both.
 *
 *   winograd_search TILES SEED CSV [OUTPUTS STRIDE]      all algorithms, or one
 *
 * For each algorithm every set of pairs +-p/q, p and q to 8, 1/4 <= p/q <= 4 (with 0, but with stride 2), is ranked by
 * its amplification (reference/winograd.h); the first 400 by their error on a few tiles; the best twenty of those, and
 * the points that are used, on TILES tiles of 256 channels; the best five and the used with factors that make
 * coefficients integers. All that was measured goes to the CSV file, the last two stages to the output.
 */
#include "tests/winograd_rows.h"

enum {
  MAX_TERM = 8,
  MAX_PAIRS = 3,
  CANDIDATES = 64, /* at least as many as there are fractions */
  NAME_BYTES = 80,
  AMPLIFIED = 400,
  PROXY_TILES = 192,
  PROXY_CHANNELS = 64,
  CHANNELS = 256,
  BEST = 20,
  SCALED = 5
};

/* A set of points with a name of its own. */
struct candidate {
  sk_reference_winograd_points set;
  char name[NAME_BYTES];
  double figure; /* by which it is ranked: amplification, then error */
  struct accuracy_row row;
};

struct search {
  size_t outputs, stride, pairs, tiles;
  uint64_t seed;
  sk_reference_rational values[CANDIDATES]; /* ascending */
  size_t value_count;
  struct candidate *candidates;
  size_t count, capacity;
  struct sk_csv csv;
};

/* ---- Candidates ---- */

static void add_value(struct search *search, int64_t numerator, int64_t denominator) {
  const sk_reference_rational value = sk_reference_rational_make(numerator, denominator);
  if (value.denominator != denominator || numerator > 4 * denominator || denominator > 4 * numerator) return;
  size_t place = search->value_count++;
  for (; place > 0 && sk_reference_rational_compare(search->values[place - 1], value) > 0; place--) {
    search->values[place] = search->values[place - 1];
  }
  search->values[place] = value;
}

static void list_values(struct search *search) {
  for (int64_t denominator = 1; denominator <= MAX_TERM; denominator++) {
    for (int64_t numerator = 1; numerator <= MAX_TERM; numerator++) add_value(search, numerator, denominator);
  }
}

static void name_candidate(struct candidate *candidate, const sk_reference_rational *pairs, size_t count) {
  const sk_reference_winograd_points *set = &candidate->set;
  int used = snprintf(candidate->name, NAME_BYTES, "F(%zu,3)%s", set->outputs, set->stride == 2 ? " stride 2" : " 0");
  for (size_t i = 0; i < count; i++) {
    const size_t room = NAME_BYTES - (size_t)used;
    used += pairs[i].denominator == 1 ? snprintf(candidate->name + used, room, " +-%" PRId64, pairs[i].numerator)
                                      : snprintf(candidate->name + used, room, " +-%" PRId64 "/%" PRId64,
                                                 pairs[i].numerator, pairs[i].denominator);
  }
}

static void add_candidate(struct search *search, const size_t *chosen) {
  if (search->count == search->capacity) {
    search->capacity = search->capacity ? 2 * search->capacity : 1024;
    search->candidates = realloc(search->candidates, search->capacity * sizeof *search->candidates);
    if (!search->candidates) abort();
  }
  struct candidate *candidate = &search->candidates[search->count++];
  *candidate = (struct candidate){.set = {.outputs = search->outputs, .taps = 3, .stride = search->stride}};
  sk_reference_rational pairs[MAX_PAIRS], *point = candidate->set.points;
  if (search->stride == 1) *point++ = (sk_reference_rational){0, 1};
  for (size_t i = 0; i < search->pairs; i++) {
    pairs[i] = search->values[chosen[i]];
    *point++ = pairs[i];
    *point++ = (sk_reference_rational){-pairs[i].numerator, pairs[i].denominator};
  }
  name_candidate(candidate, pairs, search->pairs);
}

/* Choose `pairs` of the values in every way, ascending. */
static void list_candidates(struct search *search, size_t *chosen, size_t depth) {
  if (depth == search->pairs) {
    add_candidate(search, chosen);
    return;
  }
  for (chosen[depth] = depth ? chosen[depth - 1] + 1 : 0; chosen[depth] < search->value_count; chosen[depth]++) {
    list_candidates(search, chosen, depth + 1);
  }
}

/* ---- Measuring ---- */

static void measure(struct search *search, struct candidate *candidate, enum sk_accuracy_scaling scaling,
                    size_t channels, size_t tiles) {
  candidate->set.name = candidate->name; /* here, where it no longer moves */
  candidate->row = (struct accuracy_row){
      .what = "uniform [-1,1)", .set = &candidate->set, .scaling = scaling, .channels = channels, .tiles = tiles};
  measure_uniform_row(&candidate->row, search->seed, -1);
  write_row(&search->csv, &candidate->row);
  candidate->figure = candidate->row.accuracy.l2;
}

static int by_figure(const void *a, const void *b) {
  const struct candidate *first = a, *second = b;
  if (first->figure != second->figure) return first->figure < second->figure ? -1 : 1;
  return strcmp(first->name, second->name);
}

/* Put the best first, and let the pointers into the candidates follow. */
static void rank(struct search *search, size_t count) {
  qsort(search->candidates, count, sizeof *search->candidates, by_figure);
  for (size_t i = 0; i < count; i++) {
    struct candidate *candidate = &search->candidates[i];
    candidate->set.name = candidate->name;
    candidate->row.set = &candidate->set;
  }
}

/* Take so many of the best, and the used points after them where they are not among them; returns how many. */
static size_t take(struct search *search, size_t best) {
  if (best >= search->count) return search->count;
  for (size_t i = best; i < search->count; i++) {
    if (!is_used(&search->candidates[i].set)) continue;
    const struct candidate used = search->candidates[i];
    search->candidates[i] = search->candidates[best];
    search->candidates[best] = used;
    return best + 1;
  }
  return best;
}

static void rank_by_amplification(struct search *search) {
  for (size_t i = 0; i < search->count; i++) {
    const sk_reference_winograd matrices = sk_reference_winograd_derive_set(&search->candidates[i].set);
    search->candidates[i].figure = sk_reference_winograd_amplification(&matrices);
  }
  rank(search, search->count);
}

static void rank_by_error(struct search *search, size_t count, size_t channels, size_t tiles) {
  for (size_t i = 0; i < count; i++) measure(search, &search->candidates[i], SK_ACCURACY_UNSCALED, channels, tiles);
  rank(search, count);
}

static void measure_scaled(struct search *search, struct candidate *candidate) {
  for (int scaling = SK_ACCURACY_UNSCALED + 1; scaling < SK_ACCURACY_SCALINGS; scaling++) {
    measure(search, candidate, (enum sk_accuracy_scaling)scaling, CHANNELS, search->tiles);
    print_row(&candidate->row);
  }
}

static void search_algorithm(struct search *search, size_t outputs, size_t stride) {
  size_t chosen[MAX_PAIRS];
  search->outputs = outputs;
  search->stride = stride;
  search->pairs = outputs / 2;
  search->count = 0;
  list_candidates(search, chosen, 0);
  printf("F(%zu,3)%s: %zu sets\n", outputs, stride == 2 ? " stride 2" : "", search->count);
  rank_by_amplification(search);
  rank_by_error(search, take(search, AMPLIFIED), PROXY_CHANNELS, PROXY_TILES);
  const size_t best = take(search, BEST);
  rank_by_error(search, best, CHANNELS, search->tiles);
  for (size_t i = 0; i < best; i++) print_row(&search->candidates[i].row);
  for (size_t i = 0; i < best; i++) {
    if (i < SCALED || is_used(&search->candidates[i].set)) measure_scaled(search, &search->candidates[i]);
  }
}

int main(int count, char **arguments) {
  static const size_t algorithms[][2] = {{2, 1}, {4, 1}, {6, 1}, {2, 2}, {4, 2}};
  if (count != 4 && count != 6) {
    fprintf(stderr, "usage: winograd_search TILES SEED CSV [OUTPUTS STRIDE]\n");
    return 2;
  }
  struct search search = {.tiles = parse_count("winograd_search", "TILES", arguments[1]),
                          .seed = parse_count("winograd_search", "SEED", arguments[2])};
  const uint64_t outputs = count == 6 ? parse_count("winograd_search", "OUTPUTS", arguments[4]) : 0;
  const uint64_t stride = count == 6 ? parse_count("winograd_search", "STRIDE", arguments[5]) : 0;
  struct sk_file_writer writer;
  if (sk_file_writer_open(&writer, arguments[3])) {
    fprintf(stderr, "winograd_search: %s\n", sk_error_message());
    return 1;
  }
  search.csv.stream = writer.stream;
  list_values(&search);
  write_heading(&search.csv);
  print_heading();
  for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
    const bool wanted = !outputs || (algorithms[i][0] == outputs && algorithms[i][1] == stride);
    if (wanted) search_algorithm(&search, algorithms[i][0], algorithms[i][1]);
  }
  free(search.candidates);
  if (sk_file_writer_commit(&writer)) {
    fprintf(stderr, "winograd_search: %s\n", sk_error_message());
    return 1;
  }
  return 0;
}
