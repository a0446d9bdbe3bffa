/*
 * The float32 error of Winograd convolution with any points, simulated, against direct convolution in double.
 *
 * What kernels do is done here: filters are transformed in double and rounded once, coefficients are rounded to float,
 * rows of a pair +-p share an even and an odd part, and products are accumulated over the channels by a chain of fused
 * multiply-adds. The order of a few sums of the output transform differs from the kernels', so that the figures agree
 * but not the bits.
 */
#ifndef SK_BENCH_WINOGRAD_ACCURACY_H
#define SK_BENCH_WINOGRAD_ACCURACY_H

#include "bench/verify_internal.h"
#include "reference/winograd.h"

enum { SK_ACCURACY_LANES = 16, SK_ACCURACY_SIDE = SK_REFERENCE_WINOGRAD_MAX_ALPHA };

/* One channel of SK_ACCURACY_LANES tiles, and for each tile a kernel of its own. */
struct sk_accuracy_channel {
  float d[SK_ACCURACY_SIDE * SK_ACCURACY_SIDE][SK_ACCURACY_LANES]; /* [i * SK_ACCURACY_SIDE + j], i, j < alpha */
  float g[9][SK_ACCURACY_LANES];
};

/* Where the tiles come from: called for each channel, first to last, of each group of SK_ACCURACY_LANES tiles. */
typedef void sk_accuracy_source(void *user, size_t channel, struct sk_accuracy_channel *data);

/* Inputs uniform in [low, 1), weights in [-1, 1). Every set of points sees the same numbers. */
struct sk_accuracy_uniform {
  struct sk_random random;
  float low;
};
sk_accuracy_source sk_accuracy_draw_uniform; /* user: struct sk_accuracy_uniform */

/* Matrices whose rows have been given factors that make coefficients integers, and so exact in float: row j of B^T,
 * column j of A^T, or both; row j of G is divided by them. Kernels would need a multiplication more for most rows. */
enum sk_accuracy_scaling {
  SK_ACCURACY_UNSCALED,
  SK_ACCURACY_INTEGER_INPUT,
  SK_ACCURACY_INTEGER_OUTPUT,
  SK_ACCURACY_INTEGER_BOTH,
  SK_ACCURACY_SCALINGS
};

const char *sk_accuracy_scaling_name(enum sk_accuracy_scaling scaling);

/* The transforms of one set of points, ready to run. */
struct sk_accuracy_transforms;

/* Prepare a set of points. Free with sk_accuracy_free. Aborts when memory runs out. */
struct sk_accuracy_transforms *sk_accuracy_prepare(const sk_reference_winograd_points *set,
                                                   enum sk_accuracy_scaling scaling);
void sk_accuracy_free(struct sk_accuracy_transforms *transforms);

/* Count the instructions of both transforms in one dimension, and their coefficients that are not floats. */
size_t sk_accuracy_operations(const struct sk_accuracy_transforms *transforms);
size_t sk_accuracy_inexact(const struct sk_accuracy_transforms *transforms);

/* Relative errors: L2 is ||y^ - y|| / ||y||, max is max |y^ - y| / max |y|. */
struct sk_accuracy {
  double l2, max;
  double direct_l2, direct_max; /* of a direct float32 chain on the same numbers */
};

/* Measure the error over groups of SK_ACCURACY_LANES tiles. */
struct sk_accuracy sk_accuracy_measure(const struct sk_accuracy_transforms *transforms, size_t channels, size_t groups,
                                       sk_accuracy_source *source, void *user);

#endif
