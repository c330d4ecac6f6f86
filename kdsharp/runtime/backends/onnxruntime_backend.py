"""Runs networks in onnxruntime, without copying arrays."""

from collections.abc import Callable, Sequence

import numpy as np

from kdsharp.base import optional
from kdsharp.errors import UserError
from kdsharp.runtime.backends import graphs
from kdsharp.runtime.backends.backend import Compute, RunPlane

# Execution providers by device, the fastest first, and their options.
_CPU = "CPUExecutionProvider"
_PROVIDERS: dict[str, dict[str, dict[str, str]]] = {
    "cpu": {_CPU: {}},
    "gpu": {
        "CUDAExecutionProvider": {},
        "MIGraphXExecutionProvider": {},
        "DmlExecutionProvider": {},
        "CoreMLExecutionProvider": {"MLComputeUnits": "CPUAndGPU"},
    },
    "npu": {
        "QNNExecutionProvider": {"backend_type": "htp"},
        "CoreMLExecutionProvider": {"MLComputeUnits": "CPUAndNeuralEngine"},
    },
}


def devices() -> tuple[str, ...]:
    """Lists the devices that this build of onnxruntime supports."""
    return tuple(device for device in _PROVIDERS if _provider(device))


def _provider(device: str) -> str | None:
    (onnxruntime,) = optional.require("onnxruntime", purpose="this backend")
    built = onnxruntime.get_available_providers()
    return next((name for name in _PROVIDERS[device] if name in built), None)


def _session(onnxruntime, graph: bytes, options, device: str):
    """Creates a session on that device; onnxruntime itself falls back to the CPU."""
    provider = _provider(device)
    assert provider is not None
    if provider == "DmlExecutionProvider":
        # It supports neither, see onnxruntime's documentation of DirectML.
        options.enable_mem_pattern = False
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    chain = [(provider, _PROVIDERS[device][provider])]
    if provider != _CPU:
        # For operations that the device does not have.
        chain.append((_CPU, {}))
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=chain)
        started = session.get_providers()
    except (RuntimeError, ValueError) as error:
        if provider == _CPU:
            raise
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"onnxruntime's {provider} does not start: {reason}") from error
    if provider not in started:
        raise UserError(
            f"onnxruntime's {provider} does not start here: check the {device}'s "
            "driver and libraries, or give --device cpu"
        )
    return session


def compile_graph(graph: bytes, compute: Compute) -> RunPlane:
    """Compiles an ONNX graph to `run(array, out=None, *further) -> array`."""
    (onnxruntime,) = optional.require("onnxruntime", purpose="this backend")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = compute.threads
    options.log_severity_level = 3
    session = _session(onnxruntime, graph, options, compute.device or "cpu")
    inputs, (wanted,) = session.get_inputs(), session.get_outputs()

    def compute_into(binding, arrays: Sequence[np.ndarray], out: np.ndarray) -> None:
        given = [np.ascontiguousarray(x) for x in arrays]
        for place, x in zip(inputs, given, strict=True):
            _bind(binding.bind_input, place.name, x)
        _bind(binding.bind_output, wanted.name, out)
        session.run_with_iobinding(binding)

    return graphs.share(
        [session.io_binding() for _ in range(compute.parallel)], compute_into
    )


def _bind(bind: Callable, name: str, array: np.ndarray) -> None:
    bind(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)


BACKEND = graphs.backend(
    "onnxruntime",
    compile_graph,
    needs=("onnxruntime",),
    dtypes=("float32", "int8"),
    devices=devices,
)
