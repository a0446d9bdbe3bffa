/* The roofline: what is measured, and which roof binds a layer. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "bench/roof.h"
#include "dispatch/isa.h"

/* ---- What to measure ---- */

enum { KIB = 1 << 10, MIB = 1 << 20 };

static const struct sk_machine two_cores = {.caches = {{"1", "Data", 32 * KIB, 1},
                                                       {"1", "Instruction", 64 * KIB, 1},
                                                       {"2", "Unified", MIB, 1},
                                                       {"3", "Unified", 32 * MIB, 2}},
                                            .cache_count = 4};

static void expect_level(const struct sk_bandwidth *level, const char *name, size_t bytes, size_t capacity) {
  cr_expect_str_eq(level->level, name);
  cr_expect_eq(level->bytes, bytes, "%s: %zu bytes, expected %zu", name, level->bytes, bytes);
  cr_expect_eq(level->capacity, capacity, "%s: capacity %zu, expected %zu", name, level->capacity, capacity);
}

Test(bandwidth, one_thread_has_one_cache_of_each_level) {
  const struct sk_bandwidths plan = sk_bandwidth_plan(&two_cores, 1);
  cr_assert_eq(plan.count, 4);
  expect_level(&plan.levels[0], "L1", 16 * KIB, 32 * KIB);
  expect_level(&plan.levels[1], "L2", MIB / 2, MIB);
  expect_level(&plan.levels[2], "L3", 16 * MIB, 32 * MIB);
  expect_level(&plan.levels[3], "memory", 128 * MIB, SIZE_MAX);
}

Test(bandwidth, two_threads_have_two_private_caches_and_share_the_last) {
  const struct sk_bandwidths plan = sk_bandwidth_plan(&two_cores, 2);
  expect_level(&plan.levels[0], "L1", 32 * KIB, 64 * KIB);
  expect_level(&plan.levels[1], "L2", MIB, 2 * MIB);
  expect_level(&plan.levels[2], "L3", 16 * MIB, 32 * MIB);
}

Test(bandwidth, memory_is_measured_where_no_cache_is_known) {
  const struct sk_bandwidths plan = sk_bandwidth_plan(&(struct sk_machine){0}, 3);
  cr_assert_eq(plan.count, 1);
  cr_expect_str_eq(plan.levels[0].level, "memory");
  cr_expect_eq(plan.levels[0].bytes % 3, 0);
}

Test(bandwidth, large_caches_do_not_take_all_memory) {
  const struct sk_machine large = {.caches = {{"3", "Unified", (size_t)1 << 30, 64}}, .cache_count = 1};
  const struct sk_bandwidths plan = sk_bandwidth_plan(&large, 2);
  cr_expect_eq(plan.levels[0].bytes, 256 * MIB);
  cr_expect_eq(plan.levels[1].bytes, 256 * MIB);
}

Test(bandwidth, every_level_is_measured) {
  const struct sk_kernel_table *kernels = NULL;
  struct sk_bandwidths bandwidths;
  cr_assert_eq(sk_kernels_choose(SK_ISA_AUTO, &kernels), SK_OK);
  cr_assert_eq(sk_bandwidth_measure(kernels, 2, &bandwidths), SK_OK);
  cr_assert_geq(bandwidths.count, 1);
  for (size_t i = 0; i < bandwidths.count; i++)
    cr_expect(bandwidths.levels[i].gbps > 0 && isfinite(bandwidths.levels[i].gbps));
}

/* ---- Which roof binds ---- */

/* 100 GFLOP/s; 200, 100, 50 and 10 GB/s. */
static struct sk_bandwidths roofs(void) {
  struct sk_bandwidths bandwidths = sk_bandwidth_plan(&two_cores, 1);
  static const double gbps[] = {200, 100, 50, 10};
  for (size_t i = 0; i < 4; i++) bandwidths.levels[i].gbps = gbps[i];
  return bandwidths;
}

static void expect_roof(const struct sk_roof_work *work, const char *name, double microseconds) {
  const struct sk_bandwidths bandwidths = roofs();
  const struct sk_roof roof = sk_roof_find(100, &bandwidths, work);
  cr_expect_str_eq(roof.name, name);
  cr_expect_float_eq(1e6 * roof.seconds, microseconds, 1e-9, "%s allows %g us, expected %g", roof.name,
                     1e6 * roof.seconds, microseconds);
}

Test(roof, much_arithmetic_is_bound_by_compute) {
  expect_roof(&(struct sk_roof_work){50e6, 1000, 100000, 500000}, "compute", 1000);
}

Test(roof, weights_of_a_large_network_come_from_memory) {
  expect_roof(&(struct sk_roof_work){1000, 1000000, 100000, 64 * MIB}, "memory", 100);
}

Test(roof, weights_of_a_small_network_come_from_the_cache_that_holds_it) {
  expect_roof(&(struct sk_roof_work){1000, 1000000, 100000, 20 * MIB}, "L3", 20);
}

Test(roof, the_slowest_of_two_levels_binds) {
  expect_roof(&(struct sk_roof_work){1000, 1000, 1000000, 20 * MIB}, "L2", 10);
  expect_roof(&(struct sk_roof_work){1000, 1000, 2000000, 64 * MIB}, "L3", 40);
}

Test(roof, bytes_from_one_level_add_up) {
  expect_roof(&(struct sk_roof_work){1000, 1000000, 2000000, 20 * MIB}, "L3", 60);
}

Test(roof, a_cache_that_is_just_large_enough_holds_all) {
  expect_roof(&(struct sk_roof_work){0, 0, MIB, MIB}, "L2", 10.48576);
  expect_roof(&(struct sk_roof_work){0, 0, MIB + 1, MIB}, "L3", 1e-3 * (MIB + 1) / 50);
}

Test(roof, what_another_layer_wrote_has_left_l1) {
  expect_roof(&(struct sk_roof_work){0, 0, 16 * KIB, MIB}, "L2", 0.16384);
}

/* ---- What algorithms execute ---- */

static double executed_with_stride(sk_algorithm algorithm, size_t stride, size_t side) {
  const sk_layer_info layer = {
      .algorithm = algorithm, .stride = stride, .out_height = side, .out_width = side, .macs = 9 * side * side};
  return sk_executed_macs(&layer) / (double)layer.macs;
}

static double executed(sk_algorithm algorithm, size_t side) { return executed_with_stride(algorithm, 1, side); }

Test(roof, winograd_multiplies_less) {
  cr_expect_float_eq(executed(SK_ALGORITHM_DIRECT, 12), 1, 1e-12);
  cr_expect_float_eq(executed(SK_ALGORITHM_GEMM, 12), 1, 1e-12);
  cr_expect_float_eq(executed(SK_ALGORITHM_WINOGRAD2, 12), 16.0 / 36, 1e-12);
  cr_expect_float_eq(executed(SK_ALGORITHM_WINOGRAD4, 12), 36.0 / 144, 1e-12);
  cr_expect_float_eq(executed(SK_ALGORITHM_WINOGRAD6, 12), 64.0 / 324, 1e-12);
}

Test(roof, winograd_with_stride_2_multiplies_less) {
  cr_expect_float_eq(executed_with_stride(SK_ALGORITHM_DIRECT, 2, 12), 1, 1e-12);
  cr_expect_float_eq(executed_with_stride(SK_ALGORITHM_WINOGRAD2, 2, 12), 25.0 / 36, 1e-12);
  cr_expect_float_eq(executed_with_stride(SK_ALGORITHM_WINOGRAD4, 2, 12), 81.0 / 144, 1e-12);
  cr_expect_float_eq(executed_with_stride(SK_ALGORITHM_WINOGRAD4, 2, 7), 16.0 * 16 / (9 * 49), 1e-12);
  cr_expect_float_eq(executed_with_stride(SK_ALGORITHM_WINOGRAD2, 2, 7), 18.0 * 18 / (9 * 49), 1e-12);
}

/* 7 = 4 + 3 = 3 * 2 + 1 and 14 = 3 * 4 + 2 outputs; F(6,3) has whole tiles only. */
Test(roof, tiles_at_the_edge_may_be_trimmed) {
  cr_expect_float_eq(executed(SK_ALGORITHM_WINOGRAD4, 7), 11.0 * 11 / (9 * 49), 1e-12);
  cr_expect_float_eq(executed(SK_ALGORITHM_WINOGRAD4, 14), 22.0 * 22 / (9 * 196), 1e-12);
  cr_expect_float_eq(executed(SK_ALGORITHM_WINOGRAD2, 7), 15.0 * 15 / (9 * 49), 1e-12);
  cr_expect_float_eq(executed(SK_ALGORITHM_WINOGRAD6, 7), 16.0 * 16 / (9 * 49), 1e-12);
}

Test(roof, phases_multiply_less) {
  const sk_layer_info stem = {
      .algorithm = SK_ALGORITHM_WINOGRAD3, .stride = 2, .out_height = 12, .out_width = 13, .macs = 49 * 12 * 13};
  cr_expect_float_eq(sk_executed_macs(&stem) / (double)stem.macs, 36.0 * 4 * 4 * 5 / (49 * 12 * 13), 1e-12);
}

/* The half of an odd number of pixels that lacks one counts as a whole. */
Test(roof, strassen_multiplies_less) {
  cr_expect_float_eq(executed(SK_ALGORITHM_STRASSEN, 14), 7.0 / 8, 1e-12);
  cr_expect_float_eq(executed(SK_ALGORITHM_STRASSEN, 7), 7.0 / 8 * 50 / 49, 1e-12);
}

Test(roof, a_pool_multiplies_nothing) {
  cr_expect_float_eq(sk_executed_macs(&(sk_layer_info){.algorithm = SK_ALGORITHM_WINOGRAD4}), 0, 0);
}
