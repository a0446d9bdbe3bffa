/*
 * A plugin of qemu that counts the instructions which a program executes, and writes the number to a file:
 *
 *   cc -shared -fPIC -DPLUGIN_VERSION=1 -o count.so count_instructions.c && qemu-aarch64 -plugin ./count.so,to=FILE
 * PROGRAM
 *
 * Debian's qemu-user comes without qemu-plugin.h; what is declared here is the part of its interface that did not
 * change from version 1 (qemu 4.2 to 8.2) to those after it, which refuse a plugin for version 1.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb; /* a piece of translated code, executed from its beginning to its end */
typedef void at_translation_fn(uint64_t id, struct qemu_plugin_tb *tb);
typedef void at_execution_fn(unsigned cpu, void *user);
typedef void at_exit_fn(uint64_t id, void *user);

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, at_translation_fn *call);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, at_execution_fn *call, int flags, void *user);
void qemu_plugin_register_atexit_cb(uint64_t id, at_exit_fn *call, void *user);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);

EXPORT int qemu_plugin_version = PLUGIN_VERSION;

static uint64_t executed;
static char path[4096];

static void count(unsigned cpu, void *user) {
  (void)cpu;
  __atomic_fetch_add(&executed, (uintptr_t)user, __ATOMIC_RELAXED);
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_cb(tb, count, 0, (void *)(uintptr_t)qemu_plugin_tb_n_insns(tb));
}

static void write_count(uint64_t id, void *user) {
  (void)id, (void)user;
  FILE *file = fopen(path, "w");
  if (!file) return;
  fprintf(file, "%llu\n", (unsigned long long)executed);
  fclose(file);
}

EXPORT int qemu_plugin_install(uint64_t id, const void *info, int count_of_arguments, char **arguments) {
  (void)info;
  if (count_of_arguments != 1 || strncmp(arguments[0], "to=", 3) != 0) return 1;
  snprintf(path, sizeof path, "%s", arguments[0] + 3);
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, write_count, NULL);
  return 0;
}
