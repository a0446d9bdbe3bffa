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

/* Trimmed to one output: the points 0, a and infinity; of F(4,3), b and -b are left out besides -a. */
static void input_1d_to_1(const struct pairs *pairs, const float *d, float *out) {
  const double a = pairs->point[0], b = pairs->count > 1 ? pairs->point[1] : 0;
  const double zero = pairs->count > 1 ? a * -(b * b) : a, at_a = pairs->count > 1 ? 2 * a * (a * a - b * b) : 2 * a;
  out[0] = scaled_add(-a * zero, d[0], (float)zero * d[1]);
  out[1] = (float)at_a * d[1];
  out[2] = scaled_add(-a, d[1], d[2]);
}

/* The points 0, a, -a and infinity of F(4,3). */
static void input_1d_to_2(const struct pairs *pairs, const float *d, float *out) {
  const double aa = pairs->point[0] * pairs->point[0], bb = pairs->point[1] * pairs->point[1];
  const float even = (float)(aa - bb) * d[2], odd = (float)((aa - bb) * pairs->point[0]) * d[1];
  out[0] = scaled_add(aa * bb, d[0], (float)-bb * d[2]);
  out[1] = even + odd;
  out[2] = even - odd;
  out[3] = scaled_add(-aa, d[1], d[3]);
}

/* What the rows of a and -a are where b's pair is left out: of the elements below x^2, x^2 and above. */
static float row_of_pair(double a, double b, double other, float low, float middle, float high) {
  const float sum = scaled_add(b + other, high, (float)(a * a - b * b) * middle);
  return scaled_add(-other * b * (b + other), low, sum);
}

/* The points 0, a, -a, b and infinity of F(4,3). */
static void input_1d_to_3(const struct pairs *pairs, const float *d, float *out) {
  const double a = pairs->point[0], b = pairs->point[1];
  out[0] = scaled_add(-(b * b), d[2], (float)b * d[3]);
  out[0] = scaled_add(a * a * b * b, d[0], scaled_add(-(a * a * b), d[1], out[0]));
  out[1] = row_of_pair(a, b, a, d[1], d[2], d[3]);
  out[2] = row_of_pair(a, b, -a, d[1], d[2], d[3]);
  out[3] = (float)(2 * b) * scaled_add(-(a * a), d[1], d[3]);
  out[4] = scaled_add(-b, d[3], d[4]);
  out[4] = scaled_add(a * a * b, d[1], scaled_add(-(a * a), d[2], out[4]));
}

/* With stride 2: the points a and infinity, then an odd element. */
static void input_1d_stride2_to_1(const struct pairs *pairs, const float *d, float *out) {
  const double a = pairs->point[0], b = pairs->count > 1 ? pairs->point[1] : 0;
  out[0] = (float)(pairs->count > 1 ? 2 * a * (a * a - b * b) : 2 * a) * d[0];
  out[1] = scaled_add(-a, d[0], d[2]);
  out[2] = d[1];
}

/* The points a, -a and infinity of F(4,3), then two odd elements. */
static void input_1d_stride2_to_2(const struct pairs *pairs, const float *d, float *out) {
  const double a = pairs->point[0], difference = a * a - pairs->point[1] * pairs->point[1];
  const float middle = (float)difference * d[2];
  out[0] = scaled_add(a * difference, d[0], middle);
  out[1] = scaled_add(-a * difference, d[0], middle);
  out[2] = scaled_add(-(a * a), d[0], d[4]);
  out[3] = d[1];
  out[4] = d[3];
}

/* The points a, -a, b and infinity of F(4,3), then three odd elements. */
static void input_1d_stride2_to_3(const struct pairs *pairs, const float *d, float *out) {
  const double a = pairs->point[0], b = pairs->point[1];
  out[0] = row_of_pair(a, b, a, d[0], d[2], d[4]);
  out[1] = row_of_pair(a, b, -a, d[0], d[2], d[4]);
  out[2] = (float)(2 * b) * scaled_add(-(a * a), d[0], d[4]);
  out[3] = scaled_add(-b, d[4], d[6]);
  out[3] = scaled_add(a * a * b, d[0], scaled_add(-(a * a), d[2], out[3]));
  for (size_t i = 0; i < 3; i++) out[4 + i] = d[2 * i + 1];
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

static void output_1d_stride2_to_2(const struct pairs *pairs, const float *t, float *out) {
  out[0] = (t[0] + t[1]) + t[3];
  out[1] = scaled_add(pairs->point[0], t[0] - t[1], t[2]) + t[4];
}

/* Each output has an odd element's product besides: F(4,3) begins with it, but for the first output; F(2,3) ends. */
static void output_1d_stride2(const struct pairs *pairs, const float *t, float *out) {
  const struct parts parts = parts_of(pairs, t);
  if (pairs->count == 1) {
    output_1d_stride2_to_2(pairs, t, out);
    return;
  }
  const float last = t[4] + t[8];
  out[0] = (parts.even[0] + parts.even[1]) + t[5];
  out[1] = powers(pairs, &parts, 1, &t[6]);
  out[2] = powers(pairs, &parts, 2, &t[7]);
  out[3] = powers(pairs, &parts, 3, &last);
}

static void output_1d_to_1(const struct pairs *pairs, const float *t, float *out) {
  (void)pairs;
  out[0] = t[0] + (t[1] + t[2]);
}

static void output_1d_to_2(const struct pairs *pairs, const float *t, float *out) {
  out[0] = t[0] + (t[1] + t[2]);
  out[1] = scaled_add(pairs->point[0], t[1] - t[2], t[3]);
}

static void output_1d_to_3(const struct pairs *pairs, const float *t, float *out) {
  const double a = pairs->point[0], b = pairs->point[1];
  out[0] = t[0] + ((t[1] + t[2]) + t[3]);
  out[1] = scaled_add(a, t[1] - t[2], (float)b * t[3]);
  out[2] = scaled_add(a * a, t[1] + t[2], scaled_add(b * b, t[3], t[4]));
}

static void output_1d_stride2_to_1(const struct pairs *pairs, const float *t, float *out) {
  (void)pairs;
  out[0] = (t[0] + t[1]) + t[2];
}

static void output_1d_stride2_to_3(const struct pairs *pairs, const float *t, float *out) {
  const double a = pairs->point[0], b = pairs->point[1];
  out[0] = ((t[0] + t[1]) + t[2]) + t[4];
  out[1] = scaled_add(a, t[0] - t[1], scaled_add(b, t[2], t[5]));
  out[2] = scaled_add(a * a, t[0] + t[1], scaled_add(b * b, t[2], t[3] + t[6]));
}

/* F(3,4) begins the last output with infinity's product. */
static void output_1d_f3k4(const struct pairs *pairs, const float *t, float *out) {
  const struct parts parts = parts_of(pairs, t + 1);
  out[0] = t[0] + (parts.even[0] + parts.even[1]);
  out[1] = powers(pairs, &parts, 1, NULL);
  out[2] = powers(pairs, &parts, 2, &t[5]);
}

/* ---- Two dimensions: down the columns first, then along the rows ---- */

typedef void transform_1d(const struct pairs *pairs, const float *from, float *to);

/* One dimension: numbers that go in and come out, and the transform. */
struct dimension {
  size_t from, to;
  transform_1d *transform;
};

static size_t alpha_of(size_t m, size_t stride) { return stride == 2 ? 2 * m + 1 : m + 2; }

static struct dimension input_of(size_t m, size_t stride, size_t points) {
  static transform_1d *const trimmed[2][3] = {{input_1d_to_1, input_1d_to_2, input_1d_to_3},
                                              {input_1d_stride2_to_1, input_1d_stride2_to_2, input_1d_stride2_to_3}};
  if (points < alpha_of(m, stride)) {
    return (struct dimension){points, points, trimmed[stride - 1][(points - 3) / stride]};
  }
  return (struct dimension){points, points, stride == 2 ? input_1d_stride2 : input_1d};
}

static struct dimension output_of(size_t m, size_t stride, size_t points) {
  static transform_1d *const trimmed[2][3] = {{output_1d_to_1, output_1d_to_2, output_1d_to_3},
                                              {output_1d_stride2_to_1, output_1d_stride2_to_2, output_1d_stride2_to_3}};
  if (points < alpha_of(m, stride)) {
    const size_t outputs = (points - 3) / stride + 1;
    return (struct dimension){points, outputs, trimmed[stride - 1][outputs - 1]};
  }
  return (struct dimension){points, m, stride == 2 ? output_1d_stride2 : output_1d};
}

/* Transform from[down.from][along.from] to to[down.to][along.to]. */
static void transform_2d(const struct pairs *pairs, struct dimension down, struct dimension along, const float *from,
                         float *to) {
  float half[MAX_ALPHA][MAX_ALPHA] = {{0}}, column[MAX_ALPHA] = {0}, out[MAX_ALPHA];
  for (size_t j = 0; j < along.from; j++) {
    for (size_t i = 0; i < down.from; i++) column[i] = from[i * along.from + j];
    down.transform(pairs, column, out);
    for (size_t i = 0; i < down.to; i++) half[i][j] = out[i];
  }
  for (size_t i = 0; i < down.to; i++) along.transform(pairs, half[i], to + i * along.to);
}

void sk_winograd_input_bits(size_t m, size_t stride, size_t down, size_t along, const float *d, float *v) {
  const struct pairs pairs = pairs_of(m, stride);
  transform_2d(&pairs, input_of(m, stride, down), input_of(m, stride, along), d, v);
}

void sk_winograd_output_bits(size_t m, size_t stride, size_t down, size_t along, const float *t, float *y) {
  const struct pairs pairs = pairs_of(m, stride);
  transform_2d(&pairs, output_of(m, stride, down), output_of(m, stride, along), t, y);
}

void sk_winograd_output_bits_f3k4(const float *t, float *y) {
  const struct pairs pairs = pairs_of(4, 1);
  const struct dimension dimension = {6, 3, output_1d_f3k4};
  transform_2d(&pairs, dimension, dimension, t, y);
}
