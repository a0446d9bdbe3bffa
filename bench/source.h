/*
 * Where a command's network comes from, the one place that tells: a name with weights, or an ONNX file that has its
 * own. A word that ends in ".onnx" is a file.
 */
#ifndef SK_BENCH_SOURCE_H
#define SK_BENCH_SOURCE_H

#include "bench/options.h"
#include "resnet/graph.h"

/* Zeroed, it is nothing that may be closed. */
struct sk_source {
  sk_model_info info;  /* its name is what plans and documents call the network */
  sk_model *model;     /* of a file; NULL: a named network */
  sk_weights *weights; /* of a named network, as sk_open_weights opens them */
  sk_resnet_version version;
};

/* Open what a word on the command line names. Close it whatever the outcome.
 * Errors: SK_INVALID_ARGUMENT (no such network; an option that does not go with a file), those of weights and files. */
sk_status sk_source_open(struct sk_source *source, const struct sk_options *options, const char *word);
void sk_source_close(struct sk_source *source);

/* Plan a network of it, as sk_net_create and sk_net_create_from_model do. */
sk_status sk_source_plan(sk_net **net, const struct sk_source *source, const sk_net_options *wanted);

/* Make its graph, bound to weights that last as long as the source. The graph must be empty, and be destroyed whatever
 * the outcome. Errors: as sk_network_load. */
sk_status sk_source_load(struct sk_graph *graph, const struct sk_source *source, const sk_net_options *wanted);

/* Check that it takes pictures, which have three channels. */
sk_status sk_source_check_pictures(const struct sk_source *source, const struct sk_options *options);

#endif
