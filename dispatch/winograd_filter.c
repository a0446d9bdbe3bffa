#include "dispatch/winograd_filter.h"

#include "kernels/winograd_points.h"

enum { MAX_SIDE = 8 };

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

void sk_winograd_filter_matrix(size_t m, size_t stride, double g[][3]) {
  const double *point = finite_points(m, stride);
  const size_t count = stride == 2 ? m : m + 1; /* finite points */
  for (size_t j = 0; j < count; j++) {
    const double scale = node_product(point, count, j);
    g[j][0] = 1 / scale;
    g[j][1] = stride == 2 ? 0 : point[j] / scale;
    g[j][2] = (stride == 2 ? point[j] : point[j] * point[j]) / scale;
  }
  g[count][0] = g[count][1] = 0; /* infinity */
  g[count][2] = 1;
  if (stride == 2) { /* the odd elements */
    g[count + 1][0] = g[count + 1][2] = 0;
    g[count + 1][1] = 1;
  }
}

void sk_winograd_filter_transform(size_t m, const double g[][3], const float w[9][SK_BLOCK], float u[][SK_BLOCK]) {
  const size_t side = m + 2;
  double half[MAX_SIDE][3][SK_BLOCK]; /* G w */
  for (size_t i = 0; i < side; i++) {
    for (size_t k = 0; k < 3; k++) {
      for (size_t l = 0; l < SK_BLOCK; l++) {
        half[i][k][l] = g[i][0] * w[k][l] + g[i][1] * w[3 + k][l] + g[i][2] * w[6 + k][l];
      }
    }
  }
  for (size_t i = 0; i < side; i++) {
    for (size_t j = 0; j < side; j++) {
      for (size_t l = 0; l < SK_BLOCK; l++) {
        u[i * side + j][l] = (float)(half[i][0][l] * g[j][0] + half[i][1][l] * g[j][1] + half[i][2][l] * g[j][2]);
      }
    }
  }
}

void sk_winograd_filter_matrix_f3k4(double g[6][4]) {
  for (size_t j = 0; j < 5; j++) {
    double power = 1 / node_product(points_f4k3, 5, j);
    for (size_t k = 0; k < 4; k++, power *= points_f4k3[j]) g[j][k] = power;
  }
  g[5][0] = g[5][1] = g[5][2] = 0; /* infinity */
  g[5][3] = 1;
}

void sk_winograd_filter_transform_f3k4(const double g[6][4], const float w[16][SK_BLOCK], float u[36][SK_BLOCK]) {
  double half[6][4][SK_BLOCK] = {{{0}}}; /* G w */
  for (size_t i = 0; i < 6 * 4 * 4; i++) {
    const size_t row = i / 16, column = i / 4 % 4, k = i % 4;
    for (size_t l = 0; l < SK_BLOCK; l++) half[row][column][l] += g[row][k] * (double)w[k * 4 + column][l];
  }
  for (size_t i = 0; i < 36; i++) {
    const double(*const row)[SK_BLOCK] = half[i / 6];
    const double *const column = g[i % 6];
    for (size_t l = 0; l < SK_BLOCK; l++) {
      u[i][l] = (float)(row[0][l] * column[0] + row[1][l] * column[1] + row[2][l] * column[2] + row[3][l] * column[3]);
    }
  }
}
