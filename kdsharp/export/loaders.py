"""Loads exported files in their runtimes, to check their output."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from kdsharp.base import optional
from kdsharp.export import openvino_core

Run = Callable[[np.ndarray], np.ndarray]


def load_onnx(path: Path) -> tuple[Run, str]:
    """Loads an ONNX file; returns (function, runtime name)."""
    (onnxruntime,) = optional.require("onnxruntime", purpose="running an ONNX file")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]

    def run(pixels: np.ndarray) -> np.ndarray:
        given = dict(zip(names, _first_frame(pixels), strict=False))
        return session.run(None, given)[0]

    return run, f"onnxruntime {onnxruntime.__version__}"


def load_openvino(path: Path) -> tuple[Run, str]:
    """Loads an OpenVINO or ONNX file; returns (function, runtime name)."""
    (openvino,) = optional.require("openvino", purpose="running an OpenVINO file")
    # By default it computes in bfloat16 where the processor supports it.
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino_core.core().compile_model(path, "CPU", settings)
    version = openvino.__version__.split("-")[0]
    count = len(compiled.inputs)
    return (
        lambda pixels: compiled(_first_frame(pixels)[:count])[0],
        f"OpenVINO {version}",
    )


def _first_frame(pixels: np.ndarray) -> list[np.ndarray]:
    """The inputs of a network with memory for the first frame of a scene."""
    return [pixels, pixels, np.zeros(1, np.float32)]


def load_stablehlo(path: Path) -> tuple[Run, str]:
    """Loads a StableHLO archive; returns (function, runtime name)."""
    import jax

    from kdsharp.export import stablehlo

    call = stablehlo.load(path)
    return lambda pixels: np.asarray(call(pixels)), f"JAX {jax.__version__}"
