/* Whole networks with seeded weights, from plain images to logits. */
#include <stdlib.h>

#include "bench/benchmark_suite.h"
#include "dispatch/conv.h"
#include "dispatch/status.h"

struct subject {
  sk_net *net;
  float *x, *y;
  void *workspace;
};

static sk_status make_net(const struct sk_case *c, sk_net **net) {
  const char *model = c->subject;
  const sk_net_options options = {.isa = c->isa, .algorithm = c->algorithm, .threads = c->threads, .batch = c->batch};
  sk_weights *weights = NULL;
  sk_status status = sk_weights_random(&weights, model, 0, 1);
  if (!status) status = sk_net_create(net, model, weights, &options);
  sk_weights_close(weights);
  return status;
}

static sk_status fill_subject(const struct sk_case *c, struct subject *subject, sk_net_info *info) {
  sk_status status = make_net(c, &subject->net);
  if (status) return status;
  sk_net_describe(subject->net, info);
  status = sk_make_floats(&subject->x, c->batch * info->in_channels * info->in_height * info->in_width);
  if (!status) status = sk_make_floats(&subject->y, c->batch * info->classes);
  if (status) return status;
  subject->workspace = sk_alloc(info->workspace_bytes);
  return subject->workspace ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "out of memory for a workspace");
}

/* The sum over the layers: what moves if no layer finds anything in the caches. */
static double count_bytes(const sk_net *net, const sk_net_info *info) {
  double bytes = 0;
  sk_layer_info layer;
  for (size_t i = 0; i < info->layers && !sk_net_layer(net, i, &layer); i++) {
    bytes += (double)layer.weight_bytes + (double)layer.activation_bytes * (double)info->batch;
  }
  return bytes;
}

static sk_status prepare(const struct sk_case *c, void **prepared, struct sk_work *work) {
  struct subject *subject = calloc(1, sizeof *subject);
  sk_net_info info;
  *prepared = subject;
  if (!subject) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %s", (const char *)c->subject);
  const sk_status status = fill_subject(c, subject, &info);
  if (!status) *work = (struct sk_work){2.0 * (double)info.macs * (double)c->batch, count_bytes(subject->net, &info)};
  return status;
}

static void run(const struct sk_case *c, void *prepared) {
  const struct subject *subject = prepared;
  (void)sk_net_run(subject->net, c->batch, subject->x, subject->y, subject->workspace); /* refuses bad pointers only */
}

static void release(void *prepared) {
  struct subject *subject = prepared;
  if (!subject) return;
  sk_net_destroy(subject->net);
  sk_free(subject->x);
  sk_free(subject->y);
  sk_free(subject->workspace);
  free(subject);
}

static const struct sk_family family = {.prepare = prepare, .run = run, .release = release};

/* Whether this build has an algorithm: there is a shape that takes it. */
static bool is_built(const struct sk_suite *suite, sk_algorithm algorithm) {
  const struct sk_shapes *shapes = sk_suite_shapes(suite);
  sk_algorithm chosen;
  for (size_t i = 0; i < shapes->count; i++) {
    if (!sk_conv_choose(&shapes->items[i].shape, algorithm, &chosen)) return true;
  }
  return false;
}

static sk_status add_model(struct sk_suite *suite, const char *model) {
  sk_status status = SK_OK;
  for (int a = SK_ALGORITHM_AUTO; !status && a < SK_ALGORITHM_COUNT; a++) {
    const struct sk_case c = {
        .family = &family, .subject = model, .algorithm = (sk_algorithm)a, .batch = sk_suite_batch(suite)};
    if (is_built(suite, c.algorithm))
      status = sk_suite_add(suite, &c, "net/%s/%s", model, sk_algorithm_name(c.algorithm));
  }
  return status;
}

sk_status sk_suite_add_nets(struct sk_suite *suite) {
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < sk_model_count(); i++) {
    sk_model_info info;
    status = sk_model_at(i, &info);
    if (!status) status = add_model(suite, info.name); /* its name is the table's own */
  }
  return status;
}
