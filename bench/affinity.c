#include "bench/affinity.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch/status.h"
#include "resnet/text.h"

/* ---- Lists as text ------------------------------------------------------------------------------------------ */

/* Read digits, and step over them; -1 if there are none, or too many for a CPU. */
static int read_cpu(const char **at) {
  char *end = NULL;
  if (**at < '0' || **at > '9') return -1;
  const unsigned long cpu = strtoul(*at, &end, 10);
  *at = end;
  return cpu < CPU_SETSIZE ? (int)cpu : -1;
}

/* Read "3" or "0-3", and step over it. */
static bool read_range(const char **at, struct sk_cpu_list *list) {
  const int first = read_cpu(at);
  int last = first;
  if (first >= 0 && **at == '-') {
    ++*at;
    last = read_cpu(at);
  }
  if (first < 0 || last < first) return false;
  for (int cpu = first; cpu <= last; cpu++) {
    if (list->count == SK_CPU_LIST_ROOM) return false;
    list->cpus[list->count++] = cpu;
  }
  return true;
}

sk_status sk_cpu_list_parse(const char *text, struct sk_cpu_list *list) {
  const char *at = text;
  list->count = 0;
  if (strcmp(text, "none") == 0) return SK_OK;
  while (read_range(&at, list)) {
    if (*at == '\0') return SK_OK;
    if (*at++ != ',') break;
  }
  return sk_fail(SK_INVALID_ARGUMENT, "\"%s\" is not a list of CPUs such as 0-3,8, or none", sk_quote_short(text).text);
}

struct sk_cpu_text sk_cpu_list_print(const struct sk_cpu_list *list) {
  struct sk_cpu_text to = {"none"};
  size_t used = 0;
  for (size_t i = 0; i < list->count && used < sizeof to.text; i++) {
    const size_t first = i;
    while (i + 1 < list->count && list->cpus[i + 1] == list->cpus[i] + 1) i++;
    const char *comma = first > 0 ? "," : "";
    const size_t room = sizeof to.text - used;
    used += (size_t)(i == first ? snprintf(to.text + used, room, "%s%d", comma, list->cpus[i])
                                : snprintf(to.text + used, room, "%s%d-%d", comma, list->cpus[first], list->cpus[i]));
  }
  return to;
}

/* ---- Choosing ----------------------------------------------------------------------------------------------- */

/* Whether a CPU is the first thread of its core, as far as the system tells. */
static bool is_first_of_core(int cpu) {
  char path[96];
  int first = cpu;
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
  FILE *file = fopen(path, "re");
  if (!file) return true;
  if (fscanf(file, "%d", &first) != 1) first = cpu; /* NOLINT(cert-err34-c): of the kernel's own making */
  fclose(file);
  return first == cpu;
}

/* Add the allowed CPUs that are, or are not, the first of their core. */
static void add_allowed(const cpu_set_t *allowed, bool first_of_core, size_t wanted, struct sk_cpu_list *list) {
  for (size_t cpu = 0; cpu < CPU_SETSIZE && list->count < wanted; cpu++) {
    if (CPU_ISSET(cpu, allowed) && is_first_of_core((int)cpu) == first_of_core) list->cpus[list->count++] = (int)cpu;
  }
}

static sk_status check_allowed(const cpu_set_t *allowed, const struct sk_cpu_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    if (!CPU_ISSET((size_t)list->cpus[i], allowed)) {
      return sk_fail(SK_INVALID_ARGUMENT, "cpus: this process may not use CPU %d", list->cpus[i]);
    }
  }
  return SK_OK;
}

sk_status sk_cpu_list_choose(const char *wanted, int threads, struct sk_cpu_list *list) {
  const size_t needed = (size_t)threads;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  list->count = 0;
  const bool is_known = sched_getaffinity(0, sizeof allowed, &allowed) == 0;
  if (!wanted) {
    if (!is_known || needed > SK_CPU_LIST_ROOM) return SK_OK;
    add_allowed(&allowed, true, needed, list);
    add_allowed(&allowed, false, needed, list);
    if (list->count < needed) list->count = 0;
    return SK_OK;
  }
  const sk_status status = sk_cpu_list_parse(wanted, list);
  if (status || list->count == 0) return status;
  if (list->count < needed) {
    return sk_fail(SK_INVALID_ARGUMENT, "cpus: %zu given, expected one for each of %d threads", list->count, threads);
  }
  list->count = needed;
  return is_known ? check_allowed(&allowed, list) : SK_OK;
}

/* ---- Pinning ------------------------------------------------------------------------------------------------ */

void sk_affinity_widen(const struct sk_cpu_list *list) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (size_t i = 0; i < list->count; i++) CPU_SET((size_t)list->cpus[i], &set);
  if (list->count > 0) sched_setaffinity(0, sizeof set, &set); /* the CPUs were allowed when they were chosen */
}

void sk_affinity_pin(const struct sk_cpu_list *list) {
  if (list->count == 0) return;
#pragma omp parallel for num_threads((int)list->count) schedule(static, 1)
  for (size_t i = 0; i < list->count; i++) {
    const struct sk_cpu_list own = {.count = 1, .cpus = {list->cpus[i]}};
    sk_affinity_widen(&own);
  }
}
