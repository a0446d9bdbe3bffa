/* What a batch norm does to one channel, for networks and for arrays alike. */
#ifndef SK_DISPATCH_BATCH_NORM_H
#define SK_DISPATCH_BATCH_NORM_H

#include <math.h>

/* x * scale + beta - mean * scale. */
struct sk_channel_norm {
  double scale, mean, beta;
};

/* Formed in double precision; who uses it rounds once. */
static inline struct sk_channel_norm sk_channel_norm(float gamma, float beta, float mean, float variance,
                                                     double epsilon) {
  return (struct sk_channel_norm){
      .scale = (double)gamma / sqrt((double)variance + epsilon), .mean = (double)mean, .beta = (double)beta};
}

/* The two factors of x * scale + shift. */
static inline float sk_norm_scale(const struct sk_channel_norm *norm) { return (float)norm->scale; }
static inline float sk_norm_shift(const struct sk_channel_norm *norm) {
  return (float)(norm->beta - norm->mean * norm->scale);
}

#endif
