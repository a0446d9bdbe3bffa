/* The runner of the checker: which ISAs, which cases, what they report, and faults that must not end the run. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/conv_case.h"
#include "bench/verify_internal.h"
#include "dispatch/cpu.h"
#include "dispatch/isa.h"

/* ---- Faults ---- */

/* Where the handler returns to, the thread it may return in, and what runs: all it needs, and the only globals. */
static sigjmp_buf fault_return;
static volatile sig_atomic_t fault_armed;
static pthread_t fault_thread;
static const char *fault_case;

static const int fault_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
enum { FAULTS = sizeof fault_signals / sizeof fault_signals[0] };

static const char *fault_name(int number) {
  switch (number) {
    case SIGSEGV: return "SIGSEGV: a guard page was touched, or worse";
    case SIGBUS: return "SIGBUS";
    case SIGILL: return "SIGILL: an instruction that this CPU lacks";
    default: return "SIGFPE";
  }
}

static void say(const char *text) {
  if (write(STDERR_FILENO, text, strlen(text)) < 0) _exit(1);
}

static void on_fault(int number) {
  if (fault_armed && pthread_equal(pthread_self(), fault_thread)) siglongjmp(fault_return, number);
  /* Another thread of the team, or the checker itself: there is no way back. */
  say("verify: ");
  say(fault_case ? fault_case : "outside of any case");
  say(": a fault in a helper thread or in the checker; cannot go on\n");
  _exit(1);
}

static void catch_faults(struct sigaction saved[FAULTS]) {
  struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};
  sigemptyset(&action.sa_mask);
  fault_thread = pthread_self();
  for (size_t i = 0; i < FAULTS; i++) sigaction(fault_signals[i], &action, &saved[i]);
}

static void release_faults(const struct sigaction saved[FAULTS]) {
  for (size_t i = 0; i < FAULTS; i++) sigaction(fault_signals[i], &saved[i], NULL);
}

/* Run a case; returns 0, or the signal that ended it. */
static int run_guarded(struct sk_verify *v, const struct sk_verify_case *c) {
  const int number = sigsetjmp(fault_return, 0);
  if (number == 0) {
    fault_armed = 1;
    c->run(v, c->parameters);
  }
  fault_armed = 0;
  return number;
}

/* ---- Memory of a case ---- */

_Noreturn static void out_of_memory(void) {
  fprintf(stderr, "verify: out of memory\n");
  exit(1);
}

void *sk_verify_scratch(struct sk_verify *v, size_t bytes) {
  void *memory = sk_alloc(bytes);
  if (!memory || v->scratch_count == sizeof v->scratch / sizeof v->scratch[0]) out_of_memory();
  v->scratch[v->scratch_count++] = memory;
  return memory;
}

float *sk_verify_floats(struct sk_verify *v, size_t count) { return sk_verify_scratch(v, count * sizeof(float)); }

float *sk_verify_random_floats(struct sk_verify *v, enum sk_data data, size_t count) {
  float *values = sk_verify_floats(v, count);
  sk_random_fill(&v->random, data, values, count);
  return values;
}

float *sk_verify_random_part(struct sk_verify *v, enum sk_data data, enum sk_part part, double largest, size_t count) {
  float *values = sk_verify_floats(v, count);
  sk_random_fill_part(&v->random, data, part, largest, values, count);
  return values;
}

bool sk_verify_takes(const struct sk_verify *v, enum sk_data data, size_t turn) {
  if (data < SK_DATA_CANCELLATION || sk_verify_exhaustive(v)) return true;
  return data == SK_DATA_CANCELLATION + turn % (SK_DATA_KINDS - SK_DATA_CANCELLATION);
}

void sk_verify_release(struct sk_verify *v, size_t mark) {
  while (v->scratch_count > mark) sk_free(v->scratch[--v->scratch_count]);
}

static void clean_up_case(struct sk_verify *v) {
  sk_verify_release(v, 0);
  for (size_t i = 0; i < SK_SLOT_COUNT; i++) v->slots[i].model = NULL;
  sk_conv_destroy(v->plan);
  v->plan = NULL;
}

/* ---- Running a case ---- */

static struct sk_verify_result *new_result(struct sk_verify *v) {
  if (v->result_count == v->result_capacity) {
    v->result_capacity = v->result_capacity ? 2 * v->result_capacity : 1024;
    struct sk_verify_result *grown = realloc(v->results, v->result_capacity * sizeof *grown);
    if (!grown) out_of_memory();
    v->results = grown;
  }
  struct sk_verify_result *result = &v->results[v->result_count++];
  *result = (struct sk_verify_result){0};
  return result;
}

/* The group of a case on an ISA, made when first asked for. Groups of an earlier call may move. */
static struct sk_verify_group *find_group(struct sk_verify *v, const struct sk_verify_case *c, sk_isa isa) {
  for (size_t i = v->group_count; i-- > 0;) {
    struct sk_verify_group *group = &v->groups[i];
    if (group->isa != isa || strcmp(group->name, c->group) != 0) continue;
    if (group->algorithm && (!c->algorithm || strcmp(group->algorithm, c->algorithm) != 0)) group->algorithm = NULL;
    return group;
  }
  if (v->group_count == v->group_capacity) {
    v->group_capacity = v->group_capacity ? 2 * v->group_capacity : 64;
    struct sk_verify_group *grown = realloc(v->groups, v->group_capacity * sizeof *grown);
    if (!grown) out_of_memory();
    v->groups = grown;
  }
  struct sk_verify_group *group = &v->groups[v->group_count++];
  *group = (struct sk_verify_group){.name = c->group, .isa = isa, .algorithm = c->algorithm};
  return group;
}

static char *copy_text(const char *text) {
  char *copy = strdup(text);
  if (!copy) out_of_memory();
  return copy;
}

void sk_verify_at(struct sk_verify *v, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(v->where, sizeof v->where, format, arguments);
  va_end(arguments);
}

void sk_verify_fail(struct sk_verify *v, const char *format, ...) {
  if (sk_verify_failed(v)) return;
  char what[256], message[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  snprintf(message, sizeof message, "%s%s%s", v->where, v->where[0] ? ": " : "", what);
  v->result->status = SK_VERIFY_FAILED;
  v->result->message = copy_text(message);
}

/* Run a case for v->result and v->group. */
static void run_case(struct sk_verify *v, const struct sk_verify_case *c, const struct sk_kernel_table *kernels) {
  v->kernels = kernels;
  v->data = SK_DATA_REALS;
  v->random = sk_random_start(v->options->seed, v->result->name);
  v->where[0] = '\0';
  v->run = NULL;
  fault_case = v->result->name;
  const int number = run_guarded(v, c);
  if (number != 0) sk_verify_fail(v, "%s", fault_name(number));
  clean_up_case(v);
  fault_case = NULL;
}

/* Run something whose result and errors are no news of the kernels. Returns whether it failed. */
static bool run_aside(struct sk_verify *v, const struct sk_verify_case *c, const char *name,
                      const struct sk_kernel_table *kernels) {
  const struct sk_kernel_table *const kernels_before = v->kernels;
  struct sk_verify_result aside = {.group = c->group, .name = name, .isa = kernels->isa}, *const result = v->result;
  struct sk_verify_group unseen = {0}, *const group = v->group;
  v->result = &aside;
  v->group = &unseen;
  run_case(v, c, kernels);
  free(aside.message);
  v->result = result;
  v->group = group;
  v->kernels = kernels_before;
  return aside.status == SK_VERIFY_FAILED;
}

void sk_verify_again(struct sk_verify *v, const struct sk_verify_case *c, const struct sk_kernel_table *kernels) {
  run_aside(v, c, v->result->name, kernels);
}

bool sk_verify_attempt(struct sk_verify *v, const struct sk_verify_case *c, const char *name, sk_isa isa) {
  const struct sk_kernel_table *kernels;
  struct sk_verify_baseline *const baseline = v->baseline; /* which has the case's values already */
  if (sk_kernels_choose(isa, &kernels)) return false;
  v->baseline = NULL;
  const bool failed = run_aside(v, c, name, kernels);
  v->baseline = baseline;
  return failed;
}

/* Reduce the failure that a line of the table has first: the others are as likely as not the same fault. */
static void reduce_failure(struct sk_verify *v, const struct sk_verify_case *c) {
  if (!v->run) return;
  for (size_t i = 0; i < v->result_count; i++) {
    const struct sk_verify_result *r = &v->results[i];
    if (r->case_path && r->isa == v->result->isa && strcmp(r->group, c->group) == 0) return;
  }
  v->result->case_path = sk_verify_reduce(v, v->run);
}

static void conclude(struct sk_verify *v, const struct sk_verify_case *c) {
  if (sk_verify_failed(v)) {
    v->failed++;
    v->group->failed++;
    sk_progress_clear(&v->progress);
    reduce_failure(v, c);
    sk_report_failure(v, v->result);
  } else {
    v->passed++;
  }
}

static void run_on(struct sk_verify *v, const struct sk_verify_case *c, const char *name,
                   const struct sk_kernel_table *kernels) {
  v->result = new_result(v);
  v->result->group = c->group;
  v->result->name = copy_text(name);
  v->result->isa = kernels->isa;
  v->result->algorithm = c->algorithm;
  v->group = find_group(v, c, kernels->isa);
  v->group->cases++;
  sk_verify_baseline_begin(v, c);
  run_case(v, c, kernels);
  conclude(v, c); /* first: what is run again for a baseline describes itself where the failure is described */
  sk_verify_baseline_end(v, c);
  sk_progress_update(&v->progress, "cases", v->passed + v->failed, v->total);
}

void sk_verify_run(struct sk_verify *v, const struct sk_verify_case *c, const char *name_format, ...) {
  char name[200];
  va_list arguments;
  va_start(arguments, name_format);
  vsnprintf(name, sizeof name, name_format, arguments);
  va_end(arguments);
  if (v->filtered && regexec(&v->filter, name, 0, NULL, 0) != 0) return;
  if (v->counting) {
    v->total += v->table_count;
    return;
  }
  for (size_t i = 0; i < v->table_count; i++) run_on(v, c, name, v->tables[i]);
}

/* ---- Arrays of a run ---- */

const void *sk_verify_input(struct sk_verify *v, enum sk_slot slot, const void *model, size_t floats,
                            enum sk_guard_side side) {
  float *data = sk_guard_place(&v->slots[slot], floats, side);
  memcpy(data, model, floats * sizeof(float));
  v->slots[slot].model = model;
  return data;
}

void sk_verify_inputs_unchanged(struct sk_verify *v) {
  static const char *const names[SK_SLOT_COUNT] = {"x", "weights", "bias", "residual", "offsets", "y", "workspace"};
  for (size_t i = 0; i < SK_SLOT_COUNT; i++) {
    char message[160];
    if (v->slots[i].model == NULL) continue;
    if (!sk_guard_unchanged(&v->slots[i], message, sizeof message)) sk_verify_fail(v, "%s: %s", names[i], message);
    v->slots[i].model = NULL;
  }
}

float *sk_verify_output(struct sk_verify *v, enum sk_slot slot, size_t floats, enum sk_guard_side side) {
  return sk_guard_place(&v->slots[slot], floats, side);
}

void sk_verify_only_wrote(struct sk_verify *v, enum sk_slot slot, const struct sk_region *region) {
  char message[160];
  if (!sk_guard_only(&v->slots[slot], region, message, sizeof message)) sk_verify_fail(v, "%s", message);
}

bool sk_same_bits(float a, float b) {
  uint32_t a_bits, b_bits;
  memcpy(&a_bits, &a, sizeof a_bits);
  memcpy(&b_bits, &b, sizeof b_bits);
  return a_bits == b_bits || (a != a && b != b);
}

/* Whether a value is as near to the exact one as it must be; keeps the worst of the case, and counts all of the group.
 */
static bool within_bound(struct sk_verify *v, float got, const struct sk_expected *expected) {
  if (isnan(expected->exact)) return isnan(got);
  if (isinf(expected->bound)) return true;
  if (isinf(expected->exact)) return (double)got == expected->exact;
  if (!isfinite(got)) return false;
  const double error = fabs((double)got - expected->exact);
  sk_error_statistics_add(&v->group->errors[v->data], got, expected->exact, expected->bound);
  if (error > expected->bound) return false;
  if (error > v->result->max_error) v->result->max_error = error;
  if (error > expected->bound * v->result->bound_fraction) v->result->bound_fraction = error / expected->bound;
  return true;
}

bool sk_verify_value(struct sk_verify *v, float got, const struct sk_expected *expected, const char *name, size_t i,
                     size_t j, size_t k) {
  sk_verify_baseline_value(v, got, expected, name, (const size_t[3]){i, j, k});
  if (sk_is_canary(got)) {
    sk_verify_fail(v, "%s[%zu][%zu][%zu] was not written", name, i, j, k);
  } else if (expected->exactly && !sk_same_bits(got, expected->bits)) {
    sk_verify_fail(v, "%s[%zu][%zu][%zu] = %a, expected the bits of %a", name, i, j, k, (double)got,
                   (double)expected->bits);
  } else if (!within_bound(v, got, expected)) {
    sk_verify_fail(v, "%s[%zu][%zu][%zu] = %.9g, expected %.9g within %.3g, off by %.3g", name, i, j, k, (double)got,
                   expected->exact, expected->bound, fabs((double)got - expected->exact));
  } else {
    return true;
  }
  return false;
}

/* ---- Which ISAs ---- */

static void skip_isa(struct sk_verify *v, sk_isa isa, const char *why, bool required) {
  char message[160];
  snprintf(message, sizeof message, "isa %s is %s%s", sk_isa_name(isa), why,
           required ? ", but SKIPLANE_REQUIRE_ISA asks for it" : ": none of its kernels were checked");
  struct sk_verify_result *result = new_result(v);
  *result = (struct sk_verify_result){.group = "isa", .name = copy_text("isa"), .isa = isa};
  result->status = required ? SK_VERIFY_FAILED : SK_VERIFY_SKIPPED;
  result->message = copy_text(message);
  fprintf(stderr, "verify: %s: %s\n", required ? "FAILED" : "SKIPPED", message);
  *(required ? &v->failed : &v->skipped) += 1;
}

static bool select_all(struct sk_verify *v, sk_isa required) {
  for (unsigned i = SK_ISA_AUTO + 1; i < SK_ISA_COUNT; i++) {
    const sk_isa isa = (sk_isa)i;
    if (sk_isa_available(isa)) {
      if (sk_kernels_choose(isa, &v->tables[v->table_count++])) return false;
    } else if (sk_isa_built(isa) || isa == required) {
      skip_isa(v, isa, sk_isa_built(isa) ? "built, but not available on this CPU" : "not in this build",
               isa == required);
    }
  }
  return true;
}

/* Fill v->tables; returns false, with the error told, if what was asked for cannot be run. */
static bool select_isas(struct sk_verify *v) {
  const char *environment = getenv("SKIPLANE_ISA"), *required_name = getenv("SKIPLANE_REQUIRE_ISA");
  sk_isa required = SK_ISA_AUTO;
  bool selected = !required_name || !*required_name || sk_isa_parse(required_name, &required) == SK_OK;
  selected = selected && sk_kernels_choose(SK_ISA_GENERIC, &v->generic) == SK_OK;
  if (selected && v->options->isa == SK_ISA_AUTO && (!environment || !*environment)) {
    selected = select_all(v, required);
  } else if (selected) {
    selected = sk_kernels_choose(v->options->isa, &v->tables[0]) == SK_OK;
    v->table_count = 1;
    if (selected && required && !sk_isa_available(required)) skip_isa(v, required, "not available", true);
  }
  if (!selected) fprintf(stderr, "verify: %s\n", sk_error_message());
  return selected;
}

/* ---- The whole run ---- */

static bool compile_filter(struct sk_verify *v) {
  if (!v->options->filter) return true;
  const int error = regcomp(&v->filter, v->options->filter, REG_EXTENDED | REG_NOSUB);
  if (error) {
    char message[120];
    regerror(error, &v->filter, message, sizeof message);
    fprintf(stderr, "verify: filter \"%s\": %s\n", v->options->filter, message);
    return false;
  }
  v->filtered = true;
  return true;
}

/* Call all subjects: their cases are run and reported, or only counted. */
static void go_through_subjects(struct sk_verify *v) {
  static void (*const subjects[])(struct sk_verify *) = {
      sk_verify_dispatch,
      sk_verify_conv_kernels,
      sk_verify_winograd_kernels,
      sk_verify_winograd_rows,
      sk_verify_winograd_groups,
      sk_verify_strassen_kernels,
      sk_verify_pool_kernels,
      sk_verify_dense_kernels,
      sk_verify_fma,
      sk_verify_elementwise_kernels,
      sk_verify_layout_kernels,
      sk_verify_conv_plans,
      sk_verify_conv_algebra,
      sk_verify_conv_bits,
      sk_verify_net_bits,
      sk_verify_network_layers,
  };
  if (v->options->only) {
    sk_verify_conv_case(v, v->options->only);
    if (!v->counting) sk_report_groups(v);
    return;
  }
  for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
    subjects[i](v);
    if (v->counting) continue;
    sk_progress_clear(&v->progress);
    sk_report_groups(v);
  }
}

/* How many there are is known before, for the time that is left. */
static void run_everything(struct sk_verify *v) {
  struct sigaction saved[FAULTS];
  v->counting = true;
  go_through_subjects(v);
  v->counting = false;
  sk_progress_begin(&v->progress);
  catch_faults(saved);
  go_through_subjects(v);
  release_faults(saved);
  sk_progress_end(&v->progress);
}

static void release(struct sk_verify *v) {
  for (size_t i = 0; i < v->result_count; i++) {
    free((void *)(uintptr_t)v->results[i].name);
    free(v->results[i].message);
    free(v->results[i].case_path);
  }
  free(v->results);
  free(v->groups);
  for (size_t i = 0; i < SK_SLOT_COUNT; i++) sk_guard_free(&v->slots[i]);
  if (v->filtered) regfree(&v->filter);
}

int sk_verify_main(const struct sk_verify_options *options) {
  struct sk_verify v = {.options = options, .baseline = options->baseline, .hardware_fma = sk_cpu_has_fma()};
  bool ready = compile_filter(&v) && select_isas(&v);
  if (ready) {
    sk_report_start(&v);
    run_everything(&v);
    sk_verify_baseline_report(&v);
    sk_report_end(&v);
    if (v.passed + v.failed == 0) {
      fprintf(stderr, "verify: no case matches the filter \"%s\"\n", options->filter ? options->filter : "");
      ready = false;
    } else if (options->html && sk_report_page(&v)) {
      fprintf(stderr, "verify: %s\n", sk_error_message());
      ready = false;
    }
  }
  release(&v);
  if (sk_verify_baseline_differs(&v)) return 3;
  return ready && v.failed == 0 && sk_verify_baseline_agrees(&v) ? 0 : 1;
}

char *sk_verify_reduce_alone(const struct sk_verify_options *options, const struct sk_conv_case *failed) {
  struct sk_verify v = {.options = options, .hardware_fma = sk_cpu_has_fma()};
  struct sigaction saved[FAULTS];
  catch_faults(saved);
  char *path = sk_verify_reduce(&v, failed);
  release_faults(saved);
  release(&v);
  return path;
}
