/* What the library finds out about the CPU, beside what the system says. */
#include <criterion/criterion.h>
#include <string.h>

#include "bench/machine.h"
#include "dispatch/cpu.h"

/* The bytes of a level's data cache by the system's account; 0 if it gives none. */
static size_t told_bytes(const struct sk_machine *machine, const char *level) {
  for (size_t i = 0; i < machine->cache_count; i++) {
    const struct sk_cache *const cache = &machine->caches[i];
    if (!strcmp(cache->level, level) && strcmp(cache->kind, "Instruction")) return cache->bytes;
  }
  return 0;
}

/* The C library adds up the L3 caches of an AMD processor's chiplets. Where nothing but it is asked, as on Arm, the
 * library's answers may be guesses. */
Test(cpu, caches_are_those_of_one_core) {
#if !defined(__x86_64__)
  cr_skip_test("CPUID alone is asked for caches");
#endif
  struct sk_machine machine;
  sk_machine_read(&machine);
  const struct sk_cpu_caches caches = sk_cpu_caches();
  const size_t found[] = {caches.l1_bytes, caches.l2_bytes, caches.l3_bytes};
  static const char *const levels[] = {"1", "2", "3"};
  for (size_t i = 0; i < 3; i++) {
    const size_t told = told_bytes(&machine, levels[i]);
    if (told) cr_expect_eq(found[i], told, "L%s: %zu bytes, the system says %zu", levels[i], found[i], told);
  }
}
