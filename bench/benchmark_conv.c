#include "bench/benchmark_conv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/harness.h"
#include "dispatch/conv.h"
#include "dispatch/isa.h"
#include "dispatch/status.h"
#include "resnet/network.h"

/* What one benchmark runs; its arrays are made when it starts, so that registering costs nothing. */
struct conv_case {
  char name[128];
  sk_conv_shape shape;
  sk_isa isa;
  sk_algorithm algorithm;
};

struct sk_conv_benchmarks {
  struct conv_case *cases;
  size_t count, capacity;
};

/* Everything that a timed run touches. */
struct conv_subject {
  sk_conv *plan;
  const struct sk_kernel_table *kernels;
  struct sk_tensor x, y;
  void *workspace;
};

static uint64_t macs(const sk_conv_shape *s, size_t out_height, size_t out_width) {
  return (uint64_t)s->batch * s->out_channels * out_height * out_width * (s->in_channels / s->groups) *
         s->kernel_height * s->kernel_width;
}

/* Fill an array with numbers of either sign in [-1, 1); which ones does not matter to the time. */
static void fill(float *to, size_t count) {
  uint32_t state = 1;
  for (size_t i = 0; i < count; i++) {
    state = state * 1664525U + 1013904223U;
    to[i] = (float)(state >> 8) / (float)(1U << 23) - 1;
  }
}

static sk_status make_tensor(struct sk_tensor *t, size_t batch) {
  size_t bytes;
  const sk_status status = sk_tensor_bytes(t, batch, &bytes);
  if (status) return status;
  t->data = sk_alloc(bytes);
  if (!t->data) return sk_fail(SK_OUT_OF_MEMORY, "no memory for a tensor of %zu bytes", bytes);
  fill(t->data, bytes / sizeof(float));
  sk_tensor_clear_halo(t, batch, 1);
  return SK_OK;
}

static sk_status make_plan(const struct conv_case *c, enum sk_layout layout, sk_conv **plan) {
  const sk_conv_shape *s = &c->shape;
  const size_t count = s->out_channels * (s->in_channels / s->groups) * s->kernel_height * s->kernel_width;
  float *weights = calloc(count, sizeof *weights);
  if (!weights) return sk_fail(SK_OUT_OF_MEMORY, "no memory for %zu weights", count);
  fill(weights, count);
  const sk_conv_options options = {.isa = c->isa, .algorithm = c->algorithm, .threads = 1, .relu = true};
  const sk_status status = sk_conv_plan(plan, s, weights, NULL, &options, layout, NULL);
  free(weights);
  return status;
}

static sk_status make_subject(const struct conv_case *c, struct conv_subject *subject) {
  const sk_conv_shape *s = &c->shape;
  const bool planar = c->algorithm == SK_ALGORITHM_DIRECT && sk_conv_takes_planar(s);
  const enum sk_layout layout = planar ? SK_LAYOUT_NCHW : SK_LAYOUT_NCHW16C;
  *subject = (struct conv_subject){.x = {.layout = layout,
                                         .channels = s->in_channels,
                                         .height = s->in_height,
                                         .width = s->in_width,
                                         .halo = sk_conv_halo(s)},
                                   .y = {.channels = s->out_channels}};
  sk_status status = sk_conv_output_size(s, &subject->y.height, &subject->y.width);
  if (!status) status = sk_kernels_choose(c->isa, &subject->kernels);
  if (!status) status = make_plan(c, layout, &subject->plan);
  if (!status) status = make_tensor(&subject->x, s->batch);
  if (!status) status = make_tensor(&subject->y, s->batch);
  if (status) return status;
  subject->workspace = sk_alloc(sk_conv_tensor_workspace_bytes(subject->plan));
  return subject->workspace ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "no memory for a workspace");
}

static void free_subject(struct conv_subject *subject) {
  sk_conv_destroy(subject->plan);
  sk_free(subject->x.data);
  sk_free(subject->y.data);
  sk_free(subject->workspace);
}

static void time_subject(struct sk_benchmark *benchmark, const struct conv_case *c,
                         const struct conv_subject *subject) {
  while (sk_benchmark_continue(benchmark)) {
    sk_conv_run_tensor(subject->plan, c->shape.batch, &subject->x, NULL, &subject->y, subject->workspace);
  }
  sk_benchmark_rate(benchmark, "FLOPS", 2.0 * (double)macs(&c->shape, subject->y.height, subject->y.width));
}

static void measure(struct sk_benchmark *benchmark, void *argument) {
  const struct conv_case *c = argument;
  struct conv_subject subject;
  if (make_subject(c, &subject)) {
    sk_benchmark_fail(benchmark, sk_error_message());
  } else {
    time_subject(benchmark, c, &subject);
  }
  free_subject(&subject);
}

static bool is_known(const struct sk_conv_benchmarks *benchmarks, const sk_conv_shape *shape) {
  for (size_t i = 0; i < benchmarks->count; i++) {
    if (memcmp(&benchmarks->cases[i].shape, shape, sizeof *shape) == 0) return true;
  }
  return false;
}

static sk_status add_case(struct sk_conv_benchmarks *benchmarks, const struct conv_case *c) {
  if (benchmarks->count == benchmarks->capacity) {
    const size_t capacity = benchmarks->capacity ? 2 * benchmarks->capacity : 256;
    struct conv_case *cases = realloc(benchmarks->cases, capacity * sizeof *cases);
    if (!cases) return sk_fail(SK_OUT_OF_MEMORY, "no memory for %zu benchmarks", capacity);
    benchmarks->cases = cases;
    benchmarks->capacity = capacity;
  }
  benchmarks->cases[benchmarks->count++] = *c;
  return SK_OK;
}

/* Where a shape was first met. */
struct origin {
  const char *model, *layer;
};

/* Add one convolution for every ISA and algorithm that can run it. */
static sk_status add_shape(struct sk_conv_benchmarks *benchmarks, const sk_conv_shape *shape, struct origin origin) {
  for (int isa = SK_ISA_GENERIC; isa < SK_ISA_COUNT; isa++) {
    for (int a = SK_ALGORITHM_DIRECT; a < SK_ALGORITHM_COUNT; a++) {
      struct conv_case c = {.shape = *shape, .isa = (sk_isa)isa};
      if (!sk_isa_available(c.isa) || sk_conv_choose(shape, (sk_algorithm)a, &c.algorithm)) continue;
      snprintf(c.name, sizeof c.name, "conv/%s/%s/%s/%s/n%zu/t1", origin.model, origin.layer,
               sk_algorithm_name(c.algorithm), sk_isa_name(c.isa), shape->batch);
      const sk_status status = add_case(benchmarks, &c);
      if (status) return status;
    }
  }
  return SK_OK;
}

static sk_status add_model(struct sk_conv_benchmarks *benchmarks, const char *model) {
  struct sk_graph graph = {0};
  sk_status status = sk_network_build(&graph, model, NULL);
  for (size_t i = 0; !status && i < graph.count; i++) {
    const struct sk_node *node = &graph.nodes[i];
    if (node->op != SK_NODE_CONV || is_known(benchmarks, &node->conv)) continue;
    status = add_shape(benchmarks, &node->conv, (struct origin){model, node->name});
  }
  sk_graph_destroy(&graph);
  return status;
}

static sk_status add_models(struct sk_conv_benchmarks *benchmarks) {
  for (size_t i = 0; i < sk_model_count(); i++) {
    sk_model_info info;
    sk_status status = sk_model_at(i, &info);
    if (!status) status = add_model(benchmarks, info.name);
    if (status) return status;
  }
  return SK_OK;
}

struct sk_conv_benchmarks *sk_conv_benchmarks_register(void) {
  struct sk_conv_benchmarks *benchmarks = calloc(1, sizeof *benchmarks);
  if (!benchmarks || add_models(benchmarks)) {
    sk_conv_benchmarks_destroy(benchmarks);
    return NULL;
  }
  /* Only now do the cases stay where they are. */
  for (size_t i = 0; i < benchmarks->count; i++) {
    sk_benchmark_register(benchmarks->cases[i].name, measure, &benchmarks->cases[i]);
  }
  return benchmarks;
}

void sk_conv_benchmarks_destroy(struct sk_conv_benchmarks *benchmarks) {
  if (!benchmarks) return;
  free(benchmarks->cases);
  free(benchmarks);
}
