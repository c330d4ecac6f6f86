"""Runs networks in onnxruntime, without copying arrays."""

import threading
from collections.abc import Callable

import numpy as np

from kdsharp.base import optional
from kdsharp.runtime.backends import graphs
from kdsharp.runtime.backends.backend import Compute, RunPlane


def compile_graph(graph: bytes, compute: Compute) -> RunPlane:
    """Compiles an ONNX graph to `run(array, out=None, gains=None) -> array`."""
    (onnxruntime,) = optional.require("onnxruntime", purpose="this backend")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = compute.threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        graph, options, providers=["CPUExecutionProvider"]
    )
    (given, *further), (wanted,) = session.get_inputs(), session.get_outputs()
    binding = session.io_binding()

    one_at_a_time = threading.Lock()

    def run(
        array: np.ndarray,
        out: np.ndarray | None = None,
        gains: np.ndarray | None = None,
    ) -> np.ndarray:
        array = np.ascontiguousarray(array)
        if out is None:
            out = np.empty_like(array)
        with one_at_a_time:
            _bind(binding.bind_input, given.name, array)
            for more in further:
                _bind(binding.bind_input, more.name, gains)
            _bind(binding.bind_output, wanted.name, out)
            session.run_with_iobinding(binding)
        return out

    return run


def _bind(bind: Callable, name: str, array: np.ndarray) -> None:
    bind(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)


BACKEND = graphs.backend(
    "onnxruntime", compile_graph, needs=("onnxruntime",), dtypes=("float32", "int8")
)
