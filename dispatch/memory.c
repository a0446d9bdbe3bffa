#include "dispatch/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dispatch/size.h"
#include "skiplane.h"

#define HUGE_PAGE ((size_t)2 << 20)
#define BLOCK_BYTES ((size_t)32 << 20) /* what is never touched of it costs address space only */

struct sk_arena_block {
  struct sk_arena_block *next;
  char *data;
  size_t used, size;
};

/* Ask for huge pages in the whole ones of a range: the rest stays in small ones, so that nothing is wasted. A system
 * that has none to give refuses, and that is all right. */
static void prefer_huge_pages(void *memory, size_t bytes) {
#ifdef MADV_HUGEPAGE
  if (bytes >= HUGE_PAGE) (void)madvise(memory, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#else
  (void)memory;
  (void)bytes;
#endif
}

void *sk_alloc(size_t bytes) {
  size_t padded;
  if (!sk_size_add(bytes, SK_ALIGNMENT - 1, &padded)) return NULL;
  const size_t rounded = sk_size_max(padded / SK_ALIGNMENT * SK_ALIGNMENT, SK_ALIGNMENT);
  void *memory = NULL;
  if (posix_memalign(&memory, rounded >= HUGE_PAGE ? HUGE_PAGE : SK_ALIGNMENT, rounded) != 0) return NULL;
  prefer_huge_pages(memory, rounded);
  return memory;
}

void sk_free(void *memory) { free(memory); }

static struct sk_arena_block *add_block(struct sk_arena *arena, size_t least) {
  struct sk_arena_block *block = calloc(1, sizeof *block);
  if (!block) return NULL;
  block->size = sk_size_max(least, BLOCK_BYTES);
  block->data = sk_alloc(block->size);
  if (!block->data) {
    free(block);
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
    free(block);
  }
}

#define SK_STRING_(x) #x
#define SK_STRING(x) SK_STRING_(x)

const char *sk_version(void) {
  return SK_STRING(SK_VERSION_MAJOR) "." SK_STRING(SK_VERSION_MINOR) "." SK_STRING(SK_VERSION_PATCH);
}
