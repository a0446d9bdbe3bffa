/*
 * Strassen's algorithm, once, for 1x1 convolutions: seven products of matrices half as large in place of eight.
 *
 * A 1x1 convolution is a matrix product y = x w of an image's pixels by channels with channels by outputs. Each of the
 * three is divided into halves, and x, w and y into quarters: x<pixels><channels>, w<channels><outputs>,
 * y<pixels><outputs>. In the form of Winograd, with t2 = w22 - w12 + w11,
 *
 *   s1 = x21 + x22   s2 = s1 - x11   s3 = x11 - x21   s4 = x12 - s2
 *   u  = bias1 + x11 w11 + s2 t2     v = u + s3 (w22 - w12)
 *   p  = (bias2 - bias1) + s1 (w12 - w11)
 *   y11 = bias1 + x11 w11 + x12 w21  y12 = (u + p) + s4 w22
 *   y21 = v + x22 (w21 - t2)         y22 = v + p
 *
 * The sums of weights are formed when they are packed. A product is a 1x1 convolution of its own, run by the direct
 * kernel; it goes on from the sums that another has left, which is how products are added. Only p ends in two sums.
 * The halves of the pixels are those of the image or, if it is large, of its upper and its lower half.
 * Source: Strassen (1969) in the form of Winograd (1971), Knuth, The Art of Computer Programming, volume 2, 4.6.4.
 */
#include "dispatch/conv_internal.h"
#include "dispatch/long_row.h"
#include "dispatch/status.h"

enum { QUARTERS = 4, SUMS = 4, KEPT = 2, PRODUCTS = 7 };

/* What a product reads: a quarter of the inputs or a sum of them. */
enum operand { X11, X12, X21, X22, S1, S2, S3, S4 };

/* Where it goes, and what it goes on from: a quarter of the outputs, or what is kept for others to go on from. */
enum place { Y11, Y12, Y21, Y22, U, V, NOTHING };

/* The products, in the order in which they are computed and their weights packed. p, the last but one, forks: it is
 * added to v for y22, and to u as well. */
static const struct product {
  enum operand operand;
  enum place from, to; /* from nothing: with the bias */
} products[PRODUCTS] = {
    {X11, NOTHING, U}, {X12, U, Y11}, {S2, U, U}, {S3, U, V}, {X22, V, Y21}, {S1, V, Y22}, {S4, U, Y12},
};

static bool applies(const sk_conv_shape *s) {
  const bool padded = s->pad_top || s->pad_bottom || s->pad_left || s->pad_right;
  const bool halved = s->in_channels % (2 * SK_BLOCK) == 0 && s->out_channels % (2 * SK_BLOCK) == 0;
  return s->kernel_height == 1 && s->kernel_width == 1 && !padded && s->groups == 1 && halved;
}

static size_t half_inputs(const sk_conv *plan) { return plan->shape.in_channels / 2; }
static size_t half_outputs(const sk_conv *plan) { return plan->shape.out_channels / 2; }
static size_t half_in_blocks(const sk_conv *plan) { return half_inputs(plan) / SK_BLOCK; }
static size_t half_out_blocks(const sk_conv *plan) { return half_outputs(plan) / SK_BLOCK; }

/* A large image whose rows can be quartered is two parts, above and below, each computed as an image is: so a thread
 * that has one works on pixels side by side, as it does in the layers around. The parts of a small one would be strips
 * so short that weights were read more often. */
static size_t part_count(const sk_conv *plan) {
  const size_t large = 256;
  return plan->out_height % 4 == 0 && plan->out_height * plan->out_width >= large ? 2 : 1;
}
static size_t part_pixels(const sk_conv *plan) { return plan->out_height * plan->out_width / part_count(plan); }

/* Pixels of the first half of a part. The second may have one fewer. */
static size_t half_pixels(const sk_conv *plan) { return sk_size_divide_up(part_pixels(plan), 2); }

static size_t panel_blocks(const sk_conv *plan, size_t panel) {
  return sk_panel_blocks(plan, half_out_blocks(plan), panel);
}

/* Where the weights of a product lie: [panel][product][channel of the half][blocks of the panel][16]. */
static float *product_weights(const sk_conv *plan, size_t panel, size_t product) {
  const size_t block = half_inputs(plan) * SK_BLOCK;
  const size_t first = panel * plan->kernels->tile_blocks * PRODUCTS + product * panel_blocks(plan, panel);
  return plan->weights + first * block;
}

/* Form the weights of all products, in their order, from those of a channel and an output of each half, w<channel
 * half><output half>, in double precision, rounded once. */
static void sum_weights(double w11, double w12, double w21, double w22, float sums[PRODUCTS]) {
  sums[0] = (float)w11;
  sums[1] = (float)w21;
  sums[2] = (float)((w11 - w12) + w22);
  sums[3] = (float)(w22 - w12);
  sums[4] = (float)((w12 - w11) + (w21 - w22));
  sums[5] = (float)(w12 - w11);
  sums[6] = (float)w22;
}

/* Pack the weights of 16 outputs and 16 channels of each half: what is written stays in L1 until it is whole. */
static void pack_square(const sk_conv *plan, const float *weights, size_t block, size_t channel) {
  const size_t tile = plan->kernels->tile_blocks, panel = block / tile, side = panel_blocks(plan, panel);
  const size_t inputs = plan->shape.in_channels, half = half_inputs(plan);
  float *const packed = product_weights(plan, panel, 0) + block % tile * SK_BLOCK;
  for (size_t l = 0; l < SK_BLOCK; l++) {
    const float *const first = weights + (block * SK_BLOCK + l) * inputs;
    const float *const second = first + half_outputs(plan) * inputs;
    for (size_t c = channel; c < channel + SK_BLOCK; c++) {
      float sums[PRODUCTS];
      sum_weights((double)first[c], (double)second[c], (double)first[half + c], (double)second[half + c], sums);
      for (size_t i = 0; i < PRODUCTS; i++) packed[((i * half + c) * side) * SK_BLOCK + l] = sums[i];
    }
  }
}

/* The bias of the second half becomes that which is beyond the first one's. */
static void pack(sk_conv *plan, const float *weights) {
  for (size_t block = 0; block < half_out_blocks(plan); block++) {
    for (size_t c = 0; c < half_inputs(plan); c += SK_BLOCK) pack_square(plan, weights, block, c);
  }
  for (size_t k = 0; k < half_outputs(plan); k++) plan->bias[half_outputs(plan) + k] -= plan->bias[k];
}

/*
 * How a run divides its outputs: every combination of part, strip and panel. A strip is some pixels of the first half
 * of a part and their partners; its sums stay in the L2 cache while all panels pass by.
 */
struct division {
  size_t panels;
  size_t parts;  /* of all images */
  size_t strips; /* of a part */
  size_t units;  /* of the first half of a part: strips have about as many each */
  size_t unit;   /* pixels that tiles should not be cut within; the last may have fewer */
  size_t pixels; /* of the first half of a part */
  bool gathers;  /* inputs, which are not one long row */
  bool by_rows;  /* outputs, which are not one long row either, but strips of whole rows */
  bool cuts;     /* outputs, whose strips are none of whole rows */
};

/* The pixels of one strip, from the image's pixel `first` on, their partners, and the pixels of all strips before it.
 */
struct strip {
  size_t image, first, pixels, partners, before;
};

static struct strip place_strip(const sk_conv *plan, const struct division *d, size_t index) {
  const size_t part = index / d->strips, all = part_pixels(plan);
  const struct sk_share units = sk_share_of(d->units, index % d->strips, d->strips);
  const size_t first = units.first * d->unit, end = sk_size_min(units.end * d->unit, d->pixels);
  return (struct strip){.image = part / part_count(plan),
                        .first = part % part_count(plan) * all + first,
                        .pixels = end - first,
                        .partners = sk_size_min(end + d->pixels, all) - first - d->pixels,
                        .before = part * d->pixels + first};
}

/* Units of the longest strip: its sums take a quarter of an L2 cache, but it has not so few pixels that the weights are
 * read too often. Measured with 1 MiB of L2; two threads that share one need shorter strips than one thread does. */
static size_t longest_strip(const sk_conv *plan, size_t unit) {
  const size_t least = 28, pixel_bytes = SUMS * half_inputs(plan) * sizeof(float);
  return sk_size_max(sk_size_divide_up(least, unit), plan->caches.l2_bytes / 4 / (pixel_bytes * unit));
}

/* Whether the halves of a part are whole rows. */
static bool has_whole_rows(const sk_conv *plan) { return plan->out_height % 2 == 0; }

static struct division divide(const sk_conv *plan, size_t batch, const struct sk_tensor *x,
                              const struct sk_tensor *residual, const struct sk_tensor *y) {
  const sk_conv_shape *s = &plan->shape;
  const bool has_rows = y->halo > 0 || (residual && residual->halo > 0);
  struct division d = {.panels = sk_panel_count(plan, half_out_blocks(plan)),
                       .parts = batch * part_count(plan),
                       .pixels = half_pixels(plan),
                       .gathers = s->stride_height > 1 || s->stride_width > 1 || x->halo > 0,
                       .by_rows = has_rows && has_whole_rows(plan),
                       .cuts = has_rows && !has_whole_rows(plan)};
  d.unit = d.by_rows ? plan->out_width : plan->kernels->tile_pixels;
  d.units = sk_size_divide_up(d.pixels, d.unit);
  /* Some items to each thread, for it to have its share within a fraction of one. */
  const size_t items = plan->threads == 1 ? 1 : 8 * (size_t)plan->threads;
  const size_t least = sk_size_divide_up(items, d.parts * d.panels);
  const size_t strips = sk_size_max(sk_size_divide_up(d.units, longest_strip(plan, d.unit)), least);
  /* Two threads that share a strip both form its sums. */
  const size_t sharers = d.parts % (size_t)plan->threads == 0 ? 1 : (size_t)plan->threads;
  d.strips = sk_size_min(d.units, strips > 1 ? sk_size_round_up(strips, sharers) : 1);
  return d;
}

/* Pixels of the longest strip of such units. */
static size_t longest_pixels(const sk_conv *plan, size_t unit) {
  return sk_size_min(sk_size_divide_up(half_pixels(plan), unit), longest_strip(plan, unit)) * unit;
}

/* Pixels of a strip's buffers, and what a thread has of them. */
static size_t strip_pixels(const sk_conv *plan) {
  const size_t tiles = longest_pixels(plan, plan->kernels->tile_pixels);
  return has_whole_rows(plan) ? sk_size_max(tiles, longest_pixels(plan, plan->out_width)) : tiles;
}
static size_t gathered_floats(const sk_conv *plan) { return 2 * plan->shape.in_channels * strip_pixels(plan); }
static size_t sums_floats(const sk_conv *plan) { return SUMS * half_inputs(plan) * strip_pixels(plan); }
static size_t block_floats(const sk_conv *plan) { /* of one product of a panel */
  return plan->kernels->tile_blocks * SK_BLOCK * strip_pixels(plan);
}

/* Floats that a thread has. Errors: false if they overflow. */
static bool thread_floats(const sk_conv *plan, size_t *floats) {
  /* Weights of which 16 rows have a size bound the channels. */
  const size_t channels = 2 * plan->shape.in_channels + SUMS * half_inputs(plan);
  return sk_size_multiply(channels + (KEPT + QUARTERS) * plan->kernels->tile_blocks * SK_BLOCK, strip_pixels(plan),
                          floats);
}

static sk_status measure(sk_conv *plan) {
  const sk_status status = sk_conv_size_weights(plan, PRODUCTS, half_outputs(plan), half_inputs(plan));
  if (status) return status;
  size_t floats; /* of SIZE_MAX the bytes overflow, too */
  return sk_conv_size_threads(plan, thread_floats(plan, &floats) ? floats : SIZE_MAX, "sums of inputs");
}

/* One run: its tensors, how it is divided, and the calling thread's buffers. */
struct strassen_run {
  const sk_conv *plan;
  const struct sk_tensor *x, *residual, *y;
  struct division division;
  float *gathered; /* [input block][half][pixel of the strip][16] */
  float *sums;     /* [sum][input block of a half][pixel of the strip][16] */
  float *kept;     /* [u, v, p][block of the panel][pixel of the strip][16] */
  float *uncut;    /* [y11, y12, y21, y22][block of the panel][pixel of the strip][16] */
};

static struct strassen_run begin_run(const sk_conv *plan, const struct sk_tensor *x, const struct sk_tensor *residual,
                                     const struct sk_tensor *y, struct division division, float *own) {
  struct strassen_run run = {.plan = plan, .x = x, .residual = residual, .y = y, .division = division, .gathered = own};
  run.sums = run.gathered + gathered_floats(plan);
  run.kept = run.sums + sums_floats(plan);
  run.uncut = run.kept + KEPT * block_floats(plan);
  return run;
}

/* The inputs of a strip: where its first pixel lies, and how far from it the next block and the partner are. */
struct inputs {
  const float *x;
  size_t block, half;
};

static struct inputs gather(const struct strassen_run *run, struct strip strip) {
  const sk_conv_shape *s = &run->plan->shape;
  const struct sk_long_row row = sk_long_row_of_inputs(s, run->x, run->y->width);
  const size_t half = strip.pixels * SK_BLOCK;
  float *to = run->gathered;
  for (size_t plane = 0; plane < sk_tensor_planes(run->x); plane++, to += 2 * half) {
    const float *const from = sk_tensor_at(run->x, strip.image, plane);
    sk_long_row_gather(&row, from, strip.first, strip.pixels, to);
    sk_long_row_gather(&row, from, strip.first + run->division.pixels, strip.partners, to + half);
  }
  return (struct inputs){run->gathered, 2 * half, half};
}

static struct inputs strip_inputs(const struct strassen_run *run, struct strip strip) {
  if (run->division.gathers) return gather(run, strip);
  return (struct inputs){sk_tensor_at(run->x, strip.image, 0) + strip.first * SK_BLOCK, sk_tensor_plane(run->x),
                         run->division.pixels * SK_BLOCK};
}

static void sum_inputs(const struct strassen_run *run, struct inputs in, struct strip strip) {
  const size_t blocks = half_in_blocks(run->plan), plane = strip.pixels * SK_BLOCK;
  for (size_t block = 0; block < blocks; block++) {
    const struct sk_strassen_input_args args = {.x = in.x + block * in.block,
                                                .x_half = in.half,
                                                .x_channels = blocks * in.block,
                                                .sums = run->sums + block * plane,
                                                .sum = blocks * plane,
                                                .pixels = strip.pixels,
                                                .partners = strip.partners};
    run->plan->kernels->strassen_input(&args);
  }
}

/* One panel of a strip. */
struct panel {
  const struct strassen_run *run;
  struct inputs inputs;
  struct strip strip;
  size_t index, blocks;
};

/* Planes that a kernel reads or writes: where the first one's first pixel lies, and how far it is to the next plane and
 * row. */
struct planes {
  float *first;
  size_t block, line;
};

/* Pixels of a row of a strip: an image's, or all as one. */
static size_t row_pixels(const struct panel *panel) {
  return panel->run->division.by_rows ? panel->run->plan->out_width : panel->strip.pixels;
}

static struct planes own_planes(const struct panel *panel, float *buffer, size_t index) {
  const size_t plane = panel->strip.pixels * SK_BLOCK;
  return (struct planes){buffer + index * panel->blocks * plane, plane, row_pixels(panel) * SK_BLOCK};
}

static struct planes kept_planes(const struct panel *panel, enum place place) {
  return own_planes(panel, panel->run->kept, (size_t)(place - U));
}

/* A quarter of a panel's outputs: pixels of the long row, and its first plane. */
struct quarter {
  size_t first, pixels, plane;
};

static struct quarter place_quarter(const struct panel *panel, enum place place) {
  const sk_conv *plan = panel->run->plan;
  const bool second_pixels = place == Y21 || place == Y22, second_outputs = place == Y12 || place == Y22;
  const size_t plane = panel->index * plan->kernels->tile_blocks;
  return (struct quarter){.first = panel->strip.first + (second_pixels ? panel->run->division.pixels : 0),
                          .pixels = second_pixels ? panel->strip.partners : panel->strip.pixels,
                          .plane = plane + (second_outputs ? half_out_blocks(plan) : 0)};
}

/* The planes of a quarter in a tensor of one long row, or of whole rows. */
static struct planes tensor_planes(const struct panel *panel, const struct sk_tensor *t, struct quarter q) {
  const struct sk_long_row row = sk_long_row_of_outputs(t);
  float *const first = sk_tensor_at(t, panel->strip.image, q.plane) + sk_long_row_pixel(&row, q.first);
  return (struct planes){first, sk_tensor_plane(t), sk_tensor_row(t)};
}

/* Whether a quarter's outputs are computed apart, to be cut into rows, or because y22 has one pixel fewer than p. */
static bool is_cut(const struct panel *panel, enum place place) {
  return panel->run->division.cuts || (place == Y22 && panel->strip.partners < panel->strip.pixels);
}

/* Where the outputs of a quarter are computed: in place, or to be cut afterwards. */
static struct planes output_planes(const struct panel *panel, enum place place) {
  const struct strassen_run *run = panel->run;
  if (is_cut(panel, place)) return own_planes(panel, run->uncut, (size_t)place);
  return tensor_planes(panel, run->y, place_quarter(panel, place));
}

/* Where the residual of a quarter is found: in its tensor, or where the outputs are computed. */
static struct planes residual_planes(const struct panel *panel, enum place place) {
  const struct strassen_run *run = panel->run;
  const struct quarter q = place_quarter(panel, place);
  if (!run->residual) return (struct planes){0};
  if (!is_cut(panel, place)) return tensor_planes(panel, run->residual, q);
  const struct sk_long_row row = sk_long_row_of_outputs(run->residual);
  const struct planes own = output_planes(panel, place);
  for (size_t b = 0; b < panel->blocks; b++) {
    const float *const from = sk_tensor_at(run->residual, panel->strip.image, q.plane + b);
    sk_long_row_gather(&row, from, q.first, q.pixels, own.first + b * own.block);
  }
  return own;
}

static void cut_outputs(const struct panel *panel, enum place place) {
  const struct sk_tensor *const y = panel->run->y;
  const struct quarter q = place_quarter(panel, place);
  const struct sk_long_row row = sk_long_row_of_outputs(y);
  const struct planes own = output_planes(panel, place);
  for (size_t b = 0; b < panel->blocks; b++) {
    sk_long_row_cut(&row, own.first + b * own.block, sk_tensor_at(y, panel->strip.image, q.plane + b), q.first,
                    q.pixels);
  }
}

/* Set what a product reads. */
static void set_operand(const struct panel *panel, enum operand operand, struct sk_conv_direct_args *args) {
  const size_t half = half_in_blocks(panel->run->plan), plane = panel->strip.pixels * SK_BLOCK;
  const struct inputs in = panel->inputs;
  if (operand >= S1) {
    args->x = panel->run->sums + (size_t)(operand - S1) * half * plane;
    args->x_block = plane;
  } else {
    const bool second_pixels = operand == X21 || operand == X22, second_channels = operand == X12 || operand == X22;
    args->x = in.x + (second_pixels ? in.half : 0) + (second_channels ? half * in.block : 0);
    args->x_block = in.block;
  }
  args->x_line = row_pixels(panel) * SK_BLOCK;
  args->x_ahead = args->x_block;
}

/* Have a product of the first panels ask for the inputs of the next strip: for the quarter that it reads or, since no
 * product reads x21, for that. */
static void set_far(const struct panel *panel, enum operand operand, struct sk_conv_direct_args *args) {
  const float *const next = args->x + panel->strip.pixels * SK_BLOCK;
  if (panel->run->division.gathers) return;
  args->far_block = args->x_block;
  if (panel->index == 0 && operand < S1) args->far = next;
  if (panel->index == 1 && operand == X11) args->far = next + panel->inputs.half;
}

/* Have a product that asks for nothing else ask for its share of what is read after the layer. */
static void set_after(const struct panel *panel, size_t product, struct sk_conv_direct_args *args) {
  const struct division *const d = &panel->run->division;
  const sk_conv *plan = panel->run->plan;
  if (!plan->after || args->far) return;
  const size_t pixels = panel->strip.pixels, lines = plan->after_bytes / (SK_BLOCK * sizeof(float));
  const size_t before = (panel->strip.before * d->panels + panel->index * pixels) * PRODUCTS + product * pixels;
  args->far = plan->after + sk_share_of(lines, before, d->parts * d->pixels * d->panels * PRODUCTS).first * SK_BLOCK;
  args->far_block = pixels * SK_BLOCK;
}

/* Set what a product begins with. */
static void set_origin(const struct panel *panel, const struct product *product, struct sk_conv_direct_args *args) {
  const sk_conv *plan = panel->run->plan;
  const float *const bias = plan->bias + panel->index * plan->kernels->tile_blocks * SK_BLOCK;
  if (product->from == NOTHING) {
    args->bias = bias;
    return;
  }
  const struct planes from = kept_planes(panel, product->from);
  args->resume = from.first;
  args->resume_block = from.block;
  args->resume_line = from.line;
  if (product->to == Y22) {
    args->bias = bias + half_outputs(plan);
    args->fork = kept_planes(panel, U).first;
  }
}

/* Set where a product goes. */
static void set_outputs(const struct panel *panel, enum place place, struct sk_conv_direct_args *args) {
  const sk_conv *plan = panel->run->plan;
  const bool is_kept = place >= U;
  const struct planes y = is_kept ? kept_planes(panel, place) : output_planes(panel, place);
  args->y = y.first;
  args->y_block = y.block;
  args->y_line = y.line;
  args->pixels = row_pixels(panel);
  args->rows = panel->strip.pixels / args->pixels;
  if (is_kept) return;
  const struct planes residual = residual_planes(panel, place);
  args->residual = residual.first;
  args->residual_block = residual.block;
  args->residual_line = residual.line;
  if (args->rows == 1 && place != Y22) args->pixels = place_quarter(panel, place).pixels;
  args->relu = plan->relu;
  args->clip = plan->clip;
  args->bounds = plan->bounds;
}

static void multiply(const struct panel *panel, size_t index) {
  const sk_conv *plan = panel->run->plan;
  const struct product *const product = &products[index];
  struct sk_conv_direct_args args = {.x_pixel = SK_BLOCK,
                                     .x_channel = 1,
                                     .weights = product_weights(plan, panel->index, index),
                                     .blocks = panel->blocks,
                                     .channels = half_inputs(plan),
                                     .kernel_height = 1,
                                     .kernel_width = 1};
  set_operand(panel, product->operand, &args);
  set_far(panel, product->operand, &args);
  set_after(panel, index, &args);
  set_origin(panel, product, &args);
  set_outputs(panel, product->to, &args);
  if (args.pixels == 0) return;
  plan->kernels->conv_direct(&args);
  if (product->to < U && is_cut(panel, product->to)) cut_outputs(panel, product->to);
}

static void run_panel(const struct panel *panel) {
  for (size_t i = 0; i < PRODUCTS; i++) multiply(panel, i);
}

/* Compute the thread's panels of the strip numbered `index` of all. */
static void run_strip(const struct strassen_run *run, struct sk_share share, size_t index) {
  const struct division *d = &run->division;
  const struct strip strip = place_strip(run->plan, d, index);
  const struct sk_share panels = sk_share_panels(share, strip.before * d->panels, strip.pixels, d->panels);
  if (panels.first >= panels.end) return;
  const struct inputs inputs = strip_inputs(run, strip);
  sum_inputs(run, inputs, strip);
  for (size_t p = panels.first; p < panels.end; p++) {
    const struct panel panel = {run, inputs, strip, p, panel_blocks(run->plan, p)};
    run_panel(&panel);
  }
}

static void run(const sk_conv *plan, size_t batch, const struct sk_tensor *x, const struct sk_tensor *residual,
                const struct sk_tensor *y, void *workspace) {
  const struct division d = divide(plan, batch, x, residual, y);
#pragma omp parallel num_threads(plan->threads)
  {
    const struct strassen_run strassen_run = begin_run(plan, x, residual, y, d, sk_thread_part(plan, workspace));
    const uint64_t before = sk_denormals_enter(plan->flush_denormals);
    const struct sk_share share = sk_thread_share(d.parts * d.pixels * d.panels);
    for (size_t i = 0; i < d.parts * d.strips; i++) run_strip(&strassen_run, share, i);
    sk_denormals_leave(plan->flush_denormals, before);
    sk_tensor_clear_halo_in_team(y, batch);
  }
}

const struct sk_conv_method sk_conv_method_strassen = {SK_ALGORITHM_STRASSEN, applies, measure, pack, run, 0};
