"""OpenVINO. Held to AVX2, its convolutions and pools are; its dense layer (by MLAS) and global pool still choose for
themselves."""


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

    def run(self):
        # Not start_async() and wait(), which hand the run to another thread: 40 us more.
        self.request.infer(share_outputs=True)

    def output(self):
        return self.request.get_output_tensor().data
