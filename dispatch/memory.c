#include "dispatch/memory.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dispatch/size.h"
#include "dispatch/status.h"
#include "skiplane.h"

#undef sk_malloc
#undef sk_calloc
#undef sk_realloc
#undef sk_strdup
#undef sk_free

#define HUGE_PAGE ((size_t)2 << 20)
#define BLOCK_BYTES ((size_t)32 << 20) /* what is never touched of it costs address space only */

struct sk_arena_block {
  struct sk_arena_block *next;
  char *data;
  size_t used, size;
};

/* ---- The allocator ------------------------------------------------------------------------------------------ */

static void *allocate_by_c_library(void *user, size_t bytes, size_t alignment) {
  (void)user;
  if (alignment <= _Alignof(max_align_t)) return malloc(bytes);
  void *memory = NULL;
  return posix_memalign(&memory, alignment, bytes) == 0 ? memory : NULL;
}

static void release_to_c_library(void *user, void *memory) {
  (void)user;
  free(memory);
}

static const sk_allocator c_library = {.allocate = allocate_by_c_library, .release = release_to_c_library};

/* The only mutable state that threads share. NULL until the first allocation or sk_set_allocator, whichever comes
 * first, and never changed after that: what was allocated one way is released the same way. */
static _Atomic(const sk_allocator *) chosen;

/* Settle on an allocator unless someone was faster; whose it then is, stays. */
static bool settle_on(const sk_allocator *wanted) {
  const sk_allocator *none = NULL;
  return atomic_compare_exchange_strong(&chosen, &none, wanted);
}

static const sk_allocator *allocator(void) {
  const sk_allocator *const settled = atomic_load(&chosen);
  if (settled) return settled;
  return settle_on(&c_library) ? &c_library : atomic_load(&chosen);
}

sk_status sk_set_allocator(const sk_allocator *wanted) {
  if (!wanted || !wanted->allocate || !wanted->release) {
    return sk_fail(SK_INVALID_ARGUMENT, "allocator: NULL, or without allocate or release");
  }
  if (settle_on(wanted)) return SK_OK;
  return sk_fail(SK_UNSUPPORTED, "allocator: too late, expected once and before the first allocation");
}

static void *allocate(size_t bytes, size_t alignment) {
  const sk_allocator *const from = allocator();
  void *const memory = bytes <= PTRDIFF_MAX ? from->allocate(from->user, sk_size_max(bytes, 1), alignment) : NULL;
  if (memory && (uintptr_t)memory % alignment == 0) return memory;
  if (memory) from->release(from->user, memory); /* kernels would fault on it */
  errno = ENOMEM;
  return NULL;
}

void sk_free(void *memory) {
  const sk_allocator *const to = allocator();
  if (memory) to->release(to->user, memory);
}

/* ---- Plain blocks ------------------------------------------------------------------------------------------- */

void *sk_malloc(size_t bytes) { return allocate(bytes, _Alignof(max_align_t)); }

void *sk_calloc(size_t count, size_t bytes) {
  if (allocator() == &c_library) return calloc(sk_size_max(count, 1), bytes); /* fresh pages are zero already */
  size_t all;
  void *const memory = sk_size_multiply(count, bytes, &all) ? sk_malloc(all) : NULL;
  return memory ? memset(memory, 0, all) : NULL;
}

void *sk_realloc(void *memory, size_t old_bytes, size_t bytes) {
  if (allocator() == &c_library) return realloc(memory, sk_size_max(bytes, 1));
  void *const larger = sk_malloc(bytes);
  if (!larger || !memory) return larger;
  memcpy(larger, memory, sk_size_min(old_bytes, bytes));
  sk_free(memory);
  return larger;
}

char *sk_strdup(const char *text) {
  const size_t bytes = strlen(text) + 1;
  char *const copy = sk_malloc(bytes);
  return copy ? memcpy(copy, text, bytes) : NULL;
}

/* ---- Large blocks ------------------------------------------------------------------------------------------- */

/* Ask for huge pages in the whole ones of a range: the rest stays in small ones, so that nothing is wasted. A system
 * that has none to give refuses, and that is all right. What pages an allocator of someone else's uses is theirs to
 * say. */
static void prefer_huge_pages(void *memory, size_t bytes) {
#ifdef MADV_HUGEPAGE
  if (allocator() != &c_library || bytes < HUGE_PAGE) return;
  (void)madvise(memory, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#else
  (void)memory;
  (void)bytes;
#endif
}

void *sk_alloc(size_t bytes) {
  size_t padded;
  if (!sk_size_add(bytes, SK_ALIGNMENT - 1, &padded)) return NULL;
  const size_t rounded = sk_size_max(padded / SK_ALIGNMENT * SK_ALIGNMENT, SK_ALIGNMENT);
  void *const memory = allocate(rounded, rounded >= HUGE_PAGE ? HUGE_PAGE : SK_ALIGNMENT);
  if (memory) prefer_huge_pages(memory, rounded);
  return memory;
}

/* ---- Arenas ------------------------------------------------------------------------------------------------- */

static struct sk_arena_block *add_block(struct sk_arena *arena, size_t least) {
  struct sk_arena_block *block = sk_calloc(1, sizeof *block);
  if (!block) return NULL;
  block->size = sk_size_max(least, BLOCK_BYTES);
  block->data = sk_alloc(block->size);
  if (!block->data) {
    sk_free(block);
    return NULL;
  }
  block->next = arena->blocks;
  arena->blocks = block;
  return block;
}

void *sk_arena_take(struct sk_arena *arena, size_t bytes) {
  void *piece = NULL;
  if (!arena) {
    piece = sk_alloc(bytes);
  } else if (bytes <= PTRDIFF_MAX) {
    const size_t rounded = sk_size_round_up(bytes, SK_ALIGNMENT);
    struct sk_arena_block *block = arena->blocks;
    if (!block || block->size - block->used < rounded) block = add_block(arena, rounded);
    if (!block) return NULL;
    piece = block->data + block->used;
    block->used += rounded;
  }
  if (piece) memset(piece, 0, bytes);
  return piece;
}

void sk_arena_destroy(struct sk_arena *arena) {
  while (arena->blocks) {
    struct sk_arena_block *block = arena->blocks;
    arena->blocks = block->next;
    sk_free(block->data);
    sk_free(block);
  }
}
