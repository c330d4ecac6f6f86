"""Frames: their planes as arrays, their range and colour matrix."""

import av
import numpy as np

FULL = 2
"""FFmpeg's number for full range (0 is unknown, 1 studio)."""


def plane(frame: av.VideoFrame, index: int = 0) -> np.ndarray:
    """A plane of one component as an array that shares the frame's memory."""
    stored = frame.planes[index]
    element = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
    lines = np.frombuffer(memoryview(stored), element).reshape(stored.height, -1)
    return lines[:, : stored.width]


def planes(frame: av.VideoFrame) -> list[np.ndarray]:
    """All planes of a planar frame; they share its memory."""
    return [plane(frame, index) for index in range(len(frame.planes))]


def is_full(frame: av.VideoFrame) -> bool:
    """Whether the frame has full range (black is 0, not 16)."""
    return frame.color_range == FULL or frame.format.name.startswith("yuvj")


def matrix(frame: av.VideoFrame) -> int:
    """The colour matrix of the frame; if untagged, the usual one for its size.

    FFmpeg's numbers: 1 is BT.709, 5 and 6 are BT.601, 9 is BT.2020.
    """
    if frame.colorspace in (1, 4, 5, 6, 7, 9):
        return frame.colorspace
    return 1 if frame.height >= 720 else 6


def empty_like(frame: av.VideoFrame, format_: str) -> av.VideoFrame:
    """An empty frame with that frame's size, time and colour tags."""
    return copy_tags(av.VideoFrame(frame.width, frame.height, format_), frame)


def copy_tags(new: av.VideoFrame, frame: av.VideoFrame) -> av.VideoFrame:
    """Copies time and colour tags from `frame` to `new`, and returns it."""
    new.pts, new.time_base, new.duration = frame.pts, frame.time_base, frame.duration
    new.color_range, new.colorspace = frame.color_range, frame.colorspace
    new.color_trc, new.color_primaries = frame.color_trc, frame.color_primaries
    return new


def copy(frame: av.VideoFrame, format_: str = "") -> av.VideoFrame:
    """Copies a frame; `format_` may name another format with the same layout."""
    new = empty_like(frame, format_ or frame.format.name)
    for target, source in zip(planes(new), planes(frame), strict=True):
        target[...] = source
    return new
