#include "bench/csv.h"

#include <math.h>
#include <string.h>

static void separate(struct sk_csv *csv) {
  if (csv->in_row) putc(',', csv->stream);
  csv->in_row = true;
}

void sk_csv_text(struct sk_csv *csv, const char *text) {
  separate(csv);
  if (!strpbrk(text, ",\"\r\n")) {
    fputs(text, csv->stream);
    return;
  }
  putc('"', csv->stream);
  for (; *text; text++) {
    if (*text == '"') putc('"', csv->stream);
    putc(*text, csv->stream);
  }
  putc('"', csv->stream);
}

void sk_csv_number(struct sk_csv *csv, double value) {
  separate(csv);
  if (isfinite(value)) fprintf(csv->stream, "%.9g", value);
}

void sk_csv_size(struct sk_csv *csv, size_t value) {
  separate(csv);
  fprintf(csv->stream, "%zu", value);
}

void sk_csv_end_row(struct sk_csv *csv) {
  putc('\n', csv->stream);
  csv->in_row = false;
}
