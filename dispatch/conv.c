/* Convolution plans: checking the shape, choosing the method, and the public calls on plain arrays. */
#include "dispatch/conv.h"

#include <string.h>

#include "config.h"
#include "dispatch/conv_internal.h"
#include "dispatch/isa.h"
#include "dispatch/options.h"
#include "dispatch/status.h"

static const char *const algorithm_names[SK_ALGORITHM_COUNT] = {"auto",      "direct", "winograd2", "winograd4",
                                                                "winograd6", "gemm",   "strassen",  "winograd3"};

/* In order of search: the first method of an algorithm whose predicate holds. */
static const struct sk_conv_method *const methods[] = {
    &sk_conv_method_direct,
    &sk_conv_method_grouped,
    &sk_conv_method_winograd2,
    &sk_conv_method_winograd4,
    &sk_conv_method_winograd6,
    &sk_conv_method_winograd2_stride2,
    &sk_conv_method_winograd4_stride2,
    &sk_conv_method_winograd4_groups,
    &sk_conv_method_strassen,
    &sk_conv_method_winograd3,
#if SK_HAVE_OPENBLAS
    &sk_conv_method_gemm,
#endif
};

const char *sk_algorithm_name(sk_algorithm algorithm) {
  return (unsigned)algorithm < SK_ALGORITHM_COUNT ? algorithm_names[algorithm] : "unknown";
}

sk_status sk_algorithm_parse(const char *name, sk_algorithm *algorithm) {
  if (!algorithm) return sk_fail(SK_INVALID_ARGUMENT, "sk_algorithm_parse: NULL algorithm");
  for (unsigned i = 0; name && i < SK_ALGORITHM_COUNT; i++) {
    if (strcmp(name, algorithm_names[i]) == 0) {
      *algorithm = (sk_algorithm)i;
      return SK_OK;
    }
  }
  return sk_fail(SK_INVALID_ARGUMENT,
                 "algorithm \"%.40s\" is unknown, expected auto, direct, winograd2, winograd4, winograd6, gemm, "
                 "strassen or winograd3",
                 name ? name : "");
}

struct named_size {
  const char *name;
  size_t value;
};

static sk_status check_positive(const sk_conv_shape *s) {
  const struct named_size sizes[] = {
      {"batch", s->batch},
      {"in_channels", s->in_channels},
      {"in_height", s->in_height},
      {"in_width", s->in_width},
      {"out_channels", s->out_channels},
      {"kernel_height", s->kernel_height},
      {"kernel_width", s->kernel_width},
      {"stride_height", s->stride_height},
      {"stride_width", s->stride_width},
      {"dilation_height", s->dilation_height},
      {"dilation_width", s->dilation_width},
      {"groups", s->groups},
  };
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    if (sizes[i].value == 0)
      return sk_fail(SK_INVALID_ARGUMENT, "convolution: %s is 0, expected at least 1", sizes[i].name);
  }
  if (s->in_channels % s->groups || s->out_channels % s->groups) {
    return sk_fail(SK_INVALID_ARGUMENT, "convolution: %zu groups do not divide %zu input and %zu output channels",
                   s->groups, s->in_channels, s->out_channels);
  }
  return SK_OK;
}

/* Compute the output's size along one dimension. */
static sk_status output_size(const char *dimension, size_t in, size_t kernel, size_t stride, size_t dilation,
                             size_t before, size_t after, size_t *out) {
  size_t padded, window;
  if (!sk_size_add(in, before, &padded) || !sk_size_add(padded, after, &padded) ||
      !sk_size_multiply(dilation, kernel - 1, &window) || !sk_size_add(window, 1, &window)) {
    return sk_fail(SK_INVALID_ARGUMENT, "convolution: %s: sizes overflow", dimension);
  }
  if (window > padded) {
    return sk_fail(SK_INVALID_ARGUMENT, "convolution: %s: kernel spans %zu, but the padded input has %zu", dimension,
                   window, padded);
  }
  *out = (padded - window) / stride + 1;
  return SK_OK;
}

sk_status sk_conv_output_size(const sk_conv_shape *s, size_t *out_height, size_t *out_width) {
  if (!s || !out_height || !out_width) return sk_fail(SK_INVALID_ARGUMENT, "sk_conv_output_size: NULL argument");
  sk_status status = check_positive(s);
  if (!status) {
    status = output_size("height", s->in_height, s->kernel_height, s->stride_height, s->dilation_height, s->pad_top,
                         s->pad_bottom, out_height);
  }
  if (!status) {
    status = output_size("width", s->in_width, s->kernel_width, s->stride_width, s->dilation_width, s->pad_left,
                         s->pad_right, out_width);
  }
  if (status) return status;
  size_t bytes;
  const struct sk_tensor x = {
      .channels = s->in_channels, .height = s->in_height, .width = s->in_width, .halo = sk_conv_halo(s)};
  const struct sk_tensor y = {.channels = s->out_channels, .height = *out_height, .width = *out_width};
  status = sk_tensor_bytes(&x, s->batch, &bytes);
  return status ? status : sk_tensor_bytes(&y, s->batch, &bytes);
}

size_t sk_conv_halo(const sk_conv_shape *s) {
  return sk_size_max(sk_size_max(s->pad_top, s->pad_bottom), sk_size_max(s->pad_left, s->pad_right));
}

bool sk_conv_takes_planar(const sk_conv_shape *s) { return s->groups == 1 && s->in_channels <= 4; }

static const struct sk_conv_method *find_method(const sk_conv_shape *shape, sk_algorithm algorithm) {
  for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
    if (methods[i]->algorithm == algorithm && methods[i]->applies(shape)) return methods[i];
  }
  return NULL;
}

/* Tiles of m x m outputs in a batch. */
static size_t tile_count(const sk_conv_shape *s, size_t out_height, size_t out_width, size_t m) {
  return s->batch * sk_size_divide_up(out_height, m) * sk_size_divide_up(out_width, m);
}

/*
 * The shape rules of `auto`. They look at the shape alone, the batch included, and never at the machine, so that the
 * same network runs the same algorithms, and gives the same bits, everywhere. Winograd pays where the channels make the
 * multiplication, not the transforms, the larger part. The larger tile saves more, but has four times the weights of
 * direct convolution to read, so it wants tiles enough to use them for (docs/performance.md has the measurements).
 */
static sk_algorithm automatic_stride_1(const sk_conv_shape *s, size_t out_height, size_t out_width) {
  const size_t channels = sk_size_min(s->in_channels, s->out_channels), enough = 9;
  if (channels >= SK_BLOCK && tile_count(s, out_height, out_width, 4) >= enough) return SK_ALGORITHM_WINOGRAD4;
  return channels >= 2 * SK_BLOCK ? SK_ALGORITHM_WINOGRAD2 : SK_ALGORITHM_DIRECT;
}

static sk_algorithm automatic_stride_2(const sk_conv_shape *s, size_t out_height, size_t out_width) {
  const size_t channels = sk_size_min(s->in_channels, s->out_channels);
  const size_t enough = 32, enough_of_2x2 = channels < 4 * SK_BLOCK ? enough : enough / 2;
  if (channels < 2 * SK_BLOCK) return SK_ALGORITHM_DIRECT;
  if (tile_count(s, out_height, out_width, 4) >= enough) return SK_ALGORITHM_WINOGRAD4;
  return tile_count(s, out_height, out_width, 2) >= enough_of_2x2 ? SK_ALGORITHM_WINOGRAD2 : SK_ALGORITHM_DIRECT;
}

/* Groups have few products beside their transforms, and weights of their own for each block: they want tiles enough. */
static sk_algorithm automatic_groups(size_t out_height, size_t out_width) {
  const size_t enough = 14;
  return sk_size_min(out_height, out_width) >= enough ? SK_ALGORITHM_WINOGRAD4 : SK_ALGORITHM_DIRECT;
}

/* Strassen's sums are small beside products of many channels, and its weights, 1.75 times as many, beside many pixels.
 */
static bool prefers_strassen(const sk_conv_shape *s, size_t out_height, size_t out_width) {
  const size_t channels = sk_size_min(s->in_channels, s->out_channels), enough_channels = 128, enough_pixels = 48;
  return sk_conv_method_strassen.applies(s) && channels >= enough_channels && out_height * out_width >= enough_pixels;
}

static sk_algorithm automatic(const sk_conv_shape *s, size_t out_height, size_t out_width) {
  if (sk_size_min(out_height, out_width) < 4) return SK_ALGORITHM_DIRECT;
  if (prefers_strassen(s, out_height, out_width)) return SK_ALGORITHM_STRASSEN;
  if (sk_conv_method_winograd3.applies(s)) return SK_ALGORITHM_WINOGRAD3;
  if (sk_conv_method_winograd4.applies(s)) return automatic_stride_1(s, out_height, out_width);
  if (sk_conv_method_winograd4_groups.applies(s)) return automatic_groups(out_height, out_width);
  if (sk_conv_method_winograd4_stride2.applies(s)) return automatic_stride_2(s, out_height, out_width);
  return SK_ALGORITHM_DIRECT;
}

static sk_status choose_method(const sk_conv_shape *shape, sk_algorithm wanted, const struct sk_conv_method **method) {
  size_t out_height, out_width;
  const sk_status status = sk_conv_output_size(shape, &out_height, &out_width);
  if (status) return status;
  if ((unsigned)wanted >= SK_ALGORITHM_COUNT) {
    return sk_fail(SK_INVALID_ARGUMENT, "algorithm number %d is unknown", (int)wanted);
  }
  if (wanted == SK_ALGORITHM_AUTO) wanted = automatic(shape, out_height, out_width);
  *method = find_method(shape, wanted);
  if (*method) return SK_OK;
#if !SK_HAVE_OPENBLAS
  if (wanted == SK_ALGORITHM_GEMM) return sk_fail(SK_UNSUPPORTED, "algorithm gemm is not in this build (no CBLAS)");
#endif
  return sk_fail(SK_UNSUPPORTED, "algorithm %s does not apply to a %zux%zu convolution of stride %zux%zu, %zu groups",
                 sk_algorithm_name(wanted), shape->kernel_height, shape->kernel_width, shape->stride_height,
                 shape->stride_width, shape->groups);
}

sk_status sk_conv_choose(const sk_conv_shape *shape, sk_algorithm wanted, sk_algorithm *chosen) {
  const struct sk_conv_method *method;
  const sk_status status = choose_method(shape, wanted, &method);
  if (!status) *chosen = method->algorithm;
  return status;
}

sk_status sk_conv_size_weights(sk_conv *plan, size_t a, size_t b, size_t c) {
  size_t count, bytes;
  if (!sk_size_multiply(a, b, &count) || !sk_size_multiply(count, c, &count) ||
      !sk_size_multiply(count, sizeof(float), &bytes) || bytes > PTRDIFF_MAX) {
    return sk_fail(SK_INVALID_ARGUMENT, "convolution: the size of the packed weights overflows");
  }
  plan->weight_floats = count;
  return SK_OK;
}

sk_status sk_conv_size_threads(sk_conv *plan, size_t floats, const char *what) {
  if (sk_size_multiply(floats, sizeof(float), &plan->thread_bytes) &&
      sk_size_multiply(plan->thread_bytes, (size_t)plan->threads, &plan->tensor_workspace_bytes)) {
    return SK_OK;
  }
  return sk_fail(SK_INVALID_ARGUMENT, "convolution: the size of the %s overflows", what);
}

static sk_status pack_weights(sk_conv *plan, const float *weights) {
  const size_t bytes = plan->weight_floats * sizeof(float);
  plan->weights = sk_arena_take(plan->arena, bytes);
  if (!plan->weights) return sk_fail(SK_OUT_OF_MEMORY, "convolution: no memory for %zu bytes of weights", bytes);
  plan->method->pack(plan, weights);
  return SK_OK;
}

static sk_status pack_bias(sk_conv *plan, const float *bias) {
  const size_t channels = plan->shape.out_channels, padded = sk_blocks(channels) * SK_BLOCK;
  plan->bias = sk_arena_take(plan->arena, padded * sizeof(float));
  if (!plan->bias) return sk_fail(SK_OUT_OF_MEMORY, "convolution: no memory for %zu biases", padded);
  if (bias) memcpy(plan->bias, bias, channels * sizeof(float));
  return SK_OK;
}

/* The BLAS may have threads of its own, which nobody else can set. */
static sk_status check_flush(sk_algorithm algorithm) {
  if (!sk_denormals_can_flush()) return sk_fail(SK_UNSUPPORTED, "flush_denormals: not on this kind of CPU");
  if (algorithm != SK_ALGORITHM_GEMM) return SK_OK;
  return sk_fail(SK_UNSUPPORTED, "flush_denormals: does not reach the BLAS of algorithm gemm");
}

/* ---- Sizes: a run on plain arrays has its tensors at the front of the workspace ---- */

/* sk_conv_output_size has checked that neither overflows. */
static size_t tensor_bytes(const sk_conv *plan, const struct sk_tensor *t) {
  return sk_size_round_up(plan->shape.batch * sk_tensor_image(t) * sizeof(float), SK_ALIGNMENT);
}

/* Whether a run on plain arrays reads its input there. */
static bool reads_plain(const sk_conv *plan) {
  return plan->in_layout == SK_LAYOUT_NCHW && sk_conv_reads_plain(plan->method->algorithm);
}

static struct sk_tensor input_tensor(const sk_conv *plan) {
  const sk_conv_shape *s = &plan->shape;
  return (struct sk_tensor){.layout = plan->in_layout,
                            .channels = s->in_channels,
                            .height = s->in_height,
                            .width = s->in_width,
                            .halo = reads_plain(plan) ? 0 : sk_conv_halo(s)};
}

/* Bytes of the input in the workspace. */
static size_t input_bytes(const sk_conv *plan) {
  const struct sk_tensor x = input_tensor(plan);
  return reads_plain(plan) ? 0 : tensor_bytes(plan, &x);
}

static struct sk_tensor output_tensor(const sk_conv *plan) {
  return (struct sk_tensor){.layout = SK_LAYOUT_NCHW16C,
                            .channels = plan->shape.out_channels,
                            .height = plan->out_height,
                            .width = plan->out_width};
}

/* Tensors are halves of PTRDIFF_MAX at most (sk_tensor_bytes); what a method needs beside them may be anything. */
static sk_status check_sizes(const sk_conv *plan, size_t most) {
  size_t bytes = sk_conv_weight_bytes(plan), workspace = 0;
  const struct sk_tensor y = output_tensor(plan);
  if (!sk_size_add(input_bytes(plan) + tensor_bytes(plan, &y), plan->tensor_workspace_bytes, &workspace) ||
      !sk_size_add(bytes, workspace, &bytes) || bytes > PTRDIFF_MAX) {
    return sk_fail(SK_INVALID_ARGUMENT, "convolution: the size of weights and workspace overflows");
  }
  if (most == 0 || bytes <= most) return SK_OK;
  return sk_fail(SK_OUT_OF_MEMORY,
                 "convolution: takes %zu bytes, %zu of weights and %zu of workspace; expected at most %zu", bytes,
                 bytes - workspace, workspace, most);
}

/* Choose all of a plan but its packed parameters. */
static sk_status settle_plan(sk_conv *plan, const sk_conv_shape *shape, const sk_conv_options *options) {
  plan->shape = *shape;
  plan->residual = options->residual;
  plan->relu = options->relu;
  plan->flush_denormals = options->flush_denormals;
  plan->threads = sk_threads_choose(options->threads);
  sk_status status = choose_method(shape, options->algorithm, &plan->method);
  if (!status && options->flush_denormals) status = check_flush(plan->method->algorithm);
  if (!status) status = sk_conv_output_size(shape, &plan->out_height, &plan->out_width);
  if (!status) status = sk_kernels_choose(options->isa, &plan->kernels);
  if (!status) status = plan->method->measure(plan);
  return status ? status : check_sizes(plan, options->max_bytes);
}

static sk_status fill_plan(sk_conv *plan, const sk_conv_shape *shape, const float *weights, const float *bias,
                           const sk_conv_options *options) {
  sk_status status = settle_plan(plan, shape, options);
  if (!status) status = pack_bias(plan, bias);
  return status ? status : pack_weights(plan, weights);
}

/* Make a plan; `setting` has what does not depend on the convolution: layout, arena and caches. */
static sk_status make_plan(sk_conv **out, const sk_conv_shape *shape, const float *weights, const float *bias,
                           const sk_conv_options *options, const sk_conv *setting) {
  static const sk_conv_options defaults = {0};
  if (out) *out = NULL;
  if (!out || !shape || !weights) return sk_fail(SK_INVALID_ARGUMENT, "convolution: NULL plan, shape or weights");
  if (!options) options = &defaults;
  sk_status status = sk_check_threads("convolution", options->threads);
  if (!status) status = sk_check_reserved("convolution", options->reserved, sizeof options->reserved);
  if (status) return status;
  sk_conv *plan = sk_malloc(sizeof *plan);
  if (!plan) return sk_fail(SK_OUT_OF_MEMORY, "convolution: no memory for a plan");
  *plan = *setting;
  status = fill_plan(plan, shape, weights, bias, options);
  if (status) {
    sk_conv_destroy(plan);
    return status;
  }
  *out = plan;
  return SK_OK;
}

sk_status sk_conv_plan(sk_conv **plan, const sk_conv_shape *shape, const float *weights, const float *bias,
                       const sk_conv_options *options, enum sk_layout in_layout, struct sk_arena *arena) {
  const sk_conv setting = {.in_layout = in_layout, .arena = arena, .caches = sk_cpu_caches()};
  return make_plan(plan, shape, weights, bias, options, &setting);
}

sk_status sk_conv_plan_for_caches(sk_conv **plan, const sk_conv_shape *shape, const float *weights, const float *bias,
                                  const sk_conv_options *options, enum sk_layout in_layout,
                                  const struct sk_cpu_caches *caches) {
  const sk_conv setting = {.in_layout = in_layout, .caches = *caches};
  return make_plan(plan, shape, weights, bias, options, &setting);
}

void sk_conv_set_clip(sk_conv *plan, struct sk_clip_bounds bounds) {
  plan->clip = true;
  plan->bounds = bounds;
}

sk_status sk_conv_measure(const sk_conv_shape *shape, const sk_conv_options *options, enum sk_layout in_layout,
                          struct sk_conv_sizes *sizes) {
  sk_conv plan = {.in_layout = in_layout, .caches = sk_cpu_caches()};
  const sk_status status = settle_plan(&plan, shape, options);
  *sizes = (struct sk_conv_sizes){0};
  if (!status) *sizes = (struct sk_conv_sizes){sk_conv_weight_bytes(&plan), plan.tensor_workspace_bytes};
  return status;
}

void sk_conv_destroy(sk_conv *plan) {
  if (!plan) return;
  if (!plan->arena) {
    sk_free(plan->weights);
    sk_free(plan->bias);
  }
  sk_free(plan);
}

void sk_conv_run_tensor(const sk_conv *plan, size_t batch, const struct sk_tensor *x, const struct sk_tensor *residual,
                        const struct sk_tensor *y, void *workspace) {
  plan->method->run(plan, batch, x, residual, y, workspace);
}

sk_status sk_conv_create(sk_conv **plan, const sk_conv_shape *shape, const float *weights, const float *bias,
                         const sk_conv_options *options) {
  sk_algorithm chosen = SK_ALGORITHM_GEMM;
  const sk_algorithm wanted = options ? options->algorithm : SK_ALGORITHM_AUTO;
  const bool planar =
      shape && sk_conv_takes_planar(shape) && !sk_conv_choose(shape, wanted, &chosen) && sk_conv_reads_planar(chosen);
  return sk_conv_plan(plan, shape, weights, bias, options, planar ? SK_LAYOUT_NCHW : SK_LAYOUT_NCHW16C, NULL);
}

sk_isa sk_conv_isa(const sk_conv *plan) { return plan->kernels->isa; }
sk_algorithm sk_conv_algorithm(const sk_conv *plan) { return plan->method->algorithm; }
size_t sk_conv_weight_bytes(const sk_conv *plan) {
  return (plan->weight_floats + sk_blocks(plan->shape.out_channels) * SK_BLOCK) * sizeof(float);
}

void sk_conv_set_workspace(sk_conv *plan, size_t bytes) {
  if (plan->thread_bytes > 0) plan->thread_bytes = bytes / (size_t)plan->threads / SK_ALIGNMENT * SK_ALIGNMENT;
}

void sk_conv_set_after(sk_conv *plan, const float *after, size_t bytes) {
  if (bytes > plan->caches.l3_bytes / 2) return;
  plan->after = after;
  plan->after_bytes = bytes;
}

size_t sk_conv_tensor_workspace_bytes(const sk_conv *plan) { return plan->tensor_workspace_bytes; }

size_t sk_conv_workspace_bytes(const sk_conv *plan) {
  const struct sk_tensor y = output_tensor(plan);
  return input_bytes(plan) + tensor_bytes(plan, &y) + plan->tensor_workspace_bytes;
}

sk_status sk_conv_run(const sk_conv *plan, const float *x, const float *residual, float *y, void *workspace) {
  if (!plan || !x || !y || !workspace) return sk_fail(SK_INVALID_ARGUMENT, "sk_conv_run: NULL plan, x, y or workspace");
  if ((uintptr_t)workspace % SK_ALIGNMENT) {
    return sk_fail(SK_INVALID_ARGUMENT, "sk_conv_run: workspace is not aligned to %d bytes", SK_ALIGNMENT);
  }
  if (plan->residual != (residual != NULL)) {
    return sk_fail(SK_INVALID_ARGUMENT, "sk_conv_run: residual is %s, but the plan has %s", residual ? "given" : "NULL",
                   plan->residual ? "one" : "none");
  }
  struct sk_tensor in = input_tensor(plan), out = output_tensor(plan);
  out.data = (float *)workspace + input_bytes(plan) / sizeof(float);
  void *rest = out.data + tensor_bytes(plan, &out) / sizeof(float);
  const size_t batch = plan->shape.batch;
  if (reads_plain(plan)) {
    in.data = (float *)(uintptr_t)x; /* which a run only reads */
  } else {
    in.data = workspace;
    sk_tensor_import(plan->kernels, &in, batch, x, plan->threads);
  }
  if (residual) sk_tensor_import(plan->kernels, &out, batch, residual, plan->threads);
  sk_conv_run_tensor(plan, batch, &in, residual ? &out : NULL, &out, rest);
  sk_tensor_export(plan->kernels, &out, batch, y, plan->threads);
  return SK_OK;
}
