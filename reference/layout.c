/* Memory layouts, element by element. */
#include "reference/reference.h"

enum { BLOCK = SK_REFERENCE_CHANNEL_BLOCK };

typedef struct geometry {
  size_t batch, channels, height, width, halo;
} geometry;

static size_t blocks(size_t channels) { return (channels + BLOCK - 1) / BLOCK; }

size_t sk_reference_nchw16c_size(size_t batch, size_t channels, size_t height, size_t width, size_t halo) {
  return batch * blocks(channels) * (height + 2 * halo) * (width + 2 * halo) * BLOCK;
}

typedef size_t index_function(const geometry *g, size_t n, size_t c, size_t i, size_t j);

static size_t nchw_index(const geometry *g, size_t n, size_t c, size_t i, size_t j) {
  return ((n * g->channels + c) * g->height + i) * g->width + j;
}

static size_t nhwc_index(const geometry *g, size_t n, size_t c, size_t i, size_t j) {
  return ((n * g->height + i) * g->width + j) * g->channels + c;
}

static size_t nchw16c_index(const geometry *g, size_t n, size_t c, size_t i, size_t j) {
  size_t plane = n * blocks(g->channels) + c / BLOCK;
  size_t row = plane * (g->height + 2 * g->halo) + g->halo + i;
  size_t column = row * (g->width + 2 * g->halo) + g->halo + j;
  return column * BLOCK + c % BLOCK;
}

/* Copy every element that is not halo or a padded lane. */
static void copy(const geometry *g, index_function *from, const float *x, index_function *to, float *y) {
  for (size_t n = 0; n < g->batch; n++) {
    for (size_t c = 0; c < g->channels; c++) {
      for (size_t i = 0; i < g->height; i++) {
        for (size_t j = 0; j < g->width; j++) y[to(g, n, c, i, j)] = x[from(g, n, c, i, j)];
      }
    }
  }
}

static void copy_to_nchw16c(const geometry *g, index_function *from, const float *x, float *y) {
  size_t size = sk_reference_nchw16c_size(g->batch, g->channels, g->height, g->width, g->halo);
  for (size_t at = 0; at < size; at++) y[at] = 0;
  copy(g, from, x, nchw16c_index, y);
}

void sk_reference_nchw_to_nchw16c(size_t batch, size_t channels, size_t height, size_t width, size_t halo,
                                  const float *x, float *y) {
  copy_to_nchw16c(&(geometry){batch, channels, height, width, halo}, nchw_index, x, y);
}

void sk_reference_nchw16c_to_nchw(size_t batch, size_t channels, size_t height, size_t width, size_t halo,
                                  const float *x, float *y) {
  copy(&(geometry){batch, channels, height, width, halo}, nchw16c_index, x, nchw_index, y);
}

void sk_reference_nhwc_to_nchw16c(size_t batch, size_t channels, size_t height, size_t width, size_t halo,
                                  const float *x, float *y) {
  copy_to_nchw16c(&(geometry){batch, channels, height, width, halo}, nhwc_index, x, y);
}

void sk_reference_nchw16c_to_nhwc(size_t batch, size_t channels, size_t height, size_t width, size_t halo,
                                  const float *x, float *y) {
  copy(&(geometry){batch, channels, height, width, halo}, nchw16c_index, x, nhwc_index, y);
}
