/* JPEG, through libturbojpeg. Its defaults (slow integer DCT, smooth upsampling) are those of Pillow. */
#include "config.h"
#include "dispatch/status.h"
#include "resnet/image.h"
#include "resnet/text.h"

#if SK_HAVE_TURBOJPEG
#include <errno.h>
#include <turbojpeg.h>

/* Beneath libturbojpeg malloc has failed if errno, zero before, says so. */
static sk_status fail_jpeg(const struct sk_image_file *file, tjhandle decoder) {
  if (errno == ENOMEM) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory to decode", sk_quote(file->name).text);
  return sk_fail(SK_BAD_FORMAT, "%s: corrupt or truncated JPEG: %s", sk_quote(file->name).text,
                 sk_quote(tjGetErrorStr2(decoder)).text);
}

/* Read the size. libturbojpeg fails here for a chroma subsampling it has no name for, after it has set everything
 * else, and then decodes such an image all the same. */
static sk_status read_header(tjhandle decoder, const struct sk_image_file *file, int *width, int *height) {
  int subsampling = -1;
  int colorspace = -1;
  *width = 0;
  *height = 0;
  const int failed =
      tjDecompressHeader3(decoder, file->data, (unsigned long)file->length, width, height, &subsampling, &colorspace);
  const bool only_subsampling = subsampling < 0 && colorspace >= 0 && *width > 0 && *height > 0;
  if (failed && !only_subsampling) return fail_jpeg(file, decoder);
  if (colorspace == TJCS_CMYK || colorspace == TJCS_YCCK) {
    return sk_fail(SK_UNSUPPORTED, "%s: JPEG in CMYK colors, expected RGB, YCbCr or grayscale",
                   sk_quote(file->name).text);
  }
  return SK_OK;
}

/* A warning (premature end, bad code, stray bytes) means that the decoder guesses pixels: an error here. */
static sk_status decode(tjhandle decoder, sk_image *image, const struct sk_image_file *file) {
  int width;
  int height;
  errno = 0;
  sk_status status = read_header(decoder, file, &width, &height);
  if (!status) status = sk_image_allocate(image, file, (size_t)height, (size_t)width);
  if (status) return status;
  const int flags = TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS;
  if (tjDecompress2(decoder, file->data, (unsigned long)file->length, image->pixels, width, 0, height, TJPF_RGB,
                    flags) == 0) {
    return SK_OK;
  }
  const sk_status failed = fail_jpeg(file, decoder);
  sk_image_close(image);
  return failed;
}

sk_status sk_image_decode_jpeg(sk_image *image, const struct sk_image_file *file) {
  tjhandle decoder = tjInitDecompress();
  if (!decoder) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for a decoder", sk_quote(file->name).text);
  const sk_status status = decode(decoder, image, file);
  tjDestroy(decoder);
  return status;
}

#else

sk_status sk_image_decode_jpeg(sk_image *image, const struct sk_image_file *file) {
  (void)image;
  return sk_fail(SK_UNSUPPORTED, "%s: is a JPEG, and this build has no libturbojpeg", sk_quote(file->name).text);
}

#endif
