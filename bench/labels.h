/* Names of classes: one per line of a text file. */
#ifndef SK_BENCH_LABELS_H
#define SK_BENCH_LABELS_H

#include "skiplane.h"

struct sk_labels {
  char *text;   /* the file, its lines ended by NUL */
  char **names; /* [count], into text */
  size_t count;
};

/* Read `count` labels. The last line may lack its newline, lines may end in CR LF; a UTF-8 mark at the start is passed
 * over. Free the labels whatever the outcome. Errors: SK_IO_ERROR, SK_BAD_FORMAT (another number of lines, an empty
 * line, a NUL), SK_OUT_OF_MEMORY. */
sk_status sk_labels_read(struct sk_labels *labels, const char *path, size_t count);

/* Likewise from a text in memory. source: where it stands, for messages. */
sk_status sk_labels_parse(struct sk_labels *labels, const char *source, const char *text, size_t length, size_t count);
void sk_labels_free(struct sk_labels *labels);

#endif
