"""The planes of a frame as arrays, and frames with other planes."""

import av
import numpy as np


def array(frame: av.VideoFrame, index: int = 0) -> np.ndarray:
    """Returns a plane of one component, which shares its memory with the frame."""
    plane = frame.planes[index]
    element = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
    lines = np.frombuffer(plane, element).reshape(plane.height, -1)
    return lines[:, : plane.width]


def like(frame: av.VideoFrame, format_: str) -> av.VideoFrame:
    """Returns an empty frame of that size, time and colour."""
    new = av.VideoFrame(frame.width, frame.height, format_)
    return tagged(new, frame)


def tagged(new: av.VideoFrame, frame: av.VideoFrame) -> av.VideoFrame:
    """Returns `new`, at the time and with the colour tags of `frame`."""
    new.pts, new.time_base, new.duration = frame.pts, frame.time_base, frame.duration
    new.color_range, new.colorspace = frame.color_range, frame.colorspace
    new.color_trc, new.color_primaries = frame.color_trc, frame.color_primaries
    return new


def renamed(frame: av.VideoFrame, format_: str) -> av.VideoFrame:
    """Returns the same planes under the name of a format that lies as they do."""
    new = like(frame, format_)
    for index in range(len(frame.planes)):
        array(new, index)[...] = array(frame, index)
    return new
