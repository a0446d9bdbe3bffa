#include "resnet/memory_plan.h"

#include <stdlib.h>

#include "dispatch/conv.h"
#include "dispatch/memory.h"
#include "dispatch/size.h"
#include "dispatch/status.h"

/* ---- Placing ------------------------------------------------------------------------------------------------ */

static bool lifetimes_meet(const struct sk_buffer *a, const struct sk_buffer *b) {
  return a->first <= b->last && b->first <= a->last;
}

/* Sorts pointers to buffers: largest first, then by their place in the array, so that the plan is the same with every
 * qsort. */
static int compare_by_size(const void *a, const void *b) {
  const struct sk_buffer *const x = *(struct sk_buffer *const *)a;
  const struct sk_buffer *const y = *(struct sk_buffer *const *)b;
  if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
  return x < y ? -1 : x > y;
}

/* Find the lowest offset at which `buffer` meets none of placed[count], which stand in order of offset. */
static size_t lowest_gap(const struct sk_buffer *buffer, struct sk_buffer *const *placed, size_t count) {
  size_t offset = 0;
  for (size_t i = 0; i < count; i++) {
    if (!lifetimes_meet(buffer, placed[i])) continue;
    if (placed[i]->offset >= offset && placed[i]->offset - offset >= buffer->bytes) break;
    offset = sk_size_max(offset, placed[i]->offset + placed[i]->bytes);
  }
  return offset;
}

/* Insert into placed[count], which stay in order of offset. */
static void insert_by_offset(struct sk_buffer **placed, size_t count, struct sk_buffer *buffer) {
  size_t i = count;
  for (; i > 0 && placed[i - 1]->offset > buffer->offset; i--) placed[i] = placed[i - 1];
  placed[i] = buffer;
}

static bool sum_bytes(const struct sk_buffer *buffers, size_t count, size_t *sum) {
  *sum = 0;
  for (size_t i = 0; i < count; i++) {
    if (!sk_size_add(*sum, buffers[i].bytes, sum)) return false;
  }
  return true;
}

static void place_in_order(struct sk_buffer *const *order, struct sk_buffer **placed, size_t count, size_t *total) {
  *total = 0;
  for (size_t i = 0; i < count; i++) {
    order[i]->offset = lowest_gap(order[i], placed, i);
    insert_by_offset(placed, i, order[i]);
    *total = sk_size_max(*total, order[i]->offset + order[i]->bytes);
  }
}

sk_status sk_buffers_place(struct sk_buffer *buffers, size_t count, size_t *total) {
  /* No offset exceeds the sum of all sizes, so no later sum can overflow. */
  if (!sum_bytes(buffers, count, total)) return sk_fail(SK_INVALID_ARGUMENT, "workspace: its size overflows");
  struct sk_buffer **const order = sk_calloc(count + 1, sizeof(struct sk_buffer *));
  struct sk_buffer **const placed = sk_calloc(count + 1, sizeof(struct sk_buffer *));
  if (order && placed) {
    for (size_t i = 0; i < count; i++) order[i] = &buffers[i];
    /* Pointers are what is sorted. NOLINTNEXTLINE(bugprone-sizeof-expression) */
    qsort(order, count, sizeof *order, compare_by_size);
    place_in_order(order, placed, count, total);
  }
  const bool is_placed = order && placed;
  sk_free(order);
  sk_free(placed);
  return is_placed ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu buffers", count);
}

/* ---- Lifetimes and halos ------------------------------------------------------------------------------------ */

struct planner {
  struct sk_memory_plan *plan;
  const struct sk_graph *graph;
  const struct sk_schedule *schedule;
  const struct sk_segments *segments;
  const bool *tapped;
  size_t batch;
  enum sk_input input;
};

static bool is_input(const struct planner *p, size_t node) { return p->graph->nodes[node].op == SK_NODE_INPUT; }

static void init_value(const struct planner *p, size_t node) {
  const struct sk_node *const n = &p->graph->nodes[node];
  const bool is_planar = is_input(p, node) && p->input != SK_INPUT_NCHW16C;
  p->plan->values[node] = (struct sk_value){.tensor = {.layout = is_planar ? SK_LAYOUT_NCHW : SK_LAYOUT_NCHW16C,
                                                       .channels = n->channels,
                                                       .height = n->height,
                                                       .width = n->width},
                                            .buffer = SK_NO_NODE};
}

/* A step that reads a value keeps it alive, and a convolution wants a halo around it, but where the caller has it. */
static void use_value(const struct planner *p, size_t step, size_t value, size_t halo) {
  struct sk_value *const v = &p->plan->values[value];
  v->last = sk_size_max(v->last, step);
  if (is_input(p, value) && p->input == SK_INPUT_PLAIN) return;
  v->tensor.halo = sk_size_max(v->tensor.halo, halo);
}

static void find_lifetimes(const struct planner *p) {
  const struct sk_schedule *const schedule = p->schedule;
  for (size_t i = 0; i < schedule->count; i++) {
    const struct sk_step *const step = &schedule->steps[i];
    p->plan->values[step->output].first = p->plan->values[step->output].last = i;
    use_value(p, i, step->input, step->op == SK_NODE_CONV ? sk_conv_halo(&p->graph->nodes[step->node].conv) : 0);
    if (step->residual != SK_NO_NODE) use_value(p, i, step->residual, 0);
  }
  for (size_t node = 0; node < p->graph->count; node++) {
    if (p->tapped[node] || node == p->graph->count - 1) use_value(p, schedule->count, schedule->value[node], 0);
  }
}

/* Whether a value is made and used within one segment. The graph's input is made before the first. */
static bool is_inside(const struct planner *p, size_t node) {
  const struct sk_value *const v = &p->plan->values[node];
  if (is_input(p, node) || v->last >= p->schedule->count) return false;
  return sk_segments_of(p->segments, v->first) == sk_segments_of(p->segments, v->last);
}

/* Say how many images each value has room for. */
static void find_room(const struct planner *p) {
  for (size_t node = 0; node < p->graph->count; node++) {
    struct sk_value *const v = &p->plan->values[node];
    v->whole = !is_inside(p, node);
    v->images = v->whole ? p->batch : sk_segments_of(p->segments, v->first)->images;
  }
}

/* ---- Buffers ------------------------------------------------------------------------------------------------ */

static bool same_geometry(const struct sk_value *a, const struct sk_value *b) {
  const struct sk_tensor *const s = &a->tensor, *const t = &b->tensor;
  return a->whole == b->whole && s->layout == t->layout && s->channels == t->channels && s->height == t->height &&
         s->width == t->width;
}

static bool may_overwrite(const struct planner *p, size_t step, size_t value) {
  const struct sk_step *const s = &p->schedule->steps[step];
  if (value == SK_NO_NODE || p->plan->values[value].last != step) return false;
  if (s->op == SK_NODE_CONV && value == s->input) return false; /* its own input, added as residual */
  return same_geometry(&p->plan->values[value], &p->plan->values[s->output]);
}

/* Whether an operator reads an element of its first input only to write the same one. */
static bool is_elementwise(enum sk_node_op op) {
  return op == SK_NODE_BATCH_NORM || op == SK_NODE_RELU || op == SK_NODE_ADD || op == SK_NODE_MULTIPLY ||
         op == SK_NODE_CLIP || op == SK_NODE_SIGMOID;
}

/* The value that a step's output may replace in its buffer, SK_NO_NODE if there is none. */
static size_t overwritten(const struct planner *p, size_t step) {
  const struct sk_step *const s = &p->schedule->steps[step];
  if (may_overwrite(p, step, s->residual)) return s->residual;
  return is_elementwise(s->op) && may_overwrite(p, step, s->input) ? s->input : SK_NO_NODE;
}

/* Let a buffer live as long as a value: what is whole, as long as any group is in a segment that has to do with it. */
static void extend_buffer(const struct planner *p, struct sk_buffer *buffer, const struct sk_value *v) {
  const size_t first = v->whole ? sk_segments_of(p->segments, v->first)->first : v->first;
  const bool ends = v->whole && v->last < p->schedule->count;
  buffer->first = sk_size_min(buffer->first, first);
  buffer->last = sk_size_max(buffer->last, ends ? sk_segments_of(p->segments, v->last)->last : v->last);
}

static void open_buffer(const struct planner *p, size_t value) {
  struct sk_memory_plan *const plan = p->plan;
  struct sk_value *const v = &plan->values[value];
  v->buffer = plan->buffer_count++;
  plan->buffers[v->buffer] = (struct sk_buffer){.first = v->first, .last = v->last};
  extend_buffer(p, &plan->buffers[v->buffer], v);
}

static void assign_buffers(const struct planner *p) {
  struct sk_memory_plan *const plan = p->plan;
  for (size_t node = 0; node < p->graph->count; node++) {
    if (is_input(p, node) && p->input != SK_INPUT_PLAIN) open_buffer(p, node);
  }
  for (size_t i = 0; i < p->schedule->count; i++) {
    const size_t output = p->schedule->steps[i].output;
    const size_t replaced = overwritten(p, i);
    if (replaced == SK_NO_NODE) {
      open_buffer(p, output);
      continue;
    }
    plan->values[output].buffer = plan->values[replaced].buffer;
    extend_buffer(p, &plan->buffers[plan->values[output].buffer], &plan->values[output]);
  }
}

/* Give all values of a buffer the largest halo among them: they must be the same tensor to be written in place. */
static void share_halos(const struct planner *p, size_t *halos) {
  struct sk_value *const values = p->plan->values;
  for (size_t node = 0; node < p->graph->count; node++) {
    if (values[node].buffer == SK_NO_NODE) continue;
    size_t *const halo = &halos[values[node].buffer];
    *halo = sk_size_max(*halo, values[node].tensor.halo);
  }
  for (size_t node = 0; node < p->graph->count; node++) {
    if (values[node].buffer != SK_NO_NODE) values[node].tensor.halo = halos[values[node].buffer];
  }
}

static sk_status size_buffers(const struct planner *p) {
  struct sk_memory_plan *const plan = p->plan;
  for (size_t node = 0; node < p->graph->count; node++) {
    const struct sk_value *const v = &plan->values[node];
    if (v->buffer == SK_NO_NODE) continue;
    size_t bytes = 0;
    const sk_status status = sk_tensor_bytes(&v->tensor, v->images, &bytes);
    if (status) return status;
    plan->buffers[v->buffer].bytes = bytes;
    if (!sk_size_add(plan->bytes_without_reuse, bytes, &plan->bytes_without_reuse)) {
      return sk_fail(SK_INVALID_ARGUMENT, "batch: %zu, the size of its activations overflows", p->batch);
    }
  }
  return SK_OK;
}

/* ---- Halos that stay zero ------------------------------------------------------------------------------------- */

static bool share_memory(const struct planner *p, const struct sk_value *a, const struct sk_value *b) {
  const struct sk_buffer *const x = &p->plan->buffers[a->buffer], *const y = &p->plan->buffers[b->buffer];
  return x->offset < y->offset + y->bytes && y->offset < x->offset + x->bytes;
}

static bool is_same_tensor(const struct planner *p, const struct sk_value *a, const struct sk_value *b) {
  const struct sk_buffer *const buffers = p->plan->buffers;
  return same_geometry(a, b) && a->tensor.halo == b->tensor.halo &&
         buffers[a->buffer].offset == buffers[b->buffer].offset;
}

/* Whether a step finds its output's halo zero: the last step of its segment that wrote to that memory, for the same
 * images, left such a tensor. */
static bool finds_zero_halo(const struct planner *p, size_t step) {
  const struct sk_value *const values = p->plan->values, *const v = &values[p->schedule->steps[step].output];
  const size_t first = sk_segments_of(p->segments, step)->first;
  for (size_t i = step; i-- > first;) {
    const struct sk_value *const before = &values[p->schedule->steps[i].output];
    if (share_memory(p, v, before)) return is_same_tensor(p, v, before);
  }
  return false;
}

static void find_zero_halos(const struct planner *p) {
  for (size_t i = 0; i < p->schedule->count; i++) {
    p->plan->values[p->schedule->steps[i].output].tensor.halo_is_zero = finds_zero_halo(p, i);
  }
}

/* ---- The plan ----------------------------------------------------------------------------------------------- */

static sk_status make(const struct planner *p) {
  for (size_t node = 0; node < p->graph->count; node++) init_value(p, node);
  find_lifetimes(p);
  find_room(p);
  assign_buffers(p);
  size_t *const halos = sk_calloc(p->plan->buffer_count + 1, sizeof *halos);
  if (!halos) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for a memory plan");
  share_halos(p, halos);
  sk_free(halos);
  sk_status status = size_buffers(p);
  if (!status) status = sk_buffers_place(p->plan->buffers, p->plan->buffer_count, &p->plan->bytes);
  if (!status) find_zero_halos(p);
  return status;
}

sk_status sk_memory_plan_make(struct sk_memory_plan *plan, const struct sk_graph *graph,
                              const struct sk_schedule *schedule, const struct sk_segments *segments,
                              const bool *tapped, size_t batch, enum sk_input input) {
  *plan = (struct sk_memory_plan){0};
  plan->values = sk_calloc(graph->count + 1, sizeof *plan->values);
  plan->buffers = sk_calloc(graph->count + 1, sizeof *plan->buffers);
  if (!plan->values || !plan->buffers) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for a memory plan");
  const struct planner planner = {.plan = plan,
                                  .graph = graph,
                                  .schedule = schedule,
                                  .segments = segments,
                                  .tapped = tapped,
                                  .batch = batch,
                                  .input = input};
  return make(&planner);
}

void sk_memory_plan_destroy(struct sk_memory_plan *plan) {
  sk_free(plan->values);
  sk_free(plan->buffers);
  *plan = (struct sk_memory_plan){0};
}

struct sk_tensor sk_memory_plan_tensor(const struct sk_memory_plan *plan, size_t value, size_t image,
                                       const void *memory) {
  const struct sk_value *const v = &plan->values[value];
  const size_t offset = v->buffer != SK_NO_NODE ? plan->buffers[v->buffer].offset : 0;
  struct sk_tensor tensor = v->tensor;
  /* Tensors are read and written through one type; whoever passes const memory only reads. */
  tensor.data = (float *)((uintptr_t)memory + offset);
  if (v->whole) tensor.data += image * sk_tensor_image(&tensor);
  return tensor;
}
