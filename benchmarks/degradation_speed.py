"""Time of each degradation, compared with the training step that it feeds.

    python -m benchmarks.degradation_speed [SPEC ...]

Milliseconds for a batch of 16 RGB pictures of 128x128 on all devices, as in training.
"""

import argparse
import sys
from collections.abc import Callable

import jax
import numpy as np

from benchmarks import command
from benchmarks.jax_step import NETWORKS, jax_step, random_batch
from kdsharp.core import degradations
from kdsharp.evaluation import text
from kdsharp.evaluation.bench.turns import alternate, timed
from kdsharp.training import parallel

_SHAPE = (16, 128, 128, 3)
_ROUNDS = 7
_STEP = "training step"

# One of each kind, with the strongest ranges that a recipe uses.
SPECS = (
    "bicubic:2",
    "bicubic:1-4",
    "bilinear:1-4",
    "area:1-4",
    "lanczos:1-4",
    "gaussian:0.5-3",
    "gaussian:0.5-3,linear=1",
    "gaussian:0.5-3,across=0.5-3",
    "defocus:0.5-5",
    "motion:1-25",
    "shake:1-25",
    "noise:0-0.05",
    "shot:50-1000",
    "jpeg:20-90",
    "jpeg:20-90,chroma=444",
    "halo:0.5-1.5",
    "motion:1-15/defocus:0.5-4",
    "camera",
    "video_call",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "specs", nargs="*", metavar="SPEC", help="default: one of each kind"
    )


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Measures the median seconds of the training step and of every degradation."""
    parallel.expose_cpu_cores(_SHAPE[0])
    blurs = {spec: _degradation(spec) for spec in arguments.specs or SPECS}
    train = jax_step(NETWORKS["student"], random_batch(*_SHAPE))
    turns = {name: timed(work) for name, work in {_STEP: train, **blurs}.items()}
    measured = alternate(turns, _ROUNDS)
    return {name: float(np.median(times)) for name, times in measured.items()}


def report(results: dict[str, float]) -> str:
    """Formats a table with a row for each degradation."""
    step = results[_STEP]
    lines = [["degradation", "ms", "share of the step"]]
    for spec, seconds in results.items():
        if spec != _STEP:
            lines.append([f"`{spec}`", f"{1e3 * seconds:.0f}", f"{seconds / step:.3f}"])
    return f"{_STEP}, 8x32 student: {1e3 * step:.0f} ms\n\n{text.table(lines)}"


def _degradation(spec: str) -> Callable[[], object]:
    degrade = jax.jit(degradations.create(spec))
    keys = jax.random.split(jax.random.key(0), _SHAPE[0])
    sharp = jax.random.uniform(jax.random.key(1), _SHAPE)
    keys, sharp = parallel.create("jit", _SHAPE[0]).shard((keys, sharp))
    return lambda: degrade(keys, sharp)


if __name__ == "__main__":
    sys.exit(command.run(__name__))
