"""The file formats of `kdsharp export`."""

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float

from kdsharp.base import atomic_files, choices, optional
from kdsharp.errors import UserError
from kdsharp.export import glsl, loaders, networks
from kdsharp.export.network import TrainedNetwork
from kdsharp.export.quantization import Quantization

INTERFACES = ("float", "uint8")


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """How a file is exported: pixel interface, element type, and int8 calibration.

    `levels` (the range of planes), `strength` and `gains` (of the filters, for networks
    with a context) apply to shaders.
    """

    interface: str = "float"
    dtype: str = "float32"
    quantization: Quantization | None = None
    levels: str = "studio"
    strength: float = 1.0
    gains: Float[np.ndarray, "filters"] | None = None


@dataclasses.dataclass(frozen=True)
class Format:
    """A file format: `write` returns the paths it wrote, `run` loads the first of them.

    `run` is None for formats that no runtime for networks can load.
    """

    suffix: str
    write: Callable[[TrainedNetwork, Path, ExportOptions], list[Path]]
    run: Callable[[Path], tuple[loaders.Run, str]] | None
    needs: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ("float32", "bfloat16", "float16", "int8")


def find(name: str) -> Format:
    """Looks up a format by name and checks that its packages are installed."""
    if name not in FORMATS:
        raise choices.unknown("format", name, FORMATS)
    optional.require(*FORMATS[name].needs, purpose=f"exporting to {name}")
    return FORMATS[name]


def check(network: TrainedNetwork, name: str, dtype: str) -> None:
    """Refuses networks and element types that the format does not support."""
    kind = find(name)
    if "onnx" in kind.needs:
        networks.check(network.family)
    known = kind.dtypes
    if dtype not in known:
        raise UserError(
            f"{name} does not support {dtype}; choose one of: {', '.join(known)}"
        )


def check_writable(out: Path) -> None:
    """Refuses a path that cannot be written to."""
    if out.is_dir():
        raise UserError(f"{out} is a folder: give a file name")
    folder = next(parent for parent in out.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"{out} cannot be written ({error.strerror}): check {folder}"
        ) from error


def _onnx(network: TrainedNetwork, out: Path, options: ExportOptions) -> list[Path]:
    atomic_files.write_bytes(out, _graph(network, options, options.quantization))
    return [out]


def _openvino(network: TrainedNetwork, out: Path, options: ExportOptions) -> list[Path]:
    from kdsharp.export import int8, openvino_core

    (openvino,) = optional.require("openvino", purpose="exporting to openvino")

    quantization = options.quantization and int8.only_inputs(options.quantization)
    model = openvino_core.core().read_model(_graph(network, options, quantization))
    for name, value in network.metadata().items():
        model.set_rt_info(value, ["kdsharp", name])
    weights = out.with_suffix(".bin")
    with (
        atomic_files.atomic_write(weights) as new_weights,
        atomic_files.atomic_write(out) as new_graph,
    ):
        openvino.save_model(model, new_graph, compress_to_fp16=False)
        new_graph.with_suffix(".bin").replace(new_weights)
    return [out, weights]


def _graph(
    network: TrainedNetwork, options: ExportOptions, quantization: Quantization | None
) -> bytes:
    import onnx

    from kdsharp.export import onnx_models

    graph = onnx_models.batch_model(
        network,
        options.interface,
        dtype=options.dtype,
        quantization=quantization,
        state_given=True,
    )
    onnx.checker.check_model(graph, full_check=True)
    return graph.SerializeToString()


def _stablehlo(
    network: TrainedNetwork, out: Path, options: ExportOptions
) -> list[Path]:
    from kdsharp.export import stablehlo

    content = stablehlo.archive(network, options.interface, options.dtype)
    atomic_files.write_bytes(out, content)
    return [out]


def _glsl(network: TrainedNetwork, out: Path, options: ExportOptions) -> list[Path]:
    text = glsl.shader(
        network,
        range_=options.levels,
        strength=options.strength,
        gains=options.gains,
    )
    atomic_files.write_bytes(out, text.encode())
    return [out]


FORMATS: dict[str, Format] = {
    "onnx": Format(".onnx", _onnx, loaders.load_onnx, ("onnx", "onnxruntime")),
    "openvino": Format(
        ".xml", _openvino, loaders.load_openvino, ("onnx", "onnxruntime", "openvino")
    ),
    "stablehlo": Format(
        ".stablehlo",
        _stablehlo,
        loaders.load_stablehlo,
        dtypes=("float32", "bfloat16", "float16"),
    ),
    # Players choose the precision.
    "glsl": Format(".glsl", _glsl, None, dtypes=("float32",)),
}
