/* What people read: aligned tables on stdout, progress on stderr while a terminal is there to show it. */
#ifndef SK_BENCH_TERMINAL_H
#define SK_BENCH_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "skiplane.h"

/* Print text from a file or a user: control characters and invalid UTF-8 become \xNN, which a terminal does not obey.
 */
void sk_terminal_put(FILE *stream, const char *text);

/* ---- Tables ------------------------------------------------------------------------------------------------- */

enum { SK_TABLE_MAX_COLUMNS = 16 };

struct sk_column {
  const char *title;
  bool right;       /* aligned: numbers */
  unsigned dropped; /* 0: always shown; else the highest go first where the terminal is too narrow */
};

/* What a cell means; only a terminal shows it, as a colour. */
enum sk_style {
  SK_STYLE_PLAIN,
  SK_STYLE_HEADER,
  SK_STYLE_GOOD,
  SK_STYLE_BAD,
  SK_STYLE_DIM,
  SK_STYLE_ALGORITHM, /* the first of SK_ALGORITHM_COUNT: sk_style_of_algorithm */
};

enum sk_style sk_style_of_algorithm(sk_algorithm algorithm);

/* What a stream can show. */
struct sk_screen {
  size_t width; /* columns; 0: no limit */
  bool colour;
};

/* A terminal has its width (or COLUMNS, where it does not know) and, unless NO_COLOR or TERM=dumb forbid it, colours;
 * a file or a pipe has neither. */
struct sk_screen sk_screen_of(FILE *stream);

struct sk_cell {
  char *text;
  enum sk_style style;
};

/* Rows of cells, as wide as the widest in their column. */
struct sk_table {
  const struct sk_column *columns;
  size_t column_count;
  struct sk_cell *cells; /* [row][column], row-major, owned */
  size_t cell_count, capacity;
  bool failed; /* out of memory: cells are missing */
};

/* Begin a table. Requires: column_count <= SK_TABLE_MAX_COLUMNS; the columns outlive it. */
void sk_table_begin(struct sk_table *table, const struct sk_column *columns, size_t column_count);

/* Add the next cell, row by row. */
void sk_table_cell(struct sk_table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Give the cell added last a meaning. */
void sk_table_style(struct sk_table *table, enum sk_style style);

/* Print titles and rows for a screen, and free the table. What is too wide loses the columns that matter least, which a
 * line below names; if that is not enough, long words lose their middle. Numbers stay whole, whatever the width.
 * Returns false if memory ran out before: then nothing is printed. */
bool sk_table_print(struct sk_table *table, FILE *stream, struct sk_screen screen);

/* Print it as the stream can show it. */
bool sk_table_end(struct sk_table *table, FILE *stream);

/* ---- Progress ----------------------------------------------------------------------------------------------- */

struct sk_progress {
  bool shown;               /* stderr is a terminal */
  double next;              /* time of the next update */
  double start;             /* when the work began */
  struct sk_progress_mark { /* how much had been done by when */
    double time, done;
  } base, middle;
};

void sk_progress_begin(struct sk_progress *progress);

/* Show "what: 12 of 40, 18 s left", at most ten times a second. */
void sk_progress_update(struct sk_progress *progress, const char *what, size_t done, size_t total);

/* Show "what: 12 of 40 s, 28 s left", for work that takes a given time. */
void sk_progress_time(struct sk_progress *progress, const char *what, double elapsed, double total);

/* Estimate the seconds that are left at time `now`: by the pace of the last half to three quarters of what is done, so
 * that a slow start (page faults, cold caches) is forgotten. NaN as long as there is too little to tell. */
double sk_progress_left(struct sk_progress *progress, double now, double done, double total);

/* Clear the line for other output; the next update shows it again. */
void sk_progress_clear(struct sk_progress *progress);

/* Take the line away, so that what comes next stands alone. */
void sk_progress_end(struct sk_progress *progress);

#endif
