#include "resnet/fuse.h"

#include "dispatch/batch_norm.h"
#include "dispatch/memory.h"
#include "dispatch/status.h"

/* ---- Steps -------------------------------------------------------------------------------------------------- */

struct fusion {
  const struct sk_graph *graph;
  const bool *tapped;
  struct sk_schedule *schedule;
  size_t *readers; /* [nodes] */
  size_t *made_by; /* [nodes] the step that makes a node's output, SK_NO_NODE for the input */
};

static void count_readers(struct fusion *f) {
  for (size_t i = 0; i < f->graph->count; i++) {
    const struct sk_node *const node = &f->graph->nodes[i];
    for (size_t j = 0; j < sk_node_input_count(node->op); j++) f->readers[node->inputs[j]]++;
  }
}

/* The step that makes node `x`, if another node may be fused into it. */
static struct sk_step *open_step(const struct fusion *f, size_t x) {
  const size_t made_by = f->made_by[x];
  if (made_by == SK_NO_NODE || f->readers[x] != 1 || f->tapped[x]) return NULL;
  struct sk_step *const step = &f->schedule->steps[made_by];
  return step->output == x && !step->relu && step->clip == SK_NO_NODE ? step : NULL;
}

/* Let a step make `node` rather than what it made so far. */
static void extend(struct fusion *f, struct sk_step *step, size_t node) {
  f->schedule->value[step->output] = SK_NO_NODE;
  f->schedule->value[node] = node;
  f->made_by[node] = f->made_by[step->output];
  step->output = node;
}

static void append_step(struct fusion *f, size_t node) {
  const struct sk_node *const n = &f->graph->nodes[node];
  const size_t *const value = f->schedule->value;
  f->schedule->steps[f->schedule->count] = (struct sk_step){
      .op = n->op,
      .node = node,
      .input = value[n->inputs[0]],
      .residual = sk_node_input_count(n->op) > 1 ? value[n->inputs[1]] : SK_NO_NODE,
      .batch_norm = SK_NO_NODE,
      .clip = SK_NO_NODE,
      .output = node,
  };
  f->schedule->value[node] = node;
  f->made_by[node] = f->schedule->count++;
}

static bool fuse_batch_norm(struct fusion *f, size_t node) {
  struct sk_step *const step = open_step(f, f->graph->nodes[node].inputs[0]);
  if (!step || step->op != SK_NODE_CONV || step->batch_norm != SK_NO_NODE || step->residual != SK_NO_NODE) return false;
  step->batch_norm = node;
  extend(f, step, node);
  return true;
}

static bool fuse_relu(struct fusion *f, size_t node) {
  struct sk_step *const step = open_step(f, f->graph->nodes[node].inputs[0]);
  if (!step || (step->op != SK_NODE_CONV && step->op != SK_NODE_BATCH_NORM && step->op != SK_NODE_ADD)) return false;
  step->relu = true;
  extend(f, step, node);
  return true;
}

/* A clip that zero passes, so that lanes without a channel stay zero. */
static bool fuse_clip(struct fusion *f, size_t node) {
  const struct sk_node *const n = &f->graph->nodes[node];
  struct sk_step *const step = open_step(f, n->inputs[0]);
  if (!step || step->op != SK_NODE_CONV || n->clip.minimum > 0 || n->clip.maximum < 0) return false;
  step->clip = node;
  extend(f, step, node);
  return true;
}

static bool is_later(const struct fusion *f, size_t a, size_t b) {
  return f->made_by[a] != SK_NO_NODE && (f->made_by[b] == SK_NO_NODE || f->made_by[a] > f->made_by[b]);
}

/* Only the operand that is made last can take the addition in: the other one must be there by then. */
static bool fuse_add(struct fusion *f, size_t node) {
  const size_t *const inputs = f->graph->nodes[node].inputs;
  if (sk_node_broadcasts(f->graph, node)) return false;
  const size_t last = is_later(f, inputs[1], inputs[0]) ? inputs[1] : inputs[0];
  const size_t other = last == inputs[0] ? inputs[1] : inputs[0];
  struct sk_step *const step = open_step(f, last);
  if (!step || step->op != SK_NODE_CONV || step->residual != SK_NO_NODE || last == other) return false;
  step->residual = f->schedule->value[other];
  extend(f, step, node);
  return true;
}

static void schedule_node(struct fusion *f, size_t node) {
  const struct sk_node *const n = &f->graph->nodes[node];
  switch (n->op) {
    case SK_NODE_INPUT: f->schedule->value[node] = node; return;
    case SK_NODE_FLATTEN:
      if (n->channels != f->graph->nodes[n->inputs[0]].channels) break;
      f->schedule->value[node] = f->schedule->value[n->inputs[0]];
      return;
    case SK_NODE_BATCH_NORM:
      if (fuse_batch_norm(f, node)) return;
      break;
    case SK_NODE_RELU:
      if (fuse_relu(f, node)) return;
      break;
    case SK_NODE_CLIP:
      if (fuse_clip(f, node)) return;
      break;
    case SK_NODE_ADD:
      if (fuse_add(f, node)) return;
      break;
    default: break;
  }
  append_step(f, node);
}

static void schedule_nodes(struct fusion *f) {
  for (size_t i = 0; i < f->graph->count; i++) f->made_by[i] = f->schedule->value[i] = SK_NO_NODE;
  count_readers(f);
  for (size_t i = 0; i < f->graph->count; i++) schedule_node(f, i);
}

sk_status sk_schedule_make(struct sk_schedule *schedule, const struct sk_graph *graph, const bool *tapped) {
  *schedule = (struct sk_schedule){.nodes = graph->count};
  struct fusion f = {.graph = graph, .tapped = tapped, .schedule = schedule};
  schedule->steps = sk_calloc(graph->count + 1, sizeof *schedule->steps);
  schedule->value = sk_calloc(graph->count + 1, sizeof *schedule->value);
  f.readers = sk_calloc(graph->count + 1, sizeof *f.readers);
  f.made_by = sk_calloc(graph->count + 1, sizeof *f.made_by);
  const bool is_ready = schedule->steps && schedule->value && f.readers && f.made_by;
  if (is_ready) schedule_nodes(&f);
  sk_free(f.readers);
  sk_free(f.made_by);
  return is_ready ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu layers", graph->count);
}

void sk_schedule_destroy(struct sk_schedule *schedule) {
  sk_free(schedule->steps);
  sk_free(schedule->value);
  *schedule = (struct sk_schedule){0};
}

const char *sk_step_op_name(const struct sk_step *step) {
  const bool adds = step->residual != SK_NO_NODE;
  switch (step->op) {
    case SK_NODE_CONV:
      if (step->clip != SK_NO_NODE) return adds ? "conv+add+clip" : "conv+clip";
      if (adds) return step->relu ? "conv+add+relu" : "conv+add";
      return step->relu ? "conv+relu" : "conv";
    case SK_NODE_BATCH_NORM: return step->relu ? "batch_norm+relu" : "batch_norm";
    case SK_NODE_ADD: return step->relu ? "add+relu" : "add";
    default: return sk_node_op_name(step->op);
  }
}

/* ---- Folding ------------------------------------------------------------------------------------------------ */

static float read_one(const struct sk_node *node, enum sk_parameter parameter, size_t channel) {
  float value = 0;
  sk_weight_tensor_read_range(node->parameters[parameter], channel, 1, &value);
  return value;
}

static struct sk_channel_norm channel_norm(const struct sk_node *batch_norm, size_t channel) {
  return sk_channel_norm(read_one(batch_norm, SK_PARAMETER_WEIGHT, channel),
                         read_one(batch_norm, SK_PARAMETER_BIAS, channel),
                         read_one(batch_norm, SK_PARAMETER_MEAN, channel),
                         read_one(batch_norm, SK_PARAMETER_VARIANCE, channel), sk_node_epsilon(batch_norm));
}

void sk_fold_batch_norm(const struct sk_node *batch_norm, size_t per_output, float *weights, float *bias) {
  for (size_t o = 0; o < batch_norm->channels; o++) {
    const struct sk_channel_norm norm = channel_norm(batch_norm, o);
    float *const row = weights + o * per_output;
    for (size_t i = 0; i < per_output; i++) row[i] = (float)((double)row[i] * norm.scale);
    bias[o] = (float)(norm.beta + ((double)bias[o] - norm.mean) * norm.scale);
  }
}

void sk_batch_norm_scale_shift(const struct sk_node *batch_norm, float *scale, float *shift) {
  const size_t lanes = (batch_norm->channels + SK_BLOCK - 1) / SK_BLOCK * SK_BLOCK;
  for (size_t c = 0; c < lanes; c++) {
    if (c >= batch_norm->channels) {
      scale[c] = shift[c] = 0;
      continue;
    }
    const struct sk_channel_norm norm = channel_norm(batch_norm, c);
    scale[c] = sk_norm_scale(&norm);
    shift[c] = sk_norm_shift(&norm);
  }
}
