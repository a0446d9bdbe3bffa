/* A program that runs beside this one and answers lines with lines, over its standard input and output. */
#ifndef SK_BENCH_PEERS_CHILD_H
#define SK_BENCH_PEERS_CHILD_H

#include <sys/types.h>

#include "skiplane.h"

/* Zeroed, it is none that runs. */
struct sk_child {
  pid_t process; /* 0: does not run */
  int channel;
  char *answer; /* the last one; without its newline, ended by NUL */
  size_t used, capacity;
  char ending[96]; /* why there was no answer: "ended by signal 9 (Killed)" */
};

/* Start a program with its arguments, the list ended by NULL; its standard error is added to the file `log`. Ctrl-C
 * does not reach it. Errors: SK_IO_ERROR. */
sk_status sk_child_start(struct sk_child *child, char *const *arguments, const char *log);

/* Send a line (without its newline) and wait for the answer, child->answer, for so many seconds. On failure the child
 * is gone and child->ending says how; no message is recorded. Errors: SK_IO_ERROR. */
sk_status sk_child_ask(struct sk_child *child, const char *line, double seconds);

/* Close the channel, which a child takes as the wish to end; kill what has not ended two seconds later. */
void sk_child_stop(struct sk_child *child);

#endif
