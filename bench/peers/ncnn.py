"""ncnn, after pnnx has converted the ONNX file. Its networks take one image, so a batch is a loop."""
import os
import subprocess
import tempfile


class Peer:
    held_by = {}

    def __init__(self, threads, cpus):
        import ncnn
        import importlib.util

        self.ncnn, self.version, self.threads = ncnn, ncnn.__version__, threads
        # The program in the package: the package itself would import PyTorch.
        self.pnnx = os.path.join(importlib.util.find_spec("pnnx").submodule_search_locations[0], "pnnx")

    def load(self, model, x):
        import numpy

        self.numpy, self.net = numpy, self.ncnn.Net()
        options = self.net.opt
        options.num_threads, options.use_vulkan_compute = self.threads, False
        for kind in ("fp16", "bf16", "int8"):
            for use in ("packed", "storage", "arithmetic"):
                if hasattr(options, f"use_{kind}_{use}"):
                    setattr(options, f"use_{kind}_{use}", False)
        options.use_int8_inference = False
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(os.path.abspath(model), f"{folder}/model.onnx")
            subprocess.run([self.pnnx, "model.onnx", "fp16=0"], cwd=folder, check=True)
            with open(f"{folder}/model.ncnn.param", encoding="utf-8") as text:
                for kind in (line.split()[0] for line in list(text)[2:]):
                    if not self.ncnn.create_layer(kind):
                        raise NotImplementedError(f"its converter makes a {kind}, which it does not have")
            if self.net.load_param(f"{folder}/model.ncnn.param") or self.net.load_model(f"{folder}/model.ncnn.bin"):
                raise NotImplementedError("it cannot load what its converter made of this model")
        self.images = [self.ncnn.Mat(image) for image in x]
        self.x = x

    def run(self):
        self.outputs = []
        for image in self.images:
            extractor = self.net.create_extractor()
            extractor.input("in0", image)
            self.outputs.append(extractor.extract("out0")[1])

    def output(self):
        return self.numpy.stack([self.numpy.array(output) for output in self.outputs])
