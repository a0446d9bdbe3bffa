/*
 * XNNPACK: the fused steps as one of its subgraphs, whose runtime packs the weights, fuses what it can and plans the
 * memory. It computes in NHWC; planes are turned into that, and back, on one thread.
 */
#include "bench/peers/peers.h"
#include "config.h"
#include "dispatch/status.h"

#define SUMMARY "XNNPACK: NHWC, indirect convolutions"

#if !SK_HAVE_XNNPACK

static sk_status refuse(void **instance, const struct sk_backend *backend, const struct sk_conditions *conditions,
                        char version[SK_BACKEND_VERSION]) {
  (void)conditions;
  *instance = NULL;
  version[0] = '\0';
  return sk_fail(SK_UNSUPPORTED, "%s: not in this build (Debian: libxnnpack-dev libpthreadpool-dev, then ./configure)",
                 backend->name);
}

const struct sk_backend sk_peer_xnnpack = {.name = "xnnpack", .summary = SUMMARY, .start = refuse};

#else

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <xnnpack.h>

#include "bench/clock.h"
#include "bench/peers/steps.h"
#include "dispatch/size.h"

enum { X = 0, Y = 1, EXTERNALS = 2 }; /* numbers of the values that come from outside */

/* A task made ready to run. */
struct program {
  struct sk_task task;
  struct sk_schedule schedule;
  xnn_subgraph_t subgraph;
  xnn_runtime_t runtime;
  uint32_t *values;  /* [nodes] XNNPACK's number of a node's output */
  float **constants; /* weights and biases, which the runtime wants to be there */
  size_t constant_count;
  float *x, *y; /* NHWC */
};

struct xnnpack {
  pthreadpool_t pool; /* NULL: one thread, the caller's */
  size_t threads;
  struct sk_cpu_list cpus;
  struct program program;
};

/* ---- Errors ------------------------------------------------------------------------------------------------- */

static const char *reason(enum xnn_status status) {
  switch (status) {
    case xnn_status_uninitialized: return "not initialized";
    case xnn_status_invalid_parameter: return "invalid parameter";
    case xnn_status_invalid_state: return "invalid state";
    case xnn_status_unsupported_parameter: return "unsupported parameter";
    case xnn_status_unsupported_hardware: return "unsupported hardware";
    case xnn_status_out_of_memory: return "out of memory";
    default: return "unknown error";
  }
}

static sk_status outcome(enum xnn_status status, const char *layer) {
  if (status == xnn_status_success) return SK_OK;
  const sk_status kind = status == xnn_status_out_of_memory ? SK_OUT_OF_MEMORY : SK_UNSUPPORTED;
  return sk_fail(kind, "xnnpack: layer \"%s\": %s", layer, reason(status));
}

/* ---- Layouts ------------------------------------------------------------------------------------------------ */

/* [rows][columns] -> [columns][rows], `count` times: NCHW and NHWC, OIHW and OHWI. */
static void transpose(size_t count, size_t rows, size_t columns, const float *from, float *to) {
  for (size_t n = 0; n < count; n++, from += rows * columns, to += rows * columns) {
    for (size_t r = 0; r < rows; r++) {
      for (size_t c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c];
    }
  }
}

static const struct sk_node *input_node(const struct program *program) { return &program->task.graph->nodes[0]; }

static const struct sk_node *output_node(const struct program *program) {
  return &program->task.graph->nodes[program->task.graph->count - 1];
}

static void read_input(const struct program *program) {
  const struct sk_node *const node = input_node(program);
  transpose(program->task.batch, node->channels, node->height * node->width, program->task.x, program->x);
}

/* ---- Values ------------------------------------------------------------------------------------------------- */

/* Memory for `count` floats, and what XNNPACK reads beyond them. */
static float *allocate_floats(size_t count) { return sk_alloc((count + 1) * sizeof(float) + XNN_EXTRA_BYTES); }

/* Define the output of a node. */
static enum xnn_status define_value(struct program *program, const struct sk_node *node, uint32_t external,
                                    uint32_t flags, uint32_t *value) {
  const size_t sizes[] = {program->task.batch, node->height, node->width, node->channels};
  return xnn_define_tensor_value(program->subgraph, xnn_datatype_fp32, 4, sizes, NULL, external, flags, value);
}

static enum xnn_status define_result(struct program *program, const struct sk_step *step) {
  const struct sk_graph *const graph = program->task.graph;
  const bool is_last = step->output == program->schedule.value[graph->count - 1];
  return define_value(program, &graph->nodes[step->output], is_last ? Y : XNN_INVALID_VALUE_ID,
                      is_last ? XNN_VALUE_FLAG_EXTERNAL_OUTPUT : 0, &program->values[step->output]);
}

/* Define a constant that is kept until the task is unloaded. data: NULL if there was no memory. */
static enum xnn_status define_constant(struct program *program, size_t rank, const size_t *sizes, float *data,
                                       uint32_t *value) {
  if (!data) return xnn_status_out_of_memory;
  program->constants[program->constant_count++] = data;
  return xnn_define_tensor_value(program->subgraph, xnn_datatype_fp32, rank, sizes, data, XNN_INVALID_VALUE_ID, 0,
                                 value);
}

static enum xnn_status define_weights(struct program *program, const struct sk_step_weights *weights, bool is_dense,
                                      uint32_t *value) {
  const sk_conv_shape *const conv = &weights->conv;
  const size_t inputs = conv->in_channels / conv->groups;
  const size_t convolution[] = {conv->out_channels, conv->kernel_height, conv->kernel_width, inputs};
  const size_t matrix[] = {conv->out_channels, inputs};
  float *const data = allocate_floats(weights->count);
  if (data) transpose(conv->out_channels, inputs, conv->kernel_height * conv->kernel_width, weights->weights, data);
  return define_constant(program, is_dense ? 2 : 4, is_dense ? matrix : convolution, data, value);
}

static enum xnn_status define_bias(struct program *program, const struct sk_step_weights *weights, uint32_t *value) {
  const size_t outputs = weights->conv.out_channels;
  float *const data = allocate_floats(outputs);
  if (data) transpose(1, 1, outputs, weights->bias, data);
  return define_constant(program, 1, &outputs, data, value);
}

/* ---- Steps -------------------------------------------------------------------------------------------------- */

static float least(bool relu) { return relu ? 0 : -INFINITY; }

static enum xnn_status define_add(struct program *program, const struct sk_step *step, uint32_t x) {
  return xnn_define_add2(program->subgraph, least(step->relu), INFINITY, x, program->values[step->residual],
                         program->values[step->output], 0);
}

static enum xnn_status define_conv(struct program *program, const struct sk_step *step, const sk_conv_shape *conv,
                                   const uint32_t constants[2], uint32_t y) {
  const bool relu = step->relu && step->residual == SK_NO_NODE;
  return xnn_define_convolution_2d(program->subgraph, (uint32_t)conv->pad_top, (uint32_t)conv->pad_right,
                                   (uint32_t)conv->pad_bottom, (uint32_t)conv->pad_left, (uint32_t)conv->kernel_height,
                                   (uint32_t)conv->kernel_width, (uint32_t)conv->stride_height,
                                   (uint32_t)conv->stride_width, (uint32_t)conv->dilation_height,
                                   (uint32_t)conv->dilation_width, (uint32_t)conv->groups,
                                   conv->in_channels / conv->groups, conv->out_channels / conv->groups, least(relu),
                                   INFINITY, program->values[step->input], constants[0], constants[1], y, 0);
}

/* Define a convolution, and the addition behind it, which is an operator of its own here. */
static enum xnn_status define_conv_add(struct program *program, const struct sk_step *step, const sk_conv_shape *conv,
                                       const uint32_t constants[2]) {
  const uint32_t y = program->values[step->output];
  uint32_t sum = 0;
  if (step->residual == SK_NO_NODE) return define_conv(program, step, conv, constants, y);
  enum xnn_status status =
      define_value(program, &program->task.graph->nodes[step->output], XNN_INVALID_VALUE_ID, 0, &sum);
  if (!status) status = define_conv(program, step, conv, constants, sum);
  return status ? status : define_add(program, step, sum);
}

static enum xnn_status define_weighted(struct program *program, const struct sk_step *step,
                                       const struct sk_step_weights *weights) {
  uint32_t constants[2] = {0};
  enum xnn_status status = define_weights(program, weights, step->op == SK_NODE_DENSE, &constants[0]);
  if (!status) status = define_bias(program, weights, &constants[1]);
  if (status) return status;
  if (step->op != SK_NODE_DENSE) return define_conv_add(program, step, &weights->conv, constants);
  return xnn_define_fully_connected(program->subgraph, -INFINITY, INFINITY, program->values[step->input], constants[0],
                                    constants[1], program->values[step->output], 0);
}

static enum xnn_status define_pool(struct program *program, const struct sk_step *step) {
  const struct sk_node *const from = &program->task.graph->nodes[step->input];
  const struct sk_node *const to = &program->task.graph->nodes[step->node];
  const struct sk_pool_shape *const pool = &to->pool;
  const uint32_t x = program->values[step->input], y = program->values[step->output];
  const size_t bottom = sk_pad_after(from->height, to->height, pool->kernel_height, pool->stride_height,
                                     pool->dilation_height, pool->pad_top);
  const size_t right = sk_pad_after(from->width, to->width, pool->kernel_width, pool->stride_width,
                                    pool->dilation_width, pool->pad_left);
  if (to->op == SK_NODE_MAX_POOL) {
    return xnn_define_max_pooling_2d(program->subgraph, (uint32_t)pool->pad_top, (uint32_t)right, (uint32_t)bottom,
                                     (uint32_t)pool->pad_left, (uint32_t)pool->kernel_height,
                                     (uint32_t)pool->kernel_width, (uint32_t)pool->stride_height,
                                     (uint32_t)pool->stride_width, (uint32_t)pool->dilation_height,
                                     (uint32_t)pool->dilation_width, -INFINITY, INFINITY, x, y, 0);
  }
  if (!sk_pool_is_common(pool)) return xnn_status_unsupported_parameter;
  return xnn_define_average_pooling_2d(program->subgraph, (uint32_t)pool->pad_top, (uint32_t)right, (uint32_t)bottom,
                                       (uint32_t)pool->pad_left, (uint32_t)pool->kernel_height,
                                       (uint32_t)pool->kernel_width, (uint32_t)pool->stride_height,
                                       (uint32_t)pool->stride_width, -INFINITY, INFINITY, x, y, 0);
}

static enum xnn_status define_plain(struct program *program, const struct sk_step *step) {
  const uint32_t x = program->values[step->input], y = program->values[step->output];
  switch (step->op) {
    case SK_NODE_RELU: return xnn_define_clamp(program->subgraph, 0, INFINITY, x, y, 0);
    case SK_NODE_ADD: return define_add(program, step, x);
    case SK_NODE_SOFTMAX: return xnn_define_softmax(program->subgraph, x, y, 0);
    case SK_NODE_MAX_POOL:
    case SK_NODE_AVERAGE_POOL: return define_pool(program, step);
    case SK_NODE_GLOBAL_AVERAGE_POOL:
      return xnn_define_global_average_pooling_2d(program->subgraph, -INFINITY, INFINITY, x, y, 0);
    default: return xnn_status_unsupported_parameter;
  }
}

static sk_status define_step(struct program *program, const struct sk_step *step) {
  const struct sk_graph *const graph = program->task.graph;
  const char *const layer = graph->nodes[step->node].name;
  if (!sk_step_is_common(graph, step)) return outcome(xnn_status_unsupported_parameter, layer);
  sk_status status = outcome(define_result(program, step), layer);
  if (status || !sk_step_has_weights(step)) return status ? status : outcome(define_plain(program, step), layer);
  struct sk_step_weights weights;
  status = sk_step_weights_read(&weights, graph, step);
  if (!status) status = outcome(define_weighted(program, step, &weights), layer);
  sk_step_weights_free(&weights);
  return status;
}

/* ---- Loading ------------------------------------------------------------------------------------------------ */

static void unload(struct program *program) {
  if (program->runtime) xnn_delete_runtime(program->runtime);
  if (program->subgraph) xnn_delete_subgraph(program->subgraph);
  for (size_t i = 0; i < program->constant_count; i++) sk_free(program->constants[i]);
  free(program->constants);
  free(program->values);
  sk_free(program->x);
  sk_free(program->y);
  sk_schedule_destroy(&program->schedule);
  *program = (struct program){0};
}

static sk_status allocate(struct program *program) {
  const size_t batch = program->task.batch;
  program->values = calloc(program->schedule.nodes, sizeof *program->values);
  program->constants = calloc(2 * program->schedule.count + 1, sizeof *program->constants);
  program->x = allocate_floats(batch * sk_node_elements(input_node(program)));
  program->y = allocate_floats(batch * sk_node_elements(output_node(program)));
  const bool is_ready = program->values && program->constants && program->x && program->y;
  return is_ready ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "xnnpack: out of memory for %s", program->task.name);
}

static sk_status define_graph(struct program *program) {
  enum xnn_status made = xnn_create_subgraph(EXTERNALS, 0, &program->subgraph);
  if (!made) made = define_value(program, input_node(program), X, XNN_VALUE_FLAG_EXTERNAL_INPUT, &program->values[0]);
  sk_status status = outcome(made, program->task.name);
  for (size_t i = 0; !status && i < program->schedule.count; i++) {
    status = define_step(program, &program->schedule.steps[i]);
  }
  return status;
}

static sk_status make_runtime(struct program *program, pthreadpool_t pool) {
  const struct xnn_external_value externals[EXTERNALS] = {{.id = X, .data = program->x}, {.id = Y, .data = program->y}};
  enum xnn_status made = xnn_create_runtime_v2(program->subgraph, pool, 0, &program->runtime);
  if (!made) made = xnn_setup_runtime(program->runtime, EXTERNALS, externals);
  return outcome(made, program->task.name);
}

static sk_status load(void *instance, const struct sk_task *task) {
  struct xnnpack *const xnnpack = instance;
  struct program *const program = &xnnpack->program;
  unload(program);
  program->task = *task;
  sk_status status = sk_steps_make(&program->schedule, task->graph);
  if (!status) status = allocate(program);
  if (!status) status = define_graph(program);
  if (!status) status = make_runtime(program, xnnpack->pool);
  if (status) {
    unload(program);
  } else {
    read_input(program);
  }
  return status;
}

/* ---- Threads ------------------------------------------------------------------------------------------------ */

struct pinning {
  const struct sk_cpu_list *cpus;
  pthread_barrier_t all_here;
};

/* Pin the thread that takes this item; waiting for the others keeps it from taking another. */
static void pin_one(void *context, size_t item) {
  struct pinning *const pinning = context;
  const struct sk_cpu_list own = {.count = 1, .cpus = {pinning->cpus->cpus[item]}};
  sk_affinity_widen(&own);
  pthread_barrier_wait(&pinning->all_here);
}

static void pin_threads(pthreadpool_t pool, const struct sk_cpu_list *cpus) {
  struct pinning pinning = {.cpus = cpus};
  if (cpus->count == 0 || pthread_barrier_init(&pinning.all_here, NULL, (unsigned)cpus->count)) return;
  pthreadpool_parallelize_1d(pool, pin_one, &pinning, cpus->count, 0);
  pthread_barrier_destroy(&pinning.all_here);
}

static void do_nothing(void *context, size_t item) {
  (void)context;
  (void)item;
}

/* Send the threads to sleep, who otherwise go on looking for work while another backend is measured. */
static void rest(const struct xnnpack *xnnpack) {
  if (!xnnpack->pool) return;
  pthreadpool_parallelize_1d(xnnpack->pool, do_nothing, NULL, xnnpack->threads, PTHREADPOOL_FLAG_YIELD_WORKERS);
}

/* Make the threads, the caller being the first; without limits to where they run, or they would inherit its own. */
static sk_status start_threads(struct xnnpack *xnnpack) {
  sk_affinity_widen(&xnnpack->cpus);
  if (xnnpack->threads > 1) {
    xnnpack->pool = pthreadpool_create(xnnpack->threads);
    if (!xnnpack->pool) return sk_fail(SK_OUT_OF_MEMORY, "xnnpack: no %zu threads", xnnpack->threads);
  }
  pin_threads(xnnpack->pool, &xnnpack->cpus);
  rest(xnnpack);
  return SK_OK;
}

/* ---- The backend -------------------------------------------------------------------------------------------- */

static void stop(void *instance) {
  struct xnnpack *const xnnpack = instance;
  unload(&xnnpack->program);
  if (xnnpack->pool) pthreadpool_destroy(xnnpack->pool);
  xnn_deinitialize();
  free(xnnpack);
}

/* It takes the best ISA that it knows of this CPU; there is no call to hold it to less. */
static sk_status check_isa(sk_isa isa) {
  const bool is_best = isa == SK_ISA_AVX512 || (isa == SK_ISA_AVX2 && !sk_isa_available(SK_ISA_AVX512));
  if (isa == SK_ISA_AUTO || isa == SK_ISA_NEON || is_best) return SK_OK;
  return sk_fail(SK_UNSUPPORTED, "xnnpack: cannot be held to %s", sk_isa_name(isa));
}

static sk_status start(void **instance, const struct sk_backend *backend, const struct sk_conditions *conditions,
                       char version[SK_BACKEND_VERSION]) {
  *instance = NULL;
  sk_status status = check_isa(conditions->isa);
  if (status) return status;
  const enum xnn_status made = xnn_initialize(NULL);
  if (made) return sk_fail(SK_UNSUPPORTED, "%s: does not start: %s", backend->name, reason(made));
  struct xnnpack *const xnnpack = calloc(1, sizeof *xnnpack);
  if (!xnnpack) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory", backend->name);
  xnnpack->threads = (size_t)conditions->threads;
  xnnpack->cpus = conditions->cpus;
  status = start_threads(xnnpack);
  if (status) {
    stop(xnnpack);
    return status;
  }
  snprintf(version, SK_BACKEND_VERSION, "XNNPACK (pthreadpool; it does not tell its version)");
  *instance = xnnpack;
  return SK_OK;
}

static enum xnn_status run_once(struct program *program, double *seconds) {
  const double began = sk_clock_seconds();
  if (!program->task.is_layer) read_input(program);
  const enum xnn_status status = xnn_invoke_runtime(program->runtime);
  *seconds = sk_clock_seconds() - began;
  return status;
}

static sk_status run(void *instance, size_t runs, double *seconds) {
  struct xnnpack *const xnnpack = instance;
  enum xnn_status status = xnn_status_success;
  for (size_t i = 0; !status && i < runs; i++) status = run_once(&xnnpack->program, &seconds[i]);
  rest(xnnpack);
  return outcome(status, xnnpack->program.task.name);
}

static sk_status output(void *instance, float *y) {
  const struct program *const program = &((struct xnnpack *)instance)->program;
  const struct sk_node *const node = output_node(program);
  transpose(program->task.batch, node->height * node->width, node->channels, program->y, y);
  return SK_OK;
}

const struct sk_backend sk_peer_xnnpack = {
    .name = "xnnpack", .summary = SUMMARY, .start = start, .load = load, .run = run, .output = output, .stop = stop};

#endif
