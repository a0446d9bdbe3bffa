#include "dispatch/winograd_filter.h"

#include "kernels/winograd_points.h"

static const double points_f2k3[] = {0, SK_F2K3_A, -SK_F2K3_A};
static const double points_f4k3[] = {0, SK_F4K3_A, -SK_F4K3_A, SK_F4K3_B, -SK_F4K3_B};
static const double points_f6k3[] = {0, SK_F6K3_A, -SK_F6K3_A, SK_F6K3_B, -SK_F6K3_B, SK_F6K3_C, -SK_F6K3_C};

static const double points_f2k3s2[] = {SK_F2K3S2_A, -SK_F2K3S2_A};
static const double points_f4k3s2[] = {SK_F4K3S2_A, -SK_F4K3S2_A, SK_F4K3S2_B, -SK_F4K3S2_B};

static const double *finite_points(size_t m, size_t stride) {
  if (stride == 2) return m == 2 ? points_f2k3s2 : points_f4k3s2;
  return m == 2 ? points_f2k3 : m == 4 ? points_f4k3 : points_f6k3;
}

/* Form prod_{l != j} (p_j - p_l). */
static double node_product(const double *point, size_t count, size_t j) {
  double product = 1;
  for (size_t l = 0; l < count; l++) {
    if (l != j) product *= point[j] - point[l];
  }
  return product;
}

struct sk_winograd_filter sk_winograd_filter_of(size_t m, size_t stride) {
  struct sk_winograd_filter filter = {.side = m + 2, .taps = 3};
  const double *const point = finite_points(m, stride);
  const size_t count = stride == 2 ? m : m + 1; /* finite points */
  for (size_t j = 0; j < count; j++) {
    const double scale = node_product(point, count, j);
    double power = 1;
    for (size_t k = 0; k < 3; k += stride, power *= point[j]) filter.matrix[j][k] = power / scale;
  }
  filter.matrix[count][2] = 1;                      /* infinity */
  if (stride == 2) filter.matrix[count + 1][1] = 1; /* the odd elements */
  return filter;
}

struct sk_winograd_filter sk_winograd_filter_f3k4(void) {
  struct sk_winograd_filter filter = {.side = 6, .taps = 4};
  for (size_t j = 0; j < 5; j++) {
    double power = 1 / node_product(points_f4k3, 5, j);
    for (size_t k = 0; k < 4; k++, power *= points_f4k3[j]) filter.matrix[j][k] = power;
  }
  filter.matrix[5][3] = 1; /* infinity */
  return filter;
}

/* Multiply a row of G by a column of 16 filters. */
static inline void multiply_row(const double row[SK_WINOGRAD_TAPS], const size_t taps, double column[][SK_BLOCK],
                                double sum[SK_BLOCK]) {
  for (size_t l = 0; l < SK_BLOCK; l++) {
    sum[l] = row[0] * column[0][l];
    for (size_t k = 1; k < taps; k++) sum[l] += row[k] * column[k][l];
  }
}

/* Compiled for each number of taps: networks have millions of filters. */
static inline __attribute__((always_inline)) void transform(const struct sk_winograd_filter *f, const size_t taps,
                                                            const float w[][SK_BLOCK], float u[][SK_BLOCK]) {
  double half[SK_WINOGRAD_SIDE][SK_WINOGRAD_TAPS][SK_BLOCK]; /* G w */
  for (size_t k = 0; k < taps; k++) {
    double column[SK_WINOGRAD_TAPS][SK_BLOCK];
    for (size_t r = 0; r < taps; r++) {
      for (size_t l = 0; l < SK_BLOCK; l++) column[r][l] = (double)w[r * taps + k][l];
    }
    for (size_t i = 0; i < f->side; i++) multiply_row(f->matrix[i], taps, column, half[i][k]);
  }
  for (size_t i = 0; i < f->side * f->side; i++) {
    double sum[SK_BLOCK];
    multiply_row(f->matrix[i % f->side], taps, half[i / f->side], sum);
    for (size_t l = 0; l < SK_BLOCK; l++) u[i][l] = (float)sum[l];
  }
}

void sk_winograd_filter_transform(const struct sk_winograd_filter *f, const float w[][SK_BLOCK], float u[][SK_BLOCK]) {
  if (f->taps == 3) {
    transform(f, 3, w, u);
  } else {
    transform(f, 4, w, u);
  }
}
