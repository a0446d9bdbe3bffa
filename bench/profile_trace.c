/* A profile in the trace event format of Chrome, which Perfetto opens: runs as tracks, layers as events in them. */
#include <stdio.h>

#include "bench/profile.h"

enum { TRACKS = 3 };

/* A run worth looking at. */
struct track {
  const char *title;
  size_t run;
};

static void add_name(struct sk_json *json, cJSON *events, const char *what, int thread, const char *name) {
  cJSON *event = sk_json_object(json, events, NULL);
  sk_json_text(json, event, "ph", "M");
  sk_json_text(json, event, "name", what);
  sk_json_number(json, event, "pid", 1);
  sk_json_number(json, event, "tid", thread);
  sk_json_text(json, sk_json_object(json, event, "args"), "name", name);
}

/* Add a complete event; times are microseconds. Returns its arguments, to be filled. */
static cJSON *add_event(struct sk_json *json, cJSON *events, const char *name, int thread, double start,
                        double seconds) {
  cJSON *event = sk_json_object(json, events, NULL);
  sk_json_text(json, event, "ph", "X");
  sk_json_text(json, event, "name", name);
  sk_json_number(json, event, "pid", 1);
  sk_json_number(json, event, "tid", thread);
  sk_json_number(json, event, "ts", 1e6 * start);
  sk_json_number(json, event, "dur", 1e6 * seconds);
  return sk_json_object(json, event, "args");
}

/* seconds: of this run, which its rate is told for. */
static void add_layer(struct sk_json *json, cJSON *arguments, const struct sk_profile *p,
                      const struct sk_profile_layer *layer, double seconds) {
  const double gflops = layer->gflops * layer->time->median / seconds;
  sk_json_text(json, arguments, "op", layer->info.op);
  sk_json_text(json, arguments, "shape", sk_layer_shape(&layer->info).text);
  sk_json_text(json, arguments, "algorithm", sk_layer_algorithm(&layer->info));
  sk_json_text(json, arguments, "isa", sk_isa_name(p->m.info.isa));
  sk_json_number(json, arguments, "gflops", gflops);
  sk_json_number(json, arguments, "percent_of_peak", sk_profile_percent(p, gflops));
  sk_json_text(json, arguments, "roof", layer->roof.name);
  sk_json_number(json, arguments, "roof_ms", 1e3 * layer->roof.seconds);
}

/* The run, and in it the layers one behind another. */
static void add_track(struct sk_json *json, cJSON *events, const struct sk_profile *p, const struct track *track,
                      int thread) {
  const double *times = sk_measurement_run(&p->m, track->run);
  char title[64];
  double start = 0;
  snprintf(title, sizeof title, "%s, run %zu", track->title, track->run + 1);
  add_name(json, events, "thread_name", thread, title);
  add_event(json, events, p->model, thread, 0, times[SK_TIME_OBSERVED]);
  for (size_t i = 0; i < p->m.info.layers; i++) {
    const double seconds = times[SK_TIME_LAYERS + i];
    cJSON *arguments = add_event(json, events, p->layers[i].info.name, thread, start, seconds);
    add_layer(json, arguments, p, &p->layers[i], seconds);
    start += seconds;
  }
}

sk_status sk_profile_trace(const struct sk_profile *profile, const char *path) {
  const struct sk_measurement *m = &profile->m;
  const struct track tracks[TRACKS] = {{"median", sk_measurement_nearest(m, m->observed.median)},
                                       {"shortest", sk_measurement_nearest(m, 0)},
                                       {"longest", sk_measurement_nearest(m, m->observed.maximum)}};
  struct sk_json json;
  sk_json_begin(&json);
  sk_json_text(&json, json.root, "displayTimeUnit", "ms");
  cJSON *events = sk_json_list(&json, json.root, "traceEvents");
  add_name(&json, events, "process_name", 0, profile->command.text);
  for (int i = 0; i < TRACKS; i++) add_track(&json, events, profile, &tracks[i], i + 1);
  sk_context_json(&profile->context, &json, json.root);
  return sk_json_finish(&json, path);
}
