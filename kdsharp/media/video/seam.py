"""Split screen: what came in to the left of a line, what was restored to the right."""

from collections.abc import Sequence

import numpy as np

# A multiple of this lies on a pixel of every plane, however its chroma is subsampled.
_GRID = 4


def place(width: int) -> int:
    """Returns the column of luma from which on the restored side begins."""
    return width // 2 // _GRID * _GRID


def left_of(planes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Returns a copy of what lies left of the seam, plane by plane, luma first."""
    width = planes[0].shape[1]
    share = place(width) / width
    return [plane[:, : round(plane.shape[1] * share)].copy() for plane in planes]


def join(left: Sequence[np.ndarray], planes: Sequence[np.ndarray], white: int) -> None:
    """Writes the left side into the planes, and a line of that luma beside it."""
    for side, plane in zip(left, planes, strict=True):
        plane[:, : side.shape[1]] = side
    luma = planes[0]
    seam = place(luma.shape[1])
    luma[:, max(seam - 1, 0) : seam + 1] = white
