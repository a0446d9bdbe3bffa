/*
 * A head: the last layer of a network in a file of its own, fc.weight and fc.bias, trained on the features that the
 * rest of the network, its body, makes. Its metadata names the model, the digest of the body's weights and the labels.
 */
#ifndef SK_RESNET_HEAD_H
#define SK_RESNET_HEAD_H

#include "resnet/weights.h"

#define SK_HEAD_LABELS "labels" /* metadata: one label per line, in the order of the outputs */

/* The name of the layer that a model's last dense layer reads. */
struct sk_feature_layer {
  char name[64];
};

/* Find it. Errors: SK_INVALID_ARGUMENT (unknown model), SK_UNSUPPORTED (a network that does not end in a dense layer).
 */
sk_status sk_head_find_features(const char *model, struct sk_feature_layer *layer);

/* The values of a head that is being made, zeroed. */
struct sk_head_values {
  float *weight; /* [classes][features] */
  float *bias;   /* [classes] */
};

/* Make a head for a model and its body's weights. Close it whatever the outcome. Errors: SK_OUT_OF_MEMORY,
 * SK_INVALID_ARGUMENT (sizes that overflow). */
sk_status sk_head_new(sk_weights **head, const char *model, const sk_weights *body, size_t classes, size_t features,
                      struct sk_head_values *values);

/* Put a head in place of the last layer that a file of weights has, and its metadata in place of theirs. The head then
 * belongs to the weights; after a failure it is still the caller's.
 * Errors: SK_BAD_FORMAT (other tensors than a head has, a width that is not the features', another model or body than
 * the head's metadata names, weights without a last layer), SK_INVALID_ARGUMENT (weights that are no file's). */
sk_status sk_head_take(sk_weights *weights, const char *model, sk_weights *head);

#endif
