"""ONNX Runtime. It takes the widest instructions of the machine; nothing holds it back."""


class Peer:
    held_by = {}

    def __init__(self, threads, cpus):
        import onnxruntime

        self.ort, self.version = onnxruntime, onnxruntime.__version__
        self.options = options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        options.add_session_config_entry("session.force_spinning_stop", "1")
        if threads > 1 and cpus:  # the CPUs of the threads beside the caller, counted from 1
            others = ";".join(str(cpu + 1) for cpu in cpus[1:])
            options.add_session_config_entry("session.intra_op_thread_affinities", others)
        self.cpus = cpus

    def load(self, model, x):
        import os

        if self.cpus:
            os.sched_setaffinity(0, self.cpus)
        session = self.ort.InferenceSession(model, self.options, providers=["CPUExecutionProvider"])
        self.binding = session.io_binding()
        self.binding.bind_cpu_input(session.get_inputs()[0].name, x)
        self.binding.bind_output(session.get_outputs()[0].name, "cpu")
        self.session = session
        if self.cpus:
            os.sched_setaffinity(0, self.cpus[:1])

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def output(self):
        return self.binding.copy_outputs_to_cpu()[0]
