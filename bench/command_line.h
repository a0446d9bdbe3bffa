/* What was asked, and when: for documents that have to be reproduced. */
#ifndef SK_BENCH_COMMAND_LINE_H
#define SK_BENCH_COMMAND_LINE_H

struct sk_command_line {
  char text[1024]; /* "skiplane profile resnet50 -t 1", cut if it is longer */
};

/* The command line of this process, words quoted where a shell needs it; "skiplane" where the system does not tell. */
struct sk_command_line sk_command_line(void);

struct sk_date {
  char text[24]; /* "2026-11-24T10:20:00Z" */
};

/* The time of day, in UTC. */
struct sk_date sk_date_now(void);

#endif
