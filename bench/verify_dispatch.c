/* Cases for the choice of kernels: else all cases of one ISA might pass on the kernels of another. */
#include "bench/verify_internal.h"
#include "dispatch/isa.h"

/* What is asked for by name is what is had, by kernels and by plans. */
static void isa_case(struct sk_verify *v, const void *parameters) {
  const sk_isa isa = *(const sk_isa *)parameters;
  static const sk_conv_shape shape = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1};
  const sk_conv_options options = {.isa = isa};
  const struct sk_kernel_table *kernels = NULL;
  const float weight = 1;
  if (sk_kernels_choose(isa, &kernels) || sk_conv_create(&v->plan, &shape, &weight, NULL, &options)) {
    sk_verify_fail(v, "%s", sk_error_message());
  } else if (kernels->isa != isa || sk_conv_isa(v->plan) != isa) {
    sk_verify_fail(v, "the kernels are those of %s, a plan's those of %s", sk_isa_name(kernels->isa),
                   sk_isa_name(sk_conv_isa(v->plan)));
  }
}

void sk_verify_dispatch(struct sk_verify *v) {
  for (sk_isa isa = SK_ISA_AUTO + 1; isa < SK_ISA_COUNT; isa++) {
    if (!sk_isa_available(isa)) continue;
    const struct sk_verify_case c = {"dispatch", NULL, isa_case, &isa};
    sk_verify_run(v, &c, "dispatch/%s", sk_isa_name(isa));
  }
}
