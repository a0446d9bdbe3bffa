/*
 * Convolution shapes as text: one file serves the checker, the benchmarks and `skiplane compare`.
 *
 *   # name                 input          channels out   kernel      what differs from 1, 0 or no
 *   resnet50/conv1         in=3x224x224   out=64         kernel=7x7  stride=2 pad=3 relu
 *   mine/uneven            in=16x9x12     out=32         kernel=3x3  pad=0,1,0,1 batch=8 add relu
 *
 * A line is a name and fields in any order, each at most once; `#` begins a comment.
 *   in=CxHxW out=K kernel=RxS   needed
 *   stride=S|SxS dilation=D|DxD pad=P|PxP|top,bottom,left,right groups=G batch=N
 *   relu, add                   the epilogue: y = relu(conv(x) + residual)
 * Where two numbers are due, the first is of the height; a single one is of both.
 */
#ifndef SK_BENCH_SHAPES_H
#define SK_BENCH_SHAPES_H

#include "skiplane.h"

struct sk_named_shape {
  const char *name; /* letters, digits and ._/+-: "resnet50/layer2.0.conv2" */
  sk_conv_shape shape;
  bool relu, add;
};

/* Zeroed, it is empty. Names belong to it. */
struct sk_shapes {
  struct sk_named_shape *items;
  size_t count, capacity;
};

/* Read a file of shapes, or a text; the shapes must be empty, and be freed whatever the outcome. source: the text's
 * name for messages. Errors: SK_BAD_FORMAT names the line, the field, what came and what was expected; a shape that
 * sk_conv_output_size refuses, a name twice, no shape at all; SK_IO_ERROR, SK_OUT_OF_MEMORY. */
sk_status sk_shapes_read(struct sk_shapes *shapes, const char *path);
sk_status sk_shapes_parse(struct sk_shapes *shapes, const char *source, const char *text, size_t length);

/* Add a copy of a shape. Errors: SK_OUT_OF_MEMORY. */
sk_status sk_shapes_add(struct sk_shapes *shapes, const struct sk_named_shape *shape);

/* Find a shape by its name, or one that is equal in all but its name; NULL if there is none. */
const struct sk_named_shape *sk_shapes_find(const struct sk_shapes *shapes, const char *name);
const struct sk_named_shape *sk_shapes_find_equal(const struct sk_shapes *shapes, const struct sk_named_shape *shape);

void sk_shapes_free(struct sk_shapes *shapes);

/* A shape as a line of such a file, without its end; what is 1, 0 or absent is left out. */
struct sk_shape_text {
  char text[512];
};
struct sk_shape_text sk_shape_print(const struct sk_named_shape *shape);

/* Set a field of a shape from its text as a file has it: "stride" from "2x1", "pad" from "0,1,0,1"; one of in, out,
 * kernel, stride, dilation, groups, batch, pad. Returns NULL, or what was expected instead of the text. */
const char *sk_shape_set(sk_conv_shape *shape, const char *field, const char *text);

/* ---- The networks' own ---------------------------------------------------------------------------------------- */

/* Read the distinct convolutions of all networks, batch 1, from bench/networks.shapes inside the program: each once,
 * named <network>/<layer> after the first that has it. */
sk_status sk_shapes_of_networks(struct sk_shapes *shapes);

/* Collect the same from the networks themselves, fused as they run: what the file is made from. The shapes must be
 * empty. Errors: SK_OUT_OF_MEMORY. */
sk_status sk_shapes_collect(struct sk_shapes *shapes);

/* Print shapes as a file with its heading. */
void sk_shapes_print_file(const struct sk_shapes *shapes);

#endif
