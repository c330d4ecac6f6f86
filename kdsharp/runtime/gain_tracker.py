"""Tracks the gains of a network with a context over a sequence of planes."""

import threading

import numpy as np
from jaxtyping import Float, Shaped

from kdsharp.core import color
from kdsharp.export import gains, levels

# Gains are computed for one plane in this many, and smoothed exponentially.
EVERY = 8
_SMOOTHING = 0.5

# On planes of n * _PIXELS pixels, only every n-th row of windows is used.
_PIXELS, _MAX_STEP = 450_000, 4

# Scene changes are detected on block means, about _BLOCKS along the side of a square:
# their mean absolute difference exceeds this fraction of the contrast, and the noise.
_BLOCKS = 30
_CONTRAST, _NOISE = 0.4, 0.004

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
        coarse = self._blocks(plane)
        kept = self._gains
        if kept is None or self._coarse is None or _is_other(coarse, self._coarse):
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

    def _blocks(self, plane: Plane) -> np.ndarray:
        """Mean luma of blocks, sampled from four rows of each block."""
        height, width = plane.shape[:2]
        side = max(round((height * width) ** 0.5 / _BLOCKS / 4), 1) * 4
        if min(height, width) < side:
            return self._luma(plane)
        rows = plane[: height // side * side : side // 4, : width // side * side]
        return self._luma(rows).reshape(-1, 4, width // side, side).mean((1, 3))

    def _luma(self, plane: Plane) -> np.ndarray:
        if plane.ndim == 3:
            plane = gains.as_luma(plane, color.BT601)
        luma = plane.astype(np.float32)
        luma -= np.float32(self._pixels.black)
        luma *= np.float32(1 / (self._pixels.white - self._pixels.black))
        return luma


def _is_other(coarse: np.ndarray, before: np.ndarray) -> bool:
    apart = np.abs(coarse - before).mean()
    contrast = min(np.abs(x - x.mean()).mean() for x in (coarse, before))
    return bool(apart > _NOISE and apart > _CONTRAST * contrast)
