/* JSON from files that nobody vouches for: a strict check in front of cJSON, which alone is too lenient. */
#ifndef SK_RESNET_JSON_H
#define SK_RESNET_JSON_H

#include <cjson/cJSON.h>

#include "skiplane.h"

enum {
  SK_JSON_MAX_DEPTH = 8,        /* of nested objects and arrays: cJSON recurses */
  SK_JSON_MAX_VALUES = 4 << 20, /* cJSON takes some 100 bytes for a value of 2 bytes */
};

/* What a number may be. */
enum sk_json_numbers {
  SK_JSON_SIZES,    /* integers from 0 to 2^53 - 1 */
  SK_JSON_DECIMALS, /* all that JSON allows, as long as it is finite */
};

/* Parse a JSON text whose numbers are all of one kind.
 * cJSON lets pass: invalid UTF-8, control characters, \u0000 in a string (where its C string then ends), "01", and a
 * key twice; those are errors here, as are numbers of another kind.
 * source: the file, for messages. *tree: free with cJSON_Delete. *end: offset behind the value; what follows it is
 * the caller's to judge.
 * Errors: SK_BAD_FORMAT (names the source, the byte or key, and the rule), SK_OUT_OF_MEMORY. */
sk_status sk_json_parse(cJSON **tree, size_t *end, const char *source, const char *text, size_t length,
                        enum sk_json_numbers numbers);

#endif
