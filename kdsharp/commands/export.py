"""`kdsharp export`: writes an exported network, runs it and reports its accuracy."""

import importlib.metadata
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from kdsharp import models
from kdsharp.base import choices
from kdsharp.errors import UserError
from kdsharp.export import file_formats, glsl, libplacebo, network, samples
from kdsharp.export.quantization import Quantization
from kdsharp.media import file_types, pictures
from kdsharp.runtime.restore import check_pixels, check_strength, context_gains

# Batch, height and width of the random input of the parity check; odd on purpose.
_PARITY_SHAPE = (2, 37, 53)


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
    like: Path | None = None,
) -> None:
    """Exports a network and prints a report.

    `levels`, `strength` and, for networks with a context, the gains of the picture
    `like` are built into shaders; other formats accept only the defaults.
    """
    if interface not in file_formats.INTERFACES:
        raise choices.unknown("interface", interface, file_formats.INTERFACES)
    check_strength(strength)
    kind = file_formats.find(format_)
    shader = format_ == "glsl"
    if not shader and (levels, strength) != ("studio", 1.0):
        raise UserError("--range and --strength are for --format glsl")
    if not shader and like:
        raise UserError("--like is only for --format glsl")
    if shader and interface != "float":
        raise UserError("--interface is not for --format glsl: shaders run on planes")
    if levels not in glsl.LEVELS:
        known = ", ".join(glsl.LEVELS)
        raise UserError(f"unknown range {levels!r}; choose one of: {known}")
    if calibrate and dtype != "int8":
        raise UserError("--calibrate is only for --int8")
    trained = network.of_weights(name)
    file_formats.check(trained, format_, dtype)
    suffix = kind.suffix if dtype == "float32" else f"-{dtype}{kind.suffix}"
    out = out or Path(trained.name + suffix)
    if out.suffix != kind.suffix:
        raise UserError(
            f"{out} does not fit --format {format_}: use the ending {kind.suffix}"
        )
    file_formats.check_writable(out)
    gains = _gains(trained, like) if like else None
    pairs = [] if dtype == "float32" else samples.pairs(trained, calibrate)
    # Every other picture calibrates, the rest are for scoring.
    calibrated = _calibrated(trained, pairs[::2]) if dtype == "int8" else None
    options = file_formats.ExportOptions(
        interface, dtype, calibrated, levels, strength, gains
    )
    written = kind.write(trained, out, options)
    for path in written:
        print(f"{path} ({path.stat().st_size / 1e3:,.1f} kB)")
    print(f"network     {trained.name}, {trained.family}, kdsharp {trained.version}")
    if kind.run is None:
        print(f"passes      {written[0].read_text().count('//!HOOK')} fragment shaders")
        print(f"pixels      luma planes, {levels} range, strength {strength:g}")
        if like:
            print(f"gains       of {like}, for all frames")
        parity = libplacebo.parity(
            trained, out, range_=levels, strength=strength, gains=gains
        )
        print(f"parity      {parity}")
        return
    print(f"graph       {_graph(format_)}")
    print(f"pixels      {_pixels(trained, interface)}")
    if trained.has_memory and "onnx" in kind.needs:
        print("memory      for video: inputs 'recalled', the output before, and 'keep'")
    restore, runtime = kind.run(written[0])
    if dtype == "float32":
        print(f"parity      {_parity(trained, restore, interface)}, in {runtime}")
    else:
        for line in _losses(trained, restore, interface, dtype, pairs[1::2], runtime):
            print(line)


def _gains(trained: network.TrainedNetwork, like: Path) -> np.ndarray:
    """Computes the gains of the picture."""
    if not trained.has_context:
        raise UserError(f"--like is not for {trained.name}: it has no context")
    glsl.check(trained)
    if like.is_file() and file_types.is_video(file_types.head(like)):
        raise UserError(f"{like} is a video: give one of its frames as a picture")
    pixels = pictures.read(like).pixels
    try:
        check_pixels(pixels)
    except UserError as error:
        raise UserError(f"{like}: {error}") from error
    return context_gains(
        trained.params["context"], pixels.reshape(*pixels.shape[:2], -1)
    )


def _calibrated(
    trained: network.TrainedNetwork, pairs: list[samples.SamplePair]
) -> Quantization:
    from kdsharp.export import int8

    return int8.calibrate(trained, pairs)


def _graph(format_: str) -> str:
    if format_ == "stablehlo":
        return f"StableHLO, jax.export of JAX {jax.__version__}"
    from kdsharp.export import onnx_models

    version = importlib.metadata.version("onnx")
    found = f"opset {onnx_models.OPSET}, passed the checker of onnx {version}"
    return found if format_ == "onnx" else f"OpenVINO IR, from ONNX {found}"


def _pixels(trained: network.TrainedNetwork, interface: str) -> str:
    kind = "float32 in [0, 1]" if interface == "float" else "uint8"
    colours = "luma" if trained.model.channels == 1 else "RGB"
    return (
        f"{kind}, [batch, height, width, {trained.model.channels}], {colours}, any size"
    )


def _parity(trained: network.TrainedNetwork, restore, interface: str) -> str:
    pixels = np.random.default_rng(0).random(
        (*_PARITY_SHAPE, trained.model.channels), np.float32
    )
    if interface == "uint8":
        pixels = np.round(pixels * 255).astype(np.uint8)
    apart = np.abs(np.float64(restore(pixels)) - _by_jax(trained, pixels)).max()
    unit = "grey levels" if interface == "uint8" else ""
    size = (
        f"{_PARITY_SHAPE[0]} random pictures of {_PARITY_SHAPE[2]}x{_PARITY_SHAPE[1]}"
    )
    return f"differs from JAX by at most {apart:.1e} {unit}".strip() + f", on {size}"


def _by_jax(
    trained: network.TrainedNetwork, pixels: np.ndarray, dtype: str = "float32"
) -> Any:
    """Restores float or uint8 pixels with JAX, and returns the same kind of pixels."""
    blurred = pixels / np.float32(255) if pixels.dtype == np.uint8 else pixels
    model = trained.model.clone(dtype=dtype)
    restore = jax.jit(partial(models.restore, model))
    restored = np.clip(restore(trained.variables, blurred), 0, 1)
    return np.round(restored * 255) if pixels.dtype == np.uint8 else restored


def _losses(
    trained: network.TrainedNetwork,
    restore,
    interface: str,
    dtype: str,
    pairs: list[samples.SamplePair],
    runtime: str,
) -> list[str]:
    """Describes the loss of quality from reduced precision, on blurred pictures."""
    if dtype == "bfloat16":
        # The file holds bfloat16 weights; runtimes choose how to compute with them.
        runtime = "JAX, computed in bfloat16"
    scores = []
    full: Any
    reduced: Any
    for pair in pairs:
        pixels = pair.blurred
        if interface == "uint8":
            pixels = np.round(pixels * 255).astype(np.uint8)
        white = 255.0 if interface == "uint8" else 1.0
        full = _by_jax(trained, pixels) / white
        if dtype == "bfloat16":
            reduced = _by_jax(trained, pixels, dtype) / white
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
        f"loss        {full - reduced:.3f} dB against float32 (PSNR to its output: "
        f"{near:.1f} dB)",
        f"gain        {reduced - blurred:+.2f} dB of float32's {full - blurred:+.2f} dB"
        f"{share}, on {len(pairs)} pictures, {samples.degradation(trained)}, "
        f"in {runtime}",
    ]


def _psnr(x: np.ndarray, wanted: np.ndarray) -> float:
    error = np.mean((np.float64(x) - wanted) ** 2)
    return -10 * np.log10(max(error, 1e-12))
