/* PNG, through libspng: palettes and gray become RGB, alpha is dropped, of 16 bits the high byte is taken. */
#include "config.h"
#include "dispatch/status.h"
#include "resnet/image.h"
#include "resnet/text.h"

#if SK_HAVE_SPNG
#include <errno.h>
#include <spng.h>
#include <stddef.h>
#include <string.h>

#include "dispatch/memory.h"
#include "dispatch/size.h"

enum { CHUNK_LIMIT = 64 << 20 }; /* bytes of one chunk, and of all that libspng keeps */

/* libspng says so itself only where it is not zlib that wants memory; errno, zero before, says it always. */
static sk_status fail_png(const struct sk_image_file *file, int error) {
  if (error == SPNG_EMEM || errno == ENOMEM)
    return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory to decode", sk_quote(file->name).text);
  return sk_fail(SK_BAD_FORMAT, "%s: corrupt or truncated PNG: %s", sk_quote(file->name).text, spng_strerror(error));
}

/* What libspng allocates and resizes comes from the allocator of the library, too. It resizes without telling the old
 * size, so each block begins with its own. */
union block_head {
  size_t bytes;
  max_align_t alignment;
};

static void *allocate_block(size_t bytes) {
  size_t all;
  if (!sk_size_add(bytes, sizeof(union block_head), &all)) return NULL;
  union block_head *const head = sk_malloc(all);
  if (!head) return NULL;
  head->bytes = bytes;
  return head + 1;
}

static void *allocate_zeroed_block(size_t count, size_t size) {
  size_t bytes;
  void *const block = sk_size_multiply(count, size, &bytes) ? allocate_block(bytes) : NULL;
  return block ? memset(block, 0, bytes) : NULL;
}

static void free_block(void *block) {
  if (block) sk_free((union block_head *)block - 1);
}

static void *resize_block(void *block, size_t bytes) {
  void *const larger = allocate_block(bytes);
  if (!block || !larger) return larger;
  memcpy(larger, block, sk_size_min(((union block_head *)block - 1)->bytes, bytes));
  free_block(block);
  return larger;
}

/* Give the decoder its input and strictness: a wrong checksum is an error in any chunk. */
static int set_up(spng_ctx *decoder, const struct sk_image_file *file) {
  int error = spng_set_crc_action(decoder, SPNG_CRC_ERROR, SPNG_CRC_ERROR);
  if (!error) error = spng_set_chunk_limits(decoder, CHUNK_LIMIT, CHUNK_LIMIT);
  if (!error) error = spng_set_png_buffer(decoder, file->data, file->length);
  return error;
}

static sk_status decode(spng_ctx *decoder, sk_image *image, const struct sk_image_file *file) {
  struct spng_ihdr header;
  errno = 0;
  int error = set_up(decoder, file);
  if (!error) error = spng_get_ihdr(decoder, &header);
  if (error) return fail_png(file, error);
  const sk_status status = sk_image_allocate(image, file, header.height, header.width);
  if (status) return status;
  error = spng_decode_image(decoder, image->pixels, 3 * image->height * image->width, SPNG_FMT_RGB8, 0);
  if (!error) error = spng_decode_chunks(decoder); /* up to IEND, or the file is truncated */
  if (!error) return SK_OK;
  const sk_status failed = fail_png(file, error);
  sk_image_close(image);
  return failed;
}

sk_status sk_image_decode_png(sk_image *image, const struct sk_image_file *file) {
  struct spng_alloc blocks = {.malloc_fn = allocate_block,
                              .realloc_fn = resize_block,
                              .calloc_fn = allocate_zeroed_block,
                              .free_fn = free_block};
  spng_ctx *decoder = spng_ctx_new2(&blocks, 0);
  if (!decoder) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for a decoder", sk_quote(file->name).text);
  const sk_status status = decode(decoder, image, file);
  spng_ctx_free(decoder);
  return status;
}

#else

sk_status sk_image_decode_png(sk_image *image, const struct sk_image_file *file) {
  (void)image;
  return sk_fail(SK_UNSUPPORTED, "%s: is a PNG, and this build has no libspng", sk_quote(file->name).text);
}

#endif
