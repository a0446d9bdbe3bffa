/* What `skiplane verify --model` is made of: deviations, rankings, oracles, and that a fault is found where it is. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/verify_agreement.h"
#include "bench/verify_bounds.h"
#include "bench/verify_network.h"

/* ---- Deviations --------------------------------------------------------------------------------------------- */

Test(verify_network, deviations_know_numbers_that_are_none) {
  cr_expect_eq(sk_deviation_of(1.5F, 1.25), 0.25);
  cr_expect_eq(sk_deviation_of(NAN, NAN), 0);
  cr_expect_eq(sk_deviation_of(INFINITY, 1e300), 0, "infinite once rounded");
  cr_expect_eq(sk_deviation_of(-INFINITY, (double)INFINITY), (double)INFINITY);
  cr_expect_eq(sk_deviation_of(NAN, 1), (double)INFINITY);
  cr_expect_eq(sk_deviation_of(1, NAN), (double)INFINITY);
}

Test(verify_network, deviations_add_up) {
  const float y[] = {3, 4, 0x1p-149F, 0};
  const double exact[] = {3, 4.000000476837158203125, -0x1p-149, 0}; /* one float up; over both zeros, which are one */
  struct sk_deviation deviation = {0};
  sk_deviation_add(&deviation, y, exact, 4);
  cr_expect_eq(deviation.max_ulp, 2);
  cr_expect_float_eq(deviation.max_error, 0x1p-21, 0x1p-40);
  cr_expect_float_eq(sk_deviation_relative(&deviation), 0x1p-21 / 5, 1e-12);
  cr_expect_eq(sk_deviation_relative(&(struct sk_deviation){0}), 0);
}

/* ---- Agreement ---------------------------------------------------------------------------------------------- */

Test(verify_network, likeliest_classes_come_first) {
  const double logits[] = {1, NAN, 5, 5, -2, 7, 0, 6};
  const struct sk_top top = sk_top_of(logits, 8);
  const size_t expected[] = {5, 7, 2, 3, 0};
  cr_assert_eq(top.count, 5);
  for (size_t i = 0; i < 5; i++) cr_expect_eq(top.classes[i], expected[i], "place %zu is %zu", i, top.classes[i]);
  const struct sk_top few = sk_top_of(logits, 2);
  cr_assert_eq(few.count, 2);
  cr_expect_eq(few.classes[0], 0);
  cr_expect_eq(few.classes[1], 1, "NaN last");
}

Test(verify_network, agreement_is_on_the_first_and_on_the_set) {
  const double exact[] = {6, 5, 4, 3, 2, 1, 0}, swapped[] = {5, 6, 4, 3, 2, 1, 0}, other[] = {6, 5, 4, 3, 1, 2, 0};
  const struct sk_agreement same = sk_agreement_of(exact, exact, 7);
  const struct sk_agreement first = sk_agreement_of(swapped, exact, 7);
  const struct sk_agreement last = sk_agreement_of(other, exact, 7);
  cr_expect(same.top1 && same.top5 && same.max_difference == 0 && same.margin == 1);
  cr_expect(!first.top1 && first.top5 && first.max_difference == 1);
  cr_expect(last.top1 && !last.top5 && last.max_difference == 1);
}

/* ---- Estimates ---------------------------------------------------------------------------------------------- */

/* By hand, at 0, 1, -1: either output sums up 1 x 2 once and 3/4 x 2 twice, which is 5. */
Test(verify_network, winograd_noise_of_f2k3) {
  sk_reference_winograd winograd;
  cr_assert(sk_winograd_exact(2, 1, &winograd));
  cr_expect_float_eq(sk_winograd_noise(&winograd), 25.0 / 9, 1e-12);
}

/* ---- Networks ----------------------------------------------------------------------------------------------- */

struct opened {
  struct sk_source source;
  struct sk_network_check check;
  float *x;
};

static struct opened open_check(const char *model, const struct sk_options *wanted) {
  struct opened opened = {0};
  struct sk_options options = *wanted;
  options.model = model;
  options.seed = 1;
  cr_assert_eq(sk_source_open(&opened.source, &options, model), SK_OK, "%s", sk_error_message());
  cr_assert_eq(sk_network_check_open(&opened.check, &options, &opened.source), SK_OK, "%s", sk_error_message());
  const sk_net_info *const info = &opened.check.info;
  const size_t count = info->in_channels * info->in_height * info->in_width;
  opened.x = malloc(count * sizeof *opened.x);
  cr_assert_not_null(opened.x);
  for (size_t i = 0; i < count; i++) opened.x[i] = sinf((float)i * 1.7F);
  return opened;
}

static void close_check(struct opened *opened) {
  sk_network_check_close(&opened->check);
  sk_source_close(&opened->source);
  free(opened->x);
}

static void expect_sound(const struct sk_layer_check *layer) {
  const double actual = sk_deviation_relative(&layer->total), estimate = sk_layer_check_estimate(layer);
  cr_expect_eq(layer->faults, 0, "%s: faults", layer->info.name);
  cr_expect(layer->bound_fraction <= 1, "%s: %g of its bound", layer->info.name, layer->bound_fraction);
  cr_expect(estimate > actual / 4 && estimate < actual * 4, "%s: %g, estimated %g", layer->info.name, actual, estimate);
}

static void check_sound_network(const char *model, const struct sk_options *options) {
  struct opened opened = open_check(model, options);
  cr_assert_eq(sk_network_check_layers(&opened.check, opened.x), SK_OK, "%s", sk_error_message());
  for (size_t i = 0; i < opened.check.info.layers; i++) expect_sound(&opened.check.layers[i]);
  cr_expect_null(sk_network_check_first_fault(&opened.check));
  cr_expect_eq(sk_network_check_faults(&opened.check), 0);
  close_check(&opened);
}

/* Every kind of step: max pool and bottlenecks, groups, and the CIFAR networks' shortcut A. */
Test(verify_network, sound_layers_are_within_their_bounds_and_near_the_estimate) {
  check_sound_network("resnet20-cifar", &(struct sk_options){.algorithm = SK_ALGORITHM_WINOGRAD6});
  check_sound_network("resnet20-cifar", &(struct sk_options){.algorithm = SK_ALGORITHM_WINOGRAD2});
  check_sound_network("resnet18", &(struct sk_options){.algorithm = SK_ALGORITHM_WINOGRAD4, .height = 32, .width = 32});
  check_sound_network("resnet20-cifar-b", &(struct sk_options){.algorithm = SK_ALGORITHM_STRASSEN});
  check_sound_network("resnext50_32x4d", &(struct sk_options){.height = 32, .width = 32, .threads = 2});
}

Test(verify_network, flushed_denormals_are_within_their_bounds) {
  const struct sk_options options = {.flush_denormals = true};
  struct opened opened = open_check("resnet20-cifar", &options);
  cr_assert_eq(sk_network_check_layers(&opened.check, opened.x), SK_OK, "%s", sk_error_message());
  cr_expect_eq(sk_network_check_faults(&opened.check), 0);
  cr_expect(opened.check.info.flush_denormals);
  close_check(&opened);
}

/* Change a weight of the reference after ours are packed: the layer that has it is found, and no other one. */
Test(verify_network, a_fault_is_found_in_its_layer) {
  const struct sk_options options = {.algorithm = SK_ALGORITHM_WINOGRAD4};
  struct opened opened = open_check("resnet20-cifar", &options);
  const struct sk_weight_tensor *const tensor = sk_weights_find(opened.source.weights, "layer2.1.conv1.weight");
  cr_assert_not_null(tensor);
  float *const data = (float *)(uintptr_t)tensor->data; /* drawn, so in memory */
  data[tensor->elements - 1] += 0.01F;
  cr_assert_eq(sk_network_check_layers(&opened.check, opened.x), SK_OK, "%s", sk_error_message());
  const struct sk_layer_check *const first = sk_network_check_first_fault(&opened.check);
  cr_assert_not_null(first);
  cr_expect_str_eq(first->info.name, "layer2.1.conv1");
  cr_expect_eq(first->first.channel, 31, "the last output channel, not %zu", first->first.channel);
  cr_expect(fabs((double)first->first.value - first->first.exact) > first->first.bound);
  cr_expect_eq(sk_network_check_faults(&opened.check), 1);
  cr_expect_eq(sk_network_check_nearest(&opened.check), first);
  close_check(&opened);
}
