/* The threads of a team, and what each does of the work that they divide. */
#ifndef SK_DISPATCH_TEAM_H
#define SK_DISPATCH_TEAM_H

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

#endif
