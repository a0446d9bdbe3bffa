#include "bench/comparison.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bench/statistics.h"
#include "bench/verify_internal.h"

enum { RESAMPLES = 4000, EXACT_LIMIT = 20 };

/* ---- The Mann-Whitney U test ------------------------------------------------------------------------------------ */

/* Number of ways in which a subset of `a` of the a + b ranks gives each U: ways[0 .. a*b]. The recursion over the
 * largest rank: it belongs to a, and is over all of b, or to b. Doubles count exactly: C(40, 20) < 2^53. */
static bool count_ways(size_t a, size_t b, double *ways) {
  const size_t room = a * b + 1;
  double *table = calloc((a + 1) * room, sizeof *table); /* [i][u], for the number of b's so far */
  if (!table) return false;
  for (size_t i = 0; i <= a; i++) table[i * room] = 1; /* no b: U is 0 */
  for (size_t j = 1; j <= b; j++) {
    for (size_t i = 1; i <= a; i++) {
      for (size_t u = i * j; u >= j; u--) table[i * room + u] += table[(i - 1) * room + u - j];
    }
  }
  memcpy(ways, table + a * room, room * sizeof *ways);
  free(table);
  return true;
}

static double exact_p_value(size_t a, size_t b, double u) {
  double ways[EXACT_LIMIT * EXACT_LIMIT + 1];
  double total = 0, tail = 0;
  const double smaller = fmin(u, (double)(a * b) - u); /* the distribution is symmetric */
  if (!count_ways(a, b, ways)) return NAN;
  for (size_t i = 0; i <= a * b; i++) {
    total += ways[i];
    if ((double)i <= smaller) tail += ways[i];
  }
  return fmin(1, 2 * tail / total);
}

static double normal_p_value(size_t a, size_t b, double u, double tie_sum) {
  const double m = (double)a, n = (double)b, all = m + n;
  const double variance = m * n / 12 * (all + 1 - tie_sum / (all * (all - 1)));
  const double distance = fmax(0, fabs(u - m * n / 2) - 0.5);
  return variance > 0 ? erfc(distance / sqrt(2 * variance)) : 1;
}

struct ranked {
  double value;
  bool is_a;
};

static int compare_ranked(const void *left, const void *right) {
  const double a = ((const struct ranked *)left)->value;
  const double b = ((const struct ranked *)right)->value;
  return (a > b) - (a < b);
}

/* Sum the ranks of a's values, equal values sharing the mean of theirs; and t^3 - t over groups of t equal values. */
static double sum_ranks(const struct ranked *sorted, size_t count, double *tie_sum) {
  double sum = 0;
  *tie_sum = 0;
  for (size_t first = 0, end = 0; first < count; first = end) {
    size_t of_a = 0;
    for (end = first; end < count && sorted[end].value == sorted[first].value; end++) of_a += sorted[end].is_a;
    const double ties = (double)(end - first);
    sum += (double)of_a * (double)(first + 1 + end) / 2;
    *tie_sum += ties * ties * ties - ties;
  }
  return sum;
}

double sk_mann_whitney(const double *a, size_t a_count, const double *b, size_t b_count) {
  const size_t count = a_count + b_count;
  double tie_sum = 0;
  if (a_count == 0 || b_count == 0) return 1;
  struct ranked *ranked = malloc(count * sizeof *ranked);
  if (!ranked) return NAN;
  for (size_t i = 0; i < a_count; i++) ranked[i] = (struct ranked){a[i], true};
  for (size_t i = 0; i < b_count; i++) ranked[a_count + i] = (struct ranked){b[i], false};
  qsort(ranked, count, sizeof *ranked, compare_ranked);
  const double u = sum_ranks(ranked, count, &tie_sum) - (double)a_count * (double)(a_count + 1) / 2;
  free(ranked);
  const bool is_exact = tie_sum == 0 && a_count <= EXACT_LIMIT && b_count <= EXACT_LIMIT;
  return is_exact ? exact_p_value(a_count, b_count, u) : normal_p_value(a_count, b_count, u, tie_sum);
}

/* ---- The bootstrap ---------------------------------------------------------------------------------------------- */

/* Sorted values to draw from, and how often each was drawn. */
struct urn {
  double *sorted;
  uint32_t *drawn;
  size_t count;
};

static bool fill_urn(struct urn *urn, const double *values, size_t count) {
  *urn = (struct urn){malloc((count + 1) * sizeof *urn->sorted), malloc((count + 1) * sizeof *urn->drawn), count};
  if (!urn->sorted || !urn->drawn) return false;
  memcpy(urn->sorted, values, count * sizeof *values);
  sk_statistics_sort(urn->sorted, count);
  return true;
}

static void free_urn(struct urn *urn) {
  free(urn->sorted);
  free(urn->drawn);
}

static double median_of(const struct urn *urn) { return sk_statistics_quantile(urn->sorted, urn->count, 0.5); }

/* The median of a resample: since the values are sorted, counting draws replaces sorting each resample. */
static double resample_median(const struct urn *urn, struct sk_random *random) {
  const size_t lower = (urn->count - 1) / 2, upper = urn->count / 2;
  size_t seen = 0, at = 0;
  memset(urn->drawn, 0, urn->count * sizeof *urn->drawn);
  for (size_t i = 0; i < urn->count; i++) urn->drawn[sk_random_below(random, urn->count)]++;
  for (seen = urn->drawn[0]; seen <= lower; seen += urn->drawn[at]) at++;
  const double low = urn->sorted[at];
  for (; seen <= upper; seen += urn->drawn[at]) at++;
  return (low + urn->sorted[at]) / 2;
}

/* Set the interval of the ratio of two urns' medians (base: NULL for the median of one alone). */
static void set_interval(struct sk_comparison *comparison, const struct urn *base, const struct urn *other,
                         uint64_t seed) {
  double medians[RESAMPLES];
  struct sk_random random = sk_random_start(seed, "bootstrap");
  for (size_t i = 0; i < RESAMPLES; i++) {
    const double median = resample_median(other, &random);
    medians[i] = base ? median / resample_median(base, &random) : median;
  }
  sk_statistics_sort(medians, RESAMPLES);
  comparison->low = sk_statistics_quantile(medians, RESAMPLES, (1 - SK_CONFIDENCE) / 2);
  comparison->high = sk_statistics_quantile(medians, RESAMPLES, (1 + SK_CONFIDENCE) / 2);
}

/* ---- Comparing -------------------------------------------------------------------------------------------------- */

static const struct sk_comparison unknown = {NAN, NAN, NAN, NAN};

struct sk_comparison sk_comparison_paired(const double *base, const double *other, size_t count, uint64_t seed) {
  struct sk_comparison comparison = unknown;
  struct urn ratios = {0};
  double *values = malloc((count + 1) * sizeof *values);
  if (values && count > 0) {
    for (size_t i = 0; i < count; i++) values[i] = other[i] / base[i];
    if (fill_urn(&ratios, values, count)) {
      comparison.ratio = median_of(&ratios);
      set_interval(&comparison, NULL, &ratios, seed);
    }
    comparison.p_value = sk_mann_whitney(base, count, other, count);
  }
  free_urn(&ratios);
  free(values);
  return comparison;
}

struct sk_comparison sk_comparison_unpaired(const double *base, size_t base_count, const double *other,
                                            size_t other_count, uint64_t seed) {
  struct sk_comparison comparison = unknown;
  struct urn a = {0}, b = {0};
  if (base_count == 0 || other_count == 0) return comparison;
  if (fill_urn(&a, base, base_count) && fill_urn(&b, other, other_count)) {
    comparison.ratio = median_of(&b) / median_of(&a);
    set_interval(&comparison, &a, &b, seed);
  }
  comparison.p_value = sk_mann_whitney(base, base_count, other, other_count);
  free_urn(&a);
  free_urn(&b);
  return comparison;
}

const char *sk_verdict_name(enum sk_verdict verdict) {
  static const char *const names[] = {"base", "equal", "faster", "slower", "wrong", "failed"};
  return names[verdict];
}

enum sk_verdict sk_comparison_verdict(const struct sk_comparison *comparison, double threshold) {
  const bool is_sure = comparison->p_value < 1 - SK_CONFIDENCE; /* false for NaN, as the next ones are */
  if (is_sure && comparison->high < 1 && comparison->ratio < 1 - threshold) return SK_VERDICT_FASTER;
  if (is_sure && comparison->low > 1 && comparison->ratio > 1 + threshold) return SK_VERDICT_SLOWER;
  return SK_VERDICT_EQUAL;
}
