#include "bench/verify_statistics.h"

#include <math.h>
#include <string.h>

/* ---- ULP distance ---- */

/* Number the floats in their order: both zeros are 0, negative ones count down. */
static int64_t place_among_floats(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  const int64_t magnitude = bits & 0x7fffffffU;
  return bits >> 31 ? -magnitude : magnitude;
}

uint32_t sk_ulp_distance(float a, float b) {
  if (isnan(a) || isnan(b)) return isnan(a) && isnan(b) ? 0 : UINT32_MAX;
  const int64_t difference = place_among_floats(a) - place_among_floats(b);
  return (uint32_t)(difference < 0 ? -difference : difference);
}

size_t sk_ulp_bin(uint32_t distance) {
  if (distance < 2) return distance;
  return 1 + 32 - (size_t)__builtin_clz(distance - 1); /* 1 + the logarithm, rounded up */
}

uint32_t sk_ulp_bin_end(size_t bin) {
  if (bin < 2) return (uint32_t)bin;
  return bin == SK_ULP_BINS - 1 ? UINT32_MAX : (uint32_t)1 << (bin - 1);
}

/* ---- Relative error ---- */

double sk_relative_bin_end(size_t bin) {
  static const double ends[SK_RELATIVE_BINS] = {0,    1e-10, 1e-9, 1e-8, 1e-7, 1e-6,    1e-5,
                                                1e-4, 1e-3,  1e-2, 1e-1, 1,    INFINITY};
  return ends[bin];
}

size_t sk_relative_bin(double error) {
  size_t bin = error > 0 ? 1 : 0;
  while (bin > 0 && bin < SK_RELATIVE_BINS - 1 && error >= sk_relative_bin_end(bin)) bin++;
  return bin;
}

/* ---- Sums ---- */

static double larger(double a, double b) { return a > b ? a : b; }

void sk_error_statistics_add(struct sk_error_statistics *s, float value, double exact, double bound) {
  if (bound == 0) {
    s->must_be_exact++;
    return;
  }
  if (value == 0 && exact == 0) {
    s->zeros++;
    return;
  }
  const double error = fabs((double)value - exact), fraction = error / bound;
  const double relative = error > 0 ? error / fabs(exact) : 0; /* infinite where the exact one is 0 */
  const uint32_t ulp = sk_ulp_distance(value, (float)exact);
  s->values++;
  s->worst_fraction = larger(s->worst_fraction, fraction);
  s->worst_absolute = larger(s->worst_absolute, error);
  s->sum_fraction += fraction * fraction;
  s->sum_absolute += error * error;
  s->sum_exact += exact * exact;
  if (isfinite(relative)) {
    s->worst_relative = larger(s->worst_relative, relative);
    s->sum_relative += relative * relative;
  }
  if (ulp > s->worst_ulp) s->worst_ulp = ulp;
  s->ulp[sk_ulp_bin(ulp)]++;
  s->relative[sk_relative_bin(relative)]++;
}

void sk_error_statistics_merge(struct sk_error_statistics *s, const struct sk_error_statistics *others) {
  s->values += others->values;
  s->must_be_exact += others->must_be_exact;
  s->zeros += others->zeros;
  s->worst_fraction = larger(s->worst_fraction, others->worst_fraction);
  s->worst_absolute = larger(s->worst_absolute, others->worst_absolute);
  s->worst_relative = larger(s->worst_relative, others->worst_relative);
  s->sum_fraction += others->sum_fraction;
  s->sum_absolute += others->sum_absolute;
  s->sum_relative += others->sum_relative;
  s->sum_exact += others->sum_exact;
  if (others->worst_ulp > s->worst_ulp) s->worst_ulp = others->worst_ulp;
  for (size_t i = 0; i < SK_ULP_BINS; i++) s->ulp[i] += others->ulp[i];
  for (size_t i = 0; i < SK_RELATIVE_BINS; i++) s->relative[i] += others->relative[i];
}

double sk_root_mean_square(double sum, size_t values) { return values > 0 ? sqrt(sum / (double)values) : 0; }

double sk_error_l2(const struct sk_error_statistics *s) {
  return s->sum_exact > 0 ? sqrt(s->sum_absolute / s->sum_exact) : 0;
}

double sk_error_margin(const struct sk_error_statistics *s) {
  return s->worst_fraction > 0 ? 1 / s->worst_fraction : INFINITY;
}
