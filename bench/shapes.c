#include "bench/shapes.h"

/* A square layer with the padding of its kernel: channels in and out, size, kernel, stride, groups. */
#define SK_LAYER(in, out, size, kernel, stride, groups)                                               \
  {                                                                                                   \
    1, in, size, size, out, kernel, kernel, stride, stride, 1, 1, (kernel - 1) / 2, (kernel - 1) / 2, \
        (kernel - 1) / 2, (kernel - 1) / 2, groups                                                    \
  }

const struct sk_named_shape sk_layer_shapes[] = {
    /* ResNet-50, and the 3x3 layers that ResNet-18 and 34 share with it */
    {"resnet50_conv1", SK_LAYER(3, 64, 224, 7, 2, 1)},
    {"resnet50_layer1_0_conv1", SK_LAYER(64, 64, 56, 1, 1, 1)},
    {"resnet50_layer1_conv2", SK_LAYER(64, 64, 56, 3, 1, 1)},
    {"resnet50_layer1_conv3", SK_LAYER(64, 256, 56, 1, 1, 1)},
    {"resnet50_layer1_conv1", SK_LAYER(256, 64, 56, 1, 1, 1)},
    {"resnet50_layer2_0_conv1", SK_LAYER(256, 128, 56, 1, 1, 1)},
    {"resnet50_layer2_0_conv2", SK_LAYER(128, 128, 56, 3, 2, 1)},
    {"resnet50_layer2_0_downsample", SK_LAYER(256, 512, 56, 1, 2, 1)},
    {"resnet50_layer2_conv3", SK_LAYER(128, 512, 28, 1, 1, 1)},
    {"resnet50_layer2_conv1", SK_LAYER(512, 128, 28, 1, 1, 1)},
    {"resnet50_layer2_conv2", SK_LAYER(128, 128, 28, 3, 1, 1)},
    {"resnet50_layer3_0_conv1", SK_LAYER(512, 256, 28, 1, 1, 1)},
    {"resnet50_layer3_0_conv2", SK_LAYER(256, 256, 28, 3, 2, 1)},
    {"resnet50_layer3_0_downsample", SK_LAYER(512, 1024, 28, 1, 2, 1)},
    {"resnet50_layer3_conv3", SK_LAYER(256, 1024, 14, 1, 1, 1)},
    {"resnet50_layer3_conv1", SK_LAYER(1024, 256, 14, 1, 1, 1)},
    {"resnet50_layer3_conv2", SK_LAYER(256, 256, 14, 3, 1, 1)},
    {"resnet50_layer4_0_conv1", SK_LAYER(1024, 512, 14, 1, 1, 1)},
    {"resnet50_layer4_0_conv2", SK_LAYER(512, 512, 14, 3, 2, 1)},
    {"resnet50_layer4_0_downsample", SK_LAYER(1024, 2048, 14, 1, 2, 1)},
    {"resnet50_layer4_conv3", SK_LAYER(512, 2048, 7, 1, 1, 1)},
    {"resnet50_layer4_conv1", SK_LAYER(2048, 512, 7, 1, 1, 1)},
    {"resnet50_layer4_conv2", SK_LAYER(512, 512, 7, 3, 1, 1)},
    /* ResNet-18 and 34 */
    {"resnet18_layer2_0_conv1", SK_LAYER(64, 128, 56, 3, 2, 1)},
    {"resnet18_layer2_0_downsample", SK_LAYER(64, 128, 56, 1, 2, 1)},
    {"resnet18_layer3_0_conv1", SK_LAYER(128, 256, 28, 3, 2, 1)},
    {"resnet18_layer3_0_downsample", SK_LAYER(128, 256, 28, 1, 2, 1)},
    {"resnet18_layer4_0_conv1", SK_LAYER(256, 512, 14, 3, 2, 1)},
    {"resnet18_layer4_0_downsample", SK_LAYER(256, 512, 14, 1, 2, 1)},
    /* ResNeXt-50 32x4d */
    {"resnext50_layer1_conv2", SK_LAYER(128, 128, 56, 3, 1, 32)},
    {"resnext50_layer2_0_conv2", SK_LAYER(256, 256, 56, 3, 2, 32)},
    {"resnext50_layer2_conv2", SK_LAYER(256, 256, 28, 3, 1, 32)},
    {"resnext50_layer3_0_conv2", SK_LAYER(512, 512, 28, 3, 2, 32)},
    {"resnext50_layer3_conv2", SK_LAYER(512, 512, 14, 3, 1, 32)},
    {"resnext50_layer4_0_conv2", SK_LAYER(1024, 1024, 14, 3, 2, 32)},
    {"resnext50_layer4_conv2", SK_LAYER(1024, 1024, 7, 3, 1, 32)},
    /* CIFAR ResNet-20 to 1202; the 1x1 layers are those of shortcut B */
    {"cifar_conv1", SK_LAYER(3, 16, 32, 3, 1, 1)},
    {"cifar_layer1", SK_LAYER(16, 16, 32, 3, 1, 1)},
    {"cifar_layer2_0_conv1", SK_LAYER(16, 32, 32, 3, 2, 1)},
    {"cifar_layer2_0_shortcut", SK_LAYER(16, 32, 32, 1, 2, 1)},
    {"cifar_layer2", SK_LAYER(32, 32, 16, 3, 1, 1)},
    {"cifar_layer3_0_conv1", SK_LAYER(32, 64, 16, 3, 2, 1)},
    {"cifar_layer3_0_shortcut", SK_LAYER(32, 64, 16, 1, 2, 1)},
    {"cifar_layer3", SK_LAYER(64, 64, 8, 3, 1, 1)},
};

const size_t sk_layer_shape_count = sizeof sk_layer_shapes / sizeof sk_layer_shapes[0];
