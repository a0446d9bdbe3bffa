/* Reading and writing safetensors: one case for every rule of the format, each a file that breaks it alone. */
#define _XOPEN_SOURCE 700

#include <math.h>

#include "resnet/weights.h"
#include "tests/temporary_folder.h"

TestSuite(safetensors, .init = make_folder, .fini = remove_folder);

/* ---- Files made of a header and zeros ----------------------------------------------------------------------- */

/* Form a file; free it. header_length: as stored, whatever the header's. */
static unsigned char *form_file(uint64_t header_length, const char *header, size_t length, size_t data_length) {
  unsigned char *file = calloc(1, 8 + length + data_length + 1);
  cr_assert_not_null(file);
  for (size_t i = 0; i < 8; i++) file[i] = (unsigned char)(header_length >> 8 * i);
  memcpy(file + 8, header, length);
  return file;
}

/* What the weights of parse_bytes point into. */
static unsigned char *exact;

static void close_parsed(sk_weights *weights) {
  sk_weights_close(weights);
  free(exact);
}

/* Parse from memory of exactly the file's size, so that sanitizers see any byte read beyond it. */
static sk_status parse_bytes(sk_weights **weights, const unsigned char *file, size_t length) {
  exact = malloc(length ? length : 1);
  cr_assert_not_null(exact);
  memcpy(exact, file, length);
  const sk_status status = sk_weights_parse(weights, "case.safetensors", exact, length);
  if (status) free(exact);
  return status;
}

static sk_status parse_header(sk_weights **weights, const char *header, size_t length, size_t data_length) {
  unsigned char *file = form_file(length, header, length, data_length);
  const sk_status status = parse_bytes(weights, file, 8 + length + data_length);
  free(file);
  return status;
}

static void expect_bytes_refused(const unsigned char *file, size_t length, const char *part) {
  sk_weights *weights;
  const sk_status status = parse_bytes(&weights, file, length);
  cr_expect_eq(status, SK_BAD_FORMAT, "\"%s\": %s", part, sk_status_name(status));
  cr_expect_null(weights);
  cr_expect_not_null(strstr(sk_error_message(), "case.safetensors"), "%s", sk_error_message());
  cr_expect_not_null(strstr(sk_error_message(), part), "\"%s\" lacks \"%s\"", sk_error_message(), part);
}

/* As expect_refused, for headers with a NUL inside. */
static void expect_header_refused(const char *header, size_t length, size_t data_length, const char *part) {
  unsigned char *file = form_file(length, header, length, data_length);
  expect_bytes_refused(file, 8 + length + data_length, part);
  free(file);
}

static void expect_refused(const char *header, size_t data_length, const char *part) {
  expect_header_refused(header, strlen(header), data_length, part);
}

static void expect_accepted(const char *header, size_t data_length, size_t count) {
  sk_weights *weights;
  const sk_status status = parse_header(&weights, header, strlen(header), data_length);
  cr_expect_eq(status, SK_OK, "%s: %s", header, sk_error_message());
  if (status) return;
  cr_expect_eq(sk_weights_count(weights), count, "%s", header);
  close_parsed(weights);
}

/* ---- What is accepted --------------------------------------------------------------------------------------- */

Test(safetensors, accepts_what_the_rules_allow) {
  expect_accepted("{}", 0, 0);
  expect_accepted("{}      ", 0, 0);
  expect_accepted("{\"__metadata__\":{}}", 0, 0);
  expect_accepted("{\"__metadata__\":{\"format\":\"pt\",\"x\":\"\\u00e9\\ud83d\\ude00\\n\"}}", 0, 0);
  expect_accepted("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, 1);
  expect_accepted("{\"a\":{\"dtype\":\"F32\",\"shape\":[2,0],\"data_offsets\":[0,0]}}", 0, 1);
  expect_accepted("{\n\t\"a\" : {\"data_offsets\":[0,2], \"shape\":[1,1,1,1,1,1,1,1],\r\"dtype\":\"F16\"}}", 2, 1);
  expect_accepted("{\"\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, 1);
}

/* Tensors need not come in the order of their data, and empty ones may lie between others. */
Test(safetensors, accepts_any_order) {
  expect_accepted(
      "{\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[3,5]},"
      "\"e\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[3,3]},"
      "\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}",
      5, 3);
}

Test(safetensors, knows_every_dtype) {
  static const struct {
    const char *name;
    size_t bytes;
    enum sk_dtype dtype;
  } cases[] = {
      {"BOOL", 1, SK_DTYPE_OTHER},    {"U8", 1, SK_DTYPE_OTHER},      {"I8", 1, SK_DTYPE_OTHER},
      {"F8_E4M3", 1, SK_DTYPE_OTHER}, {"F8_E5M2", 1, SK_DTYPE_OTHER}, {"I16", 2, SK_DTYPE_OTHER},
      {"U16", 2, SK_DTYPE_OTHER},     {"F16", 2, SK_DTYPE_F16},       {"BF16", 2, SK_DTYPE_BF16},
      {"I32", 4, SK_DTYPE_OTHER},     {"U32", 4, SK_DTYPE_OTHER},     {"F32", 4, SK_DTYPE_F32},
      {"F64", 8, SK_DTYPE_OTHER},     {"I64", 8, SK_DTYPE_OTHER},     {"U64", 8, SK_DTYPE_OTHER},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char header[128];
    const size_t bytes = 3 * cases[i].bytes;
    snprintf(header, sizeof header, "{\"a\":{\"dtype\":\"%s\",\"shape\":[3],\"data_offsets\":[0,%zu]}}", cases[i].name,
             bytes);
    sk_weights *weights;
    cr_assert_eq(parse_header(&weights, header, strlen(header), bytes), SK_OK, "%s", sk_error_message());
    cr_expect_eq(sk_weights_at(weights, 0)->dtype, cases[i].dtype, "%s", cases[i].name);
    cr_expect_str_eq(sk_weights_at(weights, 0)->dtype_name, cases[i].name);
    close_parsed(weights);
  }
}

/* ---- The header's place ------------------------------------------------------------------------------------- */

Test(safetensors, refuses_a_file_without_a_length) {
  for (size_t length = 0; length < 8; length++) {
    const unsigned char file[8] = {2};
    expect_bytes_refused(file, length, "too short");
  }
}

static void expect_length_refused(uint64_t header_length, size_t file_length, const char *part) {
  unsigned char *file = form_file(header_length, "{}", 2, file_length);
  expect_bytes_refused(file, file_length, part);
  free(file);
}

Test(safetensors, refuses_header_lengths_that_cannot_be) {
  expect_length_refused(0, 10, "header of 0 bytes");
  expect_length_refused(3, 10, "header of 3 bytes, expected 1 to 100000000 within a file of 10");
  expect_length_refused(UINT64_MAX, 10, "header of 18446744073709551615 bytes");
  expect_length_refused(UINT64_MAX - 7, 10, "header of 18446744073709551608 bytes");
  expect_length_refused(100000001, 100000009, "header of 100000001 bytes");
}

/* ---- JSON --------------------------------------------------------------------------------------------------- */

Test(safetensors, refuses_a_header_that_is_no_object) {
  expect_refused(" {}", 0, "begins with byte 0x20, expected '{'");
  expect_refused("[]", 0, "begins with byte 0x5b");
  expect_refused("\xEF\xBB\xBF{}", 0, "begins with byte 0xef");
}

Test(safetensors, refuses_what_is_not_json) {
  expect_refused("{", 0, "not valid JSON");
  expect_refused("{\"a\":}", 0, "not valid JSON");
  expect_refused("{\"a\":{},}", 0, "not valid JSON");
  expect_refused("{\"a\" {}}", 0, "not valid JSON");
  expect_refused("{\"a\":[1}", 0, "not valid JSON");
  expect_refused("{\"a", 0, "string without an end");
  expect_refused("{\"a\":\"\\", 0, "unknown escape");
  expect_refused("{\"\\x\":1}", 0, "JSON byte 2: unknown escape");
  expect_refused("{\"\\u00g0\":1}", 0, "four hexadecimal digits");
  expect_refused("{\"\\u12", 0, "four hexadecimal digits");
  expect_refused("{\"\\ud800\":1}", 0, "not valid JSON"); /* half a surrogate pair */
}

Test(safetensors, refuses_what_cjson_would_let_pass) {
  expect_refused("{\"a\xFF\":1}", 0, "JSON byte 3: invalid UTF-8");
  expect_refused("{\"\xC0\x80\":1}", 0, "invalid UTF-8");
  expect_refused("{\"\xED\xA0\x80\":1}", 0, "invalid UTF-8");
  expect_refused("{\"a\nb\":1}", 0, "control character");
  expect_refused("{\"a\\u0000b\":1}", 0, "\\u0000 in a string");
  expect_refused("{\x01}", 0, "JSON byte 1: a byte that is not JSON");
  expect_refused("{\xC2\xA0}", 0, "a byte that is not JSON");
  expect_header_refused("{\"a\0b\":1}", 9, 0, "control character");
  expect_header_refused("{}\0\0", 4, 0, "a byte that is not JSON");
}

Test(safetensors, refuses_deep_nesting_and_masses_of_values) {
  char header[4096];
  memset(header, '[', sizeof header);
  memcpy(header, "{\"a\":", 5);
  header[sizeof header - 1] = '\0';
  expect_refused(header, 0, "JSON byte 12: nested too deeply");
  const size_t length = 9 << 20;
  char *commas = malloc(length);
  cr_assert_not_null(commas);
  for (size_t i = 0; i < length; i++) commas[i] = i % 2 ? ',' : '1';
  memcpy(commas, "{\"a\":[", 6);
  expect_header_refused(commas, length, 0, "more than 4194304 values");
  free(commas);
}

Test(safetensors, refuses_anything_but_spaces_behind_the_object) {
  expect_refused("{}x", 0, "JSON byte 2: something else than spaces");
  expect_refused("{} \n", 0, "JSON byte 3: something else than spaces");
  expect_refused("{}  {}", 0, "JSON byte 4: something else than spaces");
}

Test(safetensors, refuses_a_key_twice) {
  expect_refused(
      "{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},"
      "\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
      0, "key \"a\" appears twice in an object");
  expect_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0],\"shape\":[0]}}", 0,
                 "key \"shape\" appears twice in \"a\"");
  expect_refused("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "key \"k\" appears twice in \"__metadata__\"");
  expect_refused("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "key \"__metadata__\" appears twice");
  expect_refused("{\"\\u0061\":1,\"a\":1}", 0, "key \"a\" appears twice");
}

Test(safetensors, refuses_metadata_other_than_strings) {
  expect_refused("{\"__metadata__\":[]}", 0, "__metadata__ is no object");
  expect_refused("{\"__metadata__\":null}", 0, "__metadata__ is no object");
  expect_refused("{\"__metadata__\":{\"k\":1}}", 0, "__metadata__: \"k\" is no string");
  expect_refused("{\"__metadata__\":{\"k\":{}}}", 0, "__metadata__: \"k\" is no string");
}

/* ---- A tensor's entry --------------------------------------------------------------------------------------- */

/* Put three fields into the entry of the tensor "fc.bias". */
static void expect_entry_refused(const char *dtype, const char *shape, const char *offsets, size_t data_length,
                                 const char *part) {
  char header[512];
  snprintf(header, sizeof header, "{\"fc.bias\":{\"dtype\":%s,\"shape\":%s,\"data_offsets\":%s}}", dtype, shape,
           offsets);
  expect_refused(header, data_length, part);
  cr_expect_not_null(strstr(sk_error_message(), "\"fc.bias\""), "\"%s\" names no tensor", sk_error_message());
}

Test(safetensors, refuses_fields_missing_or_unknown) {
  expect_refused("{\"a\":{\"shape\":[0],\"data_offsets\":[0,0]}}", 0, "tensor \"a\": dtype is missing");
  expect_refused("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,0]}}", 0, "tensor \"a\": shape is missing");
  expect_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[0]}}", 0, "tensor \"a\": data_offsets is missing");
  expect_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0],\"x\":1}}", 0,
                 "tensor \"a\": field \"x\" is unknown");
  expect_refused("{\"a\":{\"Dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, "field \"Dtype\" is unknown");
  expect_refused("{\"a\":[]}", 0, "tensor \"a\": is no object");
  expect_refused("{\"a\":true}", 0, "tensor \"a\": is no object");
}

Test(safetensors, refuses_bad_dtypes) {
  expect_entry_refused("\"F33\"", "[0]", "[0,0]", 0, "dtype \"F33\" is unknown");
  expect_entry_refused("\"f32\"", "[0]", "[0,0]", 0, "dtype \"f32\" is unknown");
  expect_entry_refused("\"\"", "[0]", "[0,0]", 0, "dtype \"\" is unknown");
  expect_entry_refused("32", "[0]", "[0,0]", 0, "dtype is missing or no string");
  expect_entry_refused("\"\\u001b[31m\"", "[0]", "[0,0]", 0, "dtype \"\\x1b[31m\" is unknown");
}

Test(safetensors, refuses_bad_shapes) {
  expect_entry_refused("\"U8\"", "3", "[0,3]", 3, "shape is missing or no array");
  expect_entry_refused("\"U8\"", "[\"3\"]", "[0,3]", 3, "shape holds something else");
  expect_entry_refused("\"U8\"", "[null]", "[0,3]", 3, "shape holds something else");
  expect_entry_refused("\"U8\"", "[1,1,1,1,1,1,1,1,1]", "[0,1]", 1, "more than 8 dimensions");
  expect_entry_refused("\"U8\"", "[4294967296,4294967296]", "[0,0]", 0, "product of its shape overflows");
  expect_entry_refused("\"F64\"", "[2251799813685248,1024]", "[0,0]", 0, "product of its shape overflows");
  expect_entry_refused("\"F32\"", "[4294967296,1073741824]", "[0,0]", 0, "product of its shape overflows");
}

Test(safetensors, refuses_numbers_other_than_integers) {
  const char *const numbers[] = {
      "-1", "-0", "3.0", "3e0", "1.5", "03", "9007199254740992", "1e999", "-", "12345678901234567"};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    char shape[64];
    char part[128];
    snprintf(shape, sizeof shape, "[%s]", numbers[i]);
    snprintf(part, sizeof part, "number %s is not an integer from 0 to 2^53 - 1", numbers[i]);
    expect_entry_refused("\"U8\"", shape, "[0,3]", 3, part);
  }
  expect_entry_refused("\"U8\"", "[3]", "[0,3.0]", 3, "number 3.0 is not an integer");
  expect_entry_refused("\"U8\"", "[9007199254740991]", "[0,3]", 3, "take 9007199254740991"); /* the largest passes */
}

Test(safetensors, refuses_bad_offsets) {
  expect_entry_refused("\"U8\"", "[3]", "3", 3, "data_offsets is missing or no array");
  expect_entry_refused("\"U8\"", "[3]", "[]", 3, "data_offsets is not two");
  expect_entry_refused("\"U8\"", "[3]", "[0]", 3, "data_offsets is not two");
  expect_entry_refused("\"U8\"", "[3]", "[0,3,3]", 3, "data_offsets is not two");
  expect_entry_refused("\"U8\"", "[3]", "[0,\"3\"]", 3, "data_offsets is not two");
  expect_entry_refused("\"U8\"", "[3]", "[3,0]", 3, "data_offsets begin at 3, behind their end 0");
  expect_entry_refused("\"U8\"", "[3]", "[0,3]", 2, "data_offsets end at 3, beyond the 2 bytes of data");
  expect_entry_refused("\"U8\"", "[0]", "[4,4]", 3, "data_offsets end at 4, beyond the 3 bytes of data");
  expect_entry_refused("\"F32\"", "[3]", "[0,3]", 3, "data_offsets span 3 bytes, its shape and F32 take 12");
  expect_entry_refused("\"U8\"", "[3]", "[0,4]", 4, "data_offsets span 4 bytes, its shape and U8 take 3");
}

/* ---- Coverage of the data ----------------------------------------------------------------------------------- */

static void expect_places_refused(const char *first, const char *second, size_t data_length, const char *part) {
  char header[512];
  snprintf(header, sizeof header,
           "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":%s},"
           "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":%s}}",
           first, second);
  expect_refused(header, data_length, part);
}

Test(safetensors, refuses_overlaps_holes_and_leftovers) {
  expect_places_refused("[0,4]", "[3,7]", 7, "tensor \"b\": data_offsets begin at 3, overlapping the tensor before");
  expect_places_refused("[0,4]", "[0,4]", 4, "tensor \"b\": data_offsets begin at 0, overlapping the tensor before");
  expect_places_refused("[5,9]", "[0,4]", 9, "tensor \"a\": data_offsets begin at 5, behind a hole: expected 4");
  expect_places_refused("[1,5]", "[5,9]", 9, "tensor \"a\": data_offsets begin at 1, behind a hole: expected 0");
  expect_places_refused("[0,4]", "[4,8]", 9, "the tensors end at 8, the file has 9 bytes of data");
  expect_refused("{}", 1, "the tensors end at 0, the file has 1 bytes of data");
}

Test(safetensors, keeps_messages_short_and_printable) {
  char header[4096];
  char name[2048];
  memset(name, 'n', sizeof name);
  name[sizeof name - 1] = '\0';
  snprintf(header, sizeof header, "{\"\\u001b\\u009b%s\":1}", name);
  expect_refused(header, 0, "tensor \"\\x1b\\xc2\\x9bnnn");
  cr_expect_not_null(strstr(sk_error_message(), "...\": is no object"), "%s", sk_error_message());
}

/* ---- Values ------------------------------------------------------------------------------------------------- */

static uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/* The value by its definition: (-1)^sign * mantissa * 2^(exponent - 25), in double, where it is exact. */
static float half_by_definition(unsigned half) {
  const int exponent = (int)(half >> 10 & 31);
  const double mantissa = (double)(half & 1023);
  const double magnitude = exponent == 0 ? ldexp(mantissa, -24) : ldexp(mantissa + 1024.0, exponent - 25);
  return (float)(half & 0x8000 ? -magnitude : magnitude);
}

Test(safetensors, widens_every_float16) {
  for (unsigned half = 0; half < 65536; half++) {
    const uint16_t data = (uint16_t)half;
    const struct sk_weight_tensor tensor = {.dtype = SK_DTYPE_F16, .elements = 1, .data = &data};
    float value;
    sk_weight_tensor_read(&tensor, &value);
    const uint32_t sign = (half & 0x8000U) << 16;
    const uint32_t expected =
        (half >> 10 & 31) == 31 ? sign | 0x7F800000U | (half & 1023U) << 13 : bits_of(half_by_definition(half));
    cr_assert_eq(bits_of(value), expected, "%04x: %08x, expected %08x", half, bits_of(value), expected);
  }
}

Test(safetensors, widens_every_bfloat16) {
  for (unsigned half = 0; half < 65536; half++) {
    const uint16_t data = (uint16_t)half;
    const struct sk_weight_tensor tensor = {.dtype = SK_DTYPE_BF16, .elements = 1, .data = &data};
    float value;
    sk_weight_tensor_read(&tensor, &value);
    cr_assert_eq(bits_of(value), half << 16);
  }
}

/* 1.5 in three types at odd addresses, a NaN, an infinity and an I64 whose bytes would be NaN as floats. */
static const char mixed_header[] =
    "{\"odd\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
    "\"single\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]},"
    "\"half\":{\"dtype\":\"F16\",\"shape\":[2,1],\"data_offsets\":[9,13]},"
    "\"brain\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[13,15]},"
    "\"steps\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[15,23]}}";
static const unsigned char mixed_data[23] = {7,    0,    0,    0xC0, 0x3F, 0,    0,    0xC0, 0x7F, 0,    0x3E, 0,
                                             0xFC, 0xC0, 0x3F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

static char *put_mixed(const char *name) {
  const size_t length = strlen(mixed_header);
  unsigned char *file = form_file(length, mixed_header, length, sizeof mixed_data);
  memcpy(file + 8 + length, mixed_data, sizeof mixed_data);
  char *path = put_file(name, file, 8 + length + sizeof mixed_data);
  free(file);
  return path;
}

static void assert_values(const sk_weights *weights, const char *name, size_t count, const float *expected) {
  const struct sk_weight_tensor *tensor = sk_weights_find(weights, name);
  cr_assert_not_null(tensor, "%s", name);
  cr_assert_eq(tensor->elements, count);
  float values[4];
  sk_weight_tensor_read(tensor, values);
  cr_assert_eq(memcmp(values, expected, count * sizeof *values), 0, "%s", name);
}

static void assert_mixed(const sk_weights *weights) {
  const float half[2] = {1.5F, -INFINITY};
  cr_assert_eq(sk_weights_count(weights), 5);
  assert_values(weights, "half", 2, half);
  assert_values(weights, "brain", 1, half);
  const struct sk_weight_tensor *single = sk_weights_find(weights, "single");
  float values[2];
  sk_weight_tensor_read(single, values);
  cr_assert_eq(values[0], 1.5F);
  cr_assert(isnan(values[1]));
  cr_assert_eq(sk_weights_find(weights, "half")->rank, 2);
  cr_assert_eq(sk_weights_find(weights, "steps")->dtype, SK_DTYPE_OTHER);
  cr_assert_eq(memcmp(sk_weights_find(weights, "steps")->data, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8), 0);
  cr_assert_null(sk_weights_find(weights, "hal"));
  cr_assert_null(sk_weights_find(weights, ""));
  cr_assert_null(sk_weights_find(weights, "zzz"));
  cr_assert_eq(sk_weights_nonfinite(weights), 2);
}

Test(safetensors, reads_values_from_a_file) {
  char *path = put_mixed("mixed.safetensors");
  sk_weights *weights;
  cr_assert_eq(sk_weights_open(&weights, path), SK_OK, "%s", sk_error_message());
  cr_assert_str_eq(sk_weights_source(weights), path);
  cr_assert_str_eq(sk_weights_at(weights, 0)->name, "brain");
  cr_assert_str_eq(sk_weights_at(weights, 4)->name, "steps");
  assert_mixed(weights);
  sk_weights_close(weights);
  free(path);
}

Test(safetensors, refuses_to_open_what_is_no_file) {
  sk_weights *weights;
  char *path = path_of("missing");
  cr_assert_eq(sk_weights_open(&weights, path), SK_IO_ERROR);
  cr_assert_not_null(strstr(sk_error_message(), path));
  cr_assert_eq(sk_weights_open(&weights, temporary_folder), SK_IO_ERROR);
  cr_assert_eq(sk_weights_open(&weights, NULL), SK_INVALID_ARGUMENT);
  cr_assert_null(weights);
  sk_weights_close(NULL);
  free(path);
}

/* Nothing shorter than the file is a file. */
Test(safetensors, refuses_every_truncation) {
  char *path = put_mixed("case.safetensors");
  size_t length;
  char *file = get_file(path, &length);
  for (size_t cut = 0; cut < length; cut++) {
    sk_weights *weights;
    cr_assert_eq(parse_bytes(&weights, (const unsigned char *)file, cut), SK_BAD_FORMAT, "cut to %zu", cut);
  }
  free(file);
  free(path);
}

Test(safetensors, saves_what_it_read) {
  char *path = put_mixed("mixed.safetensors");
  char *copy_path = path_of("copy.safetensors");
  sk_weights *weights;
  sk_weights *copy;
  cr_assert_eq(sk_weights_open(&weights, path), SK_OK);
  cr_assert_eq(sk_weights_save(weights, copy_path), SK_OK, "%s", sk_error_message());
  cr_assert_eq(sk_weights_open(&copy, copy_path), SK_OK, "%s", sk_error_message());
  assert_mixed(copy);
  cr_assert_eq(sk_weights_find(copy, "half")->dtype, SK_DTYPE_F32);
  sk_weights_close(copy);
  sk_weights_close(weights);
  cr_assert_eq(count_files(), 2);
  free(copy_path);
  free(path);
}

/* ---- Sets in memory ----------------------------------------------------------------------------------------- */

static sk_weights *new_weights(void) {
  sk_weights *weights;
  cr_assert_eq(sk_weights_new(&weights), SK_OK);
  return weights;
}

static void add_filled(sk_weights *weights, const char *name, size_t count, float value) {
  float *data;
  cr_assert_eq(sk_weights_add(weights, name, 1, &count, &data), SK_OK, "%s", sk_error_message());
  for (size_t i = 0; i < count; i++) {
    cr_assert_eq(data[i], 0.0F);
    data[i] = value;
  }
}

Test(safetensors, saves_sorted_and_padded) {
  static const char expected[] =
      "{\"a\\n\\\"\xC3\xA9\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
      "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}";
  sk_weights *weights = new_weights();
  add_filled(weights, "b", 2, 2.0F);
  add_filled(weights, "a\n\"\xC3\xA9", 1, 1.0F);
  char *path = path_of("out.safetensors");
  cr_assert_eq(sk_weights_save(weights, path), SK_OK);
  size_t length;
  char *file = get_file(path, &length);
  const size_t header_length = (size_t)(unsigned char)file[0];
  cr_assert_eq(header_length % 8, 0);
  cr_assert_eq(length, 8 + header_length + 12);
  cr_assert_eq(memcmp(file + 8, expected, strlen(expected)), 0, "%s", file + 8);
  const float data[3] = {1, 2, 2};
  cr_assert_eq(memcmp(file + 8 + header_length, data, sizeof data), 0);
  sk_weights_close(weights);
  free(file);
  free(path);
}

Test(safetensors, reads_back_many_tensors) {
  sk_weights *weights = new_weights();
  char name[32];
  for (size_t i = 0; i < 500; i++) {
    snprintf(name, sizeof name, "layer%zu", i * 7919 % 500);
    add_filled(weights, name, i % 3, (float)(i * 7919 % 500));
  }
  char *path = path_of("many.safetensors");
  cr_assert_eq(sk_weights_save(weights, path), SK_OK);
  sk_weights *copy;
  cr_assert_eq(sk_weights_open(&copy, path), SK_OK, "%s", sk_error_message());
  cr_assert_eq(sk_weights_count(copy), 500);
  for (size_t i = 0; i < 500; i++) {
    snprintf(name, sizeof name, "layer%zu", i * 7919 % 500);
    const float value = (float)(i * 7919 % 500);
    const float expected[2] = {value, value};
    assert_values(copy, name, i % 3, expected);
  }
  sk_weights_close(copy);
  sk_weights_close(weights);
  free(path);
}

static void expect_add_refused(sk_weights *weights, const char *name, size_t rank, const size_t *shape,
                               const char *part) {
  float *data;
  const size_t before = sk_weights_count(weights);
  cr_expect_eq(sk_weights_add(weights, name, rank, shape, &data), SK_INVALID_ARGUMENT, "%s", part);
  cr_expect_not_null(strstr(sk_error_message(), part), "\"%s\" lacks \"%s\"", sk_error_message(), part);
  cr_expect_null(data);
  cr_expect_eq(sk_weights_count(weights), before);
}

Test(safetensors, refuses_to_add_nonsense) {
  sk_weights *weights = new_weights();
  const size_t shape[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
  const size_t huge[2] = {SIZE_MAX / 2, 3};
  const size_t large[1] = {SIZE_MAX / 2};
  add_filled(weights, "a", 1, 1.0F);
  expect_add_refused(weights, "a", 1, shape, "tensor \"a\": added twice");
  expect_add_refused(weights, "b", 9, shape, "tensor \"b\": rank 9");
  expect_add_refused(weights, "c", 2, huge, "tensor \"c\": the product of its shape overflows");
  expect_add_refused(weights, "d", 1, large, "tensor \"d\": the product of its shape overflows");
  expect_add_refused(weights, "__metadata__", 1, shape, "__metadata__");
  expect_add_refused(weights, "\xFF", 1, shape, "\\xff");
  sk_weights_close(weights);
}

Test(safetensors, a_save_that_fails_leaves_nothing) {
  sk_weights *weights = new_weights();
  add_filled(weights, "a", 100000, 1.0F);
  char *path = path_of("missing/out.safetensors");
  cr_assert_eq(sk_weights_save(weights, "/dev/full"), SK_IO_ERROR);
  cr_assert_not_null(strstr(sk_error_message(), "No space left on device"), "%s", sk_error_message());
  cr_assert_eq(sk_weights_save(weights, path), SK_IO_ERROR);
  cr_assert_eq(count_files(), 0);
  sk_weights_close(weights);
  free(path);
}

Test(safetensors, counts_nonfinite_values) {
  sk_weights *weights = new_weights();
  const size_t count = 3000;
  float *data;
  cr_assert_eq(sk_weights_add(weights, "a", 1, &count, &data), SK_OK);
  cr_assert_eq(sk_weights_nonfinite(weights), 0);
  data[0] = NAN;
  data[1023] = INFINITY;
  data[1024] = -INFINITY;
  data[2999] = -NAN;
  data[5] = 3e38F;
  cr_assert_eq(sk_weights_nonfinite(weights), 4);
  sk_weights_close(weights);
}

static void expect_filled(const sk_weights *weights, size_t count, float value) {
  const struct sk_weight_tensor *tensor = sk_weights_find(weights, "a");
  float *values = malloc(count * sizeof *values);
  cr_assert_not_null(values);
  sk_weight_tensor_read(tensor, values);
  for (size_t i = 0; i < count; i++) cr_assert_eq(values[i], value, "element %zu", i);
  free(values);
}

/* A file's comes back when it is read again; memory that nobody gave up is left alone. */
Test(safetensors, a_dropped_tensor_can_be_read_again) {
  const size_t count = 100000;
  sk_weights *weights = new_weights();
  char *path = path_of("dropped.safetensors");
  add_filled(weights, "a", count, 1.5F);
  cr_assert_eq(sk_weights_save(weights, path), SK_OK);
  sk_weight_tensor_drop(sk_weights_find(weights, "a"));
  expect_filled(weights, count, 1.5F);
  sk_weights_close(weights);
  cr_assert_eq(sk_weights_open(&weights, path), SK_OK);
  expect_filled(weights, count, 1.5F);
  sk_weight_tensor_drop(sk_weights_find(weights, "a"));
  expect_filled(weights, count, 1.5F);
  sk_weights_close(weights);
  free(path);
}
