/* Comma-separated values as RFC 4180 quotes them; lines end in a plain newline, as Unix tools expect. */
#ifndef SK_BENCH_CSV_H
#define SK_BENCH_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct sk_csv {
  FILE *stream;
  bool in_row; /* a comma comes before the next value */
};

/* Add a value to the row: text is quoted where it has to be; a number that is no number leaves its place empty. */
void sk_csv_text(struct sk_csv *csv, const char *text);
void sk_csv_number(struct sk_csv *csv, double value);
void sk_csv_size(struct sk_csv *csv, size_t value);

void sk_csv_end_row(struct sk_csv *csv);

#endif
