/*
 * The interpolation points of F(m,3): 0, +-a, then +-b, then +-c, and infinity, in this order everywhere. With stride
 * 2, those of F(m,2) for every other input: +-a, then +-b, and infinity.
 *
 * Points in pairs make every transform an even and an odd part, shared by the two rows of a pair. The kernels'
 * constants and the filter transform both derive from these numbers; the tests hold them against the exact matrices of
 * reference/.
 */
#ifndef SK_WINOGRAD_POINTS_H
#define SK_WINOGRAD_POINTS_H

#include <stdbool.h>
#include <stddef.h>

#define SK_F2K3_A 1.0

#define SK_F4K3_A (2.0 / 3.0)
#define SK_F4K3_B (3.0 / 2.0)

#define SK_F6K3_A 1.0
#define SK_F6K3_B 2.0
#define SK_F6K3_C 0.5

#define SK_F2K3S2_A 0.75

#define SK_F4K3S2_A 0.375
#define SK_F4K3S2_B 1.25

/*
 * Trimmed tiles. The last tile of a dimension may have fewer than m outputs: r. F(2,3) and F(4,3) compute those by
 * F(r,3) with the first r + 1 of their points and infinity, so from the r + 2 inputs that exist, with the filters of
 * the whole tiles; with stride 2, by F(r,2) with the first r points and infinity, and the first r odd elements. F(6,3)
 * takes all points, and zeros for inputs that do not exist.
 *
 * alpha, the inputs and points of a dimension of a whole tile, tells which algorithm it is: m + 2, or with stride 2
 * 2m + 1, which is odd.
 */

/* Inputs of a dimension that `outputs` outputs side by side read. */
static inline size_t sk_winograd_inputs(size_t alpha, size_t outputs) { return (alpha % 2 + 1) * (outputs - 1) + 3; }

/* Points of a dimension of which `inputs` <= alpha inputs exist. */
static inline size_t sk_winograd_points(size_t alpha, size_t inputs) { return alpha == 8 ? alpha : inputs; }

/* Points of a dimension that has so many outputs less than m; of one output there are three. */
static inline size_t sk_winograd_points_without(size_t alpha, size_t outputs) {
  const size_t less = outputs * (alpha % 2 + 1);
  return less + 3 < alpha ? alpha - less : 3;
}

/* The finite ones of `points`: what follows are infinity and the odd elements. */
static inline size_t sk_winograd_finite_points(size_t alpha, size_t points) {
  return alpha % 2 ? points / 2 : points - 1;
}

/* The number, among all points, of point j of `points`. */
static inline size_t sk_winograd_point(size_t alpha, size_t points, size_t j) {
  const size_t finite = sk_winograd_finite_points(alpha, points);
  return j < finite ? j : j + sk_winograd_finite_points(alpha, alpha) - finite;
}

/* Whether point i of all is among `points`. */
static inline bool sk_winograd_has_point(size_t alpha, size_t points, size_t i) {
  const size_t finite = sk_winograd_finite_points(alpha, points), infinity = sk_winograd_finite_points(alpha, alpha);
  return i < finite || (i >= infinity && i - infinity < points - finite);
}

#endif
