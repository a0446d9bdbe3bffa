/* Resizing with the arithmetic of Pillow's Image.resize(BILINEAR), and torchvision's preparation on top of it.
 *
 * Along one axis, output i looks at centre = (i + 1/2) * in/out and weighs the inputs j by a triangle
 *   w[i][j] = max(0, 1 - |j + 1/2 - centre| / stretch),  stretch = max(1, in/out),
 * normalised to sum 1 and rounded to 22 fractional bits. Rows first, rounded to bytes, then columns.
 * Only a window of the output is computed, and of the rows between only those that the window's columns read. */
#include <math.h>

#include "dispatch/memory.h"
#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/image.h"

enum { CHANNELS = 3, FRACTION_BITS = 22 }; /* 22 + 8 bits of pixel + 2 spare fill an int32 */

/* The weights of the outputs start..start+count-1 along one axis. */
struct axis {
  size_t count;    /* of outputs */
  size_t capacity; /* weights reserved for each */
  size_t *first;   /* [count]: the first input read */
  size_t *taps;    /* [count]: how many inputs are read */
  int32_t *weight; /* [count][capacity] */
};

/* A rectangle of the image resized to full_height x full_width. */
struct window {
  size_t full_height, full_width;
  size_t top, left, height, width;
};

/* The output of a preparation; padding where the window is smaller than that. */
struct frame {
  size_t height, width;
  size_t padding_top, padding_left;
};

/* ---- Weights along an axis ---------------------------------------------------------------------------------- */

static double triangle(double x) { return fabs(x) < 1.0 ? 1.0 - fabs(x) : 0.0; }

static void fill_output(struct axis *axis, size_t index, size_t output, size_t in, double scale, double *exact) {
  const double stretch = scale < 1.0 ? 1.0 : scale;
  const double inverse = 1.0 / stretch; /* multiplied, as Pillow does: dividing rounds differently */
  const double centre = ((double)output + 0.5) * scale;
  const double low = centre - stretch + 0.5;
  const size_t first = low > 0.0 ? (size_t)low : 0;
  const size_t end = sk_size_min((size_t)(centre + stretch + 0.5), in);
  double sum = 0.0;
  for (size_t j = first; j < end; j++) {
    exact[j - first] = triangle(((double)j - centre + 0.5) * inverse);
    sum += exact[j - first];
  }
  axis->first[index] = first;
  axis->taps[index] = end - first;
  for (size_t j = 0; j < end - first; j++) {
    const double normalised = sum != 0.0 ? exact[j] / sum : exact[j];
    axis->weight[index * axis->capacity + j] = (int32_t)(0.5 + normalised * (1 << FRACTION_BITS));
  }
}

static void free_axis(struct axis *axis) {
  sk_free(axis->first);
  sk_free(axis->taps);
  sk_free(axis->weight);
}

static bool allocate_axis(struct axis *axis) {
  size_t weights;
  if (!sk_size_multiply(axis->count, axis->capacity, &weights)) return false;
  axis->first = sk_calloc(axis->count, sizeof *axis->first);
  axis->taps = sk_calloc(axis->count, sizeof *axis->taps);
  axis->weight = sk_calloc(weights, sizeof *axis->weight);
  return axis->first && axis->taps && axis->weight;
}

/* Prepare `count` outputs from `start` on, of an axis of `in` inputs resized to `out`. */
static bool make_axis(struct axis *axis, size_t in, size_t out, size_t start, size_t count) {
  const double scale = (double)in / (double)out;
  const size_t capacity = (size_t)ceil(scale < 1.0 ? 1.0 : scale) * 2 + 1;
  *axis = (struct axis){.count = count, .capacity = capacity};
  double *exact = sk_calloc(capacity, sizeof *exact);
  const bool made = allocate_axis(axis) && exact;
  for (size_t i = 0; i < count && made; i++) fill_output(axis, i, start + i, in, scale, exact);
  sk_free(exact);
  return made;
}

/* ---- The two passes ----------------------------------------------------------------------------------------- */

/* Sum inputs `step` bytes apart under an output's weights; the weights are positive, so only the top needs a clamp. */
static uint8_t weigh(const uint8_t *in, size_t step, const int32_t *weight, size_t taps) {
  int32_t sum = 1 << (FRACTION_BITS - 1);
  /* The analyzer loses sight of the loop that fills the weights. NOLINTNEXTLINE(clang-analyzer-core.*) */
  for (size_t j = 0; j < taps; j++) sum += in[j * step] * weight[j];
  const int32_t value = sum >> FRACTION_BITS;
  return (uint8_t)(value > 255 ? 255 : value);
}

/* Resize one row of `in` to the outputs of an axis. */
static void resize_row(const struct axis *axis, const uint8_t *in, uint8_t *out) {
  for (size_t i = 0; i < axis->count; i++) {
    for (size_t channel = 0; channel < CHANNELS; channel++) {
      out[i * CHANNELS + channel] =
          weigh(in + axis->first[i] * CHANNELS + channel, CHANNELS, axis->weight + i * axis->capacity, axis->taps[i]);
    }
  }
}

/* Resize columns: rows begins at input row first_row and has `pitch` bytes a row. */
static void resize_columns(const struct axis *axis, const uint8_t *rows, size_t first_row, size_t pitch, uint8_t *out) {
  for (size_t i = 0; i < axis->count; i++) {
    const uint8_t *in = rows + (axis->first[i] - first_row) * pitch;
    for (size_t x = 0; x < pitch; x++) {
      out[i * pitch + x] = weigh(in + x, pitch, axis->weight + i * axis->capacity, axis->taps[i]);
    }
  }
}

static bool run_passes(const sk_image *image, const struct axis *across, const struct axis *down, uint8_t *out) {
  const size_t first = down->first[0];
  const size_t last = down->first[down->count - 1] + down->taps[down->count - 1];
  const size_t pitch = across->count * CHANNELS;
  size_t bytes;
  if (!sk_size_multiply(last - first, pitch, &bytes)) return false;
  uint8_t *rows = sk_malloc(bytes);
  if (!rows) return false;
  for (size_t y = first; y < last; y++) {
    resize_row(across, image->pixels + y * image->width * CHANNELS, rows + (y - first) * pitch);
  }
  resize_columns(down, rows, first, pitch, out);
  sk_free(rows);
  return true;
}

/* Compute a window of the resized image: out[height][width][3]. An axis that keeps its size has the weights 1, 0. */
static sk_status resize_window(const sk_image *image, const struct window *window, uint8_t *out) {
  struct axis across;
  struct axis down = {0};
  bool made = make_axis(&across, image->width, window->full_width, window->left, window->width);
  made = made && make_axis(&down, image->height, window->full_height, window->top, window->height);
  made = made && run_passes(image, &across, &down, out);
  free_axis(&across);
  free_axis(&down);
  if (made) return SK_OK;
  return sk_fail(SK_OUT_OF_MEMORY, "out of memory to resize %zu x %zu pixels to %zu x %zu", image->width, image->height,
                 window->full_width, window->full_height);
}

/* ---- The public functions ----------------------------------------------------------------------------------- */

/* Sizes are bounded, so that their sums and products below cannot overflow. */
static sk_status check_sizes(const sk_image *image, size_t height, size_t width) {
  size_t pixels;
  if (!image || !image->pixels || image->height == 0 || image->width == 0) {
    return sk_fail(SK_INVALID_ARGUMENT, "the image to resize has no pixels");
  }
  if (!sk_size_multiply(image->height, image->width, &pixels) || pixels > SK_IMAGE_MAX_PIXELS) {
    return sk_fail(SK_INVALID_ARGUMENT, "image of %zu x %zu pixels, expected at most %zu in all", image->width,
                   image->height, SK_IMAGE_MAX_PIXELS);
  }
  if (height == 0 || width == 0 || !sk_size_multiply(height, width, &pixels) || pixels > SK_IMAGE_MAX_PIXELS) {
    return sk_fail(SK_INVALID_ARGUMENT, "resized image of %zu x %zu pixels, expected 1 to %zu in all", width, height,
                   SK_IMAGE_MAX_PIXELS);
  }
  return SK_OK;
}

sk_status sk_image_resize(const sk_image *image, size_t height, size_t width, sk_image *resized) {
  if (!resized) return sk_fail(SK_INVALID_ARGUMENT, "sk_image_resize: NULL argument");
  *resized = (sk_image){0};
  sk_status status = check_sizes(image, height, width);
  if (status) return status;
  uint8_t *pixels = sk_malloc(height * width * CHANNELS);
  if (!pixels) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu x %zu pixels", width, height);
  const struct window whole = {height, width, 0, 0, height, width};
  status = resize_window(image, &whole, pixels);
  if (status) {
    sk_free(pixels);
  } else {
    *resized = (sk_image){height, width, pixels};
  }
  return status;
}

/* One axis of torchvision's CenterCrop: what is cut off is halved and rounded to even, what lacks is padded. */
static void crop_axis(size_t full, size_t crop, size_t *start, size_t *count, size_t *padding) {
  const size_t excess = full > crop ? full - crop : 0;
  *start = excess / 2 + (excess % 4 == 3);
  *count = sk_size_min(full, crop);
  *padding = crop > full ? (crop - full) / 2 : 0;
}

/* torchvision's Resize(int): the longer side is int(resize * longer / shorter), rounded down. */
static void full_size(const sk_image *image, size_t resize, size_t height, size_t width, struct window *window) {
  const size_t shorter = sk_size_min(image->height, image->width);
  window->full_height = resize ? resize * image->height / shorter : height;
  window->full_width = resize ? resize * image->width / shorter : width;
}

struct normalisation {
  const float *mean, *standard_deviation;
};

static float normalise(const struct normalisation *n, uint8_t value, size_t channel) {
  return ((float)value / 255.0F - n->mean[channel]) / n->standard_deviation[channel];
}

/* Spread a window's pixels over a frame, out[3][height][width]; around them it is black. */
static void write_planes(const uint8_t *pixels, const struct window *window, const struct normalisation *n,
                         const struct frame *frame, float *out) {
  const size_t plane = frame->height * frame->width;
  for (size_t channel = 0; channel < CHANNELS; channel++) {
    const float black = normalise(n, 0, channel);
    for (size_t i = 0; i < plane; i++) out[channel * plane + i] = black;
    for (size_t y = 0; y < window->height; y++) {
      float *row = out + channel * plane + (frame->padding_top + y) * frame->width + frame->padding_left;
      const uint8_t *in = pixels + y * window->width * CHANNELS + channel;
      /* The passes have filled the window. NOLINTNEXTLINE(clang-analyzer-core.*) */
      for (size_t x = 0; x < window->width; x++) row[x] = normalise(n, in[x * CHANNELS], channel);
    }
  }
}

static sk_status check_normalisation(const struct normalisation *n) {
  for (size_t i = 0; i < CHANNELS; i++) {
    if (isfinite(n->mean[i]) && isfinite(n->standard_deviation[i]) && n->standard_deviation[i] > 0.0F) continue;
    return sk_fail(SK_INVALID_ARGUMENT, "mean %g and standard deviation %g of channel %zu, expected finite and > 0",
                   (double)n->mean[i], (double)n->standard_deviation[i], i);
  }
  return SK_OK;
}

static sk_status check_resize(size_t resize) {
  if (resize <= SK_IMAGE_MAX_PIXELS) return SK_OK;
  return sk_fail(SK_INVALID_ARGUMENT, "resize to a shorter side of %zu, expected at most %zu", resize,
                 SK_IMAGE_MAX_PIXELS);
}

sk_status sk_image_prepare(const sk_image *image, size_t resize, size_t height, size_t width, const float mean[3],
                           const float standard_deviation[3], float *out) {
  if (!mean || !standard_deviation || !out) return sk_fail(SK_INVALID_ARGUMENT, "sk_image_prepare: NULL argument");
  const struct normalisation n = {mean, standard_deviation};
  sk_status status = check_sizes(image, height, width);
  if (!status) status = check_resize(resize);
  if (!status) status = check_normalisation(&n);
  if (status) return status;
  struct window window;
  struct frame frame = {.height = height, .width = width};
  full_size(image, resize, height, width, &window);
  crop_axis(window.full_height, height, &window.top, &window.height, &frame.padding_top);
  crop_axis(window.full_width, width, &window.left, &window.width, &frame.padding_left);
  uint8_t *pixels = sk_malloc(window.height * window.width * CHANNELS);
  if (!pixels) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu x %zu pixels", window.width, window.height);
  status = resize_window(image, &window, pixels);
  if (!status) write_planes(pixels, &window, &n, &frame, out);
  sk_free(pixels);
  return status;
}
