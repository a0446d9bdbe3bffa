/* Direct convolution: groups of whole blocks, or one group of any size. */
#include "dispatch/conv_internal.h"
#include "dispatch/long_row.h"
#include "dispatch/status.h"

static bool applies(const sk_conv_shape *s) {
  if (s->groups == 1) return true;
  return sk_conv_group_inputs(s) % SK_BLOCK == 0 && sk_conv_group_outputs(s) % SK_BLOCK == 0;
}

/* Length of an output's chain. */
static size_t reduction(const sk_conv_shape *s) { return sk_conv_group_inputs(s) * s->kernel_height * s->kernel_width; }

/* Where the kernel reads w[channel][tap] for output block `block` of a group, and how many blocks lie side by side
 * there: [panel][input block][tap][channel of the block][blocks of the panel][16]. */
static float *packed_block(const sk_conv *plan, float *group_weights, size_t block, size_t channel, size_t tap) {
  const sk_conv_shape *s = &plan->shape;
  const size_t tile = plan->kernels->tile_blocks, blocks = sk_blocks(sk_conv_group_outputs(s));
  const size_t panel = block / tile, side = sk_panel_blocks(plan, blocks, panel);
  const size_t first = channel / SK_BLOCK * SK_BLOCK;
  const size_t width = sk_size_min(SK_BLOCK, sk_conv_group_inputs(s) - first);
  const size_t taps = s->kernel_height * s->kernel_width;
  const size_t row = first * taps + tap * width + (channel - first);
  return group_weights + panel * tile * SK_BLOCK * reduction(s) + (row * side + block % tile) * SK_BLOCK;
}

/* Pack one block of outputs by the 16 channels from `channel` on: what is written stays in L1 until it is whole. */
static void pack_square(const sk_conv *plan, const float *weights, float *packed, size_t block, size_t channel) {
  const sk_conv_shape *s = &plan->shape;
  const size_t inputs = sk_conv_group_inputs(s), taps = s->kernel_height * s->kernel_width;
  const size_t first = block * SK_BLOCK, outputs = sk_size_min(SK_BLOCK, sk_conv_group_outputs(s) - first);
  const size_t end = sk_size_min(channel + SK_BLOCK, inputs);
  for (size_t l = 0; l < outputs; l++) {
    const float *from = weights + ((first + l) * inputs + channel) * taps;
    for (size_t c = channel; c < end; c++) {
      for (size_t t = 0; t < taps; t++) packed_block(plan, packed, block, c, t)[l] = *from++;
    }
  }
}

static void pack(sk_conv *plan, const float *weights) {
  const sk_conv_shape *s = &plan->shape;
  const size_t outputs = sk_conv_group_outputs(s), inputs = sk_conv_group_inputs(s);
  const size_t group_floats = sk_blocks(outputs) * SK_BLOCK * reduction(s);
  for (size_t g = 0; g < s->groups; g++) {
    for (size_t block = 0; block < sk_blocks(outputs); block++) {
      for (size_t c = 0; c < inputs; c += SK_BLOCK) {
        pack_square(plan, weights + g * outputs * reduction(s), plan->weights + g * group_floats, block, c);
      }
    }
  }
}

/* Whether so many pixels share a read of weights that L2 gives them fast enough: AVX-512's tile takes 28 cycles for two
 * lines, AVX2's 6 cycles for one. */
static bool reads_weights_from_l2(const sk_conv *plan) { return plan->kernels->tile_pixels >= 14; }

/* Channels of one part: as many blocks as have weights for half of L1, about as many in each; or all, where L1 does not
 * matter, sums cannot wait in y, or no second tile would use the weights. */
static size_t part_channels(const sk_conv *plan, const struct sk_conv_direct_args *args) {
  const size_t blocks = sk_blocks(args->channels);
  const bool planar = args->x_channel != 1, in_place = args->residual == args->y;
  const bool one_tile = args->rows * args->pixels <= plan->kernels->tile_pixels;
  if (reads_weights_from_l2(plan) || planar || in_place || one_tile) return args->channels;
  const size_t block_bytes =
      SK_BLOCK * args->kernel_height * args->kernel_width * args->blocks * SK_BLOCK * sizeof(float);
  const size_t fitting = sk_size_max(1, plan->caches.l1_bytes / 2 / block_bytes);
  return sk_size_divide_up(blocks, sk_size_divide_up(blocks, fitting)) * SK_BLOCK;
}

void sk_conv_direct_in_parts(const sk_conv *plan, const struct sk_conv_direct_args *args) {
  const size_t most = part_channels(plan, args), taps = args->kernel_height * args->kernel_width;
  struct sk_conv_direct_args part = *args;
  for (size_t first = 0; first < args->channels; first += most) {
    part.channels = sk_size_min(most, args->channels - first);
    const bool last = first + part.channels == args->channels;
    if (first > 0) {
      part.resume = args->y;
      part.resume_block = args->y_block;
      part.resume_line = args->y_line;
    }
    part.residual = last ? args->residual : NULL;
    part.relu = last && args->relu;
    part.clip = last && args->clip;
    plan->kernels->conv_direct(&part);
    part.x += most / SK_BLOCK * args->x_block;
    part.weights += most * taps * args->blocks * SK_BLOCK;
  }
}

/*
 * How a run divides its outputs: every combination of image, group, strip and panel of output blocks. Panels are
 * innermost: a strip's input stays in the L2 cache while all the weights pass by. A strip is some rows of an image, or
 * of a 1x1 convolution some pixels of all its rows as one long row, where they are consecutive in memory or are made
 * so: the pixels that a stride leaves are gathered first, and short rows with halos are cut out of the long one
 * afterwards.
 */
struct division {
  size_t panels; /* of one group */
  size_t strips; /* of one image */
  size_t units;  /* of one image: strips have about as many each */
  size_t unit;   /* rows, or pixels of the long row, that tiles should not be cut within; the last may have fewer */
  size_t length; /* of an image, in rows or pixels */
  bool flat;     /* one long row */
  bool gathers;  /* its inputs */
  bool cuts;     /* its outputs */
};

/* The rows, or the pixels of the long row, of one strip. */
struct strip {
  size_t first, end;
};

static struct strip place_strip(const struct division *d, size_t strip) {
  const size_t first = d->units * strip / d->strips * d->unit, end = d->units * (strip + 1) / d->strips * d->unit;
  return (struct strip){first, sk_size_min(end, d->length)};
}

static bool has_one_tap(const sk_conv_shape *s) { return s->kernel_height == 1 && s->kernel_width == 1; }

static bool can_gather(const sk_conv *plan) {
  const sk_conv_shape *s = &plan->shape;
  const bool strided = s->stride_height > 1 || s->stride_width > 1;
  return has_one_tap(s) && strided && plan->in_layout == SK_LAYOUT_NCHW16C;
}

/* Short rows that register tiles, of one row or of two, would not fill. */
static bool can_cut(const sk_conv *plan) {
  const size_t tile = plan->kernels->tile_pixels;
  return has_one_tap(&plan->shape) && plan->out_width < 2 * tile && plan->out_width % (tile / 2) != 0;
}

/* Whether output rows can be one long row. */
static bool is_flat(const sk_conv *plan, const struct sk_tensor *x, const struct sk_tensor *residual,
                    const struct sk_tensor *y) {
  const sk_conv_shape *s = &plan->shape;
  const bool inputs = can_gather(plan) || (s->stride_height == 1 && s->stride_width == 1 && x->halo == 0);
  return has_one_tap(s) && inputs && (!residual || residual->halo == 0) && (y->halo == 0 || can_cut(plan));
}

/* Bytes of input that `length` rows of outputs, or pixels of the long row, read. Rows that a stride steps over are
 * never read. Pixels within rows count all the same: nothing else would take the cache's sets that theirs would be in.
 */
static size_t input_bytes(const sk_conv *plan, bool flat, size_t length) {
  const sk_conv_shape *s = &plan->shape;
  const size_t rows = length * sk_size_min(s->stride_height, s->kernel_height);
  const size_t pixels = flat ? length : rows * plan->out_width * s->stride_width;
  return sk_conv_group_inputs(s) * pixels * sizeof(float);
}

/* Nearly half of an L2 cache is a strip's input: measured with 512 KiB and with 1 MiB of it. */
static size_t strip_bytes(const sk_conv *plan) { return plan->caches.l2_bytes / 16 * 7; }

/* Units of the longest strip. */
static size_t longest_strip(const sk_conv *plan, bool flat, size_t unit) {
  /* No size of a checked shape is 0. NOLINTNEXTLINE(clang-analyzer-core.DivideZero) */
  return sk_size_max(1, strip_bytes(plan) / input_bytes(plan, flat, unit));
}

static struct division divide(const sk_conv *plan, size_t batch, const struct sk_tensor *x,
                              const struct sk_tensor *residual, const struct sk_tensor *y) {
  const sk_conv_shape *s = &plan->shape;
  const bool flat = is_flat(plan, x, residual, y);
  struct division d = {.panels = sk_panel_count(plan, sk_blocks(sk_conv_group_outputs(s))),
                       .unit = flat ? plan->kernels->tile_pixels : 2,
                       .length = flat ? y->height * y->width : y->height,
                       .flat = flat,
                       .gathers = flat && can_gather(plan),
                       .cuts = flat && y->halo > 0};
  /* Tiles may have two rows, which stay together where two fit. */
  if (!flat && input_bytes(plan, flat, 2) > strip_bytes(plan)) d.unit = 1;
  d.units = sk_size_divide_up(d.length, d.unit);
  /* Some items to each thread, for it to have its share within a fraction of one. */
  const size_t items = plan->threads == 1 ? 1 : 4 * (size_t)plan->threads;
  const size_t least = sk_size_divide_up(items, batch * s->groups * d.panels);
  d.strips = sk_size_min(d.units, sk_size_max(sk_size_divide_up(d.units, longest_strip(plan, flat, d.unit)), least));
  return d;
}

/* Of the pixels that a thread gathers at a time, and of the outputs of a panel that it cuts. */
static size_t strip_pixels(const sk_conv *plan) {
  const size_t tile = plan->kernels->tile_pixels, units = sk_size_divide_up(plan->out_height * plan->out_width, tile);
  return sk_size_min(units, longest_strip(plan, true, tile)) * tile;
}
static size_t gathered_floats(const sk_conv *plan) {
  return can_gather(plan) ? sk_blocks(sk_conv_group_inputs(&plan->shape)) * strip_pixels(plan) * SK_BLOCK : 0;
}
static size_t cut_floats(const sk_conv *plan) {
  return can_cut(plan) ? plan->kernels->tile_blocks * strip_pixels(plan) * SK_BLOCK : 0;
}

static size_t thread_floats(const sk_conv *plan) { return gathered_floats(plan) + cut_floats(plan); }

static sk_status measure(sk_conv *plan) {
  const sk_conv_shape *s = &plan->shape;
  const sk_status status =
      sk_conv_size_weights(plan, s->groups * sk_blocks(sk_conv_group_outputs(s)), SK_BLOCK, reduction(s));
  if (status) return status;
  /* Weights of which 16 rows have a size bound the channels, and so what one thread has. */
  return sk_conv_size_threads(plan, thread_floats(plan), "gathered inputs");
}

/* The kernel's arguments for the first row of a panel, but for the counts. */
static struct sk_conv_direct_args panel_args(const sk_conv *plan, const struct sk_tensor *x,
                                             const struct sk_tensor *residual, const struct sk_tensor *y, size_t image,
                                             size_t group, size_t panel) {
  const sk_conv_shape *s = &plan->shape;
  const size_t blocks = sk_blocks(sk_conv_group_outputs(s)), first = panel * plan->kernels->tile_blocks;
  const size_t out_plane = group * blocks + first, in_plane = group * sk_conv_group_inputs(s) / SK_BLOCK;
  return (struct sk_conv_direct_args){
      .x = sk_conv_first_tap(s, x, image, in_plane),
      .x_block = sk_tensor_plane(x),
      .x_line = s->stride_height * sk_tensor_row(x),
      .x_row = s->dilation_height * sk_tensor_row(x),
      .x_column = s->dilation_width * sk_tensor_pixel(x),
      .x_pixel = s->stride_width * sk_tensor_pixel(x),
      .x_channel = x->layout == SK_LAYOUT_NCHW ? sk_tensor_plane(x) : 1,
      .weights = plan->weights + (group * blocks + first) * SK_BLOCK * reduction(s),
      .bias = plan->bias + out_plane * SK_BLOCK,
      .residual = residual ? sk_tensor_at(residual, image, out_plane) : NULL,
      .residual_block = residual ? sk_tensor_plane(residual) : 0,
      .residual_line = residual ? sk_tensor_row(residual) : 0,
      .y = sk_tensor_at(y, image, out_plane),
      .y_block = sk_tensor_plane(y),
      .y_line = sk_tensor_row(y),
      .blocks = sk_panel_blocks(plan, blocks, panel),
      .channels = sk_conv_group_inputs(s),
      .kernel_height = s->kernel_height,
      .kernel_width = s->kernel_width,
      .relu = plan->relu,
      .clip = plan->clip,
      .bounds = plan->bounds,
  };
}

/* How far ahead of itself a panel asks for its input. The first one of a strip brings it from beyond L2, which takes as
 * long as a register tile; the others find it there, so that the next channel block is far enough. A kernel of several
 * taps has read most of the next tile already. */
static size_t ahead(const sk_conv *plan, const struct sk_conv_direct_args *args, bool first) {
  const size_t tile = plan->kernels->tile_pixels;
  const bool one_tap = args->kernel_height * args->kernel_width == 1;
  return first && one_tap && args->pixels >= 2 * tile ? tile * args->x_pixel : args->x_block;
}

/* Move the arguments on to a strip's outputs. */
static void enter_strip(struct sk_conv_direct_args *args, const struct division *d, struct strip strip, size_t width) {
  const size_t row = d->flat ? 0 : strip.first, pixel = d->flat ? strip.first : 0;
  args->x += row * args->x_line + pixel * args->x_pixel;
  args->y += row * args->y_line + pixel * SK_BLOCK;
  if (args->residual) args->residual += row * args->residual_line + pixel * SK_BLOCK;
  args->rows = d->flat ? 1 : strip.end - strip.first;
  args->pixels = d->flat ? strip.end - strip.first : width;
}

/* One run: its tensors, how it is divided, and what the calling thread gathers and cuts. */
struct direct_run {
  const sk_conv *plan;
  const struct sk_tensor *x, *residual, *y;
  struct division division;
  float *gathered; /* [input block of a group][pixel of the strip][16] */
  float *uncut;    /* [block of a panel][pixel of the strip][16] */
};

/* Gather the strip's inputs of one group. */
static void gather(const struct direct_run *run, size_t image, size_t group, struct strip strip) {
  const sk_conv_shape *s = &run->plan->shape;
  const size_t planes = sk_blocks(sk_conv_group_inputs(s)), pixels = strip.end - strip.first;
  const struct sk_long_row row = sk_long_row_of_inputs(s, run->x, run->y->width);
  for (size_t plane = 0; plane < planes; plane++) {
    const float *const from = sk_conv_first_tap(s, run->x, image, group * planes + plane);
    sk_long_row_gather(&row, from, strip.first, pixels, run->gathered + plane * pixels * SK_BLOCK);
  }
}

/* Compute one panel of a strip; first: of those that the thread computes. */
static void run_panel(const struct direct_run *run, struct sk_conv_direct_args args, struct strip strip, bool first) {
  const struct division *d = &run->division;
  const size_t strip_plane = (strip.end - strip.first) * SK_BLOCK, blocks = args.blocks, y_block = args.y_block;
  float *const y = args.y;
  enter_strip(&args, d, strip, run->y->width);
  if (d->gathers) {
    args.x = run->gathered;
    args.x_block = strip_plane;
    args.x_pixel = SK_BLOCK;
  }
  if (d->cuts) {
    args.y = run->uncut;
    args.y_block = strip_plane;
  }
  args.x_ahead = ahead(run->plan, &args, first && !d->gathers);
  sk_conv_direct_in_parts(run->plan, &args);
  if (!d->cuts) return;
  const struct sk_long_row row = sk_long_row_of_outputs(run->y);
  for (size_t b = 0; b < blocks; b++) {
    sk_long_row_cut(&row, run->uncut + b * strip_plane, y + b * y_block, strip.first, strip.end - strip.first);
  }
}

/* Compute the thread's panels of the strip numbered `index` of all. */
static void run_strip(const struct direct_run *run, struct sk_share share, size_t index) {
  const struct division *d = &run->division;
  const size_t groups = run->plan->shape.groups, image = index / d->strips / groups, group = index / d->strips % groups;
  const struct strip strip = place_strip(d, index % d->strips);
  const size_t before = (index / d->strips * d->length + strip.first) * d->panels;
  const struct sk_share panels = sk_share_panels(share, before, strip.end - strip.first, d->panels);
  if (d->gathers && panels.first < panels.end) gather(run, image, group, strip);
  for (size_t p = panels.first; p < panels.end; p++) {
    run_panel(run, panel_args(run->plan, run->x, run->residual, run->y, image, group, p), strip, p == panels.first);
  }
}

static void run(const sk_conv *plan, size_t batch, const struct sk_tensor *x, const struct sk_tensor *residual,
                const struct sk_tensor *y, void *workspace) {
  const struct division d = divide(plan, batch, x, residual, y);
  const size_t image_groups = batch * plan->shape.groups;
#pragma omp parallel num_threads(plan->threads)
  {
    float *const own = sk_thread_part(plan, workspace);
    const struct direct_run direct_run = {plan, x, residual, y, d, own, own + gathered_floats(plan)};
    const uint64_t before = sk_denormals_enter(plan->flush_denormals);
    /* Strips are not quite equal, and there may be few: what threads share is the rows or pixels of all panels. */
    const struct sk_share share = sk_thread_share(image_groups * d.length * d.panels);
    for (size_t i = 0; i < image_groups * d.strips; i++) run_strip(&direct_run, share, i);
    sk_denormals_leave(plan->flush_denormals, before);
    sk_tensor_clear_halo_in_team(y, batch);
  }
}

const struct sk_conv_method sk_conv_method_direct = {SK_ALGORITHM_DIRECT, applies, measure, pack, run, 0};
