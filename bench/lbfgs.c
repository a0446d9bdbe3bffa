#include "bench/lbfgs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch/size.h"
#include "dispatch/status.h"

enum {
  PAIRS = 10,  /* steps remembered: more gain little (Nocedal and Wright, section 7.2) */
  TRIALS = 60, /* of one step: past as many bisections nothing is left of it */
  VECTORS = 5 + 2 * PAIRS
};

/* What a step must gain, and how much of the slope it may leave: the usual constants for quasi-Newton methods. */
static const double sufficient = 1e-4, curvature = 0.9;

struct search {
  sk_objective *f;
  void *user;
  size_t count;
  double value;
  double *memory; /* all of the vectors below */
  double *x, *gradient, *direction, *new_x, *new_gradient;
  double *steps[PAIRS], *changes[PAIRS]; /* of x and of the gradient; the newest is number (pairs - 1) % PAIRS */
  double products[PAIRS];                /* of a step and its change */
  size_t pairs;                          /* so far */
};

static double dot(const double *a, const double *b, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += a[i] * b[i];
  return sum;
}

/* y += factor * x */
static void add_scaled(double *y, double factor, const double *x, size_t count) {
  for (size_t i = 0; i < count; i++) y[i] += factor * x[i];
}

static double largest(const double *values, size_t count) {
  double most = 0;
  for (size_t i = 0; i < count; i++) most = fmax(most, fabs(values[i]));
  return most;
}

/* ---- The direction ------------------------------------------------------------------------------------------ */

/* direction = -H gradient, by the pairs remembered, newest to oldest and back. */
static void choose_direction(struct search *s) {
  double factors[PAIRS] = {0};
  double *const d = s->direction;
  const size_t kept = sk_size_min(s->pairs, PAIRS);
  for (size_t i = 0; i < s->count; i++) d[i] = -s->gradient[i];
  for (size_t i = 0; i < kept; i++) {
    const size_t p = (s->pairs - 1 - i) % PAIRS;
    factors[p] = dot(s->steps[p], d, s->count) / s->products[p];
    add_scaled(d, -factors[p], s->changes[p], s->count);
  }
  if (kept > 0) {
    const size_t newest = (s->pairs - 1) % PAIRS;
    const double scale = s->products[newest] / dot(s->changes[newest], s->changes[newest], s->count);
    for (size_t i = 0; i < s->count; i++) d[i] *= scale;
  }
  for (size_t i = kept; i-- > 0;) {
    const size_t p = (s->pairs - 1 - i) % PAIRS;
    add_scaled(d, factors[p] - dot(s->changes[p], d, s->count) / s->products[p], s->steps[p], s->count);
  }
}

/* ---- The step ----------------------------------------------------------------------------------------------- */

static double try_step(struct search *s, double step) {
  for (size_t i = 0; i < s->count; i++) s->new_x[i] = s->x[i] + step * s->direction[i];
  return s->f(s->user, s->new_x, s->new_gradient);
}

/* Find a step along the direction, whose point and gradient become new_x and new_gradient; false if there is none. */
static bool find_step(struct search *s, double step, double *value) {
  const double slope = dot(s->gradient, s->direction, s->count);
  double low = 0;
  double high = INFINITY;
  if (!(slope < 0)) return false;
  for (int i = 0; i < TRIALS; i++) {
    *value = try_step(s, step);
    if (!(*value <= s->value + sufficient * step * slope)) { /* NaN is too far, too */
      high = step;
    } else if (dot(s->new_gradient, s->direction, s->count) < curvature * slope) {
      low = step;
    } else {
      return *value < s->value;
    }
    step = isinf(high) ? 2 * low : low + (high - low) / 2;
  }
  return false;
}

static void swap(double **a, double **b) {
  double *const other = *a;
  *a = *b;
  *b = other;
}

/* Go there, and remember what the step told. By the Wolfe conditions its product is positive. */
static void take_step(struct search *s, double value) {
  const size_t p = s->pairs++ % PAIRS;
  for (size_t i = 0; i < s->count; i++) {
    s->steps[p][i] = s->new_x[i] - s->x[i];
    s->changes[p][i] = s->new_gradient[i] - s->gradient[i];
  }
  s->products[p] = dot(s->steps[p], s->changes[p], s->count);
  if (!(s->products[p] > 0)) s->pairs = 0; /* rounding: start over */
  swap(&s->x, &s->new_x);
  swap(&s->gradient, &s->new_gradient);
  s->value = value;
}

/* ---- The search --------------------------------------------------------------------------------------------- */

static sk_status allocate(struct search *s) {
  size_t values = 0;
  size_t bytes = 0;
  if (!sk_size_multiply(s->count, VECTORS, &values) || !sk_size_multiply(values, sizeof(double), &bytes)) {
    return sk_fail(SK_INVALID_ARGUMENT, "%zu unknowns overflow the memory", s->count);
  }
  s->memory = calloc(sk_size_max(values, 1), sizeof(double));
  if (!s->memory) return sk_fail(SK_OUT_OF_MEMORY, "out of memory for %zu unknowns", s->count);
  double **const vectors[] = {&s->x, &s->gradient, &s->direction, &s->new_x, &s->new_gradient};
  for (size_t i = 0; i < 5; i++) *vectors[i] = s->memory + i * s->count;
  for (size_t i = 0; i < PAIRS; i++) {
    s->steps[i] = s->memory + (5 + i) * s->count;
    s->changes[i] = s->memory + (5 + PAIRS + i) * s->count;
  }
  return SK_OK;
}

/* Without a pair to scale by, the first step is one of length 1 at most. */
static double first_step(const struct search *s) {
  return s->pairs > 0 ? 1 : 1 / fmax(1, sqrt(dot(s->gradient, s->gradient, s->count)));
}

sk_status sk_lbfgs_minimise(sk_objective *f, void *user, size_t count, double tolerance, size_t iterations, double *x,
                            struct sk_minimum *minimum) {
  struct search s = {.f = f, .user = user, .count = count};
  const sk_status status = allocate(&s);
  *minimum = (struct sk_minimum){0};
  if (status) return status;
  memcpy(s.x, x, count * sizeof *x);
  s.value = f(user, s.x, s.gradient);
  while (largest(s.gradient, count) > tolerance && minimum->iterations < iterations) {
    double value = 0;
    choose_direction(&s);
    if (!find_step(&s, first_step(&s), &value)) break;
    take_step(&s, value);
    minimum->iterations++;
  }
  memcpy(x, s.x, count * sizeof *x);
  minimum->value = s.value;
  minimum->gradient = largest(s.gradient, count);
  minimum->converged = minimum->gradient <= tolerance;
  free(s.memory);
  return SK_OK;
}
