/* Cases for dense, softmax and peak kernels, against their contracts written out plainly. */
#include <math.h>
#include <string.h>

#include "bench/verify_bounds.h"
#include "bench/verify_plane.h"
#include "reference/reference.h"

/* ---- Dense ---- */

static void run_dense(struct sk_verify *v, size_t inputs, size_t panels, enum sk_data data) {
  const size_t outputs = panels * SK_DENSE_PANEL, mark = v->scratch_count;
  const double largest = (double)inputs + 1;
  const float *x = sk_verify_random_part(v, data, SK_PART_X, largest, inputs);
  const float *bias = sk_verify_random_part(v, data, SK_PART_ADDEND, largest, outputs);
  float *weights = sk_verify_random_part(v, data, SK_PART_WEIGHTS, largest, inputs * outputs);
  for (size_t o = 0; o < outputs && data == SK_DATA_CANCELLATION; o++) {
    sk_random_cancel(weights + o / SK_DENSE_PANEL * inputs * SK_DENSE_PANEL + o % SK_DENSE_PANEL, inputs,
                     SK_DENSE_PANEL);
  }
  float *bits = sk_verify_floats(v, outputs);
  double *exact = sk_verify_scratch(v, outputs * sizeof *exact),
         *magnitude = sk_verify_scratch(v, outputs * sizeof *exact);
  for (size_t o = 0; o < outputs; o += SK_BLOCK) {
    struct sk_chain chain;
    const float *panel = weights + o / SK_DENSE_PANEL * inputs * SK_DENSE_PANEL + o % SK_DENSE_PANEL;
    sk_chain_compute(inputs, x, false, panel, SK_DENSE_PANEL, bias + o, &chain);
    memcpy(bits + o, chain.bits, sizeof chain.bits);
    memcpy(exact + o, chain.sum, sizeof chain.sum);
    memcpy(magnitude + o, chain.magnitude, sizeof chain.magnitude);
  }
  v->data = data;
  for (enum sk_guard_side side = 0; side < SK_GUARD_SIDES && !sk_verify_failed(v); side++) {
    sk_verify_at(v, "%s, %zu panels, %s", sk_data_name(data), panels, sk_guard_side_name(side));
    const struct sk_dense_args args = {
        .x = sk_verify_input(v, SK_SLOT_X, x, inputs, side),
        .inputs = inputs,
        .weights = sk_verify_input(v, SK_SLOT_WEIGHTS, weights, inputs * outputs, side),
        .bias = sk_verify_input(v, SK_SLOT_BIAS, bias, outputs, side),
        .y = sk_verify_output(v, SK_SLOT_Y, outputs, side),
        .panels = panels,
    };
    v->kernels->dense(&args);
    const size_t roundings = data == SK_DATA_INTEGERS ? 0 : inputs;
    const struct sk_plane_check check = {args.y,    1,         outputs / SK_BLOCK,
                                         outputs,   bits,      data == SK_DATA_SPECIAL ? NULL : exact,
                                         magnitude, roundings, false};
    sk_plane_check(v, &check);
  }
  sk_verify_release(v, mark);
}

static void dense_case(struct sk_verify *v, const void *parameters) {
  for (size_t panels = 1; panels <= 3; panels++) {
    for (enum sk_data data = 0; data < SK_DATA_KINDS; data++) {
      const size_t inputs = *(const size_t *)parameters;
      if (sk_verify_takes(v, data, inputs + panels)) run_dense(v, inputs, panels, data);
    }
  }
}

/* ---- Peak ---- */

/* Every lane does the same work, so all ISAs return the same number; and none may leave the work out. */
static void fma_peak_case(struct sk_verify *v, const void *parameters) {
  const size_t iterations = *(const size_t *)parameters;
  const struct sk_expected expected = {v->generic->fma_peak(iterations), true, 0, INFINITY};
  sk_verify_value(v, v->kernels->fma_peak(iterations), &expected, "result", 0, 0, 0);
}

/* ---- Stream ---- */

/* Small integers add up exactly in any order: every value is read, once in each pass, and nothing beside the array. */
static void run_stream(struct sk_verify *v, size_t count, size_t passes, enum sk_guard_side side) {
  const size_t mark = v->scratch_count;
  const float *model = sk_verify_random_floats(v, SK_DATA_INTEGERS, count);
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += (double)model[i];
  const float *x = sk_verify_input(v, SK_SLOT_X, model, count, side);
  const struct sk_expected expected = {(float)(sum * (double)passes), true, 0, INFINITY};
  sk_verify_at(v, "%zu passes, %s", passes, sk_guard_side_name(side));
  sk_verify_value(v, v->kernels->stream(x, count, passes), &expected, "sum", 0, 0, 0);
  sk_verify_inputs_unchanged(v);
  sk_verify_release(v, mark);
}

static void stream_case(struct sk_verify *v, const void *parameters) {
  for (size_t passes = 1; passes <= 3; passes++) {
    for (enum sk_guard_side side = 0; side < SK_GUARD_SIDES; side++) {
      run_stream(v, *(const size_t *)parameters, passes, side);
    }
  }
}

/* ---- Softmax ---- */

enum logits {
  LOGITS_SMALL,
  LOGITS_WIDE,
  LOGITS_HUGE,
  LOGITS_EQUAL,
  LOGITS_NAN,
  LOGITS_INFINITE,
  LOGITS_LOWEST,
  LOGITS
};
static const char *const logits_names[LOGITS] = {"small", "wide", "huge", "equal", "NaN", "infinite", "all -infinity"};

static void fill_logits(struct sk_verify *v, enum logits kind, float *x, size_t count) {
  sk_random_fill(&v->random, SK_DATA_REALS, x, count);
  const size_t chosen = sk_random_below(&v->random, count);
  for (size_t i = 0; i < count; i++) {
    if (kind == LOGITS_WIDE) x[i] *= 120;
    if (kind == LOGITS_HUGE) x[i] *= 3e38F;
    if (kind == LOGITS_EQUAL) x[i] = -3.25F;
    if (kind == LOGITS_LOWEST) x[i] = -INFINITY;
  }
  if (kind == LOGITS_NAN) x[chosen] = NAN;
  if (kind == LOGITS_INFINITE) x[chosen] = sk_random_below(&v->random, 2) ? INFINITY : -INFINITY;
}

/* SLEEF's scalar form of the exponential whose bits are the same on every ISA. sleef.h declares it only where the
 * compiler may use FMA. */
float Sleef_finz_expf1_u10purecfma(float);

/* The contract, step by step: needs a CPU with fused multiply-add. */
static void softmax_bits(const float *x, size_t count, float *y) {
  float m = -INFINITY, lane[SK_BLOCK] = {0};
  for (size_t i = 0; i < count && !isnan(m); i++) m = x[i] > m || isnan(x[i]) ? x[i] : m;
  for (size_t i = 0; i < count; i++) {
    y[i] = Sleef_finz_expf1_u10purecfma(x[i] - m);
    lane[i % SK_BLOCK] += y[i];
  }
  for (size_t half = SK_BLOCK / 2; half > 0; half /= 2) {
    for (size_t l = 0; l < half; l++) lane[l] += lane[l + half];
  }
  for (size_t i = 0; i < count; i++) y[i] /= lane[0];
}

/* What the row must become. */
static struct sk_expected *softmax_expected(struct sk_verify *v, const float *x, size_t count) {
  struct sk_expected *expected = sk_verify_scratch(v, count * sizeof *expected);
  double *real = sk_verify_scratch(v, count * sizeof *real), *y = sk_verify_scratch(v, count * sizeof *y);
  float *bits = sk_verify_floats(v, count);
  for (size_t i = 0; i < count; i++) real[i] = (double)x[i];
  sk_reference_softmax(1, count, 1, real, y);
  if (v->hardware_fma) {
    softmax_bits(x, count, bits);
  } else {
    memset(bits, 0, count * sizeof *bits); /* the last bit may differ there, so none is compared */
  }
  double *bound = sk_verify_scratch(v, count * sizeof *bound);
  sk_softmax_bounds(real, count, 1, bound);
  for (size_t i = 0; i < count; i++) {
    expected[i] = (struct sk_expected){bits[i], v->hardware_fma, y[i], isnan(y[i]) ? 0 : bound[i]};
  }
  return expected;
}

/* Lay a row out as blocks of 16 that are `block` floats apart, with poison between them and past the row. */
static float *lay_out_row(struct sk_verify *v, const float *x, size_t count, size_t block, size_t floats) {
  float *row = sk_verify_floats(v, floats);
  sk_fill_canaries(row, floats);
  for (size_t i = 0; i < count; i++) row[i / SK_BLOCK * block + i % SK_BLOCK] = x[i];
  return row;
}

/* The ways to lay a row out. */
enum softmax_way { SOFTMAX_APART, SOFTMAX_IN_PLACE, SOFTMAX_SPACED, SOFTMAX_WAYS };
static const char *const softmax_way_names[SOFTMAX_WAYS] = {"apart", "in place", "blocks apart"};

static void check_softmax(struct sk_verify *v, const struct sk_softmax_args *args, const struct sk_expected *expected) {
  static const struct sk_expected zero = {0, true, 0, 0};
  const size_t blocks = (args->count + SK_BLOCK - 1) / SK_BLOCK;
  const struct sk_region region = {1, 0, blocks, args->y_block, SK_BLOCK};
  for (size_t i = 0; i < blocks * SK_BLOCK; i++) {
    const float y = args->y[i / SK_BLOCK * args->y_block + i % SK_BLOCK];
    if (!sk_verify_value(v, y, i < args->count ? &expected[i] : &zero, "y", 0, 0, i)) return;
  }
  sk_verify_only_wrote(v, SK_SLOT_Y, &region);
  sk_verify_inputs_unchanged(v);
}

static void run_softmax(struct sk_verify *v, const float *x, size_t count, const struct sk_expected *expected,
                        enum softmax_way way, enum sk_guard_side side) {
  const bool spaced = way == SOFTMAX_SPACED;
  const size_t blocks = (count + SK_BLOCK - 1) / SK_BLOCK, mark = v->scratch_count;
  struct sk_softmax_args args = {.count = count, .hardware_fma = v->hardware_fma};
  args.x_block = spaced ? 3 * SK_BLOCK : SK_BLOCK;
  args.y_block = spaced ? 2 * SK_BLOCK : SK_BLOCK;
  const size_t written = (blocks - 1) * args.y_block + SK_BLOCK;
  const size_t read = (blocks - 1) * args.x_block + count - (blocks - 1) * SK_BLOCK;
  const float *row = lay_out_row(v, x, count, args.x_block, read);
  args.y = sk_verify_output(v, SK_SLOT_Y, written, side);
  args.x = way == SOFTMAX_IN_PLACE ? memcpy(args.y, row, read * sizeof *row)
                                   : sk_verify_input(v, SK_SLOT_X, row, read, side);
  v->kernels->softmax(&args);
  check_softmax(v, &args, expected);
  sk_verify_release(v, mark);
}

static void softmax_case(struct sk_verify *v, const void *parameters) {
  const size_t count = *(const size_t *)parameters;
  for (enum logits kind = 0; kind < LOGITS; kind++) {
    const size_t mark = v->scratch_count;
    float *x = sk_verify_floats(v, count);
    fill_logits(v, kind, x, count);
    const struct sk_expected *expected = softmax_expected(v, x, count);
    for (size_t run = 0; run < 2 * SOFTMAX_WAYS && !sk_verify_failed(v); run++) {
      const enum sk_guard_side side = run % 2 == 0 ? SK_GUARD_AFTER : SK_GUARD_BEFORE;
      const enum softmax_way way = (enum softmax_way)(run / 2);
      sk_verify_at(v, "%s logits, %s, %s", logits_names[kind], softmax_way_names[way], sk_guard_side_name(side));
      run_softmax(v, x, count, expected, way, side);
    }
    sk_verify_release(v, mark);
  }
}

void sk_verify_dense_kernels(struct sk_verify *v) {
  for (size_t inputs = 1; inputs <= 130; inputs++) {
    const struct sk_verify_case c = {"dense", NULL, dense_case, &inputs};
    sk_verify_run(v, &c, "dense/%zu", inputs);
  }
  static const size_t iterations[] = {1, 2, 100};
  for (size_t i = 0; i < sizeof iterations / sizeof iterations[0]; i++) {
    const struct sk_verify_case c = {"fma_peak", NULL, fma_peak_case, &iterations[i]};
    sk_verify_run(v, &c, "fma_peak/%zu", iterations[i]);
  }
  for (size_t count = 1; count <= 300; count++) {
    const struct sk_verify_case c = {"stream", NULL, stream_case, &count};
    sk_verify_run(v, &c, "stream/%zu", count);
  }
  for (size_t count = 1; count <= 1001; count++) {
    const bool chosen = count <= 66 || count == 100 || count == 257 || count >= 999;
    if (!chosen && !sk_verify_exhaustive(v)) continue;
    const struct sk_verify_case c = {"softmax", NULL, softmax_case, &count};
    sk_verify_run(v, &c, "softmax/%zu", count);
  }
}
