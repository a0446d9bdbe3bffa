/* Cases for the products of Winograd's grouped convolutions, against their contract written out plainly. */
#include <string.h>

#include "bench/verify_bounds.h"
#include "bench/verify_internal.h"

enum { POINTS = 3, MOST_TILES = 8 };

struct groups_case {
  size_t channels, tiles;
};

struct groups_model {
  const struct groups_case *c;
  enum sk_data data;
  float *v;                                 /* [POINTS][tiles][16] */
  float *weights;                           /* [POINTS][channels][16] */
  struct sk_chain sums[POINTS][MOST_TILES]; /* what must come of them */
};

/* The inputs of each lane's chain: terms[j][lane] is channel j of the lane's group. */
static void gather_terms(const float *pixel, size_t channels, float *terms) {
  for (size_t i = 0; i < channels * SK_BLOCK; i++) {
    const size_t j = i / SK_BLOCK, group = i % SK_BLOCK / channels;
    terms[i] = pixel[group * channels + j];
  }
}

static void make_groups_model(struct sk_verify *v, const struct groups_case *c, enum sk_data data,
                              struct groups_model *m) {
  const size_t matrix = c->channels * SK_BLOCK;
  const double largest = (double)c->channels + 2;
  float *terms = sk_verify_floats(v, matrix);
  *m = (struct groups_model){.c = c, .data = data};
  m->v = sk_verify_random_part(v, data, SK_PART_X, largest, POINTS * c->tiles * SK_BLOCK);
  m->weights = sk_verify_random_part(v, data, SK_PART_WEIGHTS, largest, POINTS * matrix);
  for (size_t l = 0; l < POINTS * SK_BLOCK && data == SK_DATA_CANCELLATION; l++) {
    sk_random_cancel(m->weights + l / SK_BLOCK * matrix + l % SK_BLOCK, c->channels, SK_BLOCK);
  }
  for (size_t i = 0; i < POINTS * c->tiles; i++) {
    const size_t p = i / c->tiles;
    gather_terms(m->v + i * SK_BLOCK, c->channels, terms);
    sk_chain_compute(c->channels, terms, true, m->weights + p * matrix, SK_BLOCK, NULL, &m->sums[p][i % c->tiles]);
  }
}

static void check_groups(struct sk_verify *v, const struct groups_model *m,
                         const struct sk_winograd_groups_args *args) {
  const struct sk_region region = {1, 0, POINTS, args->v_point, args->tiles * SK_BLOCK};
  for (size_t i = 0; i < POINTS * args->tiles * SK_BLOCK; i++) {
    const size_t p = i / SK_BLOCK / args->tiles, t = i / SK_BLOCK % args->tiles, l = i % SK_BLOCK;
    const struct sk_chain *const sum = &m->sums[p][t];
    const bool exact = m->data == SK_DATA_INTEGERS;
    const double bound = exact ? 0 : sk_rounding_bound(args->channels, sum->magnitude[l]);
    const struct sk_expected expected = {sum->bits[l], true, sum->sum[l], bound};
    if (!sk_verify_value(v, args->v[p * args->v_point + t * SK_BLOCK + l], &expected, "v", p, t, l)) return;
  }
  sk_verify_only_wrote(v, SK_SLOT_Y, &region);
  sk_verify_inputs_unchanged(v);
}

/* Between the tiles of one point and those of the next is poison. */
static void run_groups(struct sk_verify *v, const struct groups_model *m, enum sk_guard_side side) {
  const struct groups_case *c = m->c;
  const size_t width = c->tiles * SK_BLOCK;
  struct sk_winograd_groups_args args = {
      .v_point = width + 3 * SK_BLOCK, .points = POINTS, .tiles = c->tiles, .channels = c->channels};
  args.v = sk_verify_output(v, SK_SLOT_Y, (POINTS - 1) * args.v_point + width, side);
  for (size_t p = 0; p < POINTS; p++) memcpy(args.v + p * args.v_point, m->v + p * width, width * sizeof(float));
  args.weights = sk_verify_input(v, SK_SLOT_WEIGHTS, m->weights, POINTS * c->channels * SK_BLOCK, side);
  v->kernels->winograd_multiply_groups(&args);
  check_groups(v, m, &args);
}

static void groups_case(struct sk_verify *v, const void *parameters) {
  const struct groups_case *c = parameters;
  for (enum sk_data data = SK_DATA_INTEGERS; data < SK_DATA_KINDS && !sk_verify_failed(v); data++) {
    struct groups_model m;
    if (!sk_verify_takes(v, data, c->channels / 4 + c->tiles)) continue;
    const size_t mark = v->scratch_count;
    v->data = data;
    make_groups_model(v, c, data, &m);
    for (enum sk_guard_side side = 0; side < SK_GUARD_SIDES && !sk_verify_failed(v); side++) {
      sk_verify_at(v, "%s, %s", sk_data_name(data), sk_guard_side_name(side));
      run_groups(v, &m, side);
    }
    sk_verify_release(v, mark);
  }
}

void sk_verify_winograd_groups(struct sk_verify *v) {
  for (size_t channels = 4; channels <= SK_BLOCK; channels *= 2) {
    for (size_t tiles = 1; tiles <= MOST_TILES; tiles++) {
      const struct groups_case parameters = {channels, tiles};
      const struct sk_verify_case c = {"winograd_multiply_groups", NULL, groups_case, &parameters};
      sk_verify_run(v, &c, "winograd_multiply_groups/c%zu/%zu", channels, tiles);
    }
  }
}
