/* im2col and a BLAS matrix product: the textbook baseline that the other methods are compared with. */
#include "config.h"

#if SK_HAVE_OPENBLAS
#include <cblas.h>
#include <limits.h>
#include <string.h>

#include "dispatch/conv_internal.h"
#include "dispatch/status.h"

static bool applies(const sk_conv_shape *s) {
  (void)s;
  return true;
}

static size_t reduction(const sk_conv_shape *s) { return sk_conv_group_inputs(s) * s->kernel_height * s->kernel_width; }

static size_t pixels(const sk_conv *plan) { return plan->out_height * plan->out_width; }

static sk_status measure(sk_conv *plan) {
  const sk_conv_shape *s = &plan->shape;
  size_t matrix_floats;
  if (!sk_size_multiply(reduction(s) + sk_conv_group_outputs(s), pixels(plan), &matrix_floats) ||
      matrix_floats > PTRDIFF_MAX / sizeof(float) || reduction(s) > INT_MAX || pixels(plan) > INT_MAX) {
    return sk_fail(SK_UNSUPPORTED, "convolution: a GEMM of %zu x %zu x %zu exceeds CBLAS's sizes",
                   sk_conv_group_outputs(s), reduction(s), pixels(plan));
  }
  plan->tensor_workspace_bytes = sk_size_round_up(matrix_floats * sizeof(float), SK_ALIGNMENT);
  return sk_conv_size_weights(plan, s->out_channels, reduction(s), 1);
}

static void pack(sk_conv *plan, const float *weights) {
  memcpy(plan->weights, weights, plan->weight_floats * sizeof(float));
}

/* Fill one row of the im2col matrix: what one channel shows one kernel tap at each output pixel. */
static void fill_row(const sk_conv *plan, const struct sk_tensor *x, size_t image, size_t channel, size_t tap,
                     float *row) {
  const sk_conv_shape *s = &plan->shape;
  const bool planar = x->layout == SK_LAYOUT_NCHW;
  const float *from = sk_conv_first_tap(s, x, image, planar ? channel : channel / SK_BLOCK) +
                      (planar ? 0 : channel % SK_BLOCK) +
                      tap / s->kernel_width * s->dilation_height * sk_tensor_row(x) +
                      tap % s->kernel_width * s->dilation_width * sk_tensor_pixel(x);
  for (size_t i = 0; i < plan->out_height; i++) {
    const float *x_row = from + i * s->stride_height * sk_tensor_row(x);
    for (size_t j = 0; j < plan->out_width; j++) *row++ = x_row[j * s->stride_width * sk_tensor_pixel(x)];
  }
}

static float activate(const sk_conv *plan, float sum) {
  if (plan->relu && sum < 0) sum = 0;
  if (plan->clip && plan->bounds.minimum > sum) sum = plan->bounds.minimum;
  return plan->clip && plan->bounds.maximum < sum ? plan->bounds.maximum : sum;
}

/* Finish one output channel: from the product's row to the tensor, with bias, residual and activation. */
static void store_channel(const sk_conv *plan, const struct sk_tensor *residual, const struct sk_tensor *y,
                          size_t image, size_t channel, const float *product) {
  const size_t block = channel / SK_BLOCK, lane = channel % SK_BLOCK;
  for (size_t i = 0; i < y->height; i++) {
    float *to = sk_tensor_at(y, image, block) + i * sk_tensor_row(y) + lane;
    const float *added = residual ? sk_tensor_at(residual, image, block) + i * sk_tensor_row(residual) + lane : NULL;
    for (size_t j = 0; j < y->width; j++) {
      float sum = *product++ + plan->bias[channel];
      if (added) sum += added[j * SK_BLOCK];
      to[j * SK_BLOCK] = activate(plan, sum);
    }
  }
}

/* Zero the lanes of the last block that hold no channel. */
static void clear_padding_lanes(const struct sk_tensor *y, size_t image) {
  const size_t used = y->channels % SK_BLOCK, last = sk_tensor_planes(y) - 1;
  if (used == 0) return;
  for (size_t i = 0; i < y->height; i++) {
    float *row = sk_tensor_at(y, image, last) + i * sk_tensor_row(y);
    for (size_t j = 0; j < y->width; j++) memset(row + j * SK_BLOCK + used, 0, (SK_BLOCK - used) * sizeof(float));
  }
}

static void run_group(const sk_conv *plan, const struct sk_tensor *x, const struct sk_tensor *residual,
                      const struct sk_tensor *y, size_t image, size_t group, float *columns) {
  const sk_conv_shape *s = &plan->shape;
  const size_t k = reduction(s), m = sk_conv_group_outputs(s), n = pixels(plan);
  const size_t taps = s->kernel_height * s->kernel_width;
  float *product = columns + k * n;
#pragma omp parallel for schedule(static) num_threads(plan->threads)
  for (size_t i = 0; i < k; i++) {
    fill_row(plan, x, image, group * sk_conv_group_inputs(s) + i / taps, i % taps, columns + i * n);
  }
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)k, 1, plan->weights + group * m * k,
              (int)k, columns, (int)n, 0, product, (int)n);
#pragma omp parallel for schedule(static) num_threads(plan->threads)
  for (size_t i = 0; i < m; i++) store_channel(plan, residual, y, image, group * m + i, product + i * n);
}

static void run(const sk_conv *plan, size_t batch, const struct sk_tensor *x, const struct sk_tensor *residual,
                const struct sk_tensor *y, void *workspace) {
  openblas_set_num_threads(plan->threads);
  for (size_t n = 0; n < batch; n++) {
    for (size_t g = 0; g < plan->shape.groups; g++) run_group(plan, x, residual, y, n, g, workspace);
    clear_padding_lanes(y, n);
  }
  sk_tensor_clear_halo(y, batch, plan->threads);
}

const struct sk_conv_method sk_conv_method_gemm = {SK_ALGORITHM_GEMM, applies, measure, pack, run, 0};
#else
typedef int sk_conv_gemm_is_not_built; /* a translation unit may not be empty */
#endif
