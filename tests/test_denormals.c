/* Denormals: exact unless asked otherwise, then zero on every thread of a run and on none after it. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "dispatch/denormals.h"
#include "dispatch/isa.h"
#include "dispatch/ops.h"
#include "resnet/net.h"

enum { THREADS = 4 };

static bool cannot_flush(void) {
  if (sk_denormals_can_flush()) return false;
  fprintf(stderr, "SKIPPED: this CPU is of a kind whose denormals cannot be flushed\n");
  return true;
}

/* Number of threads of a team that flush. */
static int flushing_threads(void) {
  int count = 0;
#pragma omp parallel num_threads(THREADS) reduction(+ : count)
  count += sk_denormals_are_flushed();
  return count;
}

/* ---- One convolution ---------------------------------------------------------------------------------------- */

enum { CHANNELS = 64, SIDE = 24, PIXELS = SIDE * SIDE, BATCH = 2, VALUES = BATCH * CHANNELS * PIXELS };

static float *filled(size_t count, float value) {
  float *values = malloc(count * sizeof *values);
  cr_assert_not_null(values);
  for (size_t i = 0; i < count; i++) values[i] = value;
  return values;
}

static sk_conv_shape shape_of(size_t kernel, size_t groups) {
  return (sk_conv_shape){.batch = BATCH,
                         .in_channels = CHANNELS,
                         .in_height = SIDE,
                         .in_width = SIDE,
                         .out_channels = CHANNELS,
                         .kernel_height = kernel,
                         .kernel_width = kernel,
                         .stride_height = 1,
                         .stride_width = 1,
                         .dilation_height = 1,
                         .dilation_width = 1,
                         .pad_top = kernel / 2,
                         .pad_bottom = kernel / 2,
                         .pad_left = kernel / 2,
                         .pad_right = kernel / 2,
                         .groups = groups};
}

/* Number of outputs that are not zero, with the same value in all inputs and in all weights. */
static size_t count_results(const sk_conv_shape *shape, const sk_conv_options *options, float x, float w) {
  float *const in = filled(VALUES, x), *const y = filled(VALUES, NAN);
  float *const weights = filled(CHANNELS * CHANNELS * 9, w);
  sk_conv *plan = NULL;
  size_t count = 0;
  cr_assert_eq(sk_conv_create(&plan, shape, weights, NULL, options), SK_OK, "%s", sk_error_message());
  void *const workspace = sk_alloc(sk_conv_workspace_bytes(plan));
  cr_assert_not_null(workspace);
  cr_assert_eq(sk_conv_run(plan, in, NULL, y, workspace), SK_OK, "%s", sk_error_message());
  for (size_t i = 0; i < VALUES; i++) {
    uint32_t bits; /* a comparison would call a denormal zero if this thread flushed */
    memcpy(&bits, &y[i], sizeof bits);
    count += bits << 1 != 0;
  }
  sk_conv_destroy(plan);
  sk_free(workspace);
  free(weights);
  free(in);
  free(y);
  return count;
}

static void check_conv(const sk_conv_shape *shape, sk_isa isa, sk_algorithm algorithm) {
  static const float operands[][2] = {{0x1p-140F, 1}, {1, 0x1p-140F}, {0x1p-80F, 0x1p-60F}}; /* input, weight, result */
  sk_conv_options options = {.isa = isa, .algorithm = algorithm, .threads = THREADS};
  for (size_t i = 0; i < sizeof operands / sizeof operands[0]; i++) {
    options.flush_denormals = false;
    cr_expect_eq(count_results(shape, &options, operands[i][0], operands[i][1]), VALUES, "%s, %s, operands %zu: lost",
                 sk_isa_name(isa), sk_algorithm_name(algorithm), i);
    options.flush_denormals = true;
    cr_expect_eq(count_results(shape, &options, operands[i][0], operands[i][1]), 0, "%s, %s, operands %zu: not flushed",
                 sk_isa_name(isa), sk_algorithm_name(algorithm), i);
    cr_expect_eq(flushing_threads(), 0, "%s, %s: threads still flush", sk_isa_name(isa), sk_algorithm_name(algorithm));
  }
}

Test(denormals, every_convolution_flushes_on_all_of_its_threads) {
  const sk_conv_shape plain = shape_of(3, 1), grouped = shape_of(3, 16);
  if (cannot_flush()) return;
  for (int isa = SK_ISA_GENERIC; isa < SK_ISA_COUNT; isa++) {
    if (!sk_isa_available((sk_isa)isa)) continue;
    check_conv(&plain, (sk_isa)isa, SK_ALGORITHM_DIRECT);
    check_conv(&plain, (sk_isa)isa, SK_ALGORITHM_WINOGRAD2);
    check_conv(&grouped, (sk_isa)isa, SK_ALGORITHM_DIRECT);
  }
}

Test(denormals, a_caller_that_flushes_goes_on) {
  const sk_conv_shape shape = shape_of(1, 1);
  if (cannot_flush()) return;
  for (int wanted = 0; wanted < 2; wanted++) {
    const sk_conv_options options = {.threads = 1, .flush_denormals = wanted == 1};
    const uint64_t before = sk_denormals_enter(true);
    count_results(&shape, &options, 1, 1);
    const bool flushed = sk_denormals_are_flushed();
    sk_denormals_leave(true, before);
    cr_expect(flushed, "wanted %d: the caller's mode was lost", wanted);
    cr_expect_not(sk_denormals_are_flushed());
  }
}

Test(denormals, flushing_does_not_reach_the_blas) {
  const sk_conv_shape shape = shape_of(1, 1);
  const sk_conv_options options = {.algorithm = SK_ALGORITHM_GEMM, .flush_denormals = true};
  static float weights[CHANNELS * CHANNELS];
  sk_conv *plan = NULL;
  cr_expect_eq(sk_conv_create(&plan, &shape, weights, NULL, &options), SK_UNSUPPORTED);
  cr_expect_null(plan);
}

/* ---- Other operators ---------------------------------------------------------------------------------------- */

/* A tensor of one value. Its halo is none, so that every float of it counts. */
static struct sk_tensor tensor_of(size_t channels, size_t side, float value) {
  struct sk_tensor tensor = {.channels = channels, .height = side, .width = side};
  const size_t floats = BATCH * sk_tensor_image(&tensor);
  tensor.data = sk_alloc(floats * sizeof(float));
  cr_assert_not_null(tensor.data);
  for (size_t i = 0; i < floats; i++) tensor.data[i] = value;
  return tensor;
}

static bool is_zero(const struct sk_tensor *tensor) {
  for (size_t i = 0; i < BATCH * sk_tensor_image(tensor); i++) {
    if (tensor->data[i] != 0) return false;
  }
  return true;
}

static bool is_nowhere_zero(const struct sk_tensor *tensor) {
  for (size_t i = 0; i < BATCH * sk_tensor_image(tensor); i++) {
    if (tensor->data[i] == 0) return false;
  }
  return true;
}

static void expect_result(struct sk_engine engine, const struct sk_tensor *y, const char *operator) {
  cr_expect(engine.flush_denormals ? is_zero(y) : is_nowhere_zero(y), "%s, %s: %s", operator,
            sk_isa_name(engine.kernels->isa), engine.flush_denormals ? "not flushed" : "lost");
  cr_expect_eq(flushing_threads(), 0, "%s: threads still flush", operator);
}

static void check_planes(struct sk_engine engine) {
  static const struct sk_pool_shape pool = {2, 2, 2, 2, 1, 1, 0, 0, 0, 0, false, false, false};
  const struct sk_tensor x = tensor_of(CHANNELS, 8, 0x1p-140F), y = tensor_of(CHANNELS, 8, 1);
  const struct sk_tensor half = tensor_of(CHANNELS, 4, 1), one = tensor_of(CHANNELS, 1, 1);
  float scale[CHANNELS], shift[CHANNELS];
  for (size_t i = 0; i < CHANNELS; i++) scale[i] = 1;
  memset(shift, 0, sizeof shift);
  sk_op_add(engine, false, BATCH, &x, &x, &y);
  expect_result(engine, &y, "add");
  sk_op_batch_norm(engine, false, BATCH, &x, scale, shift, &y);
  expect_result(engine, &y, "batch norm");
  sk_op_average_pool(engine, &pool, BATCH, &x, &half);
  expect_result(engine, &half, "average pool");
  sk_op_global_average_pool(engine, BATCH, &x, &one);
  expect_result(engine, &one, "global average pool");
  sk_free(x.data);
  sk_free(y.data);
  sk_free(half.data);
  sk_free(one.data);
}

static void check_head(struct sk_engine engine) {
  const struct sk_tensor x = tensor_of(CHANNELS, 1, 0x1p-140F), y = tensor_of(CHANNELS, 1, 1);
  float *const weights = filled(CHANNELS * CHANNELS, 1);
  struct sk_dense dense;
  cr_assert_eq(sk_dense_create(&dense, CHANNELS, CHANNELS, weights, NULL, NULL), SK_OK);
  sk_op_dense(engine, &dense, BATCH, &x, &y);
  expect_result(engine, &y, "dense");
  for (size_t i = 0; i < BATCH * CHANNELS; i++) x.data[i] = i % CHANNELS == 0 ? 0 : -95; /* e^-95 is denormal */
  sk_op_softmax(engine, BATCH, &x, &y);
  for (size_t n = 0; n < BATCH; n++) sk_tensor_at(&y, n, 0)[0] -= engine.flush_denormals; /* 1 by itself */
  expect_result(engine, &y, "softmax");
  sk_dense_destroy(&dense);
  sk_free(x.data);
  sk_free(y.data);
  free(weights);
}

Test(denormals, every_operator_flushes_on_all_of_its_threads) {
  if (cannot_flush()) return;
  for (int isa = SK_ISA_GENERIC; isa < SK_ISA_COUNT; isa++) {
    struct sk_engine engine = {.threads = THREADS};
    if (!sk_isa_available((sk_isa)isa) || sk_kernels_choose((sk_isa)isa, &engine.kernels)) continue;
    for (int flush = 0; flush < 2; flush++) {
      engine.flush_denormals = flush == 1;
      check_planes(engine);
      check_head(engine);
    }
  }
}

/* ---- Networks ----------------------------------------------------------------------------------------------- */

/* Two 1x1 convolutions of weight 2^-70: 1 becomes 2^-140 x 16. */
static size_t add_conv(struct sk_graph *graph, size_t input, const sk_weights *weights) {
  struct sk_node node = {.op = SK_NODE_CONV, .name = input ? "second" : "first", .inputs = {input}};
  node.conv = (sk_conv_shape){.out_channels = 4,
                              .kernel_height = 1,
                              .kernel_width = 1,
                              .stride_height = 1,
                              .stride_width = 1,
                              .dilation_height = 1,
                              .dilation_width = 1,
                              .groups = 1};
  node.parameters[SK_PARAMETER_WEIGHT] = sk_weights_find(weights, "weight");
  return sk_graph_add(graph, &node);
}

static float run_small_net(bool flush, sk_net_info *info) {
  static const size_t shape[] = {4, 4, 1, 1};
  const sk_net_options options = {.threads = THREADS, .flush_denormals = flush};
  struct sk_graph graph = {0};
  sk_weights *weights = NULL;
  sk_net *net = NULL;
  float *data = NULL, x[4] = {1, 1, 1, 1}, y[4] = {NAN};
  cr_assert_eq(sk_weights_new(&weights), SK_OK);
  cr_assert_eq(sk_weights_add(weights, "weight", 4, shape, &data), SK_OK);
  for (size_t i = 0; i < 16; i++) data[i] = 0x1p-70F;
  sk_graph_add(&graph, &(struct sk_node){.op = SK_NODE_INPUT, .name = "x", .channels = 4, .height = 1, .width = 1});
  add_conv(&graph, add_conv(&graph, 0, weights), weights);
  cr_assert_eq(graph.status, SK_OK, "%s", sk_error_message());
  cr_assert_eq(sk_net_create_from_graph(&net, "two", &graph, &options), SK_OK, "%s", sk_error_message());
  sk_net_describe(net, info);
  void *const workspace = sk_alloc(info->workspace_bytes);
  cr_assert_eq(sk_net_run(net, 1, x, y, workspace), SK_OK, "%s", sk_error_message());
  sk_free(workspace);
  sk_net_destroy(net);
  sk_weights_close(weights);
  return y[0];
}

Test(denormals, a_network_flushes_only_if_asked) {
  sk_net_info info;
  if (cannot_flush()) return;
  cr_expect_eq(run_small_net(false, &info), 0x1p-136F);
  cr_expect_not(info.flush_denormals);
  cr_expect_eq(run_small_net(true, &info), 0);
  cr_expect(info.flush_denormals);
  cr_expect_eq(flushing_threads(), 0);
}
