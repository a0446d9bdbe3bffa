/*
 * Skiplane: SIMD kernels for convolutional residual networks.
 *
 * Conventions of this header
 *   Arrays      float32, row-major, written as name[dim][dim]; plain NCHW activations and OIHW weights.
 *   Sizes       size_t, counted in elements unless the name ends in _bytes.
 *   Errors      functions that can fail return sk_status and leave a line for sk_error_message(), per thread. What they
 *               make is NULL then. Only what is said to may be NULL; for plans, networks, weights and whatever else the
 *               library made, a function without sk_status does not look.
 *   Structs     are zero-initialised before fields are set. Fields come to options and infos in later versions in the
 *               place of `reserved`, so that neither size nor layout changes; of options those have to be zero, and a
 *               library refuses what it does not know. Shapes stay as they are.
 *   Threads     a line "Threads:" at each function, or above a group of them:
 *                 any    at any time from any thread, with the same arguments too; what is written to, be it memory,
 *                        workspace or file, is for one call at a time
 *                 last   as the last call that has to do with the object, after all others have returned
 *               Whatever the library makes (sk_conv, sk_net, sk_weights, sk_plan) is not changed by its use: threads
 *               share it.
 *   Results     for one algorithm per layer the bits of a result depend on the inputs only: not on the
 *               ISA, the number of threads or the batch (docs/numerics.md).
 */
#ifndef SKIPLANE_H
#define SKIPLANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SK_VERSION_MAJOR 0
#define SK_VERSION_MINOR 1
#define SK_VERSION_PATCH 0
#define SK_VERSION_NUMBER (SK_VERSION_MAJOR * 10000 + SK_VERSION_MINOR * 100 + SK_VERSION_PATCH)

#if defined(__GNUC__)
#define SK_API __attribute__((visibility("default")))
#else
#define SK_API
#endif

/* ---- Status ------------------------------------------------------------------------------------------------ */

typedef enum sk_status {
  SK_OK = 0,
  SK_INVALID_ARGUMENT, /* a value outside its documented range, or sizes whose product overflows */
  SK_UNSUPPORTED,      /* valid, but not by this build, this CPU or this algorithm */
  SK_OUT_OF_MEMORY,
  SK_IO_ERROR,  /* the system refused to open, read or write a file */
  SK_BAD_FORMAT /* a file whose content breaks the rules of its format, or does not fit the network */
} sk_status;

/* Name a status: "invalid argument"; "unknown status" for other numbers. Never NULL. Threads: any. */
SK_API const char *sk_status_name(sk_status status);

/* Return the message of the last error of the calling thread: one line that names the field, what came and
 * what was expected, "" before the first. Valid until the thread's next failing call. Never NULL.
 * Threads: any; each has its own message. */
SK_API const char *sk_error_message(void);

/* Return the version of the library that runs, "0.1.0", and as a number to compare with SK_VERSION_NUMBER.
 * Threads: any. */
SK_API const char *sk_version(void);
SK_API int sk_version_number(void);

/* Check that the library that runs can serve a program compiled for version major.minor.patch: it has to be of the same
 * major version, and no older.
 *
 *   if (sk_version_require(SK_VERSION_MAJOR, SK_VERSION_MINOR, SK_VERSION_PATCH)) fail(sk_error_message());
 *
 * Errors: SK_UNSUPPORTED. Threads: any. */
SK_API sk_status sk_version_require(int major, int minor, int patch);

/* ---- Instruction sets -------------------------------------------------------------------------------------- */

typedef enum sk_isa {
  SK_ISA_AUTO = 0,
  SK_ISA_GENERIC,
  SK_ISA_AVX2,
  SK_ISA_AVX512,
  SK_ISA_NEON,
  SK_ISA_SSE41,
  SK_ISA_COUNT
} sk_isa;

/* Name an ISA: "auto", "generic", "avx2", "avx512", "neon", "sse41"; "unknown" for other numbers. Threads: any. */
SK_API const char *sk_isa_name(sk_isa isa);

/* Parse an ISA's name. Errors: SK_INVALID_ARGUMENT (NULL, or another name: lists them). Threads: any. */
SK_API sk_status sk_isa_parse(const char *name, sk_isa *isa);

/* Tell whether this build contains kernels for an ISA. Threads: any. */
SK_API bool sk_isa_built(sk_isa isa);

/* Tell whether this CPU and operating system can run an ISA that is built. Threads: any. */
SK_API bool sk_isa_available(sk_isa isa);

/* Resolve an ISA: SK_ISA_AUTO becomes the environment's SKIPLANE_ISA, or the best one available.
 * Errors: SK_INVALID_ARGUMENT for an unknown name in SKIPLANE_ISA, SK_UNSUPPORTED for an ISA that this build or
 * this CPU lacks; never a silent fallback.
 * Threads: any, while no other changes the environment. */
SK_API sk_status sk_isa_choose(sk_isa wanted, sk_isa *chosen);

/* ---- Algorithms -------------------------------------------------------------------------------------------- */

typedef enum sk_algorithm {
  SK_ALGORITHM_AUTO = 0,  /* chosen by rules on the shape alone, batch included: the same on every machine */
  SK_ALGORITHM_DIRECT,    /* any convolution */
  SK_ALGORITHM_WINOGRAD2, /* F(2,3): 3x3, stride 1 or 2 in both dimensions, dilation 1, one group */
  SK_ALGORITHM_WINOGRAD4, /* F(4,3), likewise; stride 1: also groups of 4, 8 or 16 channels, 16n in all */
  SK_ALGORITHM_WINOGRAD6, /* F(6,3), stride 1 and one group alone */
  SK_ALGORITHM_GEMM,      /* im2col and CBLAS, a baseline: its bits are the BLAS's */
  SK_ALGORITHM_STRASSEN,  /* once Strassen: 1x1 without padding, one group, channels of both sides multiples of 32 */
  SK_ALGORITHM_WINOGRAD3, /* F(3,4) of the phases of 7x7, stride 2 in both dimensions, dilation 1, at most 4 channels */
  SK_ALGORITHM_COUNT
} sk_algorithm;

/* Name an algorithm: "auto", "direct", "winograd2", "winograd4", "winograd6", "gemm",
 * "strassen", "winograd3"; "unknown" for other numbers.
 * Threads: any. */
SK_API const char *sk_algorithm_name(sk_algorithm algorithm);

/* Parse an algorithm's name. Errors: SK_INVALID_ARGUMENT (NULL, or another name: lists them). Threads: any. */
SK_API sk_status sk_algorithm_parse(const char *name, sk_algorithm *algorithm);

/* ---- Memory ------------------------------------------------------------------------------------------------ */

#define SK_ALIGNMENT 64 /* bytes: of every workspace given to a run */

/* Where the library's memory comes from, in place of the C library's malloc and free. Both functions may be called from
 * several threads at once, must not call the library, and get `user` as it was given. */
typedef struct sk_allocator {
  /* Return `bytes` > 0 bytes at a multiple of `alignment`, a power of two: SK_ALIGNMENT for what a run reads and
   * writes, 2 MiB from that size on, that of max_align_t for everything else. NULL if there are none; memory that is
   * not aligned so is released at once and counts as none. */
  void *(*allocate)(void *user, size_t bytes, size_t alignment);

  /* Take back what allocate returned; never NULL. */
  void (*release)(void *user, void *memory);

  void *user;
} sk_allocator;

/* Let an allocator serve every allocation of the library: once in a process, before the first allocation.
 * The first allocation settles on malloc and free if no allocator was set by then, and what is settled stays. It is the
 * struct that is kept, not a copy: it must stay as it is until the process ends.
 * Memory of the libraries beneath is their own where they cannot be told: cJSON, libturbojpeg, the BLAS, OpenMP's
 * threads, and the buffers of the C library's streams. libspng asks this allocator.
 * Errors: SK_INVALID_ARGUMENT (NULL), SK_UNSUPPORTED (too late, or a second time).
 * Threads: any: one of them sets it. */
SK_API sk_status sk_set_allocator(const sk_allocator *allocator);

/* Allocate `bytes` bytes, 64-byte aligned, contents undefined; NULL if there are none. Free with sk_free.
 * Threads: any. */
SK_API void *sk_alloc(size_t bytes);

/* Free memory from sk_alloc; NULL is none. Threads: last. */
SK_API void sk_free(void *memory);

/* ---- One convolution --------------------------------------------------------------------------------------- */

typedef struct sk_conv_shape {
  size_t batch;
  size_t in_channels, in_height, in_width;
  size_t out_channels;
  size_t kernel_height, kernel_width;
  size_t stride_height, stride_width;
  size_t dilation_height, dilation_width;
  size_t pad_top, pad_bottom, pad_left, pad_right; /* zeros around the input */
  size_t groups;                                   /* divides in_channels and out_channels */
} sk_conv_shape;

/* Compute the output's height and width: floor((in + pads - dilation*(kernel-1) - 1) / stride) + 1.
 * Errors: SK_INVALID_ARGUMENT for a zero size, groups that do not divide the channels, a kernel larger than the
 * padded input, or sizes whose product overflows. Threads: any. */
SK_API sk_status sk_conv_output_size(const sk_conv_shape *shape, size_t *out_height, size_t *out_width);

typedef struct sk_conv_options {
  sk_isa isa;
  sk_algorithm algorithm;
  int threads;   /* 0: as many as OpenMP gives */
  bool residual; /* the run adds a residual array to the result */
  bool relu;     /* the run ends in x < 0 ? 0 : x, which keeps NaN and -0 */

  /* Arithmetic takes denormal inputs, and makes denormal results, zero: what only moves or compares values need not.
   * The threads of a run do so while they compute and no longer; the caller's own mode is as before when it returns.
   * SK_UNSUPPORTED with gemm, and on a CPU that is neither x86-64 nor AArch64. */
  bool flush_denormals;

  size_t max_bytes;     /* refuse a plan whose weights and workspace would take more, before they do; 0: no limit */
  uint64_t reserved[3]; /* zero */
} sk_conv_options;

/* A plan: the kernels, the algorithm and the packed weights of one convolution. */
typedef struct sk_conv sk_conv;

/* Make a plan for one convolution with fused epilogue.
 *
 *   y[n][k][i][j] = act(bias[k] + residual[n][k][i][j] + sum_{c,r,s} w[k][c][r][s] * x[n][c][row(i,r)][column(j,s)])
 *   row(i,r) = i*stride_height + r*dilation_height - pad_top; column(j,s) likewise; x is zero outside
 *
 * weights: [out_channels][in_channels/groups][kernel_height][kernel_width], copied; bias: [out_channels] or NULL;
 * options: NULL for the defaults (all zero). Free with sk_conv_destroy.
 * Errors: SK_INVALID_ARGUMENT (shape), SK_UNSUPPORTED (an algorithm that does not apply to the shape, or an ISA
 * this machine lacks), SK_OUT_OF_MEMORY (there is none, or options->max_bytes are not enough: tells how many are).
 * Accuracy: each algorithm has a proven bound (docs/numerics.md).
 * Threads: any. */
SK_API sk_status sk_conv_create(sk_conv **plan, const sk_conv_shape *shape, const float *weights, const float *bias,
                                const sk_conv_options *options);

/* Free a plan; NULL is none. Threads: last. */
SK_API void sk_conv_destroy(sk_conv *plan);

/* Tell what a plan chose: never SK_ISA_AUTO or SK_ALGORITHM_AUTO. Threads: any. */
SK_API sk_isa sk_conv_isa(const sk_conv *plan);
SK_API sk_algorithm sk_conv_algorithm(const sk_conv *plan);

/* Tell the bytes of workspace that a run needs, and the bytes that the plan's packed weights and bias take.
 * Threads: any. */
SK_API size_t sk_conv_workspace_bytes(const sk_conv *plan);
SK_API size_t sk_conv_weight_bytes(const sk_conv *plan);

/* Run a plan. Allocates nothing.
 * x: [batch][in_channels][in_height][in_width]; residual: [batch][out_channels][out_height][out_width], NULL unless
 * planned; y: like residual. workspace: 64-byte aligned, sk_conv_workspace_bytes() bytes, contents irrelevant.
 * Alignment: of the workspace alone. Aliasing: y may be residual; no other overlap.
 * Errors: SK_INVALID_ARGUMENT for a NULL or misaligned pointer.
 * Threads: any; each run has y and workspace to itself. */
SK_API sk_status sk_conv_run(const sk_conv *plan, const float *x, const float *residual, float *y, void *workspace);

/* ---- One-shot calls ----------------------------------------------------------------------------------------- */

/*
 * One operator on plain arrays, for foreign-function interfaces and for trying things out: each call packs, copies,
 * computes and copies back, in memory that it frees again. What runs often wants a plan, sk_conv or sk_net, which gives
 * the same bits.
 *
 * Arrays are x[batch][channels][height][width] unless a line says otherwise, need no alignment and are read whole
 * before y is written, so y may be any of them. Sizes are at least 1.
 * options: NULL for the defaults (all zero).
 * Errors: SK_INVALID_ARGUMENT (a NULL array, a size), SK_UNSUPPORTED (an ISA that this machine lacks),
 * SK_OUT_OF_MEMORY; y is as it was then.
 * Accuracy: the bits of the plans (docs/numerics.md).
 * Threads: any.
 */

/* Where and how a call runs. */
typedef struct sk_call_options {
  sk_isa isa;
  int threads;          /* 0: as many as OpenMP gives */
  bool flush_denormals; /* as in sk_conv_options */
  uint64_t reserved[4]; /* zero */
} sk_call_options;

/* Convolve: as sk_conv_create and sk_conv_run.
 * bias: [out_channels] or NULL; residual: as y, or NULL. options->residual is not looked at: the pointer tells. */
SK_API sk_status sk_conv2d_f32(const sk_conv_shape *shape, const float *x, const float *weights, const float *bias,
                               const float *residual, float *y, const sk_conv_options *options);

/* Normalise: y = (x - mean[c]) / sqrt(variance[c] + epsilon) * gamma[c] + beta[c], computed as x * scale[c] + shift[c]
 * with both formed in double precision and rounded once.
 * mean, variance: [channels]; gamma, beta: [channels], NULL for ones and zeros. */
SK_API sk_status sk_batch_norm_f32(size_t batch, size_t channels, size_t height, size_t width, const float *x,
                                   const float *gamma, const float *beta, const float *mean, const float *variance,
                                   double epsilon, float *y, const sk_call_options *options);

/* Rectify: y[i] = x[i] < 0 ? 0 : x[i], which keeps NaN and -0. x, y: [count], of any shape. */
SK_API sk_status sk_relu_f32(size_t count, const float *x, float *y, const sk_call_options *options);

/* Add: y[i] = a[i] + b[i], rectified if `relu`. a, b, y: [count], of any shape. */
SK_API sk_status sk_add_f32(size_t count, const float *a, const float *b, bool relu, float *y,
                            const sk_call_options *options);

typedef struct sk_pool2d_shape {
  size_t batch, channels;
  size_t in_height, in_width;
  size_t kernel_height, kernel_width;
  size_t stride_height, stride_width;
  size_t dilation_height, dilation_width;          /* 1 for an average pool */
  size_t pad_top, pad_bottom, pad_left, pad_right; /* at most half of the kernel */
  bool ceil_mode;         /* round the output's size up; the last window starts inside the input or its first padding */
  bool count_include_pad; /* an average pool's divisor counts padding */
} sk_pool2d_shape;

/* Compute a pool's output height and width, by torch's rule: floor, or in ceil_mode the next whole number, of
 * (in + pads - dilation*(kernel-1) - 1) / stride, + 1. */
SK_API sk_status sk_pool2d_output_size(const sk_pool2d_shape *shape, size_t *out_height, size_t *out_width);

/* Pool: y[n][c][i][j] = the maximum, or the mean, of the window at x[n][c][i*stride - pad][j*stride - pad]; of a
 * maximum the padding is no part. y: [batch][channels][out_height][out_width]. */
SK_API sk_status sk_max_pool2d_f32(const sk_pool2d_shape *shape, const float *x, float *y,
                                   const sk_call_options *options);
SK_API sk_status sk_average_pool2d_f32(const sk_pool2d_shape *shape, const float *x, float *y,
                                       const sk_call_options *options);

/* Average each plane: y[n][c] = mean of x[n][c]. y: [batch][channels]. */
SK_API sk_status sk_global_average_pool_f32(size_t batch, size_t channels, size_t height, size_t width, const float *x,
                                            float *y, const sk_call_options *options);

/* Multiply by a matrix: y[n][o] = bias[o] + sum_i weights[o][i] * x[n][i].
 * x: [batch][inputs]; weights: [outputs][inputs]; bias: [outputs] or NULL; y: [batch][outputs]. */
SK_API sk_status sk_dense_f32(size_t batch, size_t inputs, size_t outputs, const float *x, const float *weights,
                              const float *bias, float *y, const sk_call_options *options);

/* Normalise exponentials: y[n][c] = exp(x[n][c] - max x[n]) / their sum over c. x, y: [batch][classes]. */
SK_API sk_status sk_softmax_f32(size_t batch, size_t classes, const float *x, float *y, const sk_call_options *options);

/* ---- Weights ----------------------------------------------------------------------------------------------- */

/* Named tensors: of a file, or drawn. */
typedef struct sk_weights sk_weights;

/* Open a safetensors file (F32, F16, BF16), mapped read-only and checked against every rule of the format.
 * Free with sk_weights_close.
 * Errors: SK_IO_ERROR, SK_BAD_FORMAT (names the file, the tensor and the rule), SK_OUT_OF_MEMORY. Threads: any; the
 * file must not change while the weights are open. */
SK_API sk_status sk_weights_open(sk_weights **weights, const char *path);

/* Draw seeded random weights for a model that keep activations finite at any depth. classes: 0 for the model's own.
 * A seed gives the same bits on every machine. Free with sk_weights_close.
 * Errors: SK_INVALID_ARGUMENT (an unknown model, too many classes), SK_OUT_OF_MEMORY. Threads: any. */
SK_API sk_status sk_weights_random(sk_weights **weights, const char *model, size_t classes, uint64_t seed);

/* Write weights as a safetensors file (F32), through a temporary file and a rename.
 * Errors: SK_INVALID_ARGUMENT (NULL), SK_IO_ERROR, SK_OUT_OF_MEMORY; what was there stays. Threads: any. */
SK_API sk_status sk_weights_save(const sk_weights *weights, const char *path);

/* Free weights; NULL is none. Networks made of them stay. Threads: last. */
SK_API void sk_weights_close(sk_weights *weights);

/* Count the NaN and infinite values, so that a caller can report them. Threads: any. */
SK_API size_t sk_weights_nonfinite(const sk_weights *weights);

/* ---- Tuned plans ------------------------------------------------------------------------------------------- */

/* The algorithm of each convolution of one network, as `skiplane tune` measured it on some machine. */
typedef struct sk_plan sk_plan;

/* Read a plan file: JSON, format "skiplane-plan 1" (docs/benchmarking.md), of at most 16 MiB.
 * Errors: SK_IO_ERROR, SK_BAD_FORMAT (names the file, the field, what came and what was expected),
 * SK_OUT_OF_MEMORY. Threads: any. */
SK_API sk_status sk_plan_open(sk_plan **plan, const char *path);

/* Free a plan; NULL is none. Networks made with it stay. Threads: last. */
SK_API void sk_plan_close(sk_plan *plan);

typedef struct sk_plan_info {
  const char *model;          /* "resnet50"; the texts are the plan's */
  size_t in_height, in_width; /* of the network's input */
  size_t layers;              /* convolutions */
  uint32_t digest;            /* of the model, the layers and their algorithms: what runs, not what was measured */

  /* What it was measured with. The results of a network depend on none of these. */
  size_t batch;
  int threads;
  sk_isa isa;
  const char *cpu, *version;
  uint64_t reserved[8];
} sk_plan_info;

/* Describe a plan. Threads: any. */
SK_API void sk_plan_describe(const sk_plan *plan, sk_plan_info *info);

/* ---- Networks ---------------------------------------------------------------------------------------------- */

typedef struct sk_model_info {
  const char *name; /* "resnet50" */
  const char *description;
  uint64_t parameters; /* with the default number of classes */
  uint64_t macs;       /* multiply-accumulates of convolutions and dense layers, one image of the default size */
  size_t in_channels, in_height, in_width, classes;
  float mean[3], standard_deviation[3]; /* of the images it was trained on, RGB scaled to 0..1 */
  size_t resize; /* shorter side before the centre crop; 0: images are resized to the input itself */
  uint64_t reserved[8];
} sk_model_info;

/* Count the models that have a name. Threads: any. */
SK_API size_t sk_model_count(void);

/* Describe model number `index` < sk_model_count(). Errors: SK_INVALID_ARGUMENT, SK_OUT_OF_MEMORY.
 * Threads: any. */
SK_API sk_status sk_model_at(size_t index, sk_model_info *info);

/* Describe a model by name. Errors: SK_INVALID_ARGUMENT lists the names; SK_OUT_OF_MEMORY. Threads: any. */
SK_API sk_status sk_model_find(const char *name, sk_model_info *info);

typedef enum sk_resnet_version { SK_RESNET_V1_5 = 0, SK_RESNET_V1 } sk_resnet_version;

typedef struct sk_net_options {
  sk_isa isa;
  sk_algorithm algorithm;              /* of every convolution it applies to; the others run direct */
  int threads;                         /* 0: as many as OpenMP gives */
  size_t batch;                        /* largest batch of a run; 0: 1 */
  size_t in_height, in_width, classes; /* 0: the model's own; classes 0 with weights: as the weights have it */
  sk_resnet_version version;           /* v1.5 strides in the 3x3 of a bottleneck, v1 in its first 1x1 */
  bool softmax;                        /* the outputs are probabilities rather than logits */
  const char *const *taps;             /* names of layers whose outputs sk_net_tap will copy */
  size_t tap_count;
  const sk_plan *plan;  /* the algorithm of every convolution, in place of `algorithm`, which is AUTO then; NULL: none.
                           Only read while the net is made. Batch, threads and ISA need not be those of the plan. */
  bool flush_denormals; /* as in sk_conv_options, of every layer */

  /* Refuse a network whose packed weights and workspace (sk_net_info) would take more together, before they do; 0: no
   * limit. Beside them come the names and shapes, and the plain weights of one layer at a time while the net is made.
   */
  size_t max_bytes;
  uint64_t reserved[7]; /* zero */
} sk_net_options;

/* A network: its kernels, packed weights and the plan of its memory. */
typedef struct sk_net sk_net;

/* Plan a network: choose an algorithm per layer, fold batch norm, pack the weights, plan the memory.
 * options: NULL for the defaults (all zero). Free with sk_net_destroy; weights and plan may be closed before.
 * Errors: SK_INVALID_ARGUMENT (unknown model, tap or size), SK_BAD_FORMAT (missing, unknown or misshapen tensors; a
 * plan of another model, input or layers, or with an algorithm that does not apply), SK_UNSUPPORTED,
 * SK_OUT_OF_MEMORY (there is none, or options->max_bytes are not enough: tells how many are).
 * Threads: any. The weights of a file leave the memory as they are packed and come back from the file when needed. */
SK_API sk_status sk_net_create(sk_net **net, const char *model, const sk_weights *weights,
                               const sk_net_options *options);

/* Free a network; NULL is none. Threads: last. */
SK_API void sk_net_destroy(sk_net *net);

typedef struct sk_net_info {
  sk_isa isa;
  int threads;
  size_t batch, in_channels, in_height, in_width;
  size_t classes; /* all elements of an image's output, if a file's network ends in planes */
  size_t layers;
  uint64_t macs;                                          /* of one image */
  size_t workspace_bytes, weight_bytes, activation_bytes; /* activation_bytes: without any reuse, to compare */
  bool flush_denormals;
  uint64_t reserved[8];
} sk_net_info;

/* Describe a network. Threads: any. */
SK_API void sk_net_describe(const sk_net *net, sk_net_info *info);

/* Run `batch` <= planned images. Allocates nothing.
 * x: [batch][in_channels][in_height][in_width], normalised; y: [batch][classes];
 * workspace: 64-byte aligned, workspace_bytes long.
 * Alignment: of the workspace alone. Aliasing: y may be x.
 * Errors: SK_INVALID_ARGUMENT (NULL, a batch that was not planned, a misaligned workspace).
 * Accuracy: each layer has a proven bound (docs/numerics.md).
 * Threads: any; each run has y and workspace to itself. */
SK_API sk_status sk_net_run(const sk_net *net, size_t batch, const float *x, float *y, void *workspace);

/* Copy the output of tap number `tap` of the last run in `workspace`: out[batch][channels][height][width].
 * Errors: SK_INVALID_ARGUMENT. Threads: any, when the run in that workspace has ended. */
SK_API sk_status sk_net_tap(const sk_net *net, size_t tap, size_t batch, const void *workspace, float *out);

/* Tell the shape of tap number `tap`: {channels, height, width}. Errors: SK_INVALID_ARGUMENT. Threads: any. */
SK_API sk_status sk_net_tap_shape(const sk_net *net, size_t tap, size_t shape[3]);

typedef struct sk_layer_info {
  const char *name; /* torchvision's: "layer3.5.conv2"; a fused layer has its convolution's */
  const char *op;   /* "conv+add+relu" */
  sk_algorithm algorithm;
  size_t in_channels, in_height, in_width;
  size_t out_channels, out_height, out_width;
  size_t kernel_height, kernel_width, stride, groups;
  uint64_t macs;           /* of one image, counted as direct convolution */
  size_t activation_bytes; /* of one image: input, residual and output, as they lie in memory without their halos */
  size_t weight_bytes;     /* packed, bias included */
  size_t workspace_bytes;  /* extra memory while it runs: transformed tiles, columns */
  uint64_t reserved[8];
} sk_layer_info;

/* Describe layer `index` < layers, in execution order. Errors: SK_INVALID_ARGUMENT. Threads: any. */
SK_API sk_status sk_net_layer(const sk_net *net, size_t index, sk_layer_info *info);

/* Called after each layer of a run, by the thread that runs; must not block or call back into the net. A batch whose
 * activations do not fit the caches goes through some layers in groups of images: these are then called for each group.
 */
typedef void sk_layer_callback(void *user, size_t layer);

/* Run as sk_net_run does and report each finished layer of each group of images. callback: NULL for none.
 * Errors: as sk_net_run. Threads: as sk_net_run; the callback is called by the thread that called this. */
SK_API sk_status sk_net_run_observed(const sk_net *net, size_t batch, const float *x, float *y, void *workspace,
                                     sk_layer_callback *callback, void *user);

/* ---- Networks from files ------------------------------------------------------------------------------------ */

/* A network that was read from a file, with its weights. */
typedef struct sk_model sk_model;

typedef struct sk_onnx_options {
  size_t input_shape[4]; /* batch, channels, height, width; 0: as the file has it, 1 for a batch that it leaves open */
  size_t max_bytes;      /* of the file, and of what is made of its constants; 0: 2 GiB */
  uint64_t reserved[8];  /* zero */
} sk_onnx_options;

/* Read an ONNX file: operator sets 7 to 21, the operators of residual networks (docs/onnx.md lists them), one input,
 * one output. Tensors may lie in other files of its folder, which no link and no ".." leads out of: mapped, they are
 * not counted against max_bytes. options: NULL for the defaults (all zero).
 * Errors: SK_IO_ERROR, SK_BAD_FORMAT and SK_UNSUPPORTED (names the file, the node and what is wrong; for an operator
 * those that are supported), SK_INVALID_ARGUMENT (an input's size that is left open, or not the file's),
 * SK_OUT_OF_MEMORY; SK_UNSUPPORTED in a build without protobuf-c. Threads: any. */
SK_API sk_status sk_model_open_onnx(sk_model **model, const char *path, const sk_onnx_options *options);

/* Free a model; NULL is none. Networks made of it stay. Threads: last. */
SK_API void sk_model_close(sk_model *model);

/* Describe a model; the texts are the model's. Its name is the file's, without folders; the mean, the deviation and the
 * size of images before their crop are ImageNet's customs, for no file tells them. Threads: any. */
SK_API void sk_model_describe(const sk_model *model, sk_model_info *info);

/* Plan a network of a model, which may be closed afterwards. Of the options, version and softmax are not looked at;
 * in_height, in_width and classes are 0 or the model's own. Layers are called by their ONNX nodes, and taps by those or
 * by the nodes' outputs.
 * Errors: as sk_net_create. Threads: any. */
SK_API sk_status sk_net_create_from_model(sk_net **net, const sk_model *model, const sk_net_options *options);

/* ---- Images ------------------------------------------------------------------------------------------------ */

typedef struct sk_image {
  size_t height, width;
  uint8_t *pixels; /* [height][width][3], RGB */
} sk_image;

/* Decode a JPEG or PNG file to RGB. Free with sk_image_close.
 * Errors: SK_IO_ERROR, SK_BAD_FORMAT, SK_UNSUPPORTED (over 64 million pixels, CMYK, a build without the decoder),
 * SK_OUT_OF_MEMORY; the image is empty then. Threads: any. */
SK_API sk_status sk_image_open(sk_image *image, const char *path);

/* Free the pixels of an image; NULL and an empty image are all right. Threads: last. */
SK_API void sk_image_close(sk_image *image);

/* Resize as torchvision does on PIL images: bilinear with antialias, 8-bit intermediate. Free with sk_image_close.
 * Errors: SK_INVALID_ARGUMENT (no pixels, a size), SK_OUT_OF_MEMORY; `resized` is empty then. Threads: any. */
SK_API sk_status sk_image_resize(const sk_image *image, size_t height, size_t width, sk_image *resized);

/* Prepare an image for a network: shorter side to `resize`, centre crop to height x width, (v/255 - mean)/std.
 * resize: 0 resizes the whole image to height x width. out: [3][height][width].
 * Errors: SK_INVALID_ARGUMENT (no pixels, a size, a standard deviation that is not positive), SK_OUT_OF_MEMORY.
 * Threads: any. */
SK_API sk_status sk_image_prepare(const sk_image *image, size_t resize, size_t height, size_t width,
                                  const float mean[3], const float standard_deviation[3], float *out);

#ifdef __cplusplus
}
#endif
#endif
