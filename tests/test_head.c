/* Heads: made, saved, taken in place of a last layer, and refused; classes of folders and their split; proportions. */
#include <math.h>
#include <sys/stat.h>

#include "bench/class_folders.h"
#include "bench/statistics.h"
#include "resnet/head.h"
#include "tests/temporary_folder.h"

TestSuite(head, .init = make_folder, .fini = remove_folder);

static const char file[] = "resnet/shapes/shapes-resnet20.safetensors";
static const char model[] = "resnet20-cifar";

static sk_weights *open_weights(const char *path) {
  sk_weights *weights;
  cr_assert_eq(sk_weights_open(&weights, path), SK_OK, "%s", sk_error_message());
  return weights;
}

/* Save a head of three classes for a model and weights; free its path. */
static char *save_head(const char *for_model, const char *for_weights, size_t features) {
  sk_weights *weights = open_weights(for_weights);
  sk_weights *head;
  struct sk_head_values values;
  cr_assert_eq(sk_head_new(&head, for_model, weights, 3, features, &values), SK_OK, "%s", sk_error_message());
  for (size_t i = 0; i < 3 * features; i++) values.weight[i] = (float)i / 8 - 5;
  for (size_t i = 0; i < 3; i++) values.bias[i] = (float)i;
  cr_assert_eq(sk_weights_add_metadata(head, SK_HEAD_LABELS, "one\ntwo \"zwei\"\ndrei \xC3\xA4\n"), SK_OK);
  char *path = path_of("head.safetensors");
  cr_assert_eq(sk_weights_save(head, path), SK_OK, "%s", sk_error_message());
  sk_weights_close(head);
  sk_weights_close(weights);
  return path;
}

Test(head, takes_the_place_of_the_last_layer) {
  char *path = save_head(model, file, 64);
  sk_weights *weights = open_weights(file);
  cr_assert_eq(sk_head_take(weights, model, open_weights(path)), SK_OK, "%s", sk_error_message());
  const struct sk_weight_tensor *weight = sk_weights_find(weights, "linear.weight");
  const struct sk_weight_tensor *bias = sk_weights_find(weights, "linear.bias");
  float values[3 * 64];
  cr_assert_eq(weight->shape[0], 3);
  cr_assert_eq(weight->elements, 3 * 64);
  sk_weight_tensor_read(weight, values);
  cr_expect_eq(values[100], 100 / 8.0F - 5);
  cr_assert_eq(bias->elements, 3);
  sk_weight_tensor_read(bias, values);
  cr_expect_eq(values[2], 2);
  cr_expect_str_eq(sk_weights_metadata(weights, SK_HEAD_LABELS), "one\ntwo \"zwei\"\ndrei \xC3\xA4\n");
  cr_expect_str_eq(sk_weights_metadata(weights, "model"), model);

  sk_net *net; /* and the network is one of three classes */
  sk_net_info info;
  cr_assert_eq(sk_net_create(&net, model, weights, NULL), SK_OK, "%s", sk_error_message());
  sk_net_describe(net, &info);
  cr_expect_eq(info.classes, 3);
  sk_net_destroy(net);
  sk_weights_close(weights);
  free(path);
}

/* The digest is of values: files that hold them in another type are the same body. */
Test(head, goes_with_the_same_values_in_another_type) {
  char *copy = path_of("copy.safetensors"); /* F32, where the tree's file has F16 */
  sk_weights *weights = open_weights(file);
  cr_assert_eq(sk_weights_save(weights, copy), SK_OK);
  sk_weights_close(weights);
  char *path = save_head(model, file, 64);
  weights = open_weights(copy);
  cr_expect_eq(sk_head_take(weights, model, open_weights(path)), SK_OK, "%s", sk_error_message());
  sk_weights_close(weights);
  free(copy);
  free(path);
}

static void expect_refused(const char *body, const char *for_model, const char *head_path, const char *part) {
  sk_weights *weights = open_weights(body);
  sk_weights *head = open_weights(head_path);
  cr_expect_eq(sk_head_take(weights, for_model, head), SK_BAD_FORMAT);
  cr_expect(strstr(sk_error_message(), part), "\"%s\" does not say \"%s\"", sk_error_message(), part);
  cr_expect(strstr(sk_error_message(), head_path), "\"%s\" does not name the head", sk_error_message());
  sk_weights_close(head);
  sk_weights_close(weights);
}

Test(head, refuses_another_width) {
  char *path = save_head(model, file, 32);
  expect_refused(file, model, path, "of 32 features, expected the network's 64");
  free(path);
}

Test(head, refuses_another_model) {
  char *path = save_head("resnet32-cifar", file, 64);
  expect_refused(file, model, path, "a head for resnet32-cifar, expected one for resnet20-cifar");
  free(path);
}

Test(head, refuses_another_body) {
  char *other = path_of("other.safetensors");
  sk_weights *random;
  cr_assert_eq(sk_weights_random(&random, model, 0, 1), SK_OK);
  cr_assert_eq(sk_weights_save(random, other), SK_OK);
  sk_weights_close(random);
  char *path = save_head(model, other, 64);
  expect_refused(file, model, path, "a head for other weights than");
  free(other);
  free(path);
}

Test(head, refuses_what_is_no_head) {
  expect_refused(file, model, file, "expected two for a head, fc.weight and fc.bias");
}

/* What other programs save has no metadata of ours. */
Test(head, needs_no_metadata) {
  static const char header[] =
      "{\"fc.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
      "\"fc.weight\":{\"dtype\":\"F32\",\"shape\":[2,64],\"data_offsets\":[8,520]}}";
  char bytes[8 + sizeof header - 1 + 520] = {(char)(sizeof header - 1)};
  memcpy(bytes + 8, header, sizeof header - 1);
  char *path = put_file("plain.safetensors", bytes, sizeof bytes);
  sk_weights *weights = open_weights(file);
  cr_expect_eq(sk_head_take(weights, model, open_weights(path)), SK_OK, "%s", sk_error_message());
  cr_expect_null(sk_weights_metadata(weights, SK_HEAD_LABELS));
  sk_weights_close(weights);
  free(path);
}

Test(head, layer_before_the_last) {
  struct sk_feature_layer layer;
  cr_assert_eq(sk_head_find_features("resnet50", &layer), SK_OK);
  cr_expect_str_eq(layer.name, "flatten");
  cr_expect_eq(sk_head_find_features("resnet51", &layer), SK_INVALID_ARGUMENT);
}

Test(head, metadata_is_text_and_once) {
  sk_weights *weights;
  cr_assert_eq(sk_weights_new(&weights), SK_OK);
  cr_expect_null(sk_weights_metadata(weights, "key"));
  cr_expect_eq(sk_weights_add_metadata(weights, "key", "\xFF"), SK_INVALID_ARGUMENT);
  cr_expect_eq(sk_weights_add_metadata(weights, "key", "value"), SK_OK);
  cr_expect_eq(sk_weights_add_metadata(weights, "key", "other"), SK_INVALID_ARGUMENT);
  cr_expect_str_eq(sk_weights_metadata(weights, "key"), "value");
  sk_weights_close(weights);
}

/* ---- Folders ------------------------------------------------------------------------------------------------- */

TestSuite(class_folders);

static char classes_folder[] = "/tmp/skiplane-classes-XXXXXX";

/* Make folder/label with so many empty pictures; they are listed, not read. */
static void make_class(const char *label, size_t count) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", classes_folder, label);
  cr_assert_eq(mkdir(path, 0700), 0);
  for (size_t i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%s/%s/%02zu.png", classes_folder, label, i);
    FILE *stream = fopen(path, "w");
    cr_assert_not_null(stream);
    fclose(stream);
  }
}

static void remove_class(const char *label, size_t count) {
  char path[256];
  for (size_t i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%s/%s/%02zu.png", classes_folder, label, i);
    cr_assert_eq(unlink(path), 0);
  }
  snprintf(path, sizeof path, "%s/%s", classes_folder, label);
  cr_assert_eq(rmdir(path), 0);
}

static struct sk_class_folders read_and_split(double fraction, uint64_t seed) {
  struct sk_class_folders folders;
  cr_assert_eq(sk_class_folders_read(&folders, classes_folder), SK_OK, "%s", sk_error_message());
  cr_assert_eq(sk_class_folders_split(&folders, fraction, seed), SK_OK, "%s", sk_error_message());
  return folders;
}

/* Every picture is in the list once, and its class has the share that it should. */
static void expect_stratified(const struct sk_class_folders *folders, const size_t *held_out) {
  size_t counts[3] = {0};
  const size_t count = folders->train_count + folders->held_out_count;
  for (size_t i = folders->train_count; i < count; i++) counts[folders->examples[i].class_number]++;
  for (size_t k = 0; k < 3; k++) {
    cr_expect_eq(counts[k], held_out[k], "class %zu: %zu held out", k, counts[k]);
    cr_expect_eq(folders->classes[k].held_out, held_out[k]);
  }
  for (size_t i = 0; i < count; i++) {
    for (size_t j = 0; j < i; j++) cr_expect_neq(folders->examples[i].file, folders->examples[j].file);
  }
}

static bool same_split(const struct sk_class_folders *a, const struct sk_class_folders *b) {
  bool same = a->train_count == b->train_count;
  for (size_t i = 0; same && i < a->train_count; i++) same = strcmp(a->examples[i].file, b->examples[i].file) == 0;
  return same;
}

Test(class_folders, are_split_by_class_and_seed) {
  cr_assert_not_null(mkdtemp(classes_folder));
  make_class("b", 2);
  make_class("a", 10);
  make_class("c", 31);
  struct sk_class_folders folders = read_and_split(0.2, 1);
  struct sk_class_folders again = read_and_split(0.2, 1);
  struct sk_class_folders other = read_and_split(0.2, 2);
  struct sk_class_folders most = read_and_split(0.99, 1);
  cr_assert_eq(folders.class_count, 3);
  cr_expect_str_eq(folders.classes[0].label, "a");
  cr_expect_eq(folders.train_count, 8 + 1 + 25);
  expect_stratified(&folders, (size_t[]){2, 1, 6});
  expect_stratified(&most, (size_t[]){9, 1, 30}); /* all but one */
  cr_expect(same_split(&folders, &again));
  cr_expect_not(same_split(&folders, &other));
  sk_class_folders_free(&folders);
  sk_class_folders_free(&again);
  sk_class_folders_free(&other);
  sk_class_folders_free(&most);
  remove_class("a", 10);
  remove_class("b", 2);
  remove_class("c", 31);
  cr_assert_eq(rmdir(classes_folder), 0);
}

/* ---- Proportions --------------------------------------------------------------------------------------------- */

static void expect_interval(size_t hits, size_t count, double low, double high) {
  const struct sk_interval interval = sk_statistics_proportion_interval(hits, count);
  cr_expect_float_eq(interval.low, low, 5e-5, "%zu of %zu: from %g", hits, count, interval.low);
  cr_expect_float_eq(interval.high, high, 5e-5, "%zu of %zu: to %g", hits, count, interval.high);
}

/* Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I, method 3. */
Test(statistics, wilson_intervals_of_the_literature) {
  expect_interval(81, 263, 0.2553, 0.3662);
  expect_interval(15, 148, 0.0624, 0.1605);
  expect_interval(0, 20, 0, 0.1611);
  expect_interval(1, 29, 0.0061, 0.1718);
  expect_interval(20, 20, 0.8389, 1);
  cr_expect(isnan(sk_statistics_proportion_interval(0, 0).low));
}
