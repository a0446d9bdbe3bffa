/* NumPy's .npy files, version 1.0, of float32 arrays in C order. */
#ifndef SK_BENCH_NPY_H
#define SK_BENCH_NPY_H

#include "skiplane.h"

enum { SK_NPY_MAX_RANK = 8 };

struct sk_npy {
  size_t rank;
  size_t shape[SK_NPY_MAX_RANK];
  size_t elements; /* product of shape */
  float *data;     /* free with sk_npy_free */
};

/* Write data[shape[0]][shape[1]]...: all or nothing, as sk_file_writer does.
 * Errors: SK_INVALID_ARGUMENT (rank, sizes whose product overflows), SK_IO_ERROR. */
sk_status sk_npy_write(const char *path, size_t rank, const size_t *shape, const float *data);

/* Read an array. Errors: SK_IO_ERROR, SK_BAD_FORMAT (the data must end where the file does), SK_UNSUPPORTED (another
 * version, element type, byte order or Fortran order), SK_OUT_OF_MEMORY. */
sk_status sk_npy_read(struct sk_npy *array, const char *path);

/* The same from a file's bytes; source: its name for messages. */
sk_status sk_npy_parse(struct sk_npy *array, const char *source, const void *data, size_t length);
void sk_npy_free(struct sk_npy *array);

#endif
