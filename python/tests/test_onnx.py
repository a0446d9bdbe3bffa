"""Networks of ONNX files: against the same ones by their names, and against ONNX Runtime where it is installed."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy
import skiplane
from test_network import MODEL, PICTURES, PROGRAM, SHAPES, TREE, WEIGHTS, tune_to_direct

CORPUS = TREE / "tests" / "fuzz" / "corpus" / "onnx"  # small files that the reader takes
PEERS_PYTHON = os.environ.get("SKIPLANE_PEERS_PYTHON", str(TREE / "peers-venv" / "bin" / "python3"))

ONNX_RUNTIME = """
import sys
import numpy, onnxruntime

options = onnxruntime.SessionOptions()
options.log_severity_level = 3
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
x = numpy.load(sys.argv[2])
numpy.save(sys.argv[3], session.run(None, {session.get_inputs()[0].name: x})[0])
"""


def run_quietly(*arguments):
    subprocess.run([*PROGRAM, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run_peer(program, *arguments):
    """Run a Python program where ONNX Runtime may be installed: without what a sanitized run loads before Python."""
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    return subprocess.run([PEERS_PYTHON, "-I", "-c", program, *map(str, arguments)], check=True, env=environment)


def has_onnx_runtime():
    try:
        run_peer("import importlib.util as u, sys; sys.exit(u.find_spec('onnxruntime') is None)")
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


class Onnx(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        for name in ("block", "head"):
            shutil.copy(CORPUS / name, f"{cls.folder.name}/{name}.onnx")
        try:
            skiplane.Net.from_onnx(cls.path("block.onnx"))
        except skiplane.UnsupportedError as error:
            raise unittest.SkipTest(str(error)) from None
        run_quietly("export", MODEL, "--weights", WEIGHTS, "-o", cls.path(f"{MODEL}.onnx"))
        cls.named = skiplane.Net(MODEL, WEIGHTS, batch=4)
        cls.x = cls.named.prepare(*PICTURES[:4])

    @classmethod
    def path(cls, name):
        return Path(cls.folder.name) / name

    # ---- Against the same network by its name -------------------------------------------------------------------

    def test_is_the_network_of_the_name(self):
        net = skiplane.Net.from_onnx(self.path(f"{MODEL}.onnx"), batch=4)
        self.assertEqual(net.layers, self.named.layers)
        self.assertEqual(net.info, self.named.info)
        self.assertEqual(net.run(self.x).tobytes(), self.named.run(self.x).tobytes())
        self.assertEqual((net.model.name, net.model.classes), (f"{MODEL}.onnx", self.named.model.classes))
        self.assertEqual(net.model.input_shape, self.named.model.input_shape)
        self.assertEqual(net.model.mean, skiplane.find_model("resnet50").mean)

    def test_options(self):
        options = {"batch": 2, "isa": "generic", "algorithm": "direct", "threads": 1, "flush_denormals": True}
        named = skiplane.Net(MODEL, WEIGHTS, **options)
        net = skiplane.Net.from_onnx(self.path(f"{MODEL}.onnx"), **options)
        self.assertEqual(net.info, named.info)
        self.assertEqual((net.info.batch, net.info.isa, net.info.threads), (2, "generic", 1))
        self.assertTrue(net.info.flush_denormals)
        self.assertEqual({layer.algorithm for layer in net.layers}, {"direct"})
        self.assertEqual(net.run(self.x[:2]).tobytes(), named.run(self.x[:2]).tobytes())
        self.assertNotEqual(net.run(self.x[:2]).tobytes(), self.named.run(self.x[:2]).tobytes())

    def test_taps(self):
        names = ["conv1", "layer1.1.bn1", "layer2.0.add", "layer3.2.relu", "avgpool"]
        named = skiplane.Net(MODEL, WEIGHTS, batch=4, taps=names)
        net = skiplane.Net.from_onnx(self.path(f"{MODEL}.onnx"), batch=4, taps=names)
        y, tapped = net.run_with_taps(self.x)
        expected_y, expected = named.run_with_taps(self.x)
        self.assertEqual(y.tobytes(), expected_y.tobytes())
        self.assertEqual(list(tapped), names)
        for name in names:
            with self.subTest(layer=name):
                self.assertEqual(tapped[name].shape, expected[name].shape)
                self.assertEqual(tapped[name].tobytes(), expected[name].tobytes())

    def test_tuned_plans(self):
        file, path = self.path(f"{MODEL}.onnx"), self.path("tuned.plan")
        tune_to_direct(file, path)
        direct = skiplane.Net.from_onnx(file, algorithm="direct").run(self.x[:1])
        self.assertNotEqual(skiplane.Net.from_onnx(file).run(self.x[:1]).tobytes(), direct.tobytes())
        for plan in (path, skiplane.TunedPlan(path)):
            self.assertEqual(skiplane.Net.from_onnx(file, plan=plan).run(self.x[:1]).tobytes(), direct.tobytes())
        with self.assertRaisesRegex(skiplane.FormatError, "tuned.plan"):
            skiplane.Net.from_onnx(self.path("block.onnx"), plan=path)

    # ---- Against the program ------------------------------------------------------------------------------------

    def test_logits_are_the_programs(self):
        file, logits = self.path("head.onnx"), self.path("logits.npy")
        run_quietly("classify", "--model", file, "--logits", logits, PICTURES[0])
        net = skiplane.Net.from_onnx(file)
        self.assertEqual(net.run(net.prepare(PICTURES[0])).tobytes(), numpy.load(logits).tobytes())

    # ---- Against ONNX Runtime -----------------------------------------------------------------------------------

    def test_logits_are_close_to_those_of_onnx_runtime(self):
        if not has_onnx_runtime():
            self.skipTest("no ONNX Runtime here (bench/peers/install)")
        file, inputs, outputs = self.path(f"{MODEL}.onnx"), self.path("x.npy"), self.path("y.npy")
        numpy.save(inputs, self.x)
        run_peer(ONNX_RUNTIME, file, inputs, outputs)
        expected = numpy.load(outputs)
        logits = skiplane.Net.from_onnx(file, batch=4).run(self.x)
        self.assertEqual(logits.shape, expected.shape)
        self.assertLess(abs(logits - expected).max(), 1e-4)

    # ---- Sizes and refusals -------------------------------------------------------------------------------------

    def test_the_batch_is_not_the_files(self):
        file = self.path("batch.onnx")
        run_quietly("export", MODEL, "--weights", WEIGHTS, "--size", "48x40", "--batch", "2", "-o", file)
        net = skiplane.Net.from_onnx(file, batch=3, channels=3, height=48)
        self.assertEqual((net.info.batch, net.info.input_shape), (3, (3, 48, 40)))
        self.assertEqual(net.run(net.prepare(*PICTURES[:3])).shape, (3, 10))

    def test_refusals(self):
        def refuses(error, message, path, **more):
            with self.assertRaisesRegex(error, message):
                skiplane.Net.from_onnx(path, **more)

        invalid, block = skiplane.InvalidArgumentError, self.path("block.onnx")
        refuses(invalid, "channels of 4 is asked for, but the file's is 3", block, channels=4)
        refuses(invalid, "height of 9 is asked for, but the file's is 8", block, height=9)
        refuses(invalid, "width of 7 is asked for, but the file's is 8", block, width=7)
        refuses(invalid, "^width: -1", block, width=-1)
        refuses(invalid, "^batch: 0, expected 1 to", block, batch=0)
        refuses(invalid, 'layer "nothing": not in block.onnx', block, taps=["nothing"])
        refuses(TypeError, "^taps: 'bn', expected a sequence", block, taps="bn")
        refuses(skiplane.FileError, "no-such.plan", block, plan="no-such.plan")
        refuses(skiplane.FileError, "none.onnx", self.path("none.onnx"))
        refuses(skiplane.FormatError, "README.md", SHAPES / "README.md")


if __name__ == "__main__":
    unittest.main()
