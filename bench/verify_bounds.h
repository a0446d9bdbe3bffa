/* Oracles and error bounds: what a result must be, and how far from it rounding can carry it. */
#ifndef SK_BENCH_VERIFY_BOUNDS_H
#define SK_BENCH_VERIFY_BOUNDS_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/kernels.h"
#include "reference/winograd.h"
#include "skiplane.h"

/* How far rounding can carry a result in which no term meets more than `roundings` roundings, relative to
 * `magnitude`, the sum of the absolute values of its terms. */
double sk_rounding_bound(size_t roundings, double magnitude);

/* How far a kernel's probabilities may be off: of classes whose logits x and bounds are `step` apart. NaN in some. */
void sk_softmax_bounds(const double *x, size_t classes, size_t step, double *bound);

/* The 16 lanes of one chain of fused multiply-adds: as the numerics contract has it, the real sum (in double
 * precision: exact for small integers), and the sum of absolute values. */
struct sk_chain {
  float bits[16];
  double sum[16], magnitude[16];
};

/*
 * Compute chain[l] = fma(x[t], w[t][l], ... fma(x[0], w[0][l], bias[l])), t ascending.
 *
 * x: [terms], or [terms][16] where every lane has its own (per_lane); w: w + t*w_step + l; bias: [16] or NULL for
 * zeros.
 */
void sk_chain_compute(size_t terms, const float *x, bool per_lane, const float *w, size_t w_step, const float *bias,
                      struct sk_chain *chain);

/* a*b + c rounded once, on any machine. */
float sk_exact_fma(float a, float b, float c);

/* What ends a convolution. */
enum sk_activation { SK_ACTIVATION_NONE, SK_ACTIVATION_RELU, SK_ACTIVATION_CLIP, SK_ACTIVATIONS };
const char *sk_activation_name(enum sk_activation activation);
enum sk_residual { SK_RESIDUAL_NONE, SK_RESIDUAL_SEPARATE, SK_RESIDUAL_IN_PLACE, SK_RESIDUALS };
const char *sk_residual_name(enum sk_residual residual);

/* Apply an activation, to a float's bits and to a real number: clips to these bounds. No two numbers get further apart.
 */
extern const struct sk_clip_bounds sk_activation_bounds;
float sk_activate(enum sk_activation activation, float value);
double sk_activate_exact(enum sk_activation activation, double value);

/* Find the exact matrices of F(m,3) at the kernels' points for a stride. False if reference/ has no such set. */
bool sk_winograd_exact(size_t m, size_t stride, sk_reference_winograd *winograd);

/* The matrices for a dimension of a tile of which so many outputs exist: F(2,3) and F(4,3) are trimmed, F(6,3) stays
 * whole (kernels/winograd_points.h). */
sk_reference_winograd sk_winograd_of_tile(const sk_reference_winograd *winograd, size_t outputs);

/* The same with every entry replaced by its absolute value, which bounds are computed with. */
sk_reference_winograd sk_winograd_absolute(const sk_reference_winograd *winograd);

/* Whether transforms of small integers are exact in float: entries with few bits. */
bool sk_winograd_has_few_bits(const sk_reference_winograd_matrix matrix);

/* As sk_reference_winograd_magnitude without bias, of tiles that are trimmed as the kernels' are; each tile and each
 * kernel is transformed only once. */
void sk_winograd_magnitude(const sk_reference_winograd *winograd, const sk_conv_shape *shape, const double *x,
                           const double *weights, double *magnitude);

/* Roundings that a term can meet on its way through one transform of F(m,3), down the columns and along the rows. */
size_t sk_winograd_transform_roundings(size_t m, size_t stride);

/*
 * Roundings that a term of a convolution can meet. Direct and gemm, or a sum in any other order: one for each product
 * of its sum at most. F(m,3), and F(3,4) with the channels of four phases: both transforms, one for the filter's (in
 * double, rounded once: counted twice), and one for each channel. Strassen: three for a sum of inputs, two for that of
 * weights, and one for each channel of up to four products of half of them, or the addition of one of these. Then bias
 * and residual.
 */
size_t sk_conv_roundings(const sk_conv_shape *shape, sk_algorithm algorithm);

/* Whether an algorithm forms sums of inputs: its bound is larger than a plain sum's, and what is not finite spreads. */
bool sk_conv_mixes_inputs(sk_algorithm algorithm);

/* Find the exact matrices by which one of Winograd's does a convolution, F(3,4)'s for its phases. False if reference/
 * has no such set. */
bool sk_conv_matrices(const sk_conv_shape *shape, sk_algorithm algorithm, sk_reference_winograd *winograd);

/* Sum the absolute values of the terms of each output of such an algorithm, without bias. False if there are no exact
 * matrices, or no memory. */
bool sk_conv_magnitude(const sk_conv_shape *shape, sk_algorithm algorithm, const double *x, const double *weights,
                       double *magnitude);

/* What the bias of output channel k adds to that; NULL: none. */
double sk_conv_bias_magnitude(const sk_conv_shape *shape, sk_algorithm algorithm, const float *bias, size_t k);

/* What underflow adds to the bound of such an algorithm whose inputs and weights are no larger than these; 0 for
 * others, whose bound has it. */
double sk_conv_underflow(const sk_conv_shape *shape, sk_algorithm algorithm, double largest_x, double largest_weight);

/* The largest sums of absolute values of a row of B^T, of G and of A^T: no element of a transform in one dimension is
 * larger than this times the largest that goes in. */
struct sk_winograd_norms {
  double input, filter, output;
};
struct sk_winograd_norms sk_winograd_norms(const sk_reference_winograd *winograd);

/* What underflow adds to the bound of an element of the input transform, and of the output transform. */
double sk_winograd_input_underflow(const sk_reference_winograd *winograd);
double sk_winograd_output_underflow(const sk_reference_winograd *winograd);

#endif
