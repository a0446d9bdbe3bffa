/* The convolutions of the networks, from their graphs. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/shapes.h"
#include "dispatch/status.h"
#include "resnet/fuse.h"
#include "resnet/network.h"

static sk_status add_step(struct sk_shapes *shapes, const char *model, const struct sk_node *node,
                          const struct sk_step *step) {
  char name[128];
  snprintf(name, sizeof name, "%s/%s", model, node->name);
  const struct sk_named_shape shape = {name, node->conv, step->relu, step->residual != SK_NO_NODE};
  return sk_shapes_find_equal(shapes, &shape) ? SK_OK : sk_shapes_add(shapes, &shape);
}

static sk_status add_graph(struct sk_shapes *shapes, const char *model, const struct sk_graph *graph) {
  struct sk_schedule schedule = {0};
  bool *tapped = calloc(graph->count, sizeof *tapped);
  if (!tapped) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu layers", graph->count);
  sk_status status = sk_schedule_make(&schedule, graph, tapped);
  for (size_t i = 0; !status && i < schedule.count; i++) {
    const struct sk_step *step = &schedule.steps[i];
    if (step->op == SK_NODE_CONV) status = add_step(shapes, model, &graph->nodes[step->node], step);
  }
  sk_schedule_destroy(&schedule);
  free(tapped);
  return status;
}

static sk_status add_model(struct sk_shapes *shapes, const char *model) {
  struct sk_graph graph = {0};
  sk_status status = sk_network_build(&graph, model, NULL);
  if (!status) status = add_graph(shapes, model, &graph);
  sk_graph_destroy(&graph);
  return status;
}

sk_status sk_shapes_collect(struct sk_shapes *shapes) {
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < sk_model_count(); i++) {
    sk_model_info info;
    status = sk_model_at(i, &info);
    if (!status) status = add_model(shapes, info.name);
  }
  return status;
}
