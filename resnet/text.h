/* Text from files and users, made safe to put into a message. */
#ifndef SK_RESNET_TEXT_H
#define SK_RESNET_TEXT_H

#include <stddef.h>

enum { SK_QUOTED_LIMIT = 160 };

struct sk_quoted {
  char text[SK_QUOTED_LIMIT + 4]; /* room for "..." and the NUL */
};

/* Return the bytes of the UTF-8 sequence (1..4) that `text` starts with, 0 if it starts with none.
 * Overlong forms, surrogates and values above U+10FFFF are none. Requires: length > 0. */
size_t sk_utf8_sequence(const char *text, size_t length);

/* Copy text for a message: at most SK_QUOTED_LIMIT bytes, then "..."; bytes that are not printable become \xNN. */
struct sk_quoted sk_quote_bytes(const char *text, size_t length);
struct sk_quoted sk_quote(const char *text);

/* Copy the first 40 bytes only, for values where a long one is sure to be wrong. */
struct sk_quoted sk_quote_short(const char *text);

#endif
