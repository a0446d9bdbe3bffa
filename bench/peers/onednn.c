/*
 * oneDNN: a primitive for each fused step, in the layouts that it asks for. Weights are reordered when a task is
 * loaded; activations share one arena, as lifetimes allow, and primitives one scratchpad.
 */
#include "bench/peers/peers.h"
#include "config.h"
#include "dispatch/status.h"

#define SUMMARY "oneDNN: layouts of its choice, fused epilogues"

#if !SK_HAVE_ONEDNN

static sk_status refuse(void **instance, const struct sk_backend *backend, const struct sk_conditions *conditions,
                        char version[SK_BACKEND_VERSION]) {
  (void)conditions;
  *instance = NULL;
  version[0] = '\0';
  return sk_fail(SK_UNSUPPORTED, "%s: not in this build (Debian: libdnnl-dev, then ./configure)", backend->name);
}

const struct sk_backend sk_peer_onednn = {.name = "onednn", .summary = SUMMARY, .start = refuse};

#else

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "bench/peers/onednn_program.h"
#include "bench/peers/steps.h"
#include "dispatch/size.h"

/* What a step can need at most: reorders of two operands and a copy of its residual, and itself; memory for each. */
enum { ACTIONS_PER_STEP = 4, MEMORIES_PER_STEP = 6, EXTRA = 4 };

/* ---- Loading ------------------------------------------------------------------------------------------------ */

static void unload(struct sk_dnnl_program *program) {
  for (size_t i = 0; i < program->action_count; i++) {
    dnnl_primitive_destroy(program->actions[i].primitive);
    if (program->actions[i].scratchpad) dnnl_memory_destroy(program->actions[i].scratchpad);
  }
  for (size_t i = 0; i < program->memory_count; i++) dnnl_memory_destroy(program->memories[i]);
  sk_schedule_destroy(&program->schedule);
  free(program->actions);
  free(program->memories);
  free(program->buffers);
  free(program->values);
  free(program->last_readers);
  sk_free(program->arena);
  sk_free(program->scratchpad);
  *program = (struct sk_dnnl_program){0};
}

static sk_status allocate(struct sk_dnnl_program *program) {
  const size_t steps = program->schedule.count, nodes = program->schedule.nodes;
  program->actions = calloc(steps * ACTIONS_PER_STEP + EXTRA, sizeof *program->actions);
  /* NOLINTNEXTLINE(bugprone-sizeof-expression): each is a pointer to what the library keeps to itself */
  program->memories = calloc(steps * MEMORIES_PER_STEP + EXTRA, sizeof *program->memories);
  program->buffers = calloc(steps * MEMORIES_PER_STEP + EXTRA, sizeof *program->buffers);
  program->values = calloc(nodes, sizeof *program->values);
  program->last_readers = calloc(nodes, sizeof *program->last_readers);
  const bool is_ready =
      program->actions && program->memories && program->buffers && program->values && program->last_readers;
  return is_ready ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "onednn: out of memory for %zu layers", steps);
}

static void find_last_readers(struct sk_dnnl_program *program) {
  for (size_t i = 0; i < program->schedule.count; i++) {
    const struct sk_step *const step = &program->schedule.steps[i];
    program->last_readers[step->input] = i;
    if (step->residual != SK_NO_NODE) program->last_readers[step->residual] = i;
  }
  const size_t output = program->task.graph->count - 1;
  program->last_readers[program->schedule.value[output]] = program->schedule.count; /* whoever loaded the task */
}

static sk_status prepare_input(struct sk_dnnl *o) {
  const struct sk_graph *const graph = o->program.task.graph;
  for (size_t i = 0; i < graph->count; i++) {
    if (graph->nodes[i].op != SK_NODE_INPUT) continue;
    return sk_dnnl_add_planes(o, i, (float *)(uintptr_t)o->program.task.x, &o->program.values[i]); /* only read */
  }
  return sk_fail(SK_UNSUPPORTED, "onednn: %s has no input", o->program.task.name);
}

/* Give the output in planes, and keep it to the end. */
static sk_status prepare_output(struct sk_dnnl *o) {
  struct sk_dnnl_program *const program = &o->program;
  const size_t node = program->task.graph->count - 1;
  const size_t made = program->values[program->schedule.value[node]];
  const sk_status status = sk_dnnl_add_planes(o, node, NULL, &program->output);
  if (status) return status;
  if (dnnl_memory_desc_equal(sk_dnnl_layout_of(program, made), sk_dnnl_layout_of(program, program->output))) {
    program->output = made;
  } else {
    const enum sk_dnnl_phase phase = program->task.is_layer ? SK_DNNL_AT_OUTPUT : SK_DNNL_TIMED;
    const dnnl_status_t appended = sk_dnnl_append_reorder(o, phase, made, program->output);
    if (appended) return sk_dnnl_outcome(appended, program->task.graph->nodes[node].name);
  }
  program->buffers[program->output].last = program->action_count;
  return SK_OK;
}

/* What a layer's untimed actions make has to outlast its runs. */
static void keep_everything(struct sk_dnnl_program *program) {
  for (size_t i = 0; i < program->memory_count; i++) {
    program->buffers[i].first = 0;
    program->buffers[i].last = program->action_count;
  }
}

static dnnl_status_t set_addresses(struct sk_dnnl_program *program) {
  dnnl_status_t status = dnnl_success;
  for (size_t i = 0; !status && i < program->memory_count; i++) {
    const struct sk_buffer *const buffer = &program->buffers[i];
    if (buffer->bytes == 0) continue;
    status = dnnl_memory_set_data_handle(program->memories[i], (char *)program->arena + buffer->offset);
  }
  for (size_t i = 0; !status && i < program->action_count; i++) {
    dnnl_memory_t const scratchpad = program->actions[i].scratchpad;
    if (scratchpad) status = dnnl_memory_set_data_handle(scratchpad, program->scratchpad);
  }
  return status;
}

static sk_status place_memories(struct sk_dnnl_program *program) {
  size_t bytes = 0;
  if (program->task.is_layer) keep_everything(program);
  const sk_status status = sk_buffers_place(program->buffers, program->memory_count, &bytes);
  if (status) return status;
  program->arena = sk_alloc(sk_size_max(bytes, SK_ALIGNMENT));
  program->scratchpad = sk_alloc(sk_size_max(program->scratchpad_bytes, SK_ALIGNMENT));
  if (program->arena && program->scratchpad) return sk_dnnl_outcome(set_addresses(program), program->task.name);
  return sk_fail(SK_OUT_OF_MEMORY, "onednn: out of memory for %s", program->task.name);
}

static sk_status prepare(struct sk_dnnl *o) {
  struct sk_dnnl_program *const program = &o->program;
  sk_status status = sk_steps_make(&program->schedule, program->task.graph);
  if (!status) status = allocate(program);
  if (!status) status = prepare_input(o);
  if (!status) find_last_readers(program);
  for (size_t i = 0; !status && i < program->schedule.count; i++) status = sk_dnnl_append_step(o, i);
  if (!status) status = prepare_output(o);
  if (!status) status = place_memories(program);
  return status ? status : sk_dnnl_outcome(sk_dnnl_execute(o, SK_DNNL_AT_LOAD), program->task.name);
}

/* ---- The backend -------------------------------------------------------------------------------------------- */

/* oneDNN takes as many threads as OpenMP says, when a primitive is made and when it runs; pinned like ours, which they
 * are. Returns what to restore. */
static int take_threads(const struct sk_dnnl *o) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(o->threads);
  sk_affinity_pin(&o->cpus);
  return before;
}

/* The ISA can only be chosen before the library's first use in a process. */
static sk_status hold_to(sk_isa isa) {
  dnnl_cpu_isa_t most = dnnl_cpu_isa_avx2;
  switch (isa) {
    case SK_ISA_AUTO: return SK_OK;
    case SK_ISA_AVX2: break;
    case SK_ISA_AVX512: most = dnnl_cpu_isa_avx512_core; break;
    default: return sk_fail(SK_UNSUPPORTED, "onednn: cannot be held to %s", sk_isa_name(isa));
  }
  dnnl_set_max_cpu_isa(most);
  if (dnnl_get_effective_cpu_isa() == most) return SK_OK;
  return sk_fail(SK_UNSUPPORTED, "onednn: cannot be held to %s any more: in use already", sk_isa_name(isa));
}

static void write_version(sk_isa isa, char version[SK_BACKEND_VERSION]) {
  static const char prefix[] = "cpu_isa_";
  const dnnl_version_t *const v = dnnl_version();
  const char *name = dnnl_cpu_isa2str(dnnl_get_effective_cpu_isa());
  if (strncmp(name, prefix, strlen(prefix)) == 0) name += strlen(prefix);
  snprintf(version, SK_BACKEND_VERSION, "oneDNN %d.%d.%d (OpenMP, %s%s)", v->major, v->minor, v->patch,
           isa == SK_ISA_AUTO ? "" : "max isa ", name);
}

static void stop(void *instance) {
  struct sk_dnnl *const o = instance;
  unload(&o->program);
  if (o->stream) dnnl_stream_destroy(o->stream);
  if (o->engine) dnnl_engine_destroy(o->engine);
  free(o);
}

static sk_status start(void **instance, const struct sk_backend *backend, const struct sk_conditions *conditions,
                       char version[SK_BACKEND_VERSION]) {
  *instance = NULL;
  if (dnnl_version()->cpu_runtime != DNNL_RUNTIME_OMP) {
    return sk_fail(SK_UNSUPPORTED, "%s: a library whose threads are not OpenMP's, expected one built for OpenMP",
                   backend->name);
  }
  const sk_status status = hold_to(conditions->isa);
  if (status) return status;
  struct sk_dnnl *const o = calloc(1, sizeof *o);
  if (!o) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory", backend->name);
  o->threads = conditions->threads;
  o->cpus = conditions->cpus;
  dnnl_status_t made = dnnl_engine_create(&o->engine, dnnl_cpu, 0);
  if (!made) made = dnnl_stream_create(&o->stream, o->engine, dnnl_stream_default_flags);
  if (made) {
    stop(o);
    return sk_fail(SK_UNSUPPORTED, "%s: does not start: %s", backend->name, dnnl_status2str(made));
  }
  write_version(conditions->isa, version);
  *instance = o;
  return SK_OK;
}

static sk_status load(void *instance, const struct sk_task *task) {
  struct sk_dnnl *const o = instance;
  const int before = take_threads(o);
  unload(&o->program);
  o->program.task = *task;
  const sk_status status = prepare(o);
  if (status) unload(&o->program);
  omp_set_num_threads(before);
  return status;
}

static dnnl_status_t run_once(const struct sk_dnnl *o, double *seconds) {
  dnnl_status_t status = sk_dnnl_execute(o, SK_DNNL_BEFORE_RUN);
  const double began = sk_clock_seconds();
  if (!status) status = sk_dnnl_execute(o, SK_DNNL_TIMED);
  *seconds = sk_clock_seconds() - began;
  return status;
}

static sk_status run(void *instance, size_t runs, double *seconds) {
  struct sk_dnnl *const o = instance;
  dnnl_status_t status = dnnl_success;
  const int before = take_threads(o);
  for (size_t i = 0; !status && i < runs; i++) status = run_once(o, &seconds[i]);
  omp_set_num_threads(before);
  return sk_dnnl_outcome(status, o->program.task.name);
}

static sk_status output(void *instance, float *y) {
  struct sk_dnnl *const o = instance;
  const struct sk_dnnl_program *const program = &o->program;
  const struct sk_node *const node = &program->task.graph->nodes[program->task.graph->count - 1];
  const int before = take_threads(o);
  void *from = NULL;
  dnnl_status_t status = sk_dnnl_execute(o, SK_DNNL_AT_OUTPUT);
  if (!status) status = dnnl_memory_get_data_handle(program->memories[program->output], &from);
  if (!status) memcpy(y, from, program->task.batch * sk_node_elements(node) * sizeof *y);
  omp_set_num_threads(before);
  return sk_dnnl_outcome(status, program->task.name);
}

const struct sk_backend sk_peer_onednn = {
    .name = "onednn", .summary = SUMMARY, .start = start, .load = load, .run = run, .output = output, .stop = stop};

#endif
