#include "resnet/network.h"

#include "dispatch/status.h"
#include "resnet/bind.h"

/* Number of classes: as asked, else as many as the last layer's weights have rows, else (0) the model's own. A tensor
 * that is no matrix is left to the binding to complain about. */
static size_t choose_classes(const sk_weights *weights, size_t wanted) {
  if (wanted) return wanted;
  const struct sk_weight_tensor *const tensor = sk_bind_find(weights, "fc.weight");
  return tensor && tensor->rank == 2 ? tensor->shape[0] : 0;
}

sk_status sk_network_load(struct sk_graph *graph, const char *model, const sk_weights *weights,
                          const sk_net_options *options) {
  if (!weights) return sk_fail(SK_INVALID_ARGUMENT, "weights: NULL");
  sk_net_options chosen = options ? *options : (sk_net_options){0};
  chosen.classes = choose_classes(weights, chosen.classes);
  const sk_status status = sk_network_build(graph, model, &chosen);
  return status ? status : sk_graph_bind(graph, model, weights);
}
