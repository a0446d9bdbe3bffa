/*
 * Segments: the parts of a schedule that a few images go through before the next ones do.
 *
 * A batch whose activations do not fit the caches would carry them through memory at every step. So the images of a
 * batch go through the steps of one resolution in groups that stay in the last-level cache beside other users of it: of
 * few images where weights are few, of more where another group would read many weights again. Where nothing is that
 * large, the whole batch is one group. Results do not depend on it.
 */
#ifndef SK_RESNET_SEGMENTS_H
#define SK_RESNET_SEGMENTS_H

#include "resnet/fuse.h"

struct sk_segment {
  size_t first, last; /* steps, both included */
  size_t images;      /* that go through it at a time */
};

struct sk_segments {
  struct sk_segment *segments;
  size_t count;
};

/* Divide a schedule for a batch, and a cache of so many bytes. Destroy whatever the outcome. Errors: SK_OUT_OF_MEMORY.
 */
sk_status sk_segments_make(struct sk_segments *segments, const struct sk_graph *graph,
                           const struct sk_schedule *schedule, size_t batch, size_t cache_bytes);
void sk_segments_destroy(struct sk_segments *segments);

/* Find the segment of a step. */
const struct sk_segment *sk_segments_of(const struct sk_segments *segments, size_t step);

#endif
