/* The inside of the checker: the runner that cases report to, and the tools they are written with. */
#ifndef SK_BENCH_VERIFY_INTERNAL_H
#define SK_BENCH_VERIFY_INTERNAL_H

#include <regex.h>

#include "bench/json_output.h"
#include "bench/terminal.h"
#include "bench/verify.h"
#include "bench/verify_baseline.h"
#include "bench/verify_guard.h"
#include "bench/verify_statistics.h"
#include "kernels/kernels.h"

/* ---- Random data ---- */

struct sk_random {
  uint64_t state;
};

/* What a case's numbers are like. */
enum sk_data {
  SK_DATA_SPECIAL,      /* reals with NaN, -0 and infinities among them */
  SK_DATA_INTEGERS,     /* -4 to 4: products and sums are exact, so results must match the reference bit for bit */
  SK_DATA_REALS,        /* in (-1, 1), of several magnitudes: results must lie within the proven bound */
  SK_DATA_CANCELLATION, /* sums far smaller than the sums of absolute values; this and the following are adversarial */
  SK_DATA_SCALES,       /* terms of one sum that differ by up to 2^80 */
  SK_DATA_OVERFLOW,     /* sums just below the largest float: no step on the way may overflow */
  SK_DATA_DENORMALS,    /* operands and results below the normal range */
  SK_DATA_KINDS
};

const char *sk_data_name(enum sk_data data);

/* What an array is to the sums that are formed with it: adversarial data differs between them. */
enum sk_part { SK_PART_X, SK_PART_WEIGHTS, SK_PART_ADDEND }; /* an addend is a bias, residual or element of a tile */

/* Start the stream that belongs to a seed and a name, so that a filtered run sees the data of a full one. */
struct sk_random sk_random_start(uint64_t seed, const char *name);
uint64_t sk_random_next(struct sk_random *random);
size_t sk_random_below(struct sk_random *random, size_t limit);
void sk_random_shuffle(struct sk_random *random, size_t *order, size_t count); /* order[]: 0 to count - 1 */
void sk_random_fill(struct sk_random *random, enum sk_data data, float *values, size_t count);

/* Likewise with numbers for a part of sums. Those near overflow are in [1/2, 1) times what keeps a sum below 2^127 that
 * would reach `largest` with 1 in their place. */
void sk_random_fill_part(struct sk_random *random, enum sk_data data, enum sk_part part, double largest, float *values,
                         size_t count);

/* The exponent of the power of two that brings `largest` to [2^126, 2^127), and of its share that x takes, the rest
 * being the weights'. */
int sk_overflow_exponent(double largest);
int sk_overflow_exponent_of_x(int exponent);

/* Make the weights weights[t*step] of a chain sum to zero up to rounding, as inputs near 1 need to cancel. */
void sk_random_cancel(float *weights, size_t terms, size_t step);

/* ---- Cases ---- */

/* Arrays of a run; each has a guarded place of its own. */
enum sk_slot {
  SK_SLOT_X,
  SK_SLOT_WEIGHTS,
  SK_SLOT_BIAS,
  SK_SLOT_RESIDUAL,
  SK_SLOT_OFFSETS,
  SK_SLOT_Y,
  SK_SLOT_WORKSPACE,
  SK_SLOT_COUNT
};

enum sk_verify_status { SK_VERIFY_PASSED, SK_VERIFY_FAILED, SK_VERIFY_SKIPPED };

/* A line of the table: the cases of one name on one ISA, and the errors that were seen, by the kind of data. */
struct sk_verify_group {
  const char *name;
  sk_isa isa;
  const char *algorithm; /* of all of them, or NULL */
  size_t cases, failed;
  struct sk_error_statistics errors[SK_DATA_KINDS];
};

struct sk_verify_result {
  const char *group; /* the line of the table it belongs to */
  const char *name;  /* owned; letters, digits and ._/- only, so that it is its own regular expression */
  sk_isa isa;
  const char *algorithm; /* or NULL */
  enum sk_verify_status status;
  double max_error;      /* largest |y - exact| */
  double bound_fraction; /* largest |y - exact| / bound */
  char *message;         /* owned; of the first failure, or NULL */
  char *case_path;       /* owned; the file of its reduced case, or NULL */
};

struct sk_verify {
  const struct sk_verify_options *options;
  struct sk_verify_baseline *baseline; /* or NULL */
  bool filtered;
  regex_t filter;
  const struct sk_kernel_table *tables[SK_ISA_COUNT]; /* the ISAs under test */
  size_t table_count;
  const struct sk_kernel_table *generic;
  bool hardware_fma;
  size_t passed, failed, skipped;
  bool counting; /* cases are counted, not run */
  size_t total;  /* of them */
  struct sk_progress progress;
  struct sk_verify_result *results;
  size_t result_count, result_capacity;
  struct sk_verify_group *groups; /* in the order of their first cases */
  size_t group_count, group_capacity, reported;

  /* The case that runs now. */
  const struct sk_kernel_table *kernels;
  struct sk_verify_result *result;
  struct sk_verify_group *group;
  enum sk_data data; /* of the run that is checked now */
  struct sk_random random;
  char where[240]; /* which of its runs, for messages */
  struct sk_guarded slots[SK_SLOT_COUNT];
  void *scratch[256];
  size_t scratch_count;
  const struct sk_conv_case *run; /* what runs, if it can be run alone: its failure is reduced; or NULL */
  sk_conv *plan;                  /* destroyed when the case ends, however it ends */
};

typedef void sk_verify_case_fn(struct sk_verify *v, const void *parameters);

struct sk_verify_case {
  const char *group;
  const char *algorithm; /* or NULL */
  sk_verify_case_fn *run;
  const void *parameters;
};

/* Run a case on every ISA under test if its name passes the filter. */
void sk_verify_run(struct sk_verify *v, const struct sk_verify_case *c, const char *name_format, ...)
    __attribute__((format(printf, 3, 4)));

/* Run the case that runs now, or just did, once more on some ISA. What it finds is not reported. */
void sk_verify_again(struct sk_verify *v, const struct sk_verify_case *c, const struct sk_kernel_table *kernels);

/* The subjects, each a set of cases. */
void sk_verify_dispatch(struct sk_verify *v);
void sk_verify_conv_kernels(struct sk_verify *v);
void sk_verify_winograd_kernels(struct sk_verify *v);
void sk_verify_winograd_rows(struct sk_verify *v);
void sk_verify_winograd_groups(struct sk_verify *v);
void sk_verify_strassen_kernels(struct sk_verify *v);
void sk_verify_pool_kernels(struct sk_verify *v);
void sk_verify_dense_kernels(struct sk_verify *v);
void sk_verify_fma(struct sk_verify *v);
void sk_verify_elementwise_kernels(struct sk_verify *v);
void sk_verify_layout_kernels(struct sk_verify *v);
void sk_verify_conv_plans(struct sk_verify *v);
void sk_verify_conv_algebra(struct sk_verify *v);
void sk_verify_conv_bits(struct sk_verify *v);
void sk_verify_net_bits(struct sk_verify *v);
void sk_verify_network_layers(struct sk_verify *v);

/* One run of one convolution: as a case of its own, or whether it fails, without a report. */
void sk_verify_conv_case(struct sk_verify *v, const struct sk_conv_case *c);
bool sk_verify_conv_fails(struct sk_verify *v, const struct sk_conv_case *c);

/* Run something as a case would be run, faults caught, on an ISA that is available. Returns whether it failed, which is
 * not reported. */
bool sk_verify_attempt(struct sk_verify *v, const struct sk_verify_case *c, const char *name, sk_isa isa);

/* Reduce a run that failed and write it to a file (verify_reduce.c). Returns its path, to be freed; NULL if the run
 * does not fail by itself or, the error told, the file cannot be written. */
char *sk_verify_reduce(struct sk_verify *v, const struct sk_conv_case *failed);

/* ---- Inside a case ---- */

/* Say which run comes next; failures quote it. */
void sk_verify_at(struct sk_verify *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Fail the case. Only its first failure is kept. */
void sk_verify_fail(struct sk_verify *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline bool sk_verify_failed(const struct sk_verify *v) { return v->result->status == SK_VERIFY_FAILED; }

/* Memory until the case ends. Exits if there is none. */
void *sk_verify_scratch(struct sk_verify *v, size_t bytes);
float *sk_verify_floats(struct sk_verify *v, size_t count);
float *sk_verify_random_floats(struct sk_verify *v, enum sk_data data, size_t count);
float *sk_verify_random_part(struct sk_verify *v, enum sk_data data, enum sk_part part, double largest, size_t count);

/* Whether a case is to run on a kind of data (not the special one): integers and reals always, of the adversarial kinds
 * one in turn, or all. */
bool sk_verify_takes(const struct sk_verify *v, enum sk_data data, size_t turn);

/* Free what was allocated since v->scratch_count was `mark`, for cases of many runs. */
void sk_verify_release(struct sk_verify *v, size_t mark);

/* Copy an input to its guarded place. `model` must live until sk_verify_inputs_unchanged, which checks it. */
const void *sk_verify_input(struct sk_verify *v, enum sk_slot slot, const void *model, size_t floats,
                            enum sk_guard_side side);
void sk_verify_inputs_unchanged(struct sk_verify *v);

/* Lay out an output full of canaries; afterwards check that nothing beside the region was written. */
float *sk_verify_output(struct sk_verify *v, enum sk_slot slot, size_t floats, enum sk_guard_side side);
void sk_verify_only_wrote(struct sk_verify *v, enum sk_slot slot, const struct sk_region *region);

/* What one output element must be. */
struct sk_expected {
  float bits;   /* exactly this, if `exactly`; any NaN for NaN */
  bool exactly; /* the bits are known */
  double exact; /* the real number, */
  double bound; /* and how far from it the output may be; infinite for no bound */
};

bool sk_same_bits(float a, float b); /* NaNs are all the same */

/* Check one output, named by a format of up to three indices. Returns whether it is right. */
bool sk_verify_value(struct sk_verify *v, float got, const struct sk_expected *expected, const char *name, size_t i,
                     size_t j, size_t k);

static inline bool sk_verify_exhaustive(const struct sk_verify *v) { return v->options->exhaustive; }

/* ---- Report (verify_report.c) ---- */

void sk_report_start(const struct sk_verify *v);
void sk_report_failure(const struct sk_verify *v, const struct sk_verify_result *result);
/* Print the lines of the table for the groups that came since the last call. */
void sk_report_groups(struct sk_verify *v);
void sk_report_end(struct sk_verify *v);
/* Write the page of options->html. */
sk_status sk_report_page(const struct sk_verify *v);

/* The errors of a group over all kinds of data. */
struct sk_error_statistics sk_verify_group_errors(const struct sk_verify_group *group);

/* ---- The document of --json and --html (verify_document.c) ---- */

/* Build it, with all cases or only those that did not pass. End it with sk_json_discard. */
void sk_verify_document(const struct sk_verify *v, bool all_cases, struct sk_json *json);

#endif
