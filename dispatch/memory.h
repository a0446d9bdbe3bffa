/* Memory for what a run streams through: large blocks in huge pages where the system gives them, since a weight that is
 * read once per run costs a page walk every 4 KiB otherwise. */
#ifndef SK_DISPATCH_MEMORY_H
#define SK_DISPATCH_MEMORY_H

#include <stddef.h>

/* Pieces that live and die together, side by side in few large blocks. Zeroed, it is empty. */
struct sk_arena {
  struct sk_arena_block *blocks; /* the newest first */
};

/* Take `bytes` bytes, 64-byte aligned, contents zero; NULL if there are none. arena NULL: a block of its own, to be
 * freed with sk_free. */
void *sk_arena_take(struct sk_arena *arena, size_t bytes);

void sk_arena_destroy(struct sk_arena *arena);

#endif
