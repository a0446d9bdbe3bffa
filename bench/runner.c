#include "bench/runner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/memory.h"
#include "dispatch/size.h"
#include "dispatch/status.h"
#include "reference/network.h"
#include "resnet/head.h"
#include "resnet/text.h"

sk_status sk_allocate_floats(float **floats, size_t count, size_t size) {
  size_t elements;
  size_t bytes;
  *floats = NULL;
  if (!sk_size_multiply(count, size, &elements) || !sk_size_multiply(elements, sizeof(float), &bytes)) {
    return sk_fail(SK_INVALID_ARGUMENT, "%zu arrays of %zu values overflow the memory", count, size);
  }
  *floats = calloc(sk_size_max(elements, 1), sizeof(float));
  return *floats ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu bytes", bytes);
}

static sk_status take_head(sk_weights *weights, const char *path, const char *model) {
  sk_weights *head = NULL;
  sk_status status = sk_weights_open(&head, path);
  if (!status) status = sk_head_take(weights, model, head);
  if (status) sk_weights_close(head);
  return status;
}

sk_status sk_open_weights(sk_weights **weights, const struct sk_options *options, const char *model) {
  sk_status status = options->weights ? sk_weights_open(weights, options->weights)
                                      : sk_weights_random(weights, model, options->classes, options->seed);
  if (!status && options->head) status = take_head(*weights, options->head, model);
  if (status) return status;
  const size_t bad = sk_weights_nonfinite(*weights);
  if (bad > 0) {
    sk_tell(options, "%s: %zu values are NaN or infinite; going on", sk_quote(options->weights).text, bad);
  }
  return SK_OK;
}

static sk_status open_reference(struct sk_runner *runner, const struct sk_source *source,
                                const sk_net_options *wanted) {
  const sk_status status = sk_source_load(&runner->graph, source, wanted);
  if (status) return status;
  const struct sk_node *input = &runner->graph.nodes[0];
  const struct sk_node *output = &runner->graph.nodes[runner->graph.count - 1];
  runner->in_channels = input->channels;
  runner->in_height = input->height;
  runner->in_width = input->width;
  runner->classes = sk_node_elements(output);
  runner->outputs = calloc(wanted->batch, runner->classes * sizeof(double));
  return runner->outputs ? SK_OK
                         : sk_fail(SK_OUT_OF_MEMORY, "out of memory for the outputs of %zu images", wanted->batch);
}

static sk_status open_net(struct sk_runner *runner, const struct sk_source *source, const sk_net_options *wanted) {
  const sk_status status = sk_source_plan(&runner->net, source, wanted);
  if (status) return status;
  sk_net_describe(runner->net, &runner->info);
  runner->in_channels = runner->info.in_channels;
  runner->in_height = runner->info.in_height;
  runner->in_width = runner->info.in_width;
  runner->classes = runner->info.classes;
  runner->workspace = sk_alloc(runner->info.workspace_bytes);
  if (runner->workspace) return SK_OK;
  return sk_fail(SK_OUT_OF_MEMORY, "out of memory for a workspace of %zu bytes", runner->info.workspace_bytes);
}

static sk_status open_planned(struct sk_runner *runner, const struct sk_options *options,
                              const struct sk_source *source, const sk_plan *plan) {
  const sk_net_options wanted = {.isa = options->isa,
                                 .algorithm = options->algorithm,
                                 .threads = options->threads,
                                 .batch = options->batch,
                                 .in_height = options->height,
                                 .in_width = options->width,
                                 .classes = options->classes,
                                 .taps = options->layers,
                                 .tap_count = options->layer_count,
                                 .plan = plan,
                                 .flush_denormals = options->flush_denormals,
                                 .max_bytes = sk_memory_most(options)};
  *runner = (struct sk_runner){.reference = options->reference};
  return runner->reference ? open_reference(runner, source, &wanted) : open_net(runner, source, &wanted);
}

sk_status sk_runner_open(struct sk_runner *runner, const struct sk_options *options, const struct sk_source *source) {
  sk_plan *plan = NULL;
  *runner = (struct sk_runner){0};
  sk_status status = sk_open_plan(&plan, options);
  if (!status) status = open_planned(runner, options, source, plan);
  sk_plan_close(plan);
  return status;
}

void sk_runner_close(struct sk_runner *runner) {
  sk_free(runner->workspace);
  sk_net_destroy(runner->net);
  sk_graph_destroy(&runner->graph);
  free(runner->outputs);
  *runner = (struct sk_runner){0};
}

sk_status sk_runner_run(struct sk_runner *runner, size_t batch, const float *x, float *y) {
  if (!runner->reference) return sk_net_run(runner->net, batch, x, y, runner->workspace);
  const sk_status status = sk_reference_network_run(&runner->graph, batch, x, runner->outputs, NULL, NULL);
  for (size_t i = 0; !status && i < batch * runner->classes; i++) y[i] = (float)runner->outputs[i];
  return status;
}

const char *sk_runner_isa(const struct sk_runner *runner) {
  return runner->reference ? "reference" : sk_isa_name(runner->info.isa);
}

const char *sk_algorithm_wanted(const struct sk_options *options) {
  if (options->plan) return "plan";
  return options->reference ? "reference" : sk_algorithm_name(options->algorithm);
}

const char *sk_denormals_word(bool flushed) { return flushed ? "flushed" : "exact"; }

/* ---- Plans ---------------------------------------------------------------------------------------------------- */

sk_status sk_open_plan(sk_plan **plan, const struct sk_options *options) {
  *plan = NULL;
  return options->plan ? sk_plan_open(plan, options->plan) : SK_OK;
}

struct sk_digest_text sk_plan_digest(const sk_plan *plan) {
  struct sk_digest_text digest = {""};
  sk_plan_info info;
  if (!plan) return digest;
  sk_plan_describe(plan, &info);
  snprintf(digest.text, sizeof digest.text, "%08" PRIx32, info.digest);
  return digest;
}

struct sk_plan_text sk_plan_name(const struct sk_options *options, const sk_plan *plan) {
  struct sk_plan_text name;
  if (!plan) {
    snprintf(name.text, sizeof name.text, "%s", sk_algorithm_wanted(options));
    return name;
  }
  snprintf(name.text, sizeof name.text, "plan %s (%s)", sk_quote(options->plan).text, sk_plan_digest(plan).text);
  return name;
}

void sk_plan_tell_differences(const struct sk_options *options, const sk_plan *plan,
                              const struct sk_plan_conditions *here) {
  sk_plan_info info;
  if (!plan) return;
  sk_plan_describe(plan, &info);
  const bool is_same_cpu = here->cpu && strcmp(info.cpu, here->cpu) == 0;
  if (is_same_cpu && info.batch == options->batch && info.threads == here->threads && info.isa == here->isa) return;
  sk_tell(options,
          "%s: measured with batch %zu, threads %d, isa %s on %s; this is batch %zu, threads %d, isa %s on %s: other "
          "algorithms may be faster",
          sk_quote(options->plan).text, info.batch, info.threads, sk_isa_name(info.isa), sk_quote_short(info.cpu).text,
          options->batch, here->threads, sk_isa_name(here->isa),
          here->cpu ? sk_quote_short(here->cpu).text : "an unknown CPU");
}
