/*
 * Measure the float32 error of each Winograd point set against direct convolution in double. Not a test: it prints
 * the table from which the points of the kernels were chosen.
 *
 *   winograd_error [tiles] [seed]
 *
 * What it simulates is what kernels do: the filter is transformed in double and rounded once; coefficients are
 * rounded to float; inputs and outputs are transformed by matrix products of fused multiply-adds; each product is
 * accumulated over the channels by a chain of fused multiply-adds. A kernel whose transforms share subexpressions
 * rounds a little less.
 *
 * Errors are relative: L2 is ||y^ - y|| / ||y|| over all tiles, max is max|y^ - y| / rms(y).
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "reference/winograd.h"

enum { MAX = SK_REFERENCE_WINOGRAD_MAX_ALPHA, TAPS = 3 };

/* splitmix64: the same numbers everywhere. */
static uint64_t next_random(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* Draw a float uniformly from [low, 1). */
static float uniform(uint64_t *state, float low) {
  float unit = (float)(next_random(state) >> 40) * 0x1p-24f;
  return low + (1 - low) * unit;
}

static void to_float(const sk_reference_winograd_matrix matrix, float rounded[MAX][MAX]) {
  for (size_t i = 0; i < MAX; i++) {
    for (size_t j = 0; j < MAX; j++) rounded[i][j] = (float)sk_reference_rational_to_double(matrix[i][j]);
  }
}

/* Form y = M x M^T by chains of fused multiply-adds, first M x. M: [rows][columns]; x: [columns][columns]. */
static void transform(size_t rows, size_t columns, const float matrix[MAX][MAX], const float x[MAX][MAX],
                      float y[MAX][MAX]) {
  float half[MAX][MAX];
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < columns; j++) {
      half[i][j] = 0;
      for (size_t l = 0; l < columns; l++) half[i][j] = fmaf(matrix[i][l], x[l][j], half[i][j]);
    }
  }
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < rows; j++) {
      y[i][j] = 0;
      for (size_t l = 0; l < columns; l++) y[i][j] = fmaf(matrix[j][l], half[i][l], y[i][j]);
    }
  }
}

/* One tile of a convolution of many channels, three times over. */
typedef struct tile_sums {
  double exact[MAX][MAX];  /* direct, double */
  float direct[MAX][MAX];  /* direct, float */
  float product[MAX][MAX]; /* Winograd, float, before the output transform */
} tile_sums;

static void add_direct(const sk_reference_winograd *winograd, const float d[MAX][MAX], const float g[TAPS][TAPS],
                       tile_sums *sums) {
  for (size_t i = 0; i < winograd->outputs; i++) {
    for (size_t j = 0; j < winograd->outputs; j++) {
      for (size_t r = 0; r < TAPS; r++) {
        for (size_t s = 0; s < TAPS; s++) {
          const float x = d[winograd->stride * i + r][winograd->stride * j + s];
          sums->exact[i][j] += (double)g[r][s] * (double)x;
          sums->direct[i][j] = fmaf(g[r][s], x, sums->direct[i][j]);
        }
      }
    }
  }
}

static void add_winograd(const sk_reference_winograd *winograd, const float input[MAX][MAX], const float d[MAX][MAX],
                         const float g[TAPS][TAPS], tile_sums *sums) {
  double g_double[TAPS * TAPS], u[MAX * MAX];
  float v[MAX][MAX];
  for (size_t k = 0; k < TAPS * TAPS; k++) g_double[k] = (double)g[k / TAPS][k % TAPS];
  sk_reference_winograd_filter_2d(winograd, g_double, u);
  transform(winograd->alpha, winograd->alpha, input, d, v);
  for (size_t i = 0; i < winograd->alpha; i++) {
    for (size_t j = 0; j < winograd->alpha; j++) {
      sums->product[i][j] = fmaf((float)u[i * winograd->alpha + j], v[i][j], sums->product[i][j]);
    }
  }
}

typedef struct error {
  double squares, max;
} error;

static void add_error(error *total, double difference) {
  total->squares += difference * difference;
  total->max = fmax(total->max, fabs(difference));
}

typedef struct measurement {
  double l2, max; /* relative */
} measurement;

static measurement relative(error total, double reference_squares, size_t count) {
  return (measurement){sqrt(total.squares / reference_squares), total.max / sqrt(reference_squares / (double)count)};
}

/* Measure one point set on `tiles` tiles. Inputs are uniform in [low, 1), weights in [-1, 1). */
static void measure(const sk_reference_winograd *winograd, size_t channels, float low, size_t tiles, uint64_t seed,
                    measurement *with_winograd, measurement *with_direct) {
  float input[MAX][MAX], output[MAX][MAX];
  to_float(winograd->input, input);
  to_float(winograd->output, output);
  error winograd_error = {0}, direct_error = {0};
  double reference_squares = 0;

  for (size_t t = 0; t < tiles; t++) {
    tile_sums sums = {0};
    for (size_t c = 0; c < channels; c++) {
      /* Whole arrays are drawn, so that every point set sees the same numbers. */
      float d[MAX][MAX], g[TAPS][TAPS];
      for (size_t i = 0; i < MAX * MAX; i++) d[i / MAX][i % MAX] = uniform(&seed, low);
      for (size_t k = 0; k < TAPS * TAPS; k++) g[k / TAPS][k % TAPS] = uniform(&seed, -1);
      add_direct(winograd, d, g, &sums);
      add_winograd(winograd, input, d, g, &sums);
    }
    float y[MAX][MAX];
    transform(winograd->outputs, winograd->alpha, output, sums.product, y);
    for (size_t i = 0; i < winograd->outputs; i++) {
      for (size_t j = 0; j < winograd->outputs; j++) {
        reference_squares += sums.exact[i][j] * sums.exact[i][j];
        add_error(&winograd_error, (double)y[i][j] - sums.exact[i][j]);
        add_error(&direct_error, (double)sums.direct[i][j] - sums.exact[i][j]);
      }
    }
  }
  size_t count = tiles * winograd->outputs * winograd->outputs;
  *with_winograd = relative(winograd_error, reference_squares, count);
  *with_direct = relative(direct_error, reference_squares, count);
}

static void print_case(const sk_reference_winograd_points *set, size_t channels, float low, size_t tiles,
                       uint64_t seed) {
  sk_reference_winograd winograd = sk_reference_winograd_derive_set(set);
  measurement with_winograd, with_direct;
  measure(&winograd, channels, low, tiles, seed, &with_winograd, &with_direct);
  double amplification = sk_reference_winograd_amplification(&winograd);
  printf("%-36s %8zu  [%2.0f,1) %10.3g %10.2e %10.2e %10.2e %10.2e\n", set->name, channels, (double)low,
         amplification * amplification, with_winograd.l2, with_winograd.max, with_direct.l2, with_direct.max);
}

int main(int argument_count, char **arguments) {
  size_t tiles = argument_count > 1 ? (size_t)strtoull(arguments[1], NULL, 10) : 500;
  uint64_t seed = argument_count > 2 ? strtoull(arguments[2], NULL, 10) : 1;
  if (argument_count > 3 || tiles == 0) {
    fprintf(stderr, "usage: winograd_error [tiles] [seed]\n");
    return 2;
  }
  printf("# %zu tiles, seed %llu; amplification is that of two dimensions (direct: 9)\n", tiles,
         (unsigned long long)seed);
  printf("%-36s %8s %7s %10s %10s %10s %10s %10s\n", "points", "channels", "inputs", "amplif.", "L2", "max",
         "direct L2", "direct max");

  const size_t channels[] = {64, 256};
  const float lows[] = {-1, 0}; /* 0: as after a ReLU */
  for (size_t l = 0; l < 2; l++) {
    for (size_t c = 0; c < 2; c++) {
      for (size_t p = 0; p < sk_reference_winograd_point_set_count; p++) {
        print_case(&sk_reference_winograd_point_sets[p], channels[c], lows[l], tiles, seed);
      }
    }
  }
  return 0;
}
