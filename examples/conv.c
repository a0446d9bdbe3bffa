/* One convolution: the vertical edges of a small picture, found by Sobel's kernel.
 *
 *   cc conv.c $(pkg-config --cflags --libs skiplane) -o conv && ./conv */
#include <skiplane.h>
#include <stdio.h>

enum { HEIGHT = 4, WIDTH = 8, PIXELS = HEIGHT * WIDTH };

int main(void) {
  /* clang-format off */
  const sk_conv_shape shape = {.batch = 1, .in_channels = 1, .in_height = HEIGHT, .in_width = WIDTH, .out_channels = 1,
                               .kernel_height = 3, .kernel_width = 3, .stride_height = 1, .stride_width = 1,
                               .dilation_height = 1, .dilation_width = 1,
                               .pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1, .groups = 1};
  /* clang-format on */
  const float sobel[3 * 3] = {-1, 0, 1, -2, 0, 2, -1, 0, 1};
  float x[PIXELS], y[PIXELS];
  for (int i = 0; i < PIXELS; i++) x[i] = i % WIDTH < WIDTH / 2 ? 0 : 1; /* dark on the left, bright on the right */

  sk_conv *plan = NULL;
  void *workspace = NULL; /* the run itself allocates nothing; without a workspace it fails and says so */
  sk_status status = sk_conv_create(&plan, &shape, sobel, NULL, NULL); /* no bias, the default options */
  if (!status) workspace = sk_alloc(sk_conv_workspace_bytes(plan));
  if (!status) status = sk_conv_run(plan, x, NULL, y, workspace);
  for (int i = 0; !status && i < PIXELS; i++) printf("%3g%s", (double)y[i], (i + 1) % WIDTH ? "" : "\n");
  if (status) fprintf(stderr, "conv: %s\n", sk_error_message());
  sk_free(workspace);
  sk_conv_destroy(plan);
  return status ? 1 : 0;
}
