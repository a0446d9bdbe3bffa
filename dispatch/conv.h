/* Convolution plans on tensors: what networks run, and what sk_conv wraps for plain arrays. */
#ifndef SK_DISPATCH_CONV_H
#define SK_DISPATCH_CONV_H

#include "dispatch/cpu.h"
#include "dispatch/memory.h"
#include "dispatch/tensor.h"

/*
 * Make a plan whose runs take tensors. As sk_conv_create, and: `in_layout` is the layout of the input. Only a
 * convolution with few enough input channels takes SK_LAYOUT_NCHW (sk_conv_takes_planar); outputs are always NCHW16c.
 * `shape->batch` is the batch that the workspace is sized for; runs may have fewer images. `arena`: where the packed
 * weights go, which must outlive the plan; NULL: memory of its own.
 */
sk_status sk_conv_plan(sk_conv **plan, const sk_conv_shape *shape, const float *weights, const float *bias,
                       const sk_conv_options *options, enum sk_layout in_layout, struct sk_arena *arena);

/* As sk_conv_plan without an arena, for a core with other caches than this one's: so that tests go every way through a
 * layer on every machine. Results never depend on the caches. */
sk_status sk_conv_plan_for_caches(sk_conv **plan, const sk_conv_shape *shape, const float *weights, const float *bias,
                                  const sk_conv_options *options, enum sk_layout in_layout,
                                  const struct sk_cpu_caches *caches);

/* What sk_conv_plan would take, of which nothing is allocated. */
struct sk_conv_sizes {
  size_t weight_bytes, tensor_workspace_bytes; /* as sk_conv_weight_bytes and sk_conv_tensor_workspace_bytes tell */
};

/* Errors: those of sk_conv_plan. */
sk_status sk_conv_measure(const sk_conv_shape *shape, const sk_conv_options *options, enum sk_layout in_layout,
                          struct sk_conv_sizes *sizes);

/* Whether a convolution can read planar input: few channels, one group; and whether an algorithm does. */
bool sk_conv_takes_planar(const sk_conv_shape *shape);
static inline bool sk_conv_reads_planar(sk_algorithm algorithm) {
  return algorithm == SK_ALGORITHM_DIRECT || algorithm == SK_ALGORITHM_WINOGRAD3;
}

/* Whether an algorithm reads planar input where its caller has it: without a halo, and aligned as floats are. */
static inline bool sk_conv_reads_plain(sk_algorithm algorithm) { return algorithm == SK_ALGORITHM_WINOGRAD3; }

/* Smallest halo that an input tensor of this convolution must have: its largest padding. */
size_t sk_conv_halo(const sk_conv_shape *shape);

/* The algorithm that `wanted` becomes for a shape: `auto` is resolved, and one that does not apply is an error
 * (SK_UNSUPPORTED). */
sk_status sk_conv_choose(const sk_conv_shape *shape, sk_algorithm wanted, sk_algorithm *chosen);

/* m of F(m,3); 0: no Winograd. */
static inline size_t sk_winograd_outputs(sk_algorithm algorithm) {
  switch (algorithm) {
    case SK_ALGORITHM_WINOGRAD2: return 2;
    case SK_ALGORITHM_WINOGRAD4: return 4;
    case SK_ALGORITHM_WINOGRAD6: return 6;
    default: return 0;
  }
}

/* Whether an algorithm is one of Winograd's: F(m,3) or F(3,4). */
static inline bool sk_is_winograd(sk_algorithm algorithm) {
  return sk_winograd_outputs(algorithm) != 0 || algorithm == SK_ALGORITHM_WINOGRAD3;
}

/* Let runs on tensors end with a clip: act(v) = clip(v), after ReLU if that is planned, too.
 * Requires: minimum <= 0 <= maximum, so that lanes without a channel stay zero. */
void sk_conv_set_clip(sk_conv *plan, struct sk_clip_bounds bounds);

/* Let runs on tensors have a workspace of `bytes`, of which each thread's part begins where other plans, told the same,
 * have it: what a thread has written there lies in its own caches, not in those of another. Without, parts lie side by
 * side. Requires: bytes >= sk_conv_tensor_workspace_bytes. */
void sk_conv_set_workspace(sk_conv *plan, size_t bytes);

/* Tell what is read after a run, such as a dense layer's weights, which wait for memory: Strassen's algorithm, which
 * itself wants little of that, asks for it meanwhile, if it has room in the L3 cache beside what a run reads. */
void sk_conv_set_after(sk_conv *plan, const float *after, size_t bytes);

/* Bytes of workspace for a run on tensors: less than sk_conv_workspace_bytes, which holds the tensors too. */
size_t sk_conv_tensor_workspace_bytes(const sk_conv *plan);

/*
 * Run on tensors: y = act(conv(x) + bias + residual). residual: NULL unless planned.
 * Requires: batch <= the planned one, shapes as planned, x->halo >= sk_conv_halo, x's halo zero, x->data aligned; of
 * planar x, neither halo nor alignment if sk_conv_reads_plain.
 * Leaves y's halo zero. Aliasing: y may be residual (the same tensor).
 */
void sk_conv_run_tensor(const sk_conv *plan, size_t batch, const struct sk_tensor *x, const struct sk_tensor *residual,
                        const struct sk_tensor *y, void *workspace);

#endif
