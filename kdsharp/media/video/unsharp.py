"""An unsharp mask on planes of integers.

FFmpeg has one too, whose amount means next to nothing on 10 bits (8.1).
"""

import numpy as np

# Sums of neighbours, so many times over, are weights of 1 4 6 4 1: a Gaussian whose
# deviation is one pixel.
_SUMS = 4


def mask(plane: np.ndarray, amount: float, depth: int) -> None:
    """Adds to the plane that part of what a blur of radius 1 takes from it."""
    blurred = plane
    for axis in (0, 1):
        blurred = _blurred(blurred, axis, np.uint16 if depth == 8 else np.uint32)
    kept = plane.astype(np.float32)
    kept *= 1 + amount
    kept -= blurred * np.float32(amount / 4**_SUMS)
    np.clip(np.rint(kept, out=kept), 0, 2**depth - 1, out=kept)
    plane[...] = kept


def _blurred(plane: np.ndarray, axis: int, element: type) -> np.ndarray:
    """Returns weighted sums along an axis, of 16 neighbours; the edge is repeated."""
    margins = [(0, 0), (0, 0)]
    margins[axis] = (_SUMS // 2, _SUMS // 2)
    sums = np.moveaxis(np.pad(plane.astype(element), margins, "edge"), axis, 0)
    for _ in range(_SUMS):
        sums = sums[:-1] + sums[1:]
    return np.moveaxis(sums, 0, axis)
