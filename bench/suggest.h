/* "Did you mean": the nearest of some names to a word that is none of them. */
#ifndef SK_BENCH_SUGGEST_H
#define SK_BENCH_SUGGEST_H

#include <stddef.h>

/* Return the name that needs the fewest edits, if that is at most 2 and leaves something of the word; else NULL.
 * An edit inserts, deletes or replaces a character or swaps two neighbours. */
const char *sk_suggest(const char *word, const char *const *names, size_t count);

#endif
