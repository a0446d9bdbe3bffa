/* The threads of a team, and what each does of the work that they divide. */
#ifndef SK_DISPATCH_TEAM_H
#define SK_DISPATCH_TEAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "dispatch/size.h"

/* The calling thread's number in its team, and the threads of that. */
static inline size_t sk_thread(void) {
#ifdef _OPENMP
  return (size_t)omp_get_thread_num();
#else
  return 0;
#endif
}
static inline size_t sk_team(void) {
#ifdef _OPENMP
  return (size_t)omp_get_num_threads();
#else
  return 1;
#endif
}

/* What a thread does of work that a team divides: the items that begin in [first, end), in units of which each costs as
 * much. */
struct sk_share {
  size_t first, end;
};

/* The part numbered `part` of `parts`. */
static inline struct sk_share sk_share_of(size_t total, size_t part, size_t parts) {
  return (struct sk_share){total * part / parts, total * (part + 1) / parts};
}

/* The calling thread's. */
static inline struct sk_share sk_thread_share(size_t total) { return sk_share_of(total, sk_thread(), sk_team()); }

/* Take from what is left of a share of all images, each of `items`, what there is of the next image. */
struct sk_image_share {
  size_t image;
  struct sk_share items;
};

static inline struct sk_image_share sk_share_take_image(struct sk_share *left, size_t items) {
  const size_t image = left->first / items, before = image * items;
  const struct sk_share taken = {left->first - before, sk_size_min(left->end - before, items)};
  left->first = before + taken.end;
  return (struct sk_image_share){image, taken};
}

/* Which panels of a strip are the thread's, when those before have `before` units of work and each has `each`. */
static inline struct sk_share sk_share_panels(struct sk_share share, size_t before, size_t each, size_t panels) {
  const size_t first = share.first > before ? sk_size_divide_up(share.first - before, each) : 0;
  const size_t end = share.end > before ? sk_size_divide_up(share.end - before, each) : 0;
  return (struct sk_share){sk_size_min(first, panels), sk_size_min(end, panels)};
}

/*
 * A thread's queue of what is left of its share of items which cost as much, but do not always take as long, since
 * threads share memory and caches, and not evenly. A thread whose queue is empty takes the last half of another's, and
 * goes on in order, for kernels ask for the next item's weights. One word, in a line of its own, holds the next item,
 * in its upper half, and their end.
 * Source: Blumofe and Leiserson (1999), "Scheduling Multithreaded Computations by Work Stealing"; of the halves,
 * Hendler and Shavit (2002), "Non-Blocking Steal-Half Work Queues".
 */
struct sk_queue {
  _Alignas(64) _Atomic uint64_t left;
};

/* Items of a team: half of a word holds one more, which is where an empty queue is. */
#define SK_QUEUE_MOST ((size_t)INT32_MAX)

static inline uint64_t sk_queue_of(uint64_t next, uint64_t end) { return next << 32 | end; }
static inline uint64_t sk_queue_next(uint64_t left) { return left >> 32; }
static inline uint64_t sk_queue_end(uint64_t left) { return left & UINT32_MAX; }

/* Begin with the calling thread's share of `items` <= SK_QUEUE_MOST. queues: one of each thread of the team, which
 * meets between this and the first taking, and between the last taking and this. */
static inline void sk_queue_begin(struct sk_queue *queues, size_t items) {
  const struct sk_share share = sk_thread_share(items);
  atomic_store_explicit(&queues[sk_thread()].left, sk_queue_of(share.first, share.end), memory_order_relaxed);
}

/* Take the last half of what `other` has, its first item at once; false: there is nothing. Only the threads' meetings
 * tell one of what another has computed, so that no order is asked of what follows. */
static inline bool sk_queue_steal(struct sk_queue *own, struct sk_queue *other, size_t *item) {
  uint64_t left = atomic_load_explicit(&other->left, memory_order_relaxed);
  while (sk_queue_next(left) < sk_queue_end(left)) {
    const uint64_t next = sk_queue_next(left), end = sk_queue_end(left), middle = next + (end - next) / 2;
    if (!atomic_compare_exchange_weak_explicit(&other->left, &left, sk_queue_of(next, middle), memory_order_relaxed,
                                               memory_order_relaxed)) {
      continue; /* with what is left now */
    }
    atomic_store_explicit(&own->left, sk_queue_of(middle + 1, end), memory_order_relaxed);
    *item = (size_t)middle;
    return true;
  }
  return false;
}

/* Take an item, of the calling thread's own or of another's; false: all are taken. */
static inline bool sk_queue_take(struct sk_queue *queues, size_t *item) {
  const size_t thread = sk_thread(), team = sk_team();
  struct sk_queue *const own = &queues[thread];
  const uint64_t left = atomic_fetch_add_explicit(&own->left, sk_queue_of(1, 0), memory_order_relaxed);
  if (sk_queue_next(left) < sk_queue_end(left)) {
    *item = (size_t)sk_queue_next(left);
    return true;
  }
  for (size_t i = 1; i < team; i++) {
    if (sk_queue_steal(own, &queues[(thread + i) % team], item)) return true;
  }
  return false;
}

#endif
