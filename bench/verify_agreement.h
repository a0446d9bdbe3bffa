/* What two paths take an image for: whether they agree, and how far apart their logits are. */
#ifndef SK_BENCH_VERIFY_AGREEMENT_H
#define SK_BENCH_VERIFY_AGREEMENT_H

#include <stdbool.h>
#include <stddef.h>

enum { SK_TOP = 5 };

/* The likeliest classes of one image, the first first; of equals the lower number, NaN last. */
struct sk_top {
  size_t count; /* SK_TOP, or all classes if fewer */
  size_t classes[SK_TOP];
};

struct sk_top sk_top_of(const double *logits, size_t classes);

struct sk_agreement {
  struct sk_top ours, exact;
  bool top1, top5;       /* the same first class; the same set of likeliest ones, in any order */
  double max_difference; /* of a logit; infinite where only one of the two is a finite number */
  double margin;         /* by which the reference's first class leads the second; 0 with a single class */
};

struct sk_agreement sk_agreement_of(const double *logits, const double *exact, size_t classes);

#endif
