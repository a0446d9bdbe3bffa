#include "bench/labels.h"

#include <stdlib.h>
#include <string.h>

#include "dispatch/status.h"
#include "resnet/file.h"
#include "resnet/text.h"

enum { MOST_BYTES = 64 << 20 };

/* Copy the text with a NUL behind it. */
static sk_status copy_text(struct sk_labels *labels, const char *source, const char *text, size_t length) {
  if (memchr(text, '\0', length)) {
    return sk_fail(SK_BAD_FORMAT, "%s: holds a NUL byte, expected a text of one label per line", sk_quote(source).text);
  }
  labels->text = malloc(length + 1);
  if (!labels->text) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for its labels", sk_quote(source).text);
  memcpy(labels->text, text, length);
  labels->text[length] = '\0';
  return SK_OK;
}

static size_t count_lines(const char *text) {
  size_t lines = 0;
  const char *at = text;
  for (; *at; at++) lines += *at == '\n';
  return lines + (at > text && at[-1] != '\n');
}

/* End the line at `line` with a NUL, its CR gone; returns the next one. */
static char *end_line(char *line) {
  char *end = line + strcspn(line, "\n");
  char *next = *end ? end + 1 : end;
  *end = '\0';
  if (end > line && end[-1] == '\r') end[-1] = '\0';
  return next;
}

static sk_status split(struct sk_labels *labels, const char *path, size_t count) {
  static const char mark[] = "\xEF\xBB\xBF";
  char *line = labels->text;
  if (strncmp(line, mark, 3) == 0) line += 3;
  const size_t lines = count_lines(line);
  if (lines != count) {
    return sk_fail(SK_BAD_FORMAT, "%s: %zu labels for a network of %zu classes", sk_quote(path).text, lines, count);
  }
  labels->names = calloc(count, sizeof *labels->names);
  if (!labels->names) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for its labels", sk_quote(path).text);
  for (; labels->count < count; labels->count++) {
    char *next = end_line(line);
    labels->names[labels->count] = line;
    if (!*line) {
      return sk_fail(SK_BAD_FORMAT, "%s: line %zu is empty, expected a label", sk_quote(path).text, labels->count + 1);
    }
    line = next;
  }
  return SK_OK;
}

sk_status sk_labels_parse(struct sk_labels *labels, const char *source, const char *text, size_t length, size_t count) {
  *labels = (struct sk_labels){0};
  const sk_status status = copy_text(labels, source, text, length);
  return status ? status : split(labels, source, count);
}

sk_status sk_labels_read(struct sk_labels *labels, const char *path, size_t count) {
  *labels = (struct sk_labels){0};
  struct sk_file_map map;
  sk_status status = sk_file_map_open_within(&map, path, MOST_BYTES);
  if (status) return status;
  status = sk_labels_parse(labels, path, map.data, map.length, count);
  sk_file_map_close(&map);
  return status;
}

void sk_labels_free(struct sk_labels *labels) {
  free(labels->names);
  free(labels->text);
  *labels = (struct sk_labels){0};
}
