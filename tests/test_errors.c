/* Every function that can fail leaves a message that is new, in one line, and makes nothing: each is called with what
 * it must refuse. tests/check_header sees that none of skiplane.h is missing here. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "skiplane.h"

static const char *expression; /* that is being tried */

/* Leave a message behind that the next failure has to replace. */
static void begin(const char *what) {
  sk_isa isa;
  expression = what;
  cr_assert_neq(sk_isa_parse("none of this", &isa), SK_OK);
}

static void expect_failure(sk_status status) {
  const char *const message = sk_error_message();
  cr_expect_neq(status, SK_OK, "%s succeeds", expression);
  cr_expect_neq(message[0], '\0', "%s: no message", expression);
  cr_expect_null(strstr(message, "none of this"), "%s: the message of another call", expression);
  cr_expect_null(strchr(message, '\n'), "%s: %s", expression, message);
}

#define FAILS(call) (begin(#call), expect_failure(call))

Test(errors, names_and_versions) {
  sk_isa isa;
  sk_algorithm algorithm;
  FAILS(sk_version_require(SK_VERSION_MAJOR + 1, 0, 0));
  FAILS(sk_isa_parse(NULL, &isa));
  FAILS(sk_isa_parse("avx2", NULL));
  FAILS(sk_isa_choose(SK_ISA_COUNT, &isa));
  FAILS(sk_isa_choose(SK_ISA_GENERIC, NULL));
  FAILS(sk_algorithm_parse(NULL, &algorithm));
  FAILS(sk_algorithm_parse("direct", NULL));
  FAILS(sk_set_allocator(NULL));
}

Test(errors, each_status_has_a_name_of_its_own) {
  enum { STATUSES = SK_BAD_FORMAT + 1 };
  for (int i = 0; i < STATUSES; i++) {
    const char *const name = sk_status_name((sk_status)i);
    cr_expect_str_neq(name, sk_status_name((sk_status)STATUSES), "%d has that of a status that is none", i);
    for (int other = 0; other < i; other++)
      cr_expect_str_neq(name, sk_status_name((sk_status)other), "%d, %d", i, other);
  }
}

Test(errors, convolutions) {
  float x[1] = {0};
  sk_conv *plan = (sk_conv *)x;
  size_t height, width;
  const sk_conv_shape none = {0};
  FAILS(sk_conv_output_size(NULL, &height, &width));
  FAILS(sk_conv_output_size(&none, &height, &width));
  FAILS(sk_conv_create(NULL, &none, x, NULL, NULL));
  FAILS(sk_conv_create(&plan, NULL, x, NULL, NULL));
  cr_expect_null(plan);
  plan = (sk_conv *)x;
  FAILS(sk_conv_create(&plan, &none, x, NULL, NULL));
  cr_expect_null(plan);
  FAILS(sk_conv_run(NULL, x, NULL, x, x));
}

Test(errors, one_shot_calls) {
  float x[1] = {0};
  size_t height, width;
  const sk_conv_shape conv = {0};
  const sk_pool2d_shape pool = {0};
  FAILS(sk_conv2d_f32(&conv, x, x, NULL, NULL, x, NULL));
  FAILS(sk_batch_norm_f32(1, 1, 1, 1, x, NULL, NULL, NULL, NULL, 0, x, NULL));
  FAILS(sk_relu_f32(1, NULL, x, NULL));
  FAILS(sk_add_f32(1, NULL, x, false, x, NULL));
  FAILS(sk_pool2d_output_size(NULL, &height, &width));
  FAILS(sk_pool2d_output_size(&pool, &height, NULL));
  FAILS(sk_pool2d_output_size(&pool, &height, &width));
  FAILS(sk_max_pool2d_f32(&pool, x, x, NULL));
  FAILS(sk_average_pool2d_f32(NULL, x, x, NULL));
  FAILS(sk_global_average_pool_f32(0, 1, 1, 1, x, x, NULL));
  FAILS(sk_dense_f32(1, 1, 1, x, NULL, NULL, x, NULL));
  FAILS(sk_softmax_f32(1, 1, x, NULL, NULL));
}

Test(errors, files) {
  static const char nowhere[] = "/nowhere/at/all";
  sk_weights *weights = (sk_weights *)&nowhere;
  sk_plan *plan = (sk_plan *)&nowhere;
  FAILS(sk_weights_open(NULL, nowhere));
  FAILS(sk_weights_open(&weights, NULL));
  FAILS(sk_weights_open(&weights, nowhere));
  cr_expect_null(weights);
  weights = (sk_weights *)&nowhere;
  FAILS(sk_weights_random(&weights, "lenet", 0, 1));
  cr_expect_null(weights);
  FAILS(sk_weights_random(NULL, "resnet18", 0, 1));
  FAILS(sk_weights_random(&weights, NULL, 0, 1));
  FAILS(sk_weights_save(NULL, nowhere));
  FAILS(sk_plan_open(NULL, nowhere));
  FAILS(sk_plan_open(&plan, NULL));
  FAILS(sk_plan_open(&plan, nowhere));
  cr_expect_null(plan);
}

Test(errors, networks) {
  float x[1] = {0};
  sk_weights *weights = NULL;
  sk_net *net = (sk_net *)x;
  sk_model_info model;
  sk_layer_info layer;
  size_t shape[3];
  FAILS(sk_model_at(sk_model_count(), &model));
  FAILS(sk_model_at(0, NULL));
  FAILS(sk_model_find(NULL, &model));
  FAILS(sk_model_find("lenet", &model));
  FAILS(sk_model_find("resnet18", NULL));
  FAILS(sk_net_create(&net, "resnet18", NULL, NULL));
  cr_expect_null(net);
  FAILS(sk_net_create(NULL, "resnet18", NULL, NULL));
  FAILS(sk_net_create(&net, NULL, NULL, NULL));
  sk_model *read = (sk_model *)&x;
  const sk_onnx_options later = {.reserved = {[7] = 1}};
  FAILS(sk_model_open_onnx(&read, "/nowhere/at/all.onnx", NULL));
  cr_expect_null(read);
  FAILS(sk_model_open_onnx(&read, SK_SOURCE_FOLDER "/tests/fuzz/corpus/onnx/block", &later));
  FAILS(sk_model_open_onnx(NULL, "x.onnx", NULL));
  FAILS(sk_model_open_onnx(&read, NULL, NULL));
  FAILS(sk_net_create_from_model(&net, NULL, NULL));
  FAILS(sk_net_create_from_model(NULL, NULL, NULL));
  FAILS(sk_net_run(NULL, 1, x, x, x));
  FAILS(sk_net_run_observed(NULL, 1, x, x, x, NULL, NULL));
  FAILS(sk_net_tap(NULL, 0, 1, x, x));
  FAILS(sk_net_tap_shape(NULL, 0, shape));
  FAILS(sk_net_layer(NULL, 0, &layer));

  cr_assert_eq(sk_weights_random(&weights, "resnet20-cifar", 0, 1), SK_OK);
  cr_assert_eq(sk_net_create(&net, "resnet20-cifar", weights, NULL), SK_OK);
  FAILS(sk_net_run(net, 0, x, x, x));
  FAILS(sk_net_run(net, 1, x, x, NULL));
  FAILS(sk_net_tap(net, 0, 1, x, x));
  FAILS(sk_net_tap_shape(net, 0, NULL));
  FAILS(sk_net_layer(net, 1000, &layer));
  sk_net_destroy(net);
  sk_weights_close(weights);
}

Test(errors, images) {
  float out[3];
  const float mean[3] = {0}, deviation[3] = {0};
  sk_image image = {1, 1, (uint8_t *)out}, resized = image;
  FAILS(sk_image_resize(&image, 0, 1, &resized));
  cr_expect_null(resized.pixels);
  FAILS(sk_image_resize(NULL, 1, 1, &resized));
  FAILS(sk_image_resize(&image, 1, 1, NULL));
  FAILS(sk_image_prepare(&image, 0, 1, 1, mean, deviation, out));
  FAILS(sk_image_prepare(&image, 0, 1, 1, mean, deviation, NULL));
  FAILS(sk_image_open(NULL, "x"));
  FAILS(sk_image_open(&image, NULL));
  FAILS(sk_image_open(&image, "/nowhere/at/all"));
  cr_expect_null(image.pixels);
}

/* What may be NULL, and says so. */
Test(errors, nothing_can_be_freed) {
  sk_free(NULL);
  sk_conv_destroy(NULL);
  sk_weights_close(NULL);
  sk_plan_close(NULL);
  sk_net_destroy(NULL);
  sk_image_close(NULL);
}
