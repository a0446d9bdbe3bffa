#include "bench/verify_chains.h"

#include <string.h>

#include "dispatch/cpu.h"
#include "reference/reference.h"

enum { LANES = 16 };

/* One product of the chains of a group: where its input lies, counted from the kernel's first tap. */
struct term {
  size_t channel, row, column, tap;
};

struct chains {
  const sk_conv_shape *shape;
  size_t out_height, out_width;
  size_t inputs, outputs, blocks; /* of one group; blocks of 16 outputs */
  size_t terms;
  struct term *order; /* [terms] */
  float *weights;     /* of one group: [terms][blocks][16], zeros past the outputs */
  float *bias;        /* likewise: [blocks][16] */
  float *inputs_read; /* [terms] of one output */
  bool has_fma;
};

/* Channels that the chains take at a time: blocks of 16, or all of a group that is no multiple of them. */
static size_t block_channels(const struct chains *c) {
  const bool whole_blocks = c->shape->groups == 1 || (c->inputs % LANES == 0 && c->outputs % LANES == 0);
  return whole_blocks ? LANES : c->inputs;
}

static void order_terms(struct chains *c) {
  const sk_conv_shape *s = c->shape;
  const size_t block = block_channels(c), taps = s->kernel_height * s->kernel_width;
  struct term *next = c->order;
  for (size_t first = 0; first < c->inputs; first += block) {
    const size_t end = first + block < c->inputs ? first + block : c->inputs;
    for (size_t tap = 0; tap < taps; tap++) {
      const size_t row = tap / s->kernel_width * s->dilation_height;
      const size_t column = tap % s->kernel_width * s->dilation_width;
      for (size_t k = first; k < end; k++) *next++ = (struct term){k, row, column, tap};
    }
  }
}

static void take_group(struct chains *c, const float *weights, const float *bias, size_t group) {
  const size_t taps = c->shape->kernel_height * c->shape->kernel_width, lanes = c->blocks * LANES;
  memset(c->weights, 0, c->terms * lanes * sizeof *c->weights);
  memset(c->bias, 0, lanes * sizeof *c->bias);
  for (size_t k = 0; k < c->outputs; k++) {
    const size_t out = group * c->outputs + k;
    if (bias) c->bias[k] = bias[out];
    for (size_t t = 0; t < c->terms; t++) {
      const struct term *term = &c->order[t];
      c->weights[t * lanes + k] = weights[(out * c->inputs + term->channel) * taps + term->tap];
    }
  }
}

/* Collect what one output reads; x: the channels of its group of its image. */
static void read_inputs(const struct chains *c, const float *x, size_t row, size_t column) {
  const sk_conv_shape *s = c->shape;
  for (size_t t = 0; t < c->terms; t++) {
    const struct term *term = &c->order[t];
    const size_t i = row * s->stride_height + term->row, j = column * s->stride_width + term->column;
    const bool exists =
        i >= s->pad_top && i - s->pad_top < s->in_height && j >= s->pad_left && j - s->pad_left < s->in_width;
    const float *plane = x + term->channel * s->in_height * s->in_width;
    c->inputs_read[t] = exists ? plane[(i - s->pad_top) * s->in_width + j - s->pad_left] : 0;
  }
}

/* Compute 16 lanes of a chain. Compiled twice, with the instruction and without: see bench/verify_bounds.c. */
static inline __attribute__((always_inline)) void compute_lanes(const struct chains *c, size_t first,
                                                                float sum[LANES]) {
  const float *w = c->weights + first;
  for (size_t l = 0; l < LANES; l++) sum[l] = c->bias[first + l];
  for (size_t t = 0; t < c->terms; t++, w += c->blocks * LANES) {
    for (size_t l = 0; l < LANES; l++) sum[l] = __builtin_fmaf(c->inputs_read[t], w[l], sum[l]);
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void compute_lanes_with_fma(const struct chains *c, size_t first,
                                                                       float sum[LANES]) {
  compute_lanes(c, first, sum);
}
#endif

static void compute(const struct chains *c, size_t first, float sum[LANES]) {
#if defined(__x86_64__)
  if (c->has_fma) {
    compute_lanes_with_fma(c, first, sum);
    return;
  }
#endif
  compute_lanes(c, first, sum);
}

/* Compute the outputs of one group of one image: y[outputs][out_height][out_width]. */
static void convolve_group(const struct chains *c, const float *x, float *y) {
  const size_t area = c->out_height * c->out_width;
  for (size_t at = 0; at < area; at++) {
    read_inputs(c, x, at / c->out_width, at % c->out_width);
    for (size_t k = 0; k < c->outputs; k += LANES) {
      float sum[LANES];
      compute(c, k, sum);
      for (size_t l = 0; l < LANES && k + l < c->outputs; l++) y[(k + l) * area + at] = sum[l];
    }
  }
}

static bool allocate(struct chains *c) {
  const size_t lanes = c->blocks * LANES;
  c->order = sk_alloc(c->terms * sizeof *c->order);
  c->weights = sk_alloc(c->terms * lanes * sizeof *c->weights);
  c->bias = sk_alloc(lanes * sizeof *c->bias);
  c->inputs_read = sk_alloc(c->terms * sizeof *c->inputs_read);
  return c->order && c->weights && c->bias && c->inputs_read;
}

static void release(struct chains *c) {
  sk_free(c->order);
  sk_free(c->weights);
  sk_free(c->bias);
  sk_free(c->inputs_read);
}

bool sk_conv_chains(const sk_conv_shape *s, const float *x, const float *weights, const float *bias, float *y) {
  struct chains c = {.shape = s,
                     .inputs = s->in_channels / s->groups,
                     .outputs = s->out_channels / s->groups,
                     .has_fma = sk_cpu_runs_avx2()};
  sk_reference_conv_output_size(s, &c.out_height, &c.out_width);
  c.blocks = (c.outputs + LANES - 1) / LANES;
  c.terms = c.inputs * s->kernel_height * s->kernel_width;
  const bool ready = allocate(&c);
  if (ready) order_terms(&c);
  for (size_t g = 0; ready && g < s->groups; g++) {
    take_group(&c, weights, bias, g);
    for (size_t n = 0; n < s->batch; n++) {
      const size_t plane = n * s->groups + g;
      convolve_group(&c, x + plane * c.inputs * s->in_height * s->in_width,
                     y + plane * c.outputs * c.out_height * c.out_width);
    }
  }
  release(&c);
  return ready;
}
