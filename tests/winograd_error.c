/*
 * Measure the float32 error of the point sets of reference/winograd.h. Not a test: with winograd_search it gives the
 * figures from which the points of the kernels were chosen. `make winograd-points` runs both.
 *
 *   winograd_error TILES SEED CSV [CHANNELS | MODEL WEIGHTS PICTURES]
 *
 * Weights are uniform in [-1, 1), of 64 to 512 channels or of those given, inputs in [-1, 1) and, as after a ReLU, in
 * [0, 1). With a model they are those of its 3x3 convolutions, a tile of any of those with so many input channels at a
 * time; the inputs are uniform in [-1, 1), and what these layers get for the pictures of a folder. The model's blocks
 * must be basic ones.
 */
#include "bench/pictures.h"
#include "resnet/weights.h"
#include "tests/winograd_rows.h"

enum { MAX_LAYERS = 128, MAX_PICTURES = 32, NAME_BYTES = 64, LANES = SK_ACCURACY_LANES };

struct request {
  size_t tiles;
  uint64_t seed;
  struct sk_csv csv;
};

static int fail(const char *message) {
  fprintf(stderr, "winograd_error: %s\n", message);
  return 1;
}

static void *allocate(size_t count, size_t size) {
  void *memory = calloc(count, size);
  if (!memory) abort();
  return memory;
}

/* ---- Uniform numbers ---- */

static void measure_uniform(struct request *request, size_t channels) {
  for (size_t p = 0; p < sk_reference_winograd_point_set_count; p++) {
    for (int low = -1; low <= 0; low++) {
      struct accuracy_row row = {.what = low < 0 ? "uniform [-1,1)" : "uniform [0,1)",
                                 .set = &sk_reference_winograd_point_sets[p],
                                 .channels = channels,
                                 .tiles = request->tiles};
      measure_uniform_row(&row, request->seed, (float)low);
      print_row(&row);
      write_row(&request->csv, &row);
    }
  }
}

/* ---- A network's layers ---- */

/* A 3x3 convolution, and what it gets for each picture. */
struct layer {
  char tap[NAME_BYTES];
  sk_layer_info info;
  float *weights; /* [out_channels][in_channels][9] */
  float *x;       /* [pictures][in_channels][in_height][in_width] */
};

struct network {
  const char *model;
  sk_weights *weights;
  size_t pictures;
  float *input; /* [pictures][3][height][width] */
  struct layer layers[MAX_LAYERS];
  size_t count;
};

/* Name the output of the convolution that comes before a layer, after what is fused into it: in a basic block a ReLU
 * follows conv1, and the sum after conv2 has the block's name. */
static void name_output(const char *convolution, char *name) {
  const size_t length = strlen(convolution), prefix = length - strlen("conv1");
  snprintf(name, NAME_BYTES, "%s", convolution);
  if (convolution[length - 1] == '1') {
    snprintf(name + prefix, NAME_BYTES - prefix, "relu");
  } else {
    name[prefix - 1] = '\0';
  }
}

static bool is_subject(const sk_layer_info *info) {
  return info->kernel_height == 3 && info->kernel_width == 3 && info->groups == 1 && info->stride <= 2;
}

static void read_weights(const struct network *network, struct layer *layer) {
  char name[NAME_BYTES];
  snprintf(name, sizeof name, "%s.weight", layer->info.name);
  const struct sk_weight_tensor *tensor = sk_weights_find(network->weights, name);
  if (!tensor) abort(); /* the network could not have been planned */
  layer->weights = allocate(tensor->elements, sizeof *layer->weights);
  sk_weight_tensor_read(tensor, layer->weights);
}

/* List the convolutions that come after another one. The names are the net's: it must stay. */
static void list_layers(struct network *network, const sk_net *net) {
  sk_net_info net_info;
  sk_net_describe(net, &net_info);
  char previous[NAME_BYTES] = "";
  for (size_t i = 0; i < net_info.layers && network->count < MAX_LAYERS; i++) {
    sk_layer_info info;
    if (sk_net_layer(net, i, &info) || strncmp(info.op, "conv", 4) != 0) continue;
    if (previous[0] && is_subject(&info)) {
      struct layer *layer = &network->layers[network->count++];
      layer->info = info;
      name_output(previous, layer->tap);
      read_weights(network, layer);
    }
    snprintf(previous, sizeof previous, "%s", info.name);
  }
}

static sk_status copy_activations(struct network *network, const sk_net *net, const void *workspace) {
  sk_status status = SK_OK;
  for (size_t i = 0; i < network->count && !status; i++) {
    struct layer *layer = &network->layers[i];
    layer->x = allocate(network->pictures * layer->info.in_channels * layer->info.in_height * layer->info.in_width,
                        sizeof *layer->x);
    status = sk_net_tap(net, i, network->pictures, workspace, layer->x);
  }
  return status;
}

static sk_status run_network(struct network *network) {
  const char *taps[MAX_LAYERS];
  for (size_t i = 0; i < network->count; i++) taps[i] = network->layers[i].tap;
  const sk_net_options options = {
      .algorithm = SK_ALGORITHM_DIRECT, .batch = network->pictures, .taps = taps, .tap_count = network->count};
  sk_net *net;
  sk_status status = sk_net_create(&net, network->model, network->weights, &options);
  if (status) return status;
  sk_net_info info;
  sk_net_describe(net, &info);
  void *workspace = sk_alloc(info.workspace_bytes);
  float *logits = allocate(network->pictures * info.classes, sizeof *logits);
  if (!workspace) abort();
  status = sk_net_run(net, network->pictures, network->input, logits, workspace);
  if (!status) status = copy_activations(network, net, workspace);
  free(logits);
  sk_free(workspace);
  sk_net_destroy(net);
  return status;
}

static sk_status read_pictures(struct network *network, const char *folder) {
  sk_model_info model;
  struct sk_pictures pictures = {0};
  sk_status status = sk_model_find(network->model, &model);
  if (!status) status = sk_pictures_find(&pictures, &folder, 1);
  if (!status) {
    struct sk_preparation preparation = {.resize = model.resize, .height = model.in_height, .width = model.in_width};
    memcpy(preparation.mean, model.mean, sizeof preparation.mean);
    memcpy(preparation.standard_deviation, model.standard_deviation, sizeof preparation.standard_deviation);
    const size_t floats = 3 * model.in_height * model.in_width;
    network->pictures = pictures.count < MAX_PICTURES ? pictures.count : MAX_PICTURES;
    network->input = allocate(network->pictures * floats, sizeof *network->input);
    for (size_t i = 0; i < network->pictures && !status; i++) {
      /* Folders may be sorted by label: take them evenly. */
      status = sk_picture_read(pictures.files[i * pictures.count / network->pictures], &preparation,
                               network->input + i * floats);
    }
  }
  sk_pictures_free(&pictures);
  return status;
}

/* ---- Tiles of a network's layers ---- */

/* Where one lane's tile lies. */
struct place {
  const struct layer *layer;
  size_t picture, kernel, row, column; /* of the tile's first input, in the padded picture */
};

struct network_tiles {
  const struct network *network;
  struct sk_random random;
  size_t channels, stride, outputs;
  bool uniform; /* inputs are drawn, not the network's */
  struct place places[LANES];
};

static size_t count_layers(const struct network *network, size_t channels, size_t stride) {
  size_t count = 0;
  for (size_t i = 0; i < network->count; i++) {
    const sk_layer_info *info = &network->layers[i].info;
    count += info->in_channels == channels && info->stride == stride;
  }
  return count;
}

static const struct layer *draw_layer(struct network_tiles *tiles) {
  const struct network *network = tiles->network;
  size_t rest = sk_random_below(&tiles->random, count_layers(network, tiles->channels, tiles->stride));
  for (size_t i = 0;; i++) {
    const sk_layer_info *info = &network->layers[i].info;
    if (info->in_channels != tiles->channels || info->stride != tiles->stride) continue;
    if (rest-- == 0) return &network->layers[i];
  }
}

static void draw_place(struct network_tiles *tiles, struct place *place) {
  place->layer = draw_layer(tiles);
  const sk_layer_info *info = &place->layer->info;
  place->picture = sk_random_below(&tiles->random, tiles->network->pictures);
  place->kernel = sk_random_below(&tiles->random, info->out_channels);
  place->row = tiles->stride * sk_random_below(&tiles->random, info->out_height - tiles->outputs + 1);
  place->column = tiles->stride * sk_random_below(&tiles->random, info->out_width - tiles->outputs + 1);
}

/* Read an element of a picture that is padded by one. */
static float padded(const struct place *place, size_t channel, size_t row, size_t column) {
  const sk_layer_info *info = &place->layer->info;
  if (row < 1 || row > info->in_height || column < 1 || column > info->in_width) return 0;
  const size_t plane = (place->picture * info->in_channels + channel) * info->in_height;
  return place->layer->x[(plane + row - 1) * info->in_width + column - 1];
}

static void draw_network(void *user, size_t channel, struct sk_accuracy_channel *data) {
  struct network_tiles *tiles = user;
  struct sk_accuracy_uniform drawn = {tiles->random, -1};
  if (channel == 0) {
    for (size_t l = 0; l < LANES; l++) draw_place(tiles, &tiles->places[l]);
    drawn.random = tiles->random;
  }
  sk_accuracy_draw_uniform(&drawn, channel, data);
  tiles->random = drawn.random;
  for (size_t l = 0; l < LANES; l++) {
    const struct place *place = &tiles->places[l];
    const float *g = place->layer->weights + (place->kernel * tiles->channels + channel) * 9;
    for (size_t k = 0; k < 9; k++) data->g[k][l] = g[k];
    for (size_t e = 0; e < SK_ACCURACY_SIDE * SK_ACCURACY_SIDE && !tiles->uniform; e++) {
      data->d[e][l] = padded(place, channel, place->row + e / SK_ACCURACY_SIDE, place->column + e % SK_ACCURACY_SIDE);
    }
  }
}

static void measure_layers(struct request *request, const struct network *network,
                           const sk_reference_winograd_points *set, size_t channels) {
  if (count_layers(network, channels, set->stride) == 0) return;
  for (int uniform = 1; uniform >= 0; uniform--) {
    char what[NAME_BYTES];
    snprintf(what, sizeof what, "%s, %s", network->model, uniform ? "uniform" : "pictures");
    struct network_tiles tiles = {.network = network,
                                  .random = sk_random_start(request->seed, "network tiles"),
                                  .channels = channels,
                                  .stride = set->stride,
                                  .outputs = set->outputs,
                                  .uniform = uniform};
    struct accuracy_row row = {.what = what, .set = set, .channels = channels, .tiles = request->tiles};
    measure_row(&row, draw_network, &tiles);
    print_row(&row);
    write_row(&request->csv, &row);
  }
}

static sk_status measure_network(struct request *request, struct network *network, const char *weights,
                                 const char *folder) {
  sk_status status = sk_weights_open(&network->weights, weights);
  if (!status) status = read_pictures(network, folder);
  sk_net *net = NULL;
  if (!status) status = sk_net_create(&net, network->model, network->weights, NULL);
  if (!status) {
    list_layers(network, net);
    status = run_network(network);
  }
  for (size_t p = 0; p < sk_reference_winograd_point_set_count && !status; p++) {
    for (size_t channels = 16; channels <= 512; channels *= 2) {
      measure_layers(request, network, &sk_reference_winograd_point_sets[p], channels);
    }
  }
  sk_net_destroy(net);
  return status;
}

static void free_network(struct network *network) {
  for (size_t i = 0; i < network->count; i++) {
    free(network->layers[i].weights);
    free(network->layers[i].x);
  }
  free(network->input);
  sk_weights_close(network->weights);
}

int main(int count, char **arguments) {
  if (count != 4 && count != 5 && count != 7) {
    fprintf(stderr, "usage: winograd_error TILES SEED CSV [CHANNELS | MODEL WEIGHTS PICTURES]\n");
    return 2;
  }
  struct request request = {.tiles = parse_count("winograd_error", "TILES", arguments[1]),
                            .seed = parse_count("winograd_error", "SEED", arguments[2])};
  const size_t channels = count == 5 ? parse_count("winograd_error", "CHANNELS", arguments[4]) : 0;
  struct sk_file_writer writer;
  if (sk_file_writer_open(&writer, arguments[3])) return fail(sk_error_message());
  request.csv.stream = writer.stream;
  write_heading(&request.csv);
  print_heading();
  sk_status status = SK_OK;
  if (count == 7) {
    struct network network = {.model = arguments[4]};
    status = measure_network(&request, &network, arguments[5], arguments[6]);
    free_network(&network);
  } else if (channels) {
    measure_uniform(&request, channels);
  } else {
    for (size_t all = 64; all <= 512; all *= 2) measure_uniform(&request, all);
  }
  if (!status) status = sk_file_writer_commit(&writer);
  sk_file_writer_discard(&writer);
  return status ? fail(sk_error_message()) : 0;
}
