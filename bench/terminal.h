/* What people read: aligned tables on stdout, progress on stderr while a terminal is there to show it. */
#ifndef SK_BENCH_TERMINAL_H
#define SK_BENCH_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Print text from a file or a user: control characters and invalid UTF-8 become \xNN, which a terminal does not obey.
 */
void sk_terminal_put(FILE *stream, const char *text);

/* ---- Tables ------------------------------------------------------------------------------------------------- */

enum { SK_TABLE_MAX_COLUMNS = 16 };

struct sk_column {
  const char *title;
  bool right; /* aligned: numbers */
};

/* Rows of cells, as wide as the widest in their column. */
struct sk_table {
  const struct sk_column *columns;
  size_t column_count;
  char **cells; /* [row][column], row-major, owned */
  size_t cell_count, capacity;
  bool failed; /* out of memory: cells are missing */
};

/* Begin a table. Requires: column_count <= SK_TABLE_MAX_COLUMNS; the columns outlive it. */
void sk_table_begin(struct sk_table *table, const struct sk_column *columns, size_t column_count);

/* Add the next cell, row by row. */
void sk_table_cell(struct sk_table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Print titles and rows, and free the table. Returns false if memory ran out before: then nothing is printed. */
bool sk_table_end(struct sk_table *table, FILE *stream);

/* ---- Progress ----------------------------------------------------------------------------------------------- */

struct sk_progress {
  bool shown;  /* stderr is a terminal */
  double next; /* time of the next update */
};

void sk_progress_begin(struct sk_progress *progress);

/* Show "what: done of total", at most ten times a second. */
void sk_progress_update(struct sk_progress *progress, const char *what, size_t done, size_t total);

/* Take the line away, so that what comes next stands alone. */
void sk_progress_end(struct sk_progress *progress);

#endif
