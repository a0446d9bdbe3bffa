#include "resnet/segments.h"

#include "dispatch/memory.h"
#include "dispatch/size.h"
#include "dispatch/status.h"

/* Bytes of one image that a step reads and writes, without halos. */
static size_t step_bytes(const struct sk_graph *graph, const struct sk_step *step) {
  const size_t residual = step->residual == SK_NO_NODE ? 0 : sk_node_elements(&graph->nodes[step->residual]);
  return (sk_node_elements(&graph->nodes[step->input]) + residual + sk_node_elements(&graph->nodes[step->output])) *
         sizeof(float);
}

/* Bytes of a step's weights as F(4,3) packs them, 36 for 9. */
static size_t weight_bytes(const struct sk_graph *graph, const struct sk_step *step) {
  return 4 * sk_node_parameter_elements(graph, step->node, SK_PARAMETER_WEIGHT) * sizeof(float);
}

/* How much of the cache the activations of a group may take: as much as the weights that its images share, which
 * another group reads again, but no less than an eighth: that much was measured to stay beside the cache's other users.
 */
static size_t activation_budget(size_t weights, size_t cache_bytes) {
  return sk_size_min(sk_size_max(weights, cache_bytes / 8), cache_bytes);
}

/* Form groups of nearly equal size, of no more than fit. */
static size_t group_size(size_t batch, size_t image_bytes, size_t budget) {
  const size_t most = sk_size_max(1, budget / sk_size_max(image_bytes, 1));
  return sk_size_divide_up(batch, sk_size_divide_up(batch, most));
}

static bool same_resolution(const struct sk_graph *graph, const struct sk_step *a, const struct sk_step *b) {
  return graph->nodes[a->output].height == graph->nodes[b->output].height;
}

/* One segment for each run of steps of one resolution. */
static void divide_by_resolution(struct sk_segments *out, const struct sk_graph *graph,
                                 const struct sk_schedule *schedule, size_t batch, size_t cache_bytes) {
  size_t bytes = 0, weights = 0;
  for (size_t i = 0; i < schedule->count; i++) {
    const struct sk_step *const step = &schedule->steps[i];
    if (i == 0 || !same_resolution(graph, step - 1, step)) {
      out->segments[out->count++] = (struct sk_segment){.first = i};
      bytes = weights = 0;
    }
    bytes = sk_size_max(bytes, step_bytes(graph, step));
    weights = sk_size_max(weights, weight_bytes(graph, step));
    out->segments[out->count - 1].last = i;
    out->segments[out->count - 1].images = group_size(batch, bytes, activation_budget(weights, cache_bytes));
  }
}

/* Join neighbours of one group size. Before that, none has larger groups than those after it: early steps have few
 * weights, which may as well be read for small groups, and what is inside of a segment needs no room for a batch. */
static void join(struct sk_segments *segments) {
  struct sk_segment *const s = segments->segments;
  for (size_t i = segments->count; i-- > 1;) s[i - 1].images = sk_size_min(s[i - 1].images, s[i].images);
  size_t count = 0;
  for (size_t i = 0; i < segments->count; i++) {
    if (count > 0 && s[count - 1].images == s[i].images) {
      s[count - 1].last = s[i].last;
    } else {
      s[count++] = s[i];
    }
  }
  segments->count = count;
}

sk_status sk_segments_make(struct sk_segments *segments, const struct sk_graph *graph,
                           const struct sk_schedule *schedule, size_t batch, size_t cache_bytes) {
  *segments = (struct sk_segments){.segments = sk_calloc(schedule->count + 1, sizeof *segments->segments)};
  if (!segments->segments) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu segments", schedule->count);
  divide_by_resolution(segments, graph, schedule, batch, cache_bytes);
  join(segments);
  return SK_OK;
}

void sk_segments_destroy(struct sk_segments *segments) {
  sk_free(segments->segments);
  *segments = (struct sk_segments){0};
}

const struct sk_segment *sk_segments_of(const struct sk_segments *segments, size_t step) {
  size_t i = 0;
  while (i + 1 < segments->count && segments->segments[i].last < step) i++;
  return &segments->segments[i];
}
