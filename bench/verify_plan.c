/* Cases for convolution plans: every algorithm over the layers of the networks and over awkward shapes, Winograd both
 * ways through its tiles. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/conv_case.h"
#include "bench/shapes.h"
#include "bench/verify_bounds.h"
#include "bench/verify_chains.h"
#include "bench/verify_internal.h"
#include "bench/verify_strassen.h"
#include "dispatch/conv_internal.h"
#include "dispatch/size.h"
#include "reference/reference.h"

/* A run's epilogue is a sum of these. */
enum { WITH_BIAS = 1, WITH_RESIDUAL = 2, WITH_RELU = 4, VARIANTS = 8 };

/* The ways of Winograd through a layer (dispatch/conv_winograd.c). Which one it takes depends on the caches, so a case
 * assumes some for each: of one kilobyte, which holds no block of tiles, so that they go together; of half a megabyte,
 * with which they go apart where there are enough of them. Neither has an L1 cache, so that chains are cut wherever
 * they can be. */
static const char *const way_names[SK_CONV_WAYS] = {"", ", tiles together", ", tiles apart"};
static const struct sk_cpu_caches way_caches[SK_CONV_WAYS] = {
    [SK_CONV_WAY_TOGETHER] = {.l2_bytes = 1024},
    [SK_CONV_WAY_APART] = {.l2_bytes = 512 * 1024},
};

/* One shape, its data and what must come of them, made once and shared by all algorithms and ISAs. */
struct fixture {
  char name[120];
  sk_conv_shape shape;
  size_t out_height, out_width;
  size_t in_floats, weight_floats, out_floats, terms;
  bool in_blocks[SK_CONV_WAYS]; /* whether tensors of this shape must be done so, in blocks that do not divide the tiles
                                 */
  bool ready;
  bool is_given; /* x and the others are somebody's: no image of them is repeated */
  float *x[SK_DATA_KINDS], *weights[SK_DATA_KINDS], *bias[SK_DATA_KINDS], *residual[SK_DATA_KINDS];
  double *exact[SK_DATA_KINDS], *magnitude[SK_DATA_KINDS]; /* of the convolution without its epilogue; NULL: not run */
  double *mixed[SK_DATA_KINDS][SK_ALGORITHM_COUNT];    /* the magnitude by an algorithm that mixes inputs, or NULL */
  double underflow[SK_DATA_KINDS][SK_ALGORITHM_COUNT]; /* likewise: what it adds to the bound */
  sk_algorithm bits_algorithm;                         /* whose bits these are */
  float *bits[SK_DATA_KINDS][VARIANTS];                /* as the contract has them, or NULL */
};

struct plan_case {
  struct fixture *fixture;
  sk_algorithm algorithm;
  struct sk_conv_case *now; /* where the run that comes next is described, for its failure to be reduced */
};

/* ---- Fixtures ---- */

static void *allocate(size_t count, size_t size) {
  void *memory = sk_alloc(count * size);
  if (!memory) {
    fprintf(stderr, "verify: out of memory\n");
    exit(1);
  }
  return memory;
}

static double *to_double(const float *x, size_t count) {
  double *real = allocate(count, sizeof *real);
  for (size_t i = 0; i < count; i++) real[i] = (double)x[i];
  return real;
}

/* Those near overflow are drawn in [1/2, 1), and scaled when their sums are known. */
static float *random_array(struct sk_random *random, enum sk_data data, enum sk_part part, size_t count) {
  float *values = allocate(count, sizeof *values);
  sk_random_fill_part(random, data, part, 0x1p126, values, count);
  return values;
}

static double largest_of(const double *values, size_t count) {
  double largest = 0;
  for (size_t i = 0; i < count; i++) largest = fmax(largest, fabs(values[i]));
  return largest;
}

/* Make the last image of a batch the same as the first: equal images must give equal bits. */
static void repeat_first_image(float *images, size_t batch, size_t floats) {
  if (batch > 1) memcpy(images + floats - floats / batch, images, floats / batch * sizeof *images);
}

/* Whether an algorithm mixes inputs and applies. */
static bool mixes(const sk_conv_shape *shape, sk_algorithm algorithm) {
  sk_algorithm chosen;
  return sk_conv_mixes_inputs(algorithm) && sk_conv_choose(shape, algorithm, &chosen) == SK_OK;
}

static void fill_mixed_magnitudes(struct fixture *f, enum sk_data data, const double *x, const double *weights) {
  for (sk_algorithm a = 0; a < SK_ALGORITHM_COUNT; a++) {
    if (!mixes(&f->shape, a)) continue;
    double *magnitude = allocate(f->out_floats, sizeof(double));
    if (sk_conv_magnitude(&f->shape, a, x, weights, magnitude)) {
      f->mixed[data][a] = magnitude;
      f->underflow[data][a] =
          sk_conv_underflow(&f->shape, a, largest_of(x, f->in_floats), largest_of(weights, f->weight_floats));
    } else {
      sk_free(magnitude);
    }
  }
}

static void scale_floats(float *values, size_t count, int exponent) {
  for (size_t i = 0; i < count; i++) values[i] = ldexpf(values[i], exponent);
}

static void scale_doubles(double *values, size_t count, int exponent) {
  for (size_t i = 0; values && i < count; i++) values[i] = ldexp(values[i], exponent);
}

/* Bring the largest sum to just below the largest float, by powers of two, which change nothing else: that of absolute
 * values, bias and residual included, and of algorithms that mix inputs, for no step on the way exceeds it. */
static void scale_to_overflow(struct fixture *f) {
  const enum sk_data data = SK_DATA_OVERFLOW;
  double largest = largest_of(f->magnitude[data], f->out_floats);
  for (size_t a = 0; a < SK_ALGORITHM_COUNT; a++) {
    const double *magnitude = f->mixed[data][a];
    if (magnitude) largest = fmax(largest, largest_of(magnitude, f->out_floats));
  }
  const int exponent = sk_overflow_exponent(largest + 4), of_x = sk_overflow_exponent_of_x(exponent);
  scale_floats(f->x[data], f->in_floats, of_x);
  scale_floats(f->weights[data], f->weight_floats, exponent - of_x);
  scale_floats(f->bias[data], f->shape.out_channels, exponent);
  scale_floats(f->residual[data], f->out_floats, exponent);
  scale_doubles(f->exact[data], f->out_floats, exponent);
  scale_doubles(f->magnitude[data], f->out_floats, exponent);
  for (size_t a = 0; a < SK_ALGORITHM_COUNT; a++) scale_doubles(f->mixed[data][a], f->out_floats, exponent);
}

static void cancel_weights(const struct fixture *f, float *weights) {
  for (size_t k = 0; k < f->shape.out_channels; k++) sk_random_cancel(weights + k * f->terms, f->terms, 1);
}

/* Each kind of data has a stream of its own: a single case sees the numbers that it had among the others. */
static void draw_arrays(struct fixture *f, uint64_t seed, enum sk_data data) {
  char stream[sizeof f->name + 32];
  snprintf(stream, sizeof stream, "%s/%s", f->name, sk_data_name(data));
  struct sk_random random = sk_random_start(seed, stream);
  const size_t batch = f->shape.batch;
  f->x[data] = random_array(&random, data, SK_PART_X, f->in_floats);
  f->weights[data] = random_array(&random, data, SK_PART_WEIGHTS, f->weight_floats);
  f->bias[data] = random_array(&random, data, SK_PART_ADDEND, f->shape.out_channels);
  f->residual[data] = random_array(&random, data, SK_PART_ADDEND, f->out_floats);
  if (data == SK_DATA_CANCELLATION) cancel_weights(f, f->weights[data]);
  repeat_first_image(f->x[data], batch, f->in_floats);
  repeat_first_image(f->residual[data], batch, f->out_floats);
}

static void compute_exact(struct fixture *f, enum sk_data data) {
  double *x = to_double(f->x[data], f->in_floats), *weights = to_double(f->weights[data], f->weight_floats);
  f->exact[data] = allocate(f->out_floats, sizeof(double));
  f->magnitude[data] = allocate(f->out_floats, sizeof(double));
  sk_reference_conv(&f->shape, x, weights, NULL, f->exact[data], f->magnitude[data]);
  fill_mixed_magnitudes(f, data, x, weights);
  if (data == SK_DATA_OVERFLOW) scale_to_overflow(f);
  sk_free(x);
  sk_free(weights);
}

/* By default small layers run on one kind of adversarial data, and one in four large ones, whatever the seed. */
static bool takes_data(const struct sk_verify *v, const struct fixture *f, enum sk_data data) {
  struct sk_random random = sk_random_start(0, f->name);
  const size_t turn = sk_random_below(&random, 1024);
  const bool is_large = f->out_floats * f->terms > (size_t)1 << 21;
  if (data > SK_DATA_REALS && is_large && turn % 4 != 0 && !sk_verify_exhaustive(v)) return false;
  return sk_verify_takes(v, data, turn / 4);
}

static void size_fixture(struct fixture *f) {
  const sk_conv_shape *s = &f->shape;
  sk_reference_conv_output_size(s, &f->out_height, &f->out_width);
  f->terms = s->in_channels / s->groups * s->kernel_height * s->kernel_width;
  f->in_floats = s->batch * s->in_channels * s->in_height * s->in_width;
  f->weight_floats = s->out_channels * f->terms;
  f->out_floats = s->batch * s->out_channels * f->out_height * f->out_width;
}

static void prepare_fixture(const struct sk_verify *v, struct fixture *f) {
  if (f->ready) return;
  f->ready = true;
  size_fixture(f);
  for (enum sk_data data = SK_DATA_INTEGERS; data < SK_DATA_KINDS; data++) {
    if (!takes_data(v, f, data)) continue;
    draw_arrays(f, v->options->seed, data);
    compute_exact(f, data);
  }
}

static void forget_bits(struct fixture *f) {
  for (size_t i = 0; i < (size_t)SK_DATA_KINDS * VARIANTS; i++) {
    sk_free(f->bits[i / VARIANTS][i % VARIANTS]);
    f->bits[i / VARIANTS][i % VARIANTS] = NULL;
  }
}

static void free_fixture(struct fixture *f) {
  forget_bits(f);
  for (size_t data = 0; data < SK_DATA_KINDS; data++) {
    sk_free(f->x[data]);
    sk_free(f->weights[data]);
    sk_free(f->bias[data]);
    sk_free(f->residual[data]);
    sk_free(f->exact[data]);
    sk_free(f->magnitude[data]);
    for (size_t a = 0; a < SK_ALGORITHM_COUNT; a++) sk_free(f->mixed[data][a]);
  }
}

/* ---- One run ---- */

struct run {
  struct fixture *fixture;
  sk_conv_options options;
  enum sk_data data;
  unsigned variant;
  enum sk_guard_side side;
  enum sk_conv_way way;
};

static struct run make_run(struct fixture *f, sk_isa isa, sk_algorithm algorithm, int threads, enum sk_data data,
                           unsigned variant) {
  return (struct run){.fixture = f,
                      .options = {.isa = isa,
                                  .algorithm = algorithm,
                                  .threads = threads,
                                  .residual = (variant & WITH_RESIDUAL) != 0,
                                  .relu = (variant & WITH_RELU) != 0},
                      .data = data,
                      .variant = variant,
                      .side = threads == 1 && variant == VARIANTS - 1 ? SK_GUARD_AFTER : SK_GUARD_BEFORE};
}

static void announce(struct sk_verify *v, const struct run *r, const char *call) {
  sk_verify_at(v, "%s, %s, %d threads%s%s%s%s, %s", call, sk_data_name(r->data), r->options.threads, way_names[r->way],
               r->variant & WITH_BIAS ? ", bias" : "", r->variant & WITH_RESIDUAL ? ", residual" : "",
               r->variant & WITH_RELU ? ", relu" : "", sk_guard_side_name(r->side));
}

/* Say which run comes next, in words and as a case that can be run alone. */
static struct sk_conv_case describe(const struct run *r, uint64_t seed, enum sk_conv_call call) {
  struct sk_conv_case c = {.isa = r->options.isa,
                           .algorithm = r->options.algorithm,
                           .threads = r->options.threads,
                           .call = call,
                           .way = r->way,
                           .side = r->side,
                           .shape = r->fixture->shape,
                           .bias = (r->variant & WITH_BIAS) != 0,
                           .residual = r->options.residual,
                           .relu = r->options.relu,
                           .data = r->data,
                           .seed = seed};
  snprintf(c.name, sizeof c.name, "%s", r->fixture->name);
  return c;
}

static const float *run_bias(const struct run *r) { return r->variant & WITH_BIAS ? r->fixture->bias[r->data] : NULL; }

/* The bits of direct convolution, from its chains, or Strassen's. */
static bool chain_bits(const struct run *r, float *y) {
  const struct fixture *f = r->fixture;
  const bool ready = r->options.algorithm == SK_ALGORITHM_STRASSEN
                         ? sk_strassen_bits(&f->shape, f->x[r->data], f->weights[r->data], run_bias(r), y)
                         : sk_conv_chains(&f->shape, f->x[r->data], f->weights[r->data], run_bias(r), y);
  if (!ready) return false;
  for (size_t at = 0; at < f->out_floats; at++) {
    if (r->options.residual) y[at] += f->residual[r->data][at];
    if (r->options.relu && y[at] < 0) y[at] = 0;
  }
  return true;
}

/* The bits of Winograd are those of the generic kernels, whose transforms and chains are checked apart. */
static bool generic_bits(struct sk_verify *v, const struct run *r, float *y) {
  const struct fixture *f = r->fixture;
  sk_conv_options options = r->options;
  options.isa = SK_ISA_GENERIC;
  options.threads = 1;
  if (sk_conv_create(&v->plan, &f->shape, f->weights[r->data], run_bias(r), &options)) return false;
  const size_t mark = v->scratch_count;
  void *workspace = sk_verify_scratch(v, sk_conv_workspace_bytes(v->plan));
  sk_conv_run(v->plan, f->x[r->data], options.residual ? f->residual[r->data] : NULL, y, workspace);
  sk_verify_release(v, mark);
  sk_conv_destroy(v->plan);
  v->plan = NULL;
  return true;
}

/* What the bits must be, computed when first asked for. NULL, and a failure, if they cannot be had. */
static const float *contract_bits(struct sk_verify *v, const struct run *r) {
  struct fixture *f = r->fixture;
  if (f->bits_algorithm != r->options.algorithm) forget_bits(f);
  f->bits_algorithm = r->options.algorithm;
  float **bits = &f->bits[r->data][r->variant];
  if (*bits != NULL) return *bits;
  *bits = allocate(f->out_floats, sizeof **bits);
  const bool winograd = sk_is_winograd(r->options.algorithm);
  if (winograd ? generic_bits(v, r, *bits) : chain_bits(r, *bits)) return *bits;
  sk_verify_fail(v, "no bits to compare with: %s", winograd ? sk_error_message() : "out of memory");
  return NULL;
}

/* What element `at` must be. */
static struct sk_expected expect(const struct run *r, const float *bits, size_t at) {
  const struct fixture *f = r->fixture;
  const sk_algorithm algorithm = r->options.algorithm;
  const size_t channel = at / (f->out_height * f->out_width) % f->shape.out_channels;
  const double bias = r->variant & WITH_BIAS ? (double)f->bias[r->data][channel] : 0;
  const double residual = r->variant & WITH_RESIDUAL ? (double)f->residual[r->data][at] : 0;
  const double *magnitudes = sk_conv_mixes_inputs(algorithm) ? f->mixed[r->data][algorithm] : f->magnitude[r->data];
  const double magnitude =
      magnitudes[at] + sk_conv_bias_magnitude(&f->shape, algorithm, run_bias(r), channel) + fabs(residual);
  struct sk_expected e = {.exactly = bits != NULL,
                          .bits = bits ? bits[at] : 0,
                          .exact = f->exact[r->data][at] + bias + residual,
                          .bound = sk_rounding_bound(sk_conv_roundings(&f->shape, algorithm), magnitude) +
                                   f->underflow[r->data][algorithm]};
  if (r->data == SK_DATA_INTEGERS && !sk_is_winograd(algorithm)) e.bound = 0;
  if ((r->variant & WITH_RELU) && e.exact < 0) e.exact = 0;
  return e;
}

/* The bits of gemm are the BLAS's: nothing to compare them with. */
static void check_outputs(struct sk_verify *v, const struct run *r, size_t batch, const float *y) {
  const struct fixture *f = r->fixture;
  const bool gemm = r->options.algorithm == SK_ALGORITHM_GEMM;
  const float *bits = gemm ? NULL : contract_bits(v, r);
  const size_t area = f->out_height * f->out_width, image = f->out_floats / f->shape.batch;
  for (size_t at = 0; at < batch * image && !sk_verify_failed(v); at++) {
    const struct sk_expected expected = expect(r, bits, at);
    sk_verify_value(v, y[at], &expected, "y", at / area, at % area / f->out_width, at % f->out_width);
  }
  const bool repeats = !gemm && !f->is_given && batch > 1 && batch == f->shape.batch; /* see repeat_first_image */
  for (size_t at = 0; repeats && at < image && !sk_verify_failed(v); at++) {
    if (sk_same_bits(y[at], y[(batch - 1) * image + at])) continue;
    sk_verify_fail(v, "equal images at the ends of a batch of %zu give different bits", batch);
  }
}

static sk_status plan_tensors(struct sk_verify *v, const struct run *r, enum sk_layout layout) {
  const struct fixture *f = r->fixture;
  const float *weights = f->weights[r->data], *bias = run_bias(r);
  if (r->way == SK_CONV_WAY_OF_MACHINE)
    return sk_conv_plan(&v->plan, &f->shape, weights, bias, &r->options, layout, NULL);
  return sk_conv_plan_for_caches(&v->plan, &f->shape, weights, bias, &r->options, layout, &way_caches[r->way]);
}

static bool create_plan(struct sk_verify *v, const struct run *r, enum sk_layout layout, bool tensors) {
  const struct fixture *f = r->fixture;
  const sk_status status = tensors ? plan_tensors(v, r, layout)
                                   : sk_conv_create(&v->plan, &f->shape, f->weights[r->data], run_bias(r), &r->options);
  if (status) {
    sk_verify_fail(v, "making the plan: %s", sk_error_message());
  } else if (sk_conv_isa(v->plan) != r->options.isa || sk_conv_algorithm(v->plan) != r->options.algorithm) {
    sk_verify_fail(v, "the plan chose isa %s, algorithm %s", sk_isa_name(sk_conv_isa(v->plan)),
                   sk_algorithm_name(sk_conv_algorithm(v->plan)));
  }
  return !sk_verify_failed(v);
}

static void destroy_plan(struct sk_verify *v) {
  sk_conv_destroy(v->plan);
  v->plan = NULL;
}

static float *place_workspace(struct sk_verify *v, size_t bytes, enum sk_guard_side side) {
  return sk_verify_output(v, SK_SLOT_WORKSPACE, sk_size_round_up(bytes, SK_ALIGNMENT) / sizeof(float), side);
}

static void check_ends(struct sk_verify *v, enum sk_slot slot) {
  const struct sk_region all = {.planes = 1, .rows = 1, .row_floats = v->slots[slot].floats};
  sk_verify_only_wrote(v, slot, &all);
}

/* ---- On plain arrays ---- */

static void run_plain(struct sk_verify *v, const struct run *r) {
  const struct fixture *f = r->fixture;
  announce(v, r, "sk_conv_run");
  const size_t mark = v->scratch_count;
  if (!create_plan(v, r, SK_LAYOUT_NCHW16C, false)) return;
  void *workspace = place_workspace(v, sk_conv_workspace_bytes(v->plan), r->side);
  float *y = sk_verify_output(v, SK_SLOT_Y, f->out_floats, r->side);
  const float *x = sk_verify_input(v, SK_SLOT_X, f->x[r->data], f->in_floats, r->side), *residual = NULL;
  if (r->options.residual && r->options.threads > 1) {
    residual = memcpy(y, f->residual[r->data], f->out_floats * sizeof *y);
  } else if (r->options.residual) {
    residual = sk_verify_input(v, SK_SLOT_RESIDUAL, f->residual[r->data], f->out_floats, r->side);
  }
  if (sk_conv_run(v->plan, x, residual, y, workspace)) sk_verify_fail(v, "sk_conv_run: %s", sk_error_message());
  destroy_plan(v);
  check_ends(v, SK_SLOT_WORKSPACE);
  check_ends(v, SK_SLOT_Y);
  sk_verify_inputs_unchanged(v);
  check_outputs(v, r, f->shape.batch, y);
  sk_verify_release(v, mark);
}

/* ---- On tensors ---- */

static size_t tensor_floats(const struct sk_tensor *t, size_t batch) { return batch * sk_tensor_image(t); }

/* Copy plain images to a tensor by the reference's rules, not by the kernels under test. */
static float *tensor_model(struct sk_verify *v, const struct sk_tensor *t, size_t batch, const float *plain) {
  const size_t floats = sk_size_round_up(tensor_floats(t, batch), SK_BLOCK);
  float *model = sk_verify_floats(v, floats);
  if (t->layout == SK_LAYOUT_NCHW16C) {
    sk_reference_nchw_to_nchw16c(batch, t->channels, t->height, t->width, t->halo, plain, model);
    return model;
  }
  memset(model, 0, floats * sizeof *model);
  struct sk_tensor copy = *t;
  copy.data = model;
  for (size_t i = 0; i < batch * t->channels * t->height; i++) {
    const size_t plane = i / t->height;
    memcpy(sk_tensor_at(&copy, plane / t->channels, plane % t->channels) + i % t->height * sk_tensor_row(t),
           plain + i * t->width, t->width * sizeof *model);
  }
  return model;
}

static void place_tensor(struct sk_verify *v, enum sk_slot slot, struct sk_tensor *t, size_t batch, const float *plain,
                         enum sk_guard_side side) {
  const float *model = tensor_model(v, t, batch, plain);
  const size_t floats = sk_size_round_up(tensor_floats(t, batch), SK_BLOCK);
  /* Tensors have no const; sk_verify_inputs_unchanged sees to it. */
  t->data = (float *)(uintptr_t)sk_verify_input(v, slot, model, floats, side);
}

/* Give an output the residual it starts from, but leave its halo full of canaries: the run must clear it. */
static void fill_interior(struct sk_verify *v, const struct sk_tensor *t, size_t batch, const float *plain) {
  struct sk_tensor from = *t;
  from.data = tensor_model(v, t, batch, plain);
  for (size_t i = 0; i < batch * sk_tensor_planes(t) * t->height; i++) {
    const size_t plane = i / t->height, image = plane / sk_tensor_planes(t), row = i % t->height * sk_tensor_row(t);
    memcpy(sk_tensor_at(t, image, plane % sk_tensor_planes(t)) + row,
           sk_tensor_at(&from, image, plane % sk_tensor_planes(t)) + row, t->width * SK_BLOCK * sizeof(float));
  }
}

/* Everything of an output tensor is defined: the channels, zeros in the halo, zeros in the lanes without a channel. */
static void check_output_tensor(struct sk_verify *v, const struct run *r, const struct sk_tensor *t, size_t batch) {
  const struct fixture *f = r->fixture;
  float *plain = sk_verify_floats(v, f->out_floats);
  sk_reference_nchw16c_to_nchw(batch, t->channels, t->height, t->width, t->halo, t->data, plain);
  check_outputs(v, r, batch, plain);
  if (sk_verify_failed(v)) return;
  float *model = sk_verify_floats(v, tensor_floats(t, batch));
  sk_reference_nchw_to_nchw16c(batch, t->channels, t->height, t->width, t->halo, plain, model);
  for (size_t i = 0; i < tensor_floats(t, batch); i++) {
    if (t->data[i] == model[i]) continue;
    sk_verify_fail(v, "float %zu of the output tensor (halo or unused lane) is %.9g, expected 0", i,
                   (double)t->data[i]);
    return;
  }
}

/* See that a run goes the way it is to cover: a rule of dispatch/ that changes must not leave one of them unseen. */
static bool check_way(struct sk_verify *v, const struct run *r, size_t batch) {
  const struct fixture *f = r->fixture;
  const size_t m = sk_winograd_outputs(r->options.algorithm);
  if (m == 0 || r->way == SK_CONV_WAY_OF_MACHINE || (!f->in_blocks[r->way] && r->way == SK_CONV_WAY_APART)) return true;
  const size_t tiles = batch * sk_size_divide_up(f->out_height, m) * sk_size_divide_up(f->out_width, m);
  const size_t block = v->plan->tile_block;
  if (v->plan->tiles_apart != (r->way == SK_CONV_WAY_APART)) {
    sk_verify_fail(v, "the plan goes through %zu tiles the other way", tiles);
  } else if (f->in_blocks[r->way] && (tiles < block || tiles % block == 0)) {
    sk_verify_fail(v, "%zu tiles in blocks of %zu: the last block was to be a smaller one of several", tiles, block);
  }
  return !sk_verify_failed(v);
}

/* Fewer images than planned, and halos that are no larger than they must be, or are. */
static void run_tensors(struct sk_verify *v, const struct run *r, enum sk_layout layout) {
  const struct fixture *f = r->fixture;
  const sk_conv_shape *s = &f->shape;
  const size_t mark = v->scratch_count, batch = s->batch > 1 ? s->batch - 1 : 1, extra = r->side == SK_GUARD_AFTER;
  const bool in_place = (r->variant + r->data) % 2 == 1;
  announce(v, r, layout == SK_LAYOUT_NCHW ? "sk_conv_run_tensor, planar" : "sk_conv_run_tensor");
  if (!create_plan(v, r, layout, true) || !check_way(v, r, batch)) return;
  struct sk_tensor x = {NULL, layout, s->in_channels, s->in_height, s->in_width, sk_conv_halo(s) + extra, false};
  struct sk_tensor y = {NULL, SK_LAYOUT_NCHW16C, s->out_channels, f->out_height, f->out_width, 1 + extra, false};
  struct sk_tensor residual = y;
  place_tensor(v, SK_SLOT_X, &x, batch, f->x[r->data], r->side);
  y.data = sk_verify_output(v, SK_SLOT_Y, tensor_floats(&y, batch), r->side);
  if (!in_place) residual.halo = 3;
  if (r->options.residual && in_place) {
    residual.data = y.data;
    fill_interior(v, &y, batch, f->residual[r->data]);
  } else if (r->options.residual) {
    place_tensor(v, SK_SLOT_RESIDUAL, &residual, batch, f->residual[r->data], r->side);
  }
  void *workspace = place_workspace(v, sk_conv_tensor_workspace_bytes(v->plan), r->side);
  sk_conv_run_tensor(v->plan, batch, &x, r->options.residual ? &residual : NULL, &y, workspace);
  destroy_plan(v);
  check_ends(v, SK_SLOT_WORKSPACE);
  check_ends(v, SK_SLOT_Y);
  sk_verify_inputs_unchanged(v);
  check_output_tensor(v, r, &y, batch);
  sk_verify_release(v, mark);
}

/* ---- Cases ---- */

static void run_call(struct sk_verify *v, const struct run *r, enum sk_conv_call call) {
  if (call == SK_CONV_CALL_ARRAYS) {
    run_plain(v, r);
  } else {
    run_tensors(v, r, call == SK_CONV_CALL_PLANAR ? SK_LAYOUT_NCHW : SK_LAYOUT_NCHW16C);
  }
}

static void run_noted(struct sk_verify *v, const struct plan_case *c, const struct run *r, enum sk_conv_call call) {
  if (sk_verify_failed(v)) return;
  *c->now = describe(r, v->options->seed, call);
  v->run = c->now;
  run_call(v, r, call);
}

/* Tensors, as this machine would do them, or both ways for Winograd, which has one way alone for groups. */
static void run_ways(struct sk_verify *v, const struct plan_case *c, const struct run *r) {
  const bool ways = sk_winograd_outputs(r->options.algorithm) != 0 && r->fixture->shape.groups == 1;
  struct run run = *r;
  for (run.way = ways ? SK_CONV_WAY_TOGETHER : SK_CONV_WAY_OF_MACHINE;
       run.way < (ways ? SK_CONV_WAYS : SK_CONV_WAY_TOGETHER); run.way++) {
    run_noted(v, c, &run, SK_CONV_CALL_TENSORS);
  }
}

/* Two threads must give the bits of one. By default they run once in a case, and for gemm only with batches, where the
 * BLAS's threads and OpenMP's wait for each other far longer than they work. */
static void run_variant(struct sk_verify *v, const struct plan_case *c, enum sk_data data, unsigned variant) {
  const bool worthwhile = c->algorithm != SK_ALGORITHM_GEMM || c->fixture->shape.batch > 1;
  const bool twice = sk_verify_exhaustive(v) || (data == SK_DATA_REALS && variant == VARIANTS - 1 && worthwhile);
  for (int threads = 1; threads <= (twice ? 2 : 1) && !sk_verify_failed(v); threads++) {
    struct run r = make_run(c->fixture, v->kernels->isa, c->algorithm, threads, data, variant);
    run_noted(v, c, &r, SK_CONV_CALL_ARRAYS);
    run_ways(v, c, &r);
    const bool planar = sk_conv_reads_planar(c->algorithm) && sk_conv_takes_planar(&c->fixture->shape);
    if (planar) run_noted(v, c, &r, SK_CONV_CALL_PLANAR);
  }
}

/* Winograd's filters are no integers, so it has no exact sums: reals only. */
static void plan_case(struct sk_verify *v, const void *parameters) {
  const struct plan_case *c = parameters;
  const bool winograd = sk_is_winograd(c->algorithm);
  prepare_fixture(v, c->fixture);
  if (sk_conv_mixes_inputs(c->algorithm) && !c->fixture->mixed[SK_DATA_REALS][c->algorithm]) {
    sk_verify_fail(v, "no magnitudes for %s: no exact matrices, or no memory", sk_algorithm_name(c->algorithm));
    return;
  }
  for (enum sk_data data = winograd ? SK_DATA_REALS : SK_DATA_INTEGERS; data < SK_DATA_KINDS; data++) {
    v->data = data;
    for (unsigned variant = VARIANTS; variant-- > 0;) {
      /* By default everything at once, except for adversarial data, and one of the other combinations in turn. */
      const bool all = variant == VARIANTS - 1 && data <= SK_DATA_REALS;
      const bool chosen = all || variant == (c->fixture->out_floats + data) % (VARIANTS - 1);
      if (!c->fixture->exact[data] || sk_verify_failed(v)) break;
      if (chosen || sk_verify_exhaustive(v)) run_variant(v, c, data, variant);
    }
  }
}

static const sk_algorithm algorithms[] = {SK_ALGORITHM_DIRECT,    SK_ALGORITHM_WINOGRAD2, SK_ALGORITHM_WINOGRAD4,
                                          SK_ALGORITHM_WINOGRAD6, SK_ALGORITHM_WINOGRAD3, SK_ALGORITHM_STRASSEN,
                                          SK_ALGORITHM_GEMM};
enum { ALGORITHMS = sizeof algorithms / sizeof algorithms[0] };

static const char *plan_group(sk_algorithm algorithm) {
  static const char *const groups[SK_ALGORITHM_COUNT] = {"",
                                                         "conv plan, direct",
                                                         "conv plan, winograd2",
                                                         "conv plan, winograd4",
                                                         "conv plan, winograd6",
                                                         "conv plan, gemm",
                                                         "conv plan, strassen",
                                                         "conv plan, winograd3"};
  return groups[algorithm];
}

static void run_shape(struct sk_verify *v, sk_algorithm algorithm, struct fixture *fixture) {
  sk_algorithm chosen;
  if (sk_conv_choose(&fixture->shape, algorithm, &chosen)) return; /* does not apply, or is not built */
  struct sk_conv_case now;
  const struct plan_case parameters = {fixture, algorithm, &now};
  const struct sk_verify_case c = {plan_group(algorithm), sk_algorithm_name(algorithm), plan_case, &parameters};
  sk_verify_run(v, &c, "conv/%s/%s", sk_algorithm_name(algorithm), fixture->name);
}

/* Shrink a layer to what a naive reference can do in a moment: its channels, tails and strides matter, not its area. */
static sk_conv_shape reduced(sk_conv_shape s, bool exhaustive) {
  const size_t channels = exhaustive ? 512 : s.kernel_height == 1 ? 192 : 96, area = exhaustive ? 29 : 13;
  if (s.groups == 1) {
    s.in_channels = sk_size_min(s.in_channels, channels);
    s.out_channels = sk_size_min(s.out_channels, channels);
  } else if (s.in_channels > channels && !exhaustive) {
    s.groups /= s.in_channels / 128 > 1 ? s.in_channels / 128 : 1; /* the channels of a group stay */
    s.in_channels = s.out_channels = 128;
  }
  s.in_height = sk_size_min(s.in_height, area * s.stride_height);
  s.in_width = sk_size_min(s.in_width, (area - 2) * s.stride_width + 1);
  return s;
}

/* batch, in channels, height, width, out channels, kernel, stride, dilation, padding top bottom left right, groups */
static const sk_conv_shape awkward_shapes[] = {
    {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},       {1, 1, 1, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 3, 5, 7, 10, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},      {2, 10, 9, 5, 17, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 17, 13, 11, 24, 3, 3, 1, 1, 1, 1, 0, 0, 0, 0, 1},   {3, 24, 6, 8, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 16, 7, 7, 1000, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},   {1, 1001, 3, 2, 17, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {1, 1000, 3, 3, 10, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},   {1, 33, 4, 4, 31, 3, 3, 1, 1, 1, 1, 2, 1, 0, 2, 1},
    {2, 20, 8, 9, 40, 3, 3, 1, 1, 1, 1, 0, 2, 3, 1, 1},     {1, 48, 14, 14, 48, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 32, 29, 31, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},   {3, 16, 7, 7, 33, 3, 3, 1, 1, 1, 1, 2, 2, 2, 2, 1},
    {1, 8, 1, 40, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},      {1, 8, 40, 1, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 17, 9, 10, 17, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1},    {2, 24, 10, 9, 20, 3, 3, 2, 1, 1, 1, 0, 1, 1, 0, 1},
    {1, 10, 11, 12, 33, 3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1},   {1, 16, 9, 9, 16, 3, 3, 1, 3, 2, 2, 2, 2, 2, 2, 1},
    {2, 18, 12, 10, 18, 3, 3, 1, 1, 2, 1, 2, 2, 1, 1, 1},   {1, 5, 13, 13, 7, 3, 3, 2, 2, 2, 2, 1, 2, 3, 0, 1},
    {1, 3, 23, 21, 64, 7, 7, 2, 2, 1, 1, 3, 3, 3, 3, 1},    {2, 4, 12, 15, 20, 7, 7, 2, 2, 1, 1, 2, 3, 3, 2, 1},
    {1, 3, 14, 14, 18, 5, 5, 1, 1, 1, 1, 2, 2, 2, 2, 1},    {1, 2, 17, 16, 34, 4, 4, 3, 3, 1, 1, 0, 1, 2, 1, 1},
    {1, 1, 28, 28, 6, 5, 5, 1, 1, 1, 1, 0, 0, 0, 0, 1},     {1, 20, 6, 30, 20, 1, 7, 1, 1, 1, 1, 0, 0, 3, 3, 1},
    {1, 20, 30, 6, 20, 7, 1, 1, 1, 1, 1, 3, 3, 0, 0, 1},    {1, 19, 8, 11, 35, 2, 5, 1, 1, 1, 2, 1, 0, 4, 4, 1},
    {2, 31, 6, 7, 32, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1},     {1, 32, 6, 7, 31, 1, 1, 1, 1, 1, 1, 1, 2, 0, 1, 1},
    {3, 40, 5, 5, 50, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},     {1, 64, 1, 1, 100, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {2, 15, 5, 6, 15, 1, 1, 3, 2, 1, 1, 0, 0, 0, 0, 1},     {1, 9, 4, 4, 20, 4, 4, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {1, 4, 7, 9, 6, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 2},       {2, 9, 8, 7, 12, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 3},
    {1, 34, 6, 6, 38, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 2},     {1, 32, 7, 5, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 2},
    {2, 48, 6, 9, 96, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 3},     {1, 64, 5, 5, 128, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 4},
    {1, 128, 7, 6, 128, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 32},  {1, 256, 6, 7, 256, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 32},
    {2, 16, 8, 8, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 16},    {1, 35, 9, 10, 35, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 35},
    {1, 20, 11, 9, 20, 5, 5, 1, 1, 2, 2, 4, 3, 2, 4, 20},   {1, 7, 9, 9, 21, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 7},
    {3, 40, 5, 6, 24, 3, 3, 1, 2, 1, 1, 0, 1, 1, 1, 8},     {1, 18, 8, 9, 6, 3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 6},
    {1, 128, 12, 12, 128, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 16, 30, 62, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
};

/*
 * Convolutions that Strassen's algorithm does: halves of one block to several, an odd number of them; one pixel, one
 * without a partner, halves of whole rows or not; two parts; strides; several strips of a batch.
 */
static const sk_conv_shape halved_shapes[] = {
    {1, 32, 1, 1, 32, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},    {2, 96, 7, 7, 96, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {1, 32, 1, 9, 64, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},    {3, 64, 12, 9, 32, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1},
    {2, 64, 11, 9, 160, 1, 1, 2, 1, 1, 1, 0, 0, 0, 0, 1},  {2, 32, 8, 15, 224, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {1, 256, 34, 17, 32, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1}, {2, 128, 13, 31, 64, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {2, 64, 36, 17, 96, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},  {1, 32, 31, 33, 64, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1},
    {1, 32, 16, 16, 32, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},  {1, 32, 17, 16, 32, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
};

/*
 * Convolutions of stride 2 that Winograd does: outputs of one tile, and of tiles that are partial down, across or both;
 * even and odd inputs; no padding, padding of 1, of 2, and another on each side; channels beyond one block and two.
 */
static const sk_conv_shape strided_shapes[] = {
    {1, 17, 3, 3, 17, 3, 3, 2, 2, 1, 1, 0, 0, 0, 0, 1},   /* one output */
    {2, 20, 8, 7, 17, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1},   /* 4x4: one tile of F(4,3) */
    {3, 33, 10, 13, 40, 3, 3, 2, 2, 1, 1, 1, 0, 1, 1, 1}, /* 5x7, nothing below */
    {2, 24, 19, 18, 31, 3, 3, 2, 2, 1, 1, 0, 0, 0, 1, 1}, /* 9x9 */
    {1, 40, 29, 28, 40, 3, 3, 2, 2, 1, 1, 0, 0, 1, 0, 1}, /* 14x14 */
    {1, 18, 6, 5, 20, 3, 3, 2, 2, 1, 1, 2, 1, 0, 2, 1},   /* 4x3 */
    {1, 24, 1, 37, 17, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1},  /* 1x19 */
    {1, 17, 38, 2, 18, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1},  /* 19x1 */
    {1, 5, 12, 12, 3, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1},   /* 6x6, one padded row and column that no tap reads */
};

/*
 * Convolutions whose groups Winograd takes, of each number of channels: one tile, tiles that are partial down, across
 * or both, in one batch, in several, and in one more of a single tile; padding on some sides; a batch of images.
 */
static const sk_conv_shape grouped_shapes[] = {
    {1, 16, 3, 3, 16, 3, 3, 1, 1, 1, 1, 0, 0, 0, 0, 4},   /* one output */
    {2, 32, 13, 11, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 8}, /* 13x11: 12 tiles */
    {1, 48, 5, 9, 48, 3, 3, 1, 1, 1, 1, 2, 1, 0, 2, 12},  /* 6x9 */
    {3, 16, 12, 10, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 2}, /* 12x10: 9 tiles */
    {1, 48, 9, 17, 48, 3, 3, 1, 1, 1, 1, 0, 2, 1, 1, 6},  /* 9x17 */
    {2, 32, 14, 14, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 2}, /* 16 tiles */
    {1, 48, 1, 37, 48, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 3},  /* 1x37 */
};

/* Shapes of many tiles, for either stride: those of a batch go apart in several blocks, those of large images of few
 * channels together in several, the last one a smaller one for every m and any number of threads. */
static const struct {
  sk_conv_shape shape;
  enum sk_conv_way way;
} tiled_shapes[] = {
    {{5, 17, 13, 13, 24, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}, SK_CONV_WAY_APART},
    {{5, 17, 17, 27, 24, 3, 3, 2, 2, 1, 1, 1, 1, 0, 0, 1}, SK_CONV_WAY_APART},
    {{1, 3, 97, 97, 33, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}, SK_CONV_WAY_TOGETHER},
    {{1, 3, 131, 132, 33, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1}, SK_CONV_WAY_TOGETHER},
};

static void name_shape(struct fixture *f) {
  const sk_conv_shape *s = &f->shape;
  snprintf(f->name, sizeof f->name, "n%zu-c%zu-%zux%zu-o%zu-k%zux%zu-s%zux%zu-d%zux%zu-p%zu-%zu-%zu-%zu-g%zu", s->batch,
           s->in_channels, s->in_height, s->in_width, s->out_channels, s->kernel_height, s->kernel_width,
           s->stride_height, s->stride_width, s->dilation_height, s->dilation_width, s->pad_top, s->pad_bottom,
           s->pad_left, s->pad_right, s->groups);
}

static void run_algorithms(struct sk_verify *v, struct fixture *fixture) {
  for (size_t a = 0; a < ALGORITHMS; a++) run_shape(v, algorithms[a], fixture);
  free_fixture(fixture);
}

/* By default the layers of networks that have every kind: basic blocks and bottlenecks, groups, small pictures. */
static bool is_chosen(const struct sk_verify *v, const char *name) {
  static const char *const networks[] = {"resnet18/", "resnet50/", "resnext50_32x4d/", "resnet20-cifar"};
  for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
    if (strncmp(name, networks[i], strlen(networks[i])) == 0) return true;
  }
  return sk_verify_exhaustive(v);
}

static void require(sk_status status) {
  if (!status) return;
  fprintf(stderr, "verify: %s\n", sk_error_message());
  exit(1);
}

/* Run the distinct shapes of the networks; the epilogue is varied with each, and reduction makes some the same. */
static void run_networks(struct sk_verify *v, const struct sk_shapes *shapes) {
  struct sk_shapes done = {0};
  for (size_t i = 0; i < shapes->count; i++) {
    struct sk_named_shape item = shapes->items[i];
    item.shape = reduced(item.shape, sk_verify_exhaustive(v));
    item.relu = item.add = false;
    if (!is_chosen(v, item.name) || sk_shapes_find_equal(&done, &item)) continue;
    require(sk_shapes_add(&done, &item));
    struct fixture fixture = {.shape = item.shape};
    snprintf(fixture.name, sizeof fixture.name, "%s", item.name);
    run_algorithms(v, &fixture);
  }
  sk_shapes_free(&done);
}

static void run_shapes(struct sk_verify *v, const sk_conv_shape *shapes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct fixture fixture = {.shape = shapes[i]};
    name_shape(&fixture);
    run_algorithms(v, &fixture);
  }
}

/* The tiles are Winograd's alone. */
static void run_tiled_shapes(struct sk_verify *v) {
  for (size_t i = 0; i < sizeof tiled_shapes / sizeof tiled_shapes[0]; i++) {
    struct fixture fixture = {.shape = tiled_shapes[i].shape};
    fixture.in_blocks[tiled_shapes[i].way] = true;
    name_shape(&fixture);
    for (size_t a = 0; a < ALGORITHMS; a++) {
      if (sk_winograd_outputs(algorithms[a])) run_shape(v, algorithms[a], &fixture);
    }
    free_fixture(&fixture);
  }
}

void sk_verify_conv_plans(struct sk_verify *v) {
  struct sk_shapes shapes = {0};
  require(sk_shapes_of_networks(&shapes));
  run_networks(v, &shapes);
  sk_shapes_free(&shapes);
  run_shapes(v, awkward_shapes, sizeof awkward_shapes / sizeof awkward_shapes[0]);
  run_shapes(v, halved_shapes, sizeof halved_shapes / sizeof halved_shapes[0]);
  run_shapes(v, strided_shapes, sizeof strided_shapes / sizeof strided_shapes[0]);
  run_shapes(v, grouped_shapes, sizeof grouped_shapes / sizeof grouped_shapes[0]);
  run_tiled_shapes(v);
}

/* ---- One run alone ---- */

struct single_case {
  struct fixture *fixture;
  const struct sk_conv_case *content;
};

/* The data of a case: given ones take the place of reals, which they are. */
static void prepare_single(struct fixture *f, const struct sk_conv_case *c) {
  const enum sk_data data = c->given ? SK_DATA_REALS : c->data;
  *f = (struct fixture){.shape = c->shape, .ready = true, .is_given = c->given != NULL};
  snprintf(f->name, sizeof f->name, "%s", c->name);
  size_fixture(f);
  if (c->given) {
    const struct sk_conv_arrays arrays = sk_conv_case_cut(c);
    f->x[data] = arrays.x;
    f->weights[data] = arrays.weights;
    f->bias[data] = arrays.bias;
    f->residual[data] = arrays.residual;
  } else {
    draw_arrays(f, c->seed, data);
  }
  compute_exact(f, data);
}

static void run_single(struct sk_verify *v, const void *parameters) {
  const struct single_case *single = parameters;
  const struct sk_conv_case *c = single->content;
  const unsigned variant = (c->bias ? WITH_BIAS : 0U) | (c->residual ? WITH_RESIDUAL : 0U) | (c->relu ? WITH_RELU : 0U);
  struct run r =
      make_run(single->fixture, v->kernels->isa, c->algorithm, c->threads, c->given ? SK_DATA_REALS : c->data, variant);
  r.side = c->side;
  r.way = c->way;
  v->data = r.data;
  run_call(v, &r, c->call);
}

bool sk_verify_conv_fails(struct sk_verify *v, const struct sk_conv_case *c) {
  struct fixture fixture;
  const struct single_case single = {&fixture, c};
  prepare_single(&fixture, c);
  const struct sk_verify_case run = {.run = run_single, .parameters = &single};
  const bool failed = sk_verify_attempt(v, &run, c->name, c->isa);
  free_fixture(&fixture);
  return failed;
}

void sk_verify_conv_case(struct sk_verify *v, const struct sk_conv_case *c) {
  struct fixture fixture;
  const struct single_case single = {&fixture, c};
  const char *algorithm = sk_algorithm_name(c->algorithm);
  const struct sk_verify_case run = {plan_group(c->algorithm), algorithm, run_single, &single};
  prepare_single(&fixture, c);
  sk_verify_run(v, &run, "conv/%s/%s", algorithm, c->name);
  free_fixture(&fixture);
}
