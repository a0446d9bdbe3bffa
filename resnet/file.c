#define _XOPEN_SOURCE 700 /* realpath, fdopen, fsync */

#include "resnet/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dispatch/memory.h"
#include "dispatch/status.h"
#include "resnet/text.h"

/* strerror is safe to call from several threads in glibc (2.32 and later) and musl. */
static sk_status fail_system(const char *path, const char *action, int error) {
  return sk_fail(error == ENOMEM ? SK_OUT_OF_MEMORY : SK_IO_ERROR, "%s: cannot %s: %s", sk_quote(path).text, action,
                 strerror(error));
}

/* ---- Reading ----------------------------------------------------------------------------------------------- */

static const char *describe_kind(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "something else";
}

sk_status sk_file_map_descriptor(struct sk_file_map *map, const char *path, int descriptor, size_t most) {
  struct stat status;
  *map = (struct sk_file_map){NULL, 0};
  if (fstat(descriptor, &status) != 0) return fail_system(path, "inspect", errno);
  if (!S_ISREG(status.st_mode)) {
    return sk_fail(SK_IO_ERROR, "%s: is %s, expected a regular file", sk_quote(path).text,
                   describe_kind(status.st_mode));
  }
  if (status.st_size == 0) { /* mmap refuses an empty range */
    *map = (struct sk_file_map){"", 0};
    return SK_OK;
  }
  if ((uintmax_t)status.st_size > most) {
    return sk_fail(SK_BAD_FORMAT, "%s: %ju bytes, expected at most %zu", sk_quote(path).text, (uintmax_t)status.st_size,
                   most);
  }
  void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (data == MAP_FAILED) return fail_system(path, "map", errno);
  *map = (struct sk_file_map){data, (size_t)status.st_size};
  return SK_OK;
}

sk_status sk_file_map_open(struct sk_file_map *map, const char *path) {
  return sk_file_map_open_within(map, path, SIZE_MAX);
}

sk_status sk_file_map_open_within(struct sk_file_map *map, const char *path, size_t most) {
  *map = (struct sk_file_map){NULL, 0};
  /* O_NONBLOCK: opening a pipe without a writer would wait for one before we could refuse it. */
  const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) return fail_system(path, "open", errno);
  const sk_status status = sk_file_map_descriptor(map, path, descriptor, most);
  close(descriptor);
  return status;
}

void sk_file_map_close(struct sk_file_map *map) {
  if (map->length > 0) munmap((void *)map->data, map->length);
  *map = (struct sk_file_map){NULL, 0};
}

/* A resolved path of a folder, "/" among them, is the front of all that is inside. */
static bool is_inside(const char *folder, const char *path) {
  const size_t length = strlen(folder);
  if (strncmp(folder, path, length) != 0) return false;
  return (length > 0 && folder[length - 1] == '/') || path[length] == '/';
}

sk_status sk_file_check_inside(const char *folder, const char *path) {
  char outer[PATH_MAX], inner[PATH_MAX];
  if (!realpath(*folder ? folder : ".", outer)) return fail_system(folder, "open", errno);
  if (!realpath(path, inner)) return fail_system(path, "open", errno);
  if (is_inside(outer, inner)) return SK_OK;
  return sk_fail(SK_IO_ERROR, "%s: leads out of its folder, to %s; expected a file inside", sk_quote(path).text,
                 sk_quote(inner).text);
}

/* ---- Writing ----------------------------------------------------------------------------------------------- */

/* The names below /dev and /proc lead to open descriptors or devices. Where one leads to a regular file
 * (`> out.txt`), replacing that file by a rename would cut it off from the descriptor. */
static bool names_descriptor(const char *path) {
  return strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0;
}

/* Open /dev/stdout as a duplicate of the descriptor: opening it anew would start over at offset 0. */
static int open_direct(const char *path) {
  if (strcmp(path, "/dev/stdout") != 0) return open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
  fflush(stdout);
  return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
}

/* Form "<folder of path>/.skiplane-<process>-<attempt>.tmp": short, whatever the length of the final name. */
static char *temporary_name(const char *path, unsigned attempt) {
  const char *slash = strrchr(path, '/');
  const size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
  const size_t room = folder + 64;
  char *name = sk_malloc(room);
  if (!name) return NULL;
  memcpy(name, path, folder);
  snprintf(name + folder, room - folder, ".skiplane-%ld-%u.tmp", (long)getpid(), attempt);
  return name;
}

/* Create a temporary file that nobody else has; O_EXCL tells other threads and left-overs apart.
 * mkstemp would do it with mode 0600 whatever the umask says. */
static int open_temporary(struct sk_file_writer *writer) {
  for (unsigned attempt = 0; attempt < 1000; attempt++) {
    writer->temporary = temporary_name(writer->path, attempt);
    if (!writer->temporary) return -1;
    const int descriptor = open(writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0) return descriptor;
    const int error = errno;
    sk_free(writer->temporary);
    writer->temporary = NULL;
    errno = error;
    if (error != EEXIST) return -1;
  }
  return -1;
}

/* Open the descriptor to write to. A file that is replaced hands its permissions on. */
static int open_target(struct sk_file_writer *writer) {
  struct stat status;
  const bool exists = stat(writer->path, &status) == 0;
  if (!exists && errno != ENOENT) return -1;
  if (names_descriptor(writer->path) || (exists && !S_ISREG(status.st_mode))) return open_direct(writer->path);
  if (exists) {
    char resolved[PATH_MAX];
    char *const path = realpath(writer->path, resolved) ? sk_strdup(resolved) : NULL;
    if (!path) return -1;
    sk_free(writer->path);
    writer->path = path;
  }
  const int descriptor = open_temporary(writer);
  if (descriptor >= 0 && exists) (void)fchmod(descriptor, status.st_mode & 07777);
  return descriptor;
}

static void release(struct sk_file_writer *writer) {
  sk_free(writer->temporary);
  sk_free(writer->path);
  *writer = (struct sk_file_writer){0};
}

sk_status sk_file_writer_open(struct sk_file_writer *writer, const char *path) {
  *writer = (struct sk_file_writer){.path = sk_strdup(path)};
  if (!writer->path) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the name of a file to write");
  const int descriptor = open_target(writer);
  if (descriptor >= 0) writer->stream = fdopen(descriptor, "wb");
  if (writer->stream) return SK_OK;
  const int error = errno;
  if (descriptor >= 0) close(descriptor);
  if (writer->temporary) unlink(writer->temporary);
  release(writer);
  return fail_system(path, "create", error);
}

void sk_file_write(struct sk_file_writer *writer, const void *data, size_t bytes) {
  if (bytes == 0 || writer->error) return;
  errno = 0;
  if (fwrite(data, 1, bytes, writer->stream) != bytes) writer->error = errno ? errno : EIO;
}

/* Bring everything to the disk; returns the errno of the first thing that failed. Only regular files can be synced. */
static int finish_stream(struct sk_file_writer *writer) {
  int error = writer->error;
  if (!error && ferror(writer->stream)) error = EIO;
  if (!error && fflush(writer->stream) != 0) error = errno;
  if (!error && writer->temporary && fsync(fileno(writer->stream)) != 0) error = errno;
  if (fclose(writer->stream) != 0 && !error) error = errno;
  writer->stream = NULL;
  return error;
}

sk_status sk_file_writer_commit(struct sk_file_writer *writer) {
  int error = finish_stream(writer);
  if (!error && writer->temporary && rename(writer->temporary, writer->path) != 0) error = errno;
  if (error && writer->temporary) unlink(writer->temporary);
  const sk_status status = error ? fail_system(writer->path, "write", error) : SK_OK;
  release(writer);
  return status;
}

void sk_file_writer_discard(struct sk_file_writer *writer) {
  if (writer->stream) fclose(writer->stream);
  if (writer->temporary) unlink(writer->temporary);
  release(writer);
}

sk_status sk_file_check_writable(const char *path) {
  struct stat status;
  struct sk_file_writer writer;
  if (!path) return SK_OK;
  if (stat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return SK_OK;
  const sk_status opened = sk_file_writer_open(&writer, path);
  if (!opened) sk_file_writer_discard(&writer);
  return opened;
}
