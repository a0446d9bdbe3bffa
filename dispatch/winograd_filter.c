#include "dispatch/winograd_filter.h"

#include "kernels/winograd_points.h"

enum { MAX_ALPHA = 8 };

static const double points_f2k3[] = {0, SK_F2K3_A, -SK_F2K3_A};
static const double points_f4k3[] = {0, SK_F4K3_A, -SK_F4K3_A, SK_F4K3_B, -SK_F4K3_B};
static const double points_f6k3[] = {0, SK_F6K3_A, -SK_F6K3_A, SK_F6K3_B, -SK_F6K3_B, SK_F6K3_C, -SK_F6K3_C};

static const double *finite_points(size_t m) { return m == 2 ? points_f2k3 : m == 4 ? points_f4k3 : points_f6k3; }

void sk_winograd_filter_matrix(size_t m, double g[][3]) {
  const double *point = finite_points(m);
  const size_t count = m + 1;
  for (size_t j = 0; j < count; j++) {
    double scale = 1;
    for (size_t l = 0; l < count; l++) {
      if (l != j) scale *= point[j] - point[l];
    }
    g[j][0] = 1 / scale;
    g[j][1] = point[j] / scale;
    g[j][2] = point[j] * point[j] / scale;
  }
  g[count][0] = g[count][1] = 0;
  g[count][2] = 1;
}

void sk_winograd_filter_transform(size_t m, const double g[][3], const float w[9], float *u) {
  const size_t alpha = m + 2;
  double half[MAX_ALPHA][3];
  for (size_t i = 0; i < alpha; i++) {
    for (size_t k = 0; k < 3; k++) half[i][k] = g[i][0] * w[k] + g[i][1] * w[3 + k] + g[i][2] * w[6 + k];
  }
  for (size_t i = 0; i < alpha; i++) {
    for (size_t j = 0; j < alpha; j++) {
      u[i * alpha + j] = (float)(half[i][0] * g[j][0] + half[i][1] * g[j][1] + half[i][2] * g[j][2]);
    }
  }
}
