#include "bench/pictures.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/file.h"
#include "resnet/text.h"

/* ---- The list ----------------------------------------------------------------------------------------------- */

static sk_status grow(struct sk_pictures *pictures) {
  if (pictures->count < pictures->capacity) return SK_OK;
  const size_t capacity = pictures->capacity ? 2 * pictures->capacity : 64;
  char **files = realloc(pictures->files, capacity * sizeof *files);
  if (!files) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the names of %zu pictures", capacity);
  pictures->files = files;
  pictures->capacity = capacity;
  return SK_OK;
}

/* Add folder/name, or name alone if folder is empty. Whoever names a picture may name a link; of a folder somebody else
 * may have filled it, and what is not in it was not asked for. */
static sk_status add_file(struct sk_pictures *pictures, const char *folder, const char *name) {
  const size_t length = strlen(folder);
  const char *slash = length > 0 && folder[length - 1] != '/' ? "/" : "";
  char *path = NULL;
  const sk_status status = grow(pictures);
  if (status) return status;
  if (asprintf(&path, "%s%s%s", folder, slash, name) < 0) {
    return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the name of a picture");
  }
  pictures->files[pictures->count++] = path;
  return length > 0 ? sk_file_check_inside(folder, path) : SK_OK;
}

static bool is_picture(const char *name) {
  const char *dot = strrchr(name, '.');
  if (!dot || name[0] == '.') return false;
  return strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0 || strcasecmp(dot, ".png") == 0;
}

static int compare_names(const void *left, const void *right) {
  return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static sk_status read_folder(struct sk_pictures *pictures, const char *path, DIR *folder) {
  sk_status status = SK_OK;
  struct dirent *entry = NULL;
  errno = 0;
  while (!status && (entry = readdir(folder))) {
    if (is_picture(entry->d_name)) status = add_file(pictures, path, entry->d_name);
    errno = 0;
  }
  if (!status && errno) {
    status = sk_fail(SK_IO_ERROR, "%s: cannot read the folder: %s", sk_quote(path).text, strerror(errno));
  }
  return status;
}

static sk_status add_folder(struct sk_pictures *pictures, const char *path) {
  const size_t before = pictures->count;
  DIR *folder = opendir(path);
  if (!folder) return sk_fail(SK_IO_ERROR, "%s: cannot open the folder: %s", sk_quote(path).text, strerror(errno));
  const sk_status status = read_folder(pictures, path, folder);
  closedir(folder);
  if (status) return status;
  if (pictures->count == before) {
    return sk_fail(SK_IO_ERROR, "%s: holds no .jpg, .jpeg or .png file", sk_quote(path).text);
  }
  qsort(pictures->files + before, pictures->count - before, sizeof *pictures->files, compare_names);
  return SK_OK;
}

static bool is_folder(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

sk_status sk_pictures_find(struct sk_pictures *pictures, const char *const *operands, size_t count) {
  *pictures = (struct sk_pictures){0};
  sk_status status = SK_OK;
  for (size_t i = 0; !status && i < count; i++) {
    status = is_folder(operands[i]) ? add_folder(pictures, operands[i]) : add_file(pictures, "", operands[i]);
  }
  return status;
}

void sk_pictures_free(struct sk_pictures *pictures) {
  for (size_t i = 0; i < pictures->count; i++) free(pictures->files[i]);
  free(pictures->files);
  *pictures = (struct sk_pictures){0};
}

/* ---- Preparation -------------------------------------------------------------------------------------------- */

struct sk_preparation sk_preparation_choose(const sk_model_info *model, const struct sk_options *options, size_t height,
                                            size_t width) {
  struct sk_preparation preparation = {.height = height, .width = width};
  const size_t longer = sk_size_max(height, width);
  preparation.resize = sk_size_divide_up(model->resize * longer, sk_size_max(model->in_height, model->in_width));
  for (size_t i = 0; i < 3; i++) {
    preparation.mean[i] = sk_options_has(options, SK_ACCEPT(MEAN)) ? options->mean[i] : model->mean[i];
    preparation.standard_deviation[i] =
        sk_options_has(options, SK_ACCEPT(STD)) ? options->standard_deviation[i] : model->standard_deviation[i];
  }
  return preparation;
}

/* Put the file's name in front of the last error, whose text is in the buffer that sk_fail writes to. */
static sk_status name_file(const char *file, sk_status status) {
  char message[256];
  snprintf(message, sizeof message, "%s", sk_error_message());
  /* An argument that the image makes impossible is the image's fault, not the command line's. */
  return sk_fail(status == SK_INVALID_ARGUMENT ? SK_BAD_FORMAT : status, "%s: %s", sk_quote(file).text, message);
}

sk_status sk_picture_read(const char *file, const struct sk_preparation *preparation, float *out) {
  sk_image image;
  sk_status status = sk_image_open(&image, file);
  if (status) return status;
  status = sk_image_prepare(&image, preparation->resize, preparation->height, preparation->width, preparation->mean,
                            preparation->standard_deviation, out);
  if (status) status = name_file(file, status);
  sk_image_close(&image);
  return status;
}
