/* Cases for the kernels of Strassen's algorithm, against their contracts written out plainly. */
#include <math.h>
#include <string.h>

#include "bench/verify_bounds.h"
#include "bench/verify_plane.h"

enum { SUMS = 4, KINDS = SK_DATA_REALS + 1 }; /* no sum has terms enough that adversarial data could upset it */

struct strassen_case {
  size_t pixels, partners;
};

/* ---- Inputs ---- */

/* The sums of one lane of a pixel: x[pixel half][channel half]. */
static void sum_inputs(float x11, float x12, float x21, float x22, float sums[SUMS]) {
  sums[0] = x21 + x22;
  sums[1] = x21 + x22 - x11;
  sums[2] = x11 - x21;
  sums[3] = x12 - (x21 + x22 - x11);
}

/* Lay out the four quarters apart from each other, poison between them; those of partners end with the last one. */
static float *lay_out_inputs(struct sk_verify *v, const struct strassen_case *c, enum sk_data data, size_t *floats,
                             struct sk_strassen_input_args *args) {
  args->x_channels = (c->pixels + 1) * SK_BLOCK;
  args->x_half = 2 * args->x_channels + 2 * SK_BLOCK;
  const size_t last = c->partners > 0 ? args->x_half + args->x_channels + c->partners * SK_BLOCK
                                      : args->x_channels + c->pixels * SK_BLOCK;
  *floats = last;
  float *x = sk_verify_floats(v, last);
  sk_fill_canaries(x, last);
  for (size_t quarter = 0; quarter < 4; quarter++) {
    const size_t pixels = quarter < 2 ? c->pixels : c->partners;
    if (pixels == 0) continue;
    const float *values = sk_verify_random_floats(v, data, pixels * SK_BLOCK);
    memcpy(x + quarter / 2 * args->x_half + quarter % 2 * args->x_channels, values, pixels * SK_BLOCK * sizeof *x);
  }
  return x;
}

/* The sums are checked as a plane of four rows. */
static void input_run(struct sk_verify *v, const struct strassen_case *c, enum sk_data data, enum sk_guard_side side) {
  struct sk_strassen_input_args args = {.pixels = c->pixels, .partners = c->partners};
  size_t floats;
  const float *x = lay_out_inputs(v, c, data, &floats, &args);
  float *bits = sk_verify_floats(v, SUMS * c->pixels * SK_BLOCK);
  for (size_t at = 0; at < c->pixels * SK_BLOCK; at++) {
    const bool has_partner = at < c->partners * SK_BLOCK;
    float sums[SUMS];
    sum_inputs(x[at], x[args.x_channels + at], has_partner ? x[args.x_half + at] : 0,
               has_partner ? x[args.x_half + args.x_channels + at] : 0, sums);
    for (size_t i = 0; i < SUMS; i++) bits[i * c->pixels * SK_BLOCK + at] = sums[i];
  }
  args.sum = (c->pixels + 2) * SK_BLOCK;
  args.sums = sk_verify_output(v, SK_SLOT_Y, (SUMS - 1) * args.sum + c->pixels * SK_BLOCK, side);
  args.x = sk_verify_input(v, SK_SLOT_X, x, floats, side);
  v->kernels->strassen_input(&args);
  const struct sk_plane_check check = {args.sums, SUMS, c->pixels, args.sum, bits, NULL, NULL, 0, false};
  sk_plane_check(v, &check);
}

static void input_case(struct sk_verify *v, const void *parameters) {
  for (size_t run = 0; run < KINDS * SK_GUARD_SIDES && !sk_verify_failed(v); run++) {
    const enum sk_data data = (enum sk_data)(run % KINDS);
    const enum sk_guard_side side = (enum sk_guard_side)(run / KINDS);
    const size_t mark = v->scratch_count;
    sk_verify_at(v, "%s, %s", sk_data_name(data), sk_guard_side_name(side));
    input_run(v, parameters, data, side);
    sk_verify_release(v, mark);
  }
}

/* ---- Chains that fork ---- */

struct fork_case {
  size_t rows, pixels, channels;
};

struct fork_run {
  size_t blocks;
  enum sk_data data;
  bool residual;
  enum sk_activation activation;
  enum sk_guard_side side;
};

/* Arrays of one run, each [block][row][pixel][16] but for x, which has blocks of its channels, and the weights. */
struct fork_arrays {
  float *x, *weights, *bias, *resume, *fork, *residual;
  size_t row, block; /* floats of a row, and of a block */
};

static struct fork_arrays make_fork_arrays(struct sk_verify *v, const struct fork_case *c, const struct fork_run *r) {
  struct fork_arrays a = {.row = c->pixels * SK_BLOCK, .block = c->rows * c->pixels * SK_BLOCK};
  const size_t in_blocks = (c->channels + SK_BLOCK - 1) / SK_BLOCK;
  a.x = sk_verify_random_floats(v, r->data, in_blocks * a.block);
  a.weights = sk_verify_random_floats(v, r->data, c->channels * r->blocks * SK_BLOCK);
  a.bias = sk_verify_random_floats(v, r->data, r->blocks * SK_BLOCK);
  a.resume = sk_verify_random_floats(v, r->data, r->blocks * a.block);
  a.fork = sk_verify_random_floats(v, r->data, r->blocks * a.block);
  a.residual = sk_verify_random_floats(v, r->data, r->blocks * a.block);
  return a;
}

/* The chain of the output at `at` of block `block`: of its pixel's channels, from the bias. */
static float fork_chain(const struct fork_case *c, const struct fork_run *r, const struct fork_arrays *a, size_t block,
                        size_t at) {
  const size_t pixel = at / SK_BLOCK * SK_BLOCK, output = block * SK_BLOCK + at % SK_BLOCK;
  float sum = a->bias[output];
  for (size_t k = 0; k < c->channels; k++) {
    const float x = a->x[k / SK_BLOCK * a->block + pixel + k % SK_BLOCK];
    sum = sk_exact_fma(x, a->weights[k * r->blocks * SK_BLOCK + output], sum);
  }
  return sum;
}

/* Check y = act(resume + chain + residual) and fork = fork + chain, whose sums `got` are now. */
static void check_fork(struct sk_verify *v, const struct fork_case *c, const struct fork_run *r,
                       const struct fork_arrays *a, const float *y, const float *got) {
  for (size_t n = 0; n < r->blocks * a->block; n++) {
    const size_t at = n % a->block, pixel = at / SK_BLOCK;
    const float chain = fork_chain(c, r, a, n / a->block, at), sum = a->resume[n] + chain;
    const float out = sk_activate(r->activation, r->residual ? sum + a->residual[n] : sum);
    const struct sk_expected output = {out, true, 0, INFINITY}, forked = {a->fork[n] + chain, true, 0, INFINITY};
    if (!sk_verify_value(v, y[n], &output, "y", n / a->block, pixel / c->pixels, pixel % c->pixels)) return;
    if (!sk_verify_value(v, got[n], &forked, "fork", n / a->block, pixel / c->pixels, pixel % c->pixels)) return;
  }
  sk_verify_inputs_unchanged(v);
}

static void fork_run(struct sk_verify *v, const struct fork_case *c, const struct fork_run *r) {
  const struct fork_arrays a = make_fork_arrays(v, c, r);
  const size_t outputs = r->blocks * a.block, inputs = (c->channels + SK_BLOCK - 1) / SK_BLOCK * a.block;
  float *fork = sk_verify_floats(v, outputs);
  memcpy(fork, a.fork, outputs * sizeof *fork);
  const struct sk_conv_direct_args args = {
      .x = sk_verify_input(v, SK_SLOT_X, a.x, inputs, r->side),
      .x_block = a.block,
      .x_line = a.row,
      .x_pixel = SK_BLOCK,
      .x_channel = 1,
      .weights = sk_verify_input(v, SK_SLOT_WEIGHTS, a.weights, c->channels * r->blocks * SK_BLOCK, r->side),
      .bias = sk_verify_input(v, SK_SLOT_BIAS, a.bias, r->blocks * SK_BLOCK, r->side),
      .resume = sk_verify_input(v, SK_SLOT_WORKSPACE, a.resume, outputs, r->side),
      .fork = fork,
      .resume_block = a.block,
      .resume_line = a.row,
      .residual = r->residual ? sk_verify_input(v, SK_SLOT_RESIDUAL, a.residual, outputs, r->side) : NULL,
      .residual_block = a.block,
      .residual_line = a.row,
      .y = sk_verify_output(v, SK_SLOT_Y, outputs, r->side),
      .y_block = a.block,
      .y_line = a.row,
      .rows = c->rows,
      .pixels = c->pixels,
      .blocks = r->blocks,
      .channels = c->channels,
      .kernel_height = 1,
      .kernel_width = 1,
      .relu = r->activation == SK_ACTIVATION_RELU,
      .clip = r->activation == SK_ACTIVATION_CLIP,
      .bounds = sk_activation_bounds,
  };
  v->kernels->conv_direct(&args);
  check_fork(v, c, r, &a, args.y, fork);
}

static void fork_case(struct sk_verify *v, const void *parameters) {
  const size_t runs = v->kernels->tile_blocks * KINDS * 2 * SK_ACTIVATIONS * SK_GUARD_SIDES;
  for (size_t i = 0; i < runs && !sk_verify_failed(v); i++) {
    const struct fork_run r = {.data = (enum sk_data)(i % KINDS),
                               .residual = i / KINDS % 2 == 1,
                               .activation = (enum sk_activation)(i / KINDS / 2 % SK_ACTIVATIONS),
                               .side = (enum sk_guard_side)(i / KINDS / 2 / SK_ACTIVATIONS % SK_GUARD_SIDES),
                               .blocks = i / KINDS / 2 / SK_ACTIVATIONS / SK_GUARD_SIDES + 1};
    const size_t mark = v->scratch_count;
    sk_verify_at(v, "%s, %zu blocks, %s, %s, %s", sk_data_name(r.data), r.blocks,
                 r.residual ? "residual" : "no residual", sk_activation_name(r.activation), sk_guard_side_name(r.side));
    fork_run(v, parameters, &r);
    sk_verify_release(v, mark);
  }
}

/* ---- Cases ---- */

void sk_verify_strassen_kernels(struct sk_verify *v) {
  for (size_t pixels = 1; pixels <= 5; pixels++) {
    for (size_t partners = pixels - 1; partners <= pixels; partners++) {
      const struct strassen_case parameters = {pixels, partners};
      const struct sk_verify_case input = {"strassen_input", NULL, input_case, &parameters};
      sk_verify_run(v, &input, "strassen_input/%zu-%zu", pixels, partners);
    }
  }
  for (size_t rows = 1; rows <= 3; rows++) {                               /* a pair of rows and a single one */
    for (size_t pixels = 1; pixels <= 29; pixels += pixels < 15 ? 1 : 7) { /* all tiles, and rows of several */
      const struct fork_case parameters = {rows, pixels, rows * SK_BLOCK};
      const struct sk_verify_case fork = {"conv_direct", NULL, fork_case, &parameters};
      sk_verify_run(v, &fork, "conv_direct/fork/%zux%zu", rows, pixels);
    }
  }
}
