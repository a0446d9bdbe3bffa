/*
 * The contract of every kernel. A kernel is one function per instruction set, compiled from one source.
 *
 * Common to all
 *   Layout      NCHW16c: [block][row][column][16] with block = channel / 16; a "pixel" is 16 floats.
 *   Strides     in floats, from one element of a dimension to the next; pointers name the first interior pixel.
 *   Alignment   pixels of NCHW16c and packed weights are 64-byte aligned; plain arrays need float alignment only.
 *   Access      nothing outside the elements that the equation names is read or written, not even by one lane.
 *   Activation  act(v) is ReLU if `relu`, then clip(v) to `bounds` if `clip`, else v.
 *   Bits        the expression of each output element is fixed: the same bits on every ISA (docs/numerics.md).
 *   Aliasing    an output overlaps no input, but for `residual`, which may be the output itself.
 */
#ifndef SK_KERNELS_H
#define SK_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "skiplane.h"

#define SK_BLOCK ((size_t)16) /* channels of one block of NCHW16c */

/* Of clip(x) = min(max(x, minimum), maximum): infinite where there is no bound. NaN passes, and so does -0. */
struct sk_clip_bounds {
  float minimum, maximum;
};

/*
 * Convolve a patch of rows x pixels outputs for one or two blocks of output channels.
 *
 *   y[b][i][p][l] = act(fma chain from bias[b][l] of x[cb][i][r][s][p][c] * w[cb][r][s][c][b][l],
 *                       + residual[b][i][p][l])
 *
 * The chain runs over channel block cb, kernel row r, kernel column s, channel c, in this order, outermost first.
 *
 * x         x + cb*x_block + i*x_line + r*x_row + s*x_column + p*x_pixel + c*x_channel
 * x_ahead   from an element to the one that is asked for when it is read, which need not exist
 * far       far + cb*far_block + i*x_line + p*16, or NULL: lines that a later call or layer is taken to read, brought
 *           as near as L2 (by kernels that ask channel by channel, for one tap), which need not exist
 * weights   [cb][kernel_height][kernel_width][channels of the block][blocks][16], packed
 * bias      [blocks][16], or NULL for zeros
 * resume    resume + b*resume_block + i*resume_line + p*16 + l, from which the chain goes on in place of the bias: sums
 *           that a call for other channels has left; or NULL
 * fork      fork + b*resume_block + i*resume_line + p*16 + l, or NULL: other such sums, and the chain ends in both. It
 *           begins with the bias then: fork = fork + chain, y = act(resume + chain + residual). Requires: resume,
 *           x_pixel 16, x_channel 1
 * residual  residual + b*residual_block + i*residual_line + p*16 + l, or NULL
 * y         y + b*y_block + i*y_line + p*16 + l
 * Requires: 1 <= blocks <= the table's tile_blocks; rows, pixels, channels >= 1.
 * What follows the weights in memory, which a later call is taken to read, is brought nearer meanwhile.
 */
struct sk_conv_direct_args {
  const float *x;
  size_t x_block, x_line, x_row, x_column, x_pixel, x_channel, x_ahead;
  const float *far;
  size_t far_block;
  const float *weights;
  const float *bias;
  const float *resume;
  float *fork;
  size_t resume_block, resume_line;
  const float *residual;
  size_t residual_block, residual_line;
  float *y;
  size_t y_block, y_line;
  size_t rows, pixels, blocks, channels;
  size_t kernel_height, kernel_width;
  bool relu, clip;
  struct sk_clip_bounds bounds;
};
typedef void sk_conv_direct_fn(const struct sk_conv_direct_args *args);

/*
 * Convolve one row of output pixels for one block of output channels whose lanes read different input channels:
 * groups that are no multiple of 16 channels, depthwise among them.
 *
 *   y[p][l] = act(fma chain from bias[l] of x[r][s][p][lane_offset[j][l]] * w[r][s][j][l], + residual[p][l])
 *
 * The chain runs over kernel row r, kernel column s, channel j of the group.
 *
 * lane_offset  [channels][16] in floats from x; lanes without an output channel repeat a valid offset
 * lanes        what is known of lane_offset: nothing; contiguous, lane_offset[j][l] == lane_offset[j][0] + l
 * (depthwise); or permuted, lane_offset[j][l] == lane_offset[0][0] + l/channels*channels + j (groups of 2, 4 or 8
 *              channels that are no more outputs: a block of outputs reads one block of inputs)
 * weights      [kernel_height][kernel_width][channels][16]
 */
enum sk_grouped_lanes { SK_LANES_SCATTERED, SK_LANES_CONTIGUOUS, SK_LANES_PERMUTED };
struct sk_conv_grouped_args {
  const float *x;
  size_t x_row, x_column, x_pixel;
  const int32_t *lane_offset;
  enum sk_grouped_lanes lanes;
  const float *weights;
  const float *bias;
  const float *residual;
  float *y;
  size_t pixels, channels;
  size_t kernel_height, kernel_width;
  bool relu, clip;
  struct sk_clip_bounds bounds;
};
typedef void sk_conv_grouped_fn(const struct sk_conv_grouped_args *args);

/*
 * Transform one input tile of F(m,3) for one channel block: v = B^T x B.
 *
 * x     x + i*x_row + j*16, of which rows x columns exist; F(2,3) and F(4,3) trim the tile to as many points, which are
 *       all that is written (winograd_points.h), others take the rest of it as zero
 * v     v + (i*alpha + j)*v_point, one pixel each; alpha = m + 2, with stride 2 (f<m>k3s2) 2m + 1
 * Requires: 1 <= rows, columns <= alpha; where the tile is trimmed, as many as outputs that exist read. Source: Lavin
 * and Gray (2016), section 4.1; points in winograd_points.h.
 */
struct sk_winograd_input_args {
  const float *x;
  size_t x_row;
  size_t rows, columns;
  float *v;
  size_t v_point;
};
typedef void sk_winograd_input_fn(const struct sk_winograd_input_args *args);

/*
 * Transform one tile of products of F(m,3) back for one block of output channels: y = act(A^T t A + bias + residual).
 *
 * t     t + (i*alpha + j)*t_point, one pixel each; alpha as above; of a trimmed tile its points alone are read
 * y     y + i*y_row + j*16, of which rows x columns exist and are written; residual likewise, or NULL
 * Requires: 1 <= rows, columns <= m.
 */
struct sk_winograd_output_args {
  const float *t;
  size_t t_point;
  const float *bias;
  const float *residual;
  size_t residual_row;
  float *y;
  size_t y_row;
  size_t rows, columns;
  bool relu, clip;
  struct sk_clip_bounds bounds;
};
typedef void sk_winograd_output_fn(const struct sk_winograd_output_args *args);

/*
 * Multiply a row of transformed tiles of F(3,4) and transform the products back, for one block of output channels:
 *
 *   t[k][p][l] = fma chain from +0 of v[k][p][c] * w[p % 6][c][p / 6][l], 0 <= c < channels ascending
 *   y = act(A^T t[k] A + bias + residual), first down the columns
 *
 * v        v[tiles][36][16], point i*6 + j
 * weights  w[6][channels][6][16]
 * half     half[tiles][3][6][16], written: what is transformed down only
 * outputs  of the whole row, but for t: y + i*y_row + j*16, of which rows x columns exist and are written
 * Requires: channels <= 16, a multiple of 4; 1 <= rows <= 3, 3*tiles - 3 < columns <= 3*tiles.
 * Source: as F(m,3).
 */
struct sk_winograd_row_args {
  const float *v;
  const float *weights;
  float *half;
  size_t tiles, channels;
  struct sk_winograd_output_args outputs;
};
typedef void sk_winograd_row_fn(const struct sk_winograd_row_args *args);

/*
 * Multiply transformed tiles of a grouped convolution at each point p, one block of 16 channels, in place:
 *
 *   v[p][t][l] = fma chain from +0 of v[p][t][l / channels * channels + j] * w[p][j][l], 0 <= j < channels ascending
 *
 * v        v + p*v_point + t*16, 0 <= t < tiles
 * weights  w[points][channels][16]
 * Requires: channels is 4, 8 or 16: those of a group.
 */
struct sk_winograd_groups_args {
  float *v;
  size_t v_point;
  const float *weights;
  size_t points, tiles, channels;
};
typedef void sk_winograd_groups_fn(const struct sk_winograd_groups_args *args);

/*
 * Form Strassen's sums of inputs, of one channel block in each half of the channels, over pixels of the first half of
 * an image and their partners in the second; where there is no partner it counts as zero. x<pixel half><channel half>:
 *
 *   s1 = x21 + x22,  s2 = s1 - x11,  s3 = x11 - x21,  s4 = x12 - s2
 *
 * x     x + p*16 is x11; x_half from a pixel to its partner, x_channels from a channel to that of the second half
 * sums  sums + (i - 1)*sum + p*16 is s<i>
 * Requires: partners <= pixels; the first ones have them.
 * Source: Strassen (1969) in the form of Winograd (1971), Knuth, The Art of Computer Programming, volume 2, 4.6.4.
 */
struct sk_strassen_input_args {
  const float *x;
  size_t x_half, x_channels;
  float *sums;
  size_t sum;
  size_t pixels, partners;
};
typedef void sk_strassen_input_fn(const struct sk_strassen_input_args *args);

/*
 * Pool one plane (one image, one channel block): the rows of y from `first` to `end`. Windows are clipped to the plane,
 * so padding is never read.
 *
 * max_pool      y = max of the window, NaN if it holds one; the first of equal values, so -0 stays before +0
 * average_pool  y = sum of the window, row by row from +0, / (taps on the plane, or those within the padding)
 * A window without a tap on the plane has the maximum -infinity and the sum 0.
 * Source: torch.nn.MaxPool2d, torch.nn.AvgPool2d.
 */
struct sk_pool_args {
  const float *x;
  size_t x_row, in_height, in_width;
  float *y;
  size_t y_row, first, end, out_width;
  size_t kernel_height, kernel_width;
  size_t stride_height, stride_width;
  size_t dilation_height, dilation_width;
  size_t pad_top, pad_bottom, pad_left, pad_right;
  bool count_include_pad; /* average_pool only */
};
typedef void sk_pool_fn(const struct sk_pool_args *args);

/* Average one plane: y[l] = (sum of x[i][j][l], row by row from +0) / (height*width). */
typedef void sk_global_average_pool_fn(const float *x, size_t x_row, size_t height, size_t width, float *y);

/*
 * Multiply one row by a matrix for `panels` consecutive panels of SK_DENSE_PANEL outputs.
 *
 *   y[panel][l] = fma chain from bias[panel][l] of x[i] * w[panel][i][l], i ascending
 *
 * y: [panels][SK_DENSE_PANEL], whole panels are written.
 */
#define SK_DENSE_PANEL ((size_t)64)
struct sk_dense_args {
  const float *x;
  size_t inputs;
  const float *weights;
  const float *bias;
  float *y;
  size_t panels;
};
typedef void sk_dense_fn(const struct sk_dense_args *args);

/*
 * Normalise one row to probabilities: y[i] = exp(x[i] - max x) / sum_j exp(x[j] - max x).
 *
 * Element i of x is x[i / 16 * x_block + i % 16], of y likewise; y's lanes of the last block from `count` on become
 * zero. The sum is kept in 16 lanes, i mod 16, added pairwise (l with l+8, then +4, +2, +1).
 * hardware_fma: whether the CPU has fused multiply-add; without it the generic kernel's exponential may differ in
 * the last bit. Accuracy: SLEEF's exponential is within 1.0 ULP. y may be x.
 */
struct sk_softmax_args {
  const float *x;
  size_t x_block;
  float *y;
  size_t y_block;
  size_t count;
  bool hardware_fma;
};
typedef void sk_softmax_fn(const struct sk_softmax_args *args);

/*
 * Elementwise on one plane: y[i][j][l] over rows x columns pixels.
 *
 * add         act(a + b)
 * batch_norm  act(fma(a, scale[l], shift[l]))
 * relu        a < 0 ? 0 : a       (keeps NaN and -0, as torch does)
 * multiply    a * b
 * clip        c > maximum[l] ? maximum[l] : c, with c = a < minimum[l] ? minimum[l] : a      (keeps NaN and -0)
 * sigmoid     s > maximum[l] ? maximum[l] : s, with s = 1 / (1 + exp(0 - a))     (keeps NaN)
 *
 * add, multiply  b[i][j][l] is b + i*b_row + j*b_pixel + l; both zero for one value per channel
 * clip, sigmoid  the bounds of lanes without a channel are 0, so that these stay zero; sigmoid's others are 1
 * Aliasing: y may be a, or b unless that is one value per channel. hardware_fma: as softmax has it. Accuracy: SLEEF's
 * exponential is within 1.0 ULP.
 */
struct sk_elementwise_args {
  const float *a;
  size_t a_row;
  const float *b;
  size_t b_row, b_pixel;
  const float *scale, *shift;
  const float *minimum, *maximum;
  float *y;
  size_t y_row;
  size_t height, width;
  bool relu, hardware_fma;
};
typedef void sk_elementwise_fn(const struct sk_elementwise_args *args);

/*
 * Copy `channels` <= 16 channels between one plain image and one block of NCHW16c.
 *
 * plain    plain + c*plain_channel + i*plain_row + j*plain_pixel: NCHW and NHWC alike
 * blocked  blocked + i*blocked_row + j*16 + c; to_blocked fills the lanes from `channels` on with zeros
 */
struct sk_layout_args {
  float *plain;
  size_t plain_channel, plain_row, plain_pixel;
  float *blocked;
  size_t blocked_row;
  size_t height, width, channels;
};
typedef void sk_layout_fn(const struct sk_layout_args *args);

/* Perform sk_fma_peak_flops(iterations) floating-point operations in independent chains of fused multiply-adds, to
 * measure the peak. Returns a value that depends on them all. */
typedef float sk_fma_peak_fn(size_t iterations);

/* Read x[count] from its beginning to its end, `passes` times over, to measure bandwidth. Returns the sum of all that
 * was read, added in as many chains as the ISA keeps loads in flight: so the same on every ISA only where all sums are
 * exact, as those of small integers are. */
typedef float sk_stream_fn(const float *x, size_t count, size_t passes);

/* One table per ISA; whole tables are chosen, because packed layouts belong together. */
struct sk_kernel_table {
  sk_isa isa;
  size_t lanes;                    /* float32 lanes of one register */
  size_t tile_pixels, tile_blocks; /* register tile of conv_direct */
  size_t fma_peak_flops;           /* per iteration of fma_peak */
#define SK_KERNEL(field, type, name) type *field;
#include "kernels/kernels.def"
#undef SK_KERNEL
};

extern const struct sk_kernel_table sk_kernel_table__generic;
extern const struct sk_kernel_table sk_kernel_table__sse41;
extern const struct sk_kernel_table sk_kernel_table__avx2;
extern const struct sk_kernel_table sk_kernel_table__avx512;
extern const struct sk_kernel_table sk_kernel_table__neon;

#endif
