"""Networks, against the program and against NumPy on the same weights: the trained ones of the tree."""

import json
import os
import shlex
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

import naive
import numpy
import skiplane
from test_convolution import run_threads

TREE = Path(__file__).parents[2]
SHAPES = TREE / "resnet" / "shapes"
WEIGHTS = SHAPES / "shapes-resnet20.safetensors"
PICTURES = sorted((SHAPES / "pictures").glob("*.png"))
MODEL = "resnet20-cifar"
PROGRAM = shlex.split(os.environ.get("SKIPLANE", str(TREE / "build" / "skiplane")))


def run_program(command, *arguments):
    arguments = [command, "--model", MODEL, "--weights", str(WEIGHTS), *map(str, arguments)]
    subprocess.run([*PROGRAM, *arguments], check=True, stdout=subprocess.DEVNULL)


def tune_to_direct(model, path):
    """Write a plan as `skiplane tune` does, but with every convolution direct, whatever this machine is faster with."""
    arguments = ["tune", model, "-t", "1", "--runs", "1", "--candidates", "direct", "-o", path]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*PROGRAM, *map(str, arguments)], check=True, **quiet)
    plan = json.loads(Path(path).read_text())
    for layer in plan["layers"]:
        layer["algorithm"] = "direct"
    Path(path).write_text(json.dumps(plan))


def read_weights():
    """The tensors of the weight file by name, as float64."""
    data = WEIGHTS.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        first, end = entry["data_offsets"]
        kind = {"F16": "<f2", "F32": "<f4"}.get(entry["dtype"])
        if kind:
            values = numpy.frombuffer(data[8 + length + first : 8 + length + end], kind)
            tensors[name] = values.astype(numpy.float64).reshape(entry["shape"])
    return tensors


class Network(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.net = skiplane.Net(MODEL, WEIGHTS, batch=4)
        cls.x = cls.net.prepare(*PICTURES[:4])

    def assert_close(self, actual, expected):
        self.assertEqual(actual.shape, expected.shape)
        error = abs(actual - expected).max() / abs(expected).max()
        self.assertLess(error, 1e-4)

    # ---- Against the program ------------------------------------------------------------------------------------

    def test_logits_are_the_programs(self):
        with tempfile.TemporaryDirectory() as folder:
            # Algorithms are chosen by the batch, too.
            run_program("classify", "--batch", len(PICTURES), "--logits", f"{folder}/logits.npy", *PICTURES)
            expected = numpy.load(f"{folder}/logits.npy")
        net = skiplane.Net(MODEL, WEIGHTS, batch=len(PICTURES))
        logits = net.run(net.prepare(*PICTURES))
        self.assertEqual(logits.dtype, numpy.float32)
        self.assertEqual(logits.shape, expected.shape)
        self.assertEqual(logits.tobytes(), expected.tobytes())

    def test_taps_are_the_programs(self):
        names = ["conv1", "layer1.1.bn1", "layer2.0.add", "layer3.2.relu", "layer3", "avgpool", "linear"]
        net = skiplane.Net(MODEL, WEIGHTS, taps=names)
        names[-1] = net.taps[-1]
        _, tapped = net.run_with_taps(self.x[:1])
        self.assertEqual(list(tapped), names)
        with tempfile.TemporaryDirectory() as folder:
            run_program("layers", "--layer", ",".join(names), "-o", folder, PICTURES[0])
            for name in names:
                with self.subTest(layer=name):
                    expected = numpy.load(f"{folder}/{name}.npy")
                    self.assertEqual(tapped[name].shape, expected.shape)
                    self.assertEqual(tapped[name].tobytes(), expected.tobytes())

    # ---- Against NumPy ------------------------------------------------------------------------------------------

    def test_first_and_last_layers(self):
        weights = read_weights()
        net = skiplane.Net(MODEL, WEIGHTS, batch=4, taps=["conv1", "bn1", "relu", "layer3", "avgpool"])
        logits, tapped = net.run_with_taps(self.x)
        conv1 = naive.conv2d(self.x, weights["conv1.weight"], sides=(1, 1, 1, 1))
        statistics = (weights[f"bn1.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        bn1 = naive.batch_norm(conv1, *statistics)
        self.assert_close(tapped["conv1"], conv1)
        self.assert_close(tapped["bn1"], bn1)
        self.assert_close(tapped["relu"], naive.relu(bn1))
        features = tapped["layer3"].astype(numpy.float64).mean(axis=(2, 3))
        self.assert_close(tapped["avgpool"][:, :, 0, 0], features)
        self.assert_close(logits, features @ weights["linear.weight"].T + weights["linear.bias"])

    def test_fused_or_not_the_logits_are_close(self):
        _, tapped = skiplane.Net(MODEL, WEIGHTS, taps=["layer1.0.conv1", "layer2.1.bn2", "layer3.0.add"]).run_with_taps(
            self.x[:1]
        )
        self.assertEqual(len(tapped), 3)
        unfused = skiplane.Net(MODEL, WEIGHTS, batch=4, taps=["layer1.0.conv1", "layer3.0.add"])
        self.assertGreater(len(unfused.layers), len(self.net.layers))
        self.assert_close(unfused.run(self.x), self.net.run(self.x))

    def test_softmax(self):
        probabilities = skiplane.Net(MODEL, WEIGHTS, batch=4, softmax=True).run(self.x)
        self.assertTrue(numpy.allclose(probabilities, naive.softmax(self.net.run(self.x)), atol=1e-6))

    # ---- Options and descriptions -------------------------------------------------------------------------------

    def test_bits_hang_on_no_isa_thread_or_batch(self):
        expected = self.net.run(self.x).tobytes()
        for isa in skiplane.isas():
            for threads in (1, 3):
                net = skiplane.Net(MODEL, WEIGHTS, batch=4, isa=isa, threads=threads)
                self.assertEqual((net.info.isa, net.info.threads), (isa, threads))
                self.assertEqual(net.run(self.x).tobytes(), expected)
        one_by_one = b"".join(self.net.run(self.x[i : i + 1]).tobytes() for i in range(4))
        self.assertEqual(one_by_one, expected)

    def test_describes_itself(self):
        info, layers = self.net.info, self.net.layers
        self.assertEqual((info.batch, info.input_shape, info.classes), (4, (3, 32, 32), 10))
        self.assertEqual(self.net.model.name, MODEL)
        self.assertEqual(sum(layer.macs for layer in layers), info.macs)
        self.assertEqual(layers[0].name, "conv1")
        self.assertEqual((layers[0].op, layers[0].kernel, layers[0].output_shape), ("conv+relu", (3, 3), (16, 32, 32)))
        self.assertIn("conv+add+relu", {layer.op for layer in layers})
        self.assertEqual(layers[-1].output_shape, (10, 1, 1))
        for layer in layers:
            self.assertNotIn(layer.algorithm, ("auto", "unknown"))

    def test_algorithms(self):
        direct = skiplane.Net(MODEL, WEIGHTS, batch=4, algorithm="direct")
        self.assertEqual({layer.algorithm for layer in direct.layers}, {"direct"})
        winograd = skiplane.Net(MODEL, WEIGHTS, batch=4, algorithm="winograd2")
        self.assertIn("winograd2", {layer.algorithm for layer in winograd.layers})
        self.assertNotEqual(direct.run(self.x).tobytes(), winograd.run(self.x).tobytes())
        self.assert_close(direct.run(self.x), winograd.run(self.x))

    def test_sizes_and_random_weights(self):
        weights = skiplane.Weights.random("resnet18", classes=7, seed=3)
        self.assertEqual(weights.nonfinite, 0)
        net = skiplane.Net("resnet18", weights, height=48, width=64)
        del weights
        self.assertEqual(net.info.input_shape, (3, 48, 64))
        y = net.run(numpy.ones((1, 3, 48, 64), numpy.float32))
        self.assertEqual(y.shape, (1, 7))
        self.assertTrue(numpy.isfinite(y).all())
        self.assertEqual(net.prepare(PICTURES[0]).shape, (1, 3, 48, 64))

    def test_weights_are_saved(self):
        drawn = skiplane.Weights.random(MODEL, seed=5)
        with tempfile.TemporaryDirectory() as folder:
            drawn.save(Path(folder) / "drawn.safetensors")
            opened = skiplane.Net(MODEL, f"{folder}/drawn.safetensors")
        self.assertEqual(opened.run(self.x[:1]).tobytes(), skiplane.Net(MODEL, drawn).run(self.x[:1]).tobytes())

    def test_tuned_plans(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/tuned.plan"
            tune_to_direct(MODEL, path)
            run_program("classify", "--plan", path, "--logits", f"{folder}/logits.npy", PICTURES[0])
            expected = numpy.load(f"{folder}/logits.npy")
            self.assertNotEqual(skiplane.Net(MODEL, WEIGHTS).run(self.x[:1]).tobytes(), expected.tobytes())
            plan = skiplane.TunedPlan(path)
            self.assertEqual((plan.info.model, plan.info.input_size, plan.info.threads), (MODEL, (32, 32), 1))
            self.assertIn(plan.info.isa, skiplane.isas())
            for given in (path, plan):
                self.assertEqual(skiplane.Net(MODEL, WEIGHTS, plan=given).run(self.x[:1]).tobytes(), expected.tobytes())
            with self.assertRaises(skiplane.FormatError):
                skiplane.Net("resnet32-cifar", skiplane.Weights.random("resnet32-cifar"), plan=plan)

    def test_models(self):
        models = {model.name: model for model in skiplane.models()}
        self.assertEqual(models["resnet50"].input_shape, (3, 224, 224))
        self.assertEqual(models["resnet50"], skiplane.find_model("resnet50"))
        self.assertAlmostEqual(models["resnet50"].mean[0], 0.485, places=6)

    # ---- Images -------------------------------------------------------------------------------------------------

    def test_images(self):
        image = skiplane.read_image(PICTURES[0])
        self.assertEqual((image.shape, image.dtype), ((32, 32, 3), numpy.uint8))
        model = self.net.model
        mean, deviation = numpy.array(model.mean), numpy.array(model.standard_deviation)
        expected = ((image / 255 - mean) / deviation).transpose(2, 0, 1)
        self.assertTrue(numpy.allclose(self.net.prepare(image)[0], expected, atol=1e-5))
        self.assertEqual(self.net.prepare(image).tobytes(), self.net.prepare(PICTURES[0]).tobytes())
        self.assertEqual(self.net.prepare(image[::-1])[0].tobytes(), self.net.prepare(image)[0, :, ::-1].tobytes())
        self.assertEqual(skiplane.resize_image(image, 32, 32).tobytes(), image.tobytes())
        flat = numpy.full((9, 7, 3), 77, numpy.uint8)
        self.assertTrue((skiplane.resize_image(flat, 20, 5) == numpy.full((20, 5, 3), 77)).all())

    # ---- Refusals -----------------------------------------------------------------------------------------------

    def test_refusals(self):
        def refuses(error, message, *arguments, **more):
            with self.assertRaisesRegex(error, message):
                skiplane.Net(*arguments, **more)

        invalid = skiplane.InvalidArgumentError
        refuses(invalid, 'model "resnet21": unknown', "resnet21", WEIGHTS)
        refuses(skiplane.FileError, "no-such-file", MODEL, "no-such-file")
        refuses(skiplane.FormatError, "README", MODEL, SHAPES / "README.md")
        refuses(skiplane.FormatError, "resnet18", "resnet18", WEIGHTS)
        refuses(invalid, 'layer "conv7": not in resnet20-cifar', MODEL, WEIGHTS, taps=["conv1", "conv7"])
        refuses(TypeError, "^taps: 'conv1', expected a sequence", MODEL, WEIGHTS, taps="conv1")
        refuses(invalid, "^version: 'v2'", MODEL, WEIGHTS, version="v2")
        refuses(invalid, "^batch: 0, expected 1 to", MODEL, WEIGHTS, batch=0)
        refuses(invalid, "^height: -1", MODEL, WEIGHTS, height=-1)
        refuses(invalid, "threads", MODEL, WEIGHTS, threads=100000)
        refuses(skiplane.UnsupportedError, "", MODEL, WEIGHTS, isa=missing_isa())
        refuses(skiplane.FileError, "no-such.plan", MODEL, WEIGHTS, plan="no-such.plan")
        refuses(invalid, "has a NUL", MODEL, "a\0b")

        zeros = numpy.zeros((5, 3, 32, 32), numpy.float32)
        for x, message in (
            (zeros, "batch"),
            (zeros[0], r"^x: shape \(3, 32, 32\), expected \(batch, 3, 32, 32\)"),
            (zeros[:1, :, :31], "^x: shape"),
            (zeros[:0], "batch"),
        ):
            with self.assertRaisesRegex(invalid, message):
                self.net.run(x)
        with self.assertRaisesRegex(invalid, "^out: shape"):
            self.net.run(zeros[:1], out=numpy.empty((1, 9), numpy.float32))
        with self.assertRaisesRegex(skiplane.FileError, "no-such.png"):
            skiplane.read_image("no-such.png")
        with self.assertRaisesRegex(skiplane.FormatError, "README.md"):
            skiplane.read_image(SHAPES / "README.md")
        with self.assertRaisesRegex(TypeError, "^image: float64"):
            self.net.prepare(numpy.zeros((32, 32, 3)))
        with self.assertRaisesRegex(invalid, r"^image: shape \(32, 32\)"):
            self.net.prepare(numpy.zeros((32, 32), numpy.uint8))

    # ---- Threads ------------------------------------------------------------------------------------------------

    def test_threads_share_a_net(self):
        net = skiplane.Net(MODEL, WEIGHTS, threads=1, taps=["layer2", "avgpool"])
        expected = [net.run_with_taps(x[None]) for x in self.x]
        wrong = []

        def work(mine):
            logits, tapped = expected[mine]
            for _ in range(20):
                y, taps = net.run_with_taps(self.x[mine : mine + 1])
                same = y.tobytes() == logits.tobytes()
                if not same or any(taps[name].tobytes() != tapped[name].tobytes() for name in tapped):
                    wrong.append(mine)

        run_threads(work, 4)
        self.assertEqual(wrong, [])


def missing_isa():
    """An ISA that this build or this machine lacks: no library has all."""
    return next(isa for isa in ("neon", "avx512") if isa not in skiplane.isas())


if __name__ == "__main__":
    unittest.main()
