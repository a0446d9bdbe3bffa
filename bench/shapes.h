/* The distinct convolutions of the networks, for the checker and for benchmarks. */
#ifndef SK_BENCH_SHAPES_H
#define SK_BENCH_SHAPES_H

#include "skiplane.h"

struct sk_named_shape {
  const char *name; /* letters, digits and _ */
  sk_conv_shape shape;
};

/* ResNet-18, 34 and 50 (v1.5) and ResNeXt-50 32x4d at 224x224, and the CIFAR ResNets at 32x32: each distinct layer
 * once, in order of execution, batch 1. */
extern const struct sk_named_shape sk_layer_shapes[];
extern const size_t sk_layer_shape_count;

#endif
