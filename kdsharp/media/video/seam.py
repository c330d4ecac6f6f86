"""Split screen: what came in to the left of a line, what was restored to the right."""

import av
import numpy as np

from kdsharp.media.video import formats, planes

# A multiple of this lies on a pixel of every plane, however its colour is thinned out.
_GRID = 4


def place(width: int) -> int:
    """Returns the column of luma from which on the restored side begins."""
    return width // 2 // _GRID * _GRID


def left_of(frame: av.VideoFrame) -> list[np.ndarray]:
    """Returns a copy of what lies left of the seam, plane by plane."""
    return [
        planes.array(frame, index)[:, : _columns(frame, index)].copy()
        for index in range(len(frame.planes))
    ]


def join(left: list[np.ndarray], frame: av.VideoFrame) -> None:
    """Writes the left side and a white line into the frame."""
    depth = formats.luma_depth(frame.format.name)
    white = (255 if formats.is_full(frame) else 235) << depth - 8
    for index, side in enumerate(left):
        plane = planes.array(frame, index)
        plane[:, : side.shape[1]] = side
    seam = place(frame.width)
    planes.array(frame)[:, max(seam - 1, 0) : seam + 1] = white


def _columns(frame: av.VideoFrame, index: int) -> int:
    share = place(frame.width) / frame.width
    return round(planes.array(frame, index).shape[1] * share)
