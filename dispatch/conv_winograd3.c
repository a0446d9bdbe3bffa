/*
 * Winograd convolution F(3,4) of the phases of an image: kernels of 7x7 with stride 2, which networks begin with.
 *
 * The even and the odd rows and columns of an image are its four phases. A 7x7 kernel of stride 2 is one of 4x4 and
 * stride 1 over all phases together, the taps (r, s) with r = 2i + a and s = 2j + b over phase (a, b); those of an odd
 * phase lack the fourth, which is zero. Of an image of 3 channels that is 12 channels, a block of 16 as the others.
 *
 * The outputs of a band, some rows of tiles, are computed at a time, and what they need stays in the L2 cache: the
 * phases are gathered, transformed as F(4,3)'s tiles are, and multiplied and transformed back a row of tiles and a
 * block of outputs at a time. Tiles are always whole: what lies outside the image is zero.
 * Source: Lavin and Gray (2016), section 4; points in kernels/winograd_points.h.
 */
#include <string.h>

#include "dispatch/conv_internal.h"
#include "dispatch/status.h"
#include "dispatch/winograd_filter.h"
#include "dispatch/winograd_tile.h"

enum { OUTPUTS = 3, ALPHA = 6, POINTS = ALPHA * ALPHA, TAPS = 4, PHASES = 4 };

static bool applies(const sk_conv_shape *s) {
  const bool strided = s->stride_height == 2 && s->stride_width == 2;
  const bool dilated = s->dilation_height > 1 || s->dilation_width > 1;
  return s->kernel_height == 7 && s->kernel_width == 7 && strided && !dilated && s->groups == 1 &&
         s->in_channels * PHASES <= SK_BLOCK;
}

/* Channels of all phases: channel c of phase (a, b) is channel (2a + b) * in_channels + c. */
static size_t phase_channels(const sk_conv *plan) { return plan->shape.in_channels * PHASES; }

static size_t out_blocks(const sk_conv *plan) { return sk_blocks(plan->shape.out_channels); }

/* Tiles of a row and of a column, and rows of tiles in a band. */
static size_t tiles_across(const sk_conv *plan) { return sk_size_divide_up(plan->out_width, OUTPUTS); }
static size_t tiles_down(const sk_conv *plan) { return sk_size_divide_up(plan->out_height, OUTPUTS); }
static size_t band_rows(const sk_conv *plan) { return plan->tile_block; }

/* Where the weights of one block begin: [block][column of points][channel][row of points][16]. */
static float *block_weights(const sk_conv *plan, size_t block) {
  return plan->weights + block * POINTS * phase_channels(plan) * SK_BLOCK;
}

/* Read the 4x4 kernel of one channel of one phase for a block of outputs; zeros where there is no output or tap. */
static void gather_filters(const sk_conv_shape *s, const float *weights, size_t block, size_t channel,
                           float w[TAPS * TAPS][SK_BLOCK]) {
  const size_t phase = channel / s->in_channels, plane = channel % s->in_channels;
  const size_t first = block * SK_BLOCK, count = sk_size_min(SK_BLOCK, s->out_channels - first);
  memset(w, 0, TAPS * TAPS * sizeof *w);
  for (size_t t = 0; t < TAPS * TAPS; t++) {
    const size_t row = 2 * (t / TAPS) + phase / 2, column = 2 * (t % TAPS) + phase % 2;
    if (row >= s->kernel_height || column >= s->kernel_width) continue;
    for (size_t l = 0; l < count; l++) {
      w[t][l] = weights[(((first + l) * s->in_channels + plane) * s->kernel_height + row) * s->kernel_width + column];
    }
  }
}

static void pack(sk_conv *plan, const float *weights) {
  const size_t channels = phase_channels(plan);
  const struct sk_winograd_filter filter = sk_winograd_filter_f3k4();
  for (size_t i = 0; i < out_blocks(plan) * channels; i++) {
    const size_t block = i / channels, c = i % channels;
    float w[TAPS * TAPS][SK_BLOCK], u[POINTS][SK_BLOCK];
    gather_filters(&plan->shape, weights, block, c, w);
    sk_winograd_filter_transform(&filter, (const float(*)[SK_BLOCK])w, u);
    for (size_t p = 0; p < POINTS; p++) {
      const size_t row = p / ALPHA, column = p % ALPHA;
      memcpy(block_weights(plan, block) + ((column * channels + c) * ALPHA + row) * SK_BLOCK, u[p], sizeof u[p]);
    }
  }
}

/* ---- Bands ---- */

/* Pixels of a band's phases, which tiles of a band share, down and along. */
static size_t phase_rows(const sk_conv *plan) { return band_rows(plan) * OUTPUTS + TAPS - 1; }
static size_t phase_columns(const sk_conv *plan) { return tiles_across(plan) * OUTPUTS + TAPS - 1; }
static size_t phase_floats(const sk_conv *plan) { return phase_rows(plan) * phase_columns(plan) * SK_BLOCK; }

static size_t band_tiles(const sk_conv *plan) { return band_rows(plan) * tiles_across(plan); }

/* The transformed tiles of a band, and those of a row that are transformed back halfway. */
static size_t band_floats(const sk_conv *plan) { return band_tiles(plan) * POINTS * SK_BLOCK; }
static size_t half_floats(const sk_conv *plan) { return tiles_across(plan) * OUTPUTS * ALPHA * SK_BLOCK; }

static size_t thread_floats(const sk_conv *plan) { return phase_floats(plan) + band_floats(plan) + half_floats(plan); }

/* Rows of tiles of which a thread's buffers take three quarters of an L2 cache, but no more than give every thread some
 * bands. */
static void choose_band(sk_conv *plan) {
  const size_t bands = plan->threads == 1 ? 1 : 4 * (size_t)plan->threads;
  const size_t most = sk_size_divide_up(plan->shape.batch * tiles_down(plan), bands);
  plan->tile_block = 1;
  const size_t fitting = plan->caches.l2_bytes / 4 * 3 / (thread_floats(plan) * sizeof(float));
  plan->tile_block = sk_size_max(1, sk_size_min(fitting, sk_size_min(most, tiles_down(plan))));
}

static sk_status measure(sk_conv *plan) {
  const sk_status status = sk_conv_size_weights(plan, POINTS, out_blocks(plan) * SK_BLOCK, phase_channels(plan));
  if (status) return status;
  /* Whether a band of one row of tiles has a size at all: its points, and as much again for its phases. Bands of more
   * are held to a budget. */
  size_t bytes;
  const size_t tile_bytes = (POINTS + OUTPUTS * ALPHA) * SK_BLOCK * 2 * sizeof(float);
  if (!sk_size_multiply(tiles_across(plan), tile_bytes, &bytes) || bytes > PTRDIFF_MAX) {
    return sk_fail(SK_INVALID_ARGUMENT, "convolution: the size of the transformed tiles overflows");
  }
  choose_band(plan);
  return sk_conv_size_threads(plan, thread_floats(plan), "transformed tiles");
}

/* One band of a run: rows of tiles from `first` on, and the calling thread's buffers. */
struct band {
  const sk_conv *plan;
  const struct sk_tensor *x, *residual, *y;
  float *phases; /* [row][column][16] */
  float *v;      /* [tile][point][16] */
  float *half;   /* [tile of a row][3][6][16] */
  size_t image, first, rows;
};

static size_t tile_count(const struct band *band) { return band->rows * tiles_across(band->plan); }

/* The part of a row or column of one phase that lies on the image: its pixel i is the image's 2i + phase - pad. */
struct span {
  size_t first, end;
};

static struct span on_image(size_t phase, size_t pad, size_t size, size_t pixels) {
  const size_t first = pad > phase ? (pad - phase + 1) / 2 : 0, end = (size + pad - phase + 1) / 2;
  return (struct span){first, sk_size_min(end, pixels)};
}

/* Gather the columns of one phase and channel from a row of the image; `to`: its lane of the first pixel. */
static void gather_columns(const struct band *band, size_t phase, size_t channel, size_t row, float *to) {
  const sk_conv_shape *s = &band->plan->shape;
  const bool planar = band->x->layout == SK_LAYOUT_NCHW;
  const struct span span = on_image(phase, s->pad_left, s->in_width, phase_columns(band->plan));
  const size_t pixel = sk_tensor_pixel(band->x);
  const float *const from =
      sk_tensor_at(band->x, band->image, planar ? channel : 0) + (planar ? 0 : channel) + row * sk_tensor_row(band->x);
  for (size_t j = span.first; j < span.end; j++) to[j * SK_BLOCK] = from[(2 * j + phase - s->pad_left) * pixel];
}

/* Gather one row of all phases. */
static void gather_row(const struct band *band, size_t row, float *to) {
  const sk_conv_shape *s = &band->plan->shape;
  memset(to, 0, phase_columns(band->plan) * SK_BLOCK * sizeof *to);
  for (size_t lane = 0; lane < phase_channels(band->plan); lane++) {
    const size_t phase = lane / s->in_channels, channel = lane % s->in_channels;
    const struct span span = on_image(phase / 2, s->pad_top, s->in_height, row + 1);
    if (row < span.first || row >= span.end) continue;
    gather_columns(band, phase % 2, channel, 2 * row + phase / 2 - s->pad_top, to + lane);
  }
}

static void transform_inputs(const struct band *band) {
  const sk_conv *plan = band->plan;
  const size_t row = phase_columns(plan) * SK_BLOCK, across = tiles_across(plan);
  for (size_t tile = 0; tile < tile_count(band); tile++) {
    const struct sk_winograd_input_args args = {
        .x = band->phases + tile / across * OUTPUTS * row + tile % across * OUTPUTS * SK_BLOCK,
        .x_row = row,
        .rows = ALPHA,
        .columns = ALPHA,
        .v = band->v + tile * POINTS * SK_BLOCK,
        .v_point = SK_BLOCK};
    plan->kernels->winograd_input_f4k3(&args);
  }
}

/* The outputs of a row of tiles in one plane. */
static struct sk_winograd_output_args row_outputs(const struct band *band, size_t row, size_t plane) {
  struct sk_winograd_tile first = sk_winograd_tile_at(band->y, OUTPUTS, band->image, (band->first + row) * OUTPUTS, 0);
  first.columns = band->y->width;
  return sk_winograd_tile_outputs(band->plan, band->residual, band->y, plane, first);
}

/* Multiply a row of tiles, and transform them back to one plane of outputs. */
static void run_row(const struct band *band, size_t row, size_t plane) {
  const sk_conv *plan = band->plan;
  const struct sk_winograd_row_args args = {.v = band->v + row * tiles_across(plan) * POINTS * SK_BLOCK,
                                            .weights = block_weights(plan, plane),
                                            .half = band->half,
                                            .tiles = tiles_across(plan),
                                            .channels = phase_channels(plan),
                                            .outputs = row_outputs(band, row, plane)};
  plan->kernels->winograd_row_f3k4(&args);
}

static void run_band(const struct band *band) {
  const sk_conv *plan = band->plan;
  const size_t row = phase_columns(plan) * SK_BLOCK, rows = band->rows * OUTPUTS + TAPS - 1;
  for (size_t i = 0; i < rows; i++) gather_row(band, band->first * OUTPUTS + i, band->phases + i * row);
  transform_inputs(band);
  for (size_t plane = 0; plane < out_blocks(plan); plane++) {
    for (size_t i = 0; i < band->rows; i++) run_row(band, i, plane);
  }
}

/* Bands of each image: as many as the threads can share evenly, unless they share whole images. */
static size_t band_count(const sk_conv *plan, size_t batch) {
  const size_t down = tiles_down(plan), bands = sk_size_divide_up(down, band_rows(plan));
  const size_t threads = (size_t)plan->threads;
  return batch % threads == 0 ? bands : sk_size_min(sk_size_round_up(bands, threads), down);
}

static void run(const sk_conv *plan, size_t batch, const struct sk_tensor *x, const struct sk_tensor *residual,
                const struct sk_tensor *y, void *workspace) {
  const size_t bands = band_count(plan, batch);
#pragma omp parallel num_threads(plan->threads)
  {
    float *const own = sk_thread_part(plan, workspace);
    struct band band = {.plan = plan, .x = x, .residual = residual, .y = y, .phases = own};
    band.v = band.phases + phase_floats(plan);
    band.half = band.v + band_floats(plan);
    const uint64_t before = sk_denormals_enter(plan->flush_denormals);
#pragma omp for schedule(static)
    for (size_t i = 0; i < batch * bands; i++) {
      band.image = i / bands;
      band.first = tiles_down(plan) * (i % bands) / bands;
      band.rows = tiles_down(plan) * (i % bands + 1) / bands - band.first;
      run_band(&band);
    }
    sk_denormals_leave(plan->flush_denormals, before);
    sk_tensor_clear_halo_in_team(y, batch);
  }
}

const struct sk_conv_method sk_conv_method_winograd3 = {SK_ALGORITHM_WINOGRAD3, applies, measure, pack, run, 0};
