#include "bench/rest.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench/clock.h"

#define POLL_SECONDS 1e-3
#define BLIND_SECONDS 20e-3 /* where threads cannot be looked at */

static void sleep_for(double seconds) {
  const struct timespec pause = {.tv_sec = 0, .tv_nsec = (long)(seconds * 1e9)};
  nanosleep(&pause, NULL); /* a signal may end it early */
}

/* Whether a thread runs, or waits for a CPU to run on, by its line "number (name) state ..." in stat. */
static bool runs(const char *thread) {
  char path[64], line[128];
  snprintf(path, sizeof path, "/proc/self/task/%.32s/stat", thread);
  FILE *file = fopen(path, "r");
  if (!file) return false; /* it has ended */
  const bool has_line = fgets(line, sizeof line, file) != NULL;
  fclose(file);
  const char *const name_end = has_line ? strrchr(line, ')') : NULL;
  return name_end && name_end[1] == ' ' && name_end[2] == 'R';
}

/* Whether a thread other than the caller runs. */
static bool others_run(DIR *threads) {
  size_t running = 0;
  rewinddir(threads);
  for (const struct dirent *entry = readdir(threads); entry; entry = readdir(threads)) {
    running += entry->d_name[0] != '.' && runs(entry->d_name);
  }
  return running > 1; /* the caller is one of them */
}

bool sk_rest(void) {
  DIR *const threads = opendir("/proc/self/task");
  if (!threads) {
    sleep_for(BLIND_SECONDS);
    return true;
  }
  const double end = sk_clock_seconds() + SK_REST_SECONDS;
  bool busy = others_run(threads);
  while (busy && sk_clock_seconds() < end) {
    sleep_for(POLL_SECONDS);
    busy = others_run(threads);
  }
  closedir(threads);
  return !busy;
}
