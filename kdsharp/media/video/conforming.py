"""Frames that differ from a video's first become like it, in a planar format of YUV."""

import logging

import av
from av.video.reformatter import VideoReformatter

from kdsharp.media.video import formats, frames, swscale

logger = logging.getLogger(__name__)


class Conform:
    """A function from frames to frames of one size, in one format to work in.

    The first frame says which: its own size, and the format nearest to its own whose
    luma is a plane by itself.
    """

    def __init__(self):
        self._reformatter = VideoReformatter()
        self._like: tuple[int, int, str] | None = None
        # Each is told once.
        self._sizes: set[tuple[int, int]] = set()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        if self._like is None:
            self._like = self._of_first(frame)
        width, height, name = self._like
        given = (frame.width, frame.height, frame.format.name)
        if given == self._like:
            return frame
        if given == (width, height, name.replace("yuv", "yuvj")):
            return frames.copied(frame, name)
        if given[:2] not in self._sizes:
            self._sizes.add(given[:2])
            logger.info("frames of %dx%d become %dx%d", *given[:2], width, height)
        return self._reformatted(frame, self._like)

    def _of_first(self, frame: av.VideoFrame) -> tuple[int, int, str]:
        self._sizes.add((frame.width, frame.height))
        deepest = max(component.bits for component in frame.format.components)
        if deepest > 10:
            logger.warning("the video's %d bits become 10", deepest)
        return frame.width, frame.height, formats.working(frame.format)

    def _reformatted(
        self, frame: av.VideoFrame, like: tuple[int, int, str]
    ) -> av.VideoFrame:
        width, height, name = like
        rgb = frame.format.is_rgb or frame.format.name == "pal8"
        full = frames.is_full(frame)
        made = self._reformatter.reformat(
            frame,
            width,
            height,
            name,
            interpolation=swscale.EXACT,
            src_color_range=swscale.range_(rgb or full),
            dst_color_range=swscale.range_(full and not rgb),
            dst_colorspace=swscale.matrix(frame) if rgb else None,
        )
        frames.tagged(made, frame)
        if rgb:
            made.color_range = 1
            made.colorspace = frames.matrix(made)
        return made
