#include "bench/terminal.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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

/* ---- The screen --------------------------------------------------------------------------------------------- */

enum { WIDEST_SCREEN = 10000 };

static size_t width_of(int descriptor) {
  struct winsize size;
  if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char *columns = getenv("COLUMNS");
  const long width = columns ? strtol(columns, NULL, 10) : 0;
  return width > 0 && width < WIDEST_SCREEN ? (size_t)width : 0;
}

/* Whether a variable of the environment says something: an empty NO_COLOR does not (no-color.org). */
static bool is_set(const char *name) {
  const char *value = getenv(name);
  return value && *value;
}

struct sk_screen sk_screen_of(FILE *stream) {
  const int descriptor = fileno(stream);
  if (descriptor < 0 || isatty(descriptor) != 1) return (struct sk_screen){0};
  const char *terminal = getenv("TERM");
  const bool dumb = !terminal || strcmp(terminal, "dumb") == 0;
  return (struct sk_screen){.width = width_of(descriptor), .colour = !dumb && !is_set("NO_COLOR")};
}

enum sk_style sk_style_of_algorithm(sk_algorithm algorithm) {
  return (enum sk_style)(SK_STYLE_ALGORITHM + (unsigned)algorithm);
}

/* The attributes of a style (ECMA-48, SGR); "" for none. */
static const char *attributes(enum sk_style style) {
  switch ((int)style) {
    case SK_STYLE_HEADER: return "1";
    case SK_STYLE_GOOD: return "32";
    case SK_STYLE_BAD: return "31";
    case SK_STYLE_DIM: return "2";
    case SK_STYLE_ALGORITHM + SK_ALGORITHM_DIRECT: return "34";
    case SK_STYLE_ALGORITHM + SK_ALGORITHM_WINOGRAD2: return "36";
    case SK_STYLE_ALGORITHM + SK_ALGORITHM_WINOGRAD4: return "35";
    case SK_STYLE_ALGORITHM + SK_ALGORITHM_WINOGRAD6: return "95";
    case SK_STYLE_ALGORITHM + SK_ALGORITHM_GEMM: return "33";
    case SK_STYLE_ALGORITHM + SK_ALGORITHM_STRASSEN: return "91";
    case SK_STYLE_ALGORITHM + SK_ALGORITHM_WINOGRAD3: return "92";
    default: return "";
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
  struct sk_cell *cells = realloc(table->cells, capacity * sizeof *cells);
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
    table->cells[table->cell_count++] = (struct sk_cell){.text = text};
    return;
  }
  free(text);
  table->failed = true;
}

void sk_table_style(struct sk_table *table, enum sk_style style) {
  if (!table->failed && table->cell_count > 0) table->cells[table->cell_count - 1].style = style;
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
    const size_t width = display_width(table->cells[i].text);
    /* A table with cells has columns. NOLINTNEXTLINE(clang-analyzer-core.DivideZero) */
    size_t *widest = &widths[i % table->column_count];
    if (width > *widest) *widest = width;
  }
}

/* How a table is laid out. */
struct layout {
  size_t widths[SK_TABLE_MAX_COLUMNS];
  bool hidden[SK_TABLE_MAX_COLUMNS];
  size_t last;   /* the last column that is shown */
  size_t screen; /* its width */
  bool colour;
};

enum { GAP = 2, SHORTEST_WORD = 8 };

static size_t total_width(const struct sk_table *table, const struct layout *layout) {
  size_t width = 0;
  for (size_t i = 0; i < table->column_count; i++) {
    if (!layout->hidden[i]) width += (width ? GAP : 0) + layout->widths[i];
  }
  return width;
}

/* Hide the column that matters least, of several the last. False if all that are left must stay. */
static bool hide_one(const struct sk_table *table, struct layout *layout) {
  size_t least = SK_TABLE_MAX_COLUMNS;
  unsigned highest = 1;
  for (size_t i = 0; i < table->column_count; i++) {
    if (layout->hidden[i] || table->columns[i].dropped < highest) continue;
    highest = table->columns[i].dropped;
    least = i;
  }
  if (least == SK_TABLE_MAX_COLUMNS) return false;
  layout->hidden[least] = true;
  return true;
}

/* Take up to `excess` from the widest column of words. False if none can be made narrower. */
static bool shorten_one(const struct sk_table *table, struct layout *layout, size_t excess) {
  size_t *widest = NULL;
  for (size_t i = 0; i < table->column_count; i++) {
    const bool words = !layout->hidden[i] && !table->columns[i].right && layout->widths[i] > SHORTEST_WORD;
    if (words && (!widest || layout->widths[i] > *widest)) widest = &layout->widths[i];
  }
  if (!widest) return false;
  *widest -= excess < *widest - SHORTEST_WORD ? excess : *widest - SHORTEST_WORD;
  return true;
}

static void fit(const struct sk_table *table, struct layout *layout, size_t width) {
  bool can_hide = true;
  bool can_shorten = true;
  while (can_shorten && total_width(table, layout) > width) {
    can_hide = can_hide && hide_one(table, layout);
    if (!can_hide) can_shorten = shorten_one(table, layout, total_width(table, layout) - width);
  }
}

/* Print the characters [from, to) of a text. */
static void print_characters(FILE *stream, const char *text, size_t from, size_t to) {
  size_t character = 0;
  for (; *text; text++) {
    character += ((unsigned char)*text & 0xC0U) != 0x80U;
    if (character > from && character <= to) putc(*text, stream);
  }
}

/* Print a text in at most `width` columns; a long one loses its middle, for names often differ in their ends. */
static void print_shortened(FILE *stream, const char *text, size_t width) {
  const size_t taken = display_width(text);
  if (taken <= width) {
    fputs(text, stream);
    return;
  }
  const size_t tail = (width - 3) / 2;
  print_characters(stream, text, 0, width - 3 - tail);
  fputs("...", stream);
  print_characters(stream, text, taken - tail, taken);
}

static void print_styled(FILE *stream, bool colour, enum sk_style style, const char *text, size_t width) {
  const char *codes = colour ? attributes(style) : "";
  if (*codes) fprintf(stream, "\033[%sm", codes);
  print_shortened(stream, text, width);
  if (*codes) fputs("\033[0m", stream);
}

/* Print one cell; no blanks at the end of a line. */
static void print_cell(const struct sk_table *table, FILE *stream, const struct layout *layout, size_t column,
                       const struct sk_cell *cell) {
  if (layout->hidden[column]) return;
  const bool last = column == layout->last;
  const size_t width = layout->widths[column];
  const size_t taken = display_width(cell->text);
  const int padding = (int)(width > taken ? width - taken : 0);
  if (table->columns[column].right) fprintf(stream, "%*s", padding, "");
  print_styled(stream, layout->colour, cell->style, cell->text, width);
  if (!table->columns[column].right && !last) fprintf(stream, "%*s", padding, "");
  fputs(last ? "\n" : "  ", stream);
}

/* Say which columns are missing, in lines that fit. */
static void print_hidden(const struct sk_table *table, FILE *stream, const struct layout *layout) {
  static const char start[] = "too narrow for:";
  size_t taken = 0;
  for (size_t i = 0; i < table->column_count; i++) {
    if (!layout->hidden[i]) continue;
    const char *title = table->columns[i].title;
    const size_t needed = display_width(title) + 2; /* a blank before it and a comma after it */
    if (taken > 0) fputc(',', stream);
    if (taken == 0) taken = (size_t)fprintf(stream, "%s", start);
    const bool fits = taken + needed <= layout->screen;
    fprintf(stream, "%s%s", fits ? " " : "\n  ", title);
    taken = (fits ? taken : 1) + needed;
  }
  if (taken > 0) fputc('\n', stream);
}

static struct layout lay_out(const struct sk_table *table, struct sk_screen screen) {
  struct layout layout = {.screen = screen.width, .colour = screen.colour};
  measure(table, layout.widths);
  if (screen.width > 0) fit(table, &layout, screen.width);
  for (size_t i = 0; i < table->column_count; i++) layout.last = layout.hidden[i] ? layout.last : i;
  return layout;
}

static void print_table(const struct sk_table *table, FILE *stream, struct sk_screen screen) {
  const struct layout layout = lay_out(table, screen);
  for (size_t i = 0; i < table->column_count; i++) {
    const struct sk_cell title = {(char *)(uintptr_t)table->columns[i].title, SK_STYLE_HEADER};
    print_cell(table, stream, &layout, i, &title);
  }
  for (size_t i = 0; i < table->cell_count; i++) {
    /* A table with cells has columns. NOLINTNEXTLINE(clang-analyzer-core.DivideZero) */
    print_cell(table, stream, &layout, i % table->column_count, &table->cells[i]);
  }
  print_hidden(table, stream, &layout);
}

bool sk_table_print(struct sk_table *table, FILE *stream, struct sk_screen screen) {
  if (!table->failed) print_table(table, stream, screen);
  for (size_t i = 0; i < table->cell_count; i++) free(table->cells[i].text);
  free(table->cells);
  return !table->failed;
}

bool sk_table_end(struct sk_table *table, FILE *stream) { return sk_table_print(table, stream, sk_screen_of(stream)); }

/* ---- Progress ----------------------------------------------------------------------------------------------- */

void sk_progress_begin(struct sk_progress *progress) {
  const double now = sk_clock_seconds();
  *progress =
      (struct sk_progress){.shown = isatty(STDERR_FILENO) == 1, .start = now, .base = {now, 0}, .middle = {now, 0}};
}

double sk_progress_left(struct sk_progress *progress, double now, double done, double total) {
  const double least_seconds = 1;
  if (done >= 2 * progress->middle.done && done > 0) {
    progress->base = progress->middle;
    progress->middle = (struct sk_progress_mark){now, done};
  }
  const double gained = done - progress->base.done;
  const double seconds = now - progress->base.time;
  if (gained <= 0 || now - progress->start < least_seconds) return NAN;
  return total > done ? (total - done) * seconds / gained : 0;
}

/* Whether it is time to show something; if so, begin the line. */
static bool begin_line(struct sk_progress *progress, double now, const char *what) {
  if (!progress->shown || now < progress->next) return false;
  progress->next = now + 0.1;
  fprintf(stderr, "\r\033[K%s: ", what);
  return true;
}

/* Seconds are enough for the first minutes, minutes for what takes longer. */
static void print_left(double seconds) {
  if (isnan(seconds)) return;
  if (seconds < 120) {
    fprintf(stderr, ", %.0f s left", ceil(seconds));
  } else {
    fprintf(stderr, ", %.0f min left", ceil(seconds / 60));
  }
}

void sk_progress_update(struct sk_progress *progress, const char *what, size_t done, size_t total) {
  if (!progress->shown) return;
  const double now = sk_clock_seconds();
  const double left = sk_progress_left(progress, now, (double)done, (double)total);
  if (!begin_line(progress, now, what)) return;
  fprintf(stderr, "%zu of %zu", done, total);
  print_left(left);
}

void sk_progress_time(struct sk_progress *progress, const char *what, double elapsed, double total) {
  if (!progress->shown || !begin_line(progress, sk_clock_seconds(), what)) return;
  fprintf(stderr, "%.0f of %.0f s", floor(elapsed), total);
  print_left(fmax(total - elapsed, 0));
}

void sk_progress_clear(struct sk_progress *progress) {
  if (progress->shown) fputs("\r\033[K", stderr);
  progress->next = 0;
}

void sk_progress_end(struct sk_progress *progress) {
  if (progress->shown) fputs("\r\033[K", stderr);
  progress->shown = false;
}
