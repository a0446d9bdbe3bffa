/* JSON for other programs to read. Building it cannot fail in between: a failure is kept and reported in the end. */
#ifndef SK_BENCH_JSON_OUTPUT_H
#define SK_BENCH_JSON_OUTPUT_H

#include <cjson/cJSON.h>

#include "skiplane.h"

/* A document being built; begin with sk_json_begin, end with sk_json_finish or sk_json_discard. */
struct sk_json {
  cJSON *root; /* an object */
  bool failed; /* out of memory */
};

void sk_json_begin(struct sk_json *json);

/* Add a value to an object, or (name NULL) to a list. A number that is no number becomes null; text that is not UTF-8
 * gets U+FFFD in its place. */
void sk_json_number(struct sk_json *json, cJSON *parent, const char *name, double value);
void sk_json_size(struct sk_json *json, cJSON *parent, const char *name, size_t value);
void sk_json_bool(struct sk_json *json, cJSON *parent, const char *name, bool value);
void sk_json_text(struct sk_json *json, cJSON *parent, const char *name, const char *value); /* NULL: null */

/* Add an empty object or list and return it, to be filled; NULL after a failure, which may be filled just as well. */
cJSON *sk_json_object(struct sk_json *json, cJSON *parent, const char *name);
cJSON *sk_json_list(struct sk_json *json, cJSON *parent, const char *name);

/* Add a list of numbers. */
void sk_json_numbers(struct sk_json *json, cJSON *parent, const char *name, const double *values, size_t count);

/* Print the document to a file, or to stdout, as sk_json_finish does, and keep it. */
sk_status sk_json_write(const struct sk_json *json, const char *path);

/* Print the document to a file, all or nothing, or to stdout (path NULL), and free it.
 * Errors: SK_OUT_OF_MEMORY, SK_IO_ERROR (of a file; stdout's are found when the program ends). */
sk_status sk_json_finish(struct sk_json *json, const char *path);
void sk_json_discard(struct sk_json *json);

#endif
