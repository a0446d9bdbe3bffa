#define _DEFAULT_SOURCE /* madvise */

#include "resnet/weights.h"

#include <cjson/cJSON.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dispatch/memory.h"
#include "dispatch/size.h"
#include "dispatch/status.h"
#include "resnet/text.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensor data is read as little-endian");

/* ---- A set of tensors --------------------------------------------------------------------------------------- */

sk_status sk_weights_allocate(sk_weights **weights, const char *source, size_t capacity) {
  *weights = NULL;
  sk_weights *set = sk_calloc(1, sizeof *set);
  if (set) {
    set->capacity = sk_size_max(capacity, 16);
    set->source = sk_strdup(source);
    set->tensors = sk_calloc(set->capacity, sizeof *set->tensors);
  }
  if (!set || !set->source || !set->tensors) {
    sk_weights_close(set);
    return sk_fail(SK_OUT_OF_MEMORY, "%s: out of memory for %zu tensors", sk_quote(source).text, capacity);
  }
  *weights = set;
  return SK_OK;
}

sk_status sk_weights_new(sk_weights **weights) {
  const sk_status status = sk_weights_allocate(weights, "seeded weights", 0);
  if (!status) (*weights)->owns_data = true;
  return status;
}

void sk_weights_close(sk_weights *weights) {
  if (!weights) return;
  for (size_t i = 0; i < weights->count; i++) {
    sk_free((void *)weights->tensors[i].name);
    if (weights->owns_data) sk_free((void *)weights->tensors[i].data);
  }
  sk_file_map_close(&weights->map);
  cJSON_Delete(weights->metadata);
  sk_weights_close(weights->head);
  sk_free(weights->tensors);
  sk_free(weights->source);
  sk_free(weights);
}

const char *sk_weights_source(const sk_weights *weights) { return weights->source; }

size_t sk_weights_count(const sk_weights *weights) { return weights->count; }

const struct sk_weight_tensor *sk_weights_at(const sk_weights *weights, size_t index) {
  return &weights->tensors[index];
}

/* Index of the first tensor whose name is not before `name`. */
static size_t lower_bound(const sk_weights *weights, const char *name) {
  size_t low = 0;
  size_t high = weights->count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (strcmp(weights->tensors[middle].name, name) < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

const struct sk_weight_tensor *sk_weights_find(const sk_weights *weights, const char *name) {
  const size_t index = lower_bound(weights, name);
  if (index == weights->count || strcmp(weights->tensors[index].name, name) != 0) return NULL;
  return &weights->tensors[index];
}

/* ---- Adding ------------------------------------------------------------------------------------------------- */

static bool is_utf8(const char *text) {
  for (size_t left = strlen(text); left > 0;) {
    const size_t sequence = sk_utf8_sequence(text, left);
    if (sequence == 0) return false;
    text += sequence;
    left -= sequence;
  }
  return true;
}

static sk_status check_new_tensor(const sk_weights *weights, const char *name, size_t rank) {
  if (!weights->owns_data) {
    return sk_fail(SK_INVALID_ARGUMENT, "%s: tensors cannot be added to a file", sk_quote(weights->source).text);
  }
  if (!is_utf8(name) || strcmp(name, "__metadata__") == 0) {
    return sk_fail(SK_INVALID_ARGUMENT, "tensor name \"%s\": cannot be saved, expected UTF-8 other than __metadata__",
                   sk_quote(name).text);
  }
  if (sk_weights_find(weights, name)) {
    return sk_fail(SK_INVALID_ARGUMENT, "tensor \"%s\": added twice", sk_quote(name).text);
  }
  if (rank > SK_TENSOR_MAX_RANK) {
    return sk_fail(SK_INVALID_ARGUMENT, "tensor \"%s\": rank %zu, expected at most %d", sk_quote(name).text, rank,
                   SK_TENSOR_MAX_RANK);
  }
  return SK_OK;
}

static bool set_shape(struct sk_weight_tensor *tensor, size_t rank, const size_t *shape) {
  tensor->rank = rank;
  tensor->elements = 1;
  for (size_t i = 0; i < rank; i++) {
    tensor->shape[i] = shape[i];
    if (!sk_size_multiply(tensor->elements, shape[i], &tensor->elements)) return false;
  }
  return sk_size_multiply(tensor->elements, sizeof(float), &tensor->bytes);
}

static sk_status reserve_one(sk_weights *weights) {
  if (weights->count < weights->capacity) return SK_OK;
  const size_t capacity = 2 * weights->capacity + 1;
  struct sk_weight_tensor *tensors =
      sk_realloc(weights->tensors, weights->count * sizeof *tensors, capacity * sizeof *tensors);
  if (!tensors) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu tensors", capacity);
  weights->tensors = tensors;
  weights->capacity = capacity;
  return SK_OK;
}

static void insert(sk_weights *weights, const struct sk_weight_tensor *tensor) {
  const size_t index = lower_bound(weights, tensor->name);
  struct sk_weight_tensor *slot = &weights->tensors[index];
  memmove(slot + 1, slot, (weights->count - index) * sizeof *slot);
  *slot = *tensor;
  weights->count++;
}

sk_status sk_weights_add(sk_weights *weights, const char *name, size_t rank, const size_t *shape, float **data) {
  *data = NULL;
  sk_status status = check_new_tensor(weights, name, rank);
  if (!status) status = reserve_one(weights);
  if (status) return status;
  struct sk_weight_tensor tensor = {.dtype = SK_DTYPE_F32, .dtype_name = "F32"};
  if (!set_shape(&tensor, rank, shape)) {
    return sk_fail(SK_INVALID_ARGUMENT, "tensor \"%s\": the product of its shape overflows", sk_quote(name).text);
  }
  tensor.name = sk_strdup(name);
  *data = sk_calloc(sk_size_max(tensor.elements, 1), sizeof **data);
  if (!tensor.name || !*data) {
    sk_free((void *)tensor.name);
    sk_free(*data);
    *data = NULL;
    return sk_fail(SK_OUT_OF_MEMORY, "tensor \"%s\": out of memory for %zu bytes", sk_quote(name).text, tensor.bytes);
  }
  tensor.data = *data;
  insert(weights, &tensor);
  return SK_OK;
}

/* ---- Metadata ----------------------------------------------------------------------------------------------- */

const char *sk_weights_metadata(const sk_weights *weights, const char *key) {
  return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(weights->metadata, key));
}

sk_status sk_weights_add_metadata(sk_weights *weights, const char *key, const char *text) {
  if (!is_utf8(key) || !is_utf8(text)) {
    return sk_fail(SK_INVALID_ARGUMENT, "metadata \"%s\": cannot be saved, expected UTF-8", sk_quote(key).text);
  }
  if (sk_weights_metadata(weights, key)) {
    return sk_fail(SK_INVALID_ARGUMENT, "metadata \"%s\": added twice", sk_quote(key).text);
  }
  if (!weights->metadata) weights->metadata = cJSON_CreateObject();
  if (cJSON_AddStringToObject(weights->metadata, key, text)) return SK_OK;
  return sk_fail(SK_OUT_OF_MEMORY, "metadata \"%s\": out of memory", sk_quote(key).text);
}

/* ---- Reading ------------------------------------------------------------------------------------------------ */

/* Bits of the float32 with the value of a float16; exact, a NaN keeps its payload. */
static uint32_t widen_float16(uint32_t half) {
  const uint32_t sign = (half & 0x8000U) << 16;
  uint32_t exponent = (half >> 10) & 0x1FU;
  uint32_t mantissa = half & 0x3FFU;
  if (exponent == 31) return sign | 0x7F800000U | mantissa << 13;
  if (exponent == 0 && mantissa == 0) return sign;
  if (exponent == 0) { /* subnormal: float32 has room to normalise it */
    const uint32_t shift = (uint32_t)__builtin_clz(mantissa) - 21;
    mantissa = (mantissa << shift) & 0x3FFU;
    exponent = 1 - shift; /* may wrap below zero; the bias makes up for it */
  }
  return sign | (exponent + (127 - 15)) << 23 | mantissa << 13;
}

void sk_weight_tensor_read_range(const struct sk_weight_tensor *tensor, size_t first, size_t count, float *out) {
  if (count == 0) return;
  const unsigned char *data = tensor->data;
  if (tensor->dtype == SK_DTYPE_F32) {
    memcpy(out, data + first * sizeof *out, count * sizeof *out);
    return;
  }
  const bool is_float16 = tensor->dtype == SK_DTYPE_F16;
  for (size_t i = 0; i < count; i++) {
    uint16_t half;
    memcpy(&half, data + (first + i) * sizeof half, sizeof half);
    const uint32_t bits = is_float16 ? widen_float16(half) : (uint32_t)half << 16;
    memcpy(&out[i], &bits, sizeof bits);
  }
}

void sk_weight_tensor_read(const struct sk_weight_tensor *tensor, float *out) {
  sk_weight_tensor_read_range(tensor, 0, tensor->elements, out);
}

void sk_weight_tensor_drop(const struct sk_weight_tensor *tensor) {
#ifdef MADV_DONTNEED
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  const size_t before = (page - (uintptr_t)tensor->data % page) % page; /* on a page that others may need */
  if (!tensor->is_droppable || tensor->bytes < before + page) return;
  (void)madvise((char *)tensor->data + before, (tensor->bytes - before) / page * page, MADV_DONTNEED);
#else
  (void)tensor;
#endif
}

void sk_weights_read_once(sk_weights *weights) {
  for (size_t i = 0; i < weights->count; i++) weights->tensors[i].is_droppable = true;
}

/* Infinities and NaN have all exponent bits set; asked of the bits, for -ffast-math answers otherwise. */
static size_t count_nonfinite(const float *values, size_t count) {
  size_t nonfinite = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, &values[i], sizeof bits);
    nonfinite += (bits & 0x7F800000U) == 0x7F800000U;
  }
  return nonfinite;
}

static size_t nonfinite_in(const struct sk_weight_tensor *tensor) {
  if (tensor->dtype == SK_DTYPE_OTHER) return 0;
  float values[1024];
  size_t nonfinite = 0;
  for (size_t first = 0; first < tensor->elements; first += 1024) {
    const size_t count = sk_size_min(1024, tensor->elements - first);
    sk_weight_tensor_read_range(tensor, first, count, values);
    nonfinite += count_nonfinite(values, count);
  }
  return nonfinite;
}

size_t sk_weights_nonfinite(const sk_weights *weights) {
  size_t nonfinite = 0;
  for (size_t i = 0; i < weights->count; i++) nonfinite += nonfinite_in(&weights->tensors[i]);
  return nonfinite;
}
