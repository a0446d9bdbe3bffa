/* libFuzzer target: the reader of plan files, and the check against a network of what it let through.
 * Build: clang -g -fsanitize=fuzzer,address,undefined; run with tests/fuzz/corpus/plan. */
#include "resnet/network.h"
#include "resnet/plan.h"
#include "tests/fuzz/expect.h"

static struct sk_graph graph;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sk_plan *plan = NULL;
  sk_plan_info info;
  if (!graph.nodes && sk_network_build(&graph, "resnet20-cifar", NULL)) abort();
  const sk_status status = sk_plan_parse(&plan, "fuzz", (const char *)data, size);
  expect_reason(status);
  if (status) {
    if (plan) abort();
    return 0;
  }
  sk_plan_describe(plan, &info);
  if (!info.model || !info.cpu || !info.version || info.batch < 1 || info.threads < 1) abort();
  expect_reason(sk_plan_check(plan, info.model, &graph));
  expect_reason(sk_plan_check(plan, "resnet20-cifar", &graph));
  sk_plan_close(plan);
  return 0;
}
