/* Whether a process stays as it is: its memory over the rounds of some work, its file descriptors and its threads. */
#ifndef SK_TESTS_SOAK_WATCH_H
#define SK_TESTS_SOAK_WATCH_H

#include <dirent.h>
#include <malloc.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* A slot keeps the least of its part of the time, so that what is watched takes no more memory for watching longer. */
enum { WATCH_SLOTS = 512, WATCH_SLOPES = WATCH_SLOTS / 2 * (WATCH_SLOTS / 2 - 1) / 2 };

enum watched { WATCH_RESIDENT, WATCH_HEAP, WATCHED };
static const char *const watched_names[WATCHED] = {"resident", "in use of the heap"};

/* Flat is what gains no more than this in 1000 rounds of the second half: a leak of 300 bytes a round gains 293. What
 * gains no more than the second limit in all of them is flat, too, for pages come and go: a trend must leave that. */
#define WATCH_SLOPE_KIB 64.0
static const double watch_scatter_kib[WATCHED] = {512, 16};

struct watch_reading {
  double kib[WATCHED];
  size_t descriptors, threads;
};

struct watch_slot {
  double round;
  double kib[WATCHED];
};

struct watch_line {
  double slope; /* KiB per 1000 rounds */
  double gain;  /* KiB: what the slope makes of the rounds of the second half */
  double least, most;
};

struct watch {
  double begin, seconds;
  struct watch_slot slots[WATCH_SLOTS]; /* round 0: no round ended in it */
  double slopes[WATCH_SLOPES];
};

static inline size_t watch_count_entries(const char *path) {
  size_t count = 0;
  DIR *folder = opendir(path);
  if (!folder) return 0;
  while (readdir(folder)) count++;
  closedir(folder);
  return count - 2; /* . and .. */
}

/* Threads that have been joined or dismissed may take a moment to go. */
static inline size_t watch_count_threads(size_t expected) {
  size_t count = watch_count_entries("/proc/self/task");
  for (int wait = 0; wait < 1000 && count > expected; wait++) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    count = watch_count_entries("/proc/self/task");
  }
  return count;
}

static inline double watch_read_resident(void) {
  unsigned long size = 0, resident = 0;
  FILE *stream = fopen("/proc/self/statm", "r");
  if (!stream) return NAN;
  const int fields = fscanf(stream, "%lu %lu", &size, &resident);
  fclose(stream);
  return fields == 2 ? (double)resident * (double)sysconf(_SC_PAGESIZE) / 1024 : NAN;
}

/* What the allocator keeps for later is no leak: it goes back to the system first. */
static inline struct watch_reading watch_read(size_t expected_threads) {
  malloc_trim(0);
  const struct mallinfo2 heap = mallinfo2();
  return (struct watch_reading){{watch_read_resident(), (double)(heap.uordblks + heap.hblkhd) / 1024},
                                watch_count_entries("/proc/self/fd"),
                                watch_count_threads(expected_threads)};
}

/* Note what was read after a round, the first of which is 1, at a time. */
static inline void watch_note(struct watch *watch, double now, double round, const struct watch_reading *reading) {
  const double part = (now - watch->begin) / watch->seconds;
  const size_t at = part < 1 ? (size_t)(part * WATCH_SLOTS) : WATCH_SLOTS - 1;
  struct watch_slot *const slot = &watch->slots[at];
  for (size_t w = 0; w < WATCHED; w++) {
    slot->kib[w] = slot->round > 0 ? fmin(slot->kib[w], reading->kib[w]) : reading->kib[w];
  }
  slot->round = round;
}

static inline int watch_compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The median of the slopes between all pairs of slots of the second half: no outlier moves it.
 * Source: Theil (1950), Sen (1968). */
static inline struct watch_line watch_fit(struct watch *watch, enum watched which) {
  struct watch_line line = {NAN, NAN, INFINITY, -INFINITY};
  double first = INFINITY, last = 0;
  size_t count = 0;
  for (size_t i = WATCH_SLOTS / 2; i < WATCH_SLOTS; i++) {
    const struct watch_slot *const a = &watch->slots[i];
    if (a->round <= 0) continue;
    line.least = fmin(line.least, a->kib[which]);
    line.most = fmax(line.most, a->kib[which]);
    first = fmin(first, a->round);
    last = fmax(last, a->round);
    for (size_t j = WATCH_SLOTS / 2; j < i; j++) {
      const struct watch_slot *const b = &watch->slots[j];
      if (b->round > 0) watch->slopes[count++] = 1000 * (a->kib[which] - b->kib[which]) / (a->round - b->round);
    }
  }
  if (count == 0) return line;
  qsort(watch->slopes, count, sizeof *watch->slopes, watch_compare);
  line.slope = watch->slopes[count / 2];
  line.gain = line.slope * (last - first) / 1000;
  return line;
}

/* Print each line; returns whether all are flat. Without a slope there is none that is flat. */
static inline bool watch_report(struct watch *watch) {
  bool are_flat = true;
  for (size_t w = 0; w < WATCHED; w++) {
    const struct watch_line line = watch_fit(watch, (enum watched)w);
    const bool is_flat = line.slope <= WATCH_SLOPE_KIB || line.gain <= watch_scatter_kib[w];
    printf("soak: memory %s, second half: %.0f to %.0f KiB, slope %+.2f KiB per 1000 rounds, %+.1f KiB in all: %s\n",
           watched_names[w], line.least, line.most, line.slope, line.gain, is_flat ? "flat" : "NOT FLAT");
    are_flat = are_flat && is_flat;
  }
  return are_flat;
}

#endif
