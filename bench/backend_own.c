/* Our own kernels as a backend: networks as planned by sk_net, single layers as convolution plans on tensors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/backend.h"
#include "bench/clock.h"
#include "bench/conv_subject.h"
#include "bench/runner.h"
#include "config.h"
#include "dispatch/isa.h"
#include "dispatch/status.h"
#include "resnet/net.h"
#include "resnet/plan.h"

struct own {
  const struct sk_kernel_table *kernels;
  sk_algorithm algorithm;
  const sk_plan *plan; /* in place of the algorithm; NULL: none */
  int threads;
  bool flush_denormals;
  size_t max_bytes;    /* of a network or convolution */
  struct sk_task task; /* the one loaded */

  /* A network: */
  sk_net *net;
  void *workspace;
  float *y;

  /* A layer: */
  struct sk_conv_subject subject;
};

/* ---- Loading ---------------------------------------------------------------------------------------------------- */

static void unload(struct own *o) {
  sk_net_destroy(o->net);
  sk_free(o->workspace);
  free(o->y);
  sk_conv_subject_free(&o->subject);
  o->net = NULL;
  o->workspace = NULL;
  o->y = NULL;
}

/* A net takes its graph: give it a copy. */
static sk_status copy_graph(const struct sk_graph *graph, struct sk_graph *copy) {
  *copy = (struct sk_graph){0};
  for (size_t i = 0; i < graph->count; i++) sk_graph_add(copy, &graph->nodes[i]);
  return copy->status;
}

static sk_status allocate_network(struct own *o) {
  sk_net_info info;
  const struct sk_graph *graph = o->task.graph;
  sk_net_describe(o->net, &info);
  o->workspace = sk_alloc(info.workspace_bytes);
  o->y = calloc(o->task.batch * sk_node_elements(&graph->nodes[graph->count - 1]), sizeof *o->y);
  if (o->workspace && o->y) return SK_OK;
  return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for a workspace of %zu bytes", o->task.name,
                 info.workspace_bytes);
}

static sk_status load_network(struct own *o) {
  const sk_net_options options = {.isa = o->kernels->isa,
                                  .algorithm = o->algorithm,
                                  .threads = o->threads,
                                  .batch = o->task.batch,
                                  .plan = o->plan,
                                  .flush_denormals = o->flush_denormals,
                                  .max_bytes = o->max_bytes};
  struct sk_graph copy;
  const sk_status status = copy_graph(o->task.graph, &copy);
  if (status) {
    sk_graph_destroy(&copy);
    return status;
  }
  const sk_status made = sk_net_create_from_graph(&o->net, o->task.name, &copy, &options);
  return made ? made : allocate_network(o);
}

static sk_status load(void *instance, const struct sk_task *task) {
  struct own *o = instance;
  unload(o);
  o->task = *task;
  if (!task->is_layer) return load_network(o);
  const sk_status status = o->plan ? sk_plan_find(o->plan, &task->graph->nodes[1], &o->algorithm) : SK_OK;
  if (status) return status;
  const struct sk_conv_request request = {.kernels = o->kernels,
                                          .algorithm = o->algorithm,
                                          .threads = o->threads,
                                          .flush_denormals = o->flush_denormals,
                                          .max_bytes = o->max_bytes,
                                          .graph = task->graph};
  return sk_conv_subject_make(&o->subject, &request, task->batch, task->x);
}

/* ---- Running ---------------------------------------------------------------------------------------------------- */

static sk_status run(void *instance, size_t runs, double *seconds) {
  struct own *o = instance;
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < runs; i++) {
    const double start = sk_clock_seconds();
    if (o->task.is_layer) {
      sk_conv_subject_run(&o->subject);
    } else {
      status = sk_net_run(o->net, o->task.batch, o->task.x, o->y, o->workspace);
    }
    seconds[i] = sk_clock_seconds() - start;
  }
  return status;
}

static sk_status output(void *instance, float *y) {
  const struct own *o = instance;
  const struct sk_graph *graph = o->task.graph;
  const size_t count = o->task.batch * sk_node_elements(&graph->nodes[graph->count - 1]);
  if (o->task.is_layer) {
    sk_conv_subject_output(&o->subject, y);
  } else {
    memcpy(y, o->y, count * sizeof *y);
  }
  return SK_OK;
}

/* ---- Starting --------------------------------------------------------------------------------------------------- */

static void stop(void *instance) {
  if (!instance) return;
  unload(instance);
  free(instance);
}

static sk_status start(void **instance, const struct sk_backend *backend, const struct sk_conditions *conditions,
                       char version[SK_BACKEND_VERSION]) {
  const bool is_gemm = backend->algorithm == SK_ALGORITHM_GEMM;
  *instance = NULL;
  if (is_gemm && !SK_HAVE_OPENBLAS) {
    return sk_fail(SK_UNSUPPORTED, "this build has no OpenBLAS (./configure --install-deps, ./configure, make)");
  }
  if (backend->is_planned && !conditions->plan) {
    return sk_fail(SK_UNSUPPORTED, "needs --plan FILE, which 'skiplane tune' writes");
  }
  struct own *o = calloc(1, sizeof *o);
  if (!o) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory", backend->name);
  o->plan = backend->is_planned ? conditions->plan : NULL;
  o->algorithm = backend->algorithm;
  o->threads = sk_threads_choose(conditions->threads);
  o->flush_denormals = conditions->flush_denormals;
  o->max_bytes = conditions->max_bytes;
  const sk_isa isa = backend->isa == SK_ISA_AUTO ? conditions->isa : backend->isa;
  const sk_status status = sk_kernels_choose(isa, &o->kernels);
  if (status) {
    free(o);
    return status;
  }
  snprintf(version, SK_BACKEND_VERSION, "skiplane %s, %s%s%s%s%s", sk_version(), sk_isa_name(o->kernels->isa),
           is_gemm ? " and OpenBLAS" : "", o->plan ? ", plan " : "", sk_plan_digest(o->plan).text,
           o->flush_denormals ? ", denormals flushed" : "");
  *instance = o;
  return SK_OK;
}

const struct sk_backend sk_own_backend = {
    .name = "auto", .summary = "our kernels", .start = start, .load = load, .run = run, .output = output, .stop = stop};
