/* An allocator of one's own: it gets every allocation of the library and all of it back, and can be set once. */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "skiplane.h"
#include "tests/allocation_watch.h"
#include "tests/sanitized.h"
#include "tests/temporary_folder.h"

#define SHAPES SK_SOURCE_FOLDER "/resnet/shapes/"

/* ---- An allocator that counts -------------------------------------------------------------------------------- */

static atomic_size_t taken, live, live_bytes;
/* Of the allocator below, whose own calls to the C library are all right. Volatile: the compiler takes those calls for
 * ones that never come back to this file. */
static _Thread_local volatile bool is_inside;

static int user;

static void *allocate(void *given, size_t bytes, size_t alignment) {
  void *memory = NULL;
  is_inside = true;
  const int error = posix_memalign(&memory, alignment < sizeof(void *) ? sizeof(void *) : alignment, bytes);
  is_inside = false;
  if (given != &user || error) return NULL;
  atomic_fetch_add(&taken, 1);
  atomic_fetch_add(&live, 1);
  atomic_fetch_add(&live_bytes, malloc_usable_size(memory));
  memset(memory, 0xA5, bytes); /* nobody may count on zeros */
  return memory;
}

static void release(void *given, void *memory) {
  if (given != &user || !memory) abort();
  atomic_fetch_sub(&live, 1);
  atomic_fetch_sub(&live_bytes, malloc_usable_size(memory));
  free(memory);
}

static const sk_allocator counting = {allocate, release, &user};

/* ---- What the library does ---------------------------------------------------------------------------------- */

static sk_status run_net(const sk_net *net) {
  sk_net_info info;
  sk_net_describe(net, &info);
  const size_t elements = info.in_channels * info.in_height * info.in_width;
  float *const x = sk_alloc(elements * sizeof *x), *const y = sk_alloc(info.classes * sizeof *y);
  void *const workspace = sk_alloc(info.workspace_bytes);
  memset(x, 0, elements * sizeof *x);
  const sk_status status = sk_net_run(net, 1, x, y, workspace);
  sk_free(x);
  sk_free(y);
  sk_free(workspace);
  return status;
}

static sk_status make_and_run_net(const char *model, const sk_weights *weights, const sk_plan *plan) {
  const char *const taps[] = {"conv1"};
  const sk_net_options options = {.plan = plan, .threads = 2, .softmax = true, .taps = taps, .tap_count = 1};
  sk_net *net = NULL;
  sk_status status = sk_net_create(&net, model, weights, &options);
  if (!status) status = run_net(net);
  sk_net_destroy(net);
  return status;
}

static sk_status try_network(const char *file, const sk_plan *plan) {
  sk_weights *weights = NULL;
  sk_status status = sk_weights_random(&weights, "resnet20-cifar", 0, 1);
  if (!status) status = sk_weights_save(weights, file);
  if (!status) status = sk_weights_save(weights, file); /* a file that is there is another way to go */
  sk_weights_close(weights);
  weights = NULL;
  if (!status) status = sk_weights_open(&weights, file);
  if (!status) status = make_and_run_net("resnet20-cifar", weights, plan);
  sk_weights_close(weights);
  return status;
}

static sk_status try_plan(const char *path) {
  sk_plan *plan = NULL;
  const sk_status status = sk_plan_open(&plan, path);
  sk_plan_close(plan);
  return status;
}

static sk_status try_image(const char *path) {
  static float out[3 * 32 * 32];
  const float mean[3] = {0, 0, 0}, deviation[3] = {1, 1, 1};
  sk_image image, resized = {0};
  sk_status status = sk_image_open(&image, path);
  if (!status) status = sk_image_resize(&image, 40, 50, &resized);
  if (!status) status = sk_image_prepare(&image, 36, 32, 32, mean, deviation, out);
  sk_image_close(&image);
  sk_image_close(&resized);
  return status == SK_UNSUPPORTED ? SK_OK : status; /* a build without the decoder */
}

static sk_status try_conv(sk_algorithm algorithm) {
  static float x[2 * 32 * 8 * 8], weights[32 * 32 * 9], y[2 * 32 * 8 * 8];
  const sk_conv_shape shape = {.batch = 2,
                               .in_channels = 32,
                               .in_height = 8,
                               .in_width = 8,
                               .out_channels = 32,
                               .kernel_height = 3,
                               .kernel_width = 3,
                               .stride_height = 1,
                               .stride_width = 1,
                               .dilation_height = 1,
                               .dilation_width = 1,
                               .pad_top = 1,
                               .pad_bottom = 1,
                               .pad_left = 1,
                               .pad_right = 1,
                               .groups = 1};
  const sk_conv_options options = {.algorithm = algorithm, .threads = 2};
  sk_conv *plan = NULL;
  sk_status status = sk_conv_create(&plan, &shape, weights, NULL, &options);
  if (!status) {
    void *const workspace = sk_alloc(sk_conv_workspace_bytes(plan));
    status = sk_conv_run(plan, x, NULL, y, workspace);
    sk_free(workspace);
  }
  sk_conv_destroy(plan);
  return status == SK_UNSUPPORTED ? SK_OK : status; /* a build without a BLAS */
}

/* Returns the first failure. */
static sk_status try_everything(const char *weights_file) {
  sk_status status = SK_OK;
  for (int a = SK_ALGORITHM_AUTO; a < SK_ALGORITHM_COUNT && !status; a++) status = try_conv((sk_algorithm)a);
  if (!status) status = try_network(weights_file, NULL);
  if (!status) status = try_plan(SK_SOURCE_FOLDER "/tests/fuzz/corpus/plan/whole");
  if (!status) status = try_image(SK_SOURCE_FOLDER "/tests/fuzz/corpus/jpeg/baseline.jpg");
  if (!status) status = try_image(SK_SOURCE_FOLDER "/tests/fuzz/corpus/png/interlaced16.png");
  return status;
}

/* ---- The tests ---------------------------------------------------------------------------------------------- */

Test(allocator, gets_every_byte_back, .init = make_folder, .fini = remove_folder) {
  char *const file = path_of("weights.safetensors");
  cr_assert_eq(sk_set_allocator(&counting), SK_OK, "%s", sk_error_message());
  cr_expect_eq(try_everything(file), SK_OK, "%s", sk_error_message());
  cr_expect_gt(atomic_load(&taken), 100);
  cr_expect_eq(atomic_load(&live), 0, "%zu blocks were not returned", atomic_load(&live));
  cr_expect_eq(atomic_load(&live_bytes), 0, "%zu bytes were not returned", atomic_load(&live_bytes));
  free(file);
}

Test(allocator, is_set_once_and_first) {
  const sk_allocator incomplete = {.allocate = allocate}, another = counting;
  cr_expect_eq(sk_set_allocator(NULL), SK_INVALID_ARGUMENT);
  cr_expect_eq(sk_set_allocator(&incomplete), SK_INVALID_ARGUMENT);
  cr_expect_eq(sk_set_allocator(&counting), SK_OK);
  cr_expect_eq(sk_set_allocator(&another), SK_UNSUPPORTED);
  cr_expect_eq(sk_set_allocator(&counting), SK_UNSUPPORTED);
  sk_free(sk_alloc(1));
  cr_expect_eq(atomic_load(&taken), 1, "the first one set is the one that serves");
}

Test(allocator, comes_too_late_after_an_allocation) {
  void *const memory = sk_alloc(1);
  cr_expect_eq(sk_set_allocator(&counting), SK_UNSUPPORTED);
  cr_expect_neq(strstr(sk_error_message(), "too late"), NULL);
  sk_free(memory);
  cr_expect_eq(atomic_load(&taken), 0);
}

/* Ignores the alignment that it is asked for. */
static void *misalign(void *given, size_t bytes, size_t alignment) {
  char *const memory = allocate(given, bytes + 16 + alignment, alignment);
  return memory ? memory + 8 : NULL;
}

static void release_misaligned(void *given, void *memory) { release(given, (char *)memory - 8); }

Test(allocator, memory_that_is_not_aligned_is_none) {
  const sk_allocator careless = {misalign, release_misaligned, &user};
  cr_assert_eq(sk_set_allocator(&careless), SK_OK);
  cr_expect_null(sk_alloc(100));
  cr_expect_eq(atomic_load(&taken), 1);
  cr_expect_eq(atomic_load(&live), 0);
}

#if !SK_SANITIZED
/* Libraries beneath that have no allocator to be told, and the C library for its streams. */
static const char *const exceptions[] = {"libcjson",    "libturbojpeg", "libjpeg", "libgomp", "libomp",
                                         "libopenblas", "libcblas",     "libc.so", "ld-linux"};

static const void *_Atomic stray;

static void look_for_strays(const void *caller) {
  Dl_info info;
  if (is_inside) return;
  for (size_t i = 0; i < sizeof exceptions / sizeof exceptions[0]; i++) {
    if (dladdr(caller, &info) && strstr(info.dli_fname, exceptions[i])) return;
  }
  atomic_store(&stray, caller);
}

Test(allocator, nothing_goes_past_it, .init = make_folder, .fini = remove_folder) {
  char *const file = path_of("weights.safetensors");
  cr_assert_eq(sk_set_allocator(&counting), SK_OK);
  sk_watch_allocations(look_for_strays);
  const sk_status status = try_everything(file);
  const void *const found = atomic_load(&stray);
  sk_watch_allocations(NULL);
  Dl_info info = {.dli_fname = "nowhere"};
  dladdr(found, &info);
  cr_expect_eq(status, SK_OK, "%s", sk_error_message());
  cr_expect_null(found, "an allocation near %s+%#tx", info.dli_fname,
                 (const char *)found - (const char *)info.dli_fbase);
  free(file);
}

Test(allocator, the_watch_sees_what_goes_past) {
  sk_watch_allocations(look_for_strays);
  void *volatile memory = malloc(1);
  sk_watch_allocations(NULL);
  free(memory);
  cr_expect_not_null(atomic_load(&stray));
}
#endif
