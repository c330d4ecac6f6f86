"""The gains of a network with a context, for one plane of a sequence after another."""

import threading

import numpy as np
from jaxtyping import Float, Shaped

from kdsharp.core import color
from kdsharp.export import gains, levels

# Gains are found anew for one plane in so many, and move so far towards what was found.
EVERY = 8
_SHARE = 0.5

# Large planes have rows of windows to spare.
_PIXELS, _MOST_ROWS = 450_000, 4

# What tells another scene: means of blocks, about so many along the side of a square,
# that change by more than so much of their contrast, and by more than noise does.
_BLOCKS = 30
_CONTRAST, _NOISE = 0.4, 0.004

Plane = Shaped[np.ndarray, "h w *c"]


class Following:
    """A function from planes, in their order, to the gains for each.

    They are the same for the same planes. Where a plane differs abruptly from the one
    that the gains were found on, they are found at once, from that plane alone.
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

    def forget(self) -> None:
        """Takes the next plane for the first."""
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
            following = kept + np.float32(_SHARE) * (self.of(plane) - kept)
        self._gains, self._coarse, self._age = following, coarse, 0
        return following

    def of(self, plane: Plane) -> Float[np.ndarray, "filters"]:
        """Returns the gains for a plane by itself."""
        count = plane.shape[0] * plane.shape[1]
        every = min(max(count // _PIXELS, 1), _MOST_ROWS)
        return gains.gains(self._params, plane, luma=self._luma, every=every)

    def _blocks(self, plane: Plane) -> np.ndarray:
        """Returns the means of blocks, four rows of each looked at."""
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
