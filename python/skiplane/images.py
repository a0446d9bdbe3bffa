"""Pictures, read and prepared as the networks were trained to see them."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_float, c_uint8
from typing import Any, Sequence

import numpy as np
from numpy.typing import NDArray

from . import _arguments
from ._arguments import FloatArray, Path
from ._library import Image, lib
from .errors import InvalidArgumentError


def read_image(path: Path) -> NDArray[np.uint8]:
    """Decode a JPEG or PNG file to RGB: [height][width][3]."""
    image = Image()
    lib.sk_image_open(byref(image), _arguments.path_bytes(path))
    try:
        return _pixels_of(image)
    finally:
        lib.sk_image_close(byref(image))


def resize_image(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize as torchvision does on PIL images: bilinear with antialias."""
    pixels = _check_pixels(image)
    resized = Image()
    height, width = _arguments.number("height", height), _arguments.number("width", width)
    lib.sk_image_resize(byref(_image_of(pixels)), height, width, byref(resized))
    try:
        return _pixels_of(resized)
    finally:
        lib.sk_image_close(byref(resized))


def prepare_image(
    image: NDArray[np.uint8],
    *,
    height: int,
    width: int,
    mean: Sequence[float],
    standard_deviation: Sequence[float],
    resize: int = 0,
) -> FloatArray:
    """Make a network's input of an image: [3][height][width]. Net.prepare() does so with its model's values.

    The shorter side becomes `resize`, the middle of that is cropped (with 0 the whole image becomes height x width),
    and values from 0 to 1 become (value - mean) / standard_deviation.
    """
    pixels = _check_pixels(image)
    sizes = (
        _arguments.number("resize", resize),
        _arguments.number("height", height, 1, 2**20),
        _arguments.number("width", width, 1, 2**20),
    )
    out = np.empty((3, *sizes[1:]), dtype=np.float32)
    lib.sk_image_prepare(
        byref(_image_of(pixels)),
        *sizes,
        _three("mean", mean),
        _three("standard_deviation", standard_deviation),
        _arguments.address(out),
    )
    return out


def _check_pixels(image: Any) -> NDArray[np.uint8]:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise TypeError(f"image: {getattr(image, 'dtype', type(image).__name__)}, expected a numpy.ndarray of uint8")
    if image.ndim != 3 or image.shape[2] != 3:
        raise InvalidArgumentError(f"image: shape {image.shape}, expected (height, width, 3)")
    return np.ascontiguousarray(image)


def _image_of(pixels: NDArray[np.uint8]) -> Image:
    """What the library calls an image; it only reads it, and the array has to be kept meanwhile."""
    return Image(*pixels.shape[:2], ctypes.cast(pixels.ctypes.data, POINTER(c_uint8)))


def _pixels_of(image: Image) -> NDArray[np.uint8]:
    return np.ctypeslib.as_array(image.pixels, (image.height, image.width, 3)).copy()


def _three(name: str, values: Sequence[float]) -> Any:
    if len(values) != 3:
        raise InvalidArgumentError(f"{name}: {len(values)} values, expected 3")
    return (c_float * 3)(*values)
