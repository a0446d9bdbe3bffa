/* Memory plans: no activation is overwritten before its last use, and memory is reused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

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
  struct sk_memory_plan plan;
  bool *tapped;
  size_t batch;
};

static void plan_network(struct planned *p, const char *model, size_t batch, size_t tap_every, bool planar) {
  *p = (struct planned){.batch = batch};
  cr_assert_eq(sk_network_build(&p->graph, model, NULL), SK_OK);
  p->tapped = calloc(p->graph.count, sizeof *p->tapped);
  cr_assert_not_null(p->tapped);
  for (size_t i = 0; tap_every && i < p->graph.count; i += tap_every) p->tapped[i] = true;
  cr_assert_eq(sk_schedule_make(&p->schedule, &p->graph, p->tapped), SK_OK);
  cr_assert_eq(sk_memory_plan_make(&p->plan, &p->graph, &p->schedule, p->tapped, batch, planar), SK_OK);
}

static void free_planned(struct planned *p) {
  sk_memory_plan_destroy(&p->plan);
  sk_schedule_destroy(&p->schedule);
  sk_graph_destroy(&p->graph);
  free(p->tapped);
}

/* A value's stretch of memory, as its tensor has it and not as the plan's buffers do. */
static struct sk_buffer stretch(const struct planned *p, size_t value) {
  const struct sk_tensor tensor = sk_memory_plan_tensor(&p->plan, value, NULL);
  struct sk_buffer out = {.offset = (size_t)(uintptr_t)tensor.data};
  cr_assert_eq(sk_tensor_bytes(&tensor, p->batch, &out.bytes), SK_OK);
  cr_expect_leq(out.offset + out.bytes, p->plan.bytes);
  return out;
}

/* Whose contents are intact, played through step by step without asking the plan for lifetimes. */
struct replay {
  const struct planned *planned;
  const char *model;
  bool *intact; /* [nodes] */
};

static void expect_intact(const struct replay *r, size_t step, size_t value) {
  cr_expect(r->intact[value], "%s: step %zu reads %s, which is overwritten", r->model, step,
            r->planned->graph.nodes[value].name);
}

/* Write a step's output: whatever lay there is gone. */
static void write_value(struct replay *r, size_t value) {
  const struct sk_buffer mine = stretch(r->planned, value);
  for (size_t other = 0; other < r->planned->graph.count; other++) {
    if (!r->intact[other]) continue;
    const struct sk_buffer theirs = stretch(r->planned, other);
    if (overlap(&mine, &theirs)) r->intact[other] = false;
  }
  r->intact[value] = true;
}

/* Only a residual, or an element-wise step's input, may be overwritten while it is read: by the same geometry. */
static void expect_in_place_is_allowed(const struct replay *r, const struct sk_step *step) {
  const struct planned *const p = r->planned;
  const struct sk_buffer y = stretch(p, step->output);
  const struct sk_buffer x = stretch(p, step->input);
  const bool is_elementwise = step->op == SK_NODE_ADD || step->op == SK_NODE_RELU || step->op == SK_NODE_BATCH_NORM;
  if (overlap(&x, &y)) cr_expect(is_elementwise && x.offset == y.offset && x.bytes == y.bytes);
  if (step->residual == SK_NO_NODE) return;
  const struct sk_tensor a = sk_memory_plan_tensor(&p->plan, step->residual, NULL);
  const struct sk_tensor b = sk_memory_plan_tensor(&p->plan, step->output, NULL);
  const struct sk_buffer residual = stretch(p, step->residual);
  if (overlap(&residual, &y)) cr_expect(a.data == b.data && a.halo == b.halo && a.channels == b.channels);
}

static void replay_steps(struct replay *r) {
  const struct planned *const p = r->planned;
  write_value(r, 0);
  for (size_t i = 0; i < p->schedule.count; i++) {
    const struct sk_step *const step = &p->schedule.steps[i];
    expect_intact(r, i, step->input);
    if (step->residual != SK_NO_NODE) expect_intact(r, i, step->residual);
    expect_in_place_is_allowed(r, step);
    write_value(r, step->output);
  }
  expect_intact(r, p->schedule.count, p->schedule.value[p->graph.count - 1]);
  for (size_t node = 0; node < p->graph.count; node++) {
    if (p->tapped[node]) expect_intact(r, p->schedule.count, p->schedule.value[node]);
  }
}

static void check_network(const char *model, size_t batch, size_t tap_every, bool planar) {
  struct planned planned;
  plan_network(&planned, model, batch, tap_every, planar);
  expect_placed(planned.plan.buffers, planned.plan.buffer_count, planned.plan.bytes);
  struct replay replay = {.planned = &planned, .model = model};
  replay.intact = calloc(planned.graph.count, sizeof *replay.intact);
  cr_assert_not_null(replay.intact);
  replay_steps(&replay);
  free(replay.intact);
  free_planned(&planned);
}

Test(memory_plan, nothing_is_overwritten_before_its_last_use) {
  for (size_t m = 0; m < sk_model_count(); m++) {
    sk_model_info info;
    cr_assert_eq(sk_model_at(m, &info), SK_OK);
    check_network(info.name, 1, 0, true);
    check_network(info.name, 3, 0, false);
  }
}

Test(memory_plan, taps_stay_to_the_end) {
  for (size_t every = 1; every < 8; every++) {
    check_network("resnet18", 1, every, true);
    check_network("resnet50", 2, every, true);
    check_network("resnet20-cifar", 1, every, false);
    check_network("resnet20-cifar-b", 1, every, true);
  }
}

/* Every reader finds the halo that it needs, and dense layers find none. */
Test(memory_plan, halos_are_what_the_readers_need) {
  struct planned p;
  plan_network(&p, "resnet18", 1, 0, true);
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
  plan_network(&p, "resnet50", 1, 0, true);
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
  cr_expect_eq(sk_memory_plan_make(&p.plan, &p.graph, &p.schedule, p.tapped, SIZE_MAX / 4096, true),
               SK_INVALID_ARGUMENT);
  free_planned(&p);
}
