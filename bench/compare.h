/*
 * A comparison: targets (rows: a network, layers, the layers of saved runs) by columns (backends, or two saved runs).
 * Text, JSON, CSV and the page show the same results.
 */
#ifndef SK_BENCH_COMPARE_H
#define SK_BENCH_COMPARE_H

#include "bench/backends.h"
#include "bench/command_line.h"
#include "bench/compare_targets.h"
#include "bench/comparison.h"
#include "bench/context.h"
#include "bench/statistics.h"

#define SK_COMPARE_FORMAT "skiplane-compare 1"
#define SK_COMPARE_PEAKS 3    /* before, between and after */
#define SK_COMPARE_DRIFT 0.05 /* of the peak: beyond it the machine was not quiet */
#define SK_COMPARE_WRONG 1e-3 /* relative L2 error from which an output is wrong (docs/benchmarking.md) */
#define SK_NO_WINNER SIZE_MAX

struct sk_compare_result {
  enum sk_verdict verdict;
  struct sk_quoted reason; /* why it failed, or is wrong; else empty */
  struct sk_summary time;  /* seconds; count 0: not measured */
  struct sk_comparison comparison;
  double gflops, percent_of_peak; /* counted as direct convolution; NaN: unknown */
  double max_error, l2_error;     /* NaN: not compared */
};

struct sk_compare_target {
  const char *name, *shape;
  uint64_t macs; /* of a run */
  size_t winner; /* the column with the least median of those that are right; SK_NO_WINNER */
  size_t rounds;
  struct sk_compare_result *results; /* [columns] */
};

struct sk_compare_column {
  char name[256];
  char version[SK_BACKEND_VERSION];
};

/* Zeroed, it is empty. */
struct sk_compare {
  const struct sk_options *options;
  const char *kind;   /* "backends", "runs" */
  const char *target; /* what was asked for */
  const char *isa;
  int threads;
  const sk_plan *plan;         /* of the backend that runs by it; NULL: none */
  size_t batch, rounds;        /* rounds: of the target that has the fewest */
  struct sk_cpu_list all_cpus; /* that this process may use */
  double peaks[SK_COMPARE_PEAKS];
  double handoffs[SK_COMPARE_PEAKS]; /* ns, beside each peak; 0 with one thread */
  size_t peak_count;
  long preemptions; /* how often the system took the CPU away during rounds; of this process, not of peers' */
  struct sk_context context;
  struct sk_command_line command;
  struct sk_date date;
  bool interrupted;

  struct sk_compare_column columns[SK_BACKENDS_MOST];
  size_t column_count;
  const struct sk_skipped *skipped;
  size_t skipped_count;
  struct sk_compare_target *targets; /* those that were measured */
  size_t target_count;
  struct sk_compare_result *totals; /* [columns]; of a single target: its own */
  bool has_whole;                   /* totals are the whole run's own times rather than sums of the rows */
};

/* Make room for `targets` rows of column_count results. Free whatever the outcome. Errors: SK_OUT_OF_MEMORY. */
sk_status sk_compare_allocate(struct sk_compare *compare, size_t targets);
void sk_compare_free(struct sk_compare *compare);

/* Set the totals to failed and not measured: for a comparison that fills them in itself. */
void sk_compare_clear(struct sk_compare *compare);

/* Begin the next row: every result failed and not measured. */
struct sk_compare_target *sk_compare_add(struct sk_compare *compare, const char *name, const char *shape,
                                         uint64_t macs);

/* Sum what the rows say: winners, percent of the peak, totals. Rates that are known already stay. */
void sk_compare_finish(struct sk_compare *compare);

/* The highest peak; NaN if none was measured. And by how much the lowest falls short of it (0.05: 5%). */
double sk_compare_peak(const struct sk_compare *compare);
double sk_compare_drift(const struct sk_compare *compare);

/* Tell on stderr, one line each, what is slower than its base by more than a fraction, or wrong. Returns how many. */
size_t sk_compare_tell_slower(const struct sk_compare *compare, double fraction);

/* ---- Measuring -------------------------------------------------------------------------------------------------- */

/* Measure every subject on every contender, for the seconds that the options allow. An interruption is no error: it
 * leaves the rows measured by then. Errors: SK_OUT_OF_MEMORY, those of the reference. */
sk_status sk_compare_measure(struct sk_compare *compare, const struct sk_compare_subjects *subjects,
                             const struct sk_contenders *contenders, const struct sk_conditions *conditions);

/* ---- Saved runs ------------------------------------------------------------------------------------------------- */

/* What `skiplane profile --save` wrote, twice. Zeroed, it is empty. */
struct sk_saved_pair {
  struct cJSON *documents[2];
  char *paths[2];
};

/* Read one from a file's text and check that all is there that is read later; path: its name for messages. Free with
 * cJSON_Delete whatever the outcome. Errors: SK_BAD_FORMAT, SK_OUT_OF_MEMORY. */
sk_status sk_saved_run_parse(struct cJSON **document, const char *path, const char *text, size_t length);

/* Read two saved runs. Free whatever the outcome. Errors: SK_IO_ERROR, SK_BAD_FORMAT (names the file and the key). */
sk_status sk_saved_pair_read(struct sk_saved_pair *pair, const char *const words[2]);
void sk_saved_pair_free(struct sk_saved_pair *pair);

/* Tell on stderr each way in which the runs differ that makes them no pair; return how many there are. */
size_t sk_saved_pair_tell_differences(const struct sk_saved_pair *pair, const struct sk_options *options);

/* Compare them; the pair outlives the comparison. Errors: SK_BAD_FORMAT, SK_OUT_OF_MEMORY. */
sk_status sk_saved_pair_compare(const struct sk_saved_pair *pair, struct sk_compare *compare);

/* ---- Outputs ---------------------------------------------------------------------------------------------------- */

/* Print it for people, to stdout. Errors: SK_OUT_OF_MEMORY. */
sk_status sk_compare_print(const struct sk_compare *compare);

/* Build the document (docs/benchmarking.md). End it with sk_json_discard or sk_json_finish. */
void sk_compare_json(const struct sk_compare *compare, struct sk_json *json);

/* Write a line for each target and column, below a line of titles; to stdout if path is NULL. Errors: SK_IO_ERROR. */
sk_status sk_compare_csv(const struct sk_compare *compare, const char *path);

#endif
