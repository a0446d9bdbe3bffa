/* Planes of NCHW16c, for the cases of kernels that work on one plane at a time. */
#ifndef SK_BENCH_VERIFY_PLANE_H
#define SK_BENCH_VERIFY_PLANE_H

#include "bench/verify_internal.h"

/* Copy plain[rows][columns][16] to a plane with `gap` pixels of poison between rows. Sets the number of its floats. */
float *sk_plane_lay_out(struct sk_verify *v, const float *plain, size_t rows, size_t columns, size_t gap,
                        size_t *floats);

/* An output plane y[rows][columns][16], rows `y_row` apart: all of its bits are known, and bounds too unless `exact` is
 * NULL. */
struct sk_plane_check {
  const float *y;
  size_t rows, columns, y_row;
  const float *bits;       /* [rows][columns][16] */
  const double *exact;     /* likewise, or NULL */
  const double *magnitude; /* likewise */
  size_t roundings;
  bool any_bits; /* are right, within the bounds */
};

/* Check the plane, that it is all that was written, and that the inputs are unchanged. */
void sk_plane_check(struct sk_verify *v, const struct sk_plane_check *check);

#endif
