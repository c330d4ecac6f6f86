"""Tracks the gains of a network with a context over a sequence of planes."""

import threading

import numpy as np
from jaxtyping import Float, Shaped

from kdsharp.export import gains, levels
from kdsharp.runtime import scenes

# Gains are computed for one plane in this many, and smoothed exponentially.
EVERY = 8
_SMOOTHING = 0.5

# On planes of n * _PIXELS pixels, only every n-th row of windows is used.
_PIXELS, _MAX_STEP = 450_000, 4

Plane = Shaped[np.ndarray, "h w *c"]


class GainTracker:
    """A function from the planes of a sequence to the gains for each of them.

    Gains are updated every few planes, and smoothed over time. At a scene change they
    are computed anew from the current plane alone. The same sequence always gives the
    same gains.
    """

    def __init__(self, params: dict, pixels: levels.Levels):
        self._params = params
        self._pixels = pixels
        self._gains: np.ndarray | None = None
        self._coarse: np.ndarray | None = None
        self._age = 0
        self._one_at_a_time = threading.Lock()

    def __call__(self, plane: Plane) -> Float[np.ndarray, "filters"]:
        with self._one_at_a_time:
            return self._next(plane)

    def start_sequence(self) -> None:
        """Starts a new sequence with the next plane."""
        with self._one_at_a_time:
            self._coarse = None

    def _next(self, plane: Plane) -> np.ndarray:
        coarse = scenes.blocks(plane, self._pixels)
        kept = self._gains
        if (
            kept is None
            or self._coarse is None
            or scenes.is_other(coarse, self._coarse)
        ):
            following = self.of(plane)
        elif self._age + 1 < EVERY:
            self._age += 1
            return kept
        else:
            following = kept + np.float32(_SMOOTHING) * (self.of(plane) - kept)
        self._gains, self._coarse, self._age = following, coarse, 0
        return following

    def of(self, plane: Plane) -> Float[np.ndarray, "filters"]:
        """Computes the gains of one plane, independently of the sequence."""
        count = plane.shape[0] * plane.shape[1]
        every = min(max(count // _PIXELS, 1), _MAX_STEP)
        return gains.gains(self._params, plane, luma=self._luma, every=every)

    def _luma(self, plane: Plane) -> np.ndarray:
        return scenes.luma(plane, self._pixels)
