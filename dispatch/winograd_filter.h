/* The filter transform of Winograd's F(m,3) and F(3,4), done once per plan in double precision. */
#ifndef SK_DISPATCH_WINOGRAD_FILTER_H
#define SK_DISPATCH_WINOGRAD_FILTER_H

#include "kernels/kernels.h"

enum { SK_WINOGRAD_SIDE = 8, SK_WINOGRAD_TAPS = 4 }; /* the most of each */

/* G of F(m,3): row p = (1, p, p^2) / prod_{q != p} (p - q), the last row (0,0,1). With stride 2, G of F(m,2) for the
 * even elements, row p = (1, 0, p) / prod_{q != p} (p - q), then (0,0,1), and (0,1,0) which all odd elements share. Of
 * F(3,4), which has the points of F(4,3), rows go on to p^3. */
struct sk_winograd_filter {
  size_t side, taps; /* m + taps - 1 rows, and columns */
  double matrix[SK_WINOGRAD_SIDE][SK_WINOGRAD_TAPS];
};

/* Requires: m is 2, 4 or 6; with stride 2, 2 or 4. */
struct sk_winograd_filter sk_winograd_filter_of(size_t m, size_t stride);
struct sk_winograd_filter sk_winograd_filter_f3k4(void);

/* u = G w G^T for 16 filters side by side: w[taps*taps][16], u[side*side][16], computed in double and rounded once. */
void sk_winograd_filter_transform(const struct sk_winograd_filter *filter, const float w[][SK_BLOCK],
                                  float u[][SK_BLOCK]);

#endif
