/* The assembler copies the files in: C17 has no way to, and a generated C file of the same bytes takes far longer to
 * compile. Paths are from the top of the tree, where make runs; the Makefile reads the dependencies from embedded.def.
 */
#include "bench/embedded.h"

#include <stdint.h>

/* sk_embedded_<name>_length and sk_embedded_<name>_text, local to this object. */
#define SK_EMBEDDED(name, file)                         \
  __asm__(                                              \
      ".pushsection .rodata\n.balign 8\n"               \
      "sk_embedded_" #name                              \
      "_length: .quad 2f - 1f\n"                        \
      "sk_embedded_" #name "_text:\n1: .incbin \"" file \
      "\"\n2: .byte 0\n"                                \
      ".popsection\n");                                 \
  extern const uint64_t sk_embedded_##name##_length;    \
  extern const char sk_embedded_##name##_text[];
#include "bench/embedded.def"
#undef SK_EMBEDDED

#define SK_EMBEDDED(name, file)                                                                \
  struct sk_embedded sk_embedded_##name(void) {                                                \
    return (struct sk_embedded){file, sk_embedded_##name##_text, sk_embedded_##name##_length}; \
  }
#include "bench/embedded.def"
#undef SK_EMBEDDED
