"""Runs exported files where they belong, to see what they give."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from kdsharp.base import optional
from kdsharp.export import onnx_models

Run = Callable[[np.ndarray], np.ndarray]


def of_onnx(path: Path) -> tuple[Run, str]:
    """Returns what runs an ONNX file, and its name."""
    (onnxruntime,) = optional.require("onnxruntime", purpose="running an ONNX file")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return (
        lambda pixels: session.run(None, {onnx_models.INPUT: pixels})[0],
        f"onnxruntime {onnxruntime.__version__}",
    )


def of_openvino(path: Path) -> tuple[Run, str]:
    """Returns what runs an OpenVINO or ONNX file, and its name."""
    (openvino,) = optional.require("openvino", purpose="running an OpenVINO file")
    # Of itself it would compute in bfloat16 where the processor can.
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(path, "CPU", settings)
    version = openvino.__version__.split("-")[0]
    return lambda pixels: compiled([pixels])[0], f"OpenVINO {version}"


def of_stablehlo(path: Path) -> tuple[Run, str]:
    """Returns what runs a StableHLO archive, and its name."""
    import jax

    from kdsharp.export import stablehlo

    call = stablehlo.load(path)
    return lambda pixels: np.asarray(call(pixels)), f"JAX {jax.__version__}"
