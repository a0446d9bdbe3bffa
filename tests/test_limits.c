/* Limits: on memory, told and refused before it is taken; on the sizes of files; on where a folder's files may lie. */
#define _XOPEN_SOURCE 700

#include <stdint.h>
#include <sys/stat.h>

#include "bench/baseline.h"
#include "bench/compare.h"
#include "bench/conv_case.h"
#include "bench/labels.h"
#include "bench/memory.h"
#include "bench/npy.h"
#include "bench/pictures.h"
#include "bench/shapes.h"
#include "dispatch/conv.h"
#include "resnet/file.h"
#include "resnet/graph.h"
#include "tests/temporary_folder.h"

TestSuite(limits, .init = make_folder, .fini = remove_folder);

static void expect_refused(sk_status status, sk_status expected, const char *part) {
  cr_expect_eq(status, expected, "status \"%s\": %s", sk_status_name(status), sk_error_message());
  cr_expect_not_null(strstr(sk_error_message(), part), "\"%s\" lacks \"%s\"", sk_error_message(), part);
}

/* ---- Networks ----------------------------------------------------------------------------------------------- */

/* What a network tells that it takes is enough for it, and a byte less is not, with the numbers. */
static void expect_exact_limit(const char *model, sk_net_options options) {
  sk_weights *weights = NULL;
  sk_net *net = NULL;
  sk_net_info info;
  char total[40], parts[120];
  cr_assert_eq(sk_weights_random(&weights, model, 0, 1), SK_OK);
  cr_assert_eq(sk_net_create(&net, model, weights, &options), SK_OK, "%s", sk_error_message());
  sk_net_describe(net, &info);
  sk_net_destroy(net);
  options.max_bytes = info.weight_bytes + info.workspace_bytes;
  cr_expect_eq(sk_net_create(&net, model, weights, &options), SK_OK, "%s: %s", model, sk_error_message());
  sk_net_destroy(net);
  snprintf(total, sizeof total, "takes %zu bytes", options.max_bytes);
  snprintf(parts, sizeof parts, "%zu of weights and %zu of workspace; expected at most %zu", info.weight_bytes,
           info.workspace_bytes, options.max_bytes - 1);
  options.max_bytes--;
  expect_refused(sk_net_create(&net, model, weights, &options), SK_OUT_OF_MEMORY, total);
  expect_refused(sk_net_create(&net, model, weights, &options), SK_OUT_OF_MEMORY, parts);
  cr_expect_null(net);
  sk_weights_close(weights);
}

Test(limits, a_network_takes_what_it_tells) {
  expect_exact_limit("resnet20-cifar", (sk_net_options){.batch = 3, .threads = 2});
  expect_exact_limit("resnet20-cifar-b", (sk_net_options){.algorithm = SK_ALGORITHM_WINOGRAD4, .threads = 1});
  expect_exact_limit("resnet18", (sk_net_options){.in_height = 64, .in_width = 96, .algorithm = SK_ALGORITHM_DIRECT});
  expect_exact_limit("resnext50_32x4d", (sk_net_options){.in_height = 40, .in_width = 32, .softmax = true});
}

Test(limits, a_tap_is_part_of_what_a_network_takes) {
  const char *const taps[] = {"layer2.0.bn1"}; /* its batch norm cannot be folded */
  expect_exact_limit("resnet20-cifar", (sk_net_options){.taps = taps, .tap_count = 1});
}

Test(limits, a_batch_far_too_large_is_refused_at_once) {
  const sk_net_options options = {
      .batch = 65536, .in_height = 1024, .in_width = 1024, .max_bytes = (size_t)1 << 30, .threads = 1};
  sk_weights *weights = NULL;
  sk_net *net = NULL;
  cr_assert_eq(sk_weights_random(&weights, "resnet20-cifar", 0, 1), SK_OK);
  expect_refused(sk_net_create(&net, "resnet20-cifar", weights, &options), SK_OUT_OF_MEMORY, "at most 1073741824");
  sk_weights_close(weights);
}

/* ---- Convolutions ------------------------------------------------------------------------------------------- */

static const float one_weight[1] = {1};

static void expect_to_take_what_it_tells(const sk_conv_shape *shape, sk_algorithm algorithm) {
  static float weights[33 * 17 * 9];
  sk_conv_options options = {.algorithm = algorithm, .threads = 2};
  sk_conv *plan = NULL;
  cr_assert_eq(sk_conv_create(&plan, shape, weights, NULL, &options), SK_OK);
  options.max_bytes = sk_conv_weight_bytes(plan) + sk_conv_workspace_bytes(plan);
  sk_conv_destroy(plan);
  cr_expect_eq(sk_conv_create(&plan, shape, weights, NULL, &options), SK_OK, "%s", sk_error_message());
  sk_conv_destroy(plan);
  options.max_bytes--;
  expect_refused(sk_conv_create(&plan, shape, weights, NULL, &options), SK_OUT_OF_MEMORY, "expected at most");
}

Test(limits, a_convolution_takes_what_it_tells) {
  const sk_conv_shape shape = {2, 17, 9, 8, 33, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  const sk_conv_shape halved = {2, 64, 9, 8, 32, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1};
  for (unsigned a = SK_ALGORITHM_DIRECT; a <= SK_ALGORITHM_WINOGRAD6; a++) {
    expect_to_take_what_it_tells(&shape, (sk_algorithm)a);
  }
  const sk_conv_shape stem = {2, 3, 19, 18, 33, 7, 7, 2, 2, 1, 1, 3, 3, 3, 3, 1};
  expect_to_take_what_it_tells(&halved, SK_ALGORITHM_STRASSEN);
  expect_to_take_what_it_tells(&stem, SK_ALGORITHM_WINOGRAD3);
}

/* The plan is refused by its sizes alone: weights that it would read are not there. */
static void expect_overflow(sk_conv_shape shape, sk_algorithm algorithm) {
  const sk_conv_options options = {.algorithm = algorithm, .threads = 3};
  sk_conv *plan = NULL;
  const sk_status status = sk_conv_create(&plan, &shape, one_weight, NULL, &options);
  cr_expect_eq(status, SK_INVALID_ARGUMENT, "%s: %s", sk_status_name(status), sk_error_message());
  cr_expect_null(plan);
}

Test(limits, sizes_that_overflow_are_refused_by_every_method) {
  const size_t many = (size_t)1 << 55;
  for (unsigned a = SK_ALGORITHM_DIRECT; a <= SK_ALGORITHM_WINOGRAD6; a++) {
    /* A tile of F(6,3) has 64 points of 2^52 blocks of 64 bytes: 2^64, which is no size, and 0 where it wraps. */
    expect_overflow((sk_conv_shape){1, many, 1, 1, many, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}, (sk_algorithm)a);
  }
  /* Weights of one input channel fit; the products of a block of tiles do not. */
  expect_overflow((sk_conv_shape){1, 1, 1, 1, (size_t)1 << 54, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
                  SK_ALGORITHM_WINOGRAD6);
  /* A row of tiles of F(3,4) has 36 points for every three outputs. */
  expect_overflow((sk_conv_shape){1, 1, 7, (size_t)1 << 55, 16, 7, 7, 2, 2, 1, 1, 0, 0, 0, 0, 1},
                  SK_ALGORITHM_WINOGRAD3);
  expect_overflow((sk_conv_shape){1, 4, 7, 7, (size_t)1 << 57, 7, 7, 2, 2, 1, 1, 0, 0, 0, 0, 1},
                  SK_ALGORITHM_WINOGRAD3);
  /* Strassen's are 7/4 of the weights, and a strip is one row at least. */
  expect_overflow((sk_conv_shape){1, many, 1, 1, 128, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1}, SK_ALGORITHM_STRASSEN);
  expect_overflow((sk_conv_shape){1, 32, 2, (size_t)1 << 53, 32, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
                  SK_ALGORITHM_STRASSEN);
}

/* Input and output are sizes; the weights between them are none. */
Test(limits, a_layer_of_a_graph_whose_weights_overflow_is_refused) {
  const size_t channels = (size_t)1 << 30, side = 1024;
  struct sk_graph graph = {0};
  const struct sk_node input = {
      .op = SK_NODE_INPUT, .name = "input", .channels = channels, .height = side, .width = side};
  struct sk_node conv = {.op = SK_NODE_CONV, .name = "conv", .inputs = {sk_graph_add(&graph, &input)}};
  conv.conv = (sk_conv_shape){1, channels, side, side, channels, side, side, 1, 1, 1, 1, 0, 0, 0, 0, 1};
  cr_expect_eq(sk_graph_add(&graph, &conv), SK_NO_NODE);
  expect_refused(graph.status, SK_INVALID_ARGUMENT, "\"conv\": weights for 1073741824 outputs overflow");
  sk_graph_destroy(&graph);
}

/* ---- The program's limit ------------------------------------------------------------------------------------ */

Test(limits, the_machine_is_the_limit_unless_another_is_given) {
  const struct sk_options given = {.max_memory = 12345}, none = {0};
  cr_expect_eq(sk_memory_most(&given), 12345);
  cr_expect_geq(sk_memory_most(&none), (size_t)64 << 20);
  cr_expect_lt(sk_memory_most(&none), (size_t)1 << 50);
}

/* ---- Files -------------------------------------------------------------------------------------------------- */

Test(limits, a_file_of_more_than_the_limit_is_refused) {
  char *const path = put_file("four", "1234", 4);
  struct sk_file_map map;
  cr_expect_eq(sk_file_map_open_within(&map, path, 4), SK_OK);
  sk_file_map_close(&map);
  expect_refused(sk_file_map_open_within(&map, path, 3), SK_BAD_FORMAT, "four: 4 bytes, expected at most 3");
  cr_expect_null(map.data);
  free(path);
}

static sk_status read_weights(const char *path) {
  sk_weights *weights = NULL;
  return sk_weights_open(&weights, path);
}

static sk_status read_picture(const char *path) {
  sk_image image;
  return sk_image_open(&image, path);
}

static sk_status read_array(const char *path) {
  struct sk_npy array;
  return sk_npy_read(&array, path);
}

static sk_status read_baseline(const char *path) {
  const struct sk_baseline_header header = {.seed = 1};
  struct sk_baseline baseline;
  const sk_status status = sk_baseline_read(&baseline, path, &header);
  sk_baseline_free(&baseline);
  return status;
}

static sk_status read_run(const char *path) {
  const char *const words[2] = {path, path};
  struct sk_saved_pair pair = {{NULL, NULL}, {NULL, NULL}};
  const sk_status status = sk_saved_pair_read(&pair, words);
  sk_saved_pair_free(&pair);
  return status;
}

static sk_status read_labels(const char *path) {
  struct sk_labels labels = {0};
  const sk_status status = sk_labels_read(&labels, path, 1);
  sk_labels_free(&labels);
  return status;
}

static sk_status read_shapes(const char *path) {
  struct sk_shapes shapes = {0};
  const sk_status status = sk_shapes_read(&shapes, path);
  sk_shapes_free(&shapes);
  return status;
}

static sk_status read_case(const char *path) {
  struct sk_conv_case_file file;
  const sk_status status = sk_conv_case_read(&file, path);
  sk_conv_case_free(&file);
  return status;
}

/* Files that take no room: nothing of them may be read or copied before they are refused. */
Test(limits, files_a_byte_too_large_are_refused_unread) {
  static const struct {
    const char *name;
    sk_status (*read)(const char *path);
    size_t most;
    sk_status status;
    const char *expected;
  } kinds[] = {
      {"weights", read_weights, (size_t)16 << 30, SK_BAD_FORMAT, "expected"},
      {"picture", read_picture, (size_t)1 << 30, SK_BAD_FORMAT, "expected"},
      {"array", read_array, (size_t)16 << 30, SK_BAD_FORMAT, "expected"},
      {"baseline", read_baseline, (size_t)64 << 20, SK_INVALID_ARGUMENT, "expected a baseline of"},
      {"run", read_run, (size_t)64 << 20, SK_BAD_FORMAT, "expected a saved run of"},
      {"labels", read_labels, (size_t)64 << 20, SK_BAD_FORMAT, "expected"},
      {"shapes", read_shapes, (size_t)16 << 20, SK_BAD_FORMAT, "expected"},
      {"case", read_case, (size_t)64 << 10, SK_BAD_FORMAT, "expected"},
  };
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    char *const path = put_file(kinds[i].name, "", 0);
    char limit[64];
    cr_assert_eq(truncate(path, (off_t)kinds[i].most + 1), 0);
    snprintf(limit, sizeof limit, "%s at most %zu", kinds[i].expected, kinds[i].most);
    expect_refused(kinds[i].read(path), kinds[i].status, limit);
    free(path);
  }
}

Test(limits, what_lies_inside_of_a_folder_is_told) {
  char *const inside = put_file("inside", "", 0), *const link = path_of("link"), *const out = path_of("out");
  char *const sibling = path_of("missing");
  cr_assert_eq(symlink("inside", link), 0);
  cr_assert_eq(symlink("/dev/null", out), 0);
  cr_expect_eq(sk_file_check_inside(temporary_folder, inside), SK_OK);
  cr_expect_eq(sk_file_check_inside(temporary_folder, link), SK_OK, "%s", sk_error_message());
  cr_expect_eq(sk_file_check_inside("/", inside), SK_OK);
  expect_refused(sk_file_check_inside(temporary_folder, out), SK_IO_ERROR, "leads out of its folder, to /dev/null");
  expect_refused(sk_file_check_inside(temporary_folder, sibling), SK_IO_ERROR, "No such file");
  expect_refused(sk_file_check_inside(temporary_folder, temporary_folder), SK_IO_ERROR, "leads out");
  free(inside);
  free(link);
  free(out);
  free(sibling);
}

/* /tmp/x is not inside of /tmp/xy, nor the other way round. */
Test(limits, a_folder_whose_name_begins_alike_is_another) {
  char *const longer = path_of("folder-of-others"), *const folder = path_of("folder");
  cr_assert_eq(mkdir(folder, 0700), 0);
  FILE *const stream = fopen(longer, "w");
  cr_assert_not_null(stream);
  fclose(stream);
  expect_refused(sk_file_check_inside(folder, longer), SK_IO_ERROR, "leads out");
  cr_assert_eq(rmdir(folder), 0);
  free(longer);
  free(folder);
}

Test(limits, links_out_of_a_folder_of_pictures_are_refused) {
  char *const link = path_of("link.png"), *const plain = put_file("plain.png", "", 0);
  const char *operands[] = {temporary_folder};
  struct sk_pictures pictures;
  cr_assert_eq(symlink("plain.png", link), 0);
  cr_expect_eq(sk_pictures_find(&pictures, operands, 1), SK_OK, "%s", sk_error_message());
  cr_expect_eq(pictures.count, 2);
  sk_pictures_free(&pictures);
  cr_assert_eq(unlink(link), 0);
  cr_assert_eq(symlink("/etc/passwd", link), 0);
  expect_refused(sk_pictures_find(&pictures, operands, 1), SK_IO_ERROR, "link.png: leads out of its folder");
  sk_pictures_free(&pictures);
  operands[0] = link; /* whoever names it means it */
  cr_expect_eq(sk_pictures_find(&pictures, operands, 1), SK_OK);
  sk_pictures_free(&pictures);
  free(link);
  free(plain);
}

/* ---- Cases -------------------------------------------------------------------------------------------------- */

static const char case_text[] =
    "skiplane-case 1\nname n\nisa generic\nalgorithm direct\nthreads 1\ncall arrays\ntiles machine\nguard after\n"
    "batch 1\nin 1x1x1\nout 1\nkernel 1x1\nstride 1x1\ndilation 1x1\npad 0\ngroups 1\nepilogue none\ndata given\n"
    "x x.npy\nw w.npy\n";

Test(limits, arrays_of_a_case_lie_beside_it) {
  char *const path = put_file("case", case_text, sizeof case_text - 1), *const x = path_of("x.npy");
  struct sk_conv_case_file file;
  cr_assert_eq(symlink("/etc/passwd", x), 0);
  expect_refused(sk_conv_case_read(&file, path), SK_IO_ERROR, "x.npy: leads out of its folder");
  sk_conv_case_free(&file);
  free(path);
  free(x);
}
