#include "bench/compare.h"

#include <math.h>
#include <stdlib.h>

#include "dispatch/status.h"

/* ---- Memory ----------------------------------------------------------------------------------------------------- */

sk_status sk_compare_allocate(struct sk_compare *compare, size_t targets) {
  const size_t columns = compare->column_count;
  compare->targets = calloc(targets + 1, sizeof *compare->targets);
  compare->totals = calloc(columns + 1, sizeof *compare->totals);
  bool is_complete = compare->targets && compare->totals;
  for (size_t i = 0; is_complete && i < targets; i++) {
    compare->targets[i].results = calloc(columns + 1, sizeof *compare->targets[i].results);
    is_complete = compare->targets[i].results != NULL;
  }
  return is_complete ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "out of memory for the results of %zu targets", targets);
}

void sk_compare_free(struct sk_compare *compare) {
  for (size_t i = 0; compare->targets && compare->targets[i].results; i++) free(compare->targets[i].results);
  free(compare->targets); /* its last entry is empty */
  free(compare->totals);
  *compare = (struct sk_compare){0};
}

static const struct sk_compare_result not_measured = {
    .verdict = SK_VERDICT_FAILED,
    .time = {.minimum = NAN, .median = NAN, .interval = {NAN, NAN, 0}},
    .comparison = {NAN, NAN, NAN, NAN},
    .gflops = NAN,
    .percent_of_peak = NAN,
    .max_error = NAN,
    .l2_error = NAN};

void sk_compare_clear(struct sk_compare *compare) {
  for (size_t i = 0; i < compare->column_count; i++) compare->totals[i] = not_measured;
}

struct sk_compare_target *sk_compare_add(struct sk_compare *compare, const char *name, const char *shape,
                                         uint64_t macs) {
  struct sk_compare_target *target = &compare->targets[compare->target_count++];
  target->name = name;
  target->shape = shape;
  target->macs = macs;
  target->winner = SK_NO_WINNER;
  for (size_t i = 0; i < compare->column_count; i++) target->results[i] = not_measured;
  return target;
}

/* ---- The peak --------------------------------------------------------------------------------------------------- */

double sk_compare_peak(const struct sk_compare *compare) {
  double peak = NAN;
  for (size_t i = 0; i < compare->peak_count; i++) peak = fmax(peak, compare->peaks[i]);
  return peak;
}

double sk_compare_drift(const struct sk_compare *compare) {
  double least = NAN;
  for (size_t i = 0; i < compare->peak_count; i++) least = fmin(least, compare->peaks[i]);
  return 1 - least / sk_compare_peak(compare);
}

/* ---- Rows ------------------------------------------------------------------------------------------------------- */

static bool is_right(const struct sk_compare_result *result) {
  return result->time.count > 0 && result->verdict != SK_VERDICT_WRONG && result->verdict != SK_VERDICT_FAILED;
}

static size_t find_winner(const struct sk_compare *compare, const struct sk_compare_target *target) {
  size_t winner = SK_NO_WINNER;
  for (size_t i = 0; i < compare->column_count; i++) {
    if (!is_right(&target->results[i])) continue;
    if (winner == SK_NO_WINNER || target->results[i].time.median < target->results[winner].time.median) winner = i;
  }
  return winner;
}

static void finish_target(const struct sk_compare *compare, struct sk_compare_target *target) {
  const double peak = sk_compare_peak(compare);
  target->winner = find_winner(compare, target);
  for (size_t i = 0; i < compare->column_count; i++) {
    struct sk_compare_result *result = &target->results[i];
    if (result->time.count == 0 || !isnan(result->percent_of_peak)) continue;
    result->gflops = 2e-9 * (double)target->macs / result->time.median;
    result->percent_of_peak = 100 * result->gflops / peak;
  }
}

/* ---- All rows together ------------------------------------------------------------------------------------------ */

/* Sums over the rows in which a column ran, and logarithms of ratios where the first column did, too. */
struct sums {
  size_t ran, compared;
  bool is_wrong;
  double median, low, high, minimum;
  double log_ratio, log_low, log_high;
  double macs, max_error, l2_error;
};

static void add_result(struct sums *sums, const struct sk_compare_target *target, size_t column) {
  const struct sk_compare_result *result = &target->results[column];
  sums->is_wrong = sums->is_wrong || result->verdict == SK_VERDICT_WRONG;
  if (result->time.count == 0) return;
  sums->ran++;
  sums->median += result->time.median;
  sums->low += result->time.interval.low;
  sums->high += result->time.interval.high;
  sums->minimum += result->time.minimum;
  sums->macs += (double)target->macs;
  sums->max_error = fmax(sums->max_error, result->max_error);
  sums->l2_error = fmax(sums->l2_error, result->l2_error);
  if (target->results[0].time.count == 0) return; /* its base is another column */
  sums->compared++;
  sums->log_ratio += log(result->comparison.ratio);
  sums->log_low += log(result->comparison.low);
  sums->log_high += log(result->comparison.high);
}

/* Geometric means. That of the intervals' ends is wider than need be: the rows do not err together. */
static struct sk_comparison mean_comparison(const struct sums *sums) {
  const double count = (double)sums->compared;
  return (struct sk_comparison){.ratio = exp(sums->log_ratio / count),
                                .low = exp(sums->log_low / count),
                                .high = exp(sums->log_high / count),
                                .p_value = NAN};
}

/* No test covers all rows; their intervals together have to do. */
static enum sk_verdict total_verdict(const struct sk_compare *compare, size_t column, const struct sums *sums,
                                     struct sk_comparison comparison) {
  if (sums->is_wrong) return SK_VERDICT_WRONG;
  if (sums->ran == 0) return SK_VERDICT_FAILED;
  if (column == 0) return SK_VERDICT_BASE;
  comparison.p_value = 0;
  return sk_comparison_verdict(&comparison, compare->options->threshold);
}

/* Times are summed only where every row has one: else the sums would be of different work. */
static void total_column(struct sk_compare *compare, size_t column) {
  struct sums sums = {.max_error = NAN, .l2_error = NAN};
  struct sk_compare_result *total = &compare->totals[column];
  for (size_t i = 0; i < compare->target_count; i++) add_result(&sums, &compare->targets[i], column);
  *total = not_measured;
  total->comparison = mean_comparison(&sums);
  total->verdict = total_verdict(compare, column, &sums, total->comparison);
  total->max_error = sums.max_error;
  total->l2_error = sums.l2_error;
  if (sums.ran < compare->target_count || sums.ran == 0) return;
  total->time = (struct sk_summary){.count = sums.ran,
                                    .minimum = sums.minimum,
                                    .median = sums.median,
                                    .interval = {sums.low, sums.high, SK_CONFIDENCE}};
  total->gflops = 2e-9 * sums.macs / sums.median;
  total->percent_of_peak = 100 * total->gflops / sk_compare_peak(compare);
}

void sk_compare_finish(struct sk_compare *compare) {
  compare->rounds = compare->target_count > 0 ? SIZE_MAX : 0;
  for (size_t i = 0; i < compare->target_count; i++) {
    finish_target(compare, &compare->targets[i]);
    if (compare->targets[i].rounds < compare->rounds) compare->rounds = compare->targets[i].rounds;
  }
  for (size_t i = 0; i < compare->column_count && !compare->has_whole; i++) {
    if (compare->target_count == 1) {
      compare->totals[i] = compare->targets[0].results[i];
    } else {
      total_column(compare, i);
    }
  }
}

/* ---- Regressions ------------------------------------------------------------------------------------------------ */

static bool tell_if_slower(const struct sk_compare *compare, const char *what, size_t column,
                           const struct sk_compare_result *result, double fraction) {
  const char *name = compare->columns[column].name;
  if (result->verdict == SK_VERDICT_WRONG) {
    sk_tell(compare->options, "%s: %s is wrong: %s", what, name, result->reason.text);
    return true;
  }
  if (sk_comparison_verdict(&result->comparison, fraction) != SK_VERDICT_SLOWER) return false;
  sk_tell(compare->options, "%s: %s is slower by %.1f%%, more than %.1f%%", what, name,
          100 * (result->comparison.ratio - 1), 100 * fraction);
  return true;
}

size_t sk_compare_tell_slower(const struct sk_compare *compare, double fraction) {
  size_t count = 0;
  for (size_t column = 0; compare->has_whole && column < compare->column_count; column++) {
    count += tell_if_slower(compare, compare->target, column, &compare->totals[column], fraction);
  }
  for (size_t i = 0; i < compare->target_count; i++) {
    for (size_t column = 0; column < compare->column_count; column++) {
      const struct sk_compare_target *target = &compare->targets[i];
      count += tell_if_slower(compare, target->name, column, &target->results[column], fraction);
    }
  }
  return count;
}
