/* Measuring a comparison: outputs first, then rounds in which every backend runs once, in random order. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <sys/resource.h>

#include "bench/clock.h"
#include "bench/compare.h"
#include "bench/handoff.h"
#include "bench/interrupt.h"
#include "bench/peak.h"
#include "bench/rest.h"
#include "bench/runner.h"
#include "bench/terminal.h"
#include "bench/verify_internal.h"
#include "dispatch/isa.h"
#include "dispatch/status.h"
#include "reference/network.h"

#define SINGLE_SECONDS 10.0 /* for the rounds of one target, unless the user says */
#define SINGLE_TOTAL 24.0   /* with its preparation: if that took long, the rounds get what is left, */
#define SINGLE_LEAST 3.0    /* but so much at least */
#define MANY_SECONDS 20.0   /* for all of several, their preparation included */
#define BLOCK_SECONDS 2e-3  /* of runs in a row: shorter times drown in the noise of the clock and of other's caches */
#define WARM_SECONDS 30e-3
#define LONG_SECONDS 100e-3  /* of a run to which it does not matter that it begins cold */
#define PATIENCE_SECONDS 0.5 /* at least, for the rounds without which no verdict can be given */
enum { LEAST_ROUNDS = 6, MOST_BLOCK = 4096 };

/* One backend on one target. */
struct entry {
  const struct sk_contender *contender;
  struct sk_compare_result *result;
  size_t block;    /* runs of a round */
  size_t dropped;  /* before them, to wake its threads and fetch its data back into the caches that others have used */
  double *seconds; /* [rounds]: of a run, the median of the block */
};

struct session {
  struct sk_compare *compare;
  const struct sk_conditions *conditions;
  const struct sk_kernel_table *kernels; /* whose peak is measured */
  struct sk_cpu_list all;                /* that this process may use */
  struct sk_progress progress;
  struct sk_random random;
  double start, end; /* of all targets */
  double *block;     /* [MOST_BLOCK + 1] times of one block */
};

/* One target being measured. */
struct trial {
  struct session *session;
  struct sk_task task;
  struct entry entries[SK_BACKENDS_MOST];
  size_t entry_count;
  size_t rounds, room;
  double start, end;
  float *x, *y;
  double *reference; /* of the last image */
  size_t elements;   /* of an image's output */
};

/* ---- The machine ------------------------------------------------------------------------------------------------ */

static void measure_machine(const struct session *session) {
  struct sk_compare *compare = session->compare;
  compare->handoffs[compare->peak_count] = sk_handoff_measure(compare->threads);
  compare->peaks[compare->peak_count++] = sk_peak_measure(session->kernels, compare->threads);
}

/* ---- Outputs ---------------------------------------------------------------------------------------------------- */

/* Images of noise of mean 0 and variance 1. */
static void draw_images(float *x, size_t count, uint64_t seed) {
  struct sk_random random = sk_random_start(seed, "images");
  const double limit = sqrt(3);
  for (size_t i = 0; i < count; i++) {
    x[i] = (float)(limit * ((double)(sk_random_next(&random) >> 11) * 0x1p-52 - 1));
  }
}

/* Evaluate the last image: what a backend does wrong from image to image has gone farthest there. While nothing is
 * timed, the reference may have every CPU. */
static sk_status evaluate_reference(const struct trial *trial) {
  const struct sk_task *task = &trial->task;
  const float *last = task->x + (task->batch - 1) * sk_node_elements(&task->graph->nodes[0]);
  sk_affinity_widen(&trial->session->all);
  const sk_status status = sk_reference_network_run(task->graph, 1, last, trial->reference, NULL, NULL);
  sk_affinity_pin(&trial->session->conditions->cpus);
  return status;
}

static void compare_output(const struct trial *trial, struct sk_compare_result *result) {
  const float *y = trial->y + (trial->task.batch - 1) * trial->elements;
  double most = 0, error = 0, squares = 0, norm = 0;
  for (size_t i = 0; i < trial->elements; i++) {
    const double difference = fabs((double)y[i] - trial->reference[i]);
    error = fmax(error, difference);
    most = fmax(most, fabs(trial->reference[i]));
    squares += difference * difference;
    norm += trial->reference[i] * trial->reference[i];
  }
  if (isnan(squares)) error = NAN; /* which fmax passes over */
  result->max_error = error > 0 ? error / most : error;
  result->l2_error = squares > 0 ? sqrt(squares / norm) : squares;
}

static void judge_output(const struct trial *trial, struct sk_compare_result *result) {
  char reason[96];
  compare_output(trial, result);
  if (result->l2_error <= SK_COMPARE_WRONG) return;
  snprintf(reason, sizeof reason, "relative L2 error %.2g, expected at most %g", result->l2_error, SK_COMPARE_WRONG);
  result->reason = sk_quote(reason);
  result->verdict = SK_VERDICT_WRONG;
}

/* ---- Preparing -------------------------------------------------------------------------------------------------- */

static void fail(struct sk_compare_result *result) {
  result->verdict = SK_VERDICT_FAILED;
  result->reason = sk_quote(sk_error_message());
}

/* Run until it has settled, and choose how many runs make a round. */
static sk_status warm_up(const struct entry *entry, size_t *block, size_t *dropped) {
  const double start = sk_clock_seconds();
  double fastest = INFINITY;
  do {
    double seconds = 0;
    const sk_status status = entry->contender->backend->run(entry->contender->instance, 1, &seconds);
    if (status) return status;
    fastest = fmin(fastest, seconds);
  } while (sk_clock_seconds() - start < WARM_SECONDS && !sk_interrupted());
  const double needed = ceil(BLOCK_SECONDS / fmax(fastest, 1e-9));
  *block = needed < MOST_BLOCK ? (size_t)needed : MOST_BLOCK;
  *dropped = fastest < LONG_SECONDS;
  return SK_OK;
}

/* Load one backend, look at its output, and warm it up; false if it cannot do the task. */
static bool prepare_entry(const struct trial *trial, struct entry *entry) {
  const struct sk_backend *backend = entry->contender->backend;
  void *instance = entry->contender->instance;
  double seconds = 0;
  sk_status status = backend->load(instance, &trial->task);
  if (!status) status = backend->run(instance, 1, &seconds);
  if (!status) status = backend->output(instance, trial->y);
  if (!status) status = warm_up(entry, &entry->block, &entry->dropped);
  if (status) {
    fail(entry->result);
    return false;
  }
  entry->result->verdict = SK_VERDICT_EQUAL;
  judge_output(trial, entry->result);
  return true;
}

static void prepare_entries(struct trial *trial, const struct sk_contenders *contenders,
                            const struct sk_compare_target *target) {
  for (size_t i = 0; i < contenders->count && !sk_interrupted(); i++) {
    struct entry *entry = &trial->entries[trial->entry_count];
    *entry = (struct entry){.contender = &contenders->items[i], .result = &target->results[i]};
    trial->entry_count += prepare_entry(trial, entry);
  }
}

static sk_status allocate(struct trial *trial) {
  const struct sk_graph *graph = trial->task.graph;
  const size_t inputs = sk_node_elements(&graph->nodes[0]);
  trial->elements = sk_node_elements(&graph->nodes[graph->count - 1]);
  sk_status status = sk_allocate_floats(&trial->x, trial->task.batch, inputs);
  if (!status) status = sk_allocate_floats(&trial->y, trial->task.batch, trial->elements);
  if (status) return status;
  trial->reference = calloc(trial->elements, sizeof *trial->reference);
  if (!trial->reference) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the reference's output");
  draw_images(trial->x, trial->task.batch * inputs, trial->session->compare->options->seed);
  trial->task.x = trial->x;
  return SK_OK;
}

static void free_trial(struct trial *trial) {
  for (size_t i = 0; i < SK_BACKENDS_MOST; i++) free(trial->entries[i].seconds);
  free(trial->x);
  free(trial->y);
  free(trial->reference);
}

/* ---- Rounds ----------------------------------------------------------------------------------------------------- */

static sk_status make_room(struct trial *trial) {
  if (trial->rounds < trial->room) return SK_OK;
  const size_t room = trial->room > 0 ? 2 * trial->room : 64;
  for (size_t i = 0; i < trial->entry_count; i++) {
    double *seconds = realloc(trial->entries[i].seconds, room * sizeof *seconds);
    if (!seconds) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the times of %zu rounds", room);
    trial->entries[i].seconds = seconds;
  }
  trial->room = room;
  return SK_OK;
}

/* Every backend begins with all threads asleep: its own, which it wakes, and those of the others, which would go on
 * looking for work where it runs. */
static sk_status run_block(const struct trial *trial, const struct entry *entry) {
  double *times = trial->session->block;
  const struct sk_contender *contender = entry->contender;
  if (trial->session->conditions->threads != 1) sk_rest();
  const sk_status status = contender->backend->run(contender->instance, entry->dropped + entry->block, times);
  if (status) return status;
  sk_statistics_sort(times + entry->dropped, entry->block);
  entry->seconds[trial->rounds] = sk_statistics_quantile(times + entry->dropped, entry->block, 0.5);
  return SK_OK;
}

/* One that fails under way is out, with all of its times: they are of a backend that does not work. */
static void drop_entry(struct trial *trial, size_t index) {
  fail(trial->entries[index].result);
  free(trial->entries[index].seconds);
  trial->entry_count--;
  for (size_t i = index; i < trial->entry_count; i++) trial->entries[i] = trial->entries[i + 1];
  trial->entries[trial->entry_count] = (struct entry){0};
}

/* Returns false if some entry was dropped or the round was interrupted: then it does not count. */
static bool run_round(struct trial *trial) {
  size_t order[SK_BACKENDS_MOST] = {0};
  sk_random_shuffle(&trial->session->random, order, trial->entry_count);
  for (size_t i = 0; i < trial->entry_count; i++) {
    if (sk_interrupted()) return false;
    if (run_block(trial, &trial->entries[order[i]])) {
      if (!sk_interrupted()) drop_entry(trial, order[i]);
      return false;
    }
  }
  return true;
}

static bool wants_more(const struct trial *trial) {
  const size_t wanted = trial->session->compare->options->runs;
  const double now = sk_clock_seconds();
  if (trial->entry_count == 0 || sk_interrupted()) return false;
  if (wanted > 0) return trial->rounds < wanted;
  const double patience = fmax(2 * (trial->end - trial->start), PATIENCE_SECONDS);
  return now < trial->end || (trial->rounds < LEAST_ROUNDS && now < trial->start + patience) || trial->rounds == 0;
}

/* The peak between is that of the middle: here for a single target, else between targets. */
static bool is_halfway(const struct trial *trial, bool is_only) {
  const struct sk_compare *compare = trial->session->compare;
  const size_t wanted = compare->options->runs;
  if (!is_only || compare->peak_count > 1) return false;
  return wanted > 0 ? 2 * trial->rounds >= wanted : 2 * sk_clock_seconds() > trial->start + trial->end;
}

/* So many times has the system taken the CPU away from this process. */
static long count_preemptions(void) {
  struct rusage usage = {0};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nivcsw;
}

static sk_status run_rounds(struct trial *trial, bool is_only) {
  struct session *session = trial->session;
  const long before = count_preemptions();
  trial->start = sk_clock_seconds();
  trial->end = fmax(trial->end, trial->start + 0.1);
  while (wants_more(trial)) {
    const sk_status status = make_room(trial);
    if (status) return status;
    trial->rounds += run_round(trial);
    if (is_halfway(trial, is_only)) measure_machine(session);
    sk_progress_time(&session->progress, trial->task.name, sk_clock_seconds() - session->start,
                     session->end - session->start);
  }
  session->compare->preemptions += count_preemptions() - before;
  return SK_OK;
}

/* ---- Results ---------------------------------------------------------------------------------------------------- */

/* The base is the first backend; where that failed, the first that did not. */
static void summarise(const struct trial *trial) {
  const struct sk_options *options = trial->session->compare->options;
  const struct entry *base = &trial->entries[0];
  for (size_t i = 0; i < trial->entry_count; i++) {
    const struct entry *entry = &trial->entries[i];
    struct sk_compare_result *result = entry->result;
    result->comparison = sk_comparison_paired(base->seconds, entry->seconds, trial->rounds, options->seed);
    if (result->verdict == SK_VERDICT_WRONG) continue;
    result->verdict = i == 0 ? SK_VERDICT_BASE : sk_comparison_verdict(&result->comparison, options->threshold);
  }
  for (size_t i = 0; i < trial->entry_count; i++) { /* sorts the times, which no longer pair up after that */
    const struct entry *entry = &trial->entries[i];
    entry->result->time = sk_statistics_summarise(entry->seconds, trial->rounds);
  }
}

/* ---- Targets ---------------------------------------------------------------------------------------------------- */

/* How long to measure a single target, now that it is prepared. */
static double seconds_of_rounds(const struct session *session) {
  const double left = session->start + SINGLE_TOTAL - sk_clock_seconds();
  if (session->compare->options->duration > 0) return session->compare->options->duration;
  return fmin(SINGLE_SECONDS, fmax(SINGLE_LEAST, left));
}

static sk_status measure_trial(struct trial *trial, const struct sk_contenders *contenders,
                               struct sk_compare_target *target, bool is_only) {
  sk_status status = allocate(trial);
  if (!status) status = evaluate_reference(trial);
  if (status) return status;
  prepare_entries(trial, contenders, target);
  if (is_only) trial->end = sk_clock_seconds() + seconds_of_rounds(trial->session);
  status = run_rounds(trial, is_only);
  target->rounds = trial->rounds;
  if (!status && trial->rounds > 0) summarise(trial);
  return status;
}

static sk_status measure_subject(struct session *session, const struct sk_compare_subjects *subjects, size_t index,
                                 const struct sk_contenders *contenders) {
  const struct sk_compare_subject *subject = &subjects->items[index];
  struct sk_compare *compare = session->compare;
  const double now = sk_clock_seconds();
  struct trial trial = {.session = session, .end = now + (session->end - now) / (double)(subjects->count - index)};
  trial.task = (struct sk_task){.name = subject->name,
                                .graph = &subject->graph,
                                .batch = subject->batch,
                                .number = index,
                                .is_layer = subject->is_layer};
  struct sk_compare_target *target =
      sk_compare_add(compare, subject->name, subject->shape, subject->macs * subject->batch);
  const sk_status status = measure_trial(&trial, contenders, target, subjects->count == 1);
  if (trial.rounds == 0 && sk_interrupted()) compare->target_count--;
  free_trial(&trial);
  return status;
}

static sk_status measure_subjects(struct session *session, const struct sk_compare_subjects *subjects,
                                  const struct sk_contenders *contenders) {
  sk_status status = SK_OK;
  measure_machine(session);
  for (size_t i = 0; !status && i < subjects->count && !sk_interrupted(); i++) {
    if (i > 0 && i == subjects->count / 2) measure_machine(session);
    status = measure_subject(session, subjects, i, contenders);
  }
  measure_machine(session);
  return status;
}

static double choose_seconds(const struct sk_options *options, size_t targets) {
  if (options->duration > 0) return options->duration;
  return targets == 1 ? SINGLE_SECONDS : MANY_SECONDS;
}

sk_status sk_compare_measure(struct sk_compare *compare, const struct sk_compare_subjects *subjects,
                             const struct sk_contenders *contenders, const struct sk_conditions *conditions) {
  struct session session = {.compare = compare, .conditions = conditions, .start = sk_clock_seconds()};
  sk_status status = sk_kernels_choose(compare->options->isa, &session.kernels);
  if (status) return status;
  session.end = session.start + choose_seconds(compare->options, subjects->count);
  session.random = sk_random_start(compare->options->seed, "order of backends");
  session.block = calloc(MOST_BLOCK + 1, sizeof *session.block);
  if (!session.block) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the times of a block");
  session.all = compare->all_cpus;
  sk_progress_begin(&session.progress);
  status = measure_subjects(&session, subjects, contenders);
  sk_progress_end(&session.progress);
  free(session.block);
  compare->interrupted = sk_interrupted();
  return status;
}
