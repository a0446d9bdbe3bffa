/* What the threads of a team take of work, from their own shares and from each other's, and of a workspace. */
#include <criterion/criterion.h>
#include <string.h>

#include "dispatch/conv_internal.h"

enum { TEAM = 4, ITEMS = 23 };

/* The items that a thread got, in order. */
struct taken {
  size_t count, items[ITEMS];
};

static void take_all(struct sk_queue *queues, struct taken *taken) {
  for (size_t item; taken->count < ITEMS && sk_queue_take(queues, &item);) taken->items[taken->count++] = item;
}

/* Run a team whose thread `eager` takes all it gets before another begins, after thread 0 has taken `early` items.
 * Returns the team's threads. */
static size_t take_in_turn(size_t eager, size_t early, struct taken taken[TEAM]) {
  static struct sk_queue queues[TEAM];
  size_t team = 1;
  memset(taken, 0, TEAM * sizeof *taken);
#pragma omp parallel num_threads(TEAM)
  {
    struct taken *const own = &taken[sk_thread()];
    sk_queue_begin(queues, ITEMS);
    if (sk_thread() == 0) {
      team = sk_team();
      for (size_t item; own->count < early && sk_queue_take(queues, &item);) own->items[own->count++] = item;
    }
#pragma omp barrier
    if (sk_thread() == eager) take_all(queues, own);
#pragma omp barrier
    take_all(queues, own);
  }
  return team;
}

static void expect_each_once(const struct taken taken[TEAM]) {
  size_t times[ITEMS] = {0};
  for (size_t t = 0; t < TEAM; t++) {
    for (size_t i = 0; i < taken[t].count; i++) {
      cr_assert_lt(taken[t].items[i], ITEMS, "thread %zu: item %zu", t, taken[t].items[i]);
      times[taken[t].items[i]]++;
    }
  }
  for (size_t i = 0; i < ITEMS; i++) cr_expect_eq(times[i], 1, "item %zu: %zu times", i, times[i]);
}

Test(team, an_eager_thread_takes_its_share_in_order_and_then_all_that_is_left) {
  struct taken taken[TEAM];
  const size_t team = take_in_turn(0, 0, taken);
  const struct sk_share own = sk_share_of(ITEMS, 0, team);
  expect_each_once(taken);
  cr_expect_eq(taken[0].count, ITEMS, "%zu items", taken[0].count);
  for (size_t i = 0; i < own.end; i++) cr_expect_eq(taken[0].items[i], i, "%zu: item %zu", i, taken[0].items[i]);
}

Test(team, a_thread_takes_the_last_half_of_what_another_has_left) {
  struct taken taken[TEAM];
  const size_t team = take_in_turn(1, 1, taken);
  if (team < TEAM) cr_skip_test("a team of %zu threads, expected %d", team, TEAM);
  /* Of 23 items thread 1 has 5 to 10, thread 2 11 to 16, thread 3 17 to 22, thread 0 has taken 0 of 0 to 4. */
  static const size_t expected[] = {5, 6, 7, 8, 9, 10, 14, 15, 16, 12, 13, 11, 20, 21, 22, 18, 19, 17, 3, 4, 2, 1};
  expect_each_once(taken);
  cr_expect_eq(taken[0].count, 1);
  cr_assert_eq(taken[1].count, sizeof expected / sizeof *expected, "%zu items", taken[1].count);
  for (size_t i = 0; i < taken[1].count; i++) {
    cr_expect_eq(taken[1].items[i], expected[i], "%zu: item %zu, expected %zu", i, taken[1].items[i], expected[i]);
  }
}

Test(team, threads_that_take_at_once_get_each_item_once) {
  for (size_t times = 0; times < 200; times++) {
    struct taken taken[TEAM];
    take_in_turn(TEAM, times % 3, taken);
    expect_each_once(taken);
  }
}

/* Whatever a network's workspace is, threads' parts of it hold what they need, do not meet and do not reach beyond. */
Test(team, parts_of_a_workspace_lie_apart_and_within) {
  static const float weights[64 * 64 * 9];
  const sk_conv_shape shape = {1, 64, 28, 28, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  const sk_conv_options options = {.algorithm = SK_ALGORITHM_WINOGRAD4, .threads = TEAM};
  sk_conv *plan = NULL;
  cr_assert_eq(sk_conv_plan(&plan, &shape, weights, NULL, &options, SK_LAYOUT_NCHW16C, NULL), SK_OK, "%s",
               sk_error_message());
  const size_t own = plan->thread_bytes, threads = (size_t)plan->threads; /* one, without OpenMP */
  const size_t least = sk_conv_tensor_workspace_bytes(plan);
  cr_assert_gt(own, 0, "threads share this layer's workspace");
  cr_expect_eq(own * threads, least);
  for (size_t more = 0; more < 1000; more += 100) {
    sk_conv_set_workspace(plan, least + more);
    cr_expect_geq(plan->thread_bytes, own, "%zu bytes more: parts of %zu, expected %zu", more, plan->thread_bytes, own);
    cr_expect_leq(plan->thread_bytes * threads, least + more, "%zu bytes more: parts of %zu", more, plan->thread_bytes);
    cr_expect_eq(plan->thread_bytes % SK_ALIGNMENT, 0, "%zu bytes more: parts of %zu", more, plan->thread_bytes);
  }
  sk_conv_destroy(plan);
}
