/*
 * Memory. All that dispatch/ and resnet/ allocate comes from here, and so from the allocator that sk_set_allocator
 * names; sk_free gives any of it back. Nothing else there calls the C library's allocator (tests/check_symbols).
 *
 * Arenas are for what a run streams through: large blocks in huge pages where the system gives them, since a weight
 * that is read once per run costs a page walk every 4 KiB otherwise.
 */
#ifndef SK_DISPATCH_MEMORY_H
#define SK_DISPATCH_MEMORY_H

#include <stddef.h>

/* As malloc and calloc do: aligned for any type, NULL and errno ENOMEM if there is no memory; but never NULL for 0
 * bytes. */
void *sk_malloc(size_t bytes);
void *sk_calloc(size_t count, size_t bytes);

/* Make a block larger; NULL if there is no memory, and the block is then as it was. old_bytes: how many to keep. */
void *sk_realloc(void *memory, size_t old_bytes, size_t bytes);

/* Copy a text. */
char *sk_strdup(const char *text);

#ifdef __clang_analyzer__
/* The analyzer cannot see into memory.c, but it knows what the C library's do: what is zero, what is lost. */
#include <stdlib.h>
#include <string.h>

#include "skiplane.h"
#define sk_malloc(bytes) malloc(bytes)
#define sk_calloc(count, bytes) calloc(count, bytes)
#define sk_realloc(memory, old_bytes, bytes) ((void)(old_bytes), realloc(memory, bytes))
#define sk_strdup(text) strdup(text)
#define sk_free(memory) free(memory)
#endif

/* Pieces that live and die together, side by side in few large blocks. Zeroed, it is empty. */
struct sk_arena {
  struct sk_arena_block *blocks; /* the newest first */
};

/* Take `bytes` bytes, 64-byte aligned, contents zero; NULL if there are none. arena NULL: a block of its own, to be
 * freed with sk_free. */
void *sk_arena_take(struct sk_arena *arena, size_t bytes);

void sk_arena_destroy(struct sk_arena *arena);

#endif
