"""Time that exported shaders add to a frame in libplacebo, on this machine's Vulkan.

    python -m benchmarks.shader_speed [NAME ...]

Median milliseconds of rounds in which all take turns. A frame's time is that of a long
run of ffmpeg minus that of a short one, divided by the frames between, so that starting
and compiling do not count. "no shader" is upload, libplacebo's own work and download.
Needs an ffmpeg with libplacebo, and a Vulkan driver: of a GPU, or Mesa's lavapipe.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import command
from kdsharp.base import machine
from kdsharp.cli import options
from kdsharp.errors import UserError
from kdsharp.evaluation import text
from kdsharp.evaluation.bench.turns import alternate
from kdsharp.export import glsl, libplacebo, network

_NAMES = ("rt-s-call", "rt-m-call")
_NONE = "no shader"
_SHORT = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"default: {' '.join(_NAMES)}"
    )
    parser.add_argument(
        "--size",
        default="1280x720",
        metavar="WxH",
        help="of the frames (default: %(default)s)",
    )
    parser.add_argument(
        "--frames",
        type=int,
        default=10,
        metavar="N",
        help=f"in the long run, more than {_SHORT} (default: %(default)s)",
    )
    parser.add_argument(
        "--rounds", type=int, default=3, metavar="N", help="default: %(default)s"
    )


def measure(arguments: argparse.Namespace) -> dict:
    """Measures the median milliseconds of a frame, without and with each shader."""
    if arguments.frames <= _SHORT or arguments.rounds < 1:
        raise UserError(f"give more than {_SHORT} --frames and at least 1 --rounds")
    if not libplacebo.available():
        raise UserError(
            "measuring shaders needs an ffmpeg with libplacebo and a Vulkan driver "
            "(Debian: ffmpeg, mesa-vulkan-drivers)"
        )
    size = options.parse_size(arguments.size)
    assert size is not None
    with tempfile.TemporaryDirectory() as folder:
        shaders: dict[str, Path | None] = {_NONE: None}
        for name in arguments.names or _NAMES:
            shaders[name] = Path(folder, f"{len(shaders)}.glsl")
            found = network.of_weights(name)
            # The time does not depend on the gains.
            gains = np.ones(found.model.width) if found.has_context else None
            shaders[name].write_text(glsl.shader(found, gains=gains))
        turns = {
            name: _frame(shader, size, arguments.frames)
            for name, shader in shaders.items()
        }
        seconds = alternate(turns, arguments.rounds)
    return {
        "device": libplacebo.device(),
        "processor": machine.processor(),
        "milliseconds": {
            name: 1e3 * statistics.median(taken) for name, taken in seconds.items()
        },
    }


def report(results: dict) -> str:
    """Formats a row for each shader."""
    found = results["milliseconds"]
    lines = [["", "ms a frame", "ms added"]]
    for name, taken in found.items():
        added = "" if name == _NONE else f"{taken - found[_NONE]:,.0f}"
        lines.append([name, f"{taken:,.0f}", added])
    return f"{results['device']} on {results['processor']}\n\n{text.table(lines)}"


def _frame(
    shader: Path | None, size: tuple[int, int], count: int
) -> Callable[[], float]:
    def seconds() -> float:
        long, short = (
            libplacebo.seconds(shader, *size, frames=frames)
            for frames in (count, _SHORT)
        )
        return (long - short) / (count - _SHORT)

    return seconds


if __name__ == "__main__":
    sys.exit(command.run(__name__))
