/* skiplane info: the machine and the build, as a report of a bug or a benchmark should have them. */
#include <stdio.h>
#include <string.h>

#include "bench/commands.h"
#include "bench/json_output.h"
#include "bench/machine.h"
#include "bench/terminal.h"
#include "config.h"
#include "dispatch/isa.h"

#include <sleef.h>
#if SK_HAVE_OPENBLAS
#include <cblas.h>
#endif
#if SK_HAVE_SPNG
#include <spng.h>
#endif

/* ---- Libraries ---------------------------------------------------------------------------------------------- */

enum { LIBRARIES = 6 };

struct library {
  const char *name;
  char version[200]; /* empty: not in this build */
};

static void set(struct library *library, const char *name, const char *version) {
  library->name = name;
  snprintf(library->version, sizeof library->version, "%s", version);
}

/* OpenMP tells the month of its specification. */
static const char *openmp_version(void) {
#if defined(_OPENMP)
  return _OPENMP >= 202111 ? "5.2" : _OPENMP >= 202011 ? "5.1" : _OPENMP >= 201811 ? "5.0" : "4.5";
#else
  return "";
#endif
}

static void list_libraries(struct library libraries[LIBRARIES]) {
  char sleef[48];
  snprintf(sleef, sizeof sleef, "%d.%d.%d", SLEEF_VERSION_MAJOR, SLEEF_VERSION_MINOR, SLEEF_VERSION_PATCHLEVEL);
  set(&libraries[0], "SLEEF", sleef);
  set(&libraries[1], "cJSON", cJSON_Version());
  set(&libraries[2], "OpenMP", openmp_version());
#if SK_HAVE_OPENBLAS
  set(&libraries[3], "OpenBLAS", openblas_get_config());
#else
  set(&libraries[3], "OpenBLAS", "");
#endif
  set(&libraries[4], "libturbojpeg", SK_HAVE_TURBOJPEG ? "present" : ""); /* 2.x cannot be asked for its version */
#if SK_HAVE_SPNG
  set(&libraries[5], "libspng", spng_version_string());
#else
  set(&libraries[5], "libspng", "");
#endif
}

/* ---- Text --------------------------------------------------------------------------------------------------- */

/* Print the names of the ISAs that a predicate holds for. */
static void print_isas(const char *title, bool (*holds)(sk_isa)) {
  printf("%s", title);
  for (int isa = SK_ISA_GENERIC; isa < SK_ISA_COUNT; isa++) {
    if (holds((sk_isa)isa)) printf(" %s", sk_isa_name((sk_isa)isa));
  }
  putchar('\n');
}

static void print_cache(const struct sk_cache *cache) {
  const bool unified = strcmp(cache->kind, "Unified") == 0;
  printf("  L%s%s%s ", cache->level, unified ? "" : " ", unified ? "" : cache->kind);
  if (cache->bytes == 0) {
    fputs(SK_UNKNOWN, stdout);
  } else if (cache->bytes % (1U << 20) == 0) {
    printf("%zu MiB", cache->bytes >> 20);
  } else {
    printf("%zu KiB", cache->bytes >> 10);
  }
  if (cache->cpus > 1) printf(", shared by %zu CPUs", cache->cpus);
  putchar('\n');
}

static void print_text(const struct sk_machine *machine, const struct library *libraries, sk_isa chosen) {
  printf("skiplane       %s\n", sk_version());
  printf("compiler       %s, flags: %s\n", SK_BUILD_COMPILER, SK_BUILD_FLAGS);
  printf("system         %s\n", machine->system);
  fputs("CPU            ", stdout);
  sk_terminal_put(stdout, machine->cpu);
  printf(", %zu usable\n", machine->cpus);
  print_isas("ISAs built    ", sk_isa_built);
  print_isas("ISAs available", sk_isa_available);
  if (sk_isa_emulated(SK_ISA_AVX512)) puts("ISAs emulated  avx512: this build is for tests and times nothing");
  printf("ISA chosen     %s\n", sk_isa_name(chosen));
  printf("threads        %d\n", sk_threads_choose(0));
  printf("caches%s\n", machine->cache_count ? "" : "         " SK_UNKNOWN);
  for (size_t i = 0; i < machine->cache_count; i++) print_cache(&machine->caches[i]);
  printf("libraries\n");
  for (size_t i = 0; i < LIBRARIES; i++) {
    printf("  %-12s %s\n", libraries[i].name, *libraries[i].version ? libraries[i].version : "not in this build");
  }
}

/* ---- JSON --------------------------------------------------------------------------------------------------- */

static void add_isas(struct sk_json *json) {
  cJSON *list = sk_json_list(json, json->root, "isas");
  for (int isa = SK_ISA_GENERIC; isa < SK_ISA_COUNT; isa++) {
    cJSON *object = sk_json_object(json, list, NULL);
    sk_json_text(json, object, "name", sk_isa_name((sk_isa)isa));
    sk_json_bool(json, object, "built", sk_isa_built((sk_isa)isa));
    sk_json_bool(json, object, "available", sk_isa_available((sk_isa)isa));
    sk_json_bool(json, object, "emulated", sk_isa_emulated((sk_isa)isa));
  }
}

static void add_caches(struct sk_json *json, const struct sk_machine *machine) {
  cJSON *list = sk_json_list(json, json->root, "caches");
  for (size_t i = 0; i < machine->cache_count; i++) {
    const struct sk_cache *cache = &machine->caches[i];
    cJSON *object = sk_json_object(json, list, NULL);
    sk_json_text(json, object, "level", cache->level);
    sk_json_text(json, object, "kind", cache->kind);
    sk_json_size(json, object, "bytes", cache->bytes);
    sk_json_size(json, object, "cpus", cache->cpus);
  }
}

static void add_libraries(struct sk_json *json, const struct library *libraries) {
  cJSON *object = sk_json_object(json, json->root, "libraries");
  for (size_t i = 0; i < LIBRARIES; i++) {
    sk_json_text(json, object, libraries[i].name, *libraries[i].version ? libraries[i].version : NULL);
  }
}

static sk_status write_json(const char *path, const struct sk_machine *machine, const struct library *libraries,
                            sk_isa chosen) {
  struct sk_json json;
  sk_json_begin(&json);
  sk_json_text(&json, json.root, "version", sk_version());
  sk_json_text(&json, json.root, "compiler", SK_BUILD_COMPILER);
  sk_json_text(&json, json.root, "flags", SK_BUILD_FLAGS);
  sk_json_text(&json, json.root, "system", machine->system);
  sk_json_text(&json, json.root, "cpu", machine->cpu);
  sk_json_size(&json, json.root, "cpus", machine->cpus);
  add_isas(&json);
  sk_json_text(&json, json.root, "isa", sk_isa_name(chosen));
  sk_json_number(&json, json.root, "threads", sk_threads_choose(0));
  add_caches(&json, machine);
  add_libraries(&json, libraries);
  return sk_json_finish(&json, path);
}

enum sk_exit sk_command_info(const struct sk_options *options) {
  struct sk_machine machine;
  struct library libraries[LIBRARIES];
  sk_isa chosen = SK_ISA_AUTO;
  sk_status status = sk_isa_choose(SK_ISA_AUTO, &chosen);
  if (status) return sk_fail_status(options, status);
  sk_machine_read(&machine);
  list_libraries(libraries);
  if (!options->json) {
    print_text(&machine, libraries, chosen);
    return SK_EXIT_SUCCESS;
  }
  status = write_json(options->json_path, &machine, libraries, chosen);
  return status ? sk_fail_status(options, status) : SK_EXIT_SUCCESS;
}
