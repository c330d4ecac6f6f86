"""How many crops a second the pipeline delivers, beside what training consumes.

    python -m kdsharp.evaluation.costs.loading_speed [FOLDER]

Reads the JPEGs below FOLDER, or some hundred of 481x321 made of generated pictures. In
every row loading and the student's training step take turns, a step that is fed from
memory; "kept" means that decoded pictures stay in memory, as they do by default.
"""

import contextlib
import itertools
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from kdsharp.data import files, folder, pipeline
from kdsharp.errors import UserError
from kdsharp.evaluation.bench.turns import Turn, alternate, timed
from kdsharp.evaluation.costs import jpegs
from kdsharp.evaluation.costs.jax_step import NETWORKS, jax_step, random_batch
from kdsharp.training import parallel

_BATCHES = {"8x32x32": (8, 32), "16x64x64": (16, 64)}
_ROUNDS = 3
# A turn takes about as long as this.
_SECONDS = 0.5
# What a worker process holds before all it needs is in memory, in epochs.
_FILLING = {0: 1, 2: 4}


def main(argv: Sequence[str] = ()) -> int:
    """Prints a table a batch and returns the exit status."""
    parallel.show_cores(8)
    try:
        with _photographs(argv) as root:
            names = folder.find_pictures(root)
            for title, (batch_size, patch_size) in _BATCHES.items():
                _print_table(title, root, names, batch_size, patch_size)
    except UserError as error:
        print(f"kdsharp: {error}", file=sys.stderr)
        return 2
    return 0


@contextlib.contextmanager
def _photographs(argv: Sequence[str]) -> Iterator[pathlib.Path]:
    if argv:
        yield pathlib.Path(argv[0])
        return
    with tempfile.TemporaryDirectory() as made:
        jpegs.write([pathlib.Path(made, f"{i:03d}.jpg") for i in range(380)])
        yield pathlib.Path(made)


def _print_table(
    title: str,
    root: pathlib.Path,
    names: list[str],
    batch_size: int,
    patch_size: int,
) -> None:
    take = jax_step(
        NETWORKS["student"], random_batch(batch_size, patch_size, patch_size, 3)
    )
    steps = _many(lambda: timed(take)() / batch_size)
    print(f"\nbatches of {title}, {len(names)} pictures; crops a second:\n")
    print("| pictures | crops of each | workers | loaded | step | loaded / step |")
    print("| -------- | ------------: | ------: | -----: | ---: | ------------: |")
    for kept, crops, workers in itertools.product((False, True), (1, 4, 8), (0, 2)):
        source = files.Files(
            root, names, cache_bytes=files.DEFAULT_CACHE_BYTES if kept else 0
        )
        batches = pipeline.batches(
            source,
            batch_size=batch_size,
            patch_size=patch_size,
            crops_per_picture=crops,
            augment="dihedral",
            seed=0,
            workers=workers,
        )
        with contextlib.closing(batches):
            if kept:
                epoch = pipeline.steps_per_epoch(source, batch_size, crops)
                for _ in range(_FILLING[workers] * epoch):
                    next(batches)
            loading = _loading(batches, batch_size)
            seconds = alternate({"loaded": loading, "step": steps}, _ROUNDS)
        loaded, step = (1 / np.median(seconds[name]) for name in ("loaded", "step"))
        ratio = np.median(np.divide(seconds["step"], seconds["loaded"]))
        print(
            f"| {'kept' if kept else 'decoded':8} | {crops:13} | {workers:7} "
            f"| {loaded:6.0f} | {step:4.0f} | {ratio:13.1f} |",
            flush=True,
        )


def _loading(batches: Iterator[pipeline.Batch], batch_size: int) -> Turn:
    """Returns a turn that tells the seconds for a crop, once nothing is in store."""
    many = _many(lambda: timed(lambda: next(batches))() / batch_size)

    def turn() -> float:
        # What was left in store by the turn before goes first.
        for _ in range(32):
            next(batches)
        seconds = many()
        time.sleep(0.2)  # The store fills up now, not in the next one's turn.
        return seconds

    return turn


def _many(one: Callable[[], float]) -> Turn:
    """Returns a turn that takes about half a second and tells the mean."""

    def turn() -> float:
        ends = time.perf_counter() + _SECONDS
        measured = [one()]
        while time.perf_counter() < ends:
            measured.append(one())
        return float(np.mean(measured))

    return turn


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
