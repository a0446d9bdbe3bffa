"""Run torchvision's networks and skiplane's on the same weights and pictures, and compare.

Usage: torch_logits.py SKIPLANE FOLDER MODEL...   (tests/check_torch calls it with a temporary folder)
"""
import json
import os
import struct
import subprocess
import sys

import numpy
import torch
import torchvision
from PIL import Image
from torchvision import transforms
from torchvision.models.feature_extraction import create_feature_extractor

# Of the largest value in the array: the kernels' float32 and torch's differ by rounding only.
TOLERANCE = 1e-4
ALGORITHMS = ["auto", "direct", "winograd4"]
LAYERS = ["conv1", "maxpool", "layer1.0.conv1", "layer2.0.relu", "layer2.0.downsample.1", "layer3", "layer4.0.add",
          "layer1.1.relu_1", "layer4.1.bn1", "layer4.1.bn2", "avgpool", "flatten", "fc"]
PREPARE = transforms.Compose([
    transforms.Resize(256),
    transforms.CenterCrop(224),
    transforms.ToTensor(),
    transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
])


def read_safetensors(path):
    """Return the tensors of a safetensors file of F32, by name."""
    with open(path, "rb") as file:
        length, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32", f"{name}: {entry['dtype']}"
        first, end = entry["data_offsets"]
        values = numpy.frombuffer(data[first:end], dtype="<f4").reshape(entry["shape"])
        tensors[name] = torch.from_numpy(values.copy())
    return tensors


def draw_pictures(folder):
    """Write a few smooth, noisy pictures of different sizes and return their paths, sorted by name."""
    random = numpy.random.default_rng(1)
    paths = []
    for i, (width, height) in enumerate([(224, 224), (300, 260), (257, 401), (640, 480)]):
        coarse = Image.fromarray(random.integers(0, 256, (7, 9, 3), dtype=numpy.uint8))
        smooth = numpy.asarray(coarse.resize((width, height), Image.BICUBIC)).astype(int)
        noisy = numpy.clip(smooth + random.integers(-20, 21, smooth.shape), 0, 255).astype(numpy.uint8)
        paths.append(os.path.join(folder, f"{i}.png"))
        Image.fromarray(noisy).save(paths[-1])
    return paths


class Checks:
    """Counts what passed and failed, and says what failed."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, good, detail=""):
        self.passed += bool(good)
        self.failed += not good
        if not good:
            print(f"FAILED: {name} {detail}")

    def compare(self, name, actual, expected):
        """Compare two arrays within TOLERANCE of the largest expected value."""
        if actual.shape != expected.shape:
            self.check(name, False, f"shape {actual.shape}, expected {expected.shape}")
            return
        scale = numpy.abs(expected).max()
        error = numpy.abs(actual - expected).max() / scale
        good = scale > 0 and error <= TOLERANCE  # false for NaN
        print(f"{name}: relative error {error:.2g}")
        self.check(name, good, f"relative error {error:.3g}, expected at most {TOLERANCE:g}")


def compare_logits(checks, command, model, weights, pictures, expected):
    for algorithm in ALGORITHMS:
        if algorithm.startswith("winograd") and model.startswith("resnext"):
            continue  # its 3x3 convolutions are all grouped
        output = os.path.join(os.path.dirname(weights), "logits.npy")
        subprocess.run([*command, "classify", "--model", model, "--weights", weights, "--algo", algorithm, "--batch",
                        "3", "--logits", output, *pictures], check=True, stdout=subprocess.DEVNULL)
        actual = numpy.load(output)
        name = f"{model}, {algorithm}"
        checks.compare(f"{name}: logits", actual, expected)
        checks.check(f"{name}: labels", (actual.argmax(1) == expected.argmax(1)).all())


def compare_layers(checks, command, model, weights, picture, network, x):
    # torchvision adds the shortcut in place, over the output of the block's last batch norm: bn2 of a basic block.
    is_basic = model in ("resnet18", "resnet34")
    layers = [layer for layer in LAYERS if not (is_basic and layer.endswith("bn2"))]
    folder = os.path.join(os.path.dirname(weights), "layers")
    subprocess.run([*command, "layers", "--model", model, "--weights", weights, "--layer", ",".join(layers), "-o",
                    folder, picture], check=True, stdout=subprocess.DEVNULL)
    expected = create_feature_extractor(network, layers)(x)
    for layer in layers:
        actual = numpy.load(os.path.join(folder, f"{layer}.npy"))
        values = expected[layer].numpy()
        checks.compare(f"{model}: {layer}", actual, values.reshape(values.shape + (1,) * (4 - values.ndim)))


def compare_model(checks, command, folder, model, pictures):
    weights = os.path.join(folder, f"{model}.safetensors")
    subprocess.run([*command, "weights", model, "--seed", "1", "-o", weights], check=True)
    network = getattr(torchvision.models, model)()
    network.load_state_dict(read_safetensors(weights))
    network.eval()
    for module in network.modules():
        if isinstance(module, torch.nn.ReLU):
            module.inplace = False  # or it would overwrite the outputs to compare with
    with torch.no_grad():
        x = torch.stack([PREPARE(Image.open(path).convert("RGB")) for path in pictures])
        compare_logits(checks, command, model, weights, pictures, network(x).numpy())
        compare_layers(checks, command, model, weights, pictures[1], network, x[1:2])


def main():
    command, folder, models = [sys.argv[1]], sys.argv[2], sys.argv[3:]
    checks = Checks()
    pictures = draw_pictures(folder)
    for model in models:
        try:
            compare_model(checks, command, folder, model, pictures)
        except subprocess.CalledProcessError as error:
            checks.check(model, False, str(error))
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed or not checks.passed else 0


sys.exit(main())
