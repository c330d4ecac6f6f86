"""Passes the pixels of frames to a network and back: luma in place, resized, or RGB.

A passage is called with a frame and a function that starts to restore an array of
pixels; it extracts the pixels and starts. What it returns waits for the restored
pixels, and returns the frame with them.
"""

from collections.abc import Callable

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from kdsharp.media.video import formats, frames, swscale

Start = Callable[[np.ndarray], Callable[[], np.ndarray]]
Finish = Callable[[], av.VideoFrame]
Passage = Callable[[av.VideoFrame, Start], Finish]

# Planes of gbrp, in the order red, green, blue.
_ORDER = (2, 0, 1)


def find(frame: av.VideoFrame, size: tuple[int, int], *, luma: bool) -> Passage:
    """Chooses the passage from frames like this one to pixels of that width and height.

    Networks for luma get the luma plane, others get full-range RGB.
    """
    if not luma:
        return Rgb(*size)
    return through_luma if size == (frame.width, frame.height) else ResizedLuma(*size)


def through_luma(frame: av.VideoFrame, start: Start) -> Finish:
    """Restores the Y plane in place; chroma is unchanged."""
    luma = frames.plane(frame)
    wait = start(np.ascontiguousarray(luma))

    def finish() -> av.VideoFrame:
        luma[...] = wait()
        return frame

    return finish


class ResizedLuma:
    """Restores the Y plane at another size."""

    def __init__(self, width: int, height: int):
        self._size = width, height
        self._shrink, self._enlarge = VideoReformatter(), VideoReformatter()

    def __call__(self, frame: av.VideoFrame, start: Start) -> Finish:
        luma = frames.plane(frame)
        whole = frames.empty_like(frame, "gray10le" if luma.itemsize > 1 else "gray")
        # Prevents a range conversion.
        whole.color_range = frames.FULL
        frames.plane(whole)[...] = luma
        small = self._shrink.reformat(whole, *self._size, interpolation=swscale.EXACT)
        restored = through_luma(small, start)

        def finish() -> av.VideoFrame:
            large = self._enlarge.reformat(
                restored(), frame.width, frame.height, interpolation=swscale.EXACT
            )
            luma[...] = frames.plane(large)
            return frame

        return finish


class Rgb:
    """Restores full-range RGB, converted with the frame's matrix, at a given size."""

    def __init__(self, width: int, height: int):
        self._size = width, height
        self._to_rgb, self._from_rgb = VideoReformatter(), VideoReformatter()

    def __call__(self, frame: av.VideoFrame, start: Start) -> Finish:
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
        wait = start(_read_rgb(colours))

        def finish() -> av.VideoFrame:
            _write_rgb(colours, wait())
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

        return finish


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
