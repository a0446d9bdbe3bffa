/*
 * The one-dimensional transforms of F(2,3), F(4,3) and F(6,3), of F(2,3) and F(4,3) with stride 2, and of F(3,4): rows
 * of B^T and of A^T applied to registers. F(3,4) has the points of F(4,3), and so its input transform.
 *
 * With M(x) = x (x^2 - a^2)(x^2 - b^2)..., row p of B^T holds the coefficients of M(x)/(x - p), and its last row those
 * of M(x); row i of A^T holds p^i for each point, and 1 for infinity in the last row. Each pair +-p shares an even and
 * an odd part. All expressions are fixed, so that every ISA gives the same bits.
 *
 * Transforms of trimmed tiles are named after the outputs that there are (winograd_points.h): f4k3_input_2 is F(2,3) of
 * the first points of F(4,3). The filters' row p of G is divided by p - q for each q that is left out, so row p of B^T
 * is multiplied by it.
 */
#ifndef SK_WINOGRAD_TRANSFORM_H
#define SK_WINOGRAD_TRANSFORM_H

#include "kernels/simd/simd.h"
#include "kernels/winograd_points.h"

/* c*x + y for a constant c. */
SK_INLINE vf scaled_add(double c, vf x, vf y) { return vfma(vset1((float)c), x, y); }
SK_INLINE vf scaled(double c, vf x) { return vmul(vset1((float)c), x); }

/* One output of the points 0, a and infinity. zero, at_a: the product of p - q over what is left out. */
SK_INLINE void input_1(double a, double zero, double at_a, const vf d[3], vf out[3]) {
  out[0] = scaled_add(-zero * a, d[0], scaled(zero, d[1]));
  out[1] = scaled(at_a, d[1]);
  out[2] = scaled_add(-a, d[1], d[2]);
}

SK_INLINE void output_1(const vf t[3], vf out[1]) { out[0] = vadd(t[0], vadd(t[1], t[2])); }

/* Two outputs of the points 0, +-a and infinity. */
SK_INLINE void output_2(double a, const vf t[4], vf out[2]) {
  out[0] = vadd(t[0], vadd(t[1], t[2]));
  out[1] = scaled_add(a, vsub(t[1], t[2]), t[3]);
}

SK_INLINE void f2k3_input(const vf d[4], vf out[4]) {
  const double aa = SK_F2K3_A * SK_F2K3_A;
  const vf odd = scaled(SK_F2K3_A, d[1]);
  out[0] = scaled_add(-aa, d[0], d[2]);
  out[1] = vadd(d[2], odd);
  out[2] = vsub(d[2], odd);
  out[3] = scaled_add(-aa, d[1], d[3]);
}

SK_INLINE void f2k3_output(const vf t[4], vf out[2]) { output_2(SK_F2K3_A, t, out); }

SK_INLINE void f2k3_input_1(const vf d[3], vf out[3]) { input_1(SK_F2K3_A, SK_F2K3_A, 2 * SK_F2K3_A, d, out); }

SK_INLINE void f4k3_input(const vf d[6], vf out[6]) {
  const double a = SK_F4K3_A, b = SK_F4K3_B, aa = a * a, bb = b * b;
  const vf even_a = scaled_add(-bb, d[2], d[4]);
  const vf odd_a = scaled(a, scaled_add(-bb, d[1], d[3]));
  const vf even_b = scaled_add(-aa, d[2], d[4]);
  const vf odd_b = scaled(b, scaled_add(-aa, d[1], d[3]));
  out[0] = scaled_add(aa * bb, d[0], scaled_add(-(aa + bb), d[2], d[4]));
  out[1] = vadd(even_a, odd_a);
  out[2] = vsub(even_a, odd_a);
  out[3] = vadd(even_b, odd_b);
  out[4] = vsub(even_b, odd_b);
  out[5] = scaled_add(aa * bb, d[1], scaled_add(-(aa + bb), d[3], d[5]));
}

SK_INLINE void f4k3_output(const vf t[6], vf out[4]) {
  const double a = SK_F4K3_A, b = SK_F4K3_B;
  const vf even_a = vadd(t[1], t[2]), odd_a = vsub(t[1], t[2]);
  const vf even_b = vadd(t[3], t[4]), odd_b = vsub(t[3], t[4]);
  out[0] = vadd(t[0], vadd(even_a, even_b));
  out[1] = scaled_add(a, odd_a, scaled(b, odd_b));
  out[2] = scaled_add(a * a, even_a, scaled(b * b, even_b));
  out[3] = scaled_add(a * a * a, odd_a, scaled_add(b * b * b, odd_b, t[5]));
}

SK_INLINE void f3k4_output(const vf t[6], vf out[3]) {
  const double a = SK_F4K3_A, b = SK_F4K3_B;
  const vf even_a = vadd(t[1], t[2]), odd_a = vsub(t[1], t[2]);
  const vf even_b = vadd(t[3], t[4]), odd_b = vsub(t[3], t[4]);
  out[0] = vadd(t[0], vadd(even_a, even_b));
  out[1] = scaled_add(a, odd_a, scaled(b, odd_b));
  out[2] = scaled_add(a * a, even_a, scaled_add(b * b, even_b, t[5]));
}

SK_INLINE void f4k3_input_1(const vf d[3], vf out[3]) {
  const double a = SK_F4K3_A, b = SK_F4K3_B;
  input_1(a, -a * b * b, 2 * a * (a * a - b * b), d, out);
}

SK_INLINE void f4k3_input_2(const vf d[4], vf out[4]) {
  const double a = SK_F4K3_A, b = SK_F4K3_B, aa = a * a, bb = b * b;
  const vf even = scaled(aa - bb, d[2]), odd = scaled((aa - bb) * a, d[1]);
  out[0] = scaled_add(aa * bb, d[0], scaled(-bb, d[2]));
  out[1] = vadd(even, odd);
  out[2] = vsub(even, odd);
  out[3] = scaled_add(-aa, d[1], d[3]);
}

/* The rows of +-a, b and infinity over four elements: without -b to pair b with, x - b is a factor of those of +-a. */
SK_INLINE void unpaired_rows(double a, double b, vf e0, vf e1, vf e2, vf e3, vf out[4]) {
  const double aa = a * a;
  const vf middle = scaled(aa - b * b, e1);
  out[0] = scaled_add(-a * b * (b + a), e0, scaled_add(b + a, e2, middle));
  out[1] = scaled_add(a * b * (b - a), e0, scaled_add(b - a, e2, middle));
  out[2] = scaled(2 * b, scaled_add(-aa, e0, e2));
  out[3] = scaled_add(aa * b, e0, scaled_add(-aa, e1, scaled_add(-b, e2, e3)));
}

SK_INLINE void f4k3_input_3(const vf d[5], vf out[5]) {
  const double a = SK_F4K3_A, b = SK_F4K3_B, aa = a * a, bb = b * b;
  out[0] = scaled_add(aa * bb, d[0], scaled_add(-aa * b, d[1], scaled_add(-bb, d[2], scaled(b, d[3]))));
  unpaired_rows(a, b, d[1], d[2], d[3], d[4], out + 1);
}

SK_INLINE void f4k3_output_3(const vf t[5], vf out[3]) {
  const double a = SK_F4K3_A, b = SK_F4K3_B;
  const vf even = vadd(t[1], t[2]), odd = vsub(t[1], t[2]);
  out[0] = vadd(t[0], vadd(even, t[3]));
  out[1] = scaled_add(a, odd, scaled(b, t[3]));
  out[2] = scaled_add(a * a, even, scaled_add(b * b, t[3], t[4]));
}

/*
 * Stride 2: y_i = g_0 d_{2i} + g_1 d_{2i+1} + g_2 d_{2i+2} is F(m,2) of g_0, g_2 over the even elements, and a product
 * for each odd one. The m + 1 values of the even part come first, then the m odd elements.
 */
SK_INLINE void f2k3s2_input(const vf d[5], vf out[5]) {
  const double a = SK_F2K3S2_A;
  out[0] = scaled_add(a, d[0], d[2]);
  out[1] = scaled_add(-a, d[0], d[2]);
  out[2] = scaled_add(-(a * a), d[0], d[4]);
  out[3] = d[1];
  out[4] = d[3];
}

/* Two outputs of the points +-a and infinity, and two odd elements. */
SK_INLINE void output_2s2(double a, const vf t[5], vf out[2]) {
  out[0] = vadd(vadd(t[0], t[1]), t[3]);
  out[1] = vadd(scaled_add(a, vsub(t[0], t[1]), t[2]), t[4]);
}

SK_INLINE void f2k3s2_output(const vf t[5], vf out[2]) { output_2s2(SK_F2K3S2_A, t, out); }

SK_INLINE void f4k3s2_input(const vf d[9], vf out[9]) {
  const double a = SK_F4K3S2_A, b = SK_F4K3S2_B, aa = a * a, bb = b * b;
  const vf even_a = scaled_add(-bb, d[2], d[6]), odd_a = scaled_add(-bb, d[0], d[4]);
  const vf even_b = scaled_add(-aa, d[2], d[6]), odd_b = scaled_add(-aa, d[0], d[4]);
  out[0] = scaled_add(a, odd_a, even_a);
  out[1] = scaled_add(-a, odd_a, even_a);
  out[2] = scaled_add(b, odd_b, even_b);
  out[3] = scaled_add(-b, odd_b, even_b);
  out[4] = scaled_add(aa * bb, d[0], scaled_add(-(aa + bb), d[4], d[8]));
  out[5] = d[1];
  out[6] = d[3];
  out[7] = d[5];
  out[8] = d[7];
}

SK_INLINE void f4k3s2_output(const vf t[9], vf out[4]) {
  const double a = SK_F4K3S2_A, b = SK_F4K3S2_B;
  const vf even_a = vadd(t[0], t[1]), odd_a = vsub(t[0], t[1]);
  const vf even_b = vadd(t[2], t[3]), odd_b = vsub(t[2], t[3]);
  out[0] = vadd(vadd(even_a, even_b), t[5]);
  out[1] = scaled_add(a, odd_a, scaled_add(b, odd_b, t[6]));
  out[2] = scaled_add(a * a, even_a, scaled_add(b * b, even_b, t[7]));
  out[3] = scaled_add(a * a * a, odd_a, scaled_add(b * b * b, odd_b, vadd(t[4], t[8])));
}

/* One output: the points a and infinity, and an odd element. at_a: the product of a - q over what is left out. */
SK_INLINE void input_1s2(double a, double at_a, const vf d[3], vf out[3]) {
  out[0] = scaled(at_a, d[0]);
  out[1] = scaled_add(-a, d[0], d[2]);
  out[2] = d[1];
}

SK_INLINE void output_1s2(const vf t[3], vf out[1]) { out[0] = vadd(vadd(t[0], t[1]), t[2]); }

SK_INLINE void f2k3s2_input_1(const vf d[3], vf out[3]) { input_1s2(SK_F2K3S2_A, 2 * SK_F2K3S2_A, d, out); }

SK_INLINE void f4k3s2_input_1(const vf d[3], vf out[3]) {
  const double a = SK_F4K3S2_A, b = SK_F4K3S2_B;
  input_1s2(a, 2 * a * (a * a - b * b), d, out);
}

SK_INLINE void f4k3s2_input_2(const vf d[5], vf out[5]) {
  const double a = SK_F4K3S2_A, b = SK_F4K3S2_B, aa = a * a, bb = b * b;
  const vf middle = scaled(aa - bb, d[2]);
  out[0] = scaled_add(a * (aa - bb), d[0], middle);
  out[1] = scaled_add(-a * (aa - bb), d[0], middle);
  out[2] = scaled_add(-aa, d[0], d[4]);
  out[3] = d[1];
  out[4] = d[3];
}

SK_INLINE void f4k3s2_input_3(const vf d[7], vf out[7]) {
  unpaired_rows(SK_F4K3S2_A, SK_F4K3S2_B, d[0], d[2], d[4], d[6], out);
  out[4] = d[1];
  out[5] = d[3];
  out[6] = d[5];
}

SK_INLINE void f4k3s2_output_3(const vf t[7], vf out[3]) {
  const double a = SK_F4K3S2_A, b = SK_F4K3S2_B;
  const vf even = vadd(t[0], t[1]), odd = vsub(t[0], t[1]);
  out[0] = vadd(vadd(even, t[2]), t[4]);
  out[1] = scaled_add(a, odd, scaled_add(b, t[2], t[5]));
  out[2] = scaled_add(a * a, even, scaled_add(b * b, t[2], vadd(t[3], t[6])));
}

/* The even part of rows +-p of B^T of F(6,3), given the squares of the other two points; the odd part over p, too, one
 * element earlier. */
SK_INLINE vf f6k3_part(double qq, double rr, vf d0, vf d2, vf d4) {
  return scaled_add(qq * rr, d0, scaled_add(-(qq + rr), d2, d4));
}

SK_INLINE void f6k3_input(const vf d[8], vf out[8]) {
  const double a = SK_F6K3_A, b = SK_F6K3_B, c = SK_F6K3_C, aa = a * a, bb = b * b, cc = c * c;
  const vf even_a = f6k3_part(bb, cc, d[2], d[4], d[6]), odd_a = scaled(a, f6k3_part(bb, cc, d[1], d[3], d[5]));
  const vf even_b = f6k3_part(aa, cc, d[2], d[4], d[6]), odd_b = scaled(b, f6k3_part(aa, cc, d[1], d[3], d[5]));
  const vf even_c = f6k3_part(aa, bb, d[2], d[4], d[6]), odd_c = scaled(c, f6k3_part(aa, bb, d[1], d[3], d[5]));
  const double e1 = aa + bb + cc, e2 = aa * bb + aa * cc + bb * cc, e3 = aa * bb * cc;
  out[0] = scaled_add(-e3, d[0], scaled_add(e2, d[2], scaled_add(-e1, d[4], d[6])));
  out[1] = vadd(even_a, odd_a);
  out[2] = vsub(even_a, odd_a);
  out[3] = vadd(even_b, odd_b);
  out[4] = vsub(even_b, odd_b);
  out[5] = vadd(even_c, odd_c);
  out[6] = vsub(even_c, odd_c);
  out[7] = scaled_add(-e3, d[1], scaled_add(e2, d[3], scaled_add(-e1, d[5], d[7])));
}

/* a^i x + b^i y + c^i z: the pairs' share of output i. */
SK_INLINE vf f6k3_powers(double pa, vf x, double pb, vf y, double pc, vf z) {
  return scaled_add(pa, x, scaled_add(pb, y, scaled(pc, z)));
}

SK_INLINE void f6k3_output(const vf t[8], vf out[6]) {
  const double a = SK_F6K3_A, b = SK_F6K3_B, c = SK_F6K3_C, aa = a * a, bb = b * b, cc = c * c;
  const vf even_a = vadd(t[1], t[2]), odd_a = vsub(t[1], t[2]);
  const vf even_b = vadd(t[3], t[4]), odd_b = vsub(t[3], t[4]);
  const vf even_c = vadd(t[5], t[6]), odd_c = vsub(t[5], t[6]);
  out[0] = vadd(t[0], vadd(even_a, vadd(even_b, even_c)));
  out[1] = f6k3_powers(a, odd_a, b, odd_b, c, odd_c);
  out[2] = f6k3_powers(aa, even_a, bb, even_b, cc, even_c);
  out[3] = f6k3_powers(aa * a, odd_a, bb * b, odd_b, cc * c, odd_c);
  out[4] = f6k3_powers(aa * aa, even_a, bb * bb, even_b, cc * cc, even_c);
  out[5] = vadd(f6k3_powers(aa * aa * a, odd_a, bb * bb * b, odd_b, cc * cc * c, odd_c), t[7]);
}

#endif
