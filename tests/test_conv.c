/* Convolution plans through the public header: what they refuse, what they report, and how they run. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "skiplane.h"

static sk_conv_shape small_shape(void) {
  return (sk_conv_shape){.batch = 2,
                         .in_channels = 20,
                         .in_height = 9,
                         .in_width = 11,
                         .out_channels = 24,
                         .kernel_height = 3,
                         .kernel_width = 3,
                         .stride_height = 1,
                         .stride_width = 1,
                         .dilation_height = 1,
                         .dilation_width = 1,
                         .pad_top = 1,
                         .pad_bottom = 1,
                         .pad_left = 1,
                         .pad_right = 1,
                         .groups = 1};
}

enum { IN = 2 * 20 * 9 * 11, OUT = 2 * 24 * 9 * 11, WEIGHTS = 24 * 20 * 9 };

static void fill(float *to, size_t count) {
  for (size_t i = 0; i < count; i++) to[i] = (float)(i % 13) - 6;
}

static float weights[WEIGHTS];

static sk_conv *make_plan(const sk_conv_options *options) {
  const sk_conv_shape shape = small_shape();
  sk_conv *plan = NULL;
  fill(weights, WEIGHTS);
  cr_assert_eq(sk_conv_create(&plan, &shape, weights, NULL, options), SK_OK, "%s", sk_error_message());
  return plan;
}

static void expect_refused(const sk_conv_shape *shape, const sk_conv_options *options, sk_status status,
                           const char *part_of_message) {
  sk_conv *plan = NULL;
  cr_expect_eq(sk_conv_create(&plan, shape, weights, NULL, options), status);
  cr_expect_null(plan);
  cr_expect_not_null(strstr(sk_error_message(), part_of_message), "\"%s\" lacks \"%s\"", sk_error_message(),
                     part_of_message);
}

Test(conv, zero_sizes_are_refused_by_name) {
  sk_conv_shape shape = small_shape();
  shape.batch = 0;
  expect_refused(&shape, NULL, SK_INVALID_ARGUMENT, "batch is 0");
  shape = small_shape();
  shape.stride_width = 0;
  expect_refused(&shape, NULL, SK_INVALID_ARGUMENT, "stride_width is 0");
}

Test(conv, groups_must_divide_channels) {
  sk_conv_shape shape = small_shape();
  shape.groups = 3;
  expect_refused(&shape, NULL, SK_INVALID_ARGUMENT, "3 groups do not divide 20");
}

Test(conv, kernel_must_fit_the_padded_input) {
  sk_conv_shape shape = small_shape();
  shape.dilation_height = 6;
  expect_refused(&shape, NULL, SK_INVALID_ARGUMENT, "kernel spans 13, but the padded input has 11");
}

Test(conv, overflowing_sizes_are_refused) {
  sk_conv_shape shape = small_shape();
  shape.in_height = SIZE_MAX / 2;
  expect_refused(&shape, NULL, SK_INVALID_ARGUMENT, "too large");
  shape = small_shape();
  shape.pad_left = SIZE_MAX;
  expect_refused(&shape, NULL, SK_INVALID_ARGUMENT, "overflow");
  shape = small_shape();
  shape.batch = SIZE_MAX / 64;
  expect_refused(&shape, NULL, SK_INVALID_ARGUMENT, "too large");
}

/* The threads of a team take products by numbers of 31 bits. */
Test(conv, winograd_of_more_products_than_are_numbered_is_refused) {
  const sk_conv_options options = {.algorithm = SK_ALGORITHM_WINOGRAD4};
  sk_conv_shape shape = small_shape();
  shape.in_channels = 1;
  shape.out_channels = (size_t)INT32_MAX;
  expect_refused(&shape, &options, SK_INVALID_ARGUMENT, "products, expected at most 2147483647");
}

Test(conv, algorithm_that_does_not_apply_is_refused) {
  const sk_conv_options options = {.algorithm = SK_ALGORITHM_WINOGRAD4};
  sk_conv_shape shape = small_shape();
  shape.stride_height = 2;
  expect_refused(&shape, &options, SK_UNSUPPORTED, "winograd4 does not apply");
}

Test(conv, winograd_of_stride_2_has_tiles_of_2_and_4) {
  static const sk_algorithm applicable[] = {SK_ALGORITHM_WINOGRAD2, SK_ALGORITHM_WINOGRAD4};
  sk_conv_shape shape = small_shape();
  shape.stride_height = shape.stride_width = 2;
  for (size_t i = 0; i < sizeof applicable / sizeof *applicable; i++) {
    sk_conv *plan = NULL;
    cr_assert_eq(sk_conv_create(&plan, &shape, weights, NULL, &(sk_conv_options){.algorithm = applicable[i]}), SK_OK);
    cr_expect_eq(sk_conv_algorithm(plan), applicable[i]);
    sk_conv_destroy(plan);
  }
  const sk_conv_options options = {.algorithm = SK_ALGORITHM_WINOGRAD6};
  expect_refused(&shape, &options, SK_UNSUPPORTED, "winograd6 does not apply");
}

/* What an algorithm takes it runs. */
static void expect_taken(const sk_conv_shape *shape, sk_algorithm algorithm) {
  static const float many_weights[64 * 96];
  sk_conv *plan = NULL;
  cr_assert_eq(sk_conv_create(&plan, shape, many_weights, NULL, &(sk_conv_options){.algorithm = algorithm}), SK_OK,
               "%s", sk_error_message());
  cr_expect_eq(sk_conv_algorithm(plan), algorithm);
  sk_conv_destroy(plan);
}

Test(conv, strassen_takes_1x1_without_padding_that_has_halves) {
  const sk_conv_options options = {.algorithm = SK_ALGORITHM_STRASSEN};
  const sk_conv_shape halved = {1, 64, 5, 5, 32, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1};
  expect_taken(&halved, SK_ALGORITHM_STRASSEN);
  sk_conv_shape others[5] = {halved, halved, halved, halved, halved};
  others[0].in_channels = 48;
  others[1].out_channels = 80;
  others[2].pad_left = 1;
  others[3].groups = 2;
  others[4].kernel_width = 3;
  for (size_t i = 0; i < 5; i++) expect_refused(&others[i], &options, SK_UNSUPPORTED, "strassen does not apply");
}

Test(conv, winograd4_takes_groups_of_4_8_and_16_channels) {
  const sk_conv_options options = {.algorithm = SK_ALGORITHM_WINOGRAD4};
  const sk_conv_shape groups_of_4 = {1, 16, 5, 5, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 4};
  sk_conv_shape groups_of_8 = groups_of_4, groups_of_16 = groups_of_4;
  groups_of_8.groups = 2;
  groups_of_16.groups = 2;
  groups_of_16.in_channels = groups_of_16.out_channels = 32;
  expect_taken(&groups_of_4, SK_ALGORITHM_WINOGRAD4);
  expect_taken(&groups_of_8, SK_ALGORITHM_WINOGRAD4);
  expect_taken(&groups_of_16, SK_ALGORITHM_WINOGRAD4);
  sk_conv_shape others[5] = {groups_of_4, groups_of_4, groups_of_4, groups_of_4, groups_of_4};
  others[0].groups = 8;
  others[1].out_channels = 32;
  others[2].in_channels = others[2].out_channels = 12, others[2].groups = 3;
  others[3].stride_height = others[3].stride_width = 2;
  others[4].dilation_width = 2;
  for (size_t i = 0; i < 5; i++) expect_refused(&others[i], &options, SK_UNSUPPORTED, "winograd4 does not apply");
}

Test(conv, phases_take_7x7_of_stride_2_and_few_channels) {
  const sk_conv_options options = {.algorithm = SK_ALGORITHM_WINOGRAD3};
  const sk_conv_shape stem = {1, 4, 9, 9, 5, 7, 7, 2, 2, 1, 1, 3, 3, 3, 3, 1};
  expect_taken(&stem, SK_ALGORITHM_WINOGRAD3);
  sk_conv_shape others[4] = {stem, stem, stem, stem};
  others[0].in_channels = 5;
  others[1].kernel_height = 5;
  others[2].stride_width = 1;
  others[3].dilation_height = 2;
  for (size_t i = 0; i < 4; i++) expect_refused(&others[i], &options, SK_UNSUPPORTED, "winograd3 does not apply");
}

Test(conv, isa_that_is_missing_is_refused) {
  const sk_conv_shape shape = small_shape();
  for (int isa = SK_ISA_GENERIC; isa < SK_ISA_COUNT; isa++) {
    const sk_conv_options options = {.isa = (sk_isa)isa};
    if (!sk_isa_available((sk_isa)isa)) expect_refused(&shape, &options, SK_UNSUPPORTED, sk_isa_name((sk_isa)isa));
  }
}

Test(conv, negative_threads_and_null_are_refused) {
  const sk_conv_options options = {.threads = -1};
  const sk_conv_shape shape = small_shape();
  expect_refused(&shape, &options, SK_INVALID_ARGUMENT, "threads: -1");
  expect_refused(NULL, NULL, SK_INVALID_ARGUMENT, "NULL");
}

Test(conv, run_checks_its_pointers) {
  sk_conv *plan = make_plan(NULL);
  static float x[IN], y[OUT];
  char *workspace = sk_alloc(sk_conv_workspace_bytes(plan) + SK_ALIGNMENT);
  cr_assert_not_null(workspace);
  cr_expect_eq(sk_conv_run(plan, x, NULL, y, NULL), SK_INVALID_ARGUMENT);
  cr_expect_eq(sk_conv_run(plan, NULL, NULL, y, workspace), SK_INVALID_ARGUMENT);
  cr_expect_eq(sk_conv_run(plan, x, NULL, y, workspace + 4), SK_INVALID_ARGUMENT);
  cr_expect_eq(sk_conv_run(plan, x, y, y, workspace), SK_INVALID_ARGUMENT, "a residual that was not planned");
  cr_expect_eq(sk_conv_run(plan, x, NULL, y, workspace), SK_OK);
  sk_free(workspace);
  sk_conv_destroy(plan);
}

Test(conv, plan_tells_what_it_chose) {
  sk_conv *plan = make_plan(NULL);
  cr_expect_neq(sk_conv_isa(plan), SK_ISA_AUTO);
  cr_expect_neq(sk_conv_algorithm(plan), SK_ALGORITHM_AUTO);
  cr_expect_geq(sk_conv_weight_bytes(plan), sizeof weights);
  sk_conv_destroy(plan);
}

/* One of several threads that share a plan, each with a workspace and an output of its own. */
struct runner {
  const sk_conv *plan;
  const float *x;
  float *y;
};

static void *run_often(void *argument) {
  const struct runner *runner = argument;
  void *workspace = sk_alloc(sk_conv_workspace_bytes(runner->plan));
  for (int i = 0; workspace && i < 50; i++) {
    memset(runner->y, 0xff, OUT * sizeof *runner->y);
    if (sk_conv_run(runner->plan, runner->x, NULL, runner->y, workspace)) return NULL;
  }
  sk_free(workspace);
  return argument;
}

static void expect_shareable(sk_algorithm algorithm) {
  enum { RUNNERS = 3 };
  const sk_conv_options options = {.algorithm = algorithm, .threads = 2};
  sk_conv *plan = make_plan(&options);
  static float x[IN], y[RUNNERS][OUT];
  fill(x, IN);
  struct runner runners[RUNNERS];
  pthread_t threads[RUNNERS];
  for (size_t i = 0; i < RUNNERS; i++) {
    runners[i] = (struct runner){plan, x, y[i]};
    cr_assert_eq(pthread_create(&threads[i], NULL, run_often, &runners[i]), 0);
  }
  for (size_t i = 0; i < RUNNERS; i++) {
    void *finished;
    cr_assert_eq(pthread_join(threads[i], &finished), 0);
    cr_expect_not_null(finished);
    cr_expect_arr_eq(y[i], y[0], sizeof y[0], "%s: thread %zu has other bits", sk_algorithm_name(algorithm), i);
  }
  sk_conv_destroy(plan);
}

Test(conv, threads_share_a_plan) {
  expect_shareable(SK_ALGORITHM_DIRECT);
  expect_shareable(SK_ALGORITHM_WINOGRAD2);
  expect_shareable(SK_ALGORITHM_WINOGRAD4);
  expect_shareable(SK_ALGORITHM_WINOGRAD6);
}

Test(isa, names_round_trip) {
  for (int i = 0; i < SK_ISA_COUNT; i++) {
    sk_isa isa;
    cr_expect_eq(sk_isa_parse(sk_isa_name((sk_isa)i), &isa), SK_OK);
    cr_expect_eq((int)isa, i);
  }
  sk_isa isa;
  cr_expect_eq(sk_isa_parse("sse9", &isa), SK_INVALID_ARGUMENT);
  cr_expect_not_null(strstr(sk_error_message(), "sse9"));
}

Test(isa, algorithm_names_round_trip) {
  for (int i = 0; i < SK_ALGORITHM_COUNT; i++) {
    sk_algorithm algorithm;
    cr_expect_eq(sk_algorithm_parse(sk_algorithm_name((sk_algorithm)i), &algorithm), SK_OK);
    cr_expect_eq((int)algorithm, i);
  }
}

Test(isa, environment_narrows_the_choice) {
  sk_isa isa;
  setenv("SKIPLANE_ISA", "generic", 1);
  cr_expect_eq(sk_isa_choose(SK_ISA_AUTO, &isa), SK_OK);
  cr_expect_eq(isa, SK_ISA_GENERIC);
  setenv("SKIPLANE_ISA", "avx1024", 1);
  cr_expect_eq(sk_isa_choose(SK_ISA_AUTO, &isa), SK_INVALID_ARGUMENT, "never a silent fallback");
  cr_expect_not_null(strstr(sk_error_message(), "SKIPLANE_ISA=avx1024"));
#if defined(__x86_64__)
  setenv("SKIPLANE_ISA", "neon", 1);
#else
  setenv("SKIPLANE_ISA", "avx2", 1);
#endif
  cr_expect_eq(sk_isa_choose(SK_ISA_AUTO, &isa), SK_UNSUPPORTED);
  setenv("SKIPLANE_ISA", "", 1);
  cr_expect_eq(sk_isa_choose(SK_ISA_AUTO, &isa), SK_OK);
}
