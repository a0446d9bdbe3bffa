/* Decoders behind sk_image_open. */
#ifndef SK_RESNET_IMAGE_H
#define SK_RESNET_IMAGE_H

#include "skiplane.h"

#define SK_IMAGE_MAX_PIXELS ((size_t)64 << 20)
#define SK_IMAGE_MAX_BYTES ((size_t)1 << 30) /* of a file: twice what 64 Mi pixels of 16 bits in four channels take */

/* An encoded image in memory. */
struct sk_image_file {
  const char *name; /* for messages */
  const void *data;
  size_t length;
  size_t max_pixels; /* refused before pixels are allocated; SK_IMAGE_MAX_PIXELS but in fuzzers */
};

/* Decode a JPEG or PNG, told apart by its first bytes. *image is set only on success.
 * Errors: as sk_image_open. */
sk_status sk_image_decode(sk_image *image, const struct sk_image_file *file);

sk_status sk_image_decode_jpeg(sk_image *image, const struct sk_image_file *file);
sk_status sk_image_decode_png(sk_image *image, const struct sk_image_file *file);

/* Allocate the pixels of a decoded image. Errors: SK_BAD_FORMAT (no pixels), SK_UNSUPPORTED (over max_pixels),
 * SK_OUT_OF_MEMORY. */
sk_status sk_image_allocate(sk_image *image, const struct sk_image_file *file, size_t height, size_t width);

#endif
