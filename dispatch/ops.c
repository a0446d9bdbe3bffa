/* Operators other than convolution: one kernel call per plane, planes spread over the threads. */
#include "dispatch/ops.h"

#include <stdlib.h>
#include <string.h>

#include "dispatch/cpu.h"
#include "dispatch/denormals.h"
#include "dispatch/size.h"
#include "dispatch/status.h"

/* The size of a pool's output along one dimension; 0 if there is none. */
static size_t pool_size(size_t in, size_t kernel, size_t stride, size_t dilation, size_t before, size_t after,
                        bool ceil_mode) {
  const size_t window = dilation * (kernel - 1) + 1, padded = in + before + after;
  if (padded < window) return 0;
  const size_t span = padded - window;
  size_t out = (ceil_mode ? sk_size_divide_up(span, stride) : span / stride) + 1;
  if (ceil_mode && (out - 1) * stride >= in + before) out--;
  return out;
}

sk_status sk_pool_output_size(const struct sk_pool_shape *pool, size_t in_height, size_t in_width, size_t *out_height,
                              size_t *out_width) {
  const size_t limit = (size_t)1 << 24; /* keeps every product below in range */
  const size_t sizes[] = {pool->kernel_height, pool->kernel_width,    pool->stride_height,  pool->stride_width,
                          in_height,           pool->dilation_height, pool->dilation_width, in_width};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    if (sizes[i] < 1 || sizes[i] > limit) {
      return sk_fail(SK_INVALID_ARGUMENT, "pool: a size is %zu, expected 1 to %zu", sizes[i], limit);
    }
  }
  if (sk_size_max(pool->pad_top, pool->pad_bottom) > pool->kernel_height / 2 ||
      sk_size_max(pool->pad_left, pool->pad_right) > pool->kernel_width / 2) {
    return sk_fail(SK_INVALID_ARGUMENT, "pool: padding %zu,%zu,%zu,%zu is over half of the kernel %zux%zu",
                   pool->pad_top, pool->pad_bottom, pool->pad_left, pool->pad_right, pool->kernel_height,
                   pool->kernel_width);
  }
  *out_height = pool_size(in_height, pool->kernel_height, pool->stride_height, pool->dilation_height, pool->pad_top,
                          pool->pad_bottom, pool->ceil_mode);
  *out_width = pool_size(in_width, pool->kernel_width, pool->stride_width, pool->dilation_width, pool->pad_left,
                         pool->pad_right, pool->ceil_mode);
  if (*out_height == 0 || *out_width == 0) {
    return sk_fail(SK_INVALID_ARGUMENT, "pool: window %zux%zu is larger than the padded input of %zux%zu",
                   pool->kernel_height, pool->kernel_width, in_height, in_width);
  }
  return SK_OK;
}

static struct sk_pool_args pool_args(const struct sk_pool_shape *pool, const struct sk_tensor *x,
                                     const struct sk_tensor *y, size_t image, size_t plane) {
  return (struct sk_pool_args){
      .x = sk_tensor_at(x, image, plane),
      .x_row = sk_tensor_row(x),
      .in_height = x->height,
      .in_width = x->width,
      .y = sk_tensor_at(y, image, plane),
      .y_row = sk_tensor_row(y),
      .out_height = y->height,
      .out_width = y->width,
      .kernel_height = pool->kernel_height,
      .kernel_width = pool->kernel_width,
      .stride_height = pool->stride_height,
      .stride_width = pool->stride_width,
      .dilation_height = pool->dilation_height,
      .dilation_width = pool->dilation_width,
      .pad_top = pool->pad_top,
      .pad_bottom = pool->pad_bottom,
      .pad_left = pool->pad_left,
      .pad_right = pool->pad_right,
      .count_include_pad = pool->count_include_pad,
  };
}

static void run_pool(sk_pool_fn *kernel, struct sk_engine engine, const struct sk_pool_shape *pool, size_t batch,
                     const struct sk_tensor *x, const struct sk_tensor *y) {
  const size_t planes = sk_tensor_planes(x);
#pragma omp parallel num_threads(engine.threads)
  {
    const uint64_t before = sk_denormals_enter(engine.flush_denormals);
#pragma omp for schedule(static)
    for (size_t i = 0; i < batch * planes; i++) {
      const struct sk_pool_args args = pool_args(pool, x, y, i / planes, i % planes);
      kernel(&args);
    }
    sk_denormals_leave(engine.flush_denormals, before);
  }
  sk_tensor_clear_halo(y, batch, engine.threads);
}

void sk_op_max_pool(struct sk_engine engine, const struct sk_pool_shape *pool, size_t batch, const struct sk_tensor *x,
                    const struct sk_tensor *y) {
  run_pool(engine.kernels->max_pool, engine, pool, batch, x, y);
}

void sk_op_average_pool(struct sk_engine engine, const struct sk_pool_shape *pool, size_t batch,
                        const struct sk_tensor *x, const struct sk_tensor *y) {
  run_pool(engine.kernels->average_pool, engine, pool, batch, x, y);
}

void sk_op_global_average_pool(struct sk_engine engine, size_t batch, const struct sk_tensor *x,
                               const struct sk_tensor *y) {
  const size_t planes = sk_tensor_planes(x);
#pragma omp parallel num_threads(engine.threads)
  {
    const uint64_t before = sk_denormals_enter(engine.flush_denormals);
#pragma omp for schedule(static)
    for (size_t i = 0; i < batch * planes; i++) {
      engine.kernels->global_average_pool(sk_tensor_at(x, i / planes, i % planes), sk_tensor_row(x), x->height,
                                          x->width, sk_tensor_at(y, i / planes, i % planes));
    }
    sk_denormals_leave(engine.flush_denormals, before);
  }
  sk_tensor_clear_halo(y, batch, engine.threads);
}

/* Operands of an elementwise operator; b, scale and shift may be NULL. */
struct elementwise {
  sk_elementwise_fn *kernel;
  const struct sk_tensor *a, *b, *y;
  const float *scale, *shift;
  bool relu;
};

static struct sk_elementwise_args elementwise_args(const struct elementwise *op, size_t image, size_t plane) {
  return (struct sk_elementwise_args){
      .a = sk_tensor_at(op->a, image, plane),
      .a_row = sk_tensor_row(op->a),
      .b = op->b ? sk_tensor_at(op->b, image, plane) : NULL,
      .b_row = op->b ? sk_tensor_row(op->b) : 0,
      .scale = op->scale ? op->scale + plane * SK_BLOCK : NULL,
      .shift = op->shift ? op->shift + plane * SK_BLOCK : NULL,
      .y = sk_tensor_at(op->y, image, plane),
      .y_row = sk_tensor_row(op->y),
      .height = op->y->height,
      .width = op->y->width,
      .relu = op->relu,
  };
}

static void run_elementwise(const struct elementwise *op, size_t batch, struct sk_engine engine) {
  const size_t planes = sk_tensor_planes(op->y);
#pragma omp parallel num_threads(engine.threads)
  {
    const uint64_t before = sk_denormals_enter(engine.flush_denormals);
#pragma omp for schedule(static)
    for (size_t i = 0; i < batch * planes; i++) {
      const struct sk_elementwise_args args = elementwise_args(op, i / planes, i % planes);
      op->kernel(&args);
    }
    sk_denormals_leave(engine.flush_denormals, before);
  }
  sk_tensor_clear_halo(op->y, batch, engine.threads);
}

void sk_op_add(struct sk_engine engine, bool relu, size_t batch, const struct sk_tensor *a, const struct sk_tensor *b,
               const struct sk_tensor *y) {
  const struct elementwise op = {.kernel = engine.kernels->add, .a = a, .b = b, .y = y, .relu = relu};
  run_elementwise(&op, batch, engine);
}

void sk_op_batch_norm(struct sk_engine engine, bool relu, size_t batch, const struct sk_tensor *x, const float *scale,
                      const float *shift, const struct sk_tensor *y) {
  const struct elementwise op = {
      .kernel = engine.kernels->batch_norm, .a = x, .y = y, .scale = scale, .shift = shift, .relu = relu};
  run_elementwise(&op, batch, engine);
}

void sk_op_relu(struct sk_engine engine, size_t batch, const struct sk_tensor *x, const struct sk_tensor *y) {
  const struct elementwise op = {.kernel = engine.kernels->relu, .a = x, .y = y};
  run_elementwise(&op, batch, engine);
}

/* Fill one channel of shortcut A's output: strided source pixels, or zeros where the channel is padding. */
static void subsample_channel(const struct sk_tensor *x, const struct sk_tensor *y, size_t stride, size_t image,
                              size_t channel) {
  const size_t pad = (y->channels - x->channels) / 2;
  const bool copied = channel >= pad && channel < pad + x->channels;
  const size_t source = copied ? channel - pad : 0;
  const float *from = sk_tensor_at(x, image, source / SK_BLOCK) + source % SK_BLOCK;
  float *to = sk_tensor_at(y, image, channel / SK_BLOCK) + channel % SK_BLOCK;
  for (size_t i = 0; i < y->height; i++) {
    for (size_t j = 0; j < y->width; j++) {
      const float value = copied ? from[i * stride * sk_tensor_row(x) + j * stride * SK_BLOCK] : 0;
      to[i * sk_tensor_row(y) + j * SK_BLOCK] = value;
    }
  }
}

void sk_op_subsample(struct sk_engine engine, size_t stride, size_t batch, const struct sk_tensor *x,
                     const struct sk_tensor *y) {
  const size_t lanes = sk_tensor_planes(y) * SK_BLOCK; /* lanes beyond the channels become zero too */
#pragma omp parallel for schedule(static) num_threads(engine.threads)
  for (size_t i = 0; i < batch * lanes; i++) subsample_channel(x, y, stride, i / lanes, i % lanes);
  sk_tensor_clear_halo(y, batch, engine.threads);
}

static size_t dense_panels(const struct sk_dense *dense) { return sk_size_divide_up(dense->outputs, SK_DENSE_PANEL); }

size_t sk_dense_weight_bytes(const struct sk_dense *dense) {
  return dense_panels(dense) * SK_DENSE_PANEL * (dense->inputs + 1) * sizeof(float);
}

sk_status sk_dense_check(size_t inputs, size_t outputs) {
  size_t size = 0;
  if (inputs > 0 && outputs > 0 && outputs <= PTRDIFF_MAX / 4096 && inputs <= PTRDIFF_MAX / 4096 &&
      sk_size_multiply(inputs + 1, outputs + SK_DENSE_PANEL, &size) && size <= PTRDIFF_MAX / sizeof(float)) {
    return SK_OK;
  }
  return sk_fail(SK_INVALID_ARGUMENT, "dense: %zu inputs and %zu outputs, expected at least 1 each and a size in range",
                 inputs, outputs);
}

sk_status sk_dense_create(struct sk_dense *dense, size_t inputs, size_t outputs, const float *weights,
                          const float *bias, struct sk_arena *arena) {
  *dense = (struct sk_dense){.inputs = inputs, .outputs = outputs, .arena = arena};
  const sk_status status = sk_dense_check(inputs, outputs);
  if (status) return status;
  const size_t bytes = sk_dense_weight_bytes(dense);
  dense->weights = sk_arena_take(arena, bytes);
  if (!dense->weights) return sk_fail(SK_OUT_OF_MEMORY, "dense: no memory for %zu bytes of weights", bytes);
  dense->bias = dense->weights + dense_panels(dense) * SK_DENSE_PANEL * inputs;
  for (size_t o = 0; o < outputs; o++) {
    float *column = dense->weights + o / SK_DENSE_PANEL * inputs * SK_DENSE_PANEL + o % SK_DENSE_PANEL;
    for (size_t i = 0; i < inputs; i++) column[i * SK_DENSE_PANEL] = weights[o * inputs + i];
    dense->bias[o] = bias ? bias[o] : 0;
  }
  return SK_OK;
}

void sk_dense_destroy(struct sk_dense *dense) {
  if (!dense->arena) sk_free(dense->weights);
  *dense = (struct sk_dense){0};
}

/* Compute one panel of one image. The output tensor may end inside the panel: only what it has is copied to it. */
static void dense_panel(struct sk_engine engine, const struct sk_dense *dense, const float *x, float *y, size_t panel) {
  float out[64];
  _Static_assert(sizeof out / sizeof out[0] == 64, "one panel");
  const struct sk_dense_args args = {
      .x = x,
      .inputs = dense->inputs,
      .weights = dense->weights + panel * dense->inputs * SK_DENSE_PANEL,
      .bias = dense->bias + panel * SK_DENSE_PANEL,
      .y = out,
      .panels = 1,
  };
  engine.kernels->dense(&args);
  const size_t first = panel * SK_DENSE_PANEL, lanes = sk_size_round_up(dense->outputs, SK_BLOCK);
  /* cppcheck-suppress uninitvar ; the kernel has filled it, through the pointer in args */
  memcpy(y + first, out, sk_size_min(SK_DENSE_PANEL, lanes - first) * sizeof(float));
}

void sk_op_dense(struct sk_engine engine, const struct sk_dense *dense, size_t batch, const struct sk_tensor *x,
                 const struct sk_tensor *y) {
  const size_t panels = dense_panels(dense);
  /* Images innermost, so that a panel of weights is read from memory once. */
#pragma omp parallel num_threads(engine.threads)
  {
    const uint64_t before = sk_denormals_enter(engine.flush_denormals);
#pragma omp for schedule(static)
    for (size_t p = 0; p < panels; p++) {
      for (size_t n = 0; n < batch; n++) dense_panel(engine, dense, sk_tensor_at(x, n, 0), sk_tensor_at(y, n, 0), p);
    }
    sk_denormals_leave(engine.flush_denormals, before);
  }
}

void sk_op_softmax(struct sk_engine engine, size_t batch, const struct sk_tensor *x, const struct sk_tensor *y) {
  const bool hardware_fma = sk_cpu_has_fma();
#pragma omp parallel num_threads(engine.threads)
  {
    const uint64_t before = sk_denormals_enter(engine.flush_denormals);
#pragma omp for schedule(static)
    for (size_t n = 0; n < batch; n++) {
      engine.kernels->softmax(sk_tensor_at(x, n, 0), x->channels, sk_tensor_at(y, n, 0), hardware_fma);
    }
    sk_denormals_leave(engine.flush_denormals, before);
  }
}
