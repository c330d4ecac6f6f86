"""Crops per second that the pipeline delivers, and that training consumes.

    python -m benchmarks.loading_speed [FOLDER]

Reads the JPEGs below FOLDER, or 380 generated ones of 481x321. In every row, loading
and the student's training step (on a batch in memory) take turns. "kept" means that
decoded pictures stay in memory, as by default.
"""

import argparse
import contextlib
import functools
import itertools
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np
from tqdm import tqdm

from benchmarks import command, jpegs
from benchmarks.jax_step import NETWORKS, jax_step, random_batch
from kdsharp.data import files, folder, pipeline
from kdsharp.evaluation import text
from kdsharp.evaluation.bench.turns import Turn, alternate, timed
from kdsharp.training import parallel

_BATCHES = {"8x32x32": (8, 32), "16x64x64": (16, 64)}
_ROUNDS = 3
_SECONDS_PER_TURN = 0.5
# Number of workers: epochs until each has decoded every picture that it will need.
_WARMUP_EPOCHS = {0: 1, 2: 4}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", metavar="FOLDER", help="JPEGs to read")


def measure(arguments: argparse.Namespace) -> list[dict]:
    """Measures crops per second of every way of loading, and of the training step."""
    parallel.expose_cpu_cores(8)
    with _photographs(arguments.folder) as root:
        names = folder.find_pictures(root)
        ways = itertools.product(_BATCHES, (False, True), (1, 4, 8), (0, 2))
        return [
            {"batches": title, "pictures": len(names), **_row(root, names, title, *way)}
            for title, *way in tqdm(list(ways), leave=False)
        ]


def report(results: list[dict]) -> str:
    """Formats a table for each batch size."""
    head = ["pictures", "crops of each", "workers", "loaded", "step", "loaded / step"]
    parts = []
    for title, rows in itertools.groupby(results, lambda row: row["batches"]):
        lines = [head]
        for row in rows:
            lines.append(
                [
                    "kept" if row["kept"] else "decoded",
                    str(row["crops"]),
                    str(row["workers"]),
                    f"{row['loaded']:.0f}",
                    f"{row['step']:.0f}",
                    f"{row['ratio']:.1f}",
                ]
            )
        title = f"batches of {title}, {row['pictures']} pictures; crops a second:"
        parts.append(f"{title}\n\n{text.table(lines)}")
    return "\n\n".join(parts)


@contextlib.contextmanager
def _photographs(given: str | None) -> Iterator[pathlib.Path]:
    if given:
        yield pathlib.Path(given)
        return
    with tempfile.TemporaryDirectory() as made:
        jpegs.write([pathlib.Path(made, f"{i:03d}.jpg") for i in range(380)])
        yield pathlib.Path(made)


def _row(
    root: pathlib.Path,
    names: list[str],
    title: str,
    kept: bool,
    crops: int,
    workers: int,
) -> dict:
    batch_size, _ = _BATCHES[title]
    take = _step(*_BATCHES[title])
    steps = _repeat(lambda: timed(take)() / batch_size)
    source = files.PictureFiles(
        root, names, cache_bytes=files.DEFAULT_CACHE_BYTES if kept else 0
    )
    batches = pipeline.batches(
        source,
        batch_size=batch_size,
        patch_size=_BATCHES[title][1],
        crops_per_picture=crops,
        augment="dihedral",
        seed=0,
        workers=workers,
    )
    with contextlib.closing(batches):
        if kept:
            epoch = pipeline.steps_per_epoch(source, batch_size, crops)
            for _ in range(_WARMUP_EPOCHS[workers] * epoch):
                next(batches)
        loading = _loading(batches, batch_size)
        seconds = alternate({"loaded": loading, "step": steps}, _ROUNDS)
    loaded, step = (1 / float(np.median(seconds[name])) for name in ("loaded", "step"))
    ratio = float(np.median(np.divide(seconds["step"], seconds["loaded"])))
    way = {"kept": kept, "crops": crops, "workers": workers}
    return {**way, "loaded": loaded, "step": step, "ratio": ratio}


@functools.cache
def _step(batch_size: int, patch_size: int) -> Callable[[], object]:
    batch = random_batch(batch_size, patch_size, patch_size, 3)
    return jax_step(NETWORKS["student"], batch)


def _loading(batches: Iterator[pipeline.Batch], batch_size: int) -> Turn:
    """Creates a turn that measures seconds per crop with empty prefetch buffers."""
    measure_mean = _repeat(lambda: timed(lambda: next(batches))() / batch_size)

    def turn() -> float:
        # Empty the buffers that were filled since the last turn.
        for _ in range(32):
            next(batches)
        seconds = measure_mean()
        time.sleep(0.2)  # Fill the buffers now, not during the training step's turn.
        return seconds

    return turn


def _repeat(measure_one: Callable[[], float]) -> Turn:
    """Creates a turn that repeats a measurement for half a second; the mean of it."""

    def turn() -> float:
        end = time.perf_counter() + _SECONDS_PER_TURN
        measured = [measure_one()]
        while time.perf_counter() < end:
            measured.append(measure_one())
        return float(np.mean(measured))

    return turn


if __name__ == "__main__":
    sys.exit(command.run(__name__))
