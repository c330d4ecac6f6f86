"""Memory that data loading takes over two epochs of 10,000 pictures.

    python -m benchmarks.loading_memory

Resident megabytes of the process and its workers together, as Linux counts them, from a
folder of JPEGs of 128x128 to 481x321 and from the same pictures prepared as CelebA is.
"Kept" is the limit on the cache of decoded pictures. Every row is measured in a new
process.
"""

import argparse
import contextlib
import itertools
import multiprocessing
import os
import pathlib
import sys
import tempfile
from collections.abc import Iterator
from concurrent import futures

from tqdm import tqdm

from benchmarks import command, jpegs
from kdsharp.data import files, pipeline, prepared, sources
from kdsharp.evaluation import text

_COUNT = 10_000
_SIZES = ((128, 128), (218, 178), (256, 256), (321, 481))
_BATCH, _PATCH = 16, 64
# Epochs after which the memory is measured.
_MARKS = (0.1, 0.5, 1.0, 1.5, 2.0)
_KEPT = (0, files.DEFAULT_CACHE_BYTES)


def measure(arguments: argparse.Namespace) -> list[dict]:
    """Measures a row for each source, number of workers and cache limit."""
    del arguments
    rows = []
    with tempfile.TemporaryDirectory() as made:
        os.environ["TFDS_DATA_DIR"] = f"{made}/data"
        origin = pathlib.Path(made, "celeba")
        with _fresh_process() as pool:
            pool.submit(_prepare, origin).result()
        specs = {"folder": f"folder:{origin}?split=99/1", "tfds": "tfds:celeba"}
        ways = list(itertools.product(specs, (0, 2), _KEPT))
        for source, workers, kept in tqdm(ways, leave=False):
            with _fresh_process() as pool:
                seen = pool.submit(_load, specs[source], workers, kept).result()
            row = {"source": source, "workers": workers, "kept_bytes": kept}
            rows.append(
                {**row, "marks": _MARKS, "megabytes": seen[:-1], "peak": seen[-1]}
            )
    return rows


def report(results: list[dict]) -> str:
    """Formats a table with a row for each way of loading."""
    marks = (f"{mark:.0%}" for mark in _MARKS)
    lines = [["source", "workers", "kept, MB", *marks, "peak"]]
    for row in results:
        numbers = (f"{megabytes:.0f}" for megabytes in (*row["megabytes"], row["peak"]))
        kept = str(row["kept_bytes"] >> 20)
        lines.append([row["source"], str(row["workers"]), kept, *numbers])
    return text.table(lines)


def _fresh_process() -> futures.ProcessPoolExecutor:
    spawn = multiprocessing.get_context("spawn")
    return futures.ProcessPoolExecutor(1, mp_context=spawn)


def _prepare(origin: pathlib.Path) -> None:
    pictures = origin / "img_align_celeba"
    pictures.mkdir(parents=True)
    names = [f"{i:06d}.jpg" for i in range(1, _COUNT + 1)]
    jpegs.write([pictures / name for name in names], _SIZES)
    sides = [0] * (_COUNT - 2) + [1, 2]
    rows = (f"{name} {side}\n" for name, side in zip(names, sides, strict=True))
    (origin / "list_eval_partition.txt").write_text("".join(rows))
    prepared.prepare("celeba", origin, processes=2)


def _load(spec: str, workers: int, kept: int) -> list[float]:
    """Loads batches; returns the megabytes at every mark, and then the peak."""
    source = sources.create(spec, "train", cache_bytes=kept // max(1, workers))
    batches = pipeline.batches(
        source, batch_size=_BATCH, patch_size=_PATCH, seed=0, workers=workers
    )
    steps = pipeline.steps_per_epoch(source, _BATCH)
    looks = {round(mark * steps): mark for mark in _MARKS}
    seen = []
    with contextlib.closing(batches):
        for step in range(1, max(looks) + 1):
            next(batches)
            if step in looks:
                seen.append(sum(_megabytes("VmRSS")))
        return [*seen, sum(_megabytes("VmHWM"))]


def _megabytes(line: str) -> Iterator[float]:
    """Yields the value of a /proc status line for this process and its children."""
    for process in ("self", *_children()):
        status = pathlib.Path("/proc", process, "status").read_text()
        fields = dict(row.split(":", 1) for row in status.splitlines())
        yield int(fields[line].split()[0]) / 1024


def _children() -> list[str]:
    lists = pathlib.Path("/proc/self/task").glob("*/children")
    return [number for path in lists for number in path.read_text().split()]


if __name__ == "__main__":
    sys.exit(command.run(__name__))
