/* Feature extraction: pictures as vectors, and how alike they are.
 *
 *   cc features.c $(pkg-config --cflags --libs skiplane) -lm -o features
 *   ./features resnet50 resnet50.safetensors features.npy cat.jpg dog.jpg ship.jpg
 *
 * The features are what goes into the network's last dense layer: the output of its global pooling. They are written
 * as a NumPy array [pictures][features], and the cosine of the angle between each two is printed. */
#include <math.h>
#include <skiplane.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const pooling = "avgpool"; /* the name that every model here gives to that layer */

/* The vectors of all pictures. */
struct features {
  size_t pictures, length;
  float *values; /* [pictures][length] */
};

/* ---- The network -------------------------------------------------------------------------------------------- */

static sk_status open_net(sk_net **net, const char *model, const char *weights_file) {
  const sk_net_options options = {.taps = &pooling, .tap_count = 1};
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

/* Fill in the vectors of the pictures; x, logits and the workspace serve one after the other. */
static sk_status extract(const sk_net *net, const sk_model_info *model, char *const *files,
                         const struct features *features) {
  sk_net_info info;
  sk_net_describe(net, &info);
  float *x = sk_alloc(info.in_channels * info.in_height * info.in_width * sizeof *x);
  float *logits = sk_alloc(info.classes * sizeof *logits);
  void *workspace = sk_alloc(info.workspace_bytes);
  sk_status status = x && logits && workspace ? SK_OK : SK_OUT_OF_MEMORY;
  for (size_t i = 0; !status && i < features->pictures; i++) {
    status = read_picture(files[i], model, x);
    if (!status) status = sk_net_run(net, 1, x, logits, workspace);
    if (!status) status = sk_net_tap(net, 0, 1, workspace, features->values + i * features->length);
  }
  sk_free(workspace);
  sk_free(logits);
  sk_free(x);
  return status;
}

/* ---- What becomes of the vectors ---------------------------------------------------------------------------- */

/* Write a .npy file, format 1.0: a magic number, the length of the header, the header, padded so that the values begin
 * at a multiple of 64 bytes, and the values. Under a name of its own until it is whole. Return whether that went well.
 */
static int write_npy(const char *path, const struct features *features) {
  char part[4096];
  char header[128 - 10];
  if (snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part) return 0;
  FILE *file = fopen(part, "wb");
  if (!file) return 0;
  snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", features->pictures,
           features->length);
  fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, file); /* 0x76: 118 bytes of header */
  fprintf(file, "%-117s\n", header);
  fwrite(features->values, features->length * sizeof(float), features->pictures, file);
  const int failed = ferror(file);
  if (fclose(file) || failed || rename(part, path)) {
    remove(part);
    return 0;
  }
  return 1;
}

static double dot(const float *a, const float *b, size_t length) {
  double sum = 0;
  for (size_t i = 0; i < length; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

static void print_cosines(const struct features *features) {
  const size_t length = features->length;
  for (size_t i = 0; i < features->pictures; i++) {
    const float *const a = features->values + i * length;
    for (size_t j = 0; j < features->pictures; j++) {
      const float *const b = features->values + j * length;
      printf(" %6.3f", dot(a, b, length) / sqrt(dot(a, a, length) * dot(b, b, length)));
    }
    putchar('\n');
  }
}

/* ---- The program -------------------------------------------------------------------------------------------- */

static sk_status run(const char *model_name, const char *weights_file, char *const *files, struct features *features) {
  sk_model_info model;
  sk_net *net = NULL;
  size_t shape[3] = {0}; /* channels, 1, 1 */
  sk_status status = sk_model_find(model_name, &model);
  if (!status) status = open_net(&net, model_name, weights_file);
  if (!status) status = sk_net_tap_shape(net, 0, shape);
  if (!status) {
    features->length = shape[0] * shape[1] * shape[2];
    features->values = calloc(features->pictures, features->length * sizeof *features->values);
    status = features->values ? extract(net, &model, files, features) : SK_OUT_OF_MEMORY;
  }
  sk_net_destroy(net);
  return status;
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: %s MODEL WEIGHTS FEATURES.npy PICTURE...\n", argv[0]);
    return 2;
  }
  struct features features = {.pictures = (size_t)argc - 4};
  const sk_status status = run(argv[1], argv[2], argv + 4, &features);
  int failed = status != SK_OK;
  if (status == SK_OUT_OF_MEMORY) {
    fprintf(stderr, "features: out of memory\n");
  } else if (status) {
    fprintf(stderr, "features: %s\n", sk_error_message());
  } else if (!write_npy(argv[3], &features)) {
    perror(argv[3]);
    failed = 1;
  } else {
    print_cosines(&features);
  }
  free(features.values);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
