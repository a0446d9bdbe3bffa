/*
 * The peers that come as Python packages, each in a process of its own: bench/peers/protocol.py with the peer's adapter
 * beside it. Requests and answers are JSON, one line each:
 *
 *   {"command": "start", "threads": 2, "cpus": [0, 1], "isa": "auto"}     -> {"version": "1.32.0"}
 *   {"command": "load", "task": "resnet50", "model": PATH, "input": PATH} -> {}
 *   {"command": "run", "runs": 3}                                         -> {"seconds": [0.1, 0.1, 0.1]}
 *   {"command": "output", "path": PATH}                                   -> {}
 *
 * or {"error": "what went wrong"}, with "unsupported": true for what the peer cannot do and "missing": true when it is
 * not installed. The end of its input ends the process. Models go there as ONNX files, arrays as .npy files.
 *
 * Environment: SKIPLANE_PEERS, the folder of protocol.py and the adapters; SKIPLANE_PEERS_PYTHON, the interpreter;
 * SKIPLANE_PEERS_TIMEOUT, how many seconds an answer, or each run, may take.
 */
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/json_output.h"
#include "bench/npy.h"
#include "bench/onnx_write.h"
#include "bench/peers/child.h"
#include "bench/peers/peers.h"
#include "config.h"
#include "dispatch/status.h"
#include "resnet/text.h"

enum { DEFAULT_TIMEOUT = 300 };

/* Where things are: each may be NULL before it is known. */
struct places {
  char *peers;    /* folder */
  char *python;   /* interpreter */
  char *protocol; /* script */
  char *log;      /* what the process says on stderr */
  char *output;   /* the array that it writes */
};

struct process {
  const struct sk_backend *backend;
  struct sk_conditions conditions;
  double timeout;
  struct places places;
  struct sk_child child;
  char version[SK_BACKEND_VERSION];
  char doing[80];  /* "loading resnet50": for messages */
  size_t elements; /* of the loaded task's output */
};

/* ---- Places ------------------------------------------------------------------------------------------------- */

static char *print_path(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Print a path, to be freed; NULL if there is no memory. */
static char *print_path(const char *format, ...) {
  char *path = NULL;
  va_list arguments;
  va_start(arguments, format);
  if (vasprintf(&path, format, arguments) < 0) path = NULL;
  va_end(arguments);
  return path;
}

static bool is_there(const char *path) { return path && access(path, R_OK) == 0; }

/* The folder that the user names, else the source tree's if it is known and still there, else the installed one. */
static char *find_peers(void) {
  const char *given = getenv("SKIPLANE_PEERS");
  if (given) return print_path("%s", given);
  const bool has_source = *SK_SOURCE_FOLDER && is_there(SK_SOURCE_FOLDER "/bench/peers/protocol.py");
  return print_path("%s", has_source ? SK_SOURCE_FOLDER "/bench/peers" : SK_DATA_FOLDER "/peers");
}

/* The interpreter that the user names, else that of the virtual environment which bench/peers/install makes: at the top
 * of the source tree, or beside the installed folder. */
static char *find_python(const char *peers) {
  const char *given = getenv("SKIPLANE_PEERS_PYTHON");
  if (given) return print_path("%s", given);
  char *in_tree = print_path("%s/../../peers-venv/bin/python3", peers);
  if (is_there(in_tree)) return in_tree;
  free(in_tree);
  return print_path("%s/../peers-venv/bin/python3", peers);
}

/* Create a file of the folder that no other instance has, for the process's words. */
static sk_status create_log(struct process *p) {
  p->places.log = print_path("%s/%s-XXXXXX.log", p->conditions.folder, p->backend->name);
  if (!p->places.log) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory", p->backend->name);
  const int descriptor = mkstemps(p->places.log, 4);
  if (descriptor < 0) {
    return sk_fail(SK_IO_ERROR, "%s: cannot create a file in %s", p->backend->name,
                   sk_quote(p->conditions.folder).text);
  }
  close(descriptor);
  p->places.output = print_path("%s.npy", p->places.log);
  return p->places.output ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory", p->backend->name);
}

static sk_status not_installed(const struct process *p) {
  return sk_fail(SK_UNSUPPORTED, "%s: not installed (%s/install %s)", p->backend->name, sk_quote(p->places.peers).text,
                 p->backend->name);
}

static sk_status find_places(struct process *p) {
  struct places *places = &p->places;
  places->peers = find_peers();
  places->python = places->peers ? find_python(places->peers) : NULL;
  places->protocol = places->python ? print_path("%s/protocol.py", places->peers) : NULL;
  if (!places->protocol) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory", p->backend->name);
  if (!is_there(places->protocol)) {
    return sk_fail(SK_UNSUPPORTED, "%s: no %s, which SKIPLANE_PEERS may name the folder of", p->backend->name,
                   sk_quote(places->protocol).text);
  }
  if (strchr(places->python, '/') && !is_there(places->python)) return not_installed(p);
  return create_log(p);
}

static void free_places(struct places *places) {
  free(places->peers);
  free(places->python);
  free(places->protocol);
  free(places->log);
  free(places->output);
}

static sk_status read_timeout(double *timeout) {
  const char *text = getenv("SKIPLANE_PEERS_TIMEOUT");
  char *end = NULL;
  *timeout = text ? strtod(text, &end) : DEFAULT_TIMEOUT;
  if (!text || (end > text && *end == '\0' && *timeout > 0 && isfinite(*timeout))) return SK_OK;
  return sk_fail(SK_INVALID_ARGUMENT, "SKIPLANE_PEERS_TIMEOUT: \"%s\" is not a number of seconds",
                 sk_quote_short(text).text);
}

/* ---- What went wrong ---------------------------------------------------------------------------------------- */

/* Read the last line that the process wrote to its log; empty if there is none. */
static struct sk_quoted last_words(const char *log) {
  char text[1024];
  FILE *file = fopen(log, "rbe");
  if (!file) return sk_quote("");
  if (fseek(file, -(long)sizeof text, SEEK_END) != 0) rewind(file);
  size_t length = fread(text, 1, sizeof text, file);
  fclose(file);
  while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' ')) length--;
  size_t first = length;
  while (first > 0 && text[first - 1] != '\n') first--;
  return sk_quote_bytes(text + first, length - first);
}

/* Report a process that has ended, or was ended for its silence. */
static sk_status fail_ended(const struct process *p) {
  const struct sk_quoted words = last_words(p->places.log);
  return sk_fail(SK_IO_ERROR, "%s: %s while %s%s%s", p->backend->name, p->child.ending, p->doing,
                 words.text[0] ? "; its last words: " : "", words.text);
}

static sk_status fail_garbage(struct process *p, const char *expected) {
  const sk_status status = sk_fail(SK_BAD_FORMAT, "%s: answered \"%s\" while %s, expected %s", p->backend->name,
                                   sk_quote_short(p->child.answer).text, p->doing, expected);
  sk_child_stop(&p->child); /* nothing that it says now can be trusted to belong to what is asked */
  return status;
}

/* Report the failure that an answer tells of. */
static sk_status fail_reported(const struct process *p, const cJSON *answer, const char *error) {
  if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, "missing"))) return not_installed(p);
  const bool is_unsupported = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, "unsupported"));
  return sk_fail(is_unsupported ? SK_UNSUPPORTED : SK_IO_ERROR, "%s: %s: %s", p->backend->name, p->doing,
                 sk_quote(error).text);
}

/* ---- Asking ------------------------------------------------------------------------------------------------- */

static void say_what(struct process *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say_what(struct process *p, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(p->doing, sizeof p->doing, format, arguments);
  va_end(arguments);
}

static void begin_request(struct sk_json *request, const char *command) {
  sk_json_begin(request);
  sk_json_text(request, request->root, "command", command);
}

/* Send a request, which is freed, and receive the answer, an object to delete. */
static sk_status ask(struct process *p, struct sk_json *request, double seconds, cJSON **answer) {
  char *line = request->failed ? NULL : cJSON_PrintUnformatted(request->root);
  sk_json_discard(request);
  if (!line) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for a request", p->backend->name);
  const sk_status status = sk_child_ask(&p->child, line, seconds);
  cJSON_free(line);
  if (status) return fail_ended(p);
  *answer = cJSON_ParseWithOpts(p->child.answer, NULL, true);
  if (!cJSON_IsObject(*answer)) {
    cJSON_Delete(*answer);
    return fail_garbage(p, "a line of JSON");
  }
  const char *error = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(*answer, "error"));
  if (!error) return SK_OK;
  const sk_status reported = fail_reported(p, *answer, error);
  cJSON_Delete(*answer);
  return reported;
}

/* Ask for something of which the answer is only that it was done. */
static sk_status ask_for_action(struct process *p, struct sk_json *request) {
  cJSON *answer = NULL;
  const sk_status status = ask(p, request, p->timeout, &answer);
  if (!status) cJSON_Delete(answer);
  return status;
}

/* ---- Starting and stopping ---------------------------------------------------------------------------------- */

static sk_status read_version(struct process *p, const cJSON *answer) {
  const char *version = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(answer, "version"));
  if (!version) return fail_garbage(p, "a version");
  snprintf(p->version, sizeof p->version, "%.30s %.60s", p->backend->name, sk_quote_short(version).text);
  return SK_OK;
}

static sk_status greet(struct process *p) {
  struct sk_json request;
  cJSON *answer = NULL;
  say_what(p, "starting");
  begin_request(&request, "start");
  sk_json_number(&request, request.root, "threads", p->conditions.threads);
  sk_json_text(&request, request.root, "isa", sk_isa_name(p->conditions.isa));
  cJSON *cpus = sk_json_list(&request, request.root, "cpus");
  for (size_t i = 0; i < p->conditions.cpus.count; i++) {
    sk_json_number(&request, cpus, NULL, p->conditions.cpus.cpus[i]);
  }
  sk_status status = ask(p, &request, p->timeout, &answer);
  if (status) return status;
  status = read_version(p, answer);
  cJSON_Delete(answer);
  return status;
}

/* Start the process, if it does not run: the first time, and after it has died of a task. */
static sk_status start_process(struct process *p) {
  if (p->child.process != 0) return SK_OK;
  /* -I: nothing of the user's own on the path of modules; -B: no compiled files beside the adapters. */
  char *const arguments[] = {
      p->places.python, "-I", "-B", p->places.protocol, (char *)(uintptr_t)p->backend->name, NULL};
  sk_child_stop(&p->child);
  sk_status status = sk_child_start(&p->child, arguments, p->places.log);
  if (!status) status = greet(p);
  if (status) sk_child_stop(&p->child);
  return status;
}

static void stop(void *instance) {
  struct process *p = instance;
  if (!p) return;
  sk_child_stop(&p->child);
  free_places(&p->places);
  free(p);
}

static sk_status start(void **instance, const struct sk_backend *backend, const struct sk_conditions *conditions,
                       char version[SK_BACKEND_VERSION]) {
  *instance = NULL;
  if (!SK_HAVE_ONNX) {
    return sk_fail(SK_UNSUPPORTED,
                   "%s: this build writes no ONNX files (./configure --with-onnx names what is missing)",
                   backend->name);
  }
  struct process *p = calloc(1, sizeof *p);
  if (!p) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory", backend->name);
  p->backend = backend;
  p->conditions = *conditions;
  sk_status status = read_timeout(&p->timeout);
  if (!status) status = find_places(p);
  if (!status) status = start_process(p);
  if (status) {
    stop(p);
    return status;
  }
  memcpy(version, p->version, SK_BACKEND_VERSION);
  *instance = p;
  return SK_OK;
}

/* ---- Tasks -------------------------------------------------------------------------------------------------- */

/* Write the model, unless another peer of this comparison had it written. */
static sk_status write_model(const struct sk_task *task, const char *path) {
  return is_there(path) ? SK_OK : sk_onnx_write(task->graph, task->batch, path);
}

static sk_status write_input(const struct sk_task *task, const char *path) {
  const struct sk_node *input = &task->graph->nodes[0];
  const size_t shape[] = {task->batch, input->channels, input->height, input->width};
  return is_there(path) ? SK_OK : sk_npy_write(path, 4, shape, task->x);
}

static sk_status request_load(struct process *p, const struct sk_task *task, const char *model, const char *input) {
  struct sk_json request;
  say_what(p, "loading %s", sk_quote_short(task->name).text);
  begin_request(&request, "load");
  sk_json_text(&request, request.root, "task", task->name);
  sk_json_text(&request, request.root, "model", model);
  sk_json_text(&request, request.root, "input", input);
  return ask_for_action(p, &request);
}

static sk_status load(void *instance, const struct sk_task *task) {
  struct process *p = instance;
  const struct sk_node *output = &task->graph->nodes[task->graph->count - 1];
  char *model = print_path("%s/task-%zu.onnx", p->conditions.folder, task->number);
  char *input = print_path("%s/task-%zu.npy", p->conditions.folder, task->number);
  sk_status status = model && input ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory", p->backend->name);
  if (!status) status = write_model(task, model);
  if (!status) status = write_input(task, input);
  if (!status) status = start_process(p);
  if (!status) status = request_load(p, task, model, input);
  p->elements = task->batch * sk_node_elements(output);
  free(model);
  free(input);
  return status;
}

static bool is_time(const cJSON *value) {
  return cJSON_IsNumber(value) && value->valuedouble >= 0 && isfinite(value->valuedouble);
}

static sk_status read_times(struct process *p, const cJSON *answer, size_t runs, double *seconds) {
  char expected[40];
  size_t count = 0;
  const cJSON *value = NULL;
  cJSON_ArrayForEach(value, cJSON_GetObjectItemCaseSensitive(answer, "seconds")) {
    if (count == runs || !is_time(value)) {
      count = SIZE_MAX;
      break;
    }
    seconds[count++] = value->valuedouble;
  }
  if (count == runs) return SK_OK;
  snprintf(expected, sizeof expected, "%zu times", runs);
  return fail_garbage(p, expected);
}

static sk_status run(void *instance, size_t runs, double *seconds) {
  struct process *p = instance;
  struct sk_json request;
  cJSON *answer = NULL;
  say_what(p, "running");
  begin_request(&request, "run");
  sk_json_size(&request, request.root, "runs", runs);
  sk_status status = ask(p, &request, p->timeout * fmax(1, (double)runs), &answer);
  if (status) return status;
  status = read_times(p, answer, runs, seconds);
  cJSON_Delete(answer);
  return status;
}

static sk_status read_output(const struct process *p, float *y) {
  struct sk_npy array;
  sk_status status = sk_npy_read(&array, p->places.output);
  if (status) return status;
  if (array.elements == p->elements) {
    memcpy(y, array.data, array.elements * sizeof *y);
  } else {
    status = sk_fail(SK_BAD_FORMAT, "%s: an output of %zu values, expected %zu", p->backend->name, array.elements,
                     p->elements);
  }
  sk_npy_free(&array);
  return status;
}

static sk_status output(void *instance, float *y) {
  struct process *p = instance;
  struct sk_json request;
  say_what(p, "giving its output");
  begin_request(&request, "output");
  sk_json_text(&request, request.root, "path", p->places.output);
  const sk_status status = ask_for_action(p, &request);
  return status ? status : read_output(p, y);
}

/* ---- The peers ---------------------------------------------------------------------------------------------- */

#define FUNCTIONS .start = start, .load = load, .run = run, .output = output, .stop = stop

const struct sk_backend sk_peer_onnxruntime = {
    .name = "onnxruntime", .summary = "ONNX Runtime's CPU provider, all graph optimisations", FUNCTIONS};
const struct sk_backend sk_peer_openvino = {
    .name = "openvino", .summary = "OpenVINO's CPU plugin in float32, latency mode, one stream", FUNCTIONS};
const struct sk_backend sk_peer_mnn = {.name = "mnn", .summary = "MNN's CPU backend, high precision", FUNCTIONS};
const struct sk_backend sk_peer_ncnn = {
    .name = "ncnn", .summary = "ncnn, float32 throughout, one image at a time", FUNCTIONS};
const struct sk_backend sk_peer_pytorch = {
    .name = "pytorch", .summary = "PyTorch: frozen TorchScript, optimised for inference with oneDNN", FUNCTIONS};
