/* The command line: one table of commands, one table of options, parsed and range-checked in one place. */
#ifndef SK_BENCH_OPTIONS_H
#define SK_BENCH_OPTIONS_H

#include "skiplane.h"

enum sk_exit {
  SK_EXIT_SUCCESS = 0,
  SK_EXIT_FAILURE = 1,
  SK_EXIT_USAGE = 2,
  SK_EXIT_SLOWER = 3,       /* --fail-over: something is slower by more than that */
  SK_EXIT_CHANGED = 3,      /* --baseline: bits have changed or an error has grown */
  SK_EXIT_INTERRUPTED = 130 /* Ctrl-C: what had been measured is written */
};

/* Options by number; a command accepts a set of them, given as bits SK_ACCEPT(option). */
enum sk_option {
  SK_OPTION_MODEL,
  SK_OPTION_WEIGHTS,
  SK_OPTION_BATCH,
  SK_OPTION_THREADS,
  SK_OPTION_ISA,
  SK_OPTION_MAX_MEMORY,
  SK_OPTION_ALGO,
  SK_OPTION_PLAN,
  SK_OPTION_SIZE,
  SK_OPTION_INPUT_SHAPE,
  SK_OPTION_RESNET_V1,
  SK_OPTION_TOP,
  SK_OPTION_LABELS,
  SK_OPTION_LOGITS,
  SK_OPTION_MEAN,
  SK_OPTION_STD,
  SK_OPTION_LAYER,
  SK_OPTION_OUTPUT,
  SK_OPTION_CLASSES,
  SK_OPTION_SEED,
  SK_OPTION_RUNS,
  SK_OPTION_FILTER,
  SK_OPTION_EXHAUSTIVE,
  SK_OPTION_BASELINE,
  SK_OPTION_WRITE_BASELINE,
  SK_OPTION_ALLOW_BITS,
  SK_OPTION_JSON,
  SK_OPTION_CSV,
  SK_OPTION_HTML,
  SK_OPTION_TRACE,
  SK_OPTION_SAVE,
  SK_OPTION_DURATION,
  SK_OPTION_SCENARIO,
  SK_OPTION_CPUS,
  SK_OPTION_BACKENDS,
  SK_OPTION_PER_LAYER,
  SK_OPTION_THRESHOLD,
  SK_OPTION_FAIL_OVER,
  SK_OPTION_FORCE,
  SK_OPTION_LIST,
  SK_OPTION_SHAPES,
  SK_OPTION_CANDIDATES,
  SK_OPTION_IMAGES,
  SK_OPTION_HEAD,
  SK_OPTION_DATA,
  SK_OPTION_HOLDOUT,
  SK_OPTION_L2,
  SK_OPTION_FLUSH_DENORMALS,
  SK_OPTION_X,
  SK_OPTION_W,
  SK_OPTION_B,
  SK_OPTION_RESIDUAL,
  SK_OPTION_Y,
  SK_OPTION_STRIDE,
  SK_OPTION_PAD,
  SK_OPTION_DILATION,
  SK_OPTION_GROUPS,
  SK_OPTION_RELU,
  SK_OPTION_TOLERANCE,
  SK_OPTION_CASE,
  SK_OPTION_CASE_DIR,
  SK_OPTION_COUNT
};

/* A set of options: 64 bits are not enough for all. */
__extension__ typedef unsigned __int128 sk_option_set;

#define SK_ACCEPT(option) ((sk_option_set)1 << SK_OPTION_##option)

static inline sk_option_set sk_option_bit(int option) { return (sk_option_set)1 << option; }

/* MLPerf's: one query after another, or all of them at once. */
enum sk_scenario { SK_SCENARIO_NONE, SK_SCENARIO_SINGLE_STREAM, SK_SCENARIO_OFFLINE };

/* What the user asked for. Zero or NULL where nothing was said, except where noted. */
struct sk_options {
  const char *command;
  sk_option_set given; /* bits of the options that were there */

  const char *model, *weights, *labels, *logits, *output, *filter, *plan, *images;
  size_t batch; /* 1 by default */
  int threads;  /* 0: as many as OpenMP gives */
  sk_isa isa;
  size_t max_memory;      /* bytes; 0: the machine's, see sk_memory_most */
  sk_algorithm algorithm; /* unless `reference` */
  bool reference;         /* --algo reference */
  size_t height, width, classes, runs, top;
  size_t input_shape[4]; /* batch, channels, height, width; 0: the file's own */
  uint64_t seed;
  float mean[3], standard_deviation[3];
  bool resnet_v1, exhaustive, per_layer, force, list, shapes, flush_denormals;

  bool json, csv;                   /* asked for */
  const char *json_path, *csv_path; /* NULL: to stdout */
  const char *html, *trace, *save;  /* files to write */
  double duration;                  /* seconds to measure for; 0: the command's own */
  double threshold, fail_over;      /* fractions: 0.05 is 5% */
  enum sk_scenario scenario;
  const char *cpus;       /* "0-3,8", "none"; NULL: chosen */
  const char *backends;   /* separated by commas */
  const char *candidates; /* likewise */

  const char *x, *w, *b, *residual, *y; /* files of a convolution's arrays */
  sk_conv_shape conv;                   /* of it: stride, dilation, padding and groups */
  bool relu;
  double tolerance;        /* relative L2 */
  const char *case_path;   /* a case to run again */
  const char *case_folder; /* where cases are written; NULL: the current folder */

  const char *baseline, *write_baseline; /* files */
  bool allow_bits;

  const char *head, *data; /* a file; a folder */
  double holdout, l2;      /* a fraction; of the L2 norm */

  const char **layers; /* names after --layer */
  size_t layer_count;
  const char **operands; /* what is no option */
  size_t operand_count;
};

/* A command line that is worth showing, without "skiplane" and the command's name. */
struct sk_example {
  const char *arguments; /* NULL: no example */
  const char *meaning;
};

enum { SK_EXAMPLES = 6 };

struct sk_command {
  const char *name;
  const char *usage;      /* what follows the name */
  const char *summary;    /* one line */
  const char *details;    /* more lines for its help, or NULL */
  sk_option_set accepts;  /* bits of the options it takes */
  sk_option_set requires; /* bits of those it cannot do without */
  sk_option_set of_named; /* bits of those that it cannot do without unless the network is an ONNX file */
  size_t least_operands, most_operands;
  const char *operand; /* their name in messages */
  struct sk_example examples[SK_EXAMPLES];
  enum sk_exit (*run)(const struct sk_options *options);
};

/* How parsing went: carry on, print the help, or stop, the error being told already. */
enum sk_parsed { SK_PARSED, SK_PARSED_HELP, SK_PARSED_ERROR, SK_PARSED_OUT_OF_MEMORY };

/* Parse a command's arguments; argv[0] is the command's name. Free the options in every case. */
enum sk_parsed sk_options_parse(struct sk_options *options, const struct sk_command *command, int argc, char **argv);
void sk_options_free(struct sk_options *options);

/* Print the help of a command to stdout. */
void sk_options_help(const struct sk_command *command);

/* Print, in roff, the sections of a command's man page from NAME to EXAMPLES; its entry in the program's page, and
 * what refers to it there. */
void sk_options_manual(const struct sk_command *command);
void sk_options_manual_entry(const struct sk_command *command);
void sk_options_manual_reference(const struct sk_command *command);

/* Print branches of the completion's two `case`: a command's options; what completes each option's value. */
void sk_options_complete(const struct sk_command *command);
void sk_options_complete_values(void);

/* Tell whether an option was given: sk_options_has(options, SK_ACCEPT(SEED)). */
bool sk_options_has(const struct sk_options *options, sk_option_set bit);

/* Whether a word that stands for a network is the path of an ONNX file: it ends in ".onnx". */
bool sk_is_onnx_file(const char *word);

/* What documents and plans call a network: its name, or that of its file without folders. */
const char *sk_network_name(const char *word);

/* The file that the network's weights come from, --weights or an ONNX file; NULL: they are drawn from the seed. */
const char *sk_weights_file(const struct sk_options *options);

/* Name the first option of a set that was given: "filter"; NULL if none was. */
const char *sk_options_first(const struct sk_options *options, sk_option_set bits);

/* ---- Errors: one line on stderr, "skiplane <command>: <message>" ---------------------------------------------- */

/* Print a message, without changing the outcome: a warning. */
void sk_tell(const struct sk_options *options, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Print a message and return SK_EXIT_USAGE. */
enum sk_exit sk_usage_error(const struct sk_options *options, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Print sk_error_message() and return the exit code of a status: usage for an argument that cannot be, else failure. */
enum sk_exit sk_fail_status(const struct sk_options *options, sk_status status);

#endif
