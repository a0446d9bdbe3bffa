/* The inside of a convolution plan, shared by the methods that can run it. */
#ifndef SK_DISPATCH_CONV_INTERNAL_H
#define SK_DISPATCH_CONV_INTERNAL_H

#include "dispatch/conv.h"
#include "dispatch/cpu.h"
#include "dispatch/denormals.h"
#include "dispatch/size.h"
#include "dispatch/team.h"

/* One way to compute a convolution; its predicate says which shapes it can do. */
struct sk_conv_method {
  sk_algorithm algorithm;
  bool (*applies)(const sk_conv_shape *shape);
  /* Set plan->weight_floats and plan->tensor_workspace_bytes. Allocates nothing. */
  sk_status (*measure)(sk_conv *plan);
  /* Pack weights[OIHW] into plan->weights, which are zero; plan->bias is there, and may be changed to what is added. */
  void (*pack)(sk_conv *plan, const float *weights);
  /* Compute y, and leave its halo zero. */
  void (*run)(const sk_conv *plan, size_t batch, const struct sk_tensor *x, const struct sk_tensor *residual,
              const struct sk_tensor *y, void *workspace);
  size_t winograd_outputs; /* m of F(m,3), as sk_winograd_outputs tells it; 0: no Winograd */
};

extern const struct sk_conv_method sk_conv_method_direct;
extern const struct sk_conv_method sk_conv_method_grouped;
extern const struct sk_conv_method sk_conv_method_winograd2;
extern const struct sk_conv_method sk_conv_method_winograd4;
extern const struct sk_conv_method sk_conv_method_winograd6;
extern const struct sk_conv_method sk_conv_method_winograd2_stride2;
extern const struct sk_conv_method sk_conv_method_winograd4_stride2;
extern const struct sk_conv_method sk_conv_method_winograd4_groups;
extern const struct sk_conv_method sk_conv_method_strassen;
extern const struct sk_conv_method sk_conv_method_winograd3;
extern const struct sk_conv_method sk_conv_method_gemm;

struct sk_conv {
  sk_conv_shape shape;
  size_t out_height, out_width;
  const struct sk_conv_method *method;
  const struct sk_kernel_table *kernels;
  struct sk_cpu_caches caches;
  enum sk_layout in_layout;
  int threads;
  bool residual, relu, clip, flush_denormals;
  struct sk_clip_bounds bounds;
  struct sk_arena *arena; /* that weights and bias are in; NULL: their own memory */
  float *weights;         /* packed as the method reads them */
  size_t weight_floats;
  float *bias; /* [ceil(out_channels/16)][16] */
  size_t tensor_workspace_bytes;
  size_t thread_bytes; /* from a thread's part of the workspace to the next one's; 0: what there is is the team's */
  size_t tile_block;   /* Winograd: tiles, of F(3,4) rows of tiles, transformed and multiplied at a time */
  bool tiles_apart;    /* Winograd: by one thread, a panel of outputs at a time */
  const float *after;  /* what is read after a run, to be asked for meanwhile; NULL: not known */
  size_t after_bytes;
};

/* Set plan->weight_floats to a * b * c. Errors: SK_INVALID_ARGUMENT (their bytes overflow). */
sk_status sk_conv_size_weights(sk_conv *plan, size_t a, size_t b, size_t c);

/* Set what the plan needs of a workspace: `floats` for each thread. Errors: SK_INVALID_ARGUMENT (their bytes overflow;
 * `what` names them). */
sk_status sk_conv_size_threads(sk_conv *plan, size_t floats, const char *what);

/* The calling thread's part of the workspace. */
static inline float *sk_thread_part(const sk_conv *plan, void *workspace) {
  return (float *)workspace + sk_thread() * plan->thread_bytes / sizeof(float);
}

/* The plain channels of one group. */
static inline size_t sk_conv_group_inputs(const sk_conv_shape *shape) { return shape->in_channels / shape->groups; }
static inline size_t sk_conv_group_outputs(const sk_conv_shape *shape) { return shape->out_channels / shape->groups; }

static inline size_t sk_blocks(size_t channels) { return sk_size_divide_up(channels, SK_BLOCK); }

/* Panels of output blocks, as many of them as the direct kernel's tile has, and the blocks of one: the last may have
 * fewer. */
static inline size_t sk_panel_count(const sk_conv *plan, size_t blocks) {
  return sk_size_divide_up(blocks, plan->kernels->tile_blocks);
}
static inline size_t sk_panel_blocks(const sk_conv *plan, size_t blocks, size_t panel) {
  const size_t tile = plan->kernels->tile_blocks;
  return sk_size_min(tile, blocks - panel * tile);
}

/* Run the direct kernel, where that pays in parts of the chains: the weights of one part stay in the L1 cache while all
 * register tiles of the patch pass by, and unfinished sums wait in y. */
void sk_conv_direct_in_parts(const sk_conv *plan, const struct sk_conv_direct_args *args);

/* The input element under the kernel's first tap for output (0, 0). */
static inline const float *sk_conv_first_tap(const sk_conv_shape *shape, const struct sk_tensor *x, size_t image,
                                             size_t plane) {
  return sk_tensor_at(x, image, plane) - shape->pad_top * sk_tensor_row(x) - shape->pad_left * sk_tensor_pixel(x);
}

#endif
