/* Cases for whole networks: each image has the same logits, bit for bit, whatever runs beside it, on any number of
 * threads and any ISA. */
#include <math.h>
#include <stdlib.h>

#include "bench/verify_internal.h"

#define MODEL "resnet20-cifar"
enum { IMAGES = 5, MAX_THREADS = 4 };

/* The images and their logits, made when they are first asked for, and shared by all ISAs. */
struct net_fixture {
  sk_algorithm algorithm;
  sk_weights *weights;
  size_t in_floats, classes;
  float *x, *logits; /* [IMAGES] */
};

static bool held(struct sk_verify *v, sk_status status) {
  if (status) sk_verify_fail(v, "%s", sk_error_message());
  return status == SK_OK;
}

/* Make a network and run `batch` images from `first` on. */
static void run_net(struct sk_verify *v, const struct net_fixture *f, const sk_net_options *options, size_t batch,
                    size_t first, float *logits) {
  sk_net *net = NULL;
  sk_net_info info;
  if (!held(v, sk_net_create(&net, MODEL, f->weights, options))) return;
  sk_net_describe(net, &info);
  void *workspace = sk_verify_scratch(v, info.workspace_bytes);
  sk_fill_canaries(workspace, info.workspace_bytes / sizeof(float));
  held(v, sk_net_run(net, batch, f->x + first * f->in_floats, logits, workspace));
  sk_net_destroy(net);
}

static void prepare(struct sk_verify *v, struct net_fixture *f) {
  sk_model_info info;
  if (f->logits || !held(v, sk_model_find(MODEL, &info)) ||
      !held(v, sk_weights_random(&f->weights, MODEL, 0, v->options->seed)))
    return;
  struct sk_random random = sk_random_start(v->options->seed, MODEL);
  f->in_floats = info.in_channels * info.in_height * info.in_width;
  f->classes = info.classes;
  f->x = sk_alloc(IMAGES * f->in_floats * sizeof *f->x);
  f->logits = sk_alloc(IMAGES * f->classes * sizeof *f->logits);
  if (!f->x || !f->logits) {
    sk_verify_fail(v, "out of memory");
    return;
  }
  sk_random_fill(&random, SK_DATA_REALS, f->x, IMAGES * f->in_floats);
  const sk_net_options options = {.isa = SK_ISA_GENERIC, .algorithm = f->algorithm, .threads = 1, .batch = 1};
  for (size_t n = 0; n < IMAGES && !sk_verify_failed(v); n++) {
    run_net(v, f, &options, 1, n, f->logits + n * f->classes);
  }
}

static void check_logits(struct sk_verify *v, const struct net_fixture *f, size_t batch, size_t first,
                         const float *logits) {
  for (size_t i = 0; i < batch * f->classes; i++) {
    const struct sk_expected expected = {f->logits[first * f->classes + i], true, 0, INFINITY};
    if (!sk_verify_value(v, logits[i], &expected, "logits", first + i / f->classes, i % f->classes, 0)) return;
  }
}

/* Batches of every size, by default the odd ones, planned for themselves or for more, at both ends of the images. */
static void net_case(struct sk_verify *v, const void *parameters) {
  struct net_fixture *f = (struct net_fixture *)(uintptr_t)parameters;
  const size_t step = sk_verify_exhaustive(v) ? 1 : 2;
  prepare(v, f);
  for (size_t batch = 1; batch <= IMAGES && !sk_verify_failed(v); batch += step) {
    const size_t mark = v->scratch_count, first = batch > IMAGES / 2 ? IMAGES - batch : 1;
    const sk_net_options options = {.isa = v->kernels->isa,
                                    .algorithm = f->algorithm,
                                    .threads = (int)(batch % MAX_THREADS + 1),
                                    .batch = batch % 3 ? batch : IMAGES};
    float *logits = sk_verify_floats(v, batch * f->classes);
    sk_verify_at(v, "%zu images from %zu on, planned for %zu, %d threads", batch, first, options.batch,
                 options.threads);
    run_net(v, f, &options, batch, first, logits);
    if (!sk_verify_failed(v)) check_logits(v, f, batch, first, logits);
    sk_verify_release(v, mark);
  }
}

static void free_fixture(struct net_fixture *f) {
  sk_weights_close(f->weights);
  sk_free(f->x);
  sk_free(f->logits);
}

void sk_verify_net_bits(struct sk_verify *v) {
  /* The first of them has layers of every kind: those that it does not apply to run direct. */
  static const sk_algorithm algorithms[] = {SK_ALGORITHM_WINOGRAD4, SK_ALGORITHM_DIRECT, SK_ALGORITHM_WINOGRAD2,
                                            SK_ALGORITHM_WINOGRAD6};
  const size_t count = sk_verify_exhaustive(v) ? sizeof algorithms / sizeof algorithms[0] : 1;
  for (size_t a = 0; a < count; a++) {
    struct net_fixture fixture = {.algorithm = algorithms[a]};
    const char *algorithm = sk_algorithm_name(algorithms[a]);
    const struct sk_verify_case c = {"net bits", algorithm, net_case, &fixture};
    sk_verify_run(v, &c, "net_bits/" MODEL "/%s", algorithm);
    free_fixture(&fixture);
  }
}
