/* skiplane compare: backends side by side on this machine, or two saved runs. */
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/commands.h"
#include "bench/compare.h"
#include "bench/interrupt.h"
#include "bench/machine.h"
#include "bench/memory.h"
#include "bench/page.h"
#include "bench/runner.h"
#include "dispatch/isa.h"
#include "dispatch/status.h"
#include "resnet/file.h"
#include "resnet/plan.h"
#include "resnet/text.h"

/* ---- A folder for the files of peers ---------------------------------------------------------------------------- */

enum { FOLDER_ROOM = 4096, OPEN_FOLDERS = 8 };

static sk_status make_folder(char folder[FOLDER_ROOM]) {
  const char *parent = getenv("TMPDIR");
  snprintf(folder, FOLDER_ROOM, "%s/skiplane-compare.XXXXXX", parent && *parent ? parent : "/tmp");
  if (mkdtemp(folder)) return SK_OK;
  const struct sk_quoted name = sk_quote(folder);
  *folder = '\0';
  return sk_fail(SK_IO_ERROR, "%s: cannot make this folder", name.text);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
  (void)status;
  (void)kind;
  (void)place;
  return remove(path);
}

static void remove_folder(const char *folder) {
  if (*folder) nftw(folder, remove_entry, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
}

/* ---- Outputs ---------------------------------------------------------------------------------------------------- */

/* Before any time is spent. */
static sk_status check_outputs(const struct sk_options *options) {
  sk_status status = sk_file_check_writable(options->json_path);
  if (!status) status = sk_file_check_writable(options->csv_path);
  return status ? status : sk_file_check_writable(options->html);
}

static sk_status write_page(const struct sk_json *json, const char *path) {
  if (json->failed) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory", sk_quote(path).text);
  return sk_page_write(path, SK_PAGE_COMPARE, json->root);
}

static sk_status write_document(const struct sk_compare *compare) {
  const struct sk_options *options = compare->options;
  struct sk_json json;
  sk_status status = SK_OK;
  if (!options->json && !options->html) return SK_OK;
  sk_compare_json(compare, &json);
  if (options->json) status = sk_json_write(&json, options->json_path);
  if (!status && options->html) status = write_page(&json, options->html);
  sk_json_discard(&json);
  return status;
}

static sk_status write_outputs(const struct sk_compare *compare) {
  const struct sk_options *options = compare->options;
  const bool takes_stdout = (options->json && !options->json_path) || (options->csv && !options->csv_path);
  sk_status status = takes_stdout ? SK_OK : sk_compare_print(compare);
  if (!status) status = write_document(compare);
  if (!status && options->csv) status = sk_compare_csv(compare, options->csv_path);
  return status;
}

/* Whether some row has times of some column. */
static bool has_times(const struct sk_compare *compare) {
  for (size_t i = 0; i < compare->target_count; i++) {
    if (compare->targets[i].rounds > 0) return true;
  }
  return compare->has_whole;
}

static enum sk_exit fail_empty(const struct sk_compare *compare) {
  if (compare->interrupted) {
    sk_tell(compare->options, "interrupted before anything was measured");
    return SK_EXIT_INTERRUPTED;
  }
  const struct sk_quoted *reason = &compare->targets[0].results[0].reason;
  sk_tell(compare->options, "%s: no backend can run it: %s", compare->targets[0].name, reason->text);
  return SK_EXIT_FAILURE;
}

static enum sk_exit report(struct sk_compare *compare) {
  const struct sk_options *options = compare->options;
  if (!has_times(compare)) return fail_empty(compare);
  sk_compare_finish(compare);
  const sk_status status = write_outputs(compare);
  if (status) return sk_fail_status(options, status);
  if (compare->interrupted) return SK_EXIT_INTERRUPTED;
  const bool is_gate = sk_options_has(options, SK_ACCEPT(FAIL_OVER));
  return is_gate && sk_compare_tell_slower(compare, options->fail_over) > 0 ? SK_EXIT_SLOWER : SK_EXIT_SUCCESS;
}

/* ---- Backends --------------------------------------------------------------------------------------------------- */

static void take_columns(struct sk_compare *compare, const struct sk_contenders *contenders) {
  compare->column_count = contenders->count;
  compare->skipped = contenders->skipped;
  compare->skipped_count = contenders->skipped_count;
  for (size_t i = 0; i < contenders->count; i++) {
    snprintf(compare->columns[i].name, sizeof compare->columns[i].name, "%s", contenders->items[i].name);
    memcpy(compare->columns[i].version, contenders->items[i].version, SK_BACKEND_VERSION);
  }
}

/* OpenBLAS looks at the CPU, and at its own environment, when it is loaded: too early for --isa. */
static void warn_of_openblas(const struct sk_options *options, const struct sk_contenders *contenders) {
  for (size_t i = 0; options->isa != SK_ISA_AUTO && i < contenders->count; i++) {
    const struct sk_contender *contender = &contenders->items[i];
    if (contender->backend->algorithm != SK_ALGORITHM_GEMM || getenv("OPENBLAS_CORETYPE")) continue;
    sk_tell(options,
            "%s: OpenBLAS chooses its own kernels; OPENBLAS_CORETYPE=Haswell in the environment holds it to "
            "avx2",
            contender->name);
    return;
  }
}

static sk_status measure(struct sk_compare *compare, const struct sk_compare_subjects *subjects,
                         struct sk_contenders *contenders, const struct sk_conditions *conditions) {
  struct sk_plan_conditions here = {.threads = compare->threads, .cpu = sk_context_find(&compare->context, "cpu")};
  sk_status status = sk_contenders_start(contenders, compare->options, conditions);
  if (!status) status = sk_isa_choose(compare->options->isa, &here.isa);
  if (status) return status;
  sk_plan_tell_differences(compare->options, compare->plan, &here);
  warn_of_openblas(compare->options, contenders);
  take_columns(compare, contenders);
  status = sk_compare_allocate(compare, subjects->count);
  return status ? status : sk_compare_measure(compare, subjects, contenders, conditions);
}

/* The machine is asked before the threads are pinned: it tells of the CPUs that the process may use. */
static sk_status choose_cpus(struct sk_compare *compare, struct sk_conditions *conditions) {
  struct sk_machine machine;
  sk_status status = sk_cpu_list_choose(compare->options->cpus, conditions->threads, &conditions->cpus);
  if (status) return status;
  sk_machine_read(&machine);
  sk_context_read(&compare->context, conditions->threads, &conditions->cpus);
  status = sk_cpu_list_choose(NULL, (int)machine.cpus, &compare->all_cpus);
  sk_affinity_pin(&conditions->cpus);
  return status;
}

static sk_status describe(struct sk_compare *compare, const struct sk_compare_subjects *subjects) {
  sk_isa isa;
  const sk_status status = sk_isa_choose(compare->options->isa, &isa);
  compare->kind = "backends";
  compare->target = subjects->name;
  compare->isa = sk_isa_name(isa);
  compare->batch = compare->options->batch;
  compare->command = sk_command_line();
  compare->date = sk_date_now();
  return status;
}

/* Before anything is started: the plan is of this network. Its graph is the only subject's, or that of all its layers.
 */
static sk_status check_plan(const struct sk_compare *compare, const struct sk_compare_subjects *subjects) {
  const struct sk_graph *graph = subjects->network.count > 0 ? &subjects->network : &subjects->items[0].graph;
  if (!compare->plan) return SK_OK;
  if (subjects->network.count == 0 && subjects->items[0].is_layer) {
    return sk_fail(SK_INVALID_ARGUMENT, "%s: a file of shapes takes no --plan", sk_quote_short(subjects->name).text);
  }
  return sk_plan_check(compare->plan, subjects->name, graph);
}

static enum sk_exit compare_backends(const struct sk_options *options) {
  sk_plan *plan = NULL;
  char folder[FOLDER_ROOM] = "";
  struct sk_compare_subjects subjects = {0};
  struct sk_contenders contenders = {0};
  struct sk_compare compare = {.options = options, .threads = sk_threads_choose(options->threads)};
  struct sk_conditions conditions = {.threads = compare.threads,
                                     .isa = options->isa,
                                     .flush_denormals = options->flush_denormals,
                                     .max_bytes = sk_memory_most(options),
                                     .folder = folder};
  sk_interrupt_watch();
  sk_status status = sk_open_plan(&plan, options);
  compare.plan = conditions.plan = plan;
  if (!status) status = sk_compare_subjects_open(&subjects, options);
  if (!status) status = check_plan(&compare, &subjects);
  if (!status) status = describe(&compare, &subjects);
  if (!status) status = choose_cpus(&compare, &conditions);
  if (!status) status = make_folder(folder);
  if (!status) status = measure(&compare, &subjects, &contenders, &conditions);
  sk_contenders_stop(&contenders);
  remove_folder(folder);
  const enum sk_exit code = status ? sk_fail_status(options, status) : report(&compare);
  sk_compare_free(&compare);
  sk_compare_subjects_free(&subjects);
  sk_plan_close(plan);
  return code;
}

static enum sk_exit list_backends(const struct sk_options *options) {
  char folder[FOLDER_ROOM] = "";
  const struct sk_conditions conditions = {
      .threads = sk_threads_choose(options->threads), .isa = options->isa, .folder = folder};
  sk_status status = make_folder(folder);
  if (!status) status = sk_backends_print(&conditions);
  remove_folder(folder);
  return status ? sk_fail_status(options, status) : SK_EXIT_SUCCESS;
}

/* ---- Saved runs ------------------------------------------------------------------------------------------------- */

static enum sk_exit compare_pair(const struct sk_options *options, const struct sk_saved_pair *pair) {
  struct sk_compare compare = {.options = options};
  const size_t differences = options->force ? 0 : sk_saved_pair_tell_differences(pair, options);
  if (differences > 0) {
    return sk_usage_error(options, "%s and %s differ in more than their code; --force compares them all the same",
                          sk_quote_short(options->operands[0]).text, sk_quote_short(options->operands[1]).text);
  }
  const sk_status status = sk_saved_pair_compare(pair, &compare);
  const enum sk_exit code = status ? sk_fail_status(options, status) : report(&compare);
  sk_compare_free(&compare);
  return code;
}

static enum sk_exit compare_saved(const struct sk_options *options) {
  struct sk_saved_pair pair = {0};
  const sk_status status = sk_saved_pair_read(&pair, options->operands);
  const enum sk_exit code = status ? sk_fail_status(options, status) : compare_pair(options, &pair);
  sk_saved_pair_free(&pair);
  return code;
}

/* ---- The command ------------------------------------------------------------------------------------------------ */

enum sk_exit sk_command_compare(const struct sk_options *options) {
  if (options->list) return list_backends(options);
  if (sk_isa_emulated(SK_ISA_AVX512)) {
    return sk_usage_error(options, "this build emulates avx512 for tests: its times would mean nothing");
  }
  if (options->operand_count == 0) {
    return sk_usage_error(options, "a network, a file of shapes, or two saved runs are needed (skiplane help compare)");
  }
  if (options->json && !options->json_path && options->csv && !options->csv_path) {
    return sk_usage_error(options, "--json, --csv: only one can go to stdout; give the other a file, --csv=FILE");
  }
  if (options->operand_count == 2 && options->plan) {
    return sk_usage_error(options, "--plan: goes with a network; each saved run has its own");
  }
  const sk_status status = check_outputs(options);
  if (status) return sk_fail_status(options, status);
  return options->operand_count == 2 ? compare_saved(options) : compare_backends(options);
}
