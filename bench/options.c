#include "bench/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/affinity.h"
#include "bench/shapes.h"
#include "dispatch/isa.h"
#include "dispatch/status.h"
#include "resnet/suggest.h"
#include "resnet/text.h"

/* ---- Errors --------------------------------------------------------------------------------------------------- */

enum { MESSAGE_ROOM = 1024 };

static void tell(const struct sk_options *options, const char *format, va_list arguments) {
  char message[MESSAGE_ROOM];
  vsnprintf(message, sizeof message, format, arguments);
  fflush(stdout); /* in order, where both go to one place */
  fprintf(stderr, "skiplane %s: %s\n", options->command, message);
}

void sk_tell(const struct sk_options *options, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  tell(options, format, arguments);
  va_end(arguments);
}

enum sk_exit sk_usage_error(const struct sk_options *options, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  tell(options, format, arguments);
  va_end(arguments);
  return SK_EXIT_USAGE;
}

enum sk_exit sk_fail_status(const struct sk_options *options, sk_status status) {
  sk_tell(options, "%s", sk_error_message());
  return status == SK_INVALID_ARGUMENT ? SK_EXIT_USAGE : SK_EXIT_FAILURE;
}

bool sk_options_has(const struct sk_options *options, sk_option_set bit) { return (options->given & bit) != 0; }

/* ---- Values ----------------------------------------------------------------------------------------------------- */

enum {
  MAXIMUM_BATCH = 65536,
  MAXIMUM_THREADS = 1024,
  MINIMUM_SIDE = 32, /* the least that the networks take */
  MAXIMUM_SIDE = 65536,
  MAXIMUM_CLASSES = 1000000,
  MAXIMUM_RUNS = 1000000
};

/* Where an error goes: the message says which option had which value. */
static sk_status reject(const char *text, const char *expected) {
  return sk_fail(SK_INVALID_ARGUMENT, "\"%s\" is not %s", sk_quote_short(text).text, expected);
}

/* Read digits up to `end` (a character that must follow), and nothing else: strtoull alone would take signs, blanks
 * and too much. */
static bool read_digits(const char *text, const char *end, uint64_t most, uint64_t *value) {
  *value = 0;
  if (text == end) return false;
  for (; text < end; text++) {
    if (*text < '0' || *text > '9') return false;
    if (__builtin_mul_overflow(*value, 10, value)) return false;
    if (__builtin_add_overflow(*value, (uint64_t)(*text - '0'), value)) return false;
  }
  return *value <= most;
}

static sk_status read_number(const char *text, uint64_t least, uint64_t most, uint64_t *value) {
  char expected[80];
  if (read_digits(text, text + strlen(text), most, value) && *value >= least) return SK_OK;
  snprintf(expected, sizeof expected, "a number from %llu to %llu", (unsigned long long)least,
           (unsigned long long)most);
  return reject(text, expected);
}

static sk_status read_size(const char *text, size_t most, size_t *value) {
  uint64_t number = 0;
  const sk_status status = read_number(text, 1, most, &number);
  *value = (size_t)number;
  return status;
}

static sk_status read_sides(const char *text, struct sk_options *options) {
  uint64_t height = 0;
  uint64_t width = 0;
  const char *by = strchr(text, 'x');
  const bool fits = by && read_digits(text, by, MAXIMUM_SIDE, &height) &&
                    read_digits(by + 1, text + strlen(text), MAXIMUM_SIDE, &width) && height >= MINIMUM_SIDE &&
                    width >= MINIMUM_SIDE;
  options->height = (size_t)height;
  options->width = (size_t)width;
  if (fits) return SK_OK;
  return reject(text, "HEIGHTxWIDTH, each a number from 32 to 65536, such as 224x224");
}

/* Read "NxCxHxW", whose sizes may be 0. */
static sk_status read_input_shape(const char *text, size_t sizes[4]) {
  const char *at = text;
  bool fits = true;
  for (size_t i = 0; fits && i < 4; i++) {
    uint64_t size = 0;
    const size_t digits = strspn(at, "0123456789");
    fits = read_digits(at, at + digits, i == 0 ? (uint64_t)MAXIMUM_BATCH : (uint64_t)MAXIMUM_SIDE, &size);
    fits = fits && at[digits] == (i < 3 ? 'x' : '\0');
    sizes[i] = (size_t)size;
    at += fits ? digits + 1 : 0;
  }
  if (fits) return SK_OK;
  return reject(text, "NxCxHxW, each a number from 0 (the file's own) to 65536, such as 1x3x224x224");
}

/* Read "r,g,b"; no blanks, nothing behind. */
static sk_status read_triple(const char *text, bool positive, float values[3]) {
  const char *at = text;
  for (size_t i = 0; i < 3; i++) {
    char *end = NULL;
    values[i] = strtof(at, &end);
    const bool starts = *at != ' ' && *at != '\t' && end != at;
    const bool fits = isfinite(values[i]) && (!positive || values[i] > 0.0F);
    if (!starts || !fits || *end != (i < 2 ? ',' : '\0')) {
      return reject(text, positive ? "three numbers over 0, such as 0.229,0.224,0.225"
                                   : "three numbers, such as 0.485,0.456,0.406");
    }
    at = end + 1;
  }
  return SK_OK;
}

/* Likewise for one of a few words: the nearest of them is named, too. */
static sk_status reject_word(const char *text, const char *const *words, size_t count, const char *expected) {
  const char *nearest = sk_suggest(text, words, count);
  if (!nearest) return reject(text, expected);
  return sk_fail(SK_INVALID_ARGUMENT, "\"%s\" is not %s; did you mean %s?", sk_quote_short(text).text, expected,
                 nearest);
}

static const char *const isa_words[] = {"auto", "generic", "avx2", "avx512", "neon", "sse41"};
static const char *const algorithm_words[] = {"auto", "direct",   "winograd2", "winograd4", "winograd6",
                                              "gemm", "strassen", "winograd3", "reference"};
static const char *const scenario_words[] = {"single-stream", "offline"};

enum {
  ISA_WORDS = sizeof isa_words / sizeof isa_words[0],
  ALGORITHM_WORDS = sizeof algorithm_words / sizeof algorithm_words[0],
  SCENARIO_WORDS = sizeof scenario_words / sizeof scenario_words[0]
};
_Static_assert((int)ISA_WORDS == SK_ISA_COUNT, "an ISA without a word");

static sk_status read_isa(const char *text, sk_isa *isa) {
  if (!sk_isa_parse(text, isa)) return SK_OK;
  return reject_word(text, isa_words, ISA_WORDS, "auto, " SK_ISA_CHOICES);
}

static sk_status read_algorithm(const char *text, struct sk_options *options) {
  options->reference = strcmp(text, "reference") == 0;
  if (options->reference || !sk_algorithm_parse(text, &options->algorithm)) return SK_OK;
  return reject_word(text, algorithm_words, ALGORITHM_WORDS,
                     "auto, direct, winograd2, winograd4, winograd6, gemm, strassen, winograd3 or reference");
}

/* Read "1073741824", "512MiB" or "2GiB", of at least a mebibyte: nothing runs in less. */
static sk_status read_bytes(const char *text, size_t *bytes) {
  static const struct {
    const char *name;
    unsigned shift;
  } units[] = {{"", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
  const size_t digits = strspn(text, "0123456789");
  uint64_t number = 0;
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    if (strcmp(text + digits, units[i].name) != 0) continue;
    if (!read_digits(text, text + digits, (uint64_t)PTRDIFF_MAX >> units[i].shift, &number)) break;
    *bytes = (size_t)number << units[i].shift;
    if (*bytes >= (size_t)1 << 20) return SK_OK;
  }
  return reject(text, "a size of 1 MiB or more: bytes, or such as 512MiB or 2GiB");
}

static sk_status read_text(const char *text, const char **value) {
  *value = text;
  return *text ? SK_OK : reject(text, "a name");
}

enum { LONGEST_FILTER = 512, MOST_OPERATORS = 24, MOST_COST = 256, DEAR = 4 };

/* How often a repetition ("{250}", "{2,}", "{,7}") copies what stands before it, at most. */
static uint64_t copies_of(const char *repetition) {
  uint64_t copies = 2, number = 0;
  const size_t length = strcspn(repetition, "}");
  for (size_t i = 1; i < length && copies <= MOST_COST; i++) {
    const bool is_digit = repetition[i] >= '0' && repetition[i] <= '9';
    number = is_digit ? 10 * number + (uint64_t)(repetition[i] - '0') : 0;
    if (number + 1 > copies) copies = number + 1; /* {2,} makes two, and one for all that follow */
  }
  return copies;
}

/* "^", "$", and glibc's own: "\\b", "\\<" and others. */
static bool is_anchor(const char *at) {
  if (*at != '\\') return *at == '^' || *at == '$';
  return isalnum((unsigned char)at[1]) || (at[1] && strchr("<>`'", at[1]));
}

static bool repeats_groups(const char *text) {
  return strstr(text, ")*") || strstr(text, ")+") || strstr(text, ")?") || strstr(text, "){");
}

/* glibc's regcomp recurses for each bracket, until the stack ends; copies what is repeated, until the memory does; and
 * takes every way through what may be empty, of which a "+", and an anchor in what is repeated, make several times as
 * many. */
static bool is_modest(const char *text) {
  const bool has_dear_anchors = repeats_groups(text);
  uint64_t cost = 1;
  size_t operators = 0;
  if (strlen(text) > LONGEST_FILTER) return false;
  for (const char *at = text; *at; at++) {
    if (strchr("*?+{|(^$\\", *at)) operators++;
    if (*at == '{') cost *= copies_of(at);
    if (*at == '+' || (has_dear_anchors && is_anchor(at))) cost *= DEAR;
    if (cost > MOST_COST || operators > MOST_OPERATORS) return false;
  }
  return true;
}

static sk_status read_filter(const char *text, const char **filter) {
  regex_t expression;
  char reason[128];
  if (!is_modest(text)) {
    return reject(text,
                  "a regular expression of at most 512 bytes and 24 operators, whose repetitions multiply to 256 or "
                  "less: 4 for + (and for anchors where groups are repeated), N + 1 for {N}");
  }
  const int error = regcomp(&expression, text, REG_EXTENDED | REG_NOSUB);
  *filter = text;
  if (!error) {
    regfree(&expression);
    return SK_OK;
  }
  regerror(error, &expression, reason, sizeof reason);
  return sk_fail(SK_INVALID_ARGUMENT, "\"%s\" is not a regular expression: %s", sk_quote_short(text).text, reason);
}

/* --json, --json=FILE: text is NULL without a file. */
static sk_status read_destination(const char *text, bool *wanted, const char **path) {
  *wanted = true;
  return text ? read_text(text, path) : SK_OK;
}

/* Read a plain decimal number that ends at `end`: no sign, no blank, no exponent, no hexadecimal. */
static bool read_decimal(const char *text, const char *end, double least, double most, double *value) {
  char *stopped = NULL;
  const size_t length = (size_t)(end - text);
  if (length == 0 || strspn(text, "0123456789.") < length) return false;
  *value = strtod(text, &stopped);
  return stopped == end && *value >= least && *value <= most;
}

static sk_status read_seconds(const char *text, double *seconds) {
  if (read_decimal(text, text + strlen(text), 0.1, 86400, seconds)) return SK_OK;
  return reject(text, "a number of seconds from 0.1 to 86400");
}

static sk_status read_percent(const char *text, double *fraction) {
  const size_t length = strlen(text);
  const size_t digits = length > 0 && text[length - 1] == '%' ? length - 1 : length;
  double percent = 0;
  const bool fits = read_decimal(text, text + digits, 0, 1000, &percent);
  *fraction = percent / 100;
  return fits ? SK_OK : reject(text, "a percentage from 0 to 1000, such as 5%");
}

/* Read one of the numbers that make a convolution, as files of shapes have them. */
static sk_status read_conv(const char *text, const char *field, sk_conv_shape *conv) {
  const char *expected = sk_shape_set(conv, field, text);
  const bool has_zero =
      !conv->stride_height || !conv->stride_width || !conv->dilation_height || !conv->dilation_width || !conv->groups;
  if (expected) return reject(text, expected);
  return has_zero ? reject(text, "1 or more") : SK_OK;
}

static sk_status read_positive(const char *text, double most, const char *expected, double *value) {
  char *stopped = NULL;
  *value = strtod(text, &stopped);
  const bool is_plain = *text && strspn(text, "0123456789.eE+-") == strlen(text) && *stopped == '\0';
  return is_plain && *value > 0 && *value <= most ? SK_OK : reject(text, expected);
}

static sk_status read_fraction(const char *text, double *fraction) {
  if (read_decimal(text, text + strlen(text), 0, 1, fraction) && *fraction > 0 && *fraction < 1) return SK_OK;
  return reject(text, "a number between 0 and 1, such as 0.2");
}

static sk_status read_scenario(const char *text, enum sk_scenario *scenario) {
  *scenario = strcmp(text, "offline") == 0 ? SK_SCENARIO_OFFLINE : SK_SCENARIO_SINGLE_STREAM;
  if (*scenario == SK_SCENARIO_OFFLINE || strcmp(text, "single-stream") == 0) return SK_OK;
  return reject_word(text, scenario_words, SCENARIO_WORDS, "single-stream or offline");
}

static sk_status read_cpus(const char *text, const char **cpus) {
  struct sk_cpu_list list;
  *cpus = text;
  return sk_cpu_list_parse(text, &list);
}

static sk_status read_threads(const char *text, int *threads) {
  uint64_t number = 0;
  const sk_status status = read_number(text, 1, MAXIMUM_THREADS, &number);
  *threads = (int)number;
  return status;
}

/* ---- The table of options --------------------------------------------------------------------------------------- */

/* In the order in which one reads it. NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct option_entry {
  const char *name;
  const char *argument; /* its name in the help; NULL: none */
  const char *help;
  char letter;   /* 0: long only */
  bool optional; /* whether the argument may be missing; if not, it is joined by '=' */
};

static const struct option_entry entries[SK_OPTION_COUNT] = {
    [SK_OPTION_MODEL] = {"model", "NAME", "the network, of those that 'skiplane models' lists, or an ONNX file", 'm',
                         false},
    [SK_OPTION_WEIGHTS] = {"weights", "FILE", "its weights: safetensors with torchvision, timm or CIFAR names", 'w',
                           false},
    [SK_OPTION_BATCH] = {"batch", "N", "images per run [1; of a file of shapes, its own; export: any]", 'b', false},
    [SK_OPTION_THREADS] = {"threads", "N", "threads [as many as OpenMP gives]", 't', false},
    [SK_OPTION_ISA] = {"isa", "NAME", "auto, generic, avx2, avx512, neon, sse41 [SKIPLANE_ISA, or the best there is]",
                       0, false},
    [SK_OPTION_MAX_MEMORY] = {"max-memory", "SIZE",
                              "refuse a network or convolution whose weights and workspace\n"
                              "take more: bytes, or such as 512MiB or 2GiB [the machine's memory]",
                              0, false},
    [SK_OPTION_ALGO] = {"algo", "NAME",
                        "auto, direct, winograd2, winograd4, winograd6, gemm, strassen, winograd3,\nreference [auto];\n"
                        "one that does not apply to a layer leaves that layer direct",
                        'a', false},
    [SK_OPTION_PLAN] = {"plan", "FILE", "take the algorithm of each layer from a file of 'skiplane tune'", 'p', false},
    [SK_OPTION_SIZE] = {"size", "HxW", "input height and width [the network's own]", 0, false},
    [SK_OPTION_INPUT_SHAPE] = {"input-shape", "NxCxHxW",
                               "sizes that an ONNX file leaves open; 0 for one that it has;\n"
                               "N is --batch, too",
                               0, false},
    [SK_OPTION_RESNET_V1] = {"resnet-v1", NULL, "stride in a bottleneck's first 1x1 [v1.5: in its 3x3]", 0, false},
    [SK_OPTION_TOP] = {"top", "K", "classes to print per image [3, or all if fewer]", 'k', false},
    [SK_OPTION_LABELS] = {"labels", "FILE", "names of the classes, one per line [their numbers]", 'l', false},
    [SK_OPTION_LOGITS] = {"logits", "FILE", "write float32 [images][classes] as .npy", 0, false},
    [SK_OPTION_MEAN] = {"mean", "R,G,B", "of the training images, scaled to 0..1 [the network's own]", 0, false},
    [SK_OPTION_STD] = {"std", "R,G,B", "standard deviation, likewise", 0, false},
    [SK_OPTION_LAYER] = {"layer", "NAME...", "layers by torchvision's names; several words, commas, or repeated", 0,
                         false},
    [SK_OPTION_OUTPUT] = {"output", "PATH", "where the result goes", 'o', false},
    [SK_OPTION_CLASSES] = {"classes", "N", "number of classes [the network's own]", 0, false},
    [SK_OPTION_SEED] = {"seed", "N", "of the random numbers: weights, inputs, order [1]", 's', false},
    [SK_OPTION_RUNS] = {"runs", "N", "timed runs, or rounds of compare and tune [as many as the time allows]", 'n',
                        false},
    [SK_OPTION_FILTER] = {"filter", "REGEX", "only cases whose names match (POSIX extended)", 'f', false},
    [SK_OPTION_EXHAUSTIVE] = {"exhaustive", NULL, "all combinations of parameters: minutes, not seconds", 0, false},
    [SK_OPTION_BASELINE] = {"baseline", "FILE",
                            "exit with 3 if bits are not those of FILE, or an error is\nlarger than there", 0, false},
    [SK_OPTION_WRITE_BASELINE] = {"write-baseline", "FILE",
                                  "write hashes of the bits and the errors of each case, to\ncommit and compare with",
                                  0, false},
    [SK_OPTION_ALLOW_BITS] = {"allow-bits", NULL, "with --baseline: look at the errors alone", 0, false},
    [SK_OPTION_JSON] = {"json", "FILE", "write JSON, to stdout unless FILE is given", 'j', true},
    [SK_OPTION_CSV] = {"csv", "FILE", "write comma-separated values, likewise", 0, true},
    [SK_OPTION_HTML] = {"html", "FILE", "write a page with plots that needs no network", 0, false},
    [SK_OPTION_TRACE] = {"trace", "FILE", "write a Chrome trace, which Perfetto opens", 0, false},
    [SK_OPTION_SAVE] = {"save", "NAME", "keep the run as NAME.json, for 'skiplane compare NAME1 NAME2'", 0, false},
    [SK_OPTION_DURATION] = {"duration", "SECONDS",
                            "how long to measure; longer gives narrower intervals\n"
                            "[profile: 5; its scenario: 10; compare: 10, or 20 for\nseveral targets; tune: 30]",
                            'd', false},
    [SK_OPTION_SCENARIO] =
        {"scenario", "NAME",
         "run MLPerf's, too, for --duration: single-stream (one\nimage after another) or offline (batches)", 0, false},
    [SK_OPTION_CPUS] = {"cpus", "LIST",
                        "pin thread i to the i-th of these, such as 0-3,8; none: do not pin\n"
                        "[one CPU of each core, in order]",
                        0, false},
    [SK_OPTION_BACKENDS] = {"backends", "LIST",
                            "what to compare, separated by commas; the first is the\nbase, of which the others' times "
                            "are ratios [auto and\nevery library that is there]",
                            0, false},
    [SK_OPTION_PER_LAYER] = {"per-layer", NULL,
                             "compare: each distinct convolution of the network;\n"
                             "verify: the errors of each layer",
                             0, false},
    [SK_OPTION_THRESHOLD] = {"threshold", "PERCENT", "call differences below that equal [3%]", 0, false},
    [SK_OPTION_FAIL_OVER] = {"fail-over", "PERCENT",
                             "exit with 3 if something is slower than the base by more,\nor wrong", 0, false},
    [SK_OPTION_FORCE] = {"force", NULL, "compare saved runs whose machine, flags or threads differ", 0, false},
    [SK_OPTION_LIST] = {"list", NULL, "list the backends, and what the missing ones lack", 0, false},
    [SK_OPTION_SHAPES] = {"shapes", NULL, "print the distinct convolutions as a file of shapes", 0, false},
    [SK_OPTION_CANDIDATES] =
        {"candidates", "LIST",
         "what to try, separated by commas: direct, winograd2,\nwinograd4, winograd6, gemm, strassen, winograd3; "
         "winograd6\nhas more than four times winograd4's error\n[direct,winograd2,winograd4,strassen,winograd3]",
         0, false},
    [SK_OPTION_IMAGES] = {"images", "DIR", "a folder of pictures to run on [one random image]", 0, false},
    [SK_OPTION_HEAD] = {"head", "FILE", "take the last layer and its labels from a file of 'skiplane train-head'", 0,
                        false},
    [SK_OPTION_DATA] = {"data", "DIR", "a folder with one folder of pictures for each class", 0, false},
    [SK_OPTION_HOLDOUT] = {"holdout", "FRACTION", "how many of each class to keep for measuring [0.2]", 0, false},
    [SK_OPTION_L2] = {"l2", "LAMBDA", "how strongly large weights are held back [0.1]", 0, false},
    [SK_OPTION_FLUSH_DENORMALS] = {"flush-denormals", NULL, "count denormals as zero [they are exact]", 0, false},
    [SK_OPTION_X] = {"x", "FILE", "check a given convolution: its input [N][C][H][W], .npy of\nfloat32", 0, false},
    [SK_OPTION_W] = {"w", "FILE", "its weights [K][C/groups][R][S]", 0, false},
    [SK_OPTION_B] = {"b", "FILE", "its bias [K] [none]", 0, false},
    [SK_OPTION_RESIDUAL] = {"residual", "FILE", "what is added to its result, of the same shape [nothing]", 0, false},
    [SK_OPTION_Y] = {"y", "FILE", "the result to check [N][K][OH][OW]", 0, false},
    [SK_OPTION_STRIDE] = {"stride", "S", "of the given convolution: 2, or 2x1 for height and width [1]", 0, false},
    [SK_OPTION_PAD] = {"pad", "P", "likewise: 1, 1x2, or top,bottom,left,right such as 0,1,0,1 [0]", 0, false},
    [SK_OPTION_DILATION] = {"dilation", "D", "likewise: 2, or 2x1 [1]", 0, false},
    [SK_OPTION_GROUPS] = {"groups", "G", "likewise [1]", 0, false},
    [SK_OPTION_RELU] = {"relu", NULL, "the given result went through ReLU", 0, false},
    [SK_OPTION_TOLERANCE] = {"tolerance", "REL",
                             "hold the given result against this relative L2 error,\nnot against the bound of a sum", 0,
                             false},
    [SK_OPTION_CASE] = {"case", "FILE", "run the reduced case of a failure again", 0, false},
    [SK_OPTION_CASE_DIR] = {"case-dir", "DIR", "where reduced cases of failures are written [.]", 0, false},
};

const char *sk_options_first(const struct sk_options *options, sk_option_set bits) {
  for (int i = 0; i < SK_OPTION_COUNT; i++) {
    if (options->given & bits & sk_option_bit(i)) return entries[i].name;
  }
  return NULL;
}

/* Codes of getopt_long: an option's number plus this, out of the letters' way. */
enum { FIRST_CODE = 256, HELP_CODE = FIRST_CODE + SK_OPTION_COUNT };

/* Add the names of a --layer argument: commas separate them. The argument is ours to cut: argv is writable. */
static void add_layers(struct sk_options *options, char *text) {
  char *rest = NULL;
  for (char *name = strtok_r(text, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
    options->layers[options->layer_count++] = name;
  }
}

static sk_status store(struct sk_options *options, enum sk_option option, char *text) {
  switch (option) {
    case SK_OPTION_MODEL: return read_text(text, &options->model);
    case SK_OPTION_WEIGHTS: return read_text(text, &options->weights);
    case SK_OPTION_BATCH: return read_size(text, MAXIMUM_BATCH, &options->batch);
    case SK_OPTION_THREADS: return read_threads(text, &options->threads);
    case SK_OPTION_ISA: return read_isa(text, &options->isa);
    case SK_OPTION_MAX_MEMORY: return read_bytes(text, &options->max_memory);
    case SK_OPTION_ALGO: return read_algorithm(text, options);
    case SK_OPTION_SIZE: return read_sides(text, options);
    case SK_OPTION_INPUT_SHAPE: return read_input_shape(text, options->input_shape);
    case SK_OPTION_TOP: return read_size(text, MAXIMUM_CLASSES, &options->top);
    case SK_OPTION_LABELS: return read_text(text, &options->labels);
    case SK_OPTION_LOGITS: return read_text(text, &options->logits);
    case SK_OPTION_MEAN: return read_triple(text, false, options->mean);
    case SK_OPTION_STD: return read_triple(text, true, options->standard_deviation);
    case SK_OPTION_LAYER: return add_layers(options, text), SK_OK;
    case SK_OPTION_OUTPUT: return read_text(text, &options->output);
    case SK_OPTION_CLASSES: return read_size(text, MAXIMUM_CLASSES, &options->classes);
    case SK_OPTION_SEED: return read_number(text, 0, UINT64_MAX, &options->seed);
    case SK_OPTION_RUNS: return read_size(text, MAXIMUM_RUNS, &options->runs);
    case SK_OPTION_FILTER: return read_filter(text, &options->filter);
    case SK_OPTION_BASELINE: return read_text(text, &options->baseline);
    case SK_OPTION_WRITE_BASELINE: return read_text(text, &options->write_baseline);
    case SK_OPTION_ALLOW_BITS: options->allow_bits = true; return SK_OK;
    case SK_OPTION_RESNET_V1: options->resnet_v1 = true; return SK_OK;
    case SK_OPTION_EXHAUSTIVE: options->exhaustive = true; return SK_OK;
    case SK_OPTION_JSON: return read_destination(text, &options->json, &options->json_path);
    case SK_OPTION_CSV: return read_destination(text, &options->csv, &options->csv_path);
    case SK_OPTION_HTML: return read_text(text, &options->html);
    case SK_OPTION_TRACE: return read_text(text, &options->trace);
    case SK_OPTION_SAVE: return read_text(text, &options->save);
    case SK_OPTION_DURATION: return read_seconds(text, &options->duration);
    case SK_OPTION_SCENARIO: return read_scenario(text, &options->scenario);
    case SK_OPTION_CPUS: return read_cpus(text, &options->cpus);
    case SK_OPTION_BACKENDS: return read_text(text, &options->backends);
    case SK_OPTION_THRESHOLD: return read_percent(text, &options->threshold);
    case SK_OPTION_FAIL_OVER: return read_percent(text, &options->fail_over);
    case SK_OPTION_PER_LAYER: options->per_layer = true; return SK_OK;
    case SK_OPTION_FORCE: options->force = true; return SK_OK;
    case SK_OPTION_LIST: options->list = true; return SK_OK;
    case SK_OPTION_SHAPES: options->shapes = true; return SK_OK;
    case SK_OPTION_PLAN: return read_text(text, &options->plan);
    case SK_OPTION_CANDIDATES: return read_text(text, &options->candidates);
    case SK_OPTION_IMAGES: return read_text(text, &options->images);
    case SK_OPTION_HEAD: return read_text(text, &options->head);
    case SK_OPTION_DATA: return read_text(text, &options->data);
    case SK_OPTION_HOLDOUT: return read_fraction(text, &options->holdout);
    case SK_OPTION_L2: return read_positive(text, 1e6, "a number over 0 up to 1e6, such as 0.1", &options->l2);
    case SK_OPTION_FLUSH_DENORMALS: options->flush_denormals = true; return SK_OK;
    case SK_OPTION_X: return read_text(text, &options->x);
    case SK_OPTION_W: return read_text(text, &options->w);
    case SK_OPTION_B: return read_text(text, &options->b);
    case SK_OPTION_RESIDUAL: return read_text(text, &options->residual);
    case SK_OPTION_Y: return read_text(text, &options->y);
    case SK_OPTION_STRIDE:
    case SK_OPTION_PAD:
    case SK_OPTION_DILATION:
    case SK_OPTION_GROUPS: return read_conv(text, entries[option].name, &options->conv);
    case SK_OPTION_RELU: options->relu = true; return SK_OK;
    case SK_OPTION_TOLERANCE:
      return read_positive(text, 1, "a number over 0 up to 1, such as 1e-5", &options->tolerance);
    case SK_OPTION_CASE: return read_text(text, &options->case_path);
    case SK_OPTION_CASE_DIR: return read_text(text, &options->case_folder);
    case SK_OPTION_COUNT: break;
  }
  return SK_OK;
}

/* ---- Parsing ------------------------------------------------------------------------------------------------------
 */

/* What getopt_long wants to know, for one command. */
struct grammar {
  struct option longs[SK_OPTION_COUNT + 2];
  const char *names[SK_OPTION_COUNT + 1]; /* the same names, to suggest from */
  size_t count;
  char letters[2 * SK_OPTION_COUNT + 8];
};

/* Letters begin with '-': what is no option comes in its place, as code 1; and ':': a missing argument is told apart.
 */
static void make_grammar(struct grammar *grammar, sk_option_set accepts) {
  *grammar = (struct grammar){.letters = "-:h"};
  char *letter = grammar->letters + strlen(grammar->letters);
  for (int i = 0; i < SK_OPTION_COUNT; i++) {
    if (!(accepts & sk_option_bit(i))) continue;
    const int has_argument = !entries[i].argument  ? no_argument
                             : entries[i].optional ? optional_argument
                                                   : required_argument;
    grammar->names[grammar->count] = entries[i].name;
    grammar->longs[grammar->count++] = (struct option){entries[i].name, has_argument, NULL, FIRST_CODE + i};
    if (!entries[i].letter) continue;
    *letter++ = entries[i].letter;
    if (entries[i].argument && !entries[i].optional) *letter++ = ':';
  }
  grammar->names[grammar->count] = "help";
  grammar->longs[grammar->count++] = (struct option){"help", no_argument, NULL, HELP_CODE};
}

/* The option behind a code of getopt_long; SK_OPTION_COUNT if none is. */
static enum sk_option option_of(int code) {
  if (code >= FIRST_CODE) return (enum sk_option)(code - FIRST_CODE);
  unsigned i = 0;
  while (i < SK_OPTION_COUNT && (code == 0 || entries[i].letter != code)) i++;
  return (enum sk_option)i;
}

/* Say why getopt_long refused a word: unknown, ambiguous, or an argument where none belongs. */
static void tell_unknown(const struct sk_options *options, const struct grammar *grammar, const char *word) {
  if (optopt >= FIRST_CODE) {
    sk_tell(options, "%s: takes no argument", sk_quote_short(word).text);
    return;
  }
  if (optopt != 0) {
    sk_tell(options, "-%s: unknown option (skiplane help %s)", sk_quote_bytes(&(char){(char)optopt}, 1).text,
            options->command);
    return;
  }
  const size_t length = strcspn(word, "=");
  const struct sk_quoted name = sk_quote_bytes(word, length < 40 ? length : 40);
  const char *nearest = length > 2 ? sk_suggest(name.text + 2, grammar->names, grammar->count) : NULL;
  if (nearest) {
    sk_tell(options, "%s: unknown option, did you mean --%s?", name.text, nearest);
  } else {
    sk_tell(options, "%s: unknown option (skiplane help %s)", name.text, options->command);
  }
}

static void tell_missing_argument(const struct sk_options *options, int code) {
  const struct option_entry *entry = &entries[option_of(code)];
  sk_tell(options, "--%s: needs an argument, %s", entry->name, entry->argument);
}

static enum sk_parsed take_option(struct sk_options *options, enum sk_option option, char *text) {
  if (store(options, option, text) == SK_OK) {
    options->given |= sk_option_bit((int)option);
    return SK_PARSED;
  }
  sk_tell(options, "--%s: %s", entries[option].name, sk_error_message());
  return SK_PARSED_ERROR;
}

/* Take a word that is no option: right after --layer it is one more layer. */
static void take_word(struct sk_options *options, bool follows_layer, char *word) {
  if (follows_layer) {
    add_layers(options, word);
  } else {
    options->operands[options->operand_count++] = word;
  }
}

static enum sk_parsed parse_words(struct sk_options *options, const struct grammar *grammar, int argc, char **argv) {
  int code = 0;
  bool follows_layer = false;
  optind = 0; /* start over, whoever called getopt before */
  opterr = 0;
  while ((code = getopt_long(argc, argv, grammar->letters, grammar->longs, NULL)) != -1) {
    if (code == 'h' || code == HELP_CODE) return SK_PARSED_HELP;
    if (code == 1) {
      take_word(options, follows_layer, optarg);
      continue;
    }
    if (code == '?') tell_unknown(options, grammar, argv[optind - 1]);
    if (code == ':') tell_missing_argument(options, optopt);
    if (code == '?' || code == ':') return SK_PARSED_ERROR;
    const enum sk_option option = option_of(code);
    if (take_option(options, option, optarg) != SK_PARSED) return SK_PARSED_ERROR;
    follows_layer = option == SK_OPTION_LAYER;
  }
  while (optind < argc) take_word(options, false, argv[optind++]); /* behind "--" */
  return SK_PARSED;
}

/* In `--layer conv1 layer4 cat.jpg` the last word is the image. */
static void return_last_layer(struct sk_options *options, const struct sk_command *command) {
  if (command->least_operands == 1 && options->operand_count == 0 && options->layer_count > 1) {
    options->operands[options->operand_count++] = options->layers[--options->layer_count];
  }
}

/* A plan has an algorithm for every layer: another one for all of them would have nothing to say. */
static enum sk_parsed check_exclusive(const struct sk_options *options) {
  const bool has_plan = sk_options_has(options, SK_ACCEPT(PLAN)) && sk_options_has(options, SK_ACCEPT(ALGO));
  const bool has_sizes = sk_options_has(options, SK_ACCEPT(SIZE)) && sk_options_has(options, SK_ACCEPT(INPUT_SHAPE));
  if (has_plan) sk_tell(options, "--plan: does not go with --algo");
  if (has_sizes && !has_plan) sk_tell(options, "--input-shape: does not go with --size");
  return has_plan || has_sizes ? SK_PARSED_ERROR : SK_PARSED;
}

/* The batch may be told in two places, but not as two numbers. */
static enum sk_parsed merge_batch(struct sk_options *options) {
  const size_t batch = options->input_shape[0];
  if (batch == 0 || batch == options->batch) return SK_PARSED;
  if (sk_options_has(options, SK_ACCEPT(BATCH))) {
    sk_tell(options, "--input-shape: batch of %zu, but --batch is %zu", batch, options->batch);
    return SK_PARSED_ERROR;
  }
  options->batch = batch;
  return SK_PARSED;
}

/* The options that cannot be missing. */
static sk_option_set required(const struct sk_options *options, const struct sk_command *command) {
  const bool is_file = options->model && sk_is_onnx_file(options->model);
  return command->requires | (is_file ? 0 : command->of_named);
}

static enum sk_parsed check_complete(const struct sk_options *options, const struct sk_command *command) {
  for (int i = 0; i < SK_OPTION_COUNT; i++) {
    if (required(options, command) & ~options->given & sk_option_bit(i)) {
      sk_tell(options, "--%s %s is needed (skiplane help %s)", entries[i].name, entries[i].argument, command->name);
      return SK_PARSED_ERROR;
    }
  }
  if (options->operand_count < command->least_operands) {
    sk_tell(options, "%s is needed (skiplane help %s)", command->operand, command->name);
    return SK_PARSED_ERROR;
  }
  if (options->operand_count > command->most_operands) {
    const char *surplus = options->operands[command->most_operands];
    sk_tell(options, "\"%s\" is one word too many (skiplane help %s)", sk_quote_short(surplus).text, command->name);
    return SK_PARSED_ERROR;
  }
  return check_exclusive(options);
}

/* Each comma and each word of the arguments makes one layer at most. */
static bool allocate_lists(struct sk_options *options, int argc, char **argv) {
  size_t most = (size_t)argc + 1;
  for (int i = 0; i < argc; i++) {
    for (const char *at = argv[i]; *at; at++) most += *at == ',';
  }
  options->layers = calloc(most, sizeof *options->layers);
  options->operands = calloc((size_t)argc + 1, sizeof *options->operands);
  return options->layers && options->operands;
}

enum sk_parsed sk_options_parse(struct sk_options *options, const struct sk_command *command, int argc, char **argv) {
  struct grammar grammar;
  *options = (struct sk_options){
      .command = command->name,
      .batch = 1,
      .seed = 1,
      .threshold = 0.03,
      .holdout = 0.2,
      .l2 = 0.1,
      .conv = {
          .batch = 1, .stride_height = 1, .stride_width = 1, .dilation_height = 1, .dilation_width = 1, .groups = 1}};
  if (!allocate_lists(options, argc, argv)) {
    sk_tell(options, "out of memory for %d arguments", argc);
    return SK_PARSED_OUT_OF_MEMORY;
  }
  make_grammar(&grammar, command->accepts);
  const enum sk_parsed parsed = parse_words(options, &grammar, argc, argv);
  if (parsed != SK_PARSED) return parsed;
  return_last_layer(options, command);
  if (check_complete(options, command) != SK_PARSED) return SK_PARSED_ERROR;
  return merge_batch(options);
}

bool sk_is_onnx_file(const char *word) {
  const size_t length = strlen(word);
  return length > 5 && strcmp(word + length - 5, ".onnx") == 0;
}

const char *sk_network_name(const char *word) {
  const char *const slash = sk_is_onnx_file(word) ? strrchr(word, '/') : NULL;
  return slash ? slash + 1 : word;
}

const char *sk_weights_file(const struct sk_options *options) {
  const char *const network = options->model ? options->model : options->operand_count > 0 ? options->operands[0] : "";
  return sk_is_onnx_file(network) ? network : options->weights;
}

void sk_options_free(struct sk_options *options) {
  free(options->layers);
  free(options->operands);
  *options = (struct sk_options){0};
}

/* ---- Help ------------------------------------------------------------------------------------------------------- */

enum { HELP_COLUMN = 28, EXAMPLE_INDENT = 6 };

/* Print one option: "  -b, --batch N           images per run [1]"; further lines of its help are indented. */
static void print_option(const struct option_entry *entry) {
  char left[64];
  const char letter[] = {'-', entry->letter, ',', ' ', '\0'};
  const char *before = entry->optional ? "[=" : entry->argument ? " " : "";
  snprintf(left, sizeof left, "%s--%s%s%s%s", entry->letter ? letter : "    ", entry->name, before,
           entry->argument ? entry->argument : "", entry->optional ? "]" : "");
  printf("  %-*s", HELP_COLUMN - 2, left);
  for (const char *at = entry->help; *at; at++) {
    putchar(*at);
    if (*at == '\n') printf("%*s", HELP_COLUMN, "");
  }
  putchar('\n');
}

static void print_examples(const struct sk_command *command) {
  printf("\nExamples:\n");
  for (size_t i = 0; i < SK_EXAMPLES && command->examples[i].arguments; i++) {
    const struct sk_example *example = &command->examples[i];
    printf("  skiplane %s%s%s\n%*s%s\n", command->name, *example->arguments ? " " : "", example->arguments,
           EXAMPLE_INDENT, "", example->meaning);
  }
}

void sk_options_help(const struct sk_command *command) {
  const struct option_entry help = {"help", NULL, "print this", 'h', false};
  printf("usage: skiplane %s%s%s\n\n%s\n", command->name, *command->usage ? " " : "", command->usage, command->summary);
  if (command->details) printf("\n%s\n", command->details);
  printf("\nOptions:\n");
  for (int i = 0; i < SK_OPTION_COUNT; i++) {
    if (command->accepts & sk_option_bit(i)) print_option(&entries[i]);
  }
  print_option(&help);
  print_examples(command);
}

/* ---- The man pages ---------------------------------------------------------------------------------------------- */

enum { ROFF_WIDTH = 76 };

static size_t roff_length(const char *word, size_t length) {
  size_t taken = length;
  for (size_t i = 0; i < length; i++) taken += word[i] == '-' || word[i] == '\\';
  return taken;
}

static void put_roff_word(const char *word, size_t length, bool starts_line) {
  if (starts_line && (*word == '.' || *word == '\'')) fputs("\\&", stdout);
  for (size_t i = 0; i < length; i++) {
    if (word[i] == '-' || word[i] == '\\') {
      fputs(word[i] == '-' ? "\\-" : "\\e", stdout);
    } else {
      putchar(word[i]);
    }
  }
}

/* Print text as roff reads it: no hyphen that becomes a dash, no control line by accident, no overlong line. Lines end
 * with `end`; the first begins at a column. */
static void put_roff_words(const char *text, size_t column, const char *end) {
  while (*(text += strspn(text, " \n"))) {
    const size_t length = strcspn(text, " \n");
    const size_t taken = roff_length(text, length);
    const bool fits = column + 1 + taken <= ROFF_WIDTH;
    if (column > 0) fputs(fits ? " " : end, stdout);
    if (!fits) column = 0;
    put_roff_word(text, length, column == 0);
    column += (column > 0) + taken;
    text += length;
  }
}

static void put_roff(const char *text) {
  put_roff_words(text, 0, "\n");
  putchar('\n');
}

static void put_roff_option(const struct option_entry *entry) {
  printf(".TP\n\\fB");
  if (entry->letter) printf("\\-%c\\fR, \\fB", entry->letter);
  fputs("\\-\\-", stdout);
  put_roff_word(entry->name, strlen(entry->name), false);
  printf("\\fR%s", entry->optional ? "[=" : entry->argument ? " " : "");
  if (entry->argument) printf("\\fI%s\\fR%s", entry->argument, entry->optional ? "]" : "");
  putchar('\n');
  put_roff(entry->help);
}

/* Each line of the usage is a way to call the command: "[--seed N] |" and, behind blanks, "--case FILE". */
static void put_roff_usage(const struct sk_command *command) {
  const char *line = command->usage;
  for (bool more = true; more;) {
    const char *next = strchr(line, '\n');
    size_t length = next ? (size_t)(next - line) : strlen(line);
    char way[256];
    more = next != NULL;
    while (more && length > 0 && strchr(" |", line[length - 1])) length--;
    snprintf(way, sizeof way, "%.*s", (int)length, line);
    printf("\\fBskiplane %s\\fR\n", command->name);
    if (*way) put_roff(way);
    if (more) fputs(".br\n", stdout);
    line = more ? next + 1 : line;
  }
}

/* The summary is a sentence; what stands beside a name is none. */
static void put_roff_title(const struct sk_command *command) {
  char title[256];
  snprintf(title, sizeof title, "%c%s", tolower((unsigned char)command->summary[0]), command->summary + 1);
  title[strcspn(title, ".")] = '\0';
  printf("skiplane\\-");
  put_roff_word(command->name, strlen(command->name), false);
  printf(" \\-\n");
  put_roff(title);
}

/* A line of the details that ends with a full stop ends a paragraph. */
static void put_roff_details(const char *details) {
  char paragraph[1024];
  while (*details) {
    const char *stop = strstr(details, ".\n");
    const int length = stop ? (int)(stop + 1 - details) : (int)strlen(details);
    snprintf(paragraph, sizeof paragraph, "%.*s", length, details);
    printf(".PP\n");
    put_roff(paragraph);
    details += length;
    details += strspn(details, "\n");
  }
}

static void put_roff_examples(const struct sk_command *command) {
  for (size_t i = 0; i < SK_EXAMPLES && command->examples[i].arguments; i++) {
    const int column = printf(".TP\n\\fBskiplane %s", command->name);
    put_roff_words(command->examples[i].arguments, (size_t)column, " \\\n"); /* joined: a tag is one line */
    fputs("\\fR\n", stdout);
    put_roff(command->examples[i].meaning);
  }
}

void sk_options_manual_entry(const struct sk_command *command) {
  printf(".TP\n\\fB");
  put_roff_word(command->name, strlen(command->name), false);
  printf("\\fR\n");
  put_roff(command->summary);
}

void sk_options_manual_reference(const struct sk_command *command) {
  printf(".BR skiplane\\-");
  put_roff_word(command->name, strlen(command->name), false);
  printf(" (1),\n");
}

void sk_options_manual(const struct sk_command *command) {
  const struct option_entry help = {"help", NULL, "Print a summary of this.", 'h', false};
  printf(".SH NAME\n");
  put_roff_title(command);
  printf(".SH SYNOPSIS\n");
  put_roff_usage(command);
  printf(".SH DESCRIPTION\n");
  put_roff(command->summary);
  if (command->details) put_roff_details(command->details);
  printf(".SH OPTIONS\n");
  for (int i = 0; i < SK_OPTION_COUNT; i++) {
    if (command->accepts & sk_option_bit(i)) put_roff_option(&entries[i]);
  }
  put_roff_option(&help);
  printf(".SH EXAMPLES\n");
  put_roff_examples(command);
}

/* ---- Completion ------------------------------------------------------------------------------------------------- */

/* What completes an option's value. */
enum completion {
  COMPLETION_NONE,
  COMPLETION_WORDS,
  COMPLETION_MODELS,
  COMPLETION_BACKENDS,
  COMPLETION_CANDIDATES,
  COMPLETION_FILES
};

static enum completion completion_of(enum sk_option option) {
  switch ((int)option) {
    case SK_OPTION_ISA:
    case SK_OPTION_ALGO:
    case SK_OPTION_SCENARIO: return COMPLETION_WORDS;
    case SK_OPTION_MODEL: return COMPLETION_MODELS;
    case SK_OPTION_BACKENDS: return COMPLETION_BACKENDS;
    case SK_OPTION_CANDIDATES: return COMPLETION_CANDIDATES;
    case SK_OPTION_WEIGHTS:
    case SK_OPTION_LABELS:
    case SK_OPTION_LOGITS:
    case SK_OPTION_OUTPUT:
    case SK_OPTION_JSON:
    case SK_OPTION_CSV:
    case SK_OPTION_HTML:
    case SK_OPTION_TRACE:
    case SK_OPTION_SAVE:
    case SK_OPTION_IMAGES:
    case SK_OPTION_HEAD:
    case SK_OPTION_DATA:
    case SK_OPTION_X:
    case SK_OPTION_W:
    case SK_OPTION_B:
    case SK_OPTION_RESIDUAL:
    case SK_OPTION_Y:
    case SK_OPTION_CASE:
    case SK_OPTION_CASE_DIR:
    case SK_OPTION_BASELINE:
    case SK_OPTION_WRITE_BASELINE:
    case SK_OPTION_PLAN: return COMPLETION_FILES;
    default: return COMPLETION_NONE;
  }
}

/* Print the words that an option's value may be. */
static void put_values(enum sk_option option) {
  const bool isa = option == SK_OPTION_ISA;
  const bool algorithm = option == SK_OPTION_ALGO;
  const char *const *words = isa ? isa_words : algorithm ? algorithm_words : scenario_words;
  const size_t count = isa ? ISA_WORDS : algorithm ? ALGORITHM_WORDS : SCENARIO_WORDS;
  printf("values='");
  for (size_t i = 0; i < count; i++) printf("%s ", words[i]);
  putchar('\'');
}

static void put_candidates(void) {
  printf("values='");
  for (int i = SK_ALGORITHM_DIRECT; i < SK_ALGORITHM_COUNT; i++) printf("%s ", sk_algorithm_name((sk_algorithm)i));
  printf("' list=1");
}

static void put_completion(enum sk_option option) {
  switch (completion_of(option)) {
    case COMPLETION_NONE: break;
    case COMPLETION_WORDS: put_values(option); break;
    case COMPLETION_MODELS: printf("values=$models files=('*.onnx')"); break;
    case COMPLETION_BACKENDS: printf("values=$backends list=1"); break;
    case COMPLETION_CANDIDATES: put_candidates(); break;
    case COMPLETION_FILES: printf("files=('*')"); break;
  }
}

/* An argument that may be missing is joined to its option; any other may be, or follow. */
void sk_options_complete_values(void) {
  for (int i = 0; i < SK_OPTION_COUNT; i++) {
    const struct option_entry *entry = &entries[i];
    if (!entry->argument) continue;
    printf("    --%s=", entry->name);
    if (!entry->optional) printf("|--%s", entry->name);
    if (!entry->optional && entry->letter) printf("|-%c", entry->letter);
    printf(") ");
    put_completion((enum sk_option)i);
    printf(" ;;\n");
  }
}

void sk_options_complete(const struct sk_command *command) {
  printf("    %s) options='", command->name);
  for (int i = 0; i < SK_OPTION_COUNT; i++) {
    if (command->accepts & sk_option_bit(i)) printf("--%s ", entries[i].name);
  }
  printf("--help' ;;\n");
}
