#include "resnet/suggest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum { LONGEST = 31, MOST_EDITS = 2, LEAST_PREFIX = 3 };

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static bool differ(char a, char b) { return tolower((unsigned char)a) != tolower((unsigned char)b); }

/* The optimal string alignment distance, by dynamic programming over prefixes. Longer words count as far away. */
static size_t edits(const char *a, const char *b) {
  const size_t rows = strlen(a);
  const size_t columns = strlen(b);
  size_t distance[LONGEST + 1][LONGEST + 1];
  if (rows > LONGEST || columns > LONGEST) return LONGEST;
  for (size_t i = 0; i <= rows; i++) {
    for (size_t j = 0; j <= columns; j++) {
      if (i == 0 || j == 0) {
        distance[i][j] = i + j;
        continue;
      }
      const size_t replaced = distance[i - 1][j - 1] + differ(a[i - 1], b[j - 1]);
      distance[i][j] = least(replaced, 1 + least(distance[i - 1][j], distance[i][j - 1]));
      if (i > 1 && j > 1 && !differ(a[i - 1], b[j - 2]) && !differ(a[i - 2], b[j - 1])) {
        distance[i][j] = least(distance[i][j], distance[i - 2][j - 2] + 1);
      }
    }
  }
  return distance[rows][columns];
}

/* What follows the word in a name that begins with it; else NULL. */
static const char *rest_of(const char *name, const char *word) {
  const size_t length = strlen(word);
  return length >= LEAST_PREFIX && strncasecmp(name, word, length) == 0 ? name + length : NULL;
}

/* How far a name is: nothing is nearer than one whose first part the word is, resnet20 of resnet20-cifar; then by
 * edits; then the other names that begin with the word. */
static size_t distance_of(const char *word, const char *name) {
  const char *rest = rest_of(name, word);
  const size_t needed = edits(word, name);
  if (rest && *rest && strchr("-_./", *rest)) return 0;
  if (needed <= MOST_EDITS && needed < strlen(word)) return needed;
  return rest ? MOST_EDITS + 1 : LONGEST;
}

void sk_suggestion_consider(struct sk_suggestion *suggestion, const char *name) {
  const size_t distance = distance_of(suggestion->word, name);
  const bool is_nearer = !suggestion->nearest || distance < suggestion->distance;
  if (distance == LONGEST || !is_nearer) return;
  suggestion->nearest = name;
  suggestion->distance = distance;
}

const char *sk_suggest(const char *word, const char *const *names, size_t count) {
  struct sk_suggestion suggestion = {.word = word};
  for (size_t i = 0; i < count; i++) sk_suggestion_consider(&suggestion, names[i]);
  return suggestion.nearest;
}
