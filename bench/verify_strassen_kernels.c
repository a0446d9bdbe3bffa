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

/* ---- Outputs ---- */

struct output_run {
  enum sk_data data;
  bool residual;
  enum sk_activation activation;
  enum sk_guard_side side;
};

static void check_sums(struct sk_verify *v, const float *got, const float *before, const float *b, size_t floats) {
  for (size_t at = 0; at < floats; at++) {
    const struct sk_expected expected = {before[at] + b[at], true, 0, INFINITY};
    if (!sk_verify_value(v, got[at], &expected, "c", 0, at / SK_BLOCK, at % SK_BLOCK)) return;
  }
}

static void output_run(struct sk_verify *v, const struct strassen_case *c, const struct output_run *r) {
  const size_t floats = c->pixels * SK_BLOCK, outputs = c->partners * SK_BLOCK;
  const float *a = sk_verify_random_floats(v, r->data, floats), *b = sk_verify_random_floats(v, r->data, floats);
  const float *before = sk_verify_random_floats(v, r->data, floats);
  const float *residual = r->residual ? sk_verify_random_floats(v, r->data, outputs) : NULL;
  float *bits = sk_verify_floats(v, outputs), *sums = sk_verify_floats(v, floats);
  memcpy(sums, before, floats * sizeof *sums);
  for (size_t at = 0; at < outputs; at++) {
    const float sum = a[at] + b[at];
    bits[at] = sk_activate(r->activation, residual ? sum + residual[at] : sum);
  }
  const struct sk_strassen_output_args args = {
      .a = sk_verify_input(v, SK_SLOT_X, a, floats, r->side),
      .b = sk_verify_input(v, SK_SLOT_WEIGHTS, b, floats, r->side),
      .c = sums,
      .residual = residual ? sk_verify_input(v, SK_SLOT_RESIDUAL, residual, outputs, r->side) : NULL,
      .y = sk_verify_output(v, SK_SLOT_Y, outputs, r->side),
      .pixels = c->pixels,
      .partners = c->partners,
      .relu = r->activation == SK_ACTIVATION_RELU,
      .clip = r->activation == SK_ACTIVATION_CLIP,
      .bounds = sk_activation_bounds,
  };
  v->kernels->strassen_output(&args);
  const struct sk_plane_check check = {args.y, 1, c->partners, outputs, bits, NULL, NULL, 0, false};
  sk_plane_check(v, &check);
  if (!sk_verify_failed(v)) check_sums(v, sums, before, b, floats);
}

static void output_case(struct sk_verify *v, const void *parameters) {
  for (size_t i = 0; i < KINDS * 2 * SK_ACTIVATIONS * SK_GUARD_SIDES && !sk_verify_failed(v); i++) {
    const struct output_run r = {.data = (enum sk_data)(i % KINDS),
                                 .residual = i / KINDS % 2 == 1,
                                 .activation = (enum sk_activation)(i / KINDS / 2 % SK_ACTIVATIONS),
                                 .side = (enum sk_guard_side)(i / KINDS / 2 / SK_ACTIVATIONS)};
    const size_t mark = v->scratch_count;
    sk_verify_at(v, "%s, %s, %s, %s", sk_data_name(r.data), r.residual ? "residual" : "no residual",
                 sk_activation_name(r.activation), sk_guard_side_name(r.side));
    output_run(v, parameters, &r);
    sk_verify_release(v, mark);
  }
}

/* ---- Cases ---- */

void sk_verify_strassen_kernels(struct sk_verify *v) {
  for (size_t pixels = 1; pixels <= 5; pixels++) {
    for (size_t partners = pixels - 1; partners <= pixels; partners++) {
      const struct strassen_case parameters = {pixels, partners};
      const struct sk_verify_case input = {"strassen_input", NULL, input_case, &parameters};
      const struct sk_verify_case output = {"strassen_output", NULL, output_case, &parameters};
      sk_verify_run(v, &input, "strassen_input/%zu-%zu", pixels, partners);
      if (partners > 0) sk_verify_run(v, &output, "strassen_output/%zu-%zu", pixels, partners);
    }
  }
}
