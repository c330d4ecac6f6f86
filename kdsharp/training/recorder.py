"""Collects the metrics of a run from the devices, averages and writes them."""

from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from kdsharp.training import clock
from kdsharp.training.progress import Progress
from kdsharp.training.step import SIGNAL


class NotFinite(Exception):
    """A step had a non-finite loss or gradient; `values` are its metrics."""

    def __init__(self, values: dict[str, float]):
        super().__init__()
        self.values = values


class Recorder:
    """Collects the metrics of the steps after `step`.

    `window` holds the metrics since the last log, to be saved in checkpoints. `signal`
    is the signal that some host received, once all hosts know of it, or 0.
    """

    def __init__(self, config: ConfigDict, workdir: Path, step: int, steps: int | None):
        self.clock = clock.Clock(config.batch_size)
        self.window: list[dict[str, float]] = []
        self.signal = 0
        self._unread: list[Any] = []
        self._steps = steps
        self._progress = Progress(config, workdir, step, steps)

    def add(self, metrics: Any, steps: int) -> None:
        """Adds the pending metrics of a call, and reads those of earlier calls."""
        self._unread.append(metrics)
        self.read(all_but=1)
        self._progress.advance(steps)

    def read(self, all_but: int = 0) -> None:
        """Reads the metrics of all calls but the newest `all_but`; waits for them."""
        while len(self._unread) > all_but:
            for values in self._unread.pop(0).read():
                self.signal = self.signal or int(values.pop(SIGNAL, 0))
                if not values.pop("healthy"):
                    self._unread.clear()
                    raise NotFinite(values)
                self.window.append(values)

    def write_means(self, step: int, learning_rate: float, left: float | None) -> None:
        """Writes the mean metrics since the last call.

        `left` is the remaining seconds of a budget; without one they are estimated.
        """
        self.read()
        means = {
            f"train/{name}": float(np.mean([values[name] for values in self.window]))
            for name in self.window[0]
        }
        self.window.clear()
        rates = self.clock.read()
        if left is None:
            assert self._steps is not None
            words = self.clock.remaining(self._steps - step)
        else:
            words = clock.format_duration(left)
        values = {**means, "train/learning_rate": learning_rate, **rates}
        self._progress.write_means(step, values, words)

    def write_scores(self, step: int, scores: dict[str, float], no_gain: bool) -> None:
        self._progress.write_scores(step, scores, no_gain)

    def write_rate(self, step: int, scale: float) -> None:
        self._progress.write_rate(step, scale)

    def close(self) -> None:
        self._progress.close()
