/*
 * Work of every kind in one process for a long time: convolutions, networks, weights, plans and pictures, drawn at
 * random, each computed in two ways that have to agree in every bit, while memory, file descriptors and threads have
 * to stay as they are.
 *
 *   soak SECONDS [SEED [ROUND]]        e.g. soak 60, soak 7200 1
 *
 * ROUND is the first, which a failure names. A line a minute says how far it is. Exit 0: the same bits throughout, and
 * all is flat; 1: not so; 2: the command line. soak_watch.h has the rule of what is flat.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>

#include "bench/clock.h"
#include "bench/verify_internal.h"
#include "config.h"
#include "dispatch/conv.h"
#include "dispatch/status.h"
#include "resnet/file.h"
#include "resnet/network.h"
#include "tests/soak_watch.h"

enum { MOST_THREADS = 4, MOST_BATCH = 4, WAYS = 2, ROOM_FOR_PATH = 256 };

enum kind { KIND_CONVOLUTION, KIND_NETWORK, KIND_PICTURE, KIND_FILE, KINDS };

struct soak {
  uint64_t seed, first, round;
  double seconds;
  struct sk_random random; /* of the round: its number gives all that is drawn in it */
  char folder[64];
  size_t rounds[KINDS];
  struct watch watch;
};

/* What a round may multiply and accumulate, an image of a network at most: many short rounds find more than few long
 * ones. */
#define MOST_MACS_OF_CONVOLUTION 5e6
#define MOST_MACS_OF_NETWORK 150e6

/* How a result is computed: what it must not depend on. */
struct way {
  sk_isa isa;
  int threads;
  size_t batch, runs;
  bool in_own_thread; /* with which its OpenMP threads and its error message go */
};

static size_t draw(struct soak *soak, size_t from, size_t to) {
  return from + sk_random_below(&soak->random, to - from + 1);
}

static bool chance(struct soak *soak, size_t of) { return sk_random_below(&soak->random, of) == 0; }

static struct way draw_way(struct soak *soak, size_t most_batch) {
  sk_isa available[SK_ISA_COUNT] = {SK_ISA_GENERIC};
  size_t count = 0;
  for (int isa = SK_ISA_AUTO + 1; isa < SK_ISA_COUNT; isa++) {
    if (sk_isa_available((sk_isa)isa)) available[count++] = (sk_isa)isa;
  }
  const sk_isa isa = available[sk_random_below(&soak->random, count)];
  const int threads = (int)draw(soak, 1, MOST_THREADS);
  return (struct way){isa, threads, draw(soak, 1, most_batch), draw(soak, 1, 3), chance(soak, 4)};
}

static float *draw_floats(struct soak *soak, size_t count) {
  float *const values = sk_alloc(count * sizeof *values);
  if (values) sk_random_fill(&soak->random, SK_DATA_REALS, values, count);
  return values;
}

static sk_status fail_memory(void) { return sk_fail(SK_OUT_OF_MEMORY, "out of memory"); }

/* ---- Two ways ------------------------------------------------------------------------------------------------ */

/* Compute all `count` outputs of a subject in a way. */
typedef sk_status compute_fn(const void *subject, const struct way *way, float *y);

struct task {
  compute_fn *compute;
  const void *subject;
  const struct way *way;
  float *y;
  sk_status status;
  char message[512];
};

static void *carry_out(void *argument) {
  struct task *const task = argument;
  task->status = task->compute(task->subject, task->way, task->y);
  if (task->status) snprintf(task->message, sizeof task->message, "%s", sk_error_message());
  return NULL;
}

static sk_status carry_out_in_way(struct task *task) {
  pthread_t thread;
  if (!task->way->in_own_thread) {
    carry_out(task);
  } else if (pthread_create(&thread, NULL, carry_out, task) != 0 || pthread_join(thread, NULL) != 0) {
    return sk_fail(SK_UNSUPPORTED, "no thread can be made");
  }
  return task->status ? sk_fail(task->status, "%s", task->message) : SK_OK;
}

static sk_status fail_bits(const struct way ways[WAYS], const float *a, const float *b, size_t count) {
  size_t at = 0;
  while (at < count - 1 && memcmp(a + at, b + at, sizeof *a) == 0) at++;
  return sk_fail(SK_BAD_FORMAT, "value %zu of %zu: %a (%s, %d threads, batch %zu), %a (%s, %d threads, batch %zu)", at,
                 count, (double)a[at], sk_isa_name(ways[0].isa), ways[0].threads, ways[0].batch, (double)b[at],
                 sk_isa_name(ways[1].isa), ways[1].threads, ways[1].batch);
}

static sk_status compute_both(compute_fn *compute, const void *subject, const struct way ways[WAYS], size_t count) {
  float *y[WAYS] = {NULL};
  sk_status status = SK_OK;
  for (size_t i = 0; i < WAYS && !status; i++) {
    y[i] = sk_alloc(count * sizeof *y[i]);
    struct task task = {.compute = compute, .subject = subject, .way = &ways[i], .y = y[i]};
    status = y[i] ? carry_out_in_way(&task) : fail_memory();
  }
  if (!status && memcmp(y[0], y[1], count * sizeof *y[0]) != 0) status = fail_bits(ways, y[0], y[1], count);
  for (size_t i = 0; i < WAYS; i++) sk_free(y[i]);
  return status;
}

/* Two ways that have to agree: where the batch or the BLAS decides on bits, it is the same in both. */
static void draw_ways(struct soak *soak, struct way ways[WAYS], size_t most_batch, sk_algorithm algorithm) {
  for (size_t i = 0; i < WAYS; i++) ways[i] = draw_way(soak, most_batch);
  if (algorithm == SK_ALGORITHM_AUTO) ways[1].batch = ways[0].batch;
  if (algorithm == SK_ALGORITHM_GEMM) ways[1] = ways[0];
}

/* ---- Convolutions -------------------------------------------------------------------------------------------- */

struct convolution {
  sk_conv_shape shape;
  sk_conv_options options;
  size_t in, out; /* of an image */
  float *x, *weights, *bias, *residual;
};

static sk_status run_convolution(const struct convolution *c, const struct way *way, const sk_conv *plan, float *y) {
  void *const workspace = sk_alloc(sk_conv_workspace_bytes(plan));
  sk_status status = workspace ? SK_OK : fail_memory();
  for (size_t run = 0; run < way->runs; run++) {
    for (size_t n = 0; n < c->shape.batch && !status; n += way->batch) {
      const size_t last = c->shape.batch - way->batch, at = n < last ? n : last; /* a plan is of so many images */
      const float *const residual = c->residual ? c->residual + at * c->out : NULL;
      status = sk_conv_run(plan, c->x + at * c->in, residual, y + at * c->out, workspace);
    }
  }
  sk_free(workspace);
  return status;
}

static sk_status compute_convolution(const void *subject, const struct way *way, float *y) {
  const struct convolution *const c = subject;
  sk_conv_shape shape = c->shape;
  sk_conv_options options = c->options;
  sk_conv *plan = NULL;
  shape.batch = way->batch;
  options.isa = way->isa;
  options.threads = way->threads;
  sk_status status = sk_conv_create(&plan, &shape, c->weights, c->bias, &options);
  if (!status) status = run_convolution(c, way, plan, y);
  sk_conv_destroy(plan);
  return status;
}

static sk_conv_shape draw_shape(struct soak *soak) {
  static const size_t group_counts[] = {1, 1, 1, 2, 4, 32};
  const size_t groups = group_counts[draw(soak, 0, 5)], most = groups == 1 ? 80 : groups == 32 ? 2 : 24;
  sk_conv_shape s = {.batch = draw(soak, 1, MOST_BATCH), .groups = groups};
  s.in_channels = groups * draw(soak, 1, most);
  s.out_channels = groups * draw(soak, 1, most);
  s.in_height = draw(soak, 1, 40);
  s.in_width = draw(soak, 1, 40);
  const bool is_plain = chance(soak, 2); /* what Winograd may run */
  s.kernel_height = is_plain ? 3 : draw(soak, 1, 7);
  s.kernel_width = is_plain ? 3 : draw(soak, 1, 7);
  s.stride_height = is_plain ? 1 : draw(soak, 1, 3);
  s.stride_width = is_plain ? 1 : draw(soak, 1, 3);
  s.dilation_height = is_plain ? 1 : draw(soak, 1, 2);
  s.dilation_width = is_plain ? 1 : draw(soak, 1, 2);
  s.pad_top = draw(soak, 0, 3);
  s.pad_bottom = draw(soak, 0, 3);
  s.pad_left = draw(soak, 0, 3);
  s.pad_right = draw(soak, 0, 3);
  return s;
}

/* Draw until a shape is valid and small; its output's pixels are returned. */
static size_t draw_small_shape(struct soak *soak, sk_conv_shape *shape) {
  for (;;) {
    size_t height, width;
    *shape = draw_shape(soak);
    if (sk_conv_output_size(shape, &height, &width)) continue;
    const size_t taps = shape->kernel_height * shape->kernel_width * shape->in_channels / shape->groups;
    const double macs = (double)(shape->batch * shape->out_channels * height * width) * (double)taps;
    if (macs <= MOST_MACS_OF_CONVOLUTION) return height * width;
  }
}

/* What does not apply runs direct. */
static sk_algorithm draw_algorithm(struct soak *soak, const sk_conv_shape *shape) {
  sk_algorithm chosen;
  const sk_algorithm drawn = (sk_algorithm)draw(soak, SK_ALGORITHM_AUTO, SK_ALGORITHM_COUNT - 1);
  return sk_conv_choose(shape, drawn, &chosen) ? SK_ALGORITHM_DIRECT : drawn;
}

static sk_status draw_convolution(struct soak *soak, struct convolution *c) {
  sk_conv_shape *const s = &c->shape;
  c->out = draw_small_shape(soak, s) * s->out_channels;
  c->in = s->in_channels * s->in_height * s->in_width;
  c->options.algorithm = draw_algorithm(soak, s);
  c->options.relu = chance(soak, 2);
  c->options.flush_denormals = c->options.algorithm != SK_ALGORITHM_GEMM && chance(soak, 4);
  c->options.residual = chance(soak, 2);
  const size_t taps = s->kernel_height * s->kernel_width * s->in_channels / s->groups;
  const bool has_bias = chance(soak, 2);
  c->x = draw_floats(soak, s->batch * c->in);
  c->weights = draw_floats(soak, s->out_channels * taps);
  if (has_bias) c->bias = draw_floats(soak, s->out_channels);
  if (c->options.residual) c->residual = draw_floats(soak, s->batch * c->out);
  const bool is_whole = c->x && c->weights && (c->bias || !has_bias) && (c->residual || !c->options.residual);
  return is_whole ? SK_OK : fail_memory();
}

static sk_status soak_convolution(struct soak *soak) {
  struct convolution c = {.in = 0};
  struct way ways[WAYS];
  sk_status status = draw_convolution(soak, &c);
  draw_ways(soak, ways, c.shape.batch, c.options.algorithm);
  if (!status) status = compute_both(compute_convolution, &c, ways, c.shape.batch * c.out);
  sk_free(c.x);
  sk_free(c.weights);
  sk_free(c.bias);
  sk_free(c.residual);
  return status;
}

/* ---- Networks ------------------------------------------------------------------------------------------------ */

struct network {
  const char *model, *tap;
  struct sk_graph graph; /* without weights: what a plan and a tap are drawn from */
  sk_net_options options;
  sk_weights *weights;
  sk_plan *plan;
  size_t batch, in, classes;
  size_t tap_values; /* of an image; 0: there is none */
  float *x;
};

static void path_of(const struct soak *soak, const char *name, char path[ROOM_FOR_PATH]) {
  snprintf(path, ROOM_FOR_PATH, "%s/%s", soak->folder, name);
}

/* Draw until a network is small. Its weights are, too, for most: drawing them takes its time. */
static void draw_model(struct soak *soak, struct network *n) {
  sk_model_info info;
  double macs;
  const uint64_t most = chance(soak, 16) ? 30000000 : 2000000;
  do {
    if (sk_model_at(draw(soak, 0, sk_model_count() - 1), &info)) abort();
    n->model = info.name;
    n->batch = draw(soak, 1, MOST_BATCH);
    n->options.in_height = draw(soak, 32, 56);
    n->options.in_width = draw(soak, 32, 56);
    macs = (double)info.macs / (double)(info.in_height * info.in_width);
    macs *= (double)(n->batch * n->options.in_height * n->options.in_width);
  } while (info.parameters > most || macs > MOST_MACS_OF_NETWORK);
}

static void count_layer(void *user, size_t layer) {
  size_t *const layers = user;
  if (*layers <= layer) *layers = layer + 1;
}

/* Run a piece of the images; those with a tap write its values behind the outputs. */
static sk_status run_piece(const struct network *n, const sk_net *net, size_t first, size_t batch, float *y,
                           void *workspace) {
  size_t layers = 0;
  sk_status status = first % 2 == 0 ? sk_net_run(net, batch, n->x + first * n->in, y + first * n->classes, workspace)
                                    : sk_net_run_observed(net, batch, n->x + first * n->in, y + first * n->classes,
                                                          workspace, count_layer, &layers);
  if (!status && n->tap_values > 0) {
    status = sk_net_tap(net, 0, batch, workspace, y + n->batch * n->classes + first * n->tap_values);
  }
  return status;
}

static sk_status run_network(const struct network *n, const struct way *way, const sk_net *net, float *y) {
  sk_net_info info;
  sk_net_describe(net, &info);
  void *const workspace = sk_alloc(info.workspace_bytes);
  sk_status status = workspace ? SK_OK : fail_memory();
  for (size_t run = 0; run < way->runs; run++) {
    for (size_t first = 0; first < n->batch && !status; first += way->batch) {
      const size_t left = n->batch - first;
      status = run_piece(n, net, first, left < way->batch ? left : way->batch, y, workspace);
    }
  }
  sk_free(workspace);
  return status;
}

static sk_status compute_network(const void *subject, const struct way *way, float *y) {
  const struct network *const n = subject;
  sk_net_options options = n->options;
  sk_net *net = NULL;
  options.isa = way->isa;
  options.threads = way->threads;
  options.batch = way->batch;
  sk_status status = sk_net_create(&net, n->model, n->weights, &options);
  if (!status) status = run_network(n, way, net, y);
  sk_net_destroy(net);
  return status;
}

/* Seeded weights; every other network has them from a file. */
static sk_status make_weights(struct soak *soak, struct network *n) {
  char path[ROOM_FOR_PATH];
  sk_status status = sk_weights_random(&n->weights, n->model, n->classes, sk_random_next(&soak->random));
  if (status || chance(soak, 2)) return status;
  path_of(soak, "weights.safetensors", path);
  status = sk_weights_save(n->weights, path);
  sk_weights_close(n->weights);
  n->weights = NULL;
  return status ? status : sk_weights_open(&n->weights, path);
}

static void write_text(struct sk_file_writer *writer, const char *format, ...) {
  char text[512];
  va_list values;
  va_start(values, format);
  const int length = vsnprintf(text, sizeof text, format, values);
  va_end(values);
  sk_file_write(writer, text, length > 0 ? (size_t)length : 0);
}

static void write_plan(struct soak *soak, struct sk_file_writer *writer, const struct network *n) {
  const char *separator = "";
  write_text(writer,
             "{\"format\": \"skiplane-plan 1\", \"model\": \"%s\", \"element_type\": \"float32\", "
             "\"direction\": \"forward\", \"in_height\": %zu, \"in_width\": %zu, \"batch\": 1, \"isa\": \"generic\", "
             "\"threads\": 1, \"cpu\": \"any\", \"version\": \"%s\", \"layers\": [",
             n->model, n->options.in_height, n->options.in_width, sk_version());
  for (size_t i = 0; i < n->graph.count; i++) {
    const struct sk_node *const node = &n->graph.nodes[i];
    if (node->op != SK_NODE_CONV) continue;
    sk_algorithm algorithm = SK_ALGORITHM_DIRECT;
    if (chance(soak, 2)) sk_conv_choose(&node->conv, SK_ALGORITHM_AUTO, &algorithm);
    write_text(writer, "%s\n{\"name\": \"%s\", \"shape\": \"%s\", \"algorithm\": \"%s\"}", separator, node->name,
               sk_conv_node_shape(node).text, sk_algorithm_name(algorithm));
    separator = ",";
  }
  write_text(writer, "]}\n");
}

/* Write a plan file for the network, and open it. */
static sk_status make_plan(struct soak *soak, struct network *n) {
  struct sk_file_writer writer;
  char path[ROOM_FOR_PATH];
  path_of(soak, "network.plan", path);
  const sk_status status = sk_file_writer_open(&writer, path);
  if (status) return status;
  write_plan(soak, &writer, n);
  const sk_status written = sk_file_writer_commit(&writer);
  return written ? written : sk_plan_open(&n->plan, path);
}

static void draw_tap(struct soak *soak, struct network *n) {
  const struct sk_node *const node = &n->graph.nodes[draw(soak, 1, n->graph.count - 1)];
  n->tap = node->name;
  n->tap_values = node->channels * node->height * node->width;
  n->options.taps = &n->tap;
  n->options.tap_count = 1;
}

/* What applies to no convolution of the network is refused: such runs direct. */
static sk_algorithm draw_network_algorithm(struct soak *soak, const struct sk_graph *graph) {
  static const sk_algorithm algorithms[] = {SK_ALGORITHM_AUTO,      SK_ALGORITHM_DIRECT,    SK_ALGORITHM_WINOGRAD2,
                                            SK_ALGORITHM_WINOGRAD4, SK_ALGORITHM_WINOGRAD6, SK_ALGORITHM_STRASSEN,
                                            SK_ALGORITHM_WINOGRAD3};
  const sk_algorithm drawn = algorithms[draw(soak, 0, sizeof algorithms / sizeof algorithms[0] - 1)];
  for (size_t i = 0; i < graph->count; i++) {
    const struct sk_node *const node = &graph->nodes[i];
    sk_algorithm chosen;
    if (node->op == SK_NODE_CONV && sk_conv_choose(&node->conv, drawn, &chosen) == SK_OK) return drawn;
  }
  return SK_ALGORITHM_DIRECT;
}

static sk_status draw_network(struct soak *soak, struct network *n) {
  draw_model(soak, n);
  n->classes = draw(soak, 1, 30);
  n->options.classes = n->classes;
  n->options.version = chance(soak, 2) ? SK_RESNET_V1 : SK_RESNET_V1_5;
  n->options.softmax = chance(soak, 2);
  n->options.flush_denormals = chance(soak, 4);
  n->in = 3 * n->options.in_height * n->options.in_width;
  sk_status status = sk_network_build(&n->graph, n->model, &n->options);
  if (!status) status = make_weights(soak, n);
  if (!status && chance(soak, 2)) {
    status = make_plan(soak, n);
    n->options.plan = n->plan;
  } else {
    n->options.algorithm = draw_network_algorithm(soak, &n->graph);
  }
  if (!status && chance(soak, 2)) draw_tap(soak, n);
  n->x = draw_floats(soak, n->batch * n->in);
  return status || n->x ? status : fail_memory();
}

static sk_status soak_network(struct soak *soak) {
  struct network n = {.batch = 0};
  struct way ways[WAYS];
  sk_status status = draw_network(soak, &n);
  draw_ways(soak, ways, n.batch, n.plan ? SK_ALGORITHM_DIRECT : n.options.algorithm);
  if (!status) status = compute_both(compute_network, &n, ways, n.batch * (n.classes + n.tap_values));
  sk_plan_close(n.plan);
  sk_weights_close(n.weights);
  sk_graph_destroy(&n.graph);
  sk_free(n.x);
  return status;
}

/* ---- Pictures and other files -------------------------------------------------------------------------------- */

struct picture {
  const char *path;
  size_t resize, height, width;
};

static sk_status prepare_picture(const struct picture *picture, const sk_image *image, float *y) {
  const float mean[] = {0.5F, 0.4F, 0.3F}, standard_deviation[] = {0.2F, 0.3F, 0.4F};
  sk_image resized;
  sk_status status = sk_image_resize(image, picture->height, picture->width, &resized);
  if (status) return status;
  sk_image_close(&resized);
  return sk_image_prepare(image, picture->resize, picture->height, picture->width, mean, standard_deviation, y);
}

static sk_status compute_picture(const void *subject, const struct way *way, float *y) {
  const struct picture *const picture = subject;
  sk_image image;
  (void)way;
  sk_status status = sk_image_open(&image, picture->path);
  if (status) return status;
  status = prepare_picture(picture, &image, y);
  sk_image_close(&image);
  return status;
}

static sk_status soak_picture(struct soak *soak) {
  static const char *const paths[] = {"resnet/shapes/pictures/arrow-00.png", "resnet/shapes/pictures/star-01.png",
                                      "tests/fuzz/corpus/jpeg/baseline.jpg", "tests/fuzz/corpus/jpeg/progressive.jpg",
                                      "tests/fuzz/corpus/png/rgb.png",       "tests/fuzz/corpus/png/interlaced16.png"};
  char path[ROOM_FOR_PATH];
  snprintf(path, sizeof path, "%s/%s", SK_SOURCE_FOLDER, paths[draw(soak, 0, sizeof paths / sizeof *paths - 1)]);
  const size_t height = draw(soak, 1, 64), width = draw(soak, 1, 64);
  const size_t side = height > width ? height : width;
  const struct picture picture = {path, chance(soak, 2) ? 0 : side + draw(soak, 0, 20), height, width};
  const struct way ways[WAYS] = {draw_way(soak, 1), draw_way(soak, 1)};
  const sk_status status = compute_both(compute_picture, &picture, ways, 3 * height * width);
  return status == SK_UNSUPPORTED ? SK_OK : status; /* built without the library for it */
}

/* Write the beginning of a file with one byte changed. */
static sk_status write_damaged(struct soak *soak, const char *path, const struct sk_file_map *map) {
  struct sk_file_writer writer;
  const sk_status status = sk_file_writer_open(&writer, path);
  if (status) return status;
  const size_t most = map->length < 65536 ? map->length : 65536;
  const size_t length = sk_random_below(&soak->random, most + 1), at = sk_random_below(&soak->random, length + 1);
  const char changed = (char)draw(soak, 1, 127);
  const char *const bytes = map->data;
  sk_file_write(&writer, bytes, at);
  sk_file_write(&writer, &changed, 1);
  if (at < length) sk_file_write(&writer, bytes + at + 1, length - at - 1);
  return sk_file_writer_commit(&writer);
}

/* Damage a file that a network wrote: opening it as one kind or the other fails, or not, as it may. */
static sk_status soak_file(struct soak *soak) {
  static const char *const names[] = {"weights.safetensors", "network.plan"};
  struct sk_file_map map;
  char path[ROOM_FOR_PATH];
  path_of(soak, names[draw(soak, 0, 1)], path);
  if (sk_file_map_open(&map, path)) return SK_OK; /* no network has written one yet */
  path_of(soak, "damaged", path);
  const sk_status status = write_damaged(soak, path, &map);
  sk_file_map_close(&map);
  if (status) return status;
  sk_weights *weights = NULL;
  sk_plan *plan = NULL;
  if (sk_weights_open(&weights, path) == SK_OK) sk_weights_close(weights);
  if (sk_plan_open(&plan, path) == SK_OK) sk_plan_close(plan);
  return SK_OK;
}

/* ---- Rounds -------------------------------------------------------------------------------------------------- */

static sk_status soak_round(struct soak *soak) {
  static sk_status (*const of_kind[KINDS])(struct soak *) = {soak_convolution, soak_network, soak_picture, soak_file};
  char name[32];
  snprintf(name, sizeof name, "round %" PRIu64, soak->round);
  soak->random = sk_random_start(soak->seed, name);
  static const size_t often[] = {KIND_CONVOLUTION, KIND_CONVOLUTION, KIND_CONVOLUTION, KIND_CONVOLUTION,
                                 KIND_NETWORK,     KIND_PICTURE,     KIND_PICTURE,     KIND_FILE};
  const size_t kind = often[draw(soak, 0, 7)];
  soak->rounds[kind]++;
  return of_kind[kind](soak);
}

/* As many threads as any round asks for, of OpenMP and of the BLAS, so that none come later. */
static sk_status start_threads(void) {
  static const sk_algorithm algorithms[] = {SK_ALGORITHM_DIRECT, SK_ALGORITHM_GEMM};
  const sk_conv_shape shape = {1, 64, 32, 32, 64, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1};
  sk_status status = SK_OK;
  for (size_t i = 0; i < 2 && !status; i++) {
    static float x[64 * 32 * 32], weights[64 * 64], y[64 * 32 * 32];
    const struct convolution c = {.shape = shape, .options = {.algorithm = algorithms[i]}, .x = x, .weights = weights};
    const struct way way = {SK_ISA_GENERIC, MOST_THREADS, 1, 1, false};
    status = compute_convolution(&c, &way, y);
    if (status == SK_UNSUPPORTED) status = SK_OK; /* built without a BLAS */
  }
  return status;
}

/* What a BLAS packs matrices into stays with it: it takes its pages with the largest that a round may draw, not when
 * one is drawn. */
static sk_status fill_buffers_of_blas(struct soak *soak) {
  static const sk_conv_shape shape = {1, 80, 40, 40, 80, 7, 7, 1, 1, 1, 1, 3, 3, 3, 3, 1};
  const size_t values = shape.in_channels * shape.in_height * shape.in_width, taps = 7 * 7 * shape.in_channels;
  struct convolution c = {.shape = shape, .options = {.algorithm = SK_ALGORITHM_GEMM}};
  c.x = draw_floats(soak, values);
  c.weights = draw_floats(soak, shape.out_channels * taps);
  float *const y = sk_alloc(values * sizeof *y);
  sk_status status = c.x && c.weights && y ? SK_OK : fail_memory();
  for (int threads = 1; threads <= MOST_THREADS && !status; threads++) {
    const struct way way = {SK_ISA_GENERIC, threads, 1, 1, false};
    status = compute_convolution(&c, &way, y);
  }
  sk_free(c.x);
  sk_free(c.weights);
  sk_free(y);
  return status == SK_UNSUPPORTED ? SK_OK : status; /* built without a BLAS */
}

static void print_progress(const struct soak *soak, double now, const struct watch_reading *reading) {
  printf("soak: %4.0f min, round %" PRIu64
         " (%zu convolutions, %zu networks, %zu pictures, %zu damaged files), "
         "%.0f KiB resident, %.0f KiB in use of the heap, %zu descriptors, %zu threads\n",
         (now - soak->watch.begin) / 60, soak->round, soak->rounds[KIND_CONVOLUTION], soak->rounds[KIND_NETWORK],
         soak->rounds[KIND_PICTURE], soak->rounds[KIND_FILE], reading->kib[WATCH_RESIDENT], reading->kib[WATCH_HEAP],
         reading->descriptors, reading->threads);
  fflush(stdout);
}

static sk_status check_constant(const struct watch_reading *reading, const struct watch_reading *first) {
  if (reading->descriptors == first->descriptors && reading->threads == first->threads) return SK_OK;
  return sk_fail(SK_BAD_FORMAT, "%zu file descriptors and %zu threads, expected %zu and %zu", reading->descriptors,
                 reading->threads, first->descriptors, first->threads);
}

/* Rounds until the time is over, each read after; the threads are those of the start, brought back to their number. */
static sk_status soak_rounds(struct soak *soak) {
  sk_status status = start_threads();
  if (!status) status = fill_buffers_of_blas(soak);
  if (status) return status;
  const struct watch_reading first = watch_read(SIZE_MAX);
  double now = sk_clock_seconds(), next = 60;
  soak->watch.begin = now;
  soak->watch.seconds = soak->seconds;
  for (soak->round = soak->first; now - soak->watch.begin < soak->seconds && !status; soak->round++) {
    status = soak_round(soak);
    if (!status) status = start_threads();
    const struct watch_reading reading = watch_read(first.threads);
    if (!status) status = check_constant(&reading, &first);
    if (status) break;
    now = sk_clock_seconds();
    watch_note(&soak->watch, now, (double)(soak->round - soak->first + 1), &reading);
    if (now - soak->watch.begin < next) continue;
    print_progress(soak, now, &reading);
    next = now - soak->watch.begin + 60;
  }
  return status;
}

static void remove_folder(const struct soak *soak) {
  static const char *const names[] = {"weights.safetensors", "network.plan", "damaged"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[ROOM_FOR_PATH];
    path_of(soak, names[i], path);
    remove(path);
  }
  rmdir(soak->folder);
}

static int finish(struct soak *soak, sk_status status) {
  if (status) {
    printf("soak: FAILED in round %" PRIu64 " of seed %" PRIu64 ": %s\n", soak->round, soak->seed, sk_error_message());
    return 1;
  }
  const struct watch_reading reading = watch_read(SIZE_MAX);
  print_progress(soak, sk_clock_seconds(), &reading);
  const bool is_flat = watch_report(&soak->watch);
  printf("soak: seed %" PRIu64 ", %.0f s: %s\n", soak->seed, soak->seconds, is_flat ? "ok" : "FAILED");
  return is_flat ? 0 : 1;
}

static bool parse_number(const char *text, uint64_t *value) {
  char *end;
  *value = strtoull(text, &end, 10);
  return *text >= '0' && *text <= '9' && *end == 0;
}

static bool parse_arguments(struct soak *soak, int count, char **arguments) {
  uint64_t seconds = 0;
  if (count < 2 || count > 4 || !parse_number(arguments[1], &seconds) || seconds == 0) return false;
  soak->seconds = (double)seconds;
  soak->seed = 1;
  return (count < 3 || parse_number(arguments[2], &soak->seed)) &&
         (count < 4 || parse_number(arguments[3], &soak->first));
}

int main(int count, char **arguments) {
  static struct soak soak = {.folder = "/tmp/skiplane-soak-XXXXXX"};
  if (!parse_arguments(&soak, count, arguments)) {
    fprintf(stderr, "usage: soak SECONDS [SEED [ROUND]]\n");
    return 2;
  }
  if (!mkdtemp(soak.folder)) {
    fprintf(stderr, "soak: cannot make a folder in /tmp\n");
    return 1;
  }
  const int code = finish(&soak, soak_rounds(&soak));
  remove_folder(&soak);
  return code;
}
