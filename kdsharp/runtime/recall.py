"""Runs networks with memory on planes of video; see `kdsharp.models.memory`."""

import threading

import numpy as np

from kdsharp.export import levels
from kdsharp.runtime import scenes
from kdsharp.runtime.backends.backend import Plane, RunPlane


class Recall:
    """Runs a network on planes, and remembers each plane and its restoration.

    At a scene change it forgets both: the new scene is restored as its first frame.
    """

    def __init__(self, run: RunPlane, pixels: levels.Levels):
        self._run = run
        self._pixels = pixels
        self._coarse: scenes.Blocks | None = None
        self._previous = self._restored = self._spare = np.empty(0)
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
            if self._spare.shape != plane.shape:
                self._previous, self._restored, self._spare = (
                    np.empty_like(plane) for _ in range(3)
                )
            # Copied before the run, which may overwrite the plane.
            frame = self._spare
            np.copyto(frame, plane)
            remembered = self._previous, self._restored
            if before is None or scenes.is_other(coarse, before):
                remembered = frame, frame
            # A run that fails leaves nothing to remember.
            self._coarse = None
            result = self._run(frame, out, *further, *remembered)
            np.copyto(self._restored, result)
            self._previous, self._spare = frame, self._previous
            self._coarse = coarse
            return result
