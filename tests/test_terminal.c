/* Tables that fit a screen, colours, and how much time is left. */
#define _XOPEN_SOURCE 700

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/terminal.h"

static const struct sk_column columns[] = {
    {"name", false, 0}, {"shape", false, 2}, {"ms", true, 0}, {"share", true, 1}};

/* Print a table of one row; the caller frees the text. */
static char *print(struct sk_screen screen, enum sk_style style) {
  struct sk_table table;
  char *text = NULL;
  size_t length = 0;
  FILE *stream = open_memstream(&text, &length);
  sk_table_begin(&table, columns, 4);
  sk_table_cell(&table, "layer3.22.conv2");
  sk_table_style(&table, style);
  sk_table_cell(&table, "64x56x56");
  sk_table_cell(&table, "1.25");
  sk_table_cell(&table, "3.5");
  cr_assert(sk_table_print(&table, stream, screen));
  fclose(stream);
  return text;
}

static void assert_prints(size_t width, const char *expected) {
  char *text = print((struct sk_screen){.width = width}, SK_STYLE_GOOD);
  cr_expect_str_eq(text, expected, "width %zu:\n%s", width, text);
  free(text);
}

Test(terminal, drops_what_matters_least_until_it_fits) {
  const char *whole = "name             shape       ms  share\nlayer3.22.conv2  64x56x56  1.25    3.5\n";
  assert_prints(0, whole);
  assert_prints(38, whole);
  assert_prints(37, "name               ms  share\nlayer3.22.conv2  1.25    3.5\ntoo narrow for: shape\n");
  assert_prints(27, "name               ms\nlayer3.22.conv2  1.25\ntoo narrow for: shape,\n  share\n");
}

Test(terminal, shortens_words_last) {
  assert_prints(20, "name              ms\nlayer3...conv2  1.25\ntoo narrow for:\n  shape, share\n");
}

Test(terminal, never_shortens_numbers) {
  static const struct sk_column numbers[] = {{"parameters", true, 0}};
  struct sk_table table;
  char *text = NULL;
  size_t length = 0;
  FILE *stream = open_memstream(&text, &length);
  sk_table_begin(&table, numbers, 1);
  sk_table_cell(&table, "68883240");
  cr_assert(sk_table_print(&table, stream, (struct sk_screen){.width = 5}));
  fclose(stream);
  cr_expect_str_eq(text, "parameters\n  68883240\n");
  free(text);
}

Test(terminal, colours_only_where_the_screen_has_them) {
  char *text = print((struct sk_screen){.colour = true}, SK_STYLE_GOOD);
  cr_expect_not_null(strstr(text, "\033[32mlayer3.22.conv2\033[0m  64x56x56"), "%s", text);
  cr_expect_not_null(strstr(text, "\033[1mname\033[0m             \033[1mshape"), "%s", text);
  free(text);
  text = print((struct sk_screen){0}, SK_STYLE_BAD);
  cr_expect_null(strchr(text, '\033'));
  free(text);
}

Test(terminal, each_algorithm_has_its_own_colour) {
  char *direct = print((struct sk_screen){.colour = true}, sk_style_of_algorithm(SK_ALGORITHM_DIRECT));
  char *winograd = print((struct sk_screen){.colour = true}, sk_style_of_algorithm(SK_ALGORITHM_WINOGRAD4));
  cr_expect_str_neq(direct, winograd);
  free(direct);
  free(winograd);
}

Test(terminal, a_steady_pace_gives_the_time_left) {
  struct sk_progress progress = {0};
  cr_expect(isnan(sk_progress_left(&progress, 0.5, 1, 40)), "too early to tell");
  double left = NAN;
  for (int i = 2; i <= 10; i++) left = sk_progress_left(&progress, 0.5 * i, i, 40);
  cr_expect_float_eq(left, 15, 1e-9);
  cr_expect_float_eq(sk_progress_left(&progress, 20, 40, 40), 0, 1e-9);
}

Test(terminal, a_slow_start_is_forgotten) {
  struct sk_progress progress = {0};
  double left = NAN; /* the first takes 100 s, each other one 1 s */
  for (int i = 1; i <= 20; i++) left = sk_progress_left(&progress, 99 + i, i, 40);
  cr_expect_float_eq(left, 20, 1e-9);
}
