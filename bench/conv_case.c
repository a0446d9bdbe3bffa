#include "bench/conv_case.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bench/npy.h"
#include "bench/shapes.h"
#include "dispatch/conv.h"
#include "dispatch/isa.h"
#include "dispatch/size.h"
#include "dispatch/status.h"
#include "dispatch/tensor.h"
#include "resnet/file.h"
#include "resnet/text.h"

#define FIRST_LINE "skiplane-case 1"
#define LARGEST_TENSOR ((size_t)1 << 34) /* bytes */

enum { LONGEST_LINE = 255, MOST_BYTES = 1 << 16 };

static const char *const call_names[SK_CONV_CALLS] = {"arrays", "tensors", "planar"};
static const char *const way_names[SK_CONV_WAYS] = {"machine", "together", "apart"};
static const char *const side_names[SK_GUARD_SIDES] = {"after", "before"};

/* ---- What is given -------------------------------------------------------------------------------------------- */

static float *allocate(size_t count) {
  float *memory = sk_alloc(count * sizeof *memory);
  if (memory) return memory;
  fprintf(stderr, "verify: out of memory\n");
  exit(1);
}

/* Where plane (image, channel) of the case lies in an array of the given shape; `per_group` channels of a group. */
struct planes {
  size_t group, channel, per_group, given_per_group;
};

static size_t given_channel(const struct planes *p, size_t channel) {
  return (p->group + channel / p->per_group) * p->given_per_group + p->channel + channel % p->per_group;
}

static float *cut_x(const struct sk_conv_case *c, const struct planes *inputs) {
  const sk_conv_shape *s = &c->shape, *from = &c->given->shape;
  float *x = allocate(s->batch * s->in_channels * s->in_height * s->in_width), *to = x;
  for (size_t i = 0; i < s->batch * s->in_channels * s->in_height; i++, to += s->in_width) {
    const size_t plane = i / s->in_height, row = c->window.row + i % s->in_height;
    const size_t image = c->window.image + plane / s->in_channels;
    const size_t channel = given_channel(inputs, plane % s->in_channels);
    const size_t line = (image * from->in_channels + channel) * from->in_height + row;
    memcpy(to, c->given->x + line * from->in_width + c->window.column, s->in_width * sizeof *to);
  }
  return x;
}

static float *cut_weights(const struct sk_conv_case *c, const struct planes *inputs, const struct planes *outputs) {
  const sk_conv_shape *s = &c->shape, *from = &c->given->shape;
  float *weights = allocate(s->out_channels * inputs->per_group * s->kernel_height * s->kernel_width), *to = weights;
  for (size_t i = 0; i < s->out_channels * inputs->per_group * s->kernel_height; i++, to += s->kernel_width) {
    const size_t kernel = i / s->kernel_height, row = c->window.kernel_row + i % s->kernel_height;
    const size_t channel = given_channel(outputs, kernel / inputs->per_group);
    const size_t input = c->window.in_channel + kernel % inputs->per_group;
    const size_t line = (channel * inputs->given_per_group + input) * from->kernel_height + row;
    memcpy(to, c->given->weights + line * from->kernel_width + c->window.kernel_column, s->kernel_width * sizeof *to);
  }
  return weights;
}

static float *cut_bias(const struct sk_conv_case *c, const struct planes *outputs) {
  float *bias = allocate(c->shape.out_channels);
  for (size_t k = 0; k < c->shape.out_channels; k++) bias[k] = c->given->bias[given_channel(outputs, k)];
  return bias;
}

static float *cut_residual(const struct sk_conv_case *c, const struct planes *outputs) {
  const struct sk_conv_given *from = c->given;
  size_t height, width;
  if (sk_conv_output_size(&c->shape, &height, &width)) abort(); /* checked before */
  const size_t channels = c->shape.out_channels, count = c->shape.batch * channels * height * width;
  float *residual = allocate(count);
  for (size_t i = 0; i < count; i++) {
    const size_t plane = i / width / height, image = c->window.image + plane / channels;
    const size_t line = (image * from->shape.out_channels + given_channel(outputs, plane % channels));
    const size_t row = i / width % height % from->out_height, column = i % width % from->out_width;
    residual[i] = from->residual[(line * from->out_height + row) * from->out_width + column];
  }
  return residual;
}

struct sk_conv_arrays sk_conv_case_cut(const struct sk_conv_case *c) {
  const sk_conv_shape *s = &c->shape, *from = &c->given->shape;
  const struct planes inputs = {c->window.group, c->window.in_channel, s->in_channels / s->groups,
                                from->in_channels / from->groups};
  const struct planes outputs = {c->window.group, c->window.out_channel, s->out_channels / s->groups,
                                 from->out_channels / from->groups};
  return (struct sk_conv_arrays){.x = cut_x(c, &inputs),
                                 .weights = cut_weights(c, &inputs, &outputs),
                                 .bias = c->bias ? cut_bias(c, &outputs) : NULL,
                                 .residual = c->residual ? cut_residual(c, &outputs) : NULL};
}

static void free_arrays(struct sk_conv_arrays *arrays) {
  sk_free(arrays->x);
  sk_free(arrays->weights);
  sk_free(arrays->bias);
  sk_free(arrays->residual);
}

sk_status sk_conv_case_check(const sk_conv_shape *shape, sk_algorithm algorithm) {
  sk_algorithm chosen;
  struct sk_tensor y = {.layout = SK_LAYOUT_NCHW16C, .channels = shape->out_channels};
  sk_status status = sk_conv_output_size(shape, &y.height, &y.width);
  if (!status) status = sk_conv_choose(shape, algorithm, &chosen);
  if (status) return status;
  const struct sk_tensor x = {.layout = SK_LAYOUT_NCHW16C,
                              .channels = shape->in_channels,
                              .height = shape->in_height,
                              .width = shape->in_width,
                              .halo = sk_conv_halo(shape)};
  size_t x_bytes, y_bytes, weights;
  status = sk_tensor_bytes(&x, shape->batch, &x_bytes);
  if (!status) status = sk_tensor_bytes(&y, shape->batch, &y_bytes);
  if (status) return status;
  const bool fits = sk_size_multiply(shape->out_channels, shape->in_channels / shape->groups, &weights) &&
                    sk_size_multiply(weights, shape->kernel_height, &weights) &&
                    sk_size_multiply(weights, shape->kernel_width, &weights) &&
                    weights <= LARGEST_TENSOR / sizeof(float);
  if (fits && x_bytes <= LARGEST_TENSOR && y_bytes <= LARGEST_TENSOR) return SK_OK;
  return sk_fail(SK_INVALID_ARGUMENT, "convolution: its arrays take more than %zu GiB each", LARGEST_TENSOR >> 30);
}

/* ---- Writing -------------------------------------------------------------------------------------------------- */

/* Print "<folder>/skiplane-case-<isa>-<algorithm>-<name><suffix>", where a '/' of the name becomes '-'; to be freed. */
static char *make_path(const struct sk_conv_case *c, const char *folder, const char *suffix) {
  char *path = NULL;
  const int length = asprintf(&path, "%s%sskiplane-case-%s-%s-%s%s", folder ? folder : "", folder ? "/" : "",
                              sk_isa_name(c->isa), sk_algorithm_name(c->algorithm), c->name, suffix);
  if (length < 0) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for a path"), NULL;
  char *name = path + (folder ? strlen(folder) + 1 : 0);
  for (char *at = strchr(name, '/'); at; at = strchr(at, '/')) *at = '-';
  return path;
}

/* Write one of the arrays beside the case, if it is there, and name it in the text. */
static sk_status write_array(FILE *text, const struct sk_conv_case *c, const char *folder, const char *key,
                             const float *data, const size_t shape[4], size_t rank) {
  char suffix[24];
  if (!data) return SK_OK;
  snprintf(suffix, sizeof suffix, ".%s.npy", key);
  char *path = make_path(c, folder, suffix);
  if (!path) return SK_OUT_OF_MEMORY;
  const sk_status status = sk_npy_write(path, rank, shape, data);
  fprintf(text, "%s %s\n", key, path + (folder ? strlen(folder) + 1 : 0));
  free(path);
  return status;
}

static sk_status write_arrays(FILE *text, const struct sk_conv_case *c, const char *folder) {
  const sk_conv_shape *s = &c->shape;
  size_t y[4] = {s->batch, s->out_channels, 0, 0};
  sk_status status = sk_conv_output_size(s, &y[2], &y[3]);
  if (status) return status;
  const size_t x[4] = {s->batch, s->in_channels, s->in_height, s->in_width};
  const size_t w[4] = {s->out_channels, s->in_channels / s->groups, s->kernel_height, s->kernel_width};
  struct sk_conv_arrays arrays = sk_conv_case_cut(c);
  status = write_array(text, c, folder, "x", arrays.x, x, 4);
  if (!status) status = write_array(text, c, folder, "w", arrays.weights, w, 4);
  if (!status) status = write_array(text, c, folder, "b", arrays.bias, w, 1);
  if (!status) status = write_array(text, c, folder, "residual", arrays.residual, y, 4);
  free_arrays(&arrays);
  return status;
}

static void write_text(FILE *text, const struct sk_conv_case *c) {
  const sk_conv_shape *s = &c->shape;
  fprintf(text, FIRST_LINE "\n# a convolution that failed a check of skiplane %s\n", sk_version());
  fprintf(text, "name %s\nisa %s\nalgorithm %s\nthreads %d\n", c->name, sk_isa_name(c->isa),
          sk_algorithm_name(c->algorithm), c->threads);
  fprintf(text, "call %s\ntiles %s\nguard %s\n", call_names[c->call], way_names[c->way], side_names[c->side]);
  fprintf(text, "batch %zu\nin %zux%zux%zu\nout %zu\nkernel %zux%zu\n", s->batch, s->in_channels, s->in_height,
          s->in_width, s->out_channels, s->kernel_height, s->kernel_width);
  fprintf(text, "stride %zux%zu\ndilation %zux%zu\npad %zu,%zu,%zu,%zu\ngroups %zu\n", s->stride_height,
          s->stride_width, s->dilation_height, s->dilation_width, s->pad_top, s->pad_bottom, s->pad_left, s->pad_right,
          s->groups);
  fprintf(text, "epilogue%s%s%s%s\n", c->bias ? " bias" : "", c->residual ? " residual" : "", c->relu ? " relu" : "",
          c->bias || c->residual || c->relu ? "" : " none");
  fprintf(text, "data %s\n", c->given ? "given" : sk_data_name(c->data));
  if (!c->given) fprintf(text, "seed %" PRIu64 "\n", c->seed);
}

static sk_status write_file(const char *path, const char *text, size_t length) {
  struct sk_file_writer writer;
  const sk_status status = sk_file_writer_open(&writer, path);
  if (status) return status;
  sk_file_write(&writer, text, length);
  return sk_file_writer_commit(&writer);
}

/* The arrays first: a case that is there is whole. */
static sk_status write_case(const struct sk_conv_case *c, const char *folder, const char *path) {
  char *text = NULL;
  size_t length = 0;
  FILE *stream = open_memstream(&text, &length);
  if (!stream) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for a case");
  write_text(stream, c);
  sk_status status = c->given ? write_arrays(stream, c, folder) : SK_OK;
  if (fclose(stream) != 0 && !status) status = sk_fail(SK_OUT_OF_MEMORY, "out of memory for a case");
  if (!status) status = write_file(path, text, length);
  free(text);
  return status;
}

char *sk_conv_case_write(const struct sk_conv_case *c, const char *folder) {
  char *path = make_path(c, folder, ".txt");
  if (!path || !write_case(c, folder, path)) return path;
  free(path);
  return NULL;
}

/* ---- Reading -------------------------------------------------------------------------------------------------- */

/* The file that is read, and the values whose meaning hangs on other lines. */
struct reader {
  const char *path;
  struct sk_conv_case *c;
  bool given;
  char files[4][LONGEST_LINE + 1]; /* x, w, b, residual */
  size_t line;                     /* that is read now */
  unsigned seen;                   /* bits of the keys that were there */
};

/* The index of a word among some; `count` if it is none of them. */
static size_t find_word(const char *const *words, size_t count, const char *word) {
  size_t i = 0;
  while (i < count && strcmp(words[i], word) != 0) i++;
  return i;
}

static const char *read_name(struct reader *r, const char *key, const char *value) {
  (void)key;
  const size_t length = strlen(value);
  const size_t plain = strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-");
  if (length == 0 || plain < length || length >= sizeof r->c->name)
    return "a name of up to 119 letters, digits and ._/-";
  memcpy(r->c->name, value, length + 1);
  return NULL;
}

static const char *read_isa(struct reader *r, const char *key, const char *value) {
  (void)key;
  return sk_isa_parse(value, &r->c->isa) || r->c->isa == SK_ISA_AUTO ? SK_ISA_CHOICES : NULL;
}

static const char *read_algorithm(struct reader *r, const char *key, const char *value) {
  (void)key;
  const bool bad = sk_algorithm_parse(value, &r->c->algorithm) || r->c->algorithm == SK_ALGORITHM_AUTO;
  return bad ? "direct, winograd2, winograd4, winograd6, gemm, strassen or winograd3" : NULL;
}

/* Read digits and nothing else. */
static bool read_number(const char *text, uint64_t most, uint64_t *number) {
  *number = 0;
  if (!*text) return false;
  for (; *text; text++) {
    if (*text < '0' || *text > '9') return false;
    if (__builtin_mul_overflow(*number, 10, number)) return false;
    if (__builtin_add_overflow(*number, (uint64_t)(*text - '0'), number)) return false;
  }
  return *number <= most;
}

static const char *read_threads(struct reader *r, const char *key, const char *value) {
  (void)key;
  uint64_t number;
  if (!read_number(value, 1024, &number) || number == 0) return "a number from 1 to 1024";
  r->c->threads = (int)number;
  return NULL;
}

static const char *read_seed(struct reader *r, const char *key, const char *value) {
  (void)key;
  return read_number(value, UINT64_MAX, &r->c->seed) ? NULL : "a number from 0 to 18446744073709551615";
}

static const char *read_call(struct reader *r, const char *key, const char *value) {
  (void)key;
  r->c->call = (enum sk_conv_call)find_word(call_names, SK_CONV_CALLS, value);
  return r->c->call < SK_CONV_CALLS ? NULL : "arrays, tensors or planar";
}

static const char *read_way(struct reader *r, const char *key, const char *value) {
  (void)key;
  r->c->way = (enum sk_conv_way)find_word(way_names, SK_CONV_WAYS, value);
  return r->c->way < SK_CONV_WAYS ? NULL : "machine, together or apart";
}

static const char *read_side(struct reader *r, const char *key, const char *value) {
  (void)key;
  r->c->side = (enum sk_guard_side)find_word(side_names, SK_GUARD_SIDES, value);
  return r->c->side < SK_GUARD_SIDES ? NULL : "before or after";
}

static const char *read_size(struct reader *r, const char *key, const char *value) {
  return sk_shape_set(&r->c->shape, key, value);
}

/* Read "bias residual relu", any of them in this order, or "none". */
static const char *read_epilogue(struct reader *r, const char *key, const char *value) {
  (void)key;
  static const char *const words[] = {"bias", "residual", "relu"};
  bool *const switches[] = {&r->c->bias, &r->c->residual, &r->c->relu};
  const char *at = value;
  for (size_t i = 0; i < 3; i++) {
    const size_t length = strlen(words[i]);
    *switches[i] = strncmp(at, words[i], length) == 0 && (at[length] == ' ' || at[length] == '\0');
    if (*switches[i]) at += length + (at[length] == ' ');
  }
  const bool is_whole = *value && *at == '\0' && value[strlen(value) - 1] != ' ';
  return is_whole || strcmp(value, "none") == 0 ? NULL : "some of bias residual relu, in this order, or none";
}

static const char *read_data(struct reader *r, const char *key, const char *value) {
  (void)key;
  r->given = strcmp(value, "given") == 0;
  r->c->data = SK_DATA_INTEGERS;
  while (!r->given && r->c->data < SK_DATA_KINDS && strcmp(sk_data_name(r->c->data), value) != 0) r->c->data++;
  return r->given || r->c->data < SK_DATA_KINDS
             ? NULL
             : "integers, reals, cancellation, mixed scales, near overflow, denormals or given";
}

static const char *const file_keys[] = {"x", "w", "b", "residual"};

static const char *read_file_name(struct reader *r, const char *key, const char *value) {
  char *name = r->files[find_word(file_keys, 4, key)];
  if (!*value || strchr(value, '/')) return "the name of a .npy file in the same folder";
  memcpy(name, value, strlen(value) + 1);
  return NULL;
}

/* The keys and how their values are read: NULL, or what was expected. In the order in which cases are written. */
static const struct key {
  const char *name;
  const char *(*read)(struct reader *reader, const char *key, const char *value);
} keys[] = {
    {"name", read_name},          {"isa", read_isa},     {"algorithm", read_algorithm},
    {"threads", read_threads},    {"call", read_call},   {"tiles", read_way},
    {"guard", read_side},         {"batch", read_size},  {"in", read_size},
    {"out", read_size},           {"kernel", read_size}, {"stride", read_size},
    {"dilation", read_size},      {"pad", read_size},    {"groups", read_size},
    {"epilogue", read_epilogue},  {"data", read_data},   {"seed", read_seed},
    {"x", read_file_name},        {"w", read_file_name}, {"b", read_file_name},
    {"residual", read_file_name},
};
enum { KEYS = sizeof keys / sizeof keys[0], KEY_SEED = KEYS - 5 }; /* from there on they hang on others */

static sk_status reject(const struct reader *r, const char *key, const char *came, const char *expected) {
  return sk_fail(SK_BAD_FORMAT, "%s:%zu: %s: \"%s\" is not %s", sk_quote(r->path).text, r->line, key,
                 sk_quote_short(came).text, expected);
}

/* Read "key value"; comments and blank lines say nothing. */
static sk_status read_line(struct reader *r, char *line) {
  if (*line == '#' || *line == '\0') return SK_OK;
  char *value = line + strcspn(line, " ");
  if (*value) *value++ = '\0';
  size_t i = 0;
  while (i < KEYS && strcmp(keys[i].name, line) != 0) i++;
  if (i == KEYS) return reject(r, "key", line, "one of those that a case has, such as isa or kernel");
  if (r->seen & 1U << i) return reject(r, line, value, "the only one of its key");
  r->seen |= 1U << i;
  const char *expected = keys[i].read(r, line, value);
  return expected ? reject(r, line, value, expected) : SK_OK;
}

/* What a case must have depends on where its data come from. */
static sk_status check_complete(const struct reader *r) {
  const bool is_due[] = {!r->given, r->given, r->given, r->given && r->c->bias, r->given && r->c->residual};
  for (unsigned i = 0; i < KEYS; i++) {
    const bool due = i < KEY_SEED || is_due[i - KEY_SEED], is_there = (r->seen & 1U << i) != 0;
    if (due == is_there) continue;
    return sk_fail(SK_BAD_FORMAT, "%s: %s is %s these data and this epilogue", sk_quote(r->path).text, keys[i].name,
                   due ? "missing, expected for" : "there, expected not for");
  }
  return SK_OK;
}

static sk_status check_meaning(const struct reader *r) {
  const struct sk_conv_case *c = r->c;
  const sk_status status = sk_conv_case_check(&c->shape, c->algorithm);
  char reason[300];
  if (status) {
    snprintf(reason, sizeof reason, "%s", sk_error_message());
    return sk_fail(status == SK_INVALID_ARGUMENT ? SK_BAD_FORMAT : status, "%s: %s", sk_quote(r->path).text, reason);
  }
  const bool is_planar = c->call == SK_CONV_CALL_PLANAR;
  if (!is_planar || (sk_conv_reads_planar(c->algorithm) && sk_conv_takes_planar(&c->shape))) return SK_OK;
  return sk_fail(SK_BAD_FORMAT, "%s: call: \"planar\" is not what a convolution of %s, %zu channels, can be",
                 sk_quote(r->path).text, sk_algorithm_name(c->algorithm), c->shape.in_channels);
}

/* Read all lines of a text; the first must tell what it is. */
static sk_status read_lines(struct reader *r, const char *text, size_t length) {
  const char *end = text + length;
  for (r->line = 1; text < end || r->line == 1; r->line++) {
    char line[LONGEST_LINE + 1];
    const char *stop = text < end ? memchr(text, '\n', (size_t)(end - text)) : NULL;
    const size_t bytes = (size_t)((stop ? stop : end) - text);
    snprintf(line, sizeof line, "%.*s", (int)sk_size_min(bytes, LONGEST_LINE), text);
    if (r->line == 1 && strcmp(line, FIRST_LINE) != 0) return reject(r, "format", line, "\"" FIRST_LINE "\"");
    if (strlen(line) != bytes) return reject(r, "line", line, "text of up to 255 bytes");
    const sk_status status = r->line == 1 ? SK_OK : read_line(r, line);
    if (status) return status;
    text += bytes + (stop != NULL);
  }
  return SK_OK;
}

/* An array is beside its case, and a link out of there is not. */
static sk_status check_beside(const char *text, const char *array) {
  char *folder = NULL;
  const char *slash = strrchr(text, '/');
  if (asprintf(&folder, "%.*s", slash ? (int)(slash - text + 1) : 0, text) < 0) {
    return sk_fail(SK_OUT_OF_MEMORY, "out of memory for a path");
  }
  const sk_status status = sk_file_check_inside(folder, array);
  free(folder);
  return status;
}

/* Read one of the arrays, which must have this shape. */
static sk_status load_array(const struct reader *r, size_t file, size_t rank, const size_t shape[4], float **data) {
  struct sk_npy array = {0};
  const char *slash = strrchr(r->path, '/');
  char *path = NULL;
  if (asprintf(&path, "%.*s%s", slash ? (int)(slash - r->path + 1) : 0, r->path, r->files[file]) < 0) {
    return sk_fail(SK_OUT_OF_MEMORY, "out of memory for a path");
  }
  sk_status status = check_beside(r->path, path);
  if (!status) status = sk_npy_read(&array, path);
  if (!status && (array.rank != rank || memcmp(array.shape, shape, rank * sizeof *shape) != 0)) {
    status = sk_fail(SK_BAD_FORMAT, "%s: its shape is not that of %s in %s", sk_quote(path).text, file_keys[file],
                     sk_quote_short(r->path).text);
  }
  if (!status) {
    *data = allocate(array.elements);
    memcpy(*data, array.data, array.elements * sizeof **data);
  }
  sk_npy_free(&array);
  free(path);
  return status;
}

static sk_status load_arrays(const struct reader *r, struct sk_conv_case_file *file) {
  const sk_conv_shape *s = &r->c->shape;
  const size_t x[4] = {s->batch, s->in_channels, s->in_height, s->in_width};
  const size_t w[4] = {s->out_channels, s->in_channels / s->groups, s->kernel_height, s->kernel_width};
  struct sk_conv_arrays *to = &file->arrays;
  size_t y[4] = {s->batch, s->out_channels, 0, 0};
  sk_status status = sk_conv_output_size(s, &y[2], &y[3]);
  if (!status) status = load_array(r, 0, 4, x, &to->x);
  if (!status) status = load_array(r, 1, 4, w, &to->weights);
  if (!status && r->c->bias) status = load_array(r, 2, 1, w, &to->bias);
  if (!status && r->c->residual) status = load_array(r, 3, 4, y, &to->residual);
  file->given = (struct sk_conv_given){*s, y[2], y[3], to->x, to->weights, to->bias, to->residual};
  r->c->given = &file->given;
  return status;
}

static sk_status read_text(struct reader *r, const char *text, size_t length) {
  sk_status status = read_lines(r, text, length);
  if (!status) status = check_complete(r);
  return status ? status : check_meaning(r);
}

sk_status sk_conv_case_parse(struct sk_conv_case *c, const char *source, const char *text, size_t length, bool *given) {
  *c = (struct sk_conv_case){0};
  struct reader r = {.path = source, .c = c};
  const sk_status status = read_text(&r, text, length);
  *given = r.given;
  return status;
}

sk_status sk_conv_case_read(struct sk_conv_case_file *file, const char *path) {
  *file = (struct sk_conv_case_file){0};
  struct reader r = {.path = path, .c = &file->content};
  struct sk_file_map map;
  sk_status status = sk_file_map_open_within(&map, path, MOST_BYTES);
  if (status) return status;
  status = read_text(&r, map.data, map.length);
  sk_file_map_close(&map);
  if (!status && r.given) status = load_arrays(&r, file);
  return status;
}

void sk_conv_case_free(struct sk_conv_case_file *file) {
  free_arrays(&file->arrays);
  *file = (struct sk_conv_case_file){0};
}
