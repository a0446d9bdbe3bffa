/* Per-layer taps: what a picture becomes on its way through a network, layer by layer.
 *
 *   cc taps.c $(pkg-config --cflags --libs skiplane) -lm -o taps
 *   ./taps resnet50 resnet50.safetensors cat.jpg conv1 layer1 layer3.5.conv2 avgpool
 *
 * Layers go by torchvision's names. A tapped layer gives what its name says, conv1 the convolution alone: what would
 * otherwise be fused into it, batch norm and ReLU, then runs as a layer of its own. */
#include <math.h>
#include <skiplane.h>
#include <stdio.h>
#include <stdlib.h>

/* Plan the network with copies of the named layers' outputs. */
static sk_status open_net(sk_net **net, const char *model, const char *weights_file, const char *const *taps,
                          size_t tap_count) {
  const sk_net_options options = {.taps = taps, .tap_count = tap_count};
  sk_weights *weights = NULL;
  sk_status status = sk_weights_open(&weights, weights_file);
  if (!status) status = sk_net_create(net, model, weights, &options);
  sk_weights_close(weights);
  return status;
}

/* Read a picture as the model was trained to see it: x[in_channels][in_height][in_width]. */
static sk_status read_picture(const char *file, const sk_model_info *model, float *x) {
  sk_image image;
  sk_status status = sk_image_open(&image, file);
  if (status) return status;
  status = sk_image_prepare(&image, model->resize, model->in_height, model->in_width, model->mean,
                            model->standard_deviation, x);
  sk_image_close(&image);
  return status;
}

static void print_statistics(const char *name, const size_t shape[3], const float *values) {
  const size_t count = shape[0] * shape[1] * shape[2];
  double sum = 0, squares = 0, least = INFINITY, most = -INFINITY;
  size_t zeros = 0;
  for (size_t i = 0; i < count; i++) {
    const double value = (double)values[i];
    sum += value;
    squares += value * value;
    least = fmin(least, value);
    most = fmax(most, value);
    zeros += value == 0;
  }
  printf("%-24s %4zu x %3zu x %3zu  mean %9.4f  rms %9.4f  least %9.4f  most %9.4f  zero %5.1f%%\n", name, shape[0],
         shape[1], shape[2], sum / (double)count, sqrt(squares / (double)count), least, most,
         100 * (double)zeros / (double)count);
}

/* Print what tap number `tap` of the last run left in the workspace. */
static sk_status print_tap(const sk_net *net, size_t tap, const char *name, const void *workspace) {
  size_t shape[3]; /* channels, height, width */
  sk_status status = sk_net_tap_shape(net, tap, shape);
  if (status) return status;
  float *values = sk_alloc(shape[0] * shape[1] * shape[2] * sizeof *values);
  if (!values) return SK_OUT_OF_MEMORY;
  status = sk_net_tap(net, tap, 1, workspace, values);
  if (!status) print_statistics(name, shape, values);
  sk_free(values);
  return status;
}

static sk_status run(const sk_net *net, const sk_model_info *model, const char *file, const char *const *taps,
                     size_t tap_count) {
  sk_net_info info;
  sk_net_describe(net, &info);
  float *x = sk_alloc(info.in_channels * info.in_height * info.in_width * sizeof *x);
  float *logits = sk_alloc(info.classes * sizeof *logits);
  void *workspace = sk_alloc(info.workspace_bytes);
  sk_status status = x && logits && workspace ? SK_OK : SK_OUT_OF_MEMORY;
  if (!status) status = read_picture(file, model, x);
  if (!status) status = sk_net_run(net, 1, x, logits, workspace);
  for (size_t i = 0; !status && i < tap_count; i++) status = print_tap(net, i, taps[i], workspace);
  sk_free(workspace);
  sk_free(logits);
  sk_free(x);
  return status;
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: %s MODEL WEIGHTS PICTURE LAYER...\n", argv[0]);
    return 2;
  }
  const char *const *taps = (const char *const *)argv + 4;
  const size_t tap_count = (size_t)argc - 4;
  sk_model_info model;
  sk_net *net = NULL;
  sk_status status = sk_model_find(argv[1], &model);
  if (!status) status = open_net(&net, argv[1], argv[2], taps, tap_count);
  if (!status) status = run(net, &model, argv[3], taps, tap_count);
  sk_net_destroy(net);
  if (status == SK_OUT_OF_MEMORY)
    fprintf(stderr, "taps: out of memory\n");
  else if (status)
    fprintf(stderr, "taps: %s\n", sk_error_message());
  return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
