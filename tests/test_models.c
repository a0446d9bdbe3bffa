/* The table of networks: published parameter and multiply-accumulate counts, and what it says of each. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "resnet/network.h"

/* Parameters as torchvision and the papers publish them; GMAC of one image, to three digits. */
struct published {
  const char *name;
  uint64_t parameters;
  double gmacs;
};

static const struct published published[] = {
    {"resnet18", 11689512, 1.814},           {"resnet34", 21797672, 3.664},
    {"resnet50", 25557032, 4.089},           {"resnet101", 44549160, 7.801},
    {"resnet152", 60192808, 11.514},         {"wide_resnet50_2", 68883240, 11.398},
    {"wide_resnet101_2", 126886696, 22.753}, {"resnext50_32x4d", 25028904, 4.230},
    {"resnext101_32x8d", 88791336, 16.414},  {"resnext101_64x4d", 83455272, 15.460},
    {"resnet20-cifar", 269722, 0.041},       {"resnet56-cifar", 853018, 0.125},
    {"resnet110-cifar", 1727962, 0.253},     {"resnet1202-cifar", 19421274, 2.829},
    {"resnet20-cifar-b", 272474, 0.041},
};

Test(models, counts_are_the_published_ones) {
  for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
    sk_model_info info;
    cr_assert_eq(sk_model_find(published[i].name, &info), SK_OK, "%s", sk_error_message());
    cr_expect_eq(info.parameters, published[i].parameters, "%s: %llu parameters", info.name,
                 (unsigned long long)info.parameters);
    cr_expect_lt(fabs((double)info.macs / 1e9 - published[i].gmacs), 0.00051, "%s: %.4f GMAC", info.name,
                 (double)info.macs / 1e9);
  }
}

/* A network of depth d has d layers with weights, projections apart: the number in its name. */
Test(models, depths_are_those_in_the_names) {
  for (size_t m = 0; m < sk_model_count(); m++) {
    sk_model_info info;
    cr_assert_eq(sk_model_at(m, &info), SK_OK);
    struct sk_graph graph = {0};
    cr_assert_eq(sk_network_build(&graph, info.name, NULL), SK_OK);
    size_t layers = 0;
    for (size_t i = 0; i < graph.count; i++) {
      const struct sk_node *const n = &graph.nodes[i];
      const bool is_projection = strstr(n->name, "downsample") || strstr(n->name, "shortcut");
      layers += (n->op == SK_NODE_CONV || n->op == SK_NODE_DENSE) && !is_projection;
    }
    size_t named = 0;
    for (const char *c = strpbrk(info.name, "0123456789"); *c >= '0' && *c <= '9'; c++) {
      named = 10 * named + (size_t)(*c - '0');
    }
    cr_expect_eq(layers, named, "%s has %zu layers", info.name, layers);
    sk_graph_destroy(&graph);
  }
}

Test(models, imagenet_and_cifar_inputs) {
  sk_model_info info;
  cr_assert_eq(sk_model_find("resnet50", &info), SK_OK);
  cr_expect(info.in_channels == 3 && info.in_height == 224 && info.in_width == 224);
  cr_expect(info.classes == 1000 && info.resize == 256);
  cr_expect(info.mean[0] == 0.485F && info.standard_deviation[2] == 0.225F);
  cr_assert_eq(sk_model_find("resnet20-cifar", &info), SK_OK);
  cr_expect(info.in_height == 32 && info.in_width == 32 && info.classes == 10 && info.resize == 0);
}

Test(models, can_be_listed_and_found) {
  cr_expect_eq(sk_model_count(), 22);
  for (size_t m = 0; m < sk_model_count(); m++) {
    sk_model_info at, found;
    cr_assert_eq(sk_model_at(m, &at), SK_OK);
    cr_assert_eq(sk_model_find(at.name, &found), SK_OK);
    cr_expect_str_eq(at.name, found.name);
    cr_expect_eq(at.macs, found.macs);
    cr_expect_gt(strlen(at.description), 0);
  }
}

Test(models, unknown_ones_are_refused) {
  sk_model_info info;
  cr_expect_eq(sk_model_at(sk_model_count(), &info), SK_INVALID_ARGUMENT);
  cr_expect_eq(sk_model_find("vgg16", &info), SK_INVALID_ARGUMENT);
  cr_expect(strstr(sk_error_message(), "vgg16") && strstr(sk_error_message(), "resnext101_64x4d"));
  cr_expect_eq(sk_model_find(NULL, &info), SK_INVALID_ARGUMENT);
  cr_expect_eq(sk_model_find("", &info), SK_INVALID_ARGUMENT);
  cr_expect_eq(sk_model_find("resnet18", NULL), SK_INVALID_ARGUMENT);
}

Test(models, classes_and_input_size_change_the_counts) {
  struct sk_graph graph = {0};
  cr_assert_eq(sk_network_build(&graph, "resnet18", &(sk_net_options){.classes = 7}), SK_OK);
  cr_expect_eq(sk_graph_parameters(&graph), 11689512 - 993 * 513);
  sk_graph_destroy(&graph);
  cr_assert_eq(sk_network_build(&graph, "resnet18", &(sk_net_options){.in_height = 448, .in_width = 448}), SK_OK);
  const uint64_t dense = 512 * 1000;
  cr_expect_eq(sk_graph_macs(&graph) - dense, 4 * (UINT64_C(1814073344) - dense));
  sk_graph_destroy(&graph);
}
