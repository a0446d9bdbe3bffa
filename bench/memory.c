#include "bench/memory.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dispatch/conv.h"
#include "dispatch/size.h"

/* Not getrusage's, where there is a choice: that one remembers the program which called exec. */
static size_t status_peak(void) {
  FILE *const file = fopen("/proc/self/status", "re");
  char line[256];
  size_t kibibytes = 0;
  while (file && kibibytes == 0 && fgets(line, sizeof line, file)) {
    if (sscanf(line, "VmHWM: %zu kB", &kibibytes) != 1) kibibytes = 0;
  }
  if (file) fclose(file);
  return kibibytes << 10;
}

static size_t usage_peak(void) {
  struct rusage usage;
  return getrusage(RUSAGE_SELF, &usage) == 0 ? (size_t)usage.ru_maxrss << 10 : 0;
}

/* Weights and bias of a layer as a file has them. */
static size_t plain_bytes(const sk_layer_info *layer) {
  const size_t taps = layer->kernel_height * layer->kernel_width;
  return (layer->in_channels / layer->groups * taps + 1) * layer->out_channels * sizeof(float);
}

struct sk_memory sk_memory_read(const sk_net *net) {
  const size_t peak = status_peak();
  struct sk_memory memory = {.resident_bytes = peak > 0 ? peak : usage_peak()};
  sk_net_info info;
  sk_net_describe(net, &info);
  for (size_t i = 0; i < info.layers; i++) {
    sk_layer_info layer;
    if (sk_net_layer(net, i, &layer) || layer.weight_bytes <= plain_bytes(&layer)) continue;
    const size_t beyond = layer.weight_bytes - plain_bytes(&layer);
    if (sk_is_winograd(layer.algorithm)) memory.winograd_bytes += beyond;
    if (layer.algorithm == SK_ALGORITHM_STRASSEN) memory.strassen_bytes += beyond;
  }
  return memory;
}

size_t sk_memory_most(const struct sk_options *options) {
  const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  size_t bytes = 0;
  if (options->max_memory > 0) return options->max_memory;
  return pages > 0 && page > 0 && sk_size_multiply((size_t)pages, (size_t)page, &bytes) ? bytes : 0;
}
