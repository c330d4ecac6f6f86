"""Runs networks with memory on planes of video; see `kdsharp.models.memory`."""

import threading

import numpy as np

from kdsharp.export import levels
from kdsharp.runtime import scenes
from kdsharp.runtime.backends.backend import Plane, RunPlane

_FORGET, _KEEP = np.zeros(1, np.float32), np.ones(1, np.float32)


class Recall:
    """Runs a network on planes in order, and remembers the latest restored one.

    At a scene change it forgets: the new scene is restored as its first frame.
    """

    def __init__(self, run: RunPlane, pixels: levels.Levels):
        self._run = run
        self._pixels = pixels
        self._coarse: scenes.Blocks | None = None
        self._restored = np.empty(0)
        self._one_at_a_time = threading.Lock()

    def start_sequence(self) -> None:
        """Starts a new sequence with the next plane."""
        with self._one_at_a_time:
            self._coarse = None

    def __call__(
        self, plane: Plane, out: Plane | None = None, /, *further: np.ndarray
    ) -> Plane:
        with self._one_at_a_time:
            coarse, before = scenes.blocks(plane, self._pixels), self._coarse
            keep = _KEEP
            if before is None or scenes.is_other(coarse, before):
                keep = _FORGET
            if self._restored.shape != plane.shape:
                self._restored = np.empty_like(plane)
            # A run that fails leaves nothing to remember.
            self._coarse = None
            result = self._run(plane, out, *further, self._restored, keep)
            np.copyto(self._restored, result)
            self._coarse = coarse
            return result
