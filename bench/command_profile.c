/* skiplane profile: where the time of a network goes, against what the machine can do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "bench/commands.h"
#include "bench/interrupt.h"
#include "bench/memory.h"
#include "bench/page.h"
#include "bench/profile.h"
#include "bench/runner.h"
#include "dispatch/isa.h"
#include "dispatch/status.h"
#include "resnet/file.h"
#include "resnet/text.h"
#include "resnet/weights.h"

/* ---- Destinations --------------------------------------------------------------------------------------------- */

/* The files to write; NULL: none. */
struct destinations {
  const char *json, *csv, *trace, *html;
  char *save; /* owned */
};

/* NAME.json, unless it ends so already. */
static char *save_path(const char *name) {
  const size_t length = strlen(name);
  const bool is_complete = length > 5 && strcmp(name + length - 5, ".json") == 0;
  char *path = malloc(length + sizeof ".json");
  if (path) snprintf(path, length + sizeof ".json", "%s%s", name, is_complete ? "" : ".json");
  return path;
}

static sk_status check_distinct(const char *const *paths, size_t count) {
  for (size_t i = 0; i < count; i++) {
    for (size_t j = 0; j < i; j++) {
      if (!paths[i] || !paths[j] || strcmp(paths[i], paths[j]) != 0) continue;
      return sk_fail(SK_INVALID_ARGUMENT, "%s: two outputs cannot go to one file", sk_quote(paths[i]).text);
    }
  }
  return SK_OK;
}

static sk_status open_destinations(struct destinations *to, const struct sk_options *options) {
  *to = (struct destinations){.json = options->json_path, .csv = options->csv_path};
  to->trace = options->trace;
  to->html = options->html;
  if (options->save) {
    to->save = save_path(options->save);
    if (!to->save) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the name of a file");
  }
  const char *const paths[] = {to->json, to->csv, to->trace, to->html, to->save};
  const size_t count = sizeof paths / sizeof paths[0];
  sk_status status = check_distinct(paths, count);
  for (size_t i = 0; !status && i < count; i++) status = sk_file_check_writable(paths[i]);
  return status;
}

/* ---- Output --------------------------------------------------------------------------------------------------- */

static sk_status write_page(const struct sk_json *json, const char *path) {
  if (json->failed) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the page");
  return sk_page_write(path, SK_PAGE_PROFILE, json->root);
}

static sk_status write_document(const struct sk_profile *p, const struct destinations *to) {
  const bool to_stdout = p->options->json && !to->json;
  struct sk_json json;
  sk_status status = SK_OK;
  if (!p->options->json && !to->save && !to->html) return SK_OK;
  sk_profile_json(p, &json);
  if (to_stdout || to->json) status = sk_json_write(&json, to->json);
  if (!status && to->save) status = sk_json_write(&json, to->save);
  if (!status && to->html) status = write_page(&json, to->html);
  sk_json_discard(&json);
  return status;
}

static sk_status write_outputs(const struct sk_profile *p, const struct destinations *to) {
  const bool takes_stdout = (p->options->json && !to->json) || (p->options->csv && !to->csv);
  sk_status status = takes_stdout ? SK_OK : sk_profile_print(p);
  if (!status) status = write_document(p, to);
  if (!status && p->options->csv) status = sk_profile_csv(p, to->csv);
  if (!status && to->trace) status = sk_profile_trace(p, to->trace);
  return status;
}

/* ---- The command ---------------------------------------------------------------------------------------------- */

static sk_status open_net(sk_net **net, const struct sk_options *options, int threads, const sk_plan *plan) {
  struct sk_source source;
  const sk_net_options wanted = {.isa = options->isa,
                                 .algorithm = options->algorithm,
                                 .threads = threads,
                                 .batch = options->batch,
                                 .in_height = options->height,
                                 .in_width = options->width,
                                 .plan = plan,
                                 .flush_denormals = options->flush_denormals,
                                 .max_bytes = sk_memory_most(options)};
  sk_status status = sk_source_open(&source, options, options->operands[0]);
  if (!status && source.weights) sk_weights_read_once(source.weights);
  if (!status) status = sk_source_plan(net, &source, &wanted);
  sk_source_close(&source);
  return status;
}

/* Pin the threads before the plan is made, so that its memory lies near the CPUs that will run it; but read the context
 * before that, for then the process may still use all of its CPUs. */
static sk_status measure(struct sk_profile *p, sk_net **net) {
  sk_status status = sk_cpu_list_choose(p->options->cpus, p->threads, &p->cpus);
  if (status) return status;
  sk_context_read(&p->context, p->threads, &p->cpus);
  sk_affinity_pin(&p->cpus);
  const double start = sk_clock_seconds();
  status = open_net(net, p->options, p->threads, p->plan);
  p->plan_seconds = sk_clock_seconds() - start;
  p->net = *net;
  if (status) return status;
  sk_net_info info;
  sk_net_describe(*net, &info);
  const struct sk_plan_conditions here = {info.isa, info.threads, sk_context_find(&p->context, "cpu")};
  sk_plan_tell_differences(p->options, p->plan, &here);
  return sk_profile_measure(p);
}

static enum sk_exit report(const struct sk_profile *p, const struct destinations *to) {
  if (p->m.runs == 0) {
    sk_tell(p->options, "interrupted before anything was measured");
    return SK_EXIT_INTERRUPTED;
  }
  const sk_status status = write_outputs(p, to);
  if (status) return sk_fail_status(p->options, status);
  return p->interrupted ? SK_EXIT_INTERRUPTED : SK_EXIT_SUCCESS;
}

static enum sk_exit run(const struct sk_options *options, const struct destinations *to) {
  sk_net *net = NULL;
  sk_plan *plan = NULL;
  struct sk_profile p = {.options = options,
                         .model = sk_network_name(options->operands[0]),
                         .threads = sk_threads_choose(options->threads)};
  sk_interrupt_watch();
  sk_status status = sk_open_plan(&plan, options);
  p.plan = plan;
  if (!status) status = measure(&p, &net);
  const enum sk_exit code = status ? sk_fail_status(options, status) : report(&p, to);
  sk_profile_free(&p);
  sk_net_destroy(net);
  sk_plan_close(plan);
  return code;
}

enum sk_exit sk_command_profile(const struct sk_options *options) {
  struct destinations to = {0};
  if (sk_isa_emulated(SK_ISA_AVX512)) {
    return sk_usage_error(options, "this build emulates avx512 for tests: its times would mean nothing");
  }
  if (options->reference) {
    return sk_usage_error(options, "--algo: the reference is no kernel to measure; take direct, winograd2 ... or gemm");
  }
  if (options->json && !options->json_path && options->csv && !options->csv_path) {
    return sk_usage_error(options, "--json, --csv: only one can go to stdout; give the other a file, --csv=FILE");
  }
  if (options->scenario == SK_SCENARIO_SINGLE_STREAM && options->batch > 1) {
    return sk_usage_error(options, "--batch: %zu, expected 1 for --scenario single-stream", options->batch);
  }
  const sk_status status = open_destinations(&to, options);
  const enum sk_exit code = status ? sk_fail_status(options, status) : run(options, &to);
  free(to.save);
  return code;
}
