/* Between two measurements threads that look for more work are waited for: those of the process, and those of a peer.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/rest.h"
#include "config.h"
#include "tests/temporary_folder.h"

#define SPIN_SECONDS 0.05

/* A thread that spins, and then sleeps until it may end. */
struct spinner {
  pthread_t thread;
  double seconds;
  atomic_bool spins, stop;
  sem_t may_end;
};

static void *spin(void *argument) {
  struct spinner *const s = argument;
  const double end = sk_clock_seconds() + s->seconds;
  s->spins = true;
  while (!s->stop && sk_clock_seconds() < end) continue;
  s->spins = false;
  sem_wait(&s->may_end);
  return NULL;
}

static void start_spinning(struct spinner *s, double seconds) {
  s->seconds = seconds;
  cr_assert_eq(sem_init(&s->may_end, 0, 0), 0);
  cr_assert_eq(pthread_create(&s->thread, NULL, spin, s), 0);
  while (!s->spins) continue;
}

static void end_spinning(struct spinner *s) {
  s->stop = true;
  sem_post(&s->may_end);
  pthread_join(s->thread, NULL);
  sem_destroy(&s->may_end);
}

TestSuite(rest, .init = make_folder, .fini = remove_folder, .timeout = 60);

Test(rest, waits_until_the_others_sleep) {
  struct spinner s = {0};
  start_spinning(&s, SPIN_SECONDS);
  cr_expect(sk_rest());
  cr_expect_not(s.spins);
  end_spinning(&s);
}

Test(rest, gives_up_on_one_that_never_sleeps) {
  struct spinner s = {0};
  start_spinning(&s, 1e9);
  cr_expect_not(sk_rest());
  cr_expect(s.spins);
  end_spinning(&s);
}

/* The real protocol, with an adapter whose run leaves a thread behind that spins, and says so when it sleeps. */
Test(rest, of_a_peer_is_over_before_it_answers) {
  static const char adapter[] =
      "import os, threading, time\n"
      "def spin():\n"
      "  end = time.monotonic() + 0.05\n"
      "  while time.monotonic() < end: pass\n"
      "  open(os.path.dirname(os.path.abspath(__file__)) + '/slept', 'w').close()\n"
      "  time.sleep(60)\n"
      "class Peer:\n"
      "  version = 1\n"
      "  held_by = {}\n"
      "  def __init__(self, threads, cpus): pass\n"
      "  def run(self): threading.Thread(target=spin, daemon=True).start()\n";
  if (system("python3 -c ''") != 0) {
    fprintf(stderr, "SKIPPED: no python3: how a peer rests is not tested\n");
    return;
  }
  char *protocol = path_of("protocol.py");
  char *slept = path_of("slept");
  char command[512];
  cr_assert_eq(symlink(SK_SOURCE_FOLDER "/bench/peers/protocol.py", protocol), 0);
  free(put_file("spinner.py", adapter, strlen(adapter)));
  snprintf(command, sizeof command,
           "printf '%%s\\n%%s\\n' '{\"command\": \"start\", \"threads\": 2, \"cpus\": [], \"isa\": \"auto\"}' "
           "'{\"command\": \"run\", \"runs\": 1}' | python3 -I -B %s spinner | grep -q seconds",
           protocol);
  cr_expect_eq(system(command), 0);
  cr_expect_eq(access(slept, F_OK), 0, "the answer came while the thread ran");
  free(slept);
  free(protocol);
}
