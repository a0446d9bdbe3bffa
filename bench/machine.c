#include "bench/machine.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/* ---- The CPU ------------------------------------------------------------------------------------------------ */

/* Copy the value of a "key : value" line of /proc/cpuinfo; false if the line is another. */
static bool read_field(const char *line, const char *key, char value[SK_MACHINE_TEXT]) {
  const size_t length = strlen(key);
  if (strncmp(line, key, length) != 0) return false;
  const char *colon = line + length + strspn(line + length, " \t");
  if (*colon != ':') return false;
  snprintf(value, SK_MACHINE_TEXT, "%s", colon + 1 + strspn(colon + 1, " \t"));
  value[strcspn(value, "\n")] = '\0';
  return *value != '\0';
}

/* Arm gives numbers instead of a name: the implementer's and the part's. */
static void name_cpu(struct sk_machine *machine, const char *implementer, const char *part) {
  if (strcmp(machine->cpu, SK_UNKNOWN) != 0 || !*implementer || !*part) return;
  snprintf(machine->cpu, sizeof machine->cpu, "implementer %.16s part %.16s", implementer, part);
}

static void read_cpu(struct sk_machine *machine) {
  char line[512];
  char implementer[SK_MACHINE_TEXT] = "";
  char part[SK_MACHINE_TEXT] = "";
  snprintf(machine->cpu, sizeof machine->cpu, SK_UNKNOWN);
  FILE *file = fopen("/proc/cpuinfo", "re");
  if (!file) return;
  while (fgets(line, sizeof line, file)) {
    if (read_field(line, "model name", machine->cpu)) break;
    if (!*implementer) read_field(line, "CPU implementer", implementer);
    if (!*part) read_field(line, "CPU part", part);
  }
  fclose(file);
  name_cpu(machine, implementer, part);
}

static void read_system(struct sk_machine *machine) {
  struct utsname names;
  cpu_set_t set;
  snprintf(machine->system, sizeof machine->system, SK_UNKNOWN);
  if (uname(&names) == 0) {
    snprintf(machine->system, sizeof machine->system, "%.40s %.60s %.20s", names.sysname, names.release, names.machine);
  }
  CPU_ZERO(&set);
  machine->cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : 0;
}

/* ---- What moves the clock ------------------------------------------------------------------------------------- */

/* Read the first line of a file; SK_UNKNOWN if there is none. */
static void read_line(const char *path, char value[SK_MACHINE_TEXT]) {
  snprintf(value, SK_MACHINE_TEXT, SK_UNKNOWN);
  FILE *file = fopen(path, "re");
  if (!file) return;
  char line[SK_MACHINE_TEXT];
  if (fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = '\0';
    if (*line) snprintf(value, SK_MACHINE_TEXT, "%s", line);
  }
  fclose(file);
}

/* Whether the CPU says that it runs under a hypervisor: a flag of x86's. */
static bool has_hypervisor_flag(void) {
  char line[8192];
  bool found = false;
  FILE *file = fopen("/proc/cpuinfo", "re");
  if (!file) return false;
  while (!found && fgets(line, sizeof line, file)) {
    if (strncmp(line, "flags", 5) == 0) {
      found = strstr(line, " hypervisor") != NULL;
      break;
    }
  }
  fclose(file);
  return found;
}

/* The hypervisor's name stands where the kernel or the firmware put it, if it does. */
static void read_virtualisation(char value[SK_MACHINE_TEXT]) {
  char source[SK_MACHINE_TEXT];
  read_line("/sys/hypervisor/type", value);
  if (strcmp(value, SK_UNKNOWN) != 0) return;
  const bool is_guest = has_hypervisor_flag();
  read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", source);
  if (is_guest) snprintf(value, SK_MACHINE_TEXT, "%s", strncmp(source, "kvm", 3) == 0 ? "kvm" : "hypervisor");
#if defined(__x86_64__)
  if (!is_guest) snprintf(value, SK_MACHINE_TEXT, "none");
#endif
}

static void read_clock_conditions(struct sk_machine *machine) {
  read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", machine->governor);
  read_line("/sys/devices/system/cpu/smt/control", machine->smt);
  if (strcmp(machine->smt, "notsupported") == 0) snprintf(machine->smt, sizeof machine->smt, "not supported");
  read_virtualisation(machine->virtualisation);
}

/* ---- Caches ------------------------------------------------------------------------------------------------- */

/* Read a one-line file below CPU 0's caches. */
static bool read_cache_file(size_t index, const char *name, char *value, size_t room) {
  char path[128];
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%zu/%s", index, name);
  FILE *file = fopen(path, "re");
  if (!file) return false;
  const bool has_line = fgets(value, (int)room, file) != NULL;
  fclose(file);
  if (has_line) value[strcspn(value, "\n")] = '\0';
  return has_line && *value;
}

/* "512K" -> 524288 */
static size_t parse_bytes(const char *text) {
  char *unit = NULL;
  const size_t number = strtoul(text, &unit, 10);
  if (*unit == 'K') return number << 10;
  if (*unit == 'M') return number << 20;
  return number;
}

/* "0-3,8" -> 5 */
static size_t count_list(const char *text) {
  size_t count = 0;
  while (*text) {
    char *end = NULL;
    const unsigned long first = strtoul(text, &end, 10);
    const unsigned long last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
    if (end == text || last < first) return 0;
    count += last - first + 1;
    text = *end == ',' ? end + 1 : end;
    if (*end && *end != ',') return 0;
  }
  return count;
}

static bool read_cache(size_t index, struct sk_cache *cache) {
  char text[256];
  *cache = (struct sk_cache){SK_UNKNOWN, SK_UNKNOWN, 0, 0};
  if (!read_cache_file(index, "level", cache->level, sizeof cache->level)) return false;
  read_cache_file(index, "type", cache->kind, sizeof cache->kind);
  if (read_cache_file(index, "size", text, sizeof text)) cache->bytes = parse_bytes(text);
  if (read_cache_file(index, "shared_cpu_list", text, sizeof text)) cache->cpus = count_list(text);
  return true;
}

void sk_machine_read(struct sk_machine *machine) {
  *machine = (struct sk_machine){0};
  read_cpu(machine);
  read_system(machine);
  read_clock_conditions(machine);
  while (machine->cache_count < SK_MACHINE_MAX_CACHES &&
         read_cache(machine->cache_count, &machine->caches[machine->cache_count])) {
    machine->cache_count++;
  }
}
