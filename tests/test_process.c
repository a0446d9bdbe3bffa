/* The peers in other processes: their protocol kept and broken by scripts made here, and the peers that are installed
 * against the reference. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/npy.h"
#include "bench/peers/peers.h"
#include "config.h"
#include "reference/network.h"
#include "resnet/network.h"
#include "tests/temporary_folder.h"

enum { VALUES = 4 };

static const float positive[VALUES] = {1, 2, 3, 4};

/* ---- A script in the place of protocol.py -------------------------------------------------------------------- */

/* It does what is asked of it, after `fault`, which may look at the request `r`, the command `c` and the folder `here`.
 * Its network is the identity. */
static const char script[] =
    "import json, os, shutil, signal, sys, time\n"
    "here = os.path.dirname(os.path.abspath(__file__))\n"
    "def answer(value):\n"
    "  print(json.dumps(value), flush=True)\n"
    "open(here + '/pid', 'w').write(str(os.getpid()))\n"
    "for line in sys.stdin:\n"
    "  r = json.loads(line)\n"
    "  c = r['command']\n"
    "  %s\n"
    "  if c == 'start': answer({'version': '9.9'})\n"
    "  elif c == 'load':\n"
    "    given = r['input']\n"
    "    answer({})\n"
    "  elif c == 'run': answer({'seconds': [0.25] * r['runs']})\n"
    "  elif c == 'output':\n"
    "    shutil.copy(given, r['path'])\n"
    "    answer({})\n";

/* A peer with a fault, started; its network is a ReLU of four values. */
struct peer {
  struct sk_conditions conditions;
  struct sk_graph graph;
  struct sk_task task;
  void *instance;
  char version[SK_BACKEND_VERSION];
};

static bool cannot_run(void) {
  if (SK_HAVE_ONNX && system("python3 -c ''") == 0) return false;
  fprintf(stderr, "SKIPPED: no protobuf-c or no python3: peers in other processes are not tested\n");
  return true;
}

static void write_script(const char *fault) {
  char text[2048];
  const int length = snprintf(text, sizeof text, script, fault);
  free(put_file("protocol.py", text, (size_t)length));
  setenv("SKIPLANE_PEERS", temporary_folder, 1);
  setenv("SKIPLANE_PEERS_PYTHON", "python3", 1);
}

static sk_status start(struct peer *p, const char *fault) {
  *p = (struct peer){.conditions = {.threads = 1, .folder = temporary_folder}};
  sk_graph_add(&p->graph, &(struct sk_node){.name = "x", .channels = VALUES, .height = 1, .width = 1});
  sk_graph_add(&p->graph, &(struct sk_node){.op = SK_NODE_RELU, .name = "y"});
  p->task = (struct sk_task){.name = "the task", .graph = &p->graph, .batch = 1, .x = positive};
  write_script(fault);
  return sk_peer_onnxruntime.start(&p->instance, &sk_peer_onnxruntime, &p->conditions, p->version);
}

static void start_well(struct peer *p, const char *fault) {
  cr_assert_eq(start(p, fault), SK_OK, "%s", sk_error_message());
}

static void finish(struct peer *p) {
  sk_peer_onnxruntime.stop(p->instance);
  sk_graph_destroy(&p->graph);
}

static sk_status load(struct peer *p) { return sk_peer_onnxruntime.load(p->instance, &p->task); }
static sk_status run(struct peer *p, size_t runs, double *seconds) {
  return sk_peer_onnxruntime.run(p->instance, runs, seconds);
}
static sk_status output(struct peer *p, float *y) { return sk_peer_onnxruntime.output(p->instance, y); }

/* Whether the process that wrote its number is gone. */
static bool is_gone(void) {
  size_t length;
  char *path = path_of("pid");
  char *text = get_file(path, &length);
  const int pid = atoi(text);
  free(text);
  free(path);
  cr_assert_gt(pid, 1);
  return kill(pid, 0) != 0 && errno == ESRCH;
}

static void expect_failure(sk_status status, sk_status expected, const char *part) {
  cr_expect_eq(status, expected, "%s, expected %s", sk_status_name(status), sk_status_name(expected));
  cr_expect(strstr(sk_error_message(), part), "\"%s\" does not say \"%s\"", sk_error_message(), part);
  cr_expect(strncmp(sk_error_message(), "onnxruntime: ", 13) == 0, "\"%s\" does not name the peer", sk_error_message());
}

/* Expect a command to fail because of a fault in the script, and the process to be gone at the end. */
static void expect_run_failure(const char *fault, sk_status expected, const char *part) {
  struct peer p;
  double seconds[2];
  start_well(&p, fault);
  cr_assert_eq(load(&p), SK_OK, "%s", sk_error_message());
  expect_failure(run(&p, 2, seconds), expected, part);
  finish(&p);
  cr_expect(is_gone());
}

static void expect_load_failure(const char *fault, sk_status expected, const char *part) {
  struct peer p;
  start_well(&p, fault);
  expect_failure(load(&p), expected, part);
  finish(&p);
  cr_expect(is_gone());
}

static void expect_start_failure(const char *fault, sk_status expected, const char *part) {
  struct peer p;
  expect_failure(start(&p, fault), expected, part);
  cr_expect_null(p.instance);
  sk_graph_destroy(&p.graph);
}

TestSuite(process, .init = make_folder, .fini = remove_folder, .timeout = 60);

/* ---- The protocol kept --------------------------------------------------------------------------------------- */

Test(process, does_what_is_asked) {
  if (cannot_run()) return;
  struct peer p;
  double seconds[3] = {0};
  float y[VALUES] = {0};
  start_well(&p, "pass");
  cr_expect_str_eq(p.version, "onnxruntime 9.9");
  for (int again = 0; again < 2; again++) {
    cr_assert_eq(load(&p), SK_OK, "%s", sk_error_message());
    cr_assert_eq(run(&p, 3, seconds), SK_OK, "%s", sk_error_message());
    cr_expect(seconds[0] == 0.25 && seconds[2] == 0.25);
    cr_assert_eq(output(&p, y), SK_OK, "%s", sk_error_message());
    cr_expect_arr_eq(y, positive, sizeof y);
  }
  finish(&p);
  cr_expect(is_gone());
}

Test(process, is_told_the_conditions) {
  if (cannot_run()) return;
  struct peer p;
  start_well(&p, "pass");
  finish(&p);
  p.conditions.threads = 2;
  p.conditions.cpus = (struct sk_cpu_list){.count = 2, .cpus = {4, 7}};
  p.conditions.isa = SK_ISA_AVX2;
  write_script("if c == 'start': sys.exit(line)");
  expect_failure(sk_peer_onnxruntime.start(&p.instance, &sk_peer_onnxruntime, &p.conditions, p.version), SK_IO_ERROR,
                 "{\"command\":\"start\",\"threads\":2,\"isa\":\"avx2\",\"cpus\":[4,7]}");
}

Test(process, that_died_is_started_again_by_the_next_task) {
  if (cannot_run()) return;
  struct peer p;
  double seconds[1];
  start_well(&p, "if c == 'run' and not os.path.exists(here + '/died'): open(here + '/died', 'w'); os._exit(1)");
  cr_assert_eq(load(&p), SK_OK, "%s", sk_error_message());
  expect_failure(run(&p, 1, seconds), SK_IO_ERROR, "ended with exit code 1 while running");
  expect_failure(run(&p, 1, seconds), SK_IO_ERROR, "has ended before");
  cr_assert_eq(load(&p), SK_OK, "%s", sk_error_message());
  cr_expect_eq(run(&p, 1, seconds), SK_OK, "%s", sk_error_message());
  finish(&p);
}

/* ---- The protocol broken ------------------------------------------------------------------------------------- */

Test(process, that_dies_is_reported_with_its_last_words) {
  if (cannot_run()) return;
  expect_start_failure("sys.exit('no such thing')", SK_IO_ERROR,
                       "ended with exit code 1 while starting; its last words: no such thing");
  expect_load_failure("if c == 'load': sys.exit('boom')", SK_IO_ERROR,
                      "ended with exit code 1 while loading the task; its last words: boom");
  expect_run_failure("if c == 'run': os.kill(os.getpid(), signal.SIGKILL)", SK_IO_ERROR,
                     "ended by signal 9 (Killed) while running");
}

Test(process, that_hangs_is_ended) {
  if (cannot_run()) return;
  setenv("SKIPLANE_PEERS_TIMEOUT", "1.5", 1);
  expect_load_failure("if c == 'load': time.sleep(1000)", SK_IO_ERROR,
                      "gave no answer within 1.5 s while loading the task");
  expect_load_failure("if c == 'load': print('half a line', end='', flush=True); time.sleep(1000)", SK_IO_ERROR,
                      "gave no answer within 1.5 s");
}

Test(process, that_ignores_the_end_is_killed) {
  if (cannot_run()) return;
  struct peer p;
  start_well(&p, "if c == 'load': answer({}); time.sleep(1000)");
  cr_assert_eq(load(&p), SK_OK, "%s", sk_error_message());
  finish(&p);
  cr_expect(is_gone());
}

Test(process, that_answers_nonsense_is_refused) {
  if (cannot_run()) return;
  expect_start_failure("answer({}); continue", SK_BAD_FORMAT, "expected a version");
  expect_load_failure("if c == 'load': print('hello', flush=True); continue", SK_BAD_FORMAT,
                      "answered \"hello\" while loading the task, expected a line of JSON");
  expect_load_failure("if c == 'load': answer([1]); continue", SK_BAD_FORMAT, "expected a line of JSON");
  expect_load_failure("if c == 'load': print('{} {}', flush=True); continue", SK_BAD_FORMAT, "expected a line of JSON");
}

Test(process, that_gives_other_times_than_asked_for_is_refused) {
  if (cannot_run()) return;
  expect_run_failure("if c == 'run': answer({'seconds': [1, 1, 1]}); continue", SK_BAD_FORMAT, "expected 2 times");
  expect_run_failure("if c == 'run': answer({'seconds': [1]}); continue", SK_BAD_FORMAT, "expected 2 times");
  expect_run_failure("if c == 'run': answer({'seconds': [1, -1]}); continue", SK_BAD_FORMAT, "expected 2 times");
  expect_run_failure("if c == 'run': answer({'seconds': [1, '1']}); continue", SK_BAD_FORMAT, "expected 2 times");
  expect_run_failure("if c == 'run': answer({}); continue", SK_BAD_FORMAT, "expected 2 times");
}

Test(process, may_report_failures_itself) {
  if (cannot_run()) return;
  expect_start_failure("answer({'error': 'x', 'missing': True}); continue", SK_UNSUPPORTED, "not installed (");
  expect_load_failure("if c == 'load': answer({'error': 'bad model'}); continue", SK_IO_ERROR,
                      "loading the task: bad model");
  expect_load_failure("if c == 'load': answer({'error': 'no slices', 'unsupported': True}); continue", SK_UNSUPPORTED,
                      "loading the task: no slices");
}

Test(process, that_gives_an_output_of_another_size_is_refused) {
  if (cannot_run()) return;
  struct peer p;
  float y[VALUES];
  char *path = path_of("other.npy");
  cr_assert_eq(sk_npy_write(path, 1, (size_t[]){VALUES - 1}, positive), SK_OK);
  start_well(&p, "if c == 'load': r['input'] = here + '/other.npy'");
  cr_assert_eq(load(&p), SK_OK, "%s", sk_error_message());
  expect_failure(output(&p, y), SK_BAD_FORMAT, "an output of 3 values, expected 4");
  free(path);
  finish(&p);
}

/* ---- Places and settings ------------------------------------------------------------------------------------- */

static sk_status start_as_set(void) {
  const struct sk_conditions conditions = {.threads = 1, .folder = temporary_folder};
  void *instance;
  char version[SK_BACKEND_VERSION];
  const sk_status status = sk_peer_onnxruntime.start(&instance, &sk_peer_onnxruntime, &conditions, version);
  cr_expect_null(instance);
  return status;
}

Test(process, that_is_not_there_is_unsupported) {
  if (cannot_run()) return;
  write_script("pass");
  unsetenv("SKIPLANE_PEERS_PYTHON");
  expect_failure(start_as_set(), SK_UNSUPPORTED, "/install onnxruntime)");
  setenv("SKIPLANE_PEERS_PYTHON", "/nowhere/python3", 1);
  expect_failure(start_as_set(), SK_UNSUPPORTED, "not installed (");
  setenv("SKIPLANE_PEERS_PYTHON", "no-such-python", 1);
  cr_expect_eq(start_as_set(), SK_IO_ERROR);
  cr_expect(strstr(sk_error_message(), "no-such-python: cannot start"), "%s", sk_error_message());
  setenv("SKIPLANE_PEERS", "/nowhere", 1);
  expect_failure(start_as_set(), SK_UNSUPPORTED, "/nowhere/protocol.py");
}

Test(process, a_time_limit_that_is_none_is_refused) {
  if (cannot_run()) return;
  static const char *const wrong[] = {"soon", "", "0", "-1", "1s", "nan", "inf"};
  write_script("pass");
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    setenv("SKIPLANE_PEERS_TIMEOUT", wrong[i], 1);
    cr_expect_eq(start_as_set(), SK_INVALID_ARGUMENT, "\"%s\"", wrong[i]);
    cr_expect(strstr(sk_error_message(), "SKIPLANE_PEERS_TIMEOUT"), "%s", sk_error_message());
  }
}

/* ---- Those that are installed -------------------------------------------------------------------------------- */

static double relative_l2(size_t count, const float *y, const double *reference) {
  double error = 0;
  double norm = 0;
  for (size_t i = 0; i < count; i++) {
    error += ((double)y[i] - reference[i]) * ((double)y[i] - reference[i]);
    norm += reference[i] * reference[i];
  }
  return sqrt(error / norm);
}

/* Run one task and compare it with the reference. False where the peer cannot do it, which is said aloud. */
static bool check_task(const struct sk_backend *peer, void *instance, const char *name, const struct sk_graph *graph,
                       size_t number) {
  enum { BATCH = 2, RUNS = 3 };
  const size_t inputs = BATCH * sk_node_elements(&graph->nodes[0]);
  const size_t outputs = BATCH * sk_node_elements(&graph->nodes[graph->count - 1]);
  float *x = malloc(inputs * sizeof *x);
  float *y = malloc(outputs * sizeof *y);
  double *reference = malloc(outputs * sizeof *reference);
  double seconds[RUNS] = {-1, -1, -1};
  cr_assert(x && y && reference);
  for (size_t i = 0; i < inputs; i++) x[i] = (float)((int)(i * 7919 % 2001) - 1000) / 1000;
  const struct sk_task task = {.name = name, .graph = graph, .batch = BATCH, .x = x, .number = number};
  const sk_status status = peer->load(instance, &task);
  if (status == SK_UNSUPPORTED) {
    fprintf(stderr, "SKIPPED: %s\n", sk_error_message());
  } else {
    cr_assert_eq(status, SK_OK, "%s", sk_error_message());
    cr_assert_eq(peer->run(instance, RUNS, seconds), SK_OK, "%s", sk_error_message());
    cr_assert_eq(peer->output(instance, y), SK_OK, "%s", sk_error_message());
    cr_assert_eq(sk_reference_network_run(graph, BATCH, x, reference, NULL, NULL), SK_OK);
    const double error = relative_l2(outputs, y, reference);
    cr_expect(error < 1e-4, "%s %s: relative L2 error %g", peer->name, name, error);
    cr_expect(seconds[0] > 0 && seconds[1] > 0 && seconds[2] > 0);
  }
  free(reference);
  free(x);
  free(y);
  return !status;
}

/* The first convolution of a network with its batch norm and ReLU. */
static void check_layer(const struct sk_backend *peer, void *instance, struct sk_graph *graph) {
  const size_t count = graph->count;
  graph->count = 4;
  cr_expect(check_task(peer, instance, "one layer", graph, 1), "%s refuses a layer", peer->name);
  graph->count = count;
}

/* The trained network of the tree, and a layer of it. */
static void check_installed(const struct sk_backend *peer) {
  struct sk_conditions conditions = {.threads = 2, .folder = temporary_folder};
  void *instance;
  char version[SK_BACKEND_VERSION];
  sk_weights *weights;
  struct sk_graph graph = {0};
  cr_assert_eq(sk_cpu_list_choose(NULL, conditions.threads, &conditions.cpus), SK_OK);
  if (peer->start(&instance, peer, &conditions, version) == SK_UNSUPPORTED) {
    fprintf(stderr, "SKIPPED: %s\n", sk_error_message());
    return;
  }
  cr_assert_not_null(instance, "%s", sk_error_message());
  cr_assert_eq(sk_weights_open(&weights, "resnet/shapes/shapes-resnet20.safetensors"), SK_OK);
  cr_assert_eq(sk_network_load(&graph, "resnet20-cifar", weights, NULL), SK_OK);
  check_task(peer, instance, "resnet20-cifar", &graph, 0);
  check_layer(peer, instance, &graph);
  peer->stop(instance);
  sk_graph_destroy(&graph);
  sk_weights_close(weights);
}

Test(process, onnxruntime_agrees_with_the_reference) { check_installed(&sk_peer_onnxruntime); }
Test(process, openvino_agrees_with_the_reference) { check_installed(&sk_peer_openvino); }
Test(process, mnn_agrees_with_the_reference) { check_installed(&sk_peer_mnn); }
Test(process, ncnn_agrees_with_the_reference) { check_installed(&sk_peer_ncnn); }
Test(process, pytorch_agrees_with_the_reference) { check_installed(&sk_peer_pytorch); }
