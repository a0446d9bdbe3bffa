#include "dispatch/tensor.h"

#include <string.h>

#include "dispatch/size.h"
#include "dispatch/status.h"

sk_status sk_tensor_bytes(const struct sk_tensor *t, size_t batch, size_t *bytes) {
  size_t height = 0, width = 0, channels = 0, size = 0, halo = 0;
  const bool fits = sk_size_multiply(t->halo, 2, &halo) && sk_size_add(t->height, halo, &height) &&
                    sk_size_add(t->width, halo, &width) && sk_size_add(t->channels, SK_BLOCK, &channels) &&
                    sk_size_multiply(height, width, &size) && sk_size_multiply(size, channels, &size) &&
                    sk_size_multiply(size, batch, &size) && sk_size_multiply(size, 2 * sizeof(float), &size) &&
                    size <= PTRDIFF_MAX;
  if (!fits) {
    return sk_fail(SK_INVALID_ARGUMENT, "a tensor of %zu x %zu x %zu x %zu elements is too large", batch, t->channels,
                   t->height, t->width);
  }
  *bytes = sk_size_round_up(batch * sk_tensor_image(t) * sizeof(float), SK_ALIGNMENT);
  return SK_OK;
}

/* The right margin of a row and the left one of the next lie side by side. */
static void clear_plane_halo(const struct sk_tensor *t, float *plane) {
  const size_t row = sk_tensor_row(t), margin = t->halo * sk_tensor_pixel(t), outer = t->halo * row + margin;
  memset(plane, 0, outer * sizeof(float));
  for (size_t i = 1; i < t->height; i++) memset(plane + outer + i * row - 2 * margin, 0, 2 * margin * sizeof(float));
  memset(plane + outer + t->height * row - 2 * margin, 0, outer * sizeof(float));
}

void sk_tensor_clear_halo_in_team(const struct sk_tensor *t, size_t batch) {
  if (t->halo == 0 || t->halo_is_zero) return;
  const size_t planes = batch * sk_tensor_planes(t), plane = sk_tensor_plane(t);
#pragma omp for schedule(static) nowait
  for (size_t i = 0; i < planes; i++) clear_plane_halo(t, t->data + i * plane);
}

void sk_tensor_clear_halo(const struct sk_tensor *t, size_t batch, int threads) {
  (void)threads; /* without OpenMP */
#pragma omp parallel num_threads(threads)
  sk_tensor_clear_halo_in_team(t, batch);
}

/* The arguments to copy plane `plane` of image `image` between a tensor and plain[batch][channels][height][width]. */
static struct sk_layout_args plane_copy(const struct sk_tensor *t, size_t image, size_t plane, float *plain) {
  const size_t area = t->height * t->width, first = plane * SK_BLOCK;
  return (struct sk_layout_args){
      .plain = plain + (image * t->channels + first) * area,
      .plain_channel = area,
      .plain_row = t->width,
      .plain_pixel = 1,
      .blocked = sk_tensor_at(t, image, plane),
      .blocked_row = sk_tensor_row(t),
      .height = t->height,
      .width = t->width,
      .channels = sk_size_min(SK_BLOCK, t->channels - first),
  };
}

/* Copy the rows of one planar image, in or out. */
static void copy_planar(const struct sk_tensor *t, size_t image, size_t channel, float *plain, bool import) {
  plain += (image * t->channels + channel) * t->height * t->width;
  float *data = sk_tensor_at(t, image, channel);
  for (size_t i = 0; i < t->height; i++) {
    float *inside = data + i * sk_tensor_row(t), *outside = plain + i * t->width;
    memcpy(import ? inside : outside, import ? outside : inside, t->width * sizeof(float));
  }
}

static void copy(const struct sk_kernel_table *kernels, const struct sk_tensor *t, size_t batch, float *plain,
                 int threads, bool import) {
  (void)threads; /* without OpenMP */
  const size_t planes = sk_tensor_planes(t);
#pragma omp parallel for schedule(static) num_threads(threads) collapse(2)
  for (size_t n = 0; n < batch; n++) {
    for (size_t p = 0; p < planes; p++) {
      if (t->layout == SK_LAYOUT_NCHW) {
        copy_planar(t, n, p, plain, import);
      } else {
        const struct sk_layout_args args = plane_copy(t, n, p, plain);
        (import ? kernels->to_blocked : kernels->from_blocked)(&args);
      }
    }
  }
}

void sk_tensor_import(const struct sk_kernel_table *kernels, const struct sk_tensor *t, size_t batch,
                      const float *plain, int threads) {
  /* The argument struct serves both directions and so has no const; an import does not write through it. */
  copy(kernels, t, batch, (float *)(uintptr_t)plain, threads, true);
  sk_tensor_clear_halo(t, batch, threads);
}

void sk_tensor_export(const struct sk_kernel_table *kernels, const struct sk_tensor *t, size_t batch, float *plain,
                      int threads) {
  copy(kernels, t, batch, plain, threads, false);
}
