#define _XOPEN_SOURCE 700 /* strnlen */

#include "resnet/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool is_continuation(char byte) { return ((unsigned char)byte & 0xC0U) == 0x80U; }

/* Bytes of a sequence as its first byte announces them; 0 for a byte that cannot be first. */
static size_t announced_length(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return 2;
  if (first >= 0xE0 && first <= 0xEF) return 3;
  if (first >= 0xF0 && first <= 0xF4) return 4;
  return 0;
}

/* The second byte alone tells overlong forms, surrogates and values above U+10FFFF (Unicode, table 3-7). */
static bool second_byte_fits(unsigned char first, unsigned char second) {
  switch (first) {
    case 0xE0: return second >= 0xA0;
    case 0xED: return second < 0xA0;
    case 0xF0: return second >= 0x90;
    case 0xF4: return second < 0x90;
    default: return true;
  }
}

size_t sk_utf8_sequence(const char *text, size_t length) {
  const size_t announced = announced_length((unsigned char)text[0]);
  if (announced == 0 || announced > length) return 0;
  for (size_t i = 1; i < announced; i++) {
    if (!is_continuation(text[i])) return 0;
  }
  if (announced > 1 && !second_byte_fits((unsigned char)text[0], (unsigned char)text[1])) return 0;
  return announced;
}

/* Bytes at `text` that may be printed as they are: a terminal obeys U+0000..1F and U+007F..9F, so these may not. */
static size_t printable_length(const char *text, size_t length) {
  const unsigned char first = (unsigned char)text[0];
  if (first < 0x20 || first == 0x7F) return 0;
  if (first == 0xC2 && length > 1 && (unsigned char)text[1] < 0xA0) return 0;
  return sk_utf8_sequence(text, length);
}

struct sk_quoted sk_quote_bytes(const char *text, size_t length) {
  struct sk_quoted quoted = {{0}};
  size_t used = 0;
  for (size_t i = 0; i < length;) {
    const size_t printable = printable_length(text + i, length - i);
    if (used + (printable ? printable : 4) > SK_QUOTED_LIMIT) {
      memcpy(quoted.text + used, "...", 3);
      break;
    }
    if (printable) {
      memcpy(quoted.text + used, text + i, printable);
      used += printable;
      i += printable;
    } else {
      snprintf(quoted.text + used, 5, "\\x%02x", (unsigned)(unsigned char)text[i]);
      used += 4;
      i++;
    }
  }
  return quoted;
}

struct sk_quoted sk_quote(const char *text) {
  return sk_quote_bytes(text, strlen(text));
}

struct sk_quoted sk_quote_short(const char *text) {
  return sk_quote_bytes(text, strnlen(text, 40));
}
