/* The filter transform of Winograd's F(m,3), done once per plan in double precision. */
#ifndef SK_DISPATCH_WINOGRAD_FILTER_H
#define SK_DISPATCH_WINOGRAD_FILTER_H

#include "kernels/kernels.h"

/* The matrix G of F(m,3): g[m + 2][3], row p = (1, p, p^2) / prod_{q != p} (p - q), the last row (0,0,1). With stride
 * 2, G of F(m,2) for the even elements, row p = (1, 0, p) / prod_{q != p} (p - q), then (0,0,1), and (0,1,0) which all
 * odd elements share. Requires: m is 2, 4 or 6; with stride 2, 2 or 4. */
void sk_winograd_filter_matrix(size_t m, size_t stride, double g[][3]);

/* u = G w G^T for 16 filters side by side: w[3*3][16], u[(m + 2)*(m + 2)][16], computed in double and rounded once. */
void sk_winograd_filter_transform(size_t m, const double g[][3], const float w[9][SK_BLOCK], float u[][SK_BLOCK]);

/* F(3,4), which has the points of F(4,3): its G[6][4], and u[6][6][16] = G w G^T of w[4][4][16] likewise. */
void sk_winograd_filter_matrix_f3k4(double g[6][4]);
void sk_winograd_filter_transform_f3k4(const double g[6][4], const float w[16][SK_BLOCK], float u[36][SK_BLOCK]);

#endif
