#include "bench/verify_given.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/memory.h"
#include "bench/shapes.h"
#include "bench/verify_bounds.h"
#include "dispatch/conv.h"
#include "dispatch/isa.h"
#include "dispatch/status.h"
#include "reference/reference.h"
#include "resnet/file.h"
#include "resnet/text.h"

/* ---- The arrays ----------------------------------------------------------------------------------------------- */

/* The dimensions that an array must have; ANY: whatever comes. */
enum { ANY = 0 };
struct expectation {
  const char *shape; /* "[batch][in_channels][in_height][in_width]" */
  size_t rank;
  const char *names[4];
  size_t sizes[4];
};

/* Read an array and hold its shape against what is expected, which is so for a convolution as printed (or NULL). */
static sk_status read_array(struct sk_npy *array, const char *path, const struct expectation *e, const char *reason) {
  const sk_status status = sk_npy_read(array, path);
  if (status) return status;
  if (array->rank != e->rank) {
    return sk_fail(SK_BAD_FORMAT, "%s: %zu dimensions, expected %zu: %s", sk_quote(path).text, array->rank, e->rank,
                   e->shape);
  }
  for (size_t i = 0; i < e->rank; i++) {
    if (e->sizes[i] == ANY ? array->shape[i] > 0 : array->shape[i] == e->sizes[i]) continue;
    if (e->sizes[i] == ANY)
      return sk_fail(SK_BAD_FORMAT, "%s: %s is 0, expected 1 or more", sk_quote(path).text, e->names[i]);
    return sk_fail(SK_BAD_FORMAT, "%s: dimension %zu (%s) is %zu, expected %zu %s", sk_quote(path).text, i, e->names[i],
                   array->shape[i], e->sizes[i], reason);
  }
  return SK_OK;
}

static sk_status read_input(struct sk_given *g) {
  const struct expectation x = {"[batch][in_channels][in_height][in_width]",
                                4,
                                {"batch", "in_channels", "in_height", "in_width"},
                                {ANY, ANY, ANY, ANY}};
  const sk_status status = read_array(&g->x, g->options->x, &x, NULL);
  sk_conv_shape *s = &g->conv.shape;
  if (status) return status;
  *s = g->options->conv;
  s->batch = g->x.shape[0];
  s->in_channels = g->x.shape[1];
  s->in_height = g->x.shape[2];
  s->in_width = g->x.shape[3];
  if (s->in_channels % s->groups == 0) return SK_OK;
  return sk_fail(SK_BAD_FORMAT, "%s: in_channels is %zu, expected a multiple of --groups %zu",
                 sk_quote(g->options->x).text, s->in_channels, s->groups);
}

static sk_status read_weights(struct sk_given *g) {
  sk_conv_shape *s = &g->conv.shape;
  const struct expectation w = {"[out_channels][in_channels/groups][kernel_height][kernel_width]",
                                4,
                                {"out_channels", "in_channels/groups", "kernel_height", "kernel_width"},
                                {ANY, s->in_channels / s->groups, ANY, ANY}};
  char reason[120];
  snprintf(reason, sizeof reason, "for in_channels %zu in %zu group%s", s->in_channels, s->groups,
           s->groups > 1 ? "s" : "");
  const sk_status status = read_array(&g->weights, g->options->w, &w, reason);
  if (status) return status;
  s->out_channels = g->weights.shape[0];
  s->kernel_height = g->weights.shape[2];
  s->kernel_width = g->weights.shape[3];
  if (s->out_channels % s->groups == 0) return SK_OK;
  return sk_fail(SK_BAD_FORMAT, "%s: out_channels is %zu, expected a multiple of --groups %zu",
                 sk_quote(g->options->w).text, s->out_channels, s->groups);
}

/* Those whose shapes the convolution settles. */
static sk_status read_others(struct sk_given *g) {
  const sk_conv_shape *s = &g->conv.shape;
  const struct sk_named_shape named = {.name = "a convolution", .shape = *s};
  const struct expectation y = {"[batch][out_channels][out_height][out_width]",
                                4,
                                {"batch", "out_channels", "out_height", "out_width"},
                                {s->batch, s->out_channels, g->conv.out_height, g->conv.out_width}};
  const struct expectation b = {"[out_channels]", 1, {"out_channels"}, {s->out_channels}};
  char reason[560];
  snprintf(reason, sizeof reason, "for %s", sk_shape_print(&named).text);
  sk_status status = read_array(&g->y, g->options->y, &y, reason);
  if (!status && g->options->b) status = read_array(&g->bias, g->options->b, &b, reason);
  if (!status && g->options->residual) status = read_array(&g->residual, g->options->residual, &y, reason);
  return status;
}

static sk_status read_arrays(struct sk_given *g) {
  sk_status status = read_input(g);
  if (!status) status = read_weights(g);
  if (!status) status = sk_conv_output_size(&g->conv.shape, &g->conv.out_height, &g->conv.out_width);
  if (!status) status = sk_conv_case_check(&g->conv.shape, SK_ALGORITHM_DIRECT);
  if (!status) status = read_others(g);
  g->conv.x = g->x.data;
  g->conv.weights = g->weights.data;
  g->conv.bias = g->bias.data;
  g->conv.residual = g->residual.data;
  g->floats = g->y.elements;
  return status;
}

/* ---- The reference -------------------------------------------------------------------------------------------- */

static void *allocate(size_t count, size_t size) {
  void *memory = sk_alloc(count * size);
  if (memory) return memory;
  fprintf(stderr, "verify: out of memory\n");
  exit(1);
}

/* NULL for an array that is not there. */
static double *to_double(const struct sk_npy *array) {
  if (!array->data) return NULL;
  double *real = allocate(array->elements, sizeof *real);
  for (size_t i = 0; i < array->elements; i++) real[i] = (double)array->data[i];
  return real;
}

static void compute_reference(struct sk_given *g) {
  double *x = to_double(&g->x), *weights = to_double(&g->weights), *bias = to_double(&g->bias);
  g->exact = allocate(g->floats, sizeof(double));
  g->magnitude = allocate(g->floats, sizeof(double));
  sk_reference_conv(&g->conv.shape, x, weights, bias, g->exact, g->magnitude);
  for (size_t i = 0; g->residual.data && i < g->floats; i++) {
    g->exact[i] += (double)g->residual.data[i];
    g->magnitude[i] += fabs((double)g->residual.data[i]);
  }
  if (g->options->relu) sk_reference_relu(g->floats, g->exact, g->exact);
  sk_free(x);
  sk_free(weights);
  sk_free(bias);
}

static double largest_of(const struct sk_npy *array) {
  double largest = 0;
  for (size_t i = 0; i < array->elements; i++) largest = fmax(largest, fabs((double)array->data[i]));
  return largest;
}

/* What the bound of an algorithm that mixes inputs is relative to; NULL if there are no exact matrices. */
static double *mixed_magnitude(const struct sk_given *g, sk_algorithm algorithm, double *underflow) {
  const sk_conv_shape *s = &g->conv.shape;
  double *x = to_double(&g->x), *weights = to_double(&g->weights);
  double *magnitude = allocate(g->floats, sizeof *magnitude);
  const bool known = sk_conv_magnitude(s, algorithm, x, weights, magnitude);
  *underflow = sk_conv_underflow(s, algorithm, largest_of(&g->x), largest_of(&g->weights));
  for (size_t i = 0; known && i < g->floats; i++) {
    const size_t channel = i / g->conv.out_width / g->conv.out_height % s->out_channels;
    magnitude[i] += sk_conv_bias_magnitude(s, algorithm, g->bias.data, channel);
    if (g->residual.data) magnitude[i] += fabs((double)g->residual.data[i]);
  }
  sk_free(x);
  sk_free(weights);
  if (known) return magnitude;
  sk_free(magnitude);
  return NULL;
}

/* ---- Comparing ------------------------------------------------------------------------------------------------ */

/* What an algorithm's result may be off by. */
struct bound {
  const double *magnitude; /* what the bound is relative to, by element */
  size_t roundings;
  double underflow; /* what underflow in an algorithm that mixes inputs adds */
  bool spreads;     /* NaN and infinity may reach other outputs, as they do within a tile of Winograd */
};

/* Error over bound of one value; where sums may overflow, nothing is known. */
static double fraction_of(float value, double exact, double magnitude, double bound, bool spreads) {
  if (spreads && !isfinite(magnitude)) return 0;
  if (isnan(exact)) return isnan(value) ? 0 : INFINITY;
  if (!isfinite(magnitude)) return (double)value == exact ? 0 : INFINITY;
  if (magnitude > (double)FLT_MAX) return 0;
  const double error = fabs((double)value - exact);
  return isnan(error) ? INFINITY : error / bound;
}

static struct sk_closeness closeness_of(const struct sk_given *given, const float *y, const struct bound *b) {
  struct sk_closeness c = {.bound_fraction = -1};
  double squares = 0, norm = 0;
  for (size_t i = 0; i < given->floats; i++) {
    const double exact = given->exact[i], bound = sk_rounding_bound(b->roundings, b->magnitude[i]) + b->underflow;
    const double fraction = fraction_of(y[i], exact, b->magnitude[i], bound, b->spreads);
    if (fraction > c.bound_fraction) {
      c = (struct sk_closeness){fraction, c.max_error, 0, 0, c.max_ulp, c.wrong_kind, i, y[i], exact, bound};
    }
    if (isfinite(y[i]) && isfinite(exact)) {
      const double error = fabs((double)y[i] - exact);
      const uint32_t ulp = isfinite((float)exact) ? sk_ulp_distance(y[i], (float)exact) : UINT32_MAX;
      c.max_error = fmax(c.max_error, error);
      c.max_ulp = ulp > c.max_ulp ? ulp : c.max_ulp;
      squares += error * error;
      norm += exact * exact;
    } else {
      c.wrong_kind += fraction > 1;
    }
  }
  c.rms_error = sqrt(squares / (double)given->floats);
  c.l2_error = squares > 0 ? sqrt(squares / norm) : 0;
  return c;
}

static void judge_theirs(struct sk_given *g) {
  struct sk_given_result *r = &g->results[g->count++];
  const double tolerance = g->options->tolerance;
  const struct bound bound = {.magnitude = g->magnitude,
                              .roundings = sk_conv_roundings(&g->conv.shape, SK_ALGORITHM_DIRECT)};
  r->closeness = closeness_of(g, g->y.data, &bound);
  r->passed = tolerance > 0 ? r->closeness.wrong_kind == 0 && r->closeness.l2_error <= tolerance
                            : r->closeness.bound_fraction <= 1;
}

/* ---- Ours ----------------------------------------------------------------------------------------------------- */

static sk_status convolve(const struct sk_given *g, const struct sk_given_result *r, float *y) {
  sk_conv *plan = NULL;
  const sk_conv_options options = {.isa = r->isa,
                                   .algorithm = r->algorithm,
                                   .threads = g->options->threads,
                                   .residual = g->residual.data != NULL,
                                   .relu = g->options->relu,
                                   .max_bytes = sk_memory_most(g->options)};
  sk_status status = sk_conv_create(&plan, &g->conv.shape, g->conv.weights, g->conv.bias, &options);
  if (status) return status;
  void *workspace = allocate(sk_conv_workspace_bytes(plan), 1);
  status = sk_conv_run(plan, g->conv.x, g->conv.residual, y, workspace);
  sk_free(workspace);
  sk_conv_destroy(plan);
  return status;
}

static char *reduce(const struct sk_given *g, const struct sk_given_result *r) {
  const struct sk_conv_case failed = {.name = "given",
                                      .isa = r->isa,
                                      .algorithm = r->algorithm,
                                      .threads = sk_threads_choose(g->options->threads),
                                      .shape = g->conv.shape,
                                      .bias = g->bias.data != NULL,
                                      .residual = g->residual.data != NULL,
                                      .relu = g->options->relu,
                                      .given = &g->conv,
                                      .seed = SK_VERIFY_SEED};
  const struct sk_verify_options options = {.case_folder = g->options->case_folder};
  return sk_verify_reduce_alone(&options, &failed);
}

/* An algorithm on one ISA. */
static sk_status judge_ours(struct sk_given *g, sk_isa isa, sk_algorithm algorithm, const struct bound *bound) {
  struct sk_given_result *r = &g->results[g->count];
  *r = (struct sk_given_result){.ours = true, .isa = isa, .algorithm = algorithm};
  float *y = allocate(g->floats, sizeof *y);
  const sk_status status = convolve(g, r, y);
  if (!status) {
    g->count++;
    r->closeness = closeness_of(g, y, bound);
    r->passed = r->closeness.bound_fraction <= 1;
    if (!r->passed) r->case_path = reduce(g, r);
  }
  sk_free(y);
  return status;
}

/* Without --isa, and without SKIPLANE_ISA, all that this CPU has. */
static sk_status judge_algorithm(struct sk_given *g, sk_algorithm algorithm) {
  const char *environment = getenv("SKIPLANE_ISA");
  const bool mixes = sk_conv_mixes_inputs(algorithm);
  struct bound bound = {.roundings = sk_conv_roundings(&g->conv.shape, algorithm), .spreads = mixes};
  double *mixed = mixes ? mixed_magnitude(g, algorithm, &bound.underflow) : NULL;
  bound.magnitude = mixes ? mixed : g->magnitude;
  if (!bound.magnitude) {
    return sk_fail(SK_UNSUPPORTED, "%s: no exact matrices, or no memory", sk_algorithm_name(algorithm));
  }
  sk_isa chosen = SK_ISA_AUTO;
  const bool all = g->options->isa == SK_ISA_AUTO && (!environment || !*environment);
  sk_status status = all ? SK_OK : sk_isa_choose(g->options->isa, &chosen);
  if (!status && !all) status = judge_ours(g, chosen, algorithm, &bound);
  for (unsigned i = SK_ISA_AUTO + 1; all && !status && i < SK_ISA_COUNT; i++) {
    if (sk_isa_available((sk_isa)i)) status = judge_ours(g, (sk_isa)i, algorithm, &bound);
  }
  sk_free(mixed);
  return status;
}

/* Every algorithm that applies, or the one that was asked for. */
static sk_status judge_algorithms(struct sk_given *g) {
  sk_algorithm chosen;
  sk_status status = SK_OK;
  if (sk_options_has(g->options, SK_ACCEPT(ALGO))) {
    status = sk_conv_choose(&g->conv.shape, g->options->algorithm, &chosen);
    return status ? status : judge_algorithm(g, chosen);
  }
  for (unsigned a = SK_ALGORITHM_DIRECT; a < SK_ALGORITHM_COUNT && !status; a++) {
    if (!sk_conv_choose(&g->conv.shape, (sk_algorithm)a, &chosen)) status = judge_algorithm(g, chosen);
  }
  return status;
}

/* ---- The command ---------------------------------------------------------------------------------------------- */

static void release(struct sk_given *g) {
  struct sk_npy *const arrays[] = {&g->x, &g->weights, &g->bias, &g->residual, &g->y};
  for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) sk_npy_free(arrays[i]);
  for (size_t i = 0; i < g->count; i++) free(g->results[i].case_path);
  sk_free(g->exact);
  sk_free(g->magnitude);
}

static sk_status check(struct sk_given *g) {
  sk_status status = sk_file_check_writable(g->options->json_path);
  if (!status) status = read_arrays(g);
  if (status) return status;
  compute_reference(g);
  judge_theirs(g);
  status = judge_algorithms(g);
  return status ? status : sk_given_report(g);
}

enum sk_exit sk_verify_given(const struct sk_options *options) {
  struct sk_given given = {.options = options};
  bool passed = true;
  const sk_status status = check(&given);
  for (size_t i = 0; i < given.count; i++) passed = passed && given.results[i].passed;
  release(&given);
  if (status) return sk_fail_status(options, status);
  return passed ? SK_EXIT_SUCCESS : SK_EXIT_FAILURE;
}
