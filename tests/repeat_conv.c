/*
 * Run one convolution a number of times and nothing else, for whoever counts instructions: the difference between two
 * numbers of runs is what a run takes.
 *
 *   repeat_conv RUNS ISA ALGORITHM FIELD...        e.g. repeat_conv 2 neon direct in=64x14x14 out=64 kernel=3x3 pad=1
 *
 * The fields are those of bench/shapes.h. One thread, seeded weights, zeros as input. Prints the floating-point
 * operations of a run, counted as direct convolution.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/conv_subject.h"
#include "bench/layer_graph.h"
#include "dispatch/isa.h"
#include "dispatch/status.h"

/* What is to run, and all that hangs on it. Zeroed, it is empty. */
struct subject {
  struct sk_shapes shapes;
  struct sk_graph graph;
  sk_weights *weights;
  struct sk_conv_subject conv;
  float *x;
};

static sk_status parse_shape(struct sk_shapes *shapes, char **fields) {
  char line[512] = "the/shape";
  for (; *fields; fields++) {
    const size_t used = strlen(line);
    snprintf(line + used, sizeof line - used, " %s", *fields);
  }
  return sk_shapes_parse(shapes, "arguments", line, strlen(line));
}

static sk_status parse_request(struct sk_conv_request *request, const char *isa_name, const char *algorithm_name) {
  sk_isa isa = SK_ISA_AUTO;
  sk_status status = sk_isa_parse(isa_name, &isa);
  if (!status) status = sk_algorithm_parse(algorithm_name, &request->algorithm);
  return status ? status : sk_kernels_choose(isa, &request->kernels);
}

static sk_status make(struct subject *subject, char **arguments) {
  struct sk_conv_request request = {.threads = 1, .graph = &subject->graph};
  sk_status status = parse_request(&request, arguments[0], arguments[1]);
  if (!status) status = parse_shape(&subject->shapes, arguments + 2);
  if (status) return status;
  const struct sk_named_shape *named = &subject->shapes.items[0];
  const sk_conv_shape *shape = &named->shape;
  status = sk_layer_graph_make(&subject->graph, &subject->weights, named, 1);
  if (status) return status;
  subject->x = calloc(shape->batch * shape->in_channels * shape->in_height * shape->in_width, sizeof *subject->x);
  if (!subject->x) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the input");
  return sk_conv_subject_make(&subject->conv, &request, shape->batch, subject->x);
}

static void discard(struct subject *subject) {
  sk_conv_subject_free(&subject->conv);
  sk_graph_destroy(&subject->graph);
  sk_weights_close(subject->weights);
  sk_shapes_free(&subject->shapes);
  free(subject->x);
}

static double flops(const sk_conv_shape *s) {
  size_t height = 0, width = 0;
  sk_conv_output_size(s, &height, &width);
  return 2.0 * (double)(s->batch * s->out_channels * height * width) *
         (double)(s->in_channels / s->groups * s->kernel_height * s->kernel_width);
}

int main(int count, char **arguments) {
  if (count < 5) {
    fprintf(stderr, "usage: repeat_conv RUNS ISA ALGORITHM FIELD...\n");
    return 2;
  }
  struct subject subject = {0};
  const sk_status status = make(&subject, arguments + 2);
  if (status) {
    fprintf(stderr, "repeat_conv: %s\n", sk_error_message());
  } else {
    for (long runs = strtol(arguments[1], NULL, 10); runs > 0; runs--) sk_conv_subject_run(&subject.conv);
    printf("%.0f\n", flops(&subject.shapes.items[0].shape));
  }
  discard(&subject);
  return status ? 1 : 0;
}
