#include "resnet/onnx_external.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dispatch/memory.h"
#include "dispatch/status.h"
#include "resnet/text.h"
#include "resnet/weights.h"

/* ---- Opening ------------------------------------------------------------------------------------------------ */

static sk_status fail_system(const char *what, const char *location, int error) {
  const bool is_link = error == ELOOP; /* what O_NOFOLLOW answers for one */
  return sk_fail(SK_IO_ERROR, "%s: external data \"%s\": cannot open: %s", what, sk_quote_short(location).text,
                 is_link ? "a symbolic link, which are not followed" : strerror(error));
}

/* Open one part of a location below a folder: a folder but for the last part. */
static int open_part(int folder, const char *part, bool is_last) {
  const int kind = is_last ? O_RDONLY | O_NONBLOCK : O_RDONLY | O_DIRECTORY;
  const int descriptor = openat(folder, part, kind | O_NOFOLLOW | O_CLOEXEC);
  /* Of a link to a folder, O_DIRECTORY says first that it is none. */
  if (descriptor < 0 && errno == ENOTDIR) {
    const int link = openat(folder, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    char target;
    if (link >= 0) {
      errno = readlinkat(link, "", &target, 1) >= 0 ? ELOOP : ENOTDIR;
      const int error = errno;
      close(link);
      errno = error;
    }
  }
  return descriptor;
}

/* Walk down a location part by part, so that no link is followed, not even one that is put there meanwhile. `parts` is
 * cut up. Returns -1 with errno set. */
static int open_below(const char *folder, char *parts) {
  char *rest = NULL;
  int descriptor = open(*folder ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  char *part = strtok_r(parts, "/", &rest);
  while (descriptor >= 0 && part) {
    char *const next = strtok_r(NULL, "/", &rest);
    const int below = open_part(descriptor, part, next == NULL);
    const int error = errno;
    close(descriptor);
    errno = error;
    descriptor = below;
    part = next;
  }
  return descriptor;
}

/* ---- Locations ---------------------------------------------------------------------------------------------- */

static bool has_parent_part(const char *location) {
  for (const char *at = location; *at;) {
    const size_t length = strcspn(at, "/");
    if (length == 2 && strncmp(at, "..", 2) == 0) return true;
    at += length + (at[length] == '/');
  }
  return false;
}

static sk_status check_location(const char *what, const char *location) {
  const char *fault = NULL;
  if (!location || strspn(location, "/.") == strlen(location)) fault = "names no file";
  if (!fault && location[0] == '/') fault = "is absolute";
  if (!fault && has_parent_part(location)) fault = "has \"..\"";
  if (!fault) return SK_OK;
  return sk_fail(SK_BAD_FORMAT, "%s: external data \"%s\": %s, expected a file in the model's folder", what,
                 location ? sk_quote_short(location).text : "", fault);
}

/* ---- The files ---------------------------------------------------------------------------------------------- */

static sk_status reserve_one(struct sk_onnx_files *files) {
  if (files->count < files->capacity) return SK_OK;
  const size_t capacity = 2 * files->capacity + 4;
  struct sk_onnx_mapped *const items = sk_realloc(files->items, files->count * sizeof *items, capacity * sizeof *items);
  if (!items) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu files of external data", capacity);
  files->items = items;
  files->capacity = capacity;
  return SK_OK;
}

static sk_status open_and_map(const struct sk_onnx_files *files, const char *what, const char *location,
                              struct sk_file_map *map) {
  char *const parts = sk_strdup(location);
  if (!parts) return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for a location", what);
  const int descriptor = open_below(files->folder, parts);
  const int error = errno;
  sk_free(parts);
  if (descriptor < 0) return fail_system(what, location, error);
  const sk_status status = sk_file_map_descriptor(map, location, descriptor, SK_WEIGHTS_MAX_BYTES);
  close(descriptor);
  return status;
}

static sk_status add(struct sk_onnx_files *files, const char *what, const char *location) {
  struct sk_onnx_mapped file = {NULL, {NULL, 0}};
  sk_status status = reserve_one(files);
  if (!status) status = open_and_map(files, what, location, &file.map);
  if (status) return status;
  file.location = sk_strdup(location);
  if (!file.location) {
    sk_file_map_close(&file.map);
    return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for a location", what);
  }
  files->items[files->count++] = file;
  return SK_OK;
}

sk_status sk_onnx_files_map(struct sk_onnx_files *files, const char *what, const char *location,
                            struct sk_file_map *map) {
  sk_status status = check_location(what, location);
  if (status) return status;
  /* The newest first: tensors come file by file. */
  for (size_t i = files->count; i-- > 0;) {
    *map = files->items[i].map;
    if (strcmp(files->items[i].location, location) == 0) return SK_OK;
  }
  status = add(files, what, location);
  if (!status) *map = files->items[files->count - 1].map;
  return status;
}

void sk_onnx_files_close(struct sk_onnx_files *files) {
  for (size_t i = 0; i < files->count; i++) {
    sk_free(files->items[i].location);
    sk_file_map_close(&files->items[i].map);
  }
  sk_free(files->items);
  *files = (struct sk_onnx_files){0};
}
