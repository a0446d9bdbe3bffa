"""Skiplane from Python: SIMD kernels for convolutional residual networks, on NumPy arrays.

    import numpy, skiplane

    y = skiplane.conv2d(x, weights, bias, padding=1, relu=True)       # float32 arrays, NCHW and OIHW

    net = skiplane.Net("resnet50", "resnet50.safetensors", taps=["avgpool"])
    logits, tapped = net.run_with_taps(net.prepare("cat.jpg"))

Over the shared library libskiplane, by ctypes: SKIPLANE_LIBRARY names it; else it is the one beside this package, else
the system's. Every function may be called from several threads at once, and lets others run while it computes. Failures
are raised as Error and its kinds, with the library's message.
"""

from ._version import __version__
from .convolution import Conv2d
from .errors import Error, FileError, FormatError, InvalidArgumentError, OutOfMemoryError, UnsupportedError
from .images import prepare_image, read_image, resize_image
from .machine import choose_isa, isas, version
from .network import Layer, Model, Net, NetworkInfo, TunedPlan, TunedPlanInfo, Weights, find_model, models
from .operators import (
    add,
    average_pool2d,
    batch_norm,
    conv2d,
    dense,
    global_average_pool,
    max_pool2d,
    relu,
    softmax,
)

__all__ = [
    "Conv2d",
    "Error",
    "FileError",
    "FormatError",
    "InvalidArgumentError",
    "Layer",
    "Model",
    "Net",
    "NetworkInfo",
    "OutOfMemoryError",
    "TunedPlan",
    "TunedPlanInfo",
    "UnsupportedError",
    "Weights",
    "__version__",
    "add",
    "average_pool2d",
    "batch_norm",
    "choose_isa",
    "conv2d",
    "dense",
    "find_model",
    "global_average_pool",
    "isas",
    "max_pool2d",
    "models",
    "prepare_image",
    "read_image",
    "relu",
    "resize_image",
    "softmax",
    "version",
]
