"""Detects lost speed: compares kdsharp's speed relative to its peers with saved ratios.

    python -m benchmarks.guard
    python -m benchmarks.guard --keep

Ours and the peer's take turns in one process, so that their ratio is about the same on
a busy machine as on an idle one. `--keep` writes the ratios of this processor to
benchmarks/ratios.json. Without it the command fails if a ratio is more than 15 % below
the saved one in three runs of three.
"""

import argparse
import io
import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import command, record
from kdsharp.base import atomic_files
from kdsharp.errors import UserError
from kdsharp.evaluation import text
from kdsharp.evaluation.bench.turns import alternate, timed

RATIOS = Path(__file__).with_name("ratios.json")

_LOST = 0.15
_RUNS = 3
_ROUNDS = 15
_WIDTH, _HEIGHT = 1280, 720
_MODEL = "rt-s-call"

Pair = tuple[Callable[[], object], Callable[[], object]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keep", action="store_true", help="write the ratios of this processor"
    )


def measure(arguments: argparse.Namespace) -> dict:
    """Measures the ratios, again where they are low, and reads the saved ones."""
    processor = record.machine()["processor"]
    kept = json.loads(RATIOS.read_text()) if RATIOS.exists() else {}
    pairs = _pairs()
    ratios = _ratios(pairs)
    if arguments.keep:
        held = json.dumps({**kept, processor: ratios}, indent=2, sort_keys=True)
        atomic_files.write_text(RATIOS, held + "\n")
    before = {} if arguments.keep else kept.get(processor, {})
    slow = _slower(ratios, before)
    for _ in range(_RUNS - 1):
        if not slow:
            break
        again = _ratios({name: pairs[name] for name in slow})
        ratios |= {name: max(again[name], ratios[name]) for name in again}
        slow = _slower(ratios, before)
    return {"processor": processor, "ratios": ratios, "kept": before, "slower": slow}


def report(results: dict) -> str:
    """Formats a row for each pair; raises a UserError if any has become slower."""
    lines = [["times as fast as its peer", "now", "kept"]]
    for name, ratio in results["ratios"].items():
        before = results["kept"].get(name)
        lines.append([name, f"{ratio:.2f}", f"{before:.2f}" if before else ""])
    shown = text.table(lines)
    if results["slower"]:
        raise UserError(
            f"slower than kept by more than {_LOST:.0%} in {_RUNS} runs of {_RUNS}: "
            f"{', '.join(results['slower'])}\n\n{shown}"
        )
    if not results["kept"]:
        shown += f"\n\nnothing is kept for {results['processor']} yet"
    return shown


def _slower(ratios: dict[str, float], kept: dict[str, float]) -> list[str]:
    floors = {name: (1 - _LOST) * ratio for name, ratio in kept.items()}
    return [name for name in ratios if ratios[name] < floors.get(name, 0)]


def _ratios(pairs: dict[str, Pair]) -> dict[str, float]:
    found = {}
    for name, (ours, peer) in pairs.items():
        times = alternate({"ours": timed(ours), "peer": timed(peer)}, _ROUNDS)
        medians = {who: statistics.median(times[who]) for who in times}
        found[name] = round(medians["peer"] / medians["ours"], 3)
    return found


def _pairs() -> dict[str, Pair]:
    return {
        "frame, OpenVINO : onnxruntime": (_plane(), _onnxruntime()),
        "frame in bfloat16 : in float32": (_plane(dtype="bfloat16"), _plane()),
        "picture of 3 megapixels : as many pixels of frames": (
            _picture(),
            _plane(width=2048, height=1536),
        ),
        "video restored : encoded alone": (_video(1.0), _video(0.0)),
    }


def _plane(
    dtype: str = "float32", width: int = _WIDTH, height: int = _HEIGHT
) -> Callable[[], object]:
    from kdsharp.runtime import planes

    restore = planes.create(_MODEL, width, height, backend="openvino", dtype=dtype)
    plane = _noise(restore.shape)
    return lambda: restore(plane)


def _onnxruntime() -> Callable[[], object]:
    """The exported network in a session as onnxruntime's documentation creates it."""
    import onnxruntime

    from kdsharp.export import network, onnx_models

    model = onnx_models.batch_model(network.of_weights(_MODEL))
    options = onnxruntime.SessionOptions()
    # Its threads would wait for the next run on the cores that the other turns need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    (name,) = (argument.name for argument in session.get_inputs())
    pixels = _noise((1, _HEIGHT, _WIDTH, 1)).astype(np.float32) / 255
    return lambda: session.run(None, {name: pixels})


def _picture() -> Callable[[], object]:
    import kdsharp

    sharpen = kdsharp.load(_MODEL, backend="openvino")
    pixels = _noise((1536, 2048))
    return lambda: sharpen(pixels)


def _video(strength: float) -> Callable[[], object]:
    """Restores and encodes thirty frames."""
    import av

    from kdsharp.media.video.restoring import Restoration
    from kdsharp.runtime.options import RestoreOptions

    restore = Restoration(RestoreOptions(model=_MODEL, strength=strength))
    frames = [_noise((360 * 3 // 2, 640), seed) for seed in range(30)]

    def run() -> None:
        with av.open(io.BytesIO(), "w", format="matroska") as container:
            options = {"preset": "veryfast"}
            stream = container.add_stream("libx264", rate=30, options=options)
            stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
            for number, pixels in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(pixels, format="yuv420p")
                frame.pts = number
                container.mux(stream.encode(restore(frame)))
            container.mux(stream.encode())

    return run


def _noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(16, 236, shape, np.uint8)


if __name__ == "__main__":
    sys.exit(command.run(__name__))
