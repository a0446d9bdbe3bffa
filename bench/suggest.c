#include "bench/suggest.h"

#include <string.h>

enum { LONGEST = 31, MOST_EDITS = 2 };

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

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
      const size_t replaced = distance[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      distance[i][j] = least(replaced, 1 + least(distance[i - 1][j], distance[i][j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        distance[i][j] = least(distance[i][j], distance[i - 2][j - 2] + 1);
      }
    }
  }
  return distance[rows][columns];
}

const char *sk_suggest(const char *word, const char *const *names, size_t count) {
  const char *nearest = NULL;
  size_t fewest = MOST_EDITS + 1;
  for (size_t i = 0; i < count; i++) {
    const size_t needed = edits(word, names[i]);
    if (needed < fewest && needed < strlen(word)) {
      fewest = needed;
      nearest = names[i];
    }
  }
  return nearest;
}
