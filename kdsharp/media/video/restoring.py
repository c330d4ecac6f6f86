"""A frame becomes a restored frame: luma where it lies, or RGB and back."""

import dataclasses
import logging

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from kdsharp.export import network as networks
from kdsharp.media.video import formats, planes, seam, unsharp
from kdsharp.runtime import backends, restore
from kdsharp.runtime import planes as runtime

logger = logging.getLogger(__name__)

# swscale's cheaper paths round colours, and drift.
_EXACT = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | (Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP)
)


@dataclasses.dataclass(frozen=True)
class Restoring:
    """What is done to a frame."""

    model: str = restore.DEFAULT_VIDEO
    strength: float = 1.0
    backend: str = "auto"
    dtype: str = "float32"
    threads: int = 0
    size: tuple[int, int] | None = None
    unsharp: float = 0.0
    compare: bool = False


class Restoration:
    """A function from a frame to a restored frame of that size, format and time.

    What it is given may be written to. Frames that differ from the first in size or
    format become like it.
    """

    def __init__(self, wanted: Restoring):
        restore.check_strength(wanted.strength)
        restore.check_unsharp(wanted.unsharp)
        backends.choose(wanted.backend, wanted.dtype)
        self._wanted = wanted
        self._network = networks.of_weights(wanted.model)
        self._restorers: dict[tuple, runtime.Restorer] = {}
        self._conform = VideoReformatter()
        self._shrink, self._enlarge = VideoReformatter(), VideoReformatter()
        self._to_rgb, self._from_rgb = VideoReformatter(), VideoReformatter()
        self._like: tuple[int, int, str] | None = None
        # Those that were met: each is told once.
        self._sizes: set[tuple[int, int]] = set()

    @property
    def name(self) -> str:
        """The network's name."""
        return self._network.name

    def prepare(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Returns the frame in the format that is worked in, and compiles for it."""
        frame = self._conformed(frame)
        restorer = self._restorer(frame)
        # The first run is the slowest.
        restorer(np.zeros(restorer.shape, restorer.element))
        self.forget()
        return frame

    def forget(self) -> None:
        """Takes the next frame for the first of another video."""
        for restorer in self._restorers.values():
            restorer.forget()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        frame = self._conformed(frame)
        frame.make_writable()
        left = seam.left_of(frame) if self._wanted.compare else []
        if not self._wanted.strength:
            pass
        elif self._network.model.channels == 1:
            self._restore_luma(frame)
        else:
            frame = self._restore_rgb(frame)
        if self._wanted.unsharp:
            depth = formats.luma_depth(frame.format.name)
            unsharp.mask(planes.array(frame), self._wanted.unsharp, depth)
        if left:
            seam.join(left, frame)
        return frame

    def _conformed(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Returns the frame like the first, in a format whose luma lies by itself."""
        if self._like is None:
            name = formats.working(frame.format)
            self._like = frame.width, frame.height, name
            self._sizes.add(self._like[:2])
            deepest = max(component.bits for component in frame.format.components)
            if deepest > 10:
                logger.warning("the video's %d bits become 10", deepest)
        width, height, name = self._like
        given = (frame.width, frame.height, frame.format.name)
        if given == self._like:
            return frame
        if given == (width, height, name.replace("yuv", "yuvj")):
            return planes.renamed(frame, name)
        rgb = frame.format.is_rgb or frame.format.name == "pal8"
        if given[:2] not in self._sizes:
            self._sizes.add(given[:2])
            logger.info("frames of %dx%d become %dx%d", *given[:2], *self._like[:2])
        made = self._conform.reformat(
            frame,
            width,
            height,
            name,
            interpolation=_EXACT,
            src_color_range=2 if rgb or formats.is_full(frame) else 1,
            dst_color_range=2 if formats.is_full(frame) and not rgb else 1,
            dst_colorspace=_swscale(frame) if rgb else None,
        )
        planes.tagged(made, frame)
        if rgb:
            made.color_range = 1
            made.colorspace = formats.matrix(made)
        return made

    def _restorer(self, frame: av.VideoFrame) -> runtime.Restorer:
        depth = formats.luma_depth(frame.format.name)
        luma = self._network.model.channels == 1
        range_ = "studio" if luma and not formats.is_full(frame) else "full"
        size = self._wanted.size or (frame.width, frame.height)
        key = (*size, range_, depth)
        if key not in self._restorers:
            self._restorers[key] = runtime.create(
                self._network,
                *size,
                backend=self._wanted.backend,
                dtype=self._wanted.dtype,
                threads=self._wanted.threads,
                range=range_,
                strength=self._wanted.strength,
                depth=depth,
            )
        return self._restorers[key]

    def _restore_luma(self, frame: av.VideoFrame) -> None:
        restore, luma = self._restorer(frame), planes.array(frame)
        if self._wanted.size in (None, (frame.width, frame.height)):
            # Read from a copy: a network may write before it has read all.
            restore(luma.copy(), luma)
            return
        gray = "gray10le" if luma.dtype == np.uint16 else "gray"
        whole = planes.like(frame, gray)
        # Resizing is to know of no range.
        whole.color_range = formats.FULL
        planes.array(whole)[...] = luma
        small = self._shrink.reformat(whole, *restore.shape[::-1], interpolation=_EXACT)
        plane = planes.array(small)
        plane[...] = restore(np.ascontiguousarray(plane))
        large = self._enlarge.reformat(
            small, frame.width, frame.height, interpolation=_EXACT
        )
        luma[...] = planes.array(large)

    def _restore_rgb(self, frame: av.VideoFrame) -> av.VideoFrame:
        restore = self._restorer(frame)
        height, width = restore.shape[:2]
        deep = restore.element == np.uint16
        range_ = 2 if formats.is_full(frame) else 1
        matrix = _swscale(frame)
        colours = self._to_rgb.reformat(
            frame,
            width,
            height,
            "gbrp10le" if deep else "rgb24",
            src_colorspace=matrix,
            interpolation=_EXACT,
            src_color_range=range_,
            dst_color_range=2,
        )
        _write_rgb(colours, restore(_read_rgb(colours)))
        made = self._from_rgb.reformat(
            colours,
            frame.width,
            frame.height,
            frame.format.name,
            dst_colorspace=matrix,
            interpolation=_EXACT,
            src_color_range=2,
            dst_color_range=range_,
        )
        if formats.has_alpha(frame.format.name):
            planes.array(made, 3)[...] = planes.array(frame, 3)
        return planes.tagged(made, frame)


# Planes of gbrp, in the order red, green, blue.
_ORDER = (2, 0, 1)


def _read_rgb(frame: av.VideoFrame) -> np.ndarray:
    if frame.format.is_planar:
        return np.stack([planes.array(frame, index) for index in _ORDER], axis=-1)
    lines = np.frombuffer(frame.planes[0], np.uint8).reshape(frame.height, -1)
    return lines[:, : frame.width * 3].reshape(frame.height, frame.width, 3)


def _write_rgb(frame: av.VideoFrame, pixels: np.ndarray) -> None:
    if frame.format.is_planar:
        for channel, index in enumerate(_ORDER):
            planes.array(frame, index)[...] = pixels[:, :, channel]
        return
    lines = np.frombuffer(frame.planes[0], np.uint8).reshape(frame.height, -1)
    lines[:, : frame.width * 3] = pixels.reshape(frame.height, -1)


def _swscale(frame: av.VideoFrame) -> int:
    """Returns the frame's matrix by swscale's number, which is mostly the same."""
    return {6: 5, 5: 5, 1: 1, 4: 4, 7: 7, 9: 9}[formats.matrix(frame)]
