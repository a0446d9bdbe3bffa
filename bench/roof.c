#include "bench/roof.h"

#include <string.h>

#include "dispatch/conv.h"
#include "dispatch/size.h"
#include "kernels/winograd_points.h"

/* The smallest level from L2 on that holds so many bytes; memory holds all. */
static const struct sk_bandwidth *level_of(const struct sk_bandwidths *bandwidths, size_t bytes) {
  size_t i = strcmp(bandwidths->levels[0].level, "L1") == 0 ? 1 : 0;
  while (i + 1 < bandwidths->count && bandwidths->levels[i].capacity < bytes) i++;
  return &bandwidths->levels[i];
}

static void raise_to(struct sk_roof *roof, const char *name, double seconds) {
  if (seconds > roof->seconds) *roof = (struct sk_roof){name, seconds};
}

struct sk_roof sk_roof_find(double peak, const struct sk_bandwidths *bandwidths, const struct sk_roof_work *work) {
  const struct sk_bandwidth *weights = level_of(bandwidths, work->network_bytes);
  const struct sk_bandwidth *activations = level_of(bandwidths, work->activation_bytes);
  const double weight_seconds = 1e-9 * (double)work->weight_bytes / weights->gbps;
  const double activation_seconds = 1e-9 * (double)work->activation_bytes / activations->gbps;
  struct sk_roof roof = {"compute", 2e-9 * work->multiply_adds / peak};
  if (weights == activations) {
    raise_to(&roof, weights->level, weight_seconds + activation_seconds);
  } else {
    raise_to(&roof, weights->level, weight_seconds);
    raise_to(&roof, activations->level, activation_seconds);
  }
  return roof;
}

/* The points of the tiles side by side along a dimension. */
static size_t points_along(size_t m, size_t stride, size_t outputs) {
  const size_t tiles = sk_size_divide_up(outputs, m), alpha = stride == 2 ? 2 * m + 1 : m + 2;
  const size_t last = sk_winograd_points(alpha, sk_winograd_inputs(alpha, (outputs - 1) % m + 1));
  return (tiles - 1) * alpha + last;
}

/* F(3,4): 36 products for each tile of 3x3 outputs and channel of four phases, in place of 49 for each output. */
static double phases_macs(const sk_layer_info *layer) {
  const double tiles = (double)sk_size_divide_up(layer->out_height, 3) * (double)sk_size_divide_up(layer->out_width, 3);
  return (double)layer->macs * 36 * 4 * tiles / (49 * (double)layer->out_height * (double)layer->out_width);
}

/* Seven products in place of eight, of an image whose halves are as large as the first. */
static double strassen_macs(const sk_layer_info *layer) {
  const size_t pixels = layer->out_height * layer->out_width;
  return (double)layer->macs * 7 / 8 * (double)(pixels + pixels % 2) / (double)pixels;
}

double sk_executed_macs(const sk_layer_info *layer) {
  const size_t m = sk_winograd_outputs(layer->algorithm);
  const double direct = (double)layer->macs;
  if (layer->algorithm == SK_ALGORITHM_STRASSEN) return strassen_macs(layer);
  if (layer->algorithm == SK_ALGORITHM_WINOGRAD3) return phases_macs(layer);
  if (m == 0 || layer->macs == 0) return direct;
  const size_t down = points_along(m, layer->stride, layer->out_height);
  const size_t along = points_along(m, layer->stride, layer->out_width);
  const double products = (double)down * (double)along;
  return direct * products / (9 * (double)layer->out_height * (double)layer->out_width);
}
