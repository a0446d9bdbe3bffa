/* "Did you mean": the nearest of some names to a word that is none of them. */
#ifndef SK_RESNET_SUGGEST_H
#define SK_RESNET_SUGGEST_H

#include <stddef.h>

/* Names looked at so far. Begin with the word only. */
struct sk_suggestion {
  const char *word;
  const char *nearest; /* NULL: none is near */
  size_t distance;     /* how far that one is */
};

/* Look at one more name. The nearest is one whose first part is the word (resnet20 for resnet20-cifar); else the one
 * that needs the fewest edits, at most 2, which leave something of the word; else one that begins with the word. The
 * first of several stays. An edit inserts, deletes or replaces a character or swaps two neighbours; case makes no
 * difference, and a beginning has at least 3 letters. */
void sk_suggestion_consider(struct sk_suggestion *suggestion, const char *name);

/* Return the nearest of several names; NULL if none is near. */
const char *sk_suggest(const char *word, const char *const *names, size_t count);

#endif
