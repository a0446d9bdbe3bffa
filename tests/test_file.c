/* Mapping files, and writing them all or nothing; also the quoting of text for messages. */
#define _XOPEN_SOURCE 700

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "resnet/file.h"
#include "resnet/text.h"
#include "tests/temporary_folder.h"

TestSuite(file, .init = make_folder, .fini = remove_folder);

static void assert_refused(sk_status status, sk_status expected, const char *part) {
  cr_assert_eq(status, expected, "status \"%s\": %s", sk_status_name(status), sk_error_message());
  cr_assert_not_null(strstr(sk_error_message(), part), "\"%s\" lacks \"%s\"", sk_error_message(), part);
}

/* ---- Mapping ------------------------------------------------------------------------------------------------ */

Test(file, maps_a_file) {
  char *path = put_file("a", "hello", 5);
  struct sk_file_map map;
  cr_assert_eq(sk_file_map_open(&map, path), SK_OK);
  cr_assert_eq(map.length, 5);
  cr_assert_eq(memcmp(map.data, "hello", 5), 0);
  sk_file_map_close(&map);
  sk_file_map_close(&map); /* closing twice is harmless */
  free(path);
}

Test(file, maps_an_empty_file) {
  char *path = put_file("empty", "", 0);
  struct sk_file_map map;
  cr_assert_eq(sk_file_map_open(&map, path), SK_OK);
  cr_assert_eq(map.length, 0);
  cr_assert_not_null(map.data);
  sk_file_map_close(&map);
  free(path);
}

Test(file, refuses_to_map_what_is_no_file) {
  struct sk_file_map map;
  char *pipe = path_of("pipe");
  char *missing = path_of("missing");
  cr_assert_eq(mkfifo(pipe, 0600), 0);
  alarm(20); /* ends what waits for the pipe */
  assert_refused(sk_file_map_open(&map, temporary_folder), SK_IO_ERROR, "a folder");
  assert_refused(sk_file_map_open(&map, pipe), SK_IO_ERROR, "a pipe");
  assert_refused(sk_file_map_open(&map, "/dev/null"), SK_IO_ERROR, "a device");
  assert_refused(sk_file_map_open(&map, missing), SK_IO_ERROR, missing);
  assert_refused(sk_file_map_open(&map, missing), SK_IO_ERROR, "No such file");
  free(pipe);
  free(missing);
}

/* ---- Writing ------------------------------------------------------------------------------------------------ */

static sk_status write_text(const char *path, const char *text) {
  struct sk_file_writer writer;
  const sk_status status = sk_file_writer_open(&writer, path);
  if (status) return status;
  sk_file_write(&writer, text, strlen(text));
  return sk_file_writer_commit(&writer);
}

static void assert_holds(const char *path, const char *text) {
  size_t length;
  char *data = get_file(path, &length);
  cr_assert_str_eq(data, text);
  free(data);
}

Test(file, writes_and_replaces) {
  char *path = path_of("out");
  cr_assert_eq(write_text(path, "first"), SK_OK);
  assert_holds(path, "first");
  cr_assert_eq(write_text(path, "second"), SK_OK);
  assert_holds(path, "second");
  cr_assert_eq(count_files(), 1);
  free(path);
}

Test(file, shows_nothing_before_the_commit) {
  char *path = put_file("out", "old", 3);
  struct sk_file_writer writer;
  cr_assert_eq(sk_file_writer_open(&writer, path), SK_OK);
  sk_file_write(&writer, "new", 3);
  fflush(writer.stream);
  assert_holds(path, "old");
  sk_file_writer_discard(&writer);
  sk_file_writer_discard(&writer);
  assert_holds(path, "old");
  cr_assert_eq(count_files(), 1);
  free(path);
}

Test(file, two_writers_do_not_meet) {
  char *path = path_of("out");
  struct sk_file_writer first;
  struct sk_file_writer second;
  cr_assert_eq(sk_file_writer_open(&first, path), SK_OK);
  cr_assert_eq(sk_file_writer_open(&second, path), SK_OK);
  sk_file_write(&first, "first", 5);
  sk_file_write(&second, "second", 6);
  cr_assert_eq(sk_file_writer_commit(&second), SK_OK);
  cr_assert_eq(sk_file_writer_commit(&first), SK_OK);
  assert_holds(path, "first");
  cr_assert_eq(count_files(), 1);
  free(path);
}

Test(file, keeps_permissions_and_obeys_umask) {
  char *path = path_of("out");
  struct stat status;
  umask(027);
  cr_assert_eq(write_text(path, "a"), SK_OK);
  cr_assert_eq(stat(path, &status), 0);
  cr_assert_eq(status.st_mode & 0777, 0640);
  cr_assert_eq(chmod(path, 0604), 0);
  cr_assert_eq(write_text(path, "b"), SK_OK);
  cr_assert_eq(stat(path, &status), 0);
  cr_assert_eq(status.st_mode & 0777, 0604);
  free(path);
}

Test(file, writes_through_a_symbolic_link) {
  char *path = put_file("real", "old", 3);
  char *link_path = path_of("link");
  struct stat status;
  cr_assert_eq(symlink("real", link_path), 0);
  cr_assert_eq(write_text(link_path, "new"), SK_OK);
  cr_assert_eq(lstat(link_path, &status), 0);
  cr_assert(S_ISLNK(status.st_mode));
  assert_holds(path, "new");
  free(path);
  free(link_path);
}

Test(file, accepts_the_longest_name) {
  char name[256];
  memset(name, 'n', 255);
  name[255] = '\0';
  char *path = path_of(name);
  cr_assert_eq(write_text(path, "x"), SK_OK, "%s", sk_error_message());
  free(path);
}

Test(file, refuses_a_missing_folder_and_a_folder) {
  char *path = path_of("missing/out");
  assert_refused(write_text(path, "x"), SK_IO_ERROR, "No such file");
  assert_refused(write_text(temporary_folder, "x"), SK_IO_ERROR, "Is a directory");
  cr_assert_eq(count_files(), 0);
  free(path);
}

Test(file, notices_a_full_disk) {
  assert_refused(write_text("/dev/full", "x"), SK_IO_ERROR, "/dev/full: cannot write: No space left on device");
  char *big = calloc(1, 1 << 20); /* more than a buffer, so that fwrite itself fails */
  cr_assert_not_null(big);
  memset(big, 'x', (1 << 20) - 1);
  assert_refused(write_text("/dev/full", big), SK_IO_ERROR, "No space left on device");
  free(big);
}

/* No test can fill a disk, so the temporary's descriptor is swapped for one of /dev/full. */
Test(file, removes_the_temporary_of_a_failed_write) {
  char *path = put_file("out", "old", 3);
  struct sk_file_writer writer;
  cr_assert_eq(sk_file_writer_open(&writer, path), SK_OK);
  cr_assert_eq(count_files(), 2);
  const int full = open("/dev/full", O_WRONLY);
  cr_assert_geq(dup2(full, fileno(writer.stream)), 0);
  close(full);
  sk_file_write(&writer, "new", 3);
  assert_refused(sk_file_writer_commit(&writer), SK_IO_ERROR, "No space left on device");
  assert_holds(path, "old");
  cr_assert_eq(count_files(), 1);
  free(path);
}

Test(file, notices_a_failed_rename) {
  char *path = path_of("out");
  struct sk_file_writer writer;
  cr_assert_eq(sk_file_writer_open(&writer, path), SK_OK);
  sk_file_write(&writer, "new", 3);
  cr_assert_eq(mkdir(path, 0700), 0); /* a file cannot replace a folder */
  assert_refused(sk_file_writer_commit(&writer), SK_IO_ERROR, "Is a directory");
  cr_assert_eq(count_files(), 1);
  free(path);
}

Test(file, writes_devices_directly) {
  cr_assert_eq(write_text("/dev/null", "x"), SK_OK);
  struct stat status;
  cr_assert_eq(stat("/dev/null", &status), 0);
  cr_assert(S_ISCHR(status.st_mode));
}

/* As `skiplane ... /dev/stdout > out` does, with text printed before and after. */
Test(file, standard_output_keeps_its_place_in_a_file) {
  char *path = path_of("out");
  const pid_t child = fork();
  cr_assert_geq(child, 0);
  if (child == 0) {
    const bool redirected = freopen(path, "wb", stdout) != NULL && fputs("one ", stdout) >= 0;
    const sk_status status = write_text("/dev/stdout", "two ");
    fputs("three", stdout);
    fflush(stdout);
    _exit(redirected && status == SK_OK ? 0 : 1);
  }
  int result;
  cr_assert_eq(waitpid(child, &result, 0), child);
  cr_assert(WIFEXITED(result) && WEXITSTATUS(result) == 0);
  assert_holds(path, "one two three");
  free(path);
}

/* ---- Quoting ------------------------------------------------------------------------------------------------ */

Test(text, knows_utf8) {
  static const struct {
    const char *text;
    size_t sequence;
  } cases[] = {
      {"a", 1},
      {"\xC3\xA9", 2},
      {"\xE2\x82\xAC", 3},
      {"\xF0\x9F\x98\x80", 4},
      {"\x80", 0},
      {"\xC3", 0},
      {"\xC3z", 0},
      {"\xC0\x80", 0},
      {"\xE0\x9F\xBF", 0},
      {"\xED\xA0\x80", 0},
      {"\xED\x9F\xBF", 3},
      {"\xF0\x8F\xBF\xBF", 0},
      {"\xF4\x90\x80\x80", 0},
      {"\xF5\x80\x80\x80", 0},
      {"\xFF", 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cr_expect_eq(sk_utf8_sequence(cases[i].text, strlen(cases[i].text)), cases[i].sequence, "case %zu", i);
  }
}

Test(text, quotes_what_a_terminal_would_obey) {
  cr_assert_str_eq(sk_quote("caf\xC3\xA9").text, "caf\xC3\xA9");
  cr_assert_str_eq(sk_quote("\x1B[31m\n\x7F").text, "\\x1b[31m\\x0a\\x7f");
  cr_assert_str_eq(sk_quote("\xC2\x9B\xFF").text, "\\xc2\\x9b\\xff"); /* U+009B starts a command, too */
}

Test(text, bounds_what_it_quotes) {
  char text[1000];
  memset(text, 'a', sizeof text);
  const struct sk_quoted quoted = sk_quote_bytes(text, sizeof text);
  cr_assert_eq(strlen(quoted.text), SK_QUOTED_LIMIT + 3);
  cr_assert_str_eq(quoted.text + SK_QUOTED_LIMIT, "...");
  memset(text, '\x01', sizeof text);
  cr_assert_leq(strlen(sk_quote_bytes(text, sizeof text).text), SK_QUOTED_LIMIT + 3);
}
