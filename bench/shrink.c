#include "bench/shrink.h"

#include "dispatch/conv.h"
#include "dispatch/size.h"

/* A shape by what can shrink: channels are counted in a group, so that groups and they do so apart. */
enum dimension {
  BATCH,
  GROUPS,
  IN_CHANNELS,
  OUT_CHANNELS,
  IN_HEIGHT,
  IN_WIDTH,
  KERNEL_HEIGHT,
  KERNEL_WIDTH,
  STRIDE_HEIGHT,
  STRIDE_WIDTH,
  DILATION_HEIGHT,
  DILATION_WIDTH,
  PAD_TOP,
  PAD_LEFT,
  PAD_BOTTOM,
  PAD_RIGHT,
  DIMENSIONS
};

enum { SMALLEST = 8 }; /* sizes that are tried one by one */

struct sizes {
  size_t of[DIMENSIONS];
};

static struct sizes unpack(const sk_conv_shape *s) {
  return (struct sizes){{[BATCH] = s->batch,
                         [GROUPS] = s->groups,
                         [IN_CHANNELS] = s->in_channels / s->groups,
                         [OUT_CHANNELS] = s->out_channels / s->groups,
                         [IN_HEIGHT] = s->in_height,
                         [IN_WIDTH] = s->in_width,
                         [KERNEL_HEIGHT] = s->kernel_height,
                         [KERNEL_WIDTH] = s->kernel_width,
                         [STRIDE_HEIGHT] = s->stride_height,
                         [STRIDE_WIDTH] = s->stride_width,
                         [DILATION_HEIGHT] = s->dilation_height,
                         [DILATION_WIDTH] = s->dilation_width,
                         [PAD_TOP] = s->pad_top,
                         [PAD_LEFT] = s->pad_left,
                         [PAD_BOTTOM] = s->pad_bottom,
                         [PAD_RIGHT] = s->pad_right}};
}

static sk_conv_shape pack(const struct sizes *n) {
  return (sk_conv_shape){.batch = n->of[BATCH],
                         .in_channels = n->of[GROUPS] * n->of[IN_CHANNELS],
                         .in_height = n->of[IN_HEIGHT],
                         .in_width = n->of[IN_WIDTH],
                         .out_channels = n->of[GROUPS] * n->of[OUT_CHANNELS],
                         .kernel_height = n->of[KERNEL_HEIGHT],
                         .kernel_width = n->of[KERNEL_WIDTH],
                         .stride_height = n->of[STRIDE_HEIGHT],
                         .stride_width = n->of[STRIDE_WIDTH],
                         .dilation_height = n->of[DILATION_HEIGHT],
                         .dilation_width = n->of[DILATION_WIDTH],
                         .pad_top = n->of[PAD_TOP],
                         .pad_bottom = n->of[PAD_BOTTOM],
                         .pad_left = n->of[PAD_LEFT],
                         .pad_right = n->of[PAD_RIGHT],
                         .groups = n->of[GROUPS]};
}

static size_t least(enum dimension d) { return d >= PAD_TOP ? 0 : 1; }

/* Where a dimension begins in what was given; NULL where nothing is cut. */
static size_t *window_of(struct sk_conv_window *window, enum dimension d) {
  switch ((int)d) {
    case BATCH: return &window->image;
    case GROUPS: return &window->group;
    case IN_CHANNELS: return &window->in_channel;
    case OUT_CHANNELS: return &window->out_channel;
    case IN_HEIGHT: return &window->row;
    case IN_WIDTH: return &window->column;
    case KERNEL_HEIGHT: return &window->kernel_row;
    case KERNEL_WIDTH: return &window->kernel_column;
    default: return NULL;
  }
}

struct shrinking {
  struct sk_conv_case *best;
  sk_conv_shape first; /* what it began with */
  sk_shrink_oracle *fails;
  void *user;
  size_t tries, most_tries;
};

static bool can_be_run(const struct sk_conv_case *c) {
  if (sk_conv_case_check(&c->shape, c->algorithm)) return false;
  return c->call != SK_CONV_CALL_PLANAR || sk_conv_takes_planar(&c->shape);
}

/* Keep a candidate if it fails. */
static bool attempt(struct shrinking *s, const struct sk_conv_case *candidate) {
  if (s->tries == s->most_tries || !can_be_run(candidate)) return false;
  s->tries++;
  if (!s->fails(s->user, candidate)) return false;
  *s->best = *candidate;
  return true;
}

/* ---- Everything but sizes ------------------------------------------------------------------------------------- */

static bool simplify_switches(struct shrinking *s) {
  bool changed = false;
  for (size_t i = 0; i < 3; i++) {
    struct sk_conv_case candidate = *s->best;
    bool *const switches[] = {&candidate.relu, &candidate.residual, &candidate.bias};
    if (!*switches[i]) continue;
    *switches[i] = false;
    changed |= attempt(s, &candidate);
  }
  return changed;
}

/* Plain arrays are the public interface: a fault seen there is easier to chase than one behind tensors. */
static bool simplify_call(struct shrinking *s) {
  struct sk_conv_case candidate = *s->best;
  if (candidate.call == SK_CONV_CALL_ARRAYS) return false;
  candidate.call = SK_CONV_CALL_ARRAYS;
  candidate.way = SK_CONV_WAY_OF_MACHINE;
  return attempt(s, &candidate);
}

/* Drawn numbers need no file, and integers can be followed by hand. */
static bool simplify_data(struct shrinking *s) {
  for (enum sk_data data = SK_DATA_INTEGERS; data <= SK_DATA_REALS; data++) {
    struct sk_conv_case candidate = *s->best;
    if (!candidate.given && candidate.data <= data) return false;
    candidate.given = NULL;
    candidate.data = data;
    if (attempt(s, &candidate)) return true;
  }
  return false;
}

static bool simplify_threads(struct shrinking *s) {
  struct sk_conv_case candidate = *s->best;
  if (candidate.threads == 1) return false;
  candidate.threads = 1;
  return attempt(s, &candidate);
}

/* ---- Sizes ---------------------------------------------------------------------------------------------------- */

/* Set the input's length so that the output keeps its own, which is often what a fault hangs on. False if it cannot
 * be. The dimensions of the width follow those of the height. */
static bool keep_output(struct sizes *n, const struct shrinking *s, size_t across) {
  size_t out[2];
  if (sk_conv_output_size(&s->best->shape, &out[0], &out[1])) return false;
  const size_t reach = (out[across] - 1) * n->of[STRIDE_HEIGHT + across] +
                       n->of[DILATION_HEIGHT + across] * (n->of[KERNEL_HEIGHT + across] - 1) + 1;
  const size_t pads = n->of[PAD_TOP + across] + n->of[PAD_BOTTOM + across];
  if (reach <= pads) return false;
  n->of[IN_HEIGHT + across] = reach - pads;
  return n->of[IN_HEIGHT + across] <= unpack(&s->first).of[IN_HEIGHT + across];
}

/* Given data are only cut: an input that grows again would reach beyond them. */
static bool grows_beyond_given(const struct sk_conv_case *c, const struct sizes *n) {
  if (!c->given) return false;
  return c->window.row + n->of[IN_HEIGHT] > c->given->shape.in_height ||
         c->window.column + n->of[IN_WIDTH] > c->given->shape.in_width;
}

static bool attempt_sizes(struct shrinking *s, const struct sizes *n, enum dimension cut, size_t skipped) {
  struct sk_conv_case candidate = *s->best;
  size_t *start = window_of(&candidate.window, cut);
  if (skipped > 0 && !start) return false;
  candidate.shape = pack(n);
  if (start) *start += skipped;
  return !grows_beyond_given(&candidate, n) && attempt(s, &candidate);
}

/* Try one size for a dimension: as it is, from the other end of what was given, and with the output as before. */
static bool attempt_size(struct shrinking *s, enum dimension d, size_t size) {
  struct sizes n = unpack(&s->best->shape);
  const size_t before = n.of[d];
  n.of[d] = size;
  if (attempt_sizes(s, &n, d, 0)) return true;
  if (s->best->given && attempt_sizes(s, &n, d, before - size)) return true;
  if (d < KERNEL_HEIGHT) return false;
  return keep_output(&n, s, (d - KERNEL_HEIGHT) % 2) && attempt_sizes(s, &n, d, 0);
}

/* The smallest few first, then half, three quarters and one less: a fault often hangs on one size or on a remainder,
 * which halving alone would pass by. */
static bool shrink_dimension(struct shrinking *s, enum dimension d) {
  const size_t size = unpack(&s->best->shape).of[d];
  size_t next = least(d);
  for (size_t i = 0; i < SMALLEST + 3 && next < size; i++) {
    if (attempt_size(s, d, next)) return true;
    const size_t further[] = {size / 2, size - size / 4, size - 1};
    next = i + 1 < SMALLEST ? next + 1 : sk_size_max(next + 1, further[sk_size_min(i + 1 - SMALLEST, 2)]);
  }
  return false;
}

static bool shrink_sizes(struct shrinking *s) {
  bool changed = false;
  for (enum dimension d = 0; d < DIMENSIONS; d++) {
    while (shrink_dimension(s, d)) changed = true;
  }
  return changed;
}

size_t sk_shrink(struct sk_conv_case *c, sk_shrink_oracle *fails, void *user, size_t most_tries) {
  struct shrinking s = {.best = c, .first = c->shape, .fails = fails, .user = user, .most_tries = most_tries};
  bool changed = true;
  while (changed && s.tries < most_tries) {
    changed = simplify_threads(&s);
    changed |= simplify_call(&s);
    changed |= simplify_switches(&s);
    changed |= simplify_data(&s);
    changed |= shrink_sizes(&s);
  }
  return s.tries;
}
