/*
 * A task as oneDNN runs it: primitives one after the other, and the memories that they read and write. Functions that
 * only call oneDNN return its status, which sk_dnnl_outcome turns into ours.
 */
#ifndef SK_BENCH_PEERS_ONEDNN_PROGRAM_H
#define SK_BENCH_PEERS_ONEDNN_PROGRAM_H

#include "bench/backend.h"
#include "bench/peers/onednn_api.h"
#include "resnet/memory_plan.h"

enum { SK_DNNL_ARGUMENTS = 5 };

/* When an action takes place. A network's are all timed; a layer's reorders of input and output are not. */
enum sk_dnnl_phase { SK_DNNL_AT_LOAD, SK_DNNL_BEFORE_RUN, SK_DNNL_TIMED, SK_DNNL_AT_OUTPUT };

struct sk_dnnl_action {
  enum sk_dnnl_phase phase;
  dnnl_primitive_t primitive;
  int count;
  dnnl_exec_arg_t arguments[SK_DNNL_ARGUMENTS];
  dnnl_memory_t scratchpad;
};

/* A task made ready to run. Memories are called by their number. */
struct sk_dnnl_program {
  struct sk_task task;
  struct sk_schedule schedule;
  struct sk_dnnl_action *actions;
  dnnl_memory_t *memories;
  struct sk_buffer *buffers; /* [memories] in the arena, from one action to another; no bytes for the others */
  size_t action_count, memory_count;
  size_t *values;       /* [nodes] the memory that holds a node's output */
  size_t *last_readers; /* [nodes] the last step that reads a node's output */
  size_t output;
  size_t scratchpad_bytes;
  void *arena, *scratchpad;
};

/* An instance of the backend. */
struct sk_dnnl {
  int threads;
  struct sk_cpu_list cpus;
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  struct sk_dnnl_program program;
};

/* Turn a status into ours, with a message that names the layer. */
sk_status sk_dnnl_outcome(dnnl_status_t status, const char *layer);

/* ---- Memories ----------------------------------------------------------------------------------------------- */

sk_dnnl_layout sk_dnnl_layout_of(const struct sk_dnnl_program *program, size_t memory);

/* Dimensions of a node's output: dense layers give matrices, and what follows them keeps that; others 4. */
int sk_dnnl_rank(const struct sk_graph *graph, size_t node);

/* Add memory in the arena, which is laid out when all is known. */
dnnl_status_t sk_dnnl_add_activation(struct sk_dnnl *o, sk_dnnl_layout layout, size_t *memory);

/* Add memory of a node's output, in planes, at `data`; NULL: in the arena. */
sk_status sk_dnnl_add_planes(struct sk_dnnl *o, size_t node, float *data, size_t *memory);

/* Add a constant: `data`, as `plain` says, is copied to memory in the layout that a primitive wants. */
dnnl_status_t sk_dnnl_add_constant(struct sk_dnnl *o, sk_dnnl_layout plain, float *data, sk_dnnl_layout wanted,
                                   size_t *memory);

/* ---- Actions ------------------------------------------------------------------------------------------------ */

/* An argument of a primitive, and its memory. */
struct sk_dnnl_use {
  int argument;
  size_t memory;
};

/* What a primitive does in its end. */
struct sk_dnnl_epilogue {
  bool sum, relu;
};

/* Make the attributes of a primitive that sk_dnnl_append takes. Free them, whatever the outcome. */
dnnl_status_t sk_dnnl_make_attributes(dnnl_primitive_attr_t *attributes, struct sk_dnnl_epilogue epilogue);

/* Append a primitive to the program; `count` uses of memory. */
dnnl_status_t sk_dnnl_append(struct sk_dnnl *o, enum sk_dnnl_phase phase, const_dnnl_primitive_desc_t description,
                             size_t count, const struct sk_dnnl_use *uses);
dnnl_status_t sk_dnnl_append_reorder(struct sk_dnnl *o, enum sk_dnnl_phase phase, size_t from, size_t to);

/* Execute the actions of a phase. */
dnnl_status_t sk_dnnl_execute(const struct sk_dnnl *o, enum sk_dnnl_phase phase);

/* ---- Steps -------------------------------------------------------------------------------------------------- */

/* Give a node's output in a layout. Later readers take it from there, for they mostly want the same. */
dnnl_status_t sk_dnnl_bring(struct sk_dnnl *o, size_t node, sk_dnnl_layout layout, size_t *memory);

/* Give memory for the result of a step, in a layout. A step that adds does so to its residual, where that lies if
 * nobody else wants it, and else to a copy. x: what the step reads. */
dnnl_status_t sk_dnnl_place_result(struct sk_dnnl *o, size_t step, size_t x, sk_dnnl_layout layout, size_t *memory);

/* Append the primitive of a step, and the reorders before it. Errors: SK_UNSUPPORTED for what oneDNN cannot do. */
sk_status sk_dnnl_append_step(struct sk_dnnl *o, size_t step);

#endif
