/*
 * What `skiplane tune` measures and chooses: one network for `auto` and one for each candidate, each convolution of
 * which runs by that algorithm where it applies. They run in turns, and every layer is timed where it stands in its
 * network, its weights as cold as the rest of the network leaves them.
 */
#ifndef SK_BENCH_TUNE_H
#define SK_BENCH_TUNE_H

#include "bench/affinity.h"
#include "bench/command_line.h"
#include "bench/comparison.h"
#include "bench/context.h"
#include "bench/source.h"
#include "bench/statistics.h"
#include "bench/terminal.h"
#include "bench/trial.h"
#include "bench/verify_internal.h"

#define SK_NO_ROW SIZE_MAX

enum { SK_TUNE_MOST = SK_ALGORITHM_COUNT, SK_TUNE_LEAST_ROUNDS = 6 /* without which no interval is worth a choice */ };

/* A network and its times. The first is `auto`, the base. */
struct sk_tune_candidate {
  sk_algorithm algorithm;
  sk_net *net;
  struct sk_trial trial;
  double *times; /* [rounds][layers], seconds */
};

/* A candidate in one row. */
struct sk_tune_cell {
  bool is_there;                   /* measured, and of another algorithm than auto's */
  struct sk_summary time;          /* seconds of a layer; of all in the row, their mean */
  struct sk_comparison comparison; /* with auto */
};

/* Convolutions of one shape, for which one algorithm is chosen. */
struct sk_tune_row {
  size_t first, count;                     /* the first layer, and how many there are */
  sk_algorithm automatic;                  /* what `auto` runs */
  size_t chosen;                           /* candidate; 0: auto's algorithm stays */
  struct sk_tune_cell cells[SK_TUNE_MOST]; /* [candidate_count] */
};

/* The whole plan against auto. */
struct sk_tune_check {
  size_t rounds; /* 0: not made */
  struct sk_summary base, plan;
  struct sk_comparison comparison;
};

struct sk_tune {
  const struct sk_options *options;
  const char *model;
  const struct sk_source *source;
  int threads;
  struct sk_cpu_list cpus;
  struct sk_context context;
  struct sk_command_line command;
  struct sk_date date;
  sk_net_info info; /* of the base */

  struct sk_tune_candidate candidates[SK_TUNE_MOST];
  size_t candidate_count;
  size_t timed_runs; /* of a candidate's turn in a round */
  size_t rounds, room;
  size_t *row_of; /* [layers] number of a layer's row; SK_NO_ROW: no convolution */
  struct sk_tune_row *rows;
  size_t row_count;

  struct sk_tune_check check;
  bool reverted;    /* the plan was slower as a whole: auto's algorithms are back in all rows */
  bool interrupted; /* before all was measured */
  struct sk_progress progress;
  struct sk_random random;
};

/* Measure and choose. Requires: options, model, source, threads, cpus and context are set, the rest is zero. With
 * rounds 0 it was interrupted before there was anything to choose by. Free whatever the outcome.
 * Errors: SK_INVALID_ARGUMENT (--candidates), those of sk_net_create and sk_net_run, SK_OUT_OF_MEMORY. */
sk_status sk_tune_measure(struct sk_tune *tune);
void sk_tune_free(struct sk_tune *tune);

/* Its steps. Make the networks and the rows; on an interruption there are no rows. Errors: as above. */
sk_status sk_tune_open(struct sk_tune *tune);

/* Choose for each row by the times. Requires: rounds > 0. Errors: SK_OUT_OF_MEMORY. */
sk_status sk_tune_choose(struct sk_tune *tune);

/* Judge the plan as a whole, by the check: layers that are faster by themselves may yet make a network that is slower.
 * Then auto's algorithms come back. */
void sk_tune_judge(struct sk_tune *tune);

/* The algorithm of a row by the plan, and number of layers whose algorithm is not auto's. */
sk_algorithm sk_tune_algorithm(const struct sk_tune *tune, const struct sk_tune_row *row);
size_t sk_tune_changes(const struct sk_tune *tune);

/* The times of a layer by a candidate, in seconds: values[rounds], which are left sorted. Of auto's algorithm, those in
 * the network of `auto`. */
struct sk_summary sk_tune_summarise_layer(const struct sk_tune *tune, size_t candidate, size_t layer, double *values);

/* Whether the plan as a whole is faster than auto, or slower, beyond doubt. */
enum sk_verdict sk_tune_verdict(const struct sk_tune *tune);

/* ---- Outputs ---------------------------------------------------------------------------------------------------- */

/* Print it for people, to stdout. Errors: SK_OUT_OF_MEMORY. */
sk_status sk_tune_print(const struct sk_tune *tune);

/* Build the plan file. End it with sk_json_discard or sk_json_finish. */
void sk_tune_json(const struct sk_tune *tune, struct sk_json *json);

#endif
