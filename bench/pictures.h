/* Pictures on the command line: which files they are, and how they become a network's input. */
#ifndef SK_BENCH_PICTURES_H
#define SK_BENCH_PICTURES_H

#include "bench/options.h"

struct sk_pictures {
  char **files; /* owned */
  size_t count, capacity;
};

/* List the pictures that operands name, in their order. A folder stands for the .jpg, .jpeg and .png files in it, by
 * name as strcmp orders them, without those that begin with a dot. Free the list whatever the outcome.
 * Errors: SK_IO_ERROR (a folder that cannot be read, or holds no picture), SK_OUT_OF_MEMORY. */
sk_status sk_pictures_find(struct sk_pictures *pictures, const char *const *operands, size_t count);
void sk_pictures_free(struct sk_pictures *pictures);

/* How a network wants its pictures. */
struct sk_preparation {
  size_t resize, height, width;
  float mean[3], standard_deviation[3];
};

/* Take a model's own preparation with what options change. At another input size the picture is resized in the
 * proportion of the model's (256 : 224). height, width: the network's input. */
struct sk_preparation sk_preparation_choose(const sk_model_info *model, const struct sk_options *options, size_t height,
                                            size_t width);

/* Read and prepare one picture: out[3][height][width]. Errors: those of sk_image_open and sk_image_prepare; the
 * message names the file. */
sk_status sk_picture_read(const char *file, const struct sk_preparation *preparation, float *out);

#endif
