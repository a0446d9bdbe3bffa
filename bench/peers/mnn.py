"""MNN, after its own conversion of the ONNX file."""
import os


class Peer:
    held_by = {}

    def __init__(self, threads, cpus):
        import MNN
        import MNN.expr
        import MNN.nn

        self.mnn, self.version = MNN, MNN.version()
        self.settings = {"backend": "CPU", "precision": "high", "numThread": threads}

    def load(self, model, x):
        # The package's own tools report to a server and install packages unasked: only what they call is used here.
        import _tools

        converted = f"{model}.{os.getpid()}.mnn"
        paths = ["--modelFile", model, "--MNNModel", converted]
        _tools.mnnconvert(["mnnconvert", "-f", "ONNX", *paths, "--bizCode", "skiplane"])
        if not os.path.exists(converted):
            raise NotImplementedError("its converter does not take this model")
        runtime = self.mnn.nn.create_runtime_manager((self.settings,))
        self.module = self.mnn.nn.load_module_from_file(converted, [], [], runtime_manager=runtime)
        os.remove(converted)
        self.x = [self.mnn.expr.const(x, x.shape, self.mnn.expr.NCHW)]

    def run(self):
        self.y = self.module.forward(self.x)

    def output(self):
        y = self.y[0]
        if y.data_format == self.mnn.expr.NC4HW4:
            y = self.mnn.expr.convert(y, self.mnn.expr.NCHW)
        return y.read()
