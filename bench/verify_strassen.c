#include "bench/verify_strassen.h"

#include <math.h>
#include <string.h>

#include "bench/verify_bounds.h"
#include "dispatch/memory.h"
#include "reference/reference.h"

enum { LANES = 16, PRODUCTS = 7 };

/* The products by Winograd's numbers: p1 = x11 w11, p2 = x12 w21, p3 = s4 w22, p4 = x22 (w21 - t2), p5 = s1 (w12 -
 * w11), p6 = s2 t2, p7 = s3 (w22 - w12). */
enum { P1, P2, P3, P4, P5, P6, P7 };

/* A convolution as the product of matrices. */
struct product {
  const sk_conv_shape *shape;
  size_t channels, outputs;                     /* of a half */
  size_t out_width, area;                       /* of an image */
  size_t part, pixels;                          /* pixels of a part of an image, and of the first half of that */
  size_t pairs;                                 /* of pixels, of an image; the last of a part may have no partner */
  float *inputs, *weights;                      /* [product][pixel][channel], [product][channel][output] */
  double *input_magnitudes, *weight_magnitudes; /* likewise, of absolute values */
};

/* Halves are those of an image or, if it has 256 pixels and rows that can be quartered, of its upper and its lower
 * half. */
static size_t part_pixels(size_t height, size_t width) {
  return height * width / (height * width >= 256 && height % 4 == 0 ? 2 : 1);
}

size_t sk_strassen_pair(size_t height, size_t width, size_t pixel) {
  const size_t part = part_pixels(height, width), half = (part + 1) / 2;
  return pixel / part * half + pixel % part % half;
}

static bool open_product(struct product *m, const sk_conv_shape *s, bool bits) {
  size_t height, width;
  sk_reference_conv_output_size(s, &height, &width);
  *m = (struct product){.shape = s,
                        .channels = s->in_channels / 2,
                        .outputs = s->out_channels / 2,
                        .out_width = width,
                        .area = height * width,
                        .part = part_pixels(height, width)};
  m->pixels = (m->part + 1) / 2;
  m->pairs = m->area / m->part * m->pixels;
  const size_t inputs = PRODUCTS * m->channels * m->pairs, weights = PRODUCTS * m->channels * m->outputs;
  if (bits) {
    m->inputs = sk_alloc(inputs * sizeof *m->inputs);
    m->weights = sk_alloc(weights * sizeof *m->weights);
    return m->inputs && m->weights;
  }
  m->input_magnitudes = sk_alloc(inputs * sizeof *m->input_magnitudes);
  m->weight_magnitudes = sk_alloc(weights * sizeof *m->weight_magnitudes);
  return m->input_magnitudes && m->weight_magnitudes;
}

static void close_product(struct product *m) {
  sk_free(m->inputs);
  sk_free(m->weights);
  sk_free(m->input_magnitudes);
  sk_free(m->weight_magnitudes);
}

/* The first pixel of a pair, and whether it has a partner, which is that many pixels further. */
static size_t first_of(const struct product *m, size_t pair) { return pair / m->pixels * m->part + pair % m->pixels; }
static bool has_partner(const struct product *m, size_t pair) { return pair % m->pixels + m->pixels < m->part; }

/* Where input channel c of output pixel p lies in a plain image. */
static size_t input_at(const struct product *m, size_t c, size_t p) {
  const sk_conv_shape *s = m->shape;
  const size_t row = p / m->out_width * s->stride_height, column = p % m->out_width * s->stride_width;
  return (c * s->in_height + row) * s->in_width + column;
}

static void fill_inputs(const struct product *m, const float *x) {
  const size_t step = m->channels * m->pairs;
  for (size_t i = 0; i < step; i++) {
    const size_t c = i % m->channels, p = first_of(m, i / m->channels), partner = p + m->pixels;
    const bool paired = has_partner(m, i / m->channels);
    const float x11 = x[input_at(m, c, p)], x12 = x[input_at(m, c + m->channels, p)];
    const float x21 = paired ? x[input_at(m, c, partner)] : 0;
    const float x22 = paired ? x[input_at(m, c + m->channels, partner)] : 0;
    const float s1 = x21 + x22, s2 = s1 - x11, s3 = x11 - x21, s4 = x12 - s2;
    const float of_product[PRODUCTS] = {[P1] = x11, [P2] = x12, [P3] = s4, [P4] = x22, [P5] = s1, [P6] = s2, [P7] = s3};
    for (size_t j = 0; j < PRODUCTS; j++) m->inputs[j * step + i] = of_product[j];
  }
}

static void fill_weights(const struct product *m, const float *w) {
  const size_t step = m->channels * m->outputs, inputs = m->shape->in_channels;
  for (size_t i = 0; i < step; i++) {
    const float *const first = w + i % m->outputs * inputs + i / m->outputs, *const second =
                                                                                 first + m->outputs * inputs;
    const double w11 = (double)first[0], w21 = (double)first[m->channels];
    const double w12 = (double)second[0], w22 = (double)second[m->channels];
    const double of_product[PRODUCTS] = {[P1] = w11,       [P2] = w21,
                                         [P3] = w22,       [P4] = (w12 - w11) + (w21 - w22),
                                         [P5] = w12 - w11, [P6] = (w11 - w12) + w22,
                                         [P7] = w22 - w12};
    for (size_t j = 0; j < PRODUCTS; j++) m->weights[j * step + i] = (float)of_product[j];
  }
}

/* 16 outputs of one pixel, as bits or as magnitudes. */
struct lanes {
  float bits[LANES];
  double magnitude[LANES];
};

/* Go on with the chains of the outputs from `first` on by a product. */
static void go_on(const struct product *m, size_t product, size_t pair, size_t first, struct lanes *lanes) {
  const size_t inputs = (product * m->pairs + pair) * m->channels;
  const size_t weights = product * m->channels * m->outputs + first;
  if (m->inputs) {
    struct sk_chain chain;
    sk_chain_compute(m->channels, m->inputs + inputs, false, m->weights + weights, m->outputs, lanes->bits, &chain);
    memcpy(lanes->bits, chain.bits, sizeof lanes->bits);
    return;
  }
  for (size_t c = 0; c < m->channels; c++) {
    const double *const w = m->weight_magnitudes + weights + c * m->outputs;
    for (size_t l = 0; l < LANES; l++) lanes->magnitude[l] += m->input_magnitudes[inputs + c] * w[l];
  }
}

static struct lanes add(struct lanes a, const struct lanes *b) {
  for (size_t l = 0; l < LANES; l++) {
    a.bits[l] += b->bits[l];
    a.magnitude[l] += b->magnitude[l];
  }
  return a;
}

/* The outputs of a pair of pixels: y[pixel half][output half]. */
static void multiply(const struct product *m, const float *bias, size_t pair, size_t first, struct lanes y[2][2]) {
  struct lanes u = {0}, p = {0};
  for (size_t l = 0; bias && l < LANES; l++) {
    u.bits[l] = bias[first + l];
    p.bits[l] = bias[m->outputs + first + l] - bias[first + l];
  }
  go_on(m, P1, pair, first, &u);
  y[0][0] = u;
  go_on(m, P2, pair, first, &y[0][0]);
  go_on(m, P6, pair, first, &u);
  go_on(m, P5, pair, first, &p);
  y[0][1] = add(u, &p);
  go_on(m, P3, pair, first, &y[0][1]);
  go_on(m, P7, pair, first, &u);
  y[1][0] = u;
  go_on(m, P4, pair, first, &y[1][0]);
  y[1][1] = add(u, &p);
}

/* Compute all outputs of one image, as bits or as magnitudes. */
static void multiply_image(const struct product *m, const float *bias, float *bits, double *magnitude) {
  for (size_t i = 0; i < m->pairs * (m->outputs / LANES); i++) {
    const size_t pair = i % m->pairs, first = i / m->pairs * LANES;
    struct lanes y[2][2];
    multiply(m, bias, pair, first, y);
    for (size_t j = 0; j < 4 * LANES; j++) {
      const size_t l = j / 4, half = j / 2 % 2, side = j % 2, p = first_of(m, pair) + half * m->pixels;
      if (half > 0 && !has_partner(m, pair)) continue;
      const size_t at = (side * m->outputs + first + l) * m->area + p;
      if (bits) bits[at] = y[half][side].bits[l];
      if (magnitude) magnitude[at] = y[half][side].magnitude[l];
    }
  }
}

bool sk_strassen_bits(const sk_conv_shape *s, const float *x, const float *weights, const float *bias, float *y) {
  struct product m;
  const bool ready = open_product(&m, s, true);
  if (ready) fill_weights(&m, weights);
  for (size_t n = 0; ready && n < s->batch; n++) {
    fill_inputs(&m, x + n * s->in_channels * s->in_height * s->in_width);
    multiply_image(&m, bias, y + n * s->out_channels * m.area, NULL);
  }
  close_product(&m);
  return ready;
}

static void fill_input_magnitudes(const struct product *m, const double *x) {
  const size_t step = m->channels * m->pairs;
  for (size_t i = 0; i < step; i++) {
    const size_t c = i % m->channels, p = first_of(m, i / m->channels), partner = p + m->pixels;
    const bool paired = has_partner(m, i / m->channels);
    const double x11 = fabs(x[input_at(m, c, p)]), x12 = fabs(x[input_at(m, c + m->channels, p)]);
    const double x21 = paired ? fabs(x[input_at(m, c, partner)]) : 0;
    const double x22 = paired ? fabs(x[input_at(m, c + m->channels, partner)]) : 0;
    const double s1 = x21 + x22, s2 = s1 + x11;
    const double of_product[PRODUCTS] = {
        [P1] = x11, [P2] = x12, [P3] = x12 + s2, [P4] = x22, [P5] = s1, [P6] = s2, [P7] = x11 + x21};
    for (size_t j = 0; j < PRODUCTS; j++) m->input_magnitudes[j * step + i] = of_product[j];
  }
}

static void fill_weight_magnitudes(const struct product *m, const double *w) {
  const size_t step = m->channels * m->outputs, inputs = m->shape->in_channels;
  for (size_t i = 0; i < step; i++) {
    const double *const first = w + i % m->outputs * inputs + i / m->outputs;
    const double *const second = first + m->outputs * inputs;
    const double w11 = fabs(first[0]), w21 = fabs(first[m->channels]);
    const double w12 = fabs(second[0]), w22 = fabs(second[m->channels]), t2 = w11 + w12 + w22;
    const double of_product[PRODUCTS] = {
        [P1] = w11, [P2] = w21, [P3] = w22, [P4] = w21 + t2, [P5] = w12 + w11, [P6] = t2, [P7] = w22 + w12};
    for (size_t j = 0; j < PRODUCTS; j++) m->weight_magnitudes[j * step + i] = of_product[j];
  }
}

bool sk_strassen_magnitude(const sk_conv_shape *s, const double *x, const double *weights, double *magnitude) {
  struct product m;
  const bool ready = open_product(&m, s, false);
  if (ready) fill_weight_magnitudes(&m, weights);
  for (size_t n = 0; ready && n < s->batch; n++) {
    fill_input_magnitudes(&m, x + n * s->in_channels * s->in_height * s->in_width);
    multiply_image(&m, NULL, NULL, magnitude + n * s->out_channels * m.area);
  }
  close_product(&m);
  return ready;
}

double sk_strassen_bias_magnitude(const sk_conv_shape *s, const float *bias, size_t k) {
  const size_t half = s->out_channels / 2;
  const double own = (double)bias[k];
  if (k < half) return fabs(own);
  const double first = (double)bias[k - half];
  return fabs(first) + fabs(own - first);
}
