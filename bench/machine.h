/* The machine that a number belongs to. */
#ifndef SK_BENCH_MACHINE_H
#define SK_BENCH_MACHINE_H

#include <stddef.h>

#define SK_UNKNOWN "unknown"

enum { SK_MACHINE_TEXT = 128, SK_MACHINE_MAX_CACHES = 8 };

struct sk_cache {
  char level[16], kind[16]; /* "2", "Unified"; SK_UNKNOWN */
  size_t bytes;             /* 0: unknown */
  size_t cpus;              /* that share it; 0: unknown */
};

struct sk_machine {
  char cpu[SK_MACHINE_TEXT];            /* "AMD EPYC 9B45", SK_UNKNOWN */
  char system[SK_MACHINE_TEXT];         /* "Linux 6.1.0 x86_64" */
  size_t cpus;                          /* that this process may use */
  char governor[SK_MACHINE_TEXT];       /* of CPU 0's frequency: "performance" */
  char smt[SK_MACHINE_TEXT];            /* simultaneous multithreading: "on", "off", "not supported" */
  char virtualisation[SK_MACHINE_TEXT]; /* "none", "kvm", "hypervisor" where its name is not told */
  struct sk_cache caches[SK_MACHINE_MAX_CACHES];
  size_t cache_count; /* of CPU 0; 0 where the system does not tell */
};

/* Read what /proc and /sys tell; what they do not is "unknown". */
void sk_machine_read(struct sk_machine *machine);

#endif
