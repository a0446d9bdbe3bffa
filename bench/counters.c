#include "bench/counters.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dispatch/status.h"

const char *sk_counter_name(enum sk_counter counter) {
  static const char *const names[SK_COUNTER_COUNT] = {"cycles", "instructions", "cache_misses", "page_faults",
                                                      "waits",  "preemptions",  "task_clock_ms"};
  return names[counter];
}

/* ---- Refusals ------------------------------------------------------------------------------------------------- */

/* kernel.perf_event_paranoid as text; "unknown" where there is none. */
static void read_paranoia(char level[16]) {
  snprintf(level, 16, "unknown");
  FILE *file = fopen("/proc/sys/kernel/perf_event_paranoid", "re");
  if (!file) return;
  char line[16];
  if (fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = '\0';
    memcpy(level, line, sizeof line);
  }
  fclose(file);
}

struct sk_counter_reason sk_counters_explain(int error) {
  struct sk_counter_reason reason = {""};
  char paranoia[16];
  switch (error) {
    case EACCES:
    case EPERM:
      read_paranoia(paranoia);
      snprintf(reason.text, sizeof reason.text,
               "the system does not allow them: set kernel.perf_event_paranoid to 2 or less (it is %s), or give "
               "CAP_PERFMON",
               paranoia);
      break;
    case ENOENT:
    case ENODEV:
    case EOPNOTSUPP:
      snprintf(reason.text, sizeof reason.text,
               "this processor offers none, or the virtual machine hides them: a virtual PMU or bare metal would help");
      break;
    case ENOSYS:
      snprintf(reason.text, sizeof reason.text, "this system has no perf_event_open: another kernel would help");
      break;
    case EMFILE:
      snprintf(reason.text, sizeof reason.text, "too many open files: raise the limit with ulimit -n");
      break;
    default: snprintf(reason.text, sizeof reason.text, "perf_event_open: %s", strerror(error)); break;
  }
  return reason;
}

/* ---- The processor's ------------------------------------------------------------------------------------------ */

/* Open one counter for the calling thread, in user mode only, for that is what unprivileged users may. -1: errno says
 * why not. */
static int open_counter(enum sk_counter counter) {
  static const unsigned long long events[SK_COUNTER_HARDWARE] = {PERF_COUNT_HW_CPU_CYCLES, PERF_COUNT_HW_INSTRUCTIONS,
                                                                 PERF_COUNT_HW_CACHE_MISSES};
  struct perf_event_attr attributes = {
      .type = PERF_TYPE_HARDWARE,
      .size = sizeof attributes,
      .config = events[counter],
      .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
      .disabled = 1,
      .exclude_kernel = 1,
      .exclude_hv = 1,
  };
  return (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* Open all counters of the calling thread. Returns the errno of the first that there is not, 0 if there are all. */
static int open_thread(int descriptors[SK_COUNTER_HARDWARE]) {
  int error = 0;
  for (enum sk_counter counter = 0; counter < SK_COUNTER_HARDWARE; counter++) {
    descriptors[counter] = open_counter(counter);
    if (descriptors[counter] < 0 && !error) error = errno;
  }
  return error;
}

sk_status sk_counters_open(struct sk_counters *counters, int threads) {
  int error = 0;
  *counters = (struct sk_counters){.threads = threads};
  int *descriptors = calloc((size_t)threads, SK_COUNTER_HARDWARE * sizeof *descriptors);
  counters->descriptors = descriptors;
  if (!descriptors) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the counters of %d threads", threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1) reduction(max : error)
  for (int thread = 0; thread < threads; thread++) {
    const int refusal = open_thread(descriptors + (size_t)thread * SK_COUNTER_HARDWARE);
    if (refusal > error) error = refusal;
  }
  if (error) counters->unavailable = sk_counters_explain(error);
  return SK_OK;
}

static size_t descriptor_count(const struct sk_counters *counters) {
  return counters->descriptors ? (size_t)counters->threads * SK_COUNTER_HARDWARE : 0;
}

void sk_counters_close(struct sk_counters *counters) {
  for (size_t i = 0; i < descriptor_count(counters); i++) {
    if (counters->descriptors[i] >= 0) close(counters->descriptors[i]);
  }
  free(counters->descriptors);
  *counters = (struct sk_counters){0};
}

static void control(const struct sk_counters *counters, unsigned long request) {
  for (size_t i = 0; i < descriptor_count(counters); i++) {
    if (counters->descriptors[i] >= 0) ioctl(counters->descriptors[i], request, 0);
  }
}

/* Read one counter; where it had to share the hardware, what it saw stands for the whole time. NaN: nothing. */
static double read_counter(int descriptor) {
  struct {
    unsigned long long value, enabled, running;
  } reading;
  if (descriptor < 0 || read(descriptor, &reading, sizeof reading) != (ssize_t)sizeof reading) return NAN;
  if (reading.running == 0) return NAN;
  return (double)reading.value * (double)reading.enabled / (double)reading.running;
}

static double sum_threads(const struct sk_counters *counters, enum sk_counter counter) {
  double sum = 0;
  for (int thread = 0; thread < counters->threads; thread++) {
    sum += read_counter(counters->descriptors[(size_t)thread * SK_COUNTER_HARDWARE + counter]);
  }
  return sum;
}

/* ---- The system's, and all ------------------------------------------------------------------------------------ */

static double milliseconds(const struct rusage *usage) {
  const double seconds = (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec);
  return 1e3 * seconds + 1e-3 * (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
}

static void count_usage(const struct rusage *from, const struct rusage *to, double values[SK_COUNTER_COUNT]) {
  values[SK_COUNTER_PAGE_FAULTS] = (double)(to->ru_minflt + to->ru_majflt - from->ru_minflt - from->ru_majflt);
  values[SK_COUNTER_WAITS] = (double)(to->ru_nvcsw - from->ru_nvcsw);
  values[SK_COUNTER_PREEMPTIONS] = (double)(to->ru_nivcsw - from->ru_nivcsw);
  values[SK_COUNTER_TASK_CLOCK_MS] = milliseconds(to) - milliseconds(from);
}

void sk_counters_start(struct sk_counters *counters) {
  getrusage(RUSAGE_SELF, &counters->before);
  control(counters, PERF_EVENT_IOC_RESET);
  control(counters, PERF_EVENT_IOC_ENABLE);
}

void sk_counters_stop(struct sk_counters *counters, size_t runs, struct sk_counts *counts) {
  struct rusage after;
  control(counters, PERF_EVENT_IOC_DISABLE);
  getrusage(RUSAGE_SELF, &after);
  *counts = (struct sk_counts){.unavailable = counters->unavailable};
  for (enum sk_counter counter = 0; counter < SK_COUNTER_HARDWARE; counter++) {
    counts->values[counter] = sum_threads(counters, counter);
  }
  count_usage(&counters->before, &after, counts->values);
  for (size_t i = 0; i < SK_COUNTER_COUNT; i++) counts->values[i] /= (double)runs;
}
