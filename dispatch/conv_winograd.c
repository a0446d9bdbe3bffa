/*
 * Winograd convolution F(m,3): transform a block of tiles, multiply at each of alpha^2 points, transform back.
 *
 * The multiplication at one point is a 1x1 convolution over tiles, run by the direct kernel. There are two ways to go
 * through a layer, which read and write the same numbers:
 *   apart     a block of tiles stays in the L2 cache with the products of one panel of outputs, while all weights pass
 *             by; each thread has blocks of its own. For layers of few weights and many tiles.
 *   together  a block of tiles is multiplied point after point, so that its weights are read once; the threads divide
 *             its planes, and take its classes of points and panels from each other. For layers of many weights.
 * Source: Lavin and Gray (2016), "Fast Algorithms for Convolutional Neural Networks".
 */
#include <string.h>

#include "dispatch/conv_internal.h"
#include "dispatch/status.h"
#include "dispatch/winograd_filter.h"
#include "dispatch/winograd_tile.h"

static bool is_3x3(const sk_conv_shape *s) {
  return s->kernel_height == 3 && s->kernel_width == 3 && s->dilation_height == 1 && s->dilation_width == 1 &&
         s->groups == 1;
}

static bool applies(const sk_conv_shape *s) { return is_3x3(s) && s->stride_height == 1 && s->stride_width == 1; }

static bool applies_with_stride_2(const sk_conv_shape *s) {
  return is_3x3(s) && s->stride_height == 2 && s->stride_width == 2;
}

static size_t outputs_per_side(const sk_conv *plan) { return plan->method->winograd_outputs; }
static size_t stride(const sk_conv *plan) { return plan->shape.stride_height; }

/* Points, and inputs, per side of a tile. */
static size_t alpha(const sk_conv *plan) {
  const size_t m = outputs_per_side(plan);
  return stride(plan) == 2 ? 2 * m + 1 : m + 2;
}

static size_t point_count(const sk_conv *plan) { return alpha(plan) * alpha(plan); }

/*
 * Points that share their weights form a class: with stride 1 each is its own; with stride 2 the odd elements of a
 * dimension, the last m, have the same weight. A dimension has m + 2 classes either way.
 */
static size_t class_count(const sk_conv *plan) {
  const size_t side = outputs_per_side(plan) + 2;
  return side * side;
}

/* The classes of a dimension have one point each, but for the last. */
static size_t class_points(const sk_conv *plan, size_t class_of_side) {
  return class_of_side <= outputs_per_side(plan) ? 1 : alpha(plan) - outputs_per_side(plan) - 1;
}

static sk_winograd_input_fn *input_kernel(const sk_conv *plan) {
  const struct sk_kernel_table *k = plan->kernels;
  switch (alpha(plan)) {
    case 4: return k->winograd_input_f2k3;
    case 5: return k->winograd_input_f2k3s2;
    case 6: return k->winograd_input_f4k3;
    case 8: return k->winograd_input_f6k3;
    default: return k->winograd_input_f4k3s2;
  }
}

static sk_winograd_output_fn *output_kernel(const sk_conv *plan) {
  const struct sk_kernel_table *k = plan->kernels;
  switch (alpha(plan)) {
    case 4: return k->winograd_output_f2k3;
    case 5: return k->winograd_output_f2k3s2;
    case 6: return k->winograd_output_f4k3;
    case 8: return k->winograd_output_f6k3;
    default: return k->winograd_output_f4k3s2;
  }
}

/* Where the weights of one class and panel begin, in the order in which they are read: [panel][class] apart,
 * [class][panel] together. */
static float *panel_weights(const sk_conv *plan, size_t class, size_t panel) {
  const sk_conv_shape *s = &plan->shape;
  const size_t blocks = sk_blocks(s->out_channels), before = panel * plan->kernels->tile_blocks;
  const size_t side = sk_panel_blocks(plan, blocks, panel), column = SK_BLOCK * s->in_channels;
  const size_t first = plan->tiles_apart ? before * class_count(plan) + class * side : class * blocks + before;
  return plan->weights + first * column;
}

/* Read the filters of one block of outputs for one input channel: w[tap][output], zeros where there is no output. */
static void gather_filters(const sk_conv_shape *s, const float *weights, size_t block, size_t channel,
                           float w[9][SK_BLOCK]) {
  const size_t first = block * SK_BLOCK, count = sk_size_min(SK_BLOCK, s->out_channels - first);
  memset(w, 0, 9 * sizeof *w);
  for (size_t l = 0; l < count; l++) {
    const float *const from = weights + ((first + l) * s->in_channels + channel) * 9;
    for (size_t t = 0; t < 9; t++) w[t][l] = from[t];
  }
}

static void pack(sk_conv *plan, const float *weights) {
  const sk_conv_shape *s = &plan->shape;
  const size_t classes = class_count(plan), tile = plan->kernels->tile_blocks, blocks = sk_blocks(s->out_channels);
  const struct sk_winograd_filter filter = sk_winograd_filter_of(outputs_per_side(plan), stride(plan));
  for (size_t block = 0; block < blocks; block++) {
    const size_t panel = block / tile, side = sk_panel_blocks(plan, blocks, panel);
    float *const first = panel_weights(plan, 0, panel) + block % tile * SK_BLOCK;
    const size_t step = (size_t)(panel_weights(plan, 1, panel) - panel_weights(plan, 0, panel));
    for (size_t c = 0; c < s->in_channels; c++) {
      float w[9][SK_BLOCK], u[64][SK_BLOCK];
      gather_filters(s, weights, block, c, w);
      sk_winograd_filter_transform(&filter, (const float(*)[SK_BLOCK])w, u);
      for (size_t i = 0; i < classes; i++) memcpy(first + i * step + c * side * SK_BLOCK, u[i], sizeof u[i]);
    }
  }
}

/*
 * The order of a run's tiles, such that those which have a point are consecutive. The last column and the last row of
 * an image's tiles may be trimmed, to fewer points than the others have (kernels/winograd_points.h). First come those
 * of the last columns, then the whole ones, then those of the last rows, then the corners, which are both.
 */
struct tile_order {
  size_t across, down;                /* whole tiles of an image's rows and columns */
  size_t column_points, row_points;   /* of a dimension of a trimmed tile; alpha: there are none */
  size_t whole, rows, corners, count; /* where each kind begins, and the number of all */
};

static struct tile_order order_tiles(const sk_conv *plan, size_t images) {
  const size_t m = outputs_per_side(plan), rows = plan->out_height, columns = plan->out_width;
  struct tile_order o = {
      .across = sk_size_divide_up(columns, m),
      .down = sk_size_divide_up(rows, m),
      .column_points = sk_winograd_points(alpha(plan), sk_winograd_inputs(alpha(plan), (columns - 1) % m + 1)),
      .row_points = sk_winograd_points(alpha(plan), sk_winograd_inputs(alpha(plan), (rows - 1) % m + 1)),
  };
  const bool trims_column = o.column_points < alpha(plan), trims_row = o.row_points < alpha(plan);
  o.across -= trims_column;
  o.down -= trims_row;
  o.whole = trims_column ? images * o.down : 0;
  o.rows = o.whole + images * o.down * o.across;
  o.corners = o.rows + (trims_row ? images * o.across : 0);
  o.count = o.corners + (trims_row && trims_column ? images : 0);
  return o;
}

/* Bytes that one tile takes in a block: transformed, and as products for `out_blocks` blocks of outputs. */
static size_t tile_bytes(const sk_conv *plan, size_t out_blocks) {
  const size_t planes = sk_blocks(plan->shape.in_channels) + out_blocks;
  return point_count(plan) * planes * SK_BLOCK * sizeof(float);
}

/* Divide tiles into blocks of nearly equal size, as many as `threads` can share evenly, of no more than `budget` bytes
 * if that holds a register tile. */
static size_t equal_blocks(const sk_conv *plan, size_t tiles, size_t tile, size_t budget, size_t threads) {
  const size_t most = sk_size_max(plan->kernels->tile_pixels, budget / tile);
  return sk_size_divide_up(tiles, sk_size_round_up(sk_size_divide_up(tiles, most), threads));
}

/*
 * Choose the way through the layer and the tiles of a block: whichever moves fewer bytes to and from the caches beyond
 * L2. Apart, each block reads all weights; together, blocks are larger and read them less often, but the transformed
 * tiles and the products go out and come back. Blocks of four megabytes stay in an L3 cache.
 */
static void choose_blocks(sk_conv *plan) {
  const sk_conv_shape *s = &plan->shape;
  const size_t out_blocks = sk_blocks(s->out_channels), tiles = order_tiles(plan, s->batch).count;
  const size_t weight_bytes = class_count(plan) * out_blocks * SK_BLOCK * s->in_channels * sizeof(float);
  const size_t apart_tile = tile_bytes(plan, plan->kernels->tile_blocks), together_tile = tile_bytes(plan, out_blocks);
  const size_t apart = equal_blocks(plan, tiles, apart_tile, plan->caches.l2_bytes / 4 * 3, (size_t)plan->threads);
  const size_t together = equal_blocks(plan, tiles, together_tile, (size_t)4 << 20, 1);
  const double apart_bytes = (double)sk_size_divide_up(tiles, apart) * (double)weight_bytes;
  const double together_bytes =
      (double)sk_size_divide_up(tiles, together) * (double)weight_bytes + 2 * (double)tiles * (double)together_tile;
  plan->tiles_apart = apart * apart_tile <= plan->caches.l2_bytes && apart_bytes < together_bytes;
  plan->tile_block = plan->tiles_apart ? apart : together;
}

/* Floats from one point to the next of a block's transformed tiles, [point][input block][tile][16], and of its
 * products. An odd number of pixels: else the lines of one tile's points would share a few sets of the L1 cache. */
static size_t tiles_point(const sk_conv *plan) {
  return (sk_blocks(plan->shape.in_channels) * plan->tile_block | 1) * SK_BLOCK;
}
static size_t kept_blocks(const sk_conv *plan) { /* of outputs, whose products are kept at a time */
  return plan->tiles_apart ? plan->kernels->tile_blocks : sk_blocks(plan->shape.out_channels);
}
static size_t products_point(const sk_conv *plan) { return (kept_blocks(plan) * plan->tile_block | 1) * SK_BLOCK; }

/* Floats of a block. */
static size_t block_floats(const sk_conv *plan) {
  return point_count(plan) * (tiles_point(plan) + products_point(plan));
}

/* Whether a block of the fewest tiles that are chosen for one, those of a register tile and the odd pixel, has a size
 * at all. Blocks of more are held to a budget. */
static bool tiles_fit(const sk_conv *plan) {
  const size_t out_blocks = sk_blocks(plan->shape.out_channels), tile = plan->kernels->tile_pixels + 1;
  const size_t planes = sk_blocks(plan->shape.in_channels) + sk_size_max(out_blocks, plan->kernels->tile_blocks);
  size_t bytes;
  return sk_size_multiply(planes, point_count(plan) * SK_BLOCK * sizeof(float), &bytes) &&
         sk_size_multiply(bytes, tile, &bytes) && bytes <= PTRDIFF_MAX;
}

/* The products of a block of tiles, each of one class and panel. */
static size_t product_count(const sk_conv *plan) {
  return class_count(plan) * sk_panel_count(plan, sk_blocks(plan->shape.out_channels));
}

/* Bytes of a block that a team does together, after which comes the queue of each thread. */
static size_t together_bytes(const sk_conv *plan) {
  return sk_size_round_up(block_floats(plan) * sizeof(float), sizeof(struct sk_queue));
}

static struct sk_queue *queues_of(const sk_conv *plan, void *workspace) {
  return plan->tiles_apart ? NULL : (struct sk_queue *)(void *)((char *)workspace + together_bytes(plan));
}

static sk_status measure(sk_conv *plan) {
  const sk_conv_shape *s = &plan->shape;
  const sk_status status =
      sk_conv_size_weights(plan, class_count(plan), sk_blocks(s->out_channels) * SK_BLOCK, s->in_channels);
  if (status) return status;
  if (product_count(plan) > SK_QUEUE_MOST) {
    return sk_fail(SK_INVALID_ARGUMENT, "convolution: Winograd's algorithm has %zu products, expected at most %zu",
                   product_count(plan), SK_QUEUE_MOST);
  }
  if (!tiles_fit(plan)) {
    return sk_fail(SK_INVALID_ARGUMENT, "convolution: the size of the transformed tiles overflows");
  }
  choose_blocks(plan);
  if (plan->tiles_apart) return sk_conv_size_threads(plan, block_floats(plan), "transformed tiles");
  plan->tensor_workspace_bytes = together_bytes(plan) + (size_t)plan->threads * sizeof(struct sk_queue);
  return SK_OK;
}

/* One block of one run: its tensors, its tiles, and where they are transformed. */
struct winograd_block {
  const sk_conv *plan;
  const struct sk_tensor *x, *residual, *y;
  struct tile_order order;
  float *v;                /* [point][input block][tile][16] */
  float *t;                /* [point][output block of those that are computed at a time][tile][16] */
  size_t first;            /* tile of the block */
  size_t count;            /* tiles of the block */
  struct sk_queue *queues; /* of products, each thread's, together */
};

static struct sk_winograd_tile tile_at(const struct winograd_block *block, size_t image, size_t row, size_t column) {
  return sk_winograd_tile_at(block->y, outputs_per_side(block->plan), image, row, column);
}

static struct sk_winograd_tile place_tile(const struct winograd_block *block, size_t tile) {
  const struct tile_order *const o = &block->order;
  const size_t m = outputs_per_side(block->plan), last_row = o->down * m, last_column = o->across * m;
  const size_t i = block->first + tile;
  if (i < o->whole) return tile_at(block, i / o->down, i % o->down * m, last_column);
  if (i >= o->corners) return tile_at(block, i - o->corners, last_row, last_column);
  if (i >= o->rows) return tile_at(block, (i - o->rows) / o->across, last_row, (i - o->rows) % o->across * m);
  const size_t whole = i - o->whole;
  return tile_at(block, whole / (o->down * o->across), whole / o->across % o->down * m, whole % o->across * m);
}

/* The tiles of a block that have point (i, j). */
struct tile_range {
  size_t first, end;
};

static struct tile_range tiles_at(const struct winograd_block *block, size_t i, size_t j) {
  const struct tile_order *const o = &block->order;
  const bool row_lacks = !sk_winograd_has_point(alpha(block->plan), o->row_points, i);
  const bool column_lacks = !sk_winograd_has_point(alpha(block->plan), o->column_points, j);
  const size_t from = column_lacks ? o->whole : 0;
  const size_t to = row_lacks ? o->rows : column_lacks ? o->corners : o->count;
  const size_t first = sk_size_max(block->first, from), end = sk_size_min(block->first + block->count, to);
  return first < end ? (struct tile_range){first - block->first, end - block->first} : (struct tile_range){0, 0};
}

/* Floats from one plane of a block to the next. */
static size_t plane_stride(const struct winograd_block *block) { return block->plan->tile_block * SK_BLOCK; }

static struct sk_winograd_input_args tile_inputs(const struct winograd_block *block, struct sk_winograd_tile at,
                                                 size_t plane) {
  return sk_winograd_tile_inputs(block->plan, block->x, plane, at, alpha(block->plan));
}

static void transform_input(const struct winograd_block *block, size_t tile, struct sk_winograd_tile at, size_t plane) {
  struct sk_winograd_input_args args = tile_inputs(block, at, plane);
  args.v = block->v + plane * plane_stride(block) + tile * SK_BLOCK;
  args.v_point = tiles_point(block->plan);
  input_kernel(block->plan)(&args);
}

static void prefetch_input(const struct winograd_block *block, struct sk_winograd_tile at, size_t plane) {
  const struct sk_winograd_input_args args = tile_inputs(block, at, plane);
  sk_winograd_prefetch_inputs(&args);
}

/* Transform the inputs numbered share.first to share.end of the block's planes, tile by tile; each asks for the next
 * one's pixels. */
static void transform_inputs(const struct winograd_block *block, struct sk_share share) {
  struct sk_winograd_tile next = place_tile(block, share.first % block->count);
  for (size_t i = share.first; i < share.end; i++) {
    /* A block has a tile at least. NOLINTNEXTLINE(clang-analyzer-core.DivideZero) */
    const size_t tile = i % block->count, plane = i / block->count;
    const struct sk_winograd_tile at = next;
    next = place_tile(block, (tile + 1) % block->count);
    if (tile + 1 < block->count) prefetch_input(block, next, plane);
    transform_input(block, tile, at, plane);
  }
}

/* The arguments of the kernel for a panel, but for what depends on class and point. */
static struct sk_conv_direct_args panel_args(const struct winograd_block *block, size_t panel) {
  const sk_conv *plan = block->plan;
  return (struct sk_conv_direct_args){
      .x_block = plane_stride(block),
      .x_ahead = plane_stride(block),
      .x_pixel = SK_BLOCK,
      .x_channel = 1,
      .y_block = plane_stride(block),
      .rows = 1,
      .blocks = sk_panel_blocks(plan, sk_tensor_planes(block->y), panel),
      .channels = plan->shape.in_channels,
      .kernel_height = 1,
      .kernel_width = 1,
  };
}

/* Multiply at the points of one class, whose weights stay near meanwhile. */
static void multiply(const struct winograd_block *block, struct sk_conv_direct_args *args, size_t class, size_t panel) {
  const sk_conv *plan = block->plan;
  const size_t side = outputs_per_side(plan) + 2, row = class / side, column = class % side;
  const size_t kept = plan->tiles_apart ? 0 : panel * plan->kernels->tile_blocks;
  args->weights = panel_weights(plan, class, panel);
  for (size_t i = row; i < row + class_points(plan, row); i++) {
    for (size_t j = column; j < column + class_points(plan, column); j++) {
      const size_t point = i * alpha(plan) + j;
      const struct tile_range tiles = tiles_at(block, i, j);
      args->x = block->v + point * tiles_point(plan) + tiles.first * SK_BLOCK;
      args->y = block->t + point * products_point(plan) + kept * plane_stride(block) + tiles.first * SK_BLOCK;
      args->pixels = tiles.end - tiles.first;
      if (args->pixels > 0) sk_conv_direct_in_parts(plan, args);
    }
  }
}

static struct sk_winograd_output_args tile_outputs(const struct winograd_block *block, struct sk_winograd_tile at,
                                                   size_t plane) {
  return sk_winograd_tile_outputs(block->plan, block->residual, block->y, plane, at);
}

/* kept: the plane among those whose products are kept. */
static void transform_output(const struct winograd_block *block, size_t tile, struct sk_winograd_tile at, size_t plane,
                             size_t kept) {
  struct sk_winograd_output_args args = tile_outputs(block, at, plane);
  args.t = block->t + kept * plane_stride(block) + tile * SK_BLOCK;
  args.t_point = products_point(block->plan);
  output_kernel(block->plan)(&args);
}

static void prefetch_output(const struct winograd_block *block, struct sk_winograd_tile at, size_t plane) {
  const struct sk_winograd_output_args args = tile_outputs(block, at, plane);
  sk_winograd_prefetch_outputs(&args);
}

/* Likewise the outputs of the planes from `first_plane` on, whose products are kept. */
static void transform_outputs(const struct winograd_block *block, struct sk_share share, size_t first_plane) {
  struct sk_winograd_tile next = place_tile(block, share.first % block->count);
  for (size_t i = share.first; i < share.end; i++) {
    /* A block has a tile at least. NOLINTNEXTLINE(clang-analyzer-core.DivideZero) */
    const size_t tile = i % block->count, kept = i / block->count;
    const struct sk_winograd_tile at = next;
    next = place_tile(block, (tile + 1) % block->count);
    if (tile + 1 < block->count) prefetch_output(block, next, first_plane + kept);
    transform_output(block, tile, at, first_plane + kept, kept);
  }
}

static size_t panel_count(const struct winograd_block *block) {
  return sk_panel_count(block->plan, sk_tensor_planes(block->y));
}

/* Multiply one panel and transform it back. */
static void run_panel(const struct winograd_block *block, size_t panel) {
  const size_t first = panel * block->plan->kernels->tile_blocks;
  struct sk_conv_direct_args args = panel_args(block, panel);
  for (size_t i = 0; i < class_count(block->plan); i++) multiply(block, &args, i, panel);
  transform_outputs(block, (struct sk_share){0, args.blocks * block->count}, first);
}

/* Do one block of tiles alone. */
static void run_apart(const struct winograd_block *block) {
  transform_inputs(block, (struct sk_share){0, sk_tensor_planes(block->x) * block->count});
  for (size_t panel = 0; panel < panel_count(block); panel++) run_panel(block, panel);
}

/* Multiply as much as the thread gets of all classes and panels. */
static void multiply_share(const struct winograd_block *block) {
  const size_t panels = panel_count(block);
  for (size_t product; sk_queue_take(block->queues, &product);) {
    struct sk_conv_direct_args args = panel_args(block, product % panels);
    multiply(block, &args, product / panels, product % panels);
  }
}

/* Do one block of tiles; called by every thread of the team, which meets after each step. */
static void run_together(const struct winograd_block *block) {
  sk_queue_begin(block->queues, product_count(block->plan));
  transform_inputs(block, sk_thread_share(sk_tensor_planes(block->x) * block->count));
#pragma omp barrier
  multiply_share(block);
#pragma omp barrier
  transform_outputs(block, sk_thread_share(sk_tensor_planes(block->y) * block->count), 0);
#pragma omp barrier
}

/* Go through all blocks; called by every thread of the team. */
static void run_blocks(struct winograd_block block) {
  const size_t size = block.plan->tile_block, tiles = block.order.count;
  if (block.plan->tiles_apart) {
#pragma omp for schedule(static) nowait
    for (size_t i = 0; i < sk_size_divide_up(tiles, size); i++) {
      block.first = i * size;
      block.count = sk_size_min(size, tiles - block.first);
      run_apart(&block);
    }
    return;
  }
  for (block.first = 0; block.first < tiles; block.first += size) {
    block.count = sk_size_min(size, tiles - block.first);
    run_together(&block);
  }
}

static void run(const sk_conv *plan, size_t batch, const struct sk_tensor *x, const struct sk_tensor *residual,
                const struct sk_tensor *y, void *workspace) {
#pragma omp parallel num_threads(plan->threads)
  {
    float *const v = sk_thread_part(plan, workspace);
    const struct winograd_block block = {.plan = plan,
                                         .x = x,
                                         .residual = residual,
                                         .y = y,
                                         .v = v,
                                         .t = v + point_count(plan) * tiles_point(plan),
                                         .order = order_tiles(plan, batch),
                                         .queues = queues_of(plan, workspace)};
    const uint64_t before = sk_denormals_enter(plan->flush_denormals);
    run_blocks(block);
    sk_denormals_leave(plan->flush_denormals, before);
    sk_tensor_clear_halo_in_team(y, batch);
  }
}

const struct sk_conv_method sk_conv_method_winograd2 = {SK_ALGORITHM_WINOGRAD2, applies, measure, pack, run, 2};
const struct sk_conv_method sk_conv_method_winograd4 = {SK_ALGORITHM_WINOGRAD4, applies, measure, pack, run, 4};
const struct sk_conv_method sk_conv_method_winograd6 = {SK_ALGORITHM_WINOGRAD6, applies, measure, pack, run, 6};
const struct sk_conv_method sk_conv_method_winograd2_stride2 = {
    SK_ALGORITHM_WINOGRAD2, applies_with_stride_2, measure, pack, run, 2};
const struct sk_conv_method sk_conv_method_winograd4_stride2 = {
    SK_ALGORITHM_WINOGRAD4, applies_with_stride_2, measure, pack, run, 4};
