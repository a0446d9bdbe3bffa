"""OpenVINO. Held to AVX2, its convolutions and pools are; its dense layer (by MLAS) and global pool still choose for
themselves, a hundredth of a network's time."""


class Peer:
    held_by = {"avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2"}}

    def __init__(self, threads, cpus):
        import openvino

        self.core, self.version = openvino.Core(), openvino.__version__.split("-")[0]
        self.tensor = openvino.Tensor
        self.settings = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "ENABLE_CPU_PINNING": bool(cpus),
        }

    def load(self, model, x):
        compiled = self.core.compile_model(self.core.read_model(model), "CPU", self.settings)
        self.request = compiled.create_infer_request()
        self.x = x
        self.request.set_input_tensor(self.tensor(x, shared_memory=True))
        # start_async and wait: infer() of the Python class copies its outputs
        self.start, self.wait = self.request.start_async, self.request.wait

    def run(self):
        self.start()
        self.wait()

    def output(self):
        return self.request.get_output_tensor().data
