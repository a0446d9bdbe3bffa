#include "bench/verify_phases.h"

#include <string.h>

#include "dispatch/memory.h"
#include "reference/reference.h"

enum { PHASES = 4, TAPS = 4 };

/* The convolution over phases: as many rows and columns as whole kernels of the outputs need. */
static sk_conv_shape phases_shape(const sk_conv_shape *s) {
  size_t height, width;
  sk_reference_conv_output_size(s, &height, &width);
  return (sk_conv_shape){.batch = s->batch,
                         .in_channels = PHASES * s->in_channels,
                         .in_height = height + TAPS - 1,
                         .in_width = width + TAPS - 1,
                         .out_channels = s->out_channels,
                         .kernel_height = TAPS,
                         .kernel_width = TAPS,
                         .stride_height = 1,
                         .stride_width = 1,
                         .dilation_height = 1,
                         .dilation_width = 1,
                         .groups = 1};
}

/* Pixel i of a phase is the padded input's 2i + phase; there may be none. */
static double pixel_of(const sk_conv_shape *s, const double *plane, size_t row, size_t column) {
  if (row < s->pad_top || row - s->pad_top >= s->in_height) return 0;
  if (column < s->pad_left || column - s->pad_left >= s->in_width) return 0;
  return plane[(row - s->pad_top) * s->in_width + column - s->pad_left];
}

static void fill_inputs(const sk_conv_shape *s, const sk_conv_shape *phases, const double *x, double *to) {
  const size_t area = phases->in_height * phases->in_width;
  for (size_t i = 0; i < s->batch * phases->in_channels * area; i++) {
    const size_t channel = i / area % phases->in_channels, image = i / area / phases->in_channels;
    const size_t phase = channel / s->in_channels, row = i % area / phases->in_width, column = i % phases->in_width;
    const double *const plane = x + (image * s->in_channels + channel % s->in_channels) * s->in_height * s->in_width;
    to[i] = pixel_of(s, plane, 2 * row + phase / 2, 2 * column + phase % 2);
  }
}

static void fill_weights(const sk_conv_shape *s, const sk_conv_shape *phases, const double *weights, double *to) {
  for (size_t i = 0; i < s->out_channels * phases->in_channels * TAPS * TAPS; i++) {
    const size_t tap = i % (TAPS * TAPS), channel = i / (TAPS * TAPS) % phases->in_channels;
    const size_t out = i / (TAPS * TAPS) / phases->in_channels, phase = channel / s->in_channels;
    const size_t row = 2 * (tap / TAPS) + phase / 2, column = 2 * (tap % TAPS) + phase % 2;
    const size_t kernel = out * s->in_channels + channel % s->in_channels;
    const bool exists = row < s->kernel_height && column < s->kernel_width;
    to[i] = exists ? weights[(kernel * s->kernel_height + row) * s->kernel_width + column] : 0;
  }
}

bool sk_phases_magnitude(const sk_reference_winograd *winograd, const sk_conv_shape *s, const double *x,
                         const double *weights, double *magnitude) {
  const sk_conv_shape phases = phases_shape(s);
  const size_t inputs = s->batch * phases.in_channels * phases.in_height * phases.in_width;
  double *const phase_x = sk_alloc(inputs * sizeof *phase_x);
  double *const phase_weights = sk_alloc(s->out_channels * phases.in_channels * TAPS * TAPS * sizeof *phase_weights);
  const bool ready = phase_x && phase_weights;
  if (ready) {
    fill_inputs(s, &phases, x, phase_x);
    fill_weights(s, &phases, weights, phase_weights);
    sk_reference_winograd_magnitude(winograd, &phases, phase_x, phase_weights, NULL, magnitude);
  }
  sk_free(phase_x);
  sk_free(phase_weights);
  return ready;
}
