#include "bench/verify_agreement.h"

#include <math.h>

#include "bench/verify_network.h"
#include "dispatch/size.h"

/* Whether a class comes before another. */
static bool is_likelier(const double *logits, size_t a, size_t b) {
  if (isnan(logits[a]) != isnan(logits[b])) return isnan(logits[b]);
  if (!isnan(logits[a]) && logits[a] != logits[b]) return logits[a] > logits[b];
  return a < b;
}

/* Insert a class where it belongs among those found so far, the last of which may fall out. */
static void insert(struct sk_top *top, size_t most, const double *logits, size_t class_number) {
  size_t at = top->count;
  while (at > 0 && is_likelier(logits, class_number, top->classes[at - 1])) at--;
  if (at == most) return;
  if (top->count < most) top->count++;
  for (size_t i = top->count - 1; i > at; i--) top->classes[i] = top->classes[i - 1];
  top->classes[at] = class_number;
}

struct sk_top sk_top_of(const double *logits, size_t classes) {
  struct sk_top top = {0};
  for (size_t i = 0; i < classes; i++) insert(&top, sk_size_min(SK_TOP, classes), logits, i);
  return top;
}

static bool holds(const struct sk_top *top, size_t class_number) {
  for (size_t i = 0; i < top->count; i++) {
    if (top->classes[i] == class_number) return true;
  }
  return false;
}

static bool is_same_set(const struct sk_top *a, const struct sk_top *b) {
  for (size_t i = 0; i < a->count; i++) {
    if (!holds(b, a->classes[i])) return false;
  }
  return true;
}

struct sk_agreement sk_agreement_of(const double *logits, const double *exact, size_t classes) {
  struct sk_agreement agreement = {.ours = sk_top_of(logits, classes), .exact = sk_top_of(exact, classes)};
  const size_t *const first = agreement.exact.classes;
  agreement.top1 = agreement.ours.classes[0] == first[0];
  agreement.top5 = is_same_set(&agreement.ours, &agreement.exact);
  agreement.margin = classes > 1 ? exact[first[0]] - exact[first[1]] : 0;
  for (size_t i = 0; i < classes; i++) {
    agreement.max_difference = fmax(agreement.max_difference, sk_deviation_of((float)logits[i], exact[i]));
  }
  return agreement;
}
