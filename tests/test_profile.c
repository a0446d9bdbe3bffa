/* Profiles: what is derived from times that are known, and how it is written. */
#define _XOPEN_SOURCE 700

#include "bench/csv.h"
#include "bench/handoff.h"
#include "bench/profile.h"
#include "tests/temporary_folder.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>

/* ---- Percentiles ---- */

static void expect_percentiles(size_t count, size_t told) {
  double *values = calloc(count, sizeof *values);
  for (size_t i = 0; i < count; i++) values[i] = (double)(i + 1);
  const struct sk_percentiles percentiles = sk_statistics_percentiles(values, count);
  for (size_t i = 0; i < SK_PERCENTILES; i++) {
    cr_expect_eq(!isnan(percentiles.list[i].value), i < told, "%s of %zu values", percentiles.list[i].name, count);
  }
  free(values);
}

Test(percentiles, are_told_when_there_are_enough_values) {
  expect_percentiles(4, 0);
  expect_percentiles(5, 1);
  expect_percentiles(28, 1);
  expect_percentiles(29, 2);
  expect_percentiles(298, 2);
  expect_percentiles(299, 3);
  expect_percentiles(2994, 3);
  expect_percentiles(2995, 4);
}

Test(percentiles, lie_where_they_should) {
  double values[101];
  for (size_t i = 0; i <= 100; i++) values[i] = (double)i;
  const struct sk_percentiles percentiles = sk_statistics_percentiles(values, 101);
  cr_expect_str_eq(percentiles.list[0].name, "p50");
  cr_expect_float_eq(percentiles.list[0].value, 50, 1e-12);
  cr_expect_str_eq(percentiles.list[1].name, "p90");
  cr_expect_float_eq(percentiles.list[1].value, 90, 1e-12);
}

/* ---- CSV ---- */

Test(csv, quotes_what_has_to_be_quoted) {
  char *text = NULL;
  size_t length = 0;
  struct sk_csv csv = {.stream = open_memstream(&text, &length)};
  sk_csv_text(&csv, "plain");
  sk_csv_text(&csv, "a,b");
  sk_csv_text(&csv, "say \"x\"");
  sk_csv_text(&csv, "two\nlines");
  sk_csv_text(&csv, "");
  sk_csv_end_row(&csv);
  sk_csv_number(&csv, 0.5);
  sk_csv_number(&csv, NAN);
  sk_csv_size(&csv, 7);
  sk_csv_end_row(&csv);
  fclose(csv.stream);
  cr_expect_str_eq(text, "plain,\"a,b\",\"say \"\"x\"\"\",\"two\nlines\",\n0.5,,7\n");
  free(text);
}

/* ---- Counters and the clock ---- */

Test(counters, say_why_the_system_refuses_and_what_would_help) {
  cr_expect(strstr(sk_counters_explain(EACCES).text, "perf_event_paranoid"));
  cr_expect(strstr(sk_counters_explain(EPERM).text, "CAP_PERFMON"));
  cr_expect(strstr(sk_counters_explain(ENOENT).text, "virtual"));
  cr_expect(strstr(sk_counters_explain(EOPNOTSUPP).text, "virtual"));
  cr_expect(strstr(sk_counters_explain(ENOSYS).text, "kernel"));
  cr_expect(strstr(sk_counters_explain(EINVAL).text, strerror(EINVAL)));
}

/* Whatever the system allows: each of the processor's is counted, or there is a reason; and the system's always are. */
Test(counters, count_or_say_why_not) {
  struct sk_counters counters;
  struct sk_counts counts;
  cr_assert_eq(sk_counters_open(&counters, 2), SK_OK);
  sk_counters_start(&counters);
  volatile char *page = calloc(64, 4096);
  cr_assert_not_null((void *)page);
  for (size_t i = 0; i < 64; i++) page[4096 * i] = 1;
  sk_counters_stop(&counters, 2, &counts);
  free((void *)page);
  for (enum sk_counter counter = 0; counter < SK_COUNTER_HARDWARE; counter++) {
    cr_expect(counts.values[counter] > 0 || *counts.unavailable.text, "%s", sk_counter_name(counter));
  }
  cr_expect_geq(counts.values[SK_COUNTER_PAGE_FAULTS], 30, "64 pages in two runs");
  cr_expect_geq(counts.values[SK_COUNTER_TASK_CLOCK_MS], 0);
  sk_counters_close(&counters);
}

Test(clock, is_described) {
  const struct sk_clock clock = sk_clock_describe();
  cr_expect(clock.resolution > 0 && clock.resolution < 1e-3);
  cr_expect(clock.overhead > 0 && clock.overhead < 1e-3);
}

/* ---- A profile with times made up ---- */

enum { RUNS = 5 };
static const struct sk_options options = {.command = "profile", .batch = 2, .seed = 1};
static const char *const model = "resnet20-cifar";

/* Layer i of run r takes (i + 1) * (10 + r) microseconds, and the run as long as its layers and 5 us. */
static void make_times(struct sk_measurement *m) {
  m->runs = RUNS;
  m->times = calloc(RUNS * (SK_TIME_LAYERS + m->info.layers), sizeof *m->times);
  cr_assert_not_null(m->times);
  for (size_t run = 0; run < RUNS; run++) {
    double *times = m->times + run * (SK_TIME_LAYERS + m->info.layers);
    for (size_t i = 0; i < m->info.layers; i++) {
      times[SK_TIME_LAYERS + i] = 1e-6 * (double)((i + 1) * (10 + run));
      times[SK_TIME_OBSERVED] += times[SK_TIME_LAYERS + i];
    }
    times[SK_TIME_OBSERVED] += 5e-6;
    times[SK_TIME_WHOLE] = times[SK_TIME_OBSERVED];
  }
}

static void open_profile(struct sk_profile *p) {
  sk_weights *weights = NULL;
  sk_net *net = NULL;
  const sk_net_options wanted = {.threads = 1, .batch = 2};
  cr_assert_eq(sk_weights_random(&weights, model, 0, 1), SK_OK);
  cr_assert_eq(sk_net_create(&net, model, weights, &wanted), SK_OK);
  sk_weights_close(weights);
  *p = (struct sk_profile){.options = &options, .model = model, .net = net, .threads = 1};
  sk_context_read(&p->context, 1, &p->cpus);
  p->bandwidths = (struct sk_bandwidths){
      3, {{"L1", 16, 32, 200}, {"L2", 1 << 19, 1 << 20, 100}, {"memory", 1 << 27, SIZE_MAX, 10}}};
  sk_net_describe(net, &p->m.info);
  make_times(&p->m);
  for (size_t i = 0; i < SK_PEAKS; i++) p->m.peaks[i] = 100 - 3 * (double)i;
  cr_assert_eq(sk_measurement_summarise(&p->m), SK_OK);
  cr_assert_eq(sk_profile_derive(p), SK_OK);
}

static void close_profile(struct sk_profile *p) {
  sk_net_destroy((sk_net *)p->net);
  sk_profile_free(p);
}

TestSuite(profile, .init = make_folder, .fini = remove_folder);

/* Not a figure: machines differ, and two threads may share one CPU. */
Test(profile, hand_off_takes_another_thread) {
  cr_expect_float_eq(sk_handoff_measure(1), 0, 0);
#ifdef _OPENMP
  const double nanoseconds = sk_handoff_measure(3);
  cr_expect_gt(nanoseconds, 1);
  cr_expect_lt(nanoseconds, 1e9);
#endif
}

Test(profile, derives_rates_from_medians) {
  struct sk_profile p;
  open_profile(&p);
  const struct sk_profile_layer *layer = &p.layers[1];
  cr_expect_float_eq(layer->time->median, 24e-6, 1e-12);
  cr_expect_float_eq(layer->gflops, 2e-9 * 2 * (double)layer->info.macs / 24e-6, 1e-6);
  cr_expect_eq(layer->bytes, 2 * layer->info.activation_bytes + layer->info.weight_bytes);
  cr_expect_float_eq(layer->gbps, 1e-9 * (double)layer->bytes / 24e-6, 1e-6);
  double share = 0;
  for (size_t i = 0; i < p.m.info.layers; i++) share += p.layers[i].share;
  cr_expect_float_eq(share, 1, 1e-12);
  cr_expect_float_eq(p.peak, 100, 0);
  cr_expect_float_eq(p.drift, 0.06, 1e-12);
  close_profile(&p);
}

Test(profile, finds_the_run_of_the_median) {
  struct sk_profile p;
  open_profile(&p);
  cr_expect_eq(sk_measurement_nearest(&p.m, p.m.observed.median), 2);
  cr_expect_eq(sk_measurement_nearest(&p.m, 0), 0);
  cr_expect_eq(sk_measurement_nearest(&p.m, 1), RUNS - 1);
  close_profile(&p);
}

/* ---- Its outputs ---- */

static double number_of(const cJSON *object, const char *key) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
  cr_assert(cJSON_IsNumber(item), "%s is no number", key);
  return item->valuedouble;
}

static const char *text_of(const cJSON *object, const char *key) {
  const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
  cr_assert_not_null(text, "%s is no text", key);
  return text;
}

Test(profile, document_has_the_samples_and_the_timeline) {
  struct sk_profile p;
  struct sk_json json;
  open_profile(&p);
  sk_profile_json(&p, &json);
  cr_assert_not(json.failed);
  const cJSON *layers = cJSON_GetObjectItemCaseSensitive(json.root, "layers");
  const cJSON *timeline = cJSON_GetObjectItemCaseSensitive(json.root, "timeline");
  cr_expect_eq(cJSON_GetArraySize(layers), (int)p.m.info.layers);
  cr_expect_eq(cJSON_GetArraySize(timeline), (int)p.m.info.layers);
  const cJSON *samples = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(layers, 3), "samples_ms");
  cr_assert_eq(cJSON_GetArraySize(samples), RUNS);
  for (int run = 0; run < RUNS; run++) {
    cr_expect_float_eq(cJSON_GetArrayItem(samples, run)->valuedouble, 4e-3 * (10 + run), 1e-12);
  }
  cr_expect_float_eq(number_of(cJSON_GetArrayItem(timeline, 2), "start_ms"), 36e-3, 1e-12, "12 and 24 us before");
  cr_expect(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json.root, "drifted")));
  sk_json_discard(&json);
  close_profile(&p);
}

Test(profile, csv_has_a_line_for_each_layer) {
  struct sk_profile p;
  open_profile(&p);
  char *path = path_of("a.csv");
  size_t length = 0;
  size_t lines = 0;
  cr_assert_eq(sk_profile_csv(&p, path), SK_OK);
  char *text = get_file(path, &length);
  for (const char *at = text; (at = strchr(at, '\n')); at++) lines++;
  cr_expect_eq(lines, p.m.info.layers + 1);
  cr_expect(strstr(text, "\nlayer1.0.conv1,conv+relu,16x32x32 -> 16x32x32 3x3 s1,winograd4,"));
  free(text);
  free(path);
  close_profile(&p);
}

/* The sum of the layers' durations on a track; each begins where the one before ended, within the run. */
static double sum_layers(const cJSON *events, int thread, double *run) {
  double sum = 0;
  bool is_first = true;
  const cJSON *event = NULL;
  cJSON_ArrayForEach(event, events) {
    if (strcmp(text_of(event, "ph"), "X") != 0 || (int)number_of(event, "tid") != thread) continue;
    if (is_first) {
      *run = number_of(event, "dur");
      is_first = false;
      continue;
    }
    cr_expect_float_eq(number_of(event, "ts"), sum, 1e-6);
    sum += number_of(event, "dur");
    cr_expect_leq(sum, *run);
    cr_expect_gt(number_of(cJSON_GetObjectItemCaseSensitive(event, "args"), "roof_ms"), 0);
  }
  return sum;
}

Test(profile, trace_nests_layers_in_their_run) {
  struct sk_profile p;
  open_profile(&p);
  char *path = path_of("a.trace");
  size_t length = 0;
  cr_assert_eq(sk_profile_trace(&p, path), SK_OK);
  char *text = get_file(path, &length);
  cJSON *trace = cJSON_Parse(text);
  cr_assert_not_null(trace);
  const cJSON *events = cJSON_GetObjectItemCaseSensitive(trace, "traceEvents");
  static const size_t shown[] = {2, 0, RUNS - 1}; /* median, shortest, longest */
  for (int track = 0; track < 3; track++) {
    double run = 0;
    const double sum = sum_layers(events, track + 1, &run);
    cr_expect_float_eq(run, 1e6 * sk_measurement_run(&p.m, shown[track])[SK_TIME_OBSERVED], 1e-6);
    cr_expect_float_eq(run - sum, 5, 1e-6);
  }
  cJSON_Delete(trace);
  free(text);
  free(path);
  close_profile(&p);
}

Test(profile, outputs_that_cannot_be_written_are_refused) {
  struct sk_profile p;
  open_profile(&p);
  char *path = path_of("none/file");
  cr_expect_eq(sk_profile_csv(&p, path), SK_IO_ERROR);
  cr_expect_eq(sk_profile_trace(&p, path), SK_IO_ERROR);
  free(path);
  close_profile(&p);
}
