"""Runs chains of convolutions with ncnn, through its own file format."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kdsharp.evaluation.bench.frames import CHAINS, Frames
from kdsharp.export.network import TrainedNetwork

_MAGIC = 7767517
# ncnn's codes of activations.
_RELU, _LEAKY_RELU = 1, 2


def create(
    network: TrainedNetwork, threads: int, *, planes: bool
) -> Callable[[Frames], Frames]:
    """Creates a function that restores frames one at a time."""
    # No extra brings it: it is installed by whoever wants to time it.
    import ncnn  # pyright: ignore[reportMissingImports]

    runner = ncnn.Net()
    if threads:
        runner.opt.num_threads = threads
    for option in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(runner.opt, f"use_{option}", False)
    layers, numbers = _serialize(network)
    with tempfile.TemporaryDirectory() as folder:
        text, content = Path(folder, "net.param"), Path(folder, "net.bin")
        text.write_text(layers)
        content.write_bytes(numbers)
        runner.load_param(str(text))
        runner.load_model(str(content))
    adds = CHAINS[network.family]
    mean = np.array(getattr(network.model, "mean", (0.0,)), np.float32)
    mean = mean.reshape(-1, 1, 1)

    def restore(frame: np.ndarray) -> np.ndarray:
        frame = frame[None] if planes else frame.transpose(2, 0, 1)
        blurred = frame.astype(np.float32) / 255
        seen = np.ascontiguousarray(blurred - mean if mean.any() else blurred)
        extractor = runner.create_extractor()
        extractor.input("in", ncnn.Mat(seen))
        drawn = np.array(extractor.extract("out")[1])
        restored = blurred + drawn if adds else drawn
        restored = np.round(np.clip(restored, 0, 1) * 255).astype(np.uint8)
        return restored[0] if planes else restored.transpose(1, 2, 0)

    return lambda frames: np.stack([restore(frame) for frame in frames])


def _serialize(network: TrainedNetwork) -> tuple[str, bytes]:
    """Serialises a network to the contents of ncnn's .param and .bin files."""
    factor = getattr(network.model, "factor", 1)
    lines = ["Input in 0 1 in"]
    content = b""
    last = "in"

    def add(kind: str, name: str, *settings: str) -> None:
        nonlocal last
        lines.append(" ".join([kind, name, "1 1", last, name, *settings]))
        last = name

    if factor > 1:
        add("Reorg", "folded", f"0={factor}", "1=0")
    count = len(network.params)
    for number in range(1, count + 1):
        params = network.params[f"conv{number}"]
        kernel = np.asarray(params["kernel"], np.float32).transpose(3, 2, 0, 1)
        between = f"9={_RELU}"
        if hasattr(network.model, "slope"):
            between = f"9={_LEAKY_RELU} -23310=1,{network.model.slope}"
        add(
            "Convolution",
            "out" if number == count and factor == 1 else f"conv{number}",
            *(f"0={len(kernel)}", "1=3", "4=1", "5=1", f"6={kernel.size}"),
            *([between] if number < count else []),
        )
        # Four zero bytes mean that the weights are float32.
        content += bytes(4) + np.ascontiguousarray(kernel).tobytes()
        content += np.asarray(params["bias"], np.float32).tobytes()
    if factor > 1:
        add("PixelShuffle", "out", f"0={factor}", "1=0")
    layers = "\n".join([str(_MAGIC), f"{len(lines)} {len(lines)}", *lines])
    return layers + "\n", content
