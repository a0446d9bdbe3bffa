/*
 * A network as a graph of operators. A builder fills it (models.c; importers later); binding (bind.h), fusion (fuse.h),
 * the reference (reference/network.h) and the seeded weights read it.
 *
 * Nodes stand in an order in which they can run: a node's inputs have smaller numbers. Every node has one output,
 * whose shape is inferred when the node is added. Shapes are of one image: the batch is chosen at run time.
 */
#ifndef SK_RESNET_GRAPH_H
#define SK_RESNET_GRAPH_H

#include "dispatch/ops.h"
#include "dispatch/ops_move.h"
#include "resnet/weights.h"

enum sk_node_op {
  SK_NODE_INPUT,
  SK_NODE_CONV,
  SK_NODE_BATCH_NORM,
  SK_NODE_RELU,
  SK_NODE_ADD,
  SK_NODE_MAX_POOL,
  SK_NODE_AVERAGE_POOL,
  SK_NODE_GLOBAL_AVERAGE_POOL,
  SK_NODE_FLATTEN, /* to channels * height * width channels, in the order of NCHW */
  SK_NODE_DENSE,
  SK_NODE_SOFTMAX,
  SK_NODE_SUBSAMPLE, /* shortcut A: every stride-th pixel, zeros for the channels added on either side */
  SK_NODE_SIGMOID,
  SK_NODE_CLIP,
  SK_NODE_MULTIPLY,
  SK_NODE_CONCAT, /* of two inputs, along the channels */
  SK_NODE_PAD,
  SK_NODE_OP_COUNT
};

/* What a node learns in training, in torch's terms. A batch norm's gamma is its weight, beta its bias. */
enum sk_parameter {
  SK_PARAMETER_WEIGHT,
  SK_PARAMETER_BIAS,
  SK_PARAMETER_MEAN,
  SK_PARAMETER_VARIANCE,
  SK_PARAMETER_COUNT
};

#define SK_NO_NODE SIZE_MAX
#define SK_BATCH_NORM_EPSILON 1e-5 /* torch's default, which all of the built-in networks keep */

struct sk_node {
  enum sk_node_op op;
  const char *name; /* torchvision's, or the importer's */

  /* An add: the block's branch, then its shortcut. The second of an add or multiplication may have height and width 1:
   * then each of its channels is one value for all of the first one's pixels. */
  size_t inputs[2];

  /* Of the output. Given for an input (all three), a dense layer and a subsampling (channels); else inferred. */
  size_t channels, height, width;

  sk_conv_shape conv;         /* conv; batch 1, input's sizes inferred */
  struct sk_pool_shape pool;  /* max pool, average pool */
  size_t stride;              /* subsample */
  bool bias;                  /* conv, dense: whether it has one */
  double epsilon;             /* batch norm; 0: torch's default */
  struct sk_clip_bounds clip; /* infinite where there is no bound */
  struct sk_padding pad;

  /* Bound by sk_graph_bind, NULL until then. They belong to the weights, which must outlive their use. */
  const struct sk_weight_tensor *parameters[SK_PARAMETER_COUNT];
};

struct sk_alias {
  const char *name; /* "layer4": the output of the block's last node */
  size_t node;
};

/* Zeroed, it is empty. The last node is the output. */
struct sk_graph {
  struct sk_node *nodes;
  size_t count, capacity;
  struct sk_alias *aliases;
  size_t alias_count, alias_capacity;
  sk_status status; /* of the first addition that failed, after which additions do nothing */
};

void sk_graph_destroy(struct sk_graph *graph);

/* Add a copy of a node, its name included, infer the shape of its output, and return its number. A builder may go on
 * after a failure and look at graph->status in the end.
 * Errors: SK_INVALID_ARGUMENT (shapes that do not fit, or overflow), SK_OUT_OF_MEMORY; SK_NO_NODE is returned. */
size_t sk_graph_add(struct sk_graph *graph, const struct sk_node *node);

/* Give a node another name. Errors: as sk_graph_add. */
void sk_graph_alias(struct sk_graph *graph, const char *name, size_t node);

/* Find a node by name or alias; SK_NO_NODE if there is none. */
size_t sk_graph_find(const struct sk_graph *graph, const char *name);

/* Fail because no node has that name: "layer "layer9": not in resnet18, did you mean layer1?". */
sk_status sk_graph_fail_unknown(const struct sk_graph *graph, const char *model, const char *name);

/* Number of inputs of an operator: 0, 1 or 2. */
size_t sk_node_input_count(enum sk_node_op op);

/* Whether the node's second input is one value per channel of its first, which has more pixels. */
bool sk_node_broadcasts(const struct sk_graph *graph, size_t node);

/* The epsilon that a batch norm adds to the variance. */
double sk_node_epsilon(const struct sk_node *batch_norm);

/* Name an operator as profiles do: "conv", "batch_norm", "global_average_pool". */
const char *sk_node_op_name(enum sk_node_op op);

/* A convolution's shape, of a node or of the layer made of it: "64x56x56 -> 64x56x56 3x3 s1 g32". */
struct sk_node_text {
  char text[192]; /* six sizes of at most 20 digits, and the window */
};
struct sk_node_text sk_conv_node_shape(const struct sk_node *node);
struct sk_node_text sk_conv_layer_shape(const sk_layer_info *layer);

/* Torch's name of a parameter: "weight", "bias", "running_mean", "running_var". */
const char *sk_parameter_name(enum sk_parameter parameter);

/* Tell a parameter's shape; the rank is returned, 0 for a parameter that the node does not have. */
size_t sk_node_parameter_shape(const struct sk_graph *graph, size_t node, enum sk_parameter parameter, size_t shape[4]);

/* Elements of a parameter, 0 if the node does not have it; they fit in size_t. */
size_t sk_node_parameter_elements(const struct sk_graph *graph, size_t node, enum sk_parameter parameter);

/* Elements of one image of a node's output. */
size_t sk_node_elements(const struct sk_node *node);

/* Multiply-accumulates of one image, of a node (convolutions and dense layers) and of all. */
uint64_t sk_node_macs(const struct sk_graph *graph, size_t node);
uint64_t sk_graph_macs(const struct sk_graph *graph);

/* Number of trained values: weights and biases, as torch counts them. */
uint64_t sk_graph_parameters(const struct sk_graph *graph);

/* Number the last use of each node's output: last[node] = the largest number of a node that reads it, or the node
 * itself; the graph's output lasts to graph->count. */
void sk_graph_last_uses(const struct sk_graph *graph, size_t *last);

#endif
