/* Every operator but convolution, over the distinct sizes that the networks have of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/benchmark_suite.h"
#include "dispatch/isa.h"
#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/network.h"

/* Kernels that are no operator of a graph go by numbers behind those. */
enum { TO_BLOCKED = SK_NODE_OP_COUNT, FROM_BLOCKED };

/* What there is to run. */
struct operation {
  int op;
  size_t in_channels, in_height, in_width;
  size_t channels, height, width;
  size_t stride; /* subsample */
  struct sk_pool_shape pool;
  struct sk_shape_text text; /* all of this in words: the label, and by what operations are told apart */
};

struct subject {
  struct sk_engine engine;
  struct sk_tensor x, b, y;
  float *plain, *scale, *shift;
  struct sk_dense dense;
};

static const char *operation_name(int op) {
  if (op == TO_BLOCKED) return "to_blocked";
  return op == FROM_BLOCKED ? "from_blocked" : sk_node_op_name((enum sk_node_op)op);
}

/* ---- Preparing ------------------------------------------------------------------------------------------------ */

static sk_status make_tensor(struct sk_tensor *t, size_t channels, size_t height, size_t width, size_t batch) {
  size_t bytes;
  *t = (struct sk_tensor){.channels = channels, .height = height, .width = width};
  const sk_status status = sk_tensor_bytes(t, batch, &bytes);
  return status ? status : sk_make_floats(&t->data, bytes / sizeof(float));
}

static sk_status make_dense(const struct operation *o, struct sk_dense *dense) {
  float *weights;
  sk_status status = sk_make_floats(&weights, o->in_channels * o->channels);
  if (!status) status = sk_dense_create(dense, o->in_channels, o->channels, weights, NULL, NULL);
  sk_free(weights);
  return status;
}

static sk_status fill_subject(const struct sk_case *c, struct subject *subject) {
  const struct operation *o = c->subject;
  const size_t lanes = sk_size_round_up(o->in_channels, SK_BLOCK);
  subject->engine.threads = c->threads;
  sk_status status = sk_kernels_choose(c->isa, &subject->engine.kernels);
  if (!status) status = make_tensor(&subject->x, o->in_channels, o->in_height, o->in_width, c->batch);
  if (!status) status = make_tensor(&subject->b, o->in_channels, o->in_height, o->in_width, c->batch);
  if (!status) status = make_tensor(&subject->y, o->channels, o->height, o->width, c->batch);
  if (!status) status = sk_make_floats(&subject->plain, c->batch * o->in_channels * o->in_height * o->in_width);
  if (!status) status = sk_make_floats(&subject->scale, lanes);
  if (!status) status = sk_make_floats(&subject->shift, lanes);
  if (!status && o->op == SK_NODE_DENSE) status = make_dense(o, &subject->dense);
  return status;
}

/* Additions and multiplications of one image; maxima, copies and exponentials are none. */
static double count_flops(const struct operation *o) {
  const double inputs = (double)(o->in_channels * o->in_height * o->in_width);
  const double outputs = (double)(o->channels * o->height * o->width);
  switch (o->op) {
    case SK_NODE_ADD: return outputs;
    case SK_NODE_BATCH_NORM: return 2 * outputs;
    case SK_NODE_AVERAGE_POOL: return outputs * (double)(o->pool.kernel_height * o->pool.kernel_width);
    case SK_NODE_GLOBAL_AVERAGE_POOL: return inputs;
    case SK_NODE_DENSE: return 2 * inputs * outputs;
    default: return 0;
  }
}

/* Inputs and outputs of a batch in their own layouts, and the weights. */
static double count_bytes(const struct operation *o, const struct subject *subject, size_t batch) {
  const bool is_copy = o->op == TO_BLOCKED || o->op == FROM_BLOCKED;
  const size_t plain = is_copy ? o->in_channels * o->in_height * o->in_width : sk_tensor_image(&subject->y);
  const size_t inputs = (o->op == SK_NODE_ADD ? 2 : 1) * sk_tensor_image(&subject->x);
  const size_t weights = o->op == SK_NODE_DENSE ? sk_dense_weight_bytes(&subject->dense) : 0;
  return (double)(batch * (inputs + plain) * sizeof(float) + weights);
}

static sk_status prepare(const struct sk_case *c, void **prepared, struct sk_work *work) {
  const struct operation *o = c->subject;
  struct subject *subject = calloc(1, sizeof *subject);
  *prepared = subject;
  if (!subject) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for an operator");
  const sk_status status = fill_subject(c, subject);
  if (!status) *work = (struct sk_work){(double)c->batch * count_flops(o), count_bytes(o, subject, c->batch)};
  return status;
}

static void release(void *prepared) {
  struct subject *subject = prepared;
  if (!subject) return;
  sk_dense_destroy(&subject->dense);
  sk_free(subject->x.data);
  sk_free(subject->b.data);
  sk_free(subject->y.data);
  sk_free(subject->plain);
  sk_free(subject->scale);
  sk_free(subject->shift);
  free(subject);
}

/* ---- Running -------------------------------------------------------------------------------------------------- */

static void run(const struct sk_case *c, void *prepared) {
  const struct operation *o = c->subject;
  const struct subject *s = prepared;
  switch (o->op) {
    case SK_NODE_BATCH_NORM: sk_op_batch_norm(s->engine, false, c->batch, &s->x, s->scale, s->shift, &s->y); break;
    case SK_NODE_RELU: sk_op_relu(s->engine, c->batch, &s->x, &s->y); break;
    case SK_NODE_ADD: sk_op_add(s->engine, true, c->batch, &s->x, &s->b, &s->y); break;
    case SK_NODE_MAX_POOL: sk_op_max_pool(s->engine, &o->pool, c->batch, &s->x, &s->y); break;
    case SK_NODE_AVERAGE_POOL: sk_op_average_pool(s->engine, &o->pool, c->batch, &s->x, &s->y); break;
    case SK_NODE_GLOBAL_AVERAGE_POOL: sk_op_global_average_pool(s->engine, c->batch, &s->x, &s->y); break;
    case SK_NODE_DENSE: sk_op_dense(s->engine, &s->dense, c->batch, &s->x, &s->y); break;
    case SK_NODE_SOFTMAX: sk_op_softmax(s->engine, c->batch, &s->x, &s->y); break;
    case SK_NODE_SUBSAMPLE: sk_op_subsample(o->stride, c->batch, &s->x, &s->y, s->engine.threads); break;
    case TO_BLOCKED: sk_tensor_import(s->engine.kernels, &s->x, c->batch, s->plain, c->threads); break;
    case FROM_BLOCKED: sk_tensor_export(s->engine.kernels, &s->x, c->batch, s->plain, c->threads); break;
    default: break;
  }
}

static struct sk_shape_text label(const struct sk_case *c) { return ((const struct operation *)c->subject)->text; }

static const struct sk_family family = {.prepare = prepare, .run = run, .release = release, .label = label};

/* ---- Registering ---------------------------------------------------------------------------------------------- */

/* What has been registered already. */
struct known {
  const struct operation **operations;
  size_t count;
};

static bool is_known(const struct known *known, const struct operation *o) {
  for (size_t i = 0; i < known->count; i++) {
    const struct operation *other = known->operations[i];
    if (other->op == o->op && strcmp(other->text.text, o->text.text) == 0) return true;
  }
  return false;
}

static sk_status add_operation(struct sk_suite *suite, struct known *known, const struct operation *o,
                               const char *name) {
  if (is_known(known, o)) return SK_OK;
  const struct operation **grown = reallocarray(known->operations, known->count + 1, sizeof(const struct operation *));
  if (grown) known->operations = grown;
  const struct operation *kept = sk_suite_keep(suite, o, sizeof *o);
  if (!grown || !kept) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the benchmark %s", name);
  known->operations[known->count++] = kept;
  const struct sk_case c = {.family = &family, .subject = kept, .batch = sk_suite_batch(suite)};
  return sk_suite_add(suite, &c, "%s/%s", operation_name(o->op), name);
}

static void write_text(struct operation *o) {
  const struct sk_pool_shape *p = &o->pool;
  char *to = o->text.text;
  const size_t room = sizeof o->text.text;
  size_t used = (size_t)snprintf(to, room, "in=%zux%zux%zu out=%zux%zux%zu", o->in_channels, o->in_height, o->in_width,
                                 o->channels, o->height, o->width);
  if (o->stride > 0) snprintf(to + used, room - used, " stride=%zu", o->stride);
  if (p->kernel_height == 0) return;
  snprintf(to + used, room - used, " kernel=%zux%zu stride=%zux%zu dilation=%zux%zu pad=%zu,%zu,%zu,%zu%s%s",
           p->kernel_height, p->kernel_width, p->stride_height, p->stride_width, p->dilation_height, p->dilation_width,
           p->pad_top, p->pad_bottom, p->pad_left, p->pad_right, p->ceil_mode ? " ceil" : "",
           p->count_include_pad ? " count_include_pad" : "");
}

static struct operation describe(const struct sk_graph *graph, const struct sk_node *node, int op) {
  const bool has_input = sk_node_input_count(node->op) > 0;
  const struct sk_node *input = has_input ? &graph->nodes[node->inputs[0]] : node;
  struct operation o = {.op = op,
                        .in_channels = input->channels,
                        .in_height = input->height,
                        .in_width = input->width,
                        .channels = node->channels,
                        .height = node->height,
                        .width = node->width};
  if (op == SK_NODE_SUBSAMPLE) o.stride = node->stride;
  if (op == SK_NODE_MAX_POOL || op == SK_NODE_AVERAGE_POOL) o.pool = node->pool;
  write_text(&o);
  return o;
}

static sk_status add_node(struct sk_suite *suite, struct known *known, const struct sk_graph *graph,
                          const struct sk_node *node, const char *name) {
  struct operation o;
  const bool is_activation = node->op == SK_NODE_INPUT || node->op == SK_NODE_ADD;
  sk_status status = SK_OK;
  if (is_activation) {
    o = describe(graph, node, TO_BLOCKED);
    status = add_operation(suite, known, &o, name);
    o.op = FROM_BLOCKED;
    if (!status) status = add_operation(suite, known, &o, name);
  }
  if (status || node->op == SK_NODE_INPUT || node->op == SK_NODE_CONV || node->op == SK_NODE_FLATTEN) return status;
  o = describe(graph, node, (int)node->op);
  return add_operation(suite, known, &o, name);
}

static sk_status add_model(struct sk_suite *suite, struct known *known, const char *model) {
  struct sk_graph graph = {0};
  sk_status status = sk_network_build(&graph, model, &(sk_net_options){.softmax = true});
  for (size_t i = 0; !status && i < graph.count; i++) {
    char name[160];
    snprintf(name, sizeof name, "%s/%s", model, graph.nodes[i].name);
    status = add_node(suite, known, &graph, &graph.nodes[i], name);
  }
  sk_graph_destroy(&graph);
  return status;
}

sk_status sk_suite_add_operators(struct sk_suite *suite) {
  struct known known = {0};
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < sk_model_count(); i++) {
    sk_model_info info;
    status = sk_model_at(i, &info);
    if (!status) status = add_model(suite, &known, info.name);
  }
  free(known.operations);
  return status;
}
