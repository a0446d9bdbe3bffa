/* Line by line, with the instructions made for it: exact whatever the size and the policy of the caches, where a walk
 * over a large buffer only hopes to displace the data, and takes far longer. */
#include "bench/flush.h"

#include <stdint.h>

#if defined(__x86_64__)
#include <emmintrin.h>

bool sk_flush_is_available(void) { return true; }

static size_t line_bytes(void) { return 64; }
static void flush_line(uintptr_t line) { _mm_clflush((const void *)line); }
static void wait_for_flushes(void) { _mm_mfence(); }

#elif defined(__aarch64__)

bool sk_flush_is_available(void) { return true; }

/* CTR_EL0.DminLine: log2 of the words in the smallest line of any data cache. */
static size_t line_bytes(void) {
  uint64_t type;
  __asm__("mrs %0, ctr_el0" : "=r"(type));
  return (size_t)4 << (type >> 16 & 15);
}

static void flush_line(uintptr_t line) { __asm__ volatile("dc civac, %0" : : "r"(line) : "memory"); }
static void wait_for_flushes(void) { __asm__ volatile("dsb ish" : : : "memory"); }

#else

bool sk_flush_is_available(void) { return false; }

static size_t line_bytes(void) { return 64; }
static void flush_line(uintptr_t line) { (void)line; }
static void wait_for_flushes(void) {}

#endif

void sk_flush(const void *data, size_t bytes) {
  const size_t step = line_bytes();
  const uintptr_t first = (uintptr_t)data / step * step;
  const uintptr_t end = (uintptr_t)data + bytes;
  for (uintptr_t line = first; line < end; line += step) flush_line(line);
  wait_for_flushes();
}
