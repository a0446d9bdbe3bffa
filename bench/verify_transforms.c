/*
 * One number at a time, for the kernels' own expressions (kernels/winograd_transform.h) cannot vouch for themselves: a
 * sum reordered there has other bits, which are within every bound, on all ISAs alike.
 */
#include "bench/verify_transforms.h"

#include "bench/verify_bounds.h"
#include "kernels/winograd_points.h"

enum { MAX_ALPHA = SK_REFERENCE_WINOGRAD_MAX_ALPHA, MAX_PAIRS = 3 };

/* The positive one of each pair of points. */
struct pairs {
  size_t count;
  double point[MAX_PAIRS];
};

static struct pairs pairs_of(size_t m, size_t stride) {
  if (stride == 2) return m == 2 ? (struct pairs){1, {SK_F2K3S2_A}} : (struct pairs){2, {SK_F4K3S2_A, SK_F4K3S2_B}};
  if (m == 2) return (struct pairs){1, {SK_F2K3_A}};
  return m == 4 ? (struct pairs){2, {SK_F4K3_A, SK_F4K3_B}} : (struct pairs){3, {SK_F6K3_A, SK_F6K3_B, SK_F6K3_C}};
}

static float scaled_add(double c, float x, float y) { return sk_exact_fma((float)c, x, y); }

/* ---- Input ---- */

/* The product of (z - p^2) over all pairs but one, of which `chain` takes z^i from d[i * step]: from the highest power,
 * whose coefficient is 1, down to the lowest. without: a number of no pair for all of them. */
static float chain(const struct pairs *pairs, size_t without, const float *d, size_t step) {
  double c[MAX_PAIRS + 1] = {1};
  size_t degree = 0;
  for (size_t n = 0; n < pairs->count; n++) {
    if (n == without) continue;
    const double square = pairs->point[n] * pairs->point[n];
    c[++degree] = 1;
    for (size_t i = degree - 1; i > 0; i--) c[i] = c[i - 1] - square * c[i];
    c[0] *= -square;
  }
  float sum = d[degree * step];
  for (size_t i = degree; i-- > 0;) sum = scaled_add(c[i], d[i * step], sum);
  return sum;
}

static void input_1d(const struct pairs *pairs, const float *d, float *out) {
  const size_t k = pairs->count;
  out[0] = chain(pairs, k, d, 2);
  for (size_t n = 0; n < k; n++) {
    const float even = chain(pairs, n, d + 2, 2), odd = (float)pairs->point[n] * chain(pairs, n, d + 1, 2);
    out[2 * n + 1] = even + odd;
    out[2 * n + 2] = even - odd;
  }
  out[2 * k + 1] = chain(pairs, k, d + 1, 2);
}

/* F(m,2) of every other element, then those between. */
static void input_1d_stride2(const struct pairs *pairs, const float *d, float *out) {
  const size_t k = pairs->count;
  for (size_t n = 0; n < k; n++) {
    const float even = chain(pairs, n, d + 2, 4), odd = chain(pairs, n, d, 4);
    out[2 * n] = scaled_add(pairs->point[n], odd, even);
    out[2 * n + 1] = scaled_add(-pairs->point[n], odd, even);
  }
  out[2 * k] = chain(pairs, k, d, 4);
  for (size_t n = 0; n < 2 * k; n++) out[2 * k + 1 + n] = d[2 * n + 1];
}

/* ---- Output ---- */

/* The sum and the difference of each pair's products. */
struct parts {
  float even[MAX_PAIRS], odd[MAX_PAIRS];
};

static struct parts parts_of(const struct pairs *pairs, const float *t) {
  struct parts parts = {0};
  for (size_t n = 0; n < pairs->count; n++) {
    parts.even[n] = t[2 * n] + t[2 * n + 1];
    parts.odd[n] = t[2 * n] - t[2 * n + 1];
  }
  return parts;
}

static double power(double point, size_t exponent) {
  double product = 1;
  for (size_t i = 0; i < exponent; i++) product *= point;
  return product;
}

/* Output `i` from `sum` on: p^i times each pair's part, the last pair first, which begins the sum where there is none.
 */
static float powers(const struct pairs *pairs, const struct parts *parts, size_t i, const float *sum) {
  const float *part = i % 2 == 0 ? parts->even : parts->odd;
  size_t n = pairs->count;
  float total = sum ? *sum : 0;
  if (!sum) {
    n--;
    total = (float)power(pairs->point[n], i) * part[n];
  }
  while (n-- > 0) total = scaled_add(power(pairs->point[n], i), part[n], total);
  return total;
}

/* F(2,3) and F(4,3) begin the last output with infinity's product, F(6,3) ends with it. */
static void output_1d(const struct pairs *pairs, const float *t, float *out) {
  const size_t k = pairs->count, m = 2 * k;
  const struct parts parts = parts_of(pairs, t + 1);
  float sum = parts.even[k - 1];
  for (size_t n = k - 1; n-- > 0;) sum = parts.even[n] + sum;
  out[0] = t[0] + sum;
  for (size_t i = 1; i + 1 < m; i++) out[i] = powers(pairs, &parts, i, NULL);
  out[m - 1] = m < 6 ? powers(pairs, &parts, m - 1, &t[m + 1]) : powers(pairs, &parts, m - 1, NULL) + t[m + 1];
}

/* Each output has an odd element's product besides: F(4,3) begins with it, but for the first output; F(2,3) ends. */
static void output_1d_stride2(const struct pairs *pairs, const float *t, float *out) {
  const struct parts parts = parts_of(pairs, t);
  if (pairs->count == 1) {
    out[0] = parts.even[0] + t[3];
    out[1] = powers(pairs, &parts, 1, &t[2]) + t[4];
    return;
  }
  const float last = t[4] + t[8];
  out[0] = (parts.even[0] + parts.even[1]) + t[5];
  out[1] = powers(pairs, &parts, 1, &t[6]);
  out[2] = powers(pairs, &parts, 2, &t[7]);
  out[3] = powers(pairs, &parts, 3, &last);
}

/* ---- Two dimensions: down the columns first, then along the rows ---- */

typedef void transform_1d(const struct pairs *pairs, const float *from, float *to);

/* Transform from[alpha][alpha] to to[size][size]. */
static void transform_2d(transform_1d *transform, const struct pairs *pairs, size_t alpha, size_t size,
                         const float *from, float *to) {
  float half[MAX_ALPHA][MAX_ALPHA] = {{0}}, column[MAX_ALPHA] = {0}, out[MAX_ALPHA];
  for (size_t j = 0; j < alpha; j++) {
    for (size_t i = 0; i < alpha; i++) column[i] = from[i * alpha + j];
    transform(pairs, column, out);
    for (size_t i = 0; i < size; i++) half[i][j] = out[i];
  }
  for (size_t i = 0; i < size; i++) transform(pairs, half[i], to + i * size);
}

static size_t alpha_of(size_t m, size_t stride) { return stride == 2 ? 2 * m + 1 : m + 2; }

void sk_winograd_input_bits(size_t m, size_t stride, const float *d, float *v) {
  const struct pairs pairs = pairs_of(m, stride);
  const size_t alpha = alpha_of(m, stride);
  transform_2d(stride == 2 ? input_1d_stride2 : input_1d, &pairs, alpha, alpha, d, v);
}

void sk_winograd_output_bits(size_t m, size_t stride, const float *t, float *y) {
  const struct pairs pairs = pairs_of(m, stride);
  transform_2d(stride == 2 ? output_1d_stride2 : output_1d, &pairs, alpha_of(m, stride), m, t, y);
}
