/* Files of reduced cases: what is written is read back, and damage is told. */
#include "bench/conv_case.h"
#include "tests/temporary_folder.h"

TestSuite(conv_case, .init = make_folder, .fini = remove_folder);

static struct sk_conv_case some_case(void) {
  return (struct sk_conv_case){.name = "resnet18/conv1",
                               .isa = SK_ISA_AVX2,
                               .algorithm = SK_ALGORITHM_DIRECT,
                               .threads = 2,
                               .call = SK_CONV_CALL_PLANAR,
                               .way = SK_CONV_WAY_APART,
                               .side = SK_GUARD_BEFORE,
                               .shape = {2, 3, 5, 6, 7, 3, 2, 1, 2, 2, 1, 0, 1, 2, 3, 1},
                               .bias = true,
                               .relu = true,
                               .data = SK_DATA_REALS,
                               .seed = UINT64_MAX};
}

/* Every member but those of given data. */
static void expect_equal(const struct sk_conv_case *a, const struct sk_conv_case *b) {
  cr_expect_str_eq(a->name, b->name);
  cr_expect_eq(memcmp(&a->shape, &b->shape, sizeof a->shape), 0);
  cr_expect(a->isa == b->isa && a->algorithm == b->algorithm && a->threads == b->threads && a->call == b->call &&
            a->way == b->way && a->side == b->side && a->bias == b->bias && a->residual == b->residual &&
            a->relu == b->relu && a->seed == b->seed);
}

Test(conv_case, drawn_data_need_one_file) {
  const struct sk_conv_case written = some_case();
  struct sk_conv_case_file read;
  char *path = sk_conv_case_write(&written, temporary_folder);
  cr_assert_not_null(path, "%s", sk_error_message());
  cr_expect_str_eq(path + strlen(temporary_folder), "/skiplane-case-avx2-direct-resnet18-conv1.txt");
  cr_expect_eq(count_files(), 1);
  cr_assert_eq(sk_conv_case_read(&read, path), SK_OK, "%s", sk_error_message());
  expect_equal(&read.content, &written);
  cr_expect(read.content.data == SK_DATA_REALS && read.content.given == NULL);
  sk_conv_case_free(&read);
  free(path);
}

Test(conv_case, given_data_lie_beside_it) {
  const float x[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, w[2] = {20, 21}, b[1] = {30}, residual[6] = {40, 41, 42};
  const struct sk_conv_given given = {{1, 2, 2, 3, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1}, 2, 3, x, w, b, residual};
  struct sk_conv_case written = some_case();
  written.given = &given;
  written.call = SK_CONV_CALL_ARRAYS;
  written.seed = 0;
  written.residual = true;
  written.shape = (sk_conv_shape){1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1};
  written.window.in_channel = 1;
  written.window.column = 1;
  struct sk_conv_case_file read;
  char *path = sk_conv_case_write(&written, temporary_folder);
  cr_assert_not_null(path, "%s", sk_error_message());
  cr_expect_eq(count_files(), 5);
  cr_assert_eq(sk_conv_case_read(&read, path), SK_OK, "%s", sk_error_message());
  expect_equal(&read.content, &written);
  cr_assert_not_null(read.content.given);
  cr_expect(read.arrays.x[0] == 7 && read.arrays.x[1] == 8 && read.arrays.weights[0] == 21 &&
            read.arrays.bias[0] == 30);
  cr_expect(read.arrays.residual[0] == 40 && read.arrays.residual[1] == 41);
  sk_conv_case_free(&read);
  free(path);
}

static const char whole[] =
    "skiplane-case 1\n# comment\n\nname a\nisa generic\nalgorithm direct\nthreads 1\ncall arrays\ntiles machine\n"
    "guard after\nbatch 1\nin 5x4x4\nout 3\nkernel 2x3\nstride 1\ndilation 1\npad 1\ngroups 1\nepilogue none\n"
    "data integers\nseed 1\n";

/* What stands in the place of a line, and what the message must hold. */
struct damage {
  const char *line, *instead, *named;
};

static const struct damage damages[] = {
    {"skiplane-case 1\n", "skiplane-case 2\n", ":1: format: \"skiplane-case 2\" is not \"skiplane-case 1\""},
    {"skiplane-case 1\n", "", ":1: format: \"# comment\""},
    {"name a\n", "name a b\n", ":4: name: \"a b\" is not a name"},
    {"name a\n", "name\n", ":4: name: \"\" is not a name"},
    {"isa generic\n", "isa auto\n", ":5: isa: \"auto\" is not generic, avx2"},
    {"isa generic\n", "", "isa is missing"},
    {"algorithm direct\n", "algorithm auto\n", ":6: algorithm: \"auto\""},
    {"algorithm direct\n", "algorithm winograd4\n", "algorithm winograd4 does not apply"},
    {"threads 1\n", "threads 0\n", ":7: threads: \"0\" is not a number from 1 to 1024"},
    {"threads 1\n", "threads 1x\n", ":7: threads: \"1x\""},
    {"call arrays\n", "call all\n", ":8: call: \"all\" is not arrays, tensors or planar"},
    {"call arrays\n", "call planar\n", "call: \"planar\" is not what"},
    {"tiles machine\n", "tiles \n", ":9: tiles: \"\" is not machine"},
    {"guard after\n", "guard after \n", ":10: guard: \"after \" is not before or after"},
    {"in 5x4x4\n", "in 5x4\n", ":12: in: \"5x4\" is not CxHxW"},
    {"in 5x4x4\n", "in 0x4x4\n", "in_channels is 0"},
    {"in 5x4x4\n", "in 5x900000x900000\n", "more than 16 GiB"},
    {"kernel 2x3\n", "kernel 7x3\n", "kernel spans 7"},
    {"kernel 2x3\n", "kernal 2x3\n", ":14: key: \"kernal\" is not one of those"},
    {"stride 1\n", "stride 1\nstride 2\n", ":16: stride: \"2\" is not the only one"},
    {"pad 1\n", "pad 1,2\n", ":17: pad: \"1,2\" is not P"},
    {"groups 1\n", "groups 3\n", "3 groups do not divide"},
    {"epilogue none\n", "epilogue relu bias\n", ":19: epilogue: \"relu bias\" is not some of"},
    {"epilogue none\n", "epilogue \n", ":19: epilogue: \"\""},
    {"data integers\n", "data words\n", ":20: data: \"words\" is not integers, reals, cancellation,"},
    {"data integers\n", "data special values\n", ":20: data: \"special values\" is not integers"},
    {"data integers\n", "data given\n", "seed is there"},
    {"data integers\nseed 1\n", "data given\nx a.npy\n", "w is missing"},
    {"data integers\nseed 1\n", "data given\nx /etc/a.npy\nw b.npy\n", ":21: x: \"/etc/a.npy\" is not the name"},
    {"data integers\nseed 1\n", "data given\nx a.npy\nw b.npy\nb c.npy\n", "b is there"},
    {"data integers\nseed 1\n", "data given\nx a.npy\nw b.npy\n", "a.npy: cannot open"},
    {"seed 1\n", "seed 18446744073709551616\n", ":21: seed: \"18446744073709551616\""},
};

Test(conv_case, damage_is_told_with_its_place) {
  struct sk_conv_case_file read;
  char *path = put_file("case.txt", whole, strlen(whole));
  cr_assert_eq(sk_conv_case_read(&read, path), SK_OK, "%s", sk_error_message());
  sk_conv_case_free(&read);
  free(path);
  for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
    const struct damage *d = &damages[i];
    char text[1024];
    const char *at = strstr(whole, d->line);
    cr_assert_not_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - whole), whole, d->instead, at + strlen(d->line));
    path = put_file("case.txt", text, strlen(text));
    cr_expect_neq(sk_conv_case_read(&read, path), SK_OK, "%s", d->instead);
    cr_expect_not_null(strstr(sk_error_message(), d->named), "%s: %s", d->instead, sk_error_message());
    cr_expect_not_null(strstr(sk_error_message(), ".txt") ? "" : strstr(sk_error_message(), ".npy"));
    sk_conv_case_free(&read);
    free(path);
  }
}

Test(conv_case, a_long_line_and_a_NUL_are_no_text) {
  char text[2000];
  struct sk_conv_case_file read;
  memcpy(text, whole, sizeof whole);
  memset(text + strlen(whole), '#', 300);
  char *path = put_file("case.txt", text, strlen(whole) + 300);
  cr_expect_eq(sk_conv_case_read(&read, path), SK_BAD_FORMAT);
  cr_expect_not_null(strstr(sk_error_message(), ":22: line: "), "%s", sk_error_message());
  free(path);
  text[strlen("skiplane-case 1\n# ")] = '\0';
  path = put_file("case.txt", text, sizeof whole - 1);
  cr_expect_eq(sk_conv_case_read(&read, path), SK_BAD_FORMAT);
  cr_expect_not_null(strstr(sk_error_message(), ":2: line: "), "%s", sk_error_message());
  free(path);
}

Test(conv_case, an_array_of_another_shape_is_refused) {
  const float x[12] = {0}, w[2] = {0};
  const struct sk_conv_given given = {{1, 2, 2, 3, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1}, 2, 3, x, w, NULL, NULL};
  struct sk_conv_case written = some_case();
  written.given = &given;
  written.bias = false;
  written.shape = given.shape;
  written.call = SK_CONV_CALL_ARRAYS;
  char *path = sk_conv_case_write(&written, temporary_folder);
  cr_assert_not_null(path, "%s", sk_error_message());
  char *array = path_of("skiplane-case-avx2-direct-resnet18-conv1.x.npy");
  FILE *stream = fopen(array, "r+b"); /* 1, 2, 2, 3 becomes 1, 2, 3, 2 */
  cr_assert_not_null(stream);
  char header[128];
  cr_assert_eq(fread(header, 1, sizeof header, stream), sizeof header);
  char *shape = memmem(header, sizeof header, "2, 3)", 5);
  cr_assert_not_null(shape);
  memcpy(shape, "3, 2)", 5);
  rewind(stream);
  cr_assert_eq(fwrite(header, 1, sizeof header, stream), sizeof header);
  fclose(stream);
  struct sk_conv_case_file read;
  cr_expect_eq(sk_conv_case_read(&read, path), SK_BAD_FORMAT);
  cr_expect_not_null(strstr(sk_error_message(), "x.npy: its shape is not"), "%s", sk_error_message());
  sk_conv_case_free(&read);
  free(array);
  free(path);
}
