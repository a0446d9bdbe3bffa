/* skiplane verify: the kernel checker. */
#include "bench/commands.h"
#include "bench/verify.h"

enum sk_exit sk_command_verify(const struct sk_options *options) {
  const struct sk_verify_options wanted = {
      .isa = options->isa,
      .filter = options->filter,
      .seed = sk_options_has(options, SK_ACCEPT(SEED)) ? options->seed : SK_VERIFY_SEED,
      .json = options->json,
      .exhaustive = options->exhaustive,
      .output = stdout};
  sk_isa chosen;
  const sk_status status = sk_isa_choose(options->isa, &chosen);
  if (status) return sk_fail_status(options, status);
  return sk_verify_main(&wanted) == 0 ? SK_EXIT_SUCCESS : SK_EXIT_FAILURE;
}
