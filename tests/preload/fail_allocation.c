/* Preloaded (LD_PRELOAD), lets one call to the C library's allocator fail: number FAIL_ALLOCATION, counted from 0
 * at the start of main, over all threads. Then it makes the file FAIL_ALLOCATION_MARK, to tell that the program came
 * that far. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

static atomic_long calls;
static bool has_started;

/* What libraries do as they are loaded is theirs: the count begins with main. */
typedef int start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
                       void (*fini)(void), void (*at_exit)(void), void *stack_end);

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*at_exit)(void), void *stack_end) {
  start_main *start;
  *(void **)&start = dlsym(RTLD_NEXT, "__libc_start_main");
  has_started = true;
  return start(main, argc, argv, init, fini, at_exit, stack_end);
}

static bool is_to_fail(void) {
  const char *const number = getenv("FAIL_ALLOCATION");
  const char *const mark = getenv("FAIL_ALLOCATION_MARK");
  if (!has_started || !number || !mark || atomic_fetch_add(&calls, 1) != atol(number)) return false;
  const int descriptor = open(mark, O_WRONLY | O_CREAT, 0666);
  if (descriptor >= 0) close(descriptor);
  errno = ENOMEM;
  return true;
}

void *malloc(size_t bytes) { return is_to_fail() ? NULL : __libc_malloc(bytes); }

void *calloc(size_t count, size_t bytes) { return is_to_fail() ? NULL : __libc_calloc(count, bytes); }

void *realloc(void *memory, size_t bytes) { return is_to_fail() ? NULL : __libc_realloc(memory, bytes); }

void *aligned_alloc(size_t alignment, size_t bytes) { return is_to_fail() ? NULL : __libc_memalign(alignment, bytes); }

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
  if (is_to_fail()) return ENOMEM;
  *memory = __libc_memalign(alignment, bytes);
  return *memory ? 0 : ENOMEM;
}
