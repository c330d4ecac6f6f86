"""Runs ONNX graphs by OpenVINO, on arrays that both sides share."""

import threading
from collections.abc import Callable

import numpy as np

from kdsharp.base import optional

Run = Callable[..., np.ndarray]

# What OpenVINO is asked for; int8 graphs carry their own precision.
_PRECISIONS = {
    "float32": "f32",
    "bfloat16": "bf16",
    "int8": "f32",
}


def compile_graph(graph: bytes, *, dtype: str = "float32", threads: int = 0) -> Run:
    """Returns `run(array, out=None, gains=None) -> array`.

    The graph has one output, and a second input if gains are given.
    """
    (openvino,) = optional.require("openvino", purpose="this backend")
    core = openvino.Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": _PRECISIONS[dtype],
    }
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    compiled = core.compile_model(core.read_model(graph), "CPU", settings)
    request = compiled.create_infer_request()

    one_at_a_time = threading.Lock()

    def run(
        array: np.ndarray,
        out: np.ndarray | None = None,
        gains: np.ndarray | None = None,
    ) -> np.ndarray:
        # OpenVINO takes no array that may not be written, though it only reads.
        array = np.require(array, requirements=["C", "W"])
        if out is None:
            # Of these graphs what comes out is as large as what goes in.
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
