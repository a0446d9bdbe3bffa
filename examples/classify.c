/* A network: the three likeliest classes of one picture, with their probabilities.
 *
 *   cc classify.c $(pkg-config --cflags --libs skiplane) -o classify
 *   ./classify resnet50 resnet50.safetensors cat.jpg */
#include <skiplane.h>
#include <stdio.h>
#include <stdlib.h>

enum { LIKELIEST = 3 };

/* Plan the network. Its weights are copied as they are packed, so the file may be closed afterwards. */
static sk_status open_net(sk_net **net, const char *model, const char *weights_file) {
  const sk_net_options options = {.softmax = true}; /* all else: the defaults */
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

/* Print the likeliest classes, and strike each out once it is printed. */
static void print_likeliest(float *probabilities, size_t classes) {
  for (int rank = 0; rank < LIKELIEST; rank++) {
    size_t best = 0;
    for (size_t i = 1; i < classes; i++) {
      if (probabilities[i] > probabilities[best]) best = i;
    }
    if (probabilities[best] < 0) return; /* fewer classes than that */
    printf("class %zu: %.1f%%\n", best, 100 * (double)probabilities[best]);
    probabilities[best] = -1;
  }
}

static sk_status classify(const sk_net *net, const sk_model_info *model, const char *file) {
  sk_net_info info;
  sk_net_describe(net, &info);
  float *x = sk_alloc(info.in_channels * info.in_height * info.in_width * sizeof *x);
  float *probabilities = sk_alloc(info.classes * sizeof *probabilities);
  void *workspace = sk_alloc(info.workspace_bytes); /* the run itself allocates nothing */
  sk_status status = x && probabilities && workspace ? SK_OK : SK_OUT_OF_MEMORY;
  if (!status) status = read_picture(file, model, x);
  if (!status) status = sk_net_run(net, 1, x, probabilities, workspace);
  if (!status) print_likeliest(probabilities, info.classes);
  sk_free(workspace);
  sk_free(probabilities);
  sk_free(x);
  return status;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s MODEL WEIGHTS PICTURE\n", argv[0]);
    return 2;
  }
  sk_model_info model;
  sk_net *net = NULL;
  sk_status status = sk_model_find(argv[1], &model);
  if (!status) status = open_net(&net, argv[1], argv[2]);
  if (!status) status = classify(net, &model, argv[3]);
  sk_net_destroy(net);
  if (status == SK_OUT_OF_MEMORY)
    fprintf(stderr, "classify: out of memory\n");
  else if (status)
    fprintf(stderr, "classify: %s\n", sk_error_message());
  return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
