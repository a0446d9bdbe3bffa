#include "bench/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/embedded.h"
#include "dispatch/status.h"
#include "resnet/file.h"

/* What one page has of its own: its name, what it shows, and the script that fills that in. */
struct own_parts {
  const char *name, *content, *script;
};

static struct own_parts own_parts(enum sk_page page) {
  switch (page) {
    case SK_PAGE_PROFILE:
      return (struct own_parts){"profile", sk_embedded_pages_profile().text, sk_embedded_pages_profile_script().text};
    case SK_PAGE_COMPARE:
      return (struct own_parts){"compare", sk_embedded_pages_compare().text, sk_embedded_pages_compare_script().text};
    default:
      return (struct own_parts){"verify", sk_embedded_pages_verify().text, sk_embedded_pages_verify_script().text};
  }
}

/* Find a part that the frame names as {{style.css}}; NULL for a name that is none. */
static const char *find_part(const char *name, size_t length, enum sk_page page, const char *document) {
  const struct own_parts own = own_parts(page);
  const struct {
    const char *name, *text;
  } parts[] = {
      {"style.css", sk_embedded_pages_style().text},
      {"page.js", sk_embedded_pages_page().text},
      {"charts.js", sk_embedded_pages_charts().text},
      {"script.js", own.script},
      {"name", own.name},
      {"content", own.content},
      {"document", document},
  };
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    if (strlen(parts[i].name) == length && memcmp(parts[i].name, name, length) == 0) return parts[i].text;
  }
  return NULL;
}

/* Copy the frame with each {{part}} replaced. Parts are copied as they are: braces in the data mean nothing. */
static void write_frame(struct sk_file_writer *writer, enum sk_page page, const char *document) {
  const char *text = sk_embedded_pages_frame().text, *open;
  while ((open = strstr(text, "{{"))) {
    const char *name = open + 2;
    const size_t length = strcspn(name, "}");
    const char *part = find_part(name, length, page, document);
    sk_file_write(writer, text, (size_t)(open - text));
    if (part) sk_file_write(writer, part, strlen(part));
    text = name + length + strspn(name + length, "}");
  }
  sk_file_write(writer, text, strlen(text));
}

/* Copy JSON with every < as an escape: it can stand in strings only, and without it neither </script> nor <!-- can end
 * or derail the script element that holds the document. Returns NULL when memory runs out. */
static char *escape_for_script(const char *json) {
  static const char escape[] = "\\u003c";
  size_t extra = 0;
  for (const char *c = json; *c; c++) extra += *c == '<' ? sizeof escape - 2 : 0;
  char *escaped = malloc(strlen(json) + extra + 1);
  char *end = escaped;
  for (const char *c = json; escaped && *c; c++) {
    const bool is_open = *c == '<';
    const size_t length = is_open ? sizeof escape - 1 : 1;
    memcpy(end, is_open ? escape : c, length);
    end += length;
  }
  if (escaped) *end = '\0';
  return escaped;
}

static char *print_for_script(const cJSON *document) {
  char *json = cJSON_PrintUnformatted(document);
  char *escaped = json ? escape_for_script(json) : NULL;
  cJSON_free(json);
  return escaped;
}

sk_status sk_page_write(const char *path, enum sk_page page, const cJSON *document) {
  char *json = print_for_script(document);
  if (!json) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for the page", path);
  struct sk_file_writer writer;
  sk_status status = sk_file_writer_open(&writer, path);
  if (!status) {
    write_frame(&writer, page, json);
    status = sk_file_writer_commit(&writer);
  }
  free(json);
  return status;
}
