"""`kdsharp export`: a file written, tried out and told about."""

import importlib.metadata
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from kdsharp import models
from kdsharp.base import choices
from kdsharp.errors import UserError
from kdsharp.export import file_formats, glsl, network, shader_runs, trial
from kdsharp.runtime.restore import check_strength

# Of the random picture that the file is compared with JAX on: odd, and of two.
_ODD = (2, 37, 53)


def run(
    name: str,
    out: Path | None = None,
    *,
    format_: str = "onnx",
    interface: str = "float",
    dtype: str = "float32",
    calibrate: Path | None = None,
    levels: str = "studio",
    strength: float = 1.0,
) -> None:
    """Writes the network of these weights and prints what came of it.

    `levels` and `strength` are built into a shader; other formats take neither.
    """
    if interface not in file_formats.INTERFACES:
        raise choices.unknown("interface", interface, file_formats.INTERFACES)
    check_strength(strength)
    kind = file_formats.find(format_)
    shader = format_ == "glsl"
    if not shader and (levels, strength) != ("studio", 1.0):
        raise UserError("--range and --strength are for --format glsl")
    if shader and interface != "float":
        raise UserError("--interface is not for --format glsl: players give it planes")
    if levels not in glsl.LEVELS:
        known = ", ".join(glsl.LEVELS)
        raise UserError(f"unknown range {levels!r}; choose one of: {known}")
    if calibrate and dtype != "int8":
        raise UserError("--calibrate is for --int8: nothing else is calibrated")
    whole = network.of_weights(name)
    file_formats.check(whole, format_, dtype)
    suffix = kind.suffix if dtype == "float32" else f"-{dtype}{kind.suffix}"
    out = out or Path(whole.name + suffix)
    if out.suffix != kind.suffix:
        raise UserError(f"{out} is no name of {format_}: let it end in {kind.suffix}")
    file_formats.check_out(out)
    pairs = [] if dtype == "float32" else trial.pairs(whole, calibrate)
    # Every other picture teaches, the rest judge.
    ranges = _ranges(whole, pairs[::2]) if dtype == "int8" else None
    options = file_formats.ExportOptions(interface, dtype, ranges, levels, strength)
    written = kind.write(whole, out, options)
    for path in written:
        print(f"{path} ({path.stat().st_size / 1e3:,.1f} kB)")
    print(f"made of     {whole.name}, {whole.family}, kdsharp {whole.version}")
    if kind.run is None:
        print(f"passes      {written[0].read_text().count('//!HOOK')}, of fragments")
        print(f"pixels      luma planes, {levels} range, strength {strength:g}")
        told = shader_runs.parity(whole, out, range_=levels, strength=strength)
        print(f"parity      {told}")
        return
    print(f"graph       {_graph(format_)}")
    print(f"pixels      {_pixels(whole, interface)}")
    restore, runtime = kind.run(written[0])
    if dtype == "float32":
        print(f"parity      {_parity(whole, restore, interface)}, by {runtime}")
    else:
        for line in _losses(whole, restore, interface, dtype, pairs[1::2], runtime):
            print(line)


def _ranges(whole: network.TrainedNetwork, pairs: list[trial.Pair]) -> Mapping:
    from kdsharp.export import int8

    return int8.calibrate(whole, pairs)


def _graph(format_: str) -> str:
    if format_ == "stablehlo":
        return f"StableHLO, jax.export of JAX {jax.__version__}"
    from kdsharp.export import onnx_models

    version = importlib.metadata.version("onnx")
    found = f"opset {onnx_models.OPSET}, passed by the checker of onnx {version}"
    return found if format_ == "onnx" else f"OpenVINO IR, of ONNX {found}"


def _pixels(whole: network.TrainedNetwork, interface: str) -> str:
    kind = "float32 in [0, 1]" if interface == "float" else "uint8"
    colours = "luma" if whole.model.channels == 1 else "RGB"
    return (
        f"{kind}, [batch, height, width, {whole.model.channels}], {colours}, any size"
    )


def _parity(whole: network.TrainedNetwork, restore, interface: str) -> str:
    pixels = np.random.default_rng(0).random((*_ODD, whole.model.channels), np.float32)
    if interface == "uint8":
        pixels = np.round(pixels * 255).astype(np.uint8)
    apart = np.abs(np.float64(restore(pixels)) - _by_jax(whole, pixels)).max()
    unit = "grey levels" if interface == "uint8" else ""
    size = f"{_ODD[0]} random pictures of {_ODD[2]}x{_ODD[1]}"
    return f"{apart:.1e} {unit}".strip() + f" from JAX at most, on {size}"


def _by_jax(
    whole: network.TrainedNetwork, pixels: np.ndarray, dtype: str = "float32"
) -> Any:
    """Returns what the network itself makes of float or uint8 pixels, of that kind."""
    blurred = pixels / np.float32(255) if pixels.dtype == np.uint8 else pixels
    model = whole.model.clone(dtype=dtype)
    restore = jax.jit(partial(models.restore, model))
    restored = np.clip(restore(whole.variables, blurred), 0, 1)
    return np.round(restored * 255) if pixels.dtype == np.uint8 else restored


def _losses(
    whole: network.TrainedNetwork,
    restore,
    interface: str,
    dtype: str,
    pairs: list[trial.Pair],
    runtime: str,
) -> list[str]:
    """Returns what the reduced precision costs on blurred pictures."""
    if dtype == "bfloat16":
        # Files hold the weights; what else is rounded is the runtime's choice.
        runtime = "JAX, all in bfloat16"
    scores = []
    full: Any
    reduced: Any
    for pair in pairs:
        pixels = pair.blurred
        if interface == "uint8":
            pixels = np.round(pixels * 255).astype(np.uint8)
        white = 255.0 if interface == "uint8" else 1.0
        full = _by_jax(whole, pixels) / white
        if dtype == "bfloat16":
            reduced = _by_jax(whole, pixels, dtype) / white
        else:
            reduced = np.float64(restore(pixels)) / white
        scores.append(
            [_psnr(x, pair.sharp) for x in (pair.blurred, full, reduced)]
            + [_psnr(reduced, full)]
        )
    blurred, full, reduced, near = np.mean(scores, axis=0)
    kept = (reduced - blurred) / (full - blurred) if full > blurred else np.nan
    share = "" if np.isnan(kept) else f", {100 * kept:.1f} % of it"
    return [
        f"loss        {full - reduced:.3f} dB against float32, {near:.1f} dB from it",
        f"gain        {reduced - blurred:+.2f} dB of float32's {full - blurred:+.2f} dB"
        f"{share}, on {len(pairs)} pictures, {trial.degradation(whole)}, by {runtime}",
    ]


def _psnr(x: np.ndarray, wanted: np.ndarray) -> float:
    error = np.mean((np.float64(x) - wanted) ** 2)
    return -10 * np.log10(max(error, 1e-12))
