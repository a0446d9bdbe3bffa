"""Networks: models, their weights, and the plans that run them."""

from __future__ import annotations

from ctypes import byref, c_char_p, c_size_t, c_void_p
from dataclasses import dataclass
from typing import Any, Sequence, Union

import numpy as np
from numpy.typing import NDArray

from . import _arguments
from ._arguments import FloatArray, Path
from ._library import CONSTANTS, LayerInfo, ModelInfo, NetInfo, NetOptions, OnnxOptions, PlanInfo, lib, text
from ._memory import Owner, Workspaces
from .errors import InvalidArgumentError
from .images import prepare_image, read_image

# ---- Models ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Model:
    """What a network is, before it has weights."""

    name: str
    description: str
    parameters: int  #: with the default number of classes
    macs: int  #: multiply-accumulates for one image of the default size
    input_shape: tuple[int, int, int]  #: channels, height, width
    classes: int
    mean: tuple[float, float, float]  #: of the images it was trained on, RGB from 0 to 1
    standard_deviation: tuple[float, float, float]
    resize: int  #: shorter side before the crop from the middle; 0: images are resized to the input itself


def _model_of(info: ModelInfo) -> Model:
    return Model(
        name=text(info.name),
        description=text(info.description),
        parameters=info.parameters,
        macs=info.macs,
        input_shape=(info.in_channels, info.in_height, info.in_width),
        classes=info.classes,
        mean=(info.mean[0], info.mean[1], info.mean[2]),
        standard_deviation=(info.standard_deviation[0], info.standard_deviation[1], info.standard_deviation[2]),
        resize=info.resize,
    )


def models() -> list[Model]:
    """Return all networks that the library knows."""
    found = []
    for index in range(lib.sk_model_count()):
        info = ModelInfo()
        lib.sk_model_at(index, byref(info))
        found.append(_model_of(info))
    return found


def find_model(name: str) -> Model:
    """Return a network by its name. Raises InvalidArgumentError for one that is unknown."""
    info = ModelInfo()
    lib.sk_model_find(_arguments.name_bytes("model", name), byref(info))
    return _model_of(info)


# ---- Weights and tuned plans ----------------------------------------------------------------------------------------


class Weights(Owner):
    """The weights of a network. Not needed any more once a Net is made of them."""

    def __init__(self, path: Path) -> None:
        """Open a safetensors file (F32, F16 or BF16). Raises FileError and FormatError."""
        weights = c_void_p()
        lib.sk_weights_open(byref(weights), _arguments.path_bytes(path))
        self._own(weights, lib.sk_weights_close)

    @classmethod
    def random(cls, model: str, *, classes: int = 0, seed: int = 1) -> Weights:
        """Draw weights that keep activations finite; a seed means the same everywhere. classes: 0 for the model's."""
        weights = c_void_p()
        name = _arguments.name_bytes("model", model)
        sizes = _arguments.number("classes", classes), _arguments.number("seed", seed, 0, 2**64 - 1)
        lib.sk_weights_random(byref(weights), name, *sizes)
        drawn = cls.__new__(cls)
        drawn._own(weights, lib.sk_weights_close)
        return drawn

    def save(self, path: Path) -> None:
        """Write a safetensors file (F32)."""
        lib.sk_weights_save(self._handle, _arguments.path_bytes(path))

    @property
    def nonfinite(self) -> int:
        """How many values are NaN or infinite."""
        return int(lib.sk_weights_nonfinite(self._handle))


@dataclass(frozen=True)
class TunedPlanInfo:
    """What a tuned plan is for, and what it was measured with. Results depend on the digest alone."""

    model: str
    input_size: tuple[int, int]  #: height, width
    layers: int
    digest: int
    batch: int
    threads: int
    isa: str
    cpu: str
    version: str


class TunedPlan(Owner):
    """The algorithm of each convolution of a network, as `skiplane tune` measured it."""

    def __init__(self, path: Path) -> None:
        """Read a plan file. Raises FileError and FormatError."""
        plan = c_void_p()
        lib.sk_plan_open(byref(plan), _arguments.path_bytes(path))
        self._own(plan, lib.sk_plan_close)

    @property
    def info(self) -> TunedPlanInfo:
        info = PlanInfo()
        lib.sk_plan_describe(self._handle, byref(info))
        return TunedPlanInfo(
            model=text(info.model),
            input_size=(info.in_height, info.in_width),
            layers=info.layers,
            digest=info.digest,
            batch=info.batch,
            threads=info.threads,
            isa=_arguments.isa_name(info.isa),
            cpu=text(info.cpu),
            version=text(info.version),
        )


# ---- Networks -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layer:
    """One layer of a planned network: what runs as one step."""

    name: str  #: torchvision's; a fused layer has its convolution's
    op: str  #: "conv+add+relu"
    algorithm: str
    input_shape: tuple[int, int, int]  #: channels, height, width
    output_shape: tuple[int, int, int]
    kernel: tuple[int, int]  #: height, width
    stride: int
    groups: int
    macs: int  #: of one image, counted as direct convolution
    activation_bytes: int  #: of one image: input, residual and output
    weight_bytes: int
    workspace_bytes: int  #: extra memory while it runs


@dataclass(frozen=True)
class NetworkInfo:
    """What a planned network chose, and what it takes."""

    isa: str
    threads: int
    batch: int  #: the largest of a run
    input_shape: tuple[int, int, int]  #: channels, height, width
    classes: int
    macs: int  #: of one image
    workspace_bytes: int  #: of each run at the same time
    weight_bytes: int
    activation_bytes: int  #: without any reuse of memory, to compare with
    flush_denormals: bool


class Net(Owner):
    """A planned network. Threads may share it and run it at the same time.

    Args:
        model: a name, such as "resnet50"; models() has them all.
        weights: a safetensors file, or Weights.
        batch: the largest batch of a run.
        height, width: of the input; 0 for the model's own.
        classes: 0 for as many as the weights have.
        isa: "auto", or one of isas().
        algorithm: of every convolution it applies to; the others run direct.
        threads: 0 for as many as OpenMP gives.
        version: "v1.5" strides in the 3x3 of a bottleneck, "v1" in its first 1x1.
        softmax: the outputs are probabilities rather than logits.
        taps: names of layers whose outputs run_with_taps() returns. A tapped layer is not fused with what follows it.
        plan: the algorithm of every convolution, in place of `algorithm`: a file that `skiplane tune` wrote, or a
            TunedPlan.
        flush_denormals: arithmetic takes denormals for zero.

    Raises:
        InvalidArgumentError: an unknown name, a size.
        FormatError: weights or a plan that do not fit the model.
        FileError, UnsupportedError, OutOfMemoryError.
    """

    def __init__(
        self,
        model: str,
        weights: Union[Weights, Path],
        *,
        batch: int = 1,
        height: int = 0,
        width: int = 0,
        classes: int = 0,
        isa: str = "auto",
        algorithm: str = "auto",
        threads: int = 0,
        version: str = "v1.5",
        softmax: bool = False,
        taps: Sequence[str] = (),
        plan: Union[TunedPlan, Path, None] = None,
        flush_denormals: bool = False,
    ) -> None:
        name = _arguments.name_bytes("model", model)
        if not isinstance(weights, Weights):
            weights = Weights(weights)
        plan = _open_plan(plan)
        options = _make_options(batch, isa, algorithm, threads, taps, plan, flush_denormals)
        options.in_height = _arguments.number("height", height)
        options.in_width = _arguments.number("width", width)
        options.classes = _arguments.number("classes", classes)
        options.version = _version(version)
        options.softmax = softmax
        net = c_void_p()
        lib.sk_net_create(byref(net), name, weights._handle, byref(options))
        self._adopt(net, find_model(model), tuple(taps))

    @classmethod
    def from_onnx(
        cls,
        path: Path,
        *,
        batch: int = 1,
        channels: int = 0,
        height: int = 0,
        width: int = 0,
        isa: str = "auto",
        algorithm: str = "auto",
        threads: int = 0,
        taps: Sequence[str] = (),
        plan: Union[TunedPlan, Path, None] = None,
        flush_denormals: bool = False,
    ) -> Net:
        """Plan a network of an ONNX file, which has the weights as well.

        The other arguments are those of Net. The mean and the deviation of its model are ImageNet's, for no file tells
        them: with others, prepare_image makes the input.

        Args:
            path: the file; tensors may lie in other files of its folder.
            batch: the largest batch of a run, whatever the file has.
            channels, height, width: of the input; 0 for what the file has, which cannot be changed.
            taps: names of nodes, or of their outputs.

        Raises:
            InvalidArgumentError: a size that the file leaves open, or that is not the file's; an unknown tap.
            FormatError: a file that breaks the rules of ONNX, or has a plan of another network.
            UnsupportedError: an operator that is not supported; a library built without ONNX.
            FileError, OutOfMemoryError.
        """
        sizes = {"channels": channels, "height": height, "width": width}
        onnx_options = OnnxOptions()
        for index, (name, size) in enumerate(sizes.items(), 1):
            onnx_options.input_shape[index] = _arguments.number(name, size)
        plan = _open_plan(plan)
        model = c_void_p()
        lib.sk_model_open_onnx(byref(model), _arguments.path_bytes(path), byref(onnx_options))
        try:
            info = ModelInfo()
            lib.sk_model_describe(model, byref(info))
            options = _make_options(batch, isa, algorithm, threads, taps, plan, flush_denormals)
            net = c_void_p()
            lib.sk_net_create_from_model(byref(net), model, byref(options))
            made = cls.__new__(cls)
            made._adopt(net, _model_of(info), tuple(taps))
            return made
        finally:
            lib.sk_model_close(model)

    def _adopt(self, net: c_void_p, model: Model, taps: tuple[str, ...]) -> None:
        self._own(net, lib.sk_net_destroy)
        info = NetInfo()
        lib.sk_net_describe(net, byref(info))
        self.model = model  #: what it was planned from
        self.taps = taps  #: the names of its taps
        self.info = _info_of(info)
        self.layers = tuple(_layer_of(net, index) for index in range(info.layers))  #: in the order of execution
        self._tap_shapes = [_tap_shape(net, tap) for tap in range(len(taps))]
        self._workspaces = Workspaces(info.workspace_bytes)

    def prepare(self, *images: Union[NDArray[np.uint8], Path]) -> FloatArray:
        """Make an input of pictures, files or arrays [height][width][3], as the model was trained to see them."""
        _, height, width = self.info.input_shape
        # A larger input wants a larger picture to be cropped from: the ratio stays.
        resize = -(-self.model.resize * max(height, width) // max(self.model.input_shape[1:]))
        prepared = [
            prepare_image(
                image if isinstance(image, np.ndarray) else read_image(image),
                height=height,
                width=width,
                mean=self.model.mean,
                standard_deviation=self.model.standard_deviation,
                resize=resize,
            )
            for image in images
        ]
        return np.stack(prepared)

    def run(self, x: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """Return the outputs, [batch][classes], of x[batch][channels][height][width]: up to `batch` prepared images."""
        x, y = self._check(x, out)
        with self._workspaces.borrow() as workspace:
            lib.sk_net_run(self._handle, x.shape[0], _arguments.address(x), _arguments.address(y), workspace)
        return y

    def run_with_taps(self, x: FloatArray, out: FloatArray | None = None) -> tuple[FloatArray, dict[str, FloatArray]]:
        """Return the outputs as run() does, and those of the taps by their names: [batch][channels][height][width]."""
        x, y = self._check(x, out)
        tapped = {}
        with self._workspaces.borrow() as workspace:
            lib.sk_net_run(self._handle, x.shape[0], _arguments.address(x), _arguments.address(y), workspace)
            for tap, name in enumerate(self.taps):
                values = np.empty((x.shape[0], *self._tap_shapes[tap]), dtype=np.float32)
                lib.sk_net_tap(self._handle, tap, x.shape[0], workspace, _arguments.address(values))
                tapped[name] = values
        return y, tapped

    def _check(self, x: Any, out: Any) -> tuple[FloatArray, FloatArray]:
        x = _arguments.array("x", x, "batch", *self.info.input_shape)
        y = _arguments.output(out, x.shape[0], self.info.classes)
        if np.may_share_memory(x, y):
            raise InvalidArgumentError("out: overlaps x")
        return x, y


def _open_plan(plan: Union[TunedPlan, Path, None]) -> Union[TunedPlan, None]:
    return plan if plan is None or isinstance(plan, TunedPlan) else TunedPlan(plan)


def _make_options(
    batch: int,
    isa: str,
    algorithm: str,
    threads: int,
    taps: Sequence[str],
    plan: Union[TunedPlan, None],
    flush_denormals: bool,
) -> NetOptions:
    """What every network may be asked for; the caller keeps the plan."""
    names = _tap_names(taps)
    return NetOptions(
        isa=_arguments.isa(isa),
        algorithm=_arguments.algorithm(algorithm),
        threads=_arguments.threads(threads),
        batch=_arguments.number("batch", batch, 1),
        taps=names,
        tap_count=len(names),
        plan=plan._handle if plan else None,
        flush_denormals=flush_denormals,
    )


def _tap_names(taps: Sequence[str]) -> Any:
    if isinstance(taps, str):
        raise TypeError(f"taps: {taps!r}, expected a sequence of names")
    return (c_char_p * len(taps))(*(_arguments.name_bytes("taps", name) for name in taps))


def _version(version: str) -> int:
    versions = {"v1.5": CONSTANTS["SK_RESNET_V1_5"], "v1": CONSTANTS["SK_RESNET_V1"]}
    if version not in versions:
        raise InvalidArgumentError(f"version: {version!r}, expected v1.5 or v1")
    return versions[version]


def _tap_shape(net: c_void_p, tap: int) -> tuple[int, int, int]:
    shape = (c_size_t * 3)()
    lib.sk_net_tap_shape(net, tap, shape)
    return shape[0], shape[1], shape[2]


def _info_of(info: NetInfo) -> NetworkInfo:
    return NetworkInfo(
        isa=_arguments.isa_name(info.isa),
        threads=info.threads,
        batch=info.batch,
        input_shape=(info.in_channels, info.in_height, info.in_width),
        classes=info.classes,
        macs=info.macs,
        workspace_bytes=info.workspace_bytes,
        weight_bytes=info.weight_bytes,
        activation_bytes=info.activation_bytes,
        flush_denormals=info.flush_denormals,
    )


def _layer_of(net: c_void_p, index: int) -> Layer:
    info = LayerInfo()
    lib.sk_net_layer(net, index, byref(info))
    return Layer(
        name=text(info.name),
        op=text(info.op),
        algorithm=_arguments.algorithm_name(info.algorithm),
        input_shape=(info.in_channels, info.in_height, info.in_width),
        output_shape=(info.out_channels, info.out_height, info.out_width),
        kernel=(info.kernel_height, info.kernel_width),
        stride=info.stride,
        groups=info.groups,
        macs=info.macs,
        activation_bytes=info.activation_bytes,
        weight_bytes=info.weight_bytes,
        workspace_bytes=info.workspace_bytes,
    )
