"""Runs networks in OpenVINO, without copying arrays."""

from collections.abc import Sequence

import numpy as np

from kdsharp.base import cores, optional
from kdsharp.errors import UserError
from kdsharp.export import openvino_core
from kdsharp.runtime.backends import graphs
from kdsharp.runtime.backends.backend import Compute, RunPlane

# OpenVINO's names; int8 graphs define their own precision.
_PRECISIONS = {
    "float32": "f32",
    "bfloat16": "bf16",
    "int8": "f32",
}


def devices() -> tuple[str, ...]:
    """Lists the devices for which OpenVINO finds a driver."""
    # A second GPU is GPU.1.
    found = {
        name.partition(".")[0].lower()
        for name in openvino_core.core().available_devices
    }
    return tuple(name for name in ("cpu", "gpu", "npu") if name in found)


def quick_dtype() -> str:
    """Names bfloat16 if the processor has instructions for it, otherwise float32."""
    able = openvino_core.core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "bfloat16" if "BF16" in able else "float32"


def _settings(compute: Compute) -> dict[str, object]:
    settings: dict[str, object] = {"PERFORMANCE_HINT": "LATENCY"}
    if compute.device == "npu":
        # It has no other.
        return settings | {"INFERENCE_PRECISION_HINT": "f16"}
    settings["INFERENCE_PRECISION_HINT"] = _PRECISIONS[compute.dtype]
    if compute.device == "gpu":
        if compute.dtype == "bfloat16":
            raise UserError(
                "OpenVINO's GPU does not compute in bfloat16: give --dtype float32 or "
                "int8"
            )
        return settings
    settings["NUM_STREAMS"] = min(compute.parallel, compute.threads or cores.count())
    if compute.threads:
        settings["INFERENCE_NUM_THREADS"] = compute.threads
    return settings


def compile_graph(graph: bytes, compute: Compute) -> RunPlane:
    """Compiles an ONNX graph to `run(array, out=None, *further) -> array`."""
    (openvino,) = optional.require("openvino", purpose="this backend")
    core = openvino_core.core()
    model = core.read_model(graph)
    device = (compute.device or "cpu").upper()
    settings = _settings(compute)
    if device == "NPU" and model.is_dynamic():
        raise UserError(
            "OpenVINO's NPU runs networks at one size only: use it for video, or give "
            "another device for pictures"
        )
    try:
        compiled = core.compile_model(model, device, settings)
    except RuntimeError as error:
        if device == "CPU":
            raise
        reason = str(error).strip().splitlines()[-1]
        raise UserError(f"OpenVINO's {device} refuses the network: {reason}") from error

    def compute_into(request, arrays: Sequence[np.ndarray], out: np.ndarray) -> None:
        # OpenVINO refuses read-only arrays, although it only reads them.
        given = [np.require(x, requirements=["C", "W"]) for x in arrays]
        for number, x in enumerate(given):
            tensor = openvino.Tensor(x, shared_memory=True)
            request.set_input_tensor(number, tensor)
        request.set_output_tensor(openvino.Tensor(out, shared_memory=True))
        request.infer()

    return graphs.share(
        [compiled.create_infer_request() for _ in range(compute.parallel)],
        compute_into,
    )


BACKEND = graphs.backend(
    "openvino",
    compile_graph,
    needs=("openvino",),
    dtypes=("float32", "bfloat16", "int8"),
    rounds_once=True,
    devices=devices,
    quick_dtype=quick_dtype,
)
