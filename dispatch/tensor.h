/* An activation in memory: blocks of 16 channels, or planes, each with a halo of zeros around it. */
#ifndef SK_DISPATCH_TENSOR_H
#define SK_DISPATCH_TENSOR_H

#include "kernels/kernels.h"

enum sk_layout {
  SK_LAYOUT_NCHW16C, /* [n][ceil(channels/16)][height + 2 halo][width + 2 halo][16] */
  SK_LAYOUT_NCHW     /* [n][channels][height + 2 halo][width + 2 halo]: network inputs of few channels */
};

/* `data` is 64-byte aligned and belongs to someone else. Whoever writes a tensor leaves its halo zero, and writes
 * nothing else there. */
struct sk_tensor {
  float *data;
  enum sk_layout layout;
  size_t channels, height, width, halo;
  bool halo_is_zero; /* before it is written: such a tensor was there last */
};

/* Floats of one element along the width: 16 channels, or one. */
static inline size_t sk_tensor_pixel(const struct sk_tensor *t) { return t->layout == SK_LAYOUT_NCHW ? 1 : SK_BLOCK; }

/* Number of planes of one image: blocks of channels, or channels. */
static inline size_t sk_tensor_planes(const struct sk_tensor *t) {
  return t->layout == SK_LAYOUT_NCHW ? t->channels : (t->channels + SK_BLOCK - 1) / SK_BLOCK;
}

/* Floats from one row, plane or image to the next. */
static inline size_t sk_tensor_row(const struct sk_tensor *t) { return (t->width + 2 * t->halo) * sk_tensor_pixel(t); }
static inline size_t sk_tensor_plane(const struct sk_tensor *t) { return (t->height + 2 * t->halo) * sk_tensor_row(t); }
static inline size_t sk_tensor_image(const struct sk_tensor *t) { return sk_tensor_planes(t) * sk_tensor_plane(t); }

/* The first interior pixel of a plane of an image. */
static inline float *sk_tensor_at(const struct sk_tensor *t, size_t image, size_t plane) {
  return t->data + image * sk_tensor_image(t) + plane * sk_tensor_plane(t) + t->halo * sk_tensor_row(t) +
         t->halo * sk_tensor_pixel(t);
}

/* Compute the bytes of `batch` images, a multiple of SK_ALIGNMENT. Errors: SK_INVALID_ARGUMENT if they overflow. */
sk_status sk_tensor_bytes(const struct sk_tensor *t, size_t batch, size_t *bytes);

/* Zero the halo of every plane of `batch` images, unless it is. */
void sk_tensor_clear_halo(const struct sk_tensor *t, size_t batch, int threads);

/* The same, by the threads of a parallel region that all call it. They do not meet in the end. */
void sk_tensor_clear_halo_in_team(const struct sk_tensor *t, size_t batch);

/* Copy plain[batch][channels][height][width] into a tensor (halo and unused lanes become zero), and back. */
void sk_tensor_import(const struct sk_kernel_table *kernels, const struct sk_tensor *t, size_t batch,
                      const float *plain, int threads);
void sk_tensor_export(const struct sk_kernel_table *kernels, const struct sk_tensor *t, size_t batch, float *plain,
                      int threads);

#endif
