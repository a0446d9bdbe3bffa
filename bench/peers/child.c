#include "bench/peers/child.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/clock.h"
#include "dispatch/status.h"
#include "resnet/text.h"

extern char **environ;

static const size_t answer_limit = 64 << 20;
static const double farewell = 2; /* seconds */

/* ---- Beginning ---------------------------------------------------------------------------------------------- */

/* Both ends of the channel close by themselves in any other program that is started. */
static int spawn(struct sk_child *child, char *const *arguments, const char *log, int end) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int error = posix_spawn_file_actions_init(&actions);
  if (error) return error;
  error = posix_spawnattr_init(&attributes);
  if (error) {
    posix_spawn_file_actions_destroy(&actions);
    return error;
  }
  error = posix_spawn_file_actions_adddup2(&actions, end, STDIN_FILENO);
  if (!error) error = posix_spawn_file_actions_adddup2(&actions, end, STDOUT_FILENO);
  if (!error) {
    error = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0666);
  }
  /* A process group of its own: the terminal's Ctrl-C is for us, who end the child when we are done. */
  if (!error) error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  if (!error) error = posix_spawnattr_setpgroup(&attributes, 0);
  if (!error) error = posix_spawnp(&child->process, arguments[0], &actions, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

sk_status sk_child_start(struct sk_child *child, char *const *arguments, const char *log) {
  int ends[2];
  *child = (struct sk_child){.channel = -1};
  /* Sockets rather than pipes: writing to a child that has died is then an error, not a signal. */
  int error = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0 ? 0 : errno;
  if (!error) {
    error = spawn(child, arguments, log, ends[1]);
    close(ends[1]);
    if (error) close(ends[0]);
  }
  if (error) {
    child->process = 0;
    return sk_fail(SK_IO_ERROR, "%s: cannot start: %s", sk_quote(arguments[0]).text, strerror(error));
  }
  child->channel = ends[0];
  return SK_OK;
}

/* ---- Ending ------------------------------------------------------------------------------------------------- */

static void describe_ending(struct sk_child *child, int status) {
  const size_t room = sizeof child->ending;
  if (WIFSIGNALED(status)) {
    snprintf(child->ending, room, "ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
  } else {
    snprintf(child->ending, room, "ended with exit code %d", WEXITSTATUS(status));
  }
}

/* Wait for the end, and no longer than so many seconds. */
static bool has_ended(const struct sk_child *child, double seconds, int *status) {
  const double deadline = sk_clock_seconds() + seconds;
  for (;;) {
    const pid_t ended = waitpid(child->process, status, WNOHANG);
    if (ended != 0 && !(ended < 0 && errno == EINTR)) return true;
    if (sk_clock_seconds() >= deadline) return false;
    poll(NULL, 0, 5);
  }
}

/* End the child with all that it has started itself. */
static void finish(struct sk_child *child, double seconds) {
  int status = 0;
  if (child->process == 0) return;
  close(child->channel);
  child->channel = -1;
  const bool ended = has_ended(child, seconds, &status);
  kill(-child->process, SIGKILL);
  if (!ended) {
    while (waitpid(child->process, &status, 0) < 0 && errno == EINTR) continue;
  }
  child->process = 0;
  if (child->ending[0] == '\0') describe_ending(child, status);
}

void sk_child_stop(struct sk_child *child) {
  finish(child, farewell);
  free(child->answer);
  *child = (struct sk_child){.channel = -1};
}

/* End a child that does not keep to the rules, having noted which. */
static sk_status give_up(struct sk_child *child) {
  finish(child, 0);
  return SK_IO_ERROR;
}

/* ---- Lines -------------------------------------------------------------------------------------------------- */

static bool send_all(int channel, const char *data, size_t length) {
  while (length > 0) {
    const ssize_t sent = send(channel, data, length, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    data += sent;
    length -= (size_t)sent;
  }
  return true;
}

/* Wait until there is something to read, or the end of the channel; false when the time is over. */
static bool wait_readable(int channel, double deadline) {
  for (;;) {
    const double left = deadline - sk_clock_seconds();
    struct pollfd wanted = {.fd = channel, .events = POLLIN};
    if (left <= 0) return false;
    const int ready = poll(&wanted, 1, (int)ceil(fmin(left, 3600) * 1000));
    if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
  }
}

/* Make room for more of an answer, and the NUL behind it. */
static bool reserve(struct sk_child *child) {
  const size_t larger = child->capacity ? 2 * child->capacity : 4096;
  if (child->used + 1 < child->capacity) return true;
  char *grown = larger <= answer_limit ? realloc(child->answer, larger) : NULL;
  if (!grown) return false;
  child->answer = grown;
  child->capacity = larger;
  return true;
}

static bool is_whole(const struct sk_child *child) { return child->used > 0 && child->answer[child->used - 1] == '\n'; }

static sk_status read_answer(struct sk_child *child, double seconds) {
  const double deadline = sk_clock_seconds() + seconds;
  child->used = 0;
  while (child->used == 0 || !is_whole(child)) {
    if (!reserve(child)) {
      snprintf(child->ending, sizeof child->ending, "gave an answer of over %zu bytes", child->used);
      return give_up(child);
    }
    if (!wait_readable(child->channel, deadline)) {
      snprintf(child->ending, sizeof child->ending, "gave no answer within %g s", seconds);
      return give_up(child);
    }
    const ssize_t got = recv(child->channel, child->answer + child->used, child->capacity - child->used - 1, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      finish(child, farewell); /* it has closed its end: how it ended will be known in a moment */
      return SK_IO_ERROR;
    }
    child->used += (size_t)got;
  }
  child->answer[--child->used] = '\0';
  return SK_OK;
}

sk_status sk_child_ask(struct sk_child *child, const char *line, double seconds) {
  child->ending[0] = '\0';
  if (child->process == 0) {
    snprintf(child->ending, sizeof child->ending, "has ended before");
    return SK_IO_ERROR;
  }
  if (!send_all(child->channel, line, strlen(line)) || !send_all(child->channel, "\n", 1)) {
    finish(child, farewell);
    return SK_IO_ERROR;
  }
  return read_answer(child, seconds);
}
