/* A profile as comma-separated values: the layers. */
#include "bench/csv.h"
#include "bench/profile.h"
#include "bench/runner.h"
#include "resnet/file.h"

static void write_titles(struct sk_csv *csv) {
  static const char *const titles[] = {"name",
                                       "op",
                                       "shape",
                                       "algorithm",
                                       "isa",
                                       "denormals",
                                       "median_ms",
                                       "min_ms",
                                       "low_ms",
                                       "high_ms",
                                       "share_percent",
                                       "macs",
                                       "gflops",
                                       "percent_of_peak",
                                       "executed_gflops",
                                       "bytes",
                                       "weight_bytes",
                                       "activation_bytes",
                                       "gbps",
                                       "intensity",
                                       "roof",
                                       "roof_ms",
                                       "extra_bytes"};
  for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) sk_csv_text(csv, titles[i]);
  sk_csv_end_row(csv);
}

static void write_times(struct sk_csv *csv, const struct sk_profile_layer *layer) {
  sk_csv_number(csv, 1e3 * layer->time->median);
  sk_csv_number(csv, 1e3 * layer->time->minimum);
  sk_csv_number(csv, 1e3 * layer->time->interval.low);
  sk_csv_number(csv, 1e3 * layer->time->interval.high);
  sk_csv_number(csv, 100 * layer->share);
}

static void write_layer(struct sk_csv *csv, const struct sk_profile *p, const struct sk_profile_layer *layer) {
  sk_csv_text(csv, layer->info.name);
  sk_csv_text(csv, layer->info.op);
  sk_csv_text(csv, sk_layer_shape(&layer->info).text);
  sk_csv_text(csv, sk_layer_algorithm(&layer->info));
  sk_csv_text(csv, sk_isa_name(p->m.info.isa));
  sk_csv_text(csv, sk_denormals_word(p->m.info.flush_denormals));
  write_times(csv, layer);
  sk_csv_size(csv, (size_t)layer->info.macs);
  sk_csv_number(csv, layer->gflops);
  sk_csv_number(csv, sk_profile_percent(p, layer->gflops));
  sk_csv_number(csv, layer->executed_gflops);
  sk_csv_size(csv, layer->bytes);
  sk_csv_size(csv, layer->info.weight_bytes);
  sk_csv_size(csv, layer->activation_bytes);
  sk_csv_number(csv, layer->gbps);
  sk_csv_number(csv, layer->intensity);
  sk_csv_text(csv, layer->roof.name);
  sk_csv_number(csv, 1e3 * layer->roof.seconds);
  sk_csv_size(csv, layer->info.workspace_bytes);
  sk_csv_end_row(csv);
}

static void write_rows(const struct sk_profile *p, FILE *stream) {
  struct sk_csv csv = {.stream = stream};
  write_titles(&csv);
  for (size_t i = 0; i < p->m.info.layers; i++) write_layer(&csv, p, &p->layers[i]);
}

sk_status sk_profile_csv(const struct sk_profile *profile, const char *path) {
  struct sk_file_writer writer;
  if (!path) {
    write_rows(profile, stdout);
    return SK_OK;
  }
  const sk_status status = sk_file_writer_open(&writer, path);
  if (status) return status;
  write_rows(profile, writer.stream);
  return sk_file_writer_commit(&writer);
}
