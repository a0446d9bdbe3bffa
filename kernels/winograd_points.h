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

#define SK_F2K3_A 1.0

#define SK_F4K3_A (2.0 / 3.0)
#define SK_F4K3_B (3.0 / 2.0)

#define SK_F6K3_A 1.0
#define SK_F6K3_B 2.0
#define SK_F6K3_C 0.5

#define SK_F2K3S2_A 0.75

#define SK_F4K3S2_A 0.375
#define SK_F4K3S2_B 1.25

#endif
