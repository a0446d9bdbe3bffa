/*
 * A whole network against the reference in double precision, layer by layer: what each layer's kernel does to the
 * inputs that it had (which is held against a proven bound), and how far its output is from the reference's by then.
 */
#ifndef SK_BENCH_VERIFY_NETWORK_H
#define SK_BENCH_VERIFY_NETWORK_H

#include "bench/runner.h"
#include "bench/terminal.h"
#include "bench/verify_layer.h"

/* How far values are from what they should be. Zeroed: none were looked at. */
struct sk_deviation {
  double max_error;    /* infinite where only one of the two is a finite number */
  double error_square; /* sum of (y - exact)^2 */
  double exact_square; /* sum of exact^2 */
  uint32_t max_ulp;    /* floats from y to the exact value rounded, at most */
};

/* Tell how far one value is from another: 0 where both are NaN, or the same infinity once rounded to float. */
double sk_deviation_of(float y, double exact);
void sk_deviation_add(struct sk_deviation *deviation, const float *y, const double *exact, size_t count);

/* The errors' 2-norm beside the exact values'; 0 if there is no error. */
double sk_deviation_relative(const struct sk_deviation *deviation);

/* An element that is outside of its bound. */
struct sk_layer_fault {
  size_t image, channel, row, column;
  float value;
  double exact, bound;
};

struct sk_layer_check {
  sk_layer_info info;
  struct sk_deviation alone; /* from the reference on the layer's own inputs */
  struct sk_deviation total; /* from the reference path */
  double bound_fraction;     /* largest error alone / its bound */
  double variance;           /* sum of the estimated squares of errors against the reference path */
  size_t faults;
  struct sk_layer_fault first;
};

/* The estimate of `total`'s relative error. */
double sk_layer_check_estimate(const struct sk_layer_check *check);

struct sk_network_check {
  sk_net *net;
  void *workspace;
  sk_net_info info;
  struct sk_graph graph; /* with its weights */
  const struct sk_schedule *schedule;
  size_t images, planned;        /* checked so far, and to check */
  struct sk_progress progress;   /* begun and ended by the caller */
  struct sk_layer_check *layers; /* [info.layers], in execution order */
  float *y;                      /* [classes] what our path writes */
  double *logits, *exact_logits; /* [classes] of the last image, ours and the reference's */

  float **values;     /* [nodes] our outputs of the last image; NULL where no step ends */
  double **variances; /* [nodes] of their errors, while they are needed */
  size_t *step_of;    /* [nodes] the step that ends there, SK_NO_NODE if none */
  size_t *last;       /* [nodes] the output of the last step that reads it, 0 if none */
  const float *x;     /* the image */
  sk_status status;   /* of the callbacks */
};

/* Open a network for images one by one. source must outlive the check, and options name size, ISA, algorithm or plan,
 * and threads. Close it whatever the outcome. Errors: as sk_source_plan. */
sk_status sk_network_check_open(struct sk_network_check *check, const struct sk_options *options,
                                const struct sk_source *source);
void sk_network_check_close(struct sk_network_check *check);

/* Run an image on both paths, and check every layer. x: [in_channels][in_height][in_width]. */
sk_status sk_network_check_layers(struct sk_network_check *check, const float *x);

/* Run an image on both paths for their logits alone. */
sk_status sk_network_check_logits(struct sk_network_check *check, const float *x);

/* The first layer with an element outside of its bound, the one where most of the bound is used, and the number of
 * layers with faults. NULL: none. */
const struct sk_layer_check *sk_network_check_first_fault(const struct sk_network_check *check);
const struct sk_layer_check *sk_network_check_nearest(const struct sk_network_check *check);
size_t sk_network_check_faults(const struct sk_network_check *check);

#endif
