/* A run allocates nothing: the C library's allocator is watched while networks and convolutions run. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "skiplane.h"
#include "tests/allocation_watch.h"
#include "tests/sanitized.h"

#if !SK_SANITIZED
static atomic_size_t allocations;
static _Atomic(sk_allocation_watch *) watching;

void sk_watch_allocations(sk_allocation_watch *watch) { atomic_store(&watching, watch); }

static void note(const void *caller) {
  sk_allocation_watch *const watch = atomic_load(&watching);
  atomic_fetch_add(&allocations, 1);
  if (watch) watch(caller);
}

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

void *malloc(size_t bytes) {
  note(__builtin_return_address(0));
  return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
  note(__builtin_return_address(0));
  return __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes) {
  note(__builtin_return_address(0));
  return __libc_realloc(memory, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
  note(__builtin_return_address(0));
  return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
  note(__builtin_return_address(0));
  *memory = __libc_memalign(alignment, bytes);
  return *memory ? 0 : ENOMEM;
}

/* Run a network twice: the first run lets OpenMP start its threads, the second is watched. */
static void expect_no_allocation(const char *model, sk_algorithm algorithm) {
  sk_weights *weights;
  sk_net *net;
  cr_assert_eq(sk_weights_random(&weights, model, 0, 1), SK_OK, "%s", sk_error_message());
  const sk_net_options options = {
      .algorithm = algorithm, .threads = 2, .batch = 2, .in_height = 64, .in_width = 64, .softmax = true};
  cr_assert_eq(sk_net_create(&net, model, weights, &options), SK_OK, "%s", sk_error_message());
  sk_net_info info;
  sk_net_describe(net, &info);
  float *x = calloc(2 * 3 * 64 * 64, sizeof *x), *y = calloc(2 * info.classes, sizeof *y);
  void *workspace = sk_alloc(info.workspace_bytes);
  cr_assert(x && y && workspace);
  cr_assert_eq(sk_net_run(net, 2, x, y, workspace), SK_OK);
  const size_t before = atomic_load(&allocations);
  cr_assert_eq(sk_net_run(net, 2, x, y, workspace), SK_OK);
  cr_expect_eq(atomic_load(&allocations), before, "%s, %s: %zu allocations", model, sk_algorithm_name(algorithm),
               atomic_load(&allocations) - before);
  sk_free(workspace);
  free(x);
  free(y);
  sk_net_destroy(net);
  sk_weights_close(weights);
}

Test(no_allocation, the_watch_sees_an_allocation) {
  const size_t before = atomic_load(&allocations);
  void *volatile memory = malloc(1);
  free(memory);
  cr_expect_gt(atomic_load(&allocations), before);
}

Test(no_allocation, networks) {
  expect_no_allocation("resnet18", SK_ALGORITHM_AUTO);
  expect_no_allocation("resnet18", SK_ALGORITHM_DIRECT);
  expect_no_allocation("resnet18", SK_ALGORITHM_WINOGRAD6);
  expect_no_allocation("resnext50_32x4d", SK_ALGORITHM_AUTO);
  expect_no_allocation("resnet50", SK_ALGORITHM_STRASSEN);
  expect_no_allocation("resnet18", SK_ALGORITHM_WINOGRAD3);
}
#endif
