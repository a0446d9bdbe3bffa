/* Arrays between guard pages: an access past an end faults, or meets a canary that is checked afterwards. */
#ifndef SK_BENCH_VERIFY_GUARD_H
#define SK_BENCH_VERIFY_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What no kernel computes: a NaN with a payload of its own. It fills outputs before a run, and poisons inputs where no
 * kernel may look. */
#define SK_CANARY ((uint32_t)0x7fc5a3e1)

/* Which end of the array touches an inaccessible page. The other end has a margin of canaries. */
enum sk_guard_side { SK_GUARD_AFTER, SK_GUARD_BEFORE, SK_GUARD_SIDES };

const char *sk_guard_side_name(enum sk_guard_side side); /* "guard after" */

/* A mapping that grows and is used again and again, and the array that lies in it now. Zero-initialise. */
struct sk_guarded {
  unsigned char *map; /* the accessible part */
  size_t capacity;    /* of it, in bytes */
  float *data;
  size_t floats;
  size_t margin_before, margin_after; /* floats of canaries */
  const void *model;                  /* what an input must still hold after the run; NULL for an output */
};

/* The elements of an array that belong to an output: planes x rows x row_floats. */
struct sk_region {
  size_t planes, plane_stride;
  size_t rows, row_stride;
  size_t row_floats;
};

float sk_canary(void);
bool sk_is_canary(float value);
void sk_fill_canaries(float *data, size_t floats);

/* Lay out an array of canaries. If `floats` is a multiple of 16, it is 64-byte aligned. Exits if there is no memory. */
float *sk_guard_place(struct sk_guarded *guarded, size_t floats, enum sk_guard_side side);
void sk_guard_free(struct sk_guarded *guarded);

/* Whether an input still holds its model, and its margins canaries. Otherwise describes the first change. */
bool sk_guard_unchanged(const struct sk_guarded *guarded, char *message, size_t size);

/* Whether all outside the region is still canaries. Otherwise describes the first overwrite: above, below, left or
 * right of the region's rows. */
bool sk_guard_only(const struct sk_guarded *guarded, const struct sk_region *region, char *message, size_t size);

#endif
