/*
 * Cases that draw: any convolution, and whatever its result must not depend on. Threads, batch, place in the batch,
 * layout, halos and the caches that blocking follows are drawn as well, and all bits must be the same: those of the
 * chains for direct and Strassen, those of the generic kernels on one image for Winograd.
 */
#include <math.h>
#include <string.h>

#include "bench/verify_bounds.h"
#include "bench/verify_chains.h"
#include "bench/verify_internal.h"
#include "bench/verify_strassen.h"
#include "dispatch/conv_internal.h"
#include "reference/reference.h"

enum { CASES = 300, MORE_CASES = 20000, WAYS = 4, MAX_IMAGES = 4, MAX_THREADS = 4 };

/* What is drawn once for a case. */
struct drawn {
  sk_conv_shape shape; /* of one image */
  size_t out_height, out_width, in_floats, out_floats;
  sk_algorithm algorithm;
  bool residual, relu;
  float *x, *weights, *bias, *added; /* x, added: [MAX_IMAGES] */
  float *bits;                       /* [MAX_IMAGES] */
};

/* ---- The convolution ---- */

static size_t between(struct sk_random *random, size_t least, size_t most) {
  return least + sk_random_below(random, most - least + 1);
}

static bool one_in(struct sk_random *random, size_t n) { return sk_random_below(random, n) == 0; }

/* Channels: one group mostly, else groups of any size, depthwise among them, or of whole blocks. */
static void draw_channels(struct sk_random *random, sk_conv_shape *s) {
  s->groups = one_in(random, 3) ? between(random, 2, 6) : 1;
  const bool whole_blocks = s->groups > 1 && one_in(random, 4);
  const size_t most = s->groups > 1 ? 9 : 36;
  s->in_channels = s->groups * (whole_blocks ? SK_BLOCK : between(random, 1, most));
  s->out_channels = s->groups * (whole_blocks ? SK_BLOCK : between(random, 1, most));
  if (s->groups > 1 && one_in(random, 4)) s->in_channels = s->out_channels = s->groups = between(random, 2, 40);
}

/* Make it one that Strassen's algorithm takes. */
static void make_halved(struct sk_random *random, sk_conv_shape *s) {
  s->in_channels = 2 * SK_BLOCK * between(random, 1, 3);
  s->out_channels = 2 * SK_BLOCK * between(random, 1, 3);
  s->groups = s->kernel_height = s->kernel_width = 1;
  s->pad_top = s->pad_bottom = s->pad_left = s->pad_right = 0;
}

/* Make it one whose phases F(3,4) takes. */
static void make_phased(struct sk_random *random, sk_conv_shape *s) {
  s->in_channels = between(random, 1, 4);
  s->out_channels = between(random, 1, 36);
  s->in_height = between(random, 4, 17);
  s->in_width = between(random, 4, 17);
  s->groups = s->dilation_height = s->dilation_width = 1;
  s->kernel_height = s->kernel_width = 7;
  s->stride_height = s->stride_width = 2;
}

/* Make it one whose groups Winograd takes, in tiles of several batches sometimes. */
static void make_grouped_tiles(struct sk_random *random, sk_conv_shape *s) {
  const size_t channels = SK_BLOCK >> sk_random_below(random, 3), groups_of_block = SK_BLOCK / channels;
  s->groups = groups_of_block * between(random, channels == SK_BLOCK ? 2 : 1, 3);
  s->in_channels = s->out_channels = s->groups * channels;
  if (one_in(random, 2)) s->in_width = between(random, 12, 40);
  s->kernel_height = s->kernel_width = 3;
  s->stride_height = s->stride_width = s->dilation_height = s->dilation_width = 1;
}

/* Half of the kernels and strides are those that Winograd takes. */
static void draw_shape(struct sk_random *random, sk_conv_shape *s) {
  const bool plain = one_in(random, 2), dilated = !plain && one_in(random, 3);
  *s = (sk_conv_shape){.batch = 1, .in_height = between(random, 1, 11), .in_width = between(random, 1, 11)};
  draw_channels(random, s);
  s->kernel_height = plain ? 3 : between(random, 1, 5);
  s->kernel_width = plain ? 3 : between(random, 1, 5);
  s->stride_height = plain ? between(random, 1, 2) : between(random, 1, 3);
  s->stride_width = plain ? s->stride_height : between(random, 1, 3);
  s->dilation_height = dilated ? between(random, 1, 3) : 1;
  s->dilation_width = dilated ? between(random, 1, 3) : 1;
  s->pad_top = between(random, 0, 2);
  s->pad_bottom = between(random, 0, 2);
  s->pad_left = between(random, 0, 2);
  s->pad_right = between(random, 0, 2);
  if (one_in(random, 6)) make_halved(random, s);
  if (one_in(random, 8)) make_phased(random, s);
  if (one_in(random, 8)) make_grouped_tiles(random, s);
}

static sk_algorithm draw_algorithm(struct sk_random *random, const sk_conv_shape *s) {
  static const sk_algorithm algorithms[] = {SK_ALGORITHM_DIRECT, SK_ALGORITHM_WINOGRAD2, SK_ALGORITHM_WINOGRAD4,
                                            SK_ALGORITHM_WINOGRAD6};
  sk_algorithm chosen;
  if (sk_conv_choose(s, SK_ALGORITHM_STRASSEN, &chosen) == SK_OK && one_in(random, 2)) return chosen;
  if (sk_conv_choose(s, SK_ALGORITHM_WINOGRAD3, &chosen) == SK_OK && one_in(random, 2)) return chosen;
  const sk_algorithm wanted = algorithms[sk_random_below(random, sizeof algorithms / sizeof algorithms[0])];
  return sk_conv_choose(s, wanted, &chosen) == SK_OK ? chosen : SK_ALGORITHM_DIRECT;
}

/* A few values that are not ordinary: what they spread to is part of the contract. */
static void sprinkle(struct sk_random *random, float *values, size_t count) {
  static const float specials[] = {NAN, INFINITY, -INFINITY, -0.0F, 0x1.8p-140F, -0x1p-149F, 0x1p-126F};
  for (size_t i = between(random, 1, 3); i > 0; i--) {
    values[sk_random_below(random, count)] = specials[sk_random_below(random, sizeof specials / sizeof specials[0])];
  }
}

/* Make products and sums subnormal. */
static void make_tiny(float *values, size_t count) {
  for (size_t i = 0; i < count; i++) values[i] *= 0x1p-126F;
}

static void draw(struct sk_verify *v, struct drawn *d) {
  struct sk_random *random = &v->random;
  *d = (struct drawn){0};
  do draw_shape(random, &d->shape);
  while (sk_conv_output_size(&d->shape, &d->out_height, &d->out_width) != SK_OK);
  const sk_conv_shape *s = &d->shape;
  d->algorithm = draw_algorithm(random, s);
  d->residual = one_in(random, 2);
  d->relu = one_in(random, 2);
  d->in_floats = s->in_channels * s->in_height * s->in_width;
  d->out_floats = s->out_channels * d->out_height * d->out_width;
  const size_t weight_floats = s->out_channels * (s->in_channels / s->groups) * s->kernel_height * s->kernel_width;
  d->x = sk_verify_random_floats(v, SK_DATA_REALS, MAX_IMAGES * d->in_floats);
  d->weights = sk_verify_random_floats(v, SK_DATA_REALS, weight_floats);
  d->added = sk_verify_random_floats(v, SK_DATA_REALS, MAX_IMAGES * d->out_floats);
  if (!one_in(random, 4)) d->bias = sk_verify_random_floats(v, SK_DATA_REALS, s->out_channels);
  if (one_in(random, 8)) make_tiny(d->x, MAX_IMAGES * d->in_floats);
  if (one_in(random, 4)) sprinkle(random, d->x, MAX_IMAGES * d->in_floats);
  if (one_in(random, 8)) sprinkle(random, d->weights, weight_floats);
}

/* ---- The bits ---- */

static bool chain_bits(const struct drawn *d) {
  sk_conv_shape all = d->shape;
  all.batch = MAX_IMAGES;
  const bool ready = d->algorithm == SK_ALGORITHM_STRASSEN ? sk_strassen_bits(&all, d->x, d->weights, d->bias, d->bits)
                                                           : sk_conv_chains(&all, d->x, d->weights, d->bias, d->bits);
  if (!ready) return false;
  for (size_t i = 0; i < MAX_IMAGES * d->out_floats; i++) {
    if (d->residual) d->bits[i] += d->added[i];
    if (d->relu && d->bits[i] < 0) d->bits[i] = 0;
  }
  return true;
}

static bool winograd_bits(struct sk_verify *v, const struct drawn *d) {
  const sk_conv_options options = {
      .isa = SK_ISA_GENERIC, .algorithm = d->algorithm, .threads = 1, .residual = d->residual, .relu = d->relu};
  if (sk_conv_create(&v->plan, &d->shape, d->weights, d->bias, &options)) return false;
  void *workspace = sk_verify_scratch(v, sk_conv_workspace_bytes(v->plan));
  for (size_t n = 0; n < MAX_IMAGES; n++) {
    const float *added = d->residual ? d->added + n * d->out_floats : NULL;
    if (sk_conv_run(v->plan, d->x + n * d->in_floats, added, d->bits + n * d->out_floats, workspace)) return false;
  }
  sk_conv_destroy(v->plan);
  v->plan = NULL;
  return true;
}

/* ---- One way to run it ---- */

struct way {
  sk_conv_options options;
  struct sk_cpu_caches caches;
  size_t planned, batch;    /* images */
  size_t image[MAX_IMAGES]; /* which of them stands where in the batch */
  enum sk_layout layout;
  size_t x_halo, y_halo, added_halo; /* beyond the smallest */
  bool in_place, plain;              /* plain: through sk_conv_run */
};

/* Bytes of a power of two and a half, so that every blocking from one register tile to all of a layer occurs. */
static size_t draw_cache(struct sk_random *random, size_t least, size_t doublings) {
  const size_t bytes = least << sk_random_below(random, doublings + 1);
  return one_in(random, 2) ? bytes : bytes / 2 * 3;
}

static struct way draw_way(struct sk_verify *v, const struct drawn *d) {
  struct sk_random *random = &v->random;
  struct way w = {.options = {.isa = v->kernels->isa,
                              .algorithm = d->algorithm,
                              .threads = (int)between(random, 1, MAX_THREADS),
                              .residual = d->residual,
                              .relu = d->relu}};
  w.caches.l1_bytes = draw_cache(random, 256, 8);
  w.caches.l2_bytes = draw_cache(random, 1024, 10);
  w.caches.l3_bytes = draw_cache(random, 64 * 1024, 8);
  w.planned = between(random, 1, MAX_IMAGES);
  w.plain = one_in(random, 4);
  w.batch = w.plain ? w.planned : between(random, 1, w.planned);
  for (size_t n = 0; n < w.batch; n++) w.image[n] = sk_random_below(random, MAX_IMAGES);
  const bool planar = sk_conv_reads_planar(d->algorithm) && sk_conv_takes_planar(&d->shape) && one_in(random, 2);
  w.layout = planar ? SK_LAYOUT_NCHW : SK_LAYOUT_NCHW16C;
  w.x_halo = sk_random_below(random, 3);
  w.y_halo = sk_random_below(random, 3);
  w.added_halo = sk_random_below(random, 3);
  w.in_place = one_in(random, 2);
  return w;
}

static void announce(struct sk_verify *v, const struct drawn *d, const struct way *w) {
  const sk_conv_shape *s = &d->shape;
  sk_verify_at(v,
               "%s, %zux%zux%zu to %zu, kernel %zux%zu, stride %zux%zu, dilation %zux%zu, pads %zu %zu %zu %zu, %zu "
               "groups%s%s%s; %d threads, batch %zu of %zu, caches %zu %zu %zu%s%s",
               sk_algorithm_name(d->algorithm), s->in_channels, s->in_height, s->in_width, s->out_channels,
               s->kernel_height, s->kernel_width, s->stride_height, s->stride_width, s->dilation_height,
               s->dilation_width, s->pad_top, s->pad_bottom, s->pad_left, s->pad_right, s->groups,
               d->bias ? ", bias" : "", d->residual ? ", residual" : "", d->relu ? ", relu" : "", w->options.threads,
               w->batch, w->planned, w->caches.l1_bytes, w->caches.l2_bytes, w->caches.l3_bytes,
               w->plain ? ", plain arrays" : "", w->layout == SK_LAYOUT_NCHW ? ", planar" : "");
}

/* The images of a batch, side by side. */
static float *gather(struct sk_verify *v, const struct way *w, const float *images, size_t floats) {
  float *batch = sk_verify_floats(v, w->batch * floats);
  for (size_t n = 0; n < w->batch; n++) {
    memcpy(batch + n * floats, images + w->image[n] * floats, floats * sizeof *batch);
  }
  return batch;
}

/* A tensor of canaries, which a run must not see; or of images, whose halo must be zero. */
static struct sk_tensor make_tensor(struct sk_verify *v, enum sk_layout layout, size_t channels, size_t height,
                                    size_t width, size_t halo, size_t batch, const float *images) {
  struct sk_tensor t = {NULL, layout, channels, height, width, halo, false};
  const size_t floats = batch * sk_tensor_image(&t);
  t.data = sk_verify_floats(v, floats);
  sk_fill_canaries(t.data, floats);
  if (images) sk_tensor_import(v->generic, &t, batch, images, 1);
  return t;
}

static float *new_workspace(struct sk_verify *v, size_t bytes) {
  const size_t floats = (bytes + SK_ALIGNMENT) / sizeof(float);
  float *workspace = sk_verify_floats(v, floats);
  sk_fill_canaries(workspace, floats);
  return workspace;
}

static bool made(struct sk_verify *v, sk_status status) {
  if (status) sk_verify_fail(v, "%s", sk_error_message());
  return status == SK_OK;
}

static void run_plain(struct sk_verify *v, const struct drawn *d, const struct way *w, const sk_conv_shape *shape,
                      const float *x, const float *added, float *y) {
  if (!made(v, sk_conv_create(&v->plan, shape, d->weights, d->bias, &w->options))) return;
  void *workspace = new_workspace(v, sk_conv_workspace_bytes(v->plan));
  if (added && w->in_place) added = memcpy(y, added, w->batch * d->out_floats * sizeof *y);
  made(v, sk_conv_run(v->plan, x, added, y, workspace));
}

static void run_tensors(struct sk_verify *v, const struct drawn *d, const struct way *w, const sk_conv_shape *s,
                        const float *x, const float *added, float *y) {
  if (!made(v, sk_conv_plan_for_caches(&v->plan, s, d->weights, d->bias, &w->options, w->layout, &w->caches))) return;
  void *workspace = new_workspace(v, sk_conv_tensor_workspace_bytes(v->plan));
  const struct sk_tensor in =
      make_tensor(v, w->layout, s->in_channels, s->in_height, s->in_width, sk_conv_halo(s) + w->x_halo, w->batch, x);
  const struct sk_tensor out = make_tensor(v, SK_LAYOUT_NCHW16C, s->out_channels, d->out_height, d->out_width,
                                           w->y_halo, w->batch, w->in_place ? added : NULL);
  const struct sk_tensor apart =
      make_tensor(v, SK_LAYOUT_NCHW16C, s->out_channels, d->out_height, d->out_width, w->added_halo, w->batch, added);
  sk_conv_run_tensor(v->plan, w->batch, &in, !added ? NULL : w->in_place ? &out : &apart, &out, workspace);
  sk_reference_nchw16c_to_nchw(w->batch, out.channels, out.height, out.width, out.halo, out.data, y);
}

static void check(struct sk_verify *v, const struct drawn *d, const struct way *w, const float *y) {
  for (size_t at = 0; at < w->batch * d->out_floats; at++) {
    const size_t image = w->image[at / d->out_floats], in_image = at % d->out_floats;
    const struct sk_expected expected = {d->bits[image * d->out_floats + in_image], true, 0, INFINITY};
    const size_t row = at / d->out_width;
    if (!sk_verify_value(v, y[at], &expected, "y", row / d->out_height, row % d->out_height, at % d->out_width)) return;
  }
}

static void run_way(struct sk_verify *v, const struct drawn *d) {
  const size_t mark = v->scratch_count;
  const struct way w = draw_way(v, d);
  sk_conv_shape shape = d->shape;
  shape.batch = w.planned;
  announce(v, d, &w);
  const float *x = gather(v, &w, d->x, d->in_floats);
  const float *added = d->residual ? gather(v, &w, d->added, d->out_floats) : NULL;
  float *y = sk_verify_floats(v, w.batch * d->out_floats);
  (w.plain ? run_plain : run_tensors)(v, d, &w, &shape, x, added, y);
  sk_conv_destroy(v->plan);
  v->plan = NULL;
  if (!sk_verify_failed(v)) check(v, d, &w, y);
  sk_verify_release(v, mark);
}

static void bits_case(struct sk_verify *v, const void *parameters) {
  (void)parameters;
  struct drawn d;
  draw(v, &d);
  d.bits = sk_verify_floats(v, MAX_IMAGES * d.out_floats);
  const bool winograd = sk_is_winograd(d.algorithm);
  if (!(winograd ? winograd_bits(v, &d) : chain_bits(&d))) sk_verify_fail(v, "no bits to compare with");
  for (size_t i = 0; i < WAYS && !sk_verify_failed(v); i++) run_way(v, &d);
}

void sk_verify_conv_bits(struct sk_verify *v) {
  const size_t cases = sk_verify_exhaustive(v) ? MORE_CASES : CASES;
  for (size_t i = 0; i < cases; i++) {
    const struct sk_verify_case c = {"conv bits", NULL, bits_case, NULL};
    sk_verify_run(v, &c, "conv_bits/%zu", i);
  }
}
