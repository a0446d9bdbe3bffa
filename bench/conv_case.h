/*
 * One run of one convolution as a file: what a failed check is reduced to, and what `skiplane verify --case` replays.
 *
 *   skiplane-case 1
 *   # a comment
 *   name resnet18/layer1.0.conv1
 *   isa avx2
 *   ...
 *
 * A line is a key and its value, which goes to the end of the line; keys come in any order, each once. With `data
 * given` the lines x, w, b and residual name .npy files beside the case; any other data are drawn from the seed and the
 * name.
 */
#ifndef SK_BENCH_CONV_CASE_H
#define SK_BENCH_CONV_CASE_H

#include "bench/verify_internal.h"

/* What runs it: sk_conv_run on plain arrays, or sk_conv_run_tensor with blocked or planar input. */
enum sk_conv_call { SK_CONV_CALL_ARRAYS, SK_CONV_CALL_TENSORS, SK_CONV_CALL_PLANAR, SK_CONV_CALLS };

/* The ways of Winograd through its tiles (dispatch/conv_winograd.c): as the machine's caches have it, or as others'. */
enum sk_conv_way { SK_CONV_WAY_OF_MACHINE, SK_CONV_WAY_TOGETHER, SK_CONV_WAY_APART, SK_CONV_WAYS };

/* Arrays that somebody gave, of a shape of their own: x, weights, bias or NULL, residual or NULL. */
struct sk_conv_given {
  sk_conv_shape shape;
  size_t out_height, out_width;
  const float *x, *weights, *bias, *residual;
};

/* Where in given arrays those of a smaller shape begin. Channels count within their group. */
struct sk_conv_window {
  size_t image, group, in_channel, out_channel, row, column, kernel_row, kernel_column;
};

enum { SK_CONV_CASE_NAME = 120 };

struct sk_conv_case {
  char name[SK_CONV_CASE_NAME]; /* where it comes from; its random numbers depend on it */
  sk_isa isa;
  sk_algorithm algorithm;
  int threads;
  enum sk_conv_call call;
  enum sk_conv_way way;
  enum sk_guard_side side;
  sk_conv_shape shape;
  bool bias, residual, relu;
  const struct sk_conv_given *given; /* NULL: data of a kind, drawn */
  struct sk_conv_window window;      /* in what is given */
  enum sk_data data;
  uint64_t seed;
};

/* The arrays of a case, made from what is given. All but bias and residual are there. */
struct sk_conv_arrays {
  float *x, *weights, *bias, *residual;
};

/* Cut a case's window out of what is given; free the arrays with sk_free. Where the smaller output is larger than the
 * given residual (a smaller stride), that is repeated. Exits if there is no memory. */
struct sk_conv_arrays sk_conv_case_cut(const struct sk_conv_case *c);

/* Whether a shape can be run and the algorithm applies to it. Errors: those of sk_conv_output_size and sk_conv_choose,
 * and SK_INVALID_ARGUMENT for tensors that would take more memory than any check needs. */
sk_status sk_conv_case_check(const sk_conv_shape *shape, sk_algorithm algorithm);

/* Write a case as skiplane-case-<isa>-<algorithm>-<name>.txt into a folder (NULL: the current one), its arrays beside
 * it if they were given. Returns the path, to be freed, or NULL with sk_error_message set. */
char *sk_conv_case_write(const struct sk_conv_case *c, const char *folder);

/* A case read from a file, with the arrays it names. */
struct sk_conv_case_file {
  struct sk_conv_case content;
  struct sk_conv_given given;
  struct sk_conv_arrays arrays;
};

/* Read a case. Free whatever the outcome. Errors: SK_BAD_FORMAT (names file, line, key, what came and what was
 * expected), SK_UNSUPPORTED (an algorithm that does not apply, or is not built), SK_IO_ERROR, SK_OUT_OF_MEMORY. */
sk_status sk_conv_case_read(struct sk_conv_case_file *file, const char *path);
void sk_conv_case_free(struct sk_conv_case_file *file);

/* The same from a file's text, but for the arrays that it may name: `given` tells whether it does. source: its name for
 * messages. */
sk_status sk_conv_case_parse(struct sk_conv_case *c, const char *source, const char *text, size_t length, bool *given);

#endif
