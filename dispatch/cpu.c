/* CPU probing. CPUID tells what the CPU has, XCR0 which registers the system saves: both are needed. */
#include "dispatch/cpu.h"

#include <stdint.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>

struct cpuid_leaf {
  uint32_t eax, ebx, ecx, edx;
};

/* All zero where the CPU has no such leaf. */
static struct cpuid_leaf cpuid_part(uint32_t leaf, uint32_t part) {
  struct cpuid_leaf r = {0, 0, 0, 0};
  __get_cpuid_count(leaf, part, &r.eax, &r.ebx, &r.ecx, &r.edx);
  return r;
}

static struct cpuid_leaf cpuid(uint32_t leaf) { return cpuid_part(leaf, 0); }

static bool has(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

/* Whether the system saves these register states (XCR0 bits). */
static bool system_saves(uint32_t states) {
  if (!has(cpuid(1).ecx, bit_OSXSAVE)) return false;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return has(low, states);
}

enum { XCR0_SSE_AVX = 0x06, XCR0_OPMASK_ZMM = 0xe0 };

bool sk_cpu_has_fma(void) { return has(cpuid(1).ecx, bit_FMA | bit_AVX) && system_saves(XCR0_SSE_AVX); }

bool sk_cpu_runs_avx2(void) { return sk_cpu_has_fma() && has(cpuid(7).ebx, bit_AVX2); }

bool sk_cpu_runs_avx512(void) {
  const uint32_t needed = bit_AVX512F | bit_AVX512VL | bit_AVX512BW | bit_AVX512DQ;
  return sk_cpu_runs_avx2() && has(cpuid(7).ebx, needed) && system_saves(XCR0_SSE_AVX | XCR0_OPMASK_ZMM);
}

bool sk_cpu_runs_sse41(void) { return has(cpuid(1).ecx, bit_SSE4_1); }
bool sk_cpu_runs_neon(void) { return false; }

#elif defined(__aarch64__)
#include <sys/auxv.h>

bool sk_cpu_runs_neon(void) {
  const unsigned long asimd = 1UL << 1; /* HWCAP_ASIMD */
  return (getauxval(AT_HWCAP) & asimd) != 0;
}

bool sk_cpu_has_fma(void) { return true; }
bool sk_cpu_runs_sse41(void) { return false; }
bool sk_cpu_runs_avx2(void) { return false; }
bool sk_cpu_runs_avx512(void) { return false; }

#else

bool sk_cpu_has_fma(void) { return false; }
bool sk_cpu_runs_sse41(void) { return false; }
bool sk_cpu_runs_avx2(void) { return false; }
bool sk_cpu_runs_avx512(void) { return false; }
bool sk_cpu_runs_neon(void) { return false; }

#endif

/* ---- Caches ------------------------------------------------------------------------------------------------- */

#if defined(__x86_64__)

enum { CACHE_NONE = 0, CACHE_OF_INSTRUCTIONS = 2 };

/* Bytes of the data cache of a level as a leaf tells that lists the core's caches one by one; 0: it does not. */
static size_t listed_cache_bytes(uint32_t leaf, uint32_t level) {
  for (uint32_t i = 0;; i++) {
    const struct cpuid_leaf r = cpuid_part(leaf, i);
    const uint32_t kind = r.eax & 0x1f;
    if (kind == CACHE_NONE) return 0;
    if (kind == CACHE_OF_INSTRUCTIONS || (r.eax >> 5 & 7) != level) continue;
    const size_t line = (r.ebx & 0xfff) + 1, partitions = (r.ebx >> 12 & 0x3ff) + 1, ways = (r.ebx >> 22) + 1;
    return line * partitions * ways * ((size_t)r.ecx + 1);
  }
}

/* The C library would add up an AMD processor's L3 caches, of which a core uses one. */
static size_t probed_cache_bytes(uint32_t level) {
  const size_t intel = listed_cache_bytes(4, level);
  return intel ? intel : listed_cache_bytes(0x8000001d, level);
}

#else

static size_t probed_cache_bytes(uint32_t level) { return (void)level, 0; }

#endif

/* Ask the CPU for the size of a level, then the C library, by the name that it has there. */
static size_t cache_bytes(uint32_t level, int name, size_t otherwise) {
  const size_t probed = probed_cache_bytes(level);
  if (probed) return probed;
  const long bytes = sysconf(name);
  return bytes > 0 ? (size_t)bytes : otherwise;
}

struct sk_cpu_caches sk_cpu_caches(void) {
  struct sk_cpu_caches caches = {(size_t)32 << 10, (size_t)512 << 10, (size_t)8 << 20};
#if defined(_SC_LEVEL1_DCACHE_SIZE) && defined(_SC_LEVEL2_CACHE_SIZE) && defined(_SC_LEVEL3_CACHE_SIZE)
  caches.l1_bytes = cache_bytes(1, _SC_LEVEL1_DCACHE_SIZE, caches.l1_bytes);
  caches.l2_bytes = cache_bytes(2, _SC_LEVEL2_CACHE_SIZE, caches.l2_bytes);
  caches.l3_bytes = cache_bytes(3, _SC_LEVEL3_CACHE_SIZE, caches.l3_bytes);
#endif
  return caches;
}
