/*
 * Winograd's minimal filtering F(m,r): m outputs of an r-tap correlation from alpha = m + r - 1 products.
 *
 *   Y = A^T [ (G g) .* (B^T d) ]            gives y_i = sum_k g_k d_{i+k},  0 <= i < m, 0 <= k < r
 *   Y = A^T [ (G g G^T) .* (B^T d B) ] A    likewise in two dimensions
 *
 * The matrices are Toom-Cook's multiplication of polynomials, transposed. With finite points p_0 .. p_{alpha-2} and
 * infinity as the last, and N_j = prod_{l != j} (p_j - p_l):
 *
 *   A^T [m][alpha]      A^T[i][j] = p_j^i                      last column: 0, but 1 in its last row
 *   G   [alpha][r]      G[j][k]   = p_j^k / N_j                last row:    0, but 1 in its last column
 *   B^T [alpha][alpha]  B^T[j]    = coefficients of prod_{l != j} (x - p_l), constant term first
 *                                                              last row:    coefficients of prod_l (x - p_l)
 *
 * With stride 2, y_i = g_0 d_{2i} + g_1 d_{2i+1} + g_2 d_{2i+2} is F(m,2) of (g_0, g_2) over the even elements and a
 * product with g_1 for each odd one, so that alpha = 2m + 1 and r = 3. The m + 1 points of F(m,2), infinity last, come
 * first, then the m odd elements:
 *
 *   A^T [m][2m+1]       F(m,2)'s, and the identity for the odd elements
 *   G   [2m+1][3]       F(m,2)'s columns as columns 0 and 2; (0,1,0) in each of the last m rows
 *   B^T [2m+1][2m+1]    F(m,2)'s columns as columns 0, 2, .., 2m; in row m + 1 + i a 1 in column 2i + 1
 *
 * G has its equal rows m times here: one for each product, so that everything below holds for either stride. Kernels
 * keep the last row once.
 *
 * The kernels share this convention. They may move a factor between row j of B^T, row j of G and column j of A^T,
 * which changes no output; a power of two so moved changes no bit either, short of overflow and underflow.
 *
 * Source: A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016; B. Barabasz et al.,
 * "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks", arXiv:1803.10986.
 */
#ifndef SK_REFERENCE_WINOGRAD_H
#define SK_REFERENCE_WINOGRAD_H

#include <stdbool.h>
#include <stddef.h>

#include "reference/rational.h"
#include "skiplane.h"

enum { SK_REFERENCE_WINOGRAD_MAX_ALPHA = 9 };

/* A matrix of m, alpha or r rows and columns; the rest of the array is zero. */
typedef sk_reference_rational sk_reference_winograd_matrix[SK_REFERENCE_WINOGRAD_MAX_ALPHA]
                                                          [SK_REFERENCE_WINOGRAD_MAX_ALPHA];

typedef struct sk_reference_winograd {
  size_t outputs, taps, stride, alpha;                               /* m, r, 1 or 2, stride*(m - 1) + r */
  sk_reference_rational points[SK_REFERENCE_WINOGRAD_MAX_ALPHA - 1]; /* the finite ones, of F(m,2) with stride 2 */
  sk_reference_winograd_matrix output;                               /* A^T [m][alpha] */
  sk_reference_winograd_matrix filter;                               /* G [alpha][r] */
  sk_reference_winograd_matrix input;                                /* B^T [alpha][alpha] */
} sk_reference_winograd;

/* Derive the matrices of F(m,r) from points[m + r - 2], the finite ones.
 * Requires: outputs, taps >= 1 and 2 <= m + r - 1 <= SK_REFERENCE_WINOGRAD_MAX_ALPHA; distinct points.
 * Errors: aborts with a message when those do not hold, or when a number outgrows 64 bits. */
sk_reference_winograd sk_reference_winograd_derive(size_t outputs, size_t taps, const sk_reference_rational *points);

/* Derive the matrices of F(m,3) with stride 2 from points[m], the finite ones of F(m,2).
 * Requires: outputs >= 1 and 2m + 1 <= SK_REFERENCE_WINOGRAD_MAX_ALPHA; distinct points. Errors: as above. */
sk_reference_winograd sk_reference_winograd_derive_strided(size_t outputs, const sk_reference_rational *points);

/* Trim F(m,r) to fewer outputs: F(outputs,r) from the first of its points and infinity, with G's rows for these points
 * as they are, so that filters are transformed once for all tiles. What G's row p was divided by and F(outputs,r)'s
 * would not be, p - q for each point q that is left out, B^T's row is multiplied by. With stride 2, F(m,2) likewise,
 * and as many odd elements as outputs.
 * Requires: 1 <= outputs <= m and outputs + r >= 3. Errors: as above. */
sk_reference_winograd sk_reference_winograd_trim(const sk_reference_winograd *winograd, size_t outputs);

/* Prove the matrices right: for every i, k, t, exactly,
 * sum_j A^T[i][j] G[j][k] B^T[j][t] = (t == stride*i + k ? 1 : 0). */
bool sk_reference_winograd_is_exact(const sk_reference_winograd *winograd);

/* ---- Point sets -------------------------------------------------------------------------------------------- */

typedef struct sk_reference_winograd_points {
  const char *name; /* "F(4,3) 0 1 -1 2 -2", "F(2,3) stride 2 1 -1" */
  size_t outputs, taps, stride;
  sk_reference_rational points[SK_REFERENCE_WINOGRAD_MAX_ALPHA - 1]; /* [outputs + taps - 2]; stride 2: [outputs] */
} sk_reference_winograd_points;

/* The point sets that Skiplane uses or has considered. tests/winograd_error.c measures them. */
extern const sk_reference_winograd_points sk_reference_winograd_point_sets[];
extern const size_t sk_reference_winograd_point_set_count;

/* Derive the matrices of a set of points, of either stride. */
sk_reference_winograd sk_reference_winograd_derive_set(const sk_reference_winograd_points *set);

/* ---- Transforms -------------------------------------------------------------------------------------------- */

/* Transform in one dimension.
 * d, v, u: [alpha]; g: [taps]; y: [outputs]. */
void sk_reference_winograd_input_1d(const sk_reference_winograd *winograd, const double *d, double *v);  /* B^T d */
void sk_reference_winograd_filter_1d(const sk_reference_winograd *winograd, const double *g, double *u); /* G g */
void sk_reference_winograd_output_1d(const sk_reference_winograd *winograd, const double *p, double *y); /* A^T p */

/* Transform in two dimensions, down the columns by one F(m,r) and along the rows by another, of the same taps:
 * v = B^T d B, u = G g G^T, y = A^T p A, where p = u .* v, summed over channels.
 * d, v, u, p: [down's alpha][along's alpha]; g: [taps][taps]; y: [down's outputs][along's outputs]. */
void sk_reference_winograd_input_2d(const sk_reference_winograd *down, const sk_reference_winograd *along,
                                    const double *d, double *v);
void sk_reference_winograd_filter_2d(const sk_reference_winograd *down, const sk_reference_winograd *along,
                                     const double *g, double *u);
void sk_reference_winograd_output_2d(const sk_reference_winograd *down, const sk_reference_winograd *along,
                                     const double *p, double *y);

/* ---- Error bounds ------------------------------------------------------------------------------------------ */

/* Calculate the amplification of F(m,r) in one dimension,
 *
 *   max_i sum_j |A^T[i][j]| * (sum_k |G[j][k]|) * (sum_t |B^T[j][t]|)
 *
 * When every output is a sum in which no term meets more than n roundings (those of rounded coefficients included),
 * the computed outputs satisfy, with u the unit roundoff and gamma_n = n*u / (1 - n*u),
 *
 *   |y^ - y| <= gamma_n * amplification   * channels * max|g| * max|d|     in one dimension
 *   |y^ - y| <= gamma_n * amplification^2 * channels * max|g| * max|d|     in two
 *
 * Direct correlation has r in its place, so amplification / r is the price of the algorithm, per dimension. */
double sk_reference_winograd_amplification(const sk_reference_winograd *winograd);

/* Compute, for each output of a convolution, the magnitude to which its error bound is relative,
 *
 *   |bias| + |A^T| [ sum_c (|G| |g| |G^T|) .* (|B^T| |d| |B|) ] |A|
 *
 * so that |y^ - y| <= gamma_n * magnitude. Tiles start at output (0, 0) and are whole, in zeros where inputs end. Much
 * sharper than the amplification. The magnitude of direct convolution, sum |w| * |x|, would not do: an output that is
 * an exact zero there has an error here, from the inputs of its tile that cancel.
 *
 * x: [batch][in_channels][in_height][in_width]; weights: [out_channels][in_channels][taps][taps];
 * bias: [out_channels] or NULL; magnitude: [batch][out_channels][out_height][out_width].
 * Requires: kernels of taps x taps, the stride of `winograd` in both dimensions, dilation 1, one group. */
void sk_reference_winograd_magnitude(const sk_reference_winograd *winograd, const sk_conv_shape *shape, const double *x,
                                     const double *weights, const double *bias, double *magnitude);

#endif
