"""Split screen: the original on the left of a line, the restored frame on the right."""

from collections.abc import Sequence

import numpy as np

# Multiples of this fall on pixel boundaries of subsampled chroma planes.
_GRID = 4


def column(width: int) -> int:
    """The luma column at which the restored side begins."""
    return width // 2 // _GRID * _GRID


def copy_left(planes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Copies what lies left of the seam from each plane, luma first."""
    width = planes[0].shape[1]
    share = column(width) / width
    return [plane[:, : round(plane.shape[1] * share)].copy() for plane in planes]


def join(left: Sequence[np.ndarray], planes: Sequence[np.ndarray], white: int) -> None:
    """Writes the left side into the planes, and draws the seam."""
    for side, plane in zip(left, planes, strict=True):
        plane[:, : side.shape[1]] = side
    luma = planes[0]
    seam = column(luma.shape[1])
    luma[:, max(seam - 1, 0) : seam + 1] = white
