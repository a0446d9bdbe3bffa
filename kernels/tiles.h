/* How a run of pixels is divided into register tiles. */
#ifndef SK_TILES_H
#define SK_TILES_H

#include <stddef.h>

static inline size_t tile_count(size_t pixels, size_t widest) { return (pixels + widest - 1) / widest; }

/* Tiles of nearly equal width: first `wide` ones of narrow + 1 pixels, then the others of narrow. Two tiles of 7 run
 * faster than one of 13 and one of 1. */
struct tiling {
  size_t tiles, wide, narrow;
};

/* Divide one pixel or more. */
static inline struct tiling divide_run(size_t pixels, size_t widest) {
  const size_t tiles = tile_count(pixels, widest);
  return (struct tiling){tiles, pixels % tiles, pixels / tiles};
}

#endif
