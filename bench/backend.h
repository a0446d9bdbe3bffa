/*
 * What `skiplane compare` sets side by side: our kernels by ISA and algorithm, and other libraries, behind one
 * interface.
 *
 * An instance is started once, and then given one task after another:
 *
 *   start -> load -> run, run, output, run ... -> load -> ... -> stop
 *
 * A peer that lives in another process (bench/peers/process.c) talks over the same five functions.
 */
#ifndef SK_BENCH_BACKEND_H
#define SK_BENCH_BACKEND_H

#include "bench/affinity.h"
#include "resnet/graph.h"

enum { SK_BACKEND_VERSION = 96 };

/* What holds for every task of a comparison. */
struct sk_conditions {
  int threads;
  struct sk_cpu_list cpus; /* [threads], or empty: not pinned */
  sk_isa isa;              /* what peers are held to where they can be; SK_ISA_AUTO: whatever they choose */
  const sk_plan *plan;     /* of the network, for the backend that is to run it so; NULL: none */
  bool flush_denormals;    /* ours */
  size_t max_bytes;        /* ours, of a network or convolution; 0: no limit */
  const char *folder;      /* an empty folder for files, removed with what is in it at the end */
};

/* What to run. Everything outlives the load. */
struct sk_task {
  const char *name;             /* "resnet50", "resnet50/layer2.0.conv2": for messages */
  const struct sk_graph *graph; /* weights bound, batch norm not folded; one input, the last node is the output */
  size_t batch;
  const float *x; /* [batch] images of the graph's input */
  size_t number;  /* of the task in this comparison: names its files */
  bool is_layer;  /* a convolution and its epilogue: times begin and end in the backend's own layout of activations,
                     where it has a say in that */
};

struct sk_backend {
  const char *name;    /* "onednn", "avx2/direct" */
  const char *summary; /* "oneDNN, blocked layouts, fused epilogues" */
  sk_isa isa;          /* ours: by which kernels */
  sk_algorithm algorithm;
  bool is_planned; /* ours: by the conditions' plan in place of an algorithm */

  /* Start an instance, and say which version it is. Errors: SK_UNSUPPORTED with the reason (and the remedy) for what
   * this build or this machine lacks. */
  sk_status (*start)(void **instance, const struct sk_backend *backend, const struct sk_conditions *conditions,
                     char version[SK_BACKEND_VERSION]);

  /* Prepare a task, in place of the one before: weights in the layout that runs want them in, constants folded.
   * Errors: SK_UNSUPPORTED for what the backend cannot do; others. */
  sk_status (*load)(void *instance, const struct sk_task *task);

  /* Run the task `runs` times, and time each: seconds[runs]. */
  sk_status (*run)(void *instance, size_t runs, double *seconds);

  /* Copy the output of the last run: y[batch][channels][height][width] of the graph's last node. */
  sk_status (*output)(void *instance, float *y);

  void (*stop)(void *instance); /* NULL: nothing */
};

/* The peers, whether they are installed or not. */
extern const struct sk_backend *const sk_peers[];
extern const size_t sk_peer_count;

/* Our own: one of each ISA that this machine has and each algorithm. */
extern const struct sk_backend sk_own_backend; /* "auto"; others differ in name, isa, algorithm and is_planned alone */

#endif
