/* The kernel table of one ISA: data only, so that it may live in an object compiled for that ISA. */
#include "kernels/simd/simd.h"

/* The enumerator's name is upper case: map the word on the command line to it. */
#define SK_ISA_ID_generic SK_ISA_GENERIC
#define SK_ISA_ID_sse41 SK_ISA_SSE41
#define SK_ISA_ID_avx2 SK_ISA_AVX2
#define SK_ISA_ID_avx512 SK_ISA_AVX512
#define SK_ISA_ID_neon SK_ISA_NEON

const struct sk_kernel_table SK_NAME(kernel_table) = {
    .isa = SK_PASTE3(SK_ISA_ID_, SK_ISA, ),
    .lanes = SK_LANES,
    .tile_pixels = SK_TILE_PIXELS,
    .tile_blocks = SK_TILE_BLOCKS,
    .fma_peak_flops = SK_FMA_PEAK_CHAINS * SK_LANES * 2,
#define SK_KERNEL(field, type, name) .field = SK_NAME(name),
#include "kernels/kernels.def"
#undef SK_KERNEL
};
