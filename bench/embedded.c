/* The assembler copies the files in: C17 has no way to, and a generated C file of the same bytes takes far longer to
 * compile. Paths are from the top of the tree, where make runs; the Makefile reads the dependencies from embedded.def.
 */
#include "bench/embedded.h"

#include <stdint.h>

/* sk_embedded_<name>_length and sk_embedded_<name>_text. They are hidden rather than local to this object: Arm's linker
 * takes addresses of local symbols from a table that cannot tell those of one section apart. */
#define SK_HIDDEN __attribute__((visibility("hidden")))
#define SK_EMBEDDED(name, file)                                                           \
  __asm__(                                                                                \
      ".pushsection .rodata\n.balign 8\n"                                                 \
      ".globl sk_embedded_" #name "_length, sk_embedded_" #name                           \
      "_text\n"                                                                           \
      ".hidden sk_embedded_" #name "_length, sk_embedded_" #name                          \
      "_text\n"                                                                           \
      "sk_embedded_" #name                                                                \
      "_length: .quad 2f - 1f\n"                                                          \
      "sk_embedded_" #name "_text:\n1: .incbin \"" file "\"\n2: .byte 0\n.popsection\n"); \
  extern SK_HIDDEN const uint64_t sk_embedded_##name##_length;                            \
  extern SK_HIDDEN const char sk_embedded_##name##_text[];
#include "bench/embedded.def"
#undef SK_EMBEDDED

#define SK_EMBEDDED(name, file)                                                                \
  struct sk_embedded sk_embedded_##name(void) {                                                \
    return (struct sk_embedded){file, sk_embedded_##name##_text, sk_embedded_##name##_length}; \
  }
#include "bench/embedded.def"
#undef SK_EMBEDDED
