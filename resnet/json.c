#include "resnet/json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch/memory.h"
#include "dispatch/status.h"
#include "resnet/text.h"

struct scanner {
  const char *source;
  const char *text;
  size_t length, position;
  size_t depth, values;
  size_t key, key_length; /* the last string at depth 1, to say where a number stands */
  enum sk_json_numbers numbers;
};

/* ---- The lexical rules that cJSON does not check ------------------------------------------------------------ */

static sk_status fail_at(const struct scanner *scanner, size_t position, const char *what) {
  return sk_fail(SK_BAD_FORMAT, "%s: JSON byte %zu: %s", sk_quote(scanner->source).text, position, what);
}

static bool is_hexadecimal(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Pass "\n", "\u0041" and the like; lone surrogates are left to cJSON, which refuses them. */
static sk_status scan_escape(struct scanner *scanner) {
  const char *escape = scanner->text + scanner->position;
  const size_t left = scanner->length - scanner->position;
  if (left < 2 || !strchr("\"\\/bfnrtu", escape[1]) || escape[1] == '\0') {
    return fail_at(scanner, scanner->position, "unknown escape in a string");
  }
  scanner->position += 2;
  if (escape[1] != 'u') return SK_OK;
  for (size_t i = 2; i < 6; i++) {
    if (i >= left || !is_hexadecimal(escape[i])) {
      return fail_at(scanner, scanner->position - 2, "\\u without four hexadecimal digits");
    }
  }
  if (memcmp(escape + 2, "0000", 4) == 0) return fail_at(scanner, scanner->position - 2, "\\u0000 in a string");
  scanner->position += 4;
  return SK_OK;
}

static sk_status scan_character(struct scanner *scanner) {
  const char *text = scanner->text + scanner->position;
  if (*text == '\\') return scan_escape(scanner);
  if ((unsigned char)*text < 0x20) return fail_at(scanner, scanner->position, "control character in a string");
  const size_t sequence = sk_utf8_sequence(text, scanner->length - scanner->position);
  if (sequence == 0) return fail_at(scanner, scanner->position, "invalid UTF-8");
  scanner->position += sequence;
  return SK_OK;
}

static sk_status scan_string(struct scanner *scanner) {
  const size_t start = ++scanner->position;
  while (scanner->position < scanner->length) {
    if (scanner->text[scanner->position] == '"') {
      if (scanner->depth == 1) {
        scanner->key = start;
        scanner->key_length = scanner->position - start;
      }
      scanner->position++;
      return SK_OK;
    }
    const sk_status status = scan_character(scanner);
    if (status) return status;
  }
  return fail_at(scanner, start - 1, "string without an end");
}

/* Tell whether digits[length] is 0 or has no leading zero, and is below 2^53 = 9007199254740992. */
static bool is_exact_integer(const char *digits, size_t length) {
  if (length > 16 || (length > 1 && digits[0] == '0')) return false;
  uint64_t value = 0;
  for (size_t i = 0; i < length; i++) {
    if (digits[i] < '0' || digits[i] > '9') return false;
    value = value * 10 + (uint64_t)(digits[i] - '0');
  }
  return value < UINT64_C(1) << 53;
}

static size_t count_digits(const char *text, size_t length) {
  size_t count = 0;
  while (count < length && text[count] >= '0' && text[count] <= '9') count++;
  return count;
}

/* Pass a part of a number that begins with `mark` and needs digits: *at stays where it is if there is no such part. */
static bool pass_part(const char *number, size_t length, size_t *at, const char *marks, const char *signs) {
  if (*at == length || !strchr(marks, number[*at])) return true;
  ++*at;
  if (*at < length && strchr(signs, number[*at])) ++*at;
  const size_t digits = count_digits(number + *at, length - *at);
  *at += digits;
  return digits > 0;
}

/* Tell whether number[length] is -?(0|[1-9][0-9]*)([.][0-9]+)?([eE][-+]?[0-9]+)?. */
static bool is_decimal(const char *number, size_t length) {
  size_t at = number[0] == '-';
  const size_t digits = count_digits(number + at, length - at);
  if (digits == 0 || (digits > 1 && number[at] == '0')) return false;
  at += digits;
  return pass_part(number, length, &at, ".", "") && pass_part(number, length, &at, "eE", "+-") && at == length;
}

static bool is_number_byte(char c) { return (c >= '0' && c <= '9') || (c && strchr("+-.eE", c)); }

static sk_status scan_number(struct scanner *scanner) {
  const char *number = scanner->text + scanner->position;
  size_t length = 0;
  while (scanner->position + length < scanner->length && is_number_byte(number[length])) length++;
  scanner->position += length;
  const bool is_size = scanner->numbers == SK_JSON_SIZES;
  if (is_size ? is_exact_integer(number, length) : is_decimal(number, length)) return SK_OK;
  return sk_fail(SK_BAD_FORMAT, "%s: \"%s\": number %.40s is not %s", sk_quote(scanner->source).text,
                 sk_quote_bytes(scanner->text + scanner->key, scanner->key_length).text,
                 sk_quote_bytes(number, length).text, is_size ? "an integer from 0 to 2^53 - 1" : "as JSON has them");
}

/* Brackets and commas bound the depth and the number of values; whether they match is for cJSON to say. */
static sk_status scan_punctuation(struct scanner *scanner) {
  const char c = scanner->text[scanner->position];
  if (c == '{' || c == '[') {
    if (++scanner->depth > SK_JSON_MAX_DEPTH) return fail_at(scanner, scanner->position, "nested too deeply");
  } else if ((c == '}' || c == ']') && scanner->depth > 0) {
    scanner->depth--;
  }
  if ((c == '{' || c == '[' || c == ',') && ++scanner->values > SK_JSON_MAX_VALUES) {
    return fail_at(scanner, scanner->position, "more than 4194304 values");
  }
  scanner->position++;
  return SK_OK;
}

static sk_status scan_token(struct scanner *scanner) {
  const char c = scanner->text[scanner->position];
  if (c == '"') return scan_string(scanner);
  if (c == '-' || (c >= '0' && c <= '9')) return scan_number(scanner);
  const bool is_space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
  if (!is_space && ((unsigned char)c < 0x20 || (unsigned char)c >= 0x7F)) {
    return fail_at(scanner, scanner->position, "a byte that is not JSON");
  }
  return scan_punctuation(scanner);
}

static sk_status check_lexically(const char *source, const char *text, size_t length, enum sk_json_numbers numbers) {
  struct scanner scanner = {.source = source, .text = text, .length = length, .numbers = numbers};
  while (scanner.position < length) {
    const sk_status status = scan_token(&scanner);
    if (status) return status;
  }
  return SK_OK;
}

/* ---- Keys and values ----------------------------------------------------------------------------------------- */

static int compare_strings(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t collect_keys(const cJSON *object, const char **keys) {
  size_t count = 0;
  for (const cJSON *item = object->child; item; item = item->next, count++) {
    if (keys) keys[count] = item->string;
  }
  return count;
}

static sk_status check_keys_of(const cJSON *object, const char *source) {
  const size_t count = collect_keys(object, NULL);
  if (count < 2) return SK_OK;
  const char **keys = sk_malloc(count * sizeof *keys);
  if (!keys) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for %zu keys", sk_quote(source).text, count);
  collect_keys(object, keys);
  qsort(keys, count, sizeof *keys, compare_strings);
  sk_status status = SK_OK;
  for (size_t i = 1; i < count && !status; i++) {
    if (strcmp(keys[i - 1], keys[i]) != 0) continue;
    status = sk_fail(SK_BAD_FORMAT, "%s: key \"%s\" appears twice in %s%s%s", sk_quote(source).text,
                     sk_quote(keys[i]).text, object->string ? "\"" : "an object",
                     object->string ? sk_quote(object->string).text : "", object->string ? "\"" : "");
  }
  sk_free(keys);
  return status;
}

/* What cJSON could make of each value: numbers beyond double are infinite there. Recursion is bounded by
 * SK_JSON_MAX_DEPTH. */
static sk_status check_values(const cJSON *value, const char *source) {  // NOLINT(misc-no-recursion)
  if (cJSON_IsNumber(value) && !isfinite(value->valuedouble)) {
    return sk_fail(SK_BAD_FORMAT, "%s: \"%s\": a number that is not finite", sk_quote(source).text,
                   sk_quote(value->string ? value->string : "").text);
  }
  if (cJSON_IsObject(value)) {
    const sk_status status = check_keys_of(value, source);
    if (status) return status;
  }
  for (const cJSON *item = value->child; item; item = item->next) {
    const sk_status status = check_values(item, source);
    if (status) return status;
  }
  return SK_OK;
}

/* ---- Parsing ------------------------------------------------------------------------------------------------- */

/* cJSON 1.7.15 can look one byte past its buffer, so it gets a copy that ends in NUL. */
static sk_status parse_copy(cJSON **tree, size_t *end, const char *source, const char *text, size_t length) {
  char *copy = sk_malloc(length + 1);
  if (!copy) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for %zu bytes", sk_quote(source).text, length);
  memcpy(copy, text, length);
  copy[length] = '\0';
  const char *stop = copy;
  errno = 0; /* cJSON does not tell want of memory from bad JSON; malloc does */
  *tree = cJSON_ParseWithLengthOpts(copy, length + 1, &stop, false);
  *end = (size_t)(stop - copy);
  const bool is_out_of_memory = !*tree && errno == ENOMEM;
  sk_free(copy);
  if (*tree) return SK_OK;
  if (is_out_of_memory) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for its JSON", sk_quote(source).text);
  return sk_fail(SK_BAD_FORMAT, "%s: JSON byte %zu: not valid JSON", sk_quote(source).text, *end);
}

sk_status sk_json_parse(cJSON **tree, size_t *end, const char *source, const char *text, size_t length,
                        enum sk_json_numbers numbers) {
  *tree = NULL;
  *end = 0;
  sk_status status = check_lexically(source, text, length, numbers);
  if (!status) status = parse_copy(tree, end, source, text, length);
  if (!status) status = check_values(*tree, source);
  if (status) {
    cJSON_Delete(*tree);
    *tree = NULL;
  }
  return status;
}
