/* Shapes as text: what is read, what is refused and how, and that the networks' file is what the networks are. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "bench/embedded.h"
#include "bench/shapes.h"
#include "tests/temporary_folder.h"

static sk_status parse(struct sk_shapes *shapes, const char *text) {
  *shapes = (struct sk_shapes){0};
  return sk_shapes_parse(shapes, "some.shapes", text, strlen(text));
}

static void expect_shape(const struct sk_named_shape *got, const struct sk_named_shape *wanted) {
  cr_expect_str_eq(got->name, wanted->name);
  cr_expect_eq(memcmp(&got->shape, &wanted->shape, sizeof got->shape), 0, "%s", sk_shape_print(got).text);
  cr_expect_eq(got->relu, wanted->relu);
  cr_expect_eq(got->add, wanted->add);
}

Test(shapes, lines_mean_what_they_say) {
  struct sk_shapes shapes;
  cr_assert_eq(
      parse(&shapes,
            "# a comment\n"
            "\n"
            "stem in=3x224x200 out=64 kernel=7x5 stride=2 pad=3x2 relu # and why\r\n"
            "\ta/b-1.c+d  batch=8 add groups=4\tin=16x9x12 kernel=3x3 pad=0,1,2,3 out=32 stride=1x3 dilation=2x1 \n"
            "last in=1x1x1 out=1 kernel=1x1"),
      SK_OK, "%s", sk_error_message());
  cr_assert_eq(shapes.count, 3);
  expect_shape(&shapes.items[0],
               &(struct sk_named_shape){"stem", {1, 3, 224, 200, 64, 7, 5, 2, 2, 1, 1, 3, 3, 2, 2, 1}, true, false});
  expect_shape(&shapes.items[1],
               &(struct sk_named_shape){"a/b-1.c+d", {8, 16, 9, 12, 32, 3, 3, 1, 3, 2, 1, 0, 1, 2, 3, 4}, false, true});
  expect_shape(&shapes.items[2],
               &(struct sk_named_shape){"last", {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1}, false, false});
  sk_shapes_free(&shapes);
}

Test(shapes, printed_lines_are_read_back) {
  static const char *const lines[] = {
      "a in=1x2x3 out=4 kernel=1x2",
      "a in=8x20x30 out=4 kernel=5x3 stride=2x1 pad=1x2 dilation=1x3 groups=2 batch=7 add relu",
      "a in=8x20x30 out=4 kernel=5x3 stride=3 pad=1,2,0,4 dilation=2 relu",
      "a in=8x20x30 out=4 kernel=5x3 pad=2 add",
  };
  for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
    struct sk_shapes shapes;
    cr_assert_eq(parse(&shapes, lines[i]), SK_OK, "%s", sk_error_message());
    cr_expect_str_eq(sk_shape_print(&shapes.items[0]).text, lines[i]);
    sk_shapes_free(&shapes);
  }
}

/* A line to refuse, and what the message must hold beside "some.shapes:2: ". */
struct refusal {
  const char *line, *named;
};

static const struct refusal refusals[] = {
    {"a out=4 kernel=1x1", "in= is missing, expected CxHxW"},
    {"a in=1x2x3 kernel=1x1", "out= is missing"},
    {"a in=1x2x3 out=4", "kernel= is missing"},
    {"in=1x2x3 out=4 kernel=1x1", "name: \"in=1x2x3\" is not a name"},
    {"first in=1x2x3 out=4 kernel=1x1", "name: \"first\" is not a new one"},
    {"a in=1x2 out=4 kernel=1x1", "in: \"1x2\" is not CxHxW"},
    {"a in=1x2x3x4 out=4 kernel=1x1", "in: \"1x2x3x4\""},
    {"a in=1x2x3x4x5 out=4 kernel=1x1", "in: \"1x2x3x4x5\""},
    {"a in=1x2x out=4 kernel=1x1", "in: \"1x2x\""},
    {"a in=1x-2x3 out=4 kernel=1x1", "in: \"1x-2x3\""},
    {"a in=5 out=4 kernel=1x1", "in: \"5\""},
    {"a in= out=4 kernel=1x1", "in: \"\""},
    {"a in out=4 kernel=1x1", "in: \"\""},
    {"a in=1x2x3 out=four kernel=1x1", "out: \"four\" is not a number of channels"},
    {"a in=1x2x3 out=4 kernel=3", "kernel: \"3\" is not RxS"},
    {"a in=1x2x3 out=99999999999999999999999 kernel=1x1", "out: \"99999999999999999999999\""},
    {"a in=1x2x3 out=4 kernel=1x1 pad=1,2", "pad: \"1,2\" is not P, PxP or top,bottom,left,right"},
    {"a in=1x2x3 out=4 kernel=1x1 pad=1x2x3x4", "pad: \"1x2x3x4\""},
    {"a in=1x2x3 out=4 kernel=1x1 pad=1,2x3,4", "pad: \"1,2x3,4\""},
    {"a in=1x2x3 out=4 kernel=1x1 pad", "pad: \"\""},
    {"a in=1x2x3 out=4 kernel=1x1 stride=1,2", "stride: \"1,2\""},
    {"a in=1x2x3 out=4 kernel=1x1 relu=1", "relu: \"relu=1\" is not the word alone"},
    {"a in=1x2x3 out=4 kernel=1x1 padding=1", "field: \"padding=1\" is not in=, out="},
    {"a in=1x2x3 out=4 kernel=1x1 out=5", "out: \"out=5\" is not the only one of its line"},
    {"a in=1x2x3 out=4 kernel=1x1 add add", "add: \"add\" is not the only one"},
    {"a,b in=1x2x3 out=4 kernel=1x1", "name: \"a,b\""},
    {"a in=1x2x3 out=4 kernel=3x3", "kernel"},
    {"a in=1x2x3 out=4 kernel=1x1 stride=0", "stride"},
    {"a in=3x2x3 out=4 kernel=1x1 groups=2", "groups"},
    {"a in=1000000000x1000000000x1000000000 out=4 kernel=1x1", "too large"},
    {"a in=1x2x3 out=4 kernel=1x1 \x01", "field: \"\\x01\""},
};

Test(shapes, bad_lines_are_refused_by_name) {
  for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
    char text[256];
    struct sk_shapes shapes;
    snprintf(text, sizeof text, "first in=1x2x3 out=4 kernel=1x1\n%s\nthird in=1x2x3 out=4 kernel=1x1\n",
             refusals[i].line);
    cr_expect_eq(parse(&shapes, text), SK_BAD_FORMAT, "%s", refusals[i].line);
    cr_expect(strncmp(sk_error_message(), "some.shapes:2: ", 15) == 0, "%s", sk_error_message());
    cr_expect(strstr(sk_error_message(), refusals[i].named), "%s: %s", refusals[i].line, sk_error_message());
    sk_shapes_free(&shapes);
  }
}

Test(shapes, texts_without_a_shape_are_refused) {
  static const char *const texts[] = {"", "\n\n", "# nothing", "  \t\r\n"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    struct sk_shapes shapes;
    cr_expect_eq(parse(&shapes, texts[i]), SK_BAD_FORMAT);
    cr_expect(strstr(sk_error_message(), "some.shapes: holds no shape"), "%s", sk_error_message());
    sk_shapes_free(&shapes);
  }
}

Test(shapes, names_and_files_have_limits) {
  static char text[1 << 18];
  struct sk_shapes shapes;
  snprintf(text, sizeof text, "%0100d in=1x2x3 out=4 kernel=1x1", 7);
  cr_expect_eq(parse(&shapes, text), SK_OK, "%s", sk_error_message());
  sk_shapes_free(&shapes);
  snprintf(text, sizeof text, "%0101d in=1x2x3 out=4 kernel=1x1", 7);
  cr_expect_eq(parse(&shapes, text), SK_BAD_FORMAT);
  sk_shapes_free(&shapes);
  size_t used = 0;
  for (int i = 0; i <= 4096; i++)
    used += (size_t)snprintf(text + used, sizeof text - used, "n%d in=1x2x3 out=4 kernel=1x1\n", i);
  cr_expect_eq(parse(&shapes, text), SK_BAD_FORMAT);
  cr_expect(strstr(sk_error_message(), "some.shapes:4097: more than 4096 shapes"), "%s", sk_error_message());
  sk_shapes_free(&shapes);
}

Test(shapes, files_are_read_and_named, .init = make_folder, .fini = remove_folder) {
  static const char good[] = "a in=1x2x3 out=4 kernel=1x1\n";
  static const char nul[] = "a in=1x2x3\0 out=4 kernel=1x1\n";
  char *path = put_file("good.shapes", good, sizeof good - 1);
  char *nul_path = put_file("nul.shapes", nul, sizeof nul - 1);
  struct sk_shapes shapes = {0};
  cr_expect_eq(sk_shapes_read(&shapes, path), SK_OK, "%s", sk_error_message());
  cr_expect_eq(shapes.count, 1);
  sk_shapes_free(&shapes);
  cr_expect_eq(sk_shapes_read(&shapes, nul_path), SK_BAD_FORMAT);
  cr_expect(strstr(sk_error_message(), "nul.shapes:1: in: \"1x2x3\\x00\""), "%s", sk_error_message());
  cr_expect_eq(sk_shapes_read(&shapes, "/no/such.shapes"), SK_IO_ERROR);
  cr_expect(strstr(sk_error_message(), "/no/such.shapes"));
  sk_shapes_free(&shapes);
  free(path);
  free(nul_path);
}

/* If this fails, the networks have changed: the file's second line says how to make it anew. */
Test(shapes, the_networks_file_is_what_the_networks_are) {
  struct sk_shapes file = {0};
  struct sk_shapes networks = {0};
  cr_assert_eq(sk_shapes_of_networks(&file), SK_OK, "%s", sk_error_message());
  cr_assert_eq(sk_shapes_collect(&networks), SK_OK, "%s", sk_error_message());
  for (size_t i = 0; i < file.count && i < networks.count; i++) {
    cr_expect_str_eq(sk_shape_print(&file.items[i]).text, sk_shape_print(&networks.items[i]).text);
  }
  cr_expect_eq(file.count, networks.count);
  sk_shapes_free(&file);
  sk_shapes_free(&networks);
}

Test(embedded, files_are_whole) {
  const struct sk_embedded file = sk_embedded_networks_shapes();
  cr_expect_str_eq(file.path, "bench/networks.shapes");
  cr_expect_eq(strlen(file.text), file.length);
  cr_expect_eq(file.text[0], '#');
  cr_expect_eq(file.text[file.length - 1], '\n');
}
