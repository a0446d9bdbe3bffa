#include "bench/verify_guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MARGIN = 256 }; /* floats: further than any register or tile reaches by mistake */

const char *sk_guard_side_name(enum sk_guard_side side) {
  return side == SK_GUARD_AFTER ? "guard after" : "guard before";
}

float sk_canary(void) {
  const uint32_t bits = SK_CANARY;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

bool sk_is_canary(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits == SK_CANARY;
}

void sk_fill_canaries(float *data, size_t floats) {
  const float canary = sk_canary();
  for (size_t i = 0; i < floats; i++) data[i] = canary;
}

static size_t page_bytes(void) { return (size_t)sysconf(_SC_PAGESIZE); }

void sk_guard_free(struct sk_guarded *guarded) {
  const size_t page = page_bytes();
  if (guarded->map) munmap(guarded->map - page, guarded->capacity + 2 * page);
  *guarded = (struct sk_guarded){0};
}

/* Map at least `bytes` accessible bytes between two pages that are not. */
static void grow(struct sk_guarded *guarded, size_t bytes) {
  if (bytes <= guarded->capacity) return;
  sk_guard_free(guarded);
  const size_t page = page_bytes();
  const size_t capacity = (2 * bytes + page - 1) / page * page;
  void *map = mmap(NULL, capacity + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED || mprotect((unsigned char *)map + page, capacity, PROT_READ | PROT_WRITE) != 0) {
    perror("verify: mmap");
    exit(1);
  }
  guarded->map = (unsigned char *)map + page;
  guarded->capacity = capacity;
}

float *sk_guard_place(struct sk_guarded *guarded, size_t floats, enum sk_guard_side side) {
  const size_t bytes = floats * sizeof(float), margin = MARGIN * sizeof(float);
  grow(guarded, bytes + margin);
  const bool before = side == SK_GUARD_BEFORE;
  unsigned char *data = before ? guarded->map : guarded->map + guarded->capacity - bytes;
  guarded->data = (float *)(void *)data;
  guarded->floats = floats;
  guarded->margin_before = before ? 0 : MARGIN;
  guarded->margin_after = before ? MARGIN : 0;
  guarded->model = NULL;
  sk_fill_canaries(guarded->data - guarded->margin_before, floats + MARGIN);
  return guarded->data;
}

bool sk_guard_unchanged(const struct sk_guarded *guarded, char *message, size_t size) {
  const struct sk_region all = {.planes = 1, .rows = 1, .row_floats = guarded->floats};
  if (!sk_guard_only(guarded, &all, message, size)) return false;
  const unsigned char *is = (const unsigned char *)guarded->data, *was = guarded->model;
  const size_t bytes = guarded->floats * sizeof(float);
  if (memcmp(is, was, bytes) == 0) return true;
  size_t at = 0;
  while (is[at] == was[at]) at++;
  snprintf(message, size, "changed its input at float %zu of %zu", at / sizeof(float), guarded->floats);
  return false;
}

/* Tell where an overwritten float lies: `past` floats after the end of the nearest row before it, or `short_of` before
 * the start of the nearest row after it; 0 where there is no such row. */
static void describe(const struct sk_region *region, size_t past, size_t short_of, size_t row, char *message,
                     size_t size) {
  const size_t gap = region->rows > 1 ? region->row_stride - region->row_floats : MARGIN;
  const bool after = past > 0 && (short_of == 0 || past <= short_of);
  const size_t distance = after ? past : short_of;
  const char *where = after ? (distance <= gap ? "right of" : "below") : (distance <= gap ? "left of" : "above");
  const char *edge = after ? "end" : "start";
  const size_t named = after && row > 0 ? row - 1 : row;
  snprintf(message, size, "wrote %s its output, %zu floats from the %s of row %zu", where, distance, edge, named);
}

/* The first float of [from, to) that is no canary, or `to`. */
static const float *find_overwrite(const float *from, const float *to) {
  while (from < to && sk_is_canary(*from)) from++;
  return from;
}

bool sk_guard_only(const struct sk_guarded *guarded, const struct sk_region *region, char *message, size_t size) {
  const float *at = guarded->data - guarded->margin_before;
  const float *const end = guarded->data + guarded->floats + guarded->margin_after;
  const size_t rows = region->planes * region->rows;
  for (size_t n = 0; n <= rows; n++) {
    const float *next = end;
    if (n < rows) {
      next = guarded->data + n / region->rows * region->plane_stride + n % region->rows * region->row_stride;
    }
    const float *overwrite = find_overwrite(at, next);
    if (overwrite < next) {
      describe(region, n > 0 ? (size_t)(overwrite - at) + 1 : 0, n < rows ? (size_t)(next - overwrite) : 0, n, message,
               size);
      return false;
    }
    at = next + (n < rows ? region->row_floats : 0);
  }
  return true;
}
