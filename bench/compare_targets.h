/* What a comparison measures: a network, layers of it, or shapes of a file. */
#ifndef SK_BENCH_COMPARE_TARGETS_H
#define SK_BENCH_COMPARE_TARGETS_H

#include "bench/source.h"

struct sk_compare_subject {
  char name[320];  /* "resnet50", "resnet50/layer2.0.conv2" */
  char shape[256]; /* "64x56x56 -> 64x56x56 3x3 s1" */
  size_t batch;
  uint64_t macs; /* of one image */
  bool is_layer;
  struct sk_graph graph;
  sk_weights *weights; /* its own; NULL where they are the network's */
};

/* Zeroed, it is empty. */
struct sk_compare_subjects {
  char name[160]; /* of all of them: "resnet50", "my.shapes" */
  struct sk_compare_subject *items;
  size_t count;
  struct sk_graph network;
  struct sk_source source; /* of the network */
};

/* Open what the options name. Free whatever the outcome.
 * Errors: SK_INVALID_ARGUMENT (no such network or layer), those of weights and shape files. */
sk_status sk_compare_subjects_open(struct sk_compare_subjects *subjects, const struct sk_options *options);
void sk_compare_subjects_free(struct sk_compare_subjects *subjects);

#endif
