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
 * the whole tiles. Those of F(6,3) and of stride 2 take all points, and zeros for inputs that do not exist.
 */

/* Points of a dimension of which `inputs` <= alpha inputs exist. */
static inline size_t sk_winograd_points(size_t alpha, size_t inputs) {
  return alpha == 4 || alpha == 6 ? inputs : alpha;
}

/* The number, among all points, of point j of `points`. */
static inline size_t sk_winograd_point(size_t alpha, size_t points, size_t j) {
  return j + 1 < points ? j : alpha - points + j;
}

#endif
