/* Cases for rows of tiles of F(3,4), multiplied and transformed back, against their contract written out plainly. */
#include <float.h>
#include <math.h>

#include "bench/verify_transforms.h"
#include "bench/verify_winograd_output.h"
#include "dispatch/winograd_filter.h"

enum { OUTPUTS = 3, ALPHA = 6, POINTS = ALPHA * ALPHA, MOST_TILES = OUTPUTS * OUTPUTS };

struct row_case {
  size_t tiles, channels, rows, columns; /* columns: of all tiles */
  sk_reference_winograd exact, absolute;
};

struct row_model {
  const struct row_case *c;
  enum sk_data data;
  enum sk_residual residual_kind;
  enum sk_activation activation;
  float *v;        /* [tiles][36][16] */
  float *weights;  /* [6][channels][6][16] */
  float *residual; /* [rows][columns][16] */
  float *bias;     /* [16] */
  float *bits;     /* of the outputs, [tiles][3][3][16] */
  double *sums, *magnitudes;
};

/* The largest factor by which the way back can enlarge a product. */
static double growth(const struct row_case *c) {
  const double norm = sk_winograd_norms(&c->exact).output;
  return norm * norm;
}

/* Add what ends an output that exists to its three values: the bits, the real number and its terms' magnitude. */
static void end_output(const struct row_model *m, size_t row, size_t column, size_t lane, size_t at) {
  const struct row_case *c = m->c;
  const bool exists = row < c->rows && column < c->columns, adds = exists && m->residual_kind != SK_RESIDUAL_NONE;
  const float bias = m->bias[lane], residual = adds ? m->residual[(row * c->columns + column) * SK_BLOCK + lane] : 0;
  m->bits[at] += bias;
  if (adds) m->bits[at] += residual;
  m->bits[at] = sk_activate(m->activation, m->bits[at]);
  m->sums[at] = sk_activate_exact(m->activation, m->sums[at] + ((double)bias + (double)residual));
  m->magnitudes[at] += fabs((double)bias) + fabs((double)residual);
}

/* What must come of one lane of a tile, whose products are `chains`. */
static void model_tile(const struct row_model *m, size_t tile, size_t lane, const struct sk_chain chains[POINTS]) {
  float t[POINTS], bits[OUTPUTS * OUTPUTS];
  double sum[POINTS], magnitude[POINTS], y[OUTPUTS * OUTPUTS], largest[OUTPUTS * OUTPUTS];
  for (size_t p = 0; p < POINTS; p++) {
    t[p] = chains[p].bits[lane];
    sum[p] = chains[p].sum[lane];
    magnitude[p] = chains[p].magnitude[lane];
  }
  sk_winograd_output_bits_f3k4(t, bits);
  sk_reference_winograd_output_2d(&m->c->exact, &m->c->exact, sum, y);
  sk_reference_winograd_output_2d(&m->c->absolute, &m->c->absolute, magnitude, largest);
  for (size_t i = 0; i < OUTPUTS * OUTPUTS; i++) {
    const size_t at = (tile * OUTPUTS * OUTPUTS + i) * SK_BLOCK + lane;
    m->bits[at] = bits[i];
    m->sums[at] = y[i];
    m->magnitudes[at] = largest[i];
    end_output(m, i / OUTPUTS, tile * OUTPUTS + i % OUTPUTS, lane, at);
  }
}

static void model_outputs(const struct row_model *m) {
  const struct row_case *c = m->c;
  for (size_t tile = 0; tile < c->tiles; tile++) {
    struct sk_chain chains[POINTS];
    for (size_t p = 0; p < POINTS; p++) {
      const float *const w = m->weights + (p % ALPHA * c->channels * ALPHA + p / ALPHA) * SK_BLOCK;
      sk_chain_compute(c->channels, m->v + (tile * POINTS + p) * SK_BLOCK, false, w, ALPHA * SK_BLOCK, NULL,
                       &chains[p]);
    }
    for (size_t l = 0; l < SK_BLOCK; l++) model_tile(m, tile, l, chains);
  }
}

/* Lanes without a channel are poison. */
static void make_inputs(struct sk_verify *v, struct row_model *m) {
  const struct row_case *c = m->c;
  const size_t outputs = c->tiles * OUTPUTS * OUTPUTS * SK_BLOCK;
  const double largest = growth(c) * (double)c->channels + 2;
  m->v = sk_verify_random_part(v, m->data, SK_PART_X, largest, c->tiles * POINTS * SK_BLOCK);
  for (size_t i = 0; i < c->tiles * POINTS; i++) {
    sk_fill_canaries(m->v + i * SK_BLOCK + c->channels, SK_BLOCK - c->channels);
  }
  m->weights = sk_verify_random_part(v, m->data, SK_PART_WEIGHTS, largest, POINTS * c->channels * SK_BLOCK);
  for (size_t i = 0; i < POINTS * SK_BLOCK && m->data == SK_DATA_CANCELLATION; i++) {
    float *const first = m->weights + i / (ALPHA * SK_BLOCK) * c->channels * ALPHA * SK_BLOCK + i % (ALPHA * SK_BLOCK);
    sk_random_cancel(first, c->channels, ALPHA * SK_BLOCK);
  }
  m->bias = sk_verify_random_part(v, m->data, SK_PART_ADDEND, largest, SK_BLOCK);
  m->residual = sk_verify_random_part(v, m->data, SK_PART_ADDEND, largest, c->rows * c->columns * SK_BLOCK);
  m->bits = sk_verify_floats(v, outputs);
  m->sums = sk_verify_scratch(v, outputs * sizeof *m->sums);
  m->magnitudes = sk_verify_scratch(v, outputs * sizeof *m->magnitudes);
}

static void check_row(struct sk_verify *v, const struct row_model *m, const struct sk_winograd_output_args *outputs) {
  const struct row_case *c = m->c;
  const size_t roundings = c->channels + sk_winograd_transform_roundings(4, 1) + 2; /* bias, residual */
  const bool exact = m->data == SK_DATA_INTEGERS && sk_winograd_has_few_bits(c->exact.output);
  const double underflow =
      sk_winograd_output_underflow(&c->exact) + growth(c) * (double)c->channels * (double)FLT_TRUE_MIN;
  const struct sk_region region = {1, 0, c->rows, outputs->y_row, c->columns * SK_BLOCK};
  for (size_t i = 0; i < c->rows * c->columns * SK_BLOCK; i++) {
    const size_t l = i % SK_BLOCK, row = i / SK_BLOCK / c->columns, column = i / SK_BLOCK % c->columns;
    const size_t at =
        ((column / OUTPUTS * OUTPUTS + row) * OUTPUTS + column % OUTPUTS) * SK_BLOCK + l; /* [tiles][3][3][16] */
    const double bound = exact ? 0 : sk_rounding_bound(roundings, m->magnitudes[at]) + underflow;
    const struct sk_expected expected = {m->bits[at], true, m->sums[at], bound};
    const float got = outputs->y[row * outputs->y_row + column * SK_BLOCK + l];
    if (!sk_verify_value(v, got, &expected, "y", row, column, l)) return;
  }
  sk_verify_only_wrote(v, SK_SLOT_Y, &region);
  sk_verify_inputs_unchanged(v);
}

static void run_row(struct sk_verify *v, const struct row_model *m, enum sk_guard_side side) {
  const struct row_case *c = m->c;
  const size_t mark = v->scratch_count;
  const struct sk_winograd_ends ends = {m->activation, m->residual_kind, m->bias, m->residual, c->columns * SK_BLOCK};
  sk_verify_at(v, "%s, %s, %s, %s", sk_data_name(m->data), sk_residual_name(m->residual_kind),
               sk_activation_name(m->activation), sk_guard_side_name(side));
  const struct sk_winograd_row_args args = {
      .v = sk_verify_input(v, SK_SLOT_X, m->v, c->tiles * POINTS * SK_BLOCK, side),
      .weights = sk_verify_input(v, SK_SLOT_WEIGHTS, m->weights, POINTS * c->channels * SK_BLOCK, side),
      .half = sk_verify_output(v, SK_SLOT_WORKSPACE, c->tiles * OUTPUTS * ALPHA * SK_BLOCK, side),
      .tiles = c->tiles,
      .channels = c->channels,
      .outputs = sk_winograd_place_output(v, &ends, c->rows, c->columns, side),
  };
  v->kernels->winograd_row_f3k4(&args);
  check_row(v, m, &args.outputs);
  sk_verify_release(v, mark);
}

static void row_case(struct sk_verify *v, const void *parameters) {
  const struct row_case *c = parameters;
  for (enum sk_data data = SK_DATA_INTEGERS; data < SK_DATA_KINDS; data++) {
    if (!sk_verify_takes(v, data, c->tiles + c->rows + c->columns)) continue;
    const size_t mark = v->scratch_count;
    struct row_model m = {.c = c, .data = data};
    v->data = data;
    make_inputs(v, &m);
    for (size_t epilogue = 0; epilogue < SK_ACTIVATIONS * SK_RESIDUALS; epilogue++) {
      m.residual_kind = (enum sk_residual)(epilogue % SK_RESIDUALS);
      m.activation = (enum sk_activation)(epilogue / SK_RESIDUALS);
      model_outputs(&m);
      for (enum sk_guard_side side = 0; side < SK_GUARD_SIDES && !sk_verify_failed(v); side++) run_row(v, &m, side);
    }
    sk_verify_release(v, mark);
  }
}

void sk_verify_winograd_rows(struct sk_verify *v) {
  const sk_conv_shape any = {.stride_height = 2};
  struct row_case parameters = {.tiles = 0};
  if (!sk_conv_matrices(&any, SK_ALGORITHM_WINOGRAD3, &parameters.exact)) return; /* F(4,3)'s case has failed */
  parameters.absolute = sk_winograd_absolute(&parameters.exact);
  const struct sk_verify_case c = {"winograd_row_f3k4", NULL, row_case, &parameters};
  for (size_t tiles = 1; tiles <= MOST_TILES; tiles++) {
    for (size_t i = 0; i < (tiles < MOST_TILES ? 2 : 1); i++) { /* whole, and without rows or columns of the last */
      const size_t missing = i * (MOST_TILES - tiles);
      parameters.tiles = tiles;
      parameters.channels = 4 * ((tiles + i) % 4 + 1);
      parameters.rows = OUTPUTS - missing / OUTPUTS;
      parameters.columns = tiles * OUTPUTS - missing % OUTPUTS;
      sk_verify_run(v, &c, "winograd_row_f3k4/c%zu/%zux%zu", parameters.channels, parameters.rows, parameters.columns);
    }
  }
}
