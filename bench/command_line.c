#include "bench/command_line.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PLAIN "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./=,:+%@-"

/* Append one character, if there is room for it and the end. */
static void append(struct sk_command_line *line, size_t *used, char character) {
  if (*used + 1 < sizeof line->text) line->text[(*used)++] = character;
}

/* Append a word as a shell would read it. */
static void append_word(struct sk_command_line *line, size_t *used, const char *word) {
  const bool is_plain = *word && word[strspn(word, PLAIN)] == '\0';
  if (*used > 0) append(line, used, ' ');
  if (!is_plain) append(line, used, '\'');
  for (; *word; word++) {
    if (*word == '\'') {
      append(line, used, '\'');
      append(line, used, '\\');
      append(line, used, '\'');
    }
    append(line, used, *word);
  }
  if (!is_plain) append(line, used, '\'');
}

/* Read the process's words, one NUL behind each; returns their bytes. */
static size_t read_words(char *words, size_t room) {
  FILE *file = fopen("/proc/self/cmdline", "re");
  if (!file) return 0;
  const size_t length = fread(words, 1, room - 1, file);
  fclose(file);
  words[length] = '\0';
  return length;
}

struct sk_command_line sk_command_line(void) {
  struct sk_command_line line = {""};
  char words[sizeof line.text] = "";
  size_t used = 0;
  const size_t length = read_words(words, sizeof words);
  append_word(&line, &used, "skiplane");
  for (size_t at = strlen(words) + 1; at < length; at += strlen(words + at) + 1) append_word(&line, &used, words + at);
  return line;
}

struct sk_date sk_date_now(void) {
  struct sk_date date = {"unknown"};
  struct tm utc;
  const time_t now = time(NULL);
  if (gmtime_r(&now, &utc)) strftime(date.text, sizeof date.text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return date;
}
