/* ISA choice: a list of tables by priority, each with a predicate; the first that this machine satisfies wins. */
#include "dispatch/isa.h"

#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "dispatch/cpu.h"
#include "dispatch/status.h"

#if SK_HAVE_OPENMP
#include <omp.h>
#endif

struct candidate {
  const struct sk_kernel_table *kernels; /* NULL: not in this build */
  bool (*runs_here)(void);
};

static bool always(void) { return true; }

#if SK_AVX512_IS_EMULATED
#define RUNS_AVX512 sk_cpu_runs_avx2
#else
#define RUNS_AVX512 sk_cpu_runs_avx512
#endif

/* Best first; the generic table last, so that something always runs. */
static const struct candidate candidates[] = {
#if SK_ISA_BUILT_AVX512
    {&sk_kernel_table__avx512, RUNS_AVX512},
#endif
#if SK_ISA_BUILT_AVX2
    {&sk_kernel_table__avx2, sk_cpu_runs_avx2},
#endif
#if SK_ISA_BUILT_SSE41
    {&sk_kernel_table__sse41, sk_cpu_runs_sse41},
#endif
#if SK_ISA_BUILT_NEON
    {&sk_kernel_table__neon, sk_cpu_runs_neon},
#endif
    {&sk_kernel_table__generic, always},
};

enum { CANDIDATES = sizeof candidates / sizeof candidates[0] };

static const char *const isa_names[SK_ISA_COUNT] = {"auto", "generic", "avx2", "avx512", "neon", "sse41"};

const char *sk_isa_name(sk_isa isa) { return (unsigned)isa < SK_ISA_COUNT ? isa_names[isa] : "unknown"; }

sk_status sk_isa_parse(const char *name, sk_isa *isa) {
  if (!isa) return sk_fail(SK_INVALID_ARGUMENT, "sk_isa_parse: NULL isa");
  for (unsigned i = 0; name && i < SK_ISA_COUNT; i++) {
    if (strcmp(name, isa_names[i]) == 0) {
      *isa = (sk_isa)i;
      return SK_OK;
    }
  }
  return sk_fail(SK_INVALID_ARGUMENT, "isa \"%.40s\" is unknown, expected auto, " SK_ISA_CHOICES, name ? name : "");
}

static const struct candidate *find_candidate(sk_isa isa) {
  for (size_t i = 0; i < CANDIDATES; i++) {
    if (candidates[i].kernels->isa == isa) return &candidates[i];
  }
  return NULL;
}

bool sk_isa_built(sk_isa isa) { return find_candidate(isa) != NULL; }

bool sk_isa_available(sk_isa isa) {
  const struct candidate *candidate = find_candidate(isa);
  return candidate && candidate->runs_here();
}

bool sk_isa_emulated(sk_isa isa) { return SK_AVX512_IS_EMULATED && isa == SK_ISA_AVX512; }

static sk_status choose_named(sk_isa isa, const struct sk_kernel_table **kernels) {
  const struct candidate *candidate = find_candidate(isa);
  if (!candidate) return sk_fail(SK_UNSUPPORTED, "isa %s is not in this build", sk_isa_name(isa));
  if (!candidate->runs_here()) return sk_fail(SK_UNSUPPORTED, "isa %s is not available on this CPU", sk_isa_name(isa));
  *kernels = candidate->kernels;
  return SK_OK;
}

static void choose_best(const struct sk_kernel_table **kernels) {
  size_t i = 0;
  while (!candidates[i].runs_here()) i++;
  *kernels = candidates[i].kernels;
}

sk_status sk_kernels_choose(sk_isa wanted, const struct sk_kernel_table **kernels) {
  if ((unsigned)wanted >= SK_ISA_COUNT) return sk_fail(SK_INVALID_ARGUMENT, "isa number %d is unknown", (int)wanted);
  const char *name = getenv("SKIPLANE_ISA");
  if (wanted == SK_ISA_AUTO && name && *name) {
    if (sk_isa_parse(name, &wanted)) {
      return sk_fail(SK_INVALID_ARGUMENT, "SKIPLANE_ISA=%.40s is unknown, expected auto, " SK_ISA_CHOICES, name);
    }
  }
  if (wanted != SK_ISA_AUTO) return choose_named(wanted, kernels);
  choose_best(kernels);
  return SK_OK;
}

sk_status sk_isa_choose(sk_isa wanted, sk_isa *chosen) {
  const struct sk_kernel_table *kernels;
  if (!chosen) return sk_fail(SK_INVALID_ARGUMENT, "sk_isa_choose: NULL isa");
  const sk_status status = sk_kernels_choose(wanted, &kernels);
  if (status == SK_OK) *chosen = kernels->isa;
  return status;
}

int sk_threads_choose(int wanted) {
#if SK_HAVE_OPENMP
  return wanted > 0 ? wanted : omp_get_max_threads();
#else
  (void)wanted;
  return 1;
#endif
}
