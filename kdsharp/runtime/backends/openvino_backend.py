"""Runs networks in OpenVINO, without copying arrays."""

import functools
import threading
from typing import TYPE_CHECKING

import numpy as np

from kdsharp.base import optional
from kdsharp.runtime.backends import graphs
from kdsharp.runtime.backends.backend import Compute, RunPlane

if TYPE_CHECKING:
    import openvino

# OpenVINO's names; int8 graphs define their own precision.
_PRECISIONS = {
    "float32": "f32",
    "bfloat16": "bf16",
    "int8": "f32",
}


@functools.cache
def _core() -> "openvino.Core":
    """Returns the core that all networks of this process share.

    With a core per network, memory was corrupted when a core was destroyed: one in
    three processes that restored 24 videos crashed.
    """
    (openvino,) = optional.require("openvino", purpose="this backend")
    return openvino.Core()


def compile_graph(graph: bytes, compute: Compute) -> RunPlane:
    """Compiles an ONNX graph to `run(array, out=None, gains=None) -> array`."""
    (openvino,) = optional.require("openvino", purpose="this backend")
    core = _core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": _PRECISIONS[compute.dtype],
    }
    if compute.threads:
        settings["INFERENCE_NUM_THREADS"] = compute.threads
    compiled = core.compile_model(core.read_model(graph), "CPU", settings)
    request = compiled.create_infer_request()

    one_at_a_time = threading.Lock()

    def run(
        array: np.ndarray,
        out: np.ndarray | None = None,
        gains: np.ndarray | None = None,
    ) -> np.ndarray:
        # OpenVINO refuses read-only arrays, although it only reads them.
        array = np.require(array, requirements=["C", "W"])
        if out is None:
            out = np.empty_like(array)
        with one_at_a_time:
            if gains is None:
                request.set_input_tensor(openvino.Tensor(array, shared_memory=True))
            else:
                request.set_input_tensor(0, openvino.Tensor(array, shared_memory=True))
                request.set_input_tensor(1, openvino.Tensor(gains))
            request.set_output_tensor(openvino.Tensor(out, shared_memory=True))
            request.infer()
        return out

    return run


BACKEND = graphs.backend(
    "openvino",
    compile_graph,
    needs=("openvino",),
    dtypes=("float32", "bfloat16", "int8"),
    rounds_once=True,
)
