#define _DEFAULT_SOURCE /* strdup */

#include "resnet/model.h"

#include <string.h>

#include "config.h"
#include "dispatch/memory.h"
#include "dispatch/options.h"
#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/file.h"
#include "resnet/net.h"
#include "resnet/text.h"
#if SK_HAVE_ONNX
#include "resnet/onnx_file.h"
#include "resnet/onnx_import.h"
#endif

struct sk_model {
  char *path;
  const char *name; /* within the path: behind the last slash */
  char *folder;
  struct sk_graph graph;
#if SK_HAVE_ONNX
  struct sk_onnx_storage storage; /* what the graph's weights point into */
#endif
};

/* ---- Opening ------------------------------------------------------------------------------------------------ */

static sk_status allocate(sk_model **model, const char *path) {
  const char *const slash = strrchr(path, '/');
  const size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
  *model = sk_calloc(1, sizeof **model);
  if (*model) {
    (*model)->path = sk_strdup(path);
    (*model)->folder = sk_strdup(path);
    if ((*model)->folder) (*model)->folder[folder] = '\0';
  }
  if (!*model || !(*model)->path || !(*model)->folder) {
    sk_model_close(*model);
    *model = NULL;
    return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory", sk_quote(path).text);
  }
  (*model)->name = (*model)->path + folder;
  return SK_OK;
}

#if SK_HAVE_ONNX

static sk_status import_onnx(sk_model *model, const void *data, size_t length, const sk_onnx_options *options) {
  const struct sk_quoted source = sk_quote(model->path);
  model->storage.files.folder = model->folder;
  model->storage.bytes_max = options->max_bytes;
  const sk_status status = sk_onnx_unpack(&model->storage.model, source.text, data, length);
  return status ? status : sk_onnx_import_graph(&model->graph, &model->storage, source.text, options->input_shape);
}

static void release(sk_model *model) { sk_onnx_storage_free(&model->storage); }

#else

static sk_status import_onnx(sk_model *model, const void *data, size_t length, const sk_onnx_options *options) {
  (void)data;
  (void)length;
  (void)options;
  return sk_fail(SK_UNSUPPORTED, "%s: this build reads no ONNX files (./configure --with-onnx names what is missing)",
                 sk_quote(model->path).text);
}

static void release(sk_model *model) { (void)model; }

#endif

sk_status sk_model_parse_onnx(sk_model **model, const char *path, const void *data, size_t length,
                              const sk_onnx_options *options) {
  sk_onnx_options chosen = options ? *options : (sk_onnx_options){0};
  if (chosen.max_bytes == 0) chosen.max_bytes = SK_ONNX_DEFAULT_BYTES;
  sk_status status = sk_check_reserved("sk_onnx_options", chosen.reserved, sizeof chosen.reserved);
  if (!status) status = allocate(model, path);
  if (status) return status;
  if (length > chosen.max_bytes) {
    status =
        sk_fail(SK_UNSUPPORTED, "%s: %zu bytes, expected at most %zu", sk_quote(path).text, length, chosen.max_bytes);
  }
  if (!status) status = import_onnx(*model, data, length, &chosen);
  if (status) {
    sk_model_close(*model);
    *model = NULL;
  }
  return status;
}

sk_status sk_model_open_onnx(sk_model **model, const char *path, const sk_onnx_options *options) {
  struct sk_file_map map;
  if (!model || !path) return sk_fail(SK_INVALID_ARGUMENT, "sk_model_open_onnx: NULL argument");
  *model = NULL;
  sk_status status = sk_file_map_open(&map, path);
  if (!status) status = sk_model_parse_onnx(model, path, map.data, map.length, options);
  sk_file_map_close(&map);
  return status;
}

void sk_model_close(sk_model *model) {
  if (!model) return;
  sk_graph_destroy(&model->graph);
  release(model);
  sk_free(model->path);
  sk_free(model->folder);
  sk_free(model);
}

/* ---- Describing --------------------------------------------------------------------------------------------- */

enum {
  IMAGENET_RESIZE = 256, /* the shorter side, of which 224 are taken */
  IMAGENET_CROP = 224,
  SMALL_SIDE = 64 /* up to here images are taken whole, as those of CIFAR are */
};

static size_t choose_resize(size_t height, size_t width) {
  const size_t longer = sk_size_max(height, width);
  if (longer <= SMALL_SIDE || longer > SIZE_MAX / IMAGENET_RESIZE) return 0;
  return sk_size_divide_up(longer * IMAGENET_RESIZE, IMAGENET_CROP);
}

void sk_model_describe(const sk_model *model, sk_model_info *info) {
  const struct sk_node *const input = &model->graph.nodes[0];
  *info = (sk_model_info){.name = model->name,
                          .description = "read from a file",
                          .parameters = sk_graph_parameters(&model->graph),
                          .macs = sk_graph_macs(&model->graph),
                          .in_channels = input->channels,
                          .in_height = input->height,
                          .in_width = input->width,
                          .classes = sk_node_elements(&model->graph.nodes[model->graph.count - 1]),
                          .mean = {0.485F, 0.456F, 0.406F},
                          .standard_deviation = {0.229F, 0.224F, 0.225F},
                          .resize = choose_resize(input->height, input->width)};
}

/* ---- Networks ----------------------------------------------------------------------------------------------- */

const struct sk_graph *sk_model_graph(const sk_model *model) { return &model->graph; }

sk_status sk_model_copy_graph(const sk_model *model, struct sk_graph *copy) {
  const struct sk_graph *const graph = &model->graph;
  for (size_t i = 0; i < graph->count; i++) sk_graph_add(copy, &graph->nodes[i]);
  for (size_t i = 0; i < graph->alias_count; i++) sk_graph_alias(copy, graph->aliases[i].name, graph->aliases[i].node);
  return copy->status;
}

static sk_status check_size(const char *name, const char *what, size_t wanted, size_t own) {
  if (wanted == 0 || wanted == own) return SK_OK;
  return sk_fail(SK_INVALID_ARGUMENT, "%s: %s of %zu is asked for, but the model's is %zu", sk_quote(name).text, what,
                 wanted, own);
}

static sk_status check_options(const sk_model *model, const sk_net_options *options) {
  sk_model_info info;
  sk_model_describe(model, &info);
  sk_status status = check_size(model->name, "height", options->in_height, info.in_height);
  if (!status) status = check_size(model->name, "width", options->in_width, info.in_width);
  return status ? status : check_size(model->name, "number of classes", options->classes, info.classes);
}

sk_status sk_net_create_from_model(sk_net **net, const sk_model *model, const sk_net_options *options) {
  static const sk_net_options defaults = {0};
  struct sk_graph graph = {0};
  if (!net || !model) return sk_fail(SK_INVALID_ARGUMENT, "sk_net_create_from_model: NULL argument");
  *net = NULL;
  const sk_net_options *const chosen = options ? options : &defaults;
  sk_status status = check_options(model, chosen);
  if (!status) status = sk_model_copy_graph(model, &graph);
  if (!status) return sk_net_create_from_graph(net, model->name, &graph, chosen);
  sk_graph_destroy(&graph);
  return status;
}
