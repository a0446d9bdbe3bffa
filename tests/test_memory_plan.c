/* Memory plans: no activation is overwritten before its last use, and memory is reused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "dispatch/size.h"
#include "resnet/memory_plan.h"
#include "resnet/network.h"

/* ---- Placing ------------------------------------------------------------------------------------------------ */

static uint64_t random_state = 1;

static size_t random_below(size_t limit) {
  random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (size_t)(random_state >> 33) % limit;
}

static bool meet(const struct sk_buffer *a, const struct sk_buffer *b) {
  return a->first <= b->last && b->first <= a->last;
}

static bool overlap(const struct sk_buffer *a, const struct sk_buffer *b) {
  return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

/* The most that is alive at once: no plan can be smaller. */
static size_t lower_bound(const struct sk_buffer *buffers, size_t count, size_t steps) {
  size_t most = 0;
  for (size_t step = 0; step < steps; step++) {
    size_t alive = 0;
    for (size_t i = 0; i < count; i++) {
      if (buffers[i].first <= step && step <= buffers[i].last) alive += buffers[i].bytes;
    }
    if (alive > most) most = alive;
  }
  return most;
}

static void expect_placed(const struct sk_buffer *buffers, size_t count, size_t total) {
  size_t end = 0;
  for (size_t i = 0; i < count; i++) {
    if (buffers[i].offset + buffers[i].bytes > end) end = buffers[i].offset + buffers[i].bytes;
    cr_expect_eq(buffers[i].offset % SK_ALIGNMENT, 0);
    for (size_t j = 0; j < i; j++) {
      cr_expect(!meet(&buffers[i], &buffers[j]) || !overlap(&buffers[i], &buffers[j]), "%zu and %zu overlap", i, j);
    }
  }
  cr_expect_eq(total, end);
}

Test(memory_plan, random_buffers_do_not_overlap) {
  enum { STEPS = 20, LIMIT = 40 };
  for (size_t round = 0; round < 500; round++) {
    struct sk_buffer buffers[LIMIT];
    const size_t count = 1 + random_below(LIMIT);
    for (size_t i = 0; i < count; i++) {
      const size_t first = random_below(STEPS);
      buffers[i] = (struct sk_buffer){
          .bytes = SK_ALIGNMENT * (1 + random_below(9)), .first = first, .last = first + random_below(STEPS - first)};
    }
    size_t total = 0;
    cr_assert_eq(sk_buffers_place(buffers, count, &total), SK_OK);
    expect_placed(buffers, count, total);
    cr_expect_geq(total, lower_bound(buffers, count, STEPS));
  }
}

Test(memory_plan, gaps_are_filled) {
  struct sk_buffer buffers[] = {{.bytes = 640, .first = 0, .last = 1},
                                {.bytes = 320, .first = 1, .last = 3},
                                {.bytes = 640, .first = 2, .last = 3},
                                {.bytes = 128, .first = 0, .last = 0}};
  size_t total = 0;
  cr_assert_eq(sk_buffers_place(buffers, 4, &total), SK_OK);
  expect_placed(buffers, 4, total);
  cr_expect_eq(total, 960);
}

Test(memory_plan, nothing_to_place_and_too_much) {
  size_t total = 1;
  cr_expect_eq(sk_buffers_place(NULL, 0, &total), SK_OK);
  cr_expect_eq(total, 0);
  struct sk_buffer buffers[] = {{.bytes = SIZE_MAX / 2 + 1, .first = 0, .last = 0},
                                {.bytes = SIZE_MAX / 2 + 1, .first = 1, .last = 1}};
  cr_expect_eq(sk_buffers_place(buffers, 2, &total), SK_INVALID_ARGUMENT);
}

/* ---- Networks ----------------------------------------------------------------------------------------------- */

/* A network with its plan. */
struct planned {
  struct sk_graph graph;
  struct sk_schedule schedule;
  struct sk_segments segments;
  struct sk_memory_plan plan;
  bool *tapped;
  size_t batch;
};

/* cache: how much of the batch's activations is to fit; SIZE_MAX makes one group of the whole batch. */
static void plan_network(struct planned *p, const char *model, size_t batch, size_t tap_every, enum sk_input input,
                         size_t cache) {
  *p = (struct planned){.batch = batch};
  cr_assert_eq(sk_network_build(&p->graph, model, NULL), SK_OK);
  p->tapped = calloc(p->graph.count, sizeof *p->tapped);
  cr_assert_not_null(p->tapped);
  for (size_t i = 0; tap_every && i < p->graph.count; i += tap_every) p->tapped[i] = true;
  cr_assert_eq(sk_schedule_make(&p->schedule, &p->graph, p->tapped), SK_OK);
  cr_assert_eq(sk_segments_make(&p->segments, &p->graph, &p->schedule, batch, cache), SK_OK);
  cr_assert_eq(sk_memory_plan_make(&p->plan, &p->graph, &p->schedule, &p->segments, p->tapped, batch, input), SK_OK);
}

static void free_planned(struct planned *p) {
  sk_memory_plan_destroy(&p->plan);
  sk_segments_destroy(&p->segments);
  sk_schedule_destroy(&p->schedule);
  sk_graph_destroy(&p->graph);
  free(p->tapped);
}

/* Images first .. first + count - 1 of the batch. */
struct group {
  size_t first, count;
};

/* A group's stretch of memory in a value, as its tensor has it and not as the plan's buffers do. A plain input lies
 * after all of them here. */
static struct sk_buffer stretch(const struct planned *p, size_t value, struct group group) {
  const bool is_plain = p->plan.values[value].buffer == SK_NO_NODE;
  const void *const memory = is_plain ? (const void *)(uintptr_t)p->plan.bytes : NULL;
  const struct sk_tensor tensor = sk_memory_plan_tensor(&p->plan, value, group.first, memory);
  struct sk_buffer out = {.offset = (size_t)(uintptr_t)tensor.data};
  cr_assert_eq(sk_tensor_bytes(&tensor, group.count, &out.bytes), SK_OK);
  if (!is_plain) cr_expect_leq(out.offset + out.bytes, p->plan.bytes);
  return out;
}

/* Whose contents are intact, played through step by step without asking the plan for lifetimes. */
struct replay {
  const struct planned *planned;
  const char *model;
  bool *intact; /* [nodes][batch] */
  bool *zero;   /* [nodes][batch] whether the memory of such a tensor has its halo zero */
};

static bool *intact(const struct replay *r, size_t value, size_t image) {
  return &r->intact[value * r->planned->batch + image];
}

static void expect_intact(const struct replay *r, size_t step, size_t value, struct group group) {
  for (size_t i = group.first; i < group.first + group.count; i++) {
    cr_expect(*intact(r, value, i), "%s: step %zu reads %s of image %zu, which is overwritten", r->model, step,
              r->planned->graph.nodes[value].name, i);
  }
}

static bool *zero(const struct replay *r, size_t value, size_t image) {
  return &r->zero[value * r->planned->batch + image];
}

/* Whether image i of one value has its halo where that of another has. */
static bool same_halo(const struct replay *r, size_t value, size_t other, size_t i) {
  const struct sk_tensor a = sk_memory_plan_tensor(&r->planned->plan, value, i, NULL);
  const struct sk_tensor b = sk_memory_plan_tensor(&r->planned->plan, other, i, NULL);
  return a.data == b.data && a.halo == b.halo && a.height == b.height && a.width == b.width &&
         a.channels == b.channels && a.layout == b.layout;
}

/* See that a halo which is taken for zero is: of a group, such a tensor was written there, and no other since. */
static void expect_zero_halo(const struct replay *r, size_t value, struct group group) {
  for (size_t i = group.first; i < group.first + group.count; i++) {
    bool found = false;
    for (size_t other = 0; other < r->planned->graph.count; other++) {
      found = found || (*zero(r, other, i) && same_halo(r, value, other, i));
    }
    cr_expect(found, "%s: %s finds no zero halo for image %zu", r->model, r->planned->graph.nodes[value].name, i);
  }
}

/* Write a step's output for a group: whatever lay there is gone, but for the halo of the same tensor. */
static void write_value(struct replay *r, size_t value, struct group group) {
  const struct sk_tensor *const tensor = &r->planned->plan.values[value].tensor;
  if (tensor->halo > 0 && tensor->halo_is_zero) expect_zero_halo(r, value, group);
  const struct sk_buffer mine = stretch(r->planned, value, group);
  for (size_t other = 0; other < r->planned->graph.count; other++) {
    for (size_t i = 0; i < r->planned->batch; i++) {
      if (!*intact(r, other, i) && !*zero(r, other, i)) continue;
      const struct sk_buffer theirs = stretch(r->planned, other, (struct group){i, 1});
      if (!overlap(&mine, &theirs)) continue;
      *intact(r, other, i) = false;
      *zero(r, other, i) = *zero(r, other, i) && same_halo(r, value, other, i);
    }
  }
  for (size_t i = group.first; i < group.first + group.count; i++) *intact(r, value, i) = *zero(r, value, i) = true;
}

/* Only a residual, or an element-wise step's input, may be overwritten while it is read: by the same geometry. */
static void expect_in_place_is_allowed(const struct replay *r, const struct sk_step *step, struct group group) {
  const struct planned *const p = r->planned;
  const struct sk_buffer y = stretch(p, step->output, group);
  const struct sk_buffer x = stretch(p, step->input, group);
  const bool is_elementwise = step->op == SK_NODE_ADD || step->op == SK_NODE_RELU || step->op == SK_NODE_BATCH_NORM;
  if (overlap(&x, &y)) cr_expect(is_elementwise && x.offset == y.offset && x.bytes == y.bytes);
  if (step->residual == SK_NO_NODE) return;
  const struct sk_tensor a = sk_memory_plan_tensor(&p->plan, step->residual, group.first, NULL);
  const struct sk_tensor b = sk_memory_plan_tensor(&p->plan, step->output, group.first, NULL);
  const struct sk_buffer residual = stretch(p, step->residual, group);
  if (overlap(&residual, &y)) cr_expect(a.data == b.data && a.halo == b.halo && a.channels == b.channels);
}

static void replay_group(struct replay *r, const struct sk_segment *segment, struct group group) {
  for (size_t i = segment->first; i <= segment->last; i++) {
    const struct sk_step *const step = &r->planned->schedule.steps[i];
    expect_intact(r, i, step->input, group);
    if (step->residual != SK_NO_NODE) expect_intact(r, i, step->residual, group);
    expect_in_place_is_allowed(r, step, group);
    write_value(r, step->output, group);
  }
}

static void replay_steps(struct replay *r) {
  const struct planned *const p = r->planned;
  const struct group all = {0, p->batch};
  size_t next = 0;
  write_value(r, 0, all);
  for (size_t s = 0; s < p->segments.count; s++) {
    const struct sk_segment *const segment = &p->segments.segments[s];
    cr_assert_eq(segment->first, next);
    for (size_t first = 0; first < p->batch; first += segment->images) {
      const size_t left = p->batch - first;
      replay_group(r, segment, (struct group){first, left < segment->images ? left : segment->images});
    }
    next = segment->last + 1;
  }
  cr_assert_eq(next, p->schedule.count);
  expect_intact(r, p->schedule.count, p->schedule.value[p->graph.count - 1], all);
  for (size_t node = 0; node < p->graph.count; node++) {
    if (p->tapped[node]) expect_intact(r, p->schedule.count, p->schedule.value[node], all);
  }
}

static void check_network(const char *model, size_t batch, size_t tap_every, enum sk_input input, size_t cache) {
  struct planned planned;
  plan_network(&planned, model, batch, tap_every, input, cache);
  expect_placed(planned.plan.buffers, planned.plan.buffer_count, planned.plan.bytes);
  struct replay replay = {.planned = &planned, .model = model};
  replay.intact = calloc(planned.graph.count * batch, sizeof *replay.intact);
  replay.zero = calloc(planned.graph.count * batch, sizeof *replay.zero);
  cr_assert(replay.intact && replay.zero);
  replay_steps(&replay);
  free(replay.intact);
  free(replay.zero);
  free_planned(&planned);
}

Test(memory_plan, nothing_is_overwritten_before_its_last_use) {
  for (size_t m = 0; m < sk_model_count(); m++) {
    sk_model_info info;
    cr_assert_eq(sk_model_at(m, &info), SK_OK);
    check_network(info.name, 1, 0, SK_INPUT_NCHW, SIZE_MAX);
    check_network(info.name, 3, 0, SK_INPUT_NCHW16C, SIZE_MAX);
    check_network(info.name, 3, 0, SK_INPUT_NCHW, 0);
    check_network(info.name, 3, 0, SK_INPUT_PLAIN, 0);
  }
}

Test(memory_plan, taps_stay_to_the_end) {
  for (size_t every = 1; every < 8; every++) {
    check_network("resnet18", 1, every, SK_INPUT_NCHW, SIZE_MAX);
    check_network("resnet50", 2, every, SK_INPUT_NCHW, SIZE_MAX);
    check_network("resnet18", 5, every, SK_INPUT_NCHW, (size_t)4 << 20);
    check_network("resnet20-cifar", 1, every, SK_INPUT_NCHW16C, SIZE_MAX);
    check_network("resnet20-cifar-b", 1, every, SK_INPUT_NCHW, SIZE_MAX);
  }
}

/* Groups of several sizes, with a last one that is not full: 7 images, of which 1, 2 and more fit. */
Test(memory_plan, groups_of_images_do_not_disturb_each_other) {
  for (size_t cache = (size_t)1 << 20; cache < (size_t)64 << 20; cache *= 2) {
    check_network("resnet18", 7, 0, SK_INPUT_NCHW, cache);
    check_network("resnet50", 7, 0, SK_INPUT_NCHW, cache);
  }
}

/* Of ResNet-18, whose every output but three is read by a 3x3 convolution, a stage's first tensors clear their halos.
 */
Test(memory_plan, halos_are_cleared_once_a_stage) {
  struct planned p;
  size_t with_halo = 0, zero = 0;
  plan_network(&p, "resnet18", 1, 0, SK_INPUT_PLAIN, SIZE_MAX);
  for (size_t i = 0; i < p.schedule.count; i++) {
    const struct sk_tensor *const y = &p.plan.values[p.schedule.steps[i].output].tensor;
    with_halo += y->halo > 0;
    zero += y->halo_is_zero && y->halo > 0;
  }
  cr_expect_eq(with_halo, 20, "%zu", with_halo);
  cr_expect_eq(zero, 12, "%zu", zero);
  free_planned(&p);
}

Test(memory_plan, a_plain_input_takes_no_memory) {
  struct planned copied, plain;
  plan_network(&copied, "resnet18", 3, 0, SK_INPUT_NCHW, SIZE_MAX);
  plan_network(&plain, "resnet18", 3, 0, SK_INPUT_PLAIN, SIZE_MAX);
  const struct sk_tensor input = plain.plan.values[0].tensor;
  cr_expect_eq(input.layout, SK_LAYOUT_NCHW);
  cr_expect_eq(input.halo, 0);
  cr_expect_eq(copied.plan.values[0].tensor.halo, 3);
  cr_expect_eq(plain.plan.values[0].buffer, SK_NO_NODE);
  const size_t with = copied.plan.bytes_without_reuse, without = plain.plan.bytes_without_reuse;
  cr_expect_eq(with - without, sk_size_round_up(3 * 3 * (size_t)(230 * 230) * sizeof(float), SK_ALIGNMENT));
  free_planned(&copied);
  free_planned(&plain);
}

Test(memory_plan, groups_fit_the_cache_and_cover_the_batch) {
  struct planned p;
  const size_t cache = (size_t)16 << 20;
  plan_network(&p, "resnet50", 16, 0, SK_INPUT_NCHW, cache);
  cr_expect_gt(p.segments.count, 1);
  for (size_t i = 0; i < p.schedule.count; i++) {
    const struct sk_step *const step = &p.schedule.steps[i];
    const struct sk_node *const nodes = p.graph.nodes;
    size_t elements = sk_node_elements(&nodes[step->input]) + sk_node_elements(&nodes[step->output]);
    if (step->residual != SK_NO_NODE) elements += sk_node_elements(&nodes[step->residual]);
    const size_t images = sk_segments_of(&p.segments, i)->images;
    cr_expect(images * elements * sizeof(float) <= cache || images == 1, "step %zu: %zu images", i, images);
  }
  free_planned(&p);
}

/* Where weights are few an eighth of the cache has to do; where they fill it, so may a group. */
Test(memory_plan, groups_are_as_large_as_their_weights_deserve) {
  struct planned p;
  plan_network(&p, "resnet18", 16, 0, SK_INPUT_NCHW, (size_t)32 << 20);
  const size_t last_conv = p.schedule.count - 3; /* before the average pool and the dense layer */
  cr_assert_eq(p.schedule.steps[last_conv].op, SK_NODE_CONV);
  cr_expect_eq(sk_segments_of(&p.segments, 0)->images, 1);
  cr_expect_eq(sk_segments_of(&p.segments, last_conv)->images, 16);
  free_planned(&p);
}

/* A value inside a segment has room for a group only: 16 images take less than 12 times the memory of one. */
Test(memory_plan, groups_save_memory) {
  struct planned one, many;
  plan_network(&one, "resnet50", 1, 0, SK_INPUT_NCHW, SIZE_MAX);
  plan_network(&many, "resnet50", 16, 0, SK_INPUT_NCHW, (size_t)16 << 20);
  cr_expect_lt(many.plan.bytes, 12 * one.plan.bytes, "%zu and %zu bytes", many.plan.bytes, one.plan.bytes);
  free_planned(&one);
  free_planned(&many);
}

/* Every reader finds the halo that it needs, and dense layers find none. */
Test(memory_plan, halos_are_what_the_readers_need) {
  struct planned p;
  plan_network(&p, "resnet18", 1, 0, SK_INPUT_NCHW, SIZE_MAX);
  for (size_t i = 0; i < p.schedule.count; i++) {
    const struct sk_step *const step = &p.schedule.steps[i];
    const size_t halo = p.plan.values[step->input].tensor.halo;
    const size_t needed = step->op == SK_NODE_CONV ? p.graph.nodes[step->node].conv.pad_top : 0;
    cr_expect_geq(halo, needed, "step %zu", i);
    if (step->op == SK_NODE_DENSE) cr_expect_eq(halo, 0);
  }
  cr_expect_eq(p.plan.values[0].tensor.halo, 3);
  cr_expect_eq(p.plan.values[0].tensor.layout, SK_LAYOUT_NCHW);
  free_planned(&p);
}

Test(memory_plan, memory_is_reused) {
  struct planned p;
  plan_network(&p, "resnet50", 1, 0, SK_INPUT_NCHW, SIZE_MAX);
  cr_expect_lt(p.plan.bytes * 6, p.plan.bytes_without_reuse, "%zu of %zu bytes", p.plan.bytes,
               p.plan.bytes_without_reuse);
  /* The three activations that the first block needs at once, 256 + 64 + 64 channels of 56 x 56, with some halo. */
  cr_expect_lt(p.plan.bytes, 4 * 384 * 58 * 58 + 4 * 64 * 112 * 112);
  free_planned(&p);
}

Test(memory_plan, too_large_a_batch_is_refused) {
  struct planned p = {0};
  cr_assert_eq(sk_network_build(&p.graph, "resnet18", NULL), SK_OK);
  p.tapped = calloc(p.graph.count, sizeof *p.tapped);
  cr_assert_eq(sk_schedule_make(&p.schedule, &p.graph, p.tapped), SK_OK);
  cr_assert_eq(sk_segments_make(&p.segments, &p.graph, &p.schedule, SIZE_MAX / 4096, SIZE_MAX), SK_OK);
  cr_expect_eq(
      sk_memory_plan_make(&p.plan, &p.graph, &p.schedule, &p.segments, p.tapped, SIZE_MAX / 4096, SK_INPUT_NCHW),
      SK_INVALID_ARGUMENT);
  free_planned(&p);
}
