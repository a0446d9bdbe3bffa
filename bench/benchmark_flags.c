#include "bench/benchmark_flags.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resnet/suggest.h"
#include "resnet/text.h"

enum { MAXIMUM_BATCH = 65536, MAXIMUM_THREADS = 1024 };

/* Google Benchmark's, to name the nearest; and what they take, where it would pass over another value. */
struct known_flag {
  const char *name;
  const char *values; /* separated by blanks; NULL: any */
};

static const struct known_flag known_flags[] = {
    {"--batch", NULL},
    {"--threads", NULL},
    {"--cpus", NULL},
    {"--help", NULL},
    {"--v", NULL},
    {"--benchmark_list_tests", NULL},
    {"--benchmark_filter", NULL},
    {"--benchmark_min_time", NULL},
    {"--benchmark_min_warmup_time", NULL},
    {"--benchmark_repetitions", NULL},
    {"--benchmark_enable_random_interleaving", NULL},
    {"--benchmark_report_aggregates_only", NULL},
    {"--benchmark_display_aggregates_only", NULL},
    {"--benchmark_format", "console json csv"},
    {"--benchmark_out", NULL},
    {"--benchmark_out_format", "console json csv"},
    {"--benchmark_color", NULL},
    {"--benchmark_counters_tabular", NULL},
    {"--benchmark_perf_counters", NULL},
    {"--benchmark_context", NULL},
    {"--benchmark_time_unit", "ns us ms s"},
};
enum { KNOWN_FLAGS = sizeof known_flags / sizeof known_flags[0] };

static bool refuse(const char *flag, const char *value, const char *expected) {
  fprintf(stderr, "skiplane-bench: %s: \"%s\" is not %s\n", flag, sk_quote_short(value).text, expected);
  return false;
}

/* The value of "--name=value"; NULL if the argument is another one. */
static const char *value_of(const char *argument, const char *name) {
  const size_t length = strlen(name);
  return strncmp(argument, name, length) == 0 && argument[length] == '=' ? argument + length + 1 : NULL;
}

static bool read_number(const char *flag, const char *value, size_t most, size_t *number) {
  char expected[64];
  const size_t length = strlen(value);
  const bool has_digits = length > 0 && length < 10 && strspn(value, "0123456789") == length;
  *number = has_digits ? strtoul(value, NULL, 10) : 0;
  if (*number >= 1 && *number <= most) return true;
  snprintf(expected, sizeof expected, "a number from 1 to %zu", most);
  return refuse(flag, value, expected);
}

static bool read_cpus(const char *value, const char **cpus) {
  struct sk_cpu_list list;
  *cpus = value;
  if (!sk_cpu_list_parse(value, &list)) return true;
  fprintf(stderr, "skiplane-bench: --cpus: %s\n", sk_error_message());
  return false;
}

static void print_help(void) {
  puts(
      "usage: skiplane-bench [FLAG...]\n\n"
      "Time every kernel, every distinct layer of every network and whole networks, for each ISA and algorithm.\n"
      "There are thousands of benchmarks: choose with --benchmark_filter, see them with --benchmark_list_tests.\n\n"
      "  conv/resnet18/layer2.1.conv1/winograd4/avx512/n1/t1   a convolution: layer, algorithm, ISA, batch, threads\n"
      "  conv/.../t1/cold                                      its weights and activations in memory before each run\n"
      "  net/resnet50/auto/avx512/n1/t1                        a whole network\n"
      "  fma_peak, winograd_input_f4k3, max_pool, dense ...    the other kernels\n\n"
      "A layer that several networks share stands under the first of them ('skiplane models --shapes' lists them "
      "all).\n"
      "Google Benchmark adds /real_time to each name.\n\n"
      "--batch=N       images of a run [1]\n"
      "--threads=N     threads of a run [1, and as many as there are CPUs]\n"
      "--cpus=LIST     CPUs to pin the threads to, such as 0-3,8, or none [one of each core first]\n\n"
      "Exit status: 0 success, 1 a benchmark failed or none matched, 2 wrong usage.\n\nGoogle Benchmark's flags:");
  fflush(stdout);
}

/* ---- Taking --------------------------------------------------------------------------------------------------- */

enum outcome { TAKEN, LEFT, REFUSED };

static enum outcome take(struct sk_suite_settings *settings, const char *argument) {
  const char *value;
  size_t number = 0;
  bool is_right = true;
  if ((value = value_of(argument, "--batch"))) {
    is_right = read_number("--batch", value, MAXIMUM_BATCH, &settings->batch);
  } else if ((value = value_of(argument, "--threads"))) {
    is_right = read_number("--threads", value, MAXIMUM_THREADS, &number);
    settings->threads = (int)number;
  } else if ((value = value_of(argument, "--cpus"))) {
    is_right = read_cpus(value, &settings->cpus);
  } else {
    return LEFT;
  }
  return is_right ? TAKEN : REFUSED;
}

static bool is_word_of(const char *word, const char *words) {
  const size_t length = strlen(word);
  for (const char *at = words; *at; at += strspn(at, " ")) {
    const size_t next = strcspn(at, " ");
    if (next == length && memcmp(at, word, length) == 0) return true;
    at += next;
  }
  return false;
}

/* Check a flag that Google Benchmark answers with its help, and success, if the value is unknown to it. */
static bool check_value(const char *argument) {
  for (size_t i = 0; i < KNOWN_FLAGS; i++) {
    const struct known_flag *flag = &known_flags[i];
    const char *value = flag->values ? value_of(argument, flag->name) : NULL;
    if (!value || is_word_of(value, flag->values)) continue;
    char expected[64];
    snprintf(expected, sizeof expected, "one of %s", flag->values);
    return refuse(flag->name, value, expected);
  }
  return true;
}

bool sk_flags_take(struct sk_suite_settings *settings, int *argc, char **argv) {
  int left = 1;
  *settings = (struct sk_suite_settings){.batch = 1};
  for (int i = 1; i < *argc; i++) {
    const enum outcome outcome = take(settings, argv[i]);
    if (outcome == REFUSED || !check_value(argv[i])) return false;
    if (strcmp(argv[i], "--help") == 0) print_help();
    if (outcome == LEFT) argv[left++] = argv[i];
  }
  argv[left] = NULL;
  *argc = left;
  return true;
}

bool sk_flags_all_taken(int argc, char **argv) {
  if (argc < 2) return true;
  const char *names[KNOWN_FLAGS];
  for (size_t i = 0; i < KNOWN_FLAGS; i++) names[i] = known_flags[i].name;
  const struct sk_quoted word = sk_quote_bytes(argv[1], strcspn(argv[1], "="));
  const char *nearest = sk_suggest(word.text, names, KNOWN_FLAGS);
  if (nearest && strcmp(nearest, word.text) == 0) {
    fprintf(stderr, "skiplane-bench: %s: expects a value that fits, as in %s=...\n", sk_quote(argv[1]).text, nearest);
  } else if (nearest) {
    fprintf(stderr, "skiplane-bench: %s: unknown flag, did you mean %s?\n", word.text, nearest);
  } else {
    fprintf(stderr, "skiplane-bench: %s: unknown flag (skiplane-bench --help lists them)\n", word.text);
  }
  return false;
}
