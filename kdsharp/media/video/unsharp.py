"""An unsharp mask on integer planes.

FFmpeg's own filter scales its amount differently on 10 bits (8.1).
"""

import numpy as np

# Adding neighbours four times gives weights of 1 4 6 4 1: a Gaussian with a standard
# deviation of one pixel.
_SUMS = 4


def mask(plane: np.ndarray, amount: float, depth: int) -> None:
    """Applies an unsharp mask of radius 1 to a plane in place."""
    blurred = plane
    for axis in (0, 1):
        blurred = _blurred(blurred, axis, np.uint16 if depth == 8 else np.uint32)
    kept = plane.astype(np.float32)
    kept *= 1 + amount
    kept -= blurred * np.float32(amount / 4**_SUMS)
    np.clip(np.rint(kept, out=kept), 0, 2**depth - 1, out=kept)
    plane[...] = kept


def _blurred(plane: np.ndarray, axis: int, element: type) -> np.ndarray:
    """Weighted sums of neighbours along an axis, with weights that add up to 16."""
    margins = [(0, 0), (0, 0)]
    margins[axis] = (_SUMS // 2, _SUMS // 2)
    sums = np.moveaxis(np.pad(plane.astype(element), margins, "edge"), axis, 0)
    for _ in range(_SUMS):
        sums = sums[:-1] + sums[1:]
    return np.moveaxis(sums, 0, axis)
