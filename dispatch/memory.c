#include <stdlib.h>

#include "dispatch/size.h"
#include "skiplane.h"

void *sk_alloc(size_t bytes) {
  size_t padded;
  if (!sk_size_add(bytes, SK_ALIGNMENT - 1, &padded)) return NULL;
  const size_t rounded = padded / SK_ALIGNMENT * SK_ALIGNMENT;
  return aligned_alloc(SK_ALIGNMENT, rounded ? rounded : SK_ALIGNMENT);
}

void sk_free(void *memory) { free(memory); }

#define SK_STRING_(x) #x
#define SK_STRING(x) SK_STRING_(x)

const char *sk_version(void) {
  return SK_STRING(SK_VERSION_MAJOR) "." SK_STRING(SK_VERSION_MINOR) "." SK_STRING(SK_VERSION_PATCH);
}
