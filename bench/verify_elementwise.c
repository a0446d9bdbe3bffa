/* Cases for elementwise and layout kernels, against their contracts written out plainly. */
#include <math.h>
#include <string.h>

#include "bench/verify_bounds.h"
#include "bench/verify_plane.h"
#include "reference/reference.h"

/* ---- Elementwise ---- */

enum operation {
  OPERATION_ADD,
  OPERATION_BATCH_NORM,
  OPERATION_RELU,
  OPERATION_MULTIPLY,
  OPERATION_CLIP,
  OPERATION_SIGMOID,
  OPERATIONS
};
static const char *const operation_names[OPERATIONS] = {"add", "batch_norm", "relu", "multiply", "clip", "sigmoid"};

struct elementwise_case {
  enum operation operation;
  bool per_channel; /* b is one value per channel */
  size_t height, width;
};

struct elementwise_model {
  float *a, *b; /* [height][width][16]; of b the first pixel alone if it is one per channel */
  float first[SK_BLOCK], second[SK_BLOCK]; /* scale and shift, or minimum and maximum */
};

static bool takes_two(enum operation operation) {
  return operation == OPERATION_ADD || operation == OPERATION_MULTIPLY;
}

/* SLEEF's scalar form of the exponential whose bits are the same on every ISA. sleef.h declares it only where the
 * compiler may use FMA. */
float Sleef_finz_expf1_u10purecfma(float);

static float clip_output(float value, float minimum, float maximum) {
  const float raised = value < minimum ? minimum : value;
  return raised > maximum ? maximum : raised;
}

/* The bits of a sigmoid are unknown to a CPU without fused multiply-add. */
static float sigmoid_output(const struct sk_verify *v, float value, float maximum) {
  const float y = v->hardware_fma ? 1 / (1 + Sleef_finz_expf1_u10purecfma(0 - value)) : 0;
  return y > maximum ? maximum : y;
}

static float elementwise_output(const struct sk_verify *v, const struct elementwise_case *c,
                                const struct elementwise_model *m, size_t at, bool relu) {
  const size_t l = at % SK_BLOCK;
  const float a = m->a[at], b = m->b[c->per_channel ? l : at];
  float value = a;
  switch (c->operation) {
    case OPERATION_ADD: value = a + b; break;
    case OPERATION_BATCH_NORM: value = sk_exact_fma(a, m->first[l], m->second[l]); break;
    case OPERATION_MULTIPLY: return a * b;
    case OPERATION_CLIP: return clip_output(a, m->first[l], m->second[l]);
    case OPERATION_SIGMOID: return sigmoid_output(v, a, m->second[l]);
    case OPERATION_RELU:
    case OPERATIONS: break;
  }
  return (relu || c->operation == OPERATION_RELU) && value < 0 ? 0 : value;
}

static void call_elementwise(struct sk_verify *v, enum operation operation, const struct sk_elementwise_args *args) {
  const struct sk_kernel_table *k = v->kernels;
  switch (operation) {
    case OPERATION_ADD: k->add(args); break;
    case OPERATION_BATCH_NORM: k->batch_norm(args); break;
    case OPERATION_RELU: k->relu(args); break;
    case OPERATION_MULTIPLY: k->multiply(args); break;
    case OPERATION_CLIP: k->clip(args); break;
    case OPERATION_SIGMOID: k->sigmoid(args); break;
    case OPERATIONS: break;
  }
}

/*
 * How far a sigmoid may be off: 2 roundings for SLEEF's 1.0 ULP of the exponential, one for the sum and one for the
 * quotient; and where the exponential overflows, the whole of a number below 2^-126.
 */
struct sigmoid_bound {
  double *exact, *magnitude;
};
enum { SIGMOID_ROUNDINGS = 4 };

static struct sigmoid_bound sigmoid_bound(struct sk_verify *v, const struct elementwise_model *m, size_t floats) {
  struct sigmoid_bound bound = {sk_verify_scratch(v, floats * sizeof(double)),
                                sk_verify_scratch(v, floats * sizeof(double))};
  for (size_t at = 0; at < floats; at++) bound.exact[at] = (double)m->a[at];
  sk_reference_sigmoid(floats, bound.exact, bound.exact);
  for (size_t at = 0; at < floats; at++) {
    if (bound.exact[at] > (double)m->second[at % SK_BLOCK]) bound.exact[at] = (double)m->second[at % SK_BLOCK];
    bound.magnitude[at] = bound.exact[at] + 0x1p-104;
  }
  return bound;
}

enum { KINDS = SK_DATA_REALS + 1 }; /* one operation has no sum that adversarial data could upset */

/* y apart from its inputs, y in a, y in b. */
enum place { PLACE_APART, PLACE_IN_A, PLACE_IN_B, PLACES };
static const char *const place_names[PLACES] = {"apart", "in a", "in b"};

/* Place one operand: an input with a gap of its own, or the output's own memory. */
static const float *place_operand(struct sk_verify *v, const struct elementwise_case *c, const float *plain,
                                  enum sk_slot slot, bool in_place, float *y, size_t gap, enum sk_guard_side side,
                                  size_t *row) {
  size_t floats;
  const size_t used_gap = in_place ? 1 : gap;
  const float *plane = sk_plane_lay_out(v, plain, c->height, c->width, used_gap, &floats);
  *row = (c->width + used_gap) * SK_BLOCK;
  return in_place ? memcpy(y, plane, floats * sizeof *y) : sk_verify_input(v, slot, plane, floats, side);
}

/* Place what there is one of for each lane. */
static void place_lanes(struct sk_verify *v, enum operation operation, const struct elementwise_model *m,
                        enum sk_guard_side side, struct sk_elementwise_args *args) {
  const float *second = sk_verify_input(v, SK_SLOT_BIAS, m->second, SK_BLOCK, side);
  if (operation == OPERATION_SIGMOID) {
    args->maximum = second;
    return;
  }
  const float *first = sk_verify_input(v, SK_SLOT_WEIGHTS, m->first, SK_BLOCK, side);
  if (operation == OPERATION_BATCH_NORM) {
    args->scale = first;
    args->shift = second;
  } else {
    args->minimum = first;
    args->maximum = second;
  }
}

static void run_elementwise(struct sk_verify *v, const struct elementwise_case *c, const struct elementwise_model *m,
                            const float *bits, enum place place, bool relu, enum sk_guard_side side) {
  const size_t mark = v->scratch_count;
  struct sk_elementwise_args args = {
      .height = c->height, .width = c->width, .relu = relu, .hardware_fma = v->hardware_fma};
  args.y_row = (c->width + 1) * SK_BLOCK;
  args.y = sk_verify_output(v, SK_SLOT_Y, (c->height - 1) * args.y_row + c->width * SK_BLOCK, side);
  args.a = place_operand(v, c, m->a, SK_SLOT_X, place == PLACE_IN_A, args.y, 2, side, &args.a_row);
  if (c->per_channel) {
    args.b = sk_verify_input(v, SK_SLOT_RESIDUAL, m->b, SK_BLOCK, side);
  } else if (takes_two(c->operation)) {
    args.b = place_operand(v, c, m->b, SK_SLOT_RESIDUAL, place == PLACE_IN_B, args.y, 3, side, &args.b_row);
    args.b_pixel = SK_BLOCK;
  } else if (c->operation != OPERATION_RELU) {
    place_lanes(v, c->operation, m, side, &args);
  }
  call_elementwise(v, c->operation, &args);
  struct sk_plane_check check = {args.y, c->height, c->width, args.y_row, bits, NULL, NULL, 0, false};
  if (c->operation == OPERATION_SIGMOID) {
    const struct sigmoid_bound bound = sigmoid_bound(v, m, c->height * c->width * SK_BLOCK);
    check.exact = bound.exact;
    check.magnitude = bound.magnitude;
    check.roundings = SIGMOID_ROUNDINGS;
    check.any_bits = !v->hardware_fma;
  }
  sk_plane_check(v, &check);
  sk_verify_release(v, mark);
}

/* Spread the arguments to where the exponential overflows, and let lanes in the end have no channel. */
static void prepare_sigmoid(struct elementwise_model *m, size_t floats) {
  for (size_t at = 0; at < floats; at++) m->a[at] *= (float)(1 << at % 8);
  for (size_t l = 0; l < SK_BLOCK; l++) m->second[l] = l < 11 ? 1 : 0;
}

static void elementwise_case(struct sk_verify *v, const void *parameters) {
  const struct elementwise_case *c = parameters;
  const size_t floats = c->height * c->width * SK_BLOCK;
  float *bits = sk_verify_floats(v, floats);
  for (size_t run = 0; run < KINDS * 2 * PLACES * SK_GUARD_SIDES && !sk_verify_failed(v); run++) {
    const enum sk_data data = (enum sk_data)(run % KINDS);
    const bool relu = run / KINDS % 2 == 1;
    const enum place place = (enum place)(run / KINDS / 2 % PLACES);
    const enum sk_guard_side side = (enum sk_guard_side)(run / KINDS / 2 / PLACES);
    if (place == PLACE_IN_B && (!takes_two(c->operation) || c->per_channel)) continue;
    if (relu && c->operation >= OPERATION_MULTIPLY) continue; /* has none */
    const size_t mark = v->scratch_count;
    struct elementwise_model m = {.a = sk_verify_random_floats(v, data, floats),
                                  .b = sk_verify_random_floats(v, data, floats)};
    sk_random_fill(&v->random, data, m.first, SK_BLOCK);
    sk_random_fill(&v->random, data, m.second, SK_BLOCK);
    if (c->operation == OPERATION_SIGMOID) prepare_sigmoid(&m, floats);
    for (size_t at = 0; at < floats; at++) bits[at] = elementwise_output(v, c, &m, at, relu);
    sk_verify_at(v, "%s, %s, %s, %s", sk_data_name(data), relu ? "relu" : "no relu", place_names[place],
                 sk_guard_side_name(side));
    run_elementwise(v, c, &m, bits, place, relu, side);
    sk_verify_release(v, mark);
  }
}

static void elementwise_cases_of(struct sk_verify *v, enum operation operation, bool per_channel) {
  /* One loop runs through all of them: sizes that some have been tried with are not needed for each. */
  const size_t step = operation <= OPERATION_RELU && !per_channel ? 1 : 4;
  for (size_t height = 1; height <= 3; height++) {
    for (size_t width = 1; width <= 9; width += step) {
      const struct elementwise_case parameters = {operation, per_channel, height, width};
      const struct sk_verify_case c = {operation_names[operation], NULL, elementwise_case, &parameters};
      sk_verify_run(v, &c, "%s/%zux%zu%s", operation_names[operation], height, width,
                    per_channel ? "/per-channel" : "");
    }
  }
}

void sk_verify_elementwise_kernels(struct sk_verify *v) {
  for (enum operation operation = 0; operation < OPERATIONS; operation++) {
    elementwise_cases_of(v, operation, false);
    if (takes_two(operation)) elementwise_cases_of(v, operation, true);
  }
}

/* ---- Layout ---- */

struct layout_case {
  bool to_blocked, nhwc;
  size_t channels, height, width;
};

/* Strides of the plain array, with poison between its channels and rows. Returns its number of floats. */
static size_t plain_strides(const struct layout_case *c, bool spaced, struct sk_layout_args *args) {
  const size_t gap = spaced ? 3 : 0;
  args->plain_pixel = c->nhwc ? c->channels + gap : 1;
  args->plain_row = c->width * args->plain_pixel + gap;
  args->plain_channel = c->nhwc ? 1 : c->height * args->plain_row + gap;
  return (c->channels - 1) * args->plain_channel + (c->height - 1) * args->plain_row +
         (c->width - 1) * args->plain_pixel + 1;
}

static size_t plain_at(const struct sk_layout_args *a, size_t i, size_t j, size_t channel) {
  return channel * a->plain_channel + i * a->plain_row + j * a->plain_pixel;
}

static void check_from_blocked(struct sk_verify *v, const struct layout_case *c, const struct sk_layout_args *a,
                               const float *plain) {
  const struct sk_region pixels = {c->height, a->plain_row, c->width, a->plain_pixel, c->channels};
  const struct sk_region rows = {c->channels, a->plain_channel, c->height, a->plain_row, c->width};
  for (size_t at = 0; at < c->height * c->width * c->channels; at++) {
    const size_t pixel = at / c->channels, i = pixel / c->width, j = pixel % c->width, k = at % c->channels;
    const struct sk_expected expected = {plain[plain_at(a, i, j, k)], true, 0, INFINITY};
    if (!sk_verify_value(v, a->plain[plain_at(a, i, j, k)], &expected, "plain", k, i, j)) return;
  }
  sk_verify_only_wrote(v, SK_SLOT_Y, c->nhwc ? &pixels : &rows);
  sk_verify_inputs_unchanged(v);
}

/* What to_blocked must write: [height][width][16], zeros past the channels; from_blocked reads poison there. */
static float *blocked_pixels(struct sk_verify *v, const struct layout_case *c, const struct sk_layout_args *a,
                             const float *plain) {
  float *blocked = sk_verify_floats(v, c->height * c->width * SK_BLOCK);
  for (size_t at = 0; at < c->height * c->width * SK_BLOCK; at++) {
    const size_t pixel = at / SK_BLOCK, k = at % SK_BLOCK;
    const float past = c->to_blocked ? 0 : sk_canary();
    blocked[at] = k < c->channels ? plain[plain_at(a, pixel / c->width, pixel % c->width, k)] : past;
  }
  return blocked;
}

static void run_layout(struct sk_verify *v, const struct layout_case *c, bool spaced, enum sk_guard_side side) {
  const size_t mark = v->scratch_count;
  struct sk_layout_args a = {.height = c->height, .width = c->width, .channels = c->channels};
  const size_t floats = plain_strides(c, spaced, &a);
  const float *plain = sk_verify_random_floats(v, SK_DATA_SPECIAL, floats);
  const float *pixels = blocked_pixels(v, c, &a, plain);
  a.blocked_row = (c->width + 2) * SK_BLOCK;
  size_t blocked_floats;
  const float *blocked = sk_plane_lay_out(v, pixels, c->height, c->width, 2, &blocked_floats);
  /* One struct serves both directions, so its pointers are not const; what is an input is checked to stay one. */
  if (c->to_blocked) {
    a.plain = (float *)(uintptr_t)sk_verify_input(v, SK_SLOT_X, plain, floats, side);
    a.blocked = sk_verify_output(v, SK_SLOT_Y, blocked_floats, side);
    v->kernels->to_blocked(&a);
    const struct sk_plane_check check = {a.blocked, c->height, c->width, a.blocked_row, pixels, NULL, NULL, 0, false};
    sk_plane_check(v, &check);
  } else {
    a.blocked = (float *)(uintptr_t)sk_verify_input(v, SK_SLOT_X, blocked, blocked_floats, side);
    a.plain = sk_verify_output(v, SK_SLOT_Y, floats, side);
    v->kernels->from_blocked(&a);
    check_from_blocked(v, c, &a, plain);
  }
  sk_verify_release(v, mark);
}

static void layout_case(struct sk_verify *v, const void *parameters) {
  static const size_t sizes[][2] = {{1, 1}, {1, 5}, {3, 4}, {7, 7}, {4, 17}};
  struct layout_case c = *(const struct layout_case *)parameters;
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    c.height = sizes[i][0];
    c.width = sizes[i][1];
    for (size_t way = 0; way < 4 && !sk_verify_failed(v); way++) {
      const enum sk_guard_side side = way % 2 == 0 ? SK_GUARD_AFTER : SK_GUARD_BEFORE;
      sk_verify_at(v, "%zux%zu, %s, %s", c.height, c.width, way / 2 ? "spaced" : "dense", sk_guard_side_name(side));
      run_layout(v, &c, way / 2 == 1, side);
    }
  }
}

void sk_verify_layout_kernels(struct sk_verify *v) {
  for (size_t i = 0; i < 4; i++) {
    struct layout_case parameters = {.to_blocked = i / 2 == 0, .nhwc = i % 2 == 1};
    for (parameters.channels = 1; parameters.channels <= SK_BLOCK; parameters.channels++) {
      const char *group = parameters.to_blocked ? "to_blocked" : "from_blocked";
      const struct sk_verify_case c = {group, NULL, layout_case, &parameters};
      sk_verify_run(v, &c, "%s/%s/c%zu", group, parameters.nhwc ? "nhwc" : "nchw", parameters.channels);
    }
  }
}
