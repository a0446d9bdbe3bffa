/* ONNX files read: what a graph becomes, what is refused and in what words, and files beside the model. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/onnx_write.h"
#include "config.h"
#include "resnet/model.h"
#include "resnet/network.h"
#include "tests/temporary_folder.h"

TestSuite(onnx_import, .init = make_folder, .fini = remove_folder);

#if SK_HAVE_ONNX
#include "resnet/onnx_tensor.h"
#include "tests/onnx_text.h"

/* ---- Opening ------------------------------------------------------------------------------------------------- */

static sk_status open_text(const char *text, const sk_onnx_options *options, sk_model **model) {
  size_t length = 0;
  Onnx__ModelProto *proto = onnx_text_model(text);
  uint8_t *bytes = onnx_text_pack(proto, &length);
  const sk_status status = sk_model_parse_onnx(model, "m.onnx", bytes, length, options);
  sk_onnx__model_proto__free_unpacked(proto, NULL);
  free(bytes);
  return status;
}

static sk_model *must_open(const char *text) {
  sk_model *model = NULL;
  cr_assert_eq(open_text(text, NULL, &model), SK_OK, "%s: %s", text, sk_error_message());
  return model;
}

static void expect_message(sk_status status, sk_status expected, const char *part, const char *what) {
  cr_expect_eq(status, expected, "%s: %s, expected %s: %s", what, sk_status_name(status), sk_status_name(expected),
               sk_error_message());
  cr_expect(strstr(sk_error_message(), part), "%s: \"%s\" does not say \"%s\"", what, sk_error_message(), part);
}

static void expect_refused(const char *text, sk_status expected, const char *part) {
  sk_model *model = NULL;
  expect_message(open_text(text, NULL, &model), expected, part, text);
  cr_expect_null(model);
}

/* ---- Networks written and read back -------------------------------------------------------------------------- */

static void expect_same_layers(const sk_net *a, const sk_net *b, const char *name) {
  sk_net_info info;
  sk_net_info other;
  sk_net_describe(a, &info);
  sk_net_describe(b, &other);
  cr_assert_eq(info.layers, other.layers, "%s: %zu layers, read back %zu", name, info.layers, other.layers);
  for (size_t i = 0; i < info.layers; i++) {
    sk_layer_info x;
    sk_layer_info y;
    cr_assert(!sk_net_layer(a, i, &x) && !sk_net_layer(b, i, &y));
    cr_expect_str_eq(x.name, y.name, "%s", name);
    cr_expect_str_eq(x.op, y.op, "%s: %s", name, x.name);
    cr_expect_eq(x.algorithm, y.algorithm, "%s: %s", name, x.name);
    cr_expect_eq(x.macs, y.macs, "%s: %s", name, x.name);
    cr_expect_eq(x.out_channels * x.out_height * x.out_width, y.out_channels * y.out_height * y.out_width);
  }
}

static float *run(const sk_net *net) {
  sk_net_info info;
  sk_net_describe(net, &info);
  const size_t count = info.in_channels * info.in_height * info.in_width;
  float *x = malloc(count * sizeof *x);
  float *y = malloc(info.classes * sizeof *y);
  void *workspace = sk_alloc(info.workspace_bytes);
  cr_assert(x && y && workspace);
  for (size_t i = 0; i < count; i++) x[i] = (float)(i * 7919 % 512) / 256 - 1;
  cr_assert_eq(sk_net_run(net, 1, x, y, workspace), SK_OK);
  sk_free(workspace);
  free(x);
  return y;
}

static void round_trip(const char *name, sk_resnet_version version) {
  const sk_net_options options = {.in_height = 32, .in_width = 32, .threads = 1, .version = version};
  struct sk_graph graph = {0};
  sk_weights *weights = NULL;
  sk_model *model = NULL;
  sk_net *nets[2] = {NULL, NULL};
  char *path = path_of("model.onnx");
  cr_assert_eq(sk_weights_random(&weights, name, 10, 1), SK_OK);
  cr_assert_eq(sk_network_load(&graph, name, weights, &options), SK_OK);
  cr_assert_eq(sk_onnx_write(&graph, 0, path), SK_OK, "%s", sk_error_message());
  cr_assert_eq(sk_net_create(&nets[0], name, weights, &options), SK_OK);
  sk_weights_close(weights);
  cr_assert_eq(sk_model_open_onnx(&model, path, NULL), SK_OK, "%s: %s", name, sk_error_message());
  cr_assert_eq(sk_net_create_from_model(&nets[1], model, &options), SK_OK, "%s: %s", name, sk_error_message());
  sk_model_close(model);
  expect_same_layers(nets[0], nets[1], name);
  float *a = run(nets[0]);
  float *b = run(nets[1]);
  cr_expect_arr_eq(a, b, 10 * sizeof *a, "%s: other bits", name);
  free(a);
  free(b);
  for (size_t i = 0; i < 2; i++) sk_net_destroy(nets[i]);
  sk_graph_destroy(&graph);
  free(path);
}

/* The smallest of each family: shortcuts A and B, plain and bottleneck blocks, strides in either convolution, groups,
 * width. */
Test(onnx_import, networks_come_back_as_they_were_written) {
  round_trip("resnet20-cifar", SK_RESNET_V1_5);
  round_trip("resnet20-cifar-b", SK_RESNET_V1_5);
  round_trip("resnet18", SK_RESNET_V1_5);
  round_trip("resnet50", SK_RESNET_V1_5);
  round_trip("resnet50", SK_RESNET_V1);
  round_trip("resnext50_32x4d", SK_RESNET_V1_5);
  round_trip("wide_resnet50_2", SK_RESNET_V1_5);
}

/* ---- What a graph becomes ------------------------------------------------------------------------------------ */

/* Describe the layers of a model: "conv+relu c 4x8x8; dense d 10x1x1". */
static void expect_layers(const char *text, const char *expected) {
  char layers[512] = "";
  sk_net *net = NULL;
  sk_net_info info;
  sk_model *model = must_open(text);
  cr_assert_eq(sk_net_create_from_model(&net, model, &(sk_net_options){.threads = 1}), SK_OK, "%s: %s", text,
               sk_error_message());
  sk_net_describe(net, &info);
  for (size_t i = 0; i < info.layers; i++) {
    sk_layer_info layer;
    const size_t used = strlen(layers);
    cr_assert_eq(sk_net_layer(net, i, &layer), SK_OK);
    snprintf(layers + used, sizeof layers - used, "%s%s %s %zux%zux%zu", i ? "; " : "", layer.op, layer.name,
             layer.out_channels, layer.out_height, layer.out_width);
  }
  cr_expect_str_eq(layers, expected, "%s: %s", text, layers);
  sk_net_destroy(net);
  sk_model_close(model);
}

#define CONV "input x Nx3x8x8; const w 4x3x3x3; "
#define NORM "const a 4; const b 4; const m 4; const v 4; "

Test(onnx_import, convolution_batch_norm_addition_and_relu_are_one_layer) {
  expect_layers(CONV NORM
                "const w2 4x4x3x3; node Conv c x,w y pads=is:1,1,1,1; node Conv d y,w2 z auto_pad=s:SAME_UPPER; "
                "node BatchNormalization n z,a,b,m,v z2; node Add s z2,y t; node Relu r t u; output u",
                "conv c 4x8x8; conv+add+relu d 4x8x8");
}

Test(onnx_import, sums_by_channel_are_layers_of_their_own) {
  const char *const layers = "global_average_pool p 3x1x1; conv e 4x1x1; conv c 4x6x6; add s 4x6x6";
  expect_layers(CONV
                "const v 4x3x1x1; node GlobalAveragePool p x g; node Conv e g,v k; node Conv c x,w y; "
                "node Add s y,k z; output z",
                layers);
  expect_layers(CONV
                "const v 4x3x1x1; node GlobalAveragePool p x g; node Conv e g,v k; node Conv c x,w y; "
                "node Add s k,y z; output z",
                layers);
}

Test(onnx_import, nothing_is_fused_behind_a_clip) {
  expect_layers("opset 10; " CONV
                "node Conv c x,w y; node Clip k y z min=f:0 max=f:6; node Clip l z u min=f:-1 max=f:5; "
                "output u",
                "conv+clip c 4x6x6; clip l 4x6x6");
  expect_layers("opset 10; " CONV
                "node Conv c x,w y; node Conv d x,w e; node Clip k e z min=f:0 max=f:6; "
                "node Add s y,z u; output u",
                "conv c 4x6x6; conv+clip d 4x6x6; add s 4x6x6");
  expect_layers("opset 10; " CONV
                "const a 4x1x1; node Conv c x,w y; node Clip k y z min=f:0 max=f:6; node Add s z,a u; "
                "output u",
                "conv+clip c 4x6x6; batch_norm s 4x6x6");
}

Test(onnx_import, windows) {
  expect_layers(CONV "node Conv c x,w y strides=is:2,1 dilations=is:1,2 pads=is:0,1,2,3; output y", "conv c 4x4x8");
  expect_layers(CONV "node Conv c x,w y auto_pad=s:VALID; output y", "conv c 4x6x6");
  expect_layers(CONV "node Conv c x,w y auto_pad=s:SAME_LOWER strides=is:3,3; output y", "conv c 4x3x3");
  expect_layers("input x Nx4x8; const w 8x2x3; node Conv c x,w y group=i:2 pads=is:1,1; output y", "conv c 8x1x8");
  expect_layers(CONV "node Conv c x,w y; node MaxPool p y z kernel_shape=is:3,3 strides=is:2,2 ceil_mode=i:1; output z",
                "conv c 4x6x6; max_pool p 4x3x3");
}

Test(onnx_import, names) {
  /* No name, one that another node has, and one that is another's output: then the output's. */
  expect_layers(
      "input x Nx4x8x8; const w 4x4x1x1; node Conv - x,w a; node Conv n a,w b; node Conv n b,w c; "
      "node Conv a c,w d; output d",
      "conv a 4x8x8; conv b 4x8x8; conv c 4x8x8; conv d 4x8x8");
}

Test(onnx_import, dense_layers) {
  expect_layers("input x Nx6; const w 6x4; const b 4; node MatMul m x,w y; node Add s y,b z; output z",
                "dense m 4x1x1");
  expect_layers("input x Nx6; const w 4x6; const c 1x4; node Gemm g x,w,c y transB=i:1 alpha=f:2; output y",
                "dense g 4x1x1");
}

Test(onnx_import, constants_by_channel_belong_to_the_convolution) {
  expect_layers(CONV "const k 4x1x1; node Conv c x,w y; node Mul m y,k z; output z", "conv c 4x6x6");
  expect_layers(CONV "const k -; node Conv c x,w y; node Add s k,y z; node Relu r z u; output u", "conv+relu c 4x6x6");
}

Test(onnx_import, what_changes_nothing_is_no_layer) {
  expect_layers(CONV "node Conv c x,w y; node Identity i y y2; node Dropout d y2 z; output z", "conv c 4x6x6");
  expect_layers(CONV "ints s 0,4,6,-1; node Conv c x,w y; node Reshape r y,s z; output z", "conv c 4x6x6");
  expect_layers(CONV "node Conv c x,w y; node GlobalAveragePool p y g; node Flatten f g z; output z",
                "conv c 4x6x6; global_average_pool p 4x1x1");
  expect_layers(CONV "ints s 4,3,3,3; const flat 108; node Reshape r flat,s w2; node Conv c x,w2 y; output y",
                "conv c 4x6x6");
}

Test(onnx_import, what_the_output_does_not_need_is_passed_over) {
  expect_layers(CONV "node Einsum e x,nothing q; node Conv c x,w y; node Relu r y dead; output y", "conv c 4x6x6");
}

Test(onnx_import, zeros_before_a_convolution_are_its_own) {
  expect_layers(CONV "ints p 0,0,1,2,0,0,3,4; node Pad p x,p y; node Conv c y,w z; output z", "conv c 4x10x12");
}

static void expect_same_results(const char *one, const char *other) {
  const char *const texts[2] = {one, other};
  float *y[2];
  sk_net_info info;
  for (size_t i = 0; i < 2; i++) {
    sk_net *net = NULL;
    sk_model *model = must_open(texts[i]);
    cr_assert_eq(sk_net_create_from_model(&net, model, &(sk_net_options){.threads = 1}), SK_OK);
    sk_net_describe(net, &info);
    y[i] = run(net);
    sk_net_destroy(net);
    sk_model_close(model);
  }
  cr_expect_arr_eq(y[0], y[1], info.classes * sizeof(float), "%s and %s", one, other);
  free(y[0]);
  free(y[1]);
}

/* Numbers are the same in a node, without a tensor, as in an initialiser of either kind of integers. */
Test(onnx_import, numbers_are_the_same_wherever_they_stand) {
  expect_same_results(CONV "const low -; node Conv c x,w y; node Clip k y,low z; output z", CONV
                      "node Constant n - low value_float=f:0.25; node Conv c x,w y; node Clip k y,low z; output z");
  expect_layers(CONV "node Constant n - s value_ints=is:0,4,6,-1; node Conv c x,w y; node Reshape r y,s z; output z",
                "conv c 4x6x6");
  expect_layers(
      "opset 18; input x Nx4x8; const w 4x4x3; node Constant n - a value_int=i:2; node Conv c x,w y; "
      "node ReduceMean m y,a z; output z",
      "conv c 4x1x6; global_average_pool m 4x1x1");
  expect_layers(CONV
                "ints b 0,0 6; ints e 9,9 6; ints a -1,2 6; ints t 2,2 6; node Slice s x,b,e,a,t y; node Conv c y,w z; "
                "output z",
                "subsample s 3x4x4; conv c 4x2x2");
}

/* Ours takes two: the first parts are put together before the last. */
Test(onnx_import, more_than_two_parts_are_put_together_in_their_order) {
#define PARTS CONV "node Conv c x,w a; node Sigmoid s a b; node Relu r a d; "
  expect_layers(PARTS "node Concat j a,b,d z axis=i:1; output z",
                "conv c 4x6x6; sigmoid s 4x6x6; relu r 4x6x6; concat j.1 8x6x6; concat j 12x6x6");
  expect_same_results(PARTS "node Concat j a,b,d z axis=i:1; output z",
                      PARTS "node Concat i a,b t axis=i:1; node Concat j t,d z axis=i:1; output z");
}

/* Four different pads: of the convolution, of a Pad that it takes in, and of one that it cannot see. */
Test(onnx_import, pads_are_on_the_side_where_they_belong) {
  const char *const own = CONV "node Conv c x,w z pads=is:0,1,2,3; output z";
  expect_same_results(own, CONV "ints p 0,0,0,1,0,0,2,3; node Pad p x,p y; node Conv c y,w z; output z");
  expect_same_results(own, CONV
                      "ints p 0,0,0,1,0,0,2,3; node Pad p x,p y; node Identity i y y2; node Conv c y2,w z; "
                      "output z");
}

Test(onnx_import, mean_over_space) {
  expect_layers(CONV "node Conv c x,w y; node ReduceMean m y z axes=is:-1,2 keepdims=i:0; output z",
                "conv c 4x6x6; global_average_pool m 4x1x1");
  expect_layers("opset 18; " CONV "ints a 2,3; node Conv c x,w y; node ReduceMean m y,a z; output z",
                "conv c 4x6x6; global_average_pool m 4x1x1");
}

/* ---- Sizes that the file leaves open ------------------------------------------------------------------------- */

static void expect_input(const sk_onnx_options *options, size_t channels, size_t height, size_t width) {
  sk_model *model = NULL;
  sk_model_info info;
  cr_assert_eq(open_text("input x NxCxHxW; node Relu r x y; output y", options, &model), SK_OK, "%s",
               sk_error_message());
  sk_model_describe(model, &info);
  cr_expect_eq(info.in_channels, channels);
  cr_expect_eq(info.in_height, height);
  cr_expect_eq(info.in_width, width);
  cr_expect_str_eq(info.name, "m.onnx");
  sk_model_close(model);
}

Test(onnx_import, open_sizes_are_given) {
  sk_model *model = NULL;
  expect_input(&(sk_onnx_options){.input_shape = {0, 3, 20, 30}}, 3, 20, 30);
  expect_refused("input x NxCx8x8; node Relu r x y; output y", SK_INVALID_ARGUMENT, "leaves its channels open");
  expect_refused("input x Nx3x8xW; node Relu r x y; output y", SK_INVALID_ARGUMENT, "leaves its width open");
  const sk_status status =
      open_text("input x Nx3x8x8; node Relu r x y; output y", &(sk_onnx_options){.input_shape = {1, 3, 9, 8}}, &model);
  expect_message(status, SK_INVALID_ARGUMENT, "height of 9 is asked for, but the file's is 8", "shape");
}

/* ---- Refusals ------------------------------------------------------------------------------------------------ */

static const struct {
  const char *text;
  sk_status status;
  const char *message;
} refusals[] = {
    {"input x Nx3x8x8; node Relu r x y; node Tanh t y z; output z", SK_UNSUPPORTED,
     "m.onnx: node \"t\" (Tanh): an operator that is not supported; those that are: Add, AveragePool, "},
    {"opset 6; input x Nx3x8x8; node Relu r x y; output y", SK_UNSUPPORTED, "operator set 6, expected 7 to 21"},
    {"opset 22; input x Nx3x8x8; node Relu r x y; output y", SK_UNSUPPORTED, "operator set 22, expected 7 to 21"},
    {"input x Nx3x8x8; node Relu r x y; output y; output x", SK_UNSUPPORTED, "2 outputs, expected one"},
    {"input x Nx3x8x8; node Relu r x y; output z", SK_UNSUPPORTED, "depends on no input"},
    {"input x Nx3x8x8; input z Nx3x8x8; node Add s x,z y; output y", SK_UNSUPPORTED,
     "inputs \"x\" and \"z\", expected one"},
    {"const x 1x3x8x8; node Relu r x y; output y", SK_UNSUPPORTED, "depends on no input"},
    {"input x Nx3x8x8 7; node Relu r x y; output y", SK_UNSUPPORTED, "INT64, expected a tensor of FLOAT or FLOAT16"},
    {"input x Nx3x8x8x8; node Relu r x y; output y", SK_UNSUPPORTED, "5 dimensions, expected 1 to 4"},
    {"input x Nx3x0x8; node Relu r x y; output y", SK_BAD_FORMAT, "height of 0, expected 1 to 2147483647"},
    {"input x Nx3x8x8; node Relu a q y; node Relu b y q; output q", SK_UNSUPPORTED, "depends on no input"},
    {"input x Nx3x8x8; node Add a x,q y; node Relu b y q; output q", SK_BAD_FORMAT,
     "m.onnx: node \"a\" (Add): input \"q\": used before it is made"},
    {"input x Nx3x8x8; node Add a x,q y; output y", SK_BAD_FORMAT, "input \"q\": made by no node"},
    {"input x Nx3x8x8; node Relu a x y; node Relu b x y; output y", SK_BAD_FORMAT, "value \"y\": defined twice"},
    {"input x Nx3x8x8; input x Nx3x8x8; node Relu a x y; output y", SK_BAD_FORMAT, "value \"x\": defined twice"},
    {"input x Nx3x8x8; node Relu a\x1b[1m x y; output y", SK_BAD_FORMAT, "has a control character"},
    {"input x Nx3x8x8; node Relu a\xff x y; output y", SK_BAD_FORMAT, "is no UTF-8"},
    {"input x Nx3x8x8; node Relu a x y body=g:; output y", SK_UNSUPPORTED, "\"body\": unknown, a subgraph"},
    {"input x Nx3x8x8; node Relu a x,x y; output y", SK_BAD_FORMAT, "2 inputs, expected 1"},
    {"input x Nx3x8x8; node Relu a x -; output y", SK_UNSUPPORTED, "depends on no input"},
    {CONV "node Conv c x,w y kernel_shape=is:5,5; output y", SK_BAD_FORMAT,
     "\"kernel_shape\": [5, 5], but its weights"},
    {CONV "node Conv c x,w y group=i:2; output y", SK_BAD_FORMAT, "weights of shape [4, 3, 3, 3] for an input of"},
    {CONV "node Conv c x,w y group=i:0; output y", SK_BAD_FORMAT, "\"group\": 0"},
    {CONV "node Conv c x,w y strides=is:0,1; output y", SK_UNSUPPORTED, "\"strides\": 0, expected 1 or more"},
    {CONV "node Conv c x,w y strides=i:1; output y", SK_BAD_FORMAT, "\"strides\": 0 numbers, expected 2"},
    {CONV "node Conv c x,w y strides=is:1,1,1; output y", SK_BAD_FORMAT, "\"strides\": 3 numbers, expected 2"},
    {CONV "node Conv c x,w y strides=is:1,1 strides=is:1,1; output y", SK_BAD_FORMAT, "\"strides\": there twice"},
    {CONV "node Conv c x,w y auto_pad=s:SAME; output y", SK_BAD_FORMAT, "\"auto_pad\": \"SAME\", expected NOTSET"},
    {CONV "node Conv c x,w y dilations=is:9,9; output y", SK_BAD_FORMAT, "m.onnx: node \"c\" (Conv): "},
    {CONV "node Conv c x,x y; output y", SK_UNSUPPORTED, "weights: computed in the model (\"x\"), expected a constant"},
    {CONV "const b 3; node Conv c x,w,b y; output y", SK_BAD_FORMAT, "bias of shape [3], expected [4]"},
    {CONV "node MaxPool p x y,i kernel_shape=is:2,2; output i", SK_UNSUPPORTED, "a further output of its node"},
    {CONV "node MaxPool p x y,i kernel_shape=is:2,2; node Relu r i z; output z", SK_UNSUPPORTED,
     "input \"i\": an output of MaxPool that is not supported"},
    {CONV NORM "node Conv c x,w y; node BatchNormalization n y,a,b,m,v z training_mode=i:1; output z", SK_UNSUPPORTED,
     "\"training_mode\": 1, expected 0"},
    {CONV NORM "node BatchNormalization n x,a,b,m,v z; output z", SK_BAD_FORMAT, "scale of shape [4], expected [3]"},
    {"input x Nx6; const w 5x4; node Gemm g x,w y; output y", SK_BAD_FORMAT, "weights of shape [5, 4] for an input of"},
    {"input x Nx6; const w 6x4; node Gemm g x,w y transA=i:1; output y", SK_UNSUPPORTED, "\"transA\""},
    {"input x Nx6; const w 6x4; const c 3x4; node Gemm g x,w,c y; output y", SK_UNSUPPORTED, "C of shape [3, 4]"},
    {"input x Nx3x8x8; const w 8x4; node MatMul m x,w y; output y", SK_UNSUPPORTED, "expected [batch, channels]"},
    {"input x Nx3x8x8; const k 8; node Mul m x,k y; output y", SK_UNSUPPORTED, "a constant of shape [8] beside"},
    {"input x Nx3x8x8; ints s 0,3,4,16; node Reshape r x,s y; node Relu q y z; output z", SK_UNSUPPORTED,
     "expected the same image or one row of it"},
    {"input x Nx3x8x8; ints s 7,-1; node Reshape r x,s y; node Relu q y z; output z", SK_BAD_FORMAT,
     "its shape does not fit an input of [1, 3, 8, 8]"},
    {"input x Nx3x8x8; node Reshape r x,x y; output y", SK_UNSUPPORTED, "shape: computed in the model"},
    {"input x Nx3x8x8; node Flatten f x y axis=i:2; node Relu q y z; output z", SK_UNSUPPORTED, "expected 1: a row"},
    {"input x Nx3x8x8; node Softmax s x y; output y", SK_UNSUPPORTED, "expected the channels of a row"},
    {"input x Nx3x8x8; node Concat c x,x y axis=i:2; output y", SK_UNSUPPORTED, "\"axis\": 2 of 4, expected 1"},
    {"input x Nx3x8x8; node Concat c x,x y axis=i:9; output y", SK_BAD_FORMAT, "axis 9, expected one of 4"},
    {"input x Nx3x8x8; ints p 1,0,0,0,0,0,0,0; node Pad p x,p y; output y", SK_UNSUPPORTED, "pads: on the batch"},
    {"input x Nx3x8x8; ints p 0,0,-1,0,0,0,0,0; node Pad p x,p y; output y", SK_UNSUPPORTED,
     "pads: -1 and 0 on axis 2"},
    {"input x Nx3x8x8; ints p 0,0; node Pad p x,p y; output y", SK_BAD_FORMAT, "not two for each of 4 axes"},
    {"input x Nx3x8x8; ints p 0,0,1,1,0,0,1,1; node Pad p x,p y mode=s:reflect; output y", SK_UNSUPPORTED,
     "\"mode\": \"reflect\", expected constant"},
    {"input x Nx3x8x8; node ReduceMean m x y axes=is:1; output y", SK_UNSUPPORTED, "axes other than all those behind"},
    {"input x Nx3x8x8; const a 2; node Clip c x,a y; output y", SK_BAD_FORMAT, "min: 2 elements, expected 1"},
    {"input x Nx3x8x8; node Dropout d x,-,x y; output y", SK_UNSUPPORTED, "training_mode is given"},
    {"input x Nx3x8x8; node Constant k - c; node Mul m x,c y; output y", SK_BAD_FORMAT, "no value, expected one of"},
};

Test(onnx_import, each_refusal_says_why) {
  for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
    expect_refused(refusals[i].text, refusals[i].status, refusals[i].message);
  }
}

/* ---- Bytes --------------------------------------------------------------------------------------------------- */

static void expect_bytes_refused(const void *bytes, size_t length, sk_status status, const char *part) {
  sk_model *model = NULL;
  expect_message(sk_model_parse_onnx(&model, "m.onnx", bytes, length, NULL), status, part, "bytes");
}

Test(onnx_import, bytes_that_are_no_model) {
  static const uint8_t twice[] = {0x3A, 0, 0x3A, 0};
  static uint8_t nested[400];
  expect_bytes_refused("", 0, SK_BAD_FORMAT, "has no graph");
  expect_bytes_refused("\x3A\x05", 2, SK_BAD_FORMAT, "byte 0: a protobuf field that is cut off");
  expect_bytes_refused("\x3A\x02\x0B\x00", 4, SK_BAD_FORMAT, "byte 2: a protobuf field that is cut off");
  expect_bytes_refused("\x38\x01", 2, SK_BAD_FORMAT, "a number where a protobuf message belongs");
  expect_bytes_refused(twice, sizeof twice, SK_BAD_FORMAT, "byte 2: a protobuf message twice");
  /* A graph in an attribute of a node of a graph in ...: 7, then 1, 5 and 6, each as long as what is left. */
  size_t at = 0;
  for (size_t left = 150; left > 3; left -= 3) {
    static const uint8_t tags[] = {0x3A, 0x0A, 0x2A, 0x32};
    const size_t level = at / 3;
    nested[at++] = level == 0 ? tags[0] : tags[1 + (level - 1) % 3];
    nested[at++] = (uint8_t)(0x80 | ((left - 3) & 0x7F));
    nested[at++] = (uint8_t)((left - 3) >> 7);
  }
  expect_bytes_refused(nested, at + 3, SK_UNSUPPORTED, "within more than 32 others");
}

Test(onnx_import, more_fields_than_a_model_has) {
  const size_t length = 2 * ((1 << 20) + 1);
  uint8_t *bytes = malloc(length);
  cr_assert_not_null(bytes);
  for (size_t i = 0; i < length; i += 2) memcpy(bytes + i, "\x08\x07", 2);
  expect_bytes_refused(bytes, length, SK_UNSUPPORTED, "more than 1048576 protobuf fields");
  free(bytes);
}

Test(onnx_import, files_over_the_limit) {
  sk_model *model = NULL;
  const sk_onnx_options small = {.max_bytes = 200};
  expect_message(open_text(CONV "node Conv c x,w y; output y", &small, &model), SK_UNSUPPORTED, "expected at most 200",
                 "size");
  /* A byte more than the limit is too much. */
  size_t length = 0;
  Onnx__ModelProto *proto = onnx_text_model(CONV "node Conv c x,w y; output y");
  uint8_t *bytes = onnx_text_pack(proto, &length);
  const sk_onnx_options exact = {.max_bytes = length - 1};
  char message[80];
  snprintf(message, sizeof message, "%zu bytes, expected at most %zu", length, length - 1);
  expect_message(sk_model_parse_onnx(&model, "m.onnx", bytes, length, &exact), SK_UNSUPPORTED, message, "a byte");
  sk_onnx__model_proto__free_unpacked(proto, NULL);
  free(bytes);
  /* The file fits, but not what is made of its weights. */
  const sk_onnx_options tight = {.max_bytes = 400};
  expect_message(open_text("input x Nx6; const w 6x10; node MatMul m x,w y; output y", &tight, &model), SK_UNSUPPORTED,
                 "bytes more of constants, expected at most 400", "memory");
}

Test(onnx_import, constants_over_the_limit) {
  struct sk_onnx_storage storage = {.bytes_max = 8};
  void *memory = NULL;
  cr_assert_eq(sk_onnx_storage_take(&storage, "a", 5, &memory), SK_OK);
  cr_assert_eq(sk_onnx_storage_take(&storage, "b", 3, &memory), SK_OK);
  expect_message(sk_onnx_storage_take(&storage, "c", 1, &memory), SK_UNSUPPORTED, "c: 1 bytes more of constants", "c");
  cr_expect_null(memory);
  sk_onnx_storage_free(&storage);
}

/* ---- Tensors ------------------------------------------------------------------------------------------------- */

static sk_status open_with(Onnx__ModelProto *proto, const char *path, sk_model **model) {
  size_t length = 0;
  uint8_t *bytes = onnx_text_pack(proto, &length);
  const sk_status status = sk_model_parse_onnx(model, path, bytes, length, NULL);
  free(bytes);
  return status;
}

/* The first weight of the first convolution or dense layer. */
static float first_weight(const sk_model *model) {
  float value = 0;
  sk_weight_tensor_read_range(sk_model_graph(model)->nodes[1].parameters[SK_PARAMETER_WEIGHT], 1, 1, &value);
  return value;
}

Test(onnx_import, weights_of_each_kind) {
  sk_model *model = must_open("input x Nx3x8x8; const w 4x3x3x3 10; node Conv c x,w y; output y");
  cr_expect_eq(first_weight(model), 0.5F, "FLOAT16, raw");
  sk_model_close(model);

  Onnx__ModelProto *proto = onnx_text_model("input x Nx2; const w 1x2; node Gemm g x,w y transB=i:1; output y");
  Onnx__TensorProto *w = proto->graph->initializer[0];
  w->has_raw_data = false;
  w->n_float_data = 2;
  w->float_data = malloc(2 * sizeof *w->float_data);
  w->float_data[0] = w->float_data[1] = 3;
  cr_assert_eq(open_with(proto, "m.onnx", &model), SK_OK, "%s", sk_error_message());
  cr_expect_eq(first_weight(model), 3, "FLOAT, float_data");
  sk_model_close(model);

  w->n_float_data = 0;
  w->data_type = ONNX_TEXT_FLOAT16;
  w->n_int32_data = 2;
  w->int32_data = malloc(2 * sizeof *w->int32_data);
  w->int32_data[0] = w->int32_data[1] = 0x3800;
  cr_assert_eq(open_with(proto, "m.onnx", &model), SK_OK, "%s", sk_error_message());
  cr_expect_eq(first_weight(model), 0.5F, "FLOAT16, int32_data");
  sk_model_close(model);

  w->n_int32_data = 1;
  expect_message(open_with(proto, "m.onnx", &model), SK_BAD_FORMAT, "1 elements of data, expected 2", "short");
  w->n_int32_data = 2;
  w->dims[0] = -1;
  expect_message(open_with(proto, "m.onnx", &model), SK_BAD_FORMAT, "size -1, expected 0 or more", "negative");
  w->dims[0] = INT64_MAX;
  w->dims[1] = INT64_MAX;
  expect_message(open_with(proto, "m.onnx", &model), SK_BAD_FORMAT, "product of its sizes overflows", "huge");
  w->data_type = 11;
  expect_message(open_with(proto, "m.onnx", &model), SK_UNSUPPORTED, "tensor \"w\": elements of DOUBLE, expected",
                 "double");
  sk_onnx__model_proto__free_unpacked(proto, NULL);
}

/* ---- Files beside the model ---------------------------------------------------------------------------------- */

static void add_external(Onnx__TensorProto *tensor, const char *key, const char *value) {
  Onnx__StringStringEntryProto *entry = malloc(sizeof *entry);
  sk_onnx__string_string_entry_proto__init(entry);
  entry->key = strdup(key);
  entry->value = strdup(value);
  tensor->external_data = onnx_text_append(tensor->external_data, &tensor->n_external_data, entry);
}

/* A model whose weights, two floats, are in a file; offset and length may be NULL. */
static sk_status open_external(const char *location, const char *offset, const char *length, sk_model **model) {
  char *path = path_of("model.onnx");
  Onnx__ModelProto *proto = onnx_text_model("input x Nx2; const w 1x2; node Gemm g x,w y transB=i:1; output y");
  Onnx__TensorProto *w = proto->graph->initializer[0];
  w->has_raw_data = false;
  w->has_data_location = true;
  w->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
  add_external(w, "location", location);
  if (offset) add_external(w, "offset", offset);
  if (length) add_external(w, "length", length);
  const sk_status status = open_with(proto, path, model);
  sk_onnx__model_proto__free_unpacked(proto, NULL);
  free(path);
  return status;
}

static void write_floats(const char *name) {
  static const float values[] = {1, 2, 3};
  char *path = path_of(name);
  FILE *file = fopen(path, "wb");
  cr_assert(file && fwrite(values, sizeof values, 1, file) == 1);
  fclose(file);
  free(path);
}

static void make_link(const char *name, const char *target) {
  char *path = path_of(name);
  cr_assert_eq(symlink(target, path), 0);
  free(path);
}

Test(onnx_import, weights_in_a_file_beside_it) {
  sk_model *model = NULL;
  write_floats("data");
  cr_assert_eq(open_external("data", NULL, NULL, &model), SK_OK, "%s", sk_error_message());
  cr_expect_eq(first_weight(model), 2);
  sk_model_close(model);
  cr_assert_eq(open_external("./data", "4", "8", &model), SK_OK, "%s", sk_error_message());
  cr_expect_eq(first_weight(model), 3);
  sk_model_close(model);
}

static void expect_external_refused(const char *location, const char *offset, const char *length, sk_status status,
                                    const char *part) {
  sk_model *model = NULL;
  expect_message(open_external(location, offset, length, &model), status, part, location);
}

Test(onnx_import, files_that_are_not_beside_it_are_refused) {
  write_floats("data");
  make_link("link", "data");
  make_link("folder", ".");
  expect_external_refused("/etc/hostname", NULL, NULL, SK_BAD_FORMAT, "is absolute, expected a file in the model's");
  expect_external_refused("../data", NULL, NULL, SK_BAD_FORMAT, "has \"..\"");
  expect_external_refused("a/../data", NULL, NULL, SK_BAD_FORMAT, "has \"..\"");
  expect_external_refused(".", NULL, NULL, SK_BAD_FORMAT, "names no file");
  expect_external_refused("", NULL, NULL, SK_BAD_FORMAT, "names no file");
  expect_external_refused("link", NULL, NULL, SK_IO_ERROR, "a symbolic link, which are not followed");
  expect_external_refused("folder/data", NULL, NULL, SK_IO_ERROR, "a symbolic link, which are not followed");
  expect_external_refused("none", NULL, NULL, SK_IO_ERROR, "No such file");
  expect_external_refused("data/none", NULL, NULL, SK_IO_ERROR, "Not a directory");
  expect_external_refused("data", "8", NULL, SK_BAD_FORMAT, "8 bytes from 8 on, but the file has 12");
  expect_external_refused("data", "18446744073709551608", NULL, SK_BAD_FORMAT, "but the file has 12");
  expect_external_refused("data", "18446744073709551617", NULL, SK_BAD_FORMAT, "expected a number of bytes");
  expect_external_refused("data", "-4", NULL, SK_BAD_FORMAT, "offset \"-4\", expected a number of bytes");
  expect_external_refused("data", "0", "12", SK_BAD_FORMAT, "12 bytes of data, expected 8");
}

/* A pipe without a writer is not waited for, and a file of 16 GiB and a byte, which takes no room, is not read. */
Test(onnx_import, files_that_cannot_be_weights_are_refused) {
  char *pipe = path_of("pipe"), *large = path_of("large");
  write_floats("large");
  cr_assert_eq(mkfifo(pipe, 0600), 0);
  alarm(20); /* ends what waits for the pipe */
  cr_assert_eq(truncate(large, ((off_t)16 << 30) + 1), 0);
  expect_external_refused("pipe", NULL, NULL, SK_IO_ERROR, "is a pipe, expected a regular file");
  expect_external_refused("large", NULL, NULL, SK_BAD_FORMAT, "17179869185 bytes, expected at most 17179869184");
  free(pipe);
  free(large);
}

/* ---- Networks ------------------------------------------------------------------------------------------------ */

Test(onnx_import, networks_have_the_models_sizes_and_names) {
  sk_net *net = NULL;
  sk_model *model = must_open(CONV "node Conv c x,w y; output y");
  expect_message(sk_net_create_from_model(&net, model, &(sk_net_options){.in_height = 9}), SK_INVALID_ARGUMENT,
                 "m.onnx: height of 9 is asked for, but the model's is 8", "height");
  expect_message(sk_net_create_from_model(&net, model, &(sk_net_options){.classes = 9}), SK_INVALID_ARGUMENT,
                 "number of classes of 9 is asked for, but the model's is 144", "classes");
  const char *const taps[] = {"y", "c"};
  cr_assert_eq(sk_net_create_from_model(&net, model, &(sk_net_options){.taps = taps, .tap_count = 2}), SK_OK, "%s",
               sk_error_message());
  sk_net_destroy(net);
  const char *const unknown[] = {"z"};
  expect_message(sk_net_create_from_model(&net, model, &(sk_net_options){.taps = unknown, .tap_count = 1}),
                 SK_INVALID_ARGUMENT, "layer \"z\": not in m.onnx", "tap");
  sk_model_close(model);
}

#else

Test(onnx_import, a_build_without_the_schema_says_so) {
  sk_model *model = NULL;
  const sk_status status = sk_model_open_onnx(&model, "configure", NULL);
  cr_expect_eq(status, SK_UNSUPPORTED);
  cr_expect(strstr(sk_error_message(), "this build reads no ONNX files"), "%s", sk_error_message());
}

#endif
