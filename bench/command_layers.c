/* skiplane layers: outputs of layers as .npy files, one per layer. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/commands.h"
#include "bench/npy.h"
#include "bench/pictures.h"
#include "bench/runner.h"
#include "dispatch/status.h"
#include "reference/network.h"
#include "resnet/text.h"

/* The output of one layer, for one image. */
struct layer_output {
  size_t shape[4]; /* {1, channels, height, width} */
  size_t node;     /* of the reference's graph */
  float *data;
};

static sk_status allocate_output(struct layer_output *output, size_t channels, size_t height, size_t width) {
  output->shape[0] = 1;
  output->shape[1] = channels;
  output->shape[2] = height;
  output->shape[3] = width;
  return sk_allocate_floats(&output->data, channels, height * width);
}

/* ---- From the kernels --------------------------------------------------------------------------------------- */

static sk_status copy_taps(const struct sk_runner *runner, struct layer_output *outputs, size_t count) {
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < count; i++) {
    size_t shape[3];
    status = sk_net_tap_shape(runner->net, i, shape);
    if (!status) status = allocate_output(&outputs[i], shape[0], shape[1], shape[2]);
    if (!status) status = sk_net_tap(runner->net, i, 1, runner->workspace, outputs[i].data);
  }
  return status;
}

/* ---- From the reference ------------------------------------------------------------------------------------- */

static sk_status find_nodes(const struct sk_runner *runner, const struct sk_options *options,
                            struct layer_output *outputs) {
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < options->layer_count; i++) {
    outputs[i].node = sk_graph_find(&runner->graph, options->layers[i]);
    if (outputs[i].node == SK_NO_NODE) {
      return sk_graph_fail_unknown(&runner->graph, options->model, options->layers[i]);
    }
    const struct sk_node *node = &runner->graph.nodes[outputs[i].node];
    status = allocate_output(&outputs[i], node->channels, node->height, node->width);
  }
  return status;
}

struct keeper {
  struct layer_output *outputs;
  size_t count;
};

/* Called by the reference after each node. */
static void keep(void *user, size_t node, const double *output) {
  const struct keeper *keeper = user;
  for (size_t i = 0; i < keeper->count; i++) {
    const struct layer_output *kept = &keeper->outputs[i];
    const size_t elements = kept->shape[1] * kept->shape[2] * kept->shape[3];
    for (size_t j = 0; kept->node == node && j < elements; j++) kept->data[j] = (float)output[j];
  }
}

static sk_status run_reference(struct sk_runner *runner, const struct sk_options *options, const float *x,
                               struct layer_output *outputs) {
  struct keeper keeper = {outputs, options->layer_count};
  const sk_status status = find_nodes(runner, options, outputs);
  return status ? status : sk_reference_network_run(&runner->graph, 1, x, runner->outputs, keep, &keeper);
}

/* ---- The command -------------------------------------------------------------------------------------------- */

static sk_status run_kernels(struct sk_runner *runner, const struct sk_options *options, const float *x,
                             struct layer_output *outputs) {
  float *y = NULL;
  sk_status status = sk_allocate_floats(&y, 1, runner->classes);
  if (!status) status = sk_runner_run(runner, 1, x, y);
  if (!status) status = copy_taps(runner, outputs, options->layer_count);
  free(y);
  return status;
}

static sk_status run(struct sk_runner *runner, const struct sk_options *options, const sk_model_info *model,
                     struct layer_output *outputs) {
  const struct sk_preparation preparation = sk_preparation_choose(model, options, runner->in_height, runner->in_width);
  float *x = NULL;
  sk_status status = sk_allocate_floats(&x, 3, preparation.height * preparation.width);
  if (!status) status = sk_picture_read(options->operands[0], &preparation, x);
  if (!status) {
    status = options->reference ? run_reference(runner, options, x, outputs) : run_kernels(runner, options, x, outputs);
  }
  free(x);
  return status;
}

static sk_status make_folder(const char *path) {
  struct stat status;
  if (mkdir(path, 0777) == 0) return SK_OK;
  const int error = errno;
  if (error == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode)) return SK_OK;
  return sk_fail(SK_IO_ERROR, "%s: cannot make the folder: %s", sk_quote(path).text, strerror(error));
}

/* A file may call its layers anything, such as "/layer1/conv1": what is no letter, digit, '-', '_' or '.' becomes '_',
 * and so does a '.' in front. */
static void make_safe(char *name) {
  for (char *at = name; *at; at++) {
    const bool is_plain = isalnum((unsigned char)*at) || strchr("-_", *at) || (*at == '.' && at > name);
    if (!is_plain) *at = '_';
  }
}

static sk_status write_output(const char *folder, const char *name, const struct layer_output *output) {
  char *path = NULL;
  if (asprintf(&path, "%s/%s.npy", folder, name) < 0) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for a file name");
  const size_t before = strlen(folder) + 1;
  path[before + strlen(name)] = '\0';
  make_safe(path + before);
  path[before + strlen(name)] = '.';
  const sk_status status = sk_npy_write(path, 4, output->shape, output->data);
  free(path);
  return status;
}

static sk_status write_outputs(const struct sk_options *options, const struct layer_output *outputs) {
  sk_status status = make_folder(options->output);
  for (size_t i = 0; !status && i < options->layer_count; i++) {
    status = write_output(options->output, options->layers[i], &outputs[i]);
  }
  return status;
}

static sk_status run_and_write(const struct sk_options *options, const struct sk_source *source,
                               struct layer_output *outputs) {
  struct sk_runner runner;
  sk_status status = sk_runner_open(&runner, options, source);
  if (!status) status = run(&runner, options, &source->info, outputs);
  if (!status) status = write_outputs(options, outputs);
  sk_runner_close(&runner);
  return status;
}

enum sk_exit sk_command_layers(const struct sk_options *options) {
  struct sk_source source = {0};
  struct layer_output *outputs = calloc(options->layer_count + 1, sizeof *outputs);
  sk_status status = outputs ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu layers", options->layer_count);
  if (!status) status = sk_source_open(&source, options, options->model);
  if (!status) status = sk_source_check_pictures(&source, options);
  if (!status) status = run_and_write(options, &source, outputs);
  for (size_t i = 0; outputs && i < options->layer_count; i++) free(outputs[i].data);
  free(outputs);
  sk_source_close(&source);
  return status ? sk_fail_status(options, status) : SK_EXIT_SUCCESS;
}
