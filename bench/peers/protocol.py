"""One peer of `skiplane compare`, in a process of its own: python3 -I -B protocol.py NAME

Reads requests from standard input and answers them on standard output, JSON in lines; process.c describes them. The
adapter NAME.py beside this file has a class Peer:

    held_by                       environment that holds the library to an instruction set: {"avx2": {NAME: VALUE}}
    __init__(threads, cpus)       imports the library and sets `version`; cpus: a list, empty when not pinned
    load(model, x)                prepares an ONNX file for an input array
    run()                         computes once: all that is timed
    output()                      returns the last run's output, an array

What an adapter cannot do it tells by NotImplementedError.
"""
import ctypes
import gc
import importlib.util
import json
import os
import signal
import sys
import time
import traceback

REST = 0.5  # seconds in which threads that look for more work give up, at most
POLL = 0.001


def take_over_stdio():
    """Keep the channel for ourselves: what libraries print belongs to stderr."""
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return requests, answers


def die_with_parent():
    """Also in the midst of a run, where nobody looks whether the input has ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def read_adapter(name):
    # Not through sys.path: an adapter may have the name of the package that it imports.
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".py")
    spec = importlib.util.spec_from_file_location("skiplane_peer_" + name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Peer


def hold_to(isa, adapter):
    if isa == "auto" or isa in ("avx512", "neon"):  # the widest of its machine: nothing to hold back
        return
    if isa not in adapter.held_by:
        raise NotImplementedError(f"cannot be held to {isa}")
    os.environ.update(adapter.held_by[isa])


def runs(thread):
    try:
        with open(f"/proc/self/task/{thread}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] == "R"
    except FileNotFoundError:  # it has ended
        return False


def rest():
    """Wait until every other thread sleeps, so that it does not disturb what runs next; bench/rest.c does the same."""
    if not os.path.isdir("/proc/self/task"):
        time.sleep(0.02)
        return
    end = time.monotonic() + REST
    while sum(map(runs, os.listdir("/proc/self/task"))) > 1 and time.monotonic() < end:  # one is this thread
        time.sleep(POLL)


class Session:
    def __init__(self, name):
        self.name = name

    def start(self, threads, cpus, isa):
        # All of this before the library is imported, which may make its threads then.
        if cpus:
            os.sched_setaffinity(0, cpus)
        os.environ["OMP_NUM_THREADS"] = str(threads)
        adapter = read_adapter(self.name)
        hold_to(isa, adapter)
        self.peer = adapter(threads, cpus)
        return {"version": str(self.peer.version)}

    def load(self, task, model, input):
        import numpy

        print(f"loading {task}", file=sys.stderr, flush=True)
        self.peer.load(model, numpy.load(input))
        gc.collect()
        gc.freeze()
        return {}

    def run(self, runs):
        run, clock, seconds = self.peer.run, time.perf_counter_ns, []
        gc.disable()
        for _ in range(runs):
            begin = clock()
            run()
            seconds.append((clock() - begin) * 1e-9)
        gc.enable()
        rest()
        return {"seconds": seconds}

    def output(self, path):
        import numpy

        numpy.save(path, numpy.ascontiguousarray(self.peer.output(), dtype="<f4"))
        return {}


def explain(error):
    """Tell an exception in one line."""
    text = " ".join(str(error).split())
    if isinstance(error, NotImplementedError):
        return {"error": text or "not implemented", "unsupported": True}
    if isinstance(error, ModuleNotFoundError):
        return {"error": text, "missing": True}
    return {"error": f"{type(error).__name__}: {text}" if text else type(error).__name__}


def answer(session, line):
    try:
        request = json.loads(line)
        return getattr(session, request.pop("command"))(**request)
    except Exception as error:
        traceback.print_exc()
        return explain(error)


def main():
    requests, answers = take_over_stdio()
    die_with_parent()
    session = Session(sys.argv[1])
    for line in requests:
        print(json.dumps(answer(session, line)), file=answers, flush=True)
    os._exit(0)  # without the libraries' farewells, which may hang


main()
