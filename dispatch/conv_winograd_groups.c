/*
 * Winograd convolution F(4,3) of groups of 4, 8 or 16 channels: a batch of tiles of one block of 16 channels is
 * transformed, multiplied by the matrices of its groups and transformed back, before the next batch.
 *
 * A block of outputs depends on the same block of inputs alone, and has few products beside its transforms. So nothing
 * is gained from many tiles or blocks at a time, as conv_winograd.c has them; a few tiles stay in the L1 cache, where
 * their products take the place of what is multiplied.
 * Source: Lavin and Gray (2016), "Fast Algorithms for Convolutional Neural Networks".
 */
#include <string.h>

#include "dispatch/conv_internal.h"
#include "dispatch/status.h"
#include "dispatch/winograd_filter.h"
#include "dispatch/winograd_tile.h"

enum { OUTPUTS = 4, ALPHA = 6, POINTS = ALPHA * ALPHA, TAPS = 9 };

/* Tiles of a batch. From one point to the next it is an odd number of pixels: else the lines of one tile's points would
 * share a few sets of the L1 cache. */
enum { BATCH = 8, POINT_FLOATS = (BATCH | 1) * SK_BLOCK, THREAD_FLOATS = POINTS * POINT_FLOATS };

static bool applies(const sk_conv_shape *s) {
  const size_t channels = sk_conv_group_inputs(s);
  const bool is_3x3 = s->kernel_height == 3 && s->kernel_width == 3;
  const bool is_dense =
      s->stride_height == 1 && s->stride_width == 1 && s->dilation_height == 1 && s->dilation_width == 1;
  return is_3x3 && is_dense && s->groups > 1 && (channels == 4 || channels == 8 || channels == 16) &&
         sk_conv_group_outputs(s) == channels && s->in_channels % SK_BLOCK == 0;
}

static sk_status measure(sk_conv *plan) {
  const sk_conv_shape *s = &plan->shape;
  const sk_status status = sk_conv_size_weights(plan, POINTS, s->out_channels, sk_conv_group_inputs(s));
  return status ? status : sk_conv_size_threads(plan, THREAD_FLOATS, "transformed tiles");
}

/* Where the weights of one block begin, in the order in which they are read: [point][channel of the group][16]. */
static float *block_weights(const sk_conv *plan, size_t block) {
  return plan->weights + block * POINTS * sk_conv_group_inputs(&plan->shape) * SK_BLOCK;
}

/* Read the filters of one block of outputs for one channel of their groups: w[tap][output]. */
static void gather_filters(const sk_conv_shape *s, const float *weights, size_t block, size_t channel,
                           float w[TAPS][SK_BLOCK]) {
  for (size_t l = 0; l < SK_BLOCK; l++) {
    const float *const from = weights + ((block * SK_BLOCK + l) * sk_conv_group_inputs(s) + channel) * TAPS;
    for (size_t t = 0; t < TAPS; t++) w[t][l] = from[t];
  }
}

static void pack(sk_conv *plan, const float *weights) {
  const sk_conv_shape *s = &plan->shape;
  const size_t channels = sk_conv_group_inputs(s);
  const struct sk_winograd_filter filter = sk_winograd_filter_of(OUTPUTS, 1);
  for (size_t i = 0; i < sk_blocks(s->out_channels) * channels; i++) {
    const size_t block = i / channels, channel = i % channels;
    float *const to = block_weights(plan, block) + channel * SK_BLOCK;
    float w[TAPS][SK_BLOCK], u[POINTS][SK_BLOCK];
    gather_filters(s, weights, block, channel, w);
    sk_winograd_filter_transform(&filter, (const float(*)[SK_BLOCK])w, u);
    for (size_t p = 0; p < POINTS; p++) memcpy(to + p * channels * SK_BLOCK, u[p], sizeof u[p]);
  }
}

/* One run, as one thread sees it. */
struct grouped_run {
  const sk_conv *plan;
  const struct sk_tensor *x, *residual, *y;
  float *v; /* [point][tile][16], of the thread */
};

/* Some tiles of one block of one image. */
struct tile_batch {
  size_t image, block, first, count;
};

/* Some tiles of some blocks of one image, which a thread does block by block. */
struct piece {
  size_t image;
  struct sk_share tiles, blocks;
};

static size_t tiles_across(const struct sk_tensor *y) { return sk_size_divide_up(y->width, OUTPUTS); }
static size_t tile_count(const struct sk_tensor *y) { return tiles_across(y) * sk_size_divide_up(y->height, OUTPUTS); }

/* The batches of a block of a piece, which have about as many tiles each. */
static size_t batch_count(const struct piece *piece) {
  return sk_size_divide_up(piece->tiles.end - piece->tiles.first, BATCH);
}

static struct tile_batch batch_at(const struct piece *piece, size_t number) {
  const size_t batches = batch_count(piece);
  const struct sk_share tiles = sk_share_of(piece->tiles.end - piece->tiles.first, number % batches, batches);
  return (struct tile_batch){.image = piece->image,
                             .block = piece->blocks.first + number / batches,
                             .first = piece->tiles.first + tiles.first,
                             .count = tiles.end - tiles.first};
}

static struct sk_winograd_tile place_tile(const struct grouped_run *run, const struct tile_batch *batch, size_t tile) {
  const size_t at = batch->first + tile, across = tiles_across(run->y);
  return sk_winograd_tile_at(run->y, OUTPUTS, batch->image, at / across * OUTPUTS, at % across * OUTPUTS);
}

static struct sk_winograd_input_args tile_inputs(const struct grouped_run *run, const struct tile_batch *batch,
                                                 size_t tile) {
  return sk_winograd_tile_inputs(run->plan, run->x, batch->block, place_tile(run, batch, tile), ALPHA);
}

static struct sk_winograd_output_args tile_outputs(const struct grouped_run *run, const struct tile_batch *batch,
                                                   size_t tile) {
  return sk_winograd_tile_outputs(run->plan, run->residual, run->y, batch->block, place_tile(run, batch, tile));
}

static void prefetch_input(const struct grouped_run *run, const struct tile_batch *batch, size_t tile) {
  const struct sk_winograd_input_args args = tile_inputs(run, batch, tile);
  sk_winograd_prefetch_inputs(&args);
}

static void prefetch_output(const struct grouped_run *run, const struct tile_batch *batch, size_t tile) {
  const struct sk_winograd_output_args args = tile_outputs(run, batch, tile);
  sk_winograd_prefetch_outputs(&args);
}

static void transform_input(const struct grouped_run *run, const struct tile_batch *batch, size_t tile) {
  struct sk_winograd_input_args args = tile_inputs(run, batch, tile);
  args.v = run->v + tile * SK_BLOCK;
  args.v_point = POINT_FLOATS;
  run->plan->kernels->winograd_input_f4k3(&args);
}

/* A point that a trimmed tile lacks is multiplied, too: what an earlier tile has left there is read by none. */
static void multiply(const struct grouped_run *run, const struct tile_batch *batch) {
  const struct sk_winograd_groups_args args = {
      .v = run->v,
      .v_point = POINT_FLOATS,
      .weights = block_weights(run->plan, batch->block),
      .points = POINTS,
      .tiles = batch->count,
      .channels = sk_conv_group_inputs(&run->plan->shape),
  };
  run->plan->kernels->winograd_multiply_groups(&args);
}

static void transform_output(const struct grouped_run *run, const struct tile_batch *batch, size_t tile) {
  struct sk_winograd_output_args args = tile_outputs(run, batch, tile);
  args.t = run->v + tile * SK_BLOCK;
  args.t_point = POINT_FLOATS;
  run->plan->kernels->winograd_output_f4k3(&args);
}

/* Do one batch. Each tile's transforms ask for what comes next: the pixels of the next tile, the first outputs, and in
 * the end the first inputs of the next batch, if there is one. */
static void run_batch(const struct grouped_run *run, const struct tile_batch *batch, const struct tile_batch *next) {
  const size_t last = batch->count - 1;
  for (size_t tile = 0; tile <= last; tile++) {
    if (tile < last) prefetch_input(run, batch, tile + 1);
    if (tile == last) prefetch_output(run, batch, 0);
    transform_input(run, batch, tile);
  }
  multiply(run, batch);
  for (size_t tile = 0; tile <= last; tile++) {
    if (tile < last) prefetch_output(run, batch, tile + 1);
    if (tile == last && next) prefetch_input(run, next, 0);
    transform_output(run, batch, tile);
  }
}

static void run_piece(const struct grouped_run *run, const struct piece *piece) {
  const size_t batches = batch_count(piece) * (piece->blocks.end - piece->blocks.first);
  for (size_t i = 0; i < batches; i++) {
    const struct tile_batch batch = batch_at(piece, i), next = batch_at(piece, i + 1);
    run_batch(run, &batch, i + 1 < batches ? &next : NULL);
  }
}

/* In how many shares the team divides the tiles, each of more than a batch; threads that have the same share divide the
 * blocks. Tiles first: the layers around divide pixels, so most of what a thread reads it has written. */
static size_t tile_shares(size_t tiles) {
  size_t shares = sk_team();
  while (shares > 1 && (sk_team() % shares > 0 || tiles / shares <= BATCH)) shares--;
  return shares;
}

/* Do the calling thread's share of all tiles. Zeros first: points that trimmed tiles lack are multiplied unwritten. */
static void run_share(const struct grouped_run *run, size_t images) {
  const size_t count = tile_count(run->y), shares = tile_shares(images * count), sharers = sk_team() / shares;
  struct sk_share tiles = sk_share_of(images * count, sk_thread() / sharers, shares);
  const struct sk_share blocks = sk_share_of(sk_tensor_planes(run->y), sk_thread() % sharers, sharers);
  memset(run->v, 0, THREAD_FLOATS * sizeof(float));
  while (tiles.first < tiles.end) {
    const struct sk_image_share part = sk_share_take_image(&tiles, count);
    run_piece(run, &(struct piece){part.image, part.items, blocks});
  }
}

static void run(const sk_conv *plan, size_t batch, const struct sk_tensor *x, const struct sk_tensor *residual,
                const struct sk_tensor *y, void *workspace) {
#pragma omp parallel num_threads(plan->threads)
  {
    const struct grouped_run own = {
        .plan = plan, .x = x, .residual = residual, .y = y, .v = sk_thread_part(plan, workspace)};
    const uint64_t before = sk_denormals_enter(plan->flush_denormals);
    run_share(&own, batch);
    sk_denormals_leave(plan->flush_denormals, before);
    sk_tensor_clear_halo_in_team(y, batch);
  }
}

const struct sk_conv_method sk_conv_method_winograd4_groups = {
    SK_ALGORITHM_WINOGRAD4, applies, measure, pack, run, OUTPUTS};
