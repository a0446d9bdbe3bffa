"""The shared library: where it is found, and its structures and functions as skiplane.h declares them.

Functions that return a status raise what `errors` has for it, with the message of the calling thread. While a function
runs, other threads of Python may.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, c_bool, c_char_p, c_double, c_float, c_int, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any

from . import errors
from ._version import __version__

# ---- Structures -----------------------------------------------------------------------------------------------------


def _sizes(*names: str) -> list[tuple[str, Any]]:
    return [(name, c_size_t) for name in names]


def _reserved(count: int) -> tuple[str, Any]:
    """Room for later versions' fields, zero until then, as ctypes makes it."""
    return "reserved", c_uint64 * count


class ConvShape(ctypes.Structure):
    _fields_ = _sizes(
        "batch",
        *("in_channels", "in_height", "in_width"),
        "out_channels",
        *("kernel_height", "kernel_width"),
        *("stride_height", "stride_width"),
        *("dilation_height", "dilation_width"),
        *("pad_top", "pad_bottom", "pad_left", "pad_right"),
        "groups",
    )


class ConvOptions(ctypes.Structure):
    _fields_ = [
        ("isa", c_int),
        ("algorithm", c_int),
        ("threads", c_int),
        ("residual", c_bool),
        ("relu", c_bool),
        ("flush_denormals", c_bool),
        ("max_bytes", c_size_t),
        _reserved(3),
    ]


class CallOptions(ctypes.Structure):
    _fields_ = [("isa", c_int), ("threads", c_int), ("flush_denormals", c_bool), _reserved(4)]


class Pool2dShape(ctypes.Structure):
    _fields_ = [
        *_sizes("batch", "channels"),
        *_sizes("in_height", "in_width"),
        *_sizes("kernel_height", "kernel_width"),
        *_sizes("stride_height", "stride_width"),
        *_sizes("dilation_height", "dilation_width"),
        *_sizes("pad_top", "pad_bottom", "pad_left", "pad_right"),
        ("ceil_mode", c_bool),
        ("count_include_pad", c_bool),
    ]


class PlanInfo(ctypes.Structure):
    _fields_ = [
        ("model", c_char_p),
        *_sizes("in_height", "in_width", "layers"),
        ("digest", c_uint32),
        ("batch", c_size_t),
        ("threads", c_int),
        ("isa", c_int),
        ("cpu", c_char_p),
        ("version", c_char_p),
        _reserved(8),
    ]


class ModelInfo(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("description", c_char_p),
        ("parameters", c_uint64),
        ("macs", c_uint64),
        *_sizes("in_channels", "in_height", "in_width", "classes"),
        ("mean", c_float * 3),
        ("standard_deviation", c_float * 3),
        ("resize", c_size_t),
        _reserved(8),
    ]


class NetOptions(ctypes.Structure):
    _fields_ = [
        ("isa", c_int),
        ("algorithm", c_int),
        ("threads", c_int),
        *_sizes("batch", "in_height", "in_width", "classes"),
        ("version", c_int),
        ("softmax", c_bool),
        ("taps", POINTER(c_char_p)),
        ("tap_count", c_size_t),
        ("plan", c_void_p),
        ("flush_denormals", c_bool),
        ("max_bytes", c_size_t),
        _reserved(7),
    ]


class OnnxOptions(ctypes.Structure):
    _fields_ = [("input_shape", c_size_t * 4), ("max_bytes", c_size_t), _reserved(8)]


class NetInfo(ctypes.Structure):
    _fields_ = [
        ("isa", c_int),
        ("threads", c_int),
        *_sizes("batch", "in_channels", "in_height", "in_width", "classes", "layers"),
        ("macs", c_uint64),
        *_sizes("workspace_bytes", "weight_bytes", "activation_bytes"),
        ("flush_denormals", c_bool),
        _reserved(8),
    ]


class LayerInfo(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("op", c_char_p),
        ("algorithm", c_int),
        *_sizes("in_channels", "in_height", "in_width"),
        *_sizes("out_channels", "out_height", "out_width"),
        *_sizes("kernel_height", "kernel_width", "stride", "groups"),
        ("macs", c_uint64),
        *_sizes("activation_bytes", "weight_bytes", "workspace_bytes"),
        _reserved(8),
    ]


class Image(ctypes.Structure):
    _fields_ = [*_sizes("height", "width"), ("pixels", POINTER(c_uint8))]


#: By their names in the header.
STRUCTURES: dict[str, type[ctypes.Structure]] = {
    "sk_conv_shape": ConvShape,
    "sk_conv_options": ConvOptions,
    "sk_call_options": CallOptions,
    "sk_pool2d_shape": Pool2dShape,
    "sk_plan_info": PlanInfo,
    "sk_model_info": ModelInfo,
    "sk_net_options": NetOptions,
    "sk_onnx_options": OnnxOptions,
    "sk_net_info": NetInfo,
    "sk_layer_info": LayerInfo,
    "sk_image": Image,
}

#: Values of enumerations, by their names in the header. ISAs and algorithms go by the library's own names.
CONSTANTS = {
    "SK_OK": 0,
    "SK_INVALID_ARGUMENT": 1,
    "SK_UNSUPPORTED": 2,
    "SK_OUT_OF_MEMORY": 3,
    "SK_IO_ERROR": 4,
    "SK_BAD_FORMAT": 5,
    "SK_ISA_AUTO": 0,
    "SK_ISA_COUNT": 6,
    "SK_RESNET_V1_5": 0,
    "SK_RESNET_V1": 1,
}

_ERRORS = {
    CONSTANTS["SK_INVALID_ARGUMENT"]: errors.InvalidArgumentError,
    CONSTANTS["SK_UNSUPPORTED"]: errors.UnsupportedError,
    CONSTANTS["SK_OUT_OF_MEMORY"]: errors.OutOfMemoryError,
    CONSTANTS["SK_IO_ERROR"]: errors.FileError,
    CONSTANTS["SK_BAD_FORMAT"]: errors.FormatError,
}

# ---- Functions ------------------------------------------------------------------------------------------------------


class Status:
    """In place of a result type: an sk_status, which raises unless it is 0."""


_HANDLE = c_void_p  # sk_conv, sk_net, sk_weights, sk_plan, sk_model
_ARRAY = c_void_p  # float32, by its address
_OUT_HANDLE = POINTER(c_void_p)
_OUT_SIZE = POINTER(c_size_t)
_CALL_OPTIONS = POINTER(CallOptions)
_FOUR_SIZES = [c_size_t] * 4

#: Result and arguments of each function.
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "sk_error_message": (c_char_p, []),
    "sk_version": (c_char_p, []),
    "sk_isa_name": (c_char_p, [c_int]),
    "sk_isa_parse": (Status, [c_char_p, POINTER(c_int)]),
    "sk_isa_built": (c_bool, [c_int]),
    "sk_isa_available": (c_bool, [c_int]),
    "sk_isa_choose": (Status, [c_int, POINTER(c_int)]),
    "sk_algorithm_name": (c_char_p, [c_int]),
    "sk_algorithm_parse": (Status, [c_char_p, POINTER(c_int)]),
    "sk_alloc": (c_void_p, [c_size_t]),
    "sk_free": (None, [c_void_p]),
    "sk_conv_output_size": (Status, [POINTER(ConvShape), _OUT_SIZE, _OUT_SIZE]),
    "sk_conv_create": (Status, [_OUT_HANDLE, POINTER(ConvShape), _ARRAY, _ARRAY, POINTER(ConvOptions)]),
    "sk_conv_destroy": (None, [_HANDLE]),
    "sk_conv_isa": (c_int, [_HANDLE]),
    "sk_conv_algorithm": (c_int, [_HANDLE]),
    "sk_conv_workspace_bytes": (c_size_t, [_HANDLE]),
    "sk_conv_weight_bytes": (c_size_t, [_HANDLE]),
    "sk_conv_run": (Status, [_HANDLE, _ARRAY, _ARRAY, _ARRAY, c_void_p]),
    "sk_conv2d_f32": (Status, [POINTER(ConvShape), *[_ARRAY] * 5, POINTER(ConvOptions)]),
    "sk_batch_norm_f32": (Status, [*_FOUR_SIZES, *[_ARRAY] * 5, c_double, _ARRAY, _CALL_OPTIONS]),
    "sk_relu_f32": (Status, [c_size_t, _ARRAY, _ARRAY, _CALL_OPTIONS]),
    "sk_add_f32": (Status, [c_size_t, _ARRAY, _ARRAY, c_bool, _ARRAY, _CALL_OPTIONS]),
    "sk_pool2d_output_size": (Status, [POINTER(Pool2dShape), _OUT_SIZE, _OUT_SIZE]),
    "sk_max_pool2d_f32": (Status, [POINTER(Pool2dShape), _ARRAY, _ARRAY, _CALL_OPTIONS]),
    "sk_average_pool2d_f32": (Status, [POINTER(Pool2dShape), _ARRAY, _ARRAY, _CALL_OPTIONS]),
    "sk_global_average_pool_f32": (Status, [*_FOUR_SIZES, _ARRAY, _ARRAY, _CALL_OPTIONS]),
    "sk_dense_f32": (Status, [*[c_size_t] * 3, *[_ARRAY] * 4, _CALL_OPTIONS]),
    "sk_softmax_f32": (Status, [c_size_t, c_size_t, _ARRAY, _ARRAY, _CALL_OPTIONS]),
    "sk_weights_open": (Status, [_OUT_HANDLE, c_char_p]),
    "sk_weights_random": (Status, [_OUT_HANDLE, c_char_p, c_size_t, c_uint64]),
    "sk_weights_save": (Status, [_HANDLE, c_char_p]),
    "sk_weights_close": (None, [_HANDLE]),
    "sk_weights_nonfinite": (c_size_t, [_HANDLE]),
    "sk_plan_open": (Status, [_OUT_HANDLE, c_char_p]),
    "sk_plan_close": (None, [_HANDLE]),
    "sk_plan_describe": (None, [_HANDLE, POINTER(PlanInfo)]),
    "sk_model_count": (c_size_t, []),
    "sk_model_at": (Status, [c_size_t, POINTER(ModelInfo)]),
    "sk_model_find": (Status, [c_char_p, POINTER(ModelInfo)]),
    "sk_net_create": (Status, [_OUT_HANDLE, c_char_p, _HANDLE, POINTER(NetOptions)]),
    "sk_model_open_onnx": (Status, [_OUT_HANDLE, c_char_p, POINTER(OnnxOptions)]),
    "sk_model_close": (None, [_HANDLE]),
    "sk_model_describe": (None, [_HANDLE, POINTER(ModelInfo)]),
    "sk_net_create_from_model": (Status, [_OUT_HANDLE, _HANDLE, POINTER(NetOptions)]),
    "sk_net_destroy": (None, [_HANDLE]),
    "sk_net_describe": (None, [_HANDLE, POINTER(NetInfo)]),
    "sk_net_run": (Status, [_HANDLE, c_size_t, _ARRAY, _ARRAY, c_void_p]),
    "sk_net_tap": (Status, [_HANDLE, c_size_t, c_size_t, c_void_p, _ARRAY]),
    "sk_net_tap_shape": (Status, [_HANDLE, c_size_t, c_size_t * 3]),
    "sk_net_layer": (Status, [_HANDLE, c_size_t, POINTER(LayerInfo)]),
    "sk_image_open": (Status, [POINTER(Image), c_char_p]),
    "sk_image_close": (None, [POINTER(Image)]),
    "sk_image_resize": (Status, [POINTER(Image), c_size_t, c_size_t, POINTER(Image)]),
    "sk_image_prepare": (
        Status,
        [POINTER(Image), c_size_t, c_size_t, c_size_t, c_float * 3, c_float * 3, _ARRAY],
    ),
}

# ---- Loading --------------------------------------------------------------------------------------------------------

_MAJOR = __version__.split(".")[0]
_SONAME = f"libskiplane.so.{_MAJOR}"


def _where() -> tuple[str, str]:
    """Where the library is to be, for the loader, and who says so."""
    named = os.environ.get("SKIPLANE_LIBRARY")
    if named:
        return named, f"SKIPLANE_LIBRARY={named}"
    beside = Path(__file__).parent / _SONAME
    if beside.exists():
        return str(beside), str(beside)
    return _SONAME, f"{_SONAME}, of the system (SKIPLANE_LIBRARY names another)"


def _raise_error(status: int, function: Any, arguments: tuple[Any, ...]) -> None:
    """Raise what a status stands for; ctypes calls it after each function that returns one."""
    if status:
        raise _ERRORS.get(status, errors.Error)(text(lib.sk_error_message()))


def _declare(library: ctypes.CDLL) -> None:
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.argtypes = arguments
        if result is Status:
            function.restype, function.errcheck = c_int, _raise_error
        else:
            function.restype = result


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


def _load() -> ctypes.CDLL:
    path, source = _where()
    try:
        library = ctypes.CDLL(path)
        library.sk_version.restype = c_char_p
        version = text(library.sk_version())
    except (OSError, AttributeError) as error:
        raise ImportError(f"cannot load {source}: {error}") from error
    # Within a major version the newer library serves the older's callers: structures and functions only grow.
    if version.split(".")[0] != _MAJOR or _numbers(version) < _numbers(__version__):
        raise ImportError(f"{source}: version {version}, expected {__version__} or a later {_MAJOR}.x")
    try:
        _declare(library)
    except AttributeError as error:
        raise ImportError(f"{source}: {error}") from error
    return library


def text(value: bytes | None) -> str:
    """Decode what the library says; names of files in it need not be UTF-8."""
    return (value or b"").decode("utf-8", "replace")


lib = _load()
