/* Decoding, resizing and preparing images, against Pillow and torchvision's arithmetic.
 *
 * The golden hashes are FNV-1a over the bytes of Pillow 9.4's result for the image of make_pattern, computed once:
 *   y, x, c = numpy.mgrid[0:h, 0:w, 0:3]; a = ((x*7 + y*13 + c*29 + (x*y)%31*5) & 255).astype(numpy.uint8)
 *   numpy.asarray(Image.fromarray(a).resize((W, H), Image.BILINEAR)).tobytes() */
#define _XOPEN_SOURCE 700

#include "resnet/image.h"

#include <math.h>

#include "config.h"
#include "tests/temporary_folder.h"

#if SK_HAVE_TURBOJPEG
#include <turbojpeg.h>
#endif
#if SK_HAVE_SPNG
#include <spng.h>
#endif

TestSuite(image, .init = make_folder, .fini = remove_folder);

static uint32_t hash(const void *data, size_t bytes) {
  uint32_t value = 0x811C9DC5U;
  for (size_t i = 0; i < bytes; i++) value = (value ^ ((const unsigned char *)data)[i]) * 0x01000193U;
  return value;
}

static uint8_t pattern_at(size_t y, size_t x, size_t channel) {
  return (uint8_t)(x * 7 + y * 13 + channel * 29 + x * y % 31 * 5);
}

static sk_image make_pattern(size_t height, size_t width) {
  const sk_image image = {height, width, malloc(3 * height * width)};
  cr_assert_not_null(image.pixels);
  for (size_t i = 0; i < 3 * height * width; i++) image.pixels[i] = pattern_at(i / 3 / width, i / 3 % width, i % 3);
  return image;
}

static void assert_status(sk_status status, sk_status expected, const char *part) {
  cr_assert_eq(status, expected, "status \"%s\": %s", sk_status_name(status), sk_error_message());
  if (expected) cr_assert_not_null(strstr(sk_error_message(), part), "\"%s\" lacks \"%s\"", sk_error_message(), part);
}

static void assert_open_refused(const char *path, sk_status expected, const char *part) {
  sk_image image = {1, 1, NULL};
  assert_status(sk_image_open(&image, path), expected, part);
  cr_assert_not_null(strstr(sk_error_message(), path), "\"%s\" names no file", sk_error_message());
  cr_assert_null(image.pixels);
  cr_assert_eq(image.height, 0);
}

static void assert_bytes_refused(const char *name, const void *data, size_t length, sk_status expected,
                                 const char *part) {
  char *path = put_file(name, data, length);
  assert_open_refused(path, expected, part);
  free(path);
}

/* ---- Files -------------------------------------------------------------------------------------------------- */

Test(image, refuses_what_is_no_image) {
  char *missing = path_of("missing.jpg");
  assert_open_refused(missing, SK_IO_ERROR, "No such file");
  assert_open_refused(temporary_folder, SK_IO_ERROR, "a folder");
  assert_bytes_refused("empty.png", "", 0, SK_BAD_FORMAT, "empty");
  assert_bytes_refused("text.jpg", "hello\x1B[1m", 9, SK_BAD_FORMAT,
                       "neither JPEG nor PNG: begins with \"hello\\x1b[1\"");
  assert_bytes_refused("short.jpg", "\xFF\xD8", 2, SK_BAD_FORMAT, "neither JPEG nor PNG");
  cr_assert_eq(sk_image_open(NULL, missing), SK_INVALID_ARGUMENT);
  free(missing);
}

Test(image, closing_twice_is_harmless) {
  sk_image image = make_pattern(2, 2);
  sk_image_close(&image);
  cr_assert_null(image.pixels);
  sk_image_close(&image);
  sk_image_close(NULL);
}

/* ---- JPEG --------------------------------------------------------------------------------------------------- */

#if SK_HAVE_TURBOJPEG
/* The pattern of 19 x 21 at quality 25, 4:2:0: im.save(f, "JPEG", quality=25, subsampling=2, optimize=True). */
static const uint8_t pillow_jpeg[461] = {
    0xFF, 0xD8, 0xFF, 0xE0, 0x00, 0x10, 0x4A, 0x46, 0x49, 0x46, 0x00, 0x01, 0x01, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00,
    0x00, 0xFF, 0xDB, 0x00, 0x43, 0x00, 0x20, 0x16, 0x18, 0x1C, 0x18, 0x14, 0x20, 0x1C, 0x1A, 0x1C, 0x24, 0x22, 0x20,
    0x26, 0x30, 0x50, 0x34, 0x30, 0x2C, 0x2C, 0x30, 0x62, 0x46, 0x4A, 0x3A, 0x50, 0x74, 0x66, 0x7A, 0x78, 0x72, 0x66,
    0x70, 0x6E, 0x80, 0x90, 0xB8, 0x9C, 0x80, 0x88, 0xAE, 0x8A, 0x6E, 0x70, 0xA0, 0xDA, 0xA2, 0xAE, 0xBE, 0xC4, 0xCE,
    0xD0, 0xCE, 0x7C, 0x9A, 0xE2, 0xF2, 0xE0, 0xC8, 0xF0, 0xB8, 0xCA, 0xCE, 0xC6, 0xFF, 0xDB, 0x00, 0x43, 0x01, 0x22,
    0x24, 0x24, 0x30, 0x2A, 0x30, 0x5E, 0x34, 0x34, 0x5E, 0xC6, 0x84, 0x70, 0x84, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6,
    0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6,
    0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6,
    0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xC6, 0xFF, 0xC0, 0x00, 0x11, 0x08, 0x00, 0x13, 0x00, 0x15, 0x03, 0x01, 0x22, 0x00,
    0x02, 0x11, 0x01, 0x03, 0x11, 0x01, 0xFF, 0xC4, 0x00, 0x18, 0x00, 0x01, 0x01, 0x01, 0x01, 0x01, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x01, 0x04, 0xFF, 0xC4, 0x00, 0x28, 0x10, 0x00,
    0x02, 0x01, 0x02, 0x03, 0x07, 0x05, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x11, 0x02, 0x00,
    0x03, 0x12, 0x21, 0x41, 0x04, 0x22, 0x31, 0x51, 0x61, 0x71, 0x91, 0x13, 0x23, 0x81, 0xB1, 0xC1, 0xF0, 0xFF, 0xC4,
    0x00, 0x18, 0x01, 0x01, 0x00, 0x03, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x02, 0x03, 0x05, 0xFF, 0xC4, 0x00, 0x1E, 0x11, 0x01, 0x01, 0x00, 0x01, 0x03, 0x05, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x02, 0x03, 0x11, 0x21, 0x12, 0x13, 0x22, 0x32, 0x41, 0xFF,
    0xDA, 0x00, 0x0C, 0x03, 0x01, 0x00, 0x02, 0x11, 0x03, 0x11, 0x00, 0x3F, 0x00, 0x9B, 0x1B, 0x25, 0xAB, 0x76, 0x84,
    0xAE, 0x06, 0x4F, 0x08, 0xF3, 0xE6, 0x7A, 0x0E, 0xB5, 0x72, 0x9C, 0x22, 0x0E, 0x18, 0x80, 0x99, 0x08, 0x00, 0xC7,
    0xCB, 0x7D, 0xD0, 0x15, 0x17, 0xEF, 0x7B, 0x93, 0x88, 0x1B, 0xB1, 0xC8, 0x83, 0x1C, 0x8E, 0x1D, 0x3C, 0xB2, 0x7A,
    0x0A, 0x88, 0x8B, 0xB3, 0x91, 0x33, 0xD5, 0x92, 0x4A, 0xE3, 0xFD, 0xFA, 0x95, 0x4F, 0x26, 0x00, 0x2A, 0x96, 0xD1,
    0x2C, 0x45, 0x08, 0x12, 0xF8, 0x33, 0x1F, 0xA2, 0xBC, 0x52, 0xBB, 0x1D, 0x99, 0xC0, 0x30, 0xCE, 0xA3, 0xD3, 0xC4,
    0xA9, 0x4F, 0x41, 0x3D, 0xC7, 0xE5, 0x94, 0x4E, 0x21, 0x76, 0x72, 0x46, 0x41, 0xC9, 0xAD, 0x77, 0x4D, 0x7B, 0xAD,
    0x5B, 0x8A, 0x04, 0x04, 0x71, 0x01, 0x97, 0x72, 0x3F, 0x05, 0x29, 0x4B, 0xC1, 0xC5, 0x5C, 0xBD, 0x9B, 0x4B, 0x31,
    0x17, 0x63, 0xBE, 0xF2, 0x69, 0x15, 0xA9, 0x1A, 0x76, 0x14, 0xA5, 0x2B, 0x99, 0xAF, 0x9E, 0x46, 0xA2, 0x0D, 0xA6,
    0xE8, 0xEC, 0x5F, 0xFF, 0xD9};

/* Encode the pattern; free the result with tjFree. */
static unsigned char *encode_jpeg(size_t height, size_t width, int format, int subsampling, int flags,
                                  unsigned long *length) {
  sk_image image = make_pattern(height, width * 2); /* room for the 4 channels of CMYK */
  unsigned char *jpeg = NULL;
  tjhandle encoder = tjInitCompress();
  cr_assert_eq(
      tjCompress2(encoder, image.pixels, (int)width, 0, (int)height, format, &jpeg, length, subsampling, 90, flags), 0);
  tjDestroy(encoder);
  sk_image_close(&image);
  return jpeg;
}

Test(image, decodes_jpeg_as_pillow_does) {
  char *path = put_file("a.jpg", pillow_jpeg, sizeof pillow_jpeg);
  sk_image image;
  assert_status(sk_image_open(&image, path), SK_OK, "");
  cr_assert_eq(image.height, 19);
  cr_assert_eq(image.width, 21);
  cr_assert_eq(hash(image.pixels, 3 * 19 * 21), 0xA05B37CFU); /* numpy.asarray(Image.open(f).convert("RGB")) */
  sk_image_close(&image);
  free(path);
}

Test(image, grayscale_jpeg_becomes_rgb) {
  unsigned long length;
  unsigned char *jpeg = encode_jpeg(9, 7, TJPF_GRAY, TJSAMP_GRAY, 0, &length);
  char *path = put_file("gray.png", jpeg, length); /* its content counts, not its name */
  sk_image image;
  assert_status(sk_image_open(&image, path), SK_OK, "");
  cr_assert_eq(image.height, 9);
  cr_assert_eq(image.width, 7);
  for (size_t i = 0; i < 9 * 7; i++) {
    cr_assert_eq(image.pixels[3 * i], image.pixels[3 * i + 1]);
    cr_assert_eq(image.pixels[3 * i], image.pixels[3 * i + 2]);
  }
  sk_image_close(&image);
  free(path);
  tjFree(jpeg);
}

Test(image, refuses_cmyk_jpeg) {
  unsigned long length;
  unsigned char *jpeg = encode_jpeg(9, 7, TJPF_CMYK, TJSAMP_444, 0, &length);
  assert_bytes_refused("cmyk.jpg", jpeg, length, SK_UNSUPPORTED, "CMYK");
  tjFree(jpeg);
}

static void assert_truncations_refused(const unsigned char *data, size_t length) {
  for (size_t cut = 0; cut < length; cut++) {
    unsigned char *exact = malloc(cut ? cut : 1); /* so that sanitizers see any byte read beyond it */
    cr_assert_not_null(exact);
    memcpy(exact, data, cut);
    const struct sk_image_file file = {"cut", exact, cut, SK_IMAGE_MAX_PIXELS};
    sk_image image;
    cr_assert_eq(sk_image_decode(&image, &file), SK_BAD_FORMAT, "cut to %zu of %zu: %s", cut, length,
                 sk_error_message());
    cr_assert_null(image.pixels);
    free(exact);
  }
}

Test(image, refuses_every_truncation_of_jpeg) {
  unsigned long length;
  assert_truncations_refused(pillow_jpeg, sizeof pillow_jpeg);
  unsigned char *progressive = encode_jpeg(20, 20, TJPF_RGB, TJSAMP_420, TJFLAG_PROGRESSIVE, &length);
  assert_truncations_refused(progressive, length);
  tjFree(progressive);
}

Test(image, refuses_corrupt_jpeg) {
  uint8_t jpeg[sizeof pillow_jpeg];
  memcpy(jpeg, pillow_jpeg, sizeof jpeg);
  memset(jpeg + sizeof jpeg - 60, 0xFE, 40); /* inside the entropy-coded data */
  assert_bytes_refused("corrupt.jpg", jpeg, sizeof jpeg, SK_BAD_FORMAT, "corrupt or truncated JPEG");
}

/* The frame header (FF C0, length, precision, height, width) begins at byte 158. */
static void put_jpeg_size(uint8_t *jpeg, size_t height, size_t width) {
  memcpy(jpeg, pillow_jpeg, sizeof pillow_jpeg);
  cr_assert_eq(jpeg[158], 0xFF);
  cr_assert_eq(jpeg[159], 0xC0);
  jpeg[163] = (uint8_t)(height >> 8);
  jpeg[164] = (uint8_t)height;
  jpeg[165] = (uint8_t)(width >> 8);
  jpeg[166] = (uint8_t)width;
}

Test(image, refuses_huge_jpeg) {
  uint8_t jpeg[sizeof pillow_jpeg];
  put_jpeg_size(jpeg, 20000, 20000);
  assert_bytes_refused("huge.jpg", jpeg, sizeof jpeg, SK_UNSUPPORTED,
                       "20000 x 20000 pixels, expected at most 67108864");
  put_jpeg_size(jpeg, 0, 20);
  assert_bytes_refused("flat.jpg", jpeg, sizeof jpeg, SK_BAD_FORMAT, "");
}

/* The limit itself is allowed: one pixel less is not. */
Test(image, the_pixel_limit_is_exact) {
  struct sk_image_file file = {"a.jpg", pillow_jpeg, sizeof pillow_jpeg, 19 * 21};
  sk_image image;
  assert_status(sk_image_decode(&image, &file), SK_OK, "");
  sk_image_close(&image);
  file.max_pixels--;
  assert_status(sk_image_decode(&image, &file), SK_UNSUPPORTED, "21 x 19 pixels, expected at most 398");
}
#else
Test(image, a_build_without_libturbojpeg_says_so) {
  assert_bytes_refused("a.jpg", "\xFF\xD8\xFF\xE0", 4, SK_UNSUPPORTED, "libturbojpeg");
}
#endif

/* ---- PNG ---------------------------------------------------------------------------------------------------- */

#if SK_HAVE_SPNG
struct png_case {
  uint8_t color_type, bit_depth, interlace;
  size_t channels; /* as stored */
};

enum { PNG_HEIGHT = 5, PNG_WIDTH = 9, PALETTE_SIZE = 4 };

static struct spng_plte make_palette(void) {
  struct spng_plte palette = {.n_entries = PALETTE_SIZE};
  for (unsigned i = 0; i < PALETTE_SIZE; i++) {
    palette.entries[i] = (struct spng_plte_entry){(uint8_t)(i * 60), (uint8_t)(255 - i), (uint8_t)(i * i), 255};
  }
  return palette;
}

/* One sample of the test image: `bits` bits; of 16 bits, the low byte differs from the high one. */
static unsigned sample_at(size_t y, size_t x, size_t channel, unsigned bits) {
  const unsigned value = pattern_at(y, x, channel);
  return bits == 16 ? value << 8 | (value ^ 0xA5U) : value >> (8 - bits);
}

/* Fill rows as PNG packs them: samples in order, the first in the high bits, 16 bits in the host's order. */
static size_t pack_rows(const struct png_case *png, unsigned char *rows) {
  const size_t pitch = (PNG_WIDTH * png->channels * png->bit_depth + 7) / 8;
  memset(rows, 0, pitch * PNG_HEIGHT);
  for (size_t y = 0; y < PNG_HEIGHT; y++) {
    for (size_t i = 0; i < PNG_WIDTH * png->channels; i++) {
      const unsigned sample = sample_at(y, i / png->channels, i % png->channels, png->bit_depth);
      const size_t bit = i * png->bit_depth;
      unsigned char *at = rows + y * pitch + bit / 8;
      if (png->bit_depth == 16) {
        const uint16_t wide = (uint16_t)sample;
        memcpy(at, &wide, sizeof wide);
      } else {
        *at |= (unsigned char)(sample << (8 - png->bit_depth - bit % 8));
      }
    }
  }
  return pitch * PNG_HEIGHT;
}

/* Encode the test image, with a transparency chunk where the color type may have one; free the result. */
static unsigned char *encode_png(const struct png_case *png, size_t *length) {
  unsigned char rows[PNG_HEIGHT * PNG_WIDTH * 8];
  const size_t bytes = pack_rows(png, rows);
  struct spng_ihdr header = {PNG_WIDTH, PNG_HEIGHT, png->bit_depth, png->color_type, 0, 0, png->interlace};
  struct spng_plte palette = make_palette();
  if (png->bit_depth == 1) palette.n_entries = 2;
  struct spng_trns transparency = {.n_type3_entries = 2, .type3_alpha = {0, 128}};
  spng_ctx *encoder = spng_ctx_new(SPNG_CTX_ENCODER);
  int error = spng_set_option(encoder, SPNG_ENCODE_TO_BUFFER, 1);
  if (!error) error = spng_set_ihdr(encoder, &header);
  if (!error && png->color_type == SPNG_COLOR_TYPE_INDEXED) error = spng_set_plte(encoder, &palette);
  if (!error && png->color_type <= SPNG_COLOR_TYPE_INDEXED) error = spng_set_trns(encoder, &transparency);
  if (!error) error = spng_encode_image(encoder, rows, bytes, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
  cr_assert_eq(error, 0, "color type %d, %d bits: %s", png->color_type, png->bit_depth, spng_strerror(error));
  unsigned char *result = spng_get_png_buffer(encoder, length, &error);
  cr_assert_eq(error, 0, "%s", spng_strerror(error));
  spng_ctx_free(encoder);
  return result;
}

/* What a pixel of the test image should become. */
static unsigned expected_at(const struct png_case *png, size_t y, size_t x, size_t channel) {
  const unsigned bits = png->bit_depth;
  if (png->color_type == SPNG_COLOR_TYPE_INDEXED) {
    const struct spng_plte palette = make_palette();
    const struct spng_plte_entry *entry = &palette.entries[sample_at(y, x, 0, bits)];
    return channel == 0 ? entry->red : channel == 1 ? entry->green : entry->blue;
  }
  const unsigned sample = sample_at(y, x, png->channels < 3 ? 0 : channel, bits);
  if (bits == 16) return sample >> 8;
  return sample * 255 / ((1U << bits) - 1);
}

static void assert_decoded(const struct png_case *png) {
  size_t length;
  unsigned char *data = encode_png(png, &length);
  char *path = put_file("a.jpg", data, length); /* its content counts, not its name */
  sk_image image;
  assert_status(sk_image_open(&image, path), SK_OK, "");
  cr_assert_eq(image.height, PNG_HEIGHT);
  cr_assert_eq(image.width, PNG_WIDTH);
  for (size_t i = 0; i < 3 * PNG_HEIGHT * PNG_WIDTH; i++) {
    const unsigned expected = expected_at(png, i / 3 / PNG_WIDTH, i / 3 % PNG_WIDTH, i % 3);
    cr_assert_eq(image.pixels[i], expected, "color type %d, %d bits: value %zu is %d, expected %u", png->color_type,
                 png->bit_depth, i, image.pixels[i], expected);
  }
  sk_image_close(&image);
  free(path);
  free(data);
}

Test(image, decodes_every_kind_of_png) {
  static const struct png_case cases[] = {
      {SPNG_COLOR_TYPE_TRUECOLOR, 8, 0, 3},        {SPNG_COLOR_TYPE_TRUECOLOR, 16, 0, 3},
      {SPNG_COLOR_TYPE_TRUECOLOR_ALPHA, 8, 0, 4},  {SPNG_COLOR_TYPE_TRUECOLOR_ALPHA, 16, 0, 4},
      {SPNG_COLOR_TYPE_GRAYSCALE, 1, 0, 1},        {SPNG_COLOR_TYPE_GRAYSCALE, 2, 0, 1},
      {SPNG_COLOR_TYPE_GRAYSCALE, 4, 0, 1},        {SPNG_COLOR_TYPE_GRAYSCALE, 8, 0, 1},
      {SPNG_COLOR_TYPE_GRAYSCALE, 16, 0, 1},       {SPNG_COLOR_TYPE_GRAYSCALE_ALPHA, 8, 0, 2},
      {SPNG_COLOR_TYPE_GRAYSCALE_ALPHA, 16, 0, 2}, {SPNG_COLOR_TYPE_INDEXED, 1, 0, 1},
      {SPNG_COLOR_TYPE_INDEXED, 2, 0, 1},          {SPNG_COLOR_TYPE_TRUECOLOR, 8, 1, 3},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) assert_decoded(&cases[i]);
}

static const struct png_case plain_png = {SPNG_COLOR_TYPE_TRUECOLOR, 8, 0, 3};

/* All but one: libspng 0.7.3 accepts a file that lacks the last 4 bytes, the checksum of the empty IEND chunk. */
Test(image, refuses_every_truncation_of_png) {
  size_t length;
  unsigned char *png = encode_png(&plain_png, &length);
  for (size_t cut = 0; cut + 4 < length; cut++) {
    const struct sk_image_file file = {"cut", png, cut, SK_IMAGE_MAX_PIXELS};
    sk_image image;
    cr_assert_eq(sk_image_decode(&image, &file), SK_BAD_FORMAT, "cut to %zu of %zu", cut, length);
    cr_assert_null(image.pixels);
  }
  free(png);
}

Test(image, refuses_every_flipped_bit_of_png) {
  size_t length;
  unsigned char *png = encode_png(&plain_png, &length);
  for (size_t bit = 0; bit < 8 * length; bit++) {
    png[bit / 8] ^= (unsigned char)(1U << bit % 8);
    const struct sk_image_file file = {"flip", png, length, SK_IMAGE_MAX_PIXELS};
    sk_image image;
    const sk_status status = sk_image_decode(&image, &file);
    const bool in_size = bit / 8 >= 16 && bit / 8 < 24; /* where it may read as a huge image */
    cr_assert(status == SK_BAD_FORMAT || (in_size && status == SK_UNSUPPORTED), "bit %zu", bit);
    png[bit / 8] ^= (unsigned char)(1U << bit % 8);
  }
  free(png);
}

/* A signature and an IHDR chunk of 20,000 x 20,000 pixels, its checksum by zlib.crc32. */
Test(image, refuses_huge_png) {
  static const unsigned char png[33] = {0x89, 'P',  'N', 'G', '\r', '\n', 0x1A, '\n', 0,    0,    0,
                                        13,   'I',  'H', 'D', 'R',  0,    0,    0x4E, 0x20, 0,    0,
                                        0x4E, 0x20, 8,   2,   0,    0,    0,    0x6C, 0x12, 0xD1, 0x6E};
  assert_bytes_refused("huge.png", png, sizeof png, SK_UNSUPPORTED, "20000 x 20000 pixels, expected at most 67108864");
}
#else
Test(image, a_build_without_libspng_says_so) {
  assert_bytes_refused("a.png", "\x89PNG\r\n\x1A\n", 8, SK_UNSUPPORTED, "libspng");
}
#endif

/* ---- Resizing ----------------------------------------------------------------------------------------------- */

Test(image, resizes_bit_for_bit_as_pillow_does) {
  static const struct {
    size_t height, width, new_height, new_width;
    uint32_t hash;
  } cases[] = {
      {1, 1, 7, 5, 0x216b9fbaU},     {5, 7, 1, 1, 0x29980fafU},        {64, 48, 32, 24, 0x9dbf2054U},
      {50, 37, 19, 60, 0x277a2547U}, {33, 100, 224, 224, 0x360d51a0U}, {300, 200, 256, 171, 0x4897eff3U},
      {17, 500, 90, 3, 0xc6402201U}, {40, 40, 40, 13, 0xe1eff9f4U},    {40, 40, 13, 40, 0xdfdd6d32U},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    sk_image image = make_pattern(cases[i].height, cases[i].width);
    sk_image resized;
    assert_status(sk_image_resize(&image, cases[i].new_height, cases[i].new_width, &resized), SK_OK, "");
    cr_assert_eq(resized.height, cases[i].new_height);
    cr_assert_eq(resized.width, cases[i].new_width);
    cr_expect_eq(hash(resized.pixels, 3 * resized.height * resized.width), cases[i].hash, "case %zu", i);
    sk_image_close(&resized);
    sk_image_close(&image);
  }
}

Test(image, the_same_size_changes_nothing) {
  sk_image image = make_pattern(13, 29);
  sk_image resized;
  assert_status(sk_image_resize(&image, 13, 29, &resized), SK_OK, "");
  cr_assert_eq(memcmp(image.pixels, resized.pixels, 3 * 13 * 29), 0);
  sk_image_close(&resized);
  sk_image_close(&image);
}

Test(image, refuses_to_resize_nonsense) {
  sk_image image = make_pattern(3, 3);
  sk_image resized = {1, 1, NULL};
  const sk_image none = {0};
  const sk_status bad = SK_INVALID_ARGUMENT;
  assert_status(sk_image_resize(&image, 0, 3, &resized), bad, "3 x 0");
  assert_status(sk_image_resize(&image, 3, 0, &resized), bad, "0 x 3");
  assert_status(sk_image_resize(&image, SIZE_MAX, 3, &resized), bad, "expected 1 to 67108864");
  assert_status(sk_image_resize(&image, 8193, 8192, &resized), bad, "8192 x 8193");
  assert_status(sk_image_resize(&none, 3, 3, &resized), bad, "no pixels");
  assert_status(sk_image_resize(NULL, 3, 3, &resized), bad, "no pixels");
  assert_status(sk_image_resize(&image, 3, 3, NULL), bad, "NULL");
  cr_assert_null(resized.pixels);
  cr_assert_eq(resized.height, 0);
  sk_image_close(&image);
}

/* ---- Preparing ---------------------------------------------------------------------------------------------- */

static const float mean[3] = {0.485F, 0.456F, 0.406F};
static const float deviation[3] = {0.229F, 0.224F, 0.225F};
static const float zeros[3] = {0, 0, 0};
static const float ones[3] = {1, 1, 1};

/* The hashes are of the float32 bytes that Pillow's resize, torchvision's Resize and CenterCrop (0.14, restated in
 * NumPy), and torch 1.13's x.to(float32).div(255).sub_(mean).div_(std) give for the pattern. */
Test(image, prepares_as_torchvision_does) {
  static const struct {
    size_t height, width, resize, new_height, new_width;
    uint32_t hash;
  } cases[] = {
      {1, 1, 256, 224, 224, 0x46c9f5c5U}, {60, 45, 32, 28, 28, 0x58333833U}, {45, 60, 32, 28, 28, 0xe17aa5b4U},
      {61, 100, 35, 32, 32, 0x69fa1ddeU}, {30, 40, 20, 33, 24, 0x2c5804b2U}, {30, 40, 0, 24, 17, 0x81883f2dU},
      {50, 33, 16, 40, 13, 0x25c10d7bU},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    sk_image image = make_pattern(cases[i].height, cases[i].width);
    const size_t elements = 3 * cases[i].new_height * cases[i].new_width;
    float *out = malloc(elements * sizeof *out);
    cr_assert_not_null(out);
    assert_status(
        sk_image_prepare(&image, cases[i].resize, cases[i].new_height, cases[i].new_width, mean, deviation, out), SK_OK,
        "");
    cr_expect_eq(hash(out, elements * sizeof *out), cases[i].hash, "case %zu", i);
    free(out);
    sk_image_close(&image);
  }
}

/* round((w - crop) / 2.0) rounds halves to even: 0.5 to 0, 1.5 to 2, 2.5 to 2, 3.5 to 4. */
Test(image, the_crop_rounds_to_even) {
  static const size_t starts[] = {0, 0, 1, 2, 2, 2, 3, 4};
  for (size_t excess = 0; excess < 8; excess++) {
    sk_image image = make_pattern(1, 5 + excess);
    float out[3 * 5];
    assert_status(sk_image_prepare(&image, 1, 1, 5, zeros, ones, out), SK_OK, "");
    for (size_t x = 0; x < 5; x++) {
      cr_assert_eq(out[x], (float)pattern_at(0, x + starts[excess], 0) / 255.0F, "excess %zu", excess);
    }
    sk_image_close(&image);
  }
}

/* CenterCrop pads with black before the normalisation; of an odd lack the larger half comes last. */
Test(image, a_small_image_is_padded) {
  sk_image image = make_pattern(2, 2);
  float out[3][5][3];
  assert_status(sk_image_prepare(&image, 2, 5, 3, mean, deviation, &out[0][0][0]), SK_OK, "");
  for (size_t i = 0; i < 3 * 5 * 3; i++) {
    const size_t channel = i / 15;
    const size_t y = i / 3 % 5;
    const size_t x = i % 3;
    const bool inside = y >= 1 && y < 3 && x < 2;
    const float value = inside ? (float)pattern_at(y - 1, x, channel) / 255.0F : 0.0F;
    cr_assert_eq(out[channel][y][x], (value - mean[channel]) / deviation[channel], "%zu %zu %zu", channel, y, x);
  }
  sk_image_close(&image);
}

/* The whole resized image would have 50 times the pixels that may be decoded: only the crop is computed. */
Test(image, prepares_a_long_thin_image) {
  sk_image image = make_pattern(1, 50000);
  float *out = malloc(3 * 224 * 224 * sizeof *out);
  cr_assert_not_null(out);
  assert_status(sk_image_prepare(&image, 256, 224, 224, zeros, ones, out), SK_OK, "");
  cr_assert_geq(out[0], 0.0F);
  cr_assert_leq(out[0], 1.0F);
  free(out);
  sk_image_close(&image);
}

static void assert_prepare_refused(const sk_image *image, size_t resize, size_t height, const float *standard,
                                   const char *part) {
  float out[3 * 4] = {0};
  assert_status(sk_image_prepare(image, resize, height, 2, zeros, standard, out), SK_INVALID_ARGUMENT, part);
}

Test(image, refuses_to_prepare_nonsense) {
  sk_image image = make_pattern(3, 3);
  const sk_image none = {0};
  const float zero[3] = {1, 0, 1};
  const float nan[3] = {1, 1, NAN};
  assert_prepare_refused(&image, 2, 2, zero, "channel 1, expected finite and > 0");
  assert_prepare_refused(&image, 2, 2, nan, "channel 2, expected finite and > 0");
  assert_prepare_refused(&image, 2, 2, NULL, "NULL");
  assert_prepare_refused(&image, 2, 0, ones, "2 x 0");
  assert_prepare_refused(&image, 2, SIZE_MAX, ones, "expected 1 to 67108864");
  assert_prepare_refused(&image, SIZE_MAX, 2, ones, "shorter side");
  assert_prepare_refused(&none, 2, 2, ones, "no pixels");
  sk_image_close(&image);
}
