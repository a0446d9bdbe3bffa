/* Pictures by class: a folder with one folder for each, split into those to train on and those held out. */
#ifndef SK_BENCH_CLASS_FOLDERS_H
#define SK_BENCH_CLASS_FOLDERS_H

#include "bench/pictures.h"

struct sk_class {
  char *label; /* the folder's name */
  struct sk_pictures pictures;
  size_t held_out; /* how many of them are not trained on */
};

struct sk_labelled_picture {
  const char *file; /* its class's */
  size_t class_number;
};

struct sk_class_folders {
  struct sk_class *classes; /* by label as strcmp orders them */
  size_t class_count, capacity;
  struct sk_labelled_picture *examples; /* those to train on, then those held out; either class by class, by name */
  size_t train_count, held_out_count;
};

/* Read a folder. Folders in it whose names begin with a dot, and files beside them, are passed over.
 * Free the result whatever the outcome.
 * Errors: SK_IO_ERROR (a folder that cannot be read, or holds no picture), SK_BAD_FORMAT (fewer than two classes, a
 * class of fewer than two pictures, a name that is no label: with a line break or no UTF-8), SK_OUT_OF_MEMORY. */
sk_status sk_class_folders_read(struct sk_class_folders *folders, const char *path);
void sk_class_folders_free(struct sk_class_folders *folders);

/* Hold out a fraction of each class, rounded, at least one picture of it and at most all but one. Which ones depends on
 * the seed, the label and their number. Errors: SK_OUT_OF_MEMORY. */
sk_status sk_class_folders_split(struct sk_class_folders *folders, double fraction, uint64_t seed);

#endif
