/* libFuzzer target: the command lines of all commands. The first byte of an input chooses the command, NUL bytes
 * separate the words behind it. Nothing is run, and nothing can be opened while words are read.
 * Build: clang -g -fsanitize=fuzzer,address,undefined; run with tests/fuzz/corpus/options. */
#include <sys/resource.h>

/* The table of commands stands beside main, which is the fuzzer's here. */
#define main skiplane_main
#include "bench/skiplane.c"
#undef main
#include "tests/fuzz/expect.h"

enum { MOST_WORDS = 64 };

/* What was told on stderr: for a refusal one line, "skiplane <command>: <why>". */
static void expect_told(char *told, size_t length, const char *command) {
  if (length == 0 || strlen(told) != length || told[length - 1] != '\n') abort();
  told[length - 1] = '\0';
  expect_one_line(told);
  const size_t name = strlen(command);
  if (strncmp(told, "skiplane ", 9) != 0 || strncmp(told + 9, command, name) != 0) abort();
  if (strncmp(told + 9 + name, ": ", 2) != 0 || told[11 + name] == '\0') abort();
}

static void expect_sound(const struct sk_options *options, const struct sk_command *command) {
  if (options->given & ~command->accepts || command->requires & ~options->given) abort();
  if (options->operand_count < command->least_operands || options->operand_count > command->most_operands) abort();
  if (options->batch < 1 || options->threads < 0 || options->conv.groups < 1 || options->conv.stride_width < 1) abort();
  for (size_t i = 0; i < options->operand_count; i++) (void)strlen(options->operands[i]);
  for (size_t i = 0; i < options->layer_count; i++) (void)strlen(options->layers[i]);
}

/* Nothing can be opened meanwhile; what is found is written to a file afterwards. */
static enum sk_parsed parse_alone(struct sk_options *options, const struct sk_command *command, int argc, char **argv) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) abort();
  const struct rlimit nothing = {0, limit.rlim_max};
  if (setrlimit(RLIMIT_NOFILE, &nothing) != 0) abort();
  const enum sk_parsed parsed = sk_options_parse(options, command, argc, argv);
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) abort();
  return parsed;
}

static void parse(const struct sk_command *command, int argc, char **argv) {
  struct sk_options options;
  char *told = NULL;
  size_t length = 0;
  FILE *const before = stderr;
  stderr = open_memstream(&told, &length);
  if (!stderr) abort();
  const enum sk_parsed parsed = parse_alone(&options, command, argc, argv);
  fclose(stderr);
  stderr = before;
  if (parsed == SK_PARSED_ERROR) expect_told(told, length, command->name);
  if (parsed != SK_PARSED_ERROR && length > 0) abort();
  if (parsed == SK_PARSED) expect_sound(&options, command);
  sk_options_free(&options);
  free(told);
}

/* Cut a copy of the input at its NULs; the words behind the last place are left out. */
static int split(char *text, size_t length, char **words) {
  int count = 1;
  for (char *at = text; at < text + length && count < MOST_WORDS; at += strlen(at) + 1) words[count++] = at;
  return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  const struct sk_command *const command = &commands[data[0] % COMMANDS];
  char *const text = calloc(size, 1); /* the command's byte makes room for the last word's end */
  char *words[MOST_WORDS + 1] = {(char *)(uintptr_t)command->name};
  if (!text) return 0;
  memcpy(text, data + 1, size - 1);
  const int count = split(text, size - 1, words);
  parse(command, count, words);
  free(text);
  return 0;
}
