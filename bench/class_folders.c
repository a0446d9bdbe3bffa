#include "bench/class_folders.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/verify_internal.h"
#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/text.h"

/* ---- The classes -------------------------------------------------------------------------------------------- */

static sk_status grow(struct sk_class_folders *folders) {
  if (folders->class_count < folders->capacity) return SK_OK;
  const size_t capacity = folders->capacity ? 2 * folders->capacity : 16;
  struct sk_class *classes = realloc(folders->classes, capacity * sizeof *classes);
  if (!classes) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu classes", capacity);
  folders->classes = classes;
  folders->capacity = capacity;
  return SK_OK;
}

/* A label is a line of text in the head's file and in what is printed. */
static sk_status check_label(const char *folder, const char *label) {
  bool fits = !strpbrk(label, "\r\n");
  for (size_t left = strlen(label), at = 0; fits && left > 0;) {
    const size_t sequence = sk_utf8_sequence(label + at, left);
    fits = sequence > 0;
    at += sequence;
    left -= sequence;
  }
  if (fits) return SK_OK;
  return sk_fail(SK_BAD_FORMAT, "%s: the folder \"%s\": expected a name of UTF-8 without line breaks, for a label",
                 sk_quote(folder).text, sk_quote(label).text);
}

static sk_status add_class(struct sk_class_folders *folders, const char *folder, const char *label) {
  sk_status status = check_label(folder, label);
  if (!status) status = grow(folders);
  if (status) return status;
  char *const copy = strdup(label);
  if (!copy) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for a label");
  folders->classes[folders->class_count++] = (struct sk_class){.label = copy};
  return SK_OK;
}

static bool is_folder(int parent, const char *name) {
  struct stat status;
  return name[0] != '.' && fstatat(parent, name, &status, 0) == 0 && S_ISDIR(status.st_mode);
}

static sk_status list_classes(struct sk_class_folders *folders, const char *path, DIR *folder) {
  sk_status status = SK_OK;
  struct dirent *entry = NULL;
  errno = 0;
  while (!status && (entry = readdir(folder))) {
    if (is_folder(dirfd(folder), entry->d_name)) status = add_class(folders, path, entry->d_name);
    errno = 0;
  }
  if (!status && errno) {
    status = sk_fail(SK_IO_ERROR, "%s: cannot read the folder: %s", sk_quote(path).text, strerror(errno));
  }
  return status;
}

static int compare_labels(const void *left, const void *right) {
  return strcmp(((const struct sk_class *)left)->label, ((const struct sk_class *)right)->label);
}

static sk_status find_classes(struct sk_class_folders *folders, const char *path) {
  DIR *folder = opendir(path);
  if (!folder) return sk_fail(SK_IO_ERROR, "%s: cannot open the folder: %s", sk_quote(path).text, strerror(errno));
  const sk_status status = list_classes(folders, path, folder);
  closedir(folder);
  if (status) return status;
  if (folders->class_count < 2) {
    return sk_fail(SK_BAD_FORMAT, "%s: holds %zu folders, expected two or more, one for each class",
                   sk_quote(path).text, folders->class_count);
  }
  qsort(folders->classes, folders->class_count, sizeof *folders->classes, compare_labels);
  return SK_OK;
}

static sk_status find_pictures(struct sk_class *class, const char *path) {
  char *folder = NULL;
  if (asprintf(&folder, "%s/%s", path, class->label) < 0) {
    return sk_fail(SK_OUT_OF_MEMORY, "out of memory for the name of a folder");
  }
  sk_status status = sk_pictures_find(&class->pictures, (const char *const[]){folder}, 1);
  if (!status && class->pictures.count < 2) {
    status = sk_fail(SK_BAD_FORMAT, "%s: holds 1 picture, expected two or more: one to train on, one to hold out",
                     sk_quote(folder).text);
  }
  free(folder);
  return status;
}

sk_status sk_class_folders_read(struct sk_class_folders *folders, const char *path) {
  *folders = (struct sk_class_folders){0};
  sk_status status = find_classes(folders, path);
  for (size_t i = 0; !status && i < folders->class_count; i++) status = find_pictures(&folders->classes[i], path);
  return status;
}

void sk_class_folders_free(struct sk_class_folders *folders) {
  for (size_t i = 0; i < folders->class_count; i++) {
    free(folders->classes[i].label);
    sk_pictures_free(&folders->classes[i].pictures);
  }
  free(folders->classes);
  free(folders->examples);
  *folders = (struct sk_class_folders){0};
}

/* ---- The split ---------------------------------------------------------------------------------------------- */

static sk_status choose_counts(struct sk_class_folders *folders, double fraction, size_t *largest) {
  for (size_t i = 0; i < folders->class_count; i++) {
    struct sk_class *const class = &folders->classes[i];
    const size_t count = class->pictures.count;
    class->held_out = sk_size_min(sk_size_max((size_t)floor(fraction * (double)count + 0.5), 1), count - 1);
    folders->held_out_count += class->held_out;
    folders->train_count += count - class->held_out;
    *largest = sk_size_max(*largest, count);
  }
  folders->examples = calloc(folders->train_count + folders->held_out_count, sizeof *folders->examples);
  return folders->examples ? SK_OK : sk_fail(SK_OUT_OF_MEMORY, "out of memory for the list of pictures");
}

/* Put a class's pictures where they belong. order: a random order of them, of which the first are held out. */
static void place(struct sk_class_folders *folders, size_t class_number, const size_t *order, bool *held_out,
                  struct sk_labelled_picture **train, struct sk_labelled_picture **test) {
  const struct sk_class *const class = &folders->classes[class_number];
  for (size_t i = 0; i < class->pictures.count; i++) held_out[order[i]] = i < class->held_out;
  for (size_t i = 0; i < class->pictures.count; i++) {
    struct sk_labelled_picture **const next = held_out[i] ? test : train;
    *(*next)++ = (struct sk_labelled_picture){class->pictures.files[i], class_number};
  }
}

sk_status sk_class_folders_split(struct sk_class_folders *folders, double fraction, uint64_t seed) {
  size_t largest = 0;
  sk_status status = choose_counts(folders, fraction, &largest);
  size_t *const order = calloc(largest + 1, sizeof *order);
  bool *const held_out = calloc(largest + 1, sizeof *held_out);
  if (!status && (!order || !held_out)) status = sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu pictures", largest);
  struct sk_labelled_picture *train = folders->examples;
  struct sk_labelled_picture *test = train ? train + folders->train_count : NULL;
  for (size_t i = 0; !status && i < folders->class_count; i++) {
    struct sk_random random = sk_random_start(seed, folders->classes[i].label);
    sk_random_shuffle(&random, order, folders->classes[i].pictures.count);
    place(folders, i, order, held_out, &train, &test);
  }
  free(order);
  free(held_out);
  return status;
}
