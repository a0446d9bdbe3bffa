/* A backend comparison: two ways to compute one convolution, timed in turns, and whether they give the same bits.
 *
 *   cc compare.c $(pkg-config --cflags --libs skiplane) -lm -o compare
 *   ./compare auto/direct auto/winograd4
 *   ./compare avx2/direct avx512/direct 500
 *
 * Each way is an ISA and an algorithm; the number is that of rounds. Both run in every round, so what disturbs the
 * machine for a while disturbs both alike, and the ratio within a round is what to look at. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <skiplane.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHANNELS = 64, SIZE = 28, ROUNDS = 200, LEAST_ROUNDS = 6 };
enum { INPUTS = CHANNELS * SIZE * SIZE, OUTPUTS = CHANNELS * SIZE * SIZE, WEIGHTS = CHANNELS * CHANNELS * 3 * 3 };

static const sk_conv_shape shape = {.batch = 1,
                                    .in_channels = CHANNELS,
                                    .in_height = SIZE,
                                    .in_width = SIZE,
                                    .out_channels = CHANNELS,
                                    .kernel_height = 3,
                                    .kernel_width = 3,
                                    .stride_height = 1,
                                    .stride_width = 1,
                                    .dilation_height = 1,
                                    .dilation_width = 1,
                                    .pad_top = 1,
                                    .pad_bottom = 1,
                                    .pad_left = 1,
                                    .pad_right = 1,
                                    .groups = 1};

/* One way to compute the convolution. */
struct backend {
  sk_conv *plan;
  void *workspace;
  float y[OUTPUTS];
  double *seconds; /* [rounds] */
};

static float x[INPUTS], weights[WEIGHTS];

/* Fill with values from -1 to 1 that are the same everywhere. */
static void draw(float *values, size_t count) {
  uint32_t state = 1;
  for (size_t i = 0; i < count; i++) {
    state = state * 1664525U + 1013904223U;
    values[i] = (float)(state >> 8) / (float)(1 << 23) - 1;
  }
}

/* ---- Opening ------------------------------------------------------------------------------------------------ */

/* Parse "avx2/direct". */
static sk_status parse(const char *text, sk_conv_options *options) {
  char isa[32];
  const char *const slash = strchr(text, '/');
  const int length = slash ? (int)(slash - text) : (int)strlen(text);
  snprintf(isa, sizeof isa, "%.*s", length, text);
  const sk_status status = sk_isa_parse(isa, &options->isa);
  return status ? status : sk_algorithm_parse(slash ? slash + 1 : "auto", &options->algorithm);
}

static sk_status open_backend(struct backend *backend, const char *text, size_t rounds) {
  sk_conv_options options = {.threads = 1};
  sk_status status = parse(text, &options);
  if (!status) status = sk_conv_create(&backend->plan, &shape, weights, NULL, &options);
  if (status) return status;
  backend->workspace = sk_alloc(sk_conv_workspace_bytes(backend->plan));
  backend->seconds = calloc(rounds, sizeof *backend->seconds);
  return backend->workspace && backend->seconds ? SK_OK : SK_OUT_OF_MEMORY;
}

static void close_backend(struct backend *backend) {
  free(backend->seconds);
  sk_free(backend->workspace);
  sk_conv_destroy(backend->plan);
}

/* ---- Timing ------------------------------------------------------------------------------------------------- */

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static sk_status run(struct backend *backend, double *seconds) {
  const double start = now();
  const sk_status status = sk_conv_run(backend->plan, x, NULL, backend->y, backend->workspace);
  *seconds = now() - start;
  return status;
}

/* Run both in turns, the first turn of a round going to one and the other alternately. Round 0 warms up, and its time
 * is overwritten. */
static sk_status run_rounds(struct backend *backends, size_t rounds) {
  sk_status status = SK_OK;
  for (size_t round = 0; !status && round <= rounds; round++) {
    for (size_t turn = 0; !status && turn < 2; turn++) {
      struct backend *const backend = &backends[(round + turn) % 2];
      status = run(backend, &backend->seconds[round ? round - 1 : 0]);
    }
  }
  return status;
}

/* ---- Saying what came out ----------------------------------------------------------------------------------- */

static int compare_doubles(const void *left, const void *right) {
  const double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

struct summary {
  double median, low, high;
};

/* The median of values, which get sorted, and an interval that holds the true one with a probability of some 95%
 * whatever the distribution: how many values lie below it is binomial, with a standard deviation of sqrt(count) / 2. */
static struct summary summarise(double *values, size_t count) {
  qsort(values, count, sizeof *values, compare_doubles);
  const double half_width = 1.96 * sqrt((double)count) / 2;
  const size_t below = (size_t)fmax(0, floor(((double)count - 1) / 2 - half_width));
  return (struct summary){.median = (values[(count - 1) / 2] + values[count / 2]) / 2,
                          .low = values[below],
                          .high = values[count - 1 - below]};
}

static void print_time(const struct backend *backend, size_t rounds) {
  const struct summary ms = summarise(backend->seconds, rounds);
  printf("%s/%s: median %.4f ms, interval %.4f to %.4f\n", sk_isa_name(sk_conv_isa(backend->plan)),
         sk_algorithm_name(sk_conv_algorithm(backend->plan)), 1e3 * ms.median, 1e3 * ms.low, 1e3 * ms.high);
}

static uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static void print_bits(const struct backend *backends) {
  size_t different = 0;
  double most = 0;
  for (size_t i = 0; i < OUTPUTS; i++) {
    different += bits_of(backends[0].y[i]) != bits_of(backends[1].y[i]);
    most = fmax(most, fabs((double)backends[0].y[i] - (double)backends[1].y[i]));
  }
  if (different) {
    printf("bits: different in %zu of %d values, by up to %.2g\n", different, OUTPUTS, most);
  } else {
    printf("bits: the same\n");
  }
}

static void print_results(const struct backend *backends, double *ratios, size_t rounds) {
  /* Before the times are sorted: a ratio is one round's. */
  for (size_t i = 0; i < rounds; i++) ratios[i] = backends[1].seconds[i] / backends[0].seconds[i];
  const struct summary ratio = summarise(ratios, rounds);
  for (size_t i = 0; i < 2; i++) print_time(&backends[i], rounds);
  printf("second over first: %.3f, interval %.3f to %.3f, %zu rounds\n", ratio.median, ratio.low, ratio.high, rounds);
  print_bits(backends);
}

/* ---- The program -------------------------------------------------------------------------------------------- */

static sk_status compare(const char *const names[2], size_t rounds) {
  static struct backend backends[2];
  double *ratios = calloc(rounds, sizeof *ratios);
  sk_status status = ratios ? SK_OK : SK_OUT_OF_MEMORY;
  for (size_t i = 0; !status && i < 2; i++) status = open_backend(&backends[i], names[i], rounds);
  if (!status) status = run_rounds(backends, rounds);
  if (!status) print_results(backends, ratios, rounds);
  for (size_t i = 0; i < 2; i++) close_backend(&backends[i]);
  free(ratios);
  return status;
}

int main(int argc, char **argv) {
  const long rounds = argc == 4 ? strtol(argv[3], NULL, 10) : ROUNDS;
  if (argc < 3 || argc > 4 || rounds < LEAST_ROUNDS) {
    fprintf(stderr, "usage: %s ISA/ALGORITHM ISA/ALGORITHM [ROUNDS, at least %d]\n", argv[0], LEAST_ROUNDS);
    return 2;
  }
  draw(x, INPUTS);
  draw(weights, WEIGHTS);
  const sk_status status = compare((const char *const[]){argv[1], argv[2]}, (size_t)rounds);
  if (status == SK_OUT_OF_MEMORY)
    fprintf(stderr, "compare: out of memory\n");
  else if (status)
    fprintf(stderr, "compare: %s\n", sk_error_message());
  return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
