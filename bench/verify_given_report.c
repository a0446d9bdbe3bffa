/* The report on a given convolution: a table for people, JSON for programs, and one line for each failure. */
#include <stdio.h>

#include "bench/json_output.h"
#include "bench/shapes.h"
#include "bench/verify_given.h"
#include "resnet/text.h"

/* The place of an element in [batch][out_channels][out_height][out_width]. */
struct place {
  size_t index[4];
};

static struct place place_of(const struct sk_given *g, size_t at) {
  const size_t area = g->conv.out_height * g->conv.out_width, channels = g->conv.shape.out_channels;
  return (struct place){
      {at / area / channels, at / area % channels, at % area / g->conv.out_width, at % g->conv.out_width}};
}

static struct sk_shape_text convolution(const struct sk_given *g) {
  const struct sk_named_shape named = {"given", g->conv.shape, g->options->relu, g->residual.data != NULL};
  return sk_shape_print(&named);
}

/* ---- Text ----------------------------------------------------------------------------------------------------- */

static void print_result(const struct sk_given *g, const struct sk_given_result *r) {
  const struct sk_closeness *c = &r->closeness;
  const struct place p = place_of(g, c->worst);
  printf("%-8s %-8s %-9s %-7s %11.3g %10.3g %10.3g %10.3g %10u  y[%zu][%zu][%zu][%zu] = %.9g, reference %.9g\n",
         r->ours ? "ours" : "theirs", r->ours ? sk_isa_name(r->isa) : "",
         r->ours ? sk_algorithm_name(r->algorithm) : "", r->passed ? "passed" : "FAILED", c->bound_fraction,
         c->max_error, c->rms_error, c->l2_error, c->max_ulp, p.index[0], p.index[1], p.index[2], p.index[3],
         (double)c->value, c->exact);
}

/* Only a direct sum is sure to keep the bound: what else the failure of a result of others may come from. */
static const char other_reasons[] =
    "; a sum in any order keeps that bound, a Winograd, FFT or lower-precision algorithm need not: "
    "--tolerance holds a result against its relative L2 error instead";

static void print_failure(FILE *out, const struct sk_given *g, const struct sk_given_result *r) {
  const struct sk_closeness *c = &r->closeness;
  const struct place p = place_of(g, c->worst);
  const double tolerance = r->ours ? 0 : g->options->tolerance;
  if (r->ours) {
    fprintf(out, "FAILED %s/%s: ", sk_isa_name(r->isa), sk_algorithm_name(r->algorithm));
  } else {
    fprintf(out, "FAILED %s: ", sk_quote(g->options->y).text);
  }
  if (tolerance > 0 && c->wrong_kind == 0) {
    fprintf(out, "relative L2 error %.3g, expected at most %.3g\n", c->l2_error, tolerance);
    return;
  }
  fprintf(out, "y[%zu][%zu][%zu][%zu] = %.9g, expected %.9g within %.3g, off by %.3g%s%s%s\n", p.index[0], p.index[1],
          p.index[2], p.index[3], (double)c->value, c->exact, c->bound, (double)c->value - c->exact,
          r->ours ? "" : other_reasons, r->case_path ? " | reduced: skiplane verify --case " : "",
          r->case_path ? r->case_path : "");
}

static void print_table(const struct sk_given *g) {
  printf("skiplane verify %s, %s\n", sk_version(), convolution(g).text);
  printf("%-8s %-8s %-9s %-7s %11s %10s %10s %10s %10s  %s\n", "result", "isa", "algorithm", "verdict", "error/bound",
         "max error", "RMS error", "L2 error", "max ULP", "worst");
  for (size_t i = 0; i < g->count; i++) print_result(g, &g->results[i]);
}

/* ---- JSON ----------------------------------------------------------------------------------------------------- */

static void add_figures(struct sk_json *json, cJSON *object, const struct sk_given *g,
                        const struct sk_given_result *r) {
  const struct sk_closeness *c = &r->closeness;
  const struct place p = place_of(g, c->worst);
  sk_json_bool(json, object, "passed", r->passed);
  sk_json_number(json, object, "bound_fraction", c->bound_fraction);
  sk_json_number(json, object, "max_error", c->max_error);
  sk_json_number(json, object, "rms_error", c->rms_error);
  sk_json_number(json, object, "l2_error", c->l2_error);
  sk_json_size(json, object, "max_ulp", c->max_ulp);
  sk_json_size(json, object, "not_finite", c->wrong_kind);
  cJSON *worst = sk_json_object(json, object, "worst");
  cJSON *index = sk_json_list(json, worst, "index");
  for (size_t i = 0; i < 4; i++) sk_json_size(json, index, NULL, p.index[i]);
  sk_json_number(json, worst, "value", (double)c->value);
  sk_json_number(json, worst, "reference", c->exact);
  sk_json_number(json, worst, "bound", c->bound);
}

static sk_status print_json(const struct sk_given *g) {
  struct sk_json json;
  sk_json_begin(&json);
  sk_json_text(&json, json.root, "convolution", convolution(g).text);
  cJSON *theirs = sk_json_object(&json, json.root, "theirs");
  sk_json_text(&json, theirs, "file", g->options->y);
  if (g->options->tolerance > 0) sk_json_number(&json, theirs, "tolerance", g->options->tolerance);
  add_figures(&json, theirs, g, &g->results[0]);
  cJSON *ours = sk_json_list(&json, json.root, "ours");
  for (size_t i = 1; i < g->count; i++) {
    const struct sk_given_result *r = &g->results[i];
    cJSON *object = sk_json_object(&json, ours, NULL);
    sk_json_text(&json, object, "isa", sk_isa_name(r->isa));
    sk_json_text(&json, object, "algorithm", sk_algorithm_name(r->algorithm));
    add_figures(&json, object, g, r);
    if (r->case_path) sk_json_text(&json, object, "case_file", r->case_path);
  }
  return sk_json_finish(&json, g->options->json_path);
}

sk_status sk_given_report(const struct sk_given *g) {
  const bool json = g->options->json;
  if (!json) print_table(g);
  for (size_t i = 0; i < g->count; i++) {
    if (!g->results[i].passed) print_failure(json ? stderr : stdout, g, &g->results[i]);
  }
  return json ? print_json(g) : SK_OK;
}
