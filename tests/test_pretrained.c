/*
 * Trained networks on real pictures against PyTorch's logits: the network that the tree carries, and those of
 * ../shared (or $SKIPLANE_SHARED) where that folder is, which is said aloud when it is not.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "skiplane.h"
#include "tests/sanitized.h"

enum { CLASSES = 10, PICTURE_FLOATS = 3 * 32 * 32, MAX_PICTURES = 256 };

/* Pictures as a network takes them, and what PyTorch makes of them. */
struct pictures {
  size_t count;
  float *x;                             /* [count][3][32][32] */
  float logits[MAX_PICTURES * CLASSES]; /* PyTorch's */
};

static const char *shared_folder(void) {
  const char *given = getenv("SKIPLANE_SHARED");
  return given ? given : "../shared";
}

/* Say aloud that a test did not run. */
static bool shared_is_missing(void) {
  struct stat status;
  if (stat(shared_folder(), &status) == 0) return false;
  fprintf(stderr, "SKIPPED: %s is not there: the CIFAR-10 networks are not tested\n", shared_folder());
  return true;
}

static void load_picture(const char *path, const sk_model_info *model, float *x) {
  sk_image image;
  cr_assert_eq(sk_image_open(&image, path), SK_OK, "%s", sk_error_message());
  cr_assert_eq(sk_image_prepare(&image, model->resize, 32, 32, model->mean, model->standard_deviation, x), SK_OK, "%s",
               sk_error_message());
  sk_image_close(&image);
}

/* Read one line of the table: the picture's name, then its logits. False at the end. */
static bool read_row(FILE *table, char *name, float *logits) {
  if (fscanf(table, "%127[^,]", name) != 1) return false;
  for (size_t i = 0; i < CLASSES; i++) cr_assert_eq(fscanf(table, ",%f", &logits[i]), 1, "logits of %s", name);
  cr_assert_geq(fgetc(table), 0);
  return true;
}

/* Load the pictures that a table of logits lists. */
static struct pictures *load_pictures(const char *folder, const char *table_path) {
  struct pictures *p = calloc(1, sizeof *p);
  cr_assert_not_null(p);
  p->x = malloc(MAX_PICTURES * PICTURE_FLOATS * sizeof *p->x);
  cr_assert_not_null(p->x);
  sk_model_info model;
  cr_assert_eq(sk_model_find("resnet20-cifar", &model), SK_OK);
  FILE *table = fopen(table_path, "r");
  cr_assert_not_null(table, "%s", table_path);
  char name[128], path[512];
  cr_assert_eq(fscanf(table, "%*[^\n]"), 0);
  fgetc(table);
  while (p->count < MAX_PICTURES && read_row(table, name, p->logits + p->count * CLASSES)) {
    snprintf(path, sizeof path, "%s/%s", folder, name);
    load_picture(path, &model, p->x + p->count++ * PICTURE_FLOATS);
  }
  fclose(table);
  return p;
}

static void free_pictures(struct pictures *p) {
  free(p->x);
  free(p);
}

/* Run all pictures, so many at a time; no more than are planned. */
static void run_all(const char *model, const sk_weights *weights, const sk_net_options *options, size_t at_a_time,
                    const struct pictures *p, float *logits) {
  sk_net *net;
  cr_assert_eq(sk_net_create(&net, model, weights, options), SK_OK, "%s", sk_error_message());
  sk_net_info info;
  sk_net_describe(net, &info);
  void *workspace = sk_alloc(info.workspace_bytes);
  cr_assert_not_null(workspace);
  for (size_t first = 0; first < p->count; first += at_a_time) {
    const size_t batch = p->count - first < at_a_time ? p->count - first : at_a_time;
    cr_assert_eq(sk_net_run(net, batch, p->x + first * PICTURE_FLOATS, logits + first * CLASSES, workspace), SK_OK,
                 "%s", sk_error_message());
  }
  sk_free(workspace);
  sk_net_destroy(net);
}

static size_t best_class(const float *logits) {
  size_t best = 0;
  for (size_t i = 1; i < CLASSES; i++) best = logits[i] > logits[best] ? i : best;
  return best;
}

static void expect_like_pytorch(const struct pictures *p, const float *logits, const char *what) {
  for (size_t n = 0; n < p->count; n++) {
    cr_assert_eq(best_class(logits + n * CLASSES), best_class(p->logits + n * CLASSES), "%s: label of picture %zu",
                 what, n);
    for (size_t i = 0; i < CLASSES; i++) {
      const float difference = fabsf(logits[n * CLASSES + i] - p->logits[n * CLASSES + i]);
      cr_assert(difference <= 1e-3F, "%s: logit %zu of picture %zu is off by %g", what, i, n, (double)difference);
    }
  }
}

/* Every batch and number of threads gives the bits that one picture and one thread give. The bits belong to the
 * algorithm of each layer, and auto chooses by the planned batch: its plans keep the batch that is given, and run no
 * more pictures at a time. How gemm divides a sum among threads is the BLAS's affair: its threads stay. */
static void expect_same_bits(const char *model, const sk_weights *weights, sk_net_options options,
                             const struct pictures *p, const float *expected, const char *what) {
  static const struct {
    size_t batch;
    int threads;
  } runs[] = {{1, 2}, {7, 1}, {7, 2}};
  float *logits = malloc(p->count * CLASSES * sizeof *logits);
  cr_assert_not_null(logits);
  for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
    if (options.algorithm != SK_ALGORITHM_AUTO) options.batch = runs[i].batch;
    if (options.batch < runs[i].batch) continue;
    if (options.algorithm == SK_ALGORITHM_GEMM && options.threads != runs[i].threads) continue;
    options.threads = runs[i].threads;
    run_all(model, weights, &options, runs[i].batch, p, logits);
    cr_assert_arr_eq(logits, expected, p->count * CLASSES * sizeof *logits,
                     "%s: batch %zu of %zu, %d threads: other bits", what, runs[i].batch, options.batch,
                     runs[i].threads);
  }
  free(logits);
}

/* A tenth of the pictures where they take long, unless all are asked for: with fused multiply-adds in software, and
 * under sanitizers. */
static size_t pictures_for(sk_isa isa, size_t count) {
  const bool slow = isa == SK_ISA_GENERIC || isa == SK_ISA_SSE41 || SK_SANITIZED;
  return slow && !getenv("SKIPLANE_EXHAUSTIVE") && count > 20 ? count / 10 : count;
}

/* Check one algorithm, planned for `batch`, on every ISA: like PyTorch, and the same bits everywhere. */
static void check_algorithm(const char *model, const sk_weights *weights, sk_algorithm algorithm, size_t batch,
                            struct pictures *p) {
  const size_t count = p->count;
  float *first = malloc(p->count * CLASSES * sizeof *first), *logits = malloc(p->count * CLASSES * sizeof *logits);
  cr_assert(first && logits);
  size_t have = 0; /* of `first`: as many pictures as the ISA before had */
  for (int isa = SK_ISA_COUNT - 1; isa >= SK_ISA_GENERIC; isa--) {
    if (!sk_isa_available((sk_isa)isa)) continue;
    char what[64];
    snprintf(what, sizeof what, "%s %s %s", model, sk_isa_name((sk_isa)isa), sk_algorithm_name(algorithm));
    const sk_net_options options = {.isa = (sk_isa)isa, .algorithm = algorithm, .threads = 1, .batch = batch};
    p->count = pictures_for((sk_isa)isa, count);
    run_all(model, weights, &options, 1, p, logits);
    expect_like_pytorch(p, logits, what);
    if (isa != SK_ISA_GENERIC) expect_same_bits(model, weights, options, p, logits, what);
    const size_t both = p->count < have ? p->count : have;
    if (both && algorithm != SK_ALGORITHM_GEMM) {
      cr_assert_arr_eq(logits, first, both * CLASSES * sizeof *first, "%s: bits differ from another ISA's", what);
    }
    memcpy(first, logits, p->count * CLASSES * sizeof *first);
    have = p->count;
  }
  p->count = count;
  free(first);
  free(logits);
}

static void check_model(const char *model, const char *weights_path, const char *folder, const char *table_path) {
  sk_weights *weights;
  cr_assert_eq(sk_weights_open(&weights, weights_path), SK_OK, "%s", sk_error_message());
  struct pictures *p = load_pictures(folder, table_path);
  cr_assert_gt(p->count, 0);
  for (int algorithm = SK_ALGORITHM_AUTO; algorithm < SK_ALGORITHM_COUNT; algorithm++) {
    sk_conv_shape any = {1, 16, 8, 8, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    sk_conv *plan;
    static const float weight[16 * 16 * 9];
    const sk_conv_options options = {.algorithm = (sk_algorithm)algorithm};
    if (sk_conv_create(&plan, &any, weight, NULL, &options) == SK_UNSUPPORTED) {
      fprintf(stderr, "SKIPPED: %s\n", sk_error_message());
      continue;
    }
    sk_conv_destroy(plan);
    check_algorithm(model, weights, (sk_algorithm)algorithm, 1, p);
    if (algorithm == SK_ALGORITHM_AUTO) check_algorithm(model, weights, SK_ALGORITHM_AUTO, 7, p);
  }
  free_pictures(p);
  sk_weights_close(weights);
}

static void check_shared(const char *model, const char *weights_name, const char *table_name) {
  if (shared_is_missing()) return;
  char weights_path[512], folder[512], table_path[512];
  snprintf(weights_path, sizeof weights_path, "%s/models/%s", shared_folder(), weights_name);
  snprintf(folder, sizeof folder, "%s/cifar10/images", shared_folder());
  snprintf(table_path, sizeof table_path, "%s/cifar10/%s", shared_folder(), table_name);
  check_model(model, weights_path, folder, table_path);
}

Test(pretrained, shapes_resnet20) {
  check_model("resnet20-cifar", "resnet/shapes/shapes-resnet20.safetensors", "resnet/shapes/pictures",
              "resnet/shapes/logits.csv");
}

Test(pretrained, cifar10_resnet20) {
  check_shared("resnet20-cifar", "resnet20-cifar10.safetensors", "resnet20-logits.csv");
}

Test(pretrained, cifar10_resnet56) {
  check_shared("resnet56-cifar", "resnet56-cifar10.safetensors", "resnet56-logits.csv");
}
