#include "bench/tune.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "bench/interrupt.h"
#include "bench/memory.h"
#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/plan.h"
#include "resnet/suggest.h"
#include "resnet/text.h"

#define TUNE_SECONDS 30.0
#define CHECK_SHARE 0.3 /* of the time: for the plan as a whole */
#define DEFAULT_CANDIDATES "direct,winograd2,winograd4,strassen,winograd3"
#define LONG_RUN 20e-3 /* seconds: of longer runs, rounds are rather many than each of several */
enum {
  MOST_TIMED_RUNS = 3, /* of a turn, whose median counts: a run that the system interrupted does not */
  MOST_ROUNDS = 1000   /* more would narrow no interval that matters */
};

/* ---- Candidates ------------------------------------------------------------------------------------------------- */

static sk_status fail_candidate(const char *name) {
  const char *names[SK_ALGORITHM_COUNT];
  for (int i = SK_ALGORITHM_DIRECT; i < SK_ALGORITHM_COUNT; i++) names[i - 1] = sk_algorithm_name((sk_algorithm)i);
  const char *nearest = sk_suggest(name, names, SK_ALGORITHM_COUNT - 1);
  return sk_fail(
      SK_INVALID_ARGUMENT,
      "--candidates: \"%s\" is not direct, winograd2, winograd4, winograd6, gemm, strassen or winograd3%s%s%s",
      sk_quote_short(name).text, nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static bool is_candidate(const struct sk_tune *tune, sk_algorithm algorithm) {
  for (size_t i = 0; i < tune->candidate_count; i++) {
    if (tune->candidates[i].algorithm == algorithm) return true;
  }
  return false;
}

static sk_status add_candidate(struct sk_tune *tune, const char *name) {
  sk_algorithm algorithm = SK_ALGORITHM_AUTO;
  if (sk_algorithm_parse(name, &algorithm) || algorithm == SK_ALGORITHM_AUTO) return fail_candidate(name);
  if (!is_candidate(tune, algorithm)) tune->candidates[tune->candidate_count++].algorithm = algorithm;
  return SK_OK;
}

static sk_status list_candidates(struct sk_tune *tune) {
  const char *const wanted = tune->options->candidates ? tune->options->candidates : DEFAULT_CANDIDATES;
  char *const names = strdup(wanted);
  char *rest = NULL;
  sk_status status = SK_OK;
  if (!names) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the candidates");
  tune->candidates[tune->candidate_count++].algorithm = SK_ALGORITHM_AUTO;
  for (char *name = strtok_r(names, ",", &rest); name && !status; name = strtok_r(NULL, ",", &rest)) {
    status = add_candidate(tune, name);
  }
  free(names);
  return status || tune->candidate_count > 1 ? status : fail_candidate(wanted);
}

static sk_status create_net(const struct sk_tune *tune, sk_algorithm algorithm, const sk_plan *plan, sk_net **net) {
  const struct sk_options *options = tune->options;
  const sk_net_options wanted = {.isa = options->isa,
                                 .algorithm = algorithm,
                                 .threads = tune->threads,
                                 .batch = options->batch,
                                 .in_height = options->height,
                                 .in_width = options->width,
                                 .plan = plan,
                                 .max_bytes = sk_memory_most(options)};
  return sk_source_plan(net, tune->source, &wanted);
}

static void close_candidate(struct sk_tune_candidate *candidate) {
  sk_trial_close(&candidate->trial);
  sk_net_destroy(candidate->net);
  free(candidate->times);
  *candidate = (struct sk_tune_candidate){0};
}

/* Of the candidates that nobody asked for, one that applies nowhere in this network is left out. */
static sk_status open_candidate(struct sk_tune *tune, size_t index) {
  struct sk_tune_candidate *const candidate = &tune->candidates[index];
  sk_status status = create_net(tune, candidate->algorithm, NULL, &candidate->net);
  if (status == SK_UNSUPPORTED && index > 0 && !tune->options->candidates) {
    tune->candidate_count--;
    for (size_t i = index; i < tune->candidate_count; i++) tune->candidates[i] = tune->candidates[i + 1];
    tune->candidates[tune->candidate_count] = (struct sk_tune_candidate){0};
    return SK_OK;
  }
  return status ? status : sk_trial_open(&candidate->trial, candidate->net);
}

static sk_status open_candidates(struct sk_tune *tune) {
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < tune->candidate_count && !sk_interrupted();) {
    const size_t before = tune->candidate_count;
    sk_progress_update(&tune->progress, "networks made", i, before);
    status = open_candidate(tune, i);
    i += tune->candidate_count == before;
  }
  return status;
}

/* ---- Rows ------------------------------------------------------------------------------------------------------- */

static bool is_conv(const sk_layer_info *layer) { return strncmp(layer->op, "conv", 4) == 0; }

static bool has_same_shape(const sk_layer_info *a, const sk_layer_info *b) {
  return a->in_channels == b->in_channels && a->in_height == b->in_height && a->in_width == b->in_width &&
         a->out_channels == b->out_channels && a->out_height == b->out_height && a->out_width == b->out_width &&
         a->kernel_height == b->kernel_height && a->kernel_width == b->kernel_width && a->stride == b->stride &&
         a->groups == b->groups;
}

/* The layer of one of the networks. The index is right, so that it cannot fail. */
static sk_layer_info layer_of(const struct sk_tune_candidate *candidate, size_t index) {
  sk_layer_info layer = {0};
  (void)sk_net_layer(candidate->net, index, &layer);
  return layer;
}

/* What a candidate adds to a row: an algorithm that applies and is not what `auto` runs. */
static bool offers(const struct sk_tune_candidate *candidate, const struct sk_tune_row *row) {
  const sk_algorithm algorithm = layer_of(candidate, row->first).algorithm;
  return algorithm == candidate->algorithm && algorithm != row->automatic;
}

static size_t find_row(const struct sk_tune *tune, const sk_layer_info *layer) {
  for (size_t i = 0; i < tune->row_count; i++) {
    const sk_layer_info other = layer_of(&tune->candidates[0], tune->rows[i].first);
    if (has_same_shape(&other, layer)) return i;
  }
  return tune->row_count;
}

static void add_layer(struct sk_tune *tune, size_t index) {
  const sk_layer_info layer = layer_of(&tune->candidates[0], index);
  tune->row_of[index] = SK_NO_ROW;
  if (!is_conv(&layer)) return;
  const size_t row = find_row(tune, &layer);
  tune->row_of[index] = row;
  if (row == tune->row_count) {
    tune->rows[tune->row_count++] = (struct sk_tune_row){.first = index, .automatic = layer.algorithm};
  }
  tune->rows[row].count++;
}

static sk_status make_rows(struct sk_tune *tune) {
  sk_net_describe(tune->candidates[0].net, &tune->info);
  tune->row_of = calloc(tune->info.layers + 1, sizeof *tune->row_of);
  tune->rows = calloc(tune->info.layers + 1, sizeof *tune->rows);
  if (!tune->row_of || !tune->rows) {
    return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu layers", tune->info.layers);
  }
  for (size_t i = 0; i < tune->info.layers; i++) add_layer(tune, i);
  for (size_t i = 0; i < tune->row_count; i++) {
    for (size_t c = 1; c < tune->candidate_count; c++) {
      tune->rows[i].cells[c].is_there = offers(&tune->candidates[c], &tune->rows[i]);
    }
  }
  return SK_OK;
}

/* ---- Rounds ----------------------------------------------------------------------------------------------------- */

/* How long rounds may go on: until `end`; if they are few then, as long again; at least one. Or as many as are wanted.
 */
struct pace {
  double start, end;
  size_t wanted; /* 0: by the time */
};

static bool wants_more(const struct pace *pace, size_t rounds) {
  const double now = sk_clock_seconds();
  if (sk_interrupted()) return false;
  if (pace->wanted > 0) return rounds < pace->wanted;
  if (rounds >= MOST_ROUNDS) return false;
  const double patience = 2 * (pace->end - pace->start);
  return now < pace->end || (rounds < SK_TUNE_LEAST_ROUNDS && now < pace->start + patience) || rounds == 0;
}

static void show_progress(struct sk_tune *tune, const char *what, const struct pace *pace, size_t rounds) {
  if (pace->wanted > 0) {
    sk_progress_update(&tune->progress, what, rounds, pace->wanted);
  } else {
    sk_progress_time(&tune->progress, what, sk_clock_seconds() - pace->start, pace->end - pace->start);
  }
}

static double median_of(double *values, size_t count) {
  sk_statistics_sort(values, count);
  return sk_statistics_quantile(values, count, 0.5);
}

static sk_status make_room(struct sk_tune *tune) {
  size_t elements = 0, bytes = 0;
  if (tune->rounds < tune->room) return SK_OK;
  const size_t room = tune->room > 0 ? 2 * tune->room : 32;
  const bool fits =
      sk_size_multiply(room, tune->info.layers, &elements) && sk_size_multiply(elements, sizeof(double), &bytes);
  for (size_t i = 0; i < tune->candidate_count; i++) {
    double *const times = fits ? realloc(tune->candidates[i].times, bytes) : NULL;
    if (!times) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the times of %zu rounds", room);
    tune->candidates[i].times = times;
  }
  tune->room = room;
  return SK_OK;
}

/* One candidate's turn: a run that brings back into the caches what others pushed out, as the run before would have
 * left it, then those of which each layer's median counts. stamps: [timed_runs][layers + 1]. */
static sk_status take_turn(const struct sk_tune *tune, const struct sk_tune_candidate *candidate, double *stamps) {
  const size_t layers = tune->info.layers;
  double *const times = candidate->times + tune->rounds * layers;
  double seconds = 0;
  sk_status status = sk_trial_run(&candidate->trial, &seconds);
  for (size_t run = 0; !status && run < tune->timed_runs; run++) {
    status = sk_trial_run_watched(&candidate->trial, stamps + run * (layers + 1), &seconds);
  }
  for (size_t i = 0; !status && i < layers; i++) {
    double values[MOST_TIMED_RUNS] = {0};
    for (size_t run = 0; run < tune->timed_runs; run++) {
      const double *const ends = stamps + run * (layers + 1) + i;
      values[run] = ends[1] - ends[0];
    }
    times[i] = median_of(values, tune->timed_runs);
  }
  return status;
}

/* A round that was interrupted does not count. */
static sk_status run_round(struct sk_tune *tune, double *stamps) {
  size_t order[SK_TUNE_MOST] = {0};
  sk_status status = make_room(tune);
  sk_random_shuffle(&tune->random, order, tune->candidate_count);
  for (size_t i = 0; !status && i < tune->candidate_count; i++) {
    if (sk_interrupted()) return SK_OK;
    status = take_turn(tune, &tune->candidates[order[i]], stamps);
  }
  tune->rounds += !status;
  return status;
}

static sk_status run_rounds(struct sk_tune *tune, const struct pace *pace) {
  double *const stamps = calloc(tune->timed_runs * (tune->info.layers + 1), sizeof *stamps);
  sk_status status = stamps ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "out of memory for the times of a run");
  while (!status && wants_more(pace, tune->rounds)) {
    status = run_round(tune, stamps);
    show_progress(tune, "measuring candidates", pace, tune->rounds);
  }
  free(stamps);
  return status;
}

/* ---- Choosing --------------------------------------------------------------------------------------------------- */

/* A row's times by one candidate: the mean of its layers, round by round. */
static void average_row(const struct sk_tune *tune, const struct sk_tune_candidate *candidate, size_t row,
                        double *values) {
  for (size_t round = 0; round < tune->rounds; round++) {
    const double *const times = candidate->times + round * tune->info.layers;
    values[round] = 0;
    for (size_t i = 0; i < tune->info.layers; i++) {
      if (tune->row_of[i] == row) values[round] += times[i] / (double)tune->rows[row].count;
    }
  }
}

static bool is_faster(const struct sk_tune *tune, const struct sk_tune_cell *cell) {
  return tune->rounds >= SK_TUNE_LEAST_ROUNDS && cell->comparison.high < 1;
}

/* Summarise a row and choose: the least ratio of those that are below 1 beyond doubt. */
static void choose_row(const struct sk_tune *tune, size_t index, double *base, double *other) {
  struct sk_tune_row *const row = &tune->rows[index];
  average_row(tune, &tune->candidates[0], index, base);
  for (size_t c = 1; c < tune->candidate_count; c++) {
    struct sk_tune_cell *const cell = &row->cells[c];
    if (!cell->is_there) continue;
    average_row(tune, &tune->candidates[c], index, other);
    cell->comparison = sk_comparison_paired(base, other, tune->rounds, tune->options->seed);
    cell->time = sk_statistics_summarise(other, tune->rounds);
    const bool is_best = row->chosen == 0 || cell->comparison.ratio < row->cells[row->chosen].comparison.ratio;
    if (is_faster(tune, cell) && is_best) row->chosen = c;
  }
  row->cells[0].is_there = true;
  row->cells[0].time = sk_statistics_summarise(base, tune->rounds);
}

sk_status sk_tune_choose(struct sk_tune *tune) {
  double *const base = calloc(tune->rounds, sizeof *base);
  double *const other = calloc(tune->rounds, sizeof *other);
  const bool has_memory = base && other;
  for (size_t i = 0; has_memory && i < tune->row_count; i++) {
    sk_progress_update(&tune->progress, "shapes chosen for", i, tune->row_count);
    choose_row(tune, i, base, other);
  }
  free(base);
  free(other);
  return has_memory ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "out of memory for the times of %zu rounds", tune->rounds);
}

sk_algorithm sk_tune_algorithm(const struct sk_tune *tune, const struct sk_tune_row *row) {
  return row->chosen == 0 ? row->automatic : tune->candidates[row->chosen].algorithm;
}

size_t sk_tune_changes(const struct sk_tune *tune) {
  size_t count = 0;
  for (size_t i = 0; i < tune->row_count; i++) count += tune->rows[i].chosen > 0 ? tune->rows[i].count : 0;
  return count;
}

struct sk_summary sk_tune_summarise_layer(const struct sk_tune *tune, size_t candidate, size_t layer, double *values) {
  const double *const times = tune->candidates[candidate].times;
  for (size_t round = 0; round < tune->rounds; round++) values[round] = times[round * tune->info.layers + layer];
  return sk_statistics_summarise(values, tune->rounds);
}

/* ---- The plan as a whole ---------------------------------------------------------------------------------------- */

/* Make the network of the plan as its users will: out of the file's text. */
static sk_status create_planned(const struct sk_tune *tune, sk_net **net) {
  struct sk_json json;
  sk_plan *plan = NULL;
  sk_tune_json(tune, &json);
  char *const text = json.failed ? NULL : cJSON_Print(json.root);
  sk_status status = text ? sk_plan_parse(&plan, "the plan", text, strlen(text))
                          : sk_fail(SK_OUT_OF_MEMORY, "out of memory for the plan");
  if (!status) status = create_net(tune, SK_ALGORITHM_AUTO, plan, net);
  sk_plan_close(plan);
  cJSON_free(text);
  sk_json_discard(&json);
  return status;
}

/* One turn of a whole network, as above. */
static sk_status time_whole(const struct sk_tune *tune, const struct sk_trial *trial, double *seconds) {
  double values[MOST_TIMED_RUNS] = {0};
  sk_status status = sk_trial_run(trial, seconds);
  for (size_t run = 0; !status && run < tune->timed_runs; run++) status = sk_trial_run(trial, &values[run]);
  if (!status) *seconds = median_of(values, tune->timed_runs);
  return status;
}

static sk_status run_check_round(struct sk_tune *tune, const struct sk_trial *plan, struct sk_samples samples[2]) {
  double seconds[2] = {0, 0};
  const bool plan_first = sk_random_below(&tune->random, 2) == 1;
  sk_status status = plan_first ? time_whole(tune, plan, &seconds[1]) : SK_OK;
  if (!status) status = time_whole(tune, &tune->candidates[0].trial, &seconds[0]);
  if (!status && !plan_first) status = time_whole(tune, plan, &seconds[1]);
  if (status) return status;
  if (sk_samples_add(&samples[0], seconds[0]) && sk_samples_add(&samples[1], seconds[1])) return SK_OK;
  return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the times of a round");
}

static sk_status run_check(struct sk_tune *tune, const struct sk_trial *plan, const struct pace *pace) {
  struct sk_samples samples[2] = {0};
  struct sk_tune_check *const check = &tune->check;
  sk_status status = sk_trial_warm_up(plan);
  while (!status && wants_more(pace, check->rounds)) {
    status = run_check_round(tune, plan, samples);
    check->rounds += !status;
    show_progress(tune, "measuring the plan", pace, check->rounds);
  }
  if (!status && check->rounds > 0) {
    check->comparison = sk_comparison_paired(samples[0].values, samples[1].values, check->rounds, tune->options->seed);
    check->base = sk_statistics_summarise(samples[0].values, check->rounds);
    check->plan = sk_statistics_summarise(samples[1].values, check->rounds);
  }
  sk_samples_free(&samples[0]);
  sk_samples_free(&samples[1]);
  return status;
}

enum sk_verdict sk_tune_verdict(const struct sk_tune *tune) {
  const struct sk_tune_check *const check = &tune->check;
  if (check->rounds < SK_TUNE_LEAST_ROUNDS) return SK_VERDICT_EQUAL;
  if (check->comparison.high < 1) return SK_VERDICT_FASTER;
  return check->comparison.low > 1 ? SK_VERDICT_SLOWER : SK_VERDICT_EQUAL;
}

void sk_tune_judge(struct sk_tune *tune) {
  tune->reverted = sk_tune_verdict(tune) == SK_VERDICT_SLOWER;
  for (size_t i = 0; tune->reverted && i < tune->row_count; i++) tune->rows[i].chosen = 0;
}

/* Of the candidates only the times are wanted now: their memory may be. */
static void close_networks(struct sk_tune *tune) {
  for (size_t i = 1; i < tune->candidate_count; i++) {
    sk_trial_close(&tune->candidates[i].trial);
    sk_net_destroy(tune->candidates[i].net);
    tune->candidates[i].net = NULL;
  }
}

static sk_status check_plan(struct sk_tune *tune, const struct pace *pace) {
  struct sk_trial trial = {0};
  sk_net *net = NULL;
  if (sk_tune_changes(tune) == 0 || sk_interrupted()) return SK_OK;
  close_networks(tune);
  sk_status status = create_planned(tune, &net);
  if (!status) status = sk_trial_open(&trial, net);
  if (!status) status = run_check(tune, &trial, pace);
  sk_trial_close(&trial);
  sk_net_destroy(net);
  sk_tune_judge(tune);
  return status;
}

/* ---- All of it -------------------------------------------------------------------------------------------------- */

sk_status sk_tune_open(struct sk_tune *tune) {
  sk_status status = list_candidates(tune);
  if (!status) status = open_candidates(tune);
  return status || sk_interrupted() ? status : make_rows(tune);
}

/* Let caches, clocks and page tables settle, and see how long a run is. */
static sk_status warm_up(struct sk_tune *tune) {
  double seconds = 0;
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < tune->candidate_count && !sk_interrupted(); i++) {
    status = sk_trial_warm_up(&tune->candidates[i].trial);
  }
  if (!status) status = sk_trial_run(&tune->candidates[0].trial, &seconds);
  tune->timed_runs = seconds > LONG_RUN ? 1 : MOST_TIMED_RUNS;
  return status;
}

static sk_status measure(struct sk_tune *tune) {
  const double seconds = tune->options->duration > 0 ? tune->options->duration : TUNE_SECONDS;
  sk_status status = sk_tune_open(tune);
  if (!status) status = warm_up(tune);
  if (status || sk_interrupted()) return status;
  const double start = sk_clock_seconds();
  const struct pace rounds = {start, start + (1 - CHECK_SHARE) * seconds, tune->options->runs};
  status = run_rounds(tune, &rounds);
  if (status || tune->rounds == 0) return status;
  status = sk_tune_choose(tune);
  const double now = sk_clock_seconds();
  const struct pace check = {now, now + CHECK_SHARE * seconds, tune->options->runs};
  return status ? status : check_plan(tune, &check);
}

sk_status sk_tune_measure(struct sk_tune *tune) {
  tune->command = sk_command_line();
  tune->date = sk_date_now();
  tune->random = sk_random_start(tune->options->seed, "order of candidates");
  sk_progress_begin(&tune->progress);
  const sk_status status = measure(tune);
  sk_progress_end(&tune->progress);
  tune->interrupted = sk_interrupted();
  return status;
}

void sk_tune_free(struct sk_tune *tune) {
  for (size_t i = 0; i < tune->candidate_count; i++) close_candidate(&tune->candidates[i]);
  free(tune->row_of);
  free(tune->rows);
  tune->row_of = NULL;
  tune->rows = NULL;
  tune->candidate_count = 0;
}
