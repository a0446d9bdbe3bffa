"""The operators as their definitions have them, in float64: what the library's results are compared with."""

import numpy


def pad(x, sides, value=0.0):
    """Surround planes with (top, bottom, left, right) values."""
    top, bottom, left, right = sides
    return numpy.pad(x.astype(numpy.float64), ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=value)


def windows(padded, kernel, stride, dilation, size):
    """The values at each place of the kernel: [kernel height][kernel width][batch][channels][height][width]."""
    height, width = size
    rows = [i * dilation[0] for i in range(kernel[0])]
    columns = [j * dilation[1] for j in range(kernel[1])]
    taken = [
        [
            padded[
                :, :, r : r + (height - 1) * stride[0] + 1 : stride[0], c : c + (width - 1) * stride[1] + 1 : stride[1]
            ]
            for c in columns
        ]
        for r in rows
    ]
    return numpy.array(taken)


def output_size(size, kernel, stride, dilation, sides):
    """(height, width) of a convolution's or pool's result."""
    padded = size[0] + sides[0] + sides[1], size[1] + sides[2] + sides[3]
    return tuple((padded[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i in range(2))


def conv2d(x, weights, bias=None, stride=(1, 1), sides=(0, 0, 0, 0), dilation=(1, 1), groups=1):
    kernel = weights.shape[2:]
    size = output_size(x.shape[2:], kernel, stride, dilation, sides)
    taken = windows(pad(x, sides), kernel, stride, dilation, size)
    taken = taken.reshape(*kernel, x.shape[0], groups, x.shape[1] // groups, *size)
    split = weights.astype(numpy.float64).reshape(groups, weights.shape[0] // groups, *weights.shape[1:])
    y = numpy.einsum("rsngcij,gkcrs->ngkij", taken, split).reshape(x.shape[0], weights.shape[0], *size)
    return y if bias is None else y + bias.astype(numpy.float64)[:, None, None]


def relu(x):
    return numpy.maximum(x, 0)


def softmax(x):
    powers = numpy.exp(x.astype(numpy.float64) - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def batch_norm(x, mean, variance, gamma, beta, epsilon=1e-5):
    def planes(values):
        return values.astype(numpy.float64)[:, None, None]

    return (x - planes(mean)) / numpy.sqrt(planes(variance) + epsilon) * planes(gamma) + planes(beta)
