/* The program: a table of commands. */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "bench/backends.h"
#include "bench/commands.h"
#include "resnet/suggest.h"
#include "resnet/text.h"
#include "revision.h" /* made by the Makefile */

#define ENGINE                                                                                             \
  (SK_ACCEPT(THREADS) | SK_ACCEPT(ISA) | SK_ACCEPT(SIZE) | SK_ACCEPT(INPUT_SHAPE) | SK_ACCEPT(RESNET_V1) | \
   SK_ACCEPT(MAX_MEMORY))
#define ALGORITHM (SK_ACCEPT(ALGO) | SK_ACCEPT(PLAN))
#define NETWORK (SK_ACCEPT(MODEL) | SK_ACCEPT(WEIGHTS))
#define FLUSH SK_ACCEPT(FLUSH_DENORMALS)
#define PICTURE (SK_ACCEPT(MEAN) | SK_ACCEPT(STD))

static const struct sk_command commands[] = {
    {.name = "info",
     .usage = "[--json]",
     .summary = "Show the CPU, the ISAs (built, available, chosen), caches, threads, libraries and version.",
     .accepts = SK_ACCEPT(JSON),
     .examples = {{"", "is AVX-512 used here, how many CPUs and what caches are there"},
                  {"--json", "the same for a script"}},
     .run = sk_command_info},
    {.name = "models",
     .usage = "[--json | --shapes]",
     .summary = "List the networks: parameters, multiply-accumulates of one image, input, classes.",
     .accepts = SK_ACCEPT(JSON) | SK_ACCEPT(SHAPES),
     .examples = {{"", "what there is to profile, compare and classify with"},
                  {"--shapes >my.shapes", "their distinct convolutions, to cut down for 'skiplane compare my.shapes'"}},
     .run = sk_command_models},
    {.name = "classify",
     .usage = "--model M --weights F [OPTION...] IMAGE|DIR... |\n"
              "       --model FILE.onnx [OPTION...] IMAGE|DIR...",
     .summary = "Classify JPEG and PNG pictures.",
     .details = "A folder stands for the .jpg, .jpeg and .png files in it, sorted by name.\n"
                "If one picture is bad, nothing is written.\n"
                "An ONNX file has weights of its own, but tells no --mean and --std: ImageNet's are taken then.",
     .accepts = NETWORK | ENGINE | ALGORITHM | PICTURE | SK_ACCEPT(HEAD) | SK_ACCEPT(BATCH) | SK_ACCEPT(TOP) |
                SK_ACCEPT(LABELS) | SK_ACCEPT(LOGITS) | SK_ACCEPT(JSON) | FLUSH,
     .requires = SK_ACCEPT(MODEL),
     .of_named = SK_ACCEPT(WEIGHTS),
     .least_operands = 1,
     .most_operands = SIZE_MAX,
     .operand = "an IMAGE or folder",
     .examples = {{"-m resnet50 -w r50.safetensors --top 5 pictures/",
                   "the five likeliest classes of each picture in a folder"},
                  {"-m resnet50 -w r50.safetensors -a winograd4 --logits w4.npy cat.jpg",
                   "the logits of one algorithm, to compare with --algo reference"},
                  {"-m resnet50 -w r50.safetensors --head flowers.safetensors pictures/",
                   "by a last layer of 'skiplane train-head', with its labels"}},
     .run = sk_command_classify},
    {.name = "weights",
     .usage = "M --seed N -o FILE [--classes N]",
     .summary = "Write seeded random weights of network M as a safetensors file.",
     .accepts = SK_ACCEPT(SEED) | SK_ACCEPT(OUTPUT) | SK_ACCEPT(CLASSES),
     .requires = SK_ACCEPT(SEED) | SK_ACCEPT(OUTPUT),
     .least_operands = 1,
     .most_operands = 1,
     .operand = "the name of a network",
     .examples = {{"resnet50 --seed 1 -o r50.safetensors",
                   "the weights that 'profile resnet50' draws without --weights"},
                  {"resnet50 --seed 1 --classes 10 -o ten.safetensors", "likewise for ten classes"}},
     .run = sk_command_weights},
    {.name = "export",
     .usage = "M -o FILE.onnx [OPTION...]",
     .summary = "Write network M with its weights as an ONNX file, which other runtimes read.",
     .details =
         "Operator set 13 of ONNX 1.8 (IR version 7), float32, each layer as it is, batch norms not folded; the "
         "producer\n"
         "is skiplane with its version. The input is \"input\", [N][3][height][width], normalised; the output is the\n"
         "logits, [N][classes], called \"fc\", or \"linear\" in CIFAR networks; other names are those of 'layers'. "
         "The\n"
         "batch N stays open unless --batch tells it. Without --weights, weights are drawn from the seed.",
     .accepts = SK_ACCEPT(WEIGHTS) | SK_ACCEPT(HEAD) | SK_ACCEPT(BATCH) | SK_ACCEPT(SIZE) | SK_ACCEPT(RESNET_V1) |
                SK_ACCEPT(CLASSES) | SK_ACCEPT(SEED) | SK_ACCEPT(OUTPUT),
     .requires = SK_ACCEPT(OUTPUT),
     .least_operands = 1,
     .most_operands = 1,
     .operand = "the name of a network",
     .examples = {{"resnet50 --weights r50.safetensors -o r50.onnx", "for ONNX Runtime and others, for any batch"},
                  {"resnet50 --batch 8 --size 320x320 --seed 1 -o r50b8.onnx", "of given sizes, with drawn weights"}},
     .run = sk_command_export},
    {.name = "train-head",
     .usage = "--model M --weights F --data DIR -o HEAD.safetensors [OPTION...]",
     .summary = "Train a new last layer of network M for the classes of DIR, by softmax regression on its features.",
     .details =
         "DIR has one folder for each class, with its .jpg, .jpeg and .png files; the folder's name is the label. "
         "Each\n"
         "picture goes once through the network up to its last layer. A part of each class (--holdout), drawn from\n"
         "--seed, is not trained on; what the new layer takes it for is reported. If one picture is bad, nothing is\n"
         "written. 'skiplane classify --head HEAD.safetensors' uses it: docs/transfer.md tells how it is made.",
     .accepts = NETWORK | ENGINE | ALGORITHM | PICTURE | FLUSH | SK_ACCEPT(BATCH) | SK_ACCEPT(DATA) |
                SK_ACCEPT(HOLDOUT) | SK_ACCEPT(L2) | SK_ACCEPT(SEED) | SK_ACCEPT(OUTPUT) | SK_ACCEPT(JSON),
     .requires = NETWORK | SK_ACCEPT(DATA) | SK_ACCEPT(OUTPUT),
     .examples = {{"-m resnet50 -w r50.safetensors --data flowers -o flowers.safetensors",
                   "a layer for the classes of flowers/, and how well it does on a fifth of the pictures"},
                  {"-m resnet50 -w r50.safetensors --data flowers --holdout 0.3 --l2 1 -o f.safetensors --json",
                   "smaller weights, measured on more pictures; every wrong guess as JSON"}},
     .run = sk_command_train_head},
    {.name = "layers",
     .usage = "--model M --weights F --layer NAME... -o DIR [OPTION...] IMAGE |\n"
              "       --model FILE.onnx --layer NAME... -o DIR [OPTION...] IMAGE",
     .summary = "Write outputs of layers as DIR/NAME.npy, float32 [1][channels][height][width].",
     .details =
         "Names are torchvision's: conv1, layer1.0.conv2, layer3, avgpool; of an ONNX file, its nodes' or their\n"
         "outputs', whose file names have '_' for what is not fit for one. DIR is made if it is missing.\n"
         "Words after --layer are layers up to the next option; if no IMAGE stands elsewhere, the last is it.",
     .accepts = NETWORK | ENGINE | ALGORITHM | PICTURE | SK_ACCEPT(LAYER) | SK_ACCEPT(OUTPUT),
     .requires = SK_ACCEPT(MODEL) | SK_ACCEPT(LAYER) | SK_ACCEPT(OUTPUT),
     .of_named = SK_ACCEPT(WEIGHTS),
     .least_operands = 1,
     .most_operands = 1,
     .operand = "an IMAGE",
     .examples = {{"-m resnet50 -w r50.safetensors --layer layer3 avgpool -o out cat.jpg",
                   "out/layer3.npy and out/avgpool.npy, the features for transfer learning"},
                  {"-m resnet50 -w r50.safetensors --layer conv1 -a reference -o exact cat.jpg",
                   "the same layer in double precision"}},
     .run = sk_command_layers},
    {.name = "profile",
     .usage = "M|FILE.onnx [OPTION...]",
     .summary = "Measure network M on this machine: time, GFLOP/s and percent of the FMA peak, whole and per layer.",
     .details =
         "GFLOP/s counts every layer as direct convolution, so Winograd may pass 100% of the peak, which is\n"
         "measured in the same run, as the bandwidths are. Without --weights, weights are drawn from the seed;\n"
         "FILE.onnx, a network of its own with its weights, takes none.\n"
         "--json and --csv without a file go to stdout, instead of the tables. A file that cannot be written is\n"
         "told before anything is measured.\n"
         "Ctrl-C ends the measurement: what there is by then is printed and written, and the exit status 130.",
     .accepts = ENGINE | ALGORITHM | SK_ACCEPT(WEIGHTS) | SK_ACCEPT(BATCH) | SK_ACCEPT(SEED) | SK_ACCEPT(RUNS) |
                SK_ACCEPT(DURATION) | SK_ACCEPT(SCENARIO) | SK_ACCEPT(CPUS) | SK_ACCEPT(JSON) | SK_ACCEPT(CSV) |
                SK_ACCEPT(HTML) | SK_ACCEPT(TRACE) | SK_ACCEPT(SAVE) | FLUSH,
     .least_operands = 1,
     .most_operands = 1,
     .operand = "the name of a network",
     .examples = {{"resnet50 --threads 1", "each layer and the whole on one CPU, in some 10 seconds"},
                  {"resnet50 -t 1 --html r50.html --trace r50.trace",
                   "a page with roofline and timeline, and a trace for Perfetto"},
                  {"resnet50 -t 1 --duration 60 --save before",
                   "a run with narrow intervals, kept for 'skiplane compare before after'"}},
     .run = sk_command_profile},
    {.name = "tune",
     .usage = "M|FILE.onnx -o FILE [OPTION...]",
     .summary = "Measure which algorithm is the fastest for each layer of network M here, and write that as a plan.",
     .details =
         "Networks of each candidate run in turns, in random order, and every layer is timed where it stands in them.\n"
         "One takes the place of what 'auto' runs for layers of that shape only if the 95% interval of its ratio\n"
         "lies below 1. Then the plan as a whole is measured against auto; if it is slower, auto's choice stays.\n"
         "--plan FILE of classify, layers, profile and compare runs by it, on any ISA, batch and number of threads.\n"
         "--candidates winograd4,winograd6 and the like choose what is tried.\n"
         "Ctrl-C ends the measurement: the plan of what there is by then is written, and the exit status 130.",
     .accepts = ENGINE | SK_ACCEPT(WEIGHTS) | SK_ACCEPT(BATCH) | SK_ACCEPT(SEED) | SK_ACCEPT(RUNS) |
                SK_ACCEPT(DURATION) | SK_ACCEPT(CPUS) | SK_ACCEPT(JSON) | SK_ACCEPT(OUTPUT) | SK_ACCEPT(CANDIDATES),
     .requires = SK_ACCEPT(OUTPUT),
     .least_operands = 1,
     .most_operands = 1,
     .operand = "the name of a network",
     .examples = {{"resnet50 --threads 1 -o r50.plan", "a plan for one CPU, in some 40 seconds"},
                  {"resnet50 -t 1 --batch 8 --duration 120 -o r50b8.plan", "for batches of 8, with narrower intervals"},
                  {"resnet50 -t 1 --candidates direct,winograd2,winograd4,winograd6 -o r50w6.plan",
                   "with F(6,3) as well, which is less accurate"}},
     .run = sk_command_tune},
    {.name = "compare",
     .usage = "M|FILE.onnx|FILE.shapes|NAME1 NAME2 [OPTION...]",
     .summary = "Compare backends on network M, layers of it or shapes, or two saved runs: ratios with intervals.",
     .details =
         "Backends: auto, an ISA, an algorithm, ISA/ALGORITHM (avx2/direct), plan (of --plan), openblas, and other\n"
         "libraries; --list tells which there are. The first is the base, of which the others' times are ratios. All\n"
         "run in one process or pinned beside it, in random order, and their outputs are compared with the reference\n"
         "first. A verdict needs the 95% interval, a Mann-Whitney U test and --threshold to agree.\n"
         "FILE.shapes lists convolutions; 'skiplane models --shapes' prints one to start from.\n"
         "NAME1 and NAME2 are runs kept by 'skiplane profile --save NAME': a path, .json may be left out. NAME1 is\n"
         "the base. Runs whose machine, flags or threads differ are refused, and told in what, unless forced.\n"
         "Ctrl-C ends the measurement: what there is by then is printed and written, and the exit status 130.",
     .accepts = ENGINE | SK_ACCEPT(BACKENDS) | SK_ACCEPT(PLAN) | SK_ACCEPT(WEIGHTS) | SK_ACCEPT(BATCH) |
                SK_ACCEPT(SEED) | SK_ACCEPT(LAYER) | SK_ACCEPT(PER_LAYER) | SK_ACCEPT(RUNS) | SK_ACCEPT(DURATION) |
                SK_ACCEPT(CPUS) | SK_ACCEPT(THRESHOLD) | SK_ACCEPT(FAIL_OVER) | SK_ACCEPT(FORCE) | SK_ACCEPT(LIST) |
                SK_ACCEPT(JSON) | SK_ACCEPT(CSV) | SK_ACCEPT(HTML) | FLUSH,
     .least_operands = 0,
     .most_operands = 2,
     .operand = "a network, a file of shapes, or two saved runs",
     .examples = {{"resnet50 --backends auto,onednn,openblas --threads 1",
                   "whole networks side by side: ratios to auto, with intervals"},
                  {"resnet50 --per-layer --backends winograd4,direct --html r50.html",
                   "a matrix of layers and algorithms, with the winner of each"},
                  {"before after --fail-over 5%",
                   "two saved runs; exit status 3, for CI, if something is slower by more than 5%"}},
     .run = sk_command_compare},
    {.name = "verify",
     .usage = "[--isa I] [--filter RE] [--seed N] [--exhaustive] [--baseline FILE] [--json] [--html FILE] |\n"
              "       --case FILE |\n"
              "       --x X.npy --w W.npy [--b B.npy] --y Y.npy [--stride S] [--pad P] [OPTION...] |\n"
              "       --model M|FILE.onnx [--weights FILE] [--per-layer] [--images DIR] [OPTION...]",
     .summary =
         "Check every kernel against the reference: pass or fail, errors and bounds, a line to reproduce each failure.",
     .details =
         "Without --isa, all ISAs that this CPU has. Each error is held against a proven bound: worst/bound over 1\n"
         "fails; margin is its inverse. L2 and max ULP are of plain random numbers, the rest of adversarial ones,\n"
         "too: docs/numerics.md explains the columns, and --html draws histograms of the errors. Outputs lie\n"
         "between guard pages, so that a write or read beside them is found, too.\n"
         "SKIPLANE_REQUIRE_ISA=avx512 in the environment makes it a failure that this CPU lacks it.\n"
         "The first failure of a convolution plan on an ISA and by an algorithm is shrunk to the smallest run that\n"
         "still fails, and written as skiplane-case-*.txt, which --case replays.\n"
         "A baseline has the bits and errors of each case and of each layer of small networks; the same file serves\n"
         "every ISA. Cases that do not run, or are not in it, are counted.\n"
         "With --x, --w and --y, .npy files of float32, the result y of another program is checked instead, and\n"
         "then Skiplane's own for the same arrays: every algorithm that applies, or that of --algo.\n"
         "With --model, a whole network beside the reference in double precision: each layer's error on the inputs\n"
         "that it had, which has a proven bound, and its output's error by then, with an estimate of that. The image\n"
         "is random, of 64x64 or the network's own size if that is smaller, unless --size or --images tell others.\n"
         "--images tells, too, how often both paths agree on the likeliest class and the five likeliest; layers are\n"
         "checked then only with --per-layer.\n"
         "The exit status is 0 if all passed, 3 if something differs from --baseline, else 1.",
     .accepts = ENGINE | ALGORITHM | NETWORK | PICTURE | FLUSH | SK_ACCEPT(FILTER) | SK_ACCEPT(SEED) |
                SK_ACCEPT(EXHAUSTIVE) | SK_ACCEPT(JSON) | SK_ACCEPT(HTML) | SK_ACCEPT(PER_LAYER) | SK_ACCEPT(IMAGES) |
                SK_ACCEPT(X) | SK_ACCEPT(W) | SK_ACCEPT(B) | SK_ACCEPT(RESIDUAL) | SK_ACCEPT(Y) | SK_ACCEPT(STRIDE) |
                SK_ACCEPT(PAD) | SK_ACCEPT(DILATION) | SK_ACCEPT(GROUPS) | SK_ACCEPT(RELU) | SK_ACCEPT(TOLERANCE) |
                SK_ACCEPT(CASE) | SK_ACCEPT(CASE_DIR) | SK_ACCEPT(BASELINE) | SK_ACCEPT(WRITE_BASELINE) |
                SK_ACCEPT(ALLOW_BITS),
     .examples = {{"--isa avx2 --filter '^conv_direct'", "some cases on one ISA; without options, everything"},
                  {"--html errors.html", "histograms of the errors, per algorithm and kernel, as a page"},
                  {"--baseline tests/verify.baseline",
                   "whether anything gives other bits, or larger errors, than when that was committed"},
                  {"--x x.npy --w w.npy --b b.npy --y y.npy --stride 2 --pad 1",
                   "a convolution of another framework, and Skiplane's of the same arrays"},
                  {"--model resnet50 -a winograd6 --per-layer", "where the error of a network enters, layer by layer"},
                  {"-m resnet50 -w r50.safetensors --images pictures/",
                   "how often rounding changes what pictures are taken for"}},
     .run = sk_command_verify},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_help(void) {
  printf("usage: skiplane COMMAND [OPTION...]\n\nSIMD kernels for residual networks: run, measure and check them.\n\n");
  for (size_t i = 0; i < COMMANDS; i++) printf("  %-10s %s\n", commands[i].name, commands[i].summary);
  printf(
      "\n'skiplane help COMMAND' tells more; 'skiplane --version' the version.\n"
      "SKIPLANE_ISA=avx2 in the environment narrows the choice of kernels as --isa does.\n"
      "Exit status: 0 success, 1 failure, 2 wrong usage, 3 slower than --fail-over allows or unlike --baseline,\n"
      "130 interrupted.\n");
}

static void print_environment(void) {
  printf(
      ".SH EXIT STATUS\n.TP\n0\nSuccess.\n.TP\n1\nFailure.\n.TP\n2\nWrong usage.\n"
      ".TP\n3\nSomething is slower than \\fB\\-\\-fail\\-over\\fR allows,\n"
      "or something is unlike \\fB\\-\\-baseline\\fR.\n"
      ".TP\n130\nInterrupted; what had been measured is written.\n"
      ".SH ENVIRONMENT\n.TP\nSKIPLANE_ISA\nThe kernels to use, as \\fB\\-\\-isa\\fR.\n"
      ".TP\nSKIPLANE_REQUIRE_ISA\nAn ISA without which \\fBskiplane verify\\fR fails.\n"
      ".TP\nNO_COLOR\nIf not empty: no colours.\n"
      ".TP\nCOLUMNS\nThe width of a terminal that does not tell its own.\n");
}

/* The head of a man page, whose name is that of the program, or with that of a command behind it. */
static void print_manual_head(const char *command) {
  printf(".TH SKIPLANE");
  if (command) putchar('-');
  for (const char *at = command; at && *at; at++) putchar(toupper((unsigned char)*at));
  printf(" 1 %s \"skiplane %s\" \"User Commands\"\n.nh\n.ad l\n", SK_BUILD_DATE, sk_version());
}

/* skiplane help --man: the program's man page, for the Makefile. */
static void print_manual(void) {
  print_manual_head(NULL);
  printf(
      ".SH NAME\nskiplane \\- run, measure and check SIMD kernels for residual networks\n"
      ".SH SYNOPSIS\n.B skiplane\n.I COMMAND\n[\\fIOPTION\\fR...]\n.SH COMMANDS\n"
      "Each has a page of its own, such as\n.BR skiplane\\-%s (1).\n",
      commands[0].name);
  for (size_t i = 0; i < COMMANDS; i++) sk_options_manual_entry(&commands[i]);
  print_environment();
  printf(".SH SEE ALSO\n");
  for (size_t i = 0; i < COMMANDS; i++) sk_options_manual_reference(&commands[i]);
  printf(".BR skiplane\\-bench (1)\n");
}

/* skiplane help COMMAND --man: that of a command, likewise. */
static void print_command_manual(const struct sk_command *command) {
  print_manual_head(command->name);
  sk_options_manual(command);
  print_environment();
  printf(".SH SEE ALSO\n.BR skiplane (1)\n");
}

static void print_names(void) {
  sk_model_info model;
  printf("  local commands='");
  for (size_t i = 0; i < COMMANDS; i++) printf("%s ", commands[i].name);
  printf("help --help --version'\n  local models='");
  for (size_t i = 0; i < sk_model_count() && !sk_model_at(i, &model); i++) printf("%s ", model.name);
  printf("'\n  local backends='");
  sk_backends_complete();
  printf("'\n");
}

/* skiplane help --completion: the completion for bash, likewise. */
static void print_completion(void) {
  printf(
      "# bash completion for skiplane, printed by 'skiplane help --completion'\n_skiplane() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}\n"
      "  local options='' values='' list=0 prefix='' pattern files=()\n");
  print_names();
  printf(
      "  # --option=value is three words\n"
      "  if [ \"$word\" = = ]; then word='' before+='='\n"
      "  elif [ \"$before\" = = ]; then before=${COMP_WORDS[COMP_CWORD - 2]}=; fi\n"
      "  if [ \"$COMP_CWORD\" = 1 ]; then command=skiplane; fi\n"
      "  case $command in\n");
  for (size_t i = 0; i < COMMANDS; i++) sk_options_complete(&commands[i]);
  printf("  esac\n  case $before in\n");
  sk_options_complete_values();
  printf(
      "    *) case $command in # no value of an option\n"
      "      skiplane|help) values=$commands ;;\n"
      "      profile|tune) values=$models files=('*.onnx') ;;\n"
      "      export|weights) values=$models ;;\n"
      "      compare) values=$models files=('*.json' '*.shapes' '*.onnx') ;;\n"
      "      classify|layers) files=('*') ;;\n"
      "    esac\n"
      "    case $word in -*) [ -z \"$options\" ] || values=$options files=() ;; esac ;;\n"
      "  esac\n"
      "  case $command$before in layers--output=|layers--output|layers-o) files=('*/') ;; esac # folders only\n"
      "  if [ $list = 1 ]; then # separated by commas: the last one is completed\n"
      "    case $word in *,*) prefix=${word%%,*}, word=${word##*,} ;; esac\n"
      "    compopt -o nospace 2>/dev/null\n"
      "  fi\n"
      "  mapfile -t COMPREPLY < <(compgen -P \"$prefix\" -W \"$values\" -- \"$word\")\n"
      "  [ ${#files[@]} = 0 ] || compopt -o filenames 2>/dev/null\n"
      "  for pattern in \"${files[@]}\"; do # and the folders that they may be in\n"
      "    mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- \"$word\"; compgen -f -X \"!$pattern\" -- "
      "\"$word\")\n"
      "  done\n}\n"
      "complete -F _skiplane skiplane\n");
}

static const struct sk_command *find_command(const char *name) {
  for (size_t i = 0; i < COMMANDS; i++) {
    if (strcmp(commands[i].name, name) == 0) return &commands[i];
  }
  return NULL;
}

static enum sk_exit unknown_command(const char *word) {
  const char *names[COMMANDS];
  for (size_t i = 0; i < COMMANDS; i++) names[i] = commands[i].name;
  const char *nearest = sk_suggest(word, names, COMMANDS);
  const char *kind = word[0] == '-' ? "option" : "command";
  if (nearest) {
    fprintf(stderr, "skiplane: \"%s\": unknown %s, did you mean %s?\n", sk_quote_short(word).text, kind, nearest);
  } else {
    fprintf(stderr, "skiplane: \"%s\": unknown %s (skiplane --help lists the commands)\n", sk_quote_short(word).text,
            kind);
  }
  return SK_EXIT_USAGE;
}

static enum sk_exit run_command(const struct sk_command *command, int argc, char **argv) {
  struct sk_options options;
  enum sk_exit code = SK_EXIT_USAGE;
  switch (sk_options_parse(&options, command, argc, argv)) {
    case SK_PARSED: code = command->run(&options); break;
    case SK_PARSED_HELP:
      sk_options_help(command);
      code = SK_EXIT_SUCCESS;
      break;
    case SK_PARSED_ERROR: break;
    case SK_PARSED_OUT_OF_MEMORY: code = SK_EXIT_FAILURE; break;
  }
  sk_options_free(&options);
  return code;
}

/* skiplane help [COMMAND] */
static enum sk_exit help(int argc, char **argv) {
  if (argc == 1) {
    print_help();
    return SK_EXIT_SUCCESS;
  }
  const struct sk_command *command = find_command(argv[1]);
  if (command && argc > 2 && strcmp(argv[2], "--man") == 0) {
    print_command_manual(command);
  } else if (command) {
    sk_options_help(command);
  } else if (strcmp(argv[1], "--man") == 0) {
    print_manual();
  } else if (strcmp(argv[1], "--completion") == 0) {
    print_completion();
  } else {
    return unknown_command(argv[1]);
  }
  return SK_EXIT_SUCCESS;
}

static enum sk_exit dispatch(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "skiplane: a command is needed (skiplane --help lists them)\n");
    return SK_EXIT_USAGE;
  }
  const char *word = argv[1];
  if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
    printf("skiplane %s\n", sk_version());
    return SK_EXIT_SUCCESS;
  }
  if (strcmp(word, "help") == 0) return help(argc - 1, argv + 1);
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) return help(1, argv + 1);
  const struct sk_command *command = find_command(word);
  return command ? run_command(command, argc - 1, argv + 1) : unknown_command(word);
}

/* What was printed has to arrive: a full disk behind stdout is a failure, too. */
static enum sk_exit finish_output(enum sk_exit code) {
  errno = 0;
  const bool failed = ferror(stdout) != 0;
  if (fclose(stdout) == 0 && !failed) return code;
  fprintf(stderr, "skiplane: standard output: cannot write: %s\n", errno ? strerror(errno) : "a part was refused");
  return code == SK_EXIT_SUCCESS ? SK_EXIT_FAILURE : code;
}

int main(int argc, char **argv) {
  /* A file over `ulimit -f` should fail as a full disk does, with a message and nothing left behind. */
  signal(SIGXFSZ, SIG_IGN);
  return (int)finish_output(dispatch(argc, argv));
}
