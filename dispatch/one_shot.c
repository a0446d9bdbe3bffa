/* One operator at a time on plain arrays: tensors for it in one block of memory, the operator, and back. */
#include <string.h>

#include "dispatch/batch_norm.h"
#include "dispatch/conv.h"
#include "dispatch/denormals.h"
#include "dispatch/isa.h"
#include "dispatch/memory.h"
#include "dispatch/ops.h"
#include "dispatch/options.h"
#include "dispatch/size.h"
#include "dispatch/status.h"

/* A call's tensors, which lie side by side in `memory`. */
enum { X, OTHER, Y, TENSORS };

struct call {
  const char *name;
  struct sk_engine engine;
  size_t batch;
  struct sk_tensor tensors[TENSORS]; /* of no channels: not used */
  size_t extra_floats;               /* behind the tensors */
  float *memory, *extra;
};

/* ---- What all have in common -------------------------------------------------------------------------------- */

static sk_status choose_engine(struct sk_engine *engine, const char *name, const sk_call_options *options) {
  static const sk_call_options defaults = {0};
  if (!options) options = &defaults;
  sk_status status = sk_check_threads(name, options->threads);
  if (!status) status = sk_check_reserved(name, options->reserved, sizeof options->reserved);
  if (!status && options->flush_denormals && !sk_denormals_can_flush()) {
    status = sk_fail(SK_UNSUPPORTED, "%s: flush_denormals: not on this kind of CPU", name);
  }
  engine->threads = sk_threads_choose(options->threads);
  engine->flush_denormals = options->flush_denormals;
  return status ? status : sk_kernels_choose(options->isa, &engine->kernels);
}

static sk_status allocate(struct call *call) {
  size_t offsets[TENSORS], total = 0, bytes;
  for (int i = 0; i < TENSORS; i++) {
    const sk_status status = sk_tensor_bytes(&call->tensors[i], call->batch, &bytes);
    if (status) return status;
    offsets[i] = total / sizeof(float);
    if (!sk_size_add(total, bytes, &total)) return sk_fail(SK_INVALID_ARGUMENT, "%s: sizes overflow", call->name);
  }
  bytes = call->extra_floats * sizeof(float);
  if (!sk_size_add(total, bytes, &bytes)) return sk_fail(SK_INVALID_ARGUMENT, "%s: sizes overflow", call->name);
  call->memory = sk_alloc(bytes);
  if (!call->memory) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for %zu bytes", call->name, bytes);
  for (int i = 0; i < TENSORS; i++) call->tensors[i].data = call->memory + offsets[i];
  call->extra = call->memory + total / sizeof(float);
  return SK_OK;
}

/* Choose the kernels and allocate the tensors. If it fails there is nothing to free. */
static sk_status begin(struct call *call, const sk_call_options *options) {
  const sk_status status = choose_engine(&call->engine, call->name, options);
  return status ? status : allocate(call);
}

static void import(const struct call *call, int tensor, const float *plain) {
  sk_tensor_import(call->engine.kernels, &call->tensors[tensor], call->batch, plain, call->engine.threads);
}

/* Copy the result out and free everything. */
static sk_status end(const struct call *call, float *y) {
  sk_tensor_export(call->engine.kernels, &call->tensors[Y], call->batch, y, call->engine.threads);
  sk_free(call->memory);
  return SK_OK;
}

static struct sk_tensor tensor(size_t channels, size_t height, size_t width) {
  return (struct sk_tensor){.channels = channels, .height = height, .width = width};
}

static sk_status check_arrays(const char *name, const float *x, const float *y) {
  if (x && y) return SK_OK;
  return sk_fail(SK_INVALID_ARGUMENT, "%s: %s: NULL, expected an array", name, x ? "y" : "x");
}

struct named_size {
  const char *name;
  size_t value;
};

static sk_status check_sizes(const char *name, const struct named_size *sizes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (sizes[i].value == 0) return sk_fail(SK_INVALID_ARGUMENT, "%s: %s: 0, expected at least 1", name, sizes[i].name);
  }
  return SK_OK;
}

static sk_status check_planes(const char *name, size_t batch, size_t channels, size_t height, size_t width) {
  const struct named_size sizes[] = {{"batch", batch}, {"channels", channels}, {"height", height}, {"width", width}};
  return check_sizes(name, sizes, sizeof sizes / sizeof sizes[0]);
}

/* ---- Convolution -------------------------------------------------------------------------------------------- */

static sk_status run_conv(const sk_conv *plan, const float *x, const float *residual, float *y) {
  const size_t bytes = sk_conv_workspace_bytes(plan);
  void *const workspace = sk_alloc(bytes);
  if (!workspace) return sk_fail(SK_OUT_OF_MEMORY, "sk_conv2d_f32: out of memory for %zu bytes", bytes);
  const sk_status status = sk_conv_run(plan, x, residual, y, workspace);
  sk_free(workspace);
  return status;
}

sk_status sk_conv2d_f32(const sk_conv_shape *shape, const float *x, const float *weights, const float *bias,
                        const float *residual, float *y, const sk_conv_options *options) {
  sk_conv *plan = NULL;
  sk_conv_options mine = options ? *options : (sk_conv_options){0};
  mine.residual = residual != NULL;
  sk_status status = check_arrays("sk_conv2d_f32", x, y);
  if (!status) status = sk_conv_create(&plan, shape, weights, bias, &mine);
  if (!status) status = run_conv(plan, x, residual, y);
  sk_conv_destroy(plan);
  return status;
}

/* ---- Elementwise -------------------------------------------------------------------------------------------- */

sk_status sk_batch_norm_f32(size_t batch, size_t channels, size_t height, size_t width, const float *x,
                            const float *gamma, const float *beta, const float *mean, const float *variance,
                            double epsilon, float *y, const sk_call_options *options) {
  struct call call = {.name = "sk_batch_norm_f32", .batch = batch, .tensors[Y] = tensor(channels, height, width)};
  sk_status status = check_planes(call.name, batch, channels, height, width);
  if (!status) status = check_arrays(call.name, x, y);
  if (!status && (!mean || !variance)) {
    status = sk_fail(SK_INVALID_ARGUMENT, "%s: %s: NULL, expected an array", call.name, mean ? "variance" : "mean");
  }
  if (status) return status;
  const size_t lanes = sk_tensor_planes(&call.tensors[Y]) * SK_BLOCK;
  if (!sk_size_multiply(lanes, 2, &call.extra_floats))
    return sk_fail(SK_INVALID_ARGUMENT, "%s: channels: %zu, too many", call.name, channels);
  status = begin(&call, options);
  if (status) return status;
  float *const scale = call.extra, *const shift = scale + lanes;
  memset(scale, 0, 2 * lanes * sizeof *scale);
  for (size_t c = 0; c < channels; c++) {
    const struct sk_channel_norm norm =
        sk_channel_norm(gamma ? gamma[c] : 1, beta ? beta[c] : 0, mean[c], variance[c], epsilon);
    scale[c] = sk_norm_scale(&norm);
    shift[c] = sk_norm_shift(&norm);
  }
  import(&call, Y, x);
  sk_op_batch_norm(call.engine, false, batch, &call.tensors[Y], scale, shift, &call.tensors[Y]);
  return end(&call, y);
}

/* An array of any shape as pieces of one plane each: elementwise operators need not know what is a channel. What lies
 * behind the last element is zero. */
enum { PIECE_WIDTH = 256, PIECE = PIECE_WIDTH * SK_BLOCK };

static sk_status begin_flat(struct call *call, size_t count, const sk_call_options *options) {
  if (count == 0) return sk_fail(SK_INVALID_ARGUMENT, "%s: count: 0, expected at least 1", call->name);
  call->batch = sk_size_divide_up(count, PIECE);
  call->tensors[Y] = tensor(SK_BLOCK, 1, PIECE_WIDTH);
  return begin(call, options);
}

static void import_flat(const struct sk_tensor *t, size_t count, const float *plain) {
  memcpy(t->data, plain, count * sizeof *plain);
  memset(t->data + count, 0, (sk_size_round_up(count, PIECE) - count) * sizeof *plain);
}

static sk_status end_flat(const struct call *call, size_t count, float *y) {
  memcpy(y, call->tensors[Y].data, count * sizeof *y);
  sk_free(call->memory);
  return SK_OK;
}

sk_status sk_relu_f32(size_t count, const float *x, float *y, const sk_call_options *options) {
  struct call call = {.name = "sk_relu_f32", .tensors[X] = tensor(SK_BLOCK, 1, PIECE_WIDTH)};
  sk_status status = check_arrays(call.name, x, y);
  if (!status) status = begin_flat(&call, count, options);
  if (status) return status;
  import_flat(&call.tensors[X], count, x);
  sk_op_relu(call.engine, call.batch, &call.tensors[X], &call.tensors[Y]);
  return end_flat(&call, count, y);
}

sk_status sk_add_f32(size_t count, const float *a, const float *b, bool relu, float *y,
                     const sk_call_options *options) {
  struct call call = {.name = "sk_add_f32", .tensors[OTHER] = tensor(SK_BLOCK, 1, PIECE_WIDTH)};
  if (!a || !b || !y) {
    return sk_fail(SK_INVALID_ARGUMENT, "%s: %s: NULL, expected an array", call.name, a ? b ? "y" : "b" : "a");
  }
  const sk_status status = begin_flat(&call, count, options);
  if (status) return status;
  import_flat(&call.tensors[Y], count, a);
  import_flat(&call.tensors[OTHER], count, b);
  sk_op_add(call.engine, relu, call.batch, &call.tensors[Y], &call.tensors[OTHER], &call.tensors[Y]);
  return end_flat(&call, count, y);
}

/* ---- Pools -------------------------------------------------------------------------------------------------- */

static struct sk_pool_shape window_of(const sk_pool2d_shape *shape) {
  return (struct sk_pool_shape){.kernel_height = shape->kernel_height,
                                .kernel_width = shape->kernel_width,
                                .stride_height = shape->stride_height,
                                .stride_width = shape->stride_width,
                                .dilation_height = shape->dilation_height,
                                .dilation_width = shape->dilation_width,
                                .pad_top = shape->pad_top,
                                .pad_bottom = shape->pad_bottom,
                                .pad_left = shape->pad_left,
                                .pad_right = shape->pad_right,
                                .ceil_mode = shape->ceil_mode,
                                .count_include_pad = shape->count_include_pad};
}

sk_status sk_pool2d_output_size(const sk_pool2d_shape *shape, size_t *out_height, size_t *out_width) {
  if (!shape || !out_height || !out_width) return sk_fail(SK_INVALID_ARGUMENT, "sk_pool2d_output_size: NULL argument");
  const struct sk_pool_shape pool = window_of(shape);
  const sk_status status = check_planes("pool", shape->batch, shape->channels, shape->in_height, shape->in_width);
  return status ? status : sk_pool_output_size(&pool, shape->in_height, shape->in_width, out_height, out_width);
}

typedef void run_pool(struct sk_engine engine, const struct sk_pool_shape *pool, size_t batch,
                      const struct sk_tensor *x, const struct sk_tensor *y);

static sk_status pool2d(const char *name, run_pool *run, const sk_pool2d_shape *shape, const float *x, float *y,
                        const sk_call_options *options) {
  struct call call = {.name = name};
  size_t out_height, out_width;
  sk_status status = check_arrays(name, x, y);
  if (!status) status = sk_pool2d_output_size(shape, &out_height, &out_width);
  if (status) return status;
  call.batch = shape->batch;
  call.tensors[X] = tensor(shape->channels, shape->in_height, shape->in_width);
  call.tensors[Y] = tensor(shape->channels, out_height, out_width);
  status = begin(&call, options);
  if (status) return status;
  const struct sk_pool_shape pool = window_of(shape);
  import(&call, X, x);
  run(call.engine, &pool, call.batch, &call.tensors[X], &call.tensors[Y]);
  return end(&call, y);
}

sk_status sk_max_pool2d_f32(const sk_pool2d_shape *shape, const float *x, float *y, const sk_call_options *options) {
  return pool2d("sk_max_pool2d_f32", sk_op_max_pool, shape, x, y, options);
}

sk_status sk_average_pool2d_f32(const sk_pool2d_shape *shape, const float *x, float *y,
                                const sk_call_options *options) {
  if (shape && (shape->dilation_height != 1 || shape->dilation_width != 1)) {
    return sk_fail(SK_INVALID_ARGUMENT, "sk_average_pool2d_f32: dilation %zux%zu, expected 1x1", shape->dilation_height,
                   shape->dilation_width);
  }
  return pool2d("sk_average_pool2d_f32", sk_op_average_pool, shape, x, y, options);
}

sk_status sk_global_average_pool_f32(size_t batch, size_t channels, size_t height, size_t width, const float *x,
                                     float *y, const sk_call_options *options) {
  struct call call = {.name = "sk_global_average_pool_f32",
                      .batch = batch,
                      .tensors[X] = tensor(channels, height, width),
                      .tensors[Y] = tensor(channels, 1, 1)};
  sk_status status = check_planes(call.name, batch, channels, height, width);
  if (!status) status = check_arrays(call.name, x, y);
  if (!status) status = begin(&call, options);
  if (status) return status;
  import(&call, X, x);
  sk_op_global_average_pool(call.engine, batch, &call.tensors[X], &call.tensors[Y]);
  return end(&call, y);
}

/* ---- Rows --------------------------------------------------------------------------------------------------- */

sk_status sk_dense_f32(size_t batch, size_t inputs, size_t outputs, const float *x, const float *weights,
                       const float *bias, float *y, const sk_call_options *options) {
  struct call call = {
      .name = "sk_dense_f32", .batch = batch, .tensors[X] = tensor(inputs, 1, 1), .tensors[Y] = tensor(outputs, 1, 1)};
  const struct named_size sizes[] = {{"batch", batch}, {"inputs", inputs}, {"outputs", outputs}};
  struct sk_dense dense = {0};
  sk_status status = check_sizes(call.name, sizes, sizeof sizes / sizeof sizes[0]);
  if (!status) status = check_arrays(call.name, x, y);
  if (!status && !weights) status = sk_fail(SK_INVALID_ARGUMENT, "%s: weights: NULL, expected an array", call.name);
  if (!status) status = sk_dense_create(&dense, inputs, outputs, weights, bias, NULL);
  if (!status) status = begin(&call, options);
  if (!status) {
    import(&call, X, x);
    sk_op_dense(call.engine, &dense, batch, &call.tensors[X], &call.tensors[Y]);
    end(&call, y);
  }
  sk_dense_destroy(&dense);
  return status;
}

sk_status sk_softmax_f32(size_t batch, size_t classes, const float *x, float *y, const sk_call_options *options) {
  struct call call = {.name = "sk_softmax_f32",
                      .batch = batch,
                      .tensors[X] = tensor(classes, 1, 1),
                      .tensors[Y] = tensor(classes, 1, 1)};
  const struct named_size sizes[] = {{"batch", batch}, {"classes", classes}};
  sk_status status = check_sizes(call.name, sizes, sizeof sizes / sizeof sizes[0]);
  if (!status) status = check_arrays(call.name, x, y);
  if (!status) status = begin(&call, options);
  if (status) return status;
  import(&call, X, x);
  sk_op_softmax(call.engine, batch, &call.tensors[X], &call.tensors[Y]);
  return end(&call, y);
}
