"""Passes the pixels of frames to a network and back: luma in place, resized, or RGB.

A passage is called with a frame and a function that restores an array of pixels; it
extracts the pixels, restores them, and returns the frame with the result.
"""

from collections.abc import Callable

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from kdsharp.media.video import formats, frames, swscale

Restore = Callable[[np.ndarray], np.ndarray]
Passage = Callable[[av.VideoFrame, Restore], av.VideoFrame]

# Planes of gbrp, in the order red, green, blue.
_ORDER = (2, 0, 1)


def find(frame: av.VideoFrame, size: tuple[int, int], *, luma: bool) -> Passage:
    """Chooses the passage from frames like this one to pixels of that width and height.

    Networks for luma get the luma plane, others get full-range RGB.
    """
    if not luma:
        return Rgb(*size)
    return through_luma if size == (frame.width, frame.height) else ResizedLuma(*size)


def through_luma(frame: av.VideoFrame, restore: Restore) -> av.VideoFrame:
    """Restores the Y plane in place; chroma is unchanged."""
    luma = frames.plane(frame)
    luma[...] = restore(np.ascontiguousarray(luma))
    return frame


class ResizedLuma:
    """Restores the Y plane at another size."""

    def __init__(self, width: int, height: int):
        self._size = width, height
        self._shrink, self._enlarge = VideoReformatter(), VideoReformatter()

    def __call__(self, frame: av.VideoFrame, restore: Restore) -> av.VideoFrame:
        luma = frames.plane(frame)
        whole = frames.empty_like(frame, "gray10le" if luma.itemsize > 1 else "gray")
        # Prevents a range conversion.
        whole.color_range = frames.FULL
        frames.plane(whole)[...] = luma
        small = self._shrink.reformat(whole, *self._size, interpolation=swscale.EXACT)
        small = through_luma(small, restore)
        large = self._enlarge.reformat(
            small, frame.width, frame.height, interpolation=swscale.EXACT
        )
        luma[...] = frames.plane(large)
        return frame


class Rgb:
    """Restores full-range RGB, converted with the frame's matrix, at a given size."""

    def __init__(self, width: int, height: int):
        self._size = width, height
        self._to_rgb, self._from_rgb = VideoReformatter(), VideoReformatter()

    def __call__(self, frame: av.VideoFrame, restore: Restore) -> av.VideoFrame:
        matrix = swscale.matrix(frame)
        range_ = swscale.range_(frames.is_full(frame))
        colours = self._to_rgb.reformat(
            frame,
            *self._size,
            "gbrp10le" if frame.format.components[0].bits > 8 else "rgb24",
            src_colorspace=matrix,
            interpolation=swscale.EXACT,
            src_color_range=range_,
            dst_color_range=swscale.range_(True),
        )
        _write_rgb(colours, restore(_read_rgb(colours)))
        made = self._from_rgb.reformat(
            colours,
            frame.width,
            frame.height,
            frame.format.name,
            dst_colorspace=matrix,
            interpolation=swscale.EXACT,
            src_color_range=swscale.range_(True),
            dst_color_range=range_,
        )
        if formats.has_alpha(frame.format.name):
            frames.plane(made, 3)[...] = frames.plane(frame, 3)
        return frames.copy_tags(made, frame)


def _read_rgb(frame: av.VideoFrame) -> np.ndarray:
    if frame.format.is_planar:
        return np.stack([frames.plane(frame, index) for index in _ORDER], axis=-1)
    return _lines(frame).reshape(frame.height, frame.width, 3)


def _write_rgb(frame: av.VideoFrame, pixels: np.ndarray) -> None:
    if frame.format.is_planar:
        for channel, index in enumerate(_ORDER):
            frames.plane(frame, index)[...] = pixels[:, :, channel]
        return
    _lines(frame)[...] = pixels.reshape(frame.height, -1)


def _lines(frame: av.VideoFrame) -> np.ndarray:
    """The lines of rgb24, which share the frame's memory."""
    stored = memoryview(frame.planes[0])
    lines = np.frombuffer(stored, np.uint8).reshape(frame.height, -1)
    return lines[:, : frame.width * 3]
