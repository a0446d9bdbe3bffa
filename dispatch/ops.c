/* Operators other than convolution: kernels of one plane, or of some rows of it, spread over the threads. */
#include "dispatch/ops.h"

#include <stdlib.h>
#include <string.h>

#include "dispatch/cpu.h"
#include "dispatch/denormals.h"
#include "dispatch/size.h"
#include "dispatch/status.h"
#include "dispatch/team.h"

/* The size of a pool's output along one dimension; 0 if there is none. */
static size_t pool_size(size_t in, size_t kernel, size_t stride, size_t dilation, size_t before, size_t after,
                        bool ceil_mode, bool ceil_past_input) {
  const size_t window = dilation * (kernel - 1) + 1, padded = in + before + after;
  if (padded < window) return 0;
  const size_t span = padded - window;
  size_t out = (ceil_mode ? sk_size_divide_up(span, stride) : span / stride) + 1;
  const size_t end = in + before + (ceil_past_input ? after : 0);
  if (ceil_mode && (out - 1) * stride >= end) out--;
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
  if (sk_size_max(pool->pad_top, pool->pad_bottom) >= pool->kernel_height ||
      sk_size_max(pool->pad_left, pool->pad_right) >= pool->kernel_width) {
    return sk_fail(SK_INVALID_ARGUMENT, "pool: padding %zu,%zu,%zu,%zu, expected less than the kernel %zux%zu",
                   pool->pad_top, pool->pad_bottom, pool->pad_left, pool->pad_right, pool->kernel_height,
                   pool->kernel_width);
  }
  *out_height = pool_size(in_height, pool->kernel_height, pool->stride_height, pool->dilation_height, pool->pad_top,
                          pool->pad_bottom, pool->ceil_mode, pool->ceil_past_input);
  *out_width = pool_size(in_width, pool->kernel_width, pool->stride_width, pool->dilation_width, pool->pad_left,
                         pool->pad_right, pool->ceil_mode, pool->ceil_past_input);
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

/* Pool the thread's rows of outputs, in all planes: the convolutions around divide images by rows, too. */
static void pool_share(sk_pool_fn *kernel, const struct sk_pool_shape *pool, size_t batch, const struct sk_tensor *x,
                       const struct sk_tensor *y) {
  for (struct sk_share left = sk_thread_share(batch * y->height); left.first < left.end;) {
    const struct sk_image_share rows = sk_share_take_image(&left, y->height);
    for (size_t plane = 0; plane < sk_tensor_planes(x); plane++) {
      struct sk_pool_args args = pool_args(pool, x, y, rows.image, plane);
      args.first = rows.items.first;
      args.end = rows.items.end;
      kernel(&args);
    }
  }
}

static void run_pool(sk_pool_fn *kernel, struct sk_engine engine, const struct sk_pool_shape *pool, size_t batch,
                     const struct sk_tensor *x, const struct sk_tensor *y) {
#pragma omp parallel num_threads(engine.threads)
  {
    const uint64_t before = sk_denormals_enter(engine.flush_denormals);
    pool_share(kernel, pool, batch, x, y);
    sk_denormals_leave(engine.flush_denormals, before);
    sk_tensor_clear_halo_in_team(y, batch);
  }
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
    sk_tensor_clear_halo_in_team(y, batch);
  }
}

/* Bounds for the lanes of a block: 0 where there is no channel. */
struct lane_bounds {
  float minimum[16], maximum[16];
};

static struct lane_bounds lane_bounds(struct sk_clip_bounds bounds, size_t channels) {
  struct lane_bounds lanes = {{0}, {0}};
  _Static_assert(sizeof lanes.minimum / sizeof lanes.minimum[0] == SK_BLOCK, "one block");
  for (size_t l = 0; l < channels; l++) {
    lanes.minimum[l] = bounds.minimum;
    lanes.maximum[l] = bounds.maximum;
  }
  return lanes;
}

/* Operands of an elementwise operator; b, scale, shift and bounds may be NULL. */
struct elementwise {
  sk_elementwise_fn *kernel;
  const struct sk_tensor *a, *b, *y;
  const float *scale, *shift;
  const struct lane_bounds *bounds; /* [2] of the last block and of those before it */
  bool relu;
};

static bool is_one_pixel(const struct sk_tensor *t) { return t->height == 1 && t->width == 1; }

static struct sk_elementwise_args elementwise_args(const struct elementwise *op, size_t image, size_t plane) {
  const bool steps = op->b && !is_one_pixel(op->b);
  const struct lane_bounds *const bounds = op->bounds ? &op->bounds[plane + 1 < sk_tensor_planes(op->y)] : NULL;
  return (struct sk_elementwise_args){
      .a = sk_tensor_at(op->a, image, plane),
      .a_row = sk_tensor_row(op->a),
      .b = op->b ? sk_tensor_at(op->b, image, plane) : NULL,
      .b_row = steps ? sk_tensor_row(op->b) : 0,
      .b_pixel = steps ? SK_BLOCK : 0,
      .scale = op->scale ? op->scale + plane * SK_BLOCK : NULL,
      .shift = op->shift ? op->shift + plane * SK_BLOCK : NULL,
      .minimum = bounds ? bounds->minimum : NULL,
      .maximum = bounds ? bounds->maximum : NULL,
      .y = sk_tensor_at(op->y, image, plane),
      .y_row = sk_tensor_row(op->y),
      .height = op->y->height,
      .width = op->y->width,
      .relu = op->relu,
      .hardware_fma = sk_cpu_has_fma(),
  };
}

static void run_elementwise(const struct elementwise *op, size_t batch, struct sk_engine engine) {
  const size_t planes = sk_tensor_planes(op->y);
#pragma omp parallel num_threads(engine.threads)
  {
    const uint64_t before = sk_denormals_enter(engine.flush_denormals);
#pragma omp for schedule(static) collapse(2)
    for (size_t image = 0; image < batch; image++) {
      for (size_t plane = 0; plane < planes; plane++) {
        const struct sk_elementwise_args args = elementwise_args(op, image, plane);
        op->kernel(&args);
      }
    }
    sk_denormals_leave(engine.flush_denormals, before);
    sk_tensor_clear_halo_in_team(op->y, batch);
  }
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

void sk_op_multiply(struct sk_engine engine, size_t batch, const struct sk_tensor *a, const struct sk_tensor *b,
                    const struct sk_tensor *y) {
  const struct elementwise op = {.kernel = engine.kernels->multiply, .a = a, .b = b, .y = y};
  run_elementwise(&op, batch, engine);
}

/* Run a kernel that takes bounds for each lane. */
static void run_bounded(sk_elementwise_fn *kernel, struct sk_clip_bounds bounds, struct sk_engine engine, size_t batch,
                        const struct sk_tensor *x, const struct sk_tensor *y) {
  const size_t last = x->channels - (sk_tensor_planes(x) - 1) * SK_BLOCK;
  const struct lane_bounds lanes[2] = {lane_bounds(bounds, last), lane_bounds(bounds, SK_BLOCK)};
  const struct elementwise op = {.kernel = kernel, .a = x, .y = y, .bounds = lanes};
  run_elementwise(&op, batch, engine);
}

void sk_op_clip(struct sk_engine engine, struct sk_clip_bounds bounds, size_t batch, const struct sk_tensor *x,
                const struct sk_tensor *y) {
  run_bounded(engine.kernels->clip, bounds, engine, batch, x, y);
}

void sk_op_sigmoid(struct sk_engine engine, size_t batch, const struct sk_tensor *x, const struct sk_tensor *y) {
  run_bounded(engine.kernels->sigmoid, (struct sk_clip_bounds){0, 1}, engine, batch, x, y);
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

/* Multiply the channels of one image by a panel, block by block where a halo lies between these: the sums go on. */
static void multiply_panel(struct sk_engine engine, const struct sk_dense *dense, const struct sk_tensor *x,
                           size_t image, size_t panel, float *sums) {
  const size_t step = x->halo == 0 ? dense->inputs : SK_BLOCK;
  const float *bias = dense->bias + panel * SK_DENSE_PANEL;
  for (size_t first = 0; first < dense->inputs; first += step, bias = sums) {
    const struct sk_dense_args args = {
        .x = sk_tensor_at(x, image, first / SK_BLOCK),
        .inputs = sk_size_min(step, dense->inputs - first),
        .weights = dense->weights + (panel * dense->inputs + first) * SK_DENSE_PANEL,
        .bias = bias,
        .y = sums,
        .panels = 1,
    };
    engine.kernels->dense(&args);
  }
}

/* Compute one panel of one image. The output tensor may end inside the panel: only what it has is copied to it. */
static void dense_panel(struct sk_engine engine, const struct sk_dense *dense, const struct sk_tensor *x,
                        const struct sk_tensor *y, size_t image, size_t panel) {
  float sums[64];
  _Static_assert(sizeof sums / sizeof sums[0] == 64, "one panel");
  multiply_panel(engine, dense, x, image, panel, sums);
  const size_t first = panel * SK_DENSE_PANEL / SK_BLOCK;
  const size_t blocks = sk_size_min(SK_DENSE_PANEL / SK_BLOCK, sk_tensor_planes(y) - first);
  for (size_t b = 0; b < blocks; b++) {
    /* cppcheck-suppress uninitvar ; the kernel has filled it, through the pointer in args */
    memcpy(sk_tensor_at(y, image, first + b), sums + b * SK_BLOCK, SK_BLOCK * sizeof(float));
  }
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
      for (size_t n = 0; n < batch; n++) dense_panel(engine, dense, x, y, n, p);
    }
    sk_denormals_leave(engine.flush_denormals, before);
    sk_tensor_clear_halo_in_team(y, batch);
  }
}

static struct sk_softmax_args softmax_args(const struct sk_tensor *x, const struct sk_tensor *y, size_t image,
                                           size_t pixel) {
  const size_t i = pixel / x->width, j = pixel % x->width;
  return (struct sk_softmax_args){
      .x = sk_tensor_at(x, image, 0) + i * sk_tensor_row(x) + j * SK_BLOCK,
      .x_block = sk_tensor_plane(x),
      .y = sk_tensor_at(y, image, 0) + i * sk_tensor_row(y) + j * SK_BLOCK,
      .y_block = sk_tensor_plane(y),
      .count = x->channels,
      .hardware_fma = sk_cpu_has_fma(),
  };
}

void sk_op_softmax(struct sk_engine engine, size_t batch, const struct sk_tensor *x, const struct sk_tensor *y) {
  const size_t pixels = x->height * x->width;
#pragma omp parallel num_threads(engine.threads)
  {
    const uint64_t before = sk_denormals_enter(engine.flush_denormals);
#pragma omp for schedule(static)
    for (size_t n = 0; n < batch * pixels; n++) {
      const struct sk_softmax_args args = softmax_args(x, y, n / pixels, n % pixels);
      engine.kernels->softmax(&args);
    }
    sk_denormals_leave(engine.flush_denormals, before);
    sk_tensor_clear_halo_in_team(y, batch);
  }
}
