"""Writes a network as a file for another runtime."""

import dataclasses
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from kdsharp.base import atomic_files, choices, optional
from kdsharp.errors import UserError
from kdsharp.export import glsl, networks, runs
from kdsharp.export.network import TrainedNetwork

INTERFACES = ("float", "uint8")


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """What a file shall be: its pixels, what it computes in, and 8 bits' ranges.

    A shader also has to know the range of its planes, and at which strength it works.
    """

    interface: str = "float"
    dtype: str = "float32"
    ranges: Mapping | None = None
    levels: str = "studio"
    strength: float = 1.0


@dataclasses.dataclass(frozen=True)
class Format:
    """A kind of file: `write` returns the paths it wrote, `run` runs the first.

    What no runtime of networks runs has no `run`.
    """

    suffix: str
    write: Callable[[TrainedNetwork, Path, ExportOptions], list[Path]]
    run: Callable[[Path], tuple[runs.Run, str]] | None
    needs: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ("float32", "bfloat16", "float16", "int8")


def find(name: str) -> Format:
    """Returns the format of that name, ready to be written."""
    if name not in FORMATS:
        raise choices.unknown("format", name, FORMATS)
    optional.require(*FORMATS[name].needs, purpose=f"exporting to {name}")
    return FORMATS[name]


def check(network: TrainedNetwork, name: str, dtype: str) -> None:
    """Refuses what cannot be written in that format."""
    kind = find(name)
    if "onnx" in kind.needs:
        networks.check(network.family)
    known = kind.dtypes
    if dtype not in known:
        raise UserError(f"{name} is not written in {dtype}; give {', '.join(known)}")


def check_out(out: Path) -> None:
    """Refuses a name that nothing can be written to."""
    if out.is_dir():
        raise UserError(f"{out} is a folder: give the name of a file in it")
    folder = next(parent for parent in out.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"{out} cannot be written ({error.strerror}): check {folder}"
        ) from error


def _onnx(network: TrainedNetwork, out: Path, options: ExportOptions) -> list[Path]:
    atomic_files.write_bytes(out, _graph(network, options, options.ranges))
    return [out]


def _openvino(network: TrainedNetwork, out: Path, options: ExportOptions) -> list[Path]:
    from kdsharp.export import int8

    (openvino,) = optional.require("openvino", purpose="exporting to openvino")

    ranges = options.ranges and int8.of_inputs(options.ranges)
    model = openvino.Core().read_model(_graph(network, options, ranges))
    for name, value in network.metadata().items():
        model.set_rt_info(value, ["kdsharp", name])
    numbers = out.with_suffix(".bin")
    with (
        atomic_files.atomic_write(numbers) as its_numbers,
        atomic_files.atomic_write(out) as its_graph,
    ):
        openvino.save_model(model, its_graph, compress_to_fp16=False)
        its_graph.with_suffix(".bin").replace(its_numbers)
    return [out, numbers]


def _graph(
    network: TrainedNetwork, options: ExportOptions, ranges: Mapping | None
) -> bytes:
    import onnx

    from kdsharp.export import onnx_models

    graph = onnx_models.batches(
        network, options.interface, dtype=options.dtype, ranges=ranges
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
    text = glsl.shader(network, range_=options.levels, strength=options.strength)
    atomic_files.write_bytes(out, text.encode())
    return [out]


FORMATS: dict[str, Format] = {
    "onnx": Format(".onnx", _onnx, runs.of_onnx, ("onnx", "onnxruntime")),
    "openvino": Format(
        ".xml", _openvino, runs.of_openvino, ("onnx", "onnxruntime", "openvino")
    ),
    "stablehlo": Format(
        ".stablehlo",
        _stablehlo,
        runs.of_stablehlo,
        dtypes=("float32", "bfloat16", "float16"),
    ),
    # Players choose what they compute in.
    "glsl": Format(".glsl", _glsl, None, dtypes=("float32",)),
}
