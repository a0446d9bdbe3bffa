/* Writing and reading .npy files. */
#define _XOPEN_SOURCE 700

#include "bench/npy.h"
#include "tests/temporary_folder.h"

TestSuite(npy, .init = make_folder, .fini = remove_folder);

/* numpy.save's bytes of arange(3, dtype='<f4'), but for the data; NumPy 1.24. */
static const char numpy_header[] =
    "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }"
    "                                                            \n";

Test(npy, writes_what_numpy_writes) {
  char *path = path_of("a.npy");
  const size_t shape[1] = {3};
  const float data[3] = {0, 1, 2};
  cr_assert_eq(sk_npy_write(path, 1, shape, data), SK_OK);
  size_t length;
  char *bytes = get_file(path, &length);
  cr_assert_eq(length, 128 + sizeof data);
  cr_assert_eq(memcmp(bytes, numpy_header, 128), 0);
  cr_assert_eq(memcmp(bytes + 128, data, sizeof data), 0);
  free(bytes);
  free(path);
}

static void assert_round_trip(size_t rank, const size_t *shape, const float *data, size_t elements) {
  char *path = path_of("a.npy");
  struct sk_npy array;
  cr_assert_eq(sk_npy_write(path, rank, shape, data), SK_OK);
  cr_assert_eq(sk_npy_read(&array, path), SK_OK, "%s", sk_error_message());
  cr_assert_eq(array.rank, rank);
  cr_assert_eq(array.elements, elements);
  for (size_t i = 0; i < rank; i++) cr_assert_eq(array.shape[i], shape[i]);
  cr_assert_eq(memcmp(array.data, data, elements * sizeof *data), 0);
  sk_npy_free(&array);
  size_t length;
  char *bytes = get_file(path, &length);
  cr_assert_eq((length - elements * sizeof *data) % 64, 0);
  free(bytes);
  free(path);
}

Test(npy, reads_what_it_wrote) {
  const size_t shape[8] = {2, 1, 3, 1, 1, 1, 1, 2};
  const size_t empty[2] = {0, 5};
  const float data[12] = {1, -2, 3.5F, 0, -0.0F, 1e-40F, 7, 8, 9, 10, 11, 12};
  assert_round_trip(8, shape, data, 12);
  assert_round_trip(3, shape, data, 6);
  assert_round_trip(1, shape, data, 2);
  assert_round_trip(0, shape, data, 1);
  assert_round_trip(2, empty, data, 0);
}

Test(npy, refuses_to_write_nonsense) {
  char *path = path_of("a.npy");
  const size_t shape[9] = {SIZE_MAX / 2, 4, 1, 1, 1, 1, 1, 1, 1};
  const float data[1] = {0};
  cr_assert_eq(sk_npy_write(path, 2, shape, data), SK_INVALID_ARGUMENT);
  cr_assert_not_null(strstr(sk_error_message(), "overflows"));
  cr_assert_eq(sk_npy_write(path, 9, shape, data), SK_INVALID_ARGUMENT);
  cr_assert_not_null(strstr(sk_error_message(), "rank 9"));
  cr_assert_eq(sk_npy_write("/dev/full", 0, shape, data), SK_IO_ERROR);
  cr_assert_eq(count_files(), 0);
  free(path);
}

/* ---- Refusals ----------------------------------------------------------------------------------------------- */

static void assert_bytes_refused(const char *bytes, size_t length, sk_status expected, const char *part) {
  char *path = put_file("bad.npy", bytes, length);
  struct sk_npy array;
  const sk_status status = sk_npy_read(&array, path);
  cr_expect_eq(status, expected, "\"%s\": %s", part, sk_status_name(status));
  cr_expect_not_null(strstr(sk_error_message(), "bad.npy"), "%s", sk_error_message());
  cr_expect_not_null(strstr(sk_error_message(), part), "\"%s\" lacks \"%s\"", sk_error_message(), part);
  cr_expect_null(array.data);
  free(path);
}

/* Put a dictionary and 3 floats into a file. */
static void assert_header_refused(const char *header, sk_status expected, const char *part) {
  char bytes[512] = "\x93NUMPY\x01";
  const size_t length = strlen(header);
  bytes[8] = (char)length;
  memcpy(bytes + 10, header, length);
  assert_bytes_refused(bytes, 10 + length + 12, expected, part);
}

Test(npy, the_plain_header_is_accepted) { /* or the refusals below would prove nothing */
  char bytes[512] = "\x93NUMPY\x01";
  const char *header = "{'shape':(3,),'fortran_order':False,'descr':'<f4'}";
  bytes[8] = (char)strlen(header);
  memcpy(bytes + 10, header, strlen(header));
  char *path = put_file("good.npy", bytes, 10 + strlen(header) + 12);
  struct sk_npy array;
  cr_assert_eq(sk_npy_read(&array, path), SK_OK, "%s", sk_error_message());
  cr_assert_eq(array.elements, 3);
  sk_npy_free(&array);
  free(path);
}

Test(npy, refuses_other_kinds) {
  const sk_status other = SK_UNSUPPORTED;
  assert_header_refused("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", other, "'<f8'");
  assert_header_refused("{'descr': '>f4', 'fortran_order': False, 'shape': (3,), }", other, "'>f4'");
  assert_header_refused("{'descr': '<f4', 'fortran_order': True, 'shape': (3,), }", other, "True");
  assert_bytes_refused("\x93NUMPY\x02\x00\x02\x00\x00\x00{}", 14, other, "version 2.0");
}

Test(npy, refuses_broken_headers) {
  const sk_status bad = SK_BAD_FORMAT;
  assert_header_refused("{'descr': '<f4', 'fortran_order': False}", bad, "header");
  assert_header_refused("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", bad, "header");
  assert_header_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)} x", bad, "header");
  assert_header_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (3)}", bad, "header");
  assert_header_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}", bad, "header");
  assert_header_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,3)}", bad, "header");
  assert_header_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", bad, "header");
  assert_header_refused("{'descr': '<f4', 'fortran_order': False 'shape': (3,)}", bad, "header");
  assert_header_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'x': 1}", bad, "header");
}

Test(npy, refuses_sizes_that_do_not_fit) {
  const sk_status bad = SK_BAD_FORMAT;
  assert_header_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }", bad, "shape takes 16");
  assert_header_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", bad, "12 bytes of data");
  assert_header_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,4), }", bad,
                        "overflows");
  assert_bytes_refused("", 0, bad, "no .npy");
  assert_bytes_refused("not numpy at all", 16, bad, "no .npy");
  assert_bytes_refused("\x93NUMPY\x01\x00\xFF\x00{}", 12, bad, "header of 255 bytes in a file of 12");
}
