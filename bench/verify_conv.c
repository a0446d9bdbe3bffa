/* Cases for the direct and the grouped convolution kernels, called through the kernel table. */
#include <math.h>
#include <string.h>

#include "bench/verify_bounds.h"
#include "bench/verify_internal.h"

/* What happens after the chain: every combination is one number from 0 to 17. */
struct epilogue {
  bool bias;
  enum sk_activation activation;
  enum sk_residual residual;
};
enum { EPILOGUES = 2 * SK_ACTIVATIONS * SK_RESIDUALS };

static struct epilogue epilogue_number(size_t number) {
  return (struct epilogue){number % 2 == 0, (enum sk_activation)(number / 2 % SK_ACTIVATIONS),
                           (enum sk_residual)(number / 2 / SK_ACTIVATIONS % SK_RESIDUALS)};
}

/* What becomes of a chain that `roundings` operations made: + residual, activation. */
static struct sk_expected finish(const struct sk_chain *chain, size_t lane, struct epilogue e, float residual,
                                 enum sk_data data, size_t roundings) {
  float bits = chain->bits[lane];
  double exact = chain->sum[lane], magnitude = chain->magnitude[lane];
  if (e.residual != SK_RESIDUAL_NONE) {
    bits += residual;
    exact += (double)residual;
    magnitude += fabs((double)residual);
  }
  const double bound = data == SK_DATA_INTEGERS ? 0 : sk_rounding_bound(roundings + 1, magnitude);
  return (struct sk_expected){sk_activate(e.activation, bits), true, sk_activate_exact(e.activation, exact), bound};
}

/* ---- Direct ---- */

struct direct_case {
  size_t kernel_height, kernel_width, dilation; /* dilation of columns */
  size_t stride;
  bool planar;
  size_t channels;
};

enum { DIRECT_ROWS = 3 }; /* a pair of rows and a single one */

/* The data of the largest run of a case, of which smaller runs use a part. */
struct direct_model {
  const struct direct_case *c;
  enum sk_data data;
  size_t pixels, blocks, in_rows, columns, terms;
  float *x;              /* [channels][in_rows][columns] */
  float *weights;        /* [terms][blocks][16] */
  float *bias;           /* [blocks][16] */
  float *residual;       /* [blocks][DIRECT_ROWS][pixels][16] */
  struct sk_chain *sums; /* [with bias][blocks][DIRECT_ROWS][pixels] */
};

/* Where a model keeps an output pixel. */
static size_t direct_at(const struct direct_model *m, size_t block, size_t row, size_t pixel) {
  return (block * DIRECT_ROWS + row) * m->pixels + pixel;
}

/* Input columns that `pixels` outputs need, and input rows for `rows`. */
static size_t direct_columns(const struct direct_case *c, size_t pixels) {
  return (pixels - 1) * c->stride + (c->kernel_width - 1) * c->dilation + 1;
}
static size_t direct_in_rows(const struct direct_case *c, size_t rows) {
  return (rows - 1) * c->stride + c->kernel_height;
}

/* Collect the inputs of one pixel's chain in the order of the contract: channel block, row, column, channel. */
static void direct_terms(const struct direct_model *m, size_t row, size_t pixel, float *terms) {
  const struct direct_case *c = m->c;
  for (size_t first = 0; first < c->channels; first += SK_BLOCK) {
    const size_t end = first + SK_BLOCK < c->channels ? first + SK_BLOCK : c->channels;
    for (size_t r = 0; r < c->kernel_height; r++) {
      for (size_t s = 0; s < c->kernel_width; s++) {
        const size_t in_row = row * c->stride + r, column = pixel * c->stride + s * c->dilation;
        for (size_t k = first; k < end; k++) *terms++ = m->x[(k * m->in_rows + in_row) * m->columns + column];
      }
    }
  }
}

static void direct_sums(struct sk_verify *v, struct direct_model *m) {
  const size_t outputs = m->blocks * DIRECT_ROWS * m->pixels;
  float *terms = sk_verify_floats(v, m->terms);
  m->sums = sk_verify_scratch(v, 2 * outputs * sizeof *m->sums);
  for (size_t at = 0; at < outputs; at++) {
    const size_t block = at / m->pixels / DIRECT_ROWS;
    const float *weights = m->weights + block * SK_BLOCK;
    direct_terms(m, at / m->pixels % DIRECT_ROWS, at % m->pixels, terms);
    sk_chain_compute(m->terms, terms, false, weights, m->blocks * SK_BLOCK, NULL, &m->sums[at]);
    sk_chain_compute(m->terms, terms, false, weights, m->blocks * SK_BLOCK, m->bias + block * SK_BLOCK,
                     &m->sums[outputs + at]);
  }
}

static struct direct_model make_direct_model(struct sk_verify *v, const struct direct_case *c, enum sk_data data,
                                             size_t blocks) {
  struct direct_model m = {.c = c, .data = data, .pixels = 2 * v->kernels->tile_pixels + 1, .blocks = blocks};
  m.columns = direct_columns(c, m.pixels);
  m.in_rows = direct_in_rows(c, DIRECT_ROWS);
  m.terms = c->channels * c->kernel_height * c->kernel_width;
  const size_t lanes = blocks * SK_BLOCK;
  const double largest = (double)m.terms + 2;
  m.x = sk_verify_random_part(v, data, SK_PART_X, largest, c->channels * m.in_rows * m.columns);
  m.weights = sk_verify_random_part(v, data, SK_PART_WEIGHTS, largest, m.terms * lanes);
  m.bias = sk_verify_random_part(v, data, SK_PART_ADDEND, largest, lanes);
  m.residual = sk_verify_random_part(v, data, SK_PART_ADDEND, largest, lanes * DIRECT_ROWS * m.pixels);
  for (size_t l = 0; l < lanes && data == SK_DATA_CANCELLATION; l++) sk_random_cancel(m.weights + l, m.terms, lanes);
  direct_sums(v, &m);
  return m;
}

/* Whether an output reads this distance from the first input, along one dimension. */
static bool is_read(size_t at, size_t outputs, size_t stride, size_t taps, size_t dilation) {
  for (size_t s = 0; s < taps; s++) {
    const size_t tap = s * dilation;
    if (at >= tap && (at - tap) % stride == 0 && (at - tap) / stride < outputs) return true;
  }
  return false;
}

/* Lay the input of a run out in memory, poison wherever the equation names nothing, and set the strides. */
static float *direct_input(struct sk_verify *v, const struct direct_model *m, struct sk_conv_direct_args *args,
                           size_t *floats) {
  const struct direct_case *c = m->c;
  const size_t columns = direct_columns(c, args->pixels), in_rows = direct_in_rows(c, args->rows);
  const size_t unit = c->planar ? 1 : SK_BLOCK, row = (columns + 3) * unit, plane = in_rows * row + 5 * unit;
  args->x_line = c->stride * row;
  args->x_row = row;
  args->x_channel = c->planar ? plane : 1;
  args->x_block = c->planar ? SK_BLOCK * plane : plane;
  args->x_column = c->dilation * unit;
  args->x_pixel = c->stride * unit;
  const size_t planes = c->planar ? c->channels : (c->channels + SK_BLOCK - 1) / SK_BLOCK;
  *floats = (planes - 1) * plane + (in_rows - 1) * row + columns * unit;
  float *x = sk_verify_floats(v, *floats);
  sk_fill_canaries(x, *floats);
  for (size_t at = 0; at < in_rows * columns; at++) {
    const size_t i = at / columns, j = at % columns;
    if (!is_read(i, args->rows, c->stride, c->kernel_height, 1)) continue;
    if (!is_read(j, args->pixels, c->stride, c->kernel_width, c->dilation)) continue;
    float *to = x + i * row + j * unit;
    for (size_t k = 0; k < c->channels; k++) {
      to[k / SK_BLOCK * args->x_block + k % SK_BLOCK * args->x_channel] = m->x[(k * m->in_rows + i) * m->columns + j];
    }
  }
  return x;
}

static void check_direct(struct sk_verify *v, const struct direct_model *m, const struct sk_conv_direct_args *args,
                         struct epilogue e) {
  const struct sk_region region = {args->blocks, args->y_block, args->rows, args->y_line, args->pixels * SK_BLOCK};
  const struct sk_chain *sums = m->sums + (e.bias ? m->blocks * DIRECT_ROWS * m->pixels : 0);
  for (size_t n = 0; n < args->blocks * args->rows * args->pixels; n++) {
    const size_t p = n % args->pixels, i = n / args->pixels % args->rows, b = n / args->pixels / args->rows;
    const float *y = args->y + b * args->y_block + i * args->y_line + p * SK_BLOCK;
    const size_t at = direct_at(m, b, i, p);
    for (size_t l = 0; l < SK_BLOCK; l++) {
      const struct sk_expected expected = finish(&sums[at], l, e, m->residual[at * SK_BLOCK + l], m->data, m->terms);
      if (!sk_verify_value(v, y[l], &expected, "y", b * SK_BLOCK + l, i, p)) return;
    }
  }
  sk_verify_only_wrote(v, SK_SLOT_Y, &region);
  sk_verify_inputs_unchanged(v);
}

static void copy_residual(const struct direct_model *m, const struct sk_conv_direct_args *args, float *to,
                          size_t block_stride, size_t line) {
  for (size_t n = 0; n < args->blocks * args->rows; n++) {
    const size_t b = n / args->rows, i = n % args->rows;
    memcpy(to + b * block_stride + i * line, m->residual + direct_at(m, b, i, 0) * SK_BLOCK,
           args->pixels * SK_BLOCK * sizeof *to);
  }
}

/* Place output and residual: apart, or one in the other. */
static void place_direct_output(struct sk_verify *v, const struct direct_model *m, struct sk_conv_direct_args *args,
                                struct epilogue e, enum sk_guard_side side) {
  const size_t width = args->pixels * SK_BLOCK;
  args->y_line = width + 2 * SK_BLOCK;
  args->y_block = args->rows * args->y_line + 3 * SK_BLOCK;
  const size_t floats = (args->blocks - 1) * args->y_block + (args->rows - 1) * args->y_line + width;
  args->y = sk_verify_output(v, SK_SLOT_Y, floats, side);
  if (e.residual == SK_RESIDUAL_IN_PLACE) {
    copy_residual(m, args, args->y, args->y_block, args->y_line);
    args->residual = args->y;
    args->residual_block = args->y_block;
    args->residual_line = args->y_line;
  } else if (e.residual == SK_RESIDUAL_SEPARATE) {
    args->residual_line = width + SK_BLOCK;
    args->residual_block = args->rows * args->residual_line + 4 * SK_BLOCK;
    const size_t size = (args->blocks - 1) * args->residual_block + (args->rows - 1) * args->residual_line + width;
    float *residual = sk_verify_floats(v, size);
    sk_fill_canaries(residual, size);
    copy_residual(m, args, residual, args->residual_block, args->residual_line);
    args->residual = sk_verify_input(v, SK_SLOT_RESIDUAL, residual, size, side);
  }
}

/* Compute the first 16 channels by a call of their own, and leave the others to go on from there. */
static void run_first_block(struct sk_verify *v, struct sk_conv_direct_args *args) {
  struct sk_conv_direct_args part = *args;
  part.channels = SK_BLOCK;
  part.residual = NULL;
  part.relu = part.clip = false;
  v->kernels->conv_direct(&part);
  args->x += args->x_block;
  args->weights += SK_BLOCK * args->kernel_height * args->kernel_width * args->blocks * SK_BLOCK;
  args->channels -= SK_BLOCK;
  args->resume = args->y;
  args->resume_block = args->y_block;
  args->resume_line = args->y_line;
}

static void run_direct(struct sk_verify *v, const struct direct_model *m, size_t rows, size_t pixels, struct epilogue e,
                       enum sk_guard_side side) {
  const struct direct_case *c = m->c;
  const size_t mark = v->scratch_count;
  size_t floats;
  struct sk_conv_direct_args args = {.rows = rows,
                                     .pixels = pixels,
                                     .blocks = m->blocks,
                                     .channels = c->channels,
                                     .kernel_height = c->kernel_height,
                                     .kernel_width = c->kernel_width,
                                     .relu = e.activation == SK_ACTIVATION_RELU,
                                     .clip = e.activation == SK_ACTIVATION_CLIP,
                                     .bounds = sk_activation_bounds};
  sk_verify_at(v, "%s, %zux%zu pixels, %zu blocks, %s, %s, %s, %s", sk_data_name(m->data), rows, pixels, m->blocks,
               e.bias ? "bias" : "no bias", sk_residual_name(e.residual), sk_activation_name(e.activation),
               sk_guard_side_name(side));
  const float *x = direct_input(v, m, &args, &floats);
  args.x = sk_verify_input(v, SK_SLOT_X, x, floats, side);
  args.weights = sk_verify_input(v, SK_SLOT_WEIGHTS, m->weights, m->terms * m->blocks * SK_BLOCK, side);
  if (e.bias) args.bias = sk_verify_input(v, SK_SLOT_BIAS, m->bias, m->blocks * SK_BLOCK, side);
  place_direct_output(v, m, &args, e, side);
  const bool in_parts = c->channels > SK_BLOCK && e.residual != SK_RESIDUAL_IN_PLACE && (rows + pixels) % 2 == 0;
  if (in_parts) run_first_block(v, &args);
  v->kernels->conv_direct(&args);
  check_direct(v, m, &args, e);
  sk_verify_release(v, mark);
}

/* Whether a size of an output patch has its turn. */
static bool takes_patch(const struct sk_verify *v, const struct direct_model *m, size_t rows, size_t pixels) {
  if (sk_verify_exhaustive(v)) return true;
  /* Adversarial data is for the arithmetic, which all patches share: the widest have it. */
  if (m->data > SK_DATA_REALS && pixels < m->pixels) return false;
  /* Wide patches repeat what narrower ones showed: they take turns in height. */
  return pixels <= v->kernels->tile_pixels + 1 || rows == pixels % DIRECT_ROWS + 1;
}

/* The epilogues take turns, or all have theirs. */
static void run_direct_patch(struct sk_verify *v, const struct direct_model *m, size_t rows, size_t pixels) {
  const size_t epilogues = sk_verify_exhaustive(v) ? EPILOGUES : 1;
  const size_t turn = pixels * 5 + rows * 7 + m->c->channels * 11 + m->data * 3 + m->blocks;
  for (size_t i = 0; i < epilogues && !sk_verify_failed(v); i++) {
    const struct epilogue e = epilogue_number((turn + i) % EPILOGUES);
    for (enum sk_guard_side side = 0; side < SK_GUARD_SIDES; side++) run_direct(v, m, rows, pixels, e, side);
  }
}

static void run_direct_patches(struct sk_verify *v, const struct direct_model *m) {
  for (size_t rows = 1; rows <= DIRECT_ROWS; rows++) {
    for (size_t pixels = 1; pixels <= m->pixels && !sk_verify_failed(v); pixels++) {
      if (takes_patch(v, m, rows, pixels)) run_direct_patch(v, m, rows, pixels);
    }
  }
}

static void direct_case(struct sk_verify *v, const void *parameters) {
  for (size_t blocks = 1; blocks <= v->kernels->tile_blocks; blocks++) {
    for (enum sk_data data = SK_DATA_INTEGERS; data < SK_DATA_KINDS && !sk_verify_failed(v); data++) {
      const struct direct_case *c = parameters;
      if (!sk_verify_takes(v, data, c->channels + c->stride + c->planar + blocks)) continue;
      const struct direct_model m = make_direct_model(v, c, data, blocks);
      v->data = data;
      run_direct_patches(v, &m);
    }
  }
}

static void direct_cases(struct sk_verify *v) {
  static const size_t kernels[][3] = {{1, 1, 1}, {3, 3, 1}, {7, 7, 1}, {2, 5, 2}};
  static const size_t channels[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 31, 32, 33, 48, 64};
  static const size_t large_channels[] = {1, 3, 4, 10, 15, 16, 17, 33};
  for (size_t n = 0; n < sizeof kernels / sizeof kernels[0] * 6; n++) {
    const size_t *const k = kernels[n / 6];
    const size_t stride = n % 3 + 1;
    const bool planar = n / 3 % 2 == 1, few = k[0] * k[1] > 9 && !sk_verify_exhaustive(v);
    const size_t count = few ? sizeof large_channels / sizeof large_channels[0] : sizeof channels / sizeof channels[0];
    for (size_t i = 0; i < count; i++) {
      const struct direct_case parameters = {k[0], k[1], k[2], stride, planar, few ? large_channels[i] : channels[i]};
      const struct sk_verify_case c = {"conv_direct", NULL, direct_case, &parameters};
      sk_verify_run(v, &c, "conv_direct/k%zux%zu/%s-stride%zu/c%zu", k[0], k[1], planar ? "planar" : "blocked", stride,
                    parameters.channels);
    }
  }
}

/* ---- Grouped ---- */

struct grouped_case {
  size_t kernel_height, kernel_width;
  size_t stride, channels; /* of one group */
  enum sk_grouped_lanes lanes;
};

enum { GROUPED_PIXELS = 9, GROUPED_PLANES = 3 }; /* two tiles of 4 and a tail; lanes spread over three blocks */

struct grouped_model {
  const struct grouped_case *c;
  enum sk_data data;
  size_t columns, terms;
  float *x;        /* [plane][kernel_height][columns][16] */
  uint32_t *lane;  /* [channels][16]: plane * 16 + lane that is read */
  float *weights;  /* [terms][16] */
  float *bias;     /* [16] */
  float *residual; /* [pixels][16] */
  struct sk_chain sums[2][GROUPED_PIXELS];
};

static size_t grouped_columns(const struct grouped_case *c, size_t pixels) {
  return (pixels - 1) * c->stride + c->kernel_width;
}

static void choose_lanes(struct sk_verify *v, struct grouped_model *m) {
  const struct grouped_case *c = m->c;
  m->lane = sk_verify_scratch(v, c->channels * SK_BLOCK * sizeof *m->lane);
  for (size_t i = 0; i < c->channels * SK_BLOCK; i++) {
    const size_t any = sk_random_below(&v->random, GROUPED_PLANES * SK_BLOCK);
    const size_t whole_block = i / SK_BLOCK % GROUPED_PLANES * SK_BLOCK + i % SK_BLOCK;
    const size_t of_group = SK_BLOCK + i % SK_BLOCK / c->channels * c->channels + i / SK_BLOCK;
    m->lane[i] = (uint32_t)(c->lanes == SK_LANES_CONTIGUOUS ? whole_block
                            : c->lanes == SK_LANES_PERMUTED ? of_group
                                                            : any);
  }
}

static float grouped_x(const struct grouped_model *m, size_t lane, size_t r, size_t column) {
  const size_t row = lane / SK_BLOCK * m->c->kernel_height + r;
  return m->x[(row * m->columns + column) * SK_BLOCK + lane % SK_BLOCK];
}

static void grouped_sums(struct sk_verify *v, struct grouped_model *m) {
  const struct grouped_case *c = m->c;
  float *terms = sk_verify_floats(v, m->terms * SK_BLOCK);
  for (size_t p = 0; p < GROUPED_PIXELS; p++) {
    for (size_t t = 0; t < m->terms; t++) {
      const size_t tap = t / c->channels, j = t % c->channels;
      const size_t r = tap / c->kernel_width, s = tap % c->kernel_width;
      for (size_t l = 0; l < SK_BLOCK; l++) {
        terms[t * SK_BLOCK + l] = grouped_x(m, m->lane[j * SK_BLOCK + l], r, p * c->stride + s);
      }
    }
    sk_chain_compute(m->terms, terms, true, m->weights, SK_BLOCK, NULL, &m->sums[0][p]);
    sk_chain_compute(m->terms, terms, true, m->weights, SK_BLOCK, m->bias, &m->sums[1][p]);
  }
}

static void make_grouped_model(struct sk_verify *v, const struct grouped_case *c, enum sk_data data,
                               struct grouped_model *m) {
  *m = (struct grouped_model){.c = c, .data = data};
  m->columns = grouped_columns(c, GROUPED_PIXELS);
  m->terms = c->channels * c->kernel_height * c->kernel_width;
  const double largest = (double)m->terms + 2;
  const size_t floats = GROUPED_PLANES * c->kernel_height * m->columns * SK_BLOCK;
  m->x = sk_verify_random_part(v, data, SK_PART_X, largest, floats);
  choose_lanes(v, m);
  m->weights = sk_verify_random_part(v, data, SK_PART_WEIGHTS, largest, m->terms * SK_BLOCK);
  m->bias = sk_verify_random_part(v, data, SK_PART_ADDEND, largest, SK_BLOCK);
  m->residual = sk_verify_random_part(v, data, SK_PART_ADDEND, largest, GROUPED_PIXELS * SK_BLOCK);
  for (size_t l = 0; l < SK_BLOCK && data == SK_DATA_CANCELLATION; l++) {
    sk_random_cancel(m->weights + l, m->terms, SK_BLOCK);
  }
  grouped_sums(v, m);
}

/* Lay out the lanes that are read, poison around them, and the offsets that lead to them. */
static void place_grouped_input(struct sk_verify *v, const struct grouped_model *m, struct sk_conv_grouped_args *args,
                                enum sk_guard_side side) {
  const struct grouped_case *c = m->c;
  const size_t columns = grouped_columns(c, args->pixels);
  args->x_column = SK_BLOCK;
  args->x_pixel = c->stride * SK_BLOCK;
  args->x_row = (columns + 2) * SK_BLOCK;
  const size_t plane = c->kernel_height * args->x_row + 3 * SK_BLOCK;
  const size_t floats = (GROUPED_PLANES - 1) * plane + (c->kernel_height - 1) * args->x_row + columns * SK_BLOCK;
  float *x = sk_verify_floats(v, floats);
  int32_t *offsets = sk_verify_scratch(v, c->channels * SK_BLOCK * sizeof *offsets);
  sk_fill_canaries(x, floats);
  for (size_t i = 0; i < c->channels * SK_BLOCK; i++) {
    const size_t offset = m->lane[i] / SK_BLOCK * plane + m->lane[i] % SK_BLOCK;
    offsets[i] = (int32_t)offset;
    for (size_t p = 0; p < args->pixels * c->kernel_width * c->kernel_height; p++) {
      const size_t r = p / args->pixels / c->kernel_width;
      const size_t column = p % args->pixels * c->stride + p / args->pixels % c->kernel_width;
      x[offset + r * args->x_row + column * SK_BLOCK] = grouped_x(m, m->lane[i], r, column);
    }
  }
  args->x = sk_verify_input(v, SK_SLOT_X, x, floats, side);
  args->lane_offset = sk_verify_input(v, SK_SLOT_OFFSETS, offsets, c->channels * SK_BLOCK, side);
}

static void check_grouped(struct sk_verify *v, const struct grouped_model *m, const struct sk_conv_grouped_args *args,
                          struct epilogue e) {
  const struct sk_region region = {1, 0, 1, 0, args->pixels * SK_BLOCK};
  for (size_t p = 0; p < args->pixels; p++) {
    for (size_t l = 0; l < SK_BLOCK; l++) {
      const struct sk_expected expected =
          finish(&m->sums[e.bias ? 1 : 0][p], l, e, m->residual[p * SK_BLOCK + l], m->data, m->terms);
      if (!sk_verify_value(v, args->y[p * SK_BLOCK + l], &expected, "y", 0, p, l)) return;
    }
  }
  sk_verify_only_wrote(v, SK_SLOT_Y, &region);
  sk_verify_inputs_unchanged(v);
}

static void run_grouped(struct sk_verify *v, const struct grouped_model *m, size_t pixels, struct epilogue e,
                        enum sk_guard_side side) {
  const struct grouped_case *c = m->c;
  const size_t mark = v->scratch_count, floats = pixels * SK_BLOCK;
  struct sk_conv_grouped_args args = {.lanes = c->lanes,
                                      .pixels = pixels,
                                      .channels = c->channels,
                                      .kernel_height = c->kernel_height,
                                      .kernel_width = c->kernel_width,
                                      .relu = e.activation == SK_ACTIVATION_RELU,
                                      .clip = e.activation == SK_ACTIVATION_CLIP,
                                      .bounds = sk_activation_bounds};
  sk_verify_at(v, "%s, %zu pixels, %s, %s, %s, %s", sk_data_name(m->data), pixels, e.bias ? "bias" : "no bias",
               sk_residual_name(e.residual), sk_activation_name(e.activation), sk_guard_side_name(side));
  place_grouped_input(v, m, &args, side);
  args.weights = sk_verify_input(v, SK_SLOT_WEIGHTS, m->weights, m->terms * SK_BLOCK, side);
  if (e.bias) args.bias = sk_verify_input(v, SK_SLOT_BIAS, m->bias, SK_BLOCK, side);
  args.y = sk_verify_output(v, SK_SLOT_Y, floats, side);
  if (e.residual == SK_RESIDUAL_SEPARATE) {
    args.residual = sk_verify_input(v, SK_SLOT_RESIDUAL, m->residual, floats, side);
  } else if (e.residual == SK_RESIDUAL_IN_PLACE) {
    args.residual = memcpy(args.y, m->residual, floats * sizeof(float));
  }
  v->kernels->conv_grouped(&args);
  check_grouped(v, m, &args, e);
  sk_verify_release(v, mark);
}

static void grouped_case(struct sk_verify *v, const void *parameters) {
  for (enum sk_data data = SK_DATA_INTEGERS; data < SK_DATA_KINDS; data++) {
    const struct grouped_case *c = parameters;
    struct grouped_model m;
    if (!sk_verify_takes(v, data, c->channels + c->stride + (size_t)c->lanes)) continue;
    make_grouped_model(v, c, data, &m);
    v->data = data;
    for (size_t pixels = data > SK_DATA_REALS && !sk_verify_exhaustive(v) ? GROUPED_PIXELS : 1;
         pixels <= GROUPED_PIXELS; pixels++) {
      for (size_t i = 0; i < EPILOGUES; i++) {
        for (enum sk_guard_side side = 0; side < SK_GUARD_SIDES; side++) {
          run_grouped(v, &m, pixels, epilogue_number(i), side);
        }
        if (sk_verify_failed(v)) return;
      }
    }
  }
}

static void grouped_cases(struct sk_verify *v) {
  static const size_t kernels[][2] = {{1, 1}, {3, 3}, {2, 5}};
  static const size_t channels[] = {1, 2, 3, 4, 5, 8, 17};
  static const char *const names[] = {"gathered", "contiguous", "permuted"};
  enum { LANES = sizeof names / sizeof names[0] };
  for (size_t k = 0; k < sizeof kernels / sizeof kernels[0]; k++) {
    for (size_t stride = 1; stride <= 3; stride++) {
      for (size_t i = 0; i < LANES * sizeof channels / sizeof channels[0]; i++) {
        const struct grouped_case parameters = {kernels[k][0], kernels[k][1], stride, channels[i / LANES],
                                                (enum sk_grouped_lanes)(i % LANES)};
        const size_t c = parameters.channels;
        if (parameters.lanes == SK_LANES_PERMUTED && c != 2 && c != 4 && c != 8) continue;
        const struct sk_verify_case verified = {"conv_grouped", NULL, grouped_case, &parameters};
        sk_verify_run(v, &verified, "conv_grouped/k%zux%zu/stride%zu/c%zu/%s", kernels[k][0], kernels[k][1], stride, c,
                      names[parameters.lanes]);
      }
    }
  }
}

void sk_verify_conv_kernels(struct sk_verify *v) {
  direct_cases(v);
  grouped_cases(v);
}
