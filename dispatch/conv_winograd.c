/*
 * Winograd convolution F(m,3): transform a block of tiles, multiply at each of alpha^2 points, transform back.
 *
 * The multiplication at one point is a 1x1 convolution over tiles, run by the direct kernel. Threads divide the planes
 * and points of one block of tiles between them, so each reads its share of the transformed weights only. Source: Lavin
 * and Gray (2016), "Fast Algorithms for Convolutional Neural Networks".
 */
#include "dispatch/conv_internal.h"
#include "dispatch/status.h"
#include "dispatch/winograd_filter.h"

static bool applies(const sk_conv_shape *s) {
  return s->kernel_height == 3 && s->kernel_width == 3 && s->stride_height == 1 && s->stride_width == 1 &&
         s->dilation_height == 1 && s->dilation_width == 1 && s->groups == 1;
}

static size_t outputs_per_side(const sk_conv *plan) { return plan->method->winograd_outputs; }

static size_t point_count(const sk_conv *plan) {
  const size_t alpha = outputs_per_side(plan) + 2;
  return alpha * alpha;
}

static sk_winograd_input_fn *input_kernel(const sk_conv *plan) {
  const struct sk_kernel_table *k = plan->kernels;
  const size_t m = outputs_per_side(plan);
  return m == 2 ? k->winograd_input_f2k3 : m == 4 ? k->winograd_input_f4k3 : k->winograd_input_f6k3;
}

static sk_winograd_output_fn *output_kernel(const sk_conv *plan) {
  const struct sk_kernel_table *k = plan->kernels;
  const size_t m = outputs_per_side(plan);
  return m == 2 ? k->winograd_output_f2k3 : m == 4 ? k->winograd_output_f4k3 : k->winograd_output_f6k3;
}

/* Floats of the weights of one point: [panel][input channel][blocks of the panel][16]. */
static size_t weights_per_point(const sk_conv_shape *s) {
  return sk_blocks(s->out_channels) * SK_BLOCK * s->in_channels;
}

static sk_status pack_weights(sk_conv *plan, const float *weights) {
  const sk_conv_shape *s = &plan->shape;
  const size_t m = outputs_per_side(plan), points = point_count(plan), tile = plan->kernels->tile_blocks;
  const size_t blocks = sk_blocks(s->out_channels);
  const sk_status status = sk_conv_allocate_weights(plan, points, blocks * SK_BLOCK, s->in_channels);
  if (status) return status;
  double g[8][3];
  sk_winograd_filter_matrix(m, g);
  for (size_t k = 0; k < s->out_channels; k++) {
    const size_t block = k / SK_BLOCK, panel = block / tile, side = sk_size_min(tile, blocks - panel * tile);
    for (size_t c = 0; c < s->in_channels; c++) {
      float u[64];
      sk_winograd_filter_transform(m, g, weights + (k * s->in_channels + c) * 9, u);
      float *to = plan->weights + panel * tile * SK_BLOCK * s->in_channels + (c * side + block % tile) * SK_BLOCK +
                  k % SK_BLOCK;
      for (size_t p = 0; p < points; p++) to[p * weights_per_point(s)] = u[p];
    }
  }
  return SK_OK;
}

static size_t tile_count(const sk_conv *plan, size_t batch) {
  const size_t m = outputs_per_side(plan);
  return batch * sk_size_divide_up(plan->out_height, m) * sk_size_divide_up(plan->out_width, m);
}

/*
 * Choose how many tiles to transform at a time, in whole register tiles: as many as keep the transformed tiles and
 * their products near half a megabyte, what an L2 cache holds beside the weights that stream through it; or as large as
 * the weights, up to two megabytes: those are read again for each block of tiles, from farther away than the tiles
 * would be.
 */
static size_t choose_tile_block(const sk_conv *plan) {
  const size_t register_tile = 14, half_a_mebibyte = (size_t)512 * 1024;
  const size_t weight_bytes = point_count(plan) * weights_per_point(&plan->shape) * sizeof(float);
  const size_t budget = sk_size_min(sk_size_max(weight_bytes, half_a_mebibyte), 4 * half_a_mebibyte);
  const size_t planes = sk_blocks(plan->shape.in_channels) + sk_blocks(plan->shape.out_channels);
  const size_t tile_bytes = point_count(plan) * planes * SK_BLOCK * sizeof(float);
  const size_t wanted = sk_size_max(register_tile, budget / tile_bytes / register_tile * register_tile);
  const size_t tiles = tile_count(plan, plan->shape.batch);
  return sk_size_divide_up(tiles, sk_size_divide_up(tiles, wanted));
}

static sk_status prepare(sk_conv *plan, const float *weights) {
  const sk_conv_shape *s = &plan->shape;
  plan->tile_block = choose_tile_block(plan);
  const size_t planes = sk_blocks(s->in_channels) + sk_blocks(s->out_channels);
  if (!sk_size_multiply(plan->tile_block * point_count(plan) * SK_BLOCK * sizeof(float), planes,
                        &plan->tensor_workspace_bytes)) {
    return sk_fail(SK_INVALID_ARGUMENT, "convolution: the size of the transformed tiles overflows");
  }
  return pack_weights(plan, weights);
}

/* One run: where its tensors and its block of transformed tiles are. */
struct winograd_run {
  const sk_conv *plan;
  const struct sk_tensor *x, *residual, *y;
  float *v;     /* [point][input block][tile][16] */
  float *t;     /* [point][output block][tile][16] */
  size_t first; /* tile of the block */
  size_t count; /* tiles of the block */
};

/* Where a tile lies: the image and the output coordinates of its corner. */
struct tile_place {
  size_t image, row, column;
};

static struct tile_place place_tile(const struct winograd_run *run, size_t index) {
  const size_t m = outputs_per_side(run->plan);
  const size_t across = sk_size_divide_up(run->y->width, m), down = sk_size_divide_up(run->y->height, m);
  return (struct tile_place){index / (across * down), index / across % down * m, index % across * m};
}

static size_t block_stride(const struct winograd_run *run) { return run->plan->tile_block * SK_BLOCK; }

static void transform_input(const struct winograd_run *run, size_t block, size_t tile) {
  const sk_conv *plan = run->plan;
  const struct sk_tensor *x = run->x;
  const size_t alpha = outputs_per_side(plan) + 2;
  const struct tile_place at = place_tile(run, run->first + tile);
  const size_t padded_height = x->height + plan->shape.pad_top + plan->shape.pad_bottom;
  const size_t padded_width = x->width + plan->shape.pad_left + plan->shape.pad_right;
  const struct sk_winograd_input_args args = {
      .x = sk_conv_first_tap(&plan->shape, x, at.image, block) + at.row * sk_tensor_row(x) + at.column * SK_BLOCK,
      .x_row = sk_tensor_row(x),
      .rows = sk_size_min(alpha, padded_height - at.row),
      .columns = sk_size_min(alpha, padded_width - at.column),
      .v = run->v + block * block_stride(run) + tile * SK_BLOCK,
      .v_point = sk_tensor_planes(x) * block_stride(run),
  };
  input_kernel(plan)(&args);
}

static void multiply(const struct winograd_run *run, size_t point, size_t panel) {
  const sk_conv *plan = run->plan;
  const sk_conv_shape *s = &plan->shape;
  const size_t first = panel * plan->kernels->tile_blocks, blocks = sk_tensor_planes(run->y);
  const struct sk_conv_direct_args args = {
      .x = run->v + point * sk_tensor_planes(run->x) * block_stride(run),
      .x_block = block_stride(run),
      .x_pixel = SK_BLOCK,
      .x_channel = 1,
      .weights = plan->weights + point * weights_per_point(s) + first * SK_BLOCK * s->in_channels,
      .y = run->t + (point * blocks + first) * block_stride(run),
      .y_block = block_stride(run),
      .rows = 1,
      .pixels = run->count,
      .blocks = sk_size_min(plan->kernels->tile_blocks, blocks - first),
      .channels = s->in_channels,
      .kernel_height = 1,
      .kernel_width = 1,
  };
  plan->kernels->conv_direct(&args);
}

static void transform_output(const struct winograd_run *run, size_t block, size_t tile) {
  const sk_conv *plan = run->plan;
  const size_t m = outputs_per_side(plan);
  const struct tile_place at = place_tile(run, run->first + tile);
  const struct sk_tensor *y = run->y, *residual = run->residual;
  const struct sk_winograd_output_args args = {
      .t = run->t + block * block_stride(run) + tile * SK_BLOCK,
      .t_point = sk_tensor_planes(y) * block_stride(run),
      .bias = plan->bias + block * SK_BLOCK,
      .residual =
          residual ? sk_tensor_at(residual, at.image, block) + at.row * sk_tensor_row(residual) + at.column * SK_BLOCK
                   : NULL,
      .residual_row = residual ? sk_tensor_row(residual) : 0,
      .y = sk_tensor_at(y, at.image, block) + at.row * sk_tensor_row(y) + at.column * SK_BLOCK,
      .y_row = sk_tensor_row(y),
      .rows = sk_size_min(m, y->height - at.row),
      .columns = sk_size_min(m, y->width - at.column),
      .relu = plan->relu,
  };
  output_kernel(plan)(&args);
}

/* Do one block of tiles; called by every thread of the team, which meets at the end of each loop. */
static void run_block(const struct winograd_run *run) {
  const sk_conv *plan = run->plan;
  const size_t in_blocks = sk_tensor_planes(run->x), out_blocks = sk_tensor_planes(run->y);
  const size_t points = point_count(plan), panels = sk_size_divide_up(out_blocks, plan->kernels->tile_blocks);
#pragma omp for schedule(static)
  for (size_t i = 0; i < in_blocks * run->count; i++) transform_input(run, i / run->count, i % run->count);
#pragma omp for schedule(static)
  for (size_t i = 0; i < points * panels; i++) multiply(run, i / panels, i % panels);
#pragma omp for schedule(static)
  for (size_t i = 0; i < out_blocks * run->count; i++) transform_output(run, i / run->count, i % run->count);
}

static void run(const sk_conv *plan, size_t batch, const struct sk_tensor *x, const struct sk_tensor *residual,
                const struct sk_tensor *y, void *workspace) {
  const size_t tiles = tile_count(plan, batch);
  const size_t v_floats = point_count(plan) * sk_tensor_planes(x) * plan->tile_block * SK_BLOCK;
#pragma omp parallel num_threads(plan->threads)
  {
    for (size_t first = 0; first < tiles; first += plan->tile_block) {
      const struct winograd_run block = {.plan = plan,
                                         .x = x,
                                         .residual = residual,
                                         .y = y,
                                         .v = workspace,
                                         .t = (float *)workspace + v_floats,
                                         .first = first,
                                         .count = sk_size_min(plan->tile_block, tiles - first)};
      run_block(&block);
    }
    sk_tensor_clear_halo_in_team(y, batch);
  }
}

const struct sk_conv_method sk_conv_method_winograd2 = {SK_ALGORITHM_WINOGRAD2, applies, prepare, run, 2};
const struct sk_conv_method sk_conv_method_winograd4 = {SK_ALGORITHM_WINOGRAD4, applies, prepare, run, 4};
const struct sk_conv_method sk_conv_method_winograd6 = {SK_ALGORITHM_WINOGRAD6, applies, prepare, run, 6};
