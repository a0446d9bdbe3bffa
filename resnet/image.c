#include "resnet/image.h"

#include <string.h>

#include "dispatch/memory.h"
#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/file.h"
#include "resnet/text.h"

sk_status sk_image_allocate(sk_image *image, const struct sk_image_file *file, size_t height, size_t width) {
  if (height == 0 || width == 0) {
    return sk_fail(SK_BAD_FORMAT, "%s: image of %zu x %zu pixels", sk_quote(file->name).text, width, height);
  }
  size_t pixels;
  if (!sk_size_multiply(height, width, &pixels) || pixels > file->max_pixels) {
    return sk_fail(SK_UNSUPPORTED, "%s: image of %zu x %zu pixels, expected at most %zu in all",
                   sk_quote(file->name).text, width, height, file->max_pixels);
  }
  uint8_t *memory = sk_malloc(3 * pixels);
  if (!memory) {
    return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for %zu x %zu pixels", sk_quote(file->name).text, width,
                   height);
  }
  *image = (sk_image){height, width, memory};
  return SK_OK;
}

static bool begins_with(const struct sk_image_file *file, const char *magic, size_t length) {
  return file->length >= length && memcmp(file->data, magic, length) == 0;
}

static sk_status fail_unknown(const struct sk_image_file *file) {
  if (file->length == 0) return sk_fail(SK_BAD_FORMAT, "%s: empty, expected an image", sk_quote(file->name).text);
  return sk_fail(SK_BAD_FORMAT, "%s: neither JPEG nor PNG: begins with \"%s\"", sk_quote(file->name).text,
                 sk_quote_bytes(file->data, sk_size_min(file->length, 8)).text);
}

/* The content decides, not the file's name. */
sk_status sk_image_decode(sk_image *image, const struct sk_image_file *file) {
  *image = (sk_image){0};
  if (begins_with(file, "\xFF\xD8\xFF", 3)) return sk_image_decode_jpeg(image, file);
  if (begins_with(file, "\x89PNG", 4)) return sk_image_decode_png(image, file);
  return fail_unknown(file);
}

sk_status sk_image_open(sk_image *image, const char *path) {
  if (!image || !path) return sk_fail(SK_INVALID_ARGUMENT, "sk_image_open: NULL argument");
  *image = (sk_image){0};
  struct sk_file_map map;
  sk_status status = sk_file_map_open_within(&map, path, SK_IMAGE_MAX_BYTES);
  if (status) return status;
  const struct sk_image_file file = {path, map.data, map.length, SK_IMAGE_MAX_PIXELS};
  status = sk_image_decode(image, &file);
  sk_file_map_close(&map);
  return status;
}

void sk_image_close(sk_image *image) {
  if (!image) return;
  sk_free(image->pixels);
  *image = (sk_image){0};
}
