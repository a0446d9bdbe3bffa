#include "bench/shapes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/embedded.h"
#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/file.h"
#include "resnet/text.h"

enum {
  MAXIMUM_SHAPES = 4096, /* of one file: far more than anybody measures, few enough to compare each with each */
  MOST_BYTES = 16 << 20,
  MAXIMUM_NAME = 100,
  MAXIMUM_NUMBER = 1000000000
};

/* ---- The collection ------------------------------------------------------------------------------------------- */

sk_status sk_shapes_add(struct sk_shapes *shapes, const struct sk_named_shape *shape) {
  if (shapes->count == shapes->capacity) {
    const size_t capacity = shapes->capacity ? 2 * shapes->capacity : 64;
    struct sk_named_shape *items = reallocarray(shapes->items, capacity, sizeof *items);
    if (!items) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu shapes", capacity);
    shapes->items = items;
    shapes->capacity = capacity;
  }
  struct sk_named_shape *item = &shapes->items[shapes->count];
  *item = *shape;
  item->name = strdup(shape->name);
  if (!item->name) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for a shape's name");
  shapes->count++;
  return SK_OK;
}

const struct sk_named_shape *sk_shapes_find(const struct sk_shapes *shapes, const char *name) {
  for (size_t i = 0; i < shapes->count; i++) {
    if (strcmp(shapes->items[i].name, name) == 0) return &shapes->items[i];
  }
  return NULL;
}

const struct sk_named_shape *sk_shapes_find_equal(const struct sk_shapes *shapes, const struct sk_named_shape *shape) {
  for (size_t i = 0; i < shapes->count; i++) {
    const struct sk_named_shape *item = &shapes->items[i];
    const bool same_shape = memcmp(&item->shape, &shape->shape, sizeof shape->shape) == 0; /* size_t only: no padding */
    if (same_shape && item->relu == shape->relu && item->add == shape->add) return item;
  }
  return NULL;
}

void sk_shapes_free(struct sk_shapes *shapes) {
  for (size_t i = 0; i < shapes->count; i++) free((char *)shapes->items[i].name);
  free(shapes->items);
  *shapes = (struct sk_shapes){0};
}

/* ---- Words and numbers ---------------------------------------------------------------------------------------- */

struct span {
  const char *at;
  size_t length;
};

/* The line that is read now. */
struct line {
  const char *source;
  size_t number;
  struct span rest;
  struct sk_named_shape item;
  char name[MAXIMUM_NAME + 1];
  unsigned seen; /* bits of the fields that were there */
};

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/* Take the next word of a line; its length is 0 at the end. */
static struct span take_word(struct span *rest) {
  while (rest->length > 0 && is_blank(*rest->at)) rest->at++, rest->length--;
  struct span word = {rest->at, 0};
  while (word.length < rest->length && !is_blank(word.at[word.length])) word.length++;
  rest->at += word.length;
  rest->length -= word.length;
  return word;
}

static struct sk_quoted quote(struct span word) { return sk_quote_bytes(word.at, sk_size_min(word.length, 40)); }

static sk_status reject(const struct line *line, const char *field, struct span came, const char *expected) {
  return sk_fail(SK_BAD_FORMAT, "%s:%zu: %s: \"%s\" is not %s", sk_quote(line->source).text, line->number, field,
                 quote(came).text, expected);
}

/* Take the digits at the front of a word; false if there are none or the number is too large. */
static bool take_number(struct span *word, size_t *number) {
  const char *start = word->at;
  for (*number = 0; word->length > 0 && *word->at >= '0' && *word->at <= '9'; word->at++, word->length--) {
    *number = 10 * *number + (size_t)(*word->at - '0');
    if (*number > MAXIMUM_NUMBER) return false;
  }
  return word->at > start;
}

/* Read one to four numbers with `separator` between them and nothing else. Returns how many; 0 for any other text. */
static size_t read_numbers(struct span word, char separator, size_t numbers[4]) {
  for (size_t count = 1; count <= 4; count++) {
    if (!take_number(&word, &numbers[count - 1])) return 0;
    if (word.length == 0) return count;
    if (*word.at != separator) return 0;
    word.at++;
    word.length--;
  }
  return 0;
}

/* ---- Fields --------------------------------------------------------------------------------------------------- */

/* A field of numbers with an x between them, and where they go. Of one that is not needed a single number is enough. */
struct field {
  const char *name;
  bool is_needed;
  size_t places;
  const char *expected;
  size_t offsets[3];
};

#define AT(member) offsetof(sk_conv_shape, member)
static const struct field fields[] = {
    {"in", true, 3, "CxHxW such as 64x56x56", {AT(in_channels), AT(in_height), AT(in_width)}},
    {"out", true, 1, "a number of channels", {AT(out_channels)}},
    {"kernel", true, 2, "RxS such as 3x3", {AT(kernel_height), AT(kernel_width)}},
    {"stride", false, 2, "S or SxS such as 2", {AT(stride_height), AT(stride_width)}},
    {"dilation", false, 2, "D or DxD such as 2", {AT(dilation_height), AT(dilation_width)}},
    {"groups", false, 1, "a number of groups", {AT(groups)}},
    {"batch", false, 1, "a number of images", {AT(batch)}},
};
#undef AT

/* Behind those of the table. */
enum { PLAIN_FIELDS = sizeof fields / sizeof fields[0], FIELD_PAD = PLAIN_FIELDS, FIELD_RELU, FIELD_ADD, FIELDS };

static const char *field_name(size_t field) {
  static const char *const others[] = {"pad", "relu", "add"};
  return field < PLAIN_FIELDS ? fields[field].name : others[field - PLAIN_FIELDS];
}

static size_t find_field(struct span name) {
  for (size_t i = 0; i < FIELDS; i++) {
    if (strlen(field_name(i)) == name.length && memcmp(field_name(i), name.at, name.length) == 0) return i;
  }
  return FIELDS;
}

/* These return NULL, or what was expected. */
static const char *set_plain(sk_conv_shape *s, const struct field *field, struct span value) {
  size_t numbers[4];
  const size_t count = read_numbers(value, 'x', numbers);
  if (count != field->places && (field->is_needed || count != 1)) return field->expected;
  for (size_t i = 0; i < field->places; i++) {
    memcpy((char *)s + field->offsets[i], &numbers[count == 1 ? 0 : i], sizeof numbers[0]);
  }
  return NULL;
}

static const char *set_pad(sk_conv_shape *s, struct span value) {
  size_t p[4];
  const bool is_list = value.length > 0 && memchr(value.at, ',', value.length);
  const size_t count = read_numbers(value, is_list ? ',' : 'x', p);
  if (is_list ? count != 4 : count != 1 && count != 2) return "P, PxP or top,bottom,left,right, such as 1";
  s->pad_top = p[0];
  s->pad_bottom = p[is_list ? 1 : 0];
  s->pad_left = p[is_list ? 2 : count - 1];
  s->pad_right = p[is_list ? 3 : count - 1];
  return NULL;
}

/* Requires: a field of numbers. */
static const char *set_numbers(sk_conv_shape *s, size_t field, struct span value) {
  return field == FIELD_PAD ? set_pad(s, value) : set_plain(s, &fields[field], value);
}

const char *sk_shape_set(sk_conv_shape *shape, const char *field, const char *text) {
  return set_numbers(shape, find_field((struct span){field, strlen(field)}), (struct span){text, strlen(text)});
}

static sk_status read_switch(struct line *line, bool *is_on, struct span word, const char *name) {
  *is_on = true;
  return word.length == strlen(name) ? SK_OK : reject(line, name, word, "the word alone, without a value");
}

/* Read "name=value" or a word alone. */
static sk_status read_field(struct line *line, struct span word) {
  const char *equals = memchr(word.at, '=', word.length);
  const size_t name_length = equals ? (size_t)(equals - word.at) : word.length;
  const size_t skipped = equals ? name_length + 1 : name_length;
  const struct span value = {word.at + skipped, word.length - skipped};
  const size_t field = find_field((struct span){word.at, name_length});
  if (field == FIELDS) {
    return reject(line, "field", word, "in=, out=, kernel=, stride=, pad=, dilation=, groups=, batch=, relu or add");
  }
  if (line->seen & 1U << field) return reject(line, field_name(field), word, "the only one of its line");
  line->seen |= 1U << field;
  switch (field) {
    case FIELD_RELU: return read_switch(line, &line->item.relu, word, "relu");
    case FIELD_ADD: return read_switch(line, &line->item.add, word, "add");
    default: break;
  }
  const char *expected = set_numbers(&line->item.shape, field, value);
  return expected ? reject(line, field_name(field), value, expected) : SK_OK;
}

/* ---- Lines ---------------------------------------------------------------------------------------------------- */

static bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("._/+-", c));
}

static sk_status read_name(struct line *line, const struct sk_shapes *shapes, struct span word) {
  size_t fitting = 0;
  while (fitting < word.length && is_name_character(word.at[fitting])) fitting++;
  if (fitting < word.length || word.length > MAXIMUM_NAME) {
    return reject(line, "name", word, "a name of up to 100 letters, digits and ._/+-");
  }
  memcpy(line->name, word.at, word.length);
  line->name[word.length] = '\0';
  line->item.name = line->name;
  if (sk_shapes_find(shapes, line->name)) return reject(line, "name", word, "a new one: a line before has it");
  return SK_OK;
}

static sk_status check_line(const struct line *line) {
  for (size_t i = 0; i < PLAIN_FIELDS; i++) {
    if (fields[i].is_needed && !(line->seen & 1U << i)) {
      return sk_fail(SK_BAD_FORMAT, "%s:%zu: %s= is missing, expected %s", sk_quote(line->source).text, line->number,
                     fields[i].name, fields[i].expected);
    }
  }
  size_t out_height;
  size_t out_width;
  if (!sk_conv_output_size(&line->item.shape, &out_height, &out_width)) return SK_OK;
  char reason[256];
  snprintf(reason, sizeof reason, "%s", sk_error_message());
  return sk_fail(SK_BAD_FORMAT, "%s:%zu: %s", sk_quote(line->source).text, line->number, reason);
}

/* Read a line without its comment; a blank one adds nothing. */
static sk_status read_line(struct line *line, struct sk_shapes *shapes) {
  struct span word = take_word(&line->rest);
  if (word.length == 0) return SK_OK;
  line->item.shape = (sk_conv_shape){
      .batch = 1, .groups = 1, .stride_height = 1, .stride_width = 1, .dilation_height = 1, .dilation_width = 1};
  sk_status status = read_name(line, shapes, word);
  while (!status && (word = take_word(&line->rest)).length > 0) status = read_field(line, word);
  if (!status) status = check_line(line);
  if (!status && shapes->count == MAXIMUM_SHAPES) {
    status = sk_fail(SK_BAD_FORMAT, "%s:%zu: more than %d shapes", sk_quote(line->source).text, line->number,
                     MAXIMUM_SHAPES);
  }
  return status ? status : sk_shapes_add(shapes, &line->item);
}

/* Take the text up to the next line's end, and step over that. */
static struct span take_line(struct span *text) {
  const char *end = memchr(text->at, '\n', text->length);
  const struct span line = {text->at, end ? (size_t)(end - text->at) : text->length};
  const size_t taken = line.length + (end ? 1 : 0);
  text->at += taken;
  text->length -= taken;
  return line;
}

sk_status sk_shapes_parse(struct sk_shapes *shapes, const char *source, const char *text, size_t length) {
  struct span rest = {text, length};
  for (size_t number = 1; rest.length > 0; number++) {
    struct line line = {.source = source, .number = number, .rest = take_line(&rest)};
    const char *comment = line.rest.length > 0 ? memchr(line.rest.at, '#', line.rest.length) : NULL;
    if (comment) line.rest.length = (size_t)(comment - line.rest.at);
    const sk_status status = read_line(&line, shapes);
    if (status) return status;
  }
  if (shapes->count > 0) return SK_OK;
  return sk_fail(SK_BAD_FORMAT, "%s: holds no shape, expected lines such as: conv in=64x56x56 out=64 kernel=3x3 pad=1",
                 sk_quote(source).text);
}

sk_status sk_shapes_read(struct sk_shapes *shapes, const char *path) {
  struct sk_file_map map;
  sk_status status = sk_file_map_open_within(&map, path, MOST_BYTES);
  if (status) return status;
  status = sk_shapes_parse(shapes, path, map.data, map.length);
  sk_file_map_close(&map);
  return status;
}

sk_status sk_shapes_of_networks(struct sk_shapes *shapes) {
  const struct sk_embedded file = sk_embedded_networks_shapes();
  return sk_shapes_parse(shapes, file.path, file.text, file.length);
}

/* ---- Printing ------------------------------------------------------------------------------------------------- */

static void append(struct sk_shape_text *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(struct sk_shape_text *to, const char *format, ...) {
  const size_t used = strlen(to->text);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(to->text + used, sizeof to->text - used, format, arguments);
  va_end(arguments);
}

/* Append " stride=2", " stride=2x1", or nothing for the usual. */
static void append_pair(struct sk_shape_text *to, const char *name, size_t height, size_t width, size_t usual) {
  if (height != width) append(to, " %s=%zux%zu", name, height, width);
  if (height == width && height != usual) append(to, " %s=%zu", name, height);
}

struct sk_shape_text sk_shape_print(const struct sk_named_shape *shape) {
  const sk_conv_shape *s = &shape->shape;
  struct sk_shape_text to = {""};
  append(&to, "%s in=%zux%zux%zu out=%zu kernel=%zux%zu", shape->name, s->in_channels, s->in_height, s->in_width,
         s->out_channels, s->kernel_height, s->kernel_width);
  append_pair(&to, "stride", s->stride_height, s->stride_width, 1);
  if (s->pad_top == s->pad_bottom && s->pad_left == s->pad_right) {
    append_pair(&to, "pad", s->pad_top, s->pad_left, 0);
  } else {
    append(&to, " pad=%zu,%zu,%zu,%zu", s->pad_top, s->pad_bottom, s->pad_left, s->pad_right);
  }
  append_pair(&to, "dilation", s->dilation_height, s->dilation_width, 1);
  append_pair(&to, "groups", s->groups, s->groups, 1);
  append_pair(&to, "batch", s->batch, s->batch, 1);
  append(&to, "%s%s", shape->add ? " add" : "", shape->relu ? " relu" : "");
  return to;
}

void sk_shapes_print_file(const struct sk_shapes *shapes) {
  puts("# The distinct convolutions of all networks, each named after the first network and layer that has it.");
  puts(
      "# Made by: ./skiplane models --shapes >networks.shapes && mv networks.shapes bench/ (the format: "
      "bench/shapes.h)");
  for (size_t i = 0; i < shapes->count; i++) puts(sk_shape_print(&shapes->items[i]).text);
}
