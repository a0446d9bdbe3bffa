"""Arguments on their way into the library: what C could not refuse any more is refused here."""

from __future__ import annotations

import operator
import os
from ctypes import byref, c_int
from typing import Any, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from ._library import lib, text
from .errors import InvalidArgumentError

FloatArray = NDArray[np.float32]
Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
Pair = Union[int, Tuple[int, int]]
Padding = Union[int, Tuple[int, int], Tuple[Tuple[int, int], Tuple[int, int]]]

# ---- Numbers and names ----------------------------------------------------------------------------------------------


def number(name: str, value: Any, least: int = 0, most: int = 2**63 - 1) -> int:
    """Return an integer in a range: C would take -1 for a very large size."""
    try:
        result = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: {value!r}, expected an integer") from None
    if not least <= result <= most:
        raise InvalidArgumentError(f"{name}: {result}, expected {least} to {most}")
    return result


def threads(value: Any) -> int:
    return number("threads", value, 0, 2**31 - 1)


def pair(name: str, value: Any) -> tuple[int, int]:
    """Return (height, width) of one number for both or of two."""
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise InvalidArgumentError(f"{name}: {value!r}, expected a number or (height, width)")
        return number(name, value[0]), number(name, value[1])
    both = number(name, value)
    return both, both


def padding_sides(value: Any) -> tuple[int, int, int, int]:
    """Return (top, bottom, left, right) of one number, of (height, width), or of ((top, bottom), (left, right))."""
    if isinstance(value, (tuple, list)) and any(isinstance(part, (tuple, list)) for part in value):
        if len(value) != 2 or not all(isinstance(part, (tuple, list)) for part in value):
            raise InvalidArgumentError(f"padding: {value!r}, expected ((top, bottom), (left, right))")
        return *pair("padding", value[0]), *pair("padding", value[1])
    height, width = pair("padding", value)
    return height, height, width, width


def name_bytes(name: str, value: Any) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"{name}: {value!r}, expected a string")
    if "\0" in value:
        raise InvalidArgumentError(f"{name}: {value!r} has a NUL in it")
    return value.encode()


def path_bytes(value: Path) -> bytes:
    path = os.fsencode(value)
    if b"\0" in path:
        raise InvalidArgumentError(f"path: {value!r} has a NUL in it")
    return path


def isa(name: str) -> int:
    parsed = c_int()
    lib.sk_isa_parse(name_bytes("isa", name), byref(parsed))
    return parsed.value


def isa_name(value: int) -> str:
    return text(lib.sk_isa_name(value))


def algorithm(name: str) -> int:
    parsed = c_int()
    lib.sk_algorithm_parse(name_bytes("algorithm", name), byref(parsed))
    return parsed.value


def algorithm_name(value: int) -> str:
    return text(lib.sk_algorithm_name(value))


# ---- Arrays ---------------------------------------------------------------------------------------------------------


def _shape_text(shape: tuple[int | str, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _check_shape(name: str, array: NDArray[Any], shape: tuple[int | str, ...]) -> None:
    """Refuse another shape; a dimension given as a word may be anything."""
    fits = len(array.shape) == len(shape) and all(
        isinstance(expected, str) or actual == expected for actual, expected in zip(array.shape, shape)
    )
    if not fits:
        raise InvalidArgumentError(f"{name}: shape {array.shape}, expected {_shape_text(shape)}")


def array(name: str, value: Any, *shape: int | str) -> FloatArray:
    """Return an array as float32 that lies as C has it: itself where it does, else a copy.

    Element types whose every value is a float32 are converted; float64 and the like are refused, for that would round.
    No shape: any.
    """
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name}: {type(value).__name__}, expected a numpy.ndarray")
    if not np.can_cast(value.dtype, np.float32, "safe"):
        raise TypeError(f"{name}: dtype {value.dtype}, expected float32 (x.astype(numpy.float32) rounds)")
    if shape:
        _check_shape(name, value, shape)
    return np.ascontiguousarray(value, dtype=np.float32)


def output(out: Any, *shape: int) -> FloatArray:
    """Return an array to write to: the one that was given, if it will do, or a new one."""
    if out is None:
        return np.empty(shape, dtype=np.float32)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out: {type(out).__name__}, expected a numpy.ndarray")
    if out.dtype != np.float32:
        raise TypeError(f"out: dtype {out.dtype}, expected float32")
    _check_shape("out", out, shape)
    if not (out.flags.c_contiguous and out.flags.aligned and out.flags.writeable):
        raise InvalidArgumentError("out: not a C-contiguous, aligned and writable array")
    return out


def address(values: FloatArray | None) -> int | None:
    """Where an array's elements are. Whoever asks has to keep the array while the address is in use."""
    return None if values is None else values.ctypes.data
