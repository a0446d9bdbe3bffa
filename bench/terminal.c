#include "bench/terminal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/clock.h"
#include "resnet/text.h"

/* sk_quote_bytes cuts long texts, so they go through it in pieces that fit, each ending with a whole character. */
void sk_terminal_put(FILE *stream, const char *text) {
  size_t left = strlen(text);
  while (left > 0) {
    const size_t whole = sk_utf8_sequence(text, left);
    const size_t length = whole ? whole : 1;
    fputs(sk_quote_bytes(text, length).text, stream);
    text += length;
    left -= length;
  }
}

/* ---- Tables ------------------------------------------------------------------------------------------------- */

void sk_table_begin(struct sk_table *table, const struct sk_column *columns, size_t column_count) {
  *table = (struct sk_table){.columns = columns, .column_count = column_count};
}

static char *print_to_memory(const char *format, va_list arguments) {
  char *text = NULL;
  return vasprintf(&text, format, arguments) < 0 ? NULL : text;
}

static bool grow(struct sk_table *table) {
  if (table->cell_count < table->capacity) return true;
  const size_t capacity = table->capacity ? 2 * table->capacity : 64;
  char **cells = realloc(table->cells, capacity * sizeof *cells);
  if (!cells) return false;
  table->cells = cells;
  table->capacity = capacity;
  return true;
}

void sk_table_cell(struct sk_table *table, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *text = table->failed ? NULL : print_to_memory(format, arguments);
  va_end(arguments);
  if (text && grow(table)) {
    table->cells[table->cell_count++] = text;
    return;
  }
  free(text);
  table->failed = true;
}

/* Columns of a terminal that a text takes: its characters, taken as one column each. */
static size_t display_width(const char *text) {
  size_t width = 0;
  for (; *text; text++) width += ((unsigned char)*text & 0xC0U) != 0x80U;
  return width;
}

static void measure(const struct sk_table *table, size_t widths[SK_TABLE_MAX_COLUMNS]) {
  for (size_t column = 0; column < table->column_count; column++) {
    widths[column] = display_width(table->columns[column].title);
  }
  for (size_t i = 0; i < table->cell_count; i++) {
    const size_t width = display_width(table->cells[i]);
    /* A table with cells has columns. NOLINTNEXTLINE(clang-analyzer-core.DivideZero) */
    size_t *widest = &widths[i % table->column_count];
    if (width > *widest) *widest = width;
  }
}

/* Print one cell; no blanks at the end of a line. */
static void print_cell(const struct sk_table *table, FILE *stream, size_t column, size_t width, const char *text) {
  const bool last = column + 1 == table->column_count;
  const size_t taken = display_width(text);
  const int padding = (int)(width > taken ? width - taken : 0);
  if (table->columns[column].right) fprintf(stream, "%*s", padding, "");
  fputs(text, stream);
  if (!table->columns[column].right && !last) fprintf(stream, "%*s", padding, "");
  fputs(last ? "\n" : "  ", stream);
}

bool sk_table_end(struct sk_table *table, FILE *stream) {
  size_t widths[SK_TABLE_MAX_COLUMNS];
  if (!table->failed) {
    measure(table, widths);
    for (size_t i = 0; i < table->column_count; i++) print_cell(table, stream, i, widths[i], table->columns[i].title);
    for (size_t i = 0; i < table->cell_count; i++) {
      /* Likewise. NOLINTNEXTLINE(clang-analyzer-core.DivideZero) */
      const size_t column = i % table->column_count;
      print_cell(table, stream, column, widths[column], table->cells[i]);
    }
  }
  for (size_t i = 0; i < table->cell_count; i++) free(table->cells[i]);
  free(table->cells);
  return !table->failed;
}

/* ---- Progress ----------------------------------------------------------------------------------------------- */

void sk_progress_begin(struct sk_progress *progress) {
  *progress = (struct sk_progress){.shown = isatty(STDERR_FILENO) == 1};
}

void sk_progress_update(struct sk_progress *progress, const char *what, size_t done, size_t total) {
  if (!progress->shown) return;
  const double now = sk_clock_seconds();
  if (now < progress->next) return;
  progress->next = now + 0.1;
  fprintf(stderr, "\r\033[K%s: %zu of %zu", what, done, total);
}

void sk_progress_end(struct sk_progress *progress) {
  if (progress->shown) fputs("\r\033[K", stderr);
  progress->shown = false;
}
