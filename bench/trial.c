#include "bench/trial.h"

#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "bench/interrupt.h"
#include "bench/runner.h"
#include "dispatch/status.h"

#define WARM_UP_SECONDS 0.3

/* ---- Memory ------------------------------------------------------------------------------------------------- */

/* Fill with values of (-1, 1) by splitmix64 (Steele, Lea and Flood, 2014): no zeros or denormals that would be special.
 */
static void fill(float *values, size_t count) {
  uint64_t state = 1;
  for (size_t i = 0; i < count; i++) {
    uint64_t z = state += 0x9E3779B97F4A7C15U;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
    z = (z ^ z >> 27) * 0x94D049BB133111EBU;
    z ^= z >> 31;
    values[i] = ((float)(z >> 40) + 0.5F) * 0x1p-23F - 1.0F;
  }
}

sk_status sk_trial_open(struct sk_trial *trial, const sk_net *net) {
  *trial = (struct sk_trial){.net = net};
  sk_net_info *info = &trial->info;
  sk_net_describe(net, info);
  const size_t elements = info->in_channels * info->in_height * info->in_width;
  sk_status status = sk_allocate_floats(&trial->x, info->batch, elements);
  if (!status) status = sk_allocate_floats(&trial->y, info->batch, info->classes);
  if (status) return status;
  trial->workspace = sk_alloc(info->workspace_bytes);
  if (!trial->workspace) {
    return sk_fail(SK_OUT_OF_MEMORY, "out of memory for a workspace of %zu bytes", info->workspace_bytes);
  }
  fill(trial->x, info->batch * elements);
  return SK_OK;
}

void sk_trial_close(struct sk_trial *trial) {
  free(trial->x);
  free(trial->y);
  sk_free(trial->workspace);
  *trial = (struct sk_trial){0};
}

/* ---- Runs --------------------------------------------------------------------------------------------------- */

sk_status sk_trial_run(const struct sk_trial *trial, double *seconds) {
  const double start = sk_clock_seconds();
  const sk_status status = sk_net_run(trial->net, trial->info.batch, trial->x, trial->y, trial->workspace);
  *seconds = sk_clock_seconds() - start;
  return status;
}

struct watch {
  double last;
  double *seconds; /* [layers] */
};

/* Groups of images go through a layer one after another: their times add up. */
static void add_time(void *user, size_t layer) {
  struct watch *watch = user;
  const double now = sk_clock_seconds();
  watch->seconds[layer] += now - watch->last;
  watch->last = now;
}

sk_status sk_trial_run_watched(const struct sk_trial *trial, double *stamps, double *seconds) {
  memset(stamps, 0, (trial->info.layers + 1) * sizeof *stamps);
  stamps[0] = sk_clock_seconds();
  struct watch watch = {stamps[0], stamps + 1};
  const sk_status status =
      sk_net_run_observed(trial->net, trial->info.batch, trial->x, trial->y, trial->workspace, add_time, &watch);
  *seconds = sk_clock_seconds() - stamps[0];
  for (size_t i = 0; i < trial->info.layers; i++) stamps[i + 1] += stamps[i];
  return status;
}

sk_status sk_trial_warm_up(const struct sk_trial *trial) {
  double seconds = 0;
  const double end = sk_clock_seconds() + WARM_UP_SECONDS;
  sk_status status = sk_trial_run(trial, &seconds);
  while (!status && sk_clock_seconds() < end && !sk_interrupted()) status = sk_trial_run(trial, &seconds);
  return status;
}
