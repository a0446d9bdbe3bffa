/* Graphs: names and shapes of the networks' layers, what inference refuses, and which layers are fused. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resnet/fuse.h"
#include "resnet/network.h"

static struct sk_graph build(const char *model, const sk_net_options *options) {
  struct sk_graph graph = {0};
  cr_assert_eq(sk_network_build(&graph, model, options), SK_OK, "%s", sk_error_message());
  return graph;
}

static size_t find(const struct sk_graph *graph, const char *name) {
  const size_t node = sk_graph_find(graph, name);
  cr_assert_neq(node, SK_NO_NODE, "%s", name);
  return node;
}

static void expect_shape(const struct sk_graph *graph, const char *name, size_t channels, size_t height, size_t width) {
  const struct sk_node *const n = &graph->nodes[find(graph, name)];
  cr_expect(n->channels == channels && n->height == height && n->width == width,
            "%s: %zu x %zu x %zu, expected %zu x %zu x %zu", name, n->channels, n->height, n->width, channels, height,
            width);
}

static void expect_order(const struct sk_graph *graph, size_t first, const char *const *names) {
  for (size_t i = 0; names[i]; i++) {
    cr_assert_lt(first + i, graph->count);
    cr_expect_str_eq(graph->nodes[first + i].name, names[i]);
  }
}

static void expect_message(sk_status status, sk_status expected, const char *part) {
  cr_expect_eq(status, expected, "%s, expected %s", sk_status_name(status), sk_status_name(expected));
  cr_expect(strstr(sk_error_message(), part), "\"%s\" does not say \"%s\"", sk_error_message(), part);
}

/* ---- Names -------------------------------------------------------------------------------------------------- */

Test(graph, names_of_a_bottleneck_are_torchvisions) {
  struct sk_graph graph = build("resnet50", NULL);
  expect_order(&graph, 0, (const char *[]){"input", "conv1", "bn1", "relu", "maxpool", NULL});
  const char *const block[] = {"layer3.0.conv1",        "layer3.0.bn1",
                               "layer3.0.relu",         "layer3.0.conv2",
                               "layer3.0.bn2",          "layer3.0.relu_1",
                               "layer3.0.conv3",        "layer3.0.bn3",
                               "layer3.0.downsample.0", "layer3.0.downsample.1",
                               "layer3.0.add",          "layer3.0.relu_2",
                               "layer3.1.conv1",        NULL};
  expect_order(&graph, find(&graph, "layer3.0.conv1"), block);
  expect_order(&graph, find(&graph, "layer4.2.relu_2"),
               (const char *[]){"layer4.2.relu_2", "avgpool", "flatten", "fc", NULL});
  sk_graph_destroy(&graph);
}

Test(graph, names_of_a_cifar_network) {
  struct sk_graph graph = build("resnet20-cifar", NULL);
  const char *const block[] = {
      "layer2.0.shortcut", "layer2.0.conv1", "layer2.0.bn1",    "layer2.0.relu",  "layer2.0.conv2",
      "layer2.0.bn2",      "layer2.0.add",   "layer2.0.relu_1", "layer2.1.conv1", NULL};
  expect_order(&graph, find(&graph, "layer2.0.shortcut"), block);
  cr_expect_eq(find(&graph, "fc"), find(&graph, "linear"));
  sk_graph_destroy(&graph);
  graph = build("resnet20-cifar-b", NULL);
  cr_expect_eq(graph.nodes[find(&graph, "layer2.0.shortcut.0")].op, SK_NODE_CONV);
  cr_expect_eq(graph.nodes[find(&graph, "layer2.0.shortcut.1")].op, SK_NODE_BATCH_NORM);
  cr_expect_eq(sk_graph_find(&graph, "layer1.0.shortcut.0"), SK_NO_NODE);
  sk_graph_destroy(&graph);
}

Test(graph, stages_and_blocks_name_their_last_node) {
  struct sk_graph graph = build("resnet18", NULL);
  cr_expect_eq(find(&graph, "layer4"), find(&graph, "layer4.1.relu_1"));
  cr_expect_eq(find(&graph, "layer4.1"), find(&graph, "layer4.1.relu_1"));
  cr_expect_eq(find(&graph, "layer4.0"), find(&graph, "layer4.0.relu_1"));
  cr_expect_eq(sk_graph_find(&graph, "layer5"), SK_NO_NODE);
  cr_expect_eq(sk_graph_find(&graph, "layer4.2"), SK_NO_NODE);
  cr_expect_eq(sk_graph_find(&graph, ""), SK_NO_NODE);
  sk_graph_destroy(&graph);
}

Test(graph, names_are_unique_in_every_network) {
  for (size_t m = 0; m < sk_model_count(); m++) {
    sk_model_info info;
    cr_assert_eq(sk_model_at(m, &info), SK_OK);
    struct sk_graph graph = build(info.name, NULL);
    for (size_t i = 0; i < graph.count; i++) cr_expect_eq(sk_graph_find(&graph, graph.nodes[i].name), i);
    sk_graph_destroy(&graph);
  }
}

/* ---- Shapes ------------------------------------------------------------------------------------------------- */

Test(graph, shapes_at_224) {
  struct sk_graph graph = build("resnet50", NULL);
  expect_shape(&graph, "conv1", 64, 112, 112);
  expect_shape(&graph, "maxpool", 64, 56, 56);
  expect_shape(&graph, "layer1", 256, 56, 56);
  expect_shape(&graph, "layer2.0.conv1", 128, 56, 56);
  expect_shape(&graph, "layer2.0.conv2", 128, 28, 28);
  expect_shape(&graph, "layer3", 1024, 14, 14);
  expect_shape(&graph, "layer4", 2048, 7, 7);
  expect_shape(&graph, "avgpool", 2048, 1, 1);
  expect_shape(&graph, "fc", 1000, 1, 1);
  sk_graph_destroy(&graph);
}

Test(graph, version_1_strides_in_the_first_convolution) {
  struct sk_graph graph = build("resnet50", &(sk_net_options){.version = SK_RESNET_V1});
  expect_shape(&graph, "layer2.0.conv1", 128, 28, 28);
  cr_expect_eq(graph.nodes[find(&graph, "layer2.0.conv1")].conv.stride_height, 2);
  cr_expect_eq(graph.nodes[find(&graph, "layer2.0.conv2")].conv.stride_height, 1);
  sk_graph_destroy(&graph);
}

/* Sizes by torch: each halving is ceil(n / 2). */
Test(graph, shapes_of_unusual_inputs) {
  struct sk_graph graph = build("resnet18", &(sk_net_options){.in_height = 97, .in_width = 161});
  expect_shape(&graph, "conv1", 64, 49, 81);
  expect_shape(&graph, "maxpool", 64, 25, 41);
  expect_shape(&graph, "layer2", 128, 13, 21);
  expect_shape(&graph, "layer3", 256, 7, 11);
  expect_shape(&graph, "layer4", 512, 4, 6);
  sk_graph_destroy(&graph);
  graph = build("resnet18", &(sk_net_options){.in_height = 32, .in_width = 32, .classes = 3});
  expect_shape(&graph, "layer4", 512, 1, 1);
  expect_shape(&graph, "fc", 3, 1, 1);
  sk_graph_destroy(&graph);
  graph = build("resnet20-cifar", &(sk_net_options){.in_height = 33, .in_width = 47, .softmax = true});
  expect_shape(&graph, "layer2.0.shortcut", 32, 17, 24);
  expect_shape(&graph, "layer3", 64, 9, 12);
  expect_shape(&graph, "softmax", 10, 1, 1);
  sk_graph_destroy(&graph);
}

static void expect_refused(const char *model, const sk_net_options *options, const char *part) {
  struct sk_graph graph = {0};
  expect_message(sk_network_build(&graph, model, options), SK_INVALID_ARGUMENT, part);
  sk_graph_destroy(&graph);
}

Test(graph, bad_options_are_refused) {
  expect_refused("resnet51", NULL, "did you mean resnet50?");
  expect_refused("mobilenet", NULL, "resnet1202-cifar-b");
  expect_refused(NULL, NULL, "model");
  expect_refused("resnet18", &(sk_net_options){.in_height = 31}, "31");
  expect_refused("resnet18", &(sk_net_options){.in_width = 31}, "at least 32");
  expect_refused("resnet18", &(sk_net_options){.version = (sk_resnet_version)7}, "version");
  expect_refused("resnet18", &(sk_net_options){.in_height = SIZE_MAX / 2, .in_width = 64}, "");
  expect_refused("resnet18", &(sk_net_options){.in_height = SIZE_MAX}, "");
  expect_refused("resnet18", &(sk_net_options){.classes = SIZE_MAX / 8}, "");
}

/* ---- Inference of single nodes ------------------------------------------------------------------------------ */

static size_t add_input(struct sk_graph *graph, const char *name, size_t channels, size_t height, size_t width) {
  return sk_graph_add(
      graph,
      &(struct sk_node){.op = SK_NODE_INPUT, .name = name, .channels = channels, .height = height, .width = width});
}

static void expect_node_refused(struct sk_node node, const char *part) {
  struct sk_graph graph = {0};
  add_input(&graph, "a", 4, 5, 5);
  add_input(&graph, "b", 4, 5, 6);
  node.name = "probe";
  cr_expect_eq(sk_graph_add(&graph, &node), SK_NO_NODE, "%s was accepted", sk_node_op_name(node.op));
  expect_message(graph.status, SK_INVALID_ARGUMENT, part);
  cr_expect_eq(graph.count, 2);
  sk_graph_destroy(&graph);
}

Test(graph, nodes_that_do_not_fit_are_refused) {
  expect_node_refused((struct sk_node){.op = SK_NODE_ADD, .inputs = {0, 1}}, "probe");
  expect_node_refused((struct sk_node){.op = SK_NODE_ADD, .inputs = {0, 2}}, "input 2");
  expect_node_refused((struct sk_node){.op = SK_NODE_RELU, .inputs = {SK_NO_NODE}}, "probe");
  expect_node_refused((struct sk_node){.op = SK_NODE_DENSE, .channels = 3}, "height and width 1");
  expect_node_refused((struct sk_node){.op = SK_NODE_SUBSAMPLE, .channels = 2, .stride = 2}, "channels");
  expect_node_refused((struct sk_node){.op = SK_NODE_SUBSAMPLE, .channels = 7, .stride = 2}, "channels");
  expect_node_refused((struct sk_node){.op = SK_NODE_SUBSAMPLE, .channels = 8, .stride = 0}, "stride");
  expect_node_refused((struct sk_node){.op = SK_NODE_INPUT, .channels = 3, .height = 0, .width = 2}, "at least 1");
  expect_node_refused((struct sk_node){.op = SK_NODE_INPUT, .channels = 3, .height = SIZE_MAX / 2, .width = 2},
                      "overflow");
}

Test(graph, operators_of_two_inputs_that_do_not_fit_are_refused) {
  expect_node_refused((struct sk_node){.op = SK_NODE_MULTIPLY, .inputs = {0, 1}}, "equal shapes");
  expect_node_refused((struct sk_node){.op = SK_NODE_CONCAT, .inputs = {0, 1}}, "equal heights and widths");
  expect_node_refused((struct sk_node){.op = SK_NODE_CONCAT, .inputs = {0, 2}}, "input 2");
  struct sk_graph graph = {0};
  add_input(&graph, "a", 1, 1, 1);
  add_input(&graph, "b", 1, 2, 2);
  cr_expect_eq(sk_graph_add(&graph, &(struct sk_node){.op = SK_NODE_ADD, .name = "c", .inputs = {0, 1}}), SK_NO_NODE);
  expect_message(graph.status, SK_INVALID_ARGUMENT, "in the second");
  sk_graph_destroy(&graph);
}

Test(graph, bad_attributes_are_refused) {
  expect_node_refused((struct sk_node){.op = SK_NODE_CLIP, .clip = {NAN, 1}}, "clips to nan and 1");
  expect_node_refused((struct sk_node){.op = SK_NODE_CLIP, .clip = {0, NAN}}, "expected numbers");
  expect_node_refused((struct sk_node){.op = SK_NODE_BATCH_NORM, .epsilon = -1e-3}, "epsilon -0.001");
  expect_node_refused((struct sk_node){.op = SK_NODE_BATCH_NORM, .epsilon = INFINITY}, "finite");
  expect_node_refused((struct sk_node){.op = SK_NODE_BATCH_NORM, .epsilon = NAN}, "finite");
  expect_node_refused((struct sk_node){.op = SK_NODE_PAD, .pad = {.top = SIZE_MAX}}, "in range");
  expect_node_refused((struct sk_node){.op = SK_NODE_PAD, .pad = {.right = SIZE_MAX / 2}}, "overflow");
}

/* Add a node behind an input of 4 x 5 x 6 and one of 4 x 1 x 1, and expect a shape. */
static void expect_inferred(struct sk_node node, size_t channels, size_t height, size_t width) {
  struct sk_graph graph = {0};
  add_input(&graph, "a", 4, 5, 6);
  add_input(&graph, "b", 4, 1, 1);
  node.name = "probe";
  cr_assert_eq(sk_graph_add(&graph, &node), 2, "%s", sk_error_message());
  expect_shape(&graph, "probe", channels, height, width);
  sk_graph_destroy(&graph);
}

Test(graph, shapes_of_single_nodes) {
  expect_inferred((struct sk_node){.op = SK_NODE_FLATTEN}, 120, 1, 1);
  expect_inferred((struct sk_node){.op = SK_NODE_SOFTMAX}, 4, 5, 6);
  expect_inferred((struct sk_node){.op = SK_NODE_SIGMOID}, 4, 5, 6);
  expect_inferred((struct sk_node){.op = SK_NODE_CLIP, .clip = {-INFINITY, 6}}, 4, 5, 6);
  expect_inferred((struct sk_node){.op = SK_NODE_ADD, .inputs = {0, 1}}, 4, 5, 6);
  expect_inferred((struct sk_node){.op = SK_NODE_MULTIPLY, .inputs = {0, 1}}, 4, 5, 6);
  expect_inferred((struct sk_node){.op = SK_NODE_MULTIPLY, .inputs = {0, 0}}, 4, 5, 6);
  expect_inferred((struct sk_node){.op = SK_NODE_CONCAT, .inputs = {0, 0}}, 8, 5, 6);
  expect_inferred((struct sk_node){.op = SK_NODE_PAD, .pad = {1, 2, 3, 4, 0}}, 4, 8, 13);
}

static void expect_pool(struct sk_pool_shape pool, size_t height, size_t width) {
  pool.stride_height = pool.stride_width = 3;
  pool.dilation_height = pool.dilation_width = 1;
  expect_inferred((struct sk_node){.op = SK_NODE_MAX_POOL, .pool = pool}, 4, height, width);
}

/* Windows of 2 x 2, 3 apart, over 5 x 6 with pads of 1: 2 x 3 fit in 7 x 8; the third along the height would begin in
 * the padding behind, at 6. */
Test(graph, pools_round_by_the_rule_of_torch_or_of_onnx) {
  const struct sk_pool_shape pool = {
      .kernel_height = 2, .kernel_width = 2, .pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};
  struct sk_pool_shape rounded = pool;
  rounded.ceil_mode = true;
  expect_pool(pool, 2, 3);
  expect_pool(rounded, 2, 3);
  rounded.ceil_past_input = true;
  expect_pool(rounded, 3, 3);
  struct sk_pool_shape deep = pool;
  deep.kernel_height = deep.kernel_width = 3;
  deep.pad_left = deep.pad_top = 2; /* over half of the kernel */
  expect_pool(deep, 2, 3);
  deep.stride_height = deep.stride_width = deep.dilation_height = deep.dilation_width = 1;
  deep.pad_top = 3;
  expect_node_refused((struct sk_node){.op = SK_NODE_MAX_POOL, .pool = deep}, "less than the kernel");
}

Test(graph, a_failure_sticks) {
  struct sk_graph graph = {0};
  add_input(&graph, "empty", 0, 1, 1);
  cr_expect_eq(graph.status, SK_INVALID_ARGUMENT);
  cr_expect_eq(add_input(&graph, "good", 1, 1, 1), SK_NO_NODE);
  sk_graph_alias(&graph, "alias", 0);
  cr_expect(graph.count == 0 && graph.alias_count == 0);
  sk_graph_destroy(&graph);
}

Test(graph, last_uses_see_the_shortcut) {
  struct sk_graph graph = build("resnet18", NULL);
  size_t *const last = calloc(graph.count, sizeof *last);
  cr_assert_not_null(last);
  sk_graph_last_uses(&graph, last);
  cr_expect_eq(last[find(&graph, "maxpool")], find(&graph, "layer1.0.add"));
  cr_expect_eq(last[find(&graph, "layer1")], find(&graph, "layer2.0.downsample.0"));
  cr_expect_eq(last[find(&graph, "fc")], graph.count);
  free(last);
  sk_graph_destroy(&graph);
}

/* ---- Fusion ------------------------------------------------------------------------------------------------- */

/* Write the schedule as text: "conv1:conv+relu maxpool:max_pool ...". */
static void write_schedule(const struct sk_graph *graph, const char *const *taps, char *text, size_t size) {
  bool *const tapped = calloc(graph->count, sizeof *tapped);
  cr_assert_not_null(tapped);
  for (size_t i = 0; taps[i]; i++) tapped[find(graph, taps[i])] = true;
  struct sk_schedule schedule;
  cr_assert_eq(sk_schedule_make(&schedule, graph, tapped), SK_OK);
  size_t used = 0;
  for (size_t i = 0; i < schedule.count; i++) {
    const struct sk_step *const step = &schedule.steps[i];
    used += (size_t)snprintf(text + used, size - used, "%s%s:%s", i ? " " : "", graph->nodes[step->node].name,
                             sk_step_op_name(step));
    cr_assert_lt(used, size);
  }
  for (size_t i = 0; i < graph->count; i++) {
    if (tapped[i]) cr_expect_neq(schedule.value[i], SK_NO_NODE, "%s is tapped but not made", graph->nodes[i].name);
  }
  sk_schedule_destroy(&schedule);
  free(tapped);
}

/* Compare the part of a schedule that starts with a layer. */
static void expect_schedule(const char *model, const char *const *taps, const char *from, const char *expected) {
  static char text[65536];
  struct sk_graph graph = build(model, NULL);
  write_schedule(&graph, taps, text, sizeof text);
  const char *const at = strstr(text, from);
  cr_assert_not_null(at, "%s is not in %s", from, text);
  cr_expect(strncmp(at, expected, strlen(expected)) == 0, "%.200s, expected %s", at, expected);
  sk_graph_destroy(&graph);
}

static const char *const no_taps[] = {NULL};

Test(fuse, whole_blocks) {
  expect_schedule("resnet18", no_taps, "conv1:",
                  "conv1:conv+relu maxpool:max_pool layer1.0.conv1:conv+relu layer1.0.conv2:conv+add+relu "
                  "layer1.1.conv1:conv+relu");
  expect_schedule("resnet50", no_taps, "layer2.0.conv1:",
                  "layer2.0.conv1:conv+relu layer2.0.conv2:conv+relu layer2.0.conv3:conv "
                  "layer2.0.downsample.0:conv+add+relu layer2.1.conv1:conv+relu");
  expect_schedule("resnet18", no_taps, "avgpool:", "avgpool:global_average_pool fc:dense");
}

Test(fuse, the_subsampling_shortcut_comes_first) {
  expect_schedule("resnet20-cifar", no_taps, "layer2.0.shortcut:",
                  "layer2.0.shortcut:subsample layer2.0.conv1:conv+relu layer2.0.conv2:conv+add+relu "
                  "layer2.1.conv1:conv+relu");
}

Test(fuse, taps_are_barriers) {
  expect_schedule("resnet18", (const char *[]){"conv1", NULL},
                  "conv1:", "conv1:conv bn1:batch_norm+relu maxpool:max_pool");
  expect_schedule("resnet18", (const char *[]){"bn1", NULL}, "conv1:", "conv1:conv relu:relu maxpool:max_pool");
  expect_schedule("resnet18", (const char *[]){"relu", NULL}, "conv1:", "conv1:conv+relu maxpool:max_pool");
  expect_schedule("resnet18", (const char *[]){"layer1.0.bn2", NULL},
                  "layer1.0.conv2:", "layer1.0.conv2:conv layer1.0.add:add+relu layer1.1.conv1:conv+relu");
  expect_schedule("resnet18", (const char *[]){"layer1.0.add", NULL},
                  "layer1.0.conv2:", "layer1.0.conv2:conv+add layer1.0.relu_1:relu layer1.1.conv1:conv+relu");
  expect_schedule("resnet18", (const char *[]){"layer2.0.downsample.0", NULL}, "layer2.0.conv2:",
                  "layer2.0.conv2:conv layer2.0.downsample.0:conv layer2.0.downsample.1:batch_norm "
                  "layer2.0.add:add+relu");
  expect_schedule("resnet18", (const char *[]){"flatten", "layer4", NULL},
                  "layer4.1.conv2:", "layer4.1.conv2:conv+add+relu avgpool:global_average_pool fc:dense");
}

/* None of the ResNets reads a convolution's output twice; an imported graph may. */
Test(fuse, a_second_reader_is_a_barrier) {
  struct sk_graph graph = {0};
  add_input(&graph, "input", 16, 4, 4);
  const sk_conv_shape pointwise = {.out_channels = 16,
                                   .kernel_height = 1,
                                   .kernel_width = 1,
                                   .stride_height = 1,
                                   .stride_width = 1,
                                   .dilation_height = 1,
                                   .dilation_width = 1,
                                   .groups = 1};
  sk_graph_add(&graph, &(struct sk_node){.op = SK_NODE_CONV, .name = "conv", .conv = pointwise});
  sk_graph_add(&graph, &(struct sk_node){.op = SK_NODE_RELU, .name = "relu", .inputs = {1}});
  sk_graph_add(&graph, &(struct sk_node){.op = SK_NODE_ADD, .name = "add", .inputs = {1, 2}});
  cr_assert_eq(graph.status, SK_OK, "%s", sk_error_message());
  char text[256];
  write_schedule(&graph, no_taps, text, sizeof text);
  cr_expect_str_eq(text, "conv:conv relu:relu add:add");
  sk_graph_destroy(&graph);
}

/* Steps read only what earlier steps made. */
Test(fuse, operands_are_made_before_their_use) {
  for (size_t m = 0; m < sk_model_count(); m++) {
    sk_model_info info;
    cr_assert_eq(sk_model_at(m, &info), SK_OK);
    struct sk_graph graph = build(info.name, NULL);
    bool *const made = calloc(graph.count, sizeof *made);
    struct sk_schedule schedule;
    cr_assert_eq(sk_schedule_make(&schedule, &graph, made), SK_OK);
    made[0] = true;
    for (size_t i = 0; i < schedule.count; i++) {
      const struct sk_step *const step = &schedule.steps[i];
      cr_expect(made[step->input], "%s: step %zu reads too early", info.name, i);
      if (step->residual != SK_NO_NODE) cr_expect(made[step->residual], "%s: step %zu adds too early", info.name, i);
      made[step->output] = true;
    }
    cr_expect(made[graph.count - 1]);
    free(made);
    sk_schedule_destroy(&schedule);
    sk_graph_destroy(&graph);
  }
}

/* ---- Folding ------------------------------------------------------------------------------------------------ */

/* A batch norm of two channels over plain arrays. */
struct two_channels {
  struct sk_weight_tensor tensors[SK_PARAMETER_COUNT];
  struct sk_node node;
};

static void fill_two_channels(struct two_channels *t, const float values[SK_PARAMETER_COUNT][2]) {
  t->node = (struct sk_node){.op = SK_NODE_BATCH_NORM, .channels = 2, .height = 1, .width = 1};
  for (size_t i = 0; i < SK_PARAMETER_COUNT; i++) {
    t->tensors[i] = (struct sk_weight_tensor){
        .dtype = SK_DTYPE_F32, .rank = 1, .shape = {2}, .elements = 2, .bytes = 8, .data = values[i]};
    t->node.parameters[i] = &t->tensors[i];
  }
}

static const float two_channel_values[SK_PARAMETER_COUNT][2] = {[SK_PARAMETER_WEIGHT] = {2, -3},
                                                                [SK_PARAMETER_BIAS] = {1, 5},
                                                                [SK_PARAMETER_MEAN] = {0.5F, -1},
                                                                [SK_PARAMETER_VARIANCE] = {4, 0}};

Test(fuse, folding_scales_weights_and_shifts_the_bias) {
  struct two_channels t;
  fill_two_channels(&t, two_channel_values);
  float weights[6] = {1, 2, 3, 4, 5, 6};
  float bias[2] = {0, 7};
  sk_fold_batch_norm(&t.node, 3, weights, bias);
  const double scale[2] = {2 / sqrt(4 + 1e-5), -3 / sqrt(1e-5)};
  for (size_t i = 0; i < 6; i++) cr_expect_eq(weights[i], (float)((double)(i + 1) * scale[i / 3]));
  cr_expect_eq(bias[0], (float)(1 - 0.5 * scale[0]));
  cr_expect_eq(bias[1], (float)(5 + (7 + 1) * scale[1]));
}

Test(fuse, scale_and_shift_are_padded_with_zeros) {
  struct two_channels t;
  fill_two_channels(&t, two_channel_values);
  float scale[16], shift[16];
  memset(scale, 0xFF, sizeof scale);
  memset(shift, 0xFF, sizeof shift);
  sk_batch_norm_scale_shift(&t.node, scale, shift);
  cr_expect_eq(scale[0], (float)(2 / sqrt(4 + 1e-5)));
  cr_expect_eq(shift[0], (float)(1 - 0.5 * (2 / sqrt(4 + 1e-5))));
  for (size_t c = 2; c < 16; c++) cr_expect(scale[c] == 0 && shift[c] == 0);
}
