/*
 * Plan files: the algorithm of each convolution of one network, and what was measured when it was chosen.
 *
 * The format is JSON; docs/benchmarking.md describes it. A reader looks at the keys that say what runs and where that
 * was measured, and passes over any other, so that more may be told in the same format. A key that changes what runs,
 * such as the blocking of a layer, must not be passed over: it takes the number of the format up with it.
 */
#ifndef SK_RESNET_PLAN_H
#define SK_RESNET_PLAN_H

#include "resnet/graph.h"

#define SK_PLAN_FORMAT "skiplane-plan 1"
#define SK_PLAN_ELEMENT_TYPE "float32"
#define SK_PLAN_DIRECTION "forward"

enum { SK_PLAN_MAX_BYTES = 16 << 20 };

/* Read a plan from memory, which may end with the call. source: the file's name, for messages. Errors: as
 * sk_plan_open. */
sk_status sk_plan_parse(sk_plan **plan, const char *source, const char *text, size_t length);

/* Check that a plan is of this network: model, input, and each convolution, neither more nor less, with an algorithm
 * that applies. Errors: SK_BAD_FORMAT (names the file, the layer, what came and what was expected). */
sk_status sk_plan_check(const sk_plan *plan, const char *model, const struct sk_graph *graph);

/* Find the algorithm of a convolution. Errors: SK_BAD_FORMAT (the plan lacks it, has it with another shape, or an
 * algorithm that does not apply). */
sk_status sk_plan_find(const sk_plan *plan, const struct sk_node *conv, sk_algorithm *algorithm);

/* The path that a plan came from. */
const char *sk_plan_source(const sk_plan *plan);

#endif
