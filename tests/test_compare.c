/* Comparisons from inside: a fast wrong backend is wrong, one that breaks is out, layers cut out of a network compute
 * what they do inside it, and totals are what they say. */
#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "bench/compare.h"
#include "bench/layer_graph.h"
#include "reference/network.h"
#include "resnet/network.h"

/* ---- Backends of the test's own --------------------------------------------------------------------------------- */

/* Runs in no time. `own` has the same task loaded. */
struct fake {
  const struct sk_task *task;
  const struct sk_contender *own;
};

static sk_status fake_load(void *instance, const struct sk_task *task) {
  ((struct fake *)instance)->task = task;
  return SK_OK;
}

static sk_status fake_run(void *instance, size_t runs, double *seconds) {
  (void)instance;
  for (size_t i = 0; i < runs; i++) seconds[i] = 1e-6;
  return SK_OK;
}

static sk_status ones(void *instance, float *y) {
  const struct sk_task *task = ((struct fake *)instance)->task;
  const size_t count = task->batch * sk_node_elements(&task->graph->nodes[task->graph->count - 1]);
  for (size_t i = 0; i < count; i++) y[i] = 1;
  return SK_OK;
}

/* All is right but for one value of the last image. */
static sk_status one_nan(void *instance, float *y) {
  const struct sk_contender *own = ((struct fake *)instance)->own;
  const struct sk_task *task = ((struct fake *)instance)->task;
  const size_t count = sk_node_elements(&task->graph->nodes[task->graph->count - 1]);
  const sk_status status = own->backend->output(own->instance, y);
  y[(task->batch - 1) * count + 5] = NAN;
  return status;
}

/* Breaks in its first round: by then it has been looked at and warmed up. */
static sk_status break_in_rounds(void *instance, size_t runs, double *seconds) {
  return runs > 1 ? SK_UNSUPPORTED : fake_run(instance, runs, seconds);
}

static atomic_bool spins;
static size_t met_spinning; /* runs that began while the thread of the one before still spun */

static void *spin(void *nothing) {
  for (const double end = sk_clock_seconds() + 0.02; sk_clock_seconds() < end;) continue;
  spins = false;
  return nothing;
}

/* Each round leaves a thread behind that spins for more work, as libraries do. */
static sk_status spin_after_rounds(void *instance, size_t runs, double *seconds) {
  pthread_t thread;
  if (runs == 1) return fake_run(instance, runs, seconds); /* to prepare */
  met_spinning += spins;
  spins = true;
  cr_assert_eq(pthread_create(&thread, NULL, spin, NULL), 0);
  pthread_detach(thread);
  return fake_run(instance, runs, seconds);
}

static double each;      /* seconds of a run, */
static size_t most_runs; /* and how many there were at a time */

/* The first of several takes a second. */
static sk_status begin_slowly(void *instance, size_t runs, double *seconds) {
  (void)instance;
  for (size_t i = 0; i < runs; i++) seconds[i] = i == 0 && runs > 1 ? 1 : each;
  most_runs = runs > most_runs ? runs : most_runs;
  return SK_OK;
}

static struct sk_shapes tiny_shapes(void) {
  struct sk_shapes shapes = {0};
  const char *text = "tiny in=16x8x8 out=16 kernel=3x3 pad=1 batch=2 relu";
  cr_assert_eq(sk_shapes_parse(&shapes, "test", text, strlen(text)), SK_OK, "%s", sk_error_message());
  return shapes;
}

/* Measure `auto` beside one backend of the test's own; its result. */
static struct sk_compare_result measure_beside(const struct sk_backend *backend, int threads) {
  struct fake fake = {0};
  const struct sk_options options = {.command = "compare", .runs = 4, .seed = 1, .threshold = 0.03};
  const struct sk_conditions conditions = {.threads = threads, .folder = ""};
  struct sk_shapes shapes = tiny_shapes();
  struct sk_compare_subject subject = {.name = "tiny", .batch = 2, .is_layer = true};
  const struct sk_compare_subjects subjects = {.items = &subject, .count = 1};
  struct sk_contenders contenders = {.count = 2};
  struct sk_compare compare = {.options = &options, .threads = threads, .column_count = 2};
  cr_assert_eq(sk_layer_graph_make(&subject.graph, &subject.weights, &shapes.items[0], 1), SK_OK);
  struct sk_contender *own = &contenders.items[0];
  cr_assert_eq(sk_contender_find(own, "auto"), SK_OK);
  cr_assert_eq(own->backend->start(&own->instance, own->backend, &conditions, own->version), SK_OK);
  contenders.items[1] = (struct sk_contender){.name = "fake", .backend = backend, .instance = &fake};
  fake.own = own;
  cr_assert_eq(sk_compare_allocate(&compare, 1), SK_OK);
  cr_assert_eq(sk_compare_measure(&compare, &subjects, &contenders, &conditions), SK_OK, "%s", sk_error_message());
  sk_compare_finish(&compare);
  cr_expect_eq(compare.targets[0].winner, 0, "the one that is right wins");
  cr_expect_lt(compare.targets[0].results[0].l2_error, 1e-6);
  const struct sk_compare_result result = compare.targets[0].results[1];
  sk_compare_free(&compare);
  sk_contenders_stop(&contenders);
  sk_graph_destroy(&subject.graph);
  sk_weights_close(subject.weights);
  sk_shapes_free(&shapes);
  return result;
}

Test(compare, fast_and_wrong_is_wrong) {
  const struct sk_backend backend = {.name = "fake", .load = fake_load, .run = fake_run, .output = ones};
  const struct sk_compare_result result = measure_beside(&backend, 1);
  cr_expect_eq(result.verdict, SK_VERDICT_WRONG, "%s", sk_verdict_name(result.verdict));
  cr_expect_gt(result.l2_error, 0.1);
  cr_expect(strstr(result.reason.text, "L2"), "%s", result.reason.text);
  cr_expect_eq(result.time.count, 4, "it is measured all the same");
}

Test(compare, nan_is_wrong) {
  const struct sk_backend backend = {.name = "fake", .load = fake_load, .run = fake_run, .output = one_nan};
  cr_expect_eq(measure_beside(&backend, 1).verdict, SK_VERDICT_WRONG);
}

Test(compare, one_that_breaks_is_out) {
  const struct sk_backend backend = {.name = "fake", .load = fake_load, .run = break_in_rounds, .output = ones};
  const struct sk_compare_result result = measure_beside(&backend, 1);
  cr_expect_eq(result.verdict, SK_VERDICT_FAILED);
  cr_expect_eq(result.time.count, 0);
}

Test(compare, begins_a_run_when_the_threads_of_the_one_before_sleep) {
  const struct sk_backend backend = {.name = "fake", .load = fake_load, .run = spin_after_rounds, .output = ones};
  cr_expect_eq(measure_beside(&backend, 2).time.count, 4);
  cr_expect_eq(met_spinning, 0);
}

Test(compare, does_not_count_the_first_of_short_runs) {
  const struct sk_backend backend = {.name = "fake", .load = fake_load, .run = begin_slowly, .output = ones};
  each = 0.01;
  cr_expect_eq(measure_beside(&backend, 1).time.median, each);
  cr_expect_eq(most_runs, 2);
  most_runs = 0;
  each = 0.2;
  cr_expect_eq(measure_beside(&backend, 1).time.median, each);
  cr_expect_eq(most_runs, 1);
}

/* ---- Names ------------------------------------------------------------------------------------------------------ */

Test(compare, names_of_our_own) {
  struct sk_contender contender;
  cr_assert_eq(sk_contender_find(&contender, "avx2/winograd6"), SK_OK);
  cr_expect(contender.backend->isa == SK_ISA_AVX2 && contender.backend->algorithm == SK_ALGORITHM_WINOGRAD6);
  cr_assert_eq(sk_contender_find(&contender, "openblas"), SK_OK);
  cr_expect(contender.backend->isa == SK_ISA_AUTO && contender.backend->algorithm == SK_ALGORITHM_GEMM);
  cr_assert_eq(sk_contender_find(&contender, "avx2/plan"), SK_OK);
  cr_expect(contender.own.is_planned && contender.own.isa == SK_ISA_AVX2);
  cr_assert_eq(sk_contender_find(&contender, "plan"), SK_OK);
  cr_expect(contender.own.is_planned && contender.own.isa == SK_ISA_AUTO);
  cr_assert_eq(sk_contender_find(&contender, "onednn"), SK_OK);
  cr_expect_not(contender.backend->is_planned);
  cr_expect_neq(contender.backend, &contender.own);
  cr_expect_eq(sk_contender_find(&contender, "onedn"), SK_INVALID_ARGUMENT);
  cr_expect(strstr(sk_error_message(), "onednn"), "%s", sk_error_message());
}

/* ---- Layers of a network ---------------------------------------------------------------------------------------- */

enum { IMAGE = 3 * 32 * 32 };

/* Outputs of the network's first convolution and of its ReLU. */
struct tap {
  const struct sk_graph *graph;
  double *relu;
};

static void keep_relu(void *user, size_t node, const double *output) {
  struct tap *tap = user;
  if (tap->relu || tap->graph->nodes[node].op != SK_NODE_RELU) return;
  const size_t bytes = sk_node_elements(&tap->graph->nodes[node]) * sizeof *output;
  tap->relu = malloc(bytes);
  cr_assert_not_null(tap->relu);
  memcpy(tap->relu, output, bytes);
}

Test(layer_graph, a_layer_computes_what_it_does_in_its_network) {
  struct sk_graph network = {0}, layer = {0};
  struct sk_schedule schedule = {0};
  sk_weights *weights = NULL;
  float x[IMAGE];
  double logits[10];
  for (size_t i = 0; i < IMAGE; i++) x[i] = (float)(i % 7) - 3;
  cr_assert_eq(sk_weights_random(&weights, "resnet20-cifar", 0, 1), SK_OK);
  cr_assert_eq(sk_network_load(&network, "resnet20-cifar", weights, NULL), SK_OK);
  bool *tapped = calloc(network.count, sizeof *tapped);
  cr_assert_eq(sk_schedule_make(&schedule, &network, tapped), SK_OK);
  cr_assert_eq(sk_layer_graph_cut(&layer, &network, &schedule.steps[0]), SK_OK, "%s", sk_error_message());
  const size_t count = sk_node_elements(&layer.nodes[layer.count - 1]);
  double *y = malloc(count * sizeof *y);
  struct tap tap = {.graph = &network};
  cr_assert_eq(sk_reference_network_run(&network, 1, x, logits, keep_relu, &tap), SK_OK);
  cr_assert_eq(sk_reference_network_run(&layer, 1, x, y, NULL, NULL), SK_OK);
  cr_expect_eq(memcmp(y, tap.relu, count * sizeof *y), 0);
  free(y);
  free(tap.relu);
  free(tapped);
  sk_schedule_destroy(&schedule);
  sk_graph_destroy(&layer);
  sk_graph_destroy(&network);
  sk_weights_close(weights);
}

/* ---- Totals ----------------------------------------------------------------------------------------------------- */

static void set_result(struct sk_compare_result *result, double seconds, double ratio) {
  result->verdict = SK_VERDICT_EQUAL;
  result->time = (struct sk_summary){.count = 6, .median = seconds};
  result->comparison = (struct sk_comparison){ratio, ratio, ratio, 0.001};
}

Test(compare, totals_sum_times_and_average_ratios) {
  const struct sk_options options = {.command = "compare", .threshold = 0.03};
  struct sk_compare compare = {.options = &options, .column_count = 2, .peaks = {100}, .peak_count = 1};
  cr_assert_eq(sk_compare_allocate(&compare, 2), SK_OK);
  for (size_t i = 0; i < 2; i++) {
    struct sk_compare_target *target = sk_compare_add(&compare, "row", "shape", 1000000000);
    set_result(&target->results[0], 1, 1);
    set_result(&target->results[1], i == 0 ? 4 : 1, i == 0 ? 4 : 1);
  }
  sk_compare_finish(&compare);
  cr_expect_eq(compare.totals[1].time.median, 5);
  cr_expect_float_eq(compare.totals[1].comparison.ratio, 2, 1e-12, "the geometric mean of 4 and 1");
  cr_expect_eq(compare.totals[1].verdict, SK_VERDICT_SLOWER);
  cr_expect_float_eq(compare.totals[1].gflops, 0.8, 1e-12);
  cr_expect_eq(compare.targets[0].winner, 0);
  sk_compare_free(&compare);
}
