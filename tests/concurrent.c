/*
 * Several threads at once do what skiplane.h lets them: run shared plans, each with a workspace of its own, make plans
 * and networks, open and save files, fail and read their errors. For the thread sanitizer, which sees the races; what
 * comes out is compared as well.
 *
 *   concurrent WEIGHTS PICTURE FOLDER        e.g. concurrent w.safetensors arrow.png /tmp/x: FOLDER takes what is saved
 *
 * The weights are of the network below. Exit 0: every result was the expected one; 1: not so.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "skiplane.h"

#define MODEL "resnet20-cifar"

enum { THREADS = 4, CYCLES = 2, PLANS = 4, CHANNELS = 20, SIDE = 9, IMAGE = 3 * 32 * 32, CLASSES = 10 };
enum { VALUES = CHANNELS * SIDE * SIDE };

static const sk_algorithm algorithms[PLANS] = {SK_ALGORITHM_DIRECT, SK_ALGORITHM_WINOGRAD2, SK_ALGORITHM_WINOGRAD4,
                                               SK_ALGORITHM_WINOGRAD6};
static const sk_conv_shape shape = {1, CHANNELS, SIDE, SIDE, CHANNELS, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1};

/* What all threads read, made before they start, and the results that are to come out. */
struct shared {
  const char *weights_path, *picture_path, *folder;
  sk_weights *weights;
  sk_net *net;
  sk_conv *plans[PLANS];
  float image[IMAGE], logits[CLASSES];
  float x[VALUES], filters[CHANNELS * CHANNELS * 9], y[PLANS][VALUES];
};

struct worker {
  pthread_t thread;
  pthread_barrier_t *start;
  struct shared *shared;
  size_t number, done;
  bool failed;
};

static void fill(float *values, size_t count) {
  for (size_t i = 0; i < count; i++) values[i] = (float)((i * 2654435761U >> 8) % 2001) / 1000 - 1;
}

static bool held(sk_status status) {
  if (status) fprintf(stderr, "concurrent: %s\n", sk_error_message());
  return status == SK_OK;
}

static bool equal(const char *what, const float *a, const float *b, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (a[i] == b[i]) continue;
    fprintf(stderr, "concurrent: %s: value %zu is %a, expected %a\n", what, i, (double)a[i], (double)b[i]);
    return false;
  }
  return true;
}

/* ---- Jobs ---------------------------------------------------------------------------------------------------- */

static void count_layer(void *user, size_t layer) { *(size_t *)user += layer + 1; }

static bool run_net(const struct shared *s, const sk_net *net, float *logits) {
  sk_net_info info;
  size_t layers = 0;
  sk_net_describe(net, &info);
  void *const workspace = sk_alloc(info.workspace_bytes);
  const bool ran = workspace && held(sk_net_run_observed(net, 1, s->image, logits, workspace, count_layer, &layers));
  sk_free(workspace);
  return ran && layers > 0;
}

static bool run_plan(const struct shared *s, const sk_conv *plan, float *y) {
  void *const workspace = sk_alloc(sk_conv_workspace_bytes(plan));
  const bool ran = workspace && held(sk_conv_run(plan, s->x, NULL, y, workspace));
  sk_free(workspace);
  return ran;
}

static bool run_shared_net(struct shared *s, size_t number) {
  float logits[CLASSES];
  (void)number;
  return run_net(s, s->net, logits) && equal("shared network", logits, s->logits, CLASSES);
}

static bool run_shared_plans(struct shared *s, size_t number) {
  float y[VALUES];
  for (size_t i = 0; i < PLANS; i++) {
    const size_t p = (i + number) % PLANS;
    if (!run_plan(s, s->plans[p], y) || !equal("shared plan", y, s->y[p], VALUES)) return false;
  }
  return true;
}

static bool make_net(struct shared *s, size_t number) {
  float logits[CLASSES];
  sk_net *net = NULL;
  const sk_net_options options = {.algorithm = SK_ALGORITHM_WINOGRAD4, .threads = (int)(number % 3 + 1)};
  if (!held(sk_net_create(&net, MODEL, s->weights, &options))) return false;
  const bool fits = run_net(s, net, logits) && equal("network of its own", logits, s->logits, CLASSES);
  sk_net_destroy(net);
  return fits;
}

static bool make_plans(struct shared *s, size_t number) {
  float y[VALUES];
  bool fits = true;
  for (size_t i = 0; i < PLANS && fits; i++) {
    sk_conv *plan = NULL;
    const size_t p = (i + number) % PLANS;
    const sk_conv_options options = {.isa = number % 2 ? SK_ISA_AUTO : SK_ISA_GENERIC,
                                     .algorithm = algorithms[p],
                                     .threads = (int)(number % 3 + 1),
                                     .flush_denormals = number == 2};
    fits = held(sk_conv_create(&plan, &shape, s->filters, NULL, &options)) && run_plan(s, plan, y) &&
           equal("plan of its own", y, s->y[p], VALUES);
    sk_conv_destroy(plan);
  }
  return fits;
}

static bool open_and_save_weights(struct shared *s, size_t number) {
  char path[512];
  sk_weights *weights = NULL;
  snprintf(path, sizeof path, "%s/%zu.safetensors", s->folder, number);
  if (!held(sk_weights_open(&weights, s->weights_path))) return false;
  bool fits = sk_weights_nonfinite(s->weights) == 0 && held(sk_weights_save(s->weights, path));
  sk_weights_close(weights);
  fits = fits && held(sk_weights_open(&weights, path));
  if (fits) sk_weights_close(weights);
  remove(path);
  return fits;
}

static bool draw_weights(struct shared *s, size_t number) {
  sk_weights *weights = NULL;
  (void)s;
  if (!held(sk_weights_random(&weights, MODEL, 0, number))) return false;
  sk_weights_close(weights);
  return true;
}

static bool open_picture(struct shared *s, size_t number) {
  const float zero[3] = {0, 0, 0}, one[3] = {1, 1, 1};
  float out[IMAGE];
  sk_image image;
  (void)number;
  const sk_status status = sk_image_open(&image, s->picture_path);
  if (status == SK_UNSUPPORTED) return true; /* built without the library for it */
  if (!held(status)) return false;
  const bool fits = held(sk_image_prepare(&image, 0, 32, 32, zero, one, out));
  sk_image_close(&image);
  return fits;
}

/* The message is that of the thread's own failure, whatever the others do before it is read. */
static bool fail(struct shared *s, size_t number) {
  char name[64];
  sk_plan *plan = NULL;
  sk_isa isa;
  (void)s;
  snprintf(name, sizeof name, "/nonexistent/%zu.plan", number);
  for (size_t i = 0; i < 500; i++) {
    if (sk_plan_open(&plan, name) != SK_IO_ERROR) return false;
    sched_yield();
    if (!strstr(sk_error_message(), name)) return false;
    if (sk_isa_parse(name, &isa) != SK_INVALID_ARGUMENT || !strstr(sk_error_message(), name)) return false;
  }
  return true;
}

static bool choose_isa(struct shared *s, size_t number) {
  sk_isa isa = SK_ISA_AUTO;
  sk_model_info info;
  (void)s;
  (void)number;
  if (!held(sk_isa_choose(SK_ISA_AUTO, &isa)) || !sk_isa_available(isa) || !sk_isa_built(isa)) return false;
  return held(sk_model_find(MODEL, &info)) && strcmp(info.name, MODEL) == 0;
}

/* ---- Threads ------------------------------------------------------------------------------------------------- */

typedef bool job_fn(struct shared *s, size_t number);
static job_fn *const jobs[] = {run_shared_net, run_shared_plans, make_net, make_plans, open_and_save_weights,
                               draw_weights,   open_picture,     fail,     choose_isa};
enum { JOBS = sizeof jobs / sizeof jobs[0] };

/* In odd cycles all threads are at the same job, in even ones each is at another. */
static void *work(void *argument) {
  struct worker *const w = argument;
  for (size_t i = 0; i < CYCLES * JOBS; i++) {
    const size_t job = (i + (i < JOBS ? 0 : w->number)) % JOBS;
    pthread_barrier_wait(w->start);
    if (!jobs[job](w->shared, w->number)) w->failed = true;
    w->done++;
  }
  return NULL;
}

static bool work_together(struct shared *s) {
  struct worker workers[THREADS];
  pthread_barrier_t start;
  size_t done = 0, failed = 0;
  if (pthread_barrier_init(&start, NULL, THREADS)) return false;
  for (size_t i = 0; i < THREADS; i++) {
    workers[i] = (struct worker){.start = &start, .shared = s, .number = i};
    if (pthread_create(&workers[i].thread, NULL, work, &workers[i])) abort(); /* the others would wait for it */
  }
  for (size_t i = 0; i < THREADS; i++) {
    pthread_join(workers[i].thread, NULL);
    done += workers[i].done;
    failed += workers[i].failed;
  }
  pthread_barrier_destroy(&start);
  printf("concurrent: %d threads, %zu jobs, %zu of the threads with a wrong result\n", THREADS, done, failed);
  return failed == 0;
}

/* Make what is shared, and its results on one thread. */
static bool prepare(struct shared *s) {
  const sk_net_options options = {.algorithm = SK_ALGORITHM_WINOGRAD4, .threads = 2};
  fill(s->image, IMAGE);
  fill(s->x, VALUES);
  fill(s->filters, sizeof s->filters / sizeof *s->filters);
  if (!held(sk_weights_open(&s->weights, s->weights_path))) return false;
  if (!held(sk_net_create(&s->net, MODEL, s->weights, &options)) || !run_net(s, s->net, s->logits)) return false;
  for (size_t p = 0; p < PLANS; p++) {
    const sk_conv_options of_plan = {.algorithm = algorithms[p], .threads = 2};
    if (!held(sk_conv_create(&s->plans[p], &shape, s->filters, NULL, &of_plan))) return false;
    if (!run_plan(s, s->plans[p], s->y[p])) return false;
  }
  return true;
}

static void discard(struct shared *s) {
  for (size_t p = 0; p < PLANS; p++) sk_conv_destroy(s->plans[p]);
  sk_net_destroy(s->net);
  sk_weights_close(s->weights);
}

int main(int count, char **arguments) {
  static struct shared shared;
  if (count != 4) {
    fprintf(stderr, "usage: concurrent WEIGHTS PICTURE FOLDER\n");
    return 2;
  }
  shared.weights_path = arguments[1];
  shared.picture_path = arguments[2];
  shared.folder = arguments[3];
  const bool fits = prepare(&shared) && work_together(&shared);
  discard(&shared);
  return fits ? 0 : 1;
}
