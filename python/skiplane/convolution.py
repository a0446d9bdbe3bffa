"""Convolutions as plans: the weights are packed once, and run many times."""

from __future__ import annotations

from ctypes import byref, c_size_t, c_void_p
from typing import Any

import numpy as np

from . import _arguments
from ._arguments import FloatArray, Padding, Pair
from ._library import ConvOptions, ConvShape, lib
from ._memory import Owner, Workspaces
from .errors import InvalidArgumentError


def make_shape(
    x_shape: tuple[int, ...],
    weights_shape: tuple[int, ...],
    stride: Pair,
    padding: Padding,
    dilation: Pair,
    groups: int,
) -> ConvShape:
    """Put a convolution's sizes together; x is [batch][channels][height][width], weights as Conv2d has them."""
    batch, in_channels, in_height, in_width = x_shape
    out_channels, _, kernel_height, kernel_width = weights_shape
    top, bottom, left, right = _arguments.padding_sides(padding)
    stride_height, stride_width = _arguments.pair("stride", stride)
    dilation_height, dilation_width = _arguments.pair("dilation", dilation)
    return ConvShape(
        batch=batch,
        in_channels=in_channels,
        in_height=in_height,
        in_width=in_width,
        out_channels=out_channels,
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
        groups=_arguments.number("groups", groups),
    )


def output_shape(shape: ConvShape) -> tuple[int, int, int, int]:
    """Return the result's shape, and refuse sizes that make no convolution."""
    height, width = c_size_t(), c_size_t()
    lib.sk_conv_output_size(byref(shape), byref(height), byref(width))
    return shape.batch, shape.out_channels, height.value, width.value


def check_weights(weights: Any, in_channels: int, groups: int) -> FloatArray:
    """Return a convolution's weights, once their channels are those of the input."""
    per_group, rest = divmod(in_channels, max(_arguments.number("groups", groups), 1))
    if rest:
        raise InvalidArgumentError(f"groups: {groups} does not divide the {in_channels} channels of the input")
    return _arguments.array("weights", weights, "out_channels", per_group, "kernel_height", "kernel_width")


class Conv2d(Owner):
    """A convolution with what follows it: run() computes

        y[n][k][i][j] = act(bias[k] + sum over c,r,s of w[k][c][r][s] x[n][c][i*stride-pad+r*dilation][...] + residual)

    for inputs of one shape. Threads may share a plan and run it at the same time.

    Args:
        x_shape: (batch, in_channels, height, width) of the inputs.
        weights: [out_channels][in_channels/groups][kernel_height][kernel_width]; copied.
        bias: [out_channels], or None.
        stride, dilation: one number, or (height, width).
        padding: zeros around the input: one number, (height, width), or ((top, bottom), (left, right)).
        groups: divides in_channels and out_channels.
        residual: run() takes an array that is added to the result.
        relu: the result ends in x < 0 ? 0 : x.
        isa: "auto", or one of isas().
        algorithm: "auto", "direct", "winograd2", "winograd4", "winograd6", "gemm", "strassen" or "winograd3".
        threads: 0 for as many as OpenMP gives.
        flush_denormals: arithmetic takes denormals for zero.

    Raises:
        InvalidArgumentError: sizes that make no convolution, an unknown name.
        UnsupportedError: an algorithm that does not apply, or an ISA that this machine lacks.
    """

    def __init__(
        self,
        x_shape: tuple[int, int, int, int],
        weights: FloatArray,
        bias: FloatArray | None = None,
        *,
        stride: Pair = 1,
        padding: Padding = 0,
        dilation: Pair = 1,
        groups: int = 1,
        residual: bool = False,
        relu: bool = False,
        isa: str = "auto",
        algorithm: str = "auto",
        threads: int = 0,
        flush_denormals: bool = False,
    ) -> None:
        if len(x_shape) != 4:
            raise InvalidArgumentError(f"x_shape: {x_shape}, expected (batch, in_channels, height, width)")
        sizes = tuple(_arguments.number("x_shape", size) for size in x_shape)
        weights = check_weights(weights, sizes[1], groups)
        if bias is not None:
            bias = _arguments.array("bias", bias, weights.shape[0])
        shape = make_shape(sizes, weights.shape, stride, padding, dilation, groups)
        options = make_options(residual, relu, isa, algorithm, threads, flush_denormals)
        self._x_shape, self._y_shape = sizes, output_shape(shape)
        self._residual = residual
        plan = c_void_p()
        lib.sk_conv_create(
            byref(plan), byref(shape), _arguments.address(weights), _arguments.address(bias), byref(options)
        )
        self._own(plan, lib.sk_conv_destroy)
        self._workspaces = Workspaces(lib.sk_conv_workspace_bytes(plan))

    @property
    def isa(self) -> str:
        """The ISA that was chosen."""
        return _arguments.isa_name(lib.sk_conv_isa(self._handle))

    @property
    def algorithm(self) -> str:
        """The algorithm that was chosen."""
        return _arguments.algorithm_name(lib.sk_conv_algorithm(self._handle))

    @property
    def output_shape(self) -> tuple[int, int, int, int]:
        """(batch, out_channels, out_height, out_width)."""
        return self._y_shape

    @property
    def workspace_bytes(self) -> int:
        """Memory that each run at the same time needs."""
        return int(lib.sk_conv_workspace_bytes(self._handle))

    @property
    def weight_bytes(self) -> int:
        """Memory of the packed weights and the bias."""
        return int(lib.sk_conv_weight_bytes(self._handle))

    def run(self, x: FloatArray, residual: FloatArray | None = None, out: FloatArray | None = None) -> FloatArray:
        """Return the result for x, in `out` if that is given; it may be the residual, and must not overlap x."""
        x = _arguments.array("x", x, *self._x_shape)
        if (residual is None) == self._residual:
            raise InvalidArgumentError(f"residual: {'missing' if self._residual else 'not planned'}")
        if residual is not None:
            residual = _arguments.array("residual", residual, *self._y_shape)
        y = _arguments.output(out, *self._y_shape)
        is_residual = residual is not None and _arguments.address(residual) == _arguments.address(y)
        if np.may_share_memory(x, y) or (not is_residual and residual is not None and np.may_share_memory(residual, y)):
            raise InvalidArgumentError("out: overlaps x, or the residual without being it")
        with self._workspaces.borrow() as workspace:
            lib.sk_conv_run(
                self._handle, _arguments.address(x), _arguments.address(residual), _arguments.address(y), workspace
            )
        return y


def make_options(
    residual: bool, relu: bool, isa: str, algorithm: str, threads: int, flush_denormals: bool
) -> ConvOptions:
    return ConvOptions(
        isa=_arguments.isa(isa),
        algorithm=_arguments.algorithm(algorithm),
        threads=_arguments.threads(threads),
        residual=residual,
        relu=relu,
        flush_denormals=flush_denormals,
    )
