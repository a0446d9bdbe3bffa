/* The networks: one table, and builders that spell out He et al. (2015) in torchvision's names. */
#include <stdio.h>
#include <string.h>

#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/network.h"
#include "resnet/suggest.h"
#include "resnet/text.h"

/* ---- The table ---------------------------------------------------------------------------------------------- */

enum block_kind { BASIC, BOTTLENECK };
enum family { IMAGENET, CIFAR_A, CIFAR_B }; /* A and B: the shortcuts of He et al. (2015), section 3.3 */

struct model {
  const char *name, *description;
  enum family family;
  enum block_kind block;
  size_t blocks[4];           /* per stage; CIFAR networks have three stages */
  size_t groups, group_width; /* of a bottleneck's 3x3 convolution, as torchvision counts them */
};

/* clang-format off */
static const struct model models[] = {
    {"resnet18", "ResNet-18", IMAGENET, BASIC, {2, 2, 2, 2}, 1, 64},
    {"resnet34", "ResNet-34", IMAGENET, BASIC, {3, 4, 6, 3}, 1, 64},
    {"resnet50", "ResNet-50", IMAGENET, BOTTLENECK, {3, 4, 6, 3}, 1, 64},
    {"resnet101", "ResNet-101", IMAGENET, BOTTLENECK, {3, 4, 23, 3}, 1, 64},
    {"resnet152", "ResNet-152", IMAGENET, BOTTLENECK, {3, 8, 36, 3}, 1, 64},
    {"wide_resnet50_2", "Wide ResNet-50-2", IMAGENET, BOTTLENECK, {3, 4, 6, 3}, 1, 128},
    {"wide_resnet101_2", "Wide ResNet-101-2", IMAGENET, BOTTLENECK, {3, 4, 23, 3}, 1, 128},
    {"resnext50_32x4d", "ResNeXt-50 32x4d", IMAGENET, BOTTLENECK, {3, 4, 6, 3}, 32, 4},
    {"resnext101_32x8d", "ResNeXt-101 32x8d", IMAGENET, BOTTLENECK, {3, 4, 23, 3}, 32, 8},
    {"resnext101_64x4d", "ResNeXt-101 64x4d", IMAGENET, BOTTLENECK, {3, 4, 23, 3}, 64, 4},
    {"resnet20-cifar", "ResNet-20 for CIFAR, shortcut A", CIFAR_A, BASIC, {3, 3, 3}, 1, 64},
    {"resnet32-cifar", "ResNet-32 for CIFAR, shortcut A", CIFAR_A, BASIC, {5, 5, 5}, 1, 64},
    {"resnet44-cifar", "ResNet-44 for CIFAR, shortcut A", CIFAR_A, BASIC, {7, 7, 7}, 1, 64},
    {"resnet56-cifar", "ResNet-56 for CIFAR, shortcut A", CIFAR_A, BASIC, {9, 9, 9}, 1, 64},
    {"resnet110-cifar", "ResNet-110 for CIFAR, shortcut A", CIFAR_A, BASIC, {18, 18, 18}, 1, 64},
    {"resnet1202-cifar", "ResNet-1202 for CIFAR, shortcut A", CIFAR_A, BASIC, {200, 200, 200}, 1, 64},
    {"resnet20-cifar-b", "ResNet-20 for CIFAR, shortcut B", CIFAR_B, BASIC, {3, 3, 3}, 1, 64},
    {"resnet32-cifar-b", "ResNet-32 for CIFAR, shortcut B", CIFAR_B, BASIC, {5, 5, 5}, 1, 64},
    {"resnet44-cifar-b", "ResNet-44 for CIFAR, shortcut B", CIFAR_B, BASIC, {7, 7, 7}, 1, 64},
    {"resnet56-cifar-b", "ResNet-56 for CIFAR, shortcut B", CIFAR_B, BASIC, {9, 9, 9}, 1, 64},
    {"resnet110-cifar-b", "ResNet-110 for CIFAR, shortcut B", CIFAR_B, BASIC, {18, 18, 18}, 1, 64},
    {"resnet1202-cifar-b", "ResNet-1202 for CIFAR, shortcut B", CIFAR_B, BASIC, {200, 200, 200}, 1, 64},
};
/* clang-format on */

enum { MODEL_COUNT = sizeof models / sizeof models[0], MINIMUM_INPUT = 32 };

static size_t default_input(const struct model *model) { return model->family == IMAGENET ? 224 : 32; }
static size_t default_classes(const struct model *model) { return model->family == IMAGENET ? 1000 : 10; }
static size_t stage_count(const struct model *model) { return model->family == IMAGENET ? 4 : 3; }

static sk_status unknown_model(const char *name) {
  char names[400] = "";
  struct sk_suggestion suggestion = {.word = name};
  for (size_t i = 0; i < MODEL_COUNT; i++) sk_suggestion_consider(&suggestion, models[i].name);
  if (suggestion.nearest) {
    return sk_fail(SK_INVALID_ARGUMENT, "model \"%s\": unknown, did you mean %s?", sk_quote_short(name).text,
                   suggestion.nearest);
  }
  for (size_t i = 0, used = 0; i < MODEL_COUNT && used < sizeof names; i++) {
    const int length = snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", models[i].name);
    used += length > 0 ? (size_t)length : 0;
  }
  return sk_fail(SK_INVALID_ARGUMENT, "model \"%s\": unknown, expected one of %s", sk_quote_short(name).text, names);
}

static sk_status find_model(const char *name, const struct model **found) {
  if (!name) return sk_fail(SK_INVALID_ARGUMENT, "model: NULL, expected a name");
  for (size_t i = 0; i < MODEL_COUNT; i++) {
    *found = &models[i];
    if (strcmp(models[i].name, name) == 0) return SK_OK;
  }
  return unknown_model(name);
}

/* ---- Layers ------------------------------------------------------------------------------------------------- */

/* What is being built: the graph so far, and the place in it. */
struct builder {
  struct sk_graph *graph;
  const struct model *model;
  sk_resnet_version version;
  char prefix[32]; /* of the current block's names: "layer3.5." */
  size_t relus;    /* in the current block so far */
};

static size_t add_node(struct builder *b, const char *leaf, struct sk_node node) {
  char name[64];
  snprintf(name, sizeof name, "%s%s", b->prefix, leaf);
  node.name = name;
  return sk_graph_add(b->graph, &node);
}

static size_t add_simple(struct builder *b, enum sk_node_op op, const char *leaf, size_t x) {
  return add_node(b, leaf, (struct sk_node){.op = op, .inputs = {x}});
}

/* Add a ReLU. Calls of one module in a block are numbered as torchvision's feature extractor does: relu, relu_1 ... */
static size_t add_relu(struct builder *b, size_t x) {
  char leaf[16] = "relu";
  if (b->relus > 0) snprintf(leaf, sizeof leaf, "relu_%u", (unsigned)b->relus);
  b->relus++;
  return add_simple(b, SK_NODE_RELU, leaf, x);
}

/* What tells one square convolution of these networks from another. All are padded by half their kernel. */
struct square_conv {
  size_t outputs, kernel, stride, groups;
};

static size_t add_conv(struct builder *b, const char *leaf, size_t x, struct square_conv conv) {
  const size_t pad = conv.kernel / 2;
  const sk_conv_shape shape = {.out_channels = conv.outputs,
                               .kernel_height = conv.kernel,
                               .kernel_width = conv.kernel,
                               .stride_height = conv.stride,
                               .stride_width = conv.stride,
                               .dilation_height = 1,
                               .dilation_width = 1,
                               .pad_top = pad,
                               .pad_bottom = pad,
                               .pad_left = pad,
                               .pad_right = pad,
                               .groups = conv.groups};
  return add_node(b, leaf, (struct sk_node){.op = SK_NODE_CONV, .inputs = {x}, .conv = shape});
}

/* Add conv<number> and bn<number>. */
static size_t add_conv_bn(struct builder *b, unsigned number, size_t x, struct square_conv conv) {
  char leaf[16];
  snprintf(leaf, sizeof leaf, "conv%u", number);
  x = add_conv(b, leaf, x, conv);
  snprintf(leaf, sizeof leaf, "bn%u", number);
  return add_simple(b, SK_NODE_BATCH_NORM, leaf, x);
}

static size_t add_projection(struct builder *b, size_t x, size_t outputs, size_t stride) {
  const bool is_imagenet = b->model->family == IMAGENET;
  x = add_conv(b, is_imagenet ? "downsample.0" : "shortcut.0", x, (struct square_conv){outputs, 1, stride, 1});
  return add_simple(b, SK_NODE_BATCH_NORM, is_imagenet ? "downsample.1" : "shortcut.1", x);
}

static size_t add_subsample(struct builder *b, size_t x, size_t outputs, size_t stride) {
  return add_node(b, "shortcut",
                  (struct sk_node){.op = SK_NODE_SUBSAMPLE, .inputs = {x}, .channels = outputs, .stride = stride});
}

static size_t add_max_pool(struct builder *b, size_t x) {
  const struct sk_pool_shape pool = {.kernel_height = 3,
                                     .kernel_width = 3,
                                     .stride_height = 2,
                                     .stride_width = 2,
                                     .dilation_height = 1,
                                     .dilation_width = 1,
                                     .pad_top = 1,
                                     .pad_bottom = 1,
                                     .pad_left = 1,
                                     .pad_right = 1};
  return add_node(b, "maxpool", (struct sk_node){.op = SK_NODE_MAX_POOL, .inputs = {x}, .pool = pool});
}

/* ---- Blocks ------------------------------------------------------------------------------------------------- */

static size_t basic_branch(struct builder *b, size_t x, size_t planes, size_t stride) {
  x = add_conv_bn(b, 1, x, (struct square_conv){planes, 3, stride, 1});
  x = add_relu(b, x);
  return add_conv_bn(b, 2, x, (struct square_conv){planes, 3, 1, 1});
}

static size_t bottleneck_branch(struct builder *b, size_t x, size_t planes, size_t stride) {
  const size_t groups = b->model->groups;
  const size_t width = planes * b->model->group_width / 64 * groups;
  const bool is_v1 = b->version == SK_RESNET_V1;
  x = add_conv_bn(b, 1, x, (struct square_conv){width, 1, is_v1 ? stride : 1, 1});
  x = add_relu(b, x);
  x = add_conv_bn(b, 2, x, (struct square_conv){width, 3, is_v1 ? 1 : stride, groups});
  x = add_relu(b, x);
  return add_conv_bn(b, 3, x, (struct square_conv){planes * 4, 1, 1, 1});
}

static bool changes_shape(const struct builder *b, size_t x, size_t outputs, size_t stride) {
  return stride != 1 || b->graph->status || b->graph->nodes[x].channels != outputs;
}

/* Add a block. The subsampling goes first, so that the addition after it can be fused into the last convolution; a
 * projection is a convolution itself and stands where torch runs it. */
static size_t add_block(struct builder *b, size_t x, size_t planes, size_t stride) {
  const bool is_basic = b->model->block == BASIC;
  const size_t outputs = is_basic ? planes : planes * 4;
  const bool changes = changes_shape(b, x, outputs, stride);
  const bool subsamples = changes && b->model->family == CIFAR_A;
  b->relus = 0;

  size_t shortcut = subsamples ? add_subsample(b, x, outputs, stride) : x;
  const size_t branch = is_basic ? basic_branch(b, x, planes, stride) : bottleneck_branch(b, x, planes, stride);
  if (changes && !subsamples) shortcut = add_projection(b, x, outputs, stride);
  x = add_node(b, "add", (struct sk_node){.op = SK_NODE_ADD, .inputs = {branch, shortcut}});
  return add_relu(b, x);
}

static size_t add_stage(struct builder *b, size_t x, size_t stage) {
  const size_t planes = (b->model->family == IMAGENET ? (size_t)64 : 16) << stage;
  char name[24];
  for (size_t i = 0; i < b->model->blocks[stage]; i++) {
    snprintf(name, sizeof name, "layer%u.%u", (unsigned)stage + 1, (unsigned)i);
    snprintf(b->prefix, sizeof b->prefix, "%s.", name);
    x = add_block(b, x, planes, stage > 0 && i == 0 ? 2 : 1);
    sk_graph_alias(b->graph, name, x);
  }
  snprintf(name, sizeof name, "layer%u", (unsigned)stage + 1);
  sk_graph_alias(b->graph, name, x);
  b->prefix[0] = '\0';
  return x;
}

/* ---- Networks ----------------------------------------------------------------------------------------------- */

static size_t add_stem(struct builder *b, size_t x) {
  const bool is_imagenet = b->model->family == IMAGENET;
  const struct square_conv imagenet = {64, 7, 2, 1};
  const struct square_conv cifar = {16, 3, 1, 1};
  x = add_conv_bn(b, 1, x, is_imagenet ? imagenet : cifar);
  x = add_relu(b, x);
  return is_imagenet ? add_max_pool(b, x) : x;
}

static void add_head(struct builder *b, size_t x, size_t classes, bool softmax) {
  const bool is_imagenet = b->model->family == IMAGENET;
  x = add_simple(b, SK_NODE_GLOBAL_AVERAGE_POOL, "avgpool", x);
  x = add_simple(b, SK_NODE_FLATTEN, "flatten", x);
  x = add_node(b, is_imagenet ? "fc" : "linear",
               (struct sk_node){.op = SK_NODE_DENSE, .inputs = {x}, .channels = classes, .bias = true});
  if (!is_imagenet) sk_graph_alias(b->graph, "fc", x);
  if (softmax) add_simple(b, SK_NODE_SOFTMAX, "softmax", x);
}

static sk_status check_options(const struct model *model, const sk_net_options *options) {
  const size_t height = options->in_height ? options->in_height : default_input(model);
  const size_t width = options->in_width ? options->in_width : default_input(model);
  if (height < MINIMUM_INPUT || width < MINIMUM_INPUT) {
    return sk_fail(SK_INVALID_ARGUMENT, "input: %zu x %zu, expected at least %d x %d", height, width, MINIMUM_INPUT,
                   MINIMUM_INPUT);
  }
  if (options->version != SK_RESNET_V1_5 && options->version != SK_RESNET_V1) {
    return sk_fail(SK_INVALID_ARGUMENT, "version: %d, expected SK_RESNET_V1_5 or SK_RESNET_V1", (int)options->version);
  }
  return SK_OK;
}

static void build(struct builder *b, const sk_net_options *options) {
  const struct model *const model = b->model;
  size_t x = add_node(b, "input",
                      (struct sk_node){.op = SK_NODE_INPUT,
                                       .channels = 3,
                                       .height = options->in_height ? options->in_height : default_input(model),
                                       .width = options->in_width ? options->in_width : default_input(model)});
  x = add_stem(b, x);
  for (size_t stage = 0; stage < stage_count(model); stage++) x = add_stage(b, x, stage);
  add_head(b, x, options->classes ? options->classes : default_classes(model), options->softmax);
}

sk_status sk_network_build(struct sk_graph *graph, const char *model, const sk_net_options *options) {
  static const sk_net_options defaults = {0};
  if (!options) options = &defaults;
  struct builder builder = {.graph = graph, .version = options->version};
  sk_status status = find_model(model, &builder.model);
  if (!status) status = check_options(builder.model, options);
  if (status) return status;
  build(&builder, options);
  return graph->status;
}

/* ---- Describing --------------------------------------------------------------------------------------------- */

static sk_status describe(const struct model *model, sk_model_info *info) {
  struct sk_graph graph = {0};
  const sk_status status = sk_network_build(&graph, model->name, NULL);
  if (!status) {
    *info = (sk_model_info){.name = model->name,
                            .description = model->description,
                            .parameters = sk_graph_parameters(&graph),
                            .macs = sk_graph_macs(&graph),
                            .in_channels = 3,
                            .in_height = default_input(model),
                            .in_width = default_input(model),
                            .classes = default_classes(model),
                            .mean = {0.485F, 0.456F, 0.406F},
                            .standard_deviation = {0.229F, 0.224F, 0.225F},
                            .resize = model->family == IMAGENET ? 256 : 0};
  }
  sk_graph_destroy(&graph);
  return status;
}

size_t sk_model_count(void) { return MODEL_COUNT; }

sk_status sk_model_at(size_t index, sk_model_info *info) {
  if (index >= MODEL_COUNT) {
    return sk_fail(SK_INVALID_ARGUMENT, "model index: %zu, expected below %d", index, MODEL_COUNT);
  }
  if (!info) return sk_fail(SK_INVALID_ARGUMENT, "info: NULL");
  return describe(&models[index], info);
}

sk_status sk_model_find(const char *name, sk_model_info *info) {
  const struct model *model = NULL;
  const sk_status status = find_model(name, &model);
  if (status) return status;
  if (!info) return sk_fail(SK_INVALID_ARGUMENT, "info: NULL");
  return describe(model, info);
}
