/* Operators that only move elements: whole blocks of channels where they stay together, else one lane at a time. */
#include "dispatch/ops_move.h"

#include <string.h>

#include "dispatch/size.h"

/* ---- Shortcut A --------------------------------------------------------------------------------------------- */

/* Fill one channel of shortcut A's output: strided source pixels, or zeros where the channel is padding. */
static void subsample_channel(const struct sk_tensor *x, const struct sk_tensor *y, size_t stride, size_t image,
                              size_t channel) {
  const size_t pad = (y->channels - x->channels) / 2;
  const bool copied = channel >= pad && channel < pad + x->channels;
  const size_t source = copied ? channel - pad : 0;
  const float *from = sk_tensor_at(x, image, source / SK_BLOCK) + source % SK_BLOCK;
  float *to = sk_tensor_at(y, image, channel / SK_BLOCK) + channel % SK_BLOCK;
  for (size_t i = 0; i < y->height; i++) {
    for (size_t j = 0; j < y->width; j++) {
      const float value = copied ? from[i * stride * sk_tensor_row(x) + j * stride * SK_BLOCK] : 0;
      to[i * sk_tensor_row(y) + j * SK_BLOCK] = value;
    }
  }
}

void sk_op_subsample(size_t stride, size_t batch, const struct sk_tensor *x, const struct sk_tensor *y, int threads) {
  (void)threads;                                       /* without OpenMP */
  const size_t lanes = sk_tensor_planes(y) * SK_BLOCK; /* lanes beyond the channels become zero too */
#pragma omp parallel for schedule(static) num_threads(threads)
  for (size_t i = 0; i < batch * lanes; i++) subsample_channel(x, y, stride, i / lanes, i % lanes);
  sk_tensor_clear_halo(y, batch, threads);
}

/* ---- Concatenation ------------------------------------------------------------------------------------------ */

/* Copy one block of channels of one image. */
static void copy_plane(const struct sk_tensor *from, size_t from_plane, const struct sk_tensor *to, size_t to_plane,
                       size_t image) {
  const float *x = sk_tensor_at(from, image, from_plane);
  float *y = sk_tensor_at(to, image, to_plane);
  for (size_t i = 0; i < to->height; i++) {
    memcpy(y + i * sk_tensor_row(to), x + i * sk_tensor_row(from), to->width * SK_BLOCK * sizeof(float));
  }
}

/* Fill lane `channel` of one image with a channel of another tensor, or (NULL) zeros. */
static void fill_lane(const struct sk_tensor *from, size_t from_channel, const struct sk_tensor *to, size_t channel,
                      size_t image) {
  const float *x = from ? sk_tensor_at(from, image, from_channel / SK_BLOCK) + from_channel % SK_BLOCK : NULL;
  float *y = sk_tensor_at(to, image, channel / SK_BLOCK) + channel % SK_BLOCK;
  for (size_t i = 0; i < to->height; i++) {
    for (size_t j = 0; j < to->width; j++) {
      y[i * sk_tensor_row(to) + j * SK_BLOCK] = x ? x[i * sk_tensor_row(from) + j * SK_BLOCK] : 0;
    }
  }
}

static void concat_plane(const struct sk_tensor *a, const struct sk_tensor *b, const struct sk_tensor *y, size_t image,
                         size_t plane) {
  const size_t first = plane * SK_BLOCK, end = first + SK_BLOCK;
  if (end <= a->channels) {
    copy_plane(a, plane, y, plane, image);
  } else if (a->channels % SK_BLOCK == 0 && end <= y->channels) {
    copy_plane(b, plane - a->channels / SK_BLOCK, y, plane, image);
  } else {
    for (size_t c = first; c < end; c++) {
      const bool in_a = c < a->channels;
      fill_lane(in_a ? a : c < y->channels ? b : NULL, in_a ? c : c - a->channels, y, c, image);
    }
  }
}

void sk_op_concat(size_t batch, const struct sk_tensor *a, const struct sk_tensor *b, const struct sk_tensor *y,
                  int threads) {
  (void)threads; /* without OpenMP */
  const size_t planes = sk_tensor_planes(y);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (size_t i = 0; i < batch * planes; i++) concat_plane(a, b, y, i / planes, i % planes);
  sk_tensor_clear_halo(y, batch, threads);
}

/* ---- Padding ------------------------------------------------------------------------------------------------ */

static float *fill_pixels(float *y, size_t pixels, const float *pixel) {
  for (size_t j = 0; j < pixels; j++, y += SK_BLOCK) memcpy(y, pixel, SK_BLOCK * sizeof(float));
  return y;
}

/* pixel: the value in every lane that has a channel. */
static void pad_plane(const struct sk_padding *padding, const struct sk_tensor *x, const struct sk_tensor *y,
                      size_t image, size_t plane, const float *pixel) {
  const float *from = sk_tensor_at(x, image, plane);
  for (size_t i = 0; i < y->height; i++) {
    float *to = sk_tensor_at(y, image, plane) + i * sk_tensor_row(y);
    if (i < padding->top || i - padding->top >= x->height) {
      fill_pixels(to, y->width, pixel);
      continue;
    }
    to = fill_pixels(to, padding->left, pixel);
    memcpy(to, from, x->width * SK_BLOCK * sizeof(float));
    fill_pixels(to + x->width * SK_BLOCK, padding->right, pixel);
    from += sk_tensor_row(x);
  }
}

void sk_op_pad(const struct sk_padding *padding, size_t batch, const struct sk_tensor *x, const struct sk_tensor *y,
               int threads) {
  (void)threads; /* without OpenMP */
  const size_t planes = sk_tensor_planes(y);
#pragma omp parallel for schedule(static) collapse(2) num_threads(threads)
  for (size_t image = 0; image < batch; image++) {
    for (size_t plane = 0; plane < planes; plane++) {
      const size_t lanes = sk_size_min(SK_BLOCK, y->channels - plane * SK_BLOCK);
      float pixel[SK_BLOCK] = {0};
      for (size_t l = 0; l < lanes; l++) pixel[l] = padding->value;
      pad_plane(padding, x, y, image, plane, pixel);
    }
  }
  sk_tensor_clear_halo(y, batch, threads);
}

/* ---- Flattening --------------------------------------------------------------------------------------------- */

/* Number `element` of one image in the order of NCHW, 0 past the last. */
static float element_at(const struct sk_tensor *x, size_t image, size_t element) {
  const size_t area = x->height * x->width, channel = element / area, pixel = element % area;
  if (channel >= x->channels) return 0;
  return sk_tensor_at(
      x, image,
      channel / SK_BLOCK)[pixel / x->width * sk_tensor_row(x) + pixel % x->width * SK_BLOCK + channel % SK_BLOCK];
}

void sk_op_flatten(size_t batch, const struct sk_tensor *x, const struct sk_tensor *y, int threads) {
  (void)threads; /* without OpenMP */
  const size_t planes = sk_tensor_planes(y);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (size_t i = 0; i < batch * planes; i++) {
    float *const to = sk_tensor_at(y, i / planes, i % planes);
    for (size_t l = 0; l < SK_BLOCK; l++) to[l] = element_at(x, i / planes, i % planes * SK_BLOCK + l);
  }
  sk_tensor_clear_halo(y, batch, threads);
}
