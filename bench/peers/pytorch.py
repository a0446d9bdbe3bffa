"""PyTorch: the ONNX file as modules, frozen and optimised for inference, which folds batch norms and takes oneDNN."""


def read_modules(graph, onnx, torch):
    """Make (callable, input names, output name) of each node."""
    constants = {t.name: torch.tensor(onnx.numpy_helper.to_array(t)) for t in graph.initializer}

    def padded(pads, value, pool):
        top, left, bottom, right = pads
        if (top, left) == (bottom, right):
            return (top, left), torch.nn.Identity()
        return (0, 0), torch.nn.ConstantPad2d((left, right, top, bottom), value)

    def window(a, value, make):
        symmetric, pad = padded(a["pads"], value, make)
        return torch.nn.Sequential(pad, make(symmetric))

    def conv(a, weight, bias=None):
        def make(padding):
            module = torch.nn.Conv2d(
                weight.shape[1] * a["group"], weight.shape[0], a["kernel_shape"], a["strides"], padding, a["dilations"],
                a["group"], bias is not None)  # fmt: skip
            module.load_state_dict({"weight": weight} if bias is None else {"weight": weight, "bias": bias})
            return module

        return window(a, 0.0, make)

    def norm(a, gamma, beta, mean, variance):
        module = torch.nn.BatchNorm2d(len(gamma), a["epsilon"])
        state = {"weight": gamma, "bias": beta, "running_mean": mean, "running_var": variance}
        module.load_state_dict(state, strict=False)
        return module

    def max_pool(a):
        dilations = a.get("dilations", [1, 1])
        return window(a, -float("inf"), lambda p: torch.nn.MaxPool2d(a["kernel_shape"], a["strides"], p, dilations))

    def average_pool(a):
        top, left, bottom, right = a["pads"]
        counts = bool(a.get("count_include_pad", 0))
        if (top, left) != (bottom, right) and not counts:
            raise NotImplementedError("an average over pads that differ from side to side")
        ceil = bool(a.get("ceil_mode", 0))
        return window(a, 0.0, lambda p: torch.nn.AvgPool2d(a["kernel_shape"], a["strides"], p, ceil, counts))

    def gemm(a, weight, bias=None):
        module = torch.nn.Linear(weight.shape[1], weight.shape[0], bias is not None)
        module.load_state_dict({"weight": weight} if bias is None else {"weight": weight, "bias": bias})
        return module

    def subsample(a, starts, ends, axes, steps):
        rows, columns = steps.tolist()
        return lambda x: x[:, :, ::rows, ::columns]

    def zeros(a, pads):
        before, after = pads.tolist()[1], pads.tolist()[5]
        return lambda x: torch.nn.functional.pad(x, (0, 0, 0, 0, before, after))

    make = {
        "Conv": conv, "BatchNormalization": norm, "MaxPool": max_pool, "AveragePool": average_pool, "Gemm": gemm,
        "Slice": subsample, "Pad": zeros, "Relu": lambda a: torch.nn.ReLU(),
        "GlobalAveragePool": lambda a: torch.nn.AdaptiveAvgPool2d(1), "Flatten": lambda a: torch.nn.Flatten(),
        "Softmax": lambda a: torch.nn.Softmax(a["axis"]), "Identity": lambda a: torch.nn.Identity(),
        "Add": lambda a: torch.add, "Unsqueeze": lambda a, axes: lambda x: x[:, :, None, None],
    }  # fmt: skip
    for node in graph.node:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        parameters = [constants[name] for name in node.input if name in constants]
        yield make[node.op_type](attributes, *parameters), [n for n in node.input if n not in constants], node.output[0]


class Peer:
    held_by = {"avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}}

    def __init__(self, threads, cpus):
        import torch

        self.torch, self.version = torch, torch.__version__
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        torch.set_float32_matmul_precision("highest")

    def load(self, model, x):
        import onnx

        torch, graph = self.torch, onnx.load(model).graph

        class Network(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.steps = list(read_modules(graph, onnx, torch))
                self.parts = torch.nn.ModuleList(s[0] for s in self.steps if isinstance(s[0], torch.nn.Module))

            def forward(self, x):
                values = {graph.input[0].name: x}
                for function, inputs, output in self.steps:
                    values[output] = function(*(values[name] for name in inputs))
                return values[graph.output[0].name]

        self.x = torch.from_numpy(x)
        with torch.inference_mode(False), torch.no_grad():
            traced = torch.jit.trace(Network().eval(), self.x, check_trace=False)
            self.network = torch.jit.optimize_for_inference(torch.jit.freeze(traced))

    def run(self):
        with self.torch.inference_mode():
            self.y = self.network(self.x)

    def output(self):
        return self.y.numpy()
