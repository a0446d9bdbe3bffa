/* Training a head: pictures by class, their features, the fit, and what the head takes the pictures for. */
#ifndef SK_BENCH_TRAIN_HEAD_H
#define SK_BENCH_TRAIN_HEAD_H

#include "bench/class_folders.h"
#include "bench/runner.h"
#include "bench/softmax_regression.h"
#include "bench/statistics.h"
#include "resnet/head.h"

struct sk_head_training {
  const struct sk_options *options;
  struct sk_source source; /* a named network */
  struct sk_class_folders folders;
  struct sk_feature_layer layer;
  sk_net_info info; /* of the network that made the features */
  size_t features;
  float *x; /* [examples][features] */
  struct sk_minimum minimum;
  sk_weights *head;
  struct sk_head_values values;
  size_t *taken_for; /* [examples] classes, by the head */
};

/* How many of some examples the head takes for what they are. */
struct sk_score {
  size_t right, count;
};

/* Do all of it but writing. Free the training whatever the outcome. Errors: those of its parts; SK_BAD_FORMAT for
 * features that are no finite numbers, which names the picture. */
sk_status sk_head_train(struct sk_head_training *training, const struct sk_options *options);
void sk_head_training_free(struct sk_head_training *training);

/* Count those trained on, or those held out; of one class, or of all (class_number SIZE_MAX). */
struct sk_score sk_head_score(const struct sk_head_training *training, bool held_out, size_t class_number);

/* Number held-out pictures of a class that are taken for another. */
size_t sk_head_confusion(const struct sk_head_training *training, size_t class_number, size_t other);

/* The class with the most pictures to train on, which a guess without looking would name; of equals the first. */
size_t sk_head_majority(const struct sk_head_training *training);

/* Print the report: text, or a document to begin with sk_json_begin's. */
struct sk_json;
sk_status sk_head_print(const struct sk_head_training *training);
void sk_head_describe(const struct sk_head_training *training, struct sk_json *json);

#endif
