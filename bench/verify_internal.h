/* The inside of the checker: the runner that cases report to, and the tools they are written with. */
#ifndef SK_BENCH_VERIFY_INTERNAL_H
#define SK_BENCH_VERIFY_INTERNAL_H

#include <regex.h>

#include "bench/terminal.h"
#include "bench/verify.h"
#include "bench/verify_baseline.h"
#include "bench/verify_guard.h"
#include "kernels/kernels.h"

/* ---- Random data ---- */

struct sk_random {
  uint64_t state;
};

/* What a case's numbers are like. */
enum sk_data {
  SK_DATA_INTEGERS, /* -4 to 4: products and sums are exact, so results must match the reference bit for bit */
  SK_DATA_REALS,    /* in (-1, 1), of several magnitudes: results must lie within the proven bound */
  SK_DATA_SPECIAL,  /* reals with NaN, -0 and infinities among them */
  SK_DATA_KINDS
};

const char *sk_data_name(enum sk_data data);

/* Start the stream that belongs to a seed and a name, so that a filtered run sees the data of a full one. */
struct sk_random sk_random_start(uint64_t seed, const char *name);
uint64_t sk_random_next(struct sk_random *random);
size_t sk_random_below(struct sk_random *random, size_t limit);
void sk_random_shuffle(struct sk_random *random, size_t *order, size_t count); /* order[]: 0 to count - 1 */
void sk_random_fill(struct sk_random *random, enum sk_data data, float *values, size_t count);

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

struct sk_verify_result {
  const char *group; /* the line of the table it belongs to */
  const char *name;  /* owned; letters, digits and ._/- only, so that it is its own regular expression */
  sk_isa isa;
  const char *algorithm; /* or NULL */
  enum sk_verify_status status;
  double max_error;      /* largest |y - exact| */
  double bound_fraction; /* largest |y - exact| / bound */
  char *message;         /* owned; of the first failure, or NULL */
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
  size_t result_count, result_capacity, reported;

  /* The case that runs now. */
  const struct sk_kernel_table *kernels;
  struct sk_verify_result *result;
  struct sk_random random;
  char where[240]; /* which of its runs, for messages */
  struct sk_guarded slots[SK_SLOT_COUNT];
  void *scratch[256];
  size_t scratch_count;
  sk_conv *plan; /* destroyed when the case ends, however it ends */
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
void sk_verify_conv_kernels(struct sk_verify *v);
void sk_verify_winograd_kernels(struct sk_verify *v);
void sk_verify_pool_kernels(struct sk_verify *v);
void sk_verify_dense_kernels(struct sk_verify *v);
void sk_verify_elementwise_kernels(struct sk_verify *v);
void sk_verify_layout_kernels(struct sk_verify *v);
void sk_verify_conv_plans(struct sk_verify *v);
void sk_verify_conv_algebra(struct sk_verify *v);
void sk_verify_network_layers(struct sk_verify *v);

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
/* Print the lines of the table for the cases that were run since the last call. */
void sk_report_groups(struct sk_verify *v);
void sk_report_end(struct sk_verify *v);

#endif
