/* Every allocation fails once: each call that allocates is repeated with its first, second, ... allocation refused, and
 * must report want of memory, make nothing, lose nothing, and do its work the next time. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "skiplane.h"
#include "tests/temporary_folder.h"

#define CORPUS SK_SOURCE_FOLDER "/tests/fuzz/corpus/"

/* ---- An allocator that fails when told to ------------------------------------------------------------------- */

enum { NEVER = -1 };
static atomic_long until_failure = NEVER; /* allocations before one that fails */
static atomic_size_t live;

static void *allocate(void *user, size_t bytes, size_t alignment) {
  (void)user;
  void *memory = NULL;
  const long left = atomic_load(&until_failure);
  if (left != NEVER) atomic_store(&until_failure, left - 1);
  if (left == 0) return NULL;
  if (posix_memalign(&memory, alignment < sizeof(void *) ? sizeof(void *) : alignment, bytes) != 0) return NULL;
  atomic_fetch_add(&live, 1);
  return memory;
}

static void release(void *user, void *memory) {
  (void)user;
  atomic_fetch_sub(&live, 1);
  free(memory);
}

static const sk_allocator failing = {.allocate = allocate, .release = release};

static void set_up(void) { cr_assert_eq(sk_set_allocator(&failing), SK_OK, "%s", sk_error_message()); }

/* ---- The method --------------------------------------------------------------------------------------------- */

/* A call under test: does its work, and undoes it if it succeeded. After a failure nothing may have been made. */
typedef sk_status attempt(const void *what);

/* Let allocation number k of an attempt fail; tell whether the attempt came that far. */
static bool fail_one(attempt *try, const void *what, const char *name, long k) {
  const size_t before = atomic_load(&live);
  sk_isa isa;
  cr_assert_neq(sk_isa_parse("none of this", &isa), SK_OK); /* what must not be read as this failure's message */
  atomic_store(&until_failure, k);
  const sk_status status = try(what);
  const bool has_failed = atomic_load(&until_failure) < 0;
  atomic_store(&until_failure, NEVER);
  cr_assert_eq(atomic_load(&live), before, "%s, allocation %ld: %zu blocks more than before", name, k,
               atomic_load(&live) - before);
  if (!has_failed) {
    cr_assert_eq(status, SK_OK, "%s: %s", name, sk_error_message());
    return false;
  }
  cr_assert_eq(status, SK_OUT_OF_MEMORY, "%s, allocation %ld: %s (%s)", name, k, sk_status_name(status),
               sk_error_message());
  cr_assert_null(strstr(sk_error_message(), "none of this"), "%s, allocation %ld: no message", name, k);
  return true;
}

/* Go through all allocations, the first 64 one by one, then by strides that grow; returns how many there are. */
static long fail_each(attempt *try, const void *what, const char *name) {
  long k = 0;
  while (fail_one(try, what, name, k)) k += 1 + (k < 64 ? 0 : k / 64);
  cr_assert_eq(try(what), SK_OK, "%s: %s", name, sk_error_message());
  cr_assert_gt(k, 0, "%s allocates nothing", name);
  return k;
}

/* ---- One convolution ---------------------------------------------------------------------------------------- */

static float x[32 * 16 * 9], y[32 * 16 * 9];

static sk_conv_shape conv_shape(size_t stride, size_t groups) {
  return (sk_conv_shape){.batch = 1,
                         .in_channels = 16,
                         .in_height = 8,
                         .in_width = 8,
                         .out_channels = 32,
                         .kernel_height = 3,
                         .kernel_width = 3,
                         .stride_height = stride,
                         .stride_width = stride,
                         .dilation_height = 1,
                         .dilation_width = 1,
                         .pad_top = 1,
                         .pad_bottom = 1,
                         .pad_left = 1,
                         .pad_right = 1,
                         .groups = groups};
}

struct conv_case {
  sk_conv_shape shape;
  sk_conv_options options;
};

static sk_status make_conv(const void *what) {
  const struct conv_case *const c = what;
  sk_conv *plan = (sk_conv *)&x; /* must become NULL */
  const sk_status status = sk_conv_create(&plan, &c->shape, x, NULL, &c->options);
  if (status) cr_assert_null(plan);
  sk_conv_destroy(plan);
  return status;
}

static sk_status call_conv(const void *what) {
  const struct conv_case *const c = what;
  return sk_conv2d_f32(&c->shape, x, x, x, NULL, y, &c->options);
}

static bool applies(const struct conv_case *c) {
  sk_conv *plan;
  const sk_status status = sk_conv_create(&plan, &c->shape, x, NULL, &c->options);
  if (!status) sk_conv_destroy(plan);
  return status != SK_UNSUPPORTED; /* by this shape, or by a build without a BLAS */
}

Test(allocation_failure, convolutions, .init = set_up) {
  size_t tried = 0;
  for (int a = SK_ALGORITHM_AUTO; a < SK_ALGORITHM_COUNT; a++) {
    const size_t kinds[][2] = {{1, 1}, {2, 1}, {1, 2}}; /* stride, groups */
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
      const struct conv_case c = {conv_shape(kinds[i][0], kinds[i][1]), {.algorithm = (sk_algorithm)a}};
      if (!applies(&c)) continue;
      fail_each(make_conv, &c, sk_algorithm_name((sk_algorithm)a));
      fail_each(call_conv, &c, sk_algorithm_name((sk_algorithm)a));
      tried++;
    }
  }
  cr_expect_geq(tried, 10);
}

/* ---- One-shot calls ----------------------------------------------------------------------------------------- */

enum one_shot { RELU, ADD, BATCH_NORM, MAX_POOL, AVERAGE_POOL, GLOBAL_AVERAGE_POOL, DENSE, SOFTMAX, OPERATORS };

static sk_status call_operator(const void *what) {
  const sk_pool2d_shape pool = {1, 16, 8, 8, 2, 2, 2, 2, 1, 1, 0, 0, 0, 0, false, false};
  memset(y, 0x7F, sizeof y);
  sk_status status = SK_OK;
  switch (*(const enum one_shot *)what) {
    case RELU: status = sk_relu_f32(100, x, y, NULL); break;
    case ADD: status = sk_add_f32(100, x, x, true, y, NULL); break;
    case BATCH_NORM: status = sk_batch_norm_f32(1, 16, 8, 8, x, x, x, x, x, 1, y, NULL); break;
    case MAX_POOL: status = sk_max_pool2d_f32(&pool, x, y, NULL); break;
    case AVERAGE_POOL: status = sk_average_pool2d_f32(&pool, x, y, NULL); break;
    case GLOBAL_AVERAGE_POOL: status = sk_global_average_pool_f32(1, 16, 8, 8, x, y, NULL); break;
    case DENSE: status = sk_dense_f32(1, 20, 30, x, x, x, y, NULL); break;
    default: status = sk_softmax_f32(2, 30, x, y, NULL); break;
  }
  unsigned char first;
  memcpy(&first, y, 1);
  cr_assert_eq(status != SK_OK, first == 0x7F, "y is written if and only if the call succeeds");
  return status;
}

Test(allocation_failure, one_shot_calls, .init = set_up) {
  for (enum one_shot i = RELU; i < OPERATORS; i++) fail_each(call_operator, &i, "a one-shot call");
}

/* ---- Files -------------------------------------------------------------------------------------------------- */

static sk_status draw_weights(const void *model) {
  sk_weights *weights = (sk_weights *)&x;
  const sk_status status = sk_weights_random(&weights, model, 0, 1);
  if (status) cr_assert_null(weights);
  sk_weights_close(weights);
  return status;
}

static sk_status open_weights(const void *path) {
  sk_weights *weights = (sk_weights *)&x;
  const sk_status status = sk_weights_open(&weights, path);
  if (status) cr_assert_null(weights);
  sk_weights_close(weights);
  return status;
}

static const sk_weights *saved;

static sk_status save_weights(const void *path) {
  const sk_status status = sk_weights_save(saved, path);
  cr_assert_leq(count_files(), 1, "a temporary file is left");
  return status;
}

Test(allocation_failure, weights, .init = make_folder, .fini = remove_folder) {
  set_up();
  sk_weights *weights;
  char *const path = path_of("weights.safetensors");
  cr_expect_gt(fail_each(draw_weights, "resnet20-cifar", "seeded weights"), 100);
  cr_assert_eq(sk_weights_random(&weights, "resnet20-cifar", 0, 1), SK_OK);
  saved = weights;
  fail_each(save_weights, path, "a new file"); /* and at its end over an old one */
  fail_each(save_weights, path, "a file that is replaced");
  sk_weights_close(weights);
  cr_expect_gt(fail_each(open_weights, path, "a safetensors file"), 64);
  cr_expect_eq(atomic_load(&live), 0);
  free(path);
}

static sk_status open_plan(const void *path) {
  sk_plan *plan = (sk_plan *)&x;
  const sk_status status = sk_plan_open(&plan, path);
  if (status) cr_assert_null(plan);
  sk_plan_close(plan);
  return status;
}

Test(allocation_failure, plan_files, .init = set_up) {
  fail_each(open_plan, CORPUS "plan/whole", "a plan file");
  cr_expect_eq(atomic_load(&live), 0);
}

#if SK_HAVE_ONNX
static sk_status open_onnx(const void *path) {
  sk_model *model = (sk_model *)&x;
  sk_net *net = NULL;
  sk_status status = sk_model_open_onnx(&model, path, NULL);
  if (status) cr_assert_null(model);
  if (!status) status = sk_net_create_from_model(&net, model, NULL);
  sk_net_destroy(net);
  sk_model_close(model);
  return status;
}

Test(allocation_failure, onnx_files, .init = set_up) {
  cr_expect_gt(fail_each(open_onnx, CORPUS "onnx/squeeze", "an ONNX file"), 20);
  cr_expect_eq(atomic_load(&live), 0);
}
#endif

static sk_status open_image(const void *path) {
  sk_image image = {1, 1, (uint8_t *)&x};
  const sk_status status = sk_image_open(&image, path);
  if (status) cr_assert(!image.pixels && !image.height && !image.width);
  sk_image_close(&image);
  return status;
}

static sk_status resize_image(const void *image) {
  sk_image resized = {1, 1, (uint8_t *)&x};
  const sk_status status = sk_image_resize(image, 5, 9, &resized);
  if (status) cr_assert(!resized.pixels && !resized.height && !resized.width);
  sk_image_close(&resized);
  return status;
}

static sk_status prepare_image(const void *image) {
  static float out[3 * 32 * 32];
  const float mean[3] = {0, 0, 0}, deviation[3] = {1, 1, 1};
  return sk_image_prepare(image, 36, 32, 32, mean, deviation, out);
}

Test(allocation_failure, images, .init = set_up) {
  uint8_t pixels[7 * 11 * 3] = {0};
  const sk_image image = {7, 11, pixels};
  fail_each(resize_image, &image, "resizing");
  fail_each(prepare_image, &image, "preparing");
#if SK_HAVE_TURBOJPEG
  fail_each(open_image, CORPUS "jpeg/progressive.jpg", "a JPEG file"); /* but what is libturbojpeg's own */
#endif
#if SK_HAVE_SPNG
  fail_each(open_image, CORPUS "png/interlaced16.png", "a PNG file");
  fail_each(open_image, CORPUS "png/palette.png", "a PNG file with a palette");
#endif
  cr_expect_eq(atomic_load(&live), 0);
}

/* ---- Networks ----------------------------------------------------------------------------------------------- */

struct net_case {
  const char *model;
  const sk_weights *weights;
  sk_net_options options;
};

static sk_status make_net(const void *what) {
  const struct net_case *const c = what;
  sk_net *net = (sk_net *)&x;
  const sk_status status = sk_net_create(&net, c->model, c->weights, &c->options);
  if (status) cr_assert_null(net);
  sk_net_destroy(net);
  return status;
}

static sk_status describe_model(const void *name) {
  sk_model_info info;
  return sk_model_find(name, &info);
}

Test(allocation_failure, networks, .init = set_up) {
  static const char *const taps[] = {"conv1", "layer1.0.bn1", "layer2.0.conv2"}; /* a batch norm that is not folded */
  const struct net_case cases[] = {
      {.model = "resnet20-cifar", .options = {.softmax = true, .batch = 3, .threads = 2}},
      {.model = "resnet20-cifar", .options = {.taps = taps, .tap_count = 3, .algorithm = SK_ALGORITHM_DIRECT}},
      {.model = "resnet20-cifar-b", .options = {.algorithm = SK_ALGORITHM_WINOGRAD2}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    sk_weights *weights;
    cr_assert_eq(sk_weights_random(&weights, cases[i].model, 0, 1), SK_OK, "%s", sk_error_message());
    struct net_case c = cases[i];
    c.weights = weights;
    cr_expect_gt(fail_each(make_net, &c, c.model), 64);
    sk_weights_close(weights);
  }
  fail_each(describe_model, "resnet18", "a description");
  cr_expect_eq(atomic_load(&live), 0);
}
