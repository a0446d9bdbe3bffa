/* Tuning: what is chosen by times that are known, and the plan that comes of it. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/tune.h"
#include "resnet/network.h"
#include "resnet/plan.h"

#define MODEL "resnet20-cifar"

enum { AUTO, DIRECT, WINOGRAD2, WINOGRAD4, WINOGRAD6 = WINOGRAD4 }; /* candidates, unless others are asked for */
enum { CONV1, STAGE1, STRIDE2, STAGE2, STRIDE3, STAGE3, ROWS };     /* of the network */

static struct sk_options options;
static struct sk_source source;

/* Make the networks and rows of a model. */
static struct sk_tune open_tune(const char *model, const char *candidates) {
  options = (struct sk_options){.command = "tune", .output = "a.plan", .batch = 1, .seed = 1, .candidates = candidates};
  cr_assert_eq(sk_source_open(&source, &(struct sk_options){.seed = 1}, model), SK_OK);
  return (struct sk_tune){.options = &options, .model = model, .source = &source, .threads = 1};
}

static struct sk_tune open_whole(const char *candidates) {
  struct sk_tune tune = open_tune(MODEL, candidates);
  cr_assert_eq(sk_tune_open(&tune), SK_OK, "%s", sk_error_message());
  return tune;
}

static void close_tune(struct sk_tune *tune) {
  sk_tune_free(tune);
  sk_source_close(&source);
}

/* Set the time of each layer: the same for all, but that a round may be slower as a whole, as when the machine has
 * something else to do. */
static void set_times(struct sk_tune *tune, size_t rounds) {
  tune->rounds = rounds;
  for (size_t c = 0; c < tune->candidate_count; c++) {
    tune->candidates[c].times = calloc(rounds * tune->info.layers, sizeof(double));
    cr_assert_not_null(tune->candidates[c].times);
    for (size_t i = 0; i < rounds * tune->info.layers; i++) {
      tune->candidates[c].times[i] = 1e-3 * (double)(1 + i / tune->info.layers % 3);
    }
  }
}

/* Multiply a candidate's times in a row, in even and in odd rounds. */
static void scale_rounds(struct sk_tune *tune, size_t candidate, size_t row, double even, double odd) {
  for (size_t i = 0; i < tune->rounds * tune->info.layers; i++) {
    if (tune->row_of[i % tune->info.layers] != row) continue;
    tune->candidates[candidate].times[i] *= i / tune->info.layers % 2 == 0 ? even : odd;
  }
}

static void scale(struct sk_tune *tune, size_t candidate, size_t row, double factor) {
  scale_rounds(tune, candidate, row, factor, factor);
}

static void choose(struct sk_tune *tune) { cr_assert_eq(sk_tune_choose(tune), SK_OK, "%s", sk_error_message()); }

/* ---- Rows and candidates ------------------------------------------------------------------------------------ */

Test(tune, has_a_row_for_each_shape) {
  static const size_t counts[ROWS] = {1, 6, 1, 5, 1, 5};
  struct sk_tune tune = open_whole(NULL);
  size_t layers = 0;
  cr_assert_eq(tune.row_count, ROWS);
  cr_assert_eq(tune.candidate_count, 4);
  for (size_t i = 0; i < ROWS; i++) cr_expect_eq(tune.rows[i].count, counts[i], "row %zu", i);
  for (size_t i = 0; i < tune.info.layers; i++) layers += tune.row_of[i] != SK_NO_ROW;
  cr_expect_eq(layers, 19);
  cr_expect_eq(tune.row_of[tune.info.layers - 1], SK_NO_ROW, "the dense layer is no convolution");
  close_tune(&tune);
}

Test(tune, offers_what_applies_and_is_another_algorithm) {
  struct sk_tune tune = open_whole("direct,winograd2,winograd6");
  const struct sk_tune_row *const rows = tune.rows;
  cr_expect(!rows[STRIDE2].cells[DIRECT].is_there && !rows[STRIDE2].cells[WINOGRAD6].is_there);
  cr_expect(rows[STAGE1].cells[DIRECT].is_there && rows[STAGE1].cells[WINOGRAD2].is_there &&
            rows[STAGE1].cells[WINOGRAD6].is_there);
  cr_assert_eq(rows[STAGE3].automatic, SK_ALGORITHM_WINOGRAD2);
  cr_expect(rows[STAGE3].cells[DIRECT].is_there && !rows[STAGE3].cells[WINOGRAD2].is_there &&
            rows[STAGE3].cells[WINOGRAD6].is_there);
  close_tune(&tune);
}

static void expect_list_refused(const char *candidates, const char *part) {
  struct sk_tune tune = open_tune(MODEL, candidates);
  cr_expect_eq(sk_tune_open(&tune), SK_INVALID_ARGUMENT, "%s", candidates);
  cr_expect_not_null(strstr(sk_error_message(), part), "\"%s\" lacks \"%s\"", sk_error_message(), part);
  close_tune(&tune);
}

Test(tune, takes_each_candidate_once_and_refuses_others) {
  struct sk_tune tune = open_whole("winograd6,direct,winograd6");
  cr_assert_eq(tune.candidate_count, 3);
  cr_expect_eq(tune.candidates[1].algorithm, SK_ALGORITHM_WINOGRAD6);
  cr_expect_eq(tune.candidates[2].algorithm, SK_ALGORITHM_DIRECT);
  close_tune(&tune);
  expect_list_refused("direct,winogard4", "did you mean winograd4?");
  expect_list_refused("auto", "\"auto\" is not direct");
  expect_list_refused("reference", "\"reference\" is not direct");
  expect_list_refused(",", "\",\" is not direct");
}

/* Nothing but grouped 3x3 convolutions: of F(m,3) F(4,3) alone. 1x1 ones can be halved. */
Test(tune, leaves_out_what_applies_nowhere_unless_asked) {
  struct sk_tune tune = open_tune("resnext50_32x4d", NULL);
  options.height = options.width = 32;
  cr_assert_eq(sk_tune_open(&tune), SK_OK, "%s", sk_error_message());
  cr_expect_eq(tune.candidate_count, 5);
  cr_expect_eq(tune.candidates[1].algorithm, SK_ALGORITHM_DIRECT);
  cr_expect_eq(tune.candidates[2].algorithm, SK_ALGORITHM_WINOGRAD4);
  cr_expect_eq(tune.candidates[3].algorithm, SK_ALGORITHM_STRASSEN);
  cr_expect_eq(tune.candidates[4].algorithm, SK_ALGORITHM_WINOGRAD3);
  sk_tune_free(&tune);
  tune = (struct sk_tune){.options = &options, .model = "resnext50_32x4d", .source = &source, .threads = 1};
  options.candidates = "winograd2";
  cr_expect_eq(sk_tune_open(&tune), SK_UNSUPPORTED);
  close_tune(&tune);
}

/* ---- Choosing ----------------------------------------------------------------------------------------------- */

Test(tune, chooses_what_is_faster_beyond_doubt) {
  struct sk_tune tune = open_whole(NULL);
  set_times(&tune, 12);
  scale(&tune, WINOGRAD4, STAGE3, 0.97);
  scale(&tune, DIRECT, STAGE3, 0.99);
  scale(&tune, WINOGRAD2, STAGE1, 0.8);
  choose(&tune);
  cr_expect_eq(sk_tune_algorithm(&tune, &tune.rows[STAGE3]), SK_ALGORITHM_WINOGRAD4, "the faster of two");
  cr_expect_eq(sk_tune_algorithm(&tune, &tune.rows[STAGE1]), SK_ALGORITHM_WINOGRAD2);
  cr_expect_eq(sk_tune_changes(&tune), 11);
  const struct sk_comparison *const comparison = &tune.rows[STAGE3].cells[WINOGRAD4].comparison;
  cr_expect_float_eq(comparison->ratio, 0.97, 1e-9);
  cr_expect_lt(comparison->high, 1);
  cr_expect_float_eq(tune.rows[STAGE3].cells[0].time.median, 2e-3, 1e-9);
  close_tune(&tune);
}

Test(tune, leaves_to_auto_what_is_in_doubt) {
  struct sk_tune tune = open_whole("direct,winograd2,winograd6");
  set_times(&tune, 12);
  scale_rounds(&tune, WINOGRAD6, STAGE3, 0.5, 1.1); /* a faster median, but of half of the rounds */
  scale(&tune, DIRECT, STAGE3, 1.2);
  scale(&tune, WINOGRAD6, STRIDE2, 0.1); /* where it does not apply, its network runs direct as well */
  scale(&tune, WINOGRAD2, STAGE3, 0.1);  /* what auto runs, in another network */
  choose(&tune);
  cr_expect_eq(sk_tune_changes(&tune), 0);
  cr_expect_eq(sk_tune_algorithm(&tune, &tune.rows[STAGE3]), SK_ALGORITHM_WINOGRAD2);
  cr_expect_eq(sk_tune_algorithm(&tune, &tune.rows[STRIDE2]), SK_ALGORITHM_DIRECT);
  close_tune(&tune);
}

static size_t changes_after(size_t rounds) {
  struct sk_tune tune = open_whole(NULL);
  set_times(&tune, rounds);
  scale(&tune, WINOGRAD4, STAGE3, 0.5);
  choose(&tune);
  const size_t changes = sk_tune_changes(&tune);
  close_tune(&tune);
  return changes;
}

Test(tune, needs_rounds_to_be_sure) {
  cr_expect_eq(changes_after(1), 0);
  cr_expect_eq(changes_after(SK_TUNE_LEAST_ROUNDS - 1), 0);
  cr_expect_eq(changes_after(SK_TUNE_LEAST_ROUNDS), 5);
}

/* ---- The plan as a whole ------------------------------------------------------------------------------------ */

static void expect_judged(double low, double high, size_t rounds, enum sk_verdict verdict) {
  struct sk_tune tune = open_whole(NULL);
  const bool is_slower = verdict == SK_VERDICT_SLOWER;
  set_times(&tune, 12);
  scale(&tune, WINOGRAD4, STAGE3, 0.5);
  choose(&tune);
  tune.check = (struct sk_tune_check){.rounds = rounds, .comparison = {(low + high) / 2, low, high, 0}};
  sk_tune_judge(&tune);
  cr_expect_eq(sk_tune_verdict(&tune), verdict, "%g to %g, %zu rounds", low, high, rounds);
  cr_expect_eq(tune.reverted, is_slower);
  cr_expect_eq(sk_tune_changes(&tune), is_slower ? 0 : 5);
  close_tune(&tune);
}

Test(tune, goes_back_to_auto_if_the_whole_is_slower) {
  expect_judged(0.90, 0.99, 20, SK_VERDICT_FASTER);
  expect_judged(0.98, 1.02, 20, SK_VERDICT_EQUAL);
  expect_judged(1.01, 1.10, 20, SK_VERDICT_SLOWER);
  expect_judged(1.01, 1.10, SK_TUNE_LEAST_ROUNDS - 1, SK_VERDICT_EQUAL);
  expect_judged(NAN, NAN, 0, SK_VERDICT_EQUAL);
}

/* ---- The file ----------------------------------------------------------------------------------------------- */

static void add_context(struct sk_tune *tune) { sk_context_read(&tune->context, 1, NULL); }

Test(tune, writes_a_plan_of_what_it_chose) {
  struct sk_tune tune = open_whole(NULL);
  struct sk_graph graph = {0};
  struct sk_json json;
  sk_plan *plan = NULL;
  sk_plan_info info;
  sk_algorithm algorithm;
  set_times(&tune, 12);
  add_context(&tune);
  scale(&tune, WINOGRAD4, STAGE3, 0.5);
  choose(&tune);
  sk_tune_json(&tune, &json);
  cr_assert_not(json.failed);
  char *const text = cJSON_Print(json.root);
  cr_assert_eq(sk_plan_parse(&plan, "test", text, strlen(text)), SK_OK, "%s", sk_error_message());
  cr_assert_eq(sk_network_build(&graph, MODEL, NULL), SK_OK);
  cr_assert_eq(sk_plan_check(plan, MODEL, &graph), SK_OK, "%s", sk_error_message());
  sk_plan_describe(plan, &info);
  cr_expect_eq(info.layers, 19);
  cr_expect_eq(info.isa, tune.info.isa);
  for (size_t i = 0; i < tune.info.layers; i++) {
    sk_layer_info layer;
    if (tune.row_of[i] == SK_NO_ROW || sk_net_layer(tune.candidates[0].net, i, &layer)) continue;
    const struct sk_node *const node = &graph.nodes[sk_graph_find(&graph, layer.name)];
    cr_assert_eq(sk_plan_find(plan, node, &algorithm), SK_OK);
    cr_expect_eq(algorithm, tune.row_of[i] == STAGE3 ? SK_ALGORITHM_WINOGRAD4 : layer.algorithm, "%s", layer.name);
  }
  sk_plan_close(plan);
  cJSON_free(text);
  sk_json_discard(&json);
  sk_graph_destroy(&graph);
  close_tune(&tune);
}

/* Outputs of one pixel, whose shape profiles write in another way. */
Test(tune, writes_a_plan_for_the_smallest_input) {
  struct sk_tune tune = open_tune("resnet18", "direct");
  struct sk_json json;
  sk_plan *plan = NULL;
  struct sk_graph graph = {0};
  const sk_net_options small = {.in_height = 32, .in_width = 32};
  options.height = options.width = 32;
  cr_assert_eq(sk_tune_open(&tune), SK_OK, "%s", sk_error_message());
  set_times(&tune, 1);
  add_context(&tune);
  choose(&tune);
  sk_tune_json(&tune, &json);
  char *const text = cJSON_Print(json.root);
  cr_assert_eq(sk_plan_parse(&plan, "test", text, strlen(text)), SK_OK, "%s", sk_error_message());
  cr_assert_eq(sk_network_build(&graph, "resnet18", &small), SK_OK);
  cr_expect_eq(sk_plan_check(plan, "resnet18", &graph), SK_OK, "%s", sk_error_message());
  sk_plan_close(plan);
  cJSON_free(text);
  sk_json_discard(&json);
  sk_graph_destroy(&graph);
  close_tune(&tune);
}

Test(tune, writes_what_it_measured) {
  struct sk_tune tune = open_whole(NULL);
  struct sk_json json;
  set_times(&tune, 12);
  add_context(&tune);
  scale(&tune, WINOGRAD4, STAGE3, 0.5);
  choose(&tune);
  sk_tune_json(&tune, &json);
  const cJSON *const layers = cJSON_GetObjectItem(json.root, "layers");
  const cJSON *const last = cJSON_GetArrayItem(layers, 18);
  const cJSON *const candidates = cJSON_GetObjectItem(last, "candidates");
  cr_assert_eq(cJSON_GetArraySize(candidates), 3, "auto's, direct and winograd4");
  cr_expect_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(last, "name")), "layer3.2.conv2");
  cr_expect_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(last, "auto")), "winograd2");
  cr_expect_float_eq(cJSON_GetNumberValue(cJSON_GetObjectItem(last, "median_ms")), 1, 1e-9);
  const cJSON *const chosen = cJSON_GetArrayItem(candidates, 2);
  cr_expect_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(chosen, "algorithm")), "winograd4");
  cr_expect_float_eq(cJSON_GetNumberValue(cJSON_GetObjectItem(chosen, "ratio")), 0.5, 1e-9);
  cr_expect(cJSON_IsNull(cJSON_GetObjectItem(json.root, "verification")));
  sk_json_discard(&json);
  close_tune(&tune);
}
