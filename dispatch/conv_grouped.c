/* Grouped convolution whose groups are no multiple of 16 channels, depthwise included. */
#include "dispatch/conv_internal.h"
#include "dispatch/status.h"

static bool applies(const sk_conv_shape *s) { return s->groups > 1 && !sk_conv_method_direct.applies(s); }

static size_t taps(const sk_conv_shape *s) { return s->kernel_height * s->kernel_width; }

static size_t offsets_per_block(const sk_conv_shape *s) { return sk_conv_group_inputs(s) * SK_BLOCK; }

/* The input channel that output channel `k` multiplies with its j-th weight. Padding lanes repeat the last channel. */
static size_t input_channel(const sk_conv_shape *s, size_t k, size_t j) {
  const size_t real = sk_size_min(k, s->out_channels - 1);
  return real / sk_conv_group_outputs(s) * sk_conv_group_inputs(s) + j;
}

/* Every output channel has an input channel of its own, in order: one load serves all lanes. */
static bool depthwise(const sk_conv_shape *s) { return sk_conv_group_inputs(s) == 1 && sk_conv_group_outputs(s) == 1; }

/* What the kernel may know of where its lanes read. */
static enum sk_grouped_lanes choose_lanes(const sk_conv_shape *s) {
  const size_t inputs = sk_conv_group_inputs(s);
  if (depthwise(s)) return SK_LANES_CONTIGUOUS;
  const bool is_permuted = inputs == sk_conv_group_outputs(s) && (inputs == 2 || inputs == 4 || inputs == 8) &&
                           s->out_channels % SK_BLOCK == 0;
  return is_permuted ? SK_LANES_PERMUTED : SK_LANES_SCATTERED;
}

static sk_status measure(sk_conv *plan) {
  const sk_conv_shape *s = &plan->shape;
  const size_t blocks = sk_blocks(s->out_channels);
  if ((s->in_height + 2 * sk_conv_halo(s)) * (s->in_width + 2 * sk_conv_halo(s)) >
      INT32_MAX / (s->in_channels + SK_BLOCK)) {
    return sk_fail(SK_UNSUPPORTED, "convolution: %zu groups over a plane of %zux%zu exceed 32-bit offsets", s->groups,
                   s->in_height, s->in_width);
  }
  /* One offset for each of the weights' taps: theirs are the larger bytes, which are checked. */
  plan->tensor_workspace_bytes = blocks * offsets_per_block(s) * sizeof(int32_t);
  return sk_conv_size_weights(plan, blocks * SK_BLOCK, sk_conv_group_inputs(s), taps(s));
}

static void pack(sk_conv *plan, const float *weights) {
  const sk_conv_shape *s = &plan->shape;
  const size_t inputs = sk_conv_group_inputs(s);
  for (size_t k = 0; k < s->out_channels; k++) {
    for (size_t j = 0; j < inputs; j++) {
      for (size_t t = 0; t < taps(s); t++) {
        const size_t row = (k / SK_BLOCK * taps(s) + t) * inputs + j;
        plan->weights[row * SK_BLOCK + k % SK_BLOCK] = weights[(k * inputs + j) * taps(s) + t];
      }
    }
  }
}

/* Fill offset[block][j][lane], which depend on the tensor's plane. */
static void fill_offsets(const sk_conv_shape *s, const struct sk_tensor *x, int32_t *offset) {
  const size_t blocks = sk_blocks(s->out_channels), inputs = sk_conv_group_inputs(s);
  for (size_t b = 0; b < blocks; b++) {
    for (size_t j = 0; j < inputs; j++) {
      for (size_t l = 0; l < SK_BLOCK; l++) {
        /* Depthwise: padding lanes go on counting, within the same input block, so that the lanes stay contiguous. */
        const size_t c = depthwise(s) ? b * SK_BLOCK + l : input_channel(s, b * SK_BLOCK + l, j);
        *offset++ = (int32_t)(c / SK_BLOCK * sk_tensor_plane(x) + c % SK_BLOCK);
      }
    }
  }
}

static void run_row(const sk_conv *plan, const struct sk_tensor *x, const struct sk_tensor *residual,
                    const struct sk_tensor *y, const int32_t *offset, size_t image, size_t block, size_t row) {
  const sk_conv_shape *s = &plan->shape;
  const size_t weights_per_block = taps(s) * offsets_per_block(s);
  const struct sk_conv_grouped_args args = {
      .x = sk_conv_first_tap(s, x, image, 0) + row * s->stride_height * sk_tensor_row(x),
      .x_row = s->dilation_height * sk_tensor_row(x),
      .x_column = s->dilation_width * SK_BLOCK,
      .x_pixel = s->stride_width * SK_BLOCK,
      .lane_offset = offset + block * offsets_per_block(s),
      .lanes = choose_lanes(s),
      .weights = plan->weights + block * weights_per_block,
      .bias = plan->bias + block * SK_BLOCK,
      .residual = residual ? sk_tensor_at(residual, image, block) + row * sk_tensor_row(residual) : NULL,
      .y = sk_tensor_at(y, image, block) + row * sk_tensor_row(y),
      .pixels = y->width,
      .channels = sk_conv_group_inputs(s),
      .kernel_height = s->kernel_height,
      .kernel_width = s->kernel_width,
      .relu = plan->relu,
      .clip = plan->clip,
      .bounds = plan->bounds,
  };
  plan->kernels->conv_grouped(&args);
}

static void run(const sk_conv *plan, size_t batch, const struct sk_tensor *x, const struct sk_tensor *residual,
                const struct sk_tensor *y, void *workspace) {
  const size_t blocks = sk_blocks(plan->shape.out_channels);
  int32_t *offset = workspace;
  fill_offsets(&plan->shape, x, offset);
#pragma omp parallel num_threads(plan->threads)
  {
    const uint64_t before = sk_denormals_enter(plan->flush_denormals);
#pragma omp for schedule(static) collapse(3) nowait
    for (size_t n = 0; n < batch; n++) {
      for (size_t b = 0; b < blocks; b++) {
        for (size_t i = 0; i < y->height; i++) run_row(plan, x, residual, y, offset, n, b, i);
      }
    }
    sk_denormals_leave(plan->flush_denormals, before);
    sk_tensor_clear_halo_in_team(y, batch);
  }
}

const struct sk_conv_method sk_conv_method_grouped = {SK_ALGORITHM_DIRECT, applies, measure, pack, run, 0};
