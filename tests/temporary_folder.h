/* A folder for the files of one test, removed with all that is in it. */
#ifndef SK_TESTS_TEMPORARY_FOLDER_H
#define SK_TESTS_TEMPORARY_FOLDER_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Criterion runs each test in a process of its own, so this is the test's alone. */
static char temporary_folder[64];

static inline void make_folder(void) {
  strcpy(temporary_folder, "/tmp/skiplane-test-XXXXXX");
  cr_assert_not_null(mkdtemp(temporary_folder));
}

/* The path of a file in the folder; free it. */
static inline char *path_of(const char *name) {
  const size_t room = sizeof temporary_folder + strlen(name) + 2;
  char *path = malloc(room);
  cr_assert_not_null(path);
  snprintf(path, room, "%s/%s", temporary_folder, name);
  return path;
}

/* Visit the files of the folder; returns their number. */
static inline size_t for_each_file(int (*visit)(const char *path)) {
  size_t count = 0;
  DIR *folder = opendir(temporary_folder);
  cr_assert_not_null(folder);
  for (const struct dirent *entry; (entry = readdir(folder));) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    count++;
    char *path = path_of(entry->d_name);
    if (visit) visit(path);
    free(path);
  }
  closedir(folder);
  return count;
}

static inline size_t count_files(void) { return for_each_file(NULL); }

static inline void remove_folder(void) {
  for_each_file(remove);
  cr_assert_eq(rmdir(temporary_folder), 0);
}

/* Write a file of the folder as it stands; returns its path, to free. */
static inline char *put_file(const char *name, const void *data, size_t length) {
  char *path = path_of(name);
  FILE *stream = fopen(path, "wb");
  cr_assert_not_null(stream);
  cr_assert_eq(fwrite(data, 1, length, stream), length);
  cr_assert_eq(fclose(stream), 0);
  return path;
}

/* Read a whole file; returns its bytes and a NUL, to free. */
static inline char *get_file(const char *path, size_t *length) {
  FILE *stream = fopen(path, "rb");
  cr_assert_not_null(stream, "%s", path);
  char *data = calloc(1, 1 << 20);
  cr_assert_not_null(data);
  *length = fread(data, 1, (1 << 20) - 1, stream);
  fclose(stream);
  return data;
}

#endif
