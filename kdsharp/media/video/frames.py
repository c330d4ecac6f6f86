"""What a frame holds and says: its planes as arrays, its range, its colour matrix."""

import av
import numpy as np

FULL = 2
"""FFmpeg's number for full range (0 is unknown, 1 studio)."""


def plane(frame: av.VideoFrame, index: int = 0) -> np.ndarray:
    """Returns a plane of one component, which shares its memory with the frame."""
    stored = frame.planes[index]
    element = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
    lines = np.frombuffer(memoryview(stored), element).reshape(stored.height, -1)
    return lines[:, : stored.width]


def planes(frame: av.VideoFrame) -> list[np.ndarray]:
    """Returns every plane of a planar frame; they share its memory."""
    return [plane(frame, index) for index in range(len(frame.planes))]


def is_full(frame: av.VideoFrame) -> bool:
    """Returns whether black is 0 in this frame, and not 16."""
    return frame.color_range == FULL or frame.format.name.startswith("yuvj")


def matrix(frame: av.VideoFrame) -> int:
    """Returns the frame's colour matrix; untagged, what its size suggests.

    FFmpeg's numbers: 1 is BT.709, 5 and 6 are BT.601, 9 is BT.2020.
    """
    if frame.colorspace in (1, 4, 5, 6, 7, 9):
        return frame.colorspace
    return 1 if frame.height >= 720 else 6


def like(frame: av.VideoFrame, format_: str) -> av.VideoFrame:
    """Returns an empty frame of that size, time and colour."""
    return tagged(av.VideoFrame(frame.width, frame.height, format_), frame)


def tagged(new: av.VideoFrame, frame: av.VideoFrame) -> av.VideoFrame:
    """Returns `new`, at the time and with the colour tags of `frame`."""
    new.pts, new.time_base, new.duration = frame.pts, frame.time_base, frame.duration
    new.color_range, new.colorspace = frame.color_range, frame.colorspace
    new.color_trc, new.color_primaries = frame.color_trc, frame.color_primaries
    return new


def copied(frame: av.VideoFrame, format_: str = "") -> av.VideoFrame:
    """Returns a copy; `format_` names another format whose planes lie as these do."""
    new = like(frame, format_ or frame.format.name)
    for target, source in zip(planes(new), planes(frame), strict=True):
        target[...] = source
    return new
