/*
 * The memory plan of a network: where in the workspace each activation lives, made once.
 *
 * Buffers are shared by activations whose lifetimes do not meet, and a step may write over its residual (or an
 * element-wise step over its input) when nobody reads it again.
 */
#ifndef SK_RESNET_MEMORY_PLAN_H
#define SK_RESNET_MEMORY_PLAN_H

#include "resnet/segments.h"

/* Where a graph's input is while it runs. */
enum sk_input {
  SK_INPUT_NCHW16C, /* copied into blocks of channels */
  SK_INPUT_NCHW,    /* copied into planes with a halo */
  SK_INPUT_PLAIN    /* in the caller's planes, which all who read it can read: sk_conv_reads_plain */
};

/* A stretch of memory needed from step `first` to step `last`, both included. */
struct sk_buffer {
  size_t bytes; /* a multiple of SK_ALIGNMENT */
  size_t first, last;
  size_t offset; /* the answer */
};

/* Place buffers so that no two whose lifetimes meet overlap; *total receives the bytes needed. Largest first, each at
 * the lowest place that is free all its life. Source: Pisarchyk and Lee (2020), "greedy by size".
 * Errors: SK_INVALID_ARGUMENT if the total overflows, SK_OUT_OF_MEMORY. */
sk_status sk_buffers_place(struct sk_buffer *buffers, size_t count, size_t *total);

/* An activation in the workspace. */
struct sk_value {
  struct sk_tensor tensor; /* its data is NULL: the workspace is a run's own */
  size_t first, last;      /* steps; the graph's input is there from 0, outputs and taps stay to the end */
  size_t images;           /* of the whole batch, or of one group if it does not outlive its segment */
  bool whole;              /* the former: image i lies in place i */
  size_t buffer;           /* SK_NO_NODE for a node that is not made, and for SK_INPUT_PLAIN */
};

struct sk_memory_plan {
  struct sk_value *values; /* [nodes] */
  struct sk_buffer *buffers;
  size_t buffer_count;
  size_t bytes;               /* of all buffers as placed */
  size_t bytes_without_reuse; /* if each activation had memory of its own */
};

/* Plan the memory of a schedule whose segments run in groups of images: what lives in one segment only has room for a
 * group, what goes from one to another for the batch, and stays while any group is in either. Destroy whatever the
 * outcome. Errors: SK_INVALID_ARGUMENT if sizes overflow, SK_OUT_OF_MEMORY. */
sk_status sk_memory_plan_make(struct sk_memory_plan *plan, const struct sk_graph *graph,
                              const struct sk_schedule *schedule, const struct sk_segments *segments,
                              const bool *tapped, size_t batch, enum sk_input input);
void sk_memory_plan_destroy(struct sk_memory_plan *plan);

/* The tensor that holds the output of a node (of a value that is made), from image `image` on: the first of a group
 * while its segment runs. memory: the workspace, or of a plain input where it begins. */
struct sk_tensor sk_memory_plan_tensor(const struct sk_memory_plan *plan, size_t value, size_t image,
                                       const void *memory);

#endif
