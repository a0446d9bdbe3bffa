"""One operator on arrays, in one call: for trying things out. What runs often wants a plan, Conv2d or Net, which gives
the same bits and packs its weights once.

Arrays are float32, [batch][channels][height][width] unless a line says otherwise; other layouts in memory and element
types that float32 holds exactly are copied. All take

    isa: "auto", or one of isas().
    threads: 0 for as many as OpenMP gives.
    flush_denormals: arithmetic takes denormals for zero.
    out: the array to write to, which may be any of the inputs; None for a new one.
"""

from __future__ import annotations

from ctypes import byref, c_size_t
from typing import Any

from . import _arguments
from ._arguments import FloatArray, Padding, Pair
from ._library import CallOptions, Pool2dShape, lib
from .convolution import check_weights, make_options, make_shape, output_shape


def _call_options(isa: str, threads: int, flush_denormals: bool) -> CallOptions:
    return CallOptions(isa=_arguments.isa(isa), threads=_arguments.threads(threads), flush_denormals=flush_denormals)


def _planes(x: Any) -> FloatArray:
    return _arguments.array("x", x, "batch", "channels", "height", "width")


def conv2d(
    x: FloatArray,
    weights: FloatArray,
    bias: FloatArray | None = None,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    residual: FloatArray | None = None,
    relu: bool = False,
    isa: str = "auto",
    algorithm: str = "auto",
    threads: int = 0,
    flush_denormals: bool = False,
    out: FloatArray | None = None,
) -> FloatArray:
    """Convolve, as Conv2d and its run() do: its arguments say what each is.

    residual: what to add to the result, of its shape; None for nothing.
    """
    x = _planes(x)
    weights = check_weights(weights, x.shape[1], groups)
    shape = make_shape(x.shape, weights.shape, stride, padding, dilation, groups)
    y_shape = output_shape(shape)
    if bias is not None:
        bias = _arguments.array("bias", bias, weights.shape[0])
    if residual is not None:
        residual = _arguments.array("residual", residual, *y_shape)
    y = _arguments.output(out, *y_shape)
    lib.sk_conv2d_f32(
        byref(shape),
        _arguments.address(x),
        _arguments.address(weights),
        _arguments.address(bias),
        _arguments.address(residual),
        _arguments.address(y),
        byref(make_options(residual is not None, relu, isa, algorithm, threads, flush_denormals)),
    )
    return y


def batch_norm(
    x: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
    gamma: FloatArray | None = None,
    beta: FloatArray | None = None,
    *,
    epsilon: float = 1e-5,
    isa: str = "auto",
    threads: int = 0,
    flush_denormals: bool = False,
    out: FloatArray | None = None,
) -> FloatArray:
    """Normalise each channel: (x - mean) / sqrt(variance + epsilon) * gamma + beta.

    mean, variance, gamma, beta: [channels]; gamma and beta None for ones and zeros.
    """
    x = _planes(x)
    channels = x.shape[1]
    mean = _arguments.array("mean", mean, channels)
    variance = _arguments.array("variance", variance, channels)
    if gamma is not None:
        gamma = _arguments.array("gamma", gamma, channels)
    if beta is not None:
        beta = _arguments.array("beta", beta, channels)
    y = _arguments.output(out, *x.shape)
    lib.sk_batch_norm_f32(
        *x.shape,
        _arguments.address(x),
        _arguments.address(gamma),
        _arguments.address(beta),
        _arguments.address(mean),
        _arguments.address(variance),
        epsilon,
        _arguments.address(y),
        byref(_call_options(isa, threads, flush_denormals)),
    )
    return y


def relu(
    x: FloatArray,
    *,
    isa: str = "auto",
    threads: int = 0,
    flush_denormals: bool = False,
    out: FloatArray | None = None,
) -> FloatArray:
    """Rectify: x < 0 ? 0 : x, which keeps NaN and -0. x: of any shape."""
    x = _arguments.array("x", x)
    y = _arguments.output(out, *x.shape)
    options = _call_options(isa, threads, flush_denormals)
    lib.sk_relu_f32(x.size, _arguments.address(x), _arguments.address(y), byref(options))
    return y


def add(
    a: FloatArray,
    b: FloatArray,
    *,
    relu: bool = False,
    isa: str = "auto",
    threads: int = 0,
    flush_denormals: bool = False,
    out: FloatArray | None = None,
) -> FloatArray:
    """Add two arrays of one shape, whatever that is, and rectify the sum if `relu`."""
    a = _arguments.array("a", a)
    b = _arguments.array("b", b, *a.shape)
    y = _arguments.output(out, *a.shape)
    options = _call_options(isa, threads, flush_denormals)
    lib.sk_add_f32(a.size, _arguments.address(a), _arguments.address(b), relu, _arguments.address(y), byref(options))
    return y


def _pool2d(function: Any, x: FloatArray, shape: Pool2dShape, options: CallOptions, out: Any) -> FloatArray:
    height, width = c_size_t(), c_size_t()
    lib.sk_pool2d_output_size(byref(shape), byref(height), byref(width))
    y = _arguments.output(out, x.shape[0], x.shape[1], height.value, width.value)
    function(byref(shape), _arguments.address(x), _arguments.address(y), byref(options))
    return y


def _pool2d_shape(
    x: FloatArray, kernel: Pair, stride: Pair | None, padding: Padding, dilation: Pair, **modes: bool
) -> Pool2dShape:
    batch, channels, in_height, in_width = x.shape
    kernel_height, kernel_width = _arguments.pair("kernel", kernel)
    stride_height, stride_width = _arguments.pair("stride", kernel if stride is None else stride)
    dilation_height, dilation_width = _arguments.pair("dilation", dilation)
    top, bottom, left, right = _arguments.padding_sides(padding)
    return Pool2dShape(
        batch=batch,
        channels=channels,
        in_height=in_height,
        in_width=in_width,
        kernel_height=kernel_height,
        kernel_width=kernel_width,
        stride_height=stride_height,
        stride_width=stride_width,
        dilation_height=dilation_height,
        dilation_width=dilation_width,
        pad_top=top,
        pad_bottom=bottom,
        pad_left=left,
        pad_right=right,
        **modes,
    )


def max_pool2d(
    x: FloatArray,
    kernel: Pair,
    *,
    stride: Pair | None = None,
    padding: Padding = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
    isa: str = "auto",
    threads: int = 0,
    flush_denormals: bool = False,
    out: FloatArray | None = None,
) -> FloatArray:
    """Take the maximum of each window, of which padding is no part.

    kernel, stride, dilation: one number, or (height, width); stride None for the kernel.
    padding: one number, (height, width), or ((top, bottom), (left, right)); at most half of the kernel.
    ceil_mode: round the result's size up.
    """
    x = _planes(x)
    shape = _pool2d_shape(x, kernel, stride, padding, dilation, ceil_mode=ceil_mode)
    return _pool2d(lib.sk_max_pool2d_f32, x, shape, _call_options(isa, threads, flush_denormals), out)


def average_pool2d(
    x: FloatArray,
    kernel: Pair,
    *,
    stride: Pair | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    isa: str = "auto",
    threads: int = 0,
    flush_denormals: bool = False,
    out: FloatArray | None = None,
) -> FloatArray:
    """Take the mean of each window: as max_pool2d, and

    count_include_pad: padding counts as zeros; else the mean is of what lies in the input.
    """
    x = _planes(x)
    shape = _pool2d_shape(x, kernel, stride, padding, 1, ceil_mode=ceil_mode, count_include_pad=count_include_pad)
    return _pool2d(lib.sk_average_pool2d_f32, x, shape, _call_options(isa, threads, flush_denormals), out)


def global_average_pool(
    x: FloatArray,
    *,
    isa: str = "auto",
    threads: int = 0,
    flush_denormals: bool = False,
    out: FloatArray | None = None,
) -> FloatArray:
    """Take the mean of each plane. Returns [batch][channels]."""
    x = _planes(x)
    y = _arguments.output(out, *x.shape[:2])
    options = _call_options(isa, threads, flush_denormals)
    lib.sk_global_average_pool_f32(*x.shape, _arguments.address(x), _arguments.address(y), byref(options))
    return y


def dense(
    x: FloatArray,
    weights: FloatArray,
    bias: FloatArray | None = None,
    *,
    isa: str = "auto",
    threads: int = 0,
    flush_denormals: bool = False,
    out: FloatArray | None = None,
) -> FloatArray:
    """Multiply by a matrix: x @ weights.T + bias.

    x: [batch][inputs]; weights: [outputs][inputs]; bias: [outputs], or None. Returns [batch][outputs].
    """
    x = _arguments.array("x", x, "batch", "inputs")
    weights = _arguments.array("weights", weights, "outputs", x.shape[1])
    outputs = weights.shape[0]
    if bias is not None:
        bias = _arguments.array("bias", bias, outputs)
    y = _arguments.output(out, x.shape[0], outputs)
    lib.sk_dense_f32(
        *x.shape,
        outputs,
        _arguments.address(x),
        _arguments.address(weights),
        _arguments.address(bias),
        _arguments.address(y),
        byref(_call_options(isa, threads, flush_denormals)),
    )
    return y


def softmax(
    x: FloatArray,
    *,
    isa: str = "auto",
    threads: int = 0,
    flush_denormals: bool = False,
    out: FloatArray | None = None,
) -> FloatArray:
    """Make probabilities of logits. x: [batch][classes]."""
    x = _arguments.array("x", x, "batch", "classes")
    y = _arguments.output(out, *x.shape)
    options = _call_options(isa, threads, flush_denormals)
    lib.sk_softmax_f32(*x.shape, _arguments.address(x), _arguments.address(y), byref(options))
    return y
