"""Writes a network as a file for another runtime."""

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path

from kdsharp import whole_files
from kdsharp.errors import UserError
from kdsharp.export import glsl, networks, packages, runs
from kdsharp.export.network import Network

INTERFACES = ("float", "uint8")


@dataclasses.dataclass(frozen=True)
class Wish:
    """What a file shall be: its pixels, what it computes in, and 8 bits' ranges.

    A shader also has to know the range of its planes, and at which strength it works.
    """

    interface: str = "float"
    dtype: str = "float32"
    ranges: dict | None = None
    levels: str = "studio"
    strength: float = 1.0


@dataclasses.dataclass(frozen=True)
class Format:
    """A kind of file: `write` returns the paths it wrote, `run` runs the first.

    What no runtime of networks runs has no `run`.
    """

    suffix: str
    write: Callable[[Network, Path, Wish], list[Path]]
    run: Callable[[Path], tuple[runs.Run, str]] | None
    needs: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ("float32", "bfloat16", "float16", "int8")


def find(name: str) -> Format:
    """Returns the format of that name, ready to be written."""
    if name not in FORMATS:
        raise UserError(f"unknown format {name!r}; there are: {', '.join(FORMATS)}")
    packages.need(*FORMATS[name].needs)
    return FORMATS[name]


def check(network: Network, name: str, dtype: str) -> None:
    """Refuses what cannot be written in that format."""
    networks.find(network.family)
    known = find(name).dtypes
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


def _onnx(network: Network, out: Path, wish: Wish) -> list[Path]:
    whole_files.write_bytes(out, _graph(network, wish, wish.ranges))
    return [out]


def _openvino(network: Network, out: Path, wish: Wish) -> list[Path]:
    from kdsharp.export import int8

    (openvino,) = packages.need("openvino")

    ranges = wish.ranges and int8.of_inputs(wish.ranges)
    model = openvino.Core().read_model(_graph(network, wish, ranges))
    for name, value in network.metadata().items():
        model.set_rt_info(value, ["kdsharp", name])
    numbers = out.with_suffix(".bin")
    with whole_files.whole(numbers) as its_numbers, whole_files.whole(out) as its_graph:
        openvino.save_model(model, its_graph, compress_to_fp16=False)
        its_graph.with_suffix(".bin").replace(its_numbers)
    return [out, numbers]


def _graph(network: Network, wish: Wish, ranges: dict | None) -> bytes:
    import onnx

    from kdsharp.export import pictures

    graph = pictures.batches(network, wish.interface, dtype=wish.dtype, ranges=ranges)
    onnx.checker.check_model(graph, full_check=True)
    return graph.SerializeToString()


def _stablehlo(network: Network, out: Path, wish: Wish) -> list[Path]:
    from kdsharp.export import stablehlo

    content = stablehlo.archive(network, wish.interface, wish.dtype)
    whole_files.write_bytes(out, content)
    return [out]


def _glsl(network: Network, out: Path, wish: Wish) -> list[Path]:
    text = glsl.shader(network, range_=wish.levels, strength=wish.strength)
    whole_files.write_bytes(out, text.encode())
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
