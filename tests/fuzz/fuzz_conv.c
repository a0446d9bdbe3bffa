/* libFuzzer target that draws: each byte of an input is a choice, so that a mutation is another shape, algorithm, ISA
 * or number of threads rather than another text. The convolution runs as `skiplane verify --case` runs it, within the
 * proven bound of the reference; then its first and last image run alone, on another ISA and with other threads, to the
 * same bits.
 * Build: clang -g -fsanitize=fuzzer,address,undefined; run with tests/fuzz/corpus/conv. */
#include "tests/fuzz/run_case.h"

/* What is left of an input; behind its end all choices are the first. */
struct choices {
  const uint8_t *at, *end;
};

static size_t between(struct choices *choices, size_t least, size_t most) {
  const size_t byte = choices->at < choices->end ? *choices->at++ : 0;
  return least + byte % (most - least + 1);
}

static bool toss(struct choices *choices) { return between(choices, 0, 1) != 0; }

/* Channels around the blocks of 16, which are what kernels tile by. */
static size_t draw_channels(struct choices *choices) {
  const size_t blocks = between(choices, 0, 4), beyond = between(choices, 0, 17);
  return sk_size_max(16 * blocks + beyond, 1);
}

static void draw_shape(struct choices *choices, sk_conv_shape *s) {
  const bool plain = toss(choices); /* what Winograd takes */
  s->batch = between(choices, 1, 4);
  s->groups = plain ? 1 : between(choices, 1, 6);
  s->in_channels = s->groups * draw_channels(choices);
  s->out_channels = s->groups * draw_channels(choices);
  if (!plain && toss(choices)) s->groups = s->out_channels = s->in_channels; /* depthwise */
  s->in_height = between(choices, 1, 20);
  s->in_width = between(choices, 1, 36);
  s->kernel_height = plain ? 3 : between(choices, 1, 7);
  s->kernel_width = plain ? 3 : between(choices, 1, 7);
  s->stride_height = between(choices, 1, plain ? 2 : 4);
  s->stride_width = plain ? s->stride_height : between(choices, 1, 4);
  s->dilation_height = plain ? 1 : between(choices, 1, 3);
  s->dilation_width = plain ? 1 : between(choices, 1, 3);
  s->pad_top = between(choices, 0, 3);
  s->pad_bottom = between(choices, 0, 3);
  s->pad_left = between(choices, 0, 3);
  s->pad_right = between(choices, 0, 3);
}

static sk_isa draw_isa(struct choices *choices) {
  const sk_isa isa = (sk_isa)between(choices, SK_ISA_AUTO + 1, SK_ISA_COUNT - 1);
  return sk_isa_available(isa) ? isa : SK_ISA_GENERIC;
}

static void draw_epilogue(struct choices *choices, struct sk_conv_case *c) {
  c->bias = toss(choices);
  c->residual = toss(choices);
  c->relu = toss(choices);
}

/* The call and the way through the tiles, where a convolution has them. */
static void draw_way(struct choices *choices, struct sk_conv_case *c) {
  const bool planar = sk_conv_reads_planar(c->algorithm) && sk_conv_takes_planar(&c->shape);
  c->call = (enum sk_conv_call)between(choices, 0, planar ? SK_CONV_CALL_PLANAR : SK_CONV_CALL_TENSORS);
  c->side = (enum sk_guard_side)between(choices, 0, SK_GUARD_SIDES - 1);
  c->way = SK_CONV_WAY_OF_MACHINE;
  if (c->call == SK_CONV_CALL_TENSORS) c->way = (enum sk_conv_way)between(choices, 0, SK_CONV_WAYS - 1);
}

/* False for what cannot be run, or not in a moment. */
static bool draw_case(struct choices *choices, struct sk_conv_case *c) {
  *c = (struct sk_conv_case){.name = "fuzz"};
  static const sk_algorithm algorithms[] = {SK_ALGORITHM_DIRECT,    SK_ALGORITHM_WINOGRAD2, SK_ALGORITHM_WINOGRAD4,
                                            SK_ALGORITHM_WINOGRAD6, SK_ALGORITHM_STRASSEN,  SK_ALGORITHM_WINOGRAD3};
  c->algorithm = algorithms[between(choices, 0, sizeof algorithms / sizeof algorithms[0] - 1)];
  c->isa = draw_isa(choices);
  c->threads = (int)between(choices, 1, MOST_THREADS);
  draw_shape(choices, &c->shape);
  draw_epilogue(choices, c);
  c->data = (enum sk_data)between(choices, SK_DATA_INTEGERS, SK_DATA_KINDS - 1);
  c->seed = between(choices, 0, 255);
  if (sk_conv_case_check(&c->shape, c->algorithm) || !is_small(&c->shape)) return false;
  if (sk_is_winograd(c->algorithm) && c->data == SK_DATA_INTEGERS) c->data = SK_DATA_REALS;
  draw_way(choices, c);
  return true;
}

/* ---- The same bits ---------------------------------------------------------------------------------------------- */

/* Arrays of a whole batch, drawn; special values are among them. */
struct arrays {
  size_t in, weights, out; /* floats; of an image: in and out */
  float *x, *w, *bias, *residual, *y;
};

static float *draw_floats(struct sk_random *random, size_t count) {
  float *values = malloc(count * sizeof *values);
  if (!values) abort();
  sk_random_fill(random, SK_DATA_SPECIAL, values, count);
  return values;
}

static struct arrays draw_arrays(const struct sk_conv_case *c) {
  const sk_conv_shape *s = &c->shape;
  struct sk_random random = sk_random_start(c->seed, c->name);
  struct arrays a = {.in = s->in_channels * s->in_height * s->in_width,
                     .weights = s->out_channels * (s->in_channels / s->groups) * s->kernel_height * s->kernel_width};
  size_t height, width;
  if (sk_conv_output_size(s, &height, &width)) abort();
  a.out = s->out_channels * height * width;
  a.x = draw_floats(&random, s->batch * a.in);
  a.w = draw_floats(&random, a.weights);
  a.bias = draw_floats(&random, s->out_channels);
  a.residual = draw_floats(&random, s->batch * a.out);
  a.y = draw_floats(&random, s->batch * a.out);
  return a;
}

static void free_arrays(struct arrays *a) {
  float *const all[] = {a->x, a->w, a->bias, a->residual, a->y};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* Run some images from `image` on. */
static void convolve(const struct sk_conv_case *c, const struct arrays *a, size_t image, size_t batch, float *y) {
  sk_conv_shape shape = c->shape;
  sk_conv *plan;
  shape.batch = batch;
  const sk_conv_options options = {
      .isa = c->isa, .algorithm = c->algorithm, .threads = c->threads, .residual = c->residual, .relu = c->relu};
  if (sk_conv_create(&plan, &shape, a->w, c->bias ? a->bias : NULL, &options)) abort();
  void *workspace = sk_alloc(sk_conv_workspace_bytes(plan));
  const float *residual = c->residual ? a->residual + image * a->out : NULL;
  if (!workspace || sk_conv_run(plan, a->x + image * a->in, residual, y, workspace)) abort();
  sk_free(workspace);
  sk_conv_destroy(plan);
}

static void expect_same_bits(struct choices *choices, const struct sk_conv_case *c) {
  struct arrays a = draw_arrays(c);
  struct sk_conv_case other = *c;
  float *alone = malloc(a.out * sizeof *alone);
  if (!alone) abort();
  convolve(c, &a, 0, c->shape.batch, a.y);
  const size_t images[] = {0, c->shape.batch - 1};
  for (size_t i = 0; i < 2; i++) {
    other.isa = draw_isa(choices);
    other.threads = (int)between(choices, 1, MOST_THREADS);
    convolve(&other, &a, images[i], 1, alone);
    for (size_t at = 0; at < a.out; at++) {
      if (!sk_same_bits(alone[at], a.y[images[i] * a.out + at])) abort();
    }
  }
  free(alone);
  free_arrays(&a);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Threads that wait should not burn the time of those that work. */
int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  return setenv("OMP_WAIT_POLICY", "passive", 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct choices choices = {data, data + size};
  struct sk_conv_case c;
  if (!draw_case(&choices, &c)) return 0;
  expect_passes(&c);
  expect_same_bits(&choices, &c);
  return 0;
}
