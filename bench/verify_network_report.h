/* What `skiplane verify --model` prints: a table for people, JSON for programs. */
#ifndef SK_BENCH_VERIFY_NETWORK_REPORT_H
#define SK_BENCH_VERIFY_NETWORK_REPORT_H

#include "bench/json_output.h"
#include "bench/pictures.h"
#include "bench/verify_agreement.h"
#include "bench/verify_network.h"

struct sk_network_report {
  const struct sk_options *options; /* with the size chosen */
  const struct sk_network_check *check;
  bool layers;                      /* were checked */
  const struct sk_pictures *images; /* NULL: one random image */
  struct sk_agreement *agreements;  /* [images], or of the random one */
};

/* Print it for people. Errors: SK_OUT_OF_MEMORY. */
sk_status sk_network_report_print(const struct sk_network_report *report);

/* Write it as JSON, to stdout if the options name no file. Errors: as sk_json_finish. */
sk_status sk_network_report_json(const struct sk_network_report *report);

#endif
